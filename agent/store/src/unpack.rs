//! Reading a backup: block by block, and none is believed whose checksum differs from the chain. Owns every check of the
//! format that `backup.rs` describes; knows nothing of where the pieces go.

use crate::backup::{BackupError, Kind, LARGEST, MAGIC, Manifest, Totals, VERSION, link};
use flate2::read::DeflateDecoder;
use sha2::{Digest, Sha256};
use std::io::{self, Read};

/// One thing of a backup, in its order.
pub(crate) enum Piece {
    Manifest(Manifest),
    Rows(String, Vec<(Vec<u8>, Vec<u8>)>),
    File(String, bool, Vec<u8>),
    End(Totals),
}

/// Reads blocks and believes none whose checksum differs.
pub(crate) struct Blocks<R> {
    from: R,
    chain: [u8; 32],
    at: u64,
}

impl<R: Read> Blocks<R> {
    pub(crate) fn open(mut from: R) -> Result<Self, BackupError> {
        let mut head = [0; MAGIC.len() + 1];
        let mut known = 0;
        while known < head.len() {
            match from.read(&mut head[known..])? {
                0 => return Err(BackupError::Foreign),
                n => known += n,
            }
        }
        if head[..MAGIC.len()] != MAGIC {
            return Err(BackupError::Foreign);
        }
        if head[MAGIC.len()] != VERSION {
            return Err(BackupError::Format {
                found: head[MAGIC.len()],
            });
        }
        Ok(Self {
            from,
            chain: Sha256::digest(head).into(),
            at: head.len() as u64,
        })
    }

    fn take(&mut self, buffer: &mut [u8]) -> Result<(), BackupError> {
        self.from.read_exact(buffer).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                BackupError::Cut { at: self.at }
            } else {
                error.into()
            }
        })?;
        self.at += buffer.len() as u64;
        Ok(())
    }

    fn damaged(&self, why: impl Into<String>) -> BackupError {
        BackupError::Damaged {
            at: self.at,
            why: why.into(),
        }
    }

    fn block(&mut self) -> Result<(Kind, Vec<u8>), BackupError> {
        let mut head = [0; 5];
        self.take(&mut head)?;
        let size = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > LARGEST {
            return Err(self.damaged("a block is too long"));
        }
        let mut payload = vec![0; size];
        self.take(&mut payload)?;
        let mut checksum = [0; 32];
        self.take(&mut checksum)?;
        if link(&self.chain, head[0], &payload) != checksum {
            return Err(self.damaged("a checksum differs"));
        }
        self.chain = checksum;
        let kind = Kind::of(head[0]).ok_or_else(|| self.damaged("a block of an unknown kind"))?;
        Ok((kind, payload))
    }

    /// The next thing. After [`Piece::End`] there is nothing, not a single byte.
    pub(crate) fn piece(&mut self) -> Result<Piece, BackupError> {
        let (kind, payload) = self.block()?;
        let bad = |error: serde_json::Error| error.to_string();
        match kind {
            Kind::Manifest => serde_json::from_slice(&payload)
                .map(Piece::Manifest)
                .map_err(|e| self.damaged(bad(e))),
            Kind::Rows => {
                let mut raw = Vec::new();
                DeflateDecoder::new(payload.as_slice())
                    .take(LARGEST as u64)
                    .read_to_end(&mut raw)
                    .map_err(|e| self.damaged(e.to_string()))?;
                let rows = unpack(&raw).ok_or_else(|| self.damaged("a block of rows is short"))?;
                Ok(Piece::Rows(rows.0, rows.1))
            }
            Kind::File => {
                let mut rest = payload.as_slice();
                let name = part(&mut rest).and_then(|name| String::from_utf8(name.to_vec()).ok());
                let name =
                    name.filter(|n| n.len() == 64 && n.bytes().all(|b| b.is_ascii_hexdigit()));
                match (name, rest.split_first()) {
                    (Some(name), Some((last, bytes))) => {
                        Ok(Piece::File(name, *last == 1, bytes.to_vec()))
                    }
                    _ => Err(self.damaged("a piece of a large body is short")),
                }
            }
            Kind::End => {
                let totals = serde_json::from_slice(&payload).map_err(|e| self.damaged(bad(e)))?;
                if self.from.read(&mut [0])? != 0 {
                    return Err(self.damaged("something follows its end"));
                }
                Ok(Piece::End(totals))
            }
            Kind::Failed => Err(BackupError::Failed(
                String::from_utf8_lossy(&payload).into_owned(),
            )),
        }
    }
}

fn size(rest: &mut &[u8]) -> Option<usize> {
    let (size, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    usize::try_from(u32::from_be_bytes(*size)).ok()
}

fn part<'r>(rest: &mut &'r [u8]) -> Option<&'r [u8]> {
    let size = size(rest)?;
    let (part, tail) = rest.split_at_checked(size)?;
    *rest = tail;
    Some(part)
}

type Rows = (String, Vec<(Vec<u8>, Vec<u8>)>);

fn unpack(raw: &[u8]) -> Option<Rows> {
    let mut rest = raw;
    let name = String::from_utf8(part(&mut rest)?.to_vec()).ok()?;
    let mut rows = Vec::new();
    while !rest.is_empty() {
        let (key, value) = (size(&mut rest)?, size(&mut rest)?);
        let (key, tail) = rest.split_at_checked(key)?;
        let (value, tail) = tail.split_at_checked(value)?;
        rows.push((key.to_vec(), value.to_vec()));
        rest = tail;
    }
    Some((name, rows))
}

/// Takes the pieces of a backup one by one.
pub(crate) trait Taker {
    fn rows(&mut self, table: &str, rows: &[(Vec<u8>, Vec<u8>)]) -> Result<(), BackupError>;
    fn file(&mut self, name: &str, last: bool, bytes: &[u8]) -> Result<(), BackupError>;
}

/// Reads a whole backup, checks every byte, and hands its pieces to `taker` on the way.
pub(crate) fn walk(
    from: impl Read,
    manifest: impl FnOnce(&Manifest) -> Result<(), BackupError>,
    taker: &mut dyn Taker,
) -> Result<(Manifest, Totals), BackupError> {
    let mut blocks = Blocks::open(from)?;
    let Piece::Manifest(head) = blocks.piece()? else {
        return Err(blocks.damaged("it does not start with a manifest"));
    };
    manifest(&head)?;
    let mut seen = Totals::default();
    let mut open: Option<(String, Sha256)> = None;
    loop {
        match blocks.piece()? {
            Piece::Manifest(_) => return Err(blocks.damaged("a second manifest")),
            Piece::Rows(table, rows) => {
                let bytes: usize = rows.iter().map(|(k, v)| k.len() + v.len()).sum();
                seen.bytes += bytes as u64;
                *seen.rows.entry(table.clone()).or_default() += rows.len() as u64;
                taker.rows(&table, &rows)?;
            }
            Piece::File(name, last, bytes) => {
                let (current, mut hash) = open.take().unwrap_or((name.clone(), Sha256::new()));
                hash.update(&bytes);
                seen.bytes += bytes.len() as u64;
                if current != name || (last && crate::codec::hex(&hash.clone().finalize()) != name)
                {
                    return Err(blocks.damaged(format!("the large body `{name}` was changed")));
                }
                taker.file(&name, last, &bytes)?;
                if last {
                    seen.files += 1;
                } else {
                    open = Some((current, hash));
                }
            }
            Piece::End(totals) => {
                return if totals == seen && open.is_none() {
                    Ok((head, totals))
                } else {
                    Err(blocks.damaged("it does not hold what it says"))
                };
            }
        }
    }
}

/// Takes nothing: the backup is only checked.
pub(crate) struct Nobody;

impl Taker for Nobody {
    fn rows(&mut self, _: &str, _: &[(Vec<u8>, Vec<u8>)]) -> Result<(), BackupError> {
        Ok(())
    }
    fn file(&mut self, _: &str, _: bool, _: &[u8]) -> Result<(), BackupError> {
        Ok(())
    }
}

/// Reads a whole backup and checks every byte of it. It needs no key and changes nothing.
pub fn verify_backup(from: impl Read) -> Result<(Manifest, Totals), BackupError> {
    walk(from, |_| Ok(()), &mut Nobody)
}
