//! Versions of the settings: each change makes one. What holds now is compared with an earlier one, and goes back to it in
//! one commit, which is a new version itself: nothing is ever lost by going back.

use crate::event::Event;
use crate::handle::{CommandError, Handle};
use crate::{invoice, matching, practice};
use serde::Serialize;
use waybill_model::contract::Problem;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::settings::{INVOICE_POLICY, SOURCE_ID, TARGET_ID};
use waybill_store::{Read, Scope, SettingChange, StoreError, Tx};

/// One setting that differs from an earlier version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differs {
    /// Its key.
    pub key: String,
    /// Name of the connection it is of.
    pub connection: Option<String>,
    /// The retailer it is of.
    pub retailer: Option<String>,
    /// What held then; `None`: the default.
    pub then: Option<String>,
    /// What holds now.
    pub now: Option<String>,
}

/// The value each changed setting had before the first change after that version; `None`: that version is not known, since
/// history is kept for a time.
fn changed_since(rows: &dyn Read, version: u64) -> Result<Option<Vec<SettingChange>>, StoreError> {
    let all = rows.setting_history(usize::MAX)?;
    let oldest = all.last().map_or(1, |change| change.seq);
    let newest = all.first().map_or(0, |change| change.seq);
    if version > newest || version + 1 < oldest {
        return Ok(None);
    }
    let mut first: Vec<SettingChange> = Vec::new();
    // Newest first: the last one met of a setting is its oldest.
    for change in all.into_iter().take_while(|change| change.seq > version) {
        match first
            .iter_mut()
            .find(|known| known.scope == change.scope && known.key == change.key)
        {
            Some(known) => *known = change,
            None => first.push(change),
        }
    }
    Ok(Some(first))
}

fn holds(rows: &dyn Read, change: &SettingChange) -> Result<Option<String>, StoreError> {
    let row = rows.setting(&change.scope, &change.key)?;
    Ok(row.map(|row| row.value))
}

/// Goes back; how many settings changed by it. `None`: that version is not known.
fn restore(
    tx: &mut Tx<'_>,
    version: u64,
    who: &str,
    now: Millis,
) -> Result<Option<u64>, StoreError> {
    let Some(changed) = changed_since(tx, version)? else {
        return Ok(None);
    };
    let (mut count, mut compared, mut practised) = (0, false, false);
    let mut policies: Vec<Scope> = Vec::new();
    for change in changed {
        if holds(tx, &change)? == change.old {
            continue;
        }
        tx.set_setting(&change.scope, &change.key, change.old.as_deref(), who, now)?;
        count += 1;
        compared |= [SOURCE_ID, TARGET_ID].contains(&change.key.as_str());
        practised |= practice::is_setting(&change.key);
        if change.key == INVOICE_POLICY {
            policies.push(change.scope);
        }
    }
    if count == 0 {
        return Ok(Some(0));
    }
    if compared {
        matching::compare_again(tx)?;
    }
    if practised {
        practice::turned(tx)?;
    }
    for scope in &policies {
        invoice::policy::changed(tx, scope, now)?;
    }
    let detail = format!("to version {version}, {count} settings");
    tx.audit(who, "Settings went back", &detail, now)?;
    Ok(Some(count))
}

fn unknown(version: u64) -> CommandError {
    CommandError::Refused(Problem::new(
        "version-unknown",
        format!("There is no version {version} of the settings."),
        "The page Settings and `waybill settings versions` list those that are kept.",
    ))
}

impl Handle {
    /// What holds now otherwise than it did in that version.
    ///
    /// # Errors
    /// That version is not known, or kept no longer.
    pub async fn settings_since(&self, version: u64) -> Result<Vec<Differs>, CommandError> {
        let found = self.read(move |core, rx| {
            let Some(changed) = changed_since(rx, version)? else {
                return Ok(None);
            };
            let desk = core.desk();
            let name = |id: ConnectionId| {
                let slot = desk.slots.get(&id);
                slot.map_or_else(|| id.to_string(), |slot| slot.row.name.clone())
            };
            let mut differs = Vec::new();
            for change in changed {
                let now = holds(rx, &change)?;
                if now != change.old {
                    differs.push(Differs {
                        key: change.key,
                        connection: change.scope.connection.map(name),
                        retailer: change.scope.retailer,
                        then: change.old,
                        now,
                    });
                }
            }
            Ok(Some(differs))
        });
        found.await?.ok_or_else(|| unknown(version))
    }

    /// Goes back to that version in one commit; how many settings changed by it.
    ///
    /// # Errors
    /// That version is not known, or kept no longer.
    pub async fn restore_settings(&self, version: u64, who: &str) -> Result<u64, CommandError> {
        let (who, now) = (who.to_owned(), self.now());
        let restored = self
            .core
            .store
            .write(move |tx| restore(tx, version, &who, now));
        let count = restored.await?.ok_or_else(|| unknown(version))?;
        self.core.swaps.want();
        self.core.wake(Event::Reload);
        Ok(count)
    }
}
