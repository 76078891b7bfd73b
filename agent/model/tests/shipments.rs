//! Properties of kits and of the translation of shipments: every whole kit is told once, whatever the order of arrival;
//! every shipment is translated or its empty cells are named; a generic code is never picked.

use proptest::prelude::*;
use std::collections::BTreeMap;
use waybill_model::contract::Gap;
use waybill_model::crosswalk::{SHIPPING_METHODS, WAREHOUSES};
use waybill_model::decimal::Decimal;
use waybill_model::document::{
    Address, Body, Document, LineQuantity, Method, Order, OrderLine, OrderPhase, PackedLine,
    Parcel, Part, Shipment, Stage,
};
use waybill_model::kits::{Note, pieces, shares};
use waybill_model::quantities::{self, Progress};
use waybill_model::shipping::{Counterparts, MappedShipment, Target, translate};

fn whole(units: i64) -> Decimal {
    Decimal::whole(units)
}

fn packed(line: &str, units: i64, item: Option<(&str, i64, u32)>) -> PackedLine {
    PackedLine {
        line: line.to_owned(),
        quantity: whole(units),
        part: item.map(|(item, per_unit, parts)| Part {
            item: item.to_owned(),
            per_unit: whole(per_unit),
            parts,
        }),
    }
}

fn parcel(lines: Vec<PackedLine>, span: bool) -> Parcel {
    Parcel {
        tracking: Some("1Z".to_owned()),
        lines,
        span,
        extras: Vec::new(),
    }
}

fn shipment(parcels: Vec<Parcel>) -> Shipment {
    Shipment {
        order_key: "100".to_owned(),
        stage: Stage::Shipped,
        shipped_at: Some(1),
        warehouse: Some("2".to_owned()),
        shipping_method: Some(method(None, None, Some("12"))),
        parcels,
        extras: Vec::new(),
    }
}

fn method(carrier: Option<&str>, name: Option<&str>, code: Option<&str>) -> Method {
    Method {
        carrier: carrier.map(str::to_owned),
        name: name.map(str::to_owned),
        code: code.map(str::to_owned),
    }
}

fn document(shipment: &Shipment) -> Document {
    Document {
        key: "700".to_owned(),
        revision: "1".to_owned(),
        occurred_at: 0,
        body: Body::Shipment(shipment.clone()),
    }
}

fn line(key: &str, ordered: i64) -> OrderLine {
    OrderLine {
        line: key.to_owned(),
        number: None,
        identifiers: Vec::new(),
        title: "A thing".to_owned(),
        quantity: whole(ordered),
        cancelled: Decimal::ZERO,
        shipped: Decimal::ZERO,
        unit_price: None,
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
        charges: Vec::new(),
        total: None,
        supplier_number: None,
        extras: Vec::new(),
    }
}

/// Cells one way and the other.
#[derive(Default)]
struct Cells {
    back: BTreeMap<(String, String), String>,
    forth: BTreeMap<(String, String), String>,
}

impl Cells {
    fn back(mut self, table: &str, value: &str, code: &str) -> Self {
        let cell = (table.to_owned(), value.to_owned());
        self.back.insert(cell, code.to_owned());
        self
    }
    fn forth(mut self, table: &str, value: &str, code: &str) -> Self {
        let cell = (table.to_owned(), value.to_owned());
        self.forth.insert(cell, code.to_owned());
        self
    }
}

impl Counterparts for Cells {
    fn cell(&self, table: &str, _: &str, value: &str) -> Option<String> {
        let cell = (table.to_owned(), value.to_owned());
        self.back.get(&cell).cloned()
    }
    fn order_cell(&self, table: &str, _: &str, value: &str) -> Option<String> {
        let cell = (table.to_owned(), value.to_owned());
        self.forth.get(&cell).cloned()
    }
    fn values_of(&self, table: &str, _: &str, code: &str) -> Vec<String> {
        let cells = self.forth.iter();
        let of = cells.filter(|((t, _), c)| t == table && c.as_str() == code);
        of.map(|((_, value), _)| value.clone()).collect()
    }
}

fn translated(
    found: &Shipment,
    order: &Order,
    cells: &Cells,
    needs_warehouse: bool,
) -> Result<Shipment, Vec<Gap>> {
    let mut units = BTreeMap::new();
    for ((line, _), quantity) in pieces(found) {
        units.insert(line, quantity);
    }
    told(found, order, &units, cells, needs_warehouse)
}

fn told(
    found: &Shipment,
    order: &Order,
    units: &BTreeMap<String, Decimal>,
    cells: &Cells,
    needs_warehouse: bool,
) -> Result<Shipment, Vec<Gap>> {
    let target = Target {
        order_key: "5000",
        order,
        units,
        generic: &["GCG".to_owned(), "GND".to_owned()],
        needs_warehouse,
    };
    let mapped = translate(&document(found), found, &target, cells);
    mapped
        .map(MappedShipment::into_document)
        .map(|document| match document.body {
            Body::Shipment(shipment) => shipment,
            other => panic!("{other:?}"),
        })
}

fn simple() -> Shipment {
    shipment(vec![parcel(vec![packed("1", 2, None)], false)])
}

fn asked(code: &str) -> Order {
    Order {
        shipping_method: Some(method(Some("UPS"), None, Some(code))),
        ..order(vec![line("1", 5)])
    }
}

fn gap(table: &str, value: &str) -> Gap {
    Gap {
        table: table.to_owned(),
        retailer: Some("r1".to_owned()),
        value: value.to_owned(),
    }
}

#[test]
fn the_cell_back_wins_and_may_name_all_three() {
    let cells = Cells::default()
        .back(SHIPPING_METHODS, "12", "UPS|Ground|UPSG")
        .forth(SHIPPING_METHODS, "upcg", "12");
    let sent = translated(&simple(), &asked("UPCG"), &cells, false).unwrap();
    let wanted = method(Some("UPS"), Some("Ground"), Some("UPSG"));
    assert_eq!(sent.shipping_method, Some(wanted));
    assert_eq!(sent.order_key, "5000");
    let cells = Cells::default().back(SHIPPING_METHODS, "*", "UPSG");
    let sent = translated(&simple(), &asked("UPCG"), &cells, false).unwrap();
    assert_eq!(sent.shipping_method, Some(method(None, None, Some("UPSG"))));
}

#[test]
fn without_a_cell_what_was_asked_for_holds_if_it_means_the_same() {
    let cells = Cells::default()
        .forth(SHIPPING_METHODS, "upcg", "12")
        .forth(SHIPPING_METHODS, "fedx", "12");
    let sent = translated(&simple(), &asked("UPCG"), &cells, false).unwrap();
    assert_eq!(sent.shipping_method, asked("UPCG").shipping_method);
    // Another method was used than asked for, and two codes mean it: nobody guesses.
    let refused = translated(&simple(), &asked("USPS"), &cells, false).unwrap_err();
    assert_eq!(refused, [gap(SHIPPING_METHODS, "12")]);
    let one = Cells::default().forth(SHIPPING_METHODS, "ups|ground", "12");
    let sent = translated(&simple(), &asked("USPS"), &one, false).unwrap();
    let wanted = method(Some("ups"), Some("ground"), None);
    assert_eq!(sent.shipping_method, Some(wanted));
}

#[test]
fn a_generic_code_is_never_picked() {
    let cells =
        Cells::default()
            .forth(SHIPPING_METHODS, "gcg", "12")
            .forth(SHIPPING_METHODS, "*", "12");
    let refused = translated(&simple(), &asked("GCG"), &cells, false).unwrap_err();
    assert_eq!(refused, [gap(SHIPPING_METHODS, "12")]);
    // Beside a generic one, the only other code is no guess.
    let cells = cells.forth(SHIPPING_METHODS, "upcg", "12");
    let sent = translated(&simple(), &asked("GCG"), &cells, false).unwrap();
    assert_eq!(sent.shipping_method, Some(method(None, None, Some("upcg"))));
}

#[test]
fn a_note_without_a_method_asks_for_the_cell_of_none() {
    let mut note = simple();
    note.shipping_method = None;
    let refused = translated(&note, &asked("UPCG"), &Cells::default(), false).unwrap_err();
    assert_eq!(refused, [gap(SHIPPING_METHODS, "none")]);
    let cells = Cells::default().back(SHIPPING_METHODS, "none", "UPSG");
    assert!(translated(&note, &asked("UPCG"), &cells, false).is_ok());
}

#[test]
fn a_warehouse_is_known_or_left_out_or_asked_for() {
    let cells = || Cells::default().back(SHIPPING_METHODS, "12", "UPSG");
    let plain = order(vec![line("1", 5)]);
    let of = |cells: &Cells, order: &Order, needs| {
        translated(&simple(), order, cells, needs).map(|s| s.warehouse)
    };
    assert_eq!(of(&cells(), &plain, false), Ok(None));
    let refused = of(&cells(), &plain, true).unwrap_err();
    assert_eq!(refused, [gap(WAREHOUSES, "2")]);
    let back = cells().back(WAREHOUSES, "2", "EAST");
    assert_eq!(of(&back, &plain, true), Ok(Some("EAST".to_owned())));
    let one = cells().forth(WAREHOUSES, "EAST", "2");
    assert_eq!(of(&one, &plain, true), Ok(Some("EAST".to_owned())));
    let two = one.forth(WAREHOUSES, "OLD-EAST", "2");
    assert_eq!(of(&two, &plain, false), Ok(None));
    let mut named = plain;
    named.lines[0].warehouse = Some("OLD-EAST".to_owned());
    assert_eq!(of(&two, &named, true), Ok(Some("OLD-EAST".to_owned())));
}

#[test]
fn parcels_tell_whole_units_and_no_more_than_they_may() {
    let cells = Cells::default().back(SHIPPING_METHODS, "12", "UPSG");
    let order = order(vec![line("1", 5), line("2", 5)]);
    let note = shipment(vec![
        parcel(
            vec![packed("1", 2, None), packed("2", 1, Some(("a", 1, 2)))],
            false,
        ),
        parcel(
            vec![packed("1", 2, None), packed("2", 1, Some(("b", 1, 2)))],
            false,
        ),
        parcel(vec![packed("2", 0, None)], false),
    ]);
    let units = BTreeMap::from([("1".to_owned(), whole(3)), ("2".to_owned(), whole(1))]);
    let sent = told(&note, &order, &units, &cells, false).unwrap();
    let lines: Vec<Vec<PackedLine>> = sent.parcels.into_iter().map(|p| p.lines).collect();
    assert_eq!(
        lines,
        [
            vec![packed("1", 2, None), packed("2", 1, None)],
            vec![packed("1", 1, None)]
        ]
    );
}

#[test]
fn a_unit_in_several_parcels_counts_once_and_is_told_by_each() {
    let cells = Cells::default().back(SHIPPING_METHODS, "12", "UPSG");
    let order = order(vec![line("1", 5)]);
    let each = || parcel(vec![packed("1", 2, None)], true);
    let note = shipment(vec![each(), each(), each()]);
    let counted = pieces(&note);
    assert_eq!(counted[&("1".to_owned(), None)], whole(2));
    let units = BTreeMap::from([("1".to_owned(), whole(1))]);
    let sent = told(&note, &order, &units, &cells, false).unwrap();
    assert_eq!(sent.parcels.len(), 3);
    assert!(
        sent.parcels
            .iter()
            .all(|p| p.lines == [packed("1", 1, None)])
    );
}

#[test]
fn the_larger_count_closes_a_line() {
    let mut of = order(vec![line("1", 5), line("2", 1)]);
    of.lines[0].cancelled = whole(1);
    of.lines[0].shipped = whole(2);
    let ours = |units| BTreeMap::from([("1".to_owned(), whole(units))]);
    assert_eq!(quantities::count(&of, &ours(1))[0].open, whole(2));
    assert_eq!(quantities::count(&of, &ours(3))[0].open, whole(1));
    assert_eq!(quantities::count(&of, &ours(9))[0].open, Decimal::ZERO);
    assert_eq!(quantities::progress(&of, &ours(4)), Progress::Part);
    of.lines[1].cancelled = whole(1);
    assert_eq!(quantities::progress(&of, &ours(4)), Progress::All);
    of.lines[0].shipped = Decimal::ZERO;
    assert_eq!(
        quantities::progress(&of, &BTreeMap::new()),
        Progress::Nothing
    );
}

/// Notes of one order over a kit of three components and a plain line.
fn notes() -> impl Strategy<Value = Vec<Shipment>> {
    let note = (0_i64..4, 0_i64..7, 0_i64..3, 0_i64..3);
    prop::collection::vec(note, 1..7).prop_map(|notes| {
        let one = |(a, b, c, plain): (i64, i64, i64, i64)| {
            let part = |item, units, per_unit| {
                (units > 0).then(|| packed("kit", units, Some((item, per_unit, 3))))
            };
            let lines = [part("a", a, 1), part("b", b, 2), part("c", c, 1)];
            let plain = (plain > 0).then(|| packed("plain", plain, None));
            let lines = lines.into_iter().chain([plain]).flatten().collect();
            shipment(vec![parcel(lines, false)])
        };
        notes.into_iter().map(one).collect()
    })
}

fn total(notes: &[Shipment], item: &str, per_unit: i64) -> i64 {
    let held = notes.iter().flat_map(|n| &n.parcels).flat_map(|p| &p.lines);
    let of = held.filter(|l| l.part.as_ref().is_some_and(|p| p.item == item));
    of.map(|l| l.quantity.units).sum::<i64>() / per_unit
}

fn kits_in(notes: &[Shipment]) -> i64 {
    let [a, b, c] = [("a", 1), ("b", 2), ("c", 1)].map(|(i, per)| total(notes, i, per));
    a.min(b).min(c)
}

proptest! {
    /// Notes arrive in any order and each is told as soon as it has something to tell: nothing is lost or doubled.
    #[test]
    fn every_whole_kit_is_told_once(notes in notes(), arrival in any::<prop::sample::Index>(), turn in 1_usize..7) {
        let keys: Vec<String> = (0..notes.len()).map(|n| format!("n{n}")).collect();
        let mut known: Vec<usize> = Vec::new();
        let mut told: BTreeMap<usize, Vec<LineQuantity>> = BTreeMap::new();
        let first = arrival.index(notes.len());
        for step in 0..notes.len() * 2 {
            // A turn that may come round to a note twice: repeats change nothing.
            let next = (first + step * turn) % notes.len();
            let next = if step < notes.len() { next } else { step - notes.len() };
            if !known.contains(&next) {
                known.push(next);
            }
            loop {
                let now: Vec<Note<'_>> = known.iter().map(|n| Note {
                    key: &keys[*n],
                    at: i64::try_from(*n / 2).unwrap(),
                    shipment: &notes[*n],
                    told: told.get(n).map(Vec::as_slice),
                }).collect();
                let mut backwards = now.clone();
                backwards.reverse();
                let shares = shares(&now);
                prop_assert_eq!(&shares, &waybill_model::kits::shares(&backwards));
                let open = known.iter().find(|n| !told.contains_key(n) && !shares[&keys[**n]].units.is_empty());
                let Some(open) = open else { break };
                let units = shares[&keys[*open]].units.iter();
                let units = units.map(|(line, q)| LineQuantity { line: line.clone(), quantity: *q });
                told.insert(*open, units.collect());
            }
        }
        let sum = |line: &str| told.values().flatten().filter(|q| q.line == line).map(|q| q.quantity.units).sum::<i64>();
        prop_assert_eq!(sum("kit"), kits_in(&notes));
        let plain = notes.iter().flat_map(|n| &n.parcels).flat_map(|p| &p.lines);
        let plain: i64 = plain.filter(|l| l.part.is_none()).map(|l| l.quantity.units).sum();
        prop_assert_eq!(sum("plain"), plain);
    }
}
