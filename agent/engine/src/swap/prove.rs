//! Proving a build before anything relies on it: the settings of every connection are validated, and every connection is
//! probed, reading only.

use super::port::{Build, Refusal};
use super::settings::Fitted;
use crate::calls;
use crate::connectors::Binding;
use crate::core::{Core, Slot};
use waybill_host::connector::{Call, CallError, Mode};
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Failure, Problem};
use waybill_model::ids::Millis;
use waybill_model::job::Priority;
use waybill_store::ConnectionRow;

/// A probe that takes longer proves nothing.
const LIMIT_MS: u64 = 30_000;
/// A vendor that did not answer is asked again that much later.
const AGAIN_MS: Millis = 60_000;

/// What to do about a build that misbehaves before it is at work.
const MEND: &str = "Ask who made it for a mended build, and put that into the connectors folder.";

/// Why a build is not taken, and when it may be looked at again.
#[derive(Debug, Clone)]
pub(super) struct Doubt {
    pub(super) why: Refusal,
    pub(super) again_at: Option<Millis>,
}

/// Validates and probes a build for every connection of its connector.
pub(super) async fn prove(
    core: &Core,
    build: &dyn Build,
    connections: Vec<(ConnectionRow, Fitted)>,
) -> Result<(), Doubt> {
    let doubt = |reason: String, hint: Option<String>, again_at| Doubt {
        why: Refusal { reason, hint },
        again_at,
    };
    for (row, fitted) in connections {
        let title = row.title.clone();
        let binding = Binding::of(&row, &fitted.values);
        let connector = build
            .bind(binding)
            .map_err(|why| doubt(format!("{title}: {why}"), None, None))?;
        let slot = Slot {
            row,
            settings: fitted.values,
            connector: Ok(connector.clone()),
        };
        let found = connector.validate(call(core, &slot, "validate")).await;
        match found.value {
            Ok(problems) => {
                if let Some(Problem { message, hint, .. }) = problems.into_iter().next() {
                    let why = format!("it does not accept the settings of {title}: {message}");
                    return Err(doubt(why, hint, None));
                }
            }
            Err(error) => {
                let why = format!(
                    "it could not look at the settings of {title}: {}",
                    calls::sentence(&error)
                );
                return Err(doubt(why, hint(&error), None));
            }
        }
        let now = core.now();
        // What a person paused is not called; it is watched once it goes on.
        if slot.row.paused {
            continue;
        }
        if let Some(until) = slot.row.hold_until.filter(|until| *until > now) {
            let why = format!("{title} asked us to wait before it can be tested");
            let hint = "It is tested then by itself.".to_owned();
            return Err(doubt(why, Some(hint), Some(until)));
        }
        let answer = connector.probe(call(core, &slot, "probe")).await;
        if let Err(error) = answer.value {
            let again = matches!(
                error,
                CallError::Failure(Failure::Retry(_) | Failure::Unauthorized(_))
                    | CallError::Host(_)
            );
            let again_at = again.then(|| core.now() + AGAIN_MS);
            let why = format!("its test of {title} failed: {}", calls::sentence(&error));
            return Err(doubt(why, hint(&error), again_at));
        }
    }
    Ok(())
}

fn hint(error: &CallError) -> Option<String> {
    match error {
        CallError::Failure(Failure::Rejected(problem) | Failure::Unauthorized(problem)) => {
            problem.hint.clone()
        }
        CallError::Failure(Failure::Retry(_)) | CallError::Host(_) => {
            Some("It is tested again in a minute; or press Look again.".to_owned())
        }
        CallError::Trapped(_)
        | CallError::TimedOut
        | CallError::OutOfMemory
        | CallError::Contract(_) => Some(MEND.to_owned()),
        CallError::Failure(_) => None,
    }
}

fn call(core: &Core, slot: &Slot, what: &str) -> Call {
    let scope = EffectScope::Setup(what.to_owned());
    let mut call = core.call(slot, scope, Priority::NearDeadline, Mode::ReadOnly, 1);
    call.limit_ms = call.limit_ms.min(LIMIT_MS);
    call
}
