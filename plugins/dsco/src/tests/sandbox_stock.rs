//! Stock against the sandbox of the vendor: whole conversations through its rules, its log and its faults, and what they
//! cost in calls.

use super::sandbox::{Net, messy};
use super::stock::level;
use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::stock::push_documents as push;
use serde_json::{Value, json};
use waybill_sdk::types::{Failure, Outcome, Verdict};
use waybill_sim::vendor::{Req, Vendor as _};

const SKU: &str = "TEE-BLK-M";

fn item(net: &Net, sku: &str) -> Value {
    let request = Req::new("GET", &format!("/_sim/inventory?sku={sku}"));
    let answer = net.sandbox.borrow_mut().control(net.now.get(), &request);
    answer.value()["items"][0].clone()
}

/// Tells until nothing has to be told again, and follows every ticket.
fn through(net: &Net, batch: &[Delivery]) -> Vec<Verdict> {
    for _ in 0..20 {
        let verdicts = net.api(|api| push(api, batch));
        if !verdicts.iter().any(|v| matches!(v, Err(Failure::Retry(_)))) {
            return net.follow(verdicts);
        }
        net.pass(15_000);
    }
    panic!("never told");
}

fn is_done(verdict: &Verdict) -> bool {
    matches!(verdict, Ok(Outcome::Done(_)))
}

#[test]
fn levels_arrive_whatever_the_shape_and_orders_lower_them() {
    for change in [json!({}), messy()] {
        let net = Net::new(&change);
        let batch = [
            level(SKU, "WH01", "7"),
            level(SKU, "WH02", "2"),
            level("CAP-BLK-S", "WH01", "0"),
        ];
        let verdicts = through(&net, &batch);
        assert!(verdicts.iter().all(is_done), "{verdicts:?}");
        assert_eq!(item(&net, SKU)["warehouses"], json!({"WH01": 7, "WH02": 2}));
        net.control("orders", &json!({"lines": [{"sku": SKU, "quantity": 4}]}));
        assert_eq!(item(&net, SKU)["available"], 5);
        through(&net, &[level(SKU, "WH01", "6"), level(SKU, "WH02", "2")]);
        assert_eq!(item(&net, SKU)["available"], 8);
    }
}

#[test]
fn a_lost_answer_ends_with_the_level_told() {
    for arrived in [true, false] {
        let net = Net::new(&json!({}));
        if arrived {
            net.lose_next.set(true);
        } else {
            net.cut_next.set(true);
        }
        let verdicts = through(&net, &[level(SKU, "WH01", "7"), level(SKU, "WH02", "2")]);
        assert!(verdicts.iter().all(is_done), "{verdicts:?}");
        assert_eq!(item(&net, SKU)["available"], 9);
    }
}

#[test]
fn a_warehouse_that_is_not_known_is_named_and_the_other_items_arrive() {
    let net = Net::new(&json!({}));
    let batch = [
        level(SKU, "WH01", "7"),
        level(SKU, "EAST", "2"),
        level("CAP-RED-S", "WH01", "3"),
        level("NOT-THERE", "WH01", "3"),
    ];
    let verdicts = through(&net, &batch);
    let Err(Failure::Rejected(problem)) = &verdicts[1] else {
        panic!("{verdicts:?}");
    };
    assert_eq!(problem.code, "warehouse-refused");
    assert!(problem.message.contains("`EAST`"), "{}", problem.message);
    assert_eq!(verdicts[0], verdicts[1]);
    assert_eq!(item(&net, SKU)["writes"], 0);
    assert!(is_done(&verdicts[2]));
    assert!(
        is_done(&verdicts[3]),
        "an item that DSCO does not have is passed over"
    );
    assert!(item(&net, "NOT-THERE").is_null());
}

#[test]
fn a_full_set_costs_two_calls() {
    let net = Net::new(&json!({}));
    net.control("inventory/bulk", &json!({"count": 25_000, "prefix": "B-"}));
    let batch: Vec<Delivery> = (1..=25_000)
        .map(|n| level(&format!("B-{n:07}"), "WH01", "5"))
        .collect();
    net.counted();
    let verdicts = through(&net, &batch);
    assert!(verdicts.iter().all(is_done));
    let calls = net.counted();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls.values().all(|count| *count == 1), "{calls:?}");
    assert_eq!(item(&net, "B-0025000")["available"], 5);
}
