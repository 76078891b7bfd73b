//! Owns what the warehouse does in the play: for every sale a way to ship it, in steps over time, so that every awkward
//! kind of goods-out note occurs. Talks to the ERP sandbox's control side only; must not know the agent or the network.

use super::books::Books;
use super::house::House;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// ERP method whose parcels the play first declares by a wrong code.
pub const MISROUTED_METHOD: i64 = 18;
/// Ticks between two notes of one sale, so that they leave at different times.
const BETWEEN: u64 = 5;
/// Ticks until a forgotten tracking number is typed in.
const LATE: u64 = 12;

/// How a sale leaves the warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One note, one parcel.
    Whole,
    /// Several notes of some units each.
    Partial,
    /// One note, several parcels.
    Parcels,
    /// One unit over two parcels, the rest later.
    OneUnit,
    /// The tracking number is typed in after it left.
    Late,
    /// The note is corrected before it leaves, and touched once more after.
    Edited,
    /// The first note is deleted.
    Deleted,
    /// Notes of both warehouses.
    TwoPlaces,
    /// By a method whose code the network refuses until a person corrects it.
    Misrouted,
    /// Entered minutes after it left.
    BackDated,
    /// By another carrier than the order asked for.
    OtherCarrier,
    /// A kit, all its parts at once.
    Kit,
    /// A kit whose parts leave in two notes.
    KitInParts,
    /// The retailer asks to cancel before anything is packed.
    CancelAsked,
    /// The same, and there is an open note.
    CancelNote,
    /// The same, and the goods are picked: it ships.
    CancelLate,
    /// The retailer cancels without asking.
    CancelForced,
    /// The retailer cancels one line without asking; the others leave.
    CancelLine,
    /// The merchant cancels the sale.
    CancelOwn,
    /// The merchant takes a unit off the sale; the rest leaves.
    CancelUnit,
}

impl Kind {
    const fn cancels(self) -> bool {
        matches!(
            self,
            Self::CancelAsked
                | Self::CancelNote
                | Self::CancelLate
                | Self::CancelForced
                | Self::CancelLine
                | Self::CancelOwn
                | Self::CancelUnit
        )
    }

    /// Whether nothing is cancelled or changed about its sale: it may be invoiced before it ships.
    pub const fn is_plain(self) -> bool {
        matches!(
            self,
            Self::Whole | Self::Partial | Self::Parcels | Self::Late
        )
    }

    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Whole => "one note, one parcel",
            Self::Partial => "partial notes",
            Self::Parcels => "several parcels in one note",
            Self::OneUnit => "one unit over two parcels",
            Self::Late => "tracking number comes late",
            Self::Edited => "note edited before it left",
            Self::Deleted => "first note deleted",
            Self::TwoPlaces => "notes of two warehouses",
            Self::Misrouted => "refused, corrected, sent again",
            Self::BackDated => "entered after it left",
            Self::OtherCarrier => "another carrier than asked",
            Self::Kit => "kit in one note",
            Self::KitInParts => "kit in two notes",
            Self::CancelAsked => "retailer asks to cancel: accepted",
            Self::CancelNote => "asked with an open note: accepted",
            Self::CancelLate => "asked when picked: shipped",
            Self::CancelForced => "cancelled by the retailer",
            Self::CancelLine => "a line cancelled by the retailer",
            Self::CancelOwn => "sale cancelled by the merchant",
            Self::CancelUnit => "a unit dropped by the merchant",
        }
    }
}

/// Kinds of ordinary sales, in turn.
const TURNS: [Kind; 21] = [
    Kind::Whole,
    Kind::CancelAsked,
    Kind::Partial,
    Kind::CancelUnit,
    Kind::Misrouted,
    Kind::CancelOwn,
    Kind::Parcels,
    Kind::Late,
    Kind::CancelLine,
    Kind::OneUnit,
    Kind::CancelForced,
    Kind::Edited,
    Kind::Partial,
    Kind::Deleted,
    Kind::CancelLate,
    Kind::Whole,
    Kind::TwoPlaces,
    Kind::CancelNote,
    Kind::BackDated,
    Kind::OtherCarrier,
    Kind::Whole,
];

/// What is done with a note.
#[derive(Debug, Clone)]
enum Act {
    Make(Value),
    Edit(Value),
    Stage(Value),
    Delete,
    /// The retailer cancels, or asks to.
    Cancel(String, Value),
    /// The merchant changes the sale.
    Change(String, Value),
}

/// Rows, each with units.
type Rows = Vec<(i64, i64)>;

/// A sale as the worker sees it: rows that goods leave by, with their units, and the warehouse.
struct Sale {
    id: i64,
    /// The order's id at the network.
    order: String,
    /// The order's line by row.
    lines: BTreeMap<i64, i64>,
    rows: Rows,
    parts: Rows,
    warehouse: i64,
}

/// The worker.
#[derive(Debug, Default)]
pub struct Worker {
    tick: u64,
    turn: usize,
    kit_turn: usize,
    next_tracking: u64,
    seen: HashSet<i64>,
    last_sale: i64,
    notes: HashMap<(i64, usize), i64>,
    steps: BTreeMap<(u64, u64), (i64, usize, Act)>,
    next_step: u64,
    /// The accountant, who works beside him.
    pub books: Books,
    /// How each order leaves, by the order's id at the network.
    pub kinds: BTreeMap<String, Kind>,
}

impl Worker {
    /// Whether nothing is left to do with the sales seen so far.
    pub fn idle(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether every sale of an order was taken up, and nothing is left to do.
    pub fn done_with(&self, erp: &Value) -> bool {
        let sales = erp["orders"].as_array().into_iter().flatten();
        let mut open = sales.filter(|sale| sale["cancelled"] != true && !order_of(sale).is_empty());
        self.idle()
            && self.books.done_with(erp)
            && open.all(|sale| self.seen.contains(&sale["id"].as_i64().unwrap_or(0)))
    }

    /// One turn in the warehouse: takes up new sales of orders and does what is due. How many steps were done.
    pub async fn work(&mut self, house: &House) -> anyhow::Result<usize> {
        let path = format!("sales?after={}", self.last_sale);
        let news = house.erp.control("GET", &path, &Value::Null).await?;
        self.take_up(&news);
        let mut done = 0;
        while let Some(entry) = self.steps.first_entry() {
            if entry.key().0 > self.tick {
                break;
            }
            let (sale, note, act) = entry.remove();
            self.carry_out(house, sale, note, act).await?;
            done += 1;
        }
        self.tick += 1;
        Ok(done + self.books.work(house, &self.kinds).await?)
    }

    async fn carry_out(
        &mut self,
        house: &House,
        sale: i64,
        note: usize,
        act: Act,
    ) -> anyhow::Result<()> {
        let number = self.notes.get(&(sale, note)).copied().unwrap_or(0);
        let (path, body) = match act {
            Act::Make(body) => (format!("order/{sale}/note"), body),
            Act::Edit(body) => (format!("note/{number}/edit"), body),
            Act::Stage(body) => (format!("note/{number}/stage"), body),
            Act::Delete => (format!("note/{number}/delete"), json!({})),
            Act::Change(path, body) => (format!("order/{sale}/{path}"), body),
            Act::Cancel(order, body) => {
                let path = format!("orders/{order}/cancel");
                house.network.control("POST", &path, &body).await?;
                return Ok(());
            }
        };
        let made = house.erp.control("POST", &path, &body).await?;
        if let Some(number) = made["goodsOutNoteId"].as_i64() {
            self.notes.insert((sale, note), number);
        }
        Ok(())
    }

    fn take_up(&mut self, erp: &Value) {
        for sale in erp["orders"].as_array().into_iter().flatten() {
            let order = order_of(sale);
            let id = sale["id"].as_i64().unwrap_or(0);
            self.last_sale = self.last_sale.max(id);
            if sale["cancelled"] == true || order.is_empty() || !self.seen.insert(id) {
                continue;
            }
            let seen = Sale::of(id, sale);
            let kind = self.kind_of(&seen);
            self.kinds.insert(order, kind);
            self.plan(&seen, kind);
        }
    }

    /// The next kind whose turn it is and that this sale allows.
    fn kind_of(&mut self, sale: &Sale) -> Kind {
        if !sale.parts.is_empty() {
            self.kit_turn += 1;
            return [Kind::KitInParts, Kind::Kit][self.kit_turn % 2];
        }
        let kind = TURNS[self.turn % TURNS.len()];
        self.turn += 1;
        let units: i64 = sale.rows.iter().map(|(_, units)| units).sum();
        let needs_two = matches!(kind, Kind::Partial | Kind::TwoPlaces) && units < 2;
        let needs_units = kind == Kind::CancelUnit && sale.several().is_none();
        let needs_lines = kind == Kind::CancelLine && sale.lines.len() < 2;
        if needs_two || needs_units || needs_lines {
            Kind::Whole
        } else {
            kind
        }
    }

    fn tracking(&mut self) -> String {
        self.next_tracking += 1;
        format!("1Z999AA1{:010}", self.next_tracking)
    }

    fn step(&mut self, after: u64, sale: i64, note: usize, act: Act) {
        let key = (self.tick + after, self.next_step);
        self.next_step += 1;
        self.steps.insert(key, (sale, note, act));
    }

    fn plan(&mut self, sale: &Sale, kind: Kind) {
        let first = self.tracking();
        let second = self.tracking();
        let mut whole = json!({"stage": "shipped", "reference": first});
        let id = sale.id;
        match kind {
            kind if kind.cancels() => self.plan_cancel(sale, kind, whole),
            Kind::Whole | Kind::Kit => self.step(0, id, 0, Act::Make(whole)),
            Kind::Parcels => {
                let mark = [", ", ";", " "][usize::try_from(id % 3).unwrap_or(0)];
                whole["reference"] = json!(format!("{first}{mark}{second}"));
                whole["boxes"] = json!(2);
                self.step(0, id, 0, Act::Make(whole));
            }
            Kind::Misrouted | Kind::OtherCarrier => {
                let method = if kind == Kind::Misrouted {
                    MISROUTED_METHOD
                } else {
                    16
                };
                whole["shippingMethodId"] = json!(method);
                self.step(0, id, 0, Act::Make(whole));
            }
            Kind::BackDated => {
                whole["backMs"] = json!(300_000);
                self.step(0, id, 0, Act::Make(whole));
            }
            Kind::Late => {
                self.step(0, id, 0, Act::Make(json!({"stage": "shipped"})));
                self.step(LATE, id, 0, Act::Edit(json!({"reference": first})));
            }
            Kind::Edited => {
                let draft = json!({"stage": "picked", "reference": "TYPO", "shippingMethodId": 13});
                self.step(0, id, 0, Act::Make(draft));
                self.step(
                    2,
                    id,
                    0,
                    Act::Edit(json!({"reference": first, "shippingMethodId": 14, "weight": 2.5})),
                );
                self.step(4, id, 0, Act::Stage(json!({"stage": "shipped"})));
                self.step(BETWEEN * 2, id, 0, Act::Edit(json!({"boxes": 1})));
            }
            Kind::Deleted => {
                self.step(
                    0,
                    id,
                    0,
                    Act::Make(json!({"stage": "packed", "reference": first})),
                );
                self.step(BETWEEN, id, 0, Act::Delete);
                whole["reference"] = json!(second);
                self.step(BETWEEN + 2, id, 1, Act::Make(whole));
            }
            Kind::OneUnit => {
                let row = sale.rows.first().map_or(0, |(row, _)| *row);
                let units: i64 = sale.rows.iter().map(|(_, units)| units).sum();
                whole["reference"] = json!(format!("{first}, {second}"));
                whole["rows"] = json!({row.to_string(): 1});
                self.step(0, id, 0, Act::Make(whole));
                if units > 1 {
                    let rest = json!({"stage": "shipped", "reference": self.tracking()});
                    self.step(BETWEEN, id, 1, Act::Make(rest));
                }
            }
            Kind::Partial | Kind::TwoPlaces | Kind::KitInParts => {
                let (some, rest) = match kind {
                    Kind::KitInParts => sale.parts_apart(),
                    _ => halves(&sale.rows),
                };
                whole["rows"] = rows(&some);
                self.step(0, id, 0, Act::Make(whole));
                let mut other =
                    json!({"stage": "shipped", "reference": second, "rows": rows(&rest)});
                if kind == Kind::TwoPlaces {
                    other["warehouseId"] = json!(5 - sale.warehouse);
                }
                self.step(BETWEEN, id, 1, Act::Make(other));
            }
            _ => {}
        }
    }

    fn plan_cancel(&mut self, sale: &Sale, kind: Kind, mut whole: Value) {
        let id = sale.id;
        let cancel = |body: Value| Act::Cancel(sale.order.clone(), body);
        match kind {
            Kind::CancelAsked => self.step(0, id, 0, cancel(json!({}))),
            Kind::CancelForced => self.step(0, id, 0, cancel(json!({"force": true}))),
            Kind::CancelNote => {
                whole["stage"] = json!("created");
                self.step(0, id, 0, Act::Make(whole));
                self.step(1, id, 0, cancel(json!({})));
            }
            Kind::CancelLate => {
                whole["stage"] = json!("picked");
                self.step(0, id, 0, Act::Make(whole));
                self.step(1, id, 0, cancel(json!({})));
                let left = json!({"stage": "shipped"});
                self.step(BETWEEN * 4, id, 0, Act::Stage(left));
            }
            Kind::CancelOwn => {
                let body = json!({"orderStatusId": 5});
                self.step(0, id, 0, Act::Change("status".to_owned(), body));
            }
            Kind::CancelUnit => {
                let (row, units) = sale.several().unwrap_or_default();
                let body = json!({"quantity": units - 1});
                self.step(0, id, 0, Act::Change(format!("row/{row}"), body));
                self.step(BETWEEN, id, 0, Act::Make(whole));
            }
            _ => {
                let Some((row, line)) = sale.lines.iter().next() else {
                    return;
                };
                self.step(0, id, 0, cancel(json!({"force": true, "lines": [line]})));
                let mut rest = sale.rows.clone();
                rest.retain(|(other, _)| other != row);
                whole["rows"] = rows(&rest);
                self.step(BETWEEN, id, 0, Act::Make(whole));
            }
        }
    }
}

impl Sale {
    fn of(id: i64, sale: &Value) -> Self {
        let mut seen = Self {
            id,
            order: order_of(sale),
            lines: BTreeMap::new(),
            rows: Vec::new(),
            parts: Vec::new(),
            warehouse: sale["warehouseId"].as_i64().unwrap_or(2),
        };
        for row in sale["rows"].as_array().into_iter().flatten() {
            let units = row["quantity"]
                .as_str()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
            if units < 1 || row["tracked"] != true {
                continue;
            }
            let list = if row["bundleChild"] == true {
                &mut seen.parts
            } else {
                &mut seen.rows
            };
            let id = row["id"].as_i64().unwrap_or(0);
            list.push((id, units));
            let line = row["externalRef"].as_str().and_then(|l| l.parse().ok());
            if let Some(line) = line {
                seen.lines.insert(id, line);
            }
        }
        seen
    }

    /// A row with more units than one.
    fn several(&self) -> Option<(i64, i64)> {
        self.rows.iter().copied().find(|(_, units)| *units > 1)
    }

    /// The first part of every kit and the single lines, then the other parts.
    fn parts_apart(&self) -> (Rows, Rows) {
        let (early, late) = self.parts.split_at(self.parts.len().div_ceil(2));
        (
            self.rows.iter().chain(early).copied().collect(),
            late.to_vec(),
        )
    }
}

/// The order's id inside the sale's reference; blank for sales of other origin.
pub(super) fn order_of(sale: &Value) -> String {
    let reference = sale["externalRef"].as_str().unwrap_or_default();
    reference
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .collect()
}

/// Some units now, the rest later; both are something when there are two units.
fn halves(all: &[(i64, i64)]) -> (Rows, Rows) {
    let (mut some, mut rest) = (Vec::new(), Vec::new());
    for (place, (row, units)) in all.iter().enumerate() {
        // Single units alternate, so that neither half is empty.
        let now = if *units == 1 {
            i64::from(place % 2 == 0)
        } else {
            units / 2
        };
        some.push((*row, now));
        rest.push((*row, units - now));
    }
    (some, rest)
}

fn rows(units: &[(i64, i64)]) -> Value {
    let named = units.iter().filter(|(_, n)| *n > 0);
    named
        .map(|(row, n)| (row.to_string(), json!(n)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_hold_something() {
        for all in [
            vec![(1, 2)],
            vec![(1, 1), (2, 1)],
            vec![(1, 3), (2, 1)],
            vec![(1, 1), (2, 4)],
        ] {
            let (some, rest) = halves(&all);
            let sum = |part: &[(i64, i64)]| part.iter().map(|(_, n)| n).sum::<i64>();
            assert!(sum(&some) > 0 && sum(&rest) > 0, "{all:?}");
            assert_eq!(sum(&some) + sum(&rest), sum(&all));
        }
    }

    #[test]
    fn every_kind_has_its_turn_and_kits_are_theirs() {
        let mut worker = Worker::default();
        let row = |id: i64, quantity: &str, child: bool| json!({"id": id, "tracked": true, "quantity": quantity, "bundleChild": child, "externalRef": id.to_string()});
        let sales: Vec<Value> = (0..40)
            .map(|n| {
                json!({"id": n, "externalRef": format!("wb-{n}"), "warehouseId": 2,
                "rows": [row(n * 10, "3", false), row(n * 10 + 1, "1", n % 10 == 0)]})
            })
            .collect();
        worker.take_up(&json!({"orders": sales}));
        let kinds: HashSet<Kind> = worker.kinds.values().copied().collect();
        assert_eq!(kinds.len(), 20);
        assert!(!worker.idle());
        let before = worker.steps.len();
        worker.take_up(&json!({"orders": sales}));
        assert_eq!(worker.steps.len(), before, "a sale is taken up once");
    }
}
