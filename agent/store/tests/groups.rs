//! The writer thread: those who wait together share a commit, and one bad closure fails alone.

mod sample;

use sample::{assert_sound, connection, in_file, take_order, with_connections};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use waybill_store::{OpenError, Options, OrderQuery, Place, Read, StoreError};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_share_commits_and_only_the_bad_one_fails() {
    let dir = tempfile::tempdir().unwrap();
    let store = in_file(&dir.path().join("w.redb"));
    with_connections(&store);
    let before = store.stats();
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..120_u32 {
        let store = store.clone();
        writers.spawn(async move {
            let result = store
                .write(move |tx| {
                    let order = take_order(tx, &format!("k{n}"), 1_000)?;
                    match n {
                        13 => Err(StoreError::Conflict("thirteen".to_owned())),
                        14 => panic!("fourteen"),
                        _ => Ok(order),
                    }
                })
                .await;
            (n, result)
        });
    }
    while let Some(done) = writers.join_next().await {
        let (n, result) = done.unwrap();
        match n {
            13 => assert!(matches!(result, Err(StoreError::Conflict(_))), "{result:?}"),
            14 => assert!(
                matches!(result, Err(StoreError::Panicked(ref words)) if words == "fourteen"),
                "{result:?}"
            ),
            _ => assert!(result.is_ok(), "{n}: {result:?}"),
        }
    }
    let after = store.stats();
    assert_eq!(after.writes - before.writes, 118);
    let orders = store
        .read(|rx| {
            rx.orders(OrderQuery {
                limit: 500,
                ..OrderQuery::default()
            })
        })
        .unwrap();
    assert_eq!(orders.len(), 118);
    assert_sound(&store);

    // Good ones alone: far fewer commits than writes.
    let before = store.stats();
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..200_u32 {
        let store = store.clone();
        writers.spawn(async move {
            store
                .write(move |tx| take_order(tx, &format!("g{n}"), 1_000))
                .await
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap().unwrap();
    }
    let after = store.stats();
    let commits = after.commits - before.commits;
    assert!(commits < 100, "{commits} commits for 200 writes");
    assert!(after.syncs > before.syncs && after.bytes > before.bytes);
    store.close().unwrap();
}

#[test]
fn a_lone_writer_gets_one_commit_per_write() {
    let dir = tempfile::tempdir().unwrap();
    let store = in_file(&dir.path().join("w.redb"));
    with_connections(&store);
    let before = store.stats().commits;
    for n in 0..5 {
        store
            .write_blocking(move |tx| take_order(tx, &n.to_string(), 1))
            .unwrap();
    }
    assert_eq!(store.stats().commits - before, 5);
}

#[test]
fn a_closure_that_fails_alone_runs_once_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = in_file(&dir.path().join("w.redb"));
    let runs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&runs);
    let result = store.write_blocking(move |tx| {
        counted.fetch_add(1, Ordering::Relaxed);
        tx.put_connection(&connection("shop"))?;
        Err::<(), _>(StoreError::Conflict("no".to_owned()))
    });
    assert!(matches!(result, Err(StoreError::Conflict(_))));
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    assert!(store.read(Read::connections).unwrap().is_empty());
}

#[test]
fn a_closed_store_takes_no_write_and_its_file_opens_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.redb");
    let store = in_file(&path);
    let clone = store.clone();
    store.close().unwrap();
    let refused = clone.write_blocking(|tx| tx.put_meta("a", b"b"));
    assert!(matches!(refused, Err(StoreError::Closed)));
    let second = waybill_store::Store::open(Options::new(Place::File(path.clone()), sample::key()));
    let Err(error @ OpenError::InUse(_)) = second else {
        panic!("a second open must be refused");
    };
    assert!(error.hint().is_some());
    drop(clone);
    drop(in_file(&path));
}
