//! Kits: components of goods-out notes counted into whole kits. Total and deterministic: whatever the order in which
//! notes arrive and however often, every whole kit belongs to exactly one note, the one that completes it.
//! What a note told already stands; the notes that follow share out what is left.

use crate::decimal::Decimal;
use crate::document::{LineQuantity, Shipment};
use crate::ids::Millis;
use std::collections::{BTreeMap, BTreeSet};

/// One note of an order.
#[derive(Debug, Clone, Copy)]
pub struct Note<'a> {
    /// Its key.
    pub key: &'a str,
    /// When it was shipped; decides which of two notes completes a kit.
    pub at: Millis,
    /// What lies in it.
    pub shipment: &'a Shipment,
    /// The units of each line that it told already, or is telling now.
    pub told: Option<&'a [LineQuantity]>,
}

/// What one note has to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    /// Units of each line, whole kits counted; never nought.
    pub units: BTreeMap<String, Decimal>,
    /// Components lie in it that no whole kit holds yet.
    pub waits: bool,
    /// Nothing is left for it to tell: its components belong to kits that this note completes.
    pub with: Option<String>,
}

/// A line and, where it is a kit, the component.
type Piece = (String, Option<String>);

/// Units of each line and component in a shipment. A unit that lies in several parcels is listed by each of them and
/// counts once.
pub fn pieces(shipment: &Shipment) -> BTreeMap<Piece, Decimal> {
    let mut single: BTreeMap<Piece, Decimal> = BTreeMap::new();
    let mut spanning: BTreeMap<Piece, (Decimal, usize)> = BTreeMap::new();
    for parcel in &shipment.parcels {
        for packed in &parcel.lines {
            let item = packed.part.as_ref().map(|part| part.item.clone());
            let piece = (packed.line.clone(), item);
            if parcel.span {
                let (most, times) = spanning.entry(piece).or_default();
                *most = (*most).max(packed.quantity);
                *times += 1;
            } else {
                let sum = single.entry(piece).or_default();
                *sum = plus(*sum, packed.quantity);
            }
        }
    }
    for (piece, (most, times)) in spanning {
        let sum = single.entry(piece).or_default();
        // One spanning parcel alone repeats the units of a parcel that does not span.
        if times > 1 || sum.is_zero() {
            *sum = plus(*sum, most);
        }
    }
    single
}

fn plus(a: Decimal, b: Decimal) -> Decimal {
    a.checked_add(b).unwrap_or(a)
}

fn minus(a: Decimal, b: Decimal) -> Decimal {
    a.checked_sub(b).unwrap_or_default().max(Decimal::ZERO)
}

/// What a whole unit of a line is made of.
#[derive(Debug, Default)]
struct Recipe {
    per_unit: BTreeMap<String, Decimal>,
    parts: usize,
}

impl Recipe {
    /// Whole units in these components.
    fn whole(&self, held: &BTreeMap<&str, Decimal>) -> Decimal {
        if held.len() < self.parts.max(1) {
            return Decimal::ZERO;
        }
        let times = held.iter().map(|(item, quantity)| {
            let part = self.per_unit.get(*item).copied().unwrap_or_default();
            quantity.whole_times(part).unwrap_or_default()
        });
        times.min().unwrap_or_default()
    }
}

fn recipes(notes: &[Note<'_>]) -> BTreeMap<String, Recipe> {
    let mut recipes: BTreeMap<String, Recipe> = BTreeMap::new();
    let parcels = notes.iter().flat_map(|n| &n.shipment.parcels);
    for packed in parcels.flat_map(|p| &p.lines) {
        let Some(part) = &packed.part else { continue };
        let recipe = recipes.entry(packed.line.clone()).or_default();
        let known = recipe.per_unit.entry(part.item.clone()).or_default();
        *known = (*known).max(part.per_unit);
        recipe.parts = recipe.parts.max(part.parts as usize);
    }
    recipes
}

/// What each note of one order has to tell, by its key. Notes come in any order, each once.
pub fn shares(notes: &[Note<'_>]) -> BTreeMap<String, Share> {
    let mut notes = notes.to_vec();
    notes.sort_by_key(|note| (note.told.is_none(), note.at, note.key));
    let counted: Vec<BTreeMap<Piece, Decimal>> = notes.iter().map(|n| pieces(n.shipment)).collect();
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    for (note, pieces) in notes.iter().zip(&counted) {
        let share = shares.entry(note.key.to_owned()).or_default();
        if let Some(told) = note.told {
            let told = told.iter().filter(|q| q.quantity.is_positive());
            share.units = told.map(|q| (q.line.clone(), q.quantity)).collect();
            continue;
        }
        let plain = pieces.iter().filter(|((_, item), _)| item.is_none());
        let plain = plain.filter(|(_, quantity)| quantity.is_positive());
        share.units = plain.map(|((line, _), q)| (line.clone(), *q)).collect();
    }
    for (line, recipe) in recipes(&notes) {
        share_out(&line, &recipe, &notes, &counted, &mut shares);
    }
    shares
}

/// Shares out the whole kits of one line.
fn share_out(
    line: &str,
    recipe: &Recipe,
    notes: &[Note<'_>],
    counted: &[BTreeMap<Piece, Decimal>],
    shares: &mut BTreeMap<String, Share>,
) {
    let mut held: BTreeMap<&str, Decimal> = BTreeMap::new();
    let mut told = Decimal::ZERO;
    let mut completes: Option<String> = None;
    let mut silent: Vec<(&str, BTreeSet<&str>)> = Vec::new();
    for (note, pieces) in notes.iter().zip(counted) {
        let mut items = BTreeSet::new();
        for ((of, item), quantity) in pieces {
            if let Some(item) = item
                && of == line
            {
                let sum = held.entry(item).or_default();
                *sum = plus(*sum, *quantity);
                items.insert(item.as_str());
            }
        }
        if items.is_empty() {
            continue;
        }
        let share = shares.entry(note.key.to_owned()).or_default();
        let plain = pieces.get(&(line.to_owned(), None)).copied();
        let plain = plain.unwrap_or_default();
        let kits = if note.told.is_some() {
            minus(share.units.get(line).copied().unwrap_or_default(), plain)
        } else {
            minus(recipe.whole(&held), told)
        };
        told = plus(told, kits);
        if kits.is_positive() {
            completes = Some(note.key.to_owned());
        }
        if note.told.is_none() {
            if kits.is_positive() {
                share.units.insert(line.to_owned(), plus(plain, kits));
            } else {
                silent.push((note.key, items));
            }
        }
    }
    let whole = recipe.whole(&held);
    let is_left = |item: &str| {
        let used = recipe.per_unit.get(item).and_then(|p| p.checked_mul(whole));
        held.get(item).copied().unwrap_or_default() > used.unwrap_or_default()
    };
    for (key, items) in silent {
        let share = shares.entry(key.to_owned()).or_default();
        share.waits |= items.into_iter().any(is_left);
        share.with.clone_from(&completes);
    }
}
