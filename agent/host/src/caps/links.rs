//! `links`: which records are ours, as committed. Read-only.

use crate::state::CallState;
use waybill_model::contract::Link;
use waybill_model::document::Entity;

pub(crate) async fn of(
    state: &mut CallState,
    entity: Entity,
    keys: &[String],
) -> wasmtime::Result<Vec<Vec<Link>>> {
    let visitor = state.visitor("links.of")?;
    state.at_most("keys to `links.of`", keys.len(), state.limits.keys)?;
    let bound = &visitor.bound;
    let found = bound.ports.links.of(bound.setup.id, entity, keys).await;
    let found = state.port(found)?;
    if found.len() == keys.len() {
        return Ok(found);
    }
    let short = format!("{} answers for {} keys of links", found.len(), keys.len());
    state.port(Err(crate::ports::PortError(short)))
}
