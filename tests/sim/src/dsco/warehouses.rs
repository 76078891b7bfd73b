//! Owns `GET /warehouse/page`: the list of the sandbox. Must not know orders.

use serde_json::{Value, json};

use super::sandbox::Sandbox;
use super::{answers, dates};
use crate::catalogue::SUPPLIER;
use crate::vendor::{Req, Resp};

/// When the merchant created them.
const CREATED_MS: i64 = 1_700_000_000_000;

impl Sandbox {
    /// One page holds all; `status`, `name` and `idType` with `idValue` filter.
    pub(crate) fn warehouses(&self, _now: i64, req: &Req) -> Resp {
        let id = match (req.param("idType"), req.param("idValue")) {
            (None, None) => None,
            (Some(kind @ ("code" | "warehouseId")), Some(value)) => Some((kind, value)),
            _ => return answers::plain(400, "idType and idValue are not valid"),
        };
        let active = req.param("status").is_none_or(|s| s == "active");
        let found: Vec<Value> = self
            .warehouses
            .iter()
            .filter(|_| active && req.param("scrollId").is_none())
            .filter(|w| req.param("name").is_none_or(|name| name == w.name))
            .filter(|w| match id {
                Some(("code", value)) => w.code == value,
                Some((_, value)) => w.network_id == value,
                None => true,
            })
            .map(|w| {
                let mut one = json!({
                    "warehouseId": w.network_id, "code": w.code, "supplierId": SUPPLIER.0,
                    "retailerCode": null, "status": "active", "name": w.name,
                    "address": ["1 Dock Rd"], "city": w.city, "region": w.region,
                    "country": "US", "postal": w.postal, "latitude": null, "longitude": null,
                    "createDate": dates::iso(CREATED_MS), "lastUpdate": dates::iso(CREATED_MS),
                });
                if self.settings.messy {
                    one["zzFutureField"] = json!(true);
                }
                one
            })
            .collect();
        Resp::json(200, &json!({"warehouses": found}))
    }
}
