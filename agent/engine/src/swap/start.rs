//! Which build of each connector an agent starts with: the one in force, from its copy. What lies in the folder is looked
//! at once the agent runs, except at the very first start, when nothing was accepted yet.

use super::SELF;
use super::consider::{first, store_first};
use super::port::{Build, Refusal, Seen, Shelf};
use crate::connectors::Connectors;
use crate::core::Core;
use std::sync::Arc;
use waybill_model::ids::{Generation, Millis};
use waybill_store::{BuildRow, ConnectorRow, Read, Store, StoreError};

/// What became of one connector, or of one file of the first start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Id of the connector, or name of the file.
    pub what: String,
    /// The version it starts with; or why there is none.
    pub outcome: Result<String, Refusal>,
}

/// What an agent goes on with after its start: trials that were under way, and a look at the folder.
pub(crate) fn go_on(core: &Core) -> Result<(), StoreError> {
    if core.connectors.shelf().is_none() {
        return Ok(());
    }
    for build in core.connectors.installed() {
        core.swaps.keep_loaded(build);
    }
    for row in core.store.read(Read::connectors)? {
        if let (Some(trial), Some(before)) = (row.trial, row.previous.first()) {
            let (generation, before) = (row.current.generation, before.generation);
            core.watch
                .begin(&row.id, generation, before, trial.since, trial.bad);
        }
    }
    core.swaps.want();
    Ok(())
}

/// Loads what was accepted. Before the engine is opened; what cannot be loaded is told and left out.
///
/// # Errors
/// The store does not answer.
pub async fn start(
    store: &Store,
    connectors: &dyn Connectors,
    now: Millis,
) -> Result<Vec<Started>, StoreError> {
    let Some(shelf) = connectors.shelf() else {
        return Ok(Vec::new());
    };
    let rows = store.read(Read::connectors)?;
    if rows.is_empty() {
        return first_start(store, connectors, &*shelf, now).await;
    }
    let mut started = Vec::new();
    for row in rows {
        let outcome = one(store, connectors, &*shelf, &row, now).await?;
        started.push(Started {
            what: row.id,
            outcome,
        });
    }
    Ok(started)
}

/// A number for a build that is about to be loaded.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method alone is not general over the transaction's lifetime"
)]
pub(super) async fn number(store: &Store) -> Result<Generation, StoreError> {
    store.write(|tx| tx.next_generation()).await
}

async fn first_start(
    store: &Store,
    connectors: &dyn Connectors,
    shelf: &dyn Shelf,
    now: Millis,
) -> Result<Vec<Started>, StoreError> {
    let mut started = Vec::new();
    let files = match shelf.files().await {
        Ok(files) => files,
        Err(why) => {
            return Ok(vec![Started {
                what: "the connectors folder".to_owned(),
                outcome: Err(why),
            }]);
        }
    };
    let mut rows: Vec<ConnectorRow> = Vec::new();
    for Seen { file, .. } in files {
        let loaded = match shelf.take(&file).await {
            Ok(hash) => {
                let generation = number(store).await?;
                shelf.load(&hash, generation).await
            }
            Err(why) => Err(why),
        };
        let outcome = match loaded {
            Err(why) => Err(why),
            Ok(build) => {
                if let Some(row) = rows.iter().find(|row| row.id == build.descriptor().id) {
                    Err(Refusal::hinted(
                        format!(
                            "`{}` holds connector `{}` already",
                            row.current.file, row.id
                        ),
                        "Remove one of the two files.",
                    ))
                } else {
                    rows.push(first(&*build, &file, now));
                    let version = build.descriptor().version.clone();
                    connectors.install(build);
                    Ok(version)
                }
            }
        };
        started.push(Started {
            what: file,
            outcome,
        });
    }
    store
        .write(move |tx| rows.iter().try_for_each(|row| store_first(tx, row, now)))
        .await?;
    Ok(started)
}

/// The build in force; else, where its copy is lost, the newest one before that can be loaded.
async fn one(
    store: &Store,
    connectors: &dyn Connectors,
    shelf: &dyn Shelf,
    row: &ConnectorRow,
    now: Millis,
) -> Result<Result<String, Refusal>, StoreError> {
    let why = match current(shelf, &row.current).await {
        Ok(build) => {
            connectors.install(build);
            return Ok(Ok(row.current.version.clone()));
        }
        Err(why) => why,
    };
    for build in &row.previous {
        let Ok(loaded) = shelf.load(&build.hash, build.generation).await else {
            continue;
        };
        let (mut row, older) = (row.clone(), build.clone());
        let detail = format!(
            "{} {}: the copy of {} cannot be loaded: {}",
            row.title, older.version, row.current.version, why.reason
        );
        row.previous.retain(|b| b.hash != older.hash);
        row.current = BuildRow {
            since: now,
            who: SELF.to_owned(),
            ..older
        };
        row.trial = None;
        let version = row.current.version.clone();
        store
            .write(move |tx| {
                tx.put_connector(&row)?;
                let what = "Went back to an earlier build of a connector";
                tx.audit(SELF, what, &detail, now)
            })
            .await?;
        connectors.install(loaded);
        return Ok(Ok(version));
    }
    Ok(Err(why))
}

/// From its copy; a copy that is lost is made again where the folder still holds the same bytes.
async fn current(shelf: &dyn Shelf, row: &BuildRow) -> Result<Arc<dyn Build>, Refusal> {
    let why = match shelf.load(&row.hash, row.generation).await {
        Ok(build) => return Ok(build),
        Err(why) => why,
    };
    let files = shelf.files().await.unwrap_or_default();
    let same = files
        .iter()
        .find(|seen| seen.hash.as_ref() == Ok(&row.hash));
    let Some(same) = same else {
        return Err(why);
    };
    let taken = shelf.take(&same.file).await?;
    if taken != row.hash {
        return Err(why);
    }
    shelf.load(&row.hash, row.generation).await
}
