//! An order's row: made from its first document, and kept in step with its jobs. Its state is derived, never set by
//! hand: two ways of changing it cannot disagree.

use crate::cancel::{self, retailer::Care};
use crate::invoice;
use crate::shipment::count;
use crate::words;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use waybill_model::contract::{Moment, Problem};
use waybill_model::crosswalk;
use waybill_model::decimal::Decimal;
use waybill_model::document::{Document, Entity, Order, OrderPhase};
use waybill_model::ids::{ConnectionId, DocumentId, Millis, OrderId};
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_model::order_state::OrderStage;
use waybill_model::quantities::{self, Progress};
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
        wanted: String::new(),
        wanted_sold: String::new(),
        shipped_at: None,
        problem: None,
    };
    take(&mut row, order, id);
    row
}

/// Takes over what a newer revision says.
pub(crate) fn take(row: &mut OrderRow, order: &Order, document: DocumentId) {
    row.document = document;
    row.test = order.test;
    // A sentence needs a name; where the source gives none, its code is the name.
    row.retailer_name = if order.retailer_name.trim().is_empty() {
        order.retailer.clone()
    } else {
        order.retailer_name.clone()
    };
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
    row.wanted = wanted(order);
    row.acknowledge_by.clone_from(&order.acknowledge_by);
    row.ship_by.clone_from(&order.ship_by);
    row.invoice_by.clone_from(&order.invoice_by);
}

/// Stands for the units wanted of each line: two revisions that want the same have the same.
fn wanted(order: &Order) -> String {
    let mut lines: Vec<String> = order
        .lines
        .iter()
        .map(|l| format!("{}={}", l.line, l.wanted().normal()))
        .collect();
    lines.sort_unstable();
    let hash = Sha256::digest(lines.join("\n"));
    hash.iter().take(16).fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
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
    let sale = row.sale_key.is_some();
    if row.stage == OrderStage::Refused || row.stage == OrderStage::Shipped && !sale {
        return Ok(());
    }
    let mut jobs = tx.jobs_of_order(id)?;
    if sale && after_sale(tx, &row, &jobs, now)? {
        jobs = tx.jobs_of_order(id)?;
    }
    let parked = jobs.iter().find_map(|job| match &job.state {
        JobState::Parked(why) => Some(words::reason(why)),
        _ => None,
    });
    let shipped = if sale {
        progress(tx, &row, &jobs)?
    } else {
        Progress::Nothing
    };
    let (stage, problem) = match (parked, shipped) {
        (Some(problem), _) => (OrderStage::Waiting, Some(problem)),
        (None, _) if row.phase == OrderPhase::Cancelled => (OrderStage::Cancelled, None),
        (None, Progress::All) if invoiced(tx, &row, &jobs)? => (OrderStage::Invoiced, None),
        (None, Progress::All) => (OrderStage::Shipped, None),
        (None, Progress::Part) => (OrderStage::PartShipped, None),
        (None, Progress::Nothing) if sale => (OrderStage::Created, None),
        (None, Progress::Nothing) => (OrderStage::Received, None),
    };
    let shipped_at = row.shipped_at.or_else(|| {
        (shipped == Progress::All && row.phase != OrderPhase::Cancelled).then_some(now)
    });
    if row.stage != stage || row.problem != problem || row.shipped_at != shipped_at {
        row.stage = stage;
        row.shipped_at = shipped_at;
        row.problem = problem;
        tx.put_order(&row)?;
    }
    Ok(())
}

/// How much is shipped, as the source and we count. Nothing is read where neither has said anything since the sale.
fn progress(tx: &Tx<'_>, row: &OrderRow, jobs: &[JobRow]) -> Result<Progress, StoreError> {
    let sold = jobs
        .iter()
        .any(|j| j.work == Work::Push(Entity::Order) && j.document == row.document);
    if sold && !jobs.iter().any(count::is_shipment) {
        return Ok(Progress::Nothing);
    }
    let stored = tx.document(row.document)?;
    let order = stored.as_ref().and_then(|s| s.document.order());
    Ok(order.map_or(Progress::Nothing, |order| {
        quantities::progress(order, &count::told(jobs))
    }))
}

/// Whether all that is shipped is invoiced. Nothing is read where there is no invoice.
fn invoiced(tx: &Tx<'_>, row: &OrderRow, jobs: &[JobRow]) -> Result<bool, StoreError> {
    if !jobs.iter().any(invoice::count::is_invoice) {
        return Ok(false);
    }
    let stored = tx.document(row.document)?;
    let order = stored.as_ref().and_then(|s| s.document.order());
    Ok(order.is_some_and(|order| invoice::count::is_all(order, jobs)))
}

/// What the network changed after the sale was made is a person's to carry over: one card for each change. Whether there
/// is a new one.
fn after_sale(
    tx: &mut Tx<'_>,
    row: &OrderRow,
    jobs: &[JobRow],
    now: Millis,
) -> Result<bool, StoreError> {
    let Some(push) = jobs.iter().find(|j| j.work == Work::Push(Entity::Order)) else {
        return Ok(false);
    };
    let unchanged = !row.wanted_sold.is_empty() && row.wanted_sold == row.wanted;
    if unchanged && row.phase != OrderPhase::Cancelled {
        return Ok(false);
    }
    if cancel::retailer::is_routed(tx, push)? {
        match cancel::retailer::cancelled(tx, row, push, now)? {
            Care::Made => return Ok(true),
            Care::None => return Ok(false),
            Care::Person => {}
        }
    }
    let sale = row.sale_number.as_deref().unwrap_or_default();
    let retailer = &row.retailer_name;
    let (told, problem) = if row.phase == OrderPhase::Cancelled {
        let problem = Problem::new(
            "cancelled-after-sale",
            format!(
                "{retailer} cancelled order {} after sale {sale} was created.",
                row.number
            ),
            format!("Cancel sale {sale}, then leave this card with a reason."),
        );
        ("cancelled".to_owned(), problem)
    } else {
        let Some(changes) = changes(tx, push.document, row.document)? else {
            return Ok(false);
        };
        let problem = Problem::new(
            "changed-after-sale",
            format!(
                "{retailer} changed order {} after sale {sale} was created: {changes}.",
                row.number
            ),
            format!("Change sale {sale} the same way, then leave this card with a reason."),
        );
        (changes, problem)
    };
    let cancellation = Work::Push(Entity::Cancellation);
    let mut cards = jobs
        .iter()
        .filter(|j| j.work == cancellation && j.to == push.to);
    if cards.any(|j| j.last_failure.as_ref() == Some(&told)) {
        return Ok(false);
    }
    note(tx, row.id, now, NoteKind::You, "x", &problem.message, None)?;
    let parked = JobState::Parked(Reason::Problem(problem));
    // One that is open already is taken over: its question is answered by this change.
    let job = tx.create_job(
        NewJob {
            work: cancellation,
            from: push.from,
            to: push.to,
            entity: Entity::Cancellation,
            key: row.key.clone(),
            order: Some(row.id),
            lane: row.key.clone(),
            document: row.document,
            state: parked.clone(),
            urgent_by: urgent_by(row),
        },
        now,
    )?;
    tx.set_attempt(job, 0, Some(&told))?;
    tx.set_state(job, parked, now)?;
    Ok(true)
}

/// How the wanted quantities differ between the revision a sale was made of and the newest one, in words.
fn changes(tx: &Tx<'_>, sold: DocumentId, now: DocumentId) -> Result<Option<String>, StoreError> {
    if sold == now {
        return Ok(None);
    }
    let (Some(sold), Some(now)) = (tx.document(sold)?, tx.document(now)?) else {
        return Ok(None);
    };
    let wanted = |document: &Document| -> BTreeMap<String, (String, Decimal)> {
        let lines = document.order().map(|o| o.lines.as_slice());
        let lines = lines.unwrap_or_default().iter();
        lines
            .map(|l| (l.line.clone(), (l.title.clone(), l.wanted())))
            .collect()
    };
    let (before, after) = (wanted(&sold.document), wanted(&now.document));
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut words = Vec::new();
    for key in keys {
        let of = |side: &BTreeMap<String, (String, Decimal)>| {
            side.get(key).map_or(Decimal::ZERO, |(_, wanted)| *wanted)
        };
        let (old, new) = (of(&before), of(&after));
        if old != new {
            let named = after.get(key).or_else(|| before.get(key));
            let title = named.map(|(title, _)| title.as_str()).unwrap_or_default();
            words.push(format!(
                "line {key} ({title}) is now {} instead of {}",
                new.normal(),
                old.normal()
            ));
        }
    }
    Ok((!words.is_empty()).then(|| words.join("; ")))
}

/// Whether something of this job may exist outside: it is under way, or its journal knows a step that was neither
/// refused nor forgotten. Such a job keeps its document and is not withdrawn: only its end says what is there.
pub(crate) fn has_begun(tx: &Tx<'_>, job: &JobRow) -> Result<bool, StoreError> {
    Ok(match &job.state {
        JobState::Done(_) | JobState::Running(_) | JobState::Pending { .. } => true,
        _ => matches!(job.work, Work::Push(_)) && tx.has_effects(job.id)?,
    })
}

/// Where a job of this order rests that nothing else holds back.
pub(crate) fn at_rest(tx: &Tx<'_>, job: &JobRow) -> Result<JobState, StoreError> {
    let accepted = Work::Settle(Moment::Accepted);
    let jobs = job.order.map(|id| tx.jobs_of_order(id)).transpose()?;
    let waits = job.work == Work::Push(Entity::Order)
        && jobs
            .unwrap_or_default()
            .iter()
            .any(|j| j.work == accepted && !j.state.is_done());
    Ok(if waits {
        JobState::WaitingForAccept
    } else {
        JobState::Ready
    })
}

/// The source has our acknowledgement: the order's routes open, and only its other deadlines count.
pub(crate) fn open_routes(tx: &mut Tx<'_>, row: &OrderRow, now: Millis) -> Result<(), StoreError> {
    for job in tx.jobs_of_order(row.id)? {
        if !job.state.is_done() {
            tx.set_urgent_by(job.id, urgent_by(row))?;
        }
        if job.state == JobState::WaitingForAccept {
            tx.set_state(job.id, JobState::Ready, now)?;
        }
    }
    Ok(())
}

/// Ends every job of a cancelled order that has not begun. One that has, and waits for a person, says so.
pub(crate) fn withdraw(tx: &mut Tx<'_>, id: OrderId, now: Millis) -> Result<(), StoreError> {
    for job in tx.jobs_of_order(id)? {
        let cancellation = job.work == Work::Push(Entity::Cancellation);
        // The sale's number is still owed to the source where a sale exists.
        if job.state.is_done() || cancellation || job.work == Work::Settle(Moment::Delivered) {
            continue;
        }
        // A customer that may exist does no harm: its own end says what is there.
        let customer = job.work == Work::Push(Entity::Customer);
        if !has_begun(tx, &job)? {
            tx.set_state(job.id, JobState::Done(Ending::Withdrawn), now)?;
        } else if matches!(job.state, JobState::Parked(_)) && !customer {
            let problem = Problem::new(
                "cancelled-in-doubt",
                format!(
                    "Order {} was cancelled while nobody knows whether its sale was created.",
                    tx.order(id)?.map(|row| row.number).unwrap_or_default()
                ),
                "Look for its sale and cancel it there, then leave this card with a reason.",
            );
            tx.set_state(job.id, JobState::Parked(Reason::InDoubt(problem)), now)?;
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

/// Whether a newer revision of the order is here, by its source's own time: an order that comes two ways, or by a file that
/// lay a while, may be read again as it was before. Such times may be of whole seconds: within one, a cancelled order does
/// not come back.
pub(crate) fn is_outdated(
    tx: &Tx<'_>,
    connection: ConnectionId,
    document: &Document,
) -> Result<bool, StoreError> {
    if document.body.entity() != Entity::Order {
        return Ok(false);
    }
    let newest = tx.latest_document(connection, Entity::Order, &document.key)?;
    Ok(newest.is_some_and(|newest| {
        let known = &newest.document;
        let comes_back =
            || known.occurred_at > 0 && shows_cancelled(known) && !shows_cancelled(document);
        known.occurred_at > document.occurred_at
            || known.occurred_at == document.occurred_at && comes_back()
    }))
}

fn shows_cancelled(document: &Document) -> bool {
    let order = document.order();
    order.is_some_and(is_cancelled)
}
