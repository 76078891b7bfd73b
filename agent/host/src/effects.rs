//! The journal around the wire: `begin` is committed before bytes leave, `finish` after the answer, and what an answer
//! proves is decided here. It knows no sockets.

use crate::connector::{Call, Mode};
use crate::ports::{Begun, EffectScope, Finish, WireError, WireResponse};
use crate::setup::Bound;
use crate::state::{CallState, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use waybill_model::crash;
use waybill_model::ids::Millis;

/// An unsafe outside call, as a guest declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effect {
    pub(crate) step: String,
    pub(crate) members: Vec<u32>,
    pub(crate) verified_absent: bool,
}

/// Since when steps are in doubt, as the guest of one call was told. Its look-up is about these attempts: one that began
/// later, because a member was sent again alone before a crash, may trail in what it found.
#[derive(Debug, Default)]
pub(crate) struct Doubts(BTreeMap<(String, Option<u32>), Millis>);

impl Doubts {
    /// It was told so, before it looked anything up.
    pub(crate) fn tell(&mut self, effect: &Effect, since: Millis) {
        for key in keys(effect) {
            self.0.insert(key, since);
        }
    }

    /// What it has looked up, when it says so: what was begun until then.
    pub(crate) fn absent(&self, effect: &Effect) -> Option<Millis> {
        let known = keys(effect).filter_map(|key| self.0.get(&key)).min();
        // Where nothing was told, it is sure without that: levels are the same sent twice.
        effect
            .verified_absent
            .then(|| known.copied().unwrap_or(Millis::MAX))
    }
}

/// Whether this effect may happen in this call.
pub(crate) fn permitted(effect: &Effect, call: &Call) -> Result<(), IoError> {
    if let Some(misuse) = misuse(effect, call) {
        return Err(IoError::Refused(misuse));
    }
    match call.mode {
        Mode::Live => Ok(()),
        Mode::ReadOnly => Err(Denial::ReadOnlyCall.into()),
        Mode::Practice => Err(Denial::Practice.into()),
    }
}

/// Commits that it begins; `absent`: what was begun until then did not happen.
pub(crate) async fn begin(
    state: &mut CallState,
    visitor: &Visitor,
    effect: &Effect,
    absent: Option<Millis>,
) -> wasmtime::Result<Begun> {
    let bound = &visitor.bound;
    crash::point_of("effect.before-begin", &effect.step);
    let begun = bound
        .ports
        .journal
        .begin(
            bound.setup.id,
            &visitor.call.scope,
            &effect.step,
            &effect.members,
            absent,
        )
        .await;
    let begun = state.port(begun)?;
    if matches!(begun, Begun::Fresh(_)) {
        crash::point_of("effect.begun", &effect.step);
    }
    Ok(begun)
}

/// What a guest is told of an effect that is in doubt since then.
pub(crate) fn in_doubt(
    state: &mut CallState,
    bound: &Bound,
    effect: &Effect,
    since: Millis,
) -> IoError {
    if !effect.verified_absent {
        state.doubts.tell(effect, since);
    }
    IoError::InDoubt(u64::try_from(bound.now() - since).unwrap_or(0))
}

fn keys(effect: &Effect) -> impl Iterator<Item = (String, Option<u32>)> {
    let members = effect.members.iter().copied().map(Some);
    let alone = effect.members.is_empty().then_some(None);
    members
        .chain(alone)
        .map(|member| (effect.step.clone(), member))
}

/// Why a request was not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denial {
    #[error("not granted: {0}")]
    NotGranted(String),
    #[error("a call that changes something needs an effect")]
    EffectRequired,
    #[error("this call may only read")]
    ReadOnlyCall,
    #[error("practice mode: recorded, not sent")]
    Practice,
}

/// Why a request gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IoError {
    #[error("denied: {0}")]
    Denied(Denial),
    #[error("no answer in time")]
    TimedOut,
    #[error("{0}")]
    Refused(String),
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    #[error("sent {0} ms ago, outcome unknown")]
    InDoubt(u64),
}

impl From<Denial> for IoError {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

/// The first rule of effects this one breaks, as a sentence.
pub(crate) fn misuse(effect: &Effect, call: &Call) -> Option<String> {
    let step = &effect.step;
    if step.is_empty() || step.len() > 200 {
        return Some("an effect's step needs a name of at most 200 bytes".to_owned());
    }
    match &call.scope {
        EffectScope::Jobs(jobs) => {
            if !jobs.is_empty() && effect.members.is_empty() {
                return Some(format!("the effect `{step}` names no member of its batch"));
            }
            let stranger = effect
                .members
                .iter()
                .find(|m| usize::try_from(**m).map_or(true, |m| m >= jobs.len()))?;
            Some(format!(
                "the effect `{step}` names member {stranger} of a batch of {}",
                jobs.len()
            ))
        }
        EffectScope::Levels(_) => None,
        EffectScope::Poll(_) | EffectScope::Setup(_) => (!effect.members.is_empty())
            .then(|| format!("the effect `{step}` names members outside a batch")),
    }
}

/// What the outcome of a sent effect proves; `None`: nothing, the step stays open.
pub(crate) fn proof(outcome: &Result<WireResponse, WireError>) -> Option<Finish> {
    match outcome {
        Ok(answer) if answer.status < 400 => Some(Finish::Answered(encode(answer))),
        Ok(answer) if answer.status < 500 && answer.status != 408 => Some(Finish::NothingHappened),
        Err(WireError::NotSent(_) | WireError::AddressRefused { .. }) => {
            Some(Finish::NothingHappened)
        }
        Ok(_) | Err(WireError::Lost(_) | WireError::TimedOut | WireError::TooLarge(_)) => None,
    }
}

/// What the guest is told of a request without an answer.
pub(crate) fn told(error: &WireError, effect: bool) -> IoError {
    match error {
        WireError::AddressRefused { .. } => Denial::NotGranted(error.to_string()).into(),
        WireError::TimedOut => IoError::TimedOut,
        WireError::Lost(_) if effect => IoError::InDoubt(0),
        WireError::NotSent(_) | WireError::Lost(_) => IoError::Refused(error.to_string()),
        WireError::TooLarge(limit) => IoError::TooLarge(*limit),
    }
}

#[derive(Serialize, Deserialize)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

const VERSION: u8 = 1;

/// An answer as the journal keeps it: version, length of the head, head as JSON, body.
pub(crate) fn encode(answer: &WireResponse) -> Vec<u8> {
    let head = serde_json::to_vec(&Head {
        status: answer.status,
        headers: answer.headers.clone(),
    })
    .expect("numbers and strings always serialise");
    let len = u32::try_from(head.len()).expect("heads are limited to far less");
    let mut bytes = Vec::with_capacity(5 + head.len() + answer.body.len());
    bytes.push(VERSION);
    bytes.extend(len.to_be_bytes());
    bytes.extend(head);
    bytes.extend(&answer.body);
    bytes
}

/// The answer the journal kept.
pub(crate) fn decode(bytes: &[u8]) -> Option<WireResponse> {
    let (version, rest) = bytes.split_first()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let (head, body) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
    if *version != VERSION {
        return None;
    }
    let head: Head = serde_json::from_slice(head).ok()?;
    Some(WireResponse {
        status: head.status,
        headers: head.headers,
        body: body.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> WireResponse {
        WireResponse {
            status,
            headers: vec![("location".to_owned(), "/1".to_owned())],
            body: b"\x00 body".to_vec(),
        }
    }

    #[test]
    fn answers_survive_the_journal() {
        let back = decode(&encode(&answer(201))).unwrap();
        assert_eq!((back.status, back.body), (201, b"\x00 body".to_vec()));
        assert_eq!(back.headers, answer(201).headers);
        assert!(decode(b"").is_none() && decode(b"\x02\0\0\0\0").is_none());
        assert!(decode(b"\x01\0\0\0\x09{}").is_none());
    }

    #[test]
    fn only_an_answer_that_proves_something_ends_a_step() {
        for status in [200, 201, 302, 399] {
            assert!(
                matches!(proof(&Ok(answer(status))), Some(Finish::Answered(_))),
                "{status}"
            );
        }
        for status in [400, 401, 404, 409, 422, 429, 499] {
            assert_eq!(
                proof(&Ok(answer(status))),
                Some(Finish::NothingHappened),
                "{status}"
            );
        }
        for status in [408, 500, 502, 503, 504] {
            assert_eq!(proof(&Ok(answer(status))), None, "{status}");
        }
        assert_eq!(proof(&Err(WireError::TimedOut)), None);
        assert_eq!(proof(&Err(WireError::Lost(String::new()))), None);
        assert_eq!(proof(&Err(WireError::TooLarge(1))), None);
        assert_eq!(
            proof(&Err(WireError::NotSent(String::new()))),
            Some(Finish::NothingHappened)
        );
    }
}
