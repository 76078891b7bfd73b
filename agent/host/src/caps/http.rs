//! `http`: one request of a guest, from its rules (`rules.rs`) over its secrets, its budget and the journal to the wire,
//! with its place in the transcript. It decides none of these itself.

use super::rules::{Plan, own_headers, plan};
use crate::budget::BudgetKey;
use crate::credentials::{self, CredentialError, Prepared, scrub};
use crate::effects::{self, Denial, Effect, IoError};
use crate::ports::{Begun, WireError, WireRequest, WireResponse};
use crate::setup::Bound;
use crate::state::{CallState, Visitor, kept};
use secrecy::SecretString;
use waybill_model::contract::Exchange;
use waybill_model::crash;
use waybill_model::ids::{EffectId, Millis};

/// A request, as a guest makes it.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) credential: Option<String>,
    pub(crate) effect: Option<Effect>,
}

/// What the guest gets.
pub(crate) struct Response {
    pub(crate) answer: WireResponse,
    pub(crate) replayed: bool,
}

/// Most of a body that practice keeps.
const PRACTISED_BYTES: usize = 128 * 1024;
/// Left when a request's time is cut, so that the guest can still say what happened.
const MARGIN_MS: u64 = 50;

/// Sends a request, or says why not. The outer error ends the call.
pub(crate) async fn send(
    state: &mut CallState,
    request: Request,
) -> wasmtime::Result<Result<Response, IoError>> {
    let visitor = state.visitor("http.send")?;
    state.requests += 1;
    state.at_most("requests", state.requests, state.limits.requests)?;
    let plan = match plan(state, &visitor, &request) {
        Ok(plan) => plan,
        Err(error) => {
            note(state, &visitor.bound, &request, &error.to_string());
            if error == IoError::Denied(Denial::Practice) {
                practised(state, &request);
            }
            return Ok(Err(error));
        }
    };
    state.last_reach = Some(plan.key.reach.clone());
    let prepared = match prepare(state, &visitor.bound, &request, &plan, None).await {
        Ok(prepared) => prepared,
        Err(CredentialError::Port(error)) => return state.port(Err(error)),
        Err(error) => {
            state.credential = error.problem().or(state.credential.take());
            note(state, &visitor.bound, &request, &error.to_string());
            return Ok(Err(error.told()));
        }
    };
    if let Err(error) = own_headers(&request, prepared.as_ref()) {
        note(state, &visitor.bound, &request, &error.to_string());
        return Ok(Err(error));
    }
    let patience = state.remaining_ms().saturating_sub(MARGIN_MS);
    if let Err(error) = budget(&visitor, &plan, patience).await {
        note(state, &visitor.bound, &request, &error.to_string());
        return Ok(Err(error));
    }
    let effect = match begin(state, &visitor, &request).await? {
        Begin::Send(effect) => effect,
        Begin::Answered(result) => {
            visitor
                .bound
                .budgets
                .refund(&plan.key, visitor.call.priority);
            return Ok(result);
        }
    };
    let mut outcome = exchange(state, &visitor.bound, &request, &plan, prepared.as_ref()).await;
    if let Some(again) = renew(state, &visitor.bound, &request, &plan, prepared, &outcome).await {
        outcome = exchange(state, &visitor.bound, &request, &plan, Some(&again)).await;
    }
    if let (Some(id), Some(effect)) = (effect, &request.effect) {
        crash::point_of("effect.answered", &effect.step);
        finish(state, &visitor.bound, id, &outcome).await?;
        crash::point_of("effect.finished", &effect.step);
        // Should it be lost, its guest knows of this very attempt.
        state.doubts.tell(effect, Millis::MAX);
    }
    Ok(match outcome {
        Ok(answer) => Ok(Response {
            answer,
            replayed: false,
        }),
        Err(error) => Err(effects::told(&error, request.effect.is_some())),
    })
}

async fn prepare(
    state: &mut CallState,
    bound: &Bound,
    request: &Request,
    plan: &Plan,
    refused: Option<&SecretString>,
) -> Result<Option<Prepared>, CredentialError> {
    let Some(slot) = &request.credential else {
        return Ok(None);
    };
    let time = time_for_one(state);
    credentials::prepare(bound, slot, &plan.url, refused, time, &mut state.exchanges)
        .await
        .map(Some)
}

async fn budget(visitor: &Visitor, plan: &Plan, patience: u64) -> Result<(), IoError> {
    let budgets = &visitor.bound.budgets;
    let priority = visitor.call.priority;
    budgets
        .acquire(&plan.key, plan.rate, priority, patience)
        .await
        // No hold: what is more urgent may still have calls.
        .map_err(|exhausted| IoError::Refused(exhausted.to_string()))
}

enum Begin {
    Send(Option<EffectId>),
    Answered(Result<Response, IoError>),
}

async fn begin(
    state: &mut CallState,
    visitor: &Visitor,
    request: &Request,
) -> wasmtime::Result<Begin> {
    let Some(effect) = &request.effect else {
        return Ok(Begin::Send(None));
    };
    let bound = &visitor.bound;
    let absent = state.doubts.absent(effect);
    match effects::begin(state, visitor, effect, absent).await? {
        Begun::Fresh(id) => Ok(Begin::Send(Some(id))),
        Begun::Replay(bytes) => {
            let unreadable = || {
                crate::ports::PortError(format!(
                    "the kept answer of the effect `{}` cannot be read",
                    effect.step
                ))
            };
            let answer = state.port(effects::decode(&bytes).ok_or_else(unreadable))?;
            let mut exchange = opened(bound, request, &request.url);
            exchange.status = answer.status;
            exchange.replayed = true;
            exchange.answer = kept(&answer.body);
            state.exchanges.push(exchange);
            Ok(Begin::Answered(Ok(Response {
                answer,
                replayed: true,
            })))
        }
        Begun::InDoubt { since } => {
            let error = effects::in_doubt(state, bound, effect, since);
            note(state, bound, request, &error.to_string());
            Ok(Begin::Answered(Err(error)))
        }
    }
}

async fn finish(
    state: &mut CallState,
    bound: &Bound,
    effect: EffectId,
    outcome: &Result<WireResponse, WireError>,
) -> wasmtime::Result<()> {
    if let Some(proof) = effects::proof(outcome) {
        let finished = bound.ports.journal.finish(effect, proof).await;
        state.port(finished)?;
    }
    Ok(())
}

/// One request on the wire, with its place in the transcript taken before it leaves.
async fn exchange(
    state: &mut CallState,
    bound: &Bound,
    request: &Request,
    plan: &Plan,
    prepared: Option<&Prepared>,
) -> Result<WireResponse, WireError> {
    let secrets = prepared.map_or(&[][..], |p| &p.secrets);
    let mut opened = opened(bound, request, plan.url.as_str());
    opened.request = scrub(&opened.request, secrets);
    let at = opened.at;
    state.exchanges.push(opened);
    let place = state.exchanges.len() - 1;
    // The host speaks gzip by itself; a guest's own wish would switch that off.
    let mut headers: Vec<_> = request
        .headers
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("accept-encoding"))
        .cloned()
        .collect();
    headers.extend(prepared.iter().flat_map(|p| p.headers.iter().cloned()));
    let mut outcome = bound
        .ports
        .wire
        .send(WireRequest {
            method: request.method.clone(),
            url: plan.url.to_string(),
            headers,
            body: request.body.clone(),
            allow_private: plan.allow_private,
            max_answer: state.limits.answer_body,
            timeout_ms: time_for_one(state),
        })
        .await;
    bound.budgets.tally.request(bound.setup.id, &outcome);
    let exchange = &mut state.exchanges[place];
    exchange.took_ms = took(at, bound.now());
    match &mut outcome {
        Ok(answer) => {
            credentials::hide(answer, secrets);
            exchange.status = answer.status;
            exchange.answer = scrub(&kept(&answer.body), secrets);
        }
        Err(error) => exchange.answer = error.to_string(),
    }
    outcome
}

/// A 401 means that nothing happened: with a new token, once, the request may go again.
async fn renew(
    state: &mut CallState,
    bound: &Bound,
    request: &Request,
    plan: &Plan,
    prepared: Option<Prepared>,
    outcome: &Result<WireResponse, WireError>,
) -> Option<Prepared> {
    let token = prepared?.token?;
    if !matches!(outcome, Ok(answer) if answer.status == 401) {
        return None;
    }
    match prepare(state, bound, request, plan, Some(&token)).await {
        Ok(again) => again,
        Err(error) => {
            state.credential = error.problem().or(state.credential.take());
            None
        }
    }
}

fn time_for_one(state: &CallState) -> u64 {
    let left = state.remaining_ms().saturating_sub(MARGIN_MS).max(1);
    left.min(state.limits.request_ms)
}

fn took(from: Millis, to: Millis) -> u32 {
    u32::try_from(to - from).unwrap_or(0)
}

fn opened(bound: &Bound, request: &Request, url: &str) -> Exchange {
    Exchange {
        at: bound.now(),
        took_ms: 0,
        method: kept(request.method.as_bytes()),
        url: kept(url.as_bytes()),
        status: 0,
        step: request.effect.as_ref().map(|e| e.step.clone()),
        replayed: false,
        request: kept(&request.body),
        answer: "no answer yet".to_owned(),
    }
}

/// A request that did not leave.
fn note(state: &mut CallState, bound: &Bound, request: &Request, why: &str) {
    let mut exchange = opened(bound, request, &request.url);
    why.clone_into(&mut exchange.answer);
    state.exchanges.push(exchange);
}

/// What would have been sent is kept whole, as far as people can read it: it is all there is of it.
fn practised(state: &mut CallState, request: &Request) {
    let end = request.body.len().min(PRACTISED_BYTES);
    let whole = String::from_utf8_lossy(&request.body[..end]).into_owned();
    if let Some(exchange) = state.exchanges.last_mut() {
        exchange.request = whole;
    }
}

/// The vendor's answer to a step proves that nothing happened.
pub(crate) async fn retract(
    state: &mut CallState,
    step: &str,
    members: &[u32],
) -> wasmtime::Result<()> {
    let visitor = state.visitor("effects.retract")?;
    state.at_most(
        "members to `effects.retract`",
        members.len(),
        state.limits.members,
    )?;
    let effect = Effect {
        step: step.to_owned(),
        members: members.to_vec(),
        verified_absent: false,
    };
    if let Some(misuse) = effects::misuse(&effect, &visitor.call) {
        return Err(state.broke(format!("retracted wrongly: {misuse}")));
    }
    let bound = &visitor.bound;
    let journal = &bound.ports.journal;
    let retracted = journal
        .retract(bound.setup.id, &visitor.call.scope, step, members)
        .await;
    state.port(retracted)
}

/// The vendor says what is left of the quota that the last request drew on.
pub(crate) fn quota(
    state: &mut CallState,
    remaining: u32,
    resets_in_ms: u32,
) -> wasmtime::Result<()> {
    let visitor = state.visitor("http.quota")?;
    if let Some(reach) = &state.last_reach {
        let key = BudgetKey {
            connection: visitor.bound.setup.id,
            reach: reach.clone(),
        };
        visitor.bound.budgets.report(&key, remaining, resets_in_ms);
    }
    Ok(())
}
