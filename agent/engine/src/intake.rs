//! From a page to documents, orders and jobs: one commit with the cursor and the connector's own writes, or nothing.
//! A revision that was seen is dropped here, so a page may come twice.

use crate::core::Desk;
use crate::order;
use waybill_model::contract::{Gap, KvWrite, Moment, Page, Problem};
use waybill_model::crosswalk;
use waybill_model::document::{
    Body, CancelPhase, Cancellation, Document, Entity, Order, OrderPhase,
};
use waybill_model::ids::{ConnectionId, Millis, OrderId};
use waybill_model::job::{JobState, Reason, Work};
use waybill_model::order_state::OrderStage;
use waybill_model::settings::{self, TEST_ORDERS};
use waybill_store::{Accepted, Cause, NewJob, NoteKind, Read, StoreError, Tx};

/// What a page left behind.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Revisions that were new.
    pub(crate) new: usize,
    /// Revisions seen before.
    pub(crate) seen: usize,
    /// Jobs set free by new items.
    pub(crate) released: usize,
}

/// Takes a page: documents, orders, jobs, cursor and the connector's writes.
pub(crate) fn page(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    entity: Entity,
    page: &Page,
    writes: &[KvWrite],
    now: Millis,
) -> Result<Taken, StoreError> {
    let taken = documents(tx, desk, connection, &page.documents, now)?;
    tx.kv_apply(connection, writes)?;
    let mut feed = tx
        .feed(connection, entity)?
        .unwrap_or_else(|| crate::pull::fresh_feed(connection, entity));
    feed.cursor = Some(page.cursor.clone());
    feed.last_ok = Some(now);
    feed.failures = 0;
    if !page.more {
        feed.caught_up_at = Some(now);
    }
    let poll = desk
        .slots
        .get(&connection)
        .map_or(60_000, |slot| crate::pull::poll_ms(slot, entity));
    feed.next_due = if page.more { now } else { now + poll };
    tx.put_feed(&feed)?;
    Ok(taken)
}

/// Takes documents without a cursor: what a hook or a back-fill brought.
pub(crate) fn documents(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    documents: &[Document],
    now: Millis,
) -> Result<Taken, StoreError> {
    let mut taken = Taken::default();
    let mut item_values = Vec::new();
    for document in documents {
        let Some(mut accepted) = tx.accept(connection, document, now)? else {
            taken.seen += 1;
            continue;
        };
        taken.new += 1;
        item_values.append(&mut accepted.item_values);
        match &document.body {
            Body::Order(order) => {
                take_order(tx, desk, connection, document, order, &accepted, now)?;
            }
            Body::Cancellation(cancellation) => {
                take_cancellation(tx, connection, cancellation, now)?;
            }
            // Reference data and items are kept as the latest document; later flows read them from there.
            _ => {}
        }
    }
    taken.released = release_items(tx, connection, &item_values, now)?;
    Ok(taken)
}

fn take_order(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    document: &Document,
    new: &Order,
    accepted: &Accepted,
    now: Millis,
) -> Result<(), StoreError> {
    match tx.order_by_key(connection, &document.key)? {
        Some(row) => update_order(tx, row.id, new, accepted, now),
        None => create_order(tx, desk, connection, document, new, accepted, now),
    }
}

fn create_order(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    document: &Document,
    new: &Order,
    accepted: &Accepted,
    now: Millis,
) -> Result<(), StoreError> {
    let mut row = order::row(connection, document, new, accepted.document, now);
    let source = desk.title(connection);
    let values = tx.effective(Some(connection), Some(&new.retailer))?;
    let defaults = settings::agent_settings();
    let test_refused =
        new.test && settings::value(&values, TEST_ORDERS, &defaults) != Some("allow");
    let lines = format!("{} lines, {} units", row.lines, row.units.normal());
    let received = format!(
        "Received from {} through {source}. {lines}.",
        new.retailer_name
    );
    let (stage, ending) = if order::is_cancelled(new) {
        (
            OrderStage::Cancelled,
            Some("Was cancelled before it was acknowledged. Nothing is created."),
        )
    } else if test_refused {
        (
            OrderStage::Refused,
            Some("A test order: not acknowledged, not created. Settings, Test orders, says so."),
        )
    } else if new.phase == OrderPhase::Completed {
        (
            OrderStage::Shipped,
            Some("Was complete when first read. Nothing is created."),
        )
    } else {
        (OrderStage::Received, None)
    };
    row.stage = stage;
    row.id = tx.put_order(&row)?;
    order::note(tx, row.id, now, NoteKind::Info, "in", &received, None)?;
    if let Some(why) = ending {
        return order::note(tx, row.id, now, NoteKind::Info, "x", why, None);
    }
    create_jobs(tx, desk, connection, &row, new.phase, now)
}

/// The acknowledgement, and a sale per route that waits for it.
fn create_jobs(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    row: &waybill_store::OrderRow,
    phase: OrderPhase,
    now: Millis,
) -> Result<(), StoreError> {
    let settles = desk
        .slots
        .get(&connection)
        .and_then(|s| s.descriptor())
        .and_then(|d| d.feed(Entity::Order))
        .is_some_and(|f| f.settles.contains(&Moment::Accepted));
    let acknowledge = settles && phase != OrderPhase::Accepted;
    let base = |work: Work, to: ConnectionId, state: JobState| NewJob {
        work,
        from: connection,
        to,
        entity: Entity::Order,
        key: row.key.clone(),
        order: Some(row.id),
        lane: row.key.clone(),
        document: row.document,
        state,
        urgent_by: order::urgent_by(row),
    };
    if acknowledge {
        tx.create_job(
            base(Work::Settle(Moment::Accepted), connection, JobState::Ready),
            now,
        )?;
    }
    let state = if acknowledge {
        JobState::WaitingForAccept
    } else {
        JobState::Ready
    };
    for route in desk
        .routes
        .iter()
        .filter(|r| r.entity == Entity::Order && r.from == connection)
    {
        tx.create_job(
            base(Work::Push(Entity::Order), route.to, state.clone()),
            now,
        )?;
    }
    Ok(())
}

fn update_order(
    tx: &mut Tx<'_>,
    id: OrderId,
    new: &Order,
    accepted: &Accepted,
    now: Millis,
) -> Result<(), StoreError> {
    let Some(mut row) = tx.order(id)? else {
        return Ok(());
    };
    let was = row.phase;
    order::take(&mut row, new, accepted.document);
    tx.put_order(&row)?;
    for job in tx.jobs_of_order(id)? {
        if !job.state.is_done() && !job.state.holds_lane() && job.work == Work::Push(Entity::Order)
        {
            tx.set_job_document(job.id, accepted.document)?;
        }
    }
    if row.phase == OrderPhase::Cancelled && was != OrderPhase::Cancelled {
        order::note(
            tx,
            id,
            now,
            NoteKind::Info,
            "x",
            &format!("{} cancelled the order.", row.retailer_name),
            None,
        )?;
        if row.sale_key.is_none() {
            order::withdraw(tx, id, now)?;
        }
    }
    order::refresh(tx, id, now)
}

/// A retailer's request: the sale is held back until a person answers. Orders it takes with it come as order revisions.
fn take_cancellation(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    cancellation: &Cancellation,
    now: Millis,
) -> Result<(), StoreError> {
    if cancellation.phase != CancelPhase::Requested {
        return Ok(());
    }
    let Some(row) = tx.order_by_key(connection, &cancellation.order_key)? else {
        return Ok(());
    };
    if matches!(row.stage, OrderStage::Cancelled | OrderStage::Refused) {
        return Ok(());
    }
    let jobs = tx.jobs_of_order(row.id)?;
    let Some(push) = jobs.iter().find(|j| j.work == Work::Push(Entity::Order)) else {
        return Ok(());
    };
    let because = cancellation
        .reason
        .as_deref()
        .map(|r| format!(" ({r})"))
        .unwrap_or_default();
    let problem = Problem::new(
        "cancel-requested",
        format!(
            "{} asks to cancel order {}{because}.",
            row.retailer_name, row.number
        ),
        "Answer at the network; press Retry to go on with the order, or leave this card once it is cancelled there.",
    );
    order::note(tx, row.id, now, NoteKind::You, "x", &problem.message, None)?;
    let parked = JobState::Parked(Reason::Problem(problem));
    if push.state.is_done() || push.state.holds_lane() {
        tx.create_job(
            NewJob {
                work: Work::Push(Entity::Cancellation),
                from: push.from,
                to: push.to,
                entity: Entity::Cancellation,
                key: row.key.clone(),
                order: Some(row.id),
                lane: row.key.clone(),
                document: row.document,
                state: parked,
                urgent_by: order::urgent_by(&row),
            },
            now,
        )?;
    } else {
        tx.set_state(push.id, parked, now)?;
    }
    order::refresh(tx, row.id, now)
}

/// New items may fill gaps by themselves: their jobs go back to be translated again.
fn release_items(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    values: &[(String, String)],
    now: Millis,
) -> Result<usize, StoreError> {
    if values.is_empty() {
        return Ok(0);
    }
    let known: std::collections::BTreeSet<&str> =
        values.iter().map(|(_, value)| value.as_str()).collect();
    let mut gaps: Vec<(ConnectionId, ConnectionId, Gap)> = Vec::new();
    for card in tx.cards(usize::MAX)? {
        if let Cause::Gap { from, to, gap } = card.cause
            && to == connection
            && gap.table == crosswalk::ITEMS
            && known.contains(gap.value.as_str())
        {
            gaps.push((from, to, gap));
        }
    }
    let mut released = 0;
    for (from, to, gap) in gaps {
        let jobs = tx.release_gap(from, to, &gap, now)?;
        released += jobs.len();
        for job in jobs {
            if let Some(order) = tx.job(job)?.and_then(|j| j.order) {
                order::refresh(tx, order, now)?;
            }
        }
    }
    Ok(released)
}
