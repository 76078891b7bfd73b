//! The signature's place in a component: the last section of the file, a custom section named `waybill:signature`.
//! It has one form only, so that a signed file has one form only:
//!
//! | bytes | what |
//! | --- | --- |
//! | 2 | `00 5b`: a custom section of 91 bytes |
//! | 18 | `11`, then `waybill:signature` |
//! | 1 | `01`: ed25519 over every byte of the file before this section |
//! | 8 | key id: the first bytes of the SHA-256 of the public key |
//! | 64 | the signature |
//!
//! WebAssembly tools skip custom sections they do not know, and so does the agent: what it compiles ends before this one.
//! Sections inside of nested modules are bytes like any others. It knows no key and decides nothing.

use super::key::KeyId;

/// Name of the section.
const NAME: &[u8] = b"waybill:signature";
/// The form described above.
const FORM: u8 = 1;
/// Bytes before the first section: magic, version, layer.
const HEADER: usize = 8;
/// Id of custom sections.
const CUSTOM: u8 = 0;
/// What is in the section after its name.
const CONTENT: usize = 1 + KeyId::LEN + Mark::LEN;

/// A signature as it is written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Whose it claims to be.
    pub(super) id: KeyId,
    /// The signature itself.
    pub(super) signature: [u8; Mark::LEN],
}

/// Why a file's sections give no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// A section is longer than what is left of the file.
    CutShort,
    /// That many signatures.
    Several(usize),
    /// That many bytes follow the signature.
    Trailing(usize),
    /// The section is there but written another way.
    Form,
}

/// A file taken apart: the bytes that were signed, and the signature if there is one.
pub(super) struct Parts<'b> {
    pub(super) component: &'b [u8],
    pub(super) mark: Option<Mark>,
}

impl Mark {
    /// Bytes of a signature.
    pub(super) const LEN: usize = 64;

    /// The whole section.
    pub(super) fn section(&self) -> Vec<u8> {
        let name_len = u8::try_from(NAME.len()).expect("the name is short");
        let size = u8::try_from(1 + NAME.len() + CONTENT).expect("the section is short");
        let mut bytes = vec![CUSTOM, size, name_len];
        bytes.extend_from_slice(NAME);
        bytes.push(FORM);
        bytes.extend_from_slice(&self.id.bytes());
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads what [`Self::section`] writes, and nothing else.
    fn read(section: &[u8]) -> Option<Self> {
        let (rest, signature) = section.split_last_chunk::<{ Self::LEN }>()?;
        let (_, id) = rest.split_last_chunk::<{ KeyId::LEN }>()?;
        let mark = Self {
            id: KeyId::from_bytes(*id),
            signature: *signature,
        };
        (mark.section() == section).then_some(mark)
    }
}

/// Walks the sections of a component, whose first eight bytes were looked at before.
pub(super) fn take_apart(file: &[u8]) -> Result<Parts<'_>, Damage> {
    let mut marks = 0;
    let mut last = None;
    let mut at = HEADER;
    let mut cut = false;
    while at < file.len() {
        let Some((end, ours)) = section_at(file, at) else {
            cut = true;
            break;
        };
        if ours {
            marks += 1;
            last = Some((at, end));
        }
        at = end;
    }
    match last {
        _ if marks > 1 => Err(Damage::Several(marks)),
        Some((_, end)) if end != file.len() => Err(Damage::Trailing(file.len() - end)),
        None if cut || file.len() < HEADER => Err(Damage::CutShort),
        None => Ok(Parts {
            component: file,
            mark: None,
        }),
        Some((start, _)) => {
            let mark = Mark::read(&file[start..]).ok_or(Damage::Form)?;
            Ok(Parts {
                component: &file[..start],
                mark: Some(mark),
            })
        }
    }
}

/// Where the section at `at` ends, and whether it is a signature; `None` where the file ends before.
fn section_at(file: &[u8], at: usize) -> Option<(usize, bool)> {
    let id = *file.get(at)?;
    let (size, content) = number(file, at + 1)?;
    let end = content.checked_add(size)?;
    let section = file.get(content..end)?;
    let named = || {
        let (len, start) = number(section, 0)?;
        section.get(start..start.checked_add(len)?)
    };
    Some((end, id == CUSTOM && named() == Some(NAME)))
}

/// An unsigned LEB128 number of at most 32 bits, and where the byte after it lies.
fn number(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut value = 0_u64;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.get(at)?;
        at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            return Some((usize::try_from(value).ok()?, at));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn mark(byte: u8) -> Vec<u8> {
        let mark = Mark {
            id: KeyId::from_bytes([byte; 8]),
            signature: [byte; 64],
        };
        mark.section()
    }

    fn damage(parts: &[&[u8]]) -> Damage {
        take_apart(&parts.concat()).err().expect("it is damaged")
    }

    #[test]
    fn the_form_is_as_the_header_says() {
        let section = mark(7);
        assert_eq!(section.len(), 93);
        assert_eq!(section[..3], [0x00, 0x5b, 0x11]);
        assert_eq!(&section[3..20], NAME);
        assert_eq!(section[20], FORM);
        let file = [EMPTY, &section].concat();
        let parts = take_apart(&file).ok().unwrap();
        assert_eq!(parts.component, EMPTY);
        assert_eq!(parts.mark.unwrap().signature, [7; 64]);
        assert!(take_apart(EMPTY).ok().unwrap().mark.is_none());
    }

    #[test]
    fn a_signature_is_last_and_alone() {
        let one = mark(1);
        assert_eq!(damage(&[EMPTY, &one, &one]), Damage::Several(2));
        let other = b"\0\x02\x01x".as_slice();
        assert_eq!(damage(&[EMPTY, &one, other]), Damage::Trailing(4));
        assert_eq!(damage(&[EMPTY, &one, other, &one]), Damage::Several(2));
        assert_eq!(damage(&[EMPTY, &one, b"junk!"]), Damage::Trailing(5));
    }

    #[test]
    fn another_way_to_write_the_same_is_refused() {
        let one = mark(1);
        let long = [&[0, 0xdb, 0], &one[2..]].concat();
        assert_eq!(damage(&[EMPTY, &long]), Damage::Form);
        let mut newer = one.clone();
        newer[20] = 2;
        assert_eq!(damage(&[EMPTY, &newer]), Damage::Form);
        let short = [&[0, 0x13], &one[2..21]].concat();
        assert_eq!(damage(&[EMPTY, &short]), Damage::Form);
    }

    #[test]
    fn a_file_that_ends_too_early_is_cut_short() {
        let file = [EMPTY, b"\0\x05\x01xyz\0", mark(1).as_slice()].concat();
        for end in [9, 10, 12, 20, file.len() - 1] {
            assert_eq!(damage(&[&file[..end]]), Damage::CutShort, "{end}");
        }
        for size in ["\u{1}", "\u{7f}"] {
            assert_eq!(damage(&[EMPTY, b"\x01", size.as_bytes()]), Damage::CutShort);
        }
        let endless = [0x80; 9];
        assert_eq!(damage(&[EMPTY, b"\x01", &endless]), Damage::CutShort);
    }
}
