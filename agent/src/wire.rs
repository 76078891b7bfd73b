//! Where the concrete parts are chosen, once: clock, chance, network, database, connectors, engine, listeners. Nothing
//! else in the program makes one of them, and no business rule is here.

use crate::config::{CREDENTIALS_DIRECTORY, Config, WAYBILL_STARTED_OVER, environment};
use crate::key;
use crate::machine::{SeededRng, SystemClock};
use crate::messenger::NetMessenger;
use crate::out::Failure;
use crate::provision;
use crate::rehearsal;
use crate::run;
use crate::shelf::FolderShelf;
use crate::trust;
use anyhow::Context;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use waybill_engine::alert::Way;
use waybill_engine::apply::{self, Difference};
use waybill_engine::hosted::{HostConnectors, Hosting};
use waybill_engine::ports::StorePorts;
use waybill_engine::swap::{self, Started};
use waybill_engine::{Engine, EngineOptions, EngineParts, FreeSpace, Handle};
use waybill_host::budget::Budgets;
use waybill_host::engine::HostEngine;
use waybill_host::generation::Generation;
use waybill_host::limits::Limits;
use waybill_host::load::Loader;
use waybill_host::ports::{Clock, Rng};
use waybill_host::setup::HostPorts;
use waybill_host::trust::Trust;
use waybill_host::wire::NetWire;
use waybill_http::{AdminOptions, People};
use waybill_model::contract::Descriptor;
use waybill_model::ids::{self, Millis};
use waybill_store::{Home, OpenError, Options, Place, SealKey, Store, StoreError};

/// Everything an agent is made of, bound and ready to run.
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) engine: Engine,
    pub(crate) handle: Handle,
    pub(crate) page: TcpListener,
    pub(crate) page_options: AdminOptions,
    pub(crate) people: Arc<People>,
    pub(crate) hooks: Option<TcpListener>,
    pub(crate) socket: UnixListener,
}

/// Makes an agent. Listeners are bound first among what others can see, so that a second agent is told so before it
/// opens anything; the database, which says which builds are in force, comes before the connectors.
pub(crate) async fn build(config: &Config) -> Result<App, Failure> {
    // Fails only where one is installed already, and that one is ours too.
    drop(rustls::crypto::ring::default_provider().install_default());
    let trust = config.trust.load()?;
    for note in trust::notes(config)? {
        tracing::warn!("{note}");
    }
    private_folder(&config.data_dir)?;
    let page = bind(config.listen).await?;
    let hooks = match config.hooks {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let socket = bind_socket(&config.socket).await?;
    let machine = machine(Some(&config.compiled_dir))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let rng: Arc<dyn Rng> = Arc::new(SeededRng::from_machine()?);
    let store = open_store(config)?;
    // Nobody else runs on this data: what is there was left behind.
    rehearsal::wipe(config);
    let hosting = hosting(config, &store, &clock, &rng)?;
    let loader = loader(&machine, trust);
    let shelf = shelf(config, loader, &hosting);
    let connectors = HostConnectors::new(hosting.budgets()).with_shelf(shelf.clone());
    start_connectors(&store, &connectors, clock.now_ms()).await?;
    if machine.compiled() > 0 && environment(WAYBILL_STARTED_OVER).is_none() {
        // Nothing runs yet, and the database is closed. Comes back only where it cannot be done.
        drop((connectors, shelf, hosting));
        store.close().map_err(|error| store_failure(&error))?;
        run::start_over();
        return Err(Failure::hinted(
            "the program could not start itself over".to_owned(),
            "Start it once more: the connectors are compiled now.",
        ));
    }
    shelf.compile_apart(run::compile_apart);
    let (engine, handle) = Engine::open(EngineParts {
        store: store.clone(),
        clock,
        rng,
        connectors: Arc::new(connectors),
        options: EngineOptions {
            hooks: hooks.is_some(),
            free_space: Some(watched(config.data_dir.clone())),
            zone: jiff::tz::TimeZone::system(),
            messenger: way(config)?,
            theatre: rehearsal::theatre(config),
            ..EngineOptions::default()
        },
        observer: None,
    })
    .map_err(|error| store_failure(&error))?;
    let page_options = AdminOptions::new(config.data_dir.join("first-password"));
    let people = People::open(handle.clone(), &page_options).await;
    let people = people.map_err(|error| Failure::Other {
        message: chain(&error),
        hint: error.hint().map(str::to_owned),
    })?;
    Ok(App {
        store,
        engine,
        handle,
        page,
        page_options,
        people,
        hooks,
        socket,
    })
}

/// The network.
fn net(config: &Config) -> Result<Arc<NetWire>, Failure> {
    let wire = NetWire::new(&trusted_roots(config)?).context("the network cannot be used")?;
    Ok(Arc::new(if config.rehearsal {
        wire.on_this_machine()
    } else {
        wire
    }))
}

/// What carries alerts away; a rehearsal has nobody to tell.
fn way(config: &Config) -> Result<Option<Way>, Failure> {
    if config.rehearsal {
        return Ok(None);
    }
    let messenger = NetMessenger::new(net(config)?, trusted_roots(config)?);
    Ok(Some(Way(Arc::new(messenger))))
}

/// What every connector shares: ports over the database, the network, budgets.
pub(crate) fn hosting(
    config: &Config,
    store: &Store,
    clock: &Arc<dyn Clock>,
    rng: &Arc<dyn Rng>,
) -> Result<Hosting, Failure> {
    let over_store = Arc::new(StorePorts::new(store.clone(), Arc::clone(clock)));
    let wire = net(config)?;
    let ports = HostPorts::new(
        over_store.clone(),
        over_store.clone(),
        over_store.clone(),
        over_store.clone(),
        Arc::clone(clock),
        Arc::clone(rng),
        wire,
    );
    // Files are no part of a rehearsal, and this way would lead anywhere.
    let ports = if config.rehearsal {
        ports
    } else {
        ports.with_sftp(over_store, &config.data_dir)
    };
    Ok(Hosting::new(
        ports,
        Arc::new(Budgets::new(Arc::clone(clock))),
    ))
}

fn shelf(config: &Config, loader: Loader, hosting: &Hosting) -> Arc<FolderShelf> {
    Arc::new(FolderShelf::new(
        &config.connectors_dir,
        &config.builds_dir(),
        loader,
        hosting.clone(),
    ))
}

/// Loads the build of each connector that was accepted.
async fn start_connectors(
    store: &Store,
    connectors: &HostConnectors,
    now: Millis,
) -> Result<(), Failure> {
    let started = swap::start(store, connectors, now)
        .await
        .map_err(|error| store_failure(&error))?;
    for Started { what, outcome } in started {
        match outcome {
            Ok(version) => tracing::info!(connector = %what, %version, "Connector loaded."),
            Err(why) => tracing::error!(
                connector = %what, error = %why.reason, hint = why.hint.unwrap_or_default(),
                "Connector not loaded."
            ),
        }
    }
    Ok(())
}

/// Compiles a component into the folder for compiled code.
pub(crate) async fn compile(config: &Config, file: &Path) -> Result<(), Failure> {
    let machine = machine(Some(&config.compiled_dir))?;
    let host = loader(&machine, config.trust.load()?);
    let ended = host.load_file(file, ids::Generation(0)).await;
    ended
        .map(drop)
        .map_err(|error| Failure::other(error.to_string()))
}

fn loader(machine: &HostEngine, trust: Trust) -> Loader {
    Loader::new(machine.clone(), Limits::default(), trust)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::hinted(
            format!("cannot listen on {address}: {error}"),
            "Another program has that port: stop it, or set `listen` in the configuration.",
        )
    })
}

fn trusted_roots(config: &Config) -> Result<Vec<u8>, Failure> {
    let Some(file) = &config.trusted_roots else {
        return Ok(Vec::new());
    };
    std::fs::read(file).map_err(|error| {
        Failure::hinted(
            format!(
                "`trusted-roots` `{}` cannot be read: {error}",
                file.display()
            ),
            "Name a PEM file with the certificates of the authorities.",
        )
    })
}

pub(crate) fn private_folder(path: &Path) -> anyhow::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make the folder `{}`", path.display()))
}

/// A socket that an agent left behind when it was killed is taken over; one that somebody answers is not.
async fn bind_socket(path: &Path) -> Result<UnixListener, Failure> {
    let shown = path.display();
    if UnixStream::connect(path).await.is_ok() {
        return Err(Failure::hinted(
            format!("another agent answers at `{shown}`"),
            "Stop it first, or give this one its own `socket` and `data-dir`.",
        ));
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(Failure::other(format!("cannot replace `{shown}`: {error}")));
        }
        _ => {}
    }
    let cannot = || format!("cannot listen on `{shown}`");
    let listener = UnixListener::bind(path).with_context(cannot)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).with_context(cannot)?;
    Ok(listener)
}

/// The key that seals secrets; `needed`: it is not made anew.
pub(crate) fn seal_key(config: &Config, needed: bool) -> Result<SealKey, Failure> {
    let credentials = environment(CREDENTIALS_DIRECTORY).map(PathBuf::from);
    Ok(key::load_or_create(
        &config.data_dir,
        credentials.as_deref(),
        config.key_file.as_deref(),
        needed,
    )?)
}

/// Where the database and what is kept beside it lie.
pub(crate) fn home(config: &Config) -> Home {
    let kept = config.data_dir.join("kept");
    Home::new(config.store_file(), config.spool_dir(), kept, free_space)
}

/// Bytes that the agent may still write in a folder.
fn free_space(folder: &Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail * disk.f_frsize)
}

/// The disk under the data folder.
fn watched(data_dir: PathBuf) -> FreeSpace {
    FreeSpace(Arc::new(move || free_space(&data_dir)))
}

fn open_store(config: &Config) -> Result<Store, Failure> {
    let file = config.store_file();
    let key = seal_key(config, file.exists())?;
    let options = Options {
        cache_bytes: config.store_cache_bytes,
        spool_dir: Some(config.spool_dir()),
        snapshot: Some((home(config), SystemClock.now_ms())),
        ..Options::new(Place::File(file), key)
    };
    Store::open(options).map_err(|error| open_failure(&error))
}

fn open_failure(error: &OpenError) -> Failure {
    Failure::Other {
        message: chain(error),
        hint: error.hint().map(str::to_owned),
    }
}

fn store_failure(error: &StoreError) -> Failure {
    Failure::Other {
        message: error.to_string(),
        hint: error.hint().map(str::to_owned),
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

/// A file of the connectors folder.
#[derive(Clone)]
pub(crate) struct Found {
    /// The file.
    pub(crate) path: PathBuf,
    /// The connector in it; or why there is none, and what to do.
    pub(crate) loaded: Result<Arc<Generation>, (String, Option<String>)>,
}

/// Loads every `*.wasm` of the connectors folder, by name. Of two files with the same connector the first counts. No
/// folder is no connectors. Compiled code is not kept.
pub(crate) async fn load_connectors(config: &Config) -> Result<Vec<Found>, Failure> {
    load_with(config, &machine(None)?, config.trust.load()?).await
}

/// What connectors are compiled and run with.
pub(crate) fn machine(compiled_dir: Option<&Path>) -> Result<HostEngine, Failure> {
    HostEngine::new(compiled_dir).map_err(|error| Failure::Other {
        message: error.to_string(),
        hint: error.hint().map(str::to_owned),
    })
}

async fn load_with(
    config: &Config,
    machine: &HostEngine,
    trust: Trust,
) -> Result<Vec<Found>, Failure> {
    let folder = &config.connectors_dir;
    let mut paths = Vec::new();
    match std::fs::read_dir(folder) {
        Ok(entries) => {
            for entry in entries {
                let path = entry.map_err(anyhow::Error::from)?.path();
                if path
                    .extension()
                    .is_some_and(|extension| extension == "wasm")
                {
                    paths.push(path);
                }
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => {
            return Err(Failure::other(format!(
                "the connectors folder `{}` cannot be read: {error}",
                folder.display()
            )));
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let host = loader(machine, trust);
    let mut found: Vec<Found> = Vec::new();
    for (number, path) in (1..).zip(paths) {
        let loaded = host.load_file(&path, ids::Generation(number)).await;
        let loaded = match loaded {
            Ok(generation) => match same_id(&found, &generation) {
                Some(first) => Err((
                    format!(
                        "`{}` holds connector `{}` already",
                        first.display(),
                        generation.descriptor().id
                    ),
                    Some("Remove one of the two files.".to_owned()),
                )),
                None => Ok(generation),
            },
            Err(error) => Err((error.to_string(), error.hint())),
        };
        found.push(Found { path, loaded });
    }
    Ok(found)
}

fn same_id<'f>(found: &'f [Found], generation: &Generation) -> Option<&'f Path> {
    let same = found.iter().find(|other| {
        let other = other.loaded.as_ref();
        other.is_ok_and(|other| other.descriptor().id == generation.descriptor().id)
    });
    same.map(|other| other.path.as_path())
}

/// What the loaded connectors say of themselves.
pub(crate) fn descriptors(found: &[Found]) -> Vec<Descriptor> {
    let loaded = found.iter().filter_map(|found| found.loaded.as_ref().ok());
    loaded
        .map(|generation| generation.descriptor().clone())
        .collect()
}

/// The data folder of a stopped agent, for `apply --offline`.
pub(crate) struct Offline {
    store: Store,
    descriptors: Vec<Descriptor>,
}

impl Offline {
    /// Opens the database and reads the connectors. Fails while an agent runs on it.
    pub(crate) async fn open(config: &Config) -> Result<Self, Failure> {
        private_folder(&config.data_dir)?;
        let found = load_connectors(config).await?;
        Ok(Self {
            store: open_store(config)?,
            descriptors: descriptors(&found),
        })
    }

    /// What the running agent would answer.
    pub(crate) async fn apply(
        &self,
        file: &provision::File,
        dry_run: bool,
    ) -> Result<Difference, Failure> {
        let named = |mistakes| Failure::mistakes(&file.name, mistakes);
        let mut plan = apply::parse(&file.text, &file.inputs).map_err(named)?;
        let existing = self
            .store
            .read(apply::existing)
            .map_err(|error| store_failure(&error))?;
        let mistakes = plan.check_beside(&self.descriptors, &existing);
        if !mistakes.is_empty() {
            return Err(named(mistakes));
        }
        plan.fill_titles(&self.descriptors);
        let difference = if dry_run {
            self.store.read(|rx| apply::difference(&plan, rx))
        } else {
            apply::run(
                &self.store,
                plan,
                "waybill apply --offline",
                SystemClock.now_ms(),
            )
            .await
        };
        difference.map_err(|error| store_failure(&error))
    }

    /// The connections, by name, with the id of the connector of each.
    pub(crate) fn connections(&self) -> Result<BTreeMap<String, String>, Failure> {
        let connections = self.store.read(apply::existing);
        connections.map_err(|error| store_failure(&error))
    }

    /// Closes the database.
    pub(crate) fn close(self) -> Result<(), Failure> {
        self.store.close().map_err(|error| store_failure(&error))
    }
}
