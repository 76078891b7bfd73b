//! Owns finding and reading goods-out notes: pages of their search, notes by id, and which of them belong to sales of
//! ours. Must not know when something is read.

use crate::api::Api;
use crate::wire::ids::{encode, id_sets, stamp};
use crate::wire::note::{self, COLUMNS, Listed, Note};
use crate::wire::search::Search;
use std::collections::BTreeSet;
use waybill_sdk::Host;
use waybill_sdk::commerce::Entity;
use waybill_sdk::log::Level;
use waybill_sdk::types::Failure;

/// Rows of one search page; the most there can be.
const PAGE: usize = 500;

/// Most ids of one read.
const MOST: usize = 500;

/// Most sales whose notes are read in one call.
const MOST_SALES: usize = 200;

/// Which notes a search asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Shipped from then (to then).
    Shipped(i64, Option<i64>),
    /// Made from then.
    Created(i64),
    /// Not shipped yet.
    Open,
}

impl Filter {
    fn query(self) -> String {
        let period = |name: &str, from: i64, to: Option<i64>| {
            let from = stamp(from).unwrap_or_default();
            let to = to.and_then(stamp).unwrap_or_default();
            format!("{name}={}", encode(&format!("{from}/{to}")))
        };
        match self {
            Self::Shipped(from, to) => {
                format!("shipped=true&{}", period("shippedOn", from, to))
            }
            Self::Created(from) => period("createdOn", from, None),
            Self::Open => "shipped=false".to_owned(),
        }
    }
}

/// One page of a search.
pub struct Found {
    /// Its notes.
    pub notes: Vec<Listed>,
    /// First row of the next page.
    pub next: Option<u64>,
    /// The vendor's clock, or ours where it told none.
    pub now_ms: i64,
}

/// One page of notes.
pub fn search(api: &Api<'_>, filter: Filter, first: u64) -> Result<Found, Failure> {
    let path = format!(
        "/warehouse-service/goods-note/goods-out-search?{}&columns={COLUMNS}&sort=goodsOutNoteId.ASC&pageSize={PAGE}&firstResult={first}",
        filter.query()
    );
    let Some(reply) = api.get_found(&path)? else {
        return Ok(Found {
            notes: Vec::new(),
            next: None,
            now_ms: api.host.now_ms(),
        });
    };
    let Some(page) = Search::read(reply.value) else {
        let words = "A page of goods-out notes is not readable.";
        api.host.log(Level::Warn, words, &[]);
        return Err(Failure::Retry(None));
    };
    Ok(Found {
        notes: page.rows().filter_map(note::listed).collect(),
        next: page.next(first, PAGE),
        now_ms: reply.date_ms.unwrap_or_else(|| api.host.now_ms()),
    })
}

/// Notes by id, and the vendor's clock when they were read; what is not there, or is a move between warehouses, is
/// left out.
pub fn read(api: &Api<'_>, ids: &[i64]) -> Result<(Vec<(i64, Note)>, i64), Failure> {
    let mut all = Vec::new();
    let mut now_ms = None;
    for set in id_sets(ids, MOST) {
        let path = format!("/warehouse-service/order/*/goods-note/goods-out/{set}");
        if let Some(reply) = api.get_found(&path)? {
            let found = note::notes(&reply.value).into_iter();
            all.extend(found.filter(|(id, _)| ids.contains(id)));
            now_ms = now_ms.or(reply.date_ms);
        }
    }
    Ok((all, now_ms.unwrap_or_else(|| api.host.now_ms())))
}

/// The notes of these sales, whatever their step.
pub fn of_sales(api: &Api<'_>, sales: &[i64]) -> Result<Vec<(i64, Note)>, Failure> {
    let mut all = Vec::new();
    for set in id_sets(sales, MOST_SALES) {
        let path = format!("/warehouse-service/order/{set}/goods-note/goods-out");
        if let Some(reply) = api.get_found(&path)? {
            all.extend(note::notes(&reply.value));
        }
    }
    Ok(all)
}

/// The sales among these that were made for an order of ours.
pub fn ours(host: &dyn Host, sales: impl Iterator<Item = i64>) -> BTreeSet<i64> {
    let ids: BTreeSet<i64> = sales.collect();
    if ids.is_empty() {
        return ids;
    }
    let keys: Vec<String> = ids.iter().map(i64::to_string).collect();
    let links = host.links(Entity::Order, &keys);
    ids.into_iter()
        .zip(links)
        .filter(|(_, links)| links.iter().any(|link| link.entity == Entity::Order))
        .map(|(id, _)| id)
        .collect()
}
