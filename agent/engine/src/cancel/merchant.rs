//! The merchant's own cancels: what the sale shows now is held against what was sold and what both sides know, and the rest
//! is told to the order's source.

use super::count::{self, Sight};
use super::look;
use crate::core::Desk;
use crate::order;
use crate::shipment;
use waybill_model::crash;
use waybill_model::document::{Body, Document, Entity, OrderState};
use waybill_model::ids::{ConnectionId, Millis, OrderId};
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_store::{JobRow, NewJob, NoteKind, Read, StoreError, Tx};

/// A state of one of our sales. Any other leaves no trace. Whether it was new.
pub(crate) fn take(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    document: &Document,
    state: &OrderState,
    now: Millis,
) -> Result<bool, StoreError> {
    let Some(row) = tx.order_linked(connection, &state.order_key)? else {
        return Ok(false);
    };
    let cancels = count::leads(tx, connection, row.connection)?;
    let stock = desk
        .routes
        .iter()
        .any(|r| (r.entity, r.from, r.to) == (Entity::InventoryLevel, connection, row.connection));
    if stock {
        // Also where it is as before: then it is looked at again later.
        tx.mark_for_stock(row.id)?;
    }
    // What is set aside concerns stock alone.
    let cut = state.cancelled || state.lines.iter().any(|l| l.cancelled.is_positive());
    let known = || tx.latest_document(connection, Entity::OrderState, &state.order_key);
    let ships = !desk.shipments.statuses.is_empty();
    let wanted = stock || ships || (cancels && (cut || known()?.is_some()));
    if !wanted || tx.accept(connection, document, now)?.is_none() {
        return Ok(false);
    }
    if ships {
        shipment::unnoted::ask(tx, desk, connection, &row, state, now)?;
        shipment::intake::wake(tx, desk, row.id, now)?;
    }
    if cancels {
        consider(tx, desk, row.id, now)?;
    }
    Ok(true)
}

/// A request waits for the merchant, who has cancelled the sale by hand: that is his answer. Whether that is so.
fn accepts_request(
    tx: &mut Tx<'_>,
    sight: &Sight,
    state: &OrderState,
    now: Millis,
) -> Result<bool, StoreError> {
    for job in &sight.jobs {
        let waits = matches!(job.state, JobState::Parked(Reason::Problem(_)));
        let inward = count::is_cancel(job) && !count::is_back(job, &sight.row);
        if waits && inward && state.cancelled && count::is_answer(tx, job)? {
            tx.put_meta(&look::accepted_key(job), b"by hand")?;
            tx.set_state(job.id, JobState::Ready, now)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// A cancel on its way to the sale has ended or waits, whatever came of it: a state of the sale that came meanwhile is looked
/// at now.
pub(crate) fn after(
    tx: &mut Tx<'_>,
    desk: &Desk,
    job: &JobRow,
    now: Millis,
) -> Result<(), StoreError> {
    let Some(row) = job.order.map(|id| tx.order(id)).transpose()?.flatten() else {
        return Ok(());
    };
    if count::is_cancel(job) && !count::is_back(job, &row) {
        consider(tx, desk, row.id, now)?;
    }
    Ok(())
}

/// Holds the newest state of an order's sale against what the source knows.
pub(crate) fn consider(
    tx: &mut Tx<'_>,
    desk: &Desk,
    id: OrderId,
    now: Millis,
) -> Result<(), StoreError> {
    let Some(sight) = Sight::of(tx, id)? else {
        return Ok(());
    };
    let row = &sight.row;
    let (Some(sale), Some(push)) = (row.sale_key.as_deref(), sight.push()) else {
        return Ok(());
    };
    // A cancel on its way to the sale is what the state may show: its end looks again.
    if look::is_under_way(&sight.jobs, row) || sight.waits_for_sale() {
        return Ok(());
    }
    let Some(stored) = tx.latest_document(push.to, Entity::OrderState, sale)? else {
        return Ok(());
    };
    let Body::OrderState(state) = &stored.document.body else {
        return Ok(());
    };
    if accepts_request(tx, &sight, state, now)? {
        return order::refresh(tx, id, now);
    }
    let work = Work::Push(Entity::Cancellation);
    let open = tx.open_job(work, push.to, push.from, Entity::Cancellation, &row.key)?;
    if let Some(open) = &open
        && (order::has_begun(tx, open)? || count::is_answer(tx, open)?)
    {
        return Ok(());
    }
    let units = count::lines(&sight.dropped(state, open.as_ref().map(|j| j.id)));
    if units.is_empty() {
        if let Some(open) = open {
            let ending = Ending::Ignored("taken back in the sale".to_owned());
            tx.set_job_units(open.id, Vec::new())?;
            tx.set_state(open.id, JobState::Done(ending), now)?;
            order::refresh(tx, id, now)?;
        }
        return Ok(());
    }
    let told = format!("dropped {} {}", state.status, count::named(&units));
    let said =
        |job: &&JobRow| count::is_back(job, row) && job.last_failure.as_deref() == Some(&told);
    if sight.jobs.iter().any(|job| said(&job)) {
        // Told or left alone before.
        return Ok(());
    }
    let what = if state.cancelled {
        "The sale was cancelled".to_owned()
    } else {
        format!("Cancelled in the sale: {}", count::named(&units))
    };
    let text = format!("{}: {what}.", desk.title(push.to));
    order::note(tx, id, now, NoteKind::Info, "x", &text, None)?;
    let job = tx.create_job(
        NewJob {
            work,
            from: push.to,
            to: push.from,
            entity: Entity::Cancellation,
            key: row.key.clone(),
            order: Some(id),
            lane: row.key.clone(),
            document: stored.id,
            state: JobState::Ready,
            urgent_by: order::urgent_by(row),
        },
        now,
    )?;
    crash::point("cancel.dropped");
    tx.set_job_document(job, stored.id)?;
    tx.set_job_units(job, units)?;
    tx.set_attempt(job, 0, Some(&told))?;
    tx.set_state(job, JobState::Ready, now)?;
    order::refresh(tx, id, now)
}
