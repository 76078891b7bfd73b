//! Filling a cell, retrying, leaving alone: what a person does about a card, each in one commit.

use crate::attend;
use crate::cancel;
use crate::compare;
use crate::invoice;
use crate::order;
use crate::restored;
use crate::shipment;
use waybill_model::amounts;
use waybill_model::contract::{Gap, Problem};
use waybill_model::crash;
use waybill_model::crosswalk;
use waybill_model::document::{Entity, OrderPhase};
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
    // A cell for all fills every retailer's gap, of cards that were left alone too.
    let filled = Gap {
        retailer: retailer.map(str::to_owned),
        ..gap.clone()
    };
    release_gap(tx, *from, *to, &filled, who, now)
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
        for state in ["ready", "parked", "waiting", "practised"] {
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

/// Cards of cancellations that have no route: a person carries them over.
const CARRIED_BY_PEOPLE: [&str; 2] = ["cancelled-after-sale", "changed-after-sale"];

/// What came of pressing Retry.
#[derive(Debug, Clone)]
pub(crate) enum Retried {
    /// It goes on.
    Yes,
    /// It makes no sense; why.
    No(Problem),
}

/// A parked job may be tried again. A total that differs is accepted by retrying it, that total and no other; a request
/// to cancel is passed over; what may have been told before a restore is told. What only a person can do outside is not
/// done by trying again.
pub(crate) fn retry(
    tx: &mut Tx<'_>,
    job: &JobRow,
    who: &str,
    now: Millis,
) -> Result<Retried, StoreError> {
    let JobState::Parked(reason) = &job.state else {
        return Ok(Retried::No(Problem::new(
            "not-waiting",
            "This does not wait for you any more.",
            "Load the page again.",
        )));
    };
    if let Reason::Problem(problem) = reason
        && [amounts::DIFFERS, amounts::WAITS].contains(&&*problem.code)
    {
        tx.put_meta(
            &crate::translate::lines_accepted_key(job),
            problem.message.as_bytes(),
        )?;
    }
    if let Reason::Problem(problem) = reason
        && problem.code == restored::MAYBE_REPORTED
    {
        let key = restored::accepted_key(job);
        tx.put_meta(&key, problem.message.as_bytes())?;
    }
    if attend::is_card(job) {
        attend::again(tx, job, who, now)?;
        return Ok(Retried::Yes);
    }
    if let (Work::Push(Entity::Shipment), Reason::Problem(problem)) = (job.work, reason) {
        retry_shipment(tx, job, problem, now)?;
    }
    if let (Work::Push(Entity::Invoice), Reason::Problem(problem)) = (job.work, reason) {
        retry_invoice(tx, job, problem)?;
    }
    if let Some(hint) = not_by_retry(job) {
        let why = crate::words::reason(reason);
        return Ok(Retried::No(Problem::new("not-by-retry", why, hint)));
    }
    let state = match (job.work, reason) {
        (Work::Push(Entity::Cancellation), Reason::Problem(problem))
            if problem.code == crate::intake::CANCEL_REQUESTED =>
        {
            JobState::Done(Ending::Ignored(format!("{who} goes on with the order")))
        }
        (Work::Push(Entity::Cancellation), Reason::Problem(problem))
            if !CARRIED_BY_PEOPLE.contains(&&*problem.code) =>
        {
            if cancel::retailer::by_retry(&problem.code) {
                tx.put_meta(&cancel::look::accepted_key(job), problem.message.as_bytes())?;
            }
            JobState::Ready
        }
        (Work::Push(Entity::Cancellation), Reason::Gaps(_) | Reason::InDoubt(_)) => JobState::Ready,
        (Work::Push(Entity::Cancellation), reason) => {
            return Ok(Retried::No(Problem::new(
                "not-by-retry",
                crate::words::reason(reason),
                "Change the sale yourself, then leave the card with a reason.",
            )));
        }
        _ => order::at_rest(tx, job)?,
    };
    tx.set_state(job.id, state, now)?;
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
    )?;
    Ok(Retried::Yes)
}

/// What only a person can do: cards whose job is never sent.
fn not_by_retry(job: &JobRow) -> Option<&'static str> {
    if invoice::intake::is_card(job) {
        Some("Settle it with the retailer yourself, then leave the card with a reason.")
    } else if shipment::change::is_card(job) {
        Some("Change the shipment at the network yourself, then leave the card with a reason.")
    } else if compare::card::is_card(job) {
        Some(
            "Put it right where it is wrong; the next comparison, or one from the page Comparison, closes the card. Or leave it with a reason.",
        )
    } else {
        None
    }
}

/// What was shipped above what is open is accepted for these very figures: what is open is told. A note without its
/// tracking number is read again.
fn retry_shipment(
    tx: &mut Tx<'_>,
    job: &JobRow,
    problem: &Problem,
    now: Millis,
) -> Result<(), StoreError> {
    if problem.code == shipment::look::ABOVE_OPEN {
        let key = shipment::look::accepted_key(job);
        tx.put_meta(&key, problem.message.as_bytes())?;
    }
    if problem.code == shipment::look::NO_TRACKING {
        shipment::rest::read_again(tx, job.from, &job.key, now)?;
    }
    if shipment::change::is_card(job) || tx.has_effects(job.id)? {
        return Ok(());
    }
    match tx.latest_document(job.from, job.entity, &job.key)? {
        Some(newest) if newest.id != job.document => tx.set_job_document(job.id, newest.id),
        _ => Ok(()),
    }
}

/// What a card of an invoice said is accepted, in these very words.
fn retry_invoice(tx: &mut Tx<'_>, job: &JobRow, problem: &Problem) -> Result<(), StoreError> {
    if !invoice::look::BY_RETRY.contains(&&*problem.code) {
        return Ok(());
    }
    let key = invoice::look::accepted_key(job);
    tx.put_meta(&key, problem.message.as_bytes())
}

/// Retries every job behind a card: how many, or why none.
pub(crate) fn retry_card(
    tx: &mut Tx<'_>,
    jobs: &[JobId],
    who: &str,
    now: Millis,
) -> Result<Result<u64, Problem>, StoreError> {
    let mut retried = 0;
    let mut refused = None;
    for id in jobs {
        let Some(job) = tx.job(*id)? else { continue };
        match retry(tx, &job, who, now)? {
            Retried::Yes => retried += 1,
            Retried::No(why) => refused = Some(why),
        }
    }
    Ok(match refused {
        Some(why) if retried == 0 => Err(why),
        _ => Ok(retried),
    })
}

/// Whether a person is asked whether it was told before a restore.
fn may_be_reported(job: &JobRow) -> bool {
    matches!(&job.state, JobState::Parked(Reason::Problem(problem)) if problem.code == restored::MAYBE_REPORTED)
}

/// Leaves a card alone. What was only a person's task, or belongs to a cancelled order, ends with it; a sale that was
/// never made stays where it is, so that it can still be taken up.
pub(crate) fn ignore_card(
    tx: &mut Tx<'_>,
    id: &str,
    reason: &str,
    who: &str,
    now: Millis,
) -> Result<bool, StoreError> {
    let Some((card, jobs)) = tx.card(id)? else {
        return Ok(false);
    };
    tx.ignore_card(id, reason)?;
    for job in jobs {
        if attend::is_card(&job) {
            attend::left_alone(tx, &job, now)?;
        }
        let Some(row) = job.order.map(|o| tx.order(o)).transpose()?.flatten() else {
            continue;
        };
        let task = job.work == Work::Push(Entity::Cancellation)
            || shipment::change::is_card(&job)
            || compare::card::is_card(&job)
            || invoice::count::is_invoice(&job);
        if let Some(units) = invoice::look::left_alone(tx, &job)? {
            // He sees to what it is over: nothing of it is sent under another number.
            tx.set_job_units(job.id, cancel::count::lines(&units))?;
        }
        let told = cancel::count::is_cancel(&job) && may_be_reported(&job);
        if told && !cancel::count::is_back(&job, &row) {
            cancel::restored::is_off(tx, &job, &row, now)?;
        } else if told {
            // A person says that it is there: its units count as told.
            let ending = Ending::Written("told before the restore".to_owned());
            tx.set_state(job.id, JobState::Done(ending), now)?;
        } else if cancel::count::is_cancel(&job) && cancel::count::is_answer(tx, &job)? {
            // Nothing was taken off the sale: the order goes on.
            tx.set_job_units(job.id, Vec::new())?;
            let text = "The request to cancel is not accepted; only the button in the network's portal says no formally.";
            order::note(tx, row.id, now, NoteKind::Info, "x", text, None)?;
        }
        if !told && (task || row.phase == OrderPhase::Cancelled) {
            let ending = Ending::Ignored(reason.to_owned());
            tx.set_state(job.id, JobState::Done(ending), now)?;
        }
        let text = format!("{who} left it alone: {reason}");
        order::note(tx, row.id, now, NoteKind::Info, "person", &text, None)?;
        order::refresh(tx, row.id, now)?;
    }
    let title = match &card.cause {
        Cause::Gap { gap, .. } => crate::words::gap_title(gap),
        Cause::Problem { problem, .. } | Cause::InDoubt { problem, .. } => problem.message.clone(),
    };
    tx.audit(who, "Left a card", &format!("{title}: {reason}"), now)?;
    Ok(true)
}
