//! Both vendors as plain state that survives the agent's crashes, and the chance that makes them fail.

use crate::bills::Bills;
use crate::cancels::Cancels;
use crate::ships::{Shipping, Told};
use crate::warehouse::{Held, Warehouse};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use waybill_host::ports::Rng;
use waybill_model::ids::Millis;

/// A small generator: the same seed gives the same day.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }
    /// The next number (splitmix64).
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    /// Below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.draw() % n.max(1)
    }
    /// True in so many of a thousand.
    pub fn per_mille(&mut self, n: u64) -> bool {
        self.below(1000) < n
    }
}

/// The engine's randomness.
pub struct SeededRng(pub Mutex<Chance>);

impl Rng for SeededRng {
    fn next_u64(&self) -> u64 {
        self.0.lock().expect("one thread").draw()
    }
}

/// What should become of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// One sale, acknowledged with its number.
    Plain,
    /// Its item is matched later by a person.
    Unmapped,
    /// A test order: no sale, not acknowledged.
    Test,
    /// Cancelled before anybody acknowledged it.
    CancelledFirst,
    /// Cancelled at a random moment: no sale, or a sale and a card.
    CancelledSometime,
}

/// An order at the network.
#[derive(Debug, Clone)]
pub struct NetworkOrder {
    /// Key.
    pub key: String,
    /// Retailer.
    pub retailer: String,
    /// Item value.
    pub item: String,
    /// Units.
    pub units: i64,
    /// Case.
    pub case: Case,
    /// Version, grows with each change.
    pub version: u64,
    /// Cancelled there.
    pub cancelled: bool,
    /// Acknowledged there.
    pub acknowledged: bool,
    /// The number the network was told, and how often it was told another one.
    pub number: Option<String>,
    /// Calls that told a number different from the one known.
    pub renumbered: u32,
    /// Its item is a kit at the ERP.
    pub kit: bool,
    /// Units that the network was told as shipped.
    pub shipped: i64,
}

/// A sale at the ERP.
#[derive(Debug, Clone)]
pub struct Sale {
    /// Its id.
    pub id: u64,
    /// Our reference.
    pub reference: String,
    /// Customer id.
    pub customer: u64,
    /// Made at; a search shows it only later.
    pub at: Millis,
    /// Cancelled there, by whoever.
    pub cancelled: bool,
}

/// A queued acknowledgement and when it is processed.
#[derive(Debug, Clone)]
pub struct Queued {
    /// When it takes effect.
    pub at: Millis,
    /// Order keys and the number told.
    pub members: Vec<(String, Option<String>)>,
    /// Outcome per member, once processed: `None` accepted, else why not.
    pub outcome: Option<Vec<Option<String>>>,
}

/// Everything outside the agent.
#[derive(Debug)]
pub struct Outside {
    /// Chance of the vendors.
    pub chance: Chance,
    /// Faults per thousand calls.
    pub faults: u64,
    /// Orders by key.
    pub orders: BTreeMap<String, NetworkOrder>,
    /// The stream: order keys in the order of change.
    pub events: Vec<String>,
    /// Queued calls by ticket.
    pub queue: BTreeMap<u64, Queued>,
    /// Calls with shipments, by ticket.
    pub shippings: BTreeMap<u64, Shipping>,
    /// Parcels the network took, in the order they were processed.
    pub taken: Vec<Told>,
    /// The ERP's warehouse.
    pub warehouse: Warehouse,
    /// Invoices of both sides.
    pub bills: Bills,
    /// What is cancelled after its sale was made.
    pub cancels: Cancels,
    /// Sales in the order of creation.
    pub sales: Vec<Sale>,
    /// Customers: code and when made.
    pub customers: Vec<(u64, String, Millis)>,
    /// Items of the ERP: key and id value.
    pub items: Vec<(String, String)>,
    /// How long a search trails a write.
    pub search_lag: Millis,
}

/// The outside, shared.
pub type World = Arc<Mutex<Outside>>;

/// Locks the outside; there is one thread.
pub fn lock(world: &World) -> MutexGuard<'_, Outside> {
    world.lock().expect("one thread")
}

/// What the wire does to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Luck {
    /// Answered.
    Good,
    /// Cut before anything happened there; the caller cannot know.
    CutBefore,
    /// It happened, and the answer is lost.
    CutAfter,
    /// Refused by a throttle: provably nothing happened.
    Throttled,
}

impl Outside {
    /// A world with these faults per thousand calls.
    pub fn new(seed: u64, faults: u64) -> Self {
        Self {
            chance: Chance::new(seed),
            faults,
            orders: BTreeMap::new(),
            events: Vec::new(),
            queue: BTreeMap::new(),
            shippings: BTreeMap::new(),
            taken: Vec::new(),
            warehouse: Warehouse::default(),
            bills: Bills::default(),
            cancels: Cancels::default(),
            sales: Vec::new(),
            customers: Vec::new(),
            items: (0..20)
                .map(|n| (format!("{}", 1000 + n), format!("SKU-{n}")))
                .collect(),
            search_lag: 3_000,
        }
    }

    /// Draws what happens to the next call.
    pub fn luck(&mut self) -> Luck {
        if !self.chance.per_mille(self.faults) {
            return Luck::Good;
        }
        match self.chance.below(3) {
            0 => Luck::CutBefore,
            1 => Luck::CutAfter,
            _ => Luck::Throttled,
        }
    }

    /// A retailer places an order.
    pub fn place(&mut self, case: Case) -> String {
        let n = self.orders.len();
        let key = format!("{}", 5_000_000 + n);
        let item = if case == Case::Unmapped {
            format!("ODD-{}", n % 3)
        } else {
            format!("SKU-{}", self.chance.below(20))
        };
        let order = NetworkOrder {
            key: key.clone(),
            retailer: format!("R{}", self.chance.below(3)),
            item,
            units: i64::try_from(self.chance.below(5) + 1).unwrap_or(1),
            case,
            version: 1,
            cancelled: case == Case::CancelledFirst,
            acknowledged: false,
            number: None,
            renumbered: 0,
            kit: n % 4 == 1,
            shipped: 0,
        };
        self.orders.insert(key.clone(), order);
        self.events.push(key.clone());
        key
    }

    /// The retailer cancels, which it may do at once only while nobody acknowledged.
    pub fn cancel(&mut self, key: &str) {
        let Some(order) = self.orders.get_mut(key) else {
            return;
        };
        if !order.acknowledged && !order.cancelled {
            order.cancelled = true;
            order.version += 1;
            self.events.push(key.to_owned());
        }
    }

    /// The warehouse packs some of what was sold, mends its mistakes, and packs for others beside us.
    pub fn work(&mut self, now: Millis, chance: &mut Chance) {
        self.warehouse.mend(now);
        for sale in &self.sales {
            let key = sale.reference.trim_start_matches("order:");
            let Some(order) = self.orders.get(key) else {
                continue;
            };
            // What the merchant cancelled in time is not packed; what was cancelled too late may be.
            let packs = !sale.cancelled;
            if packs && chance.per_mille(if order.cancelled { 10 } else { 150 }) {
                let (units, kit) = (order.units, order.kit);
                self.warehouse.pack(sale, key, units, kit, now, chance);
            }
        }
        if chance.per_mille(100) {
            self.warehouse.events.push(usize::MAX);
        }
    }

    /// Whether the warehouse has something left to do for an order that stands.
    pub fn is_packing(&self) -> bool {
        let left = |sale: &Sale| {
            let key = sale.reference.trim_start_matches("order:");
            self.orders.get(key).is_some_and(|order| {
                let left = self.warehouse.left(sale.id, order.units, order.kit);
                !order.cancelled
                    && !sale.cancelled
                    && !matches!(left, Held::Units(0) | Held::Parts([0, 0]))
            })
        };
        self.warehouse.is_busy() || self.sales.iter().any(left)
    }

    /// Processes queued calls whose time has come.
    pub fn tick(&mut self, now: Millis) {
        self.take_shipments(now);
        self.take_invoices(now);
        let Self {
            queue,
            orders,
            events,
            ..
        } = self;
        for queued in queue
            .values_mut()
            .filter(|q| q.at <= now && q.outcome.is_none())
        {
            let outcome = queued.members.iter().map(|(key, number)| {
                let Some(order) = orders.get_mut(key) else {
                    return Some("unknown order".to_owned());
                };
                if order.cancelled {
                    return Some("order cancelled".to_owned());
                }
                order.acknowledged = true;
                if let Some(number) = number {
                    if order.number.as_ref().is_some_and(|known| known != number) {
                        order.renumbered += 1;
                    }
                    order.number = Some(number.clone());
                }
                order.version += 1;
                events.push(key.clone());
                None
            });
            queued.outcome = Some(outcome.collect());
        }
    }
}
