//! What becomes of the files in the folder: each is taken, loaded, weighed, proven and swapped in, or refused with its
//! reason. Until the swap's commit nothing that runs is touched.

use super::port::{Build, Refusal, Seen, Shelf, asked};
use super::prove::{self, Doubt};
use super::settings::{self, Fitted};
use super::start::number;
use super::state::Refused;
use super::times::HandOver;
use super::{BAD, PREVIOUS, SELF};
use crate::core::Core;
use crate::event::Event;
use std::collections::BTreeSet;
use std::sync::Arc;
use waybill_model::crash;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_store::{
    AskedRow, BuildRow, ConnectionRow, ConnectorRow, Read, StoreError, TrialRow, Tx, WaitingRow,
};

/// Looks at the folder and does what follows from it.
pub(crate) async fn run(core: Arc<Core>) -> Result<(), StoreError> {
    // First of all: a look that was wanted and is not begun would be wanted again at once, for ever.
    core.swaps.begin_look(core.now());
    let Some(shelf) = core.connectors.shelf() else {
        return Ok(());
    };
    let files = shelf.files().await;
    core.swaps.saw(files.clone());
    judges(&core, &*shelf).await?;
    let Ok(files) = files else {
        return Ok(());
    };
    for seen in &files {
        file(&core, &*shelf, &files, seen).await?;
    }
    accepted(&core, &*shelf, &files).await?;
    withdraw(&core, &files).await?;
    tidy(&core, &*shelf).await
}

/// Builds on trial are held against those before them. After a start these lie in their copies.
async fn judges(core: &Core, shelf: &dyn Shelf) -> Result<(), StoreError> {
    let mut loaded = false;
    for row in core.store.read(Read::connectors)? {
        let (Some(_), Some(before)) = (&row.trial, row.previous.first()) else {
            continue;
        };
        if core.swaps.loaded(&before.hash).is_some() {
            continue;
        }
        // Where it cannot be loaded, the trial goes on without it.
        if let Ok(build) = shelf.load(&before.hash, before.generation).await {
            core.swaps.keep_loaded(build);
            loaded = true;
        }
    }
    if loaded {
        core.wake(Event::Reload);
    }
    Ok(())
}

/// One file of the folder.
async fn file(
    core: &Arc<Core>,
    shelf: &dyn Shelf,
    files: &[Seen],
    seen: &Seen,
) -> Result<(), StoreError> {
    let now = core.now();
    let hash = match &seen.hash {
        Ok(hash) => hash.as_str(),
        Err(why) => {
            if !core.swaps.is_refused(&seen.file, None, now) {
                refuse(
                    core,
                    &seen.file,
                    None,
                    None,
                    Refusal {
                        reason: why.clone(),
                        hint: None,
                    },
                );
            }
            return Ok(());
        }
    };
    let rows = core.store.read(Read::connectors)?;
    let is_settled = |row: &ConnectorRow| row.current.hash == hash || row.bad(hash).is_some();
    if rows.iter().any(is_settled) {
        core.swaps.clear(&seen.file);
        return Ok(());
    }
    if core.swaps.is_refused(&seen.file, Some(hash), now) {
        return Ok(());
    }
    let known = core.swaps.loaded(hash);
    let build = match known {
        Some(build) => build,
        None => match load(core, shelf, seen).await? {
            Ok(build) => build,
            Err(why) => {
                refuse(core, &seen.file, Some(hash), None, why);
                return Ok(());
            }
        },
    };
    // The file may have changed since it was hashed: what was loaded counts.
    if rows.iter().any(|row| row.bad(build.hash()).is_some()) {
        return Ok(());
    }
    if let Some(other) = twin(&rows, files, seen, &*build) {
        let title = &build.descriptor().title;
        let why = Refusal::hinted(
            format!("`{other}` holds the connector {title} already"),
            "Remove one of the two files.",
        );
        refuse(core, &seen.file, Some(hash), Some(&*build), why);
        return Ok(());
    }
    weigh(core, shelf, build, &seen.file).await
}

/// Another file that holds the build at work of the same connector.
fn twin<'f>(
    rows: &[ConnectorRow],
    files: &'f [Seen],
    seen: &Seen,
    build: &dyn Build,
) -> Option<&'f str> {
    let row = rows.iter().find(|row| row.id == build.descriptor().id)?;
    let same = |other: &&Seen| other.hash.as_deref() == Ok(row.current.hash.as_str());
    let mut others = files.iter().filter(|other| other.file != seen.file);
    others.find(same).map(|other| other.file.as_str())
}

async fn load(
    core: &Arc<Core>,
    shelf: &dyn Shelf,
    seen: &Seen,
) -> Result<Result<Arc<dyn Build>, Refusal>, StoreError> {
    let hash = match shelf.take(&seen.file).await {
        Ok(hash) => hash,
        Err(why) => return Ok(Err(why)),
    };
    crash::point("swap.copied");
    let generation = number(&core.store).await?;
    tracing::debug!(file = %seen.file, %generation, "Loading a build.");
    Ok(shelf.load(&hash, generation).await)
}

/// Builds that were accepted and whose file is not in the folder any more: their copy is kept.
async fn accepted(core: &Arc<Core>, shelf: &dyn Shelf, files: &[Seen]) -> Result<(), StoreError> {
    for row in core.store.read(Read::connectors)? {
        let Some(waiting) = row.waiting.filter(|w| w.accepted.is_some()) else {
            continue;
        };
        let in_folder = |seen: &Seen| seen.hash.as_ref() == Ok(&waiting.hash);
        let now = core.now();
        if files.iter().any(in_folder)
            || core
                .swaps
                .is_refused(&waiting.file, Some(&waiting.hash), now)
        {
            continue;
        }
        let build = if let Some(build) = core.swaps.loaded(&waiting.hash) {
            Ok(build)
        } else {
            let generation = number(&core.store).await?;
            shelf.load(&waiting.hash, generation).await
        };
        match build {
            Ok(build) => weigh(core, shelf, build, &waiting.file).await?,
            Err(why) => refuse(core, &waiting.file, Some(&waiting.hash), None, why),
        }
    }
    Ok(())
}

/// What waits and is in the folder no more waits no more, unless it was accepted.
async fn withdraw(core: &Arc<Core>, files: &[Seen]) -> Result<(), StoreError> {
    for row in core.store.read(Read::connectors)? {
        let Some(waiting) = &row.waiting else {
            continue;
        };
        let in_folder = |seen: &Seen| seen.hash.as_ref() == Ok(&waiting.hash);
        if waiting.accepted.is_some() || files.iter().any(in_folder) {
            continue;
        }
        let (id, hash) = (row.id.clone(), waiting.hash.clone());
        core.store
            .write(move |tx| {
                let Some(mut row) = tx.connector(&id)? else {
                    return Ok(());
                };
                row.waiting = row.waiting.filter(|w| w.hash != hash);
                tx.put_connector(&row)
            })
            .await?;
    }
    Ok(())
}

/// Lets go of copies and builds that nothing goes back to.
async fn tidy(core: &Arc<Core>, shelf: &dyn Shelf) -> Result<(), StoreError> {
    let rows = core.store.read(Read::connectors)?;
    let waiting = rows
        .iter()
        .filter_map(|row| Some(row.waiting.as_ref()?.hash.clone()));
    let kept: BTreeSet<String> = rows
        .iter()
        .flat_map(|row| row.kept().map(|build| build.hash.clone()))
        .chain(waiting.clone())
        .collect();
    shelf.keep_only(kept).await;
    let loaded: BTreeSet<String> = rows
        .iter()
        .flat_map(|row| row.kept().take(2).map(|build| build.hash.clone()))
        .chain(waiting)
        .collect();
    core.swaps.keep_only(|hash| loaded.contains(hash));
    Ok(())
}

pub(super) fn refuse(
    core: &Core,
    file: &str,
    hash: Option<&str>,
    build: Option<&dyn Build>,
    why: Refusal,
) {
    refuse_until(core, file, hash, build, why, None);
}

fn refuse_until(
    core: &Core,
    file: &str,
    hash: Option<&str>,
    build: Option<&dyn Build>,
    why: Refusal,
    again_at: Option<Millis>,
) {
    tracing::warn!(
        %file, hash = hash.unwrap_or_default(), reason = %why.reason,
        hint = why.hint.as_deref().unwrap_or_default(), "Build not taken; what ran before runs on."
    );
    core.observe(|| format!("refused {file} {}", why.reason));
    core.swaps.refuse(
        file,
        Refused {
            hash: hash.map(str::to_owned),
            connector: build.map(|b| b.descriptor().id.clone()),
            version: build.map(|b| b.descriptor().version.clone()),
            why,
            at: core.now(),
            again_at,
        },
    );
}

/// Holds a loaded build against what was granted and what is stored, and swaps it in if that suffices.
async fn weigh(
    core: &Arc<Core>,
    shelf: &dyn Shelf,
    build: Arc<dyn Build>,
    file: &str,
) -> Result<(), StoreError> {
    let id = build.descriptor().id.clone();
    let row = core.store.read(|rx| rx.connector(&id))?;
    let Some(row) = row else {
        return install(core, build, file).await;
    };
    let fitted = fit(core, &*build)?;
    let asks = asked(&*build).beyond(&row.grant);
    let settings: Vec<AskedRow> = fitted.iter().flat_map(|(_, f)| f.asked.clone()).collect();
    if !asks.is_empty() || !settings.is_empty() {
        core.swaps.keep_loaded(build.clone());
        return wait(core, &*build, file, asks, settings).await;
    }
    match prove::prove(core, &*build, fitted).await {
        Ok(()) => {}
        Err(Doubt { why, again_at }) => {
            let hash = build.hash();
            refuse_until(core, file, Some(hash), Some(&*build), why, again_at);
            return Ok(());
        }
    }
    if !shelf.keeps(build.hash()).await {
        let why = Refusal::hinted(
            "no copy of it could be kept",
            "Look whether the data folder is full.",
        );
        refuse(core, file, Some(build.hash()), Some(&*build), why);
        return Ok(());
    }
    swap(core, build, file, &row).await
}

/// The connections of a build's connector, each with the settings the build would get.
pub(super) fn fit(
    core: &Core,
    build: &dyn Build,
) -> Result<Vec<(ConnectionRow, Fitted)>, StoreError> {
    let descriptor = build.descriptor();
    core.store.read(|rx| {
        let rows = rx.connections()?;
        let mine = rows
            .into_iter()
            .filter(|row| row.connector == descriptor.id);
        mine.map(|row| {
            let fitted = settings::fit(rx, &row, descriptor)?;
            Ok((row, fitted))
        })
        .collect()
    })
}

pub(super) fn build_row(build: &dyn Build, file: &str, who: &str, now: Millis) -> BuildRow {
    BuildRow {
        hash: build.hash().to_owned(),
        version: build.descriptor().version.clone(),
        generation: build.generation(),
        file: file.to_owned(),
        since: now,
        who: who.to_owned(),
    }
}

/// A connector nobody knew: nothing of it was granted before, nothing can be taken from anybody. The folder that only
/// root may write, and the signature, are the trust.
pub(super) fn first(build: &dyn Build, file: &str, now: Millis) -> ConnectorRow {
    ConnectorRow {
        id: build.descriptor().id.clone(),
        title: build.descriptor().title.clone(),
        grant: asked(build),
        current: build_row(build, file, SELF, now),
        previous: Vec::new(),
        trial: None,
        waiting: None,
        bad: Vec::new(),
    }
}

pub(super) fn store_first(
    tx: &mut Tx<'_>,
    row: &ConnectorRow,
    now: Millis,
) -> Result<(), StoreError> {
    tx.put_connector(row)?;
    let detail = format!(
        "{} {} ({})",
        row.title, row.current.version, row.current.file
    );
    tx.audit(SELF, "Installed a connector", &detail, now)
}

async fn install(core: &Arc<Core>, build: Arc<dyn Build>, file: &str) -> Result<(), StoreError> {
    let now = core.now();
    let row = first(&*build, file, now);
    core.store
        .write(move |tx| match tx.connector(&row.id)? {
            None => store_first(tx, &row, now),
            Some(_) => Ok(()),
        })
        .await?;
    tracing::info!(connector = %build.descriptor().id, version = %build.descriptor().version, %file, "Connector installed.");
    take_in(core, build, None);
    Ok(())
}

/// A build that asks for more waits for a person. The same words twice are no change.
async fn wait(
    core: &Arc<Core>,
    build: &dyn Build,
    file: &str,
    asks: Vec<String>,
    settings: Vec<AskedRow>,
) -> Result<(), StoreError> {
    let now = core.now();
    let id = build.descriptor().id.clone();
    let new = WaitingRow {
        hash: build.hash().to_owned(),
        version: build.descriptor().version.clone(),
        file: file.to_owned(),
        asks,
        settings,
        grant: asked(build),
        at: now,
        accepted: None,
    };
    let told = core
        .store
        .write(move |tx| {
            let Some(mut row) = tx.connector(&id)? else {
                return Ok(false);
            };
            let mut new = new.clone();
            if let Some(old) = row.waiting.as_ref().filter(|old| old.hash == new.hash) {
                new.at = old.at;
                if (&old.asks, &old.settings) == (&new.asks, &new.settings) {
                    return Ok(false);
                }
            }
            let detail = format!("{} {}: {}", row.title, new.version, sentences(&new));
            row.waiting = Some(new);
            tx.put_connector(&row)?;
            tx.audit(SELF, "A new build waits", &detail, now)?;
            Ok(true)
        })
        .await?;
    if told {
        let descriptor = build.descriptor();
        tracing::warn!(connector = %descriptor.id, version = %descriptor.version, %file, "A new build asks for more and waits for a person.");
        core.observe(|| format!("waiting {} {}", descriptor.id, descriptor.version));
    }
    Ok(())
}

/// What a build waits for, in one line.
pub(super) fn sentences(waiting: &WaitingRow) -> String {
    let settings = waiting
        .settings
        .iter()
        .map(|asked| format!("`{}` must be entered.", asked.key));
    let all: Vec<String> = waiting.asks.iter().cloned().chain(settings).collect();
    all.join(" ")
}

/// The commit that puts a build into force. `found` is the row that was weighed: another one is weighed anew.
async fn swap(
    core: &Arc<Core>,
    build: Arc<dyn Build>,
    file: &str,
    found: &ConnectorRow,
) -> Result<(), StoreError> {
    let now = core.now();
    let who = found
        .waiting
        .as_ref()
        .filter(|w| w.hash == build.hash())
        .and_then(|w| w.accepted.clone())
        .unwrap_or_else(|| SELF.to_owned());
    let (found, new) = (found.clone(), build_row(&*build, file, &who, now));
    let descriptor = build.descriptor().clone();
    let connections = connections_of(core, &descriptor.id)?;
    crash::point("swap.before-commit");
    let before = core
        .store
        .write(move |tx| {
            let Some(mut row) = tx.connector(&found.id)? else {
                return Ok(None);
            };
            if row.current.hash != found.current.hash || row.grant != found.grant {
                return Ok(None);
            }
            for connection in &connections {
                settings::carry_over(tx, *connection, &descriptor, now)?;
            }
            let old = std::mem::replace(&mut row.current, new.clone());
            let detail = format!(
                "{}: {} to {}, generation {} ({})",
                descriptor.title, old.version, new.version, new.generation, new.file
            );
            row.previous
                .retain(|b| b.hash != new.hash && b.hash != old.hash);
            // One that has not passed its trial is nothing to go back to, nor to be measured by, while there is another.
            let unproven = row.trial.is_some() && !row.previous.is_empty();
            row.previous.insert(usize::from(unproven), old);
            row.previous.truncate(PREVIOUS);
            let before = row.previous.first().map(|build| build.generation);
            row.bad.truncate(BAD);
            row.waiting = None;
            row.title.clone_from(&descriptor.title);
            row.trial = Some(TrialRow {
                since: now,
                bad: Vec::new(),
            });
            tx.put_connector(&row)?;
            tx.audit(&who, "Swapped a connector", &detail, now)?;
            Ok(before)
        })
        .await?;
    let Some(before) = before else {
        core.swaps.want();
        return Ok(());
    };
    crash::point("swap.committed");
    let descriptor = build.descriptor();
    tracing::info!(
        connector = %descriptor.id, version = %descriptor.version, generation = %build.generation(),
        before = %before, %file, commit_ms = core.now() - now, "Connector swapped; it is on trial."
    );
    let committed = core.now();
    let (id, generation) = (descriptor.id.clone(), build.generation());
    core.watch.begin(&id, generation, before, now, Vec::new());
    core.swaps.clear(file);
    core.observe(|| format!("swapped {id} {before} {generation}"));
    let hand_over = HandOver {
        connector: id,
        generation,
        began: committed,
        left: None,
    };
    take_in(core, build, Some(hand_over));
    Ok(())
}

pub(super) fn connections_of(core: &Core, id: &str) -> Result<Vec<ConnectionId>, StoreError> {
    core.store.read(|rx| {
        let rows = rx.connections()?;
        let mine = rows.iter().filter(|row| row.connector == id);
        Ok(mine.map(|row| row.id).collect())
    })
}

/// Every call that is claimed from now on is this build's; those under way end on the build they began with. One that was
/// taken back is not waited for: it may be in a loop, and each of its calls takes the time of good ones.
pub(super) fn take_in(core: &Arc<Core>, build: Arc<dyn Build>, hand_over: Option<HandOver>) {
    let taken_back = hand_over.as_ref().is_some_and(|h| h.left.is_some());
    let id = &build.descriptor().id;
    for before in core.connectors.installed() {
        if before.descriptor().id == *id {
            before.set_left(taken_back);
        }
    }
    build.set_left(false);
    core.swaps.keep_loaded(build.clone());
    core.connectors.install(build);
    if let Some(hand_over) = hand_over {
        core.swaps.times.begin(hand_over);
    }
    // Not when the loop comes to it, which may be waiting for a large commit.
    match core.reload() {
        Ok(()) => core.swaps.times.bound(core.now()),
        Err(error) => tracing::warn!(%error, "The new build is bound at the next look."),
    }
    core.wake(Event::Reload);
}
