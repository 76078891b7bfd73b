//! Opening, writing, reading, closing. Owns the handle; `writer.rs` owns the commits, `migrate.rs` the schema version.

use crate::access::{Env, Rx, Tx};
use crate::disk::{Counted, Meter};
use crate::error::{OpenError, StoreError};
use crate::kept::{Home, Kept};
use crate::overlay::Overlay;
use crate::rows::Stats;
use crate::vault::SealKey;
use crate::writer::{Allowance, Engine, Pending, QUEUE, Quick, Reply, Request};
use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageBackend, StorageError};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use waybill_model::ids::Millis;

/// Asked during a repair with its progress from 0 to 1; `false` stops it, and the opening fails.
pub type OnRepair = Box<dyn Fn(f64) -> bool + Send + Sync>;

/// How to open a store.
pub struct Options {
    /// Where it is.
    pub place: Place,
    /// Most memory for cached pages.
    pub cache_bytes: usize,
    /// Who runs the writes.
    pub writer: Writer,
    /// Seals the secrets.
    pub key: SealKey,
    /// Folder for bodies over 64,000 bytes; `None` keeps them in the database.
    pub spool_dir: Option<PathBuf>,
    /// Up to this length of the file every commit also writes which pages are free, so that opening after a kill is as
    /// quick as after a close. It costs some 100 kB a commit and GiB of the file.
    pub quick_repair_below: u64,
    /// With a longer file, so many commits may do so one behind the other, and one more each second.
    pub quick_repairs: u32,
    /// When they are used up, its writer does so once nothing came for that long; a kill before that costs a walk through
    /// the file.
    pub settle_after: Option<Duration>,
    /// Where a snapshot goes before an older schema is migrated, and the time of it; `None`: there is none.
    pub snapshot: Option<(Home, Millis)>,
    /// Watches and bounds a repair after an unclean stop.
    pub on_repair: Option<OnRepair>,
}

impl Options {
    /// The usual: 8 MiB of cache, a writer thread, no spool folder; every commit makes opening quick up to 512 MiB; above
    /// 16 in a row, then a quarter of a second of quiet.
    pub fn new(place: Place, key: SealKey) -> Self {
        Self {
            place,
            cache_bytes: 8 * 1024 * 1024,
            writer: Writer::Thread,
            key,
            spool_dir: None,
            quick_repair_below: 512 * 1024 * 1024,
            quick_repairs: 16,
            settle_after: Some(Duration::from_millis(250)),
            snapshot: None,
            on_repair: None,
        }
    }
}

/// Where a store is.
pub enum Place {
    /// A file, made when it is missing.
    File(PathBuf),
    /// A file that stays as it is: what is written is in memory, and gone with the store.
    Untouched(PathBuf),
    /// Anything that stores bytes.
    Backend(Box<dyn StorageBackend>),
}

/// Who runs the writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// A thread that groups commits.
    Thread,
    /// The caller, one commit each: for simulations.
    Inline,
}

/// An open store. Clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    engine: Arc<Engine>,
    gate: Gate,
    found_schema: u32,
}

enum Gate {
    Inline {
        turn: Mutex<()>,
        closed: AtomicBool,
    },
    Thread {
        queue: Mutex<Option<Sender<Box<dyn Request>>>>,
        thread: Mutex<Option<JoinHandle<()>>>,
    },
}

impl Store {
    /// Opens a store: makes it when it is missing, migrates an older one, refuses a newer one.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let what = match &options.place {
            Place::File(path) | Place::Untouched(path) => path.display().to_string(),
            Place::Backend(_) => "backend".to_owned(),
        };
        let untouched = matches!(options.place, Place::Untouched(_));
        if let Some(dir) = options.spool_dir.as_ref().filter(|_| !untouched) {
            std::fs::create_dir_all(dir).map_err(|source| OpenError::Io {
                what: dir.display().to_string(),
                source,
            })?;
        }
        let env = Arc::new(Env {
            key: options.key,
            spool: options.spool_dir,
        });
        let mut builder = Database::builder();
        builder.set_cache_size(options.cache_bytes);
        if let Some(on_repair) = options.on_repair {
            builder.set_repair_callback(move |repair| {
                if !on_repair(repair.progress()) {
                    repair.abort();
                }
            });
        }
        let quick = Quick {
            below: options.quick_repair_below,
            in_a_row: options.quick_repairs,
            after: options.settle_after,
        };
        let backend = backend_of(options.place, &builder, &env, quick, &what)?;
        let mut engine = start(backend, &builder, Arc::clone(&env), quick, &what)?;
        let older = crate::migrate::older(&engine)?;
        if let (Some((home, now)), Some(found)) = (&options.snapshot, older) {
            // What is copied is a closed file.
            drop(engine);
            let kept = home.snapshot(found, *now).map_err(OpenError::snapshot)?;
            let backend = file_backend(&home.file, &what)?;
            engine = start(backend, &builder, env, quick, &what)?;
            (home.step)("the database is open to be brought up");
            brought_up(&engine, home, &kept, found)?;
        }
        let engine = Arc::new(engine);
        let prepared = crate::migrate::prepare(&engine)?;
        let found_schema = older.unwrap_or(prepared);
        if let Some((home, _)) = &options.snapshot
            && let Err(error) = home.tidy()
        {
            // It costs space, not an order.
            tracing::warn!(%error, "Kept databases could not be tidied.");
        }
        if !untouched {
            crate::bodies::sweep(&engine)?;
        }
        let gate = match options.writer {
            Writer::Inline => Gate::Inline {
                turn: Mutex::new(()),
                closed: AtomicBool::new(false),
            },
            Writer::Thread => {
                let (queue, requests) = channel();
                let running = Arc::clone(&engine);
                let thread = std::thread::Builder::new()
                    .name("store-writer".to_owned())
                    .spawn(move || running.run(&requests))
                    .map_err(|source| OpenError::Io { what, source })?;
                Gate::Thread {
                    queue: Mutex::new(Some(queue)),
                    thread: Mutex::new(Some(thread)),
                }
            }
        };
        Ok(Self(Arc::new(Inner {
            engine,
            gate,
            found_schema,
        })))
    }

    /// Runs `f` in a write transaction and returns after its durable commit. All that `f` does is one commit, or
    /// nothing. `f` may run more than once: when another member of its group fails, the group is redone one by one.
    pub async fn write<R, F>(&self, f: F) -> Result<R, StoreError>
    where
        F: Fn(&mut Tx<'_>) -> Result<R, StoreError> + Send + Sync + 'static,
        R: Send + 'static,
    {
        if let Gate::Inline { turn, closed } = &self.0.gate {
            return self.0.inline(turn, closed, &f);
        }
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.0.send(f, Reply::Task(reply))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// As `write`, for start-up and tools: blocks the thread.
    pub fn write_blocking<R, F>(&self, f: F) -> Result<R, StoreError>
    where
        F: Fn(&mut Tx<'_>) -> Result<R, StoreError> + Send + Sync + 'static,
        R: Send + 'static,
    {
        if let Gate::Inline { turn, closed } = &self.0.gate {
            return self.0.inline(turn, closed, &f);
        }
        let (reply, answer) = sync_channel(1);
        self.0.send(f, Reply::Thread(reply))?;
        answer.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Runs `f` on what is committed now. Keep it short: a read held open makes the file grow.
    pub fn read<R>(&self, f: impl FnOnce(&Rx) -> Result<R, StoreError>) -> Result<R, StoreError> {
        let txn = self.0.engine.db.begin_read()?;
        f(&Rx::new(txn, Arc::clone(&self.0.engine.env)))
    }

    /// Whether it writes where it is asked, without a thread of its own.
    pub fn is_inline(&self) -> bool {
        matches!(self.0.gate, Gate::Inline { .. })
    }

    /// What the store has done since it was opened.
    pub fn stats(&self) -> Stats {
        let engine = &self.0.engine;
        let (commits_within, commit_micros) = engine.meter.commit_times();
        Stats {
            commits: engine.commits.load(Ordering::Relaxed),
            writes: engine.writes.load(Ordering::Relaxed),
            syncs: engine.meter.syncs.load(Ordering::Relaxed),
            bytes: engine.meter.bytes.load(Ordering::Relaxed),
            file_bytes: engine.meter.length.load(Ordering::Relaxed),
            commits_within,
            commit_micros,
        }
    }

    /// The schema version the file had when it was opened.
    pub fn found_schema(&self) -> u32 {
        self.0.found_schema
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Whether a disk failure stopped all writes: open it again, or exit.
    pub fn is_poisoned(&self) -> bool {
        self.0.engine.poisoned.load(Ordering::Acquire)
    }

    /// Every place where an index, a counter or a reference differs from the rows. Reads everything: for tests and
    /// support, not for a running agent.
    pub fn verify(&self) -> Result<Vec<String>, StoreError> {
        self.read(|rx| crate::verify::verify(rx))
    }

    /// Finishes the waiting writes, then takes no more. Clones answer `Closed` to writes afterwards.
    pub fn close(self) -> Result<(), StoreError> {
        self.0.stop();
        Ok(())
    }
}

impl Inner {
    fn inline<R, F>(&self, turn: &Mutex<()>, closed: &AtomicBool, f: &F) -> Result<R, StoreError>
    where
        F: Fn(&mut Tx<'_>) -> Result<R, StoreError>,
    {
        // A panic of an earlier closure was contained; the turn guards no data.
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        if closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        self.engine.inline(f)
    }

    fn send<R, F>(&self, f: F, reply: Reply<R>) -> Result<(), StoreError>
    where
        F: Fn(&mut Tx<'_>) -> Result<R, StoreError> + Send + 'static,
        R: Send + 'static,
    {
        let Gate::Thread { queue, .. } = &self.gate else {
            return Err(StoreError::Closed);
        };
        let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else {
            return Err(StoreError::Closed);
        };
        if self.engine.waiting.fetch_add(1, Ordering::Relaxed) >= QUEUE {
            self.engine.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(StoreError::Busy);
        }
        let request = Pending {
            f,
            result: None,
            reply: Some(reply),
        };
        queue
            .send(Box::new(request))
            .map_err(|_| StoreError::Closed)
    }

    fn stop(&self) {
        match &self.gate {
            Gate::Inline { turn, closed } => {
                let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                closed.store(true, Ordering::Release);
            }
            Gate::Thread { queue, thread } => {
                drop(queue.lock().unwrap_or_else(PoisonError::into_inner).take());
                let thread = thread.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(thread) = thread
                    && thread.thread().id() != std::thread::current().id()
                    && thread.join().is_err()
                {
                    tracing::error!("The store's writer ended with a panic.");
                }
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The database over a backend, counted.
fn start(
    inner: Box<dyn StorageBackend>,
    builder: &Builder,
    env: Arc<Env>,
    quick: Quick,
    what: &str,
) -> Result<Engine, OpenError> {
    let meter = Arc::new(Meter::default());
    let counted = Counted {
        inner,
        meter: Arc::clone(&meter),
    };
    let db = builder
        .create_with_backend(counted)
        .map_err(|e| database_error(e, what))?;
    Ok(Engine {
        db,
        env,
        meter,
        quick,
        allowance: Mutex::new(Allowance::full(quick)),
        slow_to_open: AtomicBool::new(false),
        commits: AtomicU64::new(0),
        writes: AtomicU64::new(0),
        waiting: AtomicUsize::new(0),
        poisoned: AtomicBool::new(false),
        holds: AtomicUsize::new(0),
        held: Mutex::new(Vec::new()),
    })
}

/// Brings an older database up and says how to go back.
fn brought_up(engine: &Engine, home: &Home, kept: &Kept, found: u32) -> Result<(), OpenError> {
    let name = kept.name.as_str();
    if let Err(error) = crate::migrate::prepare(engine) {
        tracing::error!(
            kept = name,
            schema = found,
            "The database could not be brought up. It is as it was: install the version before."
        );
        return Err(error);
    }
    (home.step)("the database is brought up");
    tracing::info!(
        schema = found,
        now = crate::SCHEMA_VERSION,
        kept = name,
        way_back = format!("waybill restore --kept {name}"),
        "The database was brought up to this version. The way back: stop the service, run the command, install the \
         version before."
    );
    Ok(())
}

/// Where the bytes of a store lie; a missing file is made.
fn backend_of(
    place: Place,
    builder: &Builder,
    env: &Arc<Env>,
    quick: Quick,
    what: &str,
) -> Result<Box<dyn StorageBackend>, OpenError> {
    let io = |source| OpenError::Io {
        what: what.to_owned(),
        source,
    };
    Ok(match place {
        Place::File(path) => {
            if !path.exists() {
                create_file(&path, builder, env, quick)?;
            }
            file_backend(&path, what)?
        }
        Place::Untouched(path) => Box::new(Overlay::open(&path).map_err(io)?),
        Place::Backend(backend) => {
            forget_unborn(backend.as_ref()).map_err(io)?;
            backend
        }
    })
}

/// Makes a new store beside its place and moves it there when it is whole: a stop on the way leaves no half a store.
fn create_file(
    path: &Path,
    builder: &Builder,
    env: &Arc<Env>,
    quick: Quick,
) -> Result<(), OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let unborn = PathBuf::from(name);
    let what = unborn.display().to_string();
    let io_error = |source| OpenError::Io {
        what: what.clone(),
        source,
    };
    if unborn.exists() {
        std::fs::remove_file(&unborn).map_err(io_error)?;
    }
    let engine = start(
        file_backend(&unborn, &what)?,
        builder,
        Arc::clone(env),
        quick,
        &what,
    )?;
    crate::migrate::prepare(&engine)?;
    drop(engine);
    std::fs::rename(&unborn, path).map_err(io_error)?;
    sync_folder(path).map_err(io_error)
}

/// The magic number is written after the first sync. A backend without it stopped before that and holds nothing;
/// files are made beside their place instead, so that no file of somebody else is ever emptied.
fn forget_unborn(backend: &dyn StorageBackend) -> io::Result<()> {
    let mut magic = [0; 9];
    if backend.len()? >= 9 {
        backend.read(0, &mut magic)?;
    }
    if magic == [0; 9] && backend.len()? > 0 {
        backend.set_len(0)?;
    }
    Ok(())
}

fn file_backend(path: &Path, what: &str) -> Result<Box<dyn StorageBackend>, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|source| OpenError::Io {
        what: what.to_owned(),
        source,
    })?;
    let backend = redb::backends::FileBackend::new(file).map_err(|e| database_error(e, what))?;
    Ok(Box::new(backend))
}

/// Makes a new name in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

pub(crate) fn database_error(error: DatabaseError, what: &str) -> OpenError {
    let what = what.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(what),
        DatabaseError::RepairAborted => OpenError::RepairAborted,
        DatabaseError::Storage(StorageError::Io(source))
            if source.kind() != io::ErrorKind::InvalidData =>
        {
            OpenError::Io { what, source }
        }
        other => OpenError::Damaged {
            what,
            why: other.to_string(),
        },
    }
}
