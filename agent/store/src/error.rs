//! What can go wrong, by operation: opening, and everything after. Owns no recovery; it names the way on in a hint.

use crate::backup::BackupError;
use std::io;
use std::sync::Arc;

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("`{0}` is in use by another process")]
    InUse(String),
    /// Written by a newer version of the agent.
    #[error("the store has schema version {found}, this agent knows up to {known}")]
    Newer {
        /// In the file.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// The repair callback said stop.
    #[error("the repair after an unclean stop was cut short")]
    RepairAborted,
    /// The file system said no.
    #[error("`{what}` could not be opened")]
    Io {
        /// A path.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not a store, or its pages are damaged.
    #[error("`{what}` is damaged or not a store: {why}")]
    Damaged {
        /// A path.
        what: String,
        /// Why.
        why: String,
    },
    /// No snapshot could be kept before a migration, or what is kept could not be tidied.
    #[error("the snapshot before the upgrade could not be kept; the database is as it was")]
    Snapshot(#[source] Box<BackupError>),
    /// Reading or writing rows while opening.
    #[error("the store could not be prepared")]
    Rows(#[from] StoreError),
}

impl OpenError {
    pub(crate) fn snapshot(error: BackupError) -> Self {
        Self::Snapshot(Box::new(error))
    }

    /// What a person can do.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::InUse(_) => Some("stop the other agent, or ask it through its socket"),
            Self::Newer { .. } => Some(
                "install the newer agent again, or restore the snapshot made before the upgrade",
            ),
            Self::RepairAborted => Some("start again with more time"),
            Self::Io { .. } => Some("check the path, its owner and the free space"),
            Self::Damaged { .. } => Some("restore the last backup; keep the damaged file"),
            Self::Snapshot(_) => {
                Some("free some space, then start again; or install the version before")
            }
            Self::Rows(_) => None,
        }
    }
}

/// Why a read or a write did not happen. A write that failed left nothing behind.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Too many writes wait already.
    #[error("too many writes are waiting")]
    Busy,
    /// The disk failed now.
    #[error("the disk failed: {0}")]
    Io(Arc<io::Error>),
    /// A large body could not be written beside the database. The database itself goes on.
    #[error("a body could not be written to the spool folder: {0}")]
    Spool(Arc<io::Error>),
    /// The disk failed before: the handle takes no more writes.
    #[error("an earlier disk failure stopped all writes")]
    Poisoned,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A row does not say what it should.
    #[error("`{table}` is damaged at {key}: {why}")]
    Corrupt {
        /// Name of the table.
        table: &'static str,
        /// In hexadecimal.
        key: String,
        /// Why.
        why: String,
    },
    /// The database engine refused.
    #[error("the database refused: {0}")]
    Database(String),
    /// No such thing.
    #[error("`{what}` does not exist")]
    NotFound {
        /// For example `job 12`.
        what: String,
    },
    /// It contradicts what is stored.
    #[error("{0}")]
    Conflict(String),
    /// A secret could not be sealed or opened.
    #[error("{0}")]
    Sealed(String),
    /// The closure panicked; its write was undone.
    #[error("a write panicked: {0}")]
    Panicked(String),
}

impl StoreError {
    /// What a person can do.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io(_) | Self::Poisoned => Some("free some space or check the disk, then restart"),
            Self::Spool(_) => Some("free some space and check the owner of the spool folder"),
            Self::Corrupt { .. } => Some("restore the last backup; keep the damaged file"),
            Self::Sealed(_) => {
                Some("start with the key the secrets were sealed with, or enter them again")
            }
            _ => None,
        }
    }

    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::NotFound { what: what.into() }
    }
}

impl From<redb::StorageError> for StoreError {
    fn from(error: redb::StorageError) -> Self {
        match error {
            redb::StorageError::Io(io) => Self::Io(Arc::new(io)),
            redb::StorageError::PreviousIo => Self::Poisoned,
            redb::StorageError::DatabaseClosed => Self::Closed,
            other => Self::Database(other.to_string()),
        }
    }
}

impl From<redb::TransactionError> for StoreError {
    fn from(error: redb::TransactionError) -> Self {
        match error {
            redb::TransactionError::Storage(storage) => storage.into(),
            other => Self::Database(other.to_string()),
        }
    }
}

impl From<redb::TableError> for StoreError {
    fn from(error: redb::TableError) -> Self {
        match error {
            redb::TableError::Storage(storage) => storage.into(),
            other => Self::Database(other.to_string()),
        }
    }
}

impl From<redb::CommitError> for StoreError {
    fn from(error: redb::CommitError) -> Self {
        match error {
            redb::CommitError::Storage(storage) => storage.into(),
            // A panic inside the engine: it takes no writes until it is opened again.
            redb::CommitError::TransactionPoisoned => Self::Poisoned,
            other => Self::Database(other.to_string()),
        }
    }
}
