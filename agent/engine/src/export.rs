//! Everything a merchant has set, as one provisioning file: settings, connections without their secrets, routes,
//! matches, and the codes that were announced.
//! Applied to the same agent it changes nothing; applied to a new one it makes the same. What this build does not know is
//! left in the file as a comment, so that applying it is not refused.

use crate::apply::quoted;
use crate::core::{Core, Slot};
use crate::handle::{CommandError, Handle};
use crate::in_force;
use crate::mapping_rows::ANNOUNCES;
use crate::pull;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use waybill_model::contract::Setting;
use waybill_model::crosswalk::{CUSTOMERS, ITEMS, SHIPPING_METHODS, WAREHOUSES};
use waybill_model::settings;
use waybill_store::{AnnouncedRow, CellRow, Lists, Read, Rx, SettingRow, StoreError};

/// Cells that are read at once.
const STEP: usize = 1_000;
/// Key of the setting that has a place of its own in the file.
const STORE_NAME: &str = "store-name";

/// The file as far as it is written.
struct File(String);

impl File {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn pair(&mut self, key: &str, value: &str) {
        // Writing to a string cannot fail.
        let _infallible = writeln!(self.0, "{} = {}", quoted(key), quoted(value));
    }

    /// A section of settings; those that would be refused stay as comments.
    fn settings(&mut self, head: &str, rows: &[&SettingRow], known: &[Setting], retailer: bool) {
        if rows.is_empty() {
            return;
        }
        self.line(head);
        for row in rows {
            let setting = known.iter().find(|setting| setting.key == row.key);
            if !setting.is_some_and(|setting| !retailer || setting.per_retailer) {
                self.0.push_str("# not known to this build: ");
            }
            self.pair(&row.key, &row.value);
        }
    }

    /// Settings of each retailer.
    fn retailers(&mut self, within: &str, rows: &[SettingRow], known: &[Setting]) {
        let mut own: BTreeMap<&str, Vec<&SettingRow>> = BTreeMap::new();
        for row in rows {
            if let Some(code) = &row.scope.retailer {
                own.entry(code).or_default().push(row);
            }
        }
        for (code, rows) in own {
            self.line(&format!("\n[[{within}]]"));
            self.line(&format!("code = {}", quoted(code)));
            self.settings(&format!("[{within}.settings]"), &rows, known, true);
        }
    }
}

fn of_all(rows: &[SettingRow]) -> Vec<&SettingRow> {
    let all = rows.iter().filter(|row| row.scope.retailer.is_none());
    all.collect()
}

/// The agent's own settings with those that only connections show.
fn agent_settings() -> Vec<Setting> {
    let mut known = in_force::agent();
    known.extend(settings::timing_settings());
    known
}

fn connection(file: &mut File, rx: &Rx, slot: &Slot) -> Result<(), StoreError> {
    let row = &slot.row;
    file.line("\n[[connection]]");
    file.line(&format!("name = {}", quoted(&row.name)));
    file.line(&format!("connector = {}", quoted(&row.connector)));
    file.line(&format!("title = {}", quoted(&row.title)));
    file.line(&format!("private-addresses = {}", row.allow_private));
    if !row.grants.is_empty() {
        let grants: Vec<String> = row.grants.iter().map(|grant| quoted(grant)).collect();
        file.line(&format!("grants = [{}]", grants.join(", ")));
    }
    let mut known = agent_settings();
    known.extend(settings::connection_settings());
    known.extend(
        slot.descriptor()
            .into_iter()
            .flat_map(|d| d.settings.clone()),
    );
    let rows = rx.connection_values(row.id)?;
    file.settings("[connection.settings]", &of_all(&rows), &known, false);
    let slots = slot.descriptor().map(|d| d.credentials.as_slice());
    let own: BTreeSet<&str> = slots
        .unwrap_or_default()
        .iter()
        .map(|c| c.slot.as_str())
        .collect();
    let secrets = rx.secret_names(row.id)?.into_iter();
    for (slot, name, _) in secrets.filter(|(slot, ..)| own.contains(slot.as_str())) {
        let variable = format!("{}_{slot}_{name}", row.name).to_uppercase();
        let variable = variable.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        file.line(&format!(
            "# On another machine: credentials.{}.{} = {{ env = {} }}",
            quoted(&slot),
            quoted(&name),
            quoted(&variable)
        ));
    }
    file.retailers("connection.retailer", &rows, &known);
    Ok(())
}

fn cells(
    file: &mut File,
    rx: &Rx,
    (from, to): (&Slot, &Slot),
    table: &str,
) -> Result<(), StoreError> {
    let mut all: Vec<CellRow> = Vec::new();
    loop {
        let after = all
            .last()
            .map(|c| (c.retailer.as_deref(), c.value.as_str()));
        let page = rx.cells(from.row.id, to.row.id, table, after, STEP)?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    let mut by: BTreeMap<Option<&str>, Vec<&CellRow>> = BTreeMap::new();
    for cell in &all {
        by.entry(cell.retailer.as_deref()).or_default().push(cell);
    }
    for (retailer, cells) in by {
        file.line("\n[[crosswalk]]");
        file.line(&format!("from = {}", quoted(&from.row.name)));
        file.line(&format!("to = {}", quoted(&to.row.name)));
        file.line(&format!("table = {}", quoted(table)));
        if let Some(code) = retailer {
            file.line(&format!("retailer = {}", quoted(code)));
        }
        file.line("[crosswalk.pairs]");
        for cell in cells {
            file.pair(&cell.value, &cell.code);
        }
    }
    Ok(())
}

/// Codes that may come, each list whole.
fn announced(
    file: &mut File,
    rx: &Rx,
    (from, to): (&Slot, &Slot),
    table: &str,
) -> Result<(), StoreError> {
    let rows = rx.announced(from.row.id, to.row.id, table)?;
    let mut by: BTreeMap<Option<&str>, Vec<&AnnouncedRow>> = BTreeMap::new();
    for row in &rows {
        by.entry(row.retailer.as_deref()).or_default().push(row);
    }
    for (retailer, rows) in by {
        file.line("\n[[announced]]");
        file.line(&format!("from = {}", quoted(&from.row.name)));
        file.line(&format!("to = {}", quoted(&to.row.name)));
        file.line(&format!("table = {}", quoted(table)));
        if let Some(code) = retailer {
            file.line(&format!("retailer = {}", quoted(code)));
        }
        for (head, required) in [("required", true), ("optional", false)] {
            file.line(&format!("[announced.{head}]"));
            for row in rows.iter().filter(|row| row.required == required) {
                file.pair(&row.value, row.label.as_deref().unwrap_or_default());
            }
        }
    }
    Ok(())
}

/// The tables that two connections know.
fn tables(from: &Slot, to: &Slot) -> BTreeSet<String> {
    let own = [ITEMS, CUSTOMERS, SHIPPING_METHODS, WAREHOUSES].map(str::to_owned);
    let described = [from, to].into_iter().filter_map(|slot| slot.descriptor());
    let named = described.flat_map(|d| d.tables.iter().map(|t| t.name.clone()));
    own.into_iter().chain(named).collect()
}

/// The file; without `left_out`, where a table is named.
fn everything(core: &Core, rx: &Rx, left_out: Option<&str>) -> Result<String, StoreError> {
    let desk = core.desk();
    let mut file = File(String::new());
    file.line("# Everything that is set, without secrets. `waybill settings import` reads it.");
    file.line("version = 1");
    let rows = rx.agent_rows()?;
    let (name, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.key == STORE_NAME);
    if let Some(name) = name.first() {
        file.line("\n[agent]");
        file.line(&format!("store-name = {}", quoted(&name.value)));
    }
    let known = agent_settings();
    file.settings("\n[settings]", &of_all(&rows), &known, false);
    file.retailers("retailer", &rows, &known);
    for slot in desk.slots.values() {
        connection(&mut file, rx, slot)?;
    }
    let named = |id| desk.slots.get(&id).map(|slot| slot.row.name.as_str());
    for route in rx.routes()? {
        if let (Some(from), Some(to)) = (named(route.from), named(route.to)) {
            file.line("\n[[route]]");
            file.line(&format!("entity = {}", quoted(route.entity.word())));
            file.line(&format!("from = {}", quoted(from)));
            file.line(&format!("to = {}", quoted(to)));
        }
    }
    for from in desk.slots.values() {
        for to in desk.slots.values().filter(|to| to.row.id != from.row.id) {
            let named = tables(from, to).into_iter();
            for table in named.filter(|table| left_out != Some(table)) {
                cells(&mut file, rx, (from, to), &table)?;
            }
            for table in ANNOUNCES {
                announced(&mut file, rx, (from, to), table)?;
            }
        }
    }
    Ok(file.0)
}

/// Stands for everything that is set but the single items, of which there may be very many.
pub(crate) fn mark(core: &Core, rx: &Rx) -> Result<String, StoreError> {
    Ok(pull::mark(everything(core, rx, Some(ITEMS))?.as_bytes()))
}

impl Handle {
    /// Everything that is set, as a provisioning file without secrets.
    pub async fn export_settings(&self) -> Result<String, CommandError> {
        self.read(|core, rx| everything(core, rx, None)).await
    }
}
