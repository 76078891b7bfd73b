//! Owns waiting for what an order's source shows after a restore: a note, an invoice or a cancel from before may have been
//! told although this database knows nothing of it, so that none of them leaves before its order was read once more. Where
//! an order cannot be read, as nobody answers for files, a person says whether it was told. What waits for its sale is in
//! `cancel/restored.rs`. Must not know what is shown, nor what follows from it.

use crate::cancel;
use crate::core::Desk;
use crate::invoice;
use crate::order;
use crate::shipment;
use crate::shipment::rest::{Reads, Rest};
use crate::translate::Looked;
use waybill_model::contract::Problem;
use waybill_model::document::Document;
use waybill_model::ids::{ConnectionId, Millis, OrderId};
use waybill_model::job::Reason;
use waybill_store::{JobRow, OrderRow, Read, Restored, StoreError, Tx};

/// Code: it may be reported already, and nothing proves that it is not.
pub(crate) const MAYBE_REPORTED: &str = "maybe-reported";
/// What was told last before the loss is shown after so long at the latest.
pub(crate) const SETTLES_MS: Millis = 15 * 60_000;
/// An order that cannot be read for so long is a person's to look at.
pub(crate) const PATIENCE_MS: Millis = 3_600_000;

/// Why it waits, for people.
pub(crate) const WAITS: &str =
    "Waits until its order is read once more, since the database was restored";

/// What is about to be told of an order.
pub(crate) struct Telling<'a> {
    pub(crate) job: &'a JobRow,
    pub(crate) row: &'a OrderRow,
    /// What it is, within a sentence.
    pub(crate) named: &'a str,
    /// Since when it is here.
    pub(crate) came: Millis,
    pub(crate) now: Millis,
}

/// Where it is kept when an order was read at its source.
fn read_key(order: OrderId) -> String {
    format!("read-after-restore/{order}")
}

/// Where it is kept when that was asked for first.
fn asked_key(order: OrderId) -> String {
    format!("asked-after-restore/{order}")
}

fn time(tx: &Tx<'_>, key: &str) -> Result<Option<Millis>, StoreError> {
    let at = tx.meta(key)?;
    Ok(at.and_then(|at| std::str::from_utf8(&at).ok()?.parse().ok()))
}

/// When an order's reading was asked for first, for after `since`.
pub(crate) fn asked(
    tx: &Tx<'_>,
    order: OrderId,
    since: Millis,
) -> Result<Option<Millis>, StoreError> {
    Ok(time(tx, &asked_key(order))?.filter(|at| *at >= since))
}

/// An order's reading is asked for then.
pub(crate) fn ask(tx: &mut Tx<'_>, order: OrderId, at: Millis) -> Result<(), StoreError> {
    tx.put_meta(&asked_key(order), at.to_string().as_bytes())
}

/// Where it is kept that a person had it told, in spite of these very words.
pub(crate) fn accepted_key(job: &JobRow) -> String {
    format!("reported-accepted/{}/{}/{}", job.from, job.to, job.key)
}

/// The restore, where something of that time may have been told before it.
pub(crate) fn before(tx: &Tx<'_>, at: Millis) -> Result<Option<Restored>, StoreError> {
    let restored = tx.restored()?;
    Ok(restored.filter(|restored| restored.may_know_less_than(at)))
}

/// An order was read at its source, asked for at that time: what waits for it is looked at.
pub(crate) fn read(
    tx: &mut Tx<'_>,
    desk: &Desk,
    connection: ConnectionId,
    documents: &[Document],
    asked_at: Millis,
    now: Millis,
) -> Result<(), StoreError> {
    if tx.restored()?.is_none() {
        return Ok(());
    }
    for document in documents {
        let Some(row) = tx.order_by_key(connection, &document.key)? else {
            continue;
        };
        tx.put_meta(&read_key(row.id), asked_at.to_string().as_bytes())?;
        cancel::look::wake(tx, desk, row.id, now)?;
        shipment::intake::wake(tx, desk, row.id, now)?;
        invoice::intake::wake(tx, desk, row.id, now)?;
        order::refresh(tx, row.id, now)?;
    }
    Ok(())
}

/// Whether an order was read once more.
pub(crate) enum Seen {
    Yes,
    /// It waits for that.
    Not(Rest),
    /// For so long that a person is asked.
    Overdue,
}

/// Whether the order was read, asked for after `since`.
pub(crate) fn seen(telling: &Telling<'_>, tx: &Tx<'_>, since: Millis) -> Result<Seen, StoreError> {
    let Telling { row, now, .. } = *telling;
    let read = time(tx, &read_key(row.id))?;
    if read.is_some_and(|at| at >= since) {
        return Ok(Seen::Yes);
    }
    let until = asked(tx, row.id, since)?.map(|at| at.max(telling.came) + PATIENCE_MS);
    if until.is_some_and(|until| now >= until) {
        return Ok(Seen::Overdue);
    }
    Ok(Seen::Not(Rest {
        why: WAITS.to_owned(),
        reads: Reads::Order(row.connection, row.key.clone(), since),
        until,
        said: true,
    }))
}

/// Waits until the order was read, asked for after `since`.
pub(crate) fn unread(
    telling: &Telling<'_>,
    tx: &Tx<'_>,
    desk: &Desk,
    since: Millis,
) -> Result<Option<Looked>, StoreError> {
    match seen(telling, tx, since)? {
        Seen::Yes => Ok(None),
        Seen::Not(rest) => Ok(Some(Looked::Rest(rest))),
        Seen::Overdue => {
            let message = format!(
                "Order {} could not be read again at {}: the database was restored, and {} may be reported already.",
                telling.row.number,
                desk.title(telling.row.connection),
                telling.named
            );
            unless_accepted(telling, tx, desk, message)
        }
    }
}

/// The card, unless a person read these very words and had it told.
pub(crate) fn unless_accepted(
    telling: &Telling<'_>,
    tx: &Tx<'_>,
    desk: &Desk,
    message: String,
) -> Result<Option<Looked>, StoreError> {
    let hint = format!(
        "Compare the order at {} with {}. Where it is not there, press Retry to report it; where it is, leave this card with a reason.",
        desk.title(telling.job.to),
        telling.named
    );
    unless_read(tx, telling.job, message, hint)
}

/// The same with a hint of its own.
pub(crate) fn unless_read(
    tx: &Tx<'_>,
    job: &JobRow,
    message: String,
    hint: String,
) -> Result<Option<Looked>, StoreError> {
    let accepted = tx.meta(&accepted_key(job))?;
    if accepted.as_deref() == Some(message.as_bytes()) {
        return Ok(None);
    }
    let problem = Problem::new(MAYBE_REPORTED, message, hint);
    Ok(Some(Looked::Park(Reason::Problem(problem))))
}
