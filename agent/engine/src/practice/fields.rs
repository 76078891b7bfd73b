//! What a recorded request would write, field by field, beside what the same call read of it before. Knows no vendor: names
//! are those of the request, spelled for people.

use super::view::WouldField;
use serde_json::Value;
use waybill_model::contract::Exchange;

/// Fields that are shown of one request.
const MOST: usize = 300;

/// The request that was recorded instead of sent: the last step that nobody answered.
pub(super) fn recorded(exchanges: &[Exchange]) -> Option<&Exchange> {
    let mut late = exchanges.iter().rev();
    late.find(|e| e.step.is_some() && e.status == 0 && !e.replayed)
}

/// Its fields. None where its body is no JSON, or was too long to be kept whole.
pub(super) fn of(exchanges: &[Exchange], recorded: &Exchange) -> Vec<WouldField> {
    let Ok(body) = serde_json::from_str::<Value>(&recorded.request) else {
        return Vec::new();
    };
    let read = read_before(exchanges, recorded);
    let mut leaves = Vec::new();
    walk(alone(&body), &mut Vec::new(), &mut leaves);
    leaves.truncate(MOST);
    let field = |(path, would): (Vec<String>, String)| WouldField {
        now: path.last().and_then(|key| one(&read, key)),
        name: spelled(&path),
        would,
    };
    leaves.into_iter().map(field).collect()
}

/// A list of one is that one.
fn alone(value: &Value) -> &Value {
    match value {
        Value::Array(all) => match all.as_slice() {
            [one] => alone(one),
            _ => value,
        },
        _ => value,
    }
}

/// What the call read at the address it would write to, or above it.
fn read_before(exchanges: &[Exchange], recorded: &Exchange) -> Vec<(Vec<String>, String)> {
    let path = |url: &str| url.split('?').next().unwrap_or_default().to_owned();
    let place = path(&recorded.url);
    let mut leaves = Vec::new();
    let mut same = exchanges.iter().filter(|e| {
        let read = path(&e.url);
        let above = place.strip_prefix(&read);
        e.method == "GET" && above.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if let Some(answer) = same.next_back()
        && let Ok(body) = serde_json::from_str::<Value>(&answer.answer)
    {
        walk(alone(&body), &mut Vec::new(), &mut leaves);
    }
    leaves
}

/// The value of a key that what was read has once.
fn one(read: &[(Vec<String>, String)], key: &str) -> Option<String> {
    let mut same = read
        .iter()
        .filter(|(path, _)| path.last().is_some_and(|k| k == key));
    let first = same.next()?;
    same.next().is_none().then(|| first.1.clone())
}

fn walk(value: &Value, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, String)>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                path.push(key.clone());
                walk(value, path, leaves);
                path.pop();
            }
        }
        Value::Array(all) => {
            for (n, value) in all.iter().enumerate() {
                path.push((n + 1).to_string());
                walk(value, path, leaves);
                path.pop();
            }
        }
        Value::Null => {}
        Value::String(text) => leaves.push((path.clone(), text.clone())),
        other => leaves.push((path.clone(), other.to_string())),
    }
}

/// "Delivery, address line 1" of `delivery.addressLine1`.
fn spelled(path: &[String]) -> String {
    let mut out = String::new();
    for part in path {
        let number = part.bytes().all(|b| b.is_ascii_digit());
        if !out.is_empty() {
            out.push_str(if number { " " } else { ", " });
        }
        out.push_str(&words(part));
    }
    let mut letters = out.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

fn words(key: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    for letter in key.chars() {
        let begins = letter.is_ascii_uppercase() && before.is_ascii_lowercase()
            || letter.is_ascii_digit() && before.is_ascii_alphabetic();
        if begins {
            out.push(' ');
        }
        before = letter;
        match letter {
            '_' | '-' => out.push(' '),
            letter => out.push(letter.to_ascii_lowercase()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(method: &str, url: &str, request: &str, answer: &str) -> Exchange {
        Exchange {
            at: 0,
            took_ms: 0,
            method: method.to_owned(),
            url: url.to_owned(),
            status: if method == "GET" { 200 } else { 0 },
            step: (method != "GET").then(|| "step".to_owned()),
            replayed: false,
            request: request.to_owned(),
            answer: answer.to_owned(),
        }
    }

    fn fields(exchanges: &[Exchange]) -> Vec<(String, Option<String>, String)> {
        let found = of(exchanges, recorded(exchanges).expect("one was recorded"));
        found
            .into_iter()
            .map(|f| (f.name, f.now, f.would))
            .collect()
    }

    #[test]
    fn a_request_is_told_field_by_field() {
        let body = r#"[{"poNumber":"PO-1","lines":[{"quantity":2},{"quantity":1}],"shipTo":{"addressLine1":"1 High St","phone":null}}]"#;
        let found = fields(&[exchange("POST", "https://a/x", body, "")]);
        let told: Vec<_> = found
            .iter()
            .map(|(n, _, w)| (n.as_str(), w.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("Lines 1, quantity", "2"),
                ("Lines 2, quantity", "1"),
                ("Po number", "PO-1"),
                ("Ship to, address line 1", "1 High St"),
            ]
        );
    }

    #[test]
    fn what_was_read_before_stands_beside_it() {
        let read = exchange(
            "GET",
            "https://a/order/7?x=1",
            "",
            r#"{"response":[{"orderStatusId":1,"rows":[{"id":1},{"id":2}]}]}"#,
        );
        let other = exchange("GET", "https://a/contact/7", "", r#"{"orderStatusId":9}"#);
        let write = exchange(
            "PUT",
            "https://a/order/7/status",
            r#"{"orderStatusId":5,"id":3}"#,
            "",
        );
        let found = fields(&[read, other, write]);
        assert_eq!(
            found[1],
            (
                "Order status id".to_owned(),
                Some("1".to_owned()),
                "5".to_owned()
            )
        );
        assert_eq!(found[0].1, None, "two of that name were read");
    }

    #[test]
    fn what_is_no_json_has_no_fields() {
        let cut = exchange("POST", "https://a/x", r#"{"a":"#, "");
        assert!(fields(&[cut]).is_empty());
        assert!(recorded(&[exchange("GET", "https://a/x", "", "")]).is_none());
    }
}
