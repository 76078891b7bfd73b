//! Owns what the account holds of a product, by warehouse: `onHand`, which is what is in stock less what is allocated.
//! Must not know which warehouses count, nor what is told to whom. There is no search for changed stock: products are
//! named by whoever asks.

use crate::api::Api;
use crate::wire::ids::{id_sets, whole};
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
        match api.get_found(&path) {
            Ok(Some(reply)) => {
                let now = reply.date_ms.unwrap_or_else(|| api.host.now_ms());
                documents(&reply.value, now, all);
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

fn documents(response: &Value, now_ms: i64, all: &mut Vec<Document>) {
    for (item, told) in response.as_object().into_iter().flatten() {
        let places = told["warehouses"].as_object();
        for (warehouse, level) in places.into_iter().flatten() {
            all.push(Document {
                key: format!("{item}@{warehouse}"),
                revision: now_ms.to_string(),
                occurred_at: now_ms,
                body: Body::InventoryLevel(InventoryLevel {
                    item: item.clone(),
                    warehouse: warehouse.clone(),
                    available: Decimal {
                        units: units(&level["onHand"]),
                        scale: 0,
                    },
                    expected_at: None,
                }),
            });
        }
    }
}

/// Whole units, rounded down. Availability comes as numbers, but "string or number" holds everywhere.
fn units(value: &Value) -> i64 {
    let text = value.as_str().map(str::to_owned);
    let text = text.or_else(|| value.as_number().map(ToString::to_string));
    whole(value).unwrap_or_else(|| {
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
