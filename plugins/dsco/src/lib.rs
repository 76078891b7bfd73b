//! The DSCO connector: one vendor's dialect to and from the canonical model. It knows no other vendor, no queue, no
//! secret. Read `guest.rs` for the entrance, `source.rs` for the way of an order, `acknowledge.rs` for the way back.

mod acknowledge;
mod api;
mod backfill;
mod bindings;
mod cancellation;
mod confirm;
mod cursor;
mod describe;
mod feed;
mod guest;
mod line;
mod listing;
mod lookup;
mod order;
mod partners;
mod settings;
mod source;
mod stream;
mod wire;

pub use guest::Dsco;

#[cfg(target_arch = "wasm32")]
bindings::export!(Dsco with_types_in bindings);

#[cfg(test)]
mod tests;
