//! Filling a cell, retrying, leaving alone: what a person does about a card, each in one commit.

use crate::order;
use waybill_model::contract::Gap;
use waybill_model::crash;
use waybill_model::crosswalk;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, JobId, Millis};
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_store::{Cause, JobRow, NoteKind, Read, Store, StoreError, Tx};

/// A cell somebody filled in.
#[derive(Debug, Clone)]
pub(crate) struct Filled {
    pub(crate) from: ConnectionId,
    pub(crate) to: ConnectionId,
    pub(crate) gap: Gap,
    pub(crate) for_all: bool,
    pub(crate) code: String,
    pub(crate) label: Option<String>,
    pub(crate) who: String,
}

/// Stores the cell and releases everything it blocked. How many jobs.
pub(crate) async fn fill(store: &Store, filled: Filled, now: Millis) -> Result<u64, StoreError> {
    crash::point("crosswalk.before-commit");
    let released = store.write(move |tx| fill_in(tx, &filled, now)).await?;
    crash::point("crosswalk.released");
    Ok(released)
}

fn fill_in(tx: &mut Tx<'_>, filled: &Filled, now: Millis) -> Result<u64, StoreError> {
    let Filled {
        from,
        to,
        gap,
        for_all,
        code,
        label,
        who,
    } = filled;
    let retailer = if *for_all {
        None
    } else {
        gap.retailer.as_deref()
    };
    tx.set_cell(
        *from,
        *to,
        &gap.table,
        retailer,
        &gap.value,
        Some(code),
        label.as_deref(),
        who,
        now,
    )?;
    tx.audit(
        who,
        "Matched",
        &format!("{}: {} = {code}", gap.table, gap.value),
        now,
    )?;
    let gaps: Vec<Gap> = if *for_all {
        same_value(tx, *from, *to, gap)?
    } else {
        vec![gap.clone()]
    };
    let mut released = 0;
    for gap in gaps {
        released += release_gap(tx, *from, *to, &gap, who, now)?;
    }
    Ok(released)
}

/// Releases the jobs of one gap, and refreshes their orders. A customer matched by hand needs no creation any more.
pub(crate) fn release_gap(
    tx: &mut Tx<'_>,
    from: ConnectionId,
    to: ConnectionId,
    gap: &Gap,
    who: &str,
    now: Millis,
) -> Result<u64, StoreError> {
    let jobs = tx.release_gap(from, to, gap, now)?;
    for id in &jobs {
        if let Some(id) = tx.job(*id)?.and_then(|j| j.order) {
            order::note(
                tx,
                id,
                now,
                NoteKind::Info,
                "person",
                &format!("{who} matched {}.", gap.value),
                None,
            )?;
            order::refresh(tx, id, now)?;
        }
    }
    if gap.table == crosswalk::CUSTOMERS {
        for state in ["ready", "parked", "waiting"] {
            for job in tx.jobs_in(state, usize::MAX)? {
                if job.work == Work::Push(Entity::Customer) && job.to == to && job.key == gap.value
                {
                    tx.set_state(job.id, JobState::Done(Ending::Withdrawn), now)?;
                }
            }
        }
    }
    Ok(jobs.len() as u64)
}

fn same_value(
    tx: &Tx<'_>,
    from: ConnectionId,
    to: ConnectionId,
    gap: &Gap,
) -> Result<Vec<Gap>, StoreError> {
    Ok(tx
        .cards(usize::MAX)?
        .into_iter()
        .filter_map(|card| match card.cause {
            Cause::Gap {
                from: f,
                to: t,
                gap: other,
            } if f == from && t == to && other.table == gap.table && other.value == gap.value => {
                Some(other)
            }
            _ => None,
        })
        .collect())
}

/// A parked job may be tried again. A total that differs is accepted by retrying it.
pub(crate) fn retry(
    tx: &mut Tx<'_>,
    job: &JobRow,
    who: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let JobState::Parked(reason) = &job.state else {
        return Err(StoreError::Conflict(format!(
            "job `{}` does not wait for you",
            job.id
        )));
    };
    if let Reason::Problem(problem) = reason
        && problem.code == "total-differs"
    {
        tx.put_meta(&crate::translate::lines_accepted_key(job), who.as_bytes())?;
    }
    tx.set_state(job.id, JobState::Ready, now)?;
    if let Some(id) = job.order {
        order::note(
            tx,
            id,
            now,
            NoteKind::Info,
            "again",
            &format!("{who} pressed Retry."),
            None,
        )?;
        order::refresh(tx, id, now)?;
    }
    tx.audit(
        who,
        "Retried",
        &format!("{} {}", crate::words::work(job.work), job.key),
        now,
    )
}

/// Retries every job behind a card.
pub(crate) fn retry_card(
    tx: &mut Tx<'_>,
    jobs: &[JobId],
    who: &str,
    now: Millis,
) -> Result<u64, StoreError> {
    let mut retried = 0;
    for id in jobs {
        if let Some(job) = tx
            .job(*id)?
            .filter(|j| matches!(j.state, JobState::Parked(_)))
        {
            retry(tx, &job, who, now)?;
            retried += 1;
        }
    }
    Ok(retried)
}
