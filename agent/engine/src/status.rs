//! Filling the views: range reads of what the writes kept ready, and the engine's sentences.

use crate::alert;
use crate::amounts;
use crate::catalogue;
use crate::compare;
use crate::core::{Core, Desk};
use crate::ensure;
use crate::flow;
use crate::limits;
use crate::practice;
use crate::shipment::show;
use crate::view::{
    AlarmView, CardKind, CardView, CellView, ConnectionView, DeadlineKind, FeedView, FrameView,
    HistoryView, JobView, NoteView, OrderDetail, OrderList, OrderView, StageCounts, Tone,
};
use crate::words;
use waybill_model::amounts::{DIFFERS, Rules, WAITS};
use waybill_model::contract::Gap;
use waybill_model::crosswalk;
use waybill_model::document::{Body, DeadlineSource, Entity};
use waybill_model::ids::{ConnectionId, Millis, OrderId};
use waybill_model::job::{JobState, Work};
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
    let practised = practice::practised(rx, &desk)?.words();
    Ok(FrameView {
        store: store_name(core, rx)?,
        version: core.options.version.clone(),
        now,
        begun: !rx.routes()?.is_empty(),
        practice: practised.is_some(),
        practising: practised.unwrap_or_default(),
        paused: rows
            .iter()
            .filter(|r| r.paused)
            .map(|r| r.title.clone())
            .chain(flow::show::paused(&desk, rx)?)
            .collect(),
        causes: counters.cards,
        waiting: orders_in(&counters, OrderStage::Waiting),
        connections,
        alarms: alarms(core, rx, rows.iter().any(|row| row.paused))?,
    })
}

/// What a person must know on every page.
pub(crate) fn alarms(core: &Core, rx: &Rx, paused: bool) -> Result<Vec<AlarmView>, StoreError> {
    let mut alarms = Vec::from_iter(core.disk_alarm());
    alarms.extend(flow::show::alarms(core, rx)?);
    alarms.extend(compare::alarm(rx)?);
    alarms.extend(alert::alarm(rx)?);
    alarms.extend(practice::alarms(rx)?);
    if paused && let Some(restored) = rx.restored()? {
        alarms.push(AlarmView {
            text: "This database was restored, and connections are paused.".to_owned(),
            as_of: Some(restored.from),
            hint: "Make sure that no other machine runs on a copy of it. Compare the newest orders here with both \
                   systems, then resume each connection: what happened since is looked up before anything is sent."
                .to_owned(),
        });
    }
    Ok(alarms)
}

pub(crate) fn store_name(core: &Core, rx: &Rx) -> Result<String, StoreError> {
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
        generation: slot.and_then(|s| s.connector()).map(|c| c.generation().0),
        sentence,
        tone,
        last_ok: row.last_ok,
        hold_until: held,
        calls: (used.used, used.limit),
        budgets: limits::budgets(core, row.id),
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
        Body::Order(order) => {
            let values = rx.effective(Some(row.connection), Some(&row.retailer))?;
            let money = amounts::rows(order, Rules::of(&values), row.sale_key.is_some());
            (show::lines(order, &rows), money)
        }
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
        invoices: crate::invoice::show::invoices(&desk, rx, &rows)?,
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
        JobState::Resting { .. } | JobState::Held { .. } | JobState::Practised => Tone::Hold,
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

/// Cards whose cells get suggestions: more than a person looks at in one sitting.
const SUGGESTED: usize = 50;

/// What waits, most urgent first; left-alone cards last. Suggestions cost reads: only where they are shown.
pub(crate) fn cards(
    core: &Core,
    rx: &Rx,
    limit: usize,
    suggest: bool,
) -> Result<Vec<CardView>, StoreError> {
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
    rows.iter()
        .enumerate()
        .map(|(at, card)| card_view(&desk, rx, card, suggest && at < SUGGESTED))
        .collect()
}

/// What a card is about: its cause says so, else the work that waits.
fn card_kind(cause: &Cause, work: Option<Work>) -> CardKind {
    const MONEY: [&str; 4] = [DIFFERS, WAITS, "no-price", "amount-too-large"];
    match (cause, work) {
        (Cause::Gap { .. }, _) => CardKind::Unmatched,
        (Cause::Problem { problem, .. }, _) if MONEY.contains(&&*problem.code) => CardKind::Money,
        (_, Some(Work::Push(Entity::Shipment))) => CardKind::Shipment,
        (_, Some(Work::Push(Entity::Cancellation))) => CardKind::Cancellation,
        (_, Some(Work::Push(Entity::Invoice))) => CardKind::Invoice,
        (_, Some(Work::Compare)) => CardKind::Comparison,
        (_, Some(Work::Attend)) => CardKind::Reading,
        (Cause::InDoubt { .. }, _) => CardKind::InDoubt,
        _ => CardKind::Other,
    }
}

fn card_view(desk: &Desk, rx: &Rx, card: &CardRow, suggest: bool) -> Result<CardView, StoreError> {
    let jobs = rx.card(&card.id)?.map(|(_, jobs)| jobs).unwrap_or_default();
    let mut orders: Vec<OrderView> = Vec::new();
    let mut nearest = None;
    for id in jobs.iter().filter_map(|j| j.order) {
        if orders.len() == ON_A_CARD || orders.iter().any(|o| o.id == id) {
            continue;
        }
        if let Some(row) = rx.order(id)? {
            let mut dates = deadlines_of(&row).into_iter();
            nearest = nearest.or_else(|| dates.find(|(_, at, _)| Some(*at) == card.urgent_by));
            orders.push(order_view(desk, &row));
        }
    }
    let (title, text, hint, cell) = match &card.cause {
        Cause::Gap { from, to, gap } => gap_card(desk, rx, *from, *to, gap, suggest)?,
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
        kind: card_kind(&card.cause, jobs.first().map(|j| j.work)),
        deadline: card.urgent_by,
        nearest,
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
    suggest: bool,
) -> Result<CardWords, StoreError> {
    let (source, target) = (desk.title(from), desk.title(to));
    // A code of the ERP on its way back to the network that the orders came from.
    let back = desk
        .routes
        .iter()
        .any(|r| r.entity == Entity::Order && r.from == to);
    let named = catalogue::name_of(rx, from, &gap.table, &gap.value)?.map_or_else(
        || gap.value.clone(),
        |name| format!("{} ({name})", gap.value),
    );
    let text = match (gap.table.as_str(), back) {
        (crosswalk::ITEMS, _) => format!(
            "An order from {source} names item {}; exactly one product of {target} must stand for it.",
            gap.value
        ),
        (crosswalk::SHIPPING_METHODS, true) => format!(
            "A shipment left by {named} of {source}; {target} wants to be told carrier, method and service code, and nothing is matched to it."
        ),
        (crosswalk::SHIPPING_METHODS, false) => {
            format!("{source} asks for {named}; no shipping method of {target} is matched to it.")
        }
        (crosswalk::WAREHOUSES, true) => format!(
            "A shipment left warehouse {named} of {source}; no warehouse of {target} is matched to it."
        ),
        (crosswalk::WAREHOUSES, false) => {
            format!("{source} names warehouse {named}; no warehouse of {target} is matched to it.")
        }
        (crosswalk::CUSTOMERS, _) if crosswalk::order_of(gap).is_some() => format!(
            "This retailer's orders have a contact of their consumer each; none was made in {target} for this one."
        ),
        (crosswalk::CUSTOMERS, _) => {
            format!("No contact of {target} is matched to this retailer.")
        }
        (crosswalk::CANCEL_CODES, _) => format!(
            "A sale was cancelled in {source} ({named}), and {target} wants a reason code. Codes that mean out of stock can stop the item's sale there."
        ),
        _ => format!("{target} has no counterpart for {} yet.", gap.value),
    };
    let suggestions = if suggest {
        catalogue::suggestions(rx, from, to, gap)?
    } else {
        Vec::new()
    };
    let cell = CellView {
        from,
        to,
        gap: gap.clone(),
        label: words::gap_field(gap, &target),
        choices: catalogue::choices(rx, to, &gap.table)?,
        suggestions,
    };
    let hint = if back && gap.table == crosswalk::SHIPPING_METHODS {
        "Write it as carrier|method|code, for example UPS|Ground|UPCG; a part you do not know may be empty. The shipments go on by themselves."
    } else {
        "Fill in the field; the orders go on by themselves."
    };
    Ok((
        words::gap_title(gap),
        text,
        Some(hint.to_owned()),
        Some(cell),
    ))
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
