//! The grammar of `waybill flows` and `waybill compare`.

use clap::{Args, Subcommand};

/// `flows`.
#[derive(Debug, Subcommand)]
pub(crate) enum Flows {
    /// Every flow, whether it runs, its hours, what waits for it.
    List,
    /// Read and send nothing new of a flow until it is resumed; what is under way goes on to its answer.
    Pause(PauseFlow),
    /// Go on with a paused flow.
    Resume(OneFlow),
    /// Run a flow now; outside its hours it goes on for a quarter of an hour.
    Run(OneFlow),
}

/// A flow.
#[derive(Debug, Args)]
pub(crate) struct OneFlow {
    /// Kind of document: order, shipment, inventory-level, invoice or cancellation.
    #[arg(value_name = "KIND", value_parser = super::entity)]
    pub(crate) entity: &'static str,
    /// Name of the connection it comes from.
    #[arg(value_name = "FROM")]
    pub(crate) from: String,
    /// Name of the connection it goes to.
    #[arg(value_name = "TO")]
    pub(crate) to: String,
}

/// `flows pause`.
#[derive(Debug, Args)]
pub(crate) struct PauseFlow {
    #[command(flatten)]
    pub(crate) flow: OneFlow,
    /// Why, for the page and the history.
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: Option<String>,
}

/// `compare`.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Begin one now.
    #[arg(long)]
    pub(crate) now: bool,
}
