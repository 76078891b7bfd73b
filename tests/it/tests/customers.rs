//! A contact of the consumer per order: whose it is, that there is one, and what becomes of it when it cannot be made, is
//! not needed any more, or was chosen by a person.

use std::sync::{Arc, Mutex};
use waybill_it::bench::{Bench, Start, held, in_simulated_time, order, receipt};
use waybill_model::contract::{Delivery, Failure, Gap, Problem};
use waybill_model::crosswalk::order_gap;
use waybill_model::document::{Address, Body, Customer, Document, Entity};
use waybill_model::job::{Ending, JobState, Work};
use waybill_model::order_state::OrderStage;
use waybill_store::{CardRow, Cause, JobRow, Scope};

/// What the ERP was handed, in order.
type Handed = Arc<Mutex<Vec<Document>>>;

/// Every retailer's orders have a contact each; `refuses`: no contact is taken.
fn start(refuses: bool) -> (Bench, Handed) {
    let bench = Bench::start(Start {
        settings: &[("customers.mode", "order")],
        ..Start::default()
    });
    let handed = listen(&bench, refuses);
    (bench, handed)
}

fn listen(bench: &Bench, refuses: bool) -> Handed {
    let handed = Handed::default();
    let (keeps, mut next) = (handed.clone(), 700_u32);
    *held(&bench.erp.on_push) = Box::new(move |batch| {
        let mut one = |delivery: &Delivery| {
            held(&keeps).push(delivery.document.clone());
            if refuses && matches!(delivery.document.body, Body::Customer(_)) {
                return Err(Failure::Rejected(Problem::new(
                    "no",
                    "Not taken.",
                    "Mend it.",
                )));
            }
            next += 1;
            receipt(&next.to_string())
        };
        Ok(batch.iter().map(&mut one).collect())
    });
    handed
}

fn contacts(handed: &Handed) -> Vec<Customer> {
    let all = held(handed);
    let customer = |document: &Document| match &document.body {
        Body::Customer(customer) => Some(customer.clone()),
        _ => None,
    };
    all.iter().filter_map(customer).collect()
}

/// Number and customer of the sales.
fn sales(handed: &Handed) -> Vec<(String, Option<String>)> {
    let all = held(handed);
    let order = |document: &Document| {
        document
            .order()
            .map(|o| (o.number.clone(), o.customer.clone()))
    };
    all.iter().filter_map(order).collect()
}

fn of(retailer: &str, key: &str) -> Document {
    order(key, 1, |order| {
        retailer.clone_into(&mut order.retailer);
        order.number = format!("PO-{key}");
        order.ship_to = consumer(key);
    })
}

fn consumer(key: &str) -> Address {
    Address {
        name: format!("Consumer {key}"),
        company: None,
        attention: None,
        street: vec![format!("{key} Way")],
        city: "Austin".to_owned(),
        region: Some("TX".to_owned()),
        postcode: "78701".to_owned(),
        country: Some("US".to_owned()),
        phone: Some(format!("+1 512 555 {key}")),
        email: Some(format!("{key}@mail.test")),
    }
}

fn contact_job(bench: &Bench, key: &str) -> JobRow {
    let jobs = bench.jobs(key);
    let mut own = jobs
        .into_iter()
        .filter(|j| j.work == Work::Push(Entity::Customer));
    let job = own.next().expect("there is a contact's job");
    assert!(own.next().is_none(), "there is another");
    job
}

async fn fill(bench: &Bench, gap: Gap, code: &str) -> u64 {
    let (from, to) = bench.handle.order_route().expect("orders are routed");
    let filled = bench
        .handle
        .fill_cell(from, to, gap, false, code.to_owned(), "ann");
    filled.await.expect("it is filled")
}

#[test]
fn each_order_of_one_retailer_has_a_contact_of_its_consumer() {
    in_simulated_time(async {
        let bench = Bench::start(Start::default());
        let handed = listen(&bench, false);
        let own = Scope {
            connection: None,
            retailer: Some("R1".to_owned()),
        };
        bench
            .store
            .write_blocking(move |tx| {
                tx.set_setting(&own, "customers.mode", Some("order"), "ann", 0)
            })
            .expect("it is set");
        for (retailer, key) in [("R1", "1"), ("R1", "2"), ("R2", "3"), ("R2", "4")] {
            bench.send(of(retailer, key));
        }
        bench.pass(30).await;
        let made = contacts(&handed);
        let codes: Vec<&str> = made.iter().map(|c| c.code.as_str()).collect();
        assert_eq!(made.len(), 3, "{codes:?}");
        let mut customers = std::collections::BTreeMap::new();
        for (number, customer) in sales(&handed) {
            customers.insert(number, customer.expect("each sale has a customer"));
        }
        assert_eq!(customers.len(), 4, "{customers:?}");
        for key in ["1", "2"] {
            let code = format!("R1/{key}");
            let contact = made.iter().find(|c| c.code == code).expect("it is made");
            assert_eq!(contact.address, consumer(key));
            // The ERP's answers count up in the order of what it was handed.
            let at = held(&handed)
                .iter()
                .position(|d| d.key == code)
                .expect("it was handed");
            assert_eq!(customers[&format!("PO-{key}")], (701 + at).to_string());
            assert_eq!(bench.order(key).stage, OrderStage::Created);
        }
        assert_ne!(customers["PO-1"], customers["PO-2"]);
        assert_eq!(customers["PO-3"], customers["PO-4"]);
        // Another revision of an order has the contact it had.
        bench.send(order("1", 2, |order| {
            order.ship_to.city = "Dallas".to_owned();
        }));
        bench.pass(30).await;
        assert_eq!(contacts(&handed).len(), 3);
        let view = bench
            .handle
            .crosswalk("customers")
            .await
            .expect("it is known");
        let listed: Vec<&str> = view.directions[0]
            .rows
            .iter()
            .map(|r| r.value.as_str())
            .collect();
        assert_eq!(
            listed,
            ["R2"],
            "a retailer without a contact of its own is not asked for"
        );
        bench.end().await;
    });
}

#[test]
fn a_consumer_without_a_country_lives_where_such_orders_are() {
    in_simulated_time(async {
        let (bench, handed) = start(false);
        bench.set("orders.default-country", "CA");
        let mut document = of("R1", "1");
        if let Body::Order(order) = &mut document.body {
            order.ship_to.country = None;
        }
        bench.send(document);
        bench.pass(20).await;
        assert_eq!(contacts(&handed)[0].address.country.as_deref(), Some("CA"));
        bench.end().await;
    });
}

#[test]
fn a_contact_that_is_refused_is_made_by_retry_or_chosen_by_a_person() {
    in_simulated_time(async {
        let (bench, handed) = start(true);
        for key in ["1", "2"] {
            bench.send(of("R1", key));
        }
        bench.pass(20).await;
        assert_eq!(sales(&handed), []);
        let mut codes = bench.codes();
        codes.sort();
        assert_eq!(codes, ["customers R1/1", "customers R1/2", "no", "no"]);
        let view = bench.handle.cards().await.expect("cards are read");
        let card = view
            .iter()
            .find(|card| card.cell.is_some())
            .expect("a card asks");
        assert!(
            card.title
                .starts_with("Consumer has no contact yet: order "),
            "{}",
            card.title
        );
        // One is chosen: the sale has it, and no contact is made any more.
        assert_eq!(fill(&bench, order_gap("R1", "1"), "4711").await, 1);
        bench.pass(20).await;
        assert_eq!(
            sales(&handed),
            [("PO-1".to_owned(), Some("4711".to_owned()))]
        );
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        assert_eq!(
            contact_job(&bench, "1").state,
            JobState::Done(Ending::Withdrawn)
        );
        // The other is made after all.
        let handed = listen(&bench, false);
        let refused = |card: &CardRow| matches!(card.cause, Cause::Problem { .. });
        let card = bench
            .cards()
            .into_iter()
            .find(refused)
            .expect("it is on a card");
        let again = bench.handle.retry_card(&card.id, "ann").await;
        assert_eq!(again.expect("it is tried again"), 1);
        bench.pass(20).await;
        assert_eq!(
            sales(&handed),
            [("PO-2".to_owned(), Some("701".to_owned()))]
        );
        assert_eq!(bench.codes(), Vec::<String>::new());
        bench.end().await;
    });
}

#[test]
fn a_cancelled_order_has_no_contact_made() {
    in_simulated_time(async {
        let (bench, handed) = start(false);
        *held(&bench.erp.on_push) = Box::new(|batch| {
            let later = |_: &Delivery| Err(Failure::Retry(Some(60)));
            Ok(batch.iter().map(later).collect())
        });
        bench.send(of("R1", "1"));
        bench.pass(20).await;
        assert!(matches!(
            contact_job(&bench, "1").state,
            JobState::Waiting { .. }
        ));
        let listening = listen(&bench, false);
        bench.send(order("1", 2, |order| {
            for line in &mut order.lines {
                line.cancelled = line.quantity;
            }
            order.total = None;
        }));
        bench.pass(120).await;
        assert_eq!(
            contact_job(&bench, "1").state,
            JobState::Done(Ending::Withdrawn)
        );
        assert_eq!(bench.order("1").stage, OrderStage::Cancelled);
        assert!(contacts(&listening).is_empty() && held(&handed).is_empty());
        bench.end().await;
    });
}

#[test]
fn in_practice_no_contact_is_made_and_for_real_one_is() {
    in_simulated_time(async {
        let (bench, handed) = start(false);
        bench.set("practice.mode", "on");
        bench.send(of("R1", "1"));
        bench.pass(20).await;
        assert!(held(&handed).is_empty());
        assert!(bench.erp.count("practised") > 0);
        let applied = bench.handle.apply_practised(None, "ann").await;
        assert!(applied.expect("it is applied") > 0);
        bench.pass(30).await;
        assert_eq!(contacts(&handed).len(), 1);
        assert_eq!(
            sales(&handed),
            [("PO-1".to_owned(), Some("701".to_owned()))]
        );
        bench.end().await;
    });
}
