//! What of an order is wanted, shipped and open, line by line. The source's own count and ours are compared, and the
//! larger one holds: neither side may make the other forget a parcel.

use crate::decimal::Decimal;
use crate::document::{LineQuantity, Order, OrderPhase};
use std::collections::BTreeMap;

/// One line's quantities, in units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineCount {
    /// The line's key at the source.
    pub line: String,
    /// Ordered.
    pub ordered: Decimal,
    /// Cancelled.
    pub cancelled: Decimal,
    /// Shipped, as the source or we count, whichever is more.
    pub shipped: Decimal,
    /// Wanted and not shipped; never below nought.
    pub open: Decimal,
}

/// How much of an order is shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing.
    Nothing,
    /// Some of it.
    Part,
    /// Everything that is wanted.
    All,
}

/// Adds quantities line by line.
pub fn add(sum: &mut BTreeMap<String, Decimal>, lines: &[LineQuantity]) {
    for line in lines {
        let of = sum.entry(line.line.clone()).or_default();
        *of = of.checked_add(line.quantity).unwrap_or(*of);
    }
}

/// The lines of an order's newest revision, beside what we sent.
pub fn count(order: &Order, ours: &BTreeMap<String, Decimal>) -> Vec<LineCount> {
    let line = |line: &crate::document::OrderLine| {
        let sent = ours.get(&line.line).copied().unwrap_or_default();
        let shipped = line.shipped.max(sent);
        let open = line.wanted().checked_sub(shipped).unwrap_or_default();
        LineCount {
            line: line.line.clone(),
            ordered: line.quantity,
            cancelled: line.cancelled,
            shipped,
            open: open.max(Decimal::ZERO),
        }
    };
    order.lines.iter().map(line).collect()
}

/// How much of an order is shipped. An order that its source calls completed has nothing open.
pub fn progress(order: &Order, ours: &BTreeMap<String, Decimal>) -> Progress {
    let lines = count(order, ours);
    let mut wanted = lines.iter().filter(|l| l.ordered > l.cancelled);
    let any = lines.iter().any(|l| l.shipped.is_positive());
    let nothing_open = any && wanted.all(|l| l.open.is_zero());
    if nothing_open || order.phase == OrderPhase::Completed {
        Progress::All
    } else if any {
        Progress::Part
    } else {
        Progress::Nothing
    }
}
