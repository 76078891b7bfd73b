//! Documents, keys and cursors as no friendly agent hands them over. The vendor answers as ever.

use crate::check::{Check, Outcome as Found, Report};
use crate::kit::Kit;
use crate::mangle::{ODD, changed};
use crate::pushes::{Act, Operation, fresh_jobs, once};
use crate::stand::{Stand, misshaped, trapped};
use serde_json::{Value, json};
use std::sync::Arc;
use waybill_host::connector::Mode;
use waybill_host::generation::Generation;
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Delivered, Delivery, Role, Scope, Settled};
use waybill_model::document::{Body, Document};

/// Lines of a very long order.
const LINES: usize = 10_000;
/// Words of the model that no text may replace.
const WORDS: [&str; 10] = [
    "pending",
    "open",
    "accepted",
    "completed",
    "cancelled",
    "created",
    "printed",
    "picked",
    "packed",
    "shipped",
];

type Change = fn(&Value) -> Option<Value>;

fn is_free(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        !WORDS.contains(&text)
            && !matches!(
                text,
                "requested" | "ordered" | "refused" | "order" | "line" | "network"
            )
    })
}

fn decimal(value: &Value, units: i64, scale: u8) -> Option<Value> {
    let parts = value.as_object()?;
    let is_decimal = parts.len() == 2 && parts.contains_key("units") && parts.contains_key("scale");
    is_decimal.then(|| json!({"units": units, "scale": scale}))
}

const CHANGES: &[(&str, Change)] = &[
    ("empty texts", |v| is_free(v).then(|| json!(""))),
    ("blank texts", |v| is_free(v).then(|| json!("   "))),
    ("odd texts", |v| is_free(v).then(|| json!(ODD))),
    ("texts of 20,000 letters", |v| {
        is_free(v).then(|| json!("é".repeat(20_000)))
    }),
    ("the largest amounts", |v| decimal(v, i64::MAX, 0)),
    ("the smallest amounts", |v| decimal(v, i64::MIN, 9)),
    ("amounts below nought", |v| decimal(v, -1, 0)),
    ("noughts", |v| decimal(v, 0, 0)),
    ("fractions", |v| decimal(v, 1, 9)),
    ("empty lists", |v| v.is_array().then(|| json!([]))),
    ("nothing that may be missing", |v| {
        v.as_object().filter(|m| m.contains_key("city")).map(|m| {
            let mut bare = m.clone();
            for name in [
                "company",
                "attention",
                "region",
                "country",
                "phone",
                "email",
            ] {
                bare.insert(name.to_owned(), Value::Null);
            }
            Value::Object(bare)
        })
    }),
    ("the last moment of time", |v| {
        v.as_i64()
            .filter(|n| *n > 1_000_000_000_000)
            .map(|_| json!(i64::MAX))
    }),
    ("the first moment of time", |v| {
        v.as_i64()
            .filter(|n| *n > 1_000_000_000_000)
            .map(|_| json!(i64::MIN))
    }),
];

/// A document with that change, where it is still one.
fn with(document: &Document, change: Change) -> Option<Document> {
    let value = serde_json::to_value(document).ok()?;
    serde_json::from_value(changed(&value, change)).ok()
}

fn long(document: &Document) -> Option<Document> {
    let mut document = document.clone();
    match &mut document.body {
        Body::Order(order) => {
            let first = order.lines.first()?.clone();
            order.lines = (0..LINES)
                .map(|n| {
                    let mut line = first.clone();
                    line.line = n.to_string();
                    line
                })
                .collect();
        }
        Body::Shipment(shipment) => {
            let first = shipment.parcels.first()?.clone();
            shipment.parcels = vec![first; LINES / 10];
        }
        _ => return None,
    }
    Some(document)
}

/// The batch with every document changed, and its name.
fn spoiled(act: &Act) -> Vec<(&'static str, Act)> {
    let Act::Push(batch) = act else {
        return Vec::new();
    };
    let all = |change: &dyn Fn(&Document) -> Option<Document>| -> Option<Act> {
        let one = |delivery: &Delivery| {
            Some(Delivery {
                document: change(&delivery.document)?,
                ..delivery.clone()
            })
        };
        batch
            .iter()
            .map(one)
            .collect::<Option<Vec<_>>>()
            .map(Act::Push)
    };
    let mut acts: Vec<(&'static str, Act)> = CHANGES
        .iter()
        .filter_map(|(name, change)| Some((*name, all(&|d| with(d, *change))?)))
        .collect();
    if let Some(delivery) = batch.first()
        && let Some(document) = long(&delivery.document)
    {
        let one = Delivery {
            document,
            ..delivery.clone()
        };
        acts.push(("10,000 lines", Act::Push(vec![one])));
    }
    let orphans = batch.iter().map(|d| Delivery {
        origin: None,
        ..d.clone()
    });
    acts.push(("without its order", Act::Push(orphans.collect())));
    acts
}

/// Keys that are none.
fn keys() -> Vec<String> {
    let long = "é".repeat(10_000);
    [
        "",
        " ",
        "'; --",
        "../../x",
        "%00",
        "-1",
        "1,2",
        "99999999999999999999999",
        ODD,
        &long,
    ]
    .map(str::to_owned)
    .to_vec()
}

fn cursors() -> Vec<Option<Vec<u8>>> {
    [
        &b""[..],
        b"\xff\xfe",
        b"null",
        b"{}",
        b"[]",
        b"0",
        b"\"x\"",
        b"{\"position\":-1}",
    ]
    .iter()
    .map(|bytes| Some(bytes.to_vec()))
    .chain([Some(vec![b'9'; 60_000])])
    .collect()
}

/// All of them.
pub(crate) async fn look(
    report: &mut Report,
    kit: &Kit,
    generation: &Arc<Generation>,
) -> anyhow::Result<()> {
    let stand = Stand::new(kit, generation).await?;
    let operations = kit.operations(&stand).await?;
    let mut job = 1_000_000;
    let mut calls = 0;
    let mut wrong: Option<String> = None;
    for Operation { name, act } in &operations {
        for (told, act) in spoiled(act) {
            let jobs = fresh_jobs(job, act.members());
            job += 100;
            calls += 1;
            let value = once(&stand, &act, &jobs, 1, false).await?;
            if let Some(why) = trapped(&value) {
                wrong.get_or_insert(format!("{name} with {told}: {why}"));
            }
            if let Some(why) = misshaped(&value) {
                let told = format!("{name} with {told}: {why}");
                report.put(Check::OneVerdictEach, Found::Failed(told));
            }
            stand.clock.pass(61_000).await?;
        }
    }
    let (more, why) = questions(&stand).await?;
    calls += more;
    let wrong = wrong.or(why);
    report.put(
        Check::HostileDocuments,
        match wrong {
            Some(why) => Found::Failed(why),
            None => Found::Passed(format!(
                "{calls} calls with odd documents, keys and cursors"
            )),
        },
    );
    Ok(())
}

/// Odd keys, cursors, handles and webhook bodies.
async fn questions(stand: &Stand) -> anyhow::Result<(usize, Option<String>)> {
    let connector = &stand.connector;
    let roles = connector.roles();
    let mut calls = 0;
    let mut wrong: Option<String> = None;
    let mut judge = |what: String, why: Option<String>| {
        calls += 1;
        if let Some(why) = why {
            wrong.get_or_insert(format!("{what}: {why}"));
        }
    };
    for feed in &connector.descriptor().pulls {
        let entity = feed.entity;
        for cursor in cursors() {
            let call = stand.poll(entity, cursor.as_deref());
            let value = stand.forget(connector.pull(call, entity, cursor.clone()).await);
            judge(format!("pull {entity} with an odd cursor"), trapped(&value));
            if roles.contains(&Role::Listing) {
                let call = stand.poll(entity, cursor.as_deref());
                let value = connector
                    .read(call, entity, Scope::Between(i64::MIN, i64::MAX), cursor)
                    .await;
                judge(
                    format!("read {entity} with an odd cursor"),
                    trapped(&stand.forget(value)),
                );
            }
        }
        let call = stand.poll(entity, None);
        let value = stand.forget(connector.fetch(call, entity, keys()).await);
        judge(format!("fetch {entity} of odd keys"), trapped(&value));
        stand.clock.pass(61_000).await?;
        for moment in &feed.settles {
            let one = |key: String| Settled {
                entity,
                key,
                links: Vec::new(),
            };
            let batch: Vec<Settled> = keys().into_iter().map(one).collect();
            let jobs = fresh_jobs(2_000_000, batch.len());
            let call = stand.batch(&jobs, 1);
            let value = stand.forget(connector.settle(call, *moment, batch).await);
            judge(format!("settle {entity} of odd keys"), trapped(&value));
        }
    }
    for key in keys() {
        let call = stand.call(Mode::ReadOnly, EffectScope::Setup("choices".to_owned()), 1);
        let value = stand.forget(connector.choices(call, key.clone(), Some(key)).await);
        judge("choices of an odd key".to_owned(), trapped(&value));
    }
    if roles.contains(&Role::Tickets) {
        let call = stand.call(Mode::ReadOnly, EffectScope::Jobs(Vec::new()), 1);
        let value = stand.forget(connector.confirm(call, keys()).await);
        judge("confirm of odd tickets".to_owned(), trapped(&value));
    }
    if roles.contains(&Role::Webhook) {
        let bodies = cursors().into_iter().flatten().map(|body| Delivered {
            headers: vec![("content-type".to_owned(), ODD.to_owned())],
            body,
        });
        let call = stand.call(Mode::ReadOnly, EffectScope::Setup("receive".to_owned()), 1);
        let value = stand.forget(connector.receive(call, bodies.collect()).await);
        judge("odd webhook deliveries".to_owned(), trapped(&value));
    }
    Ok((calls, wrong))
}
