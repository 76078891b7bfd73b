//! Practice: what would be sent is recorded and nothing leaves, per flow and per retailer, whatever is killed; going live
//! sends it once, or ends it with a reason.

use std::cell::RefCell;
use waybill_engine::practice::view::PracticeView;
use waybill_engine::practice::{Switch, Then};
use waybill_it::bench::{
    Bench, ERP, NETWORK, Start, billed, held, in_simulated_time, invoice, order, request,
};
use waybill_model::document::Entity;
use waybill_model::job::{Ending, JobState, Work};
use waybill_model::order_state::OrderStage;
use waybill_store::Read;
use waybill_store::sim_disk::SimDisk;

const ALL: Start = Start {
    max_batch: 4,
    route: true,
    cancels: true,
    stock: true,
    invoices: true,
    settings: &[("practice.mode", "on")],
    poll_secs: 5,
    gather_secs: 1,
};

const LIVE: Start = Start {
    settings: &[],
    ..ALL
};

fn switch(flow: Option<Entity>, practice: bool) -> Switch {
    Switch {
        flow,
        retailer: None,
        practice,
    }
}

async fn go_live(bench: &Bench, then: Then) -> u64 {
    let turned = bench
        .handle
        .switch_practice(switch(None, false), then, "ann");
    turned.await.expect("it is switched")
}

async fn view(bench: &Bench) -> PracticeView {
    bench.handle.practice(None, 100).await.expect("it is shown")
}

/// Calls that would have changed anything.
fn written(bench: &Bench) -> usize {
    let kinds = [
        "settle", "push", "customer", "shipment", "cancel", "invoice", "levels",
    ];
    let all = |kind: &&str| bench.network.count(kind) + bench.erp.count(kind);
    kinds.iter().map(all).sum()
}

thread_local! {
    /// Where this test's disk loses its power.
    static DIES: RefCell<Option<(&'static str, SimDisk)>> = const { RefCell::new(None) };
}

/// At a crash point.
fn dies(point: &'static str, _: &str) {
    DIES.with(|dies| {
        if let Some((_, disk)) = dies.borrow().as_ref().filter(|(at, _)| *at == point) {
            disk.freeze();
        }
    });
}

fn killed(bench: Bench, start: Start) -> Bench {
    anew(bench, |bench| bench.again(start))
}

/// What the vendors know outlives the agent.
fn anew(bench: Bench, start: impl FnOnce(Bench) -> Bench) -> Bench {
    let (network, erp) = (bench.network.clone(), bench.erp.clone());
    let next = start(bench);
    held(&next.network.documents).clone_from(&held(&network.documents));
    held(&next.erp.documents).clone_from(&held(&erp.documents));
    held(&next.erp.stock).clone_from(&held(&erp.stock));
    next
}

/// Words of what is practised, oldest first.
fn words(view: &PracticeView) -> Vec<(String, String)> {
    let rows = view.rows.iter().rev();
    rows.map(|row| (row.number.clone(), row.what.clone()))
        .collect()
}

fn of<'a>(number: &'a str, what: &'a str) -> (String, String) {
    (number.to_owned(), what.to_owned())
}

#[test]
fn nothing_leaves_in_practice_and_going_live_sends_everything_once() {
    in_simulated_time(async {
        let mut bench = Bench::start(ALL);
        held(&bench.erp.stock).insert("1".to_owned(), 10);
        bench.send(order("1", 1, |_| ()));
        bench.send(order("2", 1, |_| ()));
        bench.pass(60).await;
        for _ in 0..2 {
            assert_eq!(written(&bench), 0, "not one writing call");
            let shown = view(&bench).await;
            let (one, two) = (bench.order("1").number, bench.order("2").number);
            assert_eq!(
                words(&shown),
                [
                    of(&one, "Acknowledgement"),
                    of(&one, "Sale"),
                    of(&two, "Acknowledgement"),
                    of(&two, "Sale")
                ]
            );
            assert!(shown.any && shown.all, "{}", shown.sentence);
            assert_eq!((shown.practised, shown.undecided), (4, 0));
            assert_eq!(shown.rows[0].now, "No sale");
            let field = &shown.rows[0].fields[0];
            assert_eq!((&*field.name, &*field.would), ("Key", "2"));
            // Ten are there, and each of the orders takes five.
            assert_eq!(shown.stock[0].would, "0");
            assert_eq!(shown.stock[0].now, None);
            let frame = bench.handle.frame().await.unwrap();
            assert!(frame.practice && frame.practising.is_empty());
            assert_eq!(bench.order("1").stage, OrderStage::Received);
            // A kill changes nothing of it, and a start sends nothing.
            bench = killed(bench, ALL);
            bench.pass(120).await;
        }
        let turned = go_live(&bench, Then::Apply).await;
        assert_eq!(turned, 4);
        // Killed before anybody acted on it.
        bench = killed(bench, ALL);
        bench.pass(60).await;
        for key in ["1", "2"] {
            assert_eq!(bench.order(key).stage, OrderStage::Created);
            assert!(bench.order(key).acknowledged_at.is_some());
            assert!(bench.order(key).delivered_at.is_some());
        }
        let pushes: usize = held(&bench.erp.calls)
            .iter()
            .filter(|(what, _)| *what == "push")
            .map(|(_, members)| members)
            .sum();
        assert_eq!(pushes, 2, "each once");
        let level = bench.store.read(|rx| rx.level(ERP, NETWORK, "SKU-1"));
        let level = level.unwrap().expect("a level");
        assert_eq!(level.sent, Some(level.counts()), "the full set was sent");
        let shown = view(&bench).await;
        assert!(!shown.any && shown.practised == 0, "{}", shown.sentence);
        assert_eq!(shown.sentence, "Live: what is ready is sent.");
        bench.end().await;
    });
}

#[test]
fn a_kill_between_claim_and_record_sends_nothing() {
    in_simulated_time(async {
        let mut bench = Bench::start(ALL);
        bench.send(order("1", 1, |_| ()));
        // The calls of a connector take 10 ms: some kill falls into one, whichever it is.
        for n in 0..40 {
            bench.clock.sleep_ms(95 + n * 13).await;
            let practised = bench.store.read(|rx| rx.jobs_in("running", 10)).unwrap();
            bench = killed(bench, ALL);
            assert_eq!(written(&bench), 0, "{practised:?}");
        }
        bench.pass(60).await;
        assert_eq!(written(&bench), 0);
        assert_eq!(view(&bench).await.practised, 2);
        bench.end().await;
    });
}

#[test]
fn discarded_orders_are_never_made_and_say_why() {
    in_simulated_time(async {
        let bench = Bench::start(ALL);
        bench.send(order("1", 1, |_| ()));
        bench.pass(30).await;
        let nothing = bench.handle.discard_practised(None, " ", "ann").await;
        assert!(nothing.is_err(), "a reason is needed");
        assert_eq!(
            go_live(&bench, Then::Discard("entered by hand".to_owned())).await,
            2
        );
        bench.send(order("1", 2, |_| ()));
        bench.send(order("2", 1, |_| ()));
        bench.pass(60).await;
        assert_eq!(bench.order("1").stage, OrderStage::Refused, "Not imported");
        assert_eq!(
            bench.order("2").stage,
            OrderStage::Created,
            "new ones are live"
        );
        assert_eq!(bench.erp.count("push"), 1, "the newer revision neither");
        let why = JobState::Done(Ending::Ignored("entered by hand".to_owned()));
        assert!(bench.jobs("1").iter().all(|job| job.state == why));
        let history = bench.handle.history(10).await.unwrap();
        let number = bench.order("1").number;
        let told: Vec<_> = history
            .iter()
            .map(|h| (&*h.what, h.detail.clone()))
            .collect();
        assert_eq!(
            told[..2],
            [
                (
                    "Discarded what was practised",
                    format!("{number}: entered by hand")
                ),
                ("Went live", "all flows".to_owned()),
            ]
        );
        bench.end().await;
    });
}

#[test]
fn one_order_goes_for_real_while_the_others_stay_practised() {
    in_simulated_time(async {
        let bench = Bench::start(ALL);
        bench.send(order("1", 1, |_| ()));
        bench.send(order("2", 1, |_| ()));
        bench.pass(30).await;
        let shown = view(&bench).await;
        let number = bench.order("2").number;
        let sale = shown
            .rows
            .iter()
            .find(|row| row.number == number && row.what == "Sale");
        let applied = bench
            .handle
            .apply_practised(Some(vec![sale.unwrap().job]), "ann");
        assert_eq!(
            applied.await.unwrap(),
            2,
            "its acknowledgement goes with it"
        );
        bench.pass(60).await;
        assert_eq!(bench.order("2").stage, OrderStage::Created);
        assert!(bench.order("2").acknowledged_at.is_some());
        assert!(bench.order("2").delivered_at.is_some(), "the number, too");
        assert_eq!(bench.order("1").stage, OrderStage::Received);
        // What follows of it is practised like everything.
        bench.ship(bench.note("700", "2", |_| ()));
        bench.pass(30).await;
        assert_eq!(bench.network.count("shipment"), 0);
        let shown = view(&bench).await;
        assert_eq!(shown.rows[0].what, "Shipment");
        assert_eq!(
            bench.order("2").stage,
            OrderStage::Created,
            "not shipped at the network"
        );
        bench.end().await;
    });
}

#[test]
fn flows_and_retailers_are_switched_apart() {
    in_simulated_time(async {
        let bench = Bench::start(LIVE);
        let set = |switch: Switch| bench.handle.switch_practice(switch, Then::Keep, "ann");
        set(switch(Some(Entity::Shipment), true)).await.unwrap();
        set(switch(Some(Entity::Invoice), true)).await.unwrap();
        let own = Switch {
            retailer: Some("other".to_owned()),
            ..switch(None, true)
        };
        let unknown = set(own.clone()).await.unwrap_err().to_string();
        assert!(
            unknown.contains("No retailer has the code other"),
            "{unknown}"
        );
        bench.send(order("0", 1, |order| order.retailer = "other".to_owned()));
        bench.pass(60).await;
        let then = Then::Discard("by hand".to_owned());
        let lost = bench.handle.switch_practice(own.clone(), then, "ann");
        assert!(
            lost.await.is_err(),
            "nothing goes live, so nothing is discarded"
        );
        set(own).await.unwrap();
        let stock = Switch {
            retailer: Some("other".to_owned()),
            ..switch(Some(Entity::InventoryLevel), true)
        };
        assert!(set(stock).await.is_err(), "one number for all retailers");
        bench.send(order("1", 1, |_| ()));
        bench.send(order("2", 1, |order| order.retailer = "other".to_owned()));
        held(&bench.erp.stock).insert("1".to_owned(), 30);
        bench.pass(60).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        assert_eq!(bench.order("2").stage, OrderStage::Received);
        assert!(bench.network.count("levels") > 0, "stock is live");
        bench.ship(bench.note("700", "1", |_| ()));
        let sale = bench.order("1").sale_key.unwrap();
        bench.ship(invoice(&sale, "SI-1", vec![billed("1", 5, 950)]));
        bench.pass(60).await;
        assert_eq!(bench.network.count("shipment"), 0);
        // An invoice waits for a shipment that is confirmed: this one never was.
        assert_eq!(bench.network.count("invoice"), 0);
        let frame = bench.handle.frame().await.unwrap();
        assert_eq!(
            frame.practising,
            [
                "shipments",
                "invoices",
                "Retailer R1: orders, cancellations"
            ]
        );
        // Live again without a word about what was practised: a person decides, and is told so.
        set(switch(Some(Entity::Shipment), false)).await.unwrap();
        bench.pass(30).await;
        assert_eq!(bench.network.count("shipment"), 0);
        let shown = view(&bench).await;
        assert_eq!(shown.undecided, 1);
        let alarms = bench.handle.frame().await.unwrap().alarms;
        assert_eq!(
            alarms[0].text,
            "1 step of 1 order was only practised, and its flow is live now."
        );
        let applied = bench
            .handle
            .apply_practised(Some(vec![shown.rows[0].job]), "ann");
        assert_eq!(applied.await.unwrap(), 1);
        bench.pass(30).await;
        assert_eq!(bench.network.count("shipment"), 1);
        assert_eq!(bench.order("1").stage, OrderStage::Shipped);
        bench.pass(30).await;
        assert_eq!(
            bench.network.count("invoice"),
            0,
            "its flow is still practice"
        );
        assert_eq!(view(&bench).await.rows[0].what, "Invoice");
        bench.end().await;
    });
}

#[test]
fn what_is_cancelled_meanwhile_is_not_sent_when_it_goes_live() {
    in_simulated_time(async {
        let bench = Bench::start(ALL);
        bench.send(order("1", 1, |_| ()));
        bench.send(order("2", 1, |_| ()));
        bench.pass(30).await;
        // One is cancelled at its source, the other is asked to be: nothing was sold, so that only the answer is left.
        bench.send(order("1", 2, |order| {
            order.phase = waybill_model::document::OrderPhase::Cancelled;
        }));
        bench.send(request("2"));
        bench.pass(60).await;
        assert_eq!(written(&bench), 0);
        let shown = view(&bench).await;
        let number = bench.order("2").number;
        assert!(
            words(&shown).contains(&of(&number, "Cancellation")),
            "{:?}",
            words(&shown)
        );
        go_live(&bench, Then::Apply).await;
        bench.pass(60).await;
        assert_eq!(bench.erp.count("push"), 0, "no sale");
        assert_eq!(bench.network.count("cancel"), 1, "the answer");
        assert_eq!(bench.order("1").stage, OrderStage::Cancelled);
        bench.end().await;
    });
}

#[test]
fn a_newer_revision_is_practised_anew_and_what_was_begun_goes_on() {
    in_simulated_time(async {
        let bench = Bench::start(LIVE);
        bench.send(order("0", 1, |_| ()));
        bench.pass(30).await;
        // Begun for real: its answer is lost, then everything becomes practice.
        *held(&bench.erp.leaves_open) = Some(bench.journal());
        *held(&bench.erp.on_push) = Box::new(|_| Err(waybill_host::connector::CallError::TimedOut));
        bench.send(order("1", 1, |_| ()));
        bench.pass(30).await;
        let on = bench
            .handle
            .switch_practice(switch(None, true), Then::Keep, "ann");
        on.await.unwrap();
        *held(&bench.erp.leaves_open) = None;
        *held(&bench.erp.on_push) = Box::new(|batch| {
            Ok(batch
                .iter()
                .map(|d| waybill_it::bench::receipt(&d.document.key))
                .collect())
        });
        bench.send(order("2", 1, |_| ()));
        bench.pass(60).await;
        assert_eq!(
            bench.order("1").stage,
            OrderStage::Created,
            "its end is known"
        );
        let sale = |bench: &Bench| {
            let jobs = bench.jobs("2");
            let found = jobs
                .into_iter()
                .find(|j| j.work == Work::Push(Entity::Order));
            found.unwrap()
        };
        let before = sale(&bench);
        assert_eq!(before.state, JobState::Practised);
        bench.send(order("2", 2, |order| order.lines[0].quantity.units = 3));
        bench.pass(60).await;
        let after = sale(&bench);
        assert_eq!(after.state, JobState::Practised);
        assert_ne!(
            (before.document, before.batch),
            (after.document, after.batch)
        );
        bench.end().await;
    });
}

/// What a person does about practised steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Apply,
    ApplyByGoingLive,
    Discard,
    DiscardByGoingLive,
}

impl Deed {
    const ALL: [Self; 4] = [
        Self::Apply,
        Self::ApplyByGoingLive,
        Self::Discard,
        Self::DiscardByGoingLive,
    ];

    const fn applies(self) -> bool {
        matches!(self, Self::Apply | Self::ApplyByGoingLive)
    }

    /// What the disk lost is not known to whoever asked: the answer says nothing.
    async fn press(self, bench: &Bench) {
        let why = "entered by hand".to_owned();
        let live = |then: Then| {
            bench
                .handle
                .switch_practice(switch(None, false), then, "ann")
        };
        drop(match self {
            Self::Apply => bench.handle.apply_practised(None, "ann").await,
            Self::Discard => bench.handle.discard_practised(None, &why, "ann").await,
            Self::ApplyByGoingLive => live(Then::Apply).await,
            Self::DiscardByGoingLive => live(Then::Discard(why)).await,
        });
    }

    fn said(self) -> &'static str {
        if self.applies() {
            "Applied what was practised"
        } else {
            "Discarded what was practised"
        }
    }
}

/// Two practised orders; the power goes at that point while a person decides; he looks again and decides what is left.
async fn decided_without_power(deed: Deed, point: &'static str, seed: u64) {
    let case = format!("{deed:?} at {point}, seed {seed}");
    let disk = SimDisk::new(seed);
    let bench = Bench::on(&disk, ALL);
    bench.send(order("1", 1, |_| ()));
    bench.send(order("2", 1, |_| ()));
    bench.pass(60).await;
    assert_eq!(view(&bench).await.practised, 4, "{case}");
    DIES.with(|dies| *dies.borrow_mut() = Some((point, disk.clone())));
    deed.press(&bench).await;
    DIES.with(|dies| *dies.borrow_mut() = None);
    assert!(disk.frozen(), "{case}: nobody comes by there");
    assert_eq!(written(&bench), 0, "{case}");
    let left = SimDisk::with_image(seed + 1, disk.crash());
    let bench = anew(bench, |bench| bench.again_on(&left, ALL));
    let shown = view(&bench).await;
    let before = point.ends_with("before-commit");
    assert_eq!(shown.practised, if before { 4 } else { 0 }, "{case}");
    if before {
        assert!(shown.all, "{case}: {}", shown.sentence);
        deed.press(&bench).await;
    }
    bench.pass(120).await;
    let pushes = held(&bench.erp.calls)
        .iter()
        .filter(|(what, _)| *what == "push")
        .map(|(_, members)| members)
        .sum::<usize>();
    assert_eq!(pushes, if deed.applies() { 2 } else { 0 }, "{case}");
    let stage = if deed.applies() {
        OrderStage::Created
    } else {
        OrderStage::Refused
    };
    for key in ["1", "2"] {
        assert_eq!(bench.order(key).stage, stage, "{case}");
    }
    let history = bench.handle.history(50).await.expect("it is shown");
    let said = history.iter().filter(|row| row.what == deed.said()).count();
    assert_eq!(said, 1, "{case}: said once, as it was done");
    bench.end().await;
}

#[test]
fn a_kill_beside_the_commit_of_a_decision_neither_loses_nor_doubles_it() {
    waybill_model::crash::install(dies);
    for deed in Deed::ALL {
        for point in ["practice.before-commit", "practice.committed"] {
            for seed in 0..4 {
                in_simulated_time(decided_without_power(deed, point, seed));
            }
        }
    }
}
