//! Owns the account's lists: statuses, types, methods, warehouses, channels, codes. They only change by control. It must
//! not know orders.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::envelope::{Answer, Refusal, Reply, number};
use super::idset::IdSet;
use crate::catalogue::{FIRST_METHOD, SERVICES, WAREHOUSES};

/// Status that new orders get when none is given.
pub(super) const STATUS_NEW: i64 = 3;
/// The account's invoiced status.
pub(super) const STATUS_INVOICED: i64 = 4;
/// The account's cancelled status.
pub(super) const STATUS_CANCELLED: i64 = 5;

/// A status of an order.
#[derive(Debug, Clone)]
pub(super) struct Status {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) order_type: &'static str,
    pub(super) disabled: bool,
}

/// Currency codes of the account with their ids; the first is the accounting currency.
pub(super) const CURRENCIES: [(i64, &str, &str); 4] = [
    (1, "USD", "$"),
    (2, "GBP", "\u{a3}"),
    (3, "EUR", "\u{20ac}"),
    (4, "CAD", "$"),
];

/// All lists.
#[derive(Debug)]
pub(super) struct Lists {
    pub(super) statuses: Vec<Status>,
    /// Contacts who may look after a sale.
    pub(super) staff: Vec<i64>,
    pub(super) fixed: BTreeMap<&'static str, Vec<Value>>,
}

impl Lists {
    pub(super) fn seeded() -> Self {
        let fixed = BTreeMap::from([
            ("order-type", coded(&ORDER_TYPES)),
            ("order-stock-status", coded(&STOCK_STATUSES)),
            ("order-shipping-status", coded(&SHIPPING_STATUSES)),
            ("shipping-method", shipping_methods()),
            ("warehouse", warehouses()),
            ("tax-code", tax_codes()),
            ("nominal-code", nominal_codes()),
            ("channel", channels()),
            ("price-list", price_lists()),
            ("payment-method", payment_methods()),
            ("lead-source", lead_sources()),
            ("brand", brands()),
        ]);
        Self {
            statuses: statuses(),
            staff: vec![super::account::STAFF_ID],
            fixed,
        }
    }

    /// A list, or the part of it that an id set names.
    pub(super) fn list(&self, name: &str, set: Option<&str>) -> Answer {
        let all = match name {
            "order-status" => self.statuses.iter().enumerate().map(status_view).collect(),
            name => self.fixed.get(name).cloned().unwrap_or_default(),
        };
        let Some(set) = set else {
            return Ok(Reply::ok(all));
        };
        let key = if name == "order-status" {
            "statusId"
        } else {
            "id"
        };
        let ids = IdSet::parse(set)
            .ok_or_else(|| Refusal::bad("CMNC-011", format!("Invalid ID set: {set}")))?;
        let some: Vec<Value> = all
            .into_iter()
            .filter(|item| item[key].as_i64().is_some_and(|id| ids.contains(id)))
            .collect();
        if some.is_empty() {
            return Err(Refusal::missing(format!("No {name} found in ID Set {set}")));
        }
        Ok(Reply::ok(some))
    }

    pub(super) fn has(&self, name: &str, id: i64) -> bool {
        self.fixed
            .get(name)
            .is_some_and(|list| list.iter().any(|item| item["id"] == id))
    }

    pub(super) fn has_code(&self, name: &str, code: &str) -> bool {
        self.fixed
            .get(name)
            .is_some_and(|list| list.iter().any(|item| item["code"] == code))
    }

    pub(super) fn status(&self, id: i64) -> Option<&Status> {
        self.statuses.iter().find(|status| status.id == id)
    }

    pub(super) fn is_staff(&self, id: i64) -> bool {
        self.staff.contains(&id)
    }

    /// What a sale gets that names none: the usual one, else the first there is.
    pub(super) fn usual(&self, name: &str, usual: i64) -> i64 {
        let first = || self.fixed.get(name)?.first()?["id"].as_i64();
        if self.has(name, usual) {
            usual
        } else {
            first().unwrap_or(usual)
        }
    }
}

/// Id and rate of a tax code.
pub(super) fn tax_code(code: &str) -> Option<(i64, Decimal)> {
    match code {
        "T" => Some((2, Decimal::from(10))),
        "Z" => Some((1, Decimal::ZERO)),
        _ => None,
    }
}

/// The numeric id of a code in one of the code tables; 0 when unknown.
pub(super) fn code_id(table: &[(i64, &str, &str)], code: &str) -> i64 {
    table
        .iter()
        .find(|(_, c, _)| *c == code)
        .map_or(0, |(id, ..)| *id)
}

/// Order types.
pub(super) const ORDER_TYPES: [(i64, &str, &str); 4] = [
    (1, "SO", "SALES_ORDER"),
    (2, "PO", "PURCHASE_ORDER"),
    (3, "SC", "SALES_CREDIT"),
    (4, "PC", "PURCHASE_CREDIT"),
];

/// Fulfilment statuses.
pub(super) const STOCK_STATUSES: [(i64, &str, &str); 13] = [
    (1, "SON", "Not fulfilled"),
    (2, "SOP", "Part fulfilled"),
    (3, "SOA", "All fulfilled"),
    (4, "PON", "Not received"),
    (5, "POP", "Part received"),
    (6, "POA", "All received"),
    (7, "SCN", "Not returned"),
    (8, "SCP", "Part returned"),
    (9, "SCA", "All returned"),
    (10, "PCN", "Not sent back"),
    (11, "PCP", "Part sent back"),
    (12, "PCA", "All sent back"),
    (13, "NON", "Unset"),
];

/// Shipping statuses.
pub(super) const SHIPPING_STATUSES: [(i64, &str, &str); 4] = [
    (1, "NST", "No stock tracked products"),
    (2, "SNS", "Stock not shipped"),
    (3, "SPS", "Stock part shipped"),
    (4, "ASS", "All stock shipped"),
];

/// Payment statuses; the ids 1 to 4 are this sandbox's own.
pub(super) const PAYMENT_STATUSES: [(i64, &str, &str); 4] = [
    (1, "UNPAID", "UNPAID"),
    (2, "PARTIALLY_PAID", "PARTIALLY_PAID"),
    (3, "PAID", "PAID"),
    (5, "NOT_APPLICABLE", "NOT_APPLICABLE"),
];

fn coded(table: &[(i64, &str, &str)]) -> Vec<Value> {
    let row = |(id, code, text): &(i64, &str, &str)| json!({ "id": id, "code": code, "description": text });
    table.iter().map(row).collect()
}

fn statuses() -> Vec<Status> {
    let seed: [(i64, &str, &'static str, bool); 12] = [
        (1, "Draft / Quote", "SO", false),
        (2, "Quote sent", "SO", false),
        (3, "New phone order", "SO", false),
        (4, "Invoiced", "SO", false),
        (5, "Cancelled", "SO", false),
        (19, "Packed", "SO", false),
        (22, "New DSCO order", "SO", false),
        (23, "DSCO shipped", "SO", false),
        (24, "Old web order", "SO", true),
        (6, "Pending PO", "PO", false),
        (10, "Sales credit", "SC", false),
        (12, "Purchase credit", "PC", false),
    ];
    seed.map(|(id, name, order_type, disabled)| Status {
        id,
        name: name.to_owned(),
        order_type,
        disabled,
    })
    .into()
}

fn status_view((index, status): (usize, &Status)) -> Value {
    let state = match status.id {
        1 | 2 => "draft",
        STATUS_INVOICED => "invoiced",
        STATUS_CANCELLED => "cancelled",
        _ => "open",
    };
    json!({
        "statusId": status.id, "name": status.name, "orderTypeCode": status.order_type, "sortOrder": index,
        "disabled": status.disabled, "visible": false, "color": "#E7E6E4", "remindAfterDays": 10,
        "alertEmails": [], "emailContent": "", "batchProcess": false, "state": state,
    })
}

fn shipping_methods() -> Vec<Value> {
    let mut out = Vec::new();
    for (id, service) in (FIRST_METHOD..).zip(SERVICES) {
        let mut method = json!({
            "id": id, "name": format!("{} {}", service.carrier, service.method), "code": service.code,
            "breaks": "10,100,250,1000,100000", "methodType": 1, "additionalInformationRequired": false,
        });
        if service.carrier != "Generic" {
            method["carrier"] = json!(service.carrier);
        }
        out.push(method);
    }
    out
}

fn warehouses() -> Vec<Value> {
    let view = |w: crate::catalogue::Warehouse| {
        json!({
            "id": w.erp_id, "name": w.name, "typeCode": "warehouse", "typeDescription": "Warehouse",
            "address": { "addressId": w.erp_id }, "clickAndCollectEnabled": false,
        })
    };
    WAREHOUSES.map(view).into()
}

fn tax_codes() -> Vec<Value> {
    vec![
        json!({ "id": 2, "code": "T", "description": "Taxable", "rate": number("10.0000") }),
        json!({ "id": 1, "code": "Z", "description": "Exempt" }),
    ]
}

fn nominal_codes() -> Vec<Value> {
    let seed = [
        (1, "4000", "Sales"),
        (2, "4040", "Shipping income"),
        (3, "4050", "Discounts given"),
        (4, "1001", "Stock"),
        (5, "1100", "Accounts receivable"),
        (6, "1220", "Bank"),
        (7, "5000", "Cost of goods"),
    ];
    seed.map(|(id, code, name)| {
        json!({
            "id": id, "code": code, "name": name, "type": { "id": 1 }, "bank": code == "1220", "expense": false,
            "discount": code == "4050", "editable": true, "active": true, "taxCode": 0, "description": "",
            "chartMapCode": "", "reconcile": false,
        })
    })
    .into()
}

fn channels() -> Vec<Value> {
    let seed = [(1, "Direct", 1), (3, "DSCO", 2), (7, "Marketplace", 2)];
    seed.map(|(id, name, kind)| {
        let mut channel = json!({
            "id": id, "name": name, "channelTypeId": kind, "defaultWarehouseId": 2, "contactGroupId": 0,
            "defaultPriceListId": 2, "channelBrandId": 1, "warehouseIds": [2, 3], "showInChannelMenu": true,
        });
        if kind == 2 {
            channel["integrationDetail"] = json!({
                "installedIntegrationId": 1, "configSetId": 2, "providerCode": "other",
                "integrationTypeCode": "MKP", "active": true,
            });
        }
        channel
    })
    .into()
}

fn price_lists() -> Vec<Value> {
    let seed = [
        (1, "Cost price", "COST", 1, "BUY", false),
        (2, "Retail", "RET", 1, "SELL", true),
        (3, "Wholesale", "WHS", 1, "SELL", false),
        (4, "Retail GBP", "RETGBP", 2, "SELL", true),
    ];
    seed.map(|(id, name, code, currency, kind, gross)| {
        let (symbol, iso) = CURRENCIES
            .iter()
            .find(|(number, ..)| *number == currency)
            .map_or(("$", "USD"), |(_, iso, symbol)| (*symbol, *iso));
        json!({
            "id": id, "name": { "languageCode": "en", "text": name, "format": "PLAINTEXT" }, "code": code,
            "currencyCode": iso, "currencySymbol": symbol, "currencyId": currency,
            "priceListTypeCode": kind, "gross": gross,
        })
    })
    .into()
}

fn payment_methods() -> Vec<Value> {
    vec![json!({
        "id": 1, "name": "Bank", "code": "1220", "isActive": true, "installedIntegrationId": 0,
        "bankAccounts": [{ "currencyId": 1, "currencyIsoCode": "USD", "bankAccountNominalCode": "1220" }],
    })]
}

fn lead_sources() -> Vec<Value> {
    [(1, "Web"), (2, "DSCO")]
        .map(|(id, name)| json!({ "id": id, "name": name, "parentId": 0, "isActive": true }))
        .into()
}

fn brands() -> Vec<Value> {
    [(74, "House brand"), (75, "Other")]
        .map(|(id, name)| json!({ "id": id, "name": name, "description": "" }))
        .into()
}
