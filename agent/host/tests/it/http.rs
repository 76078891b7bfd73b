//! Where a guest may go and what it may carry: denied first, then allowed, over real sockets.

use crate::support::guest::{Bench, Plan};
use crate::support::site::{Reply, Site, text};
use waybill_host::connector::{CallError, Mode};
use waybill_model::contract::Failure;

async fn site() -> Site {
    Site::start(|asked| match asked.path.as_str() {
        "/api/large" => Reply::Answer(200, Vec::new(), vec![b'x'; 200 << 10]),
        "/api/zipped" => {
            use std::io::Write as _;
            let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            zip.write_all(&vec![b'x'; 4 << 20]).unwrap();
            let zip = zip.finish().unwrap();
            Reply::Answer(200, vec![("content-encoding", "gzip".to_owned())], zip)
        }
        "/api/away" => Reply::Answer(
            302,
            vec![("location", "http://127.0.0.1:9/api".to_owned())],
            Vec::new(),
        ),
        "/api/echo" => text(200, asked.header("x-api-key").unwrap_or("none")),
        "/api/silence" => Reply::Silence,
        "/api/hang-up" => Reply::HangUp,
        _ => text(200, "hello"),
    })
    .await
}

async fn send(bench: &Bench, details: &str) -> String {
    bench.said(&format!("do=send\n{details}")).await
}

#[tokio::test]
async fn only_declared_places_are_reached() {
    let site = site().await;
    let bench = Bench::at(&site.base()).await;
    for url in [
        "http://127.0.0.1:9/api",
        "https://elsewhere.test/api",
        "{base}/apis",
        "{base}/api/../admin",
        "{base}/api/%2e%2e/admin",
        "{base}/api/..%2Fadmin",
        "http://u:p@127.0.0.1/api",
        "file:///etc/passwd",
        "not a url",
    ] {
        let said = send(&bench, &format!("url={url}")).await;
        assert!(said.contains("NotGranted"), "{url}: {said}");
    }
    assert!(site.asked().is_empty());
    assert_eq!(send(&bench, "url={base}/api/x?y=1").await, "200 hello");
    assert_eq!(site.asked()[0].path, "/api/x?y=1");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_its_goal_is_checked_like_any_other() {
    let site = site().await;
    let bench = Bench::at(&site.base()).await;
    let said = bench.said("do=follow\nurl={base}/api/away").await;
    assert!(
        said.starts_with("302 | ") && said.contains("not in the connector's reach"),
        "{said}"
    );
    assert_eq!(site.asked().len(), 1);
}

#[tokio::test]
async fn plain_http_and_private_addresses_need_the_merchant() {
    let site = site().await;
    let base = site.base();
    let secure = format!("https://localhost:{}", site.port);
    let closed = Bench::planned(Plan {
        base: &base,
        secure: &secure,
        allow_private: false,
        ..Plan::default()
    })
    .await;
    let said = send(&closed, "url={base}/api").await;
    assert!(
        said.contains("NotGranted") && said.contains("plain http"),
        "{said}"
    );
    // The name is in the reach and the scheme is good; what it resolves to is not.
    let said = send(&closed, &format!("url={secure}/api")).await;
    assert!(
        said.contains("NotGranted") && said.contains("resolves to"),
        "{said}"
    );
    let literal = format!("https://127.0.0.1:{}", site.port);
    let closed = Bench::planned(Plan {
        secure: &literal,
        allow_private: false,
        ..Plan::default()
    })
    .await;
    let said = send(&closed, &format!("url={literal}/api")).await;
    assert!(said.contains("NotGranted"), "{said}");
    let narrow = Bench::planned(Plan {
        base: &base,
        grants: &["other.test"],
        ..Plan::default()
    })
    .await;
    let said = send(&narrow, "url={base}/api").await;
    assert!(
        said.contains("NotGranted"),
        "granted for another host: {said}"
    );
    assert!(site.asked().is_empty());
    let granted = Bench::planned(Plan {
        base: &base,
        grants: &["127.0.0.1"],
        ..Plan::default()
    })
    .await;
    assert_eq!(send(&granted, "url={base}/api").await, "200 hello");
}

#[tokio::test]
async fn metadata_services_are_never_reached() {
    let bench = Bench::planned(Plan {
        base: "http://169.254.169.254",
        ..Plan::default()
    })
    .await;
    let said = send(&bench, "url={base}/api").await;
    assert!(
        said.contains("NotGranted") && said.contains("169.254.169.254"),
        "{said}"
    );
}

#[tokio::test]
async fn bodies_are_limited_both_ways() {
    let site = site().await;
    let bench = Bench::at(&site.base()).await;
    let said = bench
        .pushed(
            Mode::Live,
            "do=send\nmethod=POST\nurl={base}/api\nstep=s\nmembers=0\nbody-bytes=9000000",
        )
        .await;
    assert_eq!(said, "IoError::TooLarge(8388608)");
    assert!(site.asked().is_empty());
    assert_eq!(
        send(&bench, "url={base}/api/large").await,
        "IoError::TooLarge(65536)"
    );
    assert_eq!(
        send(&bench, "url={base}/api/zipped").await,
        "IoError::TooLarge(65536)"
    );
    bench.works().await;
}

#[tokio::test]
async fn a_credential_goes_to_its_own_hosts_only() {
    let site = site().await;
    let bench = Bench::at(&site.base()).await;
    bench.vault.enter("key", "key", "s3cret-key");
    bench.vault.enter("other", "key", "other-key");
    for (slot, part) in [
        ("other", "may not be sent to `127.0.0.1`"),
        ("stranger", "declares no credential `stranger`"),
    ] {
        let said = send(&bench, &format!("url={{base}}/api/echo\ncredential={slot}")).await;
        assert!(said.contains("NotGranted") && said.contains(part), "{said}");
    }
    assert!(site.asked().is_empty());
    let answer = bench
        .probe("do=send\nurl={base}/api/echo\ncredential=key")
        .await;
    assert_eq!(
        answer.value.unwrap()[0].1,
        "200 s3cret-key",
        "the site got it"
    );
    assert_eq!(answer.exchanges.len(), 1);
    assert_eq!(
        answer.exchanges[0].answer, "***",
        "the transcript never holds it"
    );
}

#[tokio::test]
async fn guests_set_no_headers_of_the_host_or_of_their_credential() {
    let site = site().await;
    let bench = Bench::at(&site.base()).await;
    bench.vault.enter("key", "key", "s3cret-key");
    for header in [
        "Authorization: me",
        "Host: evil.test",
        "cookie: a=b",
        "X-API-Key: mine",
    ] {
        let details = format!("url={{base}}/api\ncredential=key\nheader={header}");
        let said = send(&bench, &details).await;
        assert!(said.contains("is set by the host"), "{header}: {said}");
    }
    assert!(site.asked().is_empty());
    assert_eq!(
        send(&bench, "url={base}/api\nheader=X-Trace: 1").await,
        "200 hello"
    );
    assert_eq!(site.asked()[0].header("x-trace"), Some("1"));
}

#[tokio::test]
async fn a_missing_secret_pauses_the_connection_with_its_name() {
    let site = site().await;
    let bench = Bench::at(&site.base()).await;
    let said = send(&bench, "url={base}/api\ncredential=key").await;
    assert!(
        said.contains("the secret `key` of `key` is not set"),
        "{said}"
    );
    let error = bench
        .error("do=send\nerrors-retry=yes\nurl={base}/api\ncredential=key")
        .await;
    match error {
        CallError::Failure(Failure::Unauthorized(problem)) => {
            assert_eq!(problem.code, "credential-missing");
        }
        other => panic!("{other:?}"),
    }
    let said = send(&bench, "url={base}/api\ncredential=files").await;
    assert!(said.contains("may not be sent"), "{said}");
    assert!(site.asked().is_empty());
}

#[tokio::test]
async fn what_changes_something_needs_an_effect() {
    let site = site().await;
    let bench = Bench::at(&site.base()).await;
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let details = format!("do=send\nmethod={method}\nurl={{base}}/api");
        assert_eq!(
            bench.pushed(Mode::Live, &details).await,
            "IoError::Denied(Denial::EffectRequired)"
        );
    }
    for method in ["TRACE", "CONNECT", "post", "G ET"] {
        let said = send(&bench, &format!("method={method}\nurl={{base}}/api")).await;
        assert!(said.contains("is not spoken"), "{said}");
    }
    for (members, part) in [("", "names no member"), ("2", "member 2 of a batch of 2")] {
        let details = format!("do=send\nmethod=POST\nurl={{base}}/api\nstep=s\nmembers={members}");
        let said = bench.pushed(Mode::Live, &details).await;
        assert!(said.contains(part), "{said}");
    }
    assert!(site.asked().is_empty());
}

#[tokio::test]
async fn a_reading_call_changes_nothing() {
    let site = site().await;
    let bench = Bench::at(&site.base()).await;
    for details in [
        "do=send\nmethod=POST\nurl={base}/api\nstep=s\nmembers=0",
        "do=send\nmethod=POST\nurl={base}/api",
        "do=send\nurl={base}/api\nstep=s\nmembers=0",
    ] {
        assert_eq!(
            bench.pushed(Mode::ReadOnly, details).await,
            "IoError::Denied(Denial::ReadOnlyCall)"
        );
    }
    assert!(site.asked().is_empty());
    assert_eq!(
        bench
            .pushed(Mode::ReadOnly, "do=send\nurl={base}/api")
            .await,
        "200 hello"
    );
}

#[tokio::test]
async fn practice_records_the_first_effect_and_sends_nothing() {
    let site = site().await;
    let bench = Bench::at(&site.base()).await;
    let details = "do=send\nmethod=POST\nurl={base}/api\nstep=create\nmembers=0\nbody={\"a\":1}";
    let answer = bench.push(Mode::Practice, details).await;
    assert!(format!("{:?}", answer.value).contains("Denial::Practice"));
    let exchange = &answer.exchanges[0];
    assert_eq!(
        (exchange.status, exchange.step.as_deref()),
        (0, Some("create"))
    );
    assert_eq!(exchange.request, "{\"a\":1}");
    assert!(exchange.answer.contains("recorded, not sent"));
    assert!(site.asked().is_empty() && bench.journal.steps.lock().unwrap().is_empty());
    // It is all there is of it: kept whole, where a transcript keeps the start.
    let long = "x".repeat(9_000);
    let answer = bench
        .push(Mode::Practice, &format!("{details}{long}"))
        .await;
    assert_eq!(answer.exchanges[0].request.len(), "{\"a\":1}".len() + 9_000);
}

#[tokio::test]
async fn lost_and_late_answers_are_told_apart() {
    let site = site().await;
    let bench = Bench::at(&site.base()).await;
    let said = send(&bench, "url={base}/api/hang-up").await;
    assert!(
        said.contains("Refused") && said.contains("connection lost"),
        "{said}"
    );
    let mut call = bench.call(Mode::Live, "do=send\nurl={base}/api/silence");
    call.limit_ms = 400;
    let late = bench.connector.probe(call).await;
    assert_eq!(late.value.unwrap()[0].1, "IoError::TimedOut");
    let closed = Bench::at("http://127.0.0.1:1").await;
    let said = send(&closed, "url={base}/api").await;
    assert!(
        said.contains("Refused") && said.contains("could not connect"),
        "{said}"
    );
}

#[tokio::test]
async fn the_transcript_keeps_the_start_of_bodies() {
    let site = Site::start(|_| text(200, &"y".repeat(10_000))).await;
    let bench = Bench::at(&site.base()).await;
    let details = "do=send\nmethod=POST\nurl={base}/api?q=1\nstep=s\nmembers=0,1\nbody-bytes=5000";
    let answer = bench.push(Mode::Live, details).await;
    let exchange = &answer.exchanges[0];
    assert_eq!(
        (exchange.request.len(), exchange.answer.len()),
        (4_000, 4_000)
    );
    assert_eq!((exchange.status, exchange.method.as_str()), (200, "POST"));
    assert!(exchange.url.ends_with("/api?q=1"));
    assert_eq!(site.asked()[0].method, "POST");
}

#[tokio::test]
async fn a_stopped_call_leaves_its_transcript() {
    let site = site().await;
    let bench = Bench::at(&site.base()).await;
    let mut call = bench.call(Mode::Live, "do=send-often\ntimes=1000000\nurl={base}/api");
    call.limit_ms = 300;
    let answer = bench.connector.probe(call).await;
    assert!(answer.value.is_err());
    assert!(!answer.exchanges.is_empty());
}
