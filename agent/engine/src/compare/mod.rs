//! The nightly comparison: what both sides list of the last days is held against what is stored here. Feeds bring changes;
//! what a feed has lost, a listing still has.
//!
//! ```text
//! (the hour, or a person) -> one listing after the other, page by page -> report
//!   network: its orders, the invoices it confirmed | ERP: its sales, its goods-out notes, its invoices
//! ```
//!
//! | found | then |
//! | --- | --- |
//! | an open order that is missing here | it is taken, as a back-fill does |
//! | a newer revision of an order, a note or an invoice | it is taken, as its feed would have |
//! | a note or an invoice of ours that is missing here | it is taken, and goes its way |
//! | an order that is over and was never here | counted: it had its sale before, or never gets one |
//! | the network shows other units, no acknowledgement, or no such invoice, than it confirmed | a card of the document (`card.rs`), and a line of the report |
//! | a sale for one of the retailers that belongs to no order here | a line of the report; nothing is done with it |
//! | a listing that cannot be read | an alarm until a comparison reads it |
//!
//! It goes back to the day its connection was made at most: what was there before is a back-fill's, which a person looks at.
//!
//! Where the comparison stands is one row, moved in the commit that takes the page: a crash costs a page that is read
//! twice, and what it holds is taken once. A page that was read before a feed's newer one changes nothing: a document is only
//! taken where it is newer than what is stored. It spends calls as the catalogue does, after everything else, and only
//! while the flow concerned runs. Nothing is sent by it; what it takes is sent by its flow.

pub(crate) mod card;
mod confirmed;
mod judge;
mod run;
mod steps;
mod view;

pub(crate) use run::{due, run};
pub(crate) use view::alarm;
pub use view::{ComparisonView, ComparisonsView, DifferenceView};

use serde::{Deserialize, Serialize};
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis, OrderId};
use waybill_store::{Read, StoreError, Tx};

/// Reports that are kept.
const KEPT: usize = 14;
/// Lines of a report.
const MOST_LINES: usize = 200;
const RUN: &str = "comparison/run";
const REPORTS: &str = "comparison/reports";

/// What a listing is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Purpose {
    /// Documents that a feed brings too.
    Feed,
    /// Sales, to find those that belong to no order here.
    Sales,
    /// What the receiving system confirmed, asked for by its keys.
    Confirmed,
}

/// One listing of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    connection: ConnectionId,
    entity: Entity,
    purpose: Purpose,
}

/// What a line of a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// It was put right by taking the document.
    Repaired,
    /// Both sides differ: a card.
    Differs,
    /// A sale that belongs to no order here.
    Unknown,
    /// The system cannot list that.
    NotListed,
    /// The listing could not be read this time.
    NotCompared,
}

/// What a document led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    finding: Finding,
    /// Of the document.
    connection: ConnectionId,
    entity: Entity,
    key: String,
    /// The order, where it is known.
    order: Option<u64>,
    text: String,
}

/// A comparison, while it runs and afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Comparison {
    id: u64,
    who: String,
    began: Millis,
    /// Documents from then on.
    from: Millis,
    ended: Option<Millis>,
    /// What is left, the first under way.
    steps: Vec<Step>,
    cursor: Option<Vec<u8>>,
    /// Documents that were listed; of them those both sides have alike, and those that were taken.
    seen: u64,
    equal: u64,
    taken: u64,
    /// Orders that are over and were never here.
    over: u64,
    /// Documents with a card.
    differs: u64,
    /// Sales that belong to no order here.
    unknown: u64,
    /// Listings that could not be read.
    not_compared: u64,
    lines: Vec<Line>,
    failures: u32,
    next_due: Millis,
    problem: Option<String>,
}

impl Comparison {
    /// Keeps a line, up to the most there are.
    fn note(&mut self, line: Line) {
        if self.lines.len() < MOST_LINES {
            self.lines.push(line);
        }
    }

    /// A line about a document of a step.
    fn found(&mut self, step: &Step, finding: Finding, about: (&str, Option<OrderId>), text: &str) {
        let (key, order) = about;
        self.note(Line {
            finding,
            connection: step.connection,
            entity: step.entity,
            key: key.to_owned(),
            order: order.map(|id| id.0),
            text: text.to_owned(),
        });
    }
}

fn stored<T: for<'d> Deserialize<'d> + Default>(
    rows: &dyn Read,
    key: &str,
) -> Result<T, StoreError> {
    let bytes = rows.meta(key)?;
    Ok(bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default())
}

fn keep<T: Serialize>(tx: &mut Tx<'_>, key: &str, value: &T) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    tx.put_meta(key, &bytes)
}

/// The one that runs.
fn running(rows: &dyn Read) -> Result<Option<Comparison>, StoreError> {
    stored(rows, RUN)
}

/// Those that ended, newest first.
fn reports(rows: &dyn Read) -> Result<Vec<Comparison>, StoreError> {
    stored(rows, REPORTS)
}
