//! Owns the body of a sales-order POST, whose amounts are texts. Borrows its own: they are written once and kept nowhere. Must not know where its
//! values come from.

use serde::Serialize;
use std::borrow::Cow;
use waybill_sdk::commerce::Decimal;
use waybill_sdk::decimal;

/// A sales order to be created, whole and with its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sale<'a> {
    /// The contact who buys.
    pub customer: Id,
    /// The buyer's reference, at most 64 characters.
    #[serde(rename = "ref")]
    pub reference: Cow<'a, str>,
    /// With the instance id, a pair Brightpearl takes once only.
    pub external_ref: String,
    /// This app's instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed_integration_instance_id: Option<i64>,
    /// When it was placed; the vendor's default is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed_on: Option<String>,
    /// The vendor's default is the account's status for new orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_id: Option<i64>,
    /// Which warehouse ships.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warehouse_id: Option<i64>,
    /// Sales channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<i64>,
    /// Who looks after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staff_owner_id: Option<i64>,
    /// Project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<i64>,
    /// Lead source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_source_id: Option<i64>,
    /// Team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_id: Option<i64>,
    /// The vendor's default is the customer's price list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_list_id: Option<i64>,
    /// `INC` or `EXC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_mode_code: Option<&'a str>,
    /// Currency of all amounts.
    pub currency: Currency,
    /// Where and how it goes.
    pub delivery: Delivery<'a>,
    /// Products and charges.
    pub rows: Vec<SaleRow<'a>>,
}

impl Sale<'_> {
    /// Units of the rows that are lines of the order.
    pub fn units(&self) -> std::collections::BTreeMap<String, String> {
        let line =
            |row: &SaleRow<'_>| Some((row.external_ref?.to_owned(), row.quantity.to_string()));
        self.rows.iter().filter_map(line).collect()
    }

    /// The rows that are lines of the order: key at the source, and product.
    pub fn lines(&self) -> Vec<super::sold::SentLine> {
        let line = |row: &SaleRow<'_>| Some((row.external_ref?.to_owned(), row.product_id?));
        self.rows.iter().filter_map(line).collect()
    }
}

/// A record named by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Id {
    /// The id.
    pub id: i64,
}

/// A currency named by its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Currency {
    /// ISO 4217.
    pub code: String,
}

/// Where and how a sale goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery<'a> {
    /// Wanted by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// How it is shipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping_method_id: Option<i64>,
    /// Ship-to.
    pub address: Address<'a>,
}

/// An address on an order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Address<'a> {
    /// Person.
    pub address_full_name: &'a str,
    /// Firm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_name: Option<&'a str>,
    /// Street.
    #[serde(rename = "addressLine1")]
    pub line1: &'a str,
    /// Street, further lines.
    #[serde(rename = "addressLine2", skip_serializing_if = "Option::is_none")]
    pub line2: Option<Cow<'a, str>>,
    /// City.
    #[serde(rename = "addressLine3")]
    pub line3: &'a str,
    /// State or county.
    #[serde(rename = "addressLine4", skip_serializing_if = "Option::is_none")]
    pub line4: Option<&'a str>,
    /// Postcode.
    pub postal_code: &'a str,
    /// ISO 3166-1 alpha-3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_iso_code: Option<&'a str>,
    /// Phone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telephone: Option<&'a str>,
    /// E-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
}

/// A row: a product, or a text with an amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SaleRow<'a> {
    /// The product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_id: Option<i64>,
    /// The text of a row without product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// How many.
    #[serde(serialize_with = "decimal::as_text")]
    pub quantity: Decimal,
    /// Code of the account's tax codes.
    pub tax_code: &'a str,
    /// Line total without tax, at most four digits behind the point.
    #[serde(serialize_with = "decimal::as_text")]
    pub net: Decimal,
    /// Line tax, likewise.
    #[serde(serialize_with = "decimal::as_text")]
    pub tax: Decimal,
    /// The vendor's default comes from the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nominal_code: Option<&'a str>,
    /// Key of the line at its source; comes back with the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_ref: Option<&'a str>,
}
