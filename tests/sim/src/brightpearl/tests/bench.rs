//! Owns the test bench: a sandbox with its time, and a sale to post. It must not hold tests.

use serde_json::{Value, json};

use crate::brightpearl::{Brightpearl, Options};
use crate::vendor::{Req, Resp, Vendor};

/// 2025-11-03 14:05:00 UTC.
pub(super) const NOW: i64 = 1_762_178_700_000;

/// A sandbox with its time.
pub(super) struct Bench {
    pub(super) sim: Brightpearl,
    pub(super) now: i64,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(Options::default())
    }

    pub(super) fn with(options: Options) -> Self {
        Self {
            sim: Brightpearl::new(options),
            now: NOW,
        }
    }

    /// Sends a request as the private staff app.
    pub(super) fn send(&mut self, method: &str, path: &str, body: Option<&Value>) -> Resp {
        let mut req = Req::new(method, &format!("/public-api/simaccount{path}"))
            .with_header("brightpearl-app-ref", "simaccount_waybill")
            .with_header("brightpearl-staff-token", "sim-staff-token");
        if let Some(body) = body {
            req = req.with_json(body);
        }
        self.sim.tick(self.now);
        self.sim.handle(self.now, &req)
    }

    pub(super) fn get(&mut self, path: &str) -> (u16, Value) {
        let resp = self.send("GET", path, None);
        (resp.status, resp.value())
    }

    pub(super) fn call(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let resp = self.send(method, path, Some(body));
        (resp.status, resp.value())
    }

    /// A control request that must succeed.
    pub(super) fn control(&mut self, path: &str, body: &Value) -> Value {
        let req = Req::new("POST", &format!("/_sim/{path}")).with_json(body);
        let resp = self.sim.control(self.now, &req);
        assert_eq!(resp.status, 200, "{}", resp.value());
        resp.value()
    }

    /// Posts a sale that must be taken.
    pub(super) fn sale(&mut self, body: &Value) -> i64 {
        let (status, answer) = self.call("POST", "/order-service/sales-order", body);
        assert_eq!(status, 200, "{answer}");
        answer["response"].as_i64().unwrap()
    }

    /// The sale in its sales order shape.
    pub(super) fn sales_order(&mut self, id: i64) -> Value {
        let (status, body) = self.get(&format!("/order-service/sales-order/{id}"));
        assert_eq!(status, 200);
        body["response"][0].clone()
    }

    /// Rows of a search as objects.
    pub(super) fn search(&mut self, path: &str) -> Vec<Value> {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{body}");
        zip(&body)
    }
}

pub(super) fn zip(body: &Value) -> Vec<Value> {
    let columns = body["response"]["metaData"]["columns"].as_array().unwrap();
    let names: Vec<&str> = columns
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    let rows = body["response"]["results"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            let cells = row.as_array().unwrap();
            assert_eq!(cells.len(), names.len());
            names
                .iter()
                .map(|n| (*n).to_owned())
                .zip(cells.iter().cloned())
                .collect::<serde_json::Map<_, _>>()
                .into()
        })
        .collect()
}

/// A sale of two of product 1001 for the seeded customer.
pub(super) fn order(reference: &str) -> Value {
    json!({
        "customer": { "id": 200 }, "ref": reference, "externalRef": format!("dsco:{reference}"),
        "installedIntegrationInstanceId": 34, "statusId": 22, "channelId": 3, "warehouseId": 2,
        "currency": { "code": "USD" }, "priceListId": 3,
        "delivery": {
            "shippingMethodId": 12,
            "address": {
                "addressFullName": "Ann O'Neil", "addressLine1": "5 Elm St", "addressLine3": "Reno",
                "addressLine4": "NV", "postalCode": "89501", "countryIsoCode": "USA",
            },
        },
        "rows": [{
            "productId": 1001, "quantity": "2", "taxCode": "T", "net": "18.00", "tax": "0.00",
            "externalRef": "1",
        }],
    })
}

pub(super) fn code(body: &Value) -> &str {
    body["errors"][0]["code"].as_str().unwrap_or("")
}
