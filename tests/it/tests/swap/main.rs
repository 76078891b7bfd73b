//! What must happen when a new build of a connector lies in the folder, one case at a time: under orders, on simulated
//! time, with a store that is real.

mod asks;
mod undone;

use std::sync::Arc;
use waybill_engine::swap::view::{ConnectorState, ConnectorView};
use waybill_it::bench::{Bench, Start, held, order};
use waybill_it::swapped::{Folder, Script, Way};
use waybill_model::document::Order;
use waybill_model::ids::Generation;
use waybill_model::order_state::OrderStage;
use waybill_store::{ConnectorRow, Read};

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
