//! What a person does with a flow: pause it, let it go on, run it now. Each is one commit and is audited.

use super::standing::{Standing, of_job, standing};
use crate::core::Desk;
use crate::event::Event;
use crate::handle::{CommandError, Handle};
use waybill_model::contract::Problem;
use waybill_model::crash;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::JobState;
use waybill_store::{Read, RouteRow, StoppedBy, StoreError, Tx};

/// A flow that is run now goes on for so long outside its hours.
const RUN_MS: Millis = 15 * 60_000;
/// Longest reason that is kept.
const MOST_WHY: usize = 300;

/// Which flow: its kind, and the names of the connections it goes from and to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which {
    /// Kind of document.
    pub entity: Entity,
    /// Name of the connection it comes from.
    pub from: String,
    /// Name of the connection it goes to.
    pub to: String,
}

impl Handle {
    async fn flow(&self, which: &Which) -> Result<RouteRow, CommandError> {
        let from = self.connection(&which.from).await?;
        let to = self.connection(&which.to).await?;
        let entity = which.entity;
        let found = self.read(move |_, rx| rx.route(entity, from.id, to.id));
        found.await?.ok_or_else(|| {
            let Which { entity, from, to } = which;
            CommandError::NotFound(format!("flow of `{entity}` from `{from}` to `{to}`"))
        })
    }

    /// Pauses a flow: nothing new is read or sent. What was begun goes on to its verdict.
    pub async fn pause_flow(
        &self,
        which: &Which,
        why: &str,
        who: &str,
    ) -> Result<(), CommandError> {
        let row = self.flow(which).await?;
        let why: String = why.trim().chars().take(MOST_WHY).collect();
        let detail = match why.as_str() {
            "" => named(which),
            why => format!("{}: {why}", named(which)),
        };
        let (who, now) = (who.to_owned(), self.now());
        crash::point("flow.before-commit");
        self.core
            .store
            .write(move |tx| {
                let Some(mut row) = tx.route(row.entity, row.from, row.to)? else {
                    return Ok(());
                };
                row.paused = true;
                row.runs_until = None;
                row.stopped = Some(StoppedBy {
                    who: who.clone(),
                    at: now,
                    why: why.clone(),
                });
                tx.put_route(&row)?;
                tx.audit(&who, "Paused a flow", &detail, now)
            })
            .await?;
        crash::point("flow.committed");
        self.core.wake(Event::Routes);
        Ok(())
    }

    /// Lets a paused flow go on.
    pub async fn resume_flow(&self, which: &Which, who: &str) -> Result<(), CommandError> {
        let row = self.flow(which).await?;
        let (detail, who, now) = (named(which), who.to_owned(), self.now());
        crash::point("flow.before-commit");
        self.core
            .store
            .write(move |tx| {
                let Some(mut row) = tx.route(row.entity, row.from, row.to)? else {
                    return Ok(());
                };
                row.paused = false;
                row.stopped = None;
                tx.put_route(&row)?;
                tx.audit(&who, "Resumed a flow", &detail, now)
            })
            .await?;
        crash::point("flow.committed");
        self.core.wake(Event::Routes);
        Ok(())
    }

    /// Runs a flow now: what it comes from is read, what waits for its next attempt is tried. Outside its hours it goes on
    /// for a quarter of an hour.
    ///
    /// # Errors
    /// Paused: only its person knows whether it may.
    pub async fn run_flow(&self, which: &Which, who: &str) -> Result<(), CommandError> {
        let row = self.flow(which).await?;
        if row.paused {
            return Err(CommandError::Refused(Problem::new(
                "flow-paused",
                format!("{} is paused.", named(which)),
                "Resume it: then it runs at once.",
            )));
        }
        let (entity, from, to) = (row.entity, row.from, row.to);
        let (desk, detail) = (self.core.desk(), named(which));
        let (who, now) = (who.to_owned(), self.now());
        self.core
            .store
            .write(move |tx| {
                let Some(mut row) = tx.route(entity, from, to)? else {
                    return Ok(());
                };
                if matches!(standing(&desk, &row, now), Standing::Closed(_)) {
                    row.runs_until = Some(now + RUN_MS);
                    tx.put_route(&row)?;
                }
                hurry(tx, &row, now)?;
                tx.audit(&who, "Ran a flow now", &detail, now)
            })
            .await?;
        self.core.rest_levels(to, 0);
        self.core.wake(Event::Routes);
        self.core.wake(Event::Poll(from, Some(entity)));
        if entity == Entity::Cancellation {
            // What a merchant cancels shows in the state of the sale.
            self.core.wake(Event::Poll(from, Some(Entity::OrderState)));
        }
        Ok(())
    }
}

fn named(which: &Which) -> String {
    let Which { entity, from, to } = which;
    format!("{entity} from {from} to {to}")
}

fn is_of(row: &RouteRow, (entity, from, to): (Entity, ConnectionId, Option<ConnectionId>)) -> bool {
    row.entity == entity && row.from == from && to.is_none_or(|to| row.to == to)
}

/// What waits for its next attempt is tried now.
fn hurry(tx: &mut Tx<'_>, row: &RouteRow, now: Millis) -> Result<(), StoreError> {
    for job in tx.jobs_in("waiting", usize::MAX)? {
        if is_of(row, of_job(&job)) {
            tx.set_state(job.id, JobState::Ready, now)?;
        }
    }
    Ok(())
}

/// What was held and whose flow runs is ready again.
pub(crate) fn release(tx: &mut Tx<'_>, desk: &Desk, now: Millis) -> Result<(), StoreError> {
    for job in tx.jobs_in("held", usize::MAX)? {
        if super::held(tx, desk, &job, now)?.is_none() {
            tx.set_state(job.id, JobState::Ready, now)?;
        }
    }
    Ok(())
}
