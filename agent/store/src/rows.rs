//! The rows as callers see them, and the small types that go in and out of the operations.
//! Owns no bytes: `codec.rs` writes them, the file of each noun decides where.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use waybill_model::contract::{Gap, Problem};
use waybill_model::decimal::Decimal;
use waybill_model::document::{Deadline, Document, Entity, LineQuantity, OrderPhase};
use waybill_model::ids::{
    BatchId, ConnectionId, DocumentId, EffectId, Generation, JobId, Millis, OrderId, RetailerId,
};
use waybill_model::job::{JobState, Work};
use waybill_model::order_state::OrderStage;

/// A merchant's connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// 0 asks `put_connection` for a new one.
    pub id: ConnectionId,
    /// Unique; used in links and logs.
    pub name: String,
    /// Id of the connector's descriptor.
    pub connector: String,
    /// Shown to people.
    pub title: String,
    /// Stopped by a person.
    pub paused: bool,
    /// Addresses of private networks may be reached.
    pub allow_private: bool,
    /// Hosts granted beyond the descriptor's.
    pub grants: Vec<String>,
    /// When it was made.
    pub created_at: Millis,
    /// The vendor asked us to wait until then.
    pub hold_until: Option<Millis>,
    /// Why the credentials do not work, while they do not.
    pub unauthorized: Option<Problem>,
    /// Last good contact.
    pub last_ok: Option<Millis>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Vendor's clock minus ours.
    pub clock_skew_ms: Option<i64>,
}

/// A kind of document that goes from one connection to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteRow {
    /// Kind of document.
    pub entity: Entity,
    /// Where it comes from.
    pub from: ConnectionId,
    /// Where it goes.
    pub to: ConnectionId,
    /// Stopped by a person.
    pub paused: bool,
    /// Who stopped it, when and why; `None` in rows of older builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<StoppedBy>,
    /// A person wants it to run until then, whatever its hours are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_until: Option<Millis>,
}

impl RouteRow {
    /// A route that nobody has stopped.
    pub const fn new(entity: Entity, from: ConnectionId, to: ConnectionId) -> Self {
        Self {
            entity,
            from,
            to,
            paused: false,
            stopped: None,
            runs_until: None,
        }
    }
}

/// A person's pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedBy {
    /// Who.
    pub who: String,
    /// When.
    pub at: Millis,
    /// Why; may be empty.
    pub why: String,
}

/// Where pulling of one entity stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedRow {
    /// Of which connection.
    pub connection: ConnectionId,
    /// Kind of document.
    pub entity: Entity,
    /// Opaque; `None` before the first page.
    pub cursor: Option<Vec<u8>>,
    /// Last page taken.
    pub last_ok: Option<Millis>,
    /// Last time a page said that no more is there.
    pub caught_up_at: Option<Millis>,
    /// When to pull next.
    pub next_due: Millis,
    /// Failed pulls in a row.
    pub failures: u32,
    /// Documents of the first reading, until nothing more was there; 0 in rows of older builds.
    #[serde(default)]
    pub taken: u64,
}

/// An order as lists show it; its lines are in its document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as in wit/commerce, or said by the word")]
pub struct OrderRow {
    /// 0 asks `put_order` for a new one.
    pub id: OrderId,
    pub connection: ConnectionId,
    pub key: String,
    pub number: String,
    pub retailer: String,
    pub retailer_name: String,
    pub stage: OrderStage,
    pub phase: OrderPhase,
    pub test: bool,
    pub currency: Option<String>,
    pub total: Option<Decimal>,
    pub units: Decimal,
    pub lines: u32,
    pub placed_at: Option<Millis>,
    pub received_at: Millis,
    pub acknowledge_by: Option<Deadline>,
    pub ship_by: Option<Deadline>,
    pub invoice_by: Option<Deadline>,
    /// When the source confirmed our acknowledgement.
    pub acknowledged_at: Option<Millis>,
    pub delivered_at: Option<Millis>,
    pub document: DocumentId,
    pub sale_key: Option<String>,
    pub sale_number: Option<String>,
    /// What stands for the units wanted of each line, in the newest revision; empty in rows of older builds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub wanted: String,
    /// The same of the revision that the sale was made of; empty where that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub wanted_sold: String,
    /// When everything that is wanted was shipped first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipped_at: Option<Millis>,
    /// One sentence: why it waits.
    pub problem: Option<String>,
}

/// A stored revision of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRow {
    /// Ascending.
    pub id: DocumentId,
    /// Where it came from.
    pub connection: ConnectionId,
    /// As accepted.
    pub document: Document,
    /// The order it belongs to, once known.
    pub order: Option<OrderId>,
    /// When it was accepted.
    pub stored_at: Millis,
}

/// One document on one route, or one settle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRow {
    /// Ascending.
    pub id: JobId,
    /// What it does.
    pub work: Work,
    /// Where its document came from.
    pub from: ConnectionId,
    /// The connection that is called.
    pub to: ConnectionId,
    /// Kind of document.
    pub entity: Entity,
    /// The document's key.
    pub key: String,
    /// The order it belongs to.
    pub order: Option<OrderId>,
    /// Orders: the order's key; else `entity:key`.
    pub lane: String,
    /// The revision to send.
    pub document: DocumentId,
    /// Where it stands.
    pub state: JobState,
    /// Calls made so far.
    pub attempt: u32,
    /// Nearest deadline; sorts the ready list, `None` last.
    pub urgent_by: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
    /// When its state changed last.
    pub changed_at: Millis,
    /// The batch it was in last.
    pub batch: Option<BatchId>,
    /// What went wrong last, or why it rests.
    pub last_failure: Option<String>,
    /// Retailer of its order: of shipments, invoices and cancellations, for their lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retailer: Option<RetailerId>,
    /// Units of each line that a shipment tells, from the commit before its call on; empty for other work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<LineQuantity>,
    /// A person wants it sent although its flow is in practice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub for_real: bool,
}

/// A job to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "as in `JobRow`")]
pub struct NewJob {
    pub work: Work,
    pub from: ConnectionId,
    pub to: ConnectionId,
    pub entity: Entity,
    pub key: String,
    pub order: Option<OrderId>,
    pub lane: String,
    pub document: DocumentId,
    pub state: JobState,
    pub urgent_by: Option<Millis>,
}

/// Jobs sent in one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRow {
    /// Ascending.
    pub id: BatchId,
    /// The connection called.
    pub connection: ConnectionId,
    /// What the jobs do.
    pub work: Work,
    /// Kind of document.
    pub entity: Entity,
    /// Members, in the order of the call.
    pub jobs: Vec<JobId>,
    /// The build of the connector it is pinned to.
    pub generation: Generation,
    /// Highest attempt of its members when it was made.
    pub attempt: u32,
    /// When it was made.
    pub created_at: Millis,
}

/// Tone of a note on an order's timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoteKind {
    /// Something happened.
    Info,
    /// Something went well.
    Ok,
    /// A deadline is near.
    Soon,
    /// A person must act.
    You,
    /// It waits by itself.
    Hold,
}

/// One entry of an order's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteRow {
    /// When.
    pub at: Millis,
    /// Tone.
    pub kind: NoteKind,
    /// Name of an icon of the page.
    pub icon: String,
    /// Plain sentence.
    pub text: String,
    /// The vendor's own words.
    pub words: Option<String>,
}

/// One cause with all jobs parked behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardRow {
    /// Stable: the same cause has the same id.
    pub id: String,
    /// Why.
    pub cause: Cause,
    /// When the first of its jobs was parked.
    pub first_at: Millis,
    /// How many jobs wait.
    pub jobs: u64,
    /// Nearest deadline of its jobs.
    pub urgent_by: Option<Millis>,
    /// A person said leave it, with this reason. A new job of the same cause takes that back.
    pub ignored: Option<String>,
}

/// Cards by what they are about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CardKinds {
    /// An empty cell.
    pub gaps: u64,
    /// Refused.
    pub problems: u64,
    /// Sent, outcome unknown.
    pub in_doubt: u64,
}

/// Why jobs are parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// An empty cell of the crosswalk between two connections.
    Gap {
        /// Source.
        from: ConnectionId,
        /// Target.
        to: ConnectionId,
        /// The cell.
        gap: Gap,
    },
    /// Refused. One card per code and order; without an order per code and message.
    Problem {
        /// The connection called.
        connection: ConnectionId,
        /// Latest words.
        problem: Problem,
        /// Whose.
        order: Option<OrderId>,
    },
    /// Sent, outcome unknown.
    InDoubt {
        /// The connection called.
        connection: ConnectionId,
        /// Latest words.
        problem: Problem,
        /// Whose.
        order: Option<OrderId>,
    },
}

/// A filled cell of a crosswalk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellRow {
    /// Name of the table.
    pub table: String,
    /// `None`: for all retailers.
    pub retailer: Option<String>,
    /// The source's value.
    pub value: String,
    /// The target's code.
    pub code: String,
    /// The code in words.
    pub label: Option<String>,
    /// Who filled it.
    pub who: String,
    /// When.
    pub at: Millis,
}

/// A value of a crosswalk that may come, said in advance: of a list of codes that a network or a retailer uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnouncedRow {
    /// Name of the table.
    pub table: String,
    /// `None`: for all retailers.
    pub retailer: Option<String>,
    /// The source's value.
    pub value: String,
    /// The value in words.
    pub label: Option<String>,
    /// Nothing goes live before its cell is filled.
    pub required: bool,
    /// Who announced it.
    pub who: String,
    /// When.
    pub at: Millis,
}

/// For whom a setting holds; both `None`: agent-wide.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// Of one connection.
    pub connection: Option<ConnectionId>,
    /// Of one retailer.
    pub retailer: Option<String>,
}

/// A setting's value in one scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the word says it")]
pub struct SettingRow {
    pub scope: Scope,
    pub key: String,
    pub value: String,
    pub who: String,
    pub at: Millis,
}

/// Who changed a setting, from what to what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the word says it")]
pub struct SettingChange {
    pub seq: u64,
    pub scope: Scope,
    pub key: String,
    pub old: Option<String>,
    pub new: Option<String>,
    pub who: String,
    pub at: Millis,
}

/// Who did what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the word says it")]
pub struct AuditRow {
    pub seq: u64,
    pub at: Millis,
    pub who: String,
    pub what: String,
    pub detail: String,
}

/// A journalled outside effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectRow {
    /// Ascending.
    pub id: EffectId,
    /// The connection called.
    pub connection: ConnectionId,
    /// Key of the scope; the lookup key only where there are no jobs.
    pub scope: String,
    /// Stable name inside the batch.
    pub step: String,
    /// Members.
    pub jobs: Vec<JobId>,
    /// When the begin was committed.
    pub begun_at: Millis,
    /// The answer, once there is one.
    pub finished: Option<FinishedEffect>,
}

/// When an effect was answered, and where the answer is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishedEffect {
    /// When.
    pub at: Millis,
    /// Number of the stored body; `None`: kept no longer.
    pub body: Option<u64>,
}

/// What the journal knows of an effect that is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BegunRow {
    /// Never begun, or proven not to have happened.
    Fresh(EffectId),
    /// Finished before: the stored answer.
    Replay(Vec<u8>),
    /// Begun at that time and not finished for all members.
    InDoubt(Millis),
}

/// Which deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DeadlineKind {
    /// Until the source confirmed our acknowledgement.
    Acknowledge,
    /// Until shipped.
    Ship,
    /// Until invoiced.
    Invoice,
}

/// Which orders to list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderQuery {
    /// Only of that stage.
    pub stage: Option<OrderStage>,
    /// Only older than that one.
    pub before: Option<OrderId>,
    /// At most so many.
    pub limit: usize,
}

/// What `accept` stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The new revision.
    pub document: DocumentId,
    /// The revision that was the latest.
    pub previous: Option<DocumentId>,
    /// Identifiers (kind, value) that may match now and did not before.
    pub item_values: Vec<(String, String)>,
}

/// Counted in the same commits as the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Orders by stage.
    pub orders: BTreeMap<OrderStage, u64>,
    /// Jobs by the word of their state.
    pub jobs: BTreeMap<String, u64>,
    /// Cards that are not ignored.
    pub cards: u64,
}

/// What happened on one UTC day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the word says it")]
pub struct DayCount {
    /// Days since 1970.
    pub day: u32,
    pub received: u64,
    pub created: u64,
    pub shipped: u64,
    pub invoiced: u64,
    pub cancelled: u64,
}

/// How long what is kept; keys that prevent doubles outlive the bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Bodies of documents that no open job and no open order needs.
    pub documents_ms: Millis,
    /// Transcripts of closed batches.
    pub transcripts_ms: Millis,
    /// Stored answers of effects whose jobs are done.
    pub effects_ms: Millis,
    /// Audit entries and setting changes.
    pub audit_ms: Millis,
    /// At most so many of each in one run, so that a run stays one small commit.
    pub limit: usize,
}

const DAY_MS: Millis = 86_400_000;

impl Default for Retention {
    fn default() -> Self {
        Self {
            documents_ms: 400 * DAY_MS,
            transcripts_ms: 90 * DAY_MS,
            effects_ms: 400 * DAY_MS,
            audit_ms: 800 * DAY_MS,
            limit: 500,
        }
    }
}

/// What a prune removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Bodies of documents.
    pub documents: u64,
    /// Transcripts.
    pub transcripts: u64,
    /// Answers of effects.
    pub effects: u64,
    /// Audit entries and setting changes.
    pub audit: u64,
    /// Whether the limit cut the run short: run again.
    pub more: bool,
}

/// What the store has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commits.
    pub commits: u64,
    /// Writes answered with success.
    pub writes: u64,
    /// Syncs of the file.
    pub syncs: u64,
    /// Bytes written to the file.
    pub bytes: u64,
    /// Length of the file (it may be sparse).
    pub file_bytes: u64,
    /// Commits that took at most as long as the bound of the same place in [`COMMIT_BOUNDS_MS`].
    pub commits_within: [u64; COMMIT_BOUNDS_MS.len()],
    /// How long all commits took together, in microseconds.
    pub commit_micros: u64,
}

/// Bounds by which commits are counted, in milliseconds: a good disk takes one, an SD card tens.
pub const COMMIT_BOUNDS_MS: [u64; 9] = [1, 2, 5, 10, 25, 50, 100, 250, 1_000];
