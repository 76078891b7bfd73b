//! Owns one call to Brightpearl: address, credential, what the answer means for the agent, what is left of the quota,
//! and the instance id that every answer carries. Must not know what is asked.

use crate::settings::Settings;
use crate::wire::envelope::{self, Complaint, Meaning};
use crate::wire::ids;
use serde::Serialize;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use waybill_sdk::Host;
use waybill_sdk::effects::{Denial, Effect, IoError};
use waybill_sdk::http::{Request, Response};
use waybill_sdk::log::Level;
use waybill_sdk::types::{Failure, Problem};

/// Key of the private space: the instance id an answer told; empty where answers tell none.
pub const INSTANCE: &str = "instance-id";

/// An answer with a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply<T = Value> {
    /// What stood under `response`.
    pub value: T,
    /// The vendor's clock, in UTC milliseconds.
    pub date_ms: Option<i64>,
    /// Calls left in this minute.
    pub remaining: Option<u64>,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum Sent {
    /// It was made; the id.
    Created(i64),
    /// It was done, but the answer does not say with what id; what it says, null where it is cut short.
    Unread(Value),
    /// It was sent so many milliseconds ago, and nobody knows what became of it.
    Doubt(u64),
    /// It was sent now; no answer, or one that proves nothing.
    Lost(Failure),
    /// Nothing was done, and the vendor said why.
    Refused(u16, Vec<Complaint>),
    /// Practice mode: recorded, not sent.
    Practice,
}

/// What became of a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It is not there any more.
    Gone,
    /// It was sent, and nobody knows what became of it.
    Doubt,
    /// Practice mode: recorded, not sent.
    Practice,
}

/// One call's way to the account.
pub struct Api<'h> {
    /// The agent.
    pub host: &'h dyn Host,
    base: String,
    slot: String,
    known: Cell<Option<i64>>,
    /// The merchant entered the instance: no answer changes it.
    chosen: bool,
    asked: Cell<bool>,
    closed: RefCell<Option<Failure>>,
}

impl<'h> Api<'h> {
    /// With the connection's settings.
    pub fn new(host: &'h dyn Host, settings: Settings<'_>) -> Result<Self, Failure> {
        let stored = host.kv_get(&[INSTANCE.to_owned()]).pop().flatten();
        let stored = stored.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let told = stored.as_deref().and_then(|text| text.parse().ok());
        let chosen = settings.instance().map_err(Failure::Rejected)?;
        Ok(Self {
            host,
            base: settings.base_url(),
            slot: settings.slot(),
            known: Cell::new(chosen.or(told)),
            chosen: chosen.is_some(),
            asked: Cell::new(stored.is_some() || chosen.is_some()),
            closed: RefCell::new(None),
        })
    }

    /// The id of this app's instance, where it is known.
    pub const fn instance(&self) -> Option<i64> {
        self.known.get()
    }

    /// Asks once for the instance id, so that the first sale already carries the pair Brightpearl takes once only.
    pub fn learn_instance(&self) -> Result<(), Failure> {
        if !self.asked.get() {
            self.get_found(crate::wire::lists::List::OrderStatus.path())?;
        }
        Ok(())
    }

    /// Set when the vendor turned a call away for a reason that holds for every further call: throttle or credentials.
    pub fn closed(&self) -> Option<Failure> {
        self.closed.borrow().clone()
    }

    /// Reads; 404 is a refusal.
    pub fn get(&self, path: &str) -> Result<Reply, Failure> {
        self.get_found(path)?.ok_or_else(|| {
            Failure::rejected(
                "not-found",
                format!("Brightpearl has nothing at {}.", path_of(path)),
                "Check the API address and the account code of this connection.",
            )
        })
    }

    /// Reads; 404 is none.
    pub fn get_found(&self, path: &str) -> Result<Option<Reply>, Failure> {
        let response = self.answer(path)?;
        match meaning(&response) {
            Meaning::Value(value) => Ok(Some(reply(value, &response))),
            other => self.nothing(other, path),
        }
    }

    /// As [`Api::get_found`] for large answers: `read` makes of a body that succeeded what is wanted, and none of one that
    /// has no value.
    pub fn read_found<T>(
        &self,
        path: &str,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<Reply<T>>, Failure> {
        let response = self.answer(path)?;
        if (200..300).contains(&response.status)
            && let Some(value) = read(&response.body)
        {
            return Ok(Some(reply(value, &response)));
        }
        match meaning(&response) {
            Meaning::Value(_) => Err(self.trouble(Meaning::Unreadable, path)),
            other => self.nothing(other, path),
        }
    }

    fn answer(&self, path: &str) -> Result<Response, Failure> {
        let request = self.request("GET", path);
        self.exchange(&request).map_err(|e| io_failure(&e, path))
    }

    /// What an answer without a value means for a read.
    fn nothing<T>(&self, meaning: Meaning, path: &str) -> Result<Option<T>, Failure> {
        match meaning {
            Meaning::Missing(_) => Ok(None),
            Meaning::Refused(status, list) => Err(Failure::Rejected(refusal(status, &list))),
            Meaning::Fault(list) => Err(Failure::Rejected(refusal(500, &list))),
            other => Err(self.trouble(other, path)),
        }
    }

    /// Creates a record, as that effect.
    pub fn create(
        &self,
        path: &str,
        body: &impl Serialize,
        effect: &Effect,
    ) -> Result<Sent, Failure> {
        let request = self.request("POST", path).json(body).effect(effect.clone());
        match self.exchange(&request) {
            Ok(response) => self.sent(&response, path, effect),
            Err(error) => not_sent(&error, path),
        }
    }

    /// As [`Api::create`], and whether the answer is an old one that was kept.
    pub fn create_anew(
        &self,
        path: &str,
        body: &impl Serialize,
        effect: &Effect,
    ) -> Result<(Sent, bool), Failure> {
        let request = self.request("POST", path).json(body).effect(effect.clone());
        match self.exchange(&request) {
            Ok(response) => Ok((self.sent(&response, path, effect)?, response.replayed)),
            Err(error) => Ok((not_sent(&error, path)?, false)),
        }
    }

    /// Changes a record, as that effect: `Created` and `Unread` are both done.
    pub fn change(
        &self,
        method: &str,
        path: &str,
        body: &impl Serialize,
        effect: &Effect,
    ) -> Result<Sent, Failure> {
        let request = self.request(method, path).json(body).effect(effect.clone());
        match self.exchange(&request) {
            Ok(response) => self.sent(&response, path, effect),
            Err(error) => not_sent(&error, path),
        }
    }

    /// Removes a record, as that effect; one that is not there is gone.
    pub fn delete(&self, path: &str, effect: &Effect) -> Result<Deleted, Failure> {
        let request = self.request("DELETE", path).effect(effect.clone());
        let response = match self.exchange(&request) {
            Ok(response) => response,
            Err(error) => {
                return match not_sent(&error, path)? {
                    Sent::Practice => Ok(Deleted::Practice),
                    Sent::Lost(failure) => Err(failure),
                    _ => Ok(Deleted::Doubt),
                };
            }
        };
        // An answer of nothing at all is one too.
        if (200..300).contains(&response.status) {
            return Ok(Deleted::Gone);
        }
        match self.sent(&response, path, effect)? {
            Sent::Refused(404, _) => Ok(Deleted::Gone),
            Sent::Refused(status, list) => Err(Failure::Rejected(refusal(status, &list))),
            Sent::Lost(failure) => Err(failure),
            _ => Ok(Deleted::Doubt),
        }
    }

    /// As [`Api::create`] for an address that not every account has: there, it answers none.
    pub fn create_if_offered(
        &self,
        path: &str,
        body: &impl Serialize,
        effect: &Effect,
    ) -> Result<Option<Sent>, Failure> {
        let request = self.request("POST", path).json(body).effect(effect.clone());
        let response = match self.exchange(&request) {
            Ok(response) => response,
            Err(error) => return not_sent(&error, path).map(Some),
        };
        // An edge in front answers 403 to a flood, without the vendor's JSON: that passes.
        let told = serde_json::from_slice::<Value>(&response.body).is_ok();
        match response.status {
            404 | 405 => Ok(None),
            403 if told => Ok(None),
            _ => self.sent(&response, path, effect).map(Some),
        }
    }

    fn sent(&self, response: &Response, path: &str, effect: &Effect) -> Result<Sent, Failure> {
        match meaning(response) {
            Meaning::Value(value) => Ok(match ids::whole(&value) {
                Some(id) if id > 0 => Sent::Created(id),
                _ => Sent::Unread(value),
            }),
            Meaning::Unreadable => Ok(Sent::Unread(Value::Null)),
            Meaning::Refused(status, list) => Ok(Sent::Refused(status, list)),
            Meaning::Missing(list) => Ok(Sent::Refused(404, list)),
            Meaning::Fault(list) => {
                // A 5xx leaves the step in doubt, but this one says that the caller is to blame and nothing was done.
                self.host.retract(&effect.step, &effect.members);
                Ok(Sent::Refused(500, list))
            }
            Meaning::Throttled(secs) => {
                self.host.retract(&effect.step, &effect.members);
                Err(self.trouble(Meaning::Throttled(secs), path))
            }
            broken @ Meaning::Broken(_) => Ok(Sent::Lost(self.trouble(broken, path))),
            other => Err(self.trouble(other, path)),
        }
    }

    fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method, format!("{}{path}", self.base)).credential(&self.slot)
    }

    fn exchange(&self, request: &Request) -> Result<Response, IoError> {
        let response = self.host.send(request)?;
        // A replayed answer is old: its quota and its clock are not those of now.
        if !response.replayed {
            self.note_quota(&response.headers);
            self.note_instance(response.status, &response.headers);
        }
        Ok(response)
    }

    fn note_quota(&self, headers: &[(String, String)]) {
        let Some(remaining) = envelope::number(headers, "brightpearl-requests-remaining") else {
            return;
        };
        let resets = envelope::number(headers, "brightpearl-next-throttle-period");
        let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        self.host
            .quota(narrow(remaining), narrow(resets.unwrap_or(60_000)));
    }

    /// An answer of the gateway (401, an outage) tells no instance; only a good one without it says that there is none.
    fn note_instance(&self, status: u16, headers: &[(String, String)]) {
        let told = envelope::number(headers, "brightpearl-installed-integration-instance-id")
            .and_then(|id| i64::try_from(id).ok())
            .filter(|id| *id > 0);
        match told {
            Some(id) if !self.chosen && self.known.get() != Some(id) => {
                self.known.set(Some(id));
                self.host.kv_set(INSTANCE, id.to_string().as_bytes());
            }
            None if !self.asked.get() && (200..300).contains(&status) => {
                self.host.kv_set(INSTANCE, b"");
            }
            None if !self.asked.get() => return,
            _ => {}
        }
        self.asked.set(true);
    }

    /// What an answer without value or refusal means for the agent.
    fn trouble(&self, meaning: Meaning, path: &str) -> Failure {
        let failure = match meaning {
            Meaning::Throttled(secs) => Failure::Retry(Some(secs)),
            Meaning::Unauthorized(words) => return self.unauthorized(&words),
            Meaning::Broken(words) => {
                self.log_broken(path, &words);
                return Failure::Retry(None);
            }
            _ => {
                self.log_broken(path, "The answer is no JSON of Brightpearl's.");
                return Failure::Retry(None);
            }
        };
        *self.closed.borrow_mut() = Some(failure.clone());
        failure
    }

    /// The credentials do not hold: no further call is made.
    pub fn unauthorized(&self, words: &str) -> Failure {
        let failure = Failure::Unauthorized(Problem::new(
            "unauthorized",
            format!("Brightpearl refused App reference or Token (401): {words}"),
            "Enter both again as the app's page in Brightpearl shows them, and check that the app is switched on there. An approved connection is approved again.",
        ));
        *self.closed.borrow_mut() = Some(failure.clone());
        failure
    }

    fn log_broken(&self, path: &str, words: &str) {
        let fields = [("path", path_of(path)), ("answer", words)];
        self.host
            .log(Level::Warn, "Brightpearl did not answer.", &fields);
    }
}

fn meaning(response: &Response) -> Meaning {
    envelope::meaning(response.status, &response.headers, &response.body)
}

fn reply<T>(value: T, response: &Response) -> Reply<T> {
    Reply {
        value,
        date_ms: envelope::date_ms(&response.headers),
        remaining: envelope::number(&response.headers, "brightpearl-requests-remaining"),
    }
}

/// A write without an answer.
fn not_sent(error: &IoError, path: &str) -> Result<Sent, Failure> {
    match error {
        IoError::InDoubt(age_ms) => Ok(Sent::Doubt(*age_ms)),
        IoError::Denied(Denial::Practice) => Ok(Sent::Practice),
        // It was answered, so it was done or refused; which of them has to be looked up.
        IoError::TooLarge(_) => Ok(Sent::Unread(Value::Null)),
        IoError::TimedOut => Ok(Sent::Lost(Failure::Retry(None))),
        error => Err(io_failure(error, path)),
    }
}

/// Without the query, which may name a customer.
fn path_of(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

fn io_failure(error: &IoError, path: &str) -> Failure {
    match error {
        IoError::Denied(Denial::NotGranted(what)) => Failure::rejected(
            "not-granted",
            format!("This connector may not reach {what}."),
            "Grant it on the Connectors page, or correct the API address of this connection.",
        ),
        IoError::Denied(_) => Failure::rejected(
            "call-not-allowed",
            format!("The call to {} is not allowed here.", path_of(path)),
            "This is a fault of the connector: report it to its author.",
        ),
        IoError::TooLarge(bytes) => Failure::rejected(
            "answer-too-large",
            format!("Brightpearl answered with more than {bytes} bytes."),
            "This is a fault of the connector: report it to its author.",
        ),
        // Nothing was sent, or it was a read.
        IoError::TimedOut | IoError::Refused(_) | IoError::InDoubt(_) => Failure::Retry(None),
    }
}

/// A refusal as a problem: the vendor's code and words, and the setting it seems to be about.
pub fn refusal(status: u16, list: &[Complaint]) -> Problem {
    let code = list.iter().map(|c| c.code.as_str()).find(|c| !c.is_empty());
    let code = code.map_or_else(|| format!("refused-{status}"), str::to_ascii_lowercase);
    let words = envelope::say(list);
    let words = if words.is_empty() {
        format!("status {status} without a reason")
    } else {
        words
    };
    Problem {
        code,
        message: format!("Brightpearl refused this: {words}."),
        hint: Some(hint(&words)),
    }
}

const STATUS: &str = "Check Status of new sales for Brightpearl (Connections, Set up), then retry.";

/// Words of refusals (without blanks, in lower case) and where to look.
const HINTS: [(&str, &str); 14] = [
    (
        "taxcode",
        "Check Tax code and Tax code of charges for Brightpearl (Connections, Set up), then retry.",
    ),
    ("orderstatus", STATUS),
    ("statusid", STATUS),
    (
        "channel",
        "Check Channel for Brightpearl (Connections, Set up), then retry.",
    ),
    (
        "warehouse",
        "Check Warehouse for Brightpearl (Connections, Set up) and Matching, Warehouses, then retry.",
    ),
    (
        "pricelist",
        "Check Price list for Brightpearl (Connections, Set up), then retry.",
    ),
    (
        "shippingmethod",
        "Check Shipping method for Brightpearl (Connections, Set up) and Matching, Shipping methods, then retry.",
    ),
    (
        "nominal",
        "Check the nominal codes for Brightpearl (Connections, Set up), then retry.",
    ),
    (
        "currency",
        "Check Currency for Brightpearl (Connections, Set up), and that the account has that currency, then retry.",
    ),
    (
        "leadsource",
        "Check Lead source for Brightpearl (Connections, Set up), then retry.",
    ),
    (
        "project",
        "Check Project for Brightpearl (Connections, Set up), then retry.",
    ),
    (
        "product",
        "Check in Matching, items, which product this line stands for, then retry.",
    ),
    (
        "customer",
        "Check in Matching, customers, which contact this retailer stands for, then retry.",
    ),
    (
        "contact",
        "Check in Matching, customers, which contact this retailer stands for, then retry.",
    ),
];

fn hint(words: &str) -> String {
    subject(words)
        .unwrap_or("Correct what Brightpearl names, then retry.")
        .to_owned()
}

/// Where to look for what a refusal is about; `None` where its words name nothing that is known.
pub fn subject(words: &str) -> Option<&'static str> {
    let plain: String = words
        .to_ascii_lowercase()
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    let mut hints = HINTS.iter();
    let (_, hint) = hints.find(|(word, _)| plain.contains(word))?;
    Some(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_setting_it_is_about() {
        let of = |message: &str| {
            let complaint = Complaint {
                code: "ORDC-041".to_owned(),
                message: message.to_owned(),
            };
            refusal(400, &[complaint])
        };
        let tax = of("The tax code 'X' is not known");
        assert_eq!(tax.code, "ordc-041");
        assert_eq!(
            tax.message,
            "Brightpearl refused this: The tax code 'X' is not known (ORDC-041)."
        );
        assert!(tax.hint.unwrap().contains("Check Tax code and"));
        assert!(
            of("Invalid statusId: 9")
                .hint
                .unwrap()
                .contains("Status of new sales")
        );
        assert!(
            of("Something new")
                .hint
                .unwrap()
                .starts_with("Correct what")
        );
        assert_eq!(refusal(409, &[]).code, "refused-409");
    }
}
