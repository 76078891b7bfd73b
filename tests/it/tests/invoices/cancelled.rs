//! Invoices over what is cancelled, before they leave and afterwards.

use super::{sold, sum, two_lines};
use std::sync::{Arc, Mutex};
use waybill_it::bench::{ERP, NETWORK, billed, held, order, receipt};
use waybill_model::contract::{Failure, Outcome, Problem, Ticket};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Entity, Order, OrderPhase};
use waybill_model::order_state::OrderStage;
use waybill_store::Cause;

fn cancelled(units: i64) -> impl FnOnce(&mut Order) {
    move |order| {
        two_lines(order);
        order.lines[0].cancelled = Decimal::whole(units);
    }
}

#[test]
fn a_line_cancelled_after_it_was_invoiced_is_a_card() {
    sold("order", |case| async move {
        case.bill_all("SI-1");
        case.ship("7", &[("1", 3), ("2", 2)]);
        case.bench.pass(60).await;
        assert!(
            case.sums().is_empty() && case.bench.codes().is_empty(),
            "the rest may still ship"
        );
        // The ERP will not change a sale that is invoiced.
        *held(&case.bench.erp.on_push) = Box::new(|batch| {
            let refused = Problem::new("cancel-invoiced", "The sale is invoiced.", "Credit it.");
            Ok(vec![Err(Failure::Rejected(refused)); batch.len()])
        });
        case.bench.send(order("1", 2, cancelled(2)));
        case.bench.pass(60).await;
        let mut codes = case.bench.codes();
        codes.sort();
        assert_eq!(codes, ["above-shipped", "cancel-invoiced"]);
        assert!(case.sums().is_empty(), "what did not ship is not billed");
        let card = case.bench.cards().into_iter().find(
            |card| matches!(&card.cause, Cause::Problem { problem, .. } if problem.code == "above-shipped"),
        );
        let card = card.expect("the card is there").id;
        let retried = case.bench.handle.retry_card(&card, "test").await;
        retried.expect("it may be retried");
        case.bench.pass(60).await;
        let shipped = [("1", 3), ("2", 2)];
        assert_eq!(case.sums(), [sum("SI-1", "36.50", &shipped)]);
        case.bench.end().await;
    });
}

#[test]
fn invoiced_while_a_cancel_is_on_its_way_goes_over_what_is_left() {
    sold("order", |case| async move {
        case.bench.send(order("1", 2, cancelled(2)));
        case.bill("SI-1", vec![billed("1", 3, 950), billed("2", 2, 400)]);
        case.ship("7", &[("1", 3), ("2", 2)]);
        case.bench.pass(90).await;
        let left = [("1", 3), ("2", 2)];
        assert_eq!(case.sums(), [sum("SI-1", "36.50", &left)]);
        assert_eq!(case.stage(), OrderStage::Invoiced);
        case.bench.end().await;
    });
}

#[test]
fn an_invoice_waits_until_the_merchants_cancel_is_confirmed() {
    sold("lines", |case| async move {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let (pushed, confirmed) = (told.clone(), told.clone());
        *held(&case.bench.network.on_push) = Box::new(move |batch| {
            let verdict = |delivery: &waybill_model::contract::Delivery| {
                let entity = delivery.document.body.entity();
                held(&pushed).push(entity.word().to_owned());
                if entity != Entity::Cancellation {
                    return receipt(&format!("P{}", delivery.document.key));
                }
                Ok(Outcome::Pending(Ticket {
                    handle: "C".to_owned(),
                    check_in_secs: 300,
                }))
            };
            Ok(batch.iter().map(verdict).collect())
        });
        *held(&case.bench.network.on_confirm) = Box::new(move |handles| {
            held(&confirmed).push("confirmed".to_owned());
            Ok(handles.iter().map(|handle| receipt(handle)).collect())
        });
        let code = case.bench.store.write_blocking(|tx| {
            let (table, code) = ("cancel-codes", Some("CXSS"));
            tx.set_cell(ERP, NETWORK, table, None, "*", code, None, "ann", 0)
        });
        code.expect("the cell is filled");
        let dropped = case.bench.state("1", "1", |sale| {
            sale.lines[0].cancelled = Decimal::whole(2);
        });
        case.bench.ship(dropped);
        case.bill("SI-1", vec![billed("1", 3, 950), billed("2", 2, 400)]);
        case.ship("7", &[("1", 3), ("2", 2)]);
        case.bench.pass(900).await;
        let told = held(&told).clone();
        let place = |what: &str| told.iter().position(|t| t == what);
        assert!(
            place("cancellation").is_some() && place("confirmed") < place("invoice"),
            "{told:?}"
        );
        assert_eq!(case.bench.codes(), Vec::<String>::new());
        case.bench.end().await;
    });
}

#[test]
fn a_cancelled_order_that_was_invoiced_is_a_card() {
    sold("order", |case| async move {
        case.bench.send(order("1", 2, |order| {
            two_lines(order);
            order.phase = OrderPhase::Cancelled;
            for line in &mut order.lines {
                line.cancelled = line.quantity;
            }
        }));
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        assert!(
            case.bench
                .codes()
                .contains(&"invoiced-though-cancelled".to_owned()),
            "{:?}",
            case.bench.codes()
        );
        assert!(case.sums().is_empty());
        case.bench.end().await;
    });
}
