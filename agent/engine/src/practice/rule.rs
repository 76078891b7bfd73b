//! Whether a job, a flow, a connection is in practice: asked of the store in the transaction that claims, so that no call
//! leaves for real once the switch is committed. Changes nothing.

use crate::core::Desk;
use crate::flow;
use crate::order;
use std::collections::BTreeSet;
use waybill_host::connector::Mode;
use waybill_model::document::Entity;
use waybill_model::ids::ConnectionId;
use waybill_model::job::{JobState, Work};
use waybill_model::practice::{self, PRACTICE, Said};
use waybill_model::settings::FLOWS;
use waybill_store::{JobRow, Read, RouteRow, Scope, StoreError, Tx};

fn said(rows: &dyn Read, flow: Entity, retailer: Option<&str>) -> Result<Said, StoreError> {
    let scope = Scope {
        connection: None,
        retailer: retailer.map(str::to_owned),
    };
    let said = |key: &str| -> Result<Option<bool>, StoreError> {
        let row = rows.setting(&scope, key)?;
        Ok(practice::said(row.as_ref().map(|row| row.value.as_str())))
    };
    Ok((said(&practice::key_of(flow))?, said(PRACTICE)?))
}

/// Whether a flow is in practice for a retailer, or for everybody who has no word of his own.
pub(crate) fn is_on(
    rows: &dyn Read,
    flow: Entity,
    retailer: Option<&str>,
) -> Result<bool, StoreError> {
    let everybody = said(rows, flow, None)?;
    // A network holds one number for all retailers.
    let own = retailer.filter(|_| flow != Entity::InventoryLevel);
    let own = match own {
        Some(retailer) => said(rows, flow, Some(retailer))?,
        None => (None, None),
    };
    Ok(practice::holds(own, everybody))
}

/// The retailer that a job is for.
pub(crate) fn retailer_of(rows: &dyn Read, job: &JobRow) -> Result<Option<String>, StoreError> {
    if job.work == Work::Push(Entity::Customer) && job.order.is_none() {
        return Ok(Some(job.key.clone()));
    }
    let order = job.order.map(|id| rows.order(id)).transpose()?.flatten();
    Ok(order.map(|order| order.retailer))
}

/// Whether the switch says practice of this job, whatever a person said of it.
pub(crate) fn says(rows: &dyn Read, job: &JobRow) -> Result<bool, StoreError> {
    let (flow, ..) = flow::of_job(job);
    is_on(rows, flow, retailer_of(rows, job)?.as_deref())
}

/// Whether a job is only practised. What was begun for real goes on to its verdict.
pub(crate) fn of(rows: &dyn Read, job: &JobRow) -> Result<bool, StoreError> {
    let asked = !matches!(job.work, Work::Compare | Work::Attend) && !job.for_real;
    Ok(asked && says(rows, job)? && !rows.has_effects(job.id)?)
}

/// How a call that writes for these jobs is made.
pub(crate) const fn mode(practice: bool) -> Mode {
    if practice { Mode::Practice } else { Mode::Live }
}

/// Whether a sale must not be made for real yet, since its order's acknowledgement was only practised.
pub(crate) fn is_unacknowledged(
    tx: &Tx<'_>,
    job: &JobRow,
    practice: bool,
) -> Result<bool, StoreError> {
    let sale = job.work == Work::Push(Entity::Order) && !practice;
    if !sale || tx.jobs_in("practised", 1)?.is_empty() {
        return Ok(false);
    }
    Ok(order::at_rest(tx, job)? == JobState::WaitingForAccept)
}

/// Whether a flow is in practice for everybody, so that nothing of it may leave.
pub(super) fn is_whole(rows: &dyn Read, flow: Entity) -> Result<bool, StoreError> {
    if !is_on(rows, flow, None)? {
        return Ok(false);
    }
    for retailer in retailers(rows)? {
        if !is_on(rows, flow, Some(&retailer))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Retailers with a word of their own about practice.
pub(super) fn retailers(rows: &dyn Read) -> Result<BTreeSet<String>, StoreError> {
    let mut own = BTreeSet::new();
    let keys = FLOWS.into_iter().map(practice::key_of);
    for key in keys.chain([PRACTICE.to_owned()]) {
        let rows = rows.values_of(&key)?.into_iter();
        let said = rows.filter(|row| practice::said(Some(&row.value)).is_some());
        own.extend(said.filter_map(|row| row.scope.retailer));
    }
    Ok(own)
}

fn all_whole<'r>(
    rows: &dyn Read,
    routes: impl Iterator<Item = &'r RouteRow>,
) -> Result<Option<bool>, StoreError> {
    let flows: BTreeSet<Entity> = routes.map(|row| row.entity).collect();
    for flow in &flows {
        if !is_whole(rows, *flow)? {
            return Ok(Some(false));
        }
    }
    Ok((!flows.is_empty()).then_some(true))
}

/// Whether everything that goes to or comes from a connection is practice: then nothing is put in order there either.
pub(crate) fn rests(
    rows: &dyn Read,
    desk: &Desk,
    connection: ConnectionId,
) -> Result<bool, StoreError> {
    let touches = |row: &&RouteRow| row.from == connection || row.to == connection;
    Ok(all_whole(rows, desk.routes.iter().filter(touches))? == Some(true))
}

/// How documents of a kind are read: where all flows they are for are practice, nothing may be moved at the vendor, such as
/// our place in a list that it keeps.
pub(crate) fn reading(
    rows: &dyn Read,
    desk: &Desk,
    from: ConnectionId,
    entity: Entity,
) -> Result<Mode, StoreError> {
    let own = desk.routes.iter();
    let own = own.filter(|row| row.entity == entity && row.from == from);
    let whole = match all_whole(rows, own)? {
        Some(whole) => whole,
        None => rests(rows, desk, from)?,
    };
    Ok(mode(whole))
}
