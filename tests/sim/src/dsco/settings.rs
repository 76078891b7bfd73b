//! Owns what can be turned on the sandbox: delays, credentials, rules per retailer, switches for behaviour that is not
//! documented. Must not know orders.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What to do with a tracking number that is already known with other lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SameTracking {
    Replace,
    Reject,
    Add,
}

/// How much of an order must be shipped or cancelled at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FillKill {
    #[default]
    None,
    Order,
    Line,
}

/// What a retailer lets the supplier invoice at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum InvoicePolicy {
    /// Whatever is shipped.
    #[default]
    Any,
    None,
    /// One invoice per order.
    Order,
    /// One per parcel, with its tracking number.
    Shipment,
    WholeLines,
}

/// Rules of one retailer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RetailerRules {
    pub(crate) fill_kill: FillKill,
    /// When set, only these cancel codes are accepted.
    pub(crate) cancel_codes: Option<Vec<String>>,
    pub(crate) refuse_generic_codes: bool,
    pub(crate) refuse_unknown_codes: bool,
    pub(crate) require_warehouse: bool,
    /// Fields every shipment must carry beyond the schema's: `poNumber`, a parcel's own (`shipDate`, `shipCarrier`,
    /// `shipMethod`, `shippingServiceLevelCode`, `shipWeight`), or a line's (`sku`, `lineNumber`).
    pub(crate) require: Vec<String>,
    pub(crate) invoices: InvoicePolicy,
    /// Fields every invoice must carry: its own, a line's (`sku`, `lineNumber`), or `ship.trackingNumber`.
    pub(crate) require_invoice: Vec<String>,
    /// When set, an invoice may carry these fields only.
    pub(crate) invoice_fields: Option<Vec<String>>,
    /// Refuse what does not add up, instead of a warning.
    pub(crate) refuse_wrong_totals: bool,
}

/// All settings; the control side merges a JSON object into them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// From received to created.
    pub(crate) d1_ms: i64,
    /// From an accepted write to its effect.
    pub(crate) d2_ms: i64,
    /// From a change to its visibility: between `d3_ms` and `d3_max_ms`.
    pub(crate) d3_ms: i64,
    pub(crate) d3_max_ms: i64,
    /// From an effect to its change log entry.
    pub(crate) log_lag_ms: i64,
    pub(crate) log_page_size: usize,
    /// Write a `pending` log entry first.
    pub(crate) pending_first: bool,
    pub(crate) token_life_s: i64,
    /// Deliver tokens percent-encoded.
    pub(crate) encoded_token: bool,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) static_token: Option<String>,
    pub(crate) limits: bool,
    /// Nulls, `{}`, numbers for strings, unknown fields, arrays for text.
    pub(crate) messy: bool,
    /// Deliver stream events of orders that are only `received`.
    pub(crate) received_events: bool,
    /// Deliver event ids percent-encoded.
    pub(crate) encoded_positions: bool,
    /// How likely a stream page delivers its first event twice.
    pub(crate) duplicate_chance: f64,
    /// Whether a cancel request moves `dscoLastUpdate`.
    pub(crate) cancel_request_updates: bool,
    /// `POST /order/item/cancel` answers 200 (true) or 202.
    pub(crate) sync_cancel: bool,
    pub(crate) same_tracking: SameTracking,
    /// Whether an item nobody knows can only be made with a UPC, EAN or GTIN.
    pub(crate) new_item_needs_code: bool,
    pub(crate) max_body: usize,
    pub(crate) retailers: BTreeMap<String, RetailerRules>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            d1_ms: 1000,
            d2_ms: 1000,
            d3_ms: 2000,
            d3_max_ms: 5000,
            log_lag_ms: 500,
            log_page_size: 500,
            pending_first: false,
            token_life_s: 3600,
            encoded_token: false,
            client_id: "sandbox-client".to_owned(),
            client_secret: "sandbox-secret".to_owned(),
            static_token: Some("sandbox-static-token".to_owned()),
            limits: true,
            messy: false,
            received_events: false,
            encoded_positions: false,
            duplicate_chance: 0.0,
            cancel_request_updates: true,
            sync_cancel: true,
            same_tracking: SameTracking::Reject,
            new_item_needs_code: true,
            max_body: 5 * 1024 * 1024,
            retailers: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// The settings with the fields of `change` put in; unknown names are refused.
    pub(crate) fn merged(&self, change: &Value) -> Result<Self, String> {
        let mut all = serde_json::to_value(self).map_err(|e| e.to_string())?;
        let (Some(all_fields), Some(fields)) = (all.as_object_mut(), change.as_object()) else {
            return Err("settings must be an object".to_owned());
        };
        for (name, value) in fields {
            all_fields.insert(name.clone(), value.clone());
        }
        let merged: Self = serde_json::from_value(all).map_err(|e| e.to_string())?;
        if merged.d1_ms < 0 || merged.d2_ms < 0 || merged.d3_ms < 0 || merged.log_lag_ms < 0 {
            return Err("delays must be at least 0".to_owned());
        }
        if merged.log_page_size == 0 {
            return Err("`log_page_size` must be at least 1".to_owned());
        }
        Ok(merged)
    }

    /// Rules of one retailer.
    pub(crate) fn rules(&self, account: &str) -> RetailerRules {
        self.retailers.get(account).cloned().unwrap_or_default()
    }
}
