//! Crosswalks on a page: what each value of one side is on the other, both ways, filled or not. Customers are one of
//! them: each retailer and its contact, matched by hand or created. Items have a page of their own (`matching.rs`), since
//! there may be very many of them. Knows no page.

use crate::catalogue;
use crate::core::{Core, Desk};
use crate::event::Event;
use crate::handle::{CommandError, Handle};
use crate::mapping_rows::ANNOUNCES;
use crate::matching::order_route;
use crate::view::SuggestionView;
use crate::{methods, order, release, retailers, translate};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::contract::{Gap, Problem};
use waybill_model::crash;
use waybill_model::crosswalk::{
    ANY, CUSTOMERS, SHIPPING_METHODS, WAREHOUSES, order_of, retailer_gap,
};
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::{JobState, Reason, Work};
use waybill_model::settings::{self, CUSTOMER_PER_ORDER, CUSTOMER_PER_RETAILER};
use waybill_store::{CellRow, Lists as _, NoteKind, Read, Rx, Scope, StoreError, Tx};

/// The tables, as on a page: items have their own.
pub const TABLES: [&str; 3] = [CUSTOMERS, SHIPPING_METHODS, WAREHOUSES];
/// Rows of each direction.
const ROWS: usize = 500;
/// Waiting jobs that are counted.
const COUNTED: usize = 1_000;
/// Open values that a refusal names.
const NAMED: usize = 12;

/// What a value stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CodeView {
    /// The other side's code.
    pub code: String,
    /// Its name there, where known.
    pub name: Option<String>,
    /// The cell is one for all retailers.
    pub for_all: bool,
    /// Who filled it.
    pub who: String,
    /// When.
    pub at: Millis,
}

/// A value of one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ValueView {
    /// Only for this retailer (its code); `None`: for all.
    pub retailer: Option<String>,
    /// The retailer's name.
    pub retailer_name: Option<String>,
    /// The value, as documents say it.
    pub value: String,
    /// Its name, where that says more.
    pub name: Option<String>,
    /// What it stands for; `None` while nobody said.
    pub code: Option<CodeView>,
    /// The way back, without an own code: the one value that means it, which is taken.
    pub follows: Option<String>,
    /// It was announced in advance, as one of the codes that may come.
    pub announced: bool,
    /// Nothing goes live before it is matched.
    pub required: bool,
    /// A customer: it is created with the first sale that needs it.
    pub created: bool,
    /// What it probably is; empty where it is matched.
    pub suggestions: Vec<SuggestionView>,
    /// Documents that wait for it.
    pub waiting: u64,
}

/// One direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DirectionView {
    /// Whose values these are.
    pub from: ConnectionId,
    /// Whose codes they stand for.
    pub to: ConnectionId,
    /// Title of that system.
    pub source: String,
    /// Title of the other.
    pub target: String,
    /// Waiting ones first, then empty ones, then by value; at most 500.
    pub rows: Vec<ValueView>,
    /// There are more than these rows: the file has all.
    pub more: bool,
    /// The other side's records, where they are few enough to choose from: key and name.
    pub choices: Vec<(String, String)>,
    /// Codes that are known there, with their words; others may be typed in.
    pub known: Vec<(String, String)>,
    /// How a code is written, where that is not plain.
    pub example: Option<String>,
}

/// A crosswalk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CrosswalkView {
    /// The table.
    pub table: String,
    /// The other side can create what is missing (customers).
    pub creates: bool,
    /// The way of the orders, then the way back; empty where no orders are routed yet.
    pub directions: Vec<DirectionView>,
}

fn known_table(table: &str) -> Result<(), CommandError> {
    if TABLES.contains(&table) {
        return Ok(());
    }
    Err(CommandError::NotFound(format!(
        "crosswalk `{table}`; there are {}",
        TABLES.join(", ")
    )))
}

/// A look at one direction of a table.
struct Look<'a> {
    rx: &'a Rx,
    table: &'a str,
    from: ConnectionId,
    to: ConnectionId,
    /// The way of what is reported back.
    back: bool,
    names: &'a BTreeMap<String, String>,
}

impl Look<'_> {
    fn gap(&self, retailer: Option<&str>, value: &str) -> Gap {
        Gap {
            table: self.table.to_owned(),
            retailer: retailer.map(str::to_owned),
            value: value.to_owned(),
        }
    }

    fn code(&self, cell: CellRow) -> Result<CodeView, StoreError> {
        let name = match cell.label {
            Some(label) => Some(label),
            None => catalogue::name_of(self.rx, self.to, self.table, &cell.code)?,
        };
        Ok(CodeView {
            for_all: cell.retailer.is_none(),
            code: cell.code,
            name,
            who: cell.who,
            at: cell.at,
        })
    }

    fn row(
        &self,
        retailer: Option<String>,
        value: String,
        waiting: u64,
    ) -> Result<ValueView, StoreError> {
        let cell = self
            .rx
            .cell_row(self.from, self.to, self.table, retailer.as_deref(), &value)?;
        let code = cell.map(|cell| self.code(cell)).transpose()?;
        // Orders go by their own cells alone. What is reported back follows from the one value that means it.
        let others = match code {
            None if self.back => self.rx.cells_with(self.to, self.from, self.table, &value)?,
            _ => Vec::new(),
        };
        let follows = match others.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        };
        let gap = self.gap(retailer.as_deref(), &value);
        let suggestions = if code.is_some() || follows.is_some() {
            Vec::new()
        } else {
            catalogue::suggestions(self.rx, self.from, self.to, &gap)?
        };
        let announced =
            self.rx
                .announced_row(self.from, self.to, self.table, retailer.as_deref(), &value)?;
        let name = if self.table == CUSTOMERS {
            self.names.get(&value).cloned()
        } else {
            let listed = catalogue::name_of(self.rx, self.from, self.table, &value)?;
            listed.or_else(|| announced.as_ref().and_then(|row| row.label.clone()))
        };
        Ok(ValueView {
            retailer_name: retailer.as_ref().and_then(|r| self.names.get(r).cloned()),
            retailer,
            value,
            name,
            code,
            follows,
            announced: announced.is_some(),
            required: announced.is_some_and(|row| row.required),
            created: false,
            suggestions,
            waiting,
        })
    }

    /// Every value with the retailer it is of: retailers themselves, filled cells, and records that have no cell yet.
    fn values(&self) -> Result<BTreeSet<(String, Option<String>)>, StoreError> {
        if self.table == CUSTOMERS {
            let all = self.names.keys();
            return Ok(all.map(|code| (code.clone(), Some(code.clone()))).collect());
        }
        let records = catalogue::listed(self.rx, self.from, self.table)?;
        let cells = self.rx.cells(self.from, self.to, self.table, None, ROWS)?;
        let mut values: BTreeSet<(String, Option<String>)> = cells
            .into_iter()
            .map(|cell| (cell.value, cell.retailer))
            .collect();
        let announced = self.rx.announced(self.from, self.to, self.table)?;
        values.extend(announced.into_iter().map(|row| (row.value, row.retailer)));
        let filled: BTreeSet<String> = values.iter().map(|(value, _)| value.clone()).collect();
        let open = records.into_iter().filter(|(key, _)| !filled.contains(key));
        values.extend(open.map(|(key, _)| (key, None)));
        Ok(values)
    }

    fn direction(&self, desk: &Desk) -> Result<DirectionView, StoreError> {
        let mut waiting: BTreeMap<(String, Option<String>), u64> = BTreeMap::new();
        let mut gaps = self.rx.gaps(self.from, self.to, self.table, COUNTED)?;
        // The customer of one order is on its card.
        gaps.retain(|(gap, _)| order_of(gap).is_none());
        for (gap, jobs) in gaps {
            waiting.insert((gap.value, gap.retailer), jobs);
        }
        let mut values = self.values()?;
        // What a retailer's document waits for is that retailer's row, not one of all.
        for key in waiting.keys() {
            values.remove(&(key.0.clone(), None));
            values.insert(key.clone());
        }
        let mut rows = values
            .into_iter()
            .map(|key| {
                let jobs = waiting.get(&key).copied().unwrap_or(0);
                self.row(key.1, key.0, jobs)
            })
            .collect::<Result<Vec<_>, _>>()?;
        rows.sort_by_key(|row| (row.waiting == 0, row.code.is_some(), !row.required));
        let more = rows.len() > ROWS;
        rows.truncate(ROWS);
        Ok(DirectionView {
            from: self.from,
            to: self.to,
            source: desk.title(self.from),
            target: desk.title(self.to),
            rows,
            more,
            choices: catalogue::choices(self.rx, self.to, self.table)?,
            known: Vec::new(),
            example: None,
        })
    }
}

/// How the customers of a retailer's orders come to be.
fn mode(rx: &dyn Read, from: ConnectionId, retailer: &str) -> Result<Option<String>, StoreError> {
    let values = rx.effective(Some(from), Some(retailer))?;
    let defaults = settings::agent_settings();
    let mode = settings::value(&values, settings::CUSTOMERS, &defaults);
    Ok(mode.map(str::to_owned))
}

fn view(core: &Core, rx: &Rx, table: &str) -> Result<CrosswalkView, StoreError> {
    let desk = core.desk();
    let mut view = CrosswalkView {
        table: table.to_owned(),
        creates: false,
        directions: Vec::new(),
    };
    let Some((from, to)) = order_route(&desk) else {
        return Ok(view);
    };
    view.creates = table == CUSTOMERS && translate::takes_customers(&desk, to);
    let known = retailers::known(&desk, rx)?.into_iter();
    let names: BTreeMap<String, String> = known
        .filter(|((network, _), _)| *network == from)
        .map(|((_, code), (_, name))| (code, name))
        .collect();
    let there = std::iter::once((from, to, false));
    let back = (table != CUSTOMERS).then_some((to, from, true));
    for (from, to, back) in there.chain(back) {
        let look = Look {
            rx,
            table,
            from,
            to,
            back,
            names: &names,
        };
        view.directions.push(look.direction(&desk)?);
    }
    for direction in view.directions.iter_mut().filter(|_| table == CUSTOMERS) {
        for mut row in std::mem::take(&mut direction.rows) {
            let mode = mode(rx, from, &row.value)?;
            // Where each order has a customer of its own, the retailer has none, but for orders from before.
            if mode.as_deref() == Some(CUSTOMER_PER_ORDER) && row.waiting == 0 {
                continue;
            }
            let creates = view.creates && mode.as_deref() == Some(CUSTOMER_PER_RETAILER);
            row.created = creates && row.code.is_none();
            direction.rows.push(row);
        }
    }
    Ok(view)
}

/// What came of having a customer created.
enum Created {
    /// So many steps go on.
    Released(u64),
    /// Nobody knows the retailer.
    Unknown,
    /// It has one already: its key.
    Has(String),
}

/// Has a retailer's customer created from now on, and lets the documents go on that wait for it: the first of them
/// creates it. Whether it may be is asked here, since somebody may have filled in a contact meanwhile.
fn create(
    tx: &mut Tx<'_>,
    desk: &Desk,
    (from, to): (ConnectionId, ConnectionId),
    retailer: &str,
    who: &str,
    now: Millis,
) -> Result<Created, StoreError> {
    let place = (from, retailer.to_owned());
    if !retailers::known(desk, tx)?.contains_key(&place) {
        return Ok(Created::Unknown);
    }
    if let Some(key) = tx.cell(from, to, CUSTOMERS, retailer, retailer)? {
        return Ok(Created::Has(key));
    }
    let mut scope = Scope {
        connection: None,
        retailer: Some(retailer.to_owned()),
    };
    let wanted = Some(CUSTOMER_PER_RETAILER);
    tx.set_setting(&scope, settings::CUSTOMERS, wanted, who, now)?;
    if mode(tx, from, retailer)?.as_deref() != wanted {
        // The retailer has one at its network alone, which goes before.
        scope.connection = Some(from);
        tx.set_setting(&scope, settings::CUSTOMERS, wanted, who, now)?;
    }
    let work = Work::Push(Entity::Customer);
    if let Some(job) = tx.open_job(work, from, to, Entity::Customer, retailer)?
        && matches!(job.state, JobState::Parked(_))
    {
        // It was refused once; its outcome is looked up before it is sent again, as with every retry.
        drop(release::retry(tx, &job, who, now)?);
    }
    let mut released = 0;
    for id in tx.gap_jobs(from, to, &retailer_gap(retailer))? {
        let Some(job) = tx.job(id)? else { continue };
        if !matches!(job.state, JobState::Parked(Reason::Gaps(_))) {
            continue;
        }
        let state = order::at_rest(tx, &job)?;
        tx.set_state(id, state, now)?;
        released += 1;
        if let Some(id) = job.order {
            let text = format!("{who} has the customer of {retailer} created.");
            order::note(tx, id, now, NoteKind::Info, "person", &text, None)?;
            order::refresh(tx, id, now)?;
        }
    }
    let detail = format!("{retailer}; {released} waiting steps go on");
    tx.audit(who, "Creates customer", &detail, now)?;
    Ok(Created::Released(released))
}

/// Required values without a code, of one retailer or of all: what keeps its orders from going live.
pub(crate) fn required_open(
    rx: &dyn Read,
    desk: &Desk,
    retailer: Option<&str>,
) -> Result<Vec<Gap>, StoreError> {
    let mut open = Vec::new();
    let Some((from, to)) = order_route(desk) else {
        return Ok(open);
    };
    for table in ANNOUNCES {
        for (from, to, back) in [(from, to, false), (to, from, true)] {
            for row in rx.announced(from, to, table)? {
                let theirs = row.retailer.is_none()
                    || retailer.is_none()
                    || row.retailer.as_deref() == retailer;
                if !row.required || !theirs {
                    continue;
                }
                // A retailer's own cell, else the one for all.
                let whose = row.retailer.as_deref().unwrap_or_default();
                let cell = |value: &str| rx.cell(from, to, table, whose, value);
                let filled = cell(&row.value)?.is_some() || cell(ANY)?.is_some();
                // The way back follows from the one value that means it.
                let follows = back && rx.cells_with(to, from, table, &row.value)?.len() == 1;
                if !filled && !follows {
                    open.push(Gap {
                        table: table.to_owned(),
                        retailer: row.retailer,
                        value: row.value,
                    });
                }
            }
        }
    }
    Ok(open)
}

/// Says which required values are open, where any is.
pub(crate) fn refuse_open(open: &[Gap]) -> Result<(), CommandError> {
    if open.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = open
        .iter()
        .take(NAMED)
        .map(|gap| match &gap.retailer {
            Some(retailer) => format!("{} of {retailer}", gap.value),
            None => gap.value.clone(),
        })
        .collect();
    let more = match open.len() - named.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Err(CommandError::Refused(Problem::new(
        "required-codes",
        format!(
            "Codes that are marked as required have no match yet: {}{more}.",
            named.join(", ")
        ),
        "Match them under Matching, or upload them with `no` in the column `required`.",
    )))
}

impl Handle {
    /// A crosswalk with all its values, both ways.
    ///
    /// # Errors
    /// `NotFound`: no table of [`TABLES`].
    pub async fn crosswalk(&self, table: &str) -> Result<CrosswalkView, CommandError> {
        known_table(table)?;
        let of = table.to_owned();
        let mut view = self.read(move |core, rx| view(core, rx, &of)).await?;
        let back = view.directions.iter_mut().skip(1);
        for way in back.filter(|way| table == SHIPPING_METHODS && way.choices.is_empty()) {
            way.example = Some(methods::EXAMPLE.to_owned());
            way.known = self.known_methods(way.to).await;
            for row in &mut way.rows {
                let open = row.code.is_none() && row.follows.is_none();
                if let (Some(name), true) = (&row.name, open && row.suggestions.is_empty()) {
                    row.suggestions = methods::suggested(&way.known, name);
                }
            }
        }
        Ok(view)
    }

    /// Has the customer of a retailer created with the first sale that needs it, whatever the setting was, and lets what
    /// waits for it go on. How many steps.
    ///
    /// # Errors
    /// No orders are routed, nobody knows that retailer, it has a customer, or the ERP's connector creates none.
    pub async fn create_customer(&self, retailer: &str, who: &str) -> Result<u64, CommandError> {
        let (from, to) = self.order_route()?;
        let (code, who, now) = (retailer.to_owned(), who.to_owned(), self.now());
        let desk = self.core.desk();
        if !translate::takes_customers(&desk, to) {
            return Err(CommandError::Refused(Problem::new(
                "creates-none",
                format!("The connector of {} creates no customers.", desk.title(to)),
                "Create the contact there and match it here.",
            )));
        }
        crash::point("crosswalk.before-commit");
        let created = self
            .core
            .store
            .write(move |tx| create(tx, &desk, (from, to), &code, &who, now))
            .await?;
        crash::point("crosswalk.released");
        match created {
            Created::Released(released) => {
                self.core.wake(Event::Changed);
                Ok(released)
            }
            Created::Unknown => Err(CommandError::NotFound(format!("retailer `{retailer}`"))),
            Created::Has(key) => Err(CommandError::Refused(Problem::new(
                "has-customer",
                format!("{retailer} has a customer already: contact {key}."),
                "Take the match back first, if another is to be created.",
            ))),
        }
    }
}
