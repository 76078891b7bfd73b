//! Practice: a flow is read and worked out as ever, and what it would send is recorded instead. A setting says so, for
//! everybody or per retailer, for all flows or for one (`model/practice.rs`).
//!
//! ```text
//! ready -- claimed in practice, alone, call without effects --> practised -- a person applies it ----> ready, for real
//!                                                                 |------- a person discards it --> done, with the reason
//!                                                                 '------- its document changes ---> ready, practised anew
//! ```
//!
//! What would have been sent is the transcript of the job's last batch. A practised job has no effect in the journal, so
//! nothing of it can be in doubt, and it leaves its lane free. Whether a job is practised is asked in the transaction that
//! claims or resumes it. What the journal knows a step of goes on to its verdict for real.
//!
//! Going live asks what becomes of what was practised: applied, discarded, or left to be decided one by one. Applied jobs
//! are looked at again like any other. Stock has no jobs: its rows say what would be told, and going live begins a full set.

mod commands;
mod fields;
mod rule;
mod show;
pub mod view;

pub use commands::{Switch, Then};
pub(crate) use rule::{is_on, is_unacknowledged, mode, of, reading, rests};
pub(crate) use show::{alarms, practised};

use crate::core::Desk;
use crate::{order, words};
use waybill_model::contract::Moment;
use waybill_model::document::Entity;
use waybill_model::ids::Millis;
use waybill_model::job::{JobState, Work};
use waybill_model::practice::PRACTICE_OF;
use waybill_store::{JobRow, NoteKind, Read, StoreError, Tx};

/// A call in practice recorded what it would have sent.
pub(crate) fn recorded(
    tx: &mut Tx<'_>,
    desk: &Desk,
    job: &JobRow,
    now: Millis,
) -> Result<(), StoreError> {
    tx.set_state(job.id, JobState::Practised, now)?;
    let Some(id) = job.order else {
        return Ok(());
    };
    let text = format!(
        "Practice: {} would be sent to {}. Nothing was sent.",
        words::work(job.work).to_lowercase(),
        desk.title(job.to)
    );
    order::note(tx, id, now, NoteKind::Hold, "hold", &text, None)?;
    if job.work != Work::Settle(Moment::Accepted) {
        return Ok(());
    }
    // The sale is practised, too. Where it would be made for real, its claim lets it wait again.
    for other in tx.jobs_of_order(id)? {
        if other.state == JobState::WaitingForAccept {
            tx.set_state(other.id, JobState::Ready, now)?;
        }
    }
    Ok(())
}

/// Settings of practice were changed: what the network holds of stock is not trusted where it is told again.
pub(crate) fn turned(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    if rule::is_on(tx, Entity::InventoryLevel, None)? {
        return Ok(());
    }
    for row in tx.routes()? {
        if row.entity == Entity::InventoryLevel {
            crate::stock::begin_full_set(tx, row.from, row.to)?;
        }
    }
    Ok(())
}

/// Whether a setting is one of practice.
pub(crate) fn is_setting(key: &str) -> bool {
    key.starts_with(PRACTICE_OF)
}
