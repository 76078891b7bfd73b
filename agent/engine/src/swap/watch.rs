//! Watching builds at work: how long their calls take, how many requests a batch costs, and what goes bad while a build
//! is on trial. It counts and says what is due; what follows from it is `undo.rs`'s.

use super::samples::{Kind, Samples};
use super::trial::{BAD_MOST, Live};
use crate::event::Event;
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::UnboundedSender;
use waybill_host::connector::{Answer, Call, CallError, Connector, Received};
use waybill_host::knock::Knock;
use waybill_host::ports::Clock;
use waybill_model::contract::{
    ChoicePage, Delivered, Delivery, Descriptor, Exchange, Moment, Page, Pairs, Problem, Role,
    Scope, Settled, Verdict,
};
use waybill_model::document::{Document, Entity};
use waybill_model::ids::{ConnectionId, Generation, Millis};

/// Addresses up to this length are kept as a whole.
const WHOLE: usize = 4_000;

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
struct Seen {
    kind: Kind,
    /// Members; `None`: the call does not count as a batch.
    members: Option<usize>,
    /// Whether its requests may be held against those of other batches.
    first: bool,
    requests: usize,
    /// How many of them asked what the same call had asked and was told already.
    repeated: usize,
    bad: Option<String>,
    failed: bool,
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

    /// The longest call of a build for a connection.
    pub(crate) fn longest(&self, generation: Generation, connection: ConnectionId) -> Option<u64> {
        let longest = self.lock().longest.get(&(generation, connection)).copied();
        longest.and_then(|ms| u64::try_from(ms).ok())
    }

    fn note(&self, id: &str, generation: Generation, call: &Noted, seen: Seen) {
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
            live.bad.push(bad);
        } else if comparable.is_some() && seen.repeated * 3 > seen.requests && !usual {
            let (kind, repeated, requests) = (seen.kind, seen.repeated, seen.requests);
            let bad = format!("{kind}: {repeated} of {requests} requests asked the same again");
            live.bad.push(bad);
        } else if seen.members.is_some() && !seen.failed {
            live.good = live.good.saturating_add(1);
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

/// Requests of a call that an earlier one of it made as well, and that was answered well: the same is read again, or a
/// step is taken again.
fn repeated(exchanges: &[Exchange]) -> usize {
    let mut told = BTreeSet::new();
    let mut count = 0;
    for exchange in exchanges {
        let reads = exchange.method == "GET" && exchange.url.len() < WHOLE;
        let words = match &exchange.step {
            Some(step) => (step, &exchange.url),
            None if reads => (&exchange.method, &exchange.url),
            None => continue,
        };
        if told.contains(&words) && (reads || exchange.replayed) {
            count += 1;
        } else if (200..300).contains(&exchange.status) {
            told.insert(words);
        }
    }
    count
}

/// A call under way.
struct Noted {
    connection: ConnectionId,
    began: Millis,
    attempt: u32,
}

/// A bound connector whose calls are counted.
pub(crate) struct Watched {
    inner: Arc<dyn Connector>,
    watch: Arc<Watch>,
}

impl Watched {
    pub(crate) fn around(inner: Arc<dyn Connector>, watch: &Arc<Watch>) -> Arc<dyn Connector> {
        Arc::new(Self {
            inner,
            watch: Arc::clone(watch),
        })
    }

    fn begin(&self, call: &Call) -> Noted {
        Noted {
            connection: call.connection,
            began: self.watch.clock.now_ms(),
            attempt: call.context.attempt,
        }
    }

    /// Counts an answer. `members`: how many members the batch has or the page brought; `expected`: how many it must.
    fn note<T>(
        &self,
        call: &Noted,
        kind: Kind,
        answer: &Answer<T>,
        members: impl Fn(&T) -> (Option<usize>, Result<(), String>),
    ) {
        let (members, bad) = match &answer.value {
            Ok(value) => {
                let (members, fits) = members(value);
                (members, fits.err())
            }
            Err(error) => (Some(0), bad(error)),
        };
        let seen = Seen {
            kind,
            members,
            first: call.attempt <= 1,
            // Those that were answered from the journal as well: a build that asks for all it does twice asks twice.
            requests: answer.exchanges.len(),
            repeated: repeated(&answer.exchanges),
            bad: bad.map(|why| format!("{kind}: {why}")),
            failed: answer.value.is_err(),
        };
        let id = &self.inner.descriptor().id;
        self.watch.note(id, self.inner.generation(), call, seen);
    }

    fn note_batch<T>(&self, call: &Noted, kind: Kind, answer: &Answer<Vec<T>>, members: usize) {
        self.note(call, kind, answer, |verdicts| {
            let fits = if verdicts.len() == members {
                Ok(())
            } else {
                Err(format!("{} answers for {members} members", verdicts.len()))
            };
            (Some(members), fits)
        });
    }
}

/// What makes a batch a bad one: the connector's own fault, never the vendor's.
fn bad(error: &CallError) -> Option<String> {
    match error {
        CallError::Trapped(_)
        | CallError::TimedOut
        | CallError::OutOfMemory
        | CallError::Contract(_) => Some(crate::calls::sentence(error)),
        CallError::Failure(_) | CallError::Host(_) => None,
    }
}

fn found(documents: usize) -> (Option<usize>, Result<(), String>) {
    (Some(documents).filter(|n| *n > 0), Ok(()))
}

#[async_trait]
impl Connector for Watched {
    fn generation(&self) -> Generation {
        self.inner.generation()
    }
    fn descriptor(&self) -> &Descriptor {
        self.inner.descriptor()
    }
    fn roles(&self) -> &BTreeSet<Role> {
        self.inner.roles()
    }
    async fn validate(&self, call: Call) -> Answer<Vec<Problem>> {
        self.inner.validate(call).await
    }
    async fn probe(&self, call: Call) -> Answer<Pairs> {
        self.inner.probe(call).await
    }
    async fn knock(&self) -> Vec<Knock> {
        self.inner.knock().await
    }
    async fn knock_at(&self, url: &str, shown: String) -> Option<Knock> {
        self.inner.knock_at(url, shown).await
    }
    async fn choices(&self, call: Call, key: String, cursor: Option<String>) -> Answer<ChoicePage> {
        self.inner.choices(call, key, cursor).await
    }
    async fn pull(&self, call: Call, entity: Entity, cursor: Option<Vec<u8>>) -> Answer<Page> {
        let noted = self.begin(&call);
        let answer = self.inner.pull(call, entity, cursor).await;
        self.note(&noted, Kind::Pull(entity), &answer, |page| {
            found(page.documents.len())
        });
        answer
    }
    async fn fetch(&self, call: Call, entity: Entity, keys: Vec<String>) -> Answer<Vec<Document>> {
        let noted = self.begin(&call);
        let asked = keys.len();
        let answer = self.inner.fetch(call, entity, keys).await;
        self.note(&noted, Kind::Fetch(entity), &answer, |_| found(asked));
        answer
    }
    async fn settle(
        &self,
        call: Call,
        moment: Moment,
        batch: Vec<Settled>,
    ) -> Answer<Vec<Verdict>> {
        let (noted, members) = (self.begin(&call), batch.len());
        let answer = self.inner.settle(call, moment, batch).await;
        self.note_batch(&noted, Kind::Settle(moment), &answer, members);
        answer
    }
    async fn read(
        &self,
        call: Call,
        entity: Entity,
        scope: Scope,
        cursor: Option<Vec<u8>>,
    ) -> Answer<Page> {
        let noted = self.begin(&call);
        let answer = self.inner.read(call, entity, scope, cursor).await;
        self.note(&noted, Kind::List(entity), &answer, |page| {
            found(page.documents.len())
        });
        answer
    }
    async fn push(&self, call: Call, batch: Vec<Delivery>) -> Answer<Vec<Verdict>> {
        let (noted, members) = (self.begin(&call), batch.len());
        let entity = batch.first().map(|d| d.document.body.entity());
        let answer = self.inner.push(call, batch).await;
        let kind = entity.map_or(Kind::Other, Kind::Push);
        self.note_batch(&noted, kind, &answer, members);
        answer
    }
    async fn confirm(&self, call: Call, handles: Vec<String>) -> Answer<Vec<Verdict>> {
        let (noted, members) = (self.begin(&call), handles.len());
        let answer = self.inner.confirm(call, handles).await;
        self.note_batch(&noted, Kind::Confirm, &answer, members);
        answer
    }
    async fn receive(&self, call: Call, batch: Vec<Delivered>) -> Answer<Received> {
        let (noted, members) = (self.begin(&call), batch.len());
        let answer = self.inner.receive(call, batch).await;
        self.note_batch(&noted, Kind::Receive, &answer, members);
        answer
    }
    async fn ensure(&self, call: Call, callback: String) -> Answer<Vec<String>> {
        let noted = self.begin(&call);
        let answer = self.inner.ensure(call, callback).await;
        self.note(&noted, Kind::Other, &answer, |_| (None, Ok(())));
        answer
    }
    async fn remove(&self, call: Call, callback: String) -> Answer<()> {
        self.inner.remove(call, callback).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_again_though_it_was_answered_is_counted() {
        let asked = |method: &str, url: &str, status, step: Option<&str>, replayed| Exchange {
            at: 0,
            took_ms: 1,
            method: method.to_owned(),
            url: url.to_owned(),
            status,
            step: step.map(str::to_owned),
            replayed,
            request: String::new(),
            answer: String::new(),
        };
        let read = |url: &str, status| asked("GET", url, status, None, false);
        let sold = |replayed| asked("POST", "/sales", 200, Some("create"), replayed);
        assert_eq!(repeated(&[read("/a", 200), read("/b", 200)]), 0);
        assert_eq!(
            repeated(&[read("/a", 503), read("/a", 200)]),
            0,
            "tried again"
        );
        assert_eq!(repeated(&[read("/a", 200), read("/a", 200)]), 1);
        assert_eq!(repeated(&[sold(true)]), 0, "of an attempt before");
        assert_eq!(repeated(&[sold(false), sold(true)]), 1);
        let search = asked("POST", "/search", 200, None, false);
        assert_eq!(repeated(&[search.clone(), search]), 0, "bodies may differ");
    }
}
