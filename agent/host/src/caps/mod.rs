//! The capabilities of a guest, one file each: grant, limits and work side by side. None reaches into another, and none
//! knows a WIT type; `v0_1/imports.rs` translates.

pub(crate) mod blob;
pub(crate) mod clock;
pub(crate) mod http;
pub(crate) mod kv;
pub(crate) mod links;
pub(crate) mod log;
mod rules;
pub(crate) mod sftp;
