//! Webhooks: what a delivery says to read, and that exactly one of ours stands for each event, whatever the wire does.

use crate::script::{NOW, context, errors, get, id, post, throttled, url};
use serde_json::{Value, json};
use waybill_brightpearl::bindings::exports::waybill::connector::webhook::{Delivered, Hint};
use waybill_brightpearl::ensure::{ensure, remove};
use waybill_brightpearl::receive::receive;
use waybill_sdk::commerce::Entity;
use waybill_sdk::effects::{Denial, IoError};
use waybill_sdk::http::Response;
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::{Failure, Problem};

const PATH: &str = "/integration-service/webhook";
const CALLBACK: &str = "https://hooks.test/hooks/erp/s3cret";
const NOTES: &str = "goods-out-note";
const STATUS: &str = "order.modified.order-status";
const CREATED: &str = "product.created";
const DESTROYED: &str = "product.destroyed";
const MOVED: &str = "product.modified.on-hand-modified";

fn delivered(account: &str, resource: &str, event: &str, ids: &str) -> Delivered {
    let body = json!({"accountCode": account, "resourceType": resource, "id": ids,
        "lifecycleEvent": event.split('.').next(), "fullEvent": format!("{resource}.{event}"),
        "raisedOn": "2025-11-03T06:13:02.848Z", "brightpearlVersion": "4.95.1"});
    Delivered {
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    }
}
fn told(delivered: Delivered) -> Result<Vec<Hint>, Problem> {
    receive(&context(1), &[delivered]).pop().unwrap()
}
fn keys(hints: &[Hint]) -> Vec<(Entity, &str)> {
    hints.iter().map(|h| (h.entity, h.key.as_str())).collect()
}

/// What we register for an event, as the list shows it.
fn hook(id: i64, event: &str) -> Value {
    let template = json!({"accountCode": "${account-code}", "resourceType": "${resource-type}",
        "id": "${resource-id}", "lifecycleEvent": "${lifecycle-event}", "fullEvent": "${full-event}",
        "raisedOn": "${raised-on}", "brightpearlVersion": "${brightpearl-version}"});
    json!({"id": id, "subscribeTo": event, "httpMethod": "POST", "uriTemplate": CALLBACK,
        "bodyTemplate": template.to_string(), "contentType": "application/json",
        "idSetAccepted": true, "qualityOfService": 1})
}
fn all_five() -> Vec<Value> {
    vec![
        hook(121, NOTES),
        hook(119, STATUS),
        hook(122, CREATED),
        hook(123, DESTROYED),
        hook(120, MOVED),
    ]
}
fn list(hooks: &[Value]) -> Answer {
    Answer::json(200, &json!({ "response": hooks }))
}
fn none() -> Answer {
    errors(404, "CMNC-404", "No webhooks available in ID Set")
}
fn delete(id: i64) -> String {
    format!("DELETE {}", url(&format!("{PATH}/{id}")))
}
fn gone() -> Answer {
    Answer::json(200, &json!({}))
}
fn lost(age_ms: u64) -> Answer {
    Answer::Error(IoError::InDoubt(age_ms))
}
fn steps(host: &TestHost) -> Vec<(String, bool)> {
    let sent = host.sent();
    let effects = sent.iter().filter_map(|r| r.effect.as_ref());
    effects
        .map(|e| (e.step.clone(), e.verified_absent))
        .collect()
}
fn words() -> Vec<String> {
    let all = [
        (NOTES, 121),
        (STATUS, 119),
        (CREATED, 122),
        (DESTROYED, 123),
        (MOVED, 120),
    ];
    let word = |(event, id): &(&str, i64)| format!("{event}: webhook {id}");
    all.iter().map(word).collect()
}

#[test]
fn deliveries_become_hints_with_their_ranges() {
    let notes = told(delivered(
        "simaccount",
        NOTES,
        "modified.shipped",
        "700123,700130-700132",
    ))
    .unwrap();
    let shipment = |key| (Entity::Shipment, key);
    assert_eq!(
        keys(&notes),
        ["700123", "700130", "700131", "700132"].map(shipment)
    );
    let product = told(delivered("SimAccount", "product", "modified", "1007")).unwrap();
    assert_eq!(keys(&product), [(Entity::Item, "1007")]);
    let moved = told(delivered(
        "simaccount",
        "product",
        "modified.on-hand-modified",
        "1007",
    ));
    assert_eq!(keys(&moved.unwrap()), [(Entity::InventoryLevel, "1007")]);
    let status = delivered("simaccount", "order", "modified.order-status", "100245");
    let invoice = (Entity::Invoice, "100245");
    assert_eq!(keys(&told(status).unwrap()), [invoice]);
    for (resource, event) in [("order", "modified"), ("sales-order", "created")] {
        assert_eq!(
            told(delivered("simaccount", resource, event, "1-9")),
            Ok(Vec::new())
        );
    }
}

#[test]
fn what_is_foreign_is_a_problem_of_its_own() {
    let batch = [
        delivered("other", NOTES, "created", "1"),
        delivered("simaccount", "planet", "created", "1"),
        delivered("simaccount", NOTES, "created", "1-99999999"),
        delivered("simaccount", NOTES, "created", "${resource-id}"),
        Delivered {
            headers: Vec::new(),
            body: b"<html>".to_vec(),
        },
        delivered("simaccount", NOTES, "destroyed", "700123"),
    ];
    let results = receive(&context(1), &batch);
    let codes: Vec<&str> = results
        .iter()
        .map(|r| {
            r.as_ref()
                .map_or_else(|problem| problem.code.as_str(), |_| "hints")
        })
        .collect();
    let expected = [
        "webhook-account",
        "webhook-event",
        "webhook-ids",
        "webhook-ids",
        "webhook-shape",
        "hints",
    ];
    assert_eq!(codes, expected);
}

#[test]
fn what_is_missing_is_registered() {
    let mut body = hook(0, NOTES);
    body.as_object_mut().unwrap().remove("id");
    let template = "{\"accountCode\":\"${account-code}\",\"resourceType\":\"${resource-type}\",\"id\":\"${resource-id}\",\"lifecycleEvent\":\"${lifecycle-event}\",\"fullEvent\":\"${full-event}\",\"raisedOn\":\"${raised-on}\",\"brightpearlVersion\":\"${brightpearl-version}\"}";
    body["bodyTemplate"] = json!(template);
    let host = TestHost::at(NOW)
        .expect(&get(PATH), none())
        .expect_body(&post(PATH), body, id(121))
        .expect(&post(PATH), id(119))
        .expect(&post(PATH), id(122))
        .expect(&post(PATH), id(123))
        .expect(&post(PATH), id(120));
    assert_eq!(ensure(&host, &context(1), CALLBACK), Ok(words()));
    host.finish();
    let named: Vec<(String, bool)> = [NOTES, STATUS, CREATED, DESTROYED, MOVED]
        .iter()
        .map(|event| (format!("create-webhook/{event}"), false))
        .collect();
    assert_eq!(steps(&host), named);
}

#[test]
fn what_stands_costs_one_call() {
    let host = TestHost::at(NOW).expect(&get(PATH), list(&all_five()));
    assert_eq!(ensure(&host, &context(1), CALLBACK), Ok(words()));
    host.finish();
}

#[test]
fn ours_that_are_wrong_or_doubled_go_and_nobody_elses() {
    let mut all = all_five();
    all.push(hook(124, NOTES));
    let mut old = hook(125, "order.modified");
    old["uriTemplate"] = json!(format!("{CALLBACK}/orders"));
    let mut once = hook(126, CREATED);
    once["qualityOfService"] = json!(0);
    let mut theirs = hook(127, NOTES);
    theirs["uriTemplate"] = json!("https://other.test/bp");
    let mut near = hook(128, NOTES);
    near["uriTemplate"] = json!(format!("{CALLBACK}2"));
    all.extend([old, once, theirs, near]);
    let host = TestHost::at(NOW)
        .expect(&get(PATH), list(&all))
        .expect(&delete(124), gone())
        .expect(&delete(125), Answer::text(200, ""))
        .expect(
            &delete(126),
            errors(404, "CMNC-404", "Cannot find webhook: 126"),
        );
    assert_eq!(ensure(&host, &context(1), CALLBACK), Ok(words()));
    host.finish();
    let host = TestHost::at(NOW)
        .expect(&get(PATH), list(&all))
        .expect(&delete(121), lost(10))
        .expect(&delete(121), gone())
        .expect(&delete(119), gone())
        .expect(&delete(122), gone())
        .expect(&delete(123), gone())
        .expect(&delete(120), gone())
        .expect(&delete(124), gone())
        .expect(&delete(125), gone())
        .expect(&delete(126), gone());
    assert_eq!(remove(&host, &context(1), CALLBACK), Ok(()));
    host.finish();
    assert_eq!(
        steps(&host)[..2],
        [
            ("delete-webhook/121".to_owned(), false),
            ("delete-webhook/121".to_owned(), true)
        ]
    );
    let host = TestHost::at(NOW).expect(&get(PATH), none());
    assert_eq!(remove(&host, &context(1), CALLBACK), Ok(()));
}

#[test]
fn a_lost_registration_is_settled_by_the_list() {
    // Cut after it was carried out: the next look finds it.
    let host = TestHost::at(NOW)
        .expect(&get(PATH), none())
        .expect(&post(PATH), lost(0));
    assert_eq!(
        ensure(&host, &context(1), CALLBACK),
        Err(Failure::Retry(None))
    );
    host.finish();
    let host = TestHost::at(NOW).expect(&get(PATH), list(&all_five()));
    assert_eq!(ensure(&host, &context(1), CALLBACK), Ok(words()));
    // Cut before it: once that has rested, it is sent again.
    let host = TestHost::at(NOW)
        .expect(&get(PATH), list(&all_five()[1..]))
        .expect(&post(PATH), lost(30_000))
        .expect(&post(PATH), id(121));
    assert_eq!(ensure(&host, &context(1), CALLBACK), Ok(words()));
    host.finish();
    let step = "create-webhook/goods-out-note".to_owned();
    assert_eq!(steps(&host), [(step.clone(), false), (step, true)]);
}

#[test]
fn a_kept_answer_counts_only_while_its_webhook_is_there() {
    let replayed = |id: i64| {
        Answer::Response(Response {
            status: 200,
            headers: Vec::new(),
            body: json!({"response": id}).to_string().into_bytes(),
            replayed: true,
        })
    };
    let host = TestHost::at(NOW)
        .expect(&get(PATH), list(&all_five()[1..]))
        .expect(&post(PATH), replayed(121))
        .expect(&get(&format!("{PATH}/121")), list(&all_five()[..1]));
    assert_eq!(ensure(&host, &context(1), CALLBACK), Ok(words()));
    host.finish();
    let host = TestHost::at(NOW)
        .expect(&get(PATH), list(&all_five()[1..]))
        .expect(&post(PATH), replayed(99))
        .expect(
            &get(&format!("{PATH}/99")),
            errors(404, "CMNC-404", "Cannot find webhook: 99"),
        )
        .expect(&post(PATH), id(121));
    assert_eq!(ensure(&host, &context(1), CALLBACK), Ok(words()));
    host.finish();
    assert_eq!(
        host.retracted(),
        [("create-webhook/goods-out-note".to_owned(), Vec::new())]
    );
}

#[test]
fn a_refused_event_does_not_hold_the_others() {
    let host = TestHost::at(NOW)
        .expect(&get(PATH), none())
        .expect(
            &post(PATH),
            errors(400, "INTC-064", "The event cannot be subscribed to"),
        )
        .expect(&post(PATH), id(119))
        .expect(&post(PATH), id(122))
        .expect(&post(PATH), id(123))
        .expect(&post(PATH), id(120));
    let refused = ensure(&host, &context(1), CALLBACK);
    host.finish();
    assert!(matches!(refused, Err(Failure::Rejected(problem)) if problem.code == "intc-064"));
}

#[test]
fn trouble_and_practice_register_nothing() {
    let of = |answer: Answer| {
        let host = TestHost::at(NOW)
            .expect(&get(PATH), none())
            .expect(&post(PATH), answer);
        let told = ensure(&host, &context(1), CALLBACK).unwrap_err();
        host.finish();
        (told, host.retracted().len())
    };
    assert_eq!(of(throttled("41250")), (Failure::Retry(Some(42)), 1));
    assert_eq!(of(Answer::text(502, "<html>")), (Failure::Retry(None), 0));
    assert_eq!(of(Answer::text(200, "{\"resp")), (Failure::Retry(None), 0));
    assert_eq!(
        of(Answer::Error(IoError::TimedOut)),
        (Failure::Retry(None), 0)
    );
    assert!(matches!(
        of(errors(401, "", "")),
        (Failure::Unauthorized(_), 0)
    ));
    let practice = || Answer::Error(IoError::Denied(Denial::Practice));
    let host = TestHost::at(NOW)
        .expect(&get(PATH), none())
        .expect(&post(PATH), practice())
        .expect(&post(PATH), practice())
        .expect(&post(PATH), practice())
        .expect(&post(PATH), practice())
        .expect(&post(PATH), practice());
    let words = ensure(&host, &context(1), CALLBACK).unwrap();
    assert!(
        words
            .iter()
            .all(|w| w.ends_with("not registered while practising"))
    );
    let host = TestHost::at(NOW);
    assert!(matches!(
        ensure(&host, &context(1), ""),
        Err(Failure::Rejected(_))
    ));
}
