//! The connector against the vendor's sandbox: each order is one sale and each event one webhook, wherever a call is
//! cut; and what the warehouse does comes back line by line.

use crate::net::{FATES, Fate, Net, key, plain};
use crate::script::{delivery, line, order};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use waybill_brightpearl::bindings::exports::waybill::connector::sink::Delivery;
use waybill_brightpearl::bindings::exports::waybill::connector::webhook::Delivered;
use waybill_brightpearl::ensure::{ensure, remove};
use waybill_brightpearl::receive::receive;
use waybill_brightpearl::source::{fetch, pull};
use waybill_sdk::commerce::{Body, Document, Entity, Shipment, Stage};
use waybill_sdk::types::Failure;

const CALLBACK: &str = "http://127.0.0.1:9/hooks/erp/s3cret";

/// Orders for the seeded contact; the second line is a kit of one and two.
fn orders(count: usize) -> Vec<Delivery> {
    let one = |n: usize| {
        let mut order = order();
        order.number = format!("PO-{n}");
        order.customer = Some("200".to_owned());
        order.lines = vec![
            line("L1", "1003", "3", "9.00", None),
            line("L2", "1096", "2", "5.00", None),
        ];
        delivery(&format!("o-{n}"), order)
    };
    (0..count)
        .map(|n| Delivery {
            settings: Vec::new(),
            ..one(n)
        })
        .collect()
}

/// Every order has exactly one sale, and the verdict names it.
fn assert_each_once(net: &Net, keys: &[String], told: &str) {
    let truth = net.truth();
    let mut made: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for sale in truth["orders"].as_array().unwrap() {
        let reference = sale["externalRef"].as_str().unwrap().to_owned();
        made.entry(reference)
            .or_default()
            .push(sale["id"].to_string());
    }
    assert_eq!(made.len(), keys.len(), "{told}");
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(
            made[&format!("wb-o-{n}")],
            std::slice::from_ref(key),
            "{told}"
        );
    }
}

/// A search that trails, and an account that would take every double.
fn unguarded() -> Value {
    json!({"enforceUniquePair": false, "searchLagMs": 20_000})
}

#[test]
fn orders_go_ten_at_a_time() {
    let net = Net::new(&plain());
    let all = orders(40);
    net.push_all(&all[..1]);
    net.count();
    let keys: Vec<String> = net.push_all(&all[1..]).iter().map(key).collect();
    assert_eq!(keys.len(), 39);
    assert_eq!(net.count(), 4);
}

#[test]
fn wherever_a_call_is_cut_each_order_is_one_sale() {
    for change in [unguarded(), json!({"duplicateRef": 409}), plain()] {
        for fate in FATES {
            for skip in 0..4 {
                let net = Net::new(&change);
                *net.fates.borrow_mut() = std::iter::repeat_n(Fate::Answered, skip)
                    .chain([fate, fate])
                    .collect();
                let keys: Vec<String> = net.push_all(&orders(25)).iter().map(key).collect();
                assert_each_once(&net, &keys, &format!("{fate:?} after {skip}, {change}"));
            }
        }
    }
}

#[test]
fn wherever_the_agent_stops_each_order_is_one_sale() {
    for fate in [
        Fate::Answered,
        Fate::CutBefore,
        Fate::CutAfter,
        Fate::TimedOut,
    ] {
        for stops in 1..4 {
            for partly in [None, Some(6)] {
                let mut change = unguarded();
                if fate == Fate::TimedOut {
                    // When it ended is forgotten with the stop: here the account's own rule is the guard.
                    change["enforceUniquePair"] = json!(true);
                }
                change["multiStopAfter"] = partly.map_or_else(|| json!([]), |n| json!([n, 2]));
                let net = Net::new(&change);
                net.fates.borrow_mut().extend([fate, fate]);
                net.stops.set(stops);
                let keys: Vec<String> = net.push_all(&orders(15)).iter().map(key).collect();
                assert_each_once(&net, &keys, &format!("{fate:?}, {stops} stops, {partly:?}"));
            }
        }
    }
}

#[test]
fn a_stop_after_the_second_sending_sends_no_third() {
    // Lost, rested, six found, four sent again; a stop right then, and the search still trails.
    let mut change = unguarded();
    change["multiStopAfter"] = json!([6]);
    let net = Net::new(&change);
    net.fates.borrow_mut().push_back(Fate::CutAfter);
    let all = orders(10);
    assert!(net.try_once(&all).iter().all(Result::is_err));
    net.pass(31_000);
    net.fates.borrow_mut().push_back(Fate::CutAfter);
    net.stops.set(2);
    net.try_once(&all);
    let keys: Vec<String> = net.push_all(&all).iter().map(key).collect();
    assert_each_once(&net, &keys, "stopped after the second sending");
}

#[test]
fn doubts_of_several_kinds_in_one_batch_come_to_an_end() {
    // A label without a word, a call that ran out of time, and new orders: all tried again together.
    for change in [
        json!({"multiFailNext": 1, "multiFailStatus": 502}),
        json!({"multiFailNext": 2}),
    ] {
        let mut settings = unguarded();
        settings
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let net = Net::new(&settings);
        let fates = [
            Fate::Answered,
            Fate::TimedOut,
            Fate::Truncated,
            Fate::CutBefore,
        ];
        net.fates.borrow_mut().extend(fates);
        let keys: Vec<String> = net.push_all(&orders(33)).iter().map(key).collect();
        assert_each_once(&net, &keys, &change.to_string());
    }
}

#[test]
fn six_of_ten_were_made_and_nobody_was_told() {
    for fate in [
        Fate::CutAfter,
        Fate::TimedOut,
        Fate::Truncated,
        Fate::Html,
        Fate::Answered,
    ] {
        let mut change = unguarded();
        change["multiStopAfter"] = json!([6]);
        let net = Net::new(&change);
        net.fates.borrow_mut().push_back(fate);
        let keys: Vec<String> = net.push_all(&orders(10)).iter().map(key).collect();
        assert_each_once(&net, &keys, &format!("{fate:?}"));
    }
}

#[test]
fn single_refusals_are_tried_again_alone() {
    for status in [500, 503] {
        let mut change = unguarded();
        change["multiFailNext"] = json!(3);
        change["multiFailStatus"] = json!(status);
        let net = Net::new(&change);
        let keys: Vec<String> = net.push_all(&orders(10)).iter().map(key).collect();
        assert_each_once(&net, &keys, &status.to_string());
    }
    let net = Net::new(&json!({"multiFailNext": 1, "multiFailStatus": 400}));
    let verdicts = net.push_all(&orders(10));
    assert!(matches!(&verdicts[0], Err(Failure::Rejected(p)) if p.code == "ordc-000"));
    // Somebody presses Retry: nothing of the refusal is kept.
    let again = net.push_all(&orders(1));
    assert!(again[0].is_ok());
    assert_eq!(net.truth()["orders"].as_array().unwrap().len(), 10);
}

#[test]
fn an_account_without_multi_message_gets_single_calls() {
    for status in [404, 403] {
        let net = Net::new(&json!({ "multiStatus": status }));
        let keys: Vec<String> = net.push_all(&orders(12)).iter().map(key).collect();
        assert_each_once(&net, &keys, &status.to_string());
        let calls = net.calls.borrow();
        let many = calls.iter().filter(|line| line.contains("multi-message"));
        assert_eq!(many.count(), 1, "remembered");
    }
}

fn shipment(document: &Document) -> &Shipment {
    match &document.body {
        Body::Shipment(shipment) => shipment,
        other => panic!("no shipment: {other:?}"),
    }
}

/// Line, units, part.
type Packed = (String, String, Option<(String, String, u32)>);

fn packed(shipment: &Shipment) -> Vec<Packed> {
    let lines = shipment.parcels[0].lines.iter();
    lines
        .map(|l| {
            let part = l.part.as_ref();
            let part = part.map(|p| (p.item.clone(), p.per_unit.to_string(), p.parts));
            (l.line.clone(), l.quantity.to_string(), part)
        })
        .collect()
}

struct Feed<'a> {
    net: &'a Net,
    cursor: Option<Vec<u8>>,
    stage: &'static str,
}

impl Feed<'_> {
    fn round(&mut self) -> Vec<Document> {
        let ctx = Net::context(&[("shipments.stage", self.stage)]);
        let mut all = Vec::new();
        loop {
            let page = pull(self.net, &ctx, Entity::Shipment, self.cursor.as_deref()).unwrap();
            all.extend(page.documents);
            self.cursor = Some(page.cursor);
            if !page.more {
                return all;
            }
        }
    }
}

/// So many sales of ours.
fn sold(net: &Net, count: usize) -> Vec<String> {
    let keys: Vec<String> = net.push_all(&orders(count)).iter().map(key).collect();
    for (n, key) in keys.iter().enumerate() {
        net.link(key, &format!("o-{n}"));
    }
    net.count();
    keys
}

fn row_of(sale: &Value, product: i64) -> String {
    let rows = sale["rows"].as_array().unwrap();
    rows.iter().find(|r| r["productId"] == product).unwrap()["id"].to_string()
}

#[test]
fn what_the_warehouse_ships_comes_back_line_by_line() {
    let net = Net::new(&plain());
    let sales = sold(&net, 2);
    let mut feed = Feed {
        net: &net,
        cursor: None,
        stage: "shipped",
    };
    assert!(feed.round().is_empty());
    net.count();
    net.pass(60_000);
    assert!(feed.round().is_empty());
    assert_eq!(net.count(), 1, "a quiet minute");
    let sale = net.sale(&sales[0]);
    let (mug, one, two) = (
        row_of(&sale, 1003),
        row_of(&sale, 1001),
        row_of(&sale, 1002),
    );
    let mut rows = json!({});
    rows[&mug] = json!(3);
    rows[&one] = json!(1);
    rows[&two] = json!(2);
    net.control(
        &format!("order/{}/note", sales[0]),
        &json!({"rows": rows, "stage": "shipped", "reference": "1Z1, 1Z2", "shippingMethodId": 12}),
    );
    net.control(
        &format!("order/{}/note", sales[1]),
        &json!({"stage": "packed"}),
    );
    net.control(
        "transfer",
        &json!({"from": 2, "to": 3, "products": {"1003": 1}, "stage": "shipped"}),
    );
    net.pass(60_000);
    let documents = feed.round();
    assert_eq!(documents.len(), 1, "only what is shipped");
    assert_eq!(net.count(), 3, "one search, the note, its sale");
    let first = shipment(&documents[0]);
    assert_eq!(first.order_key, sales[0]);
    assert_eq!(first.stage, Stage::Shipped);
    let part = |item: &str, per_unit: &str| Some((item.to_owned(), per_unit.to_owned(), 2));
    assert_eq!(
        packed(first),
        [
            ("L1".to_owned(), "3".to_owned(), None),
            ("L2".to_owned(), "1".to_owned(), part("1001", "1")),
            ("L2".to_owned(), "2".to_owned(), part("1002", "2")),
        ]
    );
    let numbers: Vec<_> = first
        .parcels
        .iter()
        .map(|p| p.tracking.as_deref())
        .collect();
    assert_eq!(numbers, [Some("1Z1"), Some("1Z2")]);
    net.pass(60_000);
    assert!(feed.round().is_empty());
    assert_eq!(net.count(), 1, "known notes are not read again");
}

#[test]
fn a_number_that_is_typed_in_later_is_found() {
    let net = Net::new(&plain());
    let sales = sold(&net, 1);
    let mut feed = Feed {
        net: &net,
        cursor: None,
        stage: "shipped",
    };
    net.control(
        &format!("order/{}/note", sales[0]),
        &json!({"stage": "shipped"}),
    );
    let documents = feed.round();
    // A number typed in later shows in no search: a hint finds it at once, the hourly look by itself.
    let note = documents[0].key.clone();
    net.control(&format!("note/{note}/edit"), &json!({"reference": "1Z3"}));
    net.pass(60_000);
    assert!(feed.round().is_empty());
    let hinted = fetch(
        &net,
        &Net::context(&[]),
        Entity::Shipment,
        std::slice::from_ref(&note),
    )
    .unwrap();
    assert_eq!(hinted[0].key, note);
    assert_ne!(hinted[0].revision, documents[0].revision);
    net.pass(3_600_000);
    net.count();
    let hourly = feed.round();
    assert!(
        hourly
            .iter()
            .any(|d| d.key == note && d.revision == hinted[0].revision)
    );
    assert_eq!(
        net.count(),
        2,
        "a search and the notes: what was sold is known"
    );
}

#[test]
fn open_notes_come_where_somebody_waits_for_them() {
    let net = Net::new(&plain());
    let sales = sold(&net, 1);
    let mut feed = Feed {
        net: &net,
        cursor: None,
        stage: "picked",
    };
    assert!(feed.round().is_empty());
    net.pass(60_000);
    let note = net.control(&format!("order/{}/note", sales[0]), &json!({}));
    let note = note["goodsOutNoteId"].to_string();
    let stage = |feed: &mut Feed<'_>| {
        net.pass(60_000);
        let documents = feed.round();
        assert_eq!(documents.len(), 1);
        shipment(&documents[0]).stage
    };
    assert_eq!(stage(&mut feed), Stage::Created);
    net.control(&format!("note/{note}/stage"), &json!({"stage": "picked"}));
    assert_eq!(stage(&mut feed), Stage::Picked);
    net.control(&format!("note/{note}/stage"), &json!({"stage": "shipped"}));
    assert_eq!(stage(&mut feed), Stage::Shipped);
    net.count();
    net.pass(60_000);
    assert!(feed.round().is_empty());
    assert_eq!(net.count(), 1);
}

#[test]
fn a_note_that_was_dated_back_is_found_within_the_hour() {
    let net = Net::new(&plain());
    let sales = sold(&net, 1);
    let mut feed = Feed {
        net: &net,
        cursor: None,
        stage: "shipped",
    };
    feed.round();
    let body = json!({"stage": "shipped", "occured": "2025-11-03T08:00:00.000Z"});
    net.control(&format!("order/{}/note", sales[0]), &body);
    net.pass(60_000);
    assert!(feed.round().is_empty());
    net.pass(3_600_000);
    assert_eq!(feed.round().len(), 1);
}

#[test]
fn a_hundred_shipments_cost_few_calls() {
    let net = Net::new(&plain());
    let sales = sold(&net, 100);
    let mut feed = Feed {
        net: &net,
        cursor: None,
        stage: "shipped",
    };
    feed.round();
    for sale in &sales {
        net.control(
            &format!("order/{sale}/note"),
            &json!({"stage": "shipped", "reference": "1Z"}),
        );
    }
    net.pass(60_000);
    net.count();
    let documents = feed.round();
    assert_eq!(documents.len(), 100);
    assert_eq!(net.count(), 3);
}

#[test]
fn wherever_a_call_is_cut_one_webhook_stands_for_each_event() {
    for fate in FATES {
        for skip in 0..3 {
            let net = Net::new(&plain());
            let ctx = Net::context(&[]);
            *net.fates.borrow_mut() = std::iter::repeat_n(Fate::Answered, skip)
                .chain([fate, fate])
                .collect();
            let mut told = ensure(&net, &ctx, CALLBACK);
            for _ in 0..10 {
                if told.is_ok() {
                    break;
                }
                net.pass(31_000);
                told = ensure(&net, &ctx, CALLBACK);
            }
            assert_eq!(
                told.map(|words| words.len()),
                Ok(5),
                "{fate:?} after {skip}"
            );
            let registered = net.truth()["webhooks"]["registered"].clone();
            let events: Vec<&str> = registered
                .as_array()
                .unwrap()
                .iter()
                .map(|hook| hook["subscribeTo"].as_str().unwrap())
                .collect();
            let mut each = events.clone();
            each.sort_unstable();
            assert_eq!(
                each,
                [
                    "goods-out-note",
                    "order.modified.order-status",
                    "product.created",
                    "product.destroyed",
                    "product.modified.on-hand-modified"
                ],
                "{fate:?} after {skip}"
            );
            for _ in 0..3 {
                if remove(&net, &ctx, CALLBACK).is_ok() {
                    break;
                }
                net.pass(31_000);
            }
            assert_eq!(net.truth()["webhooks"]["registered"], json!([]));
        }
    }
}

#[test]
fn a_delivery_leads_to_the_note_it_names() {
    let net = Net::new(&plain());
    let ctx = Net::context(&[]);
    let sales = sold(&net, 3);
    ensure(&net, &ctx, CALLBACK).unwrap();
    for sale in &sales {
        net.control(
            &format!("order/{sale}/note"),
            &json!({"stage": "shipped", "reference": "1Z"}),
        );
    }
    net.pass(10_000);
    let batch: Vec<Delivered> = net
        .deliveries()
        .into_iter()
        .map(|sent| Delivered {
            headers: sent.headers,
            body: sent.body,
        })
        .collect();
    assert!(!batch.is_empty());
    let mut keys: Vec<String> = receive(&ctx, &batch)
        .into_iter()
        .flat_map(Result::unwrap)
        .filter(|hint| hint.entity == Entity::Shipment)
        .map(|hint| hint.key)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    net.count();
    let documents = fetch(&net, &ctx, Entity::Shipment, &keys).unwrap();
    assert_eq!(documents.len(), 3);
    assert_eq!(net.count(), 2);
}

/// What the account says of its stock is what the connector says, one document per warehouse that holds some.
#[test]
fn stock_is_what_is_on_hand_by_warehouse() {
    let net = Net::new(&plain());
    let keys: Vec<String> = (1001..1040).map(|id: i64| id.to_string()).collect();
    let documents = fetch(&net, &Net::context(&[]), Entity::InventoryLevel, &keys).unwrap();
    let truth = net.truth();
    let mut told = BTreeMap::new();
    for document in &documents {
        let Body::InventoryLevel(level) = &document.body else {
            panic!("not a level: {document:?}");
        };
        assert_eq!(document.key, format!("{}@{}", level.item, level.warehouse));
        told.insert(document.key.clone(), level.available.units);
    }
    assert!(told.len() > 20, "{told:?}");
    let stock = truth["stock"]
        .as_array()
        .expect("the sandbox tells its stock");
    for row in stock {
        let key = format!("{}@{}", row["productId"], row["warehouseId"]);
        if let Some(units) = told.remove(&key) {
            assert_eq!(Some(units), row["onHand"].as_i64(), "{key}");
        }
    }
    assert!(told.is_empty(), "{told:?}");
}
