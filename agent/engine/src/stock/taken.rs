//! What open orders take of the ERP's stock and nobody there has set aside yet. The network has lowered its own number
//! for them already; the ERP's number does not know of them.

use super::derive::Route;
use crate::order;
use crate::shipment::count as reported;
use crate::translate;
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Entity, Order, OrderPhase};
use waybill_model::ids::OrderId;
use waybill_model::levels;
use waybill_model::order_state::OrderStage;
use waybill_store::{OrderRow, Read, StoreError, TakenRow, Tx};

/// Orders that are counted in one commit.
const MOST: usize = 500;

/// Counts orders that changed, and what follows for the levels. Whether more are left.
pub(crate) fn catch_up(tx: &mut Tx<'_>, routes: &[Route]) -> Result<bool, StoreError> {
    let orders = tx.take_stock_orders(MOST)?;
    for route in routes {
        let mut changed = BTreeSet::new();
        for id in &orders {
            changed.extend(count(tx, route, *id)?);
        }
        route.follow_all(tx, changed.iter().map(String::as_str))?;
    }
    Ok(orders.len() == MOST)
}

/// Counts one order; the items whose units changed by that.
fn count(tx: &mut Tx<'_>, route: &Route, id: OrderId) -> Result<BTreeSet<String>, StoreError> {
    let Some(row) = tx.order(id)?.filter(|row| row.connection == route.to) else {
        return Ok(BTreeSet::new());
    };
    let document = tx.document(row.document)?;
    let order = document.as_ref().and_then(|stored| stored.document.order());
    let units = match order.filter(|order| is_open(&row, order)) {
        Some(order) => units(tx, route, &row, order)?,
        None => Vec::new(),
    };
    tx.put_taken(route.from, id, &units)
}

fn is_open(row: &OrderRow, order: &Order) -> bool {
    let workable = matches!(
        row.phase,
        OrderPhase::Pending | OrderPhase::Open | OrderPhase::Accepted
    );
    workable && row.stage != OrderStage::Refused && !order::is_cancelled(order)
}

/// Units of each line that are neither set aside by the ERP nor shipped, by item; a kit is what it is made of.
fn units(
    tx: &Tx<'_>,
    route: &Route,
    row: &OrderRow,
    order: &Order,
) -> Result<Vec<(String, TakenRow)>, StoreError> {
    let set_aside = set_aside(tx, route, row)?;
    let shipped = reported::told(&tx.jobs_of_order(row.id)?);
    let mut all: BTreeMap<(String, Option<String>), i64> = BTreeMap::new();
    for line in &order.lines {
        let known = |units: &BTreeMap<String, Decimal>| {
            units.get(&line.line).copied().map_or(0, levels::whole)
        };
        // The ERP may tell of what it shipped before its shipment is told, and the other way round.
        let done = known(&set_aside)
            .max(known(&shipped))
            .max(levels::whole(line.shipped));
        let open = levels::whole(line.wanted()) - done;
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
    Ok(all
        .into_iter()
        .map(|((item, warehouse), units)| {
            let units = Decimal::whole(units);
            let order = row.id;
            (
                item,
                TakenRow {
                    order,
                    warehouse,
                    units,
                },
            )
        })
        .collect())
}

/// Units of each line that the ERP says it has set aside or sent off. Nothing is known before it was asked: then the
/// order's units count as taken, which tells the network less, never more.
fn set_aside(
    tx: &Tx<'_>,
    route: &Route,
    row: &OrderRow,
) -> Result<BTreeMap<String, Decimal>, StoreError> {
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
            let units = levels::whole(l.allocated) + levels::whole(l.shipped);
            (l.line, Decimal::whole(units))
        })
        .collect())
}
