//! What an order's page shows of its invoices.

use super::count;
use crate::core::Desk;
use crate::shipment::count::Units;
use crate::view::{InvoiceView, Tone};
use crate::words;
use waybill_model::billing::Cut;
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Invoice};
use waybill_model::job::{Ending, JobState};
use waybill_model::quantities;
use waybill_store::{JobRow, Read, StoreError};

/// Units of each line that are invoiced.
pub(crate) fn units(jobs: &[JobRow]) -> Units {
    count::sum(
        jobs.iter()
            .filter(|j| count::is_invoice(j) && count::is_told(j)),
    )
}

/// The invoices of an order and their parts, in the order they were made.
pub(crate) fn invoices(
    desk: &Desk,
    rx: &dyn Read,
    jobs: &[JobRow],
) -> Result<Vec<InvoiceView>, StoreError> {
    let mut views = Vec::new();
    for job in jobs.iter().filter(|j| count::is_invoice(j)) {
        views.extend(invoice(desk, rx, jobs, job)?);
    }
    Ok(views)
}

/// One of them; `None` where its document is kept no longer.
pub(crate) fn invoice(
    desk: &Desk,
    rx: &dyn Read,
    jobs: &[JobRow],
    job: &JobRow,
) -> Result<Option<InvoiceView>, StoreError> {
    Ok(match rx.document(job.document)?.map(|s| s.document.body) {
        Some(Body::Invoice(made)) => Some(view(desk, jobs, job, &made)),
        _ => None,
    })
}

/// What it is over: what it was cut to, or all of it while that is open.
fn over(jobs: &[JobRow], job: &JobRow, made: &Invoice) -> Decimal {
    let mut units = Units::new();
    quantities::add(&mut units, &job.units);
    let parts = count::parts(jobs, &made.number).into_iter();
    let before = count::sum(parts.filter(|part| part.id < job.id));
    let cut = Cut {
        of: made,
        number: &job.key,
        order_key: "",
        units: &units,
        before: &before,
        charges: before.is_empty(),
        tracking: &[],
    };
    match cut.invoice() {
        Ok(sent) if !units.is_empty() => sent.total.gross,
        _ => made.total.gross,
    }
}

fn view(desk: &Desk, jobs: &[JobRow], job: &JobRow, made: &Invoice) -> InvoiceView {
    let title = desk.title(job.to);
    let (state, tone) = match &job.state {
        JobState::Resting { .. } => {
            let why = job.last_failure.clone();
            let why = why.unwrap_or_else(|| words::state(&job.state, &title));
            (why, Tone::Hold)
        }
        JobState::Parked(_) => (words::state(&job.state, &title), Tone::You),
        JobState::Done(Ending::Written(_)) => ("Sent".to_owned(), Tone::Ok),
        JobState::Done(Ending::Merged(_)) => ("Sent in parts".to_owned(), Tone::Ok),
        JobState::Done(_) => (words::state(&job.state, &title), Tone::Quiet),
        state => (words::state(state, &title), Tone::Soon),
    };
    let units = job.units.iter().map(|q| (q.line.clone(), q.quantity));
    InvoiceView {
        number: job.key.clone(),
        of: (job.key != made.number).then(|| made.number.clone()),
        job: job.id,
        over: over(jobs, job, made),
        currency: made.currency.clone(),
        issued_at: made.issued_at,
        units: units.collect(),
        state,
        tone,
        changed_at: job.changed_at,
        can_retry: matches!(job.state, JobState::Parked(_)),
    }
}
