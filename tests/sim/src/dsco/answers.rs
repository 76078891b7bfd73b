//! Owns the envelopes of answers. Must not know what was asked.

use serde_json::{Value, json};

use super::dates;
use crate::vendor::Resp;

/// One message of a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) severity: &'static str,
    pub(crate) description: String,
}

impl Message {
    pub(crate) fn error(description: impl Into<String>) -> Self {
        Self {
            severity: "error",
            description: description.into(),
        }
    }

    pub(crate) fn warn(description: impl Into<String>) -> Self {
        Self {
            severity: "warn",
            description: description.into(),
        }
    }

    /// The wire shape; messy accounts give the description as an array.
    pub(crate) fn value(&self, messy: bool) -> Value {
        let description = if messy {
            json!([self.description])
        } else {
            json!(self.description)
        };
        json!({"code": "VALIDATION_FAILED", "severity": self.severity, "description": description})
    }
}

/// What became of one object: warnings when it worked, errors when not.
pub(crate) type Verdict = Result<Vec<Message>, Vec<Message>>;

/// A verdict with one error.
pub(crate) fn refuse(description: impl Into<String>) -> Verdict {
    Err(vec![Message::error(description)])
}

/// 202 of an asynchronous call, or 200 of a synchronous one.
pub(crate) fn update(status: u16, word: &str, request_id: &str, now: i64) -> Resp {
    let body = json!({"status": word, "requestId": request_id, "eventDate": dates::iso(now)});
    Resp::json(status, &body)
}

/// 400 with messages.
pub(crate) fn invalid(messages: &[Message], request_id: &str, now: i64, messy: bool) -> Resp {
    let messages: Vec<Value> = messages.iter().map(|m| m.value(messy)).collect();
    let body = json!({"status": "failure", "requestId": request_id,
        "eventDate": dates::iso(now), "messages": messages});
    Resp::json(400, &body)
}

/// An error with a plain message, as gateways give it.
pub(crate) fn plain(status: u16, message: &str) -> Resp {
    Resp::json(status, &json!({"message": message}))
}

/// What the gateway says to a path it does not know.
pub(crate) fn no_route() -> Resp {
    plain(
        403,
        "Invalid key=value pair (missing equal-sign) in Authorization header: 'bearer ...'.",
    )
}
