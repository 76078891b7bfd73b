//! One connection of a connector in front of one vendor: the real host, the agent's own store and journal, the vendor on
//! a real socket, and a clock that can be moved for all of them. Calls go through here and are remembered.

use crate::fate::{CutJournal, Fates};
use crate::kit::Kit;
use crate::tap::Tap;
use anyhow::Context as _;
use async_trait::async_trait;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use url::Url;
use waybill_engine::ports::StorePorts;
use waybill_host::budget::Budgets;
use waybill_host::connector::{Answer, Call, CallError, Connector, Mode};
use waybill_host::generation::Generation;
use waybill_host::ports::{Clock, EffectScope, PortError, Rng, Vault};
use waybill_host::setup::{ConnectionSetup, HostPorts};
use waybill_model::contract::{Context, Exchange, Pairs};
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, JobId, Millis};
use waybill_model::job::Priority;
use waybill_sim::client;
use waybill_sim::serve::Server;
use waybill_store::sim_disk::SimDisk;
use waybill_store::{ConnectionRow, Options, Place, SealKey, Store, Writer};

/// Milliseconds of any one call: an endless loop ends there.
const LIMIT_MS: u64 = 60_000;

/// The wall clock, moved forward by hand together with the vendor's.
pub(crate) struct Moved {
    ahead: AtomicI64,
    control: String,
}

impl Moved {
    /// Lets time pass for agent and vendor.
    pub(crate) async fn pass(&self, ms: Millis) -> anyhow::Result<()> {
        self.ahead.fetch_add(ms, Ordering::SeqCst);
        let address = format!("{}/_sim/clock", self.control);
        client::json("POST", &address, &serde_json::json!({"advance_ms": ms})).await?;
        Ok(())
    }
}

#[async_trait]
impl Clock for Moved {
    fn now_ms(&self) -> Millis {
        jiff::Timestamp::now().as_millisecond() + self.ahead.load(Ordering::SeqCst)
    }
    async fn sleep_ms(&self, ms: u64) {
        // The vendor that does not follow refuses the call, and the check says so.
        drop(self.pass(Millis::try_from(ms).unwrap_or(Millis::MAX)).await);
    }
}

struct Known(BTreeMap<String, BTreeMap<String, String>>);

#[async_trait]
impl Vault for Known {
    async fn secrets(
        &self,
        _: ConnectionId,
        slot: &str,
    ) -> Result<BTreeMap<String, SecretString>, PortError> {
        let all = self.0.get(slot).into_iter().flatten();
        Ok(all
            .map(|(name, secret)| (name.clone(), secret.clone().into()))
            .collect())
    }
}

struct Same;

impl Rng for Same {
    fn next_u64(&self) -> u64 {
        4
    }
}

/// A connection under test.
pub(crate) struct Stand {
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) tap: Arc<Tap>,
    pub(crate) fates: Fates,
    pub(crate) clock: Arc<Moved>,
    pub(crate) settings: Pairs,
    /// Base address of the vendor's control side.
    pub(crate) control: String,
    store: Store,
    connection: ConnectionId,
    seen: Mutex<Seen>,
    _server: Server,
}

/// What came out of the connector so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) exchanges: Vec<Exchange>,
    /// Everything it said, as text.
    pub(crate) said: Vec<String>,
}

impl Stand {
    /// A fresh vendor, a fresh store, the connector bound to both.
    pub(crate) async fn new(kit: &Kit, generation: &Arc<Generation>) -> anyhow::Result<Self> {
        let server = kit.serve().await?;
        let vendor = Url::parse(&server.api)?;
        let clock = Arc::new(Moved {
            ahead: AtomicI64::new(0),
            control: server.control.clone(),
        });
        let (store, connection) = store()?;
        let ports = StorePorts::new(store.clone(), clock.clone());
        let fates = Fates::default();
        let tap = Arc::new(Tap::new(vendor, fates.clone())?);
        let descriptor = generation.descriptor();
        let settings = kit.settings(descriptor, &server.api);
        let bound = HostPorts::new(
            Arc::new(CutJournal {
                inner: ports.clone(),
                fates: fates.clone(),
            }),
            Arc::new(ports.clone()),
            Arc::new(ports),
            Arc::new(Known(kit.secrets(descriptor))),
            clock.clone(),
            Arc::new(Same),
            tap.clone(),
        );
        let setup = ConnectionSetup {
            id: connection,
            name: "contract".to_owned(),
            settings: settings.clone(),
            allow_private: true,
            grants: Vec::new(),
        };
        let connector = generation.bind(setup, bound, Arc::new(Budgets::new(clock.clone())));
        Ok(Self {
            connector,
            tap,
            fates,
            clock,
            settings,
            control: server.control.clone(),
            store,
            connection,
            seen: Mutex::default(),
            _server: server,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call with the kit's settings.
    pub(crate) fn call(&self, mode: Mode, scope: EffectScope, attempt: u32) -> Call {
        // As the engine hands them in: with the defaults of the descriptor.
        let mut settings: Pairs = self
            .connector
            .descriptor()
            .settings
            .iter()
            .filter_map(|s| Some((s.key.clone(), s.default.clone()?)))
            .collect();
        settings.retain(|(key, _)| self.settings.iter().all(|(own, _)| own != key));
        settings.extend(self.settings.clone());
        Call {
            connection: self.connection,
            context: Context { settings, attempt },
            scope,
            priority: Priority::Order,
            mode,
            limit_ms: LIMIT_MS,
        }
    }

    /// A call of a batch of jobs.
    pub(crate) fn batch(&self, jobs: &[u64], attempt: u32) -> Call {
        let jobs = jobs.iter().map(|job| JobId(*job)).collect();
        self.call(Mode::Live, EffectScope::Jobs(jobs), attempt)
    }

    /// A call of a poll from that cursor: its effects are told apart by it, as the agent does.
    pub(crate) fn poll(&self, entity: Entity, cursor: Option<&[u8]>) -> Call {
        let scope = EffectScope::Poll(format!("{entity}/{cursor:?}"));
        self.call(Mode::Live, scope, 1)
    }

    /// Remembers what a call left behind and hands out its value; nothing is committed, as after a crash.
    pub(crate) fn forget<T: std::fmt::Debug>(&self, answer: Answer<T>) -> Result<T, CallError> {
        let mut seen = self.lock();
        seen.exchanges.extend(answer.exchanges);
        let writes: Vec<String> = answer
            .writes
            .iter()
            .filter_map(|w| w.value.as_deref())
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect();
        seen.said.push(format!("{:?} {writes:?}", answer.value));
        answer.value
    }

    /// As [`Self::forget`], with the writes of its private space committed.
    pub(crate) async fn keep<T: std::fmt::Debug>(
        &self,
        answer: Answer<T>,
    ) -> anyhow::Result<Result<T, CallError>> {
        let writes = answer.writes.clone();
        let connection = self.connection;
        self.store
            .write(move |tx| tx.kv_apply(connection, &writes))
            .await?;
        Ok(self.forget(answer))
    }

    /// What came out of it since the last question.
    pub(crate) fn take_seen(&self) -> Seen {
        std::mem::take(&mut *self.lock())
    }

    /// Asks the vendor's control side.
    pub(crate) async fn control(
        &self,
        method: &str,
        path: &str,
        body: &serde_json::Value,
    ) -> anyhow::Result<serde_json::Value> {
        let address = format!("{}/_sim/{path}", self.control);
        client::json(method, &address, body).await
    }
}

fn store() -> anyhow::Result<(Store, ConnectionId)> {
    let disk = SimDisk::new(1);
    let mut options = Options::new(Place::Backend(disk.backend()), SealKey::from_bytes([7; 32]));
    options.writer = Writer::Inline;
    let store = Store::open(options).context("the store does not open")?;
    let row = ConnectionRow {
        id: ConnectionId(0),
        name: "contract".to_owned(),
        connector: "contract".to_owned(),
        title: "Contract test".to_owned(),
        paused: false,
        allow_private: true,
        grants: Vec::new(),
        created_at: 0,
        hold_until: None,
        unauthorized: None,
        last_ok: None,
        last_error: None,
        clock_skew_ms: None,
    };
    let connection = store.write_blocking(move |tx| tx.put_connection(&row))?;
    Ok((store, connection))
}

/// The same, without a wrong number of verdicts.
pub(crate) fn trapped<T>(value: &Result<T, CallError>) -> Option<String> {
    match value {
        Err(CallError::Contract(why)) if is_count(why) => None,
        other => misbehaved(other),
    }
}

/// A wrong number of verdicts.
pub(crate) fn misshaped<T>(value: &Result<T, CallError>) -> Option<String> {
    match value {
        Err(CallError::Contract(why)) if is_count(why) => misbehaved(value),
        _ => None,
    }
}

/// In the host's words.
fn is_count(why: &str) -> bool {
    why.contains(" verdicts for ") || why.contains(" results for ")
}

/// Whether a call ended as no answer of a connector may: it trapped, ran for ever, took all memory or broke a shape.
pub(crate) fn misbehaved<T>(value: &Result<T, CallError>) -> Option<String> {
    match value {
        Ok(_) | Err(CallError::Failure(_) | CallError::Host(_)) => None,
        Err(CallError::Trapped(why)) => Some(format!("it trapped: {why}")),
        Err(CallError::TimedOut) => Some(format!("it did not end within {LIMIT_MS} ms")),
        Err(CallError::OutOfMemory) => Some("it wanted more memory than it may have".to_owned()),
        Err(CallError::Contract(why)) => Some(format!("it {why}")),
    }
}
