//! The macro that generates a connector's exports on top of this crate's types. Knows the contract's interfaces only.

/// Generates the bindings of a connector's own world. Every type and import is taken from this crate, so that a
/// document made here fits everywhere; only the export traits and their few own records are new.
///
/// - `path` lists the folders of the three WIT packages, relative to the crate's manifest.
/// - `imports` names what the world imports beyond `core`, each with what it uses itself: `[effects, http]`,
///   `[effects, blob, sftp]`, `[effects, blob, folder]`.
/// - `world` is the connector's world as WIT text.
#[macro_export]
macro_rules! world {
    (path: [$($path:literal),+ $(,)?], imports: [$($import:ident),* $(,)?], world: $world:literal $(,)?) => {
        $crate::world!(@ [$($path),+] $world [] $($import)*);
    };
    (@ $path:tt $world:literal [$($with:tt)*] effects $($rest:ident)*) => {
        $crate::world!(@ $path $world [$($with)*
            "waybill:host/effects@0.1.0": waybill_sdk::bindings::waybill::host::effects,] $($rest)*);
    };
    (@ $path:tt $world:literal [$($with:tt)*] http $($rest:ident)*) => {
        $crate::world!(@ $path $world [$($with)*
            "waybill:host/http@0.1.0": waybill_sdk::bindings::waybill::host::http,] $($rest)*);
    };
    (@ $path:tt $world:literal [$($with:tt)*] blob $($rest:ident)*) => {
        $crate::world!(@ $path $world [$($with)*
            "waybill:host/blob@0.1.0": waybill_sdk::bindings::waybill::host::blob,] $($rest)*);
    };
    (@ $path:tt $world:literal [$($with:tt)*] sftp $($rest:ident)*) => {
        $crate::world!(@ $path $world [$($with)*
            "waybill:host/sftp@0.1.0": waybill_sdk::bindings::waybill::host::sftp,] $($rest)*);
    };
    (@ $path:tt $world:literal [$($with:tt)*] folder $($rest:ident)*) => {
        $crate::world!(@ $path $world [$($with)*
            "waybill:host/folder@0.1.0": waybill_sdk::bindings::waybill::host::folder,] $($rest)*);
    };
    (@ $path:tt $world:literal [$($with:tt)*]) => {
        waybill_sdk::wit_bindgen::generate!({
            inline: $world,
            path: $path,
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
                $($with)*
            },
        });
    };
}
