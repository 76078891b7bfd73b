//! What agent and connectors say to each other, without WIT: descriptors, failures, verdicts, effects.
//! `host` converts every served WIT version to and from these; `engine` and `store` know nothing else.

use crate::decimal::Decimal;
use crate::document::{Document, Entity, words};
use crate::ids::Millis;
use serde::{Deserialize, Serialize};

/// A named value: a setting, a template, a header.
pub type Pairs = Vec<(String, String)>;

/// Something a person can read and act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable, kebab-case.
    pub code: String,
    /// One sentence for a merchant.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem with a hint.
    pub fn new(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            hint: Some(hint.into()),
        }
    }
}

/// An empty crosswalk cell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gap {
    /// Name of the table.
    pub table: String,
    /// The retailer it is empty for; `None`: for all.
    pub retailer: Option<String>,
    /// The source's value without a counterpart.
    pub value: String,
}

/// Why a call, or one member of a batch, did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// Transient; the vendor's own waiting time in seconds holds the whole connection.
    Retry(Option<u32>),
    /// A person must look.
    Rejected(Problem),
    /// Cells are empty.
    Unmapped(Vec<Gap>),
    /// The outcome cannot be found out.
    InDoubt(Problem),
    /// The whole connection pauses.
    Unauthorized(Problem),
    /// The document no longer stands: nothing is left to do.
    Withdrawn(Problem),
}

/// A record of another connection that belongs to one of ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    /// Name of the other connection.
    pub system: String,
    /// Kind of record.
    pub entity: Entity,
    /// Its key there.
    pub key: String,
}

/// Proof that a member was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Key of the record in the receiving system.
    pub key: String,
    /// The number people use, where it differs from the key.
    pub number: Option<String>,
    /// It was there already.
    pub duplicate: bool,
    /// Links made on the way.
    pub links: Vec<Link>,
}

impl Receipt {
    /// The file a record went by, where its receiver answers for no single record: such a key begins with `file:`.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        let name = self.key.strip_prefix("file:")?;
        Some(name.split('#').next().unwrap_or(name))
    }
}

/// A handle to ask again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The connector's own.
    pub handle: String,
    /// When to ask first, in seconds.
    pub check_in_secs: u32,
}

/// What became of one member of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Written.
    Done(Receipt),
    /// Queued there; the truth comes later.
    Pending(Ticket),
    /// Practice mode: recorded, not sent.
    Recorded,
}

/// One member's result.
pub type Verdict = Result<Outcome, Failure>;

words!(
    /// What a source is told.
    Moment { Accepted = "accepted", Delivered = "delivered" }
);
words!(
    /// What a component exports.
    Role { Source = "source", Listing = "listing", Sink = "sink", Levels = "levels", Tickets = "tickets", Webhook = "webhook" }
);

/// One page of documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In the order of the source.
    pub documents: Vec<Document>,
    /// Where to go on; opaque.
    pub cursor: Vec<u8>,
    /// Whether more is there right now.
    pub more: bool,
}

/// One webhook request as it came; headers in lower case, none that carries a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as in wit/connector")]
pub struct Delivered {
    pub headers: Pairs,
    pub body: Vec<u8>,
}

/// What a webhook says to read again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hint {
    /// Kind of document.
    pub entity: Entity,
    /// Its key in the system that called.
    pub key: String,
}

/// A document a source is told about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Kind.
    pub entity: Entity,
    /// The source's key.
    pub key: String,
    /// Where it went.
    pub links: Vec<Link>,
}

/// What a listing reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// All there is.
    Everything,
    /// From (inclusive) to (exclusive).
    Between(Millis, Millis),
    /// These keys.
    Keys(Vec<String>),
}

/// One member of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Crosswalks applied.
    pub document: Document,
    /// The receiving system's own last revision of the order.
    pub origin: Option<Document>,
    /// Its records that are ours.
    pub links: Vec<Link>,
    /// Effective after the retailer's overrides.
    pub settings: Pairs,
}

/// The stock of one item, as its receiver is told it: all its warehouses.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in wit/connector")]
pub struct Level {
    pub item: String,
    pub places: Vec<Place>,
}

/// Units in one warehouse of the receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in wit/connector")]
pub struct Place {
    pub warehouse: String,
    pub available: Decimal,
    pub expected_at: Option<Millis>,
}

/// Levels that are told together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    /// Counts the batches of the agent.
    pub number: u64,
    /// When they stood so.
    pub at: Millis,
    /// One per item.
    pub items: Vec<Level>,
}

/// Settings and attempt of a call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    /// Effective settings of the connection.
    pub settings: Pairs,
    /// From 1.
    pub attempt: u32,
}

/// One value a lookup offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Stored.
    pub value: String,
    /// Shown.
    pub label: String,
    /// Shown but not to be chosen.
    pub disabled: bool,
}

/// A page of choices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoicePage {
    /// The choices.
    pub items: Vec<Choice>,
    /// Where to go on.
    pub next: Option<String>,
}

/// How a setting is entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as in wit/connector")]
pub enum Field {
    Text,
    Url,
    Integer,
    Decimal,
    Toggle,
    OneOf(Vec<Choice>),
    Lookup,
}

/// One setting of a connector or of the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as in wit/connector")]
pub struct Setting {
    pub key: String,
    pub label: String,
    pub help: String,
    pub group: String,
    pub required: bool,
    pub per_retailer: bool,
    pub default: Option<String>,
    pub field: Field,
    pub was: Vec<String>,
}

/// An OAuth 2 client; strings are templates over settings and the slot's secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as in wit/connector")]
pub struct OAuth {
    pub authorize_url: String,
    pub token_url: String,
    pub client_id: String,
    pub form: Pairs,
    pub headers: Pairs,
    pub expose: Vec<String>,
}

/// How a credential is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as in wit/connector")]
pub enum Scheme {
    Headers(Pairs),
    OAuth2Client(OAuth),
    OAuth2Code(OAuth),
    SftpPassword,
    SshKey,
}

/// A slot for secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as in wit/connector")]
pub struct Credential {
    pub slot: String,
    pub label: String,
    pub help: String,
    pub scheme: Scheme,
    pub secrets: Vec<String>,
    pub hosts: Vec<String>,
    #[serde(default)]
    pub steps: Vec<String>,
}

/// Not every private key has one.
pub const PASSPHRASE: &str = "passphrase";

impl Credential {
    /// Whether nothing works without this secret.
    pub fn needs(&self, secret: &str) -> bool {
        secret != PASSPHRASE || !matches!(self.scheme, Scheme::SshKey)
    }
}

/// What a secret is called where a person enters it: `client-id` is "Client id".
#[must_use]
pub fn secret_label(name: &str) -> String {
    let words = name.replace(['-', '_'], " ");
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// A URL prefix (template) and its call limits; 0 is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as in wit/connector")]
pub struct Reach {
    pub url: String,
    pub per_minute: u32,
    pub per_second: u32,
}

/// A crosswalk the connector takes part in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as in wit/connector")]
pub struct Table {
    pub name: String,
    pub label: String,
    pub columns: Vec<String>,
    pub per_retailer: bool,
    pub lookup: Option<String>,
}

/// What a source gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// Kind of document.
    pub entity: Entity,
    /// Seconds between polls when caught up.
    pub poll_secs: u32,
    /// What it wants to be told.
    pub settles: Vec<Moment>,
}

/// What a sink takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intake {
    /// Kind of document.
    pub entity: Entity,
    /// Most members of one call.
    pub max_batch: u32,
    /// It lowers its stock by itself for each order it hands out.
    pub self_decrementing: bool,
}

/// What a connector says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as in wit/connector")]
pub struct Descriptor {
    pub id: String,
    pub version: String,
    pub title: String,
    pub reach: Vec<Reach>,
    pub credentials: Vec<Credential>,
    pub settings: Vec<Setting>,
    pub tables: Vec<Table>,
    pub pulls: Vec<Feed>,
    pub pushes: Vec<Intake>,
}

impl Descriptor {
    /// What it takes of that kind, if it does.
    pub fn intake(&self, entity: Entity) -> Option<&Intake> {
        self.pushes.iter().find(|p| p.entity == entity)
    }
    /// What it gives of that kind, if it does.
    pub fn feed(&self, entity: Entity) -> Option<&Feed> {
        self.pulls.iter().find(|p| p.entity == entity)
    }
}

/// A buffered write of a connector's private space; `None` deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvWrite {
    /// Key within the connection's space.
    pub key: String,
    /// New value.
    pub value: Option<Vec<u8>>,
}

/// One outside call of a batch, as kept for people and for replays. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// When it was sent.
    pub at: Millis,
    /// How long it took.
    pub took_ms: u32,
    /// For example `POST`.
    pub method: String,
    /// Without query values that could hold personal data.
    pub url: String,
    /// HTTP status; 0 where there was no answer.
    pub status: u16,
    /// Effect step, if it was one.
    pub step: Option<String>,
    /// Answered from the journal, not from the wire.
    pub replayed: bool,
    /// Start of the request's body.
    pub request: String,
    /// Start of the answer's body, or what went wrong.
    pub answer: String,
}
