//! What was seen of all builds, and the table. Must not know how it was seen.

use crate::figures::{aimed, time};
use std::collections::BTreeMap;
use std::time::Duration;
use waybill_builds::Kind;

/// Longest a good swap may keep a lane waiting, in all but one of a hundred.
const STALL: Duration = Duration::from_millis(100);
/// Longest a bad build may stay after its third bad batch.
const UNDO: Duration = Duration::from_secs(5);

/// What became of builds of one kind.
#[derive(Debug, Default)]
struct Ended {
    count: u32,
    /// From the third bad batch on; empty where it never got that far.
    undone: Vec<Duration>,
    /// As the agent said it, the last time.
    words: String,
}

/// What became of all builds.
#[derive(Debug, Default)]
pub(super) struct Seen {
    swaps: Vec<Duration>,
    bad: BTreeMap<Kind, Ended>,
    /// Tests that a vendor's failure ended.
    pub(super) tested_again: u32,
    /// What came out otherwise, in words.
    pub(super) failed: Vec<String>,
}

/// The place of `per_mille` in a sorted row.
fn at(sorted: &[Duration], per_mille: usize) -> Duration {
    let place = (sorted.len() * per_mille / 1_000).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or_default()
}

impl Seen {
    pub(super) fn swapped(&mut self, took: Duration) {
        self.swaps.push(took);
    }

    pub(super) fn undone(&mut self, kind: Kind, took: Duration, reason: &str) {
        let ended = self.bad.entry(kind).or_default();
        ended.count += 1;
        ended.undone.push(took);
        reason.clone_into(&mut ended.words);
    }

    pub(super) fn refused(&mut self, kind: Kind, reason: &str, hint: &str) {
        let ended = self.bad.entry(kind).or_default();
        ended.count += 1;
        ended.words = format!("{reason}; {hint}");
    }

    pub(super) fn join(mut self, other: Self) -> Self {
        self.swaps.extend(other.swaps);
        self.tested_again += other.tested_again;
        self.failed.extend(other.failed);
        for (kind, more) in other.bad {
            let ended = self.bad.entry(kind).or_default();
            ended.count += more.count;
            ended.undone.extend(more.undone);
            ended.words = more.words;
        }
        self
    }

    /// Lines of the table, each with whether its bar was met.
    pub(super) fn lines(&self, good: u32, bad: u32) -> Vec<(String, bool)> {
        let mut lines = Vec::new();
        let mut line = |name: &str, measured: &str, target: &str, met: bool| {
            lines.push((aimed(name, measured, target, met), met));
        };
        let mut swaps = self.swaps.clone();
        swaps.sort_unstable();
        let accepted = swaps.len() >= good as usize;
        line(
            "good swaps of both connectors",
            &format!("{} (tested again: {})", swaps.len(), self.tested_again),
            &good.to_string(),
            accepted,
        );
        let p99 = at(&swaps, 990);
        line(
            "a lane waits for one (p50, p99, longest)",
            &format!(
                "{}, {}, {}",
                time(at(&swaps, 500)),
                time(p99),
                time(at(&swaps, 1_000))
            ),
            &time(STALL),
            p99 <= STALL && accepted,
        );
        for kind in Kind::BAD {
            let none = Ended::default();
            let ended = self.bad.get(&kind).unwrap_or(&none);
            let enough = ended.count >= bad;
            let mut undone = ended.undone.clone();
            undone.sort_unstable();
            let worst = at(&undone, 1_000);
            let (measured, target) = if matches!(kind, Kind::Trap | Kind::Loop | Kind::Twice) {
                let median = time(at(&undone, 500));
                let words = format!(
                    "{} undone, p50 {median}, longest {}",
                    ended.count,
                    time(worst)
                );
                (words, format!("{bad}, {}", time(UNDO)))
            } else {
                let words = if kind == Kind::Host {
                    "waited"
                } else {
                    "refused"
                };
                (format!("{} {words}", ended.count), bad.to_string())
            };
            line(kind.words(), &measured, &target, enough && worst <= UNDO);
        }
        let failed = self.failed.len();
        line(
            "builds that came out otherwise",
            &failed.to_string(),
            "0",
            failed == 0,
        );
        lines
    }

    /// What the agent said of bad builds, the last one of each kind.
    pub(super) fn words(&self) -> Vec<String> {
        let each = self.bad.iter();
        each.map(|(kind, ended)| format!("  {}: {}", kind.words(), ended.words))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        let mut seen = Seen::default();
        for ms in 1..=200 {
            seen.swapped(Duration::from_millis(ms / 2));
        }
        for kind in Kind::BAD {
            for _ in 0..3 {
                match kind {
                    Kind::Trap | Kind::Loop | Kind::Twice => {
                        seen.undone(kind, Duration::from_secs(1), "why");
                    }
                    _ => seen.refused(kind, "why", "what to do"),
                }
            }
        }
        seen
    }

    #[test]
    fn every_bar_can_be_missed() {
        let lines = |seen: &Seen| seen.lines(200, 3);
        let missed = |seen: &Seen| lines(seen).iter().filter(|(_, met)| !met).count();
        assert_eq!(missed(&seen()), 0, "{:#?}", lines(&seen()));
        let mut few = seen();
        few.swaps.pop();
        assert!(missed(&few) > 0);
        let mut slow = seen();
        for _ in 0..3 {
            slow.swapped(Duration::from_millis(101));
        }
        assert_eq!(missed(&slow), 1);
        let mut late = seen();
        late.undone(Kind::Loop, Duration::from_millis(5_001), "why");
        assert_eq!(missed(&late), 1);
        let mut absent = seen();
        absent.bad.remove(&Kind::Half);
        assert_eq!(missed(&absent), 1);
        let mut odd = seen();
        odd.failed.push("a good build was taken back".to_owned());
        assert_eq!(missed(&odd), 1);
    }
}
