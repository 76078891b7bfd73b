//! Reading what the ERP holds: item by item in the order of its catalogue, again and again, and at once where a webhook
//! says that an item's stock moved. Polling is the truth; hints make it faster.

use super::derive::{self, Route};
use crate::core::{Core, Desk, OneBuild};
use crate::event::Event;
use crate::{calls, pull};
use std::collections::BTreeMap;
use std::sync::Arc;
use waybill_host::connector::{CallError, Mode};
use waybill_host::ports::EffectScope;
use waybill_model::crash;
use waybill_model::document::{Body, Document, Entity};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::Priority;
use waybill_model::settings::{HOOKS_URL, POLL};
use waybill_store::{Count, FeedRow, OnHandRow, Read, StoreError, Tx};

/// Items of one call.
const CHUNK: usize = 200;
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

/// Reads what is held of every item, from where the last run stopped.
pub(crate) async fn sweep(core: Arc<Core>, connection: ConnectionId) -> Result<(), StoreError> {
    let mut build = OneBuild::default();
    while chunk(&core, connection, &mut build).await? {}
    Ok(())
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
            if item.tracked && is_told_of(rows, routes, connection, &item.key)? {
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
    key: &str,
) -> Result<bool, StoreError> {
    if !rows.kits_of(connection, key)?.is_empty() {
        return Ok(true);
    }
    let Some(item) = rows.item(connection, key)? else {
        return Ok(false);
    };
    for route in routes {
        if !route.names(rows, &item)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// One call; whether the round goes on.
async fn chunk(
    core: &Arc<Core>,
    connection: ConnectionId,
    build: &mut OneBuild,
) -> Result<bool, StoreError> {
    let desk = core.desk();
    let Some(slot) = desk.slots.get(&connection).filter(|slot| build.is(slot)) else {
        return Ok(false);
    };
    let Some(connector) = slot.connector() else {
        return Ok(false);
    };
    let now = core.now();
    let (feed, keys, next, may_call) = core.store.read(|rx| {
        let feed = rx.feed(connection, Entity::InventoryLevel)?;
        let place = place(feed.as_ref());
        let routes = derive::routes(rx, &desk, |row| row.from == connection)?;
        let (keys, next) = wanted(rx, &routes, connection, place.after.as_deref())?;
        Ok((feed, keys, next, core.may_call(rx, connection, now)?))
    })?;
    if !may_call {
        return Ok(false);
    }
    let mut at = place(feed.as_ref());
    if at.after.is_none() {
        at.began = now;
    }
    let feed = feed.unwrap_or_else(|| pull::fresh_feed(connection, Entity::InventoryLevel));
    let attempt = feed.failures + 1;
    let asked_at = core.now();
    let (documents, writes) = if keys.is_empty() {
        (Vec::new(), Vec::new())
    } else {
        let scope = EffectScope::Poll("fetch/inventory-level".to_owned());
        let call = core.call(slot, scope, Priority::Stock, Mode::Live, attempt);
        let answer = connector
            .fetch(call, Entity::InventoryLevel, keys.clone())
            .await;
        match answer.value {
            Ok(documents) => (documents, answer.writes),
            Err(error) => {
                failed(core, feed, attempt, error).await?;
                return Ok(false);
            }
        }
    };
    let (more, began) = (next.is_some(), at.began);
    at.after = next;
    let rest = rest_ms(slot, core.now() - began);
    let asked = keys.len();
    let inner = desk.clone();
    let now = core.now();
    crash::point("stock.before-commit");
    core.store
        .write(move |tx| {
            calls::mark_ok(tx, connection, now)?;
            tx.kv_apply(connection, &writes)?;
            take(tx, &inner, connection, &keys, &documents, (asked_at, now))?;
            let feed = FeedRow {
                cursor: serde_json::to_vec(&at).ok(),
                last_ok: Some(now),
                failures: 0,
                caught_up_at: if more { feed.caught_up_at } else { Some(now) },
                next_due: if more { now } else { now + rest },
                ..feed
            };
            tx.put_feed(&feed)
        })
        .await?;
    crash::point("stock.committed");
    core.observe(|| format!("stock read {connection} asked={asked} more={more}"));
    core.wake(Event::Changed);
    Ok(more)
}

fn place(feed: Option<&FeedRow>) -> Place {
    let bytes = feed.and_then(|feed| feed.cursor.as_deref());
    bytes
        .and_then(|bytes| serde_json::from_slice(bytes).ok())
        .unwrap_or_default()
}

fn rest_ms(slot: &crate::core::Slot, took: Millis) -> Millis {
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

/// Takes what was said of these items, between the time it was asked and now: of one that is not named, nothing is held.
pub(crate) fn take(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    asked: &[String],
    documents: &[Document],
    (asked_at, now): (Millis, Millis),
) -> Result<(), StoreError> {
    let mut held: BTreeMap<&str, Vec<Count>> =
        asked.iter().map(|key| (key.as_str(), Vec::new())).collect();
    for document in documents {
        if let Body::InventoryLevel(level) = &document.body
            && let Some(counts) = held.get_mut(level.item.as_str())
        {
            counts.push(Count {
                warehouse: level.warehouse.clone(),
                units: level.available,
            });
        }
    }
    let mut changed = Vec::new();
    for (item, mut counts) in held {
        counts.sort_by(|a, b| a.warehouse.cmp(&b.warehouse));
        let row = OnHandRow { counts, at: now };
        tx.put_on_hand(connection, item, &row)?;
        tx.settle_taken(connection, item, asked_at)?;
        // Also where the units are the same: rules and names may have changed since.
        changed.push(item);
    }
    for route in derive::routes(tx, desk, |row| row.from == connection)? {
        route.follow_all(tx, changed.iter().copied())?;
    }
    Ok(())
}
