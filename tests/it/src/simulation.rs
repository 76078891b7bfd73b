//! One seed, one day: orders come in, calls fail, the process crashes, and at the end everything is where it belongs.
//! A crash drops the engine and everything the disk had not synced; the world outside keeps what happened there.
//! `plan.rs` says what a day holds, `set_up.rs` what the agent is told, `judge.rs` what must be true at the end.

use crate::erp::Erp;
use crate::judge::judge;
use crate::line::{Line, Side};
use crate::network::Network;
pub use crate::plan::{Plan, Plant, Report};
use crate::planted::Forgetful;
use crate::set_up;
use crate::world::{Case, Chance, Outside, SeededRng, World, lock};
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;
use waybill_engine::connectors::{Binding, CallsUsed, Connectors};
use waybill_engine::ports::StorePorts;
use waybill_engine::{Engine, EngineOptions, EngineParts, Handle};
use waybill_host::budget::Budgets;
use waybill_host::connector::Connector;
use waybill_host::ports::{Clock, Journal};
use waybill_model::contract::{Descriptor, Gap, Role};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_store::sim_disk::SimDisk;
use waybill_store::{ConnectionRow, Options, Place, Read, SealKey, Store, Writer};

/// Start of every simulated day: 2026-11-21T00:00:00Z.
pub(crate) const START: Millis = 1_795_219_200_000;
/// Ticks without anything to do, after which a day is over.
const QUIET_TICKS: u32 = 40;
/// How long after that a difference of stock may last: nothing tells of units that are set aside, so sales are looked at
/// again, within an hour; and once more after what is held was asked for.
const SETTLES_MS: Millis = 3 * 3_600_000;

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
    plan: Plan,
    journal: Arc<dyn Journal>,
    line: Line,
}

impl Scripts {
    fn line(&self, side: Side) -> Line {
        Line {
            side,
            ..self.line.clone()
        }
    }
}

impl Connectors for Scripts {
    fn descriptors(&self) -> Vec<Descriptor> {
        vec![set_up::network(&self.plan), set_up::erp(&self.plan)]
    }
    fn bind(&self, connector: &str, _: Binding) -> Result<Arc<dyn Connector>, String> {
        let (world, clock) = (self.line.world.clone(), self.line.clock.clone());
        let journal = self.journal.clone();
        match connector {
            "network" => Ok(Arc::new(Network {
                world,
                journal,
                clock,
                descriptor: set_up::network(&self.plan),
                roles: BTreeSet::from([Role::Source, Role::Sink, Role::Tickets]),
                line: self.line(Side::Network),
            })),
            "erp" => Ok(Arc::new(Erp {
                world,
                journal,
                clock,
                descriptor: set_up::erp(&self.plan),
                roles: BTreeSet::from([Role::Source, Role::Sink, Role::Webhook]),
                line: self.line(Side::Erp),
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
    runtime.block_on(Day::new(plan).run())
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

/// A person compared both sides and let the connections go on.
fn restored(store: &Store, from: Millis, now: Millis) {
    store
        .write_blocking(move |tx| tx.mark_restored(from, false, true, "simulation", now))
        .expect("the mark is stored");
}

#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Crashed,
    Quiet,
}

/// A day under way.
struct Day {
    plan: Plan,
    world: World,
    chance: Chance,
    clock: Arc<dyn Clock>,
    hash: Arc<Mutex<Sha256>>,
    to_place: u64,
    crashes: u64,
    hours: Millis,
}

impl Day {
    fn new(plan: Plan) -> Self {
        Self {
            plan,
            world: Arc::new(Mutex::new(Outside::new(&plan))),
            chance: Chance::new(plan.seed ^ 0xC0FF_EE00),
            clock: Arc::new(SimClock {
                start: tokio::time::Instant::now(),
            }),
            hash: Arc::new(Mutex::new(Sha256::new())),
            to_place: plan.orders,
            crashes: 0,
            hours: 0,
        }
    }

    async fn run(mut self) -> Report {
        let plan = self.plan;
        let mut disk = SimDisk::new(plan.seed);
        let mut backup = None;
        loop {
            let store = open(&disk);
            set_up::store(&plan, &store);
            let last = self.crashes == plan.crashes;
            if let Some((from, _)) = backup.as_ref().filter(|_| plan.goes_back && last)
                && plan.plant != Some(Plant::Unmarked)
            {
                restored(&store, *from, self.clock.now_ms());
            }
            let until = if last {
                Millis::MAX
            } else {
                self.dies_at(&disk)
            };
            if self.life(store, until).await == Ended::Quiet {
                break;
            }
            self.crashes += 1;
            assert!(
                self.crashes <= plan.crashes,
                "the store refused although no crash was planned"
            );
            let mut image = disk.crash();
            let (_, old) = backup.get_or_insert_with(|| (self.clock.now_ms(), image.clone()));
            if plan.goes_back && self.crashes == plan.crashes {
                image.clone_from(old);
            }
            disk = SimDisk::with_image(self.chance.draw(), image);
        }
        self.report(&open(&disk))
    }

    /// When this life ends, if its disk does not end it before.
    fn dies_at(&mut self, disk: &SimDisk) -> Millis {
        if self.chance.below(2) == 0 {
            let syncs = 60 * u64::from(self.plan.patience).pow(4);
            disk.fail_at(disk.syncs() + self.chance.below(syncs) + 2);
        }
        let lives = self.chance.below(self.plan.lives_ms) + 500;
        let lives = Millis::try_from(lives).unwrap_or(500);
        self.clock.now_ms() + lives
    }

    fn report(self, store: &Store) -> Report {
        let wrong = judge(self.plan, &self.world, store);
        let world = lock(&self.world);
        let hash = self.hash.lock().expect("one thread").clone().finalize();
        let cancelled = |yes: bool| usize::from(yes);
        let sales = world.sales.iter().map(|s| cancelled(s.cancelled));
        let orders = world.orders.values().map(|o| cancelled(o.cancelled));
        Report {
            hash: hash
                .iter()
                .fold(String::new(), |text, b| format!("{text}{b:02x}")),
            wrong,
            sales: world.sales.len(),
            parcels: world.taken.len(),
            invoices: world.bills.taken.len(),
            cancels: sales.chain(orders).sum(),
            levels: world.stock.taken,
            hooks: world.post.taken,
            throttled: world.lines.throttled,
            away: world.lines.away,
            scarce: world.scarce(),
            crashes: self.crashes,
            lasted_ms: self.clock.now_ms() - START,
        }
    }

    fn parts(&mut self, store: &Store) -> EngineParts {
        let (plan, clock) = (self.plan, self.clock.clone());
        let ports: Arc<dyn Journal> = Arc::new(StorePorts::new(store.clone(), clock.clone()));
        let journal = if plan.plant == Some(Plant::Unjournalled) {
            Arc::new(Forgetful(ports))
        } else {
            ports
        };
        let line = Line {
            side: Side::Network,
            world: self.world.clone(),
            clock: clock.clone(),
            budgets: Arc::new(Budgets::new(clock.clone())),
            store: store.clone(),
            plant: plan.plant,
        };
        let events = self.hash.clone();
        let observer: waybill_engine::Observer = Arc::new(move |at, line: &str| {
            tracing::debug!(target: "days", at = at - START, "{line}");
            events
                .lock()
                .expect("one thread")
                .update(format!("{at} {line}\n"));
        });
        EngineParts {
            store: store.clone(),
            clock,
            rng: Arc::new(SeededRng(Mutex::new(Chance::new(self.chance.draw())))),
            connectors: Arc::new(Scripts {
                plan,
                journal,
                line,
            }),
            options: EngineOptions {
                counts_open: plan.plant != Some(Plant::ForgetsOpen),
                hooks: true,
                ..EngineOptions::default()
            },
            observer: Some(observer),
        }
    }

    /// One life of the process: until its crash, or until nothing is left to do.
    async fn life(&mut self, store: Store, until: Millis) -> Ended {
        let parts = self.parts(&store);
        let Ok((engine, handle)) = Engine::open(parts) else {
            return Ended::Crashed;
        };
        let stop = CancellationToken::new();
        let mut running = Box::pin(engine.run(stop.clone()));
        let (mut quiet, mut quiet_since) = (0, Millis::MAX);
        loop {
            tokio::select! {
                biased;
                _ = &mut running => return Ended::Crashed,
                () = self.clock.sleep_ms(self.plan.tick_ms) => {}
            }
            let now = self.clock.now_ms();
            self.tells(&store, now);
            assert!(
                now < START + self.plan.longest_ms(),
                "seed {}: the day does not end after {} crashes: {:?}, {:?}",
                self.plan.seed,
                self.crashes,
                busy(&store),
                lock(&self.world)
                    .wrong_levels()
                    .iter()
                    .take(5)
                    .collect::<Vec<_>>()
            );
            self.outside(now);
            crate::post::deliver(&self.world, &handle, now).await;
            person(&handle, &store, now).await;
            if now >= until {
                return Ended::Crashed;
            }
            if until != Millis::MAX || !self.is_idle(&store, now) {
                (quiet, quiet_since) = (0, Millis::MAX);
                continue;
            }
            quiet += 1;
            quiet_since = quiet_since.min(now);
            let looks = quiet % QUIET_TICKS == 0;
            if looks && (self.levels_agree() || now - quiet_since > SETTLES_MS) {
                stop.cancel();
                drop(running.await);
                return Ended::Quiet;
            }
        }
    }

    /// Says each hour how far it is, to who listens: a large day takes a while.
    fn tells(&mut self, store: &Store, now: Millis) {
        let hours = (now - START).div_euclid(3_600_000);
        if hours == self.hours {
            return;
        }
        self.hours = hours;
        let world = lock(&self.world);
        tracing::info!(
            target: "days",
            seed = self.plan.seed,
            hours,
            crashes = self.crashes,
            to_place = self.to_place,
            sales = world.sales.len(),
            parcels = world.taken.len(),
            levels = world.stock.taken,
            throttled = world.lines.throttled,
            open = busy(store).len(),
        );
    }

    /// What happens outside meanwhile.
    fn outside(&mut self, now: Millis) {
        let (plan, chance) = (self.plan, &mut self.chance);
        let mut world = lock(&self.world);
        world.tick(now);
        let goes_on = self.to_place > 0 || world.is_packing();
        world.stir(goes_on, chance);
        world.work(now, chance);
        world.bill_some(chance);
        // A backup older than a sale that was cancelled since does not know the sale: a person compares both sides.
        if !plan.goes_back {
            world.cancel_some(chance);
        }
        // So many thousandths of an order a tick.
        let mean = 1_000 * plan.orders * plan.tick_ms / plan.span_ms.unsigned_abs();
        let drawn = chance.below(2 * mean + 1);
        let some = drawn / 1_000 + u64::from(chance.per_mille(drawn % 1_000));
        for _ in 0..some.min(self.to_place) {
            let case = match chance.below(12) {
                0 => Case::Unmapped,
                1 => Case::Test,
                2 => Case::CancelledFirst,
                3 => Case::CancelledSometime,
                _ => Case::Plain,
            };
            world.place(case, now);
            self.to_place -= 1;
        }
        world.waver(chance);
    }

    fn is_idle(&self, store: &Store, now: Millis) -> bool {
        if self.to_place > 0 {
            return false;
        }
        let world = lock(&self.world);
        if world.is_packing()
            || world.is_billing()
            || world.is_posting()
            || world.awaits_outage(now)
        {
            return false;
        }
        let batches = store.read(|rx| Ok(rx.open_batches()?.len()));
        batches.is_ok_and(|batches| batches == 0) && busy(store).is_empty()
    }

    fn levels_agree(&self) -> bool {
        lock(&self.world).wrong_levels().is_empty()
    }
}

/// A person fills every empty cell, some time after it shows.
async fn person(handle: &Handle, store: &Store, now: Millis) {
    let cards = store.read(|rx| rx.cards(usize::MAX)).unwrap_or_default();
    for card in cards.into_iter().filter(|c| now - c.first_at > 20_000) {
        if let waybill_store::Cause::Gap { from, to, gap } = card.cause {
            let gap: Gap = gap;
            // A crash may cut this short; the card is there again afterwards.
            let cell = gap.clone();
            let filled = handle
                .fill_cell(from, to, gap, true, "1001".to_owned(), "person")
                .await;
            tracing::debug!(target: "days", at = now - START, "filled {cell:?}: {filled:?} {}", handle.now() - now);
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
