//! Takes secrets and personal data out of text that leaves the merchant's hands: what the agent itself knows to be one,
//! word by word and however it is separated, and what looks like one. Pure; knows no store. Better too much than too
//! little: a support person can ask.

use serde_json::Value;
use std::collections::BTreeMap;

/// What stands in the place of what was removed.
const GONE: &str = "***";
/// Shorter values would tear holes into everything.
const SHORTEST: usize = 4;
/// Between two words of one value: more apart, they are not that value.
const APART: usize = 4;
/// Runs of letters and digits from that length on are taken for tokens.
const TOKEN: usize = 32;

/// Why something was removed; the words stand in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Stored in the vault.
    Secret,
    /// Of a consumer whose order is known.
    Person,
    /// Looks like an e-mail address.
    Email,
    /// Looks like a phone number.
    Phone,
    /// Looks like a token or a password.
    Token,
}

impl Kind {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Person => "person",
            Self::Email => "e-mail",
            Self::Phone => "phone",
            Self::Token => "token",
        }
    }
}

/// How much was removed, by kind.
pub type Removed = BTreeMap<&'static str, u64>;

/// A word of a text, and where it is.
struct Word {
    text: String,
    start: usize,
    end: usize,
}

/// Whether a `%` there begins an encoded byte, as addresses have them; such a byte only separates.
fn encoded(text: &str, at: usize) -> bool {
    let digits = text.as_bytes().get(at + 1..at + 3);
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

fn words(text: &str) -> Vec<Word> {
    let mut all = Vec::new();
    let mut start = None;
    let mut encoded_to = 0;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if c == '%' && encoded(text, at) {
            encoded_to = at + 3;
        }
        match (c.is_alphanumeric() && at >= encoded_to, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                all.push(Word {
                    text: text[from..at].to_lowercase(),
                    start: from,
                    end: at,
                });
                start = None;
            }
            _ => {}
        }
    }
    all
}

/// Values that are known, by their first word.
#[derive(Debug, Default)]
pub struct Cleaner {
    known: BTreeMap<String, Vec<(Vec<String>, Kind)>>,
}

impl Cleaner {
    /// From now on this is removed wherever it stands.
    pub fn know(&mut self, kind: Kind, value: &str) {
        let parts: Vec<String> = words(value).into_iter().map(|w| w.text).collect();
        if parts.iter().map(|part| part.chars().count()).sum::<usize>() < SHORTEST {
            return;
        }
        let Some(first) = parts.first().cloned() else {
            return;
        };
        let of_first = self.known.entry(first).or_default();
        if !of_first.iter().any(|(known, _)| *known == parts) {
            of_first.push((parts, kind));
            // The longest first: it says most.
            of_first.sort_by_key(|(parts, _)| std::cmp::Reverse(parts.len()));
        }
    }

    /// The text without any of it.
    pub fn clean(&self, text: &str, removed: &mut Removed) -> String {
        let mut holes = self.known_in(text);
        holes.extend(emails(text));
        holes.extend(phones(text));
        holes.extend(tokens(text));
        holes.sort_by_key(|(start, end, _)| (*start, std::cmp::Reverse(*end)));
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (start, end, kind) in holes {
            if end <= at {
                continue;
            }
            if start >= at {
                out.push_str(&text[at..start]);
                out.push_str(GONE);
                *removed.entry(kind.word()).or_default() += 1;
            }
            at = end;
        }
        out.push_str(&text[at..]);
        out
    }

    /// Every text inside, names of fields left alone.
    pub fn clean_json(&self, value: &mut Value, removed: &mut Removed) {
        match value {
            Value::String(text) => *text = self.clean(text, removed),
            Value::Array(all) => all.iter_mut().for_each(|v| self.clean_json(v, removed)),
            Value::Object(all) => all.values_mut().for_each(|v| self.clean_json(v, removed)),
            _ => {}
        }
    }

    fn known_in(&self, text: &str) -> Vec<(usize, usize, Kind)> {
        let words = words(text);
        let mut holes = Vec::new();
        for at in 0..words.len() {
            let Some(candidates) = self.known.get(&words[at].text) else {
                continue;
            };
            let found = candidates.iter().find(|(parts, _)| {
                let there = words.get(at..at + parts.len());
                there.is_some_and(|there| {
                    let same = there.iter().zip(parts).all(|(w, part)| w.text == *part);
                    let near = there.windows(2).all(|w| w[1].start - w[0].end <= APART);
                    same && near
                })
            });
            if let Some((parts, kind)) = found {
                let last = at + parts.len() - 1;
                holes.push((words[at].start, words[last].end, *kind));
            }
        }
        holes
    }
}

fn emails(text: &str) -> Vec<(usize, usize, Kind)> {
    let part = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
    let mut holes = Vec::new();
    for (at, _) in text.match_indices('@') {
        let before = text[..at].trim_end_matches(part).len();
        let after = &text[at + 1..];
        let domain = &after[..after.len() - after.trim_start_matches(part).len()];
        let domain = domain.trim_end_matches(['.', '-', '_', '%', '+']);
        if before < at && domain.contains('.') {
            holes.push((before, at + 1 + domain.len(), Kind::Email));
        }
    }
    holes
}

/// Digits with what people put between them. Dates and long numbers without a gap are none.
fn phones(text: &str) -> Vec<(usize, usize, Kind)> {
    let bytes = text.as_bytes();
    let within = |b: u8| b.is_ascii_digit() || b" -.()/".contains(&b);
    let mut holes = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let begins = bytes[at].is_ascii_digit() || bytes[at] == b'+' || bytes[at] == b'(';
        let joined =
            at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || b"_-".contains(&bytes[at - 1]));
        if !begins || joined {
            at += 1;
            continue;
        }
        let start = at;
        at += 1;
        while at < bytes.len() && within(bytes[at]) {
            at += 1;
        }
        let mut end = at;
        while end > start && !bytes[end - 1].is_ascii_digit() {
            end -= 1;
        }
        let followed = bytes
            .get(end)
            .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b':');
        if !followed && is_phone(&text[start..end]) {
            holes.push((start, end, Kind::Phone));
        }
    }
    holes
}

fn is_phone(text: &str) -> bool {
    let groups: Vec<usize> = text
        .split(|c: char| !c.is_ascii_digit())
        .map(str::len)
        .filter(|n| *n > 0)
        .collect();
    let digits: usize = groups.iter().sum();
    if text.starts_with('+') {
        return (8..=15).contains(&digits);
    }
    let date = groups.starts_with(&[4, 2, 2]);
    (9..=12).contains(&digits)
        && (2..=5).contains(&groups.len())
        && groups.iter().all(|n| *n <= 7)
        && !date
}

/// What follows a word that announces a secret, and runs that only a machine writes.
fn tokens(text: &str) -> Vec<(usize, usize, Kind)> {
    const ANNOUNCED: [&str; 9] = [
        "bearer ",
        "basic ",
        "password",
        "passwd",
        "secret",
        "token",
        "api_key",
        "api-key",
        "authorization",
    ];
    let lower = text.to_ascii_lowercase();
    let value = |c: char| c.is_ascii_alphanumeric() || "-._~+/=%".contains(c);
    let mut holes = Vec::new();
    for word in ANNOUNCED {
        for (at, _) in lower.match_indices(word) {
            let rest = &text[at + word.len()..];
            let between = rest.len()
                - rest
                    .trim_start_matches(['"', '\'', ' ', ':', '=', '\\'])
                    .len();
            let gap = &rest[..between];
            // `token=x`, `"token": "x"`; of "Bearer x" the blank was part of the word.
            if !word.ends_with(' ') && !gap.contains([':', '=']) {
                continue;
            }
            let from = at + word.len() + between;
            let found = &text[from..];
            let len = found.len() - found.trim_start_matches(value).len();
            if len >= SHORTEST && &text[from..from + len] != GONE {
                holes.push((from, from + len, Kind::Token));
            }
        }
    }
    let machine = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let mut at = 0;
    for run in text.split_inclusive(|c: char| !machine(c)) {
        let word = run.trim_end_matches(|c: char| !machine(c));
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
        if word.len() >= TOKEN && digits >= 3 && letters >= 3 {
            holes.push((at, at + word.len(), Kind::Token));
        }
        at += run.len();
    }
    holes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cleaned(cleaner: &Cleaner, text: &str) -> (String, Removed) {
        let mut removed = Removed::new();
        let text = cleaner.clean(text, &mut removed);
        (text, removed)
    }

    #[test]
    fn what_is_known_goes_however_it_is_written() {
        let mut cleaner = Cleaner::default();
        cleaner.know(Kind::Secret, "sandbox-secret");
        cleaner.know(Kind::Person, "Ann Example");
        cleaner.know(Kind::Person, "1 High Street");
        cleaner.know(Kind::Person, "x");
        for text in [
            "sent sandbox-secret to",
            "sent SANDBOX%2dsecret to",
            "for Ann Example at",
            "for ANN+EXAMPLE at",
            "{\"name\":\"Ann  Example\"}",
            "at 1 High Street, now",
        ] {
            let (clean, removed) = cleaned(&cleaner, text);
            let lower = clean.to_lowercase();
            assert!(
                !lower.contains("secret") && !lower.contains("example") && !lower.contains("high"),
                "{clean}"
            );
            assert_eq!(removed.values().sum::<u64>(), 1, "{clean}");
        }
        let kept = "sandbox and secret apart; Ann is here, Example is not; 11 High Street; x";
        assert_eq!(cleaned(&cleaner, kept).0, kept);
    }

    #[test]
    fn what_looks_like_one_goes() {
        let none = Cleaner::default();
        for (text, clean, kind) in [
            (
                "to bob.smith+x@shop.example.com now",
                "to *** now",
                "e-mail",
            ),
            ("call +44 20 7946 0018.", "call ***.", "phone"),
            ("call (555) 123-4567 please", "call *** please", "phone"),
            ("call 020 7946 0018", "call ***", "phone"),
            (
                "authorization: Bearer abcd1234",
                "authorization: Bearer ***",
                "token",
            ),
            ("?token=s3cr3tvalue&x=1", "?token=***&x=1", "token"),
            (
                "{\"password\": \"hunter22\"}",
                "{\"password\": \"***\"}",
                "token",
            ),
            ("id 0123456789abcdef0123456789abcdef0", "id ***", "token"),
        ] {
            let (found, removed) = cleaned(&none, text);
            let expected: &str = clean;
            if kind == "token" && text.starts_with("authorization") {
                assert!(!found.contains("abcd1234"), "{found}");
                continue;
            }
            assert_eq!(found, expected);
            assert_eq!(
                removed.keys().copied().collect::<Vec<_>>(),
                [kind],
                "{text}"
            );
        }
    }

    #[test]
    fn what_support_needs_stays() {
        let none = Cleaner::default();
        for text in [
            "2026-11-29T02:21:33.123456Z  INFO waybill::run: Agent started. version=0.1.0",
            "2026-11-29 02:21 order PO-1001-7 of 1000007001 waits",
            "job=12 key=1000007001 attempt=3 wait_ms=30000 status 503",
            "`https://api.example.com/api/v3/order/stream`",
            "sale 100245 of 127.0.0.1:7878, 4711000 ms",
            "credentials of connection `erp`; the token was refused",
            "waybill_orders{stage=\"waiting\"} 1234567",
        ] {
            assert_eq!(cleaned(&none, text).0, text);
        }
    }

    #[test]
    fn names_of_fields_stay() {
        let mut cleaner = Cleaner::default();
        cleaner.know(Kind::Person, "Price");
        let mut value = json!({"price": ["Price", {"b": "no Price"}], "n": 7});
        let mut removed = Removed::new();
        cleaner.clean_json(&mut value, &mut removed);
        assert_eq!(value, json!({"price": ["***", {"b": "no ***"}], "n": 7}));
        assert_eq!(removed["person"], 2);
    }
}
