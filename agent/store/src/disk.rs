//! The file under the database, with its syncs and bytes counted. Knows nothing of what is in it.

use crate::rows::COMMIT_BOUNDS_MS;
use redb::{BackendError, StorageBackend};
use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counted since the store was opened.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pub(crate) syncs: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) length: AtomicU64,
    commits_within: [AtomicU64; COMMIT_BOUNDS_MS.len()],
    commit_micros: AtomicU64,
}

impl Meter {
    /// Counts a commit that took that long.
    pub(crate) fn commit_took(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.commit_micros.fetch_add(micros, Ordering::Relaxed);
        for (bound, count) in COMMIT_BOUNDS_MS.iter().zip(&self.commits_within) {
            if micros <= bound * 1_000 {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Commits within each bound, and how long all of them took in microseconds.
    pub(crate) fn commit_times(&self) -> ([u64; COMMIT_BOUNDS_MS.len()], u64) {
        let within = std::array::from_fn(|n| self.commits_within[n].load(Ordering::Relaxed));
        (within, self.commit_micros.load(Ordering::Relaxed))
    }
}

/// A backend that counts.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) inner: Box<dyn StorageBackend>,
    pub(crate) meter: Arc<Meter>,
}

impl StorageBackend for Counted {
    fn len(&self) -> io::Result<u64> {
        let length = self.inner.len()?;
        self.meter.length.store(length, Ordering::Relaxed);
        Ok(length)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)?;
        self.meter.length.store(len, Ordering::Relaxed);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        self.meter.syncs.fetch_add(1, Ordering::Relaxed);
        self.inner.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.meter
            .bytes
            .fetch_add(data.len() as u64, Ordering::Relaxed);
        self.inner.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }
    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }
    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }
    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }
    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }
    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}
