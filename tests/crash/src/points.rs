//! Owns which places a run dies at, and what must happen beside the agent so that it comes there. Must not know how any
//! of it is done.

use waybill_builds::Kind;
use waybill_model::crash::POINTS;

/// What somebody does while an agent is to die at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Orders come in and leave, as always.
    Nothing,
    /// A person fills cells.
    Cells,
    /// A person applies provisioning.
    Plans,
    /// A person looks for orders from before, and takes them.
    Backfills,
    /// A person compares both sides.
    Compares,
    /// A person pauses a flow and lets it go on.
    Flows,
    /// A person practises shipments, and goes live with what was practised.
    Practice,
    /// Builds of connectors are dropped into the folder.
    Builds(Kind),
}

/// By how a point's name begins; the first that fits.
const BESIDE: [(&str, Beside); 9] = [
    ("crosswalk.", Beside::Cells),
    ("apply.", Beside::Plans),
    ("backfill.", Beside::Backfills),
    ("compare.", Beside::Compares),
    ("flow.", Beside::Flows),
    ("practice.", Beside::Practice),
    ("swap.undo", Beside::Builds(Kind::Trap)),
    ("swap.blamed", Beside::Builds(Kind::Trap)),
    ("swap.", Beside::Builds(Kind::Good)),
];

/// Calls that must not happen twice, by the name of their step. Each has two points of its own: it was begun, and it was
/// carried out, and nobody keeps the answer.
const STEPS: [&str; 11] = [
    "contact",
    "create-sale",
    "acknowledge",
    "acknowledge-number",
    "ship",
    "cancel-sale",
    "delete-note-*",
    "cut-row-*",
    "cancel",
    "invoice",
    "inventory-*",
];

/// A place to die at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Point {
    /// As the agent takes it.
    pub(crate) name: String,
    pub(crate) beside: Beside,
    /// One life comes there once at most, or seldom.
    pub(crate) rare: bool,
}

impl Point {
    fn of(name: String, rare: bool) -> Self {
        let found = BESIDE.iter().find(|(start, _)| name.starts_with(start));
        let beside = found.map_or(Beside::Nothing, |(_, beside)| *beside);
        Self {
            rare: rare || !matches!(beside, Beside::Nothing | Beside::Cells),
            name,
            beside,
        }
    }
}

/// All of them: `only` is how their names begin.
pub(crate) fn all(only: &str) -> Vec<Point> {
    let named = POINTS.iter().map(|name| {
        let rare = name.starts_with("cancel.") || *name == "ensure.answered";
        Point::of((*name).to_owned(), rare)
    });
    let steps = STEPS.iter().flat_map(|step| {
        ["effect.begun", "effect.answered"].map(|point| Point::of(format!("{point}={step}"), true))
    });
    let mut all: Vec<Point> = named.chain(steps).collect();
    all.retain(|point| point.name.starts_with(only));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_beginning_stands_for_some_point() {
        for (start, _) in BESIDE {
            assert!(!all(start).is_empty(), "no point begins with `{start}`");
        }
        let swaps = all("swap.");
        let traps = swaps
            .iter()
            .filter(|p| p.beside == Beside::Builds(Kind::Trap));
        assert_eq!(traps.count(), 3);
    }
}
