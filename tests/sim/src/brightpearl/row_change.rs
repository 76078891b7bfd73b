//! Owns changes of an order's rows: patch and removal, with what forbids them. It must not know how rows are shown elsewhere.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::account::Brightpearl;
use super::call::{Call, Op, operations};
use super::envelope::{Answer, Refusal, Reply, decimal};
use super::order_view::nested_row;
use super::orders::{Order, Row};
use super::reference::STATUS_INVOICED;

impl Brightpearl {
    fn row_to_change(&mut self, order: i64, row: &str) -> Result<(&mut Order, usize), Refusal> {
        let id: i64 = row.parse().unwrap_or(0);
        let gone = || Refusal::missing(format!("Cannot find row {row} of order {order}"));
        let order = self.orders.all.get_mut(&order).ok_or_else(gone)?;
        let at = order.rows.iter().position(|row| row.id == id);
        let at = at.ok_or_else(gone)?;
        if order.status_id == STATUS_INVOICED || order.closed_on.is_some() {
            let text = format!(
                "Order {} is invoiced and its rows cannot be changed",
                order.id
            );
            return Err(Refusal::new(409, "ORDB-040", text));
        }
        Ok((order, at))
    }

    /// `PATCH order/{id}/row/{id}`: all operations or none.
    pub(super) fn row_patch(&mut self, now: i64, order: &str, row: &str, call: &Call) -> Answer {
        let id = self.order_id(order)?;
        let ops = operations(call)?;
        let (order, at) = self.row_to_change(id, row)?;
        let mut changed = order.rows[at].clone();
        for op in &ops {
            patch(&mut changed, op)?;
        }
        not_below(order, &changed)?;
        order.rows[at] = changed;
        Self::free(order);
        order.refresh_codes();
        order.touch(now);
        let view = nested_row(order, &order.rows[at]);
        self.hooks.raise(now, "order", "modified", id);
        Ok(Reply::ok(view))
    }

    /// `DELETE order/{id}/row/{id}`, with the parts of a kit.
    pub(super) fn row_delete(&mut self, now: i64, order: &str, row: &str) -> Answer {
        let id = self.order_id(order)?;
        let (order, at) = self.row_to_change(id, row)?;
        let mut empty = order.rows[at].clone();
        empty.quantity = Decimal::ZERO;
        not_below(order, &empty)?;
        let gone = empty.id;
        order
            .rows
            .retain(|row| row.id != gone && row.child_of != Some(gone));
        Self::free(order);
        order.refresh_codes();
        order.touch(now);
        self.hooks.raise(now, "order", "modified", id);
        Ok(Reply::done())
    }

    /// A user takes units off a row: `{"quantity": 1}`; nought removes it.
    pub(super) fn row_in_ui(
        &mut self,
        now: i64,
        order: &str,
        row: &str,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let wanted = decimal(&body["quantity"]).unwrap_or_default();
        if wanted.is_zero() {
            self.row_delete(now, order, row)?;
        } else {
            let id = self.order_id(order)?;
            let (held, at) = self.row_to_change(id, row)?;
            let (net, units) = (held.rows[at].net, held.rows[at].quantity);
            let share = (net * wanted).checked_div(units).unwrap_or(net).round_dp(4);
            let replace = |path: &str, value: Decimal| json!({"op": "replace", "path": path, "value": value.to_string()});
            let ops = json!([
                replace("/quantity/magnitude", wanted),
                replace("/rowValue/rowNet/value", share)
            ]);
            let call = Call::new("PATCH", "", Vec::new(), ops.to_string().into_bytes());
            self.row_patch(now, order, row, &call)?;
        }
        Ok(json!({ "orderId": self.order_id(order)? }))
    }

    /// A reservation holds no more than its row.
    fn free(order: &mut Order) {
        let rows: std::collections::BTreeSet<i64> = order.rows.iter().map(|r| r.id).collect();
        if let Some(reservation) = order.reservation.as_mut() {
            reservation.rows.retain(|row, _| rows.contains(row));
        }
        order.reservation = order.reservation.take().filter(|r| !r.rows.is_empty());
    }
}

fn patch(row: &mut Row, op: &Op) -> Result<(), Refusal> {
    if op.verb != "replace" {
        return Err(Refusal::patch(&op.verb, &op.path));
    }
    let value = decimal(&op.value);
    let value = value.ok_or_else(|| Refusal::bad("ORDC-050", "The value is no number"));
    match op.path.as_str() {
        "/quantity/magnitude" => row.quantity = value?,
        "/rowValue/rowNet/value" => row.net = value?,
        "/rowValue/rowTax/value" => row.tax = value?,
        _ => return Err(Refusal::patch(&op.verb, &op.path)),
    }
    Ok(())
}

/// What is on goods-out notes, reserved or shipped cannot be taken off.
fn not_below(order: &Order, row: &Row) -> Result<(), Refusal> {
    let on_notes = order.on_notes.get(&row.id).copied().unwrap_or(0);
    let held = order.reservation.as_ref().and_then(|r| r.rows.get(&row.id));
    let least = row.shipped + Decimal::from(on_notes + held.map_or(0, |(_, units)| *units));
    if row.quantity >= least {
        return Ok(());
    }
    let text = format!(
        "Row {} of order {} has {least} units allocated or shipped",
        row.id, order.id
    );
    Err(Refusal::new(409, "ORDB-041", text))
}
