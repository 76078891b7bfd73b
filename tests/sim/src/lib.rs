//! Sandboxes of both vendors: stateful state machines behind real HTTP servers, with faults on command, counters, a
//! control side and a checker over both states. Shares no type with the agent or its connectors. Read `vendor.rs`
//! first, then `serve.rs`, then one vendor's folder.

pub mod brightpearl;
pub mod catalogue;
pub mod check;
mod check_invoices;
mod check_shipments;
mod check_stock;
pub mod client;
pub mod counters;
pub mod dice;
pub mod dsco;
pub mod fault;
pub mod play;
pub mod ports;
pub mod serve;
pub mod sftp;
pub mod tls;
pub mod vendor;
mod wire;

#[cfg(test)]
mod check_shipments_tests;
#[cfg(test)]
mod check_tests;
#[cfg(test)]
mod pair_tests;
#[cfg(test)]
mod serve_tests;
