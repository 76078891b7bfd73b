//! Owns sales that have no goods-out note and are reported all the same, once they have a chosen status: when the source is
//! asked what such a sale ships, and that a note and the sale are never both reported. Must not know what is shipped.
//!
//! The question is a hint like any other, under a key that names the sale; its answer is a document under that key, with a
//! job like a note's. The source answers nothing for a sale that has notes, so the hint waits a while for one that is made
//! at the same time, and a note that comes later withdraws the job, unless that has begun: then what is open decides.

use super::count;
use super::intake::leads_to;
use super::trigger::Trigger;
use crate::again;
use crate::core::Desk;
use crate::order;
use waybill_model::document::{Entity, OrderPhase, OrderState};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::{Ending, JobState};
use waybill_store::{JobRow, NoteKind, OrderRow, Read as _, StoreError, Tx};

/// Begins the key under which a source says what an order ships as a whole; see the contract's `fetch`.
const WHOLE: &str = "order:";
/// A note may be made by the same hand a moment after the status.
const NOTE_MAY_COME_MS: Millis = 120_000;

/// Whether this is no note but what a sale ships without one.
pub(crate) fn is_whole(key: &str) -> bool {
    key.starts_with(WHOLE)
}

/// A note, or the sale that has none, inside a sentence.
pub(crate) fn named(key: &str) -> String {
    key.strip_prefix(WHOLE).map_or_else(
        || format!("goods-out note {key}"),
        |sale| format!("sale {sale} without a goods-out note"),
    )
}

/// The same at the beginning of a sentence.
pub(crate) fn at_first(key: &str) -> String {
    key.strip_prefix(WHOLE).map_or_else(
        || format!("Goods-out note {key}"),
        |sale| format!("Sale {sale} without a goods-out note"),
    )
}

/// A new state of a sale came: where it is reported at that status and has no note, the source is asked what it ships.
pub(crate) fn ask(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    row: &OrderRow,
    state: &OrderState,
    now: Millis,
) -> Result<(), StoreError> {
    if state.cancelled
        || row.phase == OrderPhase::Cancelled
        || !leads_to(desk, connection, row.connection)
    {
        return Ok(());
    }
    let values = tx.effective(Some(row.connection), Some(&row.retailer))?;
    let is_wanted = match Trigger::of(&values) {
        Trigger::Sale(wanted) => wanted.contains(&state.status),
        Trigger::Note(_) => false,
    };
    if !is_wanted || has_shipment(&tx.jobs_of_order(row.id)?, connection) {
        return Ok(());
    }
    let key = format!("{WHOLE}{}", state.order_key);
    tx.hint(connection, Entity::Shipment, &key, now + NOTE_MAY_COME_MS)
}

/// Whether anything of this order is reported, or will be.
pub(crate) fn has_shipment(jobs: &[JobRow], connection: ConnectionId) -> bool {
    jobs.iter()
        .filter(|job| count::is_shipment(job) && job.from == connection)
        .any(|job| job.state != JobState::Done(Ending::Withdrawn))
}

/// A note came: it is reported in place of its sale.
pub(crate) fn withdraw(
    tx: &mut Tx<'_>,
    row: &OrderRow,
    connection: ConnectionId,
    note: &str,
    now: Millis,
) -> Result<(), StoreError> {
    for job in tx.jobs_of_order(row.id)? {
        let whole = count::is_shipment(&job) && job.from == connection && is_whole(&job.key);
        if !whole || job.state.is_done() || again::has_begun(tx, &job)? {
            continue;
        }
        tx.set_state(job.id, JobState::Done(Ending::Withdrawn), now)?;
        let text = format!("Goods-out note {note} is reported in place of the whole sale.");
        order::note(tx, row.id, now, NoteKind::Info, "x", &text, None)?;
    }
    Ok(())
}
