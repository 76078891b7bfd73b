//! Retention: bodies and logs go when they are old and nobody needs them; keys that prevent doubles stay.
//! Works through ages oldest first, in runs small enough for one commit. Knows no clock and no setting.

use crate::access::{Access, Tx};
use crate::codec::{Key, Parts, Span, corrupt};
use crate::documents::{Head, head, latest_key};
use crate::error::StoreError;
use crate::rows::{AuditRow, Pruned, Retention, SettingChange};
use crate::schema::Tab;
use crate::{documents, jobs, journal, orders};
use waybill_model::document::Entity;
use waybill_model::ids::{BatchId, DocumentId, EffectId, Millis};
use waybill_model::order_state::OrderStage;

/// Whose body it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    Document = 0,
    Transcript = 1,
    Effect = 2,
}

pub(crate) fn age_key(age: Age, at: Millis, owner: u64) -> Key {
    Key::new().byte(age as u8).i64(at).u64(owner)
}

/// Owners of that kind from before that time, oldest first, after where the last run stopped.
fn aged(
    a: &dyn Access,
    age: Age,
    before: Millis,
    after: Option<Vec<u8>>,
    limit: usize,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut span =
        Span::prefix(Key::new().byte(age as u8)).before(Key::new().byte(age as u8).i64(before));
    if let Some(after) = after {
        span = span.after(Key(after));
    }
    a.keys(Tab::BodyAges, &span, limit)
}

/// Kinds of which only the newest revision means anything: an old one goes with its keys.
pub(crate) const fn is_reference(entity: Entity) -> bool {
    matches!(
        entity,
        Entity::Item
            | Entity::Customer
            | Entity::Retailer
            | Entity::Warehouse
            | Entity::ShippingMethod
            | Entity::InventoryLevel
    )
}

/// Whether anybody may still read this body.
fn needed(a: &dyn Access, id: DocumentId, head: &Head) -> Result<bool, StoreError> {
    let jobs = Span::prefix(Key::new().u64(id.0));
    if !a.keys(Tab::JobDocuments, &jobs, 1)?.is_empty() {
        return Ok(true);
    }
    let place = latest_key(head.connection, head.entity, &head.key);
    let latest = a.number(Tab::Latest, &place.0)? == Some(id.0);
    if is_reference(head.entity) {
        return Ok(latest);
    }
    let Some(order) = head.order else {
        return Ok(false);
    };
    let stage = orders::order(a, order)?.map(|row| row.stage);
    let over = matches!(
        stage,
        None | Some(OrderStage::Invoiced | OrderStage::Cancelled | OrderStage::Refused)
    );
    if !over {
        return Ok(true);
    }
    let open = jobs::of_order(a, order)?;
    Ok(open.iter().any(|job| !job.state.is_done()))
}

impl Tx<'_> {
    /// Removes what is older than its retention and not needed. Small runs: ask again while `more` is said.
    pub fn prune(&mut self, now: Millis, retention: &Retention) -> Result<Pruned, StoreError> {
        let mut pruned = Pruned::default();
        let limit = retention.limit.max(1);
        pruned.documents = self.prune_kind(
            Age::Document,
            now - retention.documents_ms,
            limit,
            &mut pruned.more,
        )?;
        pruned.transcripts = self.prune_kind(
            Age::Transcript,
            now - retention.transcripts_ms,
            limit,
            &mut pruned.more,
        )?;
        pruned.effects = self.prune_kind(
            Age::Effect,
            now - retention.effects_ms,
            limit,
            &mut pruned.more,
        )?;
        let before = now - retention.audit_ms;
        let (audit, more) = self.prune_log(Tab::Audit, limit, |key, bytes| {
            crate::codec::decode::<AuditRow>(Tab::Audit.name(), key, bytes).map(|r| r.at < before)
        })?;
        let (changes, also) = self.prune_log(Tab::SettingLog, limit, |key, bytes| {
            crate::codec::decode::<SettingChange>(Tab::SettingLog.name(), key, bytes)
                .map(|r| r.at < before)
        })?;
        pruned.audit = audit + changes;
        pruned.more |= more || also;
        Ok(pruned)
    }

    /// One run over one kind. Where it stops is kept, so that bodies still needed do not block those behind them; at
    /// the end it starts over with the next run.
    fn prune_kind(
        &mut self,
        age: Age,
        before: Millis,
        limit: usize,
        more: &mut bool,
    ) -> Result<u64, StoreError> {
        let mark = format!("prune:{}", age as u8);
        let from = self.dynamic().bytes(Tab::Meta, mark.as_bytes())?;
        let keys = aged(self, age, before, from, limit)?;
        if keys.len() == limit {
            *more = true;
            if let Some(last) = keys.last() {
                self.put_bytes(Tab::Meta, mark.as_bytes(), last)?;
            }
        } else {
            self.del(Tab::Meta, mark.as_bytes())?;
        }
        let mut removed = 0;
        for key in keys {
            let mut parts = Parts::of(Tab::BodyAges.name(), &key);
            parts.byte()?;
            parts.i64()?;
            let owner = parts.u64()?;
            let gone = match age {
                Age::Document => self.prune_document(DocumentId(owner))?,
                Age::Transcript => self.prune_transcript(BatchId(owner))?,
                Age::Effect => self.prune_effect(EffectId(owner))?,
            };
            if gone {
                self.del(Tab::BodyAges, &key)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn prune_document(&mut self, id: DocumentId) -> Result<bool, StoreError> {
        let Some(mut row) = head(self, id)? else {
            return Ok(true);
        };
        if needed(self, id, &row)? {
            return Ok(false);
        }
        if let Some(body) = row.body.take() {
            self.drop_body(body)?;
        }
        let key = Key::new().u64(id.0).0;
        if is_reference(row.entity) {
            self.reindex(&documents::entries(id, &row), &[])?;
            self.del(Tab::Documents, &key)?;
        } else {
            self.put_row(Tab::Documents, &key, &row)?;
        }
        Ok(true)
    }

    fn prune_transcript(&mut self, id: BatchId) -> Result<bool, StoreError> {
        let key = Key::new().u64(id.0).0;
        if let Some(body) = self.dynamic().number(Tab::Transcripts, &key)? {
            self.drop_body(body)?;
        }
        self.del(Tab::Transcripts, &key)?;
        Ok(true)
    }

    /// An answer goes only when no member can ask for it again.
    fn prune_effect(&mut self, id: EffectId) -> Result<bool, StoreError> {
        let Some(row) = journal::effect(self, id)? else {
            return Ok(true);
        };
        for job in &row.jobs {
            if jobs::job(self, *job)?.is_some_and(|j| !j.state.is_done()) {
                return Ok(false);
            }
        }
        self.drop_answer(row)?;
        Ok(true)
    }

    fn prune_log(
        &mut self,
        tab: Tab,
        limit: usize,
        old: impl Fn(&[u8], &[u8]) -> Result<bool, StoreError>,
    ) -> Result<(u64, bool), StoreError> {
        let mut keys = Vec::new();
        self.scan(tab, &Span::all(), &mut |key, bytes| {
            if !old(key, bytes)? {
                return Ok(false);
            }
            keys.push(key.to_vec());
            Ok(keys.len() < limit)
        })?;
        for key in &keys {
            if !self.del(tab, key)? {
                return Err(corrupt(tab.name(), key, "it vanished"));
            }
        }
        Ok((keys.len() as u64, keys.len() == limit))
    }
}
