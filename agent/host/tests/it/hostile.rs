//! Guests that run wild: each is stopped with a clear reason, and the next good call works.

use crate::support::guest::{Bench, NOW, delivery, engine, hostile};
use waybill_host::connector::{CallError, Mode};
use waybill_model::contract::{Failure, Moment, Scope, Settled};
use waybill_model::document::Entity;

async fn bench() -> Bench {
    Bench::at("http://127.0.0.1:1").await
}

fn trapped(error: &CallError, part: &str) {
    match error {
        CallError::Trapped(why) => assert!(why.contains(part), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_endless_loop_ends_at_its_limit() {
    let bench = bench().await;
    let mut call = bench.call(Mode::Live, "do=loop");
    call.limit_ms = 100;
    let started = tokio::time::Instant::now();
    let answer = bench.connector.probe(call).await;
    assert_eq!(answer.value, Err(CallError::TimedOut));
    assert!(
        started.elapsed().as_millis() < 3_000,
        "{:?}",
        started.elapsed()
    );
    bench.works().await;
}

#[tokio::test]
async fn work_without_a_request_is_a_loop_long_before_the_call_limit() {
    let bench = bench().await;
    let mut call = bench.call(Mode::Live, "do=loop");
    call.limit_ms = 600_000;
    let answer = bench.connector.probe(call).await;
    assert_eq!(answer.value, Err(CallError::TimedOut));
    bench.works().await;
}

#[tokio::test]
async fn a_loop_of_a_build_that_was_left_ends_long_before_its_limits() {
    let patient = waybill_host::limits::Limits {
        own_ms: 3_600_000,
        ..crate::support::guest::limits()
    };
    let bench = Bench::with(patient).await;
    let mut call = bench.call(Mode::Live, "do=loop");
    call.limit_ms = 3_600_000;
    let looping = bench.connector.probe(call);
    let leaving = async {
        bench.works().await;
        bench.generation.set_left(true);
    };
    let (answer, ()) = tokio::join!(looping, leaving);
    assert_eq!(answer.value, Err(CallError::TimedOut));
    bench.works().await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_busy_guest_does_not_stop_the_others() {
    let bench = bench().await;
    let mut call = bench.call(Mode::Live, "do=loop");
    call.limit_ms = 400;
    let looping = bench.connector.probe(call);
    let working = async {
        for _ in 0..3 {
            bench.works().await;
        }
        tokio::time::Instant::now()
    };
    let ((answer, ended), worked) = tokio::join!(
        async { (looping.await, tokio::time::Instant::now()) },
        working
    );
    assert_eq!(answer.value, Err(CallError::TimedOut));
    assert!(worked < ended, "the others were served while it ran");
}

#[tokio::test]
async fn the_ticker_stands_still_when_no_call_runs() {
    // An engine of its own: other tests run beside this one.
    let engine = waybill_host::engine::HostEngine::new(None).unwrap();
    let loader = waybill_host::load::Loader::new(
        engine.clone(),
        crate::support::guest::limits(),
        crate::support::guest::unsigned(),
    );
    let bytes = crate::support::guest::component();
    loader
        .load(bytes, waybill_model::ids::Generation(9))
        .await
        .unwrap();
    assert_eq!(engine.running_calls(), 0);
    // A call on another engine takes 100 ms, ten ticks of a ticker that runs.
    let busy = || async {
        let bench = bench().await;
        let mut call = bench.call(Mode::Live, "do=loop");
        call.limit_ms = 100;
        bench.connector.probe(call).await
    };
    // The first lets a tick end that was under way when the call ended.
    busy().await;
    let ticks = engine.ticks();
    busy().await;
    assert_eq!(engine.ticks(), ticks);
}

#[tokio::test]
async fn a_memory_bomb_is_out_of_memory() {
    let bench = bench().await;
    assert_eq!(bench.error("do=memory").await, CallError::OutOfMemory);
    bench.works().await;
    assert!(engine().running_calls() < 64);
}

#[tokio::test]
async fn nothing_of_a_call_is_left_for_another() {
    let bench = bench().await;
    for _ in 0..50 {
        assert_eq!(bench.said("do=leave").await, "0 calls, 0 bytes");
    }
}

#[tokio::test]
async fn more_calls_than_places_wait_for_one() {
    let bench = Bench::apart().await;
    let busy = (0..40).map(|_| {
        let mut call = bench.call(Mode::Live, "do=loop");
        call.limit_ms = 300;
        bench.connector.probe(call)
    });
    let waiting = async {
        let calls = (0..10).map(|_| bench.said("do=leave"));
        futures_util::future::join_all(calls).await
    };
    // In one task: the busy ones begin first, and each works for a tick before the next begins.
    let (busy, waiting) = tokio::join!(futures_util::future::join_all(busy), waiting);
    let late = |end: &CallError| matches!(end, CallError::Host(why) if why.contains("places"));
    for answer in busy {
        let end = answer.value.unwrap_err();
        assert!(end == CallError::TimedOut || late(&end), "{end:?}");
    }
    assert!(waiting.iter().all(|said| said == "0 calls, 0 bytes"));
}

/// The figure of a line such as `VmSize:   1234 kB`, in bytes; `None`: there is no limit.
fn figure(file: &str, line: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).unwrap();
    let found = text.lines().find_map(|l| l.strip_prefix(line)).unwrap();
    let unit = if file.ends_with("status") { 1024 } else { 1 };
    let word = found.split_whitespace().next().unwrap();
    word.parse::<u64>().ok().map(|n| n * unit)
}

/// Where a limit leaves no room for the places, every call maps its own memory: in a process of its own, with room for
/// the test and far too little for them.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn where_addresses_are_few_calls_map_their_own_memory() {
    const FEW: u64 = 24 << 30;
    if figure("/proc/self/limits", "Max address space").is_none() {
        let bench = bench().await;
        bench.works().await;
        let size = figure("/proc/self/status", "VmSize:").unwrap();
        assert!(size > 4 * FEW, "places are reserved here: {size}");
        let own = "hostile::where_addresses_are_few_calls_map_their_own_memory";
        let script = format!("ulimit -v {} && exec \"$0\" --exact {own}", FEW >> 10);
        let mut child = std::process::Command::new("sh");
        child
            .arg("-c")
            .arg(script)
            .arg(std::env::current_exe().unwrap());
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}"
        );
        return;
    }
    let bench = Bench::apart().await;
    // More than there are places: they wait for each other here as well.
    let calls = (0..80).map(|_| bench.said("do=leave"));
    let said = futures_util::future::join_all(calls).await;
    assert!(
        said.iter().all(|said| said == "0 calls, 0 bytes"),
        "{said:?}"
    );
    assert_eq!(bench.error("do=memory").await, CallError::OutOfMemory);
    trapped(&bench.error("do=trap").await, "unreachable");
    bench.works().await;
    let size = figure("/proc/self/status", "VmPeak:").unwrap();
    assert!(size < FEW, "{size}");
}

#[tokio::test]
async fn a_trap_says_what_happened() {
    let bench = bench().await;
    trapped(&bench.error("do=trap").await, "unreachable");
    bench.works().await;
}

#[tokio::test]
async fn a_wrong_number_of_verdicts_says_nothing_about_anybody() {
    let bench = bench().await;
    for verdicts in ["0", "1", "3"] {
        let details = format!("verdicts={verdicts}");
        let wrong = CallError::Contract(format!("answered {verdicts} verdicts for 2 members"));
        let push = bench.push(Mode::Live, &details).await;
        assert_eq!(push.value, Err(wrong.clone()));
        let call = bench.call(Mode::Live, &details);
        let handles = vec!["1".to_owned(), "2".to_owned()];
        assert_eq!(
            bench.connector.confirm(call, handles).await.value,
            Err(wrong.clone())
        );
        let settled = |key: &str| Settled {
            entity: Entity::Order,
            key: key.to_owned(),
            links: Vec::new(),
        };
        let call = bench.call(Mode::Live, &details);
        let batch = vec![settled("1"), settled("2")];
        let settle = bench.connector.settle(call, Moment::Accepted, batch).await;
        assert_eq!(settle.value, Err(wrong));
    }
    assert_eq!(bench.push(Mode::Live, "").await.value.unwrap().len(), 2);
}

#[tokio::test]
async fn writes_leave_with_the_result_and_only_then() {
    let bench = bench().await;
    let good = bench.probe("do=kv").await;
    assert_eq!(
        good.value.unwrap()[0].1,
        "value - value",
        "reads see own writes"
    );
    assert_eq!(good.writes.len(), 1);
    assert_eq!(good.writes[0].value.as_deref(), Some(&b"value"[..]));
    assert!(
        bench.kv.0.lock().unwrap().is_empty(),
        "the host commits nothing itself"
    );
    for details in ["do=kv-fail", "do=kv-trap"] {
        let bad = bench.probe(details).await;
        assert!(bad.value.is_err());
        assert!(bad.writes.is_empty(), "{details}");
    }
    let wrong = bench.push(Mode::Live, "do=kv\nverdicts=1").await;
    assert!(wrong.value.is_err() && wrong.writes.is_empty());
}

#[tokio::test]
async fn a_scan_sees_committed_rows_under_own_writes() {
    let bench = bench().await;
    for key in ["a1", "a2", "a3", "a4", "a5", "b0"] {
        let mut rows = bench.kv.0.lock().unwrap();
        rows.insert(key.to_owned(), b"old".to_vec());
    }
    assert_eq!(
        bench.said("do=kv-scan").await,
        "a1=old a2=own a4=old a5=old"
    );
}

#[tokio::test]
async fn lists_and_keys_are_limited() {
    let bench = bench().await;
    trapped(
        &bench.error("do=kv-many").await,
        "1000000 keys to `kv.get-many`",
    );
    trapped(&bench.error("do=kv-empty").await, "an empty key");
    trapped(&bench.error("do=kv-large").await, "bytes of a value");
    trapped(&bench.error("do=spools").await, "too many spools");
    trapped(&bench.error("do=spool-large").await, "bytes to spools");
    assert_eq!(bench.said("do=spool").await, "11 spool 0");
    assert_eq!(bench.said("do=log-much").await, "logged");
}

#[tokio::test]
async fn pages_are_limited() {
    let bench = bench().await;
    let page = |details: &'static str| {
        let call = bench.call(Mode::Live, details);
        async { bench.connector.pull(call, Entity::Order, None).await.value }
    };
    let good = page("").await.unwrap();
    assert_eq!((good.documents.len(), good.cursor), (1, vec![7; 3]));
    for (details, part) in [
        ("cursor-bytes=70000", "a cursor of 70000 bytes"),
        ("documents=20000", "20000 documents"),
    ] {
        match page(details).await {
            Err(CallError::Contract(why)) => assert!(why.contains(part), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    let call = bench.call(Mode::Live, "");
    let keys = Scope::Keys(vec!["1".to_owned()]);
    let read = bench.connector.read(call, Entity::Order, keys, None).await;
    assert_eq!(read.value.unwrap().documents.len(), 1);
    let call = bench.call(Mode::Live, "");
    let keys = vec!["x".to_owned(), "y".to_owned()];
    let fetched = bench
        .connector
        .fetch(call, Entity::Order, keys)
        .await
        .value
        .unwrap();
    assert_eq!(fetched[1].key, "y");
}

#[tokio::test]
async fn what_is_not_spoken_yet_says_so() {
    let said = bench().await.said("do=later").await;
    assert!(
        said.contains("later release") && said.contains("`folder`"),
        "{said}"
    );
}

#[tokio::test]
async fn small_capabilities_answer() {
    let bench = bench().await;
    assert_eq!(bench.said("do=clock").await, "true true");
    let links = bench.said("do=links").await;
    assert!(links.contains("S-1") && links.ends_with(", []]"), "{links}");
    let call = bench.call(Mode::Live, "do=setting\nwhich=base");
    let page = bench
        .connector
        .choices(call, "key".to_owned(), Some("next".to_owned()))
        .await;
    let page = page.value.unwrap();
    assert_eq!(page.items[0].label, "http://127.0.0.1:1");
    assert_eq!(page.next.as_deref(), Some("next"));
}

#[tokio::test]
async fn validate_has_no_network() {
    let bench = bench().await;
    let call = bench.call(Mode::Live, "do=send\nurl={base}/api");
    let problems = bench.connector.validate(call).await.value.unwrap();
    assert!(problems[0].message.contains("no network"), "{problems:?}");
}

#[tokio::test]
async fn a_stored_retry_after_outlives_the_call() {
    let bench = bench().await;
    let answer = bench.probe("do=fail\nsecs=7").await;
    assert_eq!(
        answer.value,
        Err(CallError::Failure(Failure::Retry(Some(7))))
    );
    assert_eq!(answer.hold_until, Some(NOW + 7_000));
    // A member's own waiting time holds nobody else.
    let answer = bench.push(Mode::Live, "each-retries=9").await;
    assert_eq!(answer.hold_until, None);
    let answer = bench.probe("do=fail").await;
    assert_eq!(answer.hold_until, None);
    assert!(matches!(
        answer.value,
        Err(CallError::Failure(Failure::Rejected(_)))
    ));
}

#[tokio::test]
async fn a_role_that_is_not_exported_is_not_called() {
    let generation = hostile().await;
    assert!(
        !generation
            .passport()
            .roles
            .contains(&waybill_model::contract::Role::Webhook)
    );
    let bench = bench().await;
    let mut call = bench.call(Mode::Live, "");
    call.connection = waybill_model::ids::ConnectionId(2);
    let stranger = bench.connector.push(call, vec![delivery("a")]).await;
    assert!(matches!(stranger.value, Err(CallError::Host(_))));
}
