//! Items that orders name: how they stand follows orders, cells and catalogue in the same commits, and lists stay
//! range reads.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod sample;

use sample::{SOURCE, TARGET, assert_sound, in_memory, item, with_connections};
use std::collections::BTreeMap;
use waybill_model::crosswalk::{ITEMS, Standing};
use waybill_store::{NamedItemRow, NamedQuery, NewNamedItem, Read, Store, StoreError, Tx};

fn name(
    tx: &mut Tx<'_>,
    retailer: &str,
    value: &str,
    title: &str,
    others: &[(&str, &str)],
) -> Result<(), StoreError> {
    let all = [("sku", value)].into_iter().chain(others.iter().copied());
    let new = NewNamedItem {
        from: SOURCE,
        to: TARGET,
        retailer,
        retailer_name: "Fernwick",
        value,
        title,
        identifiers: all.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        source_kind: "sku",
        target_kind: "sku",
    };
    tx.name_item(&new, 1)
}

fn cell(
    tx: &mut Tx<'_>,
    retailer: Option<&str>,
    value: &str,
    code: Option<&str>,
) -> Result<(), StoreError> {
    tx.set_cell(SOURCE, TARGET, ITEMS, retailer, value, code, None, "ann", 2)
}

fn row(store: &Store, retailer: &str, value: &str) -> NamedItemRow {
    let found = store.read(|rx| rx.named_item(SOURCE, TARGET, retailer, value));
    found.unwrap().unwrap()
}

fn stands(store: &Store, value: &str) -> (Standing, Vec<String>) {
    let row = row(store, "r1", value);
    (row.standing, row.keys)
}

fn ready() -> Store {
    let store = in_memory();
    with_connections(&store);
    store
        .write_blocking(|tx| {
            for document in [
                item("1", "1", true, &[("sku", "A"), ("upc", "12345678905")]),
                item("2", "1", true, &[("sku", "B"), ("ean", "777")]),
                item("3", "1", true, &[("sku", "B")]),
            ] {
                tx.accept(TARGET, &document, 1)?;
            }
            name(tx, "r1", "A", "Bowl", &[])?;
            name(tx, "r1", "B", "Mug", &[])?;
            name(tx, "r1", "C", "Lamp", &[("upc", "012345678905")])?;
            name(tx, "r1", "D", "Throw, oat", &[])
        })
        .unwrap();
    store
}

#[test]
fn an_item_stands_as_the_catalogue_says_and_a_cell_wins() {
    let store = ready();
    let one = |key: &str| vec![key.to_owned()];
    assert_eq!(stands(&store, "A"), (Standing::Automatic, one("1")));
    let both = vec!["2".to_owned(), "3".to_owned()];
    assert_eq!(stands(&store, "B"), (Standing::Ambiguous, both));
    assert_eq!(stands(&store, "C"), (Standing::Suggested, one("1")));
    assert_eq!(stands(&store, "D"), (Standing::Unmatched, Vec::new()));
    // A person's word wins, and is taken back to what was found.
    store
        .write_blocking(|tx| {
            cell(tx, Some("r1"), "A", Some("2"))?;
            cell(tx, None, "D", Some("3"))
        })
        .unwrap();
    assert_eq!(stands(&store, "A"), (Standing::ByHand, one("2")));
    assert_eq!(stands(&store, "D"), (Standing::ByHand, one("3")));
    assert_sound(&store);
    store
        .write_blocking(|tx| {
            cell(tx, Some("r1"), "A", None)?;
            cell(tx, None, "D", None)
        })
        .unwrap();
    assert_eq!(stands(&store, "A").0, Standing::Automatic);
    assert_eq!(stands(&store, "D").0, Standing::Unmatched);
    assert_sound(&store);
}

#[test]
fn the_catalogue_changes_what_stands() {
    let store = ready();
    let accept = |document| {
        store
            .write_blocking(move |tx| tx.accept(TARGET, &document, 3))
            .unwrap();
        assert_sound(&store);
    };
    accept(item("4", "1", true, &[("sku", "D")]));
    assert_eq!(stands(&store, "D").0, Standing::Automatic);
    accept(item("5", "1", true, &[("sku", "D")]));
    assert_eq!(stands(&store, "D").0, Standing::Ambiguous);
    accept(item("4", "2", false, &[("sku", "D")]));
    assert_eq!(
        stands(&store, "D"),
        (Standing::Automatic, vec!["5".to_owned()])
    );
    accept(item("3", "2", true, &[("sku", "X")]));
    assert_eq!(stands(&store, "B").0, Standing::Automatic);
    accept(item("1", "2", true, &[("sku", "A")]));
    assert_eq!(stands(&store, "C").0, Standing::Unmatched);
}

#[test]
fn other_identifiers_are_compared_when_told_so() {
    let store = ready();
    store
        .write_blocking(|tx| tx.compare_items_by(SOURCE, TARGET, "r1", "upc", "upc"))
        .unwrap();
    assert_sound(&store);
    // Only one line had such an identifier; the others are named again by their orders.
    let found = row(&store, "r1", "012345678905");
    assert_eq!(
        (found.source_kind.as_str(), found.title.as_str()),
        ("upc", "Lamp")
    );
    let all = store
        .read(|rx| {
            let query = NamedQuery {
                limit: 9,
                ..NamedQuery::default()
            };
            rx.named_items(SOURCE, TARGET, &query)
        })
        .unwrap();
    assert_eq!(all.len(), 1);
}

#[test]
fn lists_are_paged_counted_and_searched() {
    let store = ready();
    store
        .write_blocking(|tx| {
            for at in 0..30 {
                name(tx, "r2", &format!("N{at:02}"), "Candle, fir", &[])?;
            }
            Ok(())
        })
        .unwrap();
    let page = |standing, retailer, after| {
        store
            .read(|rx| {
                let query = NamedQuery {
                    standing,
                    retailer,
                    after,
                    limit: 20,
                };
                rx.named_items(SOURCE, TARGET, &query)
            })
            .unwrap()
    };
    let first = page(Some(Standing::Unmatched), None, None);
    assert_eq!((first.len(), first[0].value.as_str()), (20, "D"));
    let last = first
        .last()
        .map(|r| (r.retailer.as_str(), r.value.as_str()));
    let second = page(Some(Standing::Unmatched), None, last);
    assert_eq!((second.len(), second[0].value.as_str()), (11, "N19"));
    assert_eq!(page(None, Some("r2"), Some(("r2", "N27"))).len(), 2);
    assert!(page(Some(Standing::ByHand), None, None).is_empty());
    let counts = store.read(|rx| rx.named_counts(SOURCE, TARGET)).unwrap();
    assert_eq!(counts[0].name, "Fernwick");
    assert_eq!(counts[1].items, BTreeMap::from([(Standing::Unmatched, 30)]));
    let found = |text: &str| -> Vec<String> {
        let rows = store
            .read(|rx| rx.search_named(SOURCE, TARGET, text, 5))
            .unwrap();
        rows.into_iter().map(|r| r.value).collect()
    };
    assert_eq!(found("n2"), ["N20", "N21", "N22", "N23", "N24"]);
    assert_eq!(found("Oat throw"), ["D"]);
    assert_eq!(found("0123456"), ["C"], "any identifier");
    assert!(found("oat candle").is_empty(), "every word counts");
    let alike = store
        .read(|rx| rx.items_alike(TARGET, "title of 2", 3))
        .unwrap();
    let keys: Vec<&str> = alike.iter().map(|i| i.key.as_str()).collect();
    assert_eq!(keys, ["1", "2", "3"]);
}
