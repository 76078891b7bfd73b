//! Builds of the real connectors, good and bad, no two alike, to be dropped into a running agent. Must not know what becomes
//! of them. Read `workshop.rs` next; `alter.rs` is how a build is made to misbehave.

mod alter;
mod workshop;

pub use workshop::{BOTH, Kind, NEW_HOST, Ready, Which, Workshop, put};
