//! Backups of a store under work come back whole, a damaged one is refused wherever it is damaged, and whatever a
//! restore or an upgrade is stopped at, one whole database is there.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod sample;

use flate2::read::GzDecoder;
use proptest::prelude::*;
use redb::{Database, ReadableDatabase, TableDefinition, TableHandle};
use sample::{SOURCE, TARGET, assert_sound, exchange, key, take_order, with_connections};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use waybill_model::document::Entity;
use waybill_model::ids::{BatchId, Generation, JobId, Millis};
use waybill_model::job::Work;
use waybill_store::{
    BackupError, BegunRow, Home, OpenError, Options, Place, Read, Restore, Retention,
    SCHEMA_VERSION, SealKey, Store, backup_closed, verify_backup,
};

#[expect(clippy::unnecessary_wraps, reason = "a port that may fail")]
fn plenty(_: &Path) -> std::io::Result<u64> {
    Ok(u64::MAX / 4)
}

fn home(folder: &Path) -> Home {
    Home::new(
        folder.join("waybill.redb"),
        folder.join("bodies"),
        folder.join("kept"),
        plenty,
    )
}

fn options(home: &Home) -> Options {
    Options {
        spool_dir: Some(home.spool.clone()),
        snapshot: Some((home.clone(), 77_000)),
        ..Options::new(Place::File(home.file.clone()), key())
    }
}

fn open(home: &Home) -> Store {
    Store::open(options(home)).unwrap()
}

fn restore<'r>(home: &'r Home, key: &'r SealKey, now: Millis) -> Restore<'r> {
    Restore {
        home,
        key,
        now,
        pause: true,
        secrets: true,
        who: "test",
    }
}

/// Bytes that do not compress.
fn noise(seed: u64, len: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = String::with_capacity(len);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.push(char::from(33 + u8::try_from(state % 90).unwrap()));
    }
    out
}

/// A finished call with a transcript that is as long as said.
fn call(store: &Store, job: JobId, length: usize, now: Millis) -> BatchId {
    let answer = noise(job.0, length);
    store
        .write_blocking(move |tx| {
            let work = Work::Push(Entity::Order);
            let batch = tx.create_batch(TARGET, work, Entity::Order, &[job], Generation(1), now)?;
            if let BegunRow::Fresh(effect) =
                tx.begin_effect(TARGET, "", &[job], "create-order", None, now)?
            {
                tx.finish_effect(effect, Some(b"created"), now)?;
            }
            tx.close_batch(batch, &[exchange(&answer)])?;
            Ok(batch)
        })
        .unwrap()
}

/// Orders, calls of which some are too large for the database, secrets.
fn filled(home: &Home, orders: u64, lengths: &[usize]) -> Store {
    let store = open(home);
    with_connections(&store);
    for n in 0..orders {
        store
            .write_blocking(move |tx| take_order(tx, &n.to_string(), 9_000))
            .unwrap();
    }
    for (job, length) in (1..=orders).zip(lengths) {
        call(&store, JobId(job), *length, 9_000);
    }
    store
        .write_blocking(|tx| {
            let secret = SecretString::from("hush");
            tx.set_secret(SOURCE, "api", "token", &secret, 9_000)
        })
        .unwrap();
    store
}

type Everything = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

/// Every row of a closed database, without what a restore marks.
fn everything(file: &Path) -> Everything {
    let db = Database::open(file).unwrap();
    let txn = db.begin_read().unwrap();
    let mut out = Everything::new();
    for table in txn.list_tables().unwrap() {
        let name = table.name().to_owned();
        let definition: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new(&name);
        let rows = txn.open_table(definition).unwrap();
        let rows = rows.range::<&[u8]>(..).unwrap().map(|entry| {
            let (key, value) = entry.unwrap();
            (key.value().to_vec(), value.value().to_vec())
        });
        out.insert(name.clone(), rows.collect());
    }
    out.get_mut("meta").unwrap().remove(b"restored".as_slice());
    for marked in ["connections", "audit", "counters"] {
        out.remove(marked);
    }
    out
}

fn backup(store: &Store) -> Vec<u8> {
    let mut out = Vec::new();
    store.backup("1.2.3", 50_000, &mut out).unwrap();
    out
}

fn bodies(home: &Home) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(&home.spool).unwrap();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn what_was_backed_up_comes_back_row_by_row(
        orders in 0_u64..40,
        lengths in proptest::collection::vec(prop_oneof![0_usize..4_000, 100_000_usize..700_000], 0..6),
    ) {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (from, to) = (home(from.path()), home(to.path()));
        let store = filled(&from, orders, &lengths);
        let bytes = backup(&store);
        store.close().unwrap();
        let (manifest, totals) = verify_backup(bytes.as_slice()).unwrap();
        prop_assert_eq!(manifest.schema, SCHEMA_VERSION);
        prop_assert_eq!((manifest.at, manifest.agent.as_str()), (50_000, "1.2.3"));
        prop_assert_eq!(totals.orders(), orders);
        let mut closed = Vec::new();
        backup_closed(&from.file, Some(&from.spool), &key(), "1.2.3", 50_000, &mut closed).unwrap();
        prop_assert_eq!(&closed, &bytes, "open or closed, it is the same");
        let outcome = restore(&to, &key(), 60_000).backup(|| Ok(Cursor::new(&bytes))).unwrap();
        prop_assert_eq!(outcome.totals, totals);
        prop_assert!(outcome.kept.is_none());
        prop_assert_eq!(everything(&to.file), everything(&from.file));
        prop_assert_eq!(bodies(&to), bodies(&from));
        let store = open(&to);
        assert_sound(&store);
        let secret = store.read(|rx| rx.secret(SOURCE, "api", "token")).unwrap().unwrap();
        prop_assert_eq!(secret.expose_secret(), "hush");
    }
}

#[test]
fn one_flipped_bit_anywhere_is_refused() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (home(from.path()), home(to.path()));
    let bytes = backup(&filled(&from, 3, &[200, 90_000]));
    verify_backup(bytes.as_slice()).unwrap();
    // Every byte of the head and of every block's frame is among these, and one in some hundred of what is in them.
    let near = |at: usize| at < 2_000 || at + 2_000 > bytes.len();
    let mut tried = 0;
    for at in (0..bytes.len()).filter(|at| near(*at) || at % 397 == 0) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let error = verify_backup(damaged.as_slice());
        assert!(error.is_err(), "bit {} of byte {at}", at % 8);
        tried += 1;
        if at % 4_000 == 0 {
            let error = restore(&to, &key(), 60_000).backup(|| Ok(Cursor::new(&damaged)));
            assert!(error.is_err(), "bit {} of byte {at}", at % 8);
            assert!(!to.file.exists(), "nothing is written for byte {at}");
        }
    }
    assert!(tried > 4_000, "only {tried} positions");
    for end in (0..bytes.len()).filter(|end| near(*end) || end % 997 == 0) {
        assert!(verify_backup(&bytes[..end]).is_err(), "cut at {end}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(matches!(
        verify_backup(longer.as_slice()),
        Err(BackupError::Damaged { .. })
    ));
}

#[test]
fn a_backup_while_work_goes_on_is_one_moment() {
    let from = tempfile::tempdir().unwrap();
    let from = home(from.path());
    let store = filled(&from, 0, &[]);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (store, stop) = (&store, &stop);
        scope.spawn(move || {
            // Orders with large bodies come and go: files vanish while they are being read.
            for n in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                store
                    .write_blocking(move |tx| take_order(tx, &n.to_string(), 9_000))
                    .unwrap();
                call(store, JobId(n + 1), 120_000, 9_000);
                let keep = Retention {
                    transcripts_ms: 1,
                    limit: 2,
                    ..Retention::default()
                };
                store
                    .write_blocking(move |tx| tx.prune(20_000, &keep))
                    .unwrap();
            }
        });
        for _ in 0..15 {
            let bytes = backup(store);
            let to = tempfile::tempdir().unwrap();
            let to = home(to.path());
            let outcome = restore(&to, &key(), 60_000)
                .backup(|| Ok(Cursor::new(&bytes)))
                .unwrap();
            let restored = open(&to);
            assert_sound(&restored);
            let counters = restored.read(Read::counters).unwrap();
            assert_eq!(
                counters.orders.values().sum::<u64>(),
                outcome.totals.orders()
            );
        }
        stop.store(true, Ordering::Relaxed);
    });
    // Files that were held back for a backup are gone with it.
    assert_sound(&store);
    drop(store);
    let before = bodies(&from).len();
    drop(open(&from));
    assert_eq!(bodies(&from).len(), before, "nothing was left to sweep");
}

#[test]
fn a_wrong_key_a_newer_schema_and_a_running_agent_change_nothing() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (home(from.path()), home(to.path()));
    let bytes = backup(&filled(&from, 2, &[]));
    let there = filled(&to, 5, &[]);
    let running = restore(&to, &key(), 60_000).backup(|| Ok(Cursor::new(&bytes)));
    assert!(
        matches!(running, Err(BackupError::Open(OpenError::InUse(_)))),
        "{running:?}"
    );
    there.close().unwrap();
    let before = everything(&to.file);
    let other = SealKey::from_bytes([8; 32]);
    let error = restore(&to, &other, 60_000)
        .backup(|| Ok(Cursor::new(&bytes)))
        .unwrap_err();
    assert!(matches!(error, BackupError::OtherKey), "{error}");
    assert!(error.hint().unwrap().contains("--without-secrets"));
    let full = Home {
        free_space: |_| Ok(1_000),
        ..to.clone()
    };
    let error = restore(&full, &key(), 60_000)
        .backup(|| Ok(Cursor::new(&bytes)))
        .unwrap_err();
    assert!(error.to_string().contains("1000 are free"), "{error}");
    // A later agent's database.
    drop(open(&from));
    let db = Database::open(&from.file).unwrap();
    let txn = db.begin_write().unwrap();
    let meta: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");
    let later = (SCHEMA_VERSION + 1).to_be_bytes();
    txn.open_table(meta)
        .unwrap()
        .insert(b"schema".as_slice(), later.as_slice())
        .unwrap();
    txn.commit().unwrap();
    drop(db);
    let mut later = Vec::new();
    backup_closed(&from.file, Some(&from.spool), &key(), "9", 1, &mut later).unwrap();
    let error = restore(&to, &key(), 60_000)
        .backup(|| Ok(Cursor::new(&later)))
        .unwrap_err();
    assert!(matches!(error, BackupError::Newer { .. }), "{error}");
    assert_eq!(everything(&to.file), before);
    assert!(to.kept().unwrap().is_empty());
    // Without secrets any key does.
    let bare = Restore {
        secrets: false,
        ..restore(&to, &other, 60_000)
    };
    bare.backup(|| Ok(Cursor::new(&bytes))).unwrap();
    let store = open(&to);
    assert!(
        store
            .read(|rx| rx.secret(SOURCE, "api", "token"))
            .unwrap()
            .is_none()
    );
    assert_eq!(
        store
            .read(Read::counters)
            .unwrap()
            .orders
            .values()
            .sum::<u64>(),
        2
    );
}

#[test]
fn what_was_replaced_is_kept_and_comes_back() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (home(from.path()), home(to.path()));
    let bytes = backup(&filled(&from, 2, &[]));
    drop(filled(&to, 5, &[300_000]));
    let (before, large) = (everything(&to.file), bodies(&to));
    assert_eq!(large.len(), 1);
    let outcome = restore(&to, &key(), 60_000)
        .backup(|| Ok(Cursor::new(&bytes)))
        .unwrap();
    let kept = outcome.kept.unwrap();
    let store = open(&to);
    assert_sound(&store);
    assert!(bodies(&to).is_empty(), "the restored one names none");
    store
        .read(|rx| {
            assert!(rx.connections()?.iter().all(|row| row.paused));
            let restored = rx.restored()?.unwrap();
            assert_eq!((restored.from, restored.at), (50_000, 60_000));
            assert_eq!(rx.audit(1)?[0].what, "Restored the database");
            Ok(())
        })
        .unwrap();
    store.close().unwrap();
    let back = restore(&to, &key(), 70_000).kept(&kept.name).unwrap();
    assert_eq!(everything(&to.file), before);
    assert_eq!(bodies(&to), large);
    let names: Vec<String> = to.kept().unwrap().into_iter().map(|k| k.name).collect();
    assert_eq!(names, [back.unwrap().name]);
    let error = restore(&to, &key(), 70_000).kept("nothing").unwrap_err();
    assert!(error.to_string().contains(&names[0]), "{error}");
    for now in 0..6 {
        restore(&to, &key(), 80_000 + now)
            .backup(|| Ok(Cursor::new(&bytes)))
            .unwrap();
    }
    assert_eq!(to.kept().unwrap().len(), 2, "older ones go");
}

#[test]
fn steps_of_orders_from_before_a_restore_are_in_doubt_and_later_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    let store = filled(&home, 2, &[10]);
    let hour = 3_600_000;
    store
        .write_blocking(move |tx| {
            // The orders of the sample were placed at 4,000.
            tx.mark_restored(7_000, false, true, "test", 60_000)?;
            let later = sample::order_document("new", "1", &["AB-1"]);
            let accepted = tx.accept(SOURCE, &later, 99_000)?.unwrap();
            let mut row = sample::order_row("new", accepted.document, 99_000);
            row.placed_at = Some(60_001 + hour);
            let order = tx.put_order(&row)?;
            let job = tx.create_job(
                sample::new_job("new", Some(order), accepted.document),
                99_000,
            )?;
            assert_eq!(job, JobId(3));
            Ok(())
        })
        .unwrap();
    let begin = |job: u64, absent: bool| {
        store
            .write_blocking(move |tx| {
                let absent = absent.then_some(60_000);
                tx.begin_effect(TARGET, "", &[JobId(job)], "create-order", absent, 99_000)
            })
            .unwrap()
    };
    assert_eq!(begin(1, false), BegunRow::Replay(b"created".to_vec()));
    assert_eq!(begin(2, false), BegunRow::InDoubt(60_000));
    assert!(matches!(begin(3, false), BegunRow::Fresh(_)));
    // Looked for, and not there.
    assert!(matches!(begin(2, true), BegunRow::Fresh(_)));
}

/// A file of schema version 1 in place of the database.
fn old(home: &Home) {
    let mut bytes = Vec::new();
    GzDecoder::new(include_bytes!("fixtures/v1.redb.gz").as_slice())
        .read_to_end(&mut bytes)
        .unwrap();
    std::fs::write(&home.file, bytes).unwrap();
}

#[test]
fn an_upgrade_keeps_a_snapshot_to_go_back_to() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    old(&home);
    let before = everything(&home.file);
    let full = Home {
        free_space: |_| Ok(4_096),
        ..home.clone()
    };
    let Err(error) = Store::open(Options {
        snapshot: Some((full, 1)),
        ..options(&home)
    }) else {
        panic!("there is no room");
    };
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("bytes are needed"), "{source}");
    assert_eq!(everything(&home.file), before, "it is as it was");
    let store = open(&home);
    assert_sound(&store);
    let order = store.read(|rx| rx.order_by_key(SOURCE, "1001")).unwrap();
    store
        .write_blocking(|tx| take_order(tx, "after", 9_000))
        .unwrap();
    store.close().unwrap();
    let kept = home.kept().unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].schema, Some(1));
    restore(&home, &key(), 90_000).kept(&kept[0].name).unwrap();
    assert_eq!(everything(&home.file), before, "schema version 1 again");
    let store = open(&home);
    assert_eq!(
        store.read(|rx| rx.order_by_key(SOURCE, "1001")).unwrap(),
        order
    );
    assert!(
        store
            .read(|rx| rx.order_by_key(SOURCE, "after"))
            .unwrap()
            .is_none()
    );
}

static STEPS: AtomicU32 = AtomicU32::new(0);
static LAST: AtomicU32 = AtomicU32::new(u32::MAX);
/// Names the scene and the step at which a child of this test dies.
const CHILD: &str = "WAYBILL_TEST_CHILD";

fn scene(name: &str, home: &Home, bytes: &[u8]) {
    match name {
        "upgrade" => drop(open(home)),
        "restore" => {
            restore(home, &key(), 60_000)
                .backup(|| Ok(Cursor::new(bytes)))
                .unwrap();
        }
        _ => {
            let kept = home.kept().unwrap();
            restore(home, &key(), 61_000).kept(&kept[0].name).unwrap();
        }
    }
}

#[test]
fn child_that_dies() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how the test tells its child what to do"
    )]
    let Ok(told) = std::env::var(CHILD) else {
        return;
    };
    let (name, rest) = told.split_once(' ').unwrap();
    let (step, folder) = rest.split_once(' ').unwrap();
    LAST.store(step.parse().unwrap(), Ordering::Relaxed);
    let folder = PathBuf::from(folder);
    let home = Home {
        step: |_| {
            if STEPS.fetch_add(1, Ordering::Relaxed) == LAST.load(Ordering::Relaxed) {
                // No unwinding, no clean-up: as SIGKILL.
                std::process::abort();
            }
        },
        ..home(&folder)
    };
    let bytes = std::fs::read(folder.join("backup")).unwrap();
    scene(name, &home, &bytes);
}

#[test]
fn a_stop_at_any_step_leaves_one_whole_database() {
    let from = tempfile::tempdir().unwrap();
    let bytes = backup(&filled(&home(from.path()), 2, &[100_000]));
    for name in ["upgrade", "restore", "take-back"] {
        let mut died = 0;
        for step in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let home = home(folder.path());
            std::fs::write(folder.path().join("backup"), &bytes).unwrap();
            if name == "upgrade" {
                old(&home);
            } else {
                drop(filled(&home, 5, &[300_000]));
            }
            let mut whole = vec![everything(&home.file)];
            if name == "take-back" {
                scene("restore", &home, &bytes);
                whole.push(everything(&home.file));
            }
            let child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "child_that_dies", "--nocapture"])
                .env(CHILD, format!("{name} {step} {}", folder.path().display()))
                .output()
                .unwrap();
            let finished = child.status.success();
            died += u32::from(!finished);
            let now = everything(&home.file);
            let orders = now["orders"].len();
            match name {
                "upgrade" => assert_eq!(orders, 2, "step {step}"),
                "restore" => assert!(
                    now == whole[0] || orders == 2,
                    "step {step}: neither the old nor the new one"
                ),
                _ => assert!(whole.contains(&now), "step {step}"),
            }
            // The agent starts on it, and nothing of the half-done work is left.
            let store = open(&home);
            assert_sound(&store);
            store.close().unwrap();
            for entry in std::fs::read_dir(&home.kept).into_iter().flatten() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(!name.contains('.'), "step {step} left `{name}`");
            }
            assert!(!folder.path().join("waybill.redb.restoring").exists());
            if finished {
                break;
            }
        }
        assert!(died >= 6, "{name}: only {died} stops");
    }
}
