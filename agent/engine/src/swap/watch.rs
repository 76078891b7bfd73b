//! Watching builds at work: how long their calls take, how many requests a batch costs, and what goes bad while a build
//! is on trial. It counts and says what is due; what follows from it is `undo.rs`'s.

use super::samples::{Kind, Samples};
use crate::event::Event;
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::UnboundedSender;
use waybill_host::connector::{Answer, Call, CallError, Connector, Received};
use waybill_host::knock::Knock;
use waybill_host::ports::Clock;
use waybill_model::contract::{
    ChoicePage, Delivered, Delivery, Descriptor, Moment, Page, Pairs, Problem, Role, Scope,
    Settled, Verdict,
};
use waybill_model::document::{Document, Entity};
use waybill_model::ids::{ConnectionId, Generation, Millis};

/// So many batches without a problem end a trial.
pub(crate) const GOOD_MOST: u32 = 20;
/// So many bad ones undo it.
pub(crate) const BAD_MOST: usize = 3;
/// A trial takes at least so long: a busy agent has twenty batches in less than a second, of two or three kinds.
pub(crate) const SHORTEST_MS: Millis = 5_000;
/// A trial ends then at the latest.
pub(crate) const TRIAL_MS: Millis = 600_000;

/// A build on trial.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) generation: Generation,
    /// The build before it, whose calls its own are held against.
    before: Generation,
    pub(crate) since: Millis,
    pub(crate) good: u32,
    pub(crate) bad: Vec<String>,
    /// When the last bad one came that it takes to undo it.
    pub(crate) found_out: Option<Millis>,
    /// Bad ones that are stored.
    told: usize,
    /// Kinds of batches whose first ones cost twice as much as before.
    dear: BTreeMap<Kind, usize>,
    /// Kinds that cost what they did before: not looked at again.
    cleared: BTreeSet<Kind>,
    /// What all of them cost together.
    sum: Sum,
}

/// Requests of all batches that can be compared. Batches of one kind differ by more than the half, together they do not.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    batches: usize,
    requests: usize,
    /// What the build before usually makes for the same.
    usual: usize,
}

impl Sum {
    /// Of fewer batches, and fewer requests, chance decides.
    const BATCHES: usize = 10;
    const REQUESTS: usize = 20;

    fn add(&mut self, usual: usize, requests: usize) {
        self.batches += 1;
        // A vendor's bad minute makes single batches dear: none counts for more than four.
        self.requests += requests.min(4 * usual);
        self.usual += usual;
    }

    /// Nearer to twice as much than to as much, by far.
    const fn is_dear(&self) -> bool {
        self.batches >= Self::BATCHES
            && self.usual >= Self::REQUESTS
            && 5 * self.requests >= 8 * self.usual
    }

    /// A third more: the next ones decide.
    const fn is_suspected(&self) -> bool {
        2 * self.batches >= Self::BATCHES && 3 * self.requests >= 4 * self.usual
    }
}

impl Live {
    fn is_due(&self, now: Millis) -> bool {
        self.bad.len() > self.told || self.is_over(now)
    }

    /// Whether it lasted long enough. Not while a kind of batches is suspected: the next ones decide.
    pub(crate) fn is_over(&self, now: Millis) -> bool {
        now >= self.ends_at()
    }

    fn ends_at(&self) -> Millis {
        let is_suspected = self.dear.keys().any(|kind| !self.cleared.contains(kind));
        let shortly = self.good >= GOOD_MOST && !is_suspected && !self.sum.is_suspected();
        self.since + if shortly { SHORTEST_MS } else { TRIAL_MS }
    }
}

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
        let live = Live {
            generation,
            before,
            since,
            good: 0,
            told: bad.len(),
            bad,
            found_out: None,
            dear: BTreeMap::new(),
            cleared: BTreeSet::new(),
            sum: Sum::default(),
        };
        let mut state = self.lock();
        if let Some(old) = state.trials.insert(id.to_owned(), live)
            && old.before != before
        {
            state.forget(old.before);
        }
    }

    /// The trial of this build is over.
    pub(crate) fn end(&self, id: &str, generation: Generation) {
        let mut state = self.lock();
        if state
            .trials
            .get(id)
            .is_some_and(|live| live.generation == generation)
            && let Some(live) = state.trials.remove(id)
        {
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
        }
        let Some(live) = state
            .trials
            .get_mut(id)
            .filter(|l| l.generation == generation)
        else {
            return;
        };
        if let Some(bad) = seen.bad {
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

impl Live {
    /// The first batches of a kind cost twice as much as before: then each of them was bad. One that did not, by far,
    /// clears its kind, since a vendor's bad minute makes single batches dear. Where batches of a kind differ too much for
    /// that, what all kinds cost together tells.
    fn hold_against(&mut self, kind: Kind, usual: usize, requests: usize) {
        if self.bad.len() >= BAD_MOST {
            return;
        }
        let usual = usual.max(1);
        self.sum.add(usual, requests);
        if self.sum.is_dear() {
            let Sum {
                batches,
                requests,
                usual,
            } = self.sum;
            let bad = format!("{batches} batches: {requests} requests, before {usual}");
            self.bad.extend(std::iter::repeat_n(bad, BAD_MOST));
            return;
        }
        if self.cleared.contains(&kind) {
            return;
        }
        if requests < 2 * usual {
            // Less than half as much again.
            if 2 * requests < 3 * usual {
                self.cleared.insert(kind);
            }
            return;
        }
        let dear = self.dear.entry(kind).or_default();
        *dear += 1;
        if *dear == BAD_MOST {
            let bad = format!("{kind}: {requests} requests, before {usual}");
            self.bad.extend(std::iter::repeat_n(bad, BAD_MOST));
        }
    }
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
            requests: answer.exchanges.iter().filter(|e| !e.replayed).count(),
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

    fn live(good: u32) -> Live {
        Live {
            generation: Generation(2),
            before: Generation(1),
            since: 1_000,
            good,
            bad: Vec::new(),
            found_out: None,
            told: 0,
            dear: BTreeMap::new(),
            cleared: BTreeSet::new(),
            sum: Sum::default(),
        }
    }

    #[test]
    fn twice_the_requests_are_found_among_batches_that_differ_much() {
        // Of one kind and size, as the build before makes them; four of them are usual.
        let made = [2, 7, 4, 3, 6, 4, 2, 8, 3, 5, 4, 2, 6];
        let mut good = live(GOOD_MOST);
        for requests in made {
            good.hold_against(Kind::Fetch(Entity::Shipment), 4, requests);
        }
        assert_eq!(good.bad, Vec::<String>::new());
        assert!(good.is_over(1_000 + SHORTEST_MS));
        let mut twice = live(GOOD_MOST);
        for requests in made {
            assert!(!twice.is_over(1_000 + SHORTEST_MS) || twice.sum.batches < 5);
            twice.hold_against(Kind::Fetch(Entity::Shipment), 4, 2 * requests);
        }
        assert_eq!(twice.bad.len(), BAD_MOST);
        assert!(twice.bad[0].contains("10 batches"), "{:?}", twice.bad);
        // One bad minute is not held against anybody.
        let mut unlucky = live(GOOD_MOST);
        unlucky.hold_against(Kind::Fetch(Entity::Shipment), 4, 400);
        for requests in made {
            unlucky.hold_against(Kind::Fetch(Entity::Shipment), 4, requests);
        }
        assert_eq!(unlucky.bad, Vec::<String>::new());
    }

    #[test]
    fn a_trial_takes_five_seconds_and_does_not_end_while_a_kind_is_suspected() {
        let mut trial = live(GOOD_MOST);
        assert!(!trial.is_over(1_000 + SHORTEST_MS - 1));
        assert!(trial.is_over(1_000 + SHORTEST_MS));
        assert!(!live(GOOD_MOST - 1).is_over(1_000 + SHORTEST_MS));
        trial.hold_against(Kind::Confirm, 2, 4);
        assert!(!trial.is_over(1_000 + SHORTEST_MS), "the next ones decide");
        assert!(trial.is_over(1_000 + TRIAL_MS));
        // Half as much again neither clears nor counts.
        trial.hold_against(Kind::Confirm, 2, 3);
        assert!(!trial.is_over(1_000 + SHORTEST_MS));
        trial.hold_against(Kind::Confirm, 2, 2);
        assert!(trial.is_over(1_000 + SHORTEST_MS), "it was a bad minute");
        for _ in 0..BAD_MOST {
            trial.hold_against(Kind::Receive, 1, 2);
        }
        assert_eq!(trial.bad.len(), BAD_MOST);
    }
}
