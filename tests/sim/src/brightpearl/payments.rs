//! Owns customer payments, because a sale with payments cannot be cancelled. It must not know journals.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::json;

use super::account::Brightpearl;
use super::call::Call;
use super::envelope::{Answer, Refusal, Reply, decimal, integer};

/// A payment.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    order: i64,
    reference: String,
    method: String,
    amount: Decimal,
}

/// All payments.
#[derive(Debug)]
pub(super) struct Payments {
    all: BTreeMap<i64, Payment>,
    next: i64,
}

impl Payments {
    pub(super) fn new() -> Self {
        Self {
            all: BTreeMap::new(),
            next: 5_501,
        }
    }
}

impl Brightpearl {
    /// `POST customer-payment`.
    pub(super) fn payment_post(&mut self, now: i64, call: &Call) -> Answer {
        let body = call.object()?;
        let order = self.order_id(&integer(&body["orderId"]).unwrap_or(0).to_string())?;
        let text = |key: &str| body[key].as_str().unwrap_or("").to_owned();
        let (reference, method, kind) = (
            text("transactionRef"),
            text("paymentMethodCode"),
            text("paymentType"),
        );
        if !self.lists.has_code("payment-method", &method) {
            return Err(Refusal::bad(
                "ACCC-001",
                format!("Invalid payment method: {method}"),
            ));
        }
        let double = |p: &Payment| p.reference == reference && p.method == method;
        if !reference.is_empty() && self.payments.all.values().any(double) {
            let text = format!("A payment with transaction reference {reference} already exists");
            return Err(Refusal::new(409, "ACCB-001", text));
        }
        let amount = match kind.as_str() {
            "AUTH" | "VOID" => Decimal::ZERO,
            "CAPTURE" | "RECEIPT" | "PAYMENT" => {
                let missing = || Refusal::bad("ACCC-003", "You have not supplied an amount");
                let amount = decimal(&body["amountPaid"]).ok_or_else(missing)?;
                if kind == "PAYMENT" { -amount } else { amount }
            }
            _ => {
                return Err(Refusal::bad(
                    "ACCC-002",
                    format!("Invalid payment type: {kind}"),
                ));
            }
        };
        let id = self.payments.next;
        self.payments.next += 1;
        self.payments.all.insert(
            id,
            Payment {
                order,
                reference,
                method,
                amount,
            },
        );
        self.pay(now, order, amount);
        Ok(Reply::ok(id))
    }

    /// `DELETE customer-payment/{id}`.
    pub(super) fn payment_delete(&mut self, now: i64, id: &str) -> Answer {
        let found = id
            .parse()
            .ok()
            .and_then(|id: i64| self.payments.all.remove(&id));
        let gone = || Refusal::missing(format!("Cannot find customer payment: {id}"));
        let payment = found.ok_or_else(gone)?;
        self.pay(now, payment.order, -payment.amount);
        Ok(Reply::done())
    }

    /// `GET customer-payment/{id}`, a short form.
    pub(super) fn payment_get(&self, id: &str) -> Answer {
        let found = id
            .parse()
            .ok()
            .and_then(|id: i64| self.payments.all.get(&id));
        let gone = || Refusal::missing(format!("Cannot find customer payment: {id}"));
        let payment = found.ok_or_else(gone)?;
        let amount = super::envelope::fixed(payment.amount, 2);
        Ok(Reply::ok(json!([{
            "paymentId": id.parse::<i64>().unwrap_or(0), "transactionRef": payment.reference,
            "paymentMethodCode": payment.method, "orderId": payment.order, "amountPaid": amount,
        }])))
    }

    fn pay(&mut self, now: i64, order: i64, amount: Decimal) {
        if let Some(order) = self.orders.all.get_mut(&order) {
            order.paid += amount;
            order.touch(now);
        }
        self.hooks.raise(now, "order", "modified", order);
    }
}
