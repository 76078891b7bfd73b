//! The loop: looks at what is due, starts calls, hears their end. Holds no state that a restart would miss; everything
//! it decides from is in the store. Stopping: no new call, running ones end, then the loop ends.

use crate::alert::Way;
use crate::connectors::Connectors;
use crate::core::{Core, Desk, Observer, Slot};
use crate::disk::{Disk, FreeSpace, Room};
use crate::event::{CallKey, Event};
use crate::gather::{self, ReadyJob};
use crate::handle::Handle;
use crate::offered::{self, Standings};
use crate::rehearsal::{Rehearsals, Theatre};
use crate::swap::{self, Swaps, Watch};
use crate::{backfill, beside, compare, ensure, flow, hints, hooks, retention, work};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};
use waybill_host::ports::{Clock, Rng};
use waybill_model::contract::Role;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, JobId, Millis};
use waybill_model::job::JobState;
use waybill_store::{ConnectionRow, Counters, JobRow, Read, Rx, Store, StoreError};

/// Above that many orders that wait for their sale, no more are pulled.
pub(crate) const HIGH_WATER: u64 = 20_000;

/// Steps that wait to be made.
pub(crate) fn backlog(counters: &Counters) -> u64 {
    let jobs = |state: &str| counters.jobs.get(state).copied().unwrap_or(0);
    jobs("ready") + jobs("waiting-for-accept")
}

/// Ready jobs of one connection that one look counts.
const LOOK_AT: usize = 4 * gather::MOST;
/// The loop looks again at least that often, whatever it was told.
const LOOK_AGAIN_MS: Millis = 60_000;
/// A clock that goes back by less is only being kept in step.
const CLOCK_GRAIN_MS: Millis = 1_000;

/// What a merchant does not set.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Calls of one connection under way at once.
    pub max_calls: usize,
    /// Wall-clock limit of one call.
    pub call_limit_ms: u64,
    /// How long settles are gathered where no setting says so.
    pub gather_ms: Millis,
    /// Name of the store on the page, where none was set.
    pub store_name: String,
    /// Version shown on the page.
    pub version: String,
    /// Whether shipments are held against what is open. Off only where a simulation must find that it is missing.
    pub counts_open: bool,
    /// Whether the hooks listener runs: without it no webhook is registered.
    pub hooks: bool,
    /// The machine's time zone, where the merchant has set none.
    pub zone: TimeZone,
    /// Asked how much of the disk is free; `None`: it is not watched.
    pub free_space: Option<FreeSpace>,
    /// Carries alerts away; `None`: there are none.
    pub messenger: Option<Way>,
    /// Plays rehearsals; `None`: there are none.
    pub theatre: Option<Theatre>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            max_calls: 4,
            call_limit_ms: 60_000,
            gather_ms: 30_000,
            store_name: "Waybill".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            counts_open: true,
            hooks: false,
            zone: TimeZone::UTC,
            free_space: None,
            messenger: None,
            theatre: None,
        }
    }
}

/// What the engine is made of.
pub struct EngineParts {
    /// The database.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub rng: Arc<dyn Rng>,
    /// Connectors.
    pub connectors: Arc<dyn Connectors>,
    /// Limits.
    pub options: EngineOptions,
    /// Told one line after each commit; tests and the simulation listen.
    pub observer: Option<Observer>,
}

/// Why the engine stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The database refuses writes: the supervisor must start the agent again.
    #[error("the database cannot be used any more")]
    Store(#[from] StoreError),
    /// A bug in a call's task.
    #[error("a task of the engine ended abnormally")]
    Task(#[from] JoinError),
}

/// The running engine.
pub struct Engine {
    pub(crate) core: Arc<Core>,
    events: UnboundedReceiver<Event>,
    calls: JoinSet<Result<(), StoreError>>,
    pub(crate) running: BTreeMap<CallKey, Id>,
    /// Ready jobs that were read before: a wave is not read again for each of its members.
    known: BTreeMap<JobId, ReadyJob>,
    pub(crate) wanted: BTreeSet<(ConnectionId, Entity)>,
    looked_at: Millis,
    prune_at: Option<Millis>,
}

/// What one look at the store found.
pub(crate) struct Look {
    rows: Vec<ConnectionRow>,
    pub(crate) feeds: BTreeMap<(ConnectionId, Entity), Millis>,
    pub(crate) ready: BTreeMap<ConnectionId, Vec<ReadyJob>>,
    pub(crate) due: Vec<JobRow>,
    next_due: Option<Millis>,
    pub(crate) backlog: u64,
    /// Sales whose order is not acknowledged yet.
    pub(crate) unaccepted: u64,
    /// Jobs that will be tried again.
    pub(crate) waiting: u64,
    pub(crate) caught_up: BTreeSet<ConnectionId>,
    /// What there is to do beside feeds and jobs.
    beside: Vec<(CallKey, Millis)>,
    next_hint: Option<Millis>,
    /// The disk has no room for more.
    pub(crate) full: bool,
}

impl Engine {
    /// Binds connections and makes the handle. Nothing runs yet.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(parts: EngineParts) -> Result<(Self, Handle), StoreError> {
        let (sender, events) = tokio::sync::mpsc::unbounded_channel();
        let watch = Arc::new(Watch::new(parts.clock.clone(), sender.clone()));
        let core = Arc::new(Core {
            store: parts.store,
            clock: parts.clock,
            rng: parts.rng,
            connectors: parts.connectors,
            options: parts.options,
            desk: RwLock::new(Arc::new(Desk::default())),
            reloading: Mutex::default(),
            events: sender,
            observer: parts.observer,
            stopping: AtomicBool::new(false),
            stranded: Mutex::default(),
            hooks: hooks::Hooks::default(),
            swaps: Swaps::default(),
            watch,
            level_rests: Mutex::default(),
            disk: Disk::default(),
            standings: Standings::default(),
            rehearsals: Rehearsals::default(),
        });
        swap::go_on(&core)?;
        core.reload()?;
        let handle = Handle::new(core.clone());
        let engine = Self {
            core,
            events,
            calls: JoinSet::new(),
            running: BTreeMap::new(),
            known: BTreeMap::new(),
            wanted: BTreeSet::new(),
            looked_at: 0,
            prune_at: None,
        };
        Ok((engine, handle))
    }

    /// Runs until told to stop, or until the store refuses.
    ///
    /// # Errors
    /// [`EngineError`]; the process should end and be started again.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), EngineError> {
        self.resume()?;
        loop {
            let stopping = stop.is_cancelled();
            self.core.stopping.store(stopping, Ordering::Relaxed);
            let now = self.core.now();
            self.notice_time(now);
            let next = if stopping {
                now + LOOK_AGAIN_MS
            } else {
                self.schedule(now).await?
            };
            if stopping && self.calls.is_empty() {
                return Ok(());
            }
            let wait = u64::try_from(next.min(now + LOOK_AGAIN_MS) - now).unwrap_or(0);
            tokio::select! {
                biased;
                Some(ended) = self.calls.join_next_with_id(), if !self.calls.is_empty() => self.ended(ended)?,
                Some(event) = self.events.recv() => self.hear(event)?,
                () = stop.cancelled(), if !stopping => tracing::info!(calls = self.calls.len(), "Stopping."),
                () = self.core.clock.sleep_ms(wait.max(1)), if !stopping => {}
            }
        }
    }

    /// Who is still running, for the log of a slow stop.
    pub fn busy(&self) -> usize {
        self.calls.len()
    }

    fn hear(&mut self, event: Event) -> Result<(), StoreError> {
        let mut next = Some(event);
        let (mut reload, mut routes) = (false, false);
        while let Some(event) = next {
            match event {
                Event::Changed | Event::Delivered(_) => {}
                Event::Reload => reload = true,
                Event::Routes => routes = true,
                Event::Poll(connection, entity) => self.want(connection, entity),
            }
            next = self.events.try_recv().ok();
        }
        if reload {
            self.core.reload()?;
            self.core.swaps.times.bound(self.core.now());
            self.look_again()?;
        } else if routes {
            self.core.reload_routes()?;
        }
        if reload || routes {
            self.release_held()?;
        }
        Ok(())
    }

    /// What was held for its flow goes on where the flow does.
    fn release_held(&self) -> Result<(), StoreError> {
        let (desk, now) = (self.core.desk(), self.core.now());
        let store = &self.core.store;
        if store.read(|rx| rx.jobs_in("held", 1))?.is_empty() {
            return Ok(());
        }
        store.write_blocking(move |tx| flow::release(tx, &desk, now))
    }

    /// What rests may go on under the settings that were just read.
    fn look_again(&self) -> Result<(), StoreError> {
        let now = self.core.now();
        let store = &self.core.store;
        if store.read(|rx| rx.jobs_in("resting", 1))?.is_empty() {
            return Ok(());
        }
        store.write_blocking(move |tx| {
            for job in tx.jobs_in("resting", usize::MAX)? {
                tx.set_state(job.id, JobState::Ready, now)?;
            }
            Ok(())
        })
    }

    /// A clock that was set back leaves every poll in the future: then everything is polled at once instead.
    fn notice_time(&mut self, now: Millis) {
        if now.saturating_add(CLOCK_GRAIN_MS) < self.looked_at {
            tracing::warn!(back_ms = self.looked_at - now, "The clock was set back.");
            let connections: Vec<_> = self.core.desk().slots.keys().copied().collect();
            for connection in connections {
                self.want(connection, None);
            }
        }
        self.looked_at = now;
    }

    fn want(&mut self, connection: ConnectionId, entity: Option<Entity>) {
        let desk = self.core.desk();
        let feeds = desk
            .slots
            .get(&connection)
            .and_then(|s| s.descriptor())
            .map(|d| d.pulls.as_slice())
            .unwrap_or_default();
        self.wanted.extend(
            feeds
                .iter()
                .map(|f| f.entity)
                .filter(|e| entity.is_none_or(|wanted| wanted == *e))
                .map(|e| (connection, e)),
        );
    }

    fn ended(
        &mut self,
        ended: Result<(Id, Result<(), StoreError>), JoinError>,
    ) -> Result<(), EngineError> {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        self.running.retain(|_, running| *running != id);
        let (_, result) = ended?;
        Ok(result?)
    }

    /// What every log line of a call carries, its connector's too.
    fn span(&self, key: &CallKey) -> Span {
        let desk = self.core.desk();
        let Some(slot) = desk.slots.get(&key.connection()) else {
            return Span::none();
        };
        let generation = slot.connector().map(|c| c.generation().0);
        let entity = key.entity().map(Entity::word);
        tracing::info_span!("call", connection = %slot.row.name, entity, generation)
    }

    pub(crate) fn start(
        &mut self,
        key: CallKey,
        call: impl Future<Output = Result<(), StoreError>> + Send + 'static,
    ) {
        if !self.running.contains_key(&key) {
            let call = call.instrument(self.span(&key));
            let id = self.calls.spawn(call).id();
            self.running.insert(key, id);
        }
    }

    pub(crate) fn busy_on(&self, connection: ConnectionId) -> usize {
        self.running
            .keys()
            .filter(|k| k.connection() == connection && !matches!(k, CallKey::Receive(_)))
            .count()
    }

    /// Every batch that a crash cut short is run again as soon as its connection may be called.
    fn resume(&mut self) -> Result<(), StoreError> {
        // A kill may have come between a flow's commit and what was held for it.
        self.release_held()?;
        for batch in self.core.store.read(Read::open_batches)? {
            let desk = self.core.desk();
            let slot = desk.slots.get(&batch.connection);
            let connection = slot.map_or("", |slot| slot.row.name.as_str());
            tracing::info!(batch = %batch.id, connection, jobs = batch.jobs.len(), "Resuming a batch.");
            self.core.strand(batch.connection, batch.id);
        }
        Ok(())
    }

    fn look(&self, desk: &Desk, now: Millis) -> Result<Look, StoreError> {
        self.core.store.read(|rx| {
            let mut ready = BTreeMap::new();
            let mut caught_up = BTreeSet::new();
            for (id, slot) in &desk.slots {
                ready.insert(*id, self.ready(rx, *id)?);
                let needs_items = slot
                    .descriptor()
                    .is_some_and(|d| d.feed(Entity::Item).is_some());
                let has_items = rx
                    .feed(*id, Entity::Item)?
                    .is_some_and(|f| f.caught_up_at.is_some());
                if !needs_items || has_items {
                    caught_up.insert(*id);
                }
            }
            let counters = rx.counters()?;
            let jobs = |word: &str| counters.jobs.get(word).copied().unwrap_or(0);
            Ok(Look {
                rows: rx.connections()?,
                feeds: rx
                    .feeds()?
                    .into_iter()
                    .map(|f| ((f.connection, f.entity), f.next_due))
                    .collect(),
                ready,
                // All of it: what is due at a connection that may not be called must not hide the rest.
                due: rx.due(now, usize::MAX)?,
                next_due: rx.next_due_after(now)?,
                backlog: backlog(&counters),
                unaccepted: jobs("waiting-for-accept"),
                waiting: jobs("waiting"),
                caught_up,
                beside: beside::look(&self.core, desk, rx, now)?,
                next_hint: rx.next_hint_due(now)?,
                full: self.core.room() == Room::Stop,
            })
        })
    }

    /// Jobs that may be claimed. Those that were ready at the last look are not read again.
    fn ready(&self, rx: &Rx, id: ConnectionId) -> Result<Vec<ReadyJob>, StoreError> {
        let mut ready = Vec::new();
        for (job, urgent_by) in rx.ready_ids(id, LOOK_AT)? {
            match self.known.get(&job) {
                Some(known) => ready.push(ReadyJob {
                    urgent_by,
                    ..*known
                }),
                None => ready.extend(rx.job(job)?.as_ref().map(ReadyJob::from)),
            }
        }
        Ok(ready)
    }

    /// An hour after the start, and every hour from then on.
    fn schedule_retention(&mut self, now: Millis) -> Millis {
        let due = *self.prune_at.get_or_insert(now + retention::EVERY_MS);
        if due > now {
            return due;
        }
        let core = self.core.clone();
        self.start(CallKey::Prune, retention::run(core));
        *self.prune_at.insert(now + retention::EVERY_MS)
    }

    /// Starts everything that may start; when to look again.
    async fn schedule(&mut self, now: Millis) -> Result<Millis, StoreError> {
        let desk = self.core.desk();
        self.core.look_at_disk(now);
        let look = self.look(&desk, now)?;
        self.known = look.ready.values().flatten().map(|j| (j.id, *j)).collect();
        self.wake_waiting(&look, now).await?;
        let mut next = look
            .next_due
            .unwrap_or(Millis::MAX)
            .min(look.next_hint.unwrap_or(Millis::MAX))
            .min(self.schedule_retention(now))
            .min(self.schedule_hooks(&look, now))
            .min(self.schedule_swaps(now));
        for (id, slot) in &desk.slots {
            let Some(row) = look.rows.iter().find(|r| r.id == *id) else {
                continue;
            };
            if let Some(until) = row.hold_until.filter(|until| *until > now) {
                next = next.min(until);
                continue;
            }
            if row.paused || slot.connector().is_none() {
                continue;
            }
            next = next.min(self.schedule_connection(*id, slot, &desk, &look, now)?);
        }
        Ok(next.max(now + 1))
    }

    /// The connectors folder is looked at when something happened there, trials when something is to be judged.
    fn schedule_swaps(&mut self, now: Millis) -> Millis {
        let core = self.core.clone();
        for id in core.watch.due_trials(now) {
            self.start(CallKey::Trial(id.clone()), swap::judge(core.clone(), id));
        }
        let mut next = core.watch.next_end().filter(|at| *at > now);
        if let Some(at) = core.swaps.next_due(now) {
            if at > now {
                next = Some(next.map_or(at, |other| other.min(at)));
            } else if !self.running.contains_key(&CallKey::Folder) {
                self.start(CallKey::Folder, swap::run(core));
            }
        }
        next.unwrap_or(Millis::MAX)
    }

    /// Requests are read whatever became of their connection; the rest only where it may be called.
    fn schedule_hooks(&mut self, look: &Look, now: Millis) -> Millis {
        let mut next = Millis::MAX;
        for (key, at) in &look.beside {
            if *at > now {
                next = next.min(*at);
                continue;
            }
            let core = self.core.clone();
            match key {
                CallKey::Receive(id) => self.start(key.clone(), hooks::receive(core, *id)),
                CallKey::Compare if !look.full => self.start(key.clone(), compare::run(core)),
                CallKey::Ensure(id) => self.start(key.clone(), ensure::run(core, *id)),
                CallKey::Values(id) => self.start(key.clone(), offered::run(core, *id)),
                CallKey::Backfill(id) if !look.full && !self.reads_orders(*id) => {
                    self.start(key.clone(), backfill::run(core, *id));
                }
                // A page and a document read apart could be stored in the wrong order.
                CallKey::Fetch(id, entity) if !look.full && self.may_fetch(*id, *entity) => {
                    self.start(key.clone(), hints::run(core, *id, *entity));
                }
                _ => {}
            }
        }
        next
    }

    /// Waiting jobs whose time has come are ready again.
    async fn wake_waiting(&self, look: &Look, now: Millis) -> Result<(), StoreError> {
        let waiting: Vec<_> = look
            .due
            .iter()
            .filter(|j| {
                matches!(
                    j.state,
                    JobState::Waiting { .. } | JobState::Resting { .. } | JobState::Held { .. }
                )
            })
            .map(|j| j.id)
            .collect();
        if waiting.is_empty() {
            return Ok(());
        }
        self.core
            .store
            .write(move |tx| {
                waiting
                    .iter()
                    .try_for_each(|id| tx.set_state(*id, JobState::Ready, now))
            })
            .await?;
        self.core.wake(Event::Changed);
        Ok(())
    }

    fn schedule_connection(
        &mut self,
        id: ConnectionId,
        slot: &Slot,
        desk: &Desk,
        look: &Look,
        now: Millis,
    ) -> Result<Millis, StoreError> {
        let Some(connector) = slot.connector().cloned() else {
            return Ok(Millis::MAX);
        };
        for batch in self.core.take_stranded(id) {
            let core = self.core.clone();
            self.start(CallKey::Resume(id, batch), work::resume(core, batch));
        }
        let descriptor = connector.descriptor();
        let mut next = self.schedule_settles(id, desk, look, now);
        self.schedule_tickets(id, look);
        next = next.min(self.schedule_pushes(id, descriptor, desk, look, now));
        next = next.min(self.schedule_levels(id, slot, desk, now)?);
        if connector.roles().contains(&Role::Source) {
            next = next.min(self.schedule_pulls(id, descriptor, desk, look, now));
        }
        Ok(next)
    }
}
