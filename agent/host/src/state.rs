//! What one call carries: its data in the store, its transcript, its buffered writes, and why it had to stop.
//! The capabilities in `caps/` work on it; it decides nothing itself.

use crate::caps::blob::Spool;
use crate::connector::Call;
use crate::effects::Doubts;
use crate::limits::{Limits, MemoryCap};
use crate::ports::PortError;
use crate::setup::Bound;
use crate::sftp::Session;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use waybill_model::contract::{Exchange, Problem};
use waybill_model::ids::Millis;

/// Longest text kept of a body.
const KEPT_CHARS: usize = 4_000;

/// What the host answers during a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Only `log`: while loading.
    Nothing,
    /// Everything but the network: `validate`.
    Local,
    /// What the call's mode allows.
    Network,
}

/// A call and the connection it is made for.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) bound: Arc<Bound>,
    pub(crate) call: Arc<Call>,
}

/// The data of a store.
pub(crate) struct CallState {
    pub(crate) access: Access,
    pub(crate) visitor: Option<Visitor>,
    pub(crate) limits: Limits,
    pub(crate) cap: MemoryCap,
    pub(crate) deadline: Instant,
    pub(crate) table: ResourceTable,
    /// Bytes in spools.
    pub(crate) spooled: u64,
    /// Signed-in connections to file servers, by credential.
    pub(crate) sessions: BTreeMap<String, Session>,
    /// Files that were read before, as the folders showed them in this call: by credential and path.
    pub(crate) fetched: BTreeMap<(String, String), Spool>,
    /// Buffered writes; `None` deletes.
    pub(crate) writes: BTreeMap<String, Option<Vec<u8>>>,
    /// Bytes in them.
    pub(crate) written: usize,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) requests: usize,
    pub(crate) log_lines: usize,
    pub(crate) hold_until: Option<Millis>,
    /// Prefix of the last request: what `quota` speaks of.
    pub(crate) last_reach: Option<String>,
    /// A port did not answer: the call's end is the host's fault.
    pub(crate) host_error: Option<String>,
    /// The guest broke a rule of the host; the sentence says which.
    pub(crate) violation: Option<String>,
    /// A limit of time was seen by the guest's own code.
    pub(crate) timed_out: bool,
    /// Ticks it worked for itself since it last waited for the network.
    pub(crate) own_ticks: u128,
    /// It waits for the network since then.
    pub(crate) waiting: Option<Instant>,
    /// A credential that is missing or was refused.
    pub(crate) credential: Option<Problem>,
    /// Steps it was told are in doubt.
    pub(crate) doubts: Doubts,
}

impl CallState {
    pub(crate) fn new(
        access: Access,
        visitor: Option<Visitor>,
        limits: &Limits,
        deadline: Instant,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.resources);
        Self {
            access,
            visitor,
            limits: limits.clone(),
            cap: MemoryCap::new(limits),
            deadline,
            table,
            spooled: 0,
            sessions: BTreeMap::new(),
            fetched: BTreeMap::new(),
            writes: BTreeMap::new(),
            written: 0,
            exchanges: Vec::new(),
            requests: 0,
            log_lines: 0,
            hold_until: None,
            last_reach: None,
            host_error: None,
            violation: None,
            timed_out: false,
            own_ticks: 0,
            waiting: None,
            credential: None,
            doubts: Doubts::default(),
        }
    }

    /// The call this is for; a trap while loading, when there is none.
    pub(crate) fn visitor(&mut self, function: &str) -> wasmtime::Result<Visitor> {
        match (&self.visitor, self.access) {
            (Some(visitor), Access::Local | Access::Network) => Ok(visitor.clone()),
            _ => Err(self.broke(format!(
                "called `{function}` while it was asked to describe itself; only `log` is answered then"
            ))),
        }
    }

    /// Ends the call: the guest broke a rule.
    pub(crate) fn broke(&mut self, rule: String) -> wasmtime::Error {
        let error = wasmtime::Error::msg(rule.clone());
        self.violation.get_or_insert(rule);
        error
    }

    /// Ends the call: a port did not answer.
    pub(crate) fn port<T>(&mut self, result: Result<T, PortError>) -> wasmtime::Result<T> {
        result.map_err(|e| {
            self.host_error.get_or_insert_with(|| e.0.clone());
            wasmtime::Error::msg(e.0)
        })
    }

    /// Ends the call when a list is longer than its limit.
    pub(crate) fn at_most(&mut self, what: &str, len: usize, limit: usize) -> wasmtime::Result<()> {
        if len <= limit {
            return Ok(());
        }
        Err(self.broke(format!("gave {len} {what}; at most {limit} are taken")))
    }

    pub(crate) fn remaining_ms(&self) -> u64 {
        let left = self.deadline.saturating_duration_since(Instant::now());
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }

    /// Keeps the later of two holds.
    pub(crate) fn hold(&mut self, until: Millis) {
        self.hold_until = Some(self.hold_until.map_or(until, |old| old.max(until)));
    }
}

/// The start of a body, as text.
pub(crate) fn kept(body: &[u8]) -> String {
    let start = &body[..body.len().min(KEPT_CHARS * 4)];
    // Nearly every body is text, which is seen much faster than it is mended.
    let text = match std::str::from_utf8(start) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(start),
    };
    let mut rest = text.chars();
    rest.nth(KEPT_CHARS - 1);
    text[..text.len() - rest.as_str().len()].to_owned()
}
