//! The order object, as streams, pages and single reads give it. Knows no canonical type.

use super::shape;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;
use waybill_sdk::commerce::Decimal;
use waybill_sdk::lenient;

type Text = Option<String>;
type When = Option<i64>;

shape!(
    /// One order.
    Order {
        po_number: Text = "lenient::text",
        dsco_order_id: Text = "lenient::text",
        supplier_order_number: Text = "lenient::text",
        dsco_status: Text = "lenient::text",
        dsco_lifecycle: Text = "lenient::text",
        order_type: Text = "lenient::text",
        test_flag: Option<bool> = "lenient::flag",
        cancel_requested: Option<bool> = "lenient::flag",
        cancel_requested_code: Text = "lenient::text",
        currency_code: Text = "lenient::text",
        dsco_retailer_id: Text = "lenient::text",
        dsco_trading_partner_id: Text = "lenient::text",
        dsco_create_date: When = "lenient::when",
        dsco_last_update: When = "lenient::when",
        retailer_create_date: When = "lenient::when",
        consumer_order_date: When = "lenient::when",
        acknowledge_by_date: When = "lenient::when",
        ship_by_date: When = "lenient::when",
        invoice_by_date: When = "lenient::when",
        cancel_after_date: When = "lenient::when",
        dsco_acknowledge_late_date: When = "lenient::when",
        dsco_ship_late_date: When = "lenient::when",
        dsco_invoice_late_date: When = "lenient::when",
        ship_carrier: Text = "lenient::text",
        ship_method: Text = "lenient::text",
        shipping_service_level_code: Text = "lenient::text",
        dsco_ship_carrier: Text = "lenient::text",
        dsco_ship_method: Text = "lenient::text",
        dsco_shipping_service_level_code: Text = "lenient::text",
        requested_ship_carrier: Text = "lenient::text",
        requested_ship_method: Text = "lenient::text",
        requested_shipping_service_level_code: Text = "lenient::text",
        ship_warehouse_code: Text = "lenient::text",
        dsco_warehouse_code: Text = "lenient::text",
        requested_warehouse_code: Text = "lenient::text",
        extended_expected_cost_total: Option<Decimal> = "lenient::decimal",
        order_total_amount: Option<Decimal> = "lenient::decimal",
        shipping_surcharge: Option<Decimal> = "lenient::decimal",
        shipping: Option<Address> = "lenient::object",
        bill_to: Option<Address> = "lenient::object",
        line_items: Vec<Line> = "lenient::list",
        packages: Vec<Package> = "lenient::list",
    } others others
);

shape!(
    /// A postal address; the deprecated twins of a field are still filled at times.
    Address {
        name: Text = "lenient::text",
        first_name: Text = "lenient::text",
        last_name: Text = "lenient::text",
        company: Text = "lenient::text",
        attention: Text = "lenient::text",
        address: Vec<String> = "lenient::texts",
        address1: Text = "lenient::text",
        address2: Text = "lenient::text",
        city: Text = "lenient::text",
        region: Text = "lenient::text",
        state: Text = "lenient::text",
        postal: Text = "lenient::text",
        country: Text = "lenient::text",
        phone: Text = "lenient::text",
        email: Text = "lenient::text",
    } others others
);

shape!(
    /// One line.
    Line {
        line_number: Option<i64> = "lenient::integer",
        dsco_item_id: Text = "lenient::text",
        sku: Text = "lenient::text",
        partner_sku: Text = "lenient::text",
        upc: Text = "lenient::text",
        ean: Text = "lenient::text",
        gtin: Text = "lenient::text",
        isbn: Text = "lenient::text",
        mpn: Text = "lenient::text",
        title: Text = "lenient::text",
        supplier_title: Text = "lenient::text",
        packing_slip_title: Text = "lenient::text",
        quantity: Option<Decimal> = "lenient::decimal",
        cancelled_quantity: Option<Decimal> = "lenient::decimal",
        rejected_quantity: Option<Decimal> = "lenient::decimal",
        shipped_quantity: Option<Decimal> = "lenient::decimal",
        status: Text = "lenient::text",
        cancel_code: Text = "lenient::text",
        cancel_requested: Option<bool> = "lenient::flag",
        cancel_requested_code: Text = "lenient::text",
        expected_cost: Option<Decimal> = "lenient::decimal",
        acknowledge_by_date: When = "lenient::when",
        ship_by_date: When = "lenient::when",
        invoice_by_date: When = "lenient::when",
        cancel_after_date: When = "lenient::when",
        warehouse_code: Text = "lenient::text",
    } others others
);

shape!(
    /// A parcel that DSCO knows of.
    Package {
        items: Vec<PackedItem> = "lenient::list",
    }
);

shape!(
    /// What is in it.
    PackedItem {
        line_number: Option<i64> = "lenient::integer",
        dsco_item_id: Text = "lenient::text",
        sku: Text = "lenient::text",
        quantity: Option<Decimal> = "lenient::decimal",
    }
);

/// Every other field that holds a text, a number or a truth value, by name: carried and shown, never routed on.
#[derive(Debug, Default)]
pub(crate) struct Others(pub(crate) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Others {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalars;
        impl<'de> Visitor<'de> for Scalars {
            type Value = Others;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("fields")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Others, A::Error> {
                let mut all = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    all.extend(lenient::text_of(&value).map(|text| (name, text)));
                }
                all.sort();
                Ok(Others(all))
            }
        }
        deserializer.deserialize_map(Scalars)
    }
}

shape!(
    /// A page of a search.
    Page {
        scroll_id: Text = "lenient::text",
        orders: Vec<Order> = "lenient::list",
    }
);
