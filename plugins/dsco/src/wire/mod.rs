//! The vendor's JSON as it is: every field optional, every shape it was seen in accepted. Knows no canonical type.

pub(crate) mod invoice;
pub(crate) mod log;
pub(crate) mod order;
pub(crate) mod partner;
pub(crate) mod stream;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use waybill_sdk::lenient::{self, Fields};

/// Readers of this vendor's own.
pub(crate) trait Words {
    /// A word of a fixed list; real data differ from the description in upper and lower case.
    fn word(&mut self, name: &str) -> Option<String>;
}

impl Words for Fields {
    fn word(&mut self, name: &str) -> Option<String> {
        self.text(name).map(|text| text.to_ascii_lowercase())
    }
}

/// An answer that is a list, or one object of it, or nothing.
#[derive(Debug)]
pub(crate) struct Many<T>(pub(crate) Vec<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient::list(deserializer).map(Self)
    }
}

/// A struct whose fields are read tolerantly: `field: Type = reader`; missing ones have their default. `others` keeps
/// every further field that holds a text, a number or a truth value: carried and shown, never routed on.
macro_rules! shape {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $ty:ty = $reader:ident),* $(,)? } $(others $others:ident)?) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        #[allow(clippy::struct_field_names, reason = "the vendor's names")]
        pub(crate) struct $name {
            $(pub(crate) $field: $ty,)*
            $(pub(crate) $others: Vec<(String, String)>,)?
        }

        impl From<waybill_sdk::lenient::Fields> for $name {
            fn from(mut fields: waybill_sdk::lenient::Fields) -> Self {
                #[allow(unused_imports, reason = "only some have words")]
                use $crate::wire::Words as _;
                Self {
                    $($field: fields.$reader(stringify!($field)),)*
                    $($others: fields.rest(),)?
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                waybill_sdk::lenient::Fields::deserialize(deserializer).map(Self::from)
            }
        }
    };
}
pub(crate) use shape;
