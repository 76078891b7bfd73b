//! What the shipments of an order tell, counted from their jobs alone.

use std::collections::BTreeMap;
use waybill_model::decimal::Decimal;
use waybill_model::document::Entity;
use waybill_model::ids::JobId;
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_model::quantities;
use waybill_store::JobRow;

/// Units by line.
pub(crate) type Units = BTreeMap<String, Decimal>;

/// Whether this is the job of a goods-out note.
pub(crate) fn is_shipment(job: &JobRow) -> bool {
    job.work == Work::Push(Entity::Shipment)
}

/// Whether the source has it.
pub(crate) const fn is_told(job: &JobRow) -> bool {
    matches!(
        &job.state,
        JobState::Done(Ending::Written(_) | Ending::Recorded)
    )
}

/// Whether what it tells is at the source, or may be.
pub(crate) fn is_counted(job: &JobRow) -> bool {
    match &job.state {
        JobState::Done(_) => is_told(job),
        JobState::Parked(reason) => matches!(reason, Reason::InDoubt(_)),
        JobState::Resting { .. } => false,
        _ => !job.units.is_empty(),
    }
}

fn sum<'a>(jobs: impl Iterator<Item = &'a JobRow>) -> Units {
    let mut units = Units::new();
    for job in jobs {
        quantities::add(&mut units, &job.units);
    }
    units
}

/// Units that the source confirmed.
pub(crate) fn told(jobs: &[JobRow]) -> Units {
    sum(jobs.iter().filter(|j| is_shipment(j) && is_told(j)))
}

/// Units that were sent or are under way, but for one job's.
pub(crate) fn sent(jobs: &[JobRow], but: JobId) -> Units {
    sum(jobs
        .iter()
        .filter(|j| is_shipment(j) && j.id != but && is_counted(j)))
}
