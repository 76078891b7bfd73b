//! What the network's word on a shipment means for its note and its order.

use super::unnoted::{at_first, named};
use super::{change, count, look};
use crate::core::Desk;
use crate::order;
use waybill_model::contract::{Problem, Receipt};
use waybill_model::decimal::Decimal;
use waybill_model::document::Entity;
use waybill_model::ids::Millis;
use waybill_model::job::{JobState, Reason};
use waybill_store::{JobRow, NoteKind, OrderRow, Read, StoreError, Tx};

/// The network has it: note and parcels are linked, and what changed meanwhile becomes a card.
pub(crate) fn done(
    tx: &mut Tx<'_>,
    desk: &Desk,
    job: &JobRow,
    row: &OrderRow,
    receipt: &Receipt,
    now: Millis,
) -> Result<(), StoreError> {
    let note = Entity::Shipment;
    tx.link(job.from, note, &job.key, job.to, note, &receipt.key)?;
    for link in &receipt.links {
        let other = tx.connection_by_name(&link.system)?;
        let other = other.map_or(job.to, |row| row.id);
        tx.link(job.from, note, &job.key, other, link.entity, &link.key)?;
    }
    let stored = tx.document(job.document)?;
    let tracking = stored
        .as_ref()
        .and_then(|s| look::shipment(&s.document))
        .map_or_else(String::new, |s| format!(", {}", look::named_tracking(s)));
    let units = job.units.iter().fold(Decimal::ZERO, |sum, q| {
        sum.checked_add(q.quantity).unwrap_or(sum)
    });
    let plural = if units == Decimal::whole(1) { "" } else { "s" };
    let text = format!(
        "Shipment of {} reported to {}: {} unit{plural}{tracking}. {}",
        named(&job.key),
        row.retailer_name,
        units.normal(),
        crate::words::confirmed(&desk.title(job.to), receipt)
    );
    order::note(tx, row.id, now, NoteKind::Ok, "ok", &text, None)?;
    if let Some(newest) = tx.latest_document(job.from, note, &job.key)?
        && let Some(told) = tx.job(job.id)?
    {
        change::compare(tx, desk, row, &told, newest.id, now)?;
    }
    crate::cancel::retailer::shipped(tx, row, now)?;
    super::intake::wake(tx, desk, row.id, now)?;
    crate::invoice::intake::wake(tx, desk, row.id, now)
}

/// Refused, and the note was changed meanwhile: it is sent as it is now. Whether that is so.
pub(crate) fn is_overtaken(
    tx: &mut Tx<'_>,
    job: &JobRow,
    problem: &Problem,
    now: Millis,
) -> Result<bool, StoreError> {
    if !count::is_shipment(job) || tx.has_effects(job.id)? {
        return Ok(false);
    }
    let newest = tx.latest_document(job.from, Entity::Shipment, &job.key)?;
    let Some(newest) = newest.filter(|newest| newest.id != job.document) else {
        return Ok(false);
    };
    tx.set_job_document(job.id, newest.id)?;
    tx.set_job_units(job.id, Vec::new())?;
    tx.set_state(job.id, JobState::Ready, now)?;
    if let Some(order) = job.order {
        let text = format!(
            "{} was refused; it changed meanwhile and is sent as it is now.",
            at_first(&job.key)
        );
        let words = Some(problem.message.clone());
        order::note(tx, order, now, NoteKind::Info, "again", &text, words)?;
    }
    Ok(true)
}

/// The network says the order was cancelled. The goods are on their way: a person must know.
pub(crate) fn withdrawn(
    tx: &mut Tx<'_>,
    job: &JobRow,
    row: &OrderRow,
    why: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let problem = Problem::new(
        look::CANCELLED,
        format!(
            "{} of order {} is shipped, and it was cancelled first: {why}",
            at_first(&job.key),
            row.number
        ),
        "Stop the parcel, or settle it with the retailer; then leave this card with a reason.",
    );
    tx.forget_effects(job.id)?;
    order::note(
        tx,
        row.id,
        now,
        NoteKind::You,
        "you",
        &problem.message,
        None,
    )?;
    tx.set_state(job.id, JobState::Parked(Reason::Problem(problem)), now)
}
