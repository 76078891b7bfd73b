//! The grammar of `waybill rehearse`.

use clap::Args;

/// `rehearse`.
#[derive(Debug, Args)]
pub(crate) struct Rehearse {
    /// Code of the retailer who orders (default: the first by name).
    #[arg(long, conflicts_with = "last")]
    pub(crate) retailer: Option<String>,
    /// Only show the last one.
    #[arg(long)]
    pub(crate) last: bool,
}
