//! What was told to DSCO about one order, and how it is recognised again: in the change log and on the order itself.
//! Knows no call and no verdict.

use crate::line::Contents;
use crate::wire::log::Payload;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use waybill_sdk::commerce::Decimal;
use waybill_sdk::decimal::ZERO;
use waybill_sdk::types::Receipt;

/// Something told about one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// Its dscoOrderId.
    pub(crate) order: String,
    pub(crate) what: What,
}

/// What was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// That we have the order; with our number for it, once there is one.
    Acknowledged { number: Option<String> },
    /// That these parcels left.
    Shipped {
        /// The PO number they were sent with.
        po: Option<String>,
        parcels: Vec<Sent>,
    },
    /// That so many units of each line are cancelled.
    Cancelled { lines: BTreeMap<String, i64> },
    /// That this is to be paid.
    Invoiced(Bill),
}

/// An invoice that was told, as far as it is recognised by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Bill {
    #[serde(rename = "v")]
    pub(crate) number: String,
    /// Its total.
    #[serde(rename = "m")]
    pub(crate) cents: i64,
    #[serde(rename = "q")]
    pub(crate) units: i64,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub(crate) po: Option<String>,
}

/// A parcel that was told: its tracking number, and the units of each line by the line's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) tracking: String,
    pub(crate) lines: BTreeMap<String, i64>,
}

/// Whose entries a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Of one request of ours: an entry about an order is about what we told of it.
    Request,
    /// Of everything in a span of time: other writes, and the acknowledgement without the number, are no proof.
    /// A failure from before this time, in milliseconds of the vendor's clock, was of an earlier attempt.
    Since(i64),
}

/// How a parcel of ours compares with those that DSCO knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    Missing,
    Same,
    /// The same tracking number with other contents.
    Other,
}

impl Told {
    /// The receipt once DSCO has it.
    pub(crate) fn receipt(&self) -> Receipt {
        match &self.what {
            What::Acknowledged { number } => {
                Receipt::of(self.order.clone()).numbered(number.clone())
            }
            What::Shipped { parcels, .. } => receipt(&self.order, parcels),
            What::Cancelled { .. } => Receipt::of(format!("{}/cancel", self.order)),
            What::Invoiced(bill) => Receipt::of(bill.number.clone()),
        }
    }

    /// In words, behind "the".
    pub(crate) const fn noun(&self) -> &'static str {
        match self.what {
            What::Acknowledged { .. } => "acknowledgement",
            What::Shipped { .. } => "shipment",
            What::Cancelled { .. } => "cancel",
            What::Invoiced(_) => "invoice",
        }
    }

    /// Whether that is what was submitted.
    pub(crate) fn is(&self, payload: &Payload, scope: Scope) -> bool {
        match &self.what {
            What::Acknowledged { number } => {
                let ours = || {
                    payload.is_acknowledgement()
                        && (number.is_none() || payload.supplier_order_number == *number)
                };
                payload.order() == Some(&self.order) && (scope == Scope::Request || ours())
            }
            What::Shipped { po, parcels } => {
                let order = match payload.order() {
                    Some(order) => *order == self.order,
                    None => po.is_some() && payload.po_number == *po,
                };
                let theirs: BTreeSet<&str> = payload
                    .shipments
                    .iter()
                    .filter_map(|parcel| parcel.tracking_number.as_deref())
                    .collect();
                let ours = || {
                    parcels
                        .iter()
                        .map(|parcel| parcel.tracking.as_str())
                        .collect()
                };
                // A payload that shows no parcel may be a shortened one, where nothing else can be meant.
                let shortened = theirs.is_empty() && scope == Scope::Request;
                order && (shortened || theirs == ours())
            }
            // No two invoices of an account have one number.
            What::Invoiced(bill) => payload.invoice_id.as_ref() == Some(&bill.number),
            What::Cancelled { lines } => {
                payload.order() == Some(&self.order)
                    && (scope == Scope::Request || Self::are_cancelled(&payload.line_items, lines))
            }
        }
    }

    /// Whether these are the items of a cancel that was submitted.
    fn are_cancelled(items: &Value, lines: &BTreeMap<String, i64>) -> bool {
        let mut theirs: BTreeMap<String, i64> = BTreeMap::new();
        for item in items.as_array().into_iter().flatten() {
            let number = |name: &str| item.get(name).and_then(whole);
            let units = number("cancelledQuantity").unwrap_or(0);
            // A line without a number is known by DSCO's own id of its item.
            let id = item.get("dscoItemId").and_then(Value::as_str);
            let line = number("lineNumber").map(|number| number.to_string());
            if let Some(line) = line.or_else(|| id.map(str::to_owned)) {
                *theirs.entry(line).or_default() += units;
            }
        }
        theirs == *lines
    }

    /// The same without these parcels, which are there already.
    pub(crate) fn without(&mut self, there: &BTreeSet<String>) {
        if let What::Shipped { parcels, .. } = &mut self.what {
            parcels.retain(|parcel| !there.contains(&parcel.tracking));
        }
    }
}

fn whole(value: &Value) -> Option<i64> {
    value
        .as_i64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

fn receipt(order: &str, parcels: &[Sent]) -> Receipt {
    let all: Vec<&str> = parcels
        .iter()
        .map(|parcel| parcel.tracking.as_str())
        .collect();
    let first = all.first().copied().unwrap_or_default();
    Receipt::of(format!("{order}/{first}")).numbered(Some(all.join(", ")))
}

impl Sent {
    /// Looks for this parcel among those of its order.
    pub(crate) fn among(&self, known: &[Contents]) -> Match {
        let Some(known) = known.iter().find(|known| known.tracking == self.tracking) else {
            return Match::Missing;
        };
        let same = if known.numbered {
            let ours = self
                .lines
                .iter()
                .map(|(key, units)| (key, Decimal::whole(*units)));
            let theirs = known.lines.iter().map(|(key, units)| (key, *units));
            ours.clone().count() == theirs.clone().count()
                && ours.zip(theirs).all(|((ours, units), (theirs, other))| {
                    ours == theirs && units.compare(other) == Ordering::Equal
                })
        } else {
            let sum = |all: &[Decimal]| {
                let mut units = all.iter().copied();
                units.try_fold(ZERO, Decimal::plus).unwrap_or(ZERO)
            };
            let ours: Vec<Decimal> = self.lines.values().copied().map(Decimal::whole).collect();
            let theirs: Vec<Decimal> = known.lines.iter().map(|(_, units)| *units).collect();
            sum(&ours).compare(sum(&theirs)) == Ordering::Equal
        };
        if same { Match::Same } else { Match::Other }
    }
}
