//! What only says how something is (retailers, warehouses, items): the newest word counts, also where it was said before.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod sample;

use sample::{SOURCE, assert_sound, in_memory, with_connections};
use waybill_model::document::{Body, Document, Entity, Retailer};
use waybill_store::{Read, Retention, Store};

fn retailer(active: bool, at: i64) -> Document {
    Document {
        key: "7001".to_owned(),
        revision: format!("{active} Fabrikam"),
        occurred_at: at,
        body: Body::Retailer(Retailer {
            code: "7001".to_owned(),
            name: "Fabrikam".to_owned(),
            active,
            extras: Vec::new(),
        }),
    }
}

/// Whether it was taken, and what stands then.
fn accept(store: &Store, active: bool, at: i64) -> (bool, bool) {
    let document = retailer(active, at);
    let taken = store
        .write_blocking(move |tx| Ok(tx.accept(SOURCE, &document, at + 1)?.is_some()))
        .unwrap();
    assert_sound(store);
    let newest = store.read(|rx| rx.latest_document(SOURCE, Entity::Retailer, "7001"));
    match newest.unwrap().unwrap().document.body {
        Body::Retailer(retailer) => (taken, retailer.active),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_retailer_that_is_active_again_is_so_here() {
    let store = in_memory();
    with_connections(&store);
    assert_eq!(accept(&store, true, 10), (true, true));
    assert_eq!(accept(&store, true, 20), (false, true), "nothing new");
    assert_eq!(accept(&store, false, 30), (true, false));
    assert_eq!(accept(&store, false, 40), (false, false), "nothing new");
    assert_eq!(accept(&store, true, 50), (true, true), "active again");
    assert_eq!(accept(&store, false, 60), (true, false), "and again not");
    assert_eq!(accept(&store, false, 70), (false, false), "nothing new");
}

#[test]
fn what_was_read_late_changes_nothing() {
    let store = in_memory();
    with_connections(&store);
    accept(&store, true, 10);
    accept(&store, false, 30);
    // A page from before the change, stored after it.
    assert_eq!(accept(&store, true, 20), (false, false));
    assert_eq!(accept(&store, true, 30), (false, false));
}

#[test]
fn retention_finds_nothing_left_over_of_what_came_again() {
    let store = in_memory();
    with_connections(&store);
    for (active, at) in [(true, 10), (false, 20), (true, 30), (false, 40)] {
        accept(&store, active, at);
    }
    let keep = Retention {
        documents_ms: 1,
        ..Retention::default()
    };
    store
        .write_blocking(move |tx| tx.prune(1_000, &keep))
        .unwrap();
    assert_sound(&store);
    assert_eq!(accept(&store, false, 2_000), (false, false));
    assert_eq!(accept(&store, true, 2_010), (true, true));
}
