//! What the host asks of the agent. `engine` answers these over the store; tests answer them from memory.
//! Time, randomness and the wire are ports as well, so that a whole agent can be simulated in one process.

use async_trait::async_trait;
use secrecy::SecretString;
use std::collections::BTreeMap;
use waybill_model::contract::Link;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, EffectId, JobId, Millis};

/// A port that could not answer: the call ends, nothing is sent.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct PortError(pub String);

/// Whose effects a call journals: the key is (scope, step).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EffectScope {
    /// A batch: members of an effect are indices into these jobs.
    Jobs(Vec<JobId>),
    /// A poll that moves something at the vendor; the key holds connection, entity and a hash of the committed cursor.
    Poll(String),
    /// Levels sent together; an effect may name members of the batch, which are not told apart: a level that is sent
    /// twice is the same level.
    Levels(String),
    /// Set-up at the vendor (a stream, a webhook), by purpose.
    Setup(String),
}

/// What the journal knows of an effect that is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Never begun, or proven not to have happened: send it. The begin is committed.
    Fresh(EffectId),
    /// Finished before: this is the stored answer.
    Replay(Vec<u8>),
    /// Begun at that time and never finished.
    InDoubt {
        /// When it was begun.
        since: Millis,
    },
}

/// How an effect ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// Answered below 400: kept, and replayed to every later attempt.
    Answered(Vec<u8>),
    /// The answer proves that nothing happened: the next attempt is a first one.
    NothingHappened,
}

/// The effect journal. Every method returns after its commit.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Begins a step for these members, or tells what is known of it. `absent`: looked up, and what was begun until then
    /// did not happen.
    async fn begin(
        &self,
        connection: ConnectionId,
        scope: &EffectScope,
        step: &str,
        members: &[u32],
        absent: Option<Millis>,
    ) -> Result<Begun, PortError>;
    /// Ends a begun step.
    async fn finish(&self, effect: EffectId, finish: Finish) -> Result<(), PortError>;
    /// The guest has proof that an unfinished step did not happen.
    async fn retract(
        &self,
        connection: ConnectionId,
        scope: &EffectScope,
        step: &str,
        members: &[u32],
    ) -> Result<(), PortError>;
}

/// The connector's private space, as committed; the host buffers writes itself.
#[async_trait]
pub trait Kv: Send + Sync {
    /// The values of these keys, in their order.
    async fn get_many(
        &self,
        connection: ConnectionId,
        keys: &[String],
    ) -> Result<Vec<Option<Vec<u8>>>, PortError>;
    /// Keys with that prefix, after that key, in order.
    async fn scan(
        &self,
        connection: ConnectionId,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, Vec<u8>)>, PortError>;
}

/// Which records are ours.
#[async_trait]
pub trait Links: Send + Sync {
    /// For each key of this connection, its records in other connections.
    async fn of(
        &self,
        connection: ConnectionId,
        entity: Entity,
        keys: &[String],
    ) -> Result<Vec<Vec<Link>>, PortError>;
}

/// Sealed secrets.
#[async_trait]
pub trait Vault: Send + Sync {
    /// The secrets of a slot by name; empty when none was entered.
    async fn secrets(
        &self,
        connection: ConnectionId,
        slot: &str,
    ) -> Result<BTreeMap<String, SecretString>, PortError>;
    /// Seals a secret the vendor gave (the tokens of an approval) in the place of the one before, and answers after the
    /// commit.
    async fn keep(
        &self,
        _connection: ConnectionId,
        slot: &str,
        _name: &str,
        _secret: &SecretString,
    ) -> Result<(), PortError> {
        Err(PortError(format!("nothing can be kept for `{slot}` here")))
    }
}

/// The keys by which file servers are known again.
#[async_trait]
pub trait HostKeys: Send + Sync {
    /// The fingerprint kept for that server (`host:port`), if it was ever reached.
    async fn known(
        &self,
        connection: ConnectionId,
        place: &str,
    ) -> Result<Option<String>, PortError>;
    /// Keeps the fingerprint of a server reached for the first time, and answers after the commit with the one that is
    /// kept: another call may have come first.
    async fn keep(
        &self,
        connection: ConnectionId,
        place: &str,
        fingerprint: &str,
    ) -> Result<String, PortError>;
}

/// Time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// UTC milliseconds since 1970.
    fn now_ms(&self) -> Millis;
    /// Waits that long on this clock.
    async fn sleep_ms(&self, ms: u64);
}

/// Randomness for jitter and ids; never for keys.
pub trait Rng: Send + Sync {
    /// Uniform.
    fn next_u64(&self) -> u64;
}

/// One HTTP request, ready to leave: secrets are in its headers.
pub struct WireRequest {
    /// For example `POST`.
    pub method: String,
    /// Absolute.
    pub url: String,
    /// All headers, credentials included.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether addresses of this machine and of private networks may be reached.
    pub allow_private: bool,
    /// Largest answer taken, after decompression.
    pub max_answer: u64,
    /// Whole time allowed.
    pub timeout_ms: u64,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct WireResponse {
    /// HTTP status.
    pub status: u16,
    /// All headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Decompressed.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WireError {
    /// The name resolves to an address that was not granted. Nothing was sent.
    #[error("`{host}` resolves to {address}, an address that was not granted")]
    AddressRefused {
        /// As in the URL.
        host: String,
        /// What it resolved to.
        address: String,
    },
    /// Nothing was sent: no such name, connection refused, TLS failed.
    #[error("could not connect: {0}")]
    NotSent(String),
    /// Sent in part or in whole; no complete answer.
    #[error("connection lost: {0}")]
    Lost(String),
    /// Sent; no complete answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The answer is larger than allowed.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(u64),
}

/// The network.
#[async_trait]
pub trait Wire: Send + Sync {
    /// Sends one request. Redirects are answers.
    async fn send(&self, request: WireRequest) -> Result<WireResponse, WireError>;
}
