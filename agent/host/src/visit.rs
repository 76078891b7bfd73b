//! One call into a guest: a fresh store, its limits, its clock, and what an end that is no answer means. The store is
//! dropped whatever happens. It knows no connection; `generation.rs` and `load.rs` call it.

use crate::connector::CallError;
use crate::engine::{HostEngine, TICK};
use crate::state::CallState;
use crate::v0_1::exports::{Exports, Live, Stop};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use wasmtime::component::InstancePre;
use wasmtime::{Store, UpdateDeadline, WasmBacktrace};
use waybill_model::contract::Failure;

/// Longest text kept of a trap.
const SENTENCE: usize = 400;

/// A call whose time ends in a wait for the network of at least that long was not stopped for its own fault.
const EXCUSED: Duration = Duration::from_secs(2);

/// Ticks of own work that a call of a build that was left may still need.
const LEFT_TICKS: u128 = 10;

/// A component that is ready to be instantiated.
pub(crate) struct Ready {
    pub(crate) engine: HostEngine,
    pub(crate) pre: InstancePre<CallState>,
    pub(crate) exports: Exports,
    /// Memories of each call.
    pub(crate) memories: u32,
    /// Whether another build took its place since it misbehaved.
    pub(crate) left: Arc<AtomicBool>,
}

impl Ready {
    /// Runs `work` in a new store until the state's deadline. The state comes back with all that was gathered.
    pub(crate) async fn visit<T, F>(
        &self,
        state: CallState,
        work: F,
    ) -> (Result<T, CallError>, CallState)
    where
        F: for<'a> FnOnce(&'a Exports, &'a mut Live) -> BoxFuture<'a, Result<T, Stop>> + Send,
    {
        let deadline = state.deadline;
        // Given back when the store is gone: the last to be dropped.
        let Ok(_place) = timeout_at(deadline, self.engine.place(self.memories)).await else {
            let busy =
                "all places for running connectors were taken for as long as the call might last";
            return (Err(CallError::Host(busy.to_owned())), state);
        };
        let mut store = self.store(state);
        let running = self.engine.running();
        // The instance lives inside the future, the store outside: after a timeout its data can still be read.
        let instantiated = timeout_at(deadline, self.pre.instantiate_async(&mut store)).await;
        let (outcome, mut store) = match instantiated {
            Err(_) => (Err(Ended::TimedOut), store),
            Ok(Err(error)) => (Err(Ended::Stopped(Stop::Trap(error))), store),
            Ok(Ok(instance)) => {
                let mut live = Live { store, instance };
                let outcome = match timeout_at(deadline, work(&self.exports, &mut live)).await {
                    Err(_) => Err(Ended::TimedOut),
                    Ok(Err(stop)) => Err(Ended::Stopped(stop)),
                    Ok(Ok(value)) => Ok(value),
                };
                (outcome, live.store)
            }
        };
        drop(running);
        let state = store.data_mut();
        let result = outcome.map_err(|ended| judge(state, ended));
        (result, store.into_data())
    }

    fn store(&self, state: CallState) -> Store<CallState> {
        let copied = state.limits.copied;
        let left = Arc::clone(&self.left);
        let deadline = state.deadline;
        let own_ticks = Duration::from_millis(state.limits.own_ms)
            .as_millis()
            .div_ceil(TICK.as_millis());
        let mut store = Store::new(self.engine.wasm(), state);
        store.limiter(|state| &mut state.cap);
        store.set_hostcall_fuel(copied);
        store.set_epoch_deadline(1);
        // The timer alone would do while other threads drive it; a busy guest on a single thread must look itself. It is
        // asked once in a tick at most, and only while it works: a machine that has no time for it counts nothing.
        store.epoch_deadline_callback(move |mut context| {
            let state = context.data_mut();
            state.own_ticks += 1;
            let most = if left.load(Ordering::Relaxed) {
                own_ticks.min(LEFT_TICKS)
            } else {
                own_ticks
            };
            let loops = state.own_ticks > most;
            if !loops && Instant::now() < deadline {
                return Ok(UpdateDeadline::Yield(1));
            }
            state.timed_out = true;
            Err(wasmtime::Error::msg(if loops {
                "stopped after too much work without a request"
            } else {
                "stopped at its wall-clock limit"
            }))
        });
        store
    }
}

enum Ended {
    TimedOut,
    Stopped(Stop),
}

fn judge(state: &mut CallState, ended: Ended) -> CallError {
    let error = match ended {
        // The vendor did not answer in time; the connector did nothing wrong.
        Ended::TimedOut
            if state
                .waiting
                .is_some_and(|since| since.elapsed() >= EXCUSED) =>
        {
            return CallError::Failure(Failure::Retry(None));
        }
        Ended::TimedOut => return CallError::TimedOut,
        Ended::Stopped(Stop::Failure(failure)) => return CallError::Failure(failure),
        Ended::Stopped(Stop::Contract(why)) => return CallError::Contract(why),
        Ended::Stopped(Stop::Trap(error)) => error,
    };
    if let Some(host) = state.host_error.take() {
        return CallError::Host(host);
    }
    if state.timed_out {
        return CallError::TimedOut;
    }
    if let Some(rule) = state.violation.take() {
        return CallError::Trapped(format!("the connector {rule}"));
    }
    if state.cap.refused {
        return CallError::OutOfMemory;
    }
    CallError::Trapped(sentence(&error))
}

/// The trap and, where the component kept its names, the function it happened in.
pub(crate) fn sentence(error: &wasmtime::Error) -> String {
    let cause = match error.downcast_ref::<wasmtime::Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    let place = error
        .downcast_ref::<WasmBacktrace>()
        .and_then(|trace| trace.frames().first()?.func_name().map(str::to_owned));
    let sentence = match place {
        Some(place) => format!("{cause} in `{place}`"),
        None => cause,
    };
    sentence.chars().take(SENTENCE).collect()
}
