//! Owns the comparison of one run with the ground truth: every order, what should have become of it, what did. Reads
//! JSON only.

use super::worker::Kind;
use crate::check::{self, Report};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What one case came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct CaseRow {
    /// Orders of the case.
    pub orders: usize,
    /// What should be seen, and how often.
    pub expected: BTreeMap<&'static str, usize>,
    /// What is seen.
    pub seen: BTreeMap<&'static str, usize>,
    /// Orders that came out differently.
    pub differ: Vec<String>,
}

/// The whole comparison.
#[derive(Debug)]
pub struct Verdict {
    /// By case.
    pub cases: BTreeMap<String, CaseRow>,
    /// The invariant check.
    pub report: Report,
}

const SALE: &str = "one sale, acknowledged with its number";
const WAITS: &str = "waits for a person, no sale";
const NOTHING: &str = "no sale";
const UNTOLD: &str = "one sale, its number not known yet";
const UNSETTLED: &str = "not settled yet";
const DOUBLE: &str = "more than one sale";

impl Verdict {
    /// Compares. `waiting` holds the order ids with an open card; `mapped` says whether the person has filled in items.
    pub fn of(network: &Value, erp: &Value, waiting: &BTreeSet<String>, mapped: bool) -> Self {
        let report = check::check(network, erp, waiting);
        let mut sales: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for sale in erp["orders"].as_array().into_iter().flatten() {
            let reference = sale["externalRef"].as_str().unwrap_or_default();
            let key: String = reference
                .chars()
                .skip_while(|c| !c.is_ascii_digit())
                .collect();
            sales.entry(key).or_default().push(sale["id"].to_string());
        }
        let mut cases: BTreeMap<String, CaseRow> = BTreeMap::new();
        for order in network["orders"].as_array().into_iter().flatten() {
            let text = |name: &str| order[name].as_str().unwrap_or_default();
            let id = text("dscoOrderId");
            let made = sales.get(id).map_or(&[][..], Vec::as_slice);
            let expected = match text("expect") {
                "no-sale-test" | "no-sale-cancelled" => NOTHING,
                "waits-total" => WAITS,
                "waits-until-mapped" if !mapped => WAITS,
                _ => SALE,
            };
            let seen = match made {
                [] if waiting.contains(id) => WAITS,
                [] if expected == NOTHING => NOTHING,
                [] => UNSETTLED,
                [sale]
                    if text("supplierOrderNumber") == sale
                        && order["acknowledgedAt"].is_string() =>
                {
                    SALE
                }
                // A cancelled order takes no number any more.
                [_] if order["cancelled"] == true => SALE,
                [_] => UNTOLD,
                _ => DOUBLE,
            };
            let row = cases.entry(text("case").to_owned()).or_default();
            row.orders += 1;
            *row.expected.entry(expected).or_default() += 1;
            *row.seen.entry(seen).or_default() += 1;
            if expected != seen {
                row.differ.push(format!(
                    "PO {} (order {id}): expected {expected}, seen {seen}",
                    text("poNumber")
                ));
            }
        }
        Self { cases, report }
    }

    /// One line for every way of shipping: how many orders, and how many of them differ.
    pub fn stories(&self, kinds: &BTreeMap<String, Kind>) -> String {
        let mut rows: BTreeMap<Kind, (usize, usize)> = BTreeMap::new();
        for (order, kind) in kinds {
            let row = rows.entry(*kind).or_default();
            row.0 += 1;
            row.1 += usize::from(self.report.shipments.iter().any(|f| f.key == *order));
        }
        let mut text = format!(
            "{:<32} {:>6}  {}\n",
            "shipped by", "orders", "differ from the warehouse"
        );
        for (kind, (orders, differ)) in rows {
            // Writing to a string cannot fail.
            let _infallible = writeln!(text, "{:<32} {orders:>6}  {differ}", kind.words());
        }
        text
    }

    /// Orders that came out differently, and findings of the check.
    pub fn differences(&self) -> usize {
        self.cases.values().map(|c| c.differ.len()).sum::<usize>() + self.report.problems().count()
    }

    /// The table a person reads.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{:<16} {:>6}  {:<52} {:<52} {}\n",
            "case", "orders", "expected by ground truth", "seen", "differences"
        );
        // Writing to a string cannot fail.
        for (case, row) in &self.cases {
            let words = |counts: &BTreeMap<&'static str, usize>| {
                counts
                    .iter()
                    .map(|(what, n)| format!("{n} x {what}"))
                    .collect::<Vec<_>>()
                    .join("; ")
            };
            let _infallible = writeln!(
                text,
                "{case:<16} {:>6}  {:<52} {:<52} {}",
                row.orders,
                words(&row.expected),
                words(&row.seen),
                row.differ.len()
            );
        }
        for line in self.cases.values().flat_map(|c| &c.differ) {
            let _infallible = writeln!(text, "  differs: {line}");
        }
        for (list, finding) in self.report.problems() {
            let _infallible = writeln!(text, "  {list}: {}: {}", finding.key, finding.what);
        }
        let _infallible = writeln!(text, "{}", self.report.summary());
        text
    }
}
