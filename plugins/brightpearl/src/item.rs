//! Owns the catalogue: first all products by id, then what was created and what was changed since, each with an overlap,
//! since searches trail writes and a product that was never changed has no time of change. Blank ids are left out;
//! ids that several products share are passed on as they are, the agent does not guess. Must not know matching.

use crate::api::{Api, Reply};
use crate::bindings::exports::waybill::connector::source::Page;
use crate::settings::Settings;
use crate::wire::ids::{encode, id_set, stamp};
use crate::wire::product::{self, Product};
use crate::wire::search::Search;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use waybill_sdk::commerce::{Body, Component, Decimal, Document, Extra, Identifier, Item};
use waybill_sdk::log::Level;
use waybill_sdk::types::Failure;

/// Rows of one search page; the most there can be.
const PAGE: usize = 500;

/// Most ids of one read by id.
const CHUNK: usize = 200;

/// How far a sweep looks back behind the start of the one before.
const OVERLAP_MS: i64 = 10 * 60 * 1000;

/// Which products a search asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// All.
    Everything,
    /// Created from then (to then).
    Created(i64, Option<i64>),
    /// Changed from then (to then).
    Updated(i64, Option<i64>),
    /// These ids.
    Ids(Vec<i64>),
}

impl Filter {
    fn query(&self) -> String {
        let period = |name: &str, from: i64, to: Option<i64>| {
            let from = stamp(from).unwrap_or_default();
            let to = to.and_then(stamp).unwrap_or_default();
            format!("&{name}={}", encode(&format!("{from}/{to}")))
        };
        match self {
            Self::Everything => String::new(),
            Self::Created(from, to) => period("createdOn", *from, *to),
            Self::Updated(from, to) => period("updatedOn", *from, *to),
            Self::Ids(ids) => format!("&productId={}", encode(&id_set(ids))),
        }
    }
}

/// Where the feed stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// What is being read.
    filter: Filter,
    /// First row of the next page.
    first: u64,
    /// The vendor's clock when this round began; `None` before its first page.
    started: Option<i64>,
}

impl Cursor {
    const fn start() -> Self {
        Self {
            filter: Filter::Everything,
            first: 1,
            started: None,
        }
    }

    /// What comes after the last page of this filter, and whether that is now.
    fn after(&self, started: i64) -> (Self, bool) {
        let since = started - OVERLAP_MS;
        let round = |filter, started| Self {
            filter,
            first: 1,
            started,
        };
        match &self.filter {
            Filter::Created(from, to) => (round(Filter::Updated(*from, *to), Some(started)), true),
            _ => (round(Filter::Created(since, None), None), false),
        }
    }
}

/// One page of a search.
pub struct Found {
    /// Products as documents.
    pub documents: Vec<Document>,
    /// First row of the next page.
    pub next: Option<u64>,
    /// The vendor's clock, or ours where it told none.
    pub now_ms: i64,
}

/// The next page of the feed.
pub fn pull(api: &Api<'_>, settings: Settings<'_>, cursor: Option<&[u8]>) -> Result<Page, Failure> {
    let cursor = cursor.map_or_else(Cursor::start, |bytes| {
        serde_json::from_slice(bytes).unwrap_or_else(|_| {
            let words = "The catalogue's position is not readable; it is read from the start.";
            api.host.log(Level::Warn, words, &[]);
            Cursor::start()
        })
    });
    let found = search(api, settings, &cursor.filter, cursor.first)?;
    let started = cursor.started.unwrap_or(found.now_ms);
    let (next, more) = match found.next {
        Some(first) => {
            let next = Cursor {
                first,
                started: Some(started),
                ..cursor
            };
            (next, true)
        }
        None => cursor.after(started),
    };
    Ok(Page {
        documents: found.documents,
        cursor: bytes(&next),
        more,
    })
}

/// A position as the agent keeps it.
pub fn bytes(cursor: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(cursor).unwrap_or_default()
}

/// These products.
pub fn fetch(
    api: &Api<'_>,
    settings: Settings<'_>,
    keys: &[String],
) -> Result<Vec<Document>, Failure> {
    // A key that is no id names no product of Brightpearl's.
    let ids: BTreeSet<i64> = keys.iter().filter_map(|k| k.parse().ok()).collect();
    let ids: Vec<i64> = ids.into_iter().collect();
    let mut all = Vec::new();
    for chunk in ids.chunks(CHUNK) {
        let found = search(api, settings, &Filter::Ids(chunk.to_vec()), 1)?;
        all.extend(
            found
                .documents
                .into_iter()
                .filter(|d| keys.contains(&d.key)),
        );
    }
    Ok(all)
}

/// One page of products, with their custom ids where one is chosen.
pub fn search(
    api: &Api<'_>,
    settings: Settings<'_>,
    filter: &Filter,
    first: u64,
) -> Result<Found, Failure> {
    let path = format!(
        "/product-service/product-search?columns={}&sort=productId.ASC&pageSize={PAGE}&firstResult={first}{}",
        product::COLUMNS,
        filter.query()
    );
    let Some(Reply { value, date_ms, .. }) = api.get_found(&path)? else {
        // Brightpearl answers 404 for a collection that is empty.
        return Ok(Found {
            documents: Vec::new(),
            next: None,
            now_ms: api.host.now_ms(),
        });
    };
    let Some(page) = Search::read(value) else {
        let words = "A page of products is not readable.";
        api.host.log(Level::Warn, words, &[]);
        return Err(Failure::Retry(None));
    };
    let products: Vec<Product> = page.rows().filter_map(Product::read).collect();
    note_untracked(api, &products);
    let field = settings.get("custom-id-field");
    let custom = match field {
        Some(field) => custom_values(api, &products, field)?,
        None => BTreeMap::new(),
    };
    let bundles = bundles(api, &products)?;
    let now_ms = date_ms.unwrap_or_else(|| api.host.now_ms());
    let documents = products
        .iter()
        .map(|p| document(p, field, custom.get(&p.id), bundles.get(&p.id), now_ms))
        .collect();
    Ok(Found {
        documents,
        next: page.next(first, PAGE),
        now_ms,
    })
}

/// Where a product is noted that Brightpearl keeps no stock of: it is on no goods-out note.
pub const UNTRACKED: &str = "untracked/";

fn note_untracked(api: &Api<'_>, products: &[Product]) {
    if products.is_empty() {
        return;
    }
    let key = |product: &Product| format!("{UNTRACKED}{}", product.id);
    let keys: Vec<String> = products.iter().map(key).collect();
    let noted = api.host.kv_get(&keys).into_iter();
    for ((product, key), noted) in products.iter().zip(&keys).zip(noted) {
        match (product.stock_tracked, noted) {
            (Some(false), None) => api.host.kv_set(key, b"1"),
            (Some(true), Some(_)) => api.host.kv_delete(key),
            _ => {}
        }
    }
}

/// What bundles are made of: a search does not show it, so products without stock are read one by one.
fn bundles(
    api: &Api<'_>,
    products: &[Product],
) -> Result<BTreeMap<i64, BTreeMap<i64, i64>>, Failure> {
    let untracked = products.iter();
    let ids: Vec<i64> = untracked
        .filter(|p| p.stock_tracked == Some(false))
        .map(|p| p.id)
        .collect();
    let mut all = BTreeMap::new();
    for chunk in ids.chunks(CHUNK) {
        let path = format!("/product-service/product/{}", id_set(chunk));
        if let Some(reply) = api.get_found(&path)? {
            all.append(&mut product::bundles(&reply.value));
        }
    }
    Ok(all)
}

fn custom_values(
    api: &Api<'_>,
    products: &[Product],
    field: &str,
) -> Result<BTreeMap<i64, String>, Failure> {
    let ids: Vec<i64> = products.iter().map(|p| p.id).collect();
    let mut all = BTreeMap::new();
    for chunk in ids.chunks(CHUNK) {
        let path = format!("/product-service/product-custom-field/{}", id_set(chunk));
        if let Some(reply) = api.get_found(&path)? {
            all.append(&mut product::custom_values(&reply.value, field));
        }
    }
    Ok(all)
}

/// A product as the agent knows it.
pub fn document(
    product: &Product,
    field: Option<&str>,
    custom: Option<&String>,
    bundle: Option<&BTreeMap<i64, i64>>,
    now_ms: i64,
) -> Document {
    let mut identifiers: Vec<Identifier> = product
        .names
        .iter()
        .map(|(kind, value)| Identifier {
            kind: (*kind).to_owned(),
            value: value.clone(),
        })
        .collect();
    if let (Some(field), Some(value)) = (field, custom) {
        identifiers.push(Identifier {
            kind: format!("custom:{field}"),
            value: value.clone(),
        });
    }
    let changed = product.changed();
    let mut revision = changed.and_then(stamp).unwrap_or_else(|| "none".to_owned());
    // Another field is another view of the same product: it must not be taken for one that was seen.
    if let Some(field) = field {
        revision.push(' ');
        revision.push_str(field);
    }
    let components: Vec<Component> = bundle
        .into_iter()
        .flatten()
        .map(|(id, units)| Component {
            item: id.to_string(),
            quantity: Decimal::whole(*units),
        })
        .collect();
    // So does what a bundle is made of: nobody says that it counts as a change of the product.
    for (id, units) in bundle.into_iter().flatten() {
        // Writing to a string cannot fail.
        let _infallible = write!(revision, " {units}x{id}");
    }
    let status = product.status.as_deref();
    Document {
        key: product.id.to_string(),
        revision,
        occurred_at: changed.unwrap_or(now_ms),
        body: Body::Item(Item {
            identifiers,
            title: product.name.clone(),
            tracked: product.stock_tracked.unwrap_or(false),
            active: status.is_none_or(|s| s.eq_ignore_ascii_case("LIVE")),
            components,
            extras: status
                .map(|value| Extra {
                    name: "productStatus".to_owned(),
                    value: value.to_owned(),
                })
                .into_iter()
                .collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_follow_each_other_with_an_overlap() {
        let start = Cursor::start();
        let (created, now) = start.after(1_000_000_000);
        assert!(!now);
        assert_eq!(
            created.filter,
            Filter::Created(1_000_000_000 - OVERLAP_MS, None)
        );
        let (updated, now) = created.after(2_000_000_000);
        assert!(now);
        assert_eq!(
            updated.filter,
            Filter::Updated(1_000_000_000 - OVERLAP_MS, None)
        );
        assert_eq!(updated.started, Some(2_000_000_000));
        let (again, now) = updated.after(2_000_000_000);
        assert!(!now);
        assert_eq!(
            again.filter,
            Filter::Created(2_000_000_000 - OVERLAP_MS, None)
        );
    }

    #[test]
    fn filters_are_periods_and_id_sets() {
        let query = Filter::Updated(1_762_178_710_000, None).query();
        assert_eq!(query, "&updatedOn=2025-11-03T14%3A05%3A10.000Z%2F");
        assert_eq!(
            Filter::Ids(vec![1003, 1001, 1002]).query(),
            "&productId=1001-1003"
        );
    }
}
