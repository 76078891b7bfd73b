//! `blob`: bytes kept by the host for a guest, within one call. Small ones lie in memory; the rest in a file without a
//! name, which is gone with its last user and with the process. What is larger than allowed is refused by ending the call.

use crate::ports::PortError;
use crate::state::CallState;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
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
    /// Several spools may read it; whoever adds to it takes a copy.
    File(Arc<File>),
}

/// Most bytes of one read.
const READ: usize = 8 << 20;
/// Bytes that stay in memory.
const SMALL: usize = 64 << 10;
/// Bytes copied at once.
const PIECE: usize = 256 << 10;

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
            let kept = std::mem::take(kept);
            let file = self.file()?;
            file.write_all_at(&kept, 0)?;
            self.kept = Kept::File(Arc::new(file));
        }
        self.own()?;
        match &mut self.kept {
            Kept::Memory(kept) => kept.extend_from_slice(bytes),
            Kept::File(file) => file.write_all_at(bytes, self.len)?,
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// The same bytes once more, where they lie in a file: nothing is copied.
    pub(crate) fn share(&self) -> Option<Self> {
        let Kept::File(file) = &self.kept else {
            return None;
        };
        Some(Self {
            kept: Kept::File(Arc::clone(file)),
            len: self.len,
            folder: self.folder.clone(),
        })
    }

    fn file(&self) -> io::Result<File> {
        match &self.folder {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        }
    }

    /// Takes a copy of a file that others read as well.
    fn own(&mut self) -> io::Result<()> {
        let Kept::File(file) = &mut self.kept else {
            return Ok(());
        };
        if Arc::get_mut(file).is_some() {
            return Ok(());
        }
        let copy = self.file()?;
        let mut at = 0;
        while at < self.len {
            let piece = self.read(at, PIECE)?;
            copy.write_all_at(&piece, at)?;
            at += piece.len() as u64;
        }
        self.kept = Kept::File(Arc::new(copy));
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
                let mut bytes = vec![0; len];
                file.read_exact_at(&mut bytes, offset.min(self.len))?;
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

    #[test]
    fn whoever_adds_to_a_shared_spool_changes_only_his_own() {
        let mut first = Spool::new(None);
        first.append(b"small").unwrap();
        assert!(first.share().is_none(), "it lies in memory");
        let bytes = vec![7; 3 * PIECE / 2];
        first.append(&bytes).unwrap();
        let (mut second, third) = (first.share().unwrap(), first.share().unwrap());
        second.append(b"theirs").unwrap();
        first.append(b"ours").unwrap();
        let end = |spool: &Spool, len: usize| spool.read(5 + bytes.len() as u64, len).unwrap();
        assert_eq!(end(&second, 10), b"theirs");
        assert_eq!(end(&first, 10), b"ours");
        assert!(end(&third, 10).is_empty());
        assert_eq!(third.read(0, 6).unwrap(), b"small\x07");
    }
}
