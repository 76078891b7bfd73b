//! Taking a goods-out note: which order it belongs to, its job on the order's lane, and what a newer revision or the
//! note's end means for that job. A note of nobody we know leaves no trace.

use super::count;
use super::look::{self, OWN_PROBLEMS};
use super::{change, show, unnoted};
use crate::again;
use crate::core::Desk;
use crate::order;
use waybill_model::document::{Document, Entity, Shipment};
use waybill_model::ids::{ConnectionId, DocumentId, Millis, OrderId};
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_store::{JobRow, NewJob, NoteKind, OrderRow, Read, StoreError, Tx};

/// A note whose push is under way is asked about again that much later, when it is gone.
const GONE_AGAIN_MS: Millis = 120_000;

/// The order that a shipment of this connection is for, where a route leads to the order's source.
pub(crate) fn order_of(
    tx: &Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    shipment: &Shipment,
) -> Result<Option<OrderRow>, StoreError> {
    let row = tx.order_linked(connection, &shipment.order_key)?;
    Ok(row.filter(|row| leads_to(desk, connection, row.connection)))
}

/// Whether shipments lead from one connection to the other.
pub(crate) fn leads_to(desk: &Desk, from: ConnectionId, to: ConnectionId) -> bool {
    desk.routes
        .iter()
        .any(|r| r.entity == Entity::Shipment && r.from == from && r.to == to)
}

/// Jobs of one note, in the order they were made.
fn jobs_of_note(
    tx: &Tx<'_>,
    order: OrderId,
    from: ConnectionId,
    key: &str,
) -> Result<Vec<JobRow>, StoreError> {
    let mut jobs = tx.jobs_of_order(order)?;
    jobs.retain(|j| count::is_shipment(j) && j.from == from && j.key == key);
    Ok(jobs)
}

/// Takes a new revision of a note.
pub(crate) fn take(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    document: &Document,
    row: &OrderRow,
    accepted: DocumentId,
    now: Millis,
) -> Result<(), StoreError> {
    let jobs = jobs_of_note(tx, row.id, connection, &document.key)?;
    let open = jobs.iter().find(|j| !j.state.is_done());
    let told = jobs.iter().rfind(|j| change::is_told(j));
    match (open, told) {
        (Some(job), Some(told)) if change::is_card(job) => {
            change::compare(tx, desk, row, told, accepted, now)?;
        }
        (Some(job), _) => follow(tx, row, job, document, accepted, now)?,
        (None, Some(told)) => change::compare(tx, desk, row, told, accepted, now)?,
        (None, None) => {
            if unnoted::is_whole(&document.key) {
                // Asked for before a note came.
                if unnoted::has_shipment(&tx.jobs_of_order(row.id)?, connection) {
                    return Ok(());
                }
            } else {
                unnoted::withdraw(tx, row, connection, &document.key, now)?;
            }
            create(tx, desk, connection, document, row, accepted, now)?;
        }
    }
    wake(tx, desk, row.id, now)?;
    order::refresh(tx, row.id, now)
}

fn create(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    document: &Document,
    row: &OrderRow,
    accepted: DocumentId,
    now: Millis,
) -> Result<(), StoreError> {
    tx.create_job(
        NewJob {
            work: Work::Push(Entity::Shipment),
            from: connection,
            to: row.connection,
            entity: Entity::Shipment,
            key: document.key.clone(),
            order: Some(row.id),
            lane: row.key.clone(),
            document: accepted,
            state: JobState::Ready,
            urgent_by: row.ship_by.as_ref().map(|by| by.at),
        },
        now,
    )?;
    let Some(shipment) = look::shipment(document) else {
        return Ok(());
    };
    let text = format!(
        "{}: {} is {}{}.",
        desk.title(connection),
        unnoted::named(&document.key),
        shipment.stage,
        tracking(shipment)
    );
    order::note(tx, row.id, now, NoteKind::Info, "in", &text, None)
}

/// ", tracking number 1Z9" or nothing.
fn tracking(shipment: &Shipment) -> String {
    let numbers = show::tracking(shipment);
    match numbers.as_slice() {
        [] => String::new(),
        [one] => format!(", tracking number {one}"),
        several => format!(", tracking numbers {}", several.join(", ")),
    }
}

/// The push follows the newest revision, unless it has begun: then its verdict compares.
fn follow(
    tx: &mut Tx<'_>,
    row: &OrderRow,
    job: &JobRow,
    document: &Document,
    accepted: DocumentId,
    now: Millis,
) -> Result<(), StoreError> {
    if again::has_begun(tx, job)? {
        return Ok(());
    }
    let before = tx.document(job.document)?;
    let before = before.as_ref().and_then(|d| look::shipment(&d.document));
    let new = look::shipment(document);
    if let Some(new) = new
        && before.is_none_or(|old| show::tracking(old) != show::tracking(new))
    {
        let text = format!(
            "{} changed: {}{}.",
            unnoted::at_first(&job.key),
            new.stage,
            tracking(new)
        );
        order::note(tx, row.id, now, NoteKind::Info, "in", &text, None)?;
    }
    tx.set_job_document(job.id, accepted)?;
    tx.set_job_units(job.id, Vec::new())?;
    if matches!(
        job.state,
        JobState::Parked(_) | JobState::Resting { .. } | JobState::Practised
    ) {
        tx.set_attempt(job.id, 0, None)?;
        tx.set_state(job.id, JobState::Ready, now)?;
    }
    Ok(())
}

/// Looks again at notes of an order whose other notes or quantities changed: those that rest, and those that our own
/// look parked for a reason that holds no more.
pub(crate) fn wake(
    tx: &mut Tx<'_>,
    desk: &Desk,
    id: OrderId,
    now: Millis,
) -> Result<(), StoreError> {
    let kind = again::Kind {
        is: count::is_shipment,
        own_problems: &OWN_PROBLEMS,
        look: look::look,
    };
    again::wake(tx, desk, id, now, &kind)
}

/// A note that was tried, and so counted, is not sent after all: nothing is told by it, and others may tell it.
pub(crate) fn counts_no_more(
    tx: &mut Tx<'_>,
    desk: &Desk,
    job: &JobRow,
    now: Millis,
) -> Result<(), StoreError> {
    let counts = count::is_shipment(job) && !job.units.is_empty();
    let Some(order) = job.order.filter(|_| counts) else {
        return Ok(());
    };
    // What may have left goes on counting.
    if tx.has_effects(job.id)? {
        return Ok(());
    }
    tx.set_job_units(job.id, Vec::new())?;
    wake(tx, desk, order, now)
}

/// A note was read again and is as it was: one that waits for a person over its tracking number is read again later.
pub(crate) fn seen(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    document: &Document,
    row: &OrderRow,
    now: Millis,
) -> Result<(), StoreError> {
    let work = Work::Push(Entity::Shipment);
    let open = tx.open_job(
        work,
        connection,
        row.connection,
        Entity::Shipment,
        &document.key,
    )?;
    let waits = open.is_some_and(|job| {
        matches!(&job.state, JobState::Parked(Reason::Problem(p)) if p.code == look::NO_TRACKING)
    });
    if waits {
        super::rest::read_again(tx, connection, &document.key, now + super::rest::LONGEST_MS)?;
    }
    Ok(())
}

/// A document that was asked for is not there any more. Kinds other than shipments mean nothing here.
pub(crate) fn gone(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    entity: Entity,
    key: &str,
    now: Millis,
) -> Result<(), StoreError> {
    if entity != Entity::Shipment {
        return Ok(());
    }
    let Some(stored) = tx.latest_document(connection, entity, key)? else {
        return Ok(());
    };
    let Some(row) = stored.order.map(|id| tx.order(id)).transpose()?.flatten() else {
        return Ok(());
    };
    let jobs = jobs_of_note(tx, row.id, connection, key)?;
    let open = jobs.iter().find(|j| !j.state.is_done());
    let told = jobs.iter().rfind(|j| change::is_told(j));
    match (open, told) {
        (Some(job), _) if !change::is_card(job) && again::has_begun(tx, job)? => {
            return super::rest::read_again(tx, connection, key, now + GONE_AGAIN_MS);
        }
        (_, Some(told)) => change::gone(tx, desk, &row, told, now)?,
        (Some(job), None) => {
            tx.set_state(job.id, JobState::Done(Ending::Withdrawn), now)?;
            let what = unnoted::at_first(key);
            let text = format!("{what} is gone; nothing is reported for it.");
            order::note(tx, row.id, now, NoteKind::Info, "x", &text, None)?;
        }
        (None, None) => return Ok(()),
    }
    wake(tx, desk, row.id, now)?;
    order::refresh(tx, row.id, now)
}
