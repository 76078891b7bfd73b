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

/// Questions after which an order that a complete log does not name is looked at itself.
const SILENT: usize = 3;

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
    /// The vendor's words, where the answer itself was a refusal.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

impl Handle {
    pub(crate) fn new(request: Option<String>, member: &Member, sent: i64) -> Self {
        Self {
            request,
            order: member.order.clone(),
            number: member.number.clone(),
            sent,
            asked: 0,
            refused: None,
        }
    }

    /// The same, for an answer that was a refusal.
    pub(crate) fn refused(self, words: Option<String>) -> Self {
        Self {
            refused: words,
            ..self
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
    let mut looks = lookup::SINGLE_READS;
    for (index, text) in handles.iter().enumerate() {
        if let Ok(handle) = serde_json::from_str::<Handle>(text) {
            if let Some(words) = &handle.refused {
                verdicts[index] = if looks > 0 {
                    looks -= 1;
                    lookup::refusal(api, &handle.member(index), words)
                } else {
                    handle.ticket(WAITS[0])
                };
                continue;
            }
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
    // Every order is followed to its own entry. Silence about one proves nothing: just after the call the log may be
    // short, and say that it is complete.
    let query = format!("requestId={}&status=success_or_failure", encode(request));
    let read = lookup::log(api, &query)?.unwrap_or_default();
    // A list is not complete while the request is being worked on, and a failure may still be followed by nothing else.
    let working = read.status.as_deref() == Some("processing");
    let completed = read.status.as_deref() == Some("completed");
    let mut looks = lookup::SINGLE_READS;
    Ok(group
        .iter()
        .map(|(index, handle)| {
            let member = handle.member(*index);
            if working {
                return handle.again(api, &member);
            }
            let look = completed && handle.asked >= SILENT && looks > 0;
            looks -= usize::from(look);
            of_entries(api, &read, look, handle, &member)
        })
        .collect())
}

fn of_entries(api: &Api<'_>, read: &Read, look: bool, handle: &Handle, member: &Member) -> Verdict {
    match lookup::said(&read.entries, Scope::Request, member) {
        Some(Said::Failure(words)) => lookup::refusal(api, member, &words),
        Some(Said::Success) => lookup::written(member),
        None if look => lookup::shown(api, member)?.unwrap_or_else(|| handle.again(api, member)),
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
