//! Taking an invoice of the ERP's: which order it belongs to, its job on the order's lane, and what a newer revision means.
//! An invoice of a sale that nobody knows leaves no trace.

use super::count;
use super::look::{self, OWN_PROBLEMS};
use super::policy;
use crate::again;
use crate::core::Desk;
use crate::order;
use waybill_model::contract::Problem;
use waybill_model::crash;
use waybill_model::document::{Body, Document, Entity, Invoice};
use waybill_model::ids::{ConnectionId, DocumentId, Millis, OrderId};
use waybill_model::job::{JobState, Reason, Work};
use waybill_store::{JobRow, NewJob, NoteKind, OrderRow, Read, StoreError, Tx};

/// Code: it is another one than the network was sent.
const CHANGED: &str = "invoice-changed";
/// Code: its number was given to another order.
const NUMBER_TAKEN: &str = "invoice-number-taken";

/// Whether this job is only the card of a change: what it is over was sent before.
pub(crate) fn is_change(job: &JobRow) -> bool {
    count::is_invoice(job)
        && matches!(&job.state, JobState::Parked(Reason::Problem(p)) if p.code == CHANGED)
}

/// Whether this job is only a card.
pub(crate) fn is_card(job: &JobRow) -> bool {
    let codes = [CHANGED, NUMBER_TAKEN];
    count::is_invoice(job)
        && matches!(&job.state, JobState::Parked(Reason::Problem(p)) if codes.contains(&&*p.code))
}

/// Takes a revision. Whether it was new.
pub(crate) fn take(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    document: &Document,
    invoice: &Invoice,
    now: Millis,
) -> Result<bool, StoreError> {
    let Some(row) = tx.order_linked(connection, &invoice.order_key)? else {
        return Ok(false);
    };
    let mut routes = desk.routes.iter();
    let leads = |r: &waybill_store::RouteRow| {
        r.entity == Entity::Invoice && r.from == connection && r.to == row.connection
    };
    if !routes.any(leads) {
        return Ok(false);
    }
    let Some(accepted) = tx.accept(connection, document, now)? else {
        return Ok(false);
    };
    let accepted = accepted.document;
    let mut jobs = tx.jobs_of_order(row.id)?;
    jobs.retain(|j| count::is_invoice(j) && j.from == connection && j.key == invoice.number);
    match (jobs.iter().find(|j| !j.state.is_done()), jobs.last()) {
        (Some(open), _) if is_card(open) => {}
        (Some(open), _) => follow(tx, open, accepted, now)?,
        // It was never sent: nobody has the one before.
        (None, Some(done)) if policy::is_left_out(done) => {
            tx.set_job_document(done.id, accepted)?;
        }
        (None, Some(done)) => compare(tx, desk, &row, done, accepted, now)?,
        (None, None) => create(tx, desk, connection, invoice, &row, accepted, now)?,
    }
    wake(tx, desk, row.id, now)?;
    order::refresh(tx, row.id, now)?;
    Ok(true)
}

/// Where it is kept which order has the invoice of that number.
pub(crate) fn number_place(connection: ConnectionId, number: &str) -> String {
    format!("invoice-number/{connection}/{number}")
}

fn new_job(
    connection: ConnectionId,
    row: &OrderRow,
    number: &str,
    document: DocumentId,
    state: JobState,
) -> NewJob {
    NewJob {
        work: Work::Push(Entity::Invoice),
        from: connection,
        to: row.connection,
        entity: Entity::Invoice,
        key: number.to_owned(),
        order: Some(row.id),
        lane: row.key.clone(),
        document,
        state,
        urgent_by: row.invoice_by.as_ref().map(|by| by.at),
    }
}

fn create(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    invoice: &Invoice,
    row: &OrderRow,
    accepted: DocumentId,
    now: Millis,
) -> Result<(), StoreError> {
    let number = &invoice.number;
    let text = format!(
        "{}: invoice {number} over {} {}.",
        desk.title(connection),
        invoice.total.gross.rounded(2).fixed(2),
        invoice.currency
    );
    order::note(tx, row.id, now, NoteKind::Info, "in", &text, None)?;
    // Numbers outlive their orders: none is ever given twice.
    let place = number_place(row.connection, number);
    let owner = tx.meta(&place)?;
    let own = row.key.as_bytes();
    let state = if owner.as_deref().is_some_and(|owner| owner != own) {
        let problem = Problem::new(
            NUMBER_TAKEN,
            format!(
                "Invoice {number} of order {} has the number of another order's invoice.",
                row.number
            ),
            "A number can be used once at the network: send this one by hand under another, then leave this card with a reason.",
        );
        order::note(
            tx,
            row.id,
            now,
            NoteKind::You,
            "you",
            &problem.message,
            None,
        )?;
        JobState::Parked(Reason::Problem(problem))
    } else {
        tx.put_meta(&place, own)?;
        JobState::Ready
    };
    tx.create_job(new_job(connection, row, number, accepted, state), now)?;
    crash::point("invoice.created");
    Ok(())
}

/// The job follows the newest revision, unless it has begun: then its verdict stands.
fn follow(
    tx: &mut Tx<'_>,
    job: &JobRow,
    accepted: DocumentId,
    now: Millis,
) -> Result<(), StoreError> {
    if again::has_begun(tx, job)? {
        return Ok(());
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

/// One that was sent is another one now: the network keeps the old one, so a person carries the change over.
fn compare(
    tx: &mut Tx<'_>,
    desk: &Desk,
    row: &OrderRow,
    told: &JobRow,
    accepted: DocumentId,
    now: Millis,
) -> Result<(), StoreError> {
    let invoice = |id| -> Result<Option<Invoice>, StoreError> {
        Ok(match tx.document(id)?.map(|stored| stored.document.body) {
            Some(Body::Invoice(invoice)) => Some(invoice),
            _ => None,
        })
    };
    let (Some(before), Some(after)) = (invoice(told.document)?, invoice(accepted)?) else {
        return Ok(());
    };
    if before.total == after.total && before.lines == after.lines {
        return Ok(());
    }
    let said = format!(
        "{} instead of {}",
        after.total.gross.rounded(2).fixed(2),
        before.total.gross.rounded(2).fixed(2)
    );
    if told.last_failure.as_deref() == Some(&said) {
        return Ok(());
    }
    let problem = Problem::new(
        CHANGED,
        format!(
            "Invoice {} of order {} was changed after it was sent: {said}.",
            told.key, row.number
        ),
        format!(
            "{} keeps what it has: settle it with the retailer, then leave this card with a reason.",
            desk.title(told.to)
        ),
    );
    order::note(
        tx,
        row.id,
        now,
        NoteKind::You,
        "you",
        &problem.message,
        None,
    )?;
    let state = JobState::Parked(Reason::Problem(problem));
    let job = new_job(told.from, row, &told.key, accepted, state);
    let job = tx.create_job(job, now)?;
    tx.set_attempt(job, 0, Some(&said))
}

/// A sale was found that had been made before: its invoice may have come while nobody knew the sale, so it is asked for.
pub(crate) fn found(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    sale: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let mut routes = desk.routes.iter();
    if routes.any(|r| r.entity == Entity::Invoice && r.from == connection) {
        tx.hint(connection, Entity::Invoice, sale, now)?;
    }
    Ok(())
}

/// Looks again at invoices of an order that something was shipped or cancelled of.
pub(crate) fn wake(
    tx: &mut Tx<'_>,
    desk: &Desk,
    id: OrderId,
    now: Millis,
) -> Result<(), StoreError> {
    let kind = again::Kind {
        is: count::is_invoice,
        own_problems: &OWN_PROBLEMS,
        look: look::look,
    };
    again::wake(tx, desk, id, now, &kind)
}
