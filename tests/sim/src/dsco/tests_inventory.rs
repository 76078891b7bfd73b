//! Tests of stock on the pure state machine: what may be written, what orders take, how it is read and followed.

use serde_json::{Value, json};

use super::tests::{Sim, usual};
use crate::vendor::{Req, Vendor as _};

const SKU: &str = "TEE-BLK-M";

fn item(sku: &str, first: i64, second: i64) -> Value {
    json!({"sku": sku, "status": "in-stock", "quantityAvailable": first + second,
        "warehouses": [{"code": "WH01", "quantity": first}, {"code": "WH02", "quantity": second}]})
}

fn with(mut item: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        item[name] = value.clone();
    }
    item
}

fn write(sim: &mut Sim, query: &str, body: &Value) -> Value {
    let (status, answer) = sim.post(&format!("/inventory/batch/small{query}"), body);
    assert_eq!((status, &answer["status"]), (202, &json!("pending")));
    sim.pass(1000);
    log(sim, &answer, "")
}

fn log(sim: &mut Sim, answer: &Value, query: &str) -> Value {
    let id = answer["requestId"].as_str().unwrap();
    let (status, log) = sim.get(&format!("/inventory/log?requestId={id}{query}"));
    assert_eq!(status, 200, "{log}");
    log
}

fn read(sim: &mut Sim, sku: &str) -> Value {
    let (status, item) = sim.get(&format!("/inventory?itemKey=sku&value={sku}"));
    assert_eq!(status, 200, "{item}");
    item
}

fn truth(sim: &mut Sim, sku: &str) -> Value {
    let (_, all) = sim.call_control("GET", &format!("inventory?sku={sku}"));
    all["items"][0].clone()
}

impl Sim {
    fn call_control(&mut self, method: &str, path: &str) -> (u16, Value) {
        let answer = self
            .sandbox
            .control(self.now, &Req::new(method, &format!("/_sim/{path}")));
        (answer.status, answer.value())
    }
}

#[test]
fn a_batch_takes_effect_later_and_is_told_in_the_log_of_stock_alone() {
    let mut sim = usual();
    let body = json!([item(SKU, 40, 5)]);
    let (status, answer) = sim.post("/inventory/batch/small", &body);
    assert_eq!(status, 202);
    let early = log(&mut sim, &answer, "");
    assert_eq!(
        (&early["status"], &early["logs"]),
        (&json!("PROCESSING"), &json!([]))
    );
    assert_eq!(read(&mut sim, SKU)["quantityAvailable"], 0);
    sim.pass(250);
    let done = log(&mut sim, &answer, "");
    assert_eq!(done["status"], "COMPLETED");
    assert_eq!(done["logs"][0]["status"], "success");
    assert_eq!(done["logs"][0]["payload"], body[0]);
    assert_eq!(
        done["logs"][0]["requestMethodDetail"],
        "updateInventorySmallBatch"
    );
    assert_eq!(log(&mut sim, &answer, "&status=failure")["logs"], json!([]));
    let id = answer["requestId"].as_str().unwrap();
    assert_eq!(
        sim.get(&format!("/order/log?requestId={id}")).0,
        404,
        "another log"
    );
    let shown = read(&mut sim, SKU);
    assert_eq!(
        (&shown["quantityAvailable"], &shown["status"]),
        (&json!(45), &json!("in-stock"))
    );
    assert_eq!(shown["warehouses"][1]["quantity"], 5);
    assert!(shown["dscoLastQuantityUpdateDate"].is_string());
}

#[test]
fn an_item_is_found_by_every_key() {
    let mut sim = usual();
    let shown = read(&mut sim, SKU);
    for kind in ["dscoItemId", "upc", "ean"] {
        let value = shown[kind].as_str().unwrap();
        let (status, found) = sim.get(&format!("/inventory?itemKey={kind}&value={value}"));
        assert_eq!((status, &found["sku"]), (200, &json!(SKU)), "{kind}");
    }
    let id = sim.order(&json!({"lines": [{"sku": SKU}]}));
    let order = sim.read(&id);
    let line = &order["lineItems"][0];
    assert_eq!(
        line["dscoItemId"], shown["dscoItemId"],
        "orders name the same item"
    );
    let partner = line["partnerSku"].as_str().unwrap();
    let retailer = order["dscoRetailerId"].as_str().unwrap();
    let query = format!("/inventory?itemKey=partnerSku&value={partner}");
    assert_eq!(sim.get(&query).0, 400, "whose?");
    let (status, found) = sim.get(&format!(
        "{query}&dscoRetailerId={retailer}&returnMultiple=true"
    ));
    assert_eq!((status, &found[0]["sku"]), (200, &json!(SKU)));
    assert_eq!(sim.get("/inventory?itemKey=sku&value=NOPE").0, 404);
    assert_eq!(sim.get("/inventory?itemKey=name&value=x").0, 400);
}

#[test]
fn an_order_takes_its_units_at_once_and_the_next_level_puts_them_right() {
    let mut sim = usual();
    write(&mut sim, "", &json!([item(SKU, 3, 2)]));
    let (_, order) = sim.control("orders", &json!({"lines": [{"sku": SKU, "quantity": 4}]}));
    assert!(order["dscoOrderId"].is_string());
    let shown = read(&mut sim, SKU);
    assert_eq!(shown["quantityAvailable"], 1);
    let sum: i64 = (0..2)
        .map(|at| shown["warehouses"][at]["quantity"].as_i64().unwrap())
        .sum();
    assert_eq!(sum, 1, "the warehouses still add up");
    sim.control("orders", &json!({"lines": [{"sku": SKU, "quantity": 4}]}));
    let shown = read(&mut sim, SKU);
    assert_eq!(
        (&shown["quantityAvailable"], &shown["status"]),
        (&json!(0), &json!("out-of-stock"))
    );
    let told = truth(&mut sim, SKU);
    assert_eq!((&told["sold"], &told["short"]), (&json!(8), &json!(3)));
    write(
        &mut sim,
        "",
        &json!([with(item(SKU, 7, 0), &json!({"status": "out-of-stock"}))]),
    );
    let shown = read(&mut sim, SKU);
    assert_eq!(
        (&shown["quantityAvailable"], &shown["status"]),
        (&json!(7), &json!("in-stock"))
    );
}

#[test]
fn an_order_lowers_its_own_warehouse_first() {
    for _ in 0..4 {
        let mut sim = usual();
        write(&mut sim, "", &json!([item(SKU, 10, 10)]));
        let id = sim.order(&json!({"lines": [{"sku": SKU, "quantity": 3}]}));
        let own = sim.read(&id)["requestedWarehouseCode"]
            .as_str()
            .map(str::to_owned);
        let own = own.unwrap_or_else(|| {
            sim.read(&id)["lineItems"][0]["warehouseCode"]
                .as_str()
                .unwrap()
                .to_owned()
        });
        assert_eq!(truth(&mut sim, SKU)["warehouses"][own], 7);
    }
}

#[test]
fn the_list_of_warehouses_is_replaced_as_a_whole() {
    let mut sim = usual();
    write(&mut sim, "", &json!([item(SKU, 3, 2)]));
    let one = json!([{"sku": SKU, "warehouses": [{"code": "WH02", "quantity": 9}]}]);
    write(&mut sim, "", &one);
    let told = truth(&mut sim, SKU);
    assert_eq!(told["warehouses"], json!({"WH02": 9}));
    assert_eq!(
        (&told["available"], &told["writes"]),
        (&json!(9), &json!(2))
    );
}

#[test]
fn what_is_wrong_with_an_item_is_refused_and_changes_nothing() {
    let mut sim = usual();
    write(&mut sim, "", &json!([item(SKU, 3, 2)]));
    let good = || item(SKU, 1, 1);
    let bad = [
        (with(good(), &json!({"sku": null})), "sku is required"),
        (
            with(good(), &json!({"sku": "x".repeat(91)})),
            "longer than 90",
        ),
        (
            with(good(), &json!({"warehouses": []})),
            "warehouses is required",
        ),
        (
            with(
                good(),
                &json!({"warehouses": [{"code": "WH9", "quantity": 2}]}),
            ),
            "warehouseCode WH9 is not known",
        ),
        (
            with(good(), &json!({"warehouses": [{"quantity": 2}]})),
            "warehouseCode is required",
        ),
        (
            with(good(), &json!({"quantityAvailable": 3})),
            "not the sum 2",
        ),
        (item(SKU, -1, 1), "must not be negative"),
        (item(SKU, 1 << 40, 1), "too large"),
        (
            with(good(), &json!({"quantityAvailable": 2.5})),
            "whole number",
        ),
        (with(good(), &json!({"status": "plenty"})), "status"),
        (with(good(), &json!({"upc": "12345"})), "upc 12345"),
        (with(good(), &json!({"ean": "12345678x"})), "ean"),
        (with(good(), &json!({"gtin": "123456789"})), "gtin"),
        (with(good(), &json!({"cost": -1})), "cost"),
        (
            json!({"sku": SKU, "warehouses": [{"code": "WH01"}]}),
            "quantityAvailable or",
        ),
        (item("NEW", 1, 0), "A new item needs"),
    ];
    let body: Vec<Value> = bad.iter().map(|(item, _)| item.clone()).collect();
    let log = write(&mut sim, "", &json!(body));
    let entries = log["logs"].as_array().unwrap();
    assert_eq!(entries.len(), bad.len());
    for (entry, (item, words)) in entries.iter().zip(&bad) {
        assert_eq!(entry["status"], "failure", "{item}");
        let results = entry["results"].to_string();
        assert!(results.contains(words), "{item}: {results}");
        let (status, answer) = sim.post("/inventory/singleItem", item);
        assert_eq!(
            (status, &answer["status"]),
            (400, &json!("failure")),
            "{item}"
        );
    }
    assert_eq!(truth(&mut sim, SKU)["writes"], 1);
    assert_eq!(sim.post("/inventory/batch/small", &json!([])).0, 400);
    assert_eq!(sim.post("/inventory/batch/small", &good()).0, 400);
    assert_eq!(sim.post("/inventory/singleItem", &good()).0, 201);
    assert_eq!(truth(&mut sim, SKU)["available"], 2);
}

#[test]
fn unknown_items_are_made_or_passed_over() {
    let mut sim = usual();
    let body = json!([item("NEW", 1, 0), item(SKU, 1, 0)]);
    let log = write(&mut sim, "?skipItemsThatDontExist=true", &body);
    assert_eq!(
        log["logs"].as_array().unwrap().len(),
        1,
        "no word about the new one"
    );
    assert!(truth(&mut sim, "NEW").is_null());
    let coded = json!([with(item("NEW", 1, 0), &json!({"upc": "123456789012"}))]);
    let log = write(&mut sim, "", &coded);
    assert_eq!(log["logs"][0]["status"], "success");
    let (status, found) = sim.get("/inventory?itemKey=upc&value=123456789012");
    assert_eq!((status, &found["sku"]), (200, &json!("NEW")));
}

#[test]
fn a_file_of_lines_is_a_batch() {
    let mut sim = usual();
    let (status, answer) = sim.post(
        "/inventory/batch/large?skipItemsThatDontExist=true",
        &Value::Null,
    );
    assert_eq!(status, 200);
    let url = answer["dataUrl"].as_str().unwrap();
    let path = url.strip_prefix("http://localhost").unwrap();
    let lines = format!("{}\nnonsense\n{}\n\n", item(SKU, 4, 4), item("NEW", 1, 1));
    let mut put = Req::new("PUT", path).with_header("authorization", "bearer sandbox-static-token");
    put.body = lines.into_bytes();
    assert_eq!(sim.send(&put).status, 200);
    assert_eq!(sim.send(&put).status, 404, "only once");
    sim.pass(1000);
    let log = log(&mut sim, &answer, "");
    assert_eq!(log["status"], "COMPLETED");
    let words: Vec<&str> = log["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["status"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["success", "failure"]);
    assert_eq!(truth(&mut sim, SKU)["available"], 8);
}

#[test]
fn a_million_items_are_seeded_and_a_full_set_of_many_is_taken() {
    let mut sim = usual();
    let (status, made) = sim.control(
        "inventory/bulk",
        &json!({"count": 1_000_000, "prefix": "B-", "quantity": 3}),
    );
    assert_eq!((status, &made["made"]), (200, &json!(1_000_000)));
    let (_, made) = sim.control("inventory/bulk", &json!({"catalogue": 2_000}));
    assert!(made["made"].as_u64().unwrap() > 1_700, "{made}");
    let all: Vec<Value> = (1..=20_000)
        .map(|n| item(&format!("B-{n:07}"), n, 0))
        .collect();
    let log = write(&mut sim, "?skipItemsThatDontExist=true", &json!(all));
    assert_eq!(log["logs"].as_array().unwrap().len(), 500, "a page");
    assert_eq!(truth(&mut sim, "B-0020000")["available"], 20_000);
    let (_, counts) = sim.call_control("GET", "inventory/counts");
    assert_eq!(
        (&counts["told"], &counts["writes"]),
        (&json!(20_000), &json!(20_000))
    );
}

#[test]
fn items_are_seeded_by_name() {
    let mut sim = usual();
    let (status, made) = sim.control("inventory", &json!({"items": [
        {"sku": "X-1", "quantities": {"WH01": 4, "WH02": 1}}, {"sku": SKU, "quantities": {"WH02": 2}}]}));
    assert_eq!((status, &made["made"]), (200, &json!(1)));
    assert_eq!(read(&mut sim, "X-1")["quantityAvailable"], 5);
    assert!(truth(&mut sim, SKU)["toldAt"].is_null());
    let (status, _) = sim.control(
        "inventory",
        &json!({"items": [{"sku": "X-2", "quantities": {"WH9": 4}}]}),
    );
    assert_eq!(status, 400);
}
