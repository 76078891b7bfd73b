//! Orders from before: what is looked at, what is taken, what is left alone, and that a restart changes nothing of it.

use waybill_engine::backfill::{Asked, BackfillView};
use waybill_it::bench::{Bench, NETWORK, Start, held, in_simulated_time, order};
use waybill_model::document::{Document, OrderPhase};
use waybill_model::order_state::OrderStage;
use waybill_store::Read;

/// A bench whose network knows six orders that no feed hands out: one is here already, one was shipped.
async fn older() -> Bench {
    let bench = Bench::start(Start::default());
    bench.send(order("1", 1, |_| ()));
    bench.pass(30).await;
    let mut all: Vec<Document> = (1..=5)
        .map(|n| old(&n.to_string(), OrderPhase::Open))
        .collect();
    all.push(old("6", OrderPhase::Completed));
    held(&bench.network.older).extend(all);
    bench
}

fn old(key: &str, phase: OrderPhase) -> Document {
    order(key, 1, |order| {
        order.phase = phase;
        order.placed_at = Some(1_000 * key.parse::<i64>().expect("a number"));
    })
}

async fn newest(bench: &Bench) -> BackfillView {
    bench
        .handle
        .backfills()
        .await
        .expect("the store reads")
        .remove(0)
}

async fn look(bench: &Bench, asked: Asked) -> u64 {
    let id = bench.handle.look_for_orders("network", &asked, "ann").await;
    let id = id.expect("a look");
    bench.pass(30).await;
    id
}

#[test]
fn a_look_takes_nothing_and_says_what_is_missing() {
    in_simulated_time(async {
        let bench = older().await;
        let id = look(&bench, Asked::Between(0, 10_000)).await;
        let (view, lines) = bench.handle.backfill(id).await.unwrap().unwrap();
        assert_eq!(
            (view.phase, view.missing, view.known, view.over, view.taken),
            ("looked", 4, 1, 1, 0)
        );
        let becomes: Vec<&str> = lines.iter().map(|line| line.becomes).collect();
        assert_eq!(
            becomes,
            ["known", "missing", "missing", "missing", "missing", "over"]
        );
        assert!(bench.order_is_missing("2"));
        bench.handle.take_backfill(id, "ann").await.unwrap();
        bench.pass(60).await;
        let view = newest(&bench).await;
        assert_eq!((view.phase, view.taken), ("done", 4));
        for key in ["2", "3", "4", "5"] {
            assert_eq!(bench.order(key).stage, OrderStage::Created, "order {key}");
        }
        assert!(bench.order_is_missing("6"), "it was shipped before");
        bench.end().await;
    });
}

#[test]
fn a_list_says_which_numbers_were_not_found() {
    in_simulated_time(async {
        let bench = older().await;
        let number = old("3", OrderPhase::Open).order().unwrap().number.clone();
        let id = look(&bench, Asked::List(format!("{number}, 4\n4;\"nope\""))).await;
        let view = newest(&bench).await;
        assert_eq!((view.pasted, view.missing), (Some(3), 2));
        assert_eq!(view.not_found, ["nope"]);
        bench.handle.take_backfill(id, "ann").await.unwrap();
        bench.pass(60).await;
        assert!(!bench.order_is_missing("3") && !bench.order_is_missing("4"));
        assert!(bench.order_is_missing("2"), "nobody asked for it");
        bench.end().await;
    });
}

#[test]
fn it_goes_on_after_a_restart_and_takes_each_order_once() {
    in_simulated_time(async {
        let mut bench = older().await;
        let more = (10..60).map(|n| old(&n.to_string(), OrderPhase::Open));
        held(&bench.network.older).extend(more);
        let documents = held(&bench.network.older).clone();
        let id = look(&bench, Asked::Between(0, 100_000)).await;
        bench.handle.take_backfill(id, "ann").await.unwrap();
        let mut restarts = 0;
        loop {
            tick(&bench).await;
            let view = newest(&bench).await;
            if view.phase == "done" {
                assert_eq!(view.taken, 54);
                break;
            }
            assert_eq!(view.phase, "taking");
            bench = bench.again(Start::default());
            held(&bench.network.older).extend(documents.clone());
            restarts += 1;
            assert!(restarts < 200, "it does not go on");
        }
        assert!(restarts > 3, "it was interrupted {restarts} times");
        bench.pass(600).await;
        let orders = bench.store.read(Read::counters).unwrap().orders;
        assert_eq!(orders.values().sum::<u64>(), 55);
        bench.end().await;
    });
}

/// Long enough for a few pages.
async fn tick(bench: &Bench) {
    bench.clock.sleep_ms(2_000).await;
}

#[test]
fn what_makes_no_sense_is_refused() {
    in_simulated_time(async {
        let bench = older().await;
        let refuse = async |connection: &str, asked: Asked| {
            let refused = bench
                .handle
                .look_for_orders(connection, &asked, "ann")
                .await;
            refused.expect_err("it is refused").to_string()
        };
        for (connection, asked, words) in [
            (
                "network",
                Asked::Between(5, 5),
                "The range of dates is empty.",
            ),
            (
                "network",
                Asked::List(" ,\n".to_owned()),
                "The list has 0 order numbers.",
            ),
            (
                "erp",
                Asked::Between(0, 5),
                "ERP cannot list orders from before.",
            ),
            (
                "shop",
                Asked::Between(0, 5),
                "there is no connection named `shop`",
            ),
        ] {
            assert_eq!(refuse(connection, asked).await, words);
        }
        let id = look(&bench, Asked::Between(0, 10_000)).await;
        bench.handle.stop_backfill(id, "ann").await.unwrap();
        let stopped = bench.handle.take_backfill(id, "ann").await;
        assert_eq!(stopped.unwrap_err().to_string(), "Back-fill 1 is stopped.");
        let known = bench
            .store
            .read(|rx| rx.order_by_key(NETWORK, "2"))
            .unwrap();
        assert!(known.is_none(), "nothing was taken");
        bench.end().await;
    });
}
