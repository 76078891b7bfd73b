//! Owns the calls about webhooks: registering, listing, removing, simulating. It must not know how deliveries travel
//! (`webhooks.rs`).

use serde_json::Value;

use super::account::Brightpearl;
use super::call::Call;
use super::envelope::{Answer, Refusal, Reply, integer};
use super::idset::IdSet;
use super::webhooks::Hook;

/// Most resource ids of one simulation.
const MOST_SIMULATED: i64 = 10;

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
            .map(|(id, hook)| hook.view(*id))
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

    /// `POST webhook/{id}/simulate`.
    pub(super) fn webhook_simulate(&mut self, now: i64, id: &str, call: &Call) -> Answer {
        let number: i64 = id.parse().unwrap_or(0);
        if !self.hooks.registered.contains_key(&number) {
            return Err(Refusal::missing(format!("Cannot find webhook: {id}")));
        }
        let body = call.object()?;
        let data = &body["testData"];
        let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        let set = IdSet::parse(&text("${resource-id}")).filter(|set| set.size() <= MOST_SIMULATED);
        let Some(set) = set else {
            let text = format!("Test data name 1 to {MOST_SIMULATED} resource ids");
            return Err(Refusal::bad("INTC-058", text));
        };
        let ids: Vec<i64> = set.ids().into_iter().collect();
        let mut event = text("${lifecycle-event}");
        let specifier = text("${resource-specifier}");
        if !specifier.is_empty() {
            event = format!("{event}.{specifier}");
        }
        let resource = text("${resource-type}");
        self.hooks.simulate(now, number, (&resource, &event), &ids);
        Ok(Reply::done())
    }
}
