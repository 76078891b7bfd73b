//! Owns the change log of orders: one entry per object of every accepted write, and `GET /order/log`. Must not know what
//! a write does.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::answers::Message;
use super::pages::{parse_scroll, scroll_id};
use super::sandbox::Sandbox;
use super::{answers, dates};
use crate::vendor::{Req, Resp};

/// One entry.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) at: i64,
    pub(crate) visible: i64,
    pub(crate) request_id: String,
    pub(crate) detail: &'static str,
    pub(crate) status: &'static str,
    pub(crate) payload: Value,
    pub(crate) results: Vec<Message>,
}

#[derive(Debug, Default)]
struct Request {
    entries: Vec<usize>,
    /// When the log says `COMPLETED`; unknown while the write is queued.
    complete: Option<i64>,
}

/// All entries, oldest first.
#[derive(Debug, Default)]
pub(crate) struct ChangeLog {
    entries: Vec<Entry>,
    requests: HashMap<String, Request>,
}

impl ChangeLog {
    /// Opens the record of a request.
    pub(crate) fn open(&mut self, request_id: &str) {
        self.requests
            .insert(request_id.to_owned(), Request::default());
    }

    /// Adds an entry.
    pub(crate) fn add(&mut self, entry: Entry) {
        let index = self.entries.len();
        self.requests
            .entry(entry.request_id.clone())
            .or_default()
            .entries
            .push(index);
        self.entries.push(entry);
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
        (start..end.max(start)).collect()
    }
}

impl Sandbox {
    /// `GET /order/log`.
    pub(crate) fn order_log(&mut self, now: i64, req: &Req) -> Resp {
        if let Some(scroll) = req.param("scrollId") {
            let Some((id, from)) = parse_scroll("log", scroll) else {
                return answers::plain(400, "scrollId is not valid");
            };
            return self.log_page(now, id, from, None);
        }
        let (places, word) = match self.log_search(now, req) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let id = self.keep_scroll(now, places, self.settings.log_page_size);
        self.log_page(now, id, 0, word)
    }

    fn log_search(&self, now: i64, req: &Req) -> Result<(Vec<usize>, Option<&'static str>), Resp> {
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
            let Some(request) = self.log.requests.get(id) else {
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
            (self.log.between(start, end), None)
        };
        places.retain(|&at| {
            let entry = &self.log.entries[at];
            entry.visible <= now && wanted.contains(&entry.status)
        });
        Ok((places, word))
    }

    fn log_page(&mut self, now: i64, id: u64, from: usize, word: Option<&str>) -> Resp {
        let Some((places, full)) = self.scroll_page(now, id, from) else {
            return answers::plain(404, "The scroll page has expired");
        };
        let messy = self.settings.messy;
        let logs: Vec<Value> = places
            .iter()
            .map(|&at| self.log.entries[at].value(messy))
            .collect();
        let mut body = json!({"logs": logs});
        if full {
            body["scrollId"] = json!(scroll_id("log", id, from + places.len()));
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
        json!({
            "payload": self.payload,
            "dateProcessed": dates::iso(self.at),
            "status": self.status,
            "requestMethod": "api",
            "requestMethodDetail": detail,
            "requestId": self.request_id,
            "results": results,
        })
    }
}
