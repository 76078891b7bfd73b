//! Everything that wakes the engine, as one closed enum: read it and you know the program.

use waybill_model::contract::Moment;
use waybill_model::document::Entity;
use waybill_model::ids::{BatchId, ConnectionId};
use waybill_model::job::Work;

/// What the loop is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A commit may have made work ready.
    Changed,
    /// Connections, routes or settings changed: bind again.
    Reload,
    /// A flow was paused, or goes on.
    Routes,
    /// Webhook requests of a connection were stored.
    Delivered(ConnectionId),
    /// A person asked to poll now.
    Poll(ConnectionId, Option<Entity>),
}

/// One call under way. At most one of each runs, but for pushes, which have numbered hands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CallKey {
    /// Reading the next page of a feed.
    Pull(ConnectionId, Entity),
    /// Writing batches of one kind.
    Push(ConnectionId, Entity, u32),
    /// Telling a source.
    Settle(ConnectionId, Moment),
    /// Asking what became of queued writes.
    Confirm(ConnectionId, Work),
    /// Letting go of what is past its time; of no connection.
    Prune,
    /// Reading webhook requests; no network.
    Receive(ConnectionId),
    /// Reading the documents that hints name.
    Fetch(ConnectionId, Entity),
    /// Putting the webhooks at the vendor in order.
    Ensure(ConnectionId),
    /// Holding settings against the lists that the vendor offers.
    Values(ConnectionId),
    /// Running a batch again that a crash cut short.
    Resume(ConnectionId, BatchId),
    /// Reading the pages of a back-fill.
    Backfill(ConnectionId),
    /// Reading the next page of the comparison; of no one connection.
    Compare,
    /// Looking at the connectors folder; of no connection.
    Folder,
    /// Judging a connector's trial; of no connection.
    Trial(String),
}

impl CallKey {
    /// The kind of document, where the call is about one.
    pub(crate) const fn entity(&self) -> Option<Entity> {
        match self {
            Self::Pull(_, entity) | Self::Push(_, entity, _) | Self::Fetch(_, entity) => {
                Some(*entity)
            }
            _ => None,
        }
    }

    /// The connection called; none has the number 0.
    pub(crate) const fn connection(&self) -> ConnectionId {
        match self {
            Self::Pull(c, _)
            | Self::Push(c, _, _)
            | Self::Settle(c, _)
            | Self::Confirm(c, _)
            | Self::Receive(c)
            | Self::Fetch(c, _)
            | Self::Ensure(c)
            | Self::Values(c)
            | Self::Backfill(c)
            | Self::Resume(c, _) => *c,
            Self::Prune | Self::Compare | Self::Folder | Self::Trial(_) => ConnectionId(0),
        }
    }
}
