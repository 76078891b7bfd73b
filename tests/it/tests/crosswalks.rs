//! Crosswalks as the page shows them: retailers with their contacts, what waits for one, one created by a click.

use waybill_engine::CommandError;
use waybill_engine::crosswalks::ValueView;
use waybill_it::bench::{Bench, Start, in_simulated_time, order};
use waybill_model::contract::Gap;
use waybill_model::document::{Body, Document, Warehouse};
use waybill_model::order_state::OrderStage;
use waybill_store::Scope;

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
