//! Following acknowledgements to the change log.

use super::{API, CREATED, now, value, with, with_api};
use crate::confirm::confirm;
use serde_json::{Value, json};
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::{Failure, Outcome, Verdict};

fn log(request: &str) -> String {
    format!("GET {API}/order/log?requestId={request}&status=success_or_failure")
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
            &log("r-1"),
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
        .expect(&log("r-1"), processing())
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
