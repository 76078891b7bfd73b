//! A connector that misbehaves on order: the setting `do` names the deed, other settings its details. The tests of the
//! host run it. It translates nothing and knows no vendor.

mod act;
mod bindings;
mod describe;
mod files;
mod guest;

pub use guest::Hostile;

#[cfg(target_arch = "wasm32")]
bindings::export!(Hostile with_types_in bindings);
