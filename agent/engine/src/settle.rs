//! Telling a source what was gathered for it, in one call.

use crate::core::{Core, Slot};
use crate::flow;
use crate::gather;
use crate::practice;
use crate::work::{self, Claim};
use std::sync::Arc;
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Moment, Settled};
use waybill_model::crash;
use waybill_model::document::Entity;
use waybill_model::ids::ConnectionId;
use waybill_model::job::{JobState, Priority, Work};
use waybill_store::{JobRow, Read, StoreError};

/// Tells the source about everything that is ready for this moment: for real in one call, in practice each alone, so that
/// what is recorded is of one order.
pub(crate) async fn run(
    core: Arc<Core>,
    connection: ConnectionId,
    moment: Moment,
) -> Result<(), StoreError> {
    loop {
        let Some(slot) = core.slot(connection) else {
            return Ok(());
        };
        let Some((claim, jobs)) = claim(&core, &slot, moment).await? else {
            return Ok(());
        };
        let practises = claim.practice;
        let went_well = deliver(&core, &slot, claim, moment, &jobs).await?;
        if !practises || !went_well {
            return Ok(());
        }
    }
}

async fn claim(
    core: &Arc<Core>,
    slot: &Slot,
    moment: Moment,
) -> Result<Option<(Claim, Vec<JobRow>)>, StoreError> {
    let connection = slot.row.id;
    let Some(connector) = slot.connector() else {
        return Ok(None);
    };
    let generation = connector.generation();
    let now = core.now();
    crash::point("batch.before-commit");
    let (inner, desk) = (core.clone(), core.desk());
    let claim = core
        .store
        .write(move |tx| {
            if !inner.may_call(tx, connection, now)? {
                return Ok(None);
            }
            let mut jobs = tx.ready_of(connection, Work::Settle(moment), gather::MOST)?;
            let mut held = Vec::new();
            for job in &jobs {
                if let Some(due) = flow::held(tx, &desk, job, now)? {
                    held.push(job.id);
                    tx.set_state(job.id, JobState::Held { due }, now)?;
                }
            }
            jobs.retain(|job| !held.contains(&job.id));
            work::isolate(&mut jobs);
            let Some(first) = jobs.first() else {
                return Ok(None);
            };
            let practises = practice::of(tx, first)?;
            let mut same = Vec::with_capacity(jobs.len());
            for job in jobs {
                if (same.is_empty() || !practises) && practice::of(tx, &job)? == practises {
                    same.push(job);
                }
            }
            let jobs = same;
            let claim = work::batch(
                tx,
                connection,
                Work::Settle(moment),
                Entity::Order,
                &jobs,
                Vec::new(),
                generation,
                now,
            )?;
            let claim = Claim {
                practice: practises,
                ..claim
            };
            Ok(Some((claim, jobs)))
        })
        .await?;
    if let Some((Claim { batch, .. }, _)) = &claim {
        crash::point("batch.committed");
        core.observe(|| format!("batch {} settle {moment} {:?}", batch.id, batch.jobs));
    }
    Ok(claim)
}

/// Calls the source for a committed batch and commits the verdicts.
pub(crate) async fn deliver(
    core: &Arc<Core>,
    slot: &Slot,
    claim: Claim,
    moment: Moment,
    jobs: &[JobRow],
) -> Result<bool, StoreError> {
    let Claim {
        batch, practice, ..
    } = claim;
    let Some(connector) = slot.connector() else {
        core.strand(batch.connection, batch.id);
        return Ok(false);
    };
    let settled = core.store.read(|rx| {
        jobs.iter()
            .map(|job| {
                Ok(Settled {
                    entity: job.entity,
                    key: job.key.clone(),
                    links: rx.links_of(batch.connection, job.entity, &job.key)?,
                })
            })
            .collect::<Result<Vec<_>, StoreError>>()
    })?;
    let call = core.call(
        slot,
        EffectScope::Jobs(batch.jobs.clone()),
        Priority::NearDeadline,
        practice::mode(practice),
        batch.attempt,
    );
    let answer = connector.settle(call, moment, settled).await;
    work::commit_verdicts(core, batch, connector.generation(), answer).await
}
