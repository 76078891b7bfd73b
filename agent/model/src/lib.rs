//! Floor 0: what an order is, how a job moves, how tables translate. Pure: no I/O, no time of its own, no async,
//! no WIT types, no vendor names. Read `document.rs` first, then `job.rs`, then `crosswalk.rs`.

pub mod alerts;
pub mod amounts;
pub mod backoff;
pub mod billing;
pub mod contract;
pub mod crash;
pub mod crosswalk;
pub mod decimal;
pub mod document;
pub mod grant;
pub mod hours;
pub mod ids;
pub mod job;
pub mod kits;
pub mod levels;
pub mod money;
pub mod order_state;
pub mod parcels;
pub mod practice;
pub mod quantities;
pub mod settings;
pub mod shipping;
