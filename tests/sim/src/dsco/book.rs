//! Owns the order book: orders, their indexes, and what readers see of them. Must not know tasks or streams.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::order::{Lifecycle, Order, Status};

/// What readers see of an order: rendered once per change.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) json: Arc<str>,
    pub(crate) id: u64,
    pub(crate) status: Status,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) order_type: String,
    pub(crate) account: &'static str,
    pub(crate) partner: &'static str,
    pub(crate) test: bool,
    pub(crate) created: i64,
    pub(crate) updated: i64,
}

/// All orders.
#[derive(Debug, Default)]
pub(crate) struct Book {
    orders: Vec<Order>,
    shown: Vec<Option<Arc<Snapshot>>>,
    /// When the latest change of each order becomes visible: later ones never overtake it.
    due: Vec<i64>,
    by_id: HashMap<u64, usize>,
    by_po: HashMap<String, Vec<usize>>,
    by_number: HashMap<String, Vec<usize>>,
    by_consumer: HashMap<String, Vec<usize>>,
    by_created: BTreeSet<(i64, usize)>,
    by_updated: BTreeSet<(i64, usize)>,
}

impl Book {
    /// Adds an order and returns its place.
    pub(crate) fn add(&mut self, order: Order) -> usize {
        let at = self.orders.len();
        self.by_id.insert(order.id, at);
        self.by_po.entry(order.po.clone()).or_default().push(at);
        self.by_consumer
            .entry(order.consumer_number.clone())
            .or_default()
            .push(at);
        self.orders.push(order);
        self.shown.push(None);
        self.due.push(i64::MIN);
        at
    }

    pub(crate) fn orders(&self) -> &[Order] {
        &self.orders
    }

    pub(crate) fn get(&self, at: usize) -> &Order {
        &self.orders[at]
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> &mut Order {
        &mut self.orders[at]
    }

    pub(crate) fn by_id(&self, id: u64) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// Places of all orders with this key; `None` for a kind of key that does not exist.
    pub(crate) fn find(&self, kind: &str, value: &str) -> Option<Vec<usize>> {
        let of = |map: &HashMap<String, Vec<usize>>| map.get(value).cloned().unwrap_or_default();
        Some(match kind {
            "dscoOrderId" => value
                .parse()
                .ok()
                .and_then(|id| self.by_id(id))
                .into_iter()
                .collect(),
            "poNumber" => of(&self.by_po),
            "supplierOrderNumber" => of(&self.by_number),
            "consumerOrderNumber" => of(&self.by_consumer),
            _ => return None,
        })
    }

    /// Remembers that an order got a supplier order number. The old number keeps pointing to nothing.
    pub(crate) fn renumber(&mut self, at: usize, old: Option<&str>, new: &str) {
        if let Some(places) = old.and_then(|old| self.by_number.get_mut(old)) {
            places.retain(|&place| place != at);
        }
        self.by_number.entry(new.to_owned()).or_default().push(at);
    }

    /// When a change wanted at `wish` may become visible.
    pub(crate) fn reserve(&mut self, at: usize, wish: i64) -> i64 {
        let due = wish.max(self.due[at]);
        self.due[at] = due;
        due
    }

    /// Makes a snapshot what readers see.
    pub(crate) fn show(&mut self, at: usize, snapshot: Arc<Snapshot>) {
        match self.shown[at].take() {
            Some(old) => {
                self.by_updated.remove(&(old.updated, at));
            }
            None => {
                self.by_created.insert((snapshot.created, at));
            }
        }
        self.by_updated.insert((snapshot.updated, at));
        self.shown[at] = Some(snapshot);
    }

    pub(crate) fn shown(&self, at: usize) -> Option<&Arc<Snapshot>> {
        self.shown[at].as_ref()
    }

    /// Places of visible orders created in `from..until`.
    pub(crate) fn created_between(&self, from: i64, until: i64) -> Vec<usize> {
        range(&self.by_created, from, until)
    }

    /// Places of visible orders updated after `from` and before `until`.
    pub(crate) fn updated_between(&self, from: i64, until: i64) -> Vec<usize> {
        range(&self.by_updated, from.saturating_add(1), until)
    }
}

fn range(index: &BTreeSet<(i64, usize)>, from: i64, until: i64) -> Vec<usize> {
    if from >= until {
        return Vec::new();
    }
    index
        .range((from, 0)..(until, 0))
        .map(|&(_, at)| at)
        .collect()
}
