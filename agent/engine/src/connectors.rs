//! Where connectors come from: loaded components in a shipped agent, scripts in the simulation.

use crate::swap::{Build, Shelf};
use std::sync::Arc;
use waybill_host::budget::BudgetUse;
use waybill_host::connector::Connector;
use waybill_host::tally::Counts;
use waybill_model::contract::{Descriptor, Pairs};
use waybill_model::ids::ConnectionId;
use waybill_model::settings::Values;
use waybill_store::ConnectionRow;

/// A connection's side of a binding.
#[derive(Debug, Clone)]
pub struct Binding {
    /// Which connection.
    pub connection: ConnectionId,
    /// Its name, as `links` report it.
    pub name: String,
    /// Effective settings, for the descriptor's templates.
    pub settings: Pairs,
    /// Whether addresses of this machine and of private networks were granted.
    pub allow_private: bool,
    /// Hosts granted beside the descriptor's reach.
    pub grants: Vec<String>,
}

impl Binding {
    /// A stored connection under these settings.
    pub(crate) fn of(row: &ConnectionRow, settings: &Values) -> Self {
        let settings = settings.iter();
        Self {
            connection: row.id,
            name: row.name.clone(),
            settings: settings.map(|(k, v)| (k.clone(), v.clone())).collect(),
            allow_private: row.allow_private,
            grants: row.grants.clone(),
        }
    }
}

/// Calls used in the last minute and their limit, for the page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallsUsed {
    /// In the last minute.
    pub used: u32,
    /// Per minute; `None`: no limit.
    pub limit: Option<u32>,
}

/// The connectors there are.
pub trait Connectors: Send + Sync {
    /// What is loaded.
    fn descriptors(&self) -> Vec<Descriptor>;
    /// A loaded connector with one connection's settings.
    ///
    /// # Errors
    /// A sentence for the page: no such connector, or a setting that makes no address.
    fn bind(&self, connector: &str, binding: Binding) -> Result<Arc<dyn Connector>, String>;
    /// Calls of a connection.
    fn calls_used(&self, connection: ConnectionId) -> CallsUsed;
    /// What became of a connection's calls and requests since the start.
    fn counts(&self, _connection: ConnectionId) -> Counts {
        Counts::default()
    }
    /// Every call limit of a connection that was drawn on, for the page.
    fn budgets(&self, _connection: ConnectionId) -> Vec<BudgetUse> {
        Vec::new()
    }
    /// Where builds come from; `None`: nothing is ever swapped.
    fn shelf(&self) -> Option<Arc<dyn Shelf>> {
        None
    }
    /// Takes a build: from the next binding on it stands for its connector.
    fn install(&self, _build: Arc<dyn Build>) {}
    /// The builds that were taken.
    fn installed(&self) -> Vec<Arc<dyn Build>> {
        Vec::new()
    }
}
