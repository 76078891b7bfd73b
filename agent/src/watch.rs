//! Watching the connectors folder: any event means "look again", once it was quiet for half a second. It knows no
//! connector: what lies there is compared by content, by the engine. Where the system does not tell, it looks by the
//! clock.

use crate::shelf::is_component;
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// No event for so long: the copying has ended.
const QUIET: Duration = Duration::from_millis(500);
/// A folder that is never quiet is looked at anyway.
const LONGEST: Duration = Duration::from_secs(10);
/// Looked at by the clock, whatever was told: lost events, folders that were replaced.
const EVERY: Duration = Duration::from_mins(5);
/// The same where the system tells nothing.
const UNTOLD: Duration = Duration::from_secs(10);

/// How a folder is watched.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    /// Which.
    pub(crate) path: PathBuf,
    /// By the clock alone: network drives tell nothing of what other machines write.
    pub(crate) poll: Option<Duration>,
}

/// Calls `changed` whenever the folder changed or may have, until told to stop.
pub(crate) async fn run(folder: Folder, stop: CancellationToken, changed: impl Fn()) {
    let (told, mut events) = unbounded_channel();
    let mut warned = false;
    loop {
        // Made anew each time: the folder may have been replaced by another one of its name.
        let watcher = match folder.poll {
            Some(_) => None,
            None => watch(&folder.path, &told, &mut warned),
        };
        let every = folder
            .poll
            .unwrap_or(if watcher.is_some() { EVERY } else { UNTOLD });
        let until = Instant::now() + every;
        // What changed while nobody watched.
        changed();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(until) => break,
                Some(()) = events.recv() => {}
            }
            if !quiet(&mut events, &stop).await {
                return;
            }
            changed();
        }
    }
}

/// Waits until nothing happens any more. False: told to stop.
async fn quiet(events: &mut UnboundedReceiver<()>, stop: &CancellationToken) -> bool {
    let longest = Instant::now() + LONGEST;
    while Instant::now() < longest {
        tokio::select! {
            () = stop.cancelled() => return false,
            event = timeout(QUIET, events.recv()) => if event.is_err() { break },
        }
    }
    true
}

fn watch(path: &Path, told: &UnboundedSender<()>, warned: &mut bool) -> Option<RecommendedWatcher> {
    let told = told.clone();
    let tell = move |event: notify::Result<Event>| {
        if event.as_ref().map_or(true, counts) {
            // Nobody listens only while the agent stops.
            let _nobody = told.send(());
        }
    };
    let made = notify::recommended_watcher(tell).and_then(|mut watcher| {
        watcher.watch(path, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    match made {
        Ok(watcher) => {
            *warned = false;
            Some(watcher)
        }
        Err(error) => {
            if !std::mem::replace(warned, true) {
                tracing::warn!(
                    folder = %path.display(), %error, every_secs = UNTOLD.as_secs(),
                    "The connectors folder cannot be watched, so it is looked at by the clock."
                );
            }
            None
        }
    }
}

/// Whether an event may change what is found. Reading the files raises events of its own, which must not count. One
/// without a path says that others were lost.
fn counts(event: &Event) -> bool {
    let is_read = matches!(event.kind, EventKind::Access(kind)
        if kind != AccessKind::Close(AccessMode::Write));
    let elsewhere = |path: &PathBuf| !is_component(path);
    !is_read && (event.paths.is_empty() || !event.paths.iter().all(elsewhere))
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
