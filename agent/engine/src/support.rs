//! What a support person needs to see, without what they must not: connections, counters, and the jobs that stopped with
//! the vendors' words. Everything that leaves, also what the program adds, goes through one cleaner that knows the
//! vault and the consumers of the newest orders. Reads only.

use crate::alert;
use crate::clean::{Cleaner, Kind, Removed};
use crate::core::{Core, Slot};
use crate::handle::{CommandError, Handle};
use crate::status;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use waybill_model::contract::{Exchange, Field};
use waybill_model::document::{Address, Body};
use waybill_model::ids::OrderId;
use waybill_store::{JobRow, OrderQuery, Read, Rx, StoreError};

/// Orders whose consumers are known to the cleaner, beside those of the jobs that stopped.
const NEWEST: usize = 2_000;
/// Jobs that are shown.
const STOPPED: usize = 200;
/// Characters of a refusal.
const WORDS: usize = 600;

/// Files by name, and what was taken out of each.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Parts {
    /// Content.
    pub files: BTreeMap<String, String>,
    /// How often what was removed.
    pub removed: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Parts {
    /// Adds a text that was cleaned.
    fn add(&mut self, name: &str, text: String, removed: Removed) {
        self.files.insert(name.to_owned(), text);
        let removed = removed.into_iter().map(|(k, n)| (k.to_owned(), n));
        self.removed.insert(name.to_owned(), removed.collect());
    }

    /// Cleans texts by what they look like alone, where no database can be asked.
    pub fn by_looks(texts: BTreeMap<String, String>) -> Self {
        let (mut parts, cleaner) = (Self::default(), Cleaner::default());
        for (name, text) in texts {
            let mut removed = Removed::new();
            let text = cleaned(&cleaner, &name, &text, &mut removed);
            parts.add(&name, text, removed);
        }
        parts
    }
}

/// JSON keeps the names of its fields; any other text is cleaned as it is.
fn cleaned(cleaner: &Cleaner, name: &str, text: &str, removed: &mut Removed) -> String {
    let json = Path::new(name).extension().is_some_and(|e| e == "json");
    match serde_json::from_str::<Value>(text) {
        Ok(mut value) if json => {
            cleaner.clean_json(&mut value, removed);
            pretty(&value)
        }
        _ => cleaner.clean(text, removed),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|error| error.to_string())
}

impl Handle {
    /// The agent's own parts of a support bundle, and `texts` cleaned with them.
    pub async fn support(&self, texts: BTreeMap<String, String>) -> Result<Parts, CommandError> {
        let frame = self.frame().await?;
        let mut today = self.today().await?;
        // Lists of orders are not needed, and the less leaves the better.
        today.recent.clear();
        let overview = json!({"frame": frame, "today": today});
        self.read(move |core, rx| {
            let mut parts = Parts::default();
            let stopped = rx.jobs_in("parked", STOPPED)?;
            let cleaner = cleaner(rx, &stopped)?;
            let own = [
                ("status.json", overview),
                ("connections.json", connections(core, rx)?),
                ("counters.json", counters(core, rx)?),
                ("stopped-jobs.json", jobs(rx, &stopped)?),
            ];
            for (name, mut value) in own {
                let mut removed = Removed::new();
                cleaner.clean_json(&mut value, &mut removed);
                parts.add(name, pretty(&value), removed);
            }
            for (name, text) in texts {
                let mut removed = Removed::new();
                let text = cleaned(&cleaner, &name, &text, &mut removed);
                parts.add(&name, text, removed);
            }
            Ok(parts)
        })
        .await
    }
}

/// Knows every secret, and the consumers of these jobs' orders and of the newest ones.
fn cleaner(rx: &Rx, stopped: &[JobRow]) -> Result<Cleaner, StoreError> {
    let mut cleaner = Cleaner::default();
    let mut owners: Vec<_> = rx.connections()?.iter().map(|row| row.id).collect();
    owners.push(alert::NOBODY);
    for owner in owners {
        for (slot, name, _) in rx.secret_names(owner)? {
            // One that does not open cannot have been used either.
            if let Ok(Some(secret)) = rx.secret(owner, &slot, &name) {
                cleaner.know(Kind::Secret, secret.expose_secret());
            }
        }
    }
    let query = OrderQuery {
        limit: NEWEST,
        ..OrderQuery::default()
    };
    let mut documents: Vec<_> = rx.orders(query)?.iter().map(|row| row.document).collect();
    let mut orders: Vec<OrderId> = stopped.iter().filter_map(|job| job.order).collect();
    orders.dedup();
    for id in orders {
        documents.extend(rx.order(id)?.map(|row| row.document));
    }
    documents.sort_unstable();
    documents.dedup();
    for id in documents {
        if let Some(Body::Order(order)) = rx.document(id)?.map(|row| row.document.body) {
            person(&mut cleaner, &order.ship_to);
            order.bill_to.iter().for_each(|a| person(&mut cleaner, a));
        }
    }
    Ok(cleaner)
}

fn person(cleaner: &mut Cleaner, address: &Address) {
    let single = [
        Some(&address.name),
        address.company.as_ref(),
        address.attention.as_ref(),
        address.phone.as_ref(),
        address.email.as_ref(),
    ];
    for value in single.into_iter().flatten().chain(&address.street) {
        cleaner.know(Kind::Person, value);
    }
    let town = format!("{} {}", address.postcode, address.city);
    cleaner.know(Kind::Person, &town);
    cleaner.know(
        Kind::Person,
        &format!("{} {}", address.city, address.postcode),
    );
    if address.postcode.len() > 5 {
        cleaner.know(Kind::Person, &address.postcode);
    }
}

/// A setting's value as far as its kind proves it harmless: what was typed freely may be anything.
fn shown(field: Option<&Field>, value: &str) -> Value {
    match field {
        Some(Field::Integer | Field::Decimal | Field::Toggle | Field::OneOf(_) | Field::Lookup) => {
            json!(value)
        }
        Some(Field::Url) => {
            let address = value.split_once("://").map_or(value, |(_, rest)| rest);
            let host = address.split(['/', '?', '#']).next().unwrap_or_default();
            json!(format!(
                "an address at {}",
                host.rsplit('@').next().unwrap_or_default()
            ))
        }
        Some(Field::Text) | None => {
            json!(format!("a text of {} characters", value.chars().count()))
        }
    }
}

fn settings(slot: &Slot) -> Value {
    let mut known: Vec<_> = waybill_model::settings::agent_settings();
    known.extend(waybill_model::settings::timing_settings());
    known.extend(waybill_model::settings::stock_settings());
    known.extend(waybill_model::alerts::alert_settings());
    known.extend(waybill_model::practice::practice_settings());
    known.extend(waybill_model::settings::connection_settings());
    known.extend(
        slot.descriptor()
            .into_iter()
            .flat_map(|d| d.settings.clone()),
    );
    let values = slot.settings.iter().map(|(key, value)| {
        let field = known.iter().find(|s| s.key == *key).map(|s| &s.field);
        (key.clone(), shown(field, value))
    });
    Value::Object(values.collect())
}

fn connections(core: &Core, rx: &Rx) -> Result<Value, StoreError> {
    let (desk, now, feeds) = (core.desk(), core.now(), rx.feeds()?);
    let mut all = Vec::new();
    for row in rx.connections()? {
        let view = status::connection(core, &desk, rx, &row, &feeds, now)?;
        let secrets: Vec<Value> = rx
            .secret_names(row.id)?
            .into_iter()
            .map(|(slot, name, at)| json!({"slot": slot, "name": name, "set_at": at}))
            .collect();
        let slot = desk.slots.get(&row.id);
        all.push(json!({
            "view": view,
            "generation": slot.and_then(|s| s.connector()).map(|c| c.generation().0),
            "private_addresses": row.allow_private,
            "hosts_granted": row.grants,
            "paused": row.paused,
            "unauthorized": row.unauthorized,
            "last_error": row.last_error,
            "settings": slot.map(settings),
            "secrets_that_are_set": secrets,
        }));
    }
    let routes: Vec<Value> = rx
        .routes()?
        .iter()
        .map(|r| json!({"entity": r.entity, "from": r.from, "to": r.to, "paused": r.paused}))
        .collect();
    Ok(json!({"connections": all, "routes": routes}))
}

fn counters(core: &Core, rx: &Rx) -> Result<Value, StoreError> {
    let counted = rx.counters()?;
    let stats = core.store.stats();
    let orders: BTreeMap<&str, u64> = counted.orders.iter().map(|(s, n)| (s.word(), *n)).collect();
    Ok(json!({
        "schema": waybill_store::SCHEMA_VERSION,
        "schema_found": core.store.found_schema(),
        "orders": orders,
        "jobs": counted.jobs,
        "cards": counted.cards,
        "file_bytes": stats.file_bytes,
        "commits": stats.commits,
        "bytes_written": stats.bytes,
        "writes_stopped": core.store.is_poisoned(),
    }))
}

/// The jobs that stopped, why, and how the vendor said so.
fn jobs(rx: &Rx, stopped: &[JobRow]) -> Result<Value, StoreError> {
    let mut all = Vec::new();
    for job in stopped {
        let calls = match job.batch {
            Some(batch) => rx.transcript(batch)?,
            None => Vec::new(),
        };
        let number = match job.order {
            Some(id) => rx.order(id)?.map(|row| row.number),
            None => None,
        };
        all.push(json!({
            "job": job.id,
            "work": job.work,
            "from": job.from,
            "to": job.to,
            "entity": job.entity,
            "key": job.key,
            "order": number,
            "attempts": job.attempt,
            "created_at": job.created_at,
            "changed_at": job.changed_at,
            "state": job.state,
            "last_failure": job.last_failure,
            "calls": calls.iter().map(exchange).collect::<Vec<_>>(),
        }));
    }
    Ok(Value::Array(all))
}

/// A call without what was sent. What a vendor answers to a good one may be a whole customer.
fn exchange(call: &Exchange) -> Value {
    let refused = !(200..300).contains(&call.status);
    let words: String = call.answer.chars().take(WORDS).collect();
    let url = call.url.split('?').next().unwrap_or_default();
    json!({
        "at": call.at,
        "took_ms": call.took_ms,
        "method": call.method,
        "url": url,
        "status": call.status,
        "step": call.step,
        "replayed": call.replayed,
        "answer": refused.then_some(words),
    })
}
