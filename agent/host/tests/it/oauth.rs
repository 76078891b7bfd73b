//! Tokens: fetched once, renewed when refused, never shown.

use crate::support::guest::Bench;
use crate::support::site::{Asked, Reply, Site, text};
use std::sync::atomic::{AtomicUsize, Ordering};
use waybill_host::connector::{CallError, Mode};
use waybill_model::contract::Failure;

const SEND: &str = "do=send\nurl={base}/api/who\ncredential=token";

/// Hands out `tok%2Fen-1`, `tok%2Fen-2`, ...; the API accepts the newest only.
async fn site(refused: usize) -> Site {
    let tokens = AtomicUsize::new(0);
    Site::start(move |asked| {
        if asked.path == "/oauth/token" {
            let n = tokens.fetch_add(1, Ordering::SeqCst) + 1;
            let answer = format!(
                "{{\"access_token\":\"tok%2Fen-{n}\",\"expires_in\":3600,\"domain\":\"d{n}\"}}"
            );
            text(200, &answer)
        } else {
            let n = tokens.load(Ordering::SeqCst);
            let good = format!("Bearer tok/en-{n}");
            if n <= refused || asked.header("authorization") != Some(&good) {
                return text(401, "expired");
            }
            text(200, asked.header("x-domain").unwrap_or("none"))
        }
    })
    .await
}

async fn bench(site: &Site) -> Bench {
    let bench = Bench::at(&site.base()).await;
    bench.vault.enter("token", "client-id", "the client");
    bench.vault.enter("token", "client-secret", "s&cret=100%");
    bench
}

fn fetches(site: &Site) -> Vec<Asked> {
    let asked = site.asked();
    asked
        .into_iter()
        .filter(|a| a.path == "/oauth/token")
        .collect()
}

#[tokio::test]
async fn a_token_is_fetched_once_and_form_encoded_once() {
    let site = site(0).await;
    let bench = bench(&site).await;
    assert_eq!(bench.said(SEND).await, "200 d1");
    assert_eq!(bench.said(SEND).await, "200 d1");
    let fetches = fetches(&site);
    assert_eq!(fetches.len(), 1);
    assert_eq!(
        fetches[0].body,
        "scope=orders+%26+more&grant_type=client_credentials&client_id=the+client&client_secret=s%26cret%3D100%25"
    );
    assert_eq!(
        fetches[0].header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(fetches[0].header("authorization"), None);
}

#[tokio::test]
async fn many_calls_wait_for_one_token() {
    let site = site(0).await;
    let bench = bench(&site).await;
    let said = futures_util::future::join_all((0..8).map(|_| bench.said(SEND))).await;
    assert!(said.iter().all(|s| s == "200 d1"), "{said:?}");
    assert_eq!(fetches(&site).len(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let site = site(0).await;
    let bench = bench(&site).await;
    bench.said(SEND).await;
    bench.clock.advance(3_539_000);
    bench.said(SEND).await;
    assert_eq!(fetches(&site).len(), 1);
    bench.clock.advance(1_000);
    assert_eq!(bench.said(SEND).await, "200 d2");
    assert_eq!(fetches(&site).len(), 2);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_call_replayed_once() {
    let once = site(1).await;
    let bench_once = bench(&once).await;
    let answer = bench_once
        .push(
            Mode::Live,
            &format!("{SEND}\nmethod=POST\nstep=s\nmembers=0"),
        )
        .await;
    assert!(
        format!("{:?}", answer.value).contains("200 d2"),
        "{:?}",
        answer.value
    );
    let statuses: Vec<u16> = answer.exchanges.iter().map(|e| e.status).collect();
    assert_eq!(statuses, [200, 401, 200, 200]);
    let always = site(99).await;
    let bench_always = bench(&always).await;
    assert_eq!(bench_always.said(SEND).await, "401 expired");
    assert_eq!(fetches(&always).len(), 2);
}

#[tokio::test]
async fn transcripts_hold_neither_secrets_nor_tokens() {
    let site = site(0).await;
    let bench = bench(&site).await;
    let answer = bench.probe(SEND).await;
    let all = format!("{:?}", answer.exchanges);
    assert_eq!(answer.exchanges.len(), 2);
    for secret in [
        "s&cret",
        "s%26cret",
        "tok/en",
        "tok%2Fen",
        "the client",
        "the+client",
    ] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    assert!(
        answer.exchanges[0].request.contains("client_secret=***"),
        "{all}"
    );
}

#[tokio::test]
async fn other_secrets_need_another_token() {
    let site = site(0).await;
    let bench = bench(&site).await;
    bench.said(SEND).await;
    bench.vault.enter("token", "client-secret", "new secret");
    assert_eq!(bench.said(SEND).await, "200 d2");
}

#[tokio::test]
async fn the_guest_reads_the_fields_it_may_read() {
    let site = site(0).await;
    let bench = bench(&site).await;
    let which = "do=setting\nwhich=token.domain";
    assert_eq!(bench.said(which).await, "none");
    bench.said(SEND).await;
    assert_eq!(bench.said(which).await, "d1");
    assert_eq!(
        bench.said("do=setting\nwhich=token.expires_in").await,
        "none"
    );
}

#[tokio::test]
async fn a_refused_sign_in_pauses_the_connection() {
    let site = Site::start(|_| text(401, "{\"error\":\"invalid_client\"}")).await;
    let bench = bench(&site).await;
    let answer = bench.probe(&format!("{SEND}\nerrors-retry=yes")).await;
    match answer.value {
        Err(CallError::Failure(Failure::Unauthorized(problem))) => {
            assert_eq!(problem.code, "credential-refused");
            assert!(problem.message.contains("(401)"), "{}", problem.message);
        }
        other => panic!("{other:?}"),
    }
    assert!(answer.exchanges[0].answer.contains("invalid_client"));
    assert_eq!(fetches(&site).len(), 1);
}

#[tokio::test]
async fn secrets_are_not_sent_to_a_token_address_elsewhere() {
    let site = site(0).await;
    let bench = bench(&site).await;
    let said = bench
        .said("do=send\nurl={base}/api\ncredential=astray")
        .await;
    assert!(said.contains("may not be sent to `astray.test`"), "{said}");
    assert!(site.asked().is_empty());
}

#[tokio::test]
async fn a_token_answer_without_a_token_is_no_sign_in() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/oauth/token" => Reply::Answer(200, Vec::new(), b"<html>".to_vec()),
        _ => text(200, "never"),
    })
    .await;
    let bench = bench(&site).await;
    let said = bench.said(SEND).await;
    assert!(said.contains("answered without a token"), "{said}");
}
