//! Looking at a cancellation's job before it is sent: what is still to be cancelled, by the newest revision and by what
//! has left, and under which code. Never more than is open.

use super::count::{self, Shows, Sight};
use super::restored::Inward;
use super::retailer;
use crate::again;
use crate::core::Desk;
use crate::restored::{self, MAYBE_REPORTED, SETTLES_MS, Telling};
use crate::shipment::count::Units;
use crate::shipment::rest::{LONGEST_MS, Reads, Rest};
use crate::translate::{self, Looked};
use waybill_model::contract::{Delivery, Gap, Problem};
use waybill_model::crosswalk::{ANY, CANCEL_CODES, CANCELLED_LINES};
use waybill_model::document::{
    Body, CancelPhase, Cancellation, Document, Entity, LineQuantity, OrderPhase, OrderState,
};
use waybill_model::ids::{Millis, OrderId};
use waybill_model::job::{Ending, JobState, Reason};
use waybill_model::settings::{self, CANCEL_FILL_KILL, CANCEL_NOTE, CANCEL_REQUESTS};
use waybill_store::{JobRow, OrderRow, Read, StoreError, Tx};

/// Why a cancel waits for its order's sale, for people.
pub(crate) const SALE_UNKNOWN: &str = "Waits until it is known whether the sale was made";
/// Code: the retailer takes no cancel of a part.
const PARTIAL: &str = "cancel-partial";

/// The value of one of the agent's settings for the order's retailer.
pub(crate) fn setting(tx: &Tx<'_>, row: &OrderRow, key: &str) -> Result<String, StoreError> {
    let values = tx.effective(Some(row.connection), Some(&row.retailer))?;
    let defaults = settings::agent_settings();
    let value = settings::value(&values, key, &defaults);
    Ok(value.unwrap_or_default().trim().to_owned())
}

/// Looks at a cancellation's job.
pub(crate) fn look(
    tx: &Tx<'_>,
    desk: &Desk,
    job: &JobRow,
    now: Millis,
) -> Result<Looked, StoreError> {
    let sight = match job.order {
        Some(id) => Sight::of(tx, id)?,
        None => None,
    };
    let (Some(sight), Some(stored)) = (sight, tx.document(job.document)?) else {
        return Ok(Looked::Park(translate::missing_document()));
    };
    if count::is_back(job, &sight.row)
        && !tx.has_effects(job.id)?
        && let Some(looked) = after_restore(tx, desk, job, &sight, stored.stored_at, now)?
    {
        return Ok(looked);
    }
    let inward = Inward {
        tx,
        desk,
        job,
        sight: &sight,
        request: None,
        came: stored.stored_at,
        now,
    };
    match stored.document.body {
        Body::OrderState(state) => back(tx, desk, job, &sight, Some(&state)),
        Body::Cancellation(_) if count::is_back(job, &sight.row) => {
            back(tx, desk, job, &sight, None)
        }
        Body::Cancellation(request) => to_sale(&Inward {
            request: Some(&request),
            ..inward
        }),
        Body::Order(_) => to_sale(&inward),
        _ => Ok(Looked::Park(translate::missing_document())),
    }
}

/// Where it is kept that a person said: cancel it all the same.
pub(crate) fn accepted_key(job: &JobRow) -> String {
    format!("cancel-accepted/{}", job.id.0)
}

fn ended(why: &str, text: String) -> Looked {
    Looked::End(Ending::Ignored(why.to_owned()), text)
}

/// A cancel on its way to the sale.
fn to_sale(inward: &Inward<'_, '_>) -> Result<Looked, StoreError> {
    let Inward {
        tx,
        desk,
        job,
        sight,
        request,
        now,
        ..
    } = *inward;
    let row = &sight.row;
    let Some(sale) = row.sale_key.clone() else {
        let making = sight.push().is_some_and(|push| !push.state.is_done());
        return Ok(if making {
            Looked::Rest(Rest {
                why: SALE_UNKNOWN.to_owned(),
                reads: Reads::Nothing,
                until: Some(now + LONGEST_MS),
                said: false,
            })
        } else {
            Looked::Withdrawn
        });
    };
    let begun = tx.has_effects(job.id)?;
    if !begun && let Some(looked) = inward.after_restore()? {
        return Ok(looked);
    }
    let accepted = tx.meta(&accepted_key(job))?.is_some();
    let units = if begun {
        let mut sent = Units::new();
        waybill_model::quantities::add(&mut sent, &job.units);
        sent
    } else {
        match request {
            None => sight.due(),
            Some(request) => sight.asked(request, Some(job.id)),
        }
    };
    if units.is_empty() {
        let text = match request {
            None => "Nothing is left to cancel in the sale.",
            Some(_) => "The request to cancel comes too late: nothing of it is open.",
        };
        return Ok(ended("nothing is left to cancel", text.to_owned()));
    }
    let asks = setting(tx, row, CANCEL_REQUESTS)? == "ask";
    if request.is_some() && asks && !accepted {
        let named = count::named(&count::lines(&units));
        let problem = retailer::asked_problem(row, &named);
        return Ok(Looked::Park(Reason::Problem(problem)));
    }
    let note = if accepted {
        "packed".to_owned()
    } else {
        setting(tx, row, CANCEL_NOTE)?
    };
    let mut told = translate::delivery_settings(tx, desk, job.to, &row.retailer)?;
    told.retain(|(key, _)| key != CANCEL_NOTE);
    told.push((CANCEL_NOTE.to_owned(), note));
    let lines = if sight.is_whole(&units) {
        Vec::new()
    } else {
        count::lines(&units)
    };
    let phase = if request.is_some() {
        CancelPhase::Requested
    } else {
        CancelPhase::Ordered
    };
    let reason = request.and_then(|request| request.reason.clone());
    Ok(Looked::Go(Box::new(Delivery {
        document: document(job, &sale, phase, reason, lines),
        origin: None,
        links: tx.links_of(job.to, Entity::Order, &sale)?,
        settings: told,
    })))
}

fn document(
    job: &JobRow,
    order_key: &str,
    phase: CancelPhase,
    reason: Option<String>,
    lines: Vec<LineQuantity>,
) -> Document {
    Document {
        key: job.key.clone(),
        revision: job.id.0.to_string(),
        occurred_at: job.created_at,
        body: Body::Cancellation(Cancellation {
            order_key: order_key.to_owned(),
            phase,
            reason,
            lines,
        }),
    }
}

/// A cancel on its way to the order's source: the answer to a request, or the merchant's own.
fn back(
    tx: &Tx<'_>,
    desk: &Desk,
    job: &JobRow,
    sight: &Sight,
    own: Option<&OrderState>,
) -> Result<Looked, StoreError> {
    let row = &sight.row;
    let begun = tx.has_effects(job.id)?;
    let mut units = Units::new();
    waybill_model::quantities::add(&mut units, &job.units);
    if !begun {
        for line in sight.counted(Some(job.id)) {
            if let Some(wanted) = units.get_mut(&line.line) {
                *wanted = line.open.min(*wanted);
            }
        }
        units.retain(|_, quantity| quantity.is_positive());
    }
    if units.is_empty() || (row.phase == OrderPhase::Cancelled && !begun) {
        let text = "Nothing of the cancel is open at the source; nothing is told.";
        return Ok(ended("nothing is open", text.to_owned()));
    }
    let mut reason = None;
    if let Some(state) = own {
        if let Some(problem) = partial(tx, sight, &units)? {
            return Ok(Looked::Park(Reason::Problem(problem)));
        }
        let value = if state.cancelled {
            state.status.as_str()
        } else {
            CANCELLED_LINES
        };
        let cell = |value: &str| tx.cell(job.from, job.to, CANCEL_CODES, &row.retailer, value);
        let code = match cell(value)? {
            Some(code) => Some(code),
            None => cell(ANY)?,
        };
        let Some(code) = code else {
            return Ok(Looked::Park(Reason::Gaps(vec![Gap {
                table: CANCEL_CODES.to_owned(),
                retailer: Some(row.retailer.clone()),
                value: value.to_owned(),
            }])));
        };
        reason = Some(code);
    }
    let phase = if own.is_some() {
        CancelPhase::Ordered
    } else {
        CancelPhase::Accepted
    };
    let Some(origin) = tx.document(row.document)? else {
        return Ok(Looked::Park(translate::missing_document()));
    };
    Ok(Looked::Go(Box::new(Delivery {
        document: document(job, &row.key, phase, reason, count::lines(&units)),
        origin: Some(origin.document),
        links: Vec::new(),
        settings: translate::delivery_settings(tx, desk, job.to, &row.retailer)?,
    })))
}

/// What a cancel waits for after a restore, or whether it was told before it: a cancel by so many units that is told twice
/// takes off twice as many.
fn after_restore(
    tx: &Tx<'_>,
    desk: &Desk,
    job: &JobRow,
    sight: &Sight,
    came: Millis,
    now: Millis,
) -> Result<Option<Looked>, StoreError> {
    let row = &sight.row;
    // A sale changes again later: only its order says from when it is.
    let Some(restored) = restored::before(tx, row.placed_at.unwrap_or_default())? else {
        return Ok(None);
    };
    let telling = Telling {
        job,
        row,
        named: "the cancel of its units",
        came,
        now,
    };
    let unread = restored::unread(&telling, tx, desk, restored.at + SETTLES_MS)?;
    if unread.is_some() {
        return Ok(unread);
    }
    let shown = match count::shows(&sight.unexplained(job.id), &job.units) {
        Shows::Nothing => return Ok(None),
        Shows::All => {
            let text = format!(
                "{} shows as cancelled already: {}. Nothing is told.",
                desk.title(job.to),
                count::named(&job.units)
            );
            let ending = Ending::Written("told before the restore".to_owned());
            return Ok(Some(Looked::End(ending, text)));
        }
        Shows::Part(shown) => shown,
    };
    let message = format!(
        "{} shows {} of order {} as cancelled, which nothing here was told for: the database was restored, and {} may be reported already.",
        desk.title(job.to),
        count::named(&shown),
        row.number,
        telling.named
    );
    restored::unless_accepted(&telling, tx, desk, message)
}

/// Looks again at cancels of an order that rest, and at those that wait for a person over a restore.
pub(crate) fn wake(
    tx: &mut Tx<'_>,
    desk: &Desk,
    id: OrderId,
    now: Millis,
) -> Result<(), StoreError> {
    let kind = again::Kind {
        is: count::is_cancel,
        own_problems: &[MAYBE_REPORTED],
        look,
    };
    again::wake(tx, desk, id, now, &kind)
}

/// Why the retailer does not take a cancel of these units, if so.
fn partial(tx: &Tx<'_>, sight: &Sight, units: &Units) -> Result<Option<Problem>, StoreError> {
    let rule = setting(tx, &sight.row, CANCEL_FILL_KILL)?;
    let whole = |line: &waybill_model::document::OrderLine| {
        count::units_of(units, &line.line) == line.quantity
    };
    let mut lines = sight.newest.lines.iter();
    let breaks = match rule.as_str() {
        "order" => !lines.all(whole),
        "line" => lines.any(|line| units.contains_key(&line.line) && !whole(line)),
        _ => false,
    };
    let row = &sight.row;
    Ok(breaks.then(|| {
        Problem::new(
            PARTIAL,
            format!(
                "{} was cancelled in the sale of order {}, and {} takes no cancel of a part.",
                count::named(&count::lines(units)),
                row.number,
                row.retailer_name
            ),
            "Cancel the rest as well, or ship what was cancelled; then press Retry or leave this card with a reason.",
        )
    }))
}

/// What a cancellation that is sent takes off, line by line: kept with its job from now on.
pub(crate) fn units(
    tx: &Tx<'_>,
    job: &JobRow,
    cancellation: &Cancellation,
) -> Result<Vec<LineQuantity>, StoreError> {
    if !cancellation.lines.is_empty() {
        return Ok(cancellation.lines.clone());
    }
    if tx.has_effects(job.id)? && !job.units.is_empty() {
        return Ok(job.units.clone());
    }
    let sight = match job.order {
        Some(id) => Sight::of(tx, id)?,
        None => None,
    };
    let mut held = sight.map(|sight| sight.in_sale()).unwrap_or_default();
    held.retain(|_, quantity| quantity.is_positive());
    Ok(count::lines(&held))
}

/// Whether a job of this order is on its way to its sale.
pub(crate) fn is_under_way(jobs: &[JobRow], row: &OrderRow) -> bool {
    let mut inward = jobs
        .iter()
        .filter(|j| count::is_cancel(j) && !count::is_back(j, row));
    let rests = |state: &JobState| {
        matches!(
            state,
            JobState::Done(_) | JobState::Parked(_) | JobState::Resting { .. }
        )
    };
    inward.any(|j| !rests(&j.state))
}
