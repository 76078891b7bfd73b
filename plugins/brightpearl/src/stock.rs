//! Owns what the account holds of a product, by warehouse: `onHand`, which is what is in stock less what is allocated.
//! Must not know which warehouses count, nor what is told to whom. There is no search for changed stock: products are
//! named by whoever asks.

use crate::api::Api;
use crate::wire::ids::{id_sets, whole};
use crate::wire::pairs::Pairs;
use serde_json::Value;
use waybill_sdk::commerce::{Body, Decimal, Document, InventoryLevel};
use waybill_sdk::log::Level;
use waybill_sdk::types::Failure;

/// Most products of one request; the vendor states no bound, and this many are known to work.
const CHUNK: usize = 200;

/// What is held of these products now: one document per product and warehouse that holds some.
pub fn fetch(api: &Api<'_>, keys: &[String]) -> Result<Vec<Document>, Failure> {
    // A key that is no id names no product of Brightpearl's.
    let ids: Vec<i64> = keys.iter().filter_map(|k| k.parse().ok()).collect();
    let mut all = Vec::new();
    read(api, &ids, &mut all)?;
    Ok(all)
}

fn read(api: &Api<'_>, ids: &[i64], all: &mut Vec<Document>) -> Result<(), Failure> {
    for set in id_sets(ids, CHUNK) {
        let path = format!("/warehouse-service/product-availability/{set}");
        match api.read_found(&path, held) {
            Ok(Some(reply)) => {
                let now = reply.date_ms.unwrap_or_else(|| api.host.now_ms());
                let found = reply.value.into_iter();
                all.extend(found.map(|held| document(held, now)));
            }
            Ok(None) => {}
            // One product that is not counted may spoil the whole request: it is found by halves.
            Err(Failure::Rejected(problem)) => {
                let within = crate::wire::ids::expand(&set, CHUNK).unwrap_or_default();
                let (left, right) = within.split_at(within.len() / 2);
                if left.is_empty() {
                    let fields = [("product", set.as_str()), ("answer", &problem.message)];
                    let words = "The stock of a product cannot be read; none counts.";
                    api.host.log(Level::Warn, words, &fields);
                } else {
                    read(api, left, all)?;
                    read(api, right, all)?;
                }
            }
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

/// What is asked for of an answer: by product, part, warehouse and name. Thousands of calls are read for one number of
/// each warehouse, so nothing else is made a value of.
type Told<'a> = Pairs<'a, Pairs<'a, Pairs<'a, Pairs<'a, Value>>>>;

/// What stands under `response`, where the body is a success as any other answer's is.
fn told(body: &[u8]) -> Option<Told<'_>> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let top: Pairs<'_, Told<'_>> = serde_json::from_slice(body).ok()?;
    if top.get("response").is_none() && top.get("errors").is_some() {
        return None;
    }
    Some(top.take("response").unwrap_or(Pairs(Vec::new())))
}

/// The units of each product and warehouse.
fn held(body: &[u8]) -> Option<Vec<(String, String, i64)>> {
    let products = told(body)?.0;
    let mut all = Vec::with_capacity(products.len() * 2);
    for (item, told) in products {
        let places = told.take("warehouses").map(|places| places.0);
        for (warehouse, level) in places.into_iter().flatten() {
            let units = units(level.get("onHand").unwrap_or(&Value::Null));
            all.push((item.clone().into_owned(), warehouse.into_owned(), units));
        }
    }
    Some(all)
}

fn document((item, warehouse, units): (String, String, i64), now_ms: i64) -> Document {
    Document {
        key: format!("{item}@{warehouse}"),
        revision: now_ms.to_string(),
        occurred_at: now_ms,
        body: Body::InventoryLevel(InventoryLevel {
            item,
            warehouse,
            available: Decimal { units, scale: 0 },
            expected_at: None,
        }),
    }
}

/// Whole units, rounded down. Availability comes as numbers, but "string or number" holds everywhere.
fn units(value: &Value) -> i64 {
    whole(value).unwrap_or_else(|| {
        let text = value.as_str().map(str::to_owned);
        let text = text.or_else(|| value.as_number().map(ToString::to_string));
        let text = text.unwrap_or_default();
        let (units, part) = text.split_once('.').unwrap_or((&text, ""));
        let below = text.starts_with('-') && part.chars().any(|c| c != '0');
        units.parse::<i64>().unwrap_or(0) - i64::from(below)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_on_hand_is_read_of_an_answer() {
        let body = br#"{"response":{"1001":{"total":{"onHand":5},"warehouses":{"2":{"inStock":9,"onHand":"3.5","allocated":4},
            "3":{"inStock":2,"onHand":2}}},"1002":{"total":{},"warehouses":{}},"1003":null,"1004":{"warehouses":{"2":7}}}}"#;
        let one = |item: &str, place: &str, units| (item.to_owned(), place.to_owned(), units);
        assert_eq!(
            held(body),
            Some(vec![
                one("1001", "2", 3),
                one("1001", "3", 2),
                one("1004", "2", 0)
            ])
        );
    }

    #[test]
    fn an_answer_without_a_value_is_told_from_one_of_nothing() {
        for nothing in [
            "{}",
            r#"{"response":{}}"#,
            r#"{"response":null}"#,
            r#"{"response":[]}"#,
        ] {
            assert_eq!(held(nothing.as_bytes()), Some(Vec::new()), "{nothing}");
        }
        let part =
            br#"{"response":{"1":{"warehouses":{"2":{"onHand":1}}}},"errors":[{"code":"X"}]}"#;
        assert_eq!(held(part).map(|all| all.len()), Some(1));
        for none in [
            r#"{"errors":[{"code":"X"}]}"#,
            "[]",
            "7",
            "",
            "{\"response\":{\"1\"",
        ] {
            assert_eq!(held(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn units_are_rounded_down_whatever_they_are_written_as() {
        for (value, units_of) in [
            (json!(14), 14),
            (json!("8"), 8),
            (json!("8.9000"), 8),
            (json!(-2.5), -3),
            (json!(null), 0),
        ] {
            assert_eq!(units(&value), units_of, "{value}");
        }
    }
}
