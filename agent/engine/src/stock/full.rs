//! The full set: all levels of a route are sent again after some hours, changed or not, since networks score how fresh
//! stock is. Owns how far it has come; which levels leave in a batch is for `send.rs`.

use crate::core::Desk;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::settings::{self, STOCK_FULL};
use waybill_store::{Read, StoreError, Tx};

const HOUR_MS: Millis = 3_600_000;

/// How far the full set has been sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct FullSet {
    pub(super) began: Millis,
    /// Last item; `None`: none yet.
    pub(super) after: Option<String>,
    pub(super) done: bool,
}

fn full_key(from: ConnectionId, to: ConnectionId) -> String {
    format!("stock-full/{from}/{to}")
}

/// The full set as it stands, begun anew where its time has come.
pub(super) fn full_set(
    rows: &dyn Read,
    (from, to): (ConnectionId, ConnectionId),
    desk: &Desk,
    now: Millis,
) -> Result<FullSet, StoreError> {
    let stored = rows.meta(&full_key(from, to))?;
    let known: FullSet = stored
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    if known.done && now - known.began >= full_ms(desk) || known.began == 0 {
        return Ok(FullSet {
            began: now,
            ..FullSet::default()
        });
    }
    Ok(known)
}

/// When the last full set began, and whether all of it was sent.
pub(super) fn so_far(
    rows: &dyn Read,
    (from, to): (ConnectionId, ConnectionId),
) -> Result<Option<(Millis, bool)>, StoreError> {
    let stored = rows.meta(&full_key(from, to))?;
    let known = stored.and_then(|bytes| serde_json::from_slice::<FullSet>(&bytes).ok());
    Ok(known
        .filter(|set| set.began > 0)
        .map(|set| (set.began, set.done)))
}

/// The full set begins anew with the next batch.
pub(crate) fn begin(
    tx: &mut Tx<'_>,
    from: ConnectionId,
    to: ConnectionId,
) -> Result<(), StoreError> {
    keep_full(tx, from, to, &FullSet::default())
}

pub(super) fn keep_full(
    tx: &mut Tx<'_>,
    from: ConnectionId,
    to: ConnectionId,
    full: &FullSet,
) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(full).unwrap_or_default();
    tx.put_meta(&full_key(from, to), &bytes)
}

pub(super) fn full_ms(desk: &Desk) -> Millis {
    let defaults = settings::stock_settings();
    let hours = settings::value(&desk.agent, STOCK_FULL, &defaults);
    let hours: Millis = hours.and_then(|h| h.trim().parse().ok()).unwrap_or(24);
    hours.max(1) * HOUR_MS
}
