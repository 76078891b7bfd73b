//! A disk in memory that can lose power. Writes count as durable only after a sync; a crash keeps, drops, tears or
//! reorders the others, as its seed says. Deterministic: the same seed and calls give the same image.

use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What becomes of unsynced writes in a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// None reached the disk.
    All,
    /// All did, the last one to its half.
    Torn,
    /// Some did, whichever the seed picks, in another order, each possibly torn.
    Some,
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

#[derive(Debug)]
struct State {
    durable: Vec<u8>,
    now: Vec<u8>,
    unsynced: Vec<Change>,
    syncs: u64,
    freeze_at: Option<u64>,
    fail_at: Option<u64>,
    frozen: bool,
    failed: bool,
    random: u64,
}

/// The disk. Clones share it.
#[derive(Debug, Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> Self {
        Self::with_image(seed, Vec::new())
    }

    /// A disk that holds an image, for example that of a crash.
    pub fn with_image(seed: u64, image: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State {
            durable: image.clone(),
            now: image,
            unsynced: Vec::new(),
            syncs: 0,
            freeze_at: None,
            fail_at: None,
            frozen: false,
            failed: false,
            random: seed,
        })))
    }

    /// For `Place::Backend`.
    pub fn backend(&self) -> Box<dyn StorageBackend> {
        Box::new(self.clone())
    }

    /// Syncs so far.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// The `n`-th sync, counted from 1 since the disk was made, and everything after it do not reach the disk. Calls
    /// go on as if they did: whoever runs must look at `frozen` and take nothing after it for done.
    pub fn freeze_at(&self, n: u64) {
        self.state().freeze_at = Some(n);
    }

    /// The `n`-th sync and every write and sync after it answer an error.
    pub fn fail_at(&self, n: u64) {
        self.state().fail_at = Some(n);
    }

    /// Freezes now.
    pub fn freeze(&self) {
        self.state().frozen = true;
    }

    /// Whether the power is out.
    pub fn frozen(&self) -> bool {
        self.state().frozen
    }

    /// The image a crash leaves; the seed picks how unsynced writes are lost.
    pub fn crash(&self) -> Vec<u8> {
        let mut state = self.state();
        let loss = match state.next() % 3 {
            0 => Loss::All,
            1 => Loss::Torn,
            _ => Loss::Some,
        };
        state.image(loss)
    }

    /// The image a crash with that loss leaves.
    pub fn crash_with(&self, loss: Loss) -> Vec<u8> {
        self.state().image(loss)
    }

    /// All bytes as a reader sees them now.
    pub fn bytes(&self) -> Vec<u8> {
        self.state().now.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere does not change what is on a disk.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn apply(image: &mut Vec<u8>, change: &Change, keep: usize) {
    match change {
        Change::Length(len) => image.resize(index(*len), 0),
        Change::Write(offset, data) => {
            let data = &data[..keep.min(data.len())];
            let start = index(*offset);
            if image.len() < start + data.len() {
                image.resize(start + data.len(), 0);
            }
            image[start..start + data.len()].copy_from_slice(data);
        }
    }
}

fn index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

impl State {
    /// `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn image(&mut self, loss: Loss) -> Vec<u8> {
        let mut image = self.durable.clone();
        let mut changes = self.unsynced.clone();
        match loss {
            Loss::All => {}
            Loss::Torn => {
                let last = changes.len().saturating_sub(1);
                for (n, change) in changes.iter().enumerate() {
                    let keep = match change {
                        Change::Write(_, data) if n == last => data.len() / 2,
                        _ => usize::MAX,
                    };
                    apply(&mut image, change, keep);
                }
            }
            Loss::Some => {
                // Lengths keep their order: file systems journal them.
                for change in changes.iter().filter(|c| matches!(c, Change::Length(_))) {
                    apply(&mut image, change, usize::MAX);
                }
                changes.retain(|c| matches!(c, Change::Write(..)));
                for n in (1..changes.len()).rev() {
                    let other = index(self.next() % (n as u64 + 1));
                    changes.swap(n, other);
                }
                for change in &changes {
                    let keep = match self.next() % 4 {
                        0 | 1 => usize::MAX,
                        // A sector is written whole.
                        2 => index(self.next() % 8) * 512,
                        _ => continue,
                    };
                    apply(&mut image, change, keep);
                }
            }
        }
        image
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        if self.failed {
            return Err(gone());
        }
        apply(&mut self.now, &change, usize::MAX);
        // What is written after the power went out was never written.
        if !self.frozen {
            self.unsynced.push(change);
        }
        Ok(())
    }
}

fn gone() -> io::Error {
    io::Error::other("the simulated disk failed")
}

impl StorageBackend for SimDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let start = index(offset);
        let bytes = start
            .checked_add(out.len())
            .and_then(|end| state.now.get(start..end))
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.state().change(Change::Length(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        state.syncs += 1;
        if state.fail_at.is_some_and(|n| state.syncs >= n) {
            state.failed = true;
            return Err(gone());
        }
        if state.freeze_at.is_some_and(|n| state.syncs >= n) {
            state.frozen = true;
        }
        if !state.frozen {
            let changes = std::mem::take(&mut state.unsynced);
            for change in &changes {
                apply(&mut state.durable, change, usize::MAX);
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.state().change(Change::Write(offset, data.to_vec()))
    }
}
