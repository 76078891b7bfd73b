//! Values of crosswalks that are announced: codes of a list that somebody handed over before any document came with them.
//! Some are required: whether their cells are filled is asked before anything goes live. Knows no cell.

use crate::access::{Access, Tx};
use crate::codec::Span;
use crate::crosswalk::{cell_key, pair};
use crate::error::StoreError;
use crate::rows::AnnouncedRow;
use crate::schema::Tab;
use waybill_model::ids::ConnectionId;

/// All of a table, those for all retailers first.
pub(crate) fn announced(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    table: &str,
) -> Result<Vec<AnnouncedRow>, StoreError> {
    let span = Span::prefix(pair(from, to).text(table));
    a.rows(Tab::Announced, &span, usize::MAX)
}

/// Exactly that one.
pub(crate) fn announced_row(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    table: &str,
    retailer: Option<&str>,
    value: &str,
) -> Result<Option<AnnouncedRow>, StoreError> {
    a.row(
        Tab::Announced,
        &cell_key(from, to, table, retailer, value).0,
    )
}

impl Tx<'_> {
    /// Announces a value of the way `from`, `to`, or says anew what is known of it.
    pub fn announce(
        &mut self,
        from: ConnectionId,
        to: ConnectionId,
        row: &AnnouncedRow,
    ) -> Result<(), StoreError> {
        self.at(row.at);
        let key = cell_key(from, to, &row.table, row.retailer.as_deref(), &row.value);
        self.put_row(Tab::Announced, &key.0, row)
    }

    /// Takes a value off the list.
    pub fn take_off(
        &mut self,
        from: ConnectionId,
        to: ConnectionId,
        table: &str,
        retailer: Option<&str>,
        value: &str,
    ) -> Result<(), StoreError> {
        let key = cell_key(from, to, table, retailer, value);
        self.del(Tab::Announced, &key.0).map(drop)
    }
}
