//! The item index: which item of a connection has which identifier. Follows the latest revision of each item.
//! Never guesses: two items that share a value are ambiguous. Inactive items and blank values match nothing.

use crate::access::{Access, Entry, Tx};
use crate::codec::{Key, Parts, Span};
use crate::error::StoreError;
use crate::schema::Tab;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::crosswalk::Match;
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Entity, Item};
use waybill_model::ids::ConnectionId;

/// Nobody reads more keys than this of one ambiguous value.
const SHOWN: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ItemRow {
    pub(crate) title: String,
    pub(crate) active: bool,
    pub(crate) identifiers: BTreeSet<(String, String)>,
    /// Whether its system counts it.
    #[serde(default)]
    pub(crate) tracked: bool,
    /// Components of a kit, and how many of each one kit needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) components: Vec<(String, Decimal)>,
}

fn item_key(connection: ConnectionId, key: &str) -> Key {
    Key::new().u32(connection.0).text(key)
}

fn value_key(connection: ConnectionId, kind: &str, value: &str) -> Key {
    Key::new().u32(connection.0).text(kind).text(value)
}

pub(crate) fn entries(connection: ConnectionId, key: &str, row: &ItemRow) -> Vec<Entry> {
    let values = row.identifiers.iter().filter(|_| row.active);
    let mut out: Vec<Entry> = values
        .map(|(kind, value)| {
            Entry::mark(
                Tab::ItemValues,
                value_key(connection, kind, value).text(key),
            )
        })
        .collect();
    let parts = row.components.iter().filter(|_| row.active);
    out.extend(parts.map(|(part, _)| {
        Entry::mark(
            Tab::KitParts,
            Key::new().u32(connection.0).text(part).text(key),
        )
    }));
    if row.active {
        let words = title_words(&row.title).into_iter();
        out.extend(
            words.map(|word| Entry::mark(Tab::ItemWords, word_key(connection, &word).text(key))),
        );
    }
    out
}

fn word_key(connection: ConnectionId, word: &str) -> Key {
    Key::new().u32(connection.0).text(word)
}

/// The words of a title that are worth comparing: in lower case, at least two characters, at most twelve of them.
pub(crate) fn title_words(title: &str) -> BTreeSet<String> {
    title
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() >= 2)
        .take(12)
        .map(crate::orders::searchable)
        .collect()
}

/// Lists the words of every item's title: files of older versions have the items alone.
pub(crate) fn index_words(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let mut all = Vec::new();
    tx.dynamic()
        .scan(Tab::Items, &Span::all(), &mut |key, value| {
            let row: ItemRow = crate::codec::decode(Tab::Items.name(), key, value)?;
            let mut parts = Parts::of(Tab::Items.name(), key);
            let connection = ConnectionId(parts.u32()?);
            all.extend(entries(connection, &parts.text()?, &row));
            Ok(true)
        })?;
    tx.reindex(&[], &all)
}

fn components(item: &Item) -> Vec<(String, Decimal)> {
    let parts = item.components.iter();
    parts.map(|c| (c.item.clone(), c.quantity)).collect()
}

/// Takes over from each item's newest document what files of older versions do not index.
pub(crate) fn complete(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for key in tx.dynamic().keys(Tab::Items, &Span::all(), usize::MAX)? {
        let mut parts = Parts::of(Tab::Items.name(), &key);
        let (connection, item) = (ConnectionId(parts.u32()?), parts.text()?);
        let latest = crate::documents::latest(tx, connection, Entity::Item, &item)?;
        let (Some(mut row), Some(Body::Item(new))) = (
            tx.dynamic().row::<ItemRow>(Tab::Items, &key)?,
            latest.map(|found| found.document.body),
        ) else {
            continue;
        };
        row.tracked = new.tracked;
        row.components = components(&new);
        tx.put_row(Tab::Items, &key, &row)?;
    }
    Ok(())
}

/// An item of a catalogue, as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueItem {
    /// Key in its system.
    pub key: String,
    /// Its title.
    pub title: String,
    /// Whether it may be matched.
    pub active: bool,
    /// Kind and value.
    pub identifiers: Vec<(String, String)>,
    /// Whether its system counts it.
    pub tracked: bool,
    /// Components of a kit, and how many of each one kit needs.
    pub components: Vec<(String, Decimal)>,
}

impl ItemRow {
    /// As callers see it.
    pub(crate) fn of(self, key: String) -> CatalogueItem {
        CatalogueItem {
            key,
            title: self.title,
            active: self.active,
            identifiers: self.identifiers.into_iter().collect(),
            tracked: self.tracked,
            components: self.components,
        }
    }
}

pub(crate) fn item(
    a: &dyn Access,
    connection: ConnectionId,
    key: &str,
) -> Result<Option<CatalogueItem>, StoreError> {
    let row = a.row::<ItemRow>(Tab::Items, &item_key(connection, key).0)?;
    Ok(row.map(|row| row.of(key.to_owned())))
}

pub(crate) fn any(a: &dyn Access, connection: ConnectionId) -> Result<bool, StoreError> {
    let span = Span::prefix(Key::new().u32(connection.0));
    Ok(!a.keys(Tab::Items, &span, 1)?.is_empty())
}

/// Active items whose titles share most words with that one, best first. A word that very many items have tells
/// nothing.
pub(crate) fn alike(
    a: &dyn Access,
    connection: ConnectionId,
    title: &str,
    limit: usize,
) -> Result<Vec<CatalogueItem>, StoreError> {
    const COMMON: usize = 200;
    let words = title_words(title);
    let mut shared: BTreeMap<String, usize> = BTreeMap::new();
    for word in &words {
        let span = Span::prefix(word_key(connection, word));
        let keys = a.keys(Tab::ItemWords, &span, COMMON)?;
        if keys.len() == COMMON {
            continue;
        }
        for key in keys {
            let mut parts = Parts::of(Tab::ItemWords.name(), &key);
            parts.u32()?;
            parts.text()?;
            *shared.entry(parts.text()?).or_default() += 1;
        }
    }
    let mut best: Vec<(usize, String)> = shared.into_iter().map(|(key, n)| (n, key)).collect();
    best.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    best.truncate(limit * 4);
    let mut out = Vec::new();
    for (_, key) in best {
        let Some(found) = item(a, connection, &key)? else {
            continue;
        };
        let theirs = title_words(&found.title);
        let common = words.intersection(&theirs).count();
        // At least half of all words of both titles.
        if common * 4 >= words.len() + theirs.len() {
            out.push((common, found));
        }
    }
    out.sort_by_key(|(common, _)| std::cmp::Reverse(*common));
    out.truncate(limit);
    Ok(out.into_iter().map(|(_, found)| found).collect())
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
        tracked: item.tracked,
        components: components(item),
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
    let changed: BTreeSet<&str> = after
        .symmetric_difference(&before)
        .map(|(_, value)| value.as_str())
        .collect();
    tx.named_catalogue_changed(connection, changed.into_iter())?;
    Ok(matchable)
}
