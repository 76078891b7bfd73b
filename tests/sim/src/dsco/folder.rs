//! The file side of the DSCO sandbox: a folder into which its export job writes new orders, and from which its import jobs
//! take what the supplier puts there. An order that was exported counts as acknowledged. Must not know who carries the files.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::log::Method;
use super::order::Lifecycle;
use super::render;
use super::sandbox::Sandbox;
use super::writes::Deed;

/// How often the jobs run.
const EVERY_MS: i64 = 500;
/// A file must be that old to be taken: the supplier may still be writing it.
const WHOLE_MS: u128 = 200;

/// The folder and what was done with it.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    due: i64,
    exported: HashSet<u64>,
    files: u64,
    /// What could not be imported, for people.
    pub(crate) refused: Vec<String>,
}

impl Folder {
    /// With the folders of the vendor in it.
    pub(crate) fn new(root: &Path) -> std::io::Result<Self> {
        for dir in ["in/processing", "in/archive", "out/archive", "misc"] {
            fs::create_dir_all(root.join(dir))?;
        }
        Ok(Self {
            root: root.to_owned(),
            due: 0,
            exported: HashSet::new(),
            files: 0,
            refused: Vec::new(),
        })
    }
}

impl Sandbox {
    /// Opens the file side on that folder.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn with_folder(mut self, root: &Path) -> std::io::Result<Self> {
        self.folder = Some(Folder::new(root)?);
        Ok(self)
    }

    /// Runs the jobs of the file side, once they are due.
    pub(crate) fn run_jobs(&mut self, now: i64) {
        let Some(mut folder) = self.folder.take() else {
            return;
        };
        if now >= folder.due {
            folder.due = now + EVERY_MS;
            if let Err(error) = self.import(now, &mut folder) {
                folder.refused.push(error.to_string());
            }
            if let Err(error) = self.export(now, &mut folder) {
                folder.refused.push(error.to_string());
            }
        }
        self.folder = Some(folder);
    }

    fn export(&mut self, now: i64, folder: &mut Folder) -> anyhow::Result<()> {
        let ready: Vec<usize> = (0..self.book.orders().len())
            .filter(|at| {
                let order = self.book.get(*at);
                order.lifecycle == Lifecycle::Created && !folder.exported.contains(&order.id)
            })
            .collect();
        if ready.is_empty() {
            return Ok(());
        }
        folder.files += 1;
        let name = format!("Purchase_Order_{now}_{}.csv", folder.files);
        // A packing slip beside it, as it is there too.
        fs::write(
            folder.root.join(format!("out/Packing_Slip_{now}.pdf")),
            "%PDF-1.4",
        )?;
        let part = folder.root.join(format!("misc/{name}"));
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_path(&part)?;
        writer.write_record(COLUMNS.iter().map(|(column, _)| *column))?;
        for at in &ready {
            let order = render::order(self.book.get(*at));
            for line in order["lineItems"].as_array().into_iter().flatten() {
                writer.write_record(COLUMNS.iter().map(|(_, field)| cell(&order, line, field)))?;
            }
        }
        writer.flush()?;
        fs::rename(part, folder.root.join(format!("out/{name}")))?;
        for at in ready {
            folder.exported.insert(self.book.get(at).id);
            self.acknowledge_at(now, at, None)
                .map_err(anyhow::Error::msg)?;
        }
        Ok(())
    }

    fn import(&mut self, now: i64, folder: &mut Folder) -> anyhow::Result<()> {
        let mut names: Vec<String> = Vec::new();
        for entry in fs::read_dir(folder.root.join("in"))? {
            let entry = entry?;
            let found = entry.metadata()?;
            let rested = found
                .modified()?
                .elapsed()
                .is_ok_and(|age| age.as_millis() >= WHOLE_MS);
            let name = entry.file_name().to_string_lossy().into_owned();
            if found.is_file() && rested && is_table(&name) {
                names.push(name);
            }
        }
        names.sort();
        for name in names {
            let file = folder.root.join(format!("in/processing/{name}"));
            fs::rename(folder.root.join(format!("in/{name}")), &file)?;
            match rows(&file) {
                Ok(rows) => {
                    let (deed, objects) = objects(&name, &rows);
                    match deed {
                        Some(deed) => {
                            let process = self.dice.uuid();
                            let by = (process.into(), Method::File);
                            self.queue_as(now, by, deed, objects);
                        }
                        None => folder.refused.push(format!("{name}: no job takes it")),
                    }
                }
                Err(error) => folder.refused.push(format!("{name}: {error}")),
            }
            fs::rename(&file, folder.root.join(format!("in/archive/{name}")))?;
        }
        Ok(())
    }
}

fn is_table(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|ending| ending == "csv")
}

/// Columns of an export with the field they come from: of the order, of `line.`, or of `ship.`
const COLUMNS: &[(&str, &str)] = &[
    ("po_number", "poNumber"),
    ("number_of_line_items", "numberOfLineItems"),
    ("line_item_line_number", "line.lineNumber"),
    ("line_item_sku", "line.sku"),
    ("line_item_upc", "line.upc"),
    ("line_item_ean", "line.ean"),
    ("line_item_partner_sku", "line.partnerSku"),
    ("line_item_quantity", "line.quantity"),
    ("line_item_title", "line.title"),
    ("line_item_expected_cost", "line.expectedCost"),
    ("line_item_consumer_price", "line.consumerPrice"),
    ("line_item_warehouse_code", "line.warehouseCode"),
    ("ship_first_name", "ship.firstName"),
    ("ship_last_name", "ship.lastName"),
    ("ship_address_1", "ship.address1"),
    ("ship_address_2", "ship.address2"),
    ("ship_city", "ship.city"),
    ("ship_region", "ship.region"),
    ("ship_postal", "ship.postal"),
    ("ship_country", "ship.country"),
    ("ship_phone", "ship.phone"),
    ("ship_carrier", "shipCarrier"),
    ("ship_method", "shipMethod"),
    ("shipping_service_level_code", "shippingServiceLevelCode"),
    ("ship_warehouse_code", "shipWarehouseCode"),
    ("retailer_create_date", "retailerCreateDate"),
    ("channel", "channel"),
    ("test_flag", "testFlag"),
    ("consumer_order_number", "consumerOrderNumber"),
    ("currency_code", "currencyCode"),
    ("acknowledge_by_date", "acknowledgeByDate"),
    ("cancel_after_date", "cancelAfterDate"),
    ("ship_by_date", "shipByDate"),
    ("dsco_order_id", "dscoOrderId"),
    ("dsco_order_status", "dscoStatus"),
    ("dsco_lifecycle", "dscoLifecycle"),
    ("dsco_item_id", "line.dscoItemId"),
    ("dsco_retailer_id", "dscoRetailerId"),
    ("dsco_retailer_name", "channel"),
    ("dsco_trading_partner_id", "dscoTradingPartnerId"),
    ("dsco_create_date", "dscoCreateDate"),
    ("dsco_last_update_date", "dscoLastUpdate"),
    ("order_type", "orderType"),
    ("extended_expected_cost_total", "extendedExpectedCostTotal"),
];

fn cell(order: &Value, line: &Value, field: &str) -> String {
    let value = match field.split_once('.') {
        Some(("line", field)) => &line[field],
        Some((_, field)) => &order["shipping"][field],
        None => &order[field],
    };
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(flag) => u8::from(*flag).to_string(),
        other => other.to_string(),
    }
}

type Row = BTreeMap<String, String>;

fn rows(file: &Path) -> anyhow::Result<Vec<Row>> {
    let mut reader = csv::Reader::from_path(file)?;
    let rows: Result<Vec<Row>, csv::Error> = reader.deserialize().collect();
    Ok(rows?)
}

/// What the rows of a file mean, as the objects that the API takes.
fn objects(name: &str, rows: &[Row]) -> (Option<Deed>, Vec<Value>) {
    let (deed, key): (Deed, fn(&Row) -> String) = if name.starts_with("Shipment_") {
        (Deed::Ship, |row| text(row, "dsco_order_id"))
    } else if name.starts_with("Invoice_") {
        (Deed::Invoice, |row| text(row, "invoice_id"))
    } else if name.starts_with("Cancel_") {
        (Deed::Cancel, |row| text(row, "dsco_order_id"))
    } else if name.starts_with("Inventory_") {
        let stock = Deed::Stock {
            skip_unknown: true,
            detail: "inventoryFile",
        };
        return (Some(stock), rows.iter().map(stock_of).collect());
    } else {
        return (None, Vec::new());
    };
    // Rows of one record need not stand together.
    let mut groups: Vec<(String, Vec<&Row>)> = Vec::new();
    for row in rows {
        let key = key(row);
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, group)) => group.push(row),
            None => groups.push((key, vec![row])),
        }
    }
    let made = groups.iter().map(|(_, group)| match deed {
        Deed::Ship => shipment(group),
        Deed::Invoice => invoice(group),
        _ => cancel(group),
    });
    (Some(deed), made.collect())
}

fn text(row: &Row, column: &str) -> String {
    row.get(column).cloned().unwrap_or_default()
}

/// Puts filled cells under the names of the API, numbers as numbers where `number` says so.
fn put(to: &mut Map<String, Value>, row: &Row, pairs: &[(&str, &str)], number: bool) {
    for (column, field) in pairs {
        let Some(cell) = row.get(*column).filter(|cell| !cell.is_empty()) else {
            continue;
        };
        let parsed = serde_json::from_str(cell).ok().filter(|_| number);
        to.insert((*field).to_owned(), parsed.unwrap_or_else(|| json!(cell)));
    }
}

fn line(row: &Row) -> Map<String, Value> {
    let mut item = Map::new();
    put(
        &mut item,
        row,
        &[
            ("line_item_sku", "sku"),
            ("line_item_partner_sku", "partnerSku"),
            ("line_item_upc", "upc"),
            ("line_item_ean", "ean"),
            ("dsco_item_id", "dscoItemId"),
        ],
        false,
    );
    let numbers = [
        ("line_item_line_number", "lineNumber"),
        ("line_item_quantity", "quantity"),
    ];
    put(&mut item, row, &numbers, true);
    item
}

fn shipment(rows: &[&Row]) -> Value {
    let mut parcels: Vec<(String, Map<String, Value>)> = Vec::new();
    for row in rows {
        let tracking = text(row, "package_tracking_number");
        if !parcels.iter().any(|(other, _)| *other == tracking) {
            let mut parcel = Map::new();
            put(
                &mut parcel,
                row,
                &[
                    ("package_tracking_number", "trackingNumber"),
                    ("package_ship_carrier", "shipCarrier"),
                    ("package_ship_method", "shipMethod"),
                    ("shipping_service_level_code", "shippingServiceLevelCode"),
                    ("package_ship_date", "shipDate"),
                    ("package_warehouse_code", "warehouseCode"),
                    ("currency_code", "currencyCode"),
                ],
                false,
            );
            put(&mut parcel, row, &[("package_ship_cost", "shipCost")], true);
            parcel.insert("lineItems".to_owned(), json!([]));
            parcels.push((tracking.clone(), parcel));
        }
        let parcel = parcels.iter_mut().find(|(other, _)| *other == tracking);
        if let Some(Value::Array(items)) = parcel.and_then(|(_, p)| p.get_mut("lineItems")) {
            items.push(Value::Object(line(row)));
        }
    }
    let parcels: Vec<Value> = parcels.into_iter().map(|(_, p)| Value::Object(p)).collect();
    json!({"dscoOrderId": text(rows[0], "dsco_order_id"), "poNumber": text(rows[0], "po_number"), "shipments": parcels})
}

fn invoice(rows: &[&Row]) -> Value {
    let mut head = Map::new();
    put(
        &mut head,
        rows[0],
        &[
            ("invoice_id", "invoiceId"),
            ("po_number", "poNumber"),
            ("dsco_order_id", "dscoOrderId"),
            ("invoice_date", "invoiceDate"),
            ("invoice_currency_code", "currencyCode"),
        ],
        false,
    );
    put(
        &mut head,
        rows[0],
        &[
            ("invoice_total_amount", "totalAmount"),
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
        true,
    );
    if let Some(tracking) = rows[0]
        .get("ship_tracking_number")
        .filter(|t| !t.is_empty())
    {
        head.insert("ship".to_owned(), json!({"trackingNumber": tracking}));
    }
    let charge = (
        text(rows[0], "invoice_charge_title_1"),
        text(rows[0], "invoice_charge_amount_1"),
    );
    if let Ok(amount) = serde_json::from_str::<Value>(&charge.1) {
        head.insert(
            "charges".to_owned(),
            json!([{"title": charge.0, "amount": amount}]),
        );
    }
    let lines = rows.iter().map(|row| {
        let mut item = line(row);
        let amounts = [
            ("line_item_unit_price", "unitPrice"),
            ("line_item_extended_amount", "extendedAmount"),
        ];
        put(&mut item, row, &amounts, true);
        put(
            &mut item,
            row,
            &[("line_item_tracking_number", "trackingNumber")],
            false,
        );
        Value::Object(item)
    });
    let lines: Vec<Value> = lines.collect();
    head.insert("lineItems".to_owned(), json!(lines));
    Value::Object(head)
}

fn cancel(rows: &[&Row]) -> Value {
    let lines = rows.iter().map(|row| {
        let mut item = line(row);
        put(
            &mut item,
            row,
            &[("line_item_status_quantity", "cancelledQuantity")],
            true,
        );
        put(
            &mut item,
            row,
            &[("line_item_cancel_code", "cancelCode")],
            false,
        );
        Value::Object(item)
    });
    let lines: Vec<Value> = lines.collect();
    json!({"id": text(rows[0], "dsco_order_id"), "type": "DSCO_ORDER_ID", "lineItems": lines})
}

fn stock_of(row: &Row) -> Value {
    let mut item = Map::new();
    put(
        &mut item,
        row,
        &[("sku", "sku"), ("status", "status")],
        false,
    );
    put(
        &mut item,
        row,
        &[("quantity_available", "quantityAvailable")],
        true,
    );
    let mut warehouses = Vec::new();
    for number in 1.. {
        let code = text(row, &format!("warehouse_code_{number}"));
        if code.is_empty() {
            break;
        }
        let quantity = text(row, &format!("warehouse_quantity_{number}"));
        let quantity: Value = serde_json::from_str(&quantity).unwrap_or(Value::Null);
        warehouses.push(json!({"code": code, "quantity": quantity}));
    }
    item.insert("warehouses".to_owned(), json!(warehouses));
    Value::Object(item)
}
