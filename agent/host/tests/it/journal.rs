//! The effect journal around the wire: replayed, in doubt, retracted, and what each answer proves.

use crate::support::guest::{Bench, NOW};
use crate::support::memory::{BEGUN_AT, Step};
use crate::support::site::{Reply, Site, text};
use std::sync::atomic::{AtomicUsize, Ordering};
use waybill_host::connector::{CallError, Mode};

const CREATE: &str = "method=POST\nurl={base}/api/orders\nstep=create\nmembers=0\nbody=order";

async fn create(bench: &Bench, deed: &str) -> String {
    bench
        .pushed(Mode::Live, &format!("do={deed}\n{CREATE}"))
        .await
}

#[tokio::test]
async fn a_finished_step_is_replayed_and_sent_once() {
    let site = Site::start(|_| text(201, "made")).await;
    let bench = Bench::at(&site.base()).await;
    assert_eq!(
        create(&bench, "send-twice").await,
        "201 made | 201 replayed made"
    );
    assert_eq!(site.asked().len(), 1);
    let again = bench.push(Mode::Live, &format!("do=send\n{CREATE}")).await;
    assert!(again.exchanges[0].replayed);
    assert_eq!((again.exchanges[0].status, site.asked().len()), (201, 1));
    let other = bench
        .pushed(Mode::Live, &format!("do=send\n{CREATE}\nmembers=1"))
        .await;
    assert_eq!(other, "201 made", "another member is another effect");
    assert_eq!(site.asked().len(), 2);
}

#[tokio::test]
async fn a_lost_answer_is_in_doubt_until_it_was_looked_up() {
    let calls = AtomicUsize::new(0);
    let site = Site::start(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::HangUp,
        _ => text(200, "made"),
    })
    .await;
    let bench = Bench::at(&site.base()).await;
    assert_eq!(create(&bench, "send").await, "IoError::InDoubt(0)");
    let age = NOW - BEGUN_AT;
    assert_eq!(
        create(&bench, "send").await,
        format!("IoError::InDoubt({age})")
    );
    assert_eq!(site.asked().len(), 1, "nothing is sent in doubt");
    let absent = format!("do=send\n{CREATE}\nabsent=true");
    assert_eq!(bench.pushed(Mode::Live, &absent).await, "200 made");
    assert_eq!(create(&bench, "send").await, "200 replayed made");
}

/// One of two was sent again alone, and then the agent was stopped. The batch is told the age of the older one; that it
/// was looked up then says nothing about the newer one.
#[tokio::test]
async fn a_look_up_counts_for_what_was_told_to_be_in_doubt() {
    let site = Site::start(|_| text(201, "made")).await;
    let bench = Bench::at(&site.base()).await;
    bench.journal.leave_open(7, "create", BEGUN_AT);
    bench.journal.leave_open(8, "create", BEGUN_AT + 500);
    let both = format!("do=send-then-insist\n{CREATE}").replace("members=0", "members=0,1");
    let age = NOW - BEGUN_AT;
    assert_eq!(
        bench.pushed(Mode::Live, &format!("{both}\ninsist=1")).await,
        format!("IoError::InDoubt({age}) | IoError::InDoubt({})", age - 500)
    );
    assert_eq!(site.asked().len(), 0, "nothing is sent");
    assert_eq!(
        bench.pushed(Mode::Live, &format!("{both}\ninsist=0")).await,
        format!("IoError::InDoubt({age}) | 201 made")
    );
    // Asked for alone it is told its own age, and its look-up counts.
    let alone = both.replace("members=0,1", "members=1");
    assert_eq!(
        bench
            .pushed(Mode::Live, &format!("{alone}\ninsist=1"))
            .await,
        format!("IoError::InDoubt({}) | 201 made", age - 500)
    );
}

#[tokio::test]
async fn refusals_end_a_step_and_server_errors_do_not() {
    for (status, open) in [
        (400, false),
        (404, false),
        (429, false),
        (408, true),
        (500, true),
        (503, true),
    ] {
        let site = Site::start(move |_| text(status, "no")).await;
        let bench = Bench::at(&site.base()).await;
        assert_eq!(create(&bench, "send").await, format!("{status} no"));
        assert_eq!(
            bench.journal.of_job(7, "create").is_some(),
            open,
            "{status}"
        );
        let second = create(&bench, "send").await;
        assert_eq!(second.contains("InDoubt"), open, "{status}: {second}");
    }
}

#[tokio::test]
async fn what_was_never_sent_is_not_in_doubt() {
    let bench = Bench::at("http://127.0.0.1:1").await;
    let said = create(&bench, "send").await;
    assert!(said.contains("could not connect"), "{said}");
    assert_eq!(bench.journal.of_job(7, "create"), None);
}

#[tokio::test]
async fn a_redirect_is_an_answer_that_is_kept() {
    let site =
        Site::start(|_| Reply::Answer(303, vec![("location", "/made/1".to_owned())], Vec::new()))
            .await;
    let bench = Bench::at(&site.base()).await;
    assert_eq!(create(&bench, "send-twice").await, "303  | 303 replayed ");
}

#[tokio::test]
async fn a_throttle_refusal_can_be_retracted() {
    let calls = AtomicUsize::new(0);
    let site = Site::start(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => text(503, "slow down"),
        _ => text(200, "made"),
    })
    .await;
    let bench = Bench::at(&site.base()).await;
    assert_eq!(create(&bench, "send-and-retract").await, "503 slow down");
    assert_eq!(create(&bench, "send").await, "200 made");
}

#[tokio::test]
async fn a_late_answer_leaves_the_step_open() {
    let site = Site::start(|_| Reply::Silence).await;
    let bench = Bench::at(&site.base()).await;
    let mut call = bench.call(Mode::Live, &format!("do=send\n{CREATE}"));
    call.limit_ms = 300;
    let batch = vec![crate::support::guest::delivery("a")];
    let answer = bench.connector.push(call, batch).await;
    assert!(
        format!("{:?}", answer.value).contains("IoError::TimedOut"),
        "{:?}",
        answer.value
    );
    assert!(matches!(
        bench.journal.of_job(7, "create"),
        Some(Step::Open { .. })
    ));
}

#[tokio::test]
async fn a_journal_that_fails_ends_the_call() {
    let site = Site::start(|_| text(200, "made")).await;
    let bench = Bench::at(&site.base()).await;
    *bench.journal.broken.lock().unwrap() = true;
    let answer = bench.push(Mode::Live, &format!("do=send\n{CREATE}")).await;
    assert_eq!(
        answer.value,
        Err(CallError::Host("the disk is full".to_owned()))
    );
    assert!(matches!(
        bench.journal.of_job(7, "create"),
        Some(Step::Open { .. })
    ));
    *bench.journal.broken.lock().unwrap() = false;
    assert!(create(&bench, "send").await.contains("InDoubt"));
}

#[tokio::test]
async fn a_read_may_be_an_effect_too() {
    let site = Site::start(|_| text(200, "file")).await;
    let bench = Bench::at(&site.base()).await;
    let details = "do=send-twice\nurl={base}/api/file\nstep=take\nmembers=0";
    assert_eq!(
        bench.pushed(Mode::Live, details).await,
        "200 file | 200 replayed file"
    );
    assert_eq!(site.asked().len(), 1);
}
