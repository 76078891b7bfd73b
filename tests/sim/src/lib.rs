//! Sandboxes of both vendors: stateful state machines behind real HTTP servers, with faults on command, counters, a
//! control side and a checker over both states. Shares no type with the agent or its connectors. Read `vendor.rs`
//! first, then `serve.rs`, then one vendor's folder.

pub mod brightpearl;
pub mod catalogue;
pub mod dice;
pub mod vendor;
