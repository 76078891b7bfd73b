//! Owns warehouses and shipping methods: small lists that are read whole. Brightpearl gives them no version, so the
//! position of the feed keeps what was seen, and a document is made only for what differs. Must not know crosswalks.

use crate::api::Api;
use crate::bindings::exports::waybill::connector::source::Page;
use crate::item;
use crate::wire::ids;
use crate::wire::lists::{self, List};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use waybill_sdk::commerce::{Body, Document, Extra, Method, ShippingMethod, Warehouse};
use waybill_sdk::types::Failure;

/// Which list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Warehouses.
    Warehouse,
    /// Shipping methods.
    ShippingMethod,
}

/// Characters kept of a name: the position of the feed holds all of them, and has an end.
const LONGEST: usize = 120;

/// What people see of one entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    name: String,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    carrier: Option<String>,
    #[serde(default)]
    gone: bool,
}

/// The list, as far as it differs from what the position remembers.
pub fn pull(api: &Api<'_>, kind: Kind, cursor: Option<&[u8]>) -> Result<Page, Failure> {
    let list = match kind {
        Kind::Warehouse => List::Warehouse,
        Kind::ShippingMethod => List::ShippingMethod,
    };
    let before: BTreeMap<String, Seen> = cursor
        .and_then(|bytes| serde_json::from_slice(bytes).ok())
        .unwrap_or_default();
    // Brightpearl answers 404 for a list that is empty.
    let reply = api.get_found(list.path())?;
    let told = reply.as_ref().and_then(|reply| reply.date_ms);
    let now_ms = told.unwrap_or_else(|| api.host.now_ms());
    let mut now: BTreeMap<String, Seen> = reply
        .iter()
        .flat_map(|reply| lists::items(&reply.value))
        .filter_map(seen)
        .collect();
    for (key, seen) in &before {
        now.entry(key.clone()).or_insert_with(|| Seen {
            gone: true,
            ..seen.clone()
        });
    }
    let documents = now
        .iter()
        .filter(|(key, seen)| before.get(*key) != Some(seen))
        .map(|(key, seen)| document(kind, key, seen, now_ms))
        .collect();
    Ok(Page {
        documents,
        cursor: item::bytes(&now),
        more: false,
    })
}

fn seen(entry: &Value) -> Option<(String, Seen)> {
    let text = |name: &str| {
        let text = entry.get(name).and_then(ids::text)?;
        Some(text.chars().take(LONGEST).collect::<String>())
    };
    let id = entry.get("id").and_then(ids::whole)?.to_string();
    let seen = Seen {
        name: text("name").unwrap_or_else(|| id.clone()),
        code: text("code"),
        carrier: text("carrier"),
        gone: false,
    };
    Some((id, seen))
}

fn document(kind: Kind, key: &str, seen: &Seen, now_ms: i64) -> Document {
    let body = match kind {
        Kind::Warehouse => Body::Warehouse(Warehouse {
            code: key.to_owned(),
            name: seen.name.clone(),
            active: !seen.gone,
            extras: Vec::new(),
        }),
        Kind::ShippingMethod => Body::ShippingMethod(ShippingMethod {
            method: Method {
                carrier: seen.carrier.clone(),
                name: Some(seen.name.clone()),
                code: seen.code.clone(),
            },
            extras: seen
                .gone
                .then(|| Extra {
                    name: "gone".to_owned(),
                    value: "true".to_owned(),
                })
                .into_iter()
                .collect(),
        }),
    };
    Document {
        key: key.to_owned(),
        // When the difference was seen, by the vendor's clock: it has no version of its own.
        revision: ids::stamp(now_ms).unwrap_or_else(|| now_ms.to_string()),
        occurred_at: now_ms,
        body,
    }
}
