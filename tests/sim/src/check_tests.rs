//! Tests of the checker: a perfect pair, then every way it can be wrong.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::check::{Report, check};

fn order(id: &str, number: Option<&str>) -> Value {
    json!({
        "dscoOrderId": id, "poNumber": "PO-1", "supplierOrderNumber": number, "test": false,
        "cancelled": false, "cancelledBeforeAcknowledgement": false,
        "acknowledgedAt": number.map(|_| "2025-11-21T07:30:15+00:00"),
        "total": "25.00", "case": "normal", "expect": "sale",
        "lines": [
            {"lineNumber": 1, "sku": "A", "quantity": 2, "cost": "9.50", "net": "19.00", "cancelledEarly": 0},
            {"lineNumber": 2, "sku": "B", "quantity": 1, "cost": "6.00", "net": "6.00", "cancelledEarly": 0},
        ],
    })
}

fn sale(id: i64, reference: &str) -> Value {
    json!({
        "id": id, "externalRef": reference, "cancelled": false,
        "total": {"net": "25.00", "tax": 0, "gross": 25},
        "rows": [
            {"productId": 1002, "sku": "B", "quantity": "1.0000", "net": "6.00"},
            {"productId": 1001, "sku": "A", "quantity": 2, "net": 19.0},
        ],
    })
}

fn erp(sales: &[Value]) -> Value {
    json!({"orders": sales, "products": [{"id": 1001, "sku": "A"}, {"id": 1002, "sku": "B"},
        {"id": 1003, "sku": "C"}]})
}

fn run(orders: &[Value], sales: &[Value], waived: &[&str]) -> Report {
    let cards: BTreeSet<String> = waived.iter().map(|id| (*id).to_owned()).collect();
    check(&json!({"orders": orders}), &erp(sales), &cards)
}

/// The names of the lists that hold findings.
fn lists(report: &Report) -> Vec<&'static str> {
    report.problems().map(|(list, _)| list).collect()
}

#[test]
fn a_perfect_pair_is_fine() {
    let orders = [order("1000400001", Some("100001"))];
    let report = run(&orders, &[sale(100_001, "dsco:1000400001")], &[]);
    assert!(report.ok(), "{report:?}");
    assert_eq!((report.expected, report.matched), (1, 1));
    // Sales by hand, without a reference, are nobody's business.
    let report = run(&orders, &[sale(100_001, "1000400001"), sale(7, "")], &[]);
    assert!(report.ok());
    // Without a reference the acknowledged number finds the sale.
    assert!(run(&orders, &[sale(100_001, "")], &[]).ok());
}

#[test]
fn lost_and_doubled_orders_are_found() {
    let orders = [order("1000400001", Some("100001"))];
    let report = run(&orders, &[], &[]);
    assert_eq!(lists(&report), ["lost"]);
    assert_eq!(report.acknowledged_without_sale, ["1000400001"]);
    let report = run(&orders, &[], &["1000400001"]);
    assert!(report.ok());
    assert_eq!(report.waived, ["1000400001"]);
    let two = [sale(100_001, "1000400001"), sale(100_002, "x-1000400001")];
    assert_eq!(lists(&run(&orders, &two, &[])), ["doubled"]);
    assert_eq!(
        lists(&run(&[order("1000400002", None)], &[], &[])),
        ["lost"]
    );
}

#[test]
fn rows_must_equal_lines() {
    let orders = [order("1000400001", Some("100001"))];
    let with = |change: &dyn Fn(&mut Value)| {
        let mut sale = sale(100_001, "1000400001");
        change(&mut sale);
        lists(&run(&orders, &[sale], &[]))
    };
    assert_eq!(with(&|s| s["rows"][0]["quantity"] = json!(2)), ["rows"]);
    assert_eq!(with(&|s| s["rows"][0]["productId"] = json!(1003)), ["rows"]);
    assert_eq!(with(&|s| s["rows"][0]["net"] = json!("6.01")), ["rows"]);
    assert_eq!(
        with(&|s| drop(s["rows"].as_array_mut().unwrap().pop())),
        ["rows"]
    );
    let extra = |net: &str| json!({"productId": 1003, "sku": "C", "quantity": 1, "net": net});
    assert_eq!(
        with(&|s| s["rows"].as_array_mut().unwrap().push(extra("1.00"))),
        ["rows"]
    );
    assert!(with(&|s| s["rows"].as_array_mut().unwrap().push(extra("0.00"))).is_empty());
    assert_eq!(with(&|s| s["total"]["gross"] = json!("25.01")), ["totals"]);
    assert_eq!(with(&|s| s["total"]["tax"] = json!("5.00")), ["totals"]);
    assert_eq!(with(&|s| s["cancelled"] = json!(true)), ["rows"]);
}

#[test]
fn a_mapped_item_may_become_any_product() {
    let mut mapped = order("1000400001", Some("100001"));
    mapped["lines"][0]["sku"] = json!("NEW-ITEM");
    let mut sale = sale(100_001, "1000400001");
    sale["rows"][1]["productId"] = json!(1003);
    assert!(run(&[mapped], &[sale], &[]).ok());
}

#[test]
fn numbers_must_agree() {
    let right = [sale(100_001, "1000400001")];
    assert_eq!(
        lists(&run(&[order("1000400001", Some("9"))], &right, &[])),
        ["numbers"]
    );
    assert_eq!(
        lists(&run(&[order("1000400001", None)], &right, &[])),
        ["numbers"]
    );
}

#[test]
fn test_orders_and_early_cancels_have_no_live_sale() {
    let mut test = order("1000400001", None);
    test["test"] = json!(true);
    assert!(run(std::slice::from_ref(&test), &[], &[]).ok());
    assert_eq!(
        lists(&run(&[test], &[sale(1, "1000400001")], &[])),
        ["unwanted"]
    );
    let mut gone = order("1000400001", None);
    gone["cancelled"] = json!(true);
    gone["cancelledBeforeAcknowledgement"] = json!(true);
    let mut void = sale(1, "1000400001");
    assert_eq!(
        lists(&run(
            std::slice::from_ref(&gone),
            std::slice::from_ref(&void),
            &[]
        )),
        ["unwanted"]
    );
    void["cancelled"] = json!(true);
    assert!(run(&[gone], &[void], &[]).ok());
}

#[test]
fn a_sale_with_a_foreign_reference_is_a_stray() {
    let report = run(&[], &[sale(1, "1000499999")], &[]);
    assert_eq!(lists(&report), ["strays"]);
    assert!(report.summary().starts_with("0 orders, 1 sales"));
}
