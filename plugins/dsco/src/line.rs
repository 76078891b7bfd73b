//! The lines of a vendor's order as canonical ones: their keys, identifiers and quantities. Knows nothing of the rest of
//! the order but its parcels.

use crate::wire::order::{Line, Order as WireOrder, Package};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use waybill_sdk::commerce::{Decimal, Extra, Identifier, OrderLine};
use waybill_sdk::decimal::ZERO;

/// The lines in their order. A line is known by its number; one without by its item id where that is unique.
pub(crate) fn lines(order: &WireOrder) -> Vec<OrderLine> {
    let mut taken = BTreeSet::new();
    order
        .line_items
        .iter()
        .enumerate()
        .map(|(index, wire)| {
            let by_number = wire.line_number.map(|number| number.to_string());
            let key = [by_number, wire.dsco_item_id.clone()]
                .into_iter()
                .flatten()
                .find(|key| !taken.contains(key))
                .unwrap_or_else(|| format!("at-{}", index + 1));
            taken.insert(key.clone());
            line(key, wire, &order.packages)
        })
        .collect()
}

fn line(key: String, wire: &Line, packages: &[Package]) -> OrderLine {
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
    let cancelled = if dropped.is_zero() && wire.status.as_deref() == Some("cancelled") {
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
        shipped: within(
            wire.shipped_quantity
                .unwrap_or_else(|| packed(wire, packages)),
        ),
        unit_price: wire.expected_cost,
        tax: None,
        ship_by: wire.ship_by_date,
        warehouse: wire.warehouse_code.clone(),
        extras: line_extras(wire),
    }
}

/// What the parcels hold of a line, where the line does not say how much of it is shipped.
fn packed(line: &Line, packages: &[Package]) -> Decimal {
    packages
        .iter()
        .flat_map(|package| &package.items)
        .filter(|item| match (item.line_number, line.line_number) {
            (Some(a), Some(b)) => a == b,
            _ => {
                (item.dsco_item_id.is_some() && item.dsco_item_id == line.dsco_item_id)
                    || (item.sku.is_some() && item.sku == line.sku)
            }
        })
        .filter_map(|item| item.quantity)
        .try_fold(ZERO, Decimal::plus)
        .unwrap_or(ZERO)
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
