//! What must happen to a goods-out note when it is late, too much, not whole, refused or changed, one case at a time.

mod late;
mod refused;

use std::sync::{Arc, Mutex};
use waybill_it::bench::{Bench, ERP, NETWORK, Start, held, note, order, parcel, receipt};
use waybill_model::contract::{Failure, Gap, Verdict};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Document, Entity, Method, Order, OrderPhase, Part, Shipment};
use waybill_model::ids::Millis;
use waybill_model::job::{Ending, JobState, Priority, Work};
use waybill_model::order_state::OrderStage;
use waybill_store::{DeadlineKind, JobRow, Read};

const HOUR: u64 = 3_600;

/// Runs a case on simulated time.
fn case<F: Future<Output = ()>>(start: Start, test: impl FnOnce(Bench) -> F) {
    waybill_it::bench::in_simulated_time(async { test(Bench::start(start)).await });
}

/// Runs a case with order 1, whose sale is made.
fn sold<F: Future<Output = ()>>(test: impl FnOnce(Bench) -> F) {
    sold_as(plain, test);
}

fn sold_as<F: Future<Output = ()>>(change: fn(&mut Order), test: impl FnOnce(Bench) -> F) {
    case(Start::default(), |bench| async move {
        bench.send(order("1", 1, change));
        bench.pass(30).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        test(bench).await;
    });
}

fn plain(_: &mut Order) {}

fn whole(_: &mut Shipment) {}

fn units(count: i64) -> impl FnOnce(&mut Shipment) {
    move |note| note.parcels[0].lines[0].quantity = Decimal::whole(count)
}

/// What the network was told: every shipment that came, newest last.
fn told(bench: &Bench) -> Arc<Mutex<Vec<Document>>> {
    answered(bench, |note| receipt(&format!("P{note}")))
}

/// The same, with answers by the key of the note.
fn answered(
    bench: &Bench,
    answer: impl Fn(&str) -> Verdict + Send + 'static,
) -> Arc<Mutex<Vec<Document>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = told.clone();
    *held(&bench.network.on_push) = Box::new(move |batch| {
        let mut seen = held(&seen);
        Ok(batch
            .iter()
            .map(|delivery| {
                seen.push(delivery.document.clone());
                answer(&delivery.document.key)
            })
            .collect())
    });
    told
}

fn shipment(document: &Document) -> &Shipment {
    let Body::Shipment(shipment) = &document.body else {
        panic!("not a shipment")
    };
    shipment
}

/// Note, line and units of everything that was told.
fn lines(told: &Mutex<Vec<Document>>) -> Vec<(String, String, i64)> {
    let mut lines = Vec::new();
    for document in held(told).iter() {
        for packed in shipment(document).parcels.iter().flat_map(|p| &p.lines) {
            assert!(packed.part.is_none(), "a component was told");
            let units = packed.quantity.normal().units;
            lines.push((document.key.clone(), packed.line.clone(), units));
        }
    }
    lines
}

fn line(note: &str, line: &str, units: i64) -> (String, String, i64) {
    (note.to_owned(), line.to_owned(), units)
}

fn words(bench: &Bench) -> String {
    bench.order("1").problem.unwrap_or_default()
}

fn shipments(bench: &Bench) -> Vec<JobRow> {
    let mut jobs = bench.jobs("1");
    jobs.retain(|j| j.work == Work::Push(Entity::Shipment));
    jobs
}

fn timeline(bench: &Bench) -> String {
    let id = bench.order("1").id;
    let notes = bench.store.read(|rx| rx.timeline(id, 100));
    let notes = notes.expect("the store reads");
    let texts: Vec<String> = notes.into_iter().map(|n| n.text).collect();
    texts.join("\n")
}

fn part(item: &str, per_unit: i64, parts: u32) -> Part {
    Part {
        item: item.to_owned(),
        per_unit: Decimal::whole(per_unit),
        parts,
    }
}

/// One component of line 1, of two.
fn component(item: &'static str, count: i64) -> impl FnOnce(&mut Shipment) {
    move |note| {
        note.parcels[0].lines[0].quantity = Decimal::whole(count);
        note.parcels[0].lines[0].part = Some(part(item, 1, 2));
    }
}

#[test]
fn a_note_is_told_in_the_networks_words_and_closes_the_order() {
    sold(|bench| async move {
        let told = told(&bench);
        bench.ship(bench.note("700", "1", whole));
        bench.pass(30).await;
        assert_eq!(lines(&told), [line("700", "1", 5)]);
        let sent = held(&told)[0].clone();
        let sent = shipment(&sent);
        assert_eq!(sent.order_key, "1");
        assert_eq!(sent.warehouse.as_deref(), Some("EAST"));
        let method = sent.shipping_method.clone().unwrap();
        assert_eq!(method.carrier.as_deref(), Some("UPS"));
        assert_eq!(method.code.as_deref(), Some("UPSG"));
        let row = bench.order("1");
        assert_eq!(row.stage, OrderStage::Shipped);
        assert!(row.shipped_at.is_some());
        let (deadlines, links, days, found) = bench
            .store
            .read(|rx| {
                Ok((
                    rx.deadlines(0, 10)?,
                    rx.links_of(ERP, Entity::Shipment, "700")?,
                    rx.day_counts(1)?,
                    rx.search("1Z700", 5)?,
                ))
            })
            .unwrap();
        assert!(
            deadlines
                .iter()
                .all(|(_, kind, _)| *kind != DeadlineKind::Ship)
        );
        assert_eq!(links[0].key, "P700");
        assert_eq!((days[0].created, days[0].shipped), (1, 1));
        assert_eq!(found[0].key, "1");
        let text = timeline(&bench);
        assert!(
            text.contains("ERP: goods-out note 700 is shipped, tracking number 1Z700."),
            "{text}"
        );
        assert!(
            text.contains("reported to Retailer R1: 5 units, 1Z700. Network confirmed."),
            "{text}"
        );
        let detail = bench.handle.order(row.id).await.unwrap().unwrap();
        assert_eq!(detail.lines[0].shipped, Decimal::whole(5));
        assert_eq!(detail.lines[0].open, Decimal::ZERO);
        assert_eq!(detail.shipments[0].state, "Reported");
        bench.end().await;
    });
}

#[test]
fn part_by_part_until_everything_is_shipped() {
    sold(|bench| async move {
        let told = told(&bench);
        bench.ship(bench.note("700", "1", units(2)));
        bench.ship(bench.note("700", "1", units(2)));
        bench.pass(30).await;
        assert_eq!(bench.order("1").stage, OrderStage::PartShipped);
        bench.ship(bench.note("701", "1", |note| {
            note.parcels = vec![
                parcel(Some("A"), &[("1", 3), ("1", 0)]),
                parcel(Some("B"), &[("1", 0)]),
            ];
        }));
        bench.pass(30).await;
        assert_eq!(lines(&told), [line("700", "1", 2), line("701", "1", 3)]);
        assert_eq!(shipment(&held(&told)[1]).parcels.len(), 1);
        assert_eq!(bench.order("1").stage, OrderStage::Shipped);
        bench.end().await;
    });
}

#[test]
fn what_the_network_counts_itself_moves_the_order_too() {
    sold(|bench| async move {
        bench.send(order("1", 2, |o| {
            o.phase = OrderPhase::Accepted;
            o.lines[0].shipped = Decimal::whole(2);
        }));
        bench.pass(20).await;
        assert_eq!(bench.order("1").stage, OrderStage::PartShipped);
        bench.send(order("1", 3, |o| o.phase = OrderPhase::Completed));
        bench.pass(20).await;
        assert_eq!(bench.order("1").stage, OrderStage::Shipped);
        let days = bench.store.read(|rx| rx.day_counts(1)).unwrap();
        assert_eq!(days[0].shipped, 1);
        bench.end().await;
    });
}

#[test]
fn more_than_is_open_is_a_card_with_both_figures() {
    sold(|bench| async move {
        let told = told(&bench);
        bench.ship(bench.note("700", "1", units(3)));
        bench.pass(30).await;
        bench.ship(bench.note("701", "1", units(4)));
        bench.pass(30).await;
        assert_eq!(bench.codes(), ["above-open"]);
        assert_eq!(
            words(&bench),
            "Goods-out note 701 of order PO-1 ships 4 of line 1 (A thing), and 2 are open."
        );
        assert_eq!(bench.order("1").stage, OrderStage::Waiting);
        // A person sends what is open, and these figures only.
        let id = bench.cards()[0].id.clone();
        bench.handle.retry_card(&id, "ann").await.unwrap();
        bench.pass(30).await;
        assert_eq!(lines(&told), [line("700", "1", 3), line("701", "1", 2)]);
        assert_eq!(bench.order("1").stage, OrderStage::Shipped);
        bench.end().await;
    });
}

#[test]
fn the_networks_own_count_closes_what_is_open() {
    sold(|bench| async move {
        let told = told(&bench);
        bench.send(order("1", 2, |o| {
            o.phase = OrderPhase::Accepted;
            o.lines[0].shipped = Decimal::whole(4);
            o.lines[0].cancelled = Decimal::whole(1);
        }));
        bench.pass(20).await;
        bench.ship(bench.note("700", "1", units(1)));
        bench.pass(30).await;
        assert!(bench.codes().contains(&"above-open".to_owned()));
        assert!(held(&told).is_empty());
        bench.end().await;
    });
}

#[test]
fn a_note_with_a_line_of_nobody_is_a_card() {
    sold(|bench| async move {
        let told = told(&bench);
        bench.ship(bench.note("700", "1", |n| n.parcels[0].lines[0].line = "9".to_owned()));
        bench.pass(30).await;
        assert_eq!(bench.codes(), ["line-unknown"]);
        assert!(held(&told).is_empty());
        bench.end().await;
    });
}

#[test]
fn a_method_without_a_counterpart_is_one_cell() {
    sold(|bench| async move {
        let told = told(&bench);
        let other = |n: &mut Shipment| {
            n.shipping_method = Some(Method {
                carrier: None,
                name: None,
                code: Some("13".to_owned()),
            });
        };
        bench.ship(bench.note("700", "1", other));
        bench.pass(30).await;
        assert_eq!(bench.codes(), ["shipping-methods 13"]);
        let gap = Gap {
            table: "shipping-methods".to_owned(),
            retailer: Some("R1".to_owned()),
            value: "13".to_owned(),
        };
        let cell = "FedEx||FDXG".to_owned();
        let filled = bench.handle.fill_cell(ERP, NETWORK, gap, true, cell, "ann");
        assert_eq!(filled.await.unwrap(), 1);
        bench.pass(30).await;
        let sent = held(&told)[0].clone();
        let method = shipment(&sent).shipping_method.clone().unwrap();
        assert_eq!(
            (method.carrier.as_deref(), method.name),
            (Some("FedEx"), None)
        );
        assert!(bench.codes().is_empty());
        bench.end().await;
    });
}

#[test]
fn whole_kits_are_told_by_the_note_that_completes_them() {
    sold(|bench| async move {
        let told = told(&bench);
        bench.ship(bench.note("700", "1", component("A", 3)));
        bench.pass(30).await;
        assert!(held(&told).is_empty());
        assert!(timeline(&bench).contains("waits for the note that makes it whole"));
        bench.ship(bench.note("701", "1", component("B", 2)));
        bench.pass(30).await;
        assert_eq!(lines(&told), [line("701", "1", 2)]);
        assert_eq!(bench.order("1").stage, OrderStage::PartShipped);
        // One A is left in 700; the rest comes with 702.
        assert!(matches!(
            shipments(&bench)[0].state,
            JobState::Resting { .. }
        ));
        let rest = bench.note("702", "1", |n| {
            component("A", 2)(n);
            let mut other = n.parcels[0].lines[0].clone();
            other.quantity = Decimal::whole(3);
            other.part = Some(part("B", 1, 2));
            n.parcels[0].lines.push(other);
        });
        bench.ship(rest);
        bench.pass(30).await;
        assert_eq!(lines(&told), [line("701", "1", 2), line("702", "1", 3)]);
        assert_eq!(bench.order("1").stage, OrderStage::Shipped);
        let state = shipments(&bench)[0].state.clone();
        assert!(
            matches!(state, JobState::Done(Ending::Merged(_))),
            "{state:?}"
        );
        bench.end().await;
    });
}

#[test]
fn a_kit_that_was_tried_by_a_note_is_told_by_another_one() {
    sold(|bench| async move {
        let attempts = Arc::new(Mutex::new(0));
        let counter = attempts.clone();
        let told = answered(&bench, move |note| {
            if note == "700" {
                *held(&counter) += 1;
                return Err(Failure::Retry(Some(60)));
            }
            receipt(&format!("P{note}"))
        });
        let later = |by: i64, then: Box<dyn FnOnce(&mut Shipment)>| {
            move |note: &mut Shipment| {
                note.shipped_at = note.shipped_at.map(|at| at + by);
                then(note);
            }
        };
        bench.ship(bench.note("702", "1", later(2_000, Box::new(component("B", 1)))));
        bench.pass(30).await;
        bench.ship(bench.note("700", "1", |note| {
            component("A", 1)(note);
            let mut other = note.parcels[0].lines[0].clone();
            other.part = Some(part("B", 1, 2));
            note.parcels[0].lines.push(other);
        }));
        bench.pass(5).await;
        assert_eq!(*held(&attempts), 1);
        // The kit of 700 counts: 702 makes another one with what lies in 701.
        bench.ship(bench.note("701", "1", later(1_000, Box::new(component("A", 1)))));
        bench.pass(30).await;
        // By its date 701 completes what is left, once 700 is looked at again.
        bench.pass(60).await;
        let all = lines(&told).into_iter();
        let all: Vec<_> = all.filter(|(note, ..)| note != "700").collect();
        assert_eq!(all, [line("702", "1", 1), line("701", "1", 1)]);
        let first = shipments(&bench).remove(1);
        let merged = JobState::Done(Ending::Merged("701".to_owned()));
        assert_eq!((first.state, first.units), (merged, Vec::new()));
        bench.end().await;
    });
}

#[test]
fn notes_of_others_leave_nothing_behind() {
    sold(|bench| async move {
        let told = told(&bench);
        for n in 0..20 {
            bench.ship(note(&n.to_string(), &format!("foreign-{n}"), 1, whole));
        }
        bench.pass(30).await;
        let stored = bench
            .store
            .read(|rx| rx.latest_documents(ERP, Entity::Shipment, None, 100));
        assert!(stored.unwrap().is_empty());
        let remembered = bench
            .store
            .read(|rx| rx.meta(&format!("unclaimed-notes/{ERP}")));
        assert_eq!(remembered.unwrap(), None);
        assert!(held(&told).is_empty());
        bench.end().await;
    });
}

#[test]
fn calls_are_gathered_a_thousand_orders_at_a_time() {
    let start = Start {
        max_batch: 10,
        gather_secs: 30,
        ..Start::default()
    };
    case(start, |bench| async move {
        let told = told(&bench);
        for n in 0..1_000 {
            bench.send(order(&n.to_string(), 1, plain));
        }
        bench.pass(180).await;
        let counters = bench.store.read(Read::counters).unwrap();
        assert_eq!(counters.orders[&OrderStage::Created], 1_000);
        let members = |side: &waybill_it::bench::Side, what| {
            let calls = held(&side.calls);
            let of = calls.iter().filter(|(w, _)| *w == what);
            of.map(|(_, members)| *members).collect::<Vec<_>>()
        };
        let settled = members(&bench.network, "settle");
        assert_eq!(settled.iter().sum::<usize>(), 2_000);
        assert!(settled.len() <= 4, "{settled:?}");
        let pushed = members(&bench.erp, "push");
        assert!(pushed.len() <= 102, "{} calls: {pushed:?}", pushed.len());
        for n in 0..1_000 {
            bench.ship(bench.note(&format!("N{n}"), &n.to_string(), whole));
        }
        bench.pass(60).await;
        let shipped = members(&bench.network, "shipment");
        assert_eq!(held(&told).len(), 1_000);
        assert!(shipped.len() <= 2, "{shipped:?}");
        let counters = bench.store.read(Read::counters).unwrap();
        assert_eq!(counters.orders[&OrderStage::Shipped], 1_000);
        bench.end().await;
    });
}

fn due_soon(order: &mut Order) {
    if let Some(by) = &mut order.ship_by {
        by.at = waybill_it::bench::start_of_time() + 2 * 3_600_000 as Millis;
    }
}

#[test]
fn what_must_ship_soon_goes_first() {
    sold_as(due_soon, |bench| async move {
        drop(told(&bench));
        bench.ship(bench.note("700", "1", whole));
        bench.pass(30).await;
        let of = |side: &waybill_it::bench::Side, what: &str| {
            let calls = held(&side.priorities);
            let last = calls.iter().rfind(|(w, _)| *w == what);
            last.map(|(_, priority)| *priority)
        };
        assert_eq!(of(&bench.network, "shipment"), Some(Priority::NearDeadline));
        assert_eq!(of(&bench.erp, "push"), Some(Priority::NearDeadline));
        assert!(held(&bench.erp.priorities).contains(&("pull", Priority::NearDeadline)));
        bench.end().await;
    });
}
