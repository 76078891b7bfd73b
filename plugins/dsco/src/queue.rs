//! One call for a batch whose 202 only means queued: cut below the size limit, halved where the vendor refuses the whole
//! body for one bad object, looked up before it is sent again. Every member waits for its entry in the change log
//! (`confirm.rs`). Knows no field of what is sent.

use crate::api::{Api, refused, words};
use crate::confirm::Handle;
use crate::lookup::{self, Shown};
use crate::refusal;
use crate::stream::rest_secs;
use crate::told::{Told, What};
use crate::wire::log::Queued;
use serde_json::Value;
use std::collections::BTreeSet;
use waybill_sdk::call::{self, Fault};
use waybill_sdk::effect::effect;
use waybill_sdk::http::Response;
use waybill_sdk::problem::for_all;
use waybill_sdk::types::{Failure, Verdict};

/// Largest body: DSCO takes 5 MB.
const MAX_BODY: usize = 4_000_000;
/// A body is not sent with less time than this: the call would be cut off and end in doubt.
pub(crate) const ENOUGH_MS: u32 = 12_000;

/// A call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// Name of the effect, the same in every version.
    pub(crate) step: &'static str,
    pub(crate) path: &'static str,
}

/// One order of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its place in the batch.
    pub(crate) index: u32,
    pub(crate) told: Told,
    /// Its object in the body.
    pub(crate) body: Value,
    /// A test order, which searches leave out.
    pub(crate) test: bool,
}

impl Member {
    /// The same without these parcels, which are there already.
    pub(crate) fn without(mut self, there: &BTreeSet<String>) -> Self {
        self.told.without(there);
        if let Some(parcels) = self.body.get_mut("shipments").and_then(Value::as_array_mut) {
            let known = |tracking: &str| there.contains(tracking);
            parcels.retain(|parcel| !parcel["trackingNumber"].as_str().is_some_and(known));
        }
        self
    }
}

/// Sends the members and puts their verdicts in their places.
pub(crate) fn send_all(api: &Api<'_>, call: Call, members: &[Member], verdicts: &mut [Verdict]) {
    let size = |member: &Member| member.body.to_string().len();
    for (number, part) in parts(members, size).into_iter().enumerate() {
        let answers = if number > 0 && api.host.remaining_ms() < ENOUGH_MS {
            for_all(part.len(), &Err(Failure::Retry(Some(0))))
        } else {
            send(api, call, part)
        };
        for (member, verdict) in part.iter().zip(answers) {
            put(verdicts, member.index, verdict);
        }
    }
}

/// Sends one half and then the other, as far as there is time for them. What there is none for waits for another call, to
/// which those that are settled by then do not come.
pub(crate) fn halves<T>(
    api: &Api<'_>,
    members: &[T],
    mut send: impl FnMut(&[T]) -> Vec<Verdict>,
) -> Vec<Verdict> {
    let (front, back) = members.split_at(members.len() / 2);
    let mut verdicts = Vec::with_capacity(members.len());
    for half in [front, back] {
        if api.host.remaining_ms() < ENOUGH_MS {
            verdicts.extend(for_all(half.len(), &Err(Failure::Retry(Some(0)))));
        } else {
            verdicts.extend(send(half));
        }
    }
    verdicts
}

/// Puts a verdict in its place.
pub(crate) fn put(verdicts: &mut [Verdict], index: u32, verdict: Verdict) {
    let place = usize::try_from(index).ok();
    if let Some(place) = place.and_then(|index| verdicts.get_mut(index)) {
        *place = verdict;
    }
}

/// The members in bodies of at most [`MAX_BODY`] bytes.
pub(crate) fn parts<T>(members: &[T], bytes: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut parts = Vec::new();
    let (mut start, mut size) = (0, 2);
    for (index, member) in members.iter().enumerate() {
        let own = bytes(member) + 1;
        if size + own > MAX_BODY && index > start {
            parts.push(&members[start..index]);
            (start, size) = (index, 2);
        }
        size += own;
    }
    if start < members.len() {
        parts.push(&members[start..]);
    }
    parts
}

fn post(api: &Api<'_>, call: Call, members: &[Member], absent: bool) -> Result<Response, Fault> {
    let body: Vec<&Value> = members.iter().map(|member| &member.body).collect();
    let step = effect(call.step, members.iter().map(|member| member.index)).resend_if(absent);
    api.write("POST", call.path, Some(&body), step)
}

fn send(api: &Api<'_>, call: Call, members: &[Member]) -> Vec<Verdict> {
    match post(api, call, members, false) {
        Err(Fault::InDoubt(age)) => in_doubt(api, call, members, age),
        other => answered(api, call, members, other),
    }
}

/// The verdicts of a call that is not in doubt.
fn answered(
    api: &Api<'_>,
    call: Call,
    members: &[Member],
    result: Result<Response, Fault>,
) -> Vec<Verdict> {
    match result {
        Ok(response) => queued(api, members, &response),
        // DSCO refuses the whole body for one bad object: find it by halves, or it would park all the others.
        Err(Fault::Refused(response)) if is_about_content(&response) => {
            if let [one] = members {
                let said = words(&response.text());
                let verdict = refusal::verdict(api, &one.told, &said, &mut 1);
                return vec![verdict.unwrap_or(Err(Failure::Retry(None)))];
            }
            halves(api, members, |half| send(api, call, half))
        }
        Err(fault) => for_all(members.len(), &fault.verdict(refused)),
    }
}

/// Whether a refusal may be about one of the members, rather than about the call.
pub(crate) const fn is_about_content(response: &Response) -> bool {
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
            Handle::new(answer.request_id.clone(), &member.told, sent)
                .refused(refused.clone())
                .ticket(api.config.ack_wait_secs)
        })
        .collect()
}

/// Sent `age` milliseconds ago, outcome unknown. What the log or the orders show is adopted; the rest is sent again
/// once it is old enough for a search to be proof, and waits until then.
fn in_doubt(api: &Api<'_>, call: Call, members: &[Member], age: u64) -> Vec<Verdict> {
    // Acknowledging twice changes nothing, and looking for many costs a busy account more calls than it has.
    let acknowledges = |member: &Member| matches!(member.told.what, What::Acknowledged { .. });
    if members.len() > lookup::SINGLE_READS && members.iter().all(acknowledges) {
        return again(api, call, members);
    }
    let age = i64::try_from(age).unwrap_or(i64::MAX);
    let old = age >= api.config.settle_ms;
    let sent = api.host.now_ms().saturating_sub(age);
    let mut found = match lookup::find(api, sent, members, old) {
        Ok(found) => found,
        Err(failure) => return for_all(members.len(), &Err(failure)),
    };
    let mut absent = Vec::new();
    let mut verdicts: Vec<Option<Verdict>> = Vec::new();
    for member in members {
        let (verdict, left) = match found.remove(&member.index) {
            Some(Shown::Verdict(verdict)) => (Some(verdict), None),
            Some(Shown::Parcels(there)) => (None, Some(member.clone().without(&there))),
            // Kept in doubt, the call would be found refused at each retry, whatever a person has mended since.
            Some(Shown::Refused(failure)) => {
                api.host.retract(call.step, &[member.index]);
                (Some(Err(failure)), None)
            }
            Some(Shown::Nothing) | None => (None, Some(member.clone())),
        };
        absent.extend(left);
        verdicts.push(verdict);
    }
    let rest = if absent.is_empty() {
        Vec::new()
    } else if old {
        again(api, call, &absent)
    } else {
        let wait = rest_secs(api.config.settle_ms - age);
        for_all(absent.len(), &Err(Failure::Retry(Some(wait))))
    };
    let mut rest = rest.into_iter();
    verdicts
        .into_iter()
        .map(|verdict| verdict.or_else(|| rest.next()))
        .map(|verdict| verdict.unwrap_or(Err(Failure::Retry(None))))
        .collect()
}

/// Sends members that were seen nowhere.
fn again(api: &Api<'_>, call: Call, absent: &[Member]) -> Vec<Verdict> {
    match post(api, call, absent, true) {
        // Some of them have an answer that is kept: alone, it is handed out; the others are sent.
        Err(Fault::InDoubt(age)) if age > 0 && absent.len() > 1 => {
            halves(api, absent, |half| again(api, call, half))
        }
        // Sent again just now, and lost again: the next attempt looks it up.
        Err(Fault::InDoubt(_)) => {
            let wait = rest_secs(api.config.settle_ms);
            for_all(absent.len(), &Err(Failure::Retry(Some(wait))))
        }
        other => answered(api, call, absent, other),
    }
}
