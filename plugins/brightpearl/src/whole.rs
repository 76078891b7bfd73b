//! Owns what a sale ships that has no goods-out note: all that stands on it, once somebody asks by its key. A sale with a
//! note, of whatever step, ships what its notes say, and nothing here. Must not know why it is asked.

use crate::api::Api;
use crate::notes;
use crate::packing;
use crate::settings::Settings;
use crate::sold;
use crate::wire::ids::{self, id_sets};
use crate::wire::{lists, standing};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use waybill_sdk::commerce::Document;
use waybill_sdk::types::Failure;

/// Begins the key of a shipment that is asked for by its sale.
pub const KEY: &str = "order:";

/// Most ids of one read.
const MOST: usize = 200;

/// The shipments of these keys; other keys mean nothing here.
pub fn fetch(
    api: &Api<'_>,
    settings: Settings<'_>,
    keys: &[String],
) -> Result<Vec<Document>, Failure> {
    let asked = keys
        .iter()
        .filter_map(|key| key.strip_prefix(KEY)?.parse::<i64>().ok())
        .filter(|id| *id > 0);
    let asked: Vec<i64> = notes::ours(api.host, asked).into_iter().collect();
    let noted = notes::of_sales(api, &asked)?.into_iter();
    let noted: BTreeSet<i64> = noted.map(|(_, note)| note.order).collect();
    let bare: Vec<i64> = asked.into_iter().filter(|id| !noted.contains(id)).collect();
    let tracking = tracking(api, settings, &bare)?;
    let mut all = Vec::with_capacity(bare.len());
    for set in id_sets(&bare, MOST) {
        let path = format!("/order-service/sales-order/{set}");
        let Some(reply) = api.get_found(&path)? else {
            continue;
        };
        let sold = sold::named(api, &reply.value);
        for stands in standing::standing(&reply.value) {
            let Some(sale) = sold.get(&stands.id).filter(|_| bare.contains(&stands.id)) else {
                continue;
            };
            let at = stands.updated_on.unwrap_or_else(|| api.host.now_ms());
            let tracking = tracking.get(&stands.id).map_or("", String::as_str);
            all.push(packing::whole(stands.id, sale, tracking, at));
        }
    }
    Ok(all)
}

/// What stands in the sales' custom field for tracking numbers, where one is chosen.
fn tracking(
    api: &Api<'_>,
    settings: Settings<'_>,
    sales: &[i64],
) -> Result<BTreeMap<i64, String>, Failure> {
    let mut all = BTreeMap::new();
    let Some(field) = settings.get("tracking-field") else {
        return Ok(all);
    };
    for set in id_sets(sales, MOST) {
        let path = format!("/order-service/order/{set}?includeOptional=customFields");
        let Some(reply) = api.get_found(&path)? else {
            continue;
        };
        for sale in lists::items(&reply.value) {
            let value = sale.get("customFields").and_then(|all| all.get(field));
            let id = sale.get("id").and_then(ids::whole);
            if let Some((id, text)) = id.zip(value.and_then(text)) {
                all.insert(id, text);
            }
        }
    }
    Ok(all)
}

/// A field of text, or the chosen value of a list.
fn text(value: &Value) -> Option<String> {
    ids::text(value.get("value").unwrap_or(value))
}
