//! Owns the feed of order states: what became of our sales in Brightpearl, as far as it concerns the order's source. One
//! search tells which sales changed; only those of ours are read, and only one that is cancelled, lacks units that were
//! sold, or whose units are all set aside, is told. Must not know what follows from it.

use crate::api::Api;
use crate::aside::{self, Units as Held};
use crate::bindings::exports::waybill::connector::source::Page;
use crate::changed;
use crate::cut::{UNITS, Units};
use crate::memory;
use crate::notes;
use crate::settings::Settings;
use crate::sold;
use crate::wire::ids::id_sets;
use crate::wire::sold::Sold;
use crate::wire::standing::{self, Aside, Standing};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use waybill_sdk::commerce::{Body, Decimal, Document, LineState, OrderState};
use waybill_sdk::decimal::ZERO;
use waybill_sdk::types::Failure;

/// Most ids of one read.
const MOST: usize = 200;
/// Where a sale's state is kept that was looked at.
const STATES: &str = "state/";
/// How long it is kept.
const KEPT_MS: i64 = 90 * 86_400_000;

/// Where the feed stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// The vendor's clock when the last whole round began.
    since: i64,
    /// First row of the next page.
    first: u64,
    /// The vendor's clock when this round began.
    started: Option<i64>,
}

/// What was seen of a sale.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Seen {
    /// As its search shows it.
    mark: String,
    /// It was told before: from then on every change is.
    told: bool,
    /// What was set aside, in words; nothing at first.
    aside: String,
    /// When that was first seen so. A sale's time of change need not move with it.
    aside_at: i64,
}

/// A sale, and which row is which line.
struct Sale {
    stands: Standing,
    sold: Sold,
}

/// Units of the lines of a sale that is set aside in part.
type Parts = BTreeMap<i64, BTreeMap<String, Held>>;

/// The next page of the feed.
pub fn pull(api: &Api<'_>, settings: Settings<'_>, cursor: Option<&[u8]>) -> Result<Page, Failure> {
    let cursor: Option<Cursor> = cursor.and_then(|bytes| serde_json::from_slice(bytes).ok());
    let mut cursor = cursor.unwrap_or_else(|| Cursor {
        since: api.host.now_ms() - settings.shipment_sweep_ms(),
        ..Cursor::default()
    });
    let since = cursor.since - settings.shipment_overlap_ms();
    let found = changed::search(api, since, cursor.first.max(1))?;
    let started = cursor.started.unwrap_or(found.now_ms);
    let next = found.next;
    let documents = read_changed(api, settings, &found.marks)?;
    cursor = match next {
        Some(first) => Cursor {
            first,
            started: Some(started),
            ..cursor
        },
        None => Cursor {
            since: started,
            ..Cursor::default()
        },
    };
    if next.is_none() {
        memory::prune(api.host, STATES, started - KEPT_MS);
    }
    Ok(Page {
        documents,
        cursor: crate::item::bytes(&cursor),
        more: next.is_some(),
    })
}

/// Reads the sales whose search shows another state than before.
fn read_changed(
    api: &Api<'_>,
    settings: Settings<'_>,
    marks: &BTreeMap<i64, String>,
) -> Result<Vec<Document>, Failure> {
    let known = seen(api, marks.keys());
    let mut news: BTreeMap<i64, (&String, Seen)> = BTreeMap::new();
    for ((id, mark), mut seen) in marks.iter().zip(known) {
        if seen.mark == *mark {
            continue;
        }
        // All of it has left, and nobody waits for this status: its rows say nothing new, its invoice is another feed's.
        let awaited = says_something(settings, changed::status(mark));
        let left = seen.aside == Aside::Left.word();
        if left && !awaited && changed::stands_alike(&seen.mark, mark) {
            seen.mark.clone_from(mark);
            keep(api, *id, &seen);
        } else {
            news.insert(*id, (mark, seen));
        }
    }
    let ids: Vec<i64> = news.keys().copied().collect();
    let mut told = Vec::new();
    for sale in read(api, &ids)? {
        let id = sale.stands.id;
        let Some((mark, mut seen)) = news.remove(&id) else {
            continue;
        };
        seen.mark.clone_from(mark);
        let aside = matches!(sale.stands.aside, Aside::All | Aside::Left);
        seen.told |= aside || concerns(api, settings, &sale.stands);
        if seen.told {
            told.push((sale, seen));
        } else {
            keep(api, id, &seen);
        }
    }
    documents(api, settings, told)
}

fn seen<'a>(api: &Api<'_>, ids: impl Iterator<Item = &'a i64>) -> Vec<Seen> {
    let keys: Vec<String> = ids.map(|id| format!("{STATES}{id}")).collect();
    let known = memory::get::<Seen>(api.host, &keys).into_iter();
    known
        .map(|kept| kept.map(|kept| kept.value).unwrap_or_default())
        .collect()
}

fn keep(api: &Api<'_>, id: i64, seen: &Seen) {
    memory::put(api.host, &format!("{STATES}{id}"), api.host.now_ms(), seen);
}

fn read(api: &Api<'_>, ids: &[i64]) -> Result<Vec<Sale>, Failure> {
    let mut all = Vec::new();
    for set in id_sets(ids, MOST) {
        let path = format!("/order-service/sales-order/{set}");
        if let Some(reply) = api.get_found(&path)? {
            let mut sold = sold::named(api, &reply.value);
            for sale in sold.values_mut() {
                sold::mark_untracked(api, sale);
            }
            let found = standing::standing(&reply.value).into_iter();
            let at = reply.date_ms.unwrap_or_else(|| api.host.now_ms());
            for stands in found.filter(|sale| ids.contains(&sale.id)) {
                let sold = sold.remove(&stands.id).unwrap_or_default();
                // Something has left: its notes are about to be read, and need the sale.
                if matches!(stands.aside, Aside::Left | Aside::Part) {
                    sold::keep(api, at, stands.id, &sold);
                }
                all.push(Sale { stands, sold });
            }
        }
    }
    Ok(all)
}

/// The states of these sales, whatever they are.
pub fn fetch(
    api: &Api<'_>,
    settings: Settings<'_>,
    keys: &[String],
) -> Result<Vec<Document>, Failure> {
    let ids = keys.iter().filter_map(|key| key.parse::<i64>().ok());
    let ours = notes::ours(api.host, ids.filter(|id| *id > 0));
    let ids: Vec<i64> = ours.into_iter().collect();
    let sales = read(api, &ids)?;
    let known = seen(api, sales.iter().map(|sale| &sale.stands.id));
    documents(api, settings, sales.into_iter().zip(known).collect())
}

/// The documents of these sales, which are told.
fn documents(
    api: &Api<'_>,
    settings: Settings<'_>,
    sales: Vec<(Sale, Seen)>,
) -> Result<Vec<Document>, Failure> {
    let in_part = sales
        .iter()
        .filter(|(sale, _)| sale.stands.aside == Aside::Part);
    let in_part = in_part.map(|(sale, _)| (sale.stands.id, sale.sold.clone()));
    let parts = aside::read(api, &in_part.collect())?;
    let mut all = Vec::with_capacity(sales.len());
    for (sale, mut seen) in sales {
        let stands = &sale.stands;
        let lines = lines(api, stands, &parts);
        let aside = in_words(stands.aside, &lines);
        if seen.aside != aside {
            seen.aside = aside;
            seen.aside_at = api.host.now_ms();
            seen.told = true;
        }
        keep(api, stands.id, &seen);
        let at = stands.updated_on.unwrap_or_else(|| api.host.now_ms());
        let revision = if seen.aside_at == 0 {
            at.to_string()
        } else {
            format!("{at} {} {}", stands.aside.word(), seen.aside_at)
        };
        all.push(Document {
            key: stands.id.to_string(),
            revision,
            occurred_at: at,
            body: Body::OrderState(OrderState {
                order_key: stands.id.to_string(),
                status: stands.status.unwrap_or_default().to_string(),
                cancelled: is_cancelled(settings, stands),
                invoices: Vec::new(),
                lines,
            }),
        });
    }
    Ok(all)
}

fn in_words(aside: Aside, lines: &[LineState]) -> String {
    match aside {
        Aside::Nothing => String::new(),
        Aside::All | Aside::Left => aside.word().to_owned(),
        Aside::Part => {
            let units = |l: &LineState| {
                format!("{}={}+{}", l.line, l.allocated.normal(), l.shipped.normal())
            };
            lines.iter().map(units).collect::<Vec<_>>().join(" ")
        }
    }
}

/// Whether the agent asked for sales with this status.
fn is_awaited(settings: Settings<'_>, status: Option<i64>) -> bool {
    is_one_of(settings, "order-states.statuses", status)
}

fn is_one_of(settings: Settings<'_>, list: &str, status: Option<i64>) -> bool {
    let ids = settings.get(list).unwrap_or_default();
    let mut ids = ids.split(',').filter_map(|id| id.trim().parse().ok());
    status.is_some_and(|status| ids.any(|id: i64| id == status))
}

/// Whether the merchant told us that sales with this status are cancelled.
fn is_cancelled_status(settings: Settings<'_>, status: Option<i64>) -> bool {
    let own = settings.id("cancel-status").ok().flatten();
    own.is_some() && own == status || is_one_of(settings, "cancelled-statuses", status)
}

fn is_cancelled(settings: Settings<'_>, sale: &Standing) -> bool {
    sale.cancelled || is_cancelled_status(settings, sale.status)
}

/// Whether this status alone is of any interest.
fn says_something(settings: Settings<'_>, status: Option<i64>) -> bool {
    is_awaited(settings, status) || is_cancelled_status(settings, status)
}

/// Whether the order's source has to know, whatever is set aside.
fn concerns(api: &Api<'_>, settings: Settings<'_>, sale: &Standing) -> bool {
    let lines = lines(api, sale, &Parts::new());
    is_cancelled(settings, sale)
        || is_awaited(settings, sale.status)
        || lines.iter().any(|line| line.cancelled.is_positive())
}

fn lines(api: &Api<'_>, sale: &Standing, parts: &Parts) -> Vec<LineState> {
    let reference = sale.external_ref.as_deref().unwrap_or_default();
    let sold = memory::one::<Units>(api.host, &format!("{UNITS}{reference}"));
    let sold = sold.map(|kept| kept.value).unwrap_or_default();
    let parts = parts.get(&sale.id);
    sold.iter()
        .filter_map(|(line, units)| {
            let mut rows = sale.rows.iter();
            let row = rows.find(|row| row.line.as_ref() == Some(line));
            let stands = row.map_or(ZERO, |row| row.quantity);
            let gone = Decimal::parse(units)?.minus(stands)?;
            let held = match sale.aside {
                Aside::Nothing => Held::default(),
                Aside::Part => parts.and_then(|p| p.get(line)).copied().unwrap_or_default(),
                Aside::All => Held {
                    aside: stands,
                    ..Held::default()
                },
                Aside::Left => Held {
                    left: stands,
                    ..Held::default()
                },
            };
            Some(LineState {
                line: line.clone(),
                allocated: held.aside,
                shipped: held.left,
                cancelled: if gone.is_positive() {
                    gone.normal()
                } else {
                    ZERO
                },
                invoiced: ZERO,
            })
        })
        .collect()
}
