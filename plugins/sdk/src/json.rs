//! JSON text of a body. Must not know what is in it.

use serde::Serialize;
use serde_json::Serializer;
use std::io::{self, Write};

/// Room for most bodies, so that they are not moved while they grow.
const ROOM: usize = 4_096;

/// As [`serde_json::to_vec`], quicker in a component: JSON is written in pieces of a few bytes.
///
/// # Errors
/// The value has a map whose keys are no texts, or its own `Serialize` fails.
pub(crate) fn to_vec<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut text = Text {
        bytes: vec![0; ROOM],
        written: 0,
    };
    value.serialize(&mut Serializer::new(&mut text))?;
    text.bytes.truncate(text.written);
    Ok(text.bytes)
}

/// Text that grows by pieces of a few bytes. To copy memory of any length is a call out of the sandbox, which costs more
/// than most pieces; two words that may overlap are a handful of instructions.
struct Text {
    /// Zeros behind what is written.
    bytes: Vec<u8>,
    written: usize,
}

impl Text {
    #[cold]
    fn grow(&mut self, by: usize) {
        self.bytes.resize(self.bytes.len() * 2 + by, 0);
    }
}

/// Copies a piece of one to two words of `N` bytes.
fn two_words<const N: usize>(to: &mut [u8], piece: &[u8]) {
    if let (Some(to), Some(first)) = (to.first_chunk_mut::<N>(), piece.first_chunk()) {
        *to = *first;
    }
    if let (Some(to), Some(last)) = (to.last_chunk_mut::<N>(), piece.last_chunk()) {
        *to = *last;
    }
}

impl Write for Text {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.write_all(piece)?;
        Ok(piece.len())
    }

    #[inline]
    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        let end = self.written + piece.len();
        if end > self.bytes.len() {
            self.grow(piece.len());
        }
        let to = &mut self.bytes[self.written..end];
        match piece {
            [] => {}
            [only] => to[0] = *only,
            [_, _] | [_, _, _] => two_words::<2>(to, piece),
            _ if piece.len() < 8 => two_words::<4>(to, piece),
            _ if piece.len() <= 16 => two_words::<8>(to, piece),
            _ if piece.len() <= 32 => two_words::<16>(to, piece),
            _ => to.copy_from_slice(piece),
        }
        self.written = end;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn writes_what_the_library_writes() {
        let long =
            "a text longer than what is copied byte by byte, \"quoted\" and \u{e9}\n".repeat(100);
        for value in [
            json!(null),
            json!({"a": 1, "b": [true, 0.5, "c\u{1}"], "long": long}),
            json!([]),
            json!((0..50).map(|n| "x".repeat(n)).collect::<Vec<_>>()),
        ] {
            assert_eq!(to_vec(&value).unwrap(), serde_json::to_vec(&value).unwrap());
        }
    }
}
