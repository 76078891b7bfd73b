//! Translating an order's codes into the receiving system's. Total: every order is either translated or its empty
//! cells are named, all at once. Only [`translate`] makes a [`Mapped`] order, and only that is ever pushed.
//! A guess is never made: two items that share a value are a problem, not a first match.

use crate::contract::{Gap, Problem};
use crate::document::words;
use crate::document::{Document, Identifier, Order, OrderLine};
use serde::{Deserialize, Serialize};

/// Table: line's item id -> key of the item. Manual cells win over automatic matches.
pub const ITEMS: &str = "items";
/// Table: retailer -> key of the contact; of an order with a customer of its own, [`order_gap`] says the value.
pub const CUSTOMERS: &str = "customers";
/// Table: the order's service code (or `carrier|method`) -> key of the shipping method.
pub const SHIPPING_METHODS: &str = "shipping-methods";
/// A value as its table has it: shipping methods are looked up in lower case, since vendors do not agree on case.
pub fn spelled(table: &str, value: &str) -> String {
    if table == SHIPPING_METHODS {
        value.to_lowercase()
    } else {
        value.to_owned()
    }
}

/// Table: warehouse code -> key of the warehouse.
pub const WAREHOUSES: &str = "warehouses";
/// Table: the reason a merchant cancels for (a status, or `line`) -> the network's reason code.
pub const CANCEL_CODES: &str = "cancel-codes";
/// The value of the cell for a cancel of lines or parts of them.
pub const CANCELLED_LINES: &str = "line";
/// The cell that stands for every value without a cell of its own.
pub const ANY: &str = "*";
/// Identifier kind under which a translated line carries the key of the matched item.
pub const MAPPED: &str = "mapped";

/// What an automatic match found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Match {
    /// Exactly one item.
    One(String),
    /// None.
    Missing,
    /// Several; their keys.
    Ambiguous(Vec<String>),
}

words!(
    /// How an item that orders name is matched. What a person said wins over what was found.
    Standing {
        ByHand = "by-hand", Automatic = "automatic", Suggested = "suggested", Ambiguous = "ambiguous",
        Unmatched = "unmatched",
    }
);

/// What translation asks of the store.
pub trait Tables {
    /// The cell of a table for a retailer: the retailer's own, else the one for all. No wildcard here.
    fn cell(&self, table: &str, retailer: &str, value: &str) -> Option<String>;
    /// The receiving system's items whose identifier of that kind has that value.
    fn items(&self, kind: &str, value: &str) -> Match;
    /// The customer of the order with that key, or what is missing: its retailer's, unless each order has its own.
    fn customer(&self, _order: &str, retailer: &str) -> Result<String, Gap> {
        self.cell(CUSTOMERS, retailer, retailer)
            .ok_or_else(|| retailer_gap(retailer))
    }
}

/// The cell of a retailer's customer.
pub fn retailer_gap(retailer: &str) -> Gap {
    Gap {
        table: CUSTOMERS.to_owned(),
        retailer: Some(retailer.to_owned()),
        value: retailer.to_owned(),
    }
}

/// The cell of the customer that one order has for itself: its value names retailer and order, so that it is no other's.
pub fn order_gap(retailer: &str, order: &str) -> Gap {
    Gap {
        value: format!("{retailer}/{order}"),
        ..retailer_gap(retailer)
    }
}

/// The key of the order whose own customer this cell is of; `None`: of its retailer, or of another table.
pub fn order_of(gap: &Gap) -> Option<&str> {
    let retailer = gap.retailer.as_deref()?;
    let own = gap.value.strip_prefix(retailer)?.strip_prefix('/');
    own.filter(|_| gap.table == CUSTOMERS)
}

/// An order in the receiving system's codes. Made by [`translate`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped(Document);

impl Mapped {
    /// The translated document.
    pub const fn document(&self) -> &Document {
        &self.0
    }
    /// The translated document, taken.
    pub fn into_document(self) -> Document {
        self.0
    }
}

/// Why an order cannot be translated yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untranslated {
    /// These cells are empty.
    Gaps(Vec<Gap>),
    /// Something no cell can mend.
    Problem(Problem),
}

/// Which identifiers are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdFields<'a> {
    /// Kind on the order's line.
    pub source: &'a str,
    /// Kind of the receiving system's items.
    pub target: &'a str,
}

/// The order in the receiving system's codes, or every empty cell of it.
pub fn translate(
    document: &Document,
    ids: &IdFields<'_>,
    default_country: Option<&str>,
    tables: &dyn Tables,
) -> Result<Mapped, Untranslated> {
    let Some(order) = document.order() else {
        return Err(Untranslated::Problem(Problem::new(
            "not-an-order",
            "This document is not an order.",
            "Update the connector.",
        )));
    };
    let mut order = order.clone();
    let mut gaps = Vec::new();
    let retailer = order.retailer.clone();
    let lookup = |table: &str, value: &str| {
        tables
            .cell(table, &retailer, value)
            .or_else(|| tables.cell(table, &retailer, ANY))
    };
    let gap = |table: &str, value: &str| Gap {
        table: table.to_owned(),
        retailer: Some(retailer.clone()),
        value: value.to_owned(),
    };

    match tables.customer(&document.key, &retailer) {
        Ok(key) => order.customer = Some(key),
        Err(missing) => {
            order.customer = None;
            gaps.push(missing);
        }
    }
    if let Some(code) = order.shipping_method.as_ref().and_then(method_value) {
        match lookup(SHIPPING_METHODS, &code) {
            Some(key) => {
                order.shipping_method = Some(crate::document::Method {
                    carrier: None,
                    name: None,
                    code: Some(key),
                });
            }
            None => gaps.push(gap(SHIPPING_METHODS, &code)),
        }
    }
    let warehouse = order
        .warehouse
        .clone()
        .or_else(|| order.lines.iter().find_map(|l| l.warehouse.clone()));
    if let Some(code) = warehouse {
        match lookup(WAREHOUSES, &code) {
            Some(key) => order.warehouse = Some(key),
            None => gaps.push(gap(WAREHOUSES, &code)),
        }
    }
    if order.ship_to.country.is_none() {
        order.ship_to.country = default_country.map(str::to_owned);
    }
    if order.ship_to.country.is_none() {
        return Err(Untranslated::Problem(Problem::new(
            "no-country",
            "The ship-to address names no country.",
            "Set `orders.default-country` for this retailer, then retry.",
        )));
    }
    translate_lines(&mut order, ids, tables, &mut gaps)?;
    if gaps.is_empty() {
        Ok(Mapped(Document {
            body: crate::document::Body::Order(order),
            ..document.clone()
        }))
    } else {
        gaps.sort();
        gaps.dedup();
        Err(Untranslated::Gaps(gaps))
    }
}

fn translate_lines(
    order: &mut Order,
    ids: &IdFields<'_>,
    tables: &dyn Tables,
    gaps: &mut Vec<Gap>,
) -> Result<(), Untranslated> {
    let retailer = order.retailer.clone();
    for line in &mut order.lines {
        let Some(value) = line.identifier(ids.source).map(str::to_owned) else {
            return Err(Untranslated::Problem(Problem::new(
                "line-without-id",
                format!(
                    "Line {} ({}) has no `{}`, the field that names its item.",
                    line.line, line.title, ids.source
                ),
                "Choose another field in Settings, Items, for this retailer, then retry.",
            )));
        };
        match tables
            .cell(ITEMS, &retailer, &value)
            .map_or_else(|| tables.items(ids.target, &value), Match::One)
        {
            Match::One(key) => mark_mapped(line, key),
            Match::Missing | Match::Ambiguous(_) => gaps.push(Gap {
                table: ITEMS.to_owned(),
                retailer: Some(retailer.clone()),
                value,
            }),
        }
    }
    Ok(())
}

fn mark_mapped(line: &mut OrderLine, key: String) {
    line.identifiers.retain(|i| i.kind != MAPPED);
    line.identifiers.insert(
        0,
        Identifier {
            kind: MAPPED.to_owned(),
            value: key,
        },
    );
}

/// The value under which a method stands in the crosswalk: its code, else `carrier|name`, in lower case, since vendors
/// do not agree on case. `None` where the source asked for nothing in particular.
pub fn method_value(method: &crate::document::Method) -> Option<String> {
    let filled = |text: &Option<String>| text.clone().filter(|t| !t.trim().is_empty());
    filled(&method.code)
        .or_else(|| match (filled(&method.carrier), filled(&method.name)) {
            (None, None) => None,
            (carrier, name) => Some(format!(
                "{}|{}",
                carrier.unwrap_or_default(),
                name.unwrap_or_default()
            )),
        })
        .map(|value| value.to_lowercase())
}
