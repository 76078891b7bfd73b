//! Owns changes of existing orders: header patch, status with the rules of cancelling, notes, custom fields, closing. It
//! must not make orders or show them in lists.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::account::Brightpearl;
use super::call::{Call, operations};
use super::clock::{DAY_MS, midnight_utc, parse_instant};
use super::custom::{self, OF_ORDERS};
use super::envelope::{Answer, Refusal, Reply, integer};
use super::order_create::REFERENCE;
use super::orders::{Order, OrderNote};
use super::reference::{STATUS_CANCELLED, STATUS_INVOICED};

/// The invoice reference while accounting has not answered.
const PENDING: &str = "pending";

impl Brightpearl {
    /// The id of an existing order, or the refusal that names it.
    pub(super) fn order_id(&self, text: &str) -> Result<i64, Refusal> {
        let id: i64 = text.parse().unwrap_or(0);
        if self.orders.get(id).is_some() {
            return Ok(id);
        }
        Err(Refusal::bad(
            "ORDC-003",
            format!("You have supplied an invalid order id: {text}"),
        ))
    }

    fn edit(&mut self, id: i64) -> Result<&mut Order, Refusal> {
        self.orders.all.get_mut(&id).ok_or_else(|| {
            Refusal::bad(
                "ORDC-003",
                format!("You have supplied an invalid order id: {id}"),
            )
        })
    }

    /// `PATCH order/{id}`: all operations or none; the answer still carries the old `updatedOn`.
    pub(super) fn order_patch(&mut self, now: i64, id: &str, call: &Call) -> Answer {
        let id = self.order_id(id)?;
        let ops = operations(call)?;
        let mut order = self.edit(id)?.clone();
        for op in &ops {
            self.patch_order(&mut order, &op.verb, &op.path, &op.value)?;
        }
        let reference = order.reference.clone();
        order.version += 1;
        let mut view = self.order_view(&order);
        if !order.custom.is_empty() {
            view["customFields"] = custom::view(OF_ORDERS, &order.custom, false);
        }
        order.updated_on = Some(now);
        order.reference.clone_from(&self.edit(id)?.reference);
        self.orders.all.insert(id, order);
        self.orders.rename(id, &reference);
        self.hooks.raise(now, "order", "modified", id);
        Ok(Reply::ok(view))
    }

    fn patch_order(
        &self,
        order: &mut Order,
        op: &str,
        path: &str,
        value: &Value,
    ) -> Result<(), Refusal> {
        let invoiced = order.status_id == STATUS_INVOICED || order.closed_on.is_some();
        match (op, path) {
            ("replace", "/reference") => {
                let text = value.as_str().unwrap_or("");
                if text.chars().count() > REFERENCE {
                    let text =
                        format!("The reference may not be longer than {REFERENCE} characters");
                    return Err(Refusal::bad("ORDC-031", text));
                }
                text.clone_into(&mut order.reference);
            }
            ("remove", "/reference") => order.reference.clear(),
            ("replace", "/warehouseId") => {
                let id = self.listed("warehouse", "warehouse", "ORDC-011", value)?;
                if order.reservation.is_some() || !order.on_notes.is_empty() {
                    let text = "The warehouse cannot be changed while stock is allocated";
                    return Err(Refusal::bad("ORDB-010", text));
                }
                order.warehouse_id = id;
            }
            ("replace", "/delivery/shippingMethodId") => {
                order.shipping_method = match integer(value) {
                    Some(0) => 0,
                    _ => self.listed("shipping-method", "shipping method", "ORDC-013", value)?,
                };
            }
            ("remove", "/delivery/shippingMethodId") => order.shipping_method = 0,
            ("replace", "/delivery/deliveryDate") => {
                let at = value.as_str().and_then(parse_instant);
                let fault = || Refusal::bad("ORDC-030", format!("Invalid date: {value}"));
                order.delivery_date = Some(at.ok_or_else(fault)?);
            }
            ("replace", "/parties/customer/contactId" | "/parties/billing/contactId") => {
                if invoiced {
                    let text = "The parties of an invoiced order cannot be changed";
                    return Err(Refusal::bad("ORDB-011", text));
                }
                let id = integer(value).filter(|id| self.contacts.get(*id).is_some());
                let fault = || Refusal::bad("ORDC-002", format!("Invalid contact id: {value}"));
                let id = id.ok_or_else(fault)?;
                if path.contains("customer") {
                    order.customer_id = id;
                    order.customer_address = self.contacts.address_of(id, "DEF");
                } else {
                    order.billing_contact = id;
                    order.billing_address = self.contacts.address_of(id, "BIL");
                }
            }
            _ => return Err(Refusal::patch(op, path)),
        }
        Ok(())
    }

    fn listed(
        &self,
        list: &str,
        word: &str,
        code: &'static str,
        value: &Value,
    ) -> Result<i64, Refusal> {
        integer(value)
            .filter(|id| self.lists.has(list, *id))
            .ok_or_else(|| {
                Refusal::bad(
                    code,
                    format!("You have supplied an invalid {word} id: {value}"),
                )
            })
    }

    /// `PUT order/{id}/status`.
    pub(super) fn status_put(&mut self, now: i64, id: &str, call: &Call) -> Answer {
        let id = self.order_id(id)?;
        let body = call.object()?;
        self.change_status(now, id, &body)?;
        Ok(Reply::done())
    }

    /// Sets a status and writes the note that always goes with it.
    pub(super) fn change_status(&mut self, now: i64, id: i64, body: &Value) -> Result<(), Refusal> {
        let wanted = integer(&body["orderStatusId"]);
        let missing = || Refusal::bad("ORDC-009", "You have not supplied an order status id");
        let wanted = wanted.ok_or_else(missing)?;
        let order = self.edit(id)?;
        let (type_code, before) = (order.type_code, order.status_id);
        let status = self.lists.status(wanted);
        let fits = status.filter(|s| s.order_type == type_code && !s.disabled);
        let Some(status) = fits else {
            let text = format!("You have supplied an invalid order status id: {wanted}");
            return Err(Refusal::bad("ORDC-007", text));
        };
        let name = status.name.clone();
        if wanted == STATUS_CANCELLED && before != STATUS_CANCELLED {
            self.may_cancel(id)?;
            self.release(now, id);
        }
        let note = &body["orderNote"];
        let text = note["text"].as_str().unwrap_or("").to_owned();
        let note = OrderNote {
            id: self.orders.note_id(),
            text: if text.is_empty() {
                format!("Status changed to {name}")
            } else {
                text
            },
            is_public: note["isPublic"] == true,
            added_on: now,
        };
        let order = self.edit(id)?;
        order.notes.push(note);
        order.status_id = wanted;
        order.cancelled = wanted == STATUS_CANCELLED;
        order.refresh_codes();
        order.touch(now);
        self.hooks.raise(now, "order", "modified.order-status", id);
        self.hooks.raise(now, "order", "modified", id);
        Ok(())
    }

    /// The three checks before a sale is cancelled.
    fn may_cancel(&self, id: i64) -> Result<(), Refusal> {
        let Some(order) = self.orders.get(id).filter(|order| order.type_code == "SO") else {
            return Ok(());
        };
        let refuse = |code, why: &str| {
            Err(Refusal::new(
                409,
                code,
                format!("Order {id} cannot be cancelled: {why}"),
            ))
        };
        if self.notes.any_of(id) {
            return refuse("ORDB-020", "it has goods-out notes");
        }
        if order.status_id == STATUS_INVOICED {
            return refuse("ORDB-021", "it is invoiced");
        }
        if order.paid != Decimal::ZERO {
            return refuse("ORDB-022", "it has payments");
        }
        Ok(())
    }

    /// `POST order/{id}/note`.
    pub(super) fn note_post(&mut self, now: i64, id: &str, call: &Call) -> Answer {
        let id = self.order_id(id)?;
        let body = call.object()?;
        let text = body["text"].as_str().unwrap_or("").to_owned();
        if text.is_empty() {
            return Err(Refusal::bad(
                "ORDC-040",
                "You have not supplied a note text",
            ));
        }
        let added = body["addedOn"].as_str().map(parse_instant);
        if added == Some(None) {
            return Err(Refusal::bad(
                "ORDC-030",
                format!("Invalid date: {}", body["addedOn"]),
            ));
        }
        let note = OrderNote {
            id: self.orders.note_id(),
            text,
            is_public: body["isPublic"] == true,
            added_on: added.flatten().unwrap_or(now),
        };
        let note_id = note.id;
        self.edit(id)?.notes.push(note);
        Ok(Reply::ok(note_id))
    }

    /// `GET order/{id}/note`.
    pub(super) fn note_get(&self, id: &str) -> Answer {
        let id = self.order_id(id)?;
        let notes = self
            .orders
            .get(id)
            .map(|order| order.notes.as_slice())
            .unwrap_or_default();
        if notes.is_empty() {
            return Err(Refusal::missing(format!("No notes found for order {id}")));
        }
        let view = |note: &OrderNote| {
            json!({
                "noteId": note.id, "orderId": id, "text": note.text, "isPublic": note.is_public,
                "createdOn": self.zone().text(note.added_on), "createdBy": super::account::STAFF_ID,
            })
        };
        Ok(Reply::ok(notes.iter().map(view).collect::<Vec<_>>()))
    }

    /// `GET|PATCH order/{id}/custom-field`.
    pub(super) fn order_custom_field(&mut self, now: i64, id: &str, call: &Call) -> Answer {
        let id = self.order_id(id)?;
        let order = self.edit(id)?;
        if call.method == "PATCH" {
            custom::patch(OF_ORDERS, &mut order.custom, &operations(call)?)?;
            order.touch(now);
        }
        let view = custom::view(OF_ORDERS, &order.custom, false);
        if call.method == "PATCH" {
            self.hooks.raise(now, "order", "modified", id);
        }
        Ok(Reply::ok(view))
    }

    /// `POST sales-order/{id}/close`: the invoice becomes real later, see [`Brightpearl::finish_invoices`].
    pub(super) fn close(&mut self, now: i64, id: &str, call: &Call) -> Answer {
        let id = self.order_id(id)?;
        let body = call.object()?;
        let at = match body["taxDate"].as_str() {
            None => midnight_utc(now),
            Some(text) => parse_instant(text)
                .ok_or_else(|| Refusal::bad("ORDC-030", format!("Invalid date: {text}")))?,
        };
        let delay = self.settings.invoice_delay_ms;
        let order = self.edit(id)?;
        if order.closed_on.is_some() || order.cancelled {
            let word = if order.cancelled {
                "cancelled"
            } else {
                "invoiced"
            };
            return Err(Refusal::bad(
                "ORDB-030",
                format!("Order {id} is already {word}"),
            ));
        }
        PENDING.clone_into(&mut order.invoice.reference);
        order.invoice.tax_date = Some(at);
        order.invoice.due_date = Some(at + 30 * DAY_MS);
        order.invoice.ready_at = Some(now + delay);
        self.pending_invoices.push(id);
        Ok(Reply::done())
    }

    /// Gives due pending invoices their reference and sets the invoiced status.
    pub(super) fn finish_invoices(&mut self, now: i64) {
        let pending = std::mem::take(&mut self.pending_invoices);
        for id in pending {
            let Some(order) = self.orders.all.get_mut(&id) else {
                continue;
            };
            if order.invoice.ready_at.is_some_and(|at| now < at) {
                self.pending_invoices.push(id);
                continue;
            }
            if order.closed_on.is_some() {
                continue;
            }
            let prefix = if order.type_code == "SC" { "SC" } else { "SI" };
            order.invoice.reference = format!("{prefix}-{}", self.orders.next_invoice);
            order.invoice.ready_at = None;
            order.closed_on = Some(now);
            if order.type_code == "SO" {
                order.status_id = STATUS_INVOICED;
            }
            order.touch(now);
            self.orders.next_invoice += 1;
            self.hooks.raise(now, "order", "modified.order-status", id);
            self.hooks.raise(now, "order", "modified", id);
        }
    }
}
