//! Cancels against the sandbox of the vendor: told once whatever is lost, and what its refusals mean.

use super::order;
use super::sandbox::{Net, messy};
use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::cancel::push;
use serde_json::{Value, json};
use waybill_sdk::commerce::{
    Body, CancelPhase, Cancellation, Decimal, Document, Entity, LineQuantity,
};
use waybill_sdk::types::{Failure, Moment, Outcome, Verdict};

/// An acknowledged order of three and two of the same item.
fn acknowledged(net: &Net, cursor: &mut Option<Vec<u8>>) -> Document {
    let lines = json!([{"sku": "TEE-BLK-M", "quantity": 3}, {"sku": "TEE-BLK-M", "quantity": 2}]);
    let made = net.control("orders", &json!({ "lines": lines }));
    let id = made["dscoOrderId"].as_str().unwrap().to_owned();
    newest(net, cursor);
    let verdicts = net.follow(net.settle(Moment::Accepted, &[id.as_str()], None));
    assert!(matches!(verdicts[0], Ok(Outcome::Done(_))));
    newest(net, cursor)
}

/// The order as the stream shows it last.
fn newest(net: &Net, cursor: &mut Option<Vec<u8>>) -> Document {
    net.pass(60_000);
    let all = net.drain(Entity::Order, cursor);
    all.into_iter().last().expect("a change")
}

pub(super) fn cancel(
    order: &Document,
    phase: CancelPhase,
    code: Option<&str>,
    lines: &[(&str, i64)],
) -> Delivery {
    let lines = lines.iter().map(|(line, units)| LineQuantity {
        line: (*line).to_owned(),
        quantity: Decimal::whole(*units),
    });
    Delivery {
        document: Document {
            key: order.key.clone(),
            revision: "1".to_owned(),
            occurred_at: 0,
            body: Body::Cancellation(Cancellation {
                order_key: order.key.clone(),
                phase,
                reason: code.map(str::to_owned),
                lines: lines.collect(),
            }),
        },
        origin: Some(order.clone()),
        links: Vec::new(),
        settings: Vec::new(),
    }
}

/// Sends until nothing has to be sent again, and follows every ticket.
fn through(net: &Net, delivery: &Delivery) -> Verdict {
    let batch = std::slice::from_ref(delivery);
    for _ in 0..20 {
        let verdicts = net.api(|api| push(api, 1, batch));
        if !matches!(verdicts[0], Err(Failure::Retry(_))) {
            return net.follow(verdicts).remove(0);
        }
        net.pass(15_000);
    }
    panic!("never sent");
}

fn cancelled(net: &Net, id: &str) -> Vec<i64> {
    let truth = net.truth(id);
    let lines = truth["lines"].as_array().unwrap().iter();
    lines
        .map(|line| line["cancelled"].as_i64().unwrap())
        .collect()
}

fn is_done(verdict: &Verdict) -> bool {
    matches!(verdict, Ok(Outcome::Done(_)))
}

#[test]
fn units_are_cancelled_on_their_own_line_and_the_rest_later() {
    for change in [json!({}), messy()] {
        let net = Net::new(&change);
        let mut cursor = None;
        let held = acknowledged(&net, &mut cursor);
        let part = cancel(&held, CancelPhase::Ordered, Some("CXSO"), &[("2", 1)]);
        assert!(is_done(&through(&net, &part)));
        assert_eq!(cancelled(&net, &held.key), [0, 1]);
        let held = newest(&net, &mut cursor);
        assert_eq!(order(&held).lines[1].cancelled.to_whole(), Some(1));
        let rest = cancel(&held, CancelPhase::Accepted, None, &[("1", 3), ("2", 1)]);
        assert!(is_done(&through(&net, &rest)));
        assert_eq!(net.truth(&held.key)["cancelled"], true);
    }
}

#[test]
fn a_lost_call_cancels_exactly_once() {
    for (arrived, change) in [
        (true, json!({})),
        (false, json!({})),
        (true, messy()),
        (false, messy()),
    ] {
        let net = Net::new(&change);
        let held = acknowledged(&net, &mut None);
        if arrived {
            net.lose_next.set(true);
        } else {
            net.cut_next.set(true);
        }
        // One of three: a second one would still be open.
        let part = cancel(&held, CancelPhase::Ordered, Some("CXSO"), &[("1", 1)]);
        assert!(is_done(&through(&net, &part)), "{arrived} {change}");
        net.pass(60_000);
        assert_eq!(cancelled(&net, &held.key), [1, 0], "{arrived} {change}");
    }
}

fn refusal(verdict: Verdict) -> String {
    match verdict {
        Err(Failure::Rejected(problem)) => problem.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn refusals_say_what_to_do() {
    let net = Net::new(&json!({}));
    let held = acknowledged(&net, &mut None);
    let code = cancel(&held, CancelPhase::Ordered, Some("NONE"), &[("1", 1)]);
    assert_eq!(refusal(through(&net, &code)), "cancel-code-refused");
    let net = Net::new(&json!({}));
    let held = acknowledged(&net, &mut None);
    let more = cancel(&held, CancelPhase::Accepted, None, &[("1", 4)]);
    assert_eq!(refusal(through(&net, &more)), "cancel-above-open");
    let none = cancel(&held, CancelPhase::Ordered, None, &[("1", 1)]);
    let verdict = net.api(|api| push(api, 1, &[none])).remove(0);
    assert!(matches!(verdict, Err(Failure::Unmapped(_))));
}

#[test]
fn an_order_that_is_cancelled_already_is_as_good_as_told() {
    let net = Net::new(&json!({}));
    let held = acknowledged(&net, &mut None);
    let force: Value = json!({"force": true, "code": "CXRR"});
    net.control(&format!("orders/{}/cancel", held.key), &force);
    let whole = cancel(&held, CancelPhase::Accepted, None, &[("1", 3), ("2", 2)]);
    assert!(is_done(&through(&net, &whole)));
}
