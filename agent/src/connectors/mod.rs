//! `waybill connectors`: keys and files of connectors. `keys.rs` makes keys and signs, `verify.rs` looks at a file without
//! running it. What is loaded, and how it is watched, is not known here.

mod keys;
mod verify;

pub(crate) use keys::{keygen, sign};
pub(crate) use verify::verify;
