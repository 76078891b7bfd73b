//! What became of something told to DSCO, seen from outside: the change log by date, and the orders themselves. Sends
//! nothing that changes anything.

use crate::api::{Api, encode};
use crate::backfill;
use crate::change_log::{self, Said};
use crate::confirm::Handle;
use crate::cursor::Window;
use crate::invoice_look;
use crate::line::contents;
use crate::queue::{ENOUGH_MS, Member};
use crate::refusal;
use crate::source::order_by_key;
use crate::told::{Match, Scope, Told, What};
use crate::wire::log::Entry;
use crate::wire::order::Order;
use std::collections::{BTreeMap, BTreeSet};
use waybill_sdk::date;
use waybill_sdk::problem::done;
use waybill_sdk::types::{Failure, Verdict};

/// Orders looked at one by one in a call; more of them are searched together.
pub(crate) const SINGLE_READS: usize = 20;
/// Nothing more is looked at with less time than this: what was seen by then is kept, and what was proven to be absent can
/// still be sent.
pub(crate) const LOOK_MS: u32 = 2 * ENOUGH_MS;
/// Pages of such a search; orders beyond them are looked at one by one.
const PAGES: usize = 20;
/// How long after a call its entries in the log are looked for at most: the vendor may take minutes.
const LOG_SPAN_MS: i64 = 900_000;
/// How far two clocks may differ after the vendor's answers told the time.
const CLOCK_MS: i64 = 5_000;
/// Dates of the log are whole seconds.
const DATE_MS: i64 = 1_000;
/// How long before a call a long log is read from, once they told it. Our own clock may have been set meanwhile.
const CLOSE_MS: i64 = 15_000;

/// What an order itself shows of something told about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shown {
    Nothing,
    /// That it is settled.
    Verdict(Verdict),
    /// That the call was refused: nothing came of it.
    Refused(Failure),
    /// These parcels are there; others are not.
    Parcels(BTreeSet<String>),
}

impl Shown {
    /// What an entry of the log says of a call.
    fn in_log(verdict: Verdict) -> Self {
        match verdict {
            Err(failure @ Failure::Rejected(_)) => Self::Refused(failure),
            verdict => Self::Verdict(verdict),
        }
    }
}

/// What an order shows.
pub(crate) fn shows(told: &Told, order: &Order) -> Shown {
    let there = || Shown::Verdict(done(told.receipt().already_there()));
    let cancelled = order.dsco_status.as_deref() == Some("cancelled");
    match &told.what {
        What::Cancelled { .. } if cancelled => there(),
        // Which cancel made a line what it is, an order does not say: the log does. Invoices are not on it at all.
        What::Invoiced(_) | What::Cancelled { .. } => Shown::Nothing,
        _ if cancelled => Shown::Verdict(Err(refusal::cancelled(told))),
        What::Acknowledged { number } => {
            let other = number.is_some() && order.supplier_order_number != *number;
            if is_acknowledged(order) && !other {
                there()
            } else {
                Shown::Nothing
            }
        }
        What::Shipped { parcels, .. } => {
            let known = contents(order);
            let mut present = BTreeSet::new();
            for parcel in parcels {
                match parcel.among(&known) {
                    Match::Missing => {}
                    Match::Same => {
                        present.insert(parcel.tracking.clone());
                    }
                    Match::Other => return Shown::Verdict(Err(refusal::taken(&parcel.tracking))),
                }
            }
            match present.len() {
                0 => Shown::Nothing,
                some if some < parcels.len() => Shown::Parcels(present),
                _ => there(),
            }
        }
    }
}

/// Whether anybody acknowledged it.
pub(crate) fn is_acknowledged(order: &Order) -> bool {
    match order.dsco_lifecycle.as_deref() {
        Some(lifecycle) => matches!(lifecycle, "acknowledged" | "completed"),
        None => matches!(
            order.dsco_status.as_deref(),
            Some("shipment_pending" | "shipped")
        ),
    }
}

/// The verdict that the order itself proves; none where it proves nothing.
pub(crate) fn shown(api: &Api<'_>, told: &Told) -> Result<Option<Verdict>, Failure> {
    if let What::Invoiced(bill) = &told.what {
        return invoice_look::shown(api, told, bill);
    }
    let order = order_by_key(api, &told.order)?;
    Ok(match order.map(|order| shows(told, &order)) {
        Some(Shown::Verdict(verdict)) => Some(verdict),
        Some(Shown::Refused(_) | Shown::Parcels(_) | Shown::Nothing) | None => None,
    })
}

/// What is known of members, by their place in the batch. One that is missing was seen nowhere.
pub(crate) type Found = BTreeMap<u32, Shown>;

/// What an entry must name to be about one of these members.
struct Names<'a> {
    orders: BTreeSet<&'a str>,
    /// Numbers at the retailer, by which an entry about a parcel may name its order.
    pos: BTreeSet<&'a str>,
    bills: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn of(members: &'a [Member]) -> Self {
        let all = || members.iter().map(|member| &member.told);
        Self {
            orders: all().map(|told| told.order.as_str()).collect(),
            pos: all()
                .filter_map(|told| match &told.what {
                    What::Shipped { po, .. } => po.as_deref(),
                    _ => None,
                })
                .collect(),
            bills: all()
                .filter_map(|told| match &told.what {
                    What::Invoiced(bill) => Some(bill.number.as_str()),
                    _ => None,
                })
                .collect(),
        }
    }

    fn are_in(&self, entry: &Entry) -> bool {
        let Some(payload) = &entry.payload else {
            return false;
        };
        let any = |names: &BTreeSet<&str>, name: Option<&String>| {
            name.is_some_and(|name| names.contains(name.as_str()))
        };
        any(&self.bills, payload.invoice_id.as_ref())
            || match payload.order() {
                Some(order) => self.orders.contains(order.as_str()),
                None => any(&self.pos, payload.po_number.as_ref()),
            }
    }
}

/// What is known of members sent at about `sent`. `old`: long enough ago for a search to find them.
pub(crate) fn find(
    api: &Api<'_>,
    sent: i64,
    members: &[Member],
    old: bool,
) -> Result<Found, Failure> {
    find_until(api, sent, None, members, old)
}

/// When they got by their clock what was sent then, as far as it is known by now.
fn theirs(api: &Api<'_>, sent: i64) -> i64 {
    sent + (api.vendor_now_ms() - api.host.now_ms())
}

/// Shortly before that, once their clock is known: a busy account has a long log, and has changed many orders in an hour.
fn shortly_before(api: &Api<'_>, sent: i64) -> i64 {
    let earliest = sent - api.config.log_window_ms;
    if api.knows_clock() {
        earliest.max(theirs(api, sent) - CLOSE_MS)
    } else {
        earliest
    }
}

/// The same, with another end of the log.
pub(crate) fn find_until(
    api: &Api<'_>,
    sent: i64,
    until: Option<i64>,
    members: &[Member],
    old: bool,
) -> Result<Found, Failure> {
    let window = api.config.log_window_ms;
    let until = until.unwrap_or_else(|| api.host.now_ms().min(sent + LOG_SPAN_MS));
    let query = |from: i64| {
        format!(
            "startDate={}&endDate={}",
            encode(&date::format(from)),
            encode(&date::format(until.max(sent + window)))
        )
    };
    let Some(first) = members.first() else {
        return Ok(Found::new());
    };
    let theirs = || theirs(api, sent);
    let closer = || api.knows_clock().then(|| query(shortly_before(api, sent)));
    // A refusal from before this call is of an attempt before it, which a person may have corrected since. With a clock
    // that is off by more it may be this one's: then the orders show nothing, and the refusal comes again.
    let is_earlier = |entry: &Entry| {
        entry.status.as_deref() == Some("failure")
            && entry
                .date_processed
                .is_some_and(|at| at + DATE_MS <= theirs())
    };
    // Once each has an entry, the rest of the log is not needed: their request is known by then.
    let mut unseen: BTreeMap<&str, &Told> = members
        .iter()
        .map(|member| (member.told.order.as_str(), &member.told))
        .collect();
    let enough = |entries: &[Entry]| {
        let since = theirs() - CLOCK_MS;
        for entry in entries.iter().filter(|entry| !is_earlier(entry)) {
            let Some(payload) = &entry.payload else {
                continue;
            };
            let order = payload.order().map_or("", String::as_str);
            let is_ours = |told: &&Told| told.is(payload, Scope::Since(since));
            if entry.date_processed.is_none_or(|at| at >= since)
                && unseen.get(order).is_some_and(is_ours)
            {
                unseen.remove(order);
            }
        }
        unseen.is_empty()
    };
    let log = change_log::of(&first.told);
    let names = Names::of(members);
    let keep = |entry: &Entry| names.are_in(entry);
    let read = change_log::read_closer(api, log, &query(sent - window), closer, keep, enough)?
        .unwrap_or_default();
    let mut entries = read.entries;
    entries.retain(|entry| !is_earlier(entry));
    let scope = Scope::Since(theirs() - CLOCK_MS);
    let mut found = Found::new();
    let mut looks = SINGLE_READS;
    let mut silent = Vec::new();
    let wait = api.config.ack_wait_secs;
    let pending = |request, told: &Told| Handle::new(request, told, sent).ticket(wait);
    for member in members {
        let told = &member.told;
        let Some(said) = change_log::said(&entries, scope, told) else {
            silent.push(member);
            continue;
        };
        let verdict = match said {
            // A failure may follow in what was not read: the request is asked.
            Said::Success if read.cut => match change_log::succeeded(&entries, scope, told) {
                Some(request) => pending(Some(request), told),
                None => done(told.receipt()),
            },
            Said::Success => done(told.receipt()),
            Said::Failure(words) => {
                refusal::verdict(api, told, &words, &mut looks).unwrap_or(Err(Failure::Retry(None)))
            }
            Said::Pending(request) => pending(request, told),
        };
        found.insert(member.index, Shown::in_log(verdict));
    }
    found.extend(proven(api, &silent, sent, old, !read.unread)?);
    Ok(found)
}

/// What the orders show of members that the log does not name. Whom a search did not get to is looked at alone, a few of
/// them in a call: what was not seen is not proven to be absent.
fn proven(
    api: &Api<'_>,
    silent: &[&Member],
    sent: i64,
    old: bool,
    read: bool,
) -> Result<Found, Failure> {
    if !read {
        // The log was too long, and may name them in its rest.
        let unknown = |member: &&Member| (member.index, Shown::Verdict(Err(Failure::Retry(None))));
        return Ok(silent.iter().map(unknown).collect());
    }
    // What came of it changed the order after it was sent.
    let since = shortly_before(api, sent);
    let (mut found, whole) = on_orders(api, silent, since, if old { PAGES } else { 0 })?;
    if whole {
        return Ok(found);
    }
    let unseen = |m: &&&Member| !found.contains_key(&m.index) && is_shipped(m);
    let unseen: Vec<&Member> = silent.iter().filter(unseen).copied().collect();
    let (now, later) = unseen.split_at(unseen.len().min(SINGLE_READS));
    one_by_one(api, now, &mut found)?;
    for member in later {
        let later = Shown::Verdict(Err(Failure::Retry(Some(0))));
        found.insert(member.index, later);
    }
    Ok(found)
}

const fn is_shipped(member: &Member) -> bool {
    matches!(member.told.what, What::Shipped { .. })
}

/// What the orders themselves show of these members, and whether that is all there is. A few are read; many are searched
/// among the orders that changed since then, in at most so many pages: none where such a search is no proof.
/// Acknowledging twice changes nothing, so many of them are not searched.
pub(crate) fn on_orders(
    api: &Api<'_>,
    members: &[&Member],
    since: i64,
    pages: usize,
) -> Result<(Found, bool), Failure> {
    let invoice = |member: &&Member| matches!(member.told.what, What::Invoiced(_));
    if members.iter().any(invoice) {
        return Ok((invoice_look::all(api, members)?, true));
    }
    let many = members.len() > SINGLE_READS;
    let (mut found, mut whole) = (Found::new(), true);
    if many && pages > 0 {
        let all: Vec<&Member> = members.iter().filter(|m| is_shipped(m)).copied().collect();
        whole = searched(api, &all, (since, pages), &mut found)?;
    }
    // A search leaves test orders out.
    let single: Vec<&Member> = members
        .iter()
        .filter(|m| !many || (m.test && !found.contains_key(&m.index)))
        .take(SINGLE_READS)
        .copied()
        .collect();
    one_by_one(api, &single, &mut found)?;
    Ok((found, whole))
}

/// Looks at their orders, at one in any case. Those that there is no time for are looked at in another call.
fn one_by_one(api: &Api<'_>, members: &[&Member], found: &mut Found) -> Result<(), Failure> {
    for (number, member) in members.iter().enumerate() {
        if number > 0 && api.host.remaining_ms() < LOOK_MS {
            let later = Shown::Verdict(Err(Failure::Retry(Some(0))));
            found.insert(member.index, later);
            continue;
        }
        let shown = match order_by_key(api, &member.told.order) {
            Ok(Some(order)) => shows(&member.told, &order),
            Ok(None) => Shown::Nothing,
            // One bad answer is its member's alone: it waits, and the others go on.
            Err(failure @ Failure::Retry(None)) => Shown::Verdict(Err(failure)),
            Err(failure) => return Err(failure),
        };
        if shown != Shown::Nothing {
            found.insert(member.index, shown);
        }
    }
    Ok(())
}

/// Whether all that changed since then was seen, in so many pages and in time.
fn searched(
    api: &Api<'_>,
    members: &[&Member],
    (since, pages): (i64, usize),
    found: &mut Found,
) -> Result<bool, Failure> {
    let by_order: BTreeMap<&str, &Member> = members
        .iter()
        .map(|member| (member.told.order.as_str(), *member))
        .collect();
    let mut window = Some(Window {
        updated: true,
        since,
        until: backfill::latest(api),
        scroll: None,
    });
    for number in 0..pages {
        let Some(next) = window.filter(|window| window.since < window.until) else {
            return Ok(true);
        };
        if number > 0 && api.host.remaining_ms() < LOOK_MS {
            return Ok(false);
        }
        let page = change_log::patiently(|| backfill::page(api, &next, &[]))?;
        for order in &page.orders {
            let key = order.dsco_order_id.as_deref().unwrap_or_default();
            let Some(member) = by_order.get(key) else {
                continue;
            };
            match shows(&member.told, order) {
                Shown::Nothing => {}
                shown => {
                    found.insert(member.index, shown);
                }
            }
        }
        window = page.next;
    }
    Ok(window.is_none_or(|window| window.since >= window.until))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::told::Bill;
    use serde_json::{Value, json};

    fn member(order: &str, what: What) -> Member {
        Member {
            index: 0,
            told: Told {
                order: order.to_owned(),
                what,
            },
            body: Value::Null,
            test: false,
        }
    }

    #[test]
    fn only_entries_that_name_a_member_are_kept() {
        let shipped = What::Shipped {
            po: Some("PO-2".to_owned()),
            parcels: Vec::new(),
        };
        let bill = Bill {
            number: "SI-3".to_owned(),
            ..Bill::default()
        };
        let members = [
            member("1", What::Acknowledged { number: None }),
            member("2", shipped),
            member("3", What::Invoiced(bill)),
        ];
        let names = Names::of(&members);
        for (payload, ours) in [
            (json!({"id": "1"}), true),
            (json!({"dscoOrderId": "2"}), true),
            (json!({"poNumber": "PO-2"}), true),
            (json!({"dscoOrderId": "4", "poNumber": "PO-2"}), false),
            (json!({"invoiceId": "SI-3"}), true),
            (json!({"id": "5"}), false),
            (json!({"invoiceId": "SI-4"}), false),
            (json!({}), false),
            (json!(null), false),
        ] {
            let entry = serde_json::from_value(json!({ "payload": payload })).unwrap();
            assert_eq!(names.are_in(&entry), ours, "{payload}");
        }
    }
}
