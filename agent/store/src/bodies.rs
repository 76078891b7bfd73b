//! Bodies: documents, answers of effects, transcripts, webhook requests. Compressed where that helps; cut just below powers of two, where
//! the database wastes least; over 64,000 bytes a file of the spool folder, durable before the commit that names it.
//! Knows nothing of what a body says.

use crate::access::{Access, Tx};
use crate::codec::{Key, Span, corrupt, hex, tail_u64};
use crate::error::{OpenError, StoreError};
use crate::schema::Tab;
use crate::store::sync_folder;
use crate::writer::Engine;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Below this, compression saves nothing.
const COMPRESS_FROM: usize = 512;
/// Above this, a body goes to the spool folder.
pub(crate) const SPOOL_ABOVE: usize = 64_000;
/// Sizes of chunks, largest first.
const CHUNKS: [usize; 3] = [64_000, 8_000, 2_000];
/// Nobody stores more: a damaged length must not fill the memory.
const MAX_BODY: u64 = 256 * 1024 * 1024;

const COMPRESSED: u8 = 1;
const SPOOLED: u8 = 2;

fn io_error(error: io::Error) -> StoreError {
    StoreError::Spool(Arc::new(error))
}

fn pack(raw: &[u8]) -> Result<(u8, Vec<u8>), StoreError> {
    if raw.len() >= COMPRESS_FROM {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(raw).map_err(io_error)?;
        let packed = encoder.finish().map_err(io_error)?;
        if packed.len() < raw.len() {
            return Ok((COMPRESSED, packed));
        }
    }
    Ok((0, raw.to_vec()))
}

/// Largest chunks first, then smaller ones: the last piece is under 2,000 bytes.
fn cut(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    for size in CHUNKS {
        while bytes.len() >= size {
            let (chunk, rest) = bytes.split_at(size);
            out.push(chunk);
            bytes = rest;
        }
    }
    if !bytes.is_empty() || out.is_empty() {
        out.push(bytes);
    }
    out
}

fn spool_file(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let path = dir.join(name);
    if path.exists() {
        return Ok(());
    }
    let part = dir.join(format!("{name}.part"));
    let mut file = File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, &path)?;
    sync_folder(&path)
}

/// The stored head of a body: its flags, then its bytes or the name of its file.
fn stored(a: &dyn Access, id: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let mut out = None::<Vec<u8>>;
    a.scan(
        Tab::Bodies,
        &Span::prefix(Key::new().u64(id)),
        &mut |_, chunk| {
            out.get_or_insert_default().extend_from_slice(chunk);
            Ok(true)
        },
    )?;
    Ok(out)
}

/// A body, as it was put.
pub(crate) fn body(a: &dyn Access, id: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(stored) = stored(a, id)? else {
        return Ok(None);
    };
    let damaged = |why: &str| corrupt(Tab::Bodies.name(), &id.to_be_bytes(), why);
    let (flags, rest) = stored.split_first().ok_or_else(|| damaged("empty"))?;
    let packed = if flags & SPOOLED == 0 {
        rest.to_vec()
    } else {
        let name = std::str::from_utf8(rest).map_err(|_| damaged("bad name of a file"))?;
        let dir = a.env().spool.as_ref();
        let dir = dir.ok_or_else(|| damaged("it is in a spool folder, and none is set"))?;
        let bytes = std::fs::read(dir.join(name))
            .map_err(|e| damaged(&format!("its file `{name}` cannot be read: {e}")))?;
        if hex(&Sha256::digest(&bytes)) != name {
            return Err(damaged(&format!("its file `{name}` was changed")));
        }
        bytes
    };
    if flags & COMPRESSED == 0 {
        return Ok(Some(packed));
    }
    let mut raw = Vec::new();
    DeflateDecoder::new(packed.as_slice())
        .take(MAX_BODY)
        .read_to_end(&mut raw)
        .map_err(|e| damaged(&e.to_string()))?;
    Ok(Some(raw))
}

/// The spool file a body is in, if it is in one.
pub(crate) fn spooled(a: &dyn Access, id: u64) -> Result<Option<String>, StoreError> {
    let first = a.bytes(Tab::Bodies, &Key::new().u64(id).u32(0).0)?;
    Ok(first
        .filter(|c| c.first().is_some_and(|flags| flags & SPOOLED != 0))
        .and_then(|c| String::from_utf8(c[1..].to_vec()).ok()))
}

impl Tx<'_> {
    pub(crate) fn put_body(&mut self, raw: &[u8]) -> Result<u64, StoreError> {
        let (flags, packed) = pack(raw)?;
        let id = self.next("body")?;
        let dir = self.env().spool.clone();
        let head = match dir {
            Some(dir) if packed.len() > SPOOL_ABOVE => {
                let name = hex(&Sha256::digest(&packed));
                spool_file(&dir, &name, &packed).map_err(io_error)?;
                let path = dir.join(&name);
                self.unneeded.retain(|p| *p != path);
                let users = self.dynamic().number(Tab::SpoolFiles, name.as_bytes())?;
                self.put_number(Tab::SpoolFiles, name.as_bytes(), users.unwrap_or(0) + 1)?;
                [&[flags | SPOOLED], name.as_bytes()].concat()
            }
            _ => [&[flags], packed.as_slice()].concat(),
        };
        for (n, chunk) in (0_u32..).zip(cut(&head)) {
            self.put_bytes(Tab::Bodies, &Key::new().u64(id).u32(n).0, chunk)?;
        }
        Ok(id)
    }

    /// Removes files that a backup held back, unless a body is kept in them again.
    pub(crate) fn forget_files(&mut self, files: &[PathBuf]) -> Result<(), StoreError> {
        for file in files {
            let name = file.file_name().and_then(|name| name.to_str());
            if let Some(name) = name
                && !self.dynamic().has(Tab::SpoolFiles, name.as_bytes())?
            {
                self.unneeded.push(file.clone());
            }
        }
        Ok(())
    }

    pub(crate) fn drop_body(&mut self, id: u64) -> Result<(), StoreError> {
        if let Some(name) = spooled(self, id)? {
            let users = self.dynamic().number(Tab::SpoolFiles, name.as_bytes())?;
            match users.unwrap_or(0) {
                0 | 1 => {
                    self.del(Tab::SpoolFiles, name.as_bytes())?;
                    let path = self.env().spool.as_ref().map(|dir| dir.join(&name));
                    self.unneeded.extend(path);
                }
                n => self.put_number(Tab::SpoolFiles, name.as_bytes(), n - 1)?,
            }
        }
        let span = Span::prefix(Key::new().u64(id));
        for key in self.dynamic().keys(Tab::Bodies, &span, usize::MAX)? {
            self.del(Tab::Bodies, &key)?;
        }
        Ok(())
    }
}

/// Removes files of the spool folder that no committed body names: their commit never came.
pub(crate) fn sweep(engine: &Engine) -> Result<(), OpenError> {
    let Some(dir) = &engine.env.spool else {
        return Ok(());
    };
    let folder_error = |source| OpenError::Io {
        what: dir.display().to_string(),
        source,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(folder_error)? {
        let name = entry.map_err(folder_error)?.file_name();
        // Only names this file makes are touched.
        if let Some(name) = name.to_str() {
            let hash = name.strip_suffix(".part").unwrap_or(name);
            if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) {
                names.push(name.to_owned());
            }
        }
    }
    let unneeded = crate::migrate::read(engine, |rx| {
        let mut out = Vec::new();
        for name in &names {
            if !rx.dynamic().has(Tab::SpoolFiles, name.as_bytes())? {
                out.push(dir.join(name));
            }
        }
        Ok(out)
    })?;
    for path in unneeded {
        std::fs::remove_file(path).map_err(folder_error)?;
    }
    Ok(())
}

/// The numbers of all stored bodies.
pub(crate) fn all(a: &dyn Access) -> Result<std::collections::BTreeSet<u64>, StoreError> {
    let mut out = std::collections::BTreeSet::new();
    a.scan(Tab::Bodies, &Span::all(), &mut |key, _| {
        let id = key.first_chunk::<8>().map(|c| u64::from_be_bytes(*c));
        out.insert(id.map_or_else(|| tail_u64(Tab::Bodies.name(), key), Ok)?);
        Ok(true)
    })?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_add_up_and_stay_under_the_page_sizes() {
        for len in [0, 1, 1_999, 2_000, 9_000, 64_000, 64_001, 200_123] {
            let bytes = vec![7; len];
            let chunks = cut(&bytes);
            assert_eq!(chunks.concat(), bytes, "{len}");
            assert!(chunks.iter().all(|c| c.len() <= 64_000));
            assert!(chunks.last().is_some_and(|c| c.len() <= 64_000));
        }
        assert_eq!(cut(&[]).len(), 1);
    }
}
