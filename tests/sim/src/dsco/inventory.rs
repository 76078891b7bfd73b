//! Owns what the network knows of the supplier's items: one quantity per item and warehouse, lowered by every order.
//! Small per item, for there may be a million. Must not know requests.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::dates::iso;
use super::order::Order;
use crate::catalogue::{SeedProduct, WAREHOUSES};

/// The item id of the first product.
pub(crate) const FIRST_ITEM: u64 = 1_090_000_001;
/// Item ids of what is no product of the catalogue; order lines of such items count from 1,090,900,001.
const FIRST_OTHER: u64 = 1_091_000_001;

/// An item's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    InStock,
    OutOfStock,
    Discontinued,
    Hidden,
}

impl Status {
    /// Reads a word of the API.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "in-stock" => Self::InStock,
            "out-of-stock" => Self::OutOfStock,
            "discontinued" => Self::Discontinued,
            "hidden" => Self::Hidden,
            _ => return None,
        })
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::InStock => "in-stock",
            Self::OutOfStock => "out-of-stock",
            Self::Discontinued => "discontinued",
            Self::Hidden => "hidden",
        }
    }

    /// What the network makes of it for that quantity.
    pub(crate) fn derived(self, available: i64) -> Self {
        match self {
            Self::Hidden => Self::Hidden,
            Self::InStock if available == 0 => Self::OutOfStock,
            Self::OutOfStock | Self::Discontinued if available > 0 => Self::InStock,
            other => other,
        }
    }
}

/// Codes of an item beside its SKU, as they were given.
pub(crate) const CODES: [&str; 5] = ["upc", "ean", "isbn", "gtin", "mpn"];

/// One item.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) id: u64,
    pub(crate) sku: Box<str>,
    /// By the place of their name in [`CODES`].
    pub(crate) codes: Box<[(u8, Box<str>)]>,
    pub(crate) status: Status,
    pub(crate) available: i64,
    /// Units by the place of the warehouse in the catalogue.
    pub(crate) stock: Box<[(u8, i64)]>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    /// When the supplier last told a quantity; 0 is never.
    pub(crate) told: i64,
    /// How often the supplier told one.
    pub(crate) writes: u32,
    /// Units that orders took, and those of them that were not there.
    pub(crate) sold: i64,
    pub(crate) short: i64,
}

impl Item {
    /// An item of which nothing is there.
    pub(crate) fn empty(sku: &str, now: i64) -> Self {
        Self {
            id: 0,
            sku: sku.into(),
            codes: Box::default(),
            status: Status::OutOfStock,
            available: 0,
            stock: Box::default(),
            created: now,
            updated: now,
            told: 0,
            writes: 0,
            sold: 0,
            short: 0,
        }
    }

    pub(crate) fn code(&self, name: &str) -> Option<&str> {
        let mut codes = self.codes.iter();
        let found = codes.find(|(at, _)| CODES[usize::from(*at)] == name)?;
        Some(&found.1)
    }

    /// The stock as of now: the status follows.
    pub(crate) fn hold(&mut self, stock: Box<[(u8, i64)]>, available: i64) {
        self.stock = stock;
        self.available = available;
        self.status = self.status.derived(available);
    }

    /// An order takes units: first from its warehouse, then from the others.
    fn sell(&mut self, quantity: i64, warehouse: &str, now: i64) {
        let mut open = quantity;
        let own = |at: u8| WAREHOUSES[usize::from(at)].code == warehouse;
        for first in [true, false] {
            for (_, units) in self.stock.iter_mut().filter(|(at, _)| own(*at) == first) {
                let take = open.min(*units);
                *units -= take;
                open -= take;
            }
        }
        self.sold += quantity;
        self.short += (quantity - self.available).max(0);
        self.available = (self.available - quantity).max(0);
        self.status = self.status.derived(self.available);
        self.updated = now;
    }

    fn truth(&self) -> Value {
        let stock = self.stock.iter();
        let warehouses: Map<String, Value> = stock
            .map(|(at, units)| (WAREHOUSES[usize::from(*at)].code.to_owned(), json!(units)))
            .collect();
        json!({
            "sku": &*self.sku, "dscoItemId": self.id.to_string(), "status": self.status.word(),
            "available": self.available, "warehouses": warehouses, "writes": self.writes,
            "toldAt": (self.told > 0).then(|| iso(self.told)), "sold": self.sold, "short": self.short,
        })
    }
}

/// All items.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    items: Vec<Item>,
    by_sku: HashMap<Box<str>, u32>,
    others: u64,
}

impl Inventory {
    /// The products of a catalogue that have a SKU of their own, or share one, with nothing in stock.
    pub(crate) fn of(catalogue: &[SeedProduct]) -> Self {
        let mut all = Self::default();
        for product in catalogue {
            all.add_product(product, 0);
        }
        all
    }

    /// Adds a product unless its SKU is blank or known.
    pub(crate) fn add_product(&mut self, product: &SeedProduct, now: i64) -> bool {
        if product.sku.is_empty() || self.by_sku.contains_key(product.sku.as_str()) {
            return false;
        }
        let place = product.id - crate::catalogue::FIRST_PRODUCT;
        let item = Item {
            id: FIRST_ITEM + u64::try_from(place).unwrap_or_default(),
            codes: Box::new([
                (0, product.upc.as_str().into()),
                (1, product.ean.as_str().into()),
            ]),
            stock: (0..).take(WAREHOUSES.len()).map(|at| (at, 0)).collect(),
            ..Item::empty(&product.sku, now)
        };
        self.insert(item);
        true
    }

    /// Adds an item with an id of its own.
    pub(crate) fn add(&mut self, item: Item) {
        let id = FIRST_OTHER + self.others;
        self.others += 1;
        self.insert(Item { id, ..item });
    }

    fn insert(&mut self, item: Item) {
        let place = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        self.by_sku.insert(item.sku.clone(), place);
        self.items.push(item);
    }

    pub(crate) fn knows(&self, sku: &str) -> bool {
        self.by_sku.contains_key(sku)
    }

    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }

    pub(crate) fn get(&self, sku: &str) -> Option<&Item> {
        let place = *self.by_sku.get(sku)?;
        self.items.get(usize::try_from(place).ok()?)
    }

    pub(crate) fn get_mut(&mut self, sku: &str) -> Option<&mut Item> {
        let place = *self.by_sku.get(sku)?;
        self.items.get_mut(usize::try_from(place).ok()?)
    }

    /// A retailer's order takes its units at once.
    pub(crate) fn sell(&mut self, order: &Order) {
        for line in &order.lines {
            if let Some(item) = self.get_mut(&line.sku) {
                item.sell(line.quantity, order.warehouse, order.created);
            }
        }
    }

    /// What is there, whatever readers see: of one item, or of all.
    pub(crate) fn truth(&self, sku: Option<&str>) -> Value {
        let one = |sku: &str| self.get(sku).map(Item::truth).into_iter().collect();
        let all = || self.items.iter().map(Item::truth).collect();
        let items: Vec<Value> = sku.map_or_else(all, one);
        json!({ "items": items })
    }

    /// How far it is, for those who ask often.
    pub(crate) fn counts(&self) -> Value {
        let sum = |of: fn(&Item) -> i64| self.items.iter().map(of).sum::<i64>();
        let told = self.items.iter().filter(|item| item.told > 0).count();
        json!({"items": self.items.len(), "told": told, "writes": sum(|i| i64::from(i.writes)),
            "units": sum(|i| i.available), "sold": sum(|i| i.sold), "short": sum(|i| i.short)})
    }
}
