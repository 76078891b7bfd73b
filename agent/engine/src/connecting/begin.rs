//! The beginning of a connection: the data that is read before the first order, and the flows that a merchant lets begin.
//! All of it follows from what is stored, so that a set-up that was left can be gone on with.

use crate::apply::{self, quoted};
use crate::core::{Desk, Slot};
use crate::flow;
use crate::handle::{CommandError, Handle};
use crate::swap;
use serde::Serialize;
use std::collections::BTreeMap;
use waybill_model::contract::{Descriptor, Page, Problem};
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::settings::FLOWS;
use waybill_store::{FeedRow, Read, Rx, StoreError, Tx};

/// One kind of document that is read before anything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FirstRead {
    /// Kind.
    pub entity: Entity,
    /// Documents read so far.
    pub taken: u64,
    /// When the first reading was complete.
    pub done_at: Option<Millis>,
    /// It failed so often in a row.
    pub failures: u32,
}

/// A connection that begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Beginning {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its connector's id.
    pub connector: String,
    /// Orders are read from it.
    pub gives_orders: bool,
    /// Orders become sales in it.
    pub takes_orders: bool,
    /// It has answered, and nothing is wrong with its sign-in.
    pub reached: bool,
    /// A person paused it.
    pub paused: bool,
    /// What is read before the first order.
    pub reads: Vec<FirstRead>,
}

impl Beginning {
    /// Whether all of it was read once.
    pub fn is_complete(&self) -> bool {
        self.reads.iter().all(|read| read.done_at.is_some())
    }
}

/// A flow that two connections allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PossibleFlow {
    /// Kind of document.
    pub entity: Entity,
    /// Name of the connection it comes from.
    pub from: String,
    /// Name of the connection it goes to.
    pub to: String,
    /// "Shipments from ERP to Network".
    pub title: String,
    /// It was begun.
    pub begun: bool,
}

/// Which flows begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All that are possible.
    All,
    /// Stock, and nothing else.
    Stock,
}

/// What is read before the first order: what orders are matched against.
const REFERENCE: [Entity; 5] = [
    Entity::Item,
    Entity::Warehouse,
    Entity::ShippingMethod,
    Entity::Retailer,
    Entity::Customer,
];

const fn words(entity: Entity) -> &'static str {
    match entity {
        Entity::Item => "items",
        Entity::Warehouse => "warehouses",
        Entity::ShippingMethod => "shipping methods",
        Entity::Retailer => "retailers",
        _ => "contacts",
    }
}

fn reference(descriptor: &Descriptor) -> impl Iterator<Item = Entity> {
    let feeds = descriptor.pulls.iter().map(|feed| feed.entity);
    feeds.filter(|entity| REFERENCE.contains(entity))
}

impl FirstRead {
    /// "1204 items".
    fn words(&self) -> String {
        format!("{} {}", self.taken, words(self.entity))
    }
}

fn first_read(entity: Entity, feed: Option<&FeedRow>) -> FirstRead {
    FirstRead {
        entity,
        taken: feed.map_or(0, |feed| feed.taken),
        done_at: feed.and_then(|feed| feed.caught_up_at),
        failures: feed.map_or(0, |feed| feed.failures),
    }
}

fn beginning(slot: &Slot, feeds: &[FeedRow]) -> Beginning {
    let descriptor = slot.descriptor();
    let reads = descriptor.into_iter().flat_map(reference).map(|entity| {
        let mut own = feeds.iter().filter(|feed| feed.connection == slot.row.id);
        first_read(entity, own.find(|feed| feed.entity == entity))
    });
    Beginning {
        name: slot.row.name.clone(),
        title: slot.row.title.clone(),
        connector: slot.row.connector.clone(),
        gives_orders: descriptor.is_some_and(|d| d.feed(Entity::Order).is_some()),
        takes_orders: descriptor.is_some_and(|d| d.intake(Entity::Order).is_some()),
        reached: slot.row.last_ok.is_some() && slot.row.unauthorized.is_none(),
        paused: slot.row.paused,
        reads: reads.collect(),
    }
}

/// Notes how far a feed is after a page. The end of the first reading is noted in the page's own commit.
pub(crate) fn read_on(
    tx: &mut Tx<'_>,
    desk: &Desk,
    feed: &mut FeedRow,
    page: &Page,
    now: Millis,
) -> Result<(), StoreError> {
    feed.cursor = Some(page.cursor.clone());
    feed.last_ok = Some(now);
    feed.failures = 0;
    let first = feed.caught_up_at.is_none();
    if first {
        feed.taken += page.documents.len() as u64;
    }
    if page.more {
        return Ok(());
    }
    feed.caught_up_at = Some(now);
    if !first {
        return Ok(());
    }
    let Some(slot) = desk.slots.get(&feed.connection) else {
        return Ok(());
    };
    let Some(descriptor) = slot.descriptor() else {
        return Ok(());
    };
    if !REFERENCE.contains(&feed.entity) {
        return Ok(());
    }
    let mut counts = Vec::new();
    for entity in reference(descriptor) {
        let stored = tx.feed(feed.connection, entity)?;
        let row = if entity == feed.entity {
            Some(&*feed)
        } else {
            stored.as_ref()
        };
        match row.filter(|row| row.caught_up_at.is_some()) {
            Some(row) => counts.push(first_read(entity, Some(row)).words()),
            None => return Ok(()),
        }
    }
    let detail = format!("{}: {}", slot.row.title, counts.join(", "));
    tx.audit(
        swap::SELF,
        "Read everything for the first time",
        &detail,
        now,
    )
}

/// Connections that were read for the first time and take part in no flow yet, with what was read, in words.
pub(crate) fn read_and_idle(desk: &Desk, feeds: &[FeedRow]) -> Vec<(ConnectionId, String, String)> {
    let slots = desk.slots.values().filter(|slot| {
        let id = slot.row.id;
        !desk.routes.iter().any(|row| row.from == id || row.to == id)
    });
    let read = slots.filter_map(|slot| {
        let begun = beginning(slot, feeds);
        let words: Vec<_> = begun.reads.iter().map(FirstRead::words).collect();
        (begun.is_complete() && !words.is_empty())
            .then(|| (slot.row.id, begun.title, words.join(", ")))
    });
    read.collect()
}

/// What two connections allow, and what was begun of it.
fn possible(desk: &Desk) -> Vec<PossibleFlow> {
    let mut found = Vec::new();
    for entity in FLOWS {
        for from in desk.slots.values() {
            for to in desk.slots.values() {
                let (Some(source), Some(target)) = (from.descriptor(), to.descriptor()) else {
                    continue;
                };
                // A merchant's cancel shows in the state of the sale.
                let given = source.feed(entity).is_some()
                    || entity == Entity::Cancellation && source.feed(Entity::OrderState).is_some();
                if from.row.id == to.row.id || !given || target.intake(entity).is_none() {
                    continue;
                }
                let ends = |row: &waybill_store::RouteRow| {
                    row.entity == entity && row.from == from.row.id && row.to == to.row.id
                };
                let (title, name) = (flow::show::plural(entity), |id: ConnectionId| {
                    desk.title(id)
                });
                found.push(PossibleFlow {
                    entity,
                    from: from.row.name.clone(),
                    to: to.row.name.clone(),
                    title: format!("{title} from {} to {}", name(from.row.id), name(to.row.id)),
                    begun: desk.routes.iter().any(ends),
                });
            }
        }
    }
    found
}

/// A provisioning file of flows.
fn file(flows: &[PossibleFlow]) -> String {
    let mut file = "version = 1\n".to_owned();
    for flow in flows {
        file.push_str("[[route]]\n");
        for (key, value) in [
            ("entity", flow.entity.word()),
            ("from", &flow.from),
            ("to", &flow.to),
        ] {
            file.extend([key, " = ", &quoted(value), "\n"]);
        }
    }
    file
}

impl Handle {
    /// How far each connection has come.
    pub async fn beginnings(&self) -> Result<Vec<Beginning>, CommandError> {
        self.read(|core, rx: &Rx| {
            let feeds = rx.feeds()?;
            let desk = core.desk();
            let rows = desk.slots.values().map(|slot| -> Result<_, StoreError> {
                // What is bound may be older than what was answered since.
                let row = rx.connection(slot.row.id)?;
                let slot = Slot {
                    row: row.unwrap_or_else(|| slot.row.clone()),
                    ..slot.clone()
                };
                Ok(beginning(&slot, &feeds))
            });
            rows.collect()
        })
        .await
    }

    /// Flows that the connections allow.
    pub fn possible_flows(&self) -> Vec<PossibleFlow> {
        possible(&self.core.desk())
    }

    /// Lets flows begin, in one commit. How many are new.
    ///
    /// # Errors
    /// When the connections allow none, or what they would do is wrong.
    pub async fn begin_flows(&self, which: Which, who: &str) -> Result<usize, CommandError> {
        let mut flows = self.possible_flows();
        if which == Which::Stock {
            flows.retain(|flow| flow.entity == Entity::InventoryLevel);
        }
        if flows.is_empty() {
            return Err(CommandError::Refused(Problem::new(
                "no-flow",
                "These connections have nothing to tell each other.",
                "Connect both sides first.",
            )));
        }
        let refused = |mistake: Option<apply::Mistake>| {
            let (message, hint) = mistake.map_or_else(
                || ("The flows cannot begin.".to_owned(), None),
                |mistake| (mistake.message, mistake.hint),
            );
            CommandError::Refused(Problem {
                code: "flow".to_owned(),
                message,
                hint,
            })
        };
        let parsed = apply::parse(&file(&flows), &BTreeMap::new());
        let checked = parsed.and_then(|plan| {
            let found = self.check(&plan);
            if found.is_empty() {
                Ok(plan)
            } else {
                Err(found)
            }
        });
        let plan = checked.map_err(|found| refused(found.into_iter().next()))?;
        let difference = self.apply(plan, who).await?;
        self.core.reload()?;
        Ok(difference.changes.len())
    }
}
