//! Stock: a level, never an event. What the ERP holds (`read.rs`), what open orders take of it (`taken.rs`), what the
//! network should think there is (`derive.rs`), telling it (`send.rs`) and what became of that (`verdict.rs`). Read them in that order; people see it through
//! `show.rs` and ask for it in `commands.rs`.
//!
//! What is on disk at each step is told in `ARCHITECTURE.md`, Stock.
//!
//! A network lowers its own number when it hands out an order, so levels leave right after its orders were read, when
//! every order it knows of is counted here. While its orders cannot be read, only lower numbers leave.

mod commands;
mod derive;
mod full;
mod read;
mod send;
mod show;
mod taken;
mod verdict;
pub mod view;

pub(crate) use derive::all_routes;
pub(crate) use full::begin as begin_full_set;
pub(crate) use read::{Said, sweep, take};
pub(crate) use send::{Turn, push, turn};
pub(crate) use verdict::confirm;
