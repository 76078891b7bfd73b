//! The same connector as a component, called through the agent's host: a store of its own for the call, limits, the rules
//! of every request. The ports answer from memory; nothing leaves in practice mode.

use crate::order::{agent, settings};
use anyhow::bail;
use async_trait::async_trait;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use waybill_host::budget::Budgets;
use waybill_host::connector::{Call, Connector, Mode};
use waybill_host::engine::HostEngine;
use waybill_host::limits::Limits;
use waybill_host::load::Loader;
use waybill_host::ports::{
    Begun, Clock, EffectScope, Finish, Journal, Kv, Links, PortError, Rng, Vault, Wire, WireError,
    WireRequest, WireResponse,
};
use waybill_host::setup::{ConnectionSetup, HostPorts};
use waybill_host::trust::Trust;
use waybill_model::contract::{Context, Delivery, Link, Outcome};
use waybill_model::document::Entity;
use waybill_model::ids::{self, ConnectionId, EffectId, JobId, Millis};
use waybill_model::job::Priority;

const ID: ConnectionId = ConnectionId(1);

/// Answers every port with nothing.
struct Quiet;

fn never<T>() -> Result<T, PortError> {
    Err(PortError("nothing leaves in practice mode".to_owned()))
}

#[async_trait]
impl Journal for Quiet {
    async fn begin(
        &self,
        _: ConnectionId,
        _: &EffectScope,
        _: &str,
        _: &[u32],
        _: Option<Millis>,
    ) -> Result<Begun, PortError> {
        never()
    }
    async fn finish(&self, _: EffectId, _: Finish) -> Result<(), PortError> {
        never()
    }
    async fn retract(
        &self,
        _: ConnectionId,
        _: &EffectScope,
        _: &str,
        _: &[u32],
    ) -> Result<(), PortError> {
        never()
    }
}

#[async_trait]
impl Kv for Quiet {
    async fn get_many(
        &self,
        _: ConnectionId,
        keys: &[String],
    ) -> Result<Vec<Option<Vec<u8>>>, PortError> {
        Ok(vec![None; keys.len()])
    }
    async fn scan(
        &self,
        _: ConnectionId,
        _: &str,
        _: Option<&str>,
        _: u32,
    ) -> Result<Vec<(String, Vec<u8>)>, PortError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Links for Quiet {
    async fn of(
        &self,
        _: ConnectionId,
        _: Entity,
        keys: &[String],
    ) -> Result<Vec<Vec<Link>>, PortError> {
        Ok(vec![Vec::new(); keys.len()])
    }
}

#[async_trait]
impl Vault for Quiet {
    async fn secrets(
        &self,
        _: ConnectionId,
        _: &str,
    ) -> Result<BTreeMap<String, SecretString>, PortError> {
        Ok(BTreeMap::from([(
            "token".to_owned(),
            "a-token-that-opens-nothing".to_owned().into(),
        )]))
    }
}

#[async_trait]
impl Clock for Quiet {
    fn now_ms(&self) -> Millis {
        1_762_178_710_000
    }
    async fn sleep_ms(&self, _: u64) {}
}

impl Rng for Quiet {
    fn next_u64(&self) -> u64 {
        4
    }
}

#[async_trait]
impl Wire for Quiet {
    async fn send(&self, _: WireRequest) -> Result<WireResponse, WireError> {
        Err(WireError::NotSent(
            "nothing leaves in practice mode".to_owned(),
        ))
    }
}

/// A loaded and bound component.
pub(crate) struct Hosted {
    connector: Arc<dyn Connector>,
}

impl Hosted {
    pub(crate) async fn new(component: &Path, compiled: &Path) -> anyhow::Result<Self> {
        let engine = HostEngine::new(Some(compiled))?;
        let limits = Limits {
            // Under valgrind everything is fifty times slower.
            describe_ms: 60_000,
            ..Limits::default()
        };
        let loader = Loader::new(engine, limits, Trust::new(Vec::new(), true));
        let generation = loader.load_file(component, ids::Generation(1)).await?;
        let all = Arc::new(Quiet);
        let ports = HostPorts::new(
            all.clone(),
            all.clone(),
            all.clone(),
            all.clone(),
            all.clone(),
            all.clone(),
            all.clone(),
        );
        let setup = ConnectionSetup {
            id: ID,
            name: "erp".to_owned(),
            settings: settings(),
            allow_private: true,
            grants: Vec::new(),
        };
        let connector = generation.bind(setup, ports, Arc::new(Budgets::new(all)));
        Ok(Self { connector })
    }

    /// A call with its order, made ready outside of what is measured: the engine has both at hand.
    pub(crate) fn prepare(attempt: u32) -> (Call, Vec<Delivery>) {
        let call = Call {
            connection: ID,
            context: Context {
                settings: settings(),
                attempt,
            },
            scope: EffectScope::Jobs(vec![JobId(1)]),
            priority: Priority::Order,
            mode: Mode::Practice,
            limit_ms: 600_000,
        };
        (call, agent::batch())
    }

    /// As the native call: an error where the order is not recorded.
    pub(crate) async fn call(&self, (call, batch): (Call, Vec<Delivery>)) -> anyhow::Result<()> {
        let answer = self.connector.push(call, batch).await.value;
        match answer.as_deref() {
            Ok([Ok(Outcome::Recorded)]) => Ok(()),
            other => bail!("the connector answers {other:?}"),
        }
    }
}
