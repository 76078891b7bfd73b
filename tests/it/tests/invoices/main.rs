//! What must happen to an invoice: when it leaves, in which pieces, at which price, and never twice. One case at a time.

mod cancelled;
mod once;
mod policy;

use std::sync::{Arc, Mutex};
use waybill_it::bench::{
    Bench, ERP, Start, billed, held, in_simulated_time, invoice, note, order, parcel, receipt,
};
use waybill_model::contract::{Outcome, Ticket, Verdict};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Entity, Invoice, Order, OrderLine, OrderPhase, Shipment};
use waybill_model::job::Work;
use waybill_model::order_state::OrderStage;
use waybill_store::{JobRow, Read};

const HOUR: u64 = 3_600;

/// Invoices that came to the network, newest last.
type Sent = Arc<Mutex<Vec<Invoice>>>;

/// Number, total, and units by line.
type Sum = (String, String, Vec<(String, i64)>);

/// A bench with an order whose sale is made, and what the network was sent.
struct Case {
    bench: Bench,
    sent: Sent,
}

/// Runs a case with that policy. The order has line 1 with five units at 9.50, and line 2 with two at 4.00.
fn sold<F: Future<Output = ()>>(policy: &str, test: impl FnOnce(Case) -> F) {
    answered(policy, |key| receipt(&format!("N{key}")), test);
}

fn answered<F: Future<Output = ()>>(
    policy: &str,
    answer: impl Fn(&str) -> Verdict + Send + 'static,
    test: impl FnOnce(Case) -> F,
) {
    let start = Start {
        invoices: true,
        cancels: true,
        ..Start::default()
    };
    in_simulated_time(async {
        let bench = Bench::start(start);
        bench.set("invoices.policy", policy);
        let sent = Sent::default();
        let own = sent.clone();
        *held(&bench.network.on_push) = Box::new(move |batch| {
            let verdict = |delivery: &waybill_model::contract::Delivery| {
                if let Body::Invoice(invoice) = &delivery.document.body {
                    held(&own).push(invoice.clone());
                    assert!(delivery.origin.is_some(), "an invoice comes with its order");
                    return answer(&delivery.document.key);
                }
                receipt(&format!("P{}", delivery.document.key))
            };
            Ok(batch.iter().map(verdict).collect())
        });
        bench.send(order("1", 1, two_lines));
        bench.pass(30).await;
        assert_eq!(bench.order("1").stage, OrderStage::Created);
        test(Case { bench, sent }).await;
    });
}

fn two_lines(order: &mut Order) {
    order.phase = OrderPhase::Accepted;
    let second = OrderLine {
        line: "2".to_owned(),
        number: Some(2),
        quantity: Decimal::whole(2),
        unit_price: Some(Decimal::new(400, 2)),
        ..order.lines[0].clone()
    };
    order.lines.push(second);
}

impl Case {
    fn sale(&self) -> String {
        let key = self.bench.order("1").sale_key;
        key.expect("the sale is made")
    }

    /// The ERP's invoice over these lines.
    fn bill(&self, number: &str, lines: Vec<OrderLine>) {
        self.bench.ship(invoice(&self.sale(), number, lines));
    }

    /// Over all that was ordered.
    fn bill_all(&self, number: &str) {
        self.bill(number, vec![billed("1", 5, 950), billed("2", 2, 400)]);
    }

    /// A goods-out note with these units.
    fn ship(&self, key: &str, lines: &'static [(&'static str, i64)]) {
        let tracking = format!("1Z{key}");
        let change = move |note: &mut Shipment| {
            note.parcels = vec![parcel(Some(&tracking), lines)];
        };
        self.bench.ship(note(key, &self.sale(), 1, change));
    }

    fn ship_all(&self) {
        self.ship("7", &[("1", 5), ("2", 2)]);
    }

    /// What was sent.
    fn sums(&self) -> Vec<Sum> {
        let sent = held(&self.sent);
        let one = |invoice: &Invoice| {
            let units = invoice.lines.iter();
            let units = units.map(|l| (l.line.clone(), l.quantity.normal().units));
            (
                invoice.number.clone(),
                invoice.total.gross.fixed(2),
                units.collect(),
            )
        };
        sent.iter().map(one).collect()
    }

    fn stage(&self) -> OrderStage {
        self.bench.order("1").stage
    }

    fn problem(&self) -> String {
        self.bench.order("1").problem.unwrap_or_default()
    }

    fn invoices(&self) -> Vec<JobRow> {
        let mut jobs = self.bench.jobs("1");
        jobs.retain(|job| job.work == Work::Push(Entity::Invoice));
        jobs
    }

    /// A person sets it as on the page.
    async fn takes(&self, retailer: Option<&str>, key: &str, value: &str) {
        let set = self.bench.handle.set_setting(key, value, retailer, "ann");
        set.await.expect("it may be set");
    }

    async fn retry(&self) {
        let card = self.bench.cards().remove(0);
        let retried = self.bench.handle.retry_card(&card.id, "test").await;
        retried.expect("it may be retried");
        self.bench.pass(20).await;
    }
}

fn sum(number: &str, gross: &str, units: &[(&str, i64)]) -> Sum {
    let units = units.iter().map(|(line, n)| ((*line).to_owned(), *n));
    (number.to_owned(), gross.to_owned(), units.collect())
}

#[test]
fn an_invoice_leaves_after_its_shipment_is_confirmed() {
    sold("order", |case| async move {
        // The network queues shipments, and says for a while nothing about them.
        let said = Arc::new(Mutex::new(false));
        let asked = said.clone();
        *held(&case.bench.network.on_confirm) = Box::new(move |handles| {
            let verdict = |handle: &String| {
                if *held(&asked) {
                    return receipt(handle);
                }
                Ok(Outcome::Pending(Ticket {
                    handle: handle.clone(),
                    check_in_secs: 1,
                }))
            };
            Ok(handles.iter().map(verdict).collect())
        });
        let own = case.sent.clone();
        *held(&case.bench.network.on_push) = Box::new(move |batch| {
            let verdict = |delivery: &waybill_model::contract::Delivery| {
                if let Body::Invoice(invoice) = &delivery.document.body {
                    held(&own).push(invoice.clone());
                    return receipt(&delivery.document.key);
                }
                Ok(Outcome::Pending(Ticket {
                    handle: delivery.document.key.clone(),
                    check_in_secs: 1,
                }))
            };
            Ok(batch.iter().map(verdict).collect())
        });
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        case.ship_all();
        case.bench.pass(60).await;
        assert!(case.sums().is_empty(), "a 202 is no success");
        *held(&said) = true;
        case.bench.pass(60).await;
        let all = [("1", 5), ("2", 2)];
        assert_eq!(case.sums(), [sum("SI-1", "55.50", &all)]);
        let tracking = held(&case.sent)[0].extras[0].value.clone();
        assert_eq!(tracking, "1Z7");
        assert_eq!(case.stage(), OrderStage::Invoiced);
        case.bench.end().await;
    });
}

#[test]
fn another_price_waits_for_a_person_who_may_accept_it() {
    sold("order", |case| async move {
        case.ship_all();
        case.bill("SI-1", vec![billed("1", 5, 1_000), billed("2", 2, 375)]);
        case.bench.pass(60).await;
        assert_eq!(case.bench.codes(), ["invoice-price"]);
        let said = case.problem();
        for words in [
            "57.50 USD",
            "55.50",
            "50.00 instead of 47.50",
            "7.50 instead of 8.00",
        ] {
            assert!(said.contains(words), "{said}");
        }
        assert!(case.sums().is_empty());
        case.retry().await;
        let all = [("1", 5), ("2", 2)];
        assert_eq!(case.sums(), [sum("SI-1", "57.50", &all)]);
        assert_eq!(case.stage(), OrderStage::Invoiced);
        case.bench.end().await;
    });
}

#[test]
fn a_small_difference_goes_by_itself() {
    for (key, value, goes) in [
        ("invoices.tolerance", "3.00", true),
        ("invoices.tolerance", "2.99", false),
        ("invoices.tolerance-percent", "5.5", true),
        ("invoices.tolerance-percent", "5", false),
    ] {
        sold("order", |case| async move {
            case.bench.set(key, value);
            case.ship_all();
            case.bill("SI-1", vec![billed("1", 5, 1_000), billed("2", 2, 375)]);
            case.bench.pass(60).await;
            assert_eq!(case.sums().len(), usize::from(goes), "{key} {value}");
            case.bench.end().await;
        });
    }
}

#[test]
fn a_total_that_does_not_add_up_is_not_sent() {
    sold("order", |case| async move {
        case.ship_all();
        let mut wrong = invoice(&case.sale(), "SI-1", vec![billed("1", 5, 950)]);
        if let Body::Invoice(invoice) = &mut wrong.body {
            invoice.total.gross = Decimal::new(4_700, 2);
            invoice.lines.push(billed("2", 2, 400));
        }
        case.bench.ship(wrong);
        case.bench.pass(60).await;
        assert_eq!(case.bench.codes(), ["invoice-total-differs"]);
        // Corrected where it was made.
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        assert_eq!(case.sums().len(), 1);
        assert!(case.bench.codes().is_empty());
        case.bench.end().await;
    });
}

#[test]
fn a_wait_that_takes_too_long_is_shown_and_ends_by_itself() {
    sold("order", |case| async move {
        case.bench.set("invoices.wait-hours", "1");
        case.ship("7", &[("1", 3)]);
        case.bill_all("SI-1");
        case.bench.pass(HOUR - 60).await;
        assert!(case.bench.codes().is_empty());
        case.bench.pass(120).await;
        assert_eq!(case.bench.codes(), ["invoice-not-shipped"]);
        assert!(
            case.problem().contains("3 of 5 of line 1"),
            "{}",
            case.problem()
        );
        case.ship("8", &[("1", 2), ("2", 2)]);
        case.bench.pass(60).await;
        assert_eq!(case.sums().len(), 1);
        assert!(case.bench.codes().is_empty());
        assert_eq!(case.stage(), OrderStage::Invoiced);
        case.bench.end().await;
    });
}

#[test]
fn invoices_of_sales_nobody_knows_leave_no_trace() {
    sold("order", |case| async move {
        case.bench
            .ship(invoice("999", "SI-9", vec![billed("1", 1, 950)]));
        case.bench.pass(60).await;
        let kept = case
            .bench
            .store
            .read(|rx| rx.latest_document(ERP, Entity::Invoice, "999"));
        assert!(kept.expect("the store reads").is_none());
        case.bench.end().await;
    });
}
