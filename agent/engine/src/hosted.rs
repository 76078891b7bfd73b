//! Loaded components as the engine's connectors.

use crate::connectors::{Binding, CallsUsed, Connectors};
use crate::swap::{Build, BuildLimits, Shelf};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use waybill_host::budget::{BudgetUse, Budgets};
use waybill_host::connector::Connector;
use waybill_host::generation::Generation;
use waybill_host::setup::{ConnectionSetup, HostPorts};
use waybill_host::tally::Counts;
use waybill_model::contract::{Descriptor, Role};
use waybill_model::ids::{self, ConnectionId};

/// What every component of an agent shares.
#[derive(Clone)]
pub struct Hosting {
    ports: HostPorts,
    budgets: Arc<Budgets>,
}

impl Hosting {
    /// Bundles it.
    pub fn new(ports: HostPorts, budgets: Arc<Budgets>) -> Self {
        Self { ports, budgets }
    }

    /// Calls used and allowed.
    pub fn budgets(&self) -> Arc<Budgets> {
        Arc::clone(&self.budgets)
    }

    /// A loaded component as a build.
    pub fn build(&self, generation: Arc<Generation>) -> Arc<dyn Build> {
        Arc::new(Hosted {
            generation,
            hosting: self.clone(),
        })
    }
}

struct Hosted {
    generation: Arc<Generation>,
    hosting: Hosting,
}

impl Build for Hosted {
    fn hash(&self) -> &str {
        self.generation.hash()
    }
    fn generation(&self) -> ids::Generation {
        self.generation.id()
    }
    fn descriptor(&self) -> &Descriptor {
        self.generation.descriptor()
    }
    fn roles(&self) -> &BTreeSet<Role> {
        &self.generation.passport().roles
    }
    fn permissions(&self) -> &BTreeSet<String> {
        &self.generation.passport().permissions
    }
    fn signer(&self) -> Option<String> {
        self.generation.signer().map(|signer| signer.name.clone())
    }
    fn limits(&self) -> BuildLimits {
        let limits = self.generation.limits();
        BuildLimits {
            memory: limits.memory as u64,
            request_body: limits.request_body,
            answer_body: limits.answer_body,
            requests: limits.requests as u64,
        }
    }
    fn bind(&self, binding: Binding) -> Result<Arc<dyn Connector>, String> {
        let setup = ConnectionSetup {
            id: binding.connection,
            name: binding.name,
            settings: binding.settings,
            allow_private: binding.allow_private,
            grants: binding.grants,
        };
        let Hosting { ports, budgets } = self.hosting.clone();
        Ok(self.generation.bind(setup, ports, budgets))
    }
    fn set_left(&self, left: bool) {
        self.generation.set_left(left);
    }
}

/// Builds by the id of their descriptor.
pub struct HostConnectors {
    builds: RwLock<BTreeMap<String, Arc<dyn Build>>>,
    budgets: Arc<Budgets>,
    shelf: Option<Arc<dyn Shelf>>,
}

impl HostConnectors {
    /// Nothing is loaded yet.
    pub fn new(budgets: Arc<Budgets>) -> Self {
        Self {
            builds: RwLock::default(),
            budgets,
            shelf: None,
        }
    }

    /// From now on builds come from there.
    #[must_use]
    pub fn with_shelf(self, from: Arc<dyn Shelf>) -> Self {
        Self {
            shelf: Some(from),
            ..self
        }
    }

    fn builds(&self) -> RwLockReadGuard<'_, BTreeMap<String, Arc<dyn Build>>> {
        self.builds.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connectors for HostConnectors {
    fn descriptors(&self) -> Vec<Descriptor> {
        let builds = self.builds();
        builds.values().map(|b| b.descriptor().clone()).collect()
    }

    fn bind(&self, connector: &str, binding: Binding) -> Result<Arc<dyn Connector>, String> {
        let builds = self.builds();
        let Some(build) = builds.get(connector) else {
            let known: Vec<&str> = builds.keys().map(String::as_str).collect();
            return Err(format!(
                "connector `{connector}` is not installed; installed are: {}",
                known.join(", ")
            ));
        };
        build.bind(binding)
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

    fn counts(&self, connection: ConnectionId) -> Counts {
        self.budgets.counts(connection)
    }

    fn budgets(&self, connection: ConnectionId) -> Vec<BudgetUse> {
        self.budgets.snapshot(connection)
    }

    fn shelf(&self) -> Option<Arc<dyn Shelf>> {
        self.shelf.clone()
    }

    fn install(&self, build: Arc<dyn Build>) {
        let id = build.descriptor().id.clone();
        self.builds
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, build);
    }

    fn installed(&self) -> Vec<Arc<dyn Build>> {
        self.builds().values().cloned().collect()
    }
}
