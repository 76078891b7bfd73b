//! The card of a document that both sides show differently: one for each document, a job that is never sent. It goes by itself
//! once they agree, seen by a later comparison or by a newer revision of the order. Must not know how a difference is found.

use super::judge;
use crate::core::Desk;
use crate::order;
use waybill_model::contract::Problem;
use waybill_model::document::{Entity, Order};
use waybill_model::ids::{DocumentId, Millis};
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_store::{JobRow, NewJob, NoteKind, OrderRow, Read, StoreError, Tx};

/// Whether this job is only the card of a difference.
pub(crate) fn is_card(job: &JobRow) -> bool {
    job.work == Work::Compare
}

/// A document at the network, and what is known of it here.
pub(super) struct About<'a> {
    /// Its order.
    pub(super) row: &'a OrderRow,
    pub(super) entity: Entity,
    pub(super) key: &'a str,
    pub(super) document: DocumentId,
}

impl<'a> About<'a> {
    /// An order itself.
    pub(super) fn order(row: &'a OrderRow) -> Self {
        Self {
            row,
            entity: Entity::Order,
            key: &row.key,
            document: row.document,
        }
    }

    fn open(&self, tx: &Tx<'_>) -> Result<Option<JobRow>, StoreError> {
        let network = self.row.connection;
        tx.open_job(Work::Compare, network, network, self.entity, self.key)
    }

    /// The card's own words, or the newest ones.
    fn problem(&self, title: &str, said: &str) -> Problem {
        let number = &self.row.number;
        let (code, message) = match self.entity {
            Entity::Invoice => (
                "invoice-differs",
                format!(
                    "{title} shows invoice {} of order {number} otherwise than it confirmed it. {said}",
                    self.key
                ),
            ),
            _ => (
                "order-differs",
                format!("{title} shows order {number} otherwise than it confirmed it. {said}"),
            ),
        };
        Problem::new(
            code,
            message,
            format!(
                "Look at it in {title} and put it right there; the card goes by itself once both sides agree. Or leave this card with a reason."
            ),
        )
    }
}

/// Opens the card of what differs, gives an open one its newest words, or closes it where nothing does. What a person left
/// alone is not said again in the same words.
pub(super) fn keep(
    tx: &mut Tx<'_>,
    desk: &Desk,
    about: &About<'_>,
    differences: &[String],
    now: Millis,
) -> Result<(), StoreError> {
    let open = about.open(tx)?;
    if differences.is_empty() {
        return match open {
            Some(card) => close(tx, about, &card, now),
            None => Ok(()),
        };
    }
    let said = differences.join(" ");
    let jobs = tx.jobs_of_order(about.row.id)?;
    let before = jobs
        .iter()
        .rfind(|job| is_card(job) && job.entity == about.entity && job.key == about.key);
    if before.is_some_and(|job| job.last_failure.as_ref() == Some(&said)) {
        return Ok(());
    }
    let network = about.row.connection;
    let problem = about.problem(&desk.title(network), &said);
    order::note(
        tx,
        about.row.id,
        now,
        NoteKind::You,
        "you",
        &format!("Comparison: {said}"),
        None,
    )?;
    let parked = JobState::Parked(Reason::Problem(problem));
    let job = tx.create_job(
        NewJob {
            work: Work::Compare,
            from: network,
            to: network,
            entity: about.entity,
            key: about.key.to_owned(),
            order: Some(about.row.id),
            lane: about.row.key.clone(),
            document: about.document,
            state: parked.clone(),
            urgent_by: None,
        },
        now,
    )?;
    tx.set_attempt(job, 0, Some(&said))?;
    tx.set_state(job, parked, now)?;
    order::refresh(tx, about.row.id, now)
}

fn close(tx: &mut Tx<'_>, about: &About<'_>, card: &JobRow, now: Millis) -> Result<(), StoreError> {
    // The same difference is news when it comes again.
    tx.set_attempt(card.id, 0, None)?;
    let ending = Ending::Ignored("both sides agree again".to_owned());
    tx.set_state(card.id, JobState::Done(ending), now)?;
    let text = "Comparison: both sides agree again.";
    order::note(tx, about.row.id, now, NoteKind::Ok, "ok", text, None)?;
    order::refresh(tx, about.row.id, now)
}

/// A newer revision of an order came: an open card gets its newest words, or goes.
pub(crate) fn look_again(
    tx: &mut Tx<'_>,
    desk: &Desk,
    row: &OrderRow,
    shown: &Order,
    now: Millis,
) -> Result<(), StoreError> {
    let about = About::order(row);
    if about.open(tx)?.is_none() {
        return Ok(());
    }
    let (differences, sure) = judge::differences(tx, row, shown, now)?;
    if sure || differences.is_empty() {
        keep(tx, desk, &about, &differences, now)?;
    }
    Ok(())
}
