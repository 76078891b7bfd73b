//! Trading partners and warehouses. Knows no canonical type.

use super::shape;
use waybill_sdk::lenient;

shape!(
    /// A retailer.
    Partner {
        account_id: Option<String> = "lenient::text",
        trading_partner_id: Option<String> = "lenient::text",
        trading_partner_name: Option<String> = "lenient::text",
        status: Option<String> = "lenient::text",
    } others others
);

shape!(
    /// A page of warehouses.
    Warehouses {
        scroll_id: Option<String> = "lenient::text",
        warehouses: Vec<Warehouse> = "lenient::list",
    }
);

shape!(
    /// A warehouse of the merchant.
    Warehouse {
        code: Option<String> = "lenient::text",
        name: Option<String> = "lenient::text",
        status: Option<String> = "lenient::text",
        last_update: Option<String> = "lenient::text",
    } others others
);
