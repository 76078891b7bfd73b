//! Retailers and warehouses: short lists, read whole. Leaves the retailers' names where orders find them.

use crate::api::{Api, encode};
use crate::bindings::exports::waybill::connector::source::Page;
use crate::cursor::{self, ListCursor};
use crate::order::{NAMES, name_key};
use crate::wire::Many;
use crate::wire::partner::{Partner, Warehouses};
use crate::{cancel, services};
use waybill_sdk::commerce::{Body, Document, Extra, Retailer, Warehouse};
use waybill_sdk::types::{Choice, ChoicePage, Failure};

fn extras(others: &[(String, String)]) -> Vec<Extra> {
    let pairs = others.iter().cloned();
    pairs.map(|(name, value)| Extra { name, value }).collect()
}

/// A longer one is no id of this vendor's, and too long a key for what is kept.
const LONGEST_ID: usize = 200;

/// All retailers, in one page.
pub(crate) fn retailers(api: &Api<'_>) -> Result<Page, Failure> {
    let partners: Option<Many<Partner>> = api.find("/tradingpartner")?;
    let now = api.host.now_ms();
    let mut documents = Vec::new();
    for partner in partners.into_iter().flat_map(|all| all.0) {
        let Some(id) = partner.account_id.filter(|id| id.len() <= LONGEST_ID) else {
            continue;
        };
        let status = partner.status.unwrap_or_else(|| "active".to_owned());
        let name = partner.trading_partner_name.unwrap_or_else(|| id.clone());
        api.host.kv_set(&name_key(&id), name.as_bytes());
        let mut extras = extras(&partner.others);
        extras.extend(partner.trading_partner_id.map(|value| Extra {
            name: "tradingPartnerId".to_owned(),
            value,
        }));
        documents.push(Document {
            // The vendor gives no version of a trading partner: what the agent shows of it stands for one. The time of the
            // reading tells one that is again as it was from one that was read late.
            revision: format!("{status} {name}"),
            occurred_at: now,
            body: Body::Retailer(Retailer {
                code: id.clone(),
                name,
                active: matches!(status.as_str(), "active" | "onboarding"),
                extras,
            }),
            key: id,
        });
    }
    Ok(Page {
        documents,
        cursor: Vec::new(),
        more: false,
    })
}

/// The retailers whose names are known here, without asking anybody.
pub(crate) fn known(api: &Api<'_>) -> Vec<Document> {
    let now = api.host.now_ms();
    let names = api.host.kv_scan(NAMES, None, MOST_KNOWN);
    let known = names.into_iter().filter_map(|(key, name)| {
        let id = key.strip_prefix(NAMES)?.to_owned();
        let name = String::from_utf8(name).ok()?;
        Some(Document {
            revision: format!("active {name}"),
            occurred_at: now,
            body: Body::Retailer(Retailer {
                code: id.clone(),
                name,
                active: true,
                extras: Vec::new(),
            }),
            key: id,
        })
    });
    known.collect()
}

/// Retailers of an account that never asked the API.
const MOST_KNOWN: u32 = 5_000;

/// The merchant's warehouses, page by page.
pub(crate) fn warehouses(api: &Api<'_>, cursor: Option<&[u8]>) -> Result<Page, Failure> {
    let mut path = "/warehouse/page".to_owned();
    if let Some(ListCursor::Scroll(scroll)) = cursor::read(cursor) {
        path = format!("{path}?scrollId={}", encode(&scroll));
    }
    // A scroll that DSCO has forgotten reads as an empty page; the next poll starts anew.
    let page: Warehouses = api.find(&path)?.unwrap_or_default();
    let now = api.host.now_ms();
    let next = page.scroll_id.filter(|_| !page.warehouses.is_empty());
    let documents = page.warehouses.into_iter().filter_map(|warehouse| {
        let code = warehouse.code?;
        let status = warehouse.status.unwrap_or_else(|| "active".to_owned());
        let name = warehouse.name.unwrap_or_else(|| code.clone());
        let changed = warehouse.last_update.as_deref();
        Some(Document {
            revision: format!("{} {status} {name}", changed.unwrap_or("-")),
            occurred_at: changed.and_then(waybill_sdk::date::parse).unwrap_or(now),
            body: Body::Warehouse(Warehouse {
                code: code.clone(),
                name,
                active: status == "active",
                extras: extras(&warehouse.others),
            }),
            key: code,
        })
    });
    Ok(Page {
        documents: documents.collect(),
        more: next.is_some(),
        cursor: next.map_or_else(Vec::new, |scroll| {
            cursor::write(&ListCursor::Scroll(scroll))
        }),
    })
}

/// The values of a crosswalk's column.
pub(crate) fn choices(api: &Api<'_>, key: &str) -> Result<ChoicePage, Failure> {
    let mut documents = Vec::new();
    match key {
        "service" => {
            return Ok(ChoicePage {
                items: services::choices(),
                next: None,
            });
        }
        "cancel-code" => {
            return Ok(ChoicePage {
                items: cancel::choices(),
                next: None,
            });
        }
        "retailer" if !api.config.api => documents = known(api),
        "retailer" => documents = retailers(api)?.documents,
        "warehouse" if api.config.api => {
            let mut cursor = None;
            loop {
                let page = warehouses(api, cursor.as_deref())?;
                documents.extend(page.documents);
                if !page.more {
                    break;
                }
                cursor = Some(page.cursor);
            }
        }
        _ => {}
    }
    let items = documents.into_iter().filter_map(|document| {
        let (label, active) = match document.body {
            Body::Retailer(retailer) => (retailer.name, retailer.active),
            Body::Warehouse(warehouse) => (warehouse.name, warehouse.active),
            _ => return None,
        };
        Some(Choice {
            value: document.key,
            label,
            disabled: !active,
        })
    });
    Ok(ChoicePage {
        items: items.collect(),
        next: None,
    })
}
