//! Acknowledging against scripted answers: batches, refusals, lost answers.

use super::{API, CREATED, now, value, with, with_api};
use crate::acknowledge::settle;
use crate::bindings::exports::waybill::connector::source::Settled;
use serde_json::{Value, json};
use waybill_sdk::commerce::Entity;
use waybill_sdk::effects::{Denial, IoError};
use waybill_sdk::links::Link;
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::{Failure, Moment, Outcome, Verdict};

fn post() -> String {
    format!("POST {API}/order/acknowledge")
}

fn get(id: &str) -> String {
    format!("GET {API}/order/?orderKey=dscoOrderId&value={id}")
}

/// The log around a call that was sent `age` seconds before now.
fn log(age: i64) -> String {
    let time = |ms| waybill_sdk::date::format(ms).replace(':', "%3A");
    let sent = now() - age * 1000;
    format!(
        "GET {API}/order/log?startDate={}&endDate={}",
        time(sent - 60_000),
        time(sent + 60_000)
    )
}

fn settled(key: &str, sale: Option<&str>) -> Settled {
    Settled {
        entity: Entity::Order,
        key: key.to_owned(),
        links: sale
            .map(|key| Link {
                system: "erp".to_owned(),
                entity: Entity::Order,
                key: key.to_owned(),
            })
            .into_iter()
            .collect(),
    }
}

fn accept(host: &TestHost, keys: &[&str]) -> Vec<Verdict> {
    let batch: Vec<Settled> = keys.iter().map(|key| settled(key, None)).collect();
    let verdicts = with_api(host, &[], |api| settle(api, Moment::Accepted, &batch));
    host.finish();
    verdicts
}

fn handle(verdict: &Verdict) -> Value {
    let Ok(Outcome::Pending(ticket)) = verdict else {
        panic!("not pending: {verdict:?}");
    };
    value(&ticket.handle)
}

fn key(verdict: &Verdict) -> (&str, bool) {
    let Ok(Outcome::Done(receipt)) = verdict else {
        panic!("not done: {verdict:?}");
    };
    (&receipt.key, receipt.duplicate)
}

fn code(verdict: &Verdict) -> &str {
    match verdict {
        Err(Failure::Rejected(p) | Failure::Withdrawn(p) | Failure::InDoubt(p)) => &p.code,
        other => panic!("no problem: {other:?}"),
    }
}

fn queued() -> Answer {
    Answer::json(
        202,
        &json!({"status": "pending", "requestId": "r-1", "eventDate": "2025-11-21T10:00:00+00:00"}),
    )
}

#[test]
fn a_batch_is_one_call_and_every_member_waits_for_the_log() {
    let host = TestHost::at(now()).expect_body(
        &post(),
        json!([{"id": "1", "type": "DSCO_ORDER_ID"}, {"id": "2", "type": "DSCO_ORDER_ID"}]),
        queued(),
    );
    let verdicts = accept(&host, &["1", "2"]);
    assert_eq!(verdicts.len(), 2);
    assert_eq!(handle(&verdicts[1])["r"], "r-1");
    assert_eq!(handle(&verdicts[1])["o"], "2");
    let effect = host.sent()[0].effect.clone().unwrap();
    assert_eq!(
        (effect.step.as_str(), effect.members.as_slice()),
        ("acknowledge", [0, 1].as_slice())
    );
}

#[test]
fn the_sale_number_goes_back_where_there_is_one() {
    let host = TestHost::at(now()).expect_body(
        &post(),
        json!([{"id": "2", "type": "DSCO_ORDER_ID", "supplierOrderNumber": "SO-50012"}]),
        queued(),
    );
    let mut cancellation = settled("9", Some("x"));
    cancellation.entity = Entity::Cancellation;
    let batch = [
        settled("1", None),
        settled("2", Some("SO-50012")),
        cancellation,
    ];
    let verdicts = with_api(&host, &[], |api| settle(api, Moment::Delivered, &batch));
    host.finish();
    assert_eq!(key(&verdicts[0]), ("1", false), "nothing to tell");
    assert_eq!(handle(&verdicts[1])["s"], "SO-50012");
    assert_eq!(key(&verdicts[2]), ("9", false));
    let effect = host.sent()[0].effect.clone().unwrap();
    assert_eq!(effect.step, "acknowledge-number");
    assert_eq!(effect.members, [1]);
}

#[test]
fn a_bad_object_does_not_take_the_others_with_it() {
    let bad = || {
        let messages = json!({"status": "failure", "messages": [{"code": "VALIDATION_FAILED", "severity": "error",
            "description": ["id is wrong", {"field": "id"}]}]});
        Answer::json(400, &messages)
    };
    let body = |ids: &[&str]| {
        let all = ids
            .iter()
            .map(|id| json!({"id": id, "type": "DSCO_ORDER_ID"}));
        Value::Array(all.collect())
    };
    let host = TestHost::at(now())
        .expect_body(&post(), body(&["1", "2", "bad"]), bad())
        .expect_body(&post(), body(&["1"]), queued())
        .expect_body(&post(), body(&["2", "bad"]), bad())
        .expect_body(&post(), body(&["2"]), queued())
        .expect_body(&post(), body(&["bad"]), bad())
        .expect(&get("bad"), Answer::json(404, &json!({})));
    let verdicts = accept(&host, &["1", "2", "bad"]);
    assert_eq!(handle(&verdicts[0])["o"], "1");
    assert_eq!(handle(&verdicts[1])["o"], "2");
    let Err(Failure::Rejected(problem)) = &verdicts[2] else {
        panic!("not rejected: {:?}", verdicts[2]);
    };
    assert!(
        problem.message.contains("id is wrong"),
        "{}",
        problem.message
    );
}

#[test]
fn an_answer_that_says_failure_is_one() {
    for body in [
        json!({"status": "failure", "requestId": "r", "messages": [{"description": "closed"}]}),
        json!({"status": "Failure", "messages": [{"description": ["closed"]}]}),
        json!({"success": false, "messages": {"message": "closed"}}),
    ] {
        let host = TestHost::at(now()).expect(&post(), Answer::json(200, &body));
        let verdicts = accept(&host, &["1"]);
        // A kept answer is replayed for ever; as a ticket it is judged once, and the next attempt is a first one.
        assert_eq!(handle(&verdicts[0])["w"], "closed");
    }
}

#[test]
fn a_refusal_of_one_is_judged_by_its_order() {
    let bad = || Answer::json(400, &json!({"messages": [{"description": "not open"}]}));
    for (changes, done) in [
        (json!({"dscoLifecycle": "acknowledged"}), true),
        (json!({"dscoStatus": "cancelled"}), false),
    ] {
        let host = TestHost::at(now()).expect(&post(), bad()).expect(
            &get("1"),
            Answer::json(200, &value(&with(CREATED, changes))),
        );
        let verdicts = accept(&host, &["1"]);
        if done {
            assert_eq!(key(&verdicts[0]), ("1", true));
        } else {
            assert_eq!(code(&verdicts[0]), "cancelled-by-retailer");
        }
    }
}

#[test]
fn practice_throttles_and_lost_credentials() {
    let host =
        TestHost::at(now()).expect(&post(), Answer::Error(IoError::Denied(Denial::Practice)));
    assert_eq!(
        accept(&host, &["1", "2"]),
        [Ok(Outcome::Recorded), Ok(Outcome::Recorded)]
    );
    let host =
        TestHost::at(now()).expect(&post(), Answer::text(429, "").header("retry-after", "9"));
    assert_eq!(accept(&host, &["1"]), [Err(Failure::Retry(Some(9)))]);
    assert_eq!(host.retracted(), [("acknowledge".to_owned(), vec![0])]);
    let host = TestHost::at(now()).expect(&post(), Answer::text(503, ""));
    assert_eq!(accept(&host, &["1"]), [Err(Failure::Retry(None))]);
    assert!(
        host.retracted().is_empty(),
        "a 503 may come after the work was done"
    );
    let host = TestHost::at(now()).expect(&post(), Answer::text(401, ""));
    assert!(matches!(
        accept(&host, &["1"])[0],
        Err(Failure::Unauthorized(_))
    ));
}

#[test]
fn an_unreadable_answer_is_followed_by_its_time() {
    let host = TestHost::at(now()).expect(&post(), Answer::text(202, "<html>"));
    let verdicts = accept(&host, &["1"]);
    assert_eq!(handle(&verdicts[0])["r"], Value::Null);
    assert_eq!(handle(&verdicts[0])["t"], now());
}

#[test]
fn a_lost_answer_is_looked_up_before_anything_is_sent() {
    let entry = |id: Value, status: &str| {
        json!({"payload": {"id": id, "type": "DSCO_ORDER_ID"}, "status": status, "requestId": "r-7",
               "results": [{"description": "Order is cancelled"}]})
    };
    let other = json!({"payload": {"id": "5", "type": "DSCO_ORDER_ID", "lineItems": [{"sku": "a"}]}, "status": "success"});
    let host = TestHost::at(now())
        .expect(&post(), Answer::Error(IoError::InDoubt(45_000)))
        .expect(
            &log(45),
            Answer::json(
                200,
                &json!({"scrollId": "s", "logs": [entry(json!(1), "pending"), entry(json!(1), "success"),
                    entry(json!("2"), "pending"), entry(json!("3"), "failure"), other]}),
            ),
        )
        .expect(
            &format!("GET {API}/order/log?scrollId=s"),
            Answer::json(200, &json!({"logs": []})),
        )
        .expect(&get("3"), Answer::json(200, &value(&with(CREATED, json!({"dscoStatus": "cancelled"})))))
        .expect(&get("4"), Answer::json(200, &value(&with(CREATED, json!({"dscoLifecycle": "acknowledged"})))))
        .expect(&get("5"), Answer::json(200, &value(CREATED)))
        .expect_body(&post(), json!([{"id": "5", "type": "DSCO_ORDER_ID"}]), queued());
    let verdicts = accept(&host, &["1", "2", "3", "4", "5"]);
    assert_eq!(key(&verdicts[0]), ("1", false));
    assert_eq!(handle(&verdicts[1])["r"], "r-7");
    assert_eq!(code(&verdicts[2]), "cancelled-by-retailer");
    assert_eq!(key(&verdicts[3]), ("4", true));
    assert_eq!(handle(&verdicts[4])["r"], "r-1");
    let resent = host
        .sent()
        .last()
        .and_then(|sent| sent.effect.clone())
        .unwrap();
    assert!(resent.verified_absent);
    assert_eq!(resent.members, [4], "only what was seen nowhere");
}

#[test]
fn many_doubts_are_told_again_at_once_since_it_changes_nothing() {
    let host = TestHost::at(now())
        .expect(&post(), Answer::Error(IoError::InDoubt(1_000)))
        .expect(&post(), queued());
    let keys: Vec<String> = (0..30).map(|n| n.to_string()).collect();
    let verdicts = accept(&host, &keys.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(
        verdicts
            .iter()
            .all(|v| matches!(v, Ok(Outcome::Pending(_))))
    );
    let effect = host.sent().last().unwrap().effect.clone().unwrap();
    assert!(effect.verified_absent);
}

#[test]
fn a_young_doubt_waits_since_searches_trail_writes() {
    let host = TestHost::at(now())
        .expect(&post(), Answer::Error(IoError::InDoubt(5_000)))
        .expect(&log(5), Answer::json(200, &json!({"logs": []})))
        .expect(&get("1"), Answer::json(200, &value(CREATED)));
    assert_eq!(accept(&host, &["1"]), [Err(Failure::Retry(Some(25)))]);
    assert!(
        host.sent()
            .iter()
            .filter(|sent| sent.method == "POST")
            .count()
            == 1
    );
}

#[test]
fn a_doubt_about_a_number_is_settled_by_that_number_only() {
    let entry = json!({"payload": {"id": "1", "type": "DSCO_ORDER_ID"}, "status": "success"});
    let acknowledged = |number: &str| {
        let order = with(
            CREATED,
            json!({"dscoLifecycle": "acknowledged", "supplierOrderNumber": number}),
        );
        Answer::json(200, &value(&order))
    };
    for (number, sent_again) in [("SO-1", false), ("SO-0", true)] {
        let mut host = TestHost::at(now())
            .expect(&post(), Answer::Error(IoError::InDoubt(40_000)))
            // The first acknowledgement of the same minute, without a number, proves nothing about the number.
            .expect(&log(40), Answer::json(200, &json!({"logs": [entry]})))
            .expect(&get("1"), acknowledged(number));
        if sent_again {
            host = host.expect(&post(), queued());
        }
        let batch = [settled("1", Some("SO-1"))];
        let verdicts = with_api(&host, &[], |api| settle(api, Moment::Delivered, &batch));
        host.finish();
        assert_eq!(matches!(verdicts[0], Ok(Outcome::Pending(_))), sent_again);
    }
}

#[test]
fn a_huge_batch_is_cut_below_the_size_limit() {
    let long = "9".repeat(400);
    let keys: Vec<String> = (0..25_000).map(|n| format!("{long}{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let host = TestHost::at(now())
        .expect(&post(), queued())
        .expect(&post(), queued())
        .expect(&post(), queued());
    let verdicts = accept(&host, &keys);
    assert_eq!(verdicts.len(), 25_000);
    assert!(
        verdicts
            .iter()
            .all(|verdict| matches!(verdict, Ok(Outcome::Pending(_))))
    );
    let members: Vec<u32> = host
        .sent()
        .iter()
        .filter_map(|s| s.effect.clone())
        .flat_map(|e| e.members)
        .collect();
    assert_eq!(members, (0..25_000).collect::<Vec<u32>>());
    assert!(host.sent().iter().all(|sent| sent.body.len() < 4_000_000));
}
