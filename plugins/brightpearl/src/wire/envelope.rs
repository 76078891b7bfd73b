//! Owns what every answer of Brightpearl has in common: what its status and body mean, and the words in it.
//! Must not know what was asked. The status decides before the body: the gateway puts its refusals under `response` too.

use serde_json::Value;

/// One header's value, whatever the case of its name.
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, v)| v.trim())
}

/// A header that holds a whole number.
pub fn number(headers: &[(String, String)], name: &str) -> Option<u64> {
    header(headers, name)?.parse().ok()
}

/// The vendor's clock in UTC milliseconds, from `Date`.
pub fn date_ms(headers: &[(String, String)]) -> Option<i64> {
    let text = header(headers, "date")?;
    let time = jiff::fmt::rfc2822::DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_timestamp(text)
        .ok()?;
    Some(time.as_millisecond())
}

/// One entry of `errors`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Complaint {
    /// For example `ORDC-005`; empty where there is none.
    pub code: String,
    /// The vendor's words, readable.
    pub message: String,
}

/// What an answer means for whoever asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// The value under `response`; null where the body has none (`{}`).
    Value(Value),
    /// A 2xx whose body is cut short or no JSON of the vendor's: it was done, but not said what.
    Unreadable,
    /// 404: nothing of that kind is there.
    Missing(Vec<Complaint>),
    /// A 4xx: refused, and it will be refused again.
    Refused(u16, Vec<Complaint>),
    /// 500 with a code that says why: refused, nothing was done, and it will be refused again.
    Fault(Vec<Complaint>),
    /// Too many calls: not executed. Seconds until the window starts anew.
    Throttled(u32),
    /// 401: the credential does not hold.
    Unauthorized(String),
    /// An outage or a broken answer; whether something was done is unknown.
    Broken(String),
}

/// Reads an answer.
pub fn meaning(status: u16, headers: &[(String, String)], body: &[u8]) -> Meaning {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let json = json.filter(Value::is_object);
    match status {
        200..=299 => match json {
            // Errors without a value are no success, whatever the status says. With one, part of a set was found.
            Some(Value::Object(mut top))
                if top.contains_key("response") || !top.contains_key("errors") =>
            {
                Meaning::Value(top.remove("response").unwrap_or_default())
            }
            _ => Meaning::Unreadable,
        },
        401 => Meaning::Unauthorized(words(json.as_ref())),
        429 => Meaning::Throttled(wait_secs(headers)),
        503 if says_throttled(json.as_ref()) => Meaning::Throttled(wait_secs(headers)),
        408 => Meaning::Broken("The answer was 408, timed out.".to_owned()),
        404 => match json {
            Some(json) => Meaning::Missing(complaints(&json)),
            None => Meaning::Broken("The answer was 404 without the vendor's JSON.".to_owned()),
        },
        400..=499 => match json {
            Some(json) => Meaning::Refused(status, complaints(&json)),
            // The edge in front of the API answers HTML, for example 403 to a flood: that passes.
            None => Meaning::Broken(format!(
                "The answer was {status} without the vendor's JSON."
            )),
        },
        500 => match json.as_ref().map(complaints) {
            Some(list) if !list.is_empty() && list.iter().all(is_final) => Meaning::Fault(list),
            _ => Meaning::Broken(format!("The answer was 500. {}", words(json.as_ref()))),
        },
        _ => Meaning::Broken(format!("The answer was {status}. {}", words(json.as_ref()))),
    }
}

/// `CMNC-018`: three letters of an area, then `C` for the caller's fault or `B` for a conflict. `U` is unexpected.
fn is_final(complaint: &Complaint) -> bool {
    complaint
        .code
        .split_once('-')
        .is_some_and(|(letters, _)| letters.len() == 4 && letters.ends_with(['C', 'B']))
}

fn says_throttled(json: Option<&Value>) -> bool {
    words(json)
        .to_ascii_lowercase()
        .contains("too many requests")
}

/// Milliseconds until the next window, rounded up to whole seconds; a minute where the header is missing.
fn wait_secs(headers: &[(String, String)]) -> u32 {
    let ms = number(headers, "brightpearl-next-throttle-period").unwrap_or(60_000);
    u32::try_from(ms.div_ceil(1000)).unwrap_or(60).clamp(1, 600)
}

fn complaints(json: &Value) -> Vec<Complaint> {
    let text = |v: &Value, name: &str| {
        let found = v.get(name).and_then(Value::as_str).unwrap_or_default();
        unescape(found)
    };
    if let Some(list) = json.get("errors").and_then(Value::as_array) {
        return list
            .iter()
            .map(|e| Complaint {
                code: text(e, "code"),
                message: text(e, "message"),
            })
            .collect();
    }
    let gateway = text(json, "response");
    if gateway.is_empty() {
        return Vec::new();
    }
    vec![Complaint {
        code: String::new(),
        message: gateway,
    }]
}

fn words(json: Option<&Value>) -> String {
    json.map(|j| say(&complaints(j))).unwrap_or_default()
}

/// The complaints in one sentence, each with its code.
pub fn say(list: &[Complaint]) -> String {
    let each = list.iter().map(|c| match c.code.as_str() {
        "" => c.message.clone(),
        code => format!("{} ({code})", c.message),
    });
    each.collect::<Vec<_>>().join("; ")
}

/// Brightpearl escapes its texts for HTML; people read `&`, not `&amp;`. One pass, so that nothing is decoded twice.
pub fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = rest[1..]
            .find(';')
            .filter(|end| *end <= 8)
            .and_then(|end| Some((entity(&rest[1..=end])?, end + 2)));
        if let Some((letter, length)) = known {
            out.push(letter);
            rest = &rest[length..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(ms: &str) -> Vec<(String, String)> {
        vec![("brightpearl-next-throttle-period".to_owned(), ms.to_owned())]
    }

    #[test]
    fn the_status_decides_before_the_body() {
        let shape_b =
            br#"{"response":"Not authenticated. You must provide a valid authentication token."}"#;
        let Meaning::Unauthorized(words) = meaning(401, &[], shape_b) else {
            panic!("401 is no data");
        };
        assert!(words.starts_with("Not authenticated"));
        assert_eq!(
            meaning(200, &[], br#"{"response":100245}"#),
            Meaning::Value(100_245.into())
        );
        assert_eq!(meaning(200, &[], b"{}"), Meaning::Value(Value::Null));
        assert_eq!(
            meaning(200, &[], br#"{"response":1002"#),
            Meaning::Unreadable
        );
        assert_eq!(meaning(200, &[], b"<html></html>"), Meaning::Unreadable);
        // Part of a set was found: what was found counts.
        let some = br#"{"response":[{"id":1}],"errors":[{"code":"ORDC-001","message":"2"}]}"#;
        assert!(matches!(meaning(207, &[], some), Meaning::Value(v) if v.is_array()));
        let none = br#"{"errors":[{"code":"ORDC-001","message":"2"}]}"#;
        assert_eq!(meaning(207, &[], none), Meaning::Unreadable);
    }

    #[test]
    fn a_throttle_is_told_from_an_outage() {
        let throttle = br#"{"response":"You have sent too many requests. Please wait before sending another request"}"#;
        assert_eq!(
            meaning(503, &heads("41250"), throttle),
            Meaning::Throttled(42)
        );
        assert_eq!(meaning(503, &[], throttle), Meaning::Throttled(60));
        assert!(matches!(
            meaning(503, &heads("41250"), b"down"),
            Meaning::Broken(_)
        ));
        assert_eq!(meaning(429, &heads("0"), b""), Meaning::Throttled(1));
    }

    #[test]
    fn five_hundred_is_final_only_with_a_callers_code() {
        let c = br#"{"errors":[{"code":"CMNC-018","message":"The filter orderStatusId\u003dBAD cannot be parsed as: INTEGER"}]}"#;
        let Meaning::Fault(list) = meaning(500, &[], c) else {
            panic!("a caller's fault is final");
        };
        assert_eq!(
            say(&list),
            "The filter orderStatusId=BAD cannot be parsed as: INTEGER (CMNC-018)"
        );
        let b = br#"{"errors":[{"code":"ORDB-007","message":"The order has goods-out notes"}]}"#;
        assert!(matches!(meaning(500, &[], b), Meaning::Fault(_)));
        let u = br#"{"errors":[{"code":"CMNU-003","message":"Internal"}]}"#;
        assert!(matches!(meaning(500, &[], u), Meaning::Broken(_)));
        assert!(matches!(meaning(500, &[], b"<html>"), Meaning::Broken(_)));
        assert!(matches!(meaning(502, &[], b"<html>"), Meaning::Broken(_)));
    }

    #[test]
    fn refusals_keep_the_vendors_words() {
        let body = br#"{"errors":[{"code":"ORDC-101","message":"Tax code &#39;X&#39; &amp;amp; more"},{"code":"","message":"b"}]}"#;
        let Meaning::Refused(400, list) = meaning(400, &[], body) else {
            panic!("400 is a refusal");
        };
        assert_eq!(say(&list), "Tax code 'X' &amp; more (ORDC-101); b");
        assert!(matches!(
            meaning(403, &[], b"<html>blocked</html>"),
            Meaning::Broken(_)
        ));
        let none = br#"{"errors":[{"code":"CMNC-404","message":"No Contact Found"}]}"#;
        assert!(matches!(meaning(404, &[], none), Meaning::Missing(_)));
    }

    #[test]
    fn decodes_entities_once_and_leaves_the_rest() {
        assert_eq!(
            unescape("a &lt;b&gt; &#x27;c&#39; & d; &nosuch; &"),
            "a <b> 'c' & d; &nosuch; &"
        );
    }

    #[test]
    fn reads_the_vendors_clock() {
        let heads = [(
            "Date".to_owned(),
            "Mon, 03 Nov 2025 14:05:10 GMT".to_owned(),
        )];
        assert_eq!(date_ms(&heads), Some(1_762_178_710_000));
    }
}
