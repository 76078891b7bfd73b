//! Tests of invoices on the pure state machine: what may be invoiced under which policy, how it is read and followed.

use serde_json::{Value, json};

use super::tests::{Sim, usual};

const RETAILER: &str = "1000007001";

fn with(mut object: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

/// An order of two lines, 2 and 3 units at 9.50 and 6.00; the first parcel holds the first line, the second the other.
fn shipped(sim: &mut Sim) -> String {
    let id = sim.order(&json!({"lines": [
        {"sku": "TEE-BLK-M", "quantity": 2, "cost_cents": 950},
        {"sku": "CAP-BLK-S", "quantity": 3, "cost_cents": 600}]}));
    let parcel = |tracking: &str, sku: &str, quantity: i64| {
        json!({"trackingNumber": tracking, "shippingServiceLevelCode": "UPCG",
            "lineItems": [{"sku": sku, "quantity": quantity}]})
    };
    let parcels = [parcel("1Z1", "TEE-BLK-M", 2), parcel("1Z2", "CAP-BLK-S", 3)];
    let body = json!({"dscoOrderId": id, "shipments": parcels});
    let (status, answer) = sim.post("/order/singleShipment", &body);
    assert_eq!(status, 201, "{answer}");
    sim.pass(1000);
    id
}

/// The first line of such an order.
fn invoice(id: &str, number: &str) -> Value {
    json!({"invoiceId": number, "dscoOrderId": id, "totalAmount": 19.0, "lineItemsSubtotal": 19.0,
        "ship": {"trackingNumber": "1Z1"},
        "lineItems": [{"lineNumber": 1, "sku": "TEE-BLK-M", "quantity": 2, "unitPrice": 9.5, "extendedAmount": 19.0}]})
}

fn second(id: &str, number: &str) -> Value {
    json!({"invoiceId": number, "dscoOrderId": id, "totalAmount": 18, "ship": {"trackingNumber": "1Z2"},
        "lineItems": [{"lineNumber": 2, "sku": "CAP-BLK-S", "quantity": 3, "unitPrice": 6}]})
}

fn rules(sim: &mut Sim, rules: &Value) {
    let mut retailers = json!({});
    retailers[RETAILER] = rules.clone();
    let (status, answer) = sim.control("settings", &json!({"retailers": retailers}));
    assert_eq!(status, 200, "{answer}");
}

fn write(sim: &mut Sim, body: &Value) -> Vec<Value> {
    let (status, answer) = sim.post("/invoice/batch/small", body);
    assert_eq!((status, &answer["status"]), (202, &json!("pending")));
    sim.pass(1000);
    let id = answer["requestId"].as_str().unwrap();
    let (_, log) = sim.get(&format!("/invoice/log?requestId={id}"));
    assert_eq!(log["status"], "COMPLETED");
    log["logs"].as_array().unwrap().clone()
}

fn refusal(sim: &mut Sim, body: &Value) -> String {
    let log = write(sim, &json!([body]));
    assert_eq!(log[0]["status"], "failure", "{body}");
    log[0]["results"].to_string()
}

fn accept(sim: &mut Sim, body: &Value) -> Value {
    let log = write(sim, &json!([body]));
    assert_eq!(log[0]["status"], "success", "{log:?}");
    log[0]["results"].clone()
}

fn truth(sim: &mut Sim, id: &str) -> Value {
    use crate::vendor::{Req, Vendor as _};
    let req = Req::new("GET", &format!("/_sim/orders/{id}"));
    sim.sandbox.control(sim.now, &req).value()
}

#[test]
fn an_invoice_is_taken_read_by_every_key_and_told_in_its_own_log() {
    let mut sim = usual();
    let id = shipped(&mut sim);
    accept(&mut sim, &invoice(&id, "INV-1"));
    let order = sim.read(&id);
    let po = order["poNumber"].as_str().unwrap().to_owned();
    for (key, value) in [
        ("invoiceId", "INV-1"),
        ("poNumber", &*po),
        ("trackingNumber", "1Z1"),
    ] {
        let (status, found) = sim.get(&format!("/invoice?key={key}&value={value}"));
        assert_eq!(
            (status, &found["invoices"][0]["invoiceId"]),
            (200, &json!("INV-1")),
            "{key}"
        );
        assert_eq!(found["invoices"][0]["dscoOrderId"], json!(id));
    }
    let (_, found) = sim.get("/invoice?key=invoiceId&value=INV-1");
    let own = found["invoices"][0]["dscoInvoiceId"]
        .as_str()
        .unwrap()
        .to_owned();
    let (_, again) = sim.get(&format!("/invoice?key=dscoInvoiceId&value={own}"));
    assert_eq!(again, found);
    assert_eq!(
        sim.get("/invoice?key=invoiceId&value=INV-2").1,
        json!({"invoices": []})
    );
    assert_eq!(sim.get("/invoice?key=name&value=x").0, 400);
    let told = truth(&mut sim, &id);
    assert_eq!(told["invoices"][0]["total"], "19.00");
    assert_eq!(
        (&told["lines"][0]["invoiced"], &told["lines"][1]["invoiced"]),
        (&json!(2), &json!(0))
    );
}

#[test]
fn an_invoice_is_seen_only_after_a_while() {
    let mut sim = Sim::new(&json!({"d3_ms": 5000, "d3_max_ms": 5000}));
    let id = shipped(&mut sim);
    accept(&mut sim, &invoice(&id, "INV-1"));
    let path = "/invoice?key=invoiceId&value=INV-1";
    assert_eq!(sim.get(path).1, json!({"invoices": []}));
    sim.pass(5000);
    assert_eq!(sim.get(path).1["invoices"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_wrong_with_an_invoice_is_refused() {
    let mut sim = usual();
    let id = shipped(&mut sim);
    let good = || invoice(&id, "INV-9");
    let line = |changes: Value| {
        let line = with(good()["lineItems"][0].clone(), &changes);
        with(good(), &json!({"lineItems": [line]}))
    };
    for (bad, words) in [
        (
            with(good(), &json!({"invoiceId": null})),
            "invoiceId is required",
        ),
        (
            with(good(), &json!({"totalAmount": null})),
            "totalAmount is required",
        ),
        (
            with(good(), &json!({"totalAmount": 19.001})),
            "at most 2 decimals",
        ),
        (
            with(good(), &json!({"lineItems": []})),
            "lineItems is required",
        ),
        (
            with(good(), &json!({"trackingNumber": "1Z1"})),
            "trackingNumber is not a field",
        ),
        (with(good(), &json!({"dscoOrderId": "1"})), "was not found"),
        (line(json!({"unitPrice": null})), "unitPrice is required"),
        (line(json!({"quantity": 0})), "at least 1"),
        (
            line(json!({"quantity": 3})),
            "has 2 units available to invoice, not 3",
        ),
        (line(json!({"lineNumber": 2})), "does not fit"),
        (line(json!({"sku": "MUG-BLK-S"})), "is not on the order"),
    ] {
        let found = refusal(&mut sim, &bad);
        assert!(found.contains(words), "{bad}: {found}");
        assert_eq!(sim.post("/invoice", &bad).0, 400);
    }
    let (status, _) = sim.post("/invoice", &good());
    assert_eq!(status, 201);
    let found = refusal(&mut sim, &second(&id, "INV-9"));
    assert!(found.contains("INV-9 is a duplicate"), "{found}");
    let found = refusal(&mut sim, &invoice(&id, "INV-10"));
    assert!(found.contains("0 units available"), "{found}");
    assert_eq!(sim.post("/invoice/batch/small", &good()).0, 400);
}

#[test]
fn nothing_can_be_invoiced_before_it_is_shipped() {
    let mut sim = usual();
    let id = sim.order(&json!({"lines": [{"sku": "TEE-BLK-M", "quantity": 2}]}));
    let found = refusal(&mut sim, &invoice(&id, "INV-1"));
    assert!(found.contains("0 units available"), "{found}");
}

#[test]
fn totals_are_warned_of_or_refused() {
    let mut sim = usual();
    let id = shipped(&mut sim);
    let charged = with(
        invoice(&id, "INV-1"),
        &json!({"totalAmount": 24.35, "freightAmount": 5, "handlingAmount": 1.1, "salesTaxAmount": 0.25,
            "credits": [{"title": "x", "amount": 1}], "subtotalExcludingLineItems": 5.35}),
    );
    assert_eq!(accept(&mut sim, &charged), json!([]));
    let off = with(second(&id, "INV-2"), &json!({"totalAmount": 18.01}));
    assert!(accept(&mut sim, &off).to_string().contains("not the sum"));
    let id = shipped(&mut sim);
    rules(&mut sim, &json!({"refuse_wrong_totals": true}));
    let off = with(second(&id, "INV-3"), &json!({"lineItemsSubtotal": 17}));
    assert!(refusal(&mut sim, &off).contains("not the sum"));
    accept(&mut sim, &second(&id, "INV-3"));
}

#[test]
fn policies_of_retailers_are_kept() {
    let mut sim = usual();
    let id = shipped(&mut sim);
    rules(&mut sim, &json!({"invoices": "none"}));
    assert!(refusal(&mut sim, &invoice(&id, "A")).contains("allows no invoices"));
    rules(&mut sim, &json!({"invoices": "order"}));
    accept(&mut sim, &invoice(&id, "A"));
    assert!(refusal(&mut sim, &second(&id, "B")).contains("one invoice per order"));
    let id = shipped(&mut sim);
    rules(&mut sim, &json!({"invoices": "shipment"}));
    let wrong = with(
        invoice(&id, "C"),
        &json!({"ship": {"trackingNumber": "1Z2"}}),
    );
    assert!(refusal(&mut sim, &wrong).contains("one invoice per shipment"));
    accept(&mut sim, &invoice(&id, "C"));
    accept(&mut sim, &second(&id, "D"));
    let id = shipped(&mut sim);
    rules(&mut sim, &json!({"invoices": "whole-lines"}));
    let mut part = second(&id, "E");
    part["lineItems"][0]["quantity"] = json!(1);
    assert!(refusal(&mut sim, &part).contains("line 2 as a whole"));
    accept(&mut sim, &second(&id, "E"));
}

#[test]
fn fields_are_required_or_unwanted_by_retailers() {
    let mut sim = usual();
    let id = shipped(&mut sim);
    rules(
        &mut sim,
        &json!({"require_invoice": ["invoiceDate", "terms", "ship.trackingNumber", "lineNumber"]}),
    );
    let found = refusal(&mut sim, &invoice(&id, "A"));
    assert!(
        found.contains("invoiceDate is required") && found.contains("terms"),
        "{found}"
    );
    assert!(
        !found.contains("lineNumber") && !found.contains("ship."),
        "{found}"
    );
    rules(
        &mut sim,
        &json!({"invoice_fields": ["invoiceId", "dscoOrderId", "totalAmount", "lineItems", "ship"]}),
    );
    let found = refusal(&mut sim, &invoice(&id, "A"));
    assert!(
        found.contains("does not take the field lineItemsSubtotal"),
        "{found}"
    );
    accept(&mut sim, &second(&id, "A"));
}
