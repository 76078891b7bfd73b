//! Cancels of both sides: the retailer's, with and without asking, the merchant's, and the calls that carry them over. A
//! second call for what is cancelled already is counted: there must be none.

use crate::erp::Erp;
use crate::network::Network;
use crate::simulation::has_card;
use crate::world::{Chance, Luck, Outside, lock};
use waybill_host::connector::{Call, CallError};
use waybill_host::ports::{Begun, Finish, Journal, PortError};
use waybill_model::contract::{Delivery, Failure, Outcome, Page, Problem, Receipt, Verdict};
use waybill_model::document::{Body, CancelPhase, Cancellation, Document, OrderState};
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
        for at in 0..self.sales.len() {
            let key = self.sales[at]
                .reference
                .trim_start_matches("order:")
                .to_owned();
            let packed = self
                .warehouse
                .notes
                .iter()
                .any(|n| n.sale == self.sales[at].id);
            let Some(order) = self.orders.get_mut(&key) else {
                continue;
            };
            let stands = order.acknowledged && order.number.is_some() && !order.cancelled;
            if !stands || packed || self.sales[at].cancelled || !chance.per_mille(15) {
                continue;
            }
            let billed = self.bills.made.contains(&self.sales[at].id);
            match chance.below(3) {
                0 => {
                    order.cancelled = true;
                    order.version += 1;
                    self.events.push(key);
                }
                // A sale that is invoiced cannot be.
                1 if billed => {}
                1 => {
                    self.sales[at].cancelled = true;
                    self.cancels.states.push(at);
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
    let state = |at: &usize| {
        let sale = &world.sales[*at];
        Document {
            key: sale.id.to_string(),
            revision: format!("cancelled {}", sale.cancelled),
            occurred_at: 0,
            body: Body::OrderState(OrderState {
                order_key: sale.id.to_string(),
                status: "5".to_owned(),
                cancelled: sale.cancelled,
                invoices: Vec::new(),
                lines: Vec::new(),
            }),
        }
    };
    Page {
        documents: changed.iter().skip(from(cursor)).map(state).collect(),
        cursor: changed.len().to_string().into_bytes(),
        more: false,
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

/// One member: looked at first, then sent as a step of its own.
async fn carry(
    journal: &dyn Journal,
    call: &Call,
    member: u32,
    now: Millis,
    is_done: impl Fn() -> bool,
    luck: impl FnOnce() -> Luck,
    act: impl FnOnce() -> Done,
) -> Result<Verdict, CallError> {
    let host = |error: PortError| CallError::Host(error.0);
    let (connection, scope) = (call.connection, &call.scope);
    let members = [member];
    let begin = |absent| journal.begin(connection, scope, "cancel", &members, absent);
    if is_done() {
        return Ok(verdict(&Done::Before, true));
    }
    let effect = match begin(false).await.map_err(host)? {
        Begun::Fresh(effect) => effect,
        Begun::Replay(_) => return Ok(verdict(&Done::Now, false)),
        Begun::InDoubt { since } if now - since < SETTLED_MS => {
            return Ok(Err(Failure::Retry(Some(2))));
        }
        Begun::InDoubt { .. } => match begin(true).await.map_err(host)? {
            Begun::Fresh(effect) => effect,
            _ => return Err(CallError::Contract("still in doubt".to_owned())),
        },
    };
    let luck = luck();
    let nothing = Finish::NothingHappened;
    if luck == Luck::Throttled {
        journal.finish(effect, nothing).await.map_err(host)?;
        return Ok(Err(Failure::Retry(Some(1))));
    }
    if luck == Luck::CutBefore {
        return Ok(Err(Failure::Retry(None)));
    }
    let done = act();
    if luck == Luck::CutAfter {
        return Ok(Err(Failure::Retry(None)));
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
    ) -> Result<Verdict, CallError> {
        let Body::Cancellation(cancel) = &delivery.document.body else {
            panic!("only a cancellation is cancelled")
        };
        let id: u64 = cancel.order_key.parse().expect("the key of a sale");
        let at = |world: &Outside| world.sales.iter().position(|s| s.id == id).expect("a sale");
        let is_done = || {
            let world = lock(&self.world);
            world.sales[at(&world)].cancelled
        };
        let act = || {
            let mut world = lock(&self.world);
            let at = at(&world);
            if world
                .warehouse
                .notes
                .iter()
                .any(|n| n.sale == id && !n.gone)
            {
                return Done::Refused("cancel-stage");
            }
            if world.bills.made.contains(&id) {
                return Done::Refused("cancel-invoiced");
            }
            if std::mem::replace(&mut world.sales[at].cancelled, true) {
                world.cancels.twice.push(format!("sale {id}"));
            }
            world.cancels.states.push(at);
            Done::Now
        };
        let luck = || lock(&self.world).luck();
        let now = self.clock.now_ms();
        carry(&*self.journal, call, member, now, is_done, luck, act).await
    }
}

impl Network {
    /// Takes cancels of whole orders.
    pub(crate) async fn cancel(
        &self,
        call: &Call,
        batch: &[Delivery],
    ) -> Result<Vec<Verdict>, CallError> {
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
                let Outside {
                    orders,
                    events,
                    cancels,
                    ..
                } = &mut *world;
                let order = orders.get_mut(key).expect("an order");
                if order.cancelled {
                    cancels.twice.push(format!("order {key}"));
                    return Done::Refused("order-cancelled");
                }
                if units != order.units - order.shipped || order.shipped > 0 {
                    return Done::Refused("not-the-whole");
                }
                order.cancelled = true;
                order.version += 1;
                events.push(key.clone());
                Done::Now
            };
            let luck = || lock(&self.world).luck();
            let now = self.clock.now_ms();
            verdicts.push(carry(&*self.journal, call, member, now, is_done, luck, act).await?);
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
        let key = sale.reference.trim_start_matches("order:");
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
