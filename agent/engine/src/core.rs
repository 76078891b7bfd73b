//! What every call of the engine shares: store, clock, chance, the bound connections, and the way to wake the loop.

use crate::connectors::{Binding, CallsUsed, Connectors};
use crate::disk::Disk;
use crate::event::Event;
use crate::flow;
use crate::hooks::{self, Hooks};
use crate::offered::Standings;
use crate::practice;
use crate::rehearsal::Rehearsals;
use crate::shipment::trigger;
use crate::supervise::EngineOptions;
use crate::swap::{Before, Swaps, Watch, Watched};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::mpsc::UnboundedSender;
use waybill_host::connector::{Call, Connector, Mode};
use waybill_host::ports::{Clock, EffectScope, Rng};
use waybill_model::backoff::Backoff;
use waybill_model::contract::{Context, Descriptor, Pairs};
use waybill_model::document::Entity;
use waybill_model::ids::{BatchId, ConnectionId, Generation, Millis};
use waybill_model::job::Priority;
use waybill_model::settings::{self, Values};
use waybill_store::{ConnectionRow, ConnectorRow, Read, RouteRow, Store, StoreError};

/// Called after each commit with the time and one line; the simulation hashes the lines.
pub type Observer = Arc<dyn Fn(Millis, &str) + Send + Sync>;

/// A connection with its connector.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) row: ConnectionRow,
    pub(crate) settings: Values,
    /// The connector, or why there is none.
    pub(crate) connector: Result<Arc<dyn Connector>, String>,
}

impl Slot {
    pub(crate) fn connector(&self) -> Option<&Arc<dyn Connector>> {
        self.connector.as_ref().ok()
    }
    pub(crate) fn descriptor(&self) -> Option<&Descriptor> {
        self.connector().map(|c| c.descriptor())
    }
    pub(crate) fn millis(&self, key: &str) -> Option<Millis> {
        seconds(self.settings.get(key)?)
    }
}

/// The build that a run of calls goes on with. Its lines in the log name that one, so it ends where another took over: the
/// next look begins anew with the new one.
#[derive(Default)]
pub(crate) struct OneBuild(Option<Generation>);

impl OneBuild {
    /// Whether this connection is still bound to it; the first one counts.
    pub(crate) fn is(&mut self, slot: &Slot) -> bool {
        slot.connector().is_some_and(|connector| {
            let generation = connector.generation();
            *self.0.get_or_insert(generation) == generation
        })
    }
}

/// `"0.25"` seconds as milliseconds.
fn seconds(text: &str) -> Option<Millis> {
    let value: waybill_model::decimal::Decimal = text.trim().parse().ok()?;
    let thousand = value
        .checked_mul(waybill_model::decimal::Decimal::whole(1000))?
        .rounded(0);
    (thousand.units >= 0).then_some(thousand.units)
}

/// The bound connections and routes, replaced as a whole on a reload.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) slots: BTreeMap<ConnectionId, Slot>,
    pub(crate) routes: Vec<RouteRow>,
    pub(crate) agent: Values,
    /// Whether shipments are held against what is open.
    pub(crate) counts_open: bool,
    /// When shipments are reported, over all retailers.
    pub(crate) shipments: trigger::Wanted,
    /// The merchant's.
    pub(crate) zone: TimeZone,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            slots: BTreeMap::new(),
            routes: Vec::new(),
            agent: Values::new(),
            counts_open: true,
            shipments: trigger::Wanted::default(),
            zone: TimeZone::UTC,
        }
    }
}

impl Desk {
    pub(crate) fn title(&self, id: ConnectionId) -> String {
        self.slots
            .get(&id)
            .map_or_else(|| format!("connection {id}"), |s| s.row.title.clone())
    }
}

/// Whether neither a person nor the vendor has stopped calls.
pub(crate) fn is_callable(row: &ConnectionRow, now: Millis) -> bool {
    !row.paused && row.hold_until.is_none_or(|until| until <= now)
}

pub(crate) struct Core {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) connectors: Arc<dyn Connectors>,
    pub(crate) options: EngineOptions,
    pub(crate) desk: RwLock<Arc<Desk>>,
    /// Held while the desk is read anew.
    pub(crate) reloading: Mutex<()>,
    pub(crate) events: UnboundedSender<Event>,
    pub(crate) observer: Option<Observer>,
    /// Set once the agent stops: no new call is started.
    pub(crate) stopping: AtomicBool,
    /// Batches that were committed and that nobody runs: a crash cut them short, or their connector is missing.
    pub(crate) stranded: Mutex<BTreeSet<(ConnectionId, BatchId)>>,
    /// Webhook addresses, and what is only known of them while the agent runs.
    pub(crate) hooks: Hooks,
    /// Builds in memory, and what became of the files in the folder.
    pub(crate) swaps: Swaps,
    /// Counts what builds do.
    pub(crate) watch: Arc<Watch>,
    /// When levels may leave next, by who is told: they gather in between.
    pub(crate) level_rests: Mutex<BTreeMap<ConnectionId, Millis>>,
    /// Free space, as it was found last.
    pub(crate) disk: Disk,
    /// Settings that were held against the vendors' lists.
    pub(crate) standings: Standings,
    /// The rehearsal that runs.
    pub(crate) rehearsals: Rehearsals,
}

impl Core {
    /// Whether this connection may be called now: not paused, not held, the agent not stopping.
    pub(crate) fn may_call(
        &self,
        rows: &dyn Read,
        connection: ConnectionId,
        now: Millis,
    ) -> Result<bool, StoreError> {
        let stopping = self.stopping.load(Ordering::Relaxed);
        Ok(!stopping
            && rows
                .connection(connection)?
                .is_some_and(|row| is_callable(&row, now)))
    }

    /// Leaves an open batch for later.
    pub(crate) fn strand(&self, connection: ConnectionId, batch: BatchId) {
        self.stranded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((connection, batch));
    }

    /// When levels may leave next for a connection.
    pub(crate) fn levels_rest(&self, to: ConnectionId) -> Millis {
        let rests = self.level_rests.lock();
        let rests = rests.unwrap_or_else(PoisonError::into_inner);
        rests.get(&to).copied().unwrap_or(0)
    }

    /// No level leaves for a connection before then.
    pub(crate) fn rest_levels(&self, to: ConnectionId, until: Millis) {
        let rests = self.level_rests.lock();
        rests
            .unwrap_or_else(PoisonError::into_inner)
            .insert(to, until);
    }

    /// Takes the open batches of a connection that nobody runs.
    pub(crate) fn take_stranded(&self, connection: ConnectionId) -> Vec<BatchId> {
        let mut stranded = self.stranded.lock().unwrap_or_else(PoisonError::into_inner);
        let mine: Vec<_> = stranded
            .iter()
            .filter(|(c, _)| *c == connection)
            .copied()
            .collect();
        for batch in &mine {
            stranded.remove(batch);
        }
        mine.into_iter().map(|(_, batch)| batch).collect()
    }

    /// How documents of a kind are read from a connection.
    pub(crate) fn reading(
        &self,
        connection: ConnectionId,
        entity: Entity,
    ) -> Result<Mode, StoreError> {
        let desk = self.desk();
        self.store
            .read(|rx| practice::reading(rx, &desk, connection, entity))
    }

    pub(crate) fn now(&self) -> Millis {
        self.clock.now_ms()
    }

    pub(crate) fn desk(&self) -> Arc<Desk> {
        self.desk.read().map_or_else(
            |poisoned| poisoned.into_inner().clone(),
            |desk| desk.clone(),
        )
    }

    pub(crate) fn wake(&self, event: Event) {
        // The loop is gone only while the agent stops; then nothing is left to wake.
        drop(self.events.send(event));
    }

    pub(crate) fn observe(&self, line: impl FnOnce() -> String) {
        if let Some(observer) = &self.observer {
            observer(self.now(), &line());
        }
    }

    pub(crate) fn backoff(&self) -> Backoff {
        let desk = self.desk();
        let read = |key: &str| {
            desk.agent
                .get(key)
                .and_then(|v| seconds(v))
                .and_then(|ms| u32::try_from(ms).ok())
        };
        let default = Backoff::default();
        Backoff {
            base_ms: read(settings::RETRY_BASE).unwrap_or(default.base_ms),
            cap_ms: read(settings::RETRY_CAP).unwrap_or(default.cap_ms),
        }
    }

    pub(crate) fn gather_ms(&self) -> Millis {
        let desk = self.desk();
        desk.agent
            .get(settings::GATHER)
            .and_then(|v| seconds(v))
            .unwrap_or(self.options.gather_ms)
    }

    pub(crate) fn calls_used(&self, connection: ConnectionId) -> CallsUsed {
        self.connectors.calls_used(connection)
    }

    /// A call of a connection with everything but its arguments.
    pub(crate) fn call(
        &self,
        slot: &Slot,
        scope: EffectScope,
        priority: Priority,
        mode: Mode,
        attempt: u32,
    ) -> Call {
        let mut settings: Pairs = slot
            .settings
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        let wanted = &self.desk().shipments;
        let stage = wanted.earliest.word().to_owned();
        settings.push((settings::SHIP_STAGE.to_owned(), stage));
        if !wanted.statuses.is_empty() {
            let statuses = wanted.statuses.join(",");
            settings.push((settings::TOLD_STATUSES.to_owned(), statuses));
        }
        Call {
            connection: slot.row.id,
            context: Context { settings, attempt },
            scope,
            priority,
            mode,
            limit_ms: self.options.call_limit_ms,
        }
    }

    /// A connection as it is bound now. A batch keeps it to its end, whatever is swapped meanwhile.
    pub(crate) fn slot(&self, connection: ConnectionId) -> Option<Slot> {
        self.desk().slots.get(&connection).cloned()
    }

    /// Reads connections, routes and settings again and binds every connection.
    pub(crate) fn reload(&self) -> Result<(), StoreError> {
        // One at a time: what was read before must not replace what was read after it.
        let _turn = self
            .reloading
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (shipments, builds) = self
            .store
            .read(|rx| Ok::<_, StoreError>((trigger::wanted(rx)?, rx.connectors()?)))?;
        let (rows, routes, agent, values, addresses) = self.store.read(|rx| {
            let rows = rx.connections()?;
            let values = rows
                .iter()
                .map(|r| rx.effective(Some(r.id), None))
                .collect::<Result<Vec<_>, _>>()?;
            let addresses = rows
                .iter()
                .map(|r| {
                    let secret = rx.secret(r.id, hooks::SLOT, hooks::NAME)?;
                    Ok((r.id, r.name.clone(), secret))
                })
                .collect::<Result<Vec<_>, StoreError>>()?;
            let agent = rx.effective(None, None)?;
            Ok((rows, rx.routes()?, agent, values, addresses))
        })?;
        self.hooks.open(addresses);
        let mut slots = BTreeMap::new();
        for (row, mut settings) in rows.into_iter().zip(values) {
            let before = self.before(&builds, &row, &settings);
            self.fill_defaults(&row, &mut settings);
            let binding = Binding::of(&row, &settings);
            let bound = self.connectors.bind(&row.connector, binding);
            let connector = bound.map(|inner| Watched::around(inner, before, &self.watch));
            if let Err(why) = &connector {
                tracing::error!(connection = %row.name, reason = %why, "Connection has no connector.");
            }
            slots.insert(
                row.id,
                Slot {
                    row,
                    settings,
                    connector,
                },
            );
        }
        let zone = flow::zone(&agent, &self.options.zone);
        self.replace(Desk {
            slots,
            routes,
            agent,
            counts_open: self.options.counts_open,
            shipments,
            zone,
        });
        Ok(())
    }

    /// Reads the routes again; what is bound stays.
    pub(crate) fn reload_routes(&self) -> Result<(), StoreError> {
        let _turn = self
            .reloading
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let routes = self.store.read(Read::routes)?;
        self.replace(Desk {
            routes,
            ..Desk::clone(&self.desk())
        });
        Ok(())
    }

    fn replace(&self, desk: Desk) {
        let desk = Arc::new(desk);
        match self.desk.write() {
            Ok(mut held) => *held = desk,
            Err(poisoned) => *poisoned.into_inner() = desk,
        }
    }

    fn fill_defaults(&self, row: &ConnectionRow, settings: &mut Values) {
        let Some(descriptor) = self
            .connectors
            .descriptors()
            .into_iter()
            .find(|d| d.id == row.connector)
        else {
            return;
        };
        defaults_of(descriptor, settings);
    }

    /// The build that a build on trial is held against, bound to the same connection. Settings are never removed, so it
    /// finds its own.
    fn before(
        &self,
        builds: &[ConnectorRow],
        row: &ConnectionRow,
        settings: &Values,
    ) -> Option<Before> {
        let build = builds.iter().find(|build| build.id == row.connector)?;
        build.trial.as_ref()?;
        let build = self.swaps.loaded(&build.previous.first()?.hash)?;
        let mut own = settings.clone();
        defaults_of(build.descriptor().clone(), &mut own);
        let connector = build.bind(Binding::of(row, &own)).ok()?;
        Some(Before {
            connector,
            settings: own.into_iter().collect(),
        })
    }
}

/// Fills in what nobody set.
fn defaults_of(descriptor: Descriptor, settings: &mut Values) {
    for setting in descriptor.settings {
        if let Some(default) = setting.default {
            settings.entry(setting.key).or_insert(default);
        }
    }
}
