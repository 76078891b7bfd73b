//! Owns pushing: which member is sent, and when a batch stops early. What one order or one retailer becomes is in
//! `push_order.rs` and `push_customer.rs`. Must not know the wire.

use crate::api::Api;
use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::settings::Settings;
use crate::{push_customer, push_order};
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
    /// Its place in the batch.
    pub index: u32,
    /// From 1.
    pub attempt: u32,
}

/// Writes a batch; one verdict per member, in its order.
pub fn push(host: &dyn Host, ctx: &Context, batch: &[Delivery]) -> Result<Vec<Verdict>, Failure> {
    let connection = Settings::of(&ctx.settings);
    let api = Api::new(host, connection)?;
    let mut verdicts: Vec<Verdict> = Vec::with_capacity(batch.len());
    for (index, delivery) in (0..).zip(batch) {
        // What holds for every further call (throttle, credentials) is not asked again for each member.
        if let Some(failure) = api.closed() {
            verdicts.push(Err(failure));
            continue;
        }
        if index > 0 && host.remaining_ms() < ENOUGH_MS {
            verdicts.push(Err(Failure::Retry(None)));
            continue;
        }
        let member = Member {
            document: &delivery.document,
            links: &delivery.links,
            settings: connection.with(&delivery.settings),
            index,
            attempt: ctx.attempt,
        };
        let verdict = match &delivery.document.body {
            Body::Order(order) => push_order::push(&api, &member, order),
            Body::Customer(customer) => push_customer::push(&api, &member, customer),
            _ => Err(Failure::rejected(
                "unsupported",
                "Brightpearl's connector does not take documents of this kind.",
                "Update the connector.",
            )),
        };
        verdicts.push(verdict);
    }
    Ok(verdicts)
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
