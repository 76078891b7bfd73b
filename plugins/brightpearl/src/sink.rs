//! Owns pushing: which member is sent, and when a batch stops early. What one order or one retailer becomes is in
//! `push_order.rs` and `push_customer.rs`, how several go together in `push_orders.rs`. Must not know the wire.

use crate::api::Api;
use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::settings::Settings;
use crate::{push_cancel, push_customer, push_order, push_orders};
use std::collections::BTreeMap;
use waybill_sdk::Host;
use waybill_sdk::commerce::{Body, Document};
use waybill_sdk::links::Link;
use waybill_sdk::types::{Context, Failure, Outcome, Receipt, Verdict};

/// A member is not begun with less time than this: its call would be cut off and end in doubt.
const ENOUGH_MS: u32 = 12_000;

/// One member of a batch.
pub struct Member<'a> {
    /// Codes translated.
    pub document: &'a Document,
    /// Which of our records belong to it.
    pub links: &'a [Link],
    /// The retailer's settings over the connection's.
    pub settings: Settings<'a>,
    /// The connection's alone.
    pub connection: Settings<'a>,
    /// Its place in the batch.
    pub index: u32,
    /// From 1.
    pub attempt: u32,
}

/// Writes a batch; one verdict per member, in its order.
pub fn push(host: &dyn Host, ctx: &Context, batch: &[Delivery]) -> Result<Vec<Verdict>, Failure> {
    let connection = Settings::of(&ctx.settings);
    let api = Api::new(host, connection)?;
    let members: Vec<Member<'_>> = (0..)
        .zip(batch)
        .map(|(index, delivery)| Member {
            document: &delivery.document,
            links: &delivery.links,
            settings: connection.with(&delivery.settings),
            connection,
            index,
            attempt: ctx.attempt,
        })
        .collect();
    let mut sales = Vec::new();
    let mut verdicts = BTreeMap::new();
    for member in &members {
        let verdict = match (stopped(&api, member.index == 0), &member.document.body) {
            (Some(failure), _) => Err(failure),
            (None, Body::Order(order)) => match push_order::prepare(&api, member, order) {
                Ok(case) => {
                    sales.push(case);
                    continue;
                }
                Err(verdict) => verdict,
            },
            (None, Body::Customer(customer)) => push_customer::push(&api, member, customer),
            (None, Body::Cancellation(cancellation)) => {
                push_cancel::push(&api, member, cancellation)
            }
            (None, _) => Err(Failure::rejected(
                "unsupported",
                "Brightpearl's connector does not take documents of this kind.",
                "Update the connector.",
            )),
        };
        verdicts.insert(member.index, verdict);
    }
    verdicts.extend(push_orders::push(&api, sales));
    // A member without a verdict would shift all others: it is tried again.
    let verdict = |member: &Member<'_>| verdicts.remove(&member.index);
    Ok(members
        .iter()
        .map(verdict)
        .map(|verdict| verdict.unwrap_or(Err(Failure::Retry(None))))
        .collect())
}

/// Why no further call is begun. What holds for every call (throttle, credentials) is not asked again for each member.
pub fn stopped(api: &Api<'_>, is_first: bool) -> Option<Failure> {
    api.closed().or_else(|| {
        let late = !is_first && api.host.remaining_ms() < ENOUGH_MS;
        late.then_some(Failure::Retry(None))
    })
}

/// The verdict of a record that was made now.
pub fn made(id: i64) -> Verdict {
    let key = id.to_string();
    Ok(Outcome::Done(Receipt::of(key.clone()).numbered(Some(key))))
}

/// The verdict of a record that was there already.
pub fn adopted(id: i64) -> Verdict {
    let key = id.to_string();
    Ok(Outcome::Done(
        Receipt::of(key.clone()).numbered(Some(key)).already_there(),
    ))
}

/// A person must look: the search does not tell.
pub fn unclear(what: &str, reference: &str) -> Failure {
    Failure::InDoubt(waybill_sdk::types::Problem::new(
        "cannot-look-up",
        format!(
            "{what} was sent, the answer was lost, and Brightpearl's search does not say whether it is there."
        ),
        format!("Look in Brightpearl for the reference {reference}, then say here what you found."),
    ))
}
