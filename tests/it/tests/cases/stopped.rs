//! What stops a connection or a part of it, and what goes on beside.

use super::{case, nothing, problem};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use waybill_host::connector::CallError;
use waybill_it::bench::{Start, held, order, receipt};
use waybill_model::contract::{Failure, Moment, Outcome, Ticket};
use waybill_model::order_state::OrderStage;
use waybill_store::Read;

#[test]
fn a_refused_login_of_one_member_stops_the_connection_until_it_works() {
    case(Start::default(), |bench| async move {
        let refused = Arc::new(AtomicBool::new(true));
        let works = refused.clone();
        *held(&bench.erp.on_push) = Box::new(move |batch| {
            let one = |_| {
                if works.load(Ordering::Relaxed) {
                    Err(Failure::Unauthorized(problem("expired")))
                } else {
                    receipt("900")
                }
            };
            Ok(batch.iter().map(one).collect())
        });
        bench.send(order("1", 1, nothing));
        bench.pass(50).await;
        let calls = bench.erp.count("customer") + bench.erp.count("push");
        assert_eq!(calls, 1, "called while the login is refused");
        let row = bench.store.read(|rx| rx.connection(waybill_it::bench::ERP));
        assert!(row.unwrap().unwrap().unauthorized.is_some());
        refused.store(false, Ordering::Relaxed);
        bench.pass(90).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        let row = bench.store.read(|rx| rx.connection(waybill_it::bench::ERP));
        assert!(row.unwrap().unwrap().unauthorized.is_none());
        bench.end().await;
    });
}

#[test]
fn a_refused_login_keeps_the_tickets() {
    case(Start::default(), |bench| async move {
        let ticket = |_: &_| {
            Ok(Outcome::Pending(Ticket {
                handle: "t".to_owned(),
                check_in_secs: 1,
            }))
        };
        *held(&bench.network.on_settle) =
            Box::new(move |_, batch| Ok(batch.iter().map(ticket).collect()));
        let mut asked = 0;
        *held(&bench.network.on_confirm) = Box::new(move |handles| {
            asked += 1;
            let one = |h: &String| match asked {
                1 => Err(Failure::Unauthorized(problem("expired"))),
                _ => receipt(h),
            };
            Ok(handles.iter().map(one).collect())
        });
        bench.send(order("1", 1, nothing));
        bench.pass(120).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        assert_eq!(bench.network.count("settle"), 2, "one of each moment");
        bench.end().await;
    });
}

#[test]
fn a_pause_stops_between_two_batches_and_hides_nothing_from_others() {
    case(
        Start {
            max_batch: 1,
            ..Start::default()
        },
        |bench| async move {
            let gate = Arc::new(AtomicBool::new(false));
            let paused = gate.clone();
            *held(&bench.erp.on_push) = Box::new(move |batch| {
                paused.store(true, Ordering::Relaxed);
                Ok(batch.iter().map(|d| receipt(&d.document.key)).collect())
            });
            for n in 0..400 {
                bench.send(order(&n.to_string(), 1, nothing));
            }
            while !gate.load(Ordering::Relaxed) {
                bench.clock.sleep_ms(5).await;
            }
            bench.clock.sleep_ms(200).await;
            bench.handle.pause("erp", true, "ann").await.unwrap();
            bench.clock.sleep_ms(50).await;
            let before = bench.erp.count("push");
            bench.pass(300).await;
            assert_eq!(bench.erp.count("push"), before);
            assert!(before < 390, "all were sent before the pause");
            bench.handle.pause("erp", false, "ann").await.unwrap();
            bench.pass(60).await;
            let counters = bench.store.read(Read::counters).unwrap();
            assert_eq!(counters.orders[&OrderStage::Created], 400);
            bench.end().await;
        },
    );
}

#[test]
fn an_overdue_ticket_of_a_paused_connection_delays_nobody() {
    // The ERP's own polls do not wake the loop meanwhile.
    let start = Start {
        poll_secs: 600,
        ..Start::default()
    };
    case(start, |bench| async move {
        *held(&bench.network.on_settle) = Box::new(|moment, batch| {
            let one = |s: &waybill_model::contract::Settled| match moment {
                Moment::Accepted => receipt(&s.key),
                Moment::Delivered => Ok(Outcome::Pending(Ticket {
                    handle: "t".to_owned(),
                    check_in_secs: 5,
                })),
            };
            Ok(batch.iter().map(one).collect())
        });
        let works = Arc::new(AtomicBool::new(true));
        let working = works.clone();
        *held(&bench.erp.on_push) = Box::new(move |batch| {
            let one = |d: &waybill_model::contract::Delivery| {
                if working.load(Ordering::Relaxed) {
                    receipt(&d.document.key)
                } else {
                    Err(Failure::Retry(Some(3)))
                }
            };
            Ok(batch.iter().map(one).collect())
        });
        bench.send(order("1", 1, nothing));
        while bench.order_is_missing("1") || bench.order("1").sale_key.is_none() {
            bench.clock.sleep_ms(50).await;
        }
        works.store(false, Ordering::Relaxed);
        bench.send(order("2", 1, nothing));
        let before = bench.erp.count("push");
        while bench.erp.count("push") == before {
            bench.clock.sleep_ms(50).await;
        }
        bench.handle.pause("network", true, "ann").await.unwrap();
        bench.pass(20).await;
        let tried = bench.erp.count("push") - before;
        assert!(tried >= 4, "tried {tried} times in twenty seconds");
        bench.end().await;
    });
}

#[test]
fn an_order_that_stops_the_connector_lets_others_through_and_gets_a_card() {
    case(Start::default(), |bench| async move {
        *held(&bench.erp.on_push) = Box::new(|batch| {
            if batch.iter().any(|d| d.document.key == "bad") {
                return Err(CallError::Trapped("unreachable".to_owned()));
            }
            Ok(batch.iter().map(|d| receipt(&d.document.key)).collect())
        });
        for key in ["1", "bad", "2", "3", "4"] {
            bench.send(order(key, 1, nothing));
        }
        bench.pass(120).await;
        for key in ["1", "2", "3", "4"] {
            assert_eq!(bench.order(key).stage, OrderStage::Created, "{key}");
        }
        assert_eq!(bench.codes(), ["connector-stopped"]);
        assert_eq!(bench.order("bad").stage, OrderStage::Waiting);
        bench.end().await;
    });
}

#[test]
fn orders_that_lead_nowhere_are_not_read() {
    case(
        Start {
            route: false,
            ..Start::default()
        },
        |bench| async move {
            bench.send(order("1", 1, nothing));
            bench.pass(60).await;
            assert_eq!(bench.network.count("pull"), 0);
            assert_eq!(bench.network.count("settle"), 0);
            bench.end().await;
        },
    );
}
