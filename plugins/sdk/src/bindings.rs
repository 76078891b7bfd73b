//! The generated types and imports of `wit/`, once for all connectors. The only file that may hold unsafe code.
//! On a host target the imports are stubs: reach them through [`crate::host`], which tests replace.
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    reason = "generated; wit/ documents every item"
)]

wit_bindgen::generate!({
    path: ["../../wit/commerce", "../../wit/host", "../../wit/connector"],
    world: "waybill:connector/guest-side",
    generate_all,
    generate_unused_types: true,
    additional_derives: [PartialEq, Eq],
    additional_derives_ignore: ["spool"],
});
