//! Looking into a database changes nothing: neither a file that was closed, nor one that a kill left behind, nor one of
//! an older version; damage is found, and a file that an agent uses is left alone.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod sample;

use flate2::read::GzDecoder;
use sample::{SOURCE, in_file, take_order};
use std::io::Read as _;
use std::path::Path;
use waybill_store::{
    OpenError, Options, Place, Read, SCHEMA_VERSION, SealKey, Store, Writer, check_file,
};

const CACHE: usize = 1024 * 1024;

fn look(path: &Path) -> Result<Store, OpenError> {
    Store::open(Options {
        writer: Writer::Inline,
        ..Options::new(
            Place::Untouched(path.to_owned()),
            SealKey::from_bytes([7; 32]),
        )
    })
}

fn orders(store: &Store) -> u64 {
    let counted = store.read(|rx| Ok(rx.counters()?.orders.values().sum()));
    counted.unwrap()
}

#[test]
fn a_closed_file_is_read_and_written_over_without_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    let store = in_file(&path);
    store
        .write_blocking(|tx| take_order(tx, "1", 1_000))
        .unwrap();
    // An agent has it: nobody looks past it.
    assert!(matches!(check_file(&path, CACHE), Err(OpenError::InUse(_))));
    assert!(matches!(look(&path), Err(OpenError::InUse(_))));
    store.close().unwrap();
    let before = std::fs::read(&path).unwrap();
    check_file(&path, CACHE).unwrap();
    let seen = look(&path).unwrap();
    assert_eq!(orders(&seen), 1);
    seen.write_blocking(|tx| take_order(tx, "2", 2_000))
        .unwrap();
    assert_eq!(orders(&seen), 2);
    drop(seen);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(orders(&in_file(&path)), 1);
}

#[test]
fn a_file_that_was_not_closed_is_looked_into_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (path, left) = (dir.path().join("a.redb"), dir.path().join("left.redb"));
    let store = in_file(&path);
    store
        .write_blocking(|tx| take_order(tx, "1", 1_000))
        .unwrap();
    // What a kill leaves behind at this moment.
    std::fs::copy(&path, &left).unwrap();
    let before = std::fs::read(&left).unwrap();
    check_file(&left, CACHE).unwrap();
    assert_eq!(orders(&look(&left).unwrap()), 1);
    assert_eq!(std::fs::read(&left).unwrap(), before);
}

#[test]
fn an_older_file_is_migrated_in_memory_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v1.redb");
    let mut bytes = Vec::new();
    GzDecoder::new(include_bytes!("fixtures/v1.redb.gz").as_slice())
        .read_to_end(&mut bytes)
        .unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let seen = look(&path).unwrap();
    assert_eq!(seen.found_schema(), 1);
    assert!(seen.found_schema() < SCHEMA_VERSION);
    let there = seen.read(|rx| Ok(rx.connection(SOURCE)?.is_some()));
    assert!(there.unwrap());
    drop(seen);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn one_flipped_bit_in_a_page_that_is_used_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.redb");
    let store = in_file(&path);
    for key in ["1", "2", "3"] {
        store
            .write_blocking(move |tx| take_order(tx, key, 1_000))
            .unwrap();
    }
    store.close().unwrap();
    check_file(&path, CACHE).unwrap();
    let whole = std::fs::read(&path).unwrap();
    // Pages that are not used any more hold old rows: a flipped bit there is no damage.
    let places = whole.windows(8).enumerate();
    let rows: Vec<usize> = places
        .filter(|(_, bytes)| bytes == b"\"number\"")
        .map(|(at, _)| at)
        .collect();
    let damaged = rows.iter().filter(|at| {
        let mut flipped = whole.clone();
        flipped[**at] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        matches!(check_file(&path, CACHE), Err(OpenError::Damaged { .. }))
    });
    // Three orders are in it, and each is needed.
    assert!(damaged.count() >= 3, "{} rows", rows.len());

    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let found = check_file(&path, CACHE);
    assert!(matches!(found, Err(OpenError::Damaged { .. })), "{found:?}");
    std::fs::write(&path, b"this is no database").unwrap();
    let found = check_file(&path, CACHE);
    assert!(matches!(found, Err(OpenError::Damaged { .. })), "{found:?}");
    assert!(matches!(
        check_file(&dir.path().join("none"), CACHE),
        Err(OpenError::Io { .. })
    ));
}
