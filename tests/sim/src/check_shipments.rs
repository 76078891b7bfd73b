//! Owns the comparison of what left the warehouse with what the network was told: per line the units (kits counted from
//! their parts), per tracking number exactly one parcel with the note's lines, carrier, method, code, warehouse and day.
//! Reads JSON only; must not know either sandbox's types.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::catalogue::{WAREHOUSES, service_of};
use crate::check::{money, text};

/// Goods-out notes that left, by sale.
pub(crate) struct Warehouse<'a> {
    left: HashMap<String, Vec<&'a Value>>,
}

impl<'a> Warehouse<'a> {
    pub(crate) fn of(erp: &'a Value) -> Self {
        let mut left: HashMap<String, Vec<&Value>> = HashMap::new();
        for note in erp["goodsOutNotes"].as_array().into_iter().flatten() {
            if note["shipped"] == true && note["transfer"] != true {
                left.entry(text(&note["orderId"])).or_default().push(note);
            }
        }
        Self { left }
    }

    pub(crate) fn notes_of(&self, sale: &str) -> &[&'a Value] {
        self.left.get(sale).map_or(&[], Vec::as_slice)
    }
}

/// A sale's rows, as far as shipments care.
struct Rows<'a> {
    by_id: BTreeMap<String, &'a Value>,
    lines: &'a BTreeMap<String, i64>,
}

impl<'a> Rows<'a> {
    fn of(sale: &'a Value, lines: &'a BTreeMap<String, i64>) -> Self {
        let rows = sale["rows"].as_array().into_iter().flatten();
        Self {
            by_id: rows.map(|row| (text(&row["id"]), row)).collect(),
            lines,
        }
    }

    /// The row of the order's line that a row belongs to: itself, or the kit it is a part of.
    fn root(&self, id: &str) -> String {
        let mut id = id.to_owned();
        while let Some(row) = self.by_id.get(&id)
            && row["bundleChild"] == true
        {
            id = text(&row["parentRowId"]);
        }
        id
    }

    /// The rows that goods leave by, for a kit: its parts that are no kits themselves.
    fn parts(&self, kit: &str) -> Vec<&'a Value> {
        let leaf = |row: &&&Value| row["bundleParent"] != true && row["bundleChild"] == true;
        let of_kit = |row: &&&Value| self.root(&text(&row["id"])) == kit;
        self.by_id
            .values()
            .filter(leaf)
            .filter(of_kit)
            .copied()
            .collect()
    }
}

/// What a note's parcels must say: units by line, and the lines of kits it holds parts of.
struct Wanted {
    trackings: BTreeSet<String>,
    plain: BTreeMap<i64, Decimal>,
    kits: BTreeSet<i64>,
}

fn wanted(note: &Value, rows: &Rows<'_>) -> Wanted {
    let reference = text(&note["reference"]);
    let split = reference.split(|c: char| c.is_whitespace() || c == ',' || c == ';');
    let mut wanted = Wanted {
        trackings: split
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect(),
        plain: BTreeMap::new(),
        kits: BTreeSet::new(),
    };
    for packed in note["rows"].as_array().into_iter().flatten() {
        let row = text(&packed["rowId"]);
        let root = rows.root(&row);
        let Some(line) = rows.lines.get(&root) else {
            continue;
        };
        if root == row {
            *wanted.plain.entry(*line).or_default() += money(&packed["quantity"]);
        } else {
            wanted.kits.insert(*line);
        }
    }
    wanted
}

/// What is wrong with an order's shipments; nothing is expected of notes without a tracking number. `lines` holds the
/// order's line numbers by the sale's rows.
pub(crate) fn compare(
    order: &Value,
    sale: &Value,
    lines: &BTreeMap<String, i64>,
    notes: &[&Value],
) -> Vec<String> {
    let rows = Rows::of(sale, lines);
    let mut wrong = Vec::new();
    let mut parcels: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for parcel in order["packages"].as_array().into_iter().flatten() {
        parcels
            .entry(text(&parcel["trackingNumber"]))
            .or_default()
            .push(parcel);
    }
    for (tracking, all) in &parcels {
        if all.len() > 1 {
            wrong.push(format!("tracking {tracking} is in {} parcels", all.len()));
        }
    }
    let tracked: Vec<(&Value, Wanted)> = notes
        .iter()
        .map(|note| (*note, wanted(note, &rows)))
        .filter(|(_, wanted)| !wanted.trackings.is_empty())
        .collect();
    for (note, wanted) in &tracked {
        for tracking in &wanted.trackings {
            match parcels.remove(tracking).as_deref() {
                Some([parcel, ..]) => wrong.extend(parcel_differs(note, wanted, tracking, parcel)),
                // A note that holds parts of kits alone may leave the telling to the one that makes them whole.
                _ if wanted.plain.is_empty() => {}
                _ => wrong.push(format!(
                    "tracking {tracking} of note {} is not at the network",
                    text(&note["id"])
                )),
            }
        }
    }
    for tracking in parcels.keys() {
        wrong.push(format!(
            "tracking {tracking} is at the network but on no note that left"
        ));
    }
    wrong.extend(units_differ(order, &rows, &tracked));
    wrong
}

/// Compares the units of every line.
fn units_differ(order: &Value, rows: &Rows<'_>, notes: &[(&Value, Wanted)]) -> Vec<String> {
    let mut left: BTreeMap<String, Decimal> = BTreeMap::new();
    for (note, _) in notes {
        for packed in note["rows"].as_array().into_iter().flatten() {
            *left.entry(text(&packed["rowId"])).or_default() += money(&packed["quantity"]);
        }
    }
    let units = |row: &str| left.get(row).copied().unwrap_or_default();
    let by_line: BTreeMap<i64, &String> =
        rows.lines.iter().map(|(row, line)| (*line, row)).collect();
    let mut wrong = Vec::new();
    for line in order["lines"].as_array().into_iter().flatten() {
        let number = line["lineNumber"].as_i64().unwrap_or(0);
        let (ordered, cancelled, told) = (
            money(&line["quantity"]),
            money(&line["cancelled"]),
            money(&line["shipped"]),
        );
        if told + cancelled > ordered {
            wrong.push(format!(
                "line {number}: {told} shipped and {cancelled} cancelled of {ordered}"
            ));
        }
        let gone = by_line.get(&number).map_or(Decimal::ZERO, |row| {
            let parts = rows.parts(row);
            if parts.is_empty() {
                return units(row);
            }
            let kits = rows
                .by_id
                .get(*row)
                .map_or(Decimal::ONE, |kit| money(&kit["quantity"]));
            let whole = |part: &&Value| {
                let all = money(&part["quantity"]);
                // In this order, so that a third of a kit does not make a whole one less.
                (units(&text(&part["id"])) * kits)
                    .checked_div(all)
                    .unwrap_or_default()
                    .floor()
            };
            parts.iter().map(whole).min().unwrap_or_default()
        });
        if gone != told {
            wrong.push(format!(
                "line {number}: {gone} left the warehouse, {told} at the network"
            ));
        }
    }
    wrong
}

fn parcel_differs(note: &Value, wanted: &Wanted, tracking: &str, parcel: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut differ = |what: String| wrong.push(format!("tracking {tracking}: {what}"));
    let mut told: BTreeMap<i64, Decimal> = BTreeMap::new();
    let spread = wanted.trackings.len() > 1;
    for item in parcel["items"].as_array().into_iter().flatten() {
        let line = item["lineNumber"].as_i64().unwrap_or(0);
        *told.entry(line).or_default() += money(&item["quantity"]);
        if (item["span"] == true) != spread {
            differ(format!(
                "line {line} is {} spread over parcels",
                if spread { "not" } else { "wrongly" }
            ));
        }
    }
    told.retain(|line, _| !wanted.kits.contains(line) || wanted.plain.contains_key(line));
    if told != wanted.plain {
        differ(format!(
            "holds {told:?}, the note {:?} (line: units)",
            wanted.plain
        ));
    }
    let method = note["shippingMethodId"].as_i64().unwrap_or(0);
    if let Some(service) = service_of(method) {
        let said = [&parcel["carrier"], &parcel["method"], &parcel["code"]].map(text);
        let right = [service.carrier, service.method, service.code];
        let fits = said
            .iter()
            .zip(right)
            .all(|(said, right)| said.is_empty() || said.eq_ignore_ascii_case(right));
        if !fits || said[2].is_empty() {
            differ(format!(
                "went by {}, not by {}",
                said.join(" "),
                right.join(" ")
            ));
        }
    }
    let place = note["warehouseId"].as_i64().unwrap_or(0);
    let code = WAREHOUSES
        .iter()
        .find(|w| w.erp_id == place)
        .map_or("", |w| w.code);
    if text(&parcel["warehouseCode"]) != code {
        differ(format!(
            "from warehouse `{}`, not `{code}`",
            text(&parcel["warehouseCode"])
        ));
    }
    let second = |value: &Value| {
        value
            .as_str()
            .and_then(|t| t.parse::<Timestamp>().ok())
            .map(Timestamp::as_second)
    };
    if second(&parcel["shipDate"]) != second(&note["shippedOn"]) {
        differ(format!(
            "left at {}, not at {}",
            text(&note["shippedOn"]),
            text(&parcel["shipDate"])
        ));
    }
    wrong
}
