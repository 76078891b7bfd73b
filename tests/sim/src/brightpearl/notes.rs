//! Owns goods-out notes as records: how they are kept, shown and searched. It must not change them; read `note_write.rs`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::account::{Brightpearl, STAFF_ID};
use super::call::Call;
use super::clock::Zone;
use super::envelope::{Answer, Refusal, Reply, number};
use super::idset::IdSet;
use super::search::{Cell, Column, Kind, Table};

/// Most ids of each set of a GET.
const MAX_IDS: i64 = 500;

/// The steps of a note, in order: code, code of the reverse, event name.
pub(super) const STEPS: [(&str, &str, &str); 4] = [
    ("PRI", "UPR", "printed"),
    ("PIC", "UPI", "picked"),
    ("PAC", "UPA", "packed"),
    ("SHW", "", "shipped"),
];

/// A goods-out note.
#[derive(Debug, Clone)]
pub(super) struct Note {
    pub(super) id: i64,
    pub(super) order: i64,
    pub(super) warehouse: i64,
    pub(super) priority: bool,
    /// When and by whom each step was done.
    pub(super) done: [Option<(i64, i64)>; 4],
    pub(super) reference: String,
    pub(super) method: i64,
    pub(super) boxes: Option<i64>,
    pub(super) weight: Option<Decimal>,
    pub(super) release_date: Option<i64>,
    pub(super) created_on: i64,
    pub(super) visible_from: i64,
    /// Product and quantity by order row.
    pub(super) rows: BTreeMap<i64, (i64, i64)>,
    /// Goods that only change their warehouse: no order, no rows of one.
    pub(super) transfer: Option<Transfer>,
    /// When the account learnt that it left; searches trail this, whatever day the event names.
    pub(super) shipped_seen: Option<i64>,
    pub(super) sequence: i64,
    pub(super) events: Vec<(i64, i64, &'static str)>,
    pub(super) label_uri: String,
    pub(super) version: i64,
}

/// Where the goods of a transfer go.
#[derive(Debug, Clone)]
pub(super) struct Transfer {
    pub(super) id: i64,
    pub(super) target: i64,
    /// Product and quantity.
    pub(super) products: Vec<(i64, i64)>,
}

impl Note {
    /// As a search sees it that trails writes by `lag`: a note that has just left has not left yet.
    fn trailing(&self, now: i64, lag: i64) -> Cow<'_, Self> {
        if self.shipped_seen.is_none_or(|at| now - at >= lag) {
            return Cow::Borrowed(self);
        }
        let mut note = self.clone();
        note.done[3] = None;
        Cow::Owned(note)
    }

    /// The furthest step done, as a word.
    pub(super) fn stage(&self) -> &'static str {
        let last = (0..STEPS.len())
            .rev()
            .find(|step| self.done[*step].is_some());
        last.map_or("created", |step| STEPS[step].2)
    }

    pub(super) fn shipped(&self) -> bool {
        self.done[3].is_some()
    }

    fn view(&self, zone: Zone) -> Value {
        let mut status = Map::new();
        for ((_, _, word), done) in STEPS.iter().zip(self.done) {
            status.insert((*word).to_owned(), json!(done.is_some()));
            if let Some((at, by)) = done {
                status.insert(format!("{word}On"), json!(zone.text(at)));
                status.insert(format!("{word}ById"), json!(by));
            }
        }
        let mut shipping = json!({ "reference": self.reference, "shippingMethodId": self.method });
        if let Some(boxes) = self.boxes {
            shipping["boxes"] = json!(boxes);
        }
        if let Some(weight) = self.weight {
            shipping["weight"] = number(weight.normalize());
        }
        let rows: Map<String, Value> = self
            .rows
            .iter()
            .map(|(row, (product, quantity))| {
                (row.to_string(), places(*product, *quantity, self.warehouse))
            })
            .collect();
        let events: Vec<Value> = self
            .events
            .iter()
            .rev()
            .map(|(at, by, code)| {
                json!({ "occured": zone.text(*at), "eventOwnerId": by, "eventCode": code })
            })
            .collect();
        let mut view = json!({
            "orderId": self.order, "warehouseId": self.warehouse, "transfer": false,
            "priority": self.priority, "status": status, "shipping": shipping,
            "createdOn": zone.text(self.created_on), "createdBy": STAFF_ID, "orderRows": rows,
            "sequence": self.sequence, "events": events, "labelUri": self.label_uri,
            "lastEventVersion": self.version,
        });
        if let Some(at) = self.release_date {
            view["releaseDate"] = json!(zone.text(at));
        }
        if let (Some(transfer), Some(fields)) = (&self.transfer, view.as_object_mut()) {
            fields.remove("orderRows");
            let row = |(product, quantity): &(i64, i64)| json!({ "productId": product, "quantity": quantity, "locationId": self.warehouse });
            let rows: Vec<Value> = transfer.products.iter().map(row).collect();
            fields.insert("transferRows".to_owned(), json!(rows));
            fields.insert("transfer".to_owned(), json!(true));
            fields.insert("targetWarehouseId".to_owned(), json!(transfer.target));
            fields.insert("stockTransferId".to_owned(), json!(transfer.id));
        }
        view
    }
}

/// A row's units by location: more than two units lie in two places.
fn places(product: i64, quantity: i64, warehouse: i64) -> Value {
    let entry = |quantity: i64, place: i64| json!({ "productId": product, "quantity": quantity, "locationId": place });
    if quantity > 2 {
        return json!([entry(quantity - 1, warehouse), entry(1, warehouse + 100)]);
    }
    json!([entry(quantity, warehouse)])
}

/// All notes.
#[derive(Debug)]
pub(super) struct Notes {
    pub(super) all: BTreeMap<i64, Note>,
    pub(super) by_order: HashMap<i64, Vec<i64>>,
    pub(super) next: i64,
    pub(super) version: i64,
    /// Notes that were deleted, with the order each was of.
    pub(super) deleted: Vec<(i64, i64)>,
}

impl Notes {
    pub(super) fn new() -> Self {
        Self {
            all: BTreeMap::new(),
            by_order: HashMap::new(),
            next: 700_001,
            version: 88_001,
            deleted: Vec::new(),
        }
    }

    /// Whether an order has notes, shipped or not.
    pub(super) fn any_of(&self, order: i64) -> bool {
        self.by_order.get(&order).is_some_and(|ids| !ids.is_empty())
    }

    /// All that sets may mean, by index: those of the notes named, else those of the orders named, else all.
    fn named(&self, orders: Option<&IdSet>, notes: Option<&IdSet>) -> Vec<&Note> {
        let ids: Vec<i64> = match (orders, notes) {
            (_, Some(notes)) => notes.ids().into_iter().collect(),
            (Some(orders), None) => {
                let all = orders.ids();
                let of_orders = all.iter().filter_map(|order| self.by_order.get(order));
                of_orders.flatten().copied().collect()
            }
            (None, None) => return self.all.values().collect(),
        };
        ids.iter().filter_map(|id| self.all.get(id)).collect()
    }

    /// Deleted notes for the truth.
    pub(super) fn deleted_truth(&self) -> Vec<Value> {
        let view = |(id, order): &(i64, i64)| json!({ "id": id, "orderId": order });
        self.deleted.iter().map(view).collect()
    }

    /// All notes for the truth.
    pub(super) fn truth(&self) -> Vec<Value> {
        let row = |(row, (product, quantity)): (&i64, &(i64, i64))| {
            let (product, quantity) = (*product, *quantity);
            json!({ "rowId": row, "productId": product, "quantity": quantity })
        };
        self.all
            .values()
            .map(|note| {
                json!({
                    "id": note.id, "orderId": note.order, "warehouseId": note.warehouse,
                    "stage": note.stage(), "shipped": note.shipped(), "reference": note.reference,
                    "transfer": note.transfer.is_some(),
                    "shippedOn": note.done[3].map(|(at, _)| Zone::new(0).text(at)),
                    "shippingMethodId": note.method, "rows": note.rows.iter().map(row).collect::<Vec<_>>(),
                })
            })
            .collect()
    }

    pub(super) fn next_version(&mut self) -> i64 {
        self.version += 1;
        self.version
    }
}

static TABLE: Table<Note> = Table {
    columns: &[
        Column::new("goodsOutNoteId", Kind::Integer, |n| Cell::Int(n.id)),
        Column::new("printed", Kind::Bool, |n| Cell::Bool(n.done[0].is_some())),
        Column::new("picked", Kind::Bool, |n| Cell::Bool(n.done[1].is_some())),
        Column::new("packed", Kind::Bool, |n| Cell::Bool(n.done[2].is_some())),
        Column::new("shipped", Kind::Bool, |n| Cell::Bool(n.shipped())),
        Column::new("shippedOn", Kind::Period, |n| {
            Cell::time(n.done[3].map(|(at, _)| at))
        }),
        Column::new("orderId", Kind::Integer, |n| Cell::Int(n.order)),
        Column::new("shippingMethodId", Kind::IdSet, |n| Cell::Int(n.method)),
        Column::new("warehouseId", Kind::Integer, |n| Cell::Int(n.warehouse)),
        Column::new("priority", Kind::Bool, |n| Cell::Bool(n.priority)),
        Column::new("createdOn", Kind::Period, |n| Cell::Time(n.created_on)),
        Column::new("releaseDate", Kind::Period, |n| Cell::time(n.release_date)),
        Column::new("createdBy", Kind::Integer, |_| Cell::Int(STAFF_ID)),
        Column::shown("labelUri", Kind::Text, |n| Cell::filled(&n.label_uri)),
    ],
    filters: &[],
};

/// Reads one of the two id sets of a GET; `*` and nothing mean any.
fn any_or_set(text: &str) -> Result<Option<IdSet>, Refusal> {
    if text == "*" {
        return Ok(None);
    }
    let set = IdSet::parse(text)
        .ok_or_else(|| Refusal::bad("CMNC-011", format!("Invalid ID set: {text}")))?;
    if set.size() > MAX_IDS {
        let text = format!("The ID set may not name more than {MAX_IDS} resources");
        return Err(Refusal::bad("CMNC-012", text));
    }
    Ok(Some(set))
}

impl Brightpearl {
    /// `GET order/{set}/goods-note/goods-out[/{set}]`.
    pub(super) fn goods_out_get(&self, orders: &str, notes: &str) -> Answer {
        let (orders, notes) = (any_or_set(orders)?, any_or_set(notes)?);
        let fits = |set: &Option<IdSet>, id: i64| set.as_ref().is_none_or(|s| s.contains(id));
        let found: Map<String, Value> = self
            .notes
            .named(orders.as_ref(), notes.as_ref())
            .into_iter()
            .filter(|note| fits(&orders, note.order) && fits(&notes, note.id))
            .map(|note| (note.id.to_string(), note.view(self.zone())))
            .collect();
        if found.is_empty() {
            return Err(Refusal::missing("No goods-out notes found"));
        }
        Ok(Reply::ok(found))
    }

    /// `GET goods-note/goods-out-search`.
    pub(super) fn goods_out_search(&self, now: i64, call: &Call) -> Answer {
        let lag = self.settings.search_lag_ms;
        let visible = self.notes.all.values();
        let seen: Vec<Cow<'_, Note>> = visible
            .filter(|n| now - n.visible_from >= lag)
            .map(|n| n.trailing(now, lag))
            .collect();
        let records = seen.iter().map(AsRef::as_ref);
        let found = TABLE.search(records, &call.query, self.zone())?;
        let body = json!({ "response": found.response, "reference": {} });
        Ok(Reply { status: 200, body })
    }

    /// `GET goods-note/goods-out-search/meta-data`.
    pub(super) fn goods_out_search_meta() -> Reply {
        Reply::ok(TABLE.meta_data())
    }
}
