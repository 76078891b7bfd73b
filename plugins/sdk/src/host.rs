//! The host as traits, so that a connector's logic runs in tests without one. [`WasmHost`] is the real one.
//! Two traits, since what a component does not call it does not import: a connector without network takes [`Core`].

use crate::bindings::waybill::host as wit;
use crate::commerce::Entity;
use crate::effects::{Effect, IoError};
use crate::http::{Request, Response};
use crate::links::Link;
use crate::log::Level;
use crate::sftp::Entry;

/// What every connector may use.
pub trait Core {
    /// UTC milliseconds since 1970.
    fn now_ms(&self) -> i64;
    /// Milliseconds until this call is stopped.
    fn remaining_ms(&self) -> u32;
    /// The values of these keys, in their order.
    fn kv_get(&self, keys: &[String]) -> Vec<Option<Vec<u8>>>;
    /// Keys with that prefix, after that key, in order.
    fn kv_scan(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<(String, Vec<u8>)>;
    /// Writes; committed with this call's result.
    fn kv_set(&self, key: &str, value: &[u8]);
    /// Deletes; committed with this call's result.
    fn kv_delete(&self, key: &str);
    /// For each key of ours, its records in other connections.
    fn links(&self, entity: Entity, keys: &[String]) -> Vec<Vec<Link>>;
    /// Writes to the agent's log. Never a secret, never a consumer's data.
    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]);
}

/// The network beside it.
pub trait Host: Core {
    /// Sends one request. Redirects are answers. Prefer [`crate::call::send`], which reads errors.
    fn send(&self, request: &Request) -> Result<Response, IoError>;
    /// The vendor's answer proves that the step did not happen.
    fn retract(&self, step: &str, members: &[u32]);
    /// What the vendor says is left of the call quota.
    fn quota(&self, remaining: u32, resets_in_ms: u32);
}

/// Files on a server beside it.
pub trait Files: Core {
    /// The files of a folder, without its folders, by name.
    fn entries(&self, credential: &str, dir: &str) -> Result<Vec<Entry>, IoError>;
    /// A file, read whole by the agent; the server may move it away afterwards.
    fn get(&self, credential: &str, path: &str, effect: &Effect)
    -> Result<Box<dyn Spool>, IoError>;
    /// Puts a file whole under its name.
    fn put(
        &self,
        credential: &str,
        path: &str,
        body: &[u8],
        effect: &Effect,
    ) -> Result<(), IoError>;
}

/// A file that the agent holds: it may be larger than a connector's memory.
pub trait Spool {
    /// So many bytes from there on, fewer only at its end.
    fn read(&self, offset: u64, len: u32) -> Vec<u8>;
}

/// The agent. On a host target its calls panic: tests use [`crate::replay::TestHost`].
#[derive(Debug, Clone, Copy, Default)]
pub struct WasmHost;

impl Core for WasmHost {
    fn now_ms(&self) -> i64 {
        wit::clock::now_ms()
    }
    fn remaining_ms(&self) -> u32 {
        wit::clock::remaining_ms()
    }
    fn kv_get(&self, keys: &[String]) -> Vec<Option<Vec<u8>>> {
        wit::kv::get_many(keys)
    }
    fn kv_scan(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<(String, Vec<u8>)> {
        wit::kv::scan(prefix, after, limit)
    }
    fn kv_set(&self, key: &str, value: &[u8]) {
        wit::kv::set(key, value);
    }
    fn kv_delete(&self, key: &str) {
        wit::kv::delete(key);
    }
    fn links(&self, entity: Entity, keys: &[String]) -> Vec<Vec<Link>> {
        wit::links::of(entity, keys)
    }
    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let fields: Vec<(String, String)> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        wit::log::write(level, message, &fields);
    }
}

impl Host for WasmHost {
    fn send(&self, request: &Request) -> Result<Response, IoError> {
        wit::http::send(request)
    }
    fn retract(&self, step: &str, members: &[u32]) {
        wit::effects::retract(step, members);
    }
    fn quota(&self, remaining: u32, resets_in_ms: u32) {
        wit::http::quota(remaining, resets_in_ms);
    }
}

impl Files for WasmHost {
    fn entries(&self, credential: &str, dir: &str) -> Result<Vec<Entry>, IoError> {
        wit::sftp::entries(credential, dir)
    }
    fn get(
        &self,
        credential: &str,
        path: &str,
        effect: &Effect,
    ) -> Result<Box<dyn Spool>, IoError> {
        let spool = wit::sftp::get(credential, path, effect)?;
        Ok(Box::new(spool))
    }
    fn put(
        &self,
        credential: &str,
        path: &str,
        body: &[u8],
        effect: &Effect,
    ) -> Result<(), IoError> {
        let spool = wit::blob::Spool::new();
        spool.append(body);
        wit::sftp::put(credential, path, &spool, effect)
    }
}

impl Spool for wit::blob::Spool {
    fn read(&self, offset: u64, len: u32) -> Vec<u8> {
        wit::blob::Spool::read(self, offset, len)
    }
}
