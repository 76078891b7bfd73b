//! Carrying a plan out: one transaction, all of it or nothing. Jobs that waited for a cell it fills are released in
//! the same commit.

use super::difference::{Action, Difference, STORE_NAME, Step, steps};
use super::plan::{AnnouncedCode, AnnouncedPlan, Plan};
use crate::release::release_gap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use waybill_model::contract::Gap;
use waybill_model::crash;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::settings::{INVOICE_POLICY, SOURCE_ID, TARGET_ID};
use waybill_store::{AnnouncedRow, ConnectionRow, Read, RouteRow, Scope, Store, StoreError, Tx};

/// Applies a plan to a store and waits for the durable commit.
pub async fn run(
    store: &Store,
    plan: Plan,
    who: &str,
    now: Millis,
) -> Result<Difference, StoreError> {
    let (plan, who) = (Arc::new(plan), who.to_owned());
    crash::point("apply.before-commit");
    let difference = store.write(move |tx| commit(tx, &plan, &who, now)).await?;
    crash::point("apply.committed");
    Ok(difference)
}

/// Applies a plan within a transaction. A plan that is applied already writes nothing at all.
pub fn commit(
    tx: &mut Tx<'_>,
    plan: &Plan,
    who: &str,
    now: Millis,
) -> Result<Difference, StoreError> {
    let steps = steps(plan, tx, now)?;
    if steps.is_empty() {
        return Ok(Difference::default());
    }
    let mut apply = Apply {
        ids: tx
            .connections()?
            .into_iter()
            .map(|row| (row.name, row.id))
            .collect(),
        filled: Vec::new(),
        compared: false,
        practice: false,
        unlocked: BTreeSet::new(),
        policies: Vec::new(),
        who,
        now,
    };
    let mut changes = Vec::with_capacity(steps.len());
    for Step { change, action } in steps {
        apply.act(tx, action)?;
        changes.push(change);
    }
    apply.unlock(tx)?;
    if apply.compared {
        crate::matching::compare_again(tx)?;
    }
    if apply.practice {
        crate::practice::turned(tx)?;
    }
    let mut released = apply.release(tx)?;
    for scope in &apply.policies {
        released += crate::invoice::policy::changed(tx, scope, now)?;
    }
    let detail = format!(
        "{} changes from a provisioning file, {released} waiting jobs released",
        changes.len()
    );
    tx.audit(who, "apply", &detail, now)?;
    Ok(Difference { changes })
}

/// A cell that was filled; without retailer it fills each retailer's, with `*` every value.
struct Filled {
    from: ConnectionId,
    to: ConnectionId,
    cell: Gap,
}

struct Apply<'a> {
    ids: BTreeMap<String, ConnectionId>,
    filled: Vec<Filled>,
    /// Other identifiers may be compared from now on.
    compared: bool,
    /// Something goes live, or is practice from now on.
    practice: bool,
    /// Connections with new secrets: a refused login is asked again.
    unlocked: BTreeSet<ConnectionId>,
    /// Where retailers take their invoices in another way from now on.
    policies: Vec<Scope>,
    who: &'a str,
    now: Millis,
}

impl Apply<'_> {
    fn id(&self, name: &str) -> Result<ConnectionId, StoreError> {
        let what = format!("connection {name}");
        self.ids
            .get(name)
            .copied()
            .ok_or(StoreError::NotFound { what })
    }

    fn act(&mut self, tx: &mut Tx<'_>, action: Action<'_>) -> Result<(), StoreError> {
        match action {
            Action::Shown => {}
            Action::StoreName(name) => {
                let agent = Scope::default();
                tx.set_setting(&agent, STORE_NAME, Some(name), self.who, self.now)?;
            }
            Action::Connection(row) => {
                let id = tx.put_connection(&row)?;
                self.ids.insert(row.name, id);
            }
            Action::Setting {
                connection,
                retailer,
                pair,
            } => {
                let scope = Scope {
                    connection: connection.map(|name| self.id(name)).transpose()?,
                    retailer: retailer.map(str::to_owned),
                };
                self.compared |= [SOURCE_ID, TARGET_ID].contains(&&*pair.key.value);
                self.practice |= crate::practice::is_setting(&pair.key.value);
                let value = Some(pair.value.value.as_str());
                tx.set_setting(&scope, &pair.key.value, value, self.who, self.now)?;
                if *pair.key.value == *INVOICE_POLICY {
                    self.policies.push(scope);
                }
            }
            Action::Secret { connection, secret } => {
                let id = self.id(connection)?;
                tx.set_secret(
                    id,
                    &secret.slot.value,
                    &secret.name.value,
                    &secret.value,
                    self.now,
                )?;
                self.unlocked.insert(id);
            }
            Action::Route { entity, from, to } => {
                tx.put_route(&RouteRow::new(entity, self.id(from)?, self.id(to)?))?;
            }
            Action::Cell { crosswalk, cell } => {
                let filled = Filled {
                    from: self.id(&crosswalk.from.value)?,
                    to: self.id(&crosswalk.to.value)?,
                    cell: Gap {
                        table: crosswalk.table.value.clone(),
                        retailer: crosswalk.retailer.as_ref().map(|r| r.value.clone()),
                        value: cell.value.clone(),
                    },
                };
                tx.set_cell(
                    filled.from,
                    filled.to,
                    &filled.cell.table,
                    filled.cell.retailer.as_deref(),
                    &filled.cell.value,
                    Some(&cell.code),
                    cell.label.as_deref(),
                    self.who,
                    self.now,
                )?;
                self.filled.push(filled);
            }
            Action::Announced { list, said, off } => self.announce(tx, list, &said, &off)?,
        }
        Ok(())
    }

    fn announce(
        &self,
        tx: &mut Tx<'_>,
        list: &AnnouncedPlan,
        said: &[&AnnouncedCode],
        off: &[String],
    ) -> Result<(), StoreError> {
        let (from, to) = (self.id(&list.from.value)?, self.id(&list.to.value)?);
        let retailer = list.retailer.as_ref().map(|retailer| &retailer.value);
        for code in said {
            let row = AnnouncedRow {
                table: list.table.value.clone(),
                retailer: retailer.cloned(),
                value: code.value.clone(),
                label: code.label.clone(),
                required: code.required,
                who: self.who.to_owned(),
                at: self.now,
            };
            tx.announce(from, to, &row)?;
        }
        for value in off {
            let retailer = retailer.map(String::as_str);
            tx.take_off(from, to, &list.table.value, retailer, value)?;
        }
        Ok(())
    }

    fn unlock(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        for id in &self.unlocked {
            let row = tx.connection(*id)?;
            if let Some(row) = row.filter(|row| row.unauthorized.is_some()) {
                tx.put_connection(&ConnectionRow {
                    unauthorized: None,
                    last_error: None,
                    hold_until: None,
                    ..row
                })?;
            }
        }
        Ok(())
    }

    /// Releases every job that waits for one of the filled cells; how many.
    fn release(&self, tx: &mut Tx<'_>) -> Result<u64, StoreError> {
        let mut released = 0;
        for Filled { from, to, cell } in &self.filled {
            released += release_gap(tx, *from, *to, cell, self.who, self.now)?;
        }
        Ok(released)
    }
}
