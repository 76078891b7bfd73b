//! Owns the comparison of what the merchant invoiced with what the network was sent: nothing twice, nothing that did not
//! ship, the same sum to the cent, cut as the retailer wants it. Reads JSON only; must not know either sandbox's types.

use crate::check::{Finding, money, text};
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::BTreeMap;

/// Numbers that more than one order has.
pub(crate) fn numbers(orders: &[Value]) -> Vec<Finding> {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut findings = Vec::new();
    for order in orders {
        let id = text(&order["dscoOrderId"]);
        for invoice in order["invoices"].as_array().into_iter().flatten() {
            let number = text(&invoice["invoiceId"]);
            if let Some(other) = seen.insert(number.clone(), id.clone()) {
                findings.push(Finding {
                    key: id.clone(),
                    what: format!("invoice {number} is one of order {other} as well"),
                });
            }
        }
    }
    findings
}

/// What is wrong with an order's invoices.
pub(crate) fn compare(order: &Value, sale: &Value) -> Vec<String> {
    let none = Vec::new();
    let sent = order["invoices"].as_array().unwrap_or(&none);
    let made = text(&sale["invoice"]);
    let policy = text(&order["invoicing"]);
    let mut wrong = Vec::new();
    if policy == "none" || made.is_empty() || made == "pending" {
        if !sent.is_empty() {
            wrong.push(format!(
                "{} invoices were sent; the sale says `{made}`, the retailer takes `{policy}`",
                sent.len()
            ));
        }
        return wrong;
    }
    for invoice in sent {
        let number = text(&invoice["invoiceId"]);
        let own = number.strip_prefix(&made);
        if !own.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')) {
            wrong.push(format!("invoice {number} is none of {made}"));
        }
    }
    let lines = || order["lines"].as_array().into_iter().flatten();
    let units = |line: &Value, name: &str| line[name].as_i64().unwrap_or(0);
    for line in lines() {
        let (shipped, invoiced) = (units(line, "shipped"), units(line, "invoiced"));
        if invoiced > shipped {
            let number = text(&line["lineNumber"]);
            wrong.push(format!(
                "line {number}: {invoiced} invoiced, {shipped} shipped"
            ));
        }
    }
    let open = lines().any(|l| units(l, "shipped") < units(l, "quantity") - units(l, "cancelled"));
    if sale["shippingStatus"] != "ASS" || open {
        // The rest follows with its shipment.
        return wrong;
    }
    for line in lines() {
        let (shipped, invoiced) = (units(line, "shipped"), units(line, "invoiced"));
        if invoiced < shipped {
            let number = text(&line["lineNumber"]);
            wrong.push(format!(
                "line {number}: {invoiced} invoiced of {shipped} shipped, and {made} is made"
            ));
        }
    }
    let all: Decimal = sent.iter().map(|invoice| money(&invoice["total"])).sum();
    let wanted = money(&sale["total"]["gross"]);
    if all.normalize() != wanted.normalize() {
        wrong.push(format!("invoices over {all}, {made} is over {wanted}"));
    }
    let several = policy == "order" && sent.len() > 1;
    if several {
        wrong.push(format!(
            "{} invoices, and the retailer takes one",
            sent.len()
        ));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn order(policy: &str, shipped: i64, sent: &[(&str, &str, i64)]) -> Value {
        let invoices: Vec<Value> = sent
            .iter()
            .map(|(number, total, _)| json!({"invoiceId": number, "total": total}))
            .collect();
        let units: i64 = sent.iter().map(|(_, _, units)| units).sum();
        json!({"dscoOrderId": "1", "invoicing": policy, "invoices": invoices, "lines": [
            {"lineNumber": 1, "quantity": 3, "cancelled": 0, "shipped": shipped, "invoiced": units}]})
    }

    fn sale(number: &str, shipping: &str) -> Value {
        json!({"invoice": number, "shippingStatus": shipping, "total": {"gross": "30.00"}})
    }

    #[test]
    fn what_is_right_is_not_found() {
        let made = sale("SI-1", "ASS");
        for (policy, sent) in [
            ("order", vec![("SI-1", "30", 3)]),
            (
                "shipment",
                vec![("SI-1-7", "10.00", 1), ("SI-1-8", "20.00", 2)],
            ),
            ("none", vec![]),
        ] {
            let found = compare(&order(policy, 3, &sent), &made);
            assert!(found.is_empty(), "{policy}: {found:?}");
        }
        let waits = compare(&order("order", 1, &[]), &sale("SI-1", "SPS"));
        assert!(waits.is_empty(), "{waits:?}");
        assert!(compare(&order("order", 3, &[]), &sale("", "ASS")).is_empty());
    }

    #[test]
    fn what_is_wrong_is_found() {
        let made = sale("SI-1", "ASS");
        let whole = ("SI-1", "30", 3);
        for (what, sent, of) in [
            (
                "twice",
                order("shipment", 3, &[whole, ("SI-1-7", "30", 3)]),
                &made,
            ),
            ("missing", order("order", 3, &[]), &made),
            (
                "another sum",
                order("order", 3, &[("SI-1", "29.99", 3)]),
                &made,
            ),
            ("unwanted", order("none", 3, &[whole]), &made),
            (
                "too early",
                order("order", 2, &[whole]),
                &sale("SI-1", "SPS"),
            ),
            ("not made", order("order", 3, &[whole]), &sale("", "ASS")),
            ("foreign", order("order", 3, &[("SI-12", "30", 3)]), &made),
            (
                "cut",
                order("order", 3, &[("SI-1-7", "10", 1), ("SI-1-8", "20", 2)]),
                &made,
            ),
        ] {
            assert!(!compare(&sent, of).is_empty(), "{what}");
        }
        let mut other = order("order", 3, &[whole]);
        other["dscoOrderId"] = json!("2");
        let both = [order("order", 3, &[whole]), other];
        assert_eq!(numbers(&both).len(), 1);
        assert!(numbers(&both[..1]).is_empty());
    }
}
