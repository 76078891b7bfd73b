//! One invoice's job with everything it is judged by.

use super::count;
use crate::cancel::count::Sight;
use crate::shipment::count::{self as shipped, Units};
use waybill_model::billing::{self, Policy};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Document, Invoice, Order, OrderPhase};
use waybill_model::ids::Millis;
use waybill_model::quantities::{self, LineCount};
use waybill_model::settings::{self, INVOICE_POLICY, Values};
use waybill_store::{JobRow, OrderRow, Read, StoreError, Tx};

/// A job of an invoice.
pub(crate) struct Case {
    pub(crate) job: JobRow,
    pub(crate) row: OrderRow,
    pub(crate) jobs: Vec<JobRow>,
    /// As the ERP made it.
    pub(crate) invoice: Invoice,
    /// When that came.
    pub(crate) came: Millis,
    /// The newest revision at its source.
    pub(crate) origin: Document,
    pub(crate) order: Order,
    pub(crate) values: Values,
}

impl Case {
    /// `None` where something that was stored is missing.
    pub(crate) fn of(tx: &Tx<'_>, job: &JobRow) -> Result<Option<Self>, StoreError> {
        let Some(row) = job.order.map(|id| tx.order(id)).transpose()?.flatten() else {
            return Ok(None);
        };
        let (made, origin) = (tx.document(job.document)?, tx.document(row.document)?);
        let (Some(made), Some(origin)) = (made, origin) else {
            return Ok(None);
        };
        let (Body::Invoice(invoice), Some(order)) =
            (made.document.body, origin.document.order().cloned())
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            job: job.clone(),
            jobs: tx.jobs_of_order(row.id)?,
            invoice,
            came: made.stored_at,
            origin: origin.document,
            order,
            values: tx.effective(Some(row.connection), Some(&row.retailer))?,
            row,
        }))
    }

    /// The invoice itself, not a part that was cut from it.
    pub(crate) fn is_root(&self) -> bool {
        self.job.key == self.invoice.number
    }

    /// A setting of the agent's for the order's retailer.
    pub(crate) fn setting(&self, key: &str) -> String {
        let defaults = settings::agent_settings();
        let value = settings::value(&self.values, key, &defaults);
        value.unwrap_or_default().trim().to_owned()
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy::from_word(&self.setting(INVOICE_POLICY)).unwrap_or(Policy::Order)
    }

    /// Other parts that were cut before this one.
    pub(crate) fn before(&self) -> Units {
        let parts = count::parts(&self.jobs, &self.invoice.number).into_iter();
        count::sum(parts.filter(|part| self.is_root() || part.id < self.job.id))
    }

    /// What of the ERP's invoice is in none of its parts.
    pub(crate) fn left(&self) -> Units {
        let cut = count::sum(count::parts(&self.jobs, &self.invoice.number).into_iter());
        let mut left = billing::billed(&self.invoice);
        for (line, units) in &mut left {
            *units = less(*units, units_of(&cut, line));
        }
        left.retain(|_, units| units.is_positive());
        left
    }

    /// Lines of the order; what was told as cancelled counts, whether or not the source shows it.
    pub(crate) fn counted(&self, tx: &Tx<'_>) -> Result<Vec<LineCount>, StoreError> {
        let mut counted = quantities::count(&self.order, &shipped::told(&self.jobs));
        if let Some(sight) = Sight::of(tx, self.row.id)? {
            counted = sight.less_told(counted);
        }
        if self.row.phase == OrderPhase::Cancelled || self.order.phase == OrderPhase::Completed {
            for line in &mut counted {
                line.open = Decimal::ZERO;
            }
        }
        Ok(counted)
    }

    /// "line 1 (Mug)".
    pub(crate) fn named(&self, line: &str) -> String {
        let mut lines = self.order.lines.iter();
        let title = lines.find(|l| l.line == line).map(|l| l.title.trim());
        match title.filter(|title| !title.is_empty()) {
            Some(title) => format!("line {line} ({title})"),
            None => format!("line {line}"),
        }
    }
}

/// Units of a line; nought where there are none.
pub(crate) fn units_of(units: &Units, line: &str) -> Decimal {
    units.get(line).copied().unwrap_or_default()
}

/// What is left, never below nought.
pub(crate) fn less(all: Decimal, part: Decimal) -> Decimal {
    all.checked_sub(part).unwrap_or_default().max(Decimal::ZERO)
}
