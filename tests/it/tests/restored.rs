//! A database that was restored knows nothing of what was reported after its backup: what its order's source shows decides
//! about each note, one case at a time.

use std::sync::{Arc, Mutex};
use waybill_engine::replay::ReplayScope;
use waybill_it::bench::{Bench, NETWORK, Start, held, order, parcel, receipt};
use waybill_model::contract::Verdict;
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Document, Entity, Extra, Order, OrderPhase, Part, Shipment};
use waybill_model::ids::Millis;
use waybill_model::job::{Ending, JobState, Work};
use waybill_store::Tx;

const MINUTE: u64 = 60;
/// Long enough for everything to be read and told.
const SETTLED: u64 = 25 * MINUTE;

type Lines = Arc<Mutex<Vec<(String, i64)>>>;

/// Runs a case with order 1, whose sale is made, in a database that was restored just now; what is told goes in there.
fn restored<F: Future<Output = ()>>(test: impl FnOnce(Bench, Lines) -> F) {
    waybill_it::bench::in_simulated_time(async {
        let bench = Bench::start(Start::default());
        bench.send(order("1", 1, |_| {}));
        bench.pass(30).await;
        let now = bench.clock.now_ms();
        bench
            .store
            .write_blocking(move |tx| tx.mark_restored(now - 10_000, false, true, "test", now))
            .expect("the mark is stored");
        let told = Lines::default();
        let seen = told.clone();
        *held(&bench.network.on_push) = Box::new(move |batch| {
            let told = batch.iter().map(|d| tell(&seen, &d.document));
            Ok(told.collect())
        });
        test(bench, told).await;
    });
}

fn tell(told: &Lines, document: &Document) -> Verdict {
    let Body::Shipment(shipment) = &document.body else {
        panic!("not a shipment")
    };
    let lines = shipment.parcels.iter().flat_map(|p| &p.lines);
    let units = lines.map(|line| line.quantity.normal().units).sum();
    held(told).push((document.key.clone(), units));
    receipt(&format!("P{}", document.key))
}

/// Revision 2 of order 1: so many of its five units are shipped, in these parcels.
fn shown(shipped: i64, parcels: &[(&str, i64)]) -> Document {
    order("1", 2, |o: &mut Order| {
        o.phase = OrderPhase::Accepted;
        o.lines[0].shipped = Decimal::whole(shipped);
        o.extras = parcels
            .iter()
            .map(|(tracking, units)| Extra {
                name: format!("package {tracking}"),
                value: format!("1: {units}"),
            })
            .collect();
    })
}

fn units(count: i64) -> impl FnOnce(&mut Shipment) {
    move |note| note.parcels[0].lines[0].quantity = Decimal::whole(count)
}

/// So many components of line 1, which has two, at that time.
fn component(item: &'static str, count: i64, later: Millis) -> impl FnOnce(&mut Shipment) {
    move |note| {
        note.shipped_at = note.shipped_at.map(|at| at + later);
        note.parcels[0].lines[0].quantity = Decimal::whole(count);
        note.parcels[0].lines[0].part = Some(Part {
            item: item.to_owned(),
            per_unit: Decimal::whole(1),
            parts: 2,
        });
    }
}

fn telling(told: &Lines) -> Vec<(String, i64)> {
    let mut all = held(told).clone();
    all.sort();
    all
}

fn line(note: &str, units: i64) -> (String, i64) {
    (note.to_owned(), units)
}

fn ending(bench: &Bench, note: &str) -> JobState {
    let jobs = bench.jobs("1").into_iter();
    let mut own = jobs.filter(|j| matches!(j.work, Work::Push(_)) && j.key == note);
    own.next_back().expect("the note has a job").state
}

#[test]
fn nothing_leaves_before_its_order_was_read_once_more() {
    restored(|bench, told| async move {
        // No feed tells what is shipped of it: only who asks for the order is told.
        bench.network.hide_after(1);
        bench.send(shown(2, &[("1Z700", 2)]));
        bench.ship(bench.note("700", "1", units(2)));
        bench.ship(bench.note("701", "1", units(3)));
        bench.pass(10 * MINUTE).await;
        assert_eq!(telling(&told), []);
        assert!(bench.codes().is_empty());
        assert_eq!(bench.network.count("fetch"), 0);
        bench.pass(SETTLED).await;
        assert!(bench.network.count("fetch") > 0);
        // The first is there, with these units: the connector finds it. The second is not.
        assert_eq!(telling(&told), [line("700", 2), line("701", 3)]);
        assert!(bench.codes().is_empty());
        bench.end().await;
    });
}

#[test]
fn a_parcel_that_is_shown_is_never_told_with_other_units() {
    restored(|bench, told| async move {
        bench.send(shown(2, &[("1Z700", 2)]));
        bench.ship(bench.note("700", "1", units(3)));
        bench.pass(SETTLED).await;
        assert_eq!(telling(&told), []);
        assert_eq!(bench.codes(), ["maybe-reported"]);
        bench.end().await;
    });
}

#[test]
fn units_of_which_nobody_can_say_whose_they_are_are_a_card() {
    // By another tracking number, and without any parcel.
    for parcels in [&[("1ZOLD", 2)][..], &[]] {
        restored(|bench, told| async move {
            bench.send(shown(2, parcels));
            bench.ship(bench.note("700", "1", units(2)));
            bench.pass(SETTLED).await;
            assert_eq!(telling(&told), []);
            assert_eq!(bench.codes(), ["maybe-reported"]);
            let words = bench.order("1").problem.unwrap_or_default();
            assert_eq!(
                words,
                "Network shows 2 of line 1 (A thing) of order PO-1 as shipped that nothing here was reported for: the database was restored, and goods-out note 700 may be reported already."
            );
            // Nobody decides it by trying everything again.
            let again = ReplayScope::AllParked;
            bench.handle.replay(again, false, "ann").await.unwrap();
            bench.pass(MINUTE).await;
            assert_eq!(telling(&told), []);
            // A person who compared does, in these very words.
            let id = bench.cards()[0].id.clone();
            bench.handle.retry_card(&id, "ann").await.unwrap();
            bench.pass(MINUTE).await;
            assert_eq!(telling(&told), [line("700", 2)]);
            bench.end().await;
        });
    }
}

#[test]
fn a_card_goes_by_itself_once_the_note_is_shown() {
    restored(|bench, told| async move {
        bench.send(shown(2, &[]));
        bench.ship(bench.note("700", "1", units(2)));
        bench.pass(SETTLED).await;
        assert_eq!(bench.codes(), ["maybe-reported"]);
        let Body::Order(body) = shown(2, &[("1Z700", 2)]).body else {
            panic!("not an order")
        };
        bench.send(order("1", 3, |o| *o = body));
        bench.pass(MINUTE).await;
        assert!(bench.codes().is_empty());
        assert_eq!(telling(&told), [line("700", 2)]);
        bench.end().await;
    });
}

#[test]
fn a_kit_that_another_note_was_reported_with_is_not_reported_again() {
    restored(|bench, told| async move {
        // Note 701 came late then, and 702 made the kit whole. By their dates it would be 701.
        bench.send(shown(1, &[("1Z702", 1)]));
        bench.ship(bench.note("700", "1", component("A", 1, 0)));
        bench.ship(bench.note("701", "1", component("B", 1, 1_000)));
        bench.ship(bench.note("702", "1", component("B", 1, 2_000)));
        bench.pass(SETTLED).await;
        assert_eq!(telling(&told), [line("702", 1)]);
        assert!(bench.codes().is_empty());
        let first = JobState::Done(Ending::Merged("702".to_owned()));
        assert_eq!(ending(&bench, "700"), first);
        assert!(matches!(ending(&bench, "701"), JobState::Resting { .. }));
        bench.end().await;
    });
}

#[test]
fn an_order_that_cannot_be_read_is_a_persons_to_look_at() {
    restored(|bench, told| async move {
        held(&bench.network.gone).insert("1".to_owned());
        bench.ship(bench.note("700", "1", |note| {
            note.parcels = vec![parcel(Some("A"), &[("1", 5)])];
        }));
        bench.pass(60 * MINUTE).await;
        assert!(bench.codes().is_empty());
        let detail = bench.handle.order(bench.order("1").id).await.unwrap();
        let state = detail.unwrap().shipments[0].state.clone();
        assert_eq!(
            state,
            "Waits until its order is read once more, since the database was restored"
        );
        bench.pass(30 * MINUTE).await;
        assert_eq!(bench.codes(), ["maybe-reported"]);
        assert_eq!(telling(&told), []);
        assert!(bench.network.count("fetch") < 30, "it asks too often");
        // Once it can be read, it goes on by itself.
        held(&bench.network.gone).clear();
        let now = bench.clock.now_ms();
        let hint = move |tx: &mut Tx<'_>| tx.hint(NETWORK, Entity::Order, "1", now);
        bench.store.write_blocking(hint).unwrap();
        bench.pass(MINUTE).await;
        assert!(bench.codes().is_empty());
        assert_eq!(telling(&told), [line("700", 5)]);
        bench.end().await;
    });
}

#[test]
fn what_left_after_the_restore_waits_for_nothing() {
    restored(|bench, told| async move {
        bench.pass(61 * MINUTE).await;
        let now = bench.clock.now_ms();
        bench.send(shown(2, &[]));
        bench.ship(bench.note("700", "1", |note| {
            note.shipped_at = Some(now);
            units(3)(note);
        }));
        bench.pass(MINUTE).await;
        assert_eq!(telling(&told), [line("700", 3)]);
        assert_eq!(bench.network.count("fetch"), 0);
        bench.end().await;
    });
}
