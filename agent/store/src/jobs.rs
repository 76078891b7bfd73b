//! Jobs, their lanes and every list made of them. All index entries of a job follow from its row; the ready list
//! follows from its lane: the first ready job of each lane that no other job holds. Knows no rule of when to retry.

use crate::access::{Access, Entry, Tx};
use crate::codec::{Key, Parts, Span, corrupt, tail_u64, value_u64};
use crate::crosswalk::gap_key;
use crate::error::StoreError;
use crate::rows::{JobRow, NewJob};
use crate::schema::Tab;
use crate::{cards, orders, places, retailers};
use waybill_model::document::{Entity, LineQuantity};
use waybill_model::ids::{ConnectionId, DocumentId, JobId, Millis, OrderId};
use waybill_model::job::{JobState, Reason, Work};

const LANE_OTHER: u8 = 0;
const LANE_READY: u8 = 1;
const LANE_HELD: u8 = 2;

pub(crate) fn job_key(id: JobId) -> Vec<u8> {
    Key::new().u64(id.0).0
}

pub(crate) fn state_counter(word: &str) -> String {
    format!("jobs:{word}")
}

fn work_word(work: Work) -> String {
    match work {
        Work::Push(entity) => format!("push:{entity}"),
        Work::Settle(moment) => format!("settle:{moment}"),
        Work::Compare => "compare".to_owned(),
        Work::Attend => "attend".to_owned(),
    }
}

fn open_key(work: Work, from: ConnectionId, to: ConnectionId, entity: Entity, key: &str) -> Key {
    open_prefix(work, from, to, entity).text(key)
}

fn open_prefix(work: Work, from: ConnectionId, to: ConnectionId, entity: Entity) -> Key {
    Key::new()
        .text(&work_word(work))
        .u32(from.0)
        .u32(to.0)
        .text(entity.word())
}

fn lane_key(to: ConnectionId, lane: &str) -> Key {
    Key::new().u32(to.0).text(lane)
}

fn ready_key(to: ConnectionId, urgent_by: Option<Millis>, id: JobId) -> Key {
    Key::new().u32(to.0).time_or_last(urgent_by).u64(id.0)
}

/// All index entries of a job, except the ready list.
pub(crate) fn entries(row: &JobRow) -> Vec<Entry> {
    let id = row.id;
    let mut out = places::entries(row);
    if let Some(order) = row.order {
        out.push(Entry::mark(
            Tab::JobOrders,
            Key::new().u64(order.0).u64(id.0),
        ));
    }
    if !row.state.is_done() {
        let open = open_key(row.work, row.from, row.to, row.entity, &row.key);
        out.push(Entry::number(Tab::JobOpen, open, id.0));
        out.push(Entry::mark(
            Tab::JobDocuments,
            Key::new().u64(row.document.0).u64(id.0),
        ));
        let does = match &row.state {
            JobState::Ready => LANE_READY,
            state if state.holds_lane() => LANE_HELD,
            _ => LANE_OTHER,
        };
        out.push(Entry {
            tab: Tab::Lanes,
            key: lane_key(row.to, &row.lane).u64(id.0).0,
            value: Key::new().byte(does).time_or_last(row.urgent_by).0,
        });
    }
    match &row.state {
        JobState::Waiting { due }
        | JobState::Resting { due }
        | JobState::Held { due }
        | JobState::Pending { due, .. } => {
            out.push(Entry::mark(Tab::Due, Key::new().i64(*due).u64(id.0)));
        }
        JobState::Blocked(gap) => {
            out.push(Entry::mark(Tab::Gaps, gap_key(row.from, row.to, gap, id)));
        }
        JobState::Parked(reason) => {
            if let Reason::Gaps(gaps) = reason {
                let keys = gaps.iter().map(|g| gap_key(row.from, row.to, g, id));
                out.extend(keys.map(|key| Entry::mark(Tab::Gaps, key)));
            }
            let causes = cards::causes(row);
            out.extend(causes.iter().map(|c| cards::job_entry(c, row)));
        }
        _ => {}
    }
    // A job may name one gap twice; an index holds it once.
    out.sort_unstable();
    out.dedup();
    out
}

/// Where the ready list shows a lane: its first ready job, unless a job holds it.
fn lane_head(a: &dyn Access, to: ConnectionId, lane: &str) -> Result<Option<Key>, StoreError> {
    let mut head = None;
    a.scan(
        Tab::Lanes,
        &Span::prefix(lane_key(to, lane)),
        &mut |key, value| {
            let mut parts = Parts::of(Tab::Lanes.name(), value);
            let does = parts.byte()?;
            if does == LANE_HELD {
                head = None;
                return Ok(false);
            }
            if does == LANE_READY && head.is_none() {
                let id = JobId(tail_u64(Tab::Lanes.name(), key)?);
                head = Some(ready_key(to, parts.time_or_last()?, id));
            }
            Ok(true)
        },
    )?;
    Ok(head)
}

pub(crate) fn lane_entry(
    a: &dyn Access,
    to: ConnectionId,
    lane: &str,
) -> Result<Option<Entry>, StoreError> {
    Ok(lane_head(a, to, lane)?.map(|key| Entry::mark(Tab::ReadyJobs, key)))
}

/// Whether a job of that lane is under way.
pub(crate) fn lane_held(a: &dyn Access, to: ConnectionId, lane: &str) -> Result<bool, StoreError> {
    let mut held = false;
    a.scan(
        Tab::Lanes,
        &Span::prefix(lane_key(to, lane)),
        &mut |_, value| {
            held = value.first() == Some(&LANE_HELD);
            Ok(!held)
        },
    )?;
    Ok(held)
}

pub(crate) fn job(a: &dyn Access, id: JobId) -> Result<Option<JobRow>, StoreError> {
    a.row(Tab::Jobs, &job_key(id))
}

pub(crate) fn expect(a: &dyn Access, id: JobId) -> Result<JobRow, StoreError> {
    job(a, id)?.ok_or_else(|| StoreError::not_found(format!("job {id}")))
}

fn listed(a: &dyn Access, tab: Tab, span: &Span, limit: usize) -> Result<Vec<JobRow>, StoreError> {
    let ids = a.tails(tab, span, limit)?;
    a.named(Tab::Jobs, &ids)
}

pub(crate) fn of_order(a: &dyn Access, order: OrderId) -> Result<Vec<JobRow>, StoreError> {
    listed(
        a,
        Tab::JobOrders,
        &Span::prefix(Key::new().u64(order.0)),
        usize::MAX,
    )
}

pub(crate) fn ready(
    a: &dyn Access,
    to: ConnectionId,
    limit: usize,
) -> Result<Vec<JobRow>, StoreError> {
    listed(
        a,
        Tab::ReadyJobs,
        &Span::prefix(Key::new().u32(to.0)),
        limit,
    )
}

pub(crate) fn ready_ids(
    a: &dyn Access,
    to: ConnectionId,
    limit: usize,
) -> Result<Vec<(JobId, Option<Millis>)>, StoreError> {
    let span = Span::prefix(Key::new().u32(to.0));
    let keys = a.keys(Tab::ReadyJobs, &span, limit)?;
    keys.iter()
        .map(|key| {
            let id = JobId(tail_u64(Tab::ReadyJobs.name(), key)?);
            Ok((id, listed_urgency(Tab::ReadyJobs, key)?))
        })
        .collect()
}

pub(crate) fn ready_of(
    a: &dyn Access,
    to: ConnectionId,
    work: Work,
    limit: usize,
) -> Result<Vec<JobRow>, StoreError> {
    let mut found = Vec::new();
    for (id, _) in ready_ids(a, to, usize::MAX)? {
        if found.len() == limit {
            break;
        }
        found.extend(job(a, id)?.filter(|job| job.work == work));
    }
    Ok(found)
}

pub(crate) fn due(a: &dyn Access, now: Millis, limit: usize) -> Result<Vec<JobRow>, StoreError> {
    let span = Span::all().before(Key::new().i64(now.saturating_add(1)));
    listed(a, Tab::Due, &span, limit)
}

pub(crate) fn next_due(
    a: &dyn Access,
    after: Option<Millis>,
) -> Result<Option<Millis>, StoreError> {
    let span = match after {
        Some(after) => Span::all().from(Key::new().i64(after.saturating_add(1))),
        None => Span::all(),
    };
    let first = a.keys(Tab::Due, &span, 1)?.pop();
    first
        .map(|key| Parts::of(Tab::Due.name(), &key).i64())
        .transpose()
}

pub(crate) fn open_id(
    a: &dyn Access,
    work: Work,
    from: ConnectionId,
    to: ConnectionId,
    entity: Entity,
    key: &str,
) -> Result<Option<JobId>, StoreError> {
    let key = open_key(work, from, to, entity, key);
    Ok(a.number(Tab::JobOpen, &key.0)?.map(JobId))
}

pub(crate) fn open(
    a: &dyn Access,
    work: Work,
    from: ConnectionId,
    to: ConnectionId,
    entity: Entity,
) -> Result<Vec<JobRow>, StoreError> {
    let span = Span::prefix(open_prefix(work, from, to, entity));
    let mut ids = Vec::new();
    a.scan(Tab::JobOpen, &span, &mut |key, value| {
        ids.push(value_u64(Tab::JobOpen.name(), key, value)?);
        Ok(true)
    })?;
    a.named(Tab::Jobs, &ids)
}

impl Tx<'_> {
    /// Makes a job, unless one of the same work, route and key is not done: then that one is answered.
    pub fn create_job(&mut self, new: NewJob, now: Millis) -> Result<JobId, StoreError> {
        self.at(now);
        if let Some(id) = open_id(self, new.work, new.from, new.to, new.entity, &new.key)? {
            return Ok(id);
        }
        let retailer = match new.order {
            Some(order) if places::is_listed(new.work) => match orders::order(self, order)? {
                Some(row) => retailers::id(self, row.connection, &row.retailer)?,
                None => None,
            },
            _ => None,
        };
        let row = JobRow {
            id: JobId(self.next("job")?),
            work: new.work,
            from: new.from,
            to: new.to,
            entity: new.entity,
            key: new.key,
            order: new.order,
            lane: new.lane,
            document: new.document,
            batch: match &new.state {
                JobState::Running(batch) => Some(*batch),
                _ => None,
            },
            state: new.state,
            attempt: 0,
            urgent_by: new.urgent_by,
            created_at: now,
            changed_at: now,
            last_failure: None,
            retailer,
            units: Vec::new(),
            for_real: false,
        };
        if let Some(order) = row.order {
            self.attach(row.document, order)?;
        }
        self.store_job(None, &row)?;
        Ok(row.id)
    }

    /// Moves a job.
    pub fn set_state(&mut self, id: JobId, state: JobState, now: Millis) -> Result<(), StoreError> {
        self.at(now);
        let old = expect(self, id)?;
        if old.state.is_done() && !state.is_done() {
            // A new job of the same key may be open meanwhile; two would race.
            let open = open_id(self, old.work, old.from, old.to, old.entity, &old.key)?;
            if let Some(open) = open {
                return Err(StoreError::Conflict(format!(
                    "job {open} took the place of job {id}"
                )));
            }
        }
        let mut new = old.clone();
        if let JobState::Running(batch) = &state {
            new.batch = Some(*batch);
        }
        new.state = state;
        new.changed_at = now;
        self.store_job(Some(&old), &new)
    }

    /// Says how often a job was tried and what went wrong last.
    pub fn set_attempt(
        &mut self,
        id: JobId,
        attempt: u32,
        last_failure: Option<&str>,
    ) -> Result<(), StoreError> {
        let old = expect(self, id)?;
        let new = JobRow {
            attempt,
            last_failure: last_failure.map(str::to_owned),
            ..old.clone()
        };
        self.store_job(Some(&old), &new)
    }

    /// Gives a job a newer revision to send.
    pub fn set_job_document(&mut self, id: JobId, document: DocumentId) -> Result<(), StoreError> {
        let old = expect(self, id)?;
        let new = JobRow {
            document,
            ..old.clone()
        };
        if let Some(order) = new.order {
            self.attach(document, order)?;
        }
        self.store_job(Some(&old), &new)
    }

    /// Says what a shipment's job tells of each line.
    pub fn set_job_units(&mut self, id: JobId, units: Vec<LineQuantity>) -> Result<(), StoreError> {
        let old = expect(self, id)?;
        let new = JobRow {
            units,
            ..old.clone()
        };
        self.store_job(Some(&old), &new)
    }

    /// A person wants it sent although its flow is in practice.
    pub fn set_for_real(&mut self, id: JobId) -> Result<(), StoreError> {
        let old = expect(self, id)?;
        let new = JobRow {
            for_real: true,
            ..old.clone()
        };
        self.store_job(Some(&old), &new)
    }

    /// Gives a job another nearest deadline.
    pub fn set_urgent_by(
        &mut self,
        id: JobId,
        urgent_by: Option<Millis>,
    ) -> Result<(), StoreError> {
        let old = expect(self, id)?;
        let new = JobRow {
            urgent_by,
            ..old.clone()
        };
        self.store_job(Some(&old), &new)
    }

    fn store_job(&mut self, old: Option<&JobRow>, new: &JobRow) -> Result<(), StoreError> {
        self.put_row(Tab::Jobs, &job_key(new.id), new)?;
        let (before, after) = (old.map(entries).unwrap_or_default(), entries(new));
        if before != after {
            let head: Vec<Entry> = lane_entry(self, new.to, &new.lane)?.into_iter().collect();
            self.reindex(&before, &after)?;
            let next: Vec<Entry> = lane_entry(self, new.to, &new.lane)?.into_iter().collect();
            self.reindex(&head, &next)?;
        }
        let words = (old.map(|o| o.state.word()), new.state.word());
        if words.0 != Some(words.1) {
            if let Some(word) = words.0 {
                self.count(&state_counter(word), -1)?;
            }
            self.count(&state_counter(words.1), 1)?;
        }
        self.keep_cards(old, new)
    }
}

/// The urgency an entry of a card or of the ready list was listed with.
pub(crate) fn listed_urgency(tab: Tab, key: &[u8]) -> Result<Option<Millis>, StoreError> {
    // Both end with the urgency and the job.
    let tail = key
        .len()
        .checked_sub(16)
        .and_then(|at| key.get(at..))
        .ok_or_else(|| corrupt(tab.name(), key, "the key is too short"))?;
    Parts::of(tab.name(), tail).time_or_last()
}
