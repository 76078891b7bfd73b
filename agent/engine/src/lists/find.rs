//! What follows a sale by a number: of the order, the sale, the note, the parcel, the invoice. Each is looked up in an
//! index; nothing is walked through.

use crate::core::Desk;
use crate::invoice::intake;
use std::collections::BTreeSet;
use waybill_model::document::Entity;
use waybill_model::ids::OrderId;
use waybill_model::job::Work;
use waybill_store::{JobRow, Read, StoreError};

/// Orders whose jobs are looked through.
const ORDERS: usize = 50;
/// An invoice's part has at most so many marks behind its number.
const MARKS: usize = 3;

/// Jobs of that kind by a number: those that carry it first, then those of orders that are found by it.
pub(super) fn jobs(
    desk: &Desk,
    rx: &dyn Read,
    entity: Entity,
    text: &str,
    limit: usize,
) -> Result<Vec<JobRow>, StoreError> {
    let mut found: Vec<JobRow> = Vec::new();
    let mut seen = BTreeSet::new();
    for order in carriers(desk, rx, entity, text)? {
        let part = |key: &str| {
            key.strip_prefix(text)
                .is_some_and(|end| end.starts_with('-'))
        };
        let jobs = newest_first(rx, entity, order)?;
        let own = jobs.into_iter().filter(|j| j.key == text || part(&j.key));
        found.extend(own.filter(|job| seen.insert(job.id)));
    }
    for order in rx.search(text, ORDERS)? {
        let jobs = newest_first(rx, entity, order.id)?;
        found.extend(jobs.into_iter().filter(|job| seen.insert(job.id)));
    }
    found.truncate(limit);
    Ok(found)
}

fn newest_first(rx: &dyn Read, entity: Entity, order: OrderId) -> Result<Vec<JobRow>, StoreError> {
    let mut jobs = rx.jobs_of_order(order)?;
    jobs.retain(|job| job.work == Work::Push(entity));
    jobs.reverse();
    Ok(jobs)
}

/// Orders of which a document has exactly that number.
fn carriers(
    desk: &Desk,
    rx: &dyn Read,
    entity: Entity,
    text: &str,
) -> Result<BTreeSet<OrderId>, StoreError> {
    let mut orders = BTreeSet::new();
    for route in desk.routes.iter().filter(|r| r.entity == entity) {
        orders.extend(rx.order_of_latest(route.from, entity, text)?);
        if entity != Entity::Invoice {
            continue;
        }
        // A part's number is its invoice's with a mark behind it.
        let mut number = text;
        for _ in 0..=MARKS {
            let place = intake::number_place(route.to, number);
            if let Some(key) = rx.meta(&place)?.and_then(|key| String::from_utf8(key).ok()) {
                orders.extend(rx.order_by_key(route.to, &key)?.map(|row| row.id));
                break;
            }
            match number.rsplit_once('-') {
                Some((front, _)) => number = front,
                None => break,
            }
        }
    }
    Ok(orders)
}
