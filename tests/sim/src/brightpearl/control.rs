//! Owns what tests and people may do behind the API's back: settings, tokens, stock, statuses, products, orders made in
//! the UI, webhooks that go astray (`hook*`), multi-messages that end badly (`multi*`), another app that burns requests
//! (`burnPerMinute`). What the warehouse does is in `worker.rs`. It must not know faults, counters or the clock; the
//! server owns those.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::account::Brightpearl;
use super::call::Call;
use super::envelope::{Refusal, Reply, decimal, integer, render};
use super::options::DuplicateRef;
use super::order_create::Origin;
use super::orders::OrderNote;
use super::products::Product;
use super::reference::STATUS_CANCELLED;
use crate::vendor::{Req, Resp};

/// Result of a control request.
type Done = Result<Value, Refusal>;

impl Brightpearl {
    /// Answers a path under `/_sim/`.
    pub(super) fn run_control(&mut self, now: i64, req: &Req) -> Resp {
        let body = if req.body.is_empty() {
            Ok(json!({}))
        } else {
            req.json()
        };
        let Ok(body) = body else {
            return Resp::json(400, &json!({ "error": "the body is not JSON" }));
        };
        let segments = req.segments();
        let path = segments.strip_prefix(&["_sim"]).unwrap_or(&segments);
        let done = match (req.method.as_str(), path) {
            ("GET", ["settings"]) => Ok(self.settings_view()),
            ("GET", ["events"]) => {
                let after = req.param("after").and_then(|t| t.parse().ok()).unwrap_or(0);
                Ok(self.hooks.events_after(after))
            }
            ("GET", ["notes"]) => Ok(json!(self.notes.truth())),
            ("POST" | "PUT" | "PATCH", ["settings"]) => self.set(&body),
            ("POST", ["expire-tokens"]) => {
                self.auth.expire_all(now);
                Ok(json!({}))
            }
            ("GET", ["tokens"]) => Ok(json!(self.auth.given())),
            ("POST", ["burn"]) => Ok(self.burn(now, &body)),
            ("POST", ["stock"]) => self.set_stock(now, &body),
            ("POST", ["status", id]) => Ok(self.set_status(id, &body)),
            ("POST", ["product"]) => Ok(self.add_product(now, &body)),
            ("POST", ["product", id]) => self.edit_product(now, id, &body),
            ("POST", ["order"]) => self.order_in_ui(now, &body),
            ("GET", ["sales"]) => {
                let after = req.param("after").and_then(|t| t.parse().ok()).unwrap_or(0);
                Ok(self.sales_after(after))
            }
            ("GET", ["uninvoiced"]) => Ok(self.uninvoiced()),
            ("POST", ["hooks", "forget"]) => {
                self.hooks.registered.clear();
                Ok(json!({}))
            }
            ("GET", ["hooks"]) => Ok(self.hooks.report()),
            ("POST", ["transfer"]) => Ok(self.transfer_as_user(now, &body)),
            ("POST", ["note", id, action]) => self.note_as_user(now, id, action, &body),
            ("POST", ["order", id, rest @ ..]) => self.control_order(now, id, rest, &body),
            _ => Err(Refusal::missing(format!(
                "no control answers {} {}",
                req.method, req.path
            ))),
        };
        match done {
            Ok(view) => Resp::json(200, &view),
            Err(refusal) => {
                let reply = Reply::from(refusal);
                let text = render(&reply.body);
                let body = serde_json::from_str(&text).unwrap_or(Value::Null);
                Resp::json(reply.status, &body)
            }
        }
    }

    fn control_order(&mut self, now: i64, id: &str, action: &[&str], body: &Value) -> Done {
        match action {
            ["status"] => self.status_in_ui(now, id, body),
            ["row", row] => self.row_in_ui(now, id, row, body),
            ["ship"] => self.ship_as_user(now, id, body),
            ["note"] => self.new_note_as_user(now, id, body),
            ["invoice"] => self.invoice_in_ui(now, id, body),
            ["reserve"] => self.reserve_as_user(now, id, body),
            ["release"] => self.release_as_user(now, id),
            _ => Err(Refusal::missing(
                "a control of an order is status, row, ship, note, invoice, reserve or release",
            )),
        }
    }

    /// The settings that can be read and changed.
    pub(super) fn settings_view(&self) -> Value {
        let duplicate = match self.settings.duplicate_ref {
            DuplicateRef::Status400 => 400,
            DuplicateRef::Status409 => 409,
        };
        json!({
            "account": self.settings.account, "requestsPerMinute": self.settings.requests_per_minute,
            "throttle": self.settings.throttle, "searchLagMs": self.settings.search_lag_ms,
            "duplicateRef": duplicate, "enforceUniquePair": self.settings.enforce_unique_pair,
            "zoneOffsetMinutes": self.settings.zone_offset_minutes,
            "tokenLifeSeconds": self.settings.token_life_s,
            "invoiceDelayMs": self.settings.invoice_delay_ms, "apiDomain": self.auth.api_domain,
            "codeLifeMs": self.auth.code_life_ms, "rotateRefresh": self.auth.rotate,
            "strictAvailability": self.settings_strict_availability,
            "hookBatchMs": self.hooks.batch_ms, "hookRetryMs": self.hooks.retry_ms,
            "hookLoseNext": self.hooks.lose_next, "hookDoubleNext": self.hooks.double_next,
            "hookLose": self.hooks.shake.lose, "hookDouble": self.hooks.shake.double,
            "hookDelayMs": self.hooks.shake.delay_ms, "burnPerMinute": self.burn.per_minute,
            "multiStatus": self.multi.status, "multiFailNext": self.multi.fail_next,
            "multiFailChance": self.multi.chance,
            "multiFailStatus": self.multi.fail_status, "multiStopAfter": self.multi.stop_after,
        })
    }

    /// Changes the named settings; an unknown name or a wrong value changes nothing more and is refused.
    fn set(&mut self, body: &Value) -> Done {
        for (name, value) in body.as_object().into_iter().flatten() {
            if self.set_one(name, value).is_none() {
                let text = format!("cannot set `{name}` to {value}");
                return Err(Refusal::bad("SIMC-001", text));
            }
        }
        Ok(self.settings_view())
    }

    fn set_one(&mut self, name: &str, value: &Value) -> Option<()> {
        let small = || value.as_u64().and_then(|n| u32::try_from(n).ok());
        match name {
            "requestsPerMinute" => self.settings.requests_per_minute = small()?,
            "throttle" => self.settings.throttle = value.as_bool()?,
            "searchLagMs" => self.settings.search_lag_ms = value.as_i64()?,
            "enforceUniquePair" => self.settings.enforce_unique_pair = value.as_bool()?,
            "duplicateRef" => {
                self.settings.duplicate_ref = match value.as_i64()? {
                    400 => DuplicateRef::Status400,
                    409 => DuplicateRef::Status409,
                    _ => return None,
                }
            }
            "zoneOffsetMinutes" => {
                self.settings.zone_offset_minutes = i32::try_from(value.as_i64()?).ok()?;
            }
            "tokenLifeSeconds" => {
                self.settings.token_life_s = value.as_i64()?;
                self.auth.set_life(self.settings.token_life_s);
            }
            "invoiceDelayMs" => self.settings.invoice_delay_ms = value.as_i64()?,
            "codeLifeMs" => self.auth.code_life_ms = value.as_i64()?,
            "rotateRefresh" => self.auth.rotate = value.as_bool()?,
            "apiDomain" => self.auth.api_domain = value.as_str().map(str::to_owned),
            "strictAvailability" => self.settings_strict_availability = value.as_bool()?,
            "hookBatchMs" => self.hooks.batch_ms = value.as_i64()?,
            "hookRetryMs" => {
                let list = value.as_array()?.iter().map(Value::as_i64);
                self.hooks.retry_ms = list.collect::<Option<Vec<i64>>>()?;
            }
            "hookLoseNext" => self.hooks.lose_next = small()?,
            "hookDoubleNext" => self.hooks.double_next = small()?,
            "hookLose" => self.hooks.shake.lose = value.as_f64()?,
            "hookDouble" => self.hooks.shake.double = value.as_f64()?,
            "hookDelayMs" => self.hooks.shake.delay_ms = value.as_i64()?,
            "burnPerMinute" => self.burn.per_minute = value.as_i64().filter(|n| *n >= 0)?,
            "multiStatus" if value.is_null() => self.multi.status = None,
            "multiStatus" => self.multi.status = Some(status_of(value)?),
            "multiFailNext" => self.multi.fail_next = small()?,
            "multiFailChance" => self.multi.chance = value.as_f64()?,
            "multiFailStatus" => self.multi.fail_status = status_of(value)?,
            "multiStopAfter" => {
                let list = value.as_array()?.iter().map(Value::as_u64);
                self.multi.stop_after = list.collect::<Option<_>>()?;
            }
            _ => return None,
        }
        Some(())
    }

    /// Another app spends requests of every pool.
    fn burn(&mut self, now: i64, body: &Value) -> Value {
        let count = body["count"]
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(1);
        self.throttle
            .burn(now, &["account".to_owned()], count, None);
        json!({ "burnt": count })
    }

    /// The product a control names by `productId` or `sku` (the first with that SKU).
    fn named_product(&self, body: &Value) -> Result<i64, Refusal> {
        let by_id = integer(&body["productId"]).filter(|id| self.products.get(*id).is_some());
        let by_sku = || {
            let sku = body["sku"].as_str().filter(|sku| !sku.is_empty())?;
            self.products
                .all
                .values()
                .find(|p| p.sku == sku)
                .map(|p| p.id)
        };
        by_id
            .or_else(by_sku)
            .ok_or_else(|| Refusal::missing("no such product"))
    }

    fn set_stock(&mut self, now: i64, body: &Value) -> Done {
        let product = self.named_product(body)?;
        let warehouse = integer(&body["warehouseId"]).unwrap_or(2);
        let Some(in_stock) = integer(&body["inStock"]) else {
            return Err(Refusal::bad("SIMC-002", "`inStock` is needed"));
        };
        self.stock.level_mut(product, warehouse).in_stock = in_stock;
        self.raise_stock(now, [product].into_iter());
        Ok(json!({ "productId": product, "onHand": self.stock.on_hand(product, warehouse) }))
    }

    /// Renames, disables or adds a status.
    fn set_status(&mut self, id: &str, body: &Value) -> Value {
        let id: i64 = id.parse().unwrap_or(0);
        let found = self
            .lists
            .statuses
            .iter_mut()
            .find(|status| status.id == id);
        let Some(status) = found else {
            let name = body["name"].as_str().unwrap_or("New status").to_owned();
            let status = super::reference::Status {
                id,
                name,
                order_type: "SO",
                disabled: false,
            };
            self.lists.statuses.push(status);
            return json!({ "statusId": id });
        };
        if let Some(name) = body["name"].as_str() {
            name.clone_into(&mut status.name);
        }
        status.disabled = body["disabled"].as_bool().unwrap_or(status.disabled);
        json!({ "statusId": id, "name": status.name, "disabled": status.disabled })
    }

    fn add_product(&mut self, now: i64, body: &Value) -> Value {
        let id = self.products.next_id();
        let mut product = Product::plain(id, "New product");
        product.tracked = true;
        product.created_on = now;
        product.visible_from = now;
        fill_product(&mut product, body);
        let tracked = product.tracked;
        self.products.all.insert(id, product);
        if tracked {
            for (warehouse, units) in body["stock"].as_object().into_iter().flatten() {
                if let (Ok(warehouse), Some(units)) = (warehouse.parse(), integer(units)) {
                    self.stock.level_mut(id, warehouse).in_stock = units;
                }
            }
        }
        self.hooks.raise(now, "product", "created", id);
        json!({ "productId": id })
    }

    fn edit_product(&mut self, now: i64, id: &str, body: &Value) -> Done {
        let id: i64 = id.parse().unwrap_or(0);
        let found = self.products.all.get_mut(&id);
        let product = found.ok_or_else(|| Refusal::missing("no such product"))?;
        fill_product(product, body);
        product.updated_on = Some(now);
        self.hooks.raise(now, "product", "modified", id);
        Ok(json!({ "productId": id }))
    }

    /// An order typed in by a user: the body of a sales order, type by `orderTypeCode`.
    fn order_in_ui(&mut self, now: i64, body: &Value) -> Done {
        let kind = match body["orderTypeCode"].as_str() {
            Some("PO") => "PO",
            Some("SC") => "SC",
            Some("PC") => "PC",
            _ => "SO",
        };
        let mut body = body.clone();
        if kind == "PO" && body["statusId"].is_null() {
            body["statusId"] = json!(6);
        }
        let id = self.create_order(now, &body, kind, Origin::Ui)?;
        Ok(json!({ "orderId": id }))
    }

    /// A status set by a user. With `force` the rules of cancelling do not apply.
    fn status_in_ui(&mut self, now: i64, id: &str, body: &Value) -> Done {
        let id = self.order_id(id)?;
        if body["force"] != true {
            self.change_status(now, id, body)?;
            return Ok(json!({ "orderId": id }));
        }
        let wanted = integer(&body["orderStatusId"]).unwrap_or(STATUS_CANCELLED);
        let note = OrderNote {
            id: self.orders.note_id(),
            text: format!("Status forced to {wanted}"),
            is_public: false,
            added_on: now,
        };
        if let Some(order) = self.orders.all.get_mut(&id) {
            order.status_id = wanted;
            order.cancelled = wanted == STATUS_CANCELLED;
            order.notes.push(note);
            order.touch(now);
        }
        self.hooks.raise(now, "order", "modified.order-status", id);
        self.hooks.raise(now, "order", "modified", id);
        Ok(json!({ "orderId": id }))
    }

    /// Invoices: at once, or with `pending` as long as the account's accounting takes.
    fn invoice_in_ui(&mut self, now: i64, id: &str, body: &Value) -> Done {
        let delay = self.settings.invoice_delay_ms;
        if body["pending"] != true {
            self.settings.invoice_delay_ms = 0;
        }
        let call = Call::new("POST", "", Vec::new(), body.to_string().into_bytes());
        let closed = self.close(now, id, &call);
        self.settings.invoice_delay_ms = delay;
        closed?;
        self.finish_invoices(now);
        Ok(json!({ "orderId": self.order_id(id)? }))
    }
}

/// A status of a failure.
fn status_of(value: &Value) -> Option<u16> {
    let status = value.as_u64().and_then(|n| u16::try_from(n).ok());
    status.filter(|n| (400..600).contains(n))
}

/// Takes over the parts of a product that a control names.
fn fill_product(product: &mut Product, from: &Value) {
    let slots = [
        ("name", &mut product.name),
        ("sku", &mut product.sku),
        ("ean", &mut product.ean),
        ("upc", &mut product.upc),
        ("isbn", &mut product.isbn),
        ("mpn", &mut product.mpn),
        ("barcode", &mut product.barcode),
    ];
    for (key, slot) in slots {
        if let Some(text) = from[key].as_str() {
            text.clone_into(slot);
        }
    }
    product.live = from["live"].as_bool().unwrap_or(product.live);
    product.tracked = from["tracked"].as_bool().unwrap_or(product.tracked);
    product.price = decimal(&from["price"])
        .unwrap_or(product.price)
        .max(Decimal::ZERO);
    if let Some(parts) = from["bundle"].as_array() {
        let part = |part: &Value| Some((integer(&part[0])?, integer(&part[1])?));
        product.bundle = parts.iter().filter_map(part).collect();
        product.tracked &= product.bundle.is_empty();
    }
}
