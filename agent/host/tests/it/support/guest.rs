//! The hostile connector, built once, and short ways to load it, bind it and call it.

use super::memory::{
    Fours, MemoryHostKeys, MemoryJournal, MemoryKv, MemoryLinks, MemoryVault, StillClock,
};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use waybill_host::budget::Budgets;
use waybill_host::connector::{Answer, Call, CallError, Connector, Mode};
use waybill_host::engine::HostEngine;
use waybill_host::generation::Generation;
use waybill_host::limits::Limits;
use waybill_host::load::{LoadError, Loader};
use waybill_host::ports::EffectScope;
use waybill_host::setup::{ConnectionSetup, HostPorts};
use waybill_host::trust::Trust;
use waybill_host::wire::NetWire;
use waybill_model::contract::{Context, Delivery, Outcome, Pairs, Verdict};
use waybill_model::document::{Body, Document, Warehouse};
use waybill_model::ids::{self, ConnectionId, JobId};
use waybill_model::job::Priority;

pub(crate) const NOW: i64 = 1_700_000_000_000;

/// The component's bytes; built by whichever test comes first.
pub(crate) fn component() -> Vec<u8> {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES
        .get_or_init(|| {
            // Apart from the connectors that a demonstration loads.
            let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/hostile");
            let mut built = waybill_pack::Pack::new()
                .into_dir(&out)
                .build(&["waybill-hostile"])
                .expect("the hostile guest builds");
            let path = built.remove(0);
            std::fs::read(path).expect("the component is there")
        })
        .clone()
}

/// The component with every occurrence of a text replaced by another of the same length.
pub(crate) fn altered(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = component();
    let mut found = 0;
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from.as_bytes()) {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "`{from}` is not in the component");
    bytes
}

/// One engine for the whole binary, as in the agent.
pub(crate) fn engine() -> HostEngine {
    static ENGINE: OnceLock<HostEngine> = OnceLock::new();
    ENGINE
        .get_or_init(|| HostEngine::new(None).unwrap())
        .clone()
}

/// Limits for tests on a busy machine: `describe` may take longer, everything else is small.
pub(crate) fn limits() -> Limits {
    Limits {
        describe_ms: 5_000,
        answer_body: 64 << 10,
        spooled: 64 << 20,
        ..Limits::default()
    }
}

/// What most tests trust: anything that is not signed, since it is made on the spot.
pub(crate) fn unsigned() -> Trust {
    Trust::new(Vec::new(), true)
}

pub(crate) async fn load(bytes: Vec<u8>) -> Result<Arc<Generation>, LoadError> {
    Loader::new(engine(), limits(), unsigned())
        .load(bytes, ids::Generation(1))
        .await
}

/// The hostile connector as it is; compiled once.
pub(crate) async fn hostile() -> Arc<Generation> {
    static LOADED: tokio::sync::OnceCell<Arc<Generation>> = tokio::sync::OnceCell::const_new();
    let load = || async { load(component()).await.unwrap() };
    Arc::clone(LOADED.get_or_init(load).await)
}

/// A connection under test and the ports behind it.
pub(crate) struct Bench {
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) kv: Arc<MemoryKv>,
    pub(crate) vault: Arc<MemoryVault>,
    pub(crate) clock: Arc<StillClock>,
    pub(crate) budgets: Arc<Budgets>,
    pub(crate) host_keys: Arc<MemoryHostKeys>,
    pub(crate) generation: Arc<Generation>,
    settings: Pairs,
}

/// How a connection under test differs from the usual.
pub(crate) struct Plan<'a> {
    pub(crate) base: &'a str,
    pub(crate) secure: &'a str,
    pub(crate) allow_private: bool,
    pub(crate) grants: &'a [&'a str],
    pub(crate) roots: &'a [u8],
    /// Where the file server is, and more settings.
    pub(crate) more: &'a [(&'a str, &'a str)],
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Self {
            base: "http://127.0.0.1:1",
            secure: "https://secure.test",
            allow_private: true,
            grants: &[],
            roots: &[],
            more: &[],
        }
    }
}

impl Bench {
    /// A connection whose `base` is that address, private addresses allowed.
    pub(crate) async fn at(base: &str) -> Self {
        Self::planned(Plan {
            base,
            ..Plan::default()
        })
        .await
    }

    pub(crate) async fn planned(plan: Plan<'_>) -> Self {
        Self::of(&hostile().await, &plan)
    }

    /// On an engine of its own, for a test that would starve those beside it.
    pub(crate) async fn apart() -> Self {
        Self::with(limits()).await
    }

    /// On an engine of its own, with limits of its own.
    pub(crate) async fn with(limits: Limits) -> Self {
        let engine = HostEngine::new(None).unwrap();
        let loader = Loader::new(engine, limits, unsigned());
        let generation = loader.load(component(), ids::Generation(1)).await;
        Self::of(&generation.unwrap(), &Plan::default())
    }

    fn of(generation: &Arc<Generation>, plan: &Plan<'_>) -> Self {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut settings = vec![pair("base", plan.base), pair("secure", plan.secure)];
        settings.extend(plan.more.iter().map(|(name, value)| pair(name, value)));
        let host_keys = Arc::new(MemoryHostKeys::default());
        let journal = Arc::new(MemoryJournal::default());
        let kv = Arc::new(MemoryKv::default());
        let vault = Arc::new(MemoryVault::default());
        let clock = Arc::new(StillClock::at(NOW));
        let budgets = Arc::new(Budgets::new(clock.clone()));
        let ports = HostPorts::new(
            journal.clone(),
            kv.clone(),
            Arc::new(MemoryLinks),
            vault.clone(),
            clock.clone(),
            Arc::new(Fours),
            Arc::new(NetWire::new(plan.roots).unwrap()),
        )
        .with_sftp(host_keys.clone(), &std::env::temp_dir());
        let setup = ConnectionSetup {
            id: ConnectionId(1),
            name: "test".to_owned(),
            settings: settings.clone(),
            allow_private: plan.allow_private,
            grants: plan.grants.iter().map(|g| (*g).to_owned()).collect(),
        };
        let connector = generation.bind(setup, ports, budgets.clone());
        Self {
            connector,
            journal,
            kv,
            vault,
            clock,
            budgets,
            host_keys,
            generation: Arc::clone(generation),
            settings,
        }
    }

    /// A call that does a deed; `details` is `key=value` per line.
    pub(crate) fn call(&self, mode: Mode, details: &str) -> Call {
        let mut settings = self.settings.clone();
        for line in details.lines().map(str::trim).filter(|l| !l.is_empty()) {
            let (key, value) = line.split_once('=').unwrap();
            let base = &self.settings[0].1;
            settings.push((key.to_owned(), value.replace("{base}", base)));
        }
        Call {
            connection: ConnectionId(1),
            context: Context {
                settings,
                attempt: 1,
            },
            scope: EffectScope::Jobs(vec![JobId(7), JobId(8)]),
            priority: Priority::Order,
            mode,
            limit_ms: 10_000,
        }
    }

    /// Probes with a live call.
    pub(crate) async fn probe(&self, details: &str) -> Answer<Pairs> {
        self.connector.probe(self.call(Mode::Live, details)).await
    }

    /// What the deed said.
    pub(crate) async fn said(&self, details: &str) -> String {
        match self.probe(details).await.value {
            Ok(pairs) => pairs[0].1.clone(),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Why there was no answer.
    pub(crate) async fn error(&self, details: &str) -> CallError {
        self.probe(details).await.value.unwrap_err()
    }

    /// Pushes two warehouses.
    pub(crate) async fn push(&self, mode: Mode, details: &str) -> Answer<Vec<Verdict>> {
        let call = self.call(mode, details);
        self.connector
            .push(call, vec![delivery("a"), delivery("b")])
            .await
    }

    /// What the push's first receipt says.
    pub(crate) async fn pushed(&self, mode: Mode, details: &str) -> String {
        match &self.push(mode, details).await.value.unwrap()[0] {
            Ok(Outcome::Done(receipt)) => receipt.key.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// The connection still works.
    pub(crate) async fn works(&self) {
        assert_eq!(self.said("do=nothing").await, "nothing");
    }
}

pub(crate) fn delivery(key: &str) -> Delivery {
    Delivery {
        document: Document {
            key: key.to_owned(),
            revision: "1".to_owned(),
            occurred_at: 0,
            body: Body::Warehouse(Warehouse {
                code: key.to_owned(),
                name: key.to_owned(),
                active: true,
                extras: Vec::new(),
            }),
        },
        origin: None,
        links: Vec::new(),
        settings: Vec::new(),
    }
}
