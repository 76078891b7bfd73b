//! What people are shown of flows: each with its standing in words, and an alarm where one that does not run has documents
//! near a deadline.

use super::hours;
use super::standing::{Standing, standing};
use crate::core::{Core, Desk};
use crate::handle::{CommandError, Handle};
use crate::view::{AlarmView, FlowView, Tone};
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_store::{DeadlineKind, OrderRow, Read, RouteRow, Rx, StoreError};

/// A deadline nearer than this is near, where its flow does not run.
const NEAR_MS: Millis = 24 * 3_600_000;
/// One that passed longer ago is not saved by a word.
const MISSED_MS: Millis = 24 * 3_600_000;
/// Deadlines looked at.
const LOOK_AT: usize = 500;

/// What a merchant calls a kind of document that flows.
pub(crate) const fn plural(entity: Entity) -> &'static str {
    match entity {
        Entity::Order => "Orders",
        Entity::Shipment => "Shipments",
        Entity::InventoryLevel => "Stock",
        Entity::Invoice => "Invoices",
        Entity::Cancellation => "Cancellations",
        _ => "Records",
    }
}

/// "Shipments from ERP to Network".
pub(crate) fn title(desk: &Desk, row: &RouteRow) -> String {
    let (what, from, to) = (plural(row.entity), desk.title(row.from), desk.title(row.to));
    format!("{what} from {from} to {to}")
}

fn view(core: &Core, desk: &Desk, rx: &Rx, row: &RouteRow) -> Result<FlowView, StoreError> {
    let now = core.now();
    let name = |id: ConnectionId| {
        let slot = desk.slots.get(&id);
        slot.map_or_else(|| format!("connection-{id}"), |s| s.row.name.clone())
    };
    let (state, opens) = match standing(desk, row, now) {
        Standing::Runs => ("runs", None),
        Standing::Paused => ("paused", None),
        Standing::Closed(until) => ("closed", Some(until)),
    };
    let (sentence, tone) = match (state, &row.stopped) {
        ("paused", Some(stop)) if stop.why.is_empty() => {
            (format!("Paused by {}", stop.who), Tone::Hold)
        }
        ("paused", Some(stop)) => (format!("Paused by {}: {}", stop.who, stop.why), Tone::Hold),
        ("paused", None) => ("Paused".to_owned(), Tone::Hold),
        ("closed", _) => ("Outside its hours".to_owned(), Tone::Hold),
        _ if row.runs_until.is_some_and(|until| now < until) => {
            ("Runs now, outside its hours".to_owned(), Tone::Ok)
        }
        _ => ("Runs".to_owned(), Tone::Ok),
    };
    let held = rx.jobs_in("held", usize::MAX)?.into_iter().filter(|job| {
        let (entity, from, to) = super::of_job(job);
        entity == row.entity && from == row.from && to.is_none_or(|to| to == row.to)
    });
    Ok(FlowView {
        entity: row.entity,
        from: name(row.from),
        to: name(row.to),
        title: title(desk, row),
        state,
        sentence,
        tone,
        hours: hours::text(desk, row).map(str::to_owned),
        opens,
        who: row.stopped.as_ref().map(|stop| stop.who.clone()),
        why: row.stopped.as_ref().map(|stop| stop.why.clone()),
        since: row.stopped.as_ref().map(|stop| stop.at),
        held: held.count() as u64,
    })
}

/// Titles of the flows that a person has paused.
pub(crate) fn paused(desk: &Desk, rx: &Rx) -> Result<Vec<String>, StoreError> {
    let rows = rx.routes()?.into_iter().filter(|row| row.paused);
    Ok(rows.map(|row| title(desk, &row)).collect())
}

/// Whether a flow that does not run keeps an order from meeting a deadline of that kind.
fn stops(row: &RouteRow, kind: DeadlineKind, order: &OrderRow) -> bool {
    let out = row.from == order.connection;
    match (row.entity, kind) {
        (Entity::Order, DeadlineKind::Acknowledge) => out && order.acknowledged_at.is_none(),
        (Entity::Order, DeadlineKind::Ship) => out && order.sale_key.is_none(),
        (Entity::Shipment, DeadlineKind::Ship) | (Entity::Invoice, DeadlineKind::Invoice) => {
            row.to == order.connection
        }
        _ => false,
    }
}

/// One alarm for each flow that does not run while deadlines come near.
pub(crate) fn alarms(core: &Core, rx: &Rx) -> Result<Vec<AlarmView>, StoreError> {
    let (desk, now) = (core.desk(), core.now());
    let mut idle = Vec::new();
    for row in rx.routes()? {
        match standing(&desk, &row, now) {
            Standing::Runs => {}
            Standing::Paused => idle.push((row, Millis::MAX)),
            Standing::Closed(until) => idle.push((row, until)),
        }
    }
    if idle.is_empty() {
        return Ok(Vec::new());
    }
    let mut near = Vec::new();
    for (at, kind, id) in rx.deadlines(now - MISSED_MS, LOOK_AT)? {
        if at - now < NEAR_MS
            && let Some(order) = rx.order(id)?
        {
            near.push((at, kind, order));
        }
    }
    let alarm = |(row, until): &(RouteRow, Millis)| {
        let late = near
            .iter()
            .filter(|(at, kind, order)| at < until && stops(row, *kind, order));
        let count = late.clone().count();
        let (first, kind, order) = late.min_by_key(|(at, _, _)| *at)?;
        let what = match kind {
            DeadlineKind::Acknowledge => "acknowledged",
            DeadlineKind::Ship => "shipped",
            DeadlineKind::Invoice => "invoiced",
        };
        let orders = match count {
            1 => format!("order {} must be {what}", order.number),
            n => format!("{n} orders must be {what}, first of all {}", order.number),
        };
        let state = if row.paused {
            "paused"
        } else {
            "outside the hours set"
        };
        Some(AlarmView {
            text: format!("{} are {state}, and {orders}.", title(&desk, row)),
            as_of: Some(*first),
            hint:
                "Let the flow go on or run it now, on the page Connections or with `waybill flows`."
                    .to_owned(),
        })
    };
    Ok(idle.iter().filter_map(alarm).collect())
}

impl Handle {
    /// Every flow, in the order of their kinds.
    pub async fn flows(&self) -> Result<Vec<FlowView>, CommandError> {
        self.read(|core, rx| {
            let desk = core.desk();
            let mut rows = rx.routes()?;
            rows.sort_by_key(|row| (row.entity, row.from, row.to));
            rows.iter().map(|row| view(core, &desk, rx, row)).collect()
        })
        .await
    }
}
