//! Files of released schema versions open and read as they were written; a newer file is refused with a hint.
//! The fixture is made by `cargo run -p waybill-store --example fixture`.

mod sample;

use flate2::read::GzDecoder;
use redb::{Database, TableDefinition};
use sample::{SOURCE, TARGET, assert_sound, in_file, key, order_document, take_order};
use secrecy::ExposeSecret;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use waybill_model::document::Entity;
use waybill_model::ids::{BatchId, JobId, OrderId};
use waybill_model::order_state::OrderStage;
use waybill_store::sim_disk::{Loss, SimDisk};
use waybill_store::{BegunRow, OpenError, Options, Place, Read, SCHEMA_VERSION, Store};

#[test]
fn a_file_of_schema_version_1_opens_and_reads() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v1.redb");
    let mut bytes = Vec::new();
    GzDecoder::new(include_bytes!("fixtures/v1.redb.gz").as_slice())
        .read_to_end(&mut bytes)
        .unwrap();
    std::fs::write(&path, bytes).unwrap();
    let store = in_file(&path);
    assert_sound(&store);
    store
        .read(|rx| {
            assert_eq!(rx.connections()?.len(), 2);
            let order = rx.order_by_key(SOURCE, "1001")?.unwrap();
            assert_eq!(
                (order.stage, order.sale_number.as_deref()),
                (OrderStage::Created, Some("SO-900"))
            );
            let document = rx.document(order.document)?.unwrap();
            assert_eq!(document.document, order_document("1001", "1", &["AB-1"]));
            assert_eq!(rx.jobs_of_order(order.id)?.len(), 1);
            assert_eq!(rx.transcript(BatchId(1))?[0].answer, "created");
            assert_eq!(rx.cards(5)?[0].jobs, 1);
            assert_eq!(
                rx.cell(SOURCE, TARGET, "warehouses", "r1", "WH1")?
                    .as_deref(),
                Some("3")
            );
            assert_eq!(rx.links_of(SOURCE, Entity::Order, "1001")?[0].key, "900");
            assert_eq!(
                rx.feed(SOURCE, Entity::Order)?.unwrap().cursor,
                Some(vec![1, 2, 3])
            );
            assert_eq!(
                rx.secret(SOURCE, "api", "token")?.unwrap().expose_secret(),
                "kept since v1"
            );
            assert_eq!(
                rx.effective(None, Some("r1"))?["orders.default-country"],
                "GB"
            );
            assert_eq!(rx.timeline(order.id, 5)?.len(), 1);
            assert_eq!(rx.counters()?.orders.values().sum::<u64>(), 2);
            Ok(())
        })
        .unwrap();
    // Not only read: it goes on.
    store
        .write_blocking(|tx| take_order(tx, "new", 9_000))
        .unwrap();
    let replay = store
        .write_blocking(|tx| tx.begin_effect(TARGET, "", &[JobId(1)], "create-order", None, 9_000))
        .unwrap();
    assert_eq!(replay, BegunRow::Replay(b"{\"id\":900}".to_vec()));
    assert_eq!(
        store.read(|rx| rx.order(OrderId(3))).unwrap().unwrap().key,
        "new"
    );
    // The tables of later versions are there.
    store
        .write_blocking(|tx| tx.hint(SOURCE, Entity::Shipment, "700", 9_000))
        .unwrap();
    assert_eq!(store.read(|rx| rx.next_hint_due(0)).unwrap(), Some(9_000));
    assert_sound(&store);
    // Once brought up, it stays so.
    store.close().unwrap();
    let store = in_file(&path);
    assert!(
        store
            .read(|rx| rx.hint(SOURCE, Entity::Shipment, "700"))
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_newer_file_is_refused_with_both_versions_and_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("newer.redb");
    drop(in_file(&path));
    let meta: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");
    let db = Database::create(&path).unwrap();
    let txn = db.begin_write().unwrap();
    let next = (SCHEMA_VERSION + 1).to_be_bytes();
    txn.open_table(meta)
        .unwrap()
        .insert(b"schema".as_slice(), next.as_slice())
        .unwrap();
    txn.commit().unwrap();
    drop(db);
    let Err(error) = Store::open(Options::new(Place::File(path), key())) else {
        panic!("a newer file must be refused");
    };
    assert!(
        matches!(error, OpenError::Newer { found: 9, known: 8 }),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "the store has schema version 9, this agent knows up to 8"
    );
    assert!(error.hint().is_some_and(|h| h.contains("newer agent")));
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    std::fs::write(&path, "shopping list\n".repeat(500)).unwrap();
    let Err(error) = Store::open(Options::new(Place::File(path.clone()), key())) else {
        panic!("a text file is no store");
    };
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    assert!(
        std::fs::read_to_string(&path)
            .unwrap()
            .starts_with("shopping list")
    );
}

#[test]
fn a_start_that_stopped_half_way_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.redb");
    let unborn = dir.path().join("w.redb.new");
    std::fs::write(&unborn, [0; 5_000]).unwrap();
    assert_sound(&in_file(&path));
    assert!(path.exists() && !unborn.exists());
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.redb");
    drop(in_file(&path));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_repair_can_be_watched_and_cut_short() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use waybill_store::sim_disk::SimDisk;
    // A file left open by a commit without the allocator state needs a repair.
    let disk = SimDisk::new(1);
    let store = sample::on_disk(&disk, waybill_store::Writer::Inline);
    sample::with_connections(&store);
    let db_image = {
        let image = disk.bytes();
        drop(store);
        let plain = SimDisk::with_image(2, image);
        let db = Database::builder()
            .create_with_backend(plain.clone())
            .unwrap();
        let txn = db.begin_write().unwrap();
        let meta: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");
        txn.open_table(meta)
            .unwrap()
            .insert(b"agent:x".as_slice(), b"y".as_slice())
            .unwrap();
        txn.commit().unwrap();
        plain.crash_with(waybill_store::sim_disk::Loss::All)
    };
    let open = |go_on: bool, asked: Arc<AtomicBool>| {
        Store::open(Options {
            on_repair: Some(Box::new(move |_| {
                asked.store(true, Ordering::Relaxed);
                go_on
            })),
            ..Options::new(
                Place::Backend(SimDisk::with_image(3, db_image.clone()).backend()),
                key(),
            )
        })
    };
    let asked = Arc::new(AtomicBool::new(false));
    assert!(matches!(
        open(false, Arc::clone(&asked)),
        Err(OpenError::RepairAborted)
    ));
    assert!(asked.load(Ordering::Relaxed));
    let store = open(true, asked).unwrap();
    assert_eq!(
        store.read(|rx| rx.meta("x")).unwrap().as_deref(),
        Some(b"y".as_slice())
    );
    assert_sound(&store);
}

/// A store on a simulated disk, and whether the file had to be walked through.
fn watched(image: Vec<u8>, as_set: impl FnOnce(&mut Options)) -> (SimDisk, Store, bool) {
    let walked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&walked);
    let disk = SimDisk::with_image(2, image);
    let mut options = Options {
        settle_after: None,
        on_repair: Some(Box::new(move |_| {
            seen.store(true, Ordering::Relaxed);
            true
        })),
        ..Options::new(Place::Backend(disk.backend()), key())
    };
    as_set(&mut options);
    let store = Store::open(options).expect("a simulated disk opens");
    assert_sound(&store);
    (disk, store, walked.load(Ordering::Relaxed))
}

/// As if the file were long.
fn long(options: &mut Options, quick_repairs: u32) {
    options.quick_repair_below = 0;
    options.quick_repairs = quick_repairs;
}

#[test]
fn a_kill_costs_a_walk_through_the_file_only_above_the_bound() {
    type Set = fn(&mut Options);
    let cases: [(Set, bool); 2] = [(|options| long(options, 0), true), (|_| {}, false)];
    for (set, walks) in cases {
        let (disk, store, walked) = watched(Vec::new(), set);
        assert!(!walked, "a new file needs no repair");
        sample::with_connections(&store);
        let killed = disk.crash_with(Loss::All);
        let (disk, store, walked) = watched(killed, set);
        assert_eq!(walked, walks, "killed");
        store.close().unwrap();
        let (.., walked) = watched(disk.bytes(), set);
        assert!(!walked, "closed");
    }
}

#[test]
fn a_large_file_is_quick_to_open_once_its_writer_had_a_rest() {
    let (disk, store, _) = watched(Vec::new(), |options| {
        long(options, 0);
        options.settle_after = Some(std::time::Duration::from_millis(20));
    });
    sample::with_connections(&store);
    let before = store.stats().commits;
    while store.stats().commits == before {
        std::thread::yield_now();
    }
    let (_, store, walked) = watched(disk.crash_with(Loss::All), |options| long(options, 0));
    assert!(!walked, "it had a rest");
    assert_eq!(store.read(Read::connections).unwrap().len(), 2);
}

#[test]
fn a_short_burst_on_a_large_file_is_quick_to_open_at_any_moment() {
    let commits = |store: &Store, count| {
        for _ in 0..count {
            store.write_blocking(|_| Ok(())).unwrap();
        }
    };
    let (disk, store, _) = watched(Vec::new(), |options| long(options, 1_000));
    sample::with_connections(&store);
    commits(&store, 100);
    let (disk, store, walked) = watched(disk.crash_with(Loss::All), |options| long(options, 20));
    assert!(!walked, "there were enough for all of them");
    commits(&store, 1_000);
    let (.., walked) = watched(disk.crash_with(Loss::All), |options| long(options, 20));
    assert!(walked, "a long burst uses them up");
}
