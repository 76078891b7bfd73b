//! Lists the parts of the DSCO sandbox: start with `sandbox.rs` (the state), then `route.rs` (what exists), `order.rs`
//! (what an order may do), `change.rs` (how a change becomes visible).

mod ack;
mod answers;
mod auth;
mod book;
mod cancel;
mod change;
mod control;
mod create;
mod dates;
mod events;
mod folder;
mod generate;
mod inventory;
mod inventory_control;
mod inventory_read;
mod inventory_write;
mod invoice_write;
mod invoices;
mod limits;
mod log;
mod messy;
mod order;
mod orders;
mod pages;
mod partners;
mod query;
mod render;
mod retailer;
mod route;
mod sandbox;
mod settings;
mod shipments;
mod streams;
mod truth;
mod warehouses;
mod writes;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_inventory;
#[cfg(test)]
mod tests_invoices;
#[cfg(test)]
mod tests_streams;
#[cfg(test)]
mod tests_writes;

pub use sandbox::Sandbox;
