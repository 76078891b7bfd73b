//! Hints and webhook requests against a plain model, crashes included; and what happens to them with a connection.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod sample;

use proptest::prelude::*;
use sample::{SOURCE, TARGET, assert_sound, in_file, in_memory, on_disk, with_connections};
use std::collections::BTreeMap;
use waybill_model::contract::Delivered;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, DeliveryId, Millis};
use waybill_store::sim_disk::SimDisk;
use waybill_store::{HintRow, HooksRow, Options, Place, Read, Store, StoreError, Writer};

fn delivered(body: &[u8]) -> Delivered {
    Delivered {
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.to_vec(),
    }
}

fn due(store: &Store, now: Millis) -> Vec<HintRow> {
    store.read(|rx| rx.due_hints(SOURCE, now, 100)).unwrap()
}

#[test]
fn many_reasons_to_read_a_document_are_one_hint_at_the_earliest_time() {
    let store = in_memory();
    with_connections(&store);
    store
        .write_blocking(|tx| {
            for at in [500, 300, 900] {
                tx.hint(SOURCE, Entity::Shipment, "7", at)?;
            }
            tx.hint(SOURCE, Entity::Shipment, "8", 200)?;
            tx.hint(SOURCE, Entity::Order, "7", 400)?;
            tx.hint(TARGET, Entity::Shipment, "7", 100)
        })
        .unwrap();
    let keys: Vec<(Entity, String)> = due(&store, 400)
        .into_iter()
        .map(|h| (h.entity, h.key))
        .collect();
    let expected = [
        (Entity::Shipment, "8"),
        (Entity::Shipment, "7"),
        (Entity::Order, "7"),
    ];
    assert_eq!(keys, expected.map(|(e, k)| (e, k.to_owned())));
    assert_eq!(due(&store, 199), []);
    let next = |after| store.read(move |rx| rx.next_hint_due(after)).unwrap();
    assert_eq!(
        [next(0), next(100), next(399), next(400)],
        [Some(100), Some(200), Some(400), None]
    );
    assert_sound(&store);
}

#[test]
fn a_hint_renewed_while_its_document_is_read_stays() {
    let store = in_memory();
    with_connections(&store);
    let put = |at| {
        store
            .write_blocking(move |tx| tx.hint(SOURCE, Entity::Shipment, "7", at))
            .unwrap();
    };
    let take = |row: HintRow| store.write_blocking(move |tx| tx.take_hint(&row)).unwrap();
    put(10);
    let read = due(&store, 10).remove(0);
    put(20);
    assert!(!take(read.clone()));
    assert_eq!(due(&store, 19), []);
    let renewed = due(&store, 20).remove(0);
    assert!(renewed.seq > read.seq);
    assert!(take(renewed.clone()));
    assert_eq!(due(&store, 100), []);
    // Taken before, then new: the old one must not take the new one.
    put(30);
    assert!(!take(renewed));
    assert_eq!(due(&store, 100).len(), 1);
    assert_sound(&store);
}

#[test]
fn a_hint_put_off_counts_and_a_renewal_does_not_bring_it_forward() {
    let store = in_memory();
    with_connections(&store);
    store
        .write_blocking(|tx| {
            tx.hint(SOURCE, Entity::Shipment, "7", 10)?;
            let row = tx.due_hints(SOURCE, 10, 1)?.remove(0);
            tx.defer_hint(&row, 5_000)?;
            tx.defer_hint(&row, 9_000)
        })
        .unwrap();
    assert_eq!(due(&store, 8_999), []);
    assert_eq!(due(&store, 9_000)[0].tries, 2);
    store
        .write_blocking(|tx| tx.hint(SOURCE, Entity::Shipment, "7", 20))
        .unwrap();
    assert_eq!(due(&store, 8_999), []);
    // Followed after all: what was asked meanwhile counts from its own time, and nothing is put off any more.
    let stale = HintRow {
        seq: 0,
        ..due(&store, 9_000).remove(0)
    };
    store
        .write_blocking(move |tx| tx.take_hint(&stale))
        .unwrap();
    assert_eq!((due(&store, 20)[0].due, due(&store, 20)[0].tries), (20, 0));
    assert_sound(&store);
}

#[test]
fn deliveries_keep_their_order_bytes_and_count() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Options {
        spool_dir: Some(dir.path().join("bodies")),
        ..Options::new(Place::File(dir.path().join("w.redb")), sample::key())
    })
    .unwrap();
    with_connections(&store);
    // Not to be compressed, so that the last one goes to a file of the spool folder.
    let noise: Vec<u8> = (0..200_000_u32)
        .scan(1_u32, |x, _| {
            *x ^= *x << 13;
            *x ^= *x >> 17;
            *x ^= *x << 5;
            x.to_be_bytes().first().copied()
        })
        .collect();
    let bodies = [b"".to_vec(), b"{\"id\":\"7\"}".to_vec(), noise];
    let put = bodies.clone();
    store
        .write_blocking(move |tx| {
            for (at, body) in (100..).zip(&put) {
                tx.put_delivery(SOURCE, &delivered(body), at)?;
            }
            Ok(())
        })
        .unwrap();
    assert_sound(&store);
    let rows = store.read(|rx| rx.deliveries(SOURCE, 10)).unwrap();
    let kept: Vec<Vec<u8>> = rows.iter().map(|r| r.delivered.body.clone()).collect();
    assert_eq!(kept, bodies);
    assert_eq!(store.read(|rx| rx.deliveries(SOURCE, 2)).unwrap().len(), 2);
    assert_eq!(store.read(|rx| rx.delivery_backlog(SOURCE)).unwrap(), 3);
    assert_eq!(
        store.read(|rx| rx.newest_delivery(SOURCE)).unwrap(),
        Some(102)
    );
    let ids: Vec<DeliveryId> = rows.iter().map(|r| r.id).collect();
    store
        .write_blocking(move |tx| {
            tx.remove_deliveries(SOURCE, &ids[1..])?;
            // Removing twice is no harm.
            tx.remove_deliveries(SOURCE, &ids[1..])
        })
        .unwrap();
    assert_eq!(store.read(|rx| rx.delivery_backlog(SOURCE)).unwrap(), 1);
    let left = std::fs::read_dir(dir.path().join("bodies")).unwrap();
    assert_eq!(left.count(), 0, "the body's file is gone");
    assert_sound(&store);
}

#[test]
fn large_deliveries_are_read_a_few_at_a_time() {
    let store = in_memory();
    with_connections(&store);
    for size in [1_500_000, 700_000, 300_000, 100_000] {
        store
            .write_blocking(move |tx| tx.put_delivery(SOURCE, &delivered(&vec![7; size]), 1))
            .unwrap();
    }
    let mut sizes = Vec::new();
    loop {
        let rows = store.read(|rx| rx.deliveries(SOURCE, 10)).unwrap();
        if rows.is_empty() {
            break;
        }
        sizes.push(rows.len());
        let ids: Vec<DeliveryId> = rows.iter().map(|r| r.id).collect();
        store
            .write_blocking(move |tx| tx.remove_deliveries(SOURCE, &ids))
            .unwrap();
    }
    assert_eq!(sizes, [1, 2, 1]);
    assert_sound(&store);
}

#[test]
fn all_of_it_goes_with_its_connection() {
    let store = in_memory();
    with_connections(&store);
    store
        .write_blocking(|tx| {
            for connection in [SOURCE, TARGET] {
                tx.hint(connection, Entity::Shipment, "7", 10)?;
                tx.put_delivery(connection, &delivered(b"{}"), 10)?;
                tx.put_hooks(&HooksRow::new(connection))?;
            }
            tx.remove_connection(SOURCE)
        })
        .unwrap();
    assert_sound(&store);
    let there = |connection: ConnectionId| {
        store
            .read(move |rx| {
                Ok((
                    rx.hints_waiting(connection, 9)?,
                    rx.delivery_backlog(connection)?,
                    rx.deliveries(connection, 9)?.len(),
                    rx.hooks(connection)?.is_some(),
                ))
            })
            .unwrap()
    };
    assert_eq!(there(SOURCE), (0, 0, 0, false));
    assert_eq!(there(TARGET), (1, 1, 1, true));
    let refused = store.write_blocking(|tx| tx.put_delivery(SOURCE, &delivered(b"{}"), 11));
    assert!(
        matches!(refused, Err(StoreError::NotFound { .. })),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_commit_takes_many_deliveries_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = in_file(&dir.path().join("w.redb"));
    with_connections(&store);
    let before = store.stats();
    let mut senders = tokio::task::JoinSet::new();
    for n in 0..64_u32 {
        let store = store.clone();
        senders.spawn(async move {
            for m in 0..5 {
                let body = format!("{{\"id\":\"{n}-{m}\"}}").into_bytes();
                store
                    .write(move |tx| tx.put_delivery(SOURCE, &delivered(&body), 5))
                    .await
                    .unwrap();
            }
        });
    }
    while let Some(done) = senders.join_next().await {
        done.unwrap();
    }
    let commits = store.stats().commits - before.commits;
    assert!(commits < 80, "{commits} commits for 320 deliveries");
    assert_eq!(store.read(|rx| rx.delivery_backlog(SOURCE)).unwrap(), 320);
    assert_sound(&store);
}

#[derive(Debug, Clone)]
enum Action {
    Hint(u8, u8),
    Take(usize),
    Defer(usize, u8),
    Deliver(u8),
    /// Reads some deliveries: their hints, and they are gone.
    Understand(usize),
    FailedWrite,
    Crash,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0..5_u8, 0..60_u8).prop_map(|(k, d)| Action::Hint(k, d)),
        2 => (0..5_usize).prop_map(Action::Take),
        1 => (0..5_usize, 0..60_u8).prop_map(|(n, d)| Action::Defer(n, d)),
        3 => (0..5_u8).prop_map(Action::Deliver),
        2 => (1..4_usize).prop_map(Action::Understand),
        1 => Just(Action::FailedWrite),
        1 => Just(Action::Crash),
    ]
}

#[derive(Default)]
struct Model {
    /// When it is due, and whether it was put off.
    hints: BTreeMap<String, (Millis, bool)>,
    deliveries: Vec<u8>,
}

impl Model {
    fn ask(&mut self, key: &str, at: Millis) {
        let (due, put_off) = self.hints.entry(key.to_owned()).or_insert((at, false));
        if !*put_off {
            *due = at.min(*due);
        }
    }
}

fn act(
    store: Store,
    disk: SimDisk,
    model: &mut Model,
    action: &Action,
    seed: u64,
) -> (Store, SimDisk) {
    let row = |n: usize| due(&store, Millis::MAX - 1).into_iter().nth(n);
    match *action {
        Action::Hint(k, d) => {
            let (key, at) = (format!("k{k}"), Millis::from(d));
            model.ask(&key, at);
            let write =
                move |tx: &mut waybill_store::Tx<'_>| tx.hint(SOURCE, Entity::Shipment, &key, at);
            store.write_blocking(write).unwrap();
        }
        Action::Take(n) => {
            if let Some(row) = row(n) {
                model.hints.remove(&row.key);
                assert!(store.write_blocking(move |tx| tx.take_hint(&row)).unwrap());
            }
        }
        Action::Defer(n, d) => {
            if let Some(row) = row(n) {
                model.hints.insert(row.key.clone(), (Millis::from(d), true));
                let write =
                    move |tx: &mut waybill_store::Tx<'_>| tx.defer_hint(&row, Millis::from(d));
                store.write_blocking(write).unwrap();
            }
        }
        Action::Deliver(k) => {
            model.deliveries.push(k);
            store
                .write_blocking(move |tx| tx.put_delivery(SOURCE, &delivered(&[k]), 1))
                .unwrap();
        }
        Action::Understand(n) => {
            let rows = store.read(|rx| rx.deliveries(SOURCE, n)).unwrap();
            for k in model.deliveries.drain(..rows.len()).collect::<Vec<_>>() {
                model.ask(&format!("k{k}"), 7);
            }
            store
                .write_blocking(move |tx| {
                    for row in &rows {
                        let key = format!("k{}", row.delivered.body[0]);
                        tx.hint(SOURCE, Entity::Shipment, &key, 7)?;
                        tx.remove_deliveries(SOURCE, &[row.id])?;
                    }
                    Ok(())
                })
                .unwrap();
        }
        Action::FailedWrite => {
            let failed = store.write_blocking(|tx| {
                tx.hint(SOURCE, Entity::Shipment, "never", 1)?;
                tx.put_delivery(SOURCE, &delivered(b"never"), 1)?;
                for row in tx.due_hints(SOURCE, 99, 9)? {
                    tx.take_hint(&row)?;
                }
                Err::<(), _>(StoreError::Conflict("no".to_owned()))
            });
            assert!(matches!(failed, Err(StoreError::Conflict(_))));
        }
        Action::Crash => {
            drop(store);
            let disk = SimDisk::with_image(seed, disk.crash());
            return (on_disk(&disk, Writer::Inline), disk);
        }
    }
    (store, disk)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hints_and_deliveries_are_what_was_asked_for(actions in prop::collection::vec(action(), 1..40)) {
        let mut disk = SimDisk::new(1);
        let mut store = on_disk(&disk, Writer::Inline);
        with_connections(&store);
        let mut model = Model::default();
        for (seed, action) in (2..).zip(&actions) {
            (store, disk) = act(store, disk, &mut model, action, seed);
            assert_sound(&store);
            let mut expected: Vec<(Millis, String)> =
                model.hints.iter().map(|(k, (d, _))| (*d, k.clone())).collect();
            expected.sort();
            let rows = due(&store, 1_000);
            let found: Vec<(Millis, String)> = rows.into_iter().map(|h| (h.due, h.key)).collect();
            prop_assert_eq!(found, expected);
            let waiting = store.read(|rx| rx.deliveries(SOURCE, 100)).unwrap();
            let bodies: Vec<u8> = waiting.iter().map(|r| r.delivered.body[0]).collect();
            prop_assert_eq!(&bodies, &model.deliveries);
            let backlog = store.read(|rx| rx.delivery_backlog(SOURCE)).unwrap();
            prop_assert_eq!(backlog, bodies.len() as u64);
        }
    }
}
