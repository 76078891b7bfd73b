//! Invoices: what is cut from one adds up to it again to the cent, and a difference to what was expected is found.

use proptest::prelude::*;
use std::collections::BTreeMap;
use waybill_model::billing::{Cut, Units, billed, check, difference, share};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Address, Charge, Invoice, Order, OrderLine, OrderPhase, Totals};

fn dec(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn line(key: &str, units: i64, price: &str, tax: &str) -> OrderLine {
    OrderLine {
        line: key.to_owned(),
        number: None,
        identifiers: Vec::new(),
        title: "Mug".to_owned(),
        quantity: Decimal::whole(units),
        cancelled: Decimal::ZERO,
        shipped: Decimal::ZERO,
        unit_price: Some(dec(price)),
        tax: Some(dec(tax)),
        ship_by: None,
        warehouse: None,
        extras: Vec::new(),
    }
}

fn charge(net: &str) -> Charge {
    Charge {
        kind: "shipping".to_owned(),
        title: "Freight".to_owned(),
        amount: Totals {
            net: dec(net),
            tax: Decimal::ZERO,
            gross: dec(net),
        },
    }
}

fn invoice(lines: Vec<OrderLine>, charges: Vec<Charge>, gross: &str) -> Invoice {
    Invoice {
        number: "SI-1".to_owned(),
        order_key: "100001".to_owned(),
        issued_at: 0,
        currency: "USD".to_owned(),
        lines,
        charges,
        total: Totals {
            net: Decimal::ZERO,
            tax: Decimal::ZERO,
            gross: dec(gross),
        },
        extras: Vec::new(),
    }
}

fn order(lines: Vec<OrderLine>, charges: Vec<Charge>) -> Order {
    Order {
        number: "PO-1".to_owned(),
        retailer: "r1".to_owned(),
        retailer_name: "Retailer".to_owned(),
        kind: "dropship".to_owned(),
        test: false,
        phase: OrderPhase::Accepted,
        currency: None,
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
            city: "Austin".to_owned(),
            region: None,
            postcode: "78701".to_owned(),
            country: None,
            phone: None,
            email: None,
        },
        lines,
        charges,
        total: None,
        supplier_number: None,
        extras: Vec::new(),
    }
}

fn units(all: &[(&str, i64)]) -> Units {
    let one = |(line, units): &(&str, i64)| ((*line).to_owned(), Decimal::whole(*units));
    all.iter().map(one).collect()
}

fn cut(of: &Invoice, take: &[(&str, i64)], before: &[(&str, i64)], charges: bool) -> Invoice {
    let cut = Cut {
        of,
        number: "SI-1-7",
        order_key: "1000",
        units: &units(take),
        before: &units(before),
        charges,
        tracking: &["1Z1".to_owned(), "1Z2".to_owned()],
    };
    cut.invoice().expect("amounts that fit")
}

#[test]
fn parts_add_up_to_the_whole() {
    let whole = invoice(
        vec![line("1", 3, "9.99", "1.00"), line("2", 1, "5", "0")],
        vec![charge("4.50")],
        "40.47",
    );
    check(&whole).unwrap();
    let first = cut(&whole, &[("1", 2)], &[], true);
    let second = cut(&whole, &[("1", 1), ("2", 1)], &[("1", 2)], false);
    assert_eq!(
        first.total.gross,
        dec("25.15"),
        "19.98, tax 0.67, freight 4.50"
    );
    assert_eq!(second.total.gross, dec("15.32"), "14.99, tax 0.33");
    assert_eq!(
        (first.number.as_str(), first.order_key.as_str()),
        ("SI-1-7", "1000")
    );
    assert_eq!(first.extras[0].value, "1Z1,1Z2");
    assert!(second.charges.is_empty());
}

#[test]
fn rows_of_one_line_are_used_up_one_after_the_other() {
    let whole = invoice(
        vec![line("1", 2, "10", "0"), line("1", 3, "8", "0")],
        Vec::new(),
        "44",
    );
    assert_eq!(billed(&whole), units(&[("1", 5)]));
    let part = cut(&whole, &[("1", 2)], &[("1", 1)], false);
    let rows: Vec<_> = part
        .lines
        .iter()
        .map(|l| (l.quantity, l.unit_price.unwrap()))
        .collect();
    assert_eq!(rows, [(dec("1"), dec("10")), (dec("1"), dec("8"))]);
}

#[test]
fn a_stated_total_that_is_another_is_told() {
    let wrong = invoice(vec![line("1", 2, "9.5", "0.20")], Vec::new(), "19.00");
    let problem = check(&wrong).unwrap_err();
    assert_eq!(problem.code, "invoice-total-differs");
    assert!(problem.message.contains("19.00") && problem.message.contains("19.20"));
    // A price that does not end rounds to the sum it came from.
    let thirds = invoice(vec![line("1", 3, "3.333333333", "0")], Vec::new(), "10.00");
    check(&thirds).unwrap();
}

#[test]
fn what_was_not_expected_is_found_line_by_line() {
    let wanted = order(
        vec![line("1", 2, "9.50", "0"), line("2", 1, "5", "0")],
        Vec::new(),
    );
    let same = invoice(
        vec![line("1", 2, "9.5", "0"), line("2", 1, "5", "0")],
        Vec::new(),
        "24",
    );
    let all = units(&[("1", 2), ("2", 1)]);
    let of = |sent: &Invoice| {
        let mut take = BTreeMap::new();
        take.clone_from(&all);
        let cut = Cut {
            of: sent,
            number: "SI-1",
            order_key: "1000",
            units: &take,
            before: &Units::new(),
            charges: true,
            tracking: &[],
        };
        difference(&cut.invoice().unwrap(), &wanted, &Units::new(), true).unwrap()
    };
    let none = of(&same);
    assert!(none.off.is_zero() && none.words.is_empty());
    // Too much here and too little there is not nothing.
    let off = of(&invoice(
        vec![line("1", 2, "10", "0"), line("2", 1, "4", "0")],
        Vec::new(),
        "24",
    ));
    assert_eq!(
        (off.billed, off.expected, off.off),
        (dec("24"), dec("24"), dec("2"))
    );
    assert!(
        off.words.contains("line 1 (Mug) 20.00 instead of 19.00"),
        "{}",
        off.words
    );
    assert!(off.is_within(dec("2"), Decimal::ZERO) && !off.is_within(dec("1.99"), Decimal::ZERO));
    assert!(
        off.is_within(Decimal::ZERO, dec("8.34")) && !off.is_within(Decimal::ZERO, dec("8.33"))
    );
    let extras = of(&invoice(
        vec![line("1", 2, "9.5", "1"), line("2", 1, "5", "0")],
        vec![charge("4.50")],
        "29.50",
    ));
    assert_eq!(extras.off, dec("5.5"));
    assert!(extras.words.contains("charges 4.50 instead of 0.00"));
    assert!(extras.words.contains("tax 1.00 instead of 0.00"));
}

#[test]
fn a_line_nobody_priced_is_no_difference() {
    let mut wanted = order(vec![line("1", 2, "9.50", "0")], Vec::new());
    wanted.lines[0].unit_price = None;
    let sent = invoice(vec![line("1", 2, "11", "2")], Vec::new(), "24");
    let found = difference(&sent, &wanted, &Units::new(), false).unwrap();
    assert!(found.off.is_zero(), "{found:?}");
}

proptest! {
    /// However a line is cut, its tax and its charges are sent once, to the cent.
    #[test]
    fn cutting_loses_no_cent(
        rows in prop::collection::vec((1_i64..40, 0_i64..100_000, 0_i64..5_000), 1..5),
        cuts in prop::collection::vec(1_i64..7, 1..40),
        freight in -2_000_i64..2_000,
    ) {
        let lines: Vec<OrderLine> = rows.iter().zip(1..).map(|((units, price, tax), at)| {
            let cents = |n: i64| Decimal::new(n, 2).to_string();
            line(&at.to_string(), *units, &cents(*price), &cents(*tax))
        }).collect();
        let gross: i64 = rows.iter().map(|(units, price, tax)| units * price + tax).sum::<i64>() + freight;
        let mut whole = invoice(lines, vec![charge(&Decimal::new(freight, 2).to_string())], "0");
        whole.total.gross = Decimal::new(gross, 2);
        prop_assert!(check(&whole).is_ok());
        let mut left = billed(&whole);
        let mut before = Units::new();
        let mut sum = Decimal::ZERO;
        let mut first = true;
        let mut cuts = cuts.into_iter().cycle();
        while left.values().any(|units| units.is_positive()) {
            let mut take = Units::new();
            for (line, units) in &mut left {
                let some = Decimal::whole(cuts.next().unwrap()).min(*units);
                *units = units.checked_sub(some).unwrap();
                take.insert(line.clone(), some);
            }
            let cut = Cut { of: &whole, number: "SI-1", order_key: "1", units: &take, before: &before, charges: first, tracking: &[] };
            let part = cut.invoice().unwrap();
            prop_assert!(check(&part).is_ok());
            prop_assert!(part.total.gross.scale <= 2);
            sum = sum.checked_add(part.total.gross).unwrap();
            for (line, units) in take {
                let had = before.entry(line).or_default();
                *had = had.checked_add(units).unwrap();
            }
            first = false;
        }
        prop_assert_eq!(sum, Decimal::new(gross, 2));
    }

    /// Shares of an amount add up to it.
    #[test]
    fn shares_add_up(cents in -100_000_i64..100_000, parts in prop::collection::vec(1_i64..50, 1..20)) {
        let all = Decimal::whole(parts.iter().sum());
        let amount = Decimal::new(cents, 2);
        let mut before = Decimal::ZERO;
        let mut sum = Decimal::ZERO;
        for part in parts {
            sum = sum.checked_add(share(amount, before, Decimal::whole(part), all).unwrap()).unwrap();
            before = before.checked_add(Decimal::whole(part)).unwrap();
        }
        prop_assert_eq!(sum, amount);
    }
}
