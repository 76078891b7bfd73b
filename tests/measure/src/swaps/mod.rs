//! `cargo measure -- swaps`: both connectors are swapped again and again, by good builds and by bad ones of every kind,
//! while orders come in and leave and both vendors fail in every way. Read `command.rs` first.

mod command;
mod director;
mod memory;
mod report;
mod town;

pub(crate) use command::{Swaps, measure};
