//! One writer: requests that wait together share a commit. When one closure of a group fails, the transaction is
//! dropped and the group is redone one by one, so that only the bad one fails. Owns commit flags and the poisoned state;
//! knows nothing of rows.

use crate::access::{Env, Tx};
use crate::disk::Meter;
use crate::error::StoreError;
use redb::Database;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most requests of one commit.
const GROUP: usize = 256;
/// Most requests that may wait.
pub(crate) const QUEUE: usize = 8_192;
/// How long a group of two or more waits once for others.
const MERGE: Duration = Duration::from_millis(2);

/// When a commit says which pages are free.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quick {
    /// Always, up to this length of the file.
    pub(crate) below: u64,
    /// Else so many times in a row, and once more each second.
    pub(crate) in_a_row: u32,
    /// Else in a commit of its own, once nothing came for that long.
    pub(crate) after: Option<Duration>,
}

/// How many commits to a long file may still say which pages are free.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    left: u32,
    /// Up to when the seconds are counted.
    counted: Instant,
}

impl Allowance {
    pub(crate) fn full(quick: Quick) -> Self {
        Self {
            left: quick.in_a_row,
            counted: timer(),
        }
    }

    fn take(&mut self, quick: Quick, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.counted).as_secs();
        self.counted += Duration::from_secs(seconds);
        self.left = u32::try_from(seconds)
            .unwrap_or(u32::MAX)
            .saturating_add(self.left)
            .min(quick.in_a_row);
        let any = self.left > 0;
        self.left = self.left.saturating_sub(1);
        any
    }
}

/// The database and what is counted about it.
pub(crate) struct Engine {
    pub(crate) db: Database,
    pub(crate) env: Arc<Env>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) quick: Quick,
    pub(crate) allowance: Mutex<Allowance>,
    /// The last commit did not say which pages are free.
    pub(crate) slow_to_open: AtomicBool,
    pub(crate) commits: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) waiting: AtomicUsize,
    pub(crate) poisoned: AtomicBool,
    /// Backups under way: files of bodies stay while there is one.
    pub(crate) holds: AtomicUsize,
    /// Files that became unneeded meanwhile.
    pub(crate) held: Mutex<Vec<PathBuf>>,
}

/// Keeps every file of a body where it is. To be made before the read that names them begins.
pub(crate) struct Hold<'e>(&'e Engine);

impl<'e> Hold<'e> {
    pub(crate) fn new(engine: &'e Engine) -> Self {
        engine.holds.fetch_add(1, Ordering::SeqCst);
        Self(engine)
    }

    /// The files that became unneeded, once nobody holds them any more.
    pub(crate) fn release(self) -> Vec<PathBuf> {
        let engine = self.0;
        drop(self);
        if engine.holds.load(Ordering::SeqCst) > 0 {
            return Vec::new();
        }
        std::mem::take(&mut *engine.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.holds.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A closure that waits for its commit.
pub(crate) trait Request: Send {
    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError>;
    fn answer(&mut self, outcome: Result<(), StoreError>);
}

pub(crate) enum Reply<R> {
    Task(tokio::sync::oneshot::Sender<Result<R, StoreError>>),
    Thread(SyncSender<Result<R, StoreError>>),
}

pub(crate) struct Pending<R, F> {
    pub(crate) f: F,
    pub(crate) result: Option<R>,
    pub(crate) reply: Option<Reply<R>>,
}

impl<R, F> Request for Pending<R, F>
where
    F: Fn(&mut Tx<'_>) -> Result<R, StoreError> + Send,
    R: Send,
{
    fn apply(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        self.result = Some((self.f)(tx)?);
        Ok(())
    }
    fn answer(&mut self, outcome: Result<(), StoreError>) {
        let result = outcome.and_then(|()| self.result.take().ok_or(StoreError::Closed));
        // Whoever asked may have gone; the commit stands.
        match self.reply.take() {
            Some(Reply::Task(reply)) => drop(reply.send(result)),
            Some(Reply::Thread(reply)) => drop(reply.send(result)),
            None => {}
        }
    }
}

/// A group that was not committed.
enum Failed {
    /// One closure said no: the others may be redone.
    Member(StoreError),
    /// The database did: nobody's write happened.
    Engine(StoreError),
}

impl Engine {
    /// Runs until every sender is gone.
    pub(crate) fn run(&self, queue: &Receiver<Box<dyn Request>>) {
        loop {
            let first = match self.quick.after {
                Some(quiet) if self.slow_to_open.load(Ordering::Relaxed) => {
                    queue.recv_timeout(quiet)
                }
                _ => queue.recv().map_err(RecvTimeoutError::from),
            };
            let first = match first {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => {
                    self.make_quick_to_open();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut group = vec![first];
            group.extend(queue.try_iter().take(GROUP - 1));
            if group.len() > 1 && group.len() < GROUP {
                // Others are active: those about to ask share this commit. A lone writer never waits.
                group.extend(queue.recv_timeout(MERGE));
                group.extend(queue.try_iter().take(GROUP.saturating_sub(group.len())));
            }
            self.waiting.fetch_sub(group.len(), Ordering::Relaxed);
            self.settle(&mut group);
        }
    }

    fn settle(&self, group: &mut [Box<dyn Request>]) {
        let outcome = match self.commit(group) {
            Ok(()) => Ok(()),
            Err(Failed::Member(_)) if group.len() > 1 => {
                for request in group {
                    self.settle(std::slice::from_mut(request));
                }
                return;
            }
            Err(Failed::Member(error) | Failed::Engine(error)) => Err(error),
        };
        for request in group {
            request.answer(outcome.clone());
        }
    }

    /// Runs one closure on the caller's thread, in a commit of its own.
    pub(crate) fn inline<R, F>(&self, f: &F) -> Result<R, StoreError>
    where
        F: Fn(&mut Tx<'_>) -> Result<R, StoreError>,
    {
        let mut result = None;
        self.transact(1, |tx| {
            result = Some(f(tx)?);
            Ok(())
        })
        .map_err(|failed| match failed {
            Failed::Member(error) | Failed::Engine(error) => error,
        })?;
        result.ok_or(StoreError::Closed)
    }

    fn commit(&self, group: &mut [Box<dyn Request>]) -> Result<(), Failed> {
        self.transact(group.len(), |tx| {
            for request in &mut *group {
                tx.latest = None;
                request.apply(tx)?;
            }
            Ok(())
        })
    }

    fn transact(
        &self,
        writes: usize,
        mut apply: impl FnMut(&mut Tx<'_>) -> Result<(), StoreError>,
    ) -> Result<(), Failed> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Failed::Engine(StoreError::Poisoned));
        }
        let mut txn = self.db.begin_write().map_err(|e| self.engine(e.into()))?;
        txn.set_two_phase_commit(true);
        let quick = self.is_quick();
        txn.set_quick_repair(quick);
        let mut tx = Tx::new(&txn, &self.env);
        // The transaction of a closure that panicked is dropped whole, so no half-done state is seen afterwards.
        let outcome = catch_unwind(AssertUnwindSafe(|| apply(&mut tx)))
            .unwrap_or_else(|panic| Err(StoreError::Panicked(words(panic.as_ref()))));
        let unneeded = std::mem::take(&mut tx.unneeded);
        drop(tx);
        if let Err(error) = outcome {
            drop(txn);
            let disk = self.note(&error);
            return Err(if disk {
                Failed::Engine(error)
            } else {
                Failed::Member(error)
            });
        }
        let started = timer();
        txn.commit().map_err(|e| self.engine(e.into()))?;
        self.meter.commit_took(started.elapsed());
        self.slow_to_open.store(!quick, Ordering::Relaxed);
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(writes as u64, Ordering::Relaxed);
        // A backup that begins after this commit does not name them any more.
        if self.holds.load(Ordering::SeqCst) > 0 {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.extend(unneeded);
        } else {
            remove(&unneeded);
        }
        Ok(())
    }

    /// Whether the next commit says which pages are free.
    fn is_quick(&self) -> bool {
        self.meter.length.load(Ordering::Relaxed) < self.quick.below
            || self
                .allowance
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(self.quick, timer())
    }

    /// A commit of nothing but which pages are free: a kill from here on costs no walk through the file.
    fn make_quick_to_open(&self) {
        self.slow_to_open.store(false, Ordering::Relaxed);
        let committed = || {
            let mut txn = self.db.begin_write().map_err(StoreError::from)?;
            txn.set_two_phase_commit(true);
            txn.set_quick_repair(true);
            txn.commit().map_err(StoreError::from)
        };
        match committed() {
            Ok(()) => drop(self.commits.fetch_add(1, Ordering::Relaxed)),
            Err(error) => {
                // The next write says so to whoever asked for it.
                self.note(&error);
                tracing::error!(%error, "The database could not be made quick to open.");
            }
        }
    }

    fn engine(&self, error: StoreError) -> Failed {
        self.note(&error);
        Failed::Engine(error)
    }

    /// Remembers a disk failure: the database takes no more writes until it is opened again.
    fn note(&self, error: &StoreError) -> bool {
        let disk = matches!(error, StoreError::Io(_) | StoreError::Poisoned);
        if disk {
            self.poisoned.store(true, Ordering::Release);
        }
        disk
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long the disk takes is shown to people; nothing is decided by it"
)]
fn timer() -> Instant {
    Instant::now()
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// A file that stays behind costs space until the next start sweeps it; nothing refers to it any more.
fn remove(files: &[PathBuf]) {
    for file in files {
        if let Err(error) = std::fs::remove_file(file) {
            tracing::warn!(file = %file.display(), %error, "Body file not removed.");
        }
    }
}
