//! The item index: which item of a connection has which identifier. Follows the latest revision of each item.
//! Never guesses: two items that share a value are ambiguous. Inactive items and blank values match nothing.

use crate::access::{Access, Entry, Tx};
use crate::codec::{Key, Parts, Span};
use crate::error::StoreError;
use crate::schema::Tab;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use waybill_model::crosswalk::Match;
use waybill_model::document::Item;
use waybill_model::ids::ConnectionId;

/// Nobody reads more keys than this of one ambiguous value.
const SHOWN: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ItemRow {
    pub(crate) title: String,
    pub(crate) active: bool,
    pub(crate) identifiers: BTreeSet<(String, String)>,
}

fn item_key(connection: ConnectionId, key: &str) -> Key {
    Key::new().u32(connection.0).text(key)
}

fn value_key(connection: ConnectionId, kind: &str, value: &str) -> Key {
    Key::new().u32(connection.0).text(kind).text(value)
}

pub(crate) fn entries(connection: ConnectionId, key: &str, row: &ItemRow) -> Vec<Entry> {
    let values = row.identifiers.iter().filter(|_| row.active);
    values
        .map(|(kind, value)| {
            Entry::mark(
                Tab::ItemValues,
                value_key(connection, kind, value).text(key),
            )
        })
        .collect()
}

fn holders(
    a: &dyn Access,
    connection: ConnectionId,
    kind: &str,
    value: &str,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    let span = Span::prefix(value_key(connection, kind, value));
    let keys = a.keys(Tab::ItemValues, &span, limit)?;
    keys.iter()
        .map(|key| {
            let mut parts = Parts::of(Tab::ItemValues.name(), key);
            parts.u32()?;
            parts.text()?;
            parts.text()?;
            parts.text()
        })
        .collect()
}

pub(crate) fn find(
    a: &dyn Access,
    connection: ConnectionId,
    kind: &str,
    value: &str,
) -> Result<Match, StoreError> {
    if value.trim().is_empty() {
        return Ok(Match::Missing);
    }
    let mut keys = holders(a, connection, kind, value, SHOWN)?;
    Ok(match keys.len() {
        0 => Match::Missing,
        1 => keys.pop().map_or(Match::Missing, Match::One),
        _ => Match::Ambiguous(keys),
    })
}

pub(crate) fn title(
    a: &dyn Access,
    connection: ConnectionId,
    key: &str,
) -> Result<Option<String>, StoreError> {
    let row = a.row::<ItemRow>(Tab::Items, &item_key(connection, key).0)?;
    Ok(row.map(|r| r.title))
}

/// Follows a new revision of an item; the values that may match now and did not before.
pub(crate) fn update(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    key: &str,
    item: &Item,
) -> Result<Vec<(String, String)>, StoreError> {
    let place = item_key(connection, key);
    let old = tx.dynamic().row::<ItemRow>(Tab::Items, &place.0)?;
    let identifiers = item.identifiers.iter();
    let new = ItemRow {
        title: item.title.clone(),
        active: item.active,
        identifiers: identifiers
            .filter(|i| !i.value.trim().is_empty())
            .map(|i| (i.kind.clone(), i.value.clone()))
            .collect(),
    };
    let listed = |row: &ItemRow| {
        if row.active {
            row.identifiers.clone()
        } else {
            BTreeSet::new()
        }
    };
    let before = old.as_ref().map(listed).unwrap_or_default();
    let after = listed(&new);
    tx.put_row(Tab::Items, &place.0, &new)?;
    let old_entries = old.as_ref().map(|row| entries(connection, key, row));
    tx.reindex(
        &old_entries.unwrap_or_default(),
        &entries(connection, key, &new),
    )?;
    let mut matchable: Vec<(String, String)> = after.difference(&before).cloned().collect();
    // A value this item gave up is matchable again when exactly one other item has it.
    for (kind, value) in before.difference(&after) {
        if holders(tx, connection, kind, value, 2)?.len() == 1 {
            matchable.push((kind.clone(), value.clone()));
        }
    }
    Ok(matchable)
}
