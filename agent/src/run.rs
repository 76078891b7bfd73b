//! `waybill run`: build, tell the service manager, wait for a signal, drain, close. And `waybill demo`, which hands
//! over to the sandbox beside this program.

use crate::cli::Demo;
use crate::config::{Config, WAYBILL_COMPILE, WAYBILL_STARTED_OVER, environment};
use crate::out::Failure;
use crate::service::{self, Signals, Tasks};
use crate::watch::{self, Folder};
use crate::wire::App;
use crate::{logging, wire};
use sd_notify::NotifyState;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use waybill_engine::{Engine, Handle};
use waybill_store::Store;

/// Threads that everything but blocking work shares.
const WORKERS: usize = 2;
/// Name of the sandbox's program.
pub(crate) const SANDBOX: &str = "waybill-sandbox";

/// Runs an agent until it is told to stop, or cannot go on.
pub(crate) fn agent(config: &Config) -> Result<(), Failure> {
    if let Some(file) = environment(WAYBILL_COMPILE) {
        return compile(config, Path::new(&file));
    }
    logging::start(config)?;
    // Work waits for vendors, not for processors; every further thread costs memory.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build();
    runtime
        .map_err(anyhow::Error::from)?
        .block_on(serve(config))
}

async fn serve(config: &Config) -> Result<(), Failure> {
    let mut signals = Signals::listen().map_err(anyhow::Error::from)?;
    if config.rehearsal {
        signals.end_with_stdin();
    }
    let app = tokio::select! {
        app = wire::build(config) => app?,
        signal = signals.next() => {
            tracing::info!(signal, "Told to stop while starting.");
            return Ok(());
        }
    };
    let listening = CancellationToken::new();
    let working = CancellationToken::new();
    let mut tasks = Tasks::default();
    let (engine, store) = start_others(&mut tasks, app, config, &listening);
    let stop = working.clone();
    tasks.spawn("engine", async move {
        engine.run(stop).await.map_err(|e| told(&e))
    });
    tasks.spawn("watchdog", {
        let stop = working.clone();
        async move {
            service::watchdog(stop).await;
            Ok(())
        }
    });
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"), socket = %config.socket.display(), "Agent started."
    );
    service::tell(&[NotifyState::Ready, NotifyState::Status("Running.")]);

    let outcome = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, "Told to stop.");
            Ok(())
        }
        ended = tasks.next() => {
            let (task, ended) = ended.unwrap_or(("task", Ok(())));
            let why = ended.err().unwrap_or_else(|| "it ended by itself".to_owned());
            tracing::error!(task, error = %why, "A part of the agent ended, so all of it stops.");
            Err(Failure::other(format!("the {task} stopped: {why}")))
        }
    };

    service::tell(&[NotifyState::Stopping, NotifyState::Status("Stopping.")]);
    listening.cancel();
    working.cancel();
    let left = tasks.drain(config.grace, signals.next()).await;
    if !left.is_empty() {
        tracing::warn!(
            left = left.join(", "),
            "Stopped before all work had ended; it is repeated at the next start."
        );
    }
    // The next start replaces a socket that stays behind.
    drop(std::fs::remove_file(&config.socket));
    close(store).await;
    outcome
}

/// Starts what listens, watches and tells, all but the engine.
fn start_others(
    tasks: &mut Tasks,
    app: App,
    config: &Config,
    listening: &CancellationToken,
) -> (Engine, Store) {
    let watched = watch_folder(config, app.handle.clone(), listening.clone());
    tasks.spawn("connectors folder", watched);
    let (handle, stop) = (app.handle.clone(), listening.clone());
    tasks.spawn("alerts", async move {
        handle.run_alerts(stop).await;
        Ok(())
    });
    let (handle, stop) = (app.handle.clone(), listening.clone());
    tasks.spawn("rehearsals", async move {
        handle.run_rehearsals(stop).await;
        Ok(())
    });
    let (handle, stop) = (app.handle.clone(), listening.clone());
    let (page, options) = (app.page, app.page_options);
    let (served_to, everybody) = (Arc::clone(&app.people), app.people);
    tasks.spawn("page", async move {
        let served = waybill_http::serve_admin(page, handle, served_to, options, stop).await;
        served.map_err(|e| told(&e))
    });
    if let Some(hooks) = app.hooks {
        let (handle, stop) = (app.handle.clone(), listening.clone());
        tasks.spawn("hooks listener", async move {
            let limit = waybill_http::usual_limit();
            let served = waybill_http::serve_hooks(hooks, handle, limit, stop).await;
            served.map_err(|e| told(&e))
        });
    }
    let (handle, stop, socket) = (app.handle, listening.clone(), app.socket);
    let data_dir = config.data_dir.clone();
    tasks.spawn("admin socket", async move {
        let served = waybill_http::serve_local(socket, handle, everybody, data_dir, stop).await;
        served.map_err(|e| told(&e))
    });
    (app.engine, app.store)
}

async fn close(store: Store) {
    let closed = tokio::task::spawn_blocking(move || store.close()).await;
    match closed {
        Ok(Ok(())) => tracing::info!("Agent stopped."),
        Ok(Err(error)) => tracing::error!(%error, "The database could not be closed."),
        Err(error) => tracing::error!(%error, "The database could not be closed."),
    }
}

/// Tells the engine whenever the connectors folder changed.
fn watch_folder(
    config: &Config,
    handle: Handle,
    stop: CancellationToken,
) -> impl Future<Output = Result<(), String>> + Send + 'static {
    let folder = Folder {
        path: config.connectors_dir.clone(),
        poll: config.connectors_poll,
    };
    async move {
        watch::run(folder, stop, || handle.look_at_folder()).await;
        Ok(())
    }
}

/// An error with its causes, in one line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

/// Becomes this program once more, with the same process id: the first start compiles connectors, and most of the memory
/// that takes would stay with the process for as long as it runs. Comes back only when that fails; then the agent is as
/// good, but larger.
pub(crate) fn start_over() {
    tracing::info!("Connectors compiled. Starting over with the kept code.");
    let error = match std::env::current_exe() {
        Ok(own) => std::process::Command::new(own)
            .args(std::env::args_os().skip(1))
            .env(WAYBILL_STARTED_OVER, "1")
            .exec(),
        Err(error) => error,
    };
    tracing::warn!(%error, "Starting over failed; the memory of the compiler is kept.");
}

/// This program once more, only to compile a component. The caller waits for its end; whether it went well shows when
/// the component is loaded.
pub(crate) fn compile_apart(file: &Path) {
    let ended = std::env::current_exe().and_then(|own| {
        std::process::Command::new(own)
            .args(std::env::args_os().skip(1))
            .env(WAYBILL_COMPILE, file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
    });
    if let Err(error) = ended {
        tracing::warn!(%error, "A build is compiled in this process; the memory of the compiler is kept.");
    }
}

fn compile(config: &Config, file: &Path) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .map_err(anyhow::Error::from)?
        .block_on(wire::compile(config, file))
}

/// Becomes the sandbox; comes back only when that fails.
pub(crate) fn demo(args: &Demo) -> Failure {
    let own = match std::env::current_exe() {
        Ok(own) => own,
        Err(error) => {
            return Failure::other(format!("this program's own path is unknown: {error}"));
        }
    };
    let sandbox = own.parent().unwrap_or(Path::new("")).join(SANDBOX);
    if !sandbox.is_file() {
        return Failure::hinted(
            format!("`{}` is not there", sandbox.display()),
            "The demo needs the sandbox program beside this one: install the complete package, or run `cargo demo`.",
        );
    }
    let mut command = std::process::Command::new(&sandbox);
    command
        .arg("demo")
        .arg("--agent")
        .arg(&own)
        .args(&args.args);
    Failure::other(format!(
        "`{}` does not start: {}",
        sandbox.display(),
        command.exec()
    ))
}
