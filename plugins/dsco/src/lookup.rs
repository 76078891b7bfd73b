//! What became of an acknowledgement, seen from outside: the change log by date or by request, and the order itself.
//! Sends nothing that changes anything.

use crate::acknowledge::Member;
use crate::api::{Api, collect, encode};
use crate::confirm::Handle;
use crate::source::order_by_key;
use crate::wire::log::{Entry, Log, Payload};
use crate::wire::order::Order;
use std::collections::BTreeMap;
use waybill_sdk::date;
use waybill_sdk::problem::done;
use waybill_sdk::types::{Failure, Problem, Receipt, Verdict};

/// Orders looked at one by one in a call, where the log did not tell.
pub(crate) const SINGLE_READS: usize = 20;
/// Pages of a log read at most; one acknowledges fewer orders than that.
const PAGES: usize = 200;

/// Entries of the change log.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// `processing` or `completed`, where the vendor says it.
    pub(crate) status: Option<String>,
    pub(crate) entries: Vec<Entry>,
}

/// The change log for a query, all of its pages. None: the vendor does not know the request yet.
pub(crate) fn log(api: &Api<'_>, query: &str) -> Result<Option<Read>, Failure> {
    let Some(first): Option<Log> = api.find(&format!("/order/log?{query}"))? else {
        return Ok(None);
    };
    let mut read = Read {
        status: first.status.map(|word| word.to_ascii_lowercase()),
        entries: Vec::new(),
    };
    let mut page = (first.logs, first.scroll_id);
    for _ in 0..PAGES {
        let (entries, scroll) = page;
        let empty = entries.is_empty();
        read.entries.extend(entries);
        let Some(scroll) = scroll.filter(|_| !empty) else {
            break;
        };
        // A page forgotten while we read: the log has to be read from its start, by the next attempt.
        let next: Log = api
            .find(&format!("/order/log?scrollId={}", encode(&scroll)))?
            .ok_or(Failure::Retry(None))?;
        page = (next.logs, next.scroll_id);
    }
    Ok(Some(read))
}

/// What the log says of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Refused, in the vendor's words. Wins over success: it can be said twice of one object.
    Failure(String),
    Success,
    /// Still queued under that request.
    Pending(Option<String>),
}

/// Whose entries a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Of one request of ours: an entry about an order is about its acknowledgement.
    Request,
    /// Of everything in a span of time: other writes, and the acknowledgement without the number, are no proof.
    Time,
}

/// What the entries say of a member: the last counts, but a failure always.
pub(crate) fn said(entries: &[Entry], scope: Scope, member: &Member) -> Option<Said> {
    let ours = |payload: &Payload| match scope {
        Scope::Request => true,
        Scope::Time => {
            payload.is_acknowledgement()
                && (member.number.is_none() || payload.supplier_order_number == member.number)
        }
    };
    let of_member = |entry: &&Entry| {
        let payload = entry.payload.as_ref();
        payload.is_some_and(|payload| payload.order() == Some(&member.order) && ours(payload))
    };
    let mut last = None;
    for entry in entries.iter().filter(of_member) {
        last = Some(match entry.status.as_deref() {
            Some("failure") => {
                let mut words = Vec::new();
                collect(&entry.results, &mut words);
                return Some(Said::Failure(words.join("; ")));
            }
            Some("success") => Said::Success,
            _ => Said::Pending(entry.request_id.clone()),
        });
    }
    last
}

/// Written.
pub(crate) fn written(member: &Member) -> Verdict {
    done(Receipt::of(member.order.clone()).numbered(member.number.clone()))
}

/// The verdict of a refusal: an order acknowledged already is as good as done, a cancelled one needs nothing more.
pub(crate) fn refusal(api: &Api<'_>, member: &Member, words: &str) -> Verdict {
    let order = order_by_key(api, &member.order)?;
    if let Some(state) = order.as_ref().and_then(state) {
        return state.verdict(member);
    }
    let words = if words.is_empty() {
        "no reason was given"
    } else {
        words
    };
    Err(Failure::rejected(
        "acknowledge-refused",
        format!("DSCO refused the acknowledgement: {words}"),
        "Correct what DSCO says, or acknowledge the order in the DSCO portal, then retry.",
    ))
}

/// What an order itself shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Acknowledged,
    Cancelled,
}

impl State {
    fn verdict(self, member: &Member) -> Verdict {
        match self {
            Self::Acknowledged => done(
                Receipt::of(member.order.clone())
                    .numbered(member.number.clone())
                    .already_there(),
            ),
            Self::Cancelled => Err(Failure::Withdrawn(Problem::bare(
                "cancelled-by-retailer",
                "The retailer cancelled this order before it was acknowledged.",
            ))),
        }
    }
}

fn state(order: &Order) -> Option<State> {
    if order.dsco_status.as_deref() == Some("cancelled") {
        return Some(State::Cancelled);
    }
    let acknowledged = match order.dsco_lifecycle.as_deref() {
        Some(lifecycle) => matches!(lifecycle, "acknowledged" | "completed"),
        None => matches!(
            order.dsco_status.as_deref(),
            Some("shipment_pending" | "shipped")
        ),
    };
    acknowledged.then_some(State::Acknowledged)
}

/// The verdict that the order itself proves; none where it proves nothing.
pub(crate) fn shown(api: &Api<'_>, member: &Member) -> Result<Option<Verdict>, Failure> {
    let Some(order) = order_by_key(api, &member.order)? else {
        return Ok(None);
    };
    Ok(match state(&order) {
        Some(State::Acknowledged)
            if member.number.is_some() && order.supplier_order_number != member.number =>
        {
            None
        }
        found => found.map(|state| state.verdict(member)),
    })
}

/// What is known of members sent at about `sent`, by their place in the batch. A member that is missing from the
/// answer was seen nowhere.
pub(crate) fn find(
    api: &Api<'_>,
    sent: i64,
    members: &[Member],
) -> Result<BTreeMap<u32, Verdict>, Failure> {
    let window = api.config.log_window_ms;
    let query = format!(
        "startDate={}&endDate={}",
        encode(&date::format(sent - window)),
        encode(&date::format(sent + window))
    );
    let entries = log(api, &query)?.unwrap_or_default().entries;
    let mut found = BTreeMap::new();
    for member in members {
        let verdict = match said(&entries, Scope::Time, member) {
            Some(Said::Success) => written(member),
            Some(Said::Failure(words)) => refusal(api, member, &words),
            Some(Said::Pending(request)) => {
                Handle::new(request, member, sent).ticket(api.config.ack_wait_secs)
            }
            None => continue,
        };
        found.insert(member.index, verdict);
    }
    let unseen = members
        .iter()
        .filter(|member| !found.contains_key(&member.index));
    let unseen: Vec<&Member> = unseen.take(SINGLE_READS).collect();
    for member in unseen {
        if let Some(verdict) = shown(api, member)? {
            found.insert(member.index, verdict);
        }
    }
    Ok(found)
}
