//! How many requests batches of a kind and size usually cost. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use waybill_model::contract::Moment;
use waybill_model::document::Entity;
use waybill_model::ids::ConnectionId;

/// Batches of one kind and size that are remembered.
const KEPT: usize = 32;
/// Fewer say nothing.
const FEWEST: usize = 5;

/// What batches of a kind and size cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usual {
    /// On average, in hundredths of a request.
    pub(crate) mean: usize,
    /// The dearest of them.
    pub(crate) most: usize,
}

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
pub(crate) struct Samples {
    requests: BTreeMap<(ConnectionId, Kind, u32), VecDeque<usize>>,
    /// Kinds of which some batch asked the same twice.
    repeating: BTreeSet<Kind>,
}

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
        let kept = self.requests.entry(place).or_default();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(requests);
    }

    /// So many requests of a batch asked what it had been told.
    pub(crate) fn note_repeated(&mut self, kind: Kind, repeated: usize) {
        if repeated > 0 {
            self.repeating.insert(kind);
        }
    }

    /// Whether batches of this kind are known to ask the same twice.
    pub(crate) fn repeats(&self, kind: Kind) -> bool {
        self.repeating.contains(&kind)
    }

    /// These as well, as the newer ones.
    pub(crate) fn extend(&mut self, newer: Self) {
        self.repeating.extend(newer.repeating);
        for ((connection, kind, size), kept) in newer.requests {
            let own = self.requests.entry((connection, kind, size)).or_default();
            own.extend(kept);
            own.drain(..own.len().saturating_sub(KEPT));
        }
    }

    /// What such a batch usually costs, once enough of them were seen.
    pub(crate) fn usual(
        &self,
        connection: ConnectionId,
        kind: Kind,
        members: usize,
    ) -> Option<Usual> {
        let kept = self.requests.get(&(connection, kind, size(members)))?;
        let most = kept.iter().copied().max()?;
        let mean = 100 * kept.iter().sum::<usize>() / kept.len();
        (kept.len() >= FEWEST).then_some(Usual { mean, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_of_alike_batches_is_usual() {
        let (here, kind) = (ConnectionId(1), Kind::Push(Entity::Order));
        let mut samples = Samples::default();
        for requests in [4, 5, 6, 5] {
            samples.add(here, kind, 3, requests);
        }
        assert_eq!(samples.usual(here, kind, 2), None, "four say nothing");
        samples.add(here, kind, 2, 10);
        let usual = |mean, most| Some(Usual { mean, most });
        assert_eq!(samples.usual(here, kind, 3), usual(600, 10));
        assert_eq!(samples.usual(here, kind, 4), None, "another size");
        assert_eq!(samples.usual(ConnectionId(2), kind, 3), None);
        assert_eq!(samples.usual(here, Kind::Confirm, 3), None);
        let forgotten = "old ones are forgotten";
        for _ in 0..KEPT {
            samples.add(here, kind, 3, 7);
        }
        assert_eq!(samples.usual(here, kind, 3), usual(700, 7), "{forgotten}");
        let mut newer = Samples::default();
        for _ in 0..KEPT / 2 {
            newer.add(here, kind, 3, 9);
        }
        samples.extend(newer);
        assert_eq!(samples.usual(here, kind, 3), usual(800, 9));
    }
}
