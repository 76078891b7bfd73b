//! The search engine as orders use it.

use serde_json::{Value, json};

use super::{Bench, code, order, zip};

const ORDERS: &str = "/order-service/order-search";
const SALES: &str = "/order-service/sales-order-search";

#[test]
fn rows_are_positional_and_named_by_the_columns() {
    let mut bench = Bench::new();
    let id = bench.sale(&order("PO-1"));
    let (_, body) = bench.get(ORDERS);
    let meta = &body["response"]["metaData"];
    assert_eq!(meta["columns"].as_array().unwrap().len(), 19);
    assert_eq!(
        meta["columns"][3]["referenceData"],
        json!(["orderStatusNames"])
    );
    assert_eq!(meta["columns"][0]["reportDataType"], "IDSET");
    assert_eq!(meta["sorting"][0]["direction"], "ASC");
    let row = &zip(&body)[0];
    assert_eq!(row["orderId"], id);
    assert_eq!(row["orderTypeId"], 1);
    assert_eq!(row["customerRef"], "PO-1");
    assert_eq!(row["updatedOn"], Value::Null);
    assert_eq!(row["externalRef"], "dsco:PO-1");
    assert_eq!(row["taxDate"], "2025-11-02T18:00:00.000-06:00");
    assert_eq!(
        body["reference"]["orderStatusNames"],
        json!({ "22": "New DSCO order" })
    );
    assert_eq!(body["reference"]["orderTypeNames"]["4"], "PURCHASE_CREDIT");
    let (_, meta) = bench.get("/order-service/order-search/meta-data");
    assert_eq!(meta["response"]["columns"].as_array().unwrap().len(), 19);
    let row = &bench.search(&format!("{SALES}?columns=orderStockStatus,salesOrderId"))[0];
    assert_eq!(
        row,
        &json!({ "orderStockStatus": "SON", "salesOrderId": id })
    );
}

#[test]
fn nothing_found_lacks_the_bounds_and_the_names() {
    let mut bench = Bench::new();
    let (status, body) = bench.get(&format!("{ORDERS}?externalRef=none"));
    assert_eq!(status, 200);
    let meta = body["response"]["metaData"].as_object().unwrap();
    assert!(!meta.contains_key("firstResult") && !meta.contains_key("lastResult"));
    assert_eq!(
        (&meta["resultsAvailable"], &body["response"]["results"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(body["reference"], json!({}));
}

#[test]
fn new_records_are_invisible_for_the_lag_but_readable() {
    let mut bench = Bench::new();
    bench.control("settings", &json!({ "searchLagMs": 10_000 }));
    let id = bench.sale(&order("PO-1"));
    for path in [ORDERS, SALES] {
        assert!(
            bench
                .search(&format!("{path}?externalRef=dsco%3APO-1"))
                .is_empty()
        );
        assert!(bench.search(path).is_empty());
    }
    assert_eq!(bench.sales_order(id)["id"], id);
    bench.now += 10_000;
    for path in [ORDERS, SALES] {
        assert_eq!(
            bench
                .search(&format!("{path}?externalRef=dsco%3APO-1"))
                .len(),
            1
        );
    }
}

#[test]
fn filters_combine_and_unreadable_ones_are_a_permanent_500() {
    let mut bench = Bench::new();
    for n in 1..=4 {
        bench.sale(&order(&format!("PO-{n}")));
        bench.now += 60_000;
    }
    bench.call(
        "PUT",
        "/order-service/order/100002/status",
        &json!({ "orderStatusId": 23 }),
    );
    let count = |bench: &mut Bench, query: &str| bench.search(&format!("{ORDERS}?{query}")).len();
    assert_eq!(count(&mut bench, "orderStatusId=22"), 3);
    assert_eq!(count(&mut bench, "orderStatusId=22&customerRef=PO-2"), 0);
    assert_eq!(count(&mut bench, "orderId=100001-100002,100004"), 3);
    assert_eq!(count(&mut bench, "createdOn=2025-11-03T14:06:00Z/"), 3);
    assert_eq!(
        count(
            &mut bench,
            "createdOn=2025-11-03T14:06:00Z/2025-11-03T14:06:59Z"
        ),
        1
    );
    assert_eq!(
        count(&mut bench, "updatedOn=2025-01-01/"),
        1,
        "never changed, never swept"
    );
    assert_eq!(
        count(
            &mut bench,
            "externalRef=dsco:PO-2&installedIntegrationInstanceId=34"
        ),
        1
    );
    assert_eq!(count(&mut bench, "installedIntegrationInstanceId=35"), 0);
    assert_eq!(count(&mut bench, "noSuchFilter=1"), 4, "ignored");
    let refs = bench.search(&format!("{SALES}?customerRefs=PO-3,PO-1,PO-9"));
    let ids: Vec<&Value> = refs.iter().map(|r| &r["salesOrderId"]).collect();
    assert_eq!(ids, [&json!(100_001), &json!(100_003)]);
    assert_eq!(
        bench
            .search(&format!("{SALES}?productIds=1001&channelId=3"))
            .len(),
        4
    );
    assert_eq!(bench.search(&format!("{SALES}?channelId=7")).len(), 0);
    for (query, text) in [
        (
            "orderStatusId=BAD%20PARAM",
            "The filter orderStatusId=BAD PARAM cannot be parsed as: INTEGER",
        ),
        (
            "orderId=100-",
            "The filter orderId=100- cannot be parsed as: IDSET",
        ),
        (
            "createdOn=now",
            "The filter createdOn=now cannot be parsed as: PERIOD",
        ),
        (
            "createdOn=2025-11-03T14:06:00+00:00/",
            "The filter createdOn=2025-11-03T14:06:00 00:00/ cannot be parsed as: PERIOD",
        ),
    ] {
        let (status, body) = bench.get(&format!("{ORDERS}?{query}"));
        assert_eq!((status, code(&body)), (500, "CMNC-018"));
        assert_eq!(body["errors"][0]["message"], text);
    }
}

#[test]
fn pages_and_sorting_reach_every_row() {
    let mut bench = Bench::with(crate::brightpearl::Options {
        requests_per_minute: 5_000,
        ..crate::brightpearl::Options::default()
    });
    for n in 1..=7 {
        bench.sale(&order(&format!("PO-{n}")));
    }
    let mut seen = Vec::new();
    let mut first = 1;
    loop {
        let (_, body) = bench.get(&format!("{ORDERS}?pageSize=3&firstResult={first}"));
        seen.extend(
            zip(&body)
                .into_iter()
                .map(|r| r["orderId"].as_i64().unwrap()),
        );
        let meta = &body["response"]["metaData"];
        assert_eq!(meta["resultsAvailable"], 7);
        if meta["morePagesAvailable"] == false {
            break;
        }
        first = meta["lastResult"].as_i64().unwrap() + 1;
    }
    assert_eq!(seen, (100_001..=100_007).collect::<Vec<_>>());
    let rows = bench.search(&format!(
        "{ORDERS}?sort=customerRef.DESC&pageSize=1&columns=orderId"
    ));
    assert_eq!(rows, [json!({ "orderId": 100_007 })]);
    let (_, body) = bench.get(&format!("{ORDERS}?countOnly=true"));
    assert_eq!(body["response"]["metaData"]["resultsAvailable"], 7);
    assert_eq!(body["response"]["results"], json!([]));
    assert_eq!(bench.get(&format!("{ORDERS}?pageSize=x")).0, 500);
}

#[test]
fn five_thousand_orders_are_still_quick_to_ask() {
    let mut bench = Bench::new();
    bench.control("settings", &json!({ "throttle": false }));
    for n in 0..5_000 {
        bench.sale(&order(&format!("PO-{n}")));
    }
    for n in 0..500 {
        let rows = bench.search(&format!(
            "{ORDERS}?externalRef=dsco:PO-{}&columns=orderId",
            n * 10
        ));
        assert_eq!(rows, [json!({ "orderId": 100_001 + n * 10 })]);
    }
    assert_eq!(
        bench.search(&format!("{ORDERS}?firstResult=4501")).len(),
        500
    );
}
