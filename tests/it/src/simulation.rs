//! One seed, one day: orders come in, calls fail, the process crashes, and at the end everything is where it belongs.
//! A crash drops the engine and everything the disk had not synced; the world outside keeps what happened there.

use crate::erp::{self, Erp};
use crate::network::{self, Network};
use crate::world::{Case, Chance, NetworkOrder, Outside, SeededRng, World, lock};
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;
use waybill_engine::connectors::{Binding, CallsUsed, Connectors};
use waybill_engine::ports::StorePorts;
use waybill_engine::{Engine, EngineOptions, EngineParts, Handle};
use waybill_host::connector::Connector;
use waybill_host::ports::{Clock, Journal};
use waybill_model::contract::{Descriptor, Gap, Role};
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::order_state::OrderStage;
use waybill_store::sim_disk::SimDisk;
use waybill_store::{ConnectionRow, Options, Place, Read, RouteRow, Scope, SealKey, Store, Writer};

/// Start of every simulated day: 2026-11-21T00:00:00Z.
pub(crate) const START: Millis = 1_795_219_200_000;

/// A day that lasts longer never ends: that is a finding.
const LONGEST_DAY: Millis = 6 * 3_600_000;

/// What a seed is to do.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Seed of everything.
    pub seed: u64,
    /// Orders placed.
    pub orders: u64,
    /// Faults per thousand calls.
    pub faults: u64,
    /// Crashes.
    pub crashes: u64,
    /// A bug planted on purpose: the ERP's connector sends again without looking.
    pub never_looks: bool,
    /// The last crash loses the disk: the day goes on with a backup, the image of the first crash.
    pub goes_back: bool,
    /// A bug planted on purpose: the database does not know that it is a backup.
    pub unmarked: bool,
    /// A bug planted on purpose: shipments are not held against what is open.
    pub forgets_open: bool,
}

/// What a seed came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// SHA-256 over every event with its time.
    pub hash: String,
    /// What is wrong, in words.
    pub wrong: Vec<String>,
    /// Sales made.
    pub sales: usize,
    /// Parcels the network took.
    pub parcels: usize,
    /// Invoices it took.
    pub invoices: usize,
    /// Crashes that took place.
    pub crashes: u64,
}

/// Simulated time: tokio's paused clock, from a fixed start.
pub(crate) struct SimClock {
    pub(crate) start: tokio::time::Instant,
}

#[async_trait]
impl Clock for SimClock {
    fn now_ms(&self) -> Millis {
        START + Millis::try_from(self.start.elapsed().as_millis()).expect("a short day")
    }
    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
    }
}

struct Scripts {
    world: World,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    never_looks: bool,
}

impl Connectors for Scripts {
    fn descriptors(&self) -> Vec<Descriptor> {
        vec![network::descriptor(), erp::descriptor()]
    }
    fn bind(&self, connector: &str, _: Binding) -> Result<Arc<dyn Connector>, String> {
        let (world, journal, clock) =
            (self.world.clone(), self.journal.clone(), self.clock.clone());
        match connector {
            "network" => Ok(Arc::new(Network {
                world,
                journal,
                clock,
                descriptor: network::descriptor(),
                roles: BTreeSet::from([Role::Source, Role::Sink, Role::Tickets]),
            })),
            "erp" => Ok(Arc::new(Erp {
                world,
                journal,
                clock,
                descriptor: erp::descriptor(),
                roles: BTreeSet::from([Role::Source, Role::Sink]),
                never_looks: self.never_looks,
            })),
            other => Err(format!("no connector `{other}`")),
        }
    }
    fn calls_used(&self, _: ConnectionId) -> CallsUsed {
        CallsUsed::default()
    }
}

/// Runs one seed on a runtime of its own, whose time is simulated.
///
/// # Panics
/// When the runtime cannot be made, or the store cannot be opened after a crash: that is a finding.
pub fn run(plan: Plan) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(day(plan))
}

pub(crate) fn open(disk: &SimDisk) -> Store {
    let mut options = Options::new(Place::Backend(disk.backend()), SealKey::from_bytes([7; 32]));
    options.writer = Writer::Inline;
    Store::open(options).expect("the store opens after a crash")
}

pub(crate) fn connection(name: &str, title: &str) -> ConnectionRow {
    ConnectionRow {
        id: ConnectionId(0),
        name: name.to_owned(),
        connector: name.to_owned(),
        title: title.to_owned(),
        paused: false,
        allow_private: false,
        grants: Vec::new(),
        created_at: START,
        hold_until: None,
        unauthorized: None,
        last_ok: None,
        last_error: None,
        clock_skew_ms: None,
    }
}

fn set_up(store: &Store) {
    store
        .write_blocking(|tx| {
            if !tx.connections()?.is_empty() {
                return Ok(());
            }
            let from = tx.put_connection(&connection("network", "Network"))?;
            let to = tx.put_connection(&connection("erp", "ERP"))?;
            tx.put_route(&RouteRow::new(Entity::Order, from, to))?;
            tx.put_route(&RouteRow::new(Entity::Shipment, to, from))?;
            tx.put_route(&RouteRow::new(Entity::Invoice, to, from))?;
            for (retailer, policy) in crate::bills::POLICIES {
                let scope = Scope {
                    connection: None,
                    retailer: Some(retailer.to_owned()),
                };
                tx.set_setting(&scope, "invoices.policy", Some(policy), "simulation", START)?;
            }
            crate::documents::routes_of_cancels(tx, from, to)?;
            let (table, code) = ("cancel-codes", Some("CXSO"));
            tx.set_cell(to, from, table, None, "*", code, None, "simulation", START)?;
            let (table, code) = ("shipping-methods", Some("UPS|Ground|UPSG"));
            tx.set_cell(to, from, table, None, "12", code, None, "simulation", START)?;
            let agent = Scope {
                connection: None,
                retailer: None,
            };
            tx.set_setting(&agent, "gather-secs", Some("2"), "simulation", START)?;
            tx.set_setting(&agent, "retry-cap-secs", Some("20"), "simulation", START)
        })
        .expect("the set-up is stored");
}

/// A person compared both sides and let the connections go on.
fn restored(store: &Store, from: Millis, now: Millis) {
    store
        .write_blocking(move |tx| tx.mark_restored(from, false, true, "simulation", now))
        .expect("the mark is stored");
}

async fn day(plan: Plan) -> Report {
    let world: World = Arc::new(Mutex::new(Outside::new(plan.seed, plan.faults)));
    let mut chance = Chance::new(plan.seed ^ 0xC0FF_EE00);
    let clock: Arc<dyn Clock> = Arc::new(SimClock {
        start: tokio::time::Instant::now(),
    });
    let hash = Arc::new(Mutex::new(Sha256::new()));
    let mut disk = SimDisk::new(plan.seed);
    let mut crashes = 0;
    let mut to_place = plan.orders;
    let mut backup = None;
    loop {
        let store = open(&disk);
        set_up(&store);
        if let Some((from, _)) = backup
            .as_ref()
            .filter(|_| plan.goes_back && crashes == plan.crashes)
            && !plan.unmarked
        {
            restored(&store, *from, clock.now_ms());
        }
        let last = crashes == plan.crashes;
        if !last && chance.below(2) == 0 {
            disk.fail_at(disk.syncs() + chance.below(60) + 2);
        }
        let until = if last {
            Millis::MAX
        } else {
            clock.now_ms() + Millis::try_from(chance.below(40_000) + 500).unwrap_or(500)
        };
        let ended = life(
            plan,
            &world,
            &clock,
            &hash,
            store,
            &mut chance,
            &mut to_place,
            until,
        )
        .await;
        if ended == Ended::Quiet {
            break;
        }
        crashes += 1;
        let mut image = disk.crash();
        let (_, old) = backup.get_or_insert_with(|| (clock.now_ms(), image.clone()));
        if plan.goes_back && crashes == plan.crashes {
            image.clone_from(old);
        }
        disk = SimDisk::with_image(chance.draw(), image);
        assert!(
            crashes <= plan.crashes,
            "the store refused although no crash was planned"
        );
    }
    let store = open(&disk);
    let wrong = judge(plan, &world, &store);
    let sales = lock(&world).sales.len();
    let parcels = lock(&world).taken.len();
    let invoices = lock(&world).bills.taken.len();
    let hash = hash.lock().expect("one thread").clone().finalize();
    Report {
        hash: hash
            .iter()
            .fold(String::new(), |text, b| format!("{text}{b:02x}")),
        wrong,
        sales,
        parcels,
        invoices,
        crashes,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Crashed,
    Quiet,
}

/// One life of the process: until its crash, or until nothing is left to do.
#[expect(clippy::too_many_arguments, reason = "the state of a day")]
async fn life(
    plan: Plan,
    world: &World,
    clock: &Arc<dyn Clock>,
    hash: &Arc<Mutex<Sha256>>,
    store: Store,
    chance: &mut Chance,
    to_place: &mut u64,
    until: Millis,
) -> Ended {
    let journal: Arc<dyn Journal> = Arc::new(StorePorts::new(store.clone(), clock.clone()));
    let connectors = Arc::new(Scripts {
        world: world.clone(),
        journal,
        clock: clock.clone(),
        never_looks: plan.never_looks,
    });
    let events = hash.clone();
    let observer: waybill_engine::Observer = Arc::new(move |at, line: &str| {
        events
            .lock()
            .expect("one thread")
            .update(format!("{at} {line}\n"));
    });
    let parts = EngineParts {
        store: store.clone(),
        clock: clock.clone(),
        rng: Arc::new(SeededRng(Mutex::new(Chance::new(chance.draw())))),
        connectors,
        options: EngineOptions {
            counts_open: !plan.forgets_open,
            ..EngineOptions::default()
        },
        observer: Some(observer),
    };
    let Ok((engine, handle)) = Engine::open(parts) else {
        return Ended::Crashed;
    };
    let stop = CancellationToken::new();
    let mut running = Box::pin(engine.run(stop.clone()));
    let mut quiet = 0;
    loop {
        tokio::select! {
            biased;
            _ = &mut running => return Ended::Crashed,
            () = clock.sleep_ms(500) => {}
        }
        assert!(
            clock.now_ms() < START + LONGEST_DAY,
            "seed {}: the day does not end: {:?}",
            plan.seed,
            busy(&store)
        );
        outside(plan, world, clock.now_ms(), chance, to_place);
        person(&handle, &store, clock.now_ms()).await;
        if clock.now_ms() >= until {
            return Ended::Crashed;
        }
        let idle = *to_place == 0 && is_idle(&store) && !is_busy(world);
        quiet = if idle { quiet + 1 } else { 0 };
        if quiet > 40 && until == Millis::MAX {
            stop.cancel();
            drop(running.await);
            return Ended::Quiet;
        }
    }
}

fn outside(plan: Plan, world: &World, now: Millis, chance: &mut Chance, to_place: &mut u64) {
    let mut world = lock(world);
    world.tick(now);
    world.work(now, chance);
    world.bill_some(chance);
    // A backup older than a sale that was cancelled since does not know the sale: a person compares both sides.
    if !plan.goes_back {
        world.cancel_some(chance);
    }
    for _ in 0..chance.below(4).min(*to_place) {
        let case = match chance.below(12) {
            0 => Case::Unmapped,
            1 => Case::Test,
            2 => Case::CancelledFirst,
            3 => Case::CancelledSometime,
            _ => Case::Plain,
        };
        world.place(case);
        *to_place -= 1;
    }
    let wavering: Vec<String> = world
        .orders
        .values()
        .filter(|o| o.case == Case::CancelledSometime && !o.cancelled)
        .map(|o| o.key.clone())
        .collect();
    for key in wavering {
        if chance.per_mille(200) {
            world.cancel(&key);
        }
    }
}

fn is_busy(world: &World) -> bool {
    let world = lock(world);
    world.is_packing() || world.is_billing()
}

/// A person fills every empty cell, some time after it shows.
async fn person(handle: &Handle, store: &Store, now: Millis) {
    let cards = store.read(|rx| rx.cards(usize::MAX)).unwrap_or_default();
    for card in cards.into_iter().filter(|c| now - c.first_at > 20_000) {
        if let waybill_store::Cause::Gap { from, to, gap } = card.cause {
            let gap: Gap = gap;
            // A crash may cut this short; the card is there again afterwards.
            drop(
                handle
                    .fill_cell(from, to, gap, true, "1001".to_owned(), "person")
                    .await,
            );
        }
    }
}

/// Jobs that are not done, by state.
fn busy(store: &Store) -> Vec<String> {
    let found = store.read(|rx| {
        let mut found = Vec::new();
        for state in [
            "ready",
            "waiting-for-accept",
            "running",
            "pending",
            "waiting",
            "blocked",
            "resting",
        ] {
            for job in rx.jobs_in(state, 10)? {
                found.push(format!(
                    "{:?} {} {:?} {:?}",
                    job.work, job.key, job.state, job.last_failure
                ));
            }
        }
        Ok(found)
    });
    found.unwrap_or_default()
}

fn is_idle(store: &Store) -> bool {
    let batches = store.read(|rx| Ok(rx.open_batches()?.len()));
    batches.is_ok_and(|batches| batches == 0) && busy(store).is_empty()
}

/// Compares the world with what must be true, and the store with itself.
fn judge(plan: Plan, world: &World, store: &Store) -> Vec<String> {
    let world = lock(world);
    let mut wrong = Vec::new();
    let mut sales: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for sale in &world.sales {
        sales
            .entry(sale.reference.as_str())
            .or_default()
            .push(sale.id);
        if !world
            .customers
            .iter()
            .any(|(id, _, _)| *id == sale.customer)
        {
            wrong.push(format!("sale {} has no customer", sale.id));
        }
    }
    let codes: BTreeSet<&str> = world
        .customers
        .iter()
        .map(|(_, code, _)| code.as_str())
        .collect();
    if codes.len() != world.customers.len() {
        wrong.push(format!(
            "{} customers for {} retailers",
            world.customers.len(),
            codes.len()
        ));
    }
    for order in world.orders.values() {
        let made = sales
            .remove(format!("order:{}", order.key).as_str())
            .unwrap_or_default();
        judge_order(order, &made, store, &mut wrong);
    }
    judge_shipments(plan, &world, store, &mut wrong);
    crate::cancels::judge(&world, store, &mut wrong);
    crate::bills::judge(plan.goes_back, &world, store, &mut wrong);
    wrong.extend(
        sales
            .keys()
            .map(|reference| format!("sale of nothing: {reference}")),
    );
    match store.verify() {
        Ok(problems) => wrong.extend(problems.into_iter().map(|p| format!("store: {p}"))),
        Err(error) => wrong.push(format!("store: {error}")),
    }
    wrong
}

/// Whether anything of an order waits for a person.
pub(crate) fn has_card(store: &Store, key: &str) -> bool {
    let found = store.read(|rx| {
        let Some(row) = rx.order_by_key(ConnectionId(1), key)? else {
            return Ok(false);
        };
        let jobs = rx.jobs_of_order(row.id)?;
        Ok(jobs.iter().any(|j| j.state.word() == "parked"))
    });
    found.unwrap_or(false)
}

/// What the network was told as shipped is what the notes hold, each note once, and never more than was ordered.
fn judge_shipments(plan: Plan, world: &Outside, store: &Store, wrong: &mut Vec<String>) {
    let held = world.warehouse.shipped();
    for order in world.orders.values() {
        let packed = held.get(order.key.as_str()).copied().unwrap_or(0);
        let wanted = if order.cancelled { 0 } else { packed };
        if order.shipped != wanted {
            wrong.push(format!(
                "order {} has {} units shipped at the network, its notes hold {wanted}",
                order.key, order.shipped
            ));
        }
        if order.shipped > order.units {
            wrong.push(format!(
                "order {} was told {} shipped of {}",
                order.key, order.shipped, order.units
            ));
        }
        let row = store.read(|rx| rx.order_by_key(ConnectionId(1), &order.key));
        let row = row.ok().flatten();
        let stage = row.as_ref().map(|row| row.stage);
        let problem = row.and_then(|row| row.problem).unwrap_or_default();
        // What was told in part before a database was restored is a card, for a person to compare.
        let card = plan.goes_back && stage == Some(OrderStage::Waiting);
        let shipped = matches!(stage, Some(OrderStage::Shipped | OrderStage::Invoiced));
        if wanted > 0 && wanted == order.units && !shipped && !card {
            wrong.push(format!(
                "order {} is shipped and {stage:?}: {problem}",
                order.key
            ));
        }
        if order.cancelled && packed > 0 && stage != Some(OrderStage::Waiting) {
            wrong.push(format!(
                "order {} is cancelled, packed and without a card: {stage:?}",
                order.key
            ));
        }
    }
    let mut notes = BTreeSet::new();
    for told in &world.taken {
        if !notes.insert(&told.note) {
            wrong.push(format!("note {} was told twice", told.note));
        }
    }
    let foreign = store.read(|rx| rx.latest_document(ConnectionId(2), Entity::Shipment, "1"));
    if foreign.is_ok_and(|found| found.is_some()) {
        wrong.push("a note of somebody else was kept".to_owned());
    }
}

/// One order: as many sales as it must have, told and acknowledged; or a card that says why not.
fn judge_order(order: &NetworkOrder, made: &[u64], store: &Store, wrong: &mut Vec<String>) {
    let open_card = has_card(store, &order.key);
    let expected = match order.case {
        Case::Plain | Case::Unmapped => 1,
        Case::Test | Case::CancelledFirst => 0,
        Case::CancelledSometime => usize::from(!order.cancelled).max(made.len().min(1)),
    };
    if made.len() != expected {
        wrong.push(format!(
            "order {} ({:?}) has {} sales, expected {expected}",
            order.key,
            order.case,
            made.len()
        ));
    }
    let told = made.first().map(u64::to_string);
    if !order.cancelled && expected == 1 && (!order.acknowledged || order.number != told) {
        wrong.push(format!(
            "order {} is acknowledged {} with {:?}, its sale is {told:?}",
            order.key, order.acknowledged, order.number
        ));
    }
    if order.acknowledged && made.is_empty() && !open_card {
        wrong.push(format!(
            "order {} ({:?}) is acknowledged without a sale or a card",
            order.key, order.case
        ));
    }
    if order.renumbered > 0 {
        wrong.push(format!(
            "order {} was told {} different sale numbers",
            order.key,
            order.renumbered + 1
        ));
    }
}
