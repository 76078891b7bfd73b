//! Bugs planted on purpose around the engine; the others are where `Plant` is asked.

use async_trait::async_trait;
use std::sync::Arc;
use waybill_host::ports::{Begun, EffectScope, Finish, Journal, PortError};
use waybill_model::ids::{ConnectionId, EffectId, Millis};

/// A journal without an entry of what is created: such a call leaves as if nothing had to be kept.
pub(crate) struct Forgetful(pub(crate) Arc<dyn Journal>);

/// Stands for an entry that was never made.
const NONE: EffectId = EffectId(u64::MAX);

#[async_trait]
impl Journal for Forgetful {
    async fn begin(
        &self,
        connection: ConnectionId,
        scope: &EffectScope,
        step: &str,
        members: &[u32],
        absent: Option<Millis>,
    ) -> Result<Begun, PortError> {
        if step == "create" {
            return Ok(Begun::Fresh(NONE));
        }
        let begun = self.0.begin(connection, scope, step, members, absent);
        begun.await
    }

    async fn finish(&self, effect: EffectId, finish: Finish) -> Result<(), PortError> {
        if effect == NONE {
            return Ok(());
        }
        self.0.finish(effect, finish).await
    }

    async fn retract(
        &self,
        connection: ConnectionId,
        scope: &EffectScope,
        step: &str,
        members: &[u32],
    ) -> Result<(), PortError> {
        self.0.retract(connection, scope, step, members).await
    }
}
