//! Types and traits made from `wit/`. One world with every role: a component exports only some of them, so each role is
//! looked up by itself and the world as a whole is never instantiated.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::pedantic,
    reason = "generated from wit/, which documents it"
)]

wasmtime::component::bindgen!({
    path: ["../../wit/commerce", "../../wit/host", "../../wit/connector"],
    inline: "
        package waybill:bindings;
        world every-role {
            include waybill:connector/host-side@0.1.0;
            export waybill:connector/source@0.1.0;
            export waybill:connector/listing@0.1.0;
            export waybill:connector/sink@0.1.0;
            export waybill:connector/levels@0.1.0;
            export waybill:connector/tickets@0.1.0;
            export waybill:connector/webhook@0.1.0;
        }
    ",
    world: "waybill:bindings/every-role",
    imports: { default: async | trappable },
    exports: { default: async },
    with: { "waybill:host/blob.spool": crate::caps::blob::Spool },
});
