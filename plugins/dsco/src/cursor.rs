//! Where reading stands, as committed by the agent: opaque to it, JSON to us. Knows no call.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Where a stream feed stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamCursor {
    /// Id of the stream.
    pub(crate) stream: String,
    /// Its partition.
    pub(crate) partition: i64,
    /// Id of the last event taken, as the vendor gave it.
    pub(crate) position: String,
    /// The position last stored at the vendor.
    pub(crate) marked: String,
    /// Polls since then that moved on.
    pub(crate) moved: i64,
    /// Events of a full page, as the stream was made; none where it does not tell.
    #[serde(default)]
    pub(crate) full: Option<usize>,
    /// A search that has to be read before the stream is.
    pub(crate) window: Option<Window>,
    /// A search still to be made: orders of the seconds around the stream's creation are in neither the first search,
    /// which ends a little in the past, nor the stream, which begins at its creation.
    pub(crate) closing: Option<Closing>,
}

/// A search by date that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// By last change instead of by creation.
    pub(crate) updated: bool,
    /// Milliseconds, inclusive.
    pub(crate) since: i64,
    /// Milliseconds.
    pub(crate) until: i64,
    /// The vendor's place in it; it forgets it after five minutes.
    pub(crate) scroll: Option<String>,
}

/// When the closing search may be made, and from when on it looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Closing {
    pub(crate) since: i64,
    pub(crate) due: i64,
}

/// Where a listing stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ListCursor {
    /// In a search.
    Window(Window),
    /// So many of the keys are done.
    Keys(usize),
    /// In a scrolled list without dates.
    Scroll(String),
}

/// The bytes the agent keeps.
pub(crate) fn write(cursor: &impl Serialize) -> Vec<u8> {
    // Plain structs of texts and numbers always serialise; an empty cursor would start over, which loses nothing.
    serde_json::to_vec(cursor).unwrap_or_default()
}

/// What they mean; none for those of another version, which makes the feed start over: that costs calls, no order.
pub(crate) fn read<T: DeserializeOwned>(bytes: Option<&[u8]>) -> Option<T> {
    serde_json::from_slice(bytes?).ok()
}
