//! Crosswalks as CSV files: download, upload with a preview, and the upload applied in one commit, all of it or
//! nothing. Checked like a cell that is filled on the page. Knows no page and no file system.

use crate::core::{Core, Desk};
use crate::event::Event;
use crate::handle::{CommandError, Handle};
use crate::mapping_rows::{ANNOUNCES, BACK, Checked, Deed, Step, check};
use crate::matching::order_route;
use crate::release;
use csv::Writer;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use waybill_model::contract::Problem;
use waybill_model::crash;
use waybill_model::crosswalk::{self, Standing};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_store::{AnnouncedRow, Lists as _, NamedItemRow, NamedQuery, Read, Rx, StoreError, Tx};

/// Tables that can be read and written as files.
pub const TABLES: [&str; 4] = [
    crosswalk::ITEMS,
    crosswalk::SHIPPING_METHODS,
    crosswalk::WAREHOUSES,
    crosswalk::CUSTOMERS,
];
/// Rows of one range read.
pub(crate) const PAGE: usize = 1_000;

/// One mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowMistake {
    /// Line of the file, from 1.
    pub row: u64,
    /// The column's name.
    pub column: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// What a row would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowEffect {
    /// The cell was empty.
    New,
    /// The cell had another code.
    Changed,
    /// The cell is emptied.
    TakenBack,
    /// The value may come; its cell can be filled before it does.
    Announced,
    /// The same, and nothing goes live before its cell is filled.
    Required,
    /// The value is not expected any more.
    TakenOff,
}

/// One row that changes something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowChange {
    /// Line of the file, from 1.
    pub row: u64,
    /// The retailer it holds for; `None`: for all.
    pub retailer: Option<String>,
    /// The value.
    pub value: String,
    /// What happens.
    pub effect: RowEffect,
    /// The code before.
    pub old: Option<String>,
    /// The code after.
    pub new: Option<String>,
    /// The new code in words.
    pub label: Option<String>,
}

/// What a file would do, or did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MappingsView {
    /// The table.
    pub table: String,
    /// Rows of the file.
    pub rows: u64,
    /// Cells that are filled and were empty.
    pub new: u64,
    /// Cells that get another code.
    pub changed: u64,
    /// Cells that are emptied.
    pub taken_back: u64,
    /// Values that are put on the list of those that may come, are marked there, or taken off it.
    pub announced: u64,
    /// Rows that say what holds already.
    pub same: u64,
    /// The first 500 changes.
    pub changes: Vec<RowChange>,
    /// How many mistakes.
    pub wrong: u64,
    /// The first 500 mistakes. With any of them nothing is applied.
    pub mistakes: Vec<RowMistake>,
    /// Jobs that wait for these cells, or went on.
    pub released: u64,
    /// Whether it was applied.
    pub applied: bool,
}

fn known_table(table: &str) -> Result<(), CommandError> {
    if TABLES.contains(&table) {
        return Ok(());
    }
    Err(CommandError::Refused(Problem::new(
        "unknown-table",
        format!("There is no table `{table}`."),
        format!("One of: {}.", TABLES.join(", ")),
    )))
}

fn apply(
    tx: &mut Tx<'_>,
    desk: &Desk,
    table: &str,
    text: &str,
    who: &str,
    now: Millis,
) -> Result<Option<MappingsView>, StoreError> {
    // Read again in the commit: what the preview compared with may have changed since.
    let Some(Checked { mut view, steps }) = check(tx, desk, table, text)? else {
        return Ok(None);
    };
    if view.wrong > 0 {
        return Ok(Some(view));
    }
    view.released = 0;
    for step in &steps {
        carry_out(tx, step, who, now)?;
    }
    let fills = |step: &&Step| matches!(step.deed, Deed::Match { code: Some(_), .. });
    for step in steps.iter().filter(fills) {
        view.released += release::release_gap(tx, step.from, step.to, &step.cell, who, now)?;
    }
    let announced = match view.announced {
        0 => String::new(),
        n => format!(", {n} announced"),
    };
    let detail = format!(
        "{table}: {} new, {} changed, {} taken back{announced} from a file; {} waiting steps go on",
        view.new, view.changed, view.taken_back, view.released
    );
    tx.audit(who, "Imported matches", &detail, now)?;
    view.applied = true;
    Ok(Some(view))
}

fn carry_out(tx: &mut Tx<'_>, step: &Step, who: &str, now: Millis) -> Result<(), StoreError> {
    let Step { from, to, cell, .. } = step;
    let retailer = cell.retailer.as_deref();
    match &step.deed {
        Deed::Match { code, label } => tx.set_cell(
            *from,
            *to,
            &cell.table,
            retailer,
            &cell.value,
            code.as_deref(),
            label.as_deref(),
            who,
            now,
        ),
        Deed::Announce { required, label } => {
            let row = AnnouncedRow {
                table: cell.table.clone(),
                retailer: cell.retailer.clone(),
                value: cell.value.clone(),
                label: label.clone(),
                required: *required,
                who: who.to_owned(),
                at: now,
            };
            tx.announce(*from, *to, &row)
        }
        Deed::TakeOff => tx.take_off(*from, *to, &cell.table, retailer, &cell.value),
    }
}

/// A text that a spreadsheet does not take for a formula. Only for columns that are not read back.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn named_line(rx: &Rx, row: &NamedItemRow) -> Result<[String; 7], StoreError> {
    let own = rx.cell_row(
        row.from,
        row.to,
        crosswalk::ITEMS,
        Some(&row.retailer),
        &row.value,
    )?;
    let (code, label) = own.map_or_else(Default::default, |cell| {
        (cell.code, cell.label.unwrap_or_default())
    });
    let mut found = Vec::new();
    // What was found by itself is shown beside the code, so that uploading the file again does not fix it by hand.
    if row.standing != Standing::ByHand || code.is_empty() {
        for key in &row.keys {
            let title = rx.item_title(row.to, key)?.unwrap_or_default();
            found.push(format!("{key} {title}").trim().to_owned());
        }
    }
    Ok([
        row.retailer.clone(),
        row.value.clone(),
        code,
        harmless(&label),
        harmless(&row.title),
        row.standing.word().to_owned(),
        harmless(&found.join("; ")),
    ])
}

fn export(core: &Core, rx: &Rx, table: &str) -> Result<Option<String>, StoreError> {
    let Some(route) = order_route(&core.desk()) else {
        return Ok(None);
    };
    let mut out = Writer::from_writer(Vec::new());
    // Writing into memory does not fail.
    let mut put = |cells: &[&str]| drop(out.write_record(cells));
    if table == crosswalk::ITEMS {
        items_file(rx, route, &mut put)?;
    } else {
        table_file(rx, route, table, &mut put)?;
    }
    let bytes = out.into_inner().unwrap_or_default();
    Ok(Some(String::from_utf8(bytes).unwrap_or_default()))
}

/// Matches for all, every item that orders name, and matches of items that none has named yet.
fn items_file(
    rx: &Rx,
    (from, to): (ConnectionId, ConnectionId),
    put: &mut dyn FnMut(&[&str]),
) -> Result<(), StoreError> {
    put(&[
        "retailer", "value", "code", "label", "title", "standing", "found",
    ]);
    let cells = all_cells(rx, from, to, crosswalk::ITEMS)?;
    for cell in &cells {
        if cell.retailer.is_none() {
            let label = harmless(cell.label.as_deref().unwrap_or_default());
            put(&["", &cell.value, &cell.code, &label, "", "", ""]);
        }
    }
    let mut after: Option<(String, String)> = None;
    loop {
        let query = NamedQuery {
            after: after.as_ref().map(|(r, v)| (r.as_str(), v.as_str())),
            limit: PAGE,
            ..NamedQuery::default()
        };
        let rows = rx.named_items(from, to, &query)?;
        for row in &rows {
            let line = named_line(rx, row)?;
            put(&line.each_ref().map(String::as_str));
        }
        match rows.last() {
            Some(last) if rows.len() == PAGE => {
                after = Some((last.retailer.clone(), last.value.clone()));
            }
            _ => break,
        }
    }
    for cell in &cells {
        if let Some(retailer) = &cell.retailer
            && rx.named_item(from, to, retailer, &cell.value)?.is_none()
        {
            let label = harmless(cell.label.as_deref().unwrap_or_default());
            put(&[retailer, &cell.value, &cell.code, &label, "", "", ""]);
        }
    }
    Ok(())
}

/// Every filled cell both ways, and every value that was announced.
fn table_file(
    rx: &Rx,
    (from, to): (ConnectionId, ConnectionId),
    table: &str,
    put: &mut dyn FnMut(&[&str]),
) -> Result<(), StoreError> {
    let columns = [
        "direction",
        "retailer",
        "value",
        "code",
        "label",
        "required",
    ];
    let width = columns.len() - usize::from(!ANNOUNCES.contains(&table));
    put(&columns[..width]);
    for (direction, from, to) in [("", from, to), (BACK, to, from)] {
        let mut lines = BTreeMap::new();
        for row in rx.announced(from, to, table)? {
            let required = if row.required { "yes" } else { "no" };
            let label = row.label.unwrap_or_default();
            lines.insert((row.retailer, row.value), (String::new(), label, required));
        }
        for cell in all_cells(rx, from, to, table)? {
            let line = lines.entry((cell.retailer, cell.value)).or_default();
            (line.0, line.1) = (cell.code, cell.label.unwrap_or_default());
        }
        for ((retailer, value), (code, label, required)) in &lines {
            let retailer = retailer.as_deref().unwrap_or_default();
            let line = [direction, retailer, value, code, &harmless(label), required];
            put(&line[..width]);
        }
    }
    Ok(())
}

fn all_cells(
    rx: &Rx,
    from: ConnectionId,
    to: ConnectionId,
    table: &str,
) -> Result<Vec<waybill_store::CellRow>, StoreError> {
    rx.cells(from, to, table, None, usize::MAX)
}

fn no_route() -> CommandError {
    CommandError::Refused(Problem::new(
        "no-route",
        "No orders are routed yet.",
        "Declare a route for orders with `waybill apply`.",
    ))
}

impl Handle {
    /// A table as a CSV file: every filled cell, and for items every item that orders name.
    ///
    /// # Errors
    /// An unknown table, or no route for orders yet.
    pub async fn export_mappings(&self, table: &str) -> Result<String, CommandError> {
        known_table(table)?;
        let table = table.to_owned();
        self.read(move |core, rx| export(core, rx, &table))
            .await?
            .ok_or_else(no_route)
    }

    /// What a CSV file would change, or with `dry_run` false: changes it in one commit and releases what it unblocks. A
    /// file with any mistake changes nothing; the mistakes are in the answer.
    ///
    /// # Errors
    /// An unknown table, or no route for orders yet.
    pub async fn import_mappings(
        &self,
        table: &str,
        csv: Arc<str>,
        dry_run: bool,
        who: &str,
    ) -> Result<MappingsView, CommandError> {
        known_table(table)?;
        let table = table.to_owned();
        if dry_run {
            let checked = self
                .read(move |core, rx| check(rx, &core.desk(), &table, &csv))
                .await?
                .ok_or_else(no_route)?;
            return Ok(checked.view);
        }
        let (desk, who, now) = (self.core.desk(), who.to_owned(), self.now());
        crash::point("crosswalk.before-commit");
        let view = self
            .core
            .store
            .write(move |tx| apply(tx, &desk, &table, &csv, &who, now))
            .await?
            .ok_or_else(no_route)?;
        crash::point("crosswalk.released");
        self.core.wake(Event::Changed);
        Ok(view)
    }
}
