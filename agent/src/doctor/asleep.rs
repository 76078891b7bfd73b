//! The database of an agent that does not run: its checksums, its version, and everything the running agent would say
//! from the inside. The file is not changed: what would be written is kept in memory.

use super::run::exists;
use crate::config::Config;
use crate::machine::{SeededRng, SystemClock};
use crate::out::Failure;
use crate::wire::{self, Found};
use std::sync::Arc;
use waybill_engine::connectors::Connectors as _;
use waybill_engine::doctor::Wishes;
use waybill_engine::finding::{Check, Finding};
use waybill_engine::hosted::HostConnectors;
use waybill_engine::{Engine, EngineOptions, EngineParts, Handle};
use waybill_host::ports::{Clock, Rng};
use waybill_store::{OpenError, Options, Place, SealKey, Store, StoreError, Writer, check_file};

/// What the database and the connections in it look like to an agent that would start now.
pub(super) async fn look(
    config: &Config,
    key: Option<SealKey>,
    found: Vec<Found>,
    vendors: bool,
) -> Vec<Finding> {
    if !exists(&config.store_file()) {
        return vec![Finding::ok(
            Check::Database,
            "There is none yet; the first start makes it.",
        )];
    }
    let has_key = key.is_some();
    let mut findings = match handle(config, key, found).await {
        Ok(handle) => {
            let wishes = Wishes {
                vendors,
                running: false,
            };
            handle.examine(wishes).await
        }
        Err(finding) => vec![finding],
    };
    if !has_key {
        // That it is missing was said, with the reason.
        findings.retain(|finding| finding.check != Check::SealingKey);
    }
    findings
}

/// An engine over the database that is never run, or what keeps it from being made.
pub(super) async fn handle(
    config: &Config,
    key: Option<SealKey>,
    found: Vec<Found>,
) -> Result<Handle, Finding> {
    let file = config.store_file();
    let shown = file.display().to_string();
    let ended = |error: tokio::task::JoinError| {
        let text = format!("It could not be checked: {error}.");
        Finding::problem(Check::Database, text).at(shown.clone())
    };
    let unopened = |error: OpenError| unopened(&error).at(shown.clone());
    let (path, cache) = (file.clone(), config.store_cache_bytes);
    tokio::task::spawn_blocking(move || check_file(&path, cache))
        .await
        .map_err(ended)?
        .map_err(unopened)?;
    let options = Options {
        cache_bytes: config.store_cache_bytes,
        writer: Writer::Inline,
        spool_dir: Some(config.spool_dir()),
        // Without the key no secret opens, and nothing else needs it.
        ..Options::new(
            Place::Untouched(file),
            key.unwrap_or_else(|| SealKey::from_bytes([0; 32])),
        )
    };
    let store = tokio::task::spawn_blocking(move || Store::open(options))
        .await
        .map_err(ended)?
        .map_err(unopened)?;
    over(config, store, found)
}

fn unopened(error: &OpenError) -> Finding {
    let text = match error {
        OpenError::InUse(_) => {
            "Another process uses it, and nobody answers at the configured socket: an agent with another configuration, or a command that works on the data folder.".to_owned()
        }
        OpenError::Newer { found, known } => {
            format!("It was written by a newer version (schema {found}); this one knows up to {known}.")
        }
        other => format!("{}.", wire::chain(other)),
    };
    let finding = Finding::problem(Check::Database, text);
    match error.hint() {
        Some(hint) => {
            let mut hint = hint.to_owned();
            if let Some(first) = hint.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            finding.next(format!("{hint}."))
        }
        None => finding.next("Restore the last backup; keep the file."),
    }
}

fn over(config: &Config, store: Store, found: Vec<Found>) -> Result<Handle, Finding> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let cannot = |error: anyhow::Error| {
        Finding::problem(
            Check::Agent,
            format!("It could not be examined: {error:#}."),
        )
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let rng: Arc<dyn Rng> = Arc::new(SeededRng::from_machine().map_err(cannot)?);
    let hosting = wire::hosting(config, &store, &clock, &rng).map_err(|failure| match failure {
        Failure::Other { message, hint } | Failure::Usage { message, hint } => {
            let finding = Finding::problem(Check::Configuration, format!("{message}."));
            finding.next(hint.unwrap_or_else(|| "Mend it and try again.".to_owned()))
        }
        _ => Finding::problem(Check::Configuration, "It cannot be used."),
    })?;
    let connectors = HostConnectors::new(hosting.budgets());
    for generation in found.into_iter().filter_map(|found| found.loaded.ok()) {
        connectors.install(hosting.build(generation));
    }
    let opened = Engine::open(EngineParts {
        store,
        clock,
        rng,
        connectors: Arc::new(connectors),
        options: EngineOptions {
            hooks: config.hooks.is_some(),
            ..EngineOptions::default()
        },
        observer: None,
    });
    opened.map(|(_, handle)| handle).map_err(|error| match error {
        StoreError::Sealed(_) => Finding::problem(
            Check::SealingKey,
            "The key is not the one that the secrets were sealed with; the agent does not start with it.",
        )
        .next("Put the key back that belongs to this database (it is in the backup)."),
        other => Finding::problem(Check::Database, format!("It cannot be read: {other}."))
            .next(other.hint().unwrap_or("Restore the last backup; keep the file.")),
    })
}
