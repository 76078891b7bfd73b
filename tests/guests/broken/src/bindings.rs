//! The generated exports of this connector's world; types and imports are the SDK's. The only file that may hold unsafe
//! code. What the world imports is what the connector may ask for; what it exports are its roles.
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::pedantic,
    reason = "generated; wit/ documents every item"
)]

waybill_sdk::world! {
    path: ["../../../wit/commerce", "../../../wit/host", "../../../wit/connector"],
    imports: [effects, http],
    world: "
        package waybill:broken;
        world broken {
            include waybill:connector/core@0.1.0;
            import waybill:host/effects@0.1.0;
            import waybill:host/http@0.1.0;
            export waybill:connector/source@0.1.0;
            export waybill:connector/sink@0.1.0;
        }
    ",
}

#[cfg(target_arch = "wasm32")]
use crate::component::Broken;
#[cfg(target_arch = "wasm32")]
export!(Broken with_types_in self);
