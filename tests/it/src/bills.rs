//! Invoices outside the agent: an accountant who makes them at the ERP, and the network that takes them in batches, judges
//! them later and believes them. It refuses a number it knows and units it has not seen shipped.

use crate::documents::{billed, invoice};
use crate::judge::has_card;
use crate::line::{Luck, Side};
use crate::network::Network;
use crate::world::{Chance, Outside, Sale, lock};
use std::collections::{BTreeMap, BTreeSet};
use waybill_host::connector::{Call, CallError};
use waybill_host::ports::{Begun, Finish, PortError};
use waybill_model::contract::{
    Delivery, Failure, Outcome, Page, Problem, Receipt, Ticket, Verdict,
};
use waybill_model::document::{Body, Document};
use waybill_model::ids::Millis;
use waybill_store::Store;

/// A queued invoice is processed within this time, and its sender may believe its own look-up after it.
const PROCESSED_MS: Millis = 5_000;
/// Cents of every unit of every order.
const PRICE: i64 = 950;

/// How a retailer wants its invoices.
pub fn policy(retailer: &str) -> &'static str {
    let number: u64 = retailer.trim_start_matches('R').parse().unwrap_or(0);
    ["order", "shipment", "none"][usize::try_from(number % 3).unwrap_or(0)]
}

/// One invoice as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billed {
    /// The order's key.
    pub order: String,
    /// Its number.
    pub number: String,
    /// Units of its one line.
    pub units: i64,
    /// What it is over.
    pub cents: i64,
}

/// A call's invoices, and why each was refused once they are processed.
#[derive(Debug)]
struct Queued {
    at: Millis,
    members: Vec<Billed>,
    words: Option<BTreeMap<String, Option<&'static str>>>,
}

/// Both sides' invoices.
#[derive(Debug, Default)]
pub struct Bills {
    /// Sales that were invoiced, in that order.
    made: Vec<u64>,
    known: BTreeSet<u64>,
    queue: BTreeMap<u64, Queued>,
    waiting: BTreeSet<u64>,
    /// What the network took.
    pub taken: Vec<Billed>,
    numbers: BTreeSet<String>,
    /// Units of each order that it took.
    units: BTreeMap<String, i64>,
}

impl Bills {
    /// Whether a sale was invoiced.
    pub fn is_made(&self, sale: u64) -> bool {
        self.known.contains(&sale)
    }
}

impl Outside {
    fn is_due(&self, sale: &Sale) -> bool {
        !sale.cancelled && !self.bills.is_made(sale.id)
    }

    /// The accountant invoices what is packed, and some sales before that.
    pub fn bill_some(&mut self, chance: &mut Chance) {
        for at in self.at_work.clone() {
            let sale = &self.sales[at];
            let Some(order) = self.orders.get(&sale.order).filter(|o| !o.slow) else {
                continue;
            };
            let most = if self.is_packed(sale, order) {
                1_000
            } else {
                30_000
            };
            if self.is_due(sale) && chance.below(most) < self.pace {
                let id = sale.id;
                self.bills.made.push(id);
                self.bills.known.insert(id);
                self.tell("invoice", &id.to_string(), chance);
            }
        }
    }

    /// Whether the accountant has something left to do.
    pub fn is_billing(&self) -> bool {
        let mut sales = self.at_work.iter().map(|at| &self.sales[*at]);
        sales.any(|sale| {
            let order = self.orders.get(&sale.order);
            self.is_due(sale) && order.is_some_and(|order| self.is_packed(sale, order))
        })
    }

    /// Processes invoices whose time has come.
    pub fn take_invoices(&mut self, now: Millis) {
        let Self { bills, orders, .. } = self;
        let Bills {
            queue,
            waiting,
            taken,
            numbers,
            units,
            ..
        } = bills;
        waiting.retain(|ticket| {
            let Some(queued) = queue.get_mut(ticket).filter(|q| q.at <= now) else {
                return true;
            };
            let mut words = BTreeMap::new();
            for bill in &queued.members {
                let before = units.entry(bill.order.clone()).or_default();
                let shipped = orders.get(&bill.order).map_or(0, |order| order.shipped);
                let refused = if numbers.contains(&bill.number) {
                    Some("That number is a duplicate.")
                } else if bill.units > shipped - *before {
                    Some("Not so many units are available to invoice.")
                } else {
                    *before += bill.units;
                    numbers.insert(bill.number.clone());
                    taken.push(bill.clone());
                    None
                };
                words.insert(bill.number.clone(), refused);
            }
            queued.words = Some(words);
            false
        });
    }
}

/// A page of the ERP's invoices; a restarted search may show what was seen.
pub(crate) fn made(world: &mut Outside, cursor: Option<&[u8]>) -> Page {
    let text = cursor.and_then(|c| std::str::from_utf8(c).ok());
    let mut from: usize = text.and_then(|c| c.parse().ok()).unwrap_or(0);
    if world.chance.per_mille(50) {
        from = from.saturating_sub(3);
    }
    let all = &world.bills.made;
    let to = (from + world.page).min(all.len());
    Page {
        documents: all[from..to]
            .iter()
            .filter_map(|id| document(world, *id))
            .collect(),
        cursor: to.to_string().into_bytes(),
        more: to < all.len(),
    }
}

fn document(world: &Outside, id: u64) -> Option<Document> {
    let (_, sale) = world.sale(id)?;
    let units = world.orders.get(&sale.order)?.units;
    let lines = vec![billed("1", units, PRICE)];
    Some(invoice(&id.to_string(), &format!("SI-{id}"), lines))
}

/// The invoices of these sales, as far as they have one.
pub(crate) fn found(world: &Outside, keys: &[String]) -> Vec<Document> {
    let ids = keys.iter().filter_map(|key| key.parse().ok());
    ids.filter(|id| world.bills.is_made(*id))
        .filter_map(|id| document(world, id))
        .collect()
}

fn told(delivery: &Delivery) -> Billed {
    let Body::Invoice(invoice) = &delivery.document.body else {
        panic!("a batch is of one kind")
    };
    let units = invoice.lines.iter().map(|l| l.quantity.normal().units);
    let gross = invoice.total.gross.rounded(2);
    Billed {
        order: invoice.order_key.clone(),
        number: invoice.number.clone(),
        units: units.sum(),
        cents: gross.units * 10_i64.pow(u32::from(2 - gross.scale)),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a verdict is a result")]
fn ticket(id: u64, number: &str) -> Verdict {
    Ok(Outcome::Pending(Ticket {
        handle: format!("bill/{id}/{number}"),
        check_in_secs: 1,
    }))
}

#[expect(clippy::unnecessary_wraps, reason = "a verdict is a result")]
fn taken(number: &str, duplicate: bool) -> Verdict {
    Ok(Outcome::Done(Receipt {
        key: number.to_owned(),
        number: None,
        duplicate,
        links: Vec::new(),
    }))
}

impl Network {
    /// Takes invoices, each an effect of its own. In doubt, its number is looked for.
    pub(crate) async fn bill(
        &self,
        call: &Call,
        batch: &[Delivery],
    ) -> Result<Vec<Verdict>, CallError> {
        let mut verdicts = Vec::new();
        for (member, delivery) in (0..).zip(batch) {
            verdicts.push(self.bill_one(call, member, told(delivery)).await?);
        }
        Ok(verdicts)
    }

    async fn bill_one(&self, call: &Call, member: u32, bill: Billed) -> Result<Verdict, CallError> {
        let host = |error: PortError| CallError::Host(error.0);
        let members = [member];
        let begin = |absent| {
            self.journal
                .begin(call.connection, &call.scope, "bill", &members, absent)
        };
        let effect = match begin(None).await.map_err(host)? {
            Begun::Fresh(effect) => effect,
            Begun::Replay(id) => {
                let id = String::from_utf8_lossy(&id).parse().unwrap_or(0);
                return Ok(ticket(id, &bill.number));
            }
            Begun::InDoubt { since } => {
                if lock(&self.world).bills.taken.contains(&bill) {
                    return Ok(taken(&bill.number, true));
                }
                if self.clock.now_ms() - since < PROCESSED_MS + 1_000 {
                    return Ok(Err(Failure::Retry(Some(2))));
                }
                match begin(Some(since)).await.map_err(host)? {
                    Begun::Fresh(effect) => effect,
                    _ => return Err(CallError::Contract("still in doubt".to_owned())),
                }
            }
        };
        let number = bill.number.clone();
        let (luck, id) = self.queue_bill(bill);
        let finish = match luck {
            Luck::CutBefore | Luck::CutAfter => return Ok(Err(Failure::Retry(None))),
            Luck::Refused(_) => Finish::NothingHappened,
            Luck::Good => Finish::Answered(id.to_string().into_bytes()),
        };
        self.journal.finish(effect, finish).await.map_err(host)?;
        Ok(match luck {
            Luck::Good => ticket(id, &number),
            _ => Err(luck.failure()),
        })
    }

    fn queue_bill(&self, bill: Billed) -> (Luck, u64) {
        let now = self.clock.now_ms();
        let mut world = lock(&self.world);
        let luck = world.meet(Side::Network, now);
        let id = world.bills.queue.len() as u64;
        if matches!(luck, Luck::Good | Luck::CutAfter) {
            let wait = world.chance.below(PROCESSED_MS.unsigned_abs());
            let queued = Queued {
                at: now + Millis::try_from(wait).unwrap_or(0),
                members: vec![bill],
                words: None,
            };
            world.bills.queue.insert(id, queued);
            world.bills.waiting.insert(id);
        }
        (luck, id)
    }

    /// What became of a queued invoice; `None`: the handle is of something else.
    pub(crate) fn billed(world: &Outside, handle: &str) -> Option<Verdict> {
        let (id, number) = handle.strip_prefix("bill/")?.split_once('/')?;
        let queued = id
            .parse()
            .ok()
            .and_then(|id: u64| world.bills.queue.get(&id));
        let words = queued.and_then(|q| q.words.as_ref());
        Some(match words.map(|words| words.get(number)) {
            None => Ok(Outcome::Pending(Ticket {
                handle: handle.to_owned(),
                check_in_secs: 1,
            })),
            Some(Some(None)) => taken(number, false),
            Some(Some(Some(why))) => {
                Err(Failure::Rejected(Problem::new("refused", *why, "Mend it.")))
            }
            Some(None) => Err(Failure::Retry(None)),
        })
    }
}

/// Every unit that shipped and was invoiced is told once, at its price, as its retailer wants it; and nothing else is.
pub(crate) fn judge(goes_back: bool, world: &Outside, store: &Store, wrong: &mut Vec<String>) {
    let mut numbers = BTreeSet::new();
    for bill in &world.bills.taken {
        if !numbers.insert(&bill.number) {
            wrong.push(format!("invoice {} was taken twice", bill.number));
        }
    }
    for order in world.orders.values() {
        let own = |bill: &&Billed| bill.order == order.key;
        let sent: Vec<&Billed> = world.bills.taken.iter().filter(own).collect();
        let (units, cents) = sent.iter().fold((0, 0), |(units, cents), b| {
            (units + b.units, cents + b.cents)
        });
        let sale = world.sales.iter().find(|sale| sale.order == order.key);
        let made = sale.is_some_and(|sale| world.bills.is_made(sale.id));
        let policy = policy(&order.retailer);
        if units > order.shipped
            || cents != units * PRICE
            || (policy == "none" || !made) && units > 0
        {
            wrong.push(format!(
                "order {} ({policy}, made {made}) was billed {units} units over {cents}, shipped {}",
                order.key, order.shipped
            ));
        }
        let whole = made && !order.cancelled && order.shipped == order.units && policy != "none";
        let card = goes_back && has_card(store, &order.key);
        let fits = units == order.units && (policy != "order" || sent.len() == 1);
        if whole && !fits && !card {
            wrong.push(format!(
                "order {} ({policy}) was billed {units} of {} units in {} invoices",
                order.key,
                order.units,
                sent.len()
            ));
        }
    }
}
