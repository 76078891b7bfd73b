//! Telling DSCO: "we have this order" (accepted), and later "this is our number for it" (delivered). One call for a
//! batch; its 202 only means queued, so every member waits for its entry in the change log (`confirm.rs`).

use crate::api::{Api, refused, words};
use crate::bindings::exports::waybill::connector::source::Settled;
use crate::confirm::Handle;
use crate::lookup;
use crate::stream::rest_secs;
use crate::wire::log::Queued;
use serde::Serialize;
use waybill_sdk::call::{self, Fault};
use waybill_sdk::commerce::Entity;
use waybill_sdk::effect::effect;
use waybill_sdk::http::Response;
use waybill_sdk::problem::{done, for_all};
use waybill_sdk::types::{Failure, Moment, Receipt, Verdict};

/// Largest body: DSCO takes 5 MB.
const MAX_BODY: usize = 4_000_000;

/// One order of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its place in the batch.
    pub(crate) index: u32,
    /// Its dscoOrderId.
    pub(crate) order: String,
    /// Our number, once there is one.
    pub(crate) number: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Acknowledgement<'a> {
    id: &'a str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier_order_number: Option<&'a str>,
}

/// Tells DSCO about a batch. One verdict per member, in its order.
pub(crate) fn settle(api: &Api<'_>, moment: Moment, batch: &[Settled]) -> Vec<Verdict> {
    let step = match moment {
        Moment::Accepted => "acknowledge",
        Moment::Delivered => "acknowledge-number",
    };
    // What DSCO need not be told is done: other kinds of record, and an order whose routes led to no order.
    let mut verdicts: Vec<Verdict> = batch
        .iter()
        .map(|settled| done(Receipt::of(settled.key.clone())))
        .collect();
    let members: Vec<Member> = (0..)
        .zip(batch)
        .filter_map(|(index, settled)| member(index, moment, settled))
        .collect();
    for part in parts(&members) {
        for (member, verdict) in part.iter().zip(send(api, step, part)) {
            if let Some(place) = usize::try_from(member.index)
                .ok()
                .and_then(|index| verdicts.get_mut(index))
            {
                *place = verdict;
            }
        }
    }
    verdicts
}

fn member(index: u32, moment: Moment, settled: &Settled) -> Option<Member> {
    let number = match moment {
        Moment::Accepted => None,
        Moment::Delivered => {
            let mut links = settled.links.iter();
            Some(links.find(|link| link.entity == Entity::Order)?.key.clone())
        }
    };
    (settled.entity == Entity::Order).then(|| Member {
        index,
        order: settled.key.clone(),
        number,
    })
}

/// The members in bodies of at most [`MAX_BODY`] bytes.
fn parts(members: &[Member]) -> Vec<&[Member]> {
    let mut parts = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (index, member) in members.iter().enumerate() {
        // Twice the texts, as if each of their characters had to be escaped, and the names of the fields.
        let own = 100 + 2 * (member.order.len() + member.number.as_deref().map_or(0, str::len));
        if size + own > MAX_BODY && index > start {
            parts.push(&members[start..index]);
            (start, size) = (index, 0);
        }
        size += own;
    }
    if start < members.len() {
        parts.push(&members[start..]);
    }
    parts
}

fn post(api: &Api<'_>, step: &str, members: &[Member], absent: bool) -> Result<Response, Fault> {
    let body: Vec<Acknowledgement<'_>> = members
        .iter()
        .map(|member| Acknowledgement {
            id: &member.order,
            r#type: "DSCO_ORDER_ID",
            supplier_order_number: member.number.as_deref(),
        })
        .collect();
    let step = effect(step, members.iter().map(|member| member.index)).resend_if(absent);
    api.write("POST", "/order/acknowledge", Some(&body), step)
}

fn send(api: &Api<'_>, step: &str, members: &[Member]) -> Vec<Verdict> {
    match post(api, step, members, false) {
        Err(Fault::InDoubt(age)) => in_doubt(api, step, members, age),
        other => answered(api, step, members, other),
    }
}

/// The verdicts of a call that is not in doubt.
fn answered(
    api: &Api<'_>,
    step: &str,
    members: &[Member],
    result: Result<Response, Fault>,
) -> Vec<Verdict> {
    match result {
        Ok(response) => queued(api, members, &response),
        // DSCO refuses the whole body for one bad object: find it by halves, or it would park all the others.
        Err(Fault::Refused(response)) if is_about_content(&response) => {
            if let [one] = members {
                return vec![lookup::refusal(api, one, &words(&response.text()))];
            }
            let (front, back) = members.split_at(members.len() / 2);
            let mut verdicts = send(api, step, front);
            verdicts.extend(send(api, step, back));
            verdicts
        }
        // Sent again just now, and lost again: the next attempt looks it up.
        Err(Fault::InDoubt(_)) => for_all(
            members.len(),
            &Err(Failure::Retry(Some(rest_secs(api.config.settle_ms)))),
        ),
        Err(fault) => for_all(members.len(), &fault.verdict(refused)),
    }
}

/// Whether a refusal may be about one of the orders, rather than about the call.
const fn is_about_content(response: &Response) -> bool {
    matches!(response.status, 400 | 404 | 409 | 422)
}

/// An answer below 300: queued, unless it says otherwise. A refusal under such a status waits for `confirm.rs`, too: there
/// each order is looked at, and what the agent keeps of this call is forgotten, or it would be replayed for ever.
fn queued(api: &Api<'_>, members: &[Member], response: &Response) -> Vec<Verdict> {
    // An answer that cannot be read was given all the same, and will be replayed for ever: the log knows the rest.
    let answer: Queued = call::json(response).unwrap_or_default();
    let failed = answer.status.as_deref() == Some("failure") || answer.success == Some(false);
    let refused = failed.then(|| words(&response.text()));
    let sent = api.host.now_ms();
    members
        .iter()
        .map(|member| {
            Handle::new(answer.request_id.clone(), member, sent)
                .refused(refused.clone())
                .ticket(api.config.ack_wait_secs)
        })
        .collect()
}

/// Sent `age` milliseconds ago, outcome unknown. What the log or the orders show is adopted; the rest is sent again
/// once it is old enough for a search to be proof, and waits until then.
fn in_doubt(api: &Api<'_>, step: &str, members: &[Member], age: u64) -> Vec<Verdict> {
    let age = i64::try_from(age).unwrap_or(i64::MAX);
    let mut found = match lookup::find(api, api.host.now_ms().saturating_sub(age), members) {
        Ok(found) => found,
        Err(failure) => return for_all(members.len(), &Err(failure)),
    };
    let absent: Vec<Member> = members
        .iter()
        .filter(|member| !found.contains_key(&member.index))
        .cloned()
        .collect();
    let rest = if absent.is_empty() {
        Vec::new()
    } else if age < api.config.settle_ms {
        let wait = rest_secs(api.config.settle_ms - age);
        for_all(absent.len(), &Err(Failure::Retry(Some(wait))))
    } else {
        let result = post(api, step, &absent, true);
        answered(api, step, &absent, result)
    };
    found.extend(absent.iter().map(|member| member.index).zip(rest));
    members
        .iter()
        .map(|member| {
            found
                .remove(&member.index)
                .unwrap_or(Err(Failure::Retry(None)))
        })
        .collect()
}
