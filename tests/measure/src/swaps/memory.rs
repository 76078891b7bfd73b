//! The agent's memory while it works, and whether it grows. Must not know what the agent does meanwhile.

use super::town::Town;
use crate::figures::{aimed, mib, plain};
use crate::process;
use std::time::Duration;

/// Between two looks.
const BEAT: Duration = Duration::from_secs(10);
const MINUTE: usize = 6;
/// After so many minutes memory must be flat.
const FILLED: usize = 10;
/// So many minutes are taken together.
const SPAN: usize = 5;
/// Most growth since, in thousandths.
const GROWTH: u64 = 50;

/// What the agent had in memory, look by look.
#[derive(Debug, Default)]
pub(super) struct Memory(Vec<u64>);

/// Looks until the town is closed.
pub(super) async fn watch(id: u32, town: &Town) -> anyhow::Result<Memory> {
    let mut seen = Memory::default();
    while !town.is_closed() {
        seen.0.push(process::memory(id)?.resident);
        for _ in 0..BEAT.as_secs() {
            if town.is_closed() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    Ok(seen)
}

fn middle(part: &[u64]) -> u64 {
    let mut sorted = part.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

impl Memory {
    /// A line of the table, and whether its bar was met. A short run has none.
    pub(super) fn line(&self) -> (String, bool) {
        let span = SPAN * MINUTE;
        let filled = FILLED * MINUTE;
        let last = self.0.len().saturating_sub(span);
        let late = middle(self.0.get(last..).unwrap_or_default());
        if last < filled {
            return (plain("memory at the end", &mib(late)), true);
        }
        let early = middle(self.0.get(filled - span..filled).unwrap_or_default());
        let growth = late.saturating_sub(early) * 1_000 / early.max(1);
        let met = growth <= GROWTH;
        let shown = format!(
            "{} then {}: {}.{} %",
            mib(early),
            mib(late),
            growth / 10,
            growth % 10
        );
        let name = "memory after ten minutes, and at the end";
        (aimed(name, &shown, "5 %", met), met)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_counts_from_the_tenth_minute_on() {
        let minutes = |of: &[u64]| Memory(of.iter().flat_map(|n| [*n << 20; MINUTE]).collect());
        let filling: Vec<u64> = (1..=10).chain([10; 20]).collect();
        let (line, met) = minutes(&filling).line();
        assert!(!met, "8 to 10 MiB: {line}");
        let flat: Vec<u64> = [1, 2, 3, 4].into_iter().chain([10; 26]).collect();
        assert!(minutes(&flat).line().1);
        assert!(minutes(&[5, 9, 20]).line().1, "too short to tell");
    }
}
