//! A sale is made once, whatever the wire does; and it carries exactly what the order says.

mod doubt;

use crate::script::{
    NOW, SALE, SALE_SEARCH, SEARCH, Short, answer, charge, context, dec, delivery, errors, fixture,
    get, id, line, order, pairs, post, sale_search, settings_with, throttled,
};
use serde_json::json;
use waybill_brightpearl::sink::push;
use waybill_sdk::commerce::{Entity, Order, OrderPhase};
use waybill_sdk::effects::{Denial, IoError};
use waybill_sdk::links::Link;
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::{Context, Failure, Outcome, Problem, Receipt, Verdict};

fn one(host: &TestHost, attempt: u32) -> Verdict {
    let verdicts = push(host, &context(attempt), &[delivery("1000123", order())]).unwrap();
    host.finish();
    verdicts.into_iter().next().unwrap()
}

/// Each sale in a call of its own.
fn alone(changes: &[(&str, &str)]) -> Context {
    let mut all = vec![("multi-message", "false")];
    all.extend(changes);
    Context {
        settings: settings_with(&all),
        attempt: 1,
    }
}

fn receipt(verdict: Verdict) -> Receipt {
    match verdict {
        Ok(Outcome::Done(receipt)) => receipt,
        other => panic!("no receipt: {other:?}"),
    }
}

fn rejected(verdict: Verdict) -> Problem {
    match verdict {
        Err(Failure::Rejected(problem)) => problem,
        other => panic!("not rejected: {other:?}"),
    }
}

fn refused_locally(order: Order, changes: &[(&str, &str)]) -> Problem {
    let host = TestHost::at(NOW);
    let ctx = Context {
        settings: settings_with(changes),
        attempt: 1,
    };
    let verdicts = push(&host, &ctx, &[delivery("1000123", order)]).unwrap();
    rejected(verdicts.into_iter().next().unwrap())
}

/// The settings of an install that has no instance id, as a private app's.
fn unguarded(attempt: u32) -> Context {
    Context {
        settings: settings_with(&[("instance-id", "")]),
        attempt,
    }
}

#[test]
fn a_sale_carries_the_order() {
    let host = TestHost::at(NOW).expect_body(
        &post(SALE),
        fixture("sale"),
        id(100_245)
            .header("brightpearl-requests-remaining", "187")
            .header("brightpearl-next-throttle-period", "41250"),
    );
    let receipt = receipt(one(&host, 1));
    assert_eq!(receipt.key, "100245");
    assert_eq!(receipt.number.as_deref(), Some("100245"));
    assert!(!receipt.duplicate);
    assert_eq!(host.quotas(), [(187, 41_250)]);
    let sent = host.sent();
    assert_eq!(sent[0].credential.as_deref(), Some("staff"));
    let effect = sent[0].effect.as_ref().unwrap();
    assert_eq!(
        (effect.step.as_str(), effect.members.as_slice()),
        ("create-sale", &[0][..])
    );
    assert!(!effect.verified_absent);
}

#[test]
fn the_instance_is_learnt_before_the_first_sale() {
    let host = TestHost::at(NOW)
        .expect(
            &get("/order-service/order-status"),
            answer("order-status").header("Brightpearl-Installed-Integration-Instance-Id", "34"),
        )
        .expect_body(&post(SALE), fixture("sale"), id(100_245));
    let ctx = Context {
        settings: settings_with(&[("instance-id", "")]),
        attempt: 1,
    };
    let verdicts = push(&host, &ctx, &[delivery("1000123", order())]).unwrap();
    host.finish();
    assert_eq!(receipt(verdicts.into_iter().next().unwrap()).key, "100245");
    assert_eq!(host.kv("instance-id").as_deref(), Some(&b"34"[..]));
}

#[test]
fn a_private_app_without_an_instance_is_asked_once() {
    let mut body = fixture("sale");
    body.as_object_mut()
        .unwrap()
        .remove("installedIntegrationInstanceId");
    let host =
        TestHost::at(NOW)
            .with_kv("instance-id", b"")
            .expect_body(&post(SALE), body, id(100_245));
    let ctx = Context {
        settings: settings_with(&[("instance-id", "")]),
        attempt: 1,
    };
    push(&host, &ctx, &[delivery("1000123", order())]).unwrap();
    host.finish();
}

#[test]
fn a_refused_double_is_adopted() {
    for refusal in [
        errors(
            400,
            "ORDC-090",
            "An order with this externalRef already exists",
        ),
        errors(409, "ORDB-001", "Conflict"),
    ] {
        let host = TestHost::at(NOW)
            .expect(&post(SALE), refusal)
            .expect(&get(SEARCH), answer("order-search"));
        let receipt = receipt(one(&host, 1));
        assert_eq!(receipt.key, "100245");
        assert!(receipt.duplicate);
    }
}

#[test]
fn a_double_that_no_search_shows_waits_and_then_asks() {
    let script = || {
        TestHost::at(NOW)
            .expect(&post(SALE), errors(409, "ORDB-001", "Conflict"))
            .expect(&get(SEARCH), answer("order-search-none"))
            .expect(&get(SALE_SEARCH), sale_search("order-search-none"))
    };
    assert_eq!(one(&script(), 1), Err(Failure::Retry(Some(30))));
    assert_eq!(rejected(one(&script(), 6)).code, "ordb-001");
}

#[test]
fn a_throttle_is_no_attempt_and_stops_the_batch() {
    let host = TestHost::at(NOW).expect(&post(SALE), throttled("41250"));
    let batch = [delivery("1000123", order()), delivery("1000124", order())];
    let verdicts = push(&host, &alone(&[]), &batch).unwrap();
    host.finish();
    let wait = Err(Failure::Retry(Some(42)));
    assert_eq!(verdicts, [wait.clone(), wait]);
    assert_eq!(host.retracted(), [("create-sale".to_owned(), vec![0])]);
    assert_eq!(host.quotas(), [(0, 41_250)]);
}

#[test]
fn refused_credentials_stop_the_batch() {
    let host = TestHost::at(NOW).expect(&post(SALE), id(100_245)).expect(
        &post(SALE),
        Answer::json(401, &json!({"response": "Authorization token expired"})),
    );
    let batch = ["1000123", "1000124", "1000125"].map(|key| delivery(key, order()));
    let verdicts = push(&host, &alone(&[]), &batch).unwrap();
    host.finish();
    assert!(verdicts[0].is_ok());
    for verdict in &verdicts[1..] {
        let Err(Failure::Unauthorized(problem)) = verdict else {
            panic!("401 pauses the connection: {verdict:?}");
        };
        assert!(problem.message.contains("Authorization token expired"));
    }
}

#[test]
fn a_callers_fault_is_final_and_an_outage_is_not() {
    let fault = errors(500, "CMNC-018", "The filter x cannot be parsed as: INTEGER");
    let host = TestHost::at(NOW).expect(&post(SALE), fault);
    assert_eq!(rejected(one(&host, 1)).code, "cmnc-018");
    assert_eq!(host.retracted(), [("create-sale".to_owned(), vec![0])]);
    for outage in [
        errors(500, "CMNU-003", "Internal error"),
        Answer::text(500, ""),
        Answer::text(502, "<html><body>Bad gateway</body></html>"),
        Answer::text(503, "<html>Down</html>"),
        Answer::text(504, ""),
        Answer::text(403, "<html>Attention Required! | Cloudflare</html>"),
    ] {
        let host = TestHost::at(NOW).expect(&post(SALE), outage);
        assert_eq!(one(&host, 1), Err(Failure::Retry(None)));
        assert!(host.retracted().is_empty());
    }
}

#[test]
fn a_refusal_is_told_in_the_vendors_words() {
    let refusal = errors(400, "ORDC-041", "The tax code &#39;X&#39; is unknown");
    let host = TestHost::at(NOW).expect(&post(SALE), refusal);
    let problem = rejected(one(&host, 1));
    assert_eq!(problem.code, "ordc-041");
    assert!(
        problem
            .message
            .contains("The tax code 'X' is unknown (ORDC-041)")
    );
    assert!(problem.hint.unwrap().contains("Check Tax code and"));
}

#[test]
fn an_outage_does_not_say_that_there_is_no_instance() {
    let status = get("/order-service/order-status");
    let host = TestHost::at(NOW).expect(&status, Answer::text(503, "<html>Down</html>"));
    let verdicts = push(&host, &unguarded(1), &[delivery("1000123", order())]).unwrap();
    host.finish();
    assert_eq!(verdicts[0], Err(Failure::Retry(None)));
    assert_eq!(host.kv("instance-id"), None, "it is asked again");
}

#[test]
fn an_instance_that_changed_is_learnt_anew() {
    let host = TestHost::at(NOW)
        .with_kv("instance-id", b"33")
        .expect(
            &post(SALE),
            id(100_245).header("Brightpearl-Installed-Integration-Instance-Id", "34"),
        )
        .expect_body(
            &post(SALE),
            {
                let mut body = fixture("sale");
                body["externalRef"] = json!("wb-1000124");
                body
            },
            id(100_246),
        );
    let batch = [delivery("1000123", order()), delivery("1000124", order())];
    push(&host, &alone(&[("instance-id", "")]), &batch).unwrap();
    host.finish();
    assert_eq!(host.kv("instance-id").as_deref(), Some(&b"34"[..]));
}

#[test]
fn an_order_without_an_address_makes_no_sale() {
    let mut nowhere = order();
    nowhere.ship_to.street.clear();
    nowhere.ship_to.city.clear();
    nowhere.ship_to.postcode = " ".to_owned();
    assert_eq!(refused_locally(nowhere, &[]).code, "no-address");
}

#[test]
fn a_cancelled_order_waits_for_a_sale_that_a_search_may_not_show_yet() {
    let mut gone = order();
    gone.phase = OrderPhase::Cancelled;
    let push_at = |host: &TestHost| {
        let verdicts = push(host, &context(2), &[delivery("1000123", gone.clone())]).unwrap();
        host.finish();
        verdicts.into_iter().next().unwrap()
    };
    let none = |at: i64| {
        TestHost::at(at)
            .expect(&get(SEARCH), answer("order-search-none"))
            .expect(&get(SALE_SEARCH), sale_search("order-search-none"))
    };
    let host = none(NOW);
    assert_eq!(push_at(&host), Err(Failure::Retry(Some(30))));
    let noted = host.kv("ended/wb-1000123").unwrap();
    let host = none(NOW + 30_000).with_kv("ended/wb-1000123", &noted);
    assert!(matches!(push_at(&host), Err(Failure::Withdrawn(_))));
    let host = TestHost::at(NOW)
        .expect(&get(SEARCH), answer("order-search-all"))
        .expect(&get(SALE_SEARCH), sale_search("order-search-all"));
    assert!(matches!(push_at(&host), Err(Failure::InDoubt(_))));
}

#[test]
fn practice_records_and_sends_nothing() {
    let practice = Answer::Error(IoError::Denied(Denial::Practice));
    let host = TestHost::at(NOW).expect(&post(SALE), practice);
    assert_eq!(one(&host, 1), Ok(Outcome::Recorded));
}

#[test]
fn little_time_leaves_the_rest_for_the_next_call() {
    let host = Short(TestHost::at(NOW).expect(&post(SALE), id(100_245)));
    let batch = [delivery("1000123", order()), delivery("1000124", order())];
    let verdicts = push(&host, &alone(&[]), &batch).unwrap();
    host.0.finish();
    assert!(verdicts[0].is_ok());
    assert_eq!(verdicts[1], Err(Failure::Retry(None)));
}

#[test]
fn a_link_leads_to_a_look_up_before_anything_is_sent() {
    let mut linked = delivery("1000123", order());
    linked.links.push(Link {
        system: "network".to_owned(),
        entity: Entity::Order,
        key: "100245".to_owned(),
    });
    let host = TestHost::at(NOW).expect(&get(SEARCH), answer("order-search"));
    let verdicts = push(&host, &context(1), &[linked]).unwrap();
    host.finish();
    assert!(receipt(verdicts.into_iter().next().unwrap()).duplicate);
}

#[test]
fn an_order_that_is_over_makes_no_sale() {
    let mut gone = order();
    for line in &mut gone.lines {
        line.cancelled = line.quantity;
    }
    let mut cancelled = order();
    cancelled.phase = OrderPhase::Cancelled;
    for order in [gone, cancelled] {
        let host = TestHost::at(NOW);
        let verdicts = push(&host, &context(1), &[delivery("1000123", order.clone())]).unwrap();
        assert!(matches!(verdicts[0], Err(Failure::Withdrawn(_))));
        // Sent before: then its sale is there, and must be known to be cancelled in turn.
        let host = TestHost::at(NOW).expect(&get(SEARCH), answer("order-search"));
        let verdicts = push(&host, &context(2), &[delivery("1000123", order)]).unwrap();
        host.finish();
        assert!(receipt(verdicts.into_iter().next().unwrap()).duplicate);
    }
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let with = |change: fn(&mut Order)| {
        let mut order = order();
        change(&mut order);
        order
    };
    for (order, code, words) in [
        (
            with(|o| o.customer = Some("acme".to_owned())),
            "not-an-id",
            "`customers` says `acme`",
        ),
        (with(|o| o.customer = None), "untranslated", "`customers`"),
        (
            with(|o| o.warehouse = Some("W1".to_owned())),
            "not-an-id",
            "`warehouses` says `W1`",
        ),
        (
            with(|o| o.lines[1] = line("L2", "MUG", "1", "1", None)),
            "not-an-id",
            "`items` says `MUG`",
        ),
        (
            with(|o| o.lines[0].identifiers.clear()),
            "untranslated",
            "`items`",
        ),
        (
            with(|o| o.lines[0].unit_price = None),
            "no-price",
            "Line L1",
        ),
        (
            with(|o| o.ship_to.country = Some("Utopia".to_owned())),
            "country",
            "`Utopia`",
        ),
        (
            with(|o| o.shipping_method.as_mut().unwrap().code = Some("UPSG".to_owned())),
            "not-an-id",
            "`shipping-methods` says `UPSG`",
        ),
    ] {
        let problem = refused_locally(order, &[]);
        assert_eq!(problem.code, code);
        assert!(problem.message.contains(words), "{}", problem.message);
        assert!(problem.hint.is_some());
    }
    let without = refused_locally(order(), &[("tax-code", "")]);
    assert_eq!(without.code, "tax-code");
    let hint = without.hint.unwrap();
    assert!(hint.starts_with("Choose Tax code for"), "{hint}");
    let no_currency = with(|o| o.currency = None);
    assert_eq!(
        refused_locally(no_currency, &[("currency", "")]).code,
        "currency"
    );
    assert_eq!(
        refused_locally(order(), &[("order-status", "New")]).code,
        "order-status"
    );
}

#[test]
fn amounts_that_rounding_would_move_are_refused() {
    let mut fine = order();
    fine.charges.clear();
    fine.lines = (0..200)
        .map(|n| line(&format!("L{n}"), "1007", "1", "0.12345", None))
        .collect();
    assert_eq!(refused_locally(fine, &[]).code, "total-differs");
}

#[test]
fn defaults_fill_what_the_order_does_not_say() {
    let mut bare = order();
    bare.currency = None;
    bare.warehouse = None;
    bare.shipping_method = None;
    bare.placed_at = None;
    bare.number = format!("{}-END", "9".repeat(80));
    bare.lines[0].cancelled = dec("1");
    bare.charges = vec![charge("surcharge", "Oversize", "2", "0")];
    let host = TestHost::at(NOW).expect(&post(SALE), id(100_247));
    let mut member = delivery("1000123", bare);
    member.settings = pairs(&[("shipping-method", "13")]);
    let verdicts = push(&host, &context(1), &[member]).unwrap();
    host.finish();
    assert!(verdicts[0].is_ok());
    let body: serde_json::Value = serde_json::from_slice(&host.sent()[0].body).unwrap();
    assert_eq!(body["currency"]["code"], "EUR");
    assert_eq!(body["warehouseId"], 3);
    assert_eq!(body["channelId"], 1);
    assert_eq!(body["delivery"]["shippingMethodId"], 13);
    assert_eq!(body["rows"][0]["quantity"], "1");
    assert_eq!(body["rows"][0]["net"], "9.00");
    assert_eq!(body["rows"][2]["nominalCode"], "4000");
    for absent in ["placedOn", "taxDate", "teamId"] {
        assert_eq!(body.get(absent), None, "{absent}");
    }
    assert_eq!(body["delivery"].get("date"), None);
    let reference = body["ref"].as_str().unwrap();
    assert_eq!(reference.len(), 64);
    assert!(reference.ends_with("-END"));
    assert!(host.logs().iter().any(|l| l.contains("fields=ref")));
}

#[test]
fn tax_that_is_a_row_of_its_own_has_its_own_nominal_code() {
    let mut taxed = order();
    taxed.lines[1].tax = None;
    taxed.charges = vec![charge("tax", "Tax", "1.00", "0")];
    let host = TestHost::at(NOW).expect(&post(SALE), id(100_247));
    let mut member = delivery("1000123", taxed);
    member.settings = pairs(&[("nominal-tax", "2200")]);
    let verdicts = push(&host, &context(1), &[member]).unwrap();
    host.finish();
    assert!(verdicts[0].is_ok());
    let body: serde_json::Value = serde_json::from_slice(&host.sent()[0].body).unwrap();
    let row = &body["rows"][2];
    assert_eq!((&row["name"], &row["net"]), (&"Tax".into(), &"1.00".into()));
    assert_eq!(
        (&row["nominalCode"], &row["tax"]),
        (&"2200".into(), &"0.00".into())
    );
}
