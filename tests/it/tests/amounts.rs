//! Rules for what an order has beside its goods: what its sale is made of for each retailer, what waits for a person and is
//! accepted, and what the invoice is held against afterwards.

use std::sync::{Arc, Mutex};
use waybill_it::bench::{
    Bench, Start, billed, held, in_simulated_time, invoice, note, order, receipt,
};
use waybill_model::contract::Delivery;
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Charge, Document, Extra, Order, Totals};
use waybill_model::order_state::OrderStage;
use waybill_store::Cause;

/// Orders that the ERP was handed.
type Sold = Arc<Mutex<Vec<Document>>>;

fn amount(cents: i64) -> Totals {
    let net = Decimal::new(cents, 2);
    Totals {
        net,
        tax: Decimal::ZERO,
        gross: net,
    }
}

fn charge(kind: &str, cents: i64) -> Charge {
    Charge {
        kind: kind.to_owned(),
        title: format!("Its {kind}"),
        amount: amount(cents),
    }
}

fn extra(name: &str, value: &str) -> Extra {
    Extra {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

/// Five units at 9.50, freight over 3.00; the source shows a surcharge of 2.00 beside it.
fn with_freight(order: &mut Order) {
    order.charges = vec![charge("shipping", 300)];
    order.total = Some(amount(5_050));
    order.extras = vec![
        extra("total order", "52.50"),
        extra("total lines", "47.50"),
        extra("amount surcharge", "2.00 Remote area"),
    ];
}

fn start() -> (Bench, Sold) {
    let bench = Bench::start(Start {
        invoices: true,
        ..Start::default()
    });
    let sold = Sold::default();
    let (keeps, mut next) = (sold.clone(), 500_u32);
    *held(&bench.erp.on_push) = Box::new(move |batch| {
        let mut one = |delivery: &Delivery| {
            if delivery.document.order().is_some() {
                held(&keeps).push(delivery.document.clone());
            }
            next += 1;
            receipt(&next.to_string())
        };
        Ok(batch.iter().map(&mut one).collect())
    });
    (bench, sold)
}

/// Titles of the charges that the sale of an order was made of.
fn charges(sold: &Sold, key: &str) -> Vec<String> {
    let all = held(sold);
    let own = all.iter().rev().find(|document| document.key == key);
    let order = own.and_then(Document::order).expect("a sale was made");
    order.charges.iter().map(|c| c.title.clone()).collect()
}

async fn set(bench: &Bench, retailer: Option<&str>, key: &str, value: &str) {
    let set = bench.handle.set_setting(key, value, retailer, "ann");
    assert!(set.await.expect("it may be set"), "{key}");
}

fn words(bench: &Bench) -> String {
    match bench.cards().remove(0).cause {
        Cause::Problem { problem, .. } => problem.message,
        other => panic!("{other:?}"),
    }
}

async fn retry(bench: &Bench) {
    let id = bench.cards().remove(0).id;
    let retried = bench.handle.retry_card(&id, "ann").await;
    retried.expect("it may be tried again");
    bench.pass(20).await;
}

#[test]
fn a_retailers_rule_for_an_amount_is_its_own() {
    in_simulated_time(async {
        let (bench, sold) = start();
        for (key, value) in [
            ("amounts.total", "lines"),
            ("amounts.shipping", "leave-out"),
            ("amounts.surcharge", "row"),
        ] {
            set(&bench, Some("R1"), key, value).await;
        }
        for (key, retailer) in [("1", "R1"), ("2", "R2")] {
            bench.send(order(key, 1, |order| {
                with_freight(order);
                order.retailer = retailer.to_owned();
            }));
        }
        bench.pass(30).await;
        assert!(bench.codes().is_empty(), "{:?}", bench.codes());
        assert_eq!(charges(&sold, "1"), ["Remote area"]);
        assert_eq!(charges(&sold, "2"), ["Its shipping"]);
        let detail = bench.handle.order(bench.order("1").id).await.unwrap();
        let detail = detail.expect("it is there");
        let total = detail.money.last().expect("a row");
        let sums = [total.order, total.sale].map(|sum| sum.map(|sum| sum.fixed(2)));
        assert_eq!(sums, [Some("50.50".to_owned()), Some("49.50".to_owned())]);
        let said = "The sale comes to what your rules for amounts say";
        assert_eq!(detail.money_sentence.1, said);
        bench.end().await;
    });
}

#[test]
fn a_sale_waits_until_it_comes_to_the_total_of_the_rule() {
    in_simulated_time(async {
        let (bench, sold) = start();
        set(&bench, None, "amounts.total", "order").await;
        bench.send(order("1", 1, with_freight));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["total-differs"]);
        assert_eq!(
            words(&bench),
            "The order states 52.50 USD in all, its sale would come to 50.50: a difference of 2.00."
        );
        // The rule is mended, and the order tried again: nothing had to be accepted.
        set(&bench, None, "amounts.surcharge", "row").await;
        retry(&bench).await;
        assert_eq!(charges(&sold, "1"), ["Its shipping", "Remote area"]);
        let timeline = bench.handle.order(bench.order("1").id).await.unwrap();
        let timeline = timeline.expect("it is there").timeline;
        let equal = "Total 52.50 USD, equal to the order to the cent.";
        assert!(timeline.iter().any(|note| note.text.contains(equal)));
        bench.end().await;
    });
}

#[test]
fn an_amount_to_be_asked_about_is_accepted_once_and_as_it_is() {
    in_simulated_time(async {
        let (bench, sold) = start();
        set(&bench, Some("R1"), "amounts.shipping", "wait").await;
        set(&bench, Some("R1"), "amounts.surcharge", "wait").await;
        held(&bench.erp.documents).clear();
        bench.send(order("1", 1, with_freight));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["amount-waits"]);
        assert_eq!(
            words(&bench),
            "This order has Its shipping 3.00 USD, Remote area 2.00 USD, which you want to be asked about."
        );
        retry(&bench).await;
        assert_eq!(bench.codes(), ["items SKU-1"], "it went on to the next gap");
        // Other amounts are asked about again, a differing total with them and accepted with them.
        bench.send(order("1", 2, |order| {
            with_freight(order);
            order.charges = vec![charge("shipping", 400)];
        }));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["amount-waits"]);
        let both = words(&bench);
        assert!(
            both.contains("Its shipping 4.00 USD") && both.contains("a difference of -1.00"),
            "{both}"
        );
        held(&bench.erp.documents).push(waybill_it::bench::item("SKU-1", "901"));
        retry(&bench).await;
        bench.pass(60).await;
        assert!(bench.codes().is_empty(), "{:?}", bench.codes());
        assert_eq!(charges(&sold, "1"), ["Its shipping"]);
        bench.end().await;
    });
}

#[test]
fn an_invoice_is_held_against_what_the_rules_put_on_the_sale() {
    in_simulated_time(async {
        let (bench, _) = start();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let own = sent.clone();
        *held(&bench.network.on_push) = Box::new(move |batch| {
            let one = |delivery: &Delivery| {
                if let Body::Invoice(made) = &delivery.document.body {
                    held(&own).push((made.number.clone(), made.total.gross.fixed(2)));
                }
                receipt(&format!("N{}", delivery.document.key))
            };
            Ok(batch.iter().map(one).collect())
        });
        set(&bench, Some("R1"), "amounts.total", "lines").await;
        set(&bench, Some("R1"), "amounts.shipping", "leave-out").await;
        for key in ["1", "2"] {
            bench.send(order(key, 1, with_freight));
        }
        bench.pass(30).await;
        for key in ["1", "2"] {
            let sale = bench.order(key).sale_key.expect("the sale is made");
            bench.ship(note(&format!("7{key}"), &sale, 1, |_| ()));
        }
        bench.pass(30).await;
        // Left out of the sale, and so of its invoice: that is expected.
        let sale = bench.order("1").sale_key.unwrap();
        bench.ship(invoice(&sale, "SI-1", vec![billed("1", 5, 950)]));
        bench.pass(30).await;
        let first = ("SI-1".to_owned(), "47.50".to_owned());
        assert_eq!(*held(&sent), [first], "{:?}", bench.codes());
        assert_eq!(bench.order("1").stage, OrderStage::Invoiced);
        // Billed all the same it is a difference, with both figures.
        let sale = bench.order("2").sale_key.unwrap();
        let mut with = invoice(&sale, "SI-2", vec![billed("1", 5, 950)]);
        if let Body::Invoice(made) = &mut with.body {
            made.charges = vec![charge("shipping", 300)];
            made.total = amount(5_050);
        }
        bench.ship(with);
        bench.pass(30).await;
        assert_eq!(bench.codes(), ["invoice-price"]);
        let said = words(&bench);
        assert!(said.contains("charges 3.00 instead of 0.00"), "{said}");
        // So it is once the rule is another one than when the sale was made.
        set(&bench, Some("R1"), "amounts.shipping", "row").await;
        retry(&bench).await;
        assert_eq!(held(&sent).len(), 2);
        bench.end().await;
    });
}
