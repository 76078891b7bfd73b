//! The host's ports answered by the store. Store and host meet here and nowhere else.

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::sync::Arc;
use waybill_host::ports::{
    Begun, Clock, EffectScope, Finish, HostKeys, Journal, Kv, Links, PortError, Vault,
};
use waybill_model::contract::Link;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, EffectId, JobId, Millis};
use waybill_store::{BegunRow, Read, Store, StoreError};

/// Journal, private spaces, links and secrets over one store.
#[derive(Clone)]
pub struct StorePorts {
    store: Store,
    clock: Arc<dyn Clock>,
}

impl StorePorts {
    /// Ports over this store.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    fn now(&self) -> Millis {
        self.clock.now_ms()
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "used as the function of map_err"
)]
fn port(error: StoreError) -> PortError {
    PortError(error.to_string())
}

/// Under which the effects of a batch of levels are kept, and forgotten once it is judged.
pub(crate) fn level_scope(connection: ConnectionId, batch: &str) -> String {
    format!("{connection}/levels/{batch}")
}

/// What the journal looks an effect up by. A job belongs to one connection; a scope's word does not, so its key names
/// the connection and the kind of scope.
fn keyed(
    connection: ConnectionId,
    scope: &EffectScope,
    members: &[u32],
) -> Result<(String, Vec<JobId>), PortError> {
    match scope {
        EffectScope::Poll(key) => Ok((format!("{connection}/poll/{key}"), Vec::new())),
        EffectScope::Levels(key) => Ok((level_scope(connection, key), Vec::new())),
        EffectScope::Setup(key) => Ok((format!("{connection}/setup/{key}"), Vec::new())),
        EffectScope::Jobs(jobs) => {
            let chosen = members
                .iter()
                .map(|m| jobs.get(*m as usize).copied())
                .collect::<Option<Vec<_>>>();
            match chosen {
                Some(chosen) if !chosen.is_empty() => Ok((String::new(), chosen)),
                _ => Err(PortError(
                    "the effect names no member of its batch, or one that does not exist"
                        .to_owned(),
                )),
            }
        }
    }
}

#[async_trait]
impl Journal for StorePorts {
    async fn begin(
        &self,
        connection: ConnectionId,
        scope: &EffectScope,
        step: &str,
        members: &[u32],
        absent: Option<Millis>,
    ) -> Result<Begun, PortError> {
        let (key, jobs) = keyed(connection, scope, members)?;
        let (step, now) = (step.to_owned(), self.now());
        let begun = self
            .store
            .write(move |tx| tx.begin_effect(connection, &key, &jobs, &step, absent, now))
            .await
            .map_err(port)?;
        Ok(match begun {
            BegunRow::Fresh(id) => Begun::Fresh(id),
            BegunRow::Replay(answer) => Begun::Replay(answer),
            BegunRow::InDoubt(since) => Begun::InDoubt { since },
        })
    }

    async fn finish(&self, effect: EffectId, finish: Finish) -> Result<(), PortError> {
        let now = self.now();
        let answer = match finish {
            Finish::Answered(bytes) => Some(bytes),
            Finish::NothingHappened => None,
        };
        self.store
            .write(move |tx| tx.finish_effect(effect, answer.as_deref(), now))
            .await
            .map_err(port)
    }

    async fn retract(
        &self,
        connection: ConnectionId,
        scope: &EffectScope,
        step: &str,
        members: &[u32],
    ) -> Result<(), PortError> {
        let (key, jobs) = keyed(connection, scope, members)?;
        let step = step.to_owned();
        self.store
            .write(move |tx| tx.retract_effect(&key, &jobs, &step))
            .await
            .map_err(port)
    }
}

#[async_trait]
impl Kv for StorePorts {
    async fn get_many(
        &self,
        connection: ConnectionId,
        keys: &[String],
    ) -> Result<Vec<Option<Vec<u8>>>, PortError> {
        self.store
            .read(|rx| keys.iter().map(|key| rx.kv_get(connection, key)).collect())
            .map_err(port)
    }

    async fn scan(
        &self,
        connection: ConnectionId,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, Vec<u8>)>, PortError> {
        self.store
            .read(|rx| rx.kv_scan(connection, prefix, after, limit as usize))
            .map_err(port)
    }
}

#[async_trait]
impl Links for StorePorts {
    async fn of(
        &self,
        connection: ConnectionId,
        entity: Entity,
        keys: &[String],
    ) -> Result<Vec<Vec<Link>>, PortError> {
        self.store
            .read(|rx| {
                keys.iter()
                    .map(|key| rx.links_of(connection, entity, key))
                    .collect()
            })
            .map_err(port)
    }
}

#[async_trait]
impl Vault for StorePorts {
    async fn secrets(
        &self,
        connection: ConnectionId,
        slot: &str,
    ) -> Result<BTreeMap<String, SecretString>, PortError> {
        self.store
            .read(|rx| {
                let mut found = BTreeMap::new();
                for (_, name, _) in rx
                    .secret_names(connection)?
                    .into_iter()
                    .filter(|(s, _, _)| s == slot)
                {
                    if let Some(secret) = rx.secret(connection, slot, &name)? {
                        found.insert(name, secret);
                    }
                }
                Ok(found)
            })
            .map_err(port)
    }

    async fn keep(
        &self,
        connection: ConnectionId,
        slot: &str,
        name: &str,
        secret: &SecretString,
    ) -> Result<(), PortError> {
        let (slot, name, secret, now) =
            (slot.to_owned(), name.to_owned(), secret.clone(), self.now());
        self.store
            .write(move |tx| tx.set_secret(connection, &slot, &name, &secret, now))
            .await
            .map_err(port)
    }
}

/// Slot of the vault for the keys of file servers: sealed, so that nobody who can write to the database puts a stranger in
/// the server's place, and gone with the connection's secrets.
const HOST_KEYS: &str = "sftp host keys";

#[async_trait]
impl HostKeys for StorePorts {
    async fn known(
        &self,
        connection: ConnectionId,
        place: &str,
    ) -> Result<Option<String>, PortError> {
        let known = self
            .store
            .read(|rx| rx.secret(connection, HOST_KEYS, place))
            .map_err(port)?;
        Ok(known.map(|key| key.expose_secret().to_owned()))
    }

    async fn keep(
        &self,
        connection: ConnectionId,
        place: &str,
        fingerprint: &str,
    ) -> Result<String, PortError> {
        let (place, now) = (place.to_owned(), self.now());
        let shown = SecretString::from(fingerprint);
        self.store
            .write(move |tx| {
                if let Some(known) = tx.secret(connection, HOST_KEYS, &place)? {
                    return Ok(known.expose_secret().to_owned());
                }
                tx.set_secret(connection, HOST_KEYS, &place, &shown, now)?;
                Ok(shown.expose_secret().to_owned())
            })
            .await
            .map_err(port)
    }
}
