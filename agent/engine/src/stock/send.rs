//! Telling the network: one batch on a route at a time, the newest numbers, all warehouses of an item together, and each
//! followed to its verdict. No job and no queue: a batch that is lost is sent again as it stands then.

use super::derive::{self, Route};
use super::full::{self, FullSet, full_ms, full_set, keep_full};
use super::taken;
use super::verdict::{doubt, leave_unanswered, settle, unanswered_ms};
use crate::calls;
use crate::core::{Core, Desk, OneBuild, Slot};
use crate::event::Event;
use crate::flow::{self, Standing};
use crate::practice;
use crate::pull;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use waybill_host::connector::Mode;
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Level, Levels, Place, Role};
use waybill_model::crash;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::Priority;
use waybill_model::settings::CONFIRM;
use waybill_store::{Count, LevelBatchRow, LevelList, LevelMember, LevelRow, Read, StoreError, Tx};

/// The network's orders count as read for so long after they were.
const FRESH_MS: Millis = 15_000;
/// Orders that were not read for two polls and this long are behind.
const BEHIND_MS: Millis = 60_000;
/// How often is looked whether the units were read for the first time.
const FIRST_ROUND_MS: Millis = 5_000;
/// Levels of the full set that are looked at in one commit, so that others write in between.
const LOOKED_AT: usize = 10_000;
/// Rows that are read at once.
const STEP: usize = 1_000;

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
        let batch = rows.level_batch(row.from, to)?;
        // Cut short by a crash, or under way.
        let cut = batch.as_ref().is_some_and(|batch| batch.pending.is_none());
        if let Some(pending) = batch.and_then(|batch| batch.pending) {
            if pending.due <= now {
                return Ok(Some(Turn::Confirm));
            }
            sooner(pending.due);
            continue;
        }
        if !derive::is_on(desk) {
            continue;
        }
        if practice::is_on(rows, Entity::InventoryLevel, None)? {
            // Nothing is sent, but what is shown must be what would be: orders are counted.
            if rows.stock_orders_marked()? && core.levels_rest(to) <= now {
                return Ok(Some(Turn::Push));
            }
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
        let rest = core.levels_rest(to);
        if rest > now {
            sooner(rest);
            continue;
        }
        let full = full_set(rows, (row.from, to), desk, now)?;
        let any = cut
            || !full.done
            || rows.stock_orders_marked()?
            || !rows.dirty_levels(row.from, to, 1)?.is_empty();
        if !any {
            sooner(full.began + full_ms(desk));
            continue;
        }
        if first_round(rows, row.from, row.to, slot)? {
            // Not counted again each time something else happens.
            core.rest_levels(to, now + FIRST_ROUND_MS);
            sooner(now + FIRST_ROUND_MS);
            continue;
        }
        match orders(rows, slot, now)? {
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
    let room = Room::of(slot);
    let items = rows.count_levels((from, to), LevelList::Waiting, room.left)?;
    // All items have the same warehouses.
    let one = rows.dirty_levels(from, to, 1)?;
    let size = one.first().map_or(1, |row| room.size(row));
    Ok(items * size < room.left)
}

/// What one call takes.
#[derive(Debug, Clone, Copy)]
struct Room {
    left: usize,
    /// Items are counted; else each of their warehouses.
    by_item: bool,
}

impl Room {
    fn of(slot: &Slot) -> Self {
        let intake = slot
            .descriptor()
            .and_then(|d| d.intake(Entity::InventoryLevel));
        let roles = slot.connector().map(|c| c.roles());
        Self {
            left: intake.map_or(1, |i| i.max_batch.max(1) as usize),
            by_item: roles.is_some_and(|roles| roles.contains(&Role::Levels)),
        }
    }

    const fn size(&self, row: &LevelRow) -> usize {
        if self.by_item || row.wanted.is_empty() {
            1
        } else {
            row.wanted.len()
        }
    }

    /// Takes a level where it fits; nothing fits behind one that does not.
    const fn take(&mut self, row: &LevelRow) -> bool {
        let size = self.size(row);
        let fits = size <= self.left;
        self.left = if fits { self.left - size } else { 0 };
        fits
    }
}

/// What was claimed.
struct Claim {
    batch: LevelBatchRow,
    members: Vec<LevelMember>,
    full: Option<FullSet>,
}

/// What looking for levels came to.
enum Claimed {
    /// None may leave now.
    Nothing,
    /// None so far, and there is more to look at.
    SoFar,
    Batch(Claim),
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
        let claim = match claim(core, &slot).await? {
            Claimed::Batch(claim) => claim,
            Claimed::SoFar => continue,
            Claimed::Nothing => return Ok(()),
        };
        let scope = EffectScope::Levels(claim.batch.number.to_string());
        let call = core.call(&slot, scope, Priority::Stock, Mode::Live, 1);
        let now = core.now();
        let answer = connector.push_levels(call, levels(&claim, now)).await;
        let value = answer
            .value
            .and_then(|verdicts| calls::one_each(verdicts, claim.members.len(), "levels"));
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
                    Ok(told) => {
                        calls::mark_verdicts(tx, to, told, now)?;
                        if let Some(full) = &claim.full {
                            keep_full(tx, claim.batch.from, to, full)?;
                        }
                        let batch = (&claim.batch, claim.members.as_slice());
                        settle(tx, batch, told, (first, unanswered), now)
                    }
                    Err(error) => {
                        calls::mark_error(tx, to, error, now)?;
                        if leave_unanswered(tx, &claim.batch, now)? {
                            doubt(tx, &claim.batch, &claim.members)?;
                        }
                        Ok(())
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
async fn claim(core: &Arc<Core>, slot: &Slot) -> Result<Claimed, StoreError> {
    let (desk, shared, slot) = (core.desk(), core.clone(), slot.clone());
    let now = core.now();
    let room = Room::of(&slot);
    crash::point("levels.before-claim");
    let claimed = core
        .store
        .write(move |tx| {
            let to = slot.row.id;
            if !shared.may_call(tx, to, now)? {
                return Ok(Claimed::Nothing);
            }
            // An order is counted once, for everybody whose numbers it changes.
            let routes = derive::routes(tx, &desk, |_| true)?;
            while taken::catch_up(tx, &routes, now)? {}
            let practises = practice::is_on(tx, Entity::InventoryLevel, None)?;
            let own = routes.iter().filter(|route| route.to == to && !practises);
            for route in own {
                // A pause counts from its commit on, whatever was read of it before.
                let row = tx.route(Entity::InventoryLevel, route.from, to)?;
                if row.is_none_or(|row| flow::standing(&desk, &row, now) != Standing::Runs) {
                    continue;
                }
                match tx.level_batch(route.from, to)? {
                    Some(open) if open.pending.is_some() => continue,
                    // A crash cut its call short. Nobody knows of which items it has told, and what is wanted may be by now
                    // what was told before: all of them are told again.
                    Some(cut) if leave_unanswered(tx, &cut, now)? => {
                        full::begin(tx, cut.from, cut.to)?;
                        continue;
                    }
                    _ => {}
                }
                let orders = orders(tx, &slot, now)?;
                let claim = match orders {
                    Orders::Read => all(tx, &desk, route, room, now)?,
                    Orders::Behind => lower(tx, route, room)?,
                    Orders::Soon(_) => None,
                };
                let Some((members, full)) = claim else {
                    continue;
                };
                if members.is_empty() {
                    return Ok(Claimed::SoFar);
                }
                let batch = LevelBatchRow {
                    from: route.from,
                    to,
                    number: tx.next_level_batch()?,
                    pending: None,
                };
                tx.put_level_batch(&batch)?;
                return Ok(Claimed::Batch(Claim {
                    batch,
                    members,
                    full,
                }));
            }
            Ok(Claimed::Nothing)
        })
        .await?;
    if let Claimed::Batch(claim) = &claimed {
        crash::point("levels.claimed");
        let (number, items) = (claim.batch.number, claim.members.len());
        core.observe(|| format!("levels {number} items={items}"));
        tracing::debug!(number, items, "Stock is sent.");
    }
    Ok(claimed)
}

/// Levels that leave together, and how far the full set has come with them. No level: there is more to look at.
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
    mut room: Room,
    now: Millis,
) -> Result<Chosen, StoreError> {
    let mut members = differing(tx, route, &mut room)?;
    let chosen: BTreeSet<String> = members.iter().map(|m| m.item.clone()).collect();
    let mut full = full_set(tx, (route.from, route.to), desk, now)?;
    let before = full.clone();
    let mut looked_at = 0;
    while room.left > 0 && !full.done && looked_at < LOOKED_AT {
        let most = room.left.min(STEP);
        let rows = tx.levels(route.from, route.to, full.after.as_deref(), most)?;
        looked_at += rows.len();
        full.done = rows.is_empty();
        for row in rows {
            // What was told since the set began belongs to it.
            let told = row.sent_at.is_some_and(|at| at >= full.began) && row.sent.is_some();
            let skip = chosen.contains(&row.item) || row.problem.is_some() || told;
            if !skip && !room.take(&row) && !members.is_empty() {
                break;
            }
            full.after = Some(row.item.clone());
            if !skip {
                members.push(member(&row));
            }
        }
    }
    let more = !full.done;
    let full = (full != before || full.began == now).then_some(full);
    if members.is_empty() {
        // What was looked at needs no call.
        if let Some(full) = full {
            keep_full(tx, route.from, route.to, &full)?;
        }
        return Ok(more.then_some((members, None)));
    }
    Ok(Some((members, full)))
}

/// Levels that the receiving system does not have, as many as there is room for.
fn differing(
    tx: &mut Tx<'_>,
    route: &Route,
    room: &mut Room,
) -> Result<Vec<LevelMember>, StoreError> {
    let mut members = Vec::new();
    let mut after: Option<String> = None;
    let pair = (route.from, route.to);
    while room.left > 0 {
        let place = ("", after.as_deref());
        let rows = tx.listed_levels(pair, LevelList::Waiting, place, room.left.min(STEP))?;
        let Some(last) = rows.last() else { break };
        after = Some(last.item.clone());
        for row in rows {
            // One that no call has room for leaves alone.
            if !room.take(&row) && !members.is_empty() {
                return Ok(members);
            }
            members.push(member(&row));
            // Whatever casts a doubt from now on is news.
            if row.doubted {
                let known = LevelRow {
                    sent: None,
                    doubted: false,
                    ..row.clone()
                };
                tx.replace_level(Some(&row), &known)?;
            }
        }
    }
    Ok(members)
}

/// Only numbers that fall: the network may have handed out orders that nobody here has read.
fn lower(tx: &Tx<'_>, route: &Route, mut room: Room) -> Result<Chosen, StoreError> {
    let mut members = Vec::new();
    for row in tx.dirty_levels(route.from, route.to, room.left)? {
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
        if counts == *sent || room.size(&row) > room.left {
            continue;
        }
        room.left -= room.size(&row);
        members.push(LevelMember {
            counts,
            ..member(&row)
        });
    }
    Ok((!members.is_empty()).then_some((members, None)))
}

/// What was claimed, as its receiver is told it.
fn levels(claim: &Claim, now: Millis) -> Levels {
    let place = |count: &Count| Place {
        warehouse: count.warehouse.clone(),
        available: count.units,
        expected_at: None,
    };
    let level = |member: &LevelMember| Level {
        item: member.item.clone(),
        places: member.counts.iter().map(place).collect(),
    };
    Levels {
        number: claim.batch.number,
        at: now,
        items: claim.members.iter().map(level).collect(),
    }
}
