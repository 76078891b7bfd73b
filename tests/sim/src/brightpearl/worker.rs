//! Owns what a warehouse worker does in the account: notes for all or some open units, printed to shipped, edited, deleted,
//! and goods moved between warehouses. Everything goes the way the API goes, so the same rules hold. It must not know
//! how notes are kept.
//!
//! Control calls: `POST order/ID/note` with `{warehouseId, rows: {ROW: UNITS}, shippingMethodId, reference, boxes,
//! weight, stage, occured, backMs, topUp}`, everything optional (without `rows` all that is open; `topUp` false lets a note fail
//! for want of stock); `POST note/ID/edit` with `{reference, shippingMethodId, boxes, weight}`, `POST note/ID/stage`
//! with `{stage, occured, backMs}` (`backMs`: it happened that long ago), `POST note/ID/delete`; `POST transfer` with `{from, to, products: {ID: UNITS}, stage}`.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::account::{Brightpearl, STAFF_ID};
use super::call::Call;
use super::clock::Zone;
use super::envelope::{Refusal, decimal, fixed, integer};
use super::notes::{Note, STEPS, Transfer};

/// What came of it.
type Done = Result<Value, Refusal>;

/// Spare units that come in when a shelf is found empty.
const SPARE: i64 = 20;

impl Brightpearl {
    /// A note for all open units, or for those named; shipped at once unless `shipped` is false.
    pub(super) fn ship_as_user(&mut self, now: i64, order: &str, body: &Value) -> Done {
        let mut body = body.clone();
        body["topUp"] = json!(false);
        if body["shipped"] != false {
            body["stage"] = json!("shipped");
        }
        self.new_note_as_user(now, order, &body)
    }

    /// A note, as far as `stage` says.
    pub(super) fn new_note_as_user(&mut self, now: i64, order: &str, body: &Value) -> Done {
        let id = self.order_id(order)?;
        let Some(sale) = self.orders.get(id) else {
            return Ok(Value::Null);
        };
        let warehouse = integer(&body["warehouseId"]).unwrap_or(sale.warehouse_id);
        let mut products = Vec::new();
        let mut needed: BTreeMap<i64, i64> = BTreeMap::new();
        for row in sale.rows.iter().filter(|row| row.tracked) {
            let held = Decimal::from(sale.on_notes.get(&row.id).copied().unwrap_or(0));
            let take = if body["rows"].is_object() {
                decimal(&body["rows"][row.id.to_string()]).unwrap_or_default()
            } else {
                row.quantity - row.shipped - held
            };
            if take <= Decimal::ZERO {
                continue;
            }
            let units = fixed(take, 0);
            *needed.entry(row.product_id).or_default() += units.parse::<i64>().unwrap_or(0);
            products.push(json!({ "productId": row.product_id, "salesOrderRowId": row.id, "quantity": units }));
        }
        if body["topUp"] != false {
            self.top_up(now, warehouse, &needed);
        }
        let note = json!({
            "warehouses": [{ "warehouseId": warehouse, "products": products }],
            "shippingMethodId": body["shippingMethodId"],
        });
        let made = self.goods_out_post(now, order, &call_with(&note))?;
        let number = made.body["response"][0].as_i64().unwrap_or(0).to_string();
        if ["reference", "boxes", "weight"]
            .iter()
            .any(|name| !body[*name].is_null())
        {
            self.goods_out_put(now, &number, &call_with(&json!({ "shipping": body })))?;
        }
        self.bring_to_stage(now, &number, body)?;
        Ok(json!({ "goodsOutNoteId": integer(&json!(number)) }))
    }

    /// Goods come in where a shelf holds too few.
    fn top_up(&mut self, now: i64, warehouse: i64, needed: &BTreeMap<i64, i64>) {
        let mut came = Vec::new();
        for (product, units) in needed {
            let lacking = units - self.stock.on_hand(*product, warehouse);
            if lacking > 0 {
                self.stock.level_mut(*product, warehouse).in_stock += lacking + SPARE;
                came.push(*product);
            }
        }
        self.raise_stock(now, came.into_iter());
    }

    /// What a person does with a note that is there.
    pub(super) fn note_as_user(&mut self, now: i64, id: &str, action: &str, body: &Value) -> Done {
        let number: i64 = id.parse().unwrap_or(0);
        let found = self.notes.all.get(&number);
        let order = found.ok_or_else(|| Refusal::missing("no such note"))?.order;
        match action {
            "edit" => {
                drop(self.goods_out_put(now, id, &call_with(&json!({ "shipping": body })))?);
            }
            "stage" => self.bring_to_stage(now, id, body)?,
            "delete" => drop(self.goods_out_delete(now, &order.to_string(), id)?),
            _ => {
                let text = "a control of a note is edit, stage or delete";
                return Err(Refusal::missing(text));
            }
        }
        Ok(json!({ "goodsOutNoteId": number }))
    }

    /// Takes a note as far as `stage` says, as of `occured` or now.
    fn bring_to_stage(&mut self, now: i64, id: &str, body: &Value) -> Result<(), Refusal> {
        let wanted = body["stage"].as_str().unwrap_or("created");
        let Some(last) = STEPS.iter().position(|(_, _, word)| *word == wanted) else {
            return if wanted == "created" {
                Ok(())
            } else {
                Err(Refusal::bad("SIMC-003", format!("no stage `{wanted}`")))
            };
        };
        let earlier = body["backMs"].as_i64().unwrap_or(0);
        let now_text = Zone::new(0).text(now - earlier);
        let at = body["occured"].as_str().unwrap_or(&now_text);
        let number: i64 = id.parse().unwrap_or(0);
        let done = self.notes.all.get(&number).map(|note| note.done);
        let events: Vec<Value> = STEPS
            .iter()
            .take(last + 1)
            .enumerate()
            .filter(|(step, _)| done.is_none_or(|done| done[*step].is_none()))
            .map(|(_, (code, ..))| json!({ "eventCode": code, "occured": at, "eventOwnerId": STAFF_ID }))
            .collect();
        if events.is_empty() {
            return Ok(());
        }
        self.goods_out_event(now, id, &call_with(&json!({ "events": events })))?;
        Ok(())
    }

    /// Goods go from one warehouse to another: a note without an order.
    pub(super) fn transfer_as_user(&mut self, now: i64, body: &Value) -> Value {
        let from = integer(&body["from"]).unwrap_or(2);
        let target = integer(&body["to"]).unwrap_or(3);
        let named = body["products"].as_object().into_iter().flatten();
        let products: Vec<(i64, i64)> = named
            .filter_map(|(id, units)| Some((id.parse().ok()?, integer(units)?)))
            .collect();
        let id = self.notes.next;
        self.notes.next += 1;
        let version = self.notes.next_version();
        let shipped = body["stage"] == "shipped";
        let note = Note {
            id,
            order: 0,
            warehouse: from,
            priority: false,
            done: [shipped.then_some((now, STAFF_ID)); 4],
            reference: String::new(),
            method: 0,
            boxes: None,
            weight: None,
            release_date: None,
            created_on: now,
            visible_from: now,
            rows: BTreeMap::new(),
            transfer: Some(Transfer {
                id: id - 600_000,
                target,
                products: products.clone(),
            }),
            shipped_seen: shipped.then_some(now),
            sequence: 1,
            events: vec![(now, STAFF_ID, "PLA")],
            label_uri: String::new(),
            version,
        };
        self.notes.all.insert(id, note);
        for (product, units) in &products {
            self.stock.level_mut(*product, from).in_stock -= units;
        }
        self.raise_stock(now, products.into_iter().map(|(product, _)| product));
        self.hooks.raise(now, "goods-out-note", "created", id);
        if shipped {
            self.hooks
                .raise(now, "goods-out-note", "modified.shipped", id);
        }
        json!({ "goodsOutNoteId": id })
    }
}

fn call_with(body: &Value) -> Call {
    Call::new("POST", "", Vec::new(), body.to_string().into_bytes())
}
