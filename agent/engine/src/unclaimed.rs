//! Notes, invoices and states of sales that came before we knew their sale: its creation was under way, or its answer was
//! lost. A few are remembered while any sale is in that state, and read again once their sale is known. Everybody else's
//! leave no trace.

use crate::core::Desk;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::{JobState, Reason, Work};
use waybill_store::{JobRow, Read, StoreError, Tx};

/// Documents of one kind remembered at most, the newest ones.
const MOST: usize = 200;
/// The same after a restore, when any sale since the backup may be ours.
const MOST_RESTORED: usize = 2_000;
/// Longer than that none is remembered.
const KEPT_MS: Millis = 7 * 86_400_000;
/// What is remembered.
const KINDS: [Entity; 3] = [Entity::Shipment, Entity::Invoice, Entity::OrderState];

/// Sale, key of the document, when it came.
type Unclaimed = Vec<(String, String, Millis)>;

/// Whether a page may hold what is to be remembered: asked once for all of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Unsure(Option<bool>);

fn place(connection: ConnectionId, entity: Entity) -> String {
    format!("unclaimed/{entity}/{connection}")
}

fn remembered(
    tx: &Tx<'_>,
    connection: ConnectionId,
    entity: Entity,
) -> Result<Unclaimed, StoreError> {
    let bytes = tx.meta(&place(connection, entity))?;
    Ok(bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default())
}

fn put(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    entity: Entity,
    all: &Unclaimed,
) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(all).unwrap_or_default();
    tx.put_meta(&place(connection, entity), &bytes)
}

/// Whether anything is done with documents of this kind.
fn is_wanted(desk: &Desk, connection: ConnectionId, entity: Entity) -> bool {
    let leads = |entity| {
        let mut routes = desk.routes.iter();
        routes.any(|r| r.entity == entity && r.from == connection)
    };
    match entity {
        Entity::OrderState => {
            leads(Entity::Cancellation)
                || (leads(Entity::Shipment) && !desk.shipments.statuses.is_empty())
        }
        _ => leads(entity),
    }
}

/// Whether any sale of this connection may exist that we have no link for.
fn possible(tx: &Tx<'_>, connection: ConnectionId, now: Millis) -> Result<bool, StoreError> {
    if is_restored(tx, now)? {
        return Ok(true);
    }
    let sale = |job: &JobRow| job.work == Work::Push(Entity::Order) && job.to == connection;
    for word in ["running", "waiting", "pending", "ready", "parked"] {
        for job in tx.jobs_in(word, usize::MAX)? {
            let begun = match &job.state {
                JobState::Ready | JobState::Parked(Reason::Problem(_) | Reason::Gaps(_)) => {
                    sale(&job) && tx.has_effects(job.id)?
                }
                _ => sale(&job),
            };
            if begun {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether sales may exist that were made after the backup this database was restored from, and are not looked up yet.
fn is_restored(tx: &Tx<'_>, now: Millis) -> Result<bool, StoreError> {
    let restored = tx.restored()?;
    Ok(restored.is_some_and(|restored| now - restored.at < KEPT_MS))
}

/// Remembers a document of a sale that nobody knows, where it may be one of ours.
pub(crate) fn remember(
    tx: &mut Tx<'_>,
    desk: &Desk,
    (connection, entity): (ConnectionId, Entity),
    (sale, key): (&str, &str),
    unsure: &mut Unsure,
    now: Millis,
) -> Result<(), StoreError> {
    if !is_wanted(desk, connection, entity) {
        return Ok(());
    }
    let unsure = match unsure.0 {
        Some(known) => known,
        None => *unsure.0.insert(possible(tx, connection, now)?),
    };
    if !unsure {
        return Ok(());
    }
    let mut all = remembered(tx, connection, entity)?;
    all.retain(|(_, known, at)| known != key && now - at < KEPT_MS);
    all.push((sale.to_owned(), key.to_owned(), now));
    let most = if is_restored(tx, now)? {
        MOST_RESTORED
    } else {
        MOST
    };
    let over = all.len().saturating_sub(most);
    all.drain(..over);
    put(tx, connection, entity, &all)
}

/// A sale is known now: what came of it is read again.
pub(crate) fn claim(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    sale: &str,
    now: Millis,
) -> Result<(), StoreError> {
    for entity in KINDS {
        let mut all = remembered(tx, connection, entity)?;
        let (mine, rest): (Vec<_>, Vec<_>) = all.drain(..).partition(|(of, _, _)| of == sale);
        if mine.is_empty() {
            continue;
        }
        for (_, key, _) in &mine {
            tx.hint(connection, entity, key, now)?;
        }
        put(tx, connection, entity, &rest)?;
    }
    Ok(())
}
