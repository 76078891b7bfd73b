//! Tests of acknowledgements, cancels, shipments and the change log on the pure state machine.

use serde_json::{Value, json};

use super::tests::{Sim, usual};

/// Sends a batch, lets it be performed and returns the log.
fn verdicts(sim: &mut Sim, path: &str, body: &Value) -> Vec<Value> {
    let (status, answer) = sim.post(path, body);
    assert_eq!(status, 202, "{answer}");
    assert_eq!(answer["status"], "pending");
    sim.pass(1000);
    let (_, log) = sim.get(&log_path(&answer));
    assert_eq!(log["status"], "COMPLETED");
    log["logs"].as_array().unwrap().clone()
}

fn log_path(answer: &Value) -> String {
    format!(
        "/order/log?requestId={}",
        answer["requestId"].as_str().unwrap()
    )
}

fn lines(quantities: &[(&str, i64)]) -> Value {
    let lines: Vec<Value> = quantities
        .iter()
        .map(|(sku, q)| json!({"sku": sku, "quantity": q}))
        .collect();
    json!({"lines": lines})
}

fn ack(sim: &mut Sim, id: &str, number: &str) {
    let body = json!([{"id": id, "type": "DSCO_ORDER_ID", "supplierOrderNumber": number}]);
    let log = verdicts(sim, "/order/acknowledge", &body);
    assert_eq!(log[0]["status"], "success", "{log:?}");
}

#[test]
fn an_acknowledgement_takes_effect_later_and_is_told_in_the_log() {
    let mut sim = usual();
    let id = sim.order(&json!({}));
    let body = json!([{"id": id, "type": "DSCO_ORDER_ID", "supplierOrderNumber": "100001"}]);
    let (status, answer) = sim.post("/order/acknowledge", &body);
    assert_eq!(status, 202);
    let (_, log) = sim.get(&log_path(&answer));
    assert_eq!(
        (&log["status"], &log["logs"]),
        (&json!("PROCESSING"), &json!([]))
    );
    assert_eq!(sim.read(&id)["dscoStatus"], "created");
    sim.pass(250);
    let (_, log) = sim.get(&log_path(&answer));
    assert_eq!(log["status"], "COMPLETED");
    assert_eq!(log["logs"][0]["status"], "success");
    assert_eq!(log["logs"][0]["payload"], body[0]);
    let order = sim.read(&id);
    assert_eq!(order["dscoStatus"], "shipment_pending");
    assert_eq!(order["dscoLifecycle"], "acknowledged");
    assert_eq!(order["supplierOrderNumber"], "100001");
    let found = sim.get("/order/?orderKey=supplierOrderNumber&value=100001");
    assert_eq!(found.1["dscoOrderId"], json!(id));
}

#[test]
fn a_second_acknowledgement_changes_the_number() {
    let mut sim = usual();
    let id = sim.order(&json!({}));
    ack(&mut sim, &id, "1");
    ack(&mut sim, &id, "2");
    assert_eq!(sim.read(&id)["supplierOrderNumber"], "2");
    assert_eq!(
        sim.get("/order/?orderKey=supplierOrderNumber&value=1").0,
        404
    );
}

#[test]
fn every_object_has_its_own_verdict() {
    let mut sim = usual();
    let good = sim.order(&json!({}));
    let gone = sim.order(&json!({}));
    let (_, done) = sim.control(&format!("orders/{gone}/cancel"), &Value::Null);
    assert_eq!(done["outcome"], "cancelled");
    let body = json!([
        {"id": good, "type": "DSCO_ORDER_ID"},
        {"id": gone.parse::<u64>().unwrap(), "type": "DSCO_ORDER_ID"},
        {"id": "1", "type": "DSCO_ORDER_ID"},
        {"id": good, "type": "ORDER"},
        {"type": "PO_NUMBER"},
    ]);
    let log = verdicts(&mut sim, "/order/acknowledge", &body);
    let words: Vec<&str> = log.iter().map(|l| l["status"].as_str().unwrap()).collect();
    assert_eq!(
        words,
        ["success", "failure", "failure", "failure", "failure"]
    );
    assert_eq!(log[1]["results"][0]["description"], "Order is cancelled");
    assert_eq!(log[1]["results"][0]["code"], "VALIDATION_FAILED");
    let (status, _) = sim.post("/order/acknowledge", &json!({"id": good}));
    assert_eq!(status, 400);
    assert_eq!(sim.post("/order/acknowledge", &json!([])).0, 400);
}

#[test]
fn a_cancel_overtakes_a_queued_acknowledgement() {
    let mut sim = usual();
    let id = sim.order(&json!({}));
    let (_, answer) = sim.post(
        "/order/acknowledge",
        &json!([{"id": id, "type": "DSCO_ORDER_ID"}]),
    );
    sim.control(&format!("orders/{id}/cancel"), &Value::Null);
    sim.pass(1000);
    assert_eq!(
        sim.get(&log_path(&answer)).1["logs"][0]["status"],
        "failure"
    );
    let order = sim.read(&id);
    assert_eq!(
        (&order["dscoStatus"], &order["dscoLifecycle"]),
        (&json!("cancelled"), &json!("completed"))
    );
    assert_eq!(order["lineItems"][0]["cancelCode"], "CXRR");
}

#[test]
fn the_log_filters_pages_and_reads_by_date() {
    let mut sim = Sim::new(&json!({"log_page_size": 2, "pending_first": true}));
    let start = super::dates::iso(sim.now).replace("+00:00", "Z");
    let id = sim.order(&json!({}));
    let body = json!([
        {"id": id, "type": "DSCO_ORDER_ID"}, {"id": "1", "type": "DSCO_ORDER_ID"},
        {"id": "2", "type": "DSCO_ORDER_ID"}, {"id": "3", "type": "DSCO_ORDER_ID"},
    ]);
    let (_, answer) = sim.post("/order/acknowledge", &body);
    sim.pass(1000);
    let count = |log: &Value| log["logs"].as_array().unwrap().len();
    let (_, failures) = sim.get(&format!("{}&status=failure", log_path(&answer)));
    assert_eq!(
        (count(&failures), &failures["status"]),
        (2, &json!("COMPLETED"))
    );
    let scroll = failures["scrollId"].as_str().unwrap().replace('=', "%3D");
    let (_, rest) = sim.get(&format!("/order/log?scrollId={scroll}"));
    assert_eq!(count(&rest), 1);
    assert!(rest["scrollId"].is_null());
    let (_, pending) = sim.get(&format!("{}&status=pending", log_path(&answer)));
    assert_eq!(count(&pending), 2);
    let end = super::dates::iso(sim.now + 1000).replace("+00:00", "Z");
    let (_, dated) = sim.get(&format!(
        "/order/log?startDate={start}&endDate={end}&status=success_or_failure"
    ));
    assert_eq!(count(&dated), 2);
    assert!(dated["status"].is_null());
    assert_eq!(sim.get("/order/log").0, 400);
    assert_eq!(sim.get("/order/log?requestId=none").0, 404);
    assert_eq!(
        sim.get(&format!("{}&status=nope", log_path(&answer))).0,
        400
    );
    sim.pass(6 * 60_000);
    assert_eq!(sim.get(&format!("/order/log?scrollId={scroll}")).0, 404);
}

#[test]
fn a_supplier_cancels_lines_and_then_the_order() {
    let mut sim = usual();
    let id = sim.order(&lines(&[("TEE-BLK-S", 3), ("CAP-BLK-S", 1)]));
    ack(&mut sim, &id, "1");
    let item = |sku: &str, quantity: i64| {
        json!({"id": id, "type": "DSCO_ORDER_ID", "lineItems": [
            {"sku": sku, "cancelledQuantity": quantity, "cancelCode": "CXSS"}]})
    };
    let (status, answer) = sim.post("/order/item/cancel", &item("TEE-BLK-S", 1));
    assert_eq!((status, &answer["status"]), (200, &json!("success")));
    sim.pass(1000);
    let order = sim.read(&id);
    assert_eq!(order["dscoStatus"], "shipment_pending");
    assert_eq!(order["lineItems"][0]["remainingQuantity"], 2);
    assert_eq!(sim.post("/order/item/cancel", &item("TEE-BLK-S", 3)).0, 400);
    let log = verdicts(
        &mut sim,
        "/order/item/cancel/batch/small",
        &json!([
            item("TEE-BLK-S", 2),
            item("CAP-BLK-S", 1),
            item("CAP-BLK-S", 1)
        ]),
    );
    let words: Vec<&str> = log.iter().map(|l| l["status"].as_str().unwrap()).collect();
    assert_eq!(words, ["success", "success", "failure"]);
    let order = sim.read(&id);
    assert_eq!(order["dscoStatus"], "cancelled");
    assert_eq!(order["lineItems"][1]["status"], "cancelled");
}

#[test]
fn cancels_are_validated() {
    let mut sim = Sim::new(&json!({"retailers": {"1000007001": {"cancel_codes": ["CXSC"]}}}));
    let id = sim.order(&lines(&[("TEE-BLK-S", 3)]));
    ack(&mut sim, &id, "1");
    let mut refused = |line: &Value| {
        let body = json!({"id": id, "type": "DSCO_ORDER_ID", "lineItems": [line]});
        let (status, answer) = sim.post("/order/item/cancel", &body);
        assert_eq!(status, 400, "{line}");
        answer["messages"][0]["description"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let text = refused(&json!({"sku": "TEE-BLK-S", "cancelledQuantity": 1, "cancelCode": "CXSS"}));
    assert!(text.contains("not allowed"));
    assert!(refused(&json!({"sku": "TEE-BLK-S", "cancelledQuantity": 1})).contains("cancelCode"));
    refused(&json!({"sku": "TEE-BLK-S", "cancelledQuantity": 0, "cancelCode": "CXSC"}));
    refused(&json!({"sku": "X", "cancelledQuantity": 1, "cancelCode": "CXSC"}));
    refused(&json!({"lineNumber": 1, "cancelledQuantity": 1, "cancelCode": "CXSC"}));
    refused(
        &json!({"sku": "TEE-BLK-S", "lineNumber": 2, "cancelledQuantity": 1, "cancelCode": "CXSC"}),
    );
}

#[test]
fn a_forced_retailer_cancel_just_appears() {
    let mut sim = usual();
    let id = sim.order(&lines(&[("TEE-BLK-S", 3), ("CAP-BLK-S", 1)]));
    ack(&mut sim, &id, "1");
    sim.control(
        &format!("orders/{id}/cancel"),
        &json!({"force": true, "lines": [1]}),
    );
    sim.pass(1000);
    let order = sim.read(&id);
    assert_eq!(order["lineItems"][0]["cancelledQuantity"], 3);
    assert_eq!(order["dscoStatus"], "shipment_pending");
    assert_eq!(order["cancelRequested"], false);
}

fn parcel(tracking: &str, items: &[(&str, i64)]) -> Value {
    let items: Vec<Value> = items
        .iter()
        .map(|(sku, q)| json!({"sku": sku, "quantity": q}))
        .collect();
    json!({"trackingNumber": tracking, "shippingServiceLevelCode": "UPCG",
        "warehouseCode": "WH01", "shipCost": 4.5, "lineItems": items})
}

#[test]
fn shipments_complete_an_order_step_by_step() {
    let mut sim = usual();
    let id = sim.order(&lines(&[("TEE-BLK-S", 3), ("CAP-BLK-S", 1)]));
    ack(&mut sim, &id, "1");
    let ship = |parcel: Value| json!({"dscoOrderId": id, "shipments": [parcel]});
    let first = ship(parcel("1Z1", &[("TEE-BLK-S", 2)]));
    assert_eq!(
        sim.post("/order/singleShipment", &first),
        (201, json!({"success": true}))
    );
    sim.pass(1000);
    let order = sim.read(&id);
    assert_eq!(
        (&order["dscoStatus"], &order["dscoLifecycle"]),
        (&json!("shipped"), &json!("acknowledged"))
    );
    assert_eq!(order["packages"][0]["shipCost"], 4.5);
    // The same parcel again changes nothing; other lines under its number are refused.
    assert_eq!(sim.post("/order/singleShipment", &first).0, 201);
    assert_eq!(
        sim.post(
            "/order/singleShipment",
            &ship(parcel("1Z1", &[("TEE-BLK-S", 1)]))
        )
        .0,
        400
    );
    assert_eq!(
        sim.post(
            "/order/singleShipment",
            &ship(parcel("1Z2", &[("TEE-BLK-S", 2)]))
        )
        .0,
        400
    );
    let (_, refused) = sim.control(&format!("orders/{id}/cancel"), &Value::Null);
    assert!(refused["error"].as_str().unwrap().contains("shipped"));
    let rest = ship(parcel("1Z3", &[("TEE-BLK-S", 1), ("CAP-BLK-S", 1)]));
    let log = verdicts(&mut sim, "/order/shipment/batch/small", &json!([rest]));
    assert_eq!(log[0]["status"], "success");
    let order = sim.read(&id);
    assert_eq!(order["dscoLifecycle"], "completed");
    assert_eq!(order["packages"].as_array().unwrap().len(), 2);
    let more = ship(parcel("1Z4", &[("CAP-BLK-S", 1)]));
    assert_eq!(sim.post("/order/singleShipment", &more).0, 400);
}

#[test]
fn a_warehouse_of_somebody_elses_is_listed_and_shipped_from() {
    let mut sim = usual();
    let id = sim.order(&lines(&[("TEE-BLK-S", 1)]));
    ack(&mut sim, &id, "1");
    let mut parcel = parcel("1Z1", &[("TEE-BLK-S", 1)]);
    parcel["warehouseCode"] = json!("NJ-MAIN");
    let body = json!({"dscoOrderId": id, "shipments": [parcel]});
    let (status, refused) = sim.post("/order/singleShipment", &body);
    assert_eq!(status, 400);
    assert!(refused.to_string().contains("NJ-MAIN"), "{refused}");
    let own = |code: &str| (code.to_owned(), "Newark".to_owned());
    sim.sandbox = sim.sandbox.with_warehouses(&[own("NJ-MAIN"), own("WH01")]);
    assert_eq!(sim.post("/order/singleShipment", &body).0, 201);
    let (_, page) = sim.get("/warehouse/page");
    let all = page["warehouses"].as_array().unwrap().iter();
    let all: Vec<_> = all.map(|w| (&w["code"], &w["warehouseId"])).collect();
    let ids = ["5000000001", "5000000002", "5000000003"].map(|id| json!(id));
    let codes = ["WH01", "WH02", "NJ-MAIN"].map(|code| json!(code));
    assert_eq!(all, codes.iter().zip(&ids).collect::<Vec<_>>());
    assert_eq!(page["warehouses"][0]["name"], "Main warehouse");
}

#[test]
fn one_unit_in_two_parcels_needs_the_span_flag() {
    let mut sim = usual();
    let id = sim.order(&lines(&[("RUG-BLK-S", 1)]));
    ack(&mut sim, &id, "1");
    let plain = json!({"dscoOrderId": id,
        "shipments": [parcel("A", &[("RUG-BLK-S", 1)]), parcel("B", &[("RUG-BLK-S", 1)])]});
    assert_eq!(sim.post("/order/singleShipment", &plain).0, 400);
    let mut spread = plain.clone();
    for parcel in spread["shipments"].as_array_mut().unwrap() {
        parcel["lineItems"][0]["packageSpanFlag"] = json!(true);
    }
    assert_eq!(sim.post("/order/singleShipment", &spread).0, 201);
    sim.pass(1000);
    assert_eq!(sim.read(&id)["dscoLifecycle"], "completed");
}

#[test]
fn shipments_are_validated_by_the_retailers_rules() {
    let mut sim = Sim::new(&json!({"retailers": {"1000007001":
        {"refuse_generic_codes": true, "require_warehouse": true, "fill_kill": "line"}}}));
    let id = sim.order(&lines(&[("TEE-BLK-S", 3), ("CAP-BLK-S", 1)]));
    ack(&mut sim, &id, "1");
    let good = parcel("1Z1", &[("TEE-BLK-S", 3)]);
    let mut code = |change: &dyn Fn(&mut Value)| {
        let mut parcel = good.clone();
        change(&mut parcel);
        sim.post(
            "/order/singleShipment",
            &json!({"poNumber": "PO-1001", "shipments": [parcel]}),
        )
        .0
    };
    assert_eq!(code(&|p| p["shippingServiceLevelCode"] = json!("GCG")), 400);
    assert_eq!(code(&|p| p["shippingServiceLevelCode"] = json!(null)), 400);
    assert_eq!(code(&|p| p["warehouseCode"] = json!(null)), 400);
    assert_eq!(code(&|p| p["warehouseCode"] = json!("WH99")), 400);
    assert_eq!(code(&|p| p["trackingNumber"] = json!("")), 400);
    assert_eq!(code(&|p| p["lineItems"] = json!([])), 400);
    assert_eq!(code(&|p| p["lineItems"][0]["quantity"] = json!(2)), 400);
    assert_eq!(code(&|_| ()), 201);
}

#[test]
fn the_same_sku_on_two_lines_takes_the_first_with_a_warning() {
    let mut sim = usual();
    let id = sim.order(&lines(&[("TEE-BLK-S", 2), ("TEE-BLK-S", 5)]));
    ack(&mut sim, &id, "1");
    let body = json!([{"dscoOrderId": id, "shipments": [parcel("A", &[("TEE-BLK-S", 2)])]}]);
    let log = verdicts(&mut sim, "/order/shipment/batch/small", &body);
    assert_eq!(
        (&log[0]["status"], &log[0]["results"][0]["severity"]),
        (&json!("success"), &json!("warn"))
    );
    let order = sim.read(&id);
    assert_eq!(order["lineItems"][0]["remainingQuantity"], 0);
    assert_eq!(order["lineItems"][1]["remainingQuantity"], 5);
}

#[test]
fn units_spread_over_parcels_count_once_a_group() {
    let mut sim = Sim::new(&json!({}));
    let id = sim.order(&lines(&[("RUG-BLK-S", 4)]));
    ack(&mut sim, &id, "SO-1");
    let ship = |date: &str, trackings: &[&str]| {
        let parcels = trackings.iter().map(|tracking| {
            let mut parcel = parcel(tracking, &[("RUG-BLK-S", 2)]);
            parcel["shipDate"] = json!(date);
            parcel["lineItems"][0]["packageSpanFlag"] = json!(true);
            parcel
        });
        json!([{"dscoOrderId": id, "shipments": parcels.collect::<Vec<_>>()}])
    };
    let path = "/order/shipment/batch/small";
    verdicts(&mut sim, path, &ship("2025-11-21T08:00:00Z", &["A", "B"]));
    let shipped = |sim: &Sim| sim.sandbox.whole_truth()["orders"][0]["lines"][0]["shipped"].clone();
    assert_eq!(shipped(&sim), 2);
    // A parcel that was forgotten joins its group; another day's is a group of its own.
    verdicts(&mut sim, path, &ship("2025-11-21T08:00:00Z", &["C"]));
    assert_eq!(shipped(&sim), 2);
    let log = verdicts(&mut sim, path, &ship("2025-11-21T09:00:00Z", &["D", "E"]));
    assert_eq!(
        (shipped(&sim), &log[0]["status"]),
        (json!(4), &json!("success"))
    );
    let log = verdicts(&mut sim, path, &ship("2025-11-21T10:00:00Z", &["F"]));
    assert_eq!(log[0]["status"], "failure");
    let refused = sim.sandbox.whole_truth()["orders"][0]["shipmentsRefused"].clone();
    assert_eq!(refused.as_array().unwrap().len(), 1);
}

#[test]
fn retailers_want_more_fields_and_no_generic_code() {
    let rules = json!({"retailers": {"1000007001": {"refuse_generic_codes": true, "require": ["poNumber", "shipDate", "lineNumber"]}}});
    let mut sim = Sim::new(&rules);
    let mut wish = lines(&[("TEE-BLK-S", 1)]);
    wish["ship_by_minutes"] = json!(60);
    let id = sim.order(&wish);
    assert_eq!(
        sim.read(&id)["shipByDate"],
        super::dates::iso(sim.now - 200 + 3_600_000)
    );
    let mut body = json!({"dscoOrderId": id, "shipments": [parcel("A", &[("TEE-BLK-S", 1)])]});
    let (status, answer) = sim.post("/order/singleShipment", &body);
    let text = "All of these fields are required: poNumber, shipDate, lineNumber";
    assert_eq!(
        (status, &answer["messages"][0]["description"]),
        (400, &json!(text))
    );
    body["poNumber"] = json!("PO-1001");
    body["shipments"][0]["shipDate"] = json!("2025-11-21T08:00:00Z");
    body["shipments"][0]["lineItems"][0]["lineNumber"] = json!(1);
    body["shipments"][0]["shippingServiceLevelCode"] = json!("gse");
    assert_eq!(
        sim.post("/order/singleShipment", &body).0,
        400,
        "a generic code"
    );
    body["shipments"][0]["shippingServiceLevelCode"] = json!("UPCG");
    assert_eq!(sim.post("/order/singleShipment", &body).0, 201);
}
