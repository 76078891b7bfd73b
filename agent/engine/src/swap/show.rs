//! Filling the views of connectors from the store and from what is only known while the agent runs.

use super::port::{Build, Refusal, Seen, asked};
use super::state::Refused;
use super::trial::{BAD_MOST, GOOD_MOST, TRIAL_MS};
use super::view::{
    AskedView, BadView, BuildView, ConnectorState, ConnectorView, ConnectorsView, FileView,
    LimitsView, RefusedView, TrialView, UseView, WaitingView,
};
use crate::core::Core;
use crate::limits;
use crate::view::Tone;
use std::collections::BTreeMap;
use std::sync::Arc;
use waybill_store::{
    BadRow, BuildRow, ConnectionRow, ConnectorRow, Read, Rx, StoreError, WaitingRow,
};

/// All of it.
pub(crate) fn connectors(core: &Core, rx: &Rx) -> Result<ConnectorsView, StoreError> {
    let rows = rx.connectors()?;
    let connections = rx.connections()?;
    let (files, folder) = core.swaps.files();
    let mut refusals = core.swaps.refusals();
    let builds = core.connectors.installed();
    let mut views: Vec<ConnectorView> = rows
        .iter()
        .map(|row| {
            let build = builds.iter().find(|b| b.descriptor().id == row.id);
            let mine = take_own(&mut refusals, row);
            connector(core, row, build, mine, &files, &connections)
        })
        .collect();
    // Without a folder nothing is swapped, and nothing is stored: what is loaded is all there is.
    let bare = builds
        .iter()
        .filter(|b| rows.iter().all(|row| row.id != b.descriptor().id));
    views.extend(bare.map(|build| {
        let row = super::consider::first(&**build, "", core.now());
        connector(core, &row, Some(build), None, &files, &connections)
    }));
    Ok(ConnectorsView {
        connectors: views,
        strangers: refusals
            .into_iter()
            .map(|(file, refused)| refused_view(file, refused))
            .collect(),
        folder: folder.map(|Refusal { reason, .. }| reason),
        now: core.now(),
    })
}

/// The refusal that is about this connector: it said so, or it came in the connector's own file.
fn take_own(
    refusals: &mut BTreeMap<String, Refused>,
    row: &ConnectorRow,
) -> Option<(String, Refused)> {
    let is_own = |file: &String, refused: &Refused| match &refused.connector {
        Some(id) => *id == row.id,
        None => *file == row.current.file,
    };
    let file = refusals.iter().find(|(file, r)| is_own(file, r))?.0.clone();
    refusals.remove_entry(&file)
}

fn connector(
    core: &Core,
    row: &ConnectorRow,
    build: Option<&Arc<dyn Build>>,
    refused: Option<(String, Refused)>,
    files: &[Seen],
    connections: &[ConnectionRow],
) -> ConnectorView {
    let file = file_view(row, files);
    let trial = trial(core, row);
    let refused = refused.map(|(file, refused)| refused_view(file, refused));
    let waiting = row.waiting.as_ref().map(|w| waiting_view(w, connections));
    let is_bad = |seen: &Seen| seen.hash.as_ref().is_ok_and(|h| row.bad(h).is_some());
    let taken_back = files.iter().filter(|seen| is_bad(seen)).find_map(|seen| {
        let hash = seen.hash.as_ref().ok()?;
        row.bad(hash)
    });
    let grant = build.map_or_else(|| row.grant.clone(), |build| asked(&**build));
    let (state, sentence, tone) = state(row, build.is_some(), refused.as_ref(), taken_back);
    let uses = connections.iter().filter(|c| c.connector == row.id);
    ConnectorView {
        id: row.id.clone(),
        title: row.title.clone(),
        state,
        sentence,
        tone,
        running: build.map(|_| build_view(&row.current)),
        signed_by: build.and_then(|build| build.signer()),
        file,
        passport: grant.words(),
        trial,
        waiting,
        refused,
        previous: row.previous.iter().map(build_view).collect(),
        bad: row.bad.iter().map(|bad| bad_view(core, bad)).collect(),
        swap_ms: core.swaps.times.stall(&row.id, row.current.generation),
        limits: LimitsView {
            call_ms: core.options.call_limit_ms,
            build: build.map(|build| build.limits()).unwrap_or_default(),
        },
        connections: uses
            .map(|connection| UseView {
                name: connection.name.clone(),
                title: connection.title.clone(),
                budgets: limits::budgets(core, connection.id),
                longest_ms: core.watch.longest(row.current.generation, connection.id),
            })
            .collect(),
    }
}

fn state(
    row: &ConnectorRow,
    loaded: bool,
    refused: Option<&RefusedView>,
    taken_back: Option<&BadRow>,
) -> (ConnectorState, String, Tone) {
    let version = &row.current.version;
    if !loaded {
        let why = format!("Version {version} could not be loaded, so nothing is called.");
        return (ConnectorState::Missing, why, Tone::You);
    }
    if row.trial.is_some() {
        let before = row
            .previous
            .first()
            .map_or("the build before", |b| &b.version);
        let why = format!(
            "Version {version} is at work, on trial. If it misbehaves, {before} comes back by itself."
        );
        return (ConnectorState::Trial, why, Tone::Soon);
    }
    if let Some(refused) = refused {
        let new = refused
            .version
            .as_ref()
            .map_or_else(|| format!("`{}`", refused.file), |v| format!("Version {v}"));
        let why = format!(
            "{new} was not taken: {}. Version {version} runs on.",
            refused.reason
        );
        let tone = if refused.again_at.is_some() {
            Tone::Soon
        } else {
            Tone::You
        };
        return (ConnectorState::Refused, why, tone);
    }
    if let Some(waiting) = &row.waiting {
        let (why, tone) = if waiting.accepted.is_some() {
            let why = format!(
                "Version {} was accepted and is being tested.",
                waiting.version
            );
            (why, Tone::Soon)
        } else {
            let why = format!(
                "Version {} asks for more than you granted, so it waits for you. Version {version} runs on.",
                waiting.version
            );
            (why, Tone::You)
        };
        return (ConnectorState::Waiting, why, tone);
    }
    if let Some(bad) = taken_back {
        let why = format!(
            "Version {} was taken back: {}. Version {version} is at work.",
            bad.version, bad.reason
        );
        let tone = if bad.by_itself { Tone::You } else { Tone::Hold };
        return (ConnectorState::RolledBack, why, tone);
    }
    let why = format!("Version {version} is at work.");
    (ConnectorState::Running, why, Tone::Ok)
}

fn file_view(row: &ConnectorRow, files: &[Seen]) -> FileView {
    let with = |hash: &str| files.iter().find(|seen| seen.hash.as_deref() == Ok(hash));
    if let Some(same) = with(&row.current.hash) {
        return FileView {
            name: Some(same.file.clone()),
            sentence: "The file in the folder is the build at work.".to_owned(),
        };
    }
    let waiting = row.waiting.as_ref().and_then(|w| with(&w.hash));
    let bad = row.bad.iter().find_map(|bad| with(&bad.hash));
    let named = files.iter().find(|seen| seen.file == row.current.file);
    let (name, sentence) = match (waiting, bad, named) {
        (Some(seen), _, _) => (Some(seen), "The file in the folder waits for you."),
        (_, Some(seen), _) => (Some(seen), "The file in the folder was taken back."),
        (_, _, Some(seen)) => (
            Some(seen),
            "The file in the folder is not the build at work.",
        ),
        (None, None, None) => (
            None,
            "Its file is gone from the folder; the kept copy runs on.",
        ),
    };
    FileView {
        name: name.map(|seen| seen.file.clone()),
        sentence: sentence.to_owned(),
    }
}

fn trial(core: &Core, row: &ConnectorRow) -> Option<TrialView> {
    let stored = row.trial.as_ref()?;
    let live = core
        .watch
        .trial(&row.id)
        .filter(|live| live.generation == row.current.generation);
    Some(TrialView {
        since: stored.since,
        until: stored.since + TRIAL_MS,
        good: live.as_ref().map_or(0, |live| live.good.min(GOOD_MOST)),
        of: GOOD_MOST,
        bad: live.map_or_else(|| stored.bad.clone(), |live| live.bad),
        most_bad: u32::try_from(BAD_MOST).unwrap_or(u32::MAX),
        back_to: row.previous.first().map(|b| b.version.clone()),
    })
}

fn waiting_view(waiting: &WaitingRow, connections: &[ConnectionRow]) -> WaitingView {
    WaitingView {
        hash: waiting.hash.clone(),
        version: waiting.version.clone(),
        file: waiting.file.clone(),
        asks: waiting.asks.clone(),
        settings: waiting
            .settings
            .iter()
            .map(|asked| AskedView {
                connection: connections
                    .iter()
                    .find(|c| c.id == asked.connection)
                    .map_or_else(|| asked.connection.to_string(), |c| c.name.clone()),
                connection_id: asked.connection,
                key: asked.key.clone(),
                label: asked.label.clone(),
                help: asked.help.clone(),
            })
            .collect(),
        at: waiting.at,
        accepted: waiting.accepted.clone(),
    }
}

fn build_view(row: &BuildRow) -> BuildView {
    BuildView {
        version: row.version.clone(),
        hash: row.hash.clone(),
        generation: row.generation,
        file: row.file.clone(),
        since: row.since,
        who: row.who.clone(),
    }
}

fn bad_view(core: &Core, row: &BadRow) -> BadView {
    BadView {
        version: row.version.clone(),
        hash: row.hash.clone(),
        file: row.file.clone(),
        reason: row.reason.clone(),
        at: row.at,
        by_itself: row.by_itself,
        undone_ms: core.swaps.times.undone(&row.hash),
    }
}

fn refused_view(file: String, refused: Refused) -> RefusedView {
    RefusedView {
        file,
        hash: refused.hash,
        version: refused.version,
        reason: refused.why.reason,
        hint: refused.why.hint,
        at: refused.at,
        again_at: refused.again_at,
    }
}
