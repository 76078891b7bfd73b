//! How a job moves. A job is one document on one route, or one settle; its lane keeps the order of work per order.
//!
//! ```text
//! waiting-for-accept -> ready -> running -> done
//!                         ^        |-> pending(ticket) -> done | retry | parked
//!                         |        |-> waiting(due)    -> ready
//!                         |        |-> parked(reason)  -> ready, when its cause is gone or a person retries
//! blocked(gap) -----------+ (another job fills the cell by itself: no card)
//! resting(due) -----------+ (not to be sent yet: looked at again then, or when its document changes)
//! held(due) --------------+ (its flow is paused or outside its hours; it counts like a ready one)
//! practised --------------+ (practice: what would be sent is recorded; a person applies it, or ends it)
//! ```
//! A start of the agent turns running into ready and keeps batch membership and journal.

use crate::contract::{Gap, Moment, Problem};
use crate::document::{Entity, words};
use crate::ids::{BatchId, Millis};
use serde::{Deserialize, Serialize};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Work {
    /// Write a document to the target connection.
    Push(Entity),
    /// Tell the source connection about a document.
    Settle(Moment),
    /// Look at what a comparison of both sides found of a document: a person's work. Nothing is ever sent.
    Compare,
    /// Look at what a connector found while it read and cannot settle itself: a person's work. Nothing is ever sent.
    Attend,
}

words!(
    /// Which work goes first when calls are short. Lower is sooner.
    Priority { NearDeadline = "near-deadline", Order = "order", Stock = "stock", Catalogue = "catalogue" }
);

/// Why a job waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// Cells of crosswalks are empty. Filling them releases the job.
    Gaps(Vec<Gap>),
    /// Refused, by the vendor or by a rule of ours.
    Problem(Problem),
    /// Sent, and nobody can say what became of it.
    InDoubt(Problem),
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobState {
    /// Its source has not confirmed our acknowledgement yet.
    WaitingForAccept,
    /// May be claimed when its lane is free.
    Ready,
    /// In a batch that was committed.
    Running(BatchId),
    /// The vendor queued it.
    Pending {
        /// Handle for `confirm`.
        handle: String,
        /// When to ask.
        due: Millis,
        /// How often it was asked.
        asked: u32,
    },
    /// Tried, will be tried again.
    Waiting {
        /// When.
        due: Millis,
    },
    /// Not to be sent yet. It leaves its lane free and is looked at again then, or when its document changes.
    Resting {
        /// When.
        due: Millis,
    },
    /// Its flow is paused, or outside its hours. It leaves its lane free and is ready again when the flow goes on.
    Held {
        /// When it is looked at again, whatever became of the flow.
        due: Millis,
    },
    /// Its flow is in practice: what would have been sent is in the transcript of its last batch, and nothing left. It
    /// leaves its lane free until a person applies or discards it, or its document changes.
    Practised,
    /// Another job fills this cell by itself.
    Blocked(Gap),
    /// A person must act.
    Parked(Reason),
    /// Nothing is left to do.
    Done(Ending),
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Written; the key in the target.
    Written(String),
    /// Practice mode.
    Recorded,
    /// The order was cancelled first, or the document is gone.
    Withdrawn,
    /// Told with the document of that key: the rest of a kit.
    Merged(String),
    /// A rule said no (a test order).
    Refused,
    /// A person said leave it, with a reason.
    Ignored(String),
}

impl JobState {
    /// Whether the job is over.
    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }
    /// Whether the job keeps its lane busy, so that the next one of the same order waits.
    pub const fn holds_lane(&self) -> bool {
        matches!(
            self,
            Self::Running(_) | Self::Pending { .. } | Self::Waiting { .. }
        )
    }
    /// The word for logs and stored indexes.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::WaitingForAccept => "waiting-for-accept",
            Self::Ready => "ready",
            Self::Running(_) => "running",
            Self::Pending { .. } => "pending",
            Self::Waiting { .. } => "waiting",
            Self::Resting { .. } => "resting",
            Self::Held { .. } => "held",
            Self::Practised => "practised",
            Self::Blocked(_) => "blocked",
            Self::Parked(_) => "parked",
            Self::Done(_) => "done",
        }
    }
}
