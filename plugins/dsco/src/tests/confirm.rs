//! Following acknowledgements to the change log.

use super::{API, CREATED, now, value, with, with_api};
use crate::change_log;
use crate::confirm::confirm;
use crate::wire::log::Entry;
use serde_json::{Value, json};
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::{Failure, Outcome, Verdict};

fn log(request: &str) -> String {
    format!("GET {API}/order/log?requestId={request}&status=success_or_failure")
}

/// The list of failures alone: asked first, once a request is some seconds old.
fn failures(request: &str) -> String {
    format!("GET {API}/order/log?requestId={request}&status=failure")
}

fn get(id: &str) -> String {
    format!("GET {API}/order/?orderKey=dscoOrderId&value={id}")
}

fn handle(
    request: Option<&str>,
    order: &str,
    number: Option<&str>,
    age_secs: i64,
    asked: u32,
) -> String {
    json!({"r": request, "o": order, "s": number, "t": now() - age_secs * 1000, "n": asked})
        .to_string()
}

fn ask(host: &TestHost, handles: &[String]) -> Vec<Verdict> {
    let verdicts = with_api(host, &[], |api| confirm(api, handles)).unwrap();
    host.finish();
    verdicts
}

#[expect(clippy::needless_pass_by_value, reason = "called with json! literals")]
fn entry(id: &str, status: &str, words: Value) -> Value {
    json!({"payload": {"id": id, "type": "DSCO_ORDER_ID"}, "status": status, "requestId": "r-1", "results": words})
}

/// An entry about a shipment of one parcel.
fn shipped(order: &str, tracking: &str, status: &str, words: &str) -> Value {
    json!({"payload": {"dscoOrderId": order, "poNumber": "PO", "shipments": [{"trackingNumber": tracking}]},
           "status": status, "requestId": "r-1",
           "results": [{"code": "VALIDATION_FAILED", "severity": "error", "description": [words]}]})
}

/// A ticket of a shipment of two units of line 1.
fn parcel(request: Option<&str>, order: &str, tracking: &str, age_secs: i64) -> String {
    json!({"r": request, "o": order, "t": now() - age_secs * 1000, "n": 0, "u": "PO",
           "p": [[tracking, {"1": 2}]]})
    .to_string()
}

fn waits(verdict: &Verdict) -> (u32, i64) {
    let Ok(Outcome::Pending(ticket)) = verdict else {
        panic!("not pending: {verdict:?}");
    };
    (
        ticket.check_in_secs,
        value(&ticket.handle)["n"].as_i64().unwrap(),
    )
}

fn code(verdict: &Verdict) -> &str {
    match verdict {
        Err(Failure::Rejected(p) | Failure::Withdrawn(p) | Failure::InDoubt(p)) => &p.code,
        other => panic!("no problem: {other:?}"),
    }
}

#[test]
fn one_query_answers_for_a_whole_request() {
    let order = |changes| Answer::json(200, &value(&with(CREATED, changes)));
    let host = TestHost::at(now())
        .expect(
            &log("r-1"),
            Answer::json(
                200,
                &json!({"status": "COMPLETED", "scrollId": "s/1", "logs": [
                    entry("1", "success", Value::Null),
                    entry("2", "failure", json!([{"code": "X", "severity": "error", "description": ["no", "way"]}])),
                    entry("3", "failure", json!([{"description": "already"}])),
                ]}),
            ),
        )
        .expect(
            &format!("GET {API}/order/log?scrollId=s%2F1"),
            Answer::json(
                200,
                &json!({"scrollId": "s/2", "logs": [entry("4", "failure", json!({"description": {"reason": "gone"}}))]}),
            ),
        )
        .expect(
            &format!("GET {API}/order/log?scrollId=s%2F2"),
            Answer::json(200, &json!({"logs": []})),
        )
        .expect(&get("2"), order(json!({})))
        .expect(&get("3"), order(json!({"dscoLifecycle": "acknowledged"})))
        .expect(&get("4"), order(json!({"dscoStatus": "cancelled"})));
    let handles: Vec<String> = ["1", "2", "3", "4"]
        .map(|id| handle(Some("r-1"), id, Some("SO-1"), 2, 0))
        .to_vec();
    let verdicts = ask(&host, &handles);
    let Ok(Outcome::Done(receipt)) = &verdicts[0] else {
        panic!("not done: {:?}", verdicts[0]);
    };
    assert_eq!(receipt.key, "1");
    assert_eq!(receipt.number.as_deref(), Some("SO-1"));
    let Err(Failure::Rejected(problem)) = &verdicts[1] else {
        panic!("not rejected: {:?}", verdicts[1]);
    };
    assert_eq!(problem.message, "DSCO refused the acknowledgement: no; way");
    assert!(matches!(&verdicts[2], Ok(Outcome::Done(receipt)) if receipt.duplicate));
    assert_eq!(code(&verdicts[3]), "cancelled-by-retailer");
}

#[test]
fn a_request_in_work_is_asked_again_ever_more_slowly() {
    for (asked, wait) in [
        (0, 1),
        (1, 2),
        (2, 4),
        (3, 8),
        (4, 15),
        (5, 30),
        (6, 60),
        (50, 60),
    ] {
        let host = TestHost::at(now()).expect(
            &failures("r-1"),
            Answer::json(200, &json!({"status": "PROCESSING", "logs": []})),
        );
        let verdicts = ask(&host, &[handle(Some("r-1"), "1", None, 5, asked)]);
        assert_eq!(waits(&verdicts[0]), (wait, i64::from(asked) + 1));
    }
}

#[test]
fn a_request_the_log_does_not_know_yet_is_no_success() {
    for answer in [
        Answer::json(404, &json!({})),
        // Just after the call the log may be short, and some say all the same that it is complete.
        Answer::json(200, &json!({"status": "COMPLETED", "logs": []})),
        Answer::json(200, &json!({"logs": null})),
    ] {
        let host = TestHost::at(now()).expect(&log("r-1"), answer);
        let verdicts = ask(&host, &[handle(Some("r-1"), "1", None, 1, 0)]);
        assert_eq!(waits(&verdicts[0]), (1, 1));
    }
}

#[test]
fn an_order_that_a_complete_log_never_names_is_looked_at() {
    let acknowledged = with(CREATED, json!({"dscoLifecycle": "ACKNOWLEDGED"}));
    let host = TestHost::at(now())
        // A failure of nobody knows whom: silence proves nothing.
        .expect(
            &failures("r-1"),
            Answer::json(
                200,
                &json!({"status": "Completed", "logs": [{"payload": null, "status": "failure"}]}),
            ),
        )
        .expect(
            &log("r-1"),
            Answer::json(
                200,
                &json!({"status": "Completed", "logs": [{"payload": null, "status": "success"}]}),
            ),
        )
        .expect(&get("1"), Answer::json(200, &value(&acknowledged)))
        .expect(&get("2"), Answer::json(200, &json!([value(CREATED)])));
    let handles = [
        handle(Some("r-1"), "1", None, 20, 3),
        handle(Some("r-1"), "2", None, 20, 3),
    ];
    let verdicts = ask(&host, &handles);
    assert!(matches!(&verdicts[0], Ok(Outcome::Done(receipt)) if receipt.duplicate));
    assert_eq!(waits(&verdicts[1]), (8, 4));
}

#[test]
fn an_answer_that_was_a_refusal_is_judged_by_the_order() {
    let refused = |order: &str| {
        let mut handle = value(&handle(Some("r-1"), order, None, 2, 0));
        handle["w"] = json!("closed");
        handle.to_string()
    };
    let host = TestHost::at(now())
        .expect(
            &get("1"),
            Answer::json(
                200,
                &value(&with(CREATED, json!({"dscoLifecycle": "acknowledged"}))),
            ),
        )
        .expect(&get("2"), Answer::json(200, &value(CREATED)));
    let verdicts = ask(&host, &[refused("1"), refused("2")]);
    assert!(matches!(&verdicts[0], Ok(Outcome::Done(receipt)) if receipt.duplicate));
    let Err(Failure::Rejected(problem)) = &verdicts[1] else {
        panic!("not rejected: {:?}", verdicts[1]);
    };
    assert!(problem.message.ends_with("closed"));
}

#[test]
fn without_a_status_only_entries_count() {
    let host = TestHost::at(now()).expect(
        &log("r-1"),
        Answer::json(200, &json!({"logs": [entry("1", "success", Value::Null)]})),
    );
    let handles = [
        handle(Some("r-1"), "1", None, 2, 0),
        handle(Some("r-1"), "2", None, 2, 9),
    ];
    let verdicts = ask(&host, &handles);
    assert!(matches!(verdicts[0], Ok(Outcome::Done(_))));
    assert_eq!(waits(&verdicts[1]).0, 60);
}

#[test]
fn requests_are_grouped_and_answers_keep_their_place() {
    let completed = |ids: &[&str]| {
        let all = ids.iter().map(|id| entry(id, "success", Value::Null));
        Answer::json(
            200,
            &json!({"status": "COMPLETED", "logs": all.collect::<Vec<_>>()}),
        )
    };
    let host = TestHost::at(now())
        .expect(&log("r-1"), completed(&["3"]))
        .expect(&log("r-2"), completed(&["4", "1"]));
    let handles = [
        handle(Some("r-2"), "1", None, 2, 0),
        "not a handle".to_owned(),
        handle(Some("r-1"), "3", None, 2, 0),
        handle(Some("r-2"), "4", None, 2, 0),
    ];
    let verdicts = ask(&host, &handles);
    let keys: Vec<_> = verdicts
        .iter()
        .map(|verdict| match verdict {
            Ok(Outcome::Done(receipt)) => receipt.key.as_str(),
            other => code(other),
        })
        .collect();
    assert_eq!(keys, ["1", "unknown-ticket", "3", "4"]);
}

#[test]
fn after_too_long_the_order_itself_is_asked_then_a_person() {
    let processing = || Answer::json(200, &json!({"status": "PROCESSING", "logs": []}));
    let host = TestHost::at(now())
        .expect(&failures("r-1"), processing())
        .expect(
            &get("1"),
            Answer::json(
                200,
                &value(&with(CREATED, json!({"dscoLifecycle": "completed"}))),
            ),
        )
        .expect(&get("2"), Answer::json(200, &value(CREATED)));
    let handles = [
        handle(Some("r-1"), "1", None, 7201, 99),
        handle(Some("r-1"), "2", None, 7201, 99),
    ];
    let verdicts = ask(&host, &handles);
    assert!(matches!(verdicts[0], Ok(Outcome::Done(_))));
    assert_eq!(code(&verdicts[1]), "never-confirmed");
}

#[test]
fn a_call_without_a_request_id_is_found_by_its_time() {
    let host = TestHost::at(now())
        .expect(
            &format!("GET {API}/order/log?startDate=2025-11-21T09%3A58%3A50Z&endDate=2025-11-21T10%3A00%3A50Z"),
            Answer::json(200, &json!({"logs": [entry("1", "success", Value::Null)]})),
        )
        .expect(&get("2"), Answer::json(404, &json!({})));
    let handles = [
        handle(None, "1", None, 10, 0),
        handle(None, "2", None, 10, 1),
    ];
    let verdicts = ask(&host, &handles);
    assert!(matches!(verdicts[0], Ok(Outcome::Done(_))));
    assert_eq!(waits(&verdicts[1]), (2, 2));
}

#[test]
fn trouble_with_the_log_leaves_every_ticket_open() {
    let host = TestHost::at(now()).expect(&log("r-1"), Answer::text(500, ""));
    let handles = [handle(Some("r-1"), "1", None, 2, 0)];
    let result = with_api(&host, &[], |api| confirm(api, &handles));
    assert_eq!(result, Err(Failure::Retry(None)));
}

#[test]
fn trouble_with_one_request_is_that_request_s_alone() {
    let good = |id: &str| {
        Answer::json(
            200,
            &json!({"status": "completed", "logs": [entry(id, "success", Value::Null)]}),
        )
    };
    let handles: Vec<String> = ["1", "2", "3"]
        .map(|id| handle(Some(&format!("r-{id}")), id, None, 2, 0))
        .to_vec();
    let host = TestHost::at(now())
        .expect(&log("r-1"), Answer::text(502, "<html>"))
        .expect(&log("r-2"), good("2"))
        .expect(&log("r-3"), good("3"));
    let verdicts = ask(&host, &handles);
    assert_eq!(verdicts[0], Err(Failure::Retry(None)));
    assert!(matches!(verdicts[1..], [Ok(_), Ok(_)]));
    // A throttle stops the others, too.
    let host = TestHost::at(now()).expect(&log("r-1"), good("1")).expect(
        &log("r-2"),
        Answer::text(429, "").header("Retry-After", "7"),
    );
    let verdicts = ask(&host, &handles);
    assert!(matches!(verdicts[0], Ok(Outcome::Done(_))));
    assert_eq!(verdicts[1..], [const { Err(Failure::Retry(Some(7))) }; 2]);
    // Nothing was found out: then it is the connection's.
    let host = TestHost::at(now()).expect(
        &log("r-1"),
        Answer::text(429, "").header("Retry-After", "7"),
    );
    let whole = with_api(&host, &[], |api| confirm(api, &handles));
    assert_eq!(whole, Err(Failure::Retry(Some(7))));
}

#[test]
fn one_bad_page_does_not_make_a_long_log_start_over() {
    let host = TestHost::at(now())
        .expect(
            &log("r-1"),
            Answer::json(200, &json!({"status": "completed", "scrollId": "s", "logs": [entry("2", "success", Value::Null)]})),
        )
        .expect(&format!("GET {API}/order/log?scrollId=s"), Answer::text(500, ""))
        .expect(
            &format!("GET {API}/order/log?scrollId=s"),
            Answer::json(200, &json!({"logs": [entry("1", "success", Value::Null)]})),
        );
    let verdicts = ask(&host, &[handle(Some("r-1"), "1", None, 2, 0)]);
    assert!(matches!(verdicts[0], Ok(Outcome::Done(_))));
}

#[test]
fn a_failure_that_names_no_order_makes_nobody_a_success() {
    let nameless =
        json!({"payload": null, "status": "failure", "results": [{"description": "broken"}]});
    let host = TestHost::at(now()).expect(
        &log("r-1"),
        Answer::json(
            200,
            &json!({"status": "COMPLETED", "logs": [entry("1", "success", Value::Null), nameless]}),
        ),
    );
    let handles = [
        handle(Some("r-1"), "1", None, 2, 0),
        handle(Some("r-1"), "2", None, 2, 0),
    ];
    let verdicts = ask(&host, &handles);
    assert!(matches!(verdicts[0], Ok(Outcome::Done(_))));
    assert_eq!(waits(&verdicts[1]).0, 1);
}

#[test]
fn the_list_of_failures_is_enough_once_the_request_is_done() {
    let host = TestHost::at(now()).expect(
        &failures("r-1"),
        Answer::json(
            200,
            &json!({"status": "COMPLETED", "logs": [shipped("2", "1Z2", "failure", "warehouseCode X is not known")]}),
        ),
    );
    let mut handles: Vec<String> = (3..600)
        .map(|n| handle(Some("r-1"), &n.to_string(), None, 6, 0))
        .collect();
    handles.push(parcel(Some("r-1"), "1", "1Z1", 6));
    handles.push(parcel(Some("r-1"), "2", "1Z2", 6));
    let verdicts = ask(&host, &handles);
    let (failed, fine) = verdicts.split_last().unwrap();
    assert!(
        fine.iter()
            .all(|v| matches!(v, Ok(Outcome::Done(r)) if !r.duplicate))
    );
    let Some(Ok(Outcome::Done(receipt))) = fine.last() else {
        panic!("no shipment");
    };
    assert_eq!(
        (receipt.key.as_str(), receipt.number.as_deref()),
        ("1/1Z1", Some("1Z1"))
    );
    let Err(Failure::Rejected(problem)) = failed else {
        panic!("not rejected: {failed:?}");
    };
    assert_eq!(problem.code, "warehouse-refused");
    assert!(
        problem
            .message
            .ends_with("Its words: warehouseCode X is not known")
    );
    assert!(
        problem
            .hint
            .as_deref()
            .is_some_and(|hint| hint.contains("table of warehouses"))
    );
}

#[test]
fn a_vendor_that_tells_no_status_with_a_filter_is_asked_for_all_entries() {
    let host = TestHost::at(now())
        .expect(&failures("r-1"), Answer::json(200, &json!({"logs": []})))
        .expect(
            &log("r-1"),
            Answer::json(
                200,
                &json!({"logs": [shipped("1", "1Z1", "pending", ""), shipped("1", "1Z1", "success", "")]}),
            ),
        );
    let handles = [
        parcel(Some("r-1"), "1", "1Z1", 6),
        parcel(Some("r-1"), "2", "1Z2", 6),
    ];
    let verdicts = ask(&host, &handles);
    assert!(matches!(verdicts[0], Ok(Outcome::Done(_))));
    assert_eq!(waits(&verdicts[1]).0, 1);
}

#[test]
fn a_failure_is_final_while_others_are_in_work_and_wins_over_success() {
    let host = TestHost::at(now()).expect(
        &failures("r-1"),
        Answer::json(
            200,
            &json!({"status": "PROCESSING", "logs": [
                shipped("1", "1Z1", "failure", "GCG is generic"),
                shipped("1", "1Z1", "success", ""),
                shipped("3", "1Z3", "success", ""),
            ]}),
        ),
    );
    let handles = ["1", "2", "3"].map(|n| parcel(Some("r-1"), n, &format!("1Z{n}"), 6));
    let verdicts = ask(&host, &handles);
    assert_eq!(code(&verdicts[0]), "generic-code");
    assert_eq!(waits(&verdicts[1]).0, 1);
    assert_eq!(waits(&verdicts[2]).0, 1, "a failure may follow");
}

#[test]
fn refusals_that_may_mean_nothing_are_judged_by_the_order() {
    let package = |tracking: &str, units: u32| json!([{"trackingNumber": tracking, "items": [{"lineNumber": 1, "quantity": units}]}]);
    let order = |changes| Answer::json(200, &value(&with(CREATED, changes)));
    let entries = ["1", "2", "3", "4"].map(|n| {
        let words = [
            "Order is completed",
            "Order is cancelled",
            "trackingNumber 1Z3 is already on the order",
            "Line 1 would ship 3 of 2 units",
        ][n.parse::<usize>().unwrap() - 1];
        shipped(n, &format!("1Z{n}"), "failure", words)
    });
    let host = TestHost::at(now())
        .expect(
            &failures("r-1"),
            Answer::json(200, &json!({"status": "COMPLETED", "logs": entries})),
        )
        .expect(&get("1"), order(json!({"packages": package("1Z1", 2)})))
        .expect(&get("2"), order(json!({"dscoStatus": "cancelled"})))
        .expect(&get("3"), order(json!({"packages": package("1Z3", 1)})))
        .expect(&get("4"), order(json!({"packages": package("1Z9", 1)})));
    let handles = ["1", "2", "3", "4"].map(|n| parcel(Some("r-1"), n, &format!("1Z{n}"), 6));
    let verdicts = ask(&host, &handles);
    assert!(matches!(&verdicts[0], Ok(Outcome::Done(receipt)) if receipt.duplicate));
    assert!(matches!(&verdicts[1], Err(Failure::Withdrawn(_))));
    assert_eq!(code(&verdicts[2]), "tracking-taken");
    assert_eq!(code(&verdicts[3]), "quantity-refused");
}

#[test]
fn a_place_in_the_log_that_is_forgotten_is_read_from_the_start_once() {
    let first = || {
        Answer::json(
            200,
            &json!({"status": "COMPLETED", "scrollId": "s", "logs": [shipped("9", "1Z9", "failure", "x")]}),
        )
    };
    let next = format!("GET {API}/order/log?scrollId=s");
    let host = TestHost::at(now())
        .expect(&failures("r-1"), first())
        .expect(&next, Answer::json(404, &json!({})))
        .expect(&failures("r-1"), first())
        .expect(
            &next,
            Answer::json(200, &json!({"logs": [shipped("1", "1Z1", "failure", "x")]})),
        );
    let verdicts = ask(&host, &[parcel(Some("r-1"), "1", "1Z1", 6)]);
    assert_eq!(code(&verdicts[0]), "shipment-refused");
}

#[test]
fn what_was_read_before_a_place_was_forgotten_is_read_again_whole() {
    let (start, next) = (
        format!("GET {API}/order/log?startDate=a"),
        format!("GET {API}/order/log?scrollId=s"),
    );
    let page = |order: &str| {
        let logs = [entry(order, "success", json!([]))];
        Answer::json(200, &json!({"scrollId": "s", "logs": logs}))
    };
    let last =
        json!({"logs": [entry("1", "success", json!([])), entry("9", "success", json!([]))]});
    let host = TestHost::at(now())
        .expect(&start, page("1"))
        .expect(&next, Answer::json(404, &json!({})))
        .expect(&start, page("2"))
        .expect(&next, Answer::json(200, &last));
    let order = |entry: &Entry| entry.payload.as_ref().unwrap().order().unwrap().clone();
    let mut unseen = vec!["1", "2"];
    let enough = |entries: &[Entry]| {
        unseen.retain(|of| entries.iter().all(|entry| order(entry) != *of));
        unseen.is_empty()
    };
    let keep = |entry: &Entry| order(entry) != "9";
    let read = with_api(&host, &[], |api| {
        change_log::read_closer(api, "/order/log", "startDate=a", || None, keep, enough)
    });
    host.finish();
    let read = read.unwrap().unwrap();
    assert_eq!(
        read.entries.iter().map(order).collect::<Vec<_>>(),
        ["2", "1"]
    );
    assert!(!read.cut);
}
