//! Tests of the comparison of shipments: what fits, then every way it can differ.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::check_shipments::compare;

fn order(shipped: [i64; 2], packages: &Value) -> Value {
    json!({
        "lines": [
            {"lineNumber": 1, "quantity": 2, "cancelled": 0, "shipped": shipped[0]},
            {"lineNumber": 2, "quantity": 1, "cancelled": 0, "shipped": shipped[1]},
        ],
        "packages": packages,
    })
}

/// Row 11 is line 1; row 12 is the kit of line 2, made of one of row 13 and two of row 14.
fn sale() -> Value {
    let part = |id: i64, quantity: i64| json!({"id": id, "quantity": quantity, "bundleChild": true, "parentRowId": 12});
    json!({"id": 100_001, "rows": [
        {"id": 11, "quantity": 2},
        {"id": 12, "quantity": 1, "bundleParent": true},
        part(13, 1), part(14, 2),
    ]})
}

fn note(id: i64, reference: &str, rows: &[(i64, i64)]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|(row, n)| json!({"rowId": row, "quantity": n}))
        .collect();
    json!({"id": id, "orderId": 100_001, "warehouseId": 2, "shippingMethodId": 12, "reference": reference,
        "shippedOn": "2025-11-21T07:30:15.250Z", "shipped": true, "rows": rows})
}

fn parcel(tracking: &str, items: &[(i64, i64)], span: bool) -> Value {
    let items: Vec<Value> = items
        .iter()
        .map(|(line, n)| json!({"lineNumber": line, "quantity": n, "span": span}))
        .collect();
    json!({"trackingNumber": tracking, "carrier": "UPS", "method": "Ground", "code": "upcg", "warehouseCode": "WH01",
        "shipDate": "2025-11-21T07:30:15Z", "items": items})
}

fn run(shipped: [i64; 2], packages: &Value, notes: &[Value]) -> Vec<String> {
    let lines = BTreeMap::from([("11".to_owned(), 1), ("12".to_owned(), 2)]);
    let notes: Vec<&Value> = notes.iter().collect();
    compare(&order(shipped, packages), &sale(), &lines, &notes)
}

#[test]
fn what_left_and_what_was_told_agree() {
    let none: [String; 0] = [];
    assert_eq!(run([0, 0], &json!([]), &[]), none);
    let whole = note(1, "T1", &[(11, 2), (13, 1), (14, 2)]);
    assert_eq!(
        run(
            [2, 1],
            &json!([parcel("T1", &[(1, 2), (2, 1)], false)]),
            &[whole]
        ),
        none
    );
    // One line over two parcels, and a note that nobody can tell yet.
    let spread = [note(1, "T1, T2", &[(11, 2)]), note(2, "", &[(13, 1)])];
    let told = json!([parcel("T1", &[(1, 2)], true), parcel("T2", &[(1, 2)], true)]);
    assert_eq!(run([2, 0], &told, &spread), none);
    // A kit in two notes is told by the second.
    let parts = [note(1, "T1", &[(13, 1)]), note(2, "T2", &[(14, 2)])];
    assert_eq!(
        run([0, 1], &json!([parcel("T2", &[(2, 1)], false)]), &parts),
        none
    );
}

#[test]
fn every_difference_is_named_by_its_line_or_tracking_number() {
    let two = [note(1, "T1", &[(11, 2)])];
    let wrong = |shipped, packages: Value| run(shipped, &packages, &two).join("; ");
    assert!(wrong([0, 0], json!([])).contains("tracking T1 of note 1 is not at the network"));
    assert!(wrong([0, 0], json!([])).contains("line 1: 2 left the warehouse, 0 at the network"));
    let one = parcel("T1", &[(1, 1)], false);
    assert!(wrong([1, 0], json!([one])).contains("holds"));
    let right = parcel("T1", &[(1, 2)], false);
    assert!(wrong([2, 0], json!([right, right])).contains("is in 2 parcels"));
    assert!(wrong([4, 0], json!([right])).contains("4 shipped and 0 cancelled of 2"));
    assert!(
        wrong([2, 0], json!([right, parcel("T9", &[(1, 1)], false)]))
            .contains("T9 is at the network")
    );
    assert!(wrong([2, 0], json!([parcel("T1", &[(1, 2)], true)])).contains("wrongly spread"));
    let mut odd = right.clone();
    odd["code"] = json!("FECG");
    assert!(wrong([2, 0], json!([odd])).contains("not by UPS Ground UPCG"));
    odd = right.clone();
    odd["warehouseCode"] = json!("WH02");
    assert!(wrong([2, 0], json!([odd])).contains("not `WH01`"));
    odd = right;
    odd["shipDate"] = json!("2025-11-22T07:30:15Z");
    assert!(wrong([2, 0], json!([odd])).contains("left at"));
    let parts = [note(1, "T1", &[(13, 1)])];
    let early = run([0, 1], &json!([parcel("T1", &[(2, 1)], false)]), &parts).join("; ");
    assert!(
        early.contains("line 2: 0 left the warehouse, 1 at the network"),
        "{early}"
    );
}
