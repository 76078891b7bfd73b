//! Tests of tokens, orders, pages, static lists and the control side, on the pure state machine.

use serde_json::{Value, json};

use super::Sandbox;
use crate::vendor::{Req, Resp, Vendor as _};

/// A sandbox with a clock of its own, short fixed delays and no rate limits.
pub(super) struct Sim {
    pub(super) sandbox: Sandbox,
    pub(super) now: i64,
}

impl Sim {
    pub(super) fn new(settings: &Value) -> Self {
        let mut all = json!({"d1_ms": 0, "d2_ms": 100, "d3_ms": 100, "d3_max_ms": 100,
            "log_lag_ms": 100, "limits": false});
        for (name, value) in settings.as_object().unwrap() {
            all[name] = value.clone();
        }
        let sandbox = Sandbox::with_settings(1, &all).unwrap();
        Self {
            sandbox,
            now: 1_763_710_000_000,
        }
    }

    pub(super) fn send(&mut self, req: &Req) -> Resp {
        self.sandbox.tick(self.now);
        self.sandbox.handle(self.now, req)
    }

    pub(super) fn call(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut req = Req::new(method, &format!("/api/v3{path}"))
            .with_header("Authorization", "bearer sandbox-static-token");
        if !body.is_null() {
            req = req.with_json(body);
        }
        let answer = self.send(&req);
        (answer.status, answer.value())
    }

    pub(super) fn get(&mut self, path: &str) -> (u16, Value) {
        self.call("GET", path, &Value::Null)
    }

    pub(super) fn post(&mut self, path: &str, body: &Value) -> (u16, Value) {
        self.call("POST", path, body)
    }

    pub(super) fn control(&mut self, path: &str, body: &Value) -> (u16, Value) {
        self.sandbox.tick(self.now);
        let mut req = Req::new("POST", &format!("/_sim/{path}"));
        if !body.is_null() {
            req = req.with_json(body);
        }
        let answer = self.sandbox.control(self.now, &req);
        (answer.status, answer.value())
    }

    pub(super) fn pass(&mut self, ms: i64) {
        self.now += ms;
        self.sandbox.tick(self.now);
    }

    /// Creates an order, lets it become visible and returns its id.
    pub(super) fn order(&mut self, body: &Value) -> String {
        let (status, order) = self.control("orders", body);
        assert_eq!(status, 200, "{order}");
        self.pass(200);
        order["dscoOrderId"].as_str().unwrap().to_owned()
    }

    /// The order as readers get it.
    pub(super) fn read(&mut self, id: &str) -> Value {
        let (status, order) = self.get(&format!("/order/?orderKey=dscoOrderId&value={id}"));
        assert_eq!(status, 200, "{order}");
        order
    }

    /// Everything a date-range page search finds.
    fn page(&mut self, since: i64, query: &str) -> (u16, Value) {
        let until = super::dates::iso(self.now - 10_000).replace("+00:00", "Z");
        let since = super::dates::iso(since).replace("+00:00", "Z");
        self.get(&format!(
            "/order/page?ordersCreatedSince={since}&until={until}{query}"
        ))
    }
}

pub(super) fn usual() -> Sim {
    Sim::new(&json!({}))
}

fn token(body: &str) -> Req {
    let mut req = Req::new("POST", "/api/v3/oauth2/token")
        .with_header("Content-Type", "application/x-www-form-urlencoded");
    req.body = body.as_bytes().to_vec();
    req
}

const GRANT: &str =
    "grant_type=client_credentials&client_id=sandbox-client&client_secret=sandbox-secret";

#[test]
fn a_token_is_granted_used_and_expires() {
    let mut sim = Sim::new(&json!({"token_life_s": 60}));
    let hello = |token: &str| {
        Req::new("GET", "/api/v3/hello").with_header("authorization", &format!("Bearer {token}"))
    };
    let answer = sim.send(&token(GRANT));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.value()["expires_in"], 60);
    let first = answer.value()["access_token"].as_str().unwrap().to_owned();
    let second = sim.send(&token(GRANT)).value()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_ne!(first, second);
    assert_eq!(sim.send(&hello(&first)).value(), json!({"hello": "World!"}));
    assert_eq!(sim.send(&hello(&second)).status, 200);
    sim.pass(60_000);
    assert_eq!(sim.send(&hello(&first)).status, 401);
    assert_eq!(sim.send(&hello("sandbox-static-token")).status, 200);
    assert_eq!(sim.send(&Req::new("GET", "/api/v3/hello")).status, 401);
}

#[test]
fn bad_token_requests_are_told_apart() {
    let mut sim = usual();
    let wrong = GRANT.replace("sandbox-secret", "nope");
    let answer = sim.send(&token(&wrong));
    assert_eq!(
        (answer.status, answer.value()),
        (401, json!({"error": "invalid_client"}))
    );
    assert_eq!(sim.send(&token("client_id=a&client_secret=b")).status, 400);
    assert_eq!(
        sim.send(&token("grant_type=client_credentials&client_id=a"))
            .status,
        400
    );
    let json = Req::new("POST", "/api/v3/oauth2/token").with_json(&json!({"client_id": "x"}));
    assert_eq!(sim.send(&json).value()["error"], "invalid_request");
}

#[test]
fn an_encoded_token_works_only_decoded() {
    let mut sim = Sim::new(&json!({"encoded_token": true}));
    let shown = sim.send(&token(GRANT)).value()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(shown.contains("%2F"));
    let hello = |token: &str| {
        Req::new("GET", "/api/v3/hello").with_header("authorization", &format!("bearer {token}"))
    };
    assert_eq!(sim.send(&hello(&shown)).status, 401);
    assert_eq!(
        sim.send(&hello(&crate::vendor::decode_segment(&shown)))
            .status,
        200
    );
}

#[test]
fn expired_on_command() {
    let mut sim = usual();
    let one = sim.send(&token(GRANT)).value()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(sim.control("expire-tokens", &Value::Null).1["expired"], 1);
    let req =
        Req::new("GET", "/api/v3/hello").with_header("authorization", &format!("bearer {one}"));
    assert_eq!(sim.send(&req).status, 401);
}

#[test]
fn unknown_paths_get_the_gateways_complaint() {
    let mut sim = usual();
    let (status, body) = sim.get("/order/changelog");
    assert_eq!(status, 403);
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains("Authorization header")
    );
    assert_eq!(sim.send(&Req::new("GET", "/nothing")).status, 403);
}

#[test]
fn limits_and_body_size_are_kept() {
    let mut sim = Sim::new(&json!({"limits": true, "max_body": 100}));
    let codes: Vec<u16> = (0..12)
        .map(|_| sim.get("/order/?orderKey=poNumber&value=x").0)
        .collect();
    assert_eq!(codes.iter().filter(|c| **c == 404).count(), 10);
    assert_eq!(codes.iter().filter(|c| **c == 429).count(), 2);
    let big = json!([{"id": "x".repeat(200), "type": "PO_NUMBER"}]);
    assert_eq!(sim.post("/order/acknowledge", &big).0, 413);
}

#[test]
fn an_order_becomes_visible_after_the_lag() {
    let mut sim = Sim::new(&json!({"d1_ms": 1000, "d3_ms": 500, "d3_max_ms": 500}));
    let (_, order) = sim.control("orders", &json!({"po": "PO-7", "line_count": 2}));
    let id = order["dscoOrderId"].as_str().unwrap().to_owned();
    assert_eq!(
        sim.get(&format!("/order?orderKey=dscoOrderId&value={id}"))
            .0,
        404
    );
    sim.pass(500);
    assert_eq!(sim.read(&id)["dscoLifecycle"], "received");
    sim.pass(1000);
    let order = sim.read(&id);
    assert_eq!(order["dscoLifecycle"], "created");
    assert_eq!(order["lineItems"].as_array().unwrap().len(), 2);
    assert_eq!(
        order["shipping"]["firstName"],
        order["shipping"]["name"]
            .as_str()
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
    );
    let line = &order["lineItems"][0];
    let sum = line["expectedCost"].as_f64().unwrap() * line["quantity"].as_f64().unwrap();
    assert!((sum - line["extendedExpectedCostTotal"].as_f64().unwrap()).abs() < 0.001);
}

#[test]
fn one_po_may_be_two_orders() {
    let mut sim = usual();
    sim.order(&json!({"po": "PO-9"}));
    sim.order(&json!({"po": "PO-9", "retailer": "1000007002"}));
    let (_, one) = sim.get("/order/?orderKey=poNumber&value=PO-9");
    assert_eq!(one["poNumber"], "PO-9");
    let (_, all) = sim.get("/order/?orderKey=poNumber&value=PO-9&returnMultiple=true");
    assert_eq!(all.as_array().unwrap().len(), 2);
    let (_, other) = sim
        .get("/order/?orderKey=poNumber&value=PO-9&returnMultiple=true&dscoAccountId=1000007002");
    assert_eq!(other.as_array().unwrap().len(), 1);
    assert_eq!(sim.get("/order/?orderKey=sku&value=1").0, 400);
    assert_eq!(sim.get("/order/?orderKey=poNumber").0, 400);
}

#[test]
fn pages_scroll_to_the_end_and_expire() {
    let mut sim = usual();
    let start = sim.now;
    for _ in 0..25 {
        sim.order(&json!({}));
    }
    sim.order(&json!({"test": true}));
    sim.pass(60_000);
    let (status, page) = sim.page(start, "&ordersPerPage=10");
    assert_eq!(status, 200);
    let mut seen = page["orders"].as_array().unwrap().len();
    let mut scroll = page["scrollId"].as_str().unwrap().to_owned();
    loop {
        let (status, page) = sim.get(&format!(
            "/order/page?scrollId={}",
            scroll.replace('=', "%3D")
        ));
        assert_eq!(status, 200);
        seen += page["orders"].as_array().unwrap().len();
        match page["scrollId"].as_str() {
            Some(next) => next.clone_into(&mut scroll),
            None => break,
        }
    }
    assert_eq!(seen, 25);
    assert_eq!(
        sim.page(start, "&includeTestOrders=true").1["orders"]
            .as_array()
            .unwrap()
            .len(),
        26
    );
    sim.pass(6 * 60_000);
    assert_eq!(sim.get(&format!("/order/page?scrollId={scroll}")).0, 404);
}

#[test]
fn a_full_last_page_is_followed_by_an_empty_one() {
    let mut sim = usual();
    let start = sim.now;
    for _ in 0..10 {
        sim.order(&json!({}));
    }
    sim.pass(60_000);
    let (_, page) = sim.page(start, "&ordersPerPage=10");
    let scroll = page["scrollId"].as_str().unwrap().replace('=', "%3D");
    let (_, last) = sim.get(&format!("/order/page?scrollId={scroll}"));
    assert_eq!(last, json!({"orders": []}));
}

#[test]
fn page_parameters_are_checked() {
    let mut sim = usual();
    let now = super::dates::iso(sim.now).replace("+00:00", "Z");
    let since = super::dates::iso(sim.now - 100_000).replace("+00:00", "Z");
    let bad = [
        format!("ordersCreatedSince={since}"),
        format!("ordersCreatedSince={since}&until={now}"),
        format!("until={since}"),
        format!("ordersCreatedSince=yesterday&until={since}"),
        format!("ordersCreatedSince={since}&until={since}&status=nope"),
        format!("ordersCreatedSince={since}&until={since}&ordersPerPage=9"),
        format!("ordersCreatedSince={since}&until={since}&includeTestOrders=yes"),
        // A plus sign that was not encoded is a space.
        format!(
            "ordersCreatedSince={}&until={since}",
            since.replace('Z', "+00:00")
        ),
        "scrollId=abc".to_owned(),
    ];
    for query in bad {
        assert_eq!(sim.get(&format!("/order/page?{query}")).0, 400, "{query}");
    }
}

#[test]
fn pages_filter_by_status_and_by_update() {
    let mut sim = usual();
    let start = sim.now;
    let first = sim.order(&json!({}));
    sim.order(&json!({}));
    sim.pass(30_000);
    let middle = sim.now;
    sim.control(&format!("orders/{first}/acknowledge"), &Value::Null);
    sim.pass(30_000);
    let (_, page) = sim.page(start, "&status=shipment_pending");
    assert_eq!(page["orders"].as_array().unwrap().len(), 1);
    let (_, page) = sim.page(start, "&status=shipment_pending&status=created");
    assert_eq!(page["orders"].as_array().unwrap().len(), 2);
    let since = super::dates::iso(middle - 1000).replace("+00:00", "Z");
    let until = super::dates::iso(sim.now - 10_000).replace("+00:00", "Z");
    let (_, page) = sim.get(&format!(
        "/order/page?ordersUpdatedSince={since}&until={until}"
    ));
    assert_eq!(page["orders"][0]["dscoOrderId"], json!(first));
    assert_eq!(page["orders"].as_array().unwrap().len(), 1);
}

#[test]
fn lists_of_warehouses_and_partners_filter() {
    let mut sim = usual();
    assert_eq!(
        sim.get("/warehouse/page").1["warehouses"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let (_, one) = sim.get("/warehouse/page?idType=code&idValue=WH02");
    assert_eq!(one["warehouses"][0]["city"], "Newark");
    assert_eq!(one["warehouses"].as_array().unwrap().len(), 1);
    assert_eq!(sim.get("/warehouse/page?idType=name&idValue=x").0, 400);
    assert_eq!(sim.get("/tradingpartner").1.as_array().unwrap().len(), 4);
    assert_eq!(
        sim.get("/tradingpartner?status=active")
            .1
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let both = sim.get("/tradingpartner?status=active&status=onboarding").1;
    assert_eq!(both.as_array().unwrap().len(), 4);
    assert_eq!(
        sim.get("/tradingpartner?status=active&accountId=1000007001")
            .0,
        400
    );
}

#[test]
fn the_generator_makes_every_case() {
    let mut sim = usual();
    let (status, made) = sim.control("generate", &json!({"count": 100, "seed": 5}));
    assert_eq!(status, 200);
    let made = made["created"].as_array().unwrap();
    assert_eq!(made.len(), 100);
    let of = |case: &str| made.iter().filter(|o| o["case"] == case).count();
    for case in [
        "multi-line",
        "same-sku",
        "split-po",
        "same-po",
        "test",
        "unknown-item",
    ] {
        assert!(of(case) >= 2, "{case}");
    }
    sim.pass(5_000);
    let truth = sim.sandbox.truth();
    let orders = truth["orders"].as_array().unwrap();
    for order in orders {
        let lines = order["lines"].as_array().unwrap();
        let sum: i64 = lines.iter().map(|l| cents(&l["net"])).sum();
        let off = if order["case"] == "bad-total" { 100 } else { 0 };
        assert_eq!(cents(&order["total"]), sum + off, "{order}");
        if order["case"] == "cancelled-early" {
            assert_eq!(order["cancelledBeforeAcknowledgement"], true);
            assert_eq!(order["expect"], "no-sale-cancelled");
        }
        if order["case"] == "same-sku" {
            assert_eq!(lines[0]["sku"], lines[2]["sku"]);
        }
    }
    let split: Vec<&Value> = orders.iter().filter(|o| o["case"] == "split-po").collect();
    assert!(split.iter().any(|a| split.iter().any(|b| {
        a["poNumber"] == b["poNumber"]
            && a["dscoOrderId"] != b["dscoOrderId"]
            && a["retailerId"] == b["retailerId"]
    })));
    assert_eq!(
        sim.control("generate", &json!({"count": 1, "mix": {"nope": 1}}))
            .0,
        400
    );
}

fn cents(value: &Value) -> i64 {
    value.as_str().unwrap().replace('.', "").parse().unwrap()
}

#[test]
fn the_same_seed_generates_the_same_orders() {
    let run = || {
        let mut sim = usual();
        sim.control("generate", &json!({"count": 40, "seed": 11}));
        sim.sandbox.truth()
    };
    assert_eq!(run(), run());
}

#[test]
fn messy_orders_stay_readable() {
    let mut sim = Sim::new(&json!({"messy": true}));
    let ids: Vec<String> = (0..30)
        .map(|_| sim.order(&json!({"line_count": 2})))
        .collect();
    let orders: Vec<Value> = ids.iter().map(|id| sim.read(id)).collect();
    assert!(orders.iter().any(|o| o["dscoOrderId"].is_number()));
    assert!(orders.iter().any(|o| o["dscoOrderId"].is_string()));
    assert!(orders.iter().any(|o| o["shipping"]["name"].is_null()));
    assert!(orders.iter().all(|o| o["lineItems"][1]["lineNumber"] == 2));
    assert!(orders.iter().all(|o| o["zzFutureField"].is_object()));
}

#[test]
fn control_refuses_what_it_does_not_know() {
    let mut sim = usual();
    assert_eq!(sim.control("orders", &json!({"pos": "x"})).0, 400);
    assert_eq!(sim.control("orders", &json!({"retailer": "1"})).0, 400);
    assert_eq!(
        sim.control("orders", &json!({"lines": [{"sku": "A", "quantity": 0}]}))
            .0,
        400
    );
    assert_eq!(sim.control("settings", &json!({"d9_ms": 1})).0, 400);
    assert_eq!(sim.control("orders/1/cancel", &Value::Null).0, 404);
    assert_eq!(sim.control("settings", &json!({"d2_ms": 7})).1["d2_ms"], 7);
}

#[test]
fn thousands_of_orders_are_indexed() {
    let mut sim = usual();
    let start = sim.now;
    sim.control("generate", &json!({"count": 3000, "seed": 3}));
    sim.pass(30_000);
    let (_, page) = sim.page(start, "&includeTestOrders=true");
    assert_eq!(page["orders"].as_array().unwrap().len(), 1000);
    let id = sim.sandbox.truth()["orders"][2999]["dscoOrderId"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(sim.read(&id)["dscoOrderId"], json!(id));
}
