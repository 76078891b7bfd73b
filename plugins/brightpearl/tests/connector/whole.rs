//! Sales without a goods-out note in the sandbox: what they ship as a whole, asked for by their key.

use crate::cancels::{note, sold};
use crate::net::{Net, plain};
use serde_json::json;
use waybill_brightpearl::source::fetch;
use waybill_sdk::commerce::{Body, Document, Entity, Shipment, Stage};

fn asked(net: &Net, sale: &str, settings: &[(&str, &str)]) -> Option<(Document, Shipment)> {
    let key = format!("order:{sale}");
    let context = Net::context(settings);
    let mut found = fetch(net, &context, Entity::Shipment, std::slice::from_ref(&key)).unwrap();
    assert!(found.len() < 2);
    let document = found.pop()?;
    assert_eq!(document.key, key);
    let Body::Shipment(shipment) = document.body.clone() else {
        panic!("{:?}", document.body)
    };
    Some((document, shipment))
}

fn told(shipment: &Shipment) -> Vec<(&str, String)> {
    let parcel = shipment.parcels.first().unwrap();
    let mut lines: Vec<_> = parcel
        .lines
        .iter()
        .map(|line| (line.line.as_str(), line.quantity.to_string()))
        .collect();
    lines.sort();
    lines
}

#[test]
fn a_sale_without_a_note_ships_all_that_stands_on_it() {
    let net = Net::new(&plain());
    let sale = sold(&net);
    let (before, shipment) = asked(&net, &sale, &[]).unwrap();
    assert_eq!(shipment.order_key, sale);
    assert_eq!(shipment.stage, Stage::Shipped);
    // A kit is told as a whole, not by its parts.
    let all = [("L1", "3".to_owned()), ("L2", "2".to_owned())];
    assert_eq!(told(&shipment), all);
    assert_eq!(shipment.parcels[0].tracking, None);

    // Numbers from the chosen field, and nothing from another one.
    net.pass(2_000);
    let entered = json!([{"op": "add", "path": "/PCF_TRACK", "value": "1Z1, 1Z2"}]);
    net.other(
        "PATCH",
        &format!("/order-service/order/{sale}/custom-field"),
        &entered,
    );
    let (_, shipment) = asked(&net, &sale, &[("tracking-field", "PCF_CREW")]).unwrap();
    assert_eq!(shipment.parcels[0].tracking, None);
    let (after, shipment) = asked(&net, &sale, &[("tracking-field", "PCF_TRACK")]).unwrap();
    let numbers: Vec<_> = shipment
        .parcels
        .iter()
        .map(|p| p.tracking.as_deref())
        .collect();
    assert_eq!(numbers, [Some("1Z1"), Some("1Z2")]);
    assert!(shipment.parcels.iter().all(|parcel| parcel.span));
    assert_ne!(before.revision, after.revision);
}

#[test]
fn a_sale_with_a_note_ships_what_its_notes_say() {
    let net = Net::new(&plain());
    let sale = sold(&net);
    note(&net, &sale, "created");
    assert!(asked(&net, &sale, &[]).is_none());
}

#[test]
fn a_sale_that_is_not_ours_ships_nothing_here() {
    let net = Net::new(&plain());
    assert!(asked(&net, "100001", &[]).is_none());
    assert!(asked(&net, "no-number", &[]).is_none());
    assert_eq!(net.count(), 0, "nothing was asked");
}
