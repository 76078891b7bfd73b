//! Lists of what follows the sales, by where they stand and by retailer, and the retailers' numbers. Also how a file of an
//! older version comes by them.

mod sample;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use sample::{
    SOURCE, TARGET, assert_sound, in_file, in_memory, new_job, order_document, order_row, problem,
    shipment, take_order, with_connections,
};
use waybill_model::document::Entity;
use waybill_model::ids::{JobId, OrderId, RetailerId};
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_store::{FlowQuery, Lists, NewJob, Read, Standing, Store, StoreError, Tx};

/// An order of a retailer, and a goods-out note of it whose job is in that state.
fn noted(tx: &mut Tx<'_>, key: &str, retailer: &str, state: JobState) -> Result<JobId, StoreError> {
    let accepted = tx.accept(SOURCE, &order_document(key, "1", &["AB-1"]), 1_000)?;
    let mut row = order_row(key, accepted.expect("it is new").document, 1_000);
    retailer.clone_into(&mut row.retailer);
    row.retailer_name = format!("The {retailer}");
    let order = tx.put_order(&row)?;
    let note = format!("n{key}");
    let accepted = tx.accept(TARGET, &shipment(&note, key, "1Z"), 1_001)?;
    let job = tx.create_job(
        NewJob {
            work: Work::Push(Entity::Shipment),
            from: TARGET,
            to: SOURCE,
            entity: Entity::Shipment,
            ..new_job(&note, Some(order), accepted.expect("it is new").document)
        },
        1_001,
    )?;
    tx.set_state(job, state, 1_002)?;
    Ok(job)
}

fn written() -> JobState {
    JobState::Done(Ending::Written("s".to_owned()))
}

fn keys(
    store: &Store,
    standing: &[Standing],
    retailer: Option<RetailerId>,
    before: Option<JobId>,
    limit: usize,
) -> (Vec<String>, Option<JobId>) {
    let query = FlowQuery {
        entity: Entity::Shipment,
        standing,
        retailer,
        before,
        limit,
    };
    let page = store.read(|rx| rx.flow(&query)).expect("lists are read");
    let keys = page.rows.into_iter().map(|job| job.key).collect();
    (keys, page.next)
}

fn filled() -> Store {
    let store = in_memory();
    with_connections(&store);
    store
        .write_blocking(|tx| {
            noted(tx, "1", "fern", written())?;
            noted(tx, "2", "oak", JobState::Resting { due: 9_000 })?;
            let why = Reason::Problem(problem("no-tracking"));
            noted(tx, "3", "fern", JobState::Parked(why))?;
            noted(tx, "4", "fern", JobState::Done(Ending::Withdrawn))?;
            noted(tx, "5", "oak", written())?;
            // An order of its own, and no note.
            take_order(tx, "6", 1_500).map(drop)
        })
        .expect("sample orders are taken");
    store
}

#[test]
fn notes_are_listed_newest_first_by_standing_retailer_and_page() {
    let store = filled();
    let retailers = store.read(Lists::retailers).unwrap();
    let id = |code: &str| retailers.iter().find(|r| r.code == code).map(|r| r.id);
    assert_eq!(retailers[0].name, "The fern");
    let all = |retailer, before, limit| keys(&store, Standing::ALL, retailer, before, limit).0;
    assert_eq!(all(None, None, 9), ["n5", "n4", "n3", "n2", "n1"]);
    assert_eq!(all(id("fern"), None, 9), ["n4", "n3", "n1"]);
    assert_eq!(all(id("oak"), None, 9), ["n5", "n2"]);
    let (first, next) = keys(&store, Standing::ALL, id("fern"), None, 2);
    assert_eq!(first, ["n4", "n3"]);
    assert_eq!(all(id("fern"), next, 2), ["n1"]);
    assert_eq!(keys(&store, Standing::ALL, None, None, 5).1, None);
    let told = [Standing::Told];
    assert_eq!(keys(&store, &told, None, None, 9).0, ["n5", "n1"]);
    assert_eq!(keys(&store, &told, id("oak"), None, 9).0, ["n5"]);
    let waits = [Standing::Resting, Standing::Parked];
    assert_eq!(keys(&store, &waits, None, None, 9).0, ["n3", "n2"]);
    assert_eq!(keys(&store, &[Standing::Over], None, None, 9).0, ["n4"]);
    let count = |most| {
        let query = FlowQuery {
            entity: Entity::Shipment,
            standing: &told,
            retailer: None,
            before: None,
            limit: 0,
        };
        store.read(|rx| rx.flow_count(&query, most)).unwrap()
    };
    assert_eq!((count(9), count(1)), (2, 1));
    assert_sound(&store);
}

#[test]
fn jobs_of_a_state_come_oldest_first_whatever_their_kind() {
    let store = filled();
    let ids = |word, limit| {
        let jobs = store.read(|rx| rx.jobs_in(word, limit)).unwrap();
        jobs.iter().map(|job| job.id.0).collect::<Vec<_>>()
    };
    assert_eq!(ids("done", 9), [1, 4, 5]);
    assert_eq!(ids("done", 2), [1, 4]);
    assert_eq!(ids("parked", 9), [3]);
    // The order's own job.
    assert_eq!(ids("ready", 9), [6]);
}

#[test]
fn orders_of_a_retailer_are_counted_since_a_time() {
    let store = in_memory();
    with_connections(&store);
    store
        .write_blocking(|tx| {
            for n in 0..40_u64 {
                let order = take_order(tx, &n.to_string(), 1_000 + i64::try_from(n).unwrap())?;
                let mut row = tx.order(order)?.unwrap();
                row.retailer = if n % 4 == 0 { "fern" } else { "oak" }.to_owned();
                tx.put_order(&row)?;
            }
            Ok(())
        })
        .unwrap();
    store
        .read(|rx| {
            let retailers = rx.retailers()?;
            let fern = retailers.iter().find(|r| r.code == "fern").unwrap().id;
            let since = |at| rx.first_order_since(at);
            assert_eq!(since(0)?, OrderId(1));
            assert_eq!(since(1_005)?, OrderId(6));
            assert_eq!(since(1_039)?, OrderId(40));
            assert_eq!(since(9_999)?, OrderId(41));
            assert_eq!(rx.orders_since(fern, since(1_005)?, 99)?, 8);
            assert_eq!(rx.orders_since(fern, since(1_005)?, 3)?, 3);
            assert_eq!(rx.orders_since(fern, since(9_999)?, 99)?, 0);
            let newest = rx.orders_of(fern, None, 2)?;
            assert_eq!([newest[0].id.0, newest[1].id.0], [37, 33]);
            let older = rx.orders_of(fern, Some(newest[1].id), 1)?;
            assert_eq!(older[0].id.0, 29);
            Ok(())
        })
        .unwrap();
    // An order that another retailer turns out to have sent leaves the list.
    store
        .write_blocking(|tx| {
            let mut row = tx.order(OrderId(37))?.unwrap();
            row.retailer = "oak".to_owned();
            tx.put_order(&row).map(drop)
        })
        .unwrap();
    assert_sound(&store);
}

#[test]
fn a_file_of_version_6_gets_its_lists() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.redb");
    let store = in_file(&path);
    with_connections(&store);
    store
        .write_blocking(|tx| {
            noted(tx, "1", "fern", written())?;
            noted(tx, "2", "oak", JobState::Resting { due: 9_000 }).map(drop)
        })
        .unwrap();
    store.close().unwrap();
    // As version 6 left it: none of the new tables, the old one by state, and rows without a retailer.
    let table = |name| TableDefinition::<&[u8], &[u8]>::new(name);
    let db = Database::create(&path).unwrap();
    let txn = db.begin_write().unwrap();
    for name in [
        "job_places",
        "job_retailers",
        "retailers",
        "order_retailers",
    ] {
        assert!(txn.delete_table(table(name)).unwrap(), "{name}");
    }
    let old = b"done\0\x01\0\0\0\0\0\0\0\x01".as_slice();
    txn.open_table(table("job_states"))
        .unwrap()
        .insert(old, b"".as_slice())
        .unwrap();
    {
        let mut jobs = txn.open_table(table("jobs")).unwrap();
        for id in 1..=2_u64 {
            let key = id.to_be_bytes();
            let row = jobs.get(key.as_slice()).unwrap().unwrap().value().to_vec();
            let text = String::from_utf8(row).unwrap();
            let without = text.replace(&format!(",\"retailer\":{id}"), "");
            assert_ne!(text, without, "it was there");
            jobs.insert(key.as_slice(), without.as_bytes()).unwrap();
        }
    }
    txn.open_table(table("meta"))
        .unwrap()
        .insert(b"schema".as_slice(), 6_u32.to_be_bytes().as_slice())
        .unwrap();
    txn.commit().unwrap();
    drop(db);

    let store = in_file(&path);
    assert_sound(&store);
    assert_eq!(keys(&store, Standing::ALL, None, None, 9).0, ["n2", "n1"]);
    let retailers = store.read(Lists::retailers).unwrap();
    assert_eq!(retailers.len(), 2);
    for row in &retailers {
        let own = keys(&store, Standing::ALL, Some(row.id), None, 9).0;
        assert_eq!(own.len(), 1, "{}", row.code);
    }
    store.close().unwrap();
    let db = Database::create(&path).unwrap();
    let txn = db.begin_read().unwrap();
    assert!(txn.open_table(table("job_states")).is_err(), "it is gone");
}
