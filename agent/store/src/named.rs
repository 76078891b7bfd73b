//! The items that orders name, per route and retailer, and how each is matched now. Kept in step in the same commit as
//! what it follows from: the orders, the cells of the crosswalk and the item index. Never guesses: a suggestion is
//! only shown. Knows no setting; the engine says which identifiers are compared.

use crate::access::{Access, Entry, Tx};
use crate::codec::{Key, Parts, Span};
use crate::error::StoreError;
use crate::orders::searchable;
use crate::schema::Tab;
use crate::{crosswalk, items};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::crosswalk::{ITEMS, Match, Standing};
use waybill_model::ids::{ConnectionId, Millis};

/// Identifiers that say the same thing in two systems often enough to be suggested.
const KINDS: &[&str] = &[
    "sku",
    "partner-sku",
    "upc",
    "ean",
    "gtin",
    "isbn",
    "mpn",
    "barcode",
];
/// Candidates kept of one item.
const CANDIDATES: usize = 6;
const IDENTIFIER: u8 = 0;
const TITLE: u8 = 1;

/// An item as orders of one retailer name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedItemRow {
    /// Source of the orders.
    pub from: ConnectionId,
    /// Where the item is looked for.
    pub to: ConnectionId,
    /// Retailer's code.
    pub retailer: String,
    /// What the orders call it: the value that is looked up.
    pub value: String,
    /// Its title on the newest order.
    pub title: String,
    /// Every identifier of its line, kind and value.
    pub identifiers: Vec<(String, String)>,
    /// Kind of the value, on the order's line.
    pub source_kind: String,
    /// Kind it is compared with in the catalogue.
    pub target_kind: String,
    /// How it is matched.
    pub standing: Standing,
    /// Matched: the item's key. Else the candidates, best first.
    pub keys: Vec<String>,
    /// When an order named it first.
    pub first_at: Millis,
}

/// An item on an order's line, to be named.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "as in `NamedItemRow`")]
pub struct NewNamedItem<'a> {
    pub from: ConnectionId,
    pub to: ConnectionId,
    pub retailer: &'a str,
    /// The retailer's name.
    pub retailer_name: &'a str,
    pub value: &'a str,
    pub title: &'a str,
    pub identifiers: Vec<(String, String)>,
    pub source_kind: &'a str,
    pub target_kind: &'a str,
}

/// How the items of one retailer are matched, in figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedCountRow {
    /// Retailer's code.
    pub retailer: String,
    /// Its name on the newest order.
    pub name: String,
    /// Items by standing; none where there are none.
    pub items: BTreeMap<Standing, u64>,
}

/// Which items to list, by retailer and value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedQuery<'a> {
    /// Only of that standing.
    pub standing: Option<Standing>,
    /// Only of that retailer.
    pub retailer: Option<&'a str>,
    /// Only after that retailer and value.
    pub after: Option<(&'a str, &'a str)>,
    /// At most so many.
    pub limit: usize,
}

fn pair(from: ConnectionId, to: ConnectionId) -> Key {
    Key::new().u32(from.0).u32(to.0)
}

fn named_key(from: ConnectionId, to: ConnectionId, retailer: &str, value: &str) -> Key {
    pair(from, to).text(retailer).text(value)
}

fn key_of(row: &NamedItemRow) -> Key {
    named_key(row.from, row.to, &row.retailer, &row.value)
}

fn word_key(to: ConnectionId, class: u8, word: &str) -> Key {
    Key::new().u32(to.0).byte(class).text(word)
}

/// All index entries of a named item.
pub(crate) fn entries(row: &NamedItemRow) -> Vec<Entry> {
    let state = pair(row.from, row.to)
        .text(row.standing.word())
        .text(&row.retailer)
        .text(&row.value);
    let mut out = vec![Entry::mark(Tab::NamedStates, state)];
    let values: BTreeSet<String> = row
        .identifiers
        .iter()
        .map(|(_, value)| searchable(value))
        .chain([searchable(&row.value)])
        .filter(|word| !word.is_empty())
        .collect();
    let titles = items::title_words(&row.title);
    let classed = values
        .iter()
        .map(|word| (IDENTIFIER, word))
        .chain(titles.iter().map(|word| (TITLE, word)));
    out.extend(classed.map(|(class, word)| {
        let key = word_key(row.to, class, word)
            .u32(row.from.0)
            .text(&row.retailer)
            .text(&row.value);
        Entry::mark(Tab::NamedWords, key)
    }));
    out
}

/// The named item an entry of the word index speaks of.
fn worded(key: &[u8]) -> Result<(ConnectionId, String, String), StoreError> {
    let mut parts = Parts::of(Tab::NamedWords.name(), key);
    parts.u32()?;
    parts.byte()?;
    parts.text()?;
    Ok((ConnectionId(parts.u32()?), parts.text()?, parts.text()?))
}

pub(crate) fn item(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    retailer: &str,
    value: &str,
) -> Result<Option<NamedItemRow>, StoreError> {
    a.row(Tab::NamedItems, &named_key(from, to, retailer, value).0)
}

pub(crate) fn list(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    query: &NamedQuery<'_>,
) -> Result<Vec<NamedItemRow>, StoreError> {
    let base = match query.standing {
        Some(standing) => pair(from, to).text(standing.word()),
        None => pair(from, to),
    };
    let prefix = match query.retailer {
        Some(retailer) => base.clone().text(retailer),
        None => base.clone(),
    };
    let mut span = Span::prefix(prefix);
    if let Some((retailer, value)) = query.after {
        span = span.after(base.text(retailer).text(value));
    }
    if query.standing.is_none() {
        return a.rows(Tab::NamedItems, &span, query.limit);
    }
    let mut rows = Vec::new();
    for key in a.keys(Tab::NamedStates, &span, query.limit)? {
        let mut parts = Parts::of(Tab::NamedStates.name(), &key);
        parts.u32()?;
        parts.u32()?;
        parts.text()?;
        rows.extend(item(a, from, to, &parts.text()?, &parts.text()?)?);
    }
    Ok(rows)
}

pub(crate) fn search(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
    text: &str,
    limit: usize,
) -> Result<Vec<NamedItemRow>, StoreError> {
    let whole = searchable(text);
    let words = items::title_words(text);
    let longest = words.iter().max_by_key(|w| w.len()).cloned();
    let mut found: Vec<NamedItemRow> = Vec::new();
    let looks = [(IDENTIFIER, Some(whole)), (TITLE, longest)];
    for (class, word) in looks {
        let Some(word) = word.filter(|w| !w.is_empty()) else {
            continue;
        };
        let span = Span::prefix(Key::new().u32(to.0).byte(class).text_prefix(&word));
        let mut keys = Vec::new();
        // A word may stand in very many titles; nobody reads more than a page of them.
        a.scan(Tab::NamedWords, &span, &mut |key, _| {
            let (of, retailer, value) = worded(key)?;
            if of == from && !keys.contains(&(retailer.clone(), value.clone())) {
                keys.push((retailer, value));
            }
            Ok(keys.len() < limit * 4)
        })?;
        for (retailer, value) in keys {
            let Some(row) = item(a, from, to, &retailer, &value)? else {
                continue;
            };
            let titled = items::title_words(&row.title);
            let fits = class == IDENTIFIER
                || words
                    .iter()
                    .all(|w| titled.iter().any(|t| t.starts_with(w.as_str())));
            if fits && !found.contains(&row) && found.len() < limit {
                found.push(row);
            }
        }
    }
    Ok(found)
}

pub(crate) fn counts(
    a: &dyn Access,
    from: ConnectionId,
    to: ConnectionId,
) -> Result<Vec<NamedCountRow>, StoreError> {
    a.rows(Tab::NamedCounts, &Span::prefix(pair(from, to)), usize::MAX)
}

/// The same code with and without the leading zeros that some systems write before it.
fn variants(value: &str) -> Vec<String> {
    let mut out = vec![value.to_owned()];
    let digits = value.len() >= 11 && value.bytes().all(|b| b.is_ascii_digit());
    if digits && value.len() < 14 {
        out.push(format!("0{value}"));
    }
    if let (true, Some(rest)) = (digits, value.strip_prefix('0')) {
        out.push(rest.to_owned());
    }
    out
}

/// Items of the catalogue that share an identifier with this one, in the order of the identifiers.
fn candidates(a: &dyn Access, row: &NamedItemRow) -> Result<Vec<String>, StoreError> {
    let mut keys: Vec<String> = Vec::new();
    let target = row.target_kind.as_str();
    let kinds: BTreeSet<&str> = KINDS.iter().copied().chain([target]).collect();
    for (_, value) in &row.identifiers {
        for value in variants(value) {
            for kind in &kinds {
                let found = match items::find(a, row.to, kind, &value)? {
                    Match::One(key) => vec![key],
                    Match::Ambiguous(keys) => keys,
                    Match::Missing => Vec::new(),
                };
                for key in found {
                    if !keys.contains(&key) && keys.len() < CANDIDATES {
                        keys.push(key);
                    }
                }
            }
        }
    }
    Ok(keys)
}

fn stand(a: &dyn Access, row: &NamedItemRow) -> Result<(Standing, Vec<String>), StoreError> {
    let cell = crosswalk::cell(a, row.from, row.to, ITEMS, &row.retailer, &row.value)?;
    if let Some(code) = cell {
        return Ok((Standing::ByHand, vec![code]));
    }
    Ok(
        match items::find(a, row.to, &row.target_kind, &row.value)? {
            Match::One(key) => (Standing::Automatic, vec![key]),
            Match::Ambiguous(mut keys) => {
                keys.truncate(CANDIDATES);
                (Standing::Ambiguous, keys)
            }
            Match::Missing => match candidates(a, row)? {
                keys if keys.is_empty() => (Standing::Unmatched, keys),
                keys => (Standing::Suggested, keys),
            },
        },
    )
}

impl Tx<'_> {
    /// Names an item: new ones are looked for in the catalogue, known ones keep their standing unless the line says
    /// more about them now.
    pub fn name_item(&mut self, new: &NewNamedItem<'_>, now: Millis) -> Result<(), StoreError> {
        let old = item(self, new.from, new.to, new.retailer, new.value)?;
        let mut row = NamedItemRow {
            from: new.from,
            to: new.to,
            retailer: new.retailer.to_owned(),
            value: new.value.to_owned(),
            title: new.title.to_owned(),
            identifiers: new.identifiers.clone(),
            source_kind: new.source_kind.to_owned(),
            target_kind: new.target_kind.to_owned(),
            standing: Standing::Unmatched,
            keys: Vec::new(),
            first_at: old.as_ref().map_or(now, |row| row.first_at),
        };
        if let Some(old) = &old {
            row.standing = old.standing;
            row.keys.clone_from(&old.keys);
            if *old == row {
                return Ok(());
            }
        }
        (row.standing, row.keys) = stand(self, &row)?;
        self.store_named(old.as_ref(), Some(&row), Some(new.retailer_name))
    }

    /// The identifiers that are compared changed for a retailer: every item of it is looked for again. Items whose line
    /// lacks the new identifier are forgotten; their orders name them again.
    pub fn compare_items_by(
        &mut self,
        from: ConnectionId,
        to: ConnectionId,
        retailer: &str,
        source_kind: &str,
        target_kind: &str,
    ) -> Result<(), StoreError> {
        let query = NamedQuery {
            retailer: Some(retailer),
            limit: usize::MAX,
            ..NamedQuery::default()
        };
        for old in list(self, from, to, &query)? {
            if old.source_kind == source_kind && old.target_kind == target_kind {
                continue;
            }
            let mut known = old.identifiers.iter();
            let value = known.find(|(kind, _)| kind == source_kind);
            let Some(value) = value.map(|(_, value)| value.clone()) else {
                self.store_named(Some(&old), None, None)?;
                continue;
            };
            let mut new = NamedItemRow {
                value,
                source_kind: source_kind.to_owned(),
                target_kind: target_kind.to_owned(),
                ..old.clone()
            };
            (new.standing, new.keys) = stand(self, &new)?;
            if new.value == old.value {
                self.store_named(Some(&old), Some(&new), None)?;
            } else {
                self.store_named(Some(&old), None, None)?;
                let there = item(self, from, to, retailer, &new.value)?;
                self.store_named(there.as_ref(), Some(&new), None)?;
            }
        }
        Ok(())
    }

    /// A cell was filled or emptied.
    pub(crate) fn named_cell_changed(
        &mut self,
        from: ConnectionId,
        to: ConnectionId,
        retailer: Option<&str>,
        value: &str,
    ) -> Result<(), StoreError> {
        let retailers = match retailer {
            Some(retailer) => vec![retailer.to_owned()],
            None => counts(self, from, to)?
                .into_iter()
                .map(|row| row.retailer)
                .collect(),
        };
        for retailer in retailers {
            self.look_again(from, to, &retailer, value)?;
        }
        Ok(())
    }

    /// Items of the catalogue got or lost these values.
    pub(crate) fn named_catalogue_changed<'v>(
        &mut self,
        to: ConnectionId,
        values: impl Iterator<Item = &'v str>,
    ) -> Result<(), StoreError> {
        let values: BTreeSet<String> = values.flat_map(variants).collect();
        let mut touched = BTreeSet::new();
        for value in values {
            let span = Span::prefix(word_key(to, IDENTIFIER, &searchable(&value)));
            for key in self.dynamic().keys(Tab::NamedWords, &span, usize::MAX)? {
                touched.insert(worded(&key)?);
            }
        }
        for (from, retailer, value) in touched {
            self.look_again(from, to, &retailer, &value)?;
        }
        Ok(())
    }

    fn look_again(
        &mut self,
        from: ConnectionId,
        to: ConnectionId,
        retailer: &str,
        value: &str,
    ) -> Result<(), StoreError> {
        let Some(old) = item(self, from, to, retailer, value)? else {
            return Ok(());
        };
        let mut new = old.clone();
        (new.standing, new.keys) = stand(self, &old)?;
        if new == old {
            return Ok(());
        }
        self.store_named(Some(&old), Some(&new), None)
    }

    fn store_named(
        &mut self,
        old: Option<&NamedItemRow>,
        new: Option<&NamedItemRow>,
        name: Option<&str>,
    ) -> Result<(), StoreError> {
        let Some(of) = new.or(old) else {
            return Ok(());
        };
        match new {
            Some(new) => self.put_row(Tab::NamedItems, &key_of(new).0, new)?,
            None => drop(self.del(Tab::NamedItems, &key_of(of).0)?),
        }
        self.reindex(
            &old.map(entries).unwrap_or_default(),
            &new.map(entries).unwrap_or_default(),
        )?;
        let key = pair(of.from, of.to).text(&of.retailer).0;
        let before = self
            .dynamic()
            .row::<NamedCountRow>(Tab::NamedCounts, &key)?;
        let mut row = before.clone().unwrap_or_else(|| NamedCountRow {
            retailer: of.retailer.clone(),
            ..NamedCountRow::default()
        });
        if let Some(name) = name {
            name.clone_into(&mut row.name);
        }
        if let Some(old) = old {
            let left = row.items.get(&old.standing).copied().unwrap_or(0);
            match left.checked_sub(1) {
                Some(0) | None => drop(row.items.remove(&old.standing)),
                Some(left) => drop(row.items.insert(old.standing, left)),
            }
        }
        if let Some(new) = new {
            *row.items.entry(new.standing).or_default() += 1;
        }
        if before.as_ref() != Some(&row) {
            self.put_row(Tab::NamedCounts, &key, &row)?;
        }
        Ok(())
    }
}

/// Counts as they follow from the rows, for the proof of a whole file.
pub(crate) fn recount(
    rows: impl IntoIterator<Item = NamedItemRow>,
) -> BTreeMap<Vec<u8>, BTreeMap<Standing, u64>> {
    let mut out: BTreeMap<Vec<u8>, BTreeMap<Standing, u64>> = BTreeMap::new();
    for row in rows {
        let of = out
            .entry(pair(row.from, row.to).text(&row.retailer).0)
            .or_default();
        *of.entry(row.standing).or_default() += 1;
    }
    out
}
