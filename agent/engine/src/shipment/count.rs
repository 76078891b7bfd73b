//! What the shipments of an order tell, counted from their jobs alone.

use std::collections::BTreeMap;
use waybill_model::decimal::Decimal;
use waybill_model::document::Entity;
use waybill_model::job::{Ending, JobState, Work};
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
