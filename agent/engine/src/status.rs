//! Filling the views: range reads of what the writes kept ready, and the engine's sentences.

use crate::core::{Core, Desk};
use crate::ensure;
use crate::shipment::show;
use crate::view::{
    CardView, CellView, ConnectionView, DeadlineKind, FeedView, FrameView, HistoryView, JobView,
    MoneyRow, NoteView, OrderDetail, OrderList, OrderView, StageCounts, Tone,
};
use crate::words;
use waybill_model::contract::Gap;
use waybill_model::crosswalk;
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, DeadlineSource, Entity, Order};
use waybill_model::ids::{ConnectionId, Millis, OrderId};
use waybill_model::job::JobState;
use waybill_model::money;
use waybill_model::order_state::OrderStage;
use waybill_store::{
    CardRow, Cause, ConnectionRow, JobRow, NoteKind, NoteRow, OrderQuery, OrderRow, Read, Rx,
    StoreError,
};

/// Orders named on one card.
const ON_A_CARD: usize = 6;

/// The frame of every page.
pub(crate) fn frame(core: &Core, rx: &Rx) -> Result<FrameView, StoreError> {
    let desk = core.desk();
    let now = core.now();
    let counters = rx.counters()?;
    let rows = rx.connections()?;
    let feeds = rx.feeds()?;
    let connections = rows
        .iter()
        .map(|row| connection(core, &desk, rx, row, &feeds, now))
        .collect::<Result<Vec<_>, StoreError>>()?;
    Ok(FrameView {
        store: store_name(core, rx)?,
        version: core.options.version.clone(),
        now,
        practice: false,
        paused: rows
            .iter()
            .filter(|r| r.paused)
            .map(|r| r.title.clone())
            .collect(),
        causes: counters.cards,
        waiting: orders_in(&counters, OrderStage::Waiting),
        connections,
    })
}

fn store_name(core: &Core, rx: &Rx) -> Result<String, StoreError> {
    let stored = rx.effective(None, None)?.get("store-name").cloned();
    Ok(stored.unwrap_or_else(|| core.options.store_name.clone()))
}

pub(crate) fn connection(
    core: &Core,
    desk: &Desk,
    rx: &Rx,
    row: &ConnectionRow,
    feeds: &[waybill_store::FeedRow],
    now: Millis,
) -> Result<ConnectionView, StoreError> {
    let slot = desk.slots.get(&row.id);
    let descriptor = slot.and_then(|s| s.descriptor());
    let missing = slot.and_then(|s| s.connector.as_ref().err());
    let held = row.hold_until.filter(|until| *until > now);
    let (sentence, tone) = match (missing, &row.unauthorized, &row.last_error) {
        _ if row.paused => ("Paused by you".to_owned(), Tone::Hold),
        (Some(why), _, _) => (why.clone(), Tone::You),
        (_, Some(problem), _) => (format!("Login refused: {}", problem.message), Tone::You),
        (_, _, Some(error)) => (error.clone(), Tone::Soon),
        _ if held.is_some() => ("Asked us to wait".to_owned(), Tone::Soon),
        _ if row.last_ok.is_some() => ("OK".to_owned(), Tone::Ok),
        _ => ("Not reached yet".to_owned(), Tone::Soon),
    };
    let used = core.calls_used(row.id);
    let hooks = match slot.filter(|slot| ensure::is_webhook(slot)) {
        Some(slot) => Some(ensure::view(core, slot, rx)?),
        None => None,
    };
    Ok(ConnectionView {
        id: row.id,
        name: row.name.clone(),
        title: row.title.clone(),
        connector: descriptor.map(|d| (d.id.clone(), d.version.clone())),
        sentence,
        tone,
        last_ok: row.last_ok,
        hold_until: held,
        calls: (used.used, used.limit),
        feeds: feeds
            .iter()
            .filter(|f| f.connection == row.id)
            .map(|f| FeedView {
                entity: f.entity,
                last_ok: f.last_ok,
                caught_up_at: f.caught_up_at,
            })
            .collect(),
        hooks,
    })
}

pub(crate) fn orders_in(counters: &waybill_store::Counters, stage: OrderStage) -> u64 {
    counters.orders.get(&stage).copied().unwrap_or(0)
}

pub(crate) fn stages(rx: &Rx) -> Result<StageCounts, StoreError> {
    let counters = rx.counters()?;
    Ok(StageCounts(
        OrderStage::ALL
            .iter()
            .map(|s| (*s, orders_in(&counters, *s)))
            .collect(),
    ))
}

/// A list of orders.
pub(crate) fn orders(
    core: &Core,
    rx: &Rx,
    stage: Option<OrderStage>,
    search: Option<&str>,
    before: Option<OrderId>,
    limit: usize,
) -> Result<OrderList, StoreError> {
    let desk = core.desk();
    let limit = limit.clamp(1, 500);
    let rows = match search.map(str::trim).filter(|s| !s.is_empty()) {
        Some(text) => rx.search(text, limit)?,
        None => rx.orders(OrderQuery {
            stage,
            before,
            limit,
        })?,
    };
    let next = if search.is_none() && rows.len() == limit {
        rows.last().map(|r| r.id)
    } else {
        None
    };
    Ok(OrderList {
        rows: rows.iter().map(|r| order_view(&desk, r)).collect(),
        next,
        stages: stages(rx)?,
    })
}

pub(crate) const fn deadline_kind(kind: waybill_store::DeadlineKind) -> DeadlineKind {
    match kind {
        waybill_store::DeadlineKind::Acknowledge => DeadlineKind::Acknowledge,
        waybill_store::DeadlineKind::Ship => DeadlineKind::Ship,
        waybill_store::DeadlineKind::Invoice => DeadlineKind::Invoice,
    }
}

pub(crate) fn deadlines_of(row: &OrderRow) -> Vec<(DeadlineKind, Millis, DeadlineSource)> {
    [
        (DeadlineKind::Acknowledge, &row.acknowledge_by),
        (DeadlineKind::Ship, &row.ship_by),
        (DeadlineKind::Invoice, &row.invoice_by),
    ]
    .into_iter()
    .filter_map(|(kind, d)| d.as_ref().map(|d| (kind, d.at, d.set_by)))
    .collect()
}

fn target_of(desk: &Desk, row: &OrderRow) -> String {
    desk.routes
        .iter()
        .find(|r| r.entity == Entity::Order && r.from == row.connection)
        .map_or_else(|| "your ERP".to_owned(), |r| desk.title(r.to))
}

pub(crate) fn order_view(desk: &Desk, row: &OrderRow) -> OrderView {
    let target = target_of(desk, row);
    let tone = match row.stage {
        OrderStage::Waiting => Tone::You,
        OrderStage::Received | OrderStage::PartShipped => Tone::Soon,
        OrderStage::Created | OrderStage::Shipped | OrderStage::Invoiced => Tone::Ok,
        OrderStage::Cancelled | OrderStage::Refused => Tone::Quiet,
    };
    let over = matches!(
        row.stage,
        OrderStage::Cancelled | OrderStage::Refused | OrderStage::Invoiced
    );
    let deadline = deadlines_of(row)
        .into_iter()
        .filter(|(kind, _, _)| match kind {
            _ if over => false,
            DeadlineKind::Acknowledge => row.acknowledged_at.is_none(),
            DeadlineKind::Ship => row.stage != OrderStage::Shipped,
            DeadlineKind::Invoice => true,
        })
        .min_by_key(|(_, at, _)| *at);
    OrderView {
        id: row.id,
        number: row.number.clone(),
        key: row.key.clone(),
        source: desk.title(row.connection),
        stage_label: row.stage.label(&target),
        target,
        retailer: row.retailer.clone(),
        retailer_name: row.retailer_name.clone(),
        stage: row.stage,
        tone,
        test: row.test,
        lines: row.lines,
        units: row.units,
        total: row.total.zip(row.currency.clone()),
        received_at: row.received_at,
        sale: row.sale_number.clone(),
        acknowledged_at: row.acknowledged_at,
        delivered_at: row.delivered_at,
        deadline,
        problem: row.problem.clone(),
    }
}

pub(crate) fn note_view(note: NoteRow) -> NoteView {
    let tone = match note.kind {
        NoteKind::Ok => Tone::Ok,
        NoteKind::Soon => Tone::Soon,
        NoteKind::You => Tone::You,
        NoteKind::Hold => Tone::Hold,
        NoteKind::Info => Tone::Quiet,
    };
    NoteView {
        at: note.at,
        tone,
        icon: note.icon,
        text: note.text,
        words: note.words,
    }
}

/// One order, whole.
pub(crate) fn order(core: &Core, rx: &Rx, id: OrderId) -> Result<Option<OrderDetail>, StoreError> {
    let desk = core.desk();
    let Some(row) = rx.order(id)? else {
        return Ok(None);
    };
    let Some(stored) = rx.document(row.document)? else {
        return Ok(None);
    };
    let rows = rx.jobs_of_order(id)?;
    let jobs = rows.iter().map(|job| job_view(&desk, job)).collect();
    let (lines, (money, money_sentence)) = match &stored.document.body {
        Body::Order(order) => (show::lines(order, &rows), money_rows(order, &row)),
        _ => (Vec::new(), (Vec::new(), (Tone::Quiet, String::new()))),
    };
    let mut exchanges: Vec<_> = rx
        .transcripts_of_order(id)?
        .into_iter()
        .flat_map(|(_, exchanges)| exchanges)
        .collect();
    exchanges.sort_by_key(|e| std::cmp::Reverse(e.at));
    Ok(Some(OrderDetail {
        order: order_view(&desk, &row),
        deadlines: deadlines_of(&row),
        document: stored.document,
        lines,
        shipments: show::shipments(&desk, rx, &rows)?,
        timeline: rx.timeline(id, 200)?.into_iter().map(note_view).collect(),
        jobs,
        money,
        money_sentence,
        exchanges,
    }))
}

fn job_view(desk: &Desk, job: &JobRow) -> JobView {
    let tone = match &job.state {
        JobState::Parked(_) => Tone::You,
        JobState::Done(_) => Tone::Ok,
        JobState::Pending { .. } | JobState::Waiting { .. } | JobState::Running(_) => Tone::Soon,
        JobState::Resting { .. } => Tone::Hold,
        _ => Tone::Quiet,
    };
    JobView {
        id: job.id,
        what: words::work(job.work).to_owned(),
        state: words::state(&job.state, &desk.title(job.to)),
        tone,
        changed_at: job.changed_at,
        attempt: job.attempt
            + u32::from(
                job.batch.is_some()
                    && !matches!(job.state, JobState::Ready | JobState::Waiting { .. }),
            ),
        can_retry: matches!(job.state, JobState::Parked(_)),
    }
}

/// What the order states beside what its sale was made of. The connector proves that the sale has just these amounts.
fn money_rows(order: &Order, row: &OrderRow) -> (Vec<MoneyRow>, (Tone, String)) {
    let Ok(sum) = money::order_totals(order) else {
        return (
            Vec::new(),
            (
                Tone::You,
                "A line has no price, so nothing can be compared.".to_owned(),
            ),
        );
    };
    let sale = row.sale_key.is_some();
    let charges = order
        .charges
        .iter()
        .try_fold(Decimal::ZERO, |sum, c| sum.checked_add(c.amount.net))
        .unwrap_or_default();
    let cancelled = order
        .lines
        .iter()
        .filter_map(|l| l.unit_price?.checked_mul(l.cancelled))
        .try_fold(Decimal::ZERO, Decimal::checked_add)
        .unwrap_or_default();
    let lines = sum.net.checked_sub(charges).unwrap_or_default();
    let line = |label: &str, amount: Decimal, sum: bool| MoneyRow {
        label: label.to_owned(),
        order: Some(amount),
        sale: sale.then_some(amount),
        sum,
    };
    let mut rows = vec![line("Lines as ordered", lines, false)];
    if !cancelled.is_zero() {
        rows.push(line(
            "Cancelled",
            Decimal::ZERO.checked_sub(cancelled).unwrap_or_default(),
            false,
        ));
    }
    if !charges.is_zero() {
        rows.push(line("Charges", charges, false));
    }
    rows.push(line("Tax", sum.tax, false));
    rows.push(line(
        "Total now",
        sum.gross.checked_sub(cancelled).unwrap_or(sum.gross),
        true,
    ));
    let sentence = match money::check(order) {
        Ok(_) if sale => (Tone::Ok, "Order and sale agree to the cent".to_owned()),
        Ok(_) => (
            Tone::Quiet,
            "The order's lines and its total agree to the cent".to_owned(),
        ),
        Err(problem) => (Tone::You, problem.message),
    };
    (rows, sentence)
}

/// What waits, most urgent first; left-alone cards last.
pub(crate) fn cards(core: &Core, rx: &Rx, limit: usize) -> Result<Vec<CardView>, StoreError> {
    let desk = core.desk();
    let mut rows = rx.cards(limit)?;
    rows.extend(rx.left_cards(limit)?);
    rows.sort_by_key(|c| {
        (
            c.ignored.is_some(),
            c.urgent_by.unwrap_or(Millis::MAX),
            c.first_at,
        )
    });
    rows.iter().map(|card| card_view(&desk, rx, card)).collect()
}

fn card_view(desk: &Desk, rx: &Rx, card: &CardRow) -> Result<CardView, StoreError> {
    let jobs = rx.card(&card.id)?.map(|(_, jobs)| jobs).unwrap_or_default();
    let mut orders = Vec::new();
    for job in jobs.iter().filter(|j| j.order.is_some()).take(ON_A_CARD) {
        if let Some(row) = job.order.map(|id| rx.order(id)).transpose()?.flatten() {
            orders.push(order_view(desk, &row));
        }
    }
    let (title, text, hint, cell) = match &card.cause {
        Cause::Gap { from, to, gap } => gap_card(desk, rx, *from, *to, gap)?,
        Cause::Problem { problem, .. } => (
            problem.message.clone(),
            String::new(),
            problem.hint.clone(),
            None,
        ),
        Cause::InDoubt { problem, .. } => (
            problem.message.clone(),
            "It was sent, and nobody can say what became of it. It is not sent again by itself."
                .to_owned(),
            problem.hint.clone(),
            None,
        ),
    };
    Ok(CardView {
        id: card.id.clone(),
        title,
        text,
        hint,
        cell,
        waiting: card.jobs,
        deadline: card.urgent_by,
        orders,
        first_at: card.first_at,
        ignored: card.ignored.clone(),
    })
}

type CardWords = (String, String, Option<String>, Option<CellView>);

fn gap_card(
    desk: &Desk,
    rx: &Rx,
    from: ConnectionId,
    to: ConnectionId,
    gap: &Gap,
) -> Result<CardWords, StoreError> {
    let (source, target) = (desk.title(from), desk.title(to));
    let text = match gap.table.as_str() {
        crosswalk::ITEMS => format!(
            "An order from {source} names item {}; exactly one product of {target} must stand for it.",
            gap.value
        ),
        crosswalk::SHIPPING_METHODS => format!(
            "{source} asks for {}; no shipping method of {target} is matched to it.",
            gap.value
        ),
        crosswalk::WAREHOUSES => format!(
            "{source} names warehouse {}; no warehouse of {target} is matched to it.",
            gap.value
        ),
        crosswalk::CUSTOMERS => format!("No contact of {target} is matched to this retailer."),
        _ => format!("{target} has no counterpart for {} yet.", gap.value),
    };
    let choices = choices(rx, to, gap)?;
    let cell = CellView {
        from,
        to,
        gap: gap.clone(),
        label: words::gap_field(gap, &target),
        choices,
    };
    Ok((
        words::gap_title(gap),
        text,
        Some("Fill in the field; the orders go on by themselves.".to_owned()),
        Some(cell),
    ))
}

/// What may stand in a cell: short lists are offered, long ones are typed in.
fn choices(rx: &Rx, to: ConnectionId, gap: &Gap) -> Result<Vec<(String, String)>, StoreError> {
    let entity = match gap.table.as_str() {
        crosswalk::SHIPPING_METHODS => Entity::ShippingMethod,
        crosswalk::WAREHOUSES => Entity::Warehouse,
        _ => return Ok(Vec::new()),
    };
    let documents = rx.latest_documents(to, entity, None, 200)?;
    Ok(documents
        .into_iter()
        .filter_map(|row| match row.document.body {
            Body::Warehouse(w) => Some((row.document.key, w.name)),
            Body::ShippingMethod(m) => Some((
                row.document.key,
                m.method.name.or(m.method.code).unwrap_or_default(),
            )),
            _ => None,
        })
        .collect())
}

/// Who did what.
pub(crate) fn history(rx: &Rx, limit: usize) -> Result<Vec<HistoryView>, StoreError> {
    Ok(rx
        .audit(limit)?
        .into_iter()
        .map(|row| HistoryView {
            at: row.at,
            who: row.who,
            what: row.what,
            detail: row.detail,
        })
        .collect())
}
