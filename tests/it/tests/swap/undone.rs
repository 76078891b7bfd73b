//! Builds that misbehave on their trial, and orders that only look as if a build did.

use super::{all_made, audits, case, look, nothing, orders, row, view};
use waybill_engine::swap::view::ConnectorState;
use waybill_it::bench::{Bench, Start, held, order};
use waybill_it::swapped::{POISON, Script, Way};
use waybill_model::ids::Generation;
use waybill_model::order_state::OrderStage;

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
