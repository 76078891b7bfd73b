//! Owns the making of a sales order or sales credit: every part is checked before anything is written, and all faults are
//! named at once. It must not know how orders are shown.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::account::{Brightpearl, STAFF_ID};
use super::address::Address;
use super::call::Call;
use super::clock::{midnight_utc, parse_instant};
use super::custom::Values;
use super::envelope::{Answer, Refusal, Reply, decimal, integer};
use super::options::DuplicateRef;
use super::orders::{Invoice, Order, Row};
use super::products::MISC;
use super::reference::{CURRENCIES, STATUS_NEW};

/// Longest customer reference.
pub(super) const REFERENCE: usize = 64;

/// How deep bundles may hold bundles.
const DEPTH: usize = 5;

type Errors = Vec<(&'static str, String)>;

/// Who makes an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Api,
    Ui,
}

impl Brightpearl {
    /// `POST sales-order` and `POST sales-credit`.
    pub(super) fn sales_post(&mut self, now: i64, call: &Call, type_code: &'static str) -> Answer {
        let body = call.object()?;
        let id = self.create_order(now, &body, type_code, Origin::Api)?;
        Ok(Reply::ok(id))
    }

    /// Makes an order or nothing.
    pub(super) fn create_order(
        &mut self,
        now: i64,
        body: &Value,
        type_code: &'static str,
        origin: Origin,
    ) -> Result<i64, Refusal> {
        let mut errors = Errors::new();
        let mut order = header(now, body, type_code, &mut errors);
        if body["warehouseId"].is_null() {
            order.warehouse_id = self.lists.usual("warehouse", order.warehouse_id);
        }
        self.choices(&mut order, body, &mut errors);
        self.parties(&mut order, body, &mut errors);
        let rows = self.rows(body, &mut errors);
        if !errors.is_empty() {
            return Err(Refusal {
                status: 400,
                errors,
            });
        }
        self.refuse_double(&order)?;
        order.from_ui = origin == Origin::Ui;
        for row in rows {
            let parent = row.product_id;
            let quantity = row.quantity;
            let bundle = row.bundle_parent;
            let tax_code = row.tax_code.clone();
            let id = self.push_row(&mut order, row);
            if bundle {
                self.explode(&mut order, parent, id, quantity, &tax_code, 0);
            }
        }
        order.refresh_codes();
        if let Some(contact) = self.contacts.all.get_mut(&order.customer_id) {
            contact.last_ordered_on = Some(now);
        }
        let id = self.orders.insert(order);
        if origin == Origin::Api && type_code == "SO" {
            self.hooks.raise(now, "sales-order", "created", id);
        }
        self.hooks.raise(now, "order", "modified", id);
        Ok(id)
    }

    /// The second order with a pair of external reference and instance id is refused.
    fn refuse_double(&self, order: &Order) -> Result<(), Refusal> {
        let Some(instance) = order.instance_id.filter(|_| !order.external_ref.is_empty()) else {
            return Ok(());
        };
        let double = self
            .orders
            .pair(order.type_code, &order.external_ref, instance);
        if double.is_none() || !self.settings.enforce_unique_pair {
            return Ok(());
        }
        let status = match self.settings.duplicate_ref {
            DuplicateRef::Status400 => 400,
            DuplicateRef::Status409 => 409,
        };
        let text = format!(
            "An order with external reference '{}' already exists for installed integration instance {instance}",
            order.external_ref
        );
        Err(Refusal::new(status, "ORDB-001", text))
    }

    /// Checks the ids that must name something of the account.
    fn choices(&self, order: &mut Order, body: &Value, errors: &mut Errors) {
        match self.lists.status(order.status_id) {
            Some(status) if status.order_type == order.type_code && !status.disabled => {}
            _ => errors.push((
                "ORDC-007",
                format!(
                    "You have supplied an invalid order status id: {}",
                    order.status_id
                ),
            )),
        }
        // Sales credits do not move stock but carry the same ids.
        let wanted: [(&'static str, &str, &str, i64, bool); 5] = [
            ("ORDC-010", "channel", "channel", order.channel_id, true),
            (
                "ORDC-011",
                "warehouse",
                "warehouse",
                order.warehouse_id,
                false,
            ),
            (
                "ORDC-012",
                "price-list",
                "price list",
                order.price_list_id,
                true,
            ),
            (
                "ORDC-013",
                "shipping-method",
                "shipping method",
                order.shipping_method,
                true,
            ),
            (
                "ORDC-014",
                "lead-source",
                "lead source",
                order.lead_source_id,
                true,
            ),
        ];
        for (code, list, word, id, zero) in wanted {
            let known = (zero && id == 0) || self.lists.has(list, id);
            if !known {
                errors.push((
                    code,
                    format!("You have supplied an invalid {word} id: {id}"),
                ));
            }
        }
        if order.staff_owner != 0 && !self.lists.is_staff(order.staff_owner) {
            let text = format!(
                "You have supplied an invalid staff owner id: {}",
                order.staff_owner
            );
            errors.push(("ORDC-015", text));
        }
        if order.parent_id != 0 && self.orders.get(order.parent_id).is_none() {
            let text = format!(
                "You have supplied an invalid parent order id: {}",
                order.parent_id
            );
            errors.push(("ORDC-016", text));
        }
        money(order, body, errors);
    }

    fn parties(&self, order: &mut Order, body: &Value, errors: &mut Errors) {
        let given = Some(&body["customer"]["id"]).filter(|v| !v.is_null());
        let id = integer(given.unwrap_or(&body["customerId"]));
        let Some(id) = id else {
            errors.push(("ORDC-001", "You have not supplied a customer id".to_owned()));
            return;
        };
        let Some(customer) = self.contacts.get(id) else {
            errors.push((
                "ORDC-002",
                format!("You have supplied an invalid customer id: {id}"),
            ));
            return;
        };
        order.customer_id = id;
        if order.price_list_id == 0 {
            order.price_list_id = customer.price_list_id;
        }
        if order.price_mode.is_empty() {
            let gross = matches!(order.price_list_id, 2 | 4);
            let mode = if gross { "INC" } else { "EXC" };
            mode.clone_into(&mut order.price_mode);
        }
        order.billing_contact = match integer(&body["billing"]["contactId"]) {
            None | Some(0) => customer.organisation_id,
            Some(contact) if self.contacts.get(contact).is_some() => contact,
            Some(contact) => {
                let text = format!("You have supplied an invalid billing contact id: {contact}");
                errors.push(("ORDC-019", text));
                id
            }
        };
        let mut address = |part: &Value, contact: i64, purpose: &str| match &part["address"] {
            Value::Null => self.contacts.address_of(contact, purpose),
            given => Address::parse(given).unwrap_or_else(|text| {
                errors.push(("ORDC-020", text));
                Address::default()
            }),
        };
        order.customer_address = address(&body["customer"], id, "DEF");
        order.billing_address = address(&body["billing"], order.billing_contact, "BIL");
        order.delivery_address = address(&body["delivery"], id, "DEL");
    }

    fn rows(&self, body: &Value, errors: &mut Errors) -> Vec<Row> {
        let list = match &body["rows"] {
            Value::Null => return Vec::new(),
            Value::Array(list) => list,
            _ => {
                errors.push(("ORDC-025", "The rows must be an array".to_owned()));
                return Vec::new();
            }
        };
        let empty = Map::new();
        list.iter()
            .enumerate()
            .filter_map(|(index, row)| self.row(index, row.as_object().unwrap_or(&empty), errors))
            .collect()
    }

    /// One row; its faults name its place.
    fn row(&self, index: usize, from: &Map<String, Value>, errors: &mut Errors) -> Option<Row> {
        let before = errors.len();
        let value = |key: &str| from.get(key).unwrap_or(&Value::Null);
        let mut fault = |code: &'static str, text: String| {
            errors.push((code, format!("Row {}: {text}", index + 1)));
        };
        let name = value("name").as_str().unwrap_or("").to_owned();
        let product = integer(value("productId"));
        let known = product.and_then(|id| self.products.get(id));
        match product {
            Some(id) if known.is_none() => {
                fault(
                    "ORDC-027",
                    format!("You have supplied an invalid product id: {id}"),
                );
            }
            None if name.is_empty() => {
                fault(
                    "ORDC-026",
                    "You have not supplied a product id or a name".to_owned(),
                );
            }
            _ => {}
        }
        let product = known;
        let mut amount = |key: &str, code: &'static str| {
            amount_of(key, value(key)).unwrap_or_else(|text| {
                fault(code, text);
                Decimal::ZERO
            })
        };
        let quantity = amount("quantity", "ORDC-028");
        let net = amount("net", "ORDC-033");
        let tax = amount("tax", "ORDC-034");
        let whole = product.is_some_and(|p| p.tracked || p.is_bundle());
        if whole && !quantity.fract().is_zero() {
            let text = format!("Stock tracked products need an integer quantity: {quantity}");
            fault("ORDC-029", text);
        }
        let code = value("taxCode").as_str().unwrap_or("");
        if !self.lists.has_code("tax-code", code) {
            fault(
                "ORDC-035",
                format!("You have supplied an invalid tax code: {code}"),
            );
        }
        let nominal = value("nominalCode").as_str().unwrap_or("4000");
        if !self.lists.has_code("nominal-code", nominal) {
            fault(
                "ORDC-036",
                format!("You have supplied an invalid nominal code: {nominal}"),
            );
        }
        if errors.len() > before {
            return None;
        }
        let product_name = product.map(|p| p.name.clone()).unwrap_or_default();
        Some(Row {
            id: 0,
            product_id: product.map_or(MISC, |p| p.id),
            name: if name.is_empty() { product_name } else { name },
            sku: product.filter(|p| p.id != MISC).map(|p| p.sku.clone()),
            quantity,
            tax_code: code.to_owned(),
            net,
            tax,
            nominal: nominal.to_owned(),
            external_ref: value("externalRef").as_str().unwrap_or("").to_owned(),
            sequence: 0,
            bundle_parent: product.is_some_and(super::products::Product::is_bundle),
            bundle_child: false,
            child_of: None,
            tracked: product.is_some_and(|p| p.tracked),
            shipped: Decimal::ZERO,
        })
    }

    fn push_row(&mut self, order: &mut Order, mut row: Row) -> i64 {
        row.id = self.orders.row_id();
        row.sequence = i64::try_from(order.rows.len() + 1).unwrap_or(0) * 10;
        let id = row.id;
        order.rows.push(row);
        id
    }

    /// Adds a child row for every component of a bundle.
    fn explode(
        &mut self,
        order: &mut Order,
        bundle: i64,
        parent_row: i64,
        quantity: Decimal,
        tax_code: &str,
        depth: usize,
    ) {
        let parts = self
            .products
            .get(bundle)
            .map(|p| p.bundle.clone())
            .unwrap_or_default();
        for (id, each) in parts {
            let Some(part) = self.products.get(id).filter(|_| depth < DEPTH) else {
                continue;
            };
            let nested = part.is_bundle();
            let row = Row {
                id: 0,
                product_id: id,
                name: part.name.clone(),
                sku: Some(part.sku.clone()),
                quantity: quantity * Decimal::from(each),
                tax_code: tax_code.to_owned(),
                net: Decimal::ZERO,
                tax: Decimal::ZERO,
                nominal: "4000".to_owned(),
                external_ref: String::new(),
                sequence: 0,
                bundle_parent: nested,
                bundle_child: true,
                child_of: Some(parent_row),
                tracked: part.tracked,
                shipped: Decimal::ZERO,
            };
            let count = row.quantity;
            let row_id = self.push_row(order, row);
            if nested {
                self.explode(order, id, row_id, count, tax_code, depth + 1);
            }
        }
    }
}

fn text(from: &Value, key: &str) -> String {
    match &from[key] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// The parts that need no look-up.
fn header(now: i64, body: &Value, type_code: &'static str, errors: &mut Errors) -> Order {
    let at = |value: &Value, name: &str, errors: &mut Errors| match value {
        Value::Null => None,
        Value::String(text) if parse_instant(text).is_some() => parse_instant(text),
        other => {
            errors.push(("ORDC-030", format!("Invalid date for {name}: {other}")));
            None
        }
    };
    let reference = text(body, "ref");
    if reference.chars().count() > REFERENCE {
        let text = format!("The reference may not be longer than {REFERENCE} characters");
        errors.push(("ORDC-031", text));
    }
    let rate = decimal(&body["currency"]["exchangeRate"]).unwrap_or(Decimal::ONE);
    if rate <= Decimal::ZERO {
        errors.push(("ORDC-032", format!("Invalid exchange rate: {rate}")));
    }
    let number = |key: &str| integer(&body[key]).unwrap_or(0);
    Order {
        id: 0,
        type_code,
        customer_id: 0,
        customer_address: Address::default(),
        billing_contact: 0,
        billing_address: Address::default(),
        delivery_address: Address::default(),
        reference,
        external_ref: text(body, "externalRef"),
        instance_id: integer(&body["installedIntegrationInstanceId"]),
        placed_on: at(&body["placedOn"], "placedOn", errors).unwrap_or(now),
        tax_date: Some(
            at(&body["taxDate"], "taxDate", errors).unwrap_or_else(|| midnight_utc(now)),
        ),
        parent_id: number("parentId"),
        status_id: integer(&body["statusId"]).unwrap_or(match type_code {
            "SC" => 10,
            _ => STATUS_NEW,
        }),
        warehouse_id: integer(&body["warehouseId"]).unwrap_or(2),
        channel_id: number("channelId"),
        staff_owner: number("staffOwnerId"),
        project_id: number("projectId"),
        lead_source_id: number("leadSourceId"),
        team_id: number("teamId"),
        price_list_id: number("priceListId"),
        price_mode: text(body, "priceModeCode"),
        currency: text(&body["currency"], "code"),
        fixed_rate: body["currency"]["fixedExchangeRate"] == true,
        rate,
        delivery_date: at(&body["delivery"]["date"], "delivery.date", errors),
        shipping_method: integer(&body["delivery"]["shippingMethodId"]).unwrap_or(0),
        rows: Vec::new(),
        created_by: STAFF_ID,
        created_on: now,
        updated_on: None,
        closed_on: None,
        visible_from: now,
        version: 0,
        invoice: Invoice::default(),
        paid: Decimal::ZERO,
        cancelled: false,
        from_ui: false,
        notes: Vec::new(),
        custom: Values::new(),
        reservation: None,
        on_notes: std::collections::BTreeMap::new(),
        stock_code: "",
        allocation_code: "",
        shipping_code: "",
    }
}

/// Checks currency and price mode.
fn money(order: &mut Order, body: &Value, errors: &mut Errors) {
    if order.currency.is_empty() {
        "USD".clone_into(&mut order.currency);
    } else if !CURRENCIES
        .iter()
        .any(|(_, code, _)| *code == order.currency)
    {
        let text = format!(
            "You have supplied an invalid currency code: {}",
            order.currency
        );
        errors.push(("ORDC-017", text));
    }
    if !matches!(order.price_mode.as_str(), "" | "INC" | "EXC") {
        let text = format!(
            "You have supplied an invalid price mode: {}",
            body["priceModeCode"]
        );
        errors.push(("ORDC-018", text));
    }
}

/// A decimal of at most four places, or what is wrong with it.
fn amount_of(key: &str, value: &Value) -> Result<Decimal, String> {
    let amount = decimal(value).ok_or_else(|| format!("You have not supplied a valid {key}"))?;
    if amount.normalize().scale() <= 4 {
        return Ok(amount);
    }
    Err(format!(
        "{key} may not have more than 4 decimal places: {amount}"
    ))
}
