//! Backups: every table of one moment and the large bodies they name, as one stream of blocks that are compressed and
//! chained by checksums. Owns the format and its writing, `unpack.rs` the reading; knows no table's meaning, and nothing of
//! where the stream goes.
//!
//! # FORMAT (version 1)
//! - 15 bytes `waybill backup` and a line end, then the version as one byte.
//! - Blocks: a kind byte, the payload's length (4 bytes, big-endian), the payload, 32 bytes of SHA-256 over the checksum
//!   of the block before (of the first 16 bytes for the first one), kind, length and payload. So every byte and the
//!   order of the blocks are covered, and a stream without its end is not whole.
//! - Kinds: 1 manifest (JSON, first), 2 rows (deflate of a table's name and its rows, each with the lengths before it;
//!   every table has one block at least), 3 a piece of a large body (its name, whether it is the last, the bytes),
//!   4 end (JSON, last), 5 the reason why the rest does not come.
//! - The sealing key is not in it; the manifest names it by a checksum.

use crate::error::{OpenError, StoreError};
use crate::migrate::SCHEMA;
use crate::schema::Tab;
use crate::vault::SealKey;
use crate::writer::Hold;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use redb::{ReadTransaction, ReadableDatabase, TableDefinition, TableError, TableHandle};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read as _, Write};
use std::path::Path;
use waybill_model::ids::Millis;

pub(crate) const MAGIC: [u8; 15] = *b"waybill backup\n";
pub(crate) const VERSION: u8 = 1;
/// Rows are gathered up to this before they are packed; large bodies are cut into such pieces.
const BLOCK: usize = 256 * 1024;
/// No block says more, packed or not: a damaged length must not fill the memory.
pub(crate) const LARGEST: usize = 4 * 1024 * 1024;
/// Most memory for cached pages of a database that no agent has open.
const CACHE: usize = 8 * 1024 * 1024;
/// Row that names the installation.
pub(crate) const INSTALL: &[u8] = b"install";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Manifest = 1,
    Rows = 2,
    File = 3,
    End = 4,
    Failed = 5,
}

impl Kind {
    pub(crate) const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Manifest,
            2 => Self::Rows,
            3 => Self::File,
            4 => Self::End,
            5 => Self::Failed,
            _ => return None,
        })
    }
}

/// What a backup says of itself before its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the agent that wrote it.
    pub agent: String,
    /// Which installation it is of; `None`: one from before installations had a name.
    pub install: Option<String>,
    /// The moment it shows.
    pub at: Millis,
    /// Schema version of the database.
    pub schema: u32,
    /// Checksum of the key its secrets are sealed with.
    pub key: String,
}

/// What a backup holds, said at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Rows of every table.
    pub rows: BTreeMap<String, u64>,
    /// Large bodies.
    pub files: u64,
    /// Bytes of rows and large bodies, unpacked.
    pub bytes: u64,
}

impl Totals {
    /// Orders in it.
    pub fn orders(&self) -> u64 {
        self.rows.get(Tab::Orders.name()).copied().unwrap_or(0)
    }
}

/// Why there is no backup, or none that can be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Reading or writing the stream.
    #[error("the backup cannot be read or written")]
    Io(#[from] io::Error),
    /// The database could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Some other file.
    #[error("this is no backup of Waybill")]
    Foreign,
    /// Of a later version of the format.
    #[error("the backup has format {found}, this version reads {VERSION}")]
    Format {
        /// In the file.
        found: u8,
    },
    /// The stream ends before its end.
    #[error("the backup is cut off at byte {at}")]
    Cut {
        /// Where.
        at: u64,
    },
    /// A checksum or a rule of the format is broken.
    #[error("the backup is damaged before byte {at}: {why}")]
    Damaged {
        /// Where it was noticed.
        at: u64,
        /// What does not fit.
        why: String,
    },
    /// Whoever wrote it could not go on.
    #[error("the backup could not be finished: {0}")]
    Failed(String),
    /// A large body that rows name is not what it was.
    #[error("the large body `{0}` is missing or was changed")]
    Body(String),
    /// Its database is of a later version.
    #[error("the backup has schema version {found}, this version of the agent knows up to {known}")]
    Newer {
        /// In the backup.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// The secrets in it are sealed with a key that is not here.
    #[error("the secrets of this backup are sealed with another key than the one of this machine")]
    OtherKey,
    /// No room.
    #[error("{need} bytes are needed in `{folder}`, {free} are free")]
    NoRoom {
        /// Bytes.
        need: u64,
        /// Bytes.
        free: u64,
        /// Where.
        folder: String,
    },
    /// Nothing of that name is kept.
    #[error("no database is kept as `{name}`; kept are: {there}")]
    NotKept {
        /// Asked for.
        name: String,
        /// What there is.
        there: String,
    },
    /// The file system said no.
    #[error("`{what}` cannot be written")]
    File {
        /// A path.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl BackupError {
    /// What a person can do.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Foreign => Some("name a file that `waybill backup` wrote"),
            Self::Cut { .. } | Self::Damaged { .. } => {
                Some("use another backup; this one cannot be trusted in any part")
            }
            Self::Failed(_) => Some("look into the agent's log, then try again"),
            Self::Body(_) => Some("check the disk; `waybill restore` an older backup if it failed"),
            Self::Format { .. } | Self::Newer { .. } => {
                Some("install the version that wrote it, or a newer one")
            }
            Self::OtherKey => Some(
                "bring the key that belongs to the backup (`key-file` of the configuration), or restore with --without-secrets and enter the secrets again",
            ),
            Self::NoRoom { .. } => Some("free some space, then try again; nothing was changed"),
            Self::NotKept { .. } => Some("`waybill restore --list` shows what is kept"),
            Self::Io(_) | Self::File { .. } => Some("check the path, its owner and the free space"),
            Self::Store(error) => error.hint(),
            Self::Open(error) => error.hint(),
        }
    }
}

/// Writes blocks.
struct Chained<W> {
    out: W,
    chain: [u8; 32],
}

pub(crate) fn link(chain: &[u8; 32], kind: u8, payload: &[u8]) -> [u8; 32] {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut hash = Sha256::new();
    hash.update(chain);
    hash.update([kind]);
    hash.update(length.to_be_bytes());
    hash.update(payload);
    hash.finalize().into()
}

impl<W: Write> Chained<W> {
    fn begin(mut out: W) -> io::Result<Self> {
        let head = [MAGIC.as_slice(), &[VERSION]].concat();
        out.write_all(&head)?;
        Ok(Self {
            out,
            chain: Sha256::digest(&head).into(),
        })
    }

    fn block(&mut self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
        self.chain = link(&self.chain, kind as u8, payload);
        self.out.write_all(&[kind as u8])?;
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(payload)?;
        self.out.write_all(&self.chain)
    }

    fn rows(&mut self, raw: &[u8]) -> io::Result<()> {
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(raw)?;
        self.block(Kind::Rows, &packed.finish()?)
    }
}

/// Where a backup comes from.
pub(crate) struct Origin<'o> {
    pub(crate) txn: ReadTransaction,
    pub(crate) spool: Option<&'o Path>,
    pub(crate) key: &'o SealKey,
    pub(crate) agent: &'o str,
    pub(crate) now: Millis,
}

/// Writes a whole backup. When it cannot be finished, its last block says why.
pub(crate) fn write(origin: &Origin<'_>, out: &mut dyn Write) -> Result<Totals, BackupError> {
    let mut chained = Chained::begin(out)?;
    let outcome = content(origin, &mut chained);
    if let Err(error) = &outcome
        && !matches!(error, BackupError::Io(_))
    {
        // Whoever reads is told; the error itself goes to the caller.
        drop(chained.block(Kind::Failed, error.to_string().as_bytes()));
    }
    let totals = outcome?;
    chained.out.flush()?;
    Ok(totals)
}

fn content(origin: &Origin<'_>, out: &mut Chained<&mut dyn Write>) -> Result<Totals, BackupError> {
    let manifest = Manifest {
        agent: origin.agent.to_owned(),
        install: raw(&origin.txn, INSTALL)?.and_then(|b| String::from_utf8(b).ok()),
        at: origin.now,
        schema: raw(&origin.txn, SCHEMA)?
            .and_then(|b| <[u8; 4]>::try_from(b).ok())
            .map_or(0, u32::from_be_bytes),
        key: origin.key.fingerprint(),
    };
    out.block(Kind::Manifest, &json(&manifest)?)?;
    let mut names: Vec<String> = origin
        .txn
        .list_tables()
        .map_err(StoreError::from)?
        .map(|table| table.name().to_owned())
        .collect();
    names.sort_unstable();
    let mut totals = Totals::default();
    for name in names {
        let rows = table(origin, &name, out, &mut totals.bytes)?;
        totals.rows.insert(name, rows);
    }
    if let Some(spool) = origin.spool {
        files(origin, spool, out, &mut totals)?;
    }
    out.block(Kind::End, &json(&totals)?)?;
    Ok(totals)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, BackupError> {
    serde_json::to_vec(value).map_err(|error| BackupError::Io(error.into()))
}

/// A row of `meta`, by its bytes.
fn raw(txn: &ReadTransaction, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    match txn.open_table(Tab::Meta.definition()) {
        Ok(table) => Ok(table.get(key)?.map(|value| value.value().to_vec())),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()
}

fn table(
    origin: &Origin<'_>,
    name: &str,
    out: &mut Chained<&mut dyn Write>,
    total: &mut u64,
) -> Result<u64, BackupError> {
    let definition: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new(name);
    let table = origin
        .txn
        .open_table(definition)
        .map_err(StoreError::from)?;
    let head = [length(name.as_bytes()).as_slice(), name.as_bytes()].concat();
    let mut block = head.clone();
    let (mut rows, mut blocks) = (0, 0);
    for entry in table.range::<&[u8]>(..).map_err(StoreError::from)? {
        let (key, value) = entry.map_err(StoreError::from)?;
        let (key, value) = (key.value(), value.value());
        for part in [&length(key), &length(value), key, value] {
            block.extend_from_slice(part);
        }
        rows += 1;
        *total += (key.len() + value.len()) as u64;
        if block.len() >= BLOCK {
            out.rows(&block)?;
            blocks += 1;
            block.clone_from(&head);
        }
    }
    if block.len() > head.len() || blocks == 0 {
        out.rows(&block)?;
    }
    Ok(rows)
}

fn files(
    origin: &Origin<'_>,
    spool: &Path,
    out: &mut Chained<&mut dyn Write>,
    totals: &mut Totals,
) -> Result<(), BackupError> {
    let table = match origin.txn.open_table(Tab::SpoolFiles.definition()) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        Err(other) => return Err(StoreError::from(other).into()),
    };
    for entry in table.range::<&[u8]>(..).map_err(StoreError::from)? {
        let (key, _) = entry.map_err(StoreError::from)?;
        let name = std::str::from_utf8(key.value())
            .map_err(|_| BackupError::Body(crate::codec::hex(key.value())))?;
        let lost = |_| BackupError::Body(name.to_owned());
        let mut file = std::fs::File::open(spool.join(name)).map_err(lost)?;
        let mut hash = Sha256::new();
        let mut left = file.metadata().map_err(lost)?.len();
        let mut piece = vec![0; BLOCK];
        loop {
            let size = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
            file.read_exact(&mut piece[..size]).map_err(lost)?;
            hash.update(&piece[..size]);
            left -= size as u64;
            totals.bytes += size as u64;
            let head = [length(name.as_bytes()).as_slice(), name.as_bytes()].concat();
            let ends = [u8::from(left == 0)];
            let payload = [head.as_slice(), &ends, &piece[..size]].concat();
            out.block(Kind::File, &payload)?;
            if left == 0 {
                break;
            }
        }
        if crate::codec::hex(&hash.finalize()) != name {
            return Err(BackupError::Body(name.to_owned()));
        }
        totals.files += 1;
    }
    Ok(())
}

/// A backup of a database that no agent has open, whatever its schema version.
pub fn backup_closed(
    file: &Path,
    spool: Option<&Path>,
    key: &SealKey,
    agent: &str,
    now: Millis,
    out: &mut dyn Write,
) -> Result<Totals, BackupError> {
    let mut builder = redb::Database::builder();
    builder.set_cache_size(CACHE);
    let what = file.display().to_string();
    let db = builder
        .open(file)
        .map_err(|error| crate::store::database_error(error, &what))?;
    let origin = Origin {
        txn: db.begin_read().map_err(StoreError::from)?,
        spool,
        key,
        agent,
        now,
    };
    write(&origin, out)
}

impl crate::Store {
    /// Writes a backup of what is committed now, while work goes on. Until it ends the file grows with every commit:
    /// whoever takes the stream must take it quickly.
    pub fn backup(
        &self,
        agent: &str,
        now: Millis,
        out: &mut dyn Write,
    ) -> Result<Totals, BackupError> {
        let engine = self.engine();
        // Before the read begins: from here on no file is removed that it may name.
        let hold = Hold::new(engine);
        let outcome = write(
            &Origin {
                txn: engine.db.begin_read().map_err(StoreError::from)?,
                spool: engine.env.spool.as_deref(),
                key: &engine.env.key,
                agent,
                now,
            },
            out,
        );
        let unneeded = hold.release();
        if !unneeded.is_empty() {
            self.write_blocking(move |tx| tx.forget_files(&unneeded))?;
        }
        outcome
    }
}
