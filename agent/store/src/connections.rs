//! Connections, routes between them, and where pulling stands. Counts nothing; there are only a few of each.

use crate::access::{Access, Tx};
use crate::codec::{Key, Span};
use crate::error::StoreError;
use crate::rows::{ConnectionRow, RouteRow};
use crate::schema::Tab;
use waybill_model::document::Entity;
use waybill_model::ids::ConnectionId;

pub(crate) fn connections(a: &dyn Access) -> Result<Vec<ConnectionRow>, StoreError> {
    a.rows(Tab::Connections, &Span::all(), usize::MAX)
}

pub(crate) fn connection(
    a: &dyn Access,
    id: ConnectionId,
) -> Result<Option<ConnectionRow>, StoreError> {
    a.row(Tab::Connections, &Key::new().u32(id.0).0)
}

pub(crate) fn by_name(a: &dyn Access, name: &str) -> Result<Option<ConnectionRow>, StoreError> {
    match a.bytes(Tab::ConnectionNames, name.as_bytes())? {
        Some(id) => a.row(Tab::Connections, &id),
        None => Ok(None),
    }
}

/// The name of a connection; one that is gone keeps a name of its own.
pub(crate) fn name_of(a: &dyn Access, id: ConnectionId) -> Result<String, StoreError> {
    Ok(connection(a, id)?.map_or_else(|| format!("connection-{id}"), |row| row.name))
}

pub(crate) fn routes(a: &dyn Access) -> Result<Vec<RouteRow>, StoreError> {
    a.rows(Tab::Routes, &Span::all(), usize::MAX)
}

pub(crate) fn route(
    a: &dyn Access,
    entity: Entity,
    from: ConnectionId,
    to: ConnectionId,
) -> Result<Option<RouteRow>, StoreError> {
    a.row(Tab::Routes, &key_of(entity, from, to).0)
}

fn key_of(entity: Entity, from: ConnectionId, to: ConnectionId) -> Key {
    Key::new().text(entity.word()).u32(from.0).u32(to.0)
}

fn route_key(row: &RouteRow) -> Key {
    key_of(row.entity, row.from, row.to)
}

impl Tx<'_> {
    /// Stores a connection; id 0 makes a new one. The name must be free.
    pub fn put_connection(&mut self, row: &ConnectionRow) -> Result<ConnectionId, StoreError> {
        let mut row = row.clone();
        if let Some(other) = by_name(self, &row.name)?
            && other.id != row.id
        {
            return Err(StoreError::Conflict(format!(
                "`{}` is the name of another connection",
                row.name
            )));
        }
        if row.id.0 == 0 {
            let id = self.next("connection")?;
            row.id = ConnectionId(u32::try_from(id).map_err(|_| {
                StoreError::Conflict("no number is left for a connection".to_owned())
            })?);
        } else if let Some(old) = connection(self, row.id)? {
            if old.name != row.name {
                self.del(Tab::ConnectionNames, old.name.as_bytes())?;
            }
        } else {
            return Err(StoreError::not_found(format!("connection {}", row.id)));
        }
        let key = Key::new().u32(row.id.0).0;
        self.put_row(Tab::Connections, &key, &row)?;
        self.put_bytes(Tab::ConnectionNames, row.name.as_bytes(), &key)?;
        Ok(row.id)
    }

    /// Removes a connection with its routes, feeds, settings, secrets, private space, hints and webhook requests.
    /// Orders, documents and links stay. Refused while it has jobs that are not done.
    pub fn remove_connection(&mut self, id: ConnectionId) -> Result<(), StoreError> {
        let row = connection(self, id)?
            .ok_or_else(|| StoreError::not_found(format!("connection {id}")))?;
        let prefix = || Key::new().u32(id.0);
        if !self
            .dynamic()
            .keys(Tab::Lanes, &Span::prefix(prefix()), 1)?
            .is_empty()
        {
            return Err(StoreError::Conflict(format!(
                "`{}` still has jobs that are not done",
                row.name
            )));
        }
        for route in routes(self)? {
            if route.from == id || route.to == id {
                self.del(Tab::Routes, &route_key(&route).0)?;
            }
        }
        let spans = [
            (Tab::Feeds, prefix()),
            (Tab::Vault, prefix()),
            (Tab::Kv, prefix()),
            (Tab::Settings, Key::new().byte(1).u32(id.0)),
        ];
        for (tab, key) in spans {
            for key in self.dynamic().keys(tab, &Span::prefix(key), usize::MAX)? {
                self.del(tab, &key)?;
            }
        }
        self.drop_hints(id)?;
        self.drop_hooks(id)?;
        self.del(Tab::ConnectionNames, row.name.as_bytes())?;
        self.del(Tab::Connections, &prefix().0)?;
        Ok(())
    }

    /// Stores a route.
    pub fn put_route(&mut self, row: &RouteRow) -> Result<(), StoreError> {
        self.put_row(Tab::Routes, &route_key(row).0, row)
    }

    /// Removes a route.
    pub fn remove_route(&mut self, row: &RouteRow) -> Result<bool, StoreError> {
        self.del(Tab::Routes, &route_key(row).0)
    }
}
