//! Named crash points. In a shipped agent nothing is installed and a point costs one load; the crash suite installs
//! a hook that kills the process (or, simulated, freezes the disk) at the n-th hit of one name. The list of names is
//! in `agent/ARCHITECTURE.md`; the suite fails when a name is never hit.

use std::sync::OnceLock;

static HOOK: OnceLock<fn(&'static str, &str)> = OnceLock::new();

/// Installs the hook for this process. The first one stays.
pub fn install(hook: fn(&'static str, &str)) {
    // A second install is a test's mistake and must not replace a hook in use.
    let _first_stays = HOOK.set(hook);
}

/// Marks a place at which a crash must cost nothing but a repeat.
#[inline]
pub fn point(name: &'static str) {
    point_of(name, "");
}

/// The same, where many things pass: `which` says what, the step of an effect for example.
#[inline]
pub fn point_of(name: &'static str, which: &str) {
    if let Some(hook) = HOOK.get() {
        hook(name, which);
    }
}

/// Every crash point, in the order an order meets them.
pub const POINTS: &[&str] = &[
    "pull.answered",
    "accept.before-commit",
    "accept.committed",
    "backfill.before-commit",
    "backfill.committed",
    "batch.before-commit",
    "batch.committed",
    "effect.before-begin",
    "effect.begun",
    "effect.answered",
    "effect.finished",
    "verdict.before-commit",
    "verdict.committed",
    "ticket.before-commit",
    "ticket.committed",
    "settle.created",
    "invoice.created",
    "invoice.cut",
    "cancel.created",
    "cancel.answered",
    "cancel.dropped",
    "crosswalk.before-commit",
    "crosswalk.released",
    "apply.before-commit",
    "apply.committed",
    "hook.before-commit",
    "hook.committed",
    "hints.before-commit",
    "hints.committed",
    "fetch.answered",
    "fetch.committed",
    "stock.before-commit",
    "stock.committed",
    "levels.before-claim",
    "levels.claimed",
    "levels.before-commit",
    "levels.committed",
    "levels.before-judged",
    "levels.judged",
    "compare.answered",
    "compare.before-commit",
    "compare.committed",
    "flow.before-commit",
    "flow.committed",
    "practice.before-commit",
    "practice.committed",
    "ensure.answered",
    "swap.copied",
    "swap.before-commit",
    "swap.committed",
    "swap.blamed",
    "swap.undo-before-commit",
    "swap.undo-committed",
];
