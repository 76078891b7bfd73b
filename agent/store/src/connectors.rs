//! Connectors as they were accepted: the build in force, those one can go back to, what a person granted, a trial, a
//! build that waits, and builds that are never loaded again. One row per connector; the bytes lie elsewhere.

use crate::access::{Access, Tx};
use crate::codec::Span;
use crate::error::StoreError;
use crate::schema::Tab;
use serde::{Deserialize, Serialize};
use waybill_model::grant::Grant;
use waybill_model::ids::{ConnectionId, Generation, Millis};

/// What is known of a connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorRow {
    /// Id of its descriptor.
    pub id: String,
    /// Shown to people.
    pub title: String,
    /// What it may use, as a person or the first installation accepted it.
    pub grant: Grant,
    /// The build in force.
    pub current: BuildRow,
    /// Builds in force before, newest first; a copy of each is kept.
    pub previous: Vec<BuildRow>,
    /// While the build in force is watched.
    pub trial: Option<TrialRow>,
    /// A build that waits for a person.
    pub waiting: Option<WaitingRow>,
    /// Builds that are not loaded unless a person chooses them, newest first.
    pub bad: Vec<BadRow>,
}

/// A build that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildRow {
    /// SHA-256 of the component, in hexadecimal digits.
    pub hash: String,
    /// The descriptor's.
    pub version: String,
    /// Its number.
    pub generation: Generation,
    /// File it was read from.
    pub file: String,
    /// When it was taken into force last.
    pub since: Millis,
    /// Who or what did so.
    pub who: String,
}

/// A build that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialRow {
    /// When it began.
    pub since: Millis,
    /// What each bad call came to.
    pub bad: Vec<String>,
}

/// A build that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingRow {
    /// Its hash.
    pub hash: String,
    /// Its version.
    pub version: String,
    /// File it was read from.
    pub file: String,
    /// What it asks beyond the grant, one sentence each.
    pub asks: Vec<String>,
    /// Settings without which it cannot work.
    pub settings: Vec<AskedRow>,
    /// All it would be granted.
    pub grant: Grant,
    /// Since when it waits.
    pub at: Millis,
    /// Who accepted it; it is being proven then.
    pub accepted: Option<String>,
}

/// A setting somebody must enter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedRow {
    /// Of which connection.
    pub connection: ConnectionId,
    /// Its key.
    pub key: String,
    /// Shown to people.
    pub label: String,
    /// What it is for.
    pub help: String,
}

/// A build that is not loaded again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// Its hash.
    pub hash: String,
    /// Its version.
    pub version: String,
    /// File it was read from.
    pub file: String,
    /// Why, for people.
    pub reason: String,
    /// When.
    pub at: Millis,
    /// It was taken back by itself, not by a person.
    pub by_itself: bool,
}

impl ConnectorRow {
    /// Whether this build is not to be loaded, and why.
    pub fn bad(&self, hash: &str) -> Option<&BadRow> {
        self.bad.iter().find(|bad| bad.hash == hash)
    }

    /// Builds whose copies are kept.
    pub fn kept(&self) -> impl Iterator<Item = &BuildRow> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

pub(crate) fn connectors(a: &dyn Access) -> Result<Vec<ConnectorRow>, StoreError> {
    a.rows(Tab::Connectors, &Span::all(), usize::MAX)
}

pub(crate) fn connector(a: &dyn Access, id: &str) -> Result<Option<ConnectorRow>, StoreError> {
    a.row(Tab::Connectors, id.as_bytes())
}

impl Tx<'_> {
    /// Stores what is known of a connector.
    pub fn put_connector(&mut self, row: &ConnectorRow) -> Result<(), StoreError> {
        self.put_row(Tab::Connectors, row.id.as_bytes(), row)
    }

    /// Forgets a connector. Whether it was known.
    pub fn remove_connector(&mut self, id: &str) -> Result<bool, StoreError> {
        self.del(Tab::Connectors, id.as_bytes())
    }

    /// A number for a build that is about to be loaded.
    pub fn next_generation(&mut self) -> Result<Generation, StoreError> {
        self.next("generation").map(Generation)
    }
}
