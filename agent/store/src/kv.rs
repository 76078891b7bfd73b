//! The private space of each connection's connector, and the agent's own small facts (`meta`). Values are opaque.

use crate::access::{Access, Tx};
use crate::codec::{Key, Parts, Span};
use crate::error::StoreError;
use crate::schema::Tab;
use waybill_model::contract::KvWrite;
use waybill_model::ids::ConnectionId;

fn place(connection: ConnectionId, key: &str) -> Key {
    Key::new().u32(connection.0).text(key)
}

/// The agent's own names are apart from the store's.
fn own(key: &str) -> Vec<u8> {
    [b"agent:", key.as_bytes()].concat()
}

pub(crate) fn get(
    a: &dyn Access,
    connection: ConnectionId,
    key: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    a.bytes(Tab::Kv, &place(connection, key).0)
}

pub(crate) fn scan(
    a: &dyn Access,
    connection: ConnectionId,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let start = Key::new().u32(connection.0).text_prefix(prefix);
    let mut span = Span::prefix(start.clone());
    if let Some(after) = after {
        let after = place(connection, after);
        // A key before the prefix is before all of it.
        if after > start {
            span = span.after(after);
        }
    }
    let mut out = Vec::new();
    if limit > 0 {
        a.scan(Tab::Kv, &span, &mut |key, value| {
            let mut parts = Parts::of(Tab::Kv.name(), key);
            parts.u32()?;
            out.push((parts.text()?, value.to_vec()));
            Ok(out.len() < limit)
        })?;
    }
    Ok(out)
}

pub(crate) fn meta(a: &dyn Access, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    a.bytes(Tab::Meta, &own(key))
}

impl Tx<'_> {
    /// Applies what a connector wrote during a call, in its order.
    pub fn kv_apply(
        &mut self,
        connection: ConnectionId,
        writes: &[KvWrite],
    ) -> Result<(), StoreError> {
        for write in writes {
            let key = place(connection, &write.key);
            match &write.value {
                Some(value) => self.put_bytes(Tab::Kv, &key.0, value)?,
                None => self.del(Tab::Kv, &key.0).map(drop)?,
            }
        }
        Ok(())
    }

    /// Keeps a small fact of the agent.
    pub fn put_meta(&mut self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.put_bytes(Tab::Meta, &own(key), value)
    }

    /// Forgets a small fact of the agent.
    pub fn remove_meta(&mut self, key: &str) -> Result<bool, StoreError> {
        self.del(Tab::Meta, &own(key))
    }
}
