//! Owns when a goods-out note is reported: as soon as it is so far, or as soon as its sale has one of the chosen statuses.
//! Must not know what is reported, nor whether it may be.
//!
//! A status is a fact of the sale and not of the note. So the note is read and kept whatever its stage, and its job rests.
//! The state of the sale comes as a document of its own; the commit that takes it wakes the notes that rest. Nothing else is
//! kept: after a crash the newest state lies beside the note, and each look holds one against the other.

use waybill_model::document::{Body, Entity, Stage};
use waybill_model::ids::ConnectionId;
use waybill_model::settings::{self, SHIP_STATUSES, SHIP_TRIGGER, Values};
use waybill_store::{Read, Scope, SettingRow, StoreError};

/// What a retailer's shipments wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// The note is so far.
    Note(Stage),
    /// The sale has one of these statuses.
    Sale(Vec<String>),
}

/// What a source must tell, so that every retailer's trigger is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Notes from this stage on.
    pub(crate) earliest: Stage,
    /// Sales with these statuses.
    pub(crate) statuses: Vec<String>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            earliest: Stage::Shipped,
            statuses: Vec::new(),
        }
    }
}

impl Trigger {
    pub(crate) fn of(values: &Values) -> Self {
        let defaults = settings::agent_settings();
        let value = |key| settings::value(values, key, &defaults).unwrap_or_default();
        let word = value(SHIP_TRIGGER);
        if is_status(word) {
            return Self::Sale(codes(value(SHIP_STATUSES)));
        }
        Self::Note(Stage::from_word(word.trim()).unwrap_or(Stage::Shipped))
    }

    /// Notes before this stage do not count.
    pub(crate) const fn stage(&self) -> Stage {
        match self {
            Self::Note(stage) => *stage,
            Self::Sale(_) => Stage::Created,
        }
    }
}

/// What is wanted over all retailers.
pub(crate) fn wanted(rows: &dyn Read) -> Result<Wanted, StoreError> {
    let triggers = rows.values_of(SHIP_TRIGGER)?;
    let everybody = |row: &SettingRow| row.scope == Scope::default();
    let for_all = triggers.iter().any(everybody);
    let default = (!for_all).then_some(Stage::Shipped);
    let stages = triggers.iter().filter_map(|row| {
        if is_status(&row.value) {
            Some(Stage::Created)
        } else {
            Stage::from_word(row.value.trim())
        }
    });
    let earliest = stages.chain(default).min().unwrap_or(Stage::Shipped);
    let mut statuses = Vec::new();
    if triggers.iter().any(|row| is_status(&row.value)) {
        let chosen = rows.values_of(SHIP_STATUSES)?;
        statuses.extend(chosen.iter().flat_map(|row| codes(&row.value)));
        statuses.sort_unstable();
        statuses.dedup();
    }
    Ok(Wanted { earliest, statuses })
}

/// The status of a sale, as far as it was told.
pub(crate) fn status(
    rows: &dyn Read,
    connection: ConnectionId,
    sale: &str,
) -> Result<Option<String>, StoreError> {
    let state = rows.latest_document(connection, Entity::OrderState, sale)?;
    Ok(state.and_then(|stored| match stored.document.body {
        Body::OrderState(state) => Some(state.status),
        _ => None,
    }))
}

fn is_status(word: &str) -> bool {
    word.trim() == "status"
}

fn codes(list: &str) -> Vec<String> {
    let codes = list.split(',').map(str::trim).filter(|c| !c.is_empty());
    codes.map(str::to_owned).collect()
}
