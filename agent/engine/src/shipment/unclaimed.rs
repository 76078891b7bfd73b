//! Notes that came before we knew their sale: its creation was under way, or its answer was lost. A few are remembered
//! while any sale is in that state, and read again once their sale is known. Everybody else's notes leave no trace.

use super::rest;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::{JobState, Reason, Work};
use waybill_store::{JobRow, Read, StoreError, Tx};

/// Notes remembered at most, the newest ones.
const MOST: usize = 200;
/// The same after a restore, when any sale since the backup may be ours.
const MOST_RESTORED: usize = 2_000;
/// Longer than that no note is remembered.
const KEPT_MS: Millis = 7 * 86_400_000;

/// Sale, note, when it came.
type Unclaimed = Vec<(String, String, Millis)>;

fn place(connection: ConnectionId) -> String {
    format!("unclaimed-notes/{connection}")
}

fn remembered(tx: &Tx<'_>, connection: ConnectionId) -> Result<Unclaimed, StoreError> {
    let bytes = tx.meta(&place(connection))?;
    Ok(bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default())
}

fn put(tx: &mut Tx<'_>, connection: ConnectionId, notes: &Unclaimed) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(notes).unwrap_or_default();
    tx.put_meta(&place(connection), &bytes)
}

/// Whether any sale of this connection may exist that we have no link for.
pub(crate) fn possible(
    tx: &Tx<'_>,
    connection: ConnectionId,
    now: Millis,
) -> Result<bool, StoreError> {
    if is_restored(tx, now)? {
        return Ok(true);
    }
    let sale = |job: &JobRow| job.work == Work::Push(Entity::Order) && job.to == connection;
    for word in ["running", "waiting", "pending", "ready", "parked"] {
        for job in tx.jobs_in(word, usize::MAX)? {
            let begun = match &job.state {
                JobState::Ready | JobState::Parked(Reason::Problem(_) | Reason::Gaps(_)) => {
                    sale(&job) && tx.has_effects(job.id)?
                }
                _ => sale(&job),
            };
            if begun {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether sales may exist that were made after the backup this database was restored from, and are not looked up yet.
fn is_restored(tx: &Tx<'_>, now: Millis) -> Result<bool, StoreError> {
    let restored = tx.restored()?;
    Ok(restored.is_some_and(|restored| now - restored.at < KEPT_MS))
}

/// Remembers a note of a sale that nobody knows.
pub(crate) fn remember(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    sale: &str,
    note: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let mut notes = remembered(tx, connection)?;
    notes.retain(|(_, known, at)| known != note && now - at < KEPT_MS);
    notes.push((sale.to_owned(), note.to_owned(), now));
    let most = if is_restored(tx, now)? {
        MOST_RESTORED
    } else {
        MOST
    };
    let over = notes.len().saturating_sub(most);
    notes.drain(..over);
    put(tx, connection, &notes)
}

/// A sale is known now: its notes are read again.
pub(crate) fn claim(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    sale: &str,
    now: Millis,
) -> Result<(), StoreError> {
    let mut notes = remembered(tx, connection)?;
    let (mine, rest): (Vec<_>, Vec<_>) = notes.drain(..).partition(|(of, _, _)| of == sale);
    if mine.is_empty() {
        return Ok(());
    }
    for (_, note, _) in &mine {
        rest::read_again(tx, connection, note, now)?;
    }
    put(tx, connection, &rest)
}
