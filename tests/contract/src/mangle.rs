//! Answers and documents as no friendly vendor gives them: broken bodies, and well-formed ones whose values are of the
//! wrong kind or size. Knows nobody's fields.

use serde_json::{Map, Number, Value, json};

/// A text with what texts should not hold: right-to-left marks, a nought, half a family, a letter of four bytes.
pub(crate) const ODD: &str =
    "\u{202e}a\u{0}\u{feff}é\u{301}\u{1d4b3}\u{1f468}\u{200d}\u{1f469}'\"<b>&;--{}%s%00\n\r";

/// How an answer is spoiled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mangle {
    /// Another answer altogether.
    Fixed(&'static str, u16, &'static [u8]),
    /// Thousands of open brackets.
    Deep,
    /// The body breaks off in the middle.
    Cut,
    /// Every value is changed.
    Values(&'static str, fn(&Value) -> Option<Value>),
    /// The request's headers come back, the secret among them.
    Echo,
}

impl Mangle {
    /// For people.
    pub(crate) const fn words(&self) -> &'static str {
        match self {
            Self::Fixed(words, ..) | Self::Values(words, _) => words,
            Self::Deep => "20,000 open brackets",
            Self::Cut => "a body that breaks off",
            Self::Echo => "the request's own headers",
        }
    }

    /// Everything answers are spoiled with.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![
            Self::Fixed("nothing", 200, b""),
            Self::Fixed("204", 204, b""),
            Self::Fixed("`null`", 200, b"null"),
            Self::Fixed("`true`", 200, b"true"),
            Self::Fixed("`0`", 200, b"0"),
            Self::Fixed("`\"\"`", 200, b"\"\""),
            Self::Fixed("`[]`", 200, b"[]"),
            Self::Fixed("`{}`", 200, b"{}"),
            Self::Fixed("`[[{}]]`", 200, b"[[{}],[[]],null,1]"),
            Self::Fixed(
                "an HTML page",
                200,
                b"<!DOCTYPE html><html><body>Please log in</body></html>",
            ),
            Self::Fixed(
                "a gateway's page",
                502,
                b"<html><body><h1>Bad Gateway</h1></body></html>",
            ),
            Self::Fixed("bytes that are no text", 200, b"\xff\xfe{\x80\"a\":\xc3}"),
            Self::Fixed(
                "half a pair of surrogates",
                200,
                br#"{"id":"\ud800","a":["\udfff"]}"#,
            ),
            Self::Fixed(
                "numbers beyond all types",
                200,
                br#"{"id":1e400,"total":99999999999999999999999999,"n":-0.0000000000000000000001}"#,
            ),
            Self::Fixed("a redirect without an address", 301, b""),
            Self::Fixed("an empty refusal", 400, b""),
            Self::Fixed(
                "a refusal with other words",
                422,
                br#"{"errors":[null,{"code":null,"message":{"a":[]}},"x",7]}"#,
            ),
            Self::Fixed("401", 401, b"{}"),
            Self::Fixed("404", 404, b"<html></html>"),
            Self::Fixed("409", 409, b"[]"),
            Self::Fixed("a throttle's 429", 429, b"slow down"),
            Self::Fixed("a throttle's 503", 503, br#"{"response":["x"]}"#),
            Self::Deep,
            Self::Cut,
            Self::Echo,
        ];
        all.extend(
            VALUES
                .iter()
                .map(|(words, change)| Self::Values(words, *change)),
        );
        all
    }
}

type Change = fn(&Value) -> Option<Value>;

/// `None` leaves a value to its parts.
const VALUES: &[(&str, Change)] = &[
    ("texts where numbers were", |v| {
        v.is_number().then(|| json!(v.to_string()))
    }),
    ("numbers where texts were", |v| {
        v.is_string().then(|| json!(7))
    }),
    ("lists where texts were", |v| {
        v.is_string().then(|| json!([v]))
    }),
    ("objects where texts were", |v| {
        v.is_string().then(|| json!({"value": v}))
    }),
    ("`null` for every value", |v| {
        is_leaf(v).then_some(Value::Null)
    }),
    ("empty texts", |v| v.is_string().then(|| json!(""))),
    ("odd texts", |v| v.is_string().then(|| json!(ODD))),
    ("texts of 5,000 letters", |v| {
        v.is_string().then(|| json!("é".repeat(5_000)))
    }),
    ("the largest numbers", |v| {
        v.is_number().then(|| json!(i64::MAX))
    }),
    ("the smallest numbers", |v| {
        v.is_number().then(|| json!(i64::MIN))
    }),
    ("numbers beyond 64 bits", |v| {
        v.is_number().then(|| json!(u64::MAX))
    }),
    ("fractions", |v| v.is_number().then(fraction)),
    ("noughts", |v| v.is_number().then(|| json!(0))),
    ("objects where lists were", |v| {
        v.is_array().then(|| json!({"0": v}))
    }),
    ("empty lists", |v| v.is_array().then(|| json!([]))),
    ("lists of nothing but `null`", |v| {
        v.is_array().then(|| json!([null, null]))
    }),
    ("lists in lists", |v| v.as_array().map(|all| json!([all]))),
    ("empty objects", |v| {
        v.as_object()
            .filter(|m| m.values().all(is_leaf))
            .map(|_| json!({}))
    }),
];

fn is_leaf(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

fn fraction() -> Value {
    Number::from_f64(-0.333_333_333_333_3).map_or(Value::Null, Value::Number)
}

/// Changes every part of a value that `change` has an answer for.
pub(crate) fn changed(value: &Value, change: Change) -> Value {
    if let Some(new) = change(value) {
        return new;
    }
    match value {
        Value::Array(all) => all.iter().map(|v| changed(v, change)).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, v)| (name.clone(), changed(v, change)))
                .collect::<Map<_, _>>(),
        ),
        leaf => leaf.clone(),
    }
}

/// A body with that change; a body that is no JSON stays as it is.
pub(crate) fn body(bytes: &[u8], change: Change) -> Vec<u8> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => changed(&value, change).to_string().into_bytes(),
        Err(_) => bytes.to_vec(),
    }
}

/// Thousands of open brackets.
pub(crate) fn deep() -> Vec<u8> {
    let mut body = b"{\"response\":".to_vec();
    body.extend(std::iter::repeat_n(b'[', 20_000));
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_reaches_every_depth_and_only_its_kind() {
        let real = json!({"id": 7, "lines": [{"sku": "A", "n": 1}], "more": false});
        let (_, texts) = VALUES[0];
        assert_eq!(
            changed(&real, texts),
            json!({"id": "7", "lines": [{"sku": "A", "n": "1"}], "more": false})
        );
        assert_eq!(body(b"<html>", texts), b"<html>");
    }
}
