//! Looking at an invoice's job before it is sent: what of it leaves, whether its parts add up, and whether it is what the
//! order expects. What may be at the network already is not judged again: the connector finds out, by its number.

use super::case::Case;
use super::count;
use super::plan::{Plan, plan};
use crate::core::Desk;
use crate::restored::{self, MAYBE_REPORTED, SETTLES_MS, Telling};
use crate::shipment::count::{self as shipped, Units};
use crate::shipment::{look as note, show};
use crate::translate::{self, Looked};
use waybill_model::amounts::Rules;
use waybill_model::billing::{self, Cut};
use waybill_model::contract::{Delivery, Problem};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Document, Invoice};
use waybill_model::ids::Millis;
use waybill_model::job::Reason;
use waybill_model::quantities;
use waybill_model::settings::{INVOICE_PERCENT, INVOICE_TOLERANCE};
use waybill_store::{JobRow, Read, StoreError, Tx};

/// Code: more is on it than is shipped and not invoiced.
pub(crate) const ABOVE_SHIPPED: &str = "above-shipped";
/// Code: the retailer wants its invoices cut in another way.
pub(crate) const POLICY: &str = "invoice-cut";
/// Code: another one was there first, and the retailer takes one.
pub(crate) const SECOND: &str = "second-invoice";
/// Code: its order is cancelled.
pub(crate) const CANCELLED: &str = "invoiced-though-cancelled";
/// Code: shipments that it waits for do not come.
pub(crate) const NOT_SHIPPED: &str = "invoice-not-shipped";
/// Code: it has nothing of the order.
pub(crate) const EMPTY: &str = "invoice-empty";
/// Code: a line that the order does not have.
pub(crate) const UNKNOWN_LINE: &str = "invoice-line-unknown";
/// Code: it is over another amount than the order expects.
pub(crate) const PRICE: &str = "invoice-price";
/// Code: another currency than the order's.
const CURRENCY: &str = "invoice-currency";
/// What a shipment, a cancel, a change of the order or a look at it may mend.
pub(crate) const OWN_PROBLEMS: [&str; 9] = [
    ABOVE_SHIPPED,
    POLICY,
    SECOND,
    CANCELLED,
    NOT_SHIPPED,
    UNKNOWN_LINE,
    PRICE,
    CURRENCY,
    MAYBE_REPORTED,
];
/// What a person's Retry accepts as it stands.
pub(crate) const BY_RETRY: [&str; 3] = [ABOVE_SHIPPED, POLICY, PRICE];

/// Where it is kept that a person accepted what a card said, in these very words.
pub(crate) fn accepted_key(job: &JobRow) -> String {
    format!("invoice-accepted/{}/{}/{}", job.from, job.to, job.key)
}

pub(crate) fn park(code: &str, message: String, hint: &str) -> Looked {
    Looked::Park(Reason::Problem(Problem::new(code, message, hint)))
}

/// Looks at an invoice's job.
pub(crate) fn look(
    tx: &Tx<'_>,
    desk: &Desk,
    job: &JobRow,
    now: Millis,
) -> Result<Looked, StoreError> {
    let Some(case) = Case::of(tx, job)? else {
        return Ok(Looked::Park(translate::missing_document()));
    };
    let begun = tx.has_effects(job.id)?;
    let units = if begun || !case.is_root() {
        let mut units = Units::new();
        quantities::add(&mut units, &job.units);
        units
    } else {
        match plan(tx, desk, &case, now)? {
            Plan::Send(units) => units,
            Plan::Not(looked) => return Ok(looked),
            // They were made before this look; there are more already.
            Plan::Cut(_) => return Ok(rest_of_parts()),
        }
    };
    let (sent, charges) = match cut(tx, &case, &units)? {
        Ok(sent) => sent,
        Err(problem) => return Ok(Looked::Park(Reason::Problem(problem))),
    };
    if !begun {
        let money = case.money(tx, &sent, charges)?;
        let looked = match money {
            None => case.after_restore(tx, desk, now)?,
            some => some,
        };
        if let Some(looked) = looked {
            return Ok(looked);
        }
    }
    Ok(Looked::Go(Box::new(Delivery {
        document: Document {
            key: job.key.clone(),
            revision: job.id.0.to_string(),
            occurred_at: sent.issued_at,
            body: Body::Invoice(sent),
        },
        origin: Some(case.origin.clone()),
        links: Vec::new(),
        settings: translate::delivery_settings(tx, desk, job.to, &case.row.retailer)?,
    })))
}

fn rest_of_parts() -> Looked {
    Looked::Rest(crate::shipment::rest::Rest {
        why: "Is cut into parts".to_owned(),
        reads: crate::shipment::rest::Reads::Nothing,
        until: None,
        said: false,
    })
}

/// What leaves under this job's number, and whether the charges are on it.
fn cut(
    tx: &Tx<'_>,
    case: &Case,
    units: &Units,
) -> Result<Result<(Invoice, bool), Problem>, StoreError> {
    let before = case.before();
    // The charges go with what leaves first.
    let charges = before.is_empty();
    let tracking = tracking(tx, case, units)?;
    let cut = Cut {
        of: &case.invoice,
        number: &case.job.key,
        order_key: &case.row.key,
        units,
        before: &before,
        charges,
        tracking: &tracking,
    };
    Ok(cut.invoice().map(|sent| (sent, charges)))
}

/// The invoice of a job as it was sent.
pub(crate) fn sent(tx: &Tx<'_>, job: &JobRow) -> Result<Option<Invoice>, StoreError> {
    let Some(case) = Case::of(tx, job)? else {
        return Ok(None);
    };
    let mut units = Units::new();
    quantities::add(&mut units, &job.units);
    Ok(cut(tx, &case, &units)?.ok().map(|(sent, _)| sent))
}

/// Tracking numbers of what it is for: of its own note, where it is one's; else of all notes that hold a line of it.
fn tracking(tx: &Tx<'_>, case: &Case, units: &Units) -> Result<Vec<String>, StoreError> {
    let own = case.job.key.strip_prefix(&case.invoice.number);
    let own = own.and_then(|suffix| suffix.strip_prefix('-'));
    let told = || {
        let jobs = case.jobs.iter();
        jobs.filter(|j| shipped::is_shipment(j) && shipped::is_told(j))
    };
    let is_own = |job: &JobRow| own == Some(job.key.as_str());
    let any = told().any(is_own);
    let mut numbers: Vec<String> = Vec::new();
    for job in told() {
        let holds = job.units.iter().any(|unit| units.contains_key(&unit.line));
        if !(is_own(job) || !any && holds) {
            continue;
        }
        let Some(stored) = tx.document(job.document)? else {
            continue;
        };
        let of = note::shipment(&stored.document).map(show::tracking);
        for number in of.unwrap_or_default() {
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
    }
    Ok(numbers)
}

impl Case {
    /// Waits until its order was read after a restore: the connector looks an invoice up by its number where it can ask
    /// for one, and where nobody can be asked a person must.
    fn after_restore(
        &self,
        tx: &Tx<'_>,
        desk: &Desk,
        now: Millis,
    ) -> Result<Option<Looked>, StoreError> {
        // Its own date may lie ahead: it was made at the earliest when its order was placed, and at the latest when it came.
        let placed = self.row.placed_at.unwrap_or_default();
        let earliest = self.invoice.issued_at.min(placed).min(self.came);
        let Some(restored) = restored::before(tx, earliest)? else {
            return Ok(None);
        };
        let telling = Telling {
            job: &self.job,
            row: &self.row,
            named: &format!("invoice {}", self.job.key),
            came: self.came,
            now,
        };
        restored::unread(&telling, tx, desk, restored.at + SETTLES_MS)
    }

    /// Whether its amounts add up, and are what the order expects.
    fn money(
        &self,
        tx: &Tx<'_>,
        sent: &Invoice,
        charges: bool,
    ) -> Result<Option<Looked>, StoreError> {
        let stop = |problem| Ok(Some(Looked::Park(Reason::Problem(problem))));
        if let Err(problem) = billing::check(&self.invoice) {
            return stop(problem);
        }
        if let Some(wanted) = &self.order.currency
            && !wanted.eq_ignore_ascii_case(&sent.currency)
        {
            return Ok(Some(park(
                CURRENCY,
                format!(
                    "Invoice {} is in {}, order {} in {wanted}.",
                    self.invoice.number, sent.currency, self.row.number
                ),
                "Correct the invoice where it was made, or send it by hand and leave this card with a reason.",
            )));
        }
        // What the rules kept off the sale is not expected on its invoice, and what they put there is.
        let expected = Rules::of(&self.values).apply(&self.order).into_order();
        let difference = match billing::difference(sent, &expected, &self.before(), charges) {
            Ok(difference) => difference,
            Err(problem) => return stop(problem),
        };
        let amount = |key: &str| self.setting(key).parse::<Decimal>().unwrap_or_default();
        if difference.is_within(amount(INVOICE_TOLERANCE), amount(INVOICE_PERCENT)) {
            return Ok(None);
        }
        let message = format!(
            "Invoice {} of order {} is over {} {}, and the order expects {}: {}.",
            self.job.key,
            self.row.number,
            difference.billed.rounded(2).fixed(2),
            sent.currency,
            difference.expected.rounded(2).fixed(2),
            difference.words
        );
        let accepted = tx.meta(&accepted_key(&self.job))?;
        if accepted.as_deref() == Some(message.as_bytes()) {
            return Ok(None);
        }
        Ok(Some(park(
            PRICE,
            message,
            "Agree on the price with the retailer and correct one of them, or press Retry to send it as it is.",
        )))
    }
}

/// Units to keep with a job that a person left alone: he sees to what it was over.
pub(crate) fn left_alone(tx: &Tx<'_>, job: &JobRow) -> Result<Option<Units>, StoreError> {
    if !count::is_invoice(job) || !job.units.is_empty() || super::intake::is_change(job) {
        return Ok(None);
    }
    Ok(Case::of(tx, job)?
        .filter(Case::is_root)
        .map(|case| case.left()))
}
