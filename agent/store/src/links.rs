//! Links: a key here is a key there. Kept both ways, so that either side finds the other in one range.

use crate::access::{Access, Tx};
use crate::codec::{Key, Parts, Span, corrupt};
use crate::connections::name_of;
use crate::error::StoreError;
use crate::schema::Tab;
use waybill_model::contract::Link;
use waybill_model::document::Entity;
use waybill_model::ids::ConnectionId;

fn end(key: Key, connection: ConnectionId, entity: Entity, record: &str) -> Key {
    key.u32(connection.0).text(entity.word()).text(record)
}

/// The other ends of a record's links.
pub(crate) fn ends(
    a: &dyn Access,
    connection: ConnectionId,
    entity: Entity,
    key: &str,
) -> Result<Vec<(ConnectionId, Entity, String)>, StoreError> {
    let span = Span::prefix(end(Key::new(), connection, entity, key));
    let keys = a.keys(Tab::Links, &span, usize::MAX)?;
    keys.iter()
        .map(|key| {
            let mut parts = Parts::of(Tab::Links.name(), key);
            parts.u32()?;
            parts.text()?;
            parts.text()?;
            let other = ConnectionId(parts.u32()?);
            let word = parts.text()?;
            let entity = Entity::from_word(&word).ok_or_else(|| {
                corrupt(Tab::Links.name(), key, format!("unknown entity `{word}`"))
            })?;
            Ok((other, entity, parts.text()?))
        })
        .collect()
}

/// A record's links to one connection alone.
pub(crate) fn links_between(
    a: &dyn Access,
    connection: ConnectionId,
    entity: Entity,
    key: &str,
    to: ConnectionId,
) -> Result<Vec<Link>, StoreError> {
    let system = name_of(a, to)?;
    let ends = ends(a, connection, entity, key)?.into_iter();
    Ok(ends
        .filter(|(other, _, _)| *other == to)
        .map(|(_, entity, key)| Link {
            system: system.clone(),
            entity,
            key,
        })
        .collect())
}

pub(crate) fn links_of(
    a: &dyn Access,
    connection: ConnectionId,
    entity: Entity,
    key: &str,
) -> Result<Vec<Link>, StoreError> {
    ends(a, connection, entity, key)?
        .into_iter()
        .map(|(other, entity, key)| {
            Ok(Link {
                system: name_of(a, other)?,
                entity,
                key,
            })
        })
        .collect()
}

impl Tx<'_> {
    /// Links two records. Linking them again changes nothing.
    pub fn link(
        &mut self,
        connection_a: ConnectionId,
        entity_a: Entity,
        key_a: &str,
        connection_b: ConnectionId,
        entity_b: Entity,
        key_b: &str,
    ) -> Result<(), StoreError> {
        let there = end(
            end(Key::new(), connection_a, entity_a, key_a),
            connection_b,
            entity_b,
            key_b,
        );
        let back = end(
            end(Key::new(), connection_b, entity_b, key_b),
            connection_a,
            entity_a,
            key_a,
        );
        self.put_bytes(Tab::Links, &there.0, &[])?;
        self.put_bytes(Tab::Links, &back.0, &[])
    }
}
