//! Whom a file names that is no whole table: it can hold the rows of those alone whose numbers stand in it. Knows no column.

use super::table::Pieces;
use std::collections::BTreeSet;

/// Most bytes of a name that is looked for.
const NAME: usize = 1 << 10;

/// Whether a name stands in a file as it is written here.
pub(crate) fn is_plain(name: &str, delimiter: u8) -> bool {
    let special = |byte: u8| byte == delimiter || byte == b'"' || byte.is_ascii_control();
    !name.is_empty() && name.len() <= NAME && name.trim() == name && !name.bytes().any(special)
}

/// Which of these plain names stand in a file, a last one perhaps cut off. None: it is no text, and nobody can say.
pub(crate) fn named<'w>(
    mut pieces: impl Pieces,
    delimiter: u8,
    wanted: &BTreeSet<&'w str>,
) -> Option<BTreeSet<&'w str>> {
    let mut found = BTreeSet::new();
    let mut word = Vec::new();
    loop {
        let piece = pieces.next();
        if piece.is_empty() {
            break;
        }
        for byte in piece {
            if byte == delimiter || matches!(byte, b'"' | b'\r' | b'\n' | b'\t') {
                found.extend(wanted.get(text(&word)));
                word.clear();
            } else if byte.is_ascii_control() {
                return None;
            } else if word.len() <= NAME {
                word.push(byte);
            }
        }
    }
    let last = text(&word);
    if !last.is_empty() {
        found.extend(wanted.iter().filter(|name| name.starts_with(last)));
    }
    Some(found)
}

/// A word between two cells' ends; the mark before the first one is no part of it.
fn text(word: &[u8]) -> &str {
    let text = std::str::from_utf8(word).unwrap_or_default();
    text.trim_start_matches('\u{feff}').trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that comes byte by byte.
    struct Bytes<'a>(&'a [u8]);

    impl Pieces for Bytes<'_> {
        fn next(&mut self) -> Vec<u8> {
            let (first, rest) = self.0.split_at(self.0.len().min(1));
            self.0 = rest;
            first.to_vec()
        }
    }

    #[test]
    fn those_whose_numbers_stand_in_it_are_named_and_no_others() {
        let wanted = BTreeSet::from(["101", "102", "1030"]);
        for (file, names) in [
            ("", Some(&[][..])),
            ("po,id\r\nA,101,1\r\nB,99,\"half", Some(&["101"][..])),
            ("\u{feff}101,\"102\"\r\n", Some(&["101", "102"])),
            ("1011,2101, 102 ,x", Some(&["102"])),
            // Cut off in the middle of a number.
            ("A,10", Some(&["101", "102", "1030"])),
            ("A,103", Some(&["1030"])),
            ("A,101\0", None),
            ("\u{1f}\u{8b}", None),
        ] {
            let found = named(Bytes(file.as_bytes()), b',', &wanted);
            let names = names.map(|names| names.iter().copied().collect());
            assert_eq!(found, names, "{file:?}");
        }
        assert!(is_plain("SI-1 b", b',') && !is_plain("SI,1", b',') && !is_plain("", b','));
        assert!(!is_plain("SI\"1", b',') && !is_plain(" SI", b',') && is_plain("SI,1", b'\t'));
    }
}
