//! Owns what was called: counters per endpoint and the list of the latest requests. Must not know any vendor.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::vendor::Req;

/// How many requests the list keeps.
const KEPT: usize = 500;
/// How much of a body the list keeps.
const BODY: usize = 4096;

/// Counters of one endpoint.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Counter {
    /// Requests that came in.
    pub calls: u64,
    /// Answers by status; a call that was cut has none.
    pub status: BTreeMap<u16, u64>,
    /// Calls a fault rule touched.
    pub faults: u64,
    /// Calls whose connection was dropped.
    pub cut: u64,
}

/// One request of the list.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    /// When, in milliseconds of the sandbox's clock.
    pub at_ms: i64,
    /// Endpoint name.
    pub endpoint: String,
    /// Method and target as sent.
    pub request: String,
    /// The body's start; left out for forms, which hold secrets.
    pub body: Option<String>,
    /// Answered status, or none when cut.
    pub status: Option<u16>,
    /// Whether a fault rule touched it.
    pub fault: bool,
}

/// All counters.
#[derive(Debug, Default)]
pub struct Counters {
    endpoints: BTreeMap<String, Counter>,
    seen: VecDeque<Seen>,
}

impl Counters {
    /// Counts a request and what became of it.
    pub fn count(
        &mut self,
        at_ms: i64,
        endpoint: &str,
        req: &Req,
        status: Option<u16>,
        fault: bool,
    ) {
        let counter = self.endpoints.entry(endpoint.to_owned()).or_default();
        counter.calls += 1;
        counter.faults += u64::from(fault);
        match status {
            Some(status) => *counter.status.entry(status).or_default() += 1,
            None => counter.cut += 1,
        }
        if self.seen.len() == KEPT {
            self.seen.pop_front();
        }
        let form = req
            .header("content-type")
            .is_some_and(|t| t.contains("urlencoded"));
        let body = (!form && !req.body.is_empty())
            .then(|| String::from_utf8_lossy(&req.body[..req.body.len().min(BODY)]).into_owned());
        let mark = if req.raw_query.is_empty() { "" } else { "?" };
        self.seen.push_back(Seen {
            at_ms,
            endpoint: endpoint.to_owned(),
            request: format!("{} {}{mark}{}", req.method, req.path, req.raw_query),
            body,
            status,
            fault,
        });
    }

    /// Counters by endpoint and their sum, as JSON.
    pub fn report(&self) -> serde_json::Value {
        let total: u64 = self.endpoints.values().map(|c| c.calls).sum();
        serde_json::json!({"total": total, "endpoints": self.endpoints})
    }

    /// The latest requests, oldest first.
    pub fn seen(&self) -> serde_json::Value {
        serde_json::json!({"requests": self.seen})
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}
