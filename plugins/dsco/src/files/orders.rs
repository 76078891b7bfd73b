//! An export of orders: one row per line, told apart by DSCO's order id. Read twice: the first time everything is checked
//! and it is noted where the rows of each order are if they do not stand together, the second time orders come out. So
//! nothing of a file with a mistake is taken, and no row is kept. Where rows stand together, a later call goes on in the
//! middle of the file. What comes out is what the API gives, and is mapped by the same code.

use super::table::{Mistake, Pieces, Place, Row, Table};
use crate::wire::order::Order as WireOrder;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use waybill_sdk::commerce::Decimal;
use waybill_sdk::date;
use waybill_sdk::decimal::ZERO;

/// Columns without which an order cannot be told from another, or its lines from each other.
const REQUIRED: &[&str] = &[
    "po_number",
    "dsco_order_id",
    "line_item_line_number",
    "line_item_quantity",
];
const LINE: &str = "line_item_";
const BILL_TO: &str = "bill_to_";
/// Where an order may go; other columns that begin with `ship_` say how and when.
const SHIP_TO: &[&str] = &[
    "attention",
    "first_name",
    "last_name",
    "name",
    "company",
    "address_1",
    "address_2",
    "city",
    "region",
    "postal",
    "country",
    "phone",
    "email",
    "store_number",
];
/// Columns whose names differ from the API's by more than their spelling.
const NAMES: &[(&str, &str)] = &[
    ("dsco_order_status", "dscoStatus"),
    ("dsco_last_update_date", "dscoLastUpdate"),
];

/// Most lines of an order: more is no order.
const LINES: usize = 10_000;

/// What the rows of one order said, as far as others of it must agree.
struct Seen {
    first: u64,
    last: u64,
    /// Hashes of what is on each of its rows.
    heads: [u64; HEADS.len()],
    told_lines: Option<Decimal>,
    /// Line numbers, sorted.
    lines: Vec<i64>,
}

/// The head of an order is on each of its rows. Two that differ in whose it is are two orders under one id.
const HEADS: [&str; 3] = ["po_number", "dsco_retailer_id", "currency_code"];

impl Seen {
    fn of(row: &Row) -> Self {
        Self {
            first: row.number,
            last: row.number,
            heads: HEADS.map(|column| hash(row.get(column).unwrap_or_default().as_bytes())),
            told_lines: row.get("number_of_line_items").and_then(Decimal::parse),
            lines: Vec::new(),
        }
    }

    /// Whether it has as many lines as it says.
    fn is_whole(&self) -> Result<(), Mistake> {
        match self.told_lines {
            Some(told) if told.to_whole() != i64::try_from(self.lines.len()).ok() => Err(Mistake {
                row: self.first,
                column: Some("number_of_line_items".to_owned()),
                why: format!("the order says {told} lines and has {}", self.lines.len()),
            }),
            _ => Ok(()),
        }
    }

    fn add(&mut self, row: &Row) -> Result<(), Mistake> {
        self.last = row.number;
        for (column, head) in HEADS.iter().zip(self.heads) {
            if hash(row.get(column).unwrap_or_default().as_bytes()) != head {
                let why = format!(
                    "it differs from row {}, which is of the same order",
                    self.first
                );
                return Err(row.mistake(column, why));
            }
        }
        let line = "line_item_line_number";
        let text = row.get(line).unwrap_or_default();
        let number = Decimal::parse(text)
            .and_then(Decimal::to_whole)
            .unwrap_or_default();
        match self.lines.binary_search(&number) {
            Ok(_) => Err(row.mistake(line, format!("the order has two lines `{}`", short(text)))),
            Err(_) if self.lines.len() == LINES => {
                Err(row.mistake(line, format!("the order has more than {LINES} lines")))
            }
            Err(place) => {
                self.lines.insert(place, number);
                Ok(())
            }
        }
    }
}

/// Checks a table whose orders follow each other, and counts them; none where one comes again after another.
fn together<P: Pieces>(mut table: Table<P>) -> Result<Option<usize>, Mistake> {
    let mut ended: BTreeSet<u64> = BTreeSet::new();
    let mut current: Option<(String, Seen)> = None;
    while let Some(row) = table.next()? {
        check(&row)?;
        let key = key(&row)?;
        match &mut current {
            Some((known, seen)) if known == key => seen.add(&row)?,
            _ => {
                // The rest of it may come later.
                if current
                    .as_ref()
                    .is_some_and(|(_, seen)| seen.is_whole().is_err())
                {
                    return Ok(None);
                }
                // Two keys of one hash are taken for one that comes again, which costs memory only.
                if !ended.insert(hash(key.as_bytes())) {
                    return Ok(None);
                }
                let mut seen = Seen::of(&row);
                seen.add(&row)?;
                current = Some((key.to_owned(), seen));
            }
        }
    }
    if let Some((_, seen)) = &current {
        seen.is_whole()?;
    }
    Ok(Some(ended.len()))
}

/// Where the rows of an order are.
type Places = Vec<Place>;

/// The orders of a file.
pub(crate) struct Orders<P, F> {
    table: Table<P>,
    /// Gives the file from an offset on.
    from: F,
    /// Orders whose rows do not stand together, in the order of their last rows; none where the rows of each do.
    scattered: Option<std::vec::IntoIter<Places>>,
    /// The first row of the order that comes next.
    held: Option<Row>,
    count: usize,
}

impl<P: Pieces, F: FnMut(u64) -> P> Orders<P, F> {
    /// Checks the whole file. `from` gives it from an offset on, each time it is called.
    pub(crate) fn open(delimiter: u8, mut from: F) -> Result<Self, Mistake> {
        // Mostly the rows of an order stand together, and little is to be remembered of it.
        if let Some(count) = together(Table::open(from(0), delimiter, REQUIRED)?)? {
            return Self::new(delimiter, from, count);
        }
        let mut all: BTreeMap<String, (Seen, Places)> = BTreeMap::new();
        let mut table = Table::open(from(0), delimiter, REQUIRED)?;
        while let Some(row) = table.next()? {
            check(&row)?;
            let key = key(&row)?;
            if let Some((seen, places)) = all.get_mut(key) {
                seen.add(&row)?;
                places.push(row.begins);
            } else {
                let mut seen = Seen::of(&row);
                seen.add(&row)?;
                all.insert(key.to_owned(), (seen, vec![row.begins]));
            }
        }
        for (seen, _) in all.values() {
            seen.is_whole()?;
        }
        let mut all: Vec<(Seen, Places)> = all.into_values().collect();
        all.sort_by_key(|(seen, _)| seen.last);
        let places: Vec<Places> = all.into_iter().map(|(_, places)| places).collect();
        Ok(Self {
            count: places.len(),
            scattered: Some(places.into_iter()),
            ..Self::new(delimiter, from, 0)?
        })
    }

    /// Goes on at the place of a file that was checked, and in which the rows of each order stand together.
    pub(crate) fn resume(delimiter: u8, place: Place, from: F) -> Result<Self, Mistake> {
        let mut orders = Self::new(delimiter, from, 0)?;
        let rest = (orders.from)(place.offset);
        orders.table.resume(rest, place);
        Ok(orders)
    }

    fn new(delimiter: u8, mut from: F, count: usize) -> Result<Self, Mistake> {
        Ok(Self {
            table: Table::open(from(0), delimiter, REQUIRED)?,
            from,
            scattered: None,
            held: None,
            count,
        })
    }

    /// Leaves out so many orders of a file in which they lie among each other.
    pub(crate) fn skip(&mut self, orders: u64) {
        if let (Some(left), Some(last)) = (&mut self.scattered, orders.checked_sub(1)) {
            left.nth(usize::try_from(last).unwrap_or(usize::MAX));
        }
    }

    /// How many there are in a file that was checked.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Where the next order begins; none where orders lie among each other.
    pub(crate) fn place(&self) -> Option<Place> {
        let next = || {
            self.held
                .as_ref()
                .map_or_else(|| self.table.place(), |row| row.begins)
        };
        self.scattered.is_none().then(next)
    }

    /// The next order that is whole; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<WireOrder>, Mistake> {
        let Some(scattered) = &mut self.scattered else {
            return self.next_together();
        };
        let Some(places) = scattered.next() else {
            return Ok(None);
        };
        let mut rows = Vec::new();
        for place in places {
            let rest = (self.from)(place.offset);
            self.table.resume(rest, place);
            rows.extend(self.table.next()?);
        }
        order(&rows).map(Some)
    }

    fn next_together(&mut self) -> Result<Option<WireOrder>, Mistake> {
        let first = match self.held.take() {
            Some(row) => row,
            None => match self.table.next()? {
                Some(row) => row,
                None => return Ok(None),
            },
        };
        let mut rows = vec![first];
        while let Some(row) = self.table.next()? {
            if key(&row)? != key(&rows[0])? {
                self.held = Some(row);
                break;
            }
            rows.push(row);
        }
        order(&rows).map(Some)
    }
}

/// FNV-1a.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn key(row: &Row) -> Result<&str, Mistake> {
    row.get("dsco_order_id")
        .ok_or_else(|| row.mistake("dsco_order_id", "it is empty"))
}

/// Whether what is counted and dated can be read: an order with half of its numbers is worse than none.
fn check(row: &Row) -> Result<(), Mistake> {
    key(row)?;
    for (column, cell) in row.filled() {
        let why = if is_number(column) {
            (Decimal::parse(cell).is_none()).then_some("is no number")
        } else if column.ends_with("_date") {
            (date::parse(cell).is_none()).then_some("is no date")
        } else if column.ends_with("_flag") {
            let known = matches!(
                cell.to_ascii_lowercase().as_str(),
                "0" | "1" | "true" | "false" | "yes" | "no" | "y" | "n"
            );
            (!known).then_some("is neither 1 nor 0")
        } else {
            None
        };
        if let Some(why) = why {
            return Err(row.mistake(column, format!("`{}` {why}", short(cell))));
        }
    }
    let quantity = row.get("line_item_quantity").and_then(Decimal::parse);
    if quantity.is_none_or(|q| q.compare(ZERO).is_le()) {
        return Err(row.mistake("line_item_quantity", "it must be more than 0"));
    }
    let number = row.get("line_item_line_number").and_then(Decimal::parse);
    if number.and_then(Decimal::to_whole).is_none() {
        return Err(row.mistake("line_item_line_number", "it must be a whole number"));
    }
    Ok(())
}

fn is_number(column: &str) -> bool {
    matches!(
        column,
        "line_item_quantity"
            | "line_item_line_number"
            | "line_item_expected_cost"
            | "line_item_consumer_price"
            | "line_item_retail_price"
            | "line_item_shipping_surcharge"
            | "shipping_surcharge"
            | "number_of_line_items"
            | "dsco_order_total"
            | "line_item_extended_expected_cost_total"
    )
}

/// The start of a cell, for a sentence.
fn short(cell: &str) -> String {
    cell.chars().take(40).collect()
}

/// The order of these rows, in the shape of the API.
fn order(rows: &[Row]) -> Result<WireOrder, Mistake> {
    let first = &rows[0];
    let (mut head, mut ship_to, mut bill_to) = (Map::new(), Map::new(), Map::new());
    for (column, cell) in first
        .filled()
        .filter(|(column, _)| !column.starts_with(LINE))
    {
        let text = Value::from(cell);
        if let Some(rest) = column.strip_prefix(BILL_TO) {
            bill_to.insert(camel(rest), text);
        } else if let Some(rest) = column
            .strip_prefix("ship_")
            .filter(|rest| SHIP_TO.contains(rest))
        {
            ship_to.insert(camel(rest), text);
        } else if let Some((_, name)) = NAMES.iter().find(|(known, _)| *known == column) {
            head.insert((*name).to_owned(), text);
        } else if column != "dsco_item_id" {
            head.insert(camel(column), text);
        }
    }
    let mut lines: BTreeMap<&str, Value> = BTreeMap::new();
    for row in rows {
        let cells = row.filled();
        let mut line: Map<String, Value> = cells
            .filter_map(|(column, cell)| {
                Some((camel(column.strip_prefix(LINE)?), Value::from(cell)))
            })
            .collect();
        if let Some(item) = row.get("dsco_item_id") {
            line.insert("dscoItemId".to_owned(), Value::from(item));
        }
        let number = row.get("line_item_line_number").unwrap_or_default();
        lines.insert(number, Value::from(line));
    }
    let mut lines: Vec<(&str, Value)> = lines.into_iter().collect();
    lines.sort_by_key(|(number, _)| Decimal::parse(number).and_then(Decimal::to_whole));
    let lines: Vec<Value> = lines.into_iter().map(|(_, line)| line).collect();
    head.insert("lineItems".to_owned(), Value::from(lines));
    for (name, fields) in [("shipping", ship_to), ("billTo", bill_to)] {
        if !fields.is_empty() {
            head.insert(name.to_owned(), Value::from(fields));
        }
    }
    serde_json::from_value(Value::from(head)).map_err(|e| Mistake {
        row: first.number,
        column: None,
        why: format!("the order cannot be read: {e}"),
    })
}

/// `ship_by_date` as `shipByDate`, `address_1` as `address1`.
fn camel(snake: &str) -> String {
    let mut out = String::with_capacity(snake.len());
    let mut upper = false;
    for c in snake.chars() {
        if c == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
    }
    out
}
