//! Alerts: what a person must hear of who does not look at the page. Once a minute what is true now (`facts.rs`) is held
//! against what was told; what is new becomes one message per way (`message.rs`), committed together with having been told,
//! and sent afterwards until it arrives (`run.rs`).
//!
//! | step | on disk after its commit | a crash right after it costs |
//! | --- | --- | --- |
//! | something is found | what was told, the messages that tell it | nothing: the messages are sent after the start |
//! | message sent | nothing new | it is sent once more: told twice is better than never |
//! | message arrived | the message is gone | nothing |
//!
//! A message that cannot be delivered for a day is dropped, and every page says so. In quiet hours only what ends within
//! them is told; the rest is found again once they are over, since nothing says that it was told.

mod facts;
mod message;
mod run;
mod state;
mod view;
mod wishes;

#[cfg(test)]
mod tests;

pub use message::{Mail, Message};
pub use view::{AlertsView, WayView};

use async_trait::async_trait;
use secrecy::SecretString;
use std::fmt;
use std::sync::Arc;

pub(crate) use state::alarm;
pub(crate) use wishes::NOBODY;

/// Why something could not be delivered: one sentence, for a merchant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotDelivered(pub String);

/// What carries messages away from here. Addresses are checked before anything is sent to them: those of this machine and
/// of private networks only where the merchant allowed it.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// Sends a mail.
    async fn mail(&self, mail: &Mail) -> Result<(), NotDelivered>;
    /// Posts JSON to an address, or asks it where there is no body.
    async fn call(
        &self,
        url: &SecretString,
        body: Option<Vec<u8>>,
        private: bool,
    ) -> Result<(), NotDelivered>;
}

/// A messenger, where there is one.
#[derive(Clone)]
pub struct Way(pub Arc<dyn Messenger>);

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Way")
    }
}
