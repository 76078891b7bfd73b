//! The program `waybill`: parse, build, run, exit code. Read `wire.rs` next: it chooses the concrete parts.

mod alerts;
mod backfill;
mod backup;
mod builds;
mod bundle;
mod check;
mod cli;
mod commands;
mod config;
mod connectors;
#[cfg(any(feature = "crash-points", debug_assertions))]
mod crash;
mod disconnect;
mod doctor;
mod files;
mod flows;
mod journal;
mod key;
mod logging;
mod logs;
mod machine;
mod manual;
mod mappings;
mod messenger;
mod out;
mod practice;
mod provision;
mod rehearsal;
mod rehearse;
mod run;
mod service;
mod settings;
mod shelf;
mod stock;
mod trust;
mod users;
mod watch;
mod wire;

use clap::Parser;
use cli::{Cli, Command, Connectors};
use config::environment;
use out::{Failure, Out, USAGE};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, and are no mistake.
            let wrong = error.use_stderr();
            drop(error.print());
            return if wrong {
                ExitCode::from(USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let out = Out { json: cli.json };
    match dispatch(out, &cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out.failure(&failure);
            ExitCode::from(failure.code())
        }
    }
}

fn dispatch(out: Out, cli: &Cli) -> Result<(), Failure> {
    if let Command::Demo(demo) = &cli.command {
        return Err(run::demo(demo));
    }
    if let Command::Completions(args) = &cli.command {
        return manual::completions(args.shell);
    }
    if let Command::ManualPages(args) = &cli.command {
        return manual::pages(&args.folder);
    }
    match &cli.command {
        // Keys and files of whoever asks: no agent need be here.
        Command::Connectors(Connectors::Keygen(args)) => return connectors::keygen(out, args),
        Command::Connectors(Connectors::Sign(args)) => return connectors::sign(out, args),
        _ => {}
    }
    let mut config = config::load(cli.config.as_deref(), &environment);
    if let (Ok(config), Some(socket)) = (&mut config, &cli.socket) {
        config.socket.clone_from(socket);
    }
    if let (Ok(config), Some(folder)) = (&mut config, &cli.rehearsal) {
        config.rehearse_in(folder);
    }
    if let Command::Doctor(args) = &cli.command {
        // A configuration that cannot be read is what it is there to tell.
        let file = config::file(cli.config.as_deref(), &environment);
        return runtime()?.block_on(doctor::run(out, &file, config, args));
    }
    let config = config?;
    #[cfg(any(feature = "crash-points", debug_assertions))]
    crash::install(&environment)?;
    if matches!(cli.command, Command::Run) {
        return run::agent(&config);
    }
    runtime()?.block_on(async {
        match &cli.command {
            Command::Check(args) if args.quick => check::quick(out, &config),
            Command::Check(args) => check::run(out, &config, args.file.as_deref()).await,
            Command::Connectors(Connectors::Verify(args)) => {
                connectors::verify(out, &config, args).await
            }
            Command::Connectors(Connectors::Install(args)) => {
                connectors::install(out, &config, args).await
            }
            Command::Connectors(Connectors::Remove(args)) => {
                connectors::remove(out, &config, args).await
            }
            Command::Connectors(Connectors::List(args)) => {
                builds::list(out, &config, args.folder).await
            }
            Command::Logs(args) => logs::run(out, &config, args).await,
            Command::SupportBundle(args) => bundle::run(out, &config, args).await,
            Command::Backup(args) => backup::backup(out, &config, args).await,
            Command::Restore(args) => backup::restore(out, &config, args).await,
            Command::Apply(args) | Command::Settings(cli::Settings::Import(args)) => {
                provision::run(out, &config, args).await
            }
            command => commands::run(out, &config, command).await,
        }
    })
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build()?)
}
