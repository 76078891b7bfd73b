//! Notes that wait by themselves: their job rests, and a hint has the note read again, less often the longer it lasts.

use crate::order;
use crate::restored;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::JobState;
use waybill_store::{JobRow, NoteKind, Read, StoreError, Tx};

/// The first wait before a note is read again.
const FIRST_MS: Millis = 120_000;
/// The longest.
pub(crate) const LONGEST_MS: Millis = 3_600_000;
/// So much later than the hint the job is looked at, whatever became of the hint.
const AFTER_HINT_MS: Millis = 30_000;

/// What is read again while a note rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reads {
    Nothing,
    /// The note itself.
    Note,
    /// The state of its sale.
    Sale(String),
    /// The sale that a cancel is for, at that connection under that key.
    State(ConnectionId, String),
    /// Its order, at that connection under that key, not before then.
    Order(ConnectionId, String, Millis),
}

/// Why a note is not reported yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rest {
    /// One sentence for the page.
    pub(crate) why: String,
    /// What must change for it, and is read again.
    pub(crate) reads: Reads,
    /// Looked at again then at the latest.
    pub(crate) until: Option<Millis>,
    /// Worth a line of the timeline.
    pub(crate) said: bool,
}

/// Lays a job down.
pub(crate) fn lay(
    tx: &mut Tx<'_>,
    job: &JobRow,
    rest: &Rest,
    now: Millis,
) -> Result<(), StoreError> {
    let stored = tx.document(job.document)?;
    let since = stored.as_ref().map_or(now, |d| d.stored_at);
    let wait = (now - since).clamp(FIRST_MS, LONGEST_MS);
    // What a cancel tells, and of which state, stands from when it was made.
    let cancel = crate::cancel::count::is_cancel(job);
    let asked = match (&rest.reads, job.order) {
        (Reads::Order(_, _, since), Some(order)) => restored::asked(tx, order, *since)?,
        (Reads::State(..), _) => crate::cancel::restored::asked(tx, job)?,
        _ => None,
    };
    let mut due = now + LONGEST_MS;
    let again = match &rest.reads {
        Reads::Nothing => None,
        Reads::Note => Some((job.from, Entity::Shipment, &job.key, now + wait)),
        Reads::Sale(key) => Some((job.from, Entity::OrderState, key, now + wait)),
        Reads::State(at, key) => {
            let wait = asked.map_or(0, |asked| (now - asked).clamp(FIRST_MS, LONGEST_MS));
            Some((*at, Entity::OrderState, key, now + wait))
        }
        // It was asked for before, and did not come.
        Reads::Order(from, key, at) if now >= *at && asked.is_some() => {
            Some((*from, Entity::Order, key, now + wait))
        }
        Reads::Order(from, key, at) => Some((*from, Entity::Order, key, now.max(*at))),
    };
    if let (Reads::Order(_, _, since), None, Some(order)) = (&rest.reads, asked, job.order) {
        restored::ask(tx, order, now.max(*since))?;
    }
    if let (Reads::State(..), None) = (&rest.reads, asked) {
        crate::cancel::restored::ask(tx, job, now)?;
    }
    if let Some((from, entity, key, at)) = again {
        tx.hint(from, entity, key, at)?;
        due = at + AFTER_HINT_MS;
    }
    let first = if cancel {
        asked.is_none()
    } else {
        job.last_failure.as_ref() != Some(&rest.why)
    };
    if rest.said
        && first
        && let Some(order) = job.order
    {
        let what = if crate::invoice::count::is_invoice(job) {
            format!("Invoice {}", job.key)
        } else if cancel {
            "Cancel".to_owned()
        } else {
            super::unnoted::at_first(&job.key)
        };
        let text = format!("{what}: {}.", rest.why);
        order::note(tx, order, now, NoteKind::Hold, "hold", &text, None)?;
    }
    if !cancel {
        tx.set_attempt(job.id, job.attempt, Some(&rest.why))?;
        // The units of a part of an invoice stand nowhere else.
        let part = stored.is_some_and(|d| crate::invoice::count::is_part(job, &d.document));
        if !part && !job.units.is_empty() {
            tx.set_job_units(job.id, Vec::new())?;
        }
    }
    let due = rest.until.map_or(due, |until| due.min(until)).max(now + 1);
    tx.set_state(job.id, JobState::Resting { due }, now)
}

/// Has a note read again.
pub(crate) fn read_again(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    key: &str,
    due: Millis,
) -> Result<(), StoreError> {
    tx.hint(connection, Entity::Shipment, key, due)
}
