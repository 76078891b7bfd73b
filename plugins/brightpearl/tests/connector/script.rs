//! Owns what the tests share: the account's address, settings, fixtures, a sample order, a host with little time.

use serde_json::{Value, json};
use waybill_brightpearl::bindings::exports::waybill::connector::sink::Delivery;
use waybill_sdk::commerce::{
    Address, Body, Charge, Decimal, Document, Entity, Identifier, Method, Order, OrderLine,
    OrderPhase, Totals,
};
use waybill_sdk::effects::IoError;
use waybill_sdk::http::{Request, Response};
use waybill_sdk::links::Link;
use waybill_sdk::log::Level;
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::Context;
use waybill_sdk::{Core, Host};

/// 2025-11-03T14:05:10Z.
pub(crate) const NOW: i64 = 1_762_178_710_000;

pub(crate) fn url(path: &str) -> String {
    format!("http://127.0.0.1:4100/public-api/simaccount{path}")
}
pub(crate) fn get(path: &str) -> String {
    format!("GET {}", url(path))
}
pub(crate) fn post(path: &str) -> String {
    format!("POST {}", url(path))
}

pub(crate) const SALE: &str = "/order-service/sales-order";
pub(crate) const SEARCH: &str =
    "/order-service/order-search?externalRef=wb-1000123&columns=orderId,externalRef";
pub(crate) const SALE_SEARCH: &str =
    "/order-service/sales-order-search?externalRef=wb-1000123&columns=salesOrderId,externalRef";

pub(crate) fn fixture(name: &str) -> Value {
    let path = format!("{}/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    serde_json::from_str(&text).unwrap()
}
pub(crate) fn answer(name: &str) -> Answer {
    Answer::json(200, &fixture(name))
}
/// A search answer of order-search as sales-order-search gives it.
pub(crate) fn sale_search(name: &str) -> Answer {
    let mut body = fixture(name);
    body["response"]["metaData"]["columns"][0]["name"] = json!("salesOrderId");
    Answer::json(200, &body)
}
pub(crate) fn id(id: i64) -> Answer {
    Answer::json(200, &json!({ "response": id }))
}
pub(crate) fn errors(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(
        status,
        &json!({"errors": [{"code": code, "message": message}]}),
    )
}
pub(crate) fn throttled(ms: &str) -> Answer {
    let words = "You have sent too many requests. Please wait before sending another request";
    Answer::json(503, &json!({ "response": words }))
        .header("Brightpearl-Requests-Remaining", "0")
        .header("Brightpearl-Next-Throttle-Period", ms)
}

pub(crate) fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
    list.iter().map(own).collect()
}

pub(crate) fn settings() -> Vec<(String, String)> {
    pairs(&[
        ("base-url", "http://127.0.0.1:4100/public-api/simaccount"),
        ("app-ref", "simaccount_waybill"),
        ("auth", "staff"),
        ("instance-id", "34"),
        ("order-status", "22"),
        ("channel", "1"),
        ("warehouse", "3"),
        ("price-list", "3"),
        ("price-mode", "EXC"),
        ("currency", "EUR"),
        ("tax-code", "Z"),
        ("charge-tax-code", "T"),
        ("nominal-code", "4000"),
        ("nominal-shipping", "4040"),
    ])
}

/// The settings with these in their place; an empty value takes one out.
pub(crate) fn settings_with(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut all = settings();
    all.retain(|(key, _)| changes.iter().all(|(other, _)| other != key));
    all.extend(pairs(changes));
    all
}

pub(crate) fn context(attempt: u32) -> Context {
    Context {
        settings: settings(),
        attempt,
    }
}

pub(crate) fn dec(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

pub(crate) fn line(
    key: &str,
    product: &str,
    quantity: &str,
    price: &str,
    tax: Option<&str>,
) -> OrderLine {
    let identifier = |kind: &str, value: &str| Identifier {
        kind: kind.to_owned(),
        value: value.to_owned(),
    };
    OrderLine {
        line: key.to_owned(),
        number: None,
        identifiers: vec![identifier("mapped", product), identifier("sku", "MUG-BLU")],
        title: "Blue mug".to_owned(),
        quantity: dec(quantity),
        cancelled: dec("0"),
        shipped: dec("0"),
        unit_price: Some(dec(price)),
        tax: tax.map(dec),
        ship_by: None,
        warehouse: None,
        extras: Vec::new(),
    }
}

pub(crate) fn charge(kind: &str, title: &str, net: &str, tax: &str) -> Charge {
    Charge {
        kind: kind.to_owned(),
        title: title.to_owned(),
        amount: Totals {
            net: dec(net),
            tax: dec(tax),
            gross: dec(net).plus(dec(tax)).unwrap(),
        },
    }
}

/// An order as the agent hands it over: its codes are Brightpearl's.
pub(crate) fn order() -> Order {
    Order {
        number: "PO-778812".to_owned(),
        retailer: "acme".to_owned(),
        retailer_name: "Retailer Inc".to_owned(),
        kind: "dropship".to_owned(),
        test: false,
        phase: OrderPhase::Accepted,
        currency: Some("USD".to_owned()),
        placed_at: Some(1_762_178_700_000),
        acknowledge_by: None,
        ship_by: None,
        invoice_by: None,
        cancel_after: None,
        customer: Some("2051".to_owned()),
        warehouse: Some("2".to_owned()),
        shipping_method: Some(Method {
            carrier: None,
            name: None,
            code: Some("12".to_owned()),
        }),
        bill_to: None,
        ship_to: Address {
            name: "Jo Doe".to_owned(),
            company: None,
            attention: None,
            street: vec!["1 Way".to_owned(), "Unit 2".to_owned()],
            city: "Austin".to_owned(),
            region: Some("TX".to_owned()),
            postcode: "78701".to_owned(),
            country: Some("US".to_owned()),
            phone: Some("+1 512 555 0100".to_owned()),
            email: None,
        },
        lines: vec![
            line("L1", "1007", "2", "9.00", None),
            line("L2", "1008", "1", "5.005", Some("0.40")),
        ],
        charges: vec![
            charge("shipping", "Ground shipping", "7.50", "0.60"),
            charge("discount", "", "-1", "0"),
            charge("handling", "Handling", "0", "0"),
        ],
        total: None,
        supplier_number: None,
        extras: Vec::new(),
    }
}

pub(crate) fn document(key: &str, body: Body) -> Document {
    Document {
        key: key.to_owned(),
        revision: "1".to_owned(),
        occurred_at: NOW,
        body,
    }
}

pub(crate) fn delivery(key: &str, order: Order) -> Delivery {
    Delivery {
        document: document(key, Body::Order(order)),
        origin: None,
        links: Vec::new(),
        settings: pairs(&[("channel", "7")]),
    }
}

/// A host whose call is about to end.
pub(crate) struct Short(pub(crate) TestHost);

impl Core for Short {
    fn now_ms(&self) -> i64 {
        self.0.now_ms()
    }
    fn remaining_ms(&self) -> u32 {
        2_000
    }
    fn kv_get(&self, keys: &[String]) -> Vec<Option<Vec<u8>>> {
        self.0.kv_get(keys)
    }
    fn kv_scan(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<(String, Vec<u8>)> {
        self.0.kv_scan(prefix, after, limit)
    }
    fn kv_set(&self, key: &str, value: &[u8]) {
        self.0.kv_set(key, value);
    }
    fn kv_delete(&self, key: &str) {
        self.0.kv_delete(key);
    }
    fn links(&self, entity: Entity, keys: &[String]) -> Vec<Vec<Link>> {
        self.0.links(entity, keys)
    }
    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        self.0.log(level, message, fields);
    }
}

impl Host for Short {
    fn send(&self, request: &Request) -> Result<Response, IoError> {
        self.0.send(request)
    }
    fn retract(&self, step: &str, members: &[u32]) {
        self.0.retract(step, members);
    }
    fn quota(&self, remaining: u32, resets_in_ms: u32) {
        self.0.quota(remaining, resets_in_ms);
    }
}
