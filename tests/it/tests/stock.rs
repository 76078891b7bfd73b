//! What the network must be told of stock: the newest number, less what its open orders take, and never twice the same
//! way wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use waybill_engine::ports::StorePorts;
use waybill_engine::stock::view::{Shown, StockQuery};
use waybill_host::connector::CallError;
use waybill_host::ports::{Begun, EffectScope, Journal};
use waybill_it::bench::{
    Bench, ERP, NETWORK, Start, held, in_simulated_time, item, note, order, receipt,
};
use waybill_model::contract::{Failure, Outcome, Problem, Ticket, Verdict};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Entity, OrderPhase};
use waybill_store::{LevelBatchRow, LevelList, Read, Tx};

/// What the network holds of each item in its warehouse, and every number it was told.
#[derive(Default)]
struct Told {
    now: BTreeMap<String, i64>,
    all: Vec<(String, i64)>,
}

type Network = Arc<Mutex<Told>>;

/// The network takes levels as `verdict` says, and everything else.
fn listen(bench: &Bench, verdict: impl Fn(&str, i64) -> Verdict + Send + 'static) -> Network {
    let told: Network = Arc::default();
    let own = told.clone();
    *held(&bench.network.on_push) = Box::new(move |batch| {
        let verdicts = batch.iter().map(|delivery| {
            let Body::InventoryLevel(level) = &delivery.document.body else {
                return receipt("told");
            };
            assert_eq!(level.warehouse, "EAST");
            let verdict = verdict(&level.item, level.available.units);
            let mut told = held(&own);
            told.all.push((level.item.clone(), level.available.units));
            if verdict.is_ok() {
                told.now.insert(level.item.clone(), level.available.units);
            }
            verdict
        });
        Ok(verdicts.collect())
    });
    told
}

fn case<F: Future<Output = ()>>(test: impl FnOnce(Bench) -> F) {
    let start = Start {
        stock: true,
        ..Start::default()
    };
    in_simulated_time(async {
        let bench = Bench::start(start);
        let stock = [("1", 10), ("2", 7)].map(|(key, units)| (key.to_owned(), units));
        held(&bench.erp.stock).extend(stock);
        test(bench).await;
    });
}

fn good(_: &str, _: i64) -> Verdict {
    receipt("taken")
}

fn of(told: &Network, item: &str) -> Option<i64> {
    held(told).now.get(item).copied()
}

fn accepted(order: &mut waybill_model::document::Order) {
    order.phase = OrderPhase::Accepted;
}

#[test]
fn the_network_holds_what_is_there_and_hears_of_changes() {
    case(|bench| async move {
        let told = listen(&bench, good);
        bench.pass(60).await;
        assert_eq!(of(&told, "SKU-1"), Some(10));
        assert_eq!(of(&told, "SKU-2"), Some(7));
        // An item that no warehouse holds has none.
        assert_eq!(of(&told, "SKU-3"), Some(0));
        let before = held(&told).all.len();
        bench.pass(600).await;
        assert_eq!(held(&told).all.len(), before, "nothing changed");
        held(&bench.erp.stock).insert("1".to_owned(), 4);
        bench.pass(60).await;
        assert_eq!(of(&told, "SKU-1"), Some(4));
        assert_eq!(
            held(&told).all.len(),
            before + 1,
            "only what changed is told"
        );
        // The full set began long ago: it is sent again, once.
        let full = |bench: &Bench| {
            let stored = bench.store.read(|rx| rx.meta("stock-full/2/1"));
            String::from_utf8(stored.expect("read").expect("begun")).expect("text")
        };
        assert!(full(&bench).contains("\"done\":true"), "{}", full(&bench));
        bench
            .store
            .write_blocking(|tx| {
                tx.put_meta("stock-full/2/1", br#"{"began":1,"after":null,"done":true}"#)
            })
            .expect("stored");
        bench.pass(120).await;
        assert_eq!(held(&told).all.len(), before + 6);
        assert!(full(&bench).contains("\"done\":true"), "{}", full(&bench));
        bench.end().await;
    });
}

#[test]
fn units_of_open_orders_are_taken_off_until_they_have_left() {
    case(|bench| async move {
        let told = listen(&bench, good);
        bench.pass(60).await;
        bench.send(order("1", 1, accepted));
        bench.pass(60).await;
        assert_eq!(of(&told, "SKU-1"), Some(5), "the ERP does not know of them");
        // They leave: the ERP has five less, and the order takes none any more.
        held(&bench.erp.stock).insert("1".to_owned(), 5);
        let sale = bench.order("1").sale_key.expect("a sale");
        bench.ship(note("700", &sale, 1, |_| {}));
        bench.pass(120).await;
        assert_eq!(of(&told, "SKU-1"), Some(5));
        let low = held(&told).all.iter().map(|(_, units)| *units).min();
        assert_eq!(low, Some(0));
        assert!(!held(&told).all.contains(&("SKU-1".to_owned(), 10 + 5)));
        bench.end().await;
    });
}

/// The sale of that order as the ERP shows it, with so many units of its line set aside.
fn set_aside(bench: &Bench, revision: &str, units: i64) {
    bench.ship(bench.state("1", revision, |sale| {
        sale.lines[0].allocated = Decimal::whole(units);
    }));
}

/// Changes what the ERP holds, and lets some time pass: every number that the network was told of it then.
async fn told_within_a_while(bench: &Bench, told: &Network, units: i64) -> Vec<i64> {
    held(told).all.clear();
    held(&bench.erp.stock).insert("1".to_owned(), units);
    bench.pass(900).await;
    let told = held(told);
    let of_it = told.all.iter().filter(|(item, _)| item == "SKU-1");
    of_it.map(|(_, units)| *units).collect()
}

#[test]
fn units_that_the_erp_has_set_aside_come_off_once() {
    case(|bench| async move {
        let told = listen(&bench, good);
        bench.pass(60).await;
        bench.send(order("1", 1, accepted));
        bench.pass(60).await;
        assert_eq!(of(&told, "SKU-1"), Some(5));
        // Two of five: no webhook says so, the sale is looked at again.
        set_aside(&bench, "a", 2);
        let two = told_within_a_while(&bench, &told, 8).await;
        assert_eq!(of(&told, "SKU-1"), Some(5));
        assert!(two.iter().all(|units| *units <= 5), "{two:?}");
        set_aside(&bench, "b", 5);
        let all = told_within_a_while(&bench, &told, 5).await;
        assert_eq!(of(&told, "SKU-1"), Some(5));
        assert!(all.iter().all(|units| *units <= 5), "{all:?}");
        // Given back: the order takes them again, as soon as that is seen.
        set_aside(&bench, "c", 0);
        let before = told_within_a_while(&bench, &told, 5).await;
        assert_eq!(before, [0], "seen before the ERP's own number rises");
        told_within_a_while(&bench, &told, 10).await;
        assert_eq!(of(&told, "SKU-1"), Some(5));
        bench.end().await;
    });
}

#[test]
fn rules_of_an_item_and_of_a_warehouse_are_kept() {
    case(|bench| async move {
        let told = listen(&bench, good);
        bench
            .store
            .write_blocking(|tx| {
                for (table, value, code) in [
                    ("stock-buffer", "*@EAST", "2"),
                    ("stock-cap", "SKU-2@EAST", "1"),
                    ("stock-percent", "*", "50"),
                ] {
                    tx.set_cell(
                        ERP,
                        NETWORK,
                        table,
                        None,
                        value,
                        Some(code),
                        None,
                        "test",
                        1,
                    )?;
                }
                Ok(())
            })
            .expect("stored");
        bench.pass(60).await;
        // Half of ten less two; half of seven, rounded down, less two.
        assert_eq!(of(&told, "SKU-1"), Some(3));
        assert_eq!(of(&told, "SKU-2"), Some(1));
        held(&bench.erp.stock).insert("2".to_owned(), 70);
        bench.pass(60).await;
        assert_eq!(of(&told, "SKU-2"), Some(1), "the cap of that item");
        bench.end().await;
    });
}

/// How often the network was told this number of the item.
fn times(told: &Network, item: &str, units: i64) -> usize {
    let told = held(told);
    let same = |t: &&(String, i64)| t.0 == item && t.1 == units;
    told.all.iter().filter(same).count()
}

#[test]
fn a_number_that_the_network_lowered_by_itself_is_told_again() {
    case(|bench| async move {
        let told = listen(&bench, good);
        bench
            .store
            .write_blocking(|tx| {
                tx.set_cell(
                    ERP,
                    NETWORK,
                    "stock-cap",
                    None,
                    "SKU-1",
                    Some("3"),
                    None,
                    "test",
                    1,
                )
            })
            .expect("stored");
        bench.pass(60).await;
        assert_eq!(times(&told, "SKU-1", 3), 1);
        // It takes five of ten: our number is the cap as before, the network's is not.
        bench.send(order("1", 1, accepted));
        bench.pass(60).await;
        assert_eq!(times(&told, "SKU-1", 3), 2);
        bench.pass(600).await;
        assert_eq!(times(&told, "SKU-1", 3), 2, "told once for that order");
        bench.end().await;
    });
}

#[test]
fn units_of_an_order_that_was_cancelled_before_it_was_read_are_told_again() {
    case(|bench| async move {
        let told = listen(&bench, good);
        bench.pass(60).await;
        assert_eq!(times(&told, "SKU-1", 10), 1);
        bench.send(order("1", 1, |order| {
            order.phase = OrderPhase::Cancelled;
            order.lines[0].cancelled = order.lines[0].quantity;
        }));
        bench.pass(60).await;
        // Whether the network gave them back nobody knows.
        assert_eq!(times(&told, "SKU-1", 10), 2);
        bench.end().await;
    });
}

#[test]
fn units_of_an_order_that_left_before_it_was_counted_are_told_again() {
    case(|bench| async move {
        let told = listen(&bench, good);
        bench.pass(60).await;
        assert_eq!(times(&told, "SKU-1", 10), 1);
        // The network took its units; nothing of it is open, so our number is as before.
        bench.send(order("1", 1, |order| {
            order.phase = OrderPhase::Completed;
            order.lines[0].shipped = order.lines[0].quantity;
        }));
        bench.pass(60).await;
        assert_eq!(times(&told, "SKU-1", 10), 2);
        bench.end().await;
    });
}

#[test]
fn a_number_whose_answer_was_lost_is_told_again_though_it_is_as_before() {
    case(|bench| async move {
        let told = listen(&bench, good);
        bench.pass(60).await;
        // The network takes every number, and no answer arrives of another one than ten.
        let journal: Arc<dyn Journal> =
            Arc::new(StorePorts::new(bench.store.clone(), bench.clock.clone()));
        *held(&bench.network.leaves_open) = Some(journal);
        let own = told.clone();
        *held(&bench.network.on_push) = Box::new(move |batch| {
            let mut lost = false;
            for delivery in batch {
                let Body::InventoryLevel(level) = &delivery.document.body else {
                    panic!("only levels are told")
                };
                let units = level.available.units;
                lost |= level.item == "SKU-1" && units != 10;
                held(&own).now.insert(level.item.clone(), units);
            }
            if lost {
                return Err(CallError::Failure(Failure::Retry(None)));
            }
            Ok(batch.iter().map(|_| receipt("told")).collect())
        });
        held(&bench.erp.stock).insert("1".to_owned(), 4);
        bench.pass(90).await;
        assert_eq!(of(&told, "SKU-1"), Some(4));
        held(&bench.erp.stock).insert("1".to_owned(), 10);
        bench.pass(300).await;
        assert_eq!(of(&told, "SKU-1"), Some(10));
        bench.end().await;
    });
}

#[test]
fn what_a_call_may_have_told_that_a_crash_cut_short_is_told_again() {
    case(|bench| async move {
        let told = listen(&bench, good);
        bench.pass(60).await;
        // The call told four, and the number was ten again before the crash.
        held(&told).now.insert("SKU-1".to_owned(), 4);
        let cut = |tx: &mut Tx<'_>| {
            let number = tx.next_level_batch()?;
            tx.put_level_batch(&LevelBatchRow {
                from: ERP,
                to: NETWORK,
                number,
                pending: None,
            })?;
            Ok(number)
        };
        let number = bench.store.write_blocking(cut).expect("stored");
        let journal = StorePorts::new(bench.store.clone(), bench.clock.clone());
        let scope = EffectScope::Levels(number.to_string());
        let begun = journal.begin(NETWORK, &scope, "levels", &[], None).await;
        assert!(matches!(begun, Ok(Begun::Fresh(_))));
        // It may still be on its way: nothing newer is told at once.
        let all = held(&told).all.len();
        bench.pass(25).await;
        assert_eq!(held(&told).all.len(), all, "not before it arrived");
        bench.pass(275).await;
        assert_eq!(of(&told, "SKU-1"), Some(10));
        let all = held(&told).all.len();
        bench.pass(300).await;
        assert_eq!(held(&told).all.len(), all, "once");
        bench.end().await;
    });
}

#[test]
fn a_kit_is_there_as_often_as_its_components() {
    case(|bench| async move {
        let told = listen(&bench, good);
        let mut kit = item("KIT", "9");
        if let Body::Item(kit) = &mut kit.body {
            kit.tracked = false;
            kit.components = [("1", 3), ("2", 1)]
                .map(|(item, units)| waybill_model::document::Component {
                    item: item.to_owned(),
                    quantity: Decimal::whole(units),
                })
                .to_vec();
        }
        held(&bench.erp.documents).push(kit);
        bench.pass(60).await;
        assert_eq!(of(&told, "KIT"), Some(3));
        held(&bench.erp.stock).insert("2".to_owned(), 1);
        bench.pass(60).await;
        assert_eq!(of(&told, "KIT"), Some(1));
        bench.end().await;
    });
}

#[test]
fn what_is_refused_waits_until_its_number_changes() {
    case(|bench| async move {
        let told = listen(&bench, |item, units| {
            if item == "SKU-1" && units == 10 {
                let why = Problem::new("warehouse", "No warehouse EAST.", "Look it up.");
                return Err(Failure::Rejected(why));
            }
            good(item, units)
        });
        bench.pass(600).await;
        let tries = held(&told).all.iter().filter(|(i, _)| i == "SKU-1").count();
        assert_eq!(tries, 1, "the same number is refused again");
        let refused = bench
            .store
            .read(|rx| rx.count_levels((ERP, NETWORK), LevelList::Refused, 9));
        assert_eq!(refused.expect("read"), 1);
        held(&bench.erp.stock).insert("1".to_owned(), 9);
        bench.pass(60).await;
        assert_eq!(of(&told, "SKU-1"), Some(9));
        bench.end().await;
    });
}

#[test]
fn a_queued_level_counts_once_it_is_judged() {
    case(|bench| async move {
        let told = listen(&bench, |item, _| {
            Ok(Outcome::Pending(Ticket {
                handle: item.to_owned(),
                check_in_secs: 2,
            }))
        });
        let mut asked = 0;
        *held(&bench.network.on_confirm) = Box::new(move |handles| {
            asked += 1;
            let later = |_: &String| Err(Failure::Retry(Some(3)));
            let judged = |handle: &String| match handle.as_str() {
                "SKU-2" => Err(Failure::InDoubt(Problem::new(
                    "lost",
                    "Nobody knows.",
                    "Look.",
                ))),
                _ => receipt("taken"),
            };
            let all = handles.iter();
            Ok(if asked == 1 {
                all.map(later).collect()
            } else {
                all.map(judged).collect()
            })
        });
        bench.pass(20).await;
        let level = bench.store.read(|rx| rx.level(ERP, NETWORK, "SKU-1"));
        let level = level.expect("read").expect("a level");
        assert_eq!(level.sent, Some(level.counts()));
        // Nobody knows what became of it: it is told again.
        bench.pass(60).await;
        let tries = held(&told).all.iter().filter(|(i, _)| i == "SKU-2").count();
        assert!(tries > 1, "{tries}");
        bench.end().await;
    });
}

fn listed(shown: Shown, begins: &str, after: Option<&str>, limit: usize) -> StockQuery {
    StockQuery {
        route: None,
        shown,
        begins: begins.to_owned(),
        after: after.map(str::to_owned),
        limit,
    }
}

#[test]
fn a_number_is_explained_by_steps_that_add_up_to_it() {
    case(|bench| async move {
        let told = listen(&bench, |item, units| {
            if item == "SKU-2" {
                let why = Problem::new("warehouse", "No warehouse EAST.", "Look it up.");
                return Err(Failure::Rejected(why));
            }
            good(item, units)
        });
        bench
            .store
            .write_blocking(|tx| {
                for (table, code) in [("stock-buffer", "2"), ("stock-percent", "50")] {
                    tx.set_cell(ERP, NETWORK, table, None, "*", Some(code), None, "test", 1)?;
                }
                Ok(())
            })
            .expect("stored");
        bench.send(order("1", 1, accepted));
        bench.pass(120).await;
        assert_eq!(of(&told, "SKU-1"), Some(0));
        let handle = &bench.handle;
        let first = handle
            .stock(listed(Shown::All, "SKU-", Some("SKU-0"), 2))
            .await;
        let first = first.expect("a list");
        assert_eq!((first.all.items, first.refused.items), (5, 1));
        let names: Vec<&str> = first.rows.iter().map(|row| row.item.as_str()).collect();
        assert_eq!(names, ["SKU-1", "SKU-2"]);
        assert_eq!(first.rows[1].sentence, "No warehouse EAST.");
        let next = handle
            .stock(listed(Shown::All, "SKU-", first.next.as_deref(), 9))
            .await;
        let next = next.expect("a list");
        assert_eq!(next.rows[0].item, "SKU-3");
        assert!(next.next.is_none());
        let refused = handle.stock(listed(Shown::Refused, "", None, 9)).await;
        assert_eq!(refused.expect("a list").rows.len(), 1);
        let item = handle.stock_item(None, "SKU-1").await.expect("read");
        let item = item.expect("an item");
        let steps = &item.places[0].steps;
        let units: Vec<i64> = steps.iter().map(|step| step.units).collect();
        // Ten, five of them in an order; half of five, less two.
        assert_eq!(units, [10, -5, -3, -2], "{steps:?}");
        assert_eq!(item.orders.len(), 1);
        // Refused numbers are tried again when a person asks; nothing leaves while stock is off.
        let tries = |told: &Network| held(told).all.iter().filter(|(i, _)| i == "SKU-2").count();
        let before = tries(&told);
        handle.switch_stock(false, "test").await.expect("off");
        handle
            .send_stock_again((ERP, NETWORK), "SKU-2", "test")
            .await
            .expect("again");
        bench.pass(120).await;
        assert_eq!(tries(&told), before);
        handle.switch_stock(true, "test").await.expect("on");
        bench.pass(120).await;
        assert_eq!(tries(&told), before + 1);
        bench.end().await;
    });
}

#[test]
fn what_a_person_changes_is_read_again_at_once() {
    case(|bench| async move {
        let told = listen(&bench, good);
        bench.pass(60).await;
        let now = bench.handle.now();
        let set = |table: &'static str, value: &'static str, code: &'static str| {
            let (from, to) = match table {
                "items" => (NETWORK, ERP),
                _ => (ERP, NETWORK),
            };
            bench
                .store
                .write_blocking(move |tx| {
                    tx.set_cell(from, to, table, None, value, Some(code), None, "test", now)
                })
                .expect("stored");
        };
        let hinted = |item: &'static str| {
            let hint = bench
                .store
                .read(|rx| rx.hint(ERP, Entity::InventoryLevel, item));
            hint.expect("read").is_some()
        };
        set("stock-buffer", "SKU-1@EAST", "3");
        set("items", "HOUSE-NAME", "2");
        assert!(hinted("1") && hinted("2") && !hinted("3"));
        bench.pass(60).await;
        assert_eq!(of(&told, "SKU-1"), Some(7));
        assert_eq!(of(&told, "HOUSE-NAME"), Some(7), "told by both names");
        set("stock-cap", "*", "2");
        let feed = bench.store.read(|rx| rx.feed(ERP, Entity::InventoryLevel));
        assert!(feed.expect("read").expect("a feed").next_due <= now);
        bench.pass(60).await;
        assert_eq!(of(&told, "SKU-1"), Some(2));
        bench.end().await;
    });
}
