//! Settings as one file out and in, and versions compared and restored, by the engine with a real store.

use std::collections::BTreeMap;
use waybill_engine::apply;
use waybill_it::bench::{Bench, ERP, NETWORK, Start, in_simulated_time, order};
use waybill_it::start::cell;
use waybill_store::{AnnouncedRow, Lists as _, Read, Scope, StoreError, Tx};

const ALL: Start = Start {
    max_batch: 4,
    route: true,
    cancels: false,
    stock: true,
    invoices: true,
    settings: &[
        ("invoices.policy", "lines"),
        ("orders.default-country", "US"),
    ],
    poll_secs: 5,
    gather_secs: 1,
};

fn retailer(code: &str) -> Scope {
    Scope {
        connection: None,
        retailer: Some(code.to_owned()),
    }
}

/// A shipping method that may come.
fn announce(
    tx: &mut Tx<'_>,
    retailer: Option<&str>,
    value: &str,
    label: Option<&str>,
    required: bool,
) -> Result<(), StoreError> {
    let row = AnnouncedRow {
        table: "shipping-methods".to_owned(),
        retailer: retailer.map(str::to_owned),
        value: value.to_owned(),
        label: label.map(str::to_owned),
        required,
        who: "ann".to_owned(),
        at: 1,
    };
    tx.announce(NETWORK, ERP, &row)
}

/// Retailer, code, words and whether it is required, of all shipping methods that may come.
fn announced(bench: &Bench) -> Vec<(Option<String>, String, Option<String>, bool)> {
    let rows = bench
        .store
        .read(|rx| rx.announced(NETWORK, ERP, "shipping-methods"));
    let rows = rows.expect("the store reads").into_iter();
    rows.map(|row| (row.retailer, row.value, row.label, row.required))
        .collect()
}

/// What applying a file would change.
async fn changes(bench: &Bench, file: &str) -> Vec<String> {
    let plan = apply::parse(file, &BTreeMap::new())
        .unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{file}"));
    let mistakes = bench.handle.check(&plan);
    assert!(mistakes.is_empty(), "{mistakes:?}\n{file}");
    let difference = bench.handle.difference(&plan).await.expect("it compares");
    let changes = difference.changes.iter();
    changes.map(|change| format!("{change:?}")).collect()
}

#[test]
fn what_is_exported_changes_nothing_where_it_came_from_and_makes_the_same_elsewhere() {
    in_simulated_time(async {
        let bench = Bench::start(ALL);
        bench
            .store
            .write_blocking(|tx| {
                tx.set_setting(
                    &retailer("R \"1\""),
                    "invoices.policy",
                    Some("none"),
                    "ann",
                    1,
                )?;
                tx.set_setting(
                    &Scope::default(),
                    "store-name",
                    Some("North & Söhne"),
                    "ann",
                    1,
                )?;
                let erp = Scope {
                    connection: Some(ERP),
                    retailer: None,
                };
                tx.set_setting(&erp, "poll-secs.item", Some("30"), "ann", 1)?;
                // Of an older build.
                tx.set_setting(&Scope::default(), "no-such-setting", Some("1"), "ann", 1)?;
                cell(tx, (NETWORK, ERP), "items", "AB\\1", "7")?;
                announce(tx, None, "upsg", Some("UPS \"Ground\""), true)?;
                announce(tx, None, "ups.2", None, false)?;
                announce(tx, Some("R \"1\""), "fdx", None, true)?;
                tx.set_cell(
                    NETWORK,
                    ERP,
                    "items",
                    Some("R1"),
                    "own",
                    Some("8"),
                    None,
                    "ann",
                    1,
                )
            })
            .unwrap();
        bench.handle.poll_now("erp", None).await.unwrap();
        bench.pass(10).await;
        let file = bench.handle.export_settings().await.unwrap();
        assert_eq!(changes(&bench, &file).await, Vec::<String>::new(), "{file}");
        assert!(
            file.contains("# not known to this build: \"no-such-setting\""),
            "{file}"
        );

        // Without its lists, as an older build wrote it, it leaves those that are there alone.
        let (older, _) = file.split_once("\n[[announced]]").expect("lists are last");
        assert_eq!(changes(&bench, older).await, Vec::<String>::new());

        // Elsewhere everything of it is set, and its own export is the same file.
        let other = Bench::start(Start {
            invoices: false,
            settings: &[],
            ..ALL
        });
        let before = changes(&other, &file).await;
        assert!(before.len() >= 9, "{before:#?}");
        let lists = before.iter().filter(|change| change.contains("announced"));
        assert_eq!(lists.count(), 2, "{before:#?}");
        let plan = apply::parse(&file, &BTreeMap::new()).unwrap();
        other.handle.apply(plan, "ann").await.unwrap();
        other.pass(10).await;
        assert_eq!(changes(&other, &file).await, Vec::<String>::new());
        let known = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.starts_with("# not known"));
            lines.map(str::to_owned).collect()
        };
        let again = other.handle.export_settings().await.unwrap();
        let (mut first, mut second) = (known(&file), known(&again));
        first.sort();
        second.sort();
        assert_eq!(second, first);
        assert_eq!(announced(&other), announced(&bench));
        assert_eq!(announced(&other).len(), 3);
        bench.end().await;
        other.end().await;
    });
}

#[test]
fn settings_go_back_to_a_version_and_forward_again() {
    in_simulated_time(async {
        let bench = Bench::start(ALL);
        bench.pass(5).await;
        let newest = |bench: &Bench| {
            let history = bench.store.read(|rx| rx.setting_history(1)).unwrap();
            history[0].seq
        };
        let start = newest(&bench);
        let set = |key: &'static str, value: &'static str, code: Option<&'static str>| {
            let set = bench.handle.set_setting(key, value, code, "ann");
            async move { set.await.expect("it is set") }
        };
        set("invoices.policy", "none", None).await;
        set("invoices.policy", "shipment", None).await;
        set("invoices.policy", "order", Some("R1")).await;
        set("practice.mode", "on", None).await;
        let changed = newest(&bench);
        let differs = bench.handle.settings_since(start).await.unwrap();
        let mut told: Vec<_> = differs
            .iter()
            .map(|d| {
                (
                    &*d.key,
                    d.retailer.as_deref(),
                    d.then.as_deref(),
                    d.now.as_deref(),
                )
            })
            .collect();
        told.sort_unstable();
        assert_eq!(
            told,
            [
                ("invoices.policy", None, Some("lines"), Some("shipment")),
                ("invoices.policy", Some("R1"), None, Some("order")),
                ("practice.mode", None, None, Some("on")),
            ]
        );
        assert_eq!(
            bench.handle.restore_settings(start, "ben").await.unwrap(),
            3
        );
        assert!(bench.handle.settings_since(start).await.unwrap().is_empty());
        assert_eq!(
            bench.handle.restore_settings(start, "ben").await.unwrap(),
            0
        );
        // What goes on is live, and the way forward is a version as well.
        bench.send(order("1", 1, |_| ()));
        bench.pass(30).await;
        assert!(bench.order("1").sale_key.is_some());
        assert_eq!(
            bench.handle.restore_settings(changed, "ben").await.unwrap(),
            3
        );
        let held = bench.store.read(|rx| rx.effective(None, None)).unwrap();
        assert_eq!(held["invoices.policy"], "shipment");
        let never = bench.handle.restore_settings(9_999, "ben").await;
        let never = never.unwrap_err().to_string();
        assert_eq!(never, "There is no version 9999 of the settings.");
        let history = bench.handle.history(3).await.unwrap();
        let told = history.iter().any(|h| {
            h.what == "Settings went back"
                && h.detail == format!("to version {changed}, 3 settings")
        });
        assert!(told, "{history:?}");
        bench.end().await;
    });
}

#[test]
fn a_list_in_a_file_is_the_whole_list_of_its_retailer() {
    in_simulated_time(async {
        let bench = Bench::start(ALL);
        let held = |tx: &mut Tx<'_>| {
            for code in ["ups1", "ups2", "ups3"] {
                announce(tx, None, code, None, true)?;
            }
            announce(tx, Some("R1"), "fdx", None, true)
        };
        bench.store.write_blocking(held).unwrap();
        let list = |codes: &str| {
            format!(
                "version = 1\n[[announced]]\nfrom = \"network\"\nto = \"erp\"\ntable = \"shipping-methods\"\n{codes}\n"
            )
        };
        let file = list("required = { UPS1 = \"\", new1 = \"New\" }\noptional = { ups2 = \"\" }");
        let plan = apply::parse(&file, &BTreeMap::new()).unwrap();
        assert!(bench.handle.check(&plan).is_empty());
        let difference = bench.handle.difference(&plan).await.unwrap();
        assert_eq!(
            difference.to_string(),
            "~ announced shipping-methods from network to erp: 3 codes, 3 required -> 3 codes, 2 required: 1 added, 1 removed (ups3), 1 changed\n"
        );
        bench.handle.apply(plan, "ben").await.unwrap();
        let codes = |bench: &Bench| -> Vec<String> {
            let rows = announced(bench).into_iter();
            rows.map(|(whose, code, _, required)| {
                format!("{} {code} {required}", whose.unwrap_or_default())
            })
            .collect()
        };
        let now = [" new1 true", " ups1 true", " ups2 false", "R1 fdx true"];
        assert_eq!(codes(&bench), now);
        assert!(changes(&bench, &file).await.is_empty());
        // One mistake, and nothing of it holds.
        for (codes, said) in [
            ("", "a list of codes needs `required`, `optional`, or both"),
            (
                "required = { a = \"\" }\noptional = { A = \"\" }",
                "`a` stands in this list already, on line 6",
            ),
            (
                "required = { \" \" = \"\" }",
                "a code of a list must not be empty",
            ),
        ] {
            let found = apply::parse(&list(codes), &BTreeMap::new()).unwrap_err();
            assert_eq!(found[0].message, said);
        }
        let twice = format!("{}{}", list("optional = {}"), &list("optional = {}")[12..]);
        let found = apply::parse(&twice, &BTreeMap::new()).unwrap_err();
        assert!(found[0].message.contains("declared twice"), "{found:?}");
        let items = list("optional = { a = \"\" }").replace("shipping-methods", "items");
        let plan = apply::parse(&items, &BTreeMap::new()).unwrap();
        let found = bench.handle.check(&plan);
        assert_eq!(found[0].message, "codes of `items` are not announced");
        assert_eq!(codes(&bench), now);
        // An empty list takes all of it off, of all retailers and of nobody else.
        let plan = apply::parse(&list("optional = {}"), &BTreeMap::new()).unwrap();
        let difference = bench.handle.apply(plan, "ben").await.unwrap();
        let said = difference.changes[0].new.as_deref();
        assert_eq!(
            said,
            Some("0 codes, 0 required: 0 added, 3 removed (new1, ups1, ups2)")
        );
        assert_eq!(codes(&bench), ["R1 fdx true"]);
        bench.end().await;
    });
}
