//! What people are shown of stock. Plain values in the merchant's words: no table, no row, no HTML. `show.rs` fills them.

use crate::view::Tone;
use serde::Serialize;
use waybill_model::contract::Problem;
use waybill_model::decimal::Decimal;
use waybill_model::ids::{ConnectionId, Millis, OrderId};

/// Which numbers a list shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// All.
    #[default]
    All,
    /// Those the receiving system does not have yet.
    Waiting,
    /// Those it refused.
    Refused,
}

impl Shown {
    /// Its word in an address.
    pub const fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Waiting => "waiting",
            Self::Refused => "refused",
        }
    }

    /// From its word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::All, Self::Waiting, Self::Refused]
            .into_iter()
            .find(|shown| shown.word() == word)
    }
}

/// What is asked of a list.
#[derive(Debug, Clone, Default)]
pub struct StockQuery {
    /// Who holds the units and who is told; `None`: the first route of stock.
    pub route: Option<(ConnectionId, ConnectionId)>,
    /// Which numbers.
    pub shown: Shown,
    /// Items whose id at the receiving system begins so.
    pub begins: String,
    /// Items behind that one.
    pub after: Option<String>,
    /// Most items.
    pub limit: usize,
}

/// A route of stock, as lists name it.
#[derive(Debug, Clone, Serialize)]
pub struct StockRoute {
    /// Who holds the units.
    pub from: ConnectionId,
    /// Who is told.
    pub to: ConnectionId,
    /// Its title.
    pub source: String,
    /// Its title.
    pub target: String,
}

/// A number that is counted up to a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// So many.
    pub items: usize,
    /// And perhaps more.
    pub or_more: bool,
}

/// A list of numbers on one route.
#[derive(Debug, Clone, Serialize)]
pub struct StockList {
    /// All routes of stock.
    pub routes: Vec<StockRoute>,
    /// The one that is shown; `None`: no stock goes anywhere.
    pub route: Option<StockRoute>,
    /// Whether stock is sent at all.
    pub on: bool,
    /// How sending stands, in one sentence, and its tone.
    pub sentence: (Tone, String),
    /// Items that are kept in step.
    pub all: Counted,
    /// Items whose number is not there yet.
    pub waiting: Counted,
    /// Items whose number was refused.
    pub refused: Counted,
    /// When the last full set began, and whether all of it was sent.
    pub full_set: Option<(Millis, bool)>,
    /// One line per item and warehouse.
    pub rows: Vec<StockRow>,
    /// The last item, where more follow.
    pub next: Option<String>,
}

/// One number.
#[derive(Debug, Clone, Serialize)]
pub struct StockRow {
    /// The item as the receiving system names it.
    pub item: String,
    /// Its title where the units lie.
    pub title: String,
    /// As the receiving system names it.
    pub warehouse: String,
    /// Units on hand in all warehouses that count.
    pub on_hand: i64,
    /// Of these, units of orders that nobody has set aside yet.
    pub taken: i64,
    /// What the receiving system should have.
    pub wanted: Decimal,
    /// What it has taken last.
    pub sent: Option<Decimal>,
    /// When it took that.
    pub sent_at: Option<Millis>,
    /// How it stands, in a few words.
    pub sentence: String,
    /// Its tone.
    pub tone: Tone,
    /// Why it was refused, in the receiving system's words.
    pub problem: Option<Problem>,
}

/// Why the numbers of one item are what they are.
#[derive(Debug, Clone, Serialize)]
pub struct StockItemView {
    /// The route.
    pub route: StockRoute,
    /// The item as the receiving system names it.
    pub item: String,
    /// Its title where the units lie.
    pub title: String,
    /// Its key there.
    pub key: String,
    /// One per warehouse of the receiving system.
    pub places: Vec<StockWhy>,
    /// Orders whose units nobody has set aside yet.
    pub orders: Vec<StockOrder>,
}

/// Why one number is what it is.
#[derive(Debug, Clone, Serialize)]
pub struct StockWhy {
    /// The number as lists show it.
    pub row: StockRow,
    /// From what is on hand to the number, one step each; their sum is the number.
    pub steps: Vec<StockStep>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StockStep {
    /// What it is.
    pub text: String,
    /// Where it comes from.
    pub note: String,
    /// When that became known.
    pub at: Option<Millis>,
    /// Units it adds or takes.
    pub units: i64,
}

/// An order that takes units.
#[derive(Debug, Clone, Serialize)]
pub struct StockOrder {
    /// Its id.
    pub id: OrderId,
    /// PO number.
    pub number: String,
    /// So many units of the item, or of what it is made of.
    pub units: Decimal,
    /// The receiving system's warehouse, where the order names one.
    pub warehouse: Option<String>,
    /// They are set aside or gone; what is on hand is read again first.
    pub leaving: bool,
}
