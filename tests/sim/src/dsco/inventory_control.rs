//! Owns how tests put items into the network behind the API's back: some, or very many. Must not know orders.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::control::{bad, body};
use super::inventory::Item;
use super::sandbox::Sandbox;
use crate::catalogue::{WAREHOUSES, products};
use crate::vendor::{Req, Resp};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Seed {
    items: Vec<SeedItem>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedItem {
    sku: String,
    /// Units by warehouse code. Not told by the supplier: such an item is as fresh as one that never was.
    #[serde(default)]
    quantities: BTreeMap<String, i64>,
}

/// Very many items: the first products of the catalogue, as the ERP's sandbox has them, or items named by a number.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Bulk {
    catalogue: usize,
    count: u32,
    prefix: String,
    /// Units of each in the first warehouse.
    quantity: i64,
}

impl Sandbox {
    /// Puts items in, or sets the units of those that are there.
    pub(crate) fn control_inventory(&mut self, now: i64, req: &Req) -> Result<Value, Resp> {
        let seed: Seed = body(req)?;
        let mut made = 0;
        for item in seed.items {
            let mut stock = Vec::new();
            for (code, units) in &item.quantities {
                let place = WAREHOUSES.iter().position(|w| w.code == code);
                let at = place.and_then(|at| u8::try_from(at).ok());
                let at = at.ok_or_else(|| bad(&format!("warehouse `{code}` is not known")))?;
                if *units < 0 {
                    return Err(bad("`quantities` must not be negative"));
                }
                stock.push((at, *units));
            }
            if item.sku.is_empty() {
                return Err(bad("`sku` is empty"));
            }
            if !self.inventory.knows(&item.sku) {
                self.inventory.add(Item::empty(&item.sku, now));
                made += 1;
            }
            let sum = stock.iter().map(|(_, units)| units).sum();
            if let Some(known) = self.inventory.get_mut(&item.sku) {
                known.hold(stock.into(), sum);
            }
        }
        Ok(json!({"made": made}))
    }

    /// Puts very many in.
    pub(crate) fn control_bulk(&mut self, now: i64, req: &Req) -> Result<Value, Resp> {
        let bulk: Bulk = body(req)?;
        if bulk.quantity < 0 {
            return Err(bad("`quantity` must not be negative"));
        }
        let mut made = 0;
        for product in products(bulk.catalogue) {
            made += u64::from(self.inventory.add_product(&product, now));
        }
        for number in 1..=bulk.count {
            let sku = format!("{}{number:07}", bulk.prefix);
            if !self.inventory.knows(&sku) {
                let mut item = Item::empty(&sku, now);
                item.hold(Box::new([(0, bulk.quantity)]), bulk.quantity);
                self.inventory.add(item);
                made += 1;
            }
        }
        Ok(json!({"made": made, "items": self.inventory.items().len()}))
    }
}
