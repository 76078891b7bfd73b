//! A note that changes, or goes, after it was reported: the network keeps the old shipment, so a person carries the
//! change over. One card for each change; it is a job that is never sent.

use super::unnoted::at_first;
use super::{count, look, show};
use crate::core::Desk;
use crate::order;
use std::collections::BTreeSet;
use waybill_model::contract::Problem;
use waybill_model::decimal::Decimal;
use waybill_model::document::{Document, Entity};
use waybill_model::ids::{DocumentId, Millis};
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_model::kits;
use waybill_store::{JobRow, NewJob, NoteKind, OrderRow, Read, StoreError, Tx};

/// Code: the note is another one than the network was told.
const CHANGED: &str = "changed-after-report";
/// Code: the note is gone, and the network was told of it.
const GONE: &str = "gone-after-report";

/// Whether this job is only the card of a change.
pub(crate) fn is_card(job: &JobRow) -> bool {
    count::is_shipment(job)
        && matches!(&job.state, JobState::Parked(Reason::Problem(p)) if p.code == CHANGED || p.code == GONE)
}

/// Whether the network was told of the note, by itself or with another one.
pub(crate) const fn is_told(job: &JobRow) -> bool {
    count::is_told(job) || matches!(&job.state, JobState::Done(Ending::Merged(_)))
}

/// Compares a reported note with its newest revision: a card for what differs, none where nothing does.
pub(crate) fn compare(
    tx: &mut Tx<'_>,
    desk: &Desk,
    row: &OrderRow,
    told: &JobRow,
    newest: DocumentId,
    now: Millis,
) -> Result<(), StoreError> {
    if told.document == newest {
        return Ok(());
    }
    let (Some(before), Some(after)) = (tx.document(told.document)?, tx.document(newest)?) else {
        return Ok(());
    };
    let merged = !count::is_told(told);
    let Some(changes) = changes(&before.document, &after.document, merged) else {
        return close(tx, told, now);
    };
    let problem = Problem::new(
        CHANGED,
        format!(
            "{} of order {} changed after it was reported: {changes}.",
            at_first(&told.key),
            row.number
        ),
        format!(
            "Change the shipment at {} the same way, then leave this card with a reason.",
            desk.title(told.to)
        ),
    );
    raise(tx, row, told, newest, &changes, problem, now)
}

/// A reported note is gone: one card.
pub(crate) fn gone(
    tx: &mut Tx<'_>,
    desk: &Desk,
    row: &OrderRow,
    told: &JobRow,
    now: Millis,
) -> Result<(), StoreError> {
    let problem = Problem::new(
        GONE,
        format!(
            "{} of order {} is gone after it was reported.",
            at_first(&told.key),
            row.number
        ),
        format!(
            "Find out whether the parcel left; tell {} if it did not, then leave this card with a reason.",
            desk.title(told.to)
        ),
    );
    raise(tx, row, told, told.document, GONE, problem, now)
}

/// Opens the card, or gives an open one its newest words. What was said before is not said again.
fn raise(
    tx: &mut Tx<'_>,
    row: &OrderRow,
    told: &JobRow,
    newest: DocumentId,
    said: &str,
    problem: Problem,
    now: Millis,
) -> Result<(), StoreError> {
    let work = Work::Push(Entity::Shipment);
    let same = |j: &JobRow| {
        count::is_shipment(j) && j.key == told.key && j.from == told.from && j.id > told.id
    };
    let jobs = tx.jobs_of_order(row.id)?;
    if jobs
        .iter()
        .rfind(|j| same(j))
        .is_some_and(|j| j.last_failure.as_deref() == Some(said))
    {
        return Ok(());
    }
    order::note(
        tx,
        row.id,
        now,
        NoteKind::You,
        "you",
        &problem.message,
        None,
    )?;
    let parked = JobState::Parked(Reason::Problem(problem));
    let job = tx.create_job(
        NewJob {
            work,
            from: told.from,
            to: told.to,
            entity: Entity::Shipment,
            key: told.key.clone(),
            order: Some(row.id),
            lane: told.lane.clone(),
            document: newest,
            state: parked.clone(),
            urgent_by: None,
        },
        now,
    )?;
    tx.set_job_document(job, newest)?;
    tx.set_attempt(job, 0, Some(said))?;
    tx.set_state(job, parked, now)
}

/// The note is again as it was reported.
fn close(tx: &mut Tx<'_>, told: &JobRow, now: Millis) -> Result<(), StoreError> {
    let work = Work::Push(Entity::Shipment);
    let open = tx.open_job(work, told.from, told.to, Entity::Shipment, &told.key)?;
    match open.filter(is_card) {
        Some(card) => {
            let ending = Ending::Ignored("it is again as it was reported".to_owned());
            tx.set_state(card.id, JobState::Done(ending), now)
        }
        None => Ok(()),
    }
}

/// How a note differs from what was reported, in words.
fn changes(before: &Document, after: &Document, merged: bool) -> Option<String> {
    let (before, after) = (look::shipment(before)?, look::shipment(after)?);
    let mut words = Vec::new();
    let (old, new) = (show::tracking(before), show::tracking(after));
    let sorted = |numbers: &[String]| numbers.iter().cloned().collect::<BTreeSet<_>>();
    // A note that was told with another one has no tracking number at the network.
    if !merged && sorted(&old) != sorted(&new) {
        let named = |numbers: Vec<String>| {
            if numbers.is_empty() {
                "none".to_owned()
            } else {
                numbers.join(", ")
            }
        };
        words.push(format!(
            "tracking number {} instead of {}",
            named(new),
            named(old)
        ));
    }
    let (old, new) = (kits::pieces(before), kits::pieces(after));
    let all: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for piece in all {
        let of = |side: &std::collections::BTreeMap<_, Decimal>| {
            side.get(piece).copied().unwrap_or_default()
        };
        if of(&old) != of(&new) {
            let (line, item) = piece;
            let item = item.as_ref().map(|i| format!(", item {i}"));
            words.push(format!(
                "line {line}{}: {} instead of {}",
                item.unwrap_or_default(),
                of(&new).normal(),
                of(&old).normal()
            ));
        }
    }
    (!words.is_empty()).then(|| words.join("; "))
}
