//! Owns which resting and parked jobs of an order are looked at again when something of it changed. Must not know what a look
//! finds.

use crate::core::Desk;
use crate::order;
use crate::translate::Looked;
use waybill_model::ids::{Millis, OrderId};
use waybill_model::job::{JobState, Reason};
use waybill_store::{JobRow, Read, StoreError, Tx};

/// Jobs that are looked at before they leave: notes, invoices.
pub(crate) struct Kind {
    pub(crate) is: fn(&JobRow) -> bool,
    /// Codes of the problems that a change may mend.
    pub(crate) own_problems: &'static [&'static str],
    pub(crate) look: fn(&Tx<'_>, &Desk, &JobRow, Millis) -> Result<Looked, StoreError>,
}

/// Whether a job keeps the document it has: it is under way, or may be at the network.
pub(crate) fn has_begun(tx: &Tx<'_>, job: &JobRow) -> Result<bool, StoreError> {
    let doubt = matches!(job.state, JobState::Parked(Reason::InDoubt(_)));
    Ok(doubt || order::has_begun(tx, job)?)
}

/// Looks again at jobs of an order that rest, and at those that our own look parked for a reason that holds no more.
pub(crate) fn wake(
    tx: &mut Tx<'_>,
    desk: &Desk,
    id: OrderId,
    now: Millis,
    kind: &Kind,
) -> Result<(), StoreError> {
    for job in tx.jobs_of_order(id)? {
        if !(kind.is)(&job) {
            continue;
        }
        let again = match &job.state {
            JobState::Resting { .. } => true,
            JobState::Parked(reason @ Reason::Problem(problem))
                if kind.own_problems.contains(&&*problem.code) =>
            {
                // A card that somebody left alone comes back only when there is something new to say.
                !matches!((kind.look)(tx, desk, &job, now)?, Looked::Park(again) if again == *reason)
            }
            _ => false,
        };
        if again && !has_begun(tx, &job)? {
            tx.set_state(job.id, JobState::Ready, now)?;
        }
    }
    Ok(())
}
