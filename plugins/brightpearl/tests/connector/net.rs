//! Owns a host whose network is the vendor's sandbox, in process and on a clock of its own, with the agent's effect
//! journal: a step is known by member, an unfinished one is in doubt, a finished one is replayed. The sandbox shares no
//! type with the connector.

use crate::script::{pairs, url};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use waybill_brightpearl::bindings::exports::waybill::connector::sink::Delivery;
use waybill_brightpearl::sink;
use waybill_sdk::commerce::Entity;
use waybill_sdk::effects::{Denial, Effect, IoError};
use waybill_sdk::http::{Request, Response};
use waybill_sdk::links::Link;
use waybill_sdk::log::Level;
use waybill_sdk::types::{Context, Failure, Outcome, Verdict};
use waybill_sdk::{Core, Host};
use waybill_sim::brightpearl::{Brightpearl, Options};
use waybill_sim::vendor::{Outbound, Req, Vendor as _};

/// 2025-11-03T14:05:10Z.
const START: i64 = 1_762_178_710_000;

/// What becomes of an unsafe call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is answered.
    Answered,
    /// The connection is cut before anything happens.
    CutBefore,
    /// It is carried out, then the connection is cut.
    CutAfter,
    /// It is carried out when its time has run out.
    TimedOut,
    /// It is carried out, and half of the answer arrives.
    Truncated,
    /// It is carried out, and a gateway answers instead.
    Html,
}

pub(crate) const FATES: [Fate; 5] = [
    Fate::CutBefore,
    Fate::CutAfter,
    Fate::TimedOut,
    Fate::Truncated,
    Fate::Html,
];

#[derive(Debug, Clone)]
struct Begun {
    step: String,
    members: BTreeSet<u64>,
    at: i64,
    answer: Option<Response>,
}

pub(crate) struct Net {
    pub(crate) now: Cell<i64>,
    sandbox: RefCell<Brightpearl>,
    kv: RefCell<BTreeMap<String, Vec<u8>>>,
    journal: RefCell<Vec<Begun>>,
    /// The jobs of the call under way; none outside a batch.
    jobs: RefCell<Vec<u64>>,
    links: RefCell<BTreeMap<String, String>>,
    /// What becomes of the next unsafe calls; later ones are answered.
    pub(crate) fates: RefCell<VecDeque<Fate>>,
    /// So many of the next batches end with a stop of the agent: what was sent was sent, and all else is forgotten.
    pub(crate) stops: Cell<u32>,
    /// Every call that reached the sandbox.
    pub(crate) calls: RefCell<Vec<String>>,
}

impl Net {
    pub(crate) fn new(change: &Value) -> Self {
        let net = Self {
            now: Cell::new(START),
            sandbox: RefCell::new(Brightpearl::new(Options::default())),
            kv: RefCell::default(),
            journal: RefCell::default(),
            jobs: RefCell::default(),
            links: RefCell::default(),
            fates: RefCell::default(),
            stops: Cell::new(0),
            calls: RefCell::default(),
        };
        net.control("settings", change);
        net
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.now.set(self.now.get() + ms);
        self.sandbox.borrow_mut().tick(self.now.get());
    }

    pub(crate) fn control(&self, path: &str, body: &Value) -> Value {
        let request = Req::new("POST", &format!("/_sim/{path}")).with_json(body);
        let mut sandbox = self.sandbox.borrow_mut();
        let answer = sandbox.control(self.now.get(), &request);
        assert_eq!(answer.status, 200, "{path}: {}", answer.value());
        answer.value()
    }

    /// A call of somebody else's: a person at the screen, another app.
    pub(crate) fn other(&self, method: &str, target: &str, body: &Value) {
        let request = Req::new(method, &format!("/public-api/simaccount{target}"))
            .with_header("brightpearl-app-ref", "simaccount_waybill")
            .with_header("brightpearl-staff-token", "sim-staff-token")
            .with_json(body);
        let answer = self.sandbox.borrow_mut().handle(self.now.get(), &request);
        assert_eq!(answer.status, 200, "{target}: {}", answer.value());
    }

    pub(crate) fn truth(&self) -> Value {
        self.sandbox.borrow().truth()
    }

    pub(crate) fn sale(&self, id: &str) -> Value {
        let truth = self.truth();
        let orders = truth["orders"].as_array().unwrap().iter();
        let id: i64 = id.parse().unwrap();
        orders.clone().find(|o| o["id"] == id).unwrap().clone()
    }

    pub(crate) fn deliveries(&self) -> Vec<Outbound> {
        self.sandbox.borrow_mut().outbound(self.now.get())
    }

    pub(crate) fn link(&self, sale: &str, order: &str) {
        let mut links = self.links.borrow_mut();
        links.insert(sale.to_owned(), order.to_owned());
    }

    /// How many calls of that endpoint the sandbox saw since the last count.
    pub(crate) fn count(&self) -> usize {
        std::mem::take(&mut *self.calls.borrow_mut()).len()
    }

    pub(crate) fn context(changes: &[(&str, &str)]) -> Context {
        let mut all = vec![
            ("base-url", "http://127.0.0.1:4100/public-api/simaccount"),
            ("app-ref", "simaccount_waybill"),
            ("order-status", "22"),
            ("currency", "USD"),
            ("tax-code", "T"),
        ];
        all.extend(changes);
        Context {
            settings: pairs(&all),
            attempt: 1,
        }
    }

    /// Pushes as the agent does until no member has to be tried again: batches of ten, each try after its wait.
    pub(crate) fn push_all(&self, all: &[Delivery]) -> Vec<Verdict> {
        let mut verdicts: Vec<Option<Verdict>> = vec![None; all.len()];
        for attempt in 1..40 {
            let open: Vec<usize> = (0..all.len())
                .filter(|at| verdicts[*at].is_none())
                .collect();
            for batch in open.chunks(10) {
                let ctx = Context {
                    attempt,
                    ..Self::context(&[])
                };
                let members: Vec<Delivery> = batch.iter().map(|at| all[*at].clone()).collect();
                for (at, verdict) in batch.iter().zip(self.push(&ctx, &members)) {
                    if !matches!(verdict, Err(Failure::Retry(_))) {
                        verdicts[*at] = Some(verdict);
                    }
                }
            }
            if verdicts.iter().all(Option::is_some) {
                break;
            }
            self.pass(31_000);
        }
        verdicts.into_iter().map(Option::unwrap).collect()
    }

    /// One try of one batch.
    pub(crate) fn try_once(&self, all: &[Delivery]) -> Vec<Verdict> {
        self.push(&Self::context(&[]), all)
    }

    /// Its second try.
    pub(crate) fn try_again(&self, all: &[Delivery]) -> Vec<Verdict> {
        let ctx = Context {
            attempt: 2,
            ..Self::context(&[])
        };
        self.push(&ctx, all)
    }

    /// One batch. Where the call fails as a whole, what it kept is lost, as the agent does it; after a stop the same
    /// batch is run again, a little later.
    fn push(&self, ctx: &Context, members: &[Delivery]) -> Vec<Verdict> {
        let job = |key: &str| key.rsplit('-').next().unwrap().parse().unwrap();
        loop {
            let jobs = members.iter().map(|m| job(&m.document.key));
            *self.jobs.borrow_mut() = jobs.collect();
            let before = self.kv.borrow().clone();
            let verdicts = sink::push(self, ctx, members);
            self.jobs.borrow_mut().clear();
            if let Some(left) = self.stops.get().checked_sub(1) {
                self.stops.set(left);
                *self.kv.borrow_mut() = before;
                self.pass(5_000);
                continue;
            }
            return verdicts.unwrap_or_else(|failure| {
                *self.kv.borrow_mut() = before;
                vec![Err(failure); members.len()]
            });
        }
    }

    fn jobs_of(&self, members: &[u32]) -> BTreeSet<u64> {
        let jobs = self.jobs.borrow();
        members.iter().map(|at| jobs[*at as usize]).collect()
    }

    /// As the agent's journal: `None` is a fresh step.
    fn begin(&self, effect: &Effect) -> Option<Result<Response, IoError>> {
        let members = self.jobs_of(&effect.members);
        let now = self.now.get();
        let concerns = |b: &Begun| {
            b.step == effect.step
                && (!b.members.is_disjoint(&members)
                    || (members.is_empty() && b.members.is_empty()))
        };
        let known: Vec<Begun> = self
            .journal
            .borrow()
            .iter()
            .filter(|b| concerns(b))
            .cloned()
            .collect();
        if let [one] = known.as_slice()
            && members.is_subset(&one.members)
            && let Some(answer) = &one.answer
        {
            let mut answer = answer.clone();
            answer.replayed = true;
            return Some(Ok(answer));
        }
        if let Some(since) = known.iter().map(|b| b.at).min() {
            if !effect.verified_absent || known.iter().any(|b| b.answer.is_some()) {
                return Some(Err(IoError::InDoubt(u64::try_from(now - since).unwrap())));
            }
            self.leave(&effect.step, &members);
        }
        self.journal.borrow_mut().push(Begun {
            step: effect.step.clone(),
            members,
            at: now,
            answer: None,
        });
        None
    }

    fn leave(&self, step: &str, members: &BTreeSet<u64>) {
        self.journal.borrow_mut().retain_mut(|begun| {
            if begun.step != step {
                return true;
            }
            let had = begun.members.len();
            begun.members.retain(|job| !members.contains(job));
            !begun.members.is_empty() || (had == 0 && !members.is_empty())
        });
    }

    /// A 4xx proves that nothing happened; an answer is kept; anything else leaves the step open.
    fn finish(&self, effect: &Effect, response: &Response) {
        let members = self.jobs_of(&effect.members);
        match response.status {
            ..400 => {
                let mut journal = self.journal.borrow_mut();
                let own = journal
                    .iter_mut()
                    .rev()
                    .find(|b| b.step == effect.step && b.members == members);
                own.unwrap().answer = Some(response.clone());
            }
            408 | 500.. => {}
            _ => self.leave(&effect.step, &members),
        }
    }

    fn exchange(&self, request: &Request) -> Response {
        let now = self.now.get();
        let target = request.url.strip_prefix(&url("")).unwrap();
        let mut req = Req::new(&request.method, &format!("/public-api/simaccount{target}"))
            .with_header("brightpearl-app-ref", "simaccount_waybill")
            .with_header("brightpearl-staff-token", "sim-staff-token");
        req.body.clone_from(&request.body);
        let mut sandbox = self.sandbox.borrow_mut();
        sandbox.tick(now);
        let answer = sandbox.handle(now, &req);
        let line = format!("{} {}", sandbox.endpoint(&req), answer.status);
        self.calls.borrow_mut().push(line);
        let mut headers = answer.headers;
        let date = jiff::Timestamp::from_millisecond(now).unwrap();
        headers.push((
            "Date".to_owned(),
            date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        ));
        Response {
            status: answer.status,
            headers,
            body: answer.body,
            replayed: false,
        }
    }
}

impl Core for Net {
    fn now_ms(&self) -> i64 {
        self.now.get()
    }
    fn remaining_ms(&self) -> u32 {
        60_000
    }
    fn kv_get(&self, keys: &[String]) -> Vec<Option<Vec<u8>>> {
        let kv = self.kv.borrow();
        keys.iter().map(|key| kv.get(key).cloned()).collect()
    }
    fn kv_scan(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<(String, Vec<u8>)> {
        let kv = self.kv.borrow();
        kv.iter()
            .filter(|(key, _)| key.starts_with(prefix) && after.is_none_or(|a| key.as_str() > a))
            .take(limit as usize)
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
        let link = |key: &String| Link {
            system: "network".to_owned(),
            entity,
            key: key.clone(),
        };
        keys.iter()
            .map(|key| links.get(key).map(link).into_iter().collect())
            .collect()
    }
    fn log(&self, _: Level, _: &str, _: &[(&str, &str)]) {}
}

impl Host for Net {
    fn send(&self, request: &Request) -> Result<Response, IoError> {
        let Some(effect) = &request.effect else {
            if request.method != "GET" {
                return Err(IoError::Denied(Denial::EffectRequired));
            }
            return Ok(self.exchange(request));
        };
        if let Some(known) = self.begin(effect) {
            return known;
        }
        let fate = self
            .fates
            .borrow_mut()
            .pop_front()
            .unwrap_or(Fate::Answered);
        if fate == Fate::CutBefore {
            return Err(IoError::InDoubt(0));
        }
        if fate == Fate::TimedOut {
            self.pass(60_000);
        }
        let mut response = self.exchange(request);
        match fate {
            Fate::CutAfter => return Err(IoError::InDoubt(0)),
            Fate::TimedOut => return Err(IoError::TimedOut),
            Fate::Truncated => response.body.truncate(response.body.len() / 2),
            Fate::Html => {
                response.status = 502;
                response.body = b"<html><body>Bad gateway</body></html>".to_vec();
            }
            Fate::Answered | Fate::CutBefore => {}
        }
        self.finish(effect, &response);
        Ok(response)
    }
    fn retract(&self, step: &str, members: &[u32]) {
        let members = self.jobs_of(members);
        self.leave(step, &members);
    }
    fn quota(&self, _: u32, _: u32) {}
}

/// The key of a made sale.
pub(crate) fn key(verdict: &Verdict) -> String {
    match verdict {
        Ok(Outcome::Done(receipt)) => receipt.key.clone(),
        other => panic!("no sale: {other:?}"),
    }
}

/// Nothing in particular.
pub(crate) fn plain() -> Value {
    json!({})
}
