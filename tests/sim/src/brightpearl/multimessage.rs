//! Owns multi-message: an envelope of two to ten writes that costs one request. It must not know what the messages do.

use std::collections::{BTreeSet, VecDeque};

use serde_json::{Value, json};
use url::form_urlencoded;

use super::account::Brightpearl;
use super::call::Call;
use super::envelope::{Answer, Refusal, Reply, render};
use crate::dice::Dice;

/// What goes wrong inside multi-messages, on command.
#[derive(Debug)]
pub(super) struct MultiFaults {
    /// Every envelope is answered so: an account without multi-message.
    pub(super) status: Option<u16>,
    /// So many of the next messages are not carried out.
    pub(super) fail_next: u32,
    /// How likely any other message is not carried out, and how likely an envelope stops within.
    pub(super) chance: f64,
    /// What those messages are answered.
    pub(super) fail_status: u16,
    /// The next envelopes carry out only so many messages each; the others come back unprocessed. With a cut
    /// connection: some are carried out, others not, and nobody is told.
    pub(super) stop_after: VecDeque<u64>,
}

impl Default for MultiFaults {
    fn default() -> Self {
        Self {
            status: None,
            fail_next: 0,
            chance: 0.0,
            fail_status: 500,
            stop_after: VecDeque::new(),
        }
    }
}

impl MultiFaults {
    /// The answer of a message that is not carried out, if it is this one's turn.
    fn refusal(&mut self, dice: &mut Dice) -> Option<Reply> {
        if self.fail_next == 0 && !dice.chance(self.chance) {
            return None;
        }
        self.fail_next = self.fail_next.saturating_sub(1);
        Some(match self.fail_status {
            503 => Reply::gateway(503, super::gateway::TOO_MANY),
            status @ 500.. => Refusal::new(status, "CMNU-003", "An unexpected error").into(),
            status => Refusal::new(status, "ORDC-000", "Refused on command").into(),
        })
    }
}

struct Message {
    label: String,
    call: Call,
}

impl Brightpearl {
    /// `POST /multi-message`: 200 when every message succeeded, else 207.
    pub(super) fn multi_message(&mut self, now: i64, call: &Call) -> Answer {
        if let Some(status) = self.multi.status {
            return Err(Refusal::new(status, "CMNC-404", "No such resource"));
        }
        let body = call.object()?;
        let messages = read(&body)?;
        let stops = self.dice.chance(self.multi.chance);
        let by_chance = if stops { self.dice.below(10) } else { u64::MAX };
        let most = self.multi.stop_after.pop_front().unwrap_or(by_chance);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let stop = body["onFail"] == "STOP";
        let mut processed = Vec::new();
        let mut unprocessed = Vec::new();
        let mut failed = false;
        for message in messages {
            if (failed && stop) || processed.len() >= most {
                unprocessed.push(message.label);
                continue;
            }
            let refused = self.multi.refusal(&mut self.dice);
            let reply = refused.unwrap_or_else(|| self.dispatch(now, &message.call).1);
            failed |= reply.status >= 400;
            processed.push(json!({
                "label": message.label, "statusCode": reply.status,
                "body": { "content": render(&reply.body) },
            }));
        }
        let left = unprocessed.clone();
        let response = json!({ "processedMessages": processed, "unprocessedMessages": left });
        let status = if failed || !unprocessed.is_empty() {
            207
        } else {
            200
        };
        Ok(Reply {
            status,
            body: json!({ "response": response }),
        })
    }
}

/// Reads the whole envelope; a fault means that nothing runs.
fn read(body: &Value) -> Result<Vec<Message>, Refusal> {
    let list = body["messages"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if !(2..=10).contains(&list.len()) {
        let text = format!("A multi-message holds 2 to 10 messages, not {}", list.len());
        return Err(Refusal::bad("CMNC-050", text));
    }
    let (mode, on_fail) = (&body["processingMode"], &body["onFail"]);
    let valid = (mode == "SEQUENTIAL" && (on_fail == "STOP" || on_fail == "CONTINUE"))
        || (mode == "PARALLEL" && on_fail == "CONTINUE");
    if !valid {
        let text = format!("Invalid combination of processingMode {mode} and onFail {on_fail}");
        return Err(Refusal::bad("CMNC-051", text));
    }
    let mut labels = BTreeSet::new();
    list.iter()
        .map(|item| {
            let label = item["label"].as_str().unwrap_or("").to_owned();
            if label.is_empty() || !labels.insert(label.clone()) {
                let text = format!("Message labels must be given and unique: '{label}'");
                return Err(Refusal::bad("CMNC-052", text));
            }
            let method = item["httpMethod"].as_str().unwrap_or("");
            if !matches!(method, "POST" | "PUT" | "DELETE") {
                let text = format!("Message {label} has an unsupported HTTP method: {method}");
                return Err(Refusal::bad("CMNC-053", text));
            }
            let uri = item["uri"].as_str().unwrap_or("");
            let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
            if !path.starts_with('/') || path.starts_with("/multi-message") {
                let text = format!("Message {label} has an invalid URI: {uri}");
                return Err(Refusal::bad("CMNC-054", text));
            }
            let query = form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect();
            let body = match &item["body"] {
                Value::Null => b"{}".to_vec(),
                body => body.to_string().into_bytes(),
            };
            Ok(Message {
                label,
                call: Call::new(method, path, query, body),
            })
        })
        .collect()
}
