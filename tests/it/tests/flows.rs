//! Pausing one flow, its hours, running it now: nothing new is read or sent of it, what was begun goes on, other flows do
//! not notice, and a kill changes nothing of it.

use std::sync::{Arc, Mutex};
use waybill_engine::flow::Which;
use waybill_engine::view::FlowView;
use waybill_it::bench::{
    Bench, ERP, NETWORK, Start, held, in_simulated_time, order, receipt, request, start_of_time,
};
use waybill_model::contract::{Outcome, Ticket};
use waybill_model::document::{Body, Deadline, DeadlineSource, Document, Entity};
use waybill_model::order_state::OrderStage;
use waybill_store::Read;

const ALL: Start = Start {
    max_batch: 4,
    route: true,
    cancels: true,
    stock: true,
    invoices: false,
    settings: &[("cancel.note", "picked")],
    poll_secs: 5,
    gather_secs: 1,
};

fn which(entity: Entity) -> Which {
    let (from, to) = match entity {
        Entity::Order => ("network", "erp"),
        _ => ("erp", "network"),
    };
    Which {
        entity,
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

async fn pause(bench: &Bench, entity: Entity) {
    let which = which(entity);
    let paused = bench.handle.pause_flow(&which, "stocktaking", "ann").await;
    paused.expect("the flow is there");
}

async fn resume(bench: &Bench, entity: Entity) {
    let resumed = bench.handle.resume_flow(&which(entity), "ben").await;
    resumed.expect("the flow is there");
}

async fn flow(bench: &Bench, entity: Entity) -> FlowView {
    let which = which(entity);
    let flows = bench.handle.flows().await.expect("the store reads");
    let mut own = flows
        .into_iter()
        .filter(|f| f.entity == entity && f.from == which.from);
    own.next().expect("the flow is there")
}

/// Starts again after a kill; the network hands out and the ERP holds what they did.
fn killed(bench: Bench) -> Bench {
    let (network, erp) = (bench.network.clone(), bench.erp.clone());
    let next = bench.again(ALL);
    held(&next.network.documents).clone_from(&held(&network.documents));
    held(&next.erp.documents).clone_from(&held(&erp.documents));
    held(&next.erp.stock).clone_from(&held(&erp.stock));
    next
}

fn with_deadline(key: &str, hours: i64) -> Document {
    order(key, 1, |order| {
        order.ship_by = Some(Deadline {
            at: start_of_time() + hours * 3_600_000,
            set_by: DeadlineSource::Order,
        });
    })
}

#[test]
fn a_paused_flow_of_orders_takes_nothing_and_sends_nothing_until_it_goes_on() {
    in_simulated_time(async {
        let mut bench = Bench::start(ALL);
        bench.pass(1).await;
        pause(&bench, Entity::Order).await;
        bench.send(order("1", 1, |_| ()));
        bench.pass(120).await;
        assert!(bench.order_is_missing("1"), "nothing new is taken");
        assert_eq!(bench.network.count("settle"), 0);
        bench = killed(bench);
        bench.pass(120).await;
        assert!(bench.order_is_missing("1"), "the pause survives a kill");
        let view = flow(&bench, Entity::Order).await;
        let said = (view.state, view.who.as_deref(), view.why.as_deref());
        assert_eq!(said, ("paused", Some("ann"), Some("stocktaking")));
        assert!(view.since.is_some_and(|at| at - start_of_time() < 2_000));
        let frame = bench.handle.frame().await.unwrap();
        assert_eq!(frame.paused, ["Orders from Network to ERP"]);
        let refused = bench.handle.run_flow(&which(Entity::Order), "ben").await;
        let words = "order from network to erp is paused.";
        assert_eq!(refused.unwrap_err().to_string(), words);
        resume(&bench, Entity::Order).await;
        bench.pass(30).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        let history = bench.handle.history(10).await.unwrap();
        let told: Vec<_> = history
            .iter()
            .map(|h| (&*h.who, &*h.what, &*h.detail))
            .filter(|(_, what, _)| what.ends_with("a flow"))
            .collect();
        assert_eq!(
            told,
            [
                ("ben", "Resumed a flow", "order from network to erp"),
                (
                    "ann",
                    "Paused a flow",
                    "order from network to erp: stocktaking"
                ),
            ]
        );
        bench.end().await;
    });
}

#[test]
fn what_is_here_already_waits_too_and_is_sent_once() {
    in_simulated_time(async {
        let mut bench = Bench::start(ALL);
        // Its acknowledgement fails until the pause, so that nothing of it was begun.
        *held(&bench.network.on_settle) =
            Box::new(|_, _| Err(waybill_host::connector::CallError::TimedOut));
        bench.send(with_deadline("1", 3));
        bench.pass(20).await;
        assert_eq!(bench.order("1").stage, OrderStage::Received);
        pause(&bench, Entity::Order).await;
        bench.pass(20).await;
        let before = bench.network.count("settle");
        bench.pass(300).await;
        assert_eq!(bench.network.count("settle"), before, "nothing is sent");
        assert_eq!(flow(&bench, Entity::Order).await.held, 1);
        let alarms = bench.handle.frame().await.unwrap().alarms;
        let number = bench.order("1").number;
        assert_eq!(
            alarms[0].text,
            format!("Orders from Network to ERP are paused, and order {number} must be shipped.")
        );
        bench = killed(bench);
        bench.pass(60).await;
        assert_eq!(
            bench.network.count("settle"),
            0,
            "the pause survives a kill"
        );
        resume(&bench, Entity::Order).await;
        // Killed before anybody heard of it.
        bench = killed(bench);
        bench.pass(30).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        assert_eq!(bench.erp.count("push"), 1);
        assert!(bench.handle.frame().await.unwrap().alarms.is_empty());
        bench.end().await;
    });
}

/// Keys of the shipments and cancels that the network was told.
type Told = Arc<Mutex<Vec<String>>>;

/// The network queues shipments, and takes them a minute later.
fn queued(bench: &Bench) -> Told {
    let told = Told::default();
    let own = told.clone();
    *held(&bench.network.on_push) = Box::new(move |batch| {
        let verdicts = batch.iter().map(|delivery| match delivery.document.body {
            Body::Shipment(_) => {
                held(&own).push(delivery.document.key.clone());
                Ok(Outcome::Pending(Ticket {
                    handle: delivery.document.key.clone(),
                    check_in_secs: 60,
                }))
            }
            Body::Cancellation(_) => {
                held(&own).push("cancel".to_owned());
                receipt("cancelled")
            }
            _ => receipt("told"),
        });
        Ok(verdicts.collect())
    });
    told
}

async fn sold(bench: &Bench, keys: &[&str]) {
    for key in keys {
        bench.send(order(key, 1, |_| ()));
    }
    bench.pass(30).await;
}

#[test]
fn a_shipment_under_way_is_followed_and_other_flows_of_its_order_go_on() {
    in_simulated_time(async {
        let bench = Bench::start(ALL);
        let told = queued(&bench);
        sold(&bench, &["1", "2"]).await;
        bench.ship(bench.note("700", "1", |_| ()));
        bench.pass(20).await;
        assert_eq!(*held(&told), ["700"]);
        pause(&bench, Entity::Shipment).await;
        bench.ship(bench.note("701", "2", |_| ()));
        bench.pass(120).await;
        assert_eq!(bench.order("1").stage, OrderStage::Shipped, "its verdict");
        assert_eq!(*held(&told), ["700"], "nothing new");
        let known = bench
            .store
            .read(|rx| rx.latest_document(ERP, Entity::Shipment, "701"));
        assert!(known.unwrap().is_none(), "nothing new is read");
        resume(&bench, Entity::Shipment).await;
        bench.pass(120).await;
        assert_eq!(*held(&told), ["700", "701"]);
        assert_eq!(bench.order("2").stage, OrderStage::Shipped);
        bench.end().await;
    });
}

#[test]
fn a_held_shipment_does_not_stop_the_cancel_of_its_order() {
    in_simulated_time(async {
        let bench = Bench::start(ALL);
        let told = queued(&bench);
        sold(&bench, &["1"]).await;
        // It waits for its tracking number while the flow is paused, and gets it then.
        bench.ship(bench.note("700", "1", |note| note.parcels[0].tracking = None));
        bench.pass(20).await;
        pause(&bench, Entity::Shipment).await;
        bench.set("shipments.tracking", "send");
        bench.pass(4_000).await;
        assert!(held(&told).is_empty());
        assert_eq!(flow(&bench, Entity::Shipment).await.held, 1);
        bench.send(request("1"));
        bench.pass(60).await;
        assert_eq!(*held(&told), ["cancel"], "the retailer has his answer");
        resume(&bench, Entity::Shipment).await;
        bench.pass(60).await;
        assert_eq!(*held(&told), ["cancel"], "what is cancelled does not ship");
        assert_eq!(bench.codes().len(), 1, "its card: {:?}", bench.codes());
        bench.end().await;
    });
}

#[test]
fn a_paused_flow_of_stock_tells_nothing_and_the_newest_number_afterwards() {
    in_simulated_time(async {
        let bench = Bench::start(ALL);
        held(&bench.erp.stock).insert("1".to_owned(), 10);
        bench.pass(60).await;
        let before = bench.network.count("levels");
        assert!(before > 0);
        pause(&bench, Entity::InventoryLevel).await;
        held(&bench.erp.stock).insert("1".to_owned(), 3);
        sold(&bench, &["1"]).await;
        bench.pass(300).await;
        assert_eq!(bench.network.count("levels"), before);
        assert_eq!(bench.order("1").stage, OrderStage::Created, "orders go on");
        resume(&bench, Entity::InventoryLevel).await;
        bench.pass(120).await;
        let row = bench
            .store
            .read(|rx| rx.level(ERP, NETWORK, "SKU-1"))
            .unwrap()
            .expect("a level");
        assert_eq!(row.sent, Some(row.counts()), "the network has it");
        // Three are there, and the order takes five.
        assert_eq!(row.counts()[0].units.units, 0);
        bench.end().await;
    });
}

#[test]
fn hours_close_a_flow_and_open_it_in_the_merchants_zone() {
    const HOURS: Start = Start {
        // The day begins at midnight UTC, on a Saturday.
        settings: &[
            ("time-zone", "Europe/Berlin"),
            ("hours.order", "mon-fri 06:00-20:00, sat 01:10-01:30"),
        ],
        ..ALL
    };
    in_simulated_time(async {
        let bench = Bench::start(HOURS);
        bench.send(with_deadline("1", 3));
        bench.pass(300).await;
        assert!(bench.order_is_missing("1"), "it is five past one");
        let view = flow(&bench, Entity::Order).await;
        let opens = start_of_time() + 600_000;
        assert_eq!((view.state, view.opens), ("closed", Some(opens)));
        bench.pass(310).await;
        assert!(!bench.order_is_missing("1"), "it has just opened");
        bench.pass(30).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        bench.pass(1_200).await;
        // Closed again, until Monday.
        bench.send(order("2", 1, |_| ()));
        bench.pass(300).await;
        assert!(bench.order_is_missing("2"));
        let view = flow(&bench, Entity::Order).await;
        assert_eq!(view.opens, Some(start_of_time() + 53 * 3_600_000));
        let ran = bench.handle.run_flow(&which(Entity::Order), "ann").await;
        ran.expect("it runs");
        bench.pass(30).await;
        assert_eq!(bench.order("2").stage, OrderStage::Created, "run now");
        let view = flow(&bench, Entity::Order).await;
        assert_eq!(view.sentence, "Runs now, outside its hours");
        bench.pass(1_000).await;
        bench.send(order("3", 1, |_| ()));
        bench.pass(60).await;
        assert!(
            bench.order_is_missing("3"),
            "the quarter of an hour is over"
        );
        bench.end().await;
    });
}

#[test]
fn running_now_does_not_wait_for_the_next_attempt() {
    in_simulated_time(async {
        let bench = Bench::start(ALL);
        bench.set("retry-base-secs", "3000");
        bench.set("retry-cap-secs", "3000");
        bench
            .handle
            .resume_flow(&which(Entity::Order), "ann")
            .await
            .unwrap();
        sold(&bench, &[]).await;
        let down = Arc::new(Mutex::new(true));
        let is_down = down.clone();
        *held(&bench.network.on_push) = Box::new(move |batch| {
            if *held(&is_down) {
                return Err(waybill_host::connector::CallError::TimedOut);
            }
            Ok(batch.iter().map(|d| receipt(&d.document.key)).collect())
        });
        sold(&bench, &["1"]).await;
        bench.ship(bench.note("700", "1", |_| ()));
        bench.pass(60).await;
        *held(&down) = false;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        let which = which(Entity::Shipment);
        bench.handle.run_flow(&which, "ann").await.expect("it runs");
        bench.pass(30).await;
        assert_eq!(bench.order("1").stage, OrderStage::Shipped);
        bench.end().await;
    });
}
