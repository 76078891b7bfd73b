//! Retailers, warehouses, choices and the probe.

use super::{API, now, with_api};
use crate::order::name_key;
use crate::{partners, source};
use serde_json::json;
use waybill_sdk::commerce::{Body, Entity};
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::Failure;

#[test]
fn retailers_are_known_by_account_and_leave_their_names() {
    let host = TestHost::at(now()).expect(
        &format!("GET {API}/tradingpartner"),
        Answer::json(
            200,
            &json!([
                {"accountId": 1_000_007_001, "tradingPartnerId": "VEND-88", "tradingPartnerName": "Big Retailer", "status": "active"},
                {"accountId": "1000007002", "tradingPartnerName": null, "status": "terminated", "defaultRetailModel": "dropship"},
                {"tradingPartnerName": "nobody"},
            ]),
        ),
    );
    let page = with_api(&host, &[], |api| source::pull(api, Entity::Retailer, None)).unwrap();
    let retailers: Vec<_> = page
        .documents
        .iter()
        .map(|document| match &document.body {
            Body::Retailer(r) => (r.code.as_str(), r.name.as_str(), r.active),
            other => panic!("not a retailer: {other:?}"),
        })
        .collect();
    assert_eq!(
        retailers,
        [
            ("1000007001", "Big Retailer", true),
            ("1000007002", "1000007002", false),
        ]
    );
    assert_eq!(
        host.kv(&name_key("1000007001")).as_deref(),
        Some(b"Big Retailer".as_slice())
    );
}

#[test]
fn warehouses_are_read_page_by_page() {
    let page = |code: &str, scroll: Option<&str>| {
        Answer::json(
            200,
            &json!({"scrollId": scroll, "warehouses": [{"code": code, "warehouseId": "9", "name": null, "status": "inactive"}]}),
        )
    };
    let host = TestHost::at(now())
        .expect(
            &format!("GET {API}/warehouse/page"),
            page("WH01", Some("s/1")),
        )
        .expect(
            &format!("GET {API}/warehouse/page?scrollId=s%2F1"),
            page("WH02", None),
        );
    let choices = with_api(&host, &[], |api| partners::choices(api, "warehouse")).unwrap();
    let values: Vec<_> = choices
        .items
        .iter()
        .map(|c| (c.value.as_str(), c.disabled))
        .collect();
    assert_eq!(values, [("WH01", true), ("WH02", true)]);
    host.finish();
}

#[test]
fn the_probe_reads_and_tells_the_clock() {
    let hello = format!("GET {API}/hello");
    let host = TestHost::at(now()).expect(
        &hello,
        Answer::json(200, &json!({"hello": "World!"}))
            .header("Date", "Fri, 21 Nov 2025 10:00:03 GMT"),
    );
    let facts = with_api(&host, &[], source::probe).unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        facts,
        [
            pair("reached", API),
            pair("clock", "3 s ahead of this machine's")
        ]
    );

    let gateway = json!({"message": "Invalid key=value pair (missing equal-sign) in Authorization header: 'x'."});
    for (answer, code) in [
        (Answer::json(403, &gateway), "forbidden"),
        (Answer::json(200, &json!({"status": "ok"})), "not-dsco"),
        (Answer::text(301, ""), "moved"),
    ] {
        let host = TestHost::at(now()).expect(&hello, answer);
        let Err(Failure::Rejected(problem)) = with_api(&host, &[], source::probe) else {
            panic!("the probe accepted it");
        };
        assert_eq!(problem.code, code);
        assert!(problem.hint.is_some());
    }
    let host = TestHost::at(now()).expect(&hello, Answer::text(401, ""));
    assert!(matches!(
        with_api(&host, &[], source::probe),
        Err(Failure::Unauthorized(_))
    ));
}

#[test]
fn no_retailer_at_all_is_no_failure() {
    for answer in [
        Answer::json(404, &json!({})),
        Answer::json(200, &json!(null)),
        Answer::json(200, &json!([])),
    ] {
        let host = TestHost::at(now()).expect(&format!("GET {API}/tradingpartner"), answer);
        let page = with_api(&host, &[], |api| source::pull(api, Entity::Retailer, None)).unwrap();
        assert_eq!(page.documents, []);
    }
}
