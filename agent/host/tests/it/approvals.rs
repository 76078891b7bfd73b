//! Approvals: a code is taken for tokens, tokens are sealed before they are used, renewed in time, and never shown.

use crate::support::guest::Bench;
use crate::support::site::{Asked, Reply, Site, text};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use waybill_host::connector::CallError;
use waybill_model::contract::{Failure, Problem};

const SEND: &str = "do=send\nurl={base}/api/who\ncredential=approval";
const BACK: &str = "http://localhost:7878/connect/test";
/// Codes and tokens have the characters that break clients which do not encode.
const CODE: &str = "co+de/1==";
const HOUR: i64 = 3_600_000;

/// What the vendor does, for the tests to turn.
struct Vendor {
    /// Tokens given so far; the newest is the one that is good.
    given: AtomicUsize,
    /// Life of the next ones, in seconds.
    life: AtomicI64,
    /// The status of the sign-in; 200: it answers.
    status: AtomicUsize,
    /// Renewing hands out the running token again.
    running: AtomicUsize,
}

fn form(asked: &Asked) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(asked.body.as_bytes())
        .into_owned()
        .collect()
}

impl Vendor {
    fn token(&self, asked: &Asked) -> Reply {
        let status = self.status.load(Ordering::SeqCst);
        if status != 200 {
            let status = u16::try_from(status).unwrap();
            return text(
                status,
                "{\"error\":\"invalid_grant\",\"error_description\":\"The code has expired.\"}",
            );
        }
        let fields = form(asked);
        let given = self.given.load(Ordering::SeqCst);
        let good = match fields["grant_type"].as_str() {
            "authorization_code" => fields["code"] == CODE && fields["redirect_uri"] == BACK,
            "refresh_token" => fields["refresh_token"] == format!("re+fresh/{given}"),
            _ => false,
        };
        if !good || fields["client_id"] != "me & mine" {
            return text(400, "{\"error\":\"invalid_grant\"}");
        }
        let first = fields["grant_type"] == "authorization_code";
        let n = if self.running.load(Ordering::SeqCst) == 1 && !first {
            given
        } else {
            self.given.fetch_add(1, Ordering::SeqCst) + 1
        };
        // As some vendors do, the place is told once only.
        let place = if first { ",\"place\":34" } else { "" };
        let life = self.life.load(Ordering::SeqCst);
        text(
            200,
            &format!(
                "{{\"access_token\":\"ac+cess/{n}\",\"refresh_token\":\"re+fresh/{n}\",\"expires_in\":{life},\"domain\":\"d{n}\"{place}}}"
            ),
        )
    }
}

async fn site() -> (Site, Arc<Vendor>) {
    let vendor = Arc::new(Vendor {
        given: AtomicUsize::new(0),
        life: AtomicI64::new(3600),
        status: AtomicUsize::new(200),
        running: AtomicUsize::new(0),
    });
    let own = Arc::clone(&vendor);
    let site = Site::start(move |asked| {
        if asked.path == "/oauth/token" {
            return own.token(asked);
        }
        let good = format!("Bearer ac+cess/{}", own.given.load(Ordering::SeqCst));
        if asked.header("authorization") == Some(&good) {
            text(200, "in")
        } else {
            text(401, "expired")
        }
    })
    .await;
    (site, vendor)
}

async fn approve(bench: &Bench) -> Result<(), Problem> {
    let code = CODE.to_owned().into();
    bench.connector.approved("approval", code, BACK).await
}

async fn approved(site: &Site) -> Bench {
    let bench = Bench::at(&site.base()).await;
    approve(&bench).await.unwrap();
    bench
}

fn fetches(site: &Site) -> usize {
    let asked = site.asked();
    asked.iter().filter(|a| a.path == "/oauth/token").count()
}

#[tokio::test]
async fn the_address_to_approve_at_names_app_state_and_way_back() {
    let (site, _) = site().await;
    let bench = Bench::at(&site.base()).await;
    let address = bench.connector.consent("approval", BACK, "st&te").unwrap();
    let url = url::Url::parse(&address).unwrap();
    assert!(address.starts_with(&format!("{}/approve?kind=app&", site.base())));
    let pairs: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(pairs["response_type"], "code");
    assert_eq!(pairs["client_id"], "me & mine");
    assert_eq!(pairs["redirect_uri"], BACK);
    assert_eq!(pairs["state"], "st&te");
    let other = bench.connector.consent("key", BACK, "s").unwrap_err();
    assert_eq!(other.code, "no-consent");
}

#[tokio::test]
async fn nothing_is_sent_before_somebody_approved() {
    let (site, _) = site().await;
    let bench = Bench::at(&site.base()).await;
    match bench.error(&format!("{SEND}\nerrors-retry=yes")).await {
        CallError::Failure(Failure::Unauthorized(problem)) => {
            assert_eq!(problem.code, "not-approved");
        }
        other => panic!("{other:?}"),
    }
    assert!(site.asked().is_empty());
}

#[tokio::test]
async fn a_code_becomes_tokens_that_outlive_a_restart() {
    let (site, _) = site().await;
    let bench = approved(&site).await;
    assert_eq!(bench.said(SEND).await, "200 in");
    assert_eq!(bench.said("do=setting\nwhich=token.place").await, "34");
    let again = Bench::at(&site.base()).await;
    *again.vault.0.lock().unwrap() = bench.vault.0.lock().unwrap().clone();
    // What the guest may read is there before it asks for anything.
    assert_eq!(again.said("do=setting\nwhich=token.domain").await, "d1");
    assert_eq!(again.said(SEND).await, "200 in");
    assert_eq!(fetches(&site), 1);
}

#[tokio::test]
async fn tokens_are_renewed_in_time_and_sealed_before_they_are_used() {
    let (site, _) = site().await;
    let bench = approved(&site).await;
    bench.clock.advance(HOUR - 60_001);
    assert_eq!(bench.said(SEND).await, "200 in");
    assert_eq!(fetches(&site), 1);
    bench.clock.advance(2);
    assert_eq!(bench.said(SEND).await, "200 in");
    assert_eq!(fetches(&site), 2);
    let sealed = bench.vault.0.lock().unwrap()["approval"]["approval"].clone();
    assert!(
        sealed.contains("ac+cess/2") && sealed.contains("re+fresh/2"),
        "{sealed}"
    );
    // The place was told once only, and stays.
    assert_eq!(bench.said("do=setting\nwhich=token.place").await, "34");
    assert_eq!(bench.said("do=setting\nwhich=token.domain").await, "d2");
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let (site, vendor) = site().await;
    let bench = approved(&site).await;
    vendor.running.store(1, Ordering::SeqCst);
    bench.vault.enter("approval", "approval", r#"{"access":"gone","refresh":"re+fresh/1","renew_at":9000000000000,"expires_at":9000000000000,"fields":[]}"#);
    assert_eq!(bench.said(SEND).await, "200 in");
    assert_eq!(fetches(&site), 2);
}

#[tokio::test]
async fn the_running_token_handed_out_again_is_no_loop() {
    let (site, vendor) = site().await;
    let bench = approved(&site).await;
    vendor.running.store(1, Ordering::SeqCst);
    vendor.life.store(50, Ordering::SeqCst);
    bench.clock.advance(HOUR - 50_000);
    for _ in 0..5 {
        assert_eq!(bench.said(SEND).await, "200 in");
    }
    assert_eq!(fetches(&site), 2);
    vendor.running.store(0, Ordering::SeqCst);
    bench.clock.advance(50_001);
    assert_eq!(bench.said(SEND).await, "200 in");
    assert_eq!(fetches(&site), 3);
}

#[tokio::test]
async fn an_outage_of_the_sign_in_stops_nothing_while_a_token_lives() {
    let (site, vendor) = site().await;
    let bench = approved(&site).await;
    vendor.status.store(503, Ordering::SeqCst);
    bench.clock.advance(HOUR - 30_000);
    assert_eq!(bench.said(SEND).await, "200 in");
    bench.clock.advance(HOUR);
    let said = bench.said(SEND).await;
    assert!(said.contains("503"), "{said}");
}

#[tokio::test]
async fn an_approval_that_is_over_asks_for_a_new_one() {
    let (site, vendor) = site().await;
    let bench = approved(&site).await;
    vendor.status.store(400, Ordering::SeqCst);
    bench.clock.advance(HOUR);
    match bench.error(&format!("{SEND}\nerrors-retry=yes")).await {
        CallError::Failure(Failure::Unauthorized(problem)) => {
            assert_eq!(problem.code, "not-approved");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_code_changes_nothing_and_says_why() {
    let (site, vendor) = site().await;
    let bench = approved(&site).await;
    vendor.status.store(400, Ordering::SeqCst);
    let problem = approve(&bench).await.unwrap_err();
    assert_eq!(problem.code, "code-refused");
    assert_eq!(
        problem.message,
        "The code was not taken: The code has expired."
    );
    assert_eq!(bench.said(SEND).await, "200 in");
}

#[tokio::test]
async fn what_cannot_be_sealed_is_not_used() {
    let (site, _) = site().await;
    let bench = Bench::at(&site.base()).await;
    bench.vault.full(true);
    let problem = approve(&bench).await.unwrap_err();
    assert_eq!(problem.message, "The code was not taken: the disk is full.");
    let seen: Vec<String> = site.asked().into_iter().map(|a| a.path).collect();
    assert_eq!(seen, ["/oauth/token"]);
}

#[tokio::test]
async fn transcripts_hold_neither_codes_nor_tokens() {
    let (site, _) = site().await;
    let bench = approved(&site).await;
    bench.clock.advance(HOUR);
    let all = format!("{:?}", bench.probe(SEND).await.exchanges);
    assert!(all.contains("refresh_token=***"), "{all}");
    for secret in ["ac+cess", "ac%2Bcess", "re+fresh", "re%2Bfresh", "co+de"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}
