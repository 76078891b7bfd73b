//! The nightly comparison: what feeds have lost is taken, what cannot be put right is said, and a kill changes nothing of it.

use waybill_engine::compare::{ComparisonView, ComparisonsView};
use waybill_it::bench::{Bench, Start, held, in_simulated_time, order, start_of_time};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Document, Order, OrderPhase};
use waybill_model::order_state::OrderStage;
use waybill_store::Read;

const COMPARED: Start = Start {
    max_batch: 4,
    route: true,
    cancels: true,
    stock: false,
    invoices: false,
    settings: &[("time-zone", "Europe/Berlin"), ("compare-hour", "2")],
    poll_secs: 5,
    gather_secs: 1,
};

/// An order that was placed today; its later revisions are newer.
fn listed(key: &str, revision: u32, change: impl FnOnce(&mut Order)) -> Document {
    let mut document = order(key, revision, |order| {
        order.placed_at = Some(start_of_time() + 1_000);
        order.phase = OrderPhase::Accepted;
        change(order);
    });
    document.occurred_at = start_of_time() + i64::from(revision);
    document
}

async fn all(bench: &Bench) -> ComparisonsView {
    bench.handle.comparisons().await.expect("the store reads")
}

async fn newest(bench: &Bench) -> ComparisonView {
    all(bench).await.rows.remove(0)
}

async fn compare(bench: &Bench) -> ComparisonView {
    bench.handle.compare_now("ann").await.expect("it begins");
    bench.pass(60).await;
    newest(bench).await
}

#[test]
fn what_the_feeds_lost_is_taken_at_night() {
    in_simulated_time(async {
        let bench = Bench::start(COMPARED);
        bench.send(listed("1", 1, |_| ()));
        bench.send(listed("2", 1, |_| ()));
        bench.pass(30).await;
        assert_eq!(bench.order("2").stage, OrderStage::Created);
        // No feed told of order 3, of order 4 that is over, nor of what was cancelled of order 2.
        held(&bench.network.older).extend([
            listed("1", 1, |_| ()),
            listed("2", 2, |order| order.lines[0].cancelled = Decimal::whole(5)),
            listed("3", 1, |_| ()),
            listed("4", 1, |order| order.phase = OrderPhase::Completed),
        ]);
        let view = all(&bench).await;
        // It is one o'clock in Berlin.
        assert_eq!(view.next, Some(start_of_time() + 3_600_000));
        assert_eq!((view.running, view.rows), (None, Vec::new()));
        bench.pass(3_500).await;
        assert!(bench.order_is_missing("3"));
        bench.pass(200).await;
        let report = newest(&bench).await;
        let counts = (report.seen, report.taken, report.over, report.differs);
        assert_eq!(counts, (4, 2, 1, 0), "{report:#?}");
        assert_eq!(report.who, "waybill");
        let lines: Vec<_> = report.lines.iter().map(|l| (&*l.key, &*l.text)).collect();
        assert_eq!(
            lines,
            [
                ("2", "A change of it was missing here and is taken."),
                ("3", "It was missing here and is taken."),
            ]
        );
        assert_eq!(bench.order("3").stage, OrderStage::Created);
        assert_eq!(bench.order("2").stage, OrderStage::Cancelled);
        assert_eq!(bench.erp.count("cancel"), 1, "the sale is cancelled too");
        assert!(bench.order_is_missing("4"));
        // The next night it finds nothing.
        let next = all(&bench).await.next;
        assert_eq!(next, Some(start_of_time() + 25 * 3_600_000));
        let again = compare(&bench).await;
        assert_eq!((again.seen, again.taken, again.id), (4, 0, 2));
        bench.end().await;
    });
}

#[test]
fn what_cannot_be_put_right_is_said_until_it_is() {
    in_simulated_time(async {
        let bench = Bench::start(COMPARED);
        bench.send(listed("1", 1, |_| ()));
        bench.pass(30).await;
        bench.ship(bench.note("700", "1", |_| ()));
        bench.pass(30).await;
        assert_eq!(bench.order("1").stage, OrderStage::Shipped);
        held(&bench.network.older).push(listed("1", 2, |order| {
            order.lines[0].shipped = Decimal::whole(3);
        }));
        let soon = compare(&bench).await;
        assert_eq!(soon.differs, 0, "it may not show yet");
        bench.pass(4_000).await;
        let report = compare(&bench).await;
        assert_eq!(report.differs, 1, "{report:#?}");
        let text = "Line 1: 5 confirmed as shipped, and the network shows 3.";
        assert!(report.lines.iter().any(|line| line.text == text));
        let alarms = bench.handle.frame().await.unwrap().alarms;
        assert_eq!(
            alarms[0].text,
            "The last comparison of both sides found 1 difference that it could not put right."
        );
        compare(&bench).await;
        let id = bench.order("1").id;
        let notes = bench.store.read(|rx| rx.timeline(id, 100)).unwrap();
        let said = notes.iter().filter(|n| n.text.ends_with(text)).count();
        assert_eq!(said, 1, "said once");
        *held(&bench.network.older) = vec![listed("1", 3, |order| {
            order.lines[0].shipped = Decimal::whole(5);
        })];
        let report = compare(&bench).await;
        assert_eq!(report.differs, 0, "{report:#?}");
        assert!(bench.handle.frame().await.unwrap().alarms.is_empty());
        assert_eq!(bench.network.count("shipment"), 1, "nothing was sent again");
        bench.end().await;
    });
}

#[test]
fn it_goes_on_after_a_kill_and_takes_each_once() {
    in_simulated_time(async {
        let mut bench = Bench::start(COMPARED);
        bench.pass(10).await;
        let older: Vec<Document> = (1..=40)
            .map(|n| listed(&n.to_string(), 1, |_| ()))
            .collect();
        held(&bench.network.older).extend(older.clone());
        bench.handle.compare_now("ann").await.expect("it begins");
        let refused = bench.handle.compare_now("ben").await.unwrap_err();
        assert!(refused.to_string().starts_with("A comparison runs already"));
        let mut kills = 0;
        while all(&bench).await.running.is_some() {
            bench.clock.sleep_ms(900).await;
            bench = bench.again(COMPARED);
            held(&bench.network.older).extend(older.clone());
            kills += 1;
            assert!(kills < 200, "it does not go on");
        }
        assert!(kills > 3, "it was killed {kills} times");
        let report = newest(&bench).await;
        assert_eq!((report.seen, report.taken), (40, 40));
        bench.pass(300).await;
        let orders = bench.store.read(Read::counters).unwrap().orders;
        assert_eq!(orders.values().sum::<u64>(), 40);
        bench.end().await;
    });
}
