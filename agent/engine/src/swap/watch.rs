//! Watching builds at work: how long their calls take, how many requests a batch costs, and what goes bad while a build
//! is on trial. It counts what `watched.rs` sees and says what is due; what follows from it is `undo.rs`'s.

use super::samples::{Kind, Samples};
use super::trial::{BAD_MOST, Live};
use crate::event::Event;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::UnboundedSender;
use waybill_host::ports::Clock;
use waybill_model::ids::{ConnectionId, Generation, Millis};

#[derive(Default)]
struct State {
    trials: BTreeMap<String, Live>,
    samples: BTreeMap<Generation, Samples>,
    longest: BTreeMap<(Generation, ConnectionId), Millis>,
    /// Builds that were left, by itself or by a person. Their last batches may end later.
    left: BTreeSet<Generation>,
}

impl State {
    fn forget(&mut self, generation: Generation) {
        self.samples.remove(&generation);
        self.longest.retain(|(of, _), _| *of != generation);
    }
}

/// What is counted while the agent runs; only bad batches outlive it.
pub(crate) struct Watch {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Wakes the loop when a trial has something to be judged.
    events: UnboundedSender<Event>,
}

/// What a call came to, as far as it is watched.
pub(super) struct Seen {
    pub(super) kind: Kind,
    /// Members; `None`: the call does not count as a batch.
    pub(super) members: Option<usize>,
    /// Whether its requests may be held against those of other batches.
    pub(super) first: bool,
    pub(super) requests: usize,
    /// How many of them asked what the same call had asked and was told already.
    pub(super) repeated: usize,
    pub(super) bad: Option<String>,
    pub(super) failed: bool,
}

/// A call under way.
pub(super) struct Noted {
    pub(super) connection: ConnectionId,
    pub(super) began: Millis,
    pub(super) attempt: u32,
}

impl Watch {
    pub(crate) fn new(clock: Arc<dyn Clock>, events: UnboundedSender<Event>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
            events,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A trial begins, or goes on after a start.
    pub(crate) fn begin(
        &self,
        id: &str,
        generation: Generation,
        before: Generation,
        since: Millis,
        bad: Vec<String>,
    ) {
        let live = Live::new(generation, before, since, bad);
        let mut state = self.lock();
        if let Some(old) = state.trials.insert(id.to_owned(), live) {
            for gone in [old.before, old.generation] {
                if gone != before && gone != generation {
                    state.forget(gone);
                }
            }
        }
    }

    /// The trial of this build is over: what the build before it usually made holds for this one as well.
    pub(crate) fn end(&self, id: &str, generation: Generation) {
        let mut state = self.lock();
        if state
            .trials
            .get(id)
            .is_some_and(|live| live.generation == generation)
            && let Some(live) = state.trials.remove(id)
        {
            let mut usual = state.samples.remove(&live.before).unwrap_or_default();
            usual.extend(state.samples.remove(&generation).unwrap_or_default());
            state.samples.insert(generation, usual);
            state.forget(live.before);
        }
    }

    /// This build is left: the one before is watched as before.
    pub(crate) fn left(&self, id: &str, generation: Generation) {
        let mut state = self.lock();
        state.forget(generation);
        state.left.insert(generation);
        state.trials.remove(id);
    }

    /// Trials with something to be judged.
    pub(crate) fn due_trials(&self, now: Millis) -> Vec<String> {
        let state = self.lock();
        let due = state.trials.iter().filter(|(_, live)| live.is_due(now));
        due.map(|(id, _)| id.clone()).collect()
    }

    /// When the next trial ends at the latest.
    pub(crate) fn next_end(&self) -> Option<Millis> {
        let state = self.lock();
        state.trials.values().map(Live::ends_at).min()
    }

    /// The bad ones of a trial are stored up to there.
    pub(crate) fn told(&self, id: &str, generation: Generation, bad: usize) {
        if let Some(live) = self.lock().trials.get_mut(id)
            && live.generation == generation
        {
            live.told = live.told.max(bad);
        }
    }

    /// The trial of a connector.
    pub(crate) fn trial(&self, id: &str) -> Option<Live> {
        self.lock().trials.get(id).cloned()
    }

    /// Whether what goes wrong is this build's own fault before anybody else's: it is on trial, or was left.
    pub(crate) fn is_doubted(&self, generation: Generation) -> bool {
        let state = self.lock();
        let mut trials = state.trials.values();
        state.left.contains(&generation) || trials.any(|l| l.generation == generation)
    }

    /// Whether this build is on trial.
    pub(super) fn is_on_trial(&self, id: &str, generation: Generation) -> bool {
        let state = self.lock();
        let trial = state.trials.get(id);
        trial.is_some_and(|live| live.generation == generation)
    }

    /// When a call begins.
    pub(super) fn now(&self) -> Millis {
        self.clock.now_ms()
    }

    /// The longest call of a build for a connection.
    pub(crate) fn longest(&self, generation: Generation, connection: ConnectionId) -> Option<u64> {
        let longest = self.lock().longest.get(&(generation, connection)).copied();
        longest.and_then(|ms| u64::try_from(ms).ok())
    }

    pub(super) fn note(&self, id: &str, generation: Generation, call: &Noted, seen: Seen) {
        let now = self.clock.now_ms();
        let took = now.saturating_sub(call.began).max(0);
        let mut guard = self.lock();
        let state = &mut *guard;
        let longest = state
            .longest
            .entry((generation, call.connection))
            .or_default();
        *longest = (*longest).max(took);
        let comparable = seen.members.filter(|_| seen.first && !seen.failed);
        let before = comparable.and_then(|members| {
            let live = state
                .trials
                .get(id)
                .filter(|l| l.generation == generation)?;
            let samples = state.samples.get(&live.before)?;
            samples.usual(call.connection, seen.kind, members)
        });
        if let Some(members) = comparable {
            let own = state.samples.entry(generation).or_default();
            own.add(call.connection, seen.kind, members, seen.requests);
            own.note_repeated(seen.kind, seen.repeated);
        }
        let Some(live) = state
            .trials
            .get_mut(id)
            .filter(|l| l.generation == generation)
        else {
            return;
        };
        let repeats = |samples: &Samples| samples.repeats(seen.kind);
        let usual = state.samples.get(&live.before).is_some_and(repeats);
        if let Some(bad) = seen.bad {
            live.blame(seen.kind, bad);
        } else if comparable.is_some() && seen.repeated * 3 > seen.requests && !usual {
            let (kind, repeated, requests) = (seen.kind, seen.repeated, seen.requests);
            let bad = format!("{kind}: {repeated} of {requests} requests asked the same again");
            live.bad.push(bad);
        } else if !seen.failed {
            live.praise(seen.kind, seen.members.is_some());
        }
        if let Some(usual) = before {
            live.hold_against(seen.kind, usual, seen.requests);
        }
        if live.bad.len() >= BAD_MOST {
            live.found_out.get_or_insert(now);
        }
        if live.is_due(now) {
            // The loop is gone only while the agent stops.
            drop(self.events.send(Event::Changed));
        }
    }
}
