//! What a rehearsal is told of the merchant's agent: what is set, without secrets, and the lists of the vendors as they were
//! last read, so that the merchant's codes mean there what they mean here. Read from the database alone: no vendor is asked.

use crate::catalogue;
use crate::connecting::Offer;
use crate::core::{Core, Slot};
use crate::offered;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::contract::{Field, Problem};
use waybill_model::crosswalk::{self, Match};
use waybill_model::document::{Body, Entity};
use waybill_model::ids::ConnectionId;
use waybill_store::{Read, Rx, StoreError, Tx};

/// Entries of a list that are handed over.
const LISTED: usize = 500;
/// Products that are looked at for one that an order can name.
const LOOKED_AT: usize = 5_000;

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
    /// Products that were looked at for it.
    pub looked_at: usize,
    /// The builds in force of both connectors.
    #[serde(skip)]
    pub builds: Vec<InForce>,
}

/// A build in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Its connector's id.
    pub connector: String,
    /// Names its kept copy.
    pub hash: String,
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
    /// Those of these lists that are longer than what is handed over.
    pub cut: BTreeSet<String>,
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

/// What a vendor offered for a setting, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    entries: Vec<Offer>,
    /// There are no others.
    whole: bool,
}

impl Kept {
    /// As many as are handed over; of a longer list those that are chosen stay.
    fn of(mut offered: Vec<Offer>, whole: bool, is_chosen: impl Fn(&str) -> bool) -> Self {
        let whole = whole && offered.len() <= LISTED;
        let mut number = 0;
        offered.retain(|(value, _)| {
            number += 1;
            number <= LISTED || is_chosen(value)
        });
        Self {
            entries: offered,
            whole,
        }
    }
}

/// What is to be kept of what a vendor offers for a setting that is chosen from its lists, and where; hidden entries are
/// left out; `whole`: that is all of it. `None`: it is kept already, or is none that is handed over.
pub(crate) fn to_keep(
    rx: &dyn Read,
    slot: &Slot,
    key: &str,
    (offered, whole): (Vec<Offer>, bool),
) -> Result<Option<(String, Vec<u8>)>, StoreError> {
    let settings = slot.descriptor().map(|d| d.settings.as_slice());
    let mut settings = settings.unwrap_or_default().iter();
    let is_list = settings.any(|setting| setting.key == key && setting.field == Field::Lookup);
    if !is_list || offered.is_empty() {
        return Ok(None);
    }
    let chosen = offered::chosen(rx, slot)?;
    let is_chosen = |value: &str| {
        chosen
            .iter()
            .any(|one| one.key == key && one.value == value)
    };
    let kept = Kept::of(offered, whole, is_chosen);
    let bytes = serde_json::to_vec(&kept).unwrap_or_default();
    let place = offers_key(slot.row.id, key);
    let is_new = rx.meta(&place)?.as_deref() != Some(bytes.as_slice());
    Ok(is_new.then_some((place, bytes)))
}

/// Keeps it, where it is new.
pub(crate) async fn keep_offers(
    core: &Core,
    slot: &Slot,
    key: &str,
    offers: (Vec<Offer>, bool),
) -> Result<(), StoreError> {
    match core.store.read(|rx| to_keep(rx, slot, key, offers))? {
        Some((place, bytes)) => {
            let put = move |tx: &mut Tx<'_>| tx.put_meta(&place, &bytes);
            core.store.write(put).await
        }
        None => Ok(()),
    }
}

fn side(core: &Core, rx: &Rx, id: ConnectionId) -> Result<Option<Side>, StoreError> {
    let desk = core.desk();
    let Some(slot) = desk.slots.get(&id) else {
        return Ok(None);
    };
    let (mut lists, mut cut) = (BTreeMap::new(), BTreeSet::new());
    let settings = slot.descriptor().map(|d| d.settings.as_slice());
    let chosen = settings.unwrap_or_default().iter();
    for setting in chosen.filter(|setting| setting.field == Field::Lookup) {
        let kept = rx.meta(&offers_key(id, &setting.key))?;
        // One of an earlier version is as good as none: it is read anew.
        let kept = kept.and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
        if let Some(Kept { entries, whole }) = kept {
            lists.insert(setting.key.clone(), entries);
            if !whole {
                cut.insert(setting.key.clone());
            }
        }
    }
    Ok(Some(Side {
        name: slot.row.name.clone(),
        title: slot.row.title.clone(),
        connector: slot.row.connector.clone(),
        lists,
        cut,
        warehouses: catalogue::listed(rx, id, crosswalk::WAREHOUSES)?,
        methods: catalogue::listed(rx, id, crosswalk::SHIPPING_METHODS)?,
    }))
}

/// A product that an order of that retailer can name without a doubt, and how many were looked at.
fn item(
    rx: &dyn Read,
    (from, to): (ConnectionId, ConnectionId),
    retailer: Option<&str>,
) -> Result<(Option<Item>, usize), StoreError> {
    let (source, target) = catalogue::compared(rx, Some(from), retailer)?;
    let (mut looked_at, mut after) = (0, None);
    while looked_at < LOOKED_AT {
        let page = rx.latest_documents(to, Entity::Item, after.as_deref(), LISTED)?;
        for row in &page {
            looked_at += 1;
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
            let whose = retailer.unwrap_or_default();
            let by_hand = rx.cell(from, to, crosswalk::ITEMS, whose, &value)?;
            if plain && sure && by_hand.is_none_or(|key| key == item.key) {
                let found = Item {
                    key: item.key,
                    title: item.title,
                    identifiers: item.identifiers,
                    source,
                    target,
                    value,
                };
                return Ok((Some(found), looked_at));
            }
        }
        let Some(last) = page.last().filter(|_| page.len() == LISTED) else {
            break;
        };
        after = Some(last.document.key.clone());
    }
    Ok((None, looked_at))
}

/// The builds in force of these connectors.
fn in_force(rx: &dyn Read, of: [&Side; 2]) -> Result<Vec<InForce>, StoreError> {
    let rows = rx.connectors()?.into_iter();
    let rows = rows.filter(|row| of.iter().any(|side| side.connector == row.id));
    let builds = rows.map(|row| InForce {
        connector: row.id,
        hash: row.current.hash,
    });
    Ok(builds.collect())
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
    let (item, looked_at) = item(rx, (from.id, to.id), whose)?;
    let (Some(from), Some(to)) = (side(core, rx, from.id)?, side(core, rx, to.id)?) else {
        return Ok(Err(gone()));
    };
    Ok(Ok(Brief {
        settings,
        builds: in_force(rx, [&from, &to])?,
        from,
        to,
        retailer,
        item,
        looked_at,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use waybill_model::document::{Document, Identifier, Item as Product};
    use waybill_model::settings::TARGET_ID;
    use waybill_store::{Options, Place, Scope, SealKey, Store};

    const FROM: ConnectionId = ConnectionId(1);
    const TO: ConnectionId = ConnectionId(2);

    fn product(number: usize, kind: &str, tracked: bool) -> Document {
        Document {
            key: format!("{number:05}"),
            revision: "1".to_owned(),
            occurred_at: 1,
            body: Body::Item(Product {
                identifiers: vec![Identifier {
                    kind: kind.to_owned(),
                    value: format!("V{number}"),
                }],
                title: format!("Product {number}"),
                tracked,
                active: true,
                components: Vec::new(),
                extras: Vec::new(),
            }),
        }
    }

    #[tokio::test]
    async fn products_are_looked_at_page_by_page_until_one_can_be_named() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::File(dir.path().join("w.redb"));
        let key = SealKey::from_bytes([3; 32]);
        let store = Store::open(Options::new(place, key)).unwrap();
        let found = || {
            let found = store.read(|rx| {
                let (found, looked_at) = item(rx, (FROM, TO), None)?;
                Ok::<_, StoreError>((found.map(|item| item.value), looked_at))
            });
            found.unwrap()
        };
        assert_eq!(found(), (None, 0));
        // Beyond the first page: the only one with the number that is compared that is in stock keeping.
        let fill = |tx: &mut Tx<'_>| {
            for number in 0..=LISTED + 20 {
                let kind = if (10..=LISTED + 10).contains(&number) {
                    "ean"
                } else {
                    "sku"
                };
                tx.accept(TO, &product(number, kind, number > 10), 1)?;
            }
            Ok(())
        };
        store.write(fill).await.unwrap();
        let first = LISTED + 11;
        assert_eq!(found(), (Some(format!("V{first}")), first + 1));
        let compare = |tx: &mut Tx<'_>| {
            let scope = Scope {
                connection: None,
                retailer: None,
            };
            tx.set_setting(&scope, TARGET_ID, Some("isbn"), "test", 1)
        };
        store.write(compare).await.unwrap();
        assert_eq!(found(), (None, LISTED + 21));
    }

    #[test]
    fn a_long_list_is_cut_and_keeps_what_is_chosen() {
        let long = |count: usize| -> Vec<Offer> {
            let all = (0..count).map(|n| (n.to_string(), format!("Name {n}")));
            all.collect()
        };
        let chosen = |value: &str| value == "733" || value == "2";
        let whole = Kept::of(long(LISTED), true, chosen);
        assert_eq!((whole.entries.len(), whole.whole), (LISTED, true));
        assert!(!Kept::of(long(3), false, chosen).whole);
        let cut = Kept::of(long(800), true, chosen);
        assert_eq!((cut.entries.len(), cut.whole), (LISTED + 1, false));
        assert_eq!(cut.entries.last().unwrap().1, "Name 733");
    }
}
