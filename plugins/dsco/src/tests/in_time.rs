//! Whatever goes over many members or pages keeps an eye on the call's time: what is known by then is kept, the rest waits
//! for another call. A request beyond that would fail these tests.

use super::ship::{delivery, get, handle, parcel, post, queued, run};
use super::stock::level;
use super::{API, CREATED, now, value, with, with_api};
use crate::bindings::exports::waybill::connector::listing::Scope;
use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::confirm::confirm;
use crate::{listing, stock};
use serde_json::json;
use waybill_sdk::commerce::Entity;
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::{Failure, Outcome, Verdict};

const LATER: Verdict = Err(Failure::Retry(Some(0)));

fn shipments(count: usize) -> Vec<Delivery> {
    let one = |n: usize| {
        let parcels = vec![parcel(&format!("T{n}"), &[("1", "1")])];
        delivery(&n.to_string(), parcels)
    };
    (0..count).map(one).collect()
}

/// A ticket of an acknowledgement.
fn ticket(request: &str, order: &str, age_secs: i64) -> String {
    json!({"r": request, "o": order, "t": now() - age_secs * 1000, "n": 0}).to_string()
}

fn asked(host: &TestHost, handles: &[String]) -> Vec<Verdict> {
    let verdicts = with_api(host, &[], |api| confirm(api, handles)).unwrap();
    host.finish();
    verdicts
}

fn completed() -> Answer {
    Answer::json(200, &json!({"status": "COMPLETED", "logs": []}))
}

fn is_done(verdict: &Verdict) -> bool {
    matches!(verdict, Ok(Outcome::Done(_)))
}

#[test]
fn requests_are_asked_about_as_far_as_there_is_time() {
    let failures = |log: &str, request: &str| {
        format!("GET {API}/{log}/log?requestId={request}&status=failure")
    };
    let host = TestHost::at(now())
        .slow(25_000)
        .expect(&failures("order", "r-1"), completed())
        .expect(&failures("order", "r-2"), completed());
    let handles = ["r-1", "r-2", "r-3"].map(|request| ticket(request, "1", 5));
    let verdicts = asked(&host, &handles);
    assert!(is_done(&verdicts[0]) && is_done(&verdicts[1]));
    assert_eq!(verdicts[2], LATER);

    // The same of stock.
    let tickets = ["r-1", "r-2", "r-3"].map(|request| {
        json!({"i": "A", "c": ["WH01"], "r": request, "t": now() - 5_000, "n": 0}).to_string()
    });
    let host = TestHost::at(now())
        .slow(25_000)
        .expect(&failures("inventory", "r-1"), completed())
        .expect(&failures("inventory", "r-2"), completed());
    let verdicts = asked(&host, &tickets);
    assert!(is_done(&verdicts[0]) && is_done(&verdicts[1]));
    assert_eq!(verdicts[2], LATER);
}

#[test]
fn a_log_that_is_longer_than_the_time_is_read_in_part_and_proves_nothing_else() {
    let entry = |id: &str| json!({"payload": {"id": id}, "status": "success", "requestId": "r-1"});
    let first = json!({"status": "COMPLETED", "scrollId": "s", "logs": [entry("1")]});
    let host = TestHost::at(now()).slow(50_000).expect(
        &format!("GET {API}/order/log?requestId=r-1&status=success_or_failure"),
        Answer::json(200, &first),
    );
    let verdicts = asked(&host, &["1", "2"].map(|order| ticket("r-1", order, 2)));
    assert!(is_done(&verdicts[0]), "{verdicts:?}");
    assert!(
        matches!(verdicts[1], Ok(Outcome::Pending(_))),
        "{verdicts:?}"
    );
}

#[test]
fn orders_are_looked_at_as_far_as_there_is_time_and_what_was_seen_is_sent() {
    let order = || Answer::json(200, &value(CREATED));
    let host = TestHost::at(now())
        .slow(20_000)
        .expect(&get("0"), order())
        .expect(&get("1"), order())
        .expect(&post(), queued());
    let verdicts = run(&host, 2, &shipments(4));
    assert_eq!(handle(&verdicts[1])["o"], "1");
    assert_eq!(verdicts[2..], [LATER, LATER]);
    let sent = host.sent();
    let effect = sent.last().unwrap().effect.clone().unwrap();
    assert_eq!(
        effect.members,
        [0, 1],
        "an order unseen is never sent again"
    );

    // The same of orders that the agent has not.
    let mut batch = shipments(4);
    for one in &mut batch {
        one.origin = None;
    }
    let order = |id: &str| Answer::json(200, &value(&with(CREATED, json!({"dscoOrderId": id}))));
    let host = TestHost::at(now())
        .slow(20_000)
        .expect(&get("0"), order("0"))
        .expect(&get("1"), order("1"))
        .expect(&post(), queued());
    let verdicts = run(&host, 1, &batch);
    assert_eq!(handle(&verdicts[1])["o"], "1");
    assert_eq!(verdicts[2..], [LATER, LATER]);
}

#[test]
fn a_search_ends_in_time_and_what_it_found_is_kept() {
    let package = json!({"trackingNumber": "T7", "items": [{"lineNumber": 1, "quantity": 1}]});
    let there = value(&with(
        CREATED,
        json!({"dscoOrderId": "7", "packages": [package]}),
    ));
    let since = "2025-11-21T08%3A00%3A00Z&until=2025-11-21T09%3A59%3A50Z&ordersPerPage=1000";
    let host = TestHost::at(now())
        .slow(40_000)
        .expect(
            &format!("GET {API}/order/page?ordersUpdatedSince={since}"),
            Answer::json(200, &json!({"scrollId": "p", "orders": [there]})),
        )
        .expect(&post(), queued());
    let verdicts = run(&host, 2, &shipments(30));
    assert!(is_done(&verdicts[7]), "{:?}", verdicts[7]);
    assert_eq!(handle(&verdicts[8])["o"], "8");
}

#[test]
fn halves_of_a_refused_body_are_sent_as_far_as_there_is_time() {
    let refused = || Answer::json(400, &json!({"message": "no"}));
    let host = TestHost::at(now())
        .slow(25_000)
        .expect(&post(), refused())
        .expect(&post(), queued());
    let verdicts = run(&host, 1, &shipments(4));
    assert_eq!(handle(&verdicts[1])["o"], "1");
    assert_eq!(verdicts[2..], [LATER, LATER]);
    let host = TestHost::at(now()).slow(50_000).expect(&post(), refused());
    assert_eq!(run(&host, 1, &shipments(2)), [LATER, LATER]);

    let stock_post = format!("POST {API}/inventory/batch/small?skipItemsThatDontExist=true");
    let host = TestHost::at(now())
        .slow(50_000)
        .expect(&stock_post, refused());
    let batch = ["A", "B"].map(|item| level(item, "WH01", "1"));
    let verdicts = with_api(&host, &[], |api| stock::push_documents(api, &batch));
    host.finish();
    assert_eq!(
        verdicts,
        [LATER, LATER],
        "nobody is refused for another's item"
    );
}

#[test]
fn invoices_are_listed_as_far_as_there_is_time_and_the_next_page_goes_on() {
    let keys: Vec<String> = ["I-1", "I-2", "I-3"].map(str::to_owned).to_vec();
    let get = |key: &str| format!("GET {API}/invoice?key=invoiceId&value={key}");
    let one = |key: &str| Answer::json(200, &json!({"invoices": [{"invoiceId": key}]}));
    let read = |host: &TestHost, cursor: Option<&[u8]>| {
        let scope = Scope::Keys(keys.clone());
        let page = with_api(host, &[], |api| {
            listing::read(api, Entity::Invoice, &scope, cursor)
        });
        host.finish();
        page.unwrap()
    };
    let host = TestHost::at(now())
        .slow(25_000)
        .expect(&get("I-1"), one("I-1"))
        .expect(&get("I-2"), one("I-2"));
    let page = read(&host, None);
    assert!(page.more && page.documents.len() == 2);
    let host = TestHost::at(now()).expect(&get("I-3"), one("I-3"));
    let page = read(&host, Some(&page.cursor));
    assert!(!page.more && page.documents[0].key == "I-3");
}
