//! Reading what a client sends: never more than the cap, never waiting longer than a frame may take. Forms are decoded
//! here; knows no route.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use percent_encoding::percent_decode;
use std::time::Duration;

/// Bytes read and thrown away after the cap, so that a client can still read our answer.
const DRAIN: usize = 4 * 1024 * 1024;
/// Whole time a body may take, however often a frame comes.
const WHOLE: Duration = Duration::from_mins(1);

/// Limits of one body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Largest body.
    pub(crate) bytes: usize,
    /// Longest wait for the next frame.
    pub(crate) frame: Duration,
}

/// Why a body was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// Larger than the cap.
    #[error("what was sent is larger than {0} bytes")]
    TooLarge(usize),
    /// Nothing came for too long.
    #[error("what was sent did not arrive in time")]
    TooSlow,
    /// The connection broke, or the framing is wrong.
    #[error("what was sent could not be read")]
    Broken,
}

/// Reads a whole body within the limits.
pub(crate) async fn read(body: Incoming, limits: Limits) -> Result<Bytes, BodyError> {
    tokio::time::timeout(WHOLE, frames(body, limits))
        .await
        .unwrap_or(Err(BodyError::TooSlow))
}

async fn frames(mut body: Incoming, limits: Limits) -> Result<Bytes, BodyError> {
    let announced = body.size_hint().lower();
    let mut kept = BytesMut::new();
    let mut seen = 0_usize;
    if announced > u64::try_from(limits.bytes + DRAIN).unwrap_or(u64::MAX) {
        return Err(BodyError::TooLarge(limits.bytes));
    }
    loop {
        let next = tokio::time::timeout(limits.frame, body.frame())
            .await
            .map_err(|_| BodyError::TooSlow)?;
        let Some(frame) = next else {
            break;
        };
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
            continue;
        };
        seen = seen.saturating_add(data.len());
        if seen > limits.bytes.saturating_add(DRAIN) {
            return Err(BodyError::TooLarge(limits.bytes));
        }
        if seen > limits.bytes {
            kept.clear();
        } else {
            kept.extend_from_slice(&data);
        }
    }
    if seen > limits.bytes {
        return Err(BodyError::TooLarge(limits.bytes));
    }
    Ok(kept.freeze())
}

/// The fields of a form or of a query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Decodes `a=1&b=2+3`. Bytes that are no UTF-8 become replacement characters.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let decode = |part: &[u8]| {
            let spaced: Vec<u8> = part
                .iter()
                .map(|b| if *b == b'+' { b' ' } else { *b })
                .collect();
            percent_decode(&spaced).decode_utf8_lossy().into_owned()
        };
        Self(
            text.split(|b| *b == b'&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| {
                    let mut halves = pair.splitn(2, |b| *b == b'=');
                    let key = halves.next().unwrap_or_default();
                    (decode(key), decode(halves.next().unwrap_or_default()))
                })
                .collect(),
        )
    }

    /// Fields that were taken apart elsewhere.
    pub(crate) const fn of(fields: Vec<(String, String)>) -> Self {
        Self(fields)
    }

    /// The first value of a field, as sent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Every value of a field, as sent.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let of = self.0.iter().filter(move |(key, _)| key == name);
        of.map(|(_, value)| value.as_str())
    }

    /// Every field with its value, as sent.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The first value of a field without space around it; `None` when nothing is left.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name)
            .map(str::trim)
            .filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        let fields = Fields::parse(b"q=a%26b+c&empty=&flag&q=second&n=%C3%A9");
        assert_eq!(fields.get("q"), Some("a&b c"));
        assert_eq!(fields.get("empty"), Some(""));
        assert_eq!(fields.filled("empty"), None);
        assert_eq!(fields.get("flag"), Some(""));
        assert_eq!(fields.get("n"), Some("\u{e9}"));
        assert_eq!(fields.get("other"), None);
        let all: Vec<_> = fields.all("q").collect();
        assert_eq!(all, ["a&b c", "second"]);
    }
}
