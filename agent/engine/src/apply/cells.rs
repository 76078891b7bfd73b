//! The cells a `[[crosswalk]]` declares, in the file or in a CSV file the caller has read.

use super::mistake::{Mistake, Place};
use super::parse::File;
use super::plan::{Cell, CrosswalkPlan};
use super::reader::{Reader, Section};
use std::collections::BTreeMap;
use waybill_model::crosswalk;

/// One row of a CSV file as it is handed in.
type Row = (String, String, Option<String>);

pub(super) fn read(file: &mut File<'_>, section: &Section<'_>, table: &str) -> Vec<Cell> {
    let inline = Reader::has(section, "pairs");
    let csv = file.reader.text(section, "csv");
    if inline == csv.is_some() {
        file.reader.note(
            Mistake::new(section.place, "a crosswalk needs either `pairs` or `csv`")
                .hint("Write `pairs = { \"value\" = \"code\" }`, or name a file with the columns value,code,label."),
        );
        return Vec::new();
    }
    if let Some(csv) = csv {
        let Some(rows) = file.input(&format!("csv:{}", csv.value), csv.place) else {
            return Vec::new();
        };
        let Ok(rows) = serde_json::from_str::<Vec<Row>>(&rows) else {
            file.reader.note(Mistake::new(
                csv.place,
                format!(
                    "the rows of `{}` were handed over in a wrong form",
                    csv.value
                ),
            ));
            return Vec::new();
        };
        let rows = rows.into_iter();
        return rows
            .map(|(value, code, label)| cell(table, &value, &code, label, csv.place))
            .collect();
    }
    let mut cells = Vec::new();
    for pair in file.reader.pairs(section, "pairs") {
        if pair.key.value.trim().is_empty() || pair.value.value.trim().is_empty() {
            file.reader.note(
                Mistake::new(pair.key.place, "a cell needs a value and a code")
                    .hint("Leave the pair out: an empty cell parks the orders that need it."),
            );
            continue;
        }
        cells.push(cell(
            table,
            &pair.key.value,
            &pair.value.value,
            None,
            pair.key.place,
        ));
    }
    cells
}

fn cell(table: &str, value: &str, code: &str, label: Option<String>, place: Place) -> Cell {
    Cell {
        value: crosswalk::spelled(table, value.trim()),
        code: code.trim().to_owned(),
        label,
        place,
    }
}

/// Notes cells that are declared twice with different codes.
pub(super) fn once(reader: &mut Reader<'_>, crosswalks: &[CrosswalkPlan]) {
    let mut seen: BTreeMap<_, &Cell> = BTreeMap::new();
    for crosswalk in crosswalks {
        for cell in &crosswalk.cells {
            let key = (
                &crosswalk.from.value,
                &crosswalk.to.value,
                &crosswalk.table.value,
                crosswalk.retailer.as_ref().map(|r| &r.value),
                &cell.value,
            );
            if let Some(first) = seen.insert(key, cell)
                && first.code != cell.code
            {
                reader.note(Mistake::new(
                    cell.place,
                    format!(
                        "the cell `{}` of `{}` is `{}` here and `{}` on line {}",
                        cell.value, crosswalk.table.value, cell.code, first.code, first.place.line
                    ),
                ));
            }
        }
    }
}
