//! Swapping connectors while the agent runs: a build is loaded, weighed against what was granted, proven, swapped in,
//! watched, and taken back when it misbehaves. Knows no file system and no WebAssembly: it asks `port.rs`.
//! Read `consider.rs` first, then `watched.rs`, `watch.rs`, `trial.rs` and `undo.rs`.

mod commands;
mod consider;
mod port;
mod prove;
mod samples;
mod settings;
mod show;
mod start;
mod state;
mod times;
mod trial;
mod undo;
pub mod view;
mod watch;
mod watched;

pub use commands::Given;
pub use port::{Build, BuildLimits, Refusal, Seen, Shelf};
pub use start::{Started, start};
pub use times::HandOvers;

pub(crate) use commands::with_waiting;
pub(crate) use consider::run;
pub(crate) use show::connectors;
pub(crate) use start::go_on;
pub(crate) use state::Swaps;
pub(crate) use undo::judge;
pub(crate) use watch::Watch;
pub(crate) use watched::{Before, Watched};

/// Who did what nobody asked for, in History.
pub(crate) const SELF: &str = "Waybill";
/// Builds one can go back to.
pub(crate) const PREVIOUS: usize = 2;
/// Builds that are remembered as bad.
pub(crate) const BAD: usize = 20;
