//! The order of the vendor as a canonical one, field by field.

use super::{ASKED, CREATED, MESSY, at, now, order, wire, with, with_api};
use crate::feed::Feed;
use crate::order::{self as mapping, Names};
use serde_json::json;
use waybill_sdk::commerce::{
    Body, CancelPhase, Deadline, DeadlineSource, Decimal, Document, Method, OrderPhase,
};
use waybill_sdk::replay::TestHost;

fn map(json: &str, pairs: &[(&str, &str)]) -> Document {
    let host = TestHost::at(now()).with_kv("retailer-name/1000007001", b"Big Retailer");
    let order = wire(json);
    with_api(&host, pairs, |api| {
        let names = Names::of(api.host, std::slice::from_ref(&order));
        mapping::document(api, &order, &names)
    })
    .unwrap()
}

fn dec(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

#[test]
fn a_new_order_keeps_everything_it_says() {
    let document = map(CREATED, &[]);
    assert_eq!(document.key, "1000456789");
    assert_eq!(document.occurred_at, at("2025-11-21T07:00:05Z"));
    let order = order(&document);
    assert_eq!(order.number, "PO-1001");
    assert_eq!(order.retailer, "1000007001");
    assert_eq!(order.retailer_name, "Big Retailer");
    assert_eq!(order.kind, "dropship");
    assert!(!order.test);
    assert_eq!(order.phase, OrderPhase::Open);
    assert_eq!(order.currency.as_deref(), Some("USD"));
    assert_eq!(order.placed_at, Some(at("2025-11-21T06:55:00Z")));
    assert_eq!(order.cancel_after, Some(at("2025-12-01T00:00:00Z")));
    assert_eq!(order.warehouse.as_deref(), Some("WH01"));
    assert_eq!(
        order.shipping_method,
        Some(Method {
            carrier: Some("Generic".to_owned()),
            name: Some("Ground".to_owned()),
            code: Some("GCG".to_owned()),
        })
    );
    assert_eq!(order.bill_to, None, "an empty object is no address");
    assert_eq!(order.ship_to.name, "Jo Shopper");
    assert_eq!(order.ship_to.street, ["12 Example St", "Apt 4"]);
    assert_eq!(order.ship_to.region.as_deref(), Some("IL"));
    assert_eq!(order.ship_to.country.as_deref(), Some("US"));
    assert_eq!(order.total.as_ref().map(|t| t.net), Some(dec("25")));
    assert!(order.charges.is_empty());
    assert_eq!(order.supplier_number, None);
    assert_eq!(order.lines.len(), 2);
    let line = &order.lines[0];
    assert_eq!((line.line.as_str(), line.number), ("1", Some(1)));
    assert_eq!(line.quantity, dec("2"));
    assert_eq!(line.unit_price, Some(dec("9.5")));
    assert_eq!(line.tax, None);
    assert_eq!(line.ship_by, Some(at("2025-11-23T12:00:00Z")));
    let ids: Vec<_> = line
        .identifiers
        .iter()
        .map(|id| (id.kind.as_str(), id.value.as_str()))
        .collect();
    assert_eq!(
        ids,
        [
            ("sku", "TEE-BLK-M"),
            ("partner-sku", "R-5511"),
            ("upc", "012345678905"),
            ("network-item", "1090000001"),
        ]
    );
}

#[test]
fn a_deadline_says_who_set_it() {
    let deadline = |text: &str, set_by| {
        Some(Deadline {
            at: at(text),
            set_by,
        })
    };
    let document = map(CREATED, &[]);
    let all = order(&document);
    assert_eq!(
        all.acknowledge_by,
        deadline("2025-11-21T19:00:00Z", DeadlineSource::Order)
    );
    // One line has a date of its own and it is the earlier one.
    assert_eq!(
        all.ship_by,
        deadline("2025-11-23T12:00:00Z", DeadlineSource::Line)
    );
    assert_eq!(
        all.invoice_by,
        deadline("2025-12-05T00:00:00Z", DeadlineSource::Network)
    );
    let shipped = map(
        &with(
            CREATED,
            json!({"lineItems": [
                {"lineNumber": 1, "quantity": 2, "shippedQuantity": 2, "shipByDate": "2025-11-23T12:00:00Z"},
                {"lineNumber": 2, "quantity": 1},
            ]}),
        ),
        &[],
    );
    assert_eq!(
        order(&shipped).ship_by,
        deadline("2025-11-24T23:59:59Z", DeadlineSource::Order),
        "the date of a line that is shipped no longer counts"
    );
}

#[test]
fn unknown_scalars_are_carried_and_unknown_objects_do_no_harm() {
    let document = map(CREATED, &[]);
    let order = order(&document);
    let extra = |name: &str| {
        let found = order.extras.iter().find(|extra| extra.name == name);
        found.map(|extra| extra.value.as_str())
    };
    assert_eq!(extra("consumerOrderNumber"), Some("W778812"));
    assert_eq!(extra("dscoStatus"), Some("created"));
    assert_eq!(extra("shipping.addressType"), Some("Residential"));
    assert_eq!(extra("orderTotalAmount"), Some("45.98"));
    assert_eq!(extra("someFieldOfALaterVersion"), None);
    let line = &order.lines[0].extras;
    assert!(
        line.iter()
            .any(|extra| extra.name == "consumerPrice" && extra.value == "19.99")
    );
}

#[test]
fn every_odd_shape_is_read() {
    let document = map(MESSY, &[]);
    assert_eq!(document.key, "1000456790");
    assert_eq!(document.occurred_at, at("2025-11-21T16:10:00Z"));
    let order = order(&document);
    assert_eq!(order.number, "70012");
    assert!(order.test);
    assert_eq!(order.kind, "dropship");
    assert_eq!(order.currency, None);
    assert_eq!(order.phase, OrderPhase::Accepted);
    assert_eq!(order.ship_to.name, "Kim Lee");
    assert_eq!(order.ship_to.street, ["5 Side Rd"]);
    assert_eq!(order.ship_to.region.as_deref(), Some("NV"));
    assert_eq!(order.ship_to.postcode, "89501");
    assert_eq!(order.ship_to.country, None, "no country is guessed");
    assert_eq!(order.total, None);
    assert_eq!(
        order
            .shipping_method
            .as_ref()
            .and_then(|m| m.carrier.as_deref()),
        Some("UPS"),
        "the first triplet that says anything"
    );
    assert_eq!(order.acknowledge_by, None);
    assert_eq!(
        order.ship_by.as_ref().map(|d| d.set_by),
        Some(DeadlineSource::Network)
    );
    let lines: Vec<_> = order
        .lines
        .iter()
        .map(|line| {
            (
                line.line.as_str(),
                line.quantity.to_string(),
                line.cancelled.to_string(),
                line.shipped.to_string(),
                line.unit_price.map(|price| price.to_string()),
            )
        })
        .collect();
    let text = |value: &str| value.to_owned();
    assert_eq!(
        lines,
        [
            (
                "1090000003",
                text("3"),
                text("0"),
                text("0"),
                Some(text("4.25"))
            ),
            // The item id is taken, and there is no number: its place. Cancelled by status alone.
            ("at-2", text("1"), text("1"), text("0"), None),
            // A rejected unit is not delivered either; two are in a parcel.
            ("7", text("4"), text("1"), text("2"), Some(text("1"))),
        ]
    );
}

#[test]
fn the_phase_follows_the_lifecycle_then_the_status() {
    for (lifecycle, status, phase) in [
        (Some("received"), "created", OrderPhase::Pending),
        (Some("created"), "created", OrderPhase::Open),
        (
            Some("acknowledged"),
            "shipment_pending",
            OrderPhase::Accepted,
        ),
        // `shipped` is said after the first parcel.
        (Some("acknowledged"), "shipped", OrderPhase::Accepted),
        (Some("completed"), "shipped", OrderPhase::Completed),
        (Some("completed"), "cancelled", OrderPhase::Cancelled),
        (None, "created", OrderPhase::Open),
        (None, "shipment_pending", OrderPhase::Accepted),
        (None, "shipped", OrderPhase::Accepted),
        (None, "cancelled", OrderPhase::Cancelled),
        (Some("a-later-state"), "a-later-state", OrderPhase::Open),
    ] {
        let json = with(
            CREATED,
            json!({"dscoLifecycle": lifecycle, "dscoStatus": status}),
        );
        assert_eq!(
            order(&map(&json, &[])).phase,
            phase,
            "{lifecycle:?} {status}"
        );
    }
    let all_lines_cancelled = with(
        CREATED,
        json!({"dscoLifecycle": "acknowledged", "dscoStatus": "shipment_pending",
               "lineItems": [{"lineNumber": 1, "quantity": 2, "cancelledQuantity": 2}]}),
    );
    assert_eq!(
        order(&map(&all_lines_cancelled, &[])).phase,
        OrderPhase::Cancelled
    );
}

#[test]
fn the_total_is_the_field_the_merchant_chose() {
    for (setting, total) in [
        ("extendedExpectedCostTotal", Some("25")),
        ("orderTotalAmount", Some("45.98")),
        ("none", None),
    ] {
        let document = map(CREATED, &[("total-field", setting)]);
        let found = order(&document).total.as_ref().map(|t| t.gross.to_string());
        assert_eq!(found.as_deref(), total);
    }
    let sale = map(CREATED, &[("surcharge-as-charge", "true")]);
    let charges = &order(&sale).charges;
    assert_eq!(charges.len(), 1);
    assert_eq!(charges[0].kind, "surcharge");
    assert_eq!(charges[0].amount.net, dec("1.5"));
}

#[test]
fn two_states_of_one_second_are_two_revisions() {
    let revision = |changes| mapping::revision(&wire(&with(CREATED, changes)));
    let created = revision(json!({}));
    assert_eq!(created, "2025-11-21T07:00:05Z created created 0");
    assert_eq!(
        created,
        revision(json!({"dscoLastUpdate": "2025-11-21T07:00:05Z", "giftFlag": true})),
        "the same state in another spelling is the same revision"
    );
    for changes in [
        json!({"dscoLifecycle": "acknowledged"}),
        json!({"dscoStatus": "shipment_pending"}),
        json!({"cancelRequested": true}),
        json!({"lineItems": [{"lineNumber": 1, "quantity": 2, "cancelledQuantity": 1}]}),
        json!({"lineItems": [{"lineNumber": 1, "quantity": 2, "cancelRequested": true}]}),
    ] {
        assert_ne!(created, revision(changes.clone()), "{changes}");
    }
}

#[test]
fn an_order_without_an_id_is_reported_not_invented() {
    let host = TestHost::at(now());
    let json = with(CREATED, json!({"dscoOrderId": null}));
    let documents = with_api(&host, &[], |api| {
        Feed::Orders.documents(api, &[wire(&json)])
    });
    assert_eq!(documents, []);
    assert_eq!(
        host.logs(),
        ["An order without dscoOrderId was left out. number=PO-1001"]
    );
}

#[test]
fn a_received_order_is_left_until_it_is_created() {
    let host = TestHost::at(now());
    let received = with(CREATED, json!({"dscoLifecycle": "received"}));
    with_api(&host, &[], |api| {
        assert_eq!(Feed::Orders.documents(api, &[wire(&received)]), []);
        assert_eq!(Feed::Orders.documents(api, &[wire(CREATED)]).len(), 1);
    });
}

#[test]
fn a_cancel_request_names_its_lines() {
    let host = TestHost::at(now());
    let cancel = |json: &str| {
        let documents = with_api(&host, &[], |api| {
            Feed::Cancels.documents(api, &[wire(json)])
        });
        let Body::Cancellation(cancellation) = &documents[0].body else {
            panic!("not a cancellation: {documents:?}");
        };
        cancellation.clone()
    };
    let of_line = cancel(ASKED);
    assert_eq!(of_line.order_key, "1000456791");
    assert_eq!(of_line.phase, CancelPhase::Requested);
    assert_eq!(of_line.reason.as_deref(), Some("CXRR"));
    assert_eq!(of_line.lines.len(), 1);
    assert_eq!(of_line.lines[0].line, "1");
    assert_eq!(of_line.lines[0].quantity, dec("1"), "one of two is shipped");

    let of_order = cancel(&with(
        CREATED,
        json!({"cancelRequested": true, "cancelRequestedCode": "CXRF"}),
    ));
    assert_eq!(of_order.lines, []);
    assert_eq!(of_order.reason.as_deref(), Some("CXRF"));
    assert_eq!(cancel(CREATED).phase, CancelPhase::Refused);
    let gone = with(
        CREATED,
        json!({"dscoStatus": "cancelled", "cancelRequested": true}),
    );
    assert_eq!(cancel(&gone).phase, CancelPhase::Accepted);
    // A search finds orders of any kind: one without a request is none.
    with_api(&host, &[], |api| {
        assert_eq!(Feed::Cancels.found(api, &[wire(CREATED)]), []);
        assert_eq!(Feed::Cancels.found(api, &[wire(ASKED)]).len(), 1);
    });
}

#[test]
fn states_are_read_in_any_case() {
    let mapped = |changes| order(&map(&with(CREATED, changes), &[])).clone();
    let done = mapped(json!({"dscoLifecycle": "Completed", "dscoStatus": "Shipped"}));
    assert_eq!(done.phase, OrderPhase::Completed);
    let gone = mapped(json!({"dscoLifecycle": null, "dscoStatus": "CANCELLED"}));
    assert_eq!(gone.phase, OrderPhase::Cancelled);
    let lines = json!([{"lineNumber": 1, "quantity": 2, "status": "Rejected"}, {"lineNumber": 2, "quantity": 1}]);
    assert_eq!(
        mapped(json!({"lineItems": lines})).lines[0].cancelled,
        dec("2")
    );
}

#[test]
fn parcels_without_line_numbers_fill_the_lines_of_a_sku_in_turn() {
    let twice = with(
        CREATED,
        json!({
            "lineItems": [
                {"lineNumber": 1, "sku": "TEE", "quantity": 2},
                {"lineNumber": 2, "sku": "TEE", "quantity": 3},
                {"lineNumber": 3, "sku": "CAP", "quantity": 1},
            ],
            "packages": [{"items": [{"sku": "TEE", "quantity": 3}, {"lineNumber": 3, "sku": "TEE", "quantity": 1}]}],
        }),
    );
    let document = map(&twice, &[]);
    let shipped: Vec<_> = order(&document).lines.iter().map(|l| l.shipped).collect();
    assert_eq!(shipped, [dec("2"), dec("1"), dec("1")]);
}

#[test]
fn parcels_count_and_stay_visible() {
    let item = |line: u32, units: u32, span: bool| json!({"lineNumber": line, "quantity": units, "packageSpanFlag": span});
    let package = |tracking: &str, day: &str, items: serde_json::Value| json!({"trackingNumber": tracking, "shipDate": day, "items": items});
    let day = "2025-11-22T10:00:00Z";
    let lines = json!([
        {"lineNumber": 1, "sku": "A", "quantity": 4, "cancelledQuantity": 1},
        {"lineNumber": 2, "sku": "B", "quantity": 2, "shippedQuantity": 0},
        {"lineNumber": 3, "sku": "B", "quantity": 2},
        {"lineNumber": 4, "sku": "C", "quantity": 1, "shippedQuantity": "1"},
    ]);
    let packages = json!([
        package("S1", day, json!([item(1, 1, true)])),
        package("S2", day, json!([item(1, 1, true)])),
        package("S3", "2025-11-23T10:00:00Z", json!([item(1, 1, true)])),
        package("P", day, json!([{"sku": "B", "quantity": 3}, {"partnerSku": "X", "quantity": 1}])),
        {"trackingNumber": null, "items": []},
    ]);
    let changes = json!({"dscoLifecycle": "acknowledged", "dscoStatus": "shipped", "lineItems": lines,
                         "packages": packages});
    let document = map(&with(CREATED, changes), &[]);
    let order = order(&document);
    let shipped: Vec<String> = order.lines.iter().map(|l| l.shipped.to_string()).collect();
    assert_eq!(shipped, ["2", "2", "1", "1"]);
    assert_eq!(order.lines[0].cancelled, dec("1"));
    assert_eq!(order.phase, OrderPhase::Accepted, "some is open");
    assert!(
        document.revision.ends_with(" parcels 5"),
        "{}",
        document.revision
    );
    let known = mapping::parcels(order);
    assert_eq!(known.len(), 4);
    assert_eq!(known[0].tracking, "S1");
    assert_eq!(
        known[3].lines,
        [("2".to_owned(), dec("2")), ("3".to_owned(), dec("1"))]
    );
}

#[test]
fn totals_and_amounts_that_are_no_charges_are_handed_over_beside_them() {
    let amounts = |json: &str, pairs: &[(&str, &str)]| -> Vec<String> {
        let document = map(json, pairs);
        let extras = order(&document).extras.iter();
        let own = extras.filter(|e| e.name.starts_with("total ") || e.name.starts_with("amount "));
        own.map(|e| format!("{} = {}", e.name, e.value)).collect()
    };
    let totals = ["total order = 45.98", "total lines = 25"];
    let shown = "amount surcharge = 1.5 Shipping surcharge";
    assert_eq!(amounts(CREATED, &[]), [totals[0], totals[1], shown]);
    // As a charge it counts already.
    let charged = amounts(CREATED, &[("surcharge-as-charge", "true")]);
    assert_eq!(charged, totals);
    let lines = with(
        CREATED,
        json!({"shippingSurcharge": null, "amountOfSalesTaxCollected": 2.1, "orderTotalAmount": null,
               "lineItems": [{"lineNumber": 1, "quantity": 2, "expectedCost": 9.5, "handlingAmount": 0.5, "shippingSurcharge": 1},
                             {"lineNumber": 2, "quantity": 1, "expectedCost": 6, "handlingAmount": 0.25, "shippingSurcharge": 2}]}),
    );
    assert_eq!(
        amounts(&lines, &[]),
        [
            "total lines = 25",
            "amount surcharge = 3 Shipping surcharge",
            "amount handling = 0.75 Handling",
            "amount tax = 2.1 Sales tax",
        ]
    );
    let document = map(&lines, &[]);
    let of_line = &order(&document).lines[0].extras;
    assert!(of_line.iter().any(|e| e.name == "handlingAmount"));
}
