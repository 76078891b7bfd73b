//! Values that settings have from a vendor's lists: refused when they are saved, by whatever way, and a card when they are
//! gone or hidden later.

use std::collections::BTreeMap;
use waybill_engine::apply;
use waybill_engine::connecting::{Draft, Saved};
use waybill_engine::doctor::Wishes;
use waybill_engine::finding::State;
use waybill_it::bench::{Bench, ERP, Start, held, in_simulated_time};
use waybill_model::contract::Problem;
use waybill_store::{Cause, Read, Scope};

const DAY: u64 = 86_400;

fn file(channel: &str, team: &str, of_retailer: &str) -> String {
    format!(
        "version = 1\n[[connection]]\nname = \"erp\"\nconnector = \"erp\"\n[connection.settings]\nchannel = \"{channel}\"\nteam = \"{team}\"\n[[connection.retailer]]\ncode = \"R1\"\nsettings = {{ channel = \"{of_retailer}\" }}\n"
    )
}

/// What a file is refused for: line and words.
async fn mistakes(bench: &Bench, file: &str) -> Vec<String> {
    let plan = apply::parse(file, &BTreeMap::new()).expect("it is well formed");
    assert!(bench.handle.check(&plan).is_empty());
    let found = bench.handle.check_live(&plan).await.expect("it looks");
    let say = |m: apply::Mistake| format!("{}: {}", m.line, m.message);
    found.into_iter().map(say).collect()
}

async fn apply(bench: &Bench, file: &str) {
    let plan = apply::parse(file, &BTreeMap::new()).expect("it is well formed");
    bench
        .handle
        .apply(plan, "ann")
        .await
        .expect("it is applied");
    bench.pass(5).await;
}

fn offers(bench: &Bench, key: &str, list: &[(&'static str, bool)]) {
    held(&bench.erp.lists).insert(key.to_owned(), list.to_vec());
}

fn start() -> Bench {
    // Little happens, so that days pass quickly.
    let bench = Bench::start(Start {
        route: false,
        poll_secs: 3_600,
        ..Start::default()
    });
    offers(
        &bench,
        "channel",
        &[("1", false), ("2", false), ("3", true)],
    );
    offers(&bench, "team", &[("7", false)]);
    bench
}

fn problems(bench: &Bench) -> Vec<Problem> {
    let cards = bench.cards().into_iter();
    let mut all: Vec<Problem> = cards
        .map(|card| match card.cause {
            Cause::Problem { problem, .. } => problem,
            other => panic!("{other:?}"),
        })
        .collect();
    all.sort_by(|one, other| one.message.cmp(&other.message));
    all
}

#[test]
fn a_value_that_the_vendor_does_not_offer_is_refused_by_every_way_in() {
    in_simulated_time(async {
        let bench = start();
        bench.pass(5).await;
        // A file, as `waybill apply`, the settings file and the API hand it in: every mistake at its line.
        let found = mistakes(&bench, &file("9", "7", "3")).await;
        assert_eq!(
            found,
            [
                "6: `channel` cannot be `9`: ERP does not have it",
                "10: `channel` of retailer R1 cannot be `3`: ERP has hidden it (Number 3): nothing new can be made with it",
            ]
        );
        // Of the wrong type: the connector itself says so, of a retailer's own too.
        let found = mistakes(&bench, &file("web", "7", "shop")).await;
        assert_eq!(found, ["6: `web` is no id", "10: `shop` is no id"]);
        // The page of the connection: in its field, and nothing is saved.
        let draft = |channel: &str| Draft {
            name: "erp".to_owned(),
            connector: "erp".to_owned(),
            title: None,
            private: None,
            settings: BTreeMap::from([("channel".to_owned(), channel.to_owned())]),
            secrets: Vec::new(),
        };
        let saved = bench.handle.save_connection(draft("3"), "ann").await;
        let Saved::Mistakes(found) = saved.unwrap() else {
            panic!("it was saved")
        };
        assert_eq!(found[0].field.as_deref(), Some("channel"));
        let hint = found[0].hint.as_deref();
        assert_eq!(hint, Some("It offers: 1 (Number 1), 2 (Number 2)."));
        let stored = bench.store.read(|rx| rx.connection_values(ERP)).unwrap();
        assert!(stored.is_empty(), "{stored:?}");
        let saved = bench.handle.save_connection(draft("2"), "ann").await;
        assert!(matches!(saved.unwrap(), Saved::Done(_)));
        // What is there already is not asked for again, and a list that does not come refuses nobody.
        let asked = bench.erp.count("choices");
        assert!(mistakes(&bench, &file("2", "", "")).await.is_empty());
        assert_eq!(bench.erp.count("choices"), asked);
        held(&bench.erp.lists).clear();
        assert!(mistakes(&bench, &file("9", "9", "9")).await.is_empty());
        assert!(bench.cards().is_empty());
        bench.end().await;
    });
}

#[test]
fn a_value_that_is_gone_at_the_vendor_is_a_card_until_another_is_chosen() {
    in_simulated_time(async {
        let bench = start();
        apply(&bench, &file("1", "7", "2")).await;
        bench.pass(60).await;
        assert!(bench.cards().is_empty(), "{:?}", problems(&bench));
        // Gone and hidden meanwhile: found the next day, and at the next start.
        offers(&bench, "channel", &[("1", true), ("4", false)]);
        bench.pass(DAY + 600).await;
        let found = problems(&bench);
        let words: Vec<&str> = found.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(
            words,
            [
                "The setting `channel` is `1`, and ERP has hidden it (Number 1): nothing new can be made with it.",
                "The setting `channel` of retailer R1 is `2`, and ERP does not have it.",
            ]
        );
        assert!(found.iter().all(|p| p.code == "setting-not-offered"));
        let hints: Vec<&str> = found.iter().filter_map(|p| p.hint.as_deref()).collect();
        assert!(hints[0].contains("Connections, ERP, Set up"), "{hints:?}");
        assert!(hints[1].contains("waybill apply") && hints[1].contains("4 (Number 4)"));
        // Another value is chosen, and all are looked at. A list that does not come says nothing: its cards stay.
        held(&bench.erp.lists).remove("channel");
        let asked = bench.erp.count("choices");
        apply(&bench, &file("1", "", "2")).await;
        bench.pass(30).await;
        assert!(bench.erp.count("choices") > asked);
        assert_eq!(problems(&bench).len(), 2);
        // Tried again, they are looked at at once.
        offers(&bench, "channel", &[("1", false), ("4", false)]);
        for card in bench.cards() {
            bench.handle.retry_card(&card.id, "ann").await.unwrap();
        }
        bench.pass(5).await;
        assert_eq!(problems(&bench).len(), 1, "only what is still wrong");
        apply(&bench, &file("1", "", "4")).await;
        bench.pass(5).await;
        assert!(bench.cards().is_empty(), "{:?}", problems(&bench));
        bench.end().await;
    });
}

#[test]
fn at_the_start_values_are_looked_at_and_the_doctor_names_them() {
    in_simulated_time(async {
        let bench = start();
        let set = |retailer: Option<&str>, key: &'static str, value: &'static str| {
            let scope = Scope {
                connection: Some(ERP),
                retailer: retailer.map(str::to_owned),
            };
            let stored = bench
                .store
                .write_blocking(move |tx| tx.set_setting(&scope, key, Some(value), "ann", 1));
            stored.unwrap();
        };
        set(None, "channel", "1");
        set(Some("R1"), "team", "8");
        let again = bench.again(Start::default());
        offers(&again, "channel", &[("1", false)]);
        offers(&again, "team", &[("7", false)]);
        again.pass(700).await;
        let words: Vec<String> = problems(&again).into_iter().map(|p| p.message).collect();
        let said = "The setting `team` of retailer R1 is `8`, and ERP does not have it.";
        assert_eq!(words, [said]);
        let wishes = Wishes {
            vendors: true,
            running: false,
        };
        let findings = again.handle.examine(wishes).await;
        let own = findings.iter().find(|finding| finding.text == said);
        let own = own.unwrap_or_else(|| panic!("{findings:#?}"));
        assert_eq!(own.state, State::Problem);
        let place = "setting `team` of connection `erp`, retailer R1";
        assert_eq!(own.place.as_deref(), Some(place));
        assert!(
            own.next
                .as_deref()
                .is_some_and(|next| next.contains("7 (Number 7)"))
        );
        again.end().await;
    });
}
