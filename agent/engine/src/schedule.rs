//! What leaves and what is read now: settles and shipments gathered, tickets that are due, pushes in the order in which
//! they matter, feeds whose time has come. Part of the loop in `supervise.rs`; decides from one look at the store and from what is running.

use crate::core::{Desk, Slot};
use crate::event::CallKey;
use crate::flow::{self, Standing};
use crate::gather::{self, ReadyJob};
use crate::stock::Turn;
use crate::supervise::{Engine, HIGH_WATER, Look};
use crate::{pull, settle, stock, tickets, work};
use std::collections::BTreeSet;
use waybill_model::contract::{Descriptor, Moment};
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::job::{JobState, Work};
use waybill_store::StoreError;

/// Pushes of one kind to one connection that may run beside each other.
const HANDS: usize = 2;

impl Engine {
    /// Whether more of the wave that this work belongs to is on its way to it.
    fn is_on_its_way(&self, to: ConnectionId, work: Work, desk: &Desk, look: &Look) -> bool {
        let reads = |from: ConnectionId, entity: Entity| {
            let read = [CallKey::Pull(from, entity), CallKey::Fetch(from, entity)];
            read.iter().any(|key| self.running.contains_key(key))
        };
        let sale = |work: Work| matches!(work, Work::Push(Entity::Order | Entity::Customer));
        match work {
            Work::Settle(Moment::Accepted) => reads(to, Entity::Order),
            Work::Settle(Moment::Delivered) => {
                let sales =
                    |jobs: &Vec<ReadyJob>| jobs.iter().any(|j| j.from == to && sale(j.work));
                look.unaccepted > 0
                    || look.waiting > 0
                    || look.ready.values().any(sales)
                    || self.running.keys().any(|key| match key {
                        CallKey::Push(_, entity, _) => sale(Work::Push(*entity)),
                        CallKey::Resume(..) => true,
                        _ => false,
                    })
            }
            Work::Push(entity) => desk
                .routes
                .iter()
                .filter(|r| r.entity == entity && r.to == to)
                .any(|r| reads(r.from, entity)),
            Work::Compare | Work::Attend => false,
        }
    }

    /// Ready jobs of one kind, and when they leave.
    fn leaves(
        &self,
        id: ConnectionId,
        kind: (Work, usize),
        desk: &Desk,
        look: &Look,
        now: Millis,
    ) -> (usize, Option<Millis>) {
        let (work, most) = kind;
        let ready = look.ready.get(&id).map(Vec::as_slice).unwrap_or_default();
        let jobs: Vec<ReadyJob> = ready.iter().filter(|j| j.work == work).copied().collect();
        let Some(gathering) = gather::of(work, most, self.core.gather_ms()) else {
            return (jobs.len(), (!jobs.is_empty()).then_some(now));
        };
        let busy = self.is_on_its_way(id, work, desk, look);
        (jobs.len(), gather::due(&jobs, gathering, busy, now))
    }

    pub(crate) fn schedule_settles(
        &mut self,
        id: ConnectionId,
        desk: &Desk,
        look: &Look,
        now: Millis,
    ) -> Millis {
        let mut next = Millis::MAX;
        for moment in [Moment::Accepted, Moment::Delivered] {
            let kind = (Work::Settle(moment), gather::MOST);
            match self.leaves(id, kind, desk, look, now).1 {
                Some(at) if at <= now => {
                    let core = self.core.clone();
                    self.start(CallKey::Settle(id, moment), settle::run(core, id, moment));
                }
                Some(at) => next = next.min(at),
                None => {}
            }
        }
        next
    }

    pub(crate) fn schedule_tickets(&mut self, id: ConnectionId, look: &Look) {
        let works: BTreeSet<Work> = look
            .due
            .iter()
            .filter(|j| j.to == id && matches!(j.state, JobState::Pending { .. }))
            .map(|j| j.work)
            .collect();
        for work in works {
            let core = self.core.clone();
            self.start(CallKey::Confirm(id, work), tickets::run(core, id, work));
        }
    }

    /// Levels leave when the orders of their network were read, one batch on a route at a time.
    pub(crate) fn schedule_levels(
        &mut self,
        id: ConnectionId,
        slot: &Slot,
        desk: &Desk,
        now: Millis,
    ) -> Result<Millis, StoreError> {
        // Most connections are told of no stock: nothing is read for them.
        if !stock::all_routes(desk).any(|row| row.to == id) {
            return Ok(Millis::MAX);
        }
        let push = CallKey::Push(id, Entity::InventoryLevel, 0);
        let confirm = CallKey::Confirm(id, Work::Push(Entity::InventoryLevel));
        if self.running.contains_key(&push) || self.running.contains_key(&confirm) {
            return Ok(Millis::MAX);
        }
        let core = self.core.clone();
        let turn = core
            .store
            .read(|rx| stock::turn(&core, rx, desk, slot, now))?;
        match turn {
            Some(Turn::Push) => self.start(push, stock::push(core, id)),
            Some(Turn::Confirm) => self.start(confirm, stock::confirm(core, id)),
            Some(Turn::At(at)) => return Ok(at),
            None => {}
        }
        Ok(Millis::MAX)
    }

    /// Cancellations first, since every minute ships more; then shipments, since their parcels are on their way; then customers, which orders wait
    /// for; then orders, and their invoices last.
    pub(crate) fn schedule_pushes(
        &mut self,
        id: ConnectionId,
        descriptor: &Descriptor,
        desk: &Desk,
        look: &Look,
        now: Millis,
    ) -> Millis {
        let mut next = Millis::MAX;
        for entity in [
            Entity::Cancellation,
            Entity::Shipment,
            Entity::Customer,
            Entity::Order,
            Entity::Invoice,
        ] {
            let Some(intake) = descriptor.intake(entity) else {
                continue;
            };
            // Orders are matched against the catalogue: without a complete one, every item would look unknown.
            if entity == Entity::Order && !look.caught_up.contains(&id) {
                continue;
            }
            let most = intake.max_batch.max(1) as usize;
            let (waiting, due) = self.leaves(id, (Work::Push(entity), most), desk, look, now);
            match due {
                Some(at) if at <= now => {}
                Some(at) => {
                    next = next.min(at);
                    continue;
                }
                None => continue,
            }
            // Two hands would tear apart what was gathered; a second one takes full calls only.
            let hands = match entity {
                Entity::Shipment | Entity::Cancellation | Entity::Invoice => 1,
                Entity::Order => (waiting / most).clamp(1, HANDS),
                _ => waiting.div_ceil(most).clamp(1, HANDS),
            };
            for hand in (0_u32..).take(hands) {
                if self.busy_on(id) >= self.core.options.max_calls {
                    return next;
                }
                let core = self.core.clone();
                self.start(CallKey::Push(id, entity, hand), work::run(core, id, entity));
            }
        }
        next
    }

    /// Feeds that are due, of flows that run.
    pub(crate) fn schedule_pulls(
        &mut self,
        id: ConnectionId,
        descriptor: &Descriptor,
        desk: &Desk,
        look: &Look,
        now: Millis,
    ) -> Millis {
        let mut next = Millis::MAX;
        let mut running = self.running.keys();
        let resuming = running.any(|key| matches!(key, CallKey::Resume(c, _) if *c == id));
        for feed in &descriptor.pulls {
            let key = (id, feed.entity);
            let due = look.feeds.get(&key).copied().unwrap_or(now);
            let wanted = self.wanted.contains(&key);
            let backfill =
                feed.entity == Entity::Order && self.running.contains_key(&CallKey::Backfill(id));
            if backfill || self.running.contains_key(&CallKey::Fetch(id, feed.entity)) {
                // Looked at again as soon as it ends.
                continue;
            }
            match flow::reads(desk, id, feed.entity, now) {
                Some(Standing::Runs) => {}
                Some(Standing::Closed(until)) => {
                    next = next.min(until);
                    continue;
                }
                // An order that leads nowhere would be acknowledged and then forgotten.
                Some(Standing::Paused) | None => continue,
            }
            let held_back = match feed.entity {
                _ if look.full => true,
                Entity::Order => look.backlog > HIGH_WATER,
                // The sale of a note, an invoice or a state may be in a batch whose end is not known yet.
                Entity::Shipment | Entity::Invoice | Entity::OrderState => resuming,
                // Item by item: without a complete catalogue, the round would miss some.
                Entity::InventoryLevel => !look.caught_up.contains(&id),
                _ => false,
            };
            if (due <= now || wanted) && !held_back {
                self.wanted.remove(&key);
                let core = self.core.clone();
                let pull = CallKey::Pull(id, feed.entity);
                if feed.entity == Entity::InventoryLevel {
                    self.start(pull, stock::sweep(core, id));
                } else {
                    self.start(pull, pull::run(core, id, feed.entity));
                }
            } else if due > now {
                next = next.min(due);
            }
        }
        next
    }
}
