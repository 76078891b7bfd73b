//! What the warehouse does behind the API, webhooks that go astray, multi-messages that end badly, another app's requests.

use serde_json::{Value, json};

use super::{Bench, code, order};
use crate::brightpearl::Options;
use crate::catalogue::{PRODUCTS, products};
use crate::vendor::{Req, Vendor as _};

const SEARCH: &str = "/warehouse-service/goods-note/goods-out-search?shipped=true";

fn notes(bench: &mut Bench, set: &str) -> Value {
    let (status, body) = bench.get(&format!(
        "/warehouse-service/order/*/goods-note/goods-out/{set}"
    ));
    assert_eq!(status, 200, "{body}");
    body["response"].clone()
}

#[test]
fn a_kit_leaves_by_its_parts_and_an_empty_shelf_is_filled() {
    let mut bench = Bench::new();
    let kit = products(PRODUCTS)
        .into_iter()
        .find(|p| p.bundle.is_some())
        .unwrap();
    let mut body = order("PO-1");
    body["rows"][0]["productId"] = json!(kit.id);
    body["rows"][0]["quantity"] = json!("300");
    let id = bench.sale(&body);
    let rows = bench.sales_order(id)["rows"].clone();
    let children: Vec<&Value> = rows
        .as_array()
        .unwrap()
        .iter()
        .filter(|r| r["bundleChild"] == true)
        .collect();
    assert_eq!(
        (rows[0]["bundleParent"].clone(), children.len()),
        (json!(true), 2)
    );
    let first = children[0]["id"].to_string();
    let made = bench.control(
        &format!("order/{id}/note"),
        &json!({"rows": {first.as_str(): 300}, "stage": "packed",
        "reference": "1Z1", "shippingMethodId": 13, "warehouseId": 3}),
    );
    let note = made["goodsOutNoteId"].to_string();
    let seen = notes(&mut bench, &note)[&note].clone();
    assert_eq!(
        (&seen["status"]["packed"], &seen["status"]["shipped"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        seen["orderRows"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        [&first]
    );
    bench.control(&format!("note/{note}/edit"), &json!({"reference": "1Z2"}));
    bench.control(
        &format!("note/{note}/stage"),
        &json!({"stage": "shipped", "occured": "2025-11-01T10:00:00Z"}),
    );
    bench.control(
        &format!("order/{id}/note"),
        &json!({"stage": "shipped", "reference": "1Z3"}),
    );
    assert_eq!(bench.sales_order(id)["shippingStatusCode"], "ASS");
    let truth = bench.sim.truth();
    let told = &truth["goodsOutNotes"][0];
    assert_eq!(
        (&told["reference"], &told["shippedOn"]),
        (&json!("1Z2"), &json!("2025-11-01T10:00:00.000Z"))
    );
    assert_eq!(told["stage"], "shipped");
}

#[test]
fn a_deleted_note_is_gone_and_a_transfer_is_of_no_order() {
    let mut bench = Bench::new();
    let id = bench.sale(&order("PO-1"));
    let made = bench.control(&format!("order/{id}/note"), &json!({"stage": "picked"}));
    let note = made["goodsOutNoteId"].to_string();
    bench.control(&format!("note/{note}/delete"), &json!({}));
    let gone = format!("/warehouse-service/order/*/goods-note/goods-out/{note}");
    assert_eq!(bench.get(&gone).0, 404);
    assert_eq!(bench.sim.truth()["deletedNotes"][0]["orderId"], id);
    let made = bench.control(
        "transfer",
        &json!({"from": 2, "to": 3, "products": {"1001": 2}, "stage": "shipped"}),
    );
    let note = made["goodsOutNoteId"].to_string();
    let seen = notes(&mut bench, &note)[&note].clone();
    assert_eq!(
        (&seen["orderId"], &seen["transfer"]),
        (&json!(0), &json!(true))
    );
    assert_eq!(seen["transferRows"][0]["quantity"], 2);
    assert!(seen["orderRows"].is_null() && seen["stockTransferId"].is_i64());
}

#[test]
fn a_search_trails_the_news_that_a_note_left() {
    let mut bench = Bench::with(Options {
        search_lag_ms: 5_000,
        ..Options::default()
    });
    let id = bench.sale(&order("PO-1"));
    let made = bench.control(&format!("order/{id}/note"), &json!({}));
    let note = made["goodsOutNoteId"].to_string();
    bench.now += 6_000;
    bench.control(&format!("note/{note}/stage"), &json!({"stage": "shipped"}));
    assert!(bench.search(SEARCH).is_empty());
    assert_eq!(
        bench
            .search("/warehouse-service/goods-note/goods-out-search?shipped=false")
            .len(),
        1
    );
    assert_eq!(notes(&mut bench, &note)[&note]["status"]["shipped"], true);
    bench.now += 6_000;
    assert_eq!(bench.search(SEARCH).len(), 1);
}

fn hook(sets: bool) -> Value {
    json!({
        "subscribeTo": "order.modified", "httpMethod": "POST", "uriTemplate": "http://127.0.0.1:9/hook",
        "bodyTemplate": "{\"a\":\"${account-code}\",\"t\":\"${resource-type}\",\"id\":\"${resource-id}\",\"e\":\"${lifecycle-event}\"}",
        "contentType": "application/json", "idSetAccepted": sets, "qualityOfService": 0,
    })
}

fn ids(call: &crate::vendor::Outbound) -> String {
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    body["id"].as_str().unwrap().to_owned()
}

#[test]
fn webhooks_go_astray_on_command() {
    let mut bench = Bench::new();
    bench.call("POST", "/integration-service/webhook", &hook(false));
    bench.control(
        "settings",
        &json!({"hookDouble": 1.0, "hookDelayMs": 60_000}),
    );
    for number in 0..8 {
        bench.sale(&order(&format!("PO-{number}")));
    }
    let mut sent = Vec::new();
    for _ in 0..70 {
        bench.now += 1_000;
        for call in bench.sim.outbound(bench.now) {
            sent.push(ids(&call));
            bench.sim.outbound_done(bench.now, call.id, Some(200));
        }
    }
    assert_eq!(sent.len(), 16, "each twice");
    let mut sorted = sent.clone();
    sorted.sort();
    assert_ne!(sent, sorted, "out of order");
    bench.control(
        "settings",
        &json!({"hookDouble": 0.0, "hookDelayMs": 0, "hookLose": 1.0}),
    );
    bench.sale(&order("PO-9"));
    assert!(bench.sim.outbound(bench.now + 1_000).is_empty());
    let report = bench
        .sim
        .control(bench.now, &Req::new("GET", "/_sim/hooks"))
        .value();
    assert_eq!(
        (&report["lost"], &report["doubled"], &report["sent"]),
        (&json!(1), &json!(8), &json!(16))
    );
    assert_eq!(report["answered"]["200"], 16);
    assert_eq!(report["registered"][0]["id"], 121);
}

#[test]
fn at_most_once_is_repeated_only_after_503() {
    let mut bench = Bench::new();
    bench.call("POST", "/integration-service/webhook", &hook(true));
    bench.sale(&order("PO-1"));
    let now = bench.now + 1_000;
    let call = bench.sim.outbound(now).remove(0);
    bench.sim.outbound_done(now, call.id, Some(503));
    let call = bench.sim.outbound(now + 61_000).remove(0);
    bench.sim.outbound_done(now + 61_000, call.id, None);
    assert!(bench.sim.outbound(now + 900_000_000).is_empty());
}

#[test]
fn a_simulation_sends_test_data() {
    let mut bench = Bench::new();
    bench.call("POST", "/integration-service/webhook", &hook(false));
    let path = "/integration-service/webhook/121/simulate";
    let test = |set: &str| {
        json!({"testData": {"${resource-type}": "product", "${resource-id}": set,
        "${lifecycle-event}": "modified", "${resource-specifier}": "on-hand-modified"}})
    };
    assert_eq!(bench.call("POST", path, &test("1-11")).0, 400);
    assert_eq!(
        bench
            .call(
                "POST",
                "/integration-service/webhook/7/simulate",
                &test("1")
            )
            .0,
        404
    );
    assert_eq!(bench.call("POST", path, &test("1001-1002,1010")).0, 200);
    let sent: Vec<String> = bench.sim.outbound(bench.now).iter().map(ids).collect();
    assert_eq!(sent, ["1001", "1002", "1010"]);
}

fn envelope(count: usize) -> Value {
    let messages: Vec<Value> = (0..count)
        .map(|n| json!({"label": format!("m{n}"), "uri": "/order-service/sales-order", "httpMethod": "POST",
            "body": order(&format!("PO-{n}"))}))
        .collect();
    json!({"processingMode": "SEQUENTIAL", "onFail": "CONTINUE", "messages": messages})
}

#[test]
fn multi_messages_end_badly_on_command() {
    let mut bench = Bench::new();
    bench.control(
        "settings",
        &json!({"multiFailNext": 1, "multiFailStatus": 503, "multiStopAfter": [6]}),
    );
    let (status, body) = bench.call("POST", "/multi-message", &envelope(10));
    assert_eq!(status, 207);
    let done = body["response"]["processedMessages"].as_array().unwrap();
    assert_eq!(
        (done.len(), &done[0]["statusCode"], &done[1]["statusCode"]),
        (6, &json!(503), &json!(200))
    );
    assert_eq!(
        body["response"]["unprocessedMessages"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    assert_eq!(bench.sim.truth()["orders"].as_array().unwrap().len(), 5);
    bench.control("settings", &json!({"multiStatus": 404}));
    let (status, body) = bench.call("POST", "/multi-message", &envelope(2));
    assert_eq!((status, code(&body)), (404, "CMNC-404"));
    bench.control("settings", &json!({"multiStatus": null}));
    assert_eq!(
        bench.call("POST", "/multi-message", &envelope(2)).0,
        207,
        "two are there already"
    );
}

#[test]
fn another_app_leaves_little_of_the_pool() {
    let mut bench = Bench::new();
    bench.control("settings", &json!({"burnPerMinute": 150}));
    let mut left = String::new();
    for _ in 0..30 {
        bench.now += 1_000;
        let resp = bench.send("GET", "/order-service/order-status", None);
        assert_eq!(resp.status, 200);
        let header = resp
            .headers
            .iter()
            .find(|(n, _)| n == "Brightpearl-Requests-Remaining");
        left = header.unwrap().1.clone();
    }
    assert_eq!(left, "98", "200 less 30 of its own and 72 of the other app");
}
