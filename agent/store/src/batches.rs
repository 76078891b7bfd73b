//! Batches: membership is committed before the call, the transcript after it. An open batch survives a restart with
//! its members, so that the journal's steps find them again.

use crate::access::{Access, Tx};
use crate::bodies::body;
use crate::codec::{Key, Span, corrupt};
use crate::error::StoreError;
use crate::jobs;
use crate::retention::{Age, age_key};
use crate::rows::BatchRow;
use crate::schema::Tab;
use waybill_model::contract::Exchange;
use waybill_model::document::Entity;
use waybill_model::ids::{BatchId, ConnectionId, Generation, JobId, Millis, OrderId};
use waybill_model::job::{JobState, Work};

fn key(id: BatchId) -> Vec<u8> {
    Key::new().u64(id.0).0
}

pub(crate) fn batch(a: &dyn Access, id: BatchId) -> Result<Option<BatchRow>, StoreError> {
    a.row(Tab::Batches, &key(id))
}

pub(crate) fn open(a: &dyn Access) -> Result<Vec<BatchRow>, StoreError> {
    let ids = a.tails(Tab::OpenBatches, &Span::all(), usize::MAX)?;
    a.named(Tab::Batches, &ids)
}

pub(crate) fn transcript(a: &dyn Access, id: BatchId) -> Result<Vec<Exchange>, StoreError> {
    let damaged = |why: String| corrupt(Tab::Transcripts.name(), &key(id), why);
    let Some(body_id) = a.number(Tab::Transcripts, &key(id))? else {
        return Ok(Vec::new());
    };
    let bytes = body(a, body_id)?.ok_or_else(|| damaged(format!("body {body_id} is missing")))?;
    serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))
}

pub(crate) fn transcripts_of(
    a: &dyn Access,
    order: OrderId,
) -> Result<Vec<(BatchId, Vec<Exchange>)>, StoreError> {
    let span = Span::prefix(Key::new().u64(order.0));
    let ids = a.tails(Tab::OrderBatches, &span, usize::MAX)?;
    let mut out = Vec::new();
    for id in ids.into_iter().map(BatchId) {
        let exchanges = transcript(a, id)?;
        if !exchanges.is_empty() {
            out.push((id, exchanges));
        }
    }
    Ok(out)
}

impl Tx<'_> {
    /// Commits who is in a call: every member must be ready, in a lane nobody holds, and runs from now on.
    pub fn create_batch(
        &mut self,
        connection: ConnectionId,
        work: Work,
        entity: Entity,
        members: &[JobId],
        generation: Generation,
        now: Millis,
    ) -> Result<BatchId, StoreError> {
        self.at(now);
        let id = BatchId(self.next("batch")?);
        let mut attempt = 0;
        for member in members {
            let job = jobs::expect(self, *member)?;
            if job.state != JobState::Ready || jobs::lane_held(self, job.to, &job.lane)? {
                return Err(StoreError::Conflict(format!(
                    "job {member} is {} or its lane is held",
                    job.state.word()
                )));
            }
            attempt = attempt.max(job.attempt);
            if let Some(order) = job.order {
                let entry = Key::new().u64(order.0).u64(id.0).0;
                self.put_bytes(Tab::OrderBatches, &entry, &[])?;
            }
            self.set_state(*member, JobState::Running(id), now)?;
        }
        let row = BatchRow {
            id,
            connection,
            work,
            entity,
            jobs: members.to_vec(),
            generation,
            attempt,
            created_at: now,
        };
        self.put_row(Tab::Batches, &key(id), &row)?;
        self.put_bytes(Tab::OpenBatches, &key(id), &[])?;
        Ok(id)
    }

    /// Ends a batch: its transcript is stored. The members' states are the caller's.
    pub fn close_batch(&mut self, id: BatchId, exchanges: &[Exchange]) -> Result<(), StoreError> {
        let row = batch(self, id)?.ok_or_else(|| StoreError::not_found(format!("batch {id}")))?;
        if !self.del(Tab::OpenBatches, &key(id))? {
            return Err(StoreError::Conflict(format!("batch {id} is closed")));
        }
        if exchanges.is_empty() {
            return Ok(());
        }
        let json = serde_json::to_vec(exchanges)
            .map_err(|e| corrupt(Tab::Transcripts.name(), &key(id), e.to_string()))?;
        let body = self.put_body(&json)?;
        self.put_number(Tab::Transcripts, &key(id), body)?;
        let age = age_key(Age::Transcript, row.created_at, id.0);
        self.put_bytes(Tab::BodyAges, &age.0, &[])
    }
}
