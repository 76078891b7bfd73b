//! Brightpearl: retailers become contacts, orders become sales, goods-out notes become shipments, closed sales invoices; products, warehouses and shipping methods are read.
//! Knows one vendor's dialect; never another vendor, the agent's queue, or a secret.
//!
//! Read `describe.rs` first, then `push_order.rs`; `api.rs` is one call, `wire/` the vendor's JSON.

pub mod address;
pub mod amount;
pub mod api;
pub mod aside;
pub mod billed;
pub mod bindings;
pub mod changed;
pub mod choices;
mod component;
pub mod country;
pub mod cut;
pub mod describe;
pub mod doubt;
pub mod ensure;
pub mod invoice;
pub mod item;
pub mod listing;
pub mod lookup;
pub mod memory;
pub mod notes;
pub mod packing;
pub mod places;
pub mod probe;
pub mod push_cancel;
pub mod push_customer;
pub mod push_order;
pub mod push_orders;
pub mod receive;
pub mod sale;
pub mod sales;
pub mod settings;
pub mod shipment;
pub mod sink;
pub mod sold;
pub mod source;
pub mod state;
pub mod stock;
pub mod whole;
pub mod wire;
