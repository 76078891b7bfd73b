//! Owns the shape of a multi-message: up to ten writes in one envelope, and what became of each. Must not know what is
//! written.

use super::envelope::{self, Meaning};
use super::ids;
use serde::Serialize;
use serde_json::Value;

/// Most messages of one envelope; the least is two.
pub const MOST: usize = 10;

/// Several writes that count as one call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope<'a, T> {
    processing_mode: &'static str,
    on_fail: &'static str,
    messages: Vec<Message<'a, T>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a, T> {
    label: &'a str,
    uri: &'a str,
    http_method: &'static str,
    body: &'a T,
}

impl<'a, T> Envelope<'a, T> {
    /// POSTs to one address, each under its label; one that is refused does not stop the others.
    pub fn posts(uri: &'a str, bodies: impl Iterator<Item = (&'a str, &'a T)>) -> Self {
        let message = |(label, body)| Message {
            label,
            uri,
            http_method: "POST",
            body,
        };
        Self {
            processing_mode: "SEQUENTIAL",
            on_fail: "CONTINUE",
            messages: bodies.map(message).collect(),
        }
    }
}

/// What became of one message.
#[derive(Debug, Clone, PartialEq)]
pub enum Result {
    /// It was run, and answered so.
    Run(Meaning),
    /// The answer says that it was not run.
    NotRun,
    /// The answer does not name it.
    Unknown,
}

/// The value under `response` of a multi-message.
#[derive(Debug, Clone, Copy)]
pub struct Results<'a>(&'a Value);

impl<'a> Results<'a> {
    /// Reads it; `None` where it is another answer.
    pub fn of(response: &'a Value) -> Option<Self> {
        let listed = |name: &str| response.get(name).is_some_and(Value::is_array);
        (listed("processedMessages") || listed("unprocessedMessages")).then_some(Self(response))
    }

    /// What became of the message with that label.
    pub fn of_label(self, label: &str) -> Result {
        let mut run = self.list("processedMessages");
        if let Some(message) = run.find(|m| labelled(m, label)) {
            return Result::Run(read(message));
        }
        if self.list("unprocessedMessages").any(|m| labelled(m, label)) {
            return Result::NotRun;
        }
        Result::Unknown
    }

    fn list(self, name: &str) -> impl Iterator<Item = &'a Value> {
        let list = self.0.get(name).and_then(Value::as_array);
        list.into_iter().flatten()
    }
}

fn labelled(message: &Value, label: &str) -> bool {
    let own = match message {
        Value::Object(fields) => fields.get("label"),
        other => Some(other),
    };
    own.and_then(ids::text).as_deref() == Some(label)
}

/// The content is JSON in a text; a content that is an object is taken as it is.
fn read(message: &Value) -> Meaning {
    let status = message.get("statusCode").and_then(ids::whole);
    let Some(status) = status.and_then(|s| u16::try_from(s).ok()) else {
        return Meaning::Broken("A message was answered without a status.".to_owned());
    };
    let body = message.get("body").unwrap_or(&Value::Null);
    let bytes = match body.get("content").unwrap_or(body) {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Null => Vec::new(),
        other => other.to_string().into_bytes(),
    };
    envelope::meaning(status, &[], &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_envelope_names_its_messages() {
        let (one, two) = (json!({"a": 1}), json!({"a": 2}));
        let envelope = Envelope::posts("/x", [("l-1", &one), ("l-2", &two)].into_iter());
        assert_eq!(
            serde_json::to_value(&envelope).unwrap(),
            json!({"processingMode": "SEQUENTIAL", "onFail": "CONTINUE", "messages": [
                {"label": "l-1", "uri": "/x", "httpMethod": "POST", "body": {"a": 1}},
                {"label": "l-2", "uri": "/x", "httpMethod": "POST", "body": {"a": 2}}]})
        );
    }

    #[test]
    fn each_label_has_its_own_answer() {
        let answer = json!({"processedMessages": [
            {"label": "a", "statusCode": 200, "body": {"content": "{\"response\":100245}"}},
            {"label": "b", "statusCode": "400", "body": {"content": "{\"errors\":[{\"code\":\"ORDC-000\",\"message\":\"no\"}]}"}},
            {"label": "c", "statusCode": 200, "body": {"content": {"response": "7"}}},
            {"label": "d", "statusCode": 500, "body": {"content": "<html>"}},
            {"label": "e", "body": null}, {"label": "f", "statusCode": 200, "body": {"content": "{\"resp"}}],
            "unprocessedMessages": ["g", {"label": "h"}]});
        let results = Results::of(&answer).unwrap();
        let of = |label: &str| results.of_label(label);
        assert_eq!(of("a"), Result::Run(Meaning::Value(json!(100_245))));
        assert!(
            matches!(of("b"), Result::Run(Meaning::Refused(400, list)) if list[0].code == "ORDC-000")
        );
        assert_eq!(of("c"), Result::Run(Meaning::Value(json!("7"))));
        assert!(matches!(of("d"), Result::Run(Meaning::Broken(_))));
        assert!(matches!(of("e"), Result::Run(Meaning::Broken(_))));
        assert_eq!(of("f"), Result::Run(Meaning::Unreadable));
        assert_eq!((of("g"), of("h")), (Result::NotRun, Result::NotRun));
        assert_eq!(of("z"), Result::Unknown);
        assert!(Results::of(&json!(100_245)).is_none());
        assert!(Results::of(&json!({"processedMessages": null})).is_none());
    }
}
