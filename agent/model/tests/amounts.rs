//! Rules for the amounts of an order: without any nothing changes; with them the sale gets what they say, and its total is
//! held against the one that they name.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use proptest::prelude::*;
use waybill_model::amounts::{DIFFERS, Rules, TOTAL, WAITS, amount_settings};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Address, Charge, Extra, Order, OrderLine, OrderPhase, Totals};
use waybill_model::money;
use waybill_model::settings::Values;

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn line(key: &str, units: &str, price: &str, tax: &str) -> OrderLine {
    OrderLine {
        line: key.to_owned(),
        number: None,
        identifiers: Vec::new(),
        title: "Mug".to_owned(),
        quantity: dec(units),
        cancelled: Decimal::ZERO,
        shipped: Decimal::ZERO,
        unit_price: Some(dec(price)),
        tax: Some(dec(tax)),
        ship_by: None,
        warehouse: None,
        extras: Vec::new(),
    }
}

fn charge(kind: &str, title: &str, net: &str, tax: &str) -> Charge {
    let (net, tax) = (dec(net), dec(tax));
    Charge {
        kind: kind.to_owned(),
        title: title.to_owned(),
        amount: Totals {
            net,
            tax,
            gross: net.checked_add(tax).unwrap(),
        },
    }
}

/// Lines over 25.00 with tax of 2.50, freight over 4.00 with tax of 0.40, a discount of 1.00: 30.90 in all.
fn order() -> Order {
    Order {
        number: "PO-1".to_owned(),
        retailer: "R1".to_owned(),
        retailer_name: "Retailer".to_owned(),
        kind: "dropship".to_owned(),
        test: false,
        phase: OrderPhase::Open,
        currency: Some("USD".to_owned()),
        placed_at: None,
        acknowledge_by: None,
        ship_by: None,
        invoice_by: None,
        cancel_after: None,
        customer: None,
        warehouse: None,
        shipping_method: None,
        bill_to: None,
        ship_to: Address {
            name: "Jo".to_owned(),
            company: None,
            attention: None,
            street: Vec::new(),
            city: String::new(),
            region: None,
            postcode: String::new(),
            country: None,
            phone: None,
            email: None,
        },
        lines: vec![line("1", "2", "9.50", "1.90"), line("2", "1", "6", "0.60")],
        charges: vec![
            charge("shipping", "Freight", "4", "0.40"),
            charge("discount", "Goodwill", "-1", "0"),
        ],
        total: None,
        supplier_number: None,
        extras: Vec::new(),
    }
}

fn extra(name: &str, value: &str) -> Extra {
    Extra {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn rules(list: &[(&str, &str)]) -> Rules {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Rules::of(&list.iter().map(pair).collect::<Values>())
}

/// Net, tax and gross of a sale under these rules, or why it waits.
fn sale(order: &Order, list: &[(&str, &str)]) -> Result<String, (String, String)> {
    let ruled = rules(list).apply(order);
    let sum = ruled.check().map_err(|p| (p.code, p.message))?;
    Ok([sum.net, sum.tax, sum.gross]
        .map(|amount| amount.rounded(2).fixed(2))
        .join(" "))
}

#[test]
fn defaults_are_what_no_rule_says() {
    let defaults = amount_settings();
    assert_eq!(defaults.len(), 6);
    let values = defaults.iter().map(|setting| {
        assert!(setting.per_retailer && !setting.help.is_empty());
        (setting.key.clone(), setting.default.clone().unwrap())
    });
    assert_eq!(Rules::of(&values.collect()), rules(&[]));
    assert_eq!(rules(&[]).apply(&order()).into_order(), order());
}

#[test]
fn each_kind_is_a_row_left_out_or_asked_about() {
    let plain = order();
    assert_eq!(sale(&plain, &[]).unwrap(), "28.00 2.90 30.90");
    for (rule, sum) in [
        (("amounts.shipping", "leave-out"), "24.00 2.50 26.50"),
        (("amounts.discount", "leave-out"), "29.00 2.90 31.90"),
        (("amounts.tax", "leave-out"), "28.00 0.00 28.00"),
        (("amounts.handling", "leave-out"), "28.00 2.90 30.90"),
    ] {
        assert_eq!(sale(&plain, &[rule]).unwrap(), sum, "{rule:?}");
    }
    let (code, words) = sale(&plain, &[("amounts.shipping", "wait")]).unwrap_err();
    assert_eq!(code, WAITS);
    assert_eq!(
        words,
        "This order has Freight 4.40 USD, which you want to be asked about."
    );
    let (_, words) = sale(&plain, &[("amounts.tax", "wait")]).unwrap_err();
    assert!(words.contains("Tax of its lines 2.90 USD"), "{words}");
    assert!(sale(&plain, &[("amounts.handling", "wait")]).is_ok());
    let kinds = |list: &[(&str, &str)]| -> Vec<String> {
        let sold = rules(list).apply(&plain).into_order();
        sold.charges.into_iter().map(|c| c.kind).collect()
    };
    assert_eq!(kinds(&[("amounts.shipping", "leave-out")]), ["discount"]);
    let wait = kinds(&[("amounts.shipping", "wait")]);
    assert_eq!(wait, ["shipping", "discount"], "accepted, it is as ordered");
}

#[test]
fn tax_may_be_a_row_of_its_own_as_far_as_lines_are_wanted() {
    let apart = [("amounts.tax", "row")];
    let mut plain = order();
    assert_eq!(sale(&plain, &apart).unwrap(), "28.00 2.90 30.90");
    let sold = rules(&apart).apply(&plain).into_order();
    assert!(sold.lines.iter().all(|line| line.tax.is_none()));
    let last = sold.charges.last().unwrap();
    assert_eq!((&*last.kind, last.amount.net), ("tax", dec("2.90")));
    assert_eq!(
        money::order_totals(&sold).unwrap().gross,
        money::order_totals(&plain).unwrap().gross
    );
    plain.lines[0].cancelled = dec("1");
    let sold = rules(&apart).apply(&plain).into_order();
    assert_eq!(sold.charges.last().unwrap().amount.net, dec("1.95"));
}

#[test]
fn amounts_that_are_only_shown_count_where_a_rule_says_so() {
    let mut shown = order();
    shown.extras = vec![
        extra("amount surcharge", "1.50 Shipping surcharge"),
        extra("amount tax", "3"),
        extra("amount handling", "unreadable"),
    ];
    assert_eq!(sale(&shown, &[]).unwrap(), "28.00 2.90 30.90");
    let row = [("amounts.surcharge", "row")];
    assert_eq!(sale(&shown, &row).unwrap(), "29.50 2.90 32.40");
    let sold = rules(&row).apply(&shown).into_order();
    assert_eq!(sold.charges[2].title, "Shipping surcharge");
    let tax = [("amounts.tax", "row")];
    assert_eq!(sale(&shown, &tax).unwrap(), "28.00 5.90 33.90");
    let sold = rules(&tax).apply(&shown).into_order();
    assert_eq!(sold.charges.len(), 3);
    assert_eq!(sold.charges[2].amount.gross, dec("5.90"));
    let (_, words) = sale(&shown, &[("amounts.surcharge", "wait")]).unwrap_err();
    assert!(words.contains("Shipping surcharge 1.50 USD"), "{words}");
    assert_eq!(
        sale(&shown, &[("amounts.surcharge", "leave-out")]).unwrap(),
        "28.00 2.90 30.90"
    );
}

#[test]
fn a_sale_is_held_against_the_total_that_the_rule_names() {
    let mut stated = order();
    stated.total = Some(Totals {
        net: dec("25"),
        tax: Decimal::ZERO,
        gross: dec("25"),
    });
    stated.extras = vec![extra("total order", "30.90"), extra("total lines", "25")];
    let (code, words) = sale(&stated, &[]).unwrap_err();
    assert_eq!(code, DIFFERS);
    assert_eq!(words, money::check(&stated).unwrap_err().message);
    for whole in ["order", "lines", "none"] {
        assert!(sale(&stated, &[(TOTAL, whole)]).is_ok(), "{whole}");
    }
    let out = ("amounts.shipping", "leave-out");
    let (_, words) = sale(&stated, &[(TOTAL, "order"), out]).unwrap_err();
    assert_eq!(
        words,
        "The order states 30.90 USD in all, its sale would come to 26.50: a difference of 4.40."
    );
    assert!(sale(&stated, &[(TOTAL, "lines"), out]).is_ok());
    stated.extras[1].value = "25.01".to_owned();
    let (code, words) = sale(&stated, &[(TOTAL, "lines")]).unwrap_err();
    assert_eq!(code, DIFFERS);
    assert_eq!(
        words,
        "The order states 25.01 USD for its lines, its sale would come to 25.00: a difference of 0.01."
    );
    stated.extras.clear();
    let (_, words) = sale(&stated, &[(TOTAL, "order")]).unwrap_err();
    assert!(words.contains("does not state"), "{words}");
    let both = [(TOTAL, "order"), ("amounts.shipping", "wait")];
    let (code, words) = sale(&stated, &both).unwrap_err();
    assert_eq!(code, WAITS);
    assert!(words.contains("Freight") && words.contains("does not state"));
    stated.lines[0].unit_price = None;
    assert_eq!(sale(&stated, &both).unwrap_err().0, "no-price");
}

proptest! {
    #[test]
    fn what_the_sale_gets_comes_to_what_was_checked(
        fates in prop::collection::vec(prop::sample::select(vec!["order", "row", "leave-out"]), 5),
        tax in 0_i64..500,
        freight in -900_i64..900,
        shown in 0_i64..900,
    ) {
        let mut order = order();
        order.lines[0].tax = Some(Decimal::new(tax, 2));
        order.charges[0].amount.net = Decimal::new(freight, 2);
        order.charges[0].amount.gross = Decimal::new(freight + 40, 2);
        order.extras.push(extra("amount surcharge", &Decimal::new(shown, 2).to_string()));
        let kinds = ["shipping", "handling", "discount", "surcharge", "tax"];
        let values = kinds.iter().zip(&fates).map(|(kind, fate)| (format!("amounts.{kind}"), (*fate).to_owned()));
        let ruled = Rules::of(&values.collect()).apply(&order);
        let checked = ruled.check().unwrap().gross;
        let sold = ruled.into_order();
        prop_assert_eq!(money::order_totals(&sold).unwrap().gross, checked);
    }
}
