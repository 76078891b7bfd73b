//! Owns notes that may have been reported although this database, which was restored, knows nothing of it. Nothing of an
//! order from before leaves until the order was read once more at its source; then what the source shows decides. A note
//! whose parcels are shown is handed over as they are shown, so that the connector finds and adopts it. Where more is
//! shown than the notes explain, it cannot be told which of them it was: a person compares. Must not know how the source
//! shows it, nor what the connector looks up.

use super::look::Case;
use super::unnoted::named;
use super::{change, count};
use crate::core::Desk;
use crate::restored::{SETTLES_MS, Telling};
use crate::shipment::count::Units;
use crate::translate::Looked;
use std::collections::BTreeMap;
use waybill_model::decimal::Decimal;
use waybill_model::document::LineQuantity;
use waybill_model::ids::Millis;
use waybill_model::job::{Ending, JobState};
use waybill_model::kits;
use waybill_model::parcels::{Account, Own, account};
use waybill_model::quantities;
use waybill_store::{JobRow, Read, Restored, StoreError, Tx};

/// What we reported ourselves, and was confirmed, is shown after so long.
const CONFIRMED_MS: Millis = 60_000;

/// What is known of a note after a restore.
pub(super) enum Known {
    /// Nothing had to be asked: it left after the restore, or there was none.
    Unasked,
    /// It is reported, with these units.
    Reported(Units),
    /// Nothing may leave now.
    Not(Looked),
    /// It is not shown, and this is.
    Shown(Account),
}

/// What is known of this note.
pub(super) fn look(case: &Case<'_>, tx: &Tx<'_>, desk: &Desk) -> Result<Known, StoreError> {
    let at = case.shipment.shipped_at;
    let at = at.unwrap_or(case.note.document.occurred_at);
    let Some(restored) = crate::restored::before(tx, at)? else {
        return Ok(Known::Unasked);
    };
    if let Some(looked) = unread(case, tx, desk, restored)? {
        return Ok(Known::Not(looked));
    }
    let account = shared_out(case, tx)?;
    if let Some(own) = account.of.get(&case.job.key).filter(|own| own.whole) {
        let units = sum(own);
        if fits(case, &units) {
            return Ok(Known::Reported(units));
        }
        let looked = unless_accepted(case, tx, desk, other_contents(case, desk, &units))?;
        return Ok(looked.map_or(Known::Shown(account), Known::Not));
    }
    if is_all_shown(case, &account) {
        let text = format!(
            "Everything on {} is shipped there already: it was reported before this database was restored.",
            named(&case.job.key)
        );
        let why = "reported before the restore".to_owned();
        return Ok(Known::Not(Looked::End(Ending::Ignored(why), text)));
    }
    Ok(Known::Shown(account))
}

/// A card, where units of these lines are shown that no note explains: this one may be what they are of.
pub(super) fn doubt(
    case: &Case<'_>,
    tx: &Tx<'_>,
    desk: &Desk,
    account: &Account,
    units: &Units,
) -> Result<Option<Looked>, StoreError> {
    let unknown = account.unknown.iter();
    let doubted: Vec<String> = unknown
        .filter(|(line, _)| units.contains_key(*line))
        .map(|(line, units)| format!("{} of {}", units.normal(), case.named(line)))
        .collect();
    if doubted.is_empty() {
        return Ok(None);
    }
    let message = format!(
        "{} shows {} of order {} as shipped that nothing here was reported for: the database was restored, and {} may be reported already.",
        desk.title(case.job.to),
        doubted.join("; "),
        case.row.number,
        named(&case.job.key)
    );
    unless_accepted(case, tx, desk, message)
}

/// Waits until the order was read at its source, late enough for everything to be shown.
fn unread(
    case: &Case<'_>,
    tx: &Tx<'_>,
    desk: &Desk,
    restored: Restored,
) -> Result<Option<Looked>, StoreError> {
    let ours = case.jobs.iter().filter(|j| is_written(j));
    let ours = ours.map(|job| job.changed_at).max();
    let ours = ours.filter(|at| *at > restored.at);
    let since = (restored.at + SETTLES_MS).max(ours.map_or(0, |at| at + CONFIRMED_MS));
    telling(case, |telling| {
        crate::restored::unread(telling, tx, desk, since)
    })
}

/// What is shown of the order, held against its notes.
fn shared_out(case: &Case<'_>, tx: &Tx<'_>) -> Result<Account, StoreError> {
    let mut stored = Vec::new();
    for job in case.jobs.iter().filter(|j| count::is_shipment(j)) {
        if change::is_card(job) {
            continue;
        }
        if let Some(note) = tx.document(job.document)? {
            stored.push((job, note));
        }
    }
    let notes: Vec<kits::Note<'_>> = stored
        .iter()
        .filter_map(|(job, note)| {
            let told = is_written(job).then_some(&*job.units);
            super::look::as_note(&note.document, told)
        })
        .collect();
    Ok(account(case.order, &notes))
}

/// Whether the source confirmed it to this database.
fn is_written(job: &JobRow) -> bool {
    count::is_shipment(job) && matches!(job.state, JobState::Done(Ending::Written(_)))
}

fn sum(own: &Own) -> Units {
    let mut units = Units::new();
    quantities::add(&mut units, &own.units);
    units
}

/// Whether a note may have been told with these units: all of its own, and of kits as many as were whole then.
fn fits(case: &Case<'_>, units: &Units) -> bool {
    let mut left = units.clone();
    let pieces = kits::pieces(case.shipment);
    let is_kit = |line: &str| pieces.keys().any(|(of, item)| of == line && item.is_some());
    for ((line, item), quantity) in &pieces {
        let shown = units.get(line).copied().unwrap_or_default();
        if item.is_none() && !is_kit(line) && shown != *quantity {
            return false;
        }
        left.remove(line);
    }
    left.is_empty() && units.values().any(|units| units.is_positive())
}

fn other_contents(case: &Case<'_>, desk: &Desk, units: &Units) -> String {
    let units: Vec<String> = units
        .iter()
        .map(|(line, units)| format!("{} of {}", units.normal(), case.named(line)))
        .collect();
    format!(
        "{} shows the parcels of {} with {}, which is not what it holds: the database was restored.",
        desk.title(case.job.to),
        named(&case.job.key),
        units.join("; ")
    )
}

/// Whether nothing of a note's lines is open, and as much of them is shown that nobody explains.
fn is_all_shown(case: &Case<'_>, account: &Account) -> bool {
    let sent = count::sent(case.jobs, case.job.id);
    let counted = quantities::count(case.order, &sent);
    let mut held: BTreeMap<String, Decimal> = BTreeMap::new();
    for ((line, item), quantity) in kits::pieces(case.shipment) {
        // How many kits the components were part of is not known.
        let units = if item.is_none() {
            quantity
        } else {
            Decimal::ZERO
        };
        let line = LineQuantity {
            line,
            quantity: units,
        };
        quantities::add(&mut held, std::slice::from_ref(&line));
    }
    held.iter().all(|(line, units)| {
        let count = counted.iter().find(|count| count.line == *line);
        let unknown = account.unknown.get(line);
        count.is_some_and(|count| count.open.is_zero()) && unknown.is_some_and(|u| u >= units)
    })
}

/// The card, unless a person read these very words and had the note reported.
fn unless_accepted(
    case: &Case<'_>,
    tx: &Tx<'_>,
    desk: &Desk,
    message: String,
) -> Result<Option<Looked>, StoreError> {
    telling(case, |telling| {
        crate::restored::unless_accepted(telling, tx, desk, message)
    })
}

fn telling<T>(case: &Case<'_>, then: impl FnOnce(&Telling<'_>) -> T) -> T {
    then(&Telling {
        job: case.job,
        row: case.row,
        named: &named(&case.job.key),
        came: case.note.stored_at,
        now: case.now,
    })
}
