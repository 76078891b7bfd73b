//! Telling the network: one batch on a route at a time, the newest numbers, all warehouses of an item together, and each
//! followed to its verdict. No job and no queue: a batch that is lost is sent again as it stands then.

use super::derive::{self, Route};
use super::full::{FullSet, full_ms, full_set, keep_full};
use super::taken;
use crate::calls;
use crate::core::{Core, Desk, OneBuild, Slot};
use crate::event::Event;
use crate::flow::{self, Standing};
use crate::ports::level_scope;
use crate::pull;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use waybill_host::connector::{CallError, Mode};
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Delivery, Failure, Outcome, Verdict};
use waybill_model::crash;
use waybill_model::document::{Body, Document, Entity, InventoryLevel};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::Priority;
use waybill_model::settings::CONFIRM;
use waybill_store::{
    LevelBatchRow, LevelList, LevelMember, LevelPending, LevelRow, Read, StoreError, Tx,
};

/// The network's orders count as read for so long after they were.
const FRESH_MS: Millis = 15_000;
/// Orders that were not read for two polls and this long are behind.
const BEHIND_MS: Millis = 60_000;
/// How often is looked whether the units were read for the first time.
const FIRST_ROUND_MS: Millis = 5_000;
/// A verdict that does not come is given up after so many questions: the levels are sent again.
const ASKED_MOST: u32 = 30;

/// When levels may leave for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A batch may be claimed now.
    Push,
    /// A verdict is due.
    Confirm,
    /// Not before then.
    At(Millis),
}

/// Whether the orders of this connection cannot be read.
pub(super) fn is_behind(rows: &dyn Read, slot: &Slot, now: Millis) -> Result<bool, StoreError> {
    Ok(orders(rows, slot, now)? == Orders::Behind)
}

/// Whether the orders of this connection were read so far that every order it has handed out is counted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Orders {
    Read,
    /// They are read soon: it is worth waiting.
    Soon(Millis),
    /// They cannot be read now.
    Behind,
}

fn orders(rows: &dyn Read, slot: &Slot, now: Millis) -> Result<Orders, StoreError> {
    let lowers = slot.descriptor().is_some_and(|d| {
        let intake = d.intake(Entity::InventoryLevel);
        intake.is_some_and(|i| i.self_decrementing) && d.feed(Entity::Order).is_some()
    });
    if !lowers {
        return Ok(Orders::Read);
    }
    let poll = pull::poll_ms(slot, Entity::Order);
    let feed = rows.feed(slot.row.id, Entity::Order)?;
    let read = feed.as_ref().and_then(|feed| feed.caught_up_at);
    Ok(match read {
        Some(at) if now - at <= FRESH_MS => Orders::Read,
        Some(at) if now - at <= 2 * poll + BEHIND_MS => Orders::Soon(at + poll.max(1_000)),
        _ => Orders::Behind,
    })
}

/// When levels may leave for this connection; `None`: none go there.
pub(crate) fn turn(
    core: &Core,
    rows: &dyn Read,
    desk: &Desk,
    slot: &Slot,
    now: Millis,
) -> Result<Option<Turn>, StoreError> {
    let to = slot.row.id;
    let takes = slot
        .descriptor()
        .is_some_and(|d| d.intake(Entity::InventoryLevel).is_some());
    let mut next: Option<Millis> = None;
    let mut sooner = |at: Millis| next = Some(next.map_or(at, |other| other.min(at)));
    for row in derive::all_routes(desk).filter(|row| takes && row.to == to) {
        if let Some(batch) = rows.level_batch(row.from, to)?
            && let Some(pending) = batch.pending
        {
            if pending.due <= now {
                return Ok(Some(Turn::Confirm));
            }
            sooner(pending.due);
            continue;
        }
        if !derive::is_on(desk) {
            continue;
        }
        match flow::standing(desk, row, now) {
            Standing::Runs => {}
            Standing::Paused => continue,
            Standing::Closed(until) => {
                sooner(until);
                continue;
            }
        }
        let full = full_set(rows, (row.from, to), desk, now)?;
        let any = !full.done
            || rows.stock_orders_marked()?
            || !rows.dirty_levels(row.from, to, 1)?.is_empty();
        if !any {
            sooner(full.began + full_ms(desk));
            continue;
        }
        if first_round(rows, row.from, row.to, slot)? {
            sooner(now + FIRST_ROUND_MS);
            continue;
        }
        let rest = core.levels_rest(to);
        match orders(rows, slot, now)? {
            _ if rest > now => sooner(rest),
            Orders::Read | Orders::Behind => return Ok(Some(Turn::Push)),
            Orders::Soon(at) => sooner(at.max(now + 1_000)),
        }
    }
    Ok(next.map(Turn::At))
}

/// Whether the units of a connection are being read for the first time, and no batch is full yet: levels of items that are
/// read one after the other would leave in many small calls.
fn first_round(
    rows: &dyn Read,
    from: ConnectionId,
    to: ConnectionId,
    slot: &Slot,
) -> Result<bool, StoreError> {
    let feed = rows.feed(from, Entity::InventoryLevel)?;
    if feed.is_none_or(|feed| feed.caught_up_at.is_some()) {
        return Ok(false);
    }
    let most = most_levels(slot);
    let items = rows.count_levels((from, to), LevelList::Waiting, most)?;
    // All items have the same warehouses.
    let one = rows.dirty_levels(from, to, 1)?;
    let places = one.first().map_or(1, |row| row.wanted.len().max(1));
    Ok(items * places < most)
}

/// Most levels of one call.
fn most_levels(slot: &Slot) -> usize {
    slot.descriptor()
        .and_then(|d| d.intake(Entity::InventoryLevel))
        .map_or(1, |i| i.max_batch.max(1) as usize)
}

/// What was claimed.
struct Claim {
    batch: LevelBatchRow,
    full: Option<FullSet>,
}

/// Sends levels until none is left that may leave.
pub(crate) async fn push(core: Arc<Core>, to: ConnectionId) -> Result<(), StoreError> {
    let pushed = push_all(&core, to).await;
    core.rest_levels(to, core.now() + core.gather_ms().max(1));
    core.wake(Event::Changed);
    pushed
}

async fn push_all(core: &Arc<Core>, to: ConnectionId) -> Result<(), StoreError> {
    let mut build = OneBuild::default();
    loop {
        let Some(slot) = core.slot(to).filter(|slot| build.is(slot)) else {
            return Ok(());
        };
        let Some(connector) = slot.connector().cloned() else {
            return Ok(());
        };
        let Some(claim) = claim(core, &slot).await? else {
            return Ok(());
        };
        let scope = EffectScope::Levels(claim.batch.number.to_string());
        let call = core.call(&slot, scope, Priority::Stock, Mode::Live, 1);
        let now = core.now();
        let (deliveries, of) = deliveries(&claim.batch, now);
        let answer = connector.push(call, deliveries).await;
        let value = answer.value.and_then(|verdicts| {
            if verdicts.len() == of.len() {
                return Ok(verdicts);
            }
            let why = format!("{} verdicts for {} levels", verdicts.len(), of.len());
            Err(CallError::Contract(why))
        });
        let writes = answer.writes;
        let first = slot.millis(CONFIRM);
        let unanswered = unanswered_ms(core, &claim.batch);
        let now = core.now();
        let went_well = value.is_ok();
        if let Err(error) = &value {
            tracing::warn!(number = claim.batch.number, error = ?error, "Stock could not be told and will be sent again.");
        }
        crash::point("levels.before-commit");
        core.store
            .write(move |tx| {
                tx.kv_apply(to, &writes)?;
                match &value {
                    Ok(verdicts) => {
                        calls::mark_verdicts(tx, to, verdicts, now)?;
                        if let Some(full) = &claim.full {
                            keep_full(tx, claim.batch.from, to, full)?;
                        }
                        let told = by_member(claim.batch.members.len(), &of, verdicts);
                        settle(tx, &claim.batch, &told, (first, unanswered), now)
                    }
                    Err(error) => {
                        calls::mark_error(tx, to, error, now)?;
                        close(tx, &claim.batch)
                    }
                }
            })
            .await?;
        crash::point("levels.committed");
        if !went_well {
            return Ok(());
        }
    }
}

/// Commits a batch of what may leave now.
async fn claim(core: &Arc<Core>, slot: &Slot) -> Result<Option<Claim>, StoreError> {
    let (desk, shared, slot) = (core.desk(), core.clone(), slot.clone());
    let now = core.now();
    let most = most_levels(&slot);
    crash::point("levels.before-claim");
    let claimed = core
        .store
        .write(move |tx| {
            let to = slot.row.id;
            if !shared.may_call(tx, to, now)? {
                return Ok(None);
            }
            // An order is counted once, for everybody whose numbers it changes.
            let routes = derive::routes(tx, &desk, |_| true)?;
            while taken::catch_up(tx, &routes, now)? {}
            for route in routes.iter().filter(|route| route.to == to) {
                // A pause counts from its commit on, whatever was read of it before.
                let row = tx.route(Entity::InventoryLevel, route.from, to)?;
                if row.is_none_or(|row| flow::standing(&desk, &row, now) != Standing::Runs) {
                    continue;
                }
                match tx.level_batch(route.from, to)? {
                    Some(open) if open.pending.is_some() => continue,
                    // A crash cut its call short.
                    Some(cut) => close(tx, &cut)?,
                    None => {}
                }
                let orders = orders(tx, &slot, now)?;
                let claim = match orders {
                    Orders::Read => all(tx, &desk, route, most, now)?,
                    Orders::Behind => lower(tx, route, most)?,
                    Orders::Soon(_) => None,
                };
                if let Some((members, full)) = claim {
                    let batch = LevelBatchRow {
                        from: route.from,
                        to,
                        number: tx.next_level_batch()?,
                        members,
                        pending: None,
                    };
                    tx.put_level_batch(&batch)?;
                    return Ok(Some(Claim { batch, full }));
                }
            }
            Ok(None)
        })
        .await?;
    if let Some(claim) = &claimed {
        crash::point("levels.claimed");
        let (number, items) = (claim.batch.number, claim.batch.members.len());
        core.observe(|| format!("levels {number} items={items}"));
        tracing::debug!(number, items, "Stock is sent.");
    }
    Ok(claimed)
}

type Chosen = Option<(Vec<LevelMember>, Option<FullSet>)>;

fn member(row: &LevelRow) -> LevelMember {
    LevelMember {
        item: row.item.clone(),
        counts: row.counts(),
        handle: None,
    }
}

/// What differs, and what the full set has next.
fn all(
    tx: &mut Tx<'_>,
    desk: &Desk,
    route: &Route,
    most: usize,
    now: Millis,
) -> Result<Chosen, StoreError> {
    let mut room = most;
    let mut members = Vec::new();
    let mut chosen = BTreeSet::new();
    for row in tx.dirty_levels(route.from, route.to, most)? {
        if row.wanted.len() > room && !members.is_empty() {
            room = 0;
            break;
        }
        room = room.saturating_sub(row.wanted.len());
        chosen.insert(row.item.clone());
        members.push(member(&row));
        // Whatever casts a doubt from now on is news.
        if row.doubted {
            tx.put_level(&LevelRow {
                sent: None,
                doubted: false,
                ..row
            })?;
        }
    }
    let mut full = full_set(tx, (route.from, route.to), desk, now)?;
    let before = full.clone();
    while room > 0 && !full.done {
        let rows = tx.levels(route.from, route.to, full.after.as_deref(), room.min(1_000))?;
        full.done = rows.is_empty();
        for row in rows {
            // What was told since the set began belongs to it.
            let told = row.sent_at.is_some_and(|at| at >= full.began) && row.sent.is_some();
            let skip = chosen.contains(&row.item) || row.problem.is_some() || told;
            if !skip && row.wanted.len() > room {
                room = 0;
                break;
            }
            full.after = Some(row.item.clone());
            if !skip {
                room -= row.wanted.len();
                members.push(member(&row));
            }
        }
    }
    let full = (full != before || full.began == now).then_some(full);
    if members.is_empty() {
        // The set ends here, without a call.
        if let Some(full) = full {
            keep_full(tx, route.from, route.to, &full)?;
        }
        return Ok(None);
    }
    Ok(Some((members, full)))
}

/// Only numbers that fall: the network may have handed out orders that nobody here has read.
fn lower(tx: &Tx<'_>, route: &Route, most: usize) -> Result<Chosen, StoreError> {
    let mut members = Vec::new();
    let mut room = most;
    for row in tx.dirty_levels(route.from, route.to, most)? {
        let Some(sent) = &row.sent else { continue };
        let had: BTreeMap<&str, _> = sent
            .iter()
            .map(|c| (c.warehouse.as_str(), c.units))
            .collect();
        let mut counts = row.counts();
        for count in &mut counts {
            let had = had.get(count.warehouse.as_str()).copied();
            let had = had.unwrap_or(waybill_model::decimal::Decimal::ZERO);
            if had.checked_sub(count.units).is_none_or(|d| d.units < 0) {
                count.units = had;
            }
        }
        if counts == *sent || counts.len() > room {
            continue;
        }
        room -= counts.len();
        members.push(LevelMember {
            counts,
            ..member(&row)
        });
    }
    Ok((!members.is_empty()).then_some((members, None)))
}

/// One document per item and warehouse; which member each belongs to.
fn deliveries(batch: &LevelBatchRow, now: Millis) -> (Vec<Delivery>, Vec<usize>) {
    let mut all = Vec::new();
    let mut of = Vec::new();
    for (index, member) in batch.members.iter().enumerate() {
        for count in &member.counts {
            let body = Body::InventoryLevel(InventoryLevel {
                item: member.item.clone(),
                warehouse: count.warehouse.clone(),
                available: count.units,
                expected_at: None,
            });
            let document = Document {
                key: format!("{}@{}", member.item, count.warehouse),
                revision: batch.number.to_string(),
                occurred_at: now,
                body,
            };
            all.push(Delivery {
                document,
                origin: None,
                links: Vec::new(),
                settings: Vec::new(),
            });
            of.push(index);
        }
    }
    (all, of)
}

/// One verdict per member: the worst of its warehouses.
fn by_member(members: usize, of: &[usize], verdicts: &[Verdict]) -> Vec<Option<Verdict>> {
    let rank = |verdict: &Verdict| match verdict {
        Ok(Outcome::Pending(_)) => 1,
        Ok(_) => 0,
        Err(Failure::Retry(_) | Failure::Unauthorized(_) | Failure::InDoubt(_)) => 2,
        Err(_) => 3,
    };
    let mut worst: Vec<Option<Verdict>> = vec![None; members];
    for (index, verdict) in of.iter().zip(verdicts) {
        if let Some(place) = worst.get_mut(*index)
            && place
                .as_ref()
                .is_none_or(|known| rank(known) < rank(verdict))
        {
            *place = Some(verdict.clone());
        }
    }
    worst
}

/// How long the next question waits where one was not answered.
fn unanswered_ms(core: &Core, batch: &LevelBatchRow) -> Millis {
    let asked = batch.pending.as_ref().map_or(0, |p| p.asked);
    core.backoff().wait_ms(asked + 1, core.rng.next_u64())
}

/// What became of each member; the batch stays open while a verdict is awaited.
fn settle(
    tx: &mut Tx<'_>,
    batch: &LevelBatchRow,
    told: &[Option<Verdict>],
    (first, unanswered): (Option<Millis>, Millis),
    now: Millis,
) -> Result<(), StoreError> {
    let asked = batch.pending.as_ref().map_or(0, |p| p.asked + 1);
    let mut open = Vec::new();
    let mut wait: Option<Millis> = None;
    for (member, verdict) in batch.members.iter().zip(told) {
        match verdict {
            Some(Ok(Outcome::Pending(ticket))) => {
                let secs = Millis::from(ticket.check_in_secs.max(1)) * 1_000;
                let secs = first.filter(|_| asked == 0).unwrap_or(secs);
                wait = Some(wait.map_or(secs, |w| w.min(secs)));
                open.push(LevelMember {
                    handle: Some(ticket.handle.clone()),
                    ..member.clone()
                });
            }
            // The question was not answered: what was sent stands as it is.
            Some(Err(Failure::Retry(secs))) if member.handle.is_some() && asked < ASKED_MOST => {
                let ms = secs.map_or(unanswered, |secs| Millis::from(secs) * 1_000);
                wait = Some(wait.map_or(ms, |w| w.min(ms)));
                open.push(member.clone());
            }
            Some(verdict) => judge(tx, batch, member, verdict, now)?,
            None => {}
        }
    }
    if open.is_empty() {
        return close(tx, batch);
    }
    let due = now + wait.unwrap_or(1_000).max(1);
    tx.put_level_batch(&LevelBatchRow {
        members: open,
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
    let Some(mut row) = tx.level(batch.from, batch.to, &member.item)? else {
        return Ok(());
    };
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
    tx.put_level(&row)
}

fn close(tx: &mut Tx<'_>, batch: &LevelBatchRow) -> Result<(), StoreError> {
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
        let handles: Vec<String> = batch
            .members
            .iter()
            .filter_map(|m| m.handle.clone())
            .collect();
        let scope = EffectScope::Levels(batch.number.to_string());
        let call = core.call(&slot, scope, Priority::Stock, Mode::ReadOnly, 1);
        let answer = connector.confirm(call, handles).await;
        let now = core.now();
        let value = answer.value.and_then(|verdicts| {
            if verdicts.len() == batch.members.len() {
                return Ok(verdicts);
            }
            Err(CallError::Contract(format!(
                "{} verdicts for {} levels",
                verdicts.len(),
                batch.members.len()
            )))
        });
        let unanswered = unanswered_ms(&core, &batch);
        crash::point("levels.before-judged");
        core.store
            .write(move |tx| {
                let told: Vec<Option<Verdict>> = match &value {
                    Ok(verdicts) => {
                        calls::mark_verdicts(tx, to, verdicts, now)?;
                        verdicts.iter().cloned().map(Some).collect()
                    }
                    Err(error) => {
                        calls::mark_error(tx, to, error, now)?;
                        vec![Some(Err(Failure::Retry(None))); batch.members.len()]
                    }
                };
                settle(tx, &batch, &told, (None, unanswered), now)
            })
            .await?;
        crash::point("levels.judged");
    }
    core.wake(Event::Changed);
    Ok(())
}
