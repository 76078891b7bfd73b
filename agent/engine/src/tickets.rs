//! Following queued writes to their verdict: a vendor's "queued" is not success.

use crate::calls;
use crate::core::Core;
use crate::event::Event;
use crate::verdict::Judge;
use std::sync::Arc;
use waybill_host::connector::Mode;
use waybill_host::ports::EffectScope;
use waybill_model::contract::Failure;
use waybill_model::crash;
use waybill_model::ids::ConnectionId;
use waybill_model::job::{JobState, Priority, Work};
use waybill_store::{JobRow, Read, StoreError};

/// Most handles of one call: those of a whole batch, since they are one question to the vendor.
const MOST: usize = 1_000;

/// Asks about every due ticket of one kind of work.
pub(crate) async fn run(
    core: Arc<Core>,
    connection: ConnectionId,
    work: Work,
) -> Result<(), StoreError> {
    let desk = core.desk();
    let Some((slot, connector)) = desk
        .slots
        .get(&connection)
        .and_then(|s| Some((s, s.connector()?)))
    else {
        return Ok(());
    };
    let now = core.now();
    let due: Vec<(JobRow, String)> = core
        .store
        .read(|rx| rx.due(now, usize::MAX))?
        .into_iter()
        .filter(|job| job.to == connection && job.work == work)
        .filter_map(|job| match &job.state {
            JobState::Pending { handle, .. } => Some((job.clone(), handle.clone())),
            _ => None,
        })
        .take(MOST)
        .collect();
    if due.is_empty() {
        return Ok(());
    }
    let (jobs, handles): (Vec<JobRow>, Vec<String>) = due.into_iter().unzip();
    let scope = EffectScope::Jobs(jobs.iter().map(|j| j.id).collect());
    let call = core.call(slot, scope, Priority::NearDeadline, Mode::ReadOnly, 1);
    let expected = handles.len();
    let answer = connector.confirm(call, handles).await;
    let now = core.now();
    let judge = Judge::new(&core, now);
    let inner = desk.clone();
    let value = answer
        .value
        .and_then(|verdicts| calls::one_each(verdicts, expected, "handles"));
    core.observe(|| {
        format!(
            "confirmed {connection} {work:?} {expected} {}",
            value.is_ok()
        )
    });
    crash::point("ticket.before-commit");
    core.store
        .write(move |tx| {
            match &value {
                Ok(verdicts) => {
                    calls::mark_verdicts(tx, connection, verdicts, now)?;
                    for (job, verdict) in jobs.iter().zip(verdicts) {
                        judge.apply(tx, &inner, job.id, verdict)?;
                    }
                }
                Err(error) => {
                    calls::mark_error(tx, connection, error, now)?;
                    for job in &jobs {
                        judge.apply(tx, &inner, job.id, &Err(Failure::Retry(None)))?;
                    }
                }
            }
            Ok(())
        })
        .await?;
    crash::point("ticket.committed");
    core.wake(Event::Changed);
    Ok(())
}
