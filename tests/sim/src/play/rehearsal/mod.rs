//! A merchant's rehearsal: one invented order goes its whole way between both sandboxes, carried by an agent of its own
//! with the merchant's settings and matches. The merchant's agent hands over a brief on standard input and reads what
//! happens from standard output, one JSON object a line:
//!
//! | object | says |
//! | --- | --- |
//! | `{"step": {"step", "text"}}` | a step of the order was seen at the system where it shows |
//! | `{"sale": {"fields", "lines"}}` | the sale as it stands at the ERP |
//! | `{"aside": TEXT}` | what is not rehearsed as it would be |
//! | `{"end": {"good", "sentence", "next", "card"}}` | the last one |
//!
//! `plan.rs` makes the settings over, `account.rs` furnishes the ERP, `order.rs` says what is ordered, `run.rs` plays.
//! Must not know the merchant's agent: the brief holds no secret, no address that is used, and nothing is sent back.

mod account;
mod order;
mod plan;
mod run;

use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;

pub use run::perform;

/// The connectors whose systems the sandboxes stand in for.
pub const PLAYS: [&str; 2] = ["brightpearl", "dsco"];
/// The one that orders come from.
const NETWORK: &str = "dsco";
/// The one that sales are made in.
const ERP: &str = "brightpearl";

/// Value and words.
pub(crate) type Entry = (String, String);

/// What the merchant's agent hands over.
#[derive(Debug, Clone, Deserialize)]
pub struct Brief {
    /// Everything that is set, as a provisioning file without secrets.
    pub settings: String,
    /// The connection that orders come from.
    pub from: Side,
    /// The connection that sales are made in.
    pub to: Side,
    /// The retailer who orders; `None`: an invented one.
    pub retailer: Option<Retailer>,
    /// A product that is ordered; `None`: an invented one.
    pub item: Option<Item>,
    /// Products that were looked at for it.
    pub looked_at: usize,
}

/// One connection.
#[derive(Debug, Clone, Deserialize)]
pub struct Side {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its connector's id.
    pub connector: String,
    /// What its vendor last offered for a setting, by the setting's key.
    pub lists: BTreeMap<String, Vec<Entry>>,
    /// Those of these lists that are longer than what is handed over.
    pub cut: BTreeSet<String>,
    /// Its warehouses.
    pub warehouses: Vec<Entry>,
    /// Its shipping methods.
    pub methods: Vec<Entry>,
}

/// A retailer.
#[derive(Debug, Clone, Deserialize)]
pub struct Retailer {
    /// Code.
    pub code: String,
    /// Name.
    pub name: String,
}

/// A product, and how an order names it.
#[derive(Debug, Clone, Deserialize)]
pub struct Item {
    /// Its key at the ERP.
    pub key: String,
    /// Its title.
    pub title: String,
    /// Kind and value.
    pub identifiers: Vec<Entry>,
    /// Kind of the identifier on the order's line.
    pub source: String,
    /// Kind of the ERP's identifier that must equal it.
    pub target: String,
    /// The value of both.
    pub value: String,
}

/// Where the agent of the rehearsal lives.
#[derive(Debug, Clone)]
pub struct Place {
    /// The agent's program.
    pub agent: PathBuf,
    /// Its configuration, if it has a file.
    pub config: Option<PathBuf>,
    /// A folder for everything of this rehearsal.
    pub folder: PathBuf,
}

/// Says one object to the merchant's agent. One that is gone hears nothing, and the end of standard input stops us.
fn say(what: &Value) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{what}").and_then(|()| out.flush()));
}

fn aside(text: &str) {
    say(&json!({ "aside": text }));
}

/// The last word.
#[derive(Debug, Clone, Default)]
struct End {
    good: bool,
    sentence: String,
    next: Option<String>,
    card: Option<Value>,
}

impl End {
    fn bad(sentence: impl Into<String>, next: &str) -> Self {
        Self {
            sentence: sentence.into(),
            next: Some(next.to_owned()),
            ..Self::default()
        }
    }

    fn say(&self) {
        say(
            &json!({"end": {"good": self.good, "sentence": self.sentence, "next": self.next, "card": self.card}}),
        );
    }
}
