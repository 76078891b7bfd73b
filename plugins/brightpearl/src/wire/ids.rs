//! Owns Brightpearl's id sets and the few ways it writes a number or a time. Must not know what the ids name.

use serde_json::Value;
use std::fmt::Write as _;
use waybill_sdk::commerce::Decimal;

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

/// Most bytes of one id set: with the rest of the address it stays under the 4 kB that every proxy takes.
const SET_BYTES: usize = 3_600;

/// The ids in as few sets as there can be: at most `most` ids each, and none too long for an address.
pub fn id_sets(ids: &[i64], most: usize) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let mut sets = Vec::new();
    let mut rest = ids.as_slice();
    while !rest.is_empty() {
        let mut count = rest.len().min(most.max(1));
        let mut set = id_set(&rest[..count]);
        while set.len() > SET_BYTES && count > 1 {
            // In proportion, so that a few steps are enough.
            count = (count * SET_BYTES / set.len()).clamp(1, count - 1);
            set = id_set(&rest[..count]);
        }
        rest = &rest[count..];
        sets.push(set);
    }
    sets
}

/// The ids of a set as Brightpearl writes it: lists with `,` or `.`, ranges with `-`. `None` where it is no set, or
/// names more than `most`.
pub fn expand(set: &str, most: usize) -> Option<Vec<i64>> {
    let mut all = Vec::new();
    for part in set.split([',', '.']).map(str::trim) {
        if part.is_empty() {
            continue;
        }
        let number = |text: &str| text.trim().parse::<i64>().ok().filter(|id| *id > 0);
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        let count = usize::try_from(last.checked_sub(first)?)
            .ok()?
            .checked_add(1)?;
        if all.len().checked_add(count)? > most {
            return None;
        }
        all.extend(first..=last);
    }
    (!all.is_empty()).then_some(all)
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

/// A quantity written as a number or as a text.
pub fn decimal(value: &Value) -> Option<Decimal> {
    Decimal::parse(&text(value)?)
}

/// A truth value written as such or as a text.
pub fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.trim().to_ascii_lowercase().parse().ok(),
        _ => None,
    }
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
    fn sets_stay_short_enough_for_an_address() {
        let sparse: Vec<i64> = (0..1_000).map(|n| 7_000_001 + 2 * n).collect();
        let sets = id_sets(&sparse, 500);
        assert!(sets.iter().all(|set| set.len() <= SET_BYTES));
        let back: Vec<i64> = sets.iter().flat_map(|s| expand(s, 500).unwrap()).collect();
        assert_eq!(back, sparse);
        assert_eq!(sets.len(), 3);
        let dense: Vec<i64> = (1..=1_000).rev().collect();
        assert_eq!(id_sets(&dense, 500), ["1-500", "501-1000"]);
        assert!(id_sets(&[], 500).is_empty());
    }

    #[test]
    fn sets_are_expanded_but_not_without_end() {
        assert_eq!(expand("1-3, 99.202", 10), Some(vec![1, 2, 3, 99, 202]));
        assert_eq!(expand("1-9000000000000000000", 100), None);
        assert_eq!(expand("1-100,200", 100), None);
        for wrong in ["", "*", "7-5", "x", "0", "-4", "1-2-3"] {
            assert_eq!(expand(wrong, 100), None, "{wrong}");
        }
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
