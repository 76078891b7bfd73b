//! Replay: work that stopped goes on from the step that failed, with the newest mapping and the newest connector. The
//! journal decides what is sent: a step that is proven is never sent twice. Finished work, work that is under way and
//! what a person left alone is not touched, and said so. Decides nothing for a person: see `release.rs` for that.

use crate::core::{Core, Desk};
use crate::event::Event;
use crate::handle::{CommandError, Handle};
use crate::{order, words};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::document::Entity;
use waybill_model::ids::{JobId, Millis, OrderId};
use waybill_model::job::{JobState, Reason, Work};
use waybill_store::{JobRow, NoteKind, Read, Rx, StoreError, Tx};

/// Jobs shown of a preview.
const SHOWN: usize = 200;
/// Jobs of one commit.
const CHUNK: usize = 500;

/// What to try again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayScope {
    /// Everything of one order.
    Order(OrderId),
    /// Everything that stopped at that time or later.
    Since(Millis),
    /// Everything behind a card.
    Card(String),
    /// Everything that waits for a person and was not left alone.
    AllParked,
}

/// One job that would be tried again, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplayRow {
    /// The job.
    pub job: JobId,
    /// The order's id, where it belongs to one.
    pub order: Option<OrderId>,
    /// PO number, or the record's key.
    pub number: String,
    /// In words: "Sale", "Shipment".
    pub what: String,
    /// Why it stopped.
    pub why: String,
    /// When.
    pub stopped_at: Millis,
}

/// What a replay tries again, and what it leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReplayView {
    /// How many jobs are tried again.
    pub again: u64,
    /// The first 200 of them, nearest deadline first.
    pub rows: Vec<ReplayRow>,
    /// Finished steps of the same order or card: nothing is sent a second time.
    pub finished: u64,
    /// Steps that are on their way already.
    pub under_way: u64,
    /// Steps that wait for a person's own decision or action; trying again does not help.
    pub yours: u64,
    /// Steps that a person left alone with a reason.
    pub left_alone: u64,
    /// Only looked at: nothing was changed.
    pub dry_run: bool,
}

/// What becomes of one job.
enum Fate {
    Again,
    Finished,
    UnderWay,
    Yours,
    LeftAlone,
}

fn fate(rows: &dyn Read, job: &JobRow, even_left: bool) -> Result<Fate, StoreError> {
    Ok(match &job.state {
        JobState::Done(_) => Fate::Finished,
        JobState::Waiting { .. } => Fate::Again,
        // Applied or discarded on its own page.
        JobState::Practised => Fate::Yours,
        JobState::Parked(_)
            if matches!(
                job.work,
                Work::Push(Entity::Cancellation) | Work::Compare | Work::Attend
            ) =>
        {
            Fate::Yours
        }
        JobState::Parked(_) => {
            let cards = rows.cards_of(job)?;
            let left = !cards.is_empty() && cards.iter().all(|card| card.ignored.is_some());
            if left && !even_left {
                Fate::LeftAlone
            } else {
                Fate::Again
            }
        }
        _ => Fate::UnderWay,
    })
}

/// Jobs of a scope that may be concerned.
fn jobs(rows: &dyn Read, scope: &ReplayScope) -> Result<Option<Vec<JobRow>>, StoreError> {
    Ok(match scope {
        ReplayScope::Order(id) => match rows.order(*id)? {
            Some(_) => Some(rows.jobs_of_order(*id)?),
            None => None,
        },
        ReplayScope::Card(id) => rows.card(id)?.map(|(_, jobs)| jobs),
        ReplayScope::AllParked => Some(rows.jobs_in("parked", usize::MAX)?),
        ReplayScope::Since(at) => {
            let mut found = rows.jobs_in("parked", usize::MAX)?;
            found.extend(rows.jobs_in("waiting", usize::MAX)?);
            found.retain(|job| job.changed_at >= *at);
            Some(found)
        }
    })
}

fn why(desk: &Desk, job: &JobRow) -> String {
    match &job.state {
        JobState::Parked(reason) => words::reason(reason),
        JobState::Waiting { .. } => job
            .last_failure
            .clone()
            .unwrap_or_else(|| words::state(&job.state, &desk.title(job.to))),
        state => words::state(state, &desk.title(job.to)),
    }
}

/// The PO number of an order; each is read once.
fn named(
    rows: &dyn Read,
    known: &mut BTreeMap<OrderId, String>,
    id: OrderId,
    key: &str,
) -> Result<String, StoreError> {
    if let Some(number) = known.get(&id) {
        return Ok(number.clone());
    }
    let number = rows
        .order(id)?
        .map_or_else(|| key.to_owned(), |row| row.number);
    known.insert(id, number.clone());
    Ok(number)
}

/// What a scope comes to: the view, and the jobs to try again.
fn look(
    desk: &Desk,
    rows: &dyn Read,
    scope: &ReplayScope,
) -> Result<Option<(ReplayView, Vec<JobId>)>, StoreError> {
    let Some(mut found) = jobs(rows, scope)? else {
        return Ok(None);
    };
    found.sort_by_key(|job| (job.urgent_by.unwrap_or(Millis::MAX), job.id));
    // A person who names an order or a card means it, also where it was left alone before.
    let even_left = matches!(scope, ReplayScope::Order(_) | ReplayScope::Card(_));
    let mut view = ReplayView::default();
    let mut ids = Vec::new();
    let mut numbers: BTreeMap<OrderId, String> = BTreeMap::new();
    for job in &found {
        match fate(rows, job, even_left)? {
            Fate::Again => {}
            Fate::Finished => {
                view.finished += 1;
                continue;
            }
            Fate::UnderWay => {
                view.under_way += 1;
                continue;
            }
            Fate::Yours => {
                view.yours += 1;
                continue;
            }
            Fate::LeftAlone => {
                view.left_alone += 1;
                continue;
            }
        }
        view.again += 1;
        ids.push(job.id);
        if view.rows.len() == SHOWN {
            continue;
        }
        let number = match job.order {
            Some(id) => named(rows, &mut numbers, id, &job.key)?,
            None => job.key.clone(),
        };
        view.rows.push(ReplayRow {
            job: job.id,
            order: job.order,
            number,
            what: words::work(job.work).to_owned(),
            why: why(desk, job),
            stopped_at: job.changed_at,
        });
    }
    Ok(Some((view, ids)))
}

/// Puts jobs where they are taken up from, in one transaction. What a person must decide stays undecided: a job that
/// still has its cause waits for the person again.
fn again(
    tx: &mut Tx<'_>,
    ids: &[JobId],
    even_left: bool,
    who: &str,
    now: Millis,
) -> Result<u64, StoreError> {
    let mut tried = 0;
    let mut orders = BTreeSet::new();
    for id in ids {
        let Some(job) = tx.job(*id)? else { continue };
        // It may have gone on since it was looked at.
        if !matches!(fate(tx, &job, even_left)?, Fate::Again) {
            continue;
        }
        let state = order::at_rest(tx, &job)?;
        tx.set_state(job.id, state, now)?;
        tried += 1;
        orders.extend(job.order);
        if let (JobState::Parked(Reason::InDoubt(_)), Some(order)) = (&job.state, job.order) {
            let text = "Looked for there before anything is sent again.";
            order::note(tx, order, now, NoteKind::Info, "again", text, None)?;
        }
    }
    for id in orders {
        let text = format!("{who} replayed it from the step that stopped.");
        order::note(tx, id, now, NoteKind::Info, "again", &text, None)?;
        order::refresh(tx, id, now)?;
    }
    Ok(tried)
}

fn said(scope: &ReplayScope) -> String {
    match scope {
        ReplayScope::Order(id) => format!("order {id}"),
        ReplayScope::Since(at) => format!("what stopped since {at}"),
        ReplayScope::Card(id) => format!("card {id}"),
        ReplayScope::AllParked => "everything that waits for a person".to_owned(),
    }
}

fn preview(
    core: &Core,
    rx: &Rx,
    scope: &ReplayScope,
) -> Result<Option<(ReplayView, Vec<JobId>)>, StoreError> {
    look(&core.desk(), rx, scope)
}

impl Handle {
    /// Tries everything of a scope again from the step that stopped, or with `dry_run` only tells what would be tried.
    ///
    /// # Errors
    /// `NotFound` for an order or card that is not there.
    pub async fn replay(
        &self,
        scope: ReplayScope,
        dry_run: bool,
        who: &str,
    ) -> Result<ReplayView, CommandError> {
        let asked = scope.clone();
        let found = self
            .read(move |core, rx| preview(core, rx, &asked))
            .await?
            .ok_or_else(|| CommandError::NotFound(said(&scope)))?;
        let (mut view, ids) = found;
        if dry_run || ids.is_empty() {
            view.dry_run = dry_run;
            return Ok(view);
        }
        let even_left = matches!(scope, ReplayScope::Order(_) | ReplayScope::Card(_));
        let now = self.now();
        let mut tried = 0;
        for chunk in ids.chunks(CHUNK) {
            let (chunk, who) = (chunk.to_vec(), who.to_owned());
            let write = move |tx: &mut Tx<'_>| again(tx, &chunk, even_left, &who, now);
            tried += self.core.store.write(write).await?;
        }
        let detail = format!("{}: {tried} steps", said(&scope));
        self.audit(who, "Replayed", &detail).await?;
        self.core.wake(Event::Changed);
        view.again = tried;
        Ok(view)
    }
}
