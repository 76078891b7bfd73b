//! The grammar of `waybill alerts`.

use clap::{Args, Subcommand};

/// `alerts`.
#[derive(Debug, Subcommand)]
pub(crate) enum Alerts {
    /// Whether alerts arrive, and what was told last.
    Show,
    /// Send a test over every way that is set; fails when one does not arrive.
    Test,
    /// Seal a secret of alerts, read from standard input; an empty one is removed.
    Secret(AlertSecret),
}

/// `alerts secret`.
#[derive(Debug, Args)]
pub(crate) struct AlertSecret {
    /// Which: smtp-password, webhook-url or ping-url.
    #[arg(value_name = "NAME", value_parser = ["smtp-password", "webhook-url", "ping-url"])]
    pub(crate) name: String,
}
