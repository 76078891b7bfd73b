//! `waybill connectors`: keys and files of connectors. `keys.rs` makes keys and signs, `verify.rs` looks at a file without
//! running it, `install.rs` puts one into the connectors folder or takes it away. What a running agent makes of its folder
//! is not known here.

mod install;
mod keys;
mod verify;

pub(crate) use install::{install, remove};
pub(crate) use keys::{keygen, sign};
pub(crate) use verify::verify;
