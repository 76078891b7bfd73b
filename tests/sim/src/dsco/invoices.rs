//! Owns the invoices that the network took: what they say, and how they are read. Must not know what may be invoiced.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::answers;
use super::dates::iso;
use super::order::Order;
use super::render::decimal;
use super::sandbox::Sandbox;
use crate::vendor::{Req, Resp};

/// The id of the first one.
const FIRST: u64 = 2_000_500_001;

/// Units of one line of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BilledLine {
    pub(crate) line: usize,
    pub(crate) quantity: i64,
    pub(crate) price_cents: i64,
}

/// One invoice.
#[derive(Debug)]
pub(crate) struct Invoice {
    /// The supplier's own number.
    pub(crate) number: String,
    /// Place of its order.
    pub(crate) order: usize,
    pub(crate) lines: Vec<BilledLine>,
    pub(crate) total_cents: i64,
    pub(crate) tracking: Vec<String>,
    /// As it was submitted.
    pub(crate) body: Value,
    pub(crate) created: i64,
    /// From when on readers see it.
    pub(crate) visible: i64,
}

/// All invoices, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Invoices {
    all: Vec<Invoice>,
    by_number: HashMap<String, Vec<usize>>,
    by_order: HashMap<usize, Vec<usize>>,
}

impl Invoices {
    pub(crate) fn add(&mut self, invoice: Invoice) {
        let place = self.all.len();
        let number = self.by_number.entry(invoice.number.clone());
        number.or_default().push(place);
        self.by_order.entry(invoice.order).or_default().push(place);
        self.all.push(invoice);
    }

    pub(crate) fn knows(&self, number: &str) -> bool {
        self.by_number.contains_key(number)
    }

    /// Of that order.
    pub(crate) fn of(&self, order: usize) -> impl Iterator<Item = &Invoice> {
        let places = self.by_order.get(&order).into_iter().flatten();
        places.filter_map(|place| self.all.get(*place))
    }

    /// Units of a line that are invoiced.
    pub(crate) fn units(&self, order: usize, line: usize) -> i64 {
        let lines = self.of(order).flat_map(|invoice| &invoice.lines);
        lines.filter(|l| l.line == line).map(|l| l.quantity).sum()
    }

    /// What the checker reads.
    pub(crate) fn truth(&self, at: usize, order: &Order) -> Vec<Value> {
        let one = |invoice: &Invoice| {
            let lines: Vec<Value> = invoice
                .lines
                .iter()
                .map(|l| {
                    json!({"lineNumber": order.lines.get(l.line).map(|l| l.number),
                        "quantity": l.quantity, "unitPrice": decimal(l.price_cents)})
                })
                .collect();
            json!({"invoiceId": invoice.number, "total": decimal(invoice.total_cents),
                "tracking": invoice.tracking, "lines": lines, "at": iso(invoice.created)})
        };
        self.of(at).map(one).collect()
    }
}

impl Sandbox {
    /// `GET /invoice`: all that a key finds, perhaps none.
    pub(crate) fn get_invoices(&self, now: i64, req: &Req) -> Resp {
        let (Some(kind), Some(value)) = (req.param("key"), req.param("value")) else {
            return answers::plain(400, "key and value are required");
        };
        let all = &self.invoices;
        let places: Vec<usize> = match kind {
            "invoiceId" => all.by_number.get(value).cloned().unwrap_or_default(),
            "dscoInvoiceId" => {
                let id: Option<u64> = value.parse().ok();
                let place = id.and_then(|id| usize::try_from(id.checked_sub(FIRST)?).ok());
                place.into_iter().collect()
            }
            "trackingNumber" => (0..all.all.len())
                .filter(|at| all.all[*at].tracking.iter().any(|t| t == value))
                .collect(),
            "poNumber" | "supplierOrderNumber" | "consumerOrderNumber" => {
                let orders = self.book.find(kind, value).unwrap_or_default();
                let of = |order: &usize| all.by_order.get(order).cloned().unwrap_or_default();
                orders.iter().flat_map(of).collect()
            }
            _ => return answers::plain(400, "key is not valid"),
        };
        let visible = |at: &usize| all.all.get(*at).is_some_and(|i| i.visible <= now);
        let found: Vec<Value> = places
            .into_iter()
            .filter(visible)
            .map(|at| self.shown_invoice(at))
            .collect();
        Resp::json(200, &json!({"invoices": found}))
    }

    fn shown_invoice(&self, at: usize) -> Value {
        let invoice = &self.invoices.all[at];
        let order = self.book.get(invoice.order);
        let id = FIRST + u64::try_from(at).unwrap_or_default();
        let mut value = invoice.body.clone();
        let expected: i64 = invoice
            .lines
            .iter()
            .map(|l| order.lines.get(l.line).map_or(0, |o| o.cost_cents) * l.quantity)
            .sum();
        value["dscoInvoiceId"] = json!(id.to_string());
        value["dscoOrderId"] = json!(order.id.to_string());
        value["poNumber"] = json!(order.po);
        value["dscoRetailerId"] = json!(order.retailer.account_id);
        value["createDate"] = json!(iso(invoice.created));
        value["lastUpdate"] = json!(iso(invoice.created));
        value["exportDate"] = Value::Null;
        value["dscoExpectedOrderTotalAmount"] = super::render::money(expected);
        if self.settings.messy {
            value["dscoInvoiceId"] = json!(id);
            value["dscoOrderId"] = json!(order.id);
            value["zzFutureField"] = json!({});
        }
        value
    }
}
