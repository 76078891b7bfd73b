//! Goods-out notes of our own sales become shipments, with as few calls as there can be.

use crate::script::{NOW, context, errors, get, settings, throttled};
use serde_json::{Map, Value, json};
use waybill_brightpearl::bindings::exports::waybill::connector::listing::Scope;
use waybill_brightpearl::bindings::exports::waybill::connector::source::Page;
use waybill_brightpearl::listing;
use waybill_brightpearl::source::{fetch, pull};
use waybill_sdk::commerce::{Body, Document, Entity, Shipment, Stage};
use waybill_sdk::links::Link;
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::{Context, Failure};

/// The vendor's clock stands three seconds behind.
const DATE: &str = "Mon, 03 Nov 2025 14:05:07 GMT";
const LATER: &str = "Mon, 03 Nov 2025 14:06:07 GMT";
const SHIPPED_ON: &str = "2025-11-03T08:05:00.000-06:00";

fn search(filter: &str, first: u64) -> String {
    get(&format!(
        "/warehouse-service/goods-note/goods-out-search?{filter}&columns=goodsOutNoteId,orderId,printed,picked,packed,shipped,shippedOn,shippingMethodId,warehouseId,createdOn&sort=goodsOutNoteId.ASC&pageSize=500&firstResult={first}"
    ))
}
fn shipped_since(instant: &str) -> String {
    let time = instant.replace(':', "%3A");
    format!("shipped=true&shippedOn={time}%2F")
}
fn created_since(instant: &str) -> String {
    format!("createdOn={}%2F", instant.replace(':', "%3A"))
}
/// A day before [`NOW`]: the first round is a wide one.
fn wide() -> String {
    shipped_since("2025-11-02T14:05:10.000Z")
}
/// 15 minutes before [`DATE`].
fn quick() -> String {
    shipped_since("2025-11-03T13:50:07.000Z")
}
fn note_get(ids: &str) -> String {
    get(&format!(
        "/warehouse-service/order/*/goods-note/goods-out/{ids}"
    ))
}
fn sale_get(ids: &str) -> String {
    get(&format!("/order-service/sales-order/{ids}"))
}

/// A page of the search: note, sale, shipped. The columns stand in another order than asked for.
fn found(rows: &[(i64, i64, bool)], more: bool, first: usize) -> Answer {
    let results: Vec<Value> = rows
        .iter()
        .map(|(id, sale, shipped)| {
            let on = if *shipped {
                json!(SHIPPED_ON)
            } else {
                Value::Null
            };
            json!([sale, id, true, true, true, shipped, on, 12, "new"])
        })
        .collect();
    let names = [
        "orderId",
        "goodsOutNoteId",
        "printed",
        "picked",
        "packed",
        "shipped",
        "shippedOn",
        "shippingMethodId",
        "x",
    ];
    let columns: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    let mut meta =
        json!({"morePagesAvailable": more, "resultsAvailable": rows.len(), "columns": columns});
    if !rows.is_empty() {
        meta["lastResult"] = json!(first + rows.len() - 1);
    }
    dated(Answer::json(
        200,
        &json!({"response": {"results": results, "metaData": meta}, "reference": {}}),
    ))
}
fn dated(answer: Answer) -> Answer {
    answer.header("Date", DATE)
}
/// The same at another time.
fn at(mut answer: Answer, date: &str) -> Answer {
    if let Answer::Response(response) = &mut answer {
        response.headers.retain(|(name, _)| name != "Date");
    }
    answer.header("Date", date)
}

fn note(sale: i64, row: i64, quantity: i64, reference: &str) -> Value {
    json!({"orderId": sale, "warehouseId": 2, "transfer": false, "priority": false,
        "status": {"shipped": true, "packed": true, "picked": true, "printed": true, "shippedOn": SHIPPED_ON},
        "shipping": {"reference": reference, "shippingMethodId": 12, "boxes": 1, "weight": 2.5},
        "createdOn": "2025-11-03T08:00:00.000-06:00", "sequence": 1, "lastEventVersion": 88001,
        "orderRows": {row.to_string(): [{"productId": 1007, "quantity": quantity, "locationId": 2}]}})
}
fn notes(list: &[(i64, Value)]) -> Answer {
    let map: Map<String, Value> = list
        .iter()
        .map(|(id, note)| (id.to_string(), note.clone()))
        .collect();
    dated(Answer::json(200, &json!({ "response": map })))
}
fn sale(id: i64, row: i64) -> Value {
    json!({"id": id, "externalRef": format!("wb-{id}"), "delivery": {"shippingMethodId": 9},
        "rows": [{"id": row, "productId": 1007, "quantity": "2.0000", "externalRef": "L1",
            "bundleParent": false, "bundleChild": false, "parentRowId": null}]})
}
fn sales(list: &[Value]) -> Answer {
    dated(Answer::json(200, &json!({ "response": list })))
}

fn ours(host: TestHost, sales: impl IntoIterator<Item = i64>) -> TestHost {
    sales.into_iter().fold(host, |host, id| {
        let link = Link {
            system: "network".to_owned(),
            entity: Entity::Order,
            key: format!("o-{id}"),
        };
        host.with_link(Entity::Order, &id.to_string(), link)
    })
}

fn early() -> Context {
    let mut all = settings();
    all.push(("shipments.stage".to_owned(), "packed".to_owned()));
    Context {
        settings: all,
        attempt: 1,
    }
}
fn next_with(host: &TestHost, ctx: &Context, cursor: Option<&[u8]>) -> Page {
    pull(host, ctx, Entity::Shipment, cursor).unwrap()
}
/// Pages until the round is over.
fn round(host: &TestHost, ctx: &Context, cursor: Option<&[u8]>) -> (Vec<Document>, Vec<u8>) {
    let mut page = next_with(host, ctx, cursor);
    let mut all = page.documents;
    while page.more {
        page = next_with(host, ctx, Some(&page.cursor));
        all.extend(page.documents);
    }
    (all, page.cursor)
}
fn shipment(document: &Document) -> &Shipment {
    match &document.body {
        Body::Shipment(shipment) => shipment,
        other => panic!("no shipment: {other:?}"),
    }
}
/// A connection whose first round found nothing: the next one is quick.
fn caught_up(host: TestHost) -> (TestHost, Vec<u8>) {
    let host = host.expect(&search(&wide(), 1), found(&[], false, 1));
    let (none, cursor) = round(&host, &context(1), None);
    assert!(none.is_empty());
    (host, cursor)
}

#[test]
fn a_shipped_note_of_ours_is_a_shipment() {
    let host = ours(TestHost::at(NOW), [100_245])
        .expect(
            &search(&wide(), 1),
            found(
                &[(700_122, 100_244, true), (700_123, 100_245, true)],
                false,
                1,
            ),
        )
        .expect(
            &note_get("700123"),
            notes(&[(700_123, note(100_245, 398_120, 2, "1Z999"))]),
        )
        .expect(&sale_get("100245"), sales(&[sale(100_245, 398_120)]));
    let (documents, _) = round(&host, &context(1), None);
    host.finish();
    assert_eq!(documents.len(), 1);
    let document = &documents[0];
    assert_eq!(document.key, "700123");
    assert_eq!(document.revision, "88001 shipped 12 2 1Z999");
    assert_eq!(document.occurred_at, 1_762_178_700_000);
    let shipment = shipment(document);
    assert_eq!(shipment.order_key, "100245");
    assert_eq!(shipment.stage, Stage::Shipped);
    assert_eq!(shipment.shipped_at, Some(1_762_178_700_000));
    assert_eq!(shipment.warehouse.as_deref(), Some("2"));
    let method = shipment.shipping_method.as_ref().unwrap();
    assert_eq!(method.code.as_deref(), Some("12"));
    assert_eq!(shipment.parcels.len(), 1);
    assert_eq!(shipment.parcels[0].tracking.as_deref(), Some("1Z999"));
    assert_eq!(shipment.parcels[0].lines[0].line, "L1");
}

#[test]
fn a_quick_round_costs_one_call_and_reads_nothing_twice() {
    let (host, cursor) = caught_up(ours(TestHost::at(NOW), [100_245]));
    let row = [(700_123, 100_245, true)];
    let host = host
        .expect(&search(&quick(), 1), found(&[], false, 1))
        .expect(&search(&quick(), 1), found(&row, false, 1))
        .expect(
            &note_get("700123"),
            notes(&[(700_123, note(100_245, 398_120, 2, ""))]),
        )
        .expect(&sale_get("100245"), sales(&[sale(100_245, 398_120)]))
        .expect(&search(&quick(), 1), found(&row, false, 1));
    let ctx = context(1);
    let (none, cursor) = round(&host, &ctx, Some(&cursor));
    assert!(none.is_empty());
    let (one, cursor) = round(&host, &ctx, Some(&cursor));
    assert_eq!(one.len(), 1);
    assert_eq!(shipment(&one[0]).parcels[0].tracking, None);
    let (again, _) = round(&host, &ctx, Some(&cursor));
    assert!(again.is_empty(), "it stands there as it was read");
    host.finish();
}

#[test]
fn a_thousand_shipments_cost_ten_calls() {
    let ids: Vec<(i64, i64, bool)> = (0..1_000)
        .map(|n| (700_001 + n, 100_001 + n, true))
        .collect();
    let mut host = ours(TestHost::at(NOW), 100_001..101_001);
    for (page, rows) in ids.chunks(500).enumerate() {
        let first = 1 + 500 * page;
        let mut answer = found(rows, page == 0, first);
        if page == 1 {
            // It counts all: a full last page is known to be the last.
            let Answer::Response(response) = &mut answer else {
                unreachable!()
            };
            let mut body: Value = serde_json::from_slice(&response.body).unwrap();
            body["response"]["metaData"]["resultsAvailable"] = json!(1_000);
            response.body = body.to_string().into_bytes();
        }
        let range = |ids: &[i64]| format!("{}-{}", ids[0], ids[ids.len() - 1]);
        let note_ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let sale_ids: Vec<i64> = rows.iter().map(|row| row.1).collect();
        let all: Vec<(i64, Value)> = rows
            .iter()
            .map(|(id, sale, _)| (*id, note(*sale, 300_000 + sale, 1, "1Z")))
            .collect();
        host = host
            .expect(&search(&wide(), u64::try_from(first).unwrap()), answer)
            .expect(&note_get(&range(&note_ids)), notes(&all));
        for chunk in sale_ids.chunks(200) {
            let list: Vec<Value> = chunk.iter().map(|id| sale(*id, 300_000 + id)).collect();
            host = host.expect(&sale_get(&range(chunk)), sales(&list));
        }
    }
    let (documents, _) = round(&host, &context(1), None);
    host.finish();
    assert_eq!(documents.len(), 1_000);
    // Two searches, two reads of notes, six of sales: each page is whole before the next one is asked for.
    assert_eq!(host.sent().len(), 10);
}

#[test]
fn notes_of_others_are_never_read() {
    let rows: Vec<(i64, i64, bool)> = (0..3).map(|n| (700_001 + n, 5_000 + n, true)).collect();
    let host = TestHost::at(NOW).expect(&search(&wide(), 1), found(&rows, false, 1));
    let (documents, _) = round(&host, &context(1), None);
    host.finish();
    assert!(documents.is_empty());
}

#[test]
fn an_hour_later_known_notes_are_read_again() {
    let row = [(700_123, 100_245, true)];
    let host = ours(TestHost::at(NOW), [100_245])
        .expect(&search(&wide(), 1), found(&row, false, 1))
        .expect(
            &note_get("700123"),
            notes(&[(700_123, note(100_245, 398_120, 2, ""))]),
        )
        .expect(&sale_get("100245"), sales(&[sale(100_245, 398_120)]));
    let ctx = context(1);
    let (first, cursor) = round(&host, &ctx, None);
    host.set_now(NOW + 3_600_000);
    let later = shipped_since("2025-11-02T15:05:10.000Z");
    let mut taken_back = note(100_245, 398_120, 2, "1Z999");
    taken_back["status"] = json!({"shipped": false, "packed": true});
    let host = host
        .expect(
            &search(&later, 1),
            at(found(&row, false, 1), "Mon, 03 Nov 2025 15:05:07 GMT"),
        )
        .expect(&note_get("700123"), notes(&[(700_123, taken_back)]));
    let (second, _) = round(&host, &ctx, Some(&cursor));
    host.finish();
    assert_eq!(second.len(), 1, "one call: what was sold is known");
    assert_ne!(first[0].revision, second[0].revision);
    assert_eq!(shipment(&second[0]).stage, Stage::Packed);
    assert_eq!(shipment(&second[0]).shipped_at, None);
}

#[test]
fn open_notes_are_read_where_somebody_waits_for_an_earlier_step() {
    let open = |step: &str| {
        let mut note = note(100_245, 398_120, 2, "");
        note["status"] = json!({ step: true, "shipped": false });
        notes(&[(700_123, note)])
    };
    let made = created_since("2025-11-03T13:50:07.000Z");
    let host = ours(TestHost::at(NOW), [100_245])
        .expect(&search(&wide(), 1), found(&[], false, 1))
        .expect(
            &search("shipped=false", 1),
            found(&[(700_123, 100_245, false)], false, 1),
        )
        .expect(&note_get("700123"), open("printed"))
        .expect(&sale_get("100245"), sales(&[sale(100_245, 398_120)]))
        .expect(&search(&made, 1), at(found(&[], false, 1), LATER))
        .expect(&note_get("700123"), open("packed"));
    let ctx = early();
    let (first, cursor) = round(&host, &ctx, None);
    assert_eq!(shipment(&first[0]).stage, Stage::Printed);
    let (second, _) = round(&host, &ctx, Some(&cursor));
    host.finish();
    assert_eq!(shipment(&second[0]).stage, Stage::Packed);
}

#[test]
fn a_fetch_answers_for_ours_and_remembers_the_others() {
    let keys = ["700123", "700124", "700125", "x", "-1"].map(str::to_owned);
    let host = ours(TestHost::at(NOW), [100_245])
        .expect(
            &note_get("700123-700125"),
            notes(&[
                (700_123, note(100_245, 398_120, 2, "1Z")),
                (700_124, note(7, 1, 1, "")),
            ]),
        )
        .expect(&sale_get("100245"), sales(&[sale(100_245, 398_120)]))
        .expect(
            &note_get("700123,700125"),
            notes(&[(700_123, note(100_245, 398_120, 2, "1Z2"))]),
        );
    let ctx = context(1);
    let first = fetch(&host, &ctx, Entity::Shipment, &keys).unwrap();
    let second = fetch(&host, &ctx, Entity::Shipment, &keys).unwrap();
    host.finish();
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(
        first[0].revision, second[0].revision,
        "another tracking number"
    );
    // It became ours: it is read after all.
    let host = ours(TestHost::at(NOW), [7])
        .with_kv("foreign/700124", &host.kv("foreign/700124").unwrap())
        .expect(&note_get("700124"), notes(&[(700_124, note(7, 1, 1, ""))]))
        .expect(&sale_get("7"), sales(&[sale(7, 1)]));
    let third = fetch(&host, &ctx, Entity::Shipment, &["700124".to_owned()]).unwrap();
    host.finish();
    assert_eq!(third.len(), 1);
}

#[test]
fn gone_and_moved_notes_have_no_document() {
    let transfer = json!({"orderId": 0, "transfer": true, "targetWarehouseId": 3, "stockTransferId": 4, "transferRows": {}});
    let ctx = context(1);
    for answer in [
        notes(&[(700_123, transfer)]),
        errors(404, "CMNC-404", "No goods-out notes"),
    ] {
        let host = ours(TestHost::at(NOW), [100_245]).expect(&note_get("700123"), answer);
        let none = fetch(&host, &ctx, Entity::Shipment, &["700123".to_owned()]).unwrap();
        host.finish();
        assert!(none.is_empty());
    }
}

#[test]
fn a_note_whose_sale_is_not_shown_is_left_for_later() {
    let ctx = context(1);
    let host = ours(TestHost::at(NOW), [100_245, 100_246])
        .expect(&note_get("700123-700124"), {
            let both = [(700_123, note(100_245, 1, 1, "")), (700_124, note(100_246, 2, 1, ""))];
            notes(&both)
        })
        .expect(&sale_get("100245-100246"), {
            let body = json!({"response": [sale(100_246, 2)], "errors": [{"code": "ORDC-001", "message": "100245"}]});
            Answer::json(207, &body)
        });
    let keys = ["700123", "700124"].map(str::to_owned);
    let some = fetch(&host, &ctx, Entity::Shipment, &keys).unwrap();
    host.finish();
    let lines = |at: usize| shipment(&some[at]).parcels[0].lines.len();
    assert_eq!(
        (some.len(), lines(0), lines(1)),
        (2, 0, 1),
        "it is not gone"
    );
    assert!(host.kv("note/700123").is_none(), "it is asked for again");
    assert!(
        host.logs()
            .iter()
            .any(|line| line.contains("left for later. note=700123 sale=100245"))
    );
}

#[test]
fn a_row_that_is_not_known_has_the_sale_read_again() {
    let ctx = context(1);
    let keys = ["700123".to_owned()];
    let host = ours(TestHost::at(NOW), [100_245])
        .expect(
            &note_get("700123"),
            notes(&[(700_123, note(100_245, 1, 1, ""))]),
        )
        .expect(&sale_get("100245"), sales(&[sale(100_245, 1)]))
        .expect(
            &note_get("700123"),
            notes(&[(700_123, note(100_245, 2, 1, ""))]),
        )
        .expect(&sale_get("100245"), sales(&[sale(100_245, 2)]));
    let first = fetch(&host, &ctx, Entity::Shipment, &keys).unwrap();
    let second = fetch(&host, &ctx, Entity::Shipment, &keys).unwrap();
    host.finish();
    for documents in [first, second] {
        assert_eq!(shipment(&documents[0]).parcels[0].lines[0].line, "L1");
    }
}

#[test]
fn rows_without_keys_are_named_by_what_was_sent() {
    let mut bare = sale(100_245, 398_120);
    bare["rows"][0]
        .as_object_mut()
        .unwrap()
        .remove("externalRef");
    let sent = json!({"at": NOW, "value": [["L7", 1007]]}).to_string();
    let host = ours(TestHost::at(NOW), [100_245])
        .with_kv("sent/wb-100245", sent.as_bytes())
        .expect(
            &note_get("700123"),
            notes(&[(700_123, note(100_245, 398_120, 2, ""))]),
        )
        .expect(&sale_get("100245"), sales(&[bare]));
    let one = fetch(&host, &context(1), Entity::Shipment, &["700123".to_owned()]).unwrap();
    host.finish();
    assert_eq!(shipment(&one[0]).parcels[0].lines[0].line, "L7");
}

#[test]
fn a_part_without_stock_is_not_waited_for() {
    let mut kit = sale(100_245, 398_120);
    kit["rows"] = json!([
        {"id": 1, "productId": 1100, "quantity": 1, "externalRef": "L1", "bundleParent": true},
        {"id": 2, "productId": 1007, "quantity": 2, "bundleChild": true, "parentRowId": 1},
        {"id": 3, "productId": 1094, "quantity": 1, "bundleChild": true, "parentRowId": 1},
    ]);
    let host = ours(TestHost::at(NOW), [100_245])
        .with_kv("untracked/1094", b"1")
        .expect(
            &note_get("700123"),
            notes(&[(700_123, note(100_245, 2, 2, ""))]),
        )
        .expect(&sale_get("100245"), sales(&[kit]));
    let one = fetch(&host, &context(1), Entity::Shipment, &["700123".to_owned()]).unwrap();
    host.finish();
    let part = shipment(&one[0]).parcels[0].lines[0].part.clone().unwrap();
    assert_eq!(
        (part.item.as_str(), part.per_unit.to_string(), part.parts),
        ("1007", "2".to_owned(), 1)
    );
}

#[test]
fn a_listing_reads_what_was_shipped_in_a_time() {
    let period =
        "shipped=true&shippedOn=2025-11-03T14%3A05%3A10.000Z%2F2025-11-03T14%3A05%3A11.000Z";
    let host = ours(TestHost::at(NOW), [100_245])
        .expect(
            &search(period, 1),
            found(&[(700_123, 100_245, true)], true, 1),
        )
        .expect(
            &note_get("700123"),
            notes(&[(700_123, note(100_245, 398_120, 2, ""))]),
        )
        .expect(&sale_get("100245"), sales(&[sale(100_245, 398_120)]))
        .expect(&search(period, 2), found(&[], false, 2));
    let ctx = context(1);
    let scope = Scope::Between((NOW, NOW + 1_000));
    let first = listing::read(&host, &ctx, Entity::Shipment, &scope, None).unwrap();
    assert!(first.more && first.documents.len() == 1);
    let second = listing::read(&host, &ctx, Entity::Shipment, &scope, Some(&first.cursor)).unwrap();
    assert!(!second.more && second.documents.is_empty());
    host.finish();
}

#[test]
fn trouble_keeps_the_position() {
    let ctx = context(1);
    let told = |answer: Answer| {
        let host = TestHost::at(NOW).expect(&search(&wide(), 1), answer);
        pull(&host, &ctx, Entity::Shipment, None).unwrap_err()
    };
    assert_eq!(told(throttled("41250")), Failure::Retry(Some(42)));
    for broken in [
        Answer::text(502, "<html>Bad gateway</html>"),
        Answer::text(200, "<html>Just a moment</html>"),
        Answer::text(200, "{\"response\":{\"results\":[[1,2"),
        Answer::json(
            200,
            &json!({"response": {"results": [[1]], "metaData": {}}}),
        ),
    ] {
        assert_eq!(told(broken), Failure::Retry(None));
    }
    assert!(matches!(
        told(errors(401, "", "")),
        Failure::Unauthorized(_)
    ));
    // An unreadable position is no reason to stand still.
    let host = TestHost::at(NOW).expect(&search(&wide(), 1), found(&[], false, 1));
    next_with(&host, &ctx, Some(b"scribble"));
    host.finish();
}
