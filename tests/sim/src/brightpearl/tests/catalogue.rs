//! Reference lists, products, stock.

use serde_json::{Value, json};

use super::{Bench, code};
use crate::vendor::Vendor;

#[test]
fn the_lists_are_there() {
    let mut bench = Bench::new();
    for path in [
        "/order-service/order-status",
        "/order-service/order-type",
        "/order-service/order-stock-status",
        "/order-service/order-shipping-status",
        "/warehouse-service/shipping-method",
        "/warehouse-service/warehouse",
        "/accounting-service/tax-code",
        "/accounting-service/nominal-code",
        "/accounting-service/payment-method",
        "/product-service/channel",
        "/product-service/price-list",
        "/product-service/brand",
        "/contact-service/lead-source",
    ] {
        let (status, body) = bench.get(path);
        assert_eq!(status, 200, "{path}");
        assert!(!body["response"].as_array().unwrap().is_empty(), "{path}");
        assert_eq!(
            bench.get(&format!("{path}/")).0,
            200,
            "a trailing slash is tolerated"
        );
    }
    let (_, body) = bench.get("/order-service/order-status/22,5");
    let names: Vec<&str> = body["response"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Cancelled", "New DSCO order"]);
    let resp = bench.send("GET", "/accounting-service/tax-code", None);
    let text = String::from_utf8(resp.body).unwrap();
    assert!(text.contains("\"rate\":10.0000"), "{text}");
    assert_eq!(
        bench.get("/product-service/price-list/99"),
        (404, missing("No price-list found in ID Set 99"))
    );
    assert_eq!(bench.get("/order-service/order-status-search").0, 404);
}

fn missing(text: &str) -> Value {
    json!({ "errors": [{ "code": "CMNC-404", "message": text }] })
}

#[test]
fn products_are_read_by_set() {
    let mut bench = Bench::new();
    let (status, body) = bench.get("/product-service/product/1001-1002,1096");
    assert_eq!(status, 200);
    let items = body["response"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    assert_eq!(items[0]["id"], 1096, "not in the order asked");
    assert_eq!(items[0]["composition"]["bundle"], true);
    assert_eq!(
        items[0]["composition"]["bundleComponents"][1]["productQuantity"],
        2
    );
    assert_eq!(items[0]["stock"]["stockTracked"], false);
    assert!(items[2].get("customFields").is_none());
    let (status, body) = bench.get("/product-service/product/1001,9999");
    assert_eq!(
        (status, body["response"].as_array().unwrap().len()),
        (207, 1)
    );
    assert_eq!(
        bench.get("/product-service/product/9999"),
        (404, missing("No Product Found"))
    );
    assert_eq!(bench.get("/product-service/product/1-500").0, 400);
    assert_eq!(bench.get("/product-service/product/x").0, 400);
    let (_, body) = bench.get("/product-service/product/1001?includeOptional=nullCustomFields");
    assert_eq!(
        body["response"][0]["customFields"],
        json!({ "PCF_DSCO": null, "PCF_DSCOSKU": null })
    );
    let (_, misc) = bench.get("/product-service/product/1000");
    assert_eq!(
        misc["response"][0]["salesChannels"][0]["productName"],
        "Misc"
    );
}

#[test]
fn options_gives_portions_of_existing_ids() {
    let mut bench = Bench::new();
    let ask = |bench: &mut Bench, path: &str| bench.send("OPTIONS", path, None).value();
    let all = ask(&mut bench, "/product-service/product");
    assert_eq!(
        all["response"]["getUris"],
        json!(["/product/1000-1199", "/product/1200"])
    );
    let some = ask(
        &mut bench,
        "/product-service/product/1005,1001-1002,7000-9000000",
    );
    assert_eq!(
        some["response"]["getUris"],
        json!(["/product/1001-1002,1005"])
    );
    let none = ask(&mut bench, "/product-service/product/9000");
    assert_eq!(none["response"]["getUris"], json!([]));
}

#[test]
fn the_catalogue_has_the_traps_of_real_ones() {
    let mut bench = Bench::new();
    let rows = bench.search("/product-service/product-search");
    assert_eq!(rows.len(), 201);
    let sku = |id: i64| rows.iter().find(|r| r["productId"] == id).unwrap()["SKU"].clone();
    assert_eq!(sku(1098), "");
    assert_eq!(sku(1099), sku(1100));
    let untracked =
        bench.search("/product-service/product-search?stockTracked=false&productName=set");
    assert!(untracked.iter().all(|r| r["stockTracked"] == false));
    let by_sku = bench.search("/product-service/product-search?SKU=DUP-0&columns=productId,SKU");
    assert_eq!(
        by_sku,
        [
            json!({ "productId": 1099, "SKU": "DUP-0" }),
            json!({ "productId": 1100, "SKU": "DUP-0" })
        ]
    );
    assert!(rows.iter().any(|r| r["updatedOn"].is_null()));
    assert!(rows.iter().any(|r| r["updatedOn"].is_string()));
    assert!(
        rows.iter().any(|r| r["MPN"].is_null()),
        "an unset identity is null"
    );
}

#[test]
fn custom_fields_of_products_are_typed() {
    let mut bench = Bench::new();
    let path = "/product-service/product/1001/custom-field";
    let ops = json!([{ "op": "add", "path": "/PCF_DSCOSKU", "value": "X-1" },
                     { "op": "add", "path": "/PCF_DSCO", "value": true }]);
    let (status, body) = bench.call("PATCH", path, &ops);
    assert_eq!(
        (status, &body["response"]["PCF_DSCOSKU"]),
        (200, &json!("X-1"))
    );
    let (_, map) = bench.get("/product-service/product-custom-field/1001,9999");
    assert_eq!(map["response"]["1001"]["PCF_DSCO"], true);
    assert_eq!(map["response"]["9999"], json!({}));
    let bad = json!([{ "op": "add", "path": "/PCF_DSCO", "value": "maybe" }]);
    assert_eq!(bench.call("PATCH", path, &bad).0, 400);
    let op = json!([{ "op": "test", "path": "/PCF_DSCO", "value": true }]);
    let (status, body) = bench.call("PATCH", path, &op);
    assert_eq!((status, code(&body)), (500, "CMNC-044"));
}

#[test]
fn availability_is_stock_less_allocated_and_bundles_have_none() {
    let mut bench = Bench::new();
    bench.control(
        "stock",
        &json!({ "productId": 1001, "warehouseId": 2, "inStock": 7 }),
    );
    bench.control(
        "stock",
        &json!({ "productId": 1002, "warehouseId": 2, "inStock": 5 }),
    );
    bench.control(
        "stock",
        &json!({ "productId": 1001, "warehouseId": 3, "inStock": 0 }),
    );
    let (_, body) = bench.get("/warehouse-service/product-availability/1001,1096,1094,9999");
    let map = body["response"].as_object().unwrap();
    assert_eq!(map.keys().collect::<Vec<_>>(), ["1001"]);
    assert_eq!(
        map["1001"]["warehouses"]["2"],
        json!({ "inStock": 7, "onHand": 7, "allocated": 0, "inTransit": 0 })
    );
    let (_, body) = bench.get("/warehouse-service/bundle-availability/1096");
    assert_eq!(body["response"]["1096"]["warehouses"]["2"]["onHand"], 2);
    bench.control("settings", &json!({ "strictAvailability": true }));
    assert_eq!(
        bench
            .get("/warehouse-service/product-availability/1001,9999")
            .0,
        400
    );
}

#[test]
fn a_product_made_in_the_ui_appears_after_the_lag() {
    let mut bench = Bench::new();
    bench.control("settings", &json!({ "searchLagMs": 5_000 }));
    let made = bench.control(
        "product",
        &json!({ "sku": "NEW-1", "name": "New", "stock": { "2": 4 } }),
    );
    assert_eq!(made["productId"], 1201);
    assert!(
        bench
            .search("/product-service/product-search?SKU=NEW-1")
            .is_empty()
    );
    assert_eq!(bench.get("/product-service/product/1201").0, 200);
    bench.now += 5_000;
    let rows = bench.search("/product-service/product-search?SKU=NEW-1");
    assert!(rows[0]["updatedOn"].is_null());
    let truth = bench.sim.truth();
    assert_eq!(
        truth["products"].as_array().unwrap().last().unwrap()["sku"],
        "NEW-1"
    );
}
