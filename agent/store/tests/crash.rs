//! Power loss at every sync. Pass one counts the syncs of a workload; pass two stops at each of them in turn, with
//! unsynced writes lost, torn or in another order. Afterwards the store opens, holds the state before or after the
//! commit that was under way, and every index follows from its rows.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod sample;

use sample::{
    SOURCE, TARGET, assert_sound, exchange, key, on_disk, problem, take_order, with_connections,
};
use waybill_model::contract::{Delivered, Gap};
use waybill_model::document::Entity;
use waybill_model::ids::Generation;
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_store::sim_disk::{Loss, SimDisk};
use waybill_store::{
    BegunRow, Counters, DeliveryRow, FeedRow, HintRow, JobRow, OpenError, Options, OrderQuery,
    OrderRow, Place, Read, Store, StoreError, Tx, Writer,
};

#[derive(Debug, Clone, PartialEq)]
struct Seen {
    connections: usize,
    feed: Option<FeedRow>,
    counters: Counters,
    jobs: Vec<JobRow>,
    orders: Vec<OrderRow>,
    transcripts: usize,
    deliveries: Vec<DeliveryRow>,
    hints: Vec<HintRow>,
}

fn seen(store: &Store) -> Seen {
    store
        .read(|rx| {
            let mut jobs = Vec::new();
            for word in ["ready", "running", "parked", "done"] {
                jobs.extend(rx.jobs_in(word, 100)?);
            }
            let orders = rx.orders(OrderQuery {
                limit: 100,
                ..OrderQuery::default()
            })?;
            let mut transcripts = 0;
            for order in &orders {
                transcripts += rx.transcripts_of_order(order.id)?.len();
            }
            Ok(Seen {
                connections: rx.connections()?.len(),
                feed: rx.feed(SOURCE, Entity::Order)?,
                counters: rx.counters()?,
                jobs,
                orders,
                transcripts,
                deliveries: rx.deliveries(SOURCE, 100)?,
                hints: rx.due_hints(SOURCE, 1_000_000_000, 100)?,
            })
        })
        .unwrap()
}

fn feed(cursor: u8) -> FeedRow {
    FeedRow {
        connection: SOURCE,
        entity: Entity::Order,
        cursor: Some(vec![cursor]),
        last_ok: Some(1),
        caught_up_at: None,
        next_due: 2,
        failures: 0,
        taken: 0,
    }
}

type Step = fn(&mut Tx<'_>) -> Result<(), StoreError>;

fn accept_page(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for key in ["a", "b", "c"] {
        take_order(tx, key, 1_000)?;
    }
    tx.put_feed(&feed(1))
}

fn claim(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let ids: Vec<_> = tx.ready(TARGET, 2)?.iter().map(|j| j.id).collect();
    tx.create_batch(
        TARGET,
        Work::Push(Entity::Order),
        Entity::Order,
        &ids,
        Generation(1),
        1_001,
    )?;
    Ok(())
}

fn begin(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for batch in tx.open_batches()? {
        for job in &batch.jobs {
            let begun = tx.begin_effect(TARGET, "", &[*job], "create-order", None, 1_002)?;
            assert!(matches!(begun, BegunRow::Fresh(_)));
        }
    }
    Ok(())
}

fn verdicts(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for batch in tx.open_batches()? {
        let gap = Gap {
            table: "items".to_owned(),
            retailer: None,
            value: "AB-1".to_owned(),
        };
        let states = [
            JobState::Done(Ending::Written("900".to_owned())),
            JobState::Parked(Reason::Gaps(vec![gap])),
        ];
        for (job, state) in batch.jobs.iter().zip(states) {
            tx.set_state(*job, state, 1_003)?;
        }
        tx.close_batch(batch.id, &[exchange("created")])?;
        tx.link(SOURCE, Entity::Order, "a", TARGET, Entity::Order, "900")?;
    }
    Ok(())
}

fn park_rest(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for job in tx.ready(TARGET, 9)? {
        tx.set_state(
            job.id,
            JobState::Parked(Reason::Problem(problem("refused"))),
            1_004,
        )?;
    }
    tx.put_feed(&feed(2))
}

fn second_page(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for key in ["d", "e"] {
        take_order(tx, key, 90_000_000)?;
    }
    tx.put_feed(&feed(3))
}

fn deliver(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for key in ["700", "701", "700"] {
        let delivered = Delivered {
            headers: Vec::new(),
            body: key.into(),
        };
        tx.put_delivery(SOURCE, &delivered, 90_000_001)?;
    }
    Ok(())
}

fn understand(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for row in tx.deliveries(SOURCE, 100)? {
        let key = String::from_utf8_lossy(&row.delivered.body).into_owned();
        tx.hint(SOURCE, Entity::Shipment, &key, 90_000_002)?;
        tx.remove_deliveries(SOURCE, &[row.id])?;
    }
    Ok(())
}

fn fetch(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for hint in tx.due_hints(SOURCE, 90_000_003, 1)? {
        tx.accept(SOURCE, &sample::shipment(&hint.key, "a", "T1"), 90_000_003)?;
        tx.take_hint(&hint)?;
    }
    Ok(())
}

const STEPS: &[Step] = &[
    accept_page,
    claim,
    begin,
    verdicts,
    park_rest,
    second_page,
    deliver,
    understand,
    fetch,
];

/// Runs until the end or the loss of power; the states after each commit, and how many were acknowledged before it.
fn run(disk: &SimDisk) -> (Vec<Seen>, usize) {
    let store = on_disk(disk, Writer::Inline);
    let mut states = vec![seen(&store)];
    let mut acknowledged = usize::from(!disk.frozen());
    with_connections(&store);
    states.push(seen(&store));
    acknowledged += usize::from(!disk.frozen());
    for step in STEPS {
        store.write_blocking(step).unwrap();
        states.push(seen(&store));
        acknowledged += usize::from(!disk.frozen());
    }
    (states, acknowledged)
}

/// A stop in the very first commit may leave a file that was never a store.
fn open(disk: &SimDisk) -> Result<Store, OpenError> {
    Store::open(Options {
        writer: Writer::Inline,
        ..Options::new(Place::Backend(disk.backend()), key())
    })
}

#[test]
fn a_crash_at_every_sync_leaves_the_old_or_the_new_state() {
    let whole = SimDisk::new(1);
    let (states, _) = run(&whole);
    let syncs = whole.syncs();
    assert!(syncs > 15, "{syncs} syncs");
    let (mut old, mut new) = (0, 0);
    for n in 1..=syncs {
        for (variant, loss) in [Loss::All, Loss::Torn, Loss::Some, Loss::Some, Loss::Some]
            .into_iter()
            .enumerate()
        {
            let disk = SimDisk::new(n * 100 + variant as u64);
            disk.freeze_at(n);
            let (_, acknowledged) = run(&disk);
            let again = SimDisk::with_image(n, disk.crash_with(loss));
            let store = match open(&again) {
                Ok(store) => store,
                Err(error) => panic!("sync {n}, {loss:?} ({variant}): {error:?}"),
            };
            assert_sound(&store);
            let now = seen(&store);
            // Nothing acknowledged is lost; of the commit under way all or nothing is there.
            let before = acknowledged.saturating_sub(1);
            let place = states.iter().skip(before).take(2).position(|s| *s == now);
            match place {
                Some(0) => old += 1,
                Some(_) => new += 1,
                None => panic!(
                    "sync {n}, {loss:?} ({variant}): neither {acknowledged} nor the next: {now:#?}"
                ),
            }
        }
    }
    assert!(old > 0 && new > 0, "{old} old, {new} new");
}

#[test]
fn a_second_crash_right_after_the_first_changes_nothing() {
    let whole = SimDisk::new(1);
    run(&whole);
    for n in [whole.syncs() - 3, whole.syncs() - 1] {
        let disk = SimDisk::new(n);
        disk.freeze_at(n);
        run(&disk);
        let first = SimDisk::with_image(n, disk.crash());
        let before = seen(&on_disk(&first, Writer::Inline));
        for (seed, at) in [(1, 1), (2, 2), (3, 3)] {
            let second = SimDisk::with_image(seed, first.crash());
            second.freeze_at(at);
            drop(on_disk(&second, Writer::Inline));
            let third = on_disk(&SimDisk::with_image(seed, second.crash()), Writer::Inline);
            assert_eq!(seen(&third), before);
            assert_sound(&third);
        }
    }
}

#[test]
fn after_a_disk_failure_every_write_says_so_and_reopening_mends_it() {
    let disk = SimDisk::new(4);
    let store = on_disk(&disk, Writer::Thread);
    with_connections(&store);
    store.write_blocking(|tx| take_order(tx, "a", 1)).unwrap();
    disk.fail_at(disk.syncs() + 1);
    let first = store
        .write_blocking(|tx| take_order(tx, "b", 2))
        .unwrap_err();
    assert!(matches!(first, StoreError::Io(_)), "{first:?}");
    let second = store
        .write_blocking(|tx| take_order(tx, "c", 3))
        .unwrap_err();
    assert!(matches!(second, StoreError::Poisoned), "{second:?}");
    assert!(second.hint().is_some());
    assert!(store.is_poisoned());
    // Reads go on.
    let orders = store
        .read(|rx| {
            rx.orders(OrderQuery {
                limit: 9,
                ..OrderQuery::default()
            })
        })
        .unwrap();
    assert_eq!(orders.len(), 1);
    drop(store);
    let store = on_disk(&SimDisk::with_image(5, disk.crash()), Writer::Inline);
    assert_sound(&store);
    store.write_blocking(|tx| take_order(tx, "c", 3)).unwrap();
}
