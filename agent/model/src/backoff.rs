//! When to try again: exponential with full jitter, so that a thousand jobs that failed together do not come back together.

use crate::ids::Millis;

/// Base, cap and growth of a back-off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Upper bound of the first wait, in milliseconds.
    pub base_ms: u32,
    /// Upper bound of every wait, in milliseconds.
    pub cap_ms: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base_ms: 1_000,
            cap_ms: 300_000,
        }
    }
}

impl Backoff {
    /// The wait before attempt `attempt + 1`; `attempt` counts from 1, `random` is uniform over `u64`.
    /// At least a quarter of the bound, so that a wait is never nought.
    pub fn wait_ms(self, attempt: u32, random: u64) -> Millis {
        let bound = u64::from(self.base_ms)
            .saturating_mul(1_u64 << attempt.saturating_sub(1).min(20))
            .min(u64::from(self.cap_ms))
            .max(4);
        let floor = bound / 4;
        Millis::try_from(floor + random % (bound - floor + 1)).unwrap_or(Millis::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_never_vanish() {
        let backoff = Backoff {
            base_ms: 1000,
            cap_ms: 8000,
        };
        for attempt in 1..40 {
            for random in [0, 1, u64::MAX / 2, u64::MAX] {
                let wait = backoff.wait_ms(attempt, random);
                let bound = 1000_i64.saturating_mul(1 << (attempt - 1).min(3));
                assert!(
                    wait >= bound / 4 && wait <= bound,
                    "{attempt} {random} {wait}"
                );
            }
        }
    }
}
