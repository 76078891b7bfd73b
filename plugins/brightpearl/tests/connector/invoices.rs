//! Invoices of the sandbox: when they are handed over, with which lines and charges, and what each round costs.

use crate::net::{Net, key, plain};
use crate::script::{delivery, line, order};
use serde_json::{Value, json};
use waybill_brightpearl::source::{fetch, pull};
use waybill_sdk::commerce::{Body, Charge, Decimal, Document, Entity, Invoice, Totals};
use waybill_sdk::types::Context;

fn dec(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

/// A sale of three of L1 and two kits, with freight; linked to its order.
fn sold(net: &Net, key_of_order: &str) -> String {
    let mut order = order();
    order.number = "PO-1".to_owned();
    order.customer = Some("200".to_owned());
    order.lines = vec![
        line("L1", "1003", "3", "9.00", Some("1.35")),
        line("L2", "1096", "2", "5.00", None),
    ];
    order.charges = vec![Charge {
        kind: "shipping".to_owned(),
        title: "Freight".to_owned(),
        amount: Totals {
            net: dec("4.50"),
            tax: dec("0"),
            gross: dec("4.50"),
        },
    }];
    let mut delivery = delivery(key_of_order, order);
    let booked = ("nominal-shipping".to_owned(), "4040".to_owned());
    delivery.settings.push(booked);
    let sale = key(&net.push_all(&[delivery])[0]);
    net.link(&sale, key_of_order);
    net.count();
    sale
}

fn context() -> Context {
    Net::context(&[("nominal-shipping", "4040")])
}

fn close(net: &Net, sale: &str, body: &Value) {
    net.control(&format!("order/{sale}/invoice"), body);
}

fn invoice(document: &Document) -> &Invoice {
    match &document.body {
        Body::Invoice(invoice) => invoice,
        other => panic!("{other:?}"),
    }
}

/// Rounds of the feed.
struct Rounds<'a> {
    net: &'a Net,
    cursor: Option<Vec<u8>>,
}

impl Rounds<'_> {
    fn round(&mut self) -> Vec<Document> {
        self.net.pass(300_000);
        let page = pull(
            self.net,
            &context(),
            Entity::Invoice,
            self.cursor.as_deref(),
        );
        let page = page.unwrap();
        assert!(!page.more);
        self.cursor = Some(page.cursor);
        page.documents
    }
}

#[test]
fn a_closed_sale_is_handed_over_once_with_its_lines_and_charges() {
    let net = Net::new(&plain());
    let sale = sold(&net, "o-0");
    let other = sold(&net, "o-1");
    let mut feed = Rounds {
        net: &net,
        cursor: None,
    };
    assert!(feed.round().is_empty(), "nothing is invoiced");
    close(&net, &sale, &json!({}));
    let found = feed.round();
    let [document] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(document.key, sale);
    let all = invoice(document);
    assert_eq!(all.number, net.sale(&sale)["invoice"].as_str().unwrap());
    assert_eq!(all.currency, "USD");
    let lines: Vec<_> = all
        .lines
        .iter()
        .map(|l| (l.line.as_str(), l.quantity, l.unit_price, l.tax))
        .collect();
    assert_eq!(
        lines,
        [
            ("L1", dec("3"), Some(dec("9")), Some(dec("1.35"))),
            ("L2", dec("2"), Some(dec("5")), Some(dec("0"))),
        ],
        "the parts of the kit are not lines"
    );
    let [freight] = all.charges.as_slice() else {
        panic!("{:?}", all.charges)
    };
    assert_eq!(
        (freight.kind.as_str(), freight.title.as_str()),
        ("shipping", "Freight")
    );
    assert_eq!(all.total.gross.normal(), dec("42.85"));
    net.count();
    assert!(feed.round().is_empty());
    assert_eq!(net.count(), 1, "a quiet round is one search");
    // Changes after that are no news, and the other sale has its own invoice.
    net.control(
        &format!("order/{sale}/status"),
        &json!({"orderStatusId": 19}),
    );
    assert!(feed.round().is_empty());
    close(&net, &other, &json!({}));
    let found = feed.round();
    assert_eq!(found.len(), 1);
    assert_ne!(invoice(&found[0]).number, invoice(document).number);
}

#[test]
fn one_that_is_being_booked_waits_for_its_number() {
    let net = Net::new(&plain());
    let sale = sold(&net, "o-0");
    let hour = json!({"invoiceDelayMs": 3_600_000});
    net.control("settings", &hour);
    close(&net, &sale, &json!({"pending": true}));
    let mut feed = Rounds {
        net: &net,
        cursor: None,
    };
    for _ in 0..2 {
        // It shows in the search for another reason.
        net.control(
            &format!("order/{sale}/status"),
            &json!({"orderStatusId": 19}),
        );
        assert!(feed.round().is_empty());
    }
    net.count();
    assert!(feed.round().is_empty());
    assert_eq!(net.count(), 2, "one search, and it is read again");
    net.pass(3_600_000);
    assert_eq!(feed.round().len(), 1);
}

#[test]
fn sales_of_others_and_what_became_ours_late() {
    let net = Net::new(&plain());
    let row =
        json!({"productId": 1002, "quantity": "1", "taxCode": "Z", "net": "6.00", "tax": "0.00"});
    let body = json!({"customer": {"id": 200}, "ref": "COUNTER-1", "statusId": 3, "channelId": 1, "warehouseId": 2,
        "currency": {"code": "USD"}, "rows": [row]});
    let theirs = net.control("order", &body)["orderId"].to_string();
    close(&net, &theirs, &json!({}));
    let mut feed = Rounds {
        net: &net,
        cursor: None,
    };
    for _ in 0..5 {
        assert!(feed.round().is_empty());
    }
    assert!(
        fetch(
            &net,
            &context(),
            Entity::Invoice,
            std::slice::from_ref(&theirs)
        )
        .unwrap()
        .is_empty()
    );
    net.link(&theirs, "o-9");
    assert!(feed.round().is_empty(), "the last minutes do not show it");
    net.pass(3_600_000);
    let found = feed.round();
    assert_eq!(found.len(), 1, "the next wide round does");
    // Its one row is no line of an order.
    assert!(invoice(&found[0]).lines.is_empty());
    assert_eq!(invoice(&found[0]).charges.len(), 1);
}

#[test]
fn a_hint_reads_an_invoice_at_once() {
    let net = Net::new(&plain());
    let sale = sold(&net, "o-0");
    let read = || {
        fetch(
            &net,
            &context(),
            Entity::Invoice,
            std::slice::from_ref(&sale),
        )
        .unwrap()
    };
    assert!(read().is_empty());
    close(&net, &sale, &json!({}));
    assert_eq!(read().len(), 1);
    let mut feed = Rounds {
        net: &net,
        cursor: None,
    };
    assert_eq!(feed.round().len(), 1, "the feed hands it over all the same");
}
