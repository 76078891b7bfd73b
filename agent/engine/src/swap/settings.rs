//! Stored settings against the descriptor of a new build: renamed keys are carried over, new ones that must be entered
//! are asked for, and nothing is dropped: a build one goes back to finds its own keys as they were.

use crate::apply::misfit;
use crate::connecting::is_required_at_once;
use waybill_model::contract::{Descriptor, Setting};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::settings::Values;
use waybill_store::{AskedRow, ConnectionRow, Read, StoreError, Tx};

/// What a build would be called with, and what is still missing.
#[derive(Debug, Clone)]
pub(crate) struct Fitted {
    pub(crate) values: Values,
    pub(crate) asked: Vec<AskedRow>,
}

/// Fits what is stored for a connection to a descriptor.
pub(crate) fn fit(
    rx: &dyn Read,
    row: &ConnectionRow,
    descriptor: &Descriptor,
) -> Result<Fitted, StoreError> {
    let mut values = rx.effective(Some(row.id), None)?;
    for setting in &descriptor.settings {
        if !values.contains_key(&setting.key)
            && let Some(old) = setting.was.iter().find_map(|key| values.get(key))
        {
            values.insert(setting.key.clone(), old.clone());
        }
    }
    let ask = |setting: &Setting, help: String| AskedRow {
        connection: row.id,
        key: setting.key.clone(),
        label: setting.label.clone(),
        help,
    };
    let mut asked = Vec::new();
    for setting in &descriptor.settings {
        let given = values.get(&setting.key).or(setting.default.as_ref());
        match given {
            None if is_required_at_once(setting) => asked.push(ask(setting, setting.help.clone())),
            Some(value) if is_required_at_once(setting) && value.is_empty() => {
                asked.push(ask(setting, setting.help.clone()));
            }
            Some(value) => {
                if let Some((why, _)) = misfit(&setting.field, value) {
                    let help = format!("`{value}` is stored, but {why}. {}", setting.help);
                    asked.push(ask(setting, help));
                }
            }
            None => {}
        }
    }
    for setting in &descriptor.settings {
        if let Some(default) = &setting.default {
            values
                .entry(setting.key.clone())
                .or_insert_with(|| default.clone());
        }
    }
    Ok(Fitted { values, asked })
}

/// Copies what is stored under earlier keys to their new ones, in every scope of a connection.
pub(crate) fn carry_over(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    descriptor: &Descriptor,
    now: Millis,
) -> Result<(), StoreError> {
    let rows = tx.connection_values(connection)?;
    for setting in &descriptor.settings {
        for old in setting.was.iter().rev() {
            for row in rows.iter().filter(|row| row.key == *old) {
                let has_new = rows
                    .iter()
                    .any(|other| other.key == setting.key && other.scope == row.scope);
                if !has_new {
                    let value = Some(row.value.as_str());
                    tx.set_setting(&row.scope, &setting.key, value, super::SELF, now)?;
                }
            }
        }
    }
    Ok(())
}
