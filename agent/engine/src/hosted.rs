//! Loaded components as the engine's connectors.

use crate::connectors::{Binding, CallsUsed, Connectors};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use waybill_host::budget::{BudgetUse, Budgets};
use waybill_host::connector::Connector;
use waybill_host::generation::Generation;
use waybill_host::setup::{ConnectionSetup, HostPorts};
use waybill_model::contract::Descriptor;
use waybill_model::ids::ConnectionId;

/// Components by the id of their descriptor, and what they share.
pub struct HostConnectors {
    generations: RwLock<BTreeMap<String, Arc<Generation>>>,
    ports: HostPorts,
    budgets: Arc<Budgets>,
}

impl HostConnectors {
    /// Nothing is loaded yet.
    pub fn new(ports: HostPorts, budgets: Arc<Budgets>) -> Self {
        Self {
            generations: RwLock::default(),
            ports,
            budgets,
        }
    }

    /// Takes a loaded component; one of the same id before it is handed back.
    pub fn install(&self, generation: Arc<Generation>) -> Option<Arc<Generation>> {
        let id = generation.descriptor().id.clone();
        self.generations
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, generation)
    }
}

impl Connectors for HostConnectors {
    fn descriptors(&self) -> Vec<Descriptor> {
        let generations = self
            .generations
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        generations
            .values()
            .map(|g| g.descriptor().clone())
            .collect()
    }

    fn bind(&self, connector: &str, binding: Binding) -> Result<Arc<dyn Connector>, String> {
        let generations = self
            .generations
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(generation) = generations.get(connector) else {
            let known: Vec<&str> = generations.keys().map(String::as_str).collect();
            return Err(format!(
                "connector `{connector}` is not installed; installed are: {}",
                known.join(", ")
            ));
        };
        let setup = ConnectionSetup {
            id: binding.connection,
            name: binding.name,
            settings: binding.settings,
            allow_private: binding.allow_private,
            grants: binding.grants,
        };
        Ok(generation.bind(setup, self.ports.clone(), self.budgets.clone()))
    }

    fn calls_used(&self, connection: ConnectionId) -> CallsUsed {
        let buckets = self.budgets.snapshot(connection);
        let used = buckets
            .iter()
            .flat_map(|u| u.used.iter())
            .map(|(_, n)| *n)
            .sum();
        let limit = buckets
            .iter()
            .map(|u| u.per_minute)
            .filter(|n| *n > 0)
            .max();
        CallsUsed { used, limit }
    }

    fn budgets(&self, connection: ConnectionId) -> Vec<BudgetUse> {
        self.budgets.snapshot(connection)
    }
}
