//! What connections have to do beside feeds and jobs: requests to read, hints to follow, webhooks to put in order, values to
//! hold against the vendor's lists, back-fills.

use crate::core::{Core, Desk};
use crate::event::CallKey;
use crate::supervise::Engine;
use crate::{backfill, compare, ensure, flow, hints, hooks, offered};
use std::sync::Arc;
use waybill_host::connector::Connector;
use waybill_model::contract::Role;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_store::{Rx, StoreError};

impl Engine {
    /// Whether orders of a connection are being read, page or document.
    pub(crate) fn reads_orders(&self, id: ConnectionId) -> bool {
        let entity = Entity::Order;
        let reads = [CallKey::Pull(id, entity), CallKey::Fetch(id, entity)];
        reads.iter().any(|key| self.running.contains_key(key))
    }

    /// Whether no page that may hold such a document is being read.
    pub(crate) fn may_fetch(&self, id: ConnectionId, entity: Entity) -> bool {
        let backfill = entity == Entity::Order && self.running.contains_key(&CallKey::Backfill(id));
        !backfill && !self.running.contains_key(&CallKey::Pull(id, entity))
    }
}

/// Each with the time it may start.
pub(crate) fn look(
    core: &Core,
    desk: &Desk,
    rx: &Rx,
    now: Millis,
) -> Result<Vec<(CallKey, Millis)>, StoreError> {
    let mut found = Vec::new();
    let compare = compare::due(rx, desk, now)?;
    found.extend(compare.map(|at| (CallKey::Compare, at)));
    for (id, slot) in &desk.slots {
        let receive = hooks::due(core, slot, rx, now)?;
        found.extend(receive.map(|at| (CallKey::Receive(*id), at)));
        if !core.may_call(rx, *id, now)? {
            continue;
        }
        let ensure = ensure::due(core, slot, rx, now)?;
        found.extend(ensure.map(|at| (CallKey::Ensure(*id), at)));
        let values = offered::due(core, slot, rx, now)?;
        found.extend(values.map(|at| (CallKey::Values(*id), at)));
        let backfill = backfill::due(rx, slot)?;
        let from = flow::runs_from(desk, *id, Entity::Order, now);
        found.extend(
            backfill
                .zip(from)
                .map(|(at, from)| (CallKey::Backfill(*id), at.max(from))),
        );
        let is_source = |c: &Arc<dyn Connector>| c.roles().contains(&Role::Source);
        if slot.connector().is_some_and(is_source) {
            let fetch = hints::due(core, slot, rx, now)?;
            found.extend(fetch.into_iter().filter_map(|(entity, at)| {
                let from = flow::runs_from(desk, *id, entity, now)?;
                Some((CallKey::Fetch(*id, entity), at.max(from)))
            }));
        }
    }
    Ok(found)
}
