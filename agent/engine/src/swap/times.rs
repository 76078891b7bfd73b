//! How long hand-overs took since the start: from a swap's commit until the new build is bound to every
//! connection, and from the third bad batch of a trial until the build before is bound again. A lane may have to wait for
//! that long and no longer: until then its batches are claimed for the build before, from then on for the new one. The
//! commit is not counted, it is one of many of the lanes' own. Must not know what is swapped.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use waybill_model::ids::{Generation, Millis};

/// Bounds by which hand-overs are counted, in milliseconds.
const BOUNDS_MS: [Millis; 9] = [1, 2, 5, 10, 25, 50, 100, 250, 1_000];
/// Builds that were taken back and whose time is told.
const KEPT: usize = 64;

/// A hand-over whose build is not bound yet.
#[derive(Debug, Clone)]
pub(crate) struct HandOver {
    pub(crate) connector: String,
    pub(crate) generation: Generation,
    pub(crate) began: Millis,
    /// Hash of the build that was taken back; `None`: a swap.
    pub(crate) left: Option<String>,
}

/// Hand-overs of one kind, counted by how long they took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandOvers {
    /// How many.
    pub count: u64,
    /// All of them together, in milliseconds.
    pub sum_ms: Millis,
    within: [u64; BOUNDS_MS.len()],
}

impl HandOvers {
    fn add(&mut self, took: Millis) {
        self.count += 1;
        self.sum_ms += took;
        for (bound, count) in BOUNDS_MS.iter().zip(&mut self.within) {
            *count += u64::from(took <= *bound);
        }
    }

    /// Bounds in milliseconds, and how many took at most so long.
    pub fn within(&self) -> impl Iterator<Item = (Millis, u64)> + '_ {
        BOUNDS_MS.into_iter().zip(self.within)
    }
}

#[derive(Default)]
struct State {
    under_way: Vec<HandOver>,
    /// The newest swap of each connector.
    newest: BTreeMap<String, (Generation, Millis)>,
    /// By hash, oldest first.
    undone: Vec<(String, Millis)>,
    swaps: HandOvers,
    undos: HandOvers,
}

#[derive(Default)]
pub(crate) struct Times(Mutex<State>);

impl Times {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is committed.
    pub(crate) fn begin(&self, hand_over: HandOver) {
        self.lock().under_way.push(hand_over);
    }

    /// Every connection is bound anew.
    pub(crate) fn bound(&self, now: Millis) {
        let mut guard = self.lock();
        let state = &mut *guard;
        for done in std::mem::take(&mut state.under_way) {
            let took = now.saturating_sub(done.began).max(0);
            match done.left {
                None => {
                    state.swaps.add(took);
                    let newest = (done.generation, took);
                    state.newest.insert(done.connector, newest);
                }
                Some(left) => {
                    state.undos.add(took);
                    if state.undone.len() == KEPT {
                        state.undone.remove(0);
                    }
                    state.undone.push((left, took));
                }
            }
        }
    }

    /// How long the swap took that brought this build to work.
    pub(crate) fn stall(&self, connector: &str, generation: Generation) -> Option<Millis> {
        let state = self.lock();
        let (of, took) = state.newest.get(connector)?;
        (*of == generation).then_some(*took)
    }

    /// How long it took to take this build back.
    pub(crate) fn undone(&self, hash: &str) -> Option<Millis> {
        let state = self.lock();
        let mut newest = state.undone.iter().rev();
        newest.find(|(of, _)| of == hash).map(|(_, took)| *took)
    }

    /// Swaps and undos since the start.
    pub(crate) fn counted(&self) -> (HandOvers, HandOvers) {
        let state = self.lock();
        (state.swaps.clone(), state.undos.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hand_over(generation: u64, began: Millis, left: Option<&str>) -> HandOver {
        HandOver {
            connector: "one".to_owned(),
            generation: Generation(generation),
            began,
            left: left.map(str::to_owned),
        }
    }

    #[test]
    fn a_swap_and_an_undo_are_timed_until_the_loop_has_bound_them() {
        let times = Times::default();
        times.bound(5);
        assert_eq!(times.counted().0.count, 0, "nothing was under way");
        times.begin(hand_over(2, 100, None));
        times.begin(hand_over(1, 40, Some("bad")));
        assert_eq!(times.stall("one", Generation(2)), None, "not bound yet");
        times.bound(107);
        times.bound(900);
        assert_eq!(times.stall("one", Generation(2)), Some(7));
        assert_eq!(
            times.stall("one", Generation(1)),
            None,
            "another build's time"
        );
        assert_eq!(times.undone("bad"), Some(67));
        let (swaps, undos) = times.counted();
        assert_eq!((swaps.count, swaps.sum_ms), (1, 7));
        let within = |all: &HandOvers, ms| all.within().find(|(bound, _)| *bound == ms);
        assert_eq!(within(&swaps, 5), Some((5, 0)));
        assert_eq!(within(&swaps, 10), Some((10, 1)));
        assert_eq!(within(&undos, 50), Some((50, 0)));
        assert_eq!(within(&undos, 100), Some((100, 1)));
    }
}
