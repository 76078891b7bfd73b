//! One line per figure: what was measured, what was wanted. Must not know how it was measured.

use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// `12.3 MiB`.
pub(crate) fn mib(bytes: u64) -> String {
    let tenths = (bytes * 10 + MIB / 2) / MIB;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// `12.3 ms`, or seconds from one second on.
pub(crate) fn time(duration: Duration) -> String {
    if duration >= Duration::from_secs(1) {
        format!("{:.2} s", duration.as_secs_f64())
    } else {
        format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
    }
}

/// A line without a target.
pub(crate) fn plain(name: &str, measured: &str) -> String {
    format!("{name:<52} {measured}")
}

/// A line with its target.
pub(crate) fn aimed(name: &str, measured: &str, target: &str, met: bool) -> String {
    let word = if met { "ok" } else { "MISSED" };
    format!("{name:<52} {measured:<36} target {target:<10} {word}")
}

/// Bytes against a target in MiB.
pub(crate) fn size(name: &str, bytes: u64, target_mib: u64) -> String {
    let met = bytes <= target_mib * MIB;
    aimed(name, &mib(bytes), &format!("{target_mib} MiB"), met)
}

/// Several tries of one thing.
#[derive(Debug, Clone)]
pub(crate) struct Tries(Vec<Duration>);

impl Tries {
    /// In any order; at least one.
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    fn median(&self) -> Duration {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }

    fn worst(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    fn words(&self) -> String {
        format!(
            "median {}, worst {}",
            time(self.median()),
            time(self.worst())
        )
    }

    /// The line; the median is what must meet a target.
    pub(crate) fn line(&self, name: &str, target: Option<Duration>) -> String {
        match target {
            Some(target) => aimed(name, &self.words(), &time(target), self.median() <= target),
            None => plain(name, &self.words()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_decides_and_the_worst_is_shown() {
        let tries = Tries::new([90, 5000, 80, 120, 70].map(Duration::from_millis).to_vec());
        let line = tries.line("warm", Some(Duration::from_millis(300)));
        assert!(line.contains("median 90.0 ms, worst 5.00 s"), "{line}");
        assert!(line.ends_with("ok"), "{line}");
        let line = tries.line("warm", Some(Duration::from_millis(89)));
        assert!(line.ends_with("MISSED"), "{line}");
    }

    #[test]
    fn sizes_are_rounded_to_tenths() {
        assert_eq!(mib(MIB + MIB / 2), "1.5 MiB");
        assert!(size("binary", 30 * MIB, 30).ends_with("ok"));
        assert!(size("binary", 30 * MIB + 1, 30).ends_with("MISSED"));
    }
}
