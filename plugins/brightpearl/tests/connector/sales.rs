//! The list of all sales of a time: whose they are is somebody else's question.

use crate::script::{NOW, context, get};
use serde_json::{Value, json};
use waybill_brightpearl::bindings::exports::waybill::connector::listing::Scope;
use waybill_brightpearl::listing;
use waybill_sdk::commerce::{Body, Entity};
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::Failure;

fn search(first: u64) -> String {
    let period = "2025-11-03T14%3A05%3A10.000Z%2F2025-11-03T14%3A05%3A11.000Z";
    get(&format!(
        "/order-service/order-search?orderTypeId=1&createdOn={period}&columns=orderId,contactId,createdOn,customerRef&sort=orderId.ASC&pageSize=500&firstResult={first}"
    ))
}

fn found(rows: &[Value], more: bool, first: usize) -> Answer {
    let columns: Vec<Value> = ["customerRef", "orderId", "contactId", "createdOn"]
        .map(|name| json!({"name": name}))
        .to_vec();
    let last = first + rows.len() - 1;
    Answer::json(
        200,
        &json!({"response": {"results": rows, "metaData": {"morePagesAvailable": more, "columns": columns,
            "firstResult": first, "lastResult": last}}}),
    )
}

#[test]
fn every_sale_of_a_time_is_listed_with_its_number_and_customer() {
    let on = "2025-11-03T08:05:10.000-06:00";
    let host = TestHost::at(NOW)
        .expect(
            &search(1),
            found(&[json!(["PO &amp; 1", 100_245, 208, on])], true, 1),
        )
        .expect(
            &search(2),
            found(&[json!([null, 100_246, 209, on])], false, 2),
        );
    let ctx = context(1);
    let scope = Scope::Between((NOW, NOW + 1_000));
    let read = |cursor: Option<&[u8]>| listing::read(&host, &ctx, Entity::Order, &scope, cursor);
    let first = read(None).unwrap();
    assert!(first.more);
    let second = read(Some(&first.cursor)).unwrap();
    assert!(!second.more);
    let sales: Vec<(String, String, Option<String>, Option<i64>)> = first
        .documents
        .into_iter()
        .chain(second.documents)
        .map(|document| match document.body {
            Body::Order(sale) => (document.key, sale.number, sale.customer, sale.placed_at),
            other => panic!("{other:?}"),
        })
        .collect();
    let sale = |key: &str, number: &str, contact: &str| {
        (
            key.to_owned(),
            number.to_owned(),
            Some(contact.to_owned()),
            Some(NOW),
        )
    };
    assert_eq!(
        sales,
        [sale("100245", "PO & 1", "208"), sale("100246", "", "209")]
    );
    host.finish();
}

#[test]
fn an_answer_that_makes_no_sense_is_asked_for_again() {
    let host = TestHost::at(NOW).expect(&search(1), Answer::json(200, &json!({"response": {}})));
    let scope = Scope::Between((NOW, NOW + 1_000));
    let answer = listing::read(&host, &context(1), Entity::Order, &scope, None);
    assert!(matches!(answer, Err(Failure::Retry(None))));
}
