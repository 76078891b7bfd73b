//! Restoring: a backup, or a kept database, takes the place of the one in use. Everything is built and checked beside
//! it first; the one that was there is kept. What comes back is marked: its connections are paused until a person lets
//! them go on, and every step of an order from before is in doubt, since it may have happened after the backup.

use crate::access::{Access, Env, Tx};
use crate::backup::{BackupError, Manifest, Totals};
use crate::codec::{ROW_VERSION, Span, corrupt};
use crate::error::{OpenError, StoreError};
use crate::kept::{Home, Kept, RESTORING, SPARE, beside, failed, give_to_owner, private_file};
use crate::schema::{SCHEMA_VERSION, Tab};
use crate::store::{database_error, sync_folder};
use crate::unpack::{Nobody, Taker, walk};
use crate::vault::SealKey;
use redb::{Database, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use waybill_model::ids::Millis;

/// Bytes of rows in one commit of the new database.
const COMMIT: usize = 16 * 1024 * 1024;
const CACHE: usize = 16 * 1024 * 1024;
/// Row of `meta` that says where the database came from.
const RESTORED: &[u8] = b"restored";

/// That a database was restored, and from when it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The moment it shows: what happened later, it does not know.
    pub from: Millis,
    /// When it was restored.
    pub at: Millis,
}

/// Clocks of two machines and of the vendors differ.
const CLOCKS_DIFFER_MS: Millis = 3_600_000;

impl Restored {
    /// Whether steps of something from that time may have happened without this database knowing.
    pub const fn may_know_less_than(&self, began: Millis) -> bool {
        began <= self.at.saturating_add(CLOCKS_DIFFER_MS)
    }
}

/// How to restore.
pub struct Restore<'r> {
    /// Where.
    pub home: &'r Home,
    /// Opens the secrets.
    pub key: &'r SealKey,
    /// Now.
    pub now: Millis,
    /// Whether connections wait for a person.
    pub pause: bool,
    /// Whether the secrets come back.
    pub secrets: bool,
    /// Who does it, for the history.
    pub who: &'r str,
}

/// What was restored.
#[derive(Debug)]
pub struct Outcome {
    /// What it was restored from.
    pub manifest: Manifest,
    /// What was in it.
    pub totals: Totals,
    /// Where the database that was there is now.
    pub kept: Option<Kept>,
}

/// Keeps an agent from opening the database while it is replaced, as long as it lives; refused where one has it open.
/// `None`: there is no database yet.
fn lock(file: &Path) -> Result<Option<File>, BackupError> {
    match File::options().read(true).write(true).open(file) {
        Ok(opened) => match opened.try_lock() {
            Ok(()) => Ok(Some(opened)),
            Err(TryLockError::WouldBlock) => {
                Err(OpenError::InUse(file.display().to_string()).into())
            }
            Err(TryLockError::Error(error)) => Err(failed(file)(error)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(file)(error)),
    }
}

impl Restore<'_> {
    /// Restores a backup. `open` is called twice: all of it is checked before anything is written.
    ///
    /// # Errors
    /// Nothing was changed.
    pub fn backup<R: Read>(
        &self,
        open: impl Fn() -> io::Result<R>,
    ) -> Result<Outcome, BackupError> {
        let home = self.home;
        let lock = lock(&home.file)?;
        let (_, totals) = walk(open()?, |manifest| self.fits(manifest), &mut Nobody)?;
        // Pages are not full, and a growing file is longer than what is in it.
        home.need_room(totals.bytes + totals.bytes / 2 + SPARE)?;
        let new = beside(&home.file, RESTORING);
        let built = self.build(&new, open);
        let (manifest, totals) = match built {
            Ok(built) => built,
            Err(error) => {
                drop(std::fs::remove_file(&new));
                return Err(error);
            }
        };
        let kept = home.replace(&new, self.now)?;
        drop(lock);
        home.tidy()?;
        Ok(Outcome {
            manifest,
            totals,
            kept,
        })
    }

    /// Takes a kept database back.
    ///
    /// # Errors
    /// The database in use is as it was.
    pub fn kept(&self, name: &str) -> Result<Option<Kept>, BackupError> {
        let home = self.home;
        let lock = lock(&home.file)?;
        let at = home
            .kept()?
            .iter()
            .find(|kept| kept.name == name)
            .map(|kept| kept.at);
        let file = home.take(name)?;
        self.mark_file(&file, at.unwrap_or(self.now))?;
        let kept = home.replace(&file, self.now)?;
        drop(lock);
        home.forget(name)?;
        home.tidy()?;
        Ok(kept)
    }

    fn fits(&self, manifest: &Manifest) -> Result<(), BackupError> {
        if manifest.schema > SCHEMA_VERSION {
            return Err(BackupError::Newer {
                found: manifest.schema,
                known: SCHEMA_VERSION,
            });
        }
        if self.secrets && manifest.key != self.key.fingerprint() {
            return Err(BackupError::OtherKey);
        }
        Ok(())
    }

    fn build<R: Read>(
        &self,
        new: &Path,
        open: impl Fn() -> io::Result<R>,
    ) -> Result<(Manifest, Totals), BackupError> {
        drop(private_file(new).map_err(failed(new))?);
        let spool = &self.home.spool;
        std::fs::create_dir_all(spool)
            .and_then(|()| give_to_owner(spool))
            .map_err(failed(spool))?;
        let mut builder = Builder {
            db: database(new)?,
            spool: spool.clone(),
            txn: None,
            bytes: 0,
            part: None,
        };
        let whole = walk(open()?, |manifest| self.fits(manifest), &mut builder)?;
        builder.commit()?;
        self.mark(&builder.db, whole.0.at)?;
        drop(builder);
        (self.home.step)("the new one is built");
        File::open(new)
            .and_then(|file| file.sync_all())
            .and_then(|()| sync_folder(&spool.join("any")))
            .map_err(failed(new))?;
        Ok(whole)
    }

    fn mark_file(&self, file: &Path, from: Millis) -> Result<(), BackupError> {
        self.mark(&database(file)?, from)
    }

    /// Whatever its schema version: these rows are the same in all of them.
    fn mark(&self, db: &Database, from: Millis) -> Result<(), BackupError> {
        let env = Env {
            key: self.key.clone(),
            spool: None,
        };
        let txn = db.begin_write().map_err(StoreError::from)?;
        let mut tx = Tx::new(&txn, &env);
        tx.mark_restored(from, self.pause, self.secrets, self.who, self.now)?;
        drop(tx);
        txn.commit().map_err(StoreError::from)?;
        Ok(())
    }
}

fn database(file: &Path) -> Result<Database, OpenError> {
    let what = file.display().to_string();
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    builder
        .create(file)
        .map_err(|error| database_error(error, &what))
}

impl Tx<'_> {
    /// Marks this database as one that was restored, from a moment in the past.
    #[doc(hidden)]
    pub fn mark_restored(
        &mut self,
        from: Millis,
        pause: bool,
        secrets: bool,
        who: &str,
        now: Millis,
    ) -> Result<(), StoreError> {
        let restored = Restored { from, at: now };
        // One that was restored twice is as old as the older of the two.
        let from = restored_mark(self)?.map_or(from, |earlier| earlier.from.min(from));
        let row = serde_json::to_vec(&Restored { from, ..restored })
            .map_err(|e| corrupt(Tab::Meta.name(), RESTORED, e.to_string()))?;
        self.put_bytes(Tab::Meta, RESTORED, &row)?;
        if pause {
            self.pause_all()?;
        }
        if !secrets {
            for key in self.dynamic().keys(Tab::Vault, &Span::all(), usize::MAX)? {
                self.del(Tab::Vault, &key)?;
            }
        }
        let detail = if pause { "connections paused" } else { "" };
        self.audit(who, "Restored the database", detail, now)
    }

    /// By name of the field, so that rows of other versions keep what this one does not know.
    fn pause_all(&mut self) -> Result<(), StoreError> {
        let table = Tab::Connections;
        for key in self.dynamic().keys(table, &Span::all(), usize::MAX)? {
            let bytes = self.dynamic().bytes(table, &key)?.unwrap_or_default();
            let damaged = |why: String| corrupt(table.name(), &key, why);
            let (_, json) = bytes
                .split_first()
                .ok_or_else(|| damaged("empty row".to_owned()))?;
            let mut row: serde_json::Value =
                serde_json::from_slice(json).map_err(|e| damaged(e.to_string()))?;
            row["paused"] = true.into();
            let mut out = vec![ROW_VERSION];
            serde_json::to_writer(&mut out, &row).map_err(|e| damaged(e.to_string()))?;
            self.put_bytes(table, &key, &out)?;
        }
        Ok(())
    }
}

pub(crate) fn restored_mark(a: &dyn Access) -> Result<Option<Restored>, StoreError> {
    a.bytes(Tab::Meta, RESTORED)?
        .map(|row| {
            serde_json::from_slice(&row)
                .map_err(|e| corrupt(Tab::Meta.name(), RESTORED, e.to_string()))
        })
        .transpose()
}

/// Fills a new database.
struct Builder {
    db: Database,
    spool: PathBuf,
    txn: Option<WriteTransaction>,
    bytes: usize,
    part: Option<File>,
}

impl Builder {
    fn commit(&mut self) -> Result<(), BackupError> {
        self.bytes = 0;
        if let Some(txn) = self.txn.take() {
            txn.commit().map_err(StoreError::from)?;
        }
        Ok(())
    }
}

impl Taker for Builder {
    fn rows(&mut self, table: &str, rows: &[(Vec<u8>, Vec<u8>)]) -> Result<(), BackupError> {
        let txn = match self.txn.take() {
            Some(txn) => txn,
            None => self.db.begin_write().map_err(StoreError::from)?,
        };
        let definition: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new(table);
        let mut open = txn.open_table(definition).map_err(StoreError::from)?;
        for (key, value) in rows {
            open.insert(key.as_slice(), value.as_slice())
                .map_err(StoreError::from)?;
            self.bytes += key.len() + value.len();
        }
        drop(open);
        self.txn = Some(txn);
        if self.bytes > COMMIT {
            self.commit()?;
        }
        Ok(())
    }

    fn file(&mut self, name: &str, last: bool, bytes: &[u8]) -> Result<(), BackupError> {
        let (part, path) = (
            self.spool.join(format!("{name}.part")),
            self.spool.join(name),
        );
        let mut file = match self.part.take() {
            Some(file) => file,
            None => private_file(&part).map_err(failed(&part))?,
        };
        file.write_all(bytes).map_err(failed(&part))?;
        if last {
            file.sync_all()
                .and_then(|()| std::fs::rename(&part, &path))
                .map_err(failed(&path))?;
        } else {
            self.part = Some(file);
        }
        Ok(())
    }
}
