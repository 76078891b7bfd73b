//! What swapping asks of the outside: loaded builds, and the folder and the kept copies they are loaded from. Components
//! and files in a shipped agent, scripts in tests.

use crate::connectors::Binding;
use async_trait::async_trait;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use waybill_host::connector::Connector;
use waybill_model::contract::{Descriptor, Role};
use waybill_model::grant::Grant;
use waybill_model::ids::Generation;

/// A loaded build: proven and described, bound to nobody yet.
pub trait Build: Send + Sync {
    /// SHA-256 of the component, in hexadecimal digits.
    fn hash(&self) -> &str;
    /// Its number.
    fn generation(&self) -> Generation;
    /// What it says of itself.
    fn descriptor(&self) -> &Descriptor;
    /// What it exports.
    fn roles(&self) -> &BTreeSet<Role>;
    /// What it imports.
    fn permissions(&self) -> &BTreeSet<String>;
    /// Who signed it, for people; `None`: nobody.
    fn signer(&self) -> Option<String>;
    /// What a call of it may use at most.
    fn limits(&self) -> BuildLimits;
    /// Binds it to a connection.
    ///
    /// # Errors
    /// A sentence for the page: a setting makes no address.
    fn bind(&self, binding: Binding) -> Result<Arc<dyn Connector>, String>;
    /// Whether it was taken back: then its calls under way should end soon.
    fn set_left(&self, _left: bool) {}
}

/// What a build asks for.
pub(crate) fn asked(build: &dyn Build) -> Grant {
    Grant::asked(build.descriptor(), build.permissions(), build.roles())
}

/// What one call may use at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BuildLimits {
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of a request's body.
    pub request_body: u64,
    /// Bytes of an answer's body.
    pub answer_body: u64,
    /// Web requests.
    pub requests: u64,
}

/// A component file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub file: String,
    /// SHA-256 of its content; or why it cannot be read.
    pub hash: Result<String, String>,
}

/// Why a file or a build was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// One sentence.
    pub reason: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Refusal {
    /// A refusal with a hint.
    pub fn hinted(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            hint: Some(hint.into()),
        }
    }
}

/// The folder of components, and the copies of those that were accepted. Copies are named by their content.
#[async_trait]
pub trait Shelf: Send + Sync {
    /// The component files of the folder, by name.
    async fn files(&self) -> Result<Vec<Seen>, Refusal>;
    /// Copies a file of the folder to the kept ones. Its hash; the copy is durable by then.
    async fn take(&self, file: &str) -> Result<String, Refusal>;
    /// Whether a copy is kept.
    async fn keeps(&self, hash: &str) -> bool;
    /// Loads a kept copy.
    async fn load(&self, hash: &str, generation: Generation) -> Result<Arc<dyn Build>, Refusal>;
    /// Removes every copy but these.
    async fn keep_only(&self, hashes: BTreeSet<String>);
}
