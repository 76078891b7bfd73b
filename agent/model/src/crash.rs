//! Named crash points. In a shipped agent nothing is installed and a point costs one load; the crash suite installs
//! a hook that kills the process (or, simulated, freezes the disk) at the n-th hit of one name. The list of names is
//! in `agent/ARCHITECTURE.md`; the suite fails when a name is never hit.

use std::sync::OnceLock;

static HOOK: OnceLock<fn(&'static str)> = OnceLock::new();

/// Installs the hook for this process. The first one stays.
pub fn install(hook: fn(&'static str)) {
    // A second install is a test's mistake and must not replace a hook in use.
    let _first_stays = HOOK.set(hook);
}

/// Marks a place at which a crash must cost nothing but a repeat.
#[inline]
pub fn point(name: &'static str) {
    if let Some(hook) = HOOK.get() {
        hook(name);
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
    "ensure.answered",
    "swap.before-commit",
    "swap.committed",
    "swap.undo-before-commit",
    "swap.undo-committed",
];
