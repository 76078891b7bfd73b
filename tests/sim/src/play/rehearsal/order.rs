//! Owns what is ordered in a rehearsal: by which retailer, which item, shipping how and from where, so that what the
//! merchant has matched is used. Must not know how the order fares.

use super::plan::Settings;
use super::{Brief, Entry, Item, Retailer, aside};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Identifiers that the ERP's sandbox keeps.
const KEPT: [&str; 6] = ["sku", "ean", "upc", "isbn", "mpn", "barcode"];
/// How those of custom fields begin, which it keeps as well.
const CUSTOM: &str = "custom:";
/// What an invented item is called.
const INVENTED: &str = "REHEARSAL-1";
/// Codes that stand for no one method, where the merchant named none.
const GENERIC: &str = "GCG,GND,GSE,GCP,GCE";

/// Parts of a text separated by commas.
pub(super) fn list(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(',').map(str::trim);
    parts.filter(|part| !part.is_empty()).map(str::to_owned)
}

/// Who orders.
pub(super) fn retailer(brief: &Brief) -> Retailer {
    brief.retailer.clone().unwrap_or_else(|| {
        aside("No retailer was read yet: an invented one orders.");
        Retailer {
            code: "1000007001".to_owned(),
            name: "A rehearsing retailer".to_owned(),
        }
    })
}

/// What is ordered.
pub(super) fn item(settings: &Settings, brief: &Brief, retailer: &Retailer) -> Item {
    let usable = brief
        .item
        .clone()
        .filter(|item| item.key.parse::<i64>().is_ok());
    usable.unwrap_or_else(|| {
        let kind = |key: &str| {
            let value = settings.value(None, &retailer.code, key);
            value.unwrap_or("sku").to_owned()
        };
        let target = kind("items.target-id");
        aside(&invented(brief.looked_at, &target));
        Item {
            key: "1001".to_owned(),
            title: "Rehearsal item".to_owned(),
            identifiers: vec![(target.clone(), INVENTED.to_owned())],
            source: kind("items.source-id"),
            target,
            value: INVENTED.to_owned(),
        }
    })
}

/// Why an invented item is ordered.
fn invented(looked_at: usize, target: &str) -> String {
    if looked_at == 0 {
        return "No product was read yet: an invented one is ordered.".to_owned();
    }
    format!(
        "No single product in stock keeping among the {looked_at} that were looked at can be named by its `{target}` without doubt: the order is for an invented product. See Matching."
    )
}

/// The cell that matches the item, where the sandbox does not keep the identifier that would.
pub(super) fn matched(item: &Item) -> Option<(&str, &str)> {
    let kept = KEPT.contains(&item.target.as_str()) || item.target.starts_with(CUSTOM);
    (!kept).then_some((item.value.as_str(), item.key.as_str()))
}

/// The value that is best ordered: one whose counterpart is matched the other way round as well, else one that stands for
/// one thing only, else the first. Where everything is matched by one cell, any value will do: `any`.
fn best(
    into: &BTreeMap<String, String>,
    back: &BTreeMap<String, String>,
    generic: &[String],
    any: &str,
) -> Option<String> {
    let named = || into.iter().filter(|(value, _)| *value != "*");
    let is_generic = |value: &str| {
        generic
            .iter()
            .any(|known| known.eq_ignore_ascii_case(value))
    };
    let both = named().find(|(value, code)| back.contains_key(*code) && !is_generic(value));
    let found = both
        .or_else(|| named().find(|(value, _)| !is_generic(value)))
        .or_else(|| named().next());
    match found {
        Some((value, _)) => Some(value.clone()),
        None => into.contains_key("*").then(|| any.to_owned()),
    }
}

/// The order, as the network's sandbox is told of it.
pub(super) fn wish(
    settings: &Settings,
    brief: &Brief,
    retailer: &Retailer,
    item: &Item,
    number: &str,
) -> Value {
    let cells = |table: &str, back: bool| {
        let ends = if back {
            (&brief.to, &brief.from)
        } else {
            (&brief.from, &brief.to)
        };
        settings.cells(ends, table, Some(&retailer.code))
    };
    let generic = settings.value(Some(&brief.from), &retailer.code, "generic-codes");
    let generic: Vec<String> = list(generic.unwrap_or(GENERIC)).collect();
    let chosen =
        |table: &str, any: &str| best(&cells(table, false), &cells(table, true), &generic, any);
    let method = chosen("shipping-methods", "upcg");
    let warehouse = chosen("warehouses", "WH01");
    if method.is_none() {
        aside(&unmatched("shipping method", &brief.from.title, &[]));
    }
    if warehouse.is_none() {
        let there = &brief.from.warehouses;
        aside(&unmatched("warehouse", &brief.from.title, there));
    }
    let service = match method.as_deref().map(|method| method.split_once('|')) {
        Some(Some((carrier, name))) => json!({"carrier": carrier, "method": name}),
        Some(None) => json!({"code": method.unwrap_or_default().to_uppercase()}),
        None => json!({}),
    };
    let kinds = settings.value(Some(&brief.from), &retailer.code, "order-types");
    let kind = list(kinds.unwrap_or_default()).next();
    json!({
        "po": number, "retailer": retailer.code, "order_type": kind, "service": service,
        "warehouse": warehouse.unwrap_or_default(), "lines": [line(item)],
    })
}

/// What the rehearsal does not show, since nothing of that kind is matched.
fn unmatched(what: &str, title: &str, there: &[Entry]) -> String {
    let codes: Vec<&str> = there
        .iter()
        .take(3)
        .map(|(code, _)| code.as_str())
        .collect();
    let such = if codes.is_empty() {
        String::new()
    } else {
        format!(" (such as {})", codes.join(", "))
    };
    format!(
        "No {what} of {title}{such} is matched yet: the order asks for none. The first real one that asks for one waits for you. Match them now under Matching, {}s.",
        capital(what)
    )
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// One line of two units.
fn line(item: &Item) -> Value {
    let own = |kind: &str| {
        let found = item.identifiers.iter().find(|(known, _)| known == kind);
        found.map(|(_, value)| value.clone())
    };
    let mut line = json!({
        "sku": own("sku").unwrap_or_else(|| INVENTED.to_owned()), "quantity": 2, "cost_cents": 1999,
        "upc": own("upc"), "ean": own("ean"), "isbn": own("isbn"), "mpn": own("mpn"), "title": item.title,
    });
    let field = match item.source.as_str() {
        "partner-sku" => "partner_sku",
        "network-item" => "item_id",
        other => other,
    };
    line[field] = json!(item.value);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn what_is_not_rehearsed_is_said_with_the_place_to_match_it() {
        let there = [("WH01".to_owned(), "Main".to_owned())];
        let said = unmatched("warehouse", "Network", &there);
        assert!(
            said.starts_with("No warehouse of Network (such as WH01) is matched yet"),
            "{said}"
        );
        assert!(
            said.ends_with("Match them now under Matching, Warehouses."),
            "{said}"
        );
        let said = unmatched("shipping method", "Network", &[]);
        assert!(
            said.starts_with("No shipping method of Network is"),
            "{said}"
        );
        assert!(
            said.ends_with("under Matching, Shipping methods."),
            "{said}"
        );
    }

    #[test]
    fn what_is_matched_both_ways_is_ordered_first() {
        let back = cells(&[("12", "UPS|Ground|UPCG")]);
        let into = cells(&[("*", "11"), ("fecg", "13"), ("gcg", "11"), ("upcg", "12")]);
        let generic = ["GCG".to_owned()];
        let best = |into: &BTreeMap<String, String>, back: &BTreeMap<String, String>| {
            best(into, back, &generic, "any")
        };
        assert_eq!(best(&into, &back).as_deref(), Some("upcg"));
        assert_eq!(best(&into, &cells(&[])).as_deref(), Some("fecg"));
        assert_eq!(
            best(&cells(&[("gcg", "11")]), &back).as_deref(),
            Some("gcg")
        );
        assert_eq!(best(&cells(&[("*", "11")]), &back).as_deref(), Some("any"));
        assert_eq!(best(&cells(&[]), &back), None);
    }

    #[test]
    fn the_field_that_is_compared_holds_the_value_and_the_others_their_own() {
        let item = Item {
            key: "1001".to_owned(),
            title: "Tee".to_owned(),
            identifiers: vec![
                ("sku".to_owned(), "TEE".to_owned()),
                ("ean".to_owned(), "400".to_owned()),
            ],
            source: "partner-sku".to_owned(),
            target: "ean".to_owned(),
            value: "400".to_owned(),
        };
        let line = line(&item);
        assert_eq!(
            (&line["sku"], &line["partner_sku"]),
            (&json!("TEE"), &json!("400"))
        );
        assert_eq!(matched(&item), None);
        let of = |target: &str| Item {
            target: target.to_owned(),
            ..item.clone()
        };
        assert_eq!(matched(&of("custom:PCF_X")), None);
        assert_eq!(matched(&of("gtin")), Some(("400", "1001")));
    }

    #[test]
    fn an_invented_item_says_why_and_where_to_look() {
        let none = invented(0, "ean");
        assert!(none.contains("No product was read yet"), "{none}");
        let unsure = invented(1200, "ean");
        for word in ["1200", "`ean`", "See Matching"] {
            assert!(unsure.contains(word), "`{word}` is not in {unsure}");
        }
    }
}
