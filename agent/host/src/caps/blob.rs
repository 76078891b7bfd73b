//! `blob`: bytes kept by the host for a guest, within one call. They lie in memory and are capped; what does not fit is
//! refused by ending the call.

use crate::state::CallState;
use wasmtime::component::Resource;

/// Bytes of a guest that need not fit its memory.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Spool {
    bytes: Vec<u8>,
}

/// Most bytes of one read.
const READ: usize = 8 << 20;

pub(crate) fn new(state: &mut CallState) -> wasmtime::Result<Resource<Spool>> {
    state.visitor("blob.spool")?;
    state
        .table
        .push(Spool { bytes: Vec::new() })
        .map_err(|e| state.broke(format!("made too many spools: {e}")))
}

pub(crate) fn append(
    state: &mut CallState,
    spool: &Resource<Spool>,
    bytes: &[u8],
) -> wasmtime::Result<()> {
    state.at_most(
        "bytes to spools",
        state.spooled.saturating_add(bytes.len()),
        state.limits.buffered,
    )?;
    state.table.get_mut(spool)?.bytes.extend_from_slice(bytes);
    state.spooled += bytes.len();
    Ok(())
}

pub(crate) fn len(state: &CallState, spool: &Resource<Spool>) -> wasmtime::Result<u64> {
    Ok(u64::try_from(state.table.get(spool)?.bytes.len()).unwrap_or(u64::MAX))
}

pub(crate) fn read(
    state: &CallState,
    spool: &Resource<Spool>,
    offset: u64,
    len: u32,
) -> wasmtime::Result<Vec<u8>> {
    let bytes = &state.table.get(spool)?.bytes;
    let start = usize::try_from(offset)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let len = usize::try_from(len).unwrap_or(READ).min(READ);
    let end = start.saturating_add(len).min(bytes.len());
    Ok(bytes[start..end].to_vec())
}

pub(crate) fn drop(state: &mut CallState, spool: Resource<Spool>) -> wasmtime::Result<()> {
    let gone = state.table.delete(spool)?;
    state.spooled = state.spooled.saturating_sub(gone.bytes.len());
    Ok(())
}
