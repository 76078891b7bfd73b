//! What must happen to an invoice: when it leaves, in which pieces, at which price, and never twice. One case at a time.

use std::sync::{Arc, Mutex};
use waybill_it::bench::{
    Bench, ERP, NETWORK, Start, billed, held, in_simulated_time, invoice, note, order, parcel,
    receipt,
};
use waybill_model::contract::{Failure, Outcome, Problem, Ticket, Verdict};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Entity, Invoice, Order, OrderLine, OrderPhase, Shipment};
use waybill_model::job::{Ending, JobState, Work};
use waybill_model::order_state::OrderStage;
use waybill_store::{Cause, JobRow, Read};

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
fn one_per_order_waits_for_the_last_parcel() {
    sold("order", |case| async move {
        case.ship("7", &[("1", 3)]);
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        assert!(case.sums().is_empty());
        assert_eq!(case.stage(), OrderStage::PartShipped);
        case.ship("8", &[("1", 2), ("2", 2)]);
        case.bench.pass(60).await;
        let all = [("1", 5), ("2", 2)];
        assert_eq!(case.sums(), [sum("SI-1", "55.50", &all)]);
        let tracking = held(&case.sent)[0].extras[0].value.clone();
        assert_eq!(tracking, "1Z7,1Z8");
        assert_eq!(case.stage(), OrderStage::Invoiced);
        case.bench.end().await;
    });
}

#[test]
fn two_shipments_and_one_invoice_are_two_invoices_per_shipment() {
    sold("shipment", |case| async move {
        case.ship("7", &[("1", 3)]);
        case.bench.pass(60).await;
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        assert_eq!(case.sums(), [sum("SI-1-7", "28.50", &[("1", 3)])]);
        assert_eq!(held(&case.sent)[0].extras[0].value, "1Z7");
        case.ship("8", &[("1", 2), ("2", 2)]);
        case.bench.pass(60).await;
        assert_eq!(
            case.sums()[1..],
            [sum("SI-1-8", "27.00", &[("1", 2), ("2", 2)])]
        );
        assert_eq!(held(&case.sent)[1].extras[0].value, "1Z8");
        assert_eq!(case.stage(), OrderStage::Invoiced);
        let root = &case.invoices()[0];
        assert_eq!(
            root.state,
            JobState::Done(Ending::Merged("SI-1-8".to_owned()))
        );
        case.bench.end().await;
    });
}

#[test]
fn one_shipment_of_everything_needs_no_number_of_its_own() {
    sold("shipment", |case| async move {
        case.bill_all("SI-1");
        case.ship_all();
        case.bench.pass(60).await;
        let all = [("1", 5), ("2", 2)];
        assert_eq!(case.sums(), [sum("SI-1", "55.50", &all)]);
        case.bench.end().await;
    });
}

#[test]
fn whole_lines_are_never_split() {
    sold("lines", |case| async move {
        case.bill_all("SI-1");
        case.ship("7", &[("1", 3)]);
        case.bench.pass(60).await;
        assert!(case.sums().is_empty());
        case.ship("8", &[("2", 2)]);
        case.bench.pass(60).await;
        assert_eq!(case.sums(), [sum("SI-1-L2", "8.00", &[("2", 2)])]);
        case.ship("9", &[("1", 2)]);
        case.bench.pass(60).await;
        assert_eq!(case.sums()[1..], [sum("SI-1-L1", "47.50", &[("1", 5)])]);
        assert_eq!(case.stage(), OrderStage::Invoiced);
        case.bench.end().await;
    });
}

#[test]
fn a_retailer_without_invoices_gets_none() {
    sold("none", |case| async move {
        case.bill_all("SI-1");
        case.ship_all();
        case.bench.pass(60).await;
        assert!(case.sums().is_empty());
        assert!(case.bench.codes().is_empty());
        assert_eq!(case.stage(), OrderStage::Shipped);
        case.bench.end().await;
    });
}

#[test]
fn what_a_policy_left_out_is_sent_once_it_changes() {
    sold("none", |case| async move {
        case.ship_all();
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        // What was corrected meanwhile was never sent: it is no change of anything.
        let mut newer = invoice(
            &case.sale(),
            "SI-1",
            vec![billed("1", 4, 950), billed("2", 2, 400)],
        );
        newer.revision = "2".to_owned();
        case.bench.ship(newer);
        case.bench.pass(60).await;
        assert!(case.bench.codes().is_empty());
        // Another retailer's, and one that takes up nothing of before.
        case.takes(Some("R9"), "invoices.policy", "order").await;
        case.takes(None, "invoices.again-days", "0").await;
        case.takes(None, "invoices.policy", "lines").await;
        case.bench.pass(60).await;
        assert!(case.sums().is_empty());
        case.takes(None, "invoices.again-days", "1").await;
        case.takes(None, "invoices.policy", "none").await;
        case.bench.pass(60).await;
        assert!(case.sums().is_empty());
        case.takes(Some("R1"), "invoices.policy", "shipment").await;
        case.bench.pass(60).await;
        assert_eq!(case.bench.codes(), ["above-shipped"; 0]);
        assert_eq!(case.sums().len(), 1, "{:?}", case.sums());
        assert_eq!(case.sums()[0].2, [("1".to_owned(), 4), ("2".to_owned(), 2)]);
        // Once is enough, whatever else is set.
        case.takes(Some("R1"), "invoices.policy", "order").await;
        case.bench.pass(60).await;
        assert_eq!(case.sums().len(), 1);
        case.bench.end().await;
    });
}

#[test]
fn an_invoice_from_long_before_a_change_stays_where_it_is() {
    sold("none", |case| async move {
        case.ship_all();
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        // Nothing is read for a day.
        let pause = async |paused: bool| {
            for name in ["network", "erp"] {
                let paused = case.bench.handle.pause(name, paused, "ann").await;
                paused.expect("it may be paused");
            }
        };
        pause(true).await;
        case.bench.pass(26 * HOUR).await;
        pause(false).await;
        case.takes(None, "invoices.again-days", "1").await;
        case.takes(None, "invoices.policy", "order").await;
        case.bench.pass(60).await;
        assert!(case.sums().is_empty());
        assert!(case.invoices().iter().all(|job| job.state.is_done()));
        case.bench.end().await;
    });
}

#[test]
fn a_card_of_the_old_policy_goes_on_unless_it_was_left_alone() {
    for left_alone in [false, true] {
        sold("order", |case| async move {
            case.ship_all();
            case.bill("SI-1", vec![billed("1", 5, 950)]);
            case.bench.pass(60).await;
            assert_eq!(case.bench.codes(), ["invoice-cut"]);
            if left_alone {
                let card = case.bench.cards().remove(0);
                let left = case.bench.handle.ignore_card(&card.id, "by hand", "ann");
                left.await.expect("it may be left");
            }
            case.takes(Some("R1"), "invoices.policy", "lines").await;
            case.bench.pass(60).await;
            assert!(case.bench.codes().is_empty());
            assert_eq!(case.sums().len(), usize::from(!left_alone));
            case.bench.end().await;
        });
    }
}

#[test]
fn the_same_invoice_again_is_sent_once() {
    sold("order", |case| async move {
        case.ship_all();
        for _ in 0..3 {
            case.bill_all("SI-1");
            case.bench.pass(60).await;
        }
        assert_eq!(case.sums().len(), 1);
        assert_eq!(case.invoices().len(), 1);
        // A second one of the same order is a person's.
        let mut second = invoice(&case.sale(), "SI-2", vec![billed("1", 5, 950)]);
        second.key = "other".to_owned();
        case.bench.ship(second);
        case.bench.pass(60).await;
        assert_eq!(case.bench.codes(), ["second-invoice"]);
        assert_eq!(case.sums().len(), 1);
        case.bench.end().await;
    });
}

#[test]
fn a_second_invoice_is_not_over_what_the_first_was() {
    sold("shipment", |case| async move {
        case.ship_all();
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        let mut second = invoice(&case.sale(), "SI-2", vec![billed("1", 5, 950)]);
        second.key = "other".to_owned();
        case.bench.ship(second);
        case.bench.pass(60).await;
        assert_eq!(case.bench.codes(), ["above-shipped"]);
        assert!(
            case.problem().contains("0 shipped and not invoiced"),
            "{}",
            case.problem()
        );
        case.retry().await;
        assert_eq!(case.sums().len(), 1, "nothing is left to send");
        assert!(case.bench.codes().is_empty());
        case.bench.end().await;
    });
}

#[test]
fn a_number_is_never_given_to_another_order() {
    sold("order", |case| async move {
        case.ship_all();
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        case.bench.send(order("2", 1, two_lines));
        case.bench.pass(60).await;
        let sale = case.bench.order("2").sale_key.expect("the sale is made");
        let lines = vec![billed("1", 5, 950), billed("2", 2, 400)];
        case.bench.ship(note("9", &sale, 1, |note| {
            note.parcels = vec![parcel(Some("1Z9"), &[("1", 5), ("2", 2)])];
        }));
        case.bench.ship(invoice(&sale, "SI-1", lines));
        case.bench.pass(60).await;
        assert_eq!(case.bench.codes(), ["invoice-number-taken"]);
        assert_eq!(case.sums().len(), 1);
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

fn cancelled(units: i64) -> impl FnOnce(&mut Order) {
    move |order| {
        two_lines(order);
        order.lines[0].cancelled = Decimal::whole(units);
    }
}

#[test]
fn a_line_cancelled_after_it_was_invoiced_is_a_card() {
    sold("order", |case| async move {
        case.bill_all("SI-1");
        case.ship("7", &[("1", 3), ("2", 2)]);
        case.bench.pass(60).await;
        assert!(
            case.sums().is_empty() && case.bench.codes().is_empty(),
            "the rest may still ship"
        );
        // The ERP will not change a sale that is invoiced.
        *held(&case.bench.erp.on_push) = Box::new(|batch| {
            let refused = Problem::new("cancel-invoiced", "The sale is invoiced.", "Credit it.");
            Ok(vec![Err(Failure::Rejected(refused)); batch.len()])
        });
        case.bench.send(order("1", 2, cancelled(2)));
        case.bench.pass(60).await;
        let mut codes = case.bench.codes();
        codes.sort();
        assert_eq!(codes, ["above-shipped", "cancel-invoiced"]);
        assert!(case.sums().is_empty(), "what did not ship is not billed");
        let card = case.bench.cards().into_iter().find(
            |card| matches!(&card.cause, Cause::Problem { problem, .. } if problem.code == "above-shipped"),
        );
        let card = card.expect("the card is there").id;
        let retried = case.bench.handle.retry_card(&card, "test").await;
        retried.expect("it may be retried");
        case.bench.pass(60).await;
        let shipped = [("1", 3), ("2", 2)];
        assert_eq!(case.sums(), [sum("SI-1", "36.50", &shipped)]);
        case.bench.end().await;
    });
}

#[test]
fn invoiced_while_a_cancel_is_on_its_way_goes_over_what_is_left() {
    sold("order", |case| async move {
        case.bench.send(order("1", 2, cancelled(2)));
        case.bill("SI-1", vec![billed("1", 3, 950), billed("2", 2, 400)]);
        case.ship("7", &[("1", 3), ("2", 2)]);
        case.bench.pass(90).await;
        let left = [("1", 3), ("2", 2)];
        assert_eq!(case.sums(), [sum("SI-1", "36.50", &left)]);
        assert_eq!(case.stage(), OrderStage::Invoiced);
        case.bench.end().await;
    });
}

#[test]
fn an_invoice_waits_until_the_merchants_cancel_is_confirmed() {
    sold("lines", |case| async move {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let (pushed, confirmed) = (told.clone(), told.clone());
        *held(&case.bench.network.on_push) = Box::new(move |batch| {
            let verdict = |delivery: &waybill_model::contract::Delivery| {
                let entity = delivery.document.body.entity();
                held(&pushed).push(entity.word().to_owned());
                if entity != Entity::Cancellation {
                    return receipt(&format!("P{}", delivery.document.key));
                }
                Ok(Outcome::Pending(Ticket {
                    handle: "C".to_owned(),
                    check_in_secs: 300,
                }))
            };
            Ok(batch.iter().map(verdict).collect())
        });
        *held(&case.bench.network.on_confirm) = Box::new(move |handles| {
            held(&confirmed).push("confirmed".to_owned());
            Ok(handles.iter().map(|handle| receipt(handle)).collect())
        });
        let code = case.bench.store.write_blocking(|tx| {
            let (table, code) = ("cancel-codes", Some("CXSS"));
            tx.set_cell(ERP, NETWORK, table, None, "*", code, None, "ann", 0)
        });
        code.expect("the cell is filled");
        let dropped = case.bench.state("1", "1", |sale| {
            sale.lines[0].cancelled = Decimal::whole(2);
        });
        case.bench.ship(dropped);
        case.bill("SI-1", vec![billed("1", 3, 950), billed("2", 2, 400)]);
        case.ship("7", &[("1", 3), ("2", 2)]);
        case.bench.pass(900).await;
        let told = held(&told).clone();
        let place = |what: &str| told.iter().position(|t| t == what);
        assert!(
            place("cancellation").is_some() && place("confirmed") < place("invoice"),
            "{told:?}"
        );
        assert_eq!(case.bench.codes(), Vec::<String>::new());
        case.bench.end().await;
    });
}

#[test]
fn an_invoice_that_leaves_out_what_shipped_is_a_card_where_one_is_taken() {
    sold("order", |case| async move {
        case.ship_all();
        case.bill("SI-1", vec![billed("1", 5, 950)]);
        case.bench.pass(60).await;
        assert_eq!(case.bench.codes(), ["invoice-cut"]);
        assert!(case.problem().contains("2 of line 2"), "{}", case.problem());
        case.retry().await;
        assert_eq!(case.sums(), [sum("SI-1", "47.50", &[("1", 5)])]);
        case.bench.end().await;
    });
}

#[test]
fn a_cancelled_order_that_was_invoiced_is_a_card() {
    sold("order", |case| async move {
        case.bench.send(order("1", 2, |order| {
            two_lines(order);
            order.phase = OrderPhase::Cancelled;
            for line in &mut order.lines {
                line.cancelled = line.quantity;
            }
        }));
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        assert!(
            case.bench
                .codes()
                .contains(&"invoiced-though-cancelled".to_owned()),
            "{:?}",
            case.bench.codes()
        );
        assert!(case.sums().is_empty());
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
fn a_refusal_waits_for_a_person_and_is_tried_again_under_its_number() {
    let refuse = Arc::new(Mutex::new(true));
    let refuses = refuse.clone();
    let answer = move |key: &str| {
        if *held(&refuses) {
            return Err(Failure::Rejected(Problem::new(
                "invoice-policy",
                "DSCO refused it.",
                "Set the policy.",
            )));
        }
        receipt(key)
    };
    answered("shipment", answer, |case| async move {
        case.ship("7", &[("1", 3)]);
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        assert_eq!(case.bench.codes(), ["invoice-policy"]);
        *held(&refuse) = false;
        case.retry().await;
        let numbers: Vec<String> = case.sums().into_iter().map(|(n, _, _)| n).collect();
        assert_eq!(numbers, ["SI-1-7", "SI-1-7"]);
        assert!(case.bench.codes().is_empty());
        case.bench.end().await;
    });
}

#[test]
fn what_a_person_left_alone_is_not_sent_another_way() {
    sold("order", |case| async move {
        case.ship_all();
        case.bill("SI-1", vec![billed("1", 5, 1_000), billed("2", 2, 400)]);
        case.bench.pass(60).await;
        let card = case.bench.cards().remove(0).id;
        let handle = &case.bench.handle;
        let left = handle.ignore_card(&card, "entered in the portal", "test");
        left.await.expect("it may be left");
        case.bench.pass(60).await;
        assert_eq!(case.stage(), OrderStage::Invoiced, "a person saw to it");
        assert!(case.sums().is_empty());
        case.bench.end().await;
    });
}

#[test]
fn one_that_changes_after_it_was_sent_is_a_card() {
    sold("order", |case| async move {
        case.ship_all();
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        for _ in 0..2 {
            case.bill("SI-1", vec![billed("1", 5, 900), billed("2", 2, 400)]);
            case.bench.pass(60).await;
            assert_eq!(case.bench.codes(), ["invoice-changed"]);
        }
        assert!(
            case.problem().contains("53.00 instead of 55.50"),
            "{}",
            case.problem()
        );
        assert_eq!(case.sums().len(), 1);
        let card = case.bench.cards().remove(0).id;
        let left = case.bench.handle.ignore_card(&card, "settled", "test");
        left.await.expect("it may be left");
        case.bench.pass(60).await;
        let units: usize = case.invoices().iter().map(|job| job.units.len()).sum();
        assert_eq!(units, 2, "what was sent counts once");
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

#[test]
fn a_kill_between_call_and_verdict_sends_under_the_same_number() {
    // The connector begins its effect and the agent dies before the verdict: the journal says in doubt.
    sold("shipment", |case| async move {
        *held(&case.bench.network.leaves_open) = Some(case.bench.journal());
        let own = case.sent.clone();
        *held(&case.bench.network.on_push) = Box::new(move |batch| {
            let verdict = |delivery: &waybill_model::contract::Delivery| {
                if let Body::Invoice(invoice) = &delivery.document.body {
                    held(&own).push(invoice.clone());
                    return Err(Failure::Retry(None));
                }
                receipt(&delivery.document.key)
            };
            Ok(batch.iter().map(verdict).collect())
        });
        case.ship("7", &[("1", 3)]);
        case.bill_all("SI-1");
        case.bench.pass(60).await;
        // Meanwhile the policy changes and the price with it: what may be there is told again as it was.
        case.bench.set("invoices.policy", "order");
        case.bench.pass(60).await;
        let sums = case.sums();
        assert!(sums.len() > 1);
        assert!(
            sums.iter()
                .all(|one| *one == sum("SI-1-7", "28.50", &[("1", 3)])),
            "{sums:?}"
        );
        case.bench.end().await;
    });
}
