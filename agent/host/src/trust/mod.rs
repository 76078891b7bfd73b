//! Whose connectors are run. A connector stays one file: its signature is the file's last section. `section.rs` knows that
//! section and nothing of cryptography, `key.rs` the keys and how they are written, `rule.rs` decides about a file's bytes
//! before anything compiles them. Where keys come from is not known here.

mod key;
mod rule;
mod section;

pub use key::{KeyError, KeyId, PublicKey, SigningKey};
pub use rule::{Checked, SignatureError, Signed, Signer, Trust, sign};
