//! Keys and values as bytes. Keys sort as their parts do; values are a version byte and JSON.
//! Knows no table and no row type.

use crate::error::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Version byte of every row written by this build.
pub(crate) const ROW_VERSION: u8 = 1;

/// A row as stored.
pub(crate) fn encode<T: Serialize>(table: &'static str, row: &T) -> Result<Vec<u8>, StoreError> {
    let mut out = vec![ROW_VERSION];
    serde_json::to_writer(&mut out, row).map_err(|e| StoreError::Corrupt {
        table,
        key: "a new row".to_owned(),
        why: e.to_string(),
    })?;
    Ok(out)
}

/// A stored row.
pub(crate) fn decode<T: DeserializeOwned>(
    table: &'static str,
    key: &[u8],
    bytes: &[u8],
) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&ROW_VERSION, json)) => {
            serde_json::from_slice(json).map_err(|e| corrupt(table, key, e.to_string()))
        }
        Some((version, _)) => Err(corrupt(table, key, format!("row version {version}"))),
        None => Err(corrupt(table, key, "empty row")),
    }
}

pub(crate) fn corrupt(table: &'static str, key: &[u8], why: impl Into<String>) -> StoreError {
    StoreError::Corrupt {
        table,
        key: hex(key),
        why: why.into(),
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}

/// Builds a key part by part.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(pub(crate) Vec<u8>);

impl Key {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(32))
    }
    pub(crate) fn byte(mut self, part: u8) -> Self {
        self.0.push(part);
        self
    }
    pub(crate) fn u32(mut self, part: u32) -> Self {
        self.0.extend_from_slice(&part.to_be_bytes());
        self
    }
    pub(crate) fn u64(mut self, part: u64) -> Self {
        self.0.extend_from_slice(&part.to_be_bytes());
        self
    }
    /// Signed: the sign bit is flipped, so that bytes sort as numbers.
    pub(crate) fn i64(mut self, part: i64) -> Self {
        self.0
            .extend_from_slice(&(part.cast_unsigned() ^ (1 << 63)).to_be_bytes());
        self
    }
    /// A time, `None` after every time.
    pub(crate) fn time_or_last(self, part: Option<i64>) -> Self {
        self.i64(part.unwrap_or(i64::MAX))
    }
    /// Text with an end mark: 0 is written as 0 255, the end as 0 1.
    pub(crate) fn text(mut self, part: &str) -> Self {
        self.push_text(part);
        self.0.extend_from_slice(&[0, 1]);
        self
    }
    /// Text without its end mark: every longer text has it as a prefix.
    pub(crate) fn text_prefix(mut self, part: &str) -> Self {
        self.push_text(part);
        self
    }
    /// `None` sorts before every text.
    pub(crate) fn text_or_none(self, part: Option<&str>) -> Self {
        match part {
            None => self.byte(0),
            Some(text) => self.byte(1).text(text),
        }
    }
    fn push_text(&mut self, part: &str) {
        for &b in part.as_bytes() {
            self.0.push(b);
            if b == 0 {
                self.0.push(255);
            }
        }
    }
}

/// Takes a key apart, in the order it was built.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    table: &'static str,
    whole: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(crate) const fn of(table: &'static str, key: &'a [u8]) -> Self {
        Self {
            table,
            whole: key,
            rest: key,
        }
    }
    fn short(&self) -> StoreError {
        corrupt(self.table, self.whole, "the key is too short")
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or_else(|| self.short())?;
        self.rest = rest;
        Ok(*head)
    }
    pub(crate) fn byte(&mut self) -> Result<u8, StoreError> {
        self.array::<1>().map(|[b]| b)
    }
    pub(crate) fn u32(&mut self) -> Result<u32, StoreError> {
        self.array().map(u32::from_be_bytes)
    }
    pub(crate) fn u64(&mut self) -> Result<u64, StoreError> {
        self.array().map(u64::from_be_bytes)
    }
    pub(crate) fn i64(&mut self) -> Result<i64, StoreError> {
        Ok((self.u64()? ^ (1 << 63)).cast_signed())
    }
    pub(crate) fn time_or_last(&mut self) -> Result<Option<i64>, StoreError> {
        Ok(Some(self.i64()?).filter(|t| *t != i64::MAX))
    }
    pub(crate) fn text(&mut self) -> Result<String, StoreError> {
        let mut out = Vec::new();
        loop {
            match self.byte()? {
                0 => match self.byte()? {
                    1 => break,
                    255 => out.push(0),
                    _ => return Err(corrupt(self.table, self.whole, "bad text in the key")),
                },
                b => out.push(b),
            }
        }
        String::from_utf8(out).map_err(|_| corrupt(self.table, self.whole, "text is not UTF-8"))
    }
}

/// The number at the end of an index key.
pub(crate) fn tail_u64(table: &'static str, key: &[u8]) -> Result<u64, StoreError> {
    key.last_chunk::<8>()
        .map(|c| u64::from_be_bytes(*c))
        .ok_or_else(|| corrupt(table, key, "the key is too short"))
}

/// The number a small index row holds.
pub(crate) fn value_u64(table: &'static str, key: &[u8], value: &[u8]) -> Result<u64, StoreError> {
    <[u8; 8]>::try_from(value)
        .map(u64::from_be_bytes)
        .map_err(|_| corrupt(table, key, "not a number"))
}

/// A stretch of keys: from (inclusive) to (exclusive; `None`: to the end).
#[derive(Debug, Clone)]
pub struct Span {
    pub(crate) lo: Vec<u8>,
    pub(crate) hi: Option<Vec<u8>>,
    pub(crate) newest_first: bool,
}

impl Span {
    /// Every key.
    pub(crate) const fn all() -> Self {
        Self {
            lo: Vec::new(),
            hi: None,
            newest_first: false,
        }
    }
    /// Every key with that prefix.
    pub(crate) fn prefix(key: Key) -> Self {
        let hi = after_prefix(&key.0);
        Self {
            lo: key.0,
            hi,
            newest_first: false,
        }
    }
    /// Keys of the prefix that come after that key.
    pub(crate) fn after(mut self, key: Key) -> Self {
        self.lo = key.0;
        self.lo.push(0);
        self
    }
    /// From that key on.
    pub(crate) fn from(mut self, key: Key) -> Self {
        self.lo = key.0;
        self
    }
    /// Before that key.
    pub(crate) fn before(mut self, key: Key) -> Self {
        self.hi = Some(key.0);
        self
    }
    /// Last key first.
    pub(crate) const fn newest_first(mut self) -> Self {
        self.newest_first = true;
        self
    }
}

fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 255 {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_their_parts() {
        let numbers = [i64::MIN, -5, 0, 7, i64::MAX - 1];
        for pair in numbers.windows(2) {
            assert!(Key::new().i64(pair[0]) < Key::new().i64(pair[1]));
        }
        assert!(Key::new().time_or_last(Some(7)) < Key::new().time_or_last(None));
        let texts = ["", "\0", "\0a", "a", "a\0", "aa", "b"];
        for pair in texts.windows(2) {
            let (a, b) = (Key::new().text(pair[0]), Key::new().text(pair[1]));
            assert!(a < b, "{pair:?}");
            assert!(!b.0.starts_with(&a.0));
        }
    }

    #[test]
    fn keys_come_apart_again() {
        let key = Key::new().u32(3).text("a\0b").i64(-9).u64(12).0;
        let mut parts = Parts::of("test", &key);
        assert_eq!(parts.u32().unwrap(), 3);
        assert_eq!(parts.text().unwrap(), "a\0b");
        assert_eq!(parts.i64().unwrap(), -9);
        assert_eq!(parts.u64().unwrap(), 12);
        assert!(parts.byte().is_err());
        assert_eq!(tail_u64("test", &key).unwrap(), 12);
    }

    #[test]
    fn an_unknown_row_version_is_an_error_not_a_guess() {
        let error = decode::<u32>("test", &[1], &[9, b'1']).unwrap_err();
        assert!(error.to_string().contains("row version 9"), "{error}");
    }

    #[test]
    fn the_end_of_a_prefix_is_past_all_its_keys() {
        assert_eq!(after_prefix(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(after_prefix(&[1, 255]), Some(vec![2]));
        assert_eq!(after_prefix(&[255, 255]), None);
    }
}
