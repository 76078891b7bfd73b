//! Owns Brightpearl's id sets and the few ways it writes a number or a time. Must not know what the ids name.

use serde_json::Value;
use std::fmt::Write as _;

/// The set as Brightpearl likes it: ascending, each once, neighbours as ranges, joined by commas.
pub fn id_set(ids: &[i64]) -> String {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let mut out = String::new();
    let mut at = 0;
    while at < ids.len() {
        let first = ids[at];
        let mut last = first;
        while ids.get(at + 1) == Some(&(last + 1)) {
            at += 1;
            last = ids[at];
        }
        at += 1;
        let comma = if out.is_empty() { "" } else { "," };
        let written = if first == last {
            write!(out, "{comma}{first}")
        } else {
            write!(out, "{comma}{first}-{last}")
        };
        debug_assert!(written.is_ok(), "writing to a string");
    }
    out
}

/// A whole number written as a number or as a text.
pub fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => n.as_i64(),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    }
}

/// A text, a number or a flag as people would write it; `None` for null, blank, lists and objects.
pub fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(s) => s.trim().to_owned(),
        Value::Number(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// A time with any offset, in UTC milliseconds.
pub fn instant(value: &Value) -> Option<i64> {
    let time: jiff::Timestamp = value.as_str()?.trim().parse().ok()?;
    Some(time.as_millisecond())
}

/// A time as Brightpearl takes it: UTC, milliseconds, `Z`. `None` outside the calendar.
pub fn stamp(ms: i64) -> Option<String> {
    let time = jiff::Timestamp::from_millisecond(ms).ok()?;
    Some(format!("{time:.3}"))
}

/// Encodes one value of a query.
pub fn encode(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, UNRESERVED).to_string()
}

/// All but letters, digits and the four marks that never mean anything in a URL.
const UNRESERVED: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sets_are_sorted_compact_and_exact() {
        assert_eq!(
            id_set(&[1008, 1001, 1003, 1002, 1001, 1010]),
            "1001-1003,1008,1010"
        );
        assert_eq!(id_set(&[7]), "7");
        assert_eq!(id_set(&[]), "");
    }

    #[test]
    fn numbers_come_in_both_dresses() {
        assert_eq!(whole(&json!(34)), Some(34));
        assert_eq!(whole(&json!("34")), Some(34));
        assert_eq!(whole(&json!(3.5)), None);
        assert_eq!(text(&json!("  ")), None);
        assert_eq!(text(&json!(12)), Some("12".to_owned()));
    }

    #[test]
    fn times_are_read_with_their_offset_and_written_in_utc() {
        let ms = instant(&json!("2025-11-03T08:05:10.000-06:00")).unwrap();
        assert_eq!(ms, 1_762_178_710_000);
        assert_eq!(stamp(ms).as_deref(), Some("2025-11-03T14:05:10.000Z"));
        assert_eq!(instant(&json!("2025-11-03")), None);
    }

    #[test]
    fn queries_are_encoded() {
        assert_eq!(encode("wb-a b+c/d&e"), "wb-a%20b%2Bc%2Fd%26e");
    }
}
