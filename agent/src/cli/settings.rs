//! The grammar of `waybill settings`.

use super::Apply;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `settings`.
#[derive(Debug, Subcommand)]
pub(crate) enum Settings {
    /// Write everything that is set as one provisioning file: settings, connections, routes, matches. No secret.
    Export(ExportSettings),
    /// Apply such a file: shows the difference and asks, as `waybill apply` does.
    Import(Apply),
    /// List the newest changes; each makes a version.
    Versions,
    /// Show what holds now otherwise than in a version.
    Compare(OneVersion),
    /// Go back to a version; that makes a new one.
    Restore(RestoreVersion),
}

/// `settings export`.
#[derive(Debug, Args)]
pub(crate) struct ExportSettings {
    /// Write it there instead of printing it.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// `settings compare`.
#[derive(Debug, Args)]
pub(crate) struct OneVersion {
    /// Its number; 0 is before the first change.
    #[arg(id = "settings-version", value_name = "VERSION")]
    pub(crate) version: u64,
}

/// `settings restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreVersion {
    #[command(flatten)]
    pub(crate) to: OneVersion,
    /// Without it, only what would change is shown.
    #[arg(long, short)]
    pub(crate) yes: bool,
}
