//! Crosswalks as the page shows them: retailers with their contacts, what waits for one, one created by a click.

use std::cell::RefCell;
use waybill_engine::CommandError;
use waybill_engine::crosswalks::ValueView;
use waybill_engine::mappings::MappingsView;
use waybill_engine::practice::{Switch, Then};
use waybill_it::bench::{Bench, Start, in_simulated_time, order};
use waybill_model::contract::Gap;
use waybill_model::document::{Body, Document, Entity, Warehouse};
use waybill_model::ids::ConnectionId;
use waybill_model::order_state::OrderStage;
use waybill_store::{Read as _, Scope, Store, StoreError, Tx};

/// Customers are matched by hand, and one order has come.
async fn waiting() -> Bench {
    let bench = Bench::start(Start::default());
    let agent = Scope::default();
    bench
        .store
        .write(move |tx| tx.set_setting(&agent, "customers.mode", Some("map"), "ann", 0))
        .await
        .expect("it is set");
    bench.send(order("1", 1, |_| {}));
    bench.pass(20).await;
    assert_eq!(bench.codes(), ["customers R1"]);
    bench
}

async fn retailer(bench: &Bench) -> ValueView {
    let view = bench.handle.crosswalk("customers").await;
    let view = view.expect("the table is known");
    assert!(view.creates);
    assert_eq!(view.directions.len(), 1);
    let mut rows = view.directions[0].rows.iter();
    let row = rows.find(|row| row.value == "R1");
    row.expect("the retailer is listed").clone()
}

#[test]
fn a_retailer_without_a_contact_is_created_by_a_click_and_its_orders_go_on() {
    in_simulated_time(async {
        let bench = waiting().await;
        let row = retailer(&bench).await;
        assert_eq!((row.waiting, row.created, row.code), (1, false, None));
        assert_eq!(row.retailer.as_deref(), Some("R1"));
        let handle = &bench.handle;
        let released = handle.create_customer("R1", "ann").await;
        assert_eq!(released.expect("it can be created"), 1);
        bench.pass(20).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        assert_eq!(bench.erp.count("customer"), 1);
        let row = retailer(&bench).await;
        let code = row.code.expect("it has a contact now");
        assert_eq!((row.waiting, code.for_all), (0, false));
        let again = handle.create_customer("R1", "ann").await;
        let Err(CommandError::Refused(problem)) = again else {
            panic!("a second one is created: {again:?}");
        };
        assert_eq!(problem.code, "has-customer");
        let stranger = handle.create_customer("R9", "ann").await;
        assert!(matches!(stranger, Err(CommandError::NotFound(_))));
        bench.end().await;
    });
}

thread_local! {
    /// Where somebody fills in a contact, once, right before the next commit to a crosswalk.
    static MEANWHILE: RefCell<Option<Store>> = const { RefCell::new(None) };
}

fn somebody_else(point: &'static str, _: &str) {
    if point != "crosswalk.before-commit" {
        return;
    }
    let Some(store) = MEANWHILE.with(RefCell::take) else {
        return;
    };
    let filled = store.write_blocking(|tx| {
        let route = (waybill_it::bench::NETWORK, waybill_it::bench::ERP);
        cell_of_r1(tx, route)
    });
    filled.expect("the contact is filled in");
}

fn cell_of_r1(tx: &mut Tx<'_>, (from, to): (ConnectionId, ConnectionId)) -> Result<(), StoreError> {
    tx.set_cell(
        from,
        to,
        "customers",
        Some("R1"),
        "R1",
        Some("4711"),
        None,
        "bob",
        0,
    )
}

#[test]
fn a_contact_that_was_filled_in_meanwhile_is_not_overlooked() {
    in_simulated_time(async {
        let bench = waiting().await;
        waybill_model::crash::install(somebody_else);
        MEANWHILE.with(|store| *store.borrow_mut() = Some(bench.store.clone()));
        let created = bench.handle.create_customer("R1", "ann").await;
        assert!(
            MEANWHILE.with(|store| store.borrow().is_none()),
            "nobody came between"
        );
        let Err(CommandError::Refused(problem)) = created else {
            panic!("what was filled in meanwhile is overlooked: {created:?}");
        };
        assert_eq!(problem.code, "has-customer");
        assert!(
            problem.message.ends_with("contact 4711."),
            "{}",
            problem.message
        );
        let agent = bench.store.read(|rx| rx.effective(None, Some("R1")));
        let mode = agent
            .expect("settings are read")
            .get("customers.mode")
            .cloned();
        assert_eq!(mode.as_deref(), Some("map"), "nothing was changed");
        bench.end().await;
    });
}

#[test]
fn one_matched_by_hand_creates_nothing_and_other_retailers_still_ask() {
    in_simulated_time(async {
        let bench = waiting().await;
        let gap = Gap {
            table: "customers".to_owned(),
            retailer: Some("R1".to_owned()),
            value: "R1".to_owned(),
        };
        let (from, to) = bench.handle.order_route().expect("orders are routed");
        let code = "201".to_owned();
        let filled = bench.handle.fill_cell(from, to, gap, false, code, "ann");
        assert_eq!(filled.await.expect("it is filled"), 1);
        bench.pass(20).await;
        assert_eq!(bench.erp.count("customer"), 0);
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        bench.send(order("2", 1, |order| "R2".clone_into(&mut order.retailer)));
        bench.pass(20).await;
        assert_eq!(bench.codes(), ["customers R2"]);
        bench.end().await;
    });
}

#[test]
fn the_way_back_follows_from_the_one_value_that_means_it() {
    in_simulated_time(async {
        let bench = Bench::start(Start::default());
        let (network, erp) = bench.handle.order_route().expect("orders are routed");
        let warehouse = Document {
            key: "77".to_owned(),
            revision: "1".to_owned(),
            occurred_at: 0,
            body: Body::Warehouse(Warehouse {
                code: "77".to_owned(),
                name: "Main".to_owned(),
                active: true,
                extras: Vec::new(),
            }),
        };
        let told = bench.store.write(move |tx| tx.accept(erp, &warehouse, 0));
        told.await.expect("it is kept");
        let follows = async || {
            let view = bench.handle.crosswalk("warehouses").await;
            let back = &view.expect("the table is known").directions[1];
            assert_eq!((back.from, back.to), (erp, network));
            let row = back.rows.iter().find(|row| row.value == "77");
            row.expect("it is listed").follows.clone()
        };
        assert_eq!(follows().await, None);
        for (value, expected) in [("WH01", Some("WH01".to_owned())), ("WH02", None)] {
            let gap = Gap {
                table: "warehouses".to_owned(),
                retailer: None,
                value: value.to_owned(),
            };
            let code = "77".to_owned();
            let filled = bench.handle.fill_cell(network, erp, gap, true, code, "ann");
            filled.await.expect("it is filled");
            assert_eq!(follows().await, expected, "{value}");
        }
        bench.end().await;
    });
}

async fn upload(bench: &Bench, csv: &str) -> MappingsView {
    let handle = &bench.handle;
    let view = handle.import_mappings("shipping-methods", csv.into(), false, "ann");
    let view = view.await.expect("the table is known");
    assert!(view.applied, "{view:?}");
    view
}

async fn goes_live(bench: &Bench, flow: Option<Entity>) -> Result<u64, CommandError> {
    let switch = Switch {
        flow,
        retailer: None,
        practice: false,
    };
    bench
        .handle
        .switch_practice(switch, Then::Keep, "ann")
        .await
}

#[test]
fn a_required_code_keeps_orders_from_going_live_until_it_is_matched() {
    in_simulated_time(async {
        let bench = Bench::start(Start::default());
        let list = "value,code,label,required\nUPSG,,UPS Ground,yes\nUPS2,,,no\n";
        let view = upload(&bench, list).await;
        assert_eq!((view.announced, view.same, view.new), (2, 0, 0));
        let refused = goes_live(&bench, None).await;
        let Err(CommandError::Refused(problem)) = refused else {
            panic!("it goes live: {refused:?}");
        };
        assert_eq!(problem.code, "required-codes");
        assert!(problem.message.contains("upsg."), "{problem:?}");
        goes_live(&bench, Some(Entity::InventoryLevel))
            .await
            .expect("stock needs no shipping method");
        let crosswalk = bench.handle.crosswalk("shipping-methods").await;
        let crosswalk = crosswalk.expect("the table is known");
        let first = &crosswalk.directions[0].rows[0];
        assert_eq!((first.value.as_str(), first.required), ("upsg", true));
        assert_eq!(first.name.as_deref(), Some("UPS Ground"));
        upload(&bench, "value,code\nUPSG,11\n").await;
        let again = upload(&bench, list).await;
        assert_eq!((again.announced, again.same), (0, 2), "{again:?}");
        let csv = bench.handle.export_mappings("shipping-methods").await;
        let csv = csv.expect("the table is known");
        for line in [
            "direction,retailer,value,code,label,required",
            ",,upsg,11,,yes",
            ",,ups2,,,no",
        ] {
            assert!(csv.lines().any(|l| l == line), "{line}\n{csv}");
        }
        let same = upload(&bench, &csv).await;
        assert_eq!(
            (same.announced, same.new, same.changed),
            (0, 0, 0),
            "{same:?}"
        );
        goes_live(&bench, None).await.expect("all is matched");
        // A dash takes the match back, and the next one the value itself.
        let back = upload(&bench, "value,code\nUPSG,-\n").await;
        assert_eq!((back.taken_back, back.announced), (1, 0));
        goes_live(&bench, None).await.expect_err("it is open again");
        let off = upload(&bench, "value,code\nUPSG,-\n").await;
        assert_eq!((off.taken_back, off.announced), (0, 1));
        goes_live(&bench, None).await.expect("nothing is required");
        let wrong = bench
            .handle
            .import_mappings(
                "items",
                "value,code,required\nA,,yes\nB,,maybe\n".into(),
                true,
                "ann",
            )
            .await
            .expect("it is read");
        let said: Vec<&str> = wrong.mistakes.iter().map(|m| m.message.as_str()).collect();
        assert_eq!(
            said,
            [
                "`items` requires nothing",
                "`maybe` is neither `yes` nor `no`"
            ]
        );
        bench.end().await;
    });
}
