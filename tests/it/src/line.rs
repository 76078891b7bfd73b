//! The line to each side: outages, the ERP's limit of calls a minute that another app uses too, and what the wire does to a
//! call. `Line` is what a scripted connector has of the host beside its ports: the budget of calls, and the store to see
//! whether the most urgent work was chosen (`urgency.rs`).

use crate::plan::Plant;
use crate::urgency::Choice;
use crate::world::{Outside, World, lock};
use std::sync::Arc;
use waybill_host::budget::{BudgetKey, Budgets, Rate};
use waybill_host::connector::Call;
use waybill_host::ports::Clock;
use waybill_model::contract::{Failure, Page};
use waybill_model::document::Entity;
use waybill_model::ids::Millis;
use waybill_store::{FeedRow, Read, Store};

/// Calls that the ERP answers in a minute.
const LIMIT: u32 = 200;
const MINUTE: Millis = 60_000;
/// A call lasts no longer, waiting included: the host's limit and its margin.
const CALL_MS: Millis = 55_000;

/// Who is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The network.
    Network,
    /// The ERP.
    Erp,
}

/// What the wire does to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Luck {
    /// Answered.
    Good,
    /// Cut before anything happened there; the caller cannot know.
    CutBefore,
    /// It happened, and the answer is lost.
    CutAfter,
    /// Provably nothing happened: a throttle that names its seconds, or nobody answers the door.
    Refused(Option<u32>),
}

impl Luck {
    /// What the caller says of it.
    pub fn failure(self) -> Failure {
        match self {
            Self::Refused(secs) => Failure::Retry(secs),
            _ => Failure::Retry(None),
        }
    }
}

/// One side cannot be reached for a while.
#[derive(Debug, Clone, Copy)]
pub struct Outage {
    /// Which.
    pub side: Side,
    /// From then.
    pub from: Millis,
    /// Until then.
    pub until: Millis,
}

/// Both lines, as they are outside.
#[derive(Debug, Default)]
pub struct Lines {
    /// Outages of the day.
    pub outages: Vec<Outage>,
    /// Calls a minute that the other app makes; 0: the ERP counts none.
    pub burnt: u32,
    /// The minute that is counted, and our calls in it.
    minute: (Millis, u32),
    /// Calls turned away.
    pub throttled: u64,
    /// Calls that met an outage.
    pub away: u64,
    /// Calls that could not take everything that was ready.
    pub choices: Vec<Choice>,
}

impl Lines {
    /// Lines with these outages, beside an app that makes so many calls a minute.
    pub fn new(outages: Vec<Outage>, burnt: u32) -> Self {
        Self {
            outages,
            burnt,
            ..Self::default()
        }
    }

    /// Calls that are left of this minute, and how long it still lasts.
    fn left(&mut self, now: Millis) -> (u32, Millis) {
        let minute = now.div_euclid(MINUTE);
        if self.minute.0 != minute {
            self.minute = (minute, 0);
        }
        // It starts early and does not stop: two thirds of its calls are made in the first half.
        let passed = now.rem_euclid(MINUTE);
        let half = MINUTE / 2;
        let early = passed.min(half) * 4 / 3 + (passed - half).max(0) * 2 / 3;
        let theirs = i64::from(self.burnt) * early / MINUTE;
        let used = self.minute.1 + u32::try_from(theirs).unwrap_or(0);
        (LIMIT.saturating_sub(used), MINUTE - passed)
    }

    fn is_away(&self, side: Side, now: Millis) -> bool {
        let mut outages = self.outages.iter();
        outages.any(|o| o.side == side && o.from <= now && now < o.until)
    }
}

impl Outside {
    /// Whether this side can be reached.
    pub fn is_away(&self, side: Side, now: Millis) -> bool {
        self.lines.is_away(side, now)
    }

    /// Whether an outage is still to come or to end.
    pub fn awaits_outage(&self, now: Millis) -> bool {
        self.lines.outages.iter().any(|o| o.until > now)
    }

    /// What happens to the next call.
    pub fn meet(&mut self, side: Side, now: Millis) -> Luck {
        if self.lines.is_away(side, now) {
            self.lines.away += 1;
            return match self.chance.below(3) {
                0 => Luck::CutBefore,
                _ => Luck::Refused(None),
            };
        }
        if side == Side::Erp && self.lines.burnt > 0 {
            let (left, lasts) = self.lines.left(now);
            if left == 0 {
                self.lines.throttled += 1;
                let secs = u32::try_from(lasts.div_euclid(1_000) + 1).unwrap_or(1);
                return Luck::Refused(Some(secs));
            }
            self.lines.minute.1 += 1;
        }
        if !self.chance.per_mille(self.faults) {
            return Luck::Good;
        }
        match self.chance.below(3) {
            0 => Luck::CutBefore,
            1 => Luck::CutAfter,
            _ => Luck::Refused(Some(1)),
        }
    }
}

/// What a scripted connector has of the host.
#[derive(Clone)]
pub struct Line {
    /// Who is called over it.
    pub side: Side,
    /// The outside.
    pub world: World,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The host's own budgets: they live as long as the process.
    pub budgets: Arc<Budgets>,
    /// The agent's database.
    pub store: Store,
    /// A bug planted on purpose.
    pub plant: Option<Plant>,
}

impl Line {
    /// Waits for a place in the budget of calls, as the host does before it begins an effect. `since`: the call's start.
    /// False: it came too late for this call.
    pub async fn place(&self, call: &Call, since: Millis) -> bool {
        if self.side == Side::Network || lock(&self.world).lines.burnt == 0 {
            return true;
        }
        let rate = Rate {
            per_minute: LIMIT,
            per_second: 0,
        };
        let patience = (since + CALL_MS - self.clock.now_ms()).max(0);
        let patience = u64::try_from(patience).unwrap_or(0);
        let key = Self::key(call);
        let placed = self.budgets.acquire(&key, rate, call.priority, patience);
        placed.await.is_ok()
    }

    fn key(call: &Call) -> BudgetKey {
        BudgetKey {
            connection: call.connection,
            reach: "erp".to_owned(),
        }
    }

    /// One request: some time passes, and then the wire decides. What is left of the limit is reported, as vendors do.
    pub async fn send(&self, call: &Call, ms: u64) -> Luck {
        self.clock.sleep_ms(ms).await;
        let now = self.clock.now_ms();
        let mut world = lock(&self.world);
        let luck = world.meet(self.side, now);
        if self.side == Side::Erp && world.lines.burnt > 0 && !world.is_away(self.side, now) {
            let (left, lasts) = world.lines.left(now);
            let lasts = u32::try_from(lasts).unwrap_or(1_000);
            self.budgets.report(&Self::key(call), left, lasts);
        }
        luck
    }

    /// Place and request in one, for what has no effect.
    pub async fn ask(&self, call: &Call, ms: u64) -> Result<(), Failure> {
        if !self.place(call, self.clock.now_ms()).await {
            return Err(Failure::Retry(None));
        }
        match self.send(call, ms).await {
            Luck::Good => Ok(()),
            luck => Err(luck.failure()),
        }
    }

    /// A page is on its way. With a bug planted on purpose, the place behind it is stored first, and a crash meanwhile
    /// loses what lies on it.
    pub async fn told(&self, call: &Call, entity: Entity, page: &Page) {
        if self.plant == Some(Plant::CursorFirst) {
            let (connection, cursor) = (call.connection, page.cursor.clone());
            let stored = self.store.write_blocking(move |tx| {
                let Some(feed) = tx.feed(connection, entity)? else {
                    return Ok(());
                };
                tx.put_feed(&FeedRow {
                    cursor: Some(cursor.clone()),
                    ..feed
                })
            });
            // A disk that fails now ends this life.
            drop(stored);
        }
        self.clock.sleep_ms(20).await;
    }
}
