//! What became of queued acknowledgements: one query of the change log per request, whatever the number of its orders.

use crate::acknowledge::Member;
use crate::api::{Api, encode};
use crate::lookup::{self, Read, Said, Scope};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use waybill_sdk::problem::pending;
use waybill_sdk::types::{Failure, Problem, Verdict};

/// Seconds between questions; the last one repeats.
const WAITS: [u32; 7] = [1, 2, 4, 8, 15, 30, 60];

/// What a ticket remembers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Handle {
    /// The vendor's id of the call; none where its answer could not be read.
    #[serde(rename = "r")]
    request: Option<String>,
    #[serde(rename = "o")]
    order: String,
    #[serde(rename = "s")]
    number: Option<String>,
    /// When it was sent, in milliseconds.
    #[serde(rename = "t")]
    sent: i64,
    /// How often the log was asked.
    #[serde(rename = "n")]
    asked: usize,
}

impl Handle {
    pub(crate) fn new(request: Option<String>, member: &Member, sent: i64) -> Self {
        Self {
            request,
            order: member.order.clone(),
            number: member.number.clone(),
            sent,
            asked: 0,
        }
    }

    /// The verdict that waits.
    pub(crate) fn ticket(&self, check_in_secs: u32) -> Verdict {
        // A struct of texts and numbers always serialises.
        pending(
            serde_json::to_string(self).unwrap_or_default(),
            check_in_secs,
        )
    }

    fn member(&self, index: usize) -> Member {
        Member {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            order: self.order.clone(),
            number: self.number.clone(),
        }
    }

    /// Asks again later; after too long, looks at the order itself, and then gives up.
    fn again(&self, api: &Api<'_>, member: &Member) -> Verdict {
        if api.host.now_ms() - self.sent > api.config.confirm_limit_ms {
            return lookup::shown(api, member)?.unwrap_or_else(|| {
                Err(Failure::InDoubt(Problem::new(
                    "never-confirmed",
                    "DSCO took the acknowledgement, but never said what became of it.",
                    "Look at the order in the DSCO portal, then press Done or Retry.",
                )))
            });
        }
        let wait = WAITS[self.asked.min(WAITS.len() - 1)];
        let next = Self {
            asked: self.asked + 1,
            ..self.clone()
        };
        next.ticket(wait)
    }
}

/// A handle and its place among those handed in.
type Asked = (usize, Handle);

/// One verdict per handle, in their order.
pub(crate) fn confirm(api: &Api<'_>, handles: &[String]) -> Result<Vec<Verdict>, Failure> {
    let mut verdicts: Vec<Verdict> = vec![Err(unreadable()); handles.len()];
    let mut by_request: BTreeMap<(Option<String>, i64), Vec<Asked>> = BTreeMap::new();
    for (index, text) in handles.iter().enumerate() {
        if let Ok(handle) = serde_json::from_str::<Handle>(text) {
            // Calls without a request id are told apart by their time.
            let time = handle.request.is_none().then_some(handle.sent);
            by_request
                .entry((handle.request.clone(), time.unwrap_or_default()))
                .or_default()
                .push((index, handle));
        }
    }
    for ((request, sent), group) in by_request {
        let answers = match request {
            Some(request) => of_request(api, &request, &group)?,
            None => of_time(api, sent, &group)?,
        };
        for ((index, _), verdict) in group.iter().zip(answers) {
            verdicts[*index] = verdict;
        }
    }
    Ok(verdicts)
}

fn unreadable() -> Failure {
    Failure::InDoubt(Problem::new(
        "unknown-ticket",
        "This acknowledgement was sent by another version of the connector, which left a note this one cannot read.",
        "Look at the order in the DSCO portal, then press Done or Retry.",
    ))
}

/// The members of one request.
fn of_request(api: &Api<'_>, request: &str, group: &[Asked]) -> Result<Vec<Verdict>, Failure> {
    let query = |status: &str| format!("requestId={}&status={status}", encode(request));
    // Failures only, and silence is success once the request is completed: the shortest answer for any number.
    let failures = lookup::log(api, &query("failure"))?;
    let mut read = failures.unwrap_or_default();
    let completed = read.status.as_deref() == Some("COMPLETED");
    // A failure that does not say of which order could be any one's: then silence proves nothing.
    let silence = completed && lookup::all_named(&read.entries);
    if read.status.is_none() || (completed && !silence) {
        // Whether the status comes with a filter is not promised. Without it only entries count.
        read = lookup::log(api, &query("success_or_failure"))?.unwrap_or_default();
    }
    // A list is not complete while the request is being worked on, and a failure may still be followed by nothing else.
    let working = read.status.as_deref() == Some("PROCESSING");
    Ok(group
        .iter()
        .map(|(index, handle)| {
            let member = handle.member(*index);
            if working {
                return handle.again(api, &member);
            }
            of_entries(api, &read, silence, handle, &member)
        })
        .collect())
}

fn of_entries(
    api: &Api<'_>,
    read: &Read,
    silence_is_success: bool,
    handle: &Handle,
    member: &Member,
) -> Verdict {
    match lookup::said(&read.entries, Scope::Request, member) {
        Some(Said::Failure(words)) => lookup::refusal(api, member, &words),
        Some(Said::Success) => lookup::written(member),
        None if silence_is_success => lookup::written(member),
        Some(Said::Pending(_)) | None => handle.again(api, member),
    }
}

/// The members of a call whose request id is not known.
fn of_time(api: &Api<'_>, sent: i64, group: &[Asked]) -> Result<Vec<Verdict>, Failure> {
    let members: Vec<Member> = group
        .iter()
        .map(|(index, handle)| handle.member(*index))
        .collect();
    let mut found = lookup::find(api, sent, &members)?;
    Ok(group
        .iter()
        .zip(&members)
        .map(|((_, handle), member)| {
            found
                .remove(&member.index)
                .unwrap_or_else(|| handle.again(api, member))
        })
        .collect())
}
