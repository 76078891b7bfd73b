//! `kv`: a connection's private space. Writes are buffered in the call and leave with its result; reads see them.
//! What is committed comes through the port.

use crate::state::{CallState, Visitor};
use std::collections::BTreeMap;
use waybill_model::contract::KvWrite;

pub(crate) async fn get_many(
    state: &mut CallState,
    keys: &[String],
) -> wasmtime::Result<Vec<Option<Vec<u8>>>> {
    let visitor = state.visitor("kv.get-many")?;
    state.at_most("keys to `kv.get-many`", keys.len(), state.limits.keys)?;
    let committed: Vec<String> = keys
        .iter()
        .filter(|k| !state.writes.contains_key(*k))
        .cloned()
        .collect();
    let bound = &visitor.bound;
    let values = if committed.is_empty() {
        Vec::new()
    } else {
        let values = bound.ports.kv.get_many(bound.setup.id, &committed).await;
        state.port(values)?
    };
    let mut stored = committed
        .into_iter()
        .zip(values)
        .collect::<BTreeMap<_, _>>();
    Ok(keys
        .iter()
        .map(|key| match state.writes.get(key) {
            Some(own) => own.clone(),
            // A key asked for twice is answered twice.
            None => stored.get_mut(key).and_then(|v| v.clone()),
        })
        .collect())
}

pub(crate) async fn scan(
    state: &mut CallState,
    prefix: &str,
    after: Option<&str>,
    limit: u32,
) -> wasmtime::Result<Vec<(String, Vec<u8>)>> {
    let visitor = state.visitor("kv.scan")?;
    let wanted = usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .min(state.limits.keys);
    let (mut found, horizon) = committed(state, &visitor, prefix, after, wanted).await?;
    for (key, value) in &state.writes {
        let in_range = key.starts_with(prefix)
            && after.is_none_or(|a| key.as_str() > a)
            && horizon.as_ref().is_none_or(|h| key <= h);
        if let (true, Some(value)) = (in_range, value) {
            found.insert(key.clone(), value.clone());
        }
    }
    Ok(found.into_iter().take(wanted).collect())
}

/// Committed rows that this call has not overwritten, at least `wanted` of them or all there are; in the first case
/// with the key up to which they are complete.
async fn committed(
    state: &mut CallState,
    visitor: &Visitor,
    prefix: &str,
    after: Option<&str>,
    wanted: usize,
) -> wasmtime::Result<(BTreeMap<String, Vec<u8>>, Option<String>)> {
    let bound = &visitor.bound;
    let page = u32::try_from(wanted.max(1)).unwrap_or(u32::MAX);
    let mut found = BTreeMap::new();
    let mut seen = after.map(str::to_owned);
    loop {
        let kv = &bound.ports.kv;
        let rows = kv.scan(bound.setup.id, prefix, seen.as_deref(), page).await;
        let rows = state.port(rows)?;
        let exhausted = rows.len() < wanted.max(1);
        if let Some((last, _)) = rows.last() {
            seen = Some(last.clone());
        }
        for (key, value) in rows {
            if !state.writes.contains_key(&key) {
                found.insert(key, value);
            }
        }
        if exhausted {
            return Ok((found, None));
        }
        if found.len() >= wanted {
            return Ok((found, seen));
        }
    }
}

pub(crate) fn set(state: &mut CallState, key: String, value: Vec<u8>) -> wasmtime::Result<()> {
    state.visitor("kv.set")?;
    state.at_most(
        "bytes of a value to `kv.set`",
        value.len(),
        state.limits.value_bytes,
    )?;
    buffer(state, key, Some(value))
}

pub(crate) fn delete(state: &mut CallState, key: String) -> wasmtime::Result<()> {
    state.visitor("kv.delete")?;
    buffer(state, key, None)
}

fn buffer(state: &mut CallState, key: String, value: Option<Vec<u8>>) -> wasmtime::Result<()> {
    state.at_most("bytes of a key to `kv`", key.len(), state.limits.key_bytes)?;
    if key.is_empty() {
        return Err(state.broke("gave an empty key to `kv`".to_owned()));
    }
    let size = |key: &str, value: &Option<Vec<u8>>| key.len() + value.as_ref().map_or(0, Vec::len);
    let added = size(&key, &value);
    let freed = state.writes.get(&key).map_or(0, |old| size(&key, old));
    let written = (state.written + added).saturating_sub(freed);
    state.at_most("bytes of writes to `kv`", written, state.limits.buffered)?;
    state.written = written;
    state.writes.insert(key, value);
    state.at_most("writes to `kv`", state.writes.len(), state.limits.keys)
}

/// The buffered writes, as they are committed.
pub(crate) fn writes(state: &mut CallState) -> Vec<KvWrite> {
    std::mem::take(&mut state.writes)
        .into_iter()
        .map(|(key, value)| KvWrite { key, value })
        .collect()
}
