//! Translating a shipment into its order's source's codes. Total: every shipment is either translated or its empty cells
//! are named, all at once. Only [`translate`] makes a [`MappedShipment`], and only that is ever pushed.
//! A guess is never made: a code that stands for no one method is never picked, nor one of two that fit.

use crate::contract::Gap;
use crate::crosswalk::{ANY, SHIPPING_METHODS, WAREHOUSES, method_value};
use crate::decimal::Decimal;
use crate::document::{Body, Document, Method, Order, PackedLine, Parcel, Shipment};
use std::collections::BTreeMap;

/// The value of the cell for a note that names no shipping method.
pub const NO_METHOD: &str = "none";

/// What translation asks of the store. No wildcards here.
pub trait Counterparts {
    /// The cell from the shipment's system to the order's source: the retailer's own, else the one for all.
    fn cell(&self, table: &str, retailer: &str, value: &str) -> Option<String>;
    /// The cell the other way round, as orders are translated with.
    fn order_cell(&self, table: &str, retailer: &str, value: &str) -> Option<String>;
    /// The source's values whose cell, the other way round, is this code.
    fn values_of(&self, table: &str, retailer: &str, code: &str) -> Vec<String>;
}

/// A shipment in the source's codes: no kits, no line without a quantity. Made by [`translate`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedShipment(Document);

impl MappedShipment {
    /// The translated document.
    pub const fn document(&self) -> &Document {
        &self.0
    }
    /// The translated document, taken.
    pub fn into_document(self) -> Document {
        self.0
    }
}

/// What a shipment is translated by.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The order's key at its source.
    pub order_key: &'a str,
    /// The source's newest revision of the order.
    pub order: &'a Order,
    /// Units of each line to tell.
    pub units: &'a BTreeMap<String, Decimal>,
    /// Codes that stand for no one method.
    pub generic: &'a [String],
    /// Whether a warehouse without a code is a gap.
    pub needs_warehouse: bool,
}

/// The shipment in the source's codes, or every empty cell of it.
///
/// # Errors
/// The empty cells.
pub fn translate(
    document: &Document,
    shipment: &Shipment,
    target: &Target<'_>,
    tables: &dyn Counterparts,
) -> Result<MappedShipment, Vec<Gap>> {
    let retailer = target.order.retailer.as_str();
    let mut gaps = Vec::new();
    let mut gap = |table: &str, value: &str| {
        gaps.push(Gap {
            table: table.to_owned(),
            retailer: Some(retailer.to_owned()),
            value: value.to_owned(),
        });
    };
    let used = shipment.shipping_method.as_ref().and_then(method_value);
    let used = used.unwrap_or_else(|| NO_METHOD.to_owned());
    let method = method(&used, target, tables);
    if method.is_none() {
        gap(SHIPPING_METHODS, &used);
    }
    let from = shipment.warehouse.as_deref().map(str::trim);
    let from = from.filter(|code| !code.is_empty());
    let warehouse = from.and_then(|code| warehouse(code, target, tables));
    if let (Some(code), None, true) = (from, &warehouse, target.needs_warehouse) {
        gap(WAREHOUSES, code);
    }
    if !gaps.is_empty() {
        gaps.sort();
        return Err(gaps);
    }
    Ok(MappedShipment(Document {
        body: Body::Shipment(Shipment {
            order_key: target.order_key.to_owned(),
            warehouse,
            shipping_method: method,
            parcels: parcels(shipment, target.units),
            ..shipment.clone()
        }),
        ..document.clone()
    }))
}

/// `carrier|name|code` of a cell; text without a bar is the code.
fn cell_method(text: &str) -> Method {
    let part = |text: &str| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
    if !text.contains('|') {
        return Method {
            carrier: None,
            name: None,
            code: part(text),
        };
    }
    let mut parts = text.splitn(3, '|');
    let mut next = || parts.next().and_then(part);
    Method {
        carrier: next(),
        name: next(),
        code: next(),
    }
}

/// The source's words for the method that was used: the cell; else what the order asked for, where that means this
/// method; else the one value that means it.
fn method(used: &str, target: &Target<'_>, tables: &dyn Counterparts) -> Option<Method> {
    let retailer = target.order.retailer.as_str();
    for value in [used, ANY] {
        if let Some(text) = tables.cell(SHIPPING_METHODS, retailer, value) {
            return Some(cell_method(&text));
        }
    }
    let is_generic = |code: &str| target.generic.iter().any(|g| g.eq_ignore_ascii_case(code));
    let means = |value: &str| {
        let cell = tables.order_cell(SHIPPING_METHODS, retailer, value);
        cell.or_else(|| tables.order_cell(SHIPPING_METHODS, retailer, ANY))
            .is_some_and(|code| code.trim().eq_ignore_ascii_case(used))
    };
    if let Some(asked) = &target.order.shipping_method
        && let Some(value) = method_value(asked)
        && !asked.code.as_deref().is_some_and(is_generic)
        && means(&value)
    {
        return Some(asked.clone());
    }
    let mut values = tables.values_of(SHIPPING_METHODS, retailer, used);
    values.retain(|value| value != ANY && !is_generic(value));
    match values.as_slice() {
        [one] => Some(cell_method(one)),
        _ => None,
    }
}

/// The source's code of the warehouse: the cell; else the one value that means it; else what the order's lines name,
/// where that means it.
fn warehouse(from: &str, target: &Target<'_>, tables: &dyn Counterparts) -> Option<String> {
    let retailer = target.order.retailer.as_str();
    for value in [from, ANY] {
        if let Some(code) = tables.cell(WAREHOUSES, retailer, value) {
            return Some(code);
        }
    }
    let mut values = tables.values_of(WAREHOUSES, retailer, from);
    values.retain(|value| value != ANY);
    if let [one] = values.as_slice() {
        return Some(one.clone());
    }
    let lines = target
        .order
        .lines
        .iter()
        .filter_map(|l| l.warehouse.as_deref());
    let mut named = target.order.warehouse.as_deref().into_iter().chain(lines);
    let named = named.find(|code| {
        let cell = tables.order_cell(WAREHOUSES, retailer, code);
        cell.or_else(|| tables.order_cell(WAREHOUSES, retailer, ANY))
            .as_deref()
            == Some(from)
    });
    named.map(str::to_owned)
}

/// The parcels with whole units only, shared out so that no line is told more than its units.
fn parcels(shipment: &Shipment, units: &BTreeMap<String, Decimal>) -> Vec<Parcel> {
    let mut left = units.clone();
    let mut lines: Vec<Vec<PackedLine>> = vec![Vec::new(); shipment.parcels.len()];
    let each = || shipment.parcels.iter().zip(0..);
    for (parcel, at) in each().filter(|(p, _)| !p.span) {
        for (line, held) in held(parcel) {
            let rest = left.entry(line.clone()).or_default();
            let take = held.map_or(*rest, |quantity| quantity.min(*rest));
            *rest = rest.checked_sub(take).unwrap_or_default();
            put(&mut lines, at, line, take);
        }
    }
    // Parcels that share a unit each tell all that is left of the line.
    for (parcel, at) in each().filter(|(p, _)| p.span) {
        for (line, held) in held(parcel) {
            let rest = left.get(&line).copied().unwrap_or_default();
            let rest = if rest.is_zero() && told(&lines, &line) {
                units.get(&line).copied().unwrap_or_default()
            } else {
                rest
            };
            put(&mut lines, at, line, held.map_or(rest, |q| q.min(rest)));
        }
    }
    let parcels = shipment.parcels.iter().zip(lines);
    let told = parcels.map(|(parcel, lines)| Parcel {
        lines,
        ..parcel.clone()
    });
    told.filter(|parcel| !parcel.lines.is_empty()).collect()
}

/// Whether a parcel tells this line already.
fn told(lines: &[Vec<PackedLine>], line: &str) -> bool {
    lines.iter().flatten().any(|packed| packed.line == line)
}

/// Units of each line in a parcel; `None` where it holds components, which only the whole note counts.
fn held(parcel: &Parcel) -> BTreeMap<String, Option<Decimal>> {
    let mut held: BTreeMap<String, Option<Decimal>> = BTreeMap::new();
    for packed in &parcel.lines {
        let plain = packed.part.is_none().then_some(packed.quantity);
        held.entry(packed.line.clone())
            .and_modify(|sum| {
                *sum = sum.zip(plain).map(|(a, b)| a.checked_add(b).unwrap_or(a));
            })
            .or_insert(plain);
    }
    held
}

fn put(lines: &mut [Vec<PackedLine>], at: usize, line: String, quantity: Decimal) {
    if let Some(lines) = lines.get_mut(at)
        && quantity.is_positive()
    {
        lines.push(PackedLine {
            line,
            quantity,
            part: None,
        });
    }
}
