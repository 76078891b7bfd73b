//! Accounts, tokens, throttle, headers, names of endpoints, multi-message.

use serde_json::{Value, json};

use super::{Bench, NOW, code, order};
use crate::brightpearl::{Brightpearl, Options};
use crate::vendor::{Req, Resp, Vendor};

const STATUSES: &str = "/public-api/simaccount/order-service/order-status";

fn sign_in(bench: &mut Bench, form: &str) -> Resp {
    let mut req = Req::new("POST", "/token/simaccount").with_header("host", "127.0.0.1:9000");
    req.body = form.as_bytes().to_vec();
    bench.sim.handle(bench.now, &req)
}

fn bearer(token: &str) -> Req {
    Req::new("GET", STATUSES)
        .with_header("authorization", &format!("Bearer {token}"))
        .with_header("brightpearl-app-ref", "simaccount_waybill")
        .with_header("brightpearl-dev-ref", "dev")
}

#[test]
fn every_way_in_needs_its_own_headers() {
    let mut bench = Bench::new();
    let nobody = "Not authenticated. You must provide a valid authentication token.";
    let none = bench.sim.handle(NOW, &Req::new("GET", STATUSES));
    assert_eq!(
        (none.status, none.value()),
        (401, json!({ "response": nobody }))
    );
    assert!(!has(&none, "Brightpearl-Installed-Integration-Instance-Id"));
    assert_eq!(header(&none, "Message-Type"), "api-proxy");
    for (name, token) in [
        ("brightpearl-staff-token", "sim-staff-token"),
        ("brightpearl-account-token", "sim-account-token"),
    ] {
        let req = Req::new("GET", STATUSES).with_header(name, token);
        assert_eq!(bench.sim.handle(NOW, &req).status, 401, "no app reference");
        let req = req.with_header("brightpearl-app-ref", "simaccount_waybill");
        assert_eq!(bench.sim.handle(NOW, &req).status, 200);
    }
    assert_eq!(
        bench.sim.handle(NOW, &bearer("sim-bearer-token")).status,
        200
    );
    let wrong = bench.sim.handle(NOW, &bearer("a=b"));
    assert_eq!(wrong.value()["response"], "Invalid instance token: a=b");
    assert!(String::from_utf8_lossy(&wrong.body).contains("a\\u003db"));
    let other = Req::new("GET", "/public-api/elsewhere/order-service/order-status");
    assert_eq!(bench.sim.handle(NOW, &other).status, 401);
}

#[test]
fn an_expired_token_says_so_and_a_refresh_renews_it() {
    let mut bench = Bench::new();
    let early = sign_in(
        &mut bench,
        "grant_type=refresh_token&client_id=simaccount_waybill&refresh_token=sim-refresh-token",
    );
    assert_eq!(early.value()["access_token"], "sim-bearer-token");
    bench.control("expire-tokens", &json!({}));
    let expired = bench.sim.handle(bench.now, &bearer("sim-bearer-token"));
    assert_eq!(expired.status, 401);
    assert_eq!(
        expired.value(),
        json!({ "response": "Authorization token expired" })
    );
    let late = sign_in(
        &mut bench,
        "grant_type=refresh_token&client_id=simaccount_waybill&refresh_token=sim-refresh-token",
    );
    let body = late.value();
    assert_eq!(body["expires_in"], 604_800);
    assert_eq!(body["api_domain"], "127.0.0.1:9000");
    assert!(body.get("installation_instance_id").is_none());
    let fresh = body["access_token"].as_str().unwrap();
    assert_ne!(fresh, "sim-bearer-token");
    assert_eq!(bench.sim.handle(bench.now, &bearer(fresh)).status, 200);
    bench.now += 604_800_000;
    assert_eq!(bench.sim.handle(bench.now, &bearer(fresh)).status, 401);
}

#[test]
fn a_browser_is_asked_and_may_deny() {
    let mut bench = Bench::new();
    let ask = "/authorize/simaccount?response_type=code&client_id=simaccount_waybill\
               &redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fback&state=s";
    let page = Req::new("GET", ask).with_header("accept", "text/html,*/*");
    let page = bench.sim.handle(NOW, &page);
    assert_eq!(page.status, 200);
    assert!(String::from_utf8_lossy(&page.body).contains("decision=deny"));
    let denied = bench
        .sim
        .handle(NOW, &Req::new("GET", &format!("{ask}&decision=deny")));
    assert_eq!(
        header(&denied, "location"),
        "http://127.0.0.1:1/back?error=access_denied&state=s"
    );
}

#[test]
fn a_code_is_given_for_the_redirect_and_taken_once() {
    let mut bench = Bench::new();
    let ask = "/authorize/simaccount?response_type=code&client_id=simaccount_waybill\
               &redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fback&state=s%201";
    let resp = bench.sim.handle(NOW, &Req::new("GET", ask));
    assert_eq!(resp.status, 302);
    let to = url::Url::parse(header(&resp, "location")).unwrap();
    let pairs: std::collections::HashMap<_, _> = to.query_pairs().into_owned().collect();
    assert_eq!(pairs["state"], "s 1");
    assert!(pairs["code"].contains('+') && pairs["code"].contains('='));
    let form = |redirect: &str| {
        url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "authorization_code")
            .append_pair("client_id", "simaccount_waybill")
            .append_pair("redirect_uri", redirect)
            .append_pair("code", &pairs["code"])
            .finish()
    };
    let other = sign_in(&mut bench, &form("http://127.0.0.1:1/elsewhere"));
    assert_eq!(other.status, 400);
    assert_eq!(
        other.value()["error_description"],
        "Redirect uri does not match that used to request auth token"
    );
    let granted = sign_in(&mut bench, &form("http://127.0.0.1:1/back")).value();
    assert_eq!(granted["installation_instance_id"], "34");
    let token = granted["access_token"].as_str().unwrap();
    assert_eq!(bench.sim.handle(NOW, &bearer(token)).status, 200);
    let again = sign_in(&mut bench, &form("http://127.0.0.1:1/back"));
    assert_eq!(again.value()["error"], "invalid_grant");
    let stranger = sign_in(&mut bench, "grant_type=authorization_code&client_id=x");
    assert_eq!(
        (stranger.status, stranger.value()),
        (400, json!({ "error": "invalid_client" }))
    );
}

#[test]
fn the_window_refuses_beyond_the_cap_and_counts_refusals_of_tokens() {
    let mut bench = Bench::with(Options {
        requests_per_minute: 3,
        ..Options::default()
    });
    let first = bench.send("GET", "/order-service/order-status", None);
    assert_eq!(header(&first, "Brightpearl-Requests-Remaining"), "2");
    assert_eq!(header(&first, "Brightpearl-Next-Throttle-Period"), "60000");
    bench.now += 20_000;
    assert_eq!(
        bench
            .sim
            .handle(bench.now, &Req::new("GET", STATUSES))
            .status,
        401
    );
    assert_eq!(bench.get("/order-service/order/9").0, 200);
    let refused = bench.send("GET", "/order-service/order-status", None);
    assert_eq!(refused.status, 503);
    assert_eq!(
        refused.value()["response"],
        "You have sent too many requests. Please wait before sending another request"
    );
    assert_eq!(header(&refused, "Brightpearl-Requests-Remaining"), "0");
    assert_eq!(
        header(&refused, "Brightpearl-Next-Throttle-Period"),
        "40000"
    );
    assert_eq!(
        bench
            .sim
            .handle(bench.now, &bearer("sim-bearer-token"))
            .status,
        200,
        "own pool"
    );
    bench.now += 40_000;
    assert_eq!(bench.get("/order-service/order-status").0, 200);
}

#[test]
fn a_foreign_app_burns_the_quota_until_the_throttle_is_off() {
    let mut bench = Bench::new();
    bench.control("burn", &json!({ "count": 200 }));
    assert_eq!(bench.get("/order-service/order-status").0, 503);
    bench.control("settings", &json!({ "throttle": false }));
    assert_eq!(bench.get("/order-service/order-status").0, 200);
    let req = Req::new("POST", "/_sim/settings").with_json(&json!({ "throtle": true }));
    assert_eq!(
        bench.sim.control(NOW, &req).status,
        400,
        "an unknown name is refused"
    );
}

#[test]
fn every_answer_carries_the_headers() {
    let mut bench = Bench::new();
    for path in [
        "/order-service/order-status",
        "/order-service/nothing",
        "/contact-service/contact/9",
    ] {
        let resp = bench.send("GET", path, None);
        for name in [
            "Brightpearl-Requests-Remaining",
            "Brightpearl-Next-Throttle-Period",
            "Brightpearl-Installed-Integration-Instance-Id",
            "Ruid",
            "Message-Type",
            "Cache-Control",
            "Expires",
            "Pragma",
        ] {
            assert!(has(&resp, name), "{path} lacks {name}");
        }
        assert_eq!(
            header(&resp, "Content-Type"),
            "application/json;charset=UTF-8"
        );
    }
    let resp = bench.send("GET", "/order-service/order-search", None);
    assert_eq!(header(&resp, "Message-Type"), "bulk-data-search");
}

#[test]
fn endpoints_have_stable_names() {
    let sim = Brightpearl::new(Options::default());
    let name = |method: &str, path: &str| sim.endpoint(&Req::new(method, path));
    let inside = |rest: &str| format!("/public-api/simaccount{rest}");
    assert_eq!(
        name("POST", &inside("/order-service/sales-order")),
        "POST /order-service/sales-order"
    );
    assert_eq!(
        name("GET", &inside("/order-service/order-search?x=1")),
        "GET /order-service/order-search"
    );
    assert_eq!(
        name("PUT", &inside("/order-service/order/1/status")),
        "PUT /order-service/order/{id}/status"
    );
    assert_eq!(
        name(
            "GET",
            &inside("/warehouse-service/order/*/goods-note/goods-out/1-4,9")
        ),
        "GET /warehouse-service/order/{id}/goods-note/goods-out/{id}"
    );
    assert_eq!(
        name("POST", &inside("/multi-message")),
        "POST /multi-message"
    );
    assert_eq!(name("POST", "/token/simaccount"), "POST /token");
    assert_eq!(name("GET", "/authorize/simaccount?a=b"), "GET /authorize");
}

fn envelope(mode: &str, on_fail: &str, messages: &[(&str, Value)]) -> Value {
    let list: Vec<Value> = messages
        .iter()
        .map(|(label, body)| {
            json!({
                "label": label, "uri": "/order-service/sales-order", "httpMethod": "POST", "body": body,
            })
        })
        .collect();
    json!({ "processingMode": mode, "onFail": on_fail, "messages": list })
}

#[test]
fn a_multi_message_is_one_request_and_answers_in_strings() {
    let mut bench = Bench::new();
    let messages = [
        ("a", order("PO-1")),
        ("b", json!({ "rows": [] })),
        ("c", order("PO-3")),
    ];
    let body = envelope("SEQUENTIAL", "CONTINUE", &messages);
    let resp = bench.send("POST", "/multi-message", Some(&body));
    assert_eq!(resp.status, 207);
    assert_eq!(header(&resp, "Brightpearl-Requests-Remaining"), "199");
    let done = resp.value()["response"]["processedMessages"].clone();
    assert_eq!(done[0]["statusCode"], 200);
    assert_eq!(done[0]["body"]["content"], "{\"response\":100001}");
    assert_eq!(done[1]["statusCode"], 400);
    let inner: Value = serde_json::from_str(done[1]["body"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(code(&inner), "ORDC-001");
    assert_eq!(done[2]["body"]["content"], "{\"response\":100002}");
    let messages = [
        ("a", order("PO-4")),
        ("b", order("PO-1")),
        ("c", order("PO-5")),
    ];
    let (status, body) = bench.call(
        "POST",
        "/multi-message",
        &envelope("SEQUENTIAL", "STOP", &messages),
    );
    assert_eq!(status, 207);
    assert_eq!(body["response"]["unprocessedMessages"], json!(["c"]));
    let messages = [("a", order("PO-6")), ("b", order("PO-7"))];
    let body = envelope("PARALLEL", "CONTINUE", &messages);
    assert_eq!(bench.call("POST", "/multi-message", &body).0, 200);
}

#[test]
fn a_bad_envelope_runs_nothing() {
    let mut bench = Bench::new();
    let one = [("a", order("PO-1"))];
    let same = [("a", order("PO-1")), ("a", order("PO-2"))];
    let two = [("a", order("PO-1")), ("b", order("PO-2"))];
    let eleven: Vec<(String, Value)> = (0..11).map(|n| (format!("m{n}"), order("PO"))).collect();
    let eleven: Vec<(&str, Value)> = eleven
        .iter()
        .map(|(l, b)| (l.as_str(), b.clone()))
        .collect();
    let mut read = envelope("SEQUENTIAL", "CONTINUE", &two);
    read["messages"][0]["httpMethod"] = json!("GET");
    for body in [
        envelope("SEQUENTIAL", "CONTINUE", &one),
        envelope("SEQUENTIAL", "CONTINUE", &same),
        envelope("SEQUENTIAL", "CONTINUE", &eleven),
        envelope("PARALLEL", "STOP", &two),
        read,
    ] {
        assert_eq!(bench.call("POST", "/multi-message", &body).0, 400);
    }
    assert_eq!(bench.sim.truth()["orders"], json!([]));
}

fn has(resp: &Resp, name: &str) -> bool {
    resp.headers
        .iter()
        .any(|(n, _)| n.eq_ignore_ascii_case(name))
}

fn header<'a>(resp: &'a Resp, name: &str) -> &'a str {
    let found = resp
        .headers
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(name));
    found.map_or("", |(_, value)| value.as_str())
}
