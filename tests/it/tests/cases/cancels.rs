//! Orders that are cancelled, in whole or in part, or asked to be, before their sale and after it.

use super::{cancelled, case, nothing, request, sales_pushed};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use waybill_it::bench::{NETWORK, Start, held, item, order, receipt};
use waybill_model::contract::Failure;
use waybill_model::decimal::Decimal;
use waybill_model::document::{CancelPhase, Order};
use waybill_model::order_state::OrderStage;
use waybill_store::Read;

fn three_left(order: &mut Order) {
    order.lines[0].cancelled = Decimal::whole(2);
}

#[test]
fn lines_cancelled_before_the_sale_are_left_out_of_it() {
    case(Start::default(), |bench| async move {
        let pushed = sales_pushed(&bench);
        held(&bench.erp.documents).clear();
        bench.send(order("1", 1, nothing));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["items SKU-1"]);
        bench.send(order("1", 2, three_left));
        bench.pass(20).await;
        held(&bench.erp.documents).push(item("SKU-1", "77"));
        bench.pass(20).await;
        let sold = held(&pushed)[0].order().unwrap().lines[0].wanted();
        assert_eq!(sold, Decimal::whole(3));
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        assert!(bench.codes().is_empty());
        bench.end().await;
    });
}

#[test]
fn what_is_cancelled_after_the_sale_raises_one_card_each() {
    case(Start::default(), |bench| async move {
        bench.send(order("1", 1, nothing));
        bench.pass(20).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        bench.send(order("1", 2, three_left));
        bench.send(order("1", 3, three_left));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["changed-after-sale"]);
        let text = bench.order("1").problem.unwrap();
        assert!(text.contains("is now 3 instead of 5"), "{text}");
        // The whole order follows: the card says so, and is there again after the first was left.
        let id = bench.cards()[0].id.clone();
        bench.handle.ignore_card(&id, "done", "ann").await.unwrap();
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        bench.send(order("1", 4, cancelled));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["cancelled-after-sale"]);
        let id = bench.cards()[0].id.clone();
        assert!(bench.handle.retry_card(&id, "ann").await.is_err());
        bench.handle.ignore_card(&id, "done", "ann").await.unwrap();
        bench.send(order("1", 5, cancelled));
        bench.pass(20).await;
        assert!(bench.codes().is_empty());
        assert_eq!(bench.order("1").stage, OrderStage::Cancelled);
        let days = bench.store.read(|rx| rx.day_counts(3)).unwrap();
        assert_eq!((days[0].created, days[0].cancelled), (1, 1));
        bench.end().await;
    });
}

#[test]
fn a_request_to_cancel_becomes_the_cancellation() {
    case(Start::default(), |bench| async move {
        bench.send(order("1", 1, nothing));
        bench.pass(20).await;
        bench.send(request("1", "2", CancelPhase::Requested));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["cancel-requested"]);
        bench.send(order("1", 3, cancelled));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["cancelled-after-sale"]);
        bench.end().await;
    });
}

#[test]
fn a_request_that_came_before_its_order_is_heard() {
    case(Start::default(), |bench| async move {
        bench.send(request("1", "1", CancelPhase::Requested));
        bench.pass(20).await;
        bench.send(order("1", 1, nothing));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["cancel-requested"]);
        assert!(bench.order("1").sale_key.is_none());
        bench.end().await;
    });
}

#[test]
fn a_refused_request_lets_the_order_go_on() {
    case(Start::default(), |bench| async move {
        bench.send(order("1", 1, nothing));
        bench.send(request("1", "2", CancelPhase::Requested));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["cancel-requested"]);
        bench.send(request("1", "3", CancelPhase::Refused));
        bench.pass(20).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        bench.end().await;
    });
}

#[test]
fn a_sale_in_doubt_is_not_forgotten_with_its_order() {
    case(Start::default(), |bench| async move {
        *held(&bench.erp.leaves_open) = Some(bench.journal());
        let answers = Arc::new(AtomicBool::new(false));
        let answered = answers.clone();
        *held(&bench.erp.on_push) = Box::new(move |batch| {
            let one = |_| {
                if answered.load(Ordering::Relaxed) {
                    receipt("900")
                } else {
                    Err(Failure::Retry(Some(60)))
                }
            };
            Ok(batch.iter().map(one).collect())
        });
        let code = |retailer: &str| retailer.to_owned();
        bench
            .handle
            .fill_cell(
                NETWORK,
                waybill_it::bench::ERP,
                waybill_model::contract::Gap {
                    table: "customers".to_owned(),
                    retailer: Some(code("R1")),
                    value: code("R1"),
                },
                false,
                code("201"),
                "ann",
            )
            .await
            .unwrap();
        bench.send(order("1", 1, nothing));
        bench.pass(20).await;
        assert_eq!(bench.erp.count("push"), 1);
        // It becomes ready while the connection is paused, and is cancelled then.
        bench.handle.pause("erp", true, "ann").await.unwrap();
        bench.pass(60).await;
        bench.send(order("1", 2, cancelled));
        bench.pass(20).await;
        answers.store(true, Ordering::Relaxed);
        bench.handle.pause("erp", false, "ann").await.unwrap();
        bench.pass(20).await;
        assert_eq!(bench.order("1").sale_key.as_deref(), Some("900"));
        assert_eq!(bench.codes(), ["cancelled-after-sale"]);
        bench.end().await;
    });
}
