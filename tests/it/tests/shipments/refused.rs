//! Reports that the network refuses, that change after they left, or that a cancel came before.

use super::{answered, line, lines, sold, told, units, whole, words};
use std::sync::{Arc, Mutex};
use waybill_it::bench::{held, note, order, receipt};
use waybill_model::contract::{Failure, Problem};
use waybill_model::document::{Order, OrderPhase};
use waybill_model::order_state::OrderStage;
use waybill_store::Read;

fn cancelled(order: &mut Order) {
    order.phase = OrderPhase::Cancelled;
    for line in &mut order.lines {
        line.cancelled = line.quantity;
    }
}

#[test]
fn a_refusal_is_a_card_with_the_vendors_words_and_a_new_revision_tries_again() {
    sold(|bench| async move {
        let refusing = Arc::new(Mutex::new(true));
        let refuses = refusing.clone();
        let told = answered(&bench, move |note| {
            if *held(&refuses) {
                let words = "Tracking number 1Z700 is not one of UPS.";
                return Err(Failure::Rejected(Problem::new(
                    "bad-tracking",
                    words,
                    "Correct it.",
                )));
            }
            receipt(&format!("P{note}"))
        });
        bench.ship(bench.note("700", "1", whole));
        bench.pass(30).await;
        assert_eq!(bench.codes(), ["bad-tracking"]);
        assert_eq!(words(&bench), "Tracking number 1Z700 is not one of UPS.");
        // What was refused counts no more: nothing stands in the way of what follows.
        *held(&refusing) = false;
        let sale = bench.order("1").sale_key.unwrap();
        bench.ship(note("700", &sale, 2, |n| {
            n.parcels[0].tracking = Some("1Z9".to_owned());
        }));
        bench.pass(30).await;
        assert!(bench.codes().is_empty());
        assert_eq!(lines(&told), [line("700", "1", 5), line("700", "1", 5)]);
        assert_eq!(bench.order("1").stage, OrderStage::Shipped);
        bench.end().await;
    });
}

#[test]
fn a_refused_shipment_may_be_tried_again() {
    sold(|bench| async move {
        let refusing = Arc::new(Mutex::new(true));
        let refuses = refusing.clone();
        let told = answered(&bench, move |note| {
            if std::mem::take(&mut *held(&refuses)) {
                return Err(Failure::Rejected(Problem::new("refused", "No.", "Look.")));
            }
            receipt(&format!("P{note}"))
        });
        bench.ship(bench.note("700", "1", whole));
        bench.pass(30).await;
        let id = bench.cards()[0].id.clone();
        bench.handle.retry_card(&id, "ann").await.unwrap();
        bench.pass(30).await;
        assert_eq!(held(&told).len(), 2);
        assert_eq!(bench.order("1").stage, OrderStage::Shipped);
        bench.end().await;
    });
}

#[test]
fn a_change_after_the_report_is_a_persons_to_carry_over() {
    sold(|bench| async move {
        let told = told(&bench);
        let sale = bench.order("1").sale_key.unwrap();
        bench.ship(note("700", &sale, 1, whole));
        bench.pass(30).await;
        // Nothing the network was told has changed.
        bench.ship(note("700", &sale, 2, |n| n.warehouse = None));
        bench.pass(30).await;
        assert!(bench.codes().is_empty());
        bench.ship(note("700", &sale, 3, |n| {
            n.parcels[0].tracking = Some("1Z9".to_owned());
        }));
        bench.pass(30).await;
        assert_eq!(bench.codes(), ["changed-after-report"]);
        let text = words(&bench);
        assert!(
            text.contains("tracking number 1Z9 instead of 1Z700"),
            "{text}"
        );
        let id = bench.cards()[0].id.clone();
        assert!(bench.handle.retry_card(&id, "ann").await.is_err());
        bench
            .handle
            .ignore_card(&id, "done there", "ann")
            .await
            .unwrap();
        bench.pass(30).await;
        assert!(bench.codes().is_empty());
        assert_eq!(bench.order("1").stage, OrderStage::Shipped);
        assert_eq!(held(&told).len(), 1);
        // Back as it was, and changed again: one card each.
        bench.ship(note("700", &sale, 4, units(4)));
        bench.pass(30).await;
        assert_eq!(bench.codes(), ["changed-after-report"]);
        assert!(
            words(&bench).contains("line 1: 4 instead of 5"),
            "{}",
            words(&bench)
        );
        bench.ship(note("700", &sale, 5, whole));
        bench.pass(30).await;
        assert!(bench.codes().is_empty());
        let days = bench.store.read(|rx| rx.day_counts(1)).unwrap();
        assert_eq!(days[0].shipped, 1);
        bench.end().await;
    });
}

#[test]
fn nothing_cancelled_is_shipped_in_silence() {
    sold(|bench| async move {
        let told = told(&bench);
        bench.send(order("1", 2, cancelled));
        bench.pass(20).await;
        bench.ship(bench.note("700", "1", whole));
        bench.pass(30).await;
        let mut found = bench.codes();
        found.sort();
        assert_eq!(found, ["cancelled-after-sale", "shipped-though-cancelled"]);
        assert!(held(&told).is_empty());
        for card in bench.cards() {
            bench
                .handle
                .ignore_card(&card.id, "settled", "ann")
                .await
                .unwrap();
        }
        assert_eq!(bench.order("1").stage, OrderStage::Cancelled);
        bench.end().await;
    });
}

#[test]
fn the_network_says_that_it_was_cancelled_first() {
    sold(|bench| async move {
        let told = answered(&bench, |_| {
            Err(Failure::Withdrawn(Problem::new(
                "order-cancelled",
                "Order 1 is cancelled.",
                "",
            )))
        });
        bench.ship(bench.note("700", "1", whole));
        bench.pass(30).await;
        assert_eq!(bench.codes(), ["shipped-though-cancelled"]);
        assert!(words(&bench).ends_with("Order 1 is cancelled."));
        assert_eq!(held(&told).len(), 1);
        bench.end().await;
    });
}
