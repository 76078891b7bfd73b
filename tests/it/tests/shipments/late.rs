//! Notes that are not ready yet: before their trigger, without a tracking number, gone again.

use super::{HOUR, line, lines, shipments, sold, timeline, told, units, whole, words};
use waybill_it::bench::{ERP, held, note};
use waybill_model::document::{Entity, Stage};
use waybill_model::job::{Ending, JobState};
use waybill_model::order_state::OrderStage;
use waybill_store::Read;

#[test]
fn a_note_before_the_retailers_trigger_waits_without_a_card() {
    sold(|bench| async move {
        let told = told(&bench);
        let picked = bench.note("700", "1", |note| {
            note.stage = Stage::Picked;
            note.shipped_at = None;
        });
        bench.ship(picked);
        bench.pass(30).await;
        assert!(held(&told).is_empty());
        assert!(bench.codes().is_empty());
        assert!(matches!(
            shipments(&bench)[0].state,
            JobState::Resting { .. }
        ));
        let row = bench.order("1");
        let detail = bench.handle.order(row.id).await.unwrap().unwrap();
        assert_eq!(
            detail.shipments[0].state,
            "Waits until it is shipped; it is picked"
        );
        assert!(held(&bench.erp.stages).contains("shipped"));
        // A shipped note of the same order does not wait behind it.
        bench.ship(bench.note("701", "1", units(1)));
        bench.pass(30).await;
        assert_eq!(lines(&told), [line("701", "1", 1)]);
        // The merchant reports at an earlier stage from now on: what waits is looked at again.
        bench.set("shipments.trigger", "picked");
        let hint = bench.store.read(|rx| rx.hint(ERP, Entity::Shipment, "700"));
        assert!(hint.unwrap().is_some());
        bench.pass(4 * 60).await;
        assert_eq!(bench.codes(), ["above-open"]);
        bench.end().await;
    });
}

#[test]
fn a_tracking_number_may_come_late_but_not_for_ever() {
    sold(|bench| async move {
        let told = told(&bench);
        bench.set("shipments.tracking-grace-hours", "1");
        let sale = bench.order("1").sale_key.unwrap();
        let bare = |revision| note("700", &sale, revision, |n| n.parcels[0].tracking = None);
        bench.ship(bare(1));
        bench.pass(HOUR / 2).await;
        assert!(bench.codes().is_empty());
        assert!(timeline(&bench).contains("Waits for its tracking number"));
        bench.pass(HOUR).await;
        assert_eq!(bench.codes(), ["no-tracking"]);
        assert_eq!(words(&bench), "No tracking number on goods-out note 700.");
        bench.ship(note("700", &sale, 2, whole));
        bench.pass(30).await;
        assert!(bench.codes().is_empty());
        assert_eq!(lines(&told), [line("700", "1", 5)]);
        assert_eq!(bench.order("1").stage, OrderStage::Shipped);
        bench.end().await;
    });
}

#[test]
fn a_waiting_note_is_read_again_by_itself() {
    sold(|bench| async move {
        let told = told(&bench);
        let sale = bench.order("1").sale_key.unwrap();
        bench.ship(note("700", &sale, 1, |n| n.parcels[0].tracking = None));
        bench.pass(30).await;
        // No poll shows the tracking number: only reading the note itself does.
        let polled = held(&bench.erp.documents).len();
        bench.erp.hide_after(polled);
        bench.ship(note("700", &sale, 2, whole));
        bench.pass(60).await;
        assert!(held(&told).is_empty());
        bench.pass(120).await;
        assert!(bench.erp.count("fetch") > 0);
        assert_eq!(lines(&told), [line("700", "1", 5)]);
        bench.end().await;
    });
}

#[test]
fn a_note_that_is_gone_is_withdrawn_and_one_that_was_told_is_a_card() {
    sold(|bench| async move {
        let told = told(&bench);
        bench.ship(bench.note("700", "1", |n| n.parcels[0].tracking = None));
        bench.ship(bench.note("701", "1", units(2)));
        bench.pass(30).await;
        held(&bench.erp.gone).extend(["700".to_owned(), "701".to_owned()]);
        bench.pass(4 * 60).await;
        assert!(timeline(&bench).contains("Goods-out note 700 is gone"));
        assert_eq!(
            shipments(&bench)[0].state,
            JobState::Done(Ending::Withdrawn)
        );
        assert!(bench.codes().is_empty());
        let (erp, now) = (ERP, bench.clock.now_ms());
        for _ in 0..2 {
            bench
                .store
                .write_blocking(move |tx| tx.hint(erp, Entity::Shipment, "701", now))
                .unwrap();
            bench.pass(120).await;
        }
        assert_eq!(bench.codes(), ["gone-after-report"]);
        assert_eq!(lines(&told), [line("701", "1", 2)]);
        bench.end().await;
    });
}

#[test]
fn a_merchant_may_report_without_tracking() {
    sold(|bench| async move {
        let told = told(&bench);
        bench.set("shipments.tracking", "send");
        bench.ship(bench.note("700", "1", |n| n.parcels[0].tracking = None));
        bench.pass(30).await;
        assert_eq!(lines(&told), [line("700", "1", 5)]);
        bench.end().await;
    });
}
