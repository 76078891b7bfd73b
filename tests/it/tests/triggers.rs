//! Shipments that are reported when the sale gets a chosen status, whatever its goods-out note shows.

use std::sync::{Arc, Mutex};
use waybill_it::bench::{Bench, ERP, Start, held, in_simulated_time, order, receipt};
use waybill_model::document::{Document, Entity, Shipment, Stage};
use waybill_model::order_state::OrderStage;
use waybill_store::Read;

/// Keys of the notes that the network was told, newest last.
type Told = Arc<Mutex<Vec<String>>>;

/// Runs a case with order 1, whose sale is made, and with these settings.
fn sold<F: Future<Output = ()>>(
    settings: &'static [(&'static str, &'static str)],
    test: impl FnOnce(Bench, Told) -> F,
) {
    in_simulated_time(async {
        let start = Start {
            cancels: true,
            settings,
            ..Start::default()
        };
        let bench = Bench::start(start);
        let told = Told::default();
        let seen = told.clone();
        *held(&bench.network.on_push) = Box::new(move |batch| {
            let keys = batch.iter().map(|d| d.document.key.clone());
            held(&seen).extend(keys.clone());
            Ok(keys.map(|key| receipt(&format!("P{key}"))).collect())
        });
        bench.send(order("1", 1, |_| ()));
        bench.pass(30).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        test(bench, told).await;
    });
}

/// The sale of order 1 with that status.
fn state(bench: &Bench, revision: &str, status: &str) -> Document {
    bench.state("1", revision, |sale| status.clone_into(&mut sale.status))
}

fn printed(note: &mut Shipment) {
    note.stage = Stage::Printed;
}

const AT_A_STATUS: &[(&str, &str)] = &[
    ("shipments.trigger", "status"),
    ("shipments.statuses", "22, 23"),
];

#[test]
fn a_note_is_reported_once_its_sale_has_a_chosen_status() {
    sold(AT_A_STATUS, |bench, told| async move {
        bench.ship(bench.note("700", "1", printed));
        bench.pass(60).await;
        assert!(held(&told).is_empty(), "no status is known");
        bench.ship(state(&bench, "1", "21"));
        bench.pass(60).await;
        assert!(held(&told).is_empty(), "another status");
        bench.ship(state(&bench, "2", "23"));
        bench.pass(60).await;
        assert_eq!(*held(&told), ["700"]);
        bench.ship(state(&bench, "3", "22"));
        bench.ship(bench.note("700", "1", |_| ()));
        bench.pass(2 * 3_600).await;
        assert_eq!(*held(&told), ["700"], "told once");
        bench.end().await;
    });
}

#[test]
fn a_status_that_came_before_the_note_counts() {
    sold(AT_A_STATUS, |bench, told| async move {
        bench.ship(state(&bench, "1", "22"));
        bench.pass(60).await;
        bench.ship(bench.note("700", "1", printed));
        bench.pass(60).await;
        assert_eq!(*held(&told), ["700"]);
        bench.end().await;
    });
}

#[test]
fn a_state_that_was_never_told_is_asked_for() {
    sold(AT_A_STATUS, |bench, told| async move {
        // Handed out to whoever asks for it, and by no poll.
        bench.erp.hide_after(held(&bench.erp.documents).len() + 1);
        bench.ship(bench.note("700", "1", printed));
        bench.ship(state(&bench, "1", "22"));
        bench.pass(10 * 60).await;
        assert_eq!(*held(&told), ["700"]);
        bench.end().await;
    });
}

#[test]
fn without_a_chosen_status_the_note_waits_for_a_person() {
    sold(
        &[("shipments.trigger", "status")],
        |bench, told| async move {
            bench.ship(bench.note("700", "1", |_| ()));
            bench.pass(60).await;
            assert_eq!(bench.codes(), ["no-status"]);
            assert!(held(&told).is_empty());
            bench.set("shipments.trigger", "shipped");
            let card = bench.cards().remove(0).id;
            bench.handle.retry_card(&card, "ann").await.expect("a card");
            bench.pass(60).await;
            assert_eq!(*held(&told), ["700"]);
            bench.end().await;
        },
    );
}

#[test]
fn a_cancelled_order_is_not_reported_by_a_status_either() {
    sold(AT_A_STATUS, |bench, told| async move {
        bench.send(order("1", 2, |order| {
            order.phase = waybill_model::document::OrderPhase::Cancelled;
            for line in &mut order.lines {
                line.cancelled = line.quantity;
            }
        }));
        bench.ship(bench.note("700", "1", |_| ()));
        bench.ship(state(&bench, "1", "22"));
        bench.pass(60).await;
        assert!(!held(&told).contains(&"700".to_owned()));
        let known = bench.store.read(|rx| {
            rx.latest_document(ERP, Entity::Shipment, "700")
                .map(|d| d.is_some())
        });
        assert!(known.expect("the store reads"), "and it is not forgotten");
        bench.end().await;
    });
}

/// What a source answers about the sale of order 1 as a whole.
fn whole(bench: &Bench, change: impl FnOnce(&mut Shipment)) -> Document {
    let sale = bench.order("1").sale_key.expect("the sale is made");
    bench.note(&format!("order:{sale}"), "1", change)
}

/// What is shipped from here on but for the first document is handed out to whoever asks for it, and by no poll.
fn hide_all_but_the_next(bench: &Bench) {
    bench.erp.hide_after(held(&bench.erp.documents).len() + 1);
}

#[test]
fn a_sale_without_a_note_is_reported_once_it_has_a_chosen_status() {
    sold(AT_A_STATUS, |bench, told| async move {
        hide_all_but_the_next(&bench);
        bench.ship(state(&bench, "1", "22"));
        let whole = whole(&bench, |_| ());
        let key = whole.key.clone();
        bench.ship(whole);
        bench.pass(60).await;
        assert!(held(&told).is_empty(), "a note may come");
        bench.pass(10 * 60).await;
        assert_eq!(*held(&told), [key]);
        bench.end().await;
    });
}

#[test]
fn a_note_that_comes_meanwhile_is_reported_in_place_of_its_sale() {
    sold(AT_A_STATUS, |bench, told| async move {
        hide_all_but_the_next(&bench);
        bench.ship(state(&bench, "1", "22"));
        bench.pass(60).await;
        hide_all_but_the_next(&bench);
        bench.ship(bench.note("700", "1", printed));
        // An answer from before the note.
        bench.ship(whole(&bench, |_| ()));
        bench.pass(10 * 60).await;
        assert_eq!(*held(&told), ["700"]);
        bench.end().await;
    });
}

#[test]
fn a_note_that_comes_late_is_reported_in_place_of_its_sale() {
    sold(AT_A_STATUS, |bench, told| async move {
        hide_all_but_the_next(&bench);
        bench.ship(state(&bench, "1", "22"));
        bench.ship(whole(&bench, |sale| sale.parcels[0].tracking = None));
        bench.pass(10 * 60).await;
        assert!(held(&told).is_empty(), "it waits for its number");
        hide_all_but_the_next(&bench);
        bench.ship(bench.note("700", "1", printed));
        bench.pass(2 * 3_600).await;
        assert_eq!(*held(&told), ["700"]);
        bench.end().await;
    });
}

#[test]
fn a_sale_that_waits_for_its_number_becomes_a_card_and_goes_on_by_itself() {
    sold(AT_A_STATUS, |bench, told| async move {
        hide_all_but_the_next(&bench);
        bench.ship(state(&bench, "1", "22"));
        bench.ship(whole(&bench, |sale| sale.parcels[0].tracking = None));
        bench.pass(26 * 3_600).await;
        assert_eq!(bench.codes(), ["no-tracking"]);
        let mut numbered = whole(&bench, |_| ());
        "2".clone_into(&mut numbered.revision);
        let key = numbered.key.clone();
        bench.ship(numbered);
        bench.pass(3 * 3_600).await;
        assert_eq!(*held(&told), [key]);
        assert!(bench.codes().is_empty());
        bench.end().await;
    });
}

#[test]
fn a_sale_is_not_reported_as_a_whole_where_notes_are() {
    sold(&[], |bench, told| async move {
        hide_all_but_the_next(&bench);
        bench.ship(state(&bench, "1", "22"));
        bench.ship(whole(&bench, |_| ()));
        bench.pass(3_600).await;
        assert!(held(&told).is_empty());
        bench.end().await;
    });
}
