//! What is sent, as rows of a file: the same objects that the API takes, one row per line. Knows no server.

use serde_json::Value;
use std::collections::BTreeMap;

/// The cells of a row, by column.
pub(crate) type Cells = BTreeMap<&'static str, String>;

/// Stands for the column that the settings name.
pub(crate) const CODE: &str = "(cancel code)";

/// A kind of file.
#[derive(Clone, Copy)]
pub(crate) struct Sheet {
    /// Name of the effect, the same in every version.
    pub(crate) step: &'static str,
    pub(crate) columns: &'static [&'static str],
    /// Columns that tell whose a row is.
    pub(crate) identity: &'static [&'static str],
    /// The rows of an object; the PO number stands on each.
    pub(crate) rows: fn(&Value, &str) -> Vec<Cells>,
}

pub(crate) const SHIPMENTS: Sheet = Sheet {
    step: "ship-file",
    columns: &[
        "po_number",
        "dsco_order_id",
        "package_tracking_number",
        "package_ship_carrier",
        "package_ship_method",
        "shipping_service_level_code",
        "package_ship_cost",
        "currency_code",
        "package_ship_date",
        "package_warehouse_code",
        "line_item_line_number",
        "line_item_sku",
        "line_item_partner_sku",
        "line_item_upc",
        "line_item_ean",
        "dsco_item_id",
        "line_item_quantity",
        "ship_from_company",
        "ship_from_address_1",
        "ship_from_city",
        "ship_from_region",
        "ship_from_postal",
        "ship_from_country",
        "ship_to_attention",
        "ship_to_company",
        "ship_to_address_1",
        "ship_to_address_2",
        "ship_to_city",
        "ship_to_region",
        "ship_to_postal",
        "ship_to_country",
        "ship_to_phone",
        "ship_to_email",
    ],
    identity: &[
        "dsco_order_id",
        "package_tracking_number",
        "line_item_line_number",
        "line_item_sku",
    ],
    rows: shipments,
};

pub(crate) const INVOICES: Sheet = Sheet {
    step: "invoice-file",
    columns: &[
        "invoice_id",
        "po_number",
        "dsco_order_id",
        "invoice_total_amount",
        "invoice_date",
        "invoice_currency_code",
        "invoice_line_items_subtotal",
        "invoice_subtotal_excluding_line_items",
        "invoice_handling_amount",
        "invoice_freight_amount",
        "invoice_sales_tax_amount",
        "invoice_number_of_line_items",
        "invoice_terms_net_days",
        "ship_tracking_number",
        "invoice_charge_title_1",
        "invoice_charge_amount_1",
        "invoice_charge_title_2",
        "invoice_charge_amount_2",
        "invoice_charge_title_3",
        "invoice_charge_amount_3",
        "line_item_line_number",
        "line_item_sku",
        "line_item_partner_sku",
        "line_item_upc",
        "line_item_ean",
        "dsco_item_id",
        "line_item_quantity",
        "line_item_unit_price",
        "line_item_extended_amount",
        "line_item_tracking_number",
    ],
    identity: &["invoice_id", "line_item_line_number", "line_item_sku"],
    rows: invoices,
};

pub(crate) const CANCELS: Sheet = Sheet {
    step: "cancel-file",
    columns: &[
        "po_number",
        "dsco_order_id",
        "line_item_line_number",
        "line_item_sku",
        "line_item_partner_sku",
        "line_item_upc",
        "line_item_ean",
        "dsco_item_id",
        "line_item_status_quantity",
        CODE,
    ],
    identity: &[
        "dsco_order_id",
        "line_item_line_number",
        "line_item_sku",
        "line_item_status_quantity",
    ],
    rows: cancels,
};

/// What names a line.
const IDS: [(&str, &str); 6] = [
    ("line_item_line_number", "lineNumber"),
    ("line_item_sku", "sku"),
    ("line_item_partner_sku", "partnerSku"),
    ("line_item_upc", "upc"),
    ("line_item_ean", "ean"),
    ("dsco_item_id", "dscoItemId"),
];

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(u8::from(*flag).to_string()),
        _ => None,
    }
}

/// Files want whole seconds and an offset.
fn when(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim_end_matches('Z');
    let seconds = text.split('.').next().unwrap_or(text);
    Some(format!("{seconds}+00:00"))
}

fn fill(cells: &mut Cells, from: &Value, pairs: &[(&'static str, &str)]) {
    for (column, field) in pairs {
        if let Some(text) = text(&from[*field]) {
            cells.insert(column, text);
        }
    }
}

fn list<'a>(of: &'a Value, field: &str) -> &'a [Value] {
    of[field].as_array().map_or(&[], Vec::as_slice)
}

fn shipments(body: &Value, po: &str) -> Vec<Cells> {
    let mut rows = Vec::new();
    for parcel in list(body, "shipments") {
        let mut head = Cells::new();
        head.insert("po_number", po.to_owned());
        fill(&mut head, body, &[("dsco_order_id", "dscoOrderId")]);
        fill(
            &mut head,
            parcel,
            &[
                ("package_tracking_number", "trackingNumber"),
                ("package_ship_carrier", "shipCarrier"),
                ("package_ship_method", "shipMethod"),
                ("shipping_service_level_code", "shippingServiceLevelCode"),
                ("package_ship_cost", "shipCost"),
                ("currency_code", "currencyCode"),
                ("package_warehouse_code", "warehouseCode"),
            ],
        );
        head.extend(when(&parcel["shipDate"]).map(|date| ("package_ship_date", date)));
        let (from, to) = (&parcel["shipFrom"], &parcel["shipTo"]);
        fill(
            &mut head,
            from,
            &[
                ("ship_from_company", "name"),
                ("ship_from_city", "city"),
                ("ship_from_region", "region"),
                ("ship_from_postal", "postal"),
                ("ship_from_country", "country"),
            ],
        );
        fill(
            &mut head,
            to,
            &[
                ("ship_to_attention", "name"),
                ("ship_to_company", "company"),
                ("ship_to_city", "city"),
                ("ship_to_region", "region"),
                ("ship_to_postal", "postal"),
                ("ship_to_country", "country"),
                ("ship_to_phone", "phone"),
                ("ship_to_email", "email"),
            ],
        );
        let streets = [
            ("ship_from_address_1", &from["address"][0]),
            ("ship_to_address_1", &to["address"][0]),
            ("ship_to_address_2", &to["address"][1]),
        ];
        head.extend(
            streets
                .into_iter()
                .filter_map(|(column, street)| Some((column, text(street)?))),
        );
        for item in list(parcel, "lineItems") {
            let mut row = head.clone();
            fill(&mut row, item, &IDS);
            fill(&mut row, item, &[("line_item_quantity", "quantity")]);
            rows.push(row);
        }
    }
    rows
}

/// Whether files have no column for something of it: credits, many charges, a unit that lies in several parcels.
pub(crate) fn is_unfit(body: &Value) -> bool {
    let spans = |parcel: &Value| {
        let mut items = list(parcel, "lineItems").iter();
        items.any(|item| item["packageSpanFlag"] == true)
    };
    list(body, "charges").len() > 3
        || !list(body, "credits").is_empty()
        || list(body, "shipments").iter().any(spans)
}

fn invoices(body: &Value, po: &str) -> Vec<Cells> {
    let mut head = Cells::new();
    head.insert("po_number", po.to_owned());
    fill(
        &mut head,
        body,
        &[
            ("invoice_id", "invoiceId"),
            ("dsco_order_id", "dscoOrderId"),
            ("invoice_total_amount", "totalAmount"),
            ("invoice_currency_code", "currencyCode"),
            ("invoice_line_items_subtotal", "lineItemsSubtotal"),
            (
                "invoice_subtotal_excluding_line_items",
                "subtotalExcludingLineItems",
            ),
            ("invoice_handling_amount", "handlingAmount"),
            ("invoice_freight_amount", "freightAmount"),
            ("invoice_sales_tax_amount", "salesTaxAmount"),
            ("invoice_number_of_line_items", "numberOfLineItems"),
        ],
    );
    head.extend(when(&body["invoiceDate"]).map(|date| ("invoice_date", date)));
    fill(
        &mut head,
        &body["terms"],
        &[("invoice_terms_net_days", "netDays")],
    );
    fill(
        &mut head,
        &body["ship"],
        &[("ship_tracking_number", "trackingNumber")],
    );
    let places = [
        ("invoice_charge_title_1", "invoice_charge_amount_1"),
        ("invoice_charge_title_2", "invoice_charge_amount_2"),
        ("invoice_charge_title_3", "invoice_charge_amount_3"),
    ];
    for (charge, (title, amount)) in list(body, "charges").iter().zip(places) {
        fill(&mut head, charge, &[(title, "title"), (amount, "amount")]);
    }
    let lines = list(body, "lineItems").iter();
    lines
        .map(|item| {
            let mut row = head.clone();
            fill(&mut row, item, &IDS);
            fill(
                &mut row,
                item,
                &[
                    ("line_item_quantity", "quantity"),
                    ("line_item_unit_price", "unitPrice"),
                    ("line_item_extended_amount", "extendedAmount"),
                    ("line_item_tracking_number", "trackingNumber"),
                ],
            );
            row
        })
        .collect()
}

fn cancels(body: &Value, po: &str) -> Vec<Cells> {
    let lines = list(body, "lineItems").iter();
    lines
        .map(|item| {
            let mut row = Cells::new();
            row.insert("po_number", po.to_owned());
            fill(&mut row, body, &[("dsco_order_id", "id")]);
            fill(&mut row, item, &IDS);
            let more = [
                ("line_item_status_quantity", "cancelledQuantity"),
                (CODE, "cancelCode"),
            ];
            fill(&mut row, item, &more);
            row
        })
        .collect()
}
