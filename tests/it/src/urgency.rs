//! What must ship soon goes first. `Line::leaves` notes what each call takes and what was ready and stays; `judge` holds
//! that against the ship-by of the orders outside, so that an engine which forgets a deadline is found, too.

use crate::line::Line;
use crate::world::{Outside, lock};
use waybill_host::connector::Call;
use waybill_host::ports::EffectScope;
use waybill_model::document::Entity;
use waybill_model::ids::Millis;
use waybill_model::job::{JobState, Work};
use waybill_store::{JobRow, Read, Rx, StoreError};

/// A call that could not take everything that was ready.
#[derive(Debug)]
pub struct Choice {
    /// When it left.
    pub at: Millis,
    /// Of which kind.
    pub work: Work,
    /// What it took.
    pub told: Vec<Due>,
    /// What was ready for a call of this kind at that moment, and stayed.
    pub stayed: Vec<Due>,
}

/// A document, and what it is urgent by.
#[derive(Debug)]
pub struct Due {
    /// Its order's key, where it is of one.
    pub order: Option<String>,
    /// What the engine believes.
    pub urgent_by: Option<Millis>,
}

fn due(rx: &Rx, job: &JobRow) -> Result<Due, StoreError> {
    let order = job.order.map(|id| rx.order(id)).transpose()?.flatten();
    Ok(Due {
        order: order.map(|row| row.key),
        urgent_by: job.urgent_by,
    })
}

impl Line {
    /// A call leaves with what its scope names: told from the database, right after the commit that claimed it.
    pub fn leaves(&self, call: &Call) {
        let EffectScope::Jobs(members) = &call.scope else {
            return;
        };
        let now = self.clock.now_ms();
        let found = self.store.read(|rx| {
            let mut told = Vec::new();
            let mut work: Option<Work> = None;
            for id in members {
                let Some(job) = rx.job(*id)? else { continue };
                // A batch that a crash cut short is what it was.
                let JobState::Running(batch) = job.state else {
                    return Ok(None);
                };
                if rx.batch(batch)?.is_none_or(|row| row.created_at != now) {
                    return Ok(None);
                }
                work = Some(job.work);
                told.push(due(rx, &job)?);
            }
            let Some(work) = work else { return Ok(None) };
            let mut stayed = Vec::new();
            for job in rx.ready_of(call.connection, work, usize::MAX)? {
                let own = job.order.map(|order| rx.jobs_of_order(order)).transpose()?;
                // The one before it on its lane was laid aside by this very look.
                let freed = own.is_some_and(|own| own.iter().any(|j| j.changed_at == now));
                if !freed {
                    stayed.push(due(rx, &job)?);
                }
            }
            Ok((!stayed.is_empty()).then_some(Choice {
                at: now,
                work,
                told,
                stayed,
            }))
        });
        if let Ok(Some(choice)) = found {
            lock(&self.world).lines.choices.push(choice);
        }
    }
}

impl Outside {
    /// When it must have left: of sales and shipments as the network says, of the rest as the engine believes.
    fn ship_by(&self, work: Work, due: &Due) -> Option<Millis> {
        let ships = matches!(work, Work::Push(Entity::Order | Entity::Shipment));
        let order = due.order.as_ref().filter(|_| ships);
        let order = order.and_then(|key| self.orders.get(key));
        order.map_or(due.urgent_by, |order| Some(order.ship_by))
    }

    /// Calls that took something less urgent than what stayed.
    pub(crate) fn overtaken(&self) -> impl Iterator<Item = String> {
        self.lines.choices.iter().filter_map(|choice| {
            let by = |due: &Due| self.ship_by(choice.work, due).unwrap_or(Millis::MAX);
            let last = choice.told.iter().max_by_key(|due| by(due))?;
            let first = choice.stayed.iter().min_by_key(|due| by(due))?;
            (by(first) < by(last)).then(|| {
                format!(
                    "{:?} of order {:?}, due {}, left at {} before that of {:?}, due {}",
                    choice.work,
                    last.order,
                    by(last),
                    choice.at,
                    first.order,
                    by(first)
                )
            })
        })
    }

    /// How often shipments could not all leave at once.
    pub(crate) fn scarce(&self) -> usize {
        let ships = |choice: &&crate::urgency::Choice| choice.work == Work::Push(Entity::Shipment);
        self.lines.choices.iter().filter(ships).count()
    }
}
