//! The whole engine in one process, from one seed: simulated clock and disk, scripted connectors, faults, crashes.
//! `world.rs` is what would be outside; `network.rs` and `erp.rs` are connectors over it; `simulation.rs` runs a seed.
//! `hooked.rs` is a vendor that calls us, for days on which webhooks are lost, doubled and reordered.

pub mod bench;
pub mod bills;
pub mod cancels;
mod documents;
pub mod erp;
pub mod four;
pub mod hooked;
mod judge;
pub mod line;
mod listing;
pub mod network;
pub mod plan;
mod planted;
pub mod post;
mod practised;
mod set_up;
pub mod ships;
mod sides;
pub mod simulation;
pub mod start;
pub mod stock;
pub mod swapped;
pub mod urgency;
pub mod warehouse;
pub mod world;
