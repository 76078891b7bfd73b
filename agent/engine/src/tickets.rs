//! Following queued writes to their verdict: a vendor's "queued" is not success.

use crate::calls;
use crate::core::Core;
use crate::event::Event;
use crate::verdict::Judge;
use std::sync::Arc;
use waybill_host::connector::Mode;
use waybill_host::ports::EffectScope;
use waybill_model::crash;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::{JobState, Priority, Work};
use waybill_store::{JobRow, Read, StoreError};

/// Most handles of one call.
const MOST: usize = 500;

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
    let again = core.backoff().wait_ms(2, core.rng.next_u64());
    let inner = desk.clone();
    let value = answer.value;
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
                Ok(verdicts) if verdicts.len() == expected => {
                    calls::mark_ok(tx, connection, now)?;
                    for (job, verdict) in jobs.iter().zip(verdicts) {
                        judge.apply(tx, &inner, job.id, verdict)?;
                    }
                }
                Ok(_) => ask_later(tx, &jobs, now + again)?,
                Err(error) => {
                    calls::mark_error(tx, connection, error, now)?;
                    ask_later(tx, &jobs, now + again)?;
                }
            }
            Ok(())
        })
        .await?;
    crash::point("ticket.committed");
    core.wake(Event::Changed);
    Ok(())
}

fn ask_later(
    tx: &mut waybill_store::Tx<'_>,
    jobs: &[JobRow],
    due: Millis,
) -> Result<(), StoreError> {
    for job in jobs {
        if let JobState::Pending { handle, asked, .. } = &job.state {
            tx.set_state(
                job.id,
                JobState::Pending {
                    handle: handle.clone(),
                    due,
                    asked: *asked,
                },
                due,
            )?;
        }
    }
    Ok(())
}
