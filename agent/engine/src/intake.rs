//! From a page to documents, orders and jobs: one commit with the cursor and the connector's own writes, or nothing.
//! A revision that was seen is dropped here, so a page may come twice.

use crate::attend;
use crate::cancel;
use crate::compare;
use crate::core::Desk;
use crate::invoice;
use crate::matching;
use crate::of_sale;
use crate::order;
use crate::shipment;
use crate::unclaimed::Unsure;
use waybill_model::contract::{Gap, KvWrite, Moment, Page, Problem};
use waybill_model::crosswalk;
use waybill_model::document::{
    Body, CancelPhase, Cancellation, Document, Entity, Order, OrderPhase,
};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_model::order_state::OrderStage;
use waybill_model::settings::{self, TEST_ORDERS};
use waybill_store::{Accepted, Cause, NewJob, NoteKind, OrderRow, Read, StoreError, Tx};

/// What a page left behind.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Revisions that were new.
    pub(crate) new: usize,
    /// Revisions seen before.
    pub(crate) seen: usize,
    /// Jobs set free by new items.
    pub(crate) released: usize,
    /// Whether a sale may exist that we have no link for.
    pub(crate) unsure: Unsure,
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
    attend::keep(tx, (connection, entity), writes, now)?;
    let mut feed = tx
        .feed(connection, entity)?
        .unwrap_or_else(|| crate::pull::fresh_feed(connection, entity));
    crate::connecting::read_on(tx, desk, &mut feed, page, now)?;
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
        if of_sale::take(tx, desk, connection, document, &mut taken, now)? {
            continue;
        }
        if order::is_outdated(tx, connection, document)? {
            taken.seen += 1;
            continue;
        }
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
        Some(row) => update_order(tx, desk, row, new, accepted, now),
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
    let test_refused = is_refused_test(tx, connection, new)?;
    let plural = if row.lines == 1 { "" } else { "s" };
    let lines = format!("{} line{plural}, {} units", row.lines, row.units.normal());
    let received = format!(
        "Received from {} through {source}. {lines}.",
        row.retailer_name
    );
    if new.phase == OrderPhase::Accepted {
        row.acknowledged_at = Some(now);
    }
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
    if let Some(other) = same_number(tx, &row)? {
        let text = format!(
            "{} sent number {} before, as another order ({other}). This one is an order of its own.",
            row.retailer_name, row.number
        );
        order::note(tx, row.id, now, NoteKind::Info, "in", &text, None)?;
    }
    if let Some(why) = ending {
        return order::note(tx, row.id, now, NoteKind::Info, "x", why, None);
    }
    matching::name_items(tx, desk, connection, new, now)?;
    create_jobs(tx, desk, connection, &row, new.phase, now)?;
    // The two feeds are read apart: a request to cancel may have come before its order.
    let waiting = tx.latest_document(connection, Entity::Cancellation, &document.key)?;
    match waiting.map(|stored| stored.document.body) {
        Some(Body::Cancellation(request)) => take_cancellation(tx, connection, &request, now),
        _ => Ok(()),
    }
}

fn is_refused_test(
    tx: &Tx<'_>,
    connection: ConnectionId,
    order: &Order,
) -> Result<bool, StoreError> {
    let values = tx.effective(Some(connection), Some(&order.retailer))?;
    let defaults = settings::agent_settings();
    Ok(order.test && settings::value(&values, TEST_ORDERS, &defaults) != Some("allow"))
}

/// The key of an older order of the same retailer with the same number.
fn same_number(tx: &Tx<'_>, row: &OrderRow) -> Result<Option<String>, StoreError> {
    let found = tx.search(&row.number, 20)?.into_iter().find(|other| {
        other.id != row.id
            && other.connection == row.connection
            && other.retailer == row.retailer
            && other.number == row.number
    });
    Ok(found.map(|other| other.key))
}

/// The acknowledgement, and a sale per route that waits for it.
fn create_jobs(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    row: &OrderRow,
    phase: OrderPhase,
    now: Millis,
) -> Result<(), StoreError> {
    if phase == OrderPhase::Pending {
        // Not to be worked on yet; the revision that opens it brings its jobs.
        return Ok(());
    }
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
    desk: &Desk,
    mut row: OrderRow,
    new: &Order,
    accepted: &Accepted,
    now: Millis,
) -> Result<(), StoreError> {
    let (id, was) = (row.id, row.phase);
    order::take(&mut row, new, accepted.document);
    let newly_accepted = row.phase == OrderPhase::Accepted && row.acknowledged_at.is_none();
    if newly_accepted {
        row.acknowledged_at = Some(now);
    }
    tx.put_order(&row)?;
    take_revision(tx, &row, accepted, now)?;
    let text = match row.phase {
        OrderPhase::Cancelled if was != OrderPhase::Cancelled => {
            if row.sale_key.is_none() {
                order::withdraw(tx, id, now)?;
            }
            Some(format!("{} cancelled the order.", row.retailer_name))
        }
        OrderPhase::Completed if was != OrderPhase::Completed && row.sale_key.is_none() => {
            completed_first(tx, &row, now)?;
            Some("Was completed at its source before a sale was created.".to_owned())
        }
        OrderPhase::Accepted if newly_accepted => {
            end_acknowledgement(tx, &row, now)?;
            order::open_routes(tx, &row, now)?;
            None
        }
        _ => None,
    };
    if let Some(text) = text {
        order::note(tx, id, now, NoteKind::Info, "x", &text, None)?;
    }
    matching::name_items(tx, desk, row.connection, new, now)?;
    take_up(tx, desk, &row, new, now)?;
    shipment::intake::wake(tx, desk, id, now)?;
    invoice::intake::wake(tx, desk, id, now)?;
    compare::card::look_again(tx, desk, &row, new, now)?;
    order::refresh(tx, id, now)
}

/// Open jobs follow the newest revision, but for a push that has begun: what it sent stays what it asks about.
fn take_revision(
    tx: &mut Tx<'_>,
    row: &OrderRow,
    accepted: &Accepted,
    now: Millis,
) -> Result<(), StoreError> {
    for job in tx.jobs_of_order(row.id)? {
        if job.state.is_done() {
            continue;
        }
        let urgent_by = if invoice::count::is_invoice(&job) {
            row.invoice_by.as_ref().map(|by| by.at)
        } else {
            order::urgent_by(row)
        };
        tx.set_urgent_by(job.id, urgent_by)?;
        let follows = matches!(job.work, Work::Push(Entity::Order | Entity::Customer));
        if !follows || order::has_begun(tx, &job)? {
            continue;
        }
        tx.set_job_document(job.id, accepted.document)?;
        // What our own look at the order found may be gone with the new revision: look again.
        let ours = match &job.state {
            JobState::Parked(Reason::Gaps(_)) => true,
            JobState::Parked(Reason::Problem(problem)) => OWN_PROBLEMS.contains(&&*problem.code),
            _ => false,
        };
        if job.state == JobState::Practised {
            tx.set_state(job.id, JobState::Ready, now)?;
        } else if ours {
            let state = order::at_rest(tx, &job)?;
            tx.set_state(job.id, state, now)?;
        }
    }
    Ok(())
}

/// Problems that looking at an order finds before anything is sent.
const OWN_PROBLEMS: [&str; 5] = [
    "total-differs",
    "no-price",
    "amount-too-large",
    "no-country",
    "line-without-id",
];

/// The source has the acknowledgement, whoever gave it: ours is not needed any more, unless it is under way.
fn end_acknowledgement(tx: &mut Tx<'_>, row: &OrderRow, now: Millis) -> Result<(), StoreError> {
    for job in tx.jobs_of_order(row.id)? {
        let accept = job.work == Work::Settle(Moment::Accepted);
        if accept && !order::has_begun(tx, &job)? {
            tx.set_state(
                job.id,
                JobState::Done(Ending::Written(row.key.clone())),
                now,
            )?;
            let text = "Acknowledged at its source already.";
            order::note(tx, row.id, now, NoteKind::Ok, "ok", text, None)?;
        }
    }
    Ok(())
}

/// Nothing of the order is open at its source, and nobody made its sale: a person decides.
fn completed_first(tx: &mut Tx<'_>, row: &OrderRow, now: Millis) -> Result<(), StoreError> {
    end_acknowledgement(tx, row, now)?;
    for job in tx.jobs_of_order(row.id)? {
        if job.work == Work::Push(Entity::Order) && !order::has_begun(tx, &job)? {
            let problem = Problem::new(
                "completed-first",
                format!(
                    "Order {} of {} was completed at its source before its sale was created.",
                    row.number, row.retailer_name
                ),
                "Press Retry to create the sale all the same, or leave this card with a reason.",
            );
            tx.set_state(job.id, JobState::Parked(Reason::Problem(problem)), now)?;
        }
    }
    Ok(())
}

/// An order that nobody works on and that may be worked on now: released at its source, a test order that is one no
/// longer or is allowed since, or a cancellation that was taken back.
fn take_up(
    tx: &mut Tx<'_>,
    desk: &Desk,
    row: &OrderRow,
    new: &Order,
    now: Millis,
) -> Result<(), StoreError> {
    let workable = matches!(row.phase, OrderPhase::Open | OrderPhase::Accepted)
        && row.sale_key.is_none()
        && row.stage != OrderStage::Shipped
        && !is_refused_test(tx, row.connection, new)?;
    let worked_on = tx.jobs_of_order(row.id)?.iter().any(|j| {
        j.work == Work::Push(Entity::Order) && j.state != JobState::Done(Ending::Withdrawn)
    });
    let given_up = cancel::retailer::is_given_up(&tx.jobs_of_order(row.id)?, row);
    if !workable || worked_on || given_up {
        return Ok(());
    }
    if row.stage != OrderStage::Received {
        let taken = OrderRow {
            stage: OrderStage::Received,
            ..row.clone()
        };
        tx.put_order(&taken)?;
        let text = "May be worked on since this change at its source.";
        order::note(tx, row.id, now, NoteKind::Info, "in", text, None)?;
    }
    create_jobs(tx, desk, row.connection, row, row.phase, now)
}

/// A retailer's request: the sale is held back until a person answers. Orders it takes with it come as order revisions.
fn take_cancellation(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    cancellation: &Cancellation,
    now: Millis,
) -> Result<(), StoreError> {
    let Some(row) = tx.order_by_key(connection, &cancellation.order_key)? else {
        return Ok(());
    };
    if matches!(row.stage, OrderStage::Cancelled | OrderStage::Refused) {
        return Ok(());
    }
    if cancellation.phase == CancelPhase::Refused {
        cancel::retailer::taken_back(tx, &row, now)?;
        return request_refused(tx, &row, now);
    }
    if cancellation.phase != CancelPhase::Requested {
        return Ok(());
    }
    let jobs = tx.jobs_of_order(row.id)?;
    let Some(push) = jobs.iter().find(|j| j.work == Work::Push(Entity::Order)) else {
        return Ok(());
    };
    if cancel::retailer::is_routed(tx, push)? {
        return cancel::retailer::requested(tx, &row, push, cancellation, now);
    }
    let because = cancellation
        .reason
        .as_deref()
        .map(|r| format!(" ({r})"))
        .unwrap_or_default();
    let what = if cancellation.lines.is_empty() {
        "order"
    } else {
        "lines of order"
    };
    let problem = Problem::new(
        CANCEL_REQUESTED,
        format!(
            "{} asks to cancel {what} {}{because}.",
            row.retailer_name, row.number
        ),
        "Answer at the network; press Retry to go on with the order, or leave this card once it is cancelled there.",
    );
    order::note(tx, row.id, now, NoteKind::You, "x", &problem.message, None)?;
    let parked = JobState::Parked(Reason::Problem(problem));
    if order::has_begun(tx, push)? || push.state.holds_lane() {
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

/// Code of a retailer's request that a person must answer.
pub(crate) const CANCEL_REQUESTED: &str = "cancel-requested";

/// The request was refused at the source: the order goes on.
fn request_refused(tx: &mut Tx<'_>, row: &OrderRow, now: Millis) -> Result<(), StoreError> {
    for job in tx.jobs_of_order(row.id)? {
        let JobState::Parked(Reason::Problem(problem)) = &job.state else {
            continue;
        };
        if problem.code != CANCEL_REQUESTED {
            continue;
        }
        let state = if job.work == Work::Push(Entity::Cancellation) {
            JobState::Done(Ending::Ignored("refused at the source".to_owned()))
        } else {
            order::at_rest(tx, &job)?
        };
        tx.set_state(job.id, state, now)?;
        let text = "The request to cancel was refused at the source; the order goes on.";
        order::note(tx, row.id, now, NoteKind::Info, "in", text, None)?;
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
    let left = tx.left_cards(usize::MAX)?;
    for card in tx.cards(usize::MAX)?.into_iter().chain(left) {
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
