//! What a cancel on its way to its sale, or a request of the retailer, took off before the loss is not taken off once more.

use super::{
    CANCELS, Lines, MINUTE, SETTLED, cancelled, dropped, everything_again, line, report_it,
    restored_as, telling,
};
use waybill_it::bench::{Bench, ERP, held, item, order, request};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Document, Entity, LineQuantity, Order, OrderPhase};
use waybill_model::job::{Ending, JobState, Work};
use waybill_store::Tx;

/// The sale cannot be read from now on, or again.
fn sale_is_hidden(bench: &Bench, hidden: bool) {
    let sale = bench.order("1").sale_key.expect("the sale is made");
    let mut gone = held(&bench.erp.gone);
    if hidden {
        gone.insert(sale);
    } else {
        gone.remove(&sale);
    }
}

/// No feed tells of what the sale is from now on: only who asks is told.
fn only_who_asks(bench: &Bench) {
    let known = held(&bench.erp.documents).len();
    bench.erp.hide_after(known);
}

/// A person leaves the card since it is off, or has it carried out.
async fn decide(bench: &Bench, is_off: bool) {
    if !is_off {
        return report_it(bench).await;
    }
    let id = bench.cards()[0].id.clone();
    let left = bench.handle.ignore_card(&id, "it is off", "ann").await;
    left.expect("the card is left alone");
}

/// Units of the cancels that the sale took.
fn taken_off(bench: &Bench) -> i64 {
    let jobs = bench.jobs("1").into_iter();
    let written = jobs.filter(|job| {
        let inward = job.work == Work::Push(Entity::Cancellation) && job.to == ERP;
        inward && matches!(&job.state, JobState::Done(Ending::Written(_)))
    });
    let units = written.flat_map(|job| job.units);
    units.map(|unit| unit.quantity.normal().units).sum()
}

/// The retailer asks for so many of the five units.
fn asked(units: i64) -> Document {
    let mut document = request("1");
    if let Body::Cancellation(cancel) = &mut document.body {
        cancel.lines = vec![LineQuantity {
            line: "1".to_owned(),
            quantity: Decimal::whole(units),
        }];
    }
    document
}

#[test]
fn what_was_off_a_sale_before_is_not_taken_off_once_more_however_late_it_is_read() {
    restored_as(CANCELS, |bench, told| async move {
        sale_is_hidden(&bench, true);
        only_who_asks(&bench);
        bench.ship(dropped(&bench, "1", 3));
        bench.send(cancelled(3));
        bench.pass(50 * MINUTE).await;
        assert_eq!(bench.erp.count("cancel"), 0, "its sale was not read yet");
        assert!(bench.codes().is_empty());
        sale_is_hidden(&bench, false);
        bench.pass(60 * MINUTE).await;
        assert!(bench.erp.count("fetch") < 12, "it asks too often");
        assert_eq!(bench.erp.count("cancel"), 0, "taken off once more");
        assert!(bench.codes().is_empty());
        assert_eq!(telling(&told), []);
        // What is cancelled from now on is taken off, and no more.
        bench.send(order("1", 3, |o: &mut Order| {
            o.phase = OrderPhase::Accepted;
            o.lines[0].cancelled = Decimal::whole(4);
        }));
        bench.pass(MINUTE).await;
        assert_eq!(taken_off(&bench), 1);
        assert_eq!(telling(&told), []);
        bench.end().await;
    });
}

#[test]
fn what_the_sale_still_has_is_taken_off_once_it_was_read() {
    restored_as(CANCELS, |bench, told| async move {
        // One of the three was, before.
        only_who_asks(&bench);
        bench.ship(dropped(&bench, "1", 1));
        bench.send(cancelled(3));
        bench.pass(MINUTE).await;
        assert_eq!(taken_off(&bench), 2);
        bench.pass(SETTLED).await;
        assert_eq!(bench.erp.count("cancel"), 1);
        assert_eq!(telling(&told), []);
        assert!(bench.codes().is_empty());
        bench.end().await;
    });
}

#[test]
fn a_sale_that_cannot_be_read_is_a_persons_to_look_at() {
    for is_off in [false, true] {
        restored_as(CANCELS, |bench, told| async move {
            sale_is_hidden(&bench, true);
            bench.send(cancelled(3));
            bench.pass(90 * MINUTE).await;
            assert_eq!(bench.codes(), ["maybe-reported"]);
            let words = bench.order("1").problem.unwrap_or_default();
            let sale = bench.order("1").sale_key.unwrap();
            assert_eq!(
                words,
                format!(
                    "Sale {sale} of order PO-1 could not be read again at ERP: the database was restored, and what is to be cancelled may be off it already."
                )
            );
            everything_again(&bench).await;
            assert_eq!(bench.erp.count("cancel"), 0);
            decide(&bench, is_off).await;
            bench.pass(SETTLED).await;
            assert_eq!(bench.erp.count("cancel"), usize::from(!is_off));
            assert_eq!(taken_off(&bench), 3);
            assert_eq!(telling(&told), []);
            assert!(bench.codes().is_empty());
            bench.end().await;
        });
    }
}

#[test]
fn a_card_of_a_sale_goes_by_itself_once_it_was_read() {
    restored_as(CANCELS, |bench, told| async move {
        sale_is_hidden(&bench, true);
        only_who_asks(&bench);
        bench.ship(dropped(&bench, "1", 3));
        bench.send(cancelled(3));
        bench.pass(90 * MINUTE).await;
        assert_eq!(bench.codes(), ["maybe-reported"]);
        sale_is_hidden(&bench, false);
        let (now, sale) = (bench.clock.now_ms(), bench.order("1").sale_key.unwrap());
        let hint = move |tx: &mut Tx<'_>| tx.hint(ERP, Entity::OrderState, &sale, now);
        bench.store.write_blocking(hint).unwrap();
        bench.pass(MINUTE).await;
        assert!(bench.codes().is_empty());
        assert_eq!(bench.erp.count("cancel"), 0);
        assert_eq!(telling(&told), []);
        bench.end().await;
    });
}

/// Two units are asked for. So many are off the sale since before the loss, and so many the network shows as cancelled.
fn requested<F: Future<Output = ()>>(
    (off, there): (i64, i64),
    then: impl FnOnce(Bench, Lines) -> F,
) {
    restored_as(CANCELS, |bench, told| async move {
        bench.network.hide_after(2);
        bench.send(asked(2));
        if there > 0 {
            bench.send(cancelled(there));
        }
        only_who_asks(&bench);
        bench.ship(dropped(&bench, "1", off));
        bench.pass(10 * MINUTE).await;
        assert_eq!(bench.erp.count("cancel"), 0, "its order is read first");
        assert_eq!(telling(&told), []);
        assert!(bench.codes().is_empty());
        bench.pass(SETTLED).await;
        then(bench, told).await;
    });
}

#[test]
fn a_request_that_nothing_was_done_for_is_carried_out_once() {
    requested((0, 0), |bench, told| async move {
        assert_eq!(taken_off(&bench), 2);
        assert_eq!(bench.erp.count("cancel"), 1);
        assert_eq!(telling(&told), [line("1", 2)]);
        assert!(bench.codes().is_empty());
        bench.end().await;
    });
}

#[test]
fn a_request_whose_units_are_off_the_sale_is_only_answered() {
    requested((2, 0), |bench, told| async move {
        assert_eq!(bench.erp.count("cancel"), 0, "taken off once more");
        assert_eq!(telling(&told), [line("1", 2)]);
        assert!(bench.codes().is_empty());
        // What the sale shows is no cancel of the merchant's besides, and one more unit is.
        bench.ship(dropped(&bench, "2", 3));
        only_who_asks(&bench);
        bench.pass(MINUTE).await;
        assert_eq!(telling(&told), [line("1", 1), line("1", 2)]);
        bench.end().await;
    });
}

#[test]
fn a_request_that_was_carried_out_and_answered_is_over() {
    requested((2, 2), |bench, told| async move {
        assert_eq!(bench.erp.count("cancel"), 0, "taken off once more");
        assert_eq!(telling(&told), []);
        assert!(bench.codes().is_empty());
        bench.end().await;
    });
}

#[test]
fn a_request_of_which_a_part_is_off_the_sale_is_a_card() {
    requested((1, 0), |bench, told| async move {
        assert_eq!(bench.codes(), ["maybe-reported"]);
        let words = bench.order("1").problem.unwrap_or_default();
        assert!(
            words.contains("lacks 1 of line 1, which nothing here took off"),
            "{words}"
        );
        everything_again(&bench).await;
        assert_eq!(bench.erp.count("cancel"), 0);
        report_it(&bench).await;
        assert_eq!(taken_off(&bench), 1);
        bench.pass(MINUTE).await;
        assert_eq!(telling(&told), [line("1", 2)]);
        assert!(bench.codes().is_empty());
        bench.end().await;
    });
}

#[test]
fn a_request_that_comes_again_after_its_order_was_read_is_not_carried_out_again() {
    restored_as(CANCELS, |bench, told| async move {
        only_who_asks(&bench);
        bench.ship(dropped(&bench, "1", 2));
        bench.send(cancelled(2));
        bench.pass(SETTLED).await;
        bench.send(asked(2));
        bench.pass(SETTLED).await;
        assert_eq!(bench.erp.count("cancel"), 0, "taken off once more");
        assert_eq!(telling(&told), []);
        assert!(bench.codes().is_empty());
        bench.end().await;
    });
}

#[test]
fn a_request_waits_for_a_sale_that_may_have_been_made_before() {
    restored_as(CANCELS, |bench, told| async move {
        bench.send(order("2", 1, |o: &mut Order| {
            o.phase = OrderPhase::Accepted;
            for identifier in &mut o.lines[0].identifiers {
                "SKU-9".clone_into(&mut identifier.value);
            }
        }));
        bench.pass(MINUTE).await;
        assert!(bench.order("2").sale_key.is_none());
        bench.send(request("2"));
        bench.pass(SETTLED).await;
        assert_eq!(telling(&told), [], "nobody knows whether there is a sale");
        bench.ship(item("SKU-9", "9"));
        bench.pass(MINUTE).await;
        let sale = bench.order("2").sale_key.expect("it is found or made");
        bench.ship(waybill_it::bench::state(&sale, "1", |_| {}));
        bench.pass(SETTLED).await;
        assert_eq!(bench.erp.count("cancel"), 1);
        assert_eq!(telling(&told), [line("2", 5)]);
        bench.end().await;
    });
}

#[test]
fn a_request_whose_order_cannot_be_read_is_a_persons_to_look_at() {
    for is_off in [false, true] {
        restored_as(CANCELS, |bench, told| async move {
            bench.send(asked(2));
            bench.pass(MINUTE).await;
            held(&bench.network.gone).insert("1".to_owned());
            bench.ship(dropped(&bench, "1", 0));
            bench.pass(90 * MINUTE).await;
            assert_eq!(bench.codes(), ["maybe-reported"]);
            let words = bench.order("1").problem.unwrap_or_default();
            assert!(
                words.starts_with("Order PO-1 could not be read again at Network"),
                "{words}"
            );
            everything_again(&bench).await;
            assert_eq!(bench.erp.count("cancel"), 0);
            decide(&bench, is_off).await;
            bench.pass(MINUTE).await;
            assert_eq!(bench.erp.count("cancel"), usize::from(!is_off));
            assert_eq!(taken_off(&bench), 2);
            // Whether it was answered before, nobody knows either.
            assert_eq!(telling(&told), []);
            bench.pass(90 * MINUTE).await;
            assert_eq!(bench.codes(), ["maybe-reported"]);
            report_it(&bench).await;
            assert_eq!(telling(&told), [line("1", 2)]);
            assert!(bench.codes().is_empty());
            bench.end().await;
        });
    }
}

#[test]
fn a_sale_that_does_not_say_what_it_still_has_is_a_card() {
    restored_as(CANCELS, |bench, told| async move {
        only_who_asks(&bench);
        bench.ship(bench.state("1", "1", |sale| sale.lines.clear()));
        bench.send(cancelled(3));
        bench.pass(SETTLED).await;
        assert_eq!(bench.codes(), ["maybe-reported"]);
        let words = bench.order("1").problem.unwrap_or_default();
        assert!(words.contains("does not say how much sale"), "{words}");
        assert_eq!(bench.erp.count("cancel"), 0);
        report_it(&bench).await;
        assert_eq!(taken_off(&bench), 3);
        assert_eq!(telling(&told), []);
        bench.end().await;
    });
}
