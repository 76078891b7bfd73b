//! What open orders take of the ERP's stock and nobody there has set aside yet. The network has lowered its own number
//! for them already; the ERP's number does not know of them.
//!
//! What the ERP has set aside is off its own number, but only once that is read again: until then the units count here.
//! Sales are looked at again until that is so, since nothing tells of it by itself.

use super::derive::Route;
use crate::order;
use crate::shipment::count as reported;
use crate::translate;
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Entity, Order, OrderPhase};
use waybill_model::ids::{Millis, OrderId};
use waybill_model::levels;
use waybill_model::order_state::OrderStage;
use waybill_store::{OrderRow, Read, StoreError, Tx};

/// Orders that are counted in one commit.
const MOST: usize = 500;
/// A sale is looked at again after a quarter of its age, within these bounds.
const FIRST_MS: Millis = 60_000;
const LONGEST_MS: Millis = 3_600_000;
/// A sale that is set aside and has not left may be given back.
const SET_ASIDE_MS: Millis = 6 * LONGEST_MS;
/// What is held is asked for so long after units were set aside, so that several orders share a call.
const GATHER_MS: Millis = 15_000;

/// Counts orders that changed, and what follows for the levels. Whether more are left.
pub(crate) fn catch_up(tx: &mut Tx<'_>, routes: &[Route], now: Millis) -> Result<bool, StoreError> {
    let orders = tx.take_stock_orders(MOST)?;
    for route in routes {
        let mut changed = BTreeSet::new();
        let mut moved = BTreeSet::new();
        for id in &orders {
            let counted = count(tx, route, *id, now)?;
            changed.extend(counted.changed);
            moved.extend(counted.moved);
        }
        route.follow_all(tx, changed.iter().map(String::as_str))?;
        route.doubt(tx, &moved)?;
    }
    Ok(orders.len() == MOST)
}

/// What counting an order came to.
#[derive(Default)]
struct Counted {
    /// Items whose units changed by that.
    changed: BTreeSet<String>,
    /// Items of which the network may have changed its own number: as the order names them, so that a kit is a kit.
    moved: BTreeSet<String>,
}

/// Counts one order.
fn count(tx: &mut Tx<'_>, route: &Route, id: OrderId, now: Millis) -> Result<Counted, StoreError> {
    let Some(row) = tx.order(id)?.filter(|row| row.connection == route.to) else {
        return Ok(Counted::default());
    };
    // Its sale takes units where it is made, and nowhere else.
    if tx.route(Entity::Order, route.to, route.from)?.is_none() {
        return Ok(Counted::default());
    }
    let document = tx.document(row.document)?;
    let order = document.as_ref().and_then(|stored| stored.document.order());
    let open = match order.filter(|order| is_open(&row, order)) {
        Some(order) => units(tx, route, &row, order)?,
        None => Open::default(),
    };
    if let Some(sale) = row.sale_key.as_deref().filter(|_| open.in_house) {
        let due = again(&row, !open.units.is_empty(), now);
        tx.hint(route.from, Entity::OrderState, sale, due)?;
    }
    let counted = tx.put_taken(route.from, id, &open.units, now)?;
    for item in &counted.fewer {
        tx.hint(route.from, Entity::InventoryLevel, item, now + GATHER_MS)?;
    }
    let changed = counted.changed;
    let moved = match order {
        Some(order) => moved(tx, route, &row, order, !changed.is_empty())?,
        None => BTreeSet::new(),
    };
    Ok(Counted { changed, moved })
}

/// Items of an order that took units just now, or of which units were cancelled. A cap may hide the first from our number,
/// and an order that is cancelled before it was read both; one that left the house before it was counted took units all the
/// same, so an item that was told last before the order was read counts as well. Whether a network gives units back nobody
/// knows, nor whether it takes any for an order that is a test.
fn moved(
    tx: &Tx<'_>,
    route: &Route,
    row: &OrderRow,
    order: &Order,
    takes: bool,
) -> Result<BTreeSet<String>, StoreError> {
    let all = takes || row.stage == OrderStage::Refused || order::is_cancelled(order);
    let mut moved = BTreeSet::new();
    for line in &order.lines {
        let item = translate::item_of(tx, (route.to, route.from), order, line)?;
        let Some(item) = item.filter(|item| !moved.contains(item)) else {
            continue;
        };
        if all || !line.cancelled.is_zero() || route.was_told_before(tx, &item, row.received_at)? {
            moved.insert(item);
        }
    }
    Ok(moved)
}

/// When the sale is worth another look. Rounded up, so that many sales are read in one call.
fn again(row: &OrderRow, takes: bool, now: Millis) -> Millis {
    let wait = if takes {
        ((now - row.received_at) / 4).clamp(FIRST_MS, LONGEST_MS)
    } else {
        SET_ASIDE_MS
    };
    let step = (wait / 4).max(FIRST_MS);
    (now + wait).div_euclid(step) * step + step
}

fn is_open(row: &OrderRow, order: &Order) -> bool {
    let workable = matches!(
        row.phase,
        OrderPhase::Pending | OrderPhase::Open | OrderPhase::Accepted
    );
    workable && row.stage != OrderStage::Refused && !order::is_cancelled(order)
}

/// What is open of an order.
#[derive(Default)]
struct Open {
    /// Neither set aside nor shipped, by item and warehouse.
    units: Vec<(String, Option<String>, Decimal)>,
    /// Something of it has not left.
    in_house: bool,
}

/// Units of each line that are neither set aside by the ERP nor shipped, by item; a kit is what it is made of.
fn units(tx: &Tx<'_>, route: &Route, row: &OrderRow, order: &Order) -> Result<Open, StoreError> {
    let held = held(tx, route, row)?;
    let told = reported::told(&tx.jobs_of_order(row.id)?);
    let mut all: BTreeMap<(String, Option<String>), i64> = BTreeMap::new();
    let mut in_house = false;
    for line in &order.lines {
        let held = held.get(&line.line).copied().unwrap_or_default();
        let told = told.get(&line.line).copied().map_or(0, levels::whole);
        // The ERP may tell of what it shipped before its shipment is told, and the other way round.
        let left = held.left.max(told).max(levels::whole(line.shipped));
        let wanted = levels::whole(line.wanted());
        in_house |= left < wanted;
        let open = wanted - left.max(held.aside + held.left);
        if open <= 0 {
            continue;
        }
        let Some(key) = translate::item_of(tx, (route.to, route.from), order, line)? else {
            continue;
        };
        let place = line.warehouse.clone().or_else(|| order.warehouse.clone());
        let place = place.filter(|place| !place.trim().is_empty());
        let parts = tx.item(route.from, &key)?.map(|item| item.components);
        let parts = parts.filter(|parts| !parts.is_empty());
        for (part, per_kit) in parts.unwrap_or_else(|| vec![(key, Decimal::whole(1))]) {
            let each = levels::whole(per_kit).max(1);
            *all.entry((part, place.clone())).or_default() += open * each;
        }
    }
    let units = all
        .into_iter()
        .map(|((item, place), units)| (item, place, Decimal::whole(units)))
        .collect();
    Ok(Open { units, in_house })
}

/// Whole units of a line.
#[derive(Clone, Copy, Default)]
struct Held {
    aside: i64,
    left: i64,
}

/// Units of each line that the ERP says it has set aside or sent off. Nothing is known before it was asked: then the
/// order's units count as taken, which tells the network less, never more.
fn held(tx: &Tx<'_>, route: &Route, row: &OrderRow) -> Result<BTreeMap<String, Held>, StoreError> {
    let Some(sale) = &row.sale_key else {
        return Ok(BTreeMap::new());
    };
    let state = tx.latest_document(route.from, Entity::OrderState, sale)?;
    let Some(Body::OrderState(state)) = state.map(|stored| stored.document.body) else {
        return Ok(BTreeMap::new());
    };
    let lines = state.lines.into_iter();
    Ok(lines
        .map(|l| {
            let (aside, left) = (levels::whole(l.allocated), levels::whole(l.shipped));
            (l.line, Held { aside, left })
        })
        .collect())
}
