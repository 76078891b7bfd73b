//! The lines of a vendor's order as canonical ones: their keys, identifiers and quantities. Knows nothing of the rest of
//! the order but its parcels.

use crate::wire::order::{Line, Order as WireOrder, PackedItem};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use waybill_sdk::commerce::{Decimal, Extra, Identifier, OrderLine};
use waybill_sdk::decimal::ZERO;

/// The lines in their order. A line is known by its number; one without by its item id where that is unique.
pub(crate) fn lines(order: &WireOrder) -> Vec<OrderLine> {
    let mut taken = BTreeSet::new();
    let packed = packed(order);
    order
        .line_items
        .iter()
        .zip(packed)
        .enumerate()
        .map(|(index, (wire, packed))| {
            let by_number = wire.line_number.map(|number| number.to_string());
            let key = [by_number, wire.dsco_item_id.clone()]
                .into_iter()
                .flatten()
                .find(|key| !taken.contains(key))
                .unwrap_or_else(|| format!("at-{}", index + 1));
            taken.insert(key.clone());
            line(key, wire, packed)
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
        shipped: within(wire.shipped_quantity.unwrap_or(packed)),
        unit_price: wire.expected_cost,
        tax: None,
        ship_by: wire.ship_by_date,
        warehouse: wire.warehouse_code.clone(),
        extras: line_extras(wire),
    }
}

/// What the parcels hold of each line. An item without a line number is of the first line with its id that has room,
/// since two lines may have the same sku.
fn packed(order: &WireOrder) -> Vec<Decimal> {
    let lines = &order.line_items;
    let mut packed = vec![ZERO; lines.len()];
    for item in order.packages.iter().flat_map(|package| &package.items) {
        let mut left = item.quantity.unwrap_or(ZERO);
        let numbered = lines
            .iter()
            .any(|line| line.line_number.is_some() && line.line_number == item.line_number);
        for (line, packed) in lines.iter().zip(&mut packed) {
            let room = line.quantity.unwrap_or(ZERO).minus(*packed);
            let room = room.filter(|room| room.is_positive()).unwrap_or(ZERO);
            let ours = if numbered {
                line.line_number == item.line_number
            } else {
                same_item(line, item)
            };
            if !ours {
                continue;
            }
            let part = if left.compare(room) == Ordering::Greater {
                room
            } else {
                left
            };
            *packed = packed.plus(part).unwrap_or(*packed);
            left = left.minus(part).unwrap_or(ZERO);
        }
    }
    packed
}

fn same_item(line: &Line, item: &PackedItem) -> bool {
    (item.dsco_item_id.is_some() && item.dsco_item_id == line.dsco_item_id)
        || (item.sku.is_some() && item.sku == line.sku)
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
    all.extend(line.others.iter().map(|(name, value)| extra(name, value)));
    all
}
