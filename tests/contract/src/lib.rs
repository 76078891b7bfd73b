//! The contract test: loads a component into the real host, puts a vendor on a real socket before it, cuts calls where a
//! crash would, and says in one line per check whether the connector keeps its promises. Knows the contract, never how a
//! connector is written. Read `check.rs` for the promises, `run.rs` for their order, `kit.rs` for the vendors.

pub mod check;
mod descriptor;
mod documents;
mod fate;
mod feeds;
mod hostile;
pub mod kit;
mod mangle;
mod once;
mod pushes;
pub mod run;
mod sample;
mod script;
mod stand;
mod tap;

pub use check::{Check, Outcome, Report};
pub use kit::Kit;
pub use run::run;
