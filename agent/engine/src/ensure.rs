//! Webhooks at the vendor: registered at our address at the start, hourly and after changes, and removed when they are
//! switched off. What may stand there is written down before the call. Without any of it polling works as well, so a
//! failure here never stops the connection.

use crate::calls;
use crate::core::{Core, Slot, is_callable};
use crate::event::Event;
use crate::hooks::{NAME, SLOT};
use crate::practice;
use crate::view::{HooksView, Tone};
use secrecy::{ExposeSecret, SecretString};
use std::sync::{Arc, PoisonError};
use waybill_host::connector::{Answer, Call, CallError, Mode};
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Failure, Role};
use waybill_model::crash;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::Priority;
use waybill_model::settings::HOOKS_URL;
use waybill_store::{HooksRow, Read, Rx, StoreError, Tx};

/// How often it is looked whether everything stands.
const EVERY_MS: Millis = 3_600_000;
/// Longest wait after failures.
const LONGEST_MS: Millis = 3_600_000;
/// First wait after a failure; doubled each time.
const FIRST_MS: Millis = 30_000;

/// Where the vendor should call: the merchant's address, while the hooks listener runs.
pub(crate) fn wanted(core: &Core, slot: &Slot) -> Option<String> {
    let url = slot.settings.get(HOOKS_URL)?.trim().trim_end_matches('/');
    (core.options.hooks && !url.is_empty()).then(|| url.to_owned())
}

pub(crate) fn is_webhook(slot: &Slot) -> bool {
    slot.connector()
        .is_some_and(|c| c.roles().contains(&Role::Webhook))
}

/// The address without its secret.
pub(crate) fn address(url: &str, name: &str) -> String {
    format!("{url}/hooks/{name}/")
}

/// When to put the webhooks of a connection in order; `None`: there is nothing to do.
pub(crate) fn due(
    core: &Core,
    slot: &Slot,
    rx: &dyn Read,
    now: Millis,
) -> Result<Option<Millis>, StoreError> {
    if !is_webhook(slot) {
        return Ok(None);
    }
    if practice::rests(rx, &core.desk(), slot.row.id)? {
        return Ok(None);
    }
    let wanted = wanted(core, slot);
    let row = rx.hooks(slot.row.id)?;
    let stands = row.as_ref().and_then(|row| row.public_url.clone());
    if wanted.is_none() && stands.is_none() {
        return Ok(None);
    }
    let asked = core
        .hooks
        .ensure_now
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .contains(&slot.row.id);
    let (next, failures) = row.map_or((now, 0), |row| (row.next_due, row.failures));
    Ok(Some(if asked || (wanted != stands && failures == 0) {
        now
    } else {
        // A time that lies further ahead was written before the clock was set back.
        next.min(now + EVERY_MS)
    }))
}

/// Puts the webhooks of a connection in order: what stands at another address goes, what is wanted is registered.
pub(crate) async fn run(core: Arc<Core>, connection: ConnectionId) -> Result<(), StoreError> {
    core.hooks
        .ensure_now
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&connection);
    let desk = core.desk();
    let Some(slot) = desk.slots.get(&connection) else {
        return Ok(());
    };
    let now = core.now();
    let (row, stored, secret) = core.store.read(|rx| {
        Ok((
            rx.connection(connection)?,
            rx.hooks(connection)?,
            rx.secret(connection, SLOT, NAME)?,
        ))
    })?;
    if !row.is_some_and(|row| is_callable(&row, now)) {
        return Ok(());
    }
    let stored = stored.unwrap_or_else(|| HooksRow::new(connection));
    let wanted = wanted(&core, slot);
    let round = stored.round;
    if let (Some(stands), Some(secret)) = (&stored.public_url, &secret)
        && wanted.as_ref() != Some(stands)
        && !remove(&core, slot, stands, secret, round, wanted.is_some()).await?
    {
        return Ok(());
    }
    match wanted {
        Some(url) => register(&core, slot, url, round).await,
        None => Ok(()),
    }
}

/// Removes what stands, whether the connection is paused or not: it is being let go of.
pub(crate) async fn remove_now(
    core: &Arc<Core>,
    connection: ConnectionId,
) -> Result<(), StoreError> {
    let desk = core.desk();
    let Some(slot) = desk.slots.get(&connection) else {
        return Ok(());
    };
    let (stored, secret) = core
        .store
        .read(|rx| Ok((rx.hooks(connection)?, rx.secret(connection, SLOT, NAME)?)))?;
    if let Some(row) = stored
        && let (Some(stands), Some(secret)) = (&row.public_url, &secret)
    {
        remove(core, slot, stands, secret, row.round, false).await?;
    }
    Ok(())
}

fn call(core: &Core, slot: &Slot, round: u64) -> Call {
    core.call(
        slot,
        EffectScope::Setup(format!("webhook/{round}")),
        Priority::Catalogue,
        Mode::Live,
        1,
    )
}

fn callback(slot: &Slot, url: &str, secret: &SecretString) -> String {
    address(url, &slot.row.name) + secret.expose_secret()
}

/// Removes what stands at an address; whether it is gone. Without a new one the address is closed.
async fn remove(
    core: &Arc<Core>,
    slot: &Slot,
    url: &str,
    secret: &SecretString,
    round: u64,
    moves: bool,
) -> Result<bool, StoreError> {
    let Some(connector) = slot.connector() else {
        return Ok(false);
    };
    let connection = slot.row.id;
    let answer = connector
        .remove(call(core, slot, round), callback(slot, url, secret))
        .await;
    crash::point("ensure.answered");
    let Answer { value, writes, .. } = answer;
    if let Err(error) = value {
        failed(core, connection, error).await?;
        return Ok(false);
    }
    let now = core.now();
    core.store
        .write(move |tx| {
            tx.kv_apply(connection, &writes)?;
            if !moves {
                tx.remove_secret(connection, SLOT, NAME)?;
            }
            change(tx, connection, |row| {
                row.public_url = None;
                row.standing = Vec::new();
                row.ensured_at = None;
                row.round += 1;
                row.failures = 0;
                row.problem = None;
                row.next_due = now;
            })
        })
        .await?;
    if !moves {
        core.hooks.set(connection, &slot.row.name, None);
        tracing::info!("Webhooks were removed.");
    }
    core.observe(|| format!("hooks removed {connection}"));
    core.wake(Event::Changed);
    Ok(true)
}

/// Registers what is missing at an address.
async fn register(
    core: &Arc<Core>,
    slot: &Slot,
    url: String,
    round: u64,
) -> Result<(), StoreError> {
    let Some(connector) = slot.connector() else {
        return Ok(());
    };
    let (connection, now) = (slot.row.id, core.now());
    let at = url.clone();
    // Written down first: whatever becomes of the call, it is known where something may stand.
    let secret = core
        .store
        .write(move |tx| {
            let secret = tx.ensure_secret(connection, SLOT, NAME, now)?;
            let stands = tx.hooks(connection)?.and_then(|row| row.public_url);
            if stands.as_ref() != Some(&at) {
                change(tx, connection, |row| row.public_url = Some(at.clone()))?;
            }
            Ok(secret)
        })
        .await?;
    core.hooks.set(connection, &slot.row.name, Some(&secret));
    let answer = connector
        .ensure(call(core, slot, round), callback(slot, &url, &secret))
        .await;
    crash::point("ensure.answered");
    let Answer { value, writes, .. } = answer;
    let standing = match value {
        Ok(standing) => standing,
        Err(error) => return failed(core, connection, error).await,
    };
    let now = core.now();
    let count = standing.len();
    core.store
        .write(move |tx| {
            calls::mark_ok(tx, connection, now)?;
            tx.kv_apply(connection, &writes)?;
            change(tx, connection, |row| {
                row.standing.clone_from(&standing);
                row.ensured_at = Some(now);
                row.round += 1;
                row.failures = 0;
                row.problem = None;
                row.next_due = now + EVERY_MS;
            })
        })
        .await?;
    core.observe(|| format!("hooks ensured {connection} standing={count}"));
    core.wake(Event::Changed);
    Ok(())
}

/// A vendor that refuses webhooks is no vendor that is down: only its own waiting time counts for the connection.
async fn failed(
    core: &Arc<Core>,
    connection: ConnectionId,
    error: CallError,
) -> Result<(), StoreError> {
    let now = core.now();
    tracing::warn!(error = ?error, "Webhooks could not be put in order; polling goes on.");
    core.observe(|| format!("hooks failed {connection} {error:?}"));
    core.store
        .write(move |tx| {
            if matches!(error, CallError::Failure(Failure::Retry(Some(_)))) {
                calls::mark_error(tx, connection, &error, now)?;
            }
            change(tx, connection, |row| {
                row.failures = row.failures.saturating_add(1);
                row.problem = Some(calls::sentence(&error));
                let wait = FIRST_MS << row.failures.saturating_sub(1).min(10);
                row.next_due = now + wait.min(LONGEST_MS);
            })
        })
        .await?;
    core.wake(Event::Changed);
    Ok(())
}

fn change(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    change: impl FnOnce(&mut HooksRow),
) -> Result<(), StoreError> {
    let known = tx.hooks(connection)?;
    let mut row = known.unwrap_or_else(|| HooksRow::new(connection));
    change(&mut row);
    tx.put_hooks(&row)
}

/// What the page shows of the webhooks of a connection.
pub(crate) fn view(core: &Core, slot: &Slot, rx: &Rx) -> Result<HooksView, StoreError> {
    let connection = slot.row.id;
    let known = rx.hooks(connection)?;
    let row = known.unwrap_or_else(|| HooksRow::new(connection));
    let asked = slot
        .settings
        .get(HOOKS_URL)
        .is_some_and(|url| !url.trim().is_empty());
    let wanted = wanted(core, slot);
    let rests = practice::rests(rx, &core.desk(), connection)?;
    let (sentence, tone) = match (&wanted, &row.problem) {
        (Some(_), _) if rests && row.ensured_at.is_none() => (
            "Not registered: practice, so nothing is changed at the other side".to_owned(),
            Tone::Hold,
        ),
        (Some(_), Some(problem)) => (format!("Not registered: {problem}"), Tone::Soon),
        (None, Some(problem)) if row.public_url.is_some() => {
            (format!("Not removed yet: {problem}"), Tone::Soon)
        }
        (None, _) if asked => (
            "Off: the agent's configuration has no hooks listener".to_owned(),
            Tone::Soon,
        ),
        (None, _) => ("Off".to_owned(), Tone::Quiet),
        (Some(_), None) if row.ensured_at.is_some() && row.public_url == wanted => {
            ("Registered".to_owned(), Tone::Ok)
        }
        (Some(_), None) => ("Being registered".to_owned(), Tone::Soon),
    };
    let url = wanted.as_ref().or(row.public_url.as_ref());
    Ok(HooksView {
        callback: url.map(|url| address(url, &slot.row.name)),
        sentence,
        tone,
        standing: row.standing,
        ensured_at: row.ensured_at,
        last_delivery: row.last_delivery.max(rx.newest_delivery(connection)?),
        waiting: rx.delivery_backlog(connection)?,
        hints: rx.hints_waiting(connection, 1_000)? as u64,
        refused: (row.refused, row.last_refusal),
    })
}
