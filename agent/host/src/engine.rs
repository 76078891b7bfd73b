//! The wasmtime engine all connectors share: its configuration, its cache of compiled code, and the ticker that lets
//! busy guests yield. The ticker's thread sleeps while no call runs. It knows no connectors.

use crate::places::{self, Places, Taken};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wasmtime::{Cache, CacheConfig, Config, Engine};

/// How long a guest may run before it yields to the other tasks.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// The engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The folder for compiled code is no place for code.
    #[error("the folder `{}` for compiled code cannot be used: {why}", path.display())]
    CacheFolder {
        /// As given.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// wasmtime does not run here.
    #[error("the machine for connectors does not start: {0}")]
    Machine(String),
    /// No thread for the ticker.
    #[error("no thread could be started: {0}")]
    Thread(#[from] std::io::Error),
}

impl EngineError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::CacheFolder { .. } => Some(
                "whoever can write this folder runs code as the agent: give it to the agent's user with mode 0700",
            ),
            _ => None,
        }
    }
}

/// One engine for the life of the process; clones share it.
#[derive(Clone)]
pub struct HostEngine {
    engine: Engine,
    kept: Option<Cache>,
    ticker: Arc<Ticker>,
    places: Places,
}

impl HostEngine {
    /// Makes the engine. Compiled code is kept in `cache`, a folder made with mode 0700 (or brought to it).
    ///
    /// # Errors
    /// When the folder cannot be made private, or the platform does not run wasmtime.
    pub fn new(cache: Option<&Path>) -> Result<Self, EngineError> {
        let mut config = Config::new();
        // Without the table of where in the file each instruction came from: a trap's sentence names its function.
        config.epoch_interruption(true).generate_address_map(false);
        let kept = cache.map(code_cache).transpose()?;
        config.cache(kept.clone());
        let engine = places::engine(&config).map_err(|e| EngineError::Machine(format!("{e:#}")))?;
        let ticker = Ticker::start(engine.clone())?;
        Ok(Self {
            engine,
            kept,
            ticker,
            places: Places::default(),
        })
    }

    pub(crate) fn wasm(&self) -> &Engine {
        &self.engine
    }

    /// How many connectors this engine compiled and kept, because they were not in its folder. Compiling takes memory
    /// that the process does not give back.
    pub fn compiled(&self) -> usize {
        self.kept.as_ref().map_or(0, Cache::cache_misses)
    }

    /// Waits for room for a call of a component with so many memories.
    pub(crate) async fn place(&self, memories: u32) -> Taken {
        self.places.take(memories).await
    }

    /// Keeps the ticker awake until the guard is dropped.
    pub(crate) fn running(&self) -> Running {
        Running::start(&self.ticker.shared)
    }

    /// How often the ticker has ticked: stands still while no call runs.
    pub fn ticks(&self) -> u64 {
        self.ticker.shared.ticks.load(Ordering::Relaxed)
    }

    /// How many calls run right now.
    pub fn running_calls(&self) -> usize {
        self.ticker.shared.lock().calls
    }
}

fn code_cache(path: &Path) -> Result<Cache, EngineError> {
    let wrong = |why: String| EngineError::CacheFolder {
        path: path.to_owned(),
        why,
    };
    let path = std::path::absolute(path).map_err(|e| wrong(e.to_string()))?;
    private_folder(&path).map_err(|e| wrong(e.to_string()))?;
    let mut config = CacheConfig::new();
    config.with_directory(&path);
    Cache::new(config).map_err(|e| wrong(format!("{e:#}")))
}

#[cfg(unix)]
fn private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn private_folder(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path)
}

struct Ticker {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<Ticks>,
    wake: Condvar,
    ticks: AtomicU64,
}

#[derive(Default)]
struct Ticks {
    calls: usize,
    /// A call began since the last tick. The ticker goes to sleep after a tick without any, not at the end of each call:
    /// waking it costs a call more than ticking once more.
    began: bool,
    asleep: bool,
    closing: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Ticks> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticker {
    fn start(engine: Engine) -> std::io::Result<Arc<Self>> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            wake: Condvar::new(),
            ticks: AtomicU64::new(0),
        });
        let ticking = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("epoch-ticker".to_owned())
            .spawn(move || tick(&engine, &ticking))?;
        Ok(Arc::new(Self { shared }))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_all();
    }
}

fn tick(engine: &Engine, shared: &Shared) {
    let mut state = shared.lock();
    while !state.closing {
        if state.calls == 0 && !state.began {
            state.asleep = true;
            state = shared
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        state.began = false;
        state = shared
            .wake
            .wait_timeout(state, TICK)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        engine.increment_epoch();
        shared.ticks.fetch_add(1, Ordering::Relaxed);
    }
}

/// A call that runs.
pub(crate) struct Running(Arc<Shared>);

impl Running {
    fn start(shared: &Arc<Shared>) -> Self {
        let mut state = shared.lock();
        state.calls += 1;
        state.began = true;
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            shared.wake.notify_all();
        }
        Self(Arc::clone(shared))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.calls = state.calls.saturating_sub(1);
    }
}
