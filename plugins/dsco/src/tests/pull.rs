//! The feeds against scripted answers: first start, back-fill, events, positions, bookmarks.

mod listed;

use super::{API, ASKED, CREATED, MESSY, at, now, order, value, with, with_api};
use crate::bindings::exports::waybill::connector::listing::Scope;
use crate::bindings::exports::waybill::connector::source::Page;
use crate::{listing, source};
use serde_json::{Value, json};
use waybill_sdk::commerce::{Body, Entity};
use waybill_sdk::effects::{Denial, IoError};
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::Failure;

const STREAM: &str = "waybill-main-orders";

fn pull(host: &TestHost, entity: Entity, cursor: Option<&[u8]>) -> Result<Page, Failure> {
    with_api(host, &[], |api| source::pull(api, entity, cursor))
}

fn url(method: &str, path: &str) -> String {
    format!("{method} {API}{path}")
}

fn stream(position: &str) -> Value {
    json!({"id": STREAM, "objectType": "order",
           "partitions": [{"partitionId": "0", "position": position, "ownerId": null}]})
}

fn event(id: &str, payload: &str) -> Value {
    json!({"id": id, "payload": value(payload), "source": "stream", "eventReasons": ["create"]})
}

/// A cursor as a committed page would hold it.
fn cursor(position: &str, moved: i64) -> Vec<u8> {
    json!({"stream": STREAM, "partition": 0, "position": position, "marked": "z/1", "moved": moved,
           "window": null, "closing": null})
    .to_string()
    .into_bytes()
}

fn field(page: &Page, name: &str) -> Value {
    serde_json::from_slice::<Value>(&page.cursor).unwrap()[name].clone()
}

#[test]
fn the_first_pull_makes_the_stream_then_searches_then_reads() {
    let host = TestHost::at(now()).recorded(include_str!("../../fixtures/first_pull.json"));
    let first = pull(&host, Entity::Order, None).unwrap();
    assert!(first.documents.is_empty() && first.more);
    let second = pull(&host, Entity::Order, Some(&first.cursor)).unwrap();
    assert_eq!(second.documents.len(), 1);
    assert!(second.more);
    let third = pull(&host, Entity::Order, Some(&second.cursor)).unwrap();
    assert!(
        third.documents.is_empty() && third.more,
        "the search ends with an empty page"
    );
    let fourth = pull(&host, Entity::Order, Some(&third.cursor)).unwrap();
    assert_eq!(order(&fourth.documents[0]).number, "PO-1002");
    assert!(!fourth.more);
    // Later, and nothing new: the seconds around the creation are searched once.
    host.set_now(now() + 120_000);
    let fifth = pull(&host, Entity::Order, Some(&fourth.cursor)).unwrap();
    assert!(fifth.documents.is_empty() && fifth.more);
    let sixth = pull(&host, Entity::Order, Some(&fifth.cursor)).unwrap();
    assert!(sixth.documents.is_empty());
    let last = pull(&host, Entity::Order, Some(&sixth.cursor)).unwrap();
    assert!(!last.more);
    assert_eq!(last.cursor, sixth.cursor, "an idle poll changes nothing");
    host.finish();
    let effects: Vec<_> = host
        .sent()
        .into_iter()
        .filter_map(|sent| sent.effect)
        .collect();
    assert_eq!(effects.len(), 1, "only the stream was made");
    assert_eq!(effects[0].step, "create-stream");
    assert!(
        host.sent()
            .iter()
            .all(|sent| sent.credential.as_deref() == Some("client"))
    );
}

/// The search of what changed between two times.
fn changed(since: i64, until: i64) -> String {
    let at = |ms: i64| crate::api::encode(&waybill_sdk::date::format(ms));
    format!(
        "/order/page?ordersUpdatedSince={}&until={}&ordersPerPage=1000",
        at(since),
        at(until)
    )
}

#[test]
fn practice_makes_no_stream_and_searches_what_changed() {
    let look = url("GET", "/stream?id=waybill-main-orders");
    let make = url("POST", "/stream");
    let absent = || Answer::json(404, &json!({"message": "not found"}));
    let practice = || Answer::Error(IoError::Denied(Denial::Practice));
    let first = TestHost::at(now())
        .expect(&look, absent())
        .expect(&make, practice());
    let planned = pull(&first, Entity::Order, None).unwrap();
    assert!(planned.documents.is_empty() && planned.more);
    assert_eq!(field(&planned, "window")["updated"], false);
    first.finish();

    // The search of what existed is over: the next poll searches what changed from a little before its end on.
    let mut over: Value = serde_json::from_slice(&planned.cursor).unwrap();
    let until = over["window"]["until"].as_i64().unwrap();
    over["window"] = Value::Null;
    let over = over.to_string().into_bytes();
    let later = TestHost::at(now() + 60_000)
        .expect(&look, absent())
        .expect(&make, practice())
        .expect(
            &url("GET", &changed(until - 10_000, until + 60_000)),
            Answer::json(200, &json!({"orders": []})),
        );
    let page = pull(&later, Entity::Order, Some(&over)).unwrap();
    assert!(!page.more, "nothing follows without a stream");
    later.finish();

    // Live: the stream is made, and everything is searched again.
    let live = TestHost::at(now() + 120_000)
        .expect(&look, absent())
        .expect(&make, Answer::json(201, &stream("z/5")));
    let begun = pull(&live, Entity::Order, Some(&page.cursor)).unwrap();
    assert_eq!(field(&begun, "position"), "z/5");
    assert_eq!(field(&begun, "window")["updated"], false);
    live.finish();
}

#[test]
fn a_stream_that_is_there_is_used_again() {
    let host = TestHost::at(now()).expect(
        &url("GET", "/stream?id=waybill-main-orders"),
        Answer::json(200, &json!([stream("z/2025/11/21/1-0")])),
    );
    let page = pull(&host, Entity::Order, None).unwrap();
    assert_eq!(field(&page, "position"), "z/2025/11/21/1-0");
    host.finish();
}

#[test]
fn a_doubtful_creation_waits_then_is_repeated() {
    let absent = || Answer::json(404, &json!({"message": "not found"}));
    let look = url("GET", "/stream?id=waybill-main-orders");
    let make = url("POST", "/stream");
    let young = TestHost::at(now())
        .expect(&look, absent())
        .expect(&make, Answer::Error(IoError::InDoubt(10_000)));
    assert_eq!(
        pull(&young, Entity::Order, None),
        Err(Failure::Retry(Some(20)))
    );
    young.finish();

    let old = TestHost::at(now())
        .expect(&look, absent())
        .expect(&make, Answer::Error(IoError::InDoubt(60_000)))
        .expect(&make, Answer::json(201, &stream("z/5")));
    assert_eq!(
        field(&pull(&old, Entity::Order, None).unwrap(), "position"),
        "z/5"
    );
    old.finish();
    let resent = old
        .sent()
        .last()
        .and_then(|sent| sent.effect.clone())
        .unwrap();
    assert!(resent.verified_absent);

    let found = TestHost::at(now()).expect(&look, Answer::json(200, &json!([stream("z/6")])));
    assert_eq!(
        field(&pull(&found, Entity::Order, None).unwrap(), "position"),
        "z/6"
    );
}

#[test]
fn a_position_is_encoded_exactly_once() {
    let path = "/stream/waybill-main-orders/0/z%2F2025%2F11%2F21%2F1763710215897-0000000";
    for position in [
        "z/2025/11/21/1763710215897-0000000",
        "z%2F2025%2F11%2F21%2F1763710215897-0000000",
    ] {
        let host = TestHost::at(now()).expect(
            &url("GET", path),
            Answer::json(200, &json!({"events": [], "partitionId": 0})),
        );
        pull(&host, Entity::Order, Some(&cursor(position, 0))).unwrap();
        host.finish();
    }
    let host = TestHost::at(now()).expect(
        &url(
            "GET",
            "/stream/waybill-main-orders/0/2025-11-21T07%3A00%3A00%2B00%3A00",
        ),
        Answer::json(200, &json!({"events": null})),
    );
    pull(
        &host,
        Entity::Order,
        Some(&cursor("2025-11-21T07:00:00+00:00", 0)),
    )
    .unwrap();
}

#[test]
fn the_bookmark_is_stored_now_and_then_and_never_ahead() {
    let read = url("GET", "/stream/waybill-main-orders/0/z%2F9");
    let events = || Answer::json(200, &json!({"events": [event("z/10", CREATED)]}));
    // Fewer polls than that: no bookmark.
    let host = TestHost::at(now()).expect(&read, events());
    let page = pull(&host, Entity::Order, Some(&cursor("z/9", 4))).unwrap();
    assert_eq!(field(&page, "moved"), 5);
    assert_eq!(field(&page, "marked"), "z/1");
    host.finish();
    // The place handed in is committed: that one is stored, not the one just read.
    let mark = url("PUT", "/stream/waybill-main-orders/0/z%2F9");
    let host = TestHost::at(now())
        .expect(&mark, Answer::json(200, &json!({"status": "success"})))
        .expect(&read, events());
    let page = pull(&host, Entity::Order, Some(&cursor("z/9", 5))).unwrap();
    assert_eq!(field(&page, "marked"), "z/9");
    assert_eq!(field(&page, "position"), "z/10");
    host.finish();
    // Whatever becomes of it, reading goes on.
    let host = TestHost::at(now())
        .expect(&mark, Answer::text(503, ""))
        .expect(&read, events());
    assert!(pull(&host, Entity::Order, Some(&cursor("z/9", 5))).is_ok());
    host.finish();
}

#[test]
fn events_of_every_shape_move_the_position() {
    let host = TestHost::at(now()).expect(
        &url("GET", "/stream/waybill-main-orders/0/z%2F1"),
        Answer::json(
            200,
            &json!({"events": [
                {"id": "z/2", "payload": value(CREATED), "eventReasons": "create", "extra": {"a": 1}},
                {"id": "z/3", "payload": null, "eventReasons": ["archive_order"]},
                null,
                {"id": "z/4", "payload": value(MESSY), "eventReasons": null},
            ]}),
        ),
    );
    let page = pull(&host, Entity::Order, Some(&cursor("z/1", 0))).unwrap();
    let keys: Vec<_> = page.documents.iter().map(|d| d.key.as_str()).collect();
    assert_eq!(keys, ["1000456789", "1000456790"]);
    assert_eq!(field(&page, "position"), "z/4");
    assert!(!page.more, "a page that is not full ends at the present");
    assert_eq!(
        host.logs(),
        ["An event without an order was passed over. event=z/3 reasons=archive_order"]
    );
}

#[test]
fn a_full_page_says_that_there_is_more() {
    let events: Vec<Value> = (0..10)
        .map(|n| {
            let order = with(CREATED, json!({"dscoOrderId": 5000 + n}));
            event(&format!("z/{}", n + 2), &order)
        })
        .collect();
    let host = TestHost::at(now()).expect(
        &url("GET", "/stream/waybill-main-orders/0/z%2F1"),
        Answer::json(200, &json!({"events": events})),
    );
    let page = with_api(&host, &[("page-size", "10")], |api| {
        source::pull(api, Entity::Order, Some(&cursor("z/1", 0)))
    })
    .unwrap();
    assert_eq!(page.documents.len(), 10);
    assert!(page.more);
}

#[test]
fn transient_trouble_is_retried_and_a_lost_stream_is_made_anew() {
    let read = url("GET", "/stream/waybill-main-orders/0/z%2F1");
    for answer in [
        Answer::text(502, "<html>Bad gateway</html>"),
        Answer::text(200, "<html>Maintenance</html>"),
        Answer::text(200, "{\"events\": [{\"id\": \"z/2\", \"payl"),
        Answer::Error(IoError::TimedOut),
    ] {
        let host = TestHost::at(now()).expect(&read, answer);
        let result = pull(&host, Entity::Order, Some(&cursor("z/1", 0)));
        assert_eq!(result, Err(Failure::Retry(None)));
    }
    let host = TestHost::at(now()).expect(&read, Answer::text(429, "").header("Retry-After", "30"));
    let result = pull(&host, Entity::Order, Some(&cursor("z/1", 0)));
    assert_eq!(result, Err(Failure::Retry(Some(30))));

    let host = TestHost::at(now())
        .expect(&read, Answer::json(404, &json!({})))
        .expect(
            &url("GET", "/stream?id=waybill-main-orders"),
            Answer::json(200, &json!([])),
        )
        .expect(&url("POST", "/stream"), Answer::json(201, &stream("z/7")));
    let page = pull(&host, Entity::Order, Some(&cursor("z/1", 0))).unwrap();
    assert!(
        field(&page, "window").is_object(),
        "and orders are searched again"
    );
    host.finish();
}

#[test]
fn cancel_requests_have_a_stream_of_their_own() {
    let host = TestHost::at(now())
        .expect(
            &url("GET", "/stream?id=waybill-main-orders-cancels"),
            Answer::json(404, &json!({})),
        )
        .expect(
            &url("POST", "/stream"),
            Answer::json(201, &json!({"id": "waybill-main-orders-cancels", "partitions": []})),
        )
        .expect(
            &url(
                "GET",
                "/order/page?ordersCreatedSince=2024-11-21T10%3A00%3A00Z&until=2025-11-21T09%3A59%3A50Z\
                 &ordersPerPage=1000&status=shipment_pending",
            ),
            Answer::json(200, &json!({"orders": [value(CREATED), value(ASKED)]})),
        );
    let first = pull(&host, Entity::Cancellation, None).unwrap();
    let made: Value = serde_json::from_slice(&host.sent()[1].body).unwrap();
    assert_eq!(made["query"]["onlyIncludeCancelRequests"], true);
    let second = pull(&host, Entity::Cancellation, Some(&first.cursor)).unwrap();
    assert_eq!(second.documents.len(), 1);
    assert_eq!(second.documents[0].key, "1000456791");
    host.finish();
}

#[test]
fn searches_end_by_the_vendors_clock() {
    // Our clock is ten minutes ahead.
    let theirs = "Fri, 21 Nov 2025 09:50:00 GMT";
    let host = TestHost::at(now())
        .expect(
            &url("GET", "/stream?id=waybill-main-orders"),
            Answer::json(404, &json!({})).header("Date", theirs),
        )
        .expect(
            &url("POST", "/stream"),
            Answer::json(201, &json!({"id": STREAM})),
        );
    let first = pull(&host, Entity::Order, None).unwrap();
    assert_eq!(field(&first, "window")["until"], at("2025-11-21T09:49:50Z"));
    assert_eq!(field(&first, "position"), "2025-11-21T09:49:00Z");
    host.finish();
    // A listing learns it from the refusal.
    let page = |until: &str| {
        url(
            "GET",
            &format!(
                "/order/page?ordersCreatedSince=2025-11-01T00%3A00%3A00Z&until=2025-11-21T09%3A{until}Z&ordersPerPage=1000"
            ),
        )
    };
    let refused = Answer::json(
        400,
        &json!({"message": "until must be 5 seconds in the past"}),
    );
    let host = TestHost::at(now())
        .expect(&page("59%3A50"), refused.header("Date", theirs))
        .expect(&page("49%3A50"), Answer::json(200, &json!({"orders": []})));
    let scope = Scope::Between((at("2025-11-01T00:00:00Z"), now()));
    let read = |cursor: Option<&[u8]>| {
        with_api(&host, &[], |api| {
            listing::read(api, Entity::Order, &scope, cursor)
        })
        .unwrap()
    };
    let first = read(None);
    assert!(first.documents.is_empty() && first.more);
    assert!(!read(Some(&first.cursor)).more);
    host.finish();
}

#[test]
fn a_stream_that_was_given_another_id_is_found_again() {
    let theirs = "5f0c8a1e-0000-4000-8000-000000000001";
    let host = TestHost::at(now())
        .expect(
            &url("GET", "/stream?id=waybill-main-orders"),
            Answer::json(400, &json!({"message": "id is not a UUID"})),
        )
        .expect(
            &url("POST", "/stream"),
            Answer::json(
                201,
                &json!({"id": theirs, "partitions": [{"partitionId": 0, "position": "z/1"}]}),
            ),
        )
        .expect(
            &url("GET", &format!("/stream?id={theirs}")),
            // One object instead of a list.
            Answer::json(
                200,
                &json!({"id": theirs, "partitions": {"partitionId": "0", "position": "z/2"}}),
            ),
        );
    let first = pull(&host, Entity::Order, None).unwrap();
    assert_eq!(field(&first, "stream"), theirs);
    let again = pull(&host, Entity::Order, None).unwrap();
    assert_eq!(field(&again, "position"), "z/2");
    host.finish();
}

#[test]
fn events_without_an_id_are_taken_and_read_again() {
    let host = TestHost::at(now()).expect(
        &url("GET", "/stream/waybill-main-orders/0/z%2F1"),
        Answer::json(200, &json!({"events": [{"payload": value(CREATED)}]})),
    );
    let page = pull(&host, Entity::Order, Some(&cursor("z/1", 0))).unwrap();
    assert_eq!(page.documents.len(), 1);
    assert_eq!(field(&page, "position"), "z/1");
    assert!(!page.more);
}

#[test]
fn a_page_of_a_stream_made_under_smaller_pages_is_full() {
    let events: Vec<Value> = (0..10).map(|n| event(&format!("z/{n}"), CREATED)).collect();
    let host = TestHost::at(now()).expect(
        &url("GET", "/stream/waybill-main-orders/0/z%2F1"),
        Answer::json(200, &json!({"events": events})),
    );
    assert!(
        pull(&host, Entity::Order, Some(&cursor("z/1", 0)))
            .unwrap()
            .more
    );
}

#[test]
fn a_place_that_is_refused_is_looked_up_anew_but_not_for_ever() {
    let read = url("GET", "/stream/waybill-main-orders/0/z%2F1");
    let gone = || Answer::json(400, &json!({"message": "position is too old"}));
    let host = TestHost::at(now()).expect(&read, gone()).expect(
        &url("GET", "/stream?id=waybill-main-orders"),
        Answer::json(200, &json!([stream("z/9")])),
    );
    let page = pull(&host, Entity::Order, Some(&cursor("z/1", 0))).unwrap();
    assert_eq!(field(&page, "position"), "z/9");
    assert!(field(&page, "window").is_object(), "orders are searched");
    host.finish();
    let mut young = value(std::str::from_utf8(&cursor("z/1", 0)).unwrap());
    young["closing"] = json!({"since": 0, "due": now() + 1000});
    let host = TestHost::at(now()).expect(&read, gone());
    let result = pull(&host, Entity::Order, Some(young.to_string().as_bytes()));
    assert!(matches!(result, Err(Failure::Rejected(_))));
}

#[test]
fn a_search_brings_the_requests_of_its_orders_after_them() {
    let window = json!({"updated": false, "since": now() - 1000, "until": now(), "scroll": "s"});
    let mut searching = value(std::str::from_utf8(&cursor("z/1", 0)).unwrap());
    searching["window"] = window;
    let host = TestHost::at(now()).expect(
        &url("GET", "/order/page?scrollId=s"),
        Answer::json(200, &json!({"orders": [value(CREATED), value(ASKED)]})),
    );
    let page = pull(&host, Entity::Order, Some(searching.to_string().as_bytes())).unwrap();
    let requests: Vec<_> = page
        .documents
        .iter()
        .map(|d| matches!(d.body, Body::Cancellation(_)))
        .collect();
    assert_eq!(requests, [false, false, true]);
    assert!(page.documents[2].revision.ends_with("with its order"));
}

#[test]
fn a_wave_that_is_no_full_page_is_one_read() {
    let events = |count: usize| {
        let all = (0..count).map(|n| event(&format!("z/{}", n + 2), CREATED));
        Answer::json(200, &json!({"events": all.collect::<Vec<_>>()}))
    };
    for (count, more) in [(40, false), (50, true)] {
        let mut at: Value = serde_json::from_slice(&cursor("z/1", 0)).unwrap();
        at["full"] = json!(50);
        let host = TestHost::at(now()).expect(
            &url("GET", "/stream/waybill-main-orders/0/z%2F1"),
            events(count),
        );
        let page = pull(&host, Entity::Order, Some(at.to_string().as_bytes())).unwrap();
        assert_eq!(page.more, more);
        assert_eq!(field(&page, "full"), 50);
    }
    // The stream itself tells how much a full page is, whatever our settings are by now.
    let mut known = stream("z/1");
    known["maxEvents"] = json!({"objectCount": "70", "numBytes": 5});
    let host = TestHost::at(now()).expect(
        &url("GET", "/stream?id=waybill-main-orders"),
        Answer::json(200, &known),
    );
    assert_eq!(
        field(&pull(&host, Entity::Order, None).unwrap(), "full"),
        70
    );
}
