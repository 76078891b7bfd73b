//! What a plan would change in a store. The same steps are shown by a dry run and carried out by `commit.rs`, so a
//! difference that was read is the difference that is applied. Secrets are told apart, never shown.

use super::announced;
use super::plan::{
    AnnouncedCode, AnnouncedPlan, ConnectionPlan, CrosswalkPlan, Pair, Plan, SecretPlan,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_store::{CellRow, ConnectionRow, Lists as _, Read, Scope, StoreError};

/// Key of the agent-wide setting that holds the merchant's name for this agent.
pub const STORE_NAME: &str = "store-name";

/// What happens to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// It was not there.
    Add,
    /// It is there with another value.
    Change,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Added or changed.
    pub kind: ChangeKind,
    /// Which thing.
    pub what: String,
    /// Its value now; secrets: `set`.
    pub old: Option<String>,
    /// Its value afterwards; secrets: `set` or `changed`.
    pub new: Option<String>,
}

/// Every change of a plan, in the order of application. Only codes of a list that the plan has are ever removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The changes.
    pub changes: Vec<Change>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.kind {
            ChangeKind::Add => '+',
            ChangeKind::Change => '~',
        };
        write!(f, "{mark} {}", self.what)?;
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => write!(f, ": {old} -> {new}"),
            (None, Some(new)) => write!(f, ": {new}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            writeln!(f, "{change}")?;
        }
        Ok(())
    }
}

/// What the plan would change.
pub fn difference(plan: &Plan, read: &impl Read) -> Result<Difference, StoreError> {
    let changes = steps(plan, read, 0)?
        .into_iter()
        .map(|step| step.change)
        .collect();
    Ok(Difference { changes })
}

/// Connections that exist: name and connector, for [`Plan::check_beside`].
pub fn existing(read: &impl Read) -> Result<BTreeMap<String, String>, StoreError> {
    let rows = read.connections()?;
    Ok(rows
        .into_iter()
        .map(|row| (row.name, row.connector))
        .collect())
}

/// One change and how it is done.
pub(super) struct Step<'p> {
    pub(super) change: Change,
    pub(super) action: Action<'p>,
}

/// How a change is done. Connections are named, since new ones have no id yet.
pub(super) enum Action<'p> {
    StoreName(&'p str),
    /// Once per connection; further changes of the same row are [`Action::Shown`].
    Connection(Box<ConnectionRow>),
    Shown,
    Setting {
        connection: Option<&'p str>,
        retailer: Option<&'p str>,
        pair: &'p Pair,
    },
    Secret {
        connection: &'p str,
        secret: &'p SecretPlan,
    },
    Route {
        entity: Entity,
        from: &'p str,
        to: &'p str,
    },
    Cell {
        crosswalk: &'p CrosswalkPlan,
        cell: &'p super::plan::Cell,
    },
    /// What a list says anew, and what it takes off.
    Announced {
        list: &'p AnnouncedPlan,
        said: Vec<&'p AnnouncedCode>,
        off: Vec<String>,
    },
}

/// Every step of the plan that is not taken yet.
pub(super) fn steps<'p>(
    plan: &'p Plan,
    read: &impl Read,
    now: Millis,
) -> Result<Vec<Step<'p>>, StoreError> {
    let rows = read.connections()?;
    let mut steps = Steps {
        known: rows.iter().map(|row| (row.name.clone(), row.id)).collect(),
        rows: rows
            .into_iter()
            .map(|row| (row.name.clone(), row))
            .collect(),
        planned: plan
            .connections
            .iter()
            .map(|c| c.name.value.as_str())
            .collect(),
        found: Vec::new(),
        read,
        now,
    };
    if let Some(name) = &plan.store_name {
        let stored = read.settings(&Scope::default())?;
        let old = stored
            .into_iter()
            .find(|row| row.key == STORE_NAME)
            .map(|row| row.value);
        steps.add(
            "name of this agent".to_owned(),
            old,
            name,
            Action::StoreName(name),
        );
    }
    steps.settings(None, None, &plan.settings)?;
    for retailer in &plan.retailers {
        steps.settings(None, Some(&retailer.code.value), &retailer.settings)?;
    }
    for connection in &plan.connections {
        steps.connection(connection)?;
    }
    steps.routes(plan)?;
    for crosswalk in &plan.crosswalks {
        steps.crosswalk(crosswalk)?;
    }
    for list in &plan.announced {
        steps.announced(list)?;
    }
    Ok(steps.found)
}

struct Steps<'p, 'r, R> {
    known: BTreeMap<String, ConnectionId>,
    rows: BTreeMap<String, ConnectionRow>,
    planned: BTreeSet<&'p str>,
    found: Vec<Step<'p>>,
    read: &'r R,
    now: Millis,
}

impl<'p, R: Read> Steps<'p, '_, R> {
    /// Adds a step unless the value is there already.
    fn add(&mut self, what: String, old: Option<String>, new: &str, action: Action<'p>) {
        if old.as_deref() == Some(new) {
            return;
        }
        let kind = if old.is_some() {
            ChangeKind::Change
        } else {
            ChangeKind::Add
        };
        let new = Some(new.to_owned());
        self.found.push(Step {
            change: Change {
                kind,
                what,
                old,
                new,
            },
            action,
        });
    }

    fn settings(
        &mut self,
        connection: Option<&'p str>,
        retailer: Option<&'p str>,
        pairs: &'p [Pair],
    ) -> Result<(), StoreError> {
        let id = connection.map(|name| self.known.get(name).copied());
        let stored = if id == Some(None) || pairs.is_empty() {
            BTreeMap::new()
        } else {
            let scope = Scope {
                connection: id.flatten(),
                retailer: retailer.map(str::to_owned),
            };
            let rows = self.read.settings(&scope)?;
            rows.into_iter().map(|row| (row.key, row.value)).collect()
        };
        for pair in pairs {
            let setting = format!("setting {}", pair.key.value);
            let what = match (connection, retailer) {
                (None, None) => setting,
                (None, Some(code)) => format!("retailer {code}, {setting}"),
                (Some(name), None) => format!("connection {name}, {setting}"),
                (Some(name), Some(code)) => {
                    format!("connection {name}, retailer {code}, {setting}")
                }
            };
            let old = stored.get(&pair.key.value).cloned();
            let action = Action::Setting {
                connection,
                retailer,
                pair,
            };
            self.add(what, old, &pair.value.value, action);
        }
        Ok(())
    }

    fn connection(&mut self, plan: &'p ConnectionPlan) -> Result<(), StoreError> {
        let name = plan.name.value.as_str();
        match self.rows.get(name).cloned() {
            None => self.new_connection(plan),
            Some(row) => self.old_connection(plan, row)?,
        }
        self.settings(Some(name), None, &plan.settings)?;
        for secret in &plan.secrets {
            let old = match self.known.get(name) {
                Some(id) => self
                    .read
                    .secret(*id, &secret.slot.value, &secret.name.value)?,
                None => None,
            };
            let same = old
                .as_ref()
                .is_some_and(|old| old.expose_secret() == secret.value.expose_secret());
            if !same {
                let what = format!(
                    "connection {name}, secret {}.{}",
                    secret.slot.value, secret.name.value
                );
                let (old, new) = match old {
                    Some(_) => (Some("set".to_owned()), "changed"),
                    None => (None, "set"),
                };
                let action = Action::Secret {
                    connection: name,
                    secret,
                };
                self.add(what, old, new, action);
            }
        }
        for retailer in &plan.retailers {
            self.settings(Some(name), Some(&retailer.code.value), &retailer.settings)?;
        }
        Ok(())
    }

    fn new_connection(&mut self, plan: &'p ConnectionPlan) {
        let name = plan.name.value.as_str();
        let title = plan.title.as_ref().or(plan.default_title.as_ref());
        let row = ConnectionRow {
            id: ConnectionId(0),
            name: name.to_owned(),
            connector: plan.connector.value.clone(),
            title: title.map_or(name, String::as_str).to_owned(),
            paused: false,
            allow_private: plan.allow_private,
            grants: plan.grants.iter().map(|g| g.value.clone()).collect(),
            created_at: self.now,
            hold_until: None,
            unauthorized: None,
            last_ok: None,
            last_error: None,
            clock_skew_ms: None,
        };
        let (private, grants) = (row.allow_private, grants_text(&row.grants));
        let what = format!("connection {name}");
        self.add(
            what,
            None,
            &plan.connector.value,
            Action::Connection(Box::new(row)),
        );
        if private {
            let what = format!("connection {name}, private addresses");
            self.add(what, None, "granted", Action::Shown);
        }
        if !plan.grants.is_empty() {
            let what = format!("connection {name}, granted hosts");
            self.add(what, None, &grants, Action::Shown);
        }
    }

    /// Grants are always as the file says: one that is no longer in it is taken back, and shown.
    fn old_connection(
        &mut self,
        plan: &'p ConnectionPlan,
        old: ConnectionRow,
    ) -> Result<(), StoreError> {
        let name = plan.name.value.as_str();
        if old.connector != plan.connector.value {
            return Err(StoreError::Conflict(format!(
                "connection `{name}` exists already and uses `{}`",
                old.connector
            )));
        }
        let mut row = old.clone();
        row.allow_private = plan.allow_private;
        row.grants = plan.grants.iter().map(|g| g.value.clone()).collect();
        if let Some(title) = &plan.title {
            row.title.clone_from(title);
        }
        let word = |granted: bool| if granted { "granted" } else { "not granted" };
        let mut action = Action::Connection(Box::new(row.clone()));
        for (what, old, new) in [
            ("title", old.title, row.title),
            (
                "private addresses",
                word(old.allow_private).to_owned(),
                word(row.allow_private).to_owned(),
            ),
            (
                "granted hosts",
                grants_text(&old.grants),
                grants_text(&row.grants),
            ),
        ] {
            if old != new {
                let action = std::mem::replace(&mut action, Action::Shown);
                self.add(
                    format!("connection {name}, {what}"),
                    Some(old),
                    &new,
                    action,
                );
            }
        }
        Ok(())
    }

    fn must_exist(&self, name: &str) -> Result<(), StoreError> {
        if self.known.contains_key(name) || self.planned.contains(name) {
            return Ok(());
        }
        let what = format!("connection {name}");
        Err(StoreError::NotFound { what })
    }

    fn routes(&mut self, plan: &'p Plan) -> Result<(), StoreError> {
        let stored: BTreeSet<_> = self
            .read
            .routes()?
            .into_iter()
            .map(|row| (row.entity, row.from, row.to))
            .collect();
        for route in &plan.routes {
            let (entity, from, to) = (route.entity.value, &route.from.value, &route.to.value);
            self.must_exist(from)?;
            self.must_exist(to)?;
            let there = match (self.known.get(from), self.known.get(to)) {
                (Some(from), Some(to)) => stored.contains(&(entity, *from, *to)),
                _ => false,
            };
            if !there {
                let what = format!("route of {entity}");
                let action = Action::Route { entity, from, to };
                self.add(what, None, &format!("{from} to {to}"), action);
            }
        }
        Ok(())
    }

    fn crosswalk(&mut self, crosswalk: &'p CrosswalkPlan) -> Result<(), StoreError> {
        let (from, to) = (&crosswalk.from.value, &crosswalk.to.value);
        self.must_exist(from)?;
        self.must_exist(to)?;
        let retailer = crosswalk.retailer.as_ref().map(|r| r.value.clone());
        let rows: Vec<CellRow> = match (self.known.get(from), self.known.get(to)) {
            (Some(from), Some(to)) => {
                self.read
                    .cells(*from, *to, &crosswalk.table.value, None, usize::MAX)?
            }
            _ => Vec::new(),
        };
        let mut stored: BTreeMap<String, (String, Option<String>)> = rows
            .into_iter()
            .filter(|row| row.retailer == retailer)
            .map(|row| (row.value, (row.code, row.label)))
            .collect();
        for cell in &crosswalk.cells {
            let old = stored.get(&cell.value);
            let same_label =
                cell.label.is_none() || old.is_some_and(|(_, label)| *label == cell.label);
            if old.is_some_and(|(code, _)| *code == cell.code) && same_label {
                continue;
            }
            let whom = retailer
                .as_ref()
                .map_or_else(String::new, |r| format!(" for retailer {r}"));
            let what = format!(
                "{} from {from} to {to}{whom}, {}",
                crosswalk.table.value, cell.value
            );
            let shown = |code: &str, label: &Option<String>| match label {
                Some(label) => format!("{code} ({label})"),
                None => code.to_owned(),
            };
            let old = old.map(|(code, label)| shown(code, label));
            let new = shown(&cell.code, &cell.label);
            self.add(what, old, &new, Action::Cell { crosswalk, cell });
            // The same cell again, further down in the file, is no second change.
            stored.insert(cell.value.clone(), (cell.code.clone(), cell.label.clone()));
        }
        Ok(())
    }
}

impl<'p, R: Read> Steps<'p, '_, R> {
    /// The list as a whole: one change, with how many codes come and go.
    fn announced(&mut self, list: &'p AnnouncedPlan) -> Result<(), StoreError> {
        let (from, to) = (&list.from.value, &list.to.value);
        self.must_exist(from)?;
        self.must_exist(to)?;
        let retailer = list.retailer.as_ref().map(|r| r.value.as_str());
        let mut held = match (self.known.get(from), self.known.get(to)) {
            (Some(from), Some(to)) => self.read.announced(*from, *to, &list.table.value)?,
            _ => Vec::new(),
        };
        held.retain(|row| row.retailer.as_deref() == retailer);
        let Some(changed) = announced::compare(list, &held) else {
            return Ok(());
        };
        let whom = retailer.map_or_else(String::new, |r| format!(" for retailer {r}"));
        let what = format!("announced {} from {from} to {to}{whom}", list.table.value);
        let announced::Changed {
            said,
            off,
            old,
            new,
        } = changed;
        self.add(what, old, &new, Action::Announced { list, said, off });
        Ok(())
    }
}

fn grants_text(grants: &[String]) -> String {
    if grants.is_empty() {
        "none".to_owned()
    } else {
        grants.join(", ")
    }
}
