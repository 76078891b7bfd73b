//! The order object, as streams, pages and single reads give it. Knows no canonical type.

use super::shape;
use serde::Deserialize;
use waybill_sdk::commerce::Decimal;
use waybill_sdk::lenient;

type Text = Option<String>;
type When = Option<i64>;

shape!(
    /// One order.
    Order {
        po_number: Text = text,
        dsco_order_id: Text = text,
        supplier_order_number: Text = text,
        dsco_status: Text = word,
        dsco_lifecycle: Text = word,
        order_type: Text = text,
        test_flag: Option<bool> = flag,
        cancel_requested: Option<bool> = flag,
        cancel_requested_code: Text = text,
        currency_code: Text = text,
        dsco_retailer_id: Text = text,
        dsco_trading_partner_id: Text = text,
        dsco_create_date: When = when,
        dsco_last_update: When = when,
        retailer_create_date: When = when,
        consumer_order_date: When = when,
        acknowledge_by_date: When = when,
        ship_by_date: When = when,
        invoice_by_date: When = when,
        cancel_after_date: When = when,
        dsco_acknowledge_late_date: When = when,
        dsco_ship_late_date: When = when,
        dsco_invoice_late_date: When = when,
        ship_carrier: Text = text,
        ship_method: Text = text,
        shipping_service_level_code: Text = text,
        dsco_ship_carrier: Text = text,
        dsco_ship_method: Text = text,
        dsco_shipping_service_level_code: Text = text,
        requested_ship_carrier: Text = text,
        requested_ship_method: Text = text,
        requested_shipping_service_level_code: Text = text,
        ship_warehouse_code: Text = text,
        dsco_warehouse_code: Text = text,
        requested_warehouse_code: Text = text,
        extended_expected_cost_total: Option<Decimal> = decimal,
        order_total_amount: Option<Decimal> = decimal,
        shipping_surcharge: Option<Decimal> = decimal,
        amount_of_sales_tax_collected: Option<Decimal> = decimal,
        shipping: Option<Address> = object,
        bill_to: Option<Address> = object,
        line_items: Vec<Line> = list,
        packages: Vec<Package> = list,
    } others others
);

shape!(
    /// A postal address; the deprecated twins of a field are still filled at times.
    Address {
        name: Text = text,
        first_name: Text = text,
        last_name: Text = text,
        company: Text = text,
        attention: Text = text,
        address: Vec<String> = texts,
        address1: Text = text,
        address2: Text = text,
        city: Text = text,
        region: Text = text,
        state: Text = text,
        postal: Text = text,
        country: Text = text,
        phone: Text = text,
        email: Text = text,
    } others others
);

shape!(
    /// One line.
    Line {
        line_number: Option<i64> = integer,
        dsco_item_id: Text = text,
        sku: Text = text,
        partner_sku: Text = text,
        upc: Text = text,
        ean: Text = text,
        gtin: Text = text,
        isbn: Text = text,
        mpn: Text = text,
        title: Text = text,
        supplier_title: Text = text,
        packing_slip_title: Text = text,
        quantity: Option<Decimal> = decimal,
        cancelled_quantity: Option<Decimal> = decimal,
        rejected_quantity: Option<Decimal> = decimal,
        shipped_quantity: Option<Decimal> = decimal,
        status: Text = word,
        cancel_code: Text = text,
        cancel_requested: Option<bool> = flag,
        cancel_requested_code: Text = text,
        expected_cost: Option<Decimal> = decimal,
        handling_amount: Option<Decimal> = decimal,
        shipping_surcharge: Option<Decimal> = decimal,
        acknowledge_by_date: When = when,
        ship_by_date: When = when,
        invoice_by_date: When = when,
        cancel_after_date: When = when,
        warehouse_code: Text = text,
    } others others
);

shape!(
    /// A parcel that DSCO knows of.
    Package {
        tracking_number: Text = text,
        ship_date: When = when,
        items: Vec<PackedItem> = list,
    }
);

shape!(
    /// What is in it.
    PackedItem {
        line_number: Option<i64> = integer,
        dsco_item_id: Text = text,
        sku: Text = text,
        partner_sku: Text = text,
        upc: Text = text,
        ean: Text = text,
        quantity: Option<Decimal> = decimal,
        package_span_flag: Option<bool> = flag,
    }
);

/// A page of a search.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Page {
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) scroll_id: Option<String>,
    #[serde(deserialize_with = "lenient::list")]
    pub(crate) orders: Vec<Order>,
}
