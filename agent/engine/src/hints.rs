//! Following hints: due ones of one kind are read together, and what comes is taken like a page, in one commit with the
//! hints it follows. A hint that is renewed meanwhile stays. Knows not who left a hint, nor why.

use crate::calls;
use crate::core::{Core, Desk, Slot};
use crate::event::Event;
use crate::{cancel, intake, pull, restored, shipment, stock};
use std::collections::BTreeSet;
use std::sync::Arc;
use waybill_host::connector::CallError;
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Failure, KvWrite};
use waybill_model::crash;
use waybill_model::document::{Document, Entity};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::Priority;
use waybill_store::{HintRow, Read, StoreError};

/// Most keys of one call.
const MOST: usize = 200;
/// Due hints looked at, to find the most urgent ones.
const LOOK_AT: usize = 1_000;
/// A ship-by nearer than this goes first and may use the reserve of calls.
const NEAR_MS: Millis = 4 * 3_600_000;
/// Calls made to find the one key that cannot be read, before the rest waits.
const MOST_CALLS: usize = 24;
/// The next call waits that long unless more is due than one call takes: calls are worth more than seconds.
const REST_MS: Millis = 5_000;
/// First and longest wait of a key that cannot be read.
const FIRST_MS: Millis = 60_000;
const LONGEST_MS: Millis = 3_600_000;

/// Kinds of document that have due hints and may be read now.
pub(crate) fn due(
    core: &Core,
    slot: &Slot,
    rx: &dyn Read,
    now: Millis,
) -> Result<Vec<(Entity, Millis)>, StoreError> {
    let rows = rx.due_hints(slot.row.id, now, LOOK_AT)?;
    let kinds: BTreeSet<Entity> = rows.iter().map(|row| row.entity).collect();
    let at = |entity| core.hooks.again_at(slot.row.id, Some(entity), now);
    Ok(kinds
        .into_iter()
        .map(|entity| (entity, at(entity)))
        .collect())
}

/// Reads the most urgent due hints of one kind. What is left is for the next run.
pub(crate) async fn run(
    core: Arc<Core>,
    connection: ConnectionId,
    entity: Entity,
) -> Result<(), StoreError> {
    let desk = core.desk();
    let Some(slot) = desk.slots.get(&connection) else {
        return Ok(());
    };
    let now = core.now();
    let (rows, near, may_call) = core.store.read(|rx| {
        let (rows, near) = choose(rx, connection, entity, now)?;
        Ok((rows, near, core.may_call(rx, connection, now)?))
    })?;
    if rows.is_empty() || !may_call {
        return Ok(());
    }
    let leads = desk
        .routes
        .iter()
        .any(|r| r.entity == entity && r.from == connection);
    // What a system holds is of use only where somebody is told.
    let unused = entity == Entity::InventoryLevel && !leads;
    if unused || slot.descriptor().is_none_or(|d| d.feed(entity).is_none()) {
        return forget(&core, rows).await;
    }
    let priority = if near {
        Priority::NearDeadline
    } else {
        pull::priority(entity)
    };
    let all = rows.len() < MOST;
    let mut went_well = true;
    let mut parts = vec![rows];
    let mut calls = 0;
    while let Some(mut part) = parts.pop() {
        if calls == MOST_CALLS {
            core.hooks.put_off(&core, connection, Some(entity), None);
            went_well = false;
            break;
        }
        calls += 1;
        match fetch(&core, &desk, slot, entity, priority, &part).await? {
            Fetched::Yes => {}
            Fetched::Stopped => {
                let rest = part.split_off(part.len() / 2);
                parts.extend([rest, part]);
            }
            Fetched::Later => {
                went_well = false;
                break;
            }
        }
    }
    if went_well && all {
        let until = core.now() + REST_MS;
        core.hooks.rest(connection, Some(entity), until);
    }
    core.wake(Event::Changed);
    Ok(())
}

/// The hints to follow now: those of orders near their ship-by first. One that could not be read before goes alone.
/// Whether any of them is near.
fn choose(
    rx: &dyn Read,
    connection: ConnectionId,
    entity: Entity,
    now: Millis,
) -> Result<(Vec<HintRow>, bool), StoreError> {
    let mut rows = Vec::new();
    for row in rx.due_hints(connection, now, LOOK_AT)? {
        if row.entity == entity {
            let ship_by = ship_by(rx, &row)?.filter(|by| by - now < NEAR_MS);
            rows.push((ship_by.unwrap_or(Millis::MAX), row));
        }
    }
    rows.sort_by_key(|(ship_by, row)| (row.tries > 0, *ship_by, row.due));
    let alone = rows.first().is_some_and(|(_, row)| row.tries > 0);
    rows.retain(|(_, row)| alone || row.tries == 0);
    rows.truncate(if alone { 1 } else { MOST });
    let near = rows.iter().any(|(ship_by, _)| *ship_by != Millis::MAX);
    Ok((rows.into_iter().map(|(_, row)| row).collect(), near))
}

fn ship_by(rx: &dyn Read, hint: &HintRow) -> Result<Option<Millis>, StoreError> {
    let order = match hint.entity {
        Entity::Order => rx.order_by_key(hint.connection, &hint.key)?,
        _ => match rx.order_of_latest(hint.connection, hint.entity, &hint.key)? {
            Some(order) => rx.order(order)?,
            None => None,
        },
    };
    Ok(order.and_then(|row| row.ship_by).map(|by| by.at))
}

/// Hints of a kind that the connector does not give any more.
async fn forget(core: &Arc<Core>, rows: Vec<HintRow>) -> Result<(), StoreError> {
    core.store
        .write(move |tx| rows.iter().try_for_each(|row| tx.take_hint(row).map(drop)))
        .await?;
    core.wake(Event::Changed);
    Ok(())
}

/// What became of a call.
enum Fetched {
    /// Taken, or put off alone.
    Yes,
    /// It failed over one of several keys, perhaps: which one is to be found out.
    Stopped,
    /// Not now.
    Later,
}

async fn fetch(
    core: &Arc<Core>,
    desk: &Arc<Desk>,
    slot: &Slot,
    entity: Entity,
    priority: Priority,
    rows: &[HintRow],
) -> Result<Fetched, StoreError> {
    let connection = slot.row.id;
    let Some(connector) = slot.connector() else {
        return Ok(Fetched::Later);
    };
    let scope = EffectScope::Poll(format!("fetch/{entity}"));
    let mode = core.reading(connection, entity)?;
    let call = core.call(slot, scope, priority, mode, 1);
    let keys: Vec<String> = rows.iter().map(|row| row.key.clone()).collect();
    let asked_at = core.now();
    let answer = connector.fetch(call, entity, keys).await;
    crash::point("fetch.answered");
    match answer.value {
        Ok(documents) => {
            let came = Came {
                documents,
                writes: answer.writes,
                asked_at,
            };
            take(core, desk, connection, entity, rows, came).await?;
            crash::point("fetch.committed");
            core.hooks.went_well(connection, Some(entity));
            Ok(Fetched::Yes)
        }
        Err(error) => failed(core, connection, entity, rows, error).await,
    }
}

/// What a call brought.
struct Came {
    documents: Vec<Document>,
    writes: Vec<KvWrite>,
    /// Before the call.
    asked_at: Millis,
}

/// Documents, what follows from them, and the hints that led to them: one commit.
async fn take(
    core: &Arc<Core>,
    desk: &Arc<Desk>,
    connection: ConnectionId,
    entity: Entity,
    rows: &[HintRow],
    came: Came,
) -> Result<(), StoreError> {
    let (now, desk, rows) = (core.now(), desk.clone(), rows.to_vec());
    let Came {
        mut documents,
        writes,
        asked_at,
    } = came;
    let asked = rows.len();
    let said = (entity == Entity::InventoryLevel).then(|| {
        let asked = rows.iter().map(|row| row.key.clone()).collect();
        [stock::Said::of(
            asked,
            std::mem::take(&mut documents),
            asked_at,
        )]
    });
    let taken = core
        .store
        .write(move |tx| {
            calls::mark_ok(tx, connection, now)?;
            tx.kv_apply(connection, &writes)?;
            // Before the documents: what they ask for may be the same document again, later.
            for row in &rows {
                tx.take_hint(row)?;
            }
            if let Some(said) = &said {
                stock::take(tx, &desk, connection, said, now)?;
                return Ok(intake::Taken::default());
            }
            let taken = intake::documents(tx, &desk, connection, &documents, now)?;
            if entity == Entity::Order {
                restored::read(tx, &desk, connection, &documents, asked_at, now)?;
            }
            if entity == Entity::OrderState {
                cancel::restored::read(tx, &desk, connection, &documents, asked_at, now)?;
            }
            let came: BTreeSet<&str> = documents.iter().map(|d| d.key.as_str()).collect();
            for row in rows.iter().filter(|row| !came.contains(row.key.as_str())) {
                tracing::debug!(key = %row.key, "A hint led to nothing.");
                shipment::intake::gone(tx, &desk, connection, entity, &row.key, now)?;
            }
            Ok(taken)
        })
        .await?;
    core.observe(|| {
        format!(
            "fetched {connection} {entity} asked={asked} new={} seen={}",
            taken.new, taken.seen
        )
    });
    tracing::debug!(asked, new = taken.new, seen = taken.seen, "Followed hints.");
    Ok(())
}

async fn failed(
    core: &Arc<Core>,
    connection: ConnectionId,
    entity: Entity,
    rows: &[HintRow],
    error: CallError,
) -> Result<Fetched, StoreError> {
    tracing::warn!(keys = rows.len(), error = ?error, "Hints could not be followed now.");
    core.observe(|| format!("fetch failed {connection} {entity} {error:?}"));
    let wait = match &error {
        CallError::Failure(Failure::Retry(Some(secs))) => Some(Millis::from(*secs) * 1000),
        CallError::Failure(Failure::Retry(None) | Failure::Unauthorized(_))
        | CallError::Host(_) => None,
        _ if rows.len() > 1 => return Ok(Fetched::Stopped),
        _ => return alone(core, connection, rows.to_vec(), error).await,
    };
    core.hooks.put_off(core, connection, Some(entity), wait);
    let now = core.now();
    core.store
        .write(move |tx| calls::mark_error(tx, connection, &error, now))
        .await?;
    Ok(Fetched::Later)
}

/// A key that cannot be read even alone is asked for ever less often; the others go on.
async fn alone(
    core: &Arc<Core>,
    connection: ConnectionId,
    rows: Vec<HintRow>,
    error: CallError,
) -> Result<Fetched, StoreError> {
    let now = core.now();
    core.store
        .write(move |tx| {
            for row in &rows {
                let wait = (FIRST_MS << row.tries.min(10)).min(LONGEST_MS);
                tx.defer_hint(row, now + wait)?;
                if row.tries == 0 {
                    let name = tx.connection(connection)?.map(|row| row.name);
                    let detail = format!(
                        "{}: {} {}: {}",
                        name.unwrap_or_default(),
                        row.entity,
                        row.key,
                        calls::sentence(&error)
                    );
                    tx.audit("waybill", "Could not read again", &detail, now)?;
                }
            }
            Ok(())
        })
        .await?;
    Ok(Fetched::Yes)
}
