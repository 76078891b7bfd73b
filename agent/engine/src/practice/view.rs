//! What people are shown of practice: the switches, what would be sent, and what stock would be told.

use serde::Serialize;
use waybill_model::document::Entity;
use waybill_model::ids::{JobId, Millis, OrderId};

/// The page Practice.
#[derive(Debug, Clone, Serialize)]
pub struct PracticeView {
    /// One sentence: what is live and what is practice.
    pub sentence: String,
    /// Whether anything is in practice.
    pub any: bool,
    /// Whether everything is.
    pub all: bool,
    /// Each flow, for everybody who has no word of his own.
    pub flows: Vec<FlowSwitch>,
    /// Retailers with a word of their own.
    pub retailers: Vec<RetailerSwitch>,
    /// Code and name of each retailer that may have one.
    pub known: Vec<(String, String)>,
    /// Steps that were practised.
    pub practised: u64,
    /// Those of them whose flow is live by now: a person decides.
    pub undecided: u64,
    /// What would be sent, newest first.
    pub rows: Vec<WouldSend>,
    /// Where the next page goes on.
    pub next: Option<JobId>,
    /// Items whose stock would be told, the first ones.
    pub stock: Vec<WouldTell>,
    /// How many there are.
    pub stock_waiting: u64,
}

/// A flow and whether it is in practice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlowSwitch {
    /// Its kind.
    pub flow: Entity,
    /// "Shipments".
    pub title: String,
    /// Whether it is in practice.
    pub practice: bool,
    /// Who said so.
    pub who: Option<String>,
    /// When.
    pub at: Option<Millis>,
}

/// A retailer with a word of his own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetailerSwitch {
    /// Its code.
    pub code: String,
    /// Its name, or its code where no name is known.
    pub name: String,
    /// Each flow; stock is nobody's own.
    pub flows: Vec<FlowSwitch>,
}

/// One step that was practised.
#[derive(Debug, Clone, Serialize)]
pub struct WouldSend {
    /// Its job.
    pub job: JobId,
    /// The order.
    pub order: Option<OrderId>,
    /// PO number, or the record's key.
    pub number: String,
    /// Name of the retailer.
    pub retailer: String,
    /// Its flow.
    pub flow: Entity,
    /// "Sale", "Shipment".
    pub what: String,
    /// Key of the document: of a note, an invoice.
    pub key: String,
    /// Title of the side it would go to.
    pub to: String,
    /// When it was practised.
    pub at: Millis,
    /// Whether its flow is live by now.
    pub undecided: bool,
    /// What is there now, in words.
    pub now: String,
    /// What would be written.
    pub fields: Vec<WouldField>,
    /// The first request, as it would leave.
    pub request: Option<WouldRequest>,
}

/// One field of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WouldField {
    /// Spelled for people.
    pub name: String,
    /// What was read of it in the same call.
    pub now: Option<String>,
    /// What would be written.
    pub would: String,
}

/// A request that was recorded instead of sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WouldRequest {
    /// `POST`.
    pub method: String,
    /// Where to.
    pub url: String,
    /// What.
    pub body: String,
}

/// Stock of an item in a warehouse that would be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WouldTell {
    /// The item, as the network calls it.
    pub item: String,
    /// The warehouse.
    pub warehouse: String,
    /// What was told last.
    pub now: Option<String>,
    /// What would be told.
    pub would: String,
}
