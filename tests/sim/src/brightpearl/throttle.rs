//! Owns the request pools: a fixed window of sixty seconds each, opened by its first request. It must not know who may
//! call, only which pool pays.

use std::collections::BTreeMap;

/// Length of a window.
pub(super) const WINDOW_MS: i64 = 60_000;

/// What the headers tell after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    pub(super) remaining: u32,
    pub(super) next_ms: i64,
    pub(super) refused: bool,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    start: i64,
    used: u32,
}

/// Another app of the account that spends requests all the time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Burn {
    /// Requests a minute; 0 when there is no such app.
    pub(super) per_minute: i64,
    /// Up to when they are spent.
    spent_until: i64,
}

impl Burn {
    /// Requests it has made since the last look, spread evenly.
    pub(super) fn due(&mut self, now: i64) -> u32 {
        if self.per_minute <= 0 {
            self.spent_until = now;
            return 0;
        }
        // The first look after it was switched on, or after a clock that was moved far: nothing to catch up with.
        if self.spent_until == 0 || now - self.spent_until > WINDOW_MS {
            self.spent_until = now;
        }
        let count = (now - self.spent_until).max(0) * self.per_minute / WINDOW_MS;
        if count > 0 {
            self.spent_until += count * WINDOW_MS / self.per_minute;
        }
        u32::try_from(count).unwrap_or(0)
    }
}

/// All pools of the account.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    pools: BTreeMap<String, Window>,
}

impl Throttle {
    /// Takes one unit from a pool. With `enforced` off nothing is counted and the pool looks full.
    pub(super) fn take(&mut self, now: i64, pool: &str, cap: u32, enforced: bool) -> Quota {
        if !enforced {
            return Quota {
                remaining: cap,
                next_ms: WINDOW_MS,
                refused: false,
            };
        }
        let window = self.window(now, pool);
        let refused = window.used >= cap;
        if !refused {
            window.used += 1;
        }
        let remaining = cap.saturating_sub(window.used);
        Quota {
            remaining,
            next_ms: (window.start + WINDOW_MS - now).max(0),
            refused,
        }
    }

    /// Another app's requests, in every pool known and in those named; with a cap it is refused beyond that.
    pub(super) fn burn(&mut self, now: i64, pools: &[String], count: u32, cap: Option<u32>) {
        let mut names: Vec<String> = self.pools.keys().cloned().collect();
        names.extend(pools.iter().cloned());
        names.sort();
        names.dedup();
        for name in names {
            let window = self.window(now, &name);
            let used = window.used.saturating_add(count);
            window.used = cap.map_or(used, |cap| used.min(cap.max(window.used)));
        }
    }

    fn window(&mut self, now: i64, pool: &str) -> &mut Window {
        let fresh = Window {
            start: now,
            used: 0,
        };
        let window = self.pools.entry(pool.to_owned()).or_insert(fresh);
        if now >= window.start + WINDOW_MS || now < window.start {
            *window = fresh;
        }
        window
    }
}

#[cfg(test)]
mod tests {
    use super::{Burn, Quota, Throttle};

    #[test]
    fn a_window_counts_down_refuses_and_opens_again() {
        let mut throttle = Throttle::default();
        let quota = throttle.take(1_000, "a", 2, true);
        assert_eq!(
            quota,
            Quota {
                remaining: 1,
                next_ms: 60_000,
                refused: false
            }
        );
        assert_eq!(throttle.take(11_000, "a", 2, true).next_ms, 50_000);
        assert!(throttle.take(12_000, "a", 2, true).refused);
        assert!(!throttle.take(12_000, "b", 2, true).refused);
        assert!(!throttle.take(12_000, "a", 2, false).refused);
        assert_eq!(throttle.take(61_000, "a", 2, true).remaining, 1);
    }

    #[test]
    fn another_app_spends_evenly() {
        let mut burn = Burn::default();
        assert_eq!(burn.due(1_000), 0);
        burn.per_minute = 150;
        let total: u32 = (1..=600).map(|step| burn.due(1_000 + step * 100)).sum();
        assert_eq!(total, 150);
        let mut throttle = Throttle::default();
        throttle.burn(0, &["a".to_owned()], 500, Some(200));
        assert!(throttle.take(1, "a", 200, true).refused);
        assert_eq!(throttle.take(60_001, "a", 200, true).remaining, 199);
    }

    #[test]
    fn another_app_can_drain_the_pool() {
        let mut throttle = Throttle::default();
        throttle.burn(0, &["a".to_owned()], 5, None);
        assert!(throttle.take(1, "a", 5, true).refused);
    }
}
