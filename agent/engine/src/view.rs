//! What the page, the API and the command line are shown. Plain values in the merchant's words: no table, no row,
//! no HTML. `status.rs` fills them from the store by range reads.

use serde::Serialize;
use waybill_model::contract::{Exchange, Gap};
use waybill_model::decimal::Decimal;
use waybill_model::document::{DeadlineSource, Document, Entity, Stage};
use waybill_model::ids::{ConnectionId, JobId, Millis, OrderId};
use waybill_model::job::Priority;
use waybill_model::order_state::OrderStage;

/// Tone of a sentence: how it is marked on the page, never by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tone {
    /// Done, confirmed.
    Ok,
    /// Time is short, or not confirmed yet.
    Soon,
    /// A person must act.
    You,
    /// Paused, or practice.
    Hold,
    /// Neutral.
    Quiet,
}

/// One side, as the frame of every page shows it.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionView {
    /// Its id.
    pub id: ConnectionId,
    /// The name the merchant gave it.
    pub name: String,
    /// The connector's title, shown to people.
    pub title: String,
    /// The connector's id and version; `None` while no connector is loaded for it.
    pub connector: Option<(String, String)>,
    /// Which build of it is at work.
    pub generation: Option<u64>,
    /// One short sentence: "OK", "Paused by you", "Login refused: ...".
    pub sentence: String,
    /// Its tone.
    pub tone: Tone,
    /// Last good answer.
    pub last_ok: Option<Millis>,
    /// Held by the vendor until then.
    pub hold_until: Option<Millis>,
    /// Calls used in the last minute, and the limit; `None` where there is no limit.
    pub calls: (u32, Option<u32>),
    /// Every call limit of the connection: used, kept in reserve, and what the vendor says.
    pub budgets: Vec<BudgetView>,
    /// Feeds: kind, last good poll, whether caught up.
    pub feeds: Vec<FeedView>,
    /// Webhooks; `None` where the connector has none.
    pub hooks: Option<HooksView>,
}

/// Webhooks of a connection. Polling works without them.
#[derive(Debug, Clone, Serialize)]
pub struct HooksView {
    /// Where the vendor calls, without the secret at its end; `None` while they are off.
    pub callback: Option<String>,
    /// One short sentence: "Registered", "Off".
    pub sentence: String,
    /// Its tone.
    pub tone: Tone,
    /// What stands at the vendor, in its connector's words.
    pub standing: Vec<String>,
    /// When that was last looked at.
    pub ensured_at: Option<Millis>,
    /// When the last request came.
    pub last_delivery: Option<Millis>,
    /// Requests that were kept and are not read yet.
    pub waiting: u64,
    /// Documents that are to be read again, counted up to 1,000.
    pub hints: u64,
    /// Requests left out because they could not be understood, and why the last one.
    pub refused: (u64, Option<String>),
}

/// One feed of a connection.
#[derive(Debug, Clone, Serialize)]
pub struct FeedView {
    /// Kind of document.
    pub entity: Entity,
    /// Last good poll.
    pub last_ok: Option<Millis>,
    /// Last time nothing more was there.
    pub caught_up_at: Option<Millis>,
}

/// One call limit of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BudgetView {
    /// The host it holds for.
    pub host: String,
    /// Which of the host's calls it holds for, where the host has several limits; else empty.
    pub group: String,
    /// Calls allowed in a minute; `None`: no limit.
    pub per_minute: Option<u32>,
    /// Calls allowed in a second; `None`: no limit.
    pub per_second: Option<u32>,
    /// Calls of the last minute.
    pub used: u32,
    /// The same by what they were for.
    pub by: Vec<(Priority, u32)>,
    /// Calls of the minute's limit that this kind of work leaves to more urgent work.
    pub kept: Vec<(Priority, u32)>,
    /// What the vendor itself says is left, while its word holds.
    pub remaining: Option<u32>,
    /// When the vendor counts anew.
    pub resets_at: Option<Millis>,
}

/// Which deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeadlineKind {
    /// Acknowledge by.
    Acknowledge,
    /// Ship by.
    Ship,
    /// Invoice by.
    Invoice,
}

/// An open deadline.
#[derive(Debug, Clone, Serialize)]
pub struct DeadlineView {
    /// Which.
    pub kind: DeadlineKind,
    /// When.
    pub at: Millis,
    /// Who set it.
    pub set_by: DeadlineSource,
    /// The order.
    pub order: OrderView,
}

/// One order in a list.
#[derive(Debug, Clone, Serialize)]
pub struct OrderView {
    /// Its id in this agent; the page's address is `/orders/{id}`.
    pub id: OrderId,
    /// PO number.
    pub number: String,
    /// Key in the source system.
    pub key: String,
    /// Title of the system it came from.
    pub source: String,
    /// Title of the system that holds the sale.
    pub target: String,
    /// Retailer's code.
    pub retailer: String,
    /// Retailer's name.
    pub retailer_name: String,
    /// State.
    pub stage: OrderStage,
    /// State in words.
    pub stage_label: String,
    /// Tone of the state.
    pub tone: Tone,
    /// Test order.
    pub test: bool,
    /// Lines and units.
    pub lines: u32,
    /// Units ordered.
    pub units: Decimal,
    /// Total and its currency, where known.
    pub total: Option<(Decimal, String)>,
    /// When it arrived here.
    pub received_at: Millis,
    /// The sale's number.
    pub sale: Option<String>,
    /// When the source confirmed our acknowledgement.
    pub acknowledged_at: Option<Millis>,
    /// When the source confirmed the sale's number.
    pub delivered_at: Option<Millis>,
    /// Nearest open deadline.
    pub deadline: Option<(DeadlineKind, Millis, DeadlineSource)>,
    /// Why it waits, in one sentence.
    pub problem: Option<String>,
}

/// One thing that happened to an order.
#[derive(Debug, Clone, Serialize)]
pub struct NoteView {
    /// When.
    pub at: Millis,
    /// Tone.
    pub tone: Tone,
    /// Icon name without `i-`: in, ok, doc, you, again, x, soon, person, hold.
    pub icon: String,
    /// One sentence.
    pub text: String,
    /// The vendor's own words.
    pub words: Option<String>,
}

/// One amount of the money check.
#[derive(Debug, Clone, Serialize)]
pub struct MoneyRow {
    /// Lines, shipping, tax, total.
    pub label: String,
    /// As the order states it or its lines come to.
    pub order: Option<Decimal>,
    /// As the sale was created.
    pub sale: Option<Decimal>,
    /// The sum row.
    pub sum: bool,
}

/// One job of an order.
#[derive(Debug, Clone, Serialize)]
pub struct JobView {
    /// Its id.
    pub id: JobId,
    /// In words: "Acknowledgement", "Sale", "Sale number".
    pub what: String,
    /// State in words.
    pub state: String,
    /// Tone.
    pub tone: Tone,
    /// Last change.
    pub changed_at: Millis,
    /// Tried that often.
    pub attempt: u32,
    /// Whether a retry makes sense now.
    pub can_retry: bool,
}

/// One line of an order, in units.
#[derive(Debug, Clone, Serialize)]
pub struct LineView {
    /// The line's key at the source.
    pub line: String,
    /// Position as the retailer numbers it.
    pub number: Option<u32>,
    /// The retailer's or supplier's code of the item, where the line names one.
    pub sku: Option<String>,
    /// Title.
    pub title: String,
    /// Ordered.
    pub ordered: Decimal,
    /// Shipped, as the source or we count, whichever is more.
    pub shipped: Decimal,
    /// Cancelled.
    pub cancelled: Decimal,
    /// Wanted and not shipped.
    pub open: Decimal,
    /// Invoiced.
    pub invoiced: Decimal,
}

/// One goods-out note of an order, and what became of its shipment.
#[derive(Debug, Clone, Serialize)]
pub struct ShipmentView {
    /// Number of the note.
    pub note: String,
    /// The job that reports it.
    pub job: JobId,
    /// Tracking numbers, each once.
    pub tracking: Vec<String>,
    /// Carrier, or the shipping method in the ERP's words, where known.
    pub carrier: Option<String>,
    /// How far the note is; `None` where its document is kept no longer.
    pub stage: Option<Stage>,
    /// When it was shipped.
    pub shipped_at: Option<Millis>,
    /// Units of each line that are told or being told: line, units.
    pub units: Vec<(String, Decimal)>,
    /// State in words: "Reported", "Waits for a tracking number".
    pub state: String,
    /// Tone of the state.
    pub tone: Tone,
    /// Last change.
    pub changed_at: Millis,
    /// Whether a retry makes sense now.
    pub can_retry: bool,
}

/// One invoice of an order, or a part that was cut from one.
#[derive(Debug, Clone, Serialize)]
pub struct InvoiceView {
    /// Its number where it is sent.
    pub number: String,
    /// The number of the one it was cut from.
    pub of: Option<String>,
    /// The job that sends it.
    pub job: JobId,
    /// What it is over, with tax.
    pub over: Decimal,
    /// In that currency.
    pub currency: String,
    /// Its date.
    pub issued_at: Millis,
    /// Units of each line that are sent or being sent: line, units.
    pub units: Vec<(String, Decimal)>,
    /// State in words: "Sent", "Waits for the next shipment".
    pub state: String,
    /// Tone of the state.
    pub tone: Tone,
    /// Last change.
    pub changed_at: Millis,
    /// Whether a retry makes sense now.
    pub can_retry: bool,
}

/// One order, whole.
#[derive(Debug, Clone, Serialize)]
pub struct OrderDetail {
    /// The list's columns.
    pub order: OrderView,
    /// The canonical document.
    pub document: Document,
    /// Lines with their quantities, in the source's order.
    pub lines: Vec<LineView>,
    /// Goods-out notes, in the order of arrival.
    pub shipments: Vec<ShipmentView>,
    /// Invoices and their parts, in the order they were made.
    pub invoices: Vec<InvoiceView>,
    /// Every deadline, open or not.
    pub deadlines: Vec<(DeadlineKind, Millis, DeadlineSource)>,
    /// Newest first.
    pub timeline: Vec<NoteView>,
    /// Jobs.
    pub jobs: Vec<JobView>,
    /// Money check; empty when there is no price.
    pub money: Vec<MoneyRow>,
    /// One sentence about the money: agrees, or the difference.
    pub money_sentence: (Tone, String),
    /// Outside calls, newest batch first.
    pub exchanges: Vec<Exchange>,
}

/// The cell a card asks for.
#[derive(Debug, Clone, Serialize)]
pub struct CellView {
    /// From which connection's values.
    pub from: ConnectionId,
    /// To which connection's.
    pub to: ConnectionId,
    /// The empty cell.
    pub gap: Gap,
    /// Label of the field to fill in.
    pub label: String,
    /// What may stand there: key, label. Empty: free text.
    pub choices: Vec<(String, String)>,
    /// What probably belongs there, best first. Never filled in by itself.
    pub suggestions: Vec<SuggestionView>,
}

/// A code that probably belongs into a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SuggestionView {
    /// The code.
    pub key: String,
    /// The code in words.
    pub label: String,
    /// Why: "Same upc", "Names alike", "Used for Fernwick".
    pub why: String,
}

/// What a card is about, for its tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CardKind {
    /// A cell is empty.
    Unmatched,
    /// An amount does not agree, or is missing.
    Money,
    /// A shipment cannot be reported.
    Shipment,
    /// An invoice cannot be sent.
    Invoice,
    /// Something was cancelled, or is asked to be.
    Cancellation,
    /// Sent, and nobody knows what became of it.
    InDoubt,
    /// Both sides show something else.
    Comparison,
    /// Something was not read: no order waits for it, since nobody knows what is in it.
    Reading,
    /// Anything else.
    Other,
}

/// One cause and what waits for it.
#[derive(Debug, Clone, Serialize)]
pub struct CardView {
    /// Stable id of the cause.
    pub id: String,
    /// Headline: "Item not matched: `AB-12`".
    pub title: String,
    /// What happened, in one or two sentences.
    pub text: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The exact cell, where one is empty.
    pub cell: Option<CellView>,
    /// How many orders wait.
    pub waiting: u64,
    /// What it is about.
    pub kind: CardKind,
    /// Nearest deadline among them.
    pub deadline: Option<Millis>,
    /// The same with what it asks for and who set it, where the order still says so.
    pub nearest: Option<(DeadlineKind, Millis, DeadlineSource)>,
    /// Up to six of them.
    pub orders: Vec<OrderView>,
    /// Since when.
    pub first_at: Millis,
    /// Left alone, with this reason.
    pub ignored: Option<String>,
}

/// How many orders are in each state.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StageCounts(pub Vec<(OrderStage, u64)>);

/// One day's figures (UTC day start).
#[derive(Debug, Clone, Default, Serialize)]
pub struct DayView {
    /// Start of the day.
    pub day: Millis,
    /// Orders received.
    pub received: u64,
    /// Sales created.
    pub created: u64,
    /// Orders of which everything that is wanted was shipped.
    pub shipped: u64,
    /// Orders cancelled.
    pub cancelled: u64,
}

/// What the frame of every page shows.
#[derive(Debug, Clone, Serialize)]
pub struct FrameView {
    /// The merchant's name for this agent.
    pub store: String,
    /// The agent's version.
    pub version: String,
    /// Now, on the agent's clock.
    pub now: Millis,
    /// Whether any flow has begun: connections alone send nothing.
    pub begun: bool,
    /// Whether anything is in practice mode.
    pub practice: bool,
    /// What is; empty for everything.
    pub practising: Vec<String>,
    /// What is paused, in words.
    pub paused: Vec<String>,
    /// Open causes.
    pub causes: u64,
    /// Orders that wait for a person.
    pub waiting: u64,
    /// Each side.
    pub connections: Vec<ConnectionView>,
    /// What a person must know on every page.
    pub alarms: Vec<AlarmView>,
}

/// One kind of document over one route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlowView {
    /// Kind of document.
    pub entity: Entity,
    /// Name of the connection it comes from.
    pub from: String,
    /// Name of the connection it goes to.
    pub to: String,
    /// "Shipments from ERP to Network".
    pub title: String,
    /// `runs`, `paused` or `closed`: outside its hours.
    pub state: &'static str,
    /// The same in words.
    pub sentence: String,
    /// Its tone.
    pub tone: Tone,
    /// Its hours, as they were set.
    pub hours: Option<String>,
    /// When its hours begin again.
    pub opens: Option<Millis>,
    /// Who paused it.
    pub who: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// When.
    pub since: Option<Millis>,
    /// Documents that wait for it.
    pub held: u64,
}

/// Something about the agent itself that a person must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlarmView {
    /// One or two sentences.
    pub text: String,
    /// The moment it is about.
    pub as_of: Option<Millis>,
    /// What to do.
    pub hint: String,
}

/// What became of letting go of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DisconnectedView {
    /// Its name.
    pub connection: String,
    /// What was registered at the vendor and is gone.
    pub removed: Vec<String>,
    /// What is still registered there.
    pub left_behind: Vec<String>,
    /// Why it is.
    pub why: Option<String>,
    /// Secrets that were forgotten.
    pub secrets_forgotten: u64,
}

/// The Today page.
#[derive(Debug, Clone, Serialize)]
pub struct TodayView {
    /// One sentence.
    pub verdict: String,
    /// Its tone, and the stamp's word: "In step", "Needs you", "Paused", "Disturbed", "Practice", "Partly
    /// practice", "Not live yet", "Not set up".
    pub stamp: (Tone, String),
    /// Orders by state.
    pub stages: StageCounts,
    /// Newest last.
    pub days: Vec<DayView>,
    /// Soonest first.
    pub deadlines: Vec<DeadlineView>,
    /// Open causes, most urgent first.
    pub cards: Vec<CardView>,
    /// Newest first: order and what happened.
    pub recent: Vec<(OrderView, NoteView)>,
}

/// A page of orders.
#[derive(Debug, Clone, Serialize)]
pub struct OrderList {
    /// Newest first.
    pub rows: Vec<OrderView>,
    /// Pass as `before` for the next page.
    pub next: Option<OrderId>,
    /// Orders by state.
    pub stages: StageCounts,
}

/// A document of reference data, for lists of retailers, warehouses, methods.
#[derive(Debug, Clone, Serialize)]
pub struct HistoryView {
    /// When.
    pub at: Millis,
    /// Who.
    pub who: String,
    /// What.
    pub what: String,
    /// Detail.
    pub detail: String,
}
