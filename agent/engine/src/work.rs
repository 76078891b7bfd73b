//! Pushing: claim what is ready, commit the batch, call, commit the verdicts. The membership is committed before the
//! call, so that a run after a crash asks the journal about the same members.

use crate::calls;
use crate::cancel;
use crate::core::{Core, Desk, OneBuild, Slot};
use crate::event::Event;
use crate::flow;
use crate::gather;
use crate::invoice;
use crate::order::CUSTOMER_TABLE;
use crate::practice;
use crate::shipment;
use crate::translate::{self, Looked};
use crate::verdict::{self, Judge};
use std::sync::Arc;
use waybill_host::connector::{Answer, CallError};
use waybill_host::ports::EffectScope;
use waybill_model::billing;
use waybill_model::contract::{Delivery, Failure, Gap, Problem, Verdict};
use waybill_model::crash;
use waybill_model::crosswalk;
use waybill_model::document::{Body, Entity, LineQuantity};
use waybill_model::ids::{BatchId, ConnectionId, Generation, JobId, Millis};
use waybill_model::job::{Ending, JobState, Priority, Reason, Work};
use waybill_model::kits;
use waybill_store::{BatchRow, JobRow, NewJob, NoteKind, Read, StoreError, Tx};

/// A deadline nearer than this makes its batch use the reserve of calls.
const NEAR_MS: Millis = 4 * 3_600_000;
/// Ready jobs looked at in one claim: some may not go, and another one takes their place.
const LOOK_AT: usize = 50;
/// Kept with a job whose call stopped its connector: it is sent alone from then on, so that others get through.
const STOPPED: &str = "connector-stopped";
/// A job that stopped its connector that often, the last times alone, waits for a person.
const STOPPED_MOST: u32 = 6;

/// A committed batch and what it sends.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) batch: BatchRow,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) urgent_by: Option<Millis>,
    /// Only recorded: nothing leaves.
    pub(crate) practice: bool,
}

/// What looking at the ready jobs gave.
#[derive(Debug, Clone)]
enum Claimed {
    Batch(Box<Claim>),
    /// Nothing to send, but jobs moved: look again.
    Moved,
    Nothing,
}

/// Sends batches of one kind until none is ready.
pub(crate) async fn run(
    core: Arc<Core>,
    connection: ConnectionId,
    entity: Entity,
) -> Result<(), StoreError> {
    let mut filled = false;
    let mut build = OneBuild::default();
    loop {
        // A swap counts from the next batch on: this one ends on the build it is claimed for.
        let Some(slot) = core.slot(connection).filter(|slot| build.is(slot)) else {
            return Ok(());
        };
        match claim(&core, &slot, entity, filled).await? {
            Claimed::Batch(claim) => {
                if !deliver(&core, &slot, *claim).await? {
                    return Ok(());
                }
                filled = true;
            }
            Claimed::Moved => {}
            Claimed::Nothing => return Ok(()),
        }
    }
}

async fn claim(
    core: &Arc<Core>,
    slot: &Slot,
    entity: Entity,
    only_full: bool,
) -> Result<Claimed, StoreError> {
    let desk = core.desk();
    let connection = slot.row.id;
    let Some(connector) = slot.connector() else {
        return Ok(Claimed::Nothing);
    };
    let max = slot
        .descriptor()
        .and_then(|d| d.intake(entity))
        .map_or(1, |i| i.max_batch.max(1) as usize);
    let gathers = gather::of(Work::Push(entity), max, core.gather_ms()).is_some();
    let generation = connector.generation();
    let now = core.now();
    crash::point("batch.before-commit");
    let inner = desk.clone();
    let shared = core.clone();
    let claimed = core
        .store
        .write(move |tx| {
            if !shared.may_call(tx, connection, now)? {
                return Ok(Claimed::Nothing);
            }
            let most = max.saturating_mul(2).clamp(LOOK_AT, gather::MOST);
            let mut candidates = tx.ready_of(connection, Work::Push(entity), most)?;
            let first = candidates.first().map(|job| practice::of(tx, job));
            let practises = first.transpose()?.unwrap_or(false);
            // What came meanwhile is gathered anew; practice spares no calls to a network.
            if only_full && gathers && !practises && candidates.len() < max {
                return Ok(Claimed::Nothing);
            }
            isolate(&mut candidates);
            let Chosen {
                members,
                moved,
                practice,
            } = choose(tx, &inner, candidates, max, now)?;
            if members.is_empty() {
                return Ok(if moved {
                    Claimed::Moved
                } else {
                    Claimed::Nothing
                });
            }
            let (jobs, deliveries): (Vec<JobRow>, Vec<Delivery>) = members.into_iter().unzip();
            let claim = batch(
                tx,
                connection,
                Work::Push(entity),
                entity,
                &jobs,
                deliveries,
                generation,
                now,
            )?;
            Ok(Claimed::Batch(Box::new(Claim { practice, ..claim })))
        })
        .await?;
    if let Claimed::Batch(claim) = &claimed {
        crash::point("batch.committed");
        core.observe(|| {
            format!(
                "batch {} push {entity} {:?}",
                claim.batch.id, claim.batch.jobs
            )
        });
    }
    Ok(claimed)
}

/// Who goes in one call.
struct Chosen {
    members: Vec<(JobRow, Delivery)>,
    /// Some of the others went where they wait.
    moved: bool,
    practice: bool,
}

/// Looks at ready jobs until a call is full. One call is either for real or not: jobs of the other kind are claimed next.
fn choose(
    tx: &mut Tx<'_>,
    desk: &Desk,
    candidates: Vec<JobRow>,
    max: usize,
    now: Millis,
) -> Result<Chosen, StoreError> {
    let (mut members, mut moved, mut mode) = (Vec::new(), false, None);
    for job in candidates {
        if members.len() == max {
            break;
        }
        let practises = practice::of(tx, &job)?;
        if mode.is_some_and(|mode| mode != practises) {
            continue;
        }
        match look(tx, desk, &job, practises, now)? {
            Looked::Go(delivery) => {
                tell(tx, &job, &delivery)?;
                members.push((job, *delivery));
                mode = Some(practises);
                // Alone, so that what is recorded is this job's and no other's.
                if practises {
                    break;
                }
            }
            other => {
                moved = true;
                let later = matches!(other, Looked::Hold(_) | Looked::Unacknowledged);
                set_aside(tx, &job, other, now)?;
                if !later {
                    shipment::intake::counts_no_more(tx, desk, &job, now)?;
                }
                cancel::merchant::after(tx, desk, &job, now)?;
            }
        }
    }
    Ok(Chosen {
        members,
        moved,
        practice: mode.unwrap_or(false),
    })
}

/// Looks at a job that may be sent, unless its flow does not run.
fn look(
    tx: &mut Tx<'_>,
    desk: &Desk,
    job: &JobRow,
    practises: bool,
    now: Millis,
) -> Result<Looked, StoreError> {
    if practice::is_unacknowledged(tx, job, practises)? {
        return Ok(Looked::Unacknowledged);
    }
    if let Some(due) = flow::held(tx, desk, job, now)? {
        return Ok(Looked::Hold(due));
    }
    invoice::cut::before_look(tx, desk, job, now)?;
    translate::look(tx, desk, job, practises, now)
}

/// A job that cannot be sent now goes where it waits.
fn set_aside(tx: &mut Tx<'_>, job: &JobRow, looked: Looked, now: Millis) -> Result<(), StoreError> {
    match looked {
        Looked::Go(_) => return Ok(()),
        Looked::Park(reason) => {
            let told = shipment::count::is_shipment(job)
                || cancel::count::is_cancel(job)
                || invoice::count::is_invoice(job);
            if let Some(order) = job.order.filter(|_| told) {
                let what = crate::words::work(job.work);
                let text = format!("{what} waits for you: {}", crate::words::reason(&reason));
                crate::order::note(tx, order, now, NoteKind::You, "you", &text, None)?;
            }
            tx.set_state(job.id, JobState::Parked(reason), now)?;
        }
        Looked::NeedsCustomer(gap) => need_customer(tx, job, gap, now)?,
        Looked::Withdrawn => tx.set_state(job.id, JobState::Done(Ending::Withdrawn), now)?,
        Looked::Hold(due) => return tx.set_state(job.id, JobState::Held { due }, now),
        Looked::Unacknowledged => {
            tx.set_state(job.id, JobState::WaitingForAccept, now)?;
        }
        Looked::Rest(rest) => shipment::rest::lay(tx, job, &rest, now)?,
        Looked::End(ending, why) => {
            if cancel::count::is_cancel(job) && matches!(ending, Ending::Ignored(_)) {
                // It took nothing off.
                tx.set_job_units(job.id, Vec::new())?;
            }
            if let Some(order) = job.order {
                crate::order::note(tx, order, now, NoteKind::Info, "x", &why, None)?;
            }
            tx.set_state(job.id, JobState::Done(ending.clone()), now)?;
            cancel::restored::ended(tx, job, &ending, now)?;
        }
    }
    match job.order {
        Some(order) => crate::order::refresh(tx, order, now),
        None => Ok(()),
    }
}

/// What a shipment, a cancellation or an invoice tells is kept with its job before it is sent: from now on it counts.
fn tell(tx: &mut Tx<'_>, job: &JobRow, delivery: &Delivery) -> Result<(), StoreError> {
    let units: Vec<LineQuantity> = match &delivery.document.body {
        Body::Shipment(shipment) => kits::pieces(shipment)
            .into_iter()
            .map(|((line, _), quantity)| LineQuantity { line, quantity })
            .collect(),
        Body::Cancellation(cancellation) => cancel::look::units(tx, job, cancellation)?,
        Body::Invoice(sent) => cancel::count::lines(&billing::billed(sent)),
        _ => return Ok(()),
    };
    if units == job.units {
        return Ok(());
    }
    tx.set_job_units(job.id, units)
}

/// Leaves one job alone where the first of them stopped its connector before, and no such job among others.
pub(crate) fn isolate(jobs: &mut Vec<JobRow>) {
    let stopped = |job: &JobRow| job.last_failure.as_deref() == Some(STOPPED);
    if jobs.first().is_some_and(stopped) {
        jobs.truncate(1);
    } else {
        jobs.retain(|job| !stopped(job));
    }
}

/// Commits a batch of these jobs.
#[expect(clippy::too_many_arguments, reason = "each is one column of the batch")]
pub(crate) fn batch(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    work: Work,
    entity: Entity,
    jobs: &[JobRow],
    deliveries: Vec<Delivery>,
    generation: Generation,
    now: Millis,
) -> Result<Claim, StoreError> {
    let ids: Vec<JobId> = jobs.iter().map(|j| j.id).collect();
    let id = tx.create_batch(connection, work, entity, &ids, generation, now)?;
    let attempt = jobs.iter().map(|j| j.attempt + 1).max().unwrap_or(1);
    Ok(Claim {
        batch: BatchRow {
            id,
            connection,
            work,
            entity,
            jobs: ids,
            generation,
            attempt,
            created_at: now,
        },
        deliveries,
        urgent_by: jobs.iter().filter_map(|j| j.urgent_by).min(),
        practice: false,
    })
}

fn need_customer(tx: &mut Tx<'_>, job: &JobRow, gap: Gap, now: Millis) -> Result<(), StoreError> {
    debug_assert_eq!(
        gap.table, CUSTOMER_TABLE,
        "only customers are created by themselves"
    );
    let known = tx.open_job(
        Work::Push(Entity::Customer),
        job.from,
        job.to,
        Entity::Customer,
        &gap.value,
    )?;
    if known.is_some_and(|c| matches!(c.state, JobState::Parked(_))) {
        // Nobody fills the cell by itself before a person acts: this order waits for the person too.
        return tx.set_state(job.id, JobState::Parked(Reason::Gaps(vec![gap])), now);
    }
    let customer = tx.create_job(
        NewJob {
            work: Work::Push(Entity::Customer),
            from: job.from,
            to: job.to,
            entity: Entity::Customer,
            key: gap.value.clone(),
            // That of all of a retailer's orders is none's.
            order: crosswalk::order_of(&gap).and(job.order),
            lane: format!("customer:{}", gap.value),
            document: job.document,
            state: JobState::Ready,
            urgent_by: job.urgent_by,
        },
        now,
    )?;
    if job.for_real {
        tx.set_for_real(customer)?;
    }
    tx.set_state(job.id, JobState::Blocked(gap), now)
}

/// Sends a committed batch and commits its verdicts. False: stop sending for now.
async fn deliver(core: &Arc<Core>, slot: &Slot, claim: Claim) -> Result<bool, StoreError> {
    let batch = claim.batch;
    let Some(connector) = slot.connector() else {
        core.strand(batch.connection, batch.id);
        return Ok(false);
    };
    let near = claim.urgent_by.is_some_and(|by| by - core.now() < NEAR_MS);
    let priority = if near {
        Priority::NearDeadline
    } else {
        Priority::Order
    };
    let call = core.call(
        slot,
        EffectScope::Jobs(batch.jobs.clone()),
        priority,
        practice::mode(claim.practice),
        batch.attempt,
    );
    let answer = connector.push(call, claim.deliveries).await;
    commit_verdicts(core, batch, connector.generation(), answer).await
}

/// Commits what a batch came to: one verdict per member, or the same failure for all.
pub(crate) async fn commit_verdicts(
    core: &Arc<Core>,
    batch: BatchRow,
    generation: Generation,
    answer: Answer<Vec<Verdict>>,
) -> Result<bool, StoreError> {
    let now = core.now();
    let desk = core.desk();
    let expected = batch.jobs.len();
    let value = answer
        .value
        .and_then(|verdicts| calls::one_each(verdicts, expected, "members"));
    let went_well = value
        .as_ref()
        .is_ok_and(|verdicts| calls::refused_login(verdicts).is_none());
    // What stops a build on trial is held against the build, unless it stops the one before as well: thousands of jobs,
    // each sent alone after it was taken back, would use up the calls of hours.
    let doubted = core.watch.is_doubted(generation) && !answer.excused;
    let stopped = !doubted && matches!(value, Err(CallError::Trapped(_) | CallError::OutOfMemory));
    let verdicts: Vec<Verdict> = match &value {
        Ok(verdicts) => verdicts.clone(),
        Err(error) if stopped && expected == 1 && batch.attempt >= STOPPED_MOST => {
            vec![Err(gave_up(error))]
        }
        // What was sent is in the journal: the build before finds it there, so nobody has to look.
        Err(CallError::Contract(_)) if doubted => {
            vec![Err(Failure::Retry(None)); expected]
        }
        Err(error) => vec![Err(calls::member_failure(error)); expected],
    };
    let told: Vec<Told> = batch
        .jobs
        .iter()
        .zip(&verdicts)
        .map(|(job, verdict)| Told::of(*job, verdict))
        .collect();
    let judge = Judge::new(core, now);
    let (writes, exchanges) = (answer.writes, answer.exchanges);
    let (id, connection, work) = (batch.id, batch.connection, batch.work);
    core.observe(|| {
        format!(
            "verdicts {id} {work:?} {}",
            verdicts
                .iter()
                .map(verdict::short)
                .collect::<Vec<_>>()
                .join(",")
        )
    });
    crash::point("verdict.before-commit");
    core.store
        .write(move |tx| {
            match &value {
                Ok(verdicts) => calls::mark_verdicts(tx, connection, verdicts, now)?,
                Err(error) => calls::mark_error(tx, connection, error, now)?,
            }
            tx.kv_apply(connection, &writes)?;
            for (job, verdict) in batch.jobs.iter().zip(&verdicts) {
                judge.apply(tx, &desk, *job, verdict)?;
                if stopped && let Some(row) = tx.job(*job)? {
                    tx.set_attempt(row.id, row.attempt, Some(STOPPED))?;
                }
            }
            tx.close_batch(id, &exchanges)
        })
        .await?;
    crash::point("verdict.committed");
    told.iter().for_each(Told::log);
    core.wake(Event::Changed);
    Ok(went_well)
}

/// What a member of a batch was told, for the log: never the vendor's words, which may name a consumer.
struct Told {
    job: JobId,
    outcome: &'static str,
    /// The code of a refusal that waits for a person.
    waits: Option<String>,
}

impl Told {
    fn of(job: JobId, verdict: &Verdict) -> Self {
        let waits = match verdict {
            Err(Failure::Rejected(problem) | Failure::InDoubt(problem)) => {
                Some(problem.code.clone())
            }
            Err(Failure::Unmapped(_)) => Some("unmapped".to_owned()),
            _ => None,
        };
        Self {
            job,
            outcome: verdict::short(verdict),
            waits,
        }
    }

    fn log(&self) {
        let (job, outcome) = (self.job, self.outcome);
        if let Some(code) = &self.waits {
            tracing::info!(%job, outcome, %code, "A step waits for a person.");
        } else {
            tracing::debug!(%job, outcome, "A step was answered.");
        }
    }
}

/// The verdict on a job whose call stops its connector each time, alone too.
fn gave_up(error: &CallError) -> Failure {
    Failure::Rejected(Problem::new(
        STOPPED,
        calls::sentence(error),
        "Send a support bundle to the connector's author; retry after an update of the connector.",
    ))
}

/// Runs a batch again that a crash cut short. Members that cannot be sent any more go back to be looked at singly.
pub(crate) async fn resume(core: Arc<Core>, id: BatchId) -> Result<(), StoreError> {
    let desk = core.desk();
    let now = core.now();
    let claim = core
        .store
        .write(move |tx| {
            let Some(row) = tx.open_batches()?.into_iter().find(|b| b.id == id) else {
                return Ok(None);
            };
            let mut jobs = Vec::new();
            let mut deliveries = Vec::new();
            let mut mode = None;
            for job_id in &row.jobs {
                let Some(job) = tx.job(*job_id)? else {
                    continue;
                };
                if job.state != JobState::Running(id) {
                    continue;
                }
                // As the switch says now, whatever it said when the batch was made.
                let practises = practice::of(tx, &job)?;
                let other = *mode.get_or_insert(practises) != practises;
                if other || practice::is_unacknowledged(tx, &job, practises)? {
                    tx.set_state(job.id, JobState::Ready, now)?;
                    continue;
                }
                match row.work {
                    Work::Settle(_) => jobs.push(job),
                    Work::Push(_) => match translate::look(tx, &desk, &job, practises, now)? {
                        Looked::Go(delivery) => {
                            tell(tx, &job, &delivery)?;
                            jobs.push(job);
                            deliveries.push(*delivery);
                        }
                        _ => tx.set_state(job.id, JobState::Ready, now)?,
                    },
                    Work::Compare | Work::Attend => {}
                }
            }
            if jobs.is_empty() {
                tx.close_batch(id, &[])?;
                return Ok(None);
            }
            let urgent_by = jobs.iter().filter_map(|j| j.urgent_by).min();
            let batch = BatchRow {
                jobs: jobs.iter().map(|j| j.id).collect(),
                attempt: row.attempt + 1,
                ..row
            };
            Ok(Some((
                Claim {
                    batch,
                    deliveries,
                    urgent_by,
                    practice: mode.unwrap_or(false),
                },
                jobs,
            )))
        })
        .await?;
    core.observe(|| format!("resume {id} {}", claim.is_some()));
    let Some((claim, jobs)) = claim else {
        return Ok(());
    };
    let Some(slot) = core.slot(claim.batch.connection) else {
        return Ok(());
    };
    match claim.batch.work {
        Work::Push(_) => deliver(&core, &slot, claim).await.map(drop),
        Work::Settle(moment) => crate::settle::deliver(&core, &slot, claim, moment, &jobs)
            .await
            .map(drop),
        Work::Compare | Work::Attend => Ok(()),
    }
}
