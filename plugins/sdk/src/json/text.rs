//! Text that grows by pieces of a few bytes, and texts in quotes. A guest pays for every byte that is looked at alone and
//! for every copy of any length, which is a call out of the sandbox; a word of eight bytes costs the same as one byte.
//! Must not know what is written.

/// Room for most bodies, so that they are not moved while they grow.
const ROOM: usize = 4_096;

/// Written at both ends of a text.
pub(super) const QUOTE: u8 = b'"';

/// Bytes written so far.
pub(super) struct Text {
    /// Noughts behind what is written.
    bytes: Vec<u8>,
    written: usize,
}

impl Text {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; ROOM],
            written: 0,
        }
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.written);
        self.bytes
    }

    pub(super) const fn len(&self) -> usize {
        self.written
    }

    pub(super) fn at(&self, place: usize) -> Option<u8> {
        self.bytes[..self.written].get(place).copied()
    }

    /// The next `count` bytes, which the caller fills.
    #[inline]
    fn next(&mut self, count: usize) -> &mut [u8] {
        let end = self.written + count;
        if end > self.bytes.len() {
            self.grow(count);
        }
        let next = &mut self.bytes[self.written..end];
        self.written = end;
        next
    }

    #[cold]
    fn grow(&mut self, by: usize) {
        self.bytes.resize(self.bytes.len() * 2 + by, 0);
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.next(1)[0] = byte;
    }

    /// As it is.
    pub(super) fn piece(&mut self, piece: &[u8]) {
        copy(self.next(piece.len()), piece);
    }

    /// In quotes.
    pub(super) fn quoted(&mut self, text: &str) {
        self.between("\"", text, "\"");
    }

    /// The name of a field, behind a comma where it is not the first.
    pub(super) fn name(&mut self, first: bool, name: &str) {
        self.between(if first { "\"" } else { ",\"" }, name, "\":");
    }

    #[inline]
    fn between(&mut self, start: &str, text: &str, end: &str) {
        let (start, text, end) = (start.as_bytes(), text.as_bytes(), end.as_bytes());
        let to = self.next(start.len() + text.len() + end.len());
        let (before, to) = to.split_at_mut(start.len());
        let (inside, behind) = to.split_at_mut(text.len());
        copy_short(before, start);
        copy_short(behind, end);
        if !copy(inside, text) {
            self.written -= text.len() + end.len();
            for byte in text {
                self.escaped(*byte);
            }
            self.piece(end);
        }
    }

    /// Between quotes, with what JSON does not take as it is written another way.
    pub(super) fn inside(&mut self, text: &str) {
        let from = text.as_bytes();
        if !copy(self.next(from.len()), from) {
            self.written -= from.len();
            for byte in from {
                self.escaped(*byte);
            }
        }
    }

    #[cold]
    fn escaped(&mut self, byte: u8) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let short = match byte {
            QUOTE | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            0..0x20 => {
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                self.next(6)
                    .copy_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
                return;
            }
            _ => return self.byte(byte),
        };
        self.next(2).copy_from_slice(&[b'\\', short]);
    }
}

/// Copies one or two bytes.
#[inline]
fn copy_short(to: &mut [u8], from: &[u8]) {
    for (to, byte) in to.iter_mut().zip(from) {
        *to = *byte;
    }
}

/// Copies, and says whether JSON takes all of it as it is. Both are as long.
#[inline]
fn copy(to: &mut [u8], from: &[u8]) -> bool {
    match from.len() {
        0 => true,
        1 => {
            to[0] = from[0];
            plain([from[0], b' ', b' ', b' ', b' ', b' ', b' ', b' '])
        }
        2..=3 => ends::<2>(to, from)
            .is_none_or(|([a, b], [c, d])| plain([a, b, c, d, b' ', b' ', b' ', b' '])),
        4..=7 => ends::<4>(to, from)
            .is_none_or(|([a, b, c, d], [e, f, g, h])| plain([a, b, c, d, e, f, g, h])),
        _ => {
            let mut good = true;
            for (to, word) in to.as_chunks_mut().0.iter_mut().zip(from.as_chunks().0) {
                *to = *word;
                good &= plain(*word);
            }
            let last = ends::<8>(to, from);
            good && last.is_none_or(|(_, last)| plain(last))
        }
    }
}

/// Copies the first and the last `N` bytes, which may overlap, and gives them.
#[inline]
fn ends<const N: usize>(to: &mut [u8], from: &[u8]) -> Option<([u8; N], [u8; N])> {
    let (first, last) = (*from.first_chunk()?, *from.last_chunk()?);
    *to.first_chunk_mut()? = first;
    *to.last_chunk_mut()? = last;
    Some((first, last))
}

/// Whether none of these bytes is a quote, a backslash or below a blank: all eight are looked at at once. A byte's highest
/// bit is set where the byte, less what is looked for, went below nought.
#[inline]
fn plain(bytes: [u8; 8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(bytes);
    let without = |byte: u8| word ^ (EACH * u64::from(byte));
    let below = |word: u64, least: u64| word.wrapping_sub(EACH * least) & !word;
    let found = below(word, 0x20) | below(without(QUOTE), 1) | below(without(b'\\'), 1);
    found & (EACH << 7) == 0
}
