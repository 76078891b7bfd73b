//! The rows of stock as callers see them: what is held, what is taken, what should be told, and what was.
//! Owns no bytes: `levels.rs` decides where they are kept.

use serde::{Deserialize, Serialize};
use waybill_model::contract::Problem;
use waybill_model::decimal::Decimal;
use waybill_model::ids::{ConnectionId, Millis, OrderId};
use waybill_model::levels::Derived;

/// Units of one item in one warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the word says it")]
pub struct Count {
    pub warehouse: String,
    pub units: Decimal,
}

/// The newest quantities of one item on one route, in all warehouses of the receiving system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelRow {
    /// Where the units lie.
    pub from: ConnectionId,
    /// Who is told.
    pub to: ConnectionId,
    /// The item as the receiving system names it.
    pub item: String,
    /// Key of the item where the units lie.
    pub source: String,
    /// What the receiving system should have, by its warehouses.
    pub wanted: Vec<Derived>,
    /// What it has taken last; `None`: nothing, or nobody knows.
    pub sent: Option<Vec<Count>>,
    /// When it took that.
    pub sent_at: Option<Millis>,
    /// Why it refused these quantities; they are not sent again until they change or a person asks.
    pub problem: Option<Problem>,
    /// It has changed its number by itself since, or may have: an order took units or was cancelled. So it is told again,
    /// even what it was told before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubted: bool,
}

impl LevelRow {
    /// The wanted units of each warehouse.
    pub fn counts(&self) -> Vec<Count> {
        let counts = self.wanted.iter();
        counts
            .map(|d| Count {
                warehouse: d.warehouse.clone(),
                units: d.available,
            })
            .collect()
    }

    /// Whether the receiving system has something else than it should.
    pub fn is_dirty(&self) -> bool {
        self.problem.is_none() && (self.doubted || self.differs())
    }

    fn differs(&self) -> bool {
        self.sent.as_ref().is_none_or(|sent| {
            let same =
                |(s, w): (&Count, &Derived)| s.warehouse == w.warehouse && s.units == w.available;
            sent.len() != self.wanted.len() || !sent.iter().zip(&self.wanted).all(same)
        })
    }
}

/// What a system said last of the units it holds of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnHandRow {
    /// By its warehouses; one that is not named holds none.
    pub counts: Vec<Count>,
    /// When it said so.
    pub at: Millis,
}

/// Units that an open order takes of one item and that its system has not set aside yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenRow {
    /// The order.
    pub order: OrderId,
    /// The receiving system's warehouse, where the order names one.
    pub warehouse: Option<String>,
    /// So many.
    pub units: Decimal,
    /// They became fewer, and the system has not said yet what it holds since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fewer: Option<Fewer>,
}

/// Units that an order takes less, since its system set them aside or sent them off. They count until the system has said
/// what it holds after that: what it said before does not know of it, and they would be offered twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fewer {
    /// So many are left.
    pub units: Decimal,
    /// Since then.
    pub since: Millis,
}

/// Levels that were sent together, until all of them are judged. There is at most one on a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the word says it")]
pub struct LevelBatchRow {
    pub from: ConnectionId,
    pub to: ConnectionId,
    /// Counts the batches of the agent.
    pub number: u64,
    pub members: Vec<LevelMember>,
    /// `None`: the call is under way, or a crash cut it short.
    pub pending: Option<LevelPending>,
}

/// One item of a batch, and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the word says it")]
pub struct LevelMember {
    pub item: String,
    pub counts: Vec<Count>,
    /// Handle of the vendor's verdict, while it is awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
}

/// When the vendor is asked what became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the word says it")]
pub struct LevelPending {
    pub due: Millis,
    pub asked: u32,
}

/// Which levels of a route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LevelList {
    /// All.
    #[default]
    All,
    /// The receiving system has something else.
    Waiting,
    /// It refused them.
    Refused,
}
