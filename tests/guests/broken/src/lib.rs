//! The example connector with one promise broken: a text of sixteen bytes says which, and the contract's own tests write
//! others over it in the finished component. As it is built, it keeps every promise.

mod bindings;
mod component;
#[path = "../../example/src/connector.rs"]
pub mod connector;
mod flavour;

pub use component::Broken;
