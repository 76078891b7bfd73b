//! The lines of a vendor's order as canonical ones: their keys, identifiers and quantities. Knows nothing of the rest of
//! the order but its parcels.

use crate::wire::order::{Line, Order as WireOrder, PackedItem};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use waybill_sdk::commerce::{Decimal, Extra, Identifier, OrderLine};
use waybill_sdk::decimal::ZERO;

/// The lines in their order.
pub(crate) fn lines(order: &WireOrder) -> Vec<OrderLine> {
    order
        .line_items
        .iter()
        .zip(keys(order))
        .zip(packed(order))
        .map(|((wire, key), packed)| line(key, wire, packed))
        .collect()
}

/// The keys of the lines: a line is known by its number; one without by its item id where that is unique.
fn keys(order: &WireOrder) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let lines = order.line_items.iter().enumerate();
    lines
        .map(|(index, wire)| {
            let by_number = wire.line_number.map(|number| number.to_string());
            let key = [by_number, wire.dsco_item_id.clone()]
                .into_iter()
                .flatten()
                .find(|key| !taken.contains(key))
                .unwrap_or_else(|| format!("at-{}", index + 1));
            taken.insert(key.clone());
            key
        })
        .collect()
}

fn line(key: String, wire: &Line, packed: Decimal) -> OrderLine {
    let quantity = wire.quantity.unwrap_or(ZERO);
    let within = |value: Decimal| {
        if value.compare(quantity) == Ordering::Greater {
            quantity
        } else {
            value
        }
    };
    let dropped = [wire.cancelled_quantity, wire.rejected_quantity]
        .into_iter()
        .flatten()
        .try_fold(ZERO, Decimal::plus)
        .unwrap_or(quantity);
    // A line may say that it is cancelled and leave the quantity out.
    let all = matches!(wire.status.as_deref(), Some("cancelled" | "rejected"));
    let cancelled = if dropped.is_zero() && all {
        quantity
    } else {
        within(dropped)
    };
    let title = [
        &wire.title,
        &wire.supplier_title,
        &wire.packing_slip_title,
        &wire.sku,
    ]
    .into_iter()
    .find_map(Clone::clone);
    OrderLine {
        line: key,
        number: wire
            .line_number
            .and_then(|number| u32::try_from(number).ok()),
        identifiers: identifiers(wire),
        title: title.unwrap_or_default(),
        quantity,
        cancelled,
        shipped: within(larger(wire.shipped_quantity.unwrap_or(ZERO), packed)),
        unit_price: wire.expected_cost,
        tax: None,
        ship_by: wire.ship_by_date,
        warehouse: wire.warehouse_code.clone(),
        extras: line_extras(wire),
    }
}

/// A parcel that DSCO knows of, by the keys of the order's lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Its tracking number.
    pub(crate) tracking: String,
    /// What it holds of each line, in the order of their keys.
    pub(crate) lines: Vec<(String, Decimal)>,
    /// Every item names its line; otherwise only the sum of the units is sure.
    pub(crate) numbered: bool,
}

/// The parcels of an order that have a tracking number.
pub(crate) fn contents(order: &WireOrder) -> Vec<Contents> {
    let keys = keys(order);
    let parcels = order.packages.iter().zip(held(order));
    parcels
        .filter_map(|(package, held)| {
            let mut lines: BTreeMap<String, Decimal> = BTreeMap::new();
            for item in held {
                let units = lines.entry(keys[item.line].clone()).or_insert(ZERO);
                *units = units.plus(item.units).unwrap_or(*units);
            }
            Some(Contents {
                tracking: package.tracking_number.clone()?,
                lines: lines.into_iter().collect(),
                numbered: package.items.iter().all(|item| item.line_number.is_some()),
            })
        })
        .collect()
}

/// Units of the line at that place in a parcel.
struct Held {
    line: usize,
    units: Decimal,
    span: bool,
}

/// What each parcel holds. An item without a line number is of the first line with its id that has room, since two
/// lines may have the same sku.
fn held(order: &WireOrder) -> Vec<Vec<Held>> {
    let lines = &order.line_items;
    let mut packed = vec![ZERO; lines.len()];
    let parcels = order.packages.iter();
    parcels
        .map(|package| {
            let mut all = Vec::new();
            for item in &package.items {
                let span = item.package_span_flag == Some(true);
                for (line, units) in of_item(lines, &packed, item) {
                    if !span {
                        packed[line] = packed[line].plus(units).unwrap_or(packed[line]);
                    }
                    all.push(Held { line, units, span });
                }
            }
            all
        })
        .collect()
}

/// The lines of one item of a parcel, given what other parcels hold of each.
fn of_item(lines: &[Line], packed: &[Decimal], item: &PackedItem) -> Vec<(usize, Decimal)> {
    let mut left = item.quantity.unwrap_or(ZERO);
    let numbered = |line: &Line| line.line_number.is_some() && line.line_number == item.line_number;
    if let Some(place) = lines.iter().position(numbered) {
        return vec![(place, left)];
    }
    let mut all = Vec::new();
    for (place, (line, packed)) in lines.iter().zip(packed).enumerate() {
        let room = line.quantity.unwrap_or(ZERO).minus(*packed);
        let room = room.filter(|room| room.is_positive()).unwrap_or(ZERO);
        let part = if left.compare(room) == Ordering::Greater {
            room
        } else {
            left
        };
        if same_item(line, item) && part.is_positive() {
            all.push((place, part));
            left = left.minus(part).unwrap_or(ZERO);
        }
    }
    all
}

/// What the parcels hold of each line. A unit that lies in several parcels counts once: those are the parcels of one day
/// that say so and hold the same.
fn packed(order: &WireOrder) -> Vec<Decimal> {
    let mut packed = vec![ZERO; order.line_items.len()];
    let mut spread = Vec::new();
    for (package, held) in order.packages.iter().zip(held(order)) {
        let spans = held.iter().filter(|item| item.span);
        let spans: Vec<(usize, Decimal)> = spans.map(|item| (item.line, item.units)).collect();
        let again = !spans.is_empty() && spread.contains(&(package.ship_date, spans.clone()));
        for item in held.iter().filter(|item| !(item.span && again)) {
            packed[item.line] = packed[item.line]
                .plus(item.units)
                .unwrap_or(packed[item.line]);
        }
        spread.push((package.ship_date, spans));
    }
    packed
}

fn larger(one: Decimal, other: Decimal) -> Decimal {
    if one.compare(other) == Ordering::Less {
        other
    } else {
        one
    }
}

fn same_item(line: &Line, item: &PackedItem) -> bool {
    let pairs = [
        (&item.dsco_item_id, &line.dsco_item_id),
        (&item.sku, &line.sku),
        (&item.partner_sku, &line.partner_sku),
        (&item.upc, &line.upc),
        (&item.ean, &line.ean),
    ];
    // The first id that both have decides, in the precedence by which the vendor itself reads them.
    let mut both = pairs
        .iter()
        .filter(|(item, line)| item.is_some() && line.is_some());
    both.next().is_some_and(|(item, line)| item == line)
}

fn identifiers(line: &Line) -> Vec<Identifier> {
    [
        ("sku", &line.sku),
        ("partner-sku", &line.partner_sku),
        ("upc", &line.upc),
        ("ean", &line.ean),
        ("gtin", &line.gtin),
        ("isbn", &line.isbn),
        ("mpn", &line.mpn),
        ("network-item", &line.dsco_item_id),
    ]
    .into_iter()
    .filter_map(|(kind, value)| {
        Some(Identifier {
            kind: kind.to_owned(),
            value: value.clone()?,
        })
    })
    .collect()
}

/// Whether any of it is neither cancelled nor shipped.
pub(crate) fn is_open(line: &OrderLine) -> bool {
    line.quantity
        .minus(line.cancelled)
        .and_then(|rest| rest.minus(line.shipped))
        .is_some_and(Decimal::is_positive)
}

/// A field that is carried.
pub(crate) fn extra(name: &str, value: &str) -> Extra {
    Extra {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn line_extras(line: &Line) -> Vec<Extra> {
    let mut all: Vec<Extra> = [
        ("status", &line.status),
        ("cancelCode", &line.cancel_code),
        ("cancelRequestedCode", &line.cancel_requested_code),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.as_deref().map(|value| extra(name, value)))
    .collect();
    for (name, amount) in [
        ("handlingAmount", line.handling_amount),
        ("shippingSurcharge", line.shipping_surcharge),
    ] {
        all.extend(amount.map(|amount| extra(name, &amount.to_string())));
    }
    all.extend(line.others.iter().map(|(name, value)| extra(name, value)));
    all
}
