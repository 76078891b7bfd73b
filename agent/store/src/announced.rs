//! Values of crosswalks that are announced: codes of a list that somebody handed over before any document came with them.
//! Some are required: whether their cells are filled is asked before anything goes live. Knows no cell.

use crate::access::{Access, Tx};
use crate::codec::{Key, Span};
use crate::error::StoreError;
use crate::rows::AnnouncedRow;
use crate::schema::Tab;
use waybill_model::ids::ConnectionId;

fn table_key(from: ConnectionId, to: ConnectionId, table: &str) -> Key {
    Key::new().u32(from.0).u32(to.0).text(table)
}

fn key(
    (from, to): (ConnectionId, ConnectionId),
    table: &str,
    retailer: Option<&str>,
    value: &str,
) -> Key {
    table_key(from, to, table)
        .text_or_none(retailer)
        .text(value)
}

/// All of a table, those for all retailers first.
pub(crate) fn announced(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    table: &str,
) -> Result<Vec<AnnouncedRow>, StoreError> {
    let span = Span::prefix(table_key(from, to, table));
    a.rows(Tab::Announced, &span, usize::MAX)
}

/// Exactly that one.
pub(crate) fn announced_row(
    a: &dyn Access,
    way: (ConnectionId, ConnectionId),
    table: &str,
    retailer: Option<&str>,
    value: &str,
) -> Result<Option<AnnouncedRow>, StoreError> {
    a.row(Tab::Announced, &key(way, table, retailer, value).0)
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
        let key = key((from, to), &row.table, row.retailer.as_deref(), &row.value);
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
        let key = key((from, to), table, retailer, value);
        self.del(Tab::Announced, &key.0).map(drop)
    }
}
