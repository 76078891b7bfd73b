//! Making, reading and changing orders.

use serde_json::{Value, json};

use super::{Bench, code, order};
use crate::brightpearl::{DuplicateRef, Options};
use crate::vendor::Vendor;

const SALES: &str = "/order-service/sales-order";

#[test]
fn a_sale_reads_back_in_both_shapes() {
    let mut bench = Bench::new();
    let id = bench.sale(&order("PO-1"));
    assert_eq!(id, 100_001);
    let sale = bench.sales_order(id);
    assert_eq!(sale["ref"], "PO-1");
    assert_eq!(sale["externalRef"], "dsco:PO-1");
    assert_eq!(sale["installedIntegrationInstanceId"], 34);
    assert_eq!(sale["createdOn"], "2025-11-03T08:05:00.000-06:00");
    assert_eq!(sale["taxDate"], "2025-11-02T18:00:00.000-06:00");
    assert!(sale.get("updatedOn").is_none());
    assert_eq!(sale["total"]["gross"], "18.00");
    assert_eq!(sale["rows"][0]["quantity"], "2.0000");
    assert_eq!(sale["rows"][0]["net"], "18.0000");
    assert_eq!(sale["rows"][0]["productPrice"], "9.0000");
    assert_eq!(sale["rows"][0]["externalRef"], "1");
    assert_eq!(sale["delivery"]["address"]["addressFullName"], "Ann O'Neil");
    assert_eq!(
        sale["customer"]["address"]["companyName"], "Counter Sales",
        "the contact's own address"
    );
    assert_eq!(
        (&sale["stockStatusCode"], &sale["allocationStatusCode"]),
        (&json!("SON"), &json!("ANA"))
    );
    assert_eq!(sale["isCanceled"], false);
    let raw = bench.send("GET", &format!("{SALES}/{id}"), None).body;
    assert!(String::from_utf8(raw).unwrap().contains("O\\u0027Neil"));
    let (_, body) = bench.get(&format!("/order-service/order/{id}"));
    let view = &body["response"][0];
    let row = sale["rows"][0]["id"].to_string();
    assert_eq!(
        view["orderRows"][&row]["productSku"],
        sale["rows"][0]["sku"]
    );
    assert_eq!(view["orderRows"][&row]["orderRowSequence"], "10");
    assert_eq!(
        view["orderStatus"],
        json!({ "orderStatusId": 22, "name": "New DSCO order" })
    );
    assert_eq!(view["invoices"][0]["invoiceReference"], "");
    assert_eq!(view["version"], 0);
    assert_eq!(view["parties"]["delivery"]["countryIsoCode3"], "USA");
    assert_eq!(view["currency"]["exchangeRate"], "1.000000");
    assert!(view.get("customFields").is_none());
}

#[test]
fn every_wrong_part_is_refused_and_nothing_is_kept() {
    let mut bench = Bench::new();
    let cases: [(&str, Value, &str); 20] = [
        ("/customer", json!({ "id": 999 }), "ORDC-002"),
        ("/customer", json!({}), "ORDC-001"),
        ("/statusId", json!(99), "ORDC-007"),
        ("/statusId", json!(6), "ORDC-007"),
        ("/statusId", json!(24), "ORDC-007"),
        ("/channelId", json!(99), "ORDC-010"),
        ("/warehouseId", json!(99), "ORDC-011"),
        ("/priceListId", json!(99), "ORDC-012"),
        ("/currency/code", json!("XYZ"), "ORDC-017"),
        ("/delivery/shippingMethodId", json!(999), "ORDC-013"),
        (
            "/delivery/address/countryIsoCode",
            json!("Narnia"),
            "ORDC-020",
        ),
        ("/ref", json!("x".repeat(65)), "ORDC-031"),
        ("/rows/0/productId", json!(9999), "ORDC-027"),
        ("/rows/0/productId", Value::Null, "ORDC-026"),
        ("/rows/0/taxCode", json!("X"), "ORDC-035"),
        ("/rows/0/nominalCode", json!("1"), "ORDC-036"),
        ("/rows/0/quantity", json!("1.5"), "ORDC-029"),
        ("/rows/0/net", json!("1.23456"), "ORDC-033"),
        ("/rows/0/tax", Value::Null, "ORDC-034"),
        ("/placedOn", json!("soon"), "ORDC-030"),
    ];
    for (path, value, expected) in cases {
        let mut body = order("PO-1");
        *body.pointer_mut(path).unwrap_or(&mut Value::Null) = value.clone();
        set(&mut body, path, value);
        let (status, answer) = bench.call("POST", SALES, &body);
        assert_eq!((status, code(&answer)), (400, expected), "{path}: {answer}");
        assert!(answer.get("response").is_none());
    }
    let mut body = order("PO-1");
    body["channelId"] = json!(99);
    body["rows"][0]["taxCode"] = json!("X");
    let (_, answer) = bench.call("POST", SALES, &body);
    assert_eq!(
        answer["errors"].as_array().unwrap().len(),
        2,
        "all faults at once"
    );
    assert_eq!(bench.sim.truth()["orders"], json!([]));
    assert_eq!(bench.sale(&order("PO-1")), 100_001);
}

/// Sets a value by JSON pointer, making the last key.
fn set(body: &mut Value, path: &str, value: Value) {
    let (parent, key) = path.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[key] = value;
}

#[test]
fn quantities_and_references_may_be_at_their_limits() {
    let mut bench = Bench::new();
    let mut body = order(&"x".repeat(64));
    body["rows"] = json!([
        { "productId": 1001, "quantity": 2.0, "taxCode": "Z", "net": 18, "tax": 0 },
        { "productId": 1094, "quantity": "1.2500", "taxCode": "Z", "net": "3.3333", "tax": "0.0001" },
        { "name": "Gift wrap", "quantity": 1, "taxCode": "Z", "net": "-1.50", "tax": "0.00", "nominalCode": "4040" },
    ]);
    let id = bench.sale(&body);
    let sale = bench.sales_order(id);
    assert_eq!(sale["rows"][2]["productId"], 1000);
    assert!(sale["rows"][2].get("sku").is_none());
    assert_eq!(sale["total"]["net"], "19.83");
    assert_eq!(sale["rows"][1]["tax"], "0.0001");
    let mut free = order("PO-2");
    free["rows"] = json!([]);
    let id = bench.sale(&free);
    let sale = bench.sales_order(id);
    assert_eq!(sale["stockStatusCode"], "NON");
    assert_eq!(sale["shippingStatusCode"], "NST");
    assert_eq!(sale["orderPaymentStatus"], "NOT_APPLICABLE");
}

#[test]
fn a_bundle_row_brings_its_children() {
    let mut bench = Bench::new();
    let mut body = order("PO-1");
    body["rows"][0]["productId"] = json!(1096);
    let id = bench.sale(&body);
    let sale = bench.sales_order(id);
    let rows = sale["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(
        (&rows[0]["bundleParent"], &rows[0]["parentRowId"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(rows[2]["parentRowId"], rows[0]["id"]);
    assert_eq!(
        (&rows[2]["quantity"], &rows[2]["net"]),
        (&json!("4.0000"), &json!("0.0000"))
    );
    assert_eq!(sale["total"]["net"], "18.00");
    assert_eq!(sale["stockStatusCode"], "SON");
}

#[test]
fn a_reference_pair_is_taken_once() {
    for (mode, expected) in [
        (DuplicateRef::Status400, 400),
        (DuplicateRef::Status409, 409),
    ] {
        let mut bench = Bench::with(Options {
            duplicate_ref: mode,
            ..Options::default()
        });
        bench.sale(&order("PO-1"));
        let (status, body) = bench.call("POST", SALES, &order("PO-1"));
        assert_eq!((status, code(&body)), (expected, "ORDB-001"));
        let mut other = order("PO-1");
        other["installedIntegrationInstanceId"] = json!(35);
        bench.sale(&other);
        let mut none = order("PO-1");
        none["installedIntegrationInstanceId"] = Value::Null;
        bench.sale(&none);
        bench.sale(&none);
        bench.control("settings", &json!({ "enforceUniquePair": false }));
        bench.sale(&order("PO-1"));
        assert_eq!(bench.sim.truth()["orders"].as_array().unwrap().len(), 5);
    }
}

#[test]
fn unknown_ids_are_skipped_in_the_way_of_each_resource() {
    let mut bench = Bench::new();
    let id = bench.sale(&order("PO-1"));
    assert_eq!(
        bench.get("/order-service/order/9"),
        (200, json!({ "response": [] }))
    );
    assert_eq!(bench.get(&format!("/order-service/order/9,{id}")).0, 200);
    assert_eq!(bench.get(&format!("{SALES}/9,{id}")).0, 207);
    assert_eq!(
        bench.get(&format!("{SALES}/9")),
        (200, json!({ "response": [] }))
    );
    assert_eq!(bench.get("/order-service/order/1-201").0, 400);
    assert_eq!(bench.get("/order-service/order/5-1").0, 400);
    let options = bench
        .send("OPTIONS", &format!("{SALES}/1-{id}"), None)
        .value();
    assert_eq!(
        options["response"]["getUris"],
        json!([format!("/sales-order/{id}")])
    );
    assert_eq!(
        bench
            .call("PUT", "/order-service/order/9/status", &json!({}))
            .0,
        400
    );
    let resp = bench.send("POST", SALES, None);
    assert_eq!((resp.status, code(&resp.value())), (400, "CMNC-010"));
}

#[test]
fn a_header_patch_answers_the_order_with_its_old_update() {
    let mut bench = Bench::new();
    let id = bench.sale(&order("PO-1"));
    let path = format!("/order-service/order/{id}");
    bench.now += 1_000;
    let ops = json!([{ "op": "replace", "path": "/reference", "value": "PO-1b" },
                     { "op": "remove", "path": "/delivery/shippingMethodId" },
                     { "op": "replace", "path": "/delivery/deliveryDate", "value": "2025-11-20" }]);
    let (status, body) = bench.call("PATCH", &path, &ops);
    let view = &body["response"];
    assert_eq!(
        (status, &view["reference"], &view["version"]),
        (200, &json!("PO-1b"), &json!(1))
    );
    assert_eq!(view["delivery"]["shippingMethodId"], 0);
    assert!(view.get("updatedOn").is_none());
    let (_, body) = bench.get(&path);
    assert_eq!(
        body["response"][0]["updatedOn"],
        "2025-11-03T08:05:01.000-06:00"
    );
    assert_eq!(
        bench
            .search("/order-service/order-search?customerRef=PO-1b")
            .len(),
        1
    );
    assert!(
        bench
            .search("/order-service/order-search?customerRef=PO-1")
            .is_empty()
    );
    let ops = json!([{ "op": "replace", "path": "/reference", "value": "lost" },
                     { "op": "add", "path": "/warehouseId", "value": 3 }]);
    let (status, body) = bench.call("PATCH", &path, &ops);
    assert_eq!((status, code(&body)), (500, "CMNC-044"));
    assert_eq!(
        bench.sales_order(id)["ref"],
        "PO-1b",
        "all operations or none"
    );
    let ops = json!([{ "op": "replace", "path": "/reference", "value": "x".repeat(65) }]);
    assert_eq!(bench.call("PATCH", &path, &ops).0, 400);
}

#[test]
fn a_status_writes_a_note_and_must_fit() {
    let mut bench = Bench::new();
    let id = bench.sale(&order("PO-1"));
    let path = format!("/order-service/order/{id}/status");
    for wrong in [
        json!({ "orderStatusId": 99 }),
        json!({ "orderStatusId": 6 }),
        json!({ "orderStatusId": 24 }),
        json!({}),
    ] {
        assert_eq!(bench.call("PUT", &path, &wrong).0, 400, "{wrong}");
    }
    let body = json!({ "orderStatusId": 23, "orderNote": { "text": "gone", "isPublic": true } });
    assert_eq!(bench.call("PUT", &path, &body), (200, json!({})));
    bench.call("PUT", &path, &json!({ "orderStatusId": 19 }));
    let (_, note) = bench.call(
        "POST",
        &format!("/order-service/order/{id}/note"),
        &json!({ "text": "hi" }),
    );
    assert!(note["response"].is_i64());
    assert_eq!(
        bench
            .call(
                "POST",
                &format!("/order-service/order/{id}/note"),
                &json!({})
            )
            .0,
        400
    );
    assert_eq!(
        bench.sim.truth()["orders"][0]["notes"],
        json!(["gone", "Status changed to Packed", "hi"])
    );
    assert_eq!(bench.sales_order(id)["statusId"], 19);
}

#[test]
fn custom_fields_are_patched_and_shown_on_demand() {
    let mut bench = Bench::new();
    let id = bench.sale(&order("PO-1"));
    let path = format!("/order-service/order/{id}/custom-field");
    let ops = json!([{ "op": "add", "path": "/PCF_REGION", "value": { "id": 64 } },
                     { "op": "add", "path": "/PCF_BOXES", "value": "3" }]);
    let (_, body) = bench.call("PATCH", &path, &ops);
    assert_eq!(
        body["response"],
        json!({ "PCF_BOXES": 3, "PCF_REGION": { "id": 64, "value": "West" } })
    );
    let ops = json!([{ "op": "remove", "path": "/PCF_REGION" }, { "op": "add", "path": "/PCF_NONE", "value": 1 }]);
    assert_eq!(bench.call("PATCH", &path, &ops).0, 400);
    let (_, body) = bench.get(&path);
    assert_eq!(
        body["response"]["PCF_REGION"]["id"], 64,
        "all operations or none"
    );
    let (_, body) = bench.get(&format!("{SALES}/{id}?includeOptional=customFields"));
    assert_eq!(body["response"][0]["customFields"]["PCF_BOXES"], 3);
    let (_, body) = bench.get("/order-service/sale/custom-field-meta-data");
    assert_eq!(body["response"][0]["options"]["64"]["value"], "West");
}

#[test]
fn a_cancel_is_refused_by_note_invoice_or_payment() {
    let mut bench = Bench::new();
    let cancel = |bench: &mut Bench, id: i64| {
        let body = json!({ "orderStatusId": 5 });
        bench.call("PUT", &format!("/order-service/order/{id}/status"), &body)
    };
    let noted = bench.sale(&order("PO-1"));
    let gon = bench.control(&format!("order/{noted}/ship"), &json!({ "shipped": false }));
    let (status, body) = cancel(&mut bench, noted);
    assert_eq!((status, code(&body)), (409, "ORDB-020"));
    let gon = gon["goodsOutNoteId"].as_i64().unwrap();
    let path = format!("/warehouse-service/order/{noted}/goods-note/goods-out/{gon}");
    assert_eq!(
        bench.send("DELETE", &path, None).value(),
        json!({ "response": gon })
    );
    assert_eq!(cancel(&mut bench, noted).0, 200);
    let invoiced = bench.sale(&order("PO-2"));
    bench.control(&format!("order/{invoiced}/invoice"), &json!({}));
    assert_eq!(code(&cancel(&mut bench, invoiced).1), "ORDB-021");
    let paid = bench.sale(&order("PO-3"));
    let payment = json!({
        "transactionRef": "t1", "paymentMethodCode": "1220", "paymentType": "RECEIPT", "orderId": paid,
        "currencyIsoCode": "USD", "amountPaid": "5.00",
    });
    let (_, made) = bench.call("POST", "/accounting-service/customer-payment", &payment);
    assert_eq!(
        bench
            .call("POST", "/accounting-service/customer-payment", &payment)
            .0,
        409
    );
    assert_eq!(
        bench.sales_order(paid)["orderPaymentStatus"],
        "PARTIALLY_PAID"
    );
    assert_eq!(code(&cancel(&mut bench, paid).1), "ORDB-022");
    assert_eq!(bench.sales_order(paid)["statusId"], 22, "nothing changed");
    bench.send(
        "DELETE",
        &format!("/accounting-service/customer-payment/{}", made["response"]),
        None,
    );
    assert_eq!(cancel(&mut bench, paid).0, 200);
    assert_eq!(bench.sales_order(paid)["isCanceled"], true);
    assert_eq!(bench.sim.truth()["orders"][2]["cancelled"], true);
    bench.call(
        "PUT",
        &format!("/order-service/order/{paid}/status"),
        &json!({ "orderStatusId": 22 }),
    );
    assert_eq!(bench.sales_order(paid)["isCanceled"], false);
}

#[test]
fn a_user_may_force_what_the_api_refuses() {
    let mut bench = Bench::new();
    let id = bench.sale(&order("PO-1"));
    bench.control(&format!("order/{id}/ship"), &json!({ "shipped": false }));
    bench.control(
        &format!("order/{id}/status"),
        &json!({ "orderStatusId": 5, "force": true }),
    );
    assert_eq!(bench.sales_order(id)["isCanceled"], true);
    let made = bench.control("order", &order("UI-1"));
    let (_, body) = bench.get(&format!("/order-service/order/{}", made["orderId"]));
    assert!(body["response"][0].get("isDropship").is_none());
}

#[test]
fn the_invoice_is_pending_for_a_while() {
    let mut bench = Bench::new();
    let id = bench.sale(&order("PO-1"));
    let path = format!("{SALES}/{id}/close");
    assert_eq!(bench.call("POST", &path, &json!({})), (200, json!({})));
    assert_eq!(
        bench.sales_order(id)["invoice"]["invoiceReference"],
        "pending"
    );
    assert_eq!(
        bench.call("POST", &path, &json!({})).0,
        200,
        "a pending close may be repeated"
    );
    bench.now += 2_000;
    let sale = bench.sales_order(id);
    assert_eq!(sale["invoice"]["invoiceReference"], "SI-1001");
    assert_eq!(sale["statusId"], 4);
    assert!(sale["closedOn"].is_string());
    let (_, body) = bench.get(&format!("/order-service/order/{id}"));
    assert_eq!(body["response"][0]["state"]["tax"], "INVOICED");
    assert_eq!(bench.call("POST", &path, &json!({})).0, 400);
}
