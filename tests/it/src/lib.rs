//! The whole engine in one process, from one seed: simulated clock and disk, scripted connectors, faults, crashes.
//! `world.rs` is what would be outside; `network.rs` and `erp.rs` are connectors over it; `simulation.rs` runs a seed.

pub mod bench;
pub mod erp;
pub mod network;
pub mod simulation;
pub mod world;
