//! Settings by scope, and who changed them. A value is text; what it means is the connector's or the agent's.
//! The narrower scope wins: agent, connection, retailer, retailer of a connection.

use crate::access::{Access, Tx};
use crate::codec::{Key, Span};
use crate::error::StoreError;
use crate::rows::{Scope, SettingChange, SettingRow};
use crate::schema::Tab;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::settings::Values;

fn scope_key(connection: Option<ConnectionId>, retailer: Option<&str>) -> Key {
    let key = match connection {
        None => Key::new().byte(0),
        Some(id) => Key::new().byte(1).u32(id.0),
    };
    key.text_or_none(retailer)
}

fn setting_key(scope: &Scope, key: &str) -> Key {
    scope_key(scope.connection, scope.retailer.as_deref()).text(key)
}

pub(crate) fn settings(a: &dyn Access, scope: &Scope) -> Result<Vec<SettingRow>, StoreError> {
    let key = scope_key(scope.connection, scope.retailer.as_deref());
    a.rows(Tab::Settings, &Span::prefix(key), usize::MAX)
}

/// The value of a key in exactly that scope.
pub(crate) fn setting(
    a: &dyn Access,
    scope: &Scope,
    key: &str,
) -> Result<Option<SettingRow>, StoreError> {
    a.row(Tab::Settings, &setting_key(scope, key).0)
}

/// Values of a connection in all of its scopes: for everybody and for single retailers.
pub(crate) fn connection_values(
    a: &dyn Access,
    connection: ConnectionId,
) -> Result<Vec<SettingRow>, StoreError> {
    let span = Span::prefix(Key::new().byte(1).u32(connection.0));
    a.rows(Tab::Settings, &span, usize::MAX)
}

/// Values of a key in every scope.
pub(crate) fn values_of(a: &dyn Access, key: &str) -> Result<Vec<SettingRow>, StoreError> {
    let mut rows: Vec<SettingRow> = a.rows(Tab::Settings, &Span::all(), usize::MAX)?;
    rows.retain(|row| row.key == key);
    Ok(rows)
}

/// Values of every key in every scope that names no connection.
pub(crate) fn agent_rows(a: &dyn Access) -> Result<Vec<SettingRow>, StoreError> {
    let span = Span::prefix(Key::new().byte(0));
    a.rows(Tab::Settings, &span, usize::MAX)
}

pub(crate) fn effective(
    a: &dyn Access,
    connection: Option<ConnectionId>,
    retailer: Option<&str>,
) -> Result<Values, StoreError> {
    let mut scopes = vec![(None, None)];
    if connection.is_some() {
        scopes.push((connection, None));
    }
    if retailer.is_some() {
        scopes.push((None, retailer));
    }
    if connection.is_some() && retailer.is_some() {
        scopes.push((connection, retailer));
    }
    let mut values = Values::new();
    for (connection, retailer) in scopes {
        let span = Span::prefix(scope_key(connection, retailer));
        let rows = a.rows::<SettingRow>(Tab::Settings, &span, usize::MAX)?;
        values.extend(rows.into_iter().map(|row| (row.key, row.value)));
    }
    Ok(values)
}

pub(crate) fn history(a: &dyn Access, limit: usize) -> Result<Vec<SettingChange>, StoreError> {
    a.rows(Tab::SettingLog, &Span::all().newest_first(), limit)
}

impl Tx<'_> {
    /// Sets a value, or with `None` takes it back, and writes down the change. The same value again is no change.
    pub fn set_setting(
        &mut self,
        scope: &Scope,
        key: &str,
        value: Option<&str>,
        who: &str,
        now: Millis,
    ) -> Result<(), StoreError> {
        self.at(now);
        let place = setting_key(scope, key);
        let old = self
            .dynamic()
            .row::<SettingRow>(Tab::Settings, &place.0)?
            .map(|r| r.value);
        if old.as_deref() == value {
            return Ok(());
        }
        if key.starts_with("stock.") {
            self.read_stock_again(|_| true, now)?;
        }
        match value {
            None => self.del(Tab::Settings, &place.0).map(drop)?,
            Some(value) => {
                let row = SettingRow {
                    scope: scope.clone(),
                    key: key.to_owned(),
                    value: value.to_owned(),
                    who: who.to_owned(),
                    at: now,
                };
                self.put_row(Tab::Settings, &place.0, &row)?;
            }
        }
        let change = SettingChange {
            seq: self.next("setting-change")?,
            scope: scope.clone(),
            key: key.to_owned(),
            old,
            new: value.map(str::to_owned),
            who: who.to_owned(),
            at: now,
        };
        self.put_row(Tab::SettingLog, &Key::new().u64(change.seq).0, &change)
    }
}
