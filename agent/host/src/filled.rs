//! What a connection's templates come to with its settings and tokens filled in. Made anew only when a token gives other
//! fields: a request asks several times, and settings do not change under a bound connection. It decides nothing.

use crate::reach::{self, Prefix, ReachError};
use crate::setup::Bound;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use waybill_model::contract::Pairs;

/// Templates with their values.
pub(crate) struct Filled {
    /// What the tokens in memory gave: the only part that changes.
    exposed: Pairs,
    /// Values for templates: defaults of the descriptor, the merchant's settings, fields of tokens that may be read.
    pub(crate) values: BTreeMap<String, String>,
    /// The connector's reach.
    pub(crate) prefixes: Vec<Result<Prefix, ReachError>>,
    /// Hosts of each credential's slot; those whose settings are missing do not count.
    pub(crate) hosts: BTreeMap<String, Vec<String>>,
}

impl Filled {
    fn new(bound: &Bound, exposed: Pairs) -> Self {
        let descriptor = &bound.descriptor;
        let mut values: BTreeMap<String, String> = descriptor
            .settings
            .iter()
            .filter_map(|s| Some((s.key.clone(), s.default.clone()?)))
            .collect();
        values.extend(bound.setup.settings.iter().cloned());
        values.extend(exposed.iter().cloned());
        let fill = |host: &String| reach::fill(host, |name| values.get(name).cloned()).ok();
        let hosts = descriptor
            .credentials
            .iter()
            .map(|c| (c.slot.clone(), c.hosts.iter().filter_map(fill).collect()))
            .collect();
        Self {
            prefixes: reach::resolve_with(descriptor, &values),
            exposed,
            values,
            hosts,
        }
    }
}

/// The last ones made.
#[derive(Default)]
pub(crate) struct Kept(Mutex<Option<Arc<Filled>>>);

impl Bound {
    /// The connection's templates, filled with what is known now.
    pub(crate) fn filled(&self) -> Arc<Filled> {
        let exposed = self.exposed();
        let mut kept = self.filled.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(filled) if filled.exposed == exposed => Arc::clone(filled),
            _ => Arc::clone(kept.insert(Arc::new(Filled::new(self, exposed)))),
        }
    }
}
