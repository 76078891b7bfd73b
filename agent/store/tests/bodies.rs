//! Bodies: small ones, large ones in chunks, larger ones as files; and what retention removes.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod sample;

use sample::{
    SOURCE, TARGET, assert_sound, exchange, in_memory, item, key, new_job, order_document,
    take_order, with_connections,
};
use std::path::Path;
use waybill_model::document::{Body, Document, Entity, Extra};
use waybill_model::ids::Generation;
use waybill_model::job::{Ending, JobState, Work};
use waybill_model::order_state::OrderStage;
use waybill_store::{BegunRow, Options, Place, Read, Retention, Store, StoreError};

/// Text that does not compress well.
fn noise(len: usize) -> String {
    let mut x = 1_u64;
    std::iter::repeat_with(|| {
        x = x
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from((x >> 40) % 90).unwrap())
    })
    .take(len)
    .collect()
}

fn large(key: &str, len: usize) -> Document {
    let mut document = order_document(key, "1", &["AB-1"]);
    if let Body::Order(order) = &mut document.body {
        order.extras.push(Extra {
            name: "noise".to_owned(),
            value: noise(len),
        });
    }
    document
}

fn with_spool(dir: &Path) -> Store {
    Store::open(Options {
        spool_dir: Some(dir.join("spool")),
        ..Options::new(Place::File(dir.join("w.redb")), key())
    })
    .unwrap()
}

fn files(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("spool")).unwrap().count()
}

#[test]
fn documents_of_every_size_come_back_from_chunks() {
    let store = in_memory();
    for (n, len) in [0, 500, 1_900, 2_100, 8_100, 63_000, 66_000, 300_000]
        .into_iter()
        .enumerate()
    {
        let document = large(&n.to_string(), len);
        let stored = document.clone();
        let accepted = store
            .write_blocking(move |tx| tx.accept(SOURCE, &stored, 1))
            .unwrap()
            .unwrap();
        let row = store
            .read(|rx| rx.document(accepted.document))
            .unwrap()
            .unwrap();
        assert_eq!(row.document, document, "{len}");
    }
    assert_sound(&store);
}

#[test]
fn large_bodies_are_files_shared_by_content_and_swept_when_their_commit_never_came() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_spool(dir.path());
    with_connections(&store);
    let document = large("a", 200_000);
    let stored = document.clone();
    let accepted = store
        .write_blocking(move |tx| tx.accept(SOURCE, &stored, 1))
        .unwrap()
        .unwrap();
    let mut twin = document.clone();
    twin.revision = "2".to_owned();
    store
        .write_blocking(move |tx| tx.accept(SOURCE, &twin, 2))
        .unwrap()
        .unwrap();
    assert_eq!(files(dir.path()), 1, "the same content is one file");
    let row = store
        .read(|rx| rx.document(accepted.document))
        .unwrap()
        .unwrap();
    assert_eq!(row.document, document);
    assert_sound(&store);
    let failed = store.write_blocking(|tx| {
        tx.accept(SOURCE, &large("b", 250_000), 1)?;
        Err::<(), _>(StoreError::Conflict("no".to_owned()))
    });
    assert!(failed.is_err());
    assert_eq!(files(dir.path()), 2);
    drop(store);
    let store = with_spool(dir.path());
    assert_eq!(files(dir.path()), 1, "swept at the start");
    assert_sound(&store);
    drop(store);
    let file = std::fs::read_dir(dir.path().join("spool"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    std::fs::write(file.path(), b"changed").unwrap();
    let store = with_spool(dir.path());
    let error = store.read(|rx| rx.document(accepted.document)).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(!store.verify().unwrap().is_empty());
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
fn retention_drops_bodies_nobody_needs_and_keeps_the_keys_that_prevent_doubles() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_spool(dir.path());
    with_connections(&store);
    let keep = Retention {
        documents_ms: 1_000,
        transcripts_ms: 1_000,
        effects_ms: 1_000,
        audit_ms: 1_000,
        limit: 2,
    };
    let (order, job) = store
        .write_blocking(|tx| {
            let order = take_order(tx, "a", 10)?;
            tx.accept(SOURCE, &large("big", 200_000), 10)?;
            tx.accept(TARGET, &item("i", "1", true, &[("sku", "AB-1")]), 10)?;
            tx.accept(TARGET, &item("i", "2", true, &[("sku", "AB-2")]), 20)?;
            tx.audit("ann", "login", "", 10)?;
            let job = tx.jobs_of_order(order)?[0].id;
            let batch = tx.create_batch(
                TARGET,
                Work::Push(Entity::Order),
                Entity::Order,
                &[job],
                Generation(1),
                10,
            )?;
            let BegunRow::Fresh(effect) =
                tx.begin_effect(TARGET, "", &[job], "create", None, 10)?
            else {
                panic!("a first step");
            };
            tx.finish_effect(effect, Some(b"answer"), 10)?;
            tx.close_batch(batch, &[exchange("ok")])?;
            Ok((order, job))
        })
        .unwrap();
    let prune = move |now| {
        let mut all = waybill_store::Pruned::default();
        loop {
            let run = store_prune(&store, now, keep);
            all.documents += run.documents;
            all.transcripts += run.transcripts;
            all.effects += run.effects;
            all.audit += run.audit;
            if !run.more {
                assert_sound(&store);
                return (all, store.clone());
            }
        }
    };
    let (early, _) = prune(100);
    assert_eq!(early, waybill_store::Pruned::default());
    let (first, store) = prune(5_000);
    // The order is open: its document and the effect's answer stay. A document without an order goes.
    assert_eq!(
        (
            first.documents,
            first.transcripts,
            first.effects,
            first.audit
        ),
        (2, 1, 0, 1)
    );
    assert_eq!(files(dir.path()), 0);
    assert!(
        store
            .read(|rx| rx.latest_document(SOURCE, Entity::Order, "a"))
            .unwrap()
            .is_some()
    );
    assert!(
        store
            .read(|rx| rx.latest_document(TARGET, Entity::Item, "i"))
            .unwrap()
            .is_some()
    );
    store
        .write_blocking(move |tx| {
            tx.set_state(job, JobState::Done(Ending::Written("9".to_owned())), 5_001)?;
            let mut row = tx.order(order)?.unwrap();
            row.stage = OrderStage::Invoiced;
            tx.put_order(&row)?;
            Ok(())
        })
        .unwrap();
    let (second, store) = prune(6_000);
    assert_eq!((second.documents, second.effects), (1, 1));
    assert!(
        store
            .read(|rx| rx.latest_document(SOURCE, Entity::Order, "a"))
            .unwrap()
            .is_none()
    );
    let again = store
        .write_blocking(|tx| tx.accept(SOURCE, &order_document("a", "1", &["AB-1"]), 7_000))
        .unwrap();
    assert!(again.is_none(), "a revision once seen is seen for ever");
    let replay = store.write_blocking(move |tx| {
        tx.begin_effect(TARGET, "", &[job], "create", Some(7_000), 7_000)
    });
    assert!(matches!(replay, Err(StoreError::Conflict(_))), "{replay:?}");
    // The words of a pruned document are still found.
    assert_eq!(store.read(|rx| rx.search("ab-1", 5)).unwrap().len(), 1);
}

fn store_prune(store: &Store, now: i64, keep: Retention) -> waybill_store::Pruned {
    store
        .write_blocking(move |tx| tx.prune(now, &keep))
        .unwrap()
}

#[test]
fn a_document_of_a_job_that_is_not_done_stays() {
    let store = in_memory();
    with_connections(&store);
    let document = store
        .write_blocking(|tx| {
            let accepted = tx
                .accept(SOURCE, &order_document("x", "1", &[]), 1)?
                .unwrap();
            tx.create_job(new_job("x", None, accepted.document), 1)?;
            Ok(accepted.document)
        })
        .unwrap();
    let keep = Retention {
        documents_ms: 1,
        ..Retention::default()
    };
    assert_eq!(store_prune(&store, 1_000_000, keep).documents, 0);
    assert!(store.read(|rx| rx.document(document)).unwrap().is_some());
}
