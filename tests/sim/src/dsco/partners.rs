//! Owns `GET /tradingpartner`: a static list. Must not know orders.

use serde_json::{Value, json};

use super::sandbox::Sandbox;
use super::{answers, dates};
use crate::vendor::{Req, Resp};

/// When the partnerships became active.
const ACTIVE_MS: i64 = 1_710_000_000_000;

impl Sandbox {
    /// All partners, or those of one kind of filter.
    pub(crate) fn partners(&self, _now: i64, req: &Req) -> Resp {
        let kinds = ["status", "accountId", "tradingPartnerId"];
        if kinds
            .iter()
            .filter(|kind| req.param(kind).is_some())
            .count()
            > 1
        {
            return answers::plain(400, "Only one kind of filter may be given");
        }
        let wanted = |name: &str, value: &str| {
            req.param(name).is_none() || req.query.iter().any(|(n, v)| n == name && v == value)
        };
        let found: Vec<Value> = self
            .retailers
            .iter()
            .filter(|r| {
                wanted("status", r.status)
                    && wanted("accountId", r.account_id)
                    && wanted("tradingPartnerId", r.partner_id)
            })
            .map(|r| {
                let mut one = json!({
                    "accountId": r.account_id, "tradingPartnerId": r.partner_id,
                    "tradingPartnerName": r.name, "status": r.status,
                    "defaultRetailModel": "dropship",
                    "activeDate": (r.status == "active").then(|| dates::iso(ACTIVE_MS)),
                    "terminateDate": null,
                });
                if self.settings.messy {
                    one["accountId"] = json!(r.account_id.parse::<u64>().unwrap_or(0));
                    one["zzFutureField"] = json!({});
                }
                one
            })
            .collect();
        Resp::json(200, &Value::Array(found))
    }
}
