//! Owns the event log behind all streams: events in order of visibility, their ids and positions. Must not know streams'
//! filters.

use std::sync::Arc;

use super::book::Snapshot;
use super::dates;

/// What an event tells.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// A change of an order; `cancel_request` ones go only to streams that ask for them.
    Order {
        reasons: Vec<&'static str>,
        cancel_request: bool,
    },
    /// Units of an order shipped or cancelled.
    Item {
        status: &'static str,
        json: Arc<str>,
    },
}

/// One event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) key: (i64, u64),
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) what: What,
}

impl Event {
    /// `z/2025/11/21/07/30/1763710215897-0000000`.
    pub(crate) fn id(&self) -> String {
        event_id(self.key)
    }
}

fn event_id((ms, n): (i64, u64)) -> String {
    format!("z/{}/{ms}-{n:07}", dates::minute_path(ms))
}

/// Where a reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// After this event.
    After((i64, u64)),
    /// At this instant: everything of it and later.
    From(i64),
}

impl Position {
    /// Reads a decoded position: an event id or an ISO date.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("z/") {
            let (_, last) = rest.rsplit_once('/')?;
            let (ms, n) = last.split_once('-')?;
            let key = (ms.parse().ok()?, n.parse().ok()?);
            return (event_id(key) == text).then_some(Self::After(key));
        }
        dates::parse(text).map(Self::From)
    }
}

/// All events, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Events {
    all: Vec<Event>,
}

impl Events {
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn all(&self) -> &[Event] {
        &self.all
    }

    /// Appends an event that becomes visible at `ms`.
    pub(crate) fn push(&mut self, ms: i64, snapshot: Arc<Snapshot>, what: What) {
        let key = match self.all.last().map(|e| e.key) {
            Some((last, n)) if last >= ms => (last, n + 1),
            _ => (ms, 0),
        };
        self.all.push(Event {
            key,
            snapshot,
            what,
        });
    }

    /// Index of the first event a reader at `position` has not seen.
    pub(crate) fn after(&self, position: Position) -> usize {
        match position {
            Position::After(key) => self.all.partition_point(|e| e.key <= key),
            Position::From(ms) => self.all.partition_point(|e| e.key.0 < ms),
        }
    }

    /// Index of the event at `position` itself, for ranges whose bounds are inclusive and exclusive.
    pub(crate) fn at(&self, position: Position) -> usize {
        match position {
            Position::After(key) => self.all.partition_point(|e| e.key < key),
            Position::From(_) => self.after(position),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Position, event_id};

    #[test]
    fn positions_are_ids_or_dates() {
        let id = event_id((1_763_710_215_897, 3));
        assert_eq!(id, "z/2025/11/21/07/30/1763710215897-0000003");
        assert_eq!(
            Position::parse(&id),
            Some(Position::After((1_763_710_215_897, 3)))
        );
        assert_eq!(
            Position::parse("1970-01-01T00:00:00Z"),
            Some(Position::From(0))
        );
        assert_eq!(Position::parse("z/2025/11/21/07/30/x-1"), None);
        assert_eq!(Position::parse("z%2F2025"), None);
    }
}
