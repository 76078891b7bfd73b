//! What a rehearsal is told of the merchant's agent: what is set, without secrets, and the lists of the vendors as they were
//! last read, so that the merchant's codes mean there what they mean here. Read from the database alone: no vendor is asked.

use super::Handle;
use crate::catalogue;
use crate::connecting::Offer;
use crate::core::{Core, Slot};
use crate::handle::CommandError;
use serde::Serialize;
use std::collections::BTreeMap;
use waybill_model::contract::{Field, Problem};
use waybill_model::crosswalk::{self, Match};
use waybill_model::document::{Body, Entity};
use waybill_model::ids::ConnectionId;
use waybill_store::{Read, Rx, StoreError};

/// Entries of a list that are handed over.
const LISTED: usize = 500;

/// What is handed over.
#[derive(Debug, Clone, Serialize)]
pub struct Brief {
    /// Everything that is set, as a provisioning file without secrets.
    pub settings: String,
    /// The connection that orders come from.
    pub from: Side,
    /// The connection that sales are made in.
    pub to: Side,
    /// The retailer who orders.
    pub retailer: Option<Retailer>,
    /// What is ordered.
    pub item: Option<Item>,
}

/// One connection.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its connector's id.
    pub connector: String,
    /// What its vendor last offered for a setting.
    pub lists: BTreeMap<String, Vec<Offer>>,
    /// Its warehouses: key and name.
    pub warehouses: Vec<Offer>,
    /// Its shipping methods: key and name.
    pub methods: Vec<Offer>,
}

/// A retailer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retailer {
    /// Code.
    pub code: String,
    /// Name.
    pub name: String,
}

/// A product, and how an order names it.
#[derive(Debug, Clone, Serialize)]
pub struct Item {
    /// Its key.
    pub key: String,
    /// Its title.
    pub title: String,
    /// Kind and value.
    pub identifiers: Vec<(String, String)>,
    /// Kind of the identifier on the order's line.
    pub source: String,
    /// Kind of the product's that must equal it.
    pub target: String,
    /// The value of both.
    pub value: String,
}

/// One end of the flow of orders.
pub(super) struct Of {
    pub(super) id: ConnectionId,
    pub(super) title: String,
    pub(super) connector: String,
}

impl Of {
    fn slot(slot: &Slot) -> Self {
        Self {
            id: slot.row.id,
            title: slot.row.title.clone(),
            connector: slot.row.connector.clone(),
        }
    }
}

/// Where orders come from and where they become sales: as they are routed, else as the connectors can.
pub(super) fn pair(core: &Core, rx: &Rx) -> Result<Option<(Of, Of)>, StoreError> {
    let desk = core.desk();
    let routes = rx.routes()?;
    if let Some(route) = routes.iter().find(|route| route.entity == Entity::Order)
        && let (Some(from), Some(to)) = (desk.slots.get(&route.from), desk.slots.get(&route.to))
    {
        return Ok(Some((Of::slot(from), Of::slot(to))));
    }
    let gives = |slot: &&Slot| {
        slot.descriptor()
            .is_some_and(|d| d.feed(Entity::Order).is_some())
    };
    let takes = |slot: &&Slot| {
        slot.descriptor()
            .is_some_and(|d| d.intake(Entity::Order).is_some())
    };
    let from = desk.slots.values().find(|slot| gives(slot) && !takes(slot));
    let to = desk.slots.values().find(takes);
    Ok(from
        .zip(to)
        .map(|(from, to)| (Of::slot(from), Of::slot(to))))
}

/// Retailers that trade, by name.
pub(super) fn retailers(core: &Core, rx: &Rx) -> Result<Vec<Retailer>, StoreError> {
    let Some((from, _)) = pair(core, rx)? else {
        return Ok(Vec::new());
    };
    let documents = rx.latest_documents(from.id, Entity::Retailer, None, LISTED)?;
    let mut all: Vec<Retailer> = documents
        .into_iter()
        .filter_map(|row| match row.document.body {
            Body::Retailer(retailer) if retailer.active => Some(Retailer {
                code: retailer.code,
                name: retailer.name,
            }),
            _ => None,
        })
        .collect();
    all.sort_by(|a, b| (&a.name, &a.code).cmp(&(&b.name, &b.code)));
    Ok(all)
}

fn offers_key(connection: ConnectionId, key: &str) -> String {
    format!("offered/{connection}/{key}")
}

/// Keeps what a vendor offers for a setting that is chosen from its lists. Only a change is written.
pub(crate) async fn keep_offers(
    handle: &Handle,
    slot: &Slot,
    key: &str,
    offered: &[Offer],
) -> Result<(), CommandError> {
    let settings = slot.descriptor().map(|d| d.settings.as_slice());
    let mut settings = settings.unwrap_or_default().iter();
    let is_list = settings.any(|setting| setting.key == key && setting.field == Field::Lookup);
    if !is_list || offered.is_empty() || offered.len() > LISTED {
        return Ok(());
    }
    let place = offers_key(slot.row.id, key);
    let bytes = serde_json::to_vec(offered).unwrap_or_default();
    if handle.meta(&place).await?.as_deref() == Some(bytes.as_slice()) {
        return Ok(());
    }
    handle.put_meta(&place, bytes).await
}

fn side(core: &Core, rx: &Rx, id: ConnectionId) -> Result<Option<Side>, StoreError> {
    let desk = core.desk();
    let Some(slot) = desk.slots.get(&id) else {
        return Ok(None);
    };
    let mut lists = BTreeMap::new();
    let settings = slot.descriptor().map(|d| d.settings.as_slice());
    let chosen = settings.unwrap_or_default().iter();
    for setting in chosen.filter(|setting| setting.field == Field::Lookup) {
        let kept = rx.meta(&offers_key(id, &setting.key))?;
        if let Some(offered) = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            lists.insert(setting.key.clone(), offered);
        }
    }
    Ok(Some(Side {
        name: slot.row.name.clone(),
        title: slot.row.title.clone(),
        connector: slot.row.connector.clone(),
        lists,
        warehouses: catalogue::listed(rx, id, crosswalk::WAREHOUSES)?,
        methods: catalogue::listed(rx, id, crosswalk::SHIPPING_METHODS)?,
    }))
}

/// A product that an order of that retailer can name without a doubt.
fn item(
    rx: &Rx,
    (from, to): (ConnectionId, ConnectionId),
    retailer: Option<&str>,
) -> Result<Option<Item>, StoreError> {
    let (source, target) = catalogue::compared(rx, Some(from), retailer)?;
    for row in rx.latest_documents(to, Entity::Item, None, LISTED)? {
        let Some(item) = rx.item(to, &row.document.key)? else {
            continue;
        };
        let value = item.identifiers.iter().find(|(kind, _)| *kind == target);
        let Some((_, value)) = value.filter(|(_, value)| !value.trim().is_empty()) else {
            continue;
        };
        let value = value.clone();
        let plain = item.active && item.tracked && item.components.is_empty();
        let sure = rx.items(to, &target, &value)? == Match::One(item.key.clone());
        let by_hand = rx.cell(
            from,
            to,
            crosswalk::ITEMS,
            retailer.unwrap_or_default(),
            &value,
        )?;
        if plain && sure && by_hand.is_none_or(|key| key == item.key) {
            return Ok(Some(Item {
                key: item.key,
                title: item.title,
                identifiers: item.identifiers,
                source,
                target,
                value,
            }));
        }
    }
    Ok(None)
}

/// The brief, or why there is none.
pub(super) fn of(
    core: &Core,
    rx: &Rx,
    settings: String,
    chosen: Option<&str>,
) -> Result<Result<Brief, Problem>, StoreError> {
    let gone = || {
        Problem::new(
            "not-connected",
            "A connection is gone.",
            "Look at Connections.",
        )
    };
    let Some((from, to)) = pair(core, rx)? else {
        return Ok(Err(gone()));
    };
    let mut known = retailers(core, rx)?.into_iter();
    let retailer = known.find(|retailer| chosen.is_none_or(|code| retailer.code == code));
    if let (Some(code), None) = (chosen, &retailer) {
        let message = format!("There is no retailer `{code}`.");
        let hint = "Choose one of those that trade with you, or none.";
        return Ok(Err(Problem::new("unknown-retailer", message, hint)));
    }
    let whose = retailer.as_ref().map(|retailer| retailer.code.as_str());
    let item = item(rx, (from.id, to.id), whose)?;
    let (Some(from), Some(to)) = (side(core, rx, from.id)?, side(core, rx, to.id)?) else {
        return Ok(Err(gone()));
    };
    Ok(Ok(Brief {
        settings,
        from,
        to,
        retailer,
        item,
    }))
}
