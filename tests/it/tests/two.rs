//! Two networks and two ERPs in one agent: nothing of one shows at another, and each pair comes to the same end as if it
//! were alone.

use waybill_it::bench::{
    billed, held, in_simulated_time, invoice, note, parcel, request, state as sale_state,
};
use waybill_it::four::{A, B, Four, X, Y, number, placed};
use waybill_it::world::Chance;
use waybill_model::document::{Document, Stage};
use waybill_model::ids::ConnectionId;
use waybill_store::Read;

/// Orders of each network.
const ORDERS: u64 = 12;

fn state(sale: &str, cancelled: bool) -> Document {
    sale_state(sale, &format!("{cancelled}"), |state| {
        state.cancelled = cancelled;
        if cancelled {
            "5".clone_into(&mut state.status);
        }
    })
}

/// What happens to one order of a pair, drawn from its own chance.
fn next(four: &Four, (network, erp): (ConnectionId, ConnectionId), key: &str, draw: u64) {
    let Some(sale) = four.order(network, key).sale_key else {
        panic!("order {key} of {network} has no sale");
    };
    // Notes of both ERPs have the same numbers; of one ERP each its own.
    let number_of_note = format!("7{sale}");
    let tracking = format!("1Z-{network}-{key}");
    match draw % 6 {
        0 | 1 => {
            let stage = if draw.is_multiple_of(2) {
                Stage::Shipped
            } else {
                Stage::Packed
            };
            let packed = note(&number_of_note, &sale, 1, |note| {
                note.stage = stage;
                note.parcels = vec![parcel(Some(&tracking), &[("1", 5)])];
            });
            four.hand_out(erp, packed);
            let cents = 1_000 * i64::from(network.0);
            let bill = invoice(&sale, &format!("SI-{sale}"), vec![billed("1", 5, cents)]);
            four.hand_out(erp, bill);
        }
        2 => four.hand_out(network, placed(network, key, 2, 5)),
        3 => four.hand_out(network, request(key)),
        4 => four.hand_out(erp, state(&sale, true)),
        _ => {}
    }
}

/// A day of these pairs; what A, B, X and Y were told, and the levels of both networks.
async fn day(
    seed: u64,
    pairs: &[(ConnectionId, ConnectionId)],
    erp_of_b: ConnectionId,
) -> (Four, Vec<Vec<String>>) {
    let four = Four::start(erp_of_b);
    for (erp, units) in [(X, 100), (Y, 40)] {
        held(&four.side(erp).stock).insert("1".to_owned(), units);
    }
    for key in 1..=ORDERS {
        for (network, _) in pairs {
            four.hand_out(*network, placed(*network, &key.to_string(), 1, 0));
        }
    }
    four.pass(120).await;
    for (network, erp) in pairs {
        let mut chance = Chance::new(seed ^ u64::from(network.0) << 32);
        for key in 1..=ORDERS {
            next(&four, (*network, *erp), &key.to_string(), chance.draw());
        }
    }
    four.pass(1_200).await;
    let told = [A, B, X, Y].map(|id| four.told(id)).to_vec();
    (four, told)
}

/// What a network holds of the item, as it was told.
fn level(four: &Four, erp: ConnectionId, network: ConnectionId) -> Option<(String, i64)> {
    let row = four.store.read(|rx| rx.level(erp, network, "SKU-1"));
    let sent = row.expect("the store reads")?.sent?;
    let one = sent.first()?;
    Some((one.warehouse.clone(), one.units.units))
}

/// Cards by their code or cell, and the networks of the orders behind them.
fn cards(four: &Four) -> Vec<(String, Vec<ConnectionId>)> {
    let cards = four.store.read(|rx| {
        let mut found = Vec::new();
        for card in rx.cards(usize::MAX)? {
            let jobs = rx.card(&card.id)?.map(|(_, jobs)| jobs).unwrap_or_default();
            let mut of = Vec::new();
            for id in jobs.iter().filter_map(|job| job.order) {
                of.extend(rx.order(id)?.map(|row| row.connection));
            }
            of.sort_unstable();
            of.dedup();
            found.push((format!("{:?}", card.cause), of));
        }
        Ok(found)
    });
    cards.expect("the store reads")
}

#[test]
fn each_pair_comes_to_the_same_end_as_if_it_were_alone() {
    for seed in 1..=2 {
        in_simulated_time(async {
            let (both, told) = day(seed, &[(A, X), (B, Y)], Y).await;
            let (first, alone_a) = day(seed, &[(A, X)], Y).await;
            let (second, alone_b) = day(seed, &[(B, Y)], Y).await;
            assert!(told[0].len() > 20 && told[1].len() > 20, "{told:#?}");
            assert_eq!(told[0], alone_a[0], "seed {seed}: A");
            assert_eq!(told[2], alone_a[2], "seed {seed}: X");
            assert_eq!(told[1], alone_b[1], "seed {seed}: B");
            assert_eq!(told[3], alone_b[3], "seed {seed}: Y");
            assert_eq!(level(&both, X, A), level(&first, X, A), "seed {seed}");
            assert_eq!(level(&both, Y, B), level(&second, Y, B), "seed {seed}");
            assert!(level(&both, X, A).is_some_and(|(place, _)| place == "EAST-1"));
            for key in 1..=ORDERS {
                let key = key.to_string();
                let stage = |four: &Four, network| four.order(network, &key).stage;
                assert_eq!(stage(&both, A), stage(&first, A), "seed {seed}, {key}");
                assert_eq!(stage(&both, B), stage(&second, B), "seed {seed}, {key}");
            }
            for (cause, of) in cards(&both) {
                assert_eq!(of.len(), 1, "a card of two networks: {cause}");
            }
            assert_eq!(
                cards(&both).len(),
                cards(&first).len() + cards(&second).len(),
                "seed {seed}"
            );
            for four in [both, first, second] {
                four.end().await;
            }
        });
    }
}

#[test]
fn two_networks_share_an_erp_without_meeting_there() {
    for seed in 1..=2 {
        in_simulated_time(async {
            let (four, told) = day(seed, &[(A, X), (B, X)], X).await;
            assert!(told[3].is_empty(), "nobody sells in Y: {:?}", told[3]);
            for (network, told) in [(A, &told[0]), (B, &told[1])] {
                let other = if network == A { B } else { A };
                let strange = [
                    format!("1Z-{other}-"),
                    format!("CODE-{other}"),
                    format!("PO-{other}-"),
                ];
                for line in told {
                    let is_strange = strange.iter().any(|word| line.contains(word));
                    assert!(!is_strange, "seed {seed}: {network} was told {line}");
                }
            }
            assert!(
                !told[1].iter().any(|line| line.starts_with("invoice")),
                "B's retailer takes no invoices"
            );
            // Each order has one sale, of its own.
            let mut sales = Vec::new();
            for key in 1..=ORDERS {
                let key = key.to_string();
                for network in [A, B] {
                    let made = format!("order {key} {}", number(network, &key));
                    let count = told[2].iter().filter(|line| **line == made).count();
                    assert_eq!(count, 1, "seed {seed}: {made}");
                    sales.extend(four.order(network, &key).sale_key);
                }
            }
            sales.sort();
            sales.dedup();
            assert_eq!(sales.len() as u64, 2 * ORDERS, "seed {seed}");
            // What is free of the item is the same for both: orders of either take from it.
            let (a, b) = (level(&four, X, A), level(&four, X, B));
            assert_eq!(a.as_ref().map(|l| l.1), b.as_ref().map(|l| l.1));
            assert_eq!(a.map(|l| l.0).as_deref(), Some("EAST-1"));
            assert_eq!(b.map(|l| l.0).as_deref(), Some("EAST-2"));
            four.end().await;
        });
    }
}
