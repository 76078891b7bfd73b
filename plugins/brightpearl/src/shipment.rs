//! Owns the feed of shipments: goods-out notes of our own sales.
//!
//! A quick round asks what was shipped since the last one, with an overlap, since searches trail writes. Where somebody
//! waits for an earlier step than shipping, it asks what was made instead, and reads the open notes it knows again. Once
//! an hour a wide round looks back further: at notes that were dated back, or whose sale became ours late, and at all
//! that it knows of that time, since a tracking number that changes shows in no search. Notes of other channels cost
//! nothing but their row: our links tell them apart before anything is read. Must not know what a shipment looks like
//! (`packing.rs`).

use crate::api::Api;
use crate::bindings::exports::waybill::connector::source::Page;
use crate::memory::{self, Kept};
use crate::notes::{self, Filter};
use crate::packing;
use crate::settings::Settings;
use crate::sold::{self, Wanted};
use crate::wire::note::{self, Note};
use crate::wire::sold::Sold;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use waybill_sdk::commerce::{Body, Document};
use waybill_sdk::log::Level;
use waybill_sdk::types::Failure;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How often a wide round is due.
const WIDE_EVERY_MS: i64 = HOUR_MS;

/// Known notes that are read again in one page.
const AGAIN: usize = 450;

/// Known notes that are looked at in one step.
const LOOK_AT: u32 = 5_000;

/// Where a note that was read is remembered, and where one that is not ours.
const NOTES: &str = "note/";
const FOREIGN: &str = "foreign/";

/// How long things are remembered.
const FOREIGN_MS: i64 = 7 * DAY_MS;
const SALES_MS: i64 = 90 * DAY_MS;
const SENT_MS: i64 = 180 * DAY_MS;

/// One note that was read; kept with the vendor's time of reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// As its search shows it.
    state: String,
    /// The newest time it named, in UTC milliseconds.
    last: i64,
    /// Not shipped.
    #[serde(default)]
    open: bool,
}

/// What a round still has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Step {
    /// Search: shipped from then.
    Shipped(i64),
    /// Search: made from then.
    Created(i64),
    /// Search: not shipped.
    Open,
    /// What is known, behind that key.
    Known(String),
}

/// A round under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Round {
    wide: bool,
    steps: Vec<Step>,
    /// First row of the next page of the first step.
    first: u64,
    /// The vendor's clock at its first answer.
    started: Option<i64>,
}

/// Where the feed stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// The vendor's clock when the last whole round began.
    since: i64,
    /// Our clock when the last wide round was begun.
    swept: i64,
    /// Open notes are read, too.
    early: bool,
    round: Option<Round>,
}

impl Cursor {
    fn begin(&mut self, settings: Settings<'_>, now_ms: i64) -> Round {
        let early = !matches!(settings.get("shipments.stage"), None | Some("shipped"));
        let wide = self.since == 0
            || now_ms - self.swept >= WIDE_EVERY_MS
            || self.swept > now_ms
            || early != self.early;
        self.early = early;
        let known = || Step::Known(NOTES.to_owned());
        let recent = self.since - settings.shipment_overlap_ms();
        let far = now_ms - settings.shipment_sweep_ms();
        let steps = match (wide, early) {
            (false, false) => vec![Step::Shipped(recent)],
            (false, true) => vec![Step::Created(recent), known()],
            (true, false) => vec![Step::Shipped(far), known()],
            (true, true) => vec![Step::Shipped(far), Step::Open, known()],
        };
        if wide {
            self.swept = now_ms;
        }
        Round {
            wide,
            steps,
            first: 1,
            started: None,
        }
    }
}

/// The next page of the feed.
pub fn pull(api: &Api<'_>, settings: Settings<'_>, cursor: Option<&[u8]>) -> Result<Page, Failure> {
    let mut cursor = cursor.map_or_else(Cursor::default, |bytes| {
        serde_json::from_slice(bytes).unwrap_or_else(|_| {
            let words = "The position of shipments is not readable; a wide round begins.";
            api.host.log(Level::Warn, words, &[]);
            Cursor::default()
        })
    });
    let mut round = match cursor.round.take() {
        Some(round) => round,
        None => cursor.begin(settings, api.host.now_ms()),
    };
    let mut documents = Vec::new();
    if let Some(step) = round.steps.first().cloned() {
        let filter = match step {
            Step::Shipped(from) => Some(Filter::Shipped(from, None)),
            Step::Created(from) => Some(Filter::Created(from)),
            Step::Open => Some(Filter::Open),
            Step::Known(_) => None,
        };
        let next = match (filter, &step) {
            (Some(filter), _) => {
                let (found, next, now_ms) = searched(api, filter, round.first)?;
                documents = found;
                round.started.get_or_insert(now_ms);
                round.first = next.unwrap_or(1);
                next.map(|_| step)
            }
            (None, Step::Known(after)) => {
                let (found, next) = known(api, settings, &round, after)?;
                documents = found;
                next.map(Step::Known)
            }
            (None, _) => None,
        };
        match next {
            Some(step) => round.steps[0] = step,
            None => drop(round.steps.remove(0)),
        }
    }
    let more = !round.steps.is_empty();
    if more {
        cursor.round = Some(round);
    } else {
        let started = round.started.unwrap_or_else(|| api.host.now_ms());
        cursor.since = started;
        if round.wide {
            memory::prune(api.host, FOREIGN, started - FOREIGN_MS);
            memory::prune(api.host, sold::SALES, started - SALES_MS);
            for kept in [sold::SENT, crate::cut::UNITS, crate::cut::CUTS] {
                memory::prune(api.host, kept, started - SENT_MS);
            }
        }
    }
    Ok(Page {
        documents,
        cursor: crate::item::bytes(&cursor),
        more,
    })
}

/// One page of a search: what of it is ours and not known as it stands there.
fn searched(
    api: &Api<'_>,
    filter: Filter,
    first: u64,
) -> Result<(Vec<Document>, Option<u64>, i64), Failure> {
    let found = notes::search(api, filter, first)?;
    let ours = notes::ours(api.host, found.notes.iter().map(|n| n.order));
    let mine: Vec<_> = found
        .notes
        .into_iter()
        .filter(|n| ours.contains(&n.order))
        .collect();
    let keys: Vec<String> = mine.iter().map(|n| note_key(n.id)).collect();
    let known: Vec<Option<Kept<Seen>>> = memory::get(api.host, &keys);
    let states: BTreeMap<i64, String> = mine
        .into_iter()
        .zip(known)
        .filter(|(note, known)| {
            known
                .as_ref()
                .is_none_or(|known| known.value.state != note.state)
        })
        .map(|(note, _)| (note.id, note.state))
        .collect();
    let ids: Vec<i64> = states.keys().copied().collect();
    let documents = read(api, &ids, &states, None)?;
    Ok((documents, found.next, found.now_ms))
}

/// Notes that are known, read again: open ones, and in a wide round all of its time.
fn known(
    api: &Api<'_>,
    settings: Settings<'_>,
    round: &Round,
    after: &str,
) -> Result<(Vec<Document>, Option<String>), Failure> {
    let now_ms = round.started.unwrap_or_else(|| api.host.now_ms());
    let far = now_ms - settings.shipment_sweep_ms();
    let entries = api.host.kv_scan(NOTES, Some(after), LOOK_AT);
    let full = entries.len() >= LOOK_AT as usize;
    let mut ids = Vec::new();
    let mut next = None;
    for (key, bytes) in entries {
        let id = key
            .strip_prefix(NOTES)
            .and_then(|id| id.parse::<i64>().ok());
        let kept: Option<Kept<Seen>> = serde_json::from_slice(&bytes).ok();
        match id.zip(kept) {
            Some((id, kept)) => {
                let recent = kept.value.open || (round.wide && kept.value.last >= far);
                if recent && kept.at < now_ms {
                    ids.push(id);
                } else if !kept.value.open && kept.value.last < far - DAY_MS {
                    // No search shows it any more.
                    api.host.kv_delete(&key);
                }
            }
            None => api.host.kv_delete(&key),
        }
        if ids.len() == AGAIN {
            next = Some(key);
            break;
        }
        if full {
            next = Some(key);
        }
    }
    let documents = read(api, &ids, &BTreeMap::new(), None)?;
    Ok((documents, next))
}

/// These shipments as they are now; one without a document is gone, or is not ours.
pub fn fetch(api: &Api<'_>, keys: &[String]) -> Result<Vec<Document>, Failure> {
    let ids: BTreeSet<i64> = keys
        .iter()
        .filter_map(|key| key.parse().ok())
        .filter(|id| *id > 0)
        .collect();
    let ids: Vec<i64> = ids.into_iter().collect();
    // A note never changes its sale; but a sale that was nobody's may have become ours.
    let foreign: Vec<String> = ids.iter().map(|id| format!("{FOREIGN}{id}")).collect();
    let sales: Vec<Option<i64>> = memory::get::<i64>(api.host, &foreign)
        .into_iter()
        .map(|kept| kept.map(|kept| kept.value))
        .collect();
    let became_ours = notes::ours(api.host, sales.iter().flatten().copied());
    let ids: Vec<i64> = ids
        .into_iter()
        .zip(sales)
        .filter(|(_, sale)| sale.is_none_or(|sale| became_ours.contains(&sale)))
        .map(|(id, _)| id)
        .collect();
    let mut foreign = Vec::new();
    let documents = read(api, &ids, &BTreeMap::new(), Some(&mut foreign))?;
    for (id, sale) in foreign {
        memory::put(
            api.host,
            &format!("{FOREIGN}{id}"),
            api.host.now_ms(),
            &sale,
        );
    }
    Ok(documents)
}

/// One page of everything that was shipped in a time.
pub fn list(
    api: &Api<'_>,
    from: i64,
    to: Option<i64>,
    first: u64,
) -> Result<(Vec<Document>, Option<u64>), Failure> {
    let found = notes::search(api, Filter::Shipped(from, to), first)?;
    let ours = notes::ours(api.host, found.notes.iter().map(|n| n.order));
    let mine = found.notes.iter().filter(|n| ours.contains(&n.order));
    let ids: Vec<i64> = mine.map(|n| n.id).collect();
    Ok((read(api, &ids, &BTreeMap::new(), None)?, found.next))
}

fn note_key(id: i64) -> String {
    format!("{NOTES}{id}")
}

/// Reads notes and what was sold on their sales, and remembers them; `states` is what the search showed of them, and
/// `foreign` takes the notes that are not ours with their sales.
fn read(
    api: &Api<'_>,
    ids: &[i64],
    states: &BTreeMap<i64, String>,
    foreign: Option<&mut Vec<(i64, i64)>>,
) -> Result<Vec<Document>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (found, now_ms) = notes::read(api, ids)?;
    let ours = notes::ours(api.host, found.iter().map(|(_, note)| note.order));
    let (mine, others): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|(_, note)| ours.contains(&note.order));
    let asked = foreign.is_some();
    if let Some(foreign) = foreign {
        foreign.extend(others.iter().map(|(id, note)| (*id, note.order)));
    }
    let there: BTreeSet<i64> = mine.iter().map(|(id, _)| *id).collect();
    let gone = ids.iter().filter(|id| !there.contains(id));
    for key in gone.map(|id| note_key(*id)) {
        if memory::one::<Seen>(api.host, &key).is_some() {
            api.host.kv_delete(&key);
        }
    }
    let sold = sold::read(api, &wanted(&mine, now_ms))?;
    let mut documents = Vec::with_capacity(mine.len());
    for (id, note) in &mine {
        let Some(sale) = sold.get(&note.order) else {
            let (key, order) = (id.to_string(), note.order.to_string());
            let fields = [("note", key.as_str()), ("sale", order.as_str())];
            let words = "The sale of a goods-out note is not shown; the note is left for later.";
            api.host.log(Level::Warn, words, &fields);
            if asked {
                // Without a document it would count as gone.
                documents.push(packing::document(*id, note, &Sold::default(), now_ms));
            }
            continue;
        };
        let document = packing::document(*id, note, sale, now_ms);
        warn_of_ambiguous(api, &document);
        let seen = Seen {
            state: states.get(id).cloned().unwrap_or_else(|| note::state(note)),
            last: note.last_on.unwrap_or(now_ms),
            open: !note.steps[3],
        };
        memory::put(api.host, &note_key(*id), now_ms, &seen);
        documents.push(document);
    }
    Ok(documents)
}

/// What the notes need of their sales: their rows, as they stood when something last happened to the note.
fn wanted(notes: &[(i64, Note)], now_ms: i64) -> BTreeMap<i64, Wanted> {
    let mut all: BTreeMap<i64, Wanted> = BTreeMap::new();
    for (_, note) in notes {
        let wanted = all.entry(note.order).or_default();
        // A time that is still to come must not have the sale read again and again.
        let last = note.last_on.unwrap_or_default().min(now_ms);
        wanted.since = wanted.since.max(last);
        wanted.rows.extend(note.rows.keys());
    }
    all
}

fn warn_of_ambiguous(api: &Api<'_>, document: &Document) {
    let Body::Shipment(shipment) = &document.body else {
        return;
    };
    for extra in &shipment.extras {
        if extra.name == packing::AMBIGUOUS {
            let fields = [
                ("note", document.key.as_str()),
                ("sale", shipment.order_key.as_str()),
                ("row", extra.value.as_str()),
            ];
            let words = "A row of a goods-out note may be more than one line of its order; it is not reported.";
            api.host.log(Level::Warn, words, &fields);
        }
    }
}
