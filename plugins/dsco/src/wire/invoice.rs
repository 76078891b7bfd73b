//! Invoices as DSCO gives them back, as far as they are recognised by it. Knows no canonical type.

use super::shape;
use waybill_sdk::commerce::Decimal;

shape!(
    /// The answer to a look-up.
    Invoices {
        invoices: Vec<Invoice> = list,
    }
);

shape!(
    /// One invoice.
    Invoice {
        invoice_id: Option<String> = text,
        dsco_order_id: Option<String> = text,
        po_number: Option<String> = text,
        invoice_date: Option<i64> = when,
        currency_code: Option<String> = text,
        total_amount: Option<Decimal> = decimal,
        line_items: Vec<Line> = list,
    }
);

shape!(
    /// A line of it.
    Line {
        quantity: Option<Decimal> = decimal,
    }
);
