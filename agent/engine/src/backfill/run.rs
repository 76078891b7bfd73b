//! Reads the pages of a back-fill: looks at them, or takes what is missing. Must not know who asked.

use super::MOST_LINES;
use crate::core::{Core, Desk, Slot};
use crate::event::Event;
use crate::supervise::HIGH_WATER;
use crate::{calls, intake, pull};
use std::sync::Arc;
use waybill_host::connector::CallError;
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Failure, KvWrite, Page, Role};
use waybill_model::crash;
use waybill_model::document::{Document, Entity, Order, OrderPhase};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::Priority;
use waybill_store::{BackfillLine, BackfillPhase, BackfillRow, Becomes, Read, StoreError, Tx};

/// When a connection's back-fill goes on.
pub(crate) fn due(rows: &dyn Read, slot: &Slot) -> Result<Option<Millis>, StoreError> {
    let lists = slot
        .connector()
        .is_some_and(|c| c.roles().contains(&Role::Listing));
    if !lists {
        return Ok(None);
    }
    let row = rows.running_backfill(slot.row.id)?;
    Ok(match row {
        Some(row) if !waits(rows, &row)? => Some(row.next_due),
        _ => None,
    })
}

/// Reads one page. The feed of orders has its turn between two of them: a page of either, read beside a page of the other,
/// could be stored in the wrong order.
pub(crate) async fn run(core: Arc<Core>, connection: ConnectionId) -> Result<(), StoreError> {
    page(&core, connection).await?;
    core.wake(Event::Changed);
    Ok(())
}

async fn page(core: &Arc<Core>, connection: ConnectionId) -> Result<(), StoreError> {
    let desk = core.desk();
    let Some(slot) = desk.slots.get(&connection) else {
        return Ok(());
    };
    let Some(connector) = slot.connector() else {
        return Ok(());
    };
    let began = core.now();
    let (row, may_call) = core.store.read(|rx| {
        Ok((
            rx.running_backfill(connection)?,
            core.may_call(rx, connection, began)?,
        ))
    })?;
    let Some(row) = row.filter(|_| may_call) else {
        return Ok(());
    };
    if core.store.read(|rx| waits(rx, &row))? {
        return Ok(());
    }
    let mark = pull::mark(row.cursor.as_deref().unwrap_or_default());
    let scope = EffectScope::Poll(format!("backfill/{}/{mark}", row.id));
    let call = core.call(
        slot,
        scope,
        Priority::Catalogue,
        core.reading(slot.row.id, Entity::Order)?,
        row.failures + 1,
    );
    let (scope, cursor) = (row.scope.clone(), row.cursor.clone());
    let answer = connector.read(call, Entity::Order, scope, cursor).await;
    let now = core.now();
    match answer.value {
        Ok(page) => {
            let writes = answer.writes;
            let desk = desk.clone();
            crash::point("backfill.before-commit");
            core.store
                .write(move |tx| {
                    calls::mark_ok(tx, connection, now)?;
                    turn(tx, &desk, &row, &page, &writes, now)
                })
                .await?;
            crash::point("backfill.committed");
            Ok(())
        }
        Err(error) => failed(core, row, error, now).await,
    }
}

/// As for a feed: what is here has to leave before more is taken.
fn waits(rows: &dyn Read, row: &BackfillRow) -> Result<bool, StoreError> {
    let jobs = rows.counters()?.jobs;
    let jobs = |state: &str| jobs.get(state).copied().unwrap_or(0);
    Ok(row.phase == BackfillPhase::Taking
        && jobs("ready") + jobs("waiting-for-accept") > HIGH_WATER)
}

/// Turns a page over: what is on it is counted or taken, and the reading stands behind it.
fn turn(
    tx: &mut Tx<'_>,
    desk: &Desk,
    read: &BackfillRow,
    page: &Page,
    writes: &[KvWrite],
    now: Millis,
) -> Result<(), StoreError> {
    // A person may have stopped it, and asked for another, while the page was read.
    let stands = |row: &BackfillRow| row.phase == read.phase && row.cursor == read.cursor;
    let Some(mut row) = tx.backfill(read.id)?.filter(stands) else {
        return Ok(());
    };
    tx.kv_apply(row.connection, writes)?;
    let mut take = Vec::new();
    for document in &page.documents {
        let Some(order) = document.order() else {
            continue;
        };
        let becomes = becomes(tx, row.connection, document, order)?;
        if row.phase == BackfillPhase::Looking {
            look(tx, &mut row, document, order, becomes)?;
        } else if becomes == Becomes::Taken {
            // What is here has its newest revision from the feed.
            row.counts.taken += 1;
            take.push(document.clone());
        }
    }
    intake::documents(tx, desk, row.connection, &take, now)?;
    row.cursor = Some(page.cursor.clone());
    row.failures = 0;
    row.problem = None;
    row.next_due = now;
    if !page.more {
        row.cursor = None;
        row.changed_at = now;
        row.phase = match row.phase {
            BackfillPhase::Looking => BackfillPhase::Looked,
            _ => BackfillPhase::Done,
        };
    }
    tx.put_backfill(&row).map(drop)
}

/// What becomes of an order.
fn becomes(
    tx: &Tx<'_>,
    connection: ConnectionId,
    document: &Document,
    order: &Order,
) -> Result<Becomes, StoreError> {
    if tx.order_by_key(connection, &document.key)?.is_some() {
        return Ok(Becomes::Known);
    }
    Ok(match order.phase {
        OrderPhase::Pending | OrderPhase::Open | OrderPhase::Accepted => Becomes::Taken,
        OrderPhase::Completed | OrderPhase::Cancelled => Becomes::Over,
    })
}

fn look(
    tx: &mut Tx<'_>,
    row: &mut BackfillRow,
    document: &Document,
    order: &Order,
    becomes: Becomes,
) -> Result<(), StoreError> {
    let counts = &mut row.counts;
    let found = counts.missing + counts.known + counts.over;
    match becomes {
        Becomes::Taken => counts.missing += 1,
        Becomes::Known => counts.known += 1,
        Becomes::Over => counts.over += 1,
    }
    row.not_found
        .retain(|name| *name != document.key && *name != order.number);
    if found >= MOST_LINES {
        return Ok(());
    }
    let line = BackfillLine {
        key: document.key.clone(),
        number: order.number.clone(),
        retailer: order.retailer_name.clone(),
        placed_at: order.placed_at,
        becomes,
    };
    tx.put_backfill_line(row.id, found, &line)
}

/// Waits and tries again, or ends where a person must act.
async fn failed(
    core: &Arc<Core>,
    read: BackfillRow,
    error: CallError,
    now: Millis,
) -> Result<(), StoreError> {
    let attempt = read.failures + 1;
    let wait = calls::wait_ms(core, &error, attempt);
    let connection = read.connection;
    tracing::warn!(attempt, wait_ms = wait, error = ?error, "A page of a back-fill could not be read.");
    core.store
        .write(move |tx| {
            calls::mark_error(tx, connection, &error, now)?;
            let Some(mut row) = tx.backfill(read.id)?.filter(|row| row.phase.is_running()) else {
                return Ok(());
            };
            row.failures = attempt;
            row.next_due = now + wait;
            row.problem = Some(calls::sentence(&error));
            if matches!(error, CallError::Failure(Failure::Rejected(_))) {
                row.phase = BackfillPhase::Stopped;
                row.changed_at = now;
            }
            tx.put_backfill(&row).map(drop)
        })
        .await
}
