//! What the engine of a bench is handed as its connectors: both sides, or what a folder of builds put in their place. Must
//! not know what a side answers.

use crate::bench::{Side, held};
use crate::swapped::Folder;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use waybill_engine::connectors::{Binding, CallsUsed, Connectors};
use waybill_engine::swap::{Build, Shelf};
use waybill_host::connector::Connector;
use waybill_model::contract::Descriptor;
use waybill_model::ids::ConnectionId;

/// Both sides.
pub(crate) struct Sides {
    pub(crate) network: Arc<Side>,
    pub(crate) erp: Arc<Side>,
    pub(crate) erp_is_missing: Arc<AtomicBool>,
    pub(crate) folder: Option<Arc<Folder>>,
    pub(crate) builds: Mutex<BTreeMap<String, Arc<dyn Build>>>,
}

impl Connectors for Sides {
    fn descriptors(&self) -> Vec<Descriptor> {
        let builds = held(&self.builds);
        let erp = builds
            .get("erp")
            .map_or(self.erp.own_descriptor(), |b| b.descriptor());
        vec![self.network.own_descriptor().clone(), erp.clone()]
    }
    fn bind(&self, connector: &str, binding: Binding) -> Result<Arc<dyn Connector>, String> {
        if let Some(build) = held(&self.builds).get(connector) {
            return build.bind(binding);
        }
        match connector {
            "network" => Ok(self.network.clone()),
            "erp" if !self.erp_is_missing.load(Ordering::Relaxed) => Ok(self.erp.clone()),
            other => Err(format!("no connector `{other}`")),
        }
    }
    fn calls_used(&self, _: ConnectionId) -> CallsUsed {
        CallsUsed::default()
    }
    fn shelf(&self) -> Option<Arc<dyn Shelf>> {
        let folder: Arc<dyn Shelf> = self.folder.clone()?;
        Some(folder)
    }
    fn install(&self, build: Arc<dyn Build>) {
        held(&self.builds).insert(build.descriptor().id.clone(), build);
    }
    fn installed(&self) -> Vec<Arc<dyn Build>> {
        held(&self.builds).values().cloned().collect()
    }
}
