//! The account: choices from its lists, and the proof that the connection works.

use crate::script::{NOW, answer, context, errors, get, settings_with};
use serde_json::json;
use waybill_brightpearl::choices::choices;
use waybill_brightpearl::probe::probe;
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::{Context, Failure, Problem};

const STATUS: &str = "/order-service/order-status";
const TAX: &str = "/accounting-service/tax-code";
const WAREHOUSE: &str = "/warehouse-service/warehouse";

fn few(changes: &[(&str, &str)]) -> Context {
    let none = [
        ("channel", ""),
        ("price-list", ""),
        ("nominal-code", ""),
        ("nominal-shipping", ""),
        ("instance-id", ""),
        ("warehouse", "2"),
    ];
    let mut all = none.to_vec();
    all.extend(changes);
    Context {
        settings: settings_with(&all),
        attempt: 1,
    }
}

fn told() -> Answer {
    answer("order-status")
        .header("Brightpearl-Installed-Integration-Instance-Id", "34")
        .header("Brightpearl-Requests-Remaining", "199")
        .header("Date", "Mon, 03 Nov 2025 14:05:12 GMT")
}

fn rejected(host: &TestHost, ctx: &Context) -> Problem {
    match probe(host, ctx) {
        Err(Failure::Rejected(problem)) => problem,
        other => panic!("not rejected: {other:?}"),
    }
}

#[test]
fn a_probe_tells_who_where_and_how_much_is_left() {
    let host = TestHost::at(NOW)
        .expect(&get(STATUS), told())
        .expect(&get(WAREHOUSE), answer("warehouse"))
        .expect(
            &get(TAX),
            answer("tax-code").header("Brightpearl-Requests-Remaining", "197"),
        );
    let facts = probe(&host, &few(&[])).unwrap();
    host.finish();
    let fact = |name: &str| {
        let found = facts.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(fact("account"), Some("simaccount"));
    assert_eq!(fact("app instance"), Some("34"));
    assert_eq!(fact("calls left this minute"), Some("197"));
    assert_eq!(fact("clock"), Some("2 s ahead of this machine's"));
    assert_eq!(fact("order-status"), Some("New network order"));
    assert_eq!(fact("charge-tax-code"), Some("T: Taxable"));
    assert!(host.sent().iter().all(|r| r.method == "GET"));
}

#[test]
fn values_the_account_lacks_are_named_all_at_once() {
    for status in ["6", "9", "77"] {
        let host = TestHost::at(NOW)
            .expect(&get(STATUS), told())
            .expect(&get(WAREHOUSE), answer("warehouse"))
            .expect(&get(TAX), answer("tax-code"));
        let ctx = few(&[("order-status", status), ("tax-code", "X")]);
        let problem = rejected(&host, &ctx);
        host.finish();
        assert_eq!(problem.code, "order-status");
        assert!(
            problem.message.contains("`tax-code` is `X`"),
            "{}",
            problem.message
        );
    }
}

#[test]
fn settings_are_checked_before_anybody_is_asked() {
    let host = TestHost::at(NOW);
    let problem = rejected(&host, &few(&[("app-ref", "")]));
    assert_eq!(problem.code, "app-ref");
}

#[test]
fn refused_credentials_say_so() {
    let words =
        json!({"response": "Not authenticated. You must provide a valid authentication token."});
    let host = TestHost::at(NOW).expect(&get(STATUS), Answer::json(401, &words));
    assert!(matches!(
        probe(&host, &few(&[])),
        Err(Failure::Unauthorized(problem))
            if problem.message.starts_with("Brightpearl refused App reference or Token (401): Not authenticated")
    ));
}

#[test]
fn lookups_offer_the_accounts_lists() {
    let host = TestHost::at(NOW)
        .expect(&get(STATUS), answer("order-status"))
        .expect(&get(TAX), answer("tax-code"))
        .expect(
            &get("/contact-service/lead-source"),
            errors(404, "CMNC-404", "No lead sources"),
        );
    let of = |key: &str| choices(&host, &context(1), key, None).unwrap().items;
    let statuses = of("order-status");
    assert_eq!(statuses.len(), 3, "only those of sales orders");
    assert!(statuses[2].disabled);
    assert_eq!(of("tax-code")[0].value, "T");
    assert!(of("lead-source").is_empty());
    host.finish();
    let unknown = choices(&host, &context(1), "currency", None);
    assert!(matches!(unknown, Err(Failure::Rejected(p)) if p.code == "no-choices"));
}

#[test]
fn contacts_and_products_are_offered_by_page() {
    let page = |first: u64| {
        get(&format!(
            "/contact-service/contact-search?columns=contactId,companyName,firstName,lastName&pageSize=200&firstResult={first}"
        ))
    };
    let rows = json!({"response": {
        "results": [[2051, "Retailer Inc", "Ann", "Poe"], [2052, "", "Jo", "Doe"], [2053, null, null, null]],
        "metaData": {"morePagesAvailable": true, "firstResult": 1, "lastResult": 3, "columns": [
            {"name": "contactId"}, {"name": "companyName"}, {"name": "firstName"}, {"name": "lastName"}]}}});
    let host = TestHost::at(NOW)
        .expect(&page(1), Answer::json(200, &rows))
        .expect(&page(4), answer("contact-search-none"))
        .expect(
            &get("/product-service/product-search?columns=productId,SKU,productName,productStatus&pageSize=200&firstResult=1"),
            answer("product-search-last"),
        )
        .expect(
            &get("/contact-service/contact-search?isStaff=true&columns=contactId,companyName,firstName,lastName&pageSize=200&firstResult=1"),
            Answer::json(200, &rows),
        );
    let first = choices(&host, &context(1), "customer", None).unwrap();
    let labels: Vec<&str> = first.items.iter().map(|c| c.label.as_str()).collect();
    assert_eq!(
        labels,
        ["Retailer Inc, Ann Poe (2051)", "Jo Doe (2052)", "2053"]
    );
    assert_eq!(first.next.as_deref(), Some("4"));
    let second = choices(&host, &context(1), "customer", first.next.as_deref()).unwrap();
    assert_eq!((second.items.len(), second.next), (0, None));
    let products = choices(&host, &context(1), "item", None).unwrap();
    assert!(products.items[0].disabled);
    assert_eq!(products.items[0].label, "MUG-RED Red mug, second (1009)");
    let staff = choices(&host, &context(1), "owner", None).unwrap();
    assert_eq!(staff.items[1].value, "2052");
    host.finish();
}
