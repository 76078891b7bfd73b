//! What must happen to an order when one side does something awkward, one case at a time.

mod cancels;
mod stopped;

use std::sync::{Arc, Mutex};
use waybill_it::bench::{Bench, Start, held, item, order, receipt, start_of_time};
use waybill_model::contract::{Failure, Moment, Outcome, Problem, Ticket};
use waybill_model::decimal::Decimal;
use waybill_model::document::{
    Body, CancelPhase, Cancellation, Deadline, DeadlineSource, Document, Entity, Order, OrderPhase,
    Totals,
};
use waybill_model::job::{Ending, JobState, Work};
use waybill_model::order_state::OrderStage;
use waybill_store::{Cause, Read, Scope};

/// Runs a case on simulated time.
fn case<F: Future<Output = ()>>(start: Start, test: impl FnOnce(Bench) -> F) {
    waybill_it::bench::in_simulated_time(async { test(Bench::start(start)).await });
}

fn problem(code: &str) -> Problem {
    Problem::new(code, format!("It said {code}."), "Look.")
}

fn nothing(_: &mut Order) {}

fn sales_pushed(bench: &Bench) -> Arc<Mutex<Vec<Document>>> {
    let pushed = Arc::new(Mutex::new(Vec::new()));
    let seen = pushed.clone();
    *held(&bench.erp.on_push) = Box::new(move |batch| {
        let mut seen = held(&seen);
        Ok(batch
            .iter()
            .map(|d| {
                if d.document.order().is_some() {
                    seen.push(d.document.clone());
                }
                receipt(&format!("S{}", d.document.key))
            })
            .collect())
    });
    pushed
}

fn cancelled(order: &mut Order) {
    order.phase = OrderPhase::Cancelled;
    for line in &mut order.lines {
        line.cancelled = line.quantity;
    }
}

fn request(key: &str, revision: &str, phase: CancelPhase) -> Document {
    Document {
        key: key.to_owned(),
        revision: revision.to_owned(),
        occurred_at: 0,
        body: Body::Cancellation(Cancellation {
            order_key: key.to_owned(),
            phase,
            reason: None,
            lines: Vec::new(),
        }),
    }
}

#[test]
fn orders_of_a_refused_customer_wait_for_a_person_and_go_on() {
    case(Start::default(), |bench| async move {
        let mut refused = false;
        *held(&bench.erp.on_push) = Box::new(move |batch| {
            let customer = batch[0].document.order().is_none();
            if customer && !refused {
                refused = true;
                return Ok(vec![Err(Failure::Rejected(problem("bad-name")))]);
            }
            let one = |d: &waybill_model::contract::Delivery| receipt(&d.document.key);
            Ok(batch.iter().map(one).collect())
        });
        bench.send(order("1", 1, nothing));
        bench.send(order("2", 1, nothing));
        bench.pass(20).await;
        bench.send(order("3", 1, nothing));
        bench.pass(20).await;
        for key in ["1", "2", "3"] {
            assert_eq!(bench.order(key).stage, OrderStage::Waiting, "{key}");
        }
        let mut seen = bench.codes();
        seen.sort();
        assert_eq!(seen, ["bad-name", "customers R1"]);
        let card = bench.cards().into_iter().find(|c| c.jobs == 1).unwrap();
        bench.handle.retry_card(&card.id, "ann").await.unwrap();
        bench.pass(20).await;
        for key in ["1", "2", "3"] {
            assert_eq!(bench.order(key).stage, OrderStage::Created, "{key}");
        }
        assert!(bench.codes().is_empty());
        bench.end().await;
    });
}

#[test]
fn an_order_acknowledged_by_hand_goes_on() {
    case(Start::default(), |bench| async move {
        *held(&bench.network.on_settle) = Box::new(|moment, batch| {
            let one = |s: &waybill_model::contract::Settled| match moment {
                Moment::Accepted => Err(Failure::Rejected(problem("not-open"))),
                Moment::Delivered => receipt(&s.key),
            };
            Ok(batch.iter().map(one).collect())
        });
        bench.send(order("1", 1, nothing));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["not-open"]);
        assert_eq!(bench.erp.count("push"), 0);
        bench.send(order("1", 2, |o| o.phase = OrderPhase::Accepted));
        bench.pass(20).await;
        assert!(bench.codes().is_empty());
        let row = bench.order("1");
        assert_eq!(row.stage, OrderStage::Created);
        assert!(row.acknowledged_at.is_some());
        bench.end().await;
    });
}

#[test]
fn retry_never_overtakes_the_acknowledgement() {
    case(Start::default(), |bench| async move {
        let pending = |(): &()| {
            Ok(Outcome::Pending(Ticket {
                handle: "t".to_owned(),
                check_in_secs: 5,
            }))
        };
        *held(&bench.network.on_settle) =
            Box::new(move |_, batch| Ok(batch.iter().map(|_| pending(&())).collect()));
        *held(&bench.network.on_confirm) =
            Box::new(move |handles| Ok(handles.iter().map(|_| pending(&())).collect()));
        bench.send(order("1", 1, nothing));
        bench.pass(10).await;
        bench.send(request("1", "2", CancelPhase::Requested));
        bench.pass(10).await;
        let id = bench.cards()[0].id.clone();
        bench.handle.retry_card(&id, "ann").await.unwrap();
        bench.pass(30).await;
        assert_eq!(bench.erp.count("push") + bench.erp.count("customer"), 0);
        *held(&bench.network.on_confirm) =
            Box::new(|handles| Ok(handles.iter().map(|h| receipt(h)).collect()));
        bench.pass(30).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        bench.end().await;
    });
}

#[test]
fn a_card_left_alone_is_listed_and_solved_by_a_new_item() {
    case(Start::default(), |bench| async move {
        bench.send(order("1", 1, |o| {
            o.lines[0].identifiers[0].value = "NEW".to_owned();
        }));
        bench.pass(20).await;
        let id = bench.cards()[0].id.clone();
        bench.handle.ignore_card(&id, "later", "ann").await.unwrap();
        assert!(bench.cards().is_empty());
        let listed = bench.handle.cards().await.unwrap();
        assert_eq!(listed[0].ignored.as_deref(), Some("later"));
        let today = bench.handle.today().await.unwrap();
        assert_eq!(
            today.verdict,
            "Everything is in step. Nothing waits for you. One order was left alone."
        );
        held(&bench.erp.documents).push(item("NEW", "78"));
        bench.pass(20).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        bench.end().await;
    });
}

#[test]
fn an_order_is_worked_on_once_its_source_opens_it() {
    case(Start::default(), |bench| async move {
        bench.send(order("1", 1, |o| o.phase = OrderPhase::Pending));
        bench.send(order("2", 1, |o| o.test = true));
        bench.send(order("3", 1, cancelled));
        bench.pass(20).await;
        for key in ["1", "2", "3"] {
            assert!(bench.jobs(key).is_empty(), "{key}");
        }
        assert_eq!(bench.order("2").stage, OrderStage::Refused);
        for key in ["1", "2", "3"] {
            bench.send(order(key, 2, nothing));
        }
        bench.pass(20).await;
        for key in ["1", "2", "3"] {
            assert_eq!(bench.order(key).stage, OrderStage::Created, "{key}");
        }
        bench.end().await;
    });
}

#[test]
fn an_order_completed_elsewhere_is_not_sold_by_itself() {
    case(Start::default(), |bench| async move {
        bench.handle.pause("erp", true, "ann").await.unwrap();
        bench.send(order("1", 1, nothing));
        bench.pass(20).await;
        bench.send(order("1", 2, |o| o.phase = OrderPhase::Completed));
        bench.pass(20).await;
        bench.handle.pause("erp", false, "ann").await.unwrap();
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["completed-first"]);
        assert_eq!(bench.erp.count("push"), 0);
        bench.end().await;
    });
}

#[test]
fn a_differing_total_is_accepted_once_and_for_that_difference() {
    case(Start::default(), |bench| async move {
        let total = |net: i64| {
            move |o: &mut Order| {
                o.total = Some(Totals {
                    net: Decimal::new(net, 2),
                    tax: Decimal::ZERO,
                    gross: Decimal::new(net, 2),
                });
            }
        };
        held(&bench.erp.documents).clear();
        bench.send(order("1", 1, total(4_000)));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["total-differs"]);
        let id = bench.cards()[0].id.clone();
        bench.handle.retry_card(&id, "ann").await.unwrap();
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["items SKU-1"]);
        bench.send(order("1", 2, total(1_000)));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["total-differs"]);
        bench.send(order("1", 3, total(4_750)));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["items SKU-1"]);
        bench.end().await;
    });
}

#[test]
fn a_new_deadline_reaches_the_jobs() {
    case(Start::default(), |bench| async move {
        bench.handle.pause("erp", true, "ann").await.unwrap();
        bench.send(order("1", 1, nothing));
        bench.pass(20).await;
        let by = start_of_time() + 3_600_000;
        bench.send(order("1", 2, |o| {
            o.ship_by = Some(Deadline {
                at: by,
                set_by: DeadlineSource::Order,
            });
        }));
        bench.pass(20).await;
        let jobs = bench.jobs("1");
        let push = jobs.iter().find(|j| j.work == Work::Push(Entity::Order));
        assert_eq!(push.unwrap().urgent_by, Some(by));
        bench.end().await;
    });
}

#[test]
fn the_same_number_twice_is_two_orders_and_said() {
    case(Start::default(), |bench| async move {
        for key in ["1", "2"] {
            bench.send(order(key, 1, |o| {
                o.number = "PO-7".to_owned();
                o.retailer_name = String::new();
            }));
        }
        bench.pass(20).await;
        let id = bench.order("2").id;
        assert_eq!(bench.order("2").stage, OrderStage::Created);
        assert_eq!(bench.order("2").retailer_name, "R1");
        let notes = bench.store.read(|rx| rx.timeline(id, 50)).unwrap();
        assert!(
            notes
                .iter()
                .any(|n| n.text.contains("sent number PO-7 before"))
        );
        bench.end().await;
    });
}

#[test]
fn retailers_matched_by_hand_wait_for_their_cell() {
    case(Start::default(), |bench| async move {
        let agent = Scope::default();
        bench
            .store
            .write(move |tx| tx.set_setting(&agent, "customers.mode", Some("map"), "ann", 0))
            .await
            .unwrap();
        bench.send(order("1", 1, nothing));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["customers R1"]);
        assert_eq!(bench.erp.count("customer"), 0);
        let Cause::Gap { from, to, gap } = bench.cards()[0].cause.clone() else {
            panic!("a gap");
        };
        bench
            .handle
            .fill_cell(from, to, gap, true, "201".to_owned(), "ann")
            .await
            .unwrap();
        bench.pass(20).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        bench.end().await;
    });
}

#[test]
fn verdicts_of_a_wrong_number_put_all_in_doubt_and_are_not_sent_again() {
    case(Start::default(), |bench| async move {
        *held(&bench.erp.on_push) = Box::new(|batch| {
            let customer = batch[0].document.order().is_none();
            Ok(if customer {
                vec![receipt("201")]
            } else {
                Vec::new()
            })
        });
        bench.send(order("1", 1, nothing));
        bench.pass(60).await;
        assert_eq!(bench.codes(), ["contract"]);
        assert_eq!(bench.erp.count("push"), 1);
        let jobs = bench.jobs("1");
        let done =
            |j: &&waybill_store::JobRow| matches!(j.state, JobState::Done(Ending::Written(_)));
        assert_eq!(jobs.iter().filter(done).count(), 1);
        bench.end().await;
    });
}
