//! What became of the calls of connections and of their requests, counted since the start for whoever watches. Counts
//! alone: no address, no word of a vendor.

use crate::connector::CallError;
use crate::ports::{WireError, WireResponse};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use waybill_model::contract::Failure;
use waybill_model::ids::ConnectionId;

/// Counts of one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls of its connector by how they ended.
    pub calls: BTreeMap<&'static str, u64>,
    /// Requests to its vendor by how they were answered.
    pub requests: BTreeMap<&'static str, u64>,
}

/// Counts of all connections.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<ConnectionId, Counts>>);

/// How a call ended.
const fn ended<T>(value: &Result<T, CallError>) -> &'static str {
    match value {
        Ok(_) => "ok",
        Err(CallError::Failure(failure)) => match failure {
            Failure::Retry(_) => "retry",
            Failure::Rejected(_) => "rejected",
            Failure::InDoubt(_) => "in-doubt",
            Failure::Unauthorized(_) => "unauthorized",
            Failure::Withdrawn(_) => "withdrawn",
            Failure::Unmapped(_) => "unmapped",
        },
        Err(CallError::Trapped(_)) => "trapped",
        Err(CallError::TimedOut) => "timed-out",
        Err(CallError::OutOfMemory) => "out-of-memory",
        Err(CallError::Contract(_)) => "contract-broken",
        Err(CallError::Host(_)) => "host-failed",
    }
}

/// How a request was answered.
const fn answered(outcome: &Result<WireResponse, WireError>) -> &'static str {
    match outcome {
        Ok(answer) => match answer.status {
            0..=299 => "2xx",
            300..=399 => "3xx",
            429 => "429",
            400..=499 => "4xx",
            _ => "5xx",
        },
        Err(WireError::AddressRefused { .. }) => "not-granted",
        Err(WireError::NotSent(_)) => "not-connected",
        Err(WireError::Lost(_)) => "lost",
        Err(WireError::TimedOut) => "timed-out",
        Err(WireError::TooLarge(_)) => "too-large",
    }
}

impl Tally {
    fn all(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Counts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call ended.
    pub(crate) fn call<T>(&self, connection: ConnectionId, value: &Result<T, CallError>) {
        let mut all = self.all();
        let calls = &mut all.entry(connection).or_default().calls;
        *calls.entry(ended(value)).or_default() += 1;
    }

    /// A request ended.
    pub(crate) fn request(
        &self,
        connection: ConnectionId,
        outcome: &Result<WireResponse, WireError>,
    ) {
        let mut all = self.all();
        let requests = &mut all.entry(connection).or_default().requests;
        *requests.entry(answered(outcome)).or_default() += 1;
    }

    /// Something was done on a file server: `answered` is one of the words that requests are counted by.
    pub(crate) fn file(&self, connection: ConnectionId, answered: &'static str) {
        let mut all = self.all();
        let requests = &mut all.entry(connection).or_default().requests;
        *requests.entry(answered).or_default() += 1;
    }

    /// The counts of a connection.
    pub fn of(&self, connection: ConnectionId) -> Counts {
        self.all().get(&connection).cloned().unwrap_or_default()
    }
}
