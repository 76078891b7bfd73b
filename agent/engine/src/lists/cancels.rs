//! A cancellation in the list of them: who wanted it, what was decided, what the other side said.

use super::{Common, State, common};
use crate::cancel::count;
use crate::cancel::look::SALE_UNKNOWN;
use crate::cancel::restored::{BOTH_WAIT, WAITS as SALE_WAITS};
use crate::cancel::verdict::REFUSED;
use crate::core::Desk;
use crate::restored::WAITS;
use crate::words;
use serde::Serialize;
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, CancelPhase, LineQuantity};
use waybill_model::job::{Ending, JobState, Reason};
use waybill_store::{JobRow, Read, Rx, StoreError};

/// Who wanted a cancellation, and which way it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// The retailer cancelled; it is taken off the sale.
    ByRetailer,
    /// The retailer asks; the sale is cancelled first.
    AskedByRetailer,
    /// The answer to a request goes to the retailer.
    Answer,
    /// The merchant cancelled in the sale; the retailer is told.
    ByMerchant,
    /// Its document is kept no longer.
    Unknown,
}

/// A cancellation.
#[derive(Debug, Clone, Serialize)]
pub struct CancelLine {
    /// What every row says.
    #[serde(flatten)]
    pub common: Common,
    /// Who wanted it.
    pub wanted: Wanted,
    /// The same in words.
    pub by: String,
    /// Title of the system that is told.
    pub told: String,
    /// Units by line: line, title, units. Empty: the whole order.
    pub lines: Vec<(String, String, Decimal)>,
    /// The reason that was given.
    pub reason: Option<String>,
    /// What was decided, in words.
    pub decision: String,
}

pub(super) fn line(desk: &Desk, rx: &Rx, job: &JobRow) -> Result<CancelLine, StoreError> {
    let told = desk.title(job.to);
    let row = match job.order {
        Some(id) => rx.order(id)?,
        None => None,
    };
    let back = row.as_ref().is_some_and(|row| count::is_back(job, row));
    let body = rx
        .document(job.document)?
        .map(|stored| stored.document.body);
    let (wanted, reason, asked) = match &body {
        Some(Body::Cancellation(request)) => {
            let wanted = match (back, request.phase) {
                (true, _) => Wanted::Answer,
                (false, CancelPhase::Requested) => Wanted::AskedByRetailer,
                (false, _) => Wanted::ByRetailer,
            };
            (wanted, request.reason.clone(), request.lines.clone())
        }
        Some(Body::Order(_)) => (Wanted::ByRetailer, None, Vec::new()),
        Some(Body::OrderState(state)) => {
            (Wanted::ByMerchant, Some(state.status.clone()), Vec::new())
        }
        _ => (Wanted::Unknown, None, Vec::new()),
    };
    let retailer = row.as_ref().map_or_else(
        || "The retailer".to_owned(),
        |row| {
            if row.retailer_name.is_empty() {
                row.retailer.clone()
            } else {
                row.retailer_name.clone()
            }
        },
    );
    let sold = row.as_ref().and_then(|row| row.sale_key.as_ref());
    let by = match wanted {
        Wanted::ByRetailer => format!("{retailer} cancelled"),
        Wanted::AskedByRetailer => format!("{retailer} asks to cancel"),
        Wanted::Answer => format!("Answer to {retailer}"),
        Wanted::ByMerchant => format!("You, in {}", desk.title(job.from)),
        Wanted::Unknown => "Kept no longer".to_owned(),
    };
    let done = match &job.state {
        JobState::Done(Ending::Written(_)) if back => format!("Told, confirmed by {told}"),
        JobState::Done(Ending::Written(_)) => format!("Taken off the sale in {told}"),
        state => words::state(state, &told),
    };
    let units = if job.units.is_empty() {
        asked
    } else {
        job.units.clone()
    };
    let mut common = common(desk, rx, job, &done)?;
    if matches!(job.state, JobState::Resting { .. }) {
        let sold = sold.is_some();
        let why = match wanted {
            _ if back => WAITS,
            Wanted::AskedByRetailer if sold => BOTH_WAIT,
            _ if sold => SALE_WAITS,
            _ => SALE_UNKNOWN,
        };
        why.clone_into(&mut common.state);
    }
    if let JobState::Done(Ending::Ignored(why)) = &job.state
        && let Some(why) = why.strip_prefix(REFUSED)
    {
        common.state = format!("Refused: {why}");
    }
    Ok(CancelLine {
        decision: decision(wanted, job, common.standing),
        wanted,
        by,
        told,
        lines: titled(rx, row.map(|row| row.document), units)?,
        reason,
        common,
    })
}

/// Lines with their titles.
fn titled(
    rx: &dyn Read,
    order: Option<waybill_model::ids::DocumentId>,
    units: Vec<LineQuantity>,
) -> Result<Vec<(String, String, Decimal)>, StoreError> {
    let stored = match order.filter(|_| !units.is_empty()) {
        Some(document) => rx.document(document)?,
        None => None,
    };
    let order = stored.as_ref().and_then(|stored| stored.document.order());
    let title = |line: &str| {
        let mut lines = order.iter().flat_map(|order| &order.lines);
        let found = lines.find(|l| l.line == line);
        found.map(|l| l.title.trim().to_owned()).unwrap_or_default()
    };
    let units = units.into_iter();
    Ok(units
        .map(|unit| (unit.line.clone(), title(&unit.line), unit.quantity))
        .collect())
}

/// What was decided; only a request asks for a decision.
fn decision(wanted: Wanted, job: &JobRow, standing: State) -> String {
    match (wanted, &job.state) {
        (Wanted::ByRetailer, _) => "It stands: the retailer cancelled.".to_owned(),
        (Wanted::ByMerchant, _) => "Yours.".to_owned(),
        (Wanted::Answer, _) => "Accepted.".to_owned(),
        (Wanted::Unknown, _) => String::new(),
        (Wanted::AskedByRetailer, JobState::Done(Ending::Ignored(why))) => {
            if why.starts_with("refused") {
                "Refused.".to_owned()
            } else {
                "No.".to_owned()
            }
        }
        (Wanted::AskedByRetailer, JobState::Parked(Reason::Problem(problem)))
            if crate::cancel::retailer::by_retry(&problem.code) =>
        {
            "Yours to make: Retry says yes, leaving the card says no.".to_owned()
        }
        (Wanted::AskedByRetailer, _) if standing == State::Confirmed => "Accepted.".to_owned(),
        (Wanted::AskedByRetailer, _) => "None yet.".to_owned(),
    }
}
