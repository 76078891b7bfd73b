//! Lists the parts of the Brightpearl sandbox. Start with `account.rs` (the state), then `gateway.rs` (one request).

mod account;
mod address;
mod auth;
mod call;
mod clock;
mod contact_write;
mod contacts;
mod control;
mod currencies;
mod custom;
mod envelope;
mod furnish;
mod gateway;
mod idset;
mod multimessage;
mod note_write;
mod notes;
mod options;
mod order_change;
mod order_create;
mod order_search;
mod order_view;
mod orders;
mod payments;
mod products;
mod reference;
mod routes;
mod row_change;
mod search;
mod stock;
mod throttle;
mod truth;
mod webhook_calls;
mod webhooks;
mod worker;

#[cfg(test)]
mod tests;

pub use account::Brightpearl;
pub use furnish::{Furniture, Goods};
pub use options::{DuplicateRef, Options};
