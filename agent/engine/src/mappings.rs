//! Crosswalks as CSV files: download, upload with a preview, and the upload applied in one commit, all of it or
//! nothing. Checked like a cell that is filled on the page. Knows no page and no file system.

use crate::core::{Core, Desk};
use crate::event::Event;
use crate::handle::{CommandError, Handle};
use crate::mapping_rows::{BACK, Checked, check};
use crate::matching::order_route;
use crate::release;
use csv::Writer;
use serde::Serialize;
use std::sync::Arc;
use waybill_model::contract::Problem;
use waybill_model::crash;
use waybill_model::crosswalk::{self, Standing};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_store::{NamedItemRow, NamedQuery, Read, Rx, StoreError, Tx};

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
    /// Rows that say what holds already, or leave the code empty.
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
        let retailer = step.cell.retailer.as_deref();
        tx.set_cell(
            step.from,
            step.to,
            table,
            retailer,
            &step.cell.value,
            step.code.as_deref(),
            step.label.as_deref(),
            who,
            now,
        )?;
    }
    for step in steps.iter().filter(|step| step.code.is_some()) {
        view.released += release::release_gap(tx, step.from, step.to, &step.cell, who, now)?;
    }
    let detail = format!(
        "{table}: {} new, {} changed, {} taken back from a file; {} waiting steps go on",
        view.new, view.changed, view.taken_back, view.released
    );
    tx.audit(who, "Imported matches", &detail, now)?;
    view.applied = true;
    Ok(Some(view))
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
    let Some((from, to)) = order_route(&core.desk()) else {
        return Ok(None);
    };
    let mut out = Writer::from_writer(Vec::new());
    // Writing into memory does not fail.
    let mut put = |cells: &[&str]| drop(out.write_record(cells));
    if table == crosswalk::ITEMS {
        put(&[
            "retailer", "value", "code", "label", "title", "standing", "found",
        ]);
        for cell in all_cells(rx, from, to, table)? {
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
        // Matches of items that no order has named yet.
        for cell in all_cells(rx, from, to, table)? {
            if let Some(retailer) = &cell.retailer
                && rx.named_item(from, to, retailer, &cell.value)?.is_none()
            {
                let label = harmless(cell.label.as_deref().unwrap_or_default());
                put(&[retailer, &cell.value, &cell.code, &label, "", "", ""]);
            }
        }
    } else {
        put(&["direction", "retailer", "value", "code", "label"]);
        for (direction, from, to) in [("", from, to), (BACK, to, from)] {
            for cell in all_cells(rx, from, to, table)? {
                let retailer = cell.retailer.as_deref().unwrap_or_default();
                let label = harmless(cell.label.as_deref().unwrap_or_default());
                put(&[direction, retailer, &cell.value, &cell.code, &label]);
            }
        }
    }
    let bytes = out.into_inner().unwrap_or_default();
    Ok(Some(String::from_utf8(bytes).unwrap_or_default()))
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
