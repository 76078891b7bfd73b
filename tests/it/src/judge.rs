//! What must be true at the end of a day: the world against itself, and the store against the world.

use crate::plan::Plan;
use crate::world::{Case, NetworkOrder, Outside, World, lock};
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::document::Entity;
use waybill_model::ids::ConnectionId;
use waybill_model::order_state::OrderStage;
use waybill_store::{Read, Store};

/// Compares the world with what must be true, and the store with itself.
pub(crate) fn judge(plan: Plan, world: &World, store: &Store) -> Vec<String> {
    let world = lock(world);
    let mut wrong = Vec::new();
    let mut sales: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for sale in &world.sales {
        sales
            .entry(sale.reference.as_str())
            .or_default()
            .push(sale.id);
        let mut customers = world.customers.iter();
        let customer = customers.find(|(id, _, _)| *id == sale.customer);
        let expected = whose(plan, &world, &sale.reference);
        let code = customer.map(|(_, code, _)| code);
        if code.is_none() || expected.is_some_and(|expected| Some(&expected) != code) {
            wrong.push(format!("sale {} has customer {code:?}", sale.id));
        }
    }
    let codes: BTreeSet<&str> = world
        .customers
        .iter()
        .map(|(_, code, _)| code.as_str())
        .collect();
    if codes.len() != world.customers.len() {
        wrong.push(format!(
            "{} customers for {} retailers and orders",
            world.customers.len(),
            codes.len()
        ));
    }
    for order in world.orders.values() {
        let made = sales
            .remove(format!("order:{}", order.key).as_str())
            .unwrap_or_default();
        judge_order(order, &made, store, &mut wrong);
    }
    judge_shipments(plan, &world, store, &mut wrong);
    crate::cancels::judge(&world, store, &mut wrong);
    crate::bills::judge(plan.goes_back, &world, store, &mut wrong);
    judge_calls(plan, &world, store, &mut wrong);
    let levels = world.wrong_levels();
    wrong.extend(levels.iter().take(5).map(|(_, said)| said.clone()));
    // What it is made of, for who looks for the reason.
    for (item, _) in levels.iter().take(5) {
        let key = &world.items[*item].0;
        let believed = store.read(|rx| {
            let erp = ConnectionId(2);
            let level = rx.level(erp, ConnectionId(1), &world.items[*item].1)?;
            Ok((
                rx.on_hand(erp, key)?,
                rx.taken(erp, key)?,
                level,
                rx.level_batch(erp, ConnectionId(1))?,
            ))
        });
        tracing::debug!(target: "days", "{key}: {believed:?}, {}", world.told_of(*item));
    }
    wrong.extend(
        sales
            .keys()
            .map(|reference| format!("sale of nothing: {reference}")),
    );
    match store.verify() {
        Ok(problems) => wrong.extend(problems.into_iter().map(|p| format!("store: {p}"))),
        Err(error) => wrong.push(format!("store: {error}")),
    }
    wrong
}

/// The code of the customer that the sale of an order has: its retailer, or itself.
fn whose(plan: Plan, world: &Outside, reference: &str) -> Option<String> {
    let order = world.orders.get(reference.strip_prefix("order:")?)?;
    let of_its_own = (0..plan.consumers).any(|n| order.retailer == format!("R{n}"));
    Some(if of_its_own {
        format!("{}/{}", order.retailer, order.key)
    } else {
        order.retailer.clone()
    })
}

/// Nothing waits for a person because calls were short, nothing urgent was overtaken, and webhooks go to one address.
fn judge_calls(plan: Plan, world: &Outside, store: &Store, wrong: &mut Vec<String>) {
    wrong.extend(world.overtaken());
    // An outage may keep the ERP from being asked for any.
    if world.post.registered.len() > 1 {
        wrong.push(format!("webhooks go to {:?}", world.post.registered));
    }
    let parked = store.read(|rx| {
        let mut parked = Vec::new();
        for job in rx.jobs_in("parked", usize::MAX)? {
            let order = job.order.map(|id| rx.order(id)).transpose()?.flatten();
            parked.push((job, order.map(|row| row.key)));
        }
        Ok(parked)
    });
    for (job, order) in parked.unwrap_or_default() {
        let order = order.and_then(|key| world.orders.get(&key));
        // A cancel that came too late waits for a person, and after a restore he compares both sides.
        let expected =
            order.is_some_and(|o| o.cancelled || plan.goes_back || is_half_cancelled(world, o));
        if !expected {
            wrong.push(format!(
                "{:?} {} of {:?} waits: {:?}",
                job.work,
                job.key,
                order.map(|o| &o.key),
                job.state
            ));
        }
    }
}

/// Its sale is cancelled and it is not: there is a card.
fn is_half_cancelled(world: &Outside, order: &NetworkOrder) -> bool {
    let mut sales = world.sales.iter();
    sales.any(|sale| sale.order == order.key && sale.cancelled)
}

/// Whether anything of an order waits for a person.
pub(crate) fn has_card(store: &Store, key: &str) -> bool {
    let found = store.read(|rx| {
        let Some(row) = rx.order_by_key(ConnectionId(1), key)? else {
            return Ok(false);
        };
        let jobs = rx.jobs_of_order(row.id)?;
        Ok(jobs.iter().any(|j| j.state.word() == "parked"))
    });
    found.unwrap_or(false)
}

/// What the network was told as shipped is what the notes hold, each note once, and never more than was ordered.
fn judge_shipments(plan: Plan, world: &Outside, store: &Store, wrong: &mut Vec<String>) {
    let held = world.warehouse.shipped();
    for order in world.orders.values() {
        let packed = held.get(order.key.as_str()).copied().unwrap_or(0);
        let wanted = if order.cancelled { 0 } else { packed };
        if order.shipped != wanted {
            wrong.push(format!(
                "order {} has {} units shipped at the network, its notes hold {wanted}",
                order.key, order.shipped
            ));
        }
        if order.shipped > order.units {
            wrong.push(format!(
                "order {} was told {} shipped of {}",
                order.key, order.shipped, order.units
            ));
        }
        let row = store.read(|rx| rx.order_by_key(ConnectionId(1), &order.key));
        let row = row.ok().flatten();
        let stage = row.as_ref().map(|row| row.stage);
        let problem = row.and_then(|row| row.problem).unwrap_or_default();
        // What was told in part before a database was restored is a card, for a person to compare.
        let card = plan.goes_back && stage == Some(OrderStage::Waiting);
        let shipped = matches!(stage, Some(OrderStage::Shipped | OrderStage::Invoiced));
        if wanted > 0 && wanted == order.units && !shipped && !card {
            wrong.push(format!(
                "order {} is shipped and {stage:?}: {problem}",
                order.key
            ));
        }
        if order.cancelled && packed > 0 && stage != Some(OrderStage::Waiting) {
            wrong.push(format!(
                "order {} is cancelled, packed and without a card: {stage:?}",
                order.key
            ));
        }
    }
    let mut notes = BTreeSet::new();
    for told in &world.taken {
        if !notes.insert(&told.note) {
            wrong.push(format!("note {} was told twice", told.note));
        }
    }
    let foreign = store.read(|rx| rx.latest_document(ConnectionId(2), Entity::Shipment, "1"));
    if foreign.is_ok_and(|found| found.is_some()) {
        wrong.push("a note of somebody else was kept".to_owned());
    }
}

/// One order: as many sales as it must have, told and acknowledged; or a card that says why not.
fn judge_order(order: &NetworkOrder, made: &[u64], store: &Store, wrong: &mut Vec<String>) {
    let open_card = has_card(store, &order.key);
    let expected = match order.case {
        Case::Plain | Case::Unmapped => 1,
        Case::Test | Case::CancelledFirst => 0,
        Case::CancelledSometime => usize::from(!order.cancelled).max(made.len().min(1)),
    };
    if made.len() != expected {
        wrong.push(format!(
            "order {} ({:?}) has {} sales, expected {expected}",
            order.key,
            order.case,
            made.len()
        ));
    }
    let told = made.first().map(u64::to_string);
    if !order.cancelled && expected == 1 && (!order.acknowledged || order.number != told) {
        wrong.push(format!(
            "order {} is acknowledged {} with {:?}, its sale is {told:?}",
            order.key, order.acknowledged, order.number
        ));
    }
    if order.acknowledged && made.is_empty() && !open_card {
        wrong.push(format!(
            "order {} ({:?}) is acknowledged without a sale or a card",
            order.key, order.case
        ));
    }
    if order.renumbered > 0 {
        wrong.push(format!(
            "order {} was told {} different sale numbers",
            order.key,
            order.renumbered + 1
        ));
    }
}
