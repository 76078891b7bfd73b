//! The parcels that an order's source shows of it, held against notes by their tracking numbers. The model has no field
//! for them: an extra of the order stands for each, `package TRACKING` with `LINE: UNITS, LINE: UNITS`. Must not know
//! why anybody asks.

use crate::decimal::Decimal;
use crate::document::{LineQuantity, Order, Shipment};
use crate::kits::Note;
use std::collections::{BTreeMap, BTreeSet};

/// How the name of such an extra begins.
const PARCEL: &str = "package ";

/// Units by line.
type Units = BTreeMap<String, Decimal>;

/// A parcel as the order's source shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its tracking number.
    pub tracking: String,
    /// What it holds of each line.
    pub units: Units,
}

/// What is shown of one note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The units of each line in its parcels.
    pub units: Vec<LineQuantity>,
    /// Every parcel of the note is shown.
    pub whole: bool,
}

/// What an order's source shows as shipped, shared out among the notes that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Notes of which nobody here knows that they were told, and that are shown, by key.
    pub of: BTreeMap<String, Own>,
    /// Units of each line that are shown, and that no note explains. Never nought.
    pub unknown: Units,
}

/// The parcels that an order carries. One that cannot be read is left out: then its units are nobody's.
pub fn shown(order: &Order) -> Vec<Shown> {
    let extras = order.extras.iter();
    extras
        .filter_map(|extra| {
            let tracking = extra.name.strip_prefix(PARCEL)?.trim().to_owned();
            let lines = extra.value.split(", ").map(|line| {
                let (key, units) = line.rsplit_once(": ")?;
                Some((key.to_owned(), units.parse::<Decimal>().ok()?))
            });
            let units = lines.collect::<Option<Units>>()?;
            Some(Shown { tracking, units })
        })
        .collect()
}

/// Tracking numbers of a note, each once.
fn numbers(shipment: &Shipment) -> BTreeSet<&str> {
    let all = shipment
        .parcels
        .iter()
        .filter_map(|p| p.tracking.as_deref());
    all.map(str::trim).filter(|n| !n.is_empty()).collect()
}

/// Shares out what is shown. `told` of a note is what is known to be reported of it, by its document.
///
/// A tracking number that two notes have counts for one of them. Units that lie in several parcels count once, as the
/// largest of those parcels: rather too few are explained than too many.
pub fn account(order: &Order, notes: &[Note<'_>]) -> Account {
    let parcels = shown(order);
    let lines = order.lines.iter();
    let mut unknown: Units = lines.map(|l| (l.line.clone(), l.shipped)).collect();
    let mut explain = |line: &str, units: Decimal| {
        if let Some(left) = unknown.get_mut(line) {
            *left = left.checked_sub(units).unwrap_or_default();
        }
    };
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    for (note, told) in notes.iter().filter_map(|n| Some((n, n.told?))) {
        for line in told {
            explain(&line.line, line.quantity);
        }
        taken.extend(numbers(note.shipment));
    }
    let mut of = BTreeMap::new();
    for note in notes.iter().filter(|note| note.told.is_none()) {
        let free: BTreeSet<&str> = numbers(note.shipment)
            .into_iter()
            .filter(|number| taken.insert(number))
            .collect();
        let span = note.shipment.parcels.iter().any(|parcel| parcel.span);
        let mut units = Units::new();
        let mut there = BTreeSet::new();
        for parcel in parcels.iter().filter(|p| free.contains(&*p.tracking)) {
            there.insert(&*parcel.tracking);
            for (line, held) in &parcel.units {
                let sum = units.entry(line.clone()).or_default();
                *sum = if span {
                    (*sum).max(*held)
                } else {
                    sum.checked_add(*held).unwrap_or(*sum)
                };
            }
        }
        if there.is_empty() {
            continue;
        }
        for (line, held) in &units {
            explain(line, *held);
        }
        let is_there = |number: &str| there.contains(number.trim());
        let mut all = note.shipment.parcels.iter();
        let whole = all.all(|p| p.tracking.as_deref().is_some_and(is_there));
        let units = units.into_iter();
        let units = units.map(|(line, quantity)| LineQuantity { line, quantity });
        let own = Own {
            units: units.collect(),
            whole,
        };
        of.insert(note.key.to_owned(), own);
    }
    unknown.retain(|_, left| left.is_positive());
    Account { of, unknown }
}
