//! Sample documents, rows and stores of the tests. Knows the public API only.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "tests: each file uses some of these, and a panic is a failure"
)]

use std::path::Path;
use waybill_model::contract::{Exchange, Problem};
use waybill_model::decimal::Decimal;
use waybill_model::document::{
    Address, Body, Deadline, DeadlineSource, Document, Entity, Identifier, Item, Order, OrderLine,
    OrderPhase, Parcel, Shipment, Stage,
};
use waybill_model::ids::{ConnectionId, DocumentId, Millis, OrderId};
use waybill_model::job::{JobState, Work};
use waybill_model::order_state::OrderStage;
use waybill_store::sim_disk::SimDisk;
use waybill_store::{ConnectionRow, NewJob, Options, OrderRow, Place, SealKey, Store, Writer};

pub(crate) const SOURCE: ConnectionId = ConnectionId(1);
pub(crate) const TARGET: ConnectionId = ConnectionId(2);

pub(crate) fn key() -> SealKey {
    SealKey::from_bytes([7; 32])
}

pub(crate) fn on_disk(disk: &SimDisk, writer: Writer) -> Store {
    Store::open(Options {
        writer,
        ..Options::new(Place::Backend(disk.backend()), key())
    })
    .unwrap()
}

pub(crate) fn in_memory() -> Store {
    on_disk(&SimDisk::new(1), Writer::Inline)
}

pub(crate) fn in_file(path: &Path) -> Store {
    Store::open(Options::new(Place::File(path.to_owned()), key())).unwrap()
}

pub(crate) fn connection(name: &str) -> ConnectionRow {
    ConnectionRow {
        id: ConnectionId(0),
        name: name.to_owned(),
        connector: "example".to_owned(),
        title: name.to_uppercase(),
        paused: false,
        allow_private: false,
        grants: vec!["api.example.com".to_owned()],
        created_at: 1_000,
        hold_until: None,
        unauthorized: None,
        last_ok: None,
        last_error: None,
        clock_skew_ms: None,
    }
}

pub(crate) fn with_connections(store: &Store) {
    store
        .write_blocking(|tx| {
            assert_eq!(tx.put_connection(&connection("shop"))?, SOURCE);
            assert_eq!(tx.put_connection(&connection("erp"))?, TARGET);
            Ok(())
        })
        .unwrap();
}

fn address() -> Address {
    Address {
        name: "Ann Example".to_owned(),
        company: None,
        attention: None,
        street: vec!["1 High Street".to_owned()],
        city: "Bath".to_owned(),
        region: None,
        postcode: "BA1 1AA".to_owned(),
        country: Some("GB".to_owned()),
        phone: None,
        email: None,
    }
}

pub(crate) fn identifier(kind: &str, value: &str) -> Identifier {
    Identifier {
        kind: kind.to_owned(),
        value: value.to_owned(),
    }
}

pub(crate) fn order_document(key: &str, revision: &str, skus: &[&str]) -> Document {
    let line = |(n, sku): (usize, &&str)| OrderLine {
        line: (n + 1).to_string(),
        number: None,
        identifiers: vec![identifier("sku", sku), identifier("upc", "")],
        title: format!("Item {sku}"),
        quantity: Decimal::whole(2),
        cancelled: Decimal::ZERO,
        shipped: Decimal::ZERO,
        unit_price: Some(Decimal::new(1999, 2)),
        tax: None,
        ship_by: None,
        warehouse: None,
        extras: Vec::new(),
    };
    Document {
        key: key.to_owned(),
        revision: revision.to_owned(),
        occurred_at: 5_000,
        body: Body::Order(Order {
            number: format!("PO-{key}"),
            retailer: "r1".to_owned(),
            retailer_name: "Retailer One".to_owned(),
            kind: "dropship".to_owned(),
            test: false,
            phase: OrderPhase::Open,
            currency: Some("GBP".to_owned()),
            placed_at: Some(4_000),
            acknowledge_by: None,
            ship_by: None,
            invoice_by: None,
            cancel_after: None,
            customer: None,
            warehouse: None,
            shipping_method: None,
            bill_to: None,
            ship_to: address(),
            lines: skus.iter().enumerate().map(line).collect(),
            charges: Vec::new(),
            total: None,
            supplier_number: None,
            extras: Vec::new(),
        }),
    }
}

pub(crate) fn shipment(key: &str, order_key: &str, tracking: &str) -> Document {
    Document {
        key: key.to_owned(),
        revision: "1".to_owned(),
        occurred_at: 6_000,
        body: Body::Shipment(Shipment {
            order_key: order_key.to_owned(),
            stage: Stage::Shipped,
            shipped_at: Some(6_000),
            warehouse: None,
            shipping_method: None,
            parcels: vec![Parcel {
                tracking: Some(tracking.to_owned()),
                lines: Vec::new(),
                span: false,
                extras: Vec::new(),
            }],
            extras: Vec::new(),
        }),
    }
}

pub(crate) fn item(key: &str, revision: &str, active: bool, ids: &[(&str, &str)]) -> Document {
    Document {
        key: key.to_owned(),
        revision: revision.to_owned(),
        occurred_at: 5_000,
        body: Body::Item(Item {
            identifiers: ids.iter().map(|(k, v)| identifier(k, v)).collect(),
            title: format!("Title of {key}"),
            tracked: true,
            active,
            components: Vec::new(),
            extras: Vec::new(),
        }),
    }
}

pub(crate) const fn deadline(at: Millis) -> Deadline {
    Deadline {
        at,
        set_by: DeadlineSource::Order,
    }
}

pub(crate) fn order_row(key: &str, document: DocumentId, now: Millis) -> OrderRow {
    OrderRow {
        id: OrderId(0),
        connection: SOURCE,
        key: key.to_owned(),
        number: format!("PO-{key}"),
        retailer: "r1".to_owned(),
        retailer_name: "Retailer One".to_owned(),
        stage: OrderStage::Received,
        phase: OrderPhase::Open,
        test: false,
        currency: Some("GBP".to_owned()),
        total: Some(Decimal::new(3998, 2)),
        units: Decimal::whole(2),
        lines: 1,
        placed_at: Some(4_000),
        received_at: now,
        acknowledge_by: Some(deadline(now + 10)),
        ship_by: Some(deadline(now + 20)),
        invoice_by: None,
        acknowledged_at: None,
        delivered_at: None,
        document,
        sale_key: None,
        sale_number: None,
        wanted: String::new(),
        wanted_sold: String::new(),
        shipped_at: None,
        problem: None,
    }
}

pub(crate) fn new_job(key: &str, order: Option<OrderId>, document: DocumentId) -> NewJob {
    NewJob {
        work: Work::Push(Entity::Order),
        from: SOURCE,
        to: TARGET,
        entity: Entity::Order,
        key: key.to_owned(),
        order,
        lane: key.to_owned(),
        document,
        state: JobState::Ready,
        urgent_by: None,
    }
}

pub(crate) fn problem(code: &str) -> Problem {
    Problem::new(code, "The vendor said no.", "Ask the vendor.")
}

pub(crate) fn exchange(answer: &str) -> Exchange {
    Exchange {
        at: 7_000,
        took_ms: 12,
        method: "POST".to_owned(),
        url: "https://api.example.com/orders".to_owned(),
        status: 200,
        step: Some("create-order".to_owned()),
        replayed: false,
        request: "{}".to_owned(),
        answer: answer.to_owned(),
    }
}

/// One order accepted, listed and queued, as the engine does it: in one closure.
pub(crate) fn take_order(
    tx: &mut waybill_store::Tx<'_>,
    key: &str,
    now: Millis,
) -> Result<OrderId, waybill_store::StoreError> {
    let document = order_document(key, "1", &["AB-1"]);
    let accepted = tx.accept(SOURCE, &document, now)?;
    let accepted = accepted.ok_or_else(|| waybill_store::StoreError::Conflict(key.to_owned()))?;
    let order = tx.put_order(&order_row(key, accepted.document, now))?;
    tx.create_job(new_job(key, Some(order), accepted.document), now)?;
    Ok(order)
}

#[track_caller]
pub(crate) fn assert_sound(store: &Store) {
    let wrong = store.verify().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
