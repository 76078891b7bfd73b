//! Floor 2: when and where. Pulls, commits, settles, translates, pushes, confirms; lanes, retries, parking.
//! The only place where store and host meet. Knows no HTML, no HTTP header, no table of the database, no WIT type.
//! Start reading at `supervise.rs` (the loop), then `intake.rs`, `work.rs`, `verdict.rs` in the order an order meets them.

mod again;
pub mod apply;
pub mod backfill;
mod backup;
mod beside;
mod calls;
mod cancel;
mod catalogue;
pub mod clean;
pub mod connectors;
mod core;
mod disconnect;
mod disk;
pub mod doctor;
mod ensure;
pub mod event;
pub mod figures;
pub mod finding;
mod gather;
pub mod handle;
mod hints;
mod hooks;
pub mod hosted;
mod intake;
mod invoice;
mod mapping_rows;
pub mod mappings;
pub mod matching;
mod order;
pub mod ports;
mod pull;
mod release;
pub mod replay;
mod retention;
mod schedule;
mod settle;
mod shipment;
mod status;
pub mod stock;
pub mod supervise;
pub mod support;
pub mod swap;
mod tickets;
mod today;
mod translate;
mod verdict;
pub mod view;
mod words;
mod work;

pub use core::Observer;
pub use disk::FreeSpace;
pub use handle::{CommandError, Handle};
pub use hooks::{HookRefusal, MOST_WAITING};
pub use supervise::{Engine, EngineError, EngineOptions, EngineParts};
