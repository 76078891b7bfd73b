//! The catalogue is read whole once, then swept for what is new and what changed; small lists are read for differences.

use crate::script::{NOW, Short, answer, context, errors, get, settings_with, throttled};
use serde_json::json;
use waybill_brightpearl::bindings::exports::waybill::connector::listing::Scope;
use waybill_brightpearl::listing::read;
use waybill_brightpearl::source::{fetch, pull};
use waybill_sdk::commerce::{Body, Decimal, Document, Entity, Item};
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::{Context, Failure};

const COLUMNS: &str = "productId,productName,SKU,barcode,EAN,UPC,ISBN,MPN,stockTracked,createdOn,updatedOn,productStatus";

fn search(first: u64, filter: &str) -> String {
    get(&format!(
        "/product-service/product-search?columns={COLUMNS}&sort=productId.ASC&pageSize=500&firstResult={first}{filter}"
    ))
}

fn dated(answer: Answer, date: &str) -> Answer {
    answer.header("Date", date)
}

fn item(document: &Document) -> &Item {
    match &document.body {
        Body::Item(item) => item,
        other => panic!("no item: {other:?}"),
    }
}

fn ids(document: &Document) -> Vec<(&str, &str)> {
    let list = item(document).identifiers.iter();
    list.map(|i| (i.kind.as_str(), i.value.as_str())).collect()
}

#[test]
fn all_products_first_then_the_sweeps() {
    let host = TestHost::at(0)
        .expect(
            &search(1, ""),
            dated(answer("product-search"), "Mon, 03 Nov 2025 14:05:10 GMT"),
        )
        .expect(
            &search(4, ""),
            dated(
                answer("product-search-last"),
                "Mon, 03 Nov 2025 14:09:00 GMT",
            ),
        )
        .expect(&get("/product-service/product/1010"), wrap())
        .expect(
            &search(1, "&createdOn=2025-11-03T13%3A55%3A10.000Z%2F"),
            dated(
                answer("product-search-last"),
                "Mon, 03 Nov 2025 15:00:00 GMT",
            ),
        )
        .expect(&get("/product-service/product/1010"), wrap())
        .expect(
            &search(1, "&updatedOn=2025-11-03T13%3A55%3A10.000Z%2F"),
            dated(
                answer("product-search-last"),
                "Mon, 03 Nov 2025 15:00:01 GMT",
            ),
        )
        .expect(&get("/product-service/product/1010"), wrap())
        .expect(
            &search(1, "&createdOn=2025-11-03T14%3A50%3A00.000Z%2F"),
            answer("product-search-last"),
        )
        .expect(&get("/product-service/product/1010"), wrap());
    let ctx = context(1);
    let next = |cursor: Option<&[u8]>| pull(&host, &ctx, Entity::Item, cursor).unwrap();
    let first = next(None);
    assert!(first.more);
    let keys: Vec<&str> = first.documents.iter().map(|d| d.key.as_str()).collect();
    assert_eq!(keys, ["1007", "1008"], "1000 is free text, not a product");
    assert_eq!(
        ids(&first.documents[0]),
        [
            ("sku", "MUG-BLU"),
            ("ean", "5012345678900"),
            ("upc", "012345678905"),
            ("mpn", "MB-1"),
            ("barcode", "5012345678900")
        ]
    );
    assert_eq!(ids(&first.documents[1]), [("sku", "MUG-RED")]);
    assert_eq!(first.documents[0].revision, "2025-11-03T14:05:10.000Z");
    assert_eq!(first.documents[0].occurred_at, NOW);
    assert_eq!(first.documents[1].revision, "2025-11-02T14:00:00.000Z");

    let last = next(Some(&first.cursor));
    assert!(!last.more, "caught up");
    assert_eq!(
        ids(&last.documents[0]),
        [("sku", "MUG-RED")],
        "doubles are passed on"
    );
    assert!(!item(&last.documents[0]).active && item(&last.documents[1]).active);
    assert!(ids(&last.documents[1]).is_empty(), "blank ids are none");
    assert!(!item(&last.documents[1]).tracked);
    let noted = |id: i64| host.kv(&format!("untracked/{id}")).is_some();
    assert!(noted(1010) && !noted(1009), "it is on no goods-out note");

    let created = next(Some(&last.cursor));
    assert!(created.more);
    let updated = next(Some(&created.cursor));
    assert!(!updated.more);
    next(Some(&updated.cursor));
    host.finish();
}

#[test]
fn a_custom_field_is_read_as_an_id() {
    let host = TestHost::at(NOW)
        .expect(&search(1, ""), answer("product-search"))
        .expect(
            &get("/product-service/product-custom-field/1007-1008"),
            answer("product-custom-field"),
        );
    let ctx = Context {
        settings: settings_with(&[("custom-id-field", "PCF_NET")]),
        attempt: 1,
    };
    let page = pull(&host, &ctx, Entity::Item, None).unwrap();
    host.finish();
    assert!(ids(&page.documents[0]).contains(&("custom:PCF_NET", "N-7")));
    assert_eq!(ids(&page.documents[1]), [("sku", "MUG-RED")]);
    assert!(page.documents[0].revision.ends_with("Z PCF_NET"));
}

#[test]
fn a_position_that_is_not_readable_starts_again() {
    let host = Short(TestHost::at(NOW).expect(&search(1, ""), answer("product-search")));
    let page = pull(&host, &context(1), Entity::Item, Some(b"other")).unwrap();
    assert_eq!(page.documents.len(), 2);
    assert_eq!(host.0.logs().len(), 1);
}

#[test]
fn fetch_asks_for_the_ids_and_takes_no_others() {
    let host = TestHost::at(NOW).expect(
        &search(1, "&productId=1007%2C1012"),
        answer("product-search"),
    );
    let keys = ["1012", "1007", "no id"].map(str::to_owned);
    let documents = fetch(&host, &context(1), Entity::Item, &keys).unwrap();
    host.finish();
    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0].key, "1007");
}

#[test]
fn troubles_of_a_read_are_told_apart() {
    let read = |answer: Answer| {
        let host = TestHost::at(NOW).expect(&search(1, ""), answer);
        let failure = pull(&host, &context(1), Entity::Item, None).unwrap_err();
        host.finish();
        failure
    };
    assert_eq!(read(throttled("59001")), Failure::Retry(Some(60)));
    assert_eq!(read(Answer::text(502, "<html>")), Failure::Retry(None));
    assert_eq!(
        read(Answer::text(200, "{\"response\":{\"res")),
        Failure::Retry(None)
    );
    assert_eq!(
        read(Answer::text(200, "{\"response\":7}")),
        Failure::Retry(None)
    );
    let bad = errors(500, "CMNC-018", "The filter cannot be parsed");
    assert!(matches!(read(bad), Failure::Rejected(p) if p.code == "cmnc-018"));
    assert!(matches!(
        read(errors(401, "", "")),
        Failure::Unauthorized(_)
    ));
}

#[test]
fn only_differences_of_a_small_list_become_documents() {
    let mut renamed = crate::script::fixture("warehouse");
    renamed["response"][0]["name"] = "Main hall".into();
    renamed["response"].as_array_mut().unwrap().remove(1);
    let path = get("/warehouse-service/warehouse");
    let host = TestHost::at(NOW)
        .expect(&path, answer("warehouse"))
        .expect(&path, answer("warehouse"))
        .expect(
            &path,
            dated(Answer::json(200, &renamed), "Mon, 03 Nov 2025 15:00:00 GMT"),
        );
    let ctx = context(1);
    let next = |cursor: Option<&[u8]>| pull(&host, &ctx, Entity::Warehouse, cursor).unwrap();
    let first = next(None);
    assert_eq!(first.documents.len(), 2);
    let second = next(Some(&first.cursor));
    assert!(second.documents.is_empty());
    let third = next(Some(&second.cursor));
    host.finish();
    let seen: Vec<(&str, &str, bool)> = third
        .documents
        .iter()
        .map(|d| match &d.body {
            Body::Warehouse(w) => (w.code.as_str(), w.name.as_str(), w.active),
            other => panic!("no warehouse: {other:?}"),
        })
        .collect();
    assert_eq!(seen, [("2", "Main hall", true), ("3", "East", false)]);
    assert!(third.documents[0].revision > first.documents[0].revision);
}

#[test]
fn shipping_methods_have_carrier_and_code() {
    let host = TestHost::at(NOW).expect(
        &get("/warehouse-service/shipping-method"),
        answer("shipping-method"),
    );
    let page = pull(&host, &context(1), Entity::ShippingMethod, None).unwrap();
    let Body::ShippingMethod(ups) = &page.documents[0].body else {
        panic!("no shipping method");
    };
    assert_eq!(page.documents[0].key, "12");
    assert_eq!(ups.method.carrier.as_deref(), Some("UPS"));
    assert_eq!(ups.method.code.as_deref(), Some("UPSG"));
}

#[test]
fn a_listing_reads_by_time_or_by_key() {
    let period = "=2025-11-03T14%3A05%3A10.000Z%2F2025-11-03T14%3A05%3A11.000Z";
    let host = TestHost::at(NOW)
        .expect(
            &search(1, &format!("&createdOn{period}")),
            answer("product-search-last"),
        )
        .expect(&get("/product-service/product/1010"), wrap())
        .expect(
            &search(1, &format!("&updatedOn{period}")),
            answer("product-search-last"),
        )
        .expect(&get("/product-service/product/1010"), wrap())
        .expect(&search(1, "&productId=1009"), answer("product-search-last"))
        .expect(&get("/product-service/product/1010"), wrap());
    let ctx = context(1);
    let scope = Scope::Between((NOW, NOW + 1000));
    let first = read(&host, &ctx, Entity::Item, &scope, None).unwrap();
    assert!(first.more);
    let second = read(&host, &ctx, Entity::Item, &scope, Some(&first.cursor)).unwrap();
    assert!(!second.more);
    let keys = Scope::Keys(vec!["1009".to_owned()]);
    let one = read(&host, &ctx, Entity::Item, &keys, None).unwrap();
    assert_eq!((one.documents.len(), one.more), (1, false));
    host.finish();
}

/// Gift wrap: no bundle.
fn wrap() -> Answer {
    Answer::json(
        200,
        &json!({"response": [{"id": 1010, "composition": {"bundle": false}}]}),
    )
}

#[test]
fn a_bundle_is_told_with_what_it_is_made_of() {
    let bundle = json!({"response": [{"id": 1010, "composition": {"bundle": true, "bundleComponents": [
        {"productId": 1008, "productQuantity": 2, "composition": {"bundle": false}}]}}]});
    let host = TestHost::at(NOW)
        .expect(&search(1, "&productId=1010"), answer("product-search-last"))
        .expect(
            &get("/product-service/product/1010"),
            Answer::json(200, &bundle),
        );
    let keys = ["1010".to_owned()];
    let all = fetch(&host, &context(1), Entity::Item, &keys).unwrap();
    let parts: Vec<_> = item(&all[0])
        .components
        .iter()
        .map(|c| (c.item.as_str(), c.quantity))
        .collect();
    assert_eq!(parts, [("1008", Decimal::whole(2))]);
    assert!(all[0].revision.ends_with(" 2x1008"), "{}", all[0].revision);
}

#[test]
fn other_kinds_are_refused() {
    let host = TestHost::at(NOW);
    let refused = pull(&host, &context(1), Entity::Customer, None);
    assert!(matches!(refused, Err(Failure::Rejected(p)) if p.code == "unsupported"));
}

#[test]
fn an_empty_collection_is_no_failure() {
    let none = || errors(404, "CMNC-404", "No products available");
    let host = TestHost::at(NOW)
        .expect(&search(1, ""), none())
        .expect(&get("/warehouse-service/shipping-method"), none());
    for entity in [Entity::Item, Entity::ShippingMethod] {
        let page = pull(&host, &context(1), entity, None).unwrap();
        assert!(page.documents.is_empty() && !page.more);
    }
    host.finish();
}
