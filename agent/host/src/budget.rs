//! Call limits per connection and reach entry: what was sent in the last minute and second, a reserve for what is more
//! urgent, and what the vendor itself says is left. It sends nothing and knows no URLs beyond their text.

use crate::ports::Clock;
use crate::tally::{Counts, Tally};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::Priority;

const MINUTE: Millis = 60_000;
const SECOND: Millis = 1_000;
/// Two reports about the same window differ by the network's delays.
const SAME_WINDOW: Millis = 2_000;

/// Which budget a call draws on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BudgetKey {
    /// Whose.
    pub connection: ConnectionId,
    /// The reach entry, settings filled in.
    pub reach: String,
}

/// The descriptor's limits; 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls in a minute.
    pub per_minute: u32,
    /// Calls in a second.
    pub per_second: u32,
}

/// The next call is allowed too late for this one to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call limit allows the next call in {wait_ms} ms")]
pub struct Exhausted {
    /// From now.
    pub wait_ms: u64,
    /// When.
    pub until: Millis,
}

/// What the page shows of one budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetUse {
    /// The reach entry.
    pub reach: String,
    /// Limit; 0 is none.
    pub per_minute: u32,
    /// Limit; 0 is none.
    pub per_second: u32,
    /// Calls of the last minute by priority.
    pub used: Vec<(Priority, u32)>,
    /// Calls of the minute's limit that a priority leaves to more urgent ones; none without a limit.
    pub kept: Vec<(Priority, u32)>,
    /// What the vendor says is left, while its report holds.
    pub remaining: Option<u32>,
    /// When the vendor's window starts anew.
    pub resets_at: Option<Millis>,
    /// Nobody calls before then.
    pub hold_until: Option<Millis>,
}

#[derive(Default)]
struct Bucket {
    rate: Option<Rate>,
    /// Calls of the last minute.
    sent: VecDeque<(Millis, Priority)>,
    reported: Option<Reported>,
}

#[derive(Clone, Copy)]
struct Reported {
    remaining: u32,
    until: Millis,
}

#[derive(Default)]
struct State {
    buckets: BTreeMap<BudgetKey, Bucket>,
    holds: BTreeMap<ConnectionId, Millis>,
}

/// All budgets of the agent.
pub struct Budgets {
    clock: Arc<dyn Clock>,
    /// Whatever was sent, and what became of it.
    pub(crate) tally: Tally,
    state: Mutex<State>,
}

/// How much of a limit this priority may use, in percent.
const fn share(priority: Priority) -> u64 {
    match priority {
        Priority::NearDeadline => 100,
        Priority::Order => 90,
        Priority::Stock => 70,
        Priority::Catalogue => 50,
    }
}

/// Calls of a limit that this priority may use: at least one.
fn allowance(limit: u32, priority: Priority) -> usize {
    let part = u64::from(limit) * share(priority) / 100;
    usize::try_from(part.max(1)).unwrap_or(usize::MAX)
}

/// What each priority leaves of a limit.
fn kept(limit: u32) -> Vec<(Priority, u32)> {
    let left = |p: Priority| {
        let used = u32::try_from(allowance(limit, p)).unwrap_or(limit);
        limit.saturating_sub(used)
    };
    let all = Priority::ALL.iter().map(|p| (*p, left(*p)));
    all.filter(|(_, n)| limit > 0 && *n > 0).collect()
}

impl Bucket {
    fn forget(&mut self, now: Millis) {
        while self.sent.front().is_some_and(|(at, _)| *at <= now - MINUTE) {
            self.sent.pop_front();
        }
        if self.reported.is_some_and(|r| r.until <= now) {
            self.reported = None;
        }
    }

    /// When this priority may send next; `now` or earlier: at once.
    fn next(&self, rate: Rate, priority: Priority, now: Millis) -> Millis {
        let minute = self.window(rate.per_minute, priority, MINUTE, now);
        let second = self.window(rate.per_second, priority, SECOND, now);
        let vendor = self.reported.map_or(now, |r| {
            let limit = u64::from(rate.per_minute.max(r.remaining));
            let reserve = limit * (100 - share(priority)) / 100;
            if u64::from(r.remaining) > reserve {
                now
            } else {
                r.until
            }
        });
        minute.max(second).max(vendor)
    }

    fn window(&self, limit: u32, priority: Priority, span: Millis, now: Millis) -> Millis {
        if limit == 0 {
            return now;
        }
        let allowed = allowance(limit, priority);
        let used = self.sent.iter().filter(|(at, _)| *at > now - span).count();
        if used < allowed {
            return now;
        }
        // The call whose leaving brings the count below what is allowed.
        let leaver = self.sent.len() - allowed;
        self.sent.get(leaver).map_or(now, |(at, _)| at + span)
    }
}

impl Budgets {
    /// Budgets on this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            tally: Tally::default(),
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a call is allowed and counts it; gives up at once when that is further away than `patience_ms`.
    ///
    /// # Errors
    /// When the next call is allowed too late.
    pub async fn acquire(
        &self,
        key: &BudgetKey,
        rate: Rate,
        priority: Priority,
        patience_ms: u64,
    ) -> Result<(), Exhausted> {
        let mut patience = patience_ms;
        loop {
            let Err(exhausted) = self.try_acquire(key, rate, priority) else {
                return Ok(());
            };
            if exhausted.wait_ms > patience {
                return Err(exhausted);
            }
            self.clock.sleep_ms(exhausted.wait_ms).await;
            patience -= exhausted.wait_ms;
        }
    }

    fn try_acquire(
        &self,
        key: &BudgetKey,
        rate: Rate,
        priority: Priority,
    ) -> Result<(), Exhausted> {
        let now = self.clock.now_ms();
        let mut state = self.lock();
        let held = state.holds.get(&key.connection).copied().unwrap_or(now);
        let bucket = state.buckets.entry(key.clone()).or_default();
        bucket.rate = Some(rate);
        bucket.forget(now);
        let until = bucket.next(rate, priority, now).max(held);
        if until > now {
            return Err(Exhausted {
                wait_ms: u64::try_from(until - now).unwrap_or(1),
                until,
            });
        }
        bucket.sent.push_back((now, priority));
        if let Some(reported) = &mut bucket.reported {
            reported.remaining = reported.remaining.saturating_sub(1);
        }
        Ok(())
    }

    /// Gives a call back that was not sent after all.
    pub fn refund(&self, key: &BudgetKey, priority: Priority) {
        let mut state = self.lock();
        if let Some(bucket) = state.buckets.get_mut(key) {
            if let Some(at) = bucket.sent.iter().rposition(|(_, p)| *p == priority) {
                bucket.sent.remove(at);
            }
            if let Some(reported) = &mut bucket.reported {
                reported.remaining += 1;
            }
        }
    }

    /// The vendor says how many calls are left and when its window starts anew.
    pub fn report(&self, key: &BudgetKey, remaining: u32, resets_in_ms: u32) {
        let now = self.clock.now_ms();
        let until = now + Millis::from(resets_in_ms);
        let mut state = self.lock();
        let bucket = state.buckets.entry(key.clone()).or_default();
        bucket.forget(now);
        let remaining = match bucket.reported {
            Some(old) if (old.until - until).abs() < SAME_WINDOW => old.remaining.min(remaining),
            _ => remaining,
        };
        bucket.reported = Some(Reported { remaining, until });
    }

    /// Nobody calls this connection before then.
    pub fn hold(&self, connection: ConnectionId, until: Millis) {
        let mut state = self.lock();
        let held = state.holds.entry(connection).or_insert(until);
        *held = (*held).max(until);
    }

    /// What became of a connection's calls and requests since the start.
    pub fn counts(&self, connection: ConnectionId) -> Counts {
        self.tally.of(connection)
    }

    /// What the page shows.
    pub fn snapshot(&self, connection: ConnectionId) -> Vec<BudgetUse> {
        let now = self.clock.now_ms();
        let mut state = self.lock();
        let hold_until = state.holds.get(&connection).copied().filter(|h| *h > now);
        state
            .buckets
            .iter_mut()
            .filter(|(key, _)| key.connection == connection)
            .map(|(key, bucket)| {
                bucket.forget(now);
                let count = |p: Priority| bucket.sent.iter().filter(|(_, s)| *s == p).count();
                BudgetUse {
                    reach: key.reach.clone(),
                    per_minute: bucket.rate.map_or(0, |r| r.per_minute),
                    per_second: bucket.rate.map_or(0, |r| r.per_second),
                    used: Priority::ALL
                        .iter()
                        .map(|p| (*p, u32::try_from(count(*p)).unwrap_or(u32::MAX)))
                        .filter(|(_, n)| *n > 0)
                        .collect(),
                    kept: bucket.rate.map_or_else(Vec::new, |r| kept(r.per_minute)),
                    remaining: bucket.reported.map(|r| r.remaining),
                    resets_at: bucket.reported.map(|r| r.until),
                    hold_until,
                }
            })
            .collect()
    }
}
