//! Owns what was sold on our sales, read in sets and kept in the private space, so that reading a note again costs one
//! call. What is kept counts while it is younger than what happened to the note, and knows all of the note's rows. Must
//! not know how a note becomes a shipment.

use crate::api::Api;
use crate::cut::UNITS;
use crate::item::UNTRACKED;
use crate::memory;
use crate::wire::ids::id_sets;
use crate::wire::sale::Sale;
use crate::wire::sold::{self, SentLine, Sold};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use waybill_sdk::types::Failure;

/// Most ids of one read.
const MOST: usize = 200;

/// Where a sale's content is kept.
pub const SALES: &str = "sale/";

/// Where the lines are kept that were sent, by external reference.
pub const SENT: &str = "sent/";

/// `Date` tells whole seconds: what was read in one may have been read at its end.
const SECOND_MS: i64 = 1_000;

/// What a note needs of its sale.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Read after that time, in UTC milliseconds.
    pub since: i64,
    /// With these rows.
    pub rows: BTreeSet<i64>,
}

/// The sales with these ids; one that Brightpearl does not have is left out.
pub fn read(api: &Api<'_>, wanted: &BTreeMap<i64, Wanted>) -> Result<BTreeMap<i64, Sold>, Failure> {
    let ids: Vec<i64> = wanted.keys().copied().collect();
    let keys: Vec<String> = ids.iter().map(|id| format!("{SALES}{id}")).collect();
    let mut known: BTreeMap<i64, Sold> = BTreeMap::new();
    let mut old: BTreeMap<i64, Sold> = BTreeMap::new();
    for ((id, wanted), kept) in wanted.iter().zip(memory::get::<Sold>(api.host, &keys)) {
        if let Some(kept) = kept {
            let rows = &kept.value.rows;
            let fresh = kept.at >= wanted.since && wanted.rows.iter().all(|r| rows.contains_key(r));
            let into = if fresh { &mut known } else { &mut old };
            into.insert(*id, kept.value);
        }
    }
    let missing: Vec<i64> = ids
        .into_iter()
        .filter(|id| !known.contains_key(id))
        .collect();
    for set in id_sets(&missing, MOST) {
        let path = format!("/order-service/sales-order/{set}");
        let Some(reply) = api.get_found(&path)? else {
            continue;
        };
        let at = reply.date_ms.unwrap_or_else(|| api.host.now_ms());
        for (id, mut sale) in named(api, &reply.value) {
            if !wanted.contains_key(&id) {
                continue;
            }
            mark_untracked(api, &mut sale);
            keep(api, at, id, &sale);
            known.insert(id, sale);
        }
    }
    // One that is not shown now was shown before: better than nothing.
    for (id, sale) in old {
        known.entry(id).or_insert(sale);
    }
    Ok(known)
}

/// Keeps a sale that was read at that time of the vendor's clock, for the notes it may have.
pub fn keep(api: &Api<'_>, read_ms: i64, id: i64, sale: &Sold) {
    memory::put(api.host, &format!("{SALES}{id}"), read_ms + SECOND_MS, sale);
}

/// The sales of an answer, their rows named as far as one line of the order can be meant.
pub fn named(api: &Api<'_>, response: &Value) -> BTreeMap<i64, Sold> {
    let mut all = BTreeMap::new();
    for (id, reference, mut sale) in sold::sales(response) {
        let mut rows = sale.rows.values();
        if rows.any(|row| row.line.is_none() && !row.child)
            && let Some(sent) = reference.and_then(|reference| sent(api, &reference))
        {
            sale.name_rows(&sent);
        }
        all.insert(id, sale);
    }
    all
}

/// Parts without stock are never packed: a kit must not wait for them.
pub fn mark_untracked(api: &Api<'_>, sale: &mut Sold) {
    let parts: Vec<_> = sale
        .rows
        .values_mut()
        .filter_map(|row| Some((row.product.filter(|_| row.child)?, row)))
        .collect();
    if parts.is_empty() {
        return;
    }
    let key = |(product, _): &(i64, _)| format!("{UNTRACKED}{product}");
    let keys: Vec<String> = parts.iter().map(key).collect();
    for ((_, row), noted) in parts.into_iter().zip(api.host.kv_get(&keys)) {
        row.untracked = noted.is_some();
    }
}

/// Keeps the lines of a sale as they were sent, for the day its rows come back without their keys.
pub fn note_sent(api: &Api<'_>, external_ref: &str, sale: &Sale<'_>) {
    let at = api.host.now_ms();
    memory::put(
        api.host,
        &format!("{SENT}{external_ref}"),
        at,
        &sale.lines(),
    );
    memory::put(
        api.host,
        &format!("{UNITS}{external_ref}"),
        at,
        &sale.units(),
    );
}

fn sent(api: &Api<'_>, external_ref: &str) -> Option<Vec<SentLine>> {
    let kept = memory::one(api.host, &format!("{SENT}{external_ref}"));
    kept.map(|kept: memory::Kept<Vec<SentLine>>| kept.value)
}
