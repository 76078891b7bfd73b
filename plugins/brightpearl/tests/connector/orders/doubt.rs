//! What a lost answer leads to: a look-up that adopts the sale, waits, or proves that there is none.

use super::{one, receipt, rejected, unguarded};
use crate::script::{
    NOW, SALE, SALE_SEARCH, SEARCH, answer, delivery, errors, fixture, get, id, order, post,
    sale_search,
};
use serde_json::json;
use waybill_brightpearl::sink::push;
use waybill_sdk::effects::IoError;
use waybill_sdk::replay::{Answer, TestHost};
use waybill_sdk::types::Failure;

fn lost(age_ms: u64) -> Answer {
    Answer::Error(IoError::InDoubt(age_ms))
}

#[test]
fn a_lost_answer_is_looked_up_and_adopted() {
    for (first, second) in [
        (answer("order-search"), None),
        (
            answer("order-search-none"),
            Some(sale_search("order-search")),
        ),
        (
            answer("order-search-all"),
            Some(sale_search("order-search")),
        ),
    ] {
        let mut host = TestHost::at(NOW)
            .expect(&post(SALE), lost(400))
            .expect(&get(SEARCH), first);
        if let Some(second) = second {
            host = host.expect(&get(SALE_SEARCH), second);
        }
        let receipt = receipt(one(&host, 2));
        assert_eq!(receipt.key, "100245");
        assert!(receipt.duplicate);
    }
}

#[test]
fn a_young_doubt_waits_for_the_search() {
    let host = TestHost::at(NOW)
        .expect(&post(SALE), lost(4_500))
        .expect(&get(SEARCH), answer("order-search-none"))
        .expect(&get(SALE_SEARCH), sale_search("order-search-none"));
    assert_eq!(one(&host, 2), Err(Failure::Retry(Some(26))));
}

#[test]
fn an_old_doubt_that_is_not_there_is_sent_again() {
    let host = TestHost::at(NOW)
        .expect(&post(SALE), lost(30_000))
        .expect(&get(SEARCH), answer("order-search-none"))
        .expect(&get(SALE_SEARCH), sale_search("order-search-none"))
        .expect_body(&post(SALE), fixture("sale"), id(100_246));
    let receipt = receipt(one(&host, 3));
    assert_eq!(receipt.key, "100246");
    assert!(!receipt.duplicate);
    let effects: Vec<bool> = host
        .sent()
        .iter()
        .filter_map(|r| r.effect.as_ref().map(|e| e.verified_absent))
        .collect();
    assert_eq!(effects, [false, true]);
}

#[test]
fn a_search_that_ignores_its_filter_never_proves_absence() {
    let host = TestHost::at(NOW)
        .expect(&post(SALE), lost(90_000))
        .expect(&get(SEARCH), answer("order-search-all"))
        .expect(&get(SALE_SEARCH), sale_search("order-search-all"));
    let Err(Failure::InDoubt(problem)) = one(&host, 2) else {
        panic!("a useless search is no proof");
    };
    assert_eq!(problem.code, "cannot-look-up");
    assert!(problem.hint.unwrap().contains("wb-1000123"));
}

#[test]
fn one_working_search_is_proof_enough() {
    let host = TestHost::at(NOW)
        .expect(&post(SALE), lost(90_000))
        .expect(&get(SEARCH), answer("order-search-all"))
        .expect(&get(SALE_SEARCH), sale_search("order-search-none"))
        .expect(&post(SALE), id(100_246));
    assert_eq!(receipt(one(&host, 2)).key, "100246");
}

#[test]
fn a_second_loss_waits_again() {
    let host = TestHost::at(NOW)
        .expect(&post(SALE), lost(60_000))
        .expect(&get(SEARCH), answer("order-search-none"))
        .expect(&get(SALE_SEARCH), sale_search("order-search-none"))
        .expect(&post(SALE), lost(10))
        .expect(&get(SEARCH), answer("order-search-none"))
        .expect(&get(SALE_SEARCH), sale_search("order-search-none"));
    assert_eq!(one(&host, 2), Err(Failure::Retry(Some(30))));
}

#[test]
fn an_answer_without_an_id_is_looked_up() {
    for cut in [
        Answer::text(200, r#"{"response":1002"#),
        Answer::json(200, &json!({})),
    ] {
        let host = TestHost::at(NOW)
            .expect(&post(SALE), cut)
            .expect(&get(SEARCH), answer("order-search"));
        assert_eq!(receipt(one(&host, 1)).key, "100245");
    }
}

#[test]
fn a_slow_write_rests_from_its_end_not_its_start() {
    // Sent 61 s ago, but its time ran out (or a gateway's) only now: it may have been carried out this very moment.
    for broken in [
        Answer::Error(IoError::TimedOut),
        Answer::text(504, "<html>Gateway timeout</html>"),
    ] {
        let host = TestHost::at(NOW).expect(&post(SALE), broken);
        assert_eq!(one(&host, 1), Err(Failure::Retry(None)));
        let ended = host.kv("ended/wb-1000123").unwrap();
        host.set_now(NOW + 1_000);
        let host = TestHost::at(NOW + 1_000)
            .with_kv("ended/wb-1000123", &ended)
            .expect(&post(SALE), lost(61_000))
            .expect(&get(SEARCH), answer("order-search-none"))
            .expect(&get(SALE_SEARCH), sale_search("order-search-none"));
        assert_eq!(one(&host, 2), Err(Failure::Retry(Some(29))));
        let host = TestHost::at(NOW + 30_000)
            .with_kv("ended/wb-1000123", &ended)
            .expect(&post(SALE), lost(90_000))
            .expect(&get(SEARCH), answer("order-search"));
        assert_eq!(receipt(one(&host, 3)).key, "100245");
        assert_eq!(host.kv("ended/wb-1000123"), None, "nothing is left behind");
    }
}

#[test]
fn without_an_instance_the_look_up_is_the_only_guard_and_waits_longer() {
    let host = TestHost::at(NOW)
        .with_kv("instance-id", b"")
        .expect(&post(SALE), lost(31_000))
        .expect(&get(SEARCH), answer("order-search-none"))
        .expect(&get(SALE_SEARCH), sale_search("order-search-none"));
    let verdicts = push(&host, &unguarded(2), &[delivery("1000123", order())]).unwrap();
    host.finish();
    assert_eq!(verdicts[0], Err(Failure::Retry(Some(89))));
}

#[test]
fn a_look_up_that_is_refused_proves_nothing() {
    let refused = || errors(500, "CMNC-018", "The filter externalRef cannot be parsed");
    let host = TestHost::at(NOW)
        .expect(&post(SALE), lost(90_000))
        .expect(&get(SEARCH), refused())
        .expect(&get(SALE_SEARCH), refused());
    assert!(matches!(one(&host, 2), Err(Failure::InDoubt(p)) if p.code == "cannot-look-up"));
    let host = TestHost::at(NOW)
        .expect(&post(SALE), lost(90_000))
        .expect(&get(SEARCH), refused())
        .expect(&get(SALE_SEARCH), sale_search("order-search"));
    assert_eq!(receipt(one(&host, 2)).key, "100245");
}

#[test]
fn a_refusal_that_names_nothing_known_may_be_of_a_double() {
    let refusal = || errors(400, "ORDC-000", "This request was processed before");
    let host = TestHost::at(NOW)
        .expect(&post(SALE), refusal())
        .expect(&get(SEARCH), answer("order-search"));
    assert!(receipt(one(&host, 1)).duplicate);
    let host = TestHost::at(NOW)
        .expect(&post(SALE), refusal())
        .expect(&get(SEARCH), answer("order-search-none"))
        .expect(&get(SALE_SEARCH), sale_search("order-search-none"));
    assert_eq!(rejected(one(&host, 1)).code, "ordc-000");
}
