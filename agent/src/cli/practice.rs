//! The grammar of `waybill practice`.

use clap::{Args, Subcommand};

/// `practice`.
#[derive(Debug, Subcommand)]
pub(crate) enum Practice {
    /// What is live and what is practice, and what would be sent, newest first.
    List(ListPractised),
    /// Send nothing from now on: what would be sent is recorded.
    On(PracticeOf),
    /// Go live: what becomes ready is sent.
    Live(GoLive),
    /// Send for real what was practised.
    Apply(Practised),
    /// End what was practised without sending it, with a reason.
    Discard(Discard),
}

/// `practice list`.
#[derive(Debug, Args)]
pub(crate) struct ListPractised {
    /// Steps to show, at most 500.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) limit: u32,
    /// Show every field of what would be written.
    #[arg(long)]
    pub(crate) fields: bool,
}

/// What is switched.
#[derive(Debug, Args)]
pub(crate) struct PracticeOf {
    /// One flow: order, shipment, inventory-level, invoice or cancellation. All of them when left out.
    #[arg(long, value_name = "KIND", value_parser = super::entity)]
    pub(crate) flow: Option<&'static str>,
    /// One retailer, by its code. Everybody when left out.
    #[arg(long, value_name = "CODE")]
    pub(crate) retailer: Option<String>,
}

/// `practice live`.
#[derive(Debug, Args)]
pub(crate) struct GoLive {
    #[command(flatten)]
    pub(crate) of: PracticeOf,
    /// Send what was practised, as it stands now. Without this and `--discard` it stays until you decide.
    #[arg(long)]
    pub(crate) apply: bool,
    /// Discard what was practised, with this reason.
    #[arg(long, value_name = "REASON", conflicts_with = "apply")]
    pub(crate) discard: Option<String>,
}

/// Which steps.
#[derive(Debug, Args)]
pub(crate) struct Practised {
    /// Numbers of steps, as `waybill practice list` shows them.
    #[arg(value_name = "STEP", required_unless_present = "all")]
    pub(crate) steps: Vec<u64>,
    /// All of them.
    #[arg(long, conflicts_with = "steps")]
    pub(crate) all: bool,
}

/// `practice discard`.
#[derive(Debug, Args)]
pub(crate) struct Discard {
    #[command(flatten)]
    pub(crate) which: Practised,
    /// Why; kept in the history.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}
