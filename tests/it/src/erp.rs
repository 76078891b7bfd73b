//! A scripted ERP: a catalogue, customers and sales; searches trail writes; answers get lost; calls are counted.

use crate::line::{Line, Luck};
use crate::plan::Plant;
use crate::warehouse::{Flaw, GoodsOut, Held, Warehouse};
use crate::world::{Outside, World, lock};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::sync::Arc;
use waybill_host::connector::{Answer, Call, CallError, Connector, Received};
use waybill_host::ports::{Begun, Clock, Finish, Journal};
use waybill_model::contract::{
    ChoicePage, Delivered, Delivery, Descriptor, Failure, Feed, Intake, Moment, Outcome, Page,
    Pairs, Problem, Receipt, Role, Scope, Settled, Verdict,
};
use waybill_model::document::{Body, Document, Entity, Identifier, Item};
use waybill_model::ids::{Generation, Millis};

/// An answer without side products.
pub fn answer<T>(value: Result<T, CallError>) -> Answer<T> {
    Answer {
        value,
        writes: Vec::new(),
        exchanges: Vec::new(),
        hold_until: None,
        excused: false,
    }
}

/// A role the scripts do not have.
pub fn not_exported() -> CallError {
    CallError::Contract("not exported".to_owned())
}

/// The ERP's connector.
pub struct Erp {
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

/// What the ERP says of itself.
pub fn descriptor() -> Descriptor {
    let intake = |entity, max_batch| Intake {
        entity,
        max_batch,
        self_decrementing: false,
    };
    Descriptor {
        id: "erp".to_owned(),
        version: "1".to_owned(),
        title: "ERP".to_owned(),
        reach: Vec::new(),
        credentials: Vec::new(),
        settings: Vec::new(),
        tables: Vec::new(),
        pulls: vec![
            Feed {
                entity: Entity::Item,
                poll_secs: 300,
                settles: Vec::new(),
            },
            Feed {
                entity: Entity::Shipment,
                poll_secs: 5,
                settles: Vec::new(),
            },
            Feed {
                entity: Entity::Invoice,
                poll_secs: 5,
                settles: Vec::new(),
            },
            Feed {
                entity: Entity::OrderState,
                poll_secs: 5,
                settles: Vec::new(),
            },
        ],
        pushes: vec![
            intake(Entity::Customer, 1),
            intake(Entity::Order, 4),
            intake(Entity::Cancellation, 4),
        ],
    }
}

impl Erp {
    async fn write(
        &self,
        call: &Call,
        member: u32,
        delivery: &Delivery,
        since: Millis,
    ) -> Result<Verdict, CallError> {
        let host = |error: waybill_host::ports::PortError| CallError::Host(error.0);
        let reference = format!(
            "{}:{}",
            delivery.document.body.entity(),
            delivery.document.key
        );
        if !self.line.place(call, since).await {
            return Ok(Err(Failure::Retry(None)));
        }
        let begun = self
            .journal
            .begin(call.connection, &call.scope, "create", &[member], None)
            .await
            .map_err(host)?;
        let effect = match begun {
            Begun::Fresh(effect) => effect,
            Begun::Replay(key) => {
                return Ok(done(String::from_utf8_lossy(&key).into_owned(), false));
            }
            Begun::InDoubt { since } => {
                if self.line.plant != Some(Plant::NeverLooks) {
                    if let Err(failure) = self.line.ask(call, 50).await {
                        return Ok(Err(failure));
                    }
                    let now = self.clock.now_ms();
                    if let Some(key) = self.find(&reference, now) {
                        return Ok(done(key, true));
                    }
                    if now - since < lock(&self.world).search_lag + 1_000 {
                        return Ok(Err(Failure::Retry(Some(2))));
                    }
                }
                match self
                    .journal
                    .begin(
                        call.connection,
                        &call.scope,
                        "create",
                        &[member],
                        Some(since),
                    )
                    .await
                    .map_err(host)?
                {
                    Begun::Fresh(effect) => effect,
                    _ => return Err(CallError::Contract("still in doubt".to_owned())),
                }
            }
        };
        let luck = self.line.send(call, 80).await;
        match luck {
            Luck::Refused(_) => {
                self.journal
                    .finish(effect, Finish::NothingHappened)
                    .await
                    .map_err(host)?;
                Ok(Err(luck.failure()))
            }
            Luck::CutBefore => Ok(Err(luck.failure())),
            Luck::CutAfter => {
                self.create(delivery);
                Ok(Err(luck.failure()))
            }
            Luck::Good => {
                let key = self.create(delivery);
                self.journal
                    .finish(effect, Finish::Answered(key.clone().into_bytes()))
                    .await
                    .map_err(host)?;
                Ok(done(key, false))
            }
        }
    }

    /// What a search shows now.
    fn find(&self, reference: &str, now: Millis) -> Option<String> {
        let world = lock(&self.world);
        let seen = |at: Millis| at + world.search_lag <= now;
        let sale = world
            .sales
            .iter()
            .find(|s| s.reference == reference && seen(s.at))
            .map(|s| s.id.to_string());
        sale.or_else(|| {
            let customer = world
                .customers
                .iter()
                .find(|(_, code, at)| format!("customer:{code}") == reference && seen(*at));
            customer.map(|(id, _, _)| id.to_string())
        })
    }

    fn create(&self, delivery: &Delivery) -> String {
        let at = self.clock.now_ms();
        let mut world = lock(&self.world);
        match &delivery.document.body {
            Body::Customer(customer) => {
                let id = 200 + world.customers.len() as u64;
                world.customers.push((id, customer.code.clone(), at));
                id.to_string()
            }
            Body::Order(order) => {
                let customer = order.customer.as_ref();
                let customer = customer.and_then(|c| c.parse().ok()).unwrap_or(0);
                world.sell(&delivery.document.key, customer, at).to_string()
            }
            _ => String::new(),
        }
    }
}

/// A page of changed notes, foreign ones among them; a restarted search may show what was seen.
fn notes(world: &mut Outside, cursor: Option<&[u8]>) -> Page {
    let mut from: usize = cursor
        .and_then(|c| std::str::from_utf8(c).ok())
        .and_then(|c| c.parse().ok())
        .unwrap_or(0);
    if world.chance.per_mille(50) {
        from = from.saturating_sub(3);
    }
    let Warehouse { notes, events, .. } = &world.warehouse;
    let to = (from + world.page).min(events.len());
    let document = |number: &usize| match notes.get(*number) {
        Some(note) => (!note.gone).then(|| note.document()),
        None => Some(foreign()),
    };
    Page {
        documents: events[from..to].iter().filter_map(document).collect(),
        cursor: to.to_string().into_bytes(),
        more: to < events.len(),
    }
}

/// A note of a sale that somebody else made.
fn foreign() -> Document {
    let note = GoodsOut {
        id: 1,
        sale: 1,
        order: String::new(),
        held: Held::Units(1),
        flaw: Flaw::None,
        mended_at: 0,
        version: 1,
        at: 0,
        gone: false,
    };
    note.document()
}

#[expect(clippy::unnecessary_wraps, reason = "a verdict is a result")]
fn done(key: String, duplicate: bool) -> Verdict {
    Ok(Outcome::Done(Receipt {
        key,
        number: None,
        duplicate,
        links: Vec::new(),
    }))
}

impl Erp {
    fn page(&self, entity: Entity, cursor: Option<&[u8]>) -> Page {
        let mut world = lock(&self.world);
        match entity {
            Entity::Shipment => notes(&mut world, cursor),
            Entity::Invoice => crate::bills::made(&mut world, cursor),
            Entity::OrderState => crate::cancels::states(&world, cursor),
            _ => items(&world, cursor),
        }
    }
}

/// A page of the catalogue; afterwards, of what came since.
fn items(world: &Outside, cursor: Option<&[u8]>) -> Page {
    let text = cursor.and_then(|c| std::str::from_utf8(c).ok());
    let from: usize = text.and_then(|c| c.parse().ok()).unwrap_or(0);
    let to = (from + 10 * world.page).min(world.items.len());
    let item = |(key, value): &(String, String)| Document {
        key: key.clone(),
        revision: "1".to_owned(),
        occurred_at: 0,
        body: Body::Item(Item {
            identifiers: vec![Identifier {
                kind: "sku".to_owned(),
                value: value.clone(),
            }],
            title: value.clone(),
            tracked: true,
            active: true,
            components: Vec::new(),
            extras: Vec::new(),
        }),
    };
    Page {
        documents: world.items[from..to].iter().map(item).collect(),
        cursor: to.to_string().into_bytes(),
        more: to < world.items.len(),
    }
}

#[async_trait]
impl Connector for Erp {
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
        if let Err(failure) = self.line.ask(&call, 50).await {
            return answer(Err(CallError::Failure(failure)));
        }
        let page = self.page(entity, cursor.as_deref());
        self.line.told(&call, entity, &page).await;
        answer(Ok(page))
    }
    async fn fetch(&self, call: Call, entity: Entity, keys: Vec<String>) -> Answer<Vec<Document>> {
        if let Err(failure) = self.line.ask(&call, 50).await {
            return answer(Err(CallError::Failure(failure)));
        }
        let world = lock(&self.world);
        answer(match entity {
            Entity::Invoice => Ok(crate::bills::found(&world, &keys)),
            Entity::OrderState => Ok(crate::cancels::states_of(&world, &keys)),
            Entity::InventoryLevel => Ok(world.levels(&keys)),
            Entity::Shipment => {
                let found = keys.iter().filter_map(|key| world.warehouse.note(key));
                Ok(found.map(GoodsOut::document).collect())
            }
            _ => Err(not_exported()),
        })
    }
    async fn settle(&self, _: Call, _: Moment, _: Vec<Settled>) -> Answer<Vec<Verdict>> {
        answer(Err(not_exported()))
    }
    async fn read(&self, _: Call, _: Entity, _: Scope, _: Option<Vec<u8>>) -> Answer<Page> {
        answer(Err(not_exported()))
    }
    async fn push(&self, call: Call, batch: Vec<Delivery>) -> Answer<Vec<Verdict>> {
        self.line.leaves(&call);
        let since = self.clock.now_ms();
        let mut verdicts = Vec::new();
        for (member, delivery) in (0_u32..).zip(&batch) {
            let written = match &delivery.document.body {
                Body::Cancellation(_) => self.cancel(&call, member, delivery, since).await,
                _ => self.write(&call, member, delivery, since).await,
            };
            match written {
                Ok(verdict) => verdicts.push(verdict),
                Err(error) => return answer(Err(error)),
            }
        }
        answer(Ok(verdicts))
    }
    async fn confirm(&self, _: Call, _: Vec<String>) -> Answer<Vec<Verdict>> {
        answer(Err(not_exported()))
    }
    async fn receive(&self, _: Call, batch: Vec<Delivered>) -> Answer<Received> {
        answer(Ok(batch.iter().map(crate::post::understood).collect()))
    }
    async fn ensure(&self, call: Call, callback: String) -> Answer<Vec<String>> {
        let registered = self.register(&call, callback).await;
        answer(registered.map(|()| vec!["everything".to_owned()]))
    }
    async fn remove(&self, _: Call, callback: String) -> Answer<()> {
        let mut world = lock(&self.world);
        world.post.registered.retain(|at| *at != callback);
        answer(Ok(()))
    }
}
