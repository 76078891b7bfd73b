//! Reporting shipments against scripted answers: what is sent, what is refused here, lost answers, earlier attempts.

use super::{API, CREATED, at, now, value, with, with_api};
use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::order::{self, Names};
use crate::ship::push;
use serde_json::{Value, json};
use waybill_sdk::commerce::{
    Body, Decimal, Document, Extra, Method, PackedLine, Parcel, Part, Shipment, Stage,
};
use waybill_sdk::effects::IoError;
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::{Failure, Outcome, Verdict};

pub(super) fn post() -> String {
    format!("POST {API}/order/shipment/batch/small")
}

pub(super) fn get(id: &str) -> String {
    format!("GET {API}/order/?orderKey=dscoOrderId&value={id}")
}

/// The log around a call that was sent `age` seconds before now.
fn log(age: i64) -> String {
    let time = |ms| waybill_sdk::date::format(ms).replace(':', "%3A");
    let sent = now() - age * 1000;
    let until = (sent + 60_000).max(now());
    format!(
        "GET {API}/order/log?startDate={}&endDate={}",
        time(sent - 60_000),
        time(until)
    )
}

/// DSCO's order of that id, as the agent holds it.
pub(super) fn origin(id: &str, changes: Value) -> Document {
    let mut changes = changes;
    changes["dscoOrderId"] = json!(id);
    let wire = super::wire(&with(CREATED, changes));
    with_api(&TestHost::at(now()), &[], |api| {
        order::document(api, &wire, &Names::default()).unwrap()
    })
}

fn packed(line: &str, units: &str) -> PackedLine {
    PackedLine {
        line: line.to_owned(),
        quantity: Decimal::parse(units).unwrap(),
        part: None,
    }
}

pub(super) fn parcel(tracking: &str, lines: &[(&str, &str)]) -> Parcel {
    Parcel {
        tracking: Some(tracking.to_owned()).filter(|t| !t.is_empty()),
        lines: lines
            .iter()
            .map(|(line, units)| packed(line, units))
            .collect(),
        span: false,
        extras: Vec::new(),
    }
}

fn method(carrier: &str, name: &str, code: &str) -> Method {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Method {
        carrier: some(carrier),
        name: some(name),
        code: some(code),
    }
}

pub(super) fn delivery(id: &str, parcels: Vec<Parcel>) -> Delivery {
    Delivery {
        document: Document {
            key: format!("note-{id}"),
            revision: "1".to_owned(),
            occurred_at: at("2025-11-21T09:00:00Z"),
            body: Body::Shipment(Shipment {
                order_key: id.to_owned(),
                stage: Stage::Shipped,
                shipped_at: Some(at("2025-11-21T09:05:00Z")),
                warehouse: Some("WH01".to_owned()),
                shipping_method: Some(method("UPS", "Ground", "UPCG")),
                parcels,
                extras: Vec::new(),
            }),
        },
        origin: Some(origin(id, json!({}))),
        links: Vec::new(),
        settings: Vec::new(),
    }
}

fn change(delivery: &mut Delivery, with: impl FnOnce(&mut Shipment)) {
    let Body::Shipment(shipment) = &mut delivery.document.body else {
        panic!("not a shipment");
    };
    with(shipment);
}

pub(super) fn run(host: &TestHost, attempt: u32, batch: &[Delivery]) -> Vec<Verdict> {
    let verdicts = with_api(host, &[], |api| push(api, attempt, batch));
    host.finish();
    verdicts
}

pub(super) fn handle(verdict: &Verdict) -> Value {
    let Ok(Outcome::Pending(ticket)) = verdict else {
        panic!("not pending: {verdict:?}");
    };
    value(&ticket.handle)
}

fn code(verdict: &Verdict) -> &str {
    match verdict {
        Err(Failure::Rejected(p) | Failure::Withdrawn(p) | Failure::InDoubt(p)) => &p.code,
        other => panic!("no problem: {other:?}"),
    }
}

pub(super) fn queued() -> Answer {
    Answer::json(202, &json!({"status": "pending", "requestId": "r-1"}))
}

/// The body of a shipment of one delivery.
fn body_of(delivery: &Delivery) -> Value {
    let host = TestHost::at(now()).expect(&post(), queued());
    let verdicts = run(&host, 1, std::slice::from_ref(delivery));
    assert!(
        matches!(verdicts[0], Ok(Outcome::Pending(_))),
        "{verdicts:?}"
    );
    serde_json::from_slice::<Value>(&host.sent()[0].body).unwrap()[0].clone()
}

#[test]
fn a_batch_is_one_call_with_the_ids_and_numbers_of_the_order() {
    let object = json!({
        "dscoOrderId": "1", "poNumber": "PO-1001",
        "shipments": [{
            "trackingNumber": "1Z1", "shipDate": "2025-11-21T09:05:00Z", "warehouseCode": "WH01",
            "shipCarrier": "UPS", "shipMethod": "Ground", "shippingServiceLevelCode": "UPCG",
            "lineItems": [{"lineNumber": 1, "quantity": 2, "dscoItemId": "1090000001", "sku": "TEE-BLK-M",
                           "partnerSku": "R-5511", "upc": "012345678905"}],
        }],
    });
    let mut second = object.clone();
    second["dscoOrderId"] = json!("2");
    second["shipments"][0]["trackingNumber"] = json!("1Z2");
    let host = TestHost::at(now()).expect_body(&post(), json!([object, second]), queued());
    let batch = [
        delivery("1", vec![parcel("1Z1", &[("1", "2"), ("2", "0")])]),
        delivery("2", vec![parcel(" 1Z2 ", &[("1", "1"), ("1", "1.0")])]),
    ];
    let verdicts = run(&host, 1, &batch);
    assert_eq!(handle(&verdicts[1])["r"], "r-1");
    assert_eq!(handle(&verdicts[1])["p"], json!([["1Z2", {"1": 2}]]));
    let Ok(Outcome::Pending(ticket)) = &verdicts[0] else {
        panic!("not pending");
    };
    assert_eq!(ticket.check_in_secs, 5, "one look is enough");
    let effect = host.sent()[0].effect.clone().unwrap();
    assert_eq!(
        (effect.step.as_str(), effect.members.as_slice()),
        ("ship", [0, 1].as_slice())
    );
}

#[test]
fn several_parcels_and_one_unit_in_several() {
    let mut one = delivery(
        "1",
        vec![
            parcel("A", &[("1", "1")]),
            parcel("B", &[("1", "1"), ("2", "1")]),
            parcel("C", &[]),
        ],
    );
    let body = body_of(&one);
    let all = body["shipments"].as_array().unwrap();
    assert_eq!(all.len(), 2, "a parcel without lines is none");
    assert_eq!(all[1]["lineItems"].as_array().unwrap().len(), 2);
    assert!(all[0]["lineItems"][0].get("packageSpanFlag").is_none());
    change(&mut one, |shipment| {
        for parcel in &mut shipment.parcels {
            parcel.span = true;
        }
    });
    let body = body_of(&one);
    for parcel in body["shipments"].as_array().unwrap() {
        assert_eq!(parcel["lineItems"][0]["packageSpanFlag"], true);
    }
}

#[test]
fn a_parcel_that_the_agent_lets_go_without_a_number_is_untracked() {
    let body = body_of(&delivery(
        "1",
        vec![parcel("", &[("1", "1")]), parcel("", &[("2", "1")])],
    ));
    assert_eq!(body["shipments"][0]["trackingNumber"], "untracked-note-1");
    assert_eq!(body["shipments"][1]["trackingNumber"], "untracked-note-1-2");
    assert_eq!(body["shipments"][0]["untracked"], true);
}

#[test]
fn optional_blocks_are_a_retailer_s() {
    let mut one = delivery("1", vec![parcel("A", &[("1", "1")])]);
    one.settings = super::settings(&[
        ("ship-warehouse", "false"),
        ("ship-cost", "zero"),
        ("ship-to", "true"),
        ("ship-from", "Acme | 1 Dock Rd | Reno | NV | 89501 | US"),
        ("tracking-url", "https://track.test/{tracking}"),
        ("generic-codes", "UPSV"),
    ]);
    change(&mut one, |s| {
        s.shipping_method = Some(method("", "", "GCG"));
    });
    let body = body_of(&one);
    let parcel = &body["shipments"][0];
    assert!(parcel.get("warehouseCode").is_none());
    assert_eq!(
        (&parcel["shipCost"], &parcel["currencyCode"]),
        (&json!(0), &json!("USD"))
    );
    assert_eq!(parcel["shipTo"]["postal"], "62701");
    assert_eq!(parcel["shipFrom"]["city"], "Reno");
    assert_eq!(parcel["trackingUrl"], "https://track.test/A");
    assert_eq!(
        parcel["shippingServiceLevelCode"], "GCG",
        "this retailer takes it"
    );
    assert_eq!(parcel["shipCarrier"], "Generic", "the order's own word");
    for (code, carrier, name) in [
        ("upcg", json!("UPS"), json!("Ground")),
        ("ASEE", Value::Null, Value::Null),
    ] {
        change(&mut one, |s| s.shipping_method = Some(method("", "", code)));
        let parcel = body_of(&one)["shipments"][0].clone();
        assert_eq!(parcel["shippingServiceLevelCode"], code);
        assert_eq!(
            (&parcel["shipCarrier"], &parcel["shipMethod"]),
            (&carrier, &name)
        );
    }
}

#[test]
fn what_cannot_be_reported_is_named_and_the_others_leave() {
    let good = || delivery("9", vec![parcel("Z", &[("1", "1")])]);
    let refused = |bad: Delivery| {
        let host = TestHost::at(now()).expect(&post(), queued());
        let verdicts = run(&host, 1, &[bad, good()]);
        assert_eq!(host.sent()[0].effect.clone().unwrap().members, [1]);
        assert!(matches!(verdicts[1], Ok(Outcome::Pending(_))));
        verdicts[0].clone()
    };
    let one = |lines: &[(&str, &str)]| delivery("1", vec![parcel("A", lines)]);
    assert_eq!(code(&refused(one(&[("1", "1.5")]))), "not-whole");
    assert_eq!(code(&refused(one(&[("1", "-1")]))), "not-whole");
    assert_eq!(code(&refused(one(&[("7", "1")]))), "line-unknown");
    assert_eq!(code(&refused(one(&[]))), "empty-shipment");
    let mut kit = one(&[("1", "1")]);
    change(&mut kit, |s| {
        s.parcels[0].lines[0].part = Some(Part {
            item: "5".to_owned(),
            per_unit: Decimal::whole(1),
            parts: 2,
        });
    });
    assert_eq!(code(&refused(kit)), "kit-not-folded");
    for (method, cell) in [
        (Some(method("Generic", "Ground", "gcg")), "gcg"),
        (Some(method("UPS", "", "")), "none"),
        (Some(method("GENERIC", "Ground", "")), "GENERIC"),
        (None, "none"),
    ] {
        let mut bad = one(&[("1", "1")]);
        change(&mut bad, |s| s.shipping_method.clone_from(&method));
        let Err(Failure::Unmapped(gaps)) = refused(bad.clone()) else {
            panic!("not unmapped");
        };
        assert_eq!(gaps[0].table, "shipping-methods");
        assert_eq!(gaps[0].retailer.as_deref(), Some("1000007001"));
        assert_eq!(gaps[0].value, cell);
        // The agent says how the sender calls the method: that is the cell.
        change(&mut bad, |s| {
            s.extras.push(Extra {
                name: "shipping-method".to_owned(),
                value: "12".to_owned(),
            });
        });
        let Err(Failure::Unmapped(gaps)) = refused(bad) else {
            panic!("not unmapped");
        };
        assert_eq!(gaps[0].value, "12");
    }
}

#[test]
fn parcels_that_the_order_shows_are_not_sent() {
    let package = json!({"trackingNumber": "A", "items": [{"lineNumber": 1, "quantity": 1}]});
    let mut all = delivery("1", vec![parcel("A", &[("1", "1")])]);
    all.origin = Some(origin("1", json!({"packages": [package]})));
    let verdicts = run(&TestHost::at(now()), 1, &[all.clone()]);
    assert!(matches!(&verdicts[0], Ok(Outcome::Done(r)) if r.duplicate && r.key == "1/A"));
    change(&mut all, |s| s.parcels.push(parcel("B", &[("2", "1")])));
    let body = body_of(&all);
    assert_eq!(body["shipments"].as_array().unwrap().len(), 1);
    assert_eq!(body["shipments"][0]["trackingNumber"], "B");
    // Other contents: what the agent holds may be old, so DSCO judges.
    change(&mut all, |s| s.parcels[0].lines = vec![packed("1", "2")]);
    assert_eq!(body_of(&all)["shipments"].as_array().unwrap().len(), 2);
}

#[test]
fn without_an_order_of_ours_it_is_read() {
    let mut one = delivery("1000456789", vec![parcel("A", &[("1", "1")])]);
    one.origin = None;
    let host = TestHost::at(now())
        .expect(&get("1000456789"), Answer::json(200, &value(CREATED)))
        .expect(&post(), queued());
    assert_eq!(handle(&run(&host, 1, &[one.clone()])[0])["o"], "1000456789");
    let host = TestHost::at(now()).expect(&get("1000456789"), Answer::json(404, &json!({})));
    assert_eq!(code(&run(&host, 1, &[one])[0]), "order-unknown");
}

fn entry(id: &str, tracking: &str, status: &str, request: &str) -> Value {
    json!({"payload": {"dscoOrderId": id, "shipments": [{"trackingNumber": tracking}]}, "status": status,
           "requestId": request, "dateProcessed": "2025-11-21T09:59:20+00:00",
           "results": [{"description": "warehouseCode X is not known"}]})
}

#[test]
fn a_lost_answer_is_looked_up_and_only_what_is_missing_is_sent() {
    let package = |tracking: &str| json!({"trackingNumber": tracking, "items": [{"lineNumber": 1, "quantity": 1}]});
    let order =
        |packages: Value| Answer::json(200, &value(&with(CREATED, json!({"packages": packages}))));
    let old = json!({"payload": {"dscoOrderId": "3", "shipments": [{"trackingNumber": "T3"}]}, "status": "failure",
                     "requestId": "r-0", "dateProcessed": "2025-11-21T09:59:12+00:00", "results": []});
    let host = TestHost::at(now())
        .expect(&post(), Answer::Error(IoError::InDoubt(45_000)))
        .expect(
            &log(45),
            Answer::json(
                200,
                &json!({"logs": [entry("1", "T1", "success", "r-7"), entry("2", "T2", "failure", "r-7"), old,
                    entry("4", "T4", "pending", "r-7"), entry("5", "other", "success", "r-8")]}),
            ),
        )
        .expect(&get("3"), order(json!([package("T3")])))
        .expect(&get("5"), order(json!([package("T5")])))
        .expect(&get("6"), Answer::json(404, &json!({})))
        .expect(&post(), queued());
    let mut batch: Vec<Delivery> = (1..=6)
        .map(|n| {
            delivery(
                &n.to_string(),
                vec![parcel(&format!("T{n}"), &[("1", "1")])],
            )
        })
        .collect();
    change(&mut batch[4], |s| {
        s.parcels.push(parcel("T5b", &[("2", "1")]));
    });
    let verdicts = run(&host, 1, &batch);
    assert!(matches!(&verdicts[0], Ok(Outcome::Done(r)) if !r.duplicate));
    assert_eq!(code(&verdicts[1]), "warehouse-refused");
    assert_eq!(
        host.retracted(),
        [("ship".to_owned(), vec![1])],
        "its next attempt is a first one"
    );
    assert!(
        matches!(&verdicts[2], Ok(Outcome::Done(r)) if r.duplicate),
        "an older refusal is not of this attempt"
    );
    assert_eq!(handle(&verdicts[3])["r"], "r-7");
    assert_eq!(handle(&verdicts[4])["p"], json!([["T5b", {"2": 1}]]));
    assert_eq!(handle(&verdicts[5])["r"], "r-1");
    let sent = host.sent();
    let resent = sent.last().unwrap();
    let effect = resent.effect.clone().unwrap();
    assert!(effect.verified_absent);
    assert_eq!(effect.members, [4, 5]);
    let body: Value = serde_json::from_slice(&resent.body).unwrap();
    assert_eq!(body[0]["shipments"].as_array().unwrap().len(), 1);
    assert_eq!(body[0]["shipments"][0]["trackingNumber"], "T5b");
}

#[test]
fn many_doubts_are_one_search_and_none_is_sent_while_they_are_young() {
    let batch: Vec<Delivery> = (0..30)
        .map(|n| {
            delivery(
                &n.to_string(),
                vec![parcel(&format!("T{n}"), &[("1", "1")])],
            )
        })
        .collect();
    let orders: Vec<Value> = (0..29)
        .map(|n| {
            let package = json!({"trackingNumber": format!("T{n}"), "items": [{"lineNumber": 1, "quantity": 1}]});
            value(&with(CREATED, json!({"dscoOrderId": n.to_string(), "packages": [package]})))
        })
        .collect();
    let host = TestHost::at(now())
        .expect(&post(), Answer::Error(IoError::InDoubt(45_000)))
        .expect(&log(45), Answer::json(200, &json!({"logs": []})))
        .expect(
            &format!(
                "GET {API}/order/page?ordersUpdatedSince=2025-11-21T09%3A58%3A15Z&until=2025-11-21T09%3A59%3A50Z\
                 &ordersPerPage=1000"
            ),
            Answer::json(200, &json!({"orders": orders})),
        )
        .expect(&post(), queued());
    let verdicts = run(&host, 1, &batch);
    let adopted = |v: &&Verdict| matches!(v, Ok(Outcome::Done(r)) if r.duplicate);
    assert_eq!(verdicts.iter().filter(adopted).count(), 29);
    assert_eq!(handle(&verdicts[29])["o"], "29");
    let host = TestHost::at(now())
        .expect(&post(), Answer::Error(IoError::InDoubt(5_000)))
        .expect(&log(5), Answer::json(200, &json!({"logs": []})));
    let verdicts = run(&host, 1, &batch);
    assert!(verdicts.iter().all(|v| *v == Err(Failure::Retry(Some(25)))));
}

#[test]
fn who_is_not_in_a_search_that_was_too_long_is_looked_at_alone() {
    let batch: Vec<Delivery> = (0..45)
        .map(|n| {
            delivery(
                &n.to_string(),
                vec![parcel(&format!("T{n}"), &[("1", "1")])],
            )
        })
        .collect();
    let other = value(&with(CREATED, json!({"dscoOrderId": "other"})));
    let page = Answer::json(200, &json!({"scrollId": "p", "orders": [other]}));
    let mut host = TestHost::at(now())
        .expect(&post(), Answer::Error(IoError::InDoubt(45_000)))
        // By their clock the search begins shortly before the call.
        .expect(
            &log(45),
            Answer::json(200, &json!({"logs": []})).header("Date", "Fri, 21 Nov 2025 10:00:00 GMT"),
        )
        .expect(
            &format!(
                "GET {API}/order/page?ordersUpdatedSince=2025-11-21T09%3A59%3A00Z&until=2025-11-21T09%3A59%3A50Z\
                 &ordersPerPage=1000"
            ),
            page.clone(),
        );
    for _ in 1..20 {
        host = host.expect(&format!("GET {API}/order/page?scrollId=p"), page.clone());
    }
    for n in 0..20 {
        host = host.expect(&get(&n.to_string()), Answer::json(404, &json!({})));
    }
    host = host.expect(&post(), queued());
    let verdicts = run(&host, 1, &batch);
    let sent = host.sent();
    let effect = sent.last().unwrap().effect.clone().unwrap();
    assert_eq!(effect.members, (0..20).collect::<Vec<u32>>());
    assert!(
        verdicts[20..]
            .iter()
            .all(|v| *v == Err(Failure::Retry(Some(0))))
    );
}

#[test]
fn an_earlier_attempt_is_looked_at_before_anything_is_sent() {
    let package = json!({"trackingNumber": "A", "items": [{"lineNumber": 1, "quantity": 1}]});
    let there = with(CREATED, json!({"packages": [package]}));
    let host = TestHost::at(now())
        .expect(&get("1"), Answer::json(200, &value(&there)))
        .expect(&get("2"), Answer::json(200, &value(CREATED)))
        .expect(
            &get("3"),
            Answer::json(
                200,
                &value(&with(CREATED, json!({"dscoStatus": "cancelled"}))),
            ),
        )
        .expect(&post(), queued());
    let batch = [
        delivery("1", vec![parcel("A", &[("1", "1")])]),
        delivery("2", vec![parcel("B", &[("1", "1")])]),
        delivery("3", vec![parcel("C", &[("1", "1")])]),
    ];
    let verdicts = run(&host, 2, &batch);
    assert!(matches!(&verdicts[0], Ok(Outcome::Done(r)) if r.duplicate));
    assert_eq!(handle(&verdicts[1])["o"], "2");
    assert_eq!(code(&verdicts[2]), "cancelled-by-retailer");
    assert_eq!(
        host.sent().last().unwrap().effect.clone().unwrap().members,
        [1]
    );
}

#[test]
fn who_could_not_be_looked_at_waits_and_the_others_are_sent() {
    let host = TestHost::at(now())
        .expect(&get("1"), Answer::text(502, "<html>"))
        .expect(&get("2"), Answer::json(200, &value(CREATED)))
        .expect(&post(), queued());
    let batch = [
        delivery("1", vec![parcel("A", &[("1", "1")])]),
        delivery("2", vec![parcel("B", &[("1", "1")])]),
    ];
    let verdicts = run(&host, 2, &batch);
    assert_eq!(verdicts[0], Err(Failure::Retry(None)));
    assert_eq!(handle(&verdicts[1])["o"], "2");
    let sent = host.sent();
    let effect = sent.last().unwrap().effect.clone().unwrap();
    assert_eq!(effect.members, [1], "an order unseen is never sent again");
}

#[test]
fn a_long_log_is_read_from_shortly_before_the_call_by_their_clock() {
    // Their clock is ten seconds ahead of ours.
    let other = entry("other", "other", "success", "r-8");
    let long = json!({"scrollId": "s", "logs": vec![other.clone(); 100]});
    let host = TestHost::at(now())
        .expect(&post(), Answer::Error(IoError::InDoubt(45_000)))
        .expect(
            &log(45),
            Answer::json(200, &long).header("Date", "Fri, 21 Nov 2025 10:00:10 GMT"),
        )
        .expect(
            &log(45).replace("09%3A58%3A15", "09%3A59%3A10"),
            Answer::json(
                200,
                &json!({"scrollId": "t", "logs": [other, entry("1", "T1", "pending", "r-7"), entry("1", "T1", "success", "r-7")]}),
            ),
        );
    let one = delivery("1", vec![parcel("T1", &[("1", "1")])]);
    let verdicts = run(&host, 1, &[one]);
    // The rest of it was not read, and may hold a failure: the request it was is asked.
    assert_eq!(handle(&verdicts[0])["r"], "r-7");
}

#[test]
fn kept_answers_among_the_doubts_are_handed_out_alone() {
    let doubt = |age| Answer::Error(IoError::InDoubt(age));
    let host = TestHost::at(now())
        .expect(&post(), doubt(60_000))
        .expect(&log(60), Answer::json(200, &json!({"logs": []})))
        .expect(&get("1"), Answer::json(404, &json!({})))
        .expect(&get("2"), Answer::json(404, &json!({})))
        .expect(&post(), doubt(60_000))
        .expect(&post(), queued())
        .expect(&post(), doubt(0));
    let batch = ["1", "2"].map(|n| delivery(n, vec![parcel(n, &[("1", "1")])]));
    let verdicts = run(&host, 1, &batch);
    assert_eq!(handle(&verdicts[0])["r"], "r-1");
    assert_eq!(
        verdicts[1],
        Err(Failure::Retry(Some(30))),
        "lost again just now"
    );
}

#[test]
fn bodies_stay_below_the_limit() {
    let lines: Vec<(&str, &str)> = vec![("1", "1"), ("2", "1")];
    let batch: Vec<Delivery> = (0..60)
        .map(|n| {
            let parcels = (0..250)
                .map(|p| parcel(&format!("T{n}-{p}"), &lines))
                .collect();
            delivery(&n.to_string(), parcels)
        })
        .collect();
    let host = TestHost::at(now())
        .expect(&post(), queued())
        .expect(&post(), queued());
    let verdicts = run(&host, 1, &batch);
    assert!(
        verdicts
            .iter()
            .all(|v| matches!(v, Ok(Outcome::Pending(_))))
    );
    assert!(host.sent().iter().all(|sent| sent.body.len() <= 4_000_000));
}
