//! `sftp`: files on the server that a credential is for. Grant, sign-in, journal and transcript of each deed are side by
//! side here; what goes over the wire is in `sftp/`. A connection is kept for the rest of the call, a large file that was
//! read for the next ones, too.

use super::blob::{self, Spool};
use crate::credentials::{self, CredentialError};
use crate::effects::{self, Denial, Effect, IoError};
use crate::ports::{Begun, Finish, HostKeys, WireResponse};
use crate::setup::Bound;
use crate::sftp::{self, Entry, Pinned, Put, Session, SftpError, Target};
use crate::state::{Access, CallState, Visitor, kept};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Resource;
use waybill_model::contract::{Exchange, Problem, Scheme};
use waybill_model::crash;
use waybill_model::ids::{EffectId, Millis};

/// Key of the setting in which a merchant enters the fingerprint of the server's key.
const HOST_KEY: &str = "sftp-host-key";
/// Left when a transfer is cut, so that the guest can still say what happened.
const MARGIN_MS: u64 = 100;

/// What a guest wants done.
struct Asked<'a> {
    verb: &'static str,
    slot: &'a str,
    path: &'a str,
    to: Option<&'a str>,
    effect: Option<&'a Effect>,
}

/// Where it may be done.
struct Plan {
    target: Target,
    allow_private: bool,
    keys: Arc<dyn HostKeys>,
}

/// The files of a folder.
pub(crate) async fn entries(
    state: &mut CallState,
    slot: &str,
    dir: &str,
) -> wasmtime::Result<Result<Vec<Entry>, IoError>> {
    let visitor = state.visitor("sftp.entries")?;
    let asked = Asked {
        verb: "SFTP LIST",
        slot,
        path: dir,
        to: None,
        effect: None,
    };
    let session = match ready(state, &visitor, &asked, String::new()).await? {
        Ok(session) => session,
        Err(error) => return Ok(Err(error)),
    };
    let most = state.limits.files;
    let listed = within(left(state), sftp::entries(&session, dir, most)).await;
    let listed = listed.unwrap_or(Err(SftpError::TimedOut));
    if let Ok(listed) = &listed {
        let whose = (visitor.bound.setup.id, session.account);
        let known = &visitor.bound.ports.fetched;
        let known = known.among(whose, listed, visitor.bound.now());
        // What the folder showed before counts no more.
        let dir = dir.trim_end_matches('/');
        let elsewhere = |path: &str| path.rsplit_once('/').is_none_or(|(of, _)| of != dir);
        let seen = &mut state.fetched;
        seen.retain(|(of, path), _| of != slot || elsewhere(path));
        seen.extend(
            known
                .into_iter()
                .map(|(path, spool)| ((slot.to_owned(), path), spool)),
        );
    }
    let said = listed.as_ref().map(|all| format!("{} files", all.len()));
    ended(state, &visitor, slot, session, said);
    Ok(listed.map_err(|error| told(&error, false)))
}

/// Reads a file whole. To read again harms nothing, so an attempt that was lost leaves no doubt; that the file is not
/// there any more is then told with what is known of it. One that was read before, and that its folder shows as it was
/// then, does not pass the wire again.
pub(crate) async fn get(
    state: &mut CallState,
    slot: &str,
    path: &str,
    effect: &Effect,
) -> wasmtime::Result<Result<Resource<Spool>, IoError>> {
    let visitor = state.visitor("sftp.get")?;
    let asked = Asked {
        verb: "SFTP GET",
        slot,
        path,
        to: None,
        effect: Some(effect),
    };
    let plan = match allowed(state, &visitor, &asked, String::new())? {
        Ok(plan) => plan,
        Err(error) => return Ok(Err(error)),
    };
    if let Some(spool) = state.fetched.get(&(slot.to_owned(), path.to_owned()))
        && let Some(spool) = spool.share()
        && spool.len() <= state.limits.spooled.saturating_sub(state.spooled)
    {
        done_before(state, &visitor.bound, format!("{} bytes", spool.len()));
        return Ok(Ok(blob::keep(state, spool)?));
    }
    let session = match signed_in(state, &visitor, slot, &plan).await? {
        Ok(session) => session,
        Err(error) => return Ok(Err(error)),
    };
    let (id, before) = match effects::begin(state, &visitor, effect, Some(Millis::MAX)).await? {
        Begun::Fresh(id) => (Some(id), None),
        Begun::Replay(bytes) => (None, effects::decode(&bytes)),
        Begun::InDoubt { .. } => (None, None),
    };
    let mut spool = Spool::new(visitor.bound.ports.spools.as_deref());
    let most = state.limits.spooled.saturating_sub(state.spooled);
    let read = within(left(state), sftp::get(&session, path, &mut spool, most)).await;
    let mut read = read.unwrap_or(Err(SftpError::TimedOut));
    if let (Err(SftpError::NotThere(_)), Some(before)) = (&read, &before) {
        let size = String::from_utf8_lossy(&before.body).into_owned();
        read = Err(SftpError::ReadBefore {
            path: path.to_owned(),
            size,
        });
    }
    if let Ok(Some(modified_ms)) = &read {
        let whose = (visitor.bound.setup.id, session.account);
        let (kept, now) = (&visitor.bound.ports.fetched, visitor.bound.now());
        kept.keep(whose, path, *modified_ms, &spool, now);
    }
    if let Some(id) = id {
        let finish = match &read {
            Ok(_) => answered(&spool.len().to_string()),
            Err(_) => Finish::NothingHappened,
        };
        finished(state, &visitor.bound, effect, id, Some(finish)).await?;
    }
    let said = read.as_ref().map(|_| format!("{} bytes", spool.len()));
    ended(state, &visitor, slot, session, said);
    match read {
        Ok(_) => Ok(Ok(blob::keep(state, spool)?)),
        Err(error) => Ok(Err(told(&error, false))),
    }
}

/// Puts a file whole under its name.
pub(crate) async fn put(
    state: &mut CallState,
    slot: &str,
    path: &str,
    spool: &Resource<Spool>,
    effect: &Effect,
) -> wasmtime::Result<Result<(), IoError>> {
    let visitor = state.visitor("sftp.put")?;
    let asked = Asked {
        verb: "SFTP PUT",
        slot,
        path,
        to: None,
        effect: Some(effect),
    };
    let start = blob::read(state, spool, 0, 16_000)?;
    let (session, id) = match begun(state, &visitor, &asked, kept(&start)).await? {
        Ok(begun) => begun,
        Err(known) => return Ok(known),
    };
    // Out of the table for as long as it is read: the call itself stands still.
    let bytes = std::mem::replace(state.table.get_mut(spool)?, Spool::new(None));
    let done = within(
        left(state),
        sftp::put(&session, path, &bytes, effect.verified_absent),
    )
    .await;
    let said = format!("{} bytes", bytes.len());
    *state.table.get_mut(spool)? = bytes;
    settled(state, &visitor, &asked, session, id, done, said).await
}

/// Gives a file another name.
pub(crate) async fn move_to(
    state: &mut CallState,
    slot: &str,
    path: &str,
    to: &str,
    effect: &Effect,
) -> wasmtime::Result<Result<(), IoError>> {
    let visitor = state.visitor("sftp.move-to")?;
    let asked = Asked {
        verb: "SFTP MOVE",
        slot,
        path,
        to: Some(to),
        effect: Some(effect),
    };
    let (session, id) = match begun(state, &visitor, &asked, format!("to {to}")).await? {
        Ok(begun) => begun,
        Err(known) => return Ok(known),
    };
    let done = within(left(state), sftp::move_to(&session, path, to)).await;
    settled(
        state,
        &visitor,
        &asked,
        session,
        id,
        done,
        "moved".to_owned(),
    )
    .await
}

/// Everything before the deed: its rules, its place in the transcript, a signed-in connection.
async fn ready(
    state: &mut CallState,
    visitor: &Visitor,
    asked: &Asked<'_>,
    carried: String,
) -> wasmtime::Result<Result<Session, IoError>> {
    match allowed(state, visitor, asked, carried)? {
        Ok(plan) => signed_in(state, visitor, asked.slot, &plan).await,
        Err(error) => Ok(Err(error)),
    }
}

/// The rules of the deed and its place in the transcript.
fn allowed(
    state: &mut CallState,
    visitor: &Visitor,
    asked: &Asked<'_>,
    carried: String,
) -> wasmtime::Result<Result<Plan, IoError>> {
    state.requests += 1;
    state.at_most("requests", state.requests, state.limits.requests)?;
    let bound = &visitor.bound;
    let place = target(bound, asked.slot).map(|t| t.place());
    let url = format!(
        "sftp://{}/{}",
        place.as_deref().unwrap_or("?"),
        asked.path.trim_start_matches('/')
    );
    state.exchanges.push(Exchange {
        at: bound.now(),
        took_ms: 0,
        method: asked.verb.to_owned(),
        url: kept(url.as_bytes()),
        status: 0,
        step: asked.effect.map(|e| e.step.clone()),
        replayed: false,
        request: carried,
        answer: "no answer yet".to_owned(),
    });
    let plan = plan(state, visitor, asked);
    if let Err(error) = &plan {
        last(state, bound, error.to_string());
    }
    Ok(plan)
}

/// A connection that stands: the call's, or a new one.
async fn signed_in(
    state: &mut CallState,
    visitor: &Visitor,
    slot: &str,
    plan: &Plan,
) -> wasmtime::Result<Result<Session, IoError>> {
    let bound = &visitor.bound;
    if let Some(session) = state.sessions.remove(slot)
        && session.is_open()
    {
        return Ok(Ok(session));
    }
    match within(left(state), connect(bound, slot, plan)).await {
        Some(Ok(session)) => Ok(Ok(session)),
        Some(Err(CredentialError::Port(error))) => state.port(Err(error)),
        failed => {
            let error = match failed {
                Some(Err(error)) => error,
                _ => CredentialError::Files(SftpError::TimedOut),
            };
            if let CredentialError::Files(error) = &error {
                bound.budgets.tally.file(bound.setup.id, error.counted());
            }
            state.credential = error.problem().or(state.credential.take());
            last(state, bound, error.to_string());
            Ok(Err(error.told()))
        }
    }
}

/// Everything that is checked before a secret is touched.
fn plan(state: &CallState, visitor: &Visitor, asked: &Asked<'_>) -> Result<Plan, IoError> {
    let bound = &visitor.bound;
    let not_granted = |why: String| IoError::Denied(Denial::NotGranted(why));
    if state.access == Access::Local {
        return Err(not_granted("this call has no network".to_owned()));
    }
    let Some(keys) = &bound.ports.host_keys else {
        return Err(not_granted("SFTP, which is switched off here".to_owned()));
    };
    let slot = asked.slot;
    match bound.credential(slot).map(|c| &c.scheme) {
        None => {
            return Err(not_granted(format!(
                "the connector declares no credential `{slot}`"
            )));
        }
        Some(Scheme::SftpPassword | Scheme::SshKey) => {}
        Some(_) => {
            return Err(not_granted(format!(
                "the credential `{slot}` signs in to no file server"
            )));
        }
    }
    let Some(target) = target(bound, slot) else {
        return Err(not_granted(format!(
            "no file server: the address of `{slot}` is not set, or is none"
        )));
    };
    for path in [Some(asked.path), asked.to].into_iter().flatten() {
        if let Some(why) = sftp::wrong_path(path) {
            return Err(not_granted(format!("a path that is none: {why}")));
        }
    }
    if let Some(effect) = asked.effect {
        effects::permitted(effect, &visitor.call)?;
    }
    Ok(Plan {
        allow_private: bound.setup.private_allowed(&target.host, Some(target.port)),
        target,
        keys: Arc::clone(keys),
    })
}

/// The first address of the credential is its server.
fn target(bound: &Bound, slot: &str) -> Option<Target> {
    Target::parse(bound.filled().hosts.get(slot)?.first()?)
}

/// Reaches the server, knows it again by its key, and only then signs in.
async fn connect(bound: &Bound, slot: &str, plan: &Plan) -> Result<Session, CredentialError> {
    let credential = bound.credential(slot).ok_or_else(|| {
        CredentialError::Denied(Denial::NotGranted(format!("no credential `{slot}`")))
    })?;
    let login = credentials::login(bound, credential).await?;
    let (id, place) = (bound.setup.id, plan.target.place());
    let entered = bound.filled().values.get(HOST_KEY).cloned();
    let pinned = match entered.as_deref().and_then(Pinned::entered) {
        Some(entered) => entered,
        None => match plan.keys.known(id, &place).await? {
            Some(known) => Pinned::One(vec![known]),
            None => Pinned::FirstUse,
        },
    };
    let greeted = Session::greet(&plan.target, plan.allow_private, &pinned).await?;
    if pinned == Pinned::FirstUse {
        let kept = plan.keys.keep(id, &place, &greeted.shown).await?;
        if kept != greeted.shown {
            let kept = Pinned::One(vec![kept]);
            return Err(kept.changed(&plan.target, &greeted.shown).into());
        }
        tracing::info!(
            connection = %bound.setup.name, server = %place, fingerprint = %greeted.shown,
            "The key of a file server was seen for the first time and is kept."
        );
    }
    Ok(greeted.sign_in(&login).await?)
}

/// A signed-in connection and the begun effect of a deed whose repetition is not harmless; or the answer, where that is
/// known already.
async fn begun(
    state: &mut CallState,
    visitor: &Visitor,
    asked: &Asked<'_>,
    carried: String,
) -> wasmtime::Result<Result<(Session, EffectId), Result<(), IoError>>> {
    let plan = match allowed(state, visitor, asked, carried)? {
        Ok(plan) => plan,
        Err(error) => return Ok(Err(Err(error))),
    };
    let session = match signed_in(state, visitor, asked.slot, &plan).await? {
        Ok(session) => session,
        // A server that was not reached has refused nothing.
        Err(IoError::Refused(_)) if state.credential.is_none() => {
            return Ok(Err(Err(IoError::TimedOut)));
        }
        Err(error) => return Ok(Err(Err(error))),
    };
    let Some(effect) = asked.effect else {
        return Err(state.broke("changed a file without an effect".to_owned()));
    };
    let bound = &visitor.bound;
    let absent = state.doubts.absent(effect);
    let known = match effects::begin(state, visitor, effect, absent).await? {
        Begun::Fresh(id) => {
            for path in [Some(asked.path), asked.to].into_iter().flatten() {
                let whose = (bound.setup.id, session.account);
                bound.ports.fetched.forget(whose, path);
                let of = (asked.slot.to_owned(), path.to_owned());
                state.fetched.remove(&of);
            }
            return Ok(Ok((session, id)));
        }
        Begun::Replay(_) => {
            done_before(state, bound, "done before".to_owned());
            Ok(())
        }
        Begun::InDoubt { since } => {
            let error = effects::in_doubt(state, bound, effect, since);
            last(state, bound, error.to_string());
            Err(error)
        }
    };
    state.sessions.insert(asked.slot.to_owned(), session);
    Ok(Err(known))
}

/// Ends the effect by what is known, and the exchange with it.
async fn settled(
    state: &mut CallState,
    visitor: &Visitor,
    asked: &Asked<'_>,
    session: Session,
    id: EffectId,
    done: Option<Result<(), Put>>,
    said: String,
) -> wasmtime::Result<Result<(), IoError>> {
    let done = done.unwrap_or(Err(Put {
        error: SftpError::TimedOut,
        unknown: true,
    }));
    let finish = match &done {
        Ok(()) => Some(answered("")),
        Err(put) if put.unknown => None,
        Err(_) => Some(Finish::NothingHappened),
    };
    if let Some(effect) = asked.effect {
        finished(state, &visitor.bound, effect, id, finish).await?;
    }
    let told = match &done {
        Ok(()) => Ok(()),
        Err(put) => Err(told(&put.error, put.unknown)),
    };
    let said = done.as_ref().map(|()| said).map_err(|put| &put.error);
    ended(state, visitor, asked.slot, session, said);
    Ok(told)
}

async fn finished(
    state: &mut CallState,
    bound: &Bound,
    effect: &Effect,
    id: EffectId,
    finish: Option<Finish>,
) -> wasmtime::Result<()> {
    crash::point_of("effect.answered", &effect.step);
    if let Some(finish) = finish {
        let finished = bound.ports.journal.finish(id, finish).await;
        state.port(finished)?;
    }
    crash::point_of("effect.finished", &effect.step);
    // Should it be lost, its guest knows of this very attempt.
    state.doubts.tell(effect, Millis::MAX);
    Ok(())
}

/// Files have no statuses; transcripts and their readers know this one as done.
const DONE: u16 = 200;

/// What the journal keeps of a deed that was done.
fn answered(body: &str) -> Finish {
    Finish::Answered(effects::encode(&WireResponse {
        status: DONE,
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
    }))
}

/// Writes how it ended into the transcript, and keeps the connection where it still stands.
fn ended(
    state: &mut CallState,
    visitor: &Visitor,
    slot: &str,
    session: Session,
    said: Result<String, &SftpError>,
) {
    let bound = &visitor.bound;
    let counted = said.as_ref().map_or_else(|e| e.counted(), |_| "2xx");
    bound.budgets.tally.file(bound.setup.id, counted);
    if said
        .as_ref()
        .map_or_else(|e| e.leaves_connection(), |_| true)
    {
        state.sessions.insert(slot.to_owned(), session);
    }
    if said.is_ok()
        && let Some(exchange) = state.exchanges.last_mut()
    {
        exchange.status = DONE;
    }
    last(state, bound, said.unwrap_or_else(ToString::to_string));
}

/// Notes that the last exchange needed no wire.
fn done_before(state: &mut CallState, bound: &Bound, said: String) {
    if let Some(exchange) = state.exchanges.last_mut() {
        exchange.replayed = true;
        exchange.status = DONE;
    }
    last(state, bound, said);
}

/// The answer of the last exchange.
fn last(state: &mut CallState, bound: &Bound, answer: String) {
    let now = bound.now();
    if let Some(exchange) = state.exchanges.last_mut() {
        exchange.took_ms = u32::try_from(now - exchange.at).unwrap_or(0);
        exchange.answer = answer;
    }
}

/// What is left of the call for one deed.
fn left(state: &CallState) -> Duration {
    let left = state.remaining_ms().saturating_sub(MARGIN_MS);
    Duration::from_millis(left.max(1))
}

/// Within that time; `None` when it was cut.
async fn within<T>(left: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(left, work).await.ok()
}

/// What the guest is told.
pub(crate) fn told(error: &SftpError, unknown: bool) -> IoError {
    match error {
        _ if unknown => IoError::InDoubt(0),
        SftpError::AddressRefused { .. } => Denial::NotGranted(error.to_string()).into(),
        // A line that broke is nobody's answer; what the guest asked for did not happen.
        SftpError::TimedOut | SftpError::Lost(_) => IoError::TimedOut,
        SftpError::TooLarge(most) => IoError::TooLarge(*most),
        _ => IoError::Refused(error.to_string()),
    }
}

/// The problem with a file server that only a person ends, if this is one.
pub(crate) fn problem(error: &SftpError) -> Option<Problem> {
    let mut message = error.to_string();
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let (code, hint) = match error {
        SftpError::KeyChanged { .. } => (
            "host-key-changed",
            "Ask the vendor whether its server has a new key. If it has, enter the new fingerprint as host key in the settings of the connection; if not, somebody may be between you and the server.",
        ),
        SftpError::LoginRefused(_) => (
            "credential-refused",
            "Enter the credentials again on the page of the connection.",
        ),
        SftpError::KeyUnreadable(_) => (
            "credential-refused",
            "Paste the whole private key with its first and last line; if it has a passphrase, enter that too.",
        ),
        _ => return None,
    };
    Some(Problem::new(code, format!("{message}."), hint))
}
