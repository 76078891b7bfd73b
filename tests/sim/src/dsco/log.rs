//! Owns the change logs: one entry per object of every accepted write, and how they are read. Must not know what a write
//! does.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use super::answers::Message;
use super::pages::{parse_scroll, scroll_id};
use super::sandbox::Sandbox;
use super::{answers, dates};
use crate::vendor::{Req, Resp};

/// Entries of one log at most: older ones are forgotten, as the vendor forgets after two weeks. Full sets of a large
/// catalogue would fill the memory otherwise.
const KEPT: usize = 400_000;

/// Which log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Journal {
    Orders,
    Inventory,
    Invoices,
}

impl Journal {
    /// Word of its scroll ids.
    fn scroll(self) -> &'static str {
        match self {
            Self::Orders => "log",
            Self::Inventory => "inventory-log",
            Self::Invoices => "invoice-log",
        }
    }
}

/// All logs.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    orders: ChangeLog,
    inventory: ChangeLog,
    invoices: ChangeLog,
}

impl Logs {
    /// That log.
    pub(crate) fn of(&self, journal: Journal) -> &ChangeLog {
        match journal {
            Journal::Orders => &self.orders,
            Journal::Inventory => &self.inventory,
            Journal::Invoices => &self.invoices,
        }
    }

    /// That log, to write in.
    pub(crate) fn of_mut(&mut self, journal: Journal) -> &mut ChangeLog {
        match journal {
            Journal::Orders => &mut self.orders,
            Journal::Inventory => &mut self.inventory,
            Journal::Invoices => &mut self.invoices,
        }
    }
}

/// How an object was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Api,
    /// As a row of a file: the entry has the id of the import's process instead of a request's.
    File,
}

/// One entry.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) at: i64,
    pub(crate) visible: i64,
    pub(crate) request_id: Arc<str>,
    pub(crate) method: Method,
    pub(crate) detail: &'static str,
    pub(crate) status: &'static str,
    /// The object as it was submitted: text, which is a fifth of the size of a value.
    pub(crate) payload: Box<str>,
    pub(crate) results: Vec<Message>,
}

#[derive(Debug, Default)]
struct Request {
    entries: Vec<usize>,
    /// When the log says `COMPLETED`; unknown while the write is queued.
    complete: Option<i64>,
}

/// All entries, oldest first. A place is a number that stays the same when older entries are forgotten.
#[derive(Debug, Default)]
pub(crate) struct ChangeLog {
    entries: VecDeque<Entry>,
    forgotten: usize,
    requests: HashMap<Arc<str>, Request>,
}

impl ChangeLog {
    /// Opens the record of a request.
    pub(crate) fn open(&mut self, request_id: &str) {
        self.requests.insert(request_id.into(), Request::default());
    }

    /// Adds an entry.
    pub(crate) fn add(&mut self, entry: Entry) {
        let place = self.forgotten + self.entries.len();
        let request = self.requests.entry(entry.request_id.clone());
        request.or_default().entries.push(place);
        self.entries.push_back(entry);
        if self.entries.len() > KEPT {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.entries.pop_front() else {
            return;
        };
        let place = self.forgotten;
        self.forgotten += 1;
        let request = self.requests.get(&oldest.request_id);
        if request.is_some_and(|r| r.entries.last() == Some(&place)) {
            self.requests.remove(&oldest.request_id);
        }
    }

    fn get(&self, place: usize) -> Option<&Entry> {
        self.entries.get(place.checked_sub(self.forgotten)?)
    }

    /// All entries of a request are there; the log admits it from `at` on.
    pub(crate) fn complete(&mut self, request_id: &str, at: i64) {
        if let Some(request) = self.requests.get_mut(request_id) {
            request.complete = Some(at);
        }
    }

    fn between(&self, from: i64, until: i64) -> Vec<usize> {
        let start = self.entries.partition_point(|e| e.at < from);
        let end = self.entries.partition_point(|e| e.at < until);
        (start..end.max(start))
            .map(|index| index + self.forgotten)
            .collect()
    }
}

impl Sandbox {
    /// `GET /order/log` and its siblings.
    pub(crate) fn read_log(&mut self, now: i64, journal: Journal, req: &Req) -> Resp {
        if let Some(scroll) = req.param("scrollId") {
            let Some((id, from)) = parse_scroll(journal.scroll(), scroll) else {
                return answers::plain(400, "scrollId is not valid");
            };
            return self.log_page(now, journal, (id, from), None);
        }
        let (places, word) = match self.log_search(now, journal, req) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let id = self.keep_scroll(now, places, self.settings.log_page_size);
        self.log_page(now, journal, (id, 0), word)
    }

    fn log_search(
        &self,
        now: i64,
        journal: Journal,
        req: &Req,
    ) -> Result<(Vec<usize>, Option<&'static str>), Resp> {
        let log = self.logs.of(journal);
        let bad = |why: &str| answers::plain(400, why);
        let wanted: &[&str] = match req.param("status") {
            None => &["pending", "success", "failure"],
            Some("pending") => &["pending"],
            Some("success") => &["success"],
            Some("failure") => &["failure"],
            Some("success_or_failure") => &["success", "failure"],
            Some(_) => return Err(bad("status is not valid")),
        };
        let (mut places, word) = if let Some(id) = req.param("requestId") {
            let Some(request) = log.requests.get(id) else {
                return Err(answers::plain(404, "No such request"));
            };
            let done = request.complete.is_some_and(|at| at <= now);
            (
                request.entries.clone(),
                Some(if done { "COMPLETED" } else { "PROCESSING" }),
            )
        } else {
            let (Some(start), Some(end)) = (req.param("startDate"), req.param("endDate")) else {
                return Err(bad("requestId, or startDate and endDate are required"));
            };
            let (Some(start), Some(end)) = (dates::parse(start), dates::parse(end)) else {
                return Err(bad("startDate and endDate must be ISO 8601 dates"));
            };
            (log.between(start, end), None)
        };
        places.retain(|&at| {
            log.get(at)
                .is_some_and(|entry| entry.visible <= now && wanted.contains(&entry.status))
        });
        Ok((places, word))
    }

    fn log_page(
        &mut self,
        now: i64,
        journal: Journal,
        (id, from): (u64, usize),
        word: Option<&str>,
    ) -> Resp {
        let Some((places, full)) = self.scroll_page(now, id, from) else {
            return answers::plain(404, "The scroll page has expired");
        };
        let messy = self.settings.messy;
        let logs: Vec<Value> = places
            .iter()
            .filter_map(|&at| self.logs.of(journal).get(at))
            .map(|entry| entry.value(messy))
            .collect();
        let mut body = json!({"logs": logs});
        if full {
            body["scrollId"] = json!(scroll_id(journal.scroll(), id, from + places.len()));
        }
        if let Some(word) = word {
            body["status"] = json!(word);
        }
        Resp::json(200, &body)
    }
}

impl Entry {
    fn value(&self, messy: bool) -> Value {
        let results: Vec<Value> = self.results.iter().map(|m| m.value(messy)).collect();
        let detail = if messy {
            json!({"operation": self.detail})
        } else {
            json!(self.detail)
        };
        let (method, id) = match self.method {
            Method::Api => ("api", "requestId"),
            Method::File => ("file", "processId"),
        };
        json!({
            "payload": serde_json::from_str(&self.payload).unwrap_or(Value::Null),
            "dateProcessed": dates::iso(self.at),
            "status": self.status,
            "requestMethod": method,
            "requestMethodDetail": detail,
            id: &*self.request_id,
            "results": results,
        })
    }
}
