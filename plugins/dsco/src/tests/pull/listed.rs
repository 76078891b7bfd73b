//! Orders that are asked for by themselves, by a list or by date.

use super::super::{CREATED, at, now, value, with_api};
use super::url;
use crate::bindings::exports::waybill::connector::listing::Scope;
use crate::{listing, source};
use serde_json::json;
use waybill_sdk::commerce::Entity;
use waybill_sdk::replay::{Answer, TestHost};

#[test]
fn single_orders_are_fetched_by_their_id() {
    let host = TestHost::at(now())
        .expect(
            &url("GET", "/order/?orderKey=dscoOrderId&value=1000456789"),
            Answer::json(200, &value(CREATED)),
        )
        .expect(
            &url("GET", "/order/?orderKey=dscoOrderId&value=5"),
            Answer::json(404, &json!({})),
        );
    let keys = ["1000456789".to_owned(), "5".to_owned()];
    let found = with_api(&host, &[], |api| source::fetch(api, Entity::Order, &keys)).unwrap();
    assert_eq!(found.len(), 1);
    host.finish();
}

#[test]
fn a_pasted_list_finds_orders_by_their_po_number_or_their_id() {
    let by_number = |number: &str| {
        url(
            "GET",
            &format!("/order/?orderKey=poNumber&value={number}&returnMultiple=true"),
        )
    };
    let none = || Answer::json(404, &json!({}));
    let mut other = value(CREATED);
    other["dscoOrderId"] = json!("1000456999");
    let host = TestHost::at(now())
        .expect(
            &by_number("PO-1"),
            Answer::json(200, &json!([value(CREATED), other])),
        )
        .expect(&by_number("1000456789"), none())
        .expect(
            &url("GET", "/order/?orderKey=dscoOrderId&value=1000456789"),
            Answer::json(200, &value(CREATED)),
        )
        .expect(&by_number("A%2FB"), none());
    let keys = ["PO-1", "1000456789", "A/B"].map(str::to_owned).to_vec();
    let page = with_api(&host, &[], |api| {
        listing::read(api, Entity::Order, &Scope::Keys(keys), None)
    })
    .unwrap();
    let found: Vec<&str> = page.documents.iter().map(|d| d.key.as_str()).collect();
    assert_eq!(found, ["1000456789", "1000456999", "1000456789"]);
    assert!(!page.more);
    host.finish();
}

#[test]
fn a_listing_reads_by_date_and_starts_over_when_its_place_is_forgotten() {
    let since = at("2025-11-01T00:00:00Z");
    let scope = Scope::Between((since, now() + 1000));
    let start = url(
        "GET",
        "/order/page?ordersCreatedSince=2025-11-01T00%3A00%3A00Z&until=2025-11-21T09%3A59%3A50Z&ordersPerPage=1000\
         &includeTestOrders=true",
    );
    let host = TestHost::at(now())
        .expect(
            &start,
            Answer::json(200, &json!({"scrollId": "a+b", "orders": [value(CREATED)]})),
        )
        .expect(
            &url("GET", "/order/page?scrollId=a%2Bb"),
            Answer::json(404, &json!({})),
        )
        .expect(
            &start,
            Answer::json(200, &json!({"orders": [value(CREATED)]})),
        );
    let read = |cursor: Option<&[u8]>| {
        with_api(&host, &[("include-test-orders", "true")], |api| {
            listing::read(api, Entity::Order, &scope, cursor)
        })
        .unwrap()
    };
    let first = read(None);
    assert!(first.more);
    let second = read(Some(&first.cursor));
    assert!(second.documents.is_empty() && second.more);
    let third = read(Some(&second.cursor));
    assert_eq!(third.documents.len(), 1);
    assert!(!third.more);
    host.finish();
}

#[test]
fn a_listing_of_keys_goes_in_steps() {
    let mut host = TestHost::at(now());
    for key in 0..15 {
        let path = format!("/order/?orderKey=poNumber&value=PO-{key}&returnMultiple=true");
        host = host.expect(&url("GET", &path), Answer::json(404, &json!({})));
    }
    let scope = Scope::Keys((0..15).map(|key| format!("PO-{key}")).collect());
    let read = |cursor: Option<&[u8]>| {
        with_api(&host, &[], |api| {
            listing::read(api, Entity::Order, &scope, cursor)
        })
        .unwrap()
    };
    let first = read(None);
    assert!(first.more);
    assert_eq!(host.sent().len(), 10);
    assert!(!read(Some(&first.cursor)).more);
    host.finish();
}
