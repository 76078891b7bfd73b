//! Telling stock against scripted answers: what is sent, how refusals, lost answers and odd logs end.

use super::{API, now, value, with_api};
use crate::bindings::exports::waybill::connector::levels::{Level, Place};
use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::confirm::confirm;
use crate::stock::{push as push_levels, push_documents as push};
use serde_json::{Value, json};
use waybill_sdk::commerce::{Body, Decimal, Document, InventoryLevel};
use waybill_sdk::effects::IoError;
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::{Failure, Outcome, Verdict};

const SKIP: &str = "?skipItemsThatDontExist=true";

fn post() -> String {
    format!("POST {API}/inventory/batch/small{SKIP}")
}

fn log(status: &str) -> String {
    format!("GET {API}/inventory/log?requestId=r-1&status={status}")
}

fn queued() -> Answer {
    Answer::json(202, &json!({"status": "pending", "requestId": "r-1"}))
}

pub(super) fn level(item: &str, warehouse: &str, available: &str) -> Delivery {
    Delivery {
        document: Document {
            key: format!("{item}@{warehouse}"),
            revision: "1".to_owned(),
            occurred_at: now(),
            body: Body::InventoryLevel(InventoryLevel {
                item: item.to_owned(),
                warehouse: warehouse.to_owned(),
                available: Decimal::parse(available).unwrap(),
                expected_at: None,
            }),
        },
        origin: None,
        links: Vec::new(),
        settings: Vec::new(),
    }
}

fn run(host: &TestHost, batch: &[Delivery]) -> Vec<Verdict> {
    let verdicts = with_api(host, &[], |api| push(api, batch));
    host.finish();
    verdicts
}

fn handles(verdicts: &[Verdict]) -> Vec<String> {
    let handle = |verdict: &Verdict| match verdict {
        Ok(Outcome::Pending(ticket)) => ticket.handle.clone(),
        other => panic!("not pending: {other:?}"),
    };
    verdicts.iter().map(handle).collect()
}

/// Tickets of these levels, sent five seconds ago.
fn tickets(batch: &[Delivery]) -> Vec<String> {
    let host = TestHost::at(now() - 5_000).expect(&post(), queued());
    handles(&run(&host, batch))
}

fn ask(host: &TestHost, handles: &[String]) -> Vec<Verdict> {
    let verdicts = with_api(host, &[], |api| confirm(api, handles)).unwrap();
    host.finish();
    verdicts
}

fn is_done(verdict: &Verdict) -> bool {
    matches!(verdict, Ok(Outcome::Done(_)))
}

fn problem(verdict: &Verdict) -> (&str, &str) {
    match verdict {
        Err(Failure::Rejected(p) | Failure::InDoubt(p)) => (&p.code, &p.message),
        other => panic!("no problem: {other:?}"),
    }
}

fn entry(sku: &str, status: &str, words: &str) -> Value {
    json!({"payload": {"sku": sku}, "status": status, "requestId": "r-1",
        "results": [{"code": "VALIDATION_FAILED", "severity": "error", "description": words}]})
}

fn read(status: &str, entries: &[Value]) -> Answer {
    Answer::json(200, &json!({"status": status, "logs": entries}))
}

#[test]
fn the_warehouses_of_an_item_are_one_object() {
    let body = json!([
        {"sku": "TEE", "status": "in-stock", "quantityAvailable": 9,
         "warehouses": [{"code": "WH01", "quantity": 7}, {"code": "WH02", "quantity": 2}]},
        {"sku": "CAP", "status": "out-of-stock", "quantityAvailable": 0,
         "warehouses": [{"code": "WH01", "quantity": 0}]},
    ]);
    let host = TestHost::at(now()).expect_body(&post(), body, queued());
    let batch = [
        level("TEE", "WH01", "7"),
        // What cannot be sold is not offered: a part of a unit, less than nothing.
        level("TEE", "WH02", "2.9"),
        level("CAP", "WH01", "-3"),
    ];
    let verdicts = run(&host, &batch);
    let first = value(&handles(&verdicts)[0]);
    assert_eq!((&first["i"], &first["r"]), (&json!("TEE"), &json!("r-1")));
    assert_eq!(verdicts[0], verdicts[1], "one item, one verdict");
    let effect = host.sent()[0].effect.clone().unwrap();
    assert_eq!(
        (effect.step.as_str(), effect.members),
        ("inventory-1", vec![0, 1, 2])
    );
    assert!(effect.verified_absent, "told twice it is the same");
}

fn of_item(item: &str, places: &[(&str, &str)]) -> Level {
    let place = |(warehouse, available): &(&str, &str)| Place {
        warehouse: (*warehouse).to_owned(),
        available: Decimal::parse(available).unwrap(),
        expected_at: None,
    };
    Level {
        item: item.to_owned(),
        places: places.iter().map(place).collect(),
    }
}

#[test]
fn an_item_with_all_its_warehouses_is_one_member() {
    let body = json!([
        {"sku": "TEE", "status": "in-stock", "quantityAvailable": 9,
         "warehouses": [{"code": "WH01", "quantity": 7}, {"code": "WH02", "quantity": 2}]},
        {"sku": "CAP", "status": "out-of-stock", "quantityAvailable": 0,
         "warehouses": [{"code": "WH01", "quantity": 0}]},
    ]);
    let host = TestHost::at(now()).expect_body(&post(), body, queued());
    let batch = [
        of_item("TEE", &[("WH01", "7"), ("WH02", "2.9")]),
        of_item("HAT", &[("WH01", "1"), (" ", "1")]),
        of_item("CAP", &[("WH01", "-3")]),
    ];
    let verdicts = with_api(&host, &[], |api| push_levels(api, &batch));
    host.finish();
    assert_eq!(problem(&verdicts[1]).0, "no-warehouse");
    let told = handles(&[verdicts[0].clone(), verdicts[2].clone()]);
    assert_eq!(
        (&value(&told[0])["i"], &value(&told[1])["i"]),
        (&json!("TEE"), &json!("CAP"))
    );
    assert_eq!(host.sent()[0].effect.clone().unwrap().members, [0, 2]);
}

#[test]
fn two_warehouses_of_twenty_five_thousand_items_are_one_call() {
    let places = [("EAST-01", "1234"), ("WEST-01", "999")];
    let batch: Vec<Level> = (0..25_000)
        .map(|n| of_item(&format!("TEE-BLK-XXL-{n:04}"), &places))
        .collect();
    let host = TestHost::at(now()).expect(&post(), queued());
    let verdicts = with_api(&host, &[], |api| push_levels(api, &batch));
    host.finish();
    assert_eq!(handles(&verdicts).len(), 25_000);
    assert!(host.sent()[0].body.len() < 4_000_000);
}

#[test]
fn a_figure_beyond_all_measure_is_the_largest_there_is() {
    let host = TestHost::at(now()).expect(&post(), queued());
    let huge = "9223372036854775807";
    run(
        &host,
        &[level("TEE", "WH01", huge), level("TEE", "WH02", huge)],
    );
    let body: Value = serde_json::from_slice(&host.sent()[0].body).unwrap();
    assert_eq!(body[0]["quantityAvailable"], i32::MAX);
    assert_eq!(body[0]["warehouses"][1]["quantity"], 0, "it still adds up");
}

#[test]
fn more_is_expected_on_a_date() {
    let mut one = level("TEE", "WH01", "0");
    if let Body::InventoryLevel(level) = &mut one.document.body {
        level.expected_at = Some(super::at("2025-12-01T08:00:00Z"));
    }
    let host = TestHost::at(now()).expect(&post(), queued());
    run(&host, &[one]);
    let body: Value = serde_json::from_slice(&host.sent()[0].body).unwrap();
    assert_eq!(
        body[0]["warehouses"][0]["estimatedAvailabilityDate"],
        "2025-12-01T08:00:00Z"
    );
}

#[test]
fn unknown_items_are_made_where_the_merchant_wants_it() {
    let host = TestHost::at(now()).expect(&format!("POST {API}/inventory/batch/small"), queued());
    let pairs = [("skip-unknown-items", "false")];
    let verdicts = with_api(&host, &pairs, |api| push(api, &[level("TEE", "WH01", "1")]));
    host.finish();
    assert_eq!(handles(&verdicts).len(), 1);
}

#[test]
fn what_has_no_place_there_is_not_sent_and_nothing_of_its_item_is() {
    let host = TestHost::at(now()).expect(&post(), queued());
    let long = "x".repeat(91);
    let batch = [
        level("TEE", "WH01", "7"),
        level("TEE", " ", "2"),
        level(&long, "WH01", "1"),
        level("CAP", "WH01", "1"),
    ];
    let verdicts = run(&host, &batch);
    assert_eq!(
        problem(&verdicts[0]).0,
        "no-warehouse",
        "half of it would be taken as all"
    );
    assert_eq!(verdicts[0], verdicts[1]);
    assert_eq!(problem(&verdicts[2]).0, "sku-unfit");
    assert!(matches!(verdicts[3], Ok(Outcome::Pending(_))));
    assert_eq!(host.sent()[0].effect.clone().unwrap().members, [3]);
}

#[test]
fn twenty_five_thousand_items_are_one_call_and_long_names_make_two() {
    let sku = |n: usize, width: usize| format!("SKU-{n:0width$}");
    let batch = |width| -> Vec<Delivery> {
        (0..25_000)
            .map(|n| level(&sku(n, width), "WH01", "12345"))
            .collect()
    };
    let host = TestHost::at(now()).expect(&post(), queued());
    let verdicts = run(&host, &batch(8));
    assert_eq!(handles(&verdicts).len(), 25_000);
    assert!(host.sent()[0].body.len() < 4_000_000);
    let host = TestHost::at(now())
        .expect(&post(), queued())
        .expect(&post(), queued());
    let verdicts = run(&host, &batch(80));
    assert_eq!(handles(&verdicts).len(), 25_000);
    let steps: Vec<String> = host
        .sent()
        .iter()
        .map(|r| r.effect.clone().unwrap().step)
        .collect();
    assert_eq!(steps, ["inventory-1", "inventory-2"]);
    assert!(
        host.sent()
            .iter()
            .all(|request| request.body.len() <= 4_000_000)
    );
}

#[test]
fn a_lost_answer_is_simply_sent_again() {
    let batch = [level("TEE", "WH01", "7")];
    let host = TestHost::at(now()).expect(&post(), Answer::Error(IoError::TimedOut));
    assert_eq!(run(&host, &batch), [Err(Failure::Retry(None))]);
    let host = TestHost::at(now()).expect(&post(), queued());
    assert_eq!(handles(&run(&host, &batch)).len(), 1);
}

#[test]
fn one_bad_item_does_not_hold_up_the_others() {
    let refusal = |words: &str| {
        Answer::json(
            400,
            &json!({"status": "failure", "messages": [{"description": words}]}),
        )
    };
    let bad = "warehouseCode WH9 is not known";
    let host = TestHost::at(now())
        .expect(&post(), refusal(bad))
        .expect(&post(), queued())
        .expect(&post(), refusal(bad));
    let verdicts = run(
        &host,
        &[level("TEE", "WH01", "7"), level("CAP", "WH9", "7")],
    );
    assert!(matches!(verdicts[0], Ok(Outcome::Pending(_))));
    assert_eq!(problem(&verdicts[1]).0, "warehouse-refused");
    // An answer that says no under a friendly status is the same.
    let no = Answer::json(
        202,
        &json!({"status": "failure", "messages": [{"description": "no"}]}),
    );
    let host = TestHost::at(now()).expect(&post(), no);
    assert_eq!(
        problem(&run(&host, &[level("TEE", "WH01", "7")])[0]).0,
        "stock-refused"
    );
}

#[test]
fn a_body_that_is_refused_whatever_is_in_it_does_not_make_calls_without_end() {
    let batch: Vec<Delivery> = (0..1000)
        .map(|n| level(&format!("S{n}"), "WH01", "1"))
        .collect();
    let mut host = TestHost::at(now());
    for _ in 0..1000 {
        host = host.expect(&post(), Answer::json(400, &json!({"message": "no"})));
    }
    let verdicts = with_api(&host, &[], |api| push(api, &batch));
    assert!(host.sent().len() < 100, "{}", host.sent().len());
    assert!(verdicts.iter().all(|v| problem(v).0 == "stock-refused"));
}

#[test]
fn one_look_at_the_failures_judges_all() {
    let batch = [
        level("TEE", "WH01", "7"),
        level("TEE", "WH9", "2"),
        level("CAP", "WH01", "1"),
    ];
    let failures = [entry("TEE", "failure", "warehouseCode WH9 is not known")];
    let host = TestHost::at(now()).expect(&log("failure"), read("COMPLETED", &failures));
    let verdicts = ask(&host, &tickets(&batch));
    let (code, message) = problem(&verdicts[0]);
    assert_eq!(code, "warehouse-refused");
    assert!(
        message.contains("`WH9`") && !message.contains("`WH01"),
        "{message}"
    );
    assert_eq!(verdicts[0], verdicts[1]);
    assert!(is_done(&verdicts[2]), "not named, so it went through");
}

#[test]
fn a_log_that_is_not_ready_is_asked_again() {
    let batch = [level("TEE", "WH01", "7"), level("CAP", "WH01", "1")];
    let young = TestHost::at(now()).expect(&post(), queued());
    let young = handles(&run(&young, &batch));
    // Too soon to be whole: not even asked.
    let host = TestHost::at(now() + 1_000);
    let later = Err(Failure::Retry(Some(2)));
    assert_eq!(ask(&host, &young), [later.clone(), later]);
    let failures = [entry(
        "TEE",
        "failure",
        "quantityAvailable 3 is not the sum 2",
    )];
    let host = TestHost::at(now()).expect(&log("failure"), read("PROCESSING", &failures));
    let verdicts = ask(&host, &tickets(&batch));
    assert_eq!(
        problem(&verdicts[0]).0,
        "quantity-refused",
        "a failure is final"
    );
    assert!(matches!(verdicts[1], Ok(Outcome::Pending(_))));
    let host = TestHost::at(now())
        .expect(&log("failure"), Answer::json(404, &json!({})))
        .expect(&log("success_or_failure"), Answer::json(404, &json!({})));
    assert!(
        ask(&host, &tickets(&batch))
            .iter()
            .all(|v| matches!(v, Ok(Outcome::Pending(_))))
    );
    let late = TestHost::at(now() + 8_000_000).expect(&log("failure"), read("PROCESSING", &[]));
    let verdicts = ask(&late, &tickets(&batch));
    assert_eq!(problem(&verdicts[0]).0, "never-confirmed");
}

#[test]
fn a_log_without_a_word_about_its_state_is_followed_item_by_item() {
    let batch = [level("TEE", "WH01", "7"), level("CAP", "WH01", "1")];
    let said = |entries: &[Value]| Answer::json(200, &json!({"logs": entries}));
    let host = TestHost::at(now())
        .expect(&log("failure"), said(&[]))
        .expect(
            &log("success_or_failure"),
            said(&[entry("TEE", "success", "")]),
        );
    let verdicts = ask(&host, &tickets(&batch));
    assert!(is_done(&verdicts[0]));
    assert!(matches!(verdicts[1], Ok(Outcome::Pending(_))));
}

#[test]
fn an_answer_that_cannot_be_read_is_followed_by_its_time() {
    let batch = [level("TEE", "WH01", "7")];
    let host = TestHost::at(now() - 5_000).expect(&post(), Answer::text(202, "ok"));
    let handles = handles(&run(&host, &batch));
    let time = |ms| waybill_sdk::date::format(ms).replace(':', "%3A");
    let by_time = format!(
        "GET {API}/inventory/log?startDate={}&endDate={}",
        time(now() - 65_000),
        time(now() + 55_000)
    );
    let entries = [entry("CAP", "failure", "no"), entry("TEE", "success", "")];
    let host = TestHost::at(now()).expect(&by_time, Answer::json(200, &json!({"logs": entries})));
    assert!(is_done(&ask(&host, &handles)[0]));
}

#[test]
fn refusals_say_what_to_do() {
    for (words, code) in [
        ("warehouseCode is required", "warehouse-refused"),
        ("A new item needs one of upc, ean, gtin", "item-refused"),
        ("upc 12345 is not valid", "item-refused"),
        (
            "quantity of warehouse WH01 must not be negative",
            "quantity-refused",
        ),
        ("status is not valid", "stock-refused"),
        ("", "stock-refused"),
    ] {
        let host = TestHost::at(now()).expect(
            &log("failure"),
            read("COMPLETED", &[entry("TEE", "failure", words)]),
        );
        let verdicts = ask(&host, &tickets(&[level("TEE", "WH01", "7")]));
        let (found, message) = problem(&verdicts[0]);
        assert_eq!(found, code, "{words}");
        assert!(message.contains("`TEE`"), "{message}");
    }
}
