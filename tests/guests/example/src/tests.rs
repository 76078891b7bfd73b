//! The connector against a script: no network, no component.

use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::connector::{pull, push, validate};
use serde_json::json;
use waybill_sdk::commerce::{Address, Body, Document, Order, OrderPhase};
use waybill_sdk::effects::IoError;
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::{Context, Failure, Outcome};

fn context() -> Context {
    Context {
        settings: vec![("address".to_owned(), "https://shop.test/api/".to_owned())],
        attempt: 1,
    }
}

fn order() -> Delivery {
    let address = Address {
        name: "Jo Doe".to_owned(),
        ..Address::blank()
    };
    Delivery {
        document: Document {
            key: "7".to_owned(),
            revision: "1".to_owned(),
            occurred_at: 0,
            body: Body::Order(Order {
                number: "PO-7".to_owned(),
                retailer: "r".to_owned(),
                retailer_name: "R".to_owned(),
                kind: "dropship".to_owned(),
                test: false,
                phase: OrderPhase::Accepted,
                currency: None,
                placed_at: None,
                acknowledge_by: None,
                ship_by: None,
                invoice_by: None,
                cancel_after: None,
                customer: None,
                warehouse: None,
                shipping_method: None,
                bill_to: None,
                ship_to: address,
                lines: Vec::new(),
                charges: Vec::new(),
                total: None,
                supplier_number: None,
                extras: Vec::new(),
            }),
        },
        origin: None,
        links: Vec::new(),
        settings: Vec::new(),
    }
}

const POST: &str = "POST https://shop.test/api/orders";
const SEARCH: &str = "GET https://shop.test/api/orders?reference=waybill-7";

#[test]
fn an_order_is_made_under_our_reference() {
    let body = json!({"reference": "waybill-7", "number": "PO-7", "lines": []});
    let host = TestHost::at(0).expect_body(POST, body, Answer::json(201, &json!({"id": 5})));
    let verdicts = push(&host, &context(), &[order()]);
    assert!(matches!(&verdicts[0], Ok(Outcome::Done(r)) if r.key == "5" && !r.duplicate));
    host.finish();
}

#[test]
fn a_lost_answer_is_looked_up_before_anything_is_sent_again() {
    let none = || Answer::json(200, &json!({"orders": []}));
    let found = Answer::json(
        200,
        &json!({"orders": [{"id": 5, "reference": "waybill-7"}]}),
    );
    let lost = |age| Answer::Error(IoError::InDoubt(age));
    let host = TestHost::at(0)
        .expect(POST, lost(400))
        .expect(SEARCH, found);
    assert!(matches!(&push(&host, &context(), &[order()])[0], Ok(Outcome::Done(r)) if r.duplicate));
    let host = TestHost::at(0)
        .expect(POST, lost(4_000))
        .expect(SEARCH, none());
    assert_eq!(
        push(&host, &context(), &[order()])[0],
        Err(Failure::Retry(Some(26)))
    );
    let made = Answer::json(201, &json!({"id": 6}));
    let host = TestHost::at(0)
        .expect(POST, lost(30_000))
        .expect(SEARCH, none())
        .expect(POST, made);
    assert!(
        matches!(&push(&host, &context(), &[order()])[0], Ok(Outcome::Done(r)) if r.key == "6")
    );
    assert!(host.sent()[2].effect.as_ref().unwrap().verified_absent);
}

#[test]
fn the_cursor_is_the_last_shipment() {
    let page = json!({"shipments": [{"id": 3, "order": "9", "tracking": "1Z"}], "more": true});
    let host = TestHost::at(0)
        .expect(
            "GET https://shop.test/api/shipments?after=0",
            Answer::json(200, &page),
        )
        .expect(
            "GET https://shop.test/api/shipments?after=3",
            Answer::json(200, &json!({"shipments": [], "more": true})),
        );
    let first = pull(&host, &context(), None).unwrap();
    assert_eq!(
        (first.cursor.as_slice(), first.more, first.documents.len()),
        (&b"3"[..], true, 1)
    );
    let rest = pull(&host, &context(), Some(b"3")).unwrap();
    assert_eq!((rest.cursor.as_slice(), rest.more), (&b"3"[..], false));
    assert_eq!(validate(&context()), []);
    assert_eq!(
        validate(&Context {
            settings: Vec::new(),
            attempt: 1
        })[0]
            .code,
        "address"
    );
}
