//! The vendor's JSON as it is: every field optional, every shape it was seen in accepted. Knows no canonical type.

pub(crate) mod log;
pub(crate) mod order;
pub(crate) mod partner;
pub(crate) mod stream;

/// A struct whose fields are read tolerantly: `field: Type = "reader"`; missing ones have their default.
macro_rules! shape {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $ty:ty = $reader:literal),* $(,)? } $(others $others:ident)?) => {
        $(#[$doc])*
        #[derive(Debug, Default, serde::Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        #[allow(clippy::struct_field_names, reason = "the vendor's names")]
        pub(crate) struct $name {
            $(#[serde(deserialize_with = $reader)] pub(crate) $field: $ty,)*
            $(#[serde(flatten)] pub(crate) $others: $crate::wire::order::Others,)?
        }
    };
}
pub(crate) use shape;
