//! `clock`: the agent's time and the time this call has left. It keeps no time of its own.

use crate::state::CallState;

pub(crate) fn now_ms(state: &mut CallState) -> wasmtime::Result<i64> {
    Ok(state.visitor("clock.now-ms")?.bound.now())
}

pub(crate) fn remaining_ms(state: &mut CallState) -> wasmtime::Result<u32> {
    state.visitor("clock.remaining-ms")?;
    Ok(u32::try_from(state.remaining_ms()).unwrap_or(u32::MAX))
}
