//! Back-fill: orders from before this agent, or that a stream has lost, by date or by a pasted list.
//!
//! ```text
//! (asked for) -> Looking -> Looked -> Taking -> Done
//!                   |          |         |
//!                   +----------+---------+---> Stopped (what was taken stays)
//! ```
//!
//! One row says which orders are meant, how far the reading is and what was found. Looking reads all pages and takes
//! nothing: it counts, and keeps the first lines for a person to read. Taking reads them again from the start, since days
//! may lie between, and takes each page in the commit that moves the cursor. So a crash costs one page read twice, and what
//! a page holds is taken once: a revision that was seen is dropped as in every feed.
//!
//! Only orders that are still open are taken. One that was shipped or cancelled before this agent knew it has its sale
//! already, or never gets one.

mod run;
mod view;

pub(crate) use run::{due, run};
pub use view::{Asked, BackfillView, Line};

/// Most keys of one list.
pub(crate) const MOST_KEYS: usize = 5_000;
/// Lines kept to be read.
pub(crate) const MOST_LINES: u64 = 500;
/// Back-fills that are over and kept.
pub(crate) const KEPT: usize = 20;
