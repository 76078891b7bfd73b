//! Owns stock: levels per product and warehouse, reservations of orders, availability. `onHand` is `inStock` less
//! `allocated`. It must not know goods-out notes beyond what they take and give back.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::account::Brightpearl;
use super::call::Call;
use super::envelope::{Answer, Refusal, Reply, integer};
use super::orders::Reservation;
use super::products::{Products, ids_of};
use crate::catalogue::WAREHOUSES;
use crate::dice::Dice;

/// Most ids of one availability GET.
const MAX_IDS: i64 = 500;

/// Units of one product in one warehouse.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Level {
    pub(super) in_stock: i64,
    pub(super) allocated: i64,
}

impl Level {
    fn view(self) -> Value {
        json!({
            "inStock": self.in_stock, "onHand": self.in_stock - self.allocated,
            "allocated": self.allocated, "inTransit": 0,
        })
    }
}

/// All levels. A product that a warehouse never held has none there.
#[derive(Debug)]
pub(super) struct Stock {
    levels: BTreeMap<(i64, i64), Level>,
}

impl Stock {
    /// Some units of every tracked product; every fifth is only in the first warehouse.
    pub(super) fn seeded(products: &Products, seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x57_0C4B);
        let mut levels = BTreeMap::new();
        for product in products.all.values().filter(|p| p.tracked) {
            for warehouse in WAREHOUSES {
                let main = warehouse.erp_id == WAREHOUSES[0].erp_id;
                let in_stock = if main {
                    dice.between(20, 200)
                } else {
                    dice.between(0, 40)
                };
                if main || product.id % 5 != 0 {
                    let level = Level {
                        in_stock,
                        allocated: 0,
                    };
                    levels.insert((product.id, warehouse.erp_id), level);
                }
            }
        }
        Self { levels }
    }

    pub(super) fn on_hand(&self, product: i64, warehouse: i64) -> i64 {
        let level = self
            .levels
            .get(&(product, warehouse))
            .copied()
            .unwrap_or_default();
        level.in_stock - level.allocated
    }

    pub(super) fn level_mut(&mut self, product: i64, warehouse: i64) -> &mut Level {
        self.levels.entry((product, warehouse)).or_default()
    }

    /// Every level, for who compares.
    pub(super) fn held(&self) -> Vec<Value> {
        let levels = self.levels.iter();
        levels
            .map(|((product, warehouse), level)| {
                json!({
                    "productId": product, "warehouseId": warehouse,
                    "onHand": level.in_stock - level.allocated,
                })
            })
            .collect()
    }

    fn of(&self, product: i64) -> impl Iterator<Item = (i64, Level)> {
        self.levels
            .range((product, i64::MIN)..=(product, i64::MAX))
            .map(|((_, warehouse), level)| (*warehouse, *level))
    }
}

impl Brightpearl {
    /// `GET product-availability/{set}`: bundles, untracked and unknown products are left out.
    pub(super) fn availability(&self, set: &str) -> Answer {
        let mut out = Map::new();
        for id in ids_of(set, MAX_IDS)? {
            let product = self.products.get(id);
            if product.is_none() && self.settings_strict_availability {
                return Err(Refusal::bad(
                    "WHSC-001",
                    format!("Invalid product id: {id}"),
                ));
            }
            if !product.is_some_and(|p| p.tracked) {
                continue;
            }
            let mut total = Level::default();
            let mut places = Map::new();
            for (warehouse, level) in self.stock.of(id) {
                total.in_stock += level.in_stock;
                total.allocated += level.allocated;
                places.insert(warehouse.to_string(), level.view());
            }
            if !places.is_empty() {
                let entry = json!({ "total": total.view(), "warehouses": places });
                out.insert(id.to_string(), entry);
            }
        }
        Ok(Reply::ok(out))
    }

    /// `GET bundle-availability/{id}`.
    pub(super) fn bundle_availability(&self, id: &str) -> Answer {
        let id: i64 = id.parse().unwrap_or(0);
        let bundle = self.products.get(id).filter(|p| p.is_bundle());
        if bundle.is_none() {
            return Err(Refusal::bad(
                "WHSC-002",
                format!("Product {id} is not a bundle"),
            ));
        }
        let mut total = 0;
        let mut places = Map::new();
        for warehouse in WAREHOUSES {
            let sets = self.sets(id, warehouse.erp_id, 0).unwrap_or(0).max(0);
            total += sets;
            places.insert(warehouse.erp_id.to_string(), json!({ "onHand": sets }));
        }
        let entry = json!({ "total": { "onHand": total }, "warehouses": places });
        Ok(Reply::ok(Map::from_iter([(id.to_string(), entry)])))
    }

    /// How many of a product a warehouse can give; `None` for what is not counted.
    fn sets(&self, id: i64, warehouse: i64, depth: usize) -> Option<i64> {
        let product = self.products.get(id).filter(|_| depth < 5)?;
        if !product.is_bundle() {
            return product.tracked.then(|| self.stock.on_hand(id, warehouse));
        }
        product
            .bundle
            .iter()
            .filter_map(|(part, each)| {
                Some(
                    self.sets(*part, warehouse, depth + 1)?
                        .div_euclid((*each).max(1)),
                )
            })
            .min()
    }

    /// `POST|PUT reservation`. A new one takes what is on hand; none at all is an error.
    pub(super) fn reserve(&mut self, now: i64, order: &str, warehouse: i64, call: &Call) -> Answer {
        let id = self.order_id(order)?;
        let body = call.object()?;
        let wanted = self.wanted(id, &body)?;
        if call.method == "POST" && self.orders.get(id).is_some_and(|o| o.reservation.is_some()) {
            return Err(Refusal::bad(
                "WHSB-001",
                format!("Order {id} already has a reservation"),
            ));
        }
        if !self.lists.has("warehouse", warehouse) {
            return Err(Refusal::bad(
                "WHSC-011",
                format!("Invalid warehouse id: {warehouse}"),
            ));
        }
        self.set_aside(now, id, warehouse, wanted)?;
        Ok(Reply::done())
    }

    /// A user, or the account's own automation, sets units aside for an order: all of its rows, or at most `units` of each.
    pub(super) fn reserve_as_user(
        &mut self,
        now: i64,
        order: &str,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let id = self.order_id(order)?;
        let most = body["units"].as_i64().unwrap_or(i64::MAX);
        let known = self.orders.get(id);
        let warehouse = integer(&body["warehouseId"]).or_else(|| Some(known?.warehouse_id));
        let rows = known.map(|o| o.rows.as_slice()).unwrap_or_default();
        let wanted = rows.iter().filter(|row| row.tracked).map(|row| {
            let units = row.quantity.normalize().to_string();
            (row.id, row.product_id, units.parse().unwrap_or(0).min(most))
        });
        let wanted: Vec<_> = wanted.collect();
        self.set_aside(now, id, warehouse.unwrap_or(0), wanted)?;
        Ok(json!({ "order": id }))
    }

    /// A user gives back what is set aside for an order.
    pub(super) fn release_as_user(&mut self, now: i64, order: &str) -> Result<Value, Refusal> {
        let id = self.order_id(order)?;
        self.release(now, id);
        Ok(json!({ "order": id }))
    }

    fn set_aside(
        &mut self,
        now: i64,
        id: i64,
        warehouse: i64,
        wanted: Vec<(i64, i64, i64)>,
    ) -> Result<(), Refusal> {
        self.release(now, id);
        let mut rows = BTreeMap::new();
        for (row, product, quantity) in wanted {
            let take = quantity.min(self.stock.on_hand(product, warehouse)).max(0);
            if take > 0 {
                self.stock.level_mut(product, warehouse).allocated += take;
                rows.insert(row, (product, take));
            }
        }
        if rows.is_empty() {
            return Err(Refusal::bad(
                "WHSB-002",
                format!("No stock could be reserved for order {id}"),
            ));
        }
        self.raise_stock(now, rows.values().map(|(product, _)| *product));
        if let Some(order) = self.orders.all.get_mut(&id) {
            order.reservation = Some(Reservation { warehouse, rows });
            order.refresh_codes();
        }
        self.hooks.raise(now, "order", "modified", id);
        Ok(())
    }

    /// The rows a request names, checked: row, product and quantity.
    pub(super) fn wanted(&self, id: i64, body: &Value) -> Result<Vec<(i64, i64, i64)>, Refusal> {
        let order = self.orders.get(id);
        let mut out = Vec::new();
        for entry in body["products"].as_array().into_iter().flatten() {
            let product = integer(&entry["productId"]).unwrap_or(0);
            if product == 0 {
                return Err(Refusal::bad(
                    "WHSC-014",
                    "You have not supplied a product id",
                ));
            }
            let row = integer(&entry["salesOrderRowId"]).unwrap_or(0);
            let known = order
                .and_then(|o| o.row(row))
                .filter(|r| r.product_id == product);
            if known.is_none() {
                let text = format!("Row {row} with product {product} is not on order {id}");
                return Err(Refusal::bad("WHSC-015", text));
            }
            let quantity = super::envelope::decimal(&entry["quantity"]);
            let quantity = quantity.and_then(|q| q.normalize().to_string().parse::<i64>().ok());
            let Some(quantity) = quantity.filter(|q| *q > 0) else {
                let text = format!("Invalid quantity for row {row}: {}", entry["quantity"]);
                return Err(Refusal::bad("WHSC-016", text));
            };
            if known.is_some_and(|r| r.tracked) {
                out.push((row, product, quantity));
            }
        }
        if out.is_empty() {
            return Err(Refusal::bad(
                "WHSC-013",
                "You have not supplied stock tracked products",
            ));
        }
        Ok(out)
    }

    /// `GET order/{id}/reservation`.
    pub(super) fn reservation_get(&self, order: &str) -> Answer {
        let id = self.order_id(order)?;
        let Some(reservation) = self.orders.get(id).and_then(|o| o.reservation.as_ref()) else {
            return Err(Refusal::missing(format!(
                "No reservation exists for order {id}"
            )));
        };
        let rows: Map<String, Value> = reservation
            .rows
            .iter()
            .map(|(row, (product, quantity))| {
                (
                    row.to_string(),
                    json!({ "productId": product, "quantity": quantity }),
                )
            })
            .collect();
        let entry =
            json!({ "orderId": id, "warehouseId": reservation.warehouse, "orderRows": rows });
        Ok(Reply::ok(vec![entry]))
    }

    /// `DELETE order/{id}/reservation`.
    pub(super) fn reservation_delete(&mut self, now: i64, order: &str) -> Answer {
        let id = self.order_id(order)?;
        if self.orders.get(id).is_none_or(|o| o.reservation.is_none()) {
            return Err(Refusal::missing(format!(
                "No reservation exists for order {id}"
            )));
        }
        self.release(now, id);
        Ok(Reply::done())
    }

    /// Gives the reservation of an order back, if there is one.
    pub(super) fn release(&mut self, now: i64, id: i64) {
        let Some(order) = self.orders.all.get_mut(&id) else {
            return;
        };
        let Some(reservation) = order.reservation.take() else {
            return;
        };
        order.refresh_codes();
        for (product, quantity) in reservation.rows.values() {
            self.stock
                .level_mut(*product, reservation.warehouse)
                .allocated -= quantity;
        }
        self.raise_stock(now, reservation.rows.values().map(|(product, _)| *product));
    }

    /// Tells that the available stock of some products changed.
    pub(super) fn raise_stock(&mut self, now: i64, products: impl Iterator<Item = i64>) {
        let distinct: BTreeSet<i64> = products.collect();
        for product in distinct {
            self.hooks
                .raise(now, "product", "modified.on-hand-modified", product);
        }
    }
}
