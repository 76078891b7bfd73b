//! Owns the making and changing of goods-out notes: stock taken, events up to shipped, deletion. It must not know how notes
//! are shown or searched.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::Value;

use super::account::{Brightpearl, STAFF_ID};
use super::call::Call;
use super::clock::parse_instant;
use super::envelope::{Answer, Refusal, Reply, decimal, integer};
use super::notes::{Note, STEPS};

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
            transfer: None,
            shipped_seen: None,
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
        self.notes.deleted.push((note.id, note.order));
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
        next.shipped_seen = leaves.then_some(now);
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
