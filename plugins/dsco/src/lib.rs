//! The DSCO connector: one vendor's dialect to and from the canonical model. It knows no other vendor, no queue, no
//! secret. Read `guest.rs` for the entrance, `source.rs` for the way of an order, `acknowledge.rs`, `ship.rs` and `stock.rs` for the way back,
//! `queue.rs` and `confirm.rs` for how what is sent is followed to its verdict.

mod acknowledge;
mod api;
mod backfill;
mod bindings;
mod cancel;
mod cancellation;
mod change_log;
mod confirm;
mod cursor;
mod describe;
mod feed;
mod files;
mod guest;
mod invoice;
mod invoice_look;
mod line;
mod listing;
mod lookup;
mod order;
mod parcel;
mod partners;
mod queue;
mod refusal;
mod services;
mod settings;
mod ship;
mod source;
mod stock;
mod stock_file;
mod stock_log;
mod stream;
mod told;
mod wire;

pub use guest::Dsco;

#[cfg(target_arch = "wasm32")]
bindings::export!(Dsco with_types_in bindings);

#[cfg(test)]
mod tests;
