//! `cargo measure`: builds the released agent and prints its size, its memory and work while idle, and how long it takes
//! from start to ready, each beside its target. For people: nothing fails on a slow machine. Read `rounds.rs` next.
//! `cargo measure -- hooks` takes webhooks instead and fails when one is lost or read twice: `hooks.rs`.
//! `cargo measure -- calls` counts the calls to both vendors instead and fails when a bar is missed: `calls.rs`.
//! `cargo measure -- files` reads a very large file of orders, and fails when a bar is missed: `files.rs`.
//! `cargo measure -- path` sends orders their whole way against sandboxes that throttle nothing: `path.rs`.
//! `cargo measure -- stock` tells the network of 50,000 and of 1,000,000 items, and fails when a bar is missed: `stock.rs`.
//! `cargo measure -- swaps` swaps both connectors under load, by good builds and bad ones: `swaps/`.

mod calls;
mod figures;
mod files;
mod fill;
mod hooks;
mod path;
mod process;
mod programs;
mod rounds;
mod sample;
mod starts;
mod stock;
mod swaps;

use clap::{Parser, Subcommand};
use std::io::Write as _;

/// Measures a released agent against both sandboxes.
#[derive(Debug, Parser)]
#[command(name = "cargo measure")]
struct Arguments {
    /// Starts of each kind
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Seconds the agent is watched while idle
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    idle_secs: u64,
    /// MiB of disk the large database takes; 0 leaves it out
    #[arg(long, default_value_t = 1024)]
    fill_mib: u64,
    /// Orders the large database holds, spread over three years and kept as long as retention keeps them, instead of MiB
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    orders: Option<u64>,
    /// Leave the data folder behind
    #[arg(long)]
    keep: bool,
    #[command(subcommand)]
    other: Option<Other>,
}

/// What else can be measured.
#[derive(Debug, Subcommand)]
enum Other {
    /// Calls to both vendors, from the sandboxes' counters
    Calls(calls::Calls),
    /// A very large file of orders: downloads, time, memory
    Files(files::Files),
    /// Webhooks: answers, latency, commits and reads
    Hooks(hooks::Hooks),
    /// The whole way of an order: processor time and orders a second
    Path(path::Whole),
    /// Stock of very many items: calls to both vendors, processor time, memory
    Stock(stock::Stock),
    /// Connectors swapped under load, by good builds and bad ones
    Swaps(swaps::Swaps),
}

/// For people.
fn say(text: &str) {
    // A closed terminal must not stop the run.
    drop(writeln!(std::io::stdout(), "{text}"));
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(Other::Calls(calls)) = &arguments.other {
        // Counting needs no optimised agent.
        return tokio::runtime::Runtime::new()?.block_on(calls::count(calls));
    }
    let as_built = match &arguments.other {
        Some(Other::Hooks(hooks)) => hooks.as_built,
        Some(Other::Files(files)) => files.as_built,
        Some(Other::Swaps(swaps)) => swaps.as_built,
        Some(Other::Stock(stock)) => stock.as_built,
        _ => false,
    };
    if cfg!(debug_assertions) && !as_built {
        // The store is filled by this very program: an unoptimised one would take many times as long.
        return Err(programs::hand_over());
    }
    let runtime = tokio::runtime::Runtime::new()?;
    match &arguments.other {
        Some(Other::Files(files)) => runtime.block_on(files::measure(files)),
        Some(Other::Hooks(hooks)) => runtime.block_on(hooks::measure(hooks)),
        Some(Other::Path(whole)) => runtime.block_on(path::measure(whole)),
        Some(Other::Stock(wanted)) => runtime.block_on(stock::measure(wanted)),
        Some(Other::Swaps(swaps)) => runtime.block_on(swaps::measure(swaps)),
        _ => runtime.block_on(rounds::all(&arguments)),
    }
}
