//! For builds of the crash suite only (feature `crash-points`): kills this process with SIGKILL at the n-th hit of one
//! crash point, as `WAYBILL_CRASH=NAME:N` says. A shipped agent does not contain this file.

use crate::config::{Environment, WAYBILL_CRASH};
use crate::out::Failure;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use waybill_model::crash;

static TARGET: OnceLock<(&'static str, u64)> = OnceLock::new();
static HITS: AtomicU64 = AtomicU64::new(0);

/// Installs the hook if the environment asks for it.
pub(crate) fn install(environment: Environment<'_>) -> Result<(), Failure> {
    let Some(text) = environment(WAYBILL_CRASH) else {
        return Ok(());
    };
    let target = parse(&text).ok_or_else(|| Failure::Usage {
        message: format!("{WAYBILL_CRASH} is `{text}`"),
        hint: Some(format!(
            "Write NAME:N with N from 1 and one of: {}.",
            crash::POINTS.join(", ")
        )),
    })?;
    TARGET.get_or_init(|| target);
    crash::install(hit);
    Ok(())
}

fn parse(text: &str) -> Option<(&'static str, u64)> {
    let (name, count) = text.split_once(':')?;
    let name = crash::POINTS.iter().find(|point| **point == name)?;
    Some((name, count.parse().ok().filter(|n| *n > 0)?))
}

fn hit(name: &'static str) {
    let Some((target, count)) = TARGET.get() else {
        return;
    };
    if name == *target && HITS.fetch_add(1, Ordering::SeqCst) + 1 == *count {
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
        assert_eq!(parse("apply.committed:2"), Some(("apply.committed", 2)));
        for text in [
            "apply.committed",
            "apply.committed:0",
            "apply.commited:1",
            "",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
