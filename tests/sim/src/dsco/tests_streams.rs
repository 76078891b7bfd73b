//! Tests of streams on the pure state machine.

use serde_json::{Value, json};

use super::tests::{Sim, usual};

fn create(sim: &mut Sim, id: &str, query: &Value) -> String {
    let mut query = query.clone();
    query["queryType"] = json!("order");
    let body = json!({"id": id, "objectType": "order", "query": query});
    let (status, stream) = sim.post("/stream", &body);
    assert_eq!(status, 201, "{stream}");
    stream["partitions"][0]["position"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn encode(position: &str) -> String {
    position
        .replace('%', "%25")
        .replace('/', "%2F")
        .replace(':', "%3A")
}

fn read(sim: &mut Sim, id: &str, position: &str) -> Vec<Value> {
    let (status, page) = sim.get(&format!("/stream/{id}/0/{}", encode(position)));
    assert_eq!(status, 200, "{page}");
    page["events"].as_array().unwrap().clone()
}

fn reasons(events: &[Value]) -> Vec<String> {
    events
        .iter()
        .map(|e| e["eventReasons"][0].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_stream_starts_at_now_and_delivers_what_follows() {
    let mut sim = usual();
    sim.order(&json!({}));
    let start = create(&mut sim, "s", &json!({}));
    assert!(read(&mut sim, "s", &start).is_empty());
    assert!(read(&mut sim, "s", "1970-01-01T00:00:00Z").is_empty());
    let id = sim.order(&json!({}));
    let events = read(&mut sim, "s", &start);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["payload"]["dscoOrderId"], json!(id));
    assert_eq!(
        events[0]["payload"]["lineItems"].as_array().unwrap().len(),
        1
    );
    let last = events[0]["id"].as_str().unwrap();
    assert!(last.starts_with("z/2025/"));
    assert!(read(&mut sim, "s", last).is_empty());
    sim.order(&json!({}));
    assert_eq!(read(&mut sim, "s", last).len(), 1);
}

#[test]
fn positions_must_be_encoded_exactly_once() {
    let mut sim = usual();
    let start = create(&mut sim, "s", &json!({}));
    sim.order(&json!({}));
    let id = read(&mut sim, "s", &start)[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let once = encode(&id);
    assert_eq!(sim.get(&format!("/stream/s/0/{once}")).0, 200);
    assert_eq!(
        sim.get(&format!("/stream/s/0/{}", once.replace('%', "%25")))
            .0,
        400
    );
    assert_eq!(sim.get(&format!("/stream/s/0/{id}")).0, 403);
    assert_eq!(sim.get("/stream/s/0/garbage").0, 400);
    assert_eq!(sim.get(&format!("/stream/s/1/{once}")).0, 404);
    assert_eq!(sim.get(&format!("/stream/none/0/{once}")).0, 404);
}

#[test]
fn checkpoints_are_kept_and_reading_does_not_move_them() {
    let mut sim = usual();
    let start = create(&mut sim, "s", &json!({}));
    sim.order(&json!({}));
    let id = read(&mut sim, "s", &start)[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        sim.get("/stream?id=s").1[0]["partitions"][0]["position"],
        json!(start)
    );
    let (status, body) = sim.call("PUT", &format!("/stream/s/0/{}", encode(&id)), &Value::Null);
    assert_eq!((status, body), (200, json!({"status": "success"})));
    assert_eq!(
        sim.get("/stream?id=s").1[0]["partitions"][0]["position"],
        json!(id)
    );
    assert_eq!(sim.call("PUT", "/stream/s/0/junk", &Value::Null).0, 400);
}

#[test]
fn cancel_requests_go_only_to_streams_that_ask() {
    let mut sim = usual();
    let start = create(&mut sim, "all", &json!({}));
    create(
        &mut sim,
        "asked",
        &json!({"onlyIncludeCancelRequests": true}),
    );
    let id = sim.order(&json!({}));
    sim.control(&format!("orders/{id}/acknowledge"), &Value::Null);
    sim.pass(1000);
    let (_, done) = sim.control(&format!("orders/{id}/cancel"), &json!({"code": "CXRR"}));
    assert_eq!(done["outcome"], "requested");
    sim.pass(1000);
    let all = read(&mut sim, "all", &start);
    assert_eq!(reasons(&all), ["create", "update_status_lifecycle"]);
    let asked = read(&mut sim, "asked", &start);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["payload"]["cancelRequested"], true);
    assert_eq!(asked[0]["payload"]["cancelRequestedCode"], "CXRR");
}

#[test]
fn order_types_default_to_dropship_and_filters_combine() {
    let mut sim = usual();
    let start = create(&mut sim, "default", &json!({}));
    create(&mut sim, "whole", &json!({"orderTypes": ["wholesale"]}));
    create(
        &mut sim,
        "two",
        &json!({"dscoIncludeAccountIds": ["1000007002"], "statuses": ["created"]}),
    );
    create(
        &mut sim,
        "not",
        &json!({"dscoExcludeTradingPartnerIds": ["VEND-88"]}),
    );
    sim.order(&json!({"order_type": "wholesale"}));
    sim.order(&json!({"retailer": "1000007002"}));
    sim.order(&json!({}));
    let count = |sim: &mut Sim, id: &str| read(sim, id, &start).len();
    assert_eq!(count(&mut sim, "default"), 2);
    assert_eq!(count(&mut sim, "whole"), 1);
    assert_eq!(count(&mut sim, "two"), 1);
    assert_eq!(count(&mut sim, "not"), 1);
}

#[test]
fn queries_are_checked() {
    let mut sim = usual();
    let bad = [
        json!({"objectType": "orders", "query": {"queryType": "orders"}}),
        json!({"objectType": "order"}),
        json!({"objectType": "order", "query": {"queryType": "invoice"}}),
        json!({"objectType": "order", "query": {"queryType": "order", "statuses": ["open"]}}),
        json!({"objectType": "order", "query": {"queryType": "order",
            "dscoIncludeAccountIds": ["1"], "dscoExcludeAccountIds": ["2"]}}),
        json!({"objectType": "order", "query": {"queryType": "order"}, "numPartitions": 21}),
        json!({"objectType": "order", "query": {"queryType": "order"}, "maxEvents": {"objectCount": 0}}),
    ];
    for body in bad {
        assert_eq!(sim.post("/stream", &body).0, 400, "{body}");
    }
    let (status, stream) = sim.post(
        "/stream",
        &json!({"objectType": "order", "query": {"queryType": "order"}}),
    );
    assert_eq!(status, 201);
    assert_eq!(stream["id"].as_str().unwrap().len(), 36);
    assert_eq!(stream["maxEvents"]["objectCount"], 1000);
}

#[test]
fn streams_are_listed_changed_and_deleted() {
    let mut sim = usual();
    create(&mut sim, "s", &json!({}));
    let again = json!({"id": "s", "objectType": "order", "query": {"queryType": "order"}});
    assert_eq!(sim.post("/stream", &again).0, 400);
    assert_eq!(sim.get("/stream").1.as_array().unwrap().len(), 1);
    assert_eq!(sim.get("/stream?id=none").0, 404);
    let (_, changed) = sim.call("PUT", "/stream/s", &json!({"description": "mine"}));
    assert_eq!(
        (&changed["description"], &changed["streamVersion"]),
        (&json!("mine"), &json!(2))
    );
    let (_, same) = sim.call(
        "PUT",
        "/stream/s?incrementVersionNumber=false",
        &json!({"description": "x"}),
    );
    assert_eq!(same["streamVersion"], 2);
    assert_eq!(
        sim.call("PUT", "/stream/s", &json!({"objectType": "invoice"}))
            .0,
        400
    );
    let owner = json!({"operationType": "setpartitionowner", "partitionId": 0, "ownerId": "me"});
    assert_eq!(sim.post("/stream/s", &owner).0, 202);
    assert_eq!(
        sim.get("/stream?id=s").1[0]["partitions"][0]["ownerId"],
        "me"
    );
    assert_eq!(
        sim.post("/stream/s", &json!({"operationType": "sync"})).0,
        400
    );
    assert_eq!(sim.call("DELETE", "/stream/s", &Value::Null).0, 200);
    assert_eq!(sim.call("DELETE", "/stream/s", &Value::Null).0, 404);
}

#[test]
fn a_page_holds_at_most_the_asked_number() {
    let mut sim = usual();
    let body = json!({"id": "s", "objectType": "order", "query": {"queryType": "order"},
        "maxEvents": {"objectCount": 2}});
    let (_, stream) = sim.post("/stream", &body);
    let mut position = stream["partitions"][0]["position"]
        .as_str()
        .unwrap()
        .to_owned();
    for _ in 0..5 {
        sim.order(&json!({}));
    }
    let mut sizes = Vec::new();
    loop {
        let events = read(&mut sim, "s", &position);
        sizes.push(events.len());
        let Some(last) = events.last() else { break };
        last["id"].as_str().unwrap().clone_into(&mut position);
    }
    assert_eq!(sizes, [2, 2, 1, 0]);
}

#[test]
fn ranges_and_single_events_are_replays() {
    let mut sim = usual();
    let start = create(&mut sim, "s", &json!({}));
    for _ in 0..3 {
        sim.order(&json!({}));
    }
    let ids: Vec<String> = read(&mut sim, "s", &start)
        .iter()
        .map(|e| e["id"].as_str().unwrap().to_owned())
        .collect();
    let (_, range) = sim.get(&format!(
        "/stream/s/0/{}/{}",
        encode(&ids[0]),
        encode(&ids[2])
    ));
    let got: Vec<&str> = range["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["id"].as_str().unwrap())
        .collect();
    assert_eq!(got, [&ids[0], &ids[1]]);
    let (_, one) = sim.get(&format!("/stream/single/s/0/{}", encode(&ids[1])));
    assert_eq!(one["id"], json!(ids[1]));
}

#[test]
fn replays_and_duplicates_come_on_command() {
    let mut sim = usual();
    let start = create(&mut sim, "s", &json!({}));
    for _ in 0..3 {
        sim.order(&json!({}));
    }
    let events = read(&mut sim, "s", &start);
    let last = events[2]["id"].as_str().unwrap().to_owned();
    assert_eq!(sim.control("replay", &json!({"events": 2})).1["streams"], 1);
    let again = read(&mut sim, "s", &last);
    assert_eq!(again, events[1..]);
    assert!(read(&mut sim, "s", &last).is_empty());
    sim.control("settings", &json!({"duplicate_chance": 1.1}));
    let doubled = read(&mut sim, "s", &start);
    assert_eq!(doubled.len(), 4);
    assert_eq!(doubled[0], doubled[1]);
}

#[test]
fn ids_may_come_encoded_already() {
    let mut sim = Sim::new(&json!({"encoded_positions": true}));
    let start = create(&mut sim, "s", &json!({}));
    sim.order(&json!({}));
    let id = read(&mut sim, "s", &start)[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(id.contains("%2F"));
    assert_eq!(sim.get(&format!("/stream/s/0/{id}")).0, 200);
    assert_eq!(sim.get(&format!("/stream/s/0/{}", encode(&id))).0, 400);
}

#[test]
fn held_orders_are_told_as_received_first() {
    let mut sim = usual();
    let start = create(&mut sim, "s", &json!({}));
    let id = sim.order(&json!({"hold": true}));
    let first = read(&mut sim, "s", &start);
    assert_eq!(first[0]["payload"]["dscoLifecycle"], "received");
    let (_, answer) = sim.post(
        "/order/acknowledge",
        &json!([{"id": id, "type": "DSCO_ORDER_ID"}]),
    );
    sim.pass(1000);
    let path = format!(
        "/order/log?requestId={}",
        answer["requestId"].as_str().unwrap()
    );
    assert_eq!(sim.get(&path).1["logs"][0]["status"], "failure");
    sim.control(&format!("orders/{id}/release"), &Value::Null);
    sim.pass(1000);
    let all = read(&mut sim, "s", &start);
    assert_eq!(reasons(&all), ["create", "update_status_lifecycle"]);
    assert_eq!(all[1]["payload"]["dscoLifecycle"], "created");
}

#[test]
fn item_changes_have_their_own_stream() {
    let mut sim = usual();
    let body = json!({"id": "i", "objectType": "orderitemchange",
        "query": {"queryType": "orderitemchange", "statuses": ["cancelled"]}});
    let (_, stream) = sim.post("/stream", &body);
    let start = stream["partitions"][0]["position"]
        .as_str()
        .unwrap()
        .to_owned();
    let id = sim.order(&json!({"line_count": 2}));
    sim.control(&format!("orders/{id}/cancel"), &Value::Null);
    sim.pass(1000);
    let events = read(&mut sim, "i", &start);
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["payload"]["status"], "cancelled");
    assert_eq!(events[0]["payload"]["order"]["dscoOrderId"], json!(id));
}
