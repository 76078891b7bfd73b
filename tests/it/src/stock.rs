//! Units outside the agent: what the ERP holds, sets aside and sends off, and the network's own number of each item, which
//! it lowers when it hands out an order. The formula at the end is written here once more, from the outside alone.

use crate::documents::level;
use crate::line::Luck;
use crate::network::Network;
use crate::plan::Plan;
use crate::warehouse::GoodsOut;
use crate::world::{Case, Chance, NetworkOrder, Outside, lock};
use std::collections::{BTreeMap, BTreeSet};
use waybill_host::connector::{Call, CallError};
use waybill_host::ports::{Begun, Finish, PortError};
use waybill_model::contract::{Delivery, Failure, Outcome, Receipt, Ticket, Verdict};
use waybill_model::document::{Body, Document};
use waybill_model::ids::Millis;

/// Queued levels are processed within this time.
const PROCESSED_MS: u64 = 5_000;
/// The item that a person matches odd names with.
pub const ODD: usize = 1;
/// Rules of single items: number of the item, its buffer and its cap.
pub const RULES: [(usize, Option<i64>, Option<i64>); 4] = [
    (2, Some(2), None),
    (5, None, Some(6)),
    (7, Some(1), Some(9)),
    (11, Some(3), None),
];

#[derive(Debug)]
struct Queued {
    at: Millis,
    levels: Vec<(String, i64)>,
    done: bool,
}

/// Both sides' units.
#[derive(Debug)]
pub struct Stock {
    /// Units of each item, before any was sold.
    counted: Vec<i64>,
    /// Sales of each item.
    sold: BTreeMap<usize, Vec<usize>>,
    /// Orders of each item.
    ordered: BTreeMap<usize, Vec<String>>,
    /// The network's own number, by its name of the item; none before it was told.
    pub shown: BTreeMap<String, i64>,
    /// The network gives back what a cancelled order took; not every network does.
    gives_back: bool,
    queue: BTreeMap<u64, Queued>,
    waiting: BTreeSet<u64>,
    /// Levels that the network took.
    pub taken: u64,
}

impl Stock {
    /// Units as the seed says.
    pub fn new(plan: &Plan) -> Self {
        let mut chance = Chance::new(plan.seed ^ 0x57_0C);
        let mut units = || i64::try_from(chance.below(60)).unwrap_or(0);
        Self {
            counted: (0..plan.items).map(|_| units()).collect(),
            sold: BTreeMap::new(),
            ordered: BTreeMap::new(),
            shown: BTreeMap::new(),
            gives_back: plan.seed.is_multiple_of(2),
            queue: BTreeMap::new(),
            waiting: BTreeSet::new(),
            taken: 0,
        }
    }
}

fn item_of(order: &NetworkOrder) -> usize {
    let number = order.item.strip_prefix("SKU-");
    number.and_then(|n| n.parse().ok()).unwrap_or(ODD)
}

impl Outside {
    /// The network hands out an order: its own number falls at once.
    pub fn ordered(&mut self, order: &NetworkOrder) {
        let orders = self.stock.ordered.entry(item_of(order)).or_default();
        orders.push(order.key.clone());
        if let Some(shown) = self.stock.shown.get_mut(&order.item)
            && order.case != Case::Test
        {
            *shown -= order.units;
        }
    }

    /// An order is cancelled there.
    pub fn given_up(&mut self, order: &NetworkOrder) {
        if let Some(shown) = self.stock.shown.get_mut(&order.item)
            && self.stock.gives_back
            && order.case != Case::Test
        {
            *shown += order.units - order.shipped;
        }
    }

    /// A sale was made.
    pub fn sold(&mut self, at: usize) {
        if let Some(order) = self.orders.get(&self.sales[at].order) {
            self.stock.sold.entry(item_of(order)).or_default().push(at);
        }
    }

    /// Units of a sale that have left the ERP.
    fn left(&self, at: usize) -> i64 {
        let sale = &self.sales[at];
        let kit = self.orders.get(&sale.order).is_some_and(|o| o.kit);
        let notes = self.warehouse.of_sale(sale.id);
        crate::warehouse::whole(kit, notes.filter(|n| n.has_left()).map(|n| n.held))
    }

    /// Units set aside for a sale, or gone.
    fn kept(&self, at: usize) -> i64 {
        let sale = &self.sales[at];
        let aside = if sale.cancelled { 0 } else { sale.aside };
        aside.max(self.left(at))
    }

    /// Units that the ERP says it has of an item.
    fn available(&self, item: usize) -> i64 {
        let sales = self.stock.sold.get(&item).into_iter().flatten();
        self.stock.counted[item] - sales.map(|at| self.kept(*at)).sum::<i64>()
    }

    /// What was said of a note may have changed what is there.
    pub fn units_left(&mut self, sale: u64, chance: &mut Chance) {
        let order = self.sale(sale).map(|(_, sale)| sale.order.clone());
        if let Some(order) = order.and_then(|key| self.orders.get(&key)) {
            let key = self.items[item_of(order)].0.clone();
            self.tell("inventory-level", &key, chance);
        }
    }

    /// Somebody counts, goods come in, sales are set aside and given back, and get the status that some retailers wait
    /// for. Half of it is told. `counts`: not only the last of these.
    pub fn stir(&mut self, counts: bool, chance: &mut Chance) {
        if counts && chance.per_mille(self.pace) {
            let item = usize::try_from(chance.below(self.items.len() as u64)).unwrap_or(0);
            let units = i64::try_from(chance.below(12)).unwrap_or(0) - 5;
            let counted = &mut self.stock.counted[item];
            *counted = (*counted + units).max(0);
            if chance.below(2) == 0 {
                let key = self.items[item].0.clone();
                self.tell("inventory-level", &key, chance);
            }
        }
        for at in self.at_work.clone() {
            let sale = &self.sales[at];
            let Some(units) = self.orders.get(&sale.order).map(|order| order.units) else {
                continue;
            };
            if sale.cancelled {
                continue;
            }
            let aside = counts && chance.below(3_000) < self.pace;
            let released = !sale.released && chance.per_mille(self.pace);
            if !aside && !released {
                continue;
            }
            let whole = sale.aside == units;
            if aside {
                let some = chance.below(units.unsigned_abs() + 1);
                self.sales[at].aside = i64::try_from(some).unwrap_or(0);
            }
            self.sales[at].released |= released;
            self.sales[at].changes += 1;
            // Nothing tells of what is set aside, or not soon. That all of it was, and is given back, would be found after
            // six hours: too long for this day.
            if released || whole || chance.below(2) == 0 {
                let id = self.sales[at].id;
                self.cancels.states.push(at);
                self.tell("order-state", &id.to_string(), chance);
                if aside {
                    self.units_left(id, chance);
                }
            }
        }
    }

    /// Units of a sale that are set aside, and that have left.
    pub fn aside_and_left(&self, at: usize) -> (i64, i64) {
        let left = self.left(at);
        (self.kept(at) - left, left)
    }

    /// What the ERP says of these items. Of one that it has nothing of, it may say nothing.
    pub fn levels(&self, keys: &[String]) -> Vec<Document> {
        let number = |key: &String| key.parse::<usize>().ok()?.checked_sub(1000);
        let known = keys.iter().filter_map(|key| Some((key, number(key)?)));
        known
            .filter(|(_, item)| *item < self.items.len())
            .map(|(key, item)| (key, self.available(item)))
            .filter(|(key, units)| *units != 0 || key.ends_with('1'))
            .map(|(key, units)| level(key, units))
            .collect()
    }

    /// Processes levels whose time has come.
    pub fn take_levels(&mut self, now: Millis) {
        let Stock {
            queue,
            waiting,
            shown,
            taken,
            ..
        } = &mut self.stock;
        waiting.retain(|ticket| {
            let Some(queued) = queue.get_mut(ticket).filter(|q| q.at <= now) else {
                return true;
            };
            queued.done = true;
            *taken += queued.levels.len() as u64;
            shown.extend(std::mem::take(&mut queued.levels));
            false
        });
    }

    /// What the network should show of an item.
    fn expected(&self, item: usize) -> i64 {
        let orders = self.stock.ordered.get(&item).into_iter().flatten();
        let open = orders.map(|key| {
            let order = &self.orders[key];
            if order.cancelled || order.case == Case::Test {
                return 0;
            }
            let sales = self.stock.sold.get(&item).into_iter().flatten();
            let own = sales.filter(|at| self.sales[**at].order == *key);
            let kept = own.map(|at| self.kept(*at)).max().unwrap_or(0);
            (order.units - kept.max(order.shipped)).max(0)
        });
        let free = (self.available(item).max(0) - open.sum::<i64>()).max(0);
        let rule = RULES.iter().find(|(number, _, _)| *number == item);
        let (_, buffer, cap) = rule.copied().unwrap_or((item, None, None));
        let left = (free - buffer.unwrap_or(0)).max(0);
        left.min(cap.unwrap_or(i64::MAX))
    }

    /// Items of which the network shows something else than the formula says.
    pub fn wrong_levels(&self) -> Vec<(usize, String)> {
        let mut wrong = Vec::new();
        let expected: Vec<i64> = (0..self.items.len()).map(|n| self.expected(n)).collect();
        for (item, expected) in expected.iter().enumerate() {
            let name = &self.items[item].1;
            let shown = self.stock.shown.get(name);
            if shown != Some(expected) {
                wrong.push((
                    item,
                    format!("the network shows {shown:?} of {name}, not {expected}"),
                ));
            }
        }
        let odd = self
            .stock
            .shown
            .iter()
            .filter(|(n, _)| n.starts_with("ODD"));
        for (name, shown) in odd.filter(|(_, shown)| **shown != expected[ODD]) {
            wrong.push((
                ODD,
                format!("the network shows {shown} of {name}, not {}", expected[ODD]),
            ));
        }
        wrong
    }

    /// What an item's number is made of: what is there, and each order of it with its sales.
    pub fn told_of(&self, item: usize) -> String {
        let mut told = format!("{} available", self.available(item));
        for key in self.stock.ordered.get(&item).into_iter().flatten() {
            let order = &self.orders[key];
            let sales = self.stock.sold.get(&item).into_iter().flatten();
            let own: Vec<_> = sales
                .filter(|at| self.sales[**at].order == *key)
                .map(|at| (&self.sales[*at], self.left(*at)))
                .collect();
            told = format!("{told}\n  {order:?} {own:?}");
        }
        told
    }
}

impl GoodsOut {
    /// Its units are not in the house any more.
    fn has_left(&self) -> bool {
        !self.gone && !self.is_open()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a verdict is a result")]
fn ticket(id: u64) -> Verdict {
    Ok(Outcome::Pending(Ticket {
        handle: format!("level/{id}"),
        check_in_secs: 1,
    }))
}

impl Network {
    /// Takes levels in one call; what is sent twice is the same.
    pub(crate) async fn levels(
        &self,
        call: &Call,
        batch: &[Delivery],
    ) -> Result<Vec<Verdict>, CallError> {
        let host = |error: PortError| CallError::Host(error.0);
        let (connection, scope) = (call.connection, &call.scope);
        let begun = self
            .journal
            .begin(connection, scope, "levels", &[], Some(Millis::MAX));
        let effect = match begun.await.map_err(host)? {
            Begun::Fresh(effect) => effect,
            Begun::Replay(id) => {
                let id = String::from_utf8_lossy(&id).parse().unwrap_or(0);
                return Ok(batch.iter().map(|_| ticket(id)).collect());
            }
            Begun::InDoubt { .. } => {
                return Err(CallError::Contract("levels are never in doubt".to_owned()));
            }
        };
        let told = |delivery: &Delivery| {
            let Body::InventoryLevel(level) = &delivery.document.body else {
                panic!("a batch is of one kind")
            };
            assert_eq!(level.warehouse, "EAST", "its only warehouse");
            (level.item.clone(), level.available.normal().units)
        };
        let luck = self.line.send(call, 60).await;
        let mut id = 0;
        if matches!(luck, Luck::Good | Luck::CutAfter) {
            let mut world = lock(&self.world);
            let wait = world.chance.below(PROCESSED_MS);
            id = world.stock.queue.len() as u64;
            let queued = Queued {
                at: self.clock.now_ms() + Millis::try_from(wait).unwrap_or(0),
                levels: batch.iter().map(told).collect(),
                done: false,
            };
            world.stock.queue.insert(id, queued);
            world.stock.waiting.insert(id);
        }
        let finish = match luck {
            Luck::CutBefore | Luck::CutAfter => {
                return Err(CallError::Failure(Failure::Retry(None)));
            }
            Luck::Refused(_) => Finish::NothingHappened,
            Luck::Good => Finish::Answered(id.to_string().into_bytes()),
        };
        self.journal.finish(effect, finish).await.map_err(host)?;
        if luck != Luck::Good {
            return Err(CallError::Failure(luck.failure()));
        }
        Ok(batch.iter().map(|_| ticket(id)).collect())
    }

    /// What became of queued levels; `None`: the handle is of something else.
    pub(crate) fn levelled(world: &Outside, handle: &str) -> Option<Verdict> {
        let id: u64 = handle.strip_prefix("level/")?.parse().ok()?;
        let done = world.stock.queue.get(&id).is_some_and(|q| q.done);
        if !done {
            return Some(ticket(id));
        }
        Some(Ok(Outcome::Done(Receipt {
            key: handle.to_owned(),
            number: None,
            duplicate: false,
            links: Vec::new(),
        })))
    }
}
