//! A host for tests: answers a script of expected requests in order, records what the connector did, and enforces what
//! the real host enforces about effects. Any request that is not the next of the script fails the test.

use crate::commerce::Entity;
use crate::effects::{Denial, IoError};
use crate::host::{Core, Host};
use crate::http::{Request, Response};
use crate::links::Link;
use crate::log::Level;
use serde::Deserialize;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};

/// What the script answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The vendor's answer.
    Response(Response),
    /// No answer.
    Error(IoError),
}

impl Answer {
    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, &body.to_string()).header("content-type", "application/json")
    }
    /// Any other answer.
    pub fn text(status: u16, body: &str) -> Self {
        Self::Response(Response {
            status,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
            replayed: false,
        })
    }
    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Response(response) = &mut self {
            response.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// One exchange of a recorded script: `{"request": "GET https://..", "body": {..}?, "status": 200, "answer": {..}}`.
#[derive(Debug, Deserialize)]
struct Recorded {
    request: String,
    body: Option<Value>,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    answer: Value,
}

const fn ok() -> u16 {
    200
}

#[derive(Debug)]
struct Expected {
    request: String,
    body: Option<Value>,
    answer: Answer,
}

/// The scripted host.
#[derive(Debug, Default)]
pub struct TestHost {
    now: Cell<i64>,
    /// What of the call's time is used up, and how much of it each request uses.
    spent_ms: Cell<u32>,
    takes_ms: u32,
    script: RefCell<VecDeque<Expected>>,
    sent: RefCell<Vec<Request>>,
    retracted: RefCell<Vec<(String, Vec<u32>)>>,
    quotas: RefCell<Vec<(u32, u32)>>,
    kv: RefCell<BTreeMap<String, Vec<u8>>>,
    links: RefCell<Vec<(Entity, String, Link)>>,
    logs: RefCell<Vec<String>>,
}

impl TestHost {
    /// A host whose clock stands at that time, with an empty script.
    pub fn at(now_ms: i64) -> Self {
        let host = Self::default();
        host.now.set(now_ms);
        host
    }

    /// Expects a request (`METHOD URL`) next, and answers it.
    #[must_use]
    pub fn expect(self, request: &str, answer: Answer) -> Self {
        self.script.borrow_mut().push_back(Expected {
            request: request.to_owned(),
            body: None,
            answer,
        });
        self
    }

    /// Expects a request with that JSON body next, and answers it.
    #[must_use]
    pub fn expect_body(self, request: &str, body: Value, answer: Answer) -> Self {
        self.script.borrow_mut().push_back(Expected {
            request: request.to_owned(),
            body: Some(body),
            answer,
        });
        self
    }

    /// Appends a recorded script: a JSON array of exchanges.
    #[must_use]
    pub fn recorded(self, script: &str) -> Self {
        let exchanges: Vec<Recorded> =
            serde_json::from_str(script).expect("the recorded script is not a list of exchanges");
        for exchange in exchanges {
            let mut answer = match &exchange.answer {
                Value::String(text) => Answer::text(exchange.status, text),
                Value::Null => Answer::text(exchange.status, ""),
                other => Answer::json(exchange.status, other),
            };
            for (name, value) in &exchange.headers {
                answer = answer.header(name, value);
            }
            self.script.borrow_mut().push_back(Expected {
                request: exchange.request,
                body: exchange.body,
                answer,
            });
        }
        self
    }

    /// Each request takes so many of the call's 60,000 milliseconds.
    #[must_use]
    pub fn slow(mut self, takes_ms: u32) -> Self {
        self.takes_ms = takes_ms;
        self
    }

    /// With a value in the private space.
    #[must_use]
    pub fn with_kv(self, key: &str, value: &[u8]) -> Self {
        self.kv.borrow_mut().insert(key.to_owned(), value.to_vec());
        self
    }

    /// With a link of a record of ours.
    #[must_use]
    pub fn with_link(self, entity: Entity, key: &str, link: Link) -> Self {
        self.links.borrow_mut().push((entity, key.to_owned(), link));
        self
    }

    /// Moves the clock.
    pub fn set_now(&self, now_ms: i64) {
        self.now.set(now_ms);
    }

    /// Every request that reached the wire, in order.
    pub fn sent(&self) -> Vec<Request> {
        self.sent.borrow().clone()
    }
    /// Every retraction: step and members.
    pub fn retracted(&self) -> Vec<(String, Vec<u32>)> {
        self.retracted.borrow().clone()
    }
    /// Every quota report.
    pub fn quotas(&self) -> Vec<(u32, u32)> {
        self.quotas.borrow().clone()
    }
    /// A value of the private space.
    pub fn kv(&self, key: &str) -> Option<Vec<u8>> {
        self.kv.borrow().get(key).cloned()
    }
    /// Every log line.
    pub fn logs(&self) -> Vec<String> {
        self.logs.borrow().clone()
    }

    /// Fails the test where expected requests were never sent.
    pub fn finish(&self) {
        let left: Vec<String> = self
            .script
            .borrow()
            .iter()
            .map(|expected| expected.request.clone())
            .collect();
        assert!(left.is_empty(), "never requested: {left:#?}");
    }
}

impl Core for TestHost {
    fn now_ms(&self) -> i64 {
        self.now.get()
    }
    fn remaining_ms(&self) -> u32 {
        60_000_u32.saturating_sub(self.spent_ms.get())
    }
    fn kv_get(&self, keys: &[String]) -> Vec<Option<Vec<u8>>> {
        let kv = self.kv.borrow();
        keys.iter().map(|key| kv.get(key).cloned()).collect()
    }
    fn kv_scan(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<(String, Vec<u8>)> {
        self.kv
            .borrow()
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && after.is_none_or(|a| key.as_str() > a))
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
    fn kv_set(&self, key: &str, value: &[u8]) {
        self.kv.borrow_mut().insert(key.to_owned(), value.to_vec());
    }
    fn kv_delete(&self, key: &str) {
        self.kv.borrow_mut().remove(key);
    }
    fn links(&self, entity: Entity, keys: &[String]) -> Vec<Vec<Link>> {
        let links = self.links.borrow();
        let of = |key: &String| {
            links
                .iter()
                .filter(|(kind, name, _)| *kind == entity && name == key)
                .map(|(_, _, link)| link.clone())
                .collect()
        };
        keys.iter().map(of).collect()
    }
    fn log(&self, _: Level, message: &str, fields: &[(&str, &str)]) {
        let fields: Vec<String> = fields.iter().map(|(k, v)| format!(" {k}={v}")).collect();
        self.logs
            .borrow_mut()
            .push(format!("{message}{}", fields.concat()));
    }
}

impl Host for TestHost {
    fn send(&self, request: &Request) -> Result<Response, IoError> {
        let safe = matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        if !safe && request.effect.is_none() {
            return Err(IoError::Denied(Denial::EffectRequired));
        }
        let line = format!("{} {}", request.method, request.url);
        let Some(expected) = self.script.borrow_mut().pop_front() else {
            panic!("a request beyond the script: {line}");
        };
        assert_eq!(line, expected.request, "not the next request of the script");
        if let Some(body) = expected.body {
            let sent: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            assert_eq!(sent, body, "another body than scripted, for {line}");
        }
        self.spent_ms
            .set(self.spent_ms.get().saturating_add(self.takes_ms));
        self.sent.borrow_mut().push(request.clone());
        match expected.answer {
            Answer::Response(response) => Ok(response),
            Answer::Error(error) => Err(error),
        }
    }
    fn retract(&self, step: &str, members: &[u32]) {
        self.retracted
            .borrow_mut()
            .push((step.to_owned(), members.to_vec()));
    }
    fn quota(&self, remaining: u32, resets_in_ms: u32) {
        self.quotas.borrow_mut().push((remaining, resets_in_ms));
    }
}
