//! How many invoices a retailer takes, and what becomes of those that an older policy left out.

use super::{HOUR, sold, sum};
use waybill_it::bench::{billed, held, invoice};
use waybill_model::job::{Ending, JobState};
use waybill_model::order_state::OrderStage;

#[test]
fn one_per_order_waits_for_the_last_parcel() {
    sold("order", |case| async move {
        case.ship("7", &[("1", 3)]);
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        assert!(case.sums().is_empty());
        assert_eq!(case.stage(), OrderStage::PartShipped);
        case.ship("8", &[("1", 2), ("2", 2)]);
        case.bench.pass(60).await;
        let all = [("1", 5), ("2", 2)];
        assert_eq!(case.sums(), [sum("SI-1", "55.50", &all)]);
        let tracking = held(&case.sent)[0].extras[0].value.clone();
        assert_eq!(tracking, "1Z7,1Z8");
        assert_eq!(case.stage(), OrderStage::Invoiced);
        case.bench.end().await;
    });
}

#[test]
fn two_shipments_and_one_invoice_are_two_invoices_per_shipment() {
    sold("shipment", |case| async move {
        case.ship("7", &[("1", 3)]);
        case.bench.pass(60).await;
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        assert_eq!(case.sums(), [sum("SI-1-7", "28.50", &[("1", 3)])]);
        assert_eq!(held(&case.sent)[0].extras[0].value, "1Z7");
        case.ship("8", &[("1", 2), ("2", 2)]);
        case.bench.pass(60).await;
        assert_eq!(
            case.sums()[1..],
            [sum("SI-1-8", "27.00", &[("1", 2), ("2", 2)])]
        );
        assert_eq!(held(&case.sent)[1].extras[0].value, "1Z8");
        assert_eq!(case.stage(), OrderStage::Invoiced);
        let root = &case.invoices()[0];
        assert_eq!(
            root.state,
            JobState::Done(Ending::Merged("SI-1-8".to_owned()))
        );
        case.bench.end().await;
    });
}

#[test]
fn one_shipment_of_everything_needs_no_number_of_its_own() {
    sold("shipment", |case| async move {
        case.bill_all("SI-1");
        case.ship_all();
        case.bench.pass(60).await;
        let all = [("1", 5), ("2", 2)];
        assert_eq!(case.sums(), [sum("SI-1", "55.50", &all)]);
        case.bench.end().await;
    });
}

#[test]
fn whole_lines_are_never_split() {
    sold("lines", |case| async move {
        case.bill_all("SI-1");
        case.ship("7", &[("1", 3)]);
        case.bench.pass(60).await;
        assert!(case.sums().is_empty());
        case.ship("8", &[("2", 2)]);
        case.bench.pass(60).await;
        assert_eq!(case.sums(), [sum("SI-1-L2", "8.00", &[("2", 2)])]);
        case.ship("9", &[("1", 2)]);
        case.bench.pass(60).await;
        assert_eq!(case.sums()[1..], [sum("SI-1-L1", "47.50", &[("1", 5)])]);
        assert_eq!(case.stage(), OrderStage::Invoiced);
        case.bench.end().await;
    });
}

#[test]
fn a_retailer_without_invoices_gets_none() {
    sold("none", |case| async move {
        case.bill_all("SI-1");
        case.ship_all();
        case.bench.pass(60).await;
        assert!(case.sums().is_empty());
        assert!(case.bench.codes().is_empty());
        assert_eq!(case.stage(), OrderStage::Shipped);
        case.bench.end().await;
    });
}

#[test]
fn what_a_policy_left_out_is_sent_once_it_changes() {
    sold("none", |case| async move {
        case.ship_all();
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        // What was corrected meanwhile was never sent: it is no change of anything.
        let mut newer = invoice(
            &case.sale(),
            "SI-1",
            vec![billed("1", 4, 950), billed("2", 2, 400)],
        );
        newer.revision = "2".to_owned();
        case.bench.ship(newer);
        case.bench.pass(60).await;
        assert!(case.bench.codes().is_empty());
        // Another retailer's, and one that takes up nothing of before.
        case.takes(Some("R9"), "invoices.policy", "order").await;
        case.takes(None, "invoices.again-days", "0").await;
        case.takes(None, "invoices.policy", "lines").await;
        case.bench.pass(60).await;
        assert!(case.sums().is_empty());
        case.takes(None, "invoices.again-days", "1").await;
        case.takes(None, "invoices.policy", "none").await;
        case.bench.pass(60).await;
        assert!(case.sums().is_empty());
        case.takes(Some("R1"), "invoices.policy", "shipment").await;
        case.bench.pass(60).await;
        assert_eq!(case.bench.codes(), ["above-shipped"; 0]);
        assert_eq!(case.sums().len(), 1, "{:?}", case.sums());
        assert_eq!(case.sums()[0].2, [("1".to_owned(), 4), ("2".to_owned(), 2)]);
        // Once is enough, whatever else is set.
        case.takes(Some("R1"), "invoices.policy", "order").await;
        case.bench.pass(60).await;
        assert_eq!(case.sums().len(), 1);
        case.bench.end().await;
    });
}

#[test]
fn an_invoice_from_long_before_a_change_stays_where_it_is() {
    sold("none", |case| async move {
        case.ship_all();
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        // Nothing is read for a day.
        let pause = async |paused: bool| {
            for name in ["network", "erp"] {
                let paused = case.bench.handle.pause(name, paused, "ann").await;
                paused.expect("it may be paused");
            }
        };
        pause(true).await;
        case.bench.pass(26 * HOUR).await;
        pause(false).await;
        case.takes(None, "invoices.again-days", "1").await;
        case.takes(None, "invoices.policy", "order").await;
        case.bench.pass(60).await;
        assert!(case.sums().is_empty());
        assert!(case.invoices().iter().all(|job| job.state.is_done()));
        case.bench.end().await;
    });
}

#[test]
fn a_card_of_the_old_policy_goes_on_unless_it_was_left_alone() {
    for left_alone in [false, true] {
        sold("order", |case| async move {
            case.ship_all();
            case.bill("SI-1", vec![billed("1", 5, 950)]);
            case.bench.pass(60).await;
            assert_eq!(case.bench.codes(), ["invoice-cut"]);
            if left_alone {
                let card = case.bench.cards().remove(0);
                let left = case.bench.handle.ignore_card(&card.id, "by hand", "ann");
                left.await.expect("it may be left");
            }
            case.takes(Some("R1"), "invoices.policy", "lines").await;
            case.bench.pass(60).await;
            assert!(case.bench.codes().is_empty());
            assert_eq!(case.sums().len(), usize::from(!left_alone));
            case.bench.end().await;
        });
    }
}

#[test]
fn an_invoice_that_leaves_out_what_shipped_is_a_card_where_one_is_taken() {
    sold("order", |case| async move {
        case.ship_all();
        case.bill("SI-1", vec![billed("1", 5, 950)]);
        case.bench.pass(60).await;
        assert_eq!(case.bench.codes(), ["invoice-cut"]);
        assert!(case.problem().contains("2 of line 2"), "{}", case.problem());
        case.retry().await;
        assert_eq!(case.sums(), [sum("SI-1", "47.50", &[("1", 5)])]);
        case.bench.end().await;
    });
}
