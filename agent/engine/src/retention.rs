//! Letting go of what nobody needs any more: bodies, transcripts, answers, old audit entries. The keys that prevent
//! doubles are never among them. Small commits, so that no order waits for it.

use crate::core::Core;
use std::sync::Arc;
use waybill_model::ids::Millis;
use waybill_model::settings::{KEEP_AUDIT, KEEP_DOCUMENTS, KEEP_TRANSCRIPTS};
use waybill_store::{Retention, StoreError};

/// How often it is looked.
pub(crate) const EVERY_MS: Millis = 3_600_000;
const DAY_MS: Millis = 86_400_000;

/// What is kept, as set for the agent.
fn wanted(core: &Core) -> Retention {
    let desk = core.desk();
    let days = |key: &str, default: Millis| {
        let set = desk
            .agent
            .get(key)
            .and_then(|v| v.trim().parse::<Millis>().ok());
        set.filter(|days| *days > 0)
            .map_or(default, |days| days * DAY_MS)
    };
    let default = Retention::default();
    let documents_ms = days(KEEP_DOCUMENTS, default.documents_ms);
    Retention {
        documents_ms,
        transcripts_ms: days(KEEP_TRANSCRIPTS, default.transcripts_ms),
        // An answer may be replayed as long as its document may be sent again.
        effects_ms: documents_ms,
        audit_ms: days(KEEP_AUDIT, default.audit_ms),
        ..default
    }
}

/// Removes what is past its time, a little at a time, until nothing is.
pub(crate) async fn run(core: Arc<Core>) -> Result<(), StoreError> {
    loop {
        let (retention, now) = (wanted(&core), core.now());
        let pruned = core
            .store
            .write(move |tx| tx.prune(now, &retention))
            .await?;
        let gone = pruned.documents + pruned.transcripts + pruned.effects + pruned.audit;
        if gone > 0 {
            tracing::info!(
                documents = pruned.documents,
                transcripts = pruned.transcripts,
                effects = pruned.effects,
                audit = pruned.audit,
                "Removed what was past its time."
            );
        }
        if !pruned.more {
            return Ok(());
        }
    }
}
