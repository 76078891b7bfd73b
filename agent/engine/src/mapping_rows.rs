//! Reading a CSV file of a crosswalk and comparing it row by row with what holds: what would change, and every mistake
//! with row and column. Changes nothing; `mappings.rs` carries it out.

use crate::catalogue;
use crate::core::Desk;
use crate::mappings::{MappingsView, PAGE, RowChange, RowEffect, RowMistake};
use crate::matching::order_route;
use crate::methods;
use csv::{ReaderBuilder, StringRecord, Trim};
use std::collections::BTreeMap;
use waybill_model::contract::Gap;
use waybill_model::crosswalk;
use waybill_model::document::{Body, Entity};
use waybill_model::ids::ConnectionId;
use waybill_store::{Lists as _, Read, StoreError};

/// Columns that are read.
const COLUMNS: [&str; 6] = [
    "retailer",
    "value",
    "code",
    "label",
    "direction",
    "required",
];
/// Tables whose values can be announced before a document comes with them.
pub(crate) const ANNOUNCES: [&str; 2] = [crosswalk::SHIPPING_METHODS, crosswalk::WAREHOUSES];
/// Columns that a download has for people and an upload may leave in.
const FOR_PEOPLE: [&str; 3] = ["title", "standing", "found"];
/// Written into the column `code` to take a match back.
const TAKE_BACK: &str = "-";
/// The direction against the orders: from the ERP to the network.
pub(crate) const BACK: &str = "back";
/// Changes and mistakes shown of a preview.
const SHOWN: usize = 500;

/// A row as it is carried out.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) from: ConnectionId,
    pub(crate) to: ConnectionId,
    pub(crate) cell: Gap,
    pub(crate) deed: Deed,
}

/// What a row does.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// Fills the cell, or empties it.
    Match {
        code: Option<String>,
        label: Option<String>,
    },
    /// Puts the value on the list of those that may come.
    Announce {
        required: bool,
        label: Option<String>,
    },
    /// Takes it off.
    TakeOff,
}

/// A file that was read and compared.
pub(crate) struct Checked {
    pub(crate) view: MappingsView,
    pub(crate) steps: Vec<Step>,
}

impl Checked {
    fn wrong(&mut self, row: u64, column: &str, message: impl Into<String>, hint: Option<&str>) {
        self.view.wrong += 1;
        if self.view.mistakes.len() < SHOWN {
            self.view.mistakes.push(RowMistake {
                row,
                column: column.to_owned(),
                message: message.into(),
                hint: hint.map(str::to_owned),
            });
        }
    }

    fn change(&mut self, row: u64, cell: &Gap, effect: RowEffect, (old, new, label): Codes) {
        if self.view.changes.len() < SHOWN {
            self.view.changes.push(RowChange {
                row,
                retailer: cell.retailer.clone(),
                value: cell.value.clone(),
                effect,
                old,
                new,
                label,
            });
        }
    }
}

/// The code before, the code after, and that in words.
type Codes = (Option<String>, Option<String>, Option<String>);

/// Where each column is; every mistake of the head is said at once.
fn heads(checked: &mut Checked, head: &StringRecord) -> Option<BTreeMap<&'static str, usize>> {
    let mut places = BTreeMap::new();
    for (at, name) in head.iter().enumerate() {
        let name = name.trim().to_lowercase();
        if let Some(known) = COLUMNS.iter().find(|known| **known == name) {
            if places.insert(*known, at).is_some() {
                checked.wrong(1, known, format!("the column `{known}` stands twice"), None);
            }
        } else if !FOR_PEOPLE.contains(&name.as_str()) {
            let hint = format!(
                "Known columns: {}, {}.",
                COLUMNS.join(", "),
                FOR_PEOPLE.join(", ")
            );
            checked.wrong(
                1,
                &name,
                format!("there is no column `{name}`"),
                Some(&hint),
            );
        }
    }
    for needed in ["value", "code"] {
        if !places.contains_key(needed) {
            let hint = "Begin the file with the line `retailer,value,code`; a download shows it.";
            checked.wrong(
                1,
                needed,
                format!("the column `{needed}` is missing"),
                Some(hint),
            );
        }
    }
    (checked.view.wrong == 0).then_some(places)
}

/// One row, as far as it can be read without the store.
struct Row<'a> {
    line: u64,
    record: &'a StringRecord,
    places: &'a BTreeMap<&'static str, usize>,
}

impl Row<'_> {
    fn get(&self, column: &str) -> &str {
        let at = self.places.get(column);
        at.and_then(|at| self.record.get(*at)).unwrap_or_default()
    }
}

struct Reader<'a> {
    rows: &'a dyn Read,
    table: &'a str,
    route: (ConnectionId, ConnectionId),
    retailers: BTreeMap<String, String>,
    /// The line and code of each cell seen so far.
    seen: BTreeMap<(bool, Option<String>, String), (u64, String)>,
}

impl Reader<'_> {
    /// Reads a row; a mistake is written down, a row that changes something becomes a step.
    fn take(&mut self, checked: &mut Checked, row: &Row<'_>) -> Result<(), StoreError> {
        let code = row.get("code");
        let back = match row.get("direction") {
            "" | "forth" => false,
            BACK => true,
            other => {
                let hint = "Write `back` for ERP to network, or leave it empty.";
                let message = format!("`{other}` is no direction");
                checked.wrong(row.line, "direction", message, Some(hint));
                return Ok(());
            }
        };
        let mut value = row.get("value").to_owned();
        if value.is_empty() {
            if !code.is_empty() {
                checked.wrong(row.line, "value", "a code needs a value", None);
            }
            return Ok(());
        }
        value = crosswalk::spelled(self.table, &value);
        let retailer = Some(row.get("retailer"))
            .filter(|r| !r.is_empty() && *r != "*")
            .map(str::to_owned);
        if let Some(code) = &retailer
            && !self.retailers.is_empty()
            && !self.retailers.contains_key(code)
        {
            let known: Vec<&str> = self.retailers.keys().take(12).map(String::as_str).collect();
            let hint = format!("Known ones: {}. Leave it empty for all.", known.join(", "));
            let message = format!("there is no retailer `{code}`");
            checked.wrong(row.line, "retailer", message, Some(&hint));
            return Ok(());
        }
        let required = match row.get("required").to_lowercase().as_str() {
            "" => None,
            "yes" => Some(true),
            "no" => Some(false),
            other => {
                let message = format!("`{other}` is neither `yes` nor `no`");
                let hint = "Write `yes` where nothing may go live before this row has a code.";
                checked.wrong(row.line, "required", message, Some(hint));
                return Ok(());
            }
        };
        if required.is_some() && !ANNOUNCES.contains(&self.table) {
            let message = format!("`{}` requires nothing", self.table);
            let hint = "Codes of shipping methods and warehouses can be required.";
            checked.wrong(row.line, "required", message, Some(hint));
            return Ok(());
        }
        let key = (back, retailer.clone(), value.clone());
        if let Some((line, other)) = self.seen.get(&key) {
            if other != code {
                let message = format!("`{value}` has another code on line {line}, `{other}`");
                checked.wrong(row.line, "code", message, Some("Keep one of the two rows."));
            }
            return Ok(());
        }
        self.seen.insert(key, (row.line, code.to_owned()));
        let (from, to) = if back {
            (self.route.1, self.route.0)
        } else {
            self.route
        };
        let cell = Gap {
            table: self.table.to_owned(),
            retailer,
            value,
        };
        let announced = self.announce(checked, row, (from, to), &cell, required)?;
        if code.is_empty() || (announced && code == TAKE_BACK) {
            checked.view.same += u64::from(!announced);
            return Ok(());
        }
        self.compare(checked, row, (from, to), cell)
    }

    /// A row without a code, and one that says whether it is required, is of the list of values that may come. Whether
    /// the list changes.
    fn announce(
        &self,
        checked: &mut Checked,
        row: &Row<'_>,
        (from, to): (ConnectionId, ConnectionId),
        cell: &Gap,
        required: Option<bool>,
    ) -> Result<bool, StoreError> {
        if !ANNOUNCES.contains(&self.table) {
            return Ok(false);
        }
        let retailer = cell.retailer.as_deref();
        let (rows, code) = (self.rows, row.get("code"));
        let old = rows.announced_row(from, to, self.table, retailer, &cell.value)?;
        let filled = rows.cell_row(from, to, self.table, retailer, &cell.value)?;
        let (effect, deed) = match (&old, code) {
            // First the match is taken back, then the value itself.
            (Some(_), TAKE_BACK) if filled.is_none() => (RowEffect::TakenOff, Deed::TakeOff),
            (_, TAKE_BACK) => return Ok(false),
            (None, _) if required.is_none() && (!code.is_empty() || filled.is_some()) => {
                return Ok(false);
            }
            (old, _) => {
                let given = Some(row.get("label")).filter(|l| !l.is_empty() && code.is_empty());
                let before = old.as_ref().and_then(|old| old.label.clone());
                let label = given.map(str::to_owned).or_else(|| before.clone());
                let required = required.unwrap_or_else(|| old.as_ref().is_some_and(|o| o.required));
                if old.as_ref().is_some_and(|o| o.required == required) && label == before {
                    return Ok(false);
                }
                let effect = if required {
                    RowEffect::Required
                } else {
                    RowEffect::Announced
                };
                (effect, Deed::Announce { required, label })
            }
        };
        checked.view.announced += 1;
        checked.change(row.line, cell, effect, (None, None, None));
        checked.steps.push(Step {
            from,
            to,
            cell: cell.clone(),
            deed,
        });
        Ok(true)
    }

    fn compare(
        &self,
        checked: &mut Checked,
        row: &Row<'_>,
        (from, to): (ConnectionId, ConnectionId),
        cell: Gap,
    ) -> Result<(), StoreError> {
        let code = row.get("code");
        let retailer = cell.retailer.as_deref();
        let old = self
            .rows
            .cell_row(from, to, self.table, retailer, &cell.value)?;
        let old = old.map(|cell| cell.code);
        if old.as_deref() == Some(code) || (old.is_none() && code == TAKE_BACK) {
            checked.view.same += 1;
            return Ok(());
        }
        let (effect, code, label) = if code == TAKE_BACK {
            checked.view.taken_back += 1;
            (RowEffect::TakenBack, None, None)
        } else {
            let back = (to, from) == self.route;
            let found = catalogue::resolve(self.rows, to, self.table, retailer, code)?;
            match found.and_then(|found| methods::written(found, self.table, back, "that side")) {
                Err(problem) => {
                    let message = problem.message.trim_end_matches('.').to_owned();
                    checked.wrong(row.line, "code", message, problem.hint.as_deref());
                    return Ok(());
                }
                Ok(found) if old.as_deref() == Some(found.key.as_str()) => {
                    checked.view.same += 1;
                    return Ok(());
                }
                Ok(found) => {
                    let given = Some(row.get("label")).filter(|l| !l.is_empty());
                    let label = found.label.or_else(|| given.map(str::to_owned));
                    let effect = if old.is_some() {
                        checked.view.changed += 1;
                        RowEffect::Changed
                    } else {
                        checked.view.new += 1;
                        RowEffect::New
                    };
                    (effect, Some(found.key), label)
                }
            }
        };
        if code.is_some() {
            checked.view.released += self.rows.gap_jobs(from, to, &cell)?.len() as u64;
        }
        checked.change(row.line, &cell, effect, (old, code.clone(), label.clone()));
        checked.steps.push(Step {
            from,
            to,
            cell,
            deed: Deed::Match { code, label },
        });
        Ok(())
    }
}

/// Retailers a row may name; empty where the network does not list them, since a retailer may be one whose first order
/// is still to come.
fn retailers(
    rows: &dyn Read,
    (from, to): (ConnectionId, ConnectionId),
) -> Result<BTreeMap<String, String>, StoreError> {
    let listed = rows.latest_documents(from, Entity::Retailer, None, PAGE)?;
    if listed.is_empty() {
        return Ok(BTreeMap::new());
    }
    let counts = rows.named_counts(from, to)?.into_iter();
    let mut known: BTreeMap<String, String> = counts.map(|c| (c.retailer, c.name)).collect();
    for row in listed {
        if let Body::Retailer(retailer) = row.document.body {
            known.insert(retailer.code, retailer.name);
        }
    }
    Ok(known)
}

/// What a file comes to; `None` while no orders are routed.
pub(crate) fn check(
    rows: &dyn Read,
    desk: &Desk,
    table: &str,
    text: &str,
) -> Result<Option<Checked>, StoreError> {
    let Some(route) = order_route(desk) else {
        return Ok(None);
    };
    let mut checked = Checked {
        view: MappingsView {
            table: table.to_owned(),
            ..MappingsView::default()
        },
        steps: Vec::new(),
    };
    let text = text.trim_start_matches('\u{feff}');
    // Spreadsheets of some countries write semicolons.
    let first = text.lines().next().unwrap_or_default();
    let delimiter = if !first.contains(',') && first.contains(';') {
        b';'
    } else {
        b','
    };
    let mut file = ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let Ok(head) = file.headers().cloned() else {
        checked.wrong(
            1,
            "",
            "the file cannot be read",
            Some("Save it as CSV in UTF-8."),
        );
        return Ok(Some(checked));
    };
    let Some(places) = heads(&mut checked, &head) else {
        return Ok(Some(checked));
    };
    let mut reader = Reader {
        rows,
        table,
        route,
        retailers: retailers(rows, route)?,
        seen: BTreeMap::new(),
    };
    for record in file.records() {
        checked.view.rows += 1;
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(1, csv::Position::line);
                let hint = "Save the file as CSV in UTF-8.";
                checked.wrong(line, "", "this row cannot be read", Some(hint));
                continue;
            }
        };
        let line = record.position().map_or(1, csv::Position::line);
        if record.len() > head.len() {
            let message = format!("this row has {} columns, not {}", record.len(), head.len());
            let hint = "Put a text with a comma in quotes.";
            checked.wrong(line, "", message, Some(hint));
            continue;
        }
        let row = Row {
            line,
            record: &record,
            places: &places,
        };
        reader.take(&mut checked, &row)?;
    }
    Ok(Some(checked))
}
