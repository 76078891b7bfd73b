//! A disk that fills up: people are told, then nothing new is read, and what is here goes on.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::sync::atomic::Ordering::Relaxed;
use waybill_it::bench::{Bench, Start, order};
use waybill_model::order_state::OrderStage;

const MIB: u64 = 1024 * 1024;

async fn alarms(bench: &Bench) -> Vec<String> {
    let frame = bench.handle.frame().await.unwrap();
    frame.alarms.into_iter().map(|alarm| alarm.text).collect()
}

#[test]
fn nothing_new_is_read_on_a_nearly_full_disk_and_the_rest_goes_on() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let bench = Bench::start(Start::default());
        bench.send(order("1", 1, |_| ()));
        bench.pass(20).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        assert!(alarms(&bench).await.is_empty());

        bench.free.store(1_000 * MIB, Relaxed);
        bench.send(order("2", 1, |_| ()));
        bench.pass(70).await;
        assert_eq!(
            bench.order("2").stage,
            OrderStage::Created,
            "it still works"
        );
        assert_eq!(
            alarms(&bench).await,
            ["The disk is getting full: 1000 MiB are free."]
        );
        assert!(bench.handle.ready().is_ok());

        // An order whose item is not known waits here while the disk fills up.
        bench.send(order("3", 1, |order| {
            order.lines[0].identifiers[0].value = "SKU-9".to_owned();
        }));
        bench.pass(20).await;
        assert_eq!(bench.order("3").stage, OrderStage::Waiting);
        bench.free.store(100 * MIB, Relaxed);
        bench.pass(70).await;
        bench.send(order("4", 1, |_| ()));
        bench.pass(300).await;
        assert!(bench.order_is_missing("4"), "nothing new is read");
        let told = alarms(&bench).await;
        assert!(told[0].contains("New orders are not read"), "{told:?}");
        assert_eq!(bench.handle.ready().unwrap_err(), told[0]);
        let card = bench.cards().remove(0);
        let waybill_store::Cause::Gap { from, to, gap } = card.cause else {
            panic!("{card:?}");
        };
        let code = "1".to_owned();
        let filled = bench.handle.fill_cell(from, to, gap, true, code, "ann");
        assert_eq!(filled.await.unwrap(), 1);
        bench.pass(60).await;
        assert_eq!(bench.order("3").stage, OrderStage::Created, "what is here");

        bench.free.store(1 << 40, Relaxed);
        bench.pass(130).await;
        assert_eq!(bench.order("4").stage, OrderStage::Created);
        assert!(alarms(&bench).await.is_empty());
        bench.end().await;
    });
}
