//! What a person asks of back-fills and is shown. Must not read a page.

use super::{KEPT, MOST_KEYS};
use crate::core::{Core, Desk, Slot};
use crate::event::Event;
use crate::handle::{CommandError, Handle};
use serde::Serialize;
use std::collections::BTreeSet;
use waybill_model::contract::{Problem, Role, Scope};
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_store::{
    BackfillCounts, BackfillPhase, BackfillRow, Becomes, Read, Rx, StoreError, Tx,
};

/// Which orders a back-fill is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Placed from (inclusive) to (exclusive).
    Between(Millis, Millis),
    /// Keys or numbers, as they were pasted: separated by anything that is no part of one.
    List(String),
}

/// A back-fill, as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct BackfillView {
    /// Its number.
    pub id: u64,
    /// Name of its connection.
    pub connection: String,
    /// The connection's title.
    pub title: String,
    /// From, where it is by date.
    pub from: Option<Millis>,
    /// To, where it is by date.
    pub to: Option<Millis>,
    /// How many were pasted, where it is a list.
    pub pasted: Option<u64>,
    /// `looking`, `looked`, `taking`, `done` or `stopped`.
    pub phase: &'static str,
    /// Missing here and open.
    pub missing: u64,
    /// Here already.
    pub known: u64,
    /// Missing here and over there.
    pub over: u64,
    /// Taken so far.
    pub taken: u64,
    /// Pasted, and not found.
    pub not_found: Vec<String>,
    /// Who asked for it.
    pub who: String,
    /// When.
    pub asked_at: Millis,
    /// When it came this far.
    pub changed_at: Millis,
    /// Why it waits or was stopped.
    pub problem: Option<String>,
}

/// An order that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// Its key at the source.
    pub key: String,
    /// Its number.
    pub number: String,
    /// Whose order.
    pub retailer: String,
    /// When it was placed.
    pub placed_at: Option<Millis>,
    /// `missing`, `known` or `over`.
    pub becomes: &'static str,
}

fn refused(code: &str, message: String, hint: &str) -> CommandError {
    CommandError::Refused(Problem::new(code, message, hint))
}

/// Order numbers hold letters, digits and a few signs; whatever else stands between them separates them.
fn keys(pasted: &str) -> Vec<String> {
    let apart = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"' | '\'');
    let mut seen = BTreeSet::new();
    let words = pasted.split(apart).filter(|word| !word.is_empty());
    words
        .filter(|word| seen.insert(*word))
        .map(str::to_owned)
        .collect()
}

fn scope(asked: &Asked, now: Millis) -> Result<Scope, CommandError> {
    match asked {
        Asked::Between(from, to) if from >= to || *from > now => Err(refused(
            "backfill-range",
            "The range of dates is empty.".to_owned(),
            "Choose a first day that is not in the future, and a last day that is not before it.",
        )),
        Asked::Between(from, to) => Ok(Scope::Between(*from, *to)),
        Asked::List(pasted) => {
            let keys = keys(pasted);
            if keys.is_empty() || keys.len() > MOST_KEYS {
                return Err(refused(
                    "backfill-list",
                    format!("The list has {} order numbers.", keys.len()),
                    &format!("Paste between 1 and {MOST_KEYS} of them, one a line."),
                ));
            }
            if let Some(long) = keys.iter().find(|key| key.len() > 100) {
                let long: String = long.chars().take(40).collect();
                return Err(refused(
                    "backfill-list",
                    format!("`{long}...` is no order number: it is too long."),
                    "Paste order numbers alone, one a line.",
                ));
            }
            Ok(Scope::Keys(keys))
        }
    }
}

fn view(core: &Core, row: BackfillRow) -> BackfillView {
    let desk = core.desk();
    let slot = desk.slots.get(&row.connection);
    let (from, to, pasted) = match &row.scope {
        Scope::Between(from, to) => (Some(*from), Some(*to), None),
        Scope::Keys(keys) => (None, None, Some(keys.len() as u64)),
        Scope::Everything => (None, None, None),
    };
    let BackfillCounts {
        missing,
        known,
        over,
        taken,
    } = row.counts;
    BackfillView {
        id: row.id,
        connection: slot.map_or_else(String::new, |slot| slot.row.name.clone()),
        title: desk.title(row.connection),
        from,
        to,
        pasted,
        phase: word(row.phase),
        missing,
        known,
        over,
        taken,
        not_found: row.not_found,
        who: row.who,
        asked_at: row.asked_at,
        changed_at: row.changed_at,
        problem: row.problem,
    }
}

const fn word(phase: BackfillPhase) -> &'static str {
    match phase {
        BackfillPhase::Looking => "looking",
        BackfillPhase::Looked => "looked",
        BackfillPhase::Taking => "taking",
        BackfillPhase::Done => "done",
        BackfillPhase::Stopped => "stopped",
    }
}

fn lines(rx: &Rx, id: u64) -> Result<Vec<Line>, StoreError> {
    let lines = rx.backfill_lines(id)?.into_iter().map(|line| Line {
        key: line.key,
        number: line.number,
        retailer: line.retailer,
        placed_at: line.placed_at,
        becomes: match line.becomes {
            Becomes::Taken => "missing",
            Becomes::Known => "known",
            Becomes::Over => "over",
        },
    });
    Ok(lines.collect())
}

/// Old ones go, so that the list stays one that is read.
fn forget_old(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let over = tx.backfills()?.into_iter();
    let over = over.filter(|row| !row.phase.is_running());
    for row in over.skip(KEPT).collect::<Vec<_>>() {
        tx.remove_backfill(row.id)?;
    }
    Ok(())
}

impl Handle {
    /// Back-fills, newest first.
    pub async fn backfills(&self) -> Result<Vec<BackfillView>, CommandError> {
        self.read(|core, rx| {
            let rows = rx.backfills()?.into_iter();
            Ok(rows.map(|row| view(core, row)).collect())
        })
        .await
    }

    /// One back-fill, and the first orders it found.
    pub async fn backfill(
        &self,
        id: u64,
    ) -> Result<Option<(BackfillView, Vec<Line>)>, CommandError> {
        self.read(move |core, rx| {
            let Some(row) = rx.backfill(id)? else {
                return Ok(None);
            };
            Ok(Some((view(core, row), lines(rx, id)?)))
        })
        .await
    }

    /// Looks what there is; takes nothing. The number of the back-fill.
    pub async fn look_for_orders(
        &self,
        connection: &str,
        asked: &Asked,
        who: &str,
    ) -> Result<u64, CommandError> {
        let (id, now) = (self.listing(connection)?, self.now());
        let scope = scope(asked, now)?;
        let detail = match &scope {
            Scope::Keys(keys) => format!("{connection}: {} order numbers", keys.len()),
            _ => format!("{connection}: by date"),
        };
        let not_found = match &scope {
            Scope::Keys(keys) => keys.clone(),
            _ => Vec::new(),
        };
        let who = who.to_owned();
        let row = BackfillRow {
            id: 0,
            connection: id,
            scope,
            phase: BackfillPhase::Looking,
            cursor: None,
            counts: BackfillCounts::default(),
            not_found,
            who: who.clone(),
            asked_at: now,
            changed_at: now,
            failures: 0,
            next_due: now,
            problem: None,
        };
        let number = self
            .core
            .store
            .write(move |tx| {
                if tx.running_backfill(id)?.is_some() {
                    return Ok(None);
                }
                forget_old(tx)?;
                tx.audit(&who, "Looked for orders from before", &detail, now)?;
                tx.put_backfill(&row).map(Some)
            })
            .await?;
        self.core.wake(Event::Changed);
        number.ok_or_else(|| {
            refused(
                "backfill-running",
                "Another back-fill of this connection is not over.".to_owned(),
                "Wait for it, or stop it.",
            )
        })
    }

    /// Takes what a look found missing.
    pub async fn take_backfill(&self, id: u64, who: &str) -> Result<(), CommandError> {
        self.turn_backfill(id, BackfillPhase::Taking, "Took orders from before", who)
            .await
    }

    /// Stops a back-fill. What was taken stays.
    pub async fn stop_backfill(&self, id: u64, who: &str) -> Result<(), CommandError> {
        self.turn_backfill(id, BackfillPhase::Stopped, "Stopped a back-fill", who)
            .await
    }

    async fn turn_backfill(
        &self,
        id: u64,
        to: BackfillPhase,
        what: &'static str,
        who: &str,
    ) -> Result<(), CommandError> {
        let (who, now) = (who.to_owned(), self.now());
        let turned = self
            .core
            .store
            .write(move |tx| turn(tx, id, to, what, &who, now))
            .await?;
        self.core.wake(Event::Changed);
        match turned {
            Turned::Yes => Ok(()),
            Turned::Missing => Err(CommandError::NotFound(format!("back-fill {id}"))),
            Turned::NotNow(phase) => Err(refused(
                "backfill-phase",
                format!("Back-fill {id} is {}.", word(phase)),
                "Only one that was looked at can be taken, and only one that is not over be stopped.",
            )),
        }
    }

    /// Name and title of each connection whose orders can be looked for.
    pub fn order_sources(&self) -> Vec<(String, String)> {
        let desk = self.core.desk();
        let slots = desk.slots.values().filter(|slot| lists(&desk, slot));
        slots
            .map(|slot| (slot.row.name.clone(), slot.row.title.clone()))
            .collect()
    }

    fn listing(&self, name: &str) -> Result<ConnectionId, CommandError> {
        let desk = self.core.desk();
        let slot = desk.slots.values().find(|slot| slot.row.name == name);
        let slot =
            slot.ok_or_else(|| CommandError::NotFound(format!("connection named `{name}`")))?;
        if lists(&desk, slot) {
            return Ok(slot.row.id);
        }
        Err(refused(
            "backfill-listing",
            format!("{} cannot list orders from before.", slot.row.title),
            "Choose the connection that orders come from, and wait until its connector is at work.",
        ))
    }
}

/// Whether orders lead from there, and its connector can list them.
fn lists(desk: &Desk, slot: &Slot) -> bool {
    let mut routes = desk.routes.iter();
    routes.any(|r| r.entity == Entity::Order && r.from == slot.row.id)
        && slot
            .connector()
            .is_some_and(|c| c.roles().contains(&Role::Listing))
}

enum Turned {
    Yes,
    Missing,
    NotNow(BackfillPhase),
}

fn turn(
    tx: &mut Tx<'_>,
    id: u64,
    to: BackfillPhase,
    what: &str,
    who: &str,
    now: Millis,
) -> Result<Turned, StoreError> {
    let Some(mut row) = tx.backfill(id)? else {
        return Ok(Turned::Missing);
    };
    let other = tx.running_backfill(row.connection)?;
    let may = match to {
        BackfillPhase::Taking => row.phase == BackfillPhase::Looked && other.is_none(),
        _ => row.phase.is_running() || row.phase == BackfillPhase::Looked,
    };
    if !may {
        return Ok(Turned::NotNow(row.phase));
    }
    row.phase = to;
    row.changed_at = now;
    row.cursor = None;
    row.failures = 0;
    row.next_due = now;
    tx.audit(who, what, &format!("Back-fill {id}"), now)?;
    tx.put_backfill(&row)?;
    Ok(Turned::Yes)
}
