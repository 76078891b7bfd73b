//! Pulling one page of a feed: ask, commit, go on. The cursor moves in the same commit as the documents it stands for.

use crate::core::{Core, OneBuild, Slot};
use crate::event::Event;
use crate::flow::{self, Standing};
use crate::intake;
use crate::practice;
use std::sync::Arc;
use waybill_host::connector::CallError;
use waybill_host::ports::EffectScope;
use waybill_model::crash;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::Priority;
use waybill_model::settings::POLL;
use waybill_store::{DeadlineKind, FeedRow, Read, Rx, StoreError};

/// How long a caught-up feed rests: the merchant's setting, else the connector's word.
pub(crate) fn poll_ms(slot: &Slot, entity: Entity) -> Millis {
    slot.millis(&format!("{POLL}{entity}")).unwrap_or_else(|| {
        slot.descriptor()
            .and_then(|d| d.feed(entity))
            .map_or(60_000, |f| Millis::from(f.poll_secs) * 1000)
    })
}

/// A feed nobody has read yet.
pub(crate) const fn fresh_feed(connection: ConnectionId, entity: Entity) -> FeedRow {
    FeedRow {
        connection,
        entity,
        cursor: None,
        last_ok: None,
        caught_up_at: None,
        next_due: 0,
        failures: 0,
        taken: 0,
    }
}

/// A ship-by nearer than this may use the reserve of calls.
const NEAR_MS: Millis = 4 * 3_600_000;
/// One that passed longer ago is not saved by a call.
const MISSED_MS: Millis = 24 * 3_600_000;
/// Deadlines looked at.
const LOOK_AT: usize = 200;

/// Whether any order is near its ship-by: what brings its shipment goes first then.
fn is_near(rx: &Rx, now: Millis) -> Result<bool, StoreError> {
    let next = rx.deadlines(now - MISSED_MS, LOOK_AT)?;
    let mut near = next.into_iter().take_while(|(at, _, _)| at - now < NEAR_MS);
    Ok(near.any(|(_, kind, _)| kind == DeadlineKind::Ship))
}

pub(crate) const fn priority(entity: Entity) -> Priority {
    match entity {
        Entity::Order
        | Entity::Cancellation
        | Entity::OrderState
        | Entity::Shipment
        | Entity::Invoice => Priority::Order,
        Entity::InventoryLevel => Priority::Stock,
        _ => Priority::Catalogue,
    }
}

/// Reads pages until the feed is caught up, or something is wrong.
pub(crate) async fn run(
    core: Arc<Core>,
    connection: ConnectionId,
    entity: Entity,
) -> Result<(), StoreError> {
    let mut build = OneBuild::default();
    while page(&core, connection, entity, &mut build).await? {}
    Ok(())
}

/// One page; whether more is there.
async fn page(
    core: &Arc<Core>,
    connection: ConnectionId,
    entity: Entity,
    build: &mut OneBuild,
) -> Result<bool, StoreError> {
    let desk = core.desk();
    let Some(slot) = desk.slots.get(&connection).filter(|slot| build.is(slot)) else {
        return Ok(false);
    };
    let Some(connector) = slot.connector() else {
        return Ok(false);
    };
    let began = core.now();
    let (feed, may_call, near, how) = core.store.read(|rx| {
        // A pause counts from the next page on.
        let reads = flow::reads_over(&desk, &rx.routes()?, connection, entity, began);
        Ok((
            rx.feed(connection, entity)?,
            reads == Some(Standing::Runs) && core.may_call(rx, connection, began)?,
            priority(entity) == Priority::Order && is_near(rx, began)?,
            practice::reading(rx, &desk, connection, entity)?,
        ))
    })?;
    if !may_call {
        return Ok(false);
    }
    let cursor = feed.as_ref().and_then(|f| f.cursor.clone());
    let attempt = feed.as_ref().map_or(1, |f| f.failures + 1);
    let scope = EffectScope::Poll(poll_scope(entity, cursor.as_deref()));
    let priority = if near {
        Priority::NearDeadline
    } else {
        priority(entity)
    };
    let call = core.call(slot, scope, priority, how, attempt);
    let answer = connector.pull(call, entity, cursor).await;
    crash::point("pull.answered");
    let now = core.now();
    match answer.value {
        Ok(page) => {
            let more = page.more;
            let desk = desk.clone();
            let writes = answer.writes;
            crash::point("accept.before-commit");
            let taken = core
                .store
                .write(move |tx| {
                    crate::calls::mark_ok(tx, connection, now)?;
                    intake::page(tx, &desk, connection, entity, &page, &writes, now)
                })
                .await?;
            crash::point("accept.committed");
            if taken.new > 0 {
                core.observe(|| {
                    format!(
                        "pulled {connection} {entity} new={} seen={} released={}",
                        taken.new, taken.seen, taken.released
                    )
                });
                tracing::debug!(new = taken.new, seen = taken.seen, "Pulled.");
                core.wake(Event::Changed);
            }
            Ok(more)
        }
        Err(error) => {
            failed(core, connection, entity, attempt, error, now).await?;
            Ok(false)
        }
    }
}

fn poll_scope(entity: Entity, cursor: Option<&[u8]>) -> String {
    format!("pull/{entity}/{}", mark(cursor.unwrap_or_default()))
}

/// Stands for something long, such as the place where a reading stands.
pub(crate) fn mark(of: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(of);
    let short = hash
        .iter()
        .take(8)
        .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("{short:016x}")
}

async fn failed(
    core: &Arc<Core>,
    connection: ConnectionId,
    entity: Entity,
    attempt: u32,
    error: CallError,
    now: Millis,
) -> Result<(), StoreError> {
    let wait = crate::calls::wait_ms(core, &error, attempt);
    tracing::warn!(attempt, wait_ms = wait, error = ?error, "Poll failed and will be repeated.");
    core.observe(|| format!("poll failed {connection} {entity} {error:?}"));
    core.store
        .write(move |tx| {
            let mut feed = tx
                .feed(connection, entity)?
                .unwrap_or_else(|| fresh_feed(connection, entity));
            feed.failures = attempt;
            feed.next_due = now + wait;
            tx.put_feed(&feed)?;
            crate::calls::mark_error(tx, connection, &error, now)
        })
        .await?;
    core.wake(Event::Changed);
    Ok(())
}
