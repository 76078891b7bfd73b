//! Lists the tests of the sandbox through its one door, `handle`. Start with `bench.rs`.

mod access;
mod bench;
mod catalogue;
mod contacts;
mod fulfilment;
mod orders;
mod searches;
mod warehouse;

use bench::{Bench, NOW, code, order, zip};
