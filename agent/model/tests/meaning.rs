//! Properties of the model: translation is total and never guesses, money adds up to the cent, decimals survive text.

use proptest::prelude::*;
use std::collections::BTreeMap;
use waybill_model::contract::Gap;
use waybill_model::crosswalk::{
    ANY, CUSTOMERS, ITEMS, IdFields, MAPPED, Match, SHIPPING_METHODS, Tables, Untranslated,
    WAREHOUSES, method_value, order_gap, order_of, retailer_gap, translate,
};
use waybill_model::decimal::Decimal;
use waybill_model::document::{
    Address, Body, Charge, Document, Identifier, Method, Order, OrderLine, OrderPhase, Totals,
};
use waybill_model::money;

const IDS: IdFields<'_> = IdFields {
    source: "sku",
    target: "ean",
};

#[derive(Debug, Clone, Default)]
struct Known {
    cells: BTreeMap<(String, String), String>,
    items: BTreeMap<String, Vec<String>>,
}

impl Known {
    fn cell(mut self, table: &str, value: &str, code: &str) -> Self {
        self.cells
            .insert((table.to_owned(), value.to_owned()), code.to_owned());
        self
    }
    fn items(mut self, value: &str, keys: &[&str]) -> Self {
        let keys = keys.iter().map(|k| (*k).to_owned()).collect();
        self.items.insert(value.to_owned(), keys);
        self
    }
}

impl Tables for Known {
    fn cell(&self, table: &str, _: &str, value: &str) -> Option<String> {
        self.cells
            .get(&(table.to_owned(), value.to_owned()))
            .cloned()
    }
    fn items(&self, kind: &str, value: &str) -> Match {
        assert_eq!(kind, IDS.target);
        match self.items.get(value).map(Vec::as_slice) {
            None | Some([]) => Match::Missing,
            Some([one]) => Match::One(one.clone()),
            Some(several) => Match::Ambiguous(several.to_vec()),
        }
    }
}

fn line(n: usize, sku: &str) -> OrderLine {
    OrderLine {
        line: n.to_string(),
        number: None,
        identifiers: vec![Identifier {
            kind: "sku".to_owned(),
            value: sku.to_owned(),
        }],
        title: "A thing".to_owned(),
        quantity: Decimal::whole(2),
        cancelled: Decimal::ZERO,
        shipped: Decimal::ZERO,
        unit_price: Some(Decimal::new(950, 2)),
        tax: None,
        ship_by: None,
        warehouse: None,
        extras: Vec::new(),
    }
}

fn order(lines: Vec<OrderLine>) -> Order {
    Order {
        number: "PO-1".to_owned(),
        retailer: "r1".to_owned(),
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
            city: "Austin".to_owned(),
            region: None,
            postcode: "78701".to_owned(),
            country: Some("US".to_owned()),
            phone: None,
            email: None,
        },
        lines,
        charges: Vec::new(),
        total: None,
        supplier_number: None,
        extras: Vec::new(),
    }
}

fn document(order: Order) -> Document {
    Document {
        key: "1".to_owned(),
        revision: "1".to_owned(),
        occurred_at: 0,
        body: Body::Order(order),
    }
}

fn gaps(document: &Document, known: &Known) -> Vec<Gap> {
    match translate(document, &IDS, None, known) {
        Err(Untranslated::Gaps(gaps)) => gaps,
        other => panic!("expected gaps, got {other:?}"),
    }
}

#[test]
fn every_empty_cell_is_named_at_once() {
    let mut order = order(vec![line(1, "a"), line(2, "b"), line(3, "a")]);
    order.warehouse = Some("w".to_owned());
    order.shipping_method = Some(Method {
        carrier: Some("UPS".to_owned()),
        name: Some("Ground".to_owned()),
        code: None,
    });
    let tables: Vec<(String, String)> = gaps(&document(order), &Known::default())
        .into_iter()
        .map(|g| (g.table, g.value))
        .collect();
    let expected = [
        (CUSTOMERS, "r1"),
        (ITEMS, "a"),
        (ITEMS, "b"),
        (SHIPPING_METHODS, "ups|ground"),
        (WAREHOUSES, "w"),
    ];
    assert_eq!(
        tables,
        expected.map(|(t, v)| (t.to_owned(), v.to_owned())).to_vec()
    );
}

#[test]
fn two_items_of_one_value_are_never_guessed_and_a_cell_wins() {
    let order = document(order(vec![line(1, "a")]));
    let known = Known::default()
        .cell(CUSTOMERS, "r1", "201")
        .items("a", &["7", "8"]);
    assert_eq!(gaps(&order, &known)[0].value, "a");
    let mapped = translate(&order, &IDS, None, &known.cell(ITEMS, "a", "8")).unwrap();
    let sold = mapped.document().order().unwrap();
    assert_eq!(sold.lines[0].identifier(MAPPED), Some("8"));
    assert_eq!(sold.customer.as_deref(), Some("201"));
}

#[test]
fn a_wildcard_stands_for_methods_and_warehouses_but_never_for_items_or_customers() {
    let mut wanted = order(vec![line(1, "a")]);
    wanted.warehouse = Some("w".to_owned());
    wanted.shipping_method = Some(Method {
        carrier: None,
        name: None,
        code: Some("GCG".to_owned()),
    });
    let any = [CUSTOMERS, ITEMS, SHIPPING_METHODS, WAREHOUSES]
        .into_iter()
        .fold(Known::default(), |known, table| known.cell(table, ANY, "9"));
    let tables: Vec<String> = gaps(&document(wanted), &any)
        .into_iter()
        .map(|g| g.table)
        .collect();
    assert_eq!(tables, [CUSTOMERS, ITEMS]);
}

#[test]
fn what_no_cell_can_mend_is_a_problem() {
    let known = Known::default().cell(CUSTOMERS, "r1", "201");
    let problem = |order: Order, country: Option<&str>| match translate(
        &document(order),
        &IDS,
        country,
        &known,
    ) {
        Err(Untranslated::Problem(problem)) => problem.code,
        other => panic!("expected a problem, got {other:?}"),
    };
    let mut nowhere = order(Vec::new());
    nowhere.ship_to.country = None;
    assert_eq!(problem(nowhere.clone(), None), "no-country");
    assert_eq!(problem(order(vec![line(1, " ")]), None), "line-without-id");
    let mapped = translate(&document(nowhere), &IDS, Some("GB"), &known).unwrap();
    let sold = mapped.into_document();
    assert_eq!(sold.order().unwrap().ship_to.country.as_deref(), Some("GB"));
}

#[test]
fn the_stated_total_is_compared_to_the_cent() {
    let stated = |units: i64| {
        let mut order = order(vec![line(1, "a")]);
        order.lines[0].tax = Some(Decimal::new(1_000, 3));
        order.charges.push(Charge {
            kind: "shipping".to_owned(),
            title: "Shipping".to_owned(),
            amount: Totals {
                net: Decimal::whole(5),
                tax: Decimal::ZERO,
                gross: Decimal::whole(5),
            },
        });
        order.total = Some(Totals {
            net: Decimal::whole(24),
            tax: Decimal::whole(1),
            gross: Decimal::new(units, 2),
        });
        order
    };
    assert_eq!(
        money::check(&stated(2_500)).unwrap().gross,
        Decimal::whole(25)
    );
    let problem = money::check(&stated(2_499)).unwrap_err();
    assert_eq!(problem.code, "total-differs");
    assert!(
        problem.message.contains("total 24.99 USD"),
        "{}",
        problem.message
    );
    assert!(
        problem.message.contains("a difference of -0.01"),
        "{}",
        problem.message
    );
    let mut unpriced = stated(2_500);
    unpriced.lines[0].unit_price = None;
    assert_eq!(money::check(&unpriced).unwrap_err().code, "no-price");
    let mut vast = stated(2_500);
    vast.lines[0].quantity = Decimal::whole(i64::MAX / 950 + 1);
    assert!(money::check(&vast).is_err());
}

fn decimals() -> impl Strategy<Value = Decimal> {
    (any::<i64>(), 0_u8..=9).prop_map(|(units, scale)| Decimal::new(units, scale))
}

fn known() -> impl Strategy<Value = Known> {
    let table = prop::sample::select(vec![CUSTOMERS, ITEMS, SHIPPING_METHODS, WAREHOUSES]);
    let value = prop::sample::select(vec!["r1", "a", "b", "c", "w", "gcg", ANY]);
    let cells = prop::collection::btree_map(
        (table.prop_map(str::to_owned), value.prop_map(str::to_owned)),
        "[0-9]{1,3}",
        0..12,
    );
    let sku = prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned);
    let items = prop::collection::btree_map(sku, prop::collection::vec("[0-9]{1,3}", 0..3), 0..4);
    (cells, items).prop_map(|(cells, items)| Known { cells, items })
}

fn wanted() -> impl Strategy<Value = Order> {
    let skus = prop::collection::vec(prop::sample::select(vec!["a", "b", "c", ""]), 0..5);
    (skus, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(skus, method, house, country)| {
            let lines = skus.iter().enumerate().map(|(n, sku)| line(n, sku));
            let mut order = order(lines.collect());
            order.warehouse = house.then(|| "w".to_owned());
            order.shipping_method = method.then(|| Method {
                carrier: None,
                name: None,
                code: Some("GCG".to_owned()),
            });
            if !country {
                order.ship_to.country = None;
            }
            order
        },
    )
}

proptest! {
    #[test]
    fn translation_is_total_and_filling_its_gaps_is_enough(order in wanted(), known in known()) {
        let document = document(order.clone());
        match translate(&document, &IDS, None, &known) {
            Ok(mapped) => {
                let sold = mapped.document().order().unwrap();
                prop_assert!(sold.customer.is_some());
                prop_assert!(sold.ship_to.country.is_some());
                prop_assert_eq!(sold.lines.len(), order.lines.len());
                for line in &sold.lines {
                    let key = line.identifier(MAPPED).unwrap();
                    let sku = line.identifier("sku").unwrap();
                    let cell = known.cells.get(&(ITEMS.to_owned(), sku.to_owned()));
                    let single = known.items.get(sku).filter(|keys| keys.len() == 1);
                    let right = cell.or_else(|| single.map(|keys| &keys[0]));
                    prop_assert_eq!(Some(key), right.map(String::as_str));
                }
            }
            Err(Untranslated::Gaps(gaps)) => {
                prop_assert!(!gaps.is_empty());
                let filled = gaps.iter().fold(known, |known, gap| {
                    known.cell(&gap.table, &gap.value, "1")
                });
                prop_assert!(translate(&document, &IDS, None, &filled).is_ok());
            }
            Err(Untranslated::Problem(problem)) => {
                let right = match problem.code.as_str() {
                    "no-country" => order.ship_to.country.is_none(),
                    "line-without-id" => order.lines.iter().any(|l| l.identifier("sku").is_none()),
                    _ => false,
                };
                prop_assert!(right, "{problem:?}");
            }
        }
    }

    #[test]
    fn a_method_stands_under_one_value_whatever_its_case(code in "[A-Za-z0-9]{1,6}") {
        let method = |code: String| Method { carrier: None, name: None, code: Some(code) };
        prop_assert_eq!(
            method_value(&method(code.to_uppercase())),
            method_value(&method(code.to_lowercase()))
        );
    }

    #[test]
    fn a_decimal_survives_its_text(decimal in decimals()) {
        let text = decimal.to_string();
        let back: Decimal = text.parse().unwrap();
        prop_assert_eq!(back, decimal);
        prop_assert_eq!(back.normal().to_string(), decimal.normal().to_string());
        prop_assert_eq!(decimal.fixed(2).parse::<Decimal>().unwrap(), decimal);
    }

    #[test]
    fn the_cell_of_an_orders_own_customer_is_no_retailers(retailer in "[a-zA-Z0-9/ ]{0,8}", order in "[a-zA-Z0-9/ ]{0,8}") {
        let own = order_gap(&retailer, &order);
        prop_assert_eq!(order_of(&own), Some(&*order));
        let retailers = retailer_gap(&retailer);
        prop_assert_eq!(order_of(&retailers), None);
    }

    #[test]
    fn sums_and_differences_undo_each_other(a in decimals(), b in decimals()) {
        if let Some(sum) = a.checked_add(b) {
            prop_assert_eq!(b.checked_add(a), Some(sum));
            if let Some(back) = sum.checked_sub(b) {
                prop_assert_eq!(back, a);
            }
        }
    }

    #[test]
    fn rounding_moves_by_at_most_half_a_cent(units in -1_000_000_000_i64..1_000_000_000, scale in 0_u8..=9) {
        let decimal = Decimal::new(units, scale);
        let off = decimal.checked_sub(decimal.rounded(2)).unwrap();
        prop_assert!(off <= Decimal::new(5, 3) && off >= Decimal::new(-5, 3), "{decimal} {off}");
        prop_assert_eq!(decimal.rounded(2).rounded(2), decimal.rounded(2));
    }

    #[test]
    fn an_order_agrees_with_the_total_of_its_own_lines(
        lines in prop::collection::vec((0_i64..1000, 0_i64..100_000, 0_i64..10_000), 0..8)
    ) {
        let mut order = order(Vec::new());
        for (n, (quantity, price, tax)) in lines.into_iter().enumerate() {
            let mut line = line(n, "a");
            line.quantity = Decimal::whole(quantity);
            line.unit_price = Some(Decimal::new(price, 2));
            line.tax = Some(Decimal::new(tax, 2));
            order.lines.push(line);
        }
        let sum = money::order_totals(&order).unwrap();
        prop_assert_eq!(sum.net.checked_add(sum.tax), Some(sum.gross));
        order.total = Some(sum.clone());
        prop_assert!(money::check(&order).is_ok());
        let cent = Decimal::new(1, 2);
        order.total = sum.gross.checked_add(cent).map(|gross| Totals { gross, ..sum });
        prop_assert!(money::check(&order).is_err());
    }
}
