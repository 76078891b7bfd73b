//! The rows of stock as callers see them: what is held, what is taken, what should be told, and what was.
//! Owns no bytes: `levels.rs` decides where they are kept.

use serde::{Deserialize, Serialize};
use waybill_model::contract::Problem;
use waybill_model::decimal::{self, Decimal};
use waybill_model::ids::{ConnectionId, Millis, OrderId};
use waybill_model::levels::Derived;

/// Units of one item in one warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the word says it")]
pub struct Count {
    #[serde(rename = "w", alias = "warehouse")]
    pub warehouse: String,
    #[serde(rename = "u", alias = "units", with = "decimal::plain")]
    pub units: Decimal,
}

/// The newest quantities of one item on one route, in all warehouses of the receiving system. There is one for each item
/// that is sold: it is stored under short names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelRow {
    /// Where the units lie.
    #[serde(rename = "f", alias = "from")]
    pub from: ConnectionId,
    /// Who is told.
    #[serde(rename = "t", alias = "to")]
    pub to: ConnectionId,
    /// The item as the receiving system names it.
    #[serde(rename = "i", alias = "item")]
    pub item: String,
    /// Key of the item where the units lie.
    #[serde(rename = "s", alias = "source")]
    pub source: String,
    /// What the receiving system should have, by its warehouses.
    #[serde(rename = "n", alias = "wanted")]
    pub wanted: Vec<Derived>,
    /// What it has taken last; `None`: nothing, or nobody knows.
    #[serde(
        rename = "h",
        alias = "sent",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub sent: Option<Vec<Count>>,
    /// When it took that.
    #[serde(
        rename = "at",
        alias = "sent_at",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub sent_at: Option<Millis>,
    /// Why it refused these quantities; they are not sent again until they change or a person asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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

/// Levels that were sent together, until all of them are judged. There is at most one on a route. Its members are apart:
/// whether there is one is asked all the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the word says it")]
pub struct LevelBatchRow {
    pub from: ConnectionId,
    pub to: ConnectionId,
    /// Counts the batches of the agent.
    pub number: u64,
    /// `None`: the call is under way, or a crash cut it short.
    pub pending: Option<LevelPending>,
}

/// One item of a batch, and what is said of it. Kept from the first answer on, while its verdict is awaited: a batch whose
/// call was cut short is made anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the word says it")]
pub struct LevelMember {
    #[serde(rename = "i", alias = "item")]
    pub item: String,
    #[serde(rename = "n", alias = "counts")]
    pub counts: Vec<Count>,
    /// Handle of the vendor's verdict, while it is awaited.
    #[serde(
        rename = "v",
        alias = "handle",
        default,
        skip_serializing_if = "Option::is_none"
    )]
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

#[cfg(test)]
mod tests {
    use super::*;
    use waybill_model::levels::Rule;

    #[test]
    fn what_was_stored_under_long_names_is_read() {
        let long = r#"{"from":1,"to":2,"item":"TEE","source":"7","wanted":[{"warehouse":"E","on_hand":7,"taken":2,"rule":{"percent":50,"buffer":1,"cap":null},"available":{"units":1,"scale":0}}],"sent":[{"warehouse":"E","units":{"units":15,"scale":1}}],"sent_at":5,"problem":null}"#;
        let row: LevelRow = serde_json::from_str(long).unwrap();
        assert_eq!((row.from, row.to), (ConnectionId(1), ConnectionId(2)));
        assert_eq!((row.item.as_str(), row.source.as_str()), ("TEE", "7"));
        assert_eq!((row.wanted[0].on_hand, row.wanted[0].taken), (7, 2));
        assert_eq!(row.wanted[0].rule.percent, 50);
        let sent = row.sent.as_ref().map(|sent| sent[0].units);
        assert_eq!((sent, row.sent_at), (Some(Decimal::new(15, 1)), Some(5)));
        let short = r#"{"f":1,"t":2,"i":"TEE","s":"7","n":[{"w":"E","h":7,"t":2,"r":{"percent":50,"buffer":1,"cap":null},"a":1}],"h":[{"w":"E","u":{"units":15,"scale":1}}],"at":5}"#;
        assert_eq!(serde_json::to_string(&row).unwrap(), short);
        assert_eq!(serde_json::from_str::<LevelRow>(short).unwrap(), row);
    }

    #[test]
    fn what_is_nothing_is_not_stored() {
        let bare = r#"{"f":1,"t":2,"i":"TEE","s":"7","n":[{"w":"E","h":7,"a":7}]}"#;
        let row: LevelRow = serde_json::from_str(bare).unwrap();
        assert_eq!(row.wanted[0].rule, Rule::default());
        assert_eq!((row.wanted[0].taken, row.sent.clone()), (0, None));
        assert_eq!(serde_json::to_string(&row).unwrap(), bare);
    }
}
