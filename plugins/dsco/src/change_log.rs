//! The change log: what became of queued writes, by request or by date. Knows entries, not what follows from them.

use crate::api::{Api, encode};
use crate::queue::ENOUGH_MS;
use crate::told::{Scope, Told, What};
use crate::wire::log::{Entry, Log};
use std::collections::BTreeMap;
use waybill_sdk::types::Failure;

/// Pages of a log read at most; one call writes fewer objects than that.
const PAGES: usize = 200;
/// How often a page is asked for that is not answered well.
const TRIES: usize = 4;
/// A page with so many entries is one of many.
const MUCH: usize = 100;

/// Entries of the change log.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// `processing` or `completed`, where the vendor says it.
    pub(crate) status: Option<String>,
    pub(crate) entries: Vec<Entry>,
    /// More entries follow, which were not asked for.
    pub(crate) cut: bool,
    /// It was too long to be read to its end, or to be read in time: what it does not name may be in the rest.
    pub(crate) unread: bool,
}

impl Read {
    /// Whether the vendor says that the request is done, and all of it is here.
    pub(crate) fn is_complete(&self) -> bool {
        self.status.as_deref() == Some("completed") && !self.unread
    }

    /// Whether the vendor says that it is still at it.
    pub(crate) fn is_in_work(&self) -> bool {
        self.status.as_deref() == Some("processing")
    }

    /// Whether every entry says which order it is about.
    pub(crate) fn names_all(&self) -> bool {
        self.entries.iter().all(|entry| {
            let payload = entry.payload.as_ref();
            payload.is_some_and(|p| {
                p.order().is_some() || p.po_number.is_some() || p.invoice_id.is_some()
            })
        })
    }
}

/// The log of orders: acknowledgements, cancels, shipments.
const ORDERS: &str = "/order/log";
/// The log of stock.
pub(crate) const INVENTORY: &str = "/inventory/log";

/// The log of invoices.
const INVOICES: &str = "/invoice/log";

/// The log that holds what became of it.
pub(crate) const fn of(told: &Told) -> &'static str {
    match told.what {
        What::Invoiced(_) => INVOICES,
        What::Acknowledged { .. } | What::Shipped { .. } | What::Cancelled { .. } => ORDERS,
    }
}

/// A change log for a query, all of its pages. None: the vendor does not know the request yet.
pub(crate) fn read(api: &Api<'_>, log: &str, query: &str) -> Result<Option<Read>, Failure> {
    read_kept(api, log, query, &|_| true)
}

/// The same, of which only what `keep` wants is kept.
fn read_kept(
    api: &Api<'_>,
    log: &str,
    query: &str,
    keep: &dyn Fn(&Entry) -> bool,
) -> Result<Option<Read>, Failure> {
    // A page is forgotten five minutes after the one before it: then the log is read from its start, once.
    for _ in 0..2 {
        let Some(first): Option<Log> = api.find(&format!("{log}?{query}"))? else {
            return Ok(None);
        };
        if let Some(read) = pages(api, log, first, keep, &mut |_| false)? {
            return Ok(Some(read));
        }
    }
    Err(Failure::Retry(None))
}

/// What the log says of a while. Where that is much, `closer` may ask for less of it: a busy account has thousands of
/// entries in a minute, a page takes a call, and calls are few. Only entries that `keep` wants are kept: all of an hour would
/// not fit into a connector's memory, nor could each be held against each member. It is read until `enough` says so of the
/// entries so far, given those of each page.
pub(crate) fn read_closer(
    api: &Api<'_>,
    log: &str,
    query: &str,
    closer: impl FnOnce() -> Option<String>,
    keep: impl Fn(&Entry) -> bool,
    mut enough: impl FnMut(&[Entry]) -> bool,
) -> Result<Option<Read>, Failure> {
    let Some(mut first): Option<Log> = api.find(&format!("{log}?{query}"))? else {
        return Ok(None);
    };
    if first.scroll_id.is_some()
        && first.logs.len() >= MUCH
        && let Some(less) = closer()
    {
        let Some(again) = api.find(&format!("{log}?{less}"))? else {
            return Ok(None);
        };
        first = again;
    }
    match pages(api, log, first, &keep, &mut enough)? {
        Some(read) => Ok(Some(read)),
        // What was enough of the entries before counts no more.
        None => read_kept(api, log, query, &keep),
    }
}

/// The first page with all that follow; none where one of them was forgotten meanwhile.
fn pages(
    api: &Api<'_>,
    log: &str,
    first: Log,
    keep: &dyn Fn(&Entry) -> bool,
    enough: &mut dyn FnMut(&[Entry]) -> bool,
) -> Result<Option<Read>, Failure> {
    let mut read = Read {
        status: first.status.map(|word| word.to_ascii_lowercase()),
        ..Read::default()
    };
    let mut page = (first.logs, first.scroll_id);
    for _ in 0..PAGES {
        let (entries, scroll) = page;
        let empty = entries.is_empty();
        let is_enough = enough(&entries);
        read.entries.extend(entries.into_iter().filter(keep));
        let Some(scroll) = scroll.filter(|_| !empty) else {
            return Ok(Some(read));
        };
        if is_enough {
            read.cut = true;
            return Ok(Some(read));
        }
        if api.host.remaining_ms() < ENOUGH_MS {
            break;
        }
        let path = format!("{log}?scrollId={}", encode(&scroll));
        let next: Option<Log> = patiently(|| api.find(&path))?;
        let Some(next) = next else {
            return Ok(None);
        };
        page = (next.logs, next.scroll_id);
    }
    read.unread = true;
    Ok(Some(read))
}

/// Asks for a page of many once more where the answer was bad by chance. Else what is long would start over, would rarely
/// be read to its end, and be longer each time.
pub(crate) fn patiently<T>(ask: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut answer = ask();
    for _ in 1..TRIES {
        if !matches!(answer, Err(Failure::Retry(None | Some(0 | 1)))) {
            break;
        }
        answer = ask();
    }
    answer
}

/// What the log says of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Refused, in the vendor's words.
    Failure(String),
    Success,
    /// Still queued under that request.
    Pending(Option<String>),
}

/// The request that succeeded in it.
pub(crate) fn succeeded(entries: &[Entry], scope: Scope, told: &Told) -> Option<String> {
    let mut latest_first = entries.iter().rev();
    latest_first
        .find(|entry| {
            let payload = entry.payload.as_ref();
            entry.status.as_deref() == Some("success")
                && payload.is_some_and(|payload| told.is(payload, scope))
        })?
        .request_id
        .clone()
}

/// What the entries say of it. Within a request the last entry counts, but a failure always: both may be said of one
/// object. Of several requests one that succeeded counts, else one still queued: a refused attempt before or after it
/// undoes nothing.
pub(crate) fn said(entries: &[Entry], scope: Scope, told: &Told) -> Option<Said> {
    let mut requests: BTreeMap<Option<&String>, Said> = BTreeMap::new();
    for entry in entries {
        if !entry
            .payload
            .as_ref()
            .is_some_and(|payload| told.is(payload, scope))
        {
            continue;
        }
        let said = match entry.status.as_deref() {
            Some("failure") => {
                if let (Scope::Since(since), Some(at)) = (scope, entry.date_processed)
                    && at < since
                {
                    continue;
                }
                Said::Failure(entry.words())
            }
            Some("success") => Said::Success,
            _ => Said::Pending(entry.request_id.clone()),
        };
        let request = entry.run();
        if !matches!(requests.get(&request), Some(Said::Failure(_))) {
            requests.insert(request, said);
        }
    }
    let rank = |said: &Said| match said {
        Said::Success => 2,
        Said::Pending(_) => 1,
        Said::Failure(_) => 0,
    };
    requests.into_values().max_by_key(rank)
}
