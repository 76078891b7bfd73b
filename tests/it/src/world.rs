//! Both vendors as plain state that survives the agent's crashes, and the chance that makes them fail. What happens to a
//! call is `line.rs`'s business; each flow has a file of its own.

use crate::bills::Bills;
use crate::cancels::Cancels;
use crate::line::{Lines, Outage, Side};
use crate::plan::Plan;
use crate::post::Post;
use crate::ships::{Shipping, Told};
use crate::simulation::START;
use crate::stock::Stock;
use crate::warehouse::{GoodsOut, Held, Warehouse};
use std::collections::{BTreeMap, BTreeSet};
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
    /// The parcels it was told of: tracking number and units.
    pub parcels: Vec<(String, i64)>,
    /// When it is to have left.
    pub ship_by: Millis,
    /// Nobody packs it before the day ends.
    pub slow: bool,
}

/// A sale at the ERP.
#[derive(Debug, Clone)]
pub struct Sale {
    /// Its id.
    pub id: u64,
    /// Our reference.
    pub reference: String,
    /// The order's key in it.
    pub order: String,
    /// Customer id.
    pub customer: u64,
    /// Made at; a search shows it only later.
    pub at: Millis,
    /// Cancelled there, by whoever.
    pub cancelled: bool,
    /// Units that are set aside for it; those that have left are among them.
    pub aside: i64,
    /// It has the status that some retailers' shipments wait for.
    pub released: bool,
    /// How often anything of it changed.
    pub changes: u64,
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
    /// How many of a thousand sales the warehouse turns to, each tick.
    pub pace: u64,
    /// Documents of one page.
    pub page: usize,
    /// Who places orders.
    pub retailers: u64,
    /// Both lines.
    pub lines: Lines,
    /// Webhook requests on their way.
    pub post: Post,
    /// Units of both sides.
    pub stock: Stock,
    /// Orders by key.
    pub orders: BTreeMap<String, NetworkOrder>,
    /// The stream: order keys in the order of change.
    pub events: Vec<String>,
    /// Orders that may be cancelled while nobody acknowledged them.
    wavering: Vec<String>,
    /// Queued calls by ticket, and those of them that are not processed.
    pub queue: BTreeMap<u64, Queued>,
    /// Tickets that wait.
    pub queued: BTreeSet<u64>,
    /// Calls with shipments, by ticket, and those of them that are not processed.
    pub shippings: BTreeMap<u64, Shipping>,
    /// Tickets that wait.
    pub shipping: BTreeSet<u64>,
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
    /// Those of them to which something may still happen.
    pub at_work: Vec<usize>,
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

impl Outside {
    /// The world of that plan before anything happens.
    pub fn new(plan: &Plan) -> Self {
        let mut chance = Chance::new(plan.seed ^ 0x0DD5);
        let outages = (0..plan.outages).flat_map(|_| {
            [Side::Network, Side::Erp].map(|side| {
                let from = chance.below(plan.outages_within_ms);
                let from = START + Millis::try_from(from).unwrap_or(0);
                Outage {
                    side,
                    from,
                    until: from + plan.outage_ms,
                }
            })
        });
        let lines = Lines::new(outages.collect(), plan.burnt);
        Self {
            lines,
            chance: Chance::new(plan.seed),
            faults: plan.faults,
            pace: plan.pace,
            page: plan.page,
            retailers: plan.retailers,
            post: Post::default(),
            stock: Stock::new(plan),
            orders: BTreeMap::new(),
            events: Vec::new(),
            wavering: Vec::new(),
            queue: BTreeMap::new(),
            queued: BTreeSet::new(),
            shippings: BTreeMap::new(),
            shipping: BTreeSet::new(),
            taken: Vec::new(),
            warehouse: Warehouse::default(),
            bills: Bills::default(),
            cancels: Cancels::default(),
            sales: Vec::new(),
            at_work: Vec::new(),
            customers: Vec::new(),
            items: (0..plan.items)
                .map(|n| (format!("{}", 1000 + n), format!("SKU-{n}")))
                .collect(),
            search_lag: 3_000,
        }
    }

    /// A retailer places an order.
    pub fn place(&mut self, case: Case, now: Millis) -> String {
        let n = self.orders.len();
        let key = format!("{}", 5_000_000 + n);
        let item = if case == Case::Unmapped {
            format!("ODD-{}", n % 3)
        } else {
            format!("SKU-{}", self.chance.below(self.items.len() as u64))
        };
        // Every fifth one leaves today.
        let hours = if n.is_multiple_of(5) {
            1 + self.chance.below(4)
        } else {
            24 + self.chance.below(48)
        };
        let order = NetworkOrder {
            key: key.clone(),
            retailer: format!("R{}", self.chance.below(self.retailers)),
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
            parcels: Vec::new(),
            ship_by: now + Millis::try_from(hours).unwrap_or(24) * 3_600_000,
            slow: n % 10 == 7,
        };
        if case == Case::CancelledSometime {
            self.wavering.push(key.clone());
        }
        self.ordered(&order);
        if order.cancelled {
            self.given_up(&order);
        }
        self.orders.insert(key.clone(), order);
        self.events.push(key.clone());
        key
    }

    /// Retailers cancel what nobody acknowledged, which they may do at once.
    pub fn waver(&mut self, chance: &mut Chance) {
        for key in std::mem::take(&mut self.wavering) {
            let Some(order) = self.orders.get(&key).filter(|o| !o.acknowledged) else {
                continue;
            };
            if chance.per_mille(200) {
                self.given_up(&order.clone());
                self.cancel_order(&key);
            } else {
                self.wavering.push(key);
            }
        }
    }

    /// An order is cancelled at the network.
    pub fn cancel_order(&mut self, key: &str) {
        if let Some(order) = self.orders.get_mut(key) {
            order.cancelled = true;
            order.version += 1;
            self.events.push(key.to_owned());
        }
    }

    /// A sale of this order is made.
    pub fn sell(&mut self, order: &str, customer: u64, now: Millis) -> u64 {
        let id = 100_000 + self.sales.len() as u64;
        self.at_work.push(self.sales.len());
        self.sales.push(Sale {
            id,
            reference: format!("order:{order}"),
            order: order.to_owned(),
            customer,
            at: now,
            cancelled: false,
            aside: 0,
            released: false,
            changes: 0,
        });
        self.sold(self.sales.len() - 1);
        id
    }

    /// A sale by its id.
    pub fn sale(&self, id: u64) -> Option<(usize, &Sale)> {
        let at = usize::try_from(id.checked_sub(100_000)?).ok()?;
        Some((at, self.sales.get(at)?))
    }

    /// The warehouse packs some of what was sold, mends its mistakes, and packs for others beside us.
    pub fn work(&mut self, now: Millis, chance: &mut Chance) {
        for (note, sale) in self.warehouse.mend(now) {
            self.tell("shipment", &note.to_string(), chance);
            self.units_left(sale, chance);
        }
        let mut over = Vec::new();
        for at in self.at_work.clone() {
            let sale = &self.sales[at];
            let (id, cancelled) = (sale.id, sale.cancelled);
            let Some(order) = self.orders.get(&sale.order) else {
                continue;
            };
            if self.is_over(at, order) {
                over.push(at);
                continue;
            }
            // What the merchant cancelled in time is not packed; what was cancelled too late may be.
            let pace = if order.cancelled {
                self.pace.div_ceil(15)
            } else {
                self.pace
            };
            if !cancelled && !order.slow && chance.per_mille(pace) {
                let whole = waits_for_status(&order.retailer);
                let packed = self
                    .warehouse
                    .pack(&self.sales[at], order, whole, now, chance);
                if let Some(note) = packed {
                    self.tell("shipment", &note.to_string(), chance);
                    self.units_left(id, chance);
                }
            }
        }
        self.at_work.retain(|at| !over.contains(at));
        if chance.per_mille(100) {
            self.warehouse.events.push(usize::MAX);
        }
    }

    /// Whether nothing happens to a sale any more.
    fn is_over(&self, at: usize, order: &NetworkOrder) -> bool {
        let sale = &self.sales[at];
        let billed = self.bills.is_made(sale.id);
        let packed = self.is_packed(sale, order);
        (sale.cancelled || billed && packed && sale.released)
            && self.warehouse.of_sale(sale.id).all(GoodsOut::is_settled)
    }

    /// Whether all of a sale lies in notes.
    pub fn is_packed(&self, sale: &Sale, order: &NetworkOrder) -> bool {
        let left = self.warehouse.left(sale.id, order.units, order.kit);
        matches!(left, Held::Units(0) | Held::Parts([0, 0]))
    }

    /// Whether the warehouse has something left to do for an order that stands.
    pub fn is_packing(&self) -> bool {
        let left = |at: &usize| {
            let sale = &self.sales[*at];
            self.orders.get(&sale.order).is_some_and(|order| {
                let noted = self.warehouse.of_sale(sale.id).next().is_some();
                let packs = !order.cancelled && !order.slow && !self.is_packed(sale, order);
                !sale.cancelled && (packs || noted && !sale.released)
            })
        };
        self.warehouse.is_busy() || self.at_work.iter().any(left)
    }

    /// Processes queued calls whose time has come.
    pub fn tick(&mut self, now: Millis) {
        self.take_shipments(now);
        self.take_invoices(now);
        self.take_levels(now);
        let Self {
            queue,
            queued,
            orders,
            events,
            ..
        } = self;
        queued.retain(|ticket| {
            let Some(queued) = queue.get_mut(ticket).filter(|q| q.at <= now) else {
                return true;
            };
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
            false
        });
    }
}

/// Retailers whose shipments wait for a status of the sale.
pub fn waits_for_status(retailer: &str) -> bool {
    retailer.ends_with('3')
}
