//! Reading what the ERP holds: item by item in the order of its catalogue, again and again, and at once where a webhook
//! says that an item's stock moved. Polling is the truth; hints make it faster.

use super::derive::{self, Route};
use crate::core::{Core, Desk, OneBuild, Slot};
use crate::event::Event;
use crate::{calls, hints, pull};
use std::collections::BTreeMap;
use std::sync::Arc;
use waybill_host::connector::CallError;
use waybill_host::ports::EffectScope;
use waybill_model::contract::KvWrite;
use waybill_model::crash;
use waybill_model::document::{Body, Document, Entity};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::Priority;
use waybill_model::settings::{HOOKS_URL, POLL};
use waybill_store::{CatalogueItem, Count, FeedRow, OnHandRow, Read, StoreError, Tx};

/// Items of one call.
const CHUNK: usize = 200;
/// Items that are stored together: they lie apart in the file, and each commit writes the pages around them anew.
const GATHERED: usize = 5_000;
/// What was read is stored after that long, whatever the number of items.
const GATHER_MS: Millis = 2_000;
/// A round rests so many times as long as it took, so that large catalogues leave calls to orders; more where webhooks
/// tell of changes.
const RESTS: Millis = 3;
const RESTS_WITH_HOOKS: Millis = 20;
/// Shortest rest where webhooks tell of changes.
const HOOKED_MS: Millis = 3_600_000;

/// Where the round stands.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct Place {
    /// Last item that was read.
    after: Option<String>,
    began: Millis,
}

/// Reads what is held of every item, from where the last run stopped. Where somebody said that an item's stock moved, that
/// is read first: a round of many items takes hours.
pub(crate) async fn sweep(core: Arc<Core>, connection: ConnectionId) -> Result<(), StoreError> {
    let mut build = OneBuild::default();
    while gather(&core, connection, &mut build).await? {
        if is_hinted(&core, connection)? {
            return Ok(());
        }
    }
    Ok(())
}

fn is_hinted(core: &Core, connection: ConnectionId) -> Result<bool, StoreError> {
    let Some(slot) = core.slot(connection) else {
        return Ok(false);
    };
    let now = core.now();
    let due = core.store.read(|rx| hints::due(core, &slot, rx, now))?;
    let mut due = due.into_iter();
    Ok(due.any(|(entity, at)| entity == Entity::InventoryLevel && at <= now))
}

/// Items worth asking for: those that have stock of their own and that somebody is told of, or that kits are made of.
fn wanted(
    rows: &dyn Read,
    routes: &[Route],
    connection: ConnectionId,
    after: Option<&str>,
) -> Result<(Vec<String>, Option<String>), StoreError> {
    let mut keys = Vec::new();
    let mut last = after.map(str::to_owned);
    loop {
        let items = rows.stock_items(connection, last.as_deref(), CHUNK)?;
        let more = items.len() == CHUNK;
        for item in items {
            last = Some(item.key.clone());
            let counted = item.tracked && item.components.is_empty();
            if counted && is_told_of(rows, routes, connection, &item)? {
                keys.push(item.key);
            }
            if keys.len() == CHUNK {
                return Ok((keys, last));
            }
        }
        if !more {
            return Ok((keys, None));
        }
    }
}

fn is_told_of(
    rows: &dyn Read,
    routes: &[Route],
    connection: ConnectionId,
    item: &CatalogueItem,
) -> Result<bool, StoreError> {
    for route in routes {
        if !route.names(rows, item)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(!rows.kits_of(connection, &item.key)?.is_empty())
}

/// What one call said of the items it was asked for.
pub(crate) struct Said {
    /// Before the call.
    asked_at: Millis,
    /// Units by item; of one that was not named, nothing is held.
    held: BTreeMap<String, Vec<Count>>,
}

impl Said {
    pub(crate) fn of(asked: Vec<String>, documents: Vec<Document>, asked_at: Millis) -> Self {
        let mut held: BTreeMap<String, Vec<Count>> =
            asked.into_iter().map(|key| (key, Vec::new())).collect();
        for document in documents {
            if let Body::InventoryLevel(level) = document.body
                && let Some(counts) = held.get_mut(&level.item)
            {
                counts.push(Count {
                    warehouse: level.warehouse,
                    units: level.available,
                });
            }
        }
        for counts in held.values_mut() {
            counts.sort_by(|a, b| a.warehouse.cmp(&b.warehouse));
        }
        Self { asked_at, held }
    }
}

/// Some calls of the round, whose answers are stored together.
#[derive(Default)]
struct Gathered {
    said: Vec<Said>,
    writes: Vec<KvWrite>,
    items: usize,
    /// Why the last call gave nothing.
    error: Option<CallError>,
    /// Every item was read.
    whole: bool,
}

/// Some calls and one commit; whether the round goes on.
async fn gather(
    core: &Arc<Core>,
    connection: ConnectionId,
    build: &mut OneBuild,
) -> Result<bool, StoreError> {
    let desk = core.desk();
    let Some(slot) = desk.slots.get(&connection).filter(|slot| build.is(slot)) else {
        return Ok(false);
    };
    let feed = core
        .store
        .read(|rx| rx.feed(connection, Entity::InventoryLevel))?;
    let mut at = place(feed.as_ref());
    if at.after.is_none() {
        at.began = core.now();
    }
    let mut feed = feed.unwrap_or_else(|| pull::fresh_feed(connection, Entity::InventoryLevel));
    let gathered = ask(core, &desk, slot, &mut at, feed.failures + 1).await?;
    let more = !gathered.whole && gathered.error.is_none() && !gathered.said.is_empty();
    if gathered.whole || !gathered.said.is_empty() {
        let now = core.now();
        let rest = rest_ms(slot, now - at.began);
        feed = FeedRow {
            cursor: serde_json::to_vec(&at).ok(),
            last_ok: Some(now),
            failures: 0,
            caught_up_at: if gathered.whole {
                Some(now)
            } else {
                feed.caught_up_at
            },
            next_due: if gathered.whole { now + rest } else { now },
            ..feed
        };
        store(
            core,
            desk.clone(),
            feed.clone(),
            gathered.said,
            gathered.writes,
        )
        .await?;
        let asked = gathered.items;
        core.observe(|| format!("stock read {connection} asked={asked} more={more}"));
        core.wake(Event::Changed);
    }
    if let Some(error) = gathered.error {
        let attempt = feed.failures + 1;
        failed(core, feed, attempt, error).await?;
    }
    Ok(more)
}

/// Asks for the next items until enough were read; `at` moves on with each answer.
async fn ask(
    core: &Arc<Core>,
    desk: &Desk,
    slot: &Slot,
    at: &mut Place,
    attempt: u32,
) -> Result<Gathered, StoreError> {
    let connection = slot.row.id;
    let mut gathered = Gathered::default();
    let Some(connector) = slot.connector() else {
        return Ok(gathered);
    };
    let began = core.now();
    while gathered.items < GATHERED && core.now() - began < GATHER_MS {
        let asked_at = core.now();
        let (keys, next, may_call) = core.store.read(|rx| {
            let routes = derive::routes(rx, desk, |row| row.from == connection)?;
            let (keys, next) = wanted(rx, &routes, connection, at.after.as_deref())?;
            Ok((keys, next, core.may_call(rx, connection, asked_at)?))
        })?;
        if !may_call {
            break;
        }
        let mut kept_apart = false;
        if !keys.is_empty() {
            let scope = EffectScope::Poll("fetch/inventory-level".to_owned());
            let mode = core.reading(slot.row.id, Entity::InventoryLevel)?;
            let call = core.call(slot, scope, Priority::Stock, mode, attempt);
            let entity = Entity::InventoryLevel;
            let answer = connector.fetch(call, entity, keys.clone()).await;
            match answer.value {
                Ok(documents) => {
                    gathered.items += keys.len();
                    gathered.said.push(Said::of(keys, documents, asked_at));
                }
                Err(error) => {
                    gathered.error = Some(error);
                    break;
                }
            }
            // The next call is to find what this one wrote.
            kept_apart = !answer.writes.is_empty();
            gathered.writes.extend(answer.writes);
        }
        gathered.whole = next.is_none();
        at.after = next;
        if gathered.whole || kept_apart {
            break;
        }
    }
    Ok(gathered)
}

async fn store(
    core: &Arc<Core>,
    desk: Arc<Desk>,
    feed: FeedRow,
    said: Vec<Said>,
    writes: Vec<KvWrite>,
) -> Result<(), StoreError> {
    let (connection, now) = (feed.connection, core.now());
    crash::point("stock.before-commit");
    core.store
        .write(move |tx| {
            calls::mark_ok(tx, connection, now)?;
            tx.kv_apply(connection, &writes)?;
            take(tx, &desk, connection, &said, now)?;
            tx.put_feed(&feed)
        })
        .await?;
    crash::point("stock.committed");
    Ok(())
}

fn place(feed: Option<&FeedRow>) -> Place {
    let bytes = feed.and_then(|feed| feed.cursor.as_deref());
    bytes
        .and_then(|bytes| serde_json::from_slice(bytes).ok())
        .unwrap_or_default()
}

fn rest_ms(slot: &Slot, took: Millis) -> Millis {
    let poll = pull::poll_ms(slot, Entity::InventoryLevel);
    let hooked = slot
        .settings
        .get(HOOKS_URL)
        .is_some_and(|url| !url.is_empty());
    // What a person set stands, but for a catalogue that takes longer than that.
    let own = slot
        .settings
        .contains_key(&format!("{POLL}{}", Entity::InventoryLevel));
    if hooked && !own {
        poll.max(HOOKED_MS).max(took * RESTS_WITH_HOOKS)
    } else {
        poll.max(took * RESTS)
    }
}

async fn failed(
    core: &Arc<Core>,
    feed: FeedRow,
    attempt: u32,
    error: CallError,
) -> Result<(), StoreError> {
    let now = core.now();
    let wait = calls::wait_ms(core, &error, attempt);
    tracing::warn!(attempt, wait_ms = wait, error = ?error, "Stock could not be read and will be asked for again.");
    core.store
        .write(move |tx| {
            tx.put_feed(&FeedRow {
                failures: attempt,
                next_due: now + wait,
                ..feed.clone()
            })?;
            calls::mark_error(tx, feed.connection, &error, now)
        })
        .await?;
    core.wake(Event::Changed);
    Ok(())
}

/// Takes what was said of items up to now, and what follows for their levels.
pub(crate) fn take(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    said: &[Said],
    now: Millis,
) -> Result<(), StoreError> {
    let mut changed = Vec::new();
    for part in said {
        for (item, counts) in &part.held {
            let row = OnHandRow {
                counts: counts.clone(),
                at: now,
            };
            tx.put_on_hand(connection, item, &row)?;
            tx.settle_taken(connection, item, part.asked_at)?;
            // Also where the units are the same: rules and names may have changed since.
            changed.push(item.as_str());
        }
    }
    for route in derive::routes(tx, desk, |row| row.from == connection)? {
        route.follow_all(tx, changed.iter().copied())?;
    }
    Ok(())
}
