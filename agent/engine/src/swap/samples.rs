//! How many requests batches of a kind and size usually cost. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use waybill_model::contract::Moment;
use waybill_model::document::Entity;
use waybill_model::ids::ConnectionId;

/// Batches of one kind and size that are remembered.
const KEPT: usize = 32;
/// Fewer say nothing.
const FEWEST: usize = 3;

/// Which calls are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Pages of a feed.
    Pull(Entity),
    /// Documents by key.
    Fetch(Entity),
    /// Pages of a list.
    List(Entity),
    /// Batches written.
    Push(Entity),
    /// A source was told.
    Settle(Moment),
    /// Tickets.
    Confirm,
    /// Webhook requests.
    Receive,
    /// Not compared.
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pull(entity) => write!(f, "Reading `{entity}`"),
            Self::Fetch(entity) => write!(f, "Reading `{entity}` again"),
            Self::List(entity) => write!(f, "Listing `{entity}`"),
            Self::Push(entity) => write!(f, "Writing `{entity}`"),
            Self::Settle(moment) => write!(f, "Telling `{moment}`"),
            Self::Confirm => f.write_str("Asking for results"),
            Self::Receive => f.write_str("Reading webhooks"),
            Self::Other => f.write_str("A call"),
        }
    }
}

/// Requests of batches by connection, kind and size. Sizes from one power of two to the next are alike.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(BTreeMap<(ConnectionId, Kind, u32), VecDeque<usize>>);

const fn size(members: usize) -> u32 {
    match members.checked_ilog2() {
        Some(power) => power + 1,
        None => 0,
    }
}

impl Samples {
    /// A batch.
    pub(crate) fn add(
        &mut self,
        connection: ConnectionId,
        kind: Kind,
        members: usize,
        requests: usize,
    ) {
        let place = (connection, kind, size(members));
        let kept = self.0.entry(place).or_default();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(requests);
    }

    /// What such a batch usually costs, once enough of them were seen.
    pub(crate) fn usual(
        &self,
        connection: ConnectionId,
        kind: Kind,
        members: usize,
    ) -> Option<usize> {
        let kept = self.0.get(&(connection, kind, size(members)))?;
        let mut sorted: Vec<usize> = kept.iter().copied().collect();
        sorted.sort_unstable();
        (sorted.len() >= FEWEST).then(|| sorted[sorted.len() / 2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_alike_batches_is_usual() {
        let (here, kind) = (ConnectionId(1), Kind::Push(Entity::Order));
        let mut samples = Samples::default();
        for requests in [4, 5] {
            samples.add(here, kind, 3, requests);
        }
        assert_eq!(samples.usual(here, kind, 2), None, "two say nothing");
        samples.add(here, kind, 2, 90);
        assert_eq!(samples.usual(here, kind, 3), Some(5));
        assert_eq!(samples.usual(here, kind, 4), None, "another size");
        assert_eq!(samples.usual(ConnectionId(2), kind, 3), None);
        assert_eq!(samples.usual(here, Kind::Confirm, 3), None);
        for _ in 0..KEPT {
            samples.add(here, kind, 3, 7);
        }
        assert_eq!(
            samples.usual(here, kind, 3),
            Some(7),
            "old ones are forgotten"
        );
    }
}
