//! Owns the ground truth the checker reads: orders as they are, whatever readers see. Money is text with two decimals.

use serde_json::{Value, json};

use super::dates::iso;
use super::order::{Lifecycle, Line, Order};
use super::render::decimal;
use super::sandbox::Sandbox;
use crate::catalogue::WAREHOUSES;

impl Sandbox {
    /// Everything.
    pub(crate) fn whole_truth(&self) -> Value {
        let orders: Vec<Value> = (0..self.book.orders().len())
            .map(|at| self.one_truth(at))
            .collect();
        let products: Vec<Value> = self
            .catalogue
            .iter()
            .map(|p| json!({"id": p.id, "sku": p.sku, "ean": p.ean, "upc": p.upc}))
            .collect();
        let retailers: Vec<Value> = self
            .retailers
            .iter()
            .map(|r| json!({"accountId": r.account_id, "partnerId": r.partner_id, "name": r.name}))
            .collect();
        let warehouses: Vec<&str> = WAREHOUSES.iter().map(|w| w.code).collect();
        json!({"orders": orders, "products": products, "retailers": retailers,
            "warehouses": warehouses, "inventory": self.inventory.truth(None)["items"]})
    }

    /// How far the orders are, without their details: for those who ask often.
    pub(crate) fn counts(&self) -> Value {
        let orders = self.book.orders();
        let told = orders.iter().filter(|o| o.supplier_number.is_some());
        let completed = |o: &&Order| o.lifecycle == Lifecycle::Completed;
        json!({"orders": orders.len(), "told": told.count(),
            "completed": orders.iter().filter(completed).count()})
    }

    /// One order.
    pub(crate) fn one_truth(&self, at: usize) -> Value {
        let order = self.book.get(at);
        let lines: Vec<Value> = order
            .lines
            .iter()
            .enumerate()
            .map(|(index, one)| line(one, self.invoices.units(at, index)))
            .collect();
        let packages: Vec<Value> = order
            .packages
            .iter()
            .map(|p| {
                let items: Vec<Value> = p
                    .items
                    .iter()
                    .map(|i| {
                        json!({"lineNumber": order.lines.get(i.line).map(|l| l.number),
                            "quantity": i.quantity, "span": i.span})
                    })
                    .collect();
                json!({"packageId": p.id, "trackingNumber": p.tracking, "carrier": p.carrier,
                    "method": p.method, "code": p.code, "shipDate": p.ship_date,
                    "warehouseCode": p.warehouse, "items": items})
            })
            .collect();
        json!({
            "dscoOrderId": order.id.to_string(),
            "poNumber": order.po,
            "retailerId": order.retailer.account_id,
            "invoicing": self.settings.rules(order.retailer.account_id).invoices,
            "supplierOrderNumber": order.supplier_number,
            "status": order.status.text(),
            "lifecycle": order.lifecycle.text(),
            "test": order.test,
            "cancelled": order.all_cancelled(),
            "cancelledBeforeAcknowledgement": order.cancelled_early(),
            "cancelRequested": order.cancel_requested,
            "acknowledgedAt": order.acknowledged.map(iso),
            "acknowledgements": order.ack_count,
            "currency": order.retailer.currency,
            "total": decimal(order.total_cents),
            "case": order.purpose.case,
            "expect": order.purpose.expect,
            "lines": lines,
            "packages": packages,
            "invoices": self.invoices.truth(at, order),
            "shipmentsRefused": order.refused,
            "shipBy": order.ship_by.map(iso),
        })
    }
}

fn line(line: &Line, invoiced: i64) -> Value {
    json!({
        "lineNumber": line.number,
        "sku": line.sku, "upc": line.upc, "ean": line.ean, "partnerSku": line.partner_sku,
        "quantity": line.quantity,
        "cost": decimal(line.cost_cents),
        "net": decimal(line.extended_cents()),
        "shipped": line.shipped,
        "invoiced": invoiced,
        "cancelled": line.cancelled,
        "cancelledEarly": line.cancelled_early,
        "cancelCode": line.cancel_code,
    })
}
