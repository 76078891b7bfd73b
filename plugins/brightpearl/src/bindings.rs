//! The generated exports of this connector's world; types and imports are the SDK's. The only file that may hold
//! unsafe code. What the world imports is what the connector may ask for.
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    reason = "generated; wit/ documents every item"
)]

// Spelled out instead of `waybill_sdk::world!`, which maps interfaces that this world does not import.
waybill_sdk::wit_bindgen::generate!({
    inline: "
        package waybill:brightpearl;
        world brightpearl {
            include waybill:connector/core@0.1.0;
            import waybill:host/effects@0.1.0;
            import waybill:host/http@0.1.0;
            export waybill:connector/source@0.1.0;
            export waybill:connector/sink@0.1.0;
            export waybill:connector/listing@0.1.0;
        }
    ",
    path: ["../../wit/commerce", "../../wit/host", "../../wit/connector"],
    runtime_path: "waybill_sdk::wit_bindgen::rt",
    generate_all,
    generate_unused_types: true,
    additional_derives: [PartialEq, Eq],
    with: {
        "waybill:commerce/types@0.1.0": waybill_sdk::bindings::waybill::commerce::types,
        "waybill:connector/types@0.1.0": waybill_sdk::bindings::waybill::connector::types,
        "waybill:host/log@0.1.0": waybill_sdk::bindings::waybill::host::log,
        "waybill:host/clock@0.1.0": waybill_sdk::bindings::waybill::host::clock,
        "waybill:host/kv@0.1.0": waybill_sdk::bindings::waybill::host::kv,
        "waybill:host/links@0.1.0": waybill_sdk::bindings::waybill::host::links,
        "waybill:host/effects@0.1.0": waybill_sdk::bindings::waybill::host::effects,
        "waybill:host/http@0.1.0": waybill_sdk::bindings::waybill::host::http,
    },
});
