//! Owns Brightpearl's small reference lists: statuses, channels, price lists, tax codes and their like.
//! Must not know which setting they answer.

use super::ids;
use serde_json::Value;

/// One entry of a list, as far as a person chooses by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What a sale names it by: an id, or a code for tax codes and nominal codes.
    pub value: String,
    /// What people call it.
    pub label: String,
    /// May not be used for new sales.
    pub disabled: bool,
}

/// The lists a setting may be chosen from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Statuses of sales orders.
    OrderStatus,
    /// Sales channels.
    Channel,
    /// Price lists to sell by.
    PriceList,
    /// Tax codes.
    TaxCode,
    /// Nominal codes.
    NominalCode,
    /// Warehouses.
    Warehouse,
    /// Shipping methods.
    ShippingMethod,
    /// Lead sources.
    LeadSource,
    /// Custom fields of products.
    ProductField,
}

impl List {
    /// Where it is read.
    pub const fn path(self) -> &'static str {
        match self {
            Self::OrderStatus => "/order-service/order-status",
            Self::Channel => "/product-service/channel",
            Self::PriceList => "/product-service/price-list",
            Self::TaxCode => "/accounting-service/tax-code",
            Self::NominalCode => "/accounting-service/nominal-code",
            Self::Warehouse => "/warehouse-service/warehouse",
            Self::ShippingMethod => "/warehouse-service/shipping-method",
            Self::LeadSource => "/contact-service/lead-source",
            Self::ProductField => "/product-service/product/custom-field-meta-data",
        }
    }

    /// The entries of the value under `response`. Entries without an id are left out; a map by id is read like a list.
    pub fn entries(self, response: &Value) -> Vec<Entry> {
        items(response)
            .filter_map(|item| self.entry(item))
            .collect()
    }

    fn entry(self, item: &Value) -> Option<Entry> {
        let text = |name: &str| item.get(name).and_then(ids::text);
        let flag = |name: &str| item.get(name).and_then(Value::as_bool);
        let id = || {
            ["id", "statusId", "leadSourceId"]
                .iter()
                .find_map(|name| item.get(name).and_then(ids::whole))
                .map(|id| id.to_string())
        };
        let named = |value: String, label: Option<String>, disabled: bool| Entry {
            label: label.unwrap_or_else(|| value.clone()),
            value,
            disabled,
        };
        let entry = match self {
            Self::OrderStatus => {
                if text("orderTypeCode").is_some_and(|code| code != "SO") {
                    return None;
                }
                named(id()?, text("name"), flag("disabled").unwrap_or(false))
            }
            Self::Channel | Self::Warehouse => named(id()?, text("name"), false),
            Self::LeadSource => named(id()?, text("name"), flag("active") == Some(false)),
            Self::PriceList => {
                let label = item.pointer("/name/text").and_then(ids::text);
                let label = label.or_else(|| text("name")).or_else(|| text("code"));
                let label = label.map(|l| match text("currencyCode") {
                    Some(currency) => format!("{l} ({currency})"),
                    None => l,
                });
                let buys = text("priceListTypeCode").is_some_and(|code| code != "SELL");
                named(id()?, label, buys)
            }
            Self::TaxCode => {
                let code = text("code")?;
                let label = text("description").map(|d| format!("{code}: {d}"));
                named(code, label, false)
            }
            Self::NominalCode => {
                let code = text("code")?;
                let label = text("name").map(|n| format!("{code}: {n}"));
                named(code, label, flag("active") == Some(false))
            }
            Self::ShippingMethod => {
                let label = match (text("name"), text("code")) {
                    (Some(name), Some(code)) => Some(format!("{name} ({code})")),
                    (name, code) => name.or(code),
                };
                named(id()?, label, false)
            }
            Self::ProductField => {
                let code = text("code")?;
                let label = text("name").map(|n| format!("{n} ({code})"));
                named(code, label, false)
            }
        };
        Some(entry)
    }
}

/// The items of a list, or the values of a map.
pub fn items(response: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match response {
        Value::Array(list) => Box::new(list.iter()),
        Value::Object(map) => Box::new(map.values()),
        _ => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn labels(list: List, response: &Value) -> Vec<(String, String, bool)> {
        let each = list.entries(response).into_iter();
        each.map(|e| (e.value, e.label, e.disabled)).collect()
    }

    #[test]
    fn statuses_of_other_order_types_are_left_out() {
        let list = json!([
            {"statusId": 22, "name": "New order", "orderTypeCode": "SO", "disabled": false, "visible": true},
            {"statusId": 5, "name": "Old", "orderTypeCode": "SO", "disabled": true},
            {"statusId": 6, "name": "Pending PO", "orderTypeCode": "PO", "disabled": false},
        ]);
        assert_eq!(
            labels(List::OrderStatus, &list),
            [
                ("22".into(), "New order".into(), false),
                ("5".into(), "Old".into(), true)
            ]
        );
    }

    #[test]
    fn codes_and_nested_names_are_read() {
        let prices = json!([
            {"id": 1, "name": {"languageCode": "en", "text": "Retail"}, "code": "RET", "currencyCode": "USD", "priceListTypeCode": "SELL"},
            {"id": 2, "name": {"text": "Cost"}, "priceListTypeCode": "BUY"},
        ]);
        assert_eq!(
            labels(List::PriceList, &prices),
            [
                ("1".into(), "Retail (USD)".into(), false),
                ("2".into(), "Cost".into(), true)
            ]
        );
        let tax = json!([{"id": 2, "code": "T", "description": "Taxable", "rate": 10.0}, {"id": 1, "code": "Z"}]);
        assert_eq!(
            labels(List::TaxCode, &tax),
            [
                ("T".into(), "T: Taxable".into(), false),
                ("Z".into(), "Z".into(), false)
            ]
        );
        let nominal = json!([{"id": 1, "code": "4000", "name": "Sales", "active": true}, {"id": 2, "code": "4999", "active": false}]);
        assert!(labels(List::NominalCode, &nominal)[1].2);
    }

    #[test]
    fn a_map_by_id_is_read_like_a_list() {
        let map = json!({"3": {"id": 3, "name": "Web"}, "4": {"name": "no id"}});
        assert_eq!(
            labels(List::LeadSource, &map),
            [("3".into(), "Web".into(), false)]
        );
    }
}
