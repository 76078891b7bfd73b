//! What the invoices of an order are over, counted from their jobs alone.

use crate::shipment::count::{self as shipped, Units};
use waybill_model::document::{Body, Document, Entity, Order};
use waybill_model::ids::JobId;
use waybill_model::job::{Ending, JobState, Work};
use waybill_model::quantities;
use waybill_store::JobRow;

/// Whether this is the job of an invoice.
pub(crate) fn is_invoice(job: &JobRow) -> bool {
    job.work == Work::Push(Entity::Invoice)
}

/// Whether a job with this document is a part that was cut from an invoice: its units were given to it when it was cut.
pub(crate) fn is_part(job: &JobRow, document: &Document) -> bool {
    is_invoice(job) && matches!(&document.body, Body::Invoice(invoice) if invoice.number != job.key)
}

/// Whether the source has it, or a person sees to it.
pub(crate) const fn is_told(job: &JobRow) -> bool {
    matches!(
        &job.state,
        JobState::Done(Ending::Written(_) | Ending::Recorded | Ending::Ignored(_))
    )
}

/// Whether its units are at the source, may be, or are put by for it.
const fn is_counted(job: &JobRow) -> bool {
    match &job.state {
        JobState::Done(_) => is_told(job),
        _ => true,
    }
}

/// Units of all invoices but one.
pub(crate) fn invoiced(jobs: &[JobRow], but: JobId) -> Units {
    let counted = |j: &&JobRow| is_invoice(j) && j.id != but && is_counted(j);
    sum(jobs.iter().filter(counted))
}

/// Parts that were cut from the invoice of that number, in the order they were made.
pub(crate) fn parts<'j>(jobs: &'j [JobRow], number: &str) -> Vec<&'j JobRow> {
    let own = |key: &str| {
        let suffix = key.strip_prefix(number);
        suffix.is_some_and(|suffix| suffix.starts_with('-'))
    };
    let all = jobs.iter().filter(|j| is_invoice(j) && own(&j.key));
    let mut parts: Vec<&JobRow> = all
        .filter(|j| is_counted(j) && !j.units.is_empty())
        .collect();
    parts.sort_unstable_by_key(|j| j.id);
    parts
}

/// Units of these jobs.
pub(crate) fn sum<'a>(jobs: impl Iterator<Item = &'a JobRow>) -> Units {
    let mut units = Units::new();
    for job in jobs {
        quantities::add(&mut units, &job.units);
    }
    units
}

/// Whether everything of the order that is shipped is invoiced.
pub(crate) fn is_all(order: &Order, jobs: &[JobRow]) -> bool {
    let told = sum(jobs.iter().filter(|j| is_invoice(j) && is_told(j)));
    let counted = quantities::count(order, &shipped::told(jobs));
    let covered = |line: &quantities::LineCount| {
        told.get(&line.line).copied().unwrap_or_default() >= line.shipped
    };
    !told.is_empty() && counted.iter().all(covered)
}
