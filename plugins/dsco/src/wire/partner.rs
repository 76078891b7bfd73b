//! Trading partners and warehouses. Knows no canonical type.

use super::shape;

shape!(
    /// A retailer.
    Partner {
        account_id: Option<String> = text,
        trading_partner_id: Option<String> = text,
        trading_partner_name: Option<String> = text,
        status: Option<String> = word,
    } others others
);

shape!(
    /// A page of warehouses.
    Warehouses {
        scroll_id: Option<String> = text,
        warehouses: Vec<Warehouse> = list,
    }
);

shape!(
    /// A warehouse of the merchant.
    Warehouse {
        code: Option<String> = text,
        name: Option<String> = text,
        status: Option<String> = word,
        last_update: Option<String> = text,
    } others others
);
