//! The retailer's cancels: one that stands (`order.rs` notices it), and one that is asked for. Each becomes a job on the
//! order's lane to its sale, so that it never races the sale's creation.

use super::count::{self, Sight};
use crate::order;
use crate::restored;
use crate::shipment::count::Units;
use waybill_model::contract::Problem;
use waybill_model::crash;
use waybill_model::document::{Body, CancelPhase, Cancellation, Entity};
use waybill_model::ids::{DocumentId, Millis};
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_model::quantities;
use waybill_store::{JobRow, NewJob, NoteKind, OrderRow, Read, StoreError, Tx};

/// Code: a request waits for the merchant's word.
pub(crate) const ASKED: &str = "cancel-asked";
/// Code: the goods-out note is further than the setting allows.
pub(crate) const NOTE_TOO_FAR: &str = "cancel-stage";
/// Codes of a sale that cannot be cancelled any more; a request is then refused where the setting says so.
pub(crate) const CANNOT: [&str; 5] = [
    NOTE_TOO_FAR,
    "cancel-shipped",
    "cancel-invoiced",
    "cancel-paid",
    "cancel-rows",
];

/// Whether Retry on a card of that code means: cancel it all the same.
pub(crate) fn by_retry(code: &str) -> bool {
    code == ASKED || code == NOTE_TOO_FAR
}

/// Whether cancellations of the order's source lead to its sale.
pub(crate) fn is_routed(tx: &Tx<'_>, push: &JobRow) -> Result<bool, StoreError> {
    count::leads(tx, push.from, push.to)
}

fn job(push: &JobRow, row: &OrderRow, document: DocumentId, back: bool) -> NewJob {
    let (from, to) = if back {
        (push.to, push.from)
    } else {
        (push.from, push.to)
    };
    NewJob {
        work: Work::Push(Entity::Cancellation),
        from,
        to,
        entity: Entity::Cancellation,
        key: row.key.clone(),
        order: Some(row.id),
        lane: row.key.clone(),
        document,
        state: JobState::Ready,
        urgent_by: order::urgent_by(row),
    }
}

/// Who takes care of what the source changed after the sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// A job that was made now.
    Made,
    /// Nobody has to: a job is on its way, or sale and source are equal.
    None,
    /// A person: units were added, which no cancellation carries over.
    Person,
}

/// The source changed an order after its sale was made, or while it is being made.
pub(crate) fn cancelled(
    tx: &mut Tx<'_>,
    row: &OrderRow,
    push: &JobRow,
    now: Millis,
) -> Result<Care, StoreError> {
    let work = Work::Push(Entity::Cancellation);
    let open = tx.open_job(work, push.from, push.to, Entity::Cancellation, &row.key)?;
    if let Some(open) = &open
        && order::has_begun(tx, open)?
    {
        // It ends first; its end looks again.
        return Ok(Care::None);
    }
    let Some(sight) = Sight::of(tx, row.id)? else {
        return Ok(Care::None);
    };
    let units = count::lines(&sight.due());
    if units.is_empty() {
        return Ok(if sight.wants_more() {
            Care::Person
        } else {
            Care::None
        });
    }
    if let Some(open) = &open
        && open.units == units
        && count::request(tx, open)?.is_none()
    {
        return Ok(Care::None);
    }
    let text = format!("{} cancelled {}.", row.retailer_name, count::named(&units));
    order::note(tx, row.id, now, NoteKind::Info, "x", &text, None)?;
    // One that is open already is taken over: its question is answered by this change.
    let id = tx.create_job(job(push, row, row.document, false), now)?;
    crash::point("cancel.created");
    tx.set_job_document(id, row.document)?;
    tx.set_job_units(id, units)?;
    tx.set_attempt(id, 0, None)?;
    tx.set_state(id, JobState::Ready, now)?;
    Ok(Care::Made)
}

/// A request to cancel. Before the sale exists its job is withdrawn and the retailer told; after that the sale is
/// cancelled first.
pub(crate) fn requested(
    tx: &mut Tx<'_>,
    row: &OrderRow,
    push: &JobRow,
    request: &Cancellation,
    now: Millis,
) -> Result<(), StoreError> {
    let Some(document) = tx.latest_document(row.connection, Entity::Cancellation, &row.key)? else {
        return Ok(());
    };
    let told = told(request);
    let jobs = tx.jobs_of_order(row.id)?;
    let mut known = jobs.iter().filter(|j| count::is_cancel(j));
    if known.any(|j| j.last_failure.as_deref() == Some(&told)) {
        // The same request comes again with each look at the order.
        return Ok(());
    }
    let because = request.reason.as_deref();
    let because = because.map_or_else(String::new, |code| format!(" ({code})"));
    let what = if request.lines.is_empty() {
        "the order".to_owned()
    } else {
        count::named(&request.lines)
    };
    let text = format!("{} asks to cancel {what}{because}.", row.retailer_name);
    order::note(tx, row.id, now, NoteKind::Info, "x", &text, None)?;
    let unsold = row.sale_key.is_none() && !order::has_begun(tx, push)?;
    let back = count::leads(tx, push.to, push.from)?;
    let accepts = super::look::setting(tx, row, waybill_model::settings::CANCEL_REQUESTS)?;
    // A sale that was made after the backup is not known yet: it is looked for first, and cancelled then.
    let known = restored::before(tx, row.placed_at.unwrap_or_default())?.is_none();
    if unsold && known && back && accepts != "ask" {
        return unsold_requested(tx, row, push, request, document.id, &told, now);
    }
    let id = tx.create_job(job(push, row, document.id, false), now)?;
    crash::point("cancel.created");
    let open = tx.job(id)?;
    if let Some(open) = open
        && (open.document == document.id || !order::has_begun(tx, &open)?)
    {
        tx.set_job_document(id, document.id)?;
        tx.set_job_units(id, Vec::new())?;
        tx.set_attempt(id, 0, Some(&told))?;
        tx.set_state(id, JobState::Ready, now)?;
    }
    order::refresh(tx, row.id, now)
}

/// Nothing was sold yet: the retailer is told, and a whole order makes no sale.
fn unsold_requested(
    tx: &mut Tx<'_>,
    row: &OrderRow,
    push: &JobRow,
    request: &Cancellation,
    document: DocumentId,
    told: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let Some(sight) = Sight::of(tx, row.id)? else {
        return Ok(());
    };
    let units = sight.asked(request, None);
    if units.is_empty() {
        return Ok(());
    }
    if sight.is_whole(&units) {
        tx.set_state(push.id, JobState::Done(Ending::Withdrawn), now)?;
        let text = "No sale is made: the retailer asked to cancel the order first.";
        order::note(tx, row.id, now, NoteKind::Info, "x", text, None)?;
    }
    let id = tx.create_job(job(push, row, document, true), now)?;
    crash::point("cancel.answered");
    tx.set_job_units(id, count::lines(&units))?;
    tx.set_attempt(id, 0, Some(told))?;
    order::refresh(tx, row.id, now)
}

/// Tells the retailer that a request was accepted: these units.
pub(crate) fn answer(
    tx: &mut Tx<'_>,
    row: &OrderRow,
    accepted: &JobRow,
    now: Millis,
) -> Result<(), StoreError> {
    if !count::leads(tx, accepted.to, accepted.from)? {
        let text = "Tell the retailer in the network's portal: nothing leads there from here.";
        return order::note(tx, row.id, now, NoteKind::You, "you", text, None);
    }
    // With what was off the sale before a restore.
    let mut units = Units::new();
    quantities::add(&mut units, &accepted.units);
    quantities::add(&mut units, &super::restored::off(tx, accepted)?);
    let mut push = accepted.clone();
    push.work = Work::Push(Entity::Order);
    let id = tx.create_job(job(&push, row, accepted.document, true), now)?;
    crash::point("cancel.answered");
    let open = tx.job(id)?;
    if open.is_some_and(|open| open.document == accepted.document) {
        tx.set_job_units(id, count::lines(&units))?;
        tx.set_attempt(id, 0, accepted.last_failure.as_deref())?;
    }
    Ok(())
}

/// A request that came while another cancellation was under way is taken up now.
pub(crate) fn again(tx: &mut Tx<'_>, row: &OrderRow, now: Millis) -> Result<(), StoreError> {
    let latest = tx.latest_document(row.connection, Entity::Cancellation, &row.key)?;
    let Some(Body::Cancellation(request)) = latest.map(|stored| stored.document.body) else {
        return Ok(());
    };
    let jobs = tx.jobs_of_order(row.id)?;
    match jobs.iter().find(|j| count::is_sale(j)) {
        Some(push) if request.phase == CancelPhase::Requested => {
            requested(tx, row, push, &request, now)
        }
        _ => Ok(()),
    }
}

/// Whether a request took the order back before its sale was made: then no new revision takes it up again.
pub(crate) fn is_given_up(jobs: &[JobRow], row: &OrderRow) -> bool {
    let mut back = jobs.iter().filter(|j| count::is_back(j, row));
    back.any(crate::shipment::count::is_counted)
}

/// A request was refused at its source: nothing is left of it.
pub(crate) fn taken_back(tx: &mut Tx<'_>, row: &OrderRow, now: Millis) -> Result<(), StoreError> {
    for job in tx.jobs_of_order(row.id)? {
        let waits = matches!(
            job.state,
            JobState::Parked(_)
                | JobState::Ready
                | JobState::Resting { .. }
                | JobState::Held { .. }
                | JobState::Practised
        );
        if !count::is_cancel(&job) || !waits || !count::is_answer(tx, &job)? {
            continue;
        }
        if count::is_back(&job, row) || order::has_begun(tx, &job)? {
            continue;
        }
        tx.set_job_units(job.id, Vec::new())?;
        let ending = Ending::Ignored("refused at the source".to_owned());
        tx.set_state(job.id, JobState::Done(ending), now)?;
    }
    Ok(())
}

/// A shipment of the order was told: a request whose goods are all gone waits for nobody any more.
pub(crate) fn shipped(tx: &mut Tx<'_>, row: &OrderRow, now: Millis) -> Result<(), StoreError> {
    for job in tx.jobs_of_order(row.id)? {
        let waits = matches!(&job.state, JobState::Parked(Reason::Problem(p))
            if p.code == ASKED || CANNOT.contains(&&*p.code));
        if !waits || !count::is_cancel(&job) || count::is_back(&job, row) {
            continue;
        }
        if is_gone(tx, row, &job)? {
            super::verdict::refuse(tx, row, &job, SHIPPED, now)?;
        }
    }
    Ok(())
}

/// Why a request is refused whose goods are gone.
pub(super) const SHIPPED: &str = "it has shipped";

/// Whether nothing that a request asks for can be had any more.
pub(super) fn is_gone(tx: &Tx<'_>, row: &OrderRow, job: &JobRow) -> Result<bool, StoreError> {
    let (request, sight) = (count::request(tx, job)?, Sight::of(tx, row.id)?);
    let both = request.zip(sight);
    Ok(both.is_some_and(|(request, sight)| sight.asked(&request, Some(job.id)).is_empty()))
}

/// A sale is known now: what waited for it is looked at.
pub(crate) fn sold(tx: &mut Tx<'_>, row: &OrderRow, now: Millis) -> Result<(), StoreError> {
    for job in tx.jobs_of_order(row.id)? {
        if count::is_cancel(&job) && matches!(job.state, JobState::Resting { .. }) {
            tx.set_state(job.id, JobState::Ready, now)?;
        }
    }
    Ok(())
}

/// Names a request: the same one comes again with each look at its order.
fn told(request: &Cancellation) -> String {
    format!(
        "asked {} {}",
        request.reason.as_deref().unwrap_or_default(),
        count::named(&request.lines)
    )
}

/// What a request's card says.
pub(crate) fn asked_problem(row: &OrderRow, units: &str) -> Problem {
    Problem::new(
        ASKED,
        format!(
            "{} asks to cancel {units} of order {}.",
            row.retailer_name, row.number
        ),
        "Press Retry to accept it: the sale is cancelled and the retailer told. Or leave this card with a reason to ship it all the same.",
    )
}
