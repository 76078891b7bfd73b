//! Back-fills: orders from before, asked for by a person, by date or by a list. One row each, with where it stands, so that
//! it goes on after a restart. Knows no connector; what a page means is the engine's.

use crate::access::{Access, Tx};
use crate::codec::{Key, Span};
use crate::error::StoreError;
use crate::schema::Tab;
use serde::{Deserialize, Serialize};
use waybill_model::contract::Scope;
use waybill_model::ids::{ConnectionId, Millis};

/// How far a back-fill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BackfillPhase {
    /// It is looked what there is; nothing is taken.
    Looking,
    /// All was looked at: a person decides.
    Looked,
    /// What is missing is taken.
    Taking,
    /// All that was missing was taken.
    Done,
    /// A person stopped it; what was taken stays.
    Stopped,
}

impl BackfillPhase {
    /// Whether it goes on by itself.
    pub const fn is_running(self) -> bool {
        matches!(self, Self::Looking | Self::Taking)
    }
}

/// What becomes of an order that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Becomes {
    /// It is missing here and still open: it is taken.
    Taken,
    /// It is here.
    Known,
    /// It is missing here and over there, shipped or cancelled: a sale of it would be a double.
    Over,
}

/// One order that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillLine {
    /// Its key at the source.
    pub key: String,
    /// Its number, as the retailer writes it.
    pub number: String,
    /// Whose order.
    pub retailer: String,
    /// When it was placed, as far as the source says.
    pub placed_at: Option<Millis>,
    /// What becomes of it.
    pub becomes: Becomes,
}

/// How many orders were found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillCounts {
    /// Missing here and open.
    pub missing: u64,
    /// Here already.
    pub known: u64,
    /// Missing here and over.
    pub over: u64,
    /// Taken so far.
    pub taken: u64,
}

/// A back-fill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillRow {
    /// Its number; 0 for a new one.
    pub id: u64,
    /// Where it reads.
    pub connection: ConnectionId,
    /// Which orders.
    pub scope: Scope,
    /// How far it is.
    pub phase: BackfillPhase,
    /// Where the next page begins.
    pub cursor: Option<Vec<u8>>,
    /// What was found.
    pub counts: BackfillCounts,
    /// Keys and numbers of the list that were not found so far.
    pub not_found: Vec<String>,
    /// Who asked for it.
    pub who: String,
    /// When.
    pub asked_at: Millis,
    /// When it came this far.
    pub changed_at: Millis,
    /// Failures in a row.
    pub failures: u32,
    /// When it goes on.
    pub next_due: Millis,
    /// Why it waits.
    pub problem: Option<String>,
}

pub(crate) fn backfill(a: &dyn Access, id: u64) -> Result<Option<BackfillRow>, StoreError> {
    a.row(Tab::Backfills, &Key::new().u64(id).0)
}

/// All, newest first.
pub(crate) fn backfills(a: &dyn Access) -> Result<Vec<BackfillRow>, StoreError> {
    let mut rows: Vec<BackfillRow> = a.rows(Tab::Backfills, &Span::all(), usize::MAX)?;
    rows.reverse();
    Ok(rows)
}

/// The one of a connection that goes on by itself: rows may be long, and this is asked at each look.
pub(crate) fn running(
    a: &dyn Access,
    connection: ConnectionId,
) -> Result<Option<BackfillRow>, StoreError> {
    let id = a.number(Tab::Meta, &running_key(connection))?;
    Ok(id.map(|id| backfill(a, id)).transpose()?.flatten())
}

fn running_key(connection: ConnectionId) -> Vec<u8> {
    format!("backfill:{connection}").into_bytes()
}

/// Orders that were found, in the order they were read.
pub(crate) fn lines(a: &dyn Access, id: u64) -> Result<Vec<BackfillLine>, StoreError> {
    a.rows(
        Tab::BackfillLines,
        &Span::prefix(Key::new().u64(id)),
        usize::MAX,
    )
}

impl Tx<'_> {
    /// Stores a back-fill; a new one gets its number. The number. At most one of a connection goes on by itself.
    pub fn put_backfill(&mut self, row: &BackfillRow) -> Result<u64, StoreError> {
        let id = match row.id {
            0 => self.next("backfill")?,
            id => id,
        };
        let row = BackfillRow { id, ..row.clone() };
        let running = running_key(row.connection);
        if row.phase.is_running() {
            self.put_number(Tab::Meta, &running, id)?;
        } else if self.dynamic().number(Tab::Meta, &running)? == Some(id) {
            self.del(Tab::Meta, &running)?;
        }
        self.put_row(Tab::Backfills, &Key::new().u64(id).0, &row)?;
        Ok(id)
    }

    /// Keeps an order that was found.
    pub fn put_backfill_line(
        &mut self,
        id: u64,
        number: u64,
        line: &BackfillLine,
    ) -> Result<(), StoreError> {
        let key = Key::new().u64(id).u64(number);
        self.put_row(Tab::BackfillLines, &key.0, line)
    }

    /// Forgets a back-fill that does not go on.
    pub fn remove_backfill(&mut self, id: u64) -> Result<(), StoreError> {
        let lines = Span::prefix(Key::new().u64(id));
        for key in self
            .dynamic()
            .keys(Tab::BackfillLines, &lines, usize::MAX)?
        {
            self.del(Tab::BackfillLines, &key)?;
        }
        self.del(Tab::Backfills, &Key::new().u64(id).0).map(drop)
    }
}
