//! A database looked into without being changed: reads come from the file, writes stay in memory and go with it. So a
//! file that a kill left behind, or one of an older version, opens as it would for an agent. Knows no tables.

use crate::disk::{Counted, Meter};
use crate::error::OpenError;
use redb::{BackendError, Builder, Database, StorageBackend};
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that are kept together.
const PART: u64 = 4096;

/// The file below, and what was written over it.
#[derive(Debug)]
pub(crate) struct Overlay {
    file: File,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// As the database sees it.
    len: u64,
    /// How much of the file still shows through: what was cut off stays cut off.
    below: u64,
    parts: BTreeMap<u64, Box<[u8]>>,
}

impl Overlay {
    /// Over a file that exists.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Self {
            file,
            state: Mutex::new(State {
                len,
                below: len,
                parts: BTreeMap::new(),
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One part as the database sees it.
    fn part(&self, state: &State, at: u64) -> io::Result<Box<[u8]>> {
        if let Some(part) = state.parts.get(&at) {
            return Ok(part.clone());
        }
        let mut bytes = vec![0; usize::try_from(PART).unwrap_or(4096)];
        let from = at * PART;
        let there = state.below.saturating_sub(from).min(PART);
        let there = usize::try_from(there).unwrap_or(0);
        self.file.read_exact_at(&mut bytes[..there], from)?;
        Ok(bytes.into_boxed_slice())
    }

    /// Calls `each` with every part that a stretch touches: its number, where in it the stretch begins and ends, and
    /// where that lies in the stretch.
    fn parts(
        offset: u64,
        len: usize,
        mut each: impl FnMut(u64, std::ops::Range<usize>, std::ops::Range<usize>) -> io::Result<()>,
    ) -> io::Result<()> {
        let small = |n: u64| usize::try_from(n).map_err(io::Error::other);
        let mut done = 0;
        while done < len {
            let at = offset + done as u64;
            let within = small(at % PART)?;
            let count = (small(PART)? - within).min(len - done);
            each(at / PART, within..within + count, done..done + count)?;
            done += count;
        }
        Ok(())
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        if offset.saturating_add(out.len() as u64) > state.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let len = out.len();
        Self::parts(offset, len, |at, within, there| {
            out[there].copy_from_slice(&self.part(&state, at)?[within]);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        if len < state.len {
            state.below = state.below.min(len);
            let first_gone = len.div_ceil(PART);
            drop(state.parts.split_off(&first_gone));
            if !len.is_multiple_of(PART)
                && let Some(last) = state.parts.get_mut(&(len / PART))
            {
                last[usize::try_from(len % PART).map_err(io::Error::other)?..].fill(0);
            }
        }
        state.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.len = state.len.max(offset.saturating_add(data.len() as u64));
        Self::parts(offset, data.len(), |at, within, there| {
            let mut part = self.part(&state, at)?;
            part[within].copy_from_slice(&data[there]);
            state.parts.insert(at, part);
            Ok(())
        })
    }

    /// Shared: an agent that runs on the file keeps it to itself, and none may start on it meanwhile.
    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        match self.file.try_lock_shared() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.try_lock_range(start, end)
    }
    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Err(BackendError::Unsupported)
    }
    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Err(BackendError::Unsupported)
    }
    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        // Given back with the file.
        Ok(())
    }
    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Err(BackendError::Unsupported)
    }
}

/// Reads every page of a database and proves its checksums, without changing the file. Takes about a second a gigabyte
/// that is in memory already, and as long as the disk needs otherwise.
///
/// # Errors
/// As opening would say; [`OpenError::Damaged`] also where opening would not have noticed.
pub fn check_file(path: &Path, cache_bytes: usize) -> Result<(), OpenError> {
    let what = path.display().to_string();
    let overlay = Overlay::open(path).map_err(|source| OpenError::Io {
        what: what.clone(),
        source,
    })?;
    let damaged = |why: String| OpenError::Damaged {
        what: what.clone(),
        why,
    };
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes);
    // Pages that make no sense can end the engine with a panic; nothing but its own memory is left behind.
    let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        look(&builder, overlay, &what)
    }));
    match looked {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(damaged("a checksum does not fit its page".to_owned())),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(damaged("its pages contradict each other".to_owned())),
    }
}

fn look(builder: &Builder, overlay: Overlay, what: &str) -> Result<bool, OpenError> {
    let counted = Counted {
        inner: Box::new(overlay),
        meter: Arc::new(Meter::default()),
    };
    let mut db = builder
        .create_with_backend(counted)
        .map_err(|error| crate::store::database_error(error, what))?;
    db.check_integrity()
        .map_err(|error| crate::store::database_error(error, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_file_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let before: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &before).unwrap();
        let overlay = Overlay::open(&path).unwrap();
        let mut wanted = before.clone();
        wanted[4_000..4_200].fill(7);
        overlay.write(4_000, &[7; 200]).unwrap();
        let mut read = vec![0; 10_000];
        overlay.read(0, &mut read).unwrap();
        assert_eq!(read, wanted);

        // Cut off and made longer again: zeros, not what lies in the file.
        overlay.set_len(4_100).unwrap();
        overlay.set_len(20_000).unwrap();
        wanted.truncate(4_100);
        wanted.resize(20_000, 0);
        let mut read = vec![1; 20_000];
        overlay.read(0, &mut read).unwrap();
        assert_eq!(read, wanted);
        assert!(overlay.read(19_999, &mut [0; 2]).is_err());
        overlay.write(30_000, b"end").unwrap();
        assert_eq!(overlay.len().unwrap(), 30_003);
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}
