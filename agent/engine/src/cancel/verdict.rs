//! What the answer to a cancellation means: the sale is cancelled and the retailer told, or it cannot be and a person or a
//! setting decides.

use super::count::{self, Sight};
use super::retailer::{self, CANNOT};
use super::{look, merchant};
use crate::core::Desk;
use crate::order;
use waybill_model::contract::{Problem, Receipt};
use waybill_model::ids::Millis;
use waybill_model::job::{Ending, JobState};
use waybill_model::settings::CANCEL_ELSE;
use waybill_store::{JobRow, NoteKind, OrderRow, Read, StoreError, Tx};

/// It was carried out.
pub(crate) fn done(
    tx: &mut Tx<'_>,
    desk: &Desk,
    job: &JobRow,
    row: &OrderRow,
    receipt: &Receipt,
    now: Millis,
) -> Result<(), StoreError> {
    let title = desk.title(job.to);
    let named = count::named(&job.units);
    if count::is_back(job, row) {
        let text = if receipt.duplicate {
            format!("{title} has it as cancelled already: {named}.")
        } else {
            format!(
                "Cancel told to {}: {named}. {}",
                row.retailer_name,
                crate::words::confirmed(&title, receipt)
            )
        };
        order::note(tx, row.id, now, NoteKind::Ok, "ok", &text, None)?;
        crate::invoice::intake::wake(tx, desk, row.id, now)?;
        return merchant::consider(tx, desk, row.id, now);
    }
    let sale = row.sale_number.as_deref().unwrap_or_default();
    let text = format!("Sale {sale} in {title}: cancelled {named}.");
    order::note(tx, row.id, now, NoteKind::Ok, "ok", &text, None)?;
    if count::is_answer(tx, job)? {
        retailer::answer(tx, row, job, now)?;
    }
    agree(tx, row, now)?;
    retailer::again(tx, row, now)?;
    merchant::consider(tx, desk, row.id, now)
}

/// Where the sale has everything that the source cancelled, both are equal again.
fn agree(tx: &mut Tx<'_>, row: &OrderRow, now: Millis) -> Result<(), StoreError> {
    let Some(sight) = Sight::of(tx, row.id)? else {
        return Ok(());
    };
    if !sight.due().is_empty() || sight.wants_more() {
        return order::refresh(tx, row.id, now);
    }
    let mut row = sight.row;
    row.wanted_sold.clone_from(&row.wanted);
    tx.put_order(&row)?;
    Ok(())
}

/// The sale cannot be cancelled: a request is refused where the setting says so, or its goods were told as shipped while it
/// was asked. Whether that settles it.
pub(crate) fn refused(
    tx: &mut Tx<'_>,
    job: &JobRow,
    problem: &Problem,
    now: Millis,
) -> Result<bool, StoreError> {
    let Some(row) = job.order.map(|id| tx.order(id)).transpose()?.flatten() else {
        return Ok(false);
    };
    let inward = count::is_cancel(job) && !count::is_back(job, &row);
    if !inward || !CANNOT.contains(&&*problem.code) || !count::is_answer(tx, job)? {
        return Ok(false);
    }
    let why = if look::setting(tx, &row, CANCEL_ELSE)? == "refuse" {
        &problem.message
    } else if retailer::is_gone(tx, &row, job)? {
        retailer::SHIPPED
    } else {
        return Ok(false);
    };
    refuse(tx, &row, job, why, now)?;
    Ok(true)
}

/// How the ending of a refused request begins.
pub(crate) const REFUSED: &str = "refused: ";

/// Ends a request with a no. The network has no call for that: shipping is the answer.
pub(crate) fn refuse(
    tx: &mut Tx<'_>,
    row: &OrderRow,
    job: &JobRow,
    why: &str,
    now: Millis,
) -> Result<(), StoreError> {
    tx.set_job_units(job.id, Vec::new())?;
    let ending = Ending::Ignored(format!("{REFUSED}{why}"));
    tx.set_state(job.id, JobState::Done(ending), now)?;
    let text = format!(
        "The request to cancel is refused: {} The order is shipped; only the button in the network's portal says no formally.",
        sentence(why)
    );
    order::note(tx, row.id, now, NoteKind::Info, "x", &text, None)
}

fn sentence(why: &str) -> String {
    if why.ends_with('.') {
        why.to_owned()
    } else {
        format!("{why}.")
    }
}
