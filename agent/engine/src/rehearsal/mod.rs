//! A rehearsal: before going live, one invented order goes its whole way with the merchant's settings and matches, at
//! stand-ins for both systems on this machine. What plays it is a port (`Stage`): a program beside the agent, which runs an
//! agent of its own in a folder of its own. This module knows what is handed over (`brief.rs`), runs one at a time and keeps
//! what was seen of the last one (`run.rs`). It never writes a document, a job, a link or a secret, and hands over none.
//!
//! | state | on disk | a crash then costs |
//! | --- | --- | --- |
//! | none | nothing, or the last report | nothing |
//! | running | the report so far as it began: no end; the other agent's folder | the other agent ends with this one, its folder goes at the next start, the report says it was cut short |
//! | ended | the report, whole; the folder is gone | nothing |

mod asked;
mod brief;
mod run;

use crate::export;
use crate::handle::{CommandError, Handle};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use waybill_model::contract::Problem;
use waybill_model::ids::Millis;
use waybill_store::Read as _;

pub use asked::Asked;
pub use brief::{Brief, InForce, Item, Retailer, Side};
pub(crate) use brief::{keep_offers, to_keep};
pub(crate) use run::Rehearsals;

/// Where the last report is kept.
const REPORT: &str = "rehearsal";

/// What is seen of a rehearsal while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// A step of the order was seen.
    Step {
        /// One of [`STEPS`].
        step: String,
        /// One sentence with its numbers.
        text: String,
    },
    /// The sale as it stands.
    Sale(Sale),
    /// What is not rehearsed as it would be.
    Aside(String),
    /// The end.
    End(Box<End>),
}

/// A sale as it stands in the receiving system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sale {
    /// Name and value of its fields.
    pub fields: Vec<(String, String)>,
    /// Its lines.
    pub lines: Vec<SaleLine>,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaleLine {
    /// Name of the item.
    pub item: String,
    /// Its number.
    pub sku: Option<String>,
    /// Units.
    pub quantity: String,
    /// Net.
    pub net: String,
    /// Tax.
    pub tax: String,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The order went all the way.
    pub good: bool,
    /// One or two sentences.
    pub sentence: String,
    /// What to do next.
    pub next: Option<String>,
    /// What waits for a person, word for word.
    pub card: Option<Card>,
}

/// What waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Headline.
    pub title: String,
    /// What happened.
    pub text: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The cell that is empty.
    pub cell: Option<Cell>,
}

/// A cell of a crosswalk; connections by their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Whose value.
    pub from: String,
    /// Whose code.
    pub to: String,
    /// Name of the table.
    pub table: String,
    /// The retailer it is for.
    pub retailer: Option<String>,
    /// The value without a counterpart.
    pub value: String,
    /// Label of the field to fill in.
    pub label: String,
    /// What may stand there: key and words. Empty: free text.
    #[serde(default)]
    pub choices: Vec<(String, String)>,
}

/// A step that was seen, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// One of [`STEPS`].
    pub step: String,
    /// One sentence.
    pub text: String,
    /// When.
    pub at: Millis,
}

/// What is kept of a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When it began.
    pub began: Millis,
    /// When it ended; `None`: it runs, or was cut short.
    pub ended: Option<Millis>,
    /// Who asked for it.
    pub who: String,
    /// Name of the retailer who ordered; `None`: an invented one.
    pub retailer: Option<String>,
    /// Steps, in the order they were seen.
    pub steps: Vec<Step>,
    /// What was not rehearsed as it would be.
    pub asides: Vec<String>,
    /// The sale.
    pub sale: Option<Sale>,
    /// How it ended.
    pub end: Option<End>,
    /// Stands for the settings and matches it was played with.
    #[serde(default)]
    pub mark: String,
}

impl Report {
    /// Whether the order went all the way.
    pub fn is_good(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.good)
    }
}

/// Steps of a rehearsal, and what each is called before it is seen.
pub const STEPS: [(&str, &str); 8] = [
    ("placed", "The order is placed"),
    ("read", "It is read"),
    ("sale", "Its sale is made"),
    ("acknowledged", "It is acknowledged"),
    ("told", "The sale's number is sent back"),
    ("note", "The warehouse ships it"),
    ("shipment", "The shipment is reported and accepted"),
    ("invoice", "The invoice is sent and accepted"),
];

/// What the page, the API and the command line are shown.
#[derive(Debug, Clone, Serialize)]
pub struct RehearsalView {
    /// It runs now.
    pub running: bool,
    /// Why there can be none here, and what to do.
    pub unable: Option<Problem>,
    /// Retailers that may order.
    pub retailers: Vec<Retailer>,
    /// The one that runs, or the last one.
    pub report: Option<Report>,
    /// The last one was cut short: the agent stopped while it ran.
    pub cut_short: bool,
    /// Settings or matches have changed since the last one began; single items are not looked at.
    pub outdated: bool,
    /// What is known of the field that the last one found empty.
    pub asked: Option<Asked>,
}

/// What plays rehearsals.
#[async_trait]
pub trait Stage: Send + Sync {
    /// The connectors whose systems it can stand in for.
    ///
    /// # Errors
    /// Why there is no stage here, and what to do.
    async fn plays(&self) -> Result<Vec<String>, Problem>;
    /// Plays one, and tells what is seen. Dropped, it ends everything it began.
    ///
    /// # Errors
    /// Why it could not be played to its end.
    async fn perform(
        &self,
        brief: &Brief,
        say: &(dyn Fn(Said) + Send + Sync),
    ) -> Result<(), Problem>;
}

/// A stage, where there is one.
#[derive(Clone)]
pub struct Theatre(pub Arc<dyn Stage>);

impl fmt::Debug for Theatre {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Theatre")
    }
}

/// The cell that the rehearsal of that beginning found empty, while it is the last one.
fn empty_cell(report: Option<Report>, began: Millis) -> Result<Cell, CommandError> {
    if report.as_ref().is_some_and(|report| report.began != began) {
        return Err(CommandError::Refused(Problem::new(
            "rehearsed-again",
            "Another rehearsal has begun since this page was shown, and may ask for another field.",
            "Look at what it asks for now, and fill that in.",
        )));
    }
    let card = report.and_then(|report| report.end?.card);
    card.and_then(|card| card.cell)
        .ok_or_else(|| CommandError::NotFound("field that the last rehearsal asks for".to_owned()))
}

impl Handle {
    /// The last rehearsal, or the one that runs, and whether there can be one.
    pub async fn rehearsal(&self) -> Result<RehearsalView, CommandError> {
        let unable = self.unable_to_rehearse().await?;
        let retailers = self.read(brief::retailers).await?;
        let (running, report) = self.last_rehearsal().await?;
        let outdated = match &report {
            Some(report) => !self.is_current(report).await?,
            None => false,
        };
        Ok(RehearsalView {
            running,
            unable,
            retailers,
            outdated,
            asked: self.asked(report.as_ref()).await?,
            cut_short: !running && report.as_ref().is_some_and(|report| report.ended.is_none()),
            report,
        })
    }

    /// Whether an order went all the way; where `as_it_is`, with the settings and matches as they are.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn is_rehearsed(&self, as_it_is: bool) -> Result<bool, CommandError> {
        let (_, report) = self.last_rehearsal().await?;
        let Some(report) = report.filter(Report::is_good) else {
            return Ok(false);
        };
        Ok(!as_it_is || self.is_current(&report).await?)
    }

    async fn is_current(&self, report: &Report) -> Result<bool, CommandError> {
        Ok(report.mark == self.read(export::mark).await?)
    }

    /// Whether one runs, and the report of it or of the last one.
    async fn last_rehearsal(&self) -> Result<(bool, Option<Report>), CommandError> {
        let (running, report) = self.core.rehearsals.now();
        let report = match report {
            Some(report) => Some(report),
            None => self.kept_report().await?,
        };
        Ok((running, report))
    }

    async fn kept_report(&self) -> Result<Option<Report>, CommandError> {
        let kept = self.read(|_, rx| rx.meta(REPORT)).await?;
        // One that a later version wrote is none to this one.
        Ok(kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Begins a rehearsal, ordered by the retailer of that code.
    ///
    /// # Errors
    /// When one runs already, when there is no such retailer, or when there can be none.
    pub async fn rehearse(&self, retailer: Option<&str>, who: &str) -> Result<(), CommandError> {
        if let Some(why) = self.unable_to_rehearse().await? {
            return Err(CommandError::Refused(why));
        }
        let chosen = retailer.map(str::to_owned);
        let settings = self.export_settings().await?;
        let brief = self.read(move |core, rx| brief::of(core, rx, settings, chosen.as_deref()));
        let brief = brief.await?.map_err(CommandError::Refused)?;
        let mark = self.read(export::mark).await?;
        let report = Report {
            began: self.now(),
            ended: None,
            who: who.to_owned(),
            retailer: brief
                .retailer
                .as_ref()
                .map(|retailer| retailer.name.clone()),
            steps: Vec::new(),
            asides: Vec::new(),
            sale: None,
            end: None,
            mark,
        };
        if !self.core.rehearsals.ask(brief, report.clone()) {
            return Err(CommandError::Refused(Problem::new(
                "rehearsal-running",
                "A rehearsal runs already.",
                "Wait until it has ended: that takes a minute, three at most.",
            )));
        }
        self.keep_report(&report, "Rehearsed an order").await
    }

    async fn keep_report(&self, report: &Report, what: &str) -> Result<(), CommandError> {
        let bytes = serde_json::to_vec(report).unwrap_or_default();
        let detail = report.end.as_ref().map_or("", |end| end.sentence.as_str());
        self.put_meta_audited(REPORT, bytes, (&report.who, what, detail))
            .await
    }

    /// Why there can be no rehearsal; `None`: there can.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn unable_to_rehearse(&self) -> Result<Option<Problem>, CommandError> {
        let Some(Theatre(stage)) = self.core.options.theatre.clone() else {
            return Ok(Some(Problem::new(
                "no-stage",
                "This agent has nothing to rehearse on.",
                "Go on without a rehearsal: going live does not need it.",
            )));
        };
        let plays = match stage.plays().await {
            Ok(plays) => plays,
            Err(why) => return Ok(Some(why)),
        };
        let pair = self.read(brief::pair).await?;
        let Some((from, to)) = pair else {
            return Ok(Some(Problem::new(
                "not-connected",
                "Both sides must be connected first.",
                "Connect where orders come from and where they become sales.",
            )));
        };
        let strangers = [&from, &to]
            .into_iter()
            .filter(|of| !plays.contains(&of.connector));
        let titles: Vec<&str> = strangers.map(|of| of.title.as_str()).collect();
        Ok((!titles.is_empty()).then(|| {
            Problem::new(
                "not-played",
                format!(
                    "There is no stand-in for {} to rehearse with.",
                    titles.join(" and ")
                ),
                "Go on without a rehearsal: begin in practice, where nothing is sent either.",
            )
        }))
    }

    /// Fills in the cell that the rehearsal of that beginning (UTC, milliseconds) found empty, for all retailers.
    ///
    /// # Errors
    /// When it found none, another one was rehearsed meanwhile, or the code cannot stand there.
    pub async fn fill_rehearsed(
        &self,
        began: Millis,
        code: &str,
        who: &str,
    ) -> Result<(), CommandError> {
        let (_, report) = self.last_rehearsal().await?;
        let cell = empty_cell(report, began)?;
        let from = self.connection(&cell.from).await?.id;
        let to = self.connection(&cell.to).await?.id;
        let gap = waybill_model::contract::Gap {
            table: cell.table,
            retailer: cell.retailer,
            value: cell.value,
        };
        self.fill_cell(from, to, gap, true, code.to_owned(), who)
            .await?;
        Ok(())
    }
}
