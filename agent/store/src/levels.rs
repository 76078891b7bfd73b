//! Levels: the newest quantity of each item and warehouse of a route, what was sent, and whether they differ.
//! Never a queue: a newer quantity takes the place of the older one.

use crate::access::{Access, Entry, Tx};
use crate::codec::{Key, Span};
use crate::error::StoreError;
use crate::rows::LevelRow;
use crate::schema::Tab;
use waybill_model::ids::ConnectionId;

fn pair(from: ConnectionId, to: ConnectionId) -> Key {
    Key::new().u32(from.0).u32(to.0)
}

fn key(row: &LevelRow) -> Key {
    pair(row.from, row.to).text(&row.item).text(&row.warehouse)
}

pub(crate) fn entries(row: &LevelRow) -> Vec<Entry> {
    let entry = row.dirty.then(|| Entry::mark(Tab::DirtyLevels, key(row)));
    entry.into_iter().collect()
}

pub(crate) fn level(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    item: &str,
    warehouse: &str,
) -> Result<Option<LevelRow>, StoreError> {
    a.row(Tab::Levels, &pair(from, to).text(item).text(warehouse).0)
}

pub(crate) fn dirty(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    limit: usize,
) -> Result<Vec<LevelRow>, StoreError> {
    let keys = a.keys(Tab::DirtyLevels, &Span::prefix(pair(from, to)), limit)?;
    let rows = keys.iter().map(|key| a.row(Tab::Levels, key));
    rows.filter_map(Result::transpose).collect()
}

impl Tx<'_> {
    /// Stores a level.
    pub fn put_level(&mut self, row: &LevelRow) -> Result<(), StoreError> {
        let place = key(row);
        let old = self.dynamic().row::<LevelRow>(Tab::Levels, &place.0)?;
        self.put_row(Tab::Levels, &place.0, row)?;
        self.reindex(
            &old.as_ref().map(entries).unwrap_or_default(),
            &entries(row),
        )
    }
}
