//! What became of queued writes: one query of the change log per request, whatever the number of its orders.

use crate::api::{Api, encode};
use crate::change_log::{self, Read, Said};
use crate::files::Depot;
use crate::files::verdict::{Seen, Stage, key};
use crate::lookup::{self, Shown};
use crate::queue::{ENOUGH_MS, Member};
use crate::refusal;
use crate::stock_log;
use crate::told::{Bill, Scope, Sent, Told, What};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use waybill_sdk::problem::{done, pending};
use waybill_sdk::types::{Failure, Problem, Receipt, Verdict};

/// Seconds between questions; the last one repeats.
pub(crate) const WAITS: [u32; 7] = [1, 2, 4, 8, 15, 30, 60];

/// Questions after which an order that a complete log does not name is looked at itself.
const SILENT: usize = 3;

/// How long after a call its list of failures counts as whole. Just after it the log may be short, and say all the same
/// that it is complete: until then every order is followed to its own entry.
pub(crate) const WHOLE_MS: i64 = 3_000;

/// What a ticket remembers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Handle {
    /// The vendor's id of the call; none where its answer could not be read.
    #[serde(rename = "r")]
    request: Option<String>,
    #[serde(rename = "o")]
    order: String,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
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
    /// Of a shipment: tracking numbers and the units of each line.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    parcels: Option<Vec<(String, BTreeMap<String, i64>)>>,
    /// Of a cancel: the units of each line.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    cancelled: Option<BTreeMap<String, i64>>,
    /// Of an invoice.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    bill: Option<Bill>,
    /// The file it went by.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// Of a shipment: the PO number.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    po: Option<String>,
}

impl Handle {
    pub(crate) fn new(request: Option<String>, told: &Told, sent: i64) -> Self {
        let mut handle = Self {
            request,
            order: told.order.clone(),
            number: None,
            sent,
            asked: 0,
            refused: None,
            parcels: None,
            cancelled: None,
            bill: None,
            file: None,
            po: None,
        };
        match &told.what {
            What::Acknowledged { number } => handle.number.clone_from(number),
            What::Shipped { po, parcels } => {
                let parcels = parcels.iter();
                let pairs = parcels.map(|parcel| (parcel.tracking.clone(), parcel.lines.clone()));
                handle.parcels = Some(pairs.collect());
                handle.po.clone_from(po);
            }
            What::Cancelled { lines } => handle.cancelled = Some(lines.clone()),
            What::Invoiced(bill) => handle.bill = Some(bill.clone()),
        }
        handle
    }

    /// The same, for an answer that was a refusal.
    pub(crate) fn refused(self, words: Option<String>) -> Self {
        Self {
            refused: words,
            ..self
        }
    }

    /// The same, of what went by a file.
    pub(crate) fn by_file(self, name: &str) -> Self {
        Self {
            file: Some(name.to_owned()),
            ..self
        }
    }

    /// What the folders tell of it.
    fn in_folders(&self, seen: &Seen, depot: Depot<'_>, api: &Api<'_>, name: &str) -> Verdict {
        let age = api.host.now_ms() - self.sent;
        match seen.stage(depot, name, age, self.asked, api.config.confirm_limit_ms) {
            Stage::Processed => {
                let receipt = self.told().receipt();
                let key = key(name, &receipt.key);
                done(Receipt { key, ..receipt })
            }
            Stage::Waits(secs) => Self {
                asked: self.asked + 1,
                ..self.clone()
            }
            .ticket(secs),
            Stage::Stuck(failure) => Err(failure),
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

    fn told(&self) -> Told {
        let what = match &self.parcels {
            _ if self.bill.is_some() => What::Invoiced(self.bill.clone().unwrap_or_default()),
            _ if self.cancelled.is_some() => What::Cancelled {
                lines: self.cancelled.clone().unwrap_or_default(),
            },
            None => What::Acknowledged {
                number: self.number.clone(),
            },
            Some(parcels) => What::Shipped {
                po: self.po.clone(),
                parcels: parcels
                    .iter()
                    .map(|(tracking, lines)| Sent {
                        tracking: tracking.clone(),
                        lines: lines.clone(),
                    })
                    .collect(),
            },
        };
        Told {
            order: self.order.clone(),
            what,
        }
    }

    /// Asks again later; after too long, looks at the order itself, and then gives up.
    fn again(&self, api: &Api<'_>, told: &Told) -> Verdict {
        if api.host.now_ms() - self.sent > api.config.confirm_limit_ms {
            return lookup::shown(api, told)?.unwrap_or_else(|| {
                Err(Failure::InDoubt(Problem::new(
                    "never-confirmed",
                    format!(
                        "DSCO took the {}, but never said what became of it.",
                        told.noun()
                    ),
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

/// A handle, what it stands for, and its place among those handed in.
struct Asked {
    index: usize,
    handle: Handle,
    told: Told,
}

/// One verdict per handle, in their order.
pub(crate) fn confirm(api: &Api<'_>, handles: &[String]) -> Result<Vec<Verdict>, Failure> {
    let mut verdicts: Vec<Verdict> = vec![Err(unreadable()); handles.len()];
    let mut by_request: BTreeMap<(Option<String>, i64), Vec<Asked>> = BTreeMap::new();
    let mut looks = lookup::SINGLE_READS;
    let (mut stock, mut filed) = (Vec::new(), Vec::new());
    let mut answered = false;
    for (index, text) in handles.iter().enumerate() {
        if let Some(handle) = stock_log::Handle::read(text) {
            stock.push((index, handle));
            continue;
        }
        let Ok(handle) = serde_json::from_str::<Handle>(text) else {
            continue;
        };
        if let Some(name) = handle.file.clone().filter(|_| !api.config.api) {
            filed.push((index, handle, name));
            continue;
        }
        let told = handle.told();
        if let Some(words) = &handle.refused {
            answered = true;
            verdicts[index] = refusal::verdict(api, &told, words, &mut looks)
                .unwrap_or_else(|| handle.ticket(WAITS[0]));
            continue;
        }
        // Calls without a request id are told apart by their time.
        let time = handle.request.is_none().then_some(handle.sent);
        let group = by_request
            .entry((handle.request.clone(), time.unwrap_or_default()))
            .or_default();
        group.push(Asked {
            index,
            handle,
            told,
        });
    }
    answered |= !stock.is_empty() || !filed.is_empty();
    in_folders(api, filed, &mut verdicts)?;
    for (index, verdict) in stock_log::confirm(api, stock)? {
        verdicts[index] = verdict;
    }
    let (mut missed, mut stopped) = (None, None);
    for ((request, sent), group) in by_request {
        let answers = match (&stopped, request) {
            (Some(failure), _) => Err(Failure::clone(failure)),
            // What is known by then is kept.
            _ if (answered || missed.is_some()) && api.host.remaining_ms() < ENOUGH_MS => {
                Err(Failure::Retry(Some(0)))
            }
            (None, Some(request)) => of_request(api, &request, &group, &mut looks),
            (None, None) => of_time(api, sent, &group),
        };
        match answers {
            Ok(answers) => {
                answered = true;
                for (asked, verdict) in group.iter().zip(answers) {
                    verdicts[asked.index] = verdict;
                }
            }
            // One bad answer is that request's alone: what is known of the others must not be asked again because of it.
            // Whatever else stops us stops us for the others, too.
            Err(failure) => {
                if failure != Failure::Retry(None) {
                    stopped = Some(failure.clone());
                }
                // That a question was refused says nothing of what it was about.
                let verdict = match &failure {
                    Failure::Retry(_) | Failure::Unauthorized(_) => failure.clone(),
                    _ => Failure::Retry(None),
                };
                for asked in &group {
                    verdicts[asked.index] = Err(verdict.clone());
                }
                missed.get_or_insert(failure);
            }
        }
    }
    match missed {
        Some(failure) if !answered => Err(failure),
        _ => Ok(verdicts),
    }
}

/// What the folders of imports tell, where nobody else does.
fn in_folders(
    api: &Api<'_>,
    filed: Vec<(usize, Handle, String)>,
    verdicts: &mut [Verdict],
) -> Result<(), Failure> {
    if filed.is_empty() {
        return Ok(());
    }
    let depot = api.depot()?;
    let seen = Seen::look(depot)?;
    for (index, handle, name) in filed {
        verdicts[index] = handle.in_folders(&seen, depot, api, &name);
    }
    Ok(())
}

fn unreadable() -> Failure {
    Failure::InDoubt(Problem::new(
        "unknown-ticket",
        "This was sent by another version of the connector, which left a note this one cannot read.",
        "Look at the order in the DSCO portal, then press Done or Retry.",
    ))
}

fn log(api: &Api<'_>, path: &str, request: &str, status: &str) -> Result<Read, Failure> {
    let query = format!("requestId={}&status={status}", encode(request));
    Ok(change_log::read(api, path, &query)?.unwrap_or_default())
}

/// The members of one request. A list of the failures is enough, and short: what a request that is done does not name
/// in it has succeeded. Where the vendor does not say that the request is done, or whom a failure is about, every
/// member is followed to its own entry.
fn of_request(
    api: &Api<'_>,
    request: &str,
    group: &[Asked],
    looks: &mut usize,
) -> Result<Vec<Verdict>, Failure> {
    let now = api.host.now_ms();
    let Some(path) = group.first().map(|asked| change_log::of(&asked.told)) else {
        return Ok(Vec::new());
    };
    let youngest = group.iter().map(|asked| now - asked.handle.sent).min();
    if youngest.is_some_and(|age| age >= WHOLE_MS) {
        let read = log(api, path, request, "failure")?;
        let whole = read.is_complete() && read.names_all();
        if whole || read.is_in_work() {
            let silent = |asked: &Asked| {
                if whole {
                    done(asked.told.receipt())
                } else {
                    asked.handle.again(api, &asked.told)
                }
            };
            return Ok(judge(api, &read, group, looks, silent));
        }
    }
    let read = log(api, path, request, "success_or_failure")?;
    let complete = read.is_complete();
    let mut reads = lookup::SINGLE_READS;
    let silent = |asked: &Asked| {
        let look = complete && asked.handle.asked >= SILENT && reads > 0;
        reads -= usize::from(look);
        let shown = if look {
            lookup::shown(api, &asked.told)?
        } else {
            None
        };
        shown.unwrap_or_else(|| asked.handle.again(api, &asked.told))
    };
    Ok(judge(api, &read, group, looks, silent))
}

/// The verdicts of entries; `silent` says what becomes of a member without one.
fn judge(
    api: &Api<'_>,
    read: &Read,
    group: &[Asked],
    looks: &mut usize,
    mut silent: impl FnMut(&Asked) -> Verdict,
) -> Vec<Verdict> {
    let group = group.iter();
    group
        .map(|asked| {
            let told = &asked.told;
            match change_log::said(&read.entries, Scope::Request, told) {
                // A failure that comes with a request still in work is final.
                Some(Said::Failure(words)) => refusal::verdict(api, told, &words, looks)
                    .unwrap_or_else(|| asked.handle.ticket(WAITS[0])),
                // A success is not: a failure of the same object may follow.
                Some(Said::Success) if !read.is_in_work() => done(told.receipt()),
                Some(Said::Success | Said::Pending(_)) => asked.handle.again(api, told),
                None => silent(asked),
            }
        })
        .collect()
}

/// The members of a call whose request id is not known.
fn of_time(api: &Api<'_>, sent: i64, group: &[Asked]) -> Result<Vec<Verdict>, Failure> {
    let members: Vec<Member> = (0..)
        .zip(group)
        .map(|(index, asked)| Member {
            index,
            told: asked.told.clone(),
            body: Value::Null,
            test: false,
        })
        .collect();
    let old = api.host.now_ms() - sent >= api.config.settle_ms;
    // Imports run by a schedule of their own: a file may be taken much later than it was put.
    let by_file = group.iter().any(|asked| asked.handle.file.is_some());
    let until = by_file.then(|| api.host.now_ms());
    let mut found = lookup::find_until(api, sent, until, &members, old)?;
    Ok(group
        .iter()
        .zip(&members)
        .map(|(asked, member)| match found.remove(&member.index) {
            Some(Shown::Verdict(verdict)) => verdict,
            Some(Shown::Refused(failure)) => Err(failure),
            Some(Shown::Parcels(_) | Shown::Nothing) | None => asked.handle.again(api, &asked.told),
        })
        .collect())
}
