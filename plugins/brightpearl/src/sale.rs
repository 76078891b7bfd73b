//! Owns how a canonical order becomes a sale: pure, one order in, one body out. The amounts are the order's own; dates
//! that the order does not give are left to Brightpearl. Must not know how the sale is sent (`sink.rs`).

use crate::address;
use crate::amount;
use crate::settings::Settings;
use crate::wire::ids;
use crate::wire::sale::{Currency, Delivery, Id, Sale, SaleRow};
use std::borrow::Cow;
use waybill_sdk::commerce::{Charge, Decimal, Order, OrderLine};
use waybill_sdk::types::Problem;

/// Longest customer reference.
const REFERENCE: usize = 64;

/// A charge is one of its kind.
const ONE: Decimal = Decimal { units: 1, scale: 0 };

/// Identifier kind under which a line carries the id of its product.
const MAPPED: &str = "mapped";

/// A sale ready to be sent.
pub struct Built<'a> {
    /// The body.
    pub sale: Sale<'a>,
    /// Names of fields that had to be shortened.
    pub shortened: Vec<&'static str>,
}

/// By which a sale is found again. Says nothing of the system the order came from.
pub fn external_ref(key: &str) -> String {
    ["wb-", key].concat()
}

/// Builds the sale of an order whose codes are translated.
pub fn build<'a>(
    key: &str,
    order: &'a Order,
    settings: Settings<'a>,
    instance: Option<i64>,
) -> Result<Built<'a>, Problem> {
    let ship_to = address::fitted(&order.ship_to)?;
    if address::is_blank(&ship_to.address) {
        return Err(Problem::new(
            "no-address",
            "The order names no address to ship to.",
            "Ask the retailer where it goes, then retry; or enter this sale by hand.",
        ));
    }
    let mut shortened = ship_to.shortened;
    let (reference, cut) = reference(&order.number);
    if cut {
        shortened.push("ref");
    }
    let customer = order
        .customer
        .as_deref()
        .ok_or_else(|| untranslated("customers", &order.retailer))?;
    let warehouse_id = match order.warehouse.as_deref() {
        Some(key) => Some(crosswalk_id("warehouses", key)?),
        None => settings.id("warehouse")?,
    };
    let method = order
        .shipping_method
        .as_ref()
        .and_then(|m| m.code.as_deref());
    let shipping_method_id = match method {
        Some(key) => Some(crosswalk_id("shipping-methods", key)?),
        None => settings.id("shipping-method")?,
    };
    let sale = Sale {
        customer: Id {
            id: crosswalk_id("customers", customer)?,
        },
        reference,
        external_ref: external_ref(key),
        installed_integration_instance_id: instance,
        placed_on: order.placed_at.and_then(ids::stamp),
        status_id: settings.id("order-status")?,
        warehouse_id,
        channel_id: settings.id("channel")?,
        staff_owner_id: settings.id("owner")?,
        project_id: settings.id("project")?,
        lead_source_id: settings.id("lead-source")?,
        team_id: settings.id("team")?,
        price_list_id: settings.id("price-list")?,
        price_mode_code: settings.get("price-mode"),
        currency: Currency {
            code: currency(order, settings)?,
        },
        delivery: Delivery {
            date: delivery_date(order, settings),
            shipping_method_id,
            address: ship_to.address,
        },
        rows: rows(order, settings)?,
    };
    Ok(Built { sale, shortened })
}

/// Whether anything of the order is still wanted.
pub fn is_wanted(order: &Order) -> bool {
    order
        .lines
        .iter()
        .any(|line| amount::wanted(line).is_none_or(Decimal::is_positive))
}

fn crosswalk_id(table: &str, value: &str) -> Result<i64, Problem> {
    let id = value.trim().parse().ok().filter(|id: &i64| *id > 0);
    id.ok_or_else(|| {
        Problem::new(
            "not-an-id",
            format!("The table `{table}` says `{value}`, which is no id of Brightpearl."),
            format!("Correct the cell in Matching, {table}: it must be a number."),
        )
    })
}

fn untranslated(table: &str, value: &str) -> Problem {
    Problem::new(
        "untranslated",
        format!("`{value}` has no counterpart in the table `{table}`."),
        format!("Fill the cell in Matching, {table}, then retry."),
    )
}

fn missing(key: &str, label: &str, message: &str) -> Problem {
    Problem::new(
        key,
        message,
        format!("Choose {label} for Brightpearl (Connections, Set up), then retry."),
    )
}

fn currency(order: &Order, settings: Settings<'_>) -> Result<String, Problem> {
    order
        .currency
        .as_deref()
        .map(str::trim)
        .filter(|c| !c.is_empty())
        .or_else(|| settings.get("currency"))
        .map(str::to_ascii_uppercase)
        .ok_or_else(|| missing("currency", "Currency", "The order names no currency."))
}

fn delivery_date(order: &Order, settings: Settings<'_>) -> Option<String> {
    if settings.get("delivery-date") != Some("ship-by") {
        return None;
    }
    order.ship_by.as_ref().and_then(|d| ids::stamp(d.at))
}

/// The PO number, and whether it had to be shortened: both ends are kept, since numbers differ at the end.
fn reference(number: &str) -> (Cow<'_, str>, bool) {
    let number = number.trim();
    let count = number.chars().count();
    if count <= REFERENCE {
        return (number.into(), false);
    }
    let head: String = number.chars().take(REFERENCE - 24).collect();
    let tail: String = number.chars().skip(count - 23).collect();
    (format!("{head}~{tail}").into(), true)
}

fn rows<'a>(order: &'a Order, settings: Settings<'a>) -> Result<Vec<SaleRow<'a>>, Problem> {
    let tax_code = settings.get("tax-code").ok_or_else(|| {
        missing(
            "tax-code",
            "Tax code",
            "No tax code is chosen for new sales.",
        )
    })?;
    let nominal_code = settings.get("nominal-code");
    let mut asked = amount::Sum::default();
    let mut sent = amount::Sum::default();
    let mut rows = Vec::with_capacity(order.lines.len() + order.charges.len());
    for line in &order.lines {
        let amounts = amount::of_line(line)?;
        if !amounts.quantity.is_positive() {
            continue;
        }
        asked.add(amounts.net, amounts.tax)?;
        sent.add(amount::rounded(amounts.net), amount::rounded(amounts.tax))?;
        rows.push(SaleRow {
            product_id: Some(product(line)?),
            name: None,
            quantity: amounts.quantity.normal(),
            tax_code,
            net: amount::in_cents(amounts.net),
            tax: amount::in_cents(amounts.tax),
            nominal_code,
            external_ref: Some(&line.line),
        });
    }
    for charge in &order.charges {
        let (net, tax) = (charge.amount.net, charge.amount.tax);
        if net.is_zero() && tax.is_zero() {
            continue;
        }
        asked.add(net, tax)?;
        sent.add(amount::rounded(net), amount::rounded(tax))?;
        rows.push(charge_row(charge, tax_code, settings));
    }
    sent.must_equal(&asked)?;
    Ok(rows)
}

fn product(line: &OrderLine) -> Result<i64, Problem> {
    let key = line
        .identifiers
        .iter()
        .find(|i| i.kind == MAPPED)
        .map(|i| i.value.as_str())
        .ok_or_else(|| untranslated("items", &line.title))?;
    crosswalk_id("items", key)
}

fn charge_row<'a>(charge: &'a Charge, tax_code: &'a str, settings: Settings<'a>) -> SaleRow<'a> {
    let title = charge.title.trim();
    let name = if title.is_empty() {
        &charge.kind
    } else {
        title
    };
    let own = ["nominal-", &charge.kind].concat();
    let nominal = settings.get(&own).or_else(|| settings.get("nominal-code"));
    SaleRow {
        product_id: None,
        name: Some(name),
        quantity: ONE,
        tax_code: settings.get("charge-tax-code").unwrap_or(tax_code),
        net: amount::in_cents(charge.amount.net),
        tax: amount::in_cents(charge.amount.tax),
        nominal_code: nominal,
        external_ref: None,
    }
}
