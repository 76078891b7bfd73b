//! Every call, answered by a vendor that has lost its mind. What the connector says to that is its own affair; that it
//! ends properly is not.

use crate::check::{Check, Outcome as Found, Report};
use crate::kit::Kit;
use crate::mangle::Mangle;
use crate::pushes::{Act, fresh_jobs};
use crate::stand::{Seen, Stand, misshaped, trapped};
use std::fmt::Debug;
use std::sync::Arc;
use waybill_host::connector::{Answer, Mode};
use waybill_host::generation::Generation;
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Field, Role, Scope};

/// Collects what went wrong.
struct Look<'a> {
    stand: &'a Stand,
    calls: usize,
    wrong: Option<String>,
    shape: Option<String>,
}

impl Look<'_> {
    fn at<T: Debug>(&mut self, what: &str, answer: Answer<T>) {
        self.calls += 1;
        let value = self.stand.forget(answer);
        if let Some(why) = trapped(&value) {
            self.wrong.get_or_insert(format!("{what}: {why}"));
        }
        if let Some(why) = misshaped(&value) {
            self.shape.get_or_insert(format!("{what}: {why}"));
        }
    }
}

/// Every call of the contract once; how many, what trapped first, whose answer had a wrong shape first.
pub(crate) async fn every_call(
    stand: &Stand,
    acts: &[(String, Act)],
    first_job: u64,
) -> (usize, Option<String>, Option<String>) {
    let mut look = Look {
        stand,
        calls: 0,
        wrong: None,
        shape: None,
    };
    let connector = &stand.connector;
    let descriptor = connector.descriptor();
    let roles = connector.roles();
    let setup = |word: &str| stand.call(Mode::Live, EffectScope::Setup(word.to_owned()), 1);
    look.at("probe", connector.probe(setup("probe")).await);
    let lookups = descriptor
        .settings
        .iter()
        .filter(|s| matches!(s.field, Field::Lookup));
    let tables = descriptor.tables.iter().filter_map(|t| t.lookup.as_ref());
    for key in lookups.map(|s| &s.key).chain(tables) {
        let answer = connector.choices(setup("choices"), key.clone(), None).await;
        look.at(&format!("choices `{key}`"), answer);
    }
    for feed in &descriptor.pulls {
        let entity = feed.entity;
        let answer = connector.pull(stand.poll(entity, None), entity, None).await;
        look.at(&format!("pull {entity}"), answer);
        let keys = vec!["1".to_owned(), "2".to_owned()];
        let answer = connector
            .fetch(stand.poll(entity, None), entity, keys)
            .await;
        look.at(&format!("fetch {entity}"), answer);
        if roles.contains(&Role::Listing) {
            let answer = connector
                .read(stand.poll(entity, None), entity, Scope::Everything, None)
                .await;
            look.at(&format!("read {entity}"), answer);
        }
    }
    let mut job = first_job;
    for (name, act) in acts {
        let jobs = fresh_jobs(job, act.members());
        job += 100;
        // The second attempt is another way through a connector.
        for attempt in [1, 2] {
            let call = stand.batch(&jobs, attempt);
            let answer = match act {
                Act::Push(batch) => connector.push(call, batch.clone()).await,
                Act::Settle(moment, batch) => connector.settle(call, *moment, batch.clone()).await,
            };
            look.at(&format!("{name}, attempt {attempt}"), answer);
        }
    }
    if roles.contains(&Role::Tickets) {
        let call = stand.call(Mode::ReadOnly, EffectScope::Jobs(Vec::new()), 1);
        look.at(
            "confirm",
            connector.confirm(call, vec!["contract-1".to_owned()]).await,
        );
    }
    if roles.contains(&Role::Webhook) {
        let callback = "http://127.0.0.1:9/hooks/contract/s3cret".to_owned();
        look.at(
            "ensure",
            connector
                .ensure(setup(&format!("webhook/{first_job}")), callback.clone())
                .await,
        );
        look.at(
            "remove",
            connector
                .remove(setup(&format!("unhook/{first_job}")), callback)
                .await,
        );
    }
    (look.calls, look.wrong, look.shape)
}

/// All ways to spoil an answer; also what came out of the connector meanwhile.
pub(crate) async fn look(
    report: &mut Report,
    kit: &Kit,
    generation: &Arc<Generation>,
) -> anyhow::Result<(Stand, Seen)> {
    let all = Mangle::all();
    let mut calls = 0;
    let mut wrong: Option<String> = None;
    let stand = Stand::new(kit, generation).await?;
    kit.fill(&stand).await?;
    let operations = kit.operations(&stand).await?;
    let acts: Vec<(String, Act)> = operations.into_iter().map(|o| (o.name, o.act)).collect();
    for (at, mangle) in (1_u64..).zip(&all) {
        stand.tap.spoil(Some(*mangle));
        let (more, why, shape) = every_call(&stand, &acts, at * 10_000).await;
        calls += more;
        if let Some(why) = shape {
            let told = format!("answered with {}: {why}", mangle.words());
            report.put(Check::OneVerdictEach, Found::Failed(told));
        }
        if let (None, Some(why)) = (&wrong, why) {
            wrong = Some(format!("answered with {}: {why}", mangle.words()));
        }
        // Budgets and rate limits start anew.
        stand.tap.spoil(None);
        stand.clock.pass(61_000).await?;
    }
    let seen = stand.take_seen();
    report.put(
        Check::HostileAnswers,
        match wrong {
            Some(why) => Found::Failed(why),
            None => Found::Passed(format!(
                "{calls} calls, {} kinds of broken answers",
                all.len()
            )),
        },
    );
    Ok((stand, seen))
}
