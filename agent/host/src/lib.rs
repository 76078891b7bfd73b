//! Floor 1: runs connectors. It loads components, gives each call a store of its own, enforces permissions and limits,
//! keeps the effect journal's promise around the wire, and speaks HTTP. It knows no database, no scheduling and no vendor:
//! what it needs of the agent it asks through `ports.rs`. Read `connector.rs`, then `load.rs`, then `generation.rs`.

pub mod address;
mod agreement;
pub mod budget;
mod caps;
pub mod connector;
mod consent;
mod credentials;
mod effects;
pub mod engine;
mod filled;
pub mod generation;
pub mod knock;
mod levels;
pub mod limits;
pub mod load;
mod oauth;
pub mod passport;
mod places;
pub mod ports;
pub mod reach;
pub mod setup;
mod sftp;
mod state;
pub mod tally;
pub mod trust;
mod v0_1;
mod visit;
pub mod wire;
