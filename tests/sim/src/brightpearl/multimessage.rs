//! Owns multi-message: an envelope of two to ten writes that costs one request. It must not know what the messages do.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use url::form_urlencoded;

use super::account::Brightpearl;
use super::call::Call;
use super::envelope::{Answer, Refusal, Reply, render};

struct Message {
    label: String,
    call: Call,
}

impl Brightpearl {
    /// `POST /multi-message`: 200 when every message succeeded, else 207.
    pub(super) fn multi_message(&mut self, now: i64, call: &Call) -> Answer {
        let body = call.object()?;
        let messages = read(&body)?;
        let stop = body["onFail"] == "STOP";
        let mut processed = Vec::new();
        let mut unprocessed = Vec::new();
        let mut failed = false;
        for message in messages {
            if failed && stop {
                unprocessed.push(message.label);
                continue;
            }
            let (_, reply) = self.dispatch(now, &message.call);
            failed |= reply.status >= 400;
            processed.push(json!({
                "label": message.label, "statusCode": reply.status,
                "body": { "content": render(&reply.body) },
            }));
        }
        let response =
            json!({ "processedMessages": processed, "unprocessedMessages": unprocessed });
        let status = if failed { 207 } else { 200 };
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
