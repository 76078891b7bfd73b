//! A host whose wire is, but for a log of stock and single orders, a file server in memory that behaves as DSCO's: what was read moves to
//! the archive. Its private space is committed or thrown away with a call, and puts are journalled as far as one call at a
//! time needs.

use super::{now, settings};
use crate::api::Api;
use crate::bindings::exports::waybill::connector::source::Page;
use crate::files::{self, Depot};
use crate::settings::Config;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use waybill_sdk::commerce::Entity;
use waybill_sdk::effects::{Effect, IoError};
use waybill_sdk::host::{Core, Files, Host, Spool};
use waybill_sdk::http::{Request, Response};
use waybill_sdk::links::Link;
use waybill_sdk::log::Level;
use waybill_sdk::sftp::Entry;
use waybill_sdk::types::Failure;

/// A file's bytes and time.
type Content = (Vec<u8>, i64);

pub(super) struct Disk {
    pub(super) now: Cell<i64>,
    pub(super) files: RefCell<BTreeMap<String, Content>>,
    kv: RefCell<BTreeMap<String, Vec<u8>>>,
    pub(super) logs: RefCell<Vec<String>>,
    /// How often a file was read from the server.
    pub(super) reads: Cell<u32>,
    /// Whether reading a whole export moves it.
    pub(super) archives: Cell<bool>,
    /// How much of a call's 60,000 milliseconds is left, and how much of it each request and each file takes.
    remaining: Cell<u32>,
    pub(super) takes: Cell<u32>,
    /// The folders that the server does not list.
    pub(super) closed: RefCell<Vec<&'static str>>,
    /// With which status the API refuses to show an order that it is not told to show.
    pub(super) refusal: Cell<Option<u16>>,
    /// The next listings and readings fail.
    pub(super) broken: Cell<u32>,
    /// What becomes of the next puts.
    pub(super) fates: RefCell<Vec<Fate>>,
    /// What the log of stock says, where the API is connected.
    pub(super) stock_log: RefCell<Option<serde_json::Value>>,
    /// What the API shows of orders, by their id.
    pub(super) orders: RefCell<BTreeMap<String, serde_json::Value>>,
    /// The jobs of the batch of this call.
    pub(super) jobs: RefCell<Vec<u64>>,
    /// Steps of jobs: since when, and whether they are finished.
    journal: RefCell<Journal>,
    /// The database was restored then: what the journal does not know is in doubt.
    restored: Cell<Option<i64>>,
}

/// By step and jobs: since when, and whether it is finished.
type Journal = BTreeMap<(String, Vec<u64>), (i64, bool)>;

/// What becomes of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The line broke before the rename: nothing is there.
    Nothing,
    /// It is there, and the answer was lost.
    Lost,
    /// It may be there, and is not.
    Vanished,
}

impl Disk {
    pub(super) fn new() -> Self {
        Self {
            now: Cell::new(now()),
            files: RefCell::default(),
            kv: RefCell::default(),
            logs: RefCell::default(),
            reads: Cell::new(0),
            archives: Cell::new(true),
            remaining: Cell::new(60_000),
            takes: Cell::default(),
            closed: RefCell::default(),
            refusal: Cell::default(),
            broken: Cell::new(0),
            fates: RefCell::default(),
            stock_log: RefCell::default(),
            orders: RefCell::default(),
            jobs: RefCell::default(),
            journal: RefCell::default(),
            restored: Cell::default(),
        }
    }

    /// Another database goes on, which knows nothing of what was sent.
    pub(super) fn restore(&self) {
        self.kv.borrow_mut().clear();
        self.journal.borrow_mut().clear();
        self.restored.set(Some(self.now.get()));
    }

    pub(super) fn write(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        let content = (bytes.into(), self.now.get());
        self.files.borrow_mut().insert(path.to_owned(), content);
    }

    pub(super) fn remove(&self, path: &str) {
        self.files.borrow_mut().remove(path);
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.files.borrow().keys().cloned().collect()
    }

    /// What is said on cards.
    pub(super) fn cards(&self) -> Vec<String> {
        let kv = self.kv.borrow();
        let cards = kv.iter().filter(|(key, _)| key.starts_with("card/"));
        cards
            .map(|(_, value)| {
                let card: serde_json::Value = serde_json::from_slice(value).unwrap();
                assert!(card["code"].is_string() && card["hint"].is_string());
                card["message"].as_str().unwrap().to_owned()
            })
            .collect()
    }

    /// Somebody pressed Retry on every card.
    pub(super) fn retry(&self) {
        self.kv
            .borrow_mut()
            .retain(|key, _| !key.starts_with("card/"));
    }

    pub(super) fn pass(&self, secs: i64) {
        self.now.set(self.now.get() + secs * 1000);
    }

    /// A call with these settings; what it wrote to the private space stays only if it succeeds and `commit` says so.
    pub(super) fn call<T>(
        &self,
        pairs: &[(&str, &str)],
        commit: bool,
        run: impl FnOnce(&Api<'_>, Depot<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let before = self.kv.borrow().clone();
        self.remaining.set(60_000);
        let pairs = settings(pairs);
        let config = Config::read(&pairs);
        let result = run(
            &Api::new(self, &config).with_files(self),
            Depot::new(self, &config),
        );
        if result.is_err() || !commit {
            self.kv.replace(before);
        }
        result
    }

    pub(super) fn pull(&self, cursor: Option<&[u8]>, commit: bool) -> Result<Page, Failure> {
        let pairs = [("transport", "files")];
        self.call(&pairs, commit, |api, depot| files::pull(api, depot, cursor))
    }
}

impl Core for Disk {
    fn now_ms(&self) -> i64 {
        self.now.get()
    }
    fn remaining_ms(&self) -> u32 {
        self.remaining.get()
    }
    fn kv_get(&self, keys: &[String]) -> Vec<Option<Vec<u8>>> {
        let kv = self.kv.borrow();
        keys.iter().map(|key| kv.get(key).cloned()).collect()
    }
    fn kv_scan(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<(String, Vec<u8>)> {
        let kv = self.kv.borrow();
        let found = kv
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && after.is_none_or(|a| key.as_str() > a));
        let owned = found.map(|(key, value)| (key.clone(), value.clone()));
        owned.take(limit as usize).collect()
    }
    fn kv_set(&self, key: &str, value: &[u8]) {
        self.kv.borrow_mut().insert(key.to_owned(), value.to_vec());
    }
    fn kv_delete(&self, key: &str) {
        self.kv.borrow_mut().remove(key);
    }
    fn links(&self, _: Entity, keys: &[String]) -> Vec<Vec<Link>> {
        vec![Vec::new(); keys.len()]
    }
    fn log(&self, _: Level, message: &str, fields: &[(&str, &str)]) {
        self.logs.borrow_mut().push(format!("{message} {fields:?}"));
    }
}

impl Host for Disk {
    fn send(&self, request: &Request) -> Result<Response, IoError> {
        if let Some(log) = &*self.stock_log.borrow()
            && request.url.contains("/inventory/log?")
        {
            return Ok(Response {
                status: 200,
                headers: Vec::new(),
                body: log.to_string().into_bytes(),
                replayed: false,
            });
        }
        let asked = request.url.split_once("orderKey=dscoOrderId&value=");
        if let Some((_, id)) = asked {
            self.spend();
            let order = self.orders.borrow().get(id).cloned();
            let refusal = self.refusal.get().filter(|_| order.is_none());
            if order.is_some() || refusal.is_some() {
                return Ok(Response {
                    status: refusal.unwrap_or(200),
                    headers: Vec::new(),
                    body: order.unwrap_or_default().to_string().into_bytes(),
                    replayed: false,
                });
            }
        }
        panic!("nobody asked the API: {} {}", request.method, request.url)
    }
    fn retract(&self, _: &str, _: &[u32]) {}
    fn quota(&self, _: u32, _: u32) {}
}

struct Held(Vec<u8>);

impl Spool for Held {
    fn read(&self, offset: u64, len: u32) -> Vec<u8> {
        let from = usize::try_from(offset).unwrap().min(self.0.len());
        let to = (from + len as usize).min(self.0.len());
        self.0[from..to].to_vec()
    }
}

impl Disk {
    fn spend(&self) {
        let left = self.remaining.get().checked_sub(self.takes.get());
        self.remaining
            .set(left.filter(|left| *left > 0).expect("the call was stopped"));
    }

    fn broke(&self) -> Result<(), IoError> {
        match self.broken.get() {
            0 => Ok(()),
            left => {
                self.broken.set(left - 1);
                Err(IoError::Refused("connection lost: cut".to_owned()))
            }
        }
    }
}

impl Files for Disk {
    fn entries(&self, credential: &str, dir: &str) -> Result<Vec<Entry>, IoError> {
        assert_eq!(credential, "sftp");
        self.broke()?;
        if self.closed.borrow().contains(&dir) {
            return Err(IoError::Refused(format!("the server refused `{dir}`")));
        }
        let files = self.files.borrow();
        let inside = files.iter().filter(|(path, _)| {
            path.strip_prefix(dir)
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(|name| !name.contains('/'))
        });
        Ok(inside
            .map(|(path, (bytes, modified))| Entry {
                path: path.clone(),
                size: bytes.len() as u64,
                modified_ms: modified / 1000 * 1000,
            })
            .collect())
    }

    fn get(&self, _: &str, path: &str, effect: &Effect) -> Result<Box<dyn Spool>, IoError> {
        assert!(effect.step.len() <= 200);
        self.broke()?;
        self.spend();
        self.reads.set(self.reads.get() + 1);
        if path.contains("_locked") {
            return Err(IoError::Refused(format!("the server refused `{path}`")));
        }
        if path.contains("_huge") {
            return Err(IoError::TooLarge(5));
        }
        let mut files = self.files.borrow_mut();
        let Some(content) = files.get(path).cloned() else {
            return Err(IoError::Refused(format!("`{path}` is not there")));
        };
        if let Some(name) = path.strip_prefix("out/")
            && !name.contains('/')
            && self.archives.get()
        {
            files.remove(path);
            files.insert(format!("out/archive/{name}"), content.clone());
        }
        Ok(Box::new(Held(content.0)))
    }

    fn put(&self, _: &str, path: &str, body: &[u8], effect: &Effect) -> Result<(), IoError> {
        self.broke()?;
        let batch = self.jobs.borrow();
        let job = |index: &u32| batch[*index as usize];
        let mut jobs: Vec<u64> = effect.members.iter().map(job).collect();
        jobs.sort_unstable();
        let key = (effect.step.clone(), jobs.clone());
        let mut journal = self.journal.borrow_mut();
        if journal.get(&key).is_some_and(|(_, finished)| *finished) {
            return Ok(());
        }
        let others: Vec<_> = journal
            .iter()
            .filter(|((step, other), _)| {
                *step == effect.step && other.iter().any(|job| jobs.contains(job))
            })
            .map(|(key, state)| (key.clone(), *state))
            .collect();
        let restored = self.restored.get().filter(|_| others.is_empty());
        if let Some(since) = restored.filter(|_| !effect.verified_absent) {
            let age = self.now.get() - since;
            return Err(IoError::InDoubt(u64::try_from(age).unwrap()));
        }
        if let Some(since) = others.iter().map(|(_, (since, _))| *since).min() {
            if !effect.verified_absent || others.iter().any(|(_, (_, finished))| *finished) {
                let age = self.now.get() - since;
                return Err(IoError::InDoubt(u64::try_from(age).unwrap()));
            }
            // The other members of such a step keep it.
            for ((step, members), state) in others {
                journal.remove(&(step.clone(), members.clone()));
                let stay: Vec<u64> = members
                    .into_iter()
                    .filter(|job| !jobs.contains(job))
                    .collect();
                if !stay.is_empty() {
                    journal.insert((step, stay), state);
                }
            }
        }
        if !effect.verified_absent && self.files.borrow().contains_key(path) {
            return Err(IoError::Refused(format!("`{path}` is there already")));
        }
        self.spend();
        let fate = self.fates.borrow_mut().pop();
        if fate == Some(Fate::Nothing) {
            return Err(IoError::Refused("connection lost: cut".to_owned()));
        }
        journal.insert(key, (self.now.get(), fate.is_none()));
        if fate != Some(Fate::Vanished) {
            self.write(path, body);
        }
        if fate.is_none() {
            return Ok(());
        }
        // The line is down for the next deed, too.
        self.broken.set(1);
        Err(IoError::InDoubt(0))
    }
}
