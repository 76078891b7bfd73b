//! The generated exports of this connector's world. The only file that may hold unsafe code.
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    reason = "generated; wit/ documents every item"
)]

waybill_sdk::world! {
    path: ["../../wit/commerce", "../../wit/host", "../../wit/connector"],
    imports: [effects, http, blob, sftp],
    world: "
        package waybill:dsco;
        world dsco {
            include waybill:connector/core@0.1.0;
            import waybill:host/effects@0.1.0;
            import waybill:host/http@0.1.0;
            import waybill:host/blob@0.1.0;
            import waybill:host/sftp@0.1.0;
            export waybill:connector/source@0.1.0;
            export waybill:connector/sink@0.1.0;
            export waybill:connector/levels@0.1.0;
            export waybill:connector/listing@0.1.0;
            export waybill:connector/tickets@0.1.0;
        }
    ",
}
