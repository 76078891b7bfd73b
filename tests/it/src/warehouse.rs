//! The simulated ERP's warehouse: it packs sales bit by bit, makes mistakes and mends them. What it says last is right.

use crate::world::{Chance, NetworkOrder, Sale};
use std::collections::BTreeMap;
use waybill_model::decimal::Decimal;
use waybill_model::document::{Body, Document, Method, PackedLine, Parcel, Part, Shipment, Stage};
use waybill_model::ids::Millis;

/// Components of a kit, and how many of each make one.
pub const RECIPE: [(&str, i64); 2] = [("A", 1), ("B", 2)];

/// What a note holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Whole units.
    Units(i64),
    /// Components of [`RECIPE`], in its order.
    Parts([i64; 2]),
}

/// What is wrong with a note until it is mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// It has no tracking number yet.
    Late,
    /// Its tracking number is one that the network refuses.
    Refused,
    /// It says more than was ever ordered.
    TooMuch,
    /// It is only picked, and shipped later.
    Picked,
    /// It is only picked, and deleted later.
    Deleted,
}

/// A goods-out note.
#[derive(Debug, Clone)]
pub struct GoodsOut {
    /// Its id.
    pub id: u64,
    /// The sale it is of.
    pub sale: u64,
    /// The order's key at the network.
    pub order: String,
    /// What lies in it.
    pub held: Held,
    /// What is wrong now.
    pub flaw: Flaw,
    /// When that is mended.
    pub mended_at: Millis,
    /// Grows with each change.
    pub version: u64,
    /// When it was made.
    pub at: Millis,
    /// Not there any more.
    pub gone: bool,
}

impl GoodsOut {
    /// The tracking number it shows.
    pub fn tracking(&self) -> Option<String> {
        match self.flaw {
            Flaw::Late => None,
            Flaw::Refused => Some(format!("BAD{}", self.id)),
            _ => Some(format!("1Z{}", self.id)),
        }
    }

    /// It is not shipped yet.
    pub const fn is_open(&self) -> bool {
        matches!(self.flaw, Flaw::Picked | Flaw::Deleted)
    }

    /// Nothing changes about it by itself any more.
    pub fn is_settled(&self) -> bool {
        self.gone || self.flaw == Flaw::None
    }

    /// As the ERP's connector hands it over.
    pub fn document(&self) -> Document {
        let open = self.is_open();
        let line = |quantity: i64, part: Option<Part>| PackedLine {
            line: "1".to_owned(),
            quantity: Decimal::whole(quantity),
            part,
        };
        let lines = match self.held {
            Held::Units(units) if self.flaw == Flaw::TooMuch => vec![line(units + 100, None)],
            Held::Units(units) => vec![line(units, None)],
            Held::Parts(parts) => RECIPE
                .iter()
                .zip(parts)
                .filter(|(_, held)| *held > 0)
                .map(|((item, per_unit), held)| {
                    let part = Part {
                        item: (*item).to_owned(),
                        per_unit: Decimal::whole(*per_unit),
                        parts: 2,
                    };
                    line(held, Some(part))
                })
                .collect(),
        };
        Document {
            key: self.id.to_string(),
            revision: self.version.to_string(),
            occurred_at: self.at,
            body: Body::Shipment(Shipment {
                order_key: self.sale.to_string(),
                stage: if open { Stage::Picked } else { Stage::Shipped },
                shipped_at: (!open).then_some(self.at),
                warehouse: None,
                shipping_method: Some(Method {
                    carrier: None,
                    name: None,
                    code: Some("12".to_owned()),
                }),
                parcels: vec![Parcel {
                    tracking: self.tracking(),
                    lines,
                    span: false,
                    extras: Vec::new(),
                }],
                extras: Vec::new(),
            }),
        }
    }
}

/// Notes in the order they were made, and the stream of their changes.
#[derive(Debug, Default)]
pub struct Warehouse {
    /// Notes.
    pub notes: Vec<GoodsOut>,
    /// Numbers of notes in the order of change; none of ours: past the end.
    pub events: Vec<usize>,
    /// Numbers of the notes of each sale.
    of: BTreeMap<u64, Vec<usize>>,
    /// Numbers of notes that will change.
    flawed: Vec<usize>,
}

/// Whole units in such notes.
pub fn whole(kit: bool, held: impl Iterator<Item = Held>) -> i64 {
    let (mut units, mut parts) = (0, [0, 0]);
    for held in held {
        match held {
            Held::Units(held) => units += held,
            Held::Parts(held) => {
                let sums = parts.iter_mut().zip(held);
                sums.for_each(|(sum, held)| *sum += held);
            }
        }
    }
    let kits = parts.iter().zip(RECIPE).map(|(held, (_, per))| held / per);
    units + kits.min().filter(|_| kit).unwrap_or(0)
}

impl Warehouse {
    /// A note by its key.
    pub fn note(&self, key: &str) -> Option<&GoodsOut> {
        let id: u64 = key.parse().ok()?;
        let at = usize::try_from(id.checked_sub(700_000)?).ok()?;
        self.notes.get(at).filter(|n| !n.gone)
    }

    /// The notes of a sale, those that are gone among them.
    pub fn of_sale(&self, sale: u64) -> impl Iterator<Item = &GoodsOut> {
        let own = self.of.get(&sale).into_iter().flatten();
        own.map(|at| &self.notes[*at])
    }

    /// What of a sale is in no note yet: units, or components of a kit.
    pub fn left(&self, sale: u64, units: i64, kit: bool) -> Held {
        let held = self.of_sale(sale).filter(|n| !n.gone).map(|n| n.held);
        if kit {
            let mut left = RECIPE.map(|(_, per_unit)| per_unit * units);
            for held in held {
                if let Held::Parts(parts) = held {
                    left.iter_mut()
                        .zip(parts)
                        .for_each(|(left, held)| *left -= held);
                }
            }
            return Held::Parts(left);
        }
        Held::Units(units - whole(false, held))
    }

    /// Packs some of a sale, if anything is left of it; which note that is. `stays`: such a note is never deleted.
    pub fn pack(
        &mut self,
        sale: &Sale,
        order: &NetworkOrder,
        stays: bool,
        now: Millis,
        chance: &mut Chance,
    ) -> Option<u64> {
        let mut some = |most: i64| {
            let most = u64::try_from(most).unwrap_or(0);
            i64::try_from(chance.below(most + 1)).unwrap_or(0)
        };
        let held = match self.left(sale.id, order.units, order.kit) {
            Held::Units(0) | Held::Parts([0, 0]) => return None,
            Held::Units(left) => Held::Units(some(left - 1) + 1),
            Held::Parts(left) => match left.map(&mut some) {
                [0, 0] => Held::Parts(left),
                parts => Held::Parts(parts),
            },
        };
        let flaw = match chance.below(10) {
            0 | 1 => Flaw::Late,
            2 => Flaw::Refused,
            3 if !order.kit => Flaw::TooMuch,
            4 => Flaw::Picked,
            5 if !stays => Flaw::Deleted,
            _ => Flaw::None,
        };
        let wait = Millis::try_from(chance.below(25_000) + 3_000).unwrap_or(3_000);
        let at = self.notes.len();
        self.events.push(at);
        self.of.entry(sale.id).or_default().push(at);
        if flaw != Flaw::None {
            self.flawed.push(at);
        }
        let id = 700_000 + at as u64;
        self.notes.push(GoodsOut {
            id,
            sale: sale.id,
            order: order.key.clone(),
            held,
            flaw,
            mended_at: now + wait,
            version: 1,
            at: now,
            gone: false,
        });
        Some(id)
    }

    /// Mends what is due: those notes, and their sales. A feed says nothing of a note that is deleted: only who asks for
    /// it finds that it is gone.
    pub fn mend(&mut self, now: Millis) -> Vec<(u64, u64)> {
        let Self {
            notes,
            events,
            flawed,
            ..
        } = self;
        let mut mended = Vec::new();
        flawed.retain(|number| {
            let note = &mut notes[*number];
            if note.mended_at > now {
                return true;
            }
            if note.flaw == Flaw::Deleted {
                note.gone = true;
            } else {
                note.flaw = Flaw::None;
                note.version += 1;
                events.push(*number);
            }
            mended.push((note.id, note.sale));
            false
        });
        mended
    }

    /// Whether anything will still change by itself.
    pub fn is_busy(&self) -> bool {
        !self.flawed.is_empty()
    }

    /// Whole units of each order in its notes, by the order's key.
    pub fn shipped(&self) -> BTreeMap<&str, i64> {
        let mut held: BTreeMap<&str, Vec<Held>> = BTreeMap::new();
        for note in self.notes.iter().filter(|n| !n.gone) {
            held.entry(&note.order).or_default().push(note.held);
        }
        let units = held.into_iter();
        units
            .map(|(order, held)| (order, whole(true, held.into_iter())))
            .collect()
    }
}
