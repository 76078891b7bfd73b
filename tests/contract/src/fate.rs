//! What becomes of the n-th effect: a stop of the agent at one of its commits, or trouble on the wire. Journal and wire
//! ask here; neither knows the other.

use async_trait::async_trait;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use waybill_host::ports::{Begun, EffectScope, Finish, Journal, PortError};
use waybill_model::ids::{ConnectionId, EffectId, Millis};

/// Where a run is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The agent stops after the begin is committed; nothing has left.
    Begun,
    /// The connection is lost before the vendor got it.
    LostBefore,
    /// The vendor acted, and the connection is lost.
    LostAfter,
    /// The vendor acted, and a gateway answers 502.
    Gateway,
    /// The vendor acted, and half of its answer arrives.
    Half,
    /// The vendor acted and answered; the agent stops before it keeps the answer.
    Answered,
    /// The agent stops after the answer is kept.
    Finished,
}

impl Cut {
    pub(crate) const ALL: [Self; 7] = [
        Self::Begun,
        Self::LostBefore,
        Self::LostAfter,
        Self::Gateway,
        Self::Half,
        Self::Answered,
        Self::Finished,
    ];

    /// For people.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Begun => "stopped after its begin",
            Self::LostBefore => "lost before it arrived",
            Self::LostAfter => "carried out, answer lost",
            Self::Gateway => "carried out, answered by a gateway's 502",
            Self::Half => "carried out, half of the answer arrived",
            Self::Answered => "carried out, stopped before the answer was kept",
            Self::Finished => "stopped after the answer was kept",
        }
    }
}

/// A step that was sent for the first time, by whom it was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) step: String,
    pub(crate) members: BTreeSet<u64>,
}

#[derive(Debug, Default)]
struct Now {
    plan: Option<(Cut, usize)>,
    effects: usize,
    /// An effect has begun and its request is still to come.
    pending: bool,
    stopped: bool,
    sent: Vec<Sent>,
}

/// Shared by the journal and the wire of one stand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fates(Arc<Mutex<Now>>);

impl Fates {
    fn lock(&self) -> MutexGuard<'_, Now> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the `at`-th effect from now on, counted from 1.
    pub(crate) fn plan(&self, cut: Cut, at: usize) {
        let mut now = self.lock();
        now.plan = Some((cut, at));
        now.effects = 0;
    }

    /// The agent starts again after a stop; whether it had stopped.
    pub(crate) fn restart(&self) -> bool {
        let mut now = self.lock();
        now.pending = false;
        std::mem::take(&mut now.stopped)
    }

    /// Steps that were sent, in order.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.lock().sent.clone()
    }

    /// What becomes of the request that leaves now: only an effect's own request has a fate.
    pub(crate) fn of_request(&self, reads: bool) -> Option<Cut> {
        let mut now = self.lock();
        if reads || !std::mem::take(&mut now.pending) {
            return None;
        }
        match now.plan {
            Some((cut, at)) if at == now.effects => {
                let on_wire = !matches!(cut, Cut::Begun | Cut::Answered | Cut::Finished);
                if on_wire {
                    now.plan = None;
                }
                on_wire.then_some(cut)
            }
            _ => None,
        }
    }

    fn begun(&self, step: &str, members: BTreeSet<u64>) -> bool {
        let mut now = self.lock();
        now.effects += 1;
        now.pending = true;
        now.sent.push(Sent {
            step: step.to_owned(),
            members,
        });
        now.stops_at(Cut::Begun)
    }

    fn stops_at(&self, cut: Cut) -> bool {
        self.lock().stops_at(cut)
    }
}

impl Now {
    fn stops_at(&mut self, cut: Cut) -> bool {
        let stops = self.plan == Some((cut, self.effects));
        if stops {
            self.plan = None;
            self.stopped = true;
        }
        stops
    }
}

/// The journal of the agent, with stops.
pub(crate) struct CutJournal<J> {
    pub(crate) inner: J,
    pub(crate) fates: Fates,
}

fn stopped() -> PortError {
    PortError("the agent was stopped here".to_owned())
}

#[async_trait]
impl<J: Journal> Journal for CutJournal<J> {
    async fn begin(
        &self,
        connection: ConnectionId,
        scope: &EffectScope,
        step: &str,
        members: &[u32],
        absent: Option<Millis>,
    ) -> Result<Begun, PortError> {
        let begun = self
            .inner
            .begin(connection, scope, step, members, absent)
            .await?;
        if matches!(begun, Begun::Fresh(_)) {
            let jobs = match scope {
                EffectScope::Jobs(jobs) => members
                    .iter()
                    .filter_map(|m| jobs.get(*m as usize).map(|job| job.0))
                    .collect(),
                EffectScope::Poll(_) | EffectScope::Levels(_) | EffectScope::Setup(_) => {
                    BTreeSet::new()
                }
            };
            if self.fates.begun(step, jobs) {
                return Err(stopped());
            }
        }
        Ok(begun)
    }

    async fn finish(&self, effect: EffectId, finish: Finish) -> Result<(), PortError> {
        if self.fates.stops_at(Cut::Answered) {
            return Err(stopped());
        }
        self.inner.finish(effect, finish).await?;
        if self.fates.stops_at(Cut::Finished) {
            return Err(stopped());
        }
        Ok(())
    }

    async fn retract(
        &self,
        connection: ConnectionId,
        scope: &EffectScope,
        step: &str,
        members: &[u32],
    ) -> Result<(), PortError> {
        self.inner.retract(connection, scope, step, members).await
    }
}
