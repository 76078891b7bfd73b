//! Shipments against the sandbox of the vendor: whole conversations through its rules, its log and its faults, and what
//! they cost in calls.

use super::order;
use super::sandbox::{Net, messy};
use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::ship::push;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use waybill_sdk::commerce::{Body, Document, Entity, Method, PackedLine, Parcel, Shipment, Stage};
use waybill_sdk::types::{Failure, Moment, Outcome, Verdict};

/// A tracking number, units by line, and whether its units lie in other parcels, too.
type Packed<'a> = (&'a str, &'a [(&'a str, i64)], bool);

/// Orders as the agent holds them, each newest.
struct Desk {
    net: Net,
    cursor: Option<Vec<u8>>,
    orders: BTreeMap<String, Document>,
}

impl Desk {
    fn new(change: &Value) -> Self {
        Self {
            net: Net::new(change),
            cursor: None,
            orders: BTreeMap::new(),
        }
    }

    /// Reads the order stream to its end.
    fn drain(&mut self) {
        self.net.pass(60_000);
        for document in self.net.drain(Entity::Order, &mut self.cursor) {
            self.orders.insert(document.key.clone(), document);
        }
    }

    /// That many acknowledged orders of one retailer.
    fn acknowledged(&mut self, count: usize, lines: &Value) -> Vec<String> {
        let ids: Vec<String> = (0..count)
            .map(|_| {
                let made = self.net.control("orders", &json!({"lines": lines}));
                made["dscoOrderId"].as_str().unwrap().to_owned()
            })
            .collect();
        self.drain();
        let keys: Vec<&str> = ids.iter().map(String::as_str).collect();
        let verdicts = self
            .net
            .follow(self.net.settle(Moment::Accepted, &keys, None));
        assert!(verdicts.iter().all(|v| matches!(v, Ok(Outcome::Done(_)))));
        self.drain();
        ids
    }

    fn delivery(&self, id: &str, parcels: &[Packed<'_>]) -> Delivery {
        let parcels = parcels.iter().map(|(tracking, lines, span)| Parcel {
            tracking: Some((*tracking).to_owned()).filter(|text| !text.is_empty()),
            lines: lines
                .iter()
                .map(|(line, units)| PackedLine {
                    line: (*line).to_owned(),
                    quantity: waybill_sdk::commerce::Decimal::whole(*units),
                    part: None,
                })
                .collect(),
            span: *span,
            extras: Vec::new(),
        });
        Delivery {
            document: Document {
                key: format!("n{id}"),
                revision: "1".to_owned(),
                occurred_at: self.net.now.get() - 60_000,
                body: Body::Shipment(Shipment {
                    order_key: id.to_owned(),
                    stage: Stage::Shipped,
                    shipped_at: Some(self.net.now.get() - 60_000),
                    warehouse: order(&self.orders[id]).warehouse.clone(),
                    shipping_method: Some(Method {
                        carrier: Some("UPS".to_owned()),
                        name: Some("Ground".to_owned()),
                        code: Some("UPCG".to_owned()),
                    }),
                    parcels: parcels.collect(),
                    extras: Vec::new(),
                }),
            },
            origin: self.orders.get(id).cloned(),
            links: Vec::new(),
            settings: Vec::new(),
        }
    }

    fn push(&self, attempt: u32, batch: &[Delivery]) -> Vec<Verdict> {
        self.net.api(|api| push(api, attempt, batch))
    }

    /// Sends until nothing has to be sent again, and follows every ticket.
    fn through(&self, batch: &[Delivery]) -> Vec<Verdict> {
        let mut verdicts = self.push(1, batch);
        for attempt in 2..20 {
            let retry = verdicts.iter().any(|v| matches!(v, Err(Failure::Retry(_))));
            if !retry {
                return self.net.follow(verdicts);
            }
            self.net.pass(15_000);
            verdicts = self.push(attempt, batch);
        }
        panic!("never sent: {verdicts:?}");
    }

    fn packages(&self, id: &str) -> Vec<Value> {
        self.net.truth(id)["packages"].as_array().unwrap().clone()
    }

    fn shipped(&self, id: &str) -> Vec<i64> {
        let truth = self.net.truth(id);
        let lines = truth["lines"].as_array().unwrap().iter();
        lines
            .map(|line| line["shipped"].as_i64().unwrap())
            .collect()
    }
}

fn two() -> Value {
    json!([{"sku": "TEE-BLK-M", "quantity": 3}, {"sku": "TEE-BLK-M", "quantity": 2}])
}

fn is_done(verdict: &Verdict) -> bool {
    matches!(verdict, Ok(Outcome::Done(_)))
}

#[test]
fn partial_notes_parcels_and_spread_units_arrive_whatever_the_shape() {
    for change in [json!({}), messy()] {
        let mut desk = Desk::new(&change);
        let ids = desk.acknowledged(2, &two());
        let (first, second) = (ids[0].clone(), ids[1].clone());
        let batch = [
            desk.delivery(
                &first,
                &[("A1", &[("1", 1)], false), ("A2", &[("2", 2)], false)],
            ),
            desk.delivery(
                &second,
                &[("B1", &[("1", 1)], true), ("B2", &[("1", 1)], true)],
            ),
        ];
        let verdicts = desk.through(&batch);
        assert!(verdicts.iter().all(is_done), "{verdicts:?}");
        assert_eq!(
            desk.shipped(&first),
            [1, 2],
            "the same sku on two lines keeps its lines"
        );
        assert_eq!(desk.shipped(&second), [1, 0], "one unit in two parcels");
        desk.drain();
        let held = order(&desk.orders[&second]);
        assert_eq!(held.lines[0].shipped.to_whole(), Some(1));
        assert!(held.extras.iter().any(|extra| extra.name == "package B2"));
        // The rest, by a later note.
        let rest = [desk.delivery(&first, &[("A3", &[("1", 2)], false)])];
        assert!(desk.through(&rest).iter().all(is_done));
        assert_eq!(desk.shipped(&first), [3, 2]);
        assert_eq!(desk.net.truth(&first)["lifecycle"], "completed");
        // The same again costs no call: the order shows it.
        desk.drain();
        desk.net.counted();
        let again = [desk.delivery(&first, &[("A3", &[("1", 2)], false)])];
        assert!(matches!(&desk.push(1, &again)[0], Ok(Outcome::Done(r)) if r.duplicate));
        assert!(desk.net.counted().is_empty());
    }
}

#[test]
fn a_lost_call_makes_exactly_one_shipment() {
    for (arrived, change) in [
        (true, json!({})),
        (false, json!({})),
        (true, messy()),
        (false, messy()),
    ] {
        let mut desk = Desk::new(&change);
        let ids = desk.acknowledged(3, &two());
        let batch: Vec<Delivery> = ids
            .iter()
            .map(|id| {
                desk.delivery(
                    id,
                    &[(id.as_str(), &[("1", 1)], false), ("X", &[("2", 1)], false)],
                )
            })
            .collect();
        if arrived {
            desk.net.lose_next.set(true);
        } else {
            desk.net.cut_next.set(true);
        }
        let verdicts = desk.through(&batch);
        assert!(verdicts.iter().all(is_done), "{verdicts:?}");
        for id in &ids {
            assert_eq!(desk.packages(id).len(), 2);
            assert_eq!(desk.shipped(id), [1, 1]);
        }
        let calls = desk.net.counted();
        let posts: usize = calls
            .iter()
            .filter(|(call, _)| call.starts_with("POST /order/shipment"))
            .map(|(_, count)| count)
            .sum();
        assert_eq!(
            posts, 1,
            "what arrived is not sent again, what did not counts nowhere: {calls:?}"
        );
    }
}

#[test]
fn a_lost_call_that_is_carried_out_late_makes_no_second_shipment() {
    let mut desk = Desk::new(&json!({}));
    let ids = desk.acknowledged(2, &two());
    desk.net.control("settings", &json!({"d2_ms": 120_000}));
    let batch: Vec<Delivery> = ids
        .iter()
        .map(|id| desk.delivery(id, &[(id.as_str(), &[("1", 2)], false)]))
        .collect();
    desk.net.lose_next.set(true);
    let verdicts = desk.through(&batch);
    assert!(verdicts.iter().all(is_done), "{verdicts:?}");
    desk.net.pass(300_000);
    for id in &ids {
        assert_eq!(desk.packages(id).len(), 1);
        assert_eq!(desk.shipped(id), [2, 0]);
    }
}

#[test]
fn refusals_of_the_log_are_told_in_plain_words() {
    let mut desk = Desk::new(&messy());
    let ids = desk.acknowledged(4, &two());
    desk.net.control(
        &format!("orders/{}/cancel", ids[0]),
        &json!({"force": true}),
    );
    let line: &[(&str, i64)] = &[("1", 1)];
    let mut batch: Vec<Delivery> = ids
        .iter()
        .map(|id| desk.delivery(id, &[(id.as_str(), line, false)]))
        .collect();
    if let Body::Shipment(shipment) = &mut batch[1].document.body {
        shipment.warehouse = Some("NOWHERE".to_owned());
    }
    if let Body::Shipment(shipment) = &mut batch[2].document.body {
        shipment.parcels[0].lines[0].quantity = waybill_sdk::commerce::Decimal::whole(9);
    }
    let verdicts = desk.through(&batch);
    let codes: Vec<&str> = verdicts
        .iter()
        .map(|verdict| match verdict {
            Err(Failure::Rejected(p) | Failure::Withdrawn(p)) => p.code.as_str(),
            Ok(Outcome::Done(_)) => "done",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        codes,
        [
            "cancelled-by-retailer",
            "warehouse-refused",
            "quantity-refused",
            "done"
        ]
    );
    // Corrected, the second attempt is looked at and sent.
    let corrected = [desk.delivery(&ids[1], &[(ids[1].as_str(), line, false)])];
    let verdicts = desk.net.follow(desk.push(2, &corrected));
    assert!(is_done(&verdicts[0]), "{verdicts:?}");
    assert_eq!(desk.packages(&ids[1]).len(), 1);
}

#[test]
fn a_lost_call_that_was_refused_is_sent_anew_once_it_is_mended() {
    let mut desk = Desk::new(&messy());
    let id = &desk.acknowledged(1, &two())[0];
    let mut batch = [desk.delivery(id, &[(id.as_str(), &[("1", 1)], false)])];
    let right = batch.clone();
    if let Body::Shipment(shipment) = &mut batch[0].document.body {
        shipment.warehouse = Some("NOWHERE".to_owned());
    }
    desk.net.lose_next.set(true);
    let verdicts = desk.push(1, &batch);
    assert!(
        matches!(&verdicts[0], Err(Failure::Retry(_))),
        "{verdicts:?}"
    );
    desk.net.pass(120_000);
    let verdicts = desk.push(2, &batch);
    let Err(Failure::Rejected(problem)) = &verdicts[0] else {
        panic!("{verdicts:?}");
    };
    assert_eq!(problem.code, "warehouse-refused");
    let verdicts = desk.net.follow(desk.push(3, &right));
    assert!(is_done(&verdicts[0]), "{verdicts:?}");
    assert_eq!(desk.packages(id).len(), 1);
}

#[test]
fn trouble_on_the_way_to_the_verdict_costs_time_only() {
    let mut desk = Desk::new(&json!({"log_lag_ms": 90_000, "log_page_size": 1}));
    let ids = desk.acknowledged(2, &two());
    let batch: Vec<Delivery> = ids
        .iter()
        .map(|id| desk.delivery(id, &[(id.as_str(), &[("1", 1)], false)]))
        .collect();
    let verdicts = desk.push(1, &batch);
    let handles: Vec<String> = verdicts
        .iter()
        .map(|verdict| match verdict {
            Ok(Outcome::Pending(ticket)) => ticket.handle.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    desk.net.pass(6_000);
    for noise in [
        (500, ""),
        (502, "<html>Bad gateway</html>"),
        (200, "<html>Maintenance</html>"),
        (200, "{\"status\": \"COMPLETED\", \"logs\": [{\"payl"),
        (504, "{}"),
        (200, "null"),
    ] {
        desk.net.noise.borrow_mut().push(noise);
        let answer = desk.net.api(|api| crate::confirm::confirm(api, &handles));
        assert_eq!(answer, Err(Failure::Retry(None)), "{noise:?}");
    }
    for quiet in ["{}", "{\"logs\": {}}"] {
        for _ in 0..2 {
            desk.net.noise.borrow_mut().push((200, quiet));
        }
        let answer = desk
            .net
            .api(|api| crate::confirm::confirm(api, &handles))
            .unwrap();
        assert!(
            answer.iter().all(|v| matches!(v, Ok(Outcome::Pending(_)))),
            "{quiet}"
        );
    }
    desk.net.counted();
    let verdicts = desk.net.follow(verdicts);
    assert!(verdicts.iter().all(is_done), "{verdicts:?}");
    let looks = desk.net.counted();
    assert!(
        looks["GET /order/log 200"] <= 9,
        "ever more slowly: {looks:?}"
    );
    assert_eq!(desk.packages(&ids[0]).len(), 1);
}

#[test]
fn a_thousand_orders_cost_few_calls() {
    let mut desk = Desk::new(&json!({}));
    desk.drain();
    desk.net.pass(120_000);
    desk.drain();
    desk.net.counted();
    let ids: Vec<String> = (0..1000)
        .map(|_| {
            let made = desk.net.control("orders", &json!({"line_count": 2}));
            made["dscoOrderId"].as_str().unwrap().to_owned()
        })
        .collect();
    desk.drain();
    let keys: Vec<&str> = ids.iter().map(String::as_str).collect();
    let verdicts = desk
        .net
        .follow(desk.net.settle(Moment::Accepted, &keys, None));
    assert!(verdicts.iter().all(is_done));
    desk.drain();
    let verdicts = desk
        .net
        .follow(desk.net.settle(Moment::Delivered, &keys, Some("SO-1")));
    assert!(verdicts.iter().all(is_done));
    desk.drain();
    let calls = desk.net.counted();
    let total: usize = calls.values().sum();
    assert_eq!(calls["POST /order/acknowledge 202"], 2);
    assert_eq!(calls["GET /order/log 200"], 2);
    // An order has 5 kB and an answer 4 MB: a wave of a thousand is two reads, and each of our writes comes back as one.
    assert!(total <= 11, "{total} calls: {calls:?}");

    let batch: Vec<Delivery> = ids
        .iter()
        .map(|id| desk.delivery(id, &[(id.as_str(), &[("1", 1)], false)]))
        .collect();
    let verdicts = desk.net.follow(desk.push(1, &batch));
    assert!(verdicts.iter().all(is_done));
    let calls = desk.net.counted();
    assert_eq!(calls.values().sum::<usize>(), 2, "{calls:?}");
}
