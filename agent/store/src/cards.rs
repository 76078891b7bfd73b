//! Cards: one per cause, with the jobs parked behind it. A card is there exactly while a parked job names its cause.
//! Nothing is hidden for good: a new job of an ignored cause brings the card back.

use crate::access::{Access, Entry, Tx};
use crate::codec::{Key, Span, hex, tail_u64};
use crate::error::StoreError;
use crate::jobs;
use crate::rows::{CardKinds, CardRow, Cause, JobRow};
use crate::schema::Tab;
use sha2::{Digest, Sha256};
use waybill_model::ids::Millis;
use waybill_model::job::{JobState, Reason};

/// Counts the cards that are not ignored.
pub(crate) const COUNTER: &str = "cards";
/// Most jobs of one card that are read at once.
const SHOWN: usize = 500;

/// The stable id of a cause.
pub(crate) fn card_id(cause: &Cause) -> String {
    let (kind, key) = match cause {
        Cause::Gap { from, to, gap } => (
            "gap",
            Key::new()
                .u32(from.0)
                .u32(to.0)
                .text(&gap.table)
                .text_or_none(gap.retailer.as_deref())
                .text(&gap.value),
        ),
        Cause::Problem {
            connection,
            problem,
            order,
        }
        | Cause::InDoubt {
            connection,
            problem,
            order,
        } => {
            let key = Key::new().u32(connection.0).text(&problem.code);
            let key = match order {
                Some(order) => key.byte(1).u64(order.0),
                None => key.byte(0).text(&problem.message),
            };
            let doubt = matches!(cause, Cause::InDoubt { .. });
            (if doubt { "in-doubt" } else { "problem" }, key)
        }
    };
    format!("{kind}-{}", &hex(&Sha256::digest(&key.0))[..20])
}

/// The causes a parked job names, each once.
pub(crate) fn causes(row: &JobRow) -> Vec<Cause> {
    let JobState::Parked(reason) = &row.state else {
        return Vec::new();
    };
    match reason {
        Reason::Gaps(gaps) => {
            let mut gaps = gaps.clone();
            gaps.sort_unstable();
            gaps.dedup();
            let cause = |gap| Cause::Gap {
                from: row.from,
                to: row.to,
                gap,
            };
            gaps.into_iter().map(cause).collect()
        }
        Reason::Problem(problem) => vec![Cause::Problem {
            connection: row.to,
            problem: problem.clone(),
            order: row.order,
        }],
        Reason::InDoubt(problem) => vec![Cause::InDoubt {
            connection: row.to,
            problem: problem.clone(),
            order: row.order,
        }],
    }
}

pub(crate) fn job_entry(cause: &Cause, row: &JobRow) -> Entry {
    Entry::mark(
        Tab::CardJobs,
        Key::new()
            .text(&card_id(cause))
            .time_or_last(row.urgent_by)
            .u64(row.id.0),
    )
}

/// Where the list of cards shows one.
pub(crate) fn rank_entry(row: &CardRow) -> Option<Entry> {
    row.ignored.is_none().then(|| {
        Entry::mark(
            Tab::CardRanks,
            Key::new()
                .time_or_last(row.urgent_by)
                .i64(row.first_at)
                .text(&row.id),
        )
    })
}

fn jobs_span(id: &str) -> Span {
    Span::prefix(Key::new().text(id))
}

pub(crate) fn cards(a: &dyn Access, limit: usize) -> Result<Vec<CardRow>, StoreError> {
    let keys = a.keys(Tab::CardRanks, &Span::all(), limit)?;
    let mut out = Vec::new();
    for key in keys {
        let mut parts = crate::codec::Parts::of(Tab::CardRanks.name(), &key);
        parts.i64()?;
        parts.i64()?;
        out.extend(row(a, &parts.text()?)?);
    }
    Ok(out)
}

/// Cards by kind, read from their places in the list alone; their ids begin with the kind.
pub(crate) fn kinds(a: &dyn Access, limit: usize) -> Result<CardKinds, StoreError> {
    let mut kinds = CardKinds::default();
    for key in a.keys(Tab::CardRanks, &Span::all(), limit)? {
        let mut parts = crate::codec::Parts::of(Tab::CardRanks.name(), &key);
        parts.i64()?;
        parts.i64()?;
        let id = parts.text()?;
        let kind = if id.starts_with("gap-") {
            &mut kinds.gaps
        } else if id.starts_with("in-doubt-") {
            &mut kinds.in_doubt
        } else {
            &mut kinds.problems
        };
        *kind += 1;
    }
    Ok(kinds)
}

/// Cards somebody left alone. There are few: each was written by a person.
pub(crate) fn left(a: &dyn Access, limit: usize) -> Result<Vec<CardRow>, StoreError> {
    let mut rows: Vec<CardRow> = a.rows(Tab::Cards, &Span::all(), usize::MAX)?;
    rows.retain(|card| card.ignored.is_some());
    rows.truncate(limit);
    Ok(rows)
}

pub(crate) fn row(a: &dyn Access, id: &str) -> Result<Option<CardRow>, StoreError> {
    a.row(Tab::Cards, id.as_bytes())
}

pub(crate) fn card(a: &dyn Access, id: &str) -> Result<Option<(CardRow, Vec<JobRow>)>, StoreError> {
    let Some(row) = row(a, id)? else {
        return Ok(None);
    };
    let ids = a.tails(Tab::CardJobs, &jobs_span(id), SHOWN)?;
    Ok(Some((row, a.named(Tab::Jobs, &ids)?)))
}

impl Tx<'_> {
    /// Keeps the cards of a job's old and new causes in step. Runs after the job's entries are.
    pub(crate) fn keep_cards(
        &mut self,
        old: Option<&JobRow>,
        new: &JobRow,
    ) -> Result<(), StoreError> {
        let before = old.map(causes).unwrap_or_default();
        let after = causes(new);
        let before_ids: Vec<String> = before.iter().map(card_id).collect();
        let after_ids: Vec<String> = after.iter().map(card_id).collect();
        for id in before_ids.iter().filter(|id| !after_ids.contains(id)) {
            self.keep_card(id, None, -1, new.changed_at)?;
        }
        for (id, cause) in after_ids.iter().zip(after) {
            let joins = i64::from(!before_ids.contains(id));
            self.keep_card(id, Some(cause), joins, new.changed_at)?;
        }
        Ok(())
    }

    fn keep_card(
        &mut self,
        id: &str,
        cause: Option<Cause>,
        joins: i64,
        now: Millis,
    ) -> Result<(), StoreError> {
        let old = row(self, id)?;
        let first = self.dynamic().keys(Tab::CardJobs, &jobs_span(id), 1)?.pop();
        let urgent_by = match &first {
            Some(key) => jobs::listed_urgency(Tab::CardJobs, key)?,
            None => None,
        };
        let known = old.as_ref();
        let Some(cause) = cause.or_else(|| known.map(|c| c.cause.clone())) else {
            return Ok(());
        };
        let new = CardRow {
            id: id.to_owned(),
            cause,
            first_at: known.map_or(now, |c| c.first_at),
            jobs: known.map_or(0, |c| c.jobs).saturating_add_signed(joins),
            urgent_by,
            ignored: known.and_then(|c| c.ignored.clone()).filter(|_| joins <= 0),
        };
        self.store_card(old.as_ref(), (new.jobs > 0).then_some(&new))
    }

    fn store_card(
        &mut self,
        old: Option<&CardRow>,
        new: Option<&CardRow>,
    ) -> Result<(), StoreError> {
        if old == new {
            return Ok(());
        }
        match (old, new) {
            (_, Some(new)) => self.put_row(Tab::Cards, new.id.as_bytes(), new)?,
            (Some(old), None) => self.del(Tab::Cards, old.id.as_bytes()).map(drop)?,
            (None, None) => {}
        }
        let before: Vec<Entry> = old.and_then(rank_entry).into_iter().collect();
        let after: Vec<Entry> = new.and_then(rank_entry).into_iter().collect();
        self.reindex(&before, &after)?;
        self.count(
            COUNTER,
            i64::from(!after.is_empty()) - i64::from(!before.is_empty()),
        )
    }

    /// Takes a card off the list with a reason; the caller writes the audit in a person's words. Its jobs stay parked
    /// until they are ended; a new job of the same cause brings the card back.
    pub fn ignore_card(&mut self, id: &str, reason: &str) -> Result<(), StoreError> {
        let old = row(self, id)?.ok_or_else(|| StoreError::not_found(format!("card {id}")))?;
        let new = CardRow {
            ignored: Some(reason.to_owned()),
            ..old.clone()
        };
        self.store_card(Some(&old), Some(&new))
    }
}

/// Counts of a card as they follow from the list of its jobs.
pub(crate) fn recount(a: &dyn Access, id: &str) -> Result<(u64, Option<Millis>), StoreError> {
    let keys = a.keys(Tab::CardJobs, &jobs_span(id), usize::MAX)?;
    for key in &keys {
        tail_u64(Tab::CardJobs.name(), key)?;
    }
    let urgent_by = match keys.first() {
        Some(key) => jobs::listed_urgency(Tab::CardJobs, key)?,
        None => None,
    };
    Ok((keys.len() as u64, urgent_by))
}
