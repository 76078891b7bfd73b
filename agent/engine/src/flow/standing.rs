//! Whether a flow runs, and what follows for reading and for a job. Changes nothing.

use super::hours;
use crate::core::Desk;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::Work;
use waybill_store::{JobRow, Read, RouteRow, StoreError};

/// What is held is looked at again after so long, whatever was heard meanwhile.
const AGAIN_MS: Millis = 24 * 3_600_000;

/// Whether a flow runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Runs,
    /// A person stopped it.
    Paused,
    /// Outside its hours, which begin again then.
    Closed(Millis),
}

impl Standing {
    /// When it runs by itself, as far as that is known.
    fn from(self, now: Millis) -> Millis {
        match self {
            Self::Runs => now,
            Self::Paused => Millis::MAX,
            Self::Closed(until) => until,
        }
    }
}

/// Whether the flow over a route runs.
pub(crate) fn standing(desk: &Desk, row: &RouteRow, now: Millis) -> Standing {
    if row.paused {
        return Standing::Paused;
    }
    if row.runs_until.is_some_and(|until| now < until) {
        return Standing::Runs;
    }
    match hours::closed(desk, row, now) {
        Some(until) => Standing::Closed(until),
        None => Standing::Runs,
    }
}

/// The first of some flows that runs; none at all is nobody's pause.
fn any<'r>(desk: &Desk, rows: impl Iterator<Item = &'r RouteRow>, now: Millis) -> Option<Standing> {
    rows.map(|row| standing(desk, row, now))
        .min_by_key(|standing| standing.from(now))
}

/// Whether documents of a kind are read from a connection, as far as its flows say it. `None`: no flow needs them.
pub(crate) fn reads(desk: &Desk, from: ConnectionId, of: Entity, now: Millis) -> Option<Standing> {
    reads_over(desk, &desk.routes, from, of, now)
}

/// The same over these routes: the store knows of a pause before the desk does.
pub(crate) fn reads_over(
    desk: &Desk,
    routes: &[RouteRow],
    from: ConnectionId,
    of: Entity,
    now: Millis,
) -> Option<Standing> {
    let flows = |entity: Entity| {
        let routes = routes.iter();
        routes.filter(move |row| row.entity == entity && row.from == from)
    };
    match of {
        Entity::Order | Entity::Shipment | Entity::Invoice | Entity::InventoryLevel => {
            any(desk, flows(of), now)
        }
        // Without a flow of their own they are cards of the orders.
        Entity::Cancellation if flows(of).next().is_none() => any(desk, flows(Entity::Order), now),
        Entity::Cancellation => {
            // What is cancelled of orders nobody reads concerns nobody.
            flows(Entity::Order).next()?;
            any(desk, flows(of), now)
        }
        Entity::OrderState => {
            let statuses = !desk.shipments.statuses.is_empty();
            let ships = flows(Entity::Shipment).filter(|_| statuses);
            let others = flows(Entity::Cancellation).chain(flows(Entity::InventoryLevel));
            any(desk, ships.chain(others), now)
        }
        _ => Some(Standing::Runs),
    }
}

/// From when on single documents of a kind may be read; `None`: while a person keeps all its flows paused, never. What no
/// flow needs may be read.
pub(crate) fn runs_from(
    desk: &Desk,
    from: ConnectionId,
    entity: Entity,
    now: Millis,
) -> Option<Millis> {
    match reads(desk, from, entity, now) {
        None | Some(Standing::Runs) => Some(now),
        Some(Standing::Closed(until)) => Some(until),
        Some(Standing::Paused) => None,
    }
}

/// The flow that a job belongs to: its kind, from, to. What a source is told of an order belongs to all flows of its
/// orders, and has no `to`.
pub(crate) fn of_job(job: &JobRow) -> (Entity, ConnectionId, Option<ConnectionId>) {
    match job.work {
        Work::Settle(_) => (Entity::Order, job.to, None),
        Work::Push(Entity::Customer) => (Entity::Order, job.from, Some(job.to)),
        Work::Push(entity) => (entity, job.from, Some(job.to)),
        // Never claimed: a person looks at it whatever is paused.
        Work::Compare | Work::Attend => (job.entity, job.from, None),
    }
}

/// Whether the flow of a job runs. A route that was taken away holds nothing up.
fn of(rows: &dyn Read, desk: &Desk, job: &JobRow, now: Millis) -> Result<Standing, StoreError> {
    let (entity, from, to) = of_job(job);
    let found = match to {
        Some(to) => Vec::from_iter(rows.route(entity, from, to)?),
        None => rows
            .routes()?
            .into_iter()
            .filter(|row| row.entity == entity && row.from == from)
            .collect(),
    };
    Ok(any(desk, found.iter(), now).unwrap_or(Standing::Runs))
}

/// Whether a job has to wait for its flow, and until when at the latest. What was begun goes on.
pub(crate) fn held(
    rows: &dyn Read,
    desk: &Desk,
    job: &JobRow,
    now: Millis,
) -> Result<Option<Millis>, StoreError> {
    let due = match of(rows, desk, job, now)? {
        Standing::Runs => return Ok(None),
        Standing::Paused => now + AGAIN_MS,
        Standing::Closed(until) => until.min(now + AGAIN_MS).max(now + 1),
    };
    Ok((!rows.has_effects(job.id)?).then_some(due))
}
