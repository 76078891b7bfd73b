//! What of the ERP's invoice may leave now, and in which pieces: by the retailer's policy, by what is confirmed as
//! shipped, and never more than that.

use super::case::{Case, less, units_of};
use super::count;
use super::look::{self, park};
use crate::cancel;
use crate::core::Desk;
use crate::shipment::count::{self as shipped, Units};
use crate::shipment::rest::{Reads, Rest};
use crate::translate::Looked;
use waybill_model::billing::{Policy, billed};
use waybill_model::decimal::Decimal;
use waybill_model::document::OrderPhase;
use waybill_model::ids::Millis;
use waybill_model::job::Ending;
use waybill_model::quantities::{self, LineCount};
use waybill_model::settings::INVOICE_WAIT;
use waybill_store::{Read, StoreError, Tx};

const HOUR_MS: Millis = 3_600_000;
/// Why an invoice ended that its retailer does not take; a change of the policy is held against it.
pub(super) const TAKES_NONE: &str = "the retailer takes no invoices";

/// What becomes of the ERP's invoice.
pub(crate) enum Plan {
    /// These units leave under its own number.
    Send(Units),
    /// These are cut from it first: what stands behind its number, and the units.
    Cut(Vec<(String, Units)>),
    /// Nothing leaves now.
    Not(Looked),
}

/// One look at an invoice.
struct Sum<'a, 't> {
    tx: &'a Tx<'t>,
    case: &'a Case,
    source: String,
    /// In none of its parts.
    left: Units,
    lines: Vec<LineCount>,
    /// On other invoices, or put by for them.
    elsewhere: Units,
    now: Millis,
}

/// What may leave of it.
pub(crate) fn plan(tx: &Tx<'_>, desk: &Desk, case: &Case, now: Millis) -> Result<Plan, StoreError> {
    let policy = case.policy();
    if policy == Policy::None {
        let text = format!(
            "{} takes no invoices: invoice {} is not sent.",
            case.row.retailer_name, case.invoice.number
        );
        let why = TAKES_NONE.to_owned();
        return Ok(Plan::Not(Looked::End(Ending::Ignored(why), text)));
    }
    let sum = Sum {
        tx,
        case,
        source: desk.title(case.job.to),
        left: case.left(),
        lines: case.counted(tx)?,
        elsewhere: count::invoiced(&case.jobs, case.job.id),
        now,
    };
    if let Some(looked) = sum.never() {
        return Ok(Plan::Not(looked));
    }
    // What a line still holds is not known there until the cancel is.
    if cancel::count::is_being_told(&case.jobs, &case.row) {
        return Ok(sum.waits("the cancel that is being told"));
    }
    match policy {
        Policy::Shipment => sum.by_shipment(),
        Policy::Lines => sum.by_line(),
        Policy::Order | Policy::None => sum.by_order(),
    }
}

impl Sum<'_, '_> {
    fn line(&self, line: &str) -> Option<&LineCount> {
        self.lines.iter().find(|count| count.line == line)
    }

    fn shipped(&self, line: &str) -> Decimal {
        self.line(line)
            .map(|count| count.shipped)
            .unwrap_or_default()
    }

    /// Shipped and on no other invoice.
    fn free(&self, line: &str) -> Decimal {
        less(self.shipped(line), units_of(&self.elsewhere, line))
    }

    /// Whether more of the order will ship.
    fn is_open(&self) -> bool {
        self.lines.iter().any(|line| line.open.is_positive())
    }

    /// What no shipment will mend.
    fn never(&self) -> Option<Looked> {
        let (case, number) = (self.case, &self.case.invoice.number);
        let all = billed(&case.invoice);
        if all.is_empty() {
            return Some(park(
                look::EMPTY,
                format!(
                    "Invoice {number} has nothing of order {} on it.",
                    case.row.number
                ),
                "Correct it where it was made, or leave this card with a reason.",
            ));
        }
        if let Some(line) = all.keys().find(|line| self.line(line).is_none()) {
            return Some(park(
                look::UNKNOWN_LINE,
                format!(
                    "Invoice {number} names line {line}, which order {} does not have.",
                    case.row.number
                ),
                "Send it by hand, then leave this card with a reason.",
            ));
        }
        if self.left.is_empty() {
            let parts = count::parts(&case.jobs, number);
            let key = parts
                .last()
                .map(|part| part.key.clone())
                .unwrap_or_default();
            let text = format!("All of invoice {number} is sent in parts.");
            return Some(Looked::End(Ending::Merged(key), text));
        }
        let nothing = all.keys().all(|line| !self.shipped(line).is_positive());
        (case.row.phase == OrderPhase::Cancelled && nothing).then(|| {
            park(
                look::CANCELLED,
                format!(
                    "Order {} is cancelled and nothing of it was shipped, but there is invoice {number}.",
                    case.row.number
                ),
                "Credit it where it was made, then leave this card with a reason.",
            )
        })
    }

    /// Waits for shipments, and when that takes too long, for a person.
    fn waits(&self, what: &str) -> Plan {
        let (case, number) = (self.case, &self.case.invoice.number);
        let hours = case.setting(INVOICE_WAIT).parse().unwrap_or(0);
        let hours: Millis = i64::clamp(hours, 0, 87_600);
        let until = (hours > 0).then(|| case.came + hours * HOUR_MS);
        if until.is_some_and(|until| self.now >= until) {
            let missing: Vec<String> = self
                .left
                .iter()
                .filter(|(line, units)| self.free(line) < **units)
                .map(|(line, units)| {
                    let (free, named) = (self.free(line).min(*units), case.named(line));
                    format!("{} of {} of {named}", free.normal(), units.normal())
                })
                .collect();
            return Plan::Not(park(
                look::NOT_SHIPPED,
                format!(
                    "Invoice {number} of order {} waits for {what}. Confirmed as shipped by {}: {}.",
                    case.row.number,
                    self.source,
                    if missing.is_empty() {
                        "not all of the order".to_owned()
                    } else {
                        missing.join("; ")
                    }
                ),
                "It goes on by itself once the rest has shipped, or was cancelled.",
            ));
        }
        Plan::Not(Looked::Rest(Rest {
            why: format!("Waits for {what}"),
            reads: Reads::Nothing,
            until,
            said: true,
        }))
    }

    fn by_order(&self) -> Result<Plan, StoreError> {
        let case = self.case;
        let other = |job: &&waybill_store::JobRow| {
            count::is_invoice(job) && job.id != case.job.id && !job.units.is_empty()
        };
        let parted = !count::parts(&case.jobs, &case.invoice.number).is_empty();
        if let Some(first) = case.jobs.iter().find(other).filter(|_| !parted) {
            return Ok(Plan::Not(park(
                look::SECOND,
                format!(
                    "{} takes one invoice per order. Order {} has {} and now {}.",
                    case.row.retailer_name, case.row.number, first.key, case.invoice.number
                ),
                "Settle the second one with the retailer, or set another policy for it; then press Retry or leave this card with a reason.",
            )));
        }
        if self.is_open() {
            return Ok(self.waits("the rest of the order to ship"));
        }
        let omitted = self.lines.iter().filter_map(|line| {
            let on_it = units_of(&self.left, &line.line);
            let missing = less(self.free(&line.line), on_it);
            let named = case.named(&line.line);
            missing
                .is_positive()
                .then(|| format!("{} of {named}", missing.normal()))
        });
        let omitted: Vec<String> = omitted.collect();
        let shipped = format!("leaves out what has shipped: {}", omitted.join("; "));
        self.exactly((!omitted.is_empty()).then_some(shipped))
    }

    fn by_shipment(&self) -> Result<Plan, StoreError> {
        let number = &self.case.invoice.number;
        let parts = count::parts(&self.case.jobs, number);
        let known = |note: &str| {
            parts
                .iter()
                .any(|part| part.key == format!("{number}-{note}"))
        };
        let (mut left, mut cut) = (self.left.clone(), Vec::new());
        for job in self.case.jobs.iter().filter(|j| shipped::is_shipment(j)) {
            if !shipped::is_told(job) || known(&job.key) {
                continue;
            }
            let mut units = Units::new();
            quantities::add(&mut units, &job.units);
            units.retain(|_, units| units.is_positive());
            let fits = |(line, units): (&String, &_)| {
                *units <= units_of(&left, line) && *units <= self.free(line)
            };
            if units.is_empty() || !units.iter().all(fits) {
                continue;
            }
            for (line, units) in &units {
                let rest = less(units_of(&left, line), *units);
                left.insert(line.clone(), rest);
            }
            cut.push((job.key.clone(), units));
        }
        match cut.as_slice() {
            // One shipment of everything: no number but the invoice's own.
            [(_, units)] if parts.is_empty() && *units == self.left && !self.is_open() => {
                Ok(Plan::Send(units.clone()))
            }
            [] if self.is_open() => Ok(self.waits("the next shipment")),
            [] => self.exactly(None),
            _ => Ok(Plan::Cut(cut)),
        }
    }

    fn by_line(&self) -> Result<Plan, StoreError> {
        let case = self.case;
        let mut whole = Units::new();
        for (line, units) in &self.left {
            let Some(count) = self.line(line).filter(|count| count.open.is_zero()) else {
                continue;
            };
            if *units == count.shipped && *units <= self.free(line) {
                whole.insert(line.clone(), *units);
            }
        }
        let parts = count::parts(&case.jobs, &case.invoice.number);
        if whole == self.left && parts.is_empty() {
            return Ok(Plan::Send(whole));
        }
        if !whole.is_empty() {
            let cut = whole.into_iter().map(|(line, units)| {
                let mut lines = case.order.lines.iter();
                let number = lines.find(|l| l.line == line).and_then(|l| l.number);
                let suffix = number.map_or_else(|| line.clone(), |number| number.to_string());
                (format!("L{suffix}"), Units::from([(line, units)]))
            });
            return Ok(Plan::Cut(cut.collect()));
        }
        let open = |line: &String| self.line(line).is_some_and(|c| c.open.is_positive());
        if self.left.keys().any(open) {
            return Ok(self.waits("whole lines to ship"));
        }
        let split = self
            .left
            .iter()
            .find(|(line, units)| **units < self.shipped(line));
        self.exactly(split.map(|(line, units)| {
            format!(
                "has {} of {}, of which {} have shipped",
                units.normal(),
                case.named(line),
                self.shipped(line).normal()
            )
        }))
    }

    /// All that is left of it, where that is shipped and on no other invoice. Else a card, or what a person accepted.
    fn exactly(&self, omitted: Option<String>) -> Result<Plan, StoreError> {
        let (case, number) = (self.case, &self.case.invoice.number);
        let over: Vec<String> = self
            .left
            .iter()
            .filter(|(line, units)| **units > self.free(line))
            .map(|(line, units)| {
                format!(
                    "{} of {}, and {} shipped and not invoiced yet",
                    units.normal(),
                    case.named(line),
                    self.free(line).normal()
                )
            })
            .collect();
        let mut units = self.left.clone();
        for (line, units) in &mut units {
            *units = (*units).min(self.free(line));
        }
        units.retain(|_, units| units.is_positive());
        let (code, message, hint) = match (over.is_empty(), omitted) {
            (true, None) => return Ok(Plan::Send(units)),
            (false, _) => (
                look::ABOVE_SHIPPED,
                format!(
                    "Invoice {number} of order {} has {}.",
                    case.row.number,
                    over.join("; ")
                ),
                "Credit the rest where it was made, then press Retry to send what has shipped.",
            ),
            (true, Some(omitted)) => (
                look::POLICY,
                format!(
                    "Invoice {number} of order {} {omitted}. {} takes its invoices {}.",
                    case.row.number,
                    case.row.retailer_name,
                    match case.policy() {
                        Policy::Lines => "by whole lines",
                        _ => "as one per order",
                    }
                ),
                "Correct it where it was made, or press Retry to send it as it is.",
            ),
        };
        let accepted = self.tx.meta(&look::accepted_key(&case.job))?;
        if accepted.as_deref() != Some(message.as_bytes()) {
            return Ok(Plan::Not(park(code, message, hint)));
        }
        if units.is_empty() {
            let text = format!("Nothing of invoice {number} can be sent.");
            let why = "nothing of it is shipped and not invoiced".to_owned();
            return Ok(Plan::Not(Looked::End(Ending::Ignored(why), text)));
        }
        Ok(Plan::Send(units))
    }
}
