//! The smallest whole connector: a shop that takes orders and tells of shipments. Copy this folder to begin your own.
//! `connector.rs` is all of its logic, `component.rs` the way from the exports, `bindings.rs` is generated.

mod bindings;
#[cfg(any(target_arch = "wasm32", test))]
mod component;
pub mod connector;
#[cfg(test)]
mod tests;
