//! Owns `GET /inventory`: which items a key finds, and how an item looks. Must not know how stock changes.

use serde_json::{Value, json};

use super::inventory::{CODES, FIRST_ITEM, Item};
use super::sandbox::Sandbox;
use super::{answers, dates};
use crate::catalogue::{RETAILERS, WAREHOUSES};
use crate::vendor::{Req, Resp};

impl Sandbox {
    /// The item of a key, or all of them with `returnMultiple`.
    pub(crate) fn get_inventory(&self, req: &Req) -> Resp {
        let (Some(kind), Some(value)) = (req.param("itemKey"), req.param("value")) else {
            return answers::plain(400, "itemKey and value are required");
        };
        let items = self.inventory.items().iter();
        let found: Vec<&Item> = match kind {
            "sku" => self.inventory.get(value).into_iter().collect(),
            "dscoItemId" => items.filter(|i| i.id.to_string() == value).collect(),
            "partnerSku" => match prefix(req) {
                Some(prefix) => items
                    .filter(|i| partner_sku(prefix, i).as_deref() == Some(value))
                    .collect(),
                None => {
                    return answers::plain(
                        400,
                        "partnerSku needs dscoRetailerId or dscoTradingPartnerId",
                    );
                }
            },
            code if CODES.contains(&code) => {
                items.filter(|i| i.code(code) == Some(value)).collect()
            }
            _ => return answers::plain(400, "itemKey is not valid"),
        };
        let Some(first) = found.first() else {
            return answers::plain(404, "Item not found");
        };
        let messy = self.settings.messy;
        let body = if req.param("returnMultiple") == Some("true") {
            found.iter().map(|item| shown(item, messy)).collect()
        } else {
            shown(first, messy)
        };
        Resp::json(200, &body)
    }
}

/// How the SKUs of the retailer named begin, as on the lines of its orders.
fn prefix(req: &Req) -> Option<&'static str> {
    let retailer = RETAILERS.iter().find(|r| {
        req.param("dscoRetailerId") == Some(r.account_id)
            || req.param("dscoTradingPartnerId") == Some(r.partner_id)
    })?;
    Some(&retailer.account_id[9..])
}

fn partner_sku(prefix: &str, item: &Item) -> Option<String> {
    let number = item.id.checked_sub(FIRST_ITEM)?;
    Some(format!("R{prefix}-{}", 5000 + number))
}

fn shown(item: &Item, messy: bool) -> Value {
    let warehouses: Vec<Value> = item
        .stock
        .iter()
        .map(|(at, units)| {
            let warehouse = WAREHOUSES[usize::from(*at)];
            json!({"code": warehouse.code, "dscoId": warehouse.network_id, "quantity": units,
                "retailerCode": null})
        })
        .collect();
    let told = (item.told > 0).then(|| dates::iso(item.told));
    let mut value = json!({
        "dscoItemId": item.id.to_string(), "sku": &*item.sku, "status": item.status.word(),
        "quantityAvailable": item.available, "warehouses": warehouses,
        "dscoCreateDate": dates::iso(item.created), "dscoLastUpdateDate": dates::iso(item.updated),
        "dscoLastQuantityUpdateDate": told,
    });
    for name in CODES {
        value[name] = json!(item.code(name));
    }
    if messy {
        value["dscoItemId"] = json!(item.id);
        value["zzFutureField"] = json!({});
    }
    value
}
