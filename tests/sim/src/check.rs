//! Owns the invariant check over both sandboxes' truths: every order of the network exactly once as a sale where it
//! should be, with the same lines and money, acknowledged with the sale's number. What left the warehouse against what
//! the network was told is in `check_shipments.rs`. Reads JSON only; must not know either sandbox's types.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;

use crate::check_invoices;
use crate::check_shipments::{self, Warehouse};
use crate::check_stock;

/// One finding about one order or sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The order's id, or `sale N` for a sale without an order.
    pub key: String,
    /// What is wrong, for people.
    pub what: String,
}

/// The result of a check.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Orders at the network.
    pub orders: usize,
    /// Sales in the ERP.
    pub sales: usize,
    /// Orders that must have a sale by now.
    pub expected: usize,
    /// Orders with exactly one sale.
    pub matched: usize,
    /// Acknowledged orders without a sale and without a waiver: lost.
    pub lost: Vec<Finding>,
    /// Orders with more than one sale.
    pub doubled: Vec<Finding>,
    /// Sales whose rows differ from the order's lines.
    pub rows: Vec<Finding>,
    /// Sales whose totals differ from the order's.
    pub totals: Vec<Finding>,
    /// Orders not acknowledged, or with another number than their sale's.
    pub numbers: Vec<Finding>,
    /// Test orders, and orders cancelled before acknowledgement, that have a live sale.
    pub unwanted: Vec<Finding>,
    /// Shipments that differ from what left the warehouse.
    pub shipments: Vec<Finding>,
    /// Invoices that differ from what the merchant made.
    pub invoices: Vec<Finding>,
    /// Items of which the network holds another number than the warehouse has left.
    pub stock: Vec<Finding>,
    /// Sales with a reference that fits no order.
    pub strays: Vec<Finding>,
    /// Goods-out notes that left, of sales that belong to orders.
    pub notes: usize,
    /// Parcels the network knows.
    pub parcels: usize,
    /// Invoices it took.
    pub billed: usize,
    /// Every acknowledged order without a sale, waived ones included: the caller may know an open card for each.
    pub acknowledged_without_sale: Vec<String>,
    /// Those of them that have a waiver.
    pub waived: Vec<String>,
    /// Orders by case: how many, and how many of them have a sale.
    pub cases: BTreeMap<String, (usize, usize)>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn ok(&self) -> bool {
        self.problems().next().is_none()
    }

    /// All findings with the name of their list.
    pub fn problems(&self) -> impl Iterator<Item = (&'static str, &Finding)> {
        let lists: [(&'static str, &Vec<Finding>); 10] = [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("rows", &self.rows),
            ("totals", &self.totals),
            ("numbers", &self.numbers),
            ("unwanted", &self.unwanted),
            ("shipments", &self.shipments),
            ("invoices", &self.invoices),
            ("stock", &self.stock),
            ("strays", &self.strays),
        ];
        lists
            .into_iter()
            .flat_map(|(name, list)| list.iter().map(move |f| (name, f)))
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        format!(
            "{} orders, {} sales, {} matched, {} lost, {} doubled, {} waiting with a card, {} notes, {} parcels, {} invoices, {} other findings",
            self.orders,
            self.sales,
            self.matched,
            self.lost.len(),
            self.doubled.len(),
            self.waived.len(),
            self.notes,
            self.parcels,
            self.billed,
            self.problems().count() - self.lost.len() - self.doubled.len()
        )
    }
}

/// Checks both truths. `cards` holds the ids of orders that wait for a person (an open card): they may lack a sale.
pub fn check(network: &Value, erp: &Value, cards: &BTreeSet<String>) -> Report {
    let none = Vec::new();
    let orders = network["orders"].as_array().unwrap_or(&none);
    let sales: Vec<&Value> = erp["orders"]
        .as_array()
        .unwrap_or(&none)
        .iter()
        .filter(|o| is_sale(o))
        .collect();
    let items = Items::of(erp);
    let warehouse = Warehouse::of(erp);
    let mut report = Report {
        orders: orders.len(),
        sales: sales.len(),
        ..Report::default()
    };
    let (by_order, strays) = assign(orders, &sales);
    report.invoices = check_invoices::numbers(orders);
    report.stock = check_stock::compare(network, erp);
    report.strays = strays;
    for order in orders {
        let id = text(&order["dscoOrderId"]);
        let own: &[&Value] = by_order.get(&id).map_or(&[], Vec::as_slice);
        let live: Vec<&Value> = own
            .iter()
            .copied()
            .filter(|s| s["cancelled"] != true)
            .collect();
        let case = report.cases.entry(text(&order["case"])).or_default();
        case.0 += 1;
        case.1 += usize::from(!own.is_empty());
        let count = |name: &str| order[name].as_array().map_or(0, Vec::len);
        report.parcels += count("packages");
        report.billed += count("invoices");
        if order["test"] == true || order["cancelledBeforeAcknowledgement"] == true {
            if let Some(sale) = live.first() {
                let why = if order["test"] == true {
                    "a test order"
                } else {
                    "a cancelled order"
                };
                report.unwanted.push(finding(
                    &id,
                    format!("{why} has sale {}", text(&sale["id"])),
                ));
            }
            continue;
        }
        report.expected += 1;
        match own {
            [] => missing(order, &id, cards, &mut report),
            [sale] => {
                report.matched += 1;
                let lines = compare(order, sale, &items, &id, &mut report);
                if order["cancelled"] == true && sale["cancelled"] != true && !cards.contains(&id) {
                    let what = format!("sale {} stands, the order is cancelled", text(&sale["id"]));
                    report.rows.push(finding(&id, what));
                }
                let notes = warehouse.notes_of(&text(&sale["id"]));
                report.notes += notes.len();
                let found = check_shipments::compare(order, sale, &lines, notes);
                let found = found.into_iter().map(|what| finding(&id, what));
                report.shipments.extend(found);
                let found = check_invoices::compare(order, sale).into_iter();
                report.invoices.extend(found.map(|what| finding(&id, what)));
            }
            several => {
                let numbers: Vec<String> = several.iter().map(|s| text(&s["id"])).collect();
                report
                    .doubled
                    .push(finding(&id, format!("has sales {}", numbers.join(", "))));
            }
        }
    }
    report
}

/// Credits and purchase orders are none.
fn is_sale(order: &Value) -> bool {
    order["type"].is_null() || order["type"] == "SO"
}

fn finding(key: &str, what: String) -> Finding {
    Finding {
        key: key.to_owned(),
        what,
    }
}

/// Text, number as text, or nothing.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

pub(crate) fn money(value: &Value) -> Decimal {
    let text = text(value);
    text.parse()
        .or_else(|_| Decimal::from_scientific(&text))
        .unwrap_or_default()
        .normalize()
}

/// Sales by order id: by the id inside the sale's external reference, else by the number the order was acknowledged with.
fn assign<'a>(
    orders: &[Value],
    sales: &[&'a Value],
) -> (HashMap<String, Vec<&'a Value>>, Vec<Finding>) {
    let ids: HashSet<String> = orders.iter().map(|o| text(&o["dscoOrderId"])).collect();
    let by_number: HashMap<String, String> = orders
        .iter()
        .filter(|o| o["supplierOrderNumber"].is_string())
        .map(|o| (text(&o["supplierOrderNumber"]), text(&o["dscoOrderId"])))
        .collect();
    let mut found: HashMap<String, Vec<&Value>> = HashMap::new();
    let mut strays = Vec::new();
    for &sale in sales {
        let reference = text(&sale["externalRef"]);
        let number = text(&sale["id"]);
        let id = reference
            .split(|c: char| !c.is_ascii_digit())
            .find(|part| ids.contains(*part))
            .map(str::to_owned)
            .or_else(|| by_number.get(&number).cloned());
        match id {
            Some(id) => found.entry(id).or_default().push(sale),
            None if reference.is_empty() => {}
            None => strays.push(finding(
                &format!("sale {number}"),
                format!("its reference `{reference}` fits no order"),
            )),
        }
    }
    (found, strays)
}

fn missing(order: &Value, id: &str, cards: &BTreeSet<String>, report: &mut Report) {
    if order["packages"]
        .as_array()
        .is_some_and(|all| !all.is_empty())
    {
        let what = "has shipments but no sale".to_owned();
        report.shipments.push(finding(id, what));
    }
    if order["acknowledgedAt"].is_string() {
        report.acknowledged_without_sale.push(id.to_owned());
    }
    if cards.contains(id) {
        report.waived.push(id.to_owned());
        return;
    }
    let state = if order["acknowledgedAt"].is_string() {
        "acknowledged"
    } else {
        "not acknowledged"
    };
    let what = format!(
        "PO {} ({}, {}) has no sale; expected: {}",
        text(&order["poNumber"]),
        text(&order["case"]),
        state,
        text(&order["expect"])
    );
    report.lost.push(finding(id, what));
}

/// The ERP's products by id, and how many share a SKU.
struct Items {
    sku: HashMap<String, String>,
    shared: HashMap<String, usize>,
}

impl Items {
    fn of(erp: &Value) -> Self {
        let mut items = Self {
            sku: HashMap::new(),
            shared: HashMap::new(),
        };
        for product in erp["products"].as_array().into_iter().flatten() {
            let sku = text(&product["sku"]);
            *items.shared.entry(sku.clone()).or_default() += 1;
            items.sku.insert(text(&product["id"]), sku);
        }
        items
    }

    /// The product a line must have become; any when the SKU is not in the ERP once (then a person mapped it).
    fn fits(&self, line: &Value, row: &Value) -> bool {
        let sku = text(&line["sku"]);
        if self.shared.get(&sku).copied().unwrap_or(0) != 1 {
            return true;
        }
        let by_id = self.sku.get(&text(&row["productId"]));
        by_id.map_or_else(|| text(&row["sku"]) == sku, |own| *own == sku)
    }
}

/// Compares an order with its sale; the order's line numbers by the sale's rows.
fn compare(
    order: &Value,
    sale: &Value,
    items: &Items,
    id: &str,
    report: &mut Report,
) -> BTreeMap<String, i64> {
    let number = text(&sale["id"]);
    if sale["cancelled"] == true && order["cancelled"] != true {
        report.rows.push(finding(
            id,
            format!("sale {number} is cancelled, the order is not"),
        ));
    }
    let (paired, wrong) = pair_rows(order, sale, items);
    if let Some(what) = wrong {
        report
            .rows
            .push(finding(id, format!("sale {number}: {what}")));
    }
    let wanted = expected_total(order);
    let total = &sale["total"];
    let (net, tax, gross) = (
        money(&total["net"]),
        money(&total["tax"]),
        money(&total["gross"]),
    );
    if gross != wanted || net + tax != gross {
        let what = format!(
            "sale {number}: net {net} + tax {tax}, gross {gross}; the order's total is {wanted}"
        );
        report.totals.push(finding(id, what));
    }
    let own = text(&order["supplierOrderNumber"]);
    if order["cancelled"] != true && (order["acknowledgedAt"].is_null() || own != number) {
        let what = format!("sale {number}, but the order was acknowledged with `{own}`");
        report.numbers.push(finding(id, what));
    }
    paired
}

/// The order's total; when units were cancelled, what remained. The sale of a cancelled order stays as it was sold.
fn expected_total(order: &Value) -> Decimal {
    let lines = || order["lines"].as_array().into_iter().flatten();
    if lines().all(|l| dropped_units(order, l) == 0) {
        return money(&order["total"]);
    }
    lines()
        .map(|l| money(&l["cost"]) * Decimal::from(wanted_units(order, l)))
        .sum::<Decimal>()
        .normalize()
}

fn wanted_units(order: &Value, line: &Value) -> i64 {
    line["quantity"].as_i64().unwrap_or(0) - dropped_units(order, line)
}

/// Units of a line that its sale must not hold.
fn dropped_units(order: &Value, line: &Value) -> i64 {
    let units = |name: &str| line[name].as_i64().unwrap_or(0);
    if order["cancelled"] == true {
        units("cancelledEarly")
    } else {
        units("cancelledEarly").max(units("cancelled"))
    }
}

/// Line numbers by row id, and what is wrong: every line has one row of its own; rows beyond that must be worth nothing.
fn pair_rows(
    order: &Value,
    sale: &Value,
    items: &Items,
) -> (BTreeMap<String, i64>, Option<String>) {
    let mut paired = BTreeMap::new();
    let none = Vec::new();
    let mut rows: Vec<&Value> = sale["rows"].as_array().unwrap_or(&none).iter().collect();
    let mut lines: Vec<&Value> = order["lines"].as_array().unwrap_or(&none).iter().collect();
    lines.retain(|l| wanted_units(order, l) > 0);
    // Lines that know their product first, so that a line a person mapped does not take their row.
    lines.sort_by_key(|l| items.shared.get(&text(&l["sku"])).copied().unwrap_or(0) != 1);
    for line in lines {
        let units = Decimal::from(wanted_units(order, line));
        let net = (money(&line["cost"]) * units).normalize();
        let place = rows.iter().position(|row| {
            items.fits(line, row)
                && money(&row["quantity"]) == units.normalize()
                && money(&row["net"]) == net
        });
        let Some(place) = place else {
            let what = format!(
                "no row for line {} ({} x {}, net {net})",
                text(&line["lineNumber"]),
                units,
                text(&line["sku"])
            );
            return (paired, Some(what));
        };
        let row = text(&rows.remove(place)["id"]);
        paired.insert(row, line["lineNumber"].as_i64().unwrap_or(0));
    }
    let extra: Vec<String> = rows
        .iter()
        .filter(|row| !money(&row["net"]).is_zero())
        .map(|row| format!("{} x {}", text(&row["quantity"]), text(&row["sku"])))
        .collect();
    let wrong =
        (!extra.is_empty()).then(|| format!("rows beyond the order's lines: {}", extra.join(", ")));
    (paired, wrong)
}
