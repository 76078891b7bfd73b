//! A build on trial: what is counted of it, held against the build before, and when that is enough. Pure.

use super::samples::{Kind, Usual};
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::ids::{Generation, Millis};

/// So many batches without a problem end a trial.
pub(crate) const GOOD_MOST: u32 = 20;
/// So many bad ones undo it.
pub(crate) const BAD_MOST: usize = 3;
/// A trial takes at least so long: a busy agent has twenty batches in less than a second, of two or three kinds.
const SHORTEST_MS: Millis = 5_000;
/// And so long while few of them are of a kind and size that the build before had.
const SHORT_MS: Millis = 30_000;
/// A trial ends then at the latest.
pub(crate) const TRIAL_MS: Millis = 600_000;

/// A build on trial.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) generation: Generation,
    /// The build before it, whose calls its own are held against.
    pub(super) before: Generation,
    pub(crate) since: Millis,
    pub(crate) good: u32,
    pub(crate) bad: Vec<String>,
    /// When the last bad one came that it takes to undo it.
    pub(crate) found_out: Option<Millis>,
    /// Bad ones that are stored.
    pub(super) told: usize,
    /// Kinds whose newest batch was bad. What could not be done was done by the build before, so that nobody tries it again:
    /// the trial goes on until a batch of that kind shows which it is.
    owed: BTreeSet<String>,
    /// Batches in a row of each kind that cost twice as much as usual, and more than any before; `None`: the row ended.
    dear: BTreeMap<Kind, Option<usize>>,
    /// What all of them cost together.
    sum: Sum,
}

/// Requests of all batches that can be compared: one number that falls by about half a batch with each batch of a build
/// that makes as many requests as the one before, and rises by as much with one that makes twice as many. So chance does
/// not carry it far up, however much single batches differ, and twice the requests do, however few they are.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    batches: usize,
    requests: usize,
    /// What the build before usually makes for the same, in hundredths.
    usual: usize,
    /// In hundredths of a batch.
    excess: i64,
}

impl Sum {
    /// Of fewer batches chance decides.
    const BATCHES: usize = 10;
    /// So far up is no chance.
    const DEAR: i64 = 800;
    /// A vendor's bad minute makes single batches dear: none counts for more than so many.
    const MOST: i64 = 300;

    fn add(&mut self, usual: usize, requests: usize) {
        self.batches += 1;
        self.requests += requests;
        self.usual += usual;
        let times = i64::try_from(requests * 10_000 / usual.max(100)).unwrap_or(i64::MAX);
        self.excess += times.min(Self::MOST) - 150;
    }

    const fn is_dear(&self) -> bool {
        self.batches >= Self::BATCHES && self.excess >= Self::DEAR
    }

    /// The next ones decide.
    const fn is_suspected(&self) -> bool {
        2 * self.batches >= Self::BATCHES && self.excess >= 0
    }
}

impl Live {
    /// It begins, or goes on after a start with what was bad before.
    pub(super) fn new(
        generation: Generation,
        before: Generation,
        since: Millis,
        bad: Vec<String>,
    ) -> Self {
        Self {
            generation,
            before,
            since,
            good: 0,
            told: bad.len(),
            owed: bad
                .iter()
                .filter_map(|bad| Some(bad.split_once(": ")?.0.to_owned()))
                .collect(),
            bad,
            found_out: None,
            dear: BTreeMap::new(),
            sum: Sum::default(),
        }
    }

    /// A bad batch.
    pub(super) fn blame(&mut self, kind: Kind, bad: String) {
        self.bad.push(bad);
        self.owed.insert(kind.to_string());
    }

    /// A call that came out well; `counts`: as a batch.
    pub(super) fn praise(&mut self, kind: Kind, counts: bool) {
        self.owed.remove(&kind.to_string());
        if counts {
            self.good = self.good.saturating_add(1);
        }
    }

    /// Whether it has something to be judged.
    pub(super) fn is_due(&self, now: Millis) -> bool {
        self.bad.len() > self.told || self.is_over(now)
    }

    /// Whether it lasted long enough. Not while a kind of batches is suspected: the next ones decide.
    pub(crate) fn is_over(&self, now: Millis) -> bool {
        now >= self.ends_at()
    }

    /// Batches that were held against those of the build before.
    pub(crate) const fn compared(&self) -> usize {
        self.sum.batches
    }

    /// When it ends at the latest, as it stands.
    pub(super) fn ends_at(&self) -> Millis {
        if !self.owed.is_empty() {
            return Millis::MAX;
        }
        let is_suspected = self.dear.values().any(Option::is_some) || self.sum.is_suspected();
        if self.good < GOOD_MOST || is_suspected {
            self.since + TRIAL_MS
        } else if self.sum.batches < Sum::BATCHES {
            // Too few were held against the build before: more may come.
            self.since + SHORT_MS
        } else {
            self.since + SHORTEST_MS
        }
    }

    /// Batches of a kind from the first on that cost twice as much as usual, and more than any before, were bad. Where
    /// batches of a kind differ too much for that, what all kinds cost together tells.
    pub(super) fn hold_against(&mut self, kind: Kind, usual: Usual, requests: usize) {
        if self.bad.len() >= BAD_MOST {
            return;
        }
        // What costs nothing, costs nothing twice.
        if usual.mean > 0 {
            self.sum.add(usual.mean, requests);
        }
        let is_dear = 100 * requests >= 2 * usual.mean.max(100) && requests > usual.most;
        let row = self.dear.entry(kind).or_insert(Some(0));
        *row = row.filter(|_| is_dear).map(|row| row + 1);
        let bad = if *row >= Some(BAD_MOST) {
            format!("{kind}: {requests} requests, before {} at most", usual.most)
        } else if self.sum.is_dear() {
            let Sum {
                batches,
                requests,
                usual,
                ..
            } = self.sum;
            let usual = usual.div_ceil(100);
            format!("{batches} batches: {requests} requests, before {usual}")
        } else {
            return;
        };
        self.bad.extend(std::iter::repeat_n(bad, BAD_MOST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waybill_model::document::Entity;

    fn live(good: u32) -> Live {
        Live {
            good,
            ..Live::new(Generation(2), Generation(1), 1_000, Vec::new())
        }
    }

    const fn usual(mean: usize, most: usize) -> Usual {
        Usual { mean, most }
    }

    #[test]
    fn twice_the_requests_are_found_among_batches_that_differ_much() {
        // Of one kind and size, as the build before makes them.
        let made = [2, 7, 4, 3, 6, 4, 2, 8, 3, 5, 4, 2, 6];
        let (kind, usual) = (Kind::Fetch(Entity::Shipment), usual(430, 8));
        let mut good = live(GOOD_MOST);
        for requests in made {
            good.hold_against(kind, usual, requests);
        }
        assert_eq!(good.bad, Vec::<String>::new());
        assert!(good.is_over(1_000 + SHORTEST_MS));
        let mut twice = live(GOOD_MOST);
        for requests in made.into_iter().chain(made) {
            assert!(!twice.is_over(1_000 + SHORTEST_MS) || twice.sum.batches < 5);
            twice.hold_against(kind, usual, 2 * requests);
            twice.hold_against(Kind::Receive, self::usual(0, 0), 0);
            if !twice.bad.is_empty() {
                break;
            }
        }
        assert_eq!(twice.bad.len(), BAD_MOST);
        assert!(twice.bad[0].contains("batches: "), "{:?}", twice.bad);
        // A bad minute is not held against anybody.
        let mut unlucky = live(GOOD_MOST);
        for _ in 0..2 {
            unlucky.hold_against(kind, usual, 400);
        }
        for requests in made {
            unlucky.hold_against(kind, usual, requests);
        }
        assert_eq!(unlucky.bad, Vec::<String>::new());
    }

    #[test]
    fn a_good_build_whose_batches_cost_one_or_four_is_kept() {
        // Every third batch has to look something up: 2 on average.
        let mut dice: u64 = 7;
        for build in 0..2_000 {
            let mut good = live(GOOD_MOST);
            for _ in 0..60 {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let requests = if (dice >> 33).is_multiple_of(3) { 4 } else { 1 };
                good.hold_against(Kind::Push(Entity::Order), usual(200, 4), requests);
            }
            assert_eq!(good.bad, Vec::<String>::new(), "build {build}");
        }
    }

    #[test]
    fn a_trial_does_not_end_while_the_newest_batch_of_a_kind_was_bad() {
        let (pushes, pulls) = (Kind::Push(Entity::Order), Kind::Pull(Entity::Order));
        let mut trial = live(GOOD_MOST);
        trial.blame(pushes, format!("{pushes}: it stopped"));
        trial.praise(pulls, true);
        assert!(!trial.is_over(1_000 + TRIAL_MS));
        // Nor after a start.
        let (before, since) = (Generation(1), 1_000);
        let mut started = Live::new(Generation(2), before, since, trial.bad.clone());
        assert!(!started.is_over(1_000 + TRIAL_MS));
        for trial in [&mut trial, &mut started] {
            trial.praise(pushes, true);
            assert!(trial.is_over(1_000 + TRIAL_MS));
        }
    }

    #[test]
    fn a_trial_takes_five_seconds_and_does_not_end_while_a_kind_is_suspected() {
        let mut trial = live(GOOD_MOST);
        trial.sum.batches = Sum::BATCHES;
        trial.sum.excess = -500;
        assert!(!trial.is_over(1_000 + SHORTEST_MS - 1));
        assert!(trial.is_over(1_000 + SHORTEST_MS));
        assert!(!live(GOOD_MOST - 1).is_over(1_000 + SHORT_MS));
        let incomparable = live(GOOD_MOST);
        assert!(!incomparable.is_over(1_000 + SHORTEST_MS));
        assert!(incomparable.is_over(1_000 + SHORT_MS));
        trial.hold_against(Kind::Confirm, usual(200, 2), 4);
        assert!(!trial.is_over(1_000 + SHORT_MS), "the next ones decide");
        assert!(trial.is_over(1_000 + TRIAL_MS));
        trial.hold_against(Kind::Confirm, usual(200, 2), 3);
        assert!(trial.is_over(1_000 + SHORTEST_MS), "it was a bad minute");
        for _ in 0..BAD_MOST {
            trial.hold_against(Kind::Receive, usual(100, 1), 2);
        }
        assert_eq!(trial.bad.len(), BAD_MOST);
    }
}
