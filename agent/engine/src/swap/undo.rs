//! Taking a build back: by itself at the third bad batch of a trial, or because a person says so. The build that is left
//! is remembered with its reason, so that the file in the folder does not bring it back.

use super::consider::take_in;
use super::port::Build;
use super::times::HandOver;
use super::trial::{BAD_MOST, Live};
use super::{BAD, SELF};
use crate::core::Core;
use std::sync::Arc;
use waybill_model::contract::Problem;
use waybill_model::crash;
use waybill_model::ids::{Generation, Millis};
use waybill_store::{BadRow, BuildRow, ConnectorRow, Read, StoreError};

/// Looks at a trial that has something to be judged.
pub(crate) async fn judge(core: Arc<Core>, id: String) -> Result<(), StoreError> {
    let Some(live) = core.watch.trial(&id) else {
        return Ok(());
    };
    if live.bad.len() >= BAD_MOST {
        return undo(&core, &id, &live).await;
    }
    let now = core.now();
    let over = live.is_over(now);
    let (key, bad, generation) = (id.clone(), live.bad.clone(), live.generation);
    core.store
        .write(move |tx| {
            let Some(mut row) = tx.connector(&key)? else {
                return Ok(());
            };
            if row.current.generation != generation {
                return Ok(());
            }
            if over {
                row.trial = None;
                let detail = format!("{} {}", row.title, row.current.version);
                tx.audit(SELF, "A connector's trial passed", &detail, now)?;
            } else if let Some(trial) = &mut row.trial {
                trial.bad.clone_from(&bad);
            }
            tx.put_connector(&row)
        })
        .await?;
    if !over {
        crash::point("swap.blamed");
    }
    core.watch.told(&id, generation, live.bad.len());
    if over {
        tracing::info!(connector = %id, %generation, good = live.good, bad = live.bad.len(), compared = live.compared(), "The connector's trial passed.");
        core.observe(|| format!("trial passed {id} {generation}"));
        core.watch.end(&id, generation);
    }
    Ok(())
}

async fn undo(core: &Arc<Core>, id: &str, live: &Live) -> Result<(), StoreError> {
    let last = live.bad.last().cloned().unwrap_or_default();
    let reason = format!("{BAD_MOST} bad batches on trial; the last one: {last}");
    let back = Back {
        id: id.to_owned(),
        to: None,
        from: Some(live.generation),
        who: SELF.to_owned(),
        reason,
        found_out: live.found_out,
    };
    let Err(problem) = take_back(core, back).await? else {
        // Another build is at work by now, by this or by somebody else: there is nothing left to judge.
        core.watch.end(id, live.generation);
        return Ok(());
    };
    // There is nothing to go back to: the build stays, and is not judged again and again.
    tracing::error!(connector = %id, reason = %problem.message, "The build misbehaves, and the one before cannot be loaded.");
    let (key, now, generation) = (id.to_owned(), core.now(), live.generation);
    core.store
        .write(move |tx| {
            let row = tx.connector(&key)?;
            if let Some(mut row) = row.filter(|row| row.current.generation == generation) {
                row.trial = None;
                tx.put_connector(&row)?;
                tx.audit(
                    SELF,
                    "A connector could not be taken back",
                    &problem.message,
                    now,
                )?;
            }
            Ok(())
        })
        .await?;
    core.watch.end(id, live.generation);
    Ok(())
}

/// Which build to leave, and why.
pub(super) struct Back {
    pub(super) id: String,
    /// Hash of the build to go back to; `None`: the one before.
    pub(super) to: Option<String>,
    /// Only while this one is at work.
    pub(super) from: Option<Generation>,
    pub(super) who: String,
    pub(super) reason: String,
    /// When its trial failed, where it did.
    pub(super) found_out: Option<Millis>,
}

fn nothing(id: &str) -> Problem {
    Problem::new(
        "nothing-before",
        format!("There is no earlier build of `{id}` to go back to."),
        "Put the build you want into the connectors folder.",
    )
}

/// Goes back to an earlier build. What it went back to, or why it could not.
pub(super) async fn take_back(
    core: &Arc<Core>,
    back: Back,
) -> Result<Result<BuildRow, Problem>, StoreError> {
    let row = core.store.read(|rx| rx.connector(&back.id))?;
    let Some(row) = row else {
        return Ok(Err(nothing(&back.id)));
    };
    if back.from.is_some_and(|from| from != row.current.generation) {
        return Ok(Ok(row.current));
    }
    let target = match &back.to {
        None => row.previous.first(),
        Some(hash) => row.previous.iter().find(|build| build.hash == *hash),
    };
    let Some(target) = target.cloned() else {
        return Ok(Err(nothing(&back.id)));
    };
    let build = match kept(core, &target).await {
        Ok(build) => build,
        Err(problem) => return Ok(Err(problem)),
    };
    let now = core.now();
    let current = BuildRow {
        since: now,
        who: back.who.clone(),
        ..target
    };
    let left = row.current.generation;
    let (id, by_itself) = (back.id.clone(), back.from.is_some());
    let hand_over = back.found_out.map(|began| HandOver {
        connector: back.id.clone(),
        generation: current.generation,
        began,
        left: Some(row.current.hash.clone()),
    });
    crash::point("swap.undo-before-commit");
    let done = core
        .store
        .write(move |tx| {
            let Some(mut row) = tx.connector(&back.id)? else {
                return Ok(None);
            };
            if row.current.generation != left {
                return Ok(None);
            }
            let mut current = current.clone();
            leave(&mut row, &mut current, &back, now, by_itself);
            tx.put_connector(&row)?;
            let detail = format!("{} {}: {}", row.title, row.current.version, back.reason);
            let what = "Went back to an earlier build of a connector";
            tx.audit(&back.who, what, &detail, now)?;
            Ok(Some(row.current))
        })
        .await?;
    let Some(current) = done else {
        return Ok(Err(Problem::new(
            "changed-meanwhile",
            "The connector was changed meanwhile.",
            "Load the page again.",
        )));
    };
    crash::point("swap.undo-committed");
    tracing::warn!(
        connector = %id, version = %current.version, generation = %current.generation, left = %left,
        "Went back to an earlier build of the connector."
    );
    core.watch.left(&id, left);
    core.observe(|| format!("went back {id} {left} {}", current.generation));
    take_in(core, build, hand_over);
    Ok(Ok(current))
}

/// The build in force becomes a bad one, and the earlier one takes its place.
fn leave(row: &mut ConnectorRow, current: &mut BuildRow, back: &Back, now: i64, by_itself: bool) {
    row.previous.retain(|build| build.hash != current.hash);
    row.bad.retain(|bad| bad.hash != current.hash);
    std::mem::swap(&mut row.current, current);
    let left = current;
    row.bad.insert(
        0,
        BadRow {
            hash: left.hash.clone(),
            version: left.version.clone(),
            file: left.file.clone(),
            reason: back.reason.clone(),
            at: now,
            by_itself,
        },
    );
    row.bad.truncate(BAD);
    row.trial = None;
}

/// A kept build: still in memory, or loaded from its copy.
async fn kept(core: &Core, target: &BuildRow) -> Result<Arc<dyn Build>, Problem> {
    if let Some(build) = core.swaps.loaded(&target.hash) {
        return Ok(build);
    }
    let gone = |why: String| {
        let hint = "Put a build of that version into the connectors folder.";
        Problem::new("copy-unusable", why, hint)
    };
    let Some(shelf) = core.connectors.shelf() else {
        return Err(gone("No copies of builds are kept.".to_owned()));
    };
    let loaded = shelf.load(&target.hash, target.generation).await;
    loaded.map_err(|refusal| {
        gone(format!(
            "The copy of {} cannot be loaded: {}.",
            target.version, refusal.reason
        ))
    })
}
