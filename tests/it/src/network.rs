//! A scripted order network: a stream with a cursor, acknowledgements that are queued first and judged later.

use crate::erp::{answer, not_exported};
use crate::line::{Line, Luck};
use crate::plan::Plant;
use crate::world::{Case, NetworkOrder, Queued, World, lock};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::sync::Arc;
use waybill_host::connector::{Answer, Call, CallError, Connector};
use waybill_host::ports::{Begun, Clock, Finish, Journal};
use waybill_model::contract::{
    ChoicePage, Delivery, Descriptor, Failure, Feed, Field, Intake, Moment, Outcome, Page, Pairs,
    Problem, Receipt, Role, Scope, Setting, Settled, Ticket, Verdict,
};
use waybill_model::decimal::Decimal;
use waybill_model::document::{
    Address, Body, Deadline, DeadlineSource, Document, Entity, Extra, Identifier, Order, OrderLine,
    OrderPhase,
};
use waybill_model::ids::{Generation, Millis};

/// The network's connector.
pub struct Network {
    /// The outside.
    pub world: World,
    /// The journal, as the host would use it.
    pub journal: Arc<dyn Journal>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What it says of itself.
    pub descriptor: Descriptor,
    /// Roles.
    pub roles: BTreeSet<Role>,
    /// The line to it.
    pub line: Line,
}

/// What the network says of itself.
pub fn descriptor() -> Descriptor {
    Descriptor {
        id: "network".to_owned(),
        version: "1".to_owned(),
        title: "Network".to_owned(),
        reach: Vec::new(),
        credentials: Vec::new(),
        settings: vec![Setting {
            key: "generic-codes".to_owned(),
            label: "Codes that stand for no one method".to_owned(),
            help: String::new(),
            group: "shipments".to_owned(),
            required: false,
            per_retailer: true,
            default: Some("GCG,GND".to_owned()),
            field: Field::Text,
            was: Vec::new(),
        }],
        tables: Vec::new(),
        pulls: vec![
            Feed {
                entity: Entity::Order,
                poll_secs: 5,
                settles: vec![Moment::Accepted, Moment::Delivered],
            },
            Feed {
                entity: Entity::Cancellation,
                poll_secs: 5,
                settles: Vec::new(),
            },
        ],
        pushes: [Entity::Shipment, Entity::Cancellation, Entity::Invoice]
            .map(|entity| Intake {
                entity,
                max_batch: 1_000,
                self_decrementing: false,
            })
            .to_vec(),
    }
}

/// An order as the connector hands it over.
pub fn document(order: &NetworkOrder) -> Document {
    let quantity = Decimal::whole(order.units);
    let phase = match (order.cancelled, order.acknowledged) {
        (true, _) => OrderPhase::Cancelled,
        (false, true) if order.shipped >= order.units => OrderPhase::Completed,
        (false, true) => OrderPhase::Accepted,
        (false, false) => OrderPhase::Open,
    };
    Document {
        key: order.key.clone(),
        revision: order.version.to_string(),
        occurred_at: 0,
        body: Body::Order(Order {
            number: format!("PO-{}", order.key),
            retailer: order.retailer.clone(),
            retailer_name: format!("Retailer {}", order.retailer),
            kind: "dropship".to_owned(),
            test: order.case == Case::Test,
            phase,
            currency: Some("USD".to_owned()),
            placed_at: None,
            acknowledge_by: None,
            ship_by: Some(Deadline {
                at: order.ship_by,
                set_by: DeadlineSource::Order,
            }),
            invoice_by: None,
            cancel_after: None,
            customer: None,
            warehouse: None,
            shipping_method: None,
            bill_to: None,
            ship_to: Address {
                name: "Jo Shopper".to_owned(),
                company: None,
                attention: None,
                street: vec!["1 Way".to_owned()],
                city: "Austin".to_owned(),
                region: None,
                postcode: "78701".to_owned(),
                country: Some("US".to_owned()),
                phone: None,
                email: None,
            },
            lines: vec![OrderLine {
                line: "1".to_owned(),
                number: Some(1),
                identifiers: vec![Identifier {
                    kind: "sku".to_owned(),
                    value: order.item.clone(),
                }],
                title: "A thing".to_owned(),
                quantity,
                cancelled: if order.cancelled {
                    quantity
                } else {
                    Decimal::ZERO
                },
                shipped: Decimal::whole(order.shipped),
                unit_price: Some(Decimal::new(950, 2)),
                tax: None,
                ship_by: None,
                warehouse: None,
                extras: Vec::new(),
            }],
            charges: Vec::new(),
            total: None,
            supplier_number: order.number.clone(),
            extras: order.parcels.iter().map(parcel).collect(),
        }),
    }
}

/// A parcel as the network's connector shows it: its tracking number, and the units of the order's one line.
fn parcel((tracking, units): &(String, i64)) -> Extra {
    Extra {
        name: format!("package {tracking}"),
        value: format!("1: {units}"),
    }
}

impl Network {
    async fn acknowledge(
        &self,
        call: &Call,
        moment: Moment,
        batch: &[Settled],
    ) -> Result<Vec<Verdict>, CallError> {
        let now = self.clock.now_ms();
        let step = format!("acknowledge-{moment}");
        let members: Vec<u32> = (0..u32::try_from(batch.len()).unwrap_or(0)).collect();
        let host = |error: waybill_host::ports::PortError| CallError::Host(error.0);
        let begun = self
            .journal
            .begin(call.connection, &call.scope, &step, &members, None)
            .await
            .map_err(host)?;
        let effect = match begun {
            Begun::Fresh(effect) => effect,
            Begun::Replay(ticket) => return Ok(tickets(&ticket, batch.len())),
            // Asking again is harmless here, as it is believed to be at the vendor; a look-up would find nothing better.
            Begun::InDoubt { since } if now - since > 2_000 => {
                match self
                    .journal
                    .begin(
                        call.connection,
                        &call.scope,
                        &step,
                        &members,
                        Some(Millis::MAX),
                    )
                    .await
                    .map_err(host)?
                {
                    Begun::Fresh(effect) => effect,
                    Begun::Replay(ticket) => return Ok(tickets(&ticket, batch.len())),
                    Begun::InDoubt { .. } => {
                        return Err(CallError::Contract("still in doubt".to_owned()));
                    }
                }
            }
            Begun::InDoubt { .. } => return Err(CallError::Failure(Failure::Retry(Some(1)))),
        };
        let luck = self.line.send(call, 60).await;
        let ticket = match luck {
            Luck::Refused(_) => {
                self.journal
                    .finish(effect, Finish::NothingHappened)
                    .await
                    .map_err(host)?;
                return Err(CallError::Failure(luck.failure()));
            }
            Luck::CutBefore => return Err(CallError::Failure(luck.failure())),
            Luck::Good | Luck::CutAfter => {
                let mut world = lock(&self.world);
                let id = world.queue.len() as u64;
                let at = now + i64::try_from(world.chance.below(4_000)).unwrap_or(0);
                let number = |s: &Settled| {
                    (moment == Moment::Delivered)
                        .then(|| s.links.first().map(|l| l.key.clone()).unwrap_or_default())
                };
                let members = batch.iter().map(|s| (s.key.clone(), number(s))).collect();
                world.queue.insert(
                    id,
                    Queued {
                        at,
                        members,
                        outcome: None,
                    },
                );
                world.queued.insert(id);
                id
            }
        };
        if luck == Luck::CutAfter {
            return Err(CallError::Failure(Failure::Retry(None)));
        }
        let ticket = ticket.to_string().into_bytes();
        self.journal
            .finish(effect, Finish::Answered(ticket.clone()))
            .await
            .map_err(host)?;
        Ok(tickets(&ticket, batch.len()))
    }
}

impl Network {
    /// An order as it is handed over, with a bug where one is planted.
    fn handed(&self, order: &NetworkOrder) -> Document {
        let mut document = document(order);
        let Body::Order(shown) = &mut document.body else {
            return document;
        };
        if self.line.plant == Some(Plant::HidesDeadlines) {
            shown.ship_by = None;
        }
        document
    }

    fn page(&self, entity: Entity, cursor: Option<&[u8]>) -> Page {
        let mut world = lock(&self.world);
        world.tick(self.clock.now_ms());
        if entity == Entity::Cancellation {
            return crate::cancels::requests(&world, cursor);
        }
        let text = cursor.and_then(|c| std::str::from_utf8(c).ok());
        let mut from: usize = text.and_then(|c| c.parse().ok()).unwrap_or(0);
        // At least once: a restarted stream may hand out what was seen.
        if world.chance.per_mille(50) {
            from = from.saturating_sub(3);
        }
        let to = (from + world.page).min(world.events.len());
        let events = world.events[from..to].iter();
        let documents = events.map(|key| self.handed(&world.orders[key])).collect();
        Page {
            documents,
            cursor: to.to_string().into_bytes(),
            more: to < world.events.len(),
        }
    }
}

fn tickets(ticket: &[u8], members: usize) -> Vec<Verdict> {
    let id = String::from_utf8_lossy(ticket);
    (0..members)
        .map(|n| {
            Ok(Outcome::Pending(Ticket {
                handle: format!("{id}/{n}"),
                check_in_secs: 1,
            }))
        })
        .collect()
}

#[async_trait]
impl Connector for Network {
    fn generation(&self) -> Generation {
        Generation(1)
    }
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
    fn roles(&self) -> &BTreeSet<Role> {
        &self.roles
    }
    async fn validate(&self, _: Call) -> Answer<Vec<Problem>> {
        answer(Ok(Vec::new()))
    }
    async fn probe(&self, _: Call) -> Answer<Pairs> {
        answer(Ok(Vec::new()))
    }
    async fn choices(&self, _: Call, _: String, _: Option<String>) -> Answer<ChoicePage> {
        answer(Err(not_exported()))
    }
    async fn pull(&self, call: Call, entity: Entity, cursor: Option<Vec<u8>>) -> Answer<Page> {
        if let Err(failure) = self.line.ask(&call, 40).await {
            return answer(Err(CallError::Failure(failure)));
        }
        let page = self.page(entity, cursor.as_deref());
        self.line.told(&call, entity, &page).await;
        answer(Ok(page))
    }
    async fn fetch(&self, call: Call, entity: Entity, keys: Vec<String>) -> Answer<Vec<Document>> {
        if entity != Entity::Order {
            return answer(Err(not_exported()));
        }
        if let Err(failure) = self.line.ask(&call, 40).await {
            return answer(Err(CallError::Failure(failure)));
        }
        let mut world = lock(&self.world);
        world.tick(self.clock.now_ms());
        let found = keys.iter().filter_map(|key| world.orders.get(key));
        answer(Ok(found.map(|order| self.handed(order)).collect()))
    }
    async fn settle(
        &self,
        call: Call,
        moment: Moment,
        batch: Vec<Settled>,
    ) -> Answer<Vec<Verdict>> {
        answer(self.acknowledge(&call, moment, &batch).await)
    }
    async fn read(&self, _: Call, _: Entity, _: Scope, _: Option<Vec<u8>>) -> Answer<Page> {
        answer(Err(not_exported()))
    }
    async fn push(&self, call: Call, batch: Vec<Delivery>) -> Answer<Vec<Verdict>> {
        self.line.leaves(&call);
        self.clock.sleep_ms(60).await;
        let kind = batch.first().map(|d| d.document.body.entity());
        answer(match kind {
            Some(Entity::Cancellation) => self.cancel(&call, &batch).await,
            Some(Entity::Invoice) => self.bill(&call, &batch).await,
            Some(Entity::InventoryLevel) => self.levels(&call, &batch).await,
            _ => self.ship(&call, &batch).await,
        })
    }
    async fn confirm(&self, call: Call, handles: Vec<String>) -> Answer<Vec<Verdict>> {
        if let Err(failure) = self.line.ask(&call, 30).await {
            return answer(Err(CallError::Failure(failure)));
        }
        let mut world = lock(&self.world);
        world.tick(self.clock.now_ms());
        let verdict = |handle: &String| -> Verdict {
            let known = Self::shipped(&world, handle)
                .or_else(|| Self::billed(&world, handle))
                .or_else(|| Self::levelled(&world, handle));
            if let Some(verdict) = known {
                return verdict;
            }
            let (ticket, member) = handle.split_once('/').unwrap_or((handle, "0"));
            let queued = ticket.parse().ok().and_then(|t: u64| world.queue.get(&t));
            match (
                queued.and_then(|q| q.outcome.as_ref()),
                member.parse::<usize>(),
            ) {
                (Some(outcome), Ok(n)) => match outcome.get(n) {
                    Some(None) => Ok(Outcome::Done(Receipt {
                        key: handle.clone(),
                        number: None,
                        duplicate: false,
                        links: Vec::new(),
                    })),
                    Some(Some(why)) => Err(Failure::Withdrawn(Problem::new(
                        "order-cancelled",
                        why.clone(),
                        "Nothing to do.",
                    ))),
                    None => Err(Failure::Retry(None)),
                },
                _ => Ok(Outcome::Pending(Ticket {
                    handle: handle.clone(),
                    check_in_secs: 1,
                })),
            }
        };
        let verdicts = handles.iter().map(verdict).collect();
        answer(Ok(verdicts))
    }
}
