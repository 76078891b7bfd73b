//! Owns the shapes of answers: `response`, `errors`, the gateway's bare text, HTML-escaped JSON and numbers that keep
//! their trailing zeros. It must not know any resource.

use std::fmt::Display;
use std::fmt::Write as _;

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};

/// An answer before it becomes bytes.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Reply {
    /// `{"response": ..}` with status 200.
    pub(super) fn ok(response: impl Into<Value>) -> Self {
        Self {
            status: 200,
            body: json!({ "response": response.into() }),
        }
    }

    /// `{}` with status 200: what PUT and DELETE answer.
    pub(super) fn done() -> Self {
        Self {
            status: 200,
            body: json!({}),
        }
    }

    /// The gateway's own shape: a bare text under `response`.
    pub(super) fn gateway(status: u16, text: &str) -> Self {
        Self {
            status,
            body: json!({ "response": text }),
        }
    }

    /// A list of which some requested items were not found: 207, else 200.
    pub(super) fn found(items: &[Value], asked: usize) -> Self {
        let status = if !items.is_empty() && items.len() < asked {
            207
        } else {
            200
        };
        Self {
            status,
            body: json!({ "response": items }),
        }
    }
}

/// A refusal in the `errors` shape. Code numbers that no source names are this sandbox's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) errors: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            errors: vec![(code, message.into())],
        }
    }

    /// A caller's mistake.
    pub(super) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// An empty collection or an unknown resource.
    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self::new(404, "CMNC-404", message)
    }

    /// A search filter that cannot be read: a permanent 500.
    pub(super) fn filter(name: &str, value: &str, kind: &str) -> Self {
        let text = format!("The filter {name}={value} cannot be parsed as: {kind}");
        Self::new(500, "CMNC-018", text)
    }

    /// A patch operation that the path does not take: a permanent 500.
    pub(super) fn patch(op: &str, path: &str) -> Self {
        let text = format!("The patch operation '{op}' is not allowed for path '{path}'");
        Self::new(500, "CMNC-044", text)
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let errors: Vec<Value> = refusal
            .errors
            .iter()
            .map(|(code, message)| json!({ "code": code, "message": message }))
            .collect();
        Self {
            status: refusal.status,
            body: json!({ "errors": errors }),
        }
    }
}

/// What a handler gives.
pub(super) type Answer = Result<Reply, Refusal>;

/// Marks a string that is written as a bare number.
const MARK: char = '\u{1}';

/// A JSON number with exactly these digits.
pub(super) fn number(digits: impl Display) -> Value {
    Value::String(format!("{MARK}{digits}"))
}

/// A decimal with this many places, rounded half away from zero.
pub(super) fn fixed(value: Decimal, places: u32) -> String {
    let mut rounded = value.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    rounded.rescale(places);
    rounded.to_string()
}

/// Reads a decimal given as string or number.
pub(super) fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => {
            let text = number.to_string();
            text.parse()
                .ok()
                .or_else(|| Decimal::from_scientific(&text).ok())
        }
        _ => None,
    }
}

/// Reads an id given as number or string of digits.
pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Writes JSON as the service does: `= < > & '` escaped, marked numbers bare.
pub(super) fn render(body: &Value) -> String {
    let plain = body.to_string();
    let mut out = String::with_capacity(plain.len() + plain.len() / 16);
    let mut rest = plain.as_str();
    let opening = "\"\\u0001";
    while let Some(at) = rest.find(['=', '<', '>', '&', '\'', '\\']) {
        let start = at.saturating_sub(1);
        if let Some(digits) = rest
            .get(start..)
            .and_then(|tail| tail.strip_prefix(opening))
            && let Some(end) = digits.find('"')
            && digits[..end].parse::<Decimal>().is_ok()
        {
            out.push_str(&rest[..start]);
            out.push_str(&digits[..end]);
            rest = &digits[end + 1..];
            continue;
        }
        out.push_str(&rest[..at]);
        let found = rest.as_bytes()[at];
        if found == b'\\' {
            // An escape of two characters stays as it is, so that its second one is not looked at.
            let len = 1 + rest[at + 1..].chars().next().map_or(0, char::len_utf8);
            out.push_str(&rest[at..at + len]);
            rest = &rest[at + len..];
        } else {
            write!(out, "\\u{found:04x}").expect("a string takes every write");
            rest = &rest[at + 1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;
    use serde_json::{Value, json};

    use super::{decimal, fixed, integer, number, render};

    #[test]
    fn text_is_html_escaped_and_still_the_same_json() {
        let body = json!({ "a": "x='<&>' \\ \" \u{e9}", "b=": "\\'" });
        let text = render(&body);
        assert!(!text.contains(['=', '<', '>', '&', '\'']), "{text}");
        assert!(text.contains("\\u003d") && text.contains("\\u0027") && text.contains("\\u0026"));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), body);
    }

    #[test]
    fn marked_numbers_keep_their_zeros() {
        let text = render(&json!({ "a": number("10.0000"), "b": [number("-0.5"), "1.0"] }));
        assert_eq!(text, r#"{"a":10.0000,"b":[-0.5,"1.0"]}"#);
        assert_eq!(render(&json!("\u{1}no number")), r#""\u0001no number""#);
    }

    #[test]
    fn inputs_are_strings_or_numbers() {
        assert_eq!(decimal(&json!("9.0909")), decimal(&json!(9.0909)));
        assert_eq!(decimal(&json!(true)), None);
        assert_eq!(integer(&json!("12")), Some(12));
        assert_eq!(integer(&json!(1.5)), None);
        assert_eq!(fixed(Decimal::new(12345, 4), 2), "1.23");
        assert_eq!(fixed(Decimal::new(5, 3), 2), "0.01");
        assert_eq!(fixed(Decimal::from(2), 4), "2.0000");
    }
}
