//! What became of levels that were sent: each item's verdict, now or by its ticket, and what follows for its row. Knows not
//! which levels leave; `send.rs` does.

use crate::calls;
use crate::core::Core;
use crate::event::Event;
use crate::ports::level_scope;
use std::sync::Arc;
use waybill_host::connector::Mode;
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Failure, Outcome, Verdict};
use waybill_model::crash;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::Priority;
use waybill_store::{LevelBatchRow, LevelMember, LevelPending, LevelRow, Read, StoreError, Tx};

/// A verdict that does not come is given up after so many questions: the levels are sent again.
const ASKED_MOST: u32 = 30;
/// What a call without an answer has told has arrived after so long.
const ARRIVES_MS: Millis = 30_000;

/// How long the next question waits where one was not answered.
pub(super) fn unanswered_ms(core: &Core, batch: &LevelBatchRow) -> Millis {
    let asked = batch.pending.as_ref().map_or(0, |p| p.asked);
    core.backoff().wait_ms(asked + 1, core.rng.next_u64())
}

/// What became of each member; the batch stays open while a verdict is awaited.
pub(super) fn settle(
    tx: &mut Tx<'_>,
    (batch, members): (&LevelBatchRow, &[LevelMember]),
    told: &[Verdict],
    (first, unanswered): (Option<Millis>, Millis),
    now: Millis,
) -> Result<(), StoreError> {
    let asked = batch.pending.as_ref().map_or(0, |p| p.asked + 1);
    let mut open = Vec::new();
    let mut wait: Option<Millis> = None;
    for (member, verdict) in members.iter().zip(told) {
        match verdict {
            Ok(Outcome::Pending(ticket)) => {
                let secs = Millis::from(ticket.check_in_secs.max(1)) * 1_000;
                let secs = first.filter(|_| asked == 0).unwrap_or(secs);
                wait = Some(wait.map_or(secs, |w| w.min(secs)));
                open.push(LevelMember {
                    handle: Some(ticket.handle.clone()),
                    ..member.clone()
                });
            }
            // The question was not answered: what was sent stands as it is.
            Err(Failure::Retry(secs)) if member.handle.is_some() && asked < ASKED_MOST => {
                let ms = secs.map_or(unanswered, |secs| Millis::from(secs) * 1_000);
                wait = Some(wait.map_or(ms, |w| w.min(ms)));
                open.push(member.clone());
            }
            verdict => judge(tx, batch, member, verdict, now)?,
        }
    }
    if open.is_empty() {
        return close(tx, batch);
    }
    let due = now + wait.unwrap_or(1_000).max(1);
    tx.put_level_members(batch.from, batch.to, &open)?;
    tx.put_level_batch(&LevelBatchRow {
        pending: Some(LevelPending { due, asked }),
        ..batch.clone()
    })
}

fn judge(
    tx: &mut Tx<'_>,
    batch: &LevelBatchRow,
    member: &LevelMember,
    verdict: &Verdict,
    now: Millis,
) -> Result<(), StoreError> {
    let Some(known) = tx.level(batch.from, batch.to, &member.item)? else {
        return Ok(());
    };
    let mut row = known.clone();
    match verdict {
        Ok(Outcome::Pending(_)) => return Ok(()),
        Ok(_) => {
            row.sent = Some(member.counts.clone());
            row.sent_at = Some(now);
            row.problem = None;
        }
        // Nobody knows what it has: it is told again.
        Err(Failure::Retry(_) | Failure::Unauthorized(_) | Failure::InDoubt(_)) => {
            row.sent = None;
        }
        Err(Failure::Rejected(problem) | Failure::Withdrawn(problem)) => {
            // Other numbers are worth another try.
            if row.counts() == member.counts {
                row.problem = Some(problem.clone());
            }
        }
        Err(Failure::Unmapped(gaps)) => {
            let cell = gaps.first().map_or("", |gap| gap.value.as_str());
            row.problem = Some(waybill_model::contract::Problem::new(
                "unmapped",
                format!("`{cell}` is matched to nothing."),
                "Fill the cell in Matching, then retry.",
            ));
        }
    }
    tx.replace_level(Some(&known), &row)
}

/// Leaves a batch whose call was not answered. Whether it may have told anything: the journal knows. What it told may
/// still be on its way, and must not arrive after what is newer, so nothing is told for a while.
pub(super) fn leave_unanswered(
    tx: &mut Tx<'_>,
    batch: &LevelBatchRow,
    now: Millis,
) -> Result<bool, StoreError> {
    if !tx.forget_scope(&level_scope(batch.to, &batch.number.to_string()))? {
        tx.close_level_batch(batch.from, batch.to)?;
        return Ok(false);
    }
    tx.put_level_members(batch.from, batch.to, &[])?;
    let due = now + ARRIVES_MS;
    tx.put_level_batch(&LevelBatchRow {
        pending: Some(LevelPending { due, asked: 0 }),
        ..batch.clone()
    })?;
    Ok(true)
}

/// These levels may have been told. They are told again, even where they are by then what was told before.
pub(super) fn doubt(
    tx: &mut Tx<'_>,
    batch: &LevelBatchRow,
    members: &[LevelMember],
) -> Result<(), StoreError> {
    for member in members {
        let known = tx.level(batch.from, batch.to, &member.item)?;
        if let Some(known) = known.filter(|row| row.sent.is_some() && !row.doubted) {
            let doubted = LevelRow {
                doubted: true,
                ..known.clone()
            };
            tx.replace_level(Some(&known), &doubted)?;
        }
    }
    Ok(())
}

pub(super) fn close(tx: &mut Tx<'_>, batch: &LevelBatchRow) -> Result<(), StoreError> {
    tx.forget_scope(&level_scope(batch.to, &batch.number.to_string()))?;
    tx.close_level_batch(batch.from, batch.to)
}

/// Asks what became of the levels that were sent.
pub(crate) async fn confirm(core: Arc<Core>, to: ConnectionId) -> Result<(), StoreError> {
    let Some(slot) = core.slot(to) else {
        return Ok(());
    };
    let Some(connector) = slot.connector() else {
        return Ok(());
    };
    let desk = core.desk();
    let now = core.now();
    let due = core.store.read(|rx| {
        let mut due = Vec::new();
        for row in desk.routes.iter().filter(|r| r.to == to) {
            if row.entity == Entity::InventoryLevel {
                due.extend(rx.level_batch(row.from, to)?);
            }
        }
        due.retain(|batch| batch.pending.as_ref().is_some_and(|p| p.due <= now));
        Ok(due)
    })?;
    for batch in due {
        let members = core
            .store
            .read(|rx| rx.level_members(batch.from, batch.to))?;
        // Its answer was lost, and what it told has arrived by now.
        if members.is_empty() {
            core.store.write(move |tx| close(tx, &batch)).await?;
            continue;
        }
        let handles: Vec<String> = members.iter().filter_map(|m| m.handle.clone()).collect();
        let scope = EffectScope::Levels(batch.number.to_string());
        let call = core.call(&slot, scope, Priority::Stock, Mode::ReadOnly, 1);
        let answer = connector.confirm(call, handles).await;
        let now = core.now();
        let value = answer
            .value
            .and_then(|verdicts| calls::one_each(verdicts, members.len(), "levels"));
        let unanswered = unanswered_ms(&core, &batch);
        crash::point("levels.before-judged");
        core.store
            .write(move |tx| {
                let waits = (None, unanswered);
                match &value {
                    Ok(verdicts) => {
                        calls::mark_verdicts(tx, to, verdicts, now)?;
                        settle(tx, (&batch, &members), verdicts, waits, now)
                    }
                    Err(error) => {
                        calls::mark_error(tx, to, error, now)?;
                        let none = vec![Err(Failure::Retry(None)); members.len()];
                        settle(tx, (&batch, &members), &none, waits, now)
                    }
                }
            })
            .await?;
        crash::point("levels.judged");
    }
    core.wake(Event::Changed);
    Ok(())
}
