//! Both sandboxes and the checker together: a perfect client in a few lines, then one mistake of each kind.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::brightpearl::{Brightpearl, Options};
use crate::catalogue::{PRODUCTS, products};
use crate::check::{Report, check};
use crate::dsco::Sandbox;
use crate::vendor::{Req, Vendor as _};

/// Stands for an item a person mapped.
const MISC: i64 = 1000;

struct Pair {
    network: Sandbox,
    erp: Brightpearl,
    now: i64,
}

impl Pair {
    fn new() -> Self {
        let quick = json!({"d1_ms": 0, "d2_ms": 0, "d3_ms": 0, "d3_max_ms": 0, "log_lag_ms": 0,
            "limits": false});
        let network = Sandbox::with_settings(1, &quick).unwrap();
        let erp = Brightpearl::new(Options {
            throttle: false,
            ..Options::default()
        });
        Self {
            network,
            erp,
            now: 1_763_710_000_000,
        }
    }

    fn generate(&mut self, count: usize) {
        let req = Req::new("POST", "/_sim/generate").with_json(&json!({"count": count, "seed": 9}));
        assert_eq!(self.network.control(self.now, &req).status, 200);
        self.now += 10_000;
        self.network.tick(self.now);
    }

    /// Makes the sale of an order and returns its number.
    fn sell(&mut self, order: &Value) -> i64 {
        let catalogue = products(PRODUCTS);
        let rows: Vec<Value> = order["lines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| {
                let product = catalogue.iter().find(|p| line["sku"] == p.sku);
                json!({"productId": product.map_or(MISC, |p| p.id), "name": line["sku"],
                    "quantity": line["quantity"].to_string(), "taxCode": "Z",
                    "net": line["net"], "tax": "0.00", "externalRef": line["lineNumber"].to_string()})
            })
            .collect();
        let body = json!({
            "customer": {"id": 200}, "ref": order["poNumber"],
            "externalRef": format!("dsco:{}", order["dscoOrderId"].as_str().unwrap()),
            "installedIntegrationInstanceId": 34, "statusId": 22, "channelId": 3, "warehouseId": 2,
            "currency": {"code": "USD"}, "priceListId": 3,
            "delivery": {"shippingMethodId": 12, "address": {
                "addressFullName": "Jo Shopper", "addressLine1": "5 Elm St", "addressLine3": "Reno",
                "addressLine4": "NV", "postalCode": "89501", "countryIsoCode": "USA"}},
            "rows": rows,
        });
        let req = Req::new("POST", "/public-api/simaccount/order-service/sales-order")
            .with_header("brightpearl-app-ref", "simaccount_waybill")
            .with_header("brightpearl-staff-token", "sim-staff-token")
            .with_json(&body);
        let answer = self.erp.handle(self.now, &req);
        assert_eq!(answer.status, 200, "{}", answer.value());
        answer.value()["response"].as_i64().unwrap()
    }

    fn acknowledge(&mut self, id: &str, number: &str) {
        let body = json!([{"id": id, "type": "DSCO_ORDER_ID", "supplierOrderNumber": number}]);
        let req = Req::new("POST", "/api/v3/order/acknowledge")
            .with_header("authorization", "bearer sandbox-static-token")
            .with_json(&body);
        assert_eq!(self.network.handle(self.now, &req).status, 202);
        self.network.tick(self.now);
    }

    /// What a perfect client does: returns the ids of orders that wait for a person.
    fn serve(&mut self) -> BTreeSet<String> {
        let truth = self.network.truth();
        let mut cards = BTreeSet::new();
        for order in truth["orders"].as_array().unwrap() {
            let id = order["dscoOrderId"].as_str().unwrap();
            match order["expect"].as_str().unwrap() {
                "sale" | "waits-until-mapped" => {
                    let number = self.sell(order).to_string();
                    self.acknowledge(id, &number);
                }
                "waits-total" => {
                    cards.insert(id.to_owned());
                }
                other => assert!(other.starts_with("no-sale"), "{other}"),
            }
        }
        cards
    }

    fn check(&self, cards: &BTreeSet<String>) -> Report {
        check(&self.network.truth(), &self.erp.truth(), cards)
    }
}

#[test]
fn a_perfect_client_leaves_no_finding() {
    let mut pair = Pair::new();
    pair.generate(80);
    let cards = pair.serve();
    let report = pair.check(&cards);
    assert!(report.ok(), "{:#?}", report.problems().collect::<Vec<_>>());
    assert_eq!(report.orders, 80);
    assert_eq!(report.matched + cards.len(), report.expected);
    assert!(report.matched > 60);
    assert_eq!(report.cases["test"].1, 0);
    // Without the cards the same state is a loss.
    let report = pair.check(&BTreeSet::new());
    assert_eq!(report.lost.len(), cards.len());
}

#[test]
fn each_mistake_is_found() {
    let mut pair = Pair::new();
    pair.generate(30);
    let cards = pair.serve();
    let truth = pair.network.truth();
    let test = truth["orders"]
        .as_array()
        .unwrap()
        .iter()
        .find(|o| o["test"] == true)
        .unwrap();
    pair.sell(test);
    let report = pair.check(&cards);
    let lists: Vec<&str> = report.problems().map(|(list, _)| list).collect();
    assert_eq!(lists, ["unwanted"]);

    let mut erp = pair.erp.truth();
    let sales = erp["orders"].as_array_mut().unwrap();
    sales.retain(|s| s["externalRef"] != format!("dsco:{}", test["dscoOrderId"].as_str().unwrap()));
    let place = sales
        .iter()
        .position(|s| s["externalRef"].is_string())
        .unwrap();
    let mut twin = sales[place].clone();
    twin["id"] = json!(999_999);
    sales.push(twin);
    let report = check(&truth, &erp, &cards);
    assert_eq!(report.doubled.len(), 1);
    let sales = erp["orders"].as_array_mut().unwrap();
    sales.pop();
    sales.remove(place);
    let report = check(&truth, &erp, &cards);
    assert_eq!(report.lost.len(), 1);
    assert_eq!(report.problems().count(), 1);
}
