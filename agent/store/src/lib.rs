//! Bytes on disk: one redb file, one writer, every index in the commit of its rows. Never imports wasmtime, hyper,
//! reqwest or WIT types. Read `store.rs` first, then `read.rs`, then the file of a noun.
//!
//! # FORMAT (schema version 8)
//! - One redb file. All tables map bytes to bytes; `schema.rs` names them and says what their keys are made of.
//! - Keys: numbers are big-endian (times with the sign bit flipped, a missing time is the last), text has 0 written as
//!   0 255 and ends with 0 1, an optional part starts with 0 or 1. Keys therefore sort as their parts do.
//! - Rows: a version byte (1), then JSON. Ids ascend, so queues and logs grow at their end.
//! - Bodies (documents, answers of effects, transcripts, webhook requests): a flag byte (1: deflate, 2: in a file), then the bytes, in
//!   chunks of 64,000, 8,000 and 2,000 bytes. With a spool folder, packed bodies over 64,000 bytes are files named by
//!   the SHA-256 of their content, durable before the commit that names them; files nobody names go at the next start.
//! - Secrets: version byte, time, 24 bytes of nonce, XChaCha20-Poly1305 over connection, slot, name and version.
//! - `meta` holds `schema` (4 bytes, big-endian). A newer file is refused; an older one is migrated in one commit.
//! - Commits are durable and two-phase. Under 2 GiB they carry the allocator state, so that a kill costs no repair.

mod access;
mod announced;
mod audit;
mod backfills;
mod backup;
mod batches;
mod bodies;
mod cards;
mod codec;
mod connections;
mod connectors;
mod crosswalk;
mod disk;
mod documents;
mod error;
mod feeds;
mod hints;
mod hooks;
mod items;
mod jobs;
mod journal;
mod kept;
mod kv;
mod levels;
mod links;
mod lists;
mod migrate;
mod named;
mod orders;
mod overlay;
mod places;
mod read;
mod restore;
mod retailers;
mod retention;
pub mod rows;
mod schema;
mod settings;
pub mod sim_disk;
mod stock_change;
mod stock_rows;
mod store;
mod unpack;
mod vault;
mod verify;
mod writer;

#[doc(hidden)]
pub use access::{Access, Env, Visit};
pub use access::{Rx, Tx};
pub use backfills::{BackfillCounts, BackfillLine, BackfillPhase, BackfillRow, Becomes};
pub use backup::{BackupError, Manifest, Totals, backup_closed};
#[doc(hidden)]
pub use codec::Span;
pub use connectors::{AskedRow, BadRow, BuildRow, ConnectorRow, TrialRow, WaitingRow};
pub use error::{OpenError, StoreError};
pub use hints::HintRow;
pub use hooks::{DeliveryRow, HooksRow};
pub use items::CatalogueItem;
pub use kept::{FreeSpace, Home, Kept, Why};
pub use levels::Counted;
pub use lists::Lists;
pub use named::{NamedCountRow, NamedItemRow, NamedQuery, NewNamedItem};
pub use overlay::check_file;
pub use places::{FlowPage, FlowQuery, JOB_WORDS, Standing};
pub use read::Read;
pub use restore::{Outcome, Restore, Restored};
pub use retailers::RetailerRow;
pub use rows::*;
pub use schema::SCHEMA_VERSION;
#[doc(hidden)]
pub use schema::Tab;
pub use stock_rows::{
    Count, Fewer, LevelBatchRow, LevelList, LevelMember, LevelPending, LevelRow, OnHandRow,
    TakenRow,
};
pub use store::{OnRepair, Options, Place, Store, Writer};
pub use unpack::verify_backup;
pub use vault::SealKey;
