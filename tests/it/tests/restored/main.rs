//! A database that was restored knows nothing of what was reported after its backup: what its order's source shows decides
//! about each note, cancel and invoice, and a person where it cannot be asked. One case at a time.

mod sale;

use std::sync::{Arc, Mutex};
use waybill_engine::replay::ReplayScope;
use waybill_it::bench::{
    Bench, ERP, NETWORK, Start, billed, held, invoice, order, parcel, receipt,
};
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
    restored_as(Start::default(), test);
}

fn restored_as<F: Future<Output = ()>>(start: Start, test: impl FnOnce(Bench, Lines) -> F) {
    waybill_it::bench::in_simulated_time(async {
        let bench = Bench::start(start);
        bench.send(order("1", 1, |_| {}));
        bench.pass(30).await;
        let now = bench.clock.now_ms();
        bench
            .store
            .write_blocking(move |tx| {
                waybill_it::start::cell(tx, (ERP, NETWORK), "cancel-codes", "*", "CXSO")?;
                tx.mark_restored(now - 10_000, false, true, "test", now)
            })
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
    let units: Vec<Decimal> = match &document.body {
        Body::Shipment(shipment) => {
            let lines = shipment.parcels.iter().flat_map(|p| &p.lines);
            lines.map(|line| line.quantity).collect()
        }
        Body::Cancellation(cancel) => cancel.lines.iter().map(|line| line.quantity).collect(),
        Body::Invoice(made) => made.lines.iter().map(|line| line.quantity).collect(),
        other => panic!("{other:?} is not told"),
    };
    let units = units.iter().map(|units| units.normal().units).sum();
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
fn a_note_of_which_nothing_is_open_was_reported() {
    restored(|bench, told| async move {
        bench.send(shown(5, &[]));
        bench.ship(bench.note("700", "1", units(5)));
        bench.pass(SETTLED).await;
        assert_eq!(telling(&told), []);
        assert!(bench.codes().is_empty());
        let why = "reported before the restore".to_owned();
        assert_eq!(ending(&bench, "700"), JobState::Done(Ending::Ignored(why)));
        bench.end().await;
    });
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

/// Cancels lead both ways.
const CANCELS: Start = Start {
    max_batch: 4,
    route: true,
    cancels: true,
    stock: false,
    invoices: false,
    settings: &[],
    poll_secs: 5,
    gather_secs: 1,
};

/// The merchant has taken so many of the five units off the sale.
fn dropped(bench: &Bench, revision: &str, units: i64) -> Document {
    bench.state("1", revision, |sale| {
        sale.lines[0].cancelled = Decimal::whole(units);
    })
}

/// Revision 2 of order 1: so many of its five units are cancelled.
fn cancelled(units: i64) -> Document {
    order("1", 2, |o: &mut Order| {
        o.phase = OrderPhase::Accepted;
        o.lines[0].cancelled = Decimal::whole(units);
    })
}

async fn everything_again(bench: &Bench) {
    let again = ReplayScope::AllParked;
    let replayed = bench.handle.replay(again, false, "ann").await;
    replayed.expect("it can be asked for");
    bench.pass(MINUTE).await;
}

async fn report_it(bench: &Bench) {
    let id = bench.cards()[0].id.clone();
    let retried = bench.handle.retry_card(&id, "ann").await;
    retried.expect("the card is there");
    bench.pass(MINUTE).await;
}

#[test]
fn where_the_network_cannot_be_asked_a_person_says_whether_a_cancel_was_told() {
    for told_before in [false, true] {
        restored_as(CANCELS, |bench, told| async move {
            held(&bench.network.gone).insert("1".to_owned());
            bench.ship(dropped(&bench, "1", 2));
            bench.pass(60 * MINUTE).await;
            assert!(bench.codes().is_empty());
            assert_eq!(telling(&told), []);
            bench.pass(30 * MINUTE).await;
            assert_eq!(bench.codes(), ["maybe-reported"]);
            let words = bench.order("1").problem.unwrap_or_default();
            assert_eq!(
                words,
                "Order PO-1 could not be read again at Network: the database was restored, and the cancel of its units may be reported already."
            );
            assert!(bench.network.count("fetch") < 30, "it asks too often");
            everything_again(&bench).await;
            assert_eq!(telling(&told), []);
            if told_before {
                let id = bench.cards()[0].id.clone();
                let left = bench.handle.ignore_card(&id, "it is there", "ann").await;
                left.unwrap();
            } else {
                report_it(&bench).await;
            }
            // The sale is read again, and says nothing new.
            bench.ship(dropped(&bench, "2", 2));
            bench.pass(MINUTE).await;
            let once = [line("1", 2)];
            let wanted = if told_before { &once[..0] } else { &once[..] };
            assert_eq!(telling(&told), wanted);
            // What the order shows of it is no other cancel.
            bench.send(cancelled(2));
            bench.pass(MINUTE).await;
            assert_eq!(bench.erp.count("cancel"), 0, "taken off once more");
            assert!(bench.codes().is_empty());
            bench.end().await;
        });
    }
}

#[test]
fn a_cancel_that_the_order_shows_is_not_told_again_and_counts() {
    restored_as(CANCELS, |bench, told| async move {
        // Only who asks for the order is told.
        bench.network.hide_after(1);
        bench.send(cancelled(2));
        bench.ship(dropped(&bench, "1", 2));
        bench.pass(SETTLED).await;
        assert_eq!(telling(&told), []);
        assert!(bench.codes().is_empty());
        assert_eq!(bench.erp.count("cancel"), 0, "nothing more is taken off");
        // One more unit is one more.
        bench.ship(dropped(&bench, "2", 3));
        bench.pass(MINUTE).await;
        assert_eq!(telling(&told), [line("1", 1)]);
        bench.end().await;
    });
}

#[test]
fn what_the_order_shows_before_its_sale_was_read_is_not_taken_off_once_more() {
    restored_as(CANCELS, |bench, told| async move {
        bench.send(cancelled(2));
        bench.pass(MINUTE).await;
        bench.ship(dropped(&bench, "1", 2));
        bench.pass(SETTLED).await;
        assert_eq!(telling(&told), []);
        assert_eq!(bench.erp.count("cancel"), 0, "nothing more is taken off");
        assert!(bench.codes().is_empty());
        // What the retailer cancels from now on is.
        bench.send(order("1", 3, |o: &mut Order| {
            o.phase = OrderPhase::Accepted;
            o.lines[0].cancelled = Decimal::whole(3);
        }));
        bench.pass(MINUTE).await;
        assert_eq!(bench.erp.count("cancel"), 1);
        assert_eq!(telling(&told), []);
        bench.end().await;
    });
}

#[test]
fn a_cancel_that_the_order_does_not_show_is_told_once() {
    restored_as(CANCELS, |bench, told| async move {
        bench.ship(dropped(&bench, "1", 2));
        bench.pass(10 * MINUTE).await;
        assert_eq!(telling(&told), []);
        bench.pass(SETTLED).await;
        assert_eq!(telling(&told), [line("1", 2)]);
        assert!(bench.codes().is_empty());
        bench.end().await;
    });
}

#[test]
fn a_cancel_that_the_order_shows_in_part_is_a_card() {
    restored_as(CANCELS, |bench, told| async move {
        bench.network.hide_after(1);
        bench.send(cancelled(1));
        bench.ship(dropped(&bench, "1", 3));
        bench.pass(SETTLED).await;
        assert_eq!(telling(&told), []);
        assert_eq!(bench.codes(), ["maybe-reported"]);
        let words = bench.order("1").problem.unwrap_or_default();
        assert!(
            words.starts_with("Network shows 1 of line 1 of order PO-1 as cancelled"),
            "{words}"
        );
        assert_eq!(bench.erp.count("cancel"), 0, "nothing more is taken off");
        report_it(&bench).await;
        assert_eq!(telling(&told), [line("1", 3)]);
        bench.end().await;
    });
}

#[test]
fn an_invoice_from_before_waits_for_its_order_or_for_a_person() {
    for readable in [true, false] {
        let start = Start {
            invoices: true,
            ..CANCELS
        };
        restored_as(start, |bench, told| async move {
            bench.send(shown(5, &[("1Z700", 5)]));
            bench.pass(MINUTE).await;
            if !readable {
                held(&bench.network.gone).insert("1".to_owned());
            }
            let sale = bench.order("1").sale_key.unwrap();
            bench.ship(invoice(&sale, "SI-1", vec![billed("1", 5, 950)]));
            bench.pass(10 * MINUTE).await;
            assert_eq!(telling(&told), []);
            bench.pass(80 * MINUTE).await;
            if !readable {
                assert_eq!(bench.codes(), ["maybe-reported"]);
                everything_again(&bench).await;
                assert_eq!(telling(&told), []);
                report_it(&bench).await;
            }
            assert_eq!(telling(&told), [line("SI-1", 5)]);
            assert!(bench.codes().is_empty());
            bench.end().await;
        });
    }
}

#[test]
fn what_comes_long_after_a_restore_is_read_before_a_person_is_asked() {
    let start = Start {
        invoices: true,
        ..CANCELS
    };
    restored_as(start, |bench, told| async move {
        bench.send(shown(5, &[("1Z700", 5)]));
        bench.pass(180 * MINUTE).await;
        let sale = bench.order("1").sale_key.unwrap();
        bench.ship(invoice(&sale, "SI-1", vec![billed("1", 5, 950)]));
        bench.pass(10 * MINUTE).await;
        assert!(bench.codes().is_empty(), "nobody has asked for it yet");
        assert_eq!(telling(&told), [line("SI-1", 5)]);
        bench.end().await;
    });
}

#[test]
fn a_part_of_an_invoice_keeps_its_units_while_it_waits() {
    let start = Start {
        invoices: true,
        ..CANCELS
    };
    restored_as(start, |bench, told| async move {
        bench.set("invoices.policy", "shipment");
        bench.send(shown(0, &[]));
        bench.ship(bench.note("700", "1", units(2)));
        bench.ship(bench.note("701", "1", units(3)));
        bench.pass(SETTLED).await;
        let notes = [line("700", 2), line("701", 3)];
        assert_eq!(telling(&told), notes);
        // Restored once more: both notes are known, the invoice is not.
        let now = bench.clock.now_ms();
        let mark = move |tx: &mut Tx<'_>| tx.mark_restored(now - 10_000, false, true, "test", now);
        bench.store.write_blocking(mark).unwrap();
        let sale = bench.order("1").sale_key.unwrap();
        bench.ship(invoice(&sale, "SI-1", vec![billed("1", 5, 950)]));
        bench.pass(10 * MINUTE).await;
        assert_eq!(telling(&told), notes, "its order is read first");
        bench.pass(SETTLED).await;
        let parts = [line("SI-1-700", 2), line("SI-1-701", 3)];
        assert_eq!(telling(&told)[2..], parts);
        assert!(bench.codes().is_empty());
        bench.end().await;
    });
}

#[test]
fn an_invoice_whose_date_lies_ahead_waits_for_its_order_too() {
    let start = Start {
        invoices: true,
        ..CANCELS
    };
    restored_as(start, |bench, told| async move {
        bench.send(shown(5, &[("1Z700", 5)]));
        bench.pass(MINUTE).await;
        let sale = bench.order("1").sale_key.unwrap();
        let mut ahead = invoice(&sale, "SI-1", vec![billed("1", 5, 950)]);
        if let Body::Invoice(made) = &mut ahead.body {
            made.issued_at += 86_400_000;
        }
        bench.ship(ahead);
        bench.pass(10 * MINUTE).await;
        assert_eq!(telling(&told), [], "its order is read first");
        bench.pass(SETTLED).await;
        assert_eq!(telling(&told), [line("SI-1", 5)]);
        assert!(bench.codes().is_empty());
        bench.end().await;
    });
}
