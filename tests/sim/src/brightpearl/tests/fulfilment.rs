//! Reservations, goods-out notes, webhooks.

use serde_json::{Value, json};

use super::{Bench, code, order};
use crate::vendor::Vendor;

fn note_of(bench: &mut Bench, id: i64, quantity: i64) -> (u16, Value) {
    let row = bench.sales_order(id)["rows"][0]["id"].clone();
    let body = json!({ "warehouses": [{
        "warehouseId": 2,
        "products": [{ "productId": 1001, "salesOrderRowId": row, "quantity": quantity }],
    }], "shippingMethodId": 12 });
    bench.call(
        "POST",
        &format!("/warehouse-service/order/{id}/goods-note/goods-out"),
        &body,
    )
}

fn level(bench: &mut Bench) -> Value {
    let (_, body) = bench.get("/warehouse-service/product-availability/1001");
    body["response"]["1001"]["warehouses"]["2"].clone()
}

#[test]
fn a_reservation_takes_what_is_on_hand_and_a_cancel_gives_it_back() {
    let mut bench = Bench::new();
    bench.control(
        "stock",
        &json!({ "productId": 1001, "warehouseId": 2, "inStock": 1 }),
    );
    let id = bench.sale(&order("PO-1"));
    let row = bench.sales_order(id)["rows"][0]["id"].clone();
    let body =
        json!({ "products": [{ "productId": 1001, "salesOrderRowId": row, "quantity": 2 }] });
    let path = format!("/warehouse-service/order/{id}/reservation");
    assert_eq!(bench.get(&path).0, 404);
    assert_eq!(
        bench.call("POST", &format!("{path}/warehouse/2"), &body),
        (200, json!({}))
    );
    assert_eq!(level(&mut bench)["onHand"], 0);
    assert_eq!(bench.sales_order(id)["allocationStatusCode"], "APA");
    let (_, kept) = bench.get(&path);
    assert_eq!(
        kept["response"][0]["orderRows"][row.to_string()]["quantity"],
        1
    );
    let second = bench.sale(&order("PO-2"));
    let row = bench.sales_order(second)["rows"][0]["id"].clone();
    let body =
        json!({ "products": [{ "productId": 1001, "salesOrderRowId": row, "quantity": 1 }] });
    let other = format!("/warehouse-service/order/{second}/reservation/warehouse/2");
    assert_eq!(bench.call("POST", &other, &body).0, 400, "nothing left");
    let none = json!({ "products": [{ "productId": 0, "salesOrderRowId": row, "quantity": 1 }] });
    assert_eq!(code(&bench.call("POST", &other, &none).1), "WHSC-014");
    bench.call(
        "PUT",
        &format!("/order-service/order/{id}/status"),
        &json!({ "orderStatusId": 5 }),
    );
    assert_eq!(level(&mut bench)["onHand"], 1);
    assert_eq!(bench.sales_order(id)["allocationStatusCode"], "ANA");
}

#[test]
fn a_note_leaves_in_parts_until_all_is_shipped() {
    let mut bench = Bench::new();
    bench.control(
        "stock",
        &json!({ "productId": 1001, "warehouseId": 2, "inStock": 10 }),
    );
    let id = bench.sale(&order("PO-1"));
    let (status, body) = note_of(&mut bench, id, 1);
    assert_eq!((status, &body["response"]), (200, &json!([700_001])));
    assert_eq!(
        level(&mut bench),
        json!({ "inStock": 10, "onHand": 9, "allocated": 1, "inTransit": 0 })
    );
    assert_eq!(note_of(&mut bench, id, 2).0, 400, "more than is open");
    let event = |code: &str| json!({ "events": [{ "eventCode": code, "occured": "2025-11-04T16:41:38.000Z", "eventOwnerId": 4 }] });
    let path = "/warehouse-service/goods-note/goods-out/700001";
    assert_eq!(
        bench.call("POST", &format!("{path}/event"), &event("PRI")),
        (200, json!({}))
    );
    assert_eq!(
        bench
            .call("POST", &format!("{path}/event"), &event("UPR"))
            .0,
        200
    );
    assert_eq!(
        bench
            .call("POST", &format!("{path}/event"), &event("SHW"))
            .0,
        200
    );
    assert_eq!(
        bench
            .call("POST", &format!("{path}/event"), &event("PRI"))
            .0,
        400,
        "not after shipping"
    );
    assert_eq!(
        level(&mut bench),
        json!({ "inStock": 9, "onHand": 9, "allocated": 0, "inTransit": 0 })
    );
    let sale = bench.sales_order(id);
    assert_eq!(
        (&sale["stockStatusCode"], &sale["shippingStatusCode"]),
        (&json!("SOP"), &json!("SPS"))
    );
    let late = json!({ "priority": false, "shipping": { "reference": "1Z999", "boxes": 1, "weight": 2.5 } });
    assert_eq!(bench.call("PUT", path, &late).0, 200);
    let (_, body) = bench.get("/warehouse-service/order/*/goods-note/goods-out/700001-700009");
    let note = &body["response"]["700001"];
    assert_eq!(note["shipping"]["reference"], "1Z999");
    assert_eq!(
        (&note["status"]["picked"], &note["status"]["shipped"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(note["status"]["shippedOn"], "2025-11-04T10:41:38.000-06:00");
    note_of(&mut bench, id, 1);
    bench.call(
        "POST",
        "/warehouse-service/goods-note/goods-out/700002/event",
        &event("SHW"),
    );
    assert_eq!(bench.sales_order(id)["shippingStatusCode"], "ASS");
    let shipped = bench.search("/warehouse-service/goods-note/goods-out-search?shipped=true&shippedOn=2025-11-04T00:00:00Z/");
    assert_eq!(shipped.len(), 2);
    assert_eq!(
        bench
            .get("/warehouse-service/order/9/goods-note/goods-out")
            .0,
        404
    );
    let gone = format!("/warehouse-service/order/{id}/goods-note/goods-out/700001");
    assert_eq!(bench.send("DELETE", &gone, None).status, 409);
}

#[test]
fn a_note_without_stock_is_refused_and_a_version_is_checked() {
    let mut bench = Bench::new();
    bench.control(
        "stock",
        &json!({ "productId": 1001, "warehouseId": 2, "inStock": 1 }),
    );
    let id = bench.sale(&order("PO-1"));
    assert_eq!(code(&note_of(&mut bench, id, 2).1), "WHSB-010");
    assert_eq!(note_of(&mut bench, id, 1).0, 200);
    let body = json!({ "events": [{ "eventCode": "SHW", "occured": "2025-11-04T16:41:38Z", "eventOwnerId": 4 }] });
    let req = crate::vendor::Req::new(
        "POST",
        "/public-api/simaccount/warehouse-service/goods-note/goods-out/700001/event",
    )
    .with_header("brightpearl-app-ref", "simaccount_waybill")
    .with_header("brightpearl-staff-token", "sim-staff-token")
    .with_header("if-match", "1")
    .with_json(&body);
    assert_eq!(bench.sim.handle(bench.now, &req).status, 412);
}

fn hook(event: &str, sets: bool) -> Value {
    json!({
        "subscribeTo": event, "httpMethod": "POST", "uriTemplate": "http://127.0.0.1:9/hook",
        "bodyTemplate": "{\"a\":\"${account-code}\",\"t\":\"${resource-type}\",\"id\":\"${resource-id}\",\"e\":\"${lifecycle-event}\",\"f\":\"${full-event}\"}",
        "contentType": "application/json", "idSetAccepted": sets, "qualityOfService": 1,
    })
}

#[test]
fn a_webhook_is_registered_listed_fed_and_deleted() {
    let mut bench = Bench::new();
    let path = "/integration-service/webhook";
    assert_eq!(code(&bench.get(path).1), "CMNC-404");
    assert_eq!(
        code(&bench.call("POST", path, &hook("order.created", true)).1),
        "INTC-064"
    );
    assert_eq!(
        code(&bench.call("POST", path, &hook("contact.created", true)).1),
        "INTC-064"
    );
    let mut bare = hook("order.modified", true);
    bare["bodyTemplate"] = json!("{}");
    let (_, body) = bench.call("POST", path, &bare);
    assert_eq!(
        (code(&body), body["errors"].as_array().unwrap().len()),
        ("INTC-057", 4)
    );
    assert_eq!(
        bench.call("POST", path, &hook("order.modified", true)).1,
        json!({ "response": 121 })
    );
    bench.sale(&order("PO-1"));
    bench.sale(&order("PO-2"));
    let now = bench.now;
    assert!(
        bench.sim.outbound(now).is_empty(),
        "ids are collected first"
    );
    let calls = bench.sim.outbound(now + 1_000);
    assert_eq!(calls.len(), 1);
    assert_eq!(
        serde_json::from_slice::<Value>(&calls[0].body).unwrap(),
        json!({ "a": "simaccount", "t": "order", "id": "100001-100002", "e": "modified", "f": "order.modified" })
    );
    bench.sim.outbound_done(now + 1_000, calls[0].id, Some(500));
    assert!(bench.sim.outbound(now + 30_000).is_empty());
    let again = bench.sim.outbound(now + 61_000);
    assert_eq!(again.len(), 1, "at least once");
    bench
        .sim
        .outbound_done(now + 61_000, again[0].id, Some(404));
    assert!(
        bench.sim.outbound(now + 900_000_000).is_empty(),
        "a 4xx ends it"
    );
    assert_eq!(
        bench.send("DELETE", &format!("{path}/121"), None).value(),
        json!({})
    );
    let resp = bench.send("DELETE", &format!("{path}/121"), None);
    assert_eq!(
        resp.value()["errors"][0]["message"],
        "Cannot find webhook: 121"
    );
    assert_eq!(resp.status, 404);
}

#[test]
fn events_are_told_in_order() {
    let mut bench = Bench::new();
    let id = bench.sale(&order("PO-1"));
    bench.control(
        &format!("order/{id}/ship"),
        &json!({ "reference": "1Z1", "shippingMethodId": 13 }),
    );
    let resp = bench.sim.control(
        bench.now,
        &crate::vendor::Req::new("GET", "/_sim/events?after=0"),
    );
    let events = resp.value()["events"].clone();
    let names: Vec<&str> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["event"].as_str().unwrap())
        .collect();
    assert_eq!(names[..2], ["sales-order.created", "order.modified"]);
    for name in [
        "goods-out-note.created",
        "product.modified.on-hand-modified",
        "goods-out-note.modified.printed",
        "goods-out-note.modified.shipped",
        "order.modified.fully-shipped",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let truth = bench.sim.truth();
    assert_eq!(truth["goodsOutNotes"][0]["reference"], "1Z1");
    assert_eq!(truth["goodsOutNotes"][0]["shippingMethodId"], 13);
    assert_eq!(truth["goodsOutNotes"][0]["shipped"], true);
}
