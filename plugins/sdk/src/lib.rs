//! For authors of connectors: the contract's types, the host behind a trait that tests replace, and the small things
//! every vendor needs (decimals, dates, tolerant JSON, what a call's error means).
//!
//! # Writing a connector
//! 1. A library crate with `crate-type = ["cdylib", "rlib"]` and a file `bindings.rs`:
//!    ```text
//!    #![allow(unsafe_code, missing_docs, unreachable_pub, clippy::pedantic, reason = "generated")]
//!    waybill_sdk::world! {
//!        path: ["../../wit/commerce", "../../wit/host", "../../wit/connector"],
//!        imports: [effects, http],
//!        world: "package acme:connector;
//!                world acme {
//!                    include waybill:connector/core@0.1.0;
//!                    import waybill:host/http@0.1.0;
//!                    export waybill:connector/source@0.1.0;
//!                }",
//!    }
//!    ```
//!    What the world imports is what the connector may ask for; what it exports are its roles.
//! 2. Implement the generated `Guest` traits (`exports::waybill::connector::{base, source, ..}`) on one unit struct by
//!    calling your own functions with `&WasmHost`; write those functions over `&dyn Host`, so that tests can hand them
//!    a [`replay::TestHost`] with a script of requests and answers.
//! 3. `#[cfg(target_arch = "wasm32")] bindings::export!(YourStruct with_types_in bindings);`
//! 4. `cargo pack your-package` writes the component.
//!
//! # Rules a connector lives by
//! - Every call that is not GET, HEAD or OPTIONS names an effect ([`effect::effect`]): its step and the batch members it
//!   carries. The host journals it. [`call::Fault::InDoubt`] means: it was sent before and nobody knows what became of
//!   it. Look in the vendor's system; adopt what is there, or send again with [`bindings::waybill::host::effects::Effect::resend`].
//! - A connector has no memory between calls but the cursor and the key-value space.
//! - It never sleeps and never retries: it answers [`types::Failure::Retry`] and the agent decides when.
//!
//! This crate knows no vendor.

mod address;
pub mod bindings;
pub mod blank;
pub mod call;
pub mod card;
pub mod date;
pub mod decimal;
pub mod effect;
pub mod host;
mod json;
pub mod lenient;
pub mod problem;
#[cfg(not(target_arch = "wasm32"))]
pub mod replay;
pub mod settings;
mod world;

pub use host::{Core, Files, Host, Spool, WasmHost};
pub use settings::Settings;
/// For the code that [`world!`] generates.
#[doc(hidden)]
pub use wit_bindgen;

/// The canonical model.
pub use bindings::waybill::commerce::types as commerce;
/// What a connector says.
pub use bindings::waybill::connector::types;
/// Effects and their errors.
pub use bindings::waybill::host::effects;
/// Requests and answers.
pub use bindings::waybill::host::http;
/// Links to records of other connections.
pub use bindings::waybill::host::links;
/// Log levels.
pub use bindings::waybill::host::log;
/// Files on a server.
pub use bindings::waybill::host::sftp;
