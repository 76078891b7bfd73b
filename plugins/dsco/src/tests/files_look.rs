//! Looking for what may be in a file before it is sent again: files that nobody can read, folders and orders that are
//! refused, and more orders than one call has time for.

use super::disk::{Disk, Fate};
use super::files_sent::{
    SHIPPED_BY_FILES, handles, import, once, origin_as_shown, push, push_as, told,
};
use serde_json::{Value, json};
use waybill_sdk::types::{Failure, Outcome, Verdict};

/// The problem of a member that waits for a person who says what became of it.
fn in_doubt(verdict: &Verdict) -> (&str, &str) {
    match verdict {
        Err(Failure::InDoubt(problem)) => {
            assert!(problem.hint.as_ref().unwrap().contains("press Retry"));
            (&problem.code, &problem.message)
        }
        other => panic!("not in doubt: {other:?}"),
    }
}

/// What DSCO shows of an order whose shipment it has.
fn shown(job: u64) -> (String, Value) {
    let items =
        [(1, 2), (2, 1)].map(|(line, units)| json!({"lineNumber": line, "quantity": units}));
    let package = json!([{"trackingNumber": format!("1Z{job}"), "items": items}]);
    origin_as_shown(&format!("10{job}"), &package)
}

/// A file that is no whole table is a card for those whose orders stand in it. Nobody else waits for it, and they go as
/// soon as it is away.
#[test]
fn a_broken_file_stops_those_alone_whom_it_names() {
    let disk = Disk::new();
    push(&disk, 1, &[1, 2], true);
    let broken = disk.names().remove(0);
    let whole = disk.files.borrow()[&broken].0.clone();
    disk.write(&broken, [&whole[..], b"\"half a row"].concat());
    disk.restore();
    disk.pass(3_600);
    for (attempt, batch) in [(1, &[2, 3][..]), (2, &[2]), (3, &[2])] {
        let verdicts = push(&disk, attempt, batch, true);
        let (code, message) = in_doubt(&verdicts[0]);
        assert_eq!(code, "file-not-whole");
        let name = broken.strip_prefix("in/").unwrap();
        assert!(
            message.contains(name) && message.contains("row 6"),
            "{message}"
        );
        handles(&verdicts[1..]);
    }
    disk.remove(&broken);
    assert_eq!(told(&disk), once(&[3]));
    handles(&push(&disk, 1, &[2], true));
    assert_eq!(told(&disk), once(&[2, 3]));
}

/// What is no text names nobody, and may be anybody's.
#[test]
fn a_file_that_is_no_text_stops_all_that_it_can_hold() {
    let disk = Disk::new();
    push(&disk, 1, &[1, 2], true);
    let broken = disk.names().remove(0);
    disk.write(&broken, *b"\x1f\x8b\x08\0\"");
    disk.restore();
    disk.pass(3_600);
    let verdict = push(&disk, 1, &[3], true).remove(0);
    assert_eq!(in_doubt(&verdict).0, "file-not-whole");
    disk.remove(&broken);
    assert!(told(&disk).is_empty());
}

/// A file that lay there, and is dated, long before the orders were placed holds nothing of them, nor does a file that has
/// no name of ours.
#[test]
fn a_file_that_is_refused_or_too_large_stops_those_that_it_can_hold() {
    for (kind, code, attempts) in [("locked", "file-server", 3), ("huge", "file-too-large", 1)] {
        let disk = Disk::new();
        let sent =
            |stamp: &str| format!("in/processing/Shipment_{kind}_{stamp}_0123456789abcdef.csv");
        disk.write(&format!("in/Shipment_by_hand_{kind}.csv"), "");
        let now = disk.now.replace(super::at("2025-11-01T10:00:00Z"));
        let old = sent("20251101095900");
        disk.write(&old, "");
        disk.now.set(now);
        disk.restore();
        disk.pass(3_600);
        handles(&push(&disk, 1, &[1], true));
        assert!(disk.reads.get() < 2, "nothing can be in the old one");
        let new = sent("20251121095900");
        disk.write(&new, "");
        for attempt in 1..attempts {
            // It may have gone on meanwhile.
            let verdict = push(&disk, attempt, &[2], true).remove(0);
            assert_eq!(verdict, Err(Failure::Retry(None)), "{kind} {attempt}");
        }
        let verdict = push(&disk, attempts, &[2], true).remove(0);
        let (said, message) = in_doubt(&verdict);
        assert_eq!(said, code);
        assert!(
            message.contains(new.strip_prefix("in/processing/").unwrap()),
            "{message}"
        );
        disk.remove(&new);
        handles(&push(&disk, attempts, &[2], true));
        for path in [&old, &format!("in/Shipment_by_hand_{kind}.csv")] {
            disk.remove(path);
        }
        assert_eq!(told(&disk), once(&[1, 2]));
    }
}

/// A folder that the server does not show, again and again, is said; a server that shows none is not there.
#[test]
fn a_folder_that_is_refused_is_a_card_and_a_server_that_is_away_is_none() {
    let disk = Disk::new();
    disk.fates.borrow_mut().push(Fate::Vanished);
    push(&disk, 1, &[1], true);
    disk.closed.replace(vec!["in/processing"]);
    disk.broken.set(0);
    disk.pass(60);
    let early = push(&disk, 2, &[1], true).remove(0);
    assert_eq!(early, Err(Failure::Retry(None)));
    let late = push(&disk, 3, &[1], true).remove(0);
    assert!(
        matches!(&late, Err(Failure::Rejected(p)) if p.code == "file-server" && p.message.contains("in/processing")),
        "{late:?}"
    );
    disk.closed.replace(vec!["in", "in/processing", "out"]);
    let away = push(&disk, 9, &[1], true).remove(0);
    assert_eq!(away, Err(Failure::Retry(None)));
    disk.closed.take();
    handles(&push(&disk, 9, &[1], true));
    assert_eq!(told(&disk), once(&[1]));
}

/// A login that the API refuses pauses the connection, and another refusal is a card: neither is asked again for ever. What
/// was seen before it stands, and nothing is sent.
#[test]
fn what_no_waiting_mends_is_said_as_it_is() {
    for status in [401, 403] {
        let disk = Disk::new();
        push_as(&disk, &SHIPPED_BY_FILES, 1, &[1, 2], true);
        import(&disk);
        disk.restore();
        disk.orders.borrow_mut().extend([shown(1)]);
        disk.refusal.set(Some(status));
        disk.pass(3_600);
        let verdicts = push_as(&disk, &SHIPPED_BY_FILES, 1, &[1, 2, 3], true);
        assert!(
            matches!(&verdicts[0], Ok(Outcome::Done(receipt)) if receipt.duplicate),
            "{verdicts:?}"
        );
        for verdict in &verdicts[1..] {
            match verdict {
                Err(Failure::Unauthorized(_)) => assert_eq!(status, 401),
                Err(Failure::Rejected(problem)) => {
                    assert_eq!((status, &*problem.code), (403, "forbidden"));
                }
                other => panic!("{status}: {other:?}"),
            }
        }
        disk.refusal.set(None);
        let open = origin_as_shown("103", &json!([]));
        disk.orders.borrow_mut().extend([shown(2), open]);
        let verdicts = push_as(&disk, &SHIPPED_BY_FILES, 2, &[2, 3], true);
        assert!(matches!(verdicts[0], Ok(Outcome::Done(_))), "{verdicts:?}");
        handles(&verdicts[1..]);
        assert_eq!(told(&disk), once(&[1, 2, 3]));
    }
}

/// Orders are looked at as far as the call's time goes, and what was seen is kept: a thousand of them take several calls,
/// and each shipment is there once.
#[test]
fn a_thousand_orders_are_looked_at_in_several_calls() {
    let disk = Disk::new();
    let all: Vec<u64> = (1..=1_000).collect();
    let (before, _) = all.split_at(500);
    push_as(&disk, &SHIPPED_BY_FILES, 1, before, true);
    import(&disk);
    disk.restore();
    let order = |job: &u64| {
        if before.contains(job) {
            shown(*job)
        } else {
            origin_as_shown(&format!("10{job}"), &json!([]))
        }
    };
    disk.orders.borrow_mut().extend(all.iter().map(order));
    disk.takes.set(300);
    let (mut left, mut calls) = (all.clone(), 0);
    while !left.is_empty() {
        calls += 1;
        disk.pass(3_600);
        let verdicts = push_as(&disk, &SHIPPED_BY_FILES, calls, &left, true);
        let (settled, waits): (Vec<_>, Vec<_>) = left
            .iter()
            .zip(verdicts)
            .partition(|(_, verdict)| verdict.is_ok());
        let enough = settled.len() > 100 || waits.is_empty();
        assert!(enough, "only {} in call {calls}", settled.len());
        let later = |(_, verdict): &(&u64, Verdict)| *verdict == Err(Failure::Retry(Some(0)));
        assert!(waits.iter().all(later), "{:?}", waits[0]);
        left = waits.into_iter().map(|(job, _)| *job).collect();
    }
    assert!(calls > 2, "it took {calls}");
    assert_eq!(told(&disk), once(&all));
}

/// What is not sent for want of time is in no doubt, and is sent by the next call.
#[test]
fn nothing_is_put_with_too_little_time_left() {
    let disk = Disk::new();
    disk.restore();
    disk.orders
        .borrow_mut()
        .extend([origin_as_shown("101", &json!([]))]);
    disk.pass(3_600);
    disk.takes.set(50_000);
    let verdicts = push_as(&disk, &SHIPPED_BY_FILES, 1, &[1], true);
    assert_eq!(verdicts, [Err(Failure::Retry(Some(0)))]);
    assert!(told(&disk).is_empty());
    disk.takes.set(20_000);
    handles(&push_as(&disk, &SHIPPED_BY_FILES, 2, &[1], true));
    assert_eq!(told(&disk), once(&[1]));

    // Two that may be in files of their own: the second one waits.
    let disk = Disk::new();
    for job in [1, 2] {
        disk.fates.borrow_mut().push(Fate::Vanished);
        push(&disk, 1, &[job], true);
        disk.broken.set(0);
    }
    disk.pass(60);
    disk.takes.set(50_000);
    let mut verdicts = push(&disk, 2, &[1, 2], true);
    verdicts.sort_by_key(Verdict::is_err);
    assert!(verdicts[0].is_ok() && verdicts[1] == Err(Failure::Retry(Some(0))));
    let left: &[u64] = if told(&disk) == once(&[1]) {
        &[2]
    } else {
        &[1]
    };
    disk.takes.set(20_000);
    handles(&push(&disk, 3, left, true));
    assert_eq!(told(&disk), once(&[1, 2]));
}

/// Files that there is no time to look into stop those that they can hold, and no others.
#[test]
fn files_are_looked_into_as_far_as_there_is_time() {
    let disk = Disk::new();
    for job in 1..=5 {
        handles(&push(&disk, 1, &[job], true));
    }
    disk.restore();
    disk.pass(3_600);
    disk.takes.set(15_000);
    assert_eq!(push(&disk, 1, &[9], true), [Err(Failure::Retry(None))]);
    disk.takes.set(5_000);
    assert_eq!(disk.names().len(), 5, "nothing was sent");
    handles(&push(&disk, 2, &[9], true));
    assert_eq!(told(&disk), once(&[1, 2, 3, 4, 5, 9]));
}
