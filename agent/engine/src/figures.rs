//! The figures a monitor collects: counters that are kept anyway, the heads of a few indexes, and what is in memory.
//! No scan, no address, no name of a person or of an order. `waybill-http` gives them their names.

use crate::core::Core;
use crate::ensure;
use crate::handle::{CommandError, Handle};
use crate::limits;
use crate::swap::{self, HandOvers, view::ConnectorState};
use crate::view::BudgetView;
use waybill_host::tally::Counts;
use waybill_model::ids::Millis;
use waybill_model::order_state::OrderStage;
use waybill_store::{COMMIT_BOUNDS_MS, CardKinds, Read, Rx, SCHEMA_VERSION, Stats, StoreError};

/// Cards that are told apart by kind; more than that no merchant waits with.
const KINDS_OF: usize = 5_000;
/// A deadline that passed within this time is still the nearest.
const MISSED_MS: Millis = 86_400_000;
/// Stages of which the oldest order is told: it waits for a person, it has no sale yet.
const AGED: [OrderStage; 2] = [OrderStage::Waiting, OrderStage::Received];

/// Everything at one moment.
#[derive(Debug, Clone)]
pub struct Figures {
    /// The agent's version.
    pub version: String,
    /// Schema version of the database.
    pub schema: u32,
    /// Orders by state, empty states too.
    pub orders: Vec<(OrderStage, u64)>,
    /// How long ago the oldest order of a state came; 0: there is none.
    pub oldest_ms: Vec<(OrderStage, Millis)>,
    /// Jobs by the word of their state, empty states too.
    pub jobs: Vec<(&'static str, u64)>,
    /// Cards by what they are about, of the first 5,000.
    pub cards: CardKinds,
    /// Until the nearest deadline of an order that waits for a person; negative: it passed. `None`: there is none.
    pub waiting_deadline_ms: Option<Millis>,
    /// Until the nearest open deadline of any order.
    pub next_deadline_ms: Option<Millis>,
    /// Each connection.
    pub connections: Vec<ConnectionFigures>,
    /// Where each connector stands.
    pub connectors: Vec<(String, ConnectorState)>,
    /// How long swaps took, since the start.
    pub swaps: HandOvers,
    /// How long it took to take a bad build back, since the start.
    pub undos: HandOvers,
    /// Webhook requests to no address of ours.
    pub strangers: u64,
    /// What the database did since it was opened.
    pub store: Stats,
    /// Commits that took at most so many milliseconds, and how many.
    pub commits: Vec<(u64, u64)>,
    /// Whether a disk failure stopped all writes.
    pub poisoned: bool,
}

/// One connection at one moment.
#[derive(Debug, Clone)]
pub struct ConnectionFigures {
    /// The merchant's name for it.
    pub name: String,
    /// Its connector: id, version, generation; `None` while none is loaded.
    pub connector: Option<(String, String, u64)>,
    /// Stopped by a person.
    pub paused: bool,
    /// The vendor asked to wait.
    pub held: bool,
    /// The credentials were refused.
    pub unauthorized: bool,
    /// Last good contact.
    pub last_ok: Option<Millis>,
    /// Calls and requests since the start.
    pub counts: Counts,
    /// Call limits.
    pub budgets: Vec<BudgetView>,
    /// Webhooks; `None` where the connector has none, or they are off.
    pub hooks: Option<HookFigures>,
}

/// Webhooks of a connection at one moment.
#[derive(Debug, Clone)]
pub struct HookFigures {
    /// Whether they stand at the vendor.
    pub registered: bool,
    /// Requests by the status they were answered with, since the start.
    pub answered: Vec<(u16, u64)>,
    /// Requests that are kept and not read yet.
    pub waiting: u64,
    /// Requests that could not be understood, ever.
    pub refused: u64,
}

impl Handle {
    /// The figures of this moment.
    pub async fn figures(&self) -> Result<Figures, CommandError> {
        self.read(figures).await
    }
}

fn figures(core: &Core, rx: &Rx) -> Result<Figures, StoreError> {
    let now = core.now();
    let counters = rx.counters()?;
    let count = |stage: OrderStage| counters.orders.get(&stage).copied().unwrap_or(0);
    let mut oldest_ms = Vec::new();
    for stage in AGED {
        let row = rx.oldest_order(stage)?;
        let age = row.map_or(0, |row| (now - row.received_at).max(0));
        oldest_ms.push((stage, age));
    }
    let urgent = rx.cards(1)?.into_iter().find_map(|card| card.urgent_by);
    let next = rx.deadlines(now - MISSED_MS, 1)?.into_iter().next();
    let stats = core.store.stats();
    let (swaps, undos) = core.swaps.times.counted();
    let rows = rx.connections()?;
    let connections = rows.iter().map(|row| connection(core, rx, row, now));
    Ok(Figures {
        version: core.options.version.clone(),
        schema: SCHEMA_VERSION,
        orders: OrderStage::ALL.iter().map(|s| (*s, count(*s))).collect(),
        oldest_ms,
        jobs: waybill_store::JOB_WORDS
            .iter()
            .map(|word| (*word, counters.jobs.get(*word).copied().unwrap_or(0)))
            .collect(),
        cards: rx.card_kinds(KINDS_OF)?,
        waiting_deadline_ms: urgent.map(|at| at - now),
        next_deadline_ms: next.map(|(at, ..)| at - now),
        connections: connections.collect::<Result<_, StoreError>>()?,
        connectors: swap::connectors(core, rx)?
            .connectors
            .into_iter()
            .map(|connector| (connector.id, connector.state))
            .collect(),
        swaps,
        undos,
        strangers: core.hooks.strangers(),
        store: stats,
        commits: COMMIT_BOUNDS_MS
            .into_iter()
            .zip(stats.commits_within)
            .collect(),
        poisoned: core.store.is_poisoned(),
    })
}

fn connection(
    core: &Core,
    rx: &Rx,
    row: &waybill_store::ConnectionRow,
    now: Millis,
) -> Result<ConnectionFigures, StoreError> {
    let desk = core.desk();
    let slot = desk.slots.get(&row.id);
    let connector = slot.and_then(|slot| slot.connector()).map(|connector| {
        let descriptor = connector.descriptor();
        let generation = connector.generation().0;
        (
            descriptor.id.clone(),
            descriptor.version.clone(),
            generation,
        )
    });
    let wanted = slot
        .filter(|slot| ensure::is_webhook(slot))
        .and_then(|slot| ensure::wanted(core, slot));
    let hooks = match wanted {
        Some(url) => {
            let stands = rx.hooks(row.id)?;
            Some(HookFigures {
                registered: stands.as_ref().is_some_and(|hooks| {
                    hooks.public_url.as_ref() == Some(&url)
                        && hooks.ensured_at.is_some()
                        && hooks.problem.is_none()
                }),
                answered: core.hooks.answered(row.id),
                waiting: rx.delivery_backlog(row.id)?,
                refused: stands.map_or(0, |hooks| hooks.refused),
            })
        }
        None => None,
    };
    Ok(ConnectionFigures {
        name: row.name.clone(),
        connector,
        paused: row.paused,
        held: row.hold_until.is_some_and(|until| until > now),
        unauthorized: row.unauthorized.is_some(),
        last_ok: row.last_ok,
        counts: core.connectors.counts(row.id),
        budgets: limits::budgets(core, row.id),
        hooks,
    })
}
