//! Owns the feed of invoices: our sales that were closed in Brightpearl. Nothing at the vendor lists invoices, so each
//! round asks which of our sales changed and reads those that changed since they were seen. One whose booking is under
//! way is read again each round until it has its number; once an hour a round looks back further, for sales that became
//! ours late. Must not know what an invoice looks like (`billed.rs`).

use crate::api::Api;
use crate::billed;
use crate::bindings::exports::waybill::connector::source::Page;
use crate::changed;
use crate::memory;
use crate::notes;
use crate::settings::Settings;
use crate::sold;
use crate::wire::billed::{self as wire, Reference};
use crate::wire::ids::id_sets;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use waybill_sdk::commerce::Document;
use waybill_sdk::log::Level;
use waybill_sdk::types::Failure;

/// Most ids of one read.
const MOST: usize = 200;

/// Where a sale is remembered that was looked at, and where one whose booking is under way.
const SEEN: &str = "invoice/";
const PENDING: &str = "invoice-pending/";

/// Sales under way that are read in one round.
const MOST_PENDING: u32 = 200;

const HOUR_MS: i64 = 3_600_000;
/// How long things are remembered.
const KEPT_MS: i64 = 90 * 24 * HOUR_MS;

/// Where the feed stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// The vendor's clock when the last whole round began.
    since: i64,
    /// Our clock when the last round was begun that looks back further.
    swept: i64,
    /// The round under way.
    round: Option<Round>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Round {
    from: i64,
    first: u64,
    started: Option<i64>,
}

/// What was seen of a sale.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Seen {
    /// As its search shows it.
    mark: String,
    /// Its invoice was handed over: a closed sale does not change.
    told: bool,
}

impl Cursor {
    fn begin(&mut self, settings: Settings<'_>, now_ms: i64) -> Round {
        let wide = self.since == 0 || now_ms - self.swept >= HOUR_MS || self.swept > now_ms;
        if wide {
            self.swept = now_ms;
        }
        let recent = self.since - settings.shipment_overlap_ms();
        let far = now_ms - settings.shipment_sweep_ms();
        Round {
            // After a long silence the last round lies further back than a day.
            from: match self.since {
                0 => far,
                _ if wide => far.min(recent),
                _ => recent,
            },
            first: 1,
            started: None,
        }
    }
}

/// The next page of the feed.
pub fn pull(api: &Api<'_>, settings: Settings<'_>, cursor: Option<&[u8]>) -> Result<Page, Failure> {
    let mut cursor = cursor.map_or_else(Cursor::default, |bytes| {
        serde_json::from_slice(bytes).unwrap_or_else(|_| {
            let words = "The position of invoices is not readable; a wide round begins.";
            api.host.log(Level::Warn, words, &[]);
            Cursor::default()
        })
    });
    let mut round = match cursor.round.take() {
        Some(round) => round,
        None => cursor.begin(settings, api.host.now_ms()),
    };
    let found = changed::search(api, round.from, round.first)?;
    let started = *round.started.get_or_insert(found.now_ms);
    let pending = if round.first == 1 {
        pending(api)
    } else {
        BTreeSet::new()
    };
    let documents = read_changed(api, settings, found.marks, &pending)?;
    if let Some(first) = found.next {
        round.first = first;
        cursor.round = Some(round);
    } else {
        cursor.since = started;
        memory::prune(api.host, SEEN, started - KEPT_MS);
        memory::prune(api.host, PENDING, started - KEPT_MS);
    }
    Ok(Page {
        documents,
        cursor: crate::item::bytes(&cursor),
        more: found.next.is_some(),
    })
}

/// Sales whose booking was under way when they were read last.
fn pending(api: &Api<'_>) -> BTreeSet<i64> {
    let entries = api.host.kv_scan(PENDING, None, MOST_PENDING);
    let ids = entries.iter().filter_map(|(key, _)| {
        let id = key.strip_prefix(PENDING)?;
        id.parse().ok()
    });
    ids.collect()
}

/// Reads the sales that show another mark than before, and those that are read in any case.
fn read_changed(
    api: &Api<'_>,
    settings: Settings<'_>,
    mut marks: BTreeMap<i64, String>,
    anyway: &BTreeSet<i64>,
) -> Result<Vec<Document>, Failure> {
    for id in anyway {
        marks.entry(*id).or_default();
    }
    let keys: Vec<String> = marks.keys().map(|id| format!("{SEEN}{id}")).collect();
    let known = memory::get::<Seen>(api.host, &keys);
    let known = known.into_iter().map(|kept| kept.map(|kept| kept.value));
    let news: BTreeMap<i64, String> = marks
        .into_iter()
        .zip(known)
        .filter(|((id, mark), known)| {
            let seen = known.as_ref();
            let told = seen.is_some_and(|seen| seen.told);
            let same = seen.is_some_and(|seen| seen.mark == *mark);
            !told && (!same || anyway.contains(id))
        })
        .map(|(sale, _)| sale)
        .collect();
    let documents = read(api, settings, &news.keys().copied().collect())?;
    let told: BTreeSet<&str> = documents.iter().map(|d| d.key.as_str()).collect();
    for (id, mark) in news {
        let told = told.contains(id.to_string().as_str());
        let at = api.host.now_ms();
        memory::put(api.host, &format!("{SEEN}{id}"), at, &Seen { mark, told });
    }
    Ok(documents)
}

/// The invoices among these sales of ours.
fn read(
    api: &Api<'_>,
    settings: Settings<'_>,
    ids: &BTreeSet<i64>,
) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    let all: Vec<i64> = ids.iter().copied().collect();
    for set in id_sets(&all, MOST) {
        let path = format!("/order-service/sales-order/{set}");
        let Some(reply) = api.get_found(&path)? else {
            continue;
        };
        let mut rows: BTreeMap<i64, _> = sold::named(api, &reply.value);
        for sale in wire::billed(&reply.value) {
            let Some(sold) = rows.remove(&sale.id).filter(|_| ids.contains(&sale.id)) else {
                continue;
            };
            let key = format!("{PENDING}{}", sale.id);
            let document = billed::document(&sale, &sold, settings);
            let under_way = match &sale.reference {
                Reference::None => false,
                Reference::Pending => true,
                Reference::Number(number) => {
                    if document.is_none() {
                        let words = "An invoice lacks its date, its currency or its total; it is read again.";
                        api.host.log(Level::Warn, words, &[("invoice", number)]);
                    }
                    document.is_none()
                }
            };
            if under_way {
                memory::put(api.host, &key, api.host.now_ms(), &());
            } else {
                api.host.kv_delete(&key);
            }
            documents.extend(document);
        }
    }
    Ok(documents)
}

/// The invoices of these sales, as far as they have one.
pub fn fetch(
    api: &Api<'_>,
    settings: Settings<'_>,
    keys: &[String],
) -> Result<Vec<Document>, Failure> {
    let ids = keys.iter().filter_map(|key| key.parse::<i64>().ok());
    let ours = notes::ours(api.host, ids.filter(|id| *id > 0));
    read(api, settings, &ours)
}

/// The invoices of sales that changed since then, from that row of the search on.
pub fn list(
    api: &Api<'_>,
    settings: Settings<'_>,
    from: i64,
    first: u64,
) -> Result<(Vec<Document>, Option<u64>), Failure> {
    let found = changed::search(api, from, first)?;
    let ids = found.marks.keys().copied().collect();
    Ok((read(api, settings, &ids)?, found.next))
}
