//! What is only known while the agent runs: builds in memory, what the folder held, which files were refused. All of it
//! comes again from the folder and the store after a start.

use super::port::{Build, Refusal, Seen};
use super::times::Times;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use waybill_model::ids::Millis;

/// A file that was refused. It is not looked at again while it holds the same bytes, unless `again_at` comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) hash: Option<String>,
    /// Its connector, where it got far enough to say so.
    pub(crate) connector: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) why: Refusal,
    pub(crate) at: Millis,
    pub(crate) again_at: Option<Millis>,
}

#[derive(Default)]
struct State {
    /// By hash: what is at work, and what one may have to go back to at once.
    loaded: BTreeMap<String, Arc<dyn Build>>,
    files: Vec<Seen>,
    folder: Option<Refusal>,
    refused: BTreeMap<String, Refused>,
    wanted: bool,
}

#[derive(Default)]
pub(crate) struct Swaps {
    state: Mutex<State>,
    /// How long hand-overs took.
    pub(crate) times: Times,
}

impl Swaps {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder is to be looked at.
    pub(crate) fn want(&self) {
        self.lock().wanted = true;
    }

    /// The folder is being looked at. What is due by now is tried again in this look, and not in a second one.
    pub(crate) fn begin_look(&self, now: Millis) {
        let mut state = self.lock();
        state.wanted = false;
        state
            .refused
            .retain(|_, r| r.again_at.is_none_or(|at| at > now));
    }

    /// When to look at the folder; `None`: when something happens.
    pub(crate) fn next_due(&self, now: Millis) -> Option<Millis> {
        let state = self.lock();
        if state.wanted {
            return Some(now);
        }
        state.refused.values().filter_map(|r| r.again_at).min()
    }

    /// What the folder holds now. Refusals of files that are gone are forgotten.
    pub(crate) fn saw(&self, files: Result<Vec<Seen>, Refusal>) {
        let mut state = self.lock();
        match files {
            Ok(files) => {
                // A build that was loaded may have been refused for another file's sake.
                let same = files == state.files;
                let is_there = |file: &String| files.iter().any(|f| f.file == *file);
                state
                    .refused
                    .retain(|file, r| is_there(file) && (same || r.connector.is_none()));
                state.files = files;
                state.folder = None;
            }
            Err(why) => state.folder = Some(why),
        }
    }

    pub(crate) fn files(&self) -> (Vec<Seen>, Option<Refusal>) {
        let state = self.lock();
        (state.files.clone(), state.folder.clone())
    }

    pub(crate) fn refuse(&self, file: &str, refused: Refused) {
        self.lock().refused.insert(file.to_owned(), refused);
    }

    /// Whether this file was refused with these bytes and is not to be tried again yet.
    pub(crate) fn is_refused(&self, file: &str, hash: Option<&str>, now: Millis) -> bool {
        self.lock().refused.get(file).is_some_and(|refused| {
            refused.hash.as_deref() == hash && refused.again_at.is_none_or(|at| at > now)
        })
    }

    /// Takes a refusal back: the file is fine, or is to be tried again.
    pub(crate) fn clear(&self, file: &str) -> bool {
        self.lock().refused.remove(file).is_some()
    }

    pub(crate) fn refusals(&self) -> BTreeMap<String, Refused> {
        self.lock().refused.clone()
    }

    pub(crate) fn keep_loaded(&self, build: Arc<dyn Build>) {
        let hash = build.hash().to_owned();
        self.lock().loaded.insert(hash, build);
    }

    pub(crate) fn loaded(&self, hash: &str) -> Option<Arc<dyn Build>> {
        self.lock().loaded.get(hash).cloned()
    }

    /// Lets go of every build but these.
    pub(crate) fn keep_only(&self, keep: impl Fn(&str) -> bool) {
        self.lock().loaded.retain(|hash, _| keep(hash));
    }
}
