//! Cancelling sales in the sandbox: whole and in part, with notes in every state, wherever a call is cut; and what the
//! merchant cancels comes back.

use crate::net::{FATES, Net, key, plain};
use crate::script::{delivery, line, order};
use serde_json::{Value, json};
use waybill_brightpearl::bindings::exports::waybill::connector::sink::Delivery;
use waybill_brightpearl::source::{fetch, pull};
use waybill_sdk::commerce::{
    Body, CancelPhase, Cancellation, Decimal, Document, Entity, LineQuantity, OrderState,
};
use waybill_sdk::types::{Failure, Outcome, Verdict};

/// A sale of three of L1 and two kits, linked to its order.
pub(crate) fn sold(net: &Net) -> String {
    let mut order = order();
    order.number = "PO-1".to_owned();
    order.customer = Some("200".to_owned());
    order.lines = vec![
        line("L1", "1003", "3", "9.00", None),
        line("L2", "1096", "2", "5.00", None),
    ];
    let sale = key(&net.push_all(&[delivery("o-0", order)])[0]);
    net.link(&sale, "o-0");
    net.count();
    sale
}

/// A cancel of that job: of these units, or of all.
fn cancel(sale: &str, job: u32, lines: &[(&str, i64)], settings: &[(&str, &str)]) -> Delivery {
    let mut all = vec![("cancel-status", "5")];
    all.extend(settings);
    let lines = lines.iter().map(|(line, units)| LineQuantity {
        line: (*line).to_owned(),
        quantity: Decimal::whole(*units),
    });
    Delivery {
        document: Document {
            key: format!("c-{job}"),
            revision: "1".to_owned(),
            occurred_at: 0,
            body: Body::Cancellation(Cancellation {
                order_key: sale.to_owned(),
                phase: CancelPhase::Ordered,
                reason: None,
                lines: lines.collect(),
            }),
        },
        origin: None,
        links: Vec::new(),
        settings: crate::script::pairs(&all),
    }
}

fn one(net: &Net, delivery: Delivery) -> Verdict {
    net.push_all(&[delivery]).remove(0)
}

fn code(verdict: &Verdict) -> &str {
    match verdict {
        Err(Failure::Rejected(problem)) => &problem.code,
        other => panic!("{other:?}"),
    }
}

fn is_done(verdict: &Verdict) -> bool {
    matches!(verdict, Ok(Outcome::Done(_)))
}

pub(crate) fn note(net: &Net, sale: &str, stage: &str) {
    net.control(
        &format!("order/{sale}/note"),
        &json!({"stage": stage, "reference": "1Z"}),
    );
}

/// Status changes that a sale has seen.
fn statuses(net: &Net, sale: &str) -> usize {
    let sale = net.sale(sale);
    let notes = sale["notes"].as_array().unwrap().iter();
    notes
        .filter(|n| n.as_str().unwrap().starts_with("Cancelled:"))
        .count()
}

fn row<'a>(sale: &'a Value, line: &str) -> Option<&'a Value> {
    let rows = sale["rows"].as_array().unwrap();
    rows.iter().find(|row| row["externalRef"] == line)
}

#[test]
fn a_sale_is_cancelled_in_three_calls_and_not_twice() {
    let net = Net::new(&plain());
    let sale = sold(&net);
    assert!(is_done(&one(&net, cancel(&sale, 100, &[], &[]))));
    assert_eq!(net.count(), 3, "the sale, its notes, the status");
    assert_eq!(net.sale(&sale)["cancelled"], true);
    let again = one(&net, cancel(&sale, 101, &[], &[]));
    assert!(matches!(again, Ok(Outcome::Done(receipt)) if receipt.duplicate));
    assert_eq!(statuses(&net, &sale), 1);
}

#[test]
fn wherever_a_call_is_cut_the_sale_is_cancelled_once() {
    for fate in FATES {
        for at in 0..2 {
            let net = Net::new(&plain());
            let sale = sold(&net);
            note(&net, &sale, "picked");
            let mut fates = vec![crate::net::Fate::Answered; at];
            fates.push(fate);
            *net.fates.borrow_mut() = fates.into();
            let verdict = one(&net, cancel(&sale, 100, &[], &[("cancel.note", "picked")]));
            assert!(is_done(&verdict), "{fate:?} {at}: {verdict:?}");
            assert_eq!(statuses(&net, &sale), 1, "{fate:?} {at}");
            let truth = net.truth();
            assert_eq!(truth["deletedNotes"].as_array().unwrap().len(), 1);
        }
    }
}

#[test]
fn wherever_the_agent_stops_the_sale_is_cancelled_once() {
    for lines in [&[][..], &[("L1", 1)][..]] {
        let net = Net::new(&plain());
        let sale = sold(&net);
        net.stops.set(3);
        let verdict = one(&net, cancel(&sale, 100, lines, &[]));
        assert!(is_done(&verdict), "{verdict:?}");
        let truth = net.sale(&sale);
        if lines.is_empty() {
            assert_eq!(statuses(&net, &sale), 1);
        } else {
            assert_eq!(row(&truth, "L1").unwrap()["quantity"], "2");
        }
    }
}

#[test]
fn a_note_is_deleted_only_as_far_as_the_merchant_allows() {
    for (stage, allowed, done) in [
        ("created", "none", false),
        ("created", "created", true),
        ("printed", "created", false),
        ("picked", "picked", true),
        ("packed", "picked", false),
        ("packed", "packed", true),
    ] {
        let net = Net::new(&plain());
        let sale = sold(&net);
        note(&net, &sale, stage);
        let verdict = one(&net, cancel(&sale, 100, &[], &[("cancel.note", allowed)]));
        assert_eq!(is_done(&verdict), done, "{stage} {allowed}: {verdict:?}");
        assert_eq!(net.sale(&sale)["cancelled"], done);
        if !done {
            assert_eq!(code(&verdict), "cancel-stage");
            assert!(net.truth()["deletedNotes"].as_array().unwrap().is_empty());
        }
    }
}

#[test]
fn what_has_shipped_is_invoiced_or_paid_is_not_cancelled() {
    let packed = [("cancel.note", "packed")];
    let net = Net::new(&plain());
    let sale = sold(&net);
    note(&net, &sale, "shipped");
    assert_eq!(
        code(&one(&net, cancel(&sale, 100, &[], &packed))),
        "cancel-shipped"
    );
    assert_eq!(
        code(&one(&net, cancel(&sale, 101, &[("L1", 1)], &packed))),
        "cancel-shipped"
    );
    net.control(&format!("order/{sale}/invoice"), &json!({}));
    assert_eq!(
        code(&one(&net, cancel(&sale, 102, &[], &packed))),
        "cancel-invoiced"
    );
    let net = Net::new(&plain());
    let sale = sold(&net);
    let none = cancel(&sale, 100, &[], &[("cancel-status", "")]);
    assert_eq!(code(&one(&net, none)), "cancel-status");
    assert_eq!(
        code(&one(&net, cancel("999999", 101, &[], &[]))),
        "sale-gone"
    );
}

#[test]
fn units_are_taken_off_a_row_with_their_amount() {
    for fate in [None].into_iter().chain(FATES.map(Some)) {
        let net = Net::new(&plain());
        let sale = sold(&net);
        net.fates.borrow_mut().extend(fate);
        let verdict = one(&net, cancel(&sale, 100, &[("L1", 1)], &[]));
        assert!(is_done(&verdict), "{fate:?}: {verdict:?}");
        let truth = net.sale(&sale);
        let left = row(&truth, "L1").unwrap();
        assert_eq!(
            (&left["quantity"], &left["net"]),
            (&json!("2"), &json!("18.0000"))
        );
        // The same units again, as another cancel.
        assert!(is_done(&one(&net, cancel(&sale, 101, &[("L1", 1)], &[]))));
        assert!(is_done(&one(&net, cancel(&sale, 102, &[("L1", 1)], &[]))));
        assert!(
            row(&net.sale(&sale), "L1").is_none(),
            "the row is gone with its last unit"
        );
    }
}

#[test]
fn units_that_are_off_stay_off_when_the_sale_is_invoiced_meanwhile() {
    let net = Net::new(&plain());
    let sale = sold(&net);
    net.fates.borrow_mut().push_back(crate::net::Fate::CutAfter);
    let cut = cancel(&sale, 100, &[("L1", 1)], &[]);
    let lost = net.try_once(std::slice::from_ref(&cut)).remove(0);
    assert!(!is_done(&lost), "{lost:?}");
    net.control(&format!("order/{sale}/invoice"), &json!({}));
    assert!(is_done(&net.try_again(&[cut]).remove(0)));
    assert_eq!(row(&net.sale(&sale), "L1").unwrap()["quantity"], "2");
    // Another unit is not.
    let more = one(&net, cancel(&sale, 101, &[("L1", 1)], &[]));
    assert_eq!(code(&more), "cancel-invoiced");
}

#[test]
fn kits_and_rows_that_somebody_changed_are_a_persons() {
    let net = Net::new(&plain());
    let sale = sold(&net);
    assert_eq!(
        code(&one(&net, cancel(&sale, 100, &[("L2", 1)], &[]))),
        "cancel-rows"
    );
    let id = row(&net.sale(&sale), "L1").unwrap()["id"].clone();
    net.control(&format!("order/{sale}/row/{id}"), &json!({"quantity": 1}));
    assert_eq!(
        code(&one(&net, cancel(&sale, 101, &[("L1", 2)], &[]))),
        "cancel-rows"
    );
}

#[test]
fn a_part_on_an_open_note_needs_the_merchants_leave() {
    let net = Net::new(&plain());
    let sale = sold(&net);
    note(&net, &sale, "printed");
    assert_eq!(
        code(&one(&net, cancel(&sale, 100, &[("L1", 1)], &[]))),
        "cancel-stage"
    );
    let verdict = one(
        &net,
        cancel(&sale, 101, &[("L1", 1)], &[("cancel.note", "printed")]),
    );
    assert!(is_done(&verdict), "{verdict:?}");
    assert_eq!(row(&net.sale(&sale), "L1").unwrap()["quantity"], "2");
}

/// Rounds of the feed.
struct States<'a> {
    net: &'a Net,
    cursor: Option<Vec<u8>>,
    /// Statuses that somebody waits for.
    awaited: &'a str,
}

impl States<'_> {
    fn round(&mut self) -> Vec<OrderState> {
        self.net.pass(60_000);
        let ctx = Net::context(&[
            ("cancel-status", "5"),
            ("cancelled-statuses", "19"),
            ("order-states.statuses", self.awaited),
        ]);
        let page = pull(self.net, &ctx, Entity::OrderState, self.cursor.as_deref()).unwrap();
        assert!(!page.more);
        self.cursor = Some(page.cursor);
        let states = page.documents.into_iter().map(|d| match d.body {
            Body::OrderState(state) => state,
            other => panic!("{other:?}"),
        });
        states.collect()
    }
}

fn gone(state: &OrderState, line: &str) -> Option<i64> {
    let line = state.lines.iter().find(|l| l.line == line)?;
    line.cancelled.to_whole()
}

#[test]
fn a_sale_that_has_left_is_not_read_for_its_invoice() {
    let net = Net::new(&plain());
    let sale = sold(&net);
    let mut states = States {
        net: &net,
        cursor: None,
        awaited: "22",
    };
    note(&net, &sale, "shipped");
    assert_eq!(states.round().len(), 1, "it has left");
    net.control(&format!("order/{sale}/invoice"), &json!({}));
    net.count();
    let told = states.round();
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(
        net.count(),
        1,
        "the search; a sale that has left cannot be cancelled"
    );
    net.control(
        &format!("order/{sale}/status"),
        &json!({"orderStatusId": 22}),
    );
    assert_eq!(states.round().len(), 1, "somebody waits for that status");
}

#[test]
fn a_sale_that_has_left_is_read_once_for_its_state_and_its_note() {
    let net = Net::new(&plain());
    let sale = sold(&net);
    let shipments = |cursor: Option<&[u8]>| {
        let ctx = Net::context(&[("shipments.stage", "shipped")]);
        pull(&net, &ctx, Entity::Shipment, cursor).unwrap()
    };
    let mut page = shipments(None);
    while page.more {
        page = shipments(Some(&page.cursor));
    }
    let mut states = States {
        net: &net,
        cursor: None,
        awaited: "22",
    };
    note(&net, &sale, "shipped");
    net.pass(60_000);
    assert_eq!(states.round().len(), 1, "it has left");
    net.count();
    assert_eq!(shipments(Some(&page.cursor)).documents.len(), 1);
    assert_eq!(net.count(), 2, "the search and the note");
}

#[test]
fn a_status_that_is_waited_for_is_told() {
    let net = Net::new(&plain());
    let sale = sold(&net);
    let mut states = States {
        net: &net,
        cursor: None,
        awaited: "3, 22",
    };
    let set = |id: i64| {
        net.control(
            &format!("order/{sale}/status"),
            &json!({"orderStatusId": id}),
        );
    };
    assert!(states.round().is_empty());
    set(4);
    assert!(states.round().is_empty(), "nobody waits for it");
    set(22);
    let told = states.round();
    assert_eq!((told.len(), &*told[0].status), (1, "22"));
    assert!(!told[0].cancelled);
    assert!(states.round().is_empty(), "told once");
}

#[test]
fn what_the_merchant_cancels_comes_back_once() {
    let net = Net::new(&plain());
    let sale = sold(&net);
    let mut states = States {
        net: &net,
        cursor: None,
        awaited: "",
    };
    assert!(states.round().is_empty());
    // Any other change of the sale is nobody's business.
    net.control(
        &format!("order/{sale}/status"),
        &json!({"orderStatusId": 22}),
    );
    assert!(states.round().is_empty());
    let id = row(&net.sale(&sale), "L1").unwrap()["id"].clone();
    net.control(&format!("order/{sale}/row/{id}"), &json!({"quantity": 1}));
    let told = states.round();
    assert_eq!(
        (gone(&told[0], "L1"), gone(&told[0], "L2")),
        (Some(2), Some(0))
    );
    assert!(!told[0].cancelled);
    net.count();
    assert!(states.round().is_empty());
    assert_eq!(net.count(), 1, "an idle round is one call");
    net.control(
        &format!("order/{sale}/status"),
        &json!({"orderStatusId": 19}),
    );
    let told = states.round();
    assert!(told[0].cancelled && told[0].status == "19");
    net.control(
        &format!("order/{sale}/status"),
        &json!({"orderStatusId": 22}),
    );
    assert!(!states.round()[0].cancelled, "taken back");
}

/// Units of L1 and L2 that are set aside and that have left, and the revision.
fn aside(net: &Net, sale: &str) -> ([i64; 4], String) {
    let keys = [sale.to_owned()];
    let mut documents = fetch(net, &Net::context(&[]), Entity::OrderState, &keys).unwrap();
    let document = documents.remove(0);
    let Body::OrderState(state) = document.body else {
        panic!("{:?}", document.body)
    };
    let of = |line: &str| state.lines.iter().find(|l| l.line == line).unwrap();
    let units = [
        of("L1").allocated,
        of("L2").allocated,
        of("L1").shipped,
        of("L2").shipped,
    ];
    (units.map(|u| u.to_whole().unwrap()), document.revision)
}

#[test]
fn what_is_set_aside_is_told_and_read_apart_only_where_it_is_a_part() {
    let net = Net::new(&plain());
    let sale = sold(&net);
    let (units, first) = aside(&net, &sale);
    assert_eq!(units, [0; 4]);
    assert_eq!(net.count(), 1);
    net.control(&format!("order/{sale}/reserve"), &json!({"units": 1}));
    let (units, part) = aside(&net, &sale);
    assert_eq!((units[0], units[2]), (1, 0));
    assert_eq!(net.count(), 3, "the sale, its notes, its reservation");
    assert_ne!(part, first);
    assert_eq!(aside(&net, &sale).1, part, "the same is told as the same");
    net.pass(1_000);
    net.control(&format!("order/{sale}/reserve"), &json!({}));
    net.count();
    let (units, all) = aside(&net, &sale);
    assert_eq!(units, [3, 2, 0, 0]);
    assert_eq!(net.count(), 1);
    assert_ne!(all, part);
    // Given back: not the same revision as before, which was seen.
    net.pass(1_000);
    net.control(&format!("order/{sale}/release"), &json!({}));
    let (units, none) = aside(&net, &sale);
    assert_eq!(units, [0; 4]);
    assert_ne!(none, first);
    note(&net, &sale, "shipped");
    assert_eq!(aside(&net, &sale).0, [0, 0, 3, 2]);
}
