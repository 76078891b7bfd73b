//! Cutting the ERP's invoice into parts: jobs whose number and units stand from this commit on.

use super::case::Case;
use super::count;
use super::plan::{Plan, plan};
use crate::cancel::count::lines;
use crate::core::Desk;
use waybill_model::crash;
use waybill_model::ids::Millis;
use waybill_model::job::JobState;
use waybill_store::{JobRow, NewJob, Read, StoreError, Tx};

/// Makes the parts that may leave now, before the invoice itself is looked at.
pub(crate) fn before_look(
    tx: &mut Tx<'_>,
    desk: &Desk,
    job: &JobRow,
    now: Millis,
) -> Result<(), StoreError> {
    if !count::is_invoice(job) || tx.has_effects(job.id)? {
        return Ok(());
    }
    let Some(case) = Case::of(tx, job)?.filter(Case::is_root) else {
        return Ok(());
    };
    let Plan::Cut(parts) = plan(tx, desk, &case, now)? else {
        return Ok(());
    };
    for (suffix, units) in parts {
        let part = tx.create_job(
            NewJob {
                work: job.work,
                from: job.from,
                to: job.to,
                entity: job.entity,
                key: format!("{}-{suffix}", case.invoice.number),
                order: job.order,
                lane: job.lane.clone(),
                document: job.document,
                state: JobState::Ready,
                urgent_by: job.urgent_by,
            },
            now,
        )?;
        tx.set_job_units(part, lines(&units))?;
    }
    crash::point("invoice.cut");
    Ok(())
}
