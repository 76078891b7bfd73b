//! What may stand in a cell of a crosswalk: checks a code against what the receiving system handed over, and suggests
//! what probably belongs there. Never fills anything in by itself, and never guesses between two records. Knows no page.

use crate::view::SuggestionView;
use std::collections::BTreeSet;
use waybill_model::contract::{Gap, Problem};
use waybill_model::crosswalk::{self, Match};
use waybill_model::document::{Body, Entity};
use waybill_model::ids::ConnectionId;
use waybill_model::settings::{self, SOURCE_ID, TARGET_ID};
use waybill_store::{CatalogueItem, DocumentRow, Read, StoreError};

/// Records of one kind that are offered in a list or compared by name.
const LISTED: usize = 500;
/// Suggestions of one cell.
const SUGGESTED: usize = 6;
/// Identifiers under which people know a product.
const KINDS: [&str; 8] = [
    "sku",
    "ean",
    "upc",
    "isbn",
    "mpn",
    "barcode",
    "gtin",
    "partner-sku",
];

/// A code that was found in the receiving system, or could not be looked for there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// What is stored.
    pub(crate) key: String,
    /// The same in words; `None` where the receiving system hands over no such records.
    pub(crate) label: Option<String>,
}

/// Which identifiers of a retailer's items are compared: on the order, and in the catalogue.
pub(crate) fn compared(
    rows: &dyn Read,
    from: Option<ConnectionId>,
    retailer: Option<&str>,
) -> Result<(String, String), StoreError> {
    let values = rows.effective(from, retailer)?;
    let defaults = settings::agent_settings();
    let kind = |key: &str| {
        settings::value(&values, key, &defaults)
            .unwrap_or("sku")
            .to_owned()
    };
    Ok((kind(SOURCE_ID), kind(TARGET_ID)))
}

const fn entity_of(table: &str) -> Option<Entity> {
    match table.as_bytes() {
        b"shipping-methods" => Some(Entity::ShippingMethod),
        b"warehouses" => Some(Entity::Warehouse),
        b"customers" => Some(Entity::Customer),
        _ => None,
    }
}

fn noun(table: &str) -> &'static str {
    match table {
        crosswalk::ITEMS => "product",
        crosswalk::SHIPPING_METHODS => "shipping method",
        crosswalk::WAREHOUSES => "warehouse",
        crosswalk::CUSTOMERS => "contact",
        _ => "record",
    }
}

/// A record's name.
fn name(row: DocumentRow) -> Option<(String, String)> {
    let name = match row.document.body {
        Body::Warehouse(w) => w.name,
        Body::ShippingMethod(m) => m.method.name.or(m.method.code).unwrap_or_default(),
        Body::Customer(c) => c.address.company.unwrap_or(c.address.name),
        _ => return None,
    };
    let name = if name.trim().is_empty() {
        row.document.key.clone()
    } else {
        name
    };
    Some((row.document.key, name))
}

/// The records of a connection that may stand in that table: key and name.
pub(crate) fn listed(
    rows: &dyn Read,
    connection: ConnectionId,
    table: &str,
) -> Result<Vec<(String, String)>, StoreError> {
    let Some(entity) = entity_of(table) else {
        return Ok(Vec::new());
    };
    let documents = rows.latest_documents(connection, entity, None, LISTED)?;
    Ok(documents.into_iter().filter_map(name).collect())
}

/// What may stand in a cell of that table: short lists are offered, long ones are typed in.
pub(crate) fn choices(
    rows: &dyn Read,
    to: ConnectionId,
    table: &str,
) -> Result<Vec<(String, String)>, StoreError> {
    if table == crosswalk::CUSTOMERS {
        return Ok(Vec::new());
    }
    let all = listed(rows, to, table)?;
    Ok(if all.len() < LISTED { all } else { Vec::new() })
}

/// The name of a code in the system it comes from, where that says more than the code.
pub(crate) fn name_of(
    rows: &dyn Read,
    connection: ConnectionId,
    table: &str,
    code: &str,
) -> Result<Option<String>, StoreError> {
    if table == crosswalk::ITEMS {
        return rows.item_title(connection, code);
    }
    let Some(entity) = entity_of(table) else {
        return Ok(None);
    };
    let found = rows.latest_document(connection, entity, code)?;
    Ok(found
        .and_then(name)
        .map(|(_, name)| name)
        .filter(|n| n != code))
}

/// Letters and digits only, in lower case.
fn squashed(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|w| w.chars().count() > 1)
        .map(str::to_lowercase)
        .collect()
}

/// Shared words of two names, counted double where the names are the same but for spaces and case.
fn likeness(one: &str, other: &str) -> usize {
    if squashed(one) == squashed(other) {
        return usize::MAX;
    }
    words(one).intersection(&words(other)).count()
}

/// The records of a list whose names come nearest to a text.
pub(crate) fn nearest(list: &[(String, String)], text: &str) -> Vec<(String, String)> {
    let mut scored: Vec<(usize, &(String, String))> = list
        .iter()
        .map(|pair| (likeness(&pair.1, text), pair))
        .filter(|(score, _)| *score > 0)
        .collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored
        .into_iter()
        .take(3)
        .map(|(_, pair)| pair.clone())
        .collect()
}

fn unknown(table: &str, text: &str, near: &[(String, String)]) -> Problem {
    let hint = match near {
        [] => "Look the code up there, or wait until it was read from there.".to_owned(),
        near => {
            let named: Vec<String> = near
                .iter()
                .map(|(key, name)| format!("\"{name}\" ({key})"))
                .collect();
            format!("Did you mean {}?", named.join(" or "))
        }
    };
    Problem::new(
        "unknown-code",
        format!("There is no {} `{text}`.", noun(table)),
        hint,
    )
}

/// The record that a text means, by key or by a name or identifier that only one record has.
///
/// Where the receiving system hands over no records of that kind, the text is taken as it is: nothing could be checked.
pub(crate) fn resolve(
    rows: &dyn Read,
    to: ConnectionId,
    table: &str,
    retailer: Option<&str>,
    text: &str,
) -> Result<Result<Resolved, Problem>, StoreError> {
    let text = text.trim();
    if text.chars().all(|c| c == '|' || c.is_whitespace()) {
        let hint = "Fill it in, or leave the card with a reason.";
        return Ok(Err(Problem::new("empty-cell", "The field is empty.", hint)));
    }
    if table == crosswalk::ITEMS {
        return resolve_item(rows, to, retailer, text);
    }
    let plain = || Resolved {
        key: text.to_owned(),
        label: None,
    };
    let Some(entity) = entity_of(table) else {
        return Ok(Ok(plain()));
    };
    if let Some((key, label)) = rows.latest_document(to, entity, text)?.and_then(name) {
        let label = Some(label);
        return Ok(Ok(Resolved { key, label }));
    }
    let all = listed(rows, to, table)?;
    if all.is_empty() {
        return Ok(Ok(plain()));
    }
    let same = |pair: &&(String, String)| pair.1.eq_ignore_ascii_case(text);
    let mut named = all.iter().filter(same);
    Ok(match (named.next(), named.next()) {
        (Some((key, label)), None) => Ok(Resolved {
            key: key.clone(),
            label: Some(label.clone()),
        }),
        (Some(_), Some(_)) => Err(Problem::new(
            "ambiguous-code",
            format!("Several {}s are called `{text}`.", noun(table)),
            "Give the code of one of them.",
        )),
        _ => Err(unknown(table, text, &nearest(&all, text))),
    })
}

fn kinds(target: &str) -> impl Iterator<Item = &str> {
    std::iter::once(target).chain(KINDS.into_iter().filter(move |kind| *kind != target))
}

fn resolve_item(
    rows: &dyn Read,
    to: ConnectionId,
    retailer: Option<&str>,
    text: &str,
) -> Result<Result<Resolved, Problem>, StoreError> {
    if !rows.has_items(to)? {
        let key = text.strip_prefix("key:").unwrap_or(text).trim().to_owned();
        return Ok(Ok(Resolved { key, label: None }));
    }
    let (_, target) = compared(rows, None, retailer)?;
    let found = |item: CatalogueItem| {
        if item.active {
            Ok(Resolved {
                key: item.key,
                label: Some(item.title),
            })
        } else {
            Err(Problem::new(
                "inactive-item",
                format!(
                    "The product `{text}` ({}) is not active any more.",
                    item.title
                ),
                "Choose an active product, or make this one active again.",
            ))
        }
    };
    if let Some(key) = text.strip_prefix("key:") {
        let item = rows.item(to, key.trim())?;
        return Ok(item.map_or_else(|| Err(unknown(crosswalk::ITEMS, key, &[])), found));
    }
    let by_key = rows.item(to, text)?;
    let mut keys: BTreeSet<String> = by_key.iter().map(|item| item.key.clone()).collect();
    for kind in kinds(&target) {
        match rows.items(to, kind, text)? {
            Match::One(key) => drop(keys.insert(key)),
            Match::Ambiguous(several) => keys.extend(several),
            Match::Missing => {}
        }
    }
    if keys.len() > 1 {
        let mut named = Vec::new();
        for key in keys.iter().take(3) {
            let title = rows.item_title(to, key)?.unwrap_or_default();
            named.push(format!("key:{key} for \"{title}\""));
        }
        return Ok(Err(Problem::new(
            "ambiguous-code",
            format!("`{text}` means {} products.", keys.len()),
            format!("Write one of: {}.", named.join(", ")),
        )));
    }
    let item = match keys.pop_first() {
        Some(key) => rows.item(to, &key)?,
        None => None,
    };
    if let Some(item) = item {
        return Ok(found(item));
    }
    let alike = rows.items_alike(to, text, 3)?;
    let near: Vec<_> = alike.into_iter().map(|i| (i.key, i.title)).collect();
    Ok(Err(unknown(crosswalk::ITEMS, text, &near)))
}

struct Suggestions(Vec<SuggestionView>);

impl Suggestions {
    fn add(&mut self, key: &str, label: &str, why: String) {
        if self.0.len() < SUGGESTED && !self.0.iter().any(|s| s.key == key) {
            self.0.push(SuggestionView {
                key: key.to_owned(),
                label: label.to_owned(),
                why,
            });
        }
    }
}

/// What probably belongs into a cell, best first.
pub(crate) fn suggestions(
    rows: &dyn Read,
    from: ConnectionId,
    to: ConnectionId,
    gap: &Gap,
) -> Result<Vec<SuggestionView>, StoreError> {
    let mut out = Suggestions(Vec::new());
    if gap.table == crosswalk::ITEMS {
        suggest_items(rows, from, to, gap, &mut out)?;
    } else {
        suggest_records(rows, from, to, gap, &mut out)?;
    }
    Ok(out.0)
}

/// A product with the identifier people know it by.
pub(crate) fn product(item: &CatalogueItem, kind: &str) -> String {
    let known = kinds(kind).find_map(|kind| item.identifiers.iter().find(|(k, _)| k == kind));
    match known {
        Some((_, value)) => format!("{} ({value})", item.title),
        None => item.title.clone(),
    }
}

fn suggest_items(
    rows: &dyn Read,
    from: ConnectionId,
    to: ConnectionId,
    gap: &Gap,
    out: &mut Suggestions,
) -> Result<(), StoreError> {
    let retailer = gap.retailer.as_deref().unwrap_or_default();
    let (_, target) = compared(rows, Some(from), gap.retailer.as_deref())?;
    let named = rows.named_item(from, to, retailer, &gap.value)?;
    for key in named.iter().flat_map(|row| &row.keys) {
        let Some(item) = rows.item(to, key)? else {
            continue;
        };
        let shared = named
            .iter()
            .flat_map(|row| &row.identifiers)
            .find(|(_, v)| {
                item.identifiers
                    .iter()
                    .any(|(_, t)| t.trim_start_matches('0') == v.trim_start_matches('0'))
            });
        let why = shared.map_or_else(
            || format!("Has {}", gap.value),
            |(kind, value)| format!("Same {kind}, {value}"),
        );
        out.add(key, &product(&item, &target), why);
    }
    for other in rows.named_counts(from, to)? {
        if other.retailer == retailer {
            continue;
        }
        let table = crosswalk::ITEMS;
        let cell = rows.cell_row(from, to, table, Some(&other.retailer), &gap.value)?;
        if let Some(cell) = cell {
            let item = rows.item(to, &cell.code)?;
            let label = item.map_or_else(|| cell.code.clone(), |i| product(&i, &target));
            let name = if other.name.is_empty() {
                other.retailer
            } else {
                other.name
            };
            out.add(&cell.code, &label, format!("Used for {name}"));
        }
    }
    if let Some(row) = named {
        for item in rows.items_alike(to, &row.title, 3)? {
            out.add(
                &item.key,
                &product(&item, &target),
                "Names alike".to_owned(),
            );
        }
    }
    Ok(())
}

fn suggest_records(
    rows: &dyn Read,
    from: ConnectionId,
    to: ConnectionId,
    gap: &Gap,
    out: &mut Suggestions,
) -> Result<(), StoreError> {
    let all = listed(rows, to, &gap.table)?;
    let label = |code: &str| {
        let known = all.iter().find(|(key, _)| key == code);
        known.map_or_else(|| code.to_owned(), |(_, name)| name.clone())
    };
    for cell in rows.cells(from, to, &gap.table, None, LISTED)? {
        let fits = cell.value == gap.value && cell.retailer != gap.retailer;
        if let (true, Some(retailer)) = (fits, &cell.retailer) {
            let label = cell.label.clone().unwrap_or_else(|| label(&cell.code));
            out.add(&cell.code, &label, format!("Used for {retailer}"));
        }
    }
    let ours = name_of(rows, from, &gap.table, &gap.value)?;
    for cell in rows.cells(to, from, &gap.table, None, LISTED)? {
        let same_retailer = cell.retailer.is_none() || cell.retailer == gap.retailer;
        if cell.code == gap.value && cell.value != crosswalk::ANY && same_retailer {
            let why = "Matched the other way round".to_owned();
            out.add(&cell.value, &label(&cell.value), why);
        }
    }
    for text in ours.iter().chain([&gap.value]) {
        for (key, name) in nearest(&all, text) {
            out.add(&key, &name, "Names alike".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_spaces() {
        let list: Vec<(String, String)> = [("1", "FedEx Home Delivery"), ("2", "UPS Ground")]
            .map(|(key, name)| (key.to_owned(), name.to_owned()))
            .to_vec();
        assert_eq!(nearest(&list, "Fedex Homedelivery")[0].0, "1");
        assert_eq!(nearest(&list, "ups|ground saver")[0].0, "2");
        assert!(nearest(&list, "DHL").is_empty());
        let problem = unknown("shipping-methods", "Fedex", &list[..1]);
        assert_eq!(problem.message, "There is no shipping method `Fedex`.");
        assert_eq!(
            problem.hint.as_deref(),
            Some("Did you mean \"FedEx Home Delivery\" (1)?")
        );
    }
}
