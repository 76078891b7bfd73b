//! The effect journal. `begin` is committed before bytes leave, `finish` after the answer. A rerun replays finished
//! steps; an unfinished one is in doubt until somebody proves that it did not happen. Knows no step's meaning.
//!
//! The lookup key is (job, step) for each member, or (scope, step) where there are none.

use crate::access::{Access, Tx};
use crate::bodies::body;
use crate::codec::{Key, Span, corrupt};
use crate::error::StoreError;
use crate::restore::restored_mark;
use crate::retention::{Age, age_key};
use crate::rows::{BegunRow, EffectRow, FinishedEffect};
use crate::schema::Tab;
use crate::{documents, jobs, orders};
use waybill_model::ids::{ConnectionId, EffectId, JobId, Millis};

fn effect_key(id: EffectId) -> Vec<u8> {
    Key::new().u64(id.0).0
}

pub(crate) fn lookup_keys(scope: &str, jobs: &[JobId], step: &str) -> Vec<Vec<u8>> {
    if jobs.is_empty() {
        return vec![Key::new().byte(1).text(scope).text(step).0];
    }
    let keys = jobs
        .iter()
        .map(|j| Key::new().byte(0).u64(j.0).text(step).0);
    keys.collect()
}

pub(crate) fn effect(a: &dyn Access, id: EffectId) -> Result<Option<EffectRow>, StoreError> {
    a.row(Tab::Effects, &effect_key(id))
}

/// Whether the journal knows a step of that job.
pub(crate) fn has_effects(a: &dyn Access, job: JobId) -> Result<bool, StoreError> {
    let span = Span::prefix(Key::new().byte(0).u64(job.0));
    Ok(!a.keys(Tab::EffectKeys, &span, 1)?.is_empty())
}

pub(crate) fn answer(a: &dyn Access, row: &EffectRow) -> Result<Option<Vec<u8>>, StoreError> {
    match row.finished.and_then(|f| f.body) {
        Some(id) => body(a, id),
        None => Ok(None),
    }
}

/// The effects known for these members, each once and oldest first, and whether every member has one.
fn known(
    a: &dyn Access,
    scope: &str,
    jobs: &[JobId],
    step: &str,
) -> Result<(Vec<EffectRow>, bool), StoreError> {
    let mut ids = Vec::new();
    let mut complete = true;
    for key in lookup_keys(scope, jobs, step) {
        match a.number(Tab::EffectKeys, &key)? {
            Some(id) => ids.push(id),
            None => complete = false,
        }
    }
    ids.sort_unstable();
    ids.dedup();
    Ok((a.named(Tab::Effects, &ids)?, complete))
}

/// Since when a step that the journal does not know may have happened: it was restored, and one of the members is about
/// something from before.
fn restored_doubt(a: &dyn Access, jobs: &[JobId]) -> Result<Option<Millis>, StoreError> {
    let Some(restored) = restored_mark(a)? else {
        return Ok(None);
    };
    for id in jobs {
        let Some(job) = jobs::job(a, *id)? else {
            continue;
        };
        let order = match job.order {
            Some(order) => orders::order(a, order)?,
            None => None,
        };
        // What has no time of its own is in doubt: a look-up too many does no harm.
        let began = match order {
            Some(order) => order.placed_at,
            None => documents::head(a, job.document)?.map(|head| head.occurred_at),
        };
        if began.is_none_or(|began| restored.may_know_less_than(began)) {
            // Until then it may have happened: whoever looks it up must wait as long as searches trail writes from then on.
            return Ok(Some(restored.at));
        }
    }
    Ok(None)
}

impl Tx<'_> {
    /// Begins a step for these members, or tells what is known of it.
    ///
    /// In a database that was restored, a step of an order from before is in doubt although the journal knows nothing of
    /// it: it may have happened after the backup.
    ///
    /// A step finished for all of them by one effect is replayed. A step not finished, or finished or begun for some
    /// of them only, is in doubt since the oldest begin. `absent` says that what was begun until then did not happen: a
    /// step that was not finished for any of them, nor begun later, is a fresh one. Of one that was begun later the
    /// look-up could say nothing: some member was sent again, alone, after the begin that was looked up.
    pub fn begin_effect(
        &mut self,
        connection: ConnectionId,
        scope_key: &str,
        jobs: &[JobId],
        step: &str,
        absent: Option<Millis>,
        now: Millis,
    ) -> Result<BegunRow, StoreError> {
        self.at(now);
        let (rows, complete) = known(self, scope_key, jobs, step)?;
        if let [row] = rows.as_slice()
            && complete
            && row.finished.is_some()
        {
            let answer = answer(self, row)?;
            return answer.map(BegunRow::Replay).ok_or_else(|| {
                StoreError::Conflict(format!("the answer of effect {} is kept no longer", row.id))
            });
        }
        if let Some(since) = rows.iter().map(|r| r.begun_at).min() {
            if absent.is_none() || rows.iter().any(|r| r.finished.is_some()) {
                return Ok(BegunRow::InDoubt(since));
            }
            let later = rows.iter().map(|r| r.begun_at).max();
            if let Some(later) = later.filter(|at| Some(*at) > absent) {
                return Ok(BegunRow::InDoubt(later));
            }
            for row in &rows {
                self.leave_effect(row, jobs)?;
            }
        }
        if rows.is_empty()
            && absent.is_none()
            && let Some(since) = restored_doubt(self, jobs)?
        {
            return Ok(BegunRow::InDoubt(since));
        }
        let id = EffectId(self.next("effect")?);
        let row = EffectRow {
            id,
            connection,
            scope: scope_key.to_owned(),
            step: step.to_owned(),
            jobs: jobs.to_vec(),
            begun_at: now,
            finished: None,
        };
        self.put_row(Tab::Effects, &effect_key(id), &row)?;
        for key in lookup_keys(scope_key, jobs, step) {
            self.put_number(Tab::EffectKeys, &key, id.0)?;
        }
        Ok(BegunRow::Fresh(id))
    }

    /// Ends a begun step with its answer; `None`: nothing happened, the next attempt is a first one.
    pub fn finish_effect(
        &mut self,
        id: EffectId,
        answer: Option<&[u8]>,
        now: Millis,
    ) -> Result<(), StoreError> {
        self.at(now);
        let mut row =
            effect(self, id)?.ok_or_else(|| StoreError::not_found(format!("effect {id}")))?;
        if row.finished.is_some() {
            return Err(StoreError::Conflict(format!("effect {id} is finished")));
        }
        let Some(answer) = answer else {
            let members = row.jobs.clone();
            return self.leave_effect(&row, &members);
        };
        row.finished = Some(FinishedEffect {
            at: now,
            body: Some(self.put_body(answer)?),
        });
        self.put_row(Tab::Effects, &effect_key(id), &row)?;
        self.put_bytes(Tab::BodyAges, &age_key(Age::Effect, now, id.0).0, &[])
    }

    /// Removes a step for these members, begun or answered: the vendor's words prove that it did not happen for them.
    /// Other members of the same effect keep theirs.
    pub fn retract_effect(
        &mut self,
        scope_key: &str,
        jobs: &[JobId],
        step: &str,
    ) -> Result<(), StoreError> {
        let (rows, _) = known(self, scope_key, jobs, step)?;
        for row in &rows {
            self.leave_finished(row, jobs)?;
        }
        Ok(())
    }

    /// Forgets every effect of a job: the vendor judged what was sent and refused it, so the next attempt is a first
    /// one. Other members of the same effects keep theirs.
    pub fn forget_effects(&mut self, job: JobId) -> Result<(), StoreError> {
        let span = Span::prefix(Key::new().byte(0).u64(job.0));
        let mut ids = Vec::new();
        for key in self.dynamic().keys(Tab::EffectKeys, &span, usize::MAX)? {
            ids.extend(self.dynamic().number(Tab::EffectKeys, &key)?);
        }
        ids.sort_unstable();
        ids.dedup();
        for row in self.dynamic().named::<EffectRow>(Tab::Effects, &ids)? {
            self.leave_finished(&row, &[job])?;
        }
        Ok(())
    }

    /// Forgets every effect of a scope: what it was about is over, and its name is never used again. Whether there were
    /// any: else nothing happened.
    pub fn forget_scope(&mut self, scope: &str) -> Result<bool, StoreError> {
        let span = Span::prefix(Key::new().byte(1).text(scope));
        let ids = self.dynamic().keys(Tab::EffectKeys, &span, usize::MAX)?;
        let any = !ids.is_empty();
        for key in ids {
            let Some(id) = self.dynamic().number(Tab::EffectKeys, &key)? else {
                continue;
            };
            for row in self.dynamic().named::<EffectRow>(Tab::Effects, &[id])? {
                self.leave_finished(&row, &[])?;
            }
        }
        Ok(any)
    }

    /// Takes members out of an effect that may be answered; with the last of them its answer goes.
    fn leave_finished(&mut self, row: &EffectRow, leaving: &[JobId]) -> Result<(), StoreError> {
        if row.jobs.iter().all(|job| leaving.contains(job))
            && let Some(finished) = row.finished
        {
            self.del(
                Tab::BodyAges,
                &age_key(Age::Effect, finished.at, row.id.0).0,
            )?;
            if let Some(body) = finished.body {
                self.drop_body(body)?;
            }
        }
        self.leave_effect(row, leaving)
    }

    /// Takes members out of an effect; one without members is gone.
    fn leave_effect(&mut self, row: &EffectRow, leaving: &[JobId]) -> Result<(), StoreError> {
        let (gone, stay): (Vec<JobId>, Vec<JobId>) =
            row.jobs.iter().partition(|job| leaving.contains(job));
        for key in lookup_keys(&row.scope, &gone, &row.step) {
            // Without members the only key is the scope's; with members that stay it is not theirs to remove.
            if !gone.is_empty() || row.jobs.is_empty() {
                self.del(Tab::EffectKeys, &key)?;
            }
        }
        if stay.is_empty() {
            return self.del(Tab::Effects, &effect_key(row.id)).map(drop);
        }
        let row = EffectRow {
            jobs: stay,
            ..row.clone()
        };
        self.put_row(Tab::Effects, &effect_key(row.id), &row)
    }

    /// Forgets the answer of a finished effect, not that it was finished.
    pub(crate) fn drop_answer(&mut self, mut row: EffectRow) -> Result<(), StoreError> {
        let Some(finished) = &mut row.finished else {
            return Err(corrupt(
                Tab::Effects.name(),
                &effect_key(row.id),
                "not finished",
            ));
        };
        if let Some(body) = finished.body.take() {
            self.drop_body(body)?;
        }
        self.put_row(Tab::Effects, &effect_key(row.id), &row)
    }
}
