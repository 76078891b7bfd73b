//! An invoice is sent once and a number given once, whatever comes again, changes, is refused or killed.

use super::{answered, sold, sum, two_lines};
use std::sync::{Arc, Mutex};
use waybill_it::bench::{billed, held, invoice, note, order, parcel, receipt};
use waybill_model::contract::{Failure, Problem};
use waybill_model::document::Body;
use waybill_model::order_state::OrderStage;

#[test]
fn the_same_invoice_again_is_sent_once() {
    sold("order", |case| async move {
        case.ship_all();
        for _ in 0..3 {
            case.bill_all("SI-1");
            case.bench.pass(60).await;
        }
        assert_eq!(case.sums().len(), 1);
        assert_eq!(case.invoices().len(), 1);
        // A second one of the same order is a person's.
        let mut second = invoice(&case.sale(), "SI-2", vec![billed("1", 5, 950)]);
        second.key = "other".to_owned();
        case.bench.ship(second);
        case.bench.pass(60).await;
        assert_eq!(case.bench.codes(), ["second-invoice"]);
        assert_eq!(case.sums().len(), 1);
        case.bench.end().await;
    });
}

#[test]
fn a_second_invoice_is_not_over_what_the_first_was() {
    sold("shipment", |case| async move {
        case.ship_all();
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        let mut second = invoice(&case.sale(), "SI-2", vec![billed("1", 5, 950)]);
        second.key = "other".to_owned();
        case.bench.ship(second);
        case.bench.pass(60).await;
        assert_eq!(case.bench.codes(), ["above-shipped"]);
        assert!(
            case.problem().contains("0 shipped and not invoiced"),
            "{}",
            case.problem()
        );
        case.retry().await;
        assert_eq!(case.sums().len(), 1, "nothing is left to send");
        assert!(case.bench.codes().is_empty());
        case.bench.end().await;
    });
}

#[test]
fn a_number_is_never_given_to_another_order() {
    sold("order", |case| async move {
        case.ship_all();
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        case.bench.send(order("2", 1, two_lines));
        case.bench.pass(60).await;
        let sale = case.bench.order("2").sale_key.expect("the sale is made");
        let lines = vec![billed("1", 5, 950), billed("2", 2, 400)];
        case.bench.ship(note("9", &sale, 1, |note| {
            note.parcels = vec![parcel(Some("1Z9"), &[("1", 5), ("2", 2)])];
        }));
        case.bench.ship(invoice(&sale, "SI-1", lines));
        case.bench.pass(60).await;
        assert_eq!(case.bench.codes(), ["invoice-number-taken"]);
        assert_eq!(case.sums().len(), 1);
        case.bench.end().await;
    });
}

#[test]
fn a_refusal_waits_for_a_person_and_is_tried_again_under_its_number() {
    let refuse = Arc::new(Mutex::new(true));
    let refuses = refuse.clone();
    let answer = move |key: &str| {
        if *held(&refuses) {
            return Err(Failure::Rejected(Problem::new(
                "invoice-policy",
                "DSCO refused it.",
                "Set the policy.",
            )));
        }
        receipt(key)
    };
    answered("shipment", answer, |case| async move {
        case.ship("7", &[("1", 3)]);
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        assert_eq!(case.bench.codes(), ["invoice-policy"]);
        *held(&refuse) = false;
        case.retry().await;
        let numbers: Vec<String> = case.sums().into_iter().map(|(n, _, _)| n).collect();
        assert_eq!(numbers, ["SI-1-7", "SI-1-7"]);
        assert!(case.bench.codes().is_empty());
        case.bench.end().await;
    });
}

#[test]
fn what_a_person_left_alone_is_not_sent_another_way() {
    sold("order", |case| async move {
        case.ship_all();
        case.bill("SI-1", vec![billed("1", 5, 1_000), billed("2", 2, 400)]);
        case.bench.pass(60).await;
        let card = case.bench.cards().remove(0).id;
        let handle = &case.bench.handle;
        let left = handle.ignore_card(&card, "entered in the portal", "test");
        left.await.expect("it may be left");
        case.bench.pass(60).await;
        assert_eq!(case.stage(), OrderStage::Invoiced, "a person saw to it");
        assert!(case.sums().is_empty());
        case.bench.end().await;
    });
}

#[test]
fn one_that_changes_after_it_was_sent_is_a_card() {
    sold("order", |case| async move {
        case.ship_all();
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        for _ in 0..2 {
            case.bill("SI-1", vec![billed("1", 5, 900), billed("2", 2, 400)]);
            case.bench.pass(60).await;
            assert_eq!(case.bench.codes(), ["invoice-changed"]);
        }
        assert!(
            case.problem().contains("53.00 instead of 55.50"),
            "{}",
            case.problem()
        );
        assert_eq!(case.sums().len(), 1);
        let card = case.bench.cards().remove(0).id;
        let left = case.bench.handle.ignore_card(&card, "settled", "test");
        left.await.expect("it may be left");
        case.bench.pass(60).await;
        let units: usize = case.invoices().iter().map(|job| job.units.len()).sum();
        assert_eq!(units, 2, "what was sent counts once");
        assert_eq!(case.stage(), OrderStage::Invoiced);
        case.bench.end().await;
    });
}

#[test]
fn a_kill_between_call_and_verdict_sends_under_the_same_number() {
    // The connector begins its effect and the agent dies before the verdict: the journal says in doubt.
    sold("shipment", |case| async move {
        *held(&case.bench.network.leaves_open) = Some(case.bench.journal());
        let own = case.sent.clone();
        *held(&case.bench.network.on_push) = Box::new(move |batch| {
            let verdict = |delivery: &waybill_model::contract::Delivery| {
                if let Body::Invoice(invoice) = &delivery.document.body {
                    held(&own).push(invoice.clone());
                    return Err(Failure::Retry(None));
                }
                receipt(&delivery.document.key)
            };
            Ok(batch.iter().map(verdict).collect())
        });
        case.ship("7", &[("1", 3)]);
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        // Meanwhile the policy changes and the price with it: what may be there is told again as it was.
        case.bench.set("invoices.policy", "order");
        case.bench.pass(60).await;
        let sums = case.sums();
        assert!(sums.len() > 1);
        assert!(
            sums.iter()
                .all(|one| *one == sum("SI-1-7", "28.50", &[("1", 3)])),
            "{sums:?}"
        );
        case.bench.end().await;
    });
}
