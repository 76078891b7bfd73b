//! Twenty retailers at each of two networks, with one ERP or two behind them and settings drawn at random. Keys of orders,
//! lines and notes are the same everywhere; what belongs to one retailer carries its mark, and no other's may show where it
//! was handed over. What each retailer's settings say is what happened to its order, and to no other's.

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any};
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::collections::BTreeMap;
use waybill_it::bench::{
    billed, in_simulated_time, invoice, note, order, parcel, request, state as sale_state,
};
use waybill_it::four::{A, B, Four, X, Y};
use waybill_model::contract::Delivery;
use waybill_model::document::{Body, Document, Order, Stage};
use waybill_model::ids::ConnectionId;
use waybill_store::{Scope, StoreError, Tx};

const RETAILERS: usize = 20;
/// Sets of settings that are tried.
const CASES: u32 = 6;

/// What one retailer of one network has set, and what becomes of its order.
#[derive(Debug, Clone, Copy)]
struct Rules {
    bills: bool,
    on_packing: bool,
    accepts: bool,
    /// Its orders have a contact of their consumer each.
    consumers: bool,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Shipped,
    Packed,
    CancelledByNetwork,
    CancelAsked,
    CancelledByErp,
    Waits,
}

const FATES: [Fate; 6] = [
    Fate::Shipped,
    Fate::Packed,
    Fate::CancelledByNetwork,
    Fate::CancelAsked,
    Fate::CancelledByErp,
    Fate::Waits,
];

fn rules() -> impl Strategy<Value = Rules> {
    let either = any::<bool>;
    let drawn = (either(), either(), either(), either(), 0..FATES.len());
    drawn.prop_map(|(bills, on_packing, accepts, consumers, fate)| Rules {
        bills,
        on_packing,
        accepts,
        consumers,
        fate: FATES[fate],
    })
}

/// What only this retailer's documents and settings hold.
fn mark(network: ConnectionId, retailer: usize) -> String {
    format!("<{network}/{retailer}>")
}

/// All marks in a text.
fn marks(text: &str) -> Vec<&str> {
    let from = text.split('<').skip(1);
    let inside = from.filter_map(|rest| Some(rest.split_once('>')?.0));
    inside.filter(|mark| mark.contains('/')).collect()
}

fn code(retailer: usize) -> String {
    format!("R{retailer}")
}

fn placed(network: ConnectionId, retailer: usize, revision: u32, cancelled: i64) -> Document {
    order(&retailer.to_string(), revision, |order: &mut Order| {
        let mark = mark(network, retailer);
        order.number = format!("PO {mark}");
        order.retailer = code(retailer);
        order.retailer_name = format!("Retailer {mark}");
        order.ship_to.name = format!("Consumer {mark}");
        for line in &mut order.lines {
            line.cancelled = waybill_model::decimal::Decimal::whole(cancelled);
        }
        order.total = None;
    })
}

fn set(tx: &mut Tx<'_>, networks: &[(ConnectionId, Vec<Rules>)]) -> Result<(), StoreError> {
    for (network, all) in networks {
        for (retailer, rules) in all.iter().enumerate() {
            let scope = Scope {
                connection: Some(*network),
                retailer: Some(code(retailer)),
            };
            let either = |first, yes, no| if first { yes } else { no };
            for (key, value) in [
                ("invoices.policy", either(rules.bills, "order", "none")),
                (
                    "shipments.trigger",
                    either(rules.on_packing, "packed", "shipped"),
                ),
                ("customers.mode", either(rules.consumers, "order", "create")),
                ("cancel.requests", either(rules.accepts, "accept", "ask")),
                ("generic-codes", &mark(*network, retailer)),
            ] {
                tx.set_setting(&scope, key, Some(value), "ann", 0)?;
            }
        }
    }
    Ok(())
}

/// The name of the contact that a retailer's order is sold to.
fn named(network: ConnectionId, retailer: usize, rules: Rules) -> String {
    let whose = if rules.consumers {
        "Consumer"
    } else {
        "Retailer"
    };
    format!("{whose} {}", mark(network, retailer))
}

/// What becomes of one order.
fn happens(four: &Four, network: ConnectionId, erp: ConnectionId, retailer: usize, fate: Fate) {
    let key = retailer.to_string();
    let mark = mark(network, retailer);
    let Some(sale) = four.order(network, &key).sale_key else {
        panic!("order {key} of {network} has no sale");
    };
    match fate {
        Fate::Shipped | Fate::Packed => {
            let packed = note(&format!("7{sale}"), &sale, 1, |note| {
                note.stage = if fate == Fate::Packed {
                    Stage::Packed
                } else {
                    Stage::Shipped
                };
                note.parcels = vec![parcel(Some(&format!("1Z{mark}")), &[("1", 5)])];
            });
            four.hand_out(erp, packed);
            let bill = invoice(&sale, &format!("SI {mark}"), vec![billed("1", 5, 950)]);
            four.hand_out(erp, bill);
        }
        Fate::CancelledByNetwork => four.hand_out(network, placed(network, retailer, 2, 5)),
        Fate::CancelAsked => four.hand_out(network, request(&key)),
        Fate::CancelledByErp => four.hand_out(
            erp,
            sale_state(&sale, "cancelled", |state| {
                state.cancelled = true;
                "5".clone_into(&mut state.status);
            }),
        ),
        Fate::Waits => {}
    }
}

/// Whose document this is: of the network, by its order's key; of an ERP, by its order's number or sale.
fn owner(
    delivery: &Delivery,
    side: ConnectionId,
    sales: &BTreeMap<String, String>,
) -> Option<String> {
    let of_key = |key: &str| match side {
        A | B => Some(mark(side, key.parse().ok()?)),
        _ => sales.get(key).cloned(),
    };
    match &delivery.document.body {
        Body::Order(order) => order.number.strip_prefix("PO ").map(str::to_owned),
        Body::Customer(customer) => {
            let (_, mark) = customer.address.name.split_once(' ')?;
            Some(mark.to_owned())
        }
        Body::Shipment(shipment) => of_key(&shipment.order_key),
        Body::Invoice(invoice) => of_key(&invoice.order_key),
        Body::Cancellation(cancel) => of_key(&cancel.order_key),
        _ => None,
    }
}

fn count(all: &[Delivery], key: &str, is: impl Fn(&Body) -> Option<&str>) -> usize {
    let of = |delivery: &&Delivery| is(&delivery.document.body) == Some(key);
    all.iter().filter(of).count()
}

fn shipment(body: &Body) -> Option<&str> {
    match body {
        Body::Shipment(shipment) => Some(&shipment.order_key),
        _ => None,
    }
}

fn bill(body: &Body) -> Option<&str> {
    match body {
        Body::Invoice(invoice) => Some(&invoice.order_key),
        _ => None,
    }
}

fn cancel(body: &Body) -> Option<&str> {
    match body {
        Body::Cancellation(cancel) => Some(&cancel.order_key),
        _ => None,
    }
}

fn is(wanted: bool) -> usize {
    usize::from(wanted)
}

/// Nothing that a side was handed carries another retailer's mark.
fn nothing_of_others(four: &Four, pairs: &[(ConnectionId, ConnectionId)]) {
    let mut seen = 0;
    for side in [A, B, X, Y] {
        let mut sales = BTreeMap::new();
        for (network, _) in pairs.iter().filter(|(_, erp)| *erp == side) {
            for retailer in 0..RETAILERS {
                let sale = four.order(*network, &retailer.to_string()).sale_key;
                sales.extend(sale.map(|sale| (sale, mark(*network, retailer))));
            }
        }
        for delivery in four.handed(side) {
            let Some(own) = owner(&delivery, side, &sales) else {
                continue;
            };
            let all = format!("{delivery:?}");
            for found in marks(&all) {
                seen += 1;
                assert_eq!(format!("<{found}>"), own, "{side} was handed {all}");
            }
        }
    }
    assert!(seen > 4 * RETAILERS, "only {seen} marks were handed over");
}

async fn day(networks: Vec<(ConnectionId, Vec<Rules>)>, erp_of_b: ConnectionId) {
    let pairs = [(A, X), (B, erp_of_b)];
    let stored = networks.clone();
    let four = Four::start_with(erp_of_b, move |tx| set(tx, &stored));
    for (network, _) in pairs {
        for retailer in 0..RETAILERS {
            four.hand_out(network, placed(network, retailer, 1, 0));
        }
    }
    four.pass(120).await;
    for ((network, erp), (_, all)) in pairs.iter().zip(&networks) {
        for (retailer, rules) in all.iter().enumerate() {
            happens(&four, *network, *erp, retailer, rules.fate);
        }
    }
    four.pass(1_200).await;
    nothing_of_others(&four, &pairs);
    for ((network, erp), (_, all)) in pairs.iter().zip(&networks) {
        let (told, sold) = (four.handed(*network), four.handed(*erp));
        for (retailer, rules) in all.iter().enumerate() {
            let key = retailer.to_string();
            let sale = four.order(*network, &key).sale_key.unwrap_or_default();
            let what = format!("retailer {retailer} of {network}: {rules:?}");
            let own = |body: &Body| matches!(body, Body::Customer(c) if c.address.name == named(*network, retailer, *rules));
            let contacts = sold.iter().filter(|d| own(&d.document.body)).count();
            assert_eq!(contacts, 1, "contacts, {what}");
            let ships =
                rules.fate == Fate::Shipped || rules.fate == Fate::Packed && rules.on_packing;
            assert_eq!(count(&told, &key, shipment), is(ships), "shipments, {what}");
            assert_eq!(
                count(&told, &key, bill),
                is(ships && rules.bills),
                "invoices, {what}"
            );
            let ends = match rules.fate {
                Fate::CancelledByNetwork => true,
                Fate::CancelAsked => rules.accepts,
                _ => false,
            };
            assert_eq!(
                count(&sold, &sale, cancel),
                is(ends),
                "sales cancelled, {what}"
            );
            let says = match rules.fate {
                Fate::CancelledByErp => true,
                Fate::CancelAsked => rules.accepts,
                _ => false,
            };
            assert_eq!(count(&told, &key, cancel), is(says), "cancels told, {what}");
        }
    }
    four.end().await;
}

#[test]
fn nothing_of_one_retailer_appears_at_another() {
    let config = ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        // Each try is a day of its own: the first that fails says enough.
        max_shrink_iters: 0,
        ..ProptestConfig::default()
    };
    // The same cases each time: a check that fails now and then is none.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let drawn = (
        vec(rules(), RETAILERS),
        vec(rules(), RETAILERS),
        any::<bool>(),
    );
    let tried = TestRunner::new_with_rng(config, rng).run(&drawn, |(of_a, of_b, shared)| {
        in_simulated_time(day(vec![(A, of_a), (B, of_b)], if shared { X } else { Y }));
        Ok::<(), TestCaseError>(())
    });
    assert!(tried.is_ok(), "{tried:?}");
}
