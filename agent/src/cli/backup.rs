//! The grammar of `waybill backup` and `waybill restore`. Does nothing.

use clap::{ArgGroup, Args, Subcommand};
use std::path::PathBuf;

/// `backup`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Backup {
    /// Where it goes: a file, or a folder in which it is named by the time. A file that is there is replaced once the new
    /// one is whole.
    #[arg(value_name = "FILE|FOLDER", required = true)]
    pub(crate) target: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) other: Option<BackupOther>,
}

/// What else there is about backups.
#[derive(Debug, Subcommand)]
pub(crate) enum BackupOther {
    /// Check every byte of a backup, and say what is in it.
    Verify(BackupFile),
}

/// `backup verify`.
#[derive(Debug, Args)]
pub(crate) struct BackupFile {
    /// The backup.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// `restore`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("from").required(true).args(["file", "kept", "list"]))]
pub(crate) struct Restore {
    /// The backup.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// A database that was kept by an upgrade, or by a restore, instead of a backup.
    #[arg(long, value_name = "NAME")]
    pub(crate) kept: Option<String>,
    /// List what is kept.
    #[arg(long)]
    pub(crate) list: bool,
    /// Let the connections go on at once. Without it they are paused until somebody has compared both sides.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Leave the secrets out: their key is lost, and they will be entered again.
    #[arg(long, conflicts_with_all = ["kept", "list"])]
    pub(crate) without_secrets: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
}
