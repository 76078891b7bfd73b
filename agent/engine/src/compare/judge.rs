//! What a listed document says against what is stored. Decides, and writes nothing.

use super::card;
use crate::cancel;
use crate::core::Desk;
use crate::invoice::show;
use crate::order;
use crate::shipment::count as shipped;
use waybill_model::crosswalk;
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Document, Entity, Order, OrderPhase};
use waybill_model::ids::{ConnectionId, Millis, OrderId};
use waybill_model::job::Work;
use waybill_model::order_state::OrderStage;
use waybill_model::quantities;
use waybill_store::{JobRow, OrderRow, Read, StoreError, Tx};

/// What was told within that time may not show yet.
pub(super) const GRACE_MS: Millis = 3_600_000;
/// Orders of one number that are looked at.
const SAME_NUMBER: usize = 50;

/// What becomes of a listed document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Here as it is.
    Same,
    /// Missing here, and to be taken.
    Missing,
    /// Missing here, and over there.
    Over,
    /// Newer than what is here.
    Newer,
}

/// Holds a listed document against the newest one stored.
pub(super) fn found(
    tx: &Tx<'_>,
    connection: ConnectionId,
    document: &Document,
) -> Result<Found, StoreError> {
    let entity = document.body.entity();
    let Some(known) = tx.latest_document(connection, entity, &document.key)? else {
        // What retention has dropped is known by its order.
        if tx
            .order_of_latest(connection, entity, &document.key)?
            .is_some()
        {
            return Ok(Found::Same);
        }
        return Ok(match document.order().map(|order| order.phase) {
            Some(OrderPhase::Completed | OrderPhase::Cancelled) => Found::Over,
            _ => Found::Missing,
        });
    };
    let newer = document.occurred_at > known.document.occurred_at;
    Ok(if newer && document.revision != known.document.revision {
        Found::Newer
    } else {
        Found::Same
    })
}

/// What the network shows of an order otherwise than it confirmed, one sentence each; and whether that is sure: what was told
/// just now may not show yet.
pub(super) fn differences(
    tx: &Tx<'_>,
    row: &OrderRow,
    listed: &Order,
    now: Millis,
) -> Result<(Vec<String>, bool), StoreError> {
    let jobs = tx.jobs_of_order(row.id)?;
    let fresh = |job: &JobRow| !card::is_card(job) && now - job.changed_at < GRACE_MS;
    let sure = !jobs.iter().any(fresh);
    let mut all = Vec::new();
    if listed.phase == OrderPhase::Cancelled {
        return Ok((all, sure));
    }
    if row.acknowledged_at.is_some() && listed.phase == OrderPhase::Open {
        all.push("It was acknowledged, and the network shows it as open.".to_owned());
    }
    let told = shipped::told(&jobs);
    let mut off = shipped::Units::new();
    for job in jobs.iter().filter(|job| cancel::count::is_back(job, row)) {
        if shipped::is_told(job) {
            quantities::add(&mut off, &job.units);
        }
    }
    for line in &listed.lines {
        let name = line
            .number
            .map_or_else(|| line.line.clone(), |n| n.to_string());
        for (what, here, there) in [
            ("shipped", told.get(&line.line), line.shipped),
            ("cancelled", off.get(&line.line), line.cancelled),
        ] {
            let here = here.copied().unwrap_or(Decimal::ZERO);
            let less = here.checked_sub(there).is_some_and(|d| d.units > 0);
            if less {
                all.push(format!(
                    "Line {name}: {} confirmed as {what}, and the network shows {}.",
                    here.normal(),
                    there.normal()
                ));
            }
        }
    }
    Ok((all, sure))
}

/// What the network shows of a confirmed invoice otherwise than it was sent.
pub(super) fn invoice(
    tx: &Tx<'_>,
    desk: &Desk,
    jobs: &[JobRow],
    job: &JobRow,
    shown: &[Document],
) -> Result<Vec<String>, StoreError> {
    let there = shown.iter().find_map(|document| match &document.body {
        Body::Invoice(there) if there.number == job.key => Some(there),
        _ => None,
    });
    let Some(there) = there else {
        return Ok(vec!["It was confirmed, and is not there.".to_owned()]);
    };
    let sent = show::invoice(desk, tx, jobs, job)?.map(|sent| sent.over.normal());
    let total = there.total.gross.normal();
    // A network may show no total; what retention has dropped cannot be compared.
    let other = sent.filter(|sent| *sent != total && total.units != 0);
    Ok(other
        .map(|sent| format!("Its total there is {total}, and {sent} was sent."))
        .into_iter()
        .collect())
}

/// What a sale is to us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sale {
    /// That of an order here, or about to be.
    Ours,
    /// None of our retailers bought it.
    Foreign,
    /// For a retailer or with the number of an order, and not ours: the order of that number, and a sentence.
    Unknown(Option<OrderId>, String),
}

/// Holds a listed sale against the orders that are known.
pub(super) fn sale(
    tx: &Tx<'_>,
    desk: &Desk,
    erp: ConnectionId,
    document: &Document,
    sale: &Order,
) -> Result<Sale, StoreError> {
    let key = &document.key;
    if tx.order_linked(erp, key)?.is_some() {
        return Ok(Sale::Ours);
    }
    let networks: Vec<ConnectionId> = desk
        .routes
        .iter()
        .filter(|route| route.entity == Entity::Order && route.to == erp)
        .map(|route| route.from)
        .collect();
    let number = sale.number.trim();
    let mut numbered = Vec::new();
    if !number.is_empty() {
        numbered = tx.search(number, SAME_NUMBER)?;
        numbered.retain(|row| row.number == number && networks.contains(&row.connection));
    }
    for row in &numbered {
        if is_about_to_be(tx, row, erp)? {
            return Ok(Sale::Ours);
        }
    }
    if let Some(row) = numbered.first() {
        let text = match &row.sale_number {
            Some(own) => {
                format!("Sale {key} has the number of order {number}, whose sale is {own}.")
            }
            None => {
                format!("Sale {key} has the number of order {number}, which has no sale of ours.")
            }
        };
        return Ok(Sale::Unknown(Some(row.id), text));
    }
    let Some(contact) = &sale.customer else {
        return Ok(Sale::Foreign);
    };
    for network in networks {
        if let Some(row) = order_of_consumer(tx, erp, contact, network)? {
            if is_about_to_be(tx, &row, erp)? {
                return Ok(Sale::Ours);
            }
            let of = &row.number;
            let text =
                format!("Sale {key} is for the consumer of order {of}, whose sale it is not.");
            return Ok(Sale::Unknown(Some(row.id), text));
        }
        let retailers = tx.cells_with(network, erp, crosswalk::CUSTOMERS, contact)?;
        if let Some(code) = retailers.first() {
            let known = tx.latest_document(network, Entity::Retailer, code)?;
            let name = match known.map(|stored| stored.document.body) {
                Some(Body::Retailer(retailer)) => retailer.name,
                _ => code.clone(),
            };
            let named = if number.is_empty() {
                String::new()
            } else {
                format!(", {number},")
            };
            return Ok(Sale::Unknown(
                None,
                format!("Sale {key}{named} is for {name} and of no order known here."),
            ));
        }
    }
    Ok(Sale::Foreign)
}

/// The order that has this customer for itself.
fn order_of_consumer(
    tx: &Tx<'_>,
    erp: ConnectionId,
    contact: &str,
    network: ConnectionId,
) -> Result<Option<OrderRow>, StoreError> {
    for link in tx.links_between(erp, Entity::Customer, contact, network)? {
        if link.entity == Entity::Customer
            && let Some(row) = tx.order_by_key(network, &link.key)?
        {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// Whether an order's sale may be the listed one: its creation is under way or in doubt, or it was complete when first read,
/// so that somebody else made it.
fn is_about_to_be(tx: &Tx<'_>, row: &OrderRow, erp: ConnectionId) -> Result<bool, StoreError> {
    if row.sale_key.is_some() {
        return Ok(false);
    }
    if row.stage == OrderStage::Shipped {
        return Ok(true);
    }
    for job in tx.jobs_of_order(row.id)? {
        let push = job.work == Work::Push(Entity::Order) && job.to == erp;
        if push && !job.state.is_done() && order::has_begun(tx, &job)? {
            return Ok(true);
        }
    }
    Ok(false)
}
