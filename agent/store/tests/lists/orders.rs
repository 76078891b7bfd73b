//! Lists and searches of orders, their deadlines, days and timelines.

use super::ready_store;
use crate::sample::{
    SOURCE, TARGET, assert_sound, deadline, order_document, order_row, shipment, take_order,
};
use waybill_model::document::Entity;
use waybill_model::ids::OrderId;
use waybill_model::order_state::OrderStage;
use waybill_store::{DeadlineKind, NoteKind, NoteRow, OrderQuery, Read};

fn numbers(rows: &[waybill_store::OrderRow]) -> Vec<u64> {
    rows.iter().map(|o| o.id.0).collect()
}

#[test]
fn orders_are_listed_newest_first_by_stage_and_by_page() {
    let store = ready_store();
    store
        .write_blocking(|tx| {
            for n in 0..5 {
                take_order(tx, &n.to_string(), 1_000 + n)?;
            }
            let mut row = tx.order(OrderId(2))?.unwrap();
            row.stage = OrderStage::Waiting;
            tx.put_order(&row)?;
            Ok(())
        })
        .unwrap();
    let list = |stage, before, limit| {
        let query = OrderQuery {
            stage,
            before,
            limit,
        };
        numbers(&store.read(|rx| rx.orders(query)).unwrap())
    };
    assert_eq!(list(None, None, 10), [5, 4, 3, 2, 1]);
    assert_eq!(list(None, Some(OrderId(4)), 2), [3, 2]);
    assert_eq!(list(Some(OrderStage::Received), None, 10), [5, 4, 3, 1]);
    assert_eq!(list(Some(OrderStage::Received), Some(OrderId(4)), 1), [3]);
    assert_eq!(list(Some(OrderStage::Waiting), None, 10), [2]);
    assert_eq!(list(None, None, 0), [0_u64; 0]);
    let counters = store.read(Read::counters).unwrap();
    assert_eq!(counters.orders[&OrderStage::Received], 4);
    assert_eq!(counters.orders[&OrderStage::Waiting], 1);
    assert_eq!(counters.jobs["ready"], 5);
    assert_sound(&store);
}

#[test]
fn an_order_is_found_by_number_sale_tracking_and_item_code() {
    let store = ready_store();
    store
        .write_blocking(|tx| {
            let one = take_order(tx, "77", 1_000)?;
            take_order(tx, "778", 1_000)?;
            let mut row = tx.order(one)?.unwrap();
            row.sale_number = Some("SO-900".to_owned());
            row.sale_key = Some("900".to_owned());
            tx.put_order(&row)?;
            tx.link(SOURCE, Entity::Order, "77", TARGET, Entity::Order, "900")?;
            tx.accept(TARGET, &shipment("s1", "900", "1Z999"), 1_100)?;
            Ok(())
        })
        .unwrap();
    let find = |text: &'static str| numbers(&store.read(|rx| rx.search(text, 10)).unwrap());
    assert_eq!(find("po-77"), [1, 2], "the exact one is first");
    assert_eq!(find(" PO-778 "), [2]);
    assert_eq!(find("so-9"), [1]);
    assert_eq!(find("1z999"), [1], "tracking, through the link of the sale");
    assert_eq!(find("ab-1").len(), 2);
    assert_eq!(find("nothing"), [0_u64; 0]);
    assert_eq!(find("  "), [0_u64; 0]);
    let documents = store
        .read(|rx| rx.documents_of_order(OrderId(1), 9))
        .unwrap();
    assert_eq!(documents.len(), 2);
    assert_sound(&store);
}

#[test]
fn deadlines_close_when_their_work_is_done() {
    use DeadlineKind::{Acknowledge, Invoice, Ship};
    let store = ready_store();
    store
        .write_blocking(|tx| {
            let accepted = tx
                .accept(SOURCE, &order_document("a", "1", &[]), 1)?
                .unwrap();
            let mut row = order_row("a", accepted.document, 1_000);
            row.acknowledge_by = Some(deadline(5_000));
            row.ship_by = Some(deadline(4_000));
            row.invoice_by = Some(deadline(9_000));
            tx.put_order(&row)
        })
        .unwrap();
    let kinds = |from| {
        let rows = store.read(|rx| rx.deadlines(from, 10)).unwrap();
        rows.into_iter()
            .map(|(_, kind, _)| kind)
            .collect::<Vec<_>>()
    };
    let change = |f: fn(&mut waybill_store::OrderRow)| {
        store
            .write_blocking(move |tx| {
                let mut row = tx.order(OrderId(1))?.unwrap();
                f(&mut row);
                tx.put_order(&row)
            })
            .unwrap();
    };
    assert_eq!(kinds(0), [Ship, Acknowledge, Invoice]);
    assert_eq!(kinds(4_001), [Acknowledge, Invoice]);
    change(|row| row.acknowledged_at = Some(2_000));
    assert_eq!(kinds(0), [Ship, Invoice]);
    change(|row| row.stage = OrderStage::Shipped);
    assert_eq!(kinds(0), [Invoice]);
    change(|row| row.stage = OrderStage::Invoiced);
    assert!(kinds(0).is_empty());
    assert_sound(&store);
}

#[test]
fn days_count_what_happened_on_them() {
    let store = ready_store();
    let day = 86_400_000;
    store
        .write_blocking(move |tx| {
            take_order(tx, "a", 10 * day)?;
            take_order(tx, "b", 10 * day + 5)?;
            Ok(())
        })
        .unwrap();
    for (stage, at) in [
        (OrderStage::Created, 10),
        (OrderStage::Waiting, 10),
        (OrderStage::Created, 11),
        (OrderStage::Shipped, 11),
        (OrderStage::Shipped, 12),
    ] {
        store
            .write_blocking(move |tx| {
                let mut row = tx.order(OrderId(1))?.unwrap();
                row.stage = stage;
                row.sale_key = Some("501".to_owned());
                tx.note(row.id, note("moved", at * day))?;
                tx.put_order(&row)
            })
            .unwrap();
    }
    let days = store.read(|rx| rx.day_counts(5)).unwrap();
    assert_eq!(days.len(), 2);
    assert_eq!((days[0].day, days[0].shipped), (11, 1));
    assert_eq!((days[1].day, days[1].received, days[1].created), (10, 2, 1));
}

fn note(text: &str, at: i64) -> NoteRow {
    NoteRow {
        at,
        kind: NoteKind::Info,
        icon: "box".to_owned(),
        text: text.to_owned(),
        words: None,
    }
}

#[test]
fn a_timeline_is_read_newest_first() {
    let store = ready_store();
    store
        .write_blocking(|tx| {
            for (n, order) in [(1, 1), (2, 2), (3, 1)] {
                tx.note(OrderId(order), note(&format!("note {n}"), n))?;
            }
            Ok(())
        })
        .unwrap();
    let texts: Vec<String> = store
        .read(|rx| rx.timeline(OrderId(1), 10))
        .unwrap()
        .into_iter()
        .map(|n| n.text)
        .collect();
    assert_eq!(texts, ["note 3", "note 1"]);
}
