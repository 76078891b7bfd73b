//! `waybill doctor`: `run.rs` goes through everything a person could have broken, `show.rs` prints it, the others look
//! at one thing each. None of them changes anything.

mod asleep;
mod awake;
mod folder;
mod listener;
mod run;
mod show;

pub(crate) use run::{Shelf, examine, run, stopped};
