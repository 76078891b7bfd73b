//! The grammar of `waybill backfill`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `backfill`.
#[derive(Debug, Subcommand)]
pub(crate) enum Backfill {
    /// Look which orders from before are missing here; takes nothing.
    Look(LookForOrders),
    /// Take what a look found missing.
    Take(Numbered),
    /// Stop one. What was taken stays.
    Stop(Numbered),
    /// One of them, and the first orders it found.
    Show(Numbered),
    /// All of them, newest first.
    List,
}

/// `backfill look`.
#[derive(Debug, Args)]
#[group(required = true, multiple = true, args = ["from", "list"])]
pub(crate) struct LookForOrders {
    /// Name of the connection that orders come from.
    #[arg(value_name = "CONNECTION")]
    pub(crate) connection: String,
    /// Orders placed since then: 2026-11-20T14:00 on this machine's clock, or with an offset.
    #[arg(long, value_name = "TIME", value_parser = super::moment, requires = "to")]
    pub(crate) from: Option<i64>,
    /// Orders placed before then.
    #[arg(long, value_name = "TIME", value_parser = super::moment, requires = "from")]
    pub(crate) to: Option<i64>,
    /// A file with order numbers, one a line; - is the standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to"])]
    pub(crate) list: Option<PathBuf>,
}

/// A back-fill.
#[derive(Debug, Args)]
pub(crate) struct Numbered {
    /// Its number.
    #[arg(value_name = "NUMBER")]
    pub(crate) number: u64,
}
