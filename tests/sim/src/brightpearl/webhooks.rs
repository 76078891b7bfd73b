//! Owns the delivery of webhooks: which event reaches which hook, grouping of ids, repeats by quality of service, and what
//! goes astray on command. The server carries the calls; `webhook_calls.rs` registers. It must not know what the ids
//! name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::idset::compact;
use crate::dice::Dice;
use crate::vendor::Outbound;

/// Events kept for `/_sim/events`.
const KEPT: usize = 50_000;

/// A registered webhook.
#[derive(Debug, Clone)]
pub(super) struct Hook {
    pub(super) subscribe_to: String,
    pub(super) method: String,
    pub(super) uri: String,
    pub(super) body: String,
    pub(super) content_type: String,
    pub(super) sets: bool,
    pub(super) quality: i64,
}

impl Hook {
    /// As the API shows it.
    pub(super) fn view(&self, id: i64) -> Value {
        json!({
            "id": id, "subscribeTo": self.subscribe_to, "httpMethod": self.method, "uriTemplate": self.uri,
            "bodyTemplate": self.body, "contentType": self.content_type, "idSetAccepted": self.sets,
            "qualityOfService": self.quality,
        })
    }
}

/// How deliveries go astray, on command: chances from 0 to 1, and a random delay that puts them out of order.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shake {
    pub(super) lose: f64,
    pub(super) double: f64,
    pub(super) delay_ms: i64,
}

/// What became of all deliveries.
#[derive(Debug, Default)]
struct Tally {
    sent: u64,
    lost: u64,
    doubled: u64,
    unanswered: u64,
    given_up: u64,
    answered: BTreeMap<u16, u64>,
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
    /// Chance has had its turn.
    shaken: bool,
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
    pub(super) registered: BTreeMap<i64, Hook>,
    pub(super) next: i64,
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
    /// What chance does to the others.
    pub(super) shake: Shake,
    tally: Tally,
    dice: Dice,
}

impl Hooks {
    pub(super) fn new(seed: u64) -> Self {
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
            shake: Shake::default(),
            tally: Tally::default(),
            dice: Dice::new(seed ^ 0x400C),
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
                    && !d.shaken
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
                shaken: false,
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

    /// Queues a delivery of test data: one request for a hook that takes sets, else one per id.
    pub(super) fn simulate(
        &mut self,
        now: i64,
        number: i64,
        (resource, event): (&str, &str),
        ids: &[i64],
    ) {
        let Some(hook) = self.registered.get(&number) else {
            return;
        };
        let each = if hook.sets { ids.len().max(1) } else { 1 };
        for part in ids.chunks(each) {
            self.waiting.push(Delivery {
                hook: number,
                resource: resource.to_owned(),
                event: event.to_owned(),
                ids: part.iter().copied().collect(),
                raised_on: now,
                due: now,
                attempt: 0,
                shaken: true,
            });
        }
    }

    /// Hooks, what waits and what became of deliveries, for the control side.
    pub(super) fn report(&self) -> Value {
        let hooks = self.registered.iter().map(|(id, hook)| hook.view(*id));
        let tally = &self.tally;
        json!({
            "registered": hooks.collect::<Vec<_>>(), "waiting": self.waiting.len(), "underWay": self.sent.len(),
            "sent": tally.sent, "lost": tally.lost, "doubled": tally.doubled, "unanswered": tally.unanswered,
            "givenUp": tally.given_up, "answered": tally.answered,
        })
    }

    /// How many copies of a delivery leave.
    fn copies(&mut self) -> usize {
        if self.lose_next > 0 || self.dice.chance(self.shake.lose) {
            self.lose_next = self.lose_next.saturating_sub(1);
            self.tally.lost += 1;
            return 0;
        }
        if self.double_next > 0 || self.dice.chance(self.shake.double) {
            self.double_next = self.double_next.saturating_sub(1);
            self.tally.doubled += 1;
            return 2;
        }
        1
    }

    /// The calls that are due.
    pub(super) fn due(&mut self, now: i64, account: &str) -> Vec<Outbound> {
        let (due, later): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(|d| d.due <= now);
        self.waiting = later;
        let mut out = Vec::new();
        for mut delivery in due {
            let Some(hook) = self.registered.get(&delivery.hook).cloned() else {
                continue;
            };
            let copies = if delivery.shaken { 1 } else { self.copies() };
            let shaken = std::mem::replace(&mut delivery.shaken, true);
            for _ in 0..copies {
                let wait = if shaken {
                    0
                } else {
                    self.dice.between(0, self.shake.delay_ms)
                };
                if wait > 0 {
                    let mut late = delivery.clone();
                    late.due = now + wait;
                    self.waiting.push(late);
                    continue;
                }
                let id = self.next_delivery;
                self.next_delivery += 1;
                self.tally.sent += 1;
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
        match status {
            Some(status) => *self.tally.answered.entry(status).or_default() += 1,
            None => self.tally.unanswered += 1,
        }
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
        } else if !matches!(status, Some(200..=299)) {
            self.tally.given_up += 1;
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
