//! Owns the feed of order states: what became of our sales in Brightpearl, as far as it concerns the order's source. One
//! search tells which sales changed; only those of ours are read, and only one that is cancelled, or lacks units that were
//! sold, is told. Must not know what follows from it.

use crate::api::Api;
use crate::bindings::exports::waybill::connector::source::Page;
use crate::changed;
use crate::cut::{UNITS, Units};
use crate::memory;
use crate::notes;
use crate::settings::Settings;
use crate::wire::ids::id_sets;
use crate::wire::standing::{self, Standing};
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
}

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
    let keys: Vec<String> = marks.keys().map(|id| format!("{STATES}{id}")).collect();
    let known = memory::get::<Seen>(api.host, &keys);
    let mut news: BTreeMap<i64, (&String, bool)> = BTreeMap::new();
    for ((id, mark), known) in marks.iter().zip(known) {
        let seen = known.map(|kept| kept.value).unwrap_or_default();
        if seen.mark != *mark {
            news.insert(*id, (mark, seen.told));
        }
    }
    let ids: Vec<i64> = news.keys().copied().collect();
    let mut documents = Vec::new();
    for sale in read(api, &ids)? {
        let Some((mark, told)) = news.get(&sale.id) else {
            continue;
        };
        let (document, concerns) = document(api, settings, &sale);
        let seen = Seen {
            mark: (*mark).clone(),
            told: *told || concerns,
        };
        if seen.told {
            documents.push(document);
        }
        let key = format!("{STATES}{}", sale.id);
        memory::put(api.host, &key, api.host.now_ms(), &seen);
    }
    Ok(documents)
}

fn read(api: &Api<'_>, ids: &[i64]) -> Result<Vec<Standing>, Failure> {
    let mut all = Vec::new();
    for set in id_sets(ids, MOST) {
        let path = format!("/order-service/sales-order/{set}");
        if let Some(reply) = api.get_found(&path)? {
            let found = standing::standing(&reply.value).into_iter();
            all.extend(found.filter(|sale| ids.contains(&sale.id)));
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
    let documents = sales.iter().map(|sale| document(api, settings, sale).0);
    Ok(documents.collect())
}

/// A sale's state, and whether it concerns the order's source.
fn document(api: &Api<'_>, settings: Settings<'_>, sale: &Standing) -> (Document, bool) {
    let own = settings.id("cancel-status").ok().flatten();
    let others = settings.get("cancelled-statuses").unwrap_or_default();
    let mut others = others.split(',').filter_map(|id| id.trim().parse().ok());
    let status = sale.status.unwrap_or_default();
    let cancelled = sale.cancelled || own == Some(status) || others.any(|id: i64| id == status);
    let reference = sale.external_ref.as_deref().unwrap_or_default();
    let sold = memory::one::<Units>(api.host, &format!("{UNITS}{reference}"));
    let sold = sold.map(|kept| kept.value).unwrap_or_default();
    let lines: Vec<LineState> = sold
        .iter()
        .filter_map(|(line, units)| {
            let mut rows = sale.rows.iter();
            let row = rows.find(|row| row.line.as_ref() == Some(line));
            let stands = row.map_or(ZERO, |row| row.quantity);
            let gone = Decimal::parse(units)?.minus(stands)?;
            Some(LineState {
                line: line.clone(),
                allocated: ZERO,
                shipped: ZERO,
                cancelled: if gone.is_positive() {
                    gone.normal()
                } else {
                    ZERO
                },
                invoiced: ZERO,
            })
        })
        .collect();
    let concerns = cancelled || lines.iter().any(|line| line.cancelled.is_positive());
    let at = sale.updated_on.unwrap_or_else(|| api.host.now_ms());
    let document = Document {
        key: sale.id.to_string(),
        revision: format!("{at}"),
        occurred_at: at,
        body: Body::OrderState(OrderState {
            order_key: sale.id.to_string(),
            status: status.to_string(),
            cancelled,
            invoices: Vec::new(),
            lines,
        }),
    };
    (document, concerns)
}
