//! What the page, the API and the command line are shown of connectors. Plain values in the merchant's words.

use super::port::BuildLimits;
use crate::view::{BudgetView, Tone};
use serde::Serialize;
use waybill_model::ids::{ConnectionId, Generation, Millis};

/// Every connector, and every file that is none.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ConnectorsView {
    /// Connectors, by id.
    pub connectors: Vec<ConnectorView>,
    /// Files of the folder that belong to no connector.
    pub strangers: Vec<RefusedView>,
    /// Why the folder cannot be read.
    pub folder: Option<String>,
    /// Now, on the agent's clock.
    pub now: Millis,
}

/// Where a connector stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectorState {
    /// At work.
    Running,
    /// At work, and watched: it goes back by itself when it misbehaves.
    Trial,
    /// A new build waits for a person; the old one is at work.
    Waiting,
    /// A new build was refused; the old one is at work.
    Refused,
    /// A build was taken back; the one before is at work.
    RolledBack,
    /// No build could be loaded.
    Missing,
}

/// One connector.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectorView {
    /// Id of its descriptor.
    pub id: String,
    /// Shown to people.
    pub title: String,
    /// Where it stands.
    pub state: ConnectorState,
    /// The same in one sentence.
    pub sentence: String,
    /// Its tone.
    pub tone: Tone,
    /// The build at work; `None`: it could not be loaded.
    pub running: Option<BuildView>,
    /// Who signed it; `None`: nobody.
    pub signed_by: Option<String>,
    /// What lies in the folder.
    pub file: FileView,
    /// What it may do, one sentence each.
    pub passport: Vec<String>,
    /// While it is watched.
    pub trial: Option<TrialView>,
    /// A new build that waits for a person.
    pub waiting: Option<WaitingView>,
    /// A new build that was refused.
    pub refused: Option<RefusedView>,
    /// Builds one can go back to, newest first.
    pub previous: Vec<BuildView>,
    /// Builds that are not loaded unless somebody chooses them, newest first.
    pub bad: Vec<BadView>,
    /// What one call may use at most.
    pub limits: LimitsView,
    /// Milliseconds from the commit that brought the build at work there until every connection was bound to it: no lane
    /// waits longer for a swap. `None`: it was at work when the agent started.
    pub swap_ms: Option<Millis>,
    /// Connections that use it.
    pub connections: Vec<UseView>,
}

/// One build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuildView {
    /// The descriptor's.
    pub version: String,
    /// SHA-256 of the component.
    pub hash: String,
    /// Its number in logs and batches.
    pub generation: Generation,
    /// File it was read from.
    pub file: String,
    /// When it was taken into force.
    pub since: Millis,
    /// Who or what did so.
    pub who: String,
}

/// What lies in the folder under a connector's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileView {
    /// Its name; `None`: no file holds this connector.
    pub name: Option<String>,
    /// One sentence.
    pub sentence: String,
}

/// A build that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrialView {
    /// Since when.
    pub since: Millis,
    /// Ends then at the latest.
    pub until: Millis,
    /// Batches done without a problem.
    pub good: u32,
    /// So many end it.
    pub of: u32,
    /// What went wrong, one sentence each.
    pub bad: Vec<String>,
    /// So many undo it.
    pub most_bad: u32,
    /// The version it goes back to.
    pub back_to: Option<String>,
}

/// A build that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingView {
    /// SHA-256 of the component; accepting names it.
    pub hash: String,
    /// Its version.
    pub version: String,
    /// Its file.
    pub file: String,
    /// What it asks beyond what was granted, one sentence each.
    pub asks: Vec<String>,
    /// Settings without which it cannot work.
    pub settings: Vec<AskedView>,
    /// Since when.
    pub at: Millis,
    /// It was accepted, and is being tested.
    pub accepted: Option<String>,
}

/// A setting somebody must enter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AskedView {
    /// Name of the connection.
    pub connection: String,
    /// Its id.
    pub connection_id: ConnectionId,
    /// Its key.
    pub key: String,
    /// Shown to people.
    pub label: String,
    /// What it is for.
    pub help: String,
}

/// A file or build that was refused. What ran before runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedView {
    /// Its file.
    pub file: String,
    /// SHA-256 of the component, where it could be read.
    pub hash: Option<String>,
    /// Its version, where it is known.
    pub version: Option<String>,
    /// One sentence.
    pub reason: String,
    /// What to do.
    pub hint: Option<String>,
    /// When.
    pub at: Millis,
    /// It is tried again by itself then.
    pub again_at: Option<Millis>,
}

/// A build that is not loaded again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadView {
    /// Its version.
    pub version: String,
    /// SHA-256 of the component.
    pub hash: String,
    /// Its file.
    pub file: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Millis,
    /// It was taken back by itself, not by a person.
    pub by_itself: bool,
    /// Milliseconds from its third bad batch until the build before was bound again; `None`: not since the start, or by a
    /// person.
    pub undone_ms: Option<Millis>,
}

/// What one call may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LimitsView {
    /// Milliseconds.
    pub call_ms: u64,
    /// Memory, bodies, requests.
    #[serde(flatten)]
    pub build: BuildLimits,
}

/// A connection that uses a connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UseView {
    /// Its name.
    pub name: String,
    /// Shown to people.
    pub title: String,
    /// Every call limit that was drawn on.
    pub budgets: Vec<BudgetView>,
    /// Longest call since this build is at work, in milliseconds.
    pub longest_ms: Option<u64>,
}
