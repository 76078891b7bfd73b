//! Owns goods-out notes: making them from allocated or free stock, their events up to shipped, reading and searching. It
//! must not know reservations beyond using them up.

use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::account::{Brightpearl, STAFF_ID};
use super::call::Call;
use super::clock::{Zone, parse_instant};
use super::envelope::{Answer, Refusal, Reply, decimal, fixed, integer, number};
use super::idset::IdSet;
use super::search::{Cell, Column, Kind, Table};

/// Most ids of each set of a GET.
const MAX_IDS: i64 = 500;

/// The steps of a note, in order: code, code of the reverse, event name.
const STEPS: [(&str, &str, &str); 4] = [
    ("PRI", "UPR", "printed"),
    ("PIC", "UPI", "picked"),
    ("PAC", "UPA", "packed"),
    ("SHW", "", "shipped"),
];

/// A goods-out note.
#[derive(Debug, Clone)]
pub(super) struct Note {
    id: i64,
    order: i64,
    warehouse: i64,
    priority: bool,
    /// When and by whom each step was done.
    done: [Option<(i64, i64)>; 4],
    reference: String,
    method: i64,
    boxes: Option<i64>,
    weight: Option<Decimal>,
    release_date: Option<i64>,
    created_on: i64,
    visible_from: i64,
    /// Product and quantity by order row.
    rows: BTreeMap<i64, (i64, i64)>,
    sequence: i64,
    events: Vec<(i64, i64, &'static str)>,
    label_uri: String,
    version: i64,
}

impl Note {
    fn shipped(&self) -> bool {
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
    all: BTreeMap<i64, Note>,
    by_order: HashMap<i64, Vec<i64>>,
    next: i64,
    version: i64,
}

impl Notes {
    pub(super) fn new() -> Self {
        Self {
            all: BTreeMap::new(),
            by_order: HashMap::new(),
            next: 700_001,
            version: 88_001,
        }
    }

    /// Whether an order has notes, shipped or not.
    pub(super) fn any_of(&self, order: i64) -> bool {
        self.by_order.get(&order).is_some_and(|ids| !ids.is_empty())
    }

    /// All notes for the truth.
    pub(super) fn truth(&self) -> Vec<Value> {
        let row = |(row, (product, quantity)): (&i64, &(i64, i64))| json!({ "rowId": row, "productId": product, "quantity": quantity });
        self.all
            .values()
            .map(|note| {
                json!({
                    "id": note.id, "orderId": note.order, "warehouseId": note.warehouse,
                    "shipped": note.shipped(), "reference": note.reference,
                    "shippingMethodId": note.method, "rows": note.rows.iter().map(row).collect::<Vec<_>>(),
                })
            })
            .collect()
    }

    fn next_version(&mut self) -> i64 {
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
    /// `POST order/{id}/goods-note/goods-out`: one note per warehouse entry, all or none.
    pub(super) fn goods_out_post(&mut self, now: i64, order: &str, call: &Call) -> Answer {
        let id = self.order_id(order)?;
        let body = call.object()?;
        let mut plans = Vec::new();
        let mut taken: BTreeMap<i64, i64> = BTreeMap::new();
        let mut used: BTreeMap<(i64, i64), i64> = BTreeMap::new();
        for entry in body["warehouses"].as_array().into_iter().flatten() {
            let warehouse = integer(&entry["warehouseId"]).unwrap_or(0);
            if !self.lists.has("warehouse", warehouse) {
                let text = format!("Invalid warehouse id: {warehouse}");
                return Err(Refusal::bad("WHSC-011", text));
            }
            let rows = self.wanted(id, entry)?;
            for (row, product, quantity) in &rows {
                *taken.entry(*row).or_default() += quantity;
                self.may_note(id, *row, taken[row])?;
                let reserved = self.reserved(id, *row, warehouse);
                let free = used.entry((*product, warehouse)).or_default();
                *free += (quantity - reserved).max(0);
                if *free > self.stock.on_hand(*product, warehouse) {
                    let text =
                        format!("Not enough stock of product {product} in warehouse {warehouse}");
                    return Err(Refusal::bad("WHSB-010", text));
                }
            }
            plans.push((
                warehouse,
                rows,
                entry["releaseDate"].as_str().and_then(parse_instant),
            ));
        }
        if plans.is_empty() {
            return Err(Refusal::bad(
                "WHSC-012",
                "You have not supplied a warehouse",
            ));
        }
        let mut ids = Vec::new();
        for (warehouse, rows, release_date) in plans {
            ids.push(self.make_note(now, id, warehouse, &rows, release_date, &body));
        }
        Ok(Reply::ok(ids))
    }

    /// A note may not hold more than the row still has open.
    fn may_note(&self, order: i64, row: i64, quantity: i64) -> Result<(), Refusal> {
        let Some(order) = self.orders.get(order) else {
            return Ok(());
        };
        let held = order.on_notes.get(&row).copied().unwrap_or(0);
        let open = order
            .row(row)
            .map(|r| r.quantity - r.shipped)
            .unwrap_or_default();
        if Decimal::from(held + quantity) <= open && !order.cancelled {
            return Ok(());
        }
        let text = format!(
            "Row {row} of order {} has fewer than {quantity} units open",
            order.id
        );
        Err(Refusal::bad("WHSB-011", text))
    }

    fn reserved(&self, order: i64, row: i64, warehouse: i64) -> i64 {
        let reservation = self.orders.get(order).and_then(|o| o.reservation.as_ref());
        let here = reservation.filter(|r| r.warehouse == warehouse);
        here.and_then(|r| r.rows.get(&row))
            .map_or(0, |(_, quantity)| *quantity)
    }

    fn make_note(
        &mut self,
        now: i64,
        order_id: i64,
        warehouse: i64,
        wanted: &[(i64, i64, i64)],
        release_date: Option<i64>,
        body: &Value,
    ) -> i64 {
        let mut rows: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        let mut changed = Vec::new();
        for (row, product, quantity) in wanted {
            let from_reservation = self.reserved(order_id, *row, warehouse).min(*quantity);
            let fresh = quantity - from_reservation;
            if fresh > 0 {
                self.stock.level_mut(*product, warehouse).allocated += fresh;
                changed.push(*product);
            }
            if let Some(order) = self.orders.all.get_mut(&order_id) {
                *order.on_notes.entry(*row).or_default() += quantity;
                if let Some(reservation) = order.reservation.as_mut()
                    && let Some((_, left)) = reservation.rows.get_mut(row)
                {
                    *left -= from_reservation;
                }
            }
            rows.entry(*row).or_insert((*product, 0)).1 += quantity;
        }
        let mut method = integer(&body["shippingMethodId"]).unwrap_or(0);
        if let Some(order) = self.orders.all.get_mut(&order_id) {
            if let Some(reservation) = order.reservation.as_mut() {
                reservation.rows.retain(|_, (_, left)| *left > 0);
            }
            order.reservation = order.reservation.take().filter(|r| !r.rows.is_empty());
            order.refresh_codes();
            order.touch(now);
            if method == 0 {
                method = order.shipping_method;
            }
        }
        let id = self.notes.next;
        self.notes.next += 1;
        let version = self.notes.next_version();
        let siblings = self.notes.by_order.entry(order_id).or_default();
        siblings.push(id);
        let note = Note {
            id,
            order: order_id,
            warehouse,
            priority: body["priority"] == true,
            done: [None; 4],
            reference: String::new(),
            method,
            boxes: None,
            weight: None,
            release_date,
            created_on: now,
            visible_from: now,
            rows,
            sequence: i64::try_from(siblings.len()).unwrap_or(0),
            events: vec![(now, STAFF_ID, "PLA")],
            label_uri: body["labelUri"].as_str().unwrap_or("").to_owned(),
            version,
        };
        self.notes.all.insert(id, note);
        self.raise_stock(now, changed.into_iter());
        self.hooks.raise(now, "goods-out-note", "created", id);
        id
    }

    /// `GET order/{set}/goods-note/goods-out[/{set}]`.
    pub(super) fn goods_out_get(&self, orders: &str, notes: &str) -> Answer {
        let (orders, notes) = (any_or_set(orders)?, any_or_set(notes)?);
        let fits = |set: &Option<IdSet>, id: i64| set.as_ref().is_none_or(|s| s.contains(id));
        let found: Map<String, Value> = self
            .notes
            .all
            .values()
            .filter(|note| fits(&orders, note.order) && fits(&notes, note.id))
            .map(|note| (note.id.to_string(), note.view(self.zone())))
            .collect();
        if found.is_empty() {
            return Err(Refusal::missing("No goods-out notes found"));
        }
        Ok(Reply::ok(found))
    }

    fn note_mut(&mut self, id: &str) -> Result<&mut Note, Refusal> {
        let number: i64 = id.parse().unwrap_or(0);
        let gone = || Refusal::missing(format!("Cannot find goods-out note: {id}"));
        self.notes.all.get_mut(&number).ok_or_else(gone)
    }

    /// `PUT goods-note/goods-out/{id}`: allowed after shipping, tracking often comes late.
    pub(super) fn goods_out_put(&mut self, now: i64, id: &str, call: &Call) -> Answer {
        let body = call.object()?;
        let method = integer(&body["shipping"]["shippingMethodId"]);
        if let Some(method) = method.filter(|m| *m != 0 && !self.lists.has("shipping-method", *m)) {
            return Err(Refusal::bad(
                "WHSC-017",
                format!("Invalid shipping method id: {method}"),
            ));
        }
        let note = self.note_mut(id)?;
        let shipping = &body["shipping"];
        if let Some(text) = shipping["reference"].as_str() {
            text.clone_into(&mut note.reference);
        }
        note.method = method.unwrap_or(note.method);
        note.boxes = integer(&shipping["boxes"]).or(note.boxes);
        note.weight = decimal(&shipping["weight"]).or(note.weight);
        note.priority = body["priority"].as_bool().unwrap_or(note.priority);
        if let Some(text) = body["labelUri"].as_str() {
            text.clone_into(&mut note.label_uri);
        }
        let number = note.id;
        self.hooks.raise(now, "goods-out-note", "modified", number);
        Ok(Reply::done())
    }

    /// `DELETE order/{id}/goods-note/goods-out/{id}`: only while it has not left.
    pub(super) fn goods_out_delete(&mut self, now: i64, order: &str, id: &str) -> Answer {
        let order = self.order_id(order)?;
        let note = self.note_mut(id)?;
        if note.order != order {
            return Err(Refusal::missing(format!(
                "Cannot find goods-out note: {id}"
            )));
        }
        if note.shipped() {
            let text = format!("Goods-out note {id} is shipped and cannot be deleted");
            return Err(Refusal::new(409, "WHSB-012", text));
        }
        let note = note.clone();
        self.notes.all.remove(&note.id);
        if let Some(ids) = self.notes.by_order.get_mut(&order) {
            ids.retain(|other| *other != note.id);
        }
        self.take_off(now, &note, false);
        self.raise_stock(now, note.rows.values().map(|(product, _)| *product));
        self.hooks
            .raise(now, "goods-out-note", "destroyed", note.id);
        Ok(Reply::ok(note.id))
    }

    /// Ends a note's hold on stock: the units leave, or they are free again.
    fn take_off(&mut self, now: i64, note: &Note, leaves: bool) {
        for (row, (product, quantity)) in &note.rows {
            let level = self.stock.level_mut(*product, note.warehouse);
            level.allocated -= quantity;
            if leaves {
                level.in_stock -= quantity;
            }
            let Some(order) = self.orders.all.get_mut(&note.order) else {
                continue;
            };
            let held = order.on_notes.entry(*row).or_default();
            *held -= quantity;
            if *held <= 0 {
                order.on_notes.remove(row);
            }
            if let Some(row) = order
                .rows
                .iter_mut()
                .find(|r| r.id == *row)
                .filter(|_| leaves)
            {
                row.shipped += Decimal::from(*quantity);
            }
        }
        if let Some(order) = self.orders.all.get_mut(&note.order) {
            order.refresh_codes();
            order.touch(now);
        }
    }

    /// `POST goods-note/goods-out/{id}/event`.
    pub(super) fn goods_out_event(&mut self, now: i64, id: &str, call: &Call) -> Answer {
        let body = call.object()?;
        let if_match = call
            .if_match
            .as_ref()
            .map(|text| text.trim_matches('"').to_owned());
        let note = self.note_mut(id)?;
        if if_match.is_some_and(|text| text != note.version.to_string()) {
            let text = format!(
                "The event version of goods-out note {id} is {}",
                note.version
            );
            return Err(Refusal::new(412, "WHSB-013", text));
        }
        if note.shipped() {
            let text = format!("Goods-out note {id} is shipped and cannot be edited");
            return Err(Refusal::bad("WHSB-014", text));
        }
        let mut next = note.clone();
        let mut raised = Vec::new();
        let list = body["events"].as_array().cloned().unwrap_or_default();
        if list.is_empty() {
            return Err(Refusal::bad("WHSC-020", "You have not supplied an event"));
        }
        for event in &list {
            let at = event["occured"].as_str().and_then(parse_instant);
            let owner = integer(&event["eventOwnerId"]);
            let (Some(at), Some(owner)) = (at, owner) else {
                let text = "An event needs eventCode, occured and eventOwnerId";
                return Err(Refusal::bad("WHSC-021", text));
            };
            apply(
                &mut next,
                event["eventCode"].as_str().unwrap_or(""),
                at,
                owner,
                &mut raised,
            )?;
        }
        next.version = self.notes.next_version();
        let leaves = next.shipped();
        self.notes.all.insert(next.id, next.clone());
        if leaves {
            self.take_off(now, &next, true);
        }
        for word in raised {
            self.hooks
                .raise(now, "goods-out-note", &format!("modified.{word}"), next.id);
        }
        let whole = self
            .orders
            .get(next.order)
            .is_some_and(|o| o.shipping_code == "ASS");
        if leaves && whole {
            self.hooks
                .raise(now, "order", "modified.fully-shipped", next.order);
        }
        if leaves {
            self.hooks.raise(now, "order", "modified", next.order);
        }
        Ok(Reply::done())
    }

    /// `GET goods-note/goods-out-search`.
    pub(super) fn goods_out_search(&self, now: i64, call: &Call) -> Answer {
        let lag = self.settings.search_lag_ms;
        let seen = self
            .notes
            .all
            .values()
            .filter(|n| now - n.visible_from >= lag);
        let found = TABLE.search(seen, &call.query, self.zone())?;
        let body = json!({ "response": found.response, "reference": {} });
        Ok(Reply { status: 200, body })
    }

    /// `GET goods-note/goods-out-search/meta-data`.
    pub(super) fn goods_out_search_meta() -> Reply {
        Reply::ok(TABLE.meta_data())
    }

    /// What a warehouse user does in one go: a note for all open units (or those named), picked, packed and shipped.
    pub(super) fn ship_as_user(
        &mut self,
        now: i64,
        order: &str,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let id = self.order_id(order)?;
        let Some(sale) = self.orders.get(id) else {
            return Ok(Value::Null);
        };
        let warehouse = integer(&body["warehouseId"]).unwrap_or(sale.warehouse_id);
        let open = sale.rows.iter().filter(|row| row.tracked).filter_map(|row| {
            let held = Decimal::from(sale.on_notes.get(&row.id).copied().unwrap_or(0));
            let open = row.quantity - row.shipped - held;
            let named = &body["rows"][row.id.to_string()];
            let take = if body["rows"].is_object() { decimal(named)? } else { open };
            (take > Decimal::ZERO).then(|| {
                json!({ "productId": row.product_id, "salesOrderRowId": row.id, "quantity": fixed(take, 0) })
            })
        });
        let products: Vec<Value> = open.collect();
        let note = json!({
            "warehouses": [{ "warehouseId": warehouse, "products": products }],
            "shippingMethodId": body["shippingMethodId"],
        });
        let made = self.goods_out_post(now, order, &call_with(&note))?;
        let number = made.body["response"][0].as_i64().unwrap_or(0);
        let text = number.to_string();
        let shipping = json!({ "shipping": body });
        self.goods_out_put(now, &text, &call_with(&shipping))?;
        if body["shipped"] != false {
            let at = Zone::new(0).text(now);
            let event = json!({ "eventCode": "SHW", "occured": at, "eventOwnerId": STAFF_ID });
            self.goods_out_event(now, &text, &call_with(&json!({ "events": [event] })))?;
        }
        Ok(json!({ "goodsOutNoteId": number }))
    }
}

fn call_with(body: &Value) -> Call {
    Call::new("POST", "", Vec::new(), body.to_string().into_bytes())
}

/// Adds one event. Shipping adds the missing steps before it.
fn apply(
    note: &mut Note,
    code: &str,
    at: i64,
    owner: i64,
    raised: &mut Vec<String>,
) -> Result<(), Refusal> {
    for (index, (forward, back, word)) in STEPS.iter().enumerate() {
        if code == *forward {
            let first = if *forward == "SHW" { 0 } else { index };
            for (step, (code, _, word)) in STEPS.iter().enumerate().take(index + 1).skip(first) {
                if note.done[step].is_none() {
                    note.done[step] = Some((at, owner));
                    note.events.push((at, owner, code));
                    raised.push((*word).to_owned());
                }
            }
            return Ok(());
        }
        if code == *back && !back.is_empty() {
            note.done[index] = None;
            note.events.push((at, owner, back));
            raised.push(format!("un-{word}"));
            return Ok(());
        }
    }
    Err(Refusal::bad(
        "WHSC-022",
        format!("Invalid event code: {code}"),
    ))
}
