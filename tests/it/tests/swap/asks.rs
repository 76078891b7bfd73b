//! What a build needs before it is at work: a grant, settings, a test that succeeds.

use super::{all_made, audits, case, look, orders, row, view};
use waybill_engine::swap::Given;
use waybill_engine::swap::view::ConnectorState;
use waybill_it::bench::{Bench, ERP, Start, held};
use waybill_it::swapped::{Script, Way};
use waybill_model::contract::{Descriptor, Field, Reach, Setting};
use waybill_store::{Read, Scope};

fn another_host(descriptor: &mut Descriptor) {
    descriptor.reach.push(Reach {
        url: "https://new.example".to_owned(),
        per_minute: 10,
        per_second: 0,
    });
}

#[test]
fn a_build_that_asks_for_a_new_host_waits_until_a_person_accepts() {
    case(|bench, folder| async move {
        folder.put("erp.wasm", Script::asks("2.0", another_host));
        look(&bench).await;
        let waits = view(&bench).await;
        assert_eq!(waits.state, ConnectorState::Waiting, "{waits:?}");
        let waiting = waits.waiting.expect("it waits");
        assert_eq!(waiting.asks.len(), 1);
        assert!(
            waiting.asks[0].contains("https://new.example"),
            "{:?}",
            waiting.asks
        );
        assert!(
            held(&bench.erp.probes).is_empty(),
            "nothing of it ran with any power"
        );
        orders(&bench, 0..3).await;
        // Looked at again it is the same: no new line in History.
        look(&bench).await;
        assert_eq!(audits(&bench, "A new build waits"), 1);
        // Another build than the one that was looked at is not accepted.
        let other = bench
            .handle
            .accept_connector("erp", Some("0123456789"), Vec::new(), "ann")
            .await;
        assert!(other.is_err());
        // A kill between the waiting and the accepting forgets nothing.
        let store = bench.kill();
        let bench = Bench::with_folder(Start::default(), &folder, Some(store)).await;
        bench.pass(2).await;
        let hash = &waiting.hash[..12];
        bench
            .handle
            .accept_connector("erp", Some(hash), Vec::new(), "ann")
            .await
            .expect("it is accepted");
        bench.pass(2).await;
        let swapped = row(&bench);
        assert_eq!(
            (
                swapped.current.version.as_str(),
                swapped.current.who.as_str()
            ),
            ("2.0", "ann")
        );
        assert_eq!(held(&bench.erp.probes).len(), 1);
        assert_eq!(audits(&bench, "Accepted a new build"), 1);
        // What was granted once is not asked again.
        folder.put("erp.wasm", Script::asks("2.1", another_host));
        look(&bench).await;
        assert_eq!(row(&bench).current.version, "2.1");
        bench.end().await;
    });
}

#[test]
fn a_waiting_build_whose_file_goes_waits_no_more() {
    case(|bench, folder| async move {
        folder.put("erp.wasm", Script::asks("2.0", another_host));
        look(&bench).await;
        assert!(row(&bench).waiting.is_some());
        assert_eq!(folder.kept().len(), 2);
        folder.put("erp.wasm", Script::new("1.0", Way::Good));
        look(&bench).await;
        assert!(row(&bench).waiting.is_none());
        assert_eq!(folder.kept().len(), 1, "its copy goes too");
        bench.end().await;
    });
}

fn setting(key: &str, required: bool, was: &[&str]) -> Setting {
    Setting {
        key: key.to_owned(),
        label: key.to_uppercase(),
        help: format!("Enter {key}."),
        group: "main".to_owned(),
        required,
        per_retailer: true,
        default: None,
        field: Field::Integer,
        was: was.iter().map(|key| (*key).to_owned()).collect(),
    }
}

fn renamed(descriptor: &mut Descriptor) {
    descriptor.settings = vec![setting("new-name", true, &["old-name"])];
}

fn needs_more(descriptor: &mut Descriptor) {
    descriptor.settings = vec![setting("must", true, &[])];
}

fn value(bench: &Bench, key: &str, retailer: Option<&str>) -> Option<String> {
    let all = bench.store.read(|rx| rx.effective(Some(ERP), retailer));
    all.expect("the store reads").get(key).cloned()
}

#[test]
fn renamed_settings_are_carried_over_and_the_old_ones_stay() {
    case(|bench, folder| async move {
        let scope = |retailer: Option<&str>| Scope {
            connection: Some(ERP),
            retailer: retailer.map(str::to_owned),
        };
        let (all, one) = (scope(None), scope(Some("R1")));
        bench
            .store
            .write(move |tx| {
                tx.set_setting(&all, "old-name", Some("7"), "test", 1)?;
                tx.set_setting(&one, "old-name", Some("8"), "test", 1)
            })
            .await
            .expect("it is stored");
        folder.put("erp.wasm", Script::asks("1.1", renamed));
        look(&bench).await;
        assert_eq!(row(&bench).current.version, "1.1");
        let told = held(&bench.erp.probes)[0].clone();
        assert!(
            told.contains(&("new-name".to_owned(), "7".to_owned())),
            "{told:?}"
        );
        assert_eq!(value(&bench, "new-name", None).as_deref(), Some("7"));
        assert_eq!(value(&bench, "new-name", Some("R1")).as_deref(), Some("8"));
        bench
            .handle
            .roll_back_connector("erp", "ann")
            .await
            .expect("1.0 is kept");
        assert_eq!(value(&bench, "old-name", Some("R1")).as_deref(), Some("8"));
        bench.end().await;
    });
}

#[test]
fn a_new_setting_without_a_default_is_asked_for() {
    case(|bench, folder| async move {
        folder.put("erp.wasm", Script::asks("1.1", needs_more));
        look(&bench).await;
        let waiting = view(&bench).await.waiting.expect("it waits");
        assert_eq!(
            (
                waiting.settings[0].key.as_str(),
                waiting.settings[0].connection.as_str()
            ),
            ("must", "erp")
        );
        let accept = |value: Option<&str>| {
            let given = value.map(|value| Given {
                connection: "erp".to_owned(),
                key: "must".to_owned(),
                value: value.to_owned(),
            });
            bench
                .handle
                .accept_connector("erp", None, given.into_iter().collect(), "ann")
        };
        assert!(accept(None).await.is_err(), "it must be entered");
        let misfit = accept(Some("many")).await.expect_err("it is no number");
        assert!(misfit.to_string().contains("whole number"), "{misfit}");
        assert_eq!(value(&bench, "must", None), None);
        accept(Some("5")).await.expect("all is there");
        bench.pass(2).await;
        assert_eq!(row(&bench).current.version, "1.1");
        assert_eq!(value(&bench, "must", None).as_deref(), Some("5"));
        bench.end().await;
    });
}

#[test]
fn what_fails_its_test_is_refused_and_the_old_build_runs_on() {
    case(|bench, folder| async move {
        for (version, way, word) in [
            (
                "1.1",
                Way::ProbeFails,
                "its test of erp failed: It may not read.",
            ),
            ("1.2", Way::Invalid, "The address is wrong."),
            ("1.3", Way::HalfWritten, "the file is no WebAssembly"),
        ] {
            folder.put("erp.wasm", Script::new(version, way));
            look(&bench).await;
            let shown = view(&bench).await;
            assert_eq!(shown.state, ConnectorState::Refused, "{shown:?}");
            let refused = shown.refused.expect("it is refused");
            assert!(
                refused.reason.to_lowercase().contains(&word.to_lowercase()),
                "{refused:?}"
            );
            assert_eq!(refused.again_at, None);
            assert_eq!(row(&bench).current.version, "1.0");
            assert_eq!(folder.kept().len(), 1, "no copy of it stays");
        }
        // The copying has ended: the same file is whole now.
        folder.put("erp.wasm", Script::new("1.4", Way::Good));
        look(&bench).await;
        assert_eq!(row(&bench).current.version, "1.4");
        orders(&bench, 0..2).await;
        all_made(&bench, 0..2).await;
        bench.end().await;
    });
}

#[test]
fn a_vendor_that_does_not_answer_is_asked_again() {
    case(|bench, folder| async move {
        folder.put("erp.wasm", Script::new("1.1", Way::ProbeWaits));
        look(&bench).await;
        let refused = view(&bench).await.refused.expect("it waits for the vendor");
        assert!(refused.again_at.is_some());
        let loads = folder.loads().len();
        bench.pass(65).await;
        assert!(folder.loads().len() > loads, "it was tried again by itself");
        bench.end().await;
    });
}

#[test]
fn a_paused_connection_is_not_called_for_a_test() {
    case(|bench, folder| async move {
        bench
            .handle
            .pause("erp", true, "ann")
            .await
            .expect("it is paused");
        folder.put("erp.wasm", Script::new("1.1", Way::Good));
        look(&bench).await;
        assert_eq!(row(&bench).current.version, "1.1");
        assert!(held(&bench.erp.probes).is_empty());
        bench.end().await;
    });
}
