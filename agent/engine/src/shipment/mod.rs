//! A shipment's way back: from a goods-out note to its order's source. Read `intake.rs`, then `look.rs`, `verdict.rs`.

pub(crate) mod change;
pub(crate) mod count;
pub(crate) mod intake;
pub(crate) mod look;
pub(crate) mod rest;
pub(crate) mod restored;
pub(crate) mod show;
mod tables;
pub(crate) mod trigger;
pub(crate) mod unnoted;
pub(crate) mod verdict;
