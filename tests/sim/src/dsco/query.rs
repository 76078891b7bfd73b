//! Owns a stream's query: what it accepts and which events pass. Filters combine with AND. Must not know streams.

use serde_json::Value;

use super::events::{Event, What};
use super::order::{Lifecycle, Status};

/// A read query.
#[derive(Debug, Default)]
pub(crate) struct Query {
    /// Include or exclude, by account or by partner id.
    who: Option<(bool, bool, Vec<String>)>,
    statuses: Vec<String>,
    order_types: Vec<String>,
    lifecycles: Vec<String>,
    only_cancel_requests: bool,
    /// Asks for changes the sandbox never makes (estimated ship dates, assortments).
    never: bool,
}

impl Query {
    /// Reads the query of a stream of this type.
    ///
    /// # Errors
    /// A sentence naming the field that is not valid.
    pub(crate) fn parse(object_type: &str, query: &Value) -> Result<Self, String> {
        if query["queryType"] != object_type {
            return Err("queryType must match objectType".to_owned());
        }
        let mut parsed = Self {
            who: who(query)?,
            ..Self::default()
        };
        match object_type {
            "order" => {
                parsed.statuses = texts(query, "statuses", Status::known)?.unwrap_or_default();
                parsed.lifecycles =
                    texts(query, "dscoLifecycle", Lifecycle::known)?.unwrap_or_default();
                let type_known = |t: &str| matches!(t, "dropship" | "wholesale" | "marketplace");
                parsed.order_types = texts(query, "orderTypes", type_known)?
                    .unwrap_or_else(|| vec!["dropship".to_owned()]);
                parsed.only_cancel_requests = flag(query, "onlyIncludeCancelRequests")?;
                parsed.never =
                    flag(query, "estimatedShipDateUpdate")? || query["assortmentId"].is_string();
            }
            "orderitemchange" => {
                let known = |s: &str| matches!(s, "shipped" | "cancelled");
                parsed.statuses = texts(query, "statuses", known)?.unwrap_or_default();
            }
            "validation" if !query["workflow"].is_array() => {
                return Err("workflow is required".to_owned());
            }
            _ => {}
        }
        Ok(parsed)
    }

    /// Whether a stream of this type delivers the event.
    pub(crate) fn matches(&self, object_type: &str, event: &Event) -> bool {
        let order = &event.snapshot;
        let has = |list: &[String], value: &str| list.is_empty() || list.iter().any(|v| v == value);
        if let Some((include, by_account, ids)) = &self.who {
            let id = if *by_account {
                order.account
            } else {
                order.partner
            };
            if ids.iter().any(|wanted| wanted == id) != *include {
                return false;
            }
        }
        match (&event.what, object_type) {
            (What::Order { cancel_request, .. }, "order") => {
                !self.never
                    && *cancel_request == self.only_cancel_requests
                    && has(&self.statuses, order.status.text())
                    && has(&self.lifecycles, order.lifecycle.text())
                    && has(&self.order_types, &order.order_type)
            }
            (What::Item { status, .. }, "orderitemchange") => has(&self.statuses, status),
            _ => false,
        }
    }
}

fn who(query: &Value) -> Result<Option<(bool, bool, Vec<String>)>, String> {
    let kinds = [
        ("dscoIncludeAccountIds", true, true),
        ("dscoExcludeAccountIds", false, true),
        ("dscoIncludeTradingPartnerIds", true, false),
        ("dscoExcludeTradingPartnerIds", false, false),
    ];
    let mut found = None;
    for (name, include, by_account) in kinds {
        let Some(ids) = texts(query, name, |_| true)? else {
            continue;
        };
        if found.is_some() {
            return Err("only one of the account and partner filters may be given".to_owned());
        }
        found = Some((include, by_account, ids));
    }
    Ok(found)
}

fn texts(
    query: &Value,
    name: &str,
    known: impl Fn(&str) -> bool,
) -> Result<Option<Vec<String>>, String> {
    let list = match &query[name] {
        Value::Null => return Ok(None),
        Value::Array(list) => list,
        _ => return Err(format!("{name} must be an array")),
    };
    let texts: Option<Vec<String>> = list
        .iter()
        .map(|v| v.as_str().filter(|text| known(text)).map(str::to_owned))
        .collect();
    texts
        .map(Some)
        .ok_or_else(|| format!("{name} holds a value that is not valid"))
}

fn flag(query: &Value, name: &str) -> Result<bool, String> {
    match &query[name] {
        Value::Null => Ok(false),
        Value::Bool(flag) => Ok(*flag),
        _ => Err(format!("{name} must be true or false")),
    }
}
