//! A merchant sets a connection up without a file: what its connector asks for, what was entered, saved on the same checked
//! way as a provisioning file; an approval at the vendor; what is read first; the flows that begin. Knows no page.
//!
//! ```text
//! form.rs: what to fill in   save.rs: filled in, one commit   approve.rs: at the vendor   begin.rs: the first data, the flows
//! ```

mod approve;
mod begin;
mod form;
pub(crate) mod look;
pub(crate) mod save;

pub(crate) use begin::{read_and_idle, read_on};
pub(crate) use form::is_required_at_once;

pub use begin::{Beginning, FirstRead, PossibleFlow, Which};
pub use form::{ConnectorChoice, CredentialField, Form, FormField, Kind, SecretField, Way};
pub use look::Offer;
pub use save::{Draft, DraftSecret, FieldMistake, Saved};
