//! `blob`: bytes kept by the host for a guest, within one call. Small ones lie in memory; the rest in a file without a
//! name, which is gone with the call and with the process. What is larger than allowed is refused by ending the call.

use crate::ports::PortError;
use crate::state::CallState;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use wasmtime::component::Resource;

/// Bytes of a guest that need not fit its memory.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Spool {
    kept: Kept,
    len: u64,
    folder: Option<PathBuf>,
}

enum Kept {
    Memory(Vec<u8>),
    File(File),
}

/// Most bytes of one read.
const READ: usize = 8 << 20;
/// Bytes that stay in memory.
const SMALL: usize = 64 << 10;

impl Spool {
    /// An empty one, whose file will lie in that folder; without one, where the system keeps such files.
    pub(crate) fn new(folder: Option<&Path>) -> Self {
        Self {
            kept: Kept::Memory(Vec::new()),
            len: 0,
            folder: folder.map(Path::to_owned),
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Adds bytes at the end.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Kept::Memory(kept) = &mut self.kept
            && kept.len() + bytes.len() > SMALL
        {
            let mut file = match &self.folder {
                Some(folder) => tempfile::tempfile_in(folder)?,
                None => tempfile::tempfile()?,
            };
            file.write_all(kept)?;
            self.kept = Kept::File(file);
        }
        match &mut self.kept {
            Kept::Memory(kept) => kept.extend_from_slice(bytes),
            Kept::File(file) => {
                file.seek(SeekFrom::Start(self.len))?;
                file.write_all(bytes)?;
            }
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Bytes from there on, fewer at the end.
    pub(crate) fn read(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let left = self.len.saturating_sub(offset);
        let len = len.min(usize::try_from(left).unwrap_or(usize::MAX));
        match &self.kept {
            Kept::Memory(kept) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let end = start.saturating_add(len);
                Ok(kept.get(start..end).unwrap_or_default().to_vec())
            }
            Kept::File(file) => {
                let mut file = file;
                file.seek(SeekFrom::Start(offset.min(self.len)))?;
                let mut bytes = vec![0; len];
                file.read_exact(&mut bytes)?;
                Ok(bytes)
            }
        }
    }
}

/// A full disk is the machine's fault, not the guest's.
fn disk<T>(state: &mut CallState, result: io::Result<T>) -> wasmtime::Result<T> {
    let told = |e: io::Error| PortError(format!("no room for a connector's file: {e}"));
    state.port(result.map_err(told))
}

pub(crate) fn new(state: &mut CallState) -> wasmtime::Result<Resource<Spool>> {
    let visitor = state.visitor("blob.spool")?;
    keep(state, Spool::new(visitor.bound.ports.spools.as_deref()))
}

/// Hands a spool to the guest.
pub(crate) fn keep(state: &mut CallState, spool: Spool) -> wasmtime::Result<Resource<Spool>> {
    let len = spool.len();
    let kept = state
        .table
        .push(spool)
        .map_err(|e| state.broke(format!("made too many spools: {e}")))?;
    state.spooled += len;
    Ok(kept)
}

pub(crate) fn append(
    state: &mut CallState,
    spool: &Resource<Spool>,
    bytes: &[u8],
) -> wasmtime::Result<()> {
    let spooled = state.spooled.saturating_add(bytes.len() as u64);
    let most = state.limits.spooled;
    if spooled > most {
        return Err(state.broke(format!(
            "gave {spooled} bytes to spools; at most {most} are taken"
        )));
    }
    let written = state.table.get_mut(spool)?.append(bytes);
    disk(state, written)?;
    state.spooled = spooled;
    Ok(())
}

pub(crate) fn len(state: &CallState, spool: &Resource<Spool>) -> wasmtime::Result<u64> {
    Ok(state.table.get(spool)?.len())
}

pub(crate) fn read(
    state: &mut CallState,
    spool: &Resource<Spool>,
    offset: u64,
    len: u32,
) -> wasmtime::Result<Vec<u8>> {
    let len = usize::try_from(len).unwrap_or(READ).min(READ);
    let bytes = state.table.get(spool)?.read(offset, len);
    disk(state, bytes)
}

pub(crate) fn drop(state: &mut CallState, spool: Resource<Spool>) -> wasmtime::Result<()> {
    let gone = state.table.delete(spool)?;
    state.spooled = state.spooled.saturating_sub(gone.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_reads_what_was_written_wherever_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(Some(folder.path()));
        let mut all = Vec::new();
        for piece in 0..40_u8 {
            let bytes = vec![piece; 5_000];
            spool.append(&bytes).unwrap();
            all.extend(bytes);
            let at = spool.len() - 5_003_u64.min(spool.len());
            let tail = spool.read(at, 10_000).unwrap();
            assert_eq!(tail, all[usize::try_from(at).unwrap()..]);
        }
        assert!(matches!(spool.kept, Kept::File(_)));
        assert_eq!(spool.read(0, 200_000).unwrap(), all);
        assert!(spool.read(200_000, 1).unwrap().is_empty());
        assert!(spool.read(u64::MAX, 1).unwrap().is_empty());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
