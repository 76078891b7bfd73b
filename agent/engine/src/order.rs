//! An order's row: made from its first document, and kept in step with its jobs. Its state is derived, never set by
//! hand: two ways of changing it cannot disagree.

use crate::words;
use waybill_model::contract::{Moment, Problem};
use waybill_model::crosswalk;
use waybill_model::decimal::Decimal;
use waybill_model::document::{Document, Entity, Order, OrderPhase};
use waybill_model::ids::{ConnectionId, DocumentId, Millis, OrderId};
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_model::order_state::OrderStage;
use waybill_store::{JobRow, NewJob, NoteKind, NoteRow, OrderRow, Read, StoreError, Tx};

/// Whether nothing of the order is wanted any more.
pub(crate) fn is_cancelled(order: &Order) -> bool {
    order.phase == OrderPhase::Cancelled
        || (!order.lines.is_empty() && order.lines.iter().all(|l| !l.wanted().is_positive()))
}

/// A new row for an order, not stored yet.
pub(crate) fn row(
    connection: ConnectionId,
    document: &Document,
    order: &Order,
    id: DocumentId,
    now: Millis,
) -> OrderRow {
    let mut row = OrderRow {
        id: OrderId(0),
        connection,
        key: document.key.clone(),
        number: order.number.clone(),
        retailer: order.retailer.clone(),
        retailer_name: order.retailer_name.clone(),
        stage: OrderStage::Received,
        phase: order.phase,
        test: order.test,
        currency: None,
        total: None,
        units: Decimal::ZERO,
        lines: 0,
        placed_at: order.placed_at,
        received_at: now,
        acknowledge_by: None,
        ship_by: None,
        invoice_by: None,
        acknowledged_at: None,
        delivered_at: None,
        document: id,
        sale_key: None,
        sale_number: None,
        problem: None,
    };
    take(&mut row, order, id);
    row
}

/// Takes over what a newer revision says.
pub(crate) fn take(row: &mut OrderRow, order: &Order, document: DocumentId) {
    row.document = document;
    row.phase = if is_cancelled(order) {
        OrderPhase::Cancelled
    } else {
        order.phase
    };
    row.currency.clone_from(&order.currency);
    row.total = order.total.as_ref().map(|t| t.gross).or_else(|| {
        waybill_model::money::order_totals(order)
            .ok()
            .map(|t| t.gross)
    });
    row.units = order.lines.iter().fold(Decimal::ZERO, |sum, l| {
        sum.checked_add(l.quantity).unwrap_or(sum)
    });
    row.lines = u32::try_from(order.lines.len()).unwrap_or(u32::MAX);
    row.acknowledge_by.clone_from(&order.acknowledge_by);
    row.ship_by.clone_from(&order.ship_by);
    row.invoice_by.clone_from(&order.invoice_by);
}

/// The nearest deadline that work on the order can still meet.
pub(crate) fn urgent_by(row: &OrderRow) -> Option<Millis> {
    let open =
        |deadline: &Option<waybill_model::document::Deadline>| deadline.as_ref().map(|d| d.at);
    let acknowledge = if row.acknowledged_at.is_none() {
        open(&row.acknowledge_by)
    } else {
        None
    };
    [acknowledge, open(&row.ship_by)]
        .into_iter()
        .flatten()
        .min()
}

/// Derives state and problem from the jobs, and stores the row where that changes anything.
pub(crate) fn refresh(tx: &mut Tx<'_>, id: OrderId, now: Millis) -> Result<(), StoreError> {
    let Some(mut row) = tx.order(id)? else {
        return Ok(());
    };
    if matches!(row.stage, OrderStage::Refused | OrderStage::Shipped) {
        return Ok(());
    }
    let jobs = tx.jobs_of_order(id)?;
    let sale = row.sale_key.is_some();
    if row.phase == OrderPhase::Cancelled && sale {
        cancelled_after_sale(tx, &row, &jobs, now)?;
    }
    let parked = jobs.iter().find_map(|job| match &job.state {
        JobState::Parked(why) => Some(words::reason(why)),
        _ => None,
    });
    let (stage, problem) = match parked {
        Some(problem) => (OrderStage::Waiting, Some(problem)),
        None if row.phase == OrderPhase::Cancelled => (OrderStage::Cancelled, None),
        None if sale => (OrderStage::Created, None),
        None => (OrderStage::Received, None),
    };
    if row.stage != stage || row.problem != problem {
        row.stage = stage;
        row.problem = problem;
        tx.put_order(&row)?;
    }
    Ok(())
}

/// The network cancelled an order that has a sale already: a person must cancel the sale. One card, once.
fn cancelled_after_sale(
    tx: &mut Tx<'_>,
    row: &OrderRow,
    jobs: &[JobRow],
    now: Millis,
) -> Result<(), StoreError> {
    let cancellation = Work::Push(Entity::Cancellation);
    if jobs.iter().any(|j| j.work == cancellation) {
        return Ok(());
    }
    let Some(push) = jobs.iter().find(|j| j.work == Work::Push(Entity::Order)) else {
        return Ok(());
    };
    let sale = row.sale_number.as_deref().unwrap_or_default();
    let problem = Problem::new(
        "cancelled-after-sale",
        format!(
            "{} cancelled order {} after sale {sale} was created.",
            row.retailer_name, row.number
        ),
        format!("Cancel sale {sale}, then leave this card with a reason."),
    );
    tx.create_job(
        NewJob {
            work: cancellation,
            from: push.from,
            to: push.to,
            entity: Entity::Cancellation,
            key: row.key.clone(),
            order: Some(row.id),
            lane: row.key.clone(),
            document: row.document,
            state: JobState::Parked(Reason::Problem(problem)),
            urgent_by: urgent_by(row),
        },
        now,
    )?;
    note(
        tx,
        row.id,
        now,
        NoteKind::You,
        "x",
        "Cancelled by the retailer after the sale was created.",
        None,
    )
}

/// Ends every job of a cancelled order that has not begun.
pub(crate) fn withdraw(tx: &mut Tx<'_>, id: OrderId, now: Millis) -> Result<(), StoreError> {
    for job in tx.jobs_of_order(id)? {
        let begun = job.state.is_done() || job.state.holds_lane();
        let cancellation = job.work == Work::Push(Entity::Cancellation);
        // The sale's number is still owed to the source where a sale exists.
        if !begun && !cancellation && job.work != Work::Settle(Moment::Delivered) {
            tx.set_state(job.id, JobState::Done(Ending::Withdrawn), now)?;
        }
    }
    Ok(())
}

/// Writes one line of the order's timeline.
pub(crate) fn note(
    tx: &mut Tx<'_>,
    order: OrderId,
    at: Millis,
    kind: NoteKind,
    icon: &str,
    text: &str,
    words: Option<String>,
) -> Result<(), StoreError> {
    tx.note(
        order,
        NoteRow {
            at,
            kind,
            icon: icon.to_owned(),
            text: text.to_owned(),
            words,
        },
    )
}

/// The key of the retailer's customer in the receiving system, as a cell of the crosswalk.
pub(crate) const CUSTOMER_TABLE: &str = crosswalk::CUSTOMERS;
