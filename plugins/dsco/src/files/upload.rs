//! Putting what a batch tells into one file, under a name that a second attempt makes again. Before anything is sent
//! twice it is looked for: `look.rs` says where it is, what follows from that is here. Knows no column.

use super::depot::{Depot, NotPut, refused, split};
use super::look::in_part;
use super::orders::hash;
use super::sheet::{CODE, Cells, Sheet, is_unfit};
use super::write::table;
use crate::api::Api;
use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::confirm::Handle;
use crate::queue::{ENOUGH_MS, Member, put};
use crate::stream::rest_secs;
use std::collections::{BTreeMap, BTreeSet};
use waybill_sdk::commerce::{Body, Document};
use waybill_sdk::date;
use waybill_sdk::effect::effect;
use waybill_sdk::problem::for_all;
use waybill_sdk::types::{Failure, Verdict};

/// Attempts after which a refusal of the server is a person's: it may have been the line.
pub(super) const TRIES: u32 = 3;

/// A member with its rows.
pub(super) struct Part<'a> {
    pub(super) member: &'a Member,
    document: &'a Document,
    /// When its order was placed, where that is known: nothing was told of it before.
    pub(super) placed: Option<i64>,
    pub(super) rows: Vec<Cells>,
}

/// One call's work on one kind of file.
pub(super) struct Upload<'a> {
    pub(super) api: &'a Api<'a>,
    pub(super) depot: Depot<'a>,
    pub(super) sheet: Sheet,
    /// Folder, and how names begin.
    pub(super) dir: String,
    pub(super) prefix: &'a str,
    pub(super) attempt: u32,
}

/// Sends by file what can be, and hands back what files have no column for, which the API takes where it is connected.
pub(crate) fn send_fit(
    api: &Api<'_>,
    sheet: Sheet,
    file: &str,
    attempt: u32,
    batch: &[Delivery],
    members: Vec<Member>,
    verdicts: &mut [Verdict],
) -> Vec<Member> {
    let (unfit, fit): (Vec<Member>, Vec<Member>) = members
        .into_iter()
        .partition(|member| is_unfit(&member.body));
    send(api, sheet, file, attempt, batch, &fit, verdicts);
    if api.config.api {
        return unfit;
    }
    for member in unfit {
        let failure = Failure::rejected(
            "not-by-file",
            format!(
                "DSCO's files have no column for something of this {}: a credit, more than three charges, or a unit in several parcels.",
                member.told.noun()
            ),
            "Enter it in the DSCO portal, then leave this card with a reason; or connect the API as well, which takes it.",
        );
        put(verdicts, member.index, Err(failure));
    }
    Vec::new()
}

/// Sends the members and puts their verdicts in their places.
fn send(
    api: &Api<'_>,
    sheet: Sheet,
    file: &str,
    attempt: u32,
    batch: &[Delivery],
    members: &[Member],
    verdicts: &mut [Verdict],
) {
    let depot = match api.depot() {
        Ok(depot) => depot,
        Err(failure) => {
            for member in members {
                put(verdicts, member.index, Err(failure.clone()));
            }
            return;
        }
    };
    let (dir, prefix) = split(depot.transfer.folder_in, file);
    let upload = Upload {
        api,
        depot,
        sheet,
        dir,
        prefix,
        attempt,
    };
    // Of the whole batch: which of its members can be sent may be another at the next attempt.
    let name = upload.name(batch.iter().map(|delivery| &delivery.document), "");
    let mut parts: BTreeMap<String, Vec<Part<'_>>> = BTreeMap::new();
    for member in members {
        let Some(delivery) = batch.get(member.index as usize) else {
            continue;
        };
        let order = match delivery.origin.as_ref().map(|origin| &origin.body) {
            Some(Body::Order(order)) => Some(order),
            _ => None,
        };
        let po = order.map_or_else(
            || {
                let own = member.body["poNumber"].as_str();
                own.unwrap_or(&member.told.order)
            },
            |order| order.number.as_str(),
        );
        let part = Part {
            member,
            document: &delivery.document,
            placed: order.and_then(|order| order.placed_at),
            rows: (sheet.rows)(&member.body, po),
        };
        // One that was in doubt before is looked for where it was put then.
        let known = upload.doubted(&part).unwrap_or_else(|| name.clone());
        parts.entry(known).or_default().push(part);
    }
    for (number, (name, parts)) in parts.into_iter().enumerate() {
        let answers = if number > 0 && api.host.remaining_ms() < ENOUGH_MS {
            for_all(parts.len(), &Err(Failure::Retry(Some(0))))
        } else {
            upload.tell(&name, &parts)
        };
        for (part, verdict) in parts.iter().zip(answers) {
            put(verdicts, part.member.index, verdict);
        }
    }
}

impl Upload<'_> {
    /// The name of a file about these documents: the same at each attempt.
    fn name<'d>(&self, documents: impl Iterator<Item = &'d Document>, salt: &'d str) -> String {
        let (mut newest, mut all) = (0, vec![salt]);
        for document in documents {
            newest = newest.max(document.occurred_at);
            all.extend([document.key.as_str(), document.revision.as_str()]);
        }
        let all = all.join("\n");
        format!(
            "{}{}_{:016x}{}",
            self.prefix,
            stamp(newest),
            hash(all.as_bytes()),
            self.depot.transfer.ending()
        )
    }

    /// Where the name of a file is kept that a document may be in.
    fn key(&self, part: &Part<'_>) -> String {
        let document =
            hash(format!("{}\n{}", part.document.key, part.document.revision).as_bytes());
        format!("sent/{}/{document:016x}", self.sheet.step)
    }

    fn doubted(&self, part: &Part<'_>) -> Option<String> {
        let kept = self.api.host.kv_get(&[self.key(part)]).pop().flatten()?;
        String::from_utf8(kept).ok()
    }

    /// Puts a file of these members, or finds out that it is there.
    fn tell(&self, name: &str, parts: &[Part<'_>]) -> Vec<Verdict> {
        match self.put(name, parts, false) {
            Err(NotPut::InDoubt(age)) => self.look(name, parts, age),
            other => self.answered(name, parts, other),
        }
    }

    /// What is refused once more over a connection that has just listed the folder, the server itself refuses; the first
    /// time it may not have been reached.
    fn put(&self, name: &str, parts: &[Part<'_>], absent: bool) -> Result<(), NotPut> {
        match self.put_once(name, parts, absent) {
            Err(NotPut::Refused(_)) if self.is_last_try() => self.put_once(name, parts, absent),
            put => put,
        }
    }

    fn put_once(&self, name: &str, parts: &[Part<'_>], absent: bool) -> Result<(), NotPut> {
        let columns = self.sheet.columns;
        let rows: Vec<Vec<Option<String>>> = parts
            .iter()
            .flat_map(|part| &part.rows)
            .map(|cells| {
                columns
                    .iter()
                    .map(|column| cells.get(column).cloned())
                    .collect()
            })
            .collect();
        let header: Vec<&str> = columns
            .iter()
            .map(|column| match *column {
                CODE => self.depot.transfer.code_column,
                other => other,
            })
            .collect();
        let bytes = table(&header, &rows, self.depot.transfer.delimiter());
        let members = parts.iter().map(|part| part.member.index);
        let step = effect(self.sheet.step, members).resend_if(absent);
        self.depot
            .put(&format!("{}/{name}", self.dir), &bytes, &step)
    }

    /// The verdicts of a file that is not in doubt, or not any more.
    fn answered(&self, name: &str, parts: &[Part<'_>], result: Result<(), NotPut>) -> Vec<Verdict> {
        let verdict = match result {
            Ok(()) => {
                let now = self.api.host.now_ms();
                return parts.iter().map(|p| self.sent(name, p, now)).collect();
            }
            // Sent again just now, and lost again: the next attempt looks for it.
            Err(NotPut::InDoubt(_)) => {
                for part in parts {
                    self.remember(name, part);
                }
                Err(Failure::Retry(Some(rest_secs(self.api.config.settle_ms))))
            }
            Err(NotPut::Refused(why)) if self.is_last_try() => {
                Err(Failure::Rejected(refused(&why)))
            }
            Err(other) => other.verdict(),
        };
        for_all(parts.len(), &verdict)
    }

    /// Whether a refusal now is a person's, and not the line's.
    fn is_last_try(&self) -> bool {
        self.attempt >= TRIES && self.depot.files(&self.dir).is_ok()
    }

    /// It is in that file since then. What the log says of it from before is of another attempt.
    pub(super) fn sent(&self, name: &str, part: &Part<'_>, since: i64) -> Verdict {
        self.api.host.kv_delete(&self.key(part));
        Handle::new(None, &part.member.told, since)
            .by_file(name)
            .ticket(self.api.config.ack_wait_secs)
    }

    /// May be there for `age` milliseconds. Members whose rows are in the file were sent; the rest is sent again once a
    /// file that was on its way must have arrived.
    fn look(&self, name: &str, parts: &[Part<'_>], age: u64) -> Vec<Verdict> {
        let every: Vec<&Part<'_>> = parts.iter().collect();
        let found = match self.found(name, &every) {
            Ok(found) => found,
            // That a look failed says nothing of what was looked for.
            Err(failure) => return self.not_seen(name, &every, &failure),
        };
        let taken = found.is_some();
        let there = found.unwrap_or_default();
        let mut absent = Vec::new();
        let mut verdicts = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            verdicts.push(match self.rows_in(&there, part) {
                0 => {
                    absent.push(at);
                    Err(Failure::Retry(None))
                }
                some if some < part.rows.len() => Err(in_part(name)),
                _ => self.sent(name, part, self.begun(age)),
            });
        }
        if absent.is_empty() {
            return verdicts;
        }
        let rest = self.again(name, parts, &absent, age, taken);
        for (at, verdict) in absent.into_iter().zip(rest) {
            verdicts[at] = verdict;
        }
        verdicts
    }

    /// The next attempt looks for the same file.
    fn remember(&self, name: &str, part: &Part<'_>) {
        self.api.host.kv_set(&self.key(part), name.as_bytes());
    }

    /// The verdicts where a look failed.
    fn not_seen(&self, name: &str, parts: &[&Part<'_>], failure: &Failure) -> Vec<Verdict> {
        for part in parts {
            self.remember(name, part);
        }
        for_all(parts.len(), &Err(failure.clone()))
    }

    /// Sends members that are in no file.
    fn again(
        &self,
        name: &str,
        parts: &[Part<'_>],
        absent: &[usize],
        age: u64,
        taken: bool,
    ) -> Vec<Verdict> {
        let age = i64::try_from(age).unwrap_or(i64::MAX);
        let wait = self.api.config.settle_ms - age;
        let all: Vec<&Part<'_>> = absent.iter().map(|at| &parts[*at]).collect();
        if wait > 0 {
            return self.not_seen(name, &all, &Failure::Retry(Some(rest_secs(wait))));
        }
        let known = match self.elsewhere(name, &all, age) {
            Ok(known) => known,
            Err(failure) => return self.not_seen(name, &all, &failure),
        };
        let mut left = Vec::new();
        for (part, known) in all.iter().zip(&known) {
            match known {
                None => left.push(Part {
                    rows: part.rows.clone(),
                    ..**part
                }),
                Some(Err(failure)) if !matches!(failure, Failure::Withdrawn(_)) => {
                    self.remember(name, part);
                }
                Some(_) => {}
            }
        }
        let mut sent = Vec::new();
        if self.api.host.remaining_ms() < ENOUGH_MS {
            // Cut off in the middle it would be in doubt once more.
            let left: Vec<&Part<'_>> = left.iter().collect();
            sent = self.not_seen(name, &left, &Failure::Retry(Some(0)));
        } else if !left.is_empty() {
            sent = self.resend(name, &left, taken);
        }
        let mut sent = sent.into_iter();
        let verdicts = known.into_iter().map(|known| known.or_else(|| sent.next()));
        verdicts
            .map(|verdict| verdict.unwrap_or(Err(Failure::Retry(None))))
            .collect()
    }

    /// Sends what was seen nowhere.
    fn resend(&self, name: &str, left: &[Part<'_>], taken: bool) -> Vec<Verdict> {
        // The name is taken by a file with others in it.
        let other = self.name(left.iter().map(|part| part.document), name);
        let name = if taken { other.as_str() } else { name };
        match self.put(name, left, true) {
            // Some of them have an answer that is kept, of another file: alone, each is known.
            Err(NotPut::InDoubt(age)) if age > 0 && left.len() > 1 => left
                .iter()
                .flat_map(|part| {
                    let one = std::slice::from_ref(part);
                    let own = self.name(one.iter().map(|part| part.document), name);
                    let result = self.put(&own, one, true);
                    self.answered(&own, one, result)
                })
                .collect(),
            other => self.answered(name, left, other),
        }
    }

    pub(super) fn begun_at(&self, age: i64) -> i64 {
        self.api.host.now_ms().saturating_sub(age)
    }

    fn begun(&self, age: u64) -> i64 {
        self.begun_at(i64::try_from(age).unwrap_or(i64::MAX))
    }

    /// How many rows of a member are among those of a file.
    pub(super) fn rows_in(&self, there: &BTreeSet<String>, part: &Part<'_>) -> usize {
        let rows = self.identities(part);
        rows.filter(|row| there.contains(row)).count()
    }

    /// What tells the rows of a member.
    pub(super) fn identities(&self, part: &Part<'_>) -> impl Iterator<Item = String> {
        let rows = part.rows.iter();
        rows.map(|cells| self.identity(|column| cells.get(column).map(String::as_str)))
    }

    /// What tells whose a row is.
    pub(super) fn identity<'c>(&self, cell: impl Fn(&str) -> Option<&'c str>) -> String {
        let cells = self.sheet.identity.iter();
        let cells: Vec<&str> = cells
            .map(|column| cell(column).unwrap_or_default().trim())
            .collect();
        cells.join("\n")
    }
}

/// `20251121093000` of a time.
pub(crate) fn stamp(ms: i64) -> String {
    let text = date::format(ms);
    text.chars().filter(char::is_ascii_digit).collect()
}
