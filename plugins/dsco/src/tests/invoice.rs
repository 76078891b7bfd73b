//! Invoices against scripted answers: what is sent, what is refused here, and numbers that are there already.

use super::ship::origin;
use super::{API, at, now, settings, value, with_api};
use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::confirm::confirm;
use crate::invoice::push;
use serde_json::{Value, json};
use waybill_sdk::commerce::{
    Body, Charge, Decimal, Document, Extra, Invoice, Order, OrderLine, Totals,
};
use waybill_sdk::effects::IoError;
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::{Failure, Outcome, Verdict};

fn post() -> String {
    format!("POST {API}/invoice/batch/small")
}

fn get(number: &str) -> String {
    format!("GET {API}/invoice?key=invoiceId&value={number}")
}

fn queued() -> Answer {
    Answer::json(202, &json!({"status": "pending", "requestId": "r-1"}))
}

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn totals(net: &str, tax: &str, gross: &str) -> Totals {
    Totals {
        net: decimal(net),
        tax: decimal(tax),
        gross: decimal(gross),
    }
}

/// An invoice of these lines of an order, as the agent would hand it over.
pub(super) fn invoice(
    order: &Document,
    number: &str,
    lines: &[(&str, &str, &str)],
    gross: &str,
) -> Delivery {
    let Body::Order(inner) = &order.body else {
        panic!("not an order");
    };
    let inner: &Order = inner;
    let line = |(key, units, price): &(&str, &str, &str)| OrderLine {
        quantity: decimal(units),
        unit_price: Some(decimal(price)),
        ..inner
            .lines
            .iter()
            .find(|l| l.line == *key)
            .unwrap_or(&inner.lines[0])
            .clone()
    };
    Delivery {
        document: Document {
            key: format!("sale/{number}"),
            revision: "1".to_owned(),
            occurred_at: now(),
            body: Body::Invoice(Invoice {
                number: number.to_owned(),
                order_key: order.key.clone(),
                issued_at: at("2025-11-22T18:00:00Z"),
                currency: "USD".to_owned(),
                lines: lines.iter().map(line).collect(),
                charges: Vec::new(),
                total: totals(gross, "0", gross),
                extras: Vec::new(),
            }),
        },
        origin: Some(order.clone()),
        links: Vec::new(),
        settings: Vec::new(),
    }
}

fn shipped(id: &str, parcels: &[(&str, &str)]) -> Document {
    let mut order = origin(id, json!({}));
    if let Body::Order(order) = &mut order.body {
        order
            .extras
            .extend(parcels.iter().map(|(tracking, lines)| Extra {
                name: format!("package {tracking}"),
                value: (*lines).to_owned(),
            }));
    }
    order
}

fn one(number: &str) -> Delivery {
    invoice(
        &shipped("1", &[("1Z1", "1: 2")]),
        number,
        &[("1", "2", "9.5")],
        "19",
    )
}

fn change(delivery: &mut Delivery, with: impl FnOnce(&mut Invoice)) {
    let Body::Invoice(invoice) = &mut delivery.document.body else {
        panic!("not an invoice");
    };
    with(invoice);
}

fn run(host: &TestHost, attempt: u32, batch: &[Delivery]) -> Vec<Verdict> {
    let verdicts = with_api(host, &[], |api| push(api, attempt, batch));
    host.finish();
    verdicts
}

fn body_of(delivery: &Delivery) -> Value {
    let host = TestHost::at(now()).expect(&post(), queued());
    let verdicts = run(&host, 1, std::slice::from_ref(delivery));
    assert!(
        matches!(verdicts[0], Ok(Outcome::Pending(_))),
        "{verdicts:?}"
    );
    value(std::str::from_utf8(&host.sent()[0].body).unwrap())[0].clone()
}

fn code(verdict: &Verdict) -> &str {
    match verdict {
        Err(Failure::Rejected(p) | Failure::Withdrawn(p) | Failure::InDoubt(p)) => &p.code,
        other => panic!("no problem: {other:?}"),
    }
}

fn there(number: &str, order: &str, total: f64) -> Answer {
    Answer::json(
        200,
        &json!({"invoices": [{"invoiceId": number, "dscoOrderId": order, "totalAmount": total,
        "lineItems": [{"quantity": 2}]}]}),
    )
}

fn nothing() -> Answer {
    Answer::json(200, &json!({"invoices": []}))
}

#[test]
fn an_invoice_has_the_lines_of_its_order_and_adds_up() {
    let body = json!([{
        "invoiceId": "INV-1", "dscoOrderId": "1", "poNumber": "PO-1001",
        "invoiceDate": "2025-11-22T18:00:00Z", "currencyCode": "USD",
        "totalAmount": 19.0, "lineItemsSubtotal": 19.0, "subtotalExcludingLineItems": 0.0, "numberOfLineItems": 1,
        "ship": {"trackingNumber": "1Z1"},
        "lineItems": [{"lineNumber": 1, "dscoItemId": "1090000001", "sku": "TEE-BLK-M", "partnerSku": "R-5511",
                       "upc": "012345678905", "quantity": 2, "unitPrice": 9.5, "extendedAmount": 19.0}],
    }]);
    let host = TestHost::at(now()).expect_body(&post(), body, queued());
    let verdicts = run(&host, 1, &[one("INV-1")]);
    let Ok(Outcome::Pending(ticket)) = &verdicts[0] else {
        panic!("{verdicts:?}");
    };
    assert_eq!(value(&ticket.handle)["b"]["v"], "INV-1");
    let effect = host.sent()[0].effect.clone().unwrap();
    assert_eq!(
        (effect.step.as_str(), effect.verified_absent),
        ("invoice", false)
    );
}

#[test]
fn charges_tax_and_discounts_go_where_they_belong() {
    let mut all = one("INV-1");
    let charge = |kind: &str, title: &str, net: &str| Charge {
        kind: kind.to_owned(),
        title: title.to_owned(),
        amount: totals(net, "0", net),
    };
    change(&mut all, |invoice| {
        invoice.charges = vec![
            charge("shipping", "Ground", "5"),
            charge("handling", "Box", "1.10"),
            charge("surcharge", "Remote area", "2"),
            charge("discount", "Promotion", "-1"),
            charge("tax", "Tax", "0.11"),
        ];
        invoice.total = totals("26.21", "0.29", "26.50");
    });
    let body = body_of(&all);
    assert_eq!(body["freightAmount"].to_string(), "5.0");
    assert_eq!(body["handlingAmount"].to_string(), "1.1");
    // A row of tax and the tax of other rows are one amount there.
    assert_eq!(body["salesTaxAmount"].to_string(), "0.4");
    assert_eq!(
        body["charges"],
        json!([{"title": "Remote area", "amount": 2.0}])
    );
    assert_eq!(
        body["credits"],
        json!([{"title": "Promotion", "amount": 1.0}])
    );
    assert_eq!(body["subtotalExcludingLineItems"].to_string(), "7.5");
    assert_eq!(body["totalAmount"].to_string(), "26.5");
}

#[test]
fn retailers_choose_the_blocks() {
    let mut plain = one("INV-1");
    plain.settings = settings(&[
        ("invoice-tracking", "false"),
        ("invoice-subtotals", "false"),
        ("invoice-net-days", "30"),
    ]);
    let body = body_of(&plain);
    let names: Vec<&str> = body
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        names,
        [
            "currencyCode",
            "dscoOrderId",
            "invoiceDate",
            "invoiceId",
            "lineItems",
            "poNumber",
            "terms",
            "totalAmount"
        ]
    );
    assert_eq!(body["terms"], json!({"netDays": 30}));
    assert!(body["lineItems"][0]["extendedAmount"].is_null());
}

#[test]
fn several_parcels_are_named_line_by_line() {
    let order = shipped("1", &[("1Z1", "1: 2"), ("1Z2", "2: 1"), ("1Z9", "7: 1")]);
    let mut both = invoice(
        &order,
        "INV-1",
        &[("1", "2", "9.50"), ("2", "1", "6")],
        "25",
    );
    let body = body_of(&both);
    assert_eq!(body["ship"]["trackingNumber"], "1Z2");
    assert_eq!(body["lineItems"][0]["trackingNumber"], "1Z1");
    assert_eq!(body["lineItems"][1]["trackingNumber"], "1Z2");
    change(&mut both, |invoice| {
        invoice.extras.push(Extra {
            name: "tracking".to_owned(),
            value: "1Z1".to_owned(),
        });
    });
    let body = body_of(&both);
    assert_eq!(body["ship"]["trackingNumber"], "1Z1");
    assert!(body["lineItems"][1]["trackingNumber"].is_null());
}

#[test]
fn a_confirmed_parcel_counts_before_the_order_shows_it() {
    let order = shipped("1", &[("1Z1", "1: 2")]);
    let mut both = invoice(
        &order,
        "INV-1",
        &[("1", "2", "9.50"), ("2", "1", "6")],
        "25",
    );
    change(&mut both, |invoice| {
        invoice.extras.push(Extra {
            name: "tracking".to_owned(),
            value: "1Z1,1Z2".to_owned(),
        });
    });
    let body = body_of(&both);
    assert_eq!(body["ship"]["trackingNumber"], "1Z2");
    assert_eq!(body["lineItems"][0]["trackingNumber"], "1Z1");
    assert!(body["lineItems"][1]["trackingNumber"].is_null());
}

#[test]
fn what_does_not_add_up_waits_here() {
    let order = shipped("1", &[]);
    let mut strange = one("F");
    change(&mut strange, |invoice| {
        invoice.lines[0].line = "77".to_owned();
    });
    let mut free = one("G");
    change(&mut free, |invoice| invoice.lines[0].unit_price = None);
    let batch = vec![
        invoice(&order, "A", &[("1", "2", "9.50")], "19.01"),
        invoice(&order, "B", &[("1", "1", "9.505")], "9.51"),
        invoice(&order, "C", &[("1", "1.5", "2")], "3"),
        invoice(&order, "D", &[("1", "0", "2")], "0"),
        Delivery {
            origin: None,
            ..one("E")
        },
        strange,
        free,
        invoice(&order, "H", &[("1", "9000000000", "9000000000")], "19"),
    ];
    let verdicts = run(&TestHost::at(now()), 1, &batch);
    let codes: Vec<&str> = verdicts.iter().map(code).collect();
    assert_eq!(
        codes,
        [
            "total-differs",
            "price-not-cents",
            "not-whole",
            "empty-invoice",
            "no-order",
            "line-unknown",
            "price-not-cents",
            "too-large"
        ]
    );
}

#[test]
fn a_second_attempt_looks_for_the_number_first() {
    let host = TestHost::at(now())
        .expect(&get("A"), there("A", "1", 19.0))
        .expect(&get("B"), there("B", "1", 18.0))
        .expect(&get("C"), there("C", "2", 19.0))
        .expect(&get("D"), nothing())
        .expect(&post(), queued());
    let verdicts = run(&host, 2, &[one("A"), one("B"), one("C"), one("D")]);
    assert!(matches!(&verdicts[0], Ok(Outcome::Done(r)) if r.duplicate && r.key == "A"));
    assert_eq!(code(&verdicts[1]), "number-taken");
    assert_eq!(code(&verdicts[2]), "number-taken");
    assert!(matches!(verdicts[3], Ok(Outcome::Pending(_))));
    assert_eq!(
        host.sent().last().unwrap().effect.clone().unwrap().members,
        [3]
    );
}

#[test]
fn a_lost_answer_is_looked_up_before_anything_is_sent_again() {
    let age = 120;
    let time = |ms| waybill_sdk::date::format(ms).replace(':', "%3A");
    let sent = now() - age * 1000;
    let log = format!(
        "GET {API}/invoice/log?startDate={}&endDate={}",
        time(sent - 60_000),
        time((sent + 60_000).max(now()))
    );
    let host = TestHost::at(now())
        .expect(&post(), Answer::Error(IoError::InDoubt(120_000)))
        .expect(
            &log,
            Answer::json(
                200,
                &json!({"logs": [
            {"payload": {"invoiceId": "A"}, "status": "success", "requestId": "r-0"}]}),
            ),
        )
        .expect(&get("B"), there("B", "1", 19.0))
        .expect(&get("C"), nothing())
        .expect(&post(), queued());
    let verdicts = run(&host, 1, &[one("A"), one("B"), one("C")]);
    assert!(matches!(verdicts[0], Ok(Outcome::Done(_))), "{verdicts:?}");
    assert!(matches!(&verdicts[1], Ok(Outcome::Done(r)) if r.duplicate));
    assert!(matches!(verdicts[2], Ok(Outcome::Pending(_))));
    let effect = host.sent().last().unwrap().effect.clone().unwrap();
    assert_eq!(
        (effect.members.as_slice(), effect.verified_absent),
        ([2].as_slice(), true)
    );
}

#[test]
fn refusals_in_the_log_say_what_to_do() {
    for (words, answer, wanted) in [
        (
            "The retailer's invoicing policy allows one invoice per order",
            None,
            "invoice-policy",
        ),
        (
            "Line 1 has 0 units available to invoice, not 2",
            Some(nothing()),
            "nothing-to-invoice",
        ),
        (
            "invoiceId A is a duplicate",
            Some(nothing()),
            "number-taken",
        ),
        ("unitPrice is required", None, "amount-refused"),
        ("terms is required", None, "field-refused"),
        ("no", None, "invoice-refused"),
    ] {
        let host = TestHost::at(now() - 5_000).expect(&post(), queued());
        let verdicts = run(&host, 1, &[one("A")]);
        let Ok(Outcome::Pending(ticket)) = &verdicts[0] else {
            panic!("{verdicts:?}");
        };
        let log = format!("GET {API}/invoice/log?requestId=r-1&status=failure");
        let entry = json!({"payload": {"invoiceId": "A"}, "status": "failure", "requestId": "r-1",
            "results": [{"description": words}]});
        let read = Answer::json(200, &json!({"status": "COMPLETED", "logs": [entry]}));
        let mut host = TestHost::at(now()).expect(&log, read);
        if let Some(answer) = answer {
            host = host.expect(&get("A"), answer);
        }
        let handles = [ticket.handle.clone()];
        let verdicts = with_api(&host, &[], |api| confirm(api, &handles)).unwrap();
        host.finish();
        assert_eq!(code(&verdicts[0]), wanted, "{words}");
    }
}
