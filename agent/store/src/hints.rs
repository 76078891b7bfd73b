//! Hints: which documents are to be read again, and when. One row per connection, kind and key, so that a thousand
//! reasons to read a document are one read. A hint that is renewed while its document is being read stays, because its
//! sequence has moved on. Knows no vendor and no reason.

use crate::access::{Access, Entry, Tx};
use crate::codec::{Key, Span, corrupt};
use crate::error::StoreError;
use crate::schema::Tab;
use serde::{Deserialize, Serialize};
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};

/// A document to be read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HintRow {
    /// Whose document.
    pub connection: ConnectionId,
    /// Kind of document.
    pub entity: Entity,
    /// Its key there.
    pub key: String,
    /// When to read it.
    pub due: Millis,
    /// Moves on each time the hint is renewed.
    pub seq: u64,
    /// When the latest renewal asked for.
    pub asked: Millis,
    /// How often it was put off in a row.
    pub tries: u32,
}

pub(crate) fn place(connection: ConnectionId, entity: Entity, key: &str) -> Key {
    Key::new().u32(connection.0).text(entity.word()).text(key)
}

fn due_from(connection: ConnectionId, due: Millis) -> Key {
    Key::new().u32(connection.0).i64(due)
}

pub(crate) fn entries(row: &HintRow) -> Vec<Entry> {
    let key = due_from(row.connection, row.due)
        .text(row.entity.word())
        .text(&row.key);
    vec![Entry::mark(Tab::HintsDue, key)]
}

pub(crate) fn hint(
    a: &dyn Access,
    connection: ConnectionId,
    entity: Entity,
    key: &str,
) -> Result<Option<HintRow>, StoreError> {
    a.row(Tab::Hints, &place(connection, entity, key).0)
}

/// Those whose time has come, oldest first.
pub(crate) fn due(
    a: &dyn Access,
    connection: ConnectionId,
    now: Millis,
    limit: usize,
) -> Result<Vec<HintRow>, StoreError> {
    let span = Span::prefix(Key::new().u32(connection.0))
        .before(due_from(connection, now.saturating_add(1)));
    let keys = a.keys(Tab::HintsDue, &span, limit)?;
    let rows = keys.iter().map(|key| {
        // The index holds what the row's key holds, with the time in between.
        let (head, rest) = key
            .split_at_checked(4)
            .ok_or_else(|| corrupt(Tab::HintsDue.name(), key, "the key is too short"))?;
        let place = [head, rest.get(8..).unwrap_or_default()].concat();
        a.row(Tab::Hints, &place)?
            .ok_or_else(|| corrupt(Tab::HintsDue.name(), key, "it names no hint"))
    });
    rows.collect()
}

/// When the next hint of any connection is due after that time, whatever is overdue.
pub(crate) fn next_due(a: &dyn Access, after: Millis) -> Result<Option<Millis>, StoreError> {
    let mut next = None;
    for connection in crate::connections::connections(a)? {
        let span = Span::prefix(Key::new().u32(connection.id.0))
            .from(due_from(connection.id, after.saturating_add(1)));
        for key in a.keys(Tab::HintsDue, &span, 1)? {
            let mut parts = crate::codec::Parts::of(Tab::HintsDue.name(), &key);
            parts.u32()?;
            let due = parts.i64()?;
            next = Some(next.map_or(due, |n: Millis| n.min(due)));
        }
    }
    Ok(next)
}

/// How many hints a connection has, at most `limit`.
pub(crate) fn waiting(
    a: &dyn Access,
    connection: ConnectionId,
    limit: usize,
) -> Result<usize, StoreError> {
    let span = Span::prefix(Key::new().u32(connection.0));
    Ok(a.keys(Tab::Hints, &span, limit)?.len())
}

impl Tx<'_> {
    /// Asks for a document to be read again at `due`. A hint that is there keeps the earlier time and is renewed; one
    /// that was put off stays so.
    pub fn hint(
        &mut self,
        connection: ConnectionId,
        entity: Entity,
        key: &str,
        due: Millis,
    ) -> Result<(), StoreError> {
        let old = hint(self, connection, entity, key)?;
        let row = HintRow {
            connection,
            entity,
            key: key.to_owned(),
            due: match &old {
                Some(old) if old.tries > 0 => old.due,
                Some(old) => old.due.min(due),
                None => due,
            },
            seq: self.next("hint")?,
            asked: due,
            tries: old.as_ref().map_or(0, |o| o.tries),
        };
        self.put_hint(old.as_ref(), &row)
    }

    /// Removes a hint that was followed, unless it was renewed since it was read. Whether it is gone.
    pub fn take_hint(&mut self, row: &HintRow) -> Result<bool, StoreError> {
        match hint(self, row.connection, row.entity, &row.key)? {
            Some(now) if now.seq == row.seq => {
                self.reindex(&entries(&now), &[])?;
                self.del(Tab::Hints, &place(row.connection, row.entity, &row.key).0)
            }
            Some(old) => {
                // It was read just now: what failed before is over, and what was asked since counts from its own time.
                let renewed = HintRow {
                    due: old.asked,
                    tries: 0,
                    ..old.clone()
                };
                self.put_hint(Some(&old), &renewed)?;
                Ok(false)
            }
            None => Ok(true),
        }
    }

    /// Puts a hint that could not be followed off until `due`, and counts the attempt.
    pub fn defer_hint(&mut self, row: &HintRow, due: Millis) -> Result<(), StoreError> {
        let Some(old) = hint(self, row.connection, row.entity, &row.key)? else {
            return Ok(());
        };
        let row = HintRow {
            due,
            tries: old.tries.saturating_add(1),
            ..old.clone()
        };
        self.put_hint(Some(&old), &row)
    }

    fn put_hint(&mut self, old: Option<&HintRow>, row: &HintRow) -> Result<(), StoreError> {
        let key = place(row.connection, row.entity, &row.key);
        self.put_row(Tab::Hints, &key.0, row)?;
        self.reindex(&old.map(entries).unwrap_or_default(), &entries(row))
    }

    pub(crate) fn drop_hints(&mut self, connection: ConnectionId) -> Result<(), StoreError> {
        let span = Span::prefix(Key::new().u32(connection.0));
        for tab in [Tab::Hints, Tab::HintsDue] {
            for key in self.dynamic().keys(tab, &span, usize::MAX)? {
                self.del(tab, &key)?;
            }
        }
        Ok(())
    }
}
