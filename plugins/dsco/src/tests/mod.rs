//! Tests of the connector against fixtures and scripted answers. No network.

mod acknowledge;
mod confirm;
mod describe;
mod disk;
mod files;
mod files_feed;
mod files_look;
mod files_sent;
mod in_time;
mod invoice;
mod order;
mod partners;
mod pull;
mod sandbox;
mod sandbox_cancel;
mod sandbox_invoice;
mod sandbox_ship;
mod sandbox_stock;
mod ship;
mod stock;

use crate::api::Api;
use crate::settings::Config;
use crate::wire::order::Order as WireOrder;
use waybill_sdk::commerce::{Body, Document, Order};
use waybill_sdk::date;
use waybill_sdk::replay::TestHost;

pub(crate) const API: &str = "https://api.dsco.io/api/v3";
pub(crate) const CREATED: &str = include_str!("../../fixtures/order_created.json");
pub(crate) const MESSY: &str = include_str!("../../fixtures/order_messy.json");
pub(crate) const ASKED: &str = include_str!("../../fixtures/order_cancel_requested.json");

pub(crate) fn at(text: &str) -> i64 {
    date::parse(text).unwrap()
}

/// The time of every test, unless it says another.
pub(crate) fn now() -> i64 {
    at("2025-11-21T10:00:00Z")
}

pub(crate) fn wire(json: &str) -> WireOrder {
    serde_json::from_str(json).unwrap()
}

pub(crate) fn value(json: &str) -> serde_json::Value {
    serde_json::from_str(json).unwrap()
}

/// The fixture with other values.
#[expect(clippy::needless_pass_by_value, reason = "called with json! literals")]
pub(crate) fn with(json: &str, changes: serde_json::Value) -> String {
    let mut order = value(json);
    for (name, new) in changes.as_object().unwrap() {
        order[name] = new.clone();
    }
    order.to_string()
}

pub(crate) fn settings(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}

/// Runs something with an API over that host and these settings.
pub(crate) fn with_api<T>(
    host: &TestHost,
    pairs: &[(&str, &str)],
    run: impl FnOnce(&Api<'_>) -> T,
) -> T {
    let pairs = settings(pairs);
    let config = Config::read(&pairs);
    run(&Api::new(host, &config))
}

pub(crate) fn order(document: &Document) -> &Order {
    let Body::Order(order) = &document.body else {
        panic!("not an order: {document:?}");
    };
    order
}
