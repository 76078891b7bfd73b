//! What a listed document says against what is stored. Decides; writes nothing but the order's timeline.

use crate::cancel;
use crate::order;
use crate::shipment::count as shipped;
use waybill_model::decimal::Decimal;
use waybill_model::document::{Document, Order, OrderPhase};
use waybill_model::ids::Millis;
use waybill_model::quantities;
use waybill_store::{NoteKind, OrderRow, Read, StoreError, Tx};

/// What was told within that time may not show yet.
const GRACE_MS: Millis = 3_600_000;
/// Lines of a timeline among which the same sentence is not said again.
const SAID: usize = 200;

/// What becomes of a listed document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Here as it is.
    Same,
    /// Missing here, and to be taken.
    Missing,
    /// Missing here, and over there.
    Over,
    /// Newer than what is here.
    Newer,
}

/// Holds a listed document against the newest one stored.
pub(super) fn found(
    tx: &Tx<'_>,
    connection: waybill_model::ids::ConnectionId,
    document: &Document,
) -> Result<Found, StoreError> {
    let entity = document.body.entity();
    let Some(known) = tx.latest_document(connection, entity, &document.key)? else {
        // What retention has dropped is known by its order.
        if tx
            .order_of_latest(connection, entity, &document.key)?
            .is_some()
        {
            return Ok(Found::Same);
        }
        return Ok(match document.order().map(|order| order.phase) {
            Some(OrderPhase::Completed | OrderPhase::Cancelled) => Found::Over,
            _ => Found::Missing,
        });
    };
    let newer = document.occurred_at > known.document.occurred_at;
    Ok(if newer && document.revision != known.document.revision {
        Found::Newer
    } else {
        Found::Same
    })
}

/// What the network shows otherwise than it confirmed, one sentence each.
pub(super) fn differences(
    tx: &Tx<'_>,
    row: &OrderRow,
    listed: &Order,
    now: Millis,
) -> Result<Vec<String>, StoreError> {
    let jobs = tx.jobs_of_order(row.id)?;
    let fresh = jobs.iter().any(|job| now - job.changed_at < GRACE_MS);
    if fresh || listed.phase == OrderPhase::Cancelled {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    if row.acknowledged_at.is_some() && listed.phase == OrderPhase::Open {
        all.push("It was acknowledged, and the network shows it as open.".to_owned());
    }
    let told = shipped::told(&jobs);
    let mut off = shipped::Units::new();
    for job in jobs.iter().filter(|job| cancel::count::is_back(job, row)) {
        if shipped::is_told(job) {
            quantities::add(&mut off, &job.units);
        }
    }
    for line in &listed.lines {
        let name = line
            .number
            .map_or_else(|| line.line.clone(), |n| n.to_string());
        for (what, here, there) in [
            ("shipped", told.get(&line.line), line.shipped),
            ("cancelled", off.get(&line.line), line.cancelled),
        ] {
            let here = here.copied().unwrap_or(Decimal::ZERO);
            let less = here.checked_sub(there).is_some_and(|d| d.units > 0);
            if less {
                all.push(format!(
                    "Line {name}: {} confirmed as {what}, and the network shows {}.",
                    here.normal(),
                    there.normal()
                ));
            }
        }
    }
    Ok(all)
}

/// Says it on the order's timeline, once.
pub(super) fn say(
    tx: &mut Tx<'_>,
    row: &OrderRow,
    text: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let text = format!("Comparison: {text}");
    let said = tx
        .timeline(row.id, SAID)?
        .iter()
        .any(|note| note.text == text);
    if said {
        return Ok(());
    }
    order::note(tx, row.id, now, NoteKind::You, "you", &text, None)
}
