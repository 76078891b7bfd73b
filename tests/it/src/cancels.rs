//! Cancels of both sides: the retailer's, with and without asking, the merchant's, and the calls that carry them over. A
//! second call for what is cancelled already is counted: there must be none.

use crate::erp::Erp;
use crate::judge::has_card;
use crate::line::{Line, Luck};
use crate::network::Network;
use crate::world::{Chance, Outside, lock};
use waybill_host::connector::{Call, CallError};
use waybill_host::ports::{Begun, Finish, Journal, PortError};
use waybill_model::contract::{Delivery, Failure, Outcome, Page, Problem, Receipt, Verdict};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, CancelPhase, Cancellation, Document, LineState, OrderState};
use waybill_model::ids::Millis;
use waybill_store::Store;

/// How long a doubt rests before a look counts.
const SETTLED_MS: Millis = 2_000;

/// What was cancelled outside the agent, and how often it asked for it again.
#[derive(Debug, Default)]
pub struct Cancels {
    /// Keys of orders whose retailer asked.
    pub asked: Vec<String>,
    /// Numbers of sales in the order of change.
    pub states: Vec<usize>,
    /// Calls for what was cancelled already.
    pub twice: Vec<String>,
}

impl Outside {
    /// Somebody cancels an order of which nothing is packed: the retailer, the merchant, or the retailer asks.
    pub fn cancel_some(&mut self, chance: &mut Chance) {
        for at in self.at_work.clone() {
            let sale = &self.sales[at];
            let (id, key) = (sale.id, sale.order.clone());
            let packed = self.warehouse.of_sale(id).next().is_some();
            let Some(order) = self.orders.get(&key).filter(|o| !o.slow) else {
                continue;
            };
            let stands = order.acknowledged && order.number.is_some() && !order.cancelled;
            if !stands || packed || sale.cancelled || chance.below(10_000) >= self.pace {
                continue;
            }
            match chance.below(3) {
                0 => {
                    self.given_up(&order.clone());
                    self.cancel_order(&key);
                }
                // A sale that is invoiced cannot be.
                1 if self.bills.is_made(id) => {}
                1 => {
                    self.sales[at].cancelled = true;
                    self.cancels.states.push(at);
                    self.tell("order-state", &id.to_string(), chance);
                }
                _ if !self.cancels.asked.contains(&key) => self.cancels.asked.push(key),
                _ => {}
            }
        }
    }
}

/// The request of one order, as the network's connector hands it over.
fn request(key: &str) -> Document {
    Document {
        key: key.to_owned(),
        revision: "asked".to_owned(),
        occurred_at: 0,
        body: Body::Cancellation(Cancellation {
            order_key: key.to_owned(),
            phase: CancelPhase::Requested,
            reason: Some("REGRET".to_owned()),
            lines: Vec::new(),
        }),
    }
}

fn from(cursor: Option<&[u8]>) -> usize {
    let text = cursor.and_then(|c| std::str::from_utf8(c).ok());
    text.and_then(|c| c.parse().ok()).unwrap_or(0)
}

/// A page of requests.
pub(crate) fn requests(world: &Outside, cursor: Option<&[u8]>) -> Page {
    let asked = &world.cancels.asked;
    let new = asked.iter().skip(from(cursor));
    Page {
        documents: new.map(|key| request(key)).collect(),
        cursor: asked.len().to_string().into_bytes(),
        more: false,
    }
}

/// A page of sales that changed.
pub(crate) fn states(world: &Outside, cursor: Option<&[u8]>) -> Page {
    let changed = &world.cancels.states;
    let from = from(cursor);
    let to = (from + world.page).min(changed.len());
    Page {
        documents: changed[from..to]
            .iter()
            .map(|at| state(world, *at))
            .collect(),
        cursor: to.to_string().into_bytes(),
        more: to < changed.len(),
    }
}

/// These sales as they are now.
pub(crate) fn states_of(world: &Outside, keys: &[String]) -> Vec<Document> {
    let ids = keys.iter().filter_map(|key| key.parse().ok());
    ids.filter_map(|id| world.sale(id))
        .map(|(at, _)| state(world, at))
        .collect()
}

fn state(world: &Outside, at: usize) -> Document {
    let sale = &world.sales[at];
    let (aside, left) = world.aside_and_left(at);
    let units = world.orders.get(&sale.order).map_or(0, |o| o.units);
    let line = LineState {
        line: "1".to_owned(),
        allocated: Decimal::whole(aside),
        shipped: Decimal::whole(left),
        cancelled: Decimal::whole(if sale.cancelled { units } else { 0 }),
        invoiced: Decimal::ZERO,
    };
    let status = match (sale.cancelled, sale.released) {
        (true, _) => "5",
        (false, true) => "22",
        (false, false) => "21",
    };
    Document {
        key: sale.id.to_string(),
        revision: format!("{} {status} {left}", sale.changes),
        occurred_at: 0,
        body: Body::OrderState(OrderState {
            order_key: sale.id.to_string(),
            status: status.to_owned(),
            cancelled: sale.cancelled,
            invoices: Vec::new(),
            lines: vec![line],
        }),
    }
}

/// What one side does with a cancel.
enum Done {
    Now,
    Before,
    Refused(&'static str),
}

fn verdict(done: &Done, duplicate: bool) -> Verdict {
    match done {
        Done::Refused(code) => Err(Failure::Rejected(Problem::new(
            code,
            "It cannot be.",
            "Look.",
        ))),
        _ => Ok(Outcome::Done(Receipt {
            key: "cancelled".to_owned(),
            number: None,
            duplicate,
            links: Vec::new(),
        })),
    }
}

/// One member: looked at first, then sent as a step of its own. `since`: when the call began.
async fn carry(
    (journal, line): (&dyn Journal, &Line),
    call: &Call,
    member: u32,
    since: Millis,
    is_done: impl Fn() -> bool,
    act: impl FnOnce() -> Done,
) -> Result<Verdict, CallError> {
    let host = |error: PortError| CallError::Host(error.0);
    let (connection, scope) = (call.connection, &call.scope);
    let members = [member];
    let begin = |absent| journal.begin(connection, scope, "cancel", &members, absent);
    // One request looks, one acts.
    for _ in 0..2 {
        if !line.place(call, since).await {
            return Ok(Err(Failure::Retry(None)));
        }
    }
    if is_done() {
        return Ok(verdict(&Done::Before, true));
    }
    let now = line.clock.now_ms();
    let effect = match begin(None).await.map_err(host)? {
        Begun::Fresh(effect) => effect,
        Begun::Replay(_) => return Ok(verdict(&Done::Now, false)),
        Begun::InDoubt { since } if now - since < SETTLED_MS => {
            return Ok(Err(Failure::Retry(Some(2))));
        }
        Begun::InDoubt { since } => match begin(Some(since)).await.map_err(host)? {
            Begun::Fresh(effect) => effect,
            _ => return Err(CallError::Contract("still in doubt".to_owned())),
        },
    };
    let luck = line.send(call, 60).await;
    if let Luck::Refused(_) = luck {
        let nothing = Finish::NothingHappened;
        journal.finish(effect, nothing).await.map_err(host)?;
        return Ok(Err(luck.failure()));
    }
    if luck == Luck::CutBefore {
        return Ok(Err(luck.failure()));
    }
    let done = act();
    if luck == Luck::CutAfter {
        return Ok(Err(luck.failure()));
    }
    let finish = match done {
        Done::Refused(_) => Finish::NothingHappened,
        _ => Finish::Answered(b"cancelled".to_vec()),
    };
    journal.finish(effect, finish).await.map_err(host)?;
    Ok(verdict(&done, false))
}

impl Erp {
    /// Cancels a sale, unless it has a note.
    pub(crate) async fn cancel(
        &self,
        call: &Call,
        member: u32,
        delivery: &Delivery,
        since: Millis,
    ) -> Result<Verdict, CallError> {
        let Body::Cancellation(cancel) = &delivery.document.body else {
            panic!("only a cancellation is cancelled")
        };
        let id: u64 = cancel.order_key.parse().expect("the key of a sale");
        let at = |world: &Outside| world.sale(id).expect("a sale").0;
        let is_done = || {
            let world = lock(&self.world);
            world.sales[at(&world)].cancelled
        };
        let act = || {
            let mut world = lock(&self.world);
            let at = at(&world);
            if world.warehouse.of_sale(id).any(|n| !n.gone) {
                return Done::Refused("cancel-stage");
            }
            if world.bills.is_made(id) {
                return Done::Refused("cancel-invoiced");
            }
            if std::mem::replace(&mut world.sales[at].cancelled, true) {
                world.cancels.twice.push(format!("sale {id}"));
            }
            world.cancels.states.push(at);
            Done::Now
        };
        let ports = (&*self.journal, &self.line);
        carry(ports, call, member, since, is_done, act).await
    }
}

impl Network {
    /// Takes cancels of whole orders.
    pub(crate) async fn cancel(
        &self,
        call: &Call,
        batch: &[Delivery],
    ) -> Result<Vec<Verdict>, CallError> {
        let since = self.clock.now_ms();
        let mut verdicts = Vec::new();
        for (member, delivery) in (0..).zip(batch) {
            let Body::Cancellation(cancel) = &delivery.document.body else {
                panic!("a batch is of one kind")
            };
            let units: i64 = cancel.lines.iter().map(|l| l.quantity.normal().units).sum();
            let key = &cancel.order_key;
            let is_done = || lock(&self.world).orders[key].cancelled;
            let act = || {
                let mut world = lock(&self.world);
                let order = world.orders.get(key).expect("an order").clone();
                if order.cancelled {
                    world.cancels.twice.push(format!("order {key}"));
                    return Done::Refused("order-cancelled");
                }
                if units != order.units - order.shipped || order.shipped > 0 {
                    return Done::Refused("not-the-whole");
                }
                world.given_up(&order);
                world.cancel_order(key);
                Done::Now
            };
            let ports = (&*self.journal, &self.line);
            verdicts.push(carry(ports, call, member, since, is_done, act).await?);
        }
        Ok(verdicts)
    }
}

/// What one side cancelled is cancelled on the other, or a card says why not; and nobody was asked twice.
pub(crate) fn judge(world: &Outside, store: &Store, wrong: &mut Vec<String>) {
    for twice in &world.cancels.twice {
        wrong.push(format!("{twice} was cancelled twice"));
    }
    for sale in &world.sales {
        let key = &sale.order;
        let Some(order) = world.orders.get(key) else {
            continue;
        };
        if order.cancelled != sale.cancelled && !has_card(store, key) {
            wrong.push(format!(
                "order {key} is cancelled {}, its sale {} is cancelled {}, and there is no card",
                order.cancelled, sale.id, sale.cancelled
            ));
        }
    }
}
