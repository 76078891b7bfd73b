//! What must happen to a cancellation, whoever wants it and whenever it comes, one case at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use waybill_it::bench::{
    Bench, ERP, NETWORK, Start, held, in_simulated_time, note, order, receipt,
};
use waybill_it::start::cell;
use waybill_model::contract::{Failure, Gap, Outcome, Problem, Ticket, Verdict};
use waybill_model::decimal::Decimal;
use waybill_model::document::{
    Body, CancelPhase, Cancellation, Document, Entity, LineQuantity, Order, OrderPhase,
};
use waybill_model::job::{Ending, JobState, Work};
use waybill_model::order_state::OrderStage;
use waybill_store::{Read, Tx};

/// Cancels that came to one side, newest last.
type Seen = Arc<Mutex<Vec<Cancellation>>>;

/// A bench with an order of five units whose sale is made, and what each side was told.
struct Case {
    bench: Bench,
    erp: Seen,
    network: Seen,
}

/// Sales get keys; cancels are answered by `answer`.
fn listen(
    side: &waybill_it::bench::Side,
    answer: impl Fn(&Cancellation) -> Verdict + Send + 'static,
) -> Seen {
    let seen: Seen = Arc::default();
    let own = seen.clone();
    let mut sale = 500;
    *held(&side.on_push) = Box::new(move |batch| {
        let verdicts = batch.iter().map(|delivery| {
            let Body::Cancellation(cancel) = &delivery.document.body else {
                sale += 1;
                return receipt(&sale.to_string());
            };
            held(&own).push(cancel.clone());
            answer(cancel)
        });
        Ok(verdicts.collect())
    });
    seen
}

fn sold<F: Future<Output = ()>>(
    erp: impl Fn(&Cancellation) -> Verdict + Send + 'static,
    test: impl FnOnce(Case) -> F,
) {
    let start = Start {
        cancels: true,
        ..Start::default()
    };
    in_simulated_time(async {
        let bench = Bench::start(start);
        let erp = listen(&bench.erp, erp);
        let network = listen(&bench.network, |_| receipt("told"));
        bench.send(order("1", 1, plain));
        bench.pass(30).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        test(Case {
            bench,
            erp,
            network,
        })
        .await;
    });
}

fn plain(order: &mut Order) {
    order.phase = OrderPhase::Accepted;
}

fn good(_: &Cancellation) -> Verdict {
    receipt("cancelled")
}

fn too_far(_: &Cancellation) -> Verdict {
    Err(Failure::Rejected(Problem::new(
        "cancel-stage",
        "Goods-out note 7 of sale 502 is picked.",
        "Retry.",
    )))
}

fn cancelled(units: i64) -> impl FnOnce(&mut Order) {
    move |order| {
        plain(order);
        order.lines[0].cancelled = Decimal::whole(units);
        if units == 5 {
            order.phase = OrderPhase::Cancelled;
        }
    }
}

fn request(revision: &str, phase: CancelPhase, units: Option<i64>) -> Document {
    Document {
        key: "1".to_owned(),
        revision: revision.to_owned(),
        occurred_at: 0,
        body: Body::Cancellation(Cancellation {
            order_key: "1".to_owned(),
            phase,
            reason: Some("REGRET".to_owned()),
            lines: units.map(one).into_iter().collect(),
        }),
    }
}

fn one(units: i64) -> LineQuantity {
    LineQuantity {
        line: "1".to_owned(),
        quantity: Decimal::whole(units),
    }
}

/// What the ERP shows of the sale: cancelled, or so many units of its line taken off.
fn state(bench: &Bench, revision: &str, whole: bool, units: i64) -> Document {
    bench.state("1", revision, |sale| {
        sale.cancelled = whole;
        if whole {
            "5".clone_into(&mut sale.status);
        }
        sale.lines[0].cancelled = Decimal::whole(units);
    })
}

/// Phase, reason and units of everything that came.
fn came(seen: &Seen) -> Vec<(CancelPhase, Option<String>, i64)> {
    let units = |c: &Cancellation| c.lines.iter().map(|l| l.quantity.normal().units).sum();
    let all = held(seen);
    all.iter()
        .map(|c| (c.phase, c.reason.clone(), units(c)))
        .collect()
}

fn timeline(bench: &Bench) -> String {
    let id = bench.order("1").id;
    let notes = bench.store.read(|rx| rx.timeline(id, 100));
    let texts: Vec<String> = notes
        .expect("the store reads")
        .into_iter()
        .map(|n| n.text)
        .collect();
    texts.join("\n")
}

async fn retry(bench: &Bench) {
    let card = bench.cards().remove(0).id;
    bench.handle.retry_card(&card, "ann").await.expect("a card");
    bench.pass(20).await;
}

#[test]
fn a_cancel_that_stands_cancels_the_sale_once() {
    sold(good, |case| async move {
        let bench = &case.bench;
        bench.send(order("1", 2, cancelled(5)));
        bench.pass(20).await;
        assert_eq!(came(&case.erp), [(CancelPhase::Ordered, None, 0)]);
        assert_eq!(held(&case.erp)[0].order_key, "502");
        assert_eq!(bench.order("1").stage, OrderStage::Cancelled);
        assert!(bench.codes().is_empty());
        // The sale shows it now, and the order comes again: nobody is told anything.
        bench.ship(state(bench, "1", true, 5));
        bench.send(order("1", 3, cancelled(5)));
        bench.pass(30).await;
        assert_eq!(came(&case.erp).len(), 1);
        assert!(came(&case.network).is_empty());
        assert!(timeline(bench).contains("Sale 502 in ERP: cancelled 5 of line 1."));
    });
}

#[test]
fn parts_that_are_cancelled_are_taken_off_as_they_come() {
    sold(good, |case| async move {
        let bench = &case.bench;
        bench.send(order("1", 2, cancelled(2)));
        bench.pass(20).await;
        bench.send(order("1", 3, cancelled(3)));
        bench.pass(20).await;
        bench.ship(state(bench, "1", false, 3));
        bench.pass(20).await;
        let ordered = |units| (CancelPhase::Ordered, None, units);
        assert_eq!(came(&case.erp), [ordered(2), ordered(1)]);
        bench.send(order("1", 4, cancelled(5)));
        bench.pass(20).await;
        assert_eq!(came(&case.erp)[2], ordered(0), "the rest is all of it");
        assert!(came(&case.network).is_empty() && bench.codes().is_empty());
        assert_eq!(bench.order("1").stage, OrderStage::Cancelled);
    });
}

#[test]
fn units_that_are_added_are_a_persons_to_carry_over() {
    sold(good, |case| async move {
        let bench = &case.bench;
        bench.send(order("1", 2, |o| {
            plain(o);
            o.lines[0].quantity = Decimal::whole(6);
        }));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["changed-after-sale"]);
        assert!(came(&case.erp).is_empty());
    });
}

#[test]
fn a_request_cancels_the_sale_and_the_retailer_is_told() {
    sold(good, |case| async move {
        let bench = &case.bench;
        bench.send(request("2", CancelPhase::Requested, None));
        bench.pass(20).await;
        // The same request comes again with every look at the order.
        bench.send(request("2 with its order", CancelPhase::Requested, None));
        bench.ship(state(bench, "1", true, 5));
        bench.pass(20).await;
        let reason = Some("REGRET".to_owned());
        assert_eq!(came(&case.erp), [(CancelPhase::Requested, reason, 0)]);
        assert_eq!(came(&case.network), [(CancelPhase::Accepted, None, 5)]);
        assert!(bench.codes().is_empty());
        bench.send(order("1", 3, cancelled(5)));
        bench.pass(20).await;
        assert_eq!((came(&case.erp).len(), came(&case.network).len()), (1, 1));
        assert_eq!(bench.order("1").stage, OrderStage::Cancelled);
    });
}

#[test]
fn a_request_for_some_units_takes_them_alone() {
    sold(good, |case| async move {
        let bench = &case.bench;
        bench.send(request("2", CancelPhase::Requested, Some(2)));
        bench.pass(20).await;
        assert_eq!(came(&case.erp)[0].2, 2);
        assert_eq!(came(&case.network), [(CancelPhase::Accepted, None, 2)]);
        bench.send(order("1", 3, cancelled(2)));
        bench.ship(state(bench, "1", false, 2));
        bench.pass(20).await;
        assert_eq!((came(&case.erp).len(), came(&case.network).len()), (1, 1));
        assert_eq!(bench.order("1").stage, OrderStage::Created);
    });
}

#[test]
fn a_request_waits_where_the_merchant_wants_to_be_asked() {
    sold(good, |case| async move {
        let bench = &case.bench;
        bench.set("cancel.requests", "ask");
        bench.send(request("2", CancelPhase::Requested, None));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["cancel-asked"]);
        assert!(came(&case.erp).is_empty());
        retry(bench).await;
        assert_eq!(came(&case.network), [(CancelPhase::Accepted, None, 5)]);
    });
    sold(good, |case| async move {
        let bench = &case.bench;
        bench.set("cancel.requests", "ask");
        bench.send(request("2", CancelPhase::Requested, None));
        bench.pass(20).await;
        let card = bench.cards().remove(0).id;
        bench
            .handle
            .ignore_card(&card, "it is packed", "ann")
            .await
            .unwrap();
        bench.pass(20).await;
        assert!(came(&case.erp).is_empty() && came(&case.network).is_empty());
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        // What the retailer cancels by himself afterwards is carried out all the same.
        bench.send(order("1", 3, cancelled(5)));
        bench.pass(20).await;
        assert_eq!(came(&case.erp), [(CancelPhase::Ordered, None, 0)]);
    });
}

#[test]
fn picked_goods_are_the_merchants_decision() {
    sold(too_far, |case| async move {
        let bench = &case.bench;
        bench.send(request("2", CancelPhase::Requested, None));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["cancel-stage"]);
        assert_eq!(bench.order("1").stage, OrderStage::Waiting);
        assert!(came(&case.network).is_empty());
        // It ships meanwhile: the request is over by itself, and so is its card.
        bench.ship(note("7", "502", 1, |_| {}));
        bench.pass(30).await;
        assert!(bench.codes().is_empty(), "{:?}", bench.codes());
        assert!(timeline(bench).contains("refused: it has shipped."));
        assert_eq!(bench.order("1").stage, OrderStage::Shipped);
    });
    sold(too_far, |case| async move {
        let bench = &case.bench;
        bench.set("cancel.otherwise", "refuse");
        bench.send(request("2", CancelPhase::Requested, None));
        bench.pass(20).await;
        assert!(bench.codes().is_empty() && came(&case.network).is_empty());
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        assert!(timeline(bench).contains("is refused: Goods-out note 7"));
        // A cancel that stands cannot be refused.
        bench.send(order("1", 3, cancelled(5)));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["cancel-stage"]);
        retry(bench).await;
        assert_eq!(came(&case.erp).len(), 3);
    });
}

#[test]
fn within_one_second_of_its_source_a_cancelled_order_does_not_come_back() {
    in_simulated_time(async {
        let bench = Bench::start(Start::default());
        let dated = |revision, change: fn(&mut Order)| {
            let mut document = order("1", revision, change);
            document.occurred_at = 1_795_219_200_000;
            document
        };
        bench.send(dated(1, plain));
        bench.send(dated(2, |o| cancelled(5)(o)));
        bench.pass(10).await;
        assert_eq!(bench.order("1").stage, OrderStage::Cancelled);
        // The export of the same second is read late.
        bench.send(dated(3, plain));
        bench.pass(10).await;
        assert_eq!(bench.order("1").stage, OrderStage::Cancelled);
        bench.end().await;
    });
}

#[test]
fn a_request_is_over_where_its_goods_were_told_before_the_no_came() {
    let later = |_: &Cancellation| {
        Ok(Outcome::Pending(Ticket {
            handle: "no".to_owned(),
            check_in_secs: 1,
        }))
    };
    sold(later, |case| async move {
        let bench = &case.bench;
        let answered = Arc::new(AtomicBool::new(false));
        let may = answered.clone();
        *held(&bench.erp.on_confirm) = Box::new(move |handles| {
            let verdict = |_| {
                if !may.load(Ordering::Relaxed) {
                    return Ok(Outcome::Pending(Ticket {
                        handle: "no".to_owned(),
                        check_in_secs: 1,
                    }));
                }
                let Body::Cancellation(cancel) = request("2", CancelPhase::Requested, None).body
                else {
                    panic!("not a cancellation")
                };
                too_far(&cancel)
            };
            Ok(handles.iter().map(verdict).collect())
        });
        bench.send(request("2", CancelPhase::Requested, None));
        bench.pass(20).await;
        assert_eq!(came(&case.erp).len(), 1);
        bench.ship(note("7", "502", 1, |_| {}));
        bench.pass(30).await;
        assert!(bench.codes().is_empty(), "{:?}", bench.codes());
        answered.store(true, Ordering::Relaxed);
        bench.pass(30).await;
        assert!(bench.codes().is_empty(), "{:?}", bench.codes());
        assert!(timeline(bench).contains("refused: it has shipped."));
        assert_eq!(bench.order("1").stage, OrderStage::Shipped);
    });
}

#[test]
fn a_request_that_comes_before_the_sale_makes_none() {
    let start = Start {
        cancels: true,
        ..Start::default()
    };
    in_simulated_time(async {
        let bench = Bench::start(start);
        let network = listen(&bench.network, |_| receipt("told"));
        // An item that nobody knows keeps the sale from being made.
        bench.send(order("1", 1, |o| {
            plain(o);
            o.lines[0].identifiers[0].value = "ODD".to_owned();
        }));
        bench.pass(10).await;
        bench.send(request("2", CancelPhase::Requested, None));
        bench.pass(20).await;
        assert_eq!(came(&network), [(CancelPhase::Accepted, None, 5)]);
        assert!(bench.codes().is_empty());
        // A revision that does not show it yet takes nothing up again.
        bench.send(order("1", 3, plain));
        bench.pass(20).await;
        assert!(bench.order("1").sale_key.is_none());
        bench.send(order("1", 4, cancelled(5)));
        bench.pass(20).await;
        assert_eq!(bench.order("1").stage, OrderStage::Cancelled);
        assert_eq!(bench.erp.count("push"), 0);
    });
}

#[test]
fn the_merchants_cancel_is_told_with_his_reason() {
    sold(good, |case| async move {
        let bench = &case.bench;
        bench.ship(state(bench, "1", true, 5));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["cancel-codes 5"]);
        assert!(came(&case.network).is_empty());
        let gap = Gap {
            table: "cancel-codes".to_owned(),
            retailer: Some("R1".to_owned()),
            value: "5".to_owned(),
        };
        let network = bench.order("1").connection;
        bench
            .handle
            .fill_cell(ERP, network, gap, true, "CXSO".to_owned(), "ann")
            .await
            .unwrap();
        bench.pass(20).await;
        let told = (CancelPhase::Ordered, Some("CXSO".to_owned()), 5);
        assert_eq!(came(&case.network), [told]);
        // The same state again, and the order as the network has it now: nothing more is told.
        bench.ship(state(bench, "2", true, 5));
        bench.send(order("1", 2, cancelled(5)));
        bench.pass(30).await;
        assert_eq!(came(&case.network).len(), 1);
        assert!(came(&case.erp).is_empty(), "the sale is cancelled already");
        assert_eq!(bench.order("1").stage, OrderStage::Cancelled);
    });
}

#[test]
fn what_the_merchant_drops_while_a_request_is_tried_is_told_after_it() {
    let tried = AtomicBool::new(false);
    let erp = move |cancel: &Cancellation| {
        if tried.swap(true, Ordering::Relaxed) {
            return too_far(cancel);
        }
        Err(Failure::Retry(Some(60)))
    };
    sold(erp, |case| async move {
        let bench = &case.bench;
        let cell = |tx: &mut Tx<'_>| cell(tx, (ERP, NETWORK), "cancel-codes", "*", "CXSS");
        bench.store.write_blocking(cell).unwrap();
        bench.send(request("1", CancelPhase::Requested, Some(1)));
        bench.pass(20).await;
        // What the sale shows may be that very cancel: its end is waited for.
        bench.ship(state(bench, "1", false, 2));
        bench.pass(20).await;
        assert!(came(&case.network).is_empty());
        bench.pass(60).await;
        assert_eq!(bench.codes(), ["cancel-stage"]);
        let told = (CancelPhase::Ordered, Some("CXSS".to_owned()), 2);
        assert_eq!(came(&case.network), [told]);
    });
}

#[test]
fn lines_that_the_merchant_drops_are_told_as_far_as_they_are_open() {
    sold(good, |case| async move {
        let bench = &case.bench;
        bench
            .store
            .write_blocking(|tx| {
                let network = tx.order_by_key(waybill_it::bench::NETWORK, "1")?;
                let to = network.expect("the order").connection;
                tx.set_cell(
                    ERP,
                    to,
                    "cancel-codes",
                    None,
                    "*",
                    Some("CXSS"),
                    None,
                    "ann",
                    0,
                )
            })
            .unwrap();
        bench.ship(state(bench, "1", false, 2));
        bench.pass(20).await;
        let told = |units| (CancelPhase::Ordered, Some("CXSS".to_owned()), units);
        assert_eq!(came(&case.network), [told(2)]);
        bench.ship(state(bench, "2", false, 3));
        bench.pass(20).await;
        assert_eq!(came(&case.network), [told(2), told(1)]);
        // Four units leave although three were dropped: never silently.
        bench.ship(note("7", "502", 1, |n| {
            n.parcels[0].lines[0].quantity = Decimal::whole(4);
        }));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["above-open"]);
    });
}

#[test]
fn a_part_is_not_told_where_the_retailer_wants_all_or_nothing() {
    sold(good, |case| async move {
        let bench = &case.bench;
        bench.set("cancel.fill-kill", "line");
        bench.ship(state(bench, "1", false, 2));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["cancel-partial"]);
        // The merchant takes it back: the card is gone.
        bench.ship(state(bench, "2", false, 0));
        bench.pass(20).await;
        assert!(bench.codes().is_empty() && came(&case.network).is_empty());
    });
}

#[test]
fn a_request_that_the_merchant_answered_by_hand_is_told() {
    sold(good, |case| async move {
        let bench = &case.bench;
        bench.set("cancel.requests", "ask");
        bench.send(request("2", CancelPhase::Requested, None));
        bench.pass(20).await;
        bench.ship(state(bench, "1", true, 5));
        bench.pass(20).await;
        assert_eq!(came(&case.network), [(CancelPhase::Accepted, None, 5)]);
        assert!(bench.codes().is_empty());
    });
}

#[test]
fn a_request_is_over_when_the_network_says_so() {
    sold(good, |case| async move {
        let bench = &case.bench;
        bench.set("cancel.requests", "ask");
        bench.send(request("2", CancelPhase::Requested, None));
        bench.pass(20).await;
        bench.send(request("3", CancelPhase::Refused, None));
        bench.pass(20).await;
        assert!(bench.codes().is_empty());
        let jobs = bench.jobs("1");
        let cancel = jobs
            .iter()
            .find(|j| j.work == Work::Push(Entity::Cancellation));
        assert!(matches!(
            &cancel.expect("a job").state,
            JobState::Done(Ending::Ignored(_))
        ));
        assert!(came(&case.erp).is_empty());
    });
}
