//! Lists, searches and small operations of every noun, as the engine and the page use them.

mod jobs;
mod orders;
#[path = "../sample/mod.rs"]
mod sample;

use sample::{
    SOURCE, TARGET, assert_sound, connection, in_memory, item, new_job, order_row, take_order,
    with_connections,
};
use waybill_model::contract::{Gap, KvWrite};
use waybill_model::crosswalk::{ANY, Match};
use waybill_model::decimal::Decimal;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, OrderId};
use waybill_model::job::{JobState, Reason};
use waybill_model::levels::{Derived, Rule};
use waybill_store::{LevelRow, Read, RouteRow, Scope, Store, StoreError};

fn ready_store() -> Store {
    let store = in_memory();
    with_connections(&store);
    store
}

#[test]
fn a_key_or_name_in_use_is_a_conflict() {
    let store = ready_store();
    store.write_blocking(|tx| take_order(tx, "a", 1)).unwrap();
    let twice = store.write_blocking(|tx| {
        let document = tx.order(OrderId(1))?.unwrap().document;
        tx.put_order(&order_row("a", document, 2))
    });
    assert!(matches!(twice, Err(StoreError::Conflict(_))));
    let name = store.write_blocking(|tx| tx.put_connection(&connection("erp")));
    assert!(matches!(name, Err(StoreError::Conflict(_))));
    let busy = store.write_blocking(|tx| tx.remove_connection(TARGET));
    assert!(matches!(busy, Err(StoreError::Conflict(_))), "{busy:?}");
    assert_sound(&store);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
fn cells_prefer_the_retailer_and_a_filled_cell_releases_what_waits_for_it() {
    let store = ready_store();
    let gap = |retailer: &str, value: &str| Gap {
        table: "shipping-methods".to_owned(),
        retailer: Some(retailer.to_owned()),
        value: value.to_owned(),
    };
    let states = [
        JobState::Parked(Reason::Gaps(vec![gap("r1", "UPS"), gap("r1", "DHL")])),
        JobState::Parked(Reason::Gaps(vec![gap("r2", "UPS")])),
        JobState::Blocked(gap("r1", "UPS")),
    ];
    let ids = store
        .write_blocking(move |tx| {
            let mut ids = Vec::new();
            for (n, state) in states.iter().enumerate() {
                let mut job = new_job(&n.to_string(), None, waybill_model::ids::DocumentId(1));
                job.state = state.clone();
                ids.push(tx.create_job(job, 1)?);
            }
            Ok(ids)
        })
        .unwrap();
    let jobs = store
        .read(|rx| rx.gap_jobs(SOURCE, TARGET, &gap("r1", "UPS")))
        .unwrap();
    assert_eq!(jobs, [ids[0], ids[2]]);
    assert_eq!(store.read(|rx| rx.cards(9)).unwrap().len(), 3);
    let fill = |retailer: Option<&'static str>, value: &'static str, code: &'static str| {
        store
            .write_blocking(move |tx| {
                let table = "shipping-methods";
                tx.set_cell(
                    SOURCE,
                    TARGET,
                    table,
                    retailer,
                    value,
                    Some(code),
                    None,
                    "ann",
                    5,
                )?;
                let cell = Gap {
                    table: table.to_owned(),
                    retailer: retailer.map(str::to_owned),
                    value: value.to_owned(),
                };
                tx.release_gap(SOURCE, TARGET, &cell, 5)
            })
            .unwrap()
    };
    assert_eq!(fill(Some("r1"), "UPS", "11"), [ids[2]]);
    assert_eq!(
        fill(None, "UPS", "12"),
        [ids[1]],
        "a cell for all fills every retailer's"
    );
    assert_eq!(
        fill(None, ANY, "13"),
        [ids[0]],
        "the wildcard fills every value"
    );
    let cell = |retailer, value| {
        store
            .read(|rx| rx.cell(SOURCE, TARGET, "shipping-methods", retailer, value))
            .unwrap()
    };
    assert_eq!(cell("r1", "UPS").as_deref(), Some("11"));
    assert_eq!(cell("r9", "UPS").as_deref(), Some("12"));
    assert_eq!(cell("r1", "DHL"), None, "no wildcard here");
    let page = store
        .read(|rx| rx.cells(SOURCE, TARGET, "shipping-methods", None, 2))
        .unwrap();
    assert_eq!(
        page.iter().map(|c| c.value.as_str()).collect::<Vec<_>>(),
        ["*", "UPS"]
    );
    let rest = store
        .read(|rx| rx.cells(SOURCE, TARGET, "shipping-methods", Some((None, "UPS")), 9))
        .unwrap();
    assert_eq!(rest.len(), 1);
    store
        .write_blocking(|tx| {
            tx.set_cell(
                SOURCE,
                TARGET,
                "shipping-methods",
                Some("r1"),
                "UPS",
                None,
                None,
                "ann",
                6,
            )
        })
        .unwrap();
    assert_eq!(cell("r1", "UPS").as_deref(), Some("12"));
    assert_sound(&store);
}

#[test]
fn items_match_by_value_and_never_by_guess() {
    let store = ready_store();
    let accept = |document: waybill_model::document::Document| {
        store
            .write_blocking(move |tx| tx.accept(TARGET, &document, 1))
            .unwrap()
            .unwrap()
            .item_values
    };
    let find = |kind: &'static str, value: &'static str| {
        store.read(|rx| rx.items(TARGET, kind, value)).unwrap()
    };
    let value = |v: &str| ("sku".to_owned(), v.to_owned());
    assert_eq!(
        accept(item("1", "1", true, &[("sku", "A"), ("ean", " ")])),
        [value("A")]
    );
    assert_eq!(find("sku", "A"), Match::One("1".to_owned()));
    assert_eq!(find("ean", " "), Match::Missing);
    accept(item("2", "1", true, &[("sku", "A")]));
    assert_eq!(
        find("sku", "A"),
        Match::Ambiguous(vec!["1".to_owned(), "2".to_owned()])
    );
    assert_eq!(
        accept(item("2", "2", true, &[("sku", "B")])),
        [value("B"), value("A")]
    );
    assert_eq!(find("sku", "A"), Match::One("1".to_owned()));
    assert!(accept(item("1", "2", false, &[("sku", "A")])).is_empty());
    assert_eq!(find("sku", "A"), Match::Missing);
    assert_eq!(
        store
            .read(|rx| rx.item_title(TARGET, "2"))
            .unwrap()
            .as_deref(),
        Some("Title of 2")
    );
    let seen = store
        .write_blocking(|tx| tx.accept(TARGET, &item("2", "2", true, &[]), 9))
        .unwrap();
    assert!(seen.is_none());
    assert_sound(&store);
}

#[test]
fn the_narrower_setting_wins_and_every_change_is_written_down() {
    let store = ready_store();
    let scope = |connection: Option<ConnectionId>, retailer: Option<&str>| Scope {
        connection,
        retailer: retailer.map(str::to_owned),
    };
    let set = |scope: Scope, value: Option<&'static str>| {
        store
            .write_blocking(move |tx| tx.set_setting(&scope, "mode", value, "ann", 1))
            .unwrap();
    };
    let mode = |connection, retailer| {
        store
            .read(|rx| rx.effective(connection, retailer))
            .unwrap()
            .get("mode")
            .cloned()
    };
    set(scope(None, None), Some("agent"));
    assert_eq!(mode(Some(SOURCE), Some("r1")).as_deref(), Some("agent"));
    set(scope(Some(SOURCE), None), Some("connection"));
    set(scope(None, Some("r1")), Some("retailer"));
    set(scope(Some(SOURCE), Some("r2")), Some("both"));
    assert_eq!(mode(None, None).as_deref(), Some("agent"));
    assert_eq!(
        mode(Some(SOURCE), Some("r3")).as_deref(),
        Some("connection")
    );
    assert_eq!(mode(Some(SOURCE), Some("r1")).as_deref(), Some("retailer"));
    assert_eq!(mode(Some(SOURCE), Some("r2")).as_deref(), Some("both"));
    set(scope(None, None), Some("agent"));
    set(scope(None, None), None);
    assert_eq!(mode(None, None), None);
    let history = store.read(|rx| rx.setting_history(10)).unwrap();
    assert_eq!(history.len(), 5, "the same value again is no change");
    assert_eq!(
        (history[0].old.as_deref(), history[0].new.as_deref()),
        (Some("agent"), None)
    );
    let rows = store
        .read(|rx| {
            rx.settings(&Scope {
                connection: Some(SOURCE),
                retailer: None,
            })
        })
        .unwrap();
    assert_eq!(rows.len(), 1);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
fn private_space_links_routes_levels_and_facts_of_the_agent() {
    let store = ready_store();
    store
        .write_blocking(|tx| {
            let write = |key: &str, value: Option<&str>| KvWrite {
                key: key.to_owned(),
                value: value.map(|v| v.as_bytes().to_vec()),
            };
            tx.kv_apply(
                SOURCE,
                &[
                    write("a/1", Some("x")),
                    write("a/2", Some("y")),
                    write("b", Some("z")),
                    write("a/1", None),
                ],
            )?;
            tx.kv_apply(SOURCE, &[write("a/3", Some("w"))])?;
            tx.kv_apply(TARGET, &[write("a/2", Some("other"))])?;
            tx.put_meta("boot", b"1")?;
            tx.link(SOURCE, Entity::Order, "a", TARGET, Entity::Order, "900")?;
            tx.put_route(&RouteRow::new(Entity::Order, SOURCE, TARGET))?;
            let level = LevelRow {
                from: TARGET,
                to: SOURCE,
                item: "i".to_owned(),
                source: "1001".to_owned(),
                wanted: vec![Derived {
                    warehouse: "w".to_owned(),
                    on_hand: 7,
                    taken: 0,
                    rule: Rule::default(),
                    available: Decimal::whole(7),
                }],
                sent: None,
                sent_at: None,
                problem: None,
                doubted: false,
            };
            tx.put_level(&level)
        })
        .unwrap();
    let keys = |prefix: &'static str, after: Option<&'static str>| {
        let rows = store
            .read(|rx| rx.kv_scan(SOURCE, prefix, after, 9))
            .unwrap();
        rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(keys("a/", None), ["a/2", "a/3"]);
    assert_eq!(keys("a/", Some("a/2")), ["a/3"]);
    assert_eq!(keys("a/", Some("A")), ["a/2", "a/3"]);
    assert_eq!(keys("", None), ["a/2", "a/3", "b"]);
    store
        .read(|rx| {
            assert_eq!(rx.kv_get(SOURCE, "a/1")?, None);
            assert_eq!(rx.kv_get(SOURCE, "a/2")?.as_deref(), Some(b"y".as_slice()));
            assert_eq!(rx.meta("boot")?.as_deref(), Some(b"1".as_slice()));
            let there = rx.links_of(SOURCE, Entity::Order, "a")?;
            assert_eq!(
                (there[0].system.as_str(), there[0].key.as_str()),
                ("erp", "900")
            );
            let back = rx.links_of(TARGET, Entity::Order, "900")?;
            assert_eq!(
                (back[0].system.as_str(), back[0].key.as_str()),
                ("shop", "a")
            );
            assert_eq!(rx.routes()?.len(), 1);
            assert_eq!(rx.connection_by_name("erp")?.unwrap().id, TARGET);
            assert_eq!(rx.dirty_levels(TARGET, SOURCE, 9)?.len(), 1);
            Ok(())
        })
        .unwrap();
    store
        .write_blocking(|tx| {
            let mut level = tx.level(TARGET, SOURCE, "i")?.unwrap();
            level.sent = Some(level.counts());
            tx.put_level(&level)?;
            tx.remove_connection(TARGET)
        })
        .unwrap();
    store
        .read(|rx| {
            assert!(rx.dirty_levels(TARGET, SOURCE, 9)?.is_empty());
            assert!(rx.routes()?.is_empty());
            assert!(rx.connection_by_name("erp")?.is_none());
            assert_eq!(
                rx.links_of(SOURCE, Entity::Order, "a")?[0].system,
                "connection-2"
            );
            Ok(())
        })
        .unwrap();
    assert_sound(&store);
}
