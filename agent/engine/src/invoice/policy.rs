//! What it means for invoices that are here already when a person changes how a retailer takes them: those that were not
//! sent because it took none, and those that the old way refused, are looked at again in the commit of the change. Must
//! not know how an invoice is cut: `plan.rs` does, at the look.

use super::case::Case;
use super::look::{POLICY, SECOND};
use super::plan::TAKES_NONE;
use crate::{again, order};
use waybill_model::billing::Policy;
use waybill_model::document::Entity;
use waybill_model::ids::Millis;
use waybill_model::job::{Ending, JobState, Reason};
use waybill_model::settings::INVOICE_AGAIN;
use waybill_store::{FlowQuery, JobRow, Lists, NoteKind, Read, Scope, Standing, StoreError, Tx};

const DAY_MS: Millis = 24 * 3_600_000;
/// Nobody sets more: an invoice of last year is not sent because of a setting.
const LONGEST_DAYS: Millis = 90;
/// Jobs that are read at once.
const STRIDE: usize = 500;

/// Whether it was not sent because its retailer took none. What a person left alone keeps its units, and is over for good.
pub(super) fn is_left_out(job: &JobRow) -> bool {
    matches!(&job.state, JobState::Done(Ending::Ignored(why)) if why == TAKES_NONE)
        && job.units.is_empty()
}

/// The policy of this scope is another one now: how many invoices are looked at again.
pub(crate) fn changed(tx: &mut Tx<'_>, scope: &Scope, now: Millis) -> Result<u64, StoreError> {
    let mut again = 0;
    for standing in [Standing::Parked, Standing::Over] {
        let mut before = None;
        loop {
            let page = tx.flow(&FlowQuery {
                entity: Entity::Invoice,
                standing: &[standing],
                retailer: None,
                before,
                limit: STRIDE,
            })?;
            for job in &page.rows {
                again += u64::from(look_again(tx, scope, job, now)?);
            }
            // They come newest first. What waits for a person is never too old.
            let past = now - LONGEST_DAYS * DAY_MS;
            let last = page.rows.last();
            let too_old = last.is_none_or(|job| job.created_at < past);
            before = page.next;
            if before.is_none() || standing == Standing::Over && too_old {
                break;
            }
        }
    }
    Ok(again)
}

/// Looks at one again, where the change may mend what it stopped for.
fn look_again(
    tx: &mut Tx<'_>,
    scope: &Scope,
    job: &JobRow,
    now: Millis,
) -> Result<bool, StoreError> {
    let is_refused = match &job.state {
        JobState::Parked(Reason::Problem(problem)) => [POLICY, SECOND].contains(&&*problem.code),
        _ => is_left_out(job),
    };
    if !is_refused || scope.connection.is_some_and(|of| of != job.to) {
        return Ok(false);
    }
    // Its bodies may be gone by now.
    let Some(case) = Case::of(tx, job)?.filter(Case::is_root) else {
        return Ok(false);
    };
    let is_of = |retailer: &String| *retailer == case.row.retailer;
    if !scope.retailer.as_ref().is_none_or(is_of) {
        return Ok(false);
    }
    let stays = if job.state.is_done() {
        let days = case.setting(INVOICE_AGAIN).parse().unwrap_or(0);
        let days: Millis = i64::clamp(days, 0, LONGEST_DAYS);
        case.policy() == Policy::None
            || job.created_at < now - days * DAY_MS
            || tx
                .open_job(job.work, job.from, job.to, job.entity, &job.key)?
                .is_some()
    } else {
        again::has_begun(tx, job)?
    };
    if stays {
        return Ok(false);
    }
    tx.set_state(job.id, JobState::Ready, now)?;
    let text = format!(
        "{} takes its invoices otherwise now: invoice {} is looked at again.",
        case.row.retailer_name, case.invoice.number
    );
    order::note(tx, case.row.id, now, NoteKind::Info, "again", &text, None)?;
    order::refresh(tx, case.row.id, now)?;
    Ok(true)
}
