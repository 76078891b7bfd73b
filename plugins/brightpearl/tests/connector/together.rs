//! Ten sales in one call: each has its own verdict, and each is made once, whatever becomes of the call.

use crate::script::{
    NOW, SALE, Short, context, delivery, errors, fixture, get, id, order, post, settings_with,
    throttled,
};
use serde_json::{Value, json};
use waybill_brightpearl::bindings::exports::waybill::connector::sink::Delivery;
use waybill_brightpearl::sink::push;
use waybill_sdk::effects::{Denial, IoError};
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::{Context, Failure, Outcome, Receipt, Verdict};

const MANY: &str = "/multi-message";
const STEP: &str = "create-sale";

/// Orders 1000 and up, each with a number of its own.
fn batch(count: i64) -> Vec<Delivery> {
    let one = |n: i64| {
        let mut order = order();
        order.number = format!("PO-{}", 1_000 + n);
        delivery(&(1_000 + n).to_string(), order)
    };
    (0..count).map(one).collect()
}
fn label(n: i64) -> String {
    format!("wb-{}", 1_000 + n)
}
fn sale(n: i64) -> Value {
    let mut body = fixture("sale");
    body["externalRef"] = json!(label(n));
    body["ref"] = json!(format!("PO-{}", 1_000 + n));
    body
}
fn envelope(members: &[i64]) -> Value {
    let message =
        |n: &i64| json!({"label": label(*n), "uri": SALE, "httpMethod": "POST", "body": sale(*n)});
    let messages: Vec<Value> = members.iter().map(message).collect();
    json!({"processingMode": "SEQUENTIAL", "onFail": "CONTINUE", "messages": messages})
}
fn made(n: i64) -> Value {
    message(n, 200, &json!({"response": 100_000 + n}).to_string())
}
fn message(n: i64, status: u16, content: &str) -> Value {
    json!({"label": label(n), "statusCode": status, "body": {"content": content}})
}
fn processed(status: u16, messages: &[Value], not_run: &[String]) -> Answer {
    let body = json!({"response": {"processedMessages": messages, "unprocessedMessages": not_run}});
    Answer::json(status, &body)
}
fn all_made(members: &[i64]) -> Answer {
    let messages: Vec<Value> = members.iter().map(|n| made(*n)).collect();
    processed(200, &messages, &[])
}
fn lost(age_ms: u64) -> Answer {
    Answer::Error(IoError::InDoubt(age_ms))
}
/// The search for all references of these members.
fn search(members: std::ops::Range<i64>) -> String {
    let list: Vec<String> = members.map(|n| format!("PO-{}", 1_000 + n)).collect();
    get(&format!(
        "/order-service/sales-order-search?customerRefs={}&columns=salesOrderId,customerRef,externalRef&sort=salesOrderId.ASC&pageSize=500",
        list.join(",")
    ))
}
fn found(members: &[i64]) -> Answer {
    let row = |n: &i64| json!([100_000 + n, format!("PO-{}", 1_000 + n), label(*n)]);
    let results: Vec<Value> = members.iter().map(row).collect();
    let names = ["salesOrderId", "customerRef", "externalRef"];
    let columns: Vec<Value> = names.iter().map(|n| json!({"name": n})).collect();
    let meta =
        json!({"morePagesAvailable": false, "resultsAvailable": results.len(), "columns": columns});
    Answer::json(
        200,
        &json!({"response": {"results": results, "metaData": meta}}),
    )
}
/// Both searches for one sale alone.
fn not_there(host: TestHost, members: std::ops::Range<i64>) -> TestHost {
    members.fold(host, |host, n| {
        let path = |kind: &str, id: &str| {
            get(&format!("/order-service/{kind}-search?externalRef={}&columns={id},externalRef", label(n)))
        };
        let none = |id: &str| {
            let meta = json!({"morePagesAvailable": false, "columns": [{"name": id}, {"name": "externalRef"}]});
            Answer::json(200, &json!({"response": {"results": [], "metaData": meta}}))
        };
        host.expect(&path("order", "orderId"), none("orderId"))
            .expect(&path("sales-order", "salesOrderId"), none("salesOrderId"))
    })
}
fn receipt(verdict: &Verdict) -> &Receipt {
    match verdict {
        Ok(Outcome::Done(receipt)) => receipt,
        other => panic!("no receipt: {other:?}"),
    }
}
/// Key, and whether it was there already.
fn told(verdicts: &[Verdict]) -> Vec<(String, bool)> {
    let one = |v| (receipt(v).key.clone(), receipt(v).duplicate);
    verdicts.iter().map(one).collect()
}
fn rejected(verdict: &Verdict) -> &str {
    match verdict {
        Err(Failure::Rejected(problem)) => &problem.code,
        other => panic!("not rejected: {other:?}"),
    }
}
fn effects(host: &TestHost) -> Vec<(usize, bool)> {
    let sent = host.sent();
    let effects = sent.iter().filter_map(|r| r.effect.as_ref());
    effects
        .map(|e| {
            assert_eq!(e.step, STEP);
            (e.members.len(), e.verified_absent)
        })
        .collect()
}
fn ten() -> Vec<i64> {
    (0..10).collect()
}

#[test]
fn ten_sales_are_one_call() {
    let host = TestHost::at(NOW).expect_body(&post(MANY), envelope(&ten()), all_made(&ten()));
    let verdicts = push(&host, &context(1), &batch(10)).unwrap();
    host.finish();
    let keys: Vec<(String, bool)> = ten()
        .iter()
        .map(|n| ((100_000 + n).to_string(), false))
        .collect();
    assert_eq!(told(&verdicts), keys);
    assert_eq!(effects(&host), [(10, false)]);
    assert!(host.retracted().is_empty());
}

#[test]
fn a_refused_label_is_taken_back_alone() {
    let refusal =
        json!({"errors": [{"code": "ORDC-041", "message": "The tax code is unknown"}]}).to_string();
    let fault = json!({"errors": [{"code": "CMNC-018", "message": "Bad filter"}]}).to_string();
    let throttle = json!({"response": "You have sent too many requests."}).to_string();
    let messages = [
        made(0),
        message(1, 400, &refusal),
        message(2, 500, &fault),
        message(3, 503, &throttle),
        made(5),
    ];
    let host = TestHost::at(NOW).expect(&post(MANY), processed(207, &messages, &[label(4)]));
    let verdicts = push(&host, &context(1), &batch(6)).unwrap();
    host.finish();
    assert_eq!(receipt(&verdicts[0]).key, "100000");
    assert_eq!(rejected(&verdicts[1]), "ordc-041");
    assert_eq!(rejected(&verdicts[2]), "cmnc-018");
    assert_eq!(verdicts[3], Err(Failure::Retry(Some(60))));
    assert_eq!(verdicts[4], Err(Failure::Retry(None)));
    assert_eq!(receipt(&verdicts[5]).key, "100005");
    let taken: Vec<(String, Vec<u32>)> = (1..5).map(|n| (STEP.to_owned(), vec![n])).collect();
    assert_eq!(host.retracted(), taken);
}

#[test]
fn a_refused_double_among_ten_is_adopted() {
    let refusal =
        json!({"errors": [{"code": "ORDB-001", "message": "already exists"}]}).to_string();
    let path = format!(
        "/order-service/order-search?externalRef={}&columns=orderId,externalRef",
        label(1)
    );
    let meta = json!({"columns": [{"name": "orderId"}, {"name": "externalRef"}]});
    let there = json!({"response": {"results": [[100_001, label(1)]], "metaData": meta}});
    let host = TestHost::at(NOW)
        .expect(
            &post(MANY),
            processed(207, &[made(0), message(1, 409, &refusal)], &[]),
        )
        .expect(&get(&path), Answer::json(200, &there));
    let verdicts = push(&host, &context(1), &batch(2)).unwrap();
    host.finish();
    assert_eq!(
        told(&verdicts),
        [("100000".to_owned(), false), ("100001".to_owned(), true)]
    );
}

#[test]
fn after_a_lost_answer_six_are_adopted_and_four_sent_again() {
    let four: Vec<i64> = (6..10).collect();
    let host = TestHost::at(NOW)
        .expect(&post(MANY), lost(31_000))
        .expect(&search(0..10), found(&[0, 1, 2, 3, 4, 5]))
        .expect_body(&post(MANY), envelope(&four), lost(31_000))
        .expect_body(&post(MANY), envelope(&four), all_made(&four));
    let verdicts = push(&host, &context(2), &batch(10)).unwrap();
    host.finish();
    let keys: Vec<(String, bool)> = ten()
        .iter()
        .map(|n| ((100_000 + n).to_string(), *n < 6))
        .collect();
    assert_eq!(told(&verdicts), keys);
    // The journal is asked for the age of the four alone; nothing leaves before that is known.
    assert_eq!(effects(&host), [(10, false), (4, false), (4, true)]);
}

#[test]
fn four_that_were_sent_again_just_before_a_stop_rest_first() {
    let host = TestHost::at(NOW)
        .expect(&post(MANY), lost(45_000))
        .expect(&search(0..10), found(&[0, 1, 2, 3, 4, 5]))
        .expect(&post(MANY), lost(5_000));
    let verdicts = push(&host, &context(2), &batch(10)).unwrap();
    host.finish();
    assert_eq!(told(&verdicts[..6]).len(), 6);
    assert!(
        verdicts[6..]
            .iter()
            .all(|v| *v == Err(Failure::Retry(Some(25))))
    );
}

#[test]
fn an_answer_that_is_kept_for_one_of_them_does_not_hold_the_others_for_ever() {
    // The journal will never send for both together again: one of them was answered, without a word of its label.
    let host = TestHost::at(NOW)
        .with_kv("ended/wb-1000", (NOW - 31_000).to_string().as_bytes())
        .with_kv("ended/wb-1001", (NOW - 31_000).to_string().as_bytes())
        .expect(&post(MANY), lost(31_000))
        .expect(&search(0..2), found(&[]));
    let host = not_there(host, 0..2)
        .expect(&post(MANY), lost(31_000))
        .expect(&post(SALE), processed(200, &[], &[]));
    let host = not_there(host, 0..1)
        .expect(&post(SALE), id(100_000))
        .expect(&post(SALE), lost(31_000));
    let host = not_there(host, 1..2).expect(&post(SALE), id(100_001));
    let verdicts = push(&host, &context(3), &batch(2)).unwrap();
    host.finish();
    assert_eq!(told(&verdicts).len(), 2);
    assert_eq!(host.retracted(), [(STEP.to_owned(), vec![0])]);
    let sent: Vec<bool> = effects(&host)
        .into_iter()
        .map(|(_, absent)| absent)
        .collect();
    assert_eq!(sent, [false, true, false, false, false, true]);
}

#[test]
fn a_list_that_finds_nothing_proves_nothing() {
    let host = TestHost::at(NOW)
        .expect(&post(MANY), lost(31_000))
        .expect(&search(0..3), found(&[]));
    let host = not_there(host, 0..3).expect(&post(MANY), all_made(&[0, 1, 2]));
    let verdicts = push(&host, &context(2), &batch(3)).unwrap();
    host.finish();
    assert_eq!(told(&verdicts).len(), 3);
    assert_eq!(effects(&host), [(3, false), (3, true)]);
}

#[test]
fn a_list_that_is_ignored_or_refused_proves_nothing() {
    let mut everything = found(&[0, 1]);
    if let Answer::Response(response) = &mut everything {
        let mut body: Value = serde_json::from_slice(&response.body).unwrap();
        body["response"]["results"]
            .as_array_mut()
            .unwrap()
            .push(json!([7, "somebody's", null]));
        response.body = body.to_string().into_bytes();
    }
    for answer in [
        everything,
        errors(500, "CMNC-018", "The filter cannot be parsed"),
    ] {
        let host = TestHost::at(NOW)
            .expect(&post(MANY), lost(4_000))
            .expect(&search(0..2), answer);
        let host = not_there(host, 0..2);
        let verdicts = push(&host, &context(2), &batch(2)).unwrap();
        host.finish();
        assert!(verdicts.iter().all(|v| *v == Err(Failure::Retry(Some(26)))));
    }
}

#[test]
fn a_call_that_ran_out_of_time_rests_from_its_end() {
    let host = TestHost::at(NOW).expect(&post(MANY), Answer::Error(IoError::TimedOut));
    let verdicts = push(&host, &context(1), &batch(2)).unwrap();
    assert!(verdicts.iter().all(|v| *v == Err(Failure::Retry(None))));
    assert!(host.kv("ended/wb-1000").is_some() && host.kv("ended/wb-1001").is_some());
    let host = host
        .expect(&post(MANY), lost(61_000))
        .expect(&search(0..2), found(&[0]));
    host.set_now(NOW + 1_000);
    let verdicts = push(&host, &context(2), &batch(2)).unwrap();
    host.finish();
    assert!(receipt(&verdicts[0]).duplicate);
    assert_eq!(verdicts[1], Err(Failure::Retry(Some(29))));
}

#[test]
fn what_is_new_does_not_wait_with_what_is_in_doubt() {
    let host = TestHost::at(NOW)
        .with_kv("ended/wb-1000", NOW.to_string().as_bytes())
        .with_kv("ended/wb-1001", NOW.to_string().as_bytes())
        .expect_body(&post(MANY), envelope(&[2, 3]), all_made(&[2, 3]))
        .expect_body(&post(MANY), envelope(&[0, 1]), lost(90_000))
        .expect(&search(0..2), found(&[1]));
    let verdicts = push(&host, &context(2), &batch(4)).unwrap();
    host.finish();
    assert_eq!(verdicts[0], Err(Failure::Retry(Some(30))));
    assert!(receipt(&verdicts[1]).duplicate);
    assert_eq!(told(&verdicts[2..]).len(), 2);
}

#[test]
fn an_answer_that_does_not_say_is_looked_up_before_it_is_sent_again() {
    // A cut-off answer, a label that is missing, and one whose own answer proves nothing.
    let kept = [
        Answer::text(200, "{\"response\":{\"processedMess"),
        processed(200, &[], &[]),
        processed(207, &[message(0, 500, ""), message(1, 502, "<html>")], &[]),
    ];
    for answer in kept {
        let host = TestHost::at(NOW).expect(&post(MANY), answer.clone());
        let verdicts = push(&host, &context(1), &batch(2)).unwrap();
        assert!(verdicts.iter().all(|v| *v == Err(Failure::Retry(Some(30)))));
        assert!(host.retracted().is_empty());
        // The journal replays what it kept; the search has had its time.
        host.set_now(NOW + 30_000);
        let host = host.expect(&post(MANY), answer);
        let host = not_there(host, 0..1).expect_body(&post(SALE), sale(0), id(100_000));
        let host = not_there(host, 1..2).expect_body(&post(SALE), sale(1), id(100_001));
        let verdicts = push(&host, &context(2), &batch(2)).unwrap();
        host.finish();
        assert_eq!(told(&verdicts).len(), 2);
        let both: Vec<(String, Vec<u32>)> = (0..2).map(|n| (STEP.to_owned(), vec![n])).collect();
        assert_eq!(host.retracted(), both, "kept answers are taken back first");
    }
}

#[test]
fn one_of_ten_that_comes_back_alone_finds_its_label_in_the_kept_answer() {
    let host = TestHost::at(NOW).expect(&post(SALE), all_made(&ten()));
    let verdicts = push(&host, &context(2), &batch(1)).unwrap();
    host.finish();
    assert_eq!(receipt(&verdicts[0]).key, "100000");
}

#[test]
fn an_account_that_does_not_offer_it_gets_single_calls_for_a_day() {
    for answer in [
        errors(404, "CMNC-404", "Not found"),
        errors(403, "CMNC-403", "Not allowed"),
        Answer::text(404, "<html>"),
    ] {
        let host = TestHost::at(NOW)
            .expect(&post(MANY), answer)
            .expect_body(&post(SALE), sale(0), id(100_000))
            .expect_body(&post(SALE), sale(1), id(100_001))
            .expect(&post(SALE), id(100_000))
            .expect(&post(SALE), id(100_001))
            .expect(&post(MANY), all_made(&[0, 1]));
        for _ in 0..2 {
            assert_eq!(told(&push(&host, &context(1), &batch(2)).unwrap()).len(), 2);
        }
        host.set_now(NOW + 24 * 3_600_000);
        assert_eq!(told(&push(&host, &context(1), &batch(2)).unwrap()).len(), 2);
        host.finish();
    }
}

#[test]
fn a_refused_envelope_is_sent_one_by_one() {
    let host = TestHost::at(NOW)
        .expect(
            &post(MANY),
            errors(400, "CMNC-050", "A message is not valid"),
        )
        .expect(&post(SALE), id(100_000))
        .expect(
            &post(SALE),
            errors(400, "ORDC-041", "The tax code is unknown"),
        );
    let verdicts = push(&host, &context(1), &batch(2)).unwrap();
    host.finish();
    assert_eq!(receipt(&verdicts[0]).key, "100000");
    assert_eq!(rejected(&verdicts[1]), "ordc-041");
    assert!(host.kv("single-calls").is_none(), "not remembered");
}

#[test]
fn throttle_outage_credentials_and_practice_hold_for_all() {
    let of = |answer: Answer| {
        let host = TestHost::at(NOW).expect(&post(MANY), answer);
        let verdicts = push(&host, &context(1), &batch(2)).unwrap();
        host.finish();
        assert_eq!(verdicts[0], verdicts[1]);
        (verdicts[0].clone(), host.retracted())
    };
    let taken = [(STEP.to_owned(), vec![0, 1])];
    let (verdict, retracted) = of(throttled("41250"));
    assert_eq!(
        (verdict, &retracted[..]),
        (Err(Failure::Retry(Some(42))), &taken[..])
    );
    for outage in [
        Answer::text(502, "<html>"),
        Answer::text(403, "<html>"),
        errors(500, "CMNU-003", "x"),
    ] {
        let (verdict, retracted) = of(outage);
        assert_eq!((verdict, retracted.len()), (Err(Failure::Retry(None)), 0));
    }
    let (verdict, _) = of(errors(401, "", ""));
    assert!(matches!(verdict, Err(Failure::Unauthorized(_))));
    let (verdict, _) = of(Answer::Error(IoError::Denied(Denial::Practice)));
    assert_eq!(verdict, Ok(Outcome::Recorded));
}

#[test]
fn switched_off_or_short_of_time_each_goes_alone() {
    let off = Context {
        settings: settings_with(&[("multi-message", "false")]),
        attempt: 1,
    };
    let host = TestHost::at(NOW)
        .expect(&post(SALE), id(100_000))
        .expect(&post(SALE), id(100_001));
    push(&host, &off, &batch(2)).unwrap();
    host.finish();
    let host = Short(TestHost::at(NOW).expect(&post(SALE), id(100_000)));
    let verdicts = push(&host, &context(1), &batch(2)).unwrap();
    host.0.finish();
    assert_eq!(verdicts[1], Err(Failure::Retry(None)));
}

#[test]
fn a_member_that_cannot_be_built_does_not_hold_the_others() {
    let mut all = batch(3);
    if let waybill_sdk::commerce::Body::Order(order) = &mut all[1].document.body {
        order.customer = None;
    }
    let host = TestHost::at(NOW).expect_body(&post(MANY), envelope(&[0, 2]), all_made(&[0, 2]));
    let verdicts = push(&host, &context(1), &all).unwrap();
    host.finish();
    assert_eq!(receipt(&verdicts[0]).key, "100000");
    assert_eq!(rejected(&verdicts[1]), "untranslated");
    assert_eq!(receipt(&verdicts[2]).key, "100002");
    assert_eq!(host.sent()[0].effect.as_ref().unwrap().members, [0, 2]);
}
