//! One loaded connector as the engine sees it: typed calls, whatever runs behind them. `generation.rs` implements this
//! for components; the simulation implements it with scripts.

use crate::knock::Knock;
use crate::levels;
use crate::ports::EffectScope;
use async_trait::async_trait;
use secrecy::SecretString;
use std::collections::BTreeSet;
use waybill_model::contract::{
    ChoicePage, Context, Delivered, Delivery, Descriptor, Exchange, Failure, Hint, KvWrite, Levels,
    Moment, Page, Pairs, Problem, Role, Scope, Settled, Verdict,
};
use waybill_model::document::{Document, Entity};
use waybill_model::ids::{ConnectionId, Generation, Millis};
use waybill_model::job::Priority;

/// What a call may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Reads and journalled effects.
    Live,
    /// GET, HEAD and OPTIONS only.
    ReadOnly,
    /// The first effect is recorded instead of sent.
    Practice,
}

/// Everything about one call but its arguments.
#[derive(Debug, Clone)]
pub struct Call {
    /// Whose call.
    pub connection: ConnectionId,
    /// Settings and attempt.
    pub context: Context,
    /// Whose effects.
    pub scope: EffectScope,
    /// Which calls go first when they are short.
    pub priority: Priority,
    /// What it may do.
    pub mode: Mode,
    /// Wall-clock limit.
    pub limit_ms: u64,
}

/// Why a call gave no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// The connector said so.
    Failure(Failure),
    /// It trapped; the sentence says where.
    Trapped(String),
    /// It was stopped at its wall-clock limit.
    TimedOut,
    /// It wanted more memory than granted.
    OutOfMemory,
    /// It does not export that role, or answered in a wrong shape.
    Contract(String),
    /// The host itself could not serve it.
    Host(String),
}

/// What a call left behind. Writes and transcript belong to the same commit as the value.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// The value.
    pub value: Result<T, CallError>,
    /// Buffered writes of the private space; empty when the call failed.
    pub writes: Vec<KvWrite>,
    /// Outside calls, in order.
    pub exchanges: Vec<Exchange>,
    /// A stored retry-after that outlives the call: nobody calls this connection before then.
    pub hold_until: Option<Millis>,
    /// Its build is on trial, and the one before stopped at the same: what was worked on is at fault. Whoever watches
    /// builds says so.
    pub excused: bool,
}

/// What each of a batch of webhook deliveries says to read again, or why it cannot be understood.
pub type Received = Vec<Result<Vec<Hint>, Problem>>;

impl<T> Answer<T> {
    /// No value, and nothing happened.
    pub fn refused(error: CallError) -> Self {
        Self {
            value: Err(error),
            writes: Vec::new(),
            exchanges: Vec::new(),
            hold_until: None,
            excused: false,
        }
    }
}

fn no_webhooks<T>() -> Answer<T> {
    Answer::refused(CallError::Contract(
        "the connector does not export `webhook`".to_owned(),
    ))
}

fn no_consent(slot: &str) -> Problem {
    Problem::new(
        "no-consent",
        format!("The credential `{slot}` is not one that is approved in the browser."),
        "Enter its secrets on the page of the connection.",
    )
}

/// One loaded build of a connector.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Which build this is.
    fn generation(&self) -> Generation;
    /// What it says of itself; read once, while loading.
    fn descriptor(&self) -> &Descriptor;
    /// What it exports.
    fn roles(&self) -> &BTreeSet<Role>;
    /// Checks settings, without network.
    async fn validate(&self, call: Call) -> Answer<Vec<Problem>>;
    /// Read-only proof that it can work.
    async fn probe(&self, call: Call) -> Answer<Pairs>;
    /// Whether somebody answers at the hosts it may reach: asked by the host itself, without secrets. A connector that
    /// runs nowhere near a network has none.
    async fn knock(&self) -> Vec<Knock> {
        Vec::new()
    }
    /// Whether somebody answers at an address that the merchant gave for this agent itself. `shown` stands for it
    /// wherever people read.
    async fn knock_at(&self, _url: &str, _shown: String) -> Option<Knock> {
        None
    }
    /// The address where a merchant approves the slot: the vendor sends the browser back to `redirect`, with `state`.
    ///
    /// # Errors
    /// Why there is none.
    fn consent(&self, slot: &str, _redirect: &str, _state: &str) -> Result<String, Problem> {
        Err(no_consent(slot))
    }
    /// Takes the code of an approval for tokens, and seals them. `redirect` is the one that the approval was asked with.
    ///
    /// # Errors
    /// Why there are none.
    async fn approved(
        &self,
        slot: &str,
        _code: SecretString,
        _redirect: &str,
    ) -> Result<(), Problem> {
        Err(no_consent(slot))
    }
    /// Values of a lookup.
    async fn choices(&self, call: Call, key: String, cursor: Option<String>) -> Answer<ChoicePage>;
    /// The next page of a feed.
    async fn pull(&self, call: Call, entity: Entity, cursor: Option<Vec<u8>>) -> Answer<Page>;
    /// These documents, now.
    async fn fetch(&self, call: Call, entity: Entity, keys: Vec<String>) -> Answer<Vec<Document>>;
    /// Tells the source.
    async fn settle(&self, call: Call, moment: Moment, batch: Vec<Settled>)
    -> Answer<Vec<Verdict>>;
    /// Full comparison and back-fill.
    async fn read(
        &self,
        call: Call,
        entity: Entity,
        scope: Scope,
        cursor: Option<Vec<u8>>,
    ) -> Answer<Page>;
    /// Writes a batch.
    async fn push(&self, call: Call, batch: Vec<Delivery>) -> Answer<Vec<Verdict>>;
    /// Tells the stock of many items: one verdict per item. A connector that takes documents only is given one for each
    /// warehouse of each.
    async fn push_levels(&self, call: Call, batch: Levels) -> Answer<Vec<Verdict>> {
        levels::as_documents(self, call, batch).await
    }
    /// Asks what became of queued writes.
    async fn confirm(&self, call: Call, handles: Vec<String>) -> Answer<Vec<Verdict>>;
    /// Reads deliveries of webhooks, without network.
    async fn receive(&self, _call: Call, _batch: Vec<Delivered>) -> Answer<Received> {
        no_webhooks()
    }
    /// Registers webhooks at this address; what stands now, in words.
    async fn ensure(&self, _call: Call, _callback: String) -> Answer<Vec<String>> {
        no_webhooks()
    }
    /// Removes our webhooks at this address.
    async fn remove(&self, _call: Call, _callback: String) -> Answer<()> {
        no_webhooks()
    }
}
