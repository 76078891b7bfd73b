//! The network's side of shipments: told in batches, judged later, and believed. It refuses what a network refuses, but
//! it does not stop what it cannot know: units told twice are units counted twice.

use crate::line::{Luck, Side};
use crate::network::Network;
use crate::world::{Outside, lock};
use std::collections::BTreeMap;
use waybill_host::connector::{Call, CallError};
use waybill_host::ports::{Begun, Finish, PortError};
use waybill_model::contract::{Delivery, Failure, Outcome, Problem, Receipt, Ticket, Verdict};
use waybill_model::document::Body;
use waybill_model::ids::Millis;

/// A queued shipment is processed within this time, and its sender may believe its own look-up after it.
const PROCESSED_MS: Millis = 5_000;

/// One parcel as it was told.
#[derive(Debug, Clone)]
pub struct Told {
    /// The order's key.
    pub order: String,
    /// The note it came from.
    pub note: String,
    /// Tracking number.
    pub tracking: String,
    /// Units of its one line.
    pub units: i64,
}

/// What became of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Taken.
    Taken,
    /// Refused, with the network's words.
    Refused(&'static str),
    /// Its order was cancelled.
    Cancelled,
}

/// A call's parcels, and what became of each once they are processed.
#[derive(Debug, Clone)]
pub struct Shipping {
    /// When it takes effect.
    pub at: Millis,
    /// What was told.
    pub members: Vec<Told>,
    /// By note.
    pub words: Option<BTreeMap<String, Word>>,
}

impl Outside {
    /// Processes shipments whose time has come.
    pub fn take_shipments(&mut self, now: Millis) {
        let Self {
            shippings,
            shipping,
            orders,
            events,
            taken,
            ..
        } = self;
        shipping.retain(|ticket| {
            let Some(shipping) = shippings.get_mut(ticket).filter(|s| s.at <= now) else {
                return true;
            };
            let mut words = BTreeMap::new();
            for told in &shipping.members {
                let word = match orders.get_mut(&told.order) {
                    None => Word::Refused("There is no such order."),
                    Some(order) if order.cancelled => Word::Cancelled,
                    Some(_) if told.tracking.starts_with("BAD") => {
                        Word::Refused("The tracking number is not one of the carrier's.")
                    }
                    Some(order) => {
                        order.shipped += told.units;
                        order.parcels.push((told.tracking.clone(), told.units));
                        order.version += 1;
                        events.push(told.order.clone());
                        taken.push(told.clone());
                        Word::Taken
                    }
                };
                words.insert(told.note.clone(), word);
            }
            shipping.words = Some(words);
            false
        });
    }
}

fn told(delivery: &Delivery) -> Told {
    let Body::Shipment(shipment) = &delivery.document.body else {
        panic!("only shipments are pushed to the network")
    };
    let lines = shipment.parcels.iter().flat_map(|p| &p.lines);
    let units = lines.map(|line| {
        assert!(line.part.is_none(), "a component was pushed");
        line.quantity.normal().units
    });
    Told {
        order: shipment.order_key.clone(),
        note: delivery.document.key.clone(),
        tracking: shipment.parcels[0].tracking.clone().unwrap_or_default(),
        units: units.sum(),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a verdict is a result")]
fn ticket(id: u64, note: &str) -> Verdict {
    Ok(Outcome::Pending(Ticket {
        handle: format!("ship/{id}/{note}"),
        check_in_secs: 1,
    }))
}

#[expect(clippy::unnecessary_wraps, reason = "a verdict is a result")]
fn taken(note: &str, duplicate: bool) -> Verdict {
    Ok(Outcome::Done(Receipt {
        key: format!("P{note}"),
        number: None,
        duplicate,
        links: Vec::new(),
    }))
}

impl Network {
    /// Tells shipments in one call. In doubt, it looks first: what is there is adopted, the rest is sent again.
    pub(crate) async fn ship(
        &self,
        call: &Call,
        batch: &[Delivery],
    ) -> Result<Vec<Verdict>, CallError> {
        let told: Vec<Told> = batch.iter().map(told).collect();
        self.tell(call, &told, (0..told.len()).collect()).await
    }

    /// These members of the batch, in one call where no part of them was begun at another time.
    async fn tell(
        &self,
        call: &Call,
        batch: &[Told],
        members: Vec<usize>,
    ) -> Result<Vec<Verdict>, CallError> {
        let host = |error: PortError| CallError::Host(error.0);
        let begin = |members: Vec<usize>, absent: Option<Millis>| async move {
            let (connection, scope) = (call.connection, &call.scope);
            let members = members.into_iter().map(|at| u32::try_from(at).unwrap_or(0));
            let members: Vec<u32> = members.collect();
            self.journal
                .begin(connection, scope, "ship", &members, absent)
                .await
                .map_err(host)
        };
        let of = |members: &[usize]| -> Vec<Told> {
            members.iter().map(|at| batch[*at].clone()).collect()
        };
        let mut adopted: BTreeMap<usize, Verdict> = BTreeMap::new();
        let effect = match begin(members.clone(), None).await? {
            Begun::Fresh(effect) => effect,
            Begun::Replay(id) => return Ok(replayed(&id, &of(&members))),
            Begun::InDoubt { since } => {
                if self.clock.now_ms() - since < PROCESSED_MS + 1_000 {
                    return Err(CallError::Failure(Failure::Retry(Some(2))));
                }
                for at in &members {
                    if let Some(verdict) = self.shows(&batch[*at]) {
                        adopted.insert(*at, verdict);
                    }
                }
                let rest: Vec<usize> = members
                    .iter()
                    .copied()
                    .filter(|at| !adopted.contains_key(at))
                    .collect();
                if rest.is_empty() {
                    return Ok(adopted.into_values().collect());
                }
                match begin(rest.clone(), Some(since)).await? {
                    Begun::Fresh(effect) => effect,
                    // Younger calls among them were not looked up yet, or one has an answer: each alone.
                    _ if members.len() > 1 => {
                        for at in rest {
                            let verdict = match Box::pin(self.tell(call, batch, vec![at])).await {
                                Ok(mut verdicts) => verdicts.remove(0),
                                Err(CallError::Failure(failure)) => Err(failure),
                                Err(other) => return Err(other),
                            };
                            adopted.insert(at, verdict);
                        }
                        return Ok(adopted.into_values().collect());
                    }
                    _ => return Err(CallError::Failure(Failure::Retry(Some(2)))),
                }
            }
        };
        let sent: Vec<usize> = members
            .iter()
            .copied()
            .filter(|at| !adopted.contains_key(at))
            .collect();
        let (luck, id) = self.queue(&of(&sent));
        let verdict = |at: usize| match luck {
            // What was adopted is done: it must not lend its age to what was sent just now.
            Luck::CutBefore | Luck::CutAfter => Err(Failure::Retry(None)),
            _ => ticket(id, &batch[at].note),
        };
        match luck {
            Luck::Refused(_) => {
                let nothing = Finish::NothingHappened;
                self.journal.finish(effect, nothing).await.map_err(host)?;
                return Err(CallError::Failure(luck.failure()));
            }
            Luck::CutBefore | Luck::CutAfter => {}
            Luck::Good => {
                let answer = Finish::Answered(id.to_string().into_bytes());
                self.journal.finish(effect, answer).await.map_err(host)?;
            }
        }
        let verdicts = members
            .iter()
            .map(|at| adopted.remove(at).unwrap_or_else(|| verdict(*at)));
        Ok(verdicts.collect())
    }

    /// What the network shows of a parcel: a tracking number is known once, with what lies in it.
    fn shows(&self, told: &Told) -> Option<Verdict> {
        let world = lock(&self.world);
        let order = world.orders.get(&told.order)?;
        let mut parcels = order.parcels.iter();
        let (_, units) = parcels.find(|(tracking, _)| *tracking == told.tracking)?;
        if *units == told.units {
            return Some(taken(&told.note, true));
        }
        let words = "The tracking number is of a parcel with other contents.";
        let problem = Problem::new("tracking-taken", words, "Compare the parcel.");
        Some(Err(Failure::Rejected(problem)))
    }

    fn queue(&self, members: &[Told]) -> (Luck, u64) {
        let now = self.clock.now_ms();
        let mut world = lock(&self.world);
        let luck = world.meet(Side::Network, now);
        let id = world.shippings.len() as u64;
        if matches!(luck, Luck::Good | Luck::CutAfter) {
            let wait = world.chance.below(PROCESSED_MS.unsigned_abs());
            let shipping = Shipping {
                at: now + Millis::try_from(wait).unwrap_or(0),
                members: members.to_vec(),
                words: None,
            };
            world.shippings.insert(id, shipping);
            world.shipping.insert(id);
        }
        (luck, id)
    }

    /// What became of a queued shipment; `None`: the handle is of something else.
    pub(crate) fn shipped(world: &Outside, handle: &str) -> Option<Verdict> {
        let (id, note) = handle.strip_prefix("ship/")?.split_once('/')?;
        let shipping = id.parse().ok().and_then(|id: u64| world.shippings.get(&id));
        let words = shipping.and_then(|s| s.words.as_ref());
        Some(match words.map(|words| words.get(note)) {
            None => Ok(Outcome::Pending(Ticket {
                handle: handle.to_owned(),
                check_in_secs: 1,
            })),
            Some(Some(Word::Taken)) => taken(note, false),
            Some(Some(Word::Refused(why))) => {
                Err(Failure::Rejected(Problem::new("refused", *why, "Mend it.")))
            }
            Some(Some(Word::Cancelled)) => Err(Failure::Withdrawn(Problem::new(
                "order-cancelled",
                "The order is cancelled.",
                "Nothing to do.",
            ))),
            Some(None) => Err(Failure::Retry(None)),
        })
    }
}

/// A stored answer names the call; each member asks for its own note.
fn replayed(id: &[u8], told: &[Told]) -> Vec<Verdict> {
    let id: u64 = String::from_utf8_lossy(id).parse().unwrap_or(0);
    told.iter().map(|t| ticket(id, &t.note)).collect()
}
