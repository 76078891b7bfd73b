//! The nightly comparison: what feeds have lost is taken, what cannot be put right is said, and a kill changes nothing of it.

use waybill_engine::compare::{ComparisonView, ComparisonsView, Finding};
use waybill_engine::view::CardKind;
use waybill_it::bench::{
    Bench, ERP, NETWORK, Start, billed, held, in_simulated_time, invoice, order, start_of_time,
};
use waybill_model::contract::{Failure, Problem};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Document, Entity, Order, OrderPhase};
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

/// An order over five units, all of them confirmed as shipped more than an hour ago.
async fn shipped(bench: &Bench) {
    bench.send(listed("1", 1, |_| ()));
    bench.pass(30).await;
    bench.ship(bench.note("700", "1", |_| ()));
    bench.pass(30).await;
    assert_eq!(bench.order("1").stage, OrderStage::Shipped);
    bench.pass(4_000).await;
}

/// The network shows so many units of it as shipped.
fn shows(bench: &Bench, revision: u32, units: i64) {
    *held(&bench.network.older) = vec![shown(revision, units)];
}

fn shown(revision: u32, units: i64) -> Document {
    listed("1", revision, |order| {
        order.lines[0].shipped = Decimal::whole(units);
    })
}

const THREE: &str = "Line 1: 5 confirmed as shipped, and the network shows 3.";

fn said(bench: &Bench, text: &str) -> usize {
    let id = bench.order("1").id;
    let notes = bench
        .store
        .read(|rx| rx.timeline(id, 100))
        .expect("the store reads");
    notes.iter().filter(|n| n.text.ends_with(text)).count()
}

#[test]
fn a_difference_is_a_card_until_both_sides_agree() {
    in_simulated_time(async {
        let bench = Bench::start(COMPARED);
        bench.send(listed("1", 1, |_| ()));
        bench.pass(30).await;
        bench.ship(bench.note("700", "1", |_| ()));
        bench.pass(30).await;
        shows(&bench, 2, 3);
        let soon = compare(&bench).await;
        assert_eq!((soon.differs, soon.equal), (0, 0), "it may not show yet");
        assert!(bench.cards().is_empty());
        bench.pass(4_000).await;
        let report = compare(&bench).await;
        assert_eq!(report.differs, 1, "{report:#?}");
        let line = &report.lines[0];
        assert_eq!((line.finding, &*line.text), (Finding::Differs, THREE));
        assert_eq!(line.number.as_deref(), Some("PO-1"));
        let cards = bench.handle.cards().await.unwrap();
        assert_eq!(cards.len(), 1, "{cards:#?}");
        assert_eq!(
            cards[0].title,
            format!("Network shows order PO-1 otherwise than it confirmed it. {THREE}")
        );
        assert_eq!(cards[0].kind, CardKind::Comparison);
        assert_eq!(line.card.as_ref(), Some(&cards[0].id));
        assert_eq!(bench.order("1").stage, OrderStage::Waiting);
        assert!(bench.handle.frame().await.unwrap().alarms.is_empty());
        let refused = bench.handle.retry_card(&cards[0].id, "ann").await;
        assert!(refused.unwrap_err().to_string().contains(THREE));
        // A second comparison finds the same: one card, said once.
        compare(&bench).await;
        assert_eq!((bench.cards().len(), said(&bench, THREE)), (1, 1));
        // Other words, the same card.
        shows(&bench, 3, 4);
        compare(&bench).await;
        let cards = bench.handle.cards().await.unwrap();
        assert!(cards.len() == 1 && cards[0].title.ends_with("shows 4."));
        shows(&bench, 4, 5);
        let report = compare(&bench).await;
        assert_eq!((report.differs, report.taken), (0, 1), "{report:#?}");
        assert!(bench.cards().is_empty());
        assert_eq!(bench.order("1").stage, OrderStage::Shipped);
        assert_eq!(bench.network.count("shipment"), 1, "nothing was sent again");
        bench.end().await;
    });
}

#[test]
fn a_newer_revision_that_agrees_closes_the_card() {
    in_simulated_time(async {
        let bench = Bench::start(COMPARED);
        shipped(&bench).await;
        shows(&bench, 2, 3);
        compare(&bench).await;
        assert_eq!(bench.codes(), ["order-differs"]);
        bench.send(shown(3, 4));
        bench.pass(10).await;
        let cards = bench.handle.cards().await.unwrap();
        assert!(cards.len() == 1 && cards[0].title.ends_with("shows 4."));
        bench.send(shown(4, 5));
        bench.pass(10).await;
        assert!(bench.cards().is_empty());
        assert_eq!(said(&bench, "both sides agree again."), 1);
        // The same difference is news when it comes again.
        bench.pass(4_000).await;
        shows(&bench, 5, 4);
        compare(&bench).await;
        assert_eq!(bench.codes(), ["order-differs"]);
        bench.end().await;
    });
}

#[test]
fn a_difference_that_was_left_alone_is_not_said_again() {
    in_simulated_time(async {
        let bench = Bench::start(COMPARED);
        shipped(&bench).await;
        shows(&bench, 2, 3);
        compare(&bench).await;
        let card = bench.cards().remove(0).id;
        let left = bench.handle.ignore_card(&card, "two were lost", "ann");
        left.await.unwrap();
        assert_eq!(bench.order("1").stage, OrderStage::Shipped);
        let report = compare(&bench).await;
        assert_eq!(report.differs, 1);
        assert_eq!(report.lines[0].card, None, "it waits for nobody");
        assert!(bench.cards().is_empty());
        shows(&bench, 3, 2);
        compare(&bench).await;
        assert_eq!(bench.codes(), ["order-differs"], "another difference is");
        // A cancelled order is nobody's task.
        bench.send(listed("1", 4, |order| order.phase = OrderPhase::Cancelled));
        bench.pass(10).await;
        held(&bench.network.older).clear();
        assert!(!bench.codes().contains(&"order-differs".to_owned()));
        bench.end().await;
    });
}

/// Where one invoice per order is told: order 1 is there, and its sale.
async fn invoicing() -> (Bench, String) {
    let bench = Bench::start(Start {
        invoices: true,
        ..COMPARED
    });
    bench.set("invoices.policy", "order");
    bench.send(listed("1", 1, |_| ()));
    bench.pass(30).await;
    let sale = bench.order("1").sale_key.expect("a sale");
    (bench, sale)
}

#[test]
fn a_confirmed_invoice_that_is_not_there_is_a_card() {
    in_simulated_time(async {
        let (bench, sale) = invoicing().await;
        bench.ship(bench.note("700", "1", |_| ()));
        bench.ship(invoice(&sale, "SI-1", vec![billed("1", 5, 950)]));
        bench.pass(120).await;
        assert_eq!(bench.order("1").stage, OrderStage::Invoiced);
        shows(&bench, 2, 5);
        let lost = held(&bench.network.billed).remove("SI-1").unwrap();
        compare(&bench).await;
        assert!(bench.cards().is_empty(), "it may not show yet");
        bench.pass(4_000).await;
        let report = compare(&bench).await;
        assert_eq!(report.differs, 1, "{report:#?}");
        let line = &report.lines[0];
        assert_eq!((line.entity, &*line.key), (Entity::Invoice, "SI-1"));
        assert_eq!(line.text, "It was confirmed, and is not there.");
        assert_eq!(bench.codes(), ["invoice-differs"]);
        // Each is asked for once, and again while its card is open.
        let mut other = lost.clone();
        if let Body::Invoice(made) = &mut other.body {
            made.total.gross = Decimal::new(4_700, 2);
        }
        held(&bench.network.billed).insert("SI-1".to_owned(), other);
        let report = compare(&bench).await;
        assert_eq!(
            report.lines[0].text,
            "Its total there is 47, and 47.5 was sent."
        );
        held(&bench.network.billed).insert("SI-1".to_owned(), lost);
        let report = compare(&bench).await;
        assert_eq!(report.differs, 0, "{report:#?}");
        assert!(bench.cards().is_empty());
        assert_eq!(bench.order("1").stage, OrderStage::Invoiced);
        // Nothing asks for it from now on.
        let before = bench.network.count("read");
        compare(&bench).await;
        assert_eq!(bench.network.count("read"), before + 1, "orders alone");
        assert_eq!(bench.network.count("invoice"), 1, "nothing was sent again");
        bench.end().await;
    });
}

#[test]
fn notes_and_invoices_that_a_feed_lost_are_taken() {
    in_simulated_time(async {
        let (bench, sale) = invoicing().await;
        let mut foreign = bench.note("701", "1", |note| note.order_key = "99".to_owned());
        foreign.occurred_at = start_of_time();
        let mut lost = bench.note("700", "1", |_| ());
        lost.occurred_at = start_of_time();
        let bill = invoice(&sale, "SI-1", vec![billed("1", 5, 950)]);
        held(&bench.erp.older).extend([lost, foreign, bill]);
        let report = compare(&bench).await;
        assert_eq!((report.seen, report.taken), (3, 2), "{report:#?}");
        bench.pass(120).await;
        assert_eq!(bench.order("1").stage, OrderStage::Invoiced);
        let again = compare(&bench).await;
        assert_eq!((again.taken, again.equal), (0, 2), "{again:#?}");
        bench.end().await;
    });
}

/// A sale as the ERP lists it.
fn sale(key: &str, number: &str, contact: &str) -> Document {
    listed(key, 1, |order| {
        number.clone_into(&mut order.number);
        order.customer = Some(contact.to_owned());
    })
}

#[test]
fn sales_that_nobody_here_knows_are_said_and_left() {
    in_simulated_time(async {
        let bench = Bench::start(COMPARED);
        bench.send(listed("1", 1, |_| ()));
        bench.pass(30).await;
        let row = bench.order("1");
        let cell = bench
            .store
            .read(|rx| rx.cell(NETWORK, ERP, "customers", "R1", "R1"));
        let contact = cell.unwrap().expect("the retailer has a contact");
        held(&bench.erp.older).extend([
            sale(&row.sale_key.clone().unwrap(), "PO-1", &contact),
            sale("9001", "PO-1", "77"),
            sale("9002", "PO-900", &contact),
            sale("9003", "COUNTER", "77"),
        ]);
        let report = compare(&bench).await;
        let texts: Vec<_> = report.lines.iter().map(|l| (l.finding, &*l.text)).collect();
        let own = row.sale_number.unwrap();
        let second = format!("Sale 9001 has the number of order PO-1, whose sale is {own}.");
        assert_eq!(
            texts,
            [
                (Finding::Unknown, &*second),
                (
                    Finding::Unknown,
                    "Sale 9002, PO-900, is for R1 and of no order known here."
                ),
            ]
        );
        assert_eq!((report.seen, report.equal, report.unknown), (3, 1, 2));
        assert!(bench.cards().is_empty());
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        assert_eq!(bench.erp.count("push"), 1, "nothing was written");
        bench.end().await;
    });
}

#[test]
fn a_second_sale_for_the_consumer_of_an_order_is_said() {
    in_simulated_time(async {
        let bench = Bench::start(Start {
            settings: &[("customers.mode", "order"), ("compare-hour", "2")],
            ..COMPARED
        });
        bench.send(listed("1", 1, |_| ()));
        bench.pass(30).await;
        let row = bench.order("1");
        let links = bench
            .store
            .read(|rx| rx.links_between(NETWORK, Entity::Customer, "1", ERP));
        let contact = links.unwrap().pop().expect("the order has a contact").key;
        held(&bench.erp.older).extend([
            sale(&row.sale_key.clone().unwrap(), "PO-1", &contact),
            sale("9001", "BY PHONE", &contact),
        ]);
        let report = compare(&bench).await;
        let texts: Vec<_> = report.lines.iter().map(|l| (l.finding, &*l.text)).collect();
        let second = "Sale 9001 is for the consumer of order PO-1, whose sale it is not.";
        assert_eq!(texts, [(Finding::Unknown, second)]);
        bench.end().await;
    });
}

#[test]
fn a_listing_that_cannot_be_read_is_an_alarm_until_it_can() {
    in_simulated_time(async {
        let bench = Bench::start(COMPARED);
        let refusal = Problem::new("refused", "No listing today.", "Wait.");
        let refusal = Failure::Rejected(refusal);
        *held(&bench.network.unlisted) = Some((Entity::Order, refusal.clone()));
        let report = compare(&bench).await;
        assert_eq!(report.not_compared, 1, "{report:#?}");
        let alarms = bench.handle.frame().await.unwrap().alarms;
        assert_eq!(
            alarms[0].text,
            "The last comparison of both sides could not be done in full."
        );
        *held(&bench.network.unlisted) = None;
        // An ERP that does not list its sales is no alarm.
        *held(&bench.erp.unlisted) = Some((Entity::Order, refusal));
        let report = compare(&bench).await;
        assert_eq!(report.not_compared, 0);
        assert_eq!(report.lines[0].finding, Finding::NotListed);
        assert!(bench.handle.frame().await.unwrap().alarms.is_empty());
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
