//! Owns webhooks: registration, which event reaches which hook, grouping of ids, and repeats by quality of service. The
//! server carries the calls. It must not know what the ids name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::account::Brightpearl;
use super::call::Call;
use super::envelope::{Answer, Refusal, Reply, integer};
use super::idset::{IdSet, compact};
use crate::vendor::Outbound;

/// Events kept for `/_sim/events`.
const KEPT: usize = 50_000;

/// Resource types that can be subscribed to.
const RESOURCES: [&str; 7] = [
    "sales-order",
    "order",
    "goods-out-note",
    "drop-ship-note",
    "goods-in-note",
    "quarantine-release",
    "product",
];

/// Variables that a template must carry.
const REQUIRED: [&str; 4] = [
    "${account-code}",
    "${resource-type}",
    "${resource-id}",
    "${lifecycle-event}",
];

#[derive(Debug, Clone)]
struct Hook {
    subscribe_to: String,
    method: String,
    uri: String,
    body: String,
    content_type: String,
    sets: bool,
    quality: i64,
}

#[derive(Debug, Clone)]
struct Delivery {
    hook: i64,
    resource: String,
    event: String,
    ids: BTreeSet<i64>,
    raised_on: i64,
    due: i64,
    attempt: usize,
}

/// Something that happened.
#[derive(Debug, Clone)]
struct Event {
    at: i64,
    full: String,
    id: i64,
}

/// All hooks, what waits to be sent and what happened.
#[derive(Debug)]
pub(super) struct Hooks {
    registered: BTreeMap<i64, Hook>,
    next: i64,
    waiting: Vec<Delivery>,
    sent: BTreeMap<u64, Delivery>,
    next_delivery: u64,
    events: std::collections::VecDeque<Event>,
    first_event: u64,
    /// How long ids are collected for a hook that takes sets.
    pub(super) batch_ms: i64,
    /// Waiting times between attempts; after the last one the delivery is dropped.
    pub(super) retry_ms: Vec<i64>,
    /// How many of the next deliveries are lost.
    pub(super) lose_next: u32,
    /// How many of the next deliveries are sent twice.
    pub(super) double_next: u32,
}

impl Hooks {
    pub(super) fn new() -> Self {
        Self {
            registered: BTreeMap::new(),
            next: 121,
            waiting: Vec::new(),
            sent: BTreeMap::new(),
            next_delivery: 1,
            events: std::collections::VecDeque::new(),
            first_event: 0,
            batch_ms: 1_000,
            retry_ms: vec![60_000, 300_000, 1_800_000, 7_200_000, 43_200_000],
            lose_next: 0,
            double_next: 0,
        }
    }

    /// Notes an event and queues it for every hook that wants it. A hook on a prefix gets everything below it.
    pub(super) fn raise(&mut self, now: i64, resource: &str, event: &str, id: i64) {
        let full = format!("{resource}.{event}");
        for (number, hook) in &self.registered {
            let below = full.strip_prefix(&hook.subscribe_to);
            if !below.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
                continue;
            }
            let grouped = self.waiting.iter_mut().find(|d| {
                hook.sets
                    && d.hook == *number
                    && d.attempt == 0
                    && d.event == event
                    && d.resource == resource
            });
            if let Some(delivery) = grouped {
                delivery.ids.insert(id);
                continue;
            }
            self.waiting.push(Delivery {
                hook: *number,
                resource: resource.to_owned(),
                event: event.to_owned(),
                ids: BTreeSet::from([id]),
                raised_on: now,
                due: now + if hook.sets { self.batch_ms } else { 0 },
                attempt: 0,
            });
        }
        self.events.push_back(Event { at: now, full, id });
        if self.events.len() > KEPT {
            self.events.pop_front();
            self.first_event += 1;
        }
    }

    /// What happened since a number of an earlier answer.
    pub(super) fn events_after(&self, after: u64) -> Value {
        let skip = usize::try_from(after.saturating_sub(self.first_event)).unwrap_or(usize::MAX);
        let list: Vec<Value> = self
            .events
            .iter()
            .skip(skip)
            .map(|e| json!({ "at": e.at, "event": e.full, "id": e.id }))
            .collect();
        let next = self.first_event + u64::try_from(self.events.len()).unwrap_or(0);
        json!({ "next": next, "events": list })
    }

    /// The calls that are due.
    pub(super) fn due(&mut self, now: i64, account: &str) -> Vec<Outbound> {
        let (due, later): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(|d| d.due <= now);
        self.waiting = later;
        let mut out = Vec::new();
        for delivery in due {
            let Some(hook) = self.registered.get(&delivery.hook).cloned() else {
                continue;
            };
            if self.lose_next > 0 {
                self.lose_next -= 1;
                continue;
            }
            let copies = if self.double_next > 0 { 2 } else { 1 };
            self.double_next = self.double_next.saturating_sub(1);
            for _ in 0..copies {
                let id = self.next_delivery;
                self.next_delivery += 1;
                out.push(call_of(id, &hook, &delivery, account));
                self.sent.insert(id, delivery.clone());
            }
        }
        out
    }

    /// What became of a call: repeats it where the quality of service says so.
    pub(super) fn done(&mut self, now: i64, id: u64, status: Option<u16>) {
        let Some(mut delivery) = self.sent.remove(&id) else {
            return;
        };
        let Some(hook) = self.registered.get(&delivery.hook) else {
            return;
        };
        let again = match status {
            Some(503) => true,
            Some(200..=299 | 400..=499) => false,
            _ => hook.quality >= 1,
        };
        if let Some(wait) = self.retry_ms.get(delivery.attempt).filter(|_| again) {
            delivery.due = now + wait;
            delivery.attempt += 1;
            self.waiting.push(delivery);
        }
    }
}

fn call_of(id: u64, hook: &Hook, delivery: &Delivery, account: &str) -> Outbound {
    let ids: Vec<i64> = delivery.ids.iter().copied().collect();
    let (lifecycle, specifier) = delivery
        .event
        .split_once('.')
        .unwrap_or((&delivery.event, ""));
    let raised = super::clock::Zone::new(0).text(delivery.raised_on);
    let fill = |template: &str| {
        template
            .replace("${account-code}", account)
            .replace("${resource-type}", &delivery.resource)
            .replace("${resource-id}", &compact(&ids))
            .replace("${lifecycle-event}", lifecycle)
            .replace("${resource-specifier}", specifier)
            .replace(
                "${full-event}",
                &format!("{}.{}", delivery.resource, delivery.event),
            )
            .replace("${raised-on}", &raised)
            .replace("${brightpearl-version}", "4.95.1")
    };
    let with_body = matches!(hook.method.as_str(), "POST" | "PUT");
    let headers = if with_body {
        vec![("content-type".to_owned(), hook.content_type.clone())]
    } else {
        Vec::new()
    };
    let body = if with_body {
        fill(&hook.body).into_bytes()
    } else {
        Vec::new()
    };
    Outbound {
        id,
        method: hook.method.clone(),
        url: fill(&hook.uri),
        headers,
        body,
    }
}

fn view((id, hook): (&i64, &Hook)) -> Value {
    json!({
        "id": id, "subscribeTo": hook.subscribe_to, "httpMethod": hook.method, "uriTemplate": hook.uri,
        "bodyTemplate": hook.body, "contentType": hook.content_type, "idSetAccepted": hook.sets,
        "qualityOfService": hook.quality,
    })
}

/// Whether an event or prefix may be subscribed to; whole orders cannot be by creation.
fn subscribable(event: &str) -> bool {
    let mut parts = event.split('.');
    let known = parts
        .next()
        .is_some_and(|resource| RESOURCES.contains(&resource));
    let life = parts.next();
    known
        && matches!(life, None | Some("created" | "modified" | "destroyed"))
        && event != "order.created"
}

impl Brightpearl {
    /// `POST webhook`.
    pub(super) fn webhook_post(&mut self, call: &Call) -> Answer {
        let body = call.object()?;
        let text = |key: &str| body[key].as_str().unwrap_or("").to_owned();
        let event = text("subscribeTo");
        if !subscribable(&event) {
            let text = format!("The event '{event}' cannot be subscribed to");
            return Err(Refusal::bad("INTC-064", text));
        }
        let hook = Hook {
            subscribe_to: event,
            method: text("httpMethod").to_ascii_uppercase(),
            uri: text("uriTemplate"),
            body: text("bodyTemplate"),
            content_type: text("contentType"),
            sets: body["idSetAccepted"] == true,
            quality: integer(&body["qualityOfService"]).unwrap_or(0),
        };
        if !matches!(hook.method.as_str(), "GET" | "POST" | "PUT" | "DELETE") {
            return Err(Refusal::bad(
                "INTC-050",
                format!("Invalid HTTP method: {}", hook.method),
            ));
        }
        if !hook.uri.starts_with("http://") && !hook.uri.starts_with("https://") {
            return Err(Refusal::bad(
                "INTC-051",
                "The uriTemplate must be an absolute URL",
            ));
        }
        let with_body = matches!(hook.method.as_str(), "POST" | "PUT");
        if with_body && (hook.body.is_empty() || hook.content_type.is_empty()) {
            let text = "POST and PUT need a bodyTemplate and a contentType";
            return Err(Refusal::bad("INTC-052", text));
        }
        let has = |name: &str| hook.uri.contains(name) || (with_body && hook.body.contains(name));
        let errors: Vec<(&'static str, String)> = REQUIRED
            .iter()
            .filter(|name| !has(name))
            .map(|name| {
                (
                    "INTC-057",
                    format!("The template lacks the required variable {name}"),
                )
            })
            .collect();
        if !errors.is_empty() {
            return Err(Refusal {
                status: 400,
                errors,
            });
        }
        let id = self.hooks.next;
        self.hooks.next += 1;
        self.hooks.registered.insert(id, hook);
        Ok(Reply::ok(id))
    }

    /// `GET webhook[/{set}]`.
    pub(super) fn webhook_get(&self, set: Option<&str>) -> Answer {
        let wanted = match set {
            None => None,
            Some(text) => Some(
                IdSet::parse(text)
                    .ok_or_else(|| Refusal::bad("CMNC-011", format!("Invalid ID set: {text}")))?,
            ),
        };
        let some = |(id, _): &(&i64, &Hook)| wanted.as_ref().is_none_or(|w| w.contains(**id));
        let list: Vec<Value> = self
            .hooks
            .registered
            .iter()
            .filter(some)
            .map(view)
            .collect();
        if list.is_empty() {
            let text = format!("No webhooks available in ID Set {}", set.unwrap_or(""));
            return Err(Refusal::missing(text));
        }
        Ok(Reply::ok(list))
    }

    /// `DELETE webhook/{id}`.
    pub(super) fn webhook_delete(&mut self, id: &str) -> Answer {
        let number: i64 = id.parse().unwrap_or(0);
        match self.hooks.registered.remove(&number) {
            Some(_) => Ok(Reply::done()),
            None => Err(Refusal::missing(format!("Cannot find webhook: {id}"))),
        }
    }
}
