//! A shipment's way back: from a goods-out note to its order's source. Read `intake.rs`, then `look.rs`, `verdict.rs`.

pub(crate) mod count;
pub(crate) mod show;
