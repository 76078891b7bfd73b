//! `http`: one request of a guest. Where it may go, what it may carry, when it may leave, and what its answer proves.
//! The sockets are the wire's, the journal's promise is `effects.rs`', the secrets are `credentials.rs`'.

use crate::budget::{BudgetKey, Rate};
use crate::connector::Mode;
use crate::credentials::{self, CredentialError, Prepared, scrub};
use crate::effects::{self, Denial, Effect, IoError};
use crate::ports::{Begun, WireError, WireRequest, WireResponse};
use crate::reach;
use crate::setup::Bound;
use crate::state::{Access, CallState, Visitor, kept};
use secrecy::SecretString;
use url::Url;
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

/// A request that may leave.
struct Plan {
    url: Url,
    key: BudgetKey,
    rate: Rate,
    allow_private: bool,
}

/// Set by the host alone: identity, framing, and what a proxy would act on.
const HOST_HEADERS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "host",
    "cookie",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-connection",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
];

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
    if let Err(error) = budget(state, &visitor, &plan).await {
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
    if let Some(effect) = effect {
        finish(state, &visitor.bound, effect, &outcome).await?;
    }
    Ok(match outcome {
        Ok(answer) => Ok(Response {
            answer,
            replayed: false,
        }),
        Err(error) => Err(effects::told(&error, request.effect.is_some())),
    })
}

/// Everything that is checked before a secret is touched.
fn plan(state: &CallState, visitor: &Visitor, request: &Request) -> Result<Plan, IoError> {
    let bound = &visitor.bound;
    let not_granted = |why: String| IoError::Denied(Denial::NotGranted(why));
    if state.access == Access::Local {
        return Err(not_granted("this call has no network".to_owned()));
    }
    within_limits(state, request)?;
    let url = reach::parse(&request.url).map_err(|e| not_granted(e.to_string()))?;
    let prefixes = reach::resolve_with(&bound.descriptor, &bound.values());
    let usable: Vec<_> = prefixes.iter().filter_map(|p| p.clone().ok()).collect();
    let Some(prefix) = reach::covering(&usable, &url) else {
        let missing = prefixes
            .iter()
            .find_map(|p| p.as_ref().err().map(|e| format!(" ({e})")));
        return Err(not_granted(format!(
            "`{}` is not in the connector's reach{}",
            shown(&url),
            missing.unwrap_or_default()
        )));
    };
    if !reach::transport_allowed(&url, &bound.setup) {
        return Err(not_granted(format!(
            "`{}` is plain http, and private addresses are not allowed for this connection",
            shown(&url)
        )));
    }
    if let Some(slot) = &request.credential {
        credentials::granted(bound, slot, &url).map_err(|e| e.told())?;
    }
    permitted(visitor, request)?;
    let host = url.host_str().unwrap_or_default();
    Ok(Plan {
        key: BudgetKey {
            connection: bound.setup.id,
            reach: prefix.url.to_string(),
        },
        rate: Rate {
            per_minute: prefix.per_minute,
            per_second: prefix.per_second,
        },
        allow_private: bound
            .setup
            .private_allowed(host, url.port_or_known_default()),
        url,
    })
}

fn within_limits(state: &CallState, request: &Request) -> Result<(), IoError> {
    let limits = &state.limits;
    let body = u64::try_from(request.body.len()).unwrap_or(u64::MAX);
    if body > limits.request_body {
        return Err(IoError::TooLarge(limits.request_body));
    }
    let headers = &request.headers;
    let head: usize = headers.iter().map(|(n, v)| n.len() + v.len()).sum();
    if headers.len() > limits.headers || head + request.url.len() > limits.head_bytes {
        return Err(IoError::Refused(format!(
            "the URL and headers are larger than {} bytes or {} headers",
            limits.head_bytes, limits.headers
        )));
    }
    let token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let plain = |text: &str| text.chars().all(|c| c == '\t' || !c.is_control());
    if !headers.iter().all(|(n, v)| token(n) && plain(v)) {
        return Err(IoError::Refused(
            "a header holds characters that no header may hold".to_owned(),
        ));
    }
    Ok(())
}

/// The rules of effects and modes.
fn permitted(visitor: &Visitor, request: &Request) -> Result<(), IoError> {
    let reads = match request.method.as_str() {
        "GET" | "HEAD" | "OPTIONS" => true,
        "POST" | "PUT" | "PATCH" | "DELETE" => false,
        other => {
            return Err(IoError::Refused(format!(
                "the method `{}` is not spoken",
                kept(other.as_bytes())
            )));
        }
    };
    if !reads && visitor.call.mode == Mode::ReadOnly {
        return Err(Denial::ReadOnlyCall.into());
    }
    let Some(effect) = &request.effect else {
        return if reads {
            Ok(())
        } else {
            Err(Denial::EffectRequired.into())
        };
    };
    if let Some(misuse) = effects::misuse(effect, &visitor.call) {
        return Err(IoError::Refused(misuse));
    }
    match visitor.call.mode {
        Mode::Live => Ok(()),
        Mode::ReadOnly => Err(Denial::ReadOnlyCall.into()),
        Mode::Practice => Err(Denial::Practice.into()),
    }
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

/// A guest sets no header of the host's, and none that its credential sets.
fn own_headers(request: &Request, prepared: Option<&Prepared>) -> Result<(), IoError> {
    let theirs = |name: &str| {
        HOST_HEADERS.iter().any(|h| name.eq_ignore_ascii_case(h))
            || prepared.is_some_and(|p| p.headers.iter().any(|(h, _)| name.eq_ignore_ascii_case(h)))
    };
    match request.headers.iter().find(|(name, _)| theirs(name)) {
        None => Ok(()),
        Some((name, _)) => {
            Err(Denial::NotGranted(format!("the header `{name}` is set by the host")).into())
        }
    }
}

async fn budget(state: &mut CallState, visitor: &Visitor, plan: &Plan) -> Result<(), IoError> {
    let patience = state.remaining_ms().saturating_sub(MARGIN_MS);
    let budgets = &visitor.bound.budgets;
    let priority = visitor.call.priority;
    budgets
        .acquire(&plan.key, plan.rate, priority, patience)
        .await
        .map_err(|exhausted| {
            state.hold(exhausted.until);
            IoError::Refused(exhausted.to_string())
        })
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
    crash::point("effect.before-begin");
    let begun = bound
        .ports
        .journal
        .begin(
            bound.setup.id,
            &visitor.call.scope,
            &effect.step,
            &effect.members,
            effect.verified_absent,
        )
        .await;
    match state.port(begun)? {
        Begun::Fresh(id) => {
            crash::point("effect.begun");
            Ok(Begin::Send(Some(id)))
        }
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
            let age = u64::try_from(bound.now() - since).unwrap_or(0);
            let error = IoError::InDoubt(age);
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
    crash::point("effect.answered");
    if let Some(proof) = effects::proof(outcome) {
        let finished = bound.ports.journal.finish(effect, proof).await;
        state.port(finished)?;
    }
    crash::point("effect.finished");
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
    let outcome = bound
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
    let exchange = &mut state.exchanges[place];
    exchange.took_ms = took(at, bound.now());
    match &outcome {
        Ok(answer) => {
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

/// A URL for a sentence: without its query.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    kept(url.as_str().as_bytes())
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
        state.limits.keys,
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
