//! Owns what the ERP's sandbox holds in a rehearsal: the lists of the merchant's own account as far as they are known,
//! else what the settings name, so that the merchant's ids mean there what they mean at home. Must not know the order.

use super::plan::Settings;
use super::{Brief, Entry, Item, aside};
use crate::brightpearl::{Furniture, Goods};
use std::collections::BTreeSet;

/// Lists of the account, what people call them, and the settings that are chosen from them.
const LISTS: [(&str, &str, &[&str]); 8] = [
    (
        "order-status",
        "statuses",
        &["order-status", "cancel-status"],
    ),
    ("channel", "channels", &["channel"]),
    ("price-list", "price lists", &["price-list"]),
    ("warehouse", "warehouses", &["warehouse"]),
    ("shipping-method", "shipping methods", &["shipping-method"]),
    ("lead-source", "lead sources", &["lead-source"]),
    ("tax-code", "tax codes", &["tax-code", "charge-tax-code"]),
    (
        "nominal-code",
        "nominal codes",
        &[
            "nominal-code",
            "nominal-shipping",
            "nominal-handling",
            "nominal-discount",
            "nominal-surcharge",
        ],
    ),
];

/// What is known of a list of the account, by value and name; empty: it was never read.
pub(super) fn known(brief: &Brief, list: &str, keys: &[&str]) -> Vec<Entry> {
    let offered = keys.iter().find_map(|key| brief.to.lists.get(*key));
    let stored = match list {
        "warehouse" => brief.to.warehouses.as_slice(),
        "shipping-method" => brief.to.methods.as_slice(),
        _ => &[],
    };
    offered.map_or_else(|| stored.to_vec(), Clone::clone)
}

/// A value with its name, where that is known.
pub(super) fn in_words(brief: &Brief, list: &str, value: &str) -> String {
    let keys = LISTS.iter().find(|(known, ..)| *known == list);
    let entries = keys.map(|(_, _, keys)| known(brief, list, keys));
    let entry = entries.into_iter().flatten().find(|(key, _)| key == value);
    match entry {
        Some((_, name)) if name.contains(value) => name,
        Some((_, name)) => format!("{name} ({value})"),
        None => value.to_owned(),
    }
}

/// The account; says which lists were never read.
pub(super) fn furniture(settings: &Settings, brief: &Brief, item: &Item) -> Furniture {
    let mut with = Furniture::default();
    let mut unread = Vec::new();
    for (list, words, keys) in LISTS {
        let mut entries = known(brief, list, keys);
        if entries.is_empty() {
            let named = named(settings, brief, list, keys);
            if !named.is_empty() {
                unread.push(words);
            }
            entries = named.into_iter().map(|v| (v.clone(), v)).collect();
        }
        if !entries.is_empty() {
            with.lists.insert(list.to_owned(), entries);
        }
    }
    if !unread.is_empty() {
        aside(&format!(
            "These lists were not read from {} yet, so what you entered of them is taken as it is: {}. Look at the page Defaults once, and they are.",
            brief.to.title,
            unread.join(", ")
        ));
    }
    let contacts = settings.cells((&brief.from, &brief.to), "customers", None);
    let ids = contacts.values().filter_map(|code| code.parse().ok());
    with.contacts = ids.collect();
    let owners = settings.named(&brief.to, &["owner"]);
    with.staff = owners.iter().filter_map(|id| id.parse().ok()).collect();
    with.goods = vec![Goods {
        id: item.key.parse().unwrap_or(1001),
        name: item.title.clone(),
        identifiers: item.identifiers.clone(),
    }];
    with
}

/// Values of a list that settings and matches name.
fn named(settings: &Settings, brief: &Brief, list: &str, keys: &[&str]) -> BTreeSet<String> {
    let mut named = settings.named(&brief.to, keys);
    let table = match list {
        "warehouse" => "warehouses",
        "shipping-method" => "shipping-methods",
        "order-status" => {
            let statuses = settings
                .value(None, "", "shipments.statuses")
                .unwrap_or_default();
            named.extend(super::order::list(statuses));
            return named;
        }
        _ => return named,
    };
    let into = settings.cells((&brief.from, &brief.to), table, None);
    let back = settings.cells((&brief.to, &brief.from), table, None);
    let cells = into.into_values().chain(back.into_keys());
    named.extend(cells.filter(|value| value.parse::<i64>().is_ok()));
    named
}
