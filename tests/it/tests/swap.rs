//! What must happen when a new build of a connector lies in the folder, one case at a time: under orders, on simulated
//! time, with a store that is real.

use std::sync::Arc;
use waybill_engine::swap::Given;
use waybill_engine::swap::view::{ConnectorState, ConnectorView};
use waybill_it::bench::{Bench, ERP, Start, held, order};
use waybill_it::swapped::{Folder, POISON, Script, Way};
use waybill_model::contract::{Descriptor, Field, Reach, Setting};
use waybill_model::document::Order;
use waybill_model::ids::Generation;
use waybill_model::order_state::OrderStage;
use waybill_store::{ConnectorRow, Read, Scope};

/// Runs a case on simulated time.
fn case<F: Future<Output = ()>>(test: impl FnOnce(Bench, Arc<Folder>) -> F) {
    waybill_it::bench::in_simulated_time(async {
        let folder = Folder::new();
        let bench = Bench::with_folder(Start::default(), &folder, None).await;
        test(bench, folder).await;
    });
}

fn nothing(_: &mut Order) {}

fn row(bench: &Bench) -> ConnectorRow {
    let row = bench.store.read(|rx| rx.connector("erp"));
    row.expect("the store reads").expect("it is known")
}

async fn view(bench: &Bench) -> ConnectorView {
    let all = bench.handle.connectors().await.expect("it answers");
    let erp = all.connectors.into_iter().find(|c| c.id == "erp");
    erp.expect("it is shown")
}

/// Sends orders one after the other; each is its own batch.
async fn orders(bench: &Bench, keys: std::ops::Range<usize>) {
    for key in keys {
        bench.send(order(&format!("O{key}"), 1, nothing));
        bench.pass(6).await;
    }
}

/// Every one of them became one sale.
async fn all_made(bench: &Bench, keys: std::ops::Range<usize>) {
    bench.pass(60).await;
    for key in keys.clone() {
        let order = bench.order(&format!("O{key}"));
        assert_eq!(order.stage, OrderStage::Created, "{order:?}");
    }
    let calls = held(&bench.erp.calls).clone();
    let pushed = calls.iter().filter(|(what, _)| *what == "push");
    let members: usize = pushed.map(|(_, members)| members).sum();
    assert_eq!(members, keys.len(), "each was written once");
    assert!(bench.cards().is_empty(), "{:?}", bench.cards());
}

async fn look(bench: &Bench) {
    bench.handle.look_at_folder();
    bench.pass(2).await;
}

fn audits(bench: &Bench, what: &str) -> usize {
    let audit = bench.store.read(|rx| rx.audit(1_000));
    let audit = audit.expect("the store reads");
    audit.iter().filter(|row| row.what == what).count()
}

#[test]
fn a_good_build_takes_over_under_orders_and_passes_its_trial() {
    case(|bench, folder| async move {
        orders(&bench, 0..5).await;
        let first = view(&bench).await;
        assert_eq!(first.state, ConnectorState::Running, "{first:?}");
        assert!(first.file.sentence.contains("at work"));
        folder.put("erp.wasm", Script::new("1.1", Way::Good));
        look(&bench).await;
        let trial = view(&bench).await;
        assert_eq!(trial.state, ConnectorState::Trial, "{trial:?}");
        assert_eq!(
            trial
                .trial
                .as_ref()
                .and_then(|t| t.back_to.clone())
                .as_deref(),
            Some("1.0")
        );
        assert_eq!(trial.previous[0].version, "1.0");
        orders(&bench, 5..27).await;
        let after = view(&bench).await;
        assert_eq!(after.state, ConnectorState::Running, "{after:?}");
        assert_eq!(after.running.expect("it runs").version, "1.1");
        all_made(&bench, 0..27).await;
        let pushes = held(&bench.erp.pushes).clone();
        assert_eq!(pushes.first(), Some(&Generation(1)));
        assert_eq!(pushes.iter().filter(|g| **g == Generation(2)).count(), 22);
        assert_eq!(audits(&bench, "Installed a connector"), 1);
        assert_eq!(audits(&bench, "Swapped a connector"), 1);
        assert_eq!(audits(&bench, "A connector's trial passed"), 1);
        bench.end().await;
    });
}

#[test]
fn a_trial_without_work_ends_after_ten_minutes() {
    case(|bench, folder| async move {
        folder.put("erp.wasm", Script::new("1.1", Way::Good));
        look(&bench).await;
        assert!(row(&bench).trial.is_some());
        bench.pass(605).await;
        assert!(row(&bench).trial.is_none());
        assert_eq!(row(&bench).current.version, "1.1");
        bench.end().await;
    });
}

#[test]
fn a_batch_ends_on_the_build_it_began_with() {
    case(|bench, folder| async move {
        orders(&bench, 0..1).await;
        // A call of 1.1 takes a minute; the swap comes while one is under way.
        folder.put("erp.wasm", Script::new("1.1", Way::Loops));
        look(&bench).await;
        bench.send(order("O1", 1, nothing));
        bench.pass(10).await;
        assert_eq!(held(&bench.erp.pushes).last(), Some(&Generation(2)));
        // Going back does not wait for it, and does not cut it short.
        bench
            .handle
            .roll_back_connector("erp", "ann")
            .await
            .expect("1.0 is kept");
        bench.pass(2).await;
        assert_eq!(row(&bench).current.version, "1.0");
        assert_eq!(
            bench.order("O1").stage,
            OrderStage::Received,
            "its batch is under way"
        );
        assert_eq!(held(&bench.erp.pushes).last(), Some(&Generation(2)));
        bench.send(order("O2", 1, nothing));
        bench.pass(60).await;
        // Cut off at its limit it was no answer, so the order was tried again: on the build at work.
        let pushes = held(&bench.erp.pushes).clone();
        assert_eq!(
            pushes.iter().filter(|g| **g == Generation(2)).count(),
            1,
            "{pushes:?}"
        );
        assert_eq!(pushes.last(), Some(&Generation(1)));
        all_made(&bench, 0..3).await;
        bench.end().await;
    });
}

/// An order that stops every build is judged by the build before, too: it waits for a person, and the good build stays.
#[test]
fn an_order_that_stops_every_build_takes_no_good_one_back() {
    case(|bench, folder| async move {
        orders(&bench, 0..5).await;
        folder.put("erp.wasm", Script::new("1.1", Way::Good));
        look(&bench).await;
        bench.send(order(POISON, 1, nothing));
        orders(&bench, 5..10).await;
        bench.pass(300).await;
        assert!(row(&bench).trial.is_some(), "there was little to do");
        orders(&bench, 10..27).await;
        let passed = row(&bench);
        assert_eq!(passed.current.version, "1.1", "{passed:?}");
        assert!(passed.trial.is_none() && passed.bad.is_empty());
        for key in 0..27 {
            let order = bench.order(&format!("O{key}"));
            assert_eq!(order.stage, OrderStage::Created, "{order:?}");
        }
        let poisoned = bench.order(POISON);
        assert_eq!(poisoned.stage, OrderStage::Waiting, "{poisoned:?}");
        assert_eq!(bench.cards().len(), 1, "{:?}", bench.cards());
        bench.end().await;
    });
}

/// What stops a build on trial is done by the build before, at once, also after a start.
#[test]
fn what_stops_a_build_on_trial_is_done_by_the_one_before() {
    case(|bench, folder| async move {
        orders(&bench, 0..3).await;
        folder.put("erp.wasm", Script::new("1.1", Way::Traps));
        look(&bench).await;
        orders(&bench, 3..4).await;
        assert_eq!(row(&bench).trial.map(|t| t.bad.len()), Some(1));
        assert_eq!(bench.order("O3").stage, OrderStage::Created);
        let pushes = held(&bench.erp.pushes).clone();
        assert!(pushes.ends_with(&[Generation(2), Generation(1)]));
        let store = bench.kill();
        let bench = Bench::with_folder(Start::default(), &folder, Some(store)).await;
        bench.pass(60).await;
        orders(&bench, 4..5).await;
        assert_eq!(row(&bench).trial.map(|t| t.bad.len()), Some(2));
        assert_eq!(bench.order("O4").stage, OrderStage::Created);
        orders(&bench, 5..6).await;
        bench.pass(30).await;
        assert_eq!(row(&bench).current.version, "1.0");
        assert_eq!(bench.order("O5").stage, OrderStage::Created);
        bench.end().await;
    });
}

/// The third bad batch brings the build before back, within five seconds, and the file does not bring it in again.
fn is_undone(way: Way, word: &'static str) {
    case(|bench, folder| async move {
        orders(&bench, 0..5).await;
        folder.put("erp.wasm", Script::new("1.1", way));
        look(&bench).await;
        assert_eq!(row(&bench).current.version, "1.1");
        let (mut third, mut sent) = (None, 0);
        for _ in 0..400 {
            let bad = row(&bench).trial.map_or(3, |t| t.bad.len());
            // What it cannot do is done by the build before: it takes the next order to see it again.
            if bad == sent && sent < 4 {
                bench.send(order(&format!("O{}", 5 + sent), 1, nothing));
                sent += 1;
            }
            bench.pass(1).await;
            let pushes = held(&bench.erp.pushes)
                .iter()
                .filter(|g| **g == Generation(2))
                .count();
            if pushes >= 3 && third.is_none() {
                third = Some(bench.clock.now_ms());
            }
            if bad == 3 && sent == 4 {
                break;
            }
        }
        let undone = row(&bench);
        assert_eq!(undone.current.version, "1.0", "{undone:?}");
        assert_eq!(undone.current.generation, Generation(1));
        assert!(undone.bad[0].reason.contains(word), "{:?}", undone.bad);
        assert!(undone.bad[0].by_itself && undone.trial.is_none());
        let waited = bench.clock.now_ms() - third.expect("three batches were tried");
        assert!(waited <= 65_000, "a loop ends at its limit: {waited}");
        let shown = view(&bench).await;
        assert_eq!(shown.state, ConnectorState::RolledBack, "{shown:?}");
        // The file is still there: it is never loaded again by itself.
        let loads = folder.loads();
        look(&bench).await;
        bench.pass(300).await;
        assert_eq!(folder.loads(), loads);
        assert_eq!(
            audits(&bench, "Went back to an earlier build of a connector"),
            1
        );
        all_made(&bench, 0..9).await;
        // Nor at the next start.
        let store = bench.kill();
        let again = Bench::with_folder(Start::default(), &folder, Some(store)).await;
        look(&again).await;
        assert_eq!(row(&again).current.version, "1.0");
        assert_eq!(folder.loads().last().map(String::as_str), Some("1.0"));
        again.end().await;
    });
}

#[test]
fn a_build_that_traps_is_undone() {
    is_undone(Way::Traps, "The connector stopped");
}

#[test]
fn a_build_that_breaks_the_contract_is_undone_and_nobody_has_to_look() {
    is_undone(Way::Breaks, "0 answers for");
}

#[test]
fn a_build_that_loops_is_undone() {
    is_undone(Way::Loops, "did not finish in time");
}

#[test]
fn a_build_that_spends_twice_the_requests_is_undone() {
    case(|bench, folder| async move {
        orders(&bench, 0..5).await;
        folder.put("erp.wasm", Script::new("1.1", Way::Dear(4)));
        look(&bench).await;
        orders(&bench, 5..9).await;
        let undone = row(&bench);
        assert_eq!(undone.current.version, "1.0");
        assert!(
            undone.bad[0].reason.contains("4 requests, before 2"),
            "{:?}",
            undone.bad
        );
        all_made(&bench, 0..9).await;
        // Less than twice is a build's own business.
        folder.put("erp.wasm", Script::new("1.2", Way::Dear(3)));
        look(&bench).await;
        bench.pass(601).await;
        assert_eq!(row(&bench).current.version, "1.2");
        bench.end().await;
    });
}

#[test]
fn a_bad_build_that_is_replaced_on_its_trial_is_nothing_to_go_back_to() {
    case(|bench, folder| async move {
        orders(&bench, 0..3).await;
        // Nothing is written meanwhile: nobody sees yet how bad the first one is.
        folder.put("erp.wasm", Script::new("1.1", Way::Traps));
        look(&bench).await;
        assert_eq!(row(&bench).current.version, "1.1");
        folder.put("erp.wasm", Script::new("1.2", Way::Traps));
        look(&bench).await;
        assert_eq!(row(&bench).current.version, "1.2");
        orders(&bench, 3..7).await;
        bench.pass(60).await;
        let undone = row(&bench);
        assert_eq!(undone.current.version, "1.0", "{:?}", undone.bad);
        all_made(&bench, 0..7).await;
        bench.end().await;
    });
}

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

#[test]
fn a_file_that_is_gone_leaves_the_running_build_alone_also_after_a_start() {
    case(|bench, folder| async move {
        folder.remove("erp.wasm");
        look(&bench).await;
        let shown = view(&bench).await;
        assert_eq!(shown.state, ConnectorState::Running);
        assert!(shown.file.sentence.contains("gone"), "{:?}", shown.file);
        let store = bench.kill();
        let bench = Bench::with_folder(Start::default(), &folder, Some(store)).await;
        orders(&bench, 0..2).await;
        all_made(&bench, 0..2).await;
        bench.end().await;
    });
}

#[test]
fn two_files_with_one_connector_are_told_apart() {
    case(|bench, folder| async move {
        folder.put("other.wasm", Script::new("1.1", Way::Good));
        look(&bench).await;
        let refused = view(&bench).await.refused.expect("the second is refused");
        assert_eq!(refused.file, "other.wasm");
        assert!(refused.reason.contains("`erp.wasm` holds"), "{refused:?}");
        // The first goes: the second stands for the connector.
        folder.remove("erp.wasm");
        look(&bench).await;
        assert_eq!(row(&bench).current.version, "1.1");
        bench.end().await;
    });
}

#[test]
fn a_person_goes_back_and_chooses_again() {
    case(|bench, folder| async move {
        let next = Script::new("1.1", Way::Good);
        folder.put("erp.wasm", next.clone());
        look(&bench).await;
        let version = bench.handle.roll_back_connector("erp", "ann").await;
        assert_eq!(version.expect("1.0 is kept"), "1.0");
        look(&bench).await;
        let left = row(&bench);
        assert_eq!(left.current.version, "1.0");
        assert!(!left.bad[0].by_itself && left.bad[0].reason.contains("ann"));
        assert!(
            bench
                .handle
                .roll_back_connector("erp", "ann")
                .await
                .is_err()
        );
        let hash = next.hash();
        let chosen = bench
            .handle
            .choose_connector("erp", &hash[..8], "ann")
            .await;
        chosen.expect("its file is there");
        bench.pass(2).await;
        let back = row(&bench);
        assert_eq!(back.current.version, "1.1");
        assert!(back.bad.is_empty() && back.trial.is_some());
        let earlier = Script::new("1.0", Way::Good).hash();
        bench
            .handle
            .choose_connector("erp", &earlier, "ann")
            .await
            .expect("a copy is kept");
        assert_eq!(row(&bench).current.version, "1.0");
        assert!(
            bench
                .handle
                .choose_connector("erp", "ffffffff", "ann")
                .await
                .is_err()
        );
        bench.end().await;
    });
}

#[test]
fn three_copies_are_kept_and_a_lost_one_is_made_again() {
    case(|bench, folder| async move {
        for version in ["1.1", "1.2", "1.3", "1.4"] {
            folder.put("erp.wasm", Script::new(version, Way::Good));
            look(&bench).await;
            // Its trial passes.
            bench.pass(601).await;
        }
        let known = row(&bench);
        let before: Vec<&str> = known.previous.iter().map(|b| b.version.as_str()).collect();
        assert_eq!(
            (known.current.version.as_str(), before),
            ("1.4", vec!["1.3", "1.2"])
        );
        assert_eq!(folder.kept().len(), 3);
        // The copy in force is lost, and the folder still has it.
        folder.lose_copy(&known.current.hash);
        let store = bench.kill();
        let bench = Bench::with_folder(Start::default(), &folder, Some(store)).await;
        assert_eq!(row(&bench).current.version, "1.4");
        assert_eq!(folder.kept().len(), 3);
        // Lost in both places: the one before starts.
        folder.lose_copy(&known.current.hash);
        folder.remove("erp.wasm");
        let store = bench.kill();
        let bench = Bench::with_folder(Start::default(), &folder, Some(store)).await;
        assert_eq!(row(&bench).current.version, "1.3");
        // Each start of a bench begins at the same time of day: up to when the feeds are due again.
        bench.pass(4 * 601).await;
        orders(&bench, 0..2).await;
        all_made(&bench, 0..2).await;
        bench.end().await;
    });
}

#[test]
fn a_kill_during_a_trial_goes_on_with_it() {
    case(|bench, folder| async move {
        orders(&bench, 0..3).await;
        folder.put("erp.wasm", Script::new("1.1", Way::Traps));
        look(&bench).await;
        bench.send(order("O3", 1, nothing));
        while row(&bench).trial.is_none_or(|t| t.bad.is_empty()) {
            bench.pass(1).await;
        }
        let store = bench.kill();
        let bench = Bench::with_folder(Start::default(), &folder, Some(store)).await;
        assert_eq!(folder.loads().last().map(String::as_str), Some("1.1"));
        bench.pass(120).await;
        orders(&bench, 4..7).await;
        let undone = row(&bench);
        assert_eq!(undone.current.version, "1.0", "{undone:?}");
        assert_eq!(bench.order("O3").stage, OrderStage::Created);
        bench.end().await;
    });
}
