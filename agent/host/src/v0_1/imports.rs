//! What a guest of contract 0.1 may call: forwards to `caps/`. A capability is linked only where the component imports
//! it. `folder` is linked and answers that it comes later.

use super::bindings::waybill::commerce::types as commerce;
use super::bindings::waybill::connector::types as connector;
use super::bindings::waybill::host::{blob, clock, effects, folder, http, kv, links, log, sftp};
use super::convert::{self, Canonical};
use crate::caps;
use crate::caps::blob::Spool;
use crate::effects::{Denial, IoError};
use crate::state::CallState;
use std::collections::BTreeSet;
use tokio::time::Instant;
use wasmtime::component::{HasSelf, Linker, Resource};
use waybill_model::document::Entity;

type Io<T> = wasmtime::Result<Result<T, effects::IoError>>;

/// Links the imported capabilities.
pub(crate) fn link(
    linker: &mut Linker<CallState>,
    permissions: &BTreeSet<String>,
) -> wasmtime::Result<()> {
    type State = HasSelf<CallState>;
    for permission in permissions {
        match permission.as_str() {
            "log" => log::add_to_linker::<_, State>(linker, |s| s)?,
            "clock" => clock::add_to_linker::<_, State>(linker, |s| s)?,
            "kv" => kv::add_to_linker::<_, State>(linker, |s| s)?,
            "links" => links::add_to_linker::<_, State>(linker, |s| s)?,
            "effects" => effects::add_to_linker::<_, State>(linker, |s| s)?,
            "http" => http::add_to_linker::<_, State>(linker, |s| s)?,
            "blob" => blob::add_to_linker::<_, State>(linker, |s| s)?,
            "sftp" => sftp::add_to_linker::<_, State>(linker, |s| s)?,
            "folder" => folder::add_to_linker::<_, State>(linker, |s| s)?,
            // `passport.rs` lets no other name through.
            other => return Err(wasmtime::Error::msg(format!("no capability `{other}`"))),
        }
    }
    Ok(())
}

impl commerce::Host for CallState {}
impl connector::Host for CallState {}

impl log::Host for CallState {
    async fn write(
        &mut self,
        level: log::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        caps::log::write(self, convert::level(level), &message, &fields);
        Ok(())
    }
}

impl clock::Host for CallState {
    async fn now_ms(&mut self) -> wasmtime::Result<i64> {
        caps::clock::now_ms(self)
    }
    async fn remaining_ms(&mut self) -> wasmtime::Result<u32> {
        caps::clock::remaining_ms(self)
    }
}

impl kv::Host for CallState {
    async fn get_many(&mut self, keys: Vec<String>) -> wasmtime::Result<Vec<Option<Vec<u8>>>> {
        caps::kv::get_many(self, &keys).await
    }
    async fn scan(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<Vec<(String, Vec<u8>)>> {
        caps::kv::scan(self, &prefix, after.as_deref(), limit).await
    }
    async fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<()> {
        caps::kv::set(self, key, value)
    }
    async fn delete(&mut self, key: String) -> wasmtime::Result<()> {
        caps::kv::delete(self, key)
    }
}

impl links::Host for CallState {
    async fn of(
        &mut self,
        entity: commerce::Entity,
        keys: Vec<String>,
    ) -> wasmtime::Result<Vec<Vec<links::Link>>> {
        let entity = Entity::lift(entity)?;
        Ok(caps::links::of(self, entity, &keys).await?.lower())
    }
}

impl effects::Host for CallState {
    async fn retract(&mut self, step: String, members: Vec<u32>) -> wasmtime::Result<()> {
        caps::http::retract(self, &step, &members).await
    }
}

impl http::Host for CallState {
    async fn send(&mut self, request: http::Request) -> Io<http::Response> {
        let request = convert::request(request);
        let sent = waits(self, async |s| caps::http::send(s, request).await).await?;
        Ok(sent.map(convert::response).map_err(convert::io_error))
    }
    async fn quota(&mut self, remaining: u32, resets_in_ms: u32) -> wasmtime::Result<()> {
        caps::http::quota(self, remaining, resets_in_ms)
    }
}

impl blob::Host for CallState {}
impl blob::HostSpool for CallState {
    async fn new(&mut self) -> wasmtime::Result<Resource<Spool>> {
        caps::blob::new(self)
    }
    async fn append(&mut self, spool: Resource<Spool>, bytes: Vec<u8>) -> wasmtime::Result<()> {
        caps::blob::append(self, &spool, &bytes)
    }
    async fn len(&mut self, spool: Resource<Spool>) -> wasmtime::Result<u64> {
        caps::blob::len(self, &spool)
    }
    async fn read(
        &mut self,
        spool: Resource<Spool>,
        offset: u64,
        len: u32,
    ) -> wasmtime::Result<Vec<u8>> {
        caps::blob::read(self, &spool, offset, len)
    }
    async fn drop(&mut self, spool: Resource<Spool>) -> wasmtime::Result<()> {
        caps::blob::drop(self, spool)
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the shape every answer of these interfaces has"
)]
fn later<T>(what: &str) -> Io<T> {
    let why = format!("this agent does not speak `{what}` yet; it comes in a later release");
    Ok(Err(convert::io_error(IoError::Denied(Denial::NotGranted(
        why,
    )))))
}

/// The guest waits for the network, and does not work.
async fn waits<T>(
    state: &mut CallState,
    work: impl AsyncFnOnce(&mut CallState) -> wasmtime::Result<T>,
) -> wasmtime::Result<T> {
    state.waiting = Some(Instant::now());
    let done = work(state).await;
    state.waiting = None;
    state.own_ticks = 0;
    done
}

impl sftp::Host for CallState {
    async fn entries(&mut self, credential: String, dir: String) -> Io<Vec<sftp::Entry>> {
        let listed = waits(self, async |s| {
            caps::sftp::entries(s, &credential, &dir).await
        })
        .await?;
        let entry = |e: crate::sftp::Entry| sftp::Entry {
            path: e.path,
            size: e.size,
            modified_ms: e.modified_ms,
        };
        Ok(listed
            .map(|all| all.into_iter().map(entry).collect())
            .map_err(convert::io_error))
    }
    async fn get(
        &mut self,
        credential: String,
        path: String,
        effect: effects::Effect,
    ) -> Io<Resource<Spool>> {
        let effect = convert::effect(effect);
        let read = waits(self, async |s| {
            caps::sftp::get(s, &credential, &path, &effect).await
        });
        Ok(read.await?.map_err(convert::io_error))
    }
    async fn put(
        &mut self,
        credential: String,
        path: String,
        body: Resource<Spool>,
        effect: effects::Effect,
    ) -> Io<()> {
        let effect = convert::effect(effect);
        let done = waits(self, async |s| {
            caps::sftp::put(s, &credential, &path, &body, &effect).await
        });
        Ok(done.await?.map_err(convert::io_error))
    }
    async fn move_to(
        &mut self,
        credential: String,
        path: String,
        to: String,
        effect: effects::Effect,
    ) -> Io<()> {
        let effect = convert::effect(effect);
        let done = waits(self, async |s| {
            caps::sftp::move_to(s, &credential, &path, &to, &effect).await
        });
        Ok(done.await?.map_err(convert::io_error))
    }
}

impl folder::Host for CallState {
    async fn entries(&mut self, _slot: String) -> Io<Vec<String>> {
        later("folder")
    }
    async fn get(
        &mut self,
        _slot: String,
        _name: String,
        _effect: effects::Effect,
    ) -> Io<Resource<Spool>> {
        later("folder")
    }
    async fn put(
        &mut self,
        _slot: String,
        _name: String,
        _body: Resource<Spool>,
        _effect: effects::Effect,
    ) -> Io<()> {
        later("folder")
    }
}
