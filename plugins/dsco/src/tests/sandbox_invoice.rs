//! Invoices against the sandbox of the vendor: each is there once, whatever is lost on the way.

use super::invoice::invoice;
use super::sandbox::{Net, messy};
use crate::bindings::exports::waybill::connector::listing::Scope;
use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::invoice::push;
use crate::{listing, source};
use serde_json::json;
use waybill_sdk::commerce::{Body, Document, Entity};
use waybill_sdk::types::{Failure, Outcome, Verdict};
use waybill_sim::vendor::{Req, Vendor as _};

/// Orders of two units at 9.50, shipped.
fn orders(net: &Net, count: usize) -> Vec<Document> {
    let mut ids: Vec<String> = Vec::new();
    let lines = json!([{"sku": "TEE-BLK-M", "quantity": 2, "cost_cents": 950}]);
    for at in 0..count {
        let made = net.control("orders", &json!({"lines": lines}));
        net.pass(10_000);
        let body = json!({"dscoOrderId": made["dscoOrderId"], "shipments": [{"trackingNumber": format!("1Z{at}"),
            "shippingServiceLevelCode": "UPCG", "lineItems": [{"lineNumber": 1, "sku": "TEE-BLK-M", "quantity": 2}]}]});
        let req = Req::new("POST", "/api/v3/order/singleShipment")
            .with_header("authorization", "bearer sandbox-static-token")
            .with_json(&body);
        let answer = net.sandbox.borrow_mut().handle(net.now.get(), &req);
        assert_eq!(answer.status, 201, "{}", answer.value());
        ids.push(made["dscoOrderId"].as_str().unwrap().to_owned());
    }
    net.pass(60_000);
    let mut all = Vec::new();
    for some in ids.chunks(8) {
        net.pass(2_000);
        all.extend(
            net.api(|api| source::fetch(api, Entity::Order, some))
                .unwrap(),
        );
    }
    assert_eq!(all.len(), count);
    all
}

fn bills(orders: &[Document]) -> Vec<Delivery> {
    let one = |order: &Document| {
        invoice(
            order,
            &format!("INV-{}", order.key),
            &[("1", "2", "9.50")],
            "19.00",
        )
    };
    orders.iter().map(one).collect()
}

fn through(net: &Net, batch: &[Delivery]) -> Vec<Verdict> {
    for attempt in 1..20 {
        let verdicts = net.api(|api| push(api, attempt, batch));
        if !verdicts.iter().any(|v| matches!(v, Err(Failure::Retry(_)))) {
            return net.follow(verdicts);
        }
        net.pass(15_000);
    }
    panic!("never sent");
}

fn is_done(verdict: &Verdict) -> bool {
    matches!(verdict, Ok(Outcome::Done(_)))
}

#[test]
fn whoever_compares_is_shown_invoices_by_their_numbers() {
    let net = Net::new(&json!({}));
    let batch = bills(&orders(&net, 2));
    assert!(through(&net, &batch).iter().all(is_done));
    net.pass(60_000);
    let sent = batch.iter().map(|delivery| delivery.document.clone());
    let sent: Vec<Document> = sent.collect();
    let mut keys: Vec<String> = vec!["INV-NONE".to_owned()];
    for document in &sent {
        if let Body::Invoice(invoice) = &document.body {
            keys.push(invoice.number.clone());
        }
    }
    let scope = Scope::Keys(keys.clone());
    let page = net.api(|api| listing::read(api, Entity::Invoice, &scope, None));
    let page = page.unwrap();
    assert!(!page.more);
    let shown: Vec<(&str, String)> = page
        .documents
        .iter()
        .map(|document| match &document.body {
            Body::Invoice(one) => (one.number.as_str(), one.total.gross.normal().to_string()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        shown,
        [(&*keys[1], "19".to_owned()), (&*keys[2], "19".to_owned())]
    );
    // By date there is no list of them.
    let scope = Scope::Between((0, i64::MAX));
    let refused = net.api(|api| listing::read(api, Entity::Invoice, &scope, None));
    assert!(matches!(refused, Err(Failure::Rejected(_))));
}

#[test]
fn each_invoice_is_there_once_whatever_is_lost() {
    for (lost, cut, change) in [
        (false, false, json!({})),
        (true, false, json!({})),
        (false, true, json!({})),
        (true, false, messy()),
    ] {
        let net = Net::new(&change);
        let orders = orders(&net, 3);
        let batch = bills(&orders);
        net.lose_next.set(lost);
        net.cut_next.set(cut);
        let verdicts = through(&net, &batch);
        assert!(verdicts.iter().all(is_done), "{verdicts:?}");
        for order in &orders {
            let truth = net.truth(&order.key);
            let all = truth["invoices"].as_array().unwrap();
            assert_eq!(all.len(), 1, "{truth}");
            assert_eq!(all[0]["total"], "19.00");
            assert_eq!(truth["lines"][0]["invoiced"], 2);
        }
        // The same again is known by its number, and costs no second one.
        net.pass(60_000);
        let again = net.api(|api| push(api, 2, &batch));
        assert!(
            again
                .iter()
                .all(|v| matches!(v, Ok(Outcome::Done(r)) if r.duplicate)),
            "{again:?}"
        );
        // Even sent unseen it is none: the refusal is looked into.
        let again = net.follow(net.api(|api| push(api, 1, &batch)));
        assert!(again.iter().all(is_done), "{again:?}");
        for order in &orders {
            assert_eq!(
                net.truth(&order.key)["invoices"].as_array().unwrap().len(),
                1
            );
        }
    }
}

#[test]
fn many_invoices_cost_two_calls() {
    let net = Net::new(&json!({}));
    let batch = bills(&orders(&net, 40));
    net.counted();
    let verdicts = through(&net, &batch);
    assert!(verdicts.iter().all(is_done), "{verdicts:?}");
    let calls = net.counted();
    assert_eq!(calls.values().sum::<usize>(), 2, "{calls:?}");
}

#[test]
fn a_policy_that_is_broken_is_told() {
    let net = Net::new(&json!({"retailers": {"1000007001": {"invoices": "none"}}}));
    let verdicts = through(&net, &bills(&orders(&net, 1)));
    let Err(Failure::Rejected(problem)) = &verdicts[0] else {
        panic!("{verdicts:?}");
    };
    assert_eq!(problem.code, "invoice-policy");
}
