//! The simulated ERP's warehouse: it packs sales bit by bit, makes mistakes and mends them. What it says last is right.

use crate::world::{Chance, Sale};
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

    /// As the ERP's connector hands it over.
    pub fn document(&self) -> Document {
        let open = matches!(self.flaw, Flaw::Picked | Flaw::Deleted);
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
}

impl Warehouse {
    /// A note by its key.
    pub fn note(&self, key: &str) -> Option<&GoodsOut> {
        let id: u64 = key.parse().ok()?;
        self.notes.iter().find(|n| n.id == id && !n.gone)
    }

    /// What of a sale is in no note yet: units, or components of a kit.
    pub fn left(&self, sale: u64, units: i64, kit: bool) -> Held {
        let notes = self.notes.iter().filter(|n| n.sale == sale && !n.gone);
        let held: Vec<Held> = notes.map(|n| n.held).collect();
        if kit {
            let mut left = RECIPE.map(|(_, per_unit)| per_unit * units);
            for parts in &held {
                if let Held::Parts(parts) = parts {
                    left.iter_mut()
                        .zip(parts)
                        .for_each(|(left, held)| *left -= held);
                }
            }
            return Held::Parts(left);
        }
        let packed = held.iter().map(|held| match held {
            Held::Units(units) => *units,
            Held::Parts(_) => 0,
        });
        Held::Units(units - packed.sum::<i64>())
    }

    /// Packs some of a sale, if anything is left of it.
    pub fn pack(
        &mut self,
        sale: &Sale,
        order: &str,
        units: i64,
        kit: bool,
        now: Millis,
        chance: &mut Chance,
    ) {
        let mut some = |most: i64| {
            let most = u64::try_from(most).unwrap_or(0);
            i64::try_from(chance.below(most + 1)).unwrap_or(0)
        };
        let held = match self.left(sale.id, units, kit) {
            Held::Units(0) | Held::Parts([0, 0]) => return,
            Held::Units(left) => Held::Units(some(left - 1) + 1),
            Held::Parts(left) => match left.map(&mut some) {
                [0, 0] => Held::Parts(left),
                parts => Held::Parts(parts),
            },
        };
        let flaw = match chance.below(10) {
            0 | 1 => Flaw::Late,
            2 => Flaw::Refused,
            3 if !kit => Flaw::TooMuch,
            4 => Flaw::Picked,
            5 => Flaw::Deleted,
            _ => Flaw::None,
        };
        let wait = Millis::try_from(chance.below(25_000) + 3_000).unwrap_or(3_000);
        self.events.push(self.notes.len());
        self.notes.push(GoodsOut {
            id: 700_000 + self.notes.len() as u64,
            sale: sale.id,
            order: order.to_owned(),
            held,
            flaw,
            mended_at: now + wait,
            version: 1,
            at: now,
            gone: false,
        });
    }

    /// Mends what is due. A note that is deleted says nothing: only who asks for it finds that it is gone.
    pub fn mend(&mut self, now: Millis) {
        for (number, note) in self.notes.iter_mut().enumerate() {
            if note.flaw == Flaw::None || note.gone || note.mended_at > now {
                continue;
            }
            if note.flaw == Flaw::Deleted {
                note.gone = true;
                continue;
            }
            note.flaw = Flaw::None;
            note.version += 1;
            self.events.push(number);
        }
    }

    /// Whether anything will still change by itself.
    pub fn is_busy(&self) -> bool {
        self.notes.iter().any(|n| n.flaw != Flaw::None && !n.gone)
    }

    /// Whole units of each order in its notes, by the order's key.
    pub fn shipped(&self) -> BTreeMap<&str, i64> {
        let mut units: BTreeMap<&str, i64> = BTreeMap::new();
        let mut parts: BTreeMap<&str, [i64; 2]> = BTreeMap::new();
        for note in self.notes.iter().filter(|n| !n.gone) {
            match note.held {
                Held::Units(held) => *units.entry(&note.order).or_default() += held,
                Held::Parts(held) => {
                    let sum = parts.entry(&note.order).or_default();
                    sum.iter_mut()
                        .zip(held)
                        .for_each(|(sum, held)| *sum += held);
                }
            }
        }
        for (order, held) in parts {
            let kits = held.iter().zip(RECIPE).map(|(held, (_, per))| held / per);
            *units.entry(order).or_default() += kits.min().unwrap_or(0);
        }
        units
    }
}
