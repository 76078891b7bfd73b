//! Reporting shipments: up to a thousand in one call. What DSCO's own order shows already is not sent; after a doubt or
//! an earlier attempt the orders are looked at first. The object is made in `parcel.rs`, the call in `queue.rs`.

use crate::api::Api;
use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::files::sheet::SHIPMENTS;
use crate::files::upload;
use crate::lookup::{self, LOOK_MS, Shown};
use crate::order;
use crate::parcel::{self, Source};
use crate::queue::{self, Call, Member, put};
use crate::settings::{Flow, Shipping};
use crate::source::{no_api, order_by_key};
use crate::told::{Match, What};
use std::collections::BTreeSet;
use waybill_sdk::commerce::{Body, Document, Order};
use waybill_sdk::problem::done;
use waybill_sdk::types::{Failure, Receipt, Verdict};

const CALL: Call = Call {
    step: "ship",
    path: "/order/shipment/batch/small",
};
/// Pages of that search: a busy account has changed more orders than that, and a call in doubt is looked up anyway.
const PAGES: usize = 3;
/// How far back orders are searched for parcels of an earlier attempt at most.
const BACK_MS: i64 = 14 * 86_400_000;
/// An order may have been told of a parcel a little before the date that the shipment has.
const EARLIER_MS: i64 = 3_600_000;

/// Reports a batch. One verdict per member, in its order.
pub(crate) fn push(api: &Api<'_>, attempt: u32, batch: &[Delivery]) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = vec![Err(Failure::Retry(None)); batch.len()];
    let mut members = Vec::new();
    let mut looks = lookup::SINGLE_READS;
    for (index, delivery) in (0..).zip(batch) {
        match member(api, index, delivery, &mut looks) {
            Ok(Ready::Send(member)) => members.push(*member),
            Ok(Ready::There(receipt)) => put(&mut verdicts, index, done(receipt.already_there())),
            Err(failure) => put(&mut verdicts, index, Err(failure)),
        }
    }
    if api.config.by_files(Flow::Shipments) {
        let file = api.config.transfer.shipments_file;
        members = upload::send_fit(api, SHIPMENTS, file, attempt, batch, members, &mut verdicts);
    }
    if attempt > 1 && !members.is_empty() {
        members = adopt(api, batch, members, &mut verdicts);
    }
    queue::send_all(api, CALL, &members, &mut verdicts);
    verdicts
}

enum Ready {
    Send(Box<Member>),
    There(Receipt),
}

fn member(
    api: &Api<'_>,
    index: u32,
    delivery: &Delivery,
    looks: &mut usize,
) -> Result<Ready, Failure> {
    let Body::Shipment(shipment) = &delivery.document.body else {
        return Err(Failure::rejected(
            "unsupported",
            "DSCO's connector does not take documents of this kind.",
            "Update the connector.",
        ));
    };
    let read;
    let origin = if let Some(origin) = &delivery.origin {
        origin
    } else {
        read = origin(api, &shipment.order_key, looks)?;
        &read
    };
    let order = order_of(origin)?;
    let (told, body) = parcel::build(&Source {
        document: &delivery.document,
        shipment,
        key: &origin.key,
        order,
        settings: Shipping::read(api.config, &delivery.settings),
        now: api.host.now_ms(),
    })?;
    let member = Member {
        index,
        told,
        body,
        test: order.test,
    };
    Ok(known(member, order))
}

/// The order itself, where the agent has none.
fn origin(api: &Api<'_>, key: &str, looks: &mut usize) -> Result<Document, Failure> {
    if !api.config.api {
        return Err(no_api());
    }
    *looks = looks.checked_sub(1).ok_or(Failure::Retry(Some(0)))?;
    if api.host.remaining_ms() < LOOK_MS {
        return Err(Failure::Retry(Some(0)));
    }
    let order = order_by_key(api, key)?;
    let order = order.and_then(|order| order::document(api, &order, &order::Names::default()));
    order.ok_or_else(|| {
        Failure::rejected(
            "order-unknown",
            format!("DSCO has no order {key}, which this shipment is of."),
            "Look for the order in the DSCO portal; check that the credentials are those of the account it belongs to.",
        )
    })
}

fn order_of(document: &Document) -> Result<&Order, Failure> {
    match &document.body {
        Body::Order(order) => Ok(order),
        _ => Err(Failure::rejected(
            "no-order",
            "This shipment came without its order.",
            "This is a fault of the agent: send a support bundle.",
        )),
    }
}

/// Leaves out the parcels that DSCO's order shows: somebody entered them in the portal, or an answer of ours was lost.
/// One with other contents is left to DSCO to judge: what the agent holds may be old.
fn known(member: Member, order: &Order) -> Ready {
    let there = order::parcels(order);
    let What::Shipped { parcels, .. } = &member.told.what else {
        return Ready::Send(Box::new(member));
    };
    let same: BTreeSet<String> = parcels
        .iter()
        .filter(|parcel| parcel.among(&there) == Match::Same)
        .map(|parcel| parcel.tracking.clone())
        .collect();
    if same.len() == parcels.len() {
        return Ready::There(member.told.receipt());
    }
    Ready::Send(Box::new(member.without(&same)))
}

/// Looks at the orders of members that were tried before; what is there is adopted, the rest is handed back.
fn adopt(
    api: &Api<'_>,
    batch: &[Delivery],
    members: Vec<Member>,
    verdicts: &mut [Verdict],
) -> Vec<Member> {
    let dates = batch.iter().map(|delivery| {
        let at = match &delivery.document.body {
            Body::Shipment(shipment) => shipment.shipped_at,
            _ => None,
        };
        at.unwrap_or(i64::MAX).min(delivery.document.occurred_at)
    });
    let first = dates.min().unwrap_or_default().saturating_sub(EARLIER_MS);
    let since = first.max(api.host.now_ms() - BACK_MS);
    let all: Vec<&Member> = members.iter().collect();
    let mut found = match lookup::on_orders(api, &all, since, PAGES) {
        // What was not seen here is looked up once more where the call is in doubt.
        Ok((found, _)) => found,
        Err(failure) => {
            for member in &members {
                put(verdicts, member.index, Err(failure.clone()));
            }
            return Vec::new();
        }
    };
    let mut left = Vec::new();
    for member in members {
        match found.remove(&member.index) {
            Some(Shown::Verdict(verdict)) => put(verdicts, member.index, verdict),
            Some(Shown::Parcels(there)) => left.push(member.without(&there)),
            Some(Shown::Refused(_) | Shown::Nothing) | None => left.push(member),
        }
    }
    left
}
