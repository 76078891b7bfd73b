//! The generated exports of this connector's world; types and imports are the SDK's. The only file that may hold
//! unsafe code. What the world imports is what the connector may ask for.
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    reason = "generated; wit/ documents every item"
)]

waybill_sdk::world! {
    path: ["../../wit/commerce", "../../wit/host", "../../wit/connector"],
    imports: [effects, http],
    world: "
        package waybill:brightpearl;
        world brightpearl {
            include waybill:connector/core@0.1.0;
            import waybill:host/effects@0.1.0;
            import waybill:host/http@0.1.0;
            export waybill:connector/source@0.1.0;
            export waybill:connector/sink@0.1.0;
            export waybill:connector/listing@0.1.0;
            export waybill:connector/webhook@0.1.0;
        }
    ",
}

// Here and not beside the implementation, since the exported functions are unsafe ones.
#[cfg(all(target_arch = "wasm32", feature = "component"))]
use crate::component::Brightpearl;
#[cfg(all(target_arch = "wasm32", feature = "component"))]
export!(Brightpearl with_types_in self);
