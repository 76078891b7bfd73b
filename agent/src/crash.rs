//! For builds for development and for the crash suite (feature `crash-points`): kills this process with SIGKILL at the n-th hit of one
//! crash point, as `WAYBILL_CRASH=NAME:N` says; `NAME=STEP:N` counts that step of an effect alone (`STEP*`: those that
//! begin so). A shipped agent does not contain this file.

use crate::config::{Environment, WAYBILL_CRASH};
use crate::out::Failure;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use waybill_model::crash;

static TARGET: OnceLock<Target> = OnceLock::new();
static HITS: AtomicU64 = AtomicU64::new(0);

/// Where to die.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    name: &'static str,
    /// `None`: any.
    step: Option<String>,
    count: u64,
}

/// Installs the hook if the environment asks for it.
pub(crate) fn install(environment: Environment<'_>) -> Result<(), Failure> {
    let Some(text) = environment(WAYBILL_CRASH) else {
        return Ok(());
    };
    let target = parse(&text).ok_or_else(|| Failure::Usage {
        message: format!("{WAYBILL_CRASH} is `{text}`"),
        hint: Some(format!(
            "Write NAME:N or NAME=STEP:N with N from 1 and one of: {}.",
            crash::POINTS.join(", ")
        )),
    })?;
    TARGET.get_or_init(|| target);
    crash::install(hit);
    Ok(())
}

fn parse(text: &str) -> Option<Target> {
    let (place, count) = text.rsplit_once(':')?;
    let (name, step) = match place.split_once('=') {
        Some((name, step)) => (name, Some(step.to_owned())),
        None => (place, None),
    };
    Some(Target {
        name: crash::POINTS.iter().find(|point| **point == name)?,
        step,
        count: count.parse().ok().filter(|n| *n > 0)?,
    })
}

impl Target {
    fn is(&self, name: &str, which: &str) -> bool {
        name == self.name
            && self.step.as_deref().is_none_or(|step| {
                step.strip_suffix('*')
                    .map_or(step == which, |start| which.starts_with(start))
            })
    }
}

fn hit(name: &'static str, which: &str) {
    let Some(target) = TARGET.get() else {
        return;
    };
    let is_it = target.is(name, which);
    if is_it && HITS.fetch_add(1, Ordering::SeqCst) + 1 == target.count {
        let me = rustix::process::getpid();
        if let Err(error) = rustix::process::kill_process(me, rustix::process::Signal::KILL) {
            tracing::error!(%error, "The crash that was asked for did not happen.");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_points_are_taken() {
        let target = parse("apply.committed:2").unwrap();
        assert_eq!((target.name, target.count), ("apply.committed", 2));
        assert!(target.is("apply.committed", "any") && !target.is("apply.before-commit", ""));
        for text in [
            "apply.committed",
            "apply.committed:0",
            "apply.commited:1",
            "",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn one_step_of_many_is_named_whole_or_by_its_start() {
        let whole = parse("effect.begun=put:1").unwrap();
        assert!(whole.is("effect.begun", "put") && !whole.is("effect.begun", "put-2"));
        let start = parse("effect.begun=put*:1").unwrap();
        assert!(start.is("effect.begun", "put-2") && !start.is("effect.begun", "get"));
        assert!(!start.is("effect.answered", "put"));
    }
}
