//! The connector against the sandbox of the vendor, in process and on its own clock: whole conversations, with answers
//! lost and every odd shape switched on. The sandbox shares no type with the connector.

use super::{at, order, settings};
use crate::acknowledge::settle;
use crate::api::Api;
use crate::bindings::exports::waybill::connector::source::{Page, Settled};
use crate::confirm::confirm;
use crate::settings::Config;
use crate::source;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use waybill_sdk::commerce::{Body, CancelPhase, Document, Entity, OrderPhase};
use waybill_sdk::effects::{Denial, IoError};
use waybill_sdk::host::{Core, Host};
use waybill_sdk::http::{Request, Response};
use waybill_sdk::links::Link;
use waybill_sdk::log::Level;
use waybill_sdk::types::{Failure, Moment, Outcome, Verdict};
use waybill_sim::dsco::Sandbox;
use waybill_sim::vendor::{Req, Vendor as _};

const API: &str = "https://sandbox.test/api/v3";

/// A host whose network is the sandbox, with as much of an effect journal as one call at a time needs.
pub(super) struct Net {
    pub(super) now: Cell<i64>,
    pub(super) sandbox: RefCell<Sandbox>,
    kv: RefCell<BTreeMap<String, Vec<u8>>>,
    begun: RefCell<BTreeMap<(String, Vec<u32>), i64>>,
    /// The next unsafe call takes effect, and its answer is lost.
    pub(super) lose_next: Cell<bool>,
    /// The next unsafe call is cut before it arrives.
    pub(super) cut_next: Cell<bool>,
    /// The next read is answered with this.
    pub(super) noise: RefCell<Vec<(u16, &'static str)>>,
    pub(super) calls: RefCell<Vec<String>>,
}

impl Net {
    pub(super) fn new(change: &Value) -> Self {
        Self {
            now: Cell::new(at("2025-11-21T10:00:00Z")),
            sandbox: RefCell::new(Sandbox::with_settings(7, change).unwrap()),
            kv: RefCell::default(),
            begun: RefCell::default(),
            lose_next: Cell::new(false),
            cut_next: Cell::new(false),
            noise: RefCell::default(),
            calls: RefCell::default(),
        }
    }

    pub(super) fn pass(&self, ms: i64) {
        self.now.set(self.now.get() + ms);
        self.sandbox.borrow_mut().tick(self.now.get());
    }

    pub(super) fn control(&self, path: &str, body: &Value) -> Value {
        let request = Req::new("POST", &format!("/_sim/{path}")).with_json(body);
        let mut sandbox = self.sandbox.borrow_mut();
        let answer = sandbox.control(self.now.get(), &request);
        assert_eq!(answer.status, 200, "{}", answer.value());
        answer.value()
    }

    pub(super) fn new_order(&self) -> String {
        let made = self.control("orders", &json!({}));
        made["dscoOrderId"].as_str().unwrap().to_owned()
    }

    pub(super) fn truth(&self, id: &str) -> Value {
        let truth = self.sandbox.borrow().truth();
        let orders = truth["orders"].as_array().unwrap();
        let found = orders.iter().find(|order| order["dscoOrderId"] == id);
        found.unwrap().clone()
    }

    pub(super) fn api<T>(&self, run: impl FnOnce(&Api<'_>) -> T) -> T {
        let pairs = settings(&[("api-url", API), ("auth", "token")]);
        let config = Config::read(&pairs);
        run(&Api::new(self, &config))
    }

    pub(super) fn pull(&self, entity: Entity, cursor: Option<&[u8]>) -> Result<Page, Failure> {
        self.api(|api| source::pull(api, entity, cursor))
    }

    /// Pulls until nothing more is there.
    pub(super) fn drain(&self, entity: Entity, cursor: &mut Option<Vec<u8>>) -> Vec<Document> {
        let mut all = Vec::new();
        for _ in 0..1000 {
            let page = match self.pull(entity, cursor.as_deref()) {
                Ok(page) => page,
                Err(Failure::Retry(_)) => {
                    self.pass(5_000);
                    continue;
                }
                Err(other) => panic!("the feed failed: {other:?}"),
            };
            all.extend(page.documents);
            *cursor = Some(page.cursor);
            if !page.more {
                return all;
            }
        }
        panic!("the feed never ends");
    }

    pub(super) fn settle(
        &self,
        moment: Moment,
        keys: &[&str],
        number: Option<&str>,
    ) -> Vec<Verdict> {
        let link = |key: &str| Link {
            system: "erp".to_owned(),
            entity: Entity::Order,
            key: key.to_owned(),
        };
        let batch: Vec<Settled> = keys
            .iter()
            .map(|key| Settled {
                entity: Entity::Order,
                key: (*key).to_owned(),
                links: number.map(link).into_iter().collect(),
            })
            .collect();
        self.api(|api| settle(api, moment, &batch))
    }

    /// How many calls were made since the last question, by endpoint.
    pub(super) fn counted(&self) -> BTreeMap<String, usize> {
        let mut all = BTreeMap::new();
        for call in self.calls.take() {
            *all.entry(call).or_default() += 1;
        }
        all
    }

    /// Follows the verdicts until none is pending.
    pub(super) fn follow(&self, mut verdicts: Vec<Verdict>) -> Vec<Verdict> {
        for _ in 0..60 {
            let pending: Vec<(usize, String, u32)> = verdicts
                .iter()
                .enumerate()
                .filter_map(|(index, verdict)| match verdict {
                    Ok(Outcome::Pending(t)) => Some((index, t.handle.clone(), t.check_in_secs)),
                    _ => None,
                })
                .collect();
            let Some(wait) = pending.iter().map(|(_, _, secs)| *secs).max() else {
                return verdicts;
            };
            self.pass(i64::from(wait) * 1000);
            let handles: Vec<String> = pending
                .iter()
                .map(|(_, handle, _)| handle.clone())
                .collect();
            let answers = self.api(|api| confirm(api, &handles)).unwrap();
            for ((index, _, _), answer) in pending.into_iter().zip(answers) {
                verdicts[index] = answer;
            }
        }
        panic!("never confirmed: {verdicts:?}");
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
    fn kv_scan(&self, _: &str, _: Option<&str>, _: u32) -> Vec<(String, Vec<u8>)> {
        Vec::new()
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
        println!("{message} {fields:?}");
    }
}

impl Host for Net {
    fn send(&self, request: &Request) -> Result<Response, IoError> {
        let now = self.now.get();
        if let Some(effect) = &request.effect {
            let key = (effect.step.clone(), effect.members.clone());
            let since = self.begun.borrow().get(&key).copied();
            if let (Some(since), false) = (since, effect.verified_absent) {
                return Err(IoError::InDoubt(u64::try_from(now - since).unwrap()));
            }
            self.begun.borrow_mut().insert(key, now);
            if self.cut_next.replace(false) {
                return Err(IoError::TimedOut);
            }
        } else if request.method != "GET" {
            return Err(IoError::Denied(Denial::EffectRequired));
        }
        if request.method == "GET"
            && let Some((status, body)) = self.noise.borrow_mut().pop()
        {
            return Ok(Response {
                status,
                headers: Vec::new(),
                body: body.as_bytes().to_vec(),
                replayed: false,
            });
        }
        let target = request.url.strip_prefix("https://sandbox.test").unwrap();
        let mut req = Req::new(&request.method, target)
            .with_header("authorization", "bearer sandbox-static-token");
        for (name, value) in &request.headers {
            req = req.with_header(name, value);
        }
        req.body.clone_from(&request.body);
        let mut sandbox = self.sandbox.borrow_mut();
        sandbox.tick(now);
        let answer = sandbox.handle(now, &req);
        let line = format!("{} {}", sandbox.endpoint(&req), answer.status);
        self.calls.borrow_mut().push(line);
        if let Some(effect) = &request.effect {
            if self.lose_next.replace(false) {
                return Err(IoError::TimedOut);
            }
            let key = (effect.step.clone(), effect.members.clone());
            self.begun.borrow_mut().remove(&key);
        }
        Ok(Response {
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
            replayed: false,
        })
    }
    fn retract(&self, step: &str, members: &[u32]) {
        let key = (step.to_owned(), members.to_vec());
        self.begun.borrow_mut().remove(&key);
    }
    fn quota(&self, _: u32, _: u32) {}
}

pub(super) fn keys(documents: &[Document]) -> BTreeSet<String> {
    documents
        .iter()
        .map(|document| document.key.clone())
        .collect()
}

pub(super) fn messy() -> Value {
    json!({"messy": true, "encoded_positions": true, "pending_first": true, "duplicate_chance": 0.3,
           "received_events": true, "log_page_size": 2})
}

#[test]
fn orders_go_the_whole_way_whatever_the_shape() {
    for change in [json!({}), messy()] {
        let net = Net::new(&change);
        let before: Vec<String> = (0..3).map(|_| net.new_order()).collect();
        net.pass(60_000);
        let mut cursor = None;
        let first = net.drain(Entity::Order, &mut cursor);
        assert_eq!(keys(&first), before.iter().cloned().collect());
        let after: Vec<String> = (0..3).map(|_| net.new_order()).collect();
        net.pass(60_000);
        let second = net.drain(Entity::Order, &mut cursor);
        assert!(keys(&second).is_superset(&after.iter().cloned().collect()));
        assert!(
            second
                .iter()
                .all(|document| order(document).phase == OrderPhase::Open)
        );

        let all: Vec<&str> = before.iter().chain(&after).map(String::as_str).collect();
        let verdicts = net.follow(net.settle(Moment::Accepted, &all, None));
        for (id, verdict) in all.iter().zip(&verdicts) {
            assert!(
                matches!(verdict, Ok(Outcome::Done(r)) if r.key == *id),
                "{verdict:?}"
            );
            assert_eq!(net.truth(id)["lifecycle"], "acknowledged");
        }
        let numbered = net.follow(net.settle(Moment::Delivered, &all[..1], Some("SO-1")));
        assert!(
            matches!(&numbered[0], Ok(Outcome::Done(r)) if r.number.as_deref() == Some("SO-1"))
        );
        assert_eq!(net.truth(all[0])["supplierOrderNumber"], "SO-1");
        net.pass(60_000);
        let third = net.drain(Entity::Order, &mut cursor);
        let last = third
            .iter()
            .rfind(|document| document.key == all[0])
            .unwrap();
        assert_eq!(order(last).phase, OrderPhase::Accepted);
        assert_eq!(order(last).supplier_number.as_deref(), Some("SO-1"));
    }
}

#[test]
fn no_order_falls_between_search_and_stream() {
    // An order every second, before, while and after the feed starts.
    let net = Net::new(&json!({}));
    let mut made = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut cursor = None;
    for second in 0..240 {
        if second < 120 {
            made.insert(net.new_order());
        }
        if second >= 30 && second % 3 == 0 {
            let page = net.pull(Entity::Order, cursor.as_deref()).unwrap();
            seen.extend(keys(&page.documents));
            cursor = Some(page.cursor);
        }
        net.pass(1000);
    }
    assert_eq!(
        made.difference(&seen).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    let makes = net
        .calls
        .borrow()
        .iter()
        .filter(|call| call.starts_with("POST /stream"))
        .count();
    assert_eq!(makes, 1);
}

#[test]
fn a_lost_acknowledgement_is_never_sent_twice() {
    let net = Net::new(&messy());
    let ids = [net.new_order(), net.new_order()];
    net.pass(60_000);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    net.lose_next.set(true);
    let lost = net.settle(Moment::Accepted, &ids, None);
    assert_eq!(lost, [Err(Failure::Retry(None)), Err(Failure::Retry(None))]);
    let mut verdicts = lost;
    for _ in 0..20 {
        net.pass(10_000);
        verdicts = net.settle(Moment::Accepted, &ids, None);
        if verdicts.iter().all(Result::is_ok) {
            break;
        }
    }
    let verdicts = net.follow(verdicts);
    assert!(
        verdicts.iter().all(|v| matches!(v, Ok(Outcome::Done(_)))),
        "{verdicts:?}"
    );
    for id in ids {
        assert_eq!(net.truth(id)["acknowledgements"], 1);
    }
}

#[test]
fn a_lost_creation_of_the_stream_is_found_again() {
    let net = Net::new(&json!({}));
    net.lose_next.set(true);
    assert_eq!(net.pull(Entity::Order, None), Err(Failure::Retry(None)));
    net.pass(2_000);
    let page = net.pull(Entity::Order, None).unwrap();
    assert!(page.more);
    let makes = net
        .calls
        .borrow()
        .iter()
        .filter(|call| call.starts_with("POST /stream"))
        .count();
    assert_eq!(makes, 1);
}

#[test]
fn cancels_before_and_after_the_acknowledgement_are_told_apart() {
    let net = Net::new(&messy());
    let (early, late) = (net.new_order(), net.new_order());
    net.pass(60_000);
    let (mut orders, mut cancels) = (None, None);
    net.drain(Entity::Order, &mut orders);
    assert_eq!(net.drain(Entity::Cancellation, &mut cancels), []);
    let verdicts = net.follow(net.settle(Moment::Accepted, &[&late], None));
    assert!(matches!(verdicts[0], Ok(Outcome::Done(_))));
    let outcome =
        |id: &str| net.control(&format!("orders/{id}/cancel"), &json!({}))["outcome"].clone();
    assert_eq!(outcome(&early), "cancelled");
    assert_eq!(outcome(&late), "requested");
    net.pass(60_000);
    let changed = net.drain(Entity::Order, &mut orders);
    let gone = changed
        .iter()
        .rfind(|document| document.key == early)
        .unwrap();
    assert_eq!(order(gone).phase, OrderPhase::Cancelled);
    let asked = net.drain(Entity::Cancellation, &mut cancels);
    let requests: Vec<_> = asked
        .iter()
        .map(|document| match &document.body {
            Body::Cancellation(c) => (c.order_key.as_str(), c.phase, c.reason.as_deref()),
            other => panic!("not a cancellation: {other:?}"),
        })
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    assert_eq!(
        requests,
        [(late.as_str(), CancelPhase::Requested, Some("CXRR"))]
    );
    // Acknowledging what the retailer cancelled first is withdrawn, not rejected.
    let verdicts = net.follow(net.settle(Moment::Accepted, &[&early], None));
    assert!(
        matches!(verdicts[0], Err(Failure::Withdrawn(_))),
        "{verdicts:?}"
    );
}

#[test]
fn retailers_and_warehouses_are_those_of_the_account() {
    let net = Net::new(&messy());
    let retailers = net.drain(Entity::Retailer, &mut None);
    let warehouses = net.drain(Entity::Warehouse, &mut None);
    let truth = net.sandbox.borrow().truth();
    let codes = |list: &Value, name: &str| -> BTreeSet<String> {
        let all = list.as_array().unwrap().iter();
        all.map(|one| one.get(name).unwrap_or(one).as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(keys(&retailers), codes(&truth["retailers"], "accountId"));
    assert!(keys(&warehouses).is_superset(&codes(&truth["warehouses"], "code")));
    let id = net.new_order();
    net.pass(60_000);
    let orders = net.drain(Entity::Order, &mut None);
    let one = orders.iter().find(|document| document.key == id).unwrap();
    assert_ne!(
        order(one).retailer_name,
        order(one).retailer,
        "the name is known by now"
    );
    assert!(net.api(source::probe).is_ok());
}
