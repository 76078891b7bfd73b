//! The grammar of `waybill stock`.

use clap::{Args, Subcommand};

/// `stock`.
#[derive(Debug, Subcommand)]
pub(crate) enum Stock {
    /// What is told of each item and warehouse, and whether it is there.
    List(ListStock),
    /// Why the numbers of an item are what they are, step by step.
    Why(WhyStock),
    /// Send stock.
    On,
    /// Send no stock until it is switched on again.
    Off,
    /// Send the numbers of an item again, or those of all items.
    Send(SendStock),
}

/// `stock list`.
#[derive(Debug, Args)]
pub(crate) struct ListStock {
    /// Only items whose id at the receiving system begins so.
    #[arg(value_name = "TEXT")]
    pub(crate) begins: Option<String>,
    /// Which numbers: all, those that are not there yet, or those that were refused.
    #[arg(long, default_value = "all", value_parser = ["all", "waiting", "refused"])]
    pub(crate) show: String,
    /// Items behind that one.
    #[arg(long, value_name = "ITEM")]
    pub(crate) after: Option<String>,
    /// At most so many items.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) limit: u16,
    #[command(flatten)]
    pub(crate) route: StockRoute,
}

/// `stock why`.
#[derive(Debug, Args)]
pub(crate) struct WhyStock {
    /// The item's id at the receiving system.
    #[arg(value_name = "ITEM")]
    pub(crate) item: String,
    #[command(flatten)]
    pub(crate) route: StockRoute,
}

/// `stock send`.
#[derive(Debug, Args)]
pub(crate) struct SendStock {
    /// The item's id at the receiving system; all items when left out.
    #[arg(value_name = "ITEM")]
    pub(crate) item: Option<String>,
    #[command(flatten)]
    pub(crate) route: StockRoute,
}

/// Which route of stock.
#[derive(Debug, Args)]
pub(crate) struct StockRoute {
    /// From whom to whom, by the ids that `stock list --json` names; the first route when left out.
    #[arg(long, value_name = "FROM-TO")]
    pub(crate) route: Option<String>,
}
