//! What a generation is bound to: the ports of the agent and one merchant's connection. It knows no guests.

use crate::budget::Budgets;
use crate::filled::Kept;
use crate::limits::Limits;
use crate::oauth::Tokens;
use crate::ports::{Clock, HostKeys, Journal, Kv, Links, Rng, Vault, Wire};
use crate::sftp::Fetched;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use waybill_model::contract::{Credential, Descriptor, Pairs};
use waybill_model::ids::{ConnectionId, Millis};

/// Everything the host asks of the agent. Made once; clones share the ports and the tokens in memory.
#[derive(Clone)]
pub struct HostPorts {
    /// The effect journal.
    pub journal: Arc<dyn Journal>,
    /// Private spaces.
    pub kv: Arc<dyn Kv>,
    /// What is ours.
    pub links: Arc<dyn Links>,
    /// Sealed secrets.
    pub vault: Arc<dyn Vault>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// The network.
    pub wire: Arc<dyn Wire>,
    /// The keys of file servers; without them no connector reaches one.
    pub(crate) host_keys: Option<Arc<dyn HostKeys>>,
    /// Where files lie that a call works on.
    pub(crate) spools: Option<PathBuf>,
    /// Files of servers that were read and may be asked for again.
    pub(crate) fetched: Arc<Fetched>,
    pub(crate) tokens: Arc<Tokens>,
}

impl HostPorts {
    /// Bundles the ports.
    pub fn new(
        journal: Arc<dyn Journal>,
        kv: Arc<dyn Kv>,
        links: Arc<dyn Links>,
        vault: Arc<dyn Vault>,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
        wire: Arc<dyn Wire>,
    ) -> Self {
        Self {
            journal,
            kv,
            links,
            vault,
            clock,
            rng,
            wire,
            host_keys: None,
            spools: None,
            fetched: Arc::default(),
            tokens: Arc::default(),
        }
    }

    /// Lets connectors exchange files by SFTP. The keys that servers showed first are kept by `keys`; large files lie in
    /// `spools`, without a name, while calls work on them.
    #[must_use]
    pub fn with_sftp(mut self, keys: Arc<dyn HostKeys>, spools: &Path) -> Self {
        self.host_keys = Some(keys);
        self.spools = Some(spools.to_owned());
        self
    }
}

/// One merchant's connection, as far as a call must know it.
#[derive(Debug, Clone)]
pub struct ConnectionSetup {
    /// Which one.
    pub id: ConnectionId,
    /// Its name, for logs.
    pub name: String,
    /// Values for templates (`reach`, hosts, token addresses); the descriptor's defaults fill what is missing.
    pub settings: Pairs,
    /// The merchant allows addresses of this machine and of private networks, and plain `http` to them.
    pub allow_private: bool,
    /// Hosts (`name` or `name:port`) that `allow_private` is meant for; empty: every host of the connection.
    pub grants: Vec<String>,
}

impl ConnectionSetup {
    /// Whether this host may lie in a private network.
    pub(crate) fn private_allowed(&self, host: &str, port: Option<u16>) -> bool {
        self.allow_private
            && (self.grants.is_empty() || self.grants.iter().any(|g| covers(g, host, port)))
    }
}

/// Whether a host entry (`name` or `name:port`) covers this host and port.
pub(crate) fn covers(entry: &str, host: &str, port: Option<u16>) -> bool {
    let entry = entry.trim();
    if entry.eq_ignore_ascii_case(host) {
        return true;
    }
    match (entry.rsplit_once(':'), port) {
        (Some((name, number)), Some(port)) => {
            name.eq_ignore_ascii_case(host) && number.parse() == Ok(port)
        }
        _ => false,
    }
}

/// A generation bound to a connection: what every call of it shares.
pub(crate) struct Bound {
    pub(crate) descriptor: Arc<Descriptor>,
    pub(crate) setup: ConnectionSetup,
    pub(crate) ports: HostPorts,
    pub(crate) budgets: Arc<Budgets>,
    pub(crate) limits: Limits,
    pub(crate) filled: Kept,
}

impl Bound {
    pub(crate) fn now(&self) -> Millis {
        self.ports.clock.now_ms()
    }

    pub(crate) fn credential(&self, slot: &str) -> Option<&Credential> {
        self.descriptor.credentials.iter().find(|c| c.slot == slot)
    }

    /// Fields of the tokens in memory that the descriptor lets the guest read, as `token.FIELD`.
    pub(crate) fn exposed(&self) -> Pairs {
        self.descriptor
            .credentials
            .iter()
            .flat_map(|c| self.ports.tokens.exposed(self.setup.id, &c.slot))
            .collect()
    }
}
