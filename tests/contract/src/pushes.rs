//! Batches on their way to their verdicts, tried again and followed as the agent does it; and what can be seen of them
//! without cutting anything. Cuts are in `once.rs`.

use crate::check::{Check, Outcome as Found, Report};
use crate::kit::Kit;
use crate::stand::{Stand, misbehaved};
use anyhow::{Context as _, bail};
use std::sync::Arc;
use waybill_host::connector::{CallError, Mode};
use waybill_host::generation::Generation;
use waybill_host::ports::EffectScope;
use waybill_model::contract::{
    Delivered, Delivery, Exchange, Failure, Moment, Outcome, Role, Settled, Ticket, Verdict,
};
use waybill_model::ids::{JobId, Millis};

/// Rounds until a batch must have come to its end; each waits as long as the connector asks.
const ROUNDS: u32 = 40;
/// Where the connector names no time.
const WAIT_SECS: u32 = 31;

/// A batch.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Push(Vec<Delivery>),
    Settle(Moment, Vec<Settled>),
}

impl Act {
    pub(crate) const fn members(&self) -> usize {
        match self {
            Self::Push(batch) => batch.len(),
            Self::Settle(_, batch) => batch.len(),
        }
    }

    /// Some of its members.
    pub(crate) fn only(&self, places: &[usize]) -> Self {
        fn chosen<T: Clone>(all: &[T], places: &[usize]) -> Vec<T> {
            let some = places.iter().filter_map(|at| all.get(*at).cloned());
            some.collect()
        }
        match self {
            Self::Push(batch) => Self::Push(chosen(batch, places)),
            Self::Settle(moment, batch) => Self::Settle(*moment, chosen(batch, places)),
        }
    }
}

/// A batch with its name.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) act: Act,
}

impl Operation {
    pub(crate) fn push(name: &str, batch: Vec<Delivery>) -> Self {
        Self {
            name: name.to_owned(),
            act: Act::Push(batch),
        }
    }
}

/// One call. `keep`: what it kept in its private space is committed, as with its verdicts.
pub(crate) async fn once(
    stand: &Stand,
    act: &Act,
    jobs: &[u64],
    attempt: u32,
    keep: bool,
) -> anyhow::Result<Result<Vec<Verdict>, CallError>> {
    let call = stand.batch(jobs, attempt);
    let answer = match act {
        Act::Push(batch) => stand.connector.push(call, batch.clone()).await,
        Act::Settle(moment, batch) => stand.connector.settle(call, *moment, batch.clone()).await,
    };
    if keep {
        stand.keep(answer).await
    } else {
        Ok(stand.forget(answer))
    }
}

/// Lets that many seconds pass.
async fn wait(stand: &Stand, secs: u32) -> anyhow::Result<()> {
    stand.clock.pass(Millis::from(secs.max(1)) * 1_000).await
}

/// Runs a batch until no member has to be tried again and no ticket is open. `None`: it never came to an end.
pub(crate) async fn follow(
    stand: &Stand,
    act: &Act,
    jobs: &[u64],
) -> anyhow::Result<Vec<Option<Verdict>>> {
    let mut verdicts: Vec<Option<Verdict>> = vec![None; act.members()];
    let mut attempt = 1;
    for _ in 0..ROUNDS {
        let open: Vec<usize> = (0..verdicts.len())
            .filter(|at| verdicts[*at].is_none())
            .collect();
        if open.is_empty() {
            break;
        }
        let ids: Vec<u64> = open.iter().map(|at| jobs[*at]).collect();
        let answers = match once(stand, &act.only(&open), &ids, attempt, true).await? {
            Ok(answers) => answers,
            // A stop is no attempt: the same batch is run again, a little later.
            Err(CallError::Host(_)) if stand.fates.restart() => {
                wait(stand, 5).await?;
                continue;
            }
            Err(CallError::Failure(failure)) => vec![Err(failure); open.len()],
            Err(error) => bail!("{}", misbehaved::<()>(&Err(error)).unwrap_or_default()),
        };
        let mut pause = 0;
        for (at, answer) in open.into_iter().zip(answers) {
            match answer {
                Err(Failure::Retry(secs)) => pause = pause.max(secs.unwrap_or(WAIT_SECS)),
                Err(Failure::Unauthorized(problem)) => bail!("not signed in: {}", problem.message),
                other => verdicts[at] = Some(other),
            }
        }
        attempt += 1;
        wait(stand, pause).await?;
    }
    tickets(stand, &mut verdicts, jobs).await?;
    Ok(verdicts)
}

/// Asks about open tickets until none is left.
async fn tickets(
    stand: &Stand,
    verdicts: &mut [Option<Verdict>],
    jobs: &[u64],
) -> anyhow::Result<()> {
    for _ in 0..ROUNDS {
        let open: Vec<(usize, Ticket)> = verdicts
            .iter()
            .enumerate()
            .filter_map(|(at, verdict)| match verdict {
                Some(Ok(Outcome::Pending(ticket))) => Some((at, ticket.clone())),
                _ => None,
            })
            .collect();
        let Some(secs) = open.iter().map(|(_, ticket)| ticket.check_in_secs).max() else {
            return Ok(());
        };
        wait(stand, secs).await?;
        let ids = open.iter().map(|(at, _)| JobId(jobs[*at])).collect();
        let call = stand.call(Mode::ReadOnly, EffectScope::Jobs(ids), 1);
        let handles = open
            .iter()
            .map(|(_, ticket)| ticket.handle.clone())
            .collect();
        let answer = stand.connector.confirm(call, handles).await;
        match stand.keep(answer).await? {
            Ok(answers) => {
                for ((at, _), answer) in open.into_iter().zip(answers) {
                    // The question was not answered: the write stands as it is.
                    if !matches!(answer, Err(Failure::Retry(_))) {
                        verdicts[at] = Some(answer);
                    }
                }
            }
            Err(CallError::Failure(_)) => {}
            Err(error) => bail!(
                "`confirm`: {}",
                misbehaved::<()>(&Err(error)).unwrap_or_default()
            ),
        }
    }
    for verdict in verdicts {
        if matches!(verdict, Some(Ok(Outcome::Pending(_)))) {
            *verdict = None;
        }
    }
    Ok(())
}

/// Ids for jobs of a batch that nobody has used.
pub(crate) fn fresh_jobs(from: u64, count: usize) -> Vec<u64> {
    (from..).take(count).collect()
}

/// What batches of different sizes come to, and what was called meanwhile.
pub(crate) async fn look(
    report: &mut Report,
    kit: &Kit,
    generation: &Arc<Generation>,
) -> anyhow::Result<()> {
    let stand = Stand::new(kit, generation).await?;
    let operations = kit.operations(&stand).await?;
    let mut wrong = None;
    let mut batches = 0;
    let mut job = 1_000;
    for operation in &operations {
        for size in 0..=operation.act.members() {
            let part = operation.act.only(&(0..size).collect::<Vec<_>>());
            let jobs = fresh_jobs(job, size);
            job += 100;
            batches += 1;
            let value = once(&stand, &part, &jobs, 1, false).await?;
            if let Some(why) = misbehaved(&value) {
                wrong.get_or_insert(format!("{} of {size}: {why}", operation.name));
            }
        }
    }
    for why in questions(&stand).await {
        wrong.get_or_insert(why);
    }
    let none = operations.is_empty();
    report.put(
        Check::OneVerdictEach,
        match wrong {
            Some(why) => Found::Failed(why),
            None if none => Found::Passed("it takes no batches".to_owned()),
            None => Found::Passed(format!("{batches} batches of 0 to 3 members")),
        },
    );
    hooks(&stand).await;
    judge(report, &stand.take_seen().exchanges);
    Ok(())
}

/// Tickets nobody gave out, and deliveries of webhooks that are none.
async fn questions(stand: &Stand) -> Vec<String> {
    let roles = stand.connector.roles();
    let mut wrong = Vec::new();
    if roles.contains(&Role::Tickets) {
        let call = stand.call(
            Mode::ReadOnly,
            EffectScope::Jobs(vec![JobId(1), JobId(2)]),
            1,
        );
        let handles = vec!["contract-1".to_owned(), String::new()];
        let value = stand.forget(stand.connector.confirm(call, handles).await);
        wrong.extend(misbehaved(&value).map(|why| format!("2 tickets: {why}")));
    }
    if roles.contains(&Role::Webhook) {
        let call = stand.call(Mode::ReadOnly, EffectScope::Setup("receive".to_owned()), 1);
        let one = |body: &[u8]| Delivered {
            headers: Vec::new(),
            body: body.to_vec(),
        };
        let batch = vec![one(b""), one(b"{}"), one(b"\xff")];
        let value = stand.forget(stand.connector.receive(call, batch).await);
        wrong.extend(misbehaved(&value).map(|why| format!("3 webhook deliveries: {why}")));
    }
    wrong
}

/// Registers webhooks, where it can: their calls are judged as well.
async fn hooks(stand: &Stand) {
    if stand.connector.roles().contains(&Role::Webhook) {
        let callback = "http://127.0.0.1:9/hooks/contract/s3cret".to_owned();
        let setup = |round: u32| {
            stand.call(
                Mode::Live,
                EffectScope::Setup(format!("webhook/{round}")),
                1,
            )
        };
        // What they answer is the vendor's business here.
        drop(stand.forget(stand.connector.ensure(setup(1), callback.clone()).await));
        drop(stand.forget(stand.connector.remove(setup(2), callback).await));
    }
}

/// What a request that the host did not let out says about the connector.
pub(crate) fn judge(report: &mut Report, exchanges: &[Exchange]) {
    let denied = |words: &str| {
        exchanges
            .iter()
            .find(|e| e.status == 0 && e.answer.starts_with("denied: ") && e.answer.contains(words))
    };
    let told = |e: &Exchange| format!("{} {}: {}", e.method, e.url, e.answer);
    let effects = exchanges.iter().filter(|e| e.step.is_some()).count();
    report.put(
        Check::EffectsAreNamed,
        match denied("needs an effect") {
            Some(exchange) => Found::Failed(told(exchange)),
            None => Found::Passed(format!("{effects} calls that change something, all named")),
        },
    );
    report.put(
        Check::StaysInReach,
        match denied("not granted") {
            Some(exchange) => Found::Failed(told(exchange)),
            None => Found::Passed(format!("{} calls, all declared", exchanges.len())),
        },
    );
}

/// A verdict in a few words.
pub(crate) fn words(verdict: &Verdict) -> String {
    match verdict {
        Ok(outcome) => format!("{outcome:?}"),
        Err(
            Failure::Rejected(p)
            | Failure::InDoubt(p)
            | Failure::Unauthorized(p)
            | Failure::Withdrawn(p),
        ) => format!("`{}`: {}", p.code, p.message),
        Err(other) => format!("{other:?}"),
    }
}

/// The operation of that place, on a stand of its own.
pub(crate) async fn operation(kit: &Kit, stand: &Stand, place: usize) -> anyhow::Result<Operation> {
    let mut all = kit.operations(stand).await?;
    if place < all.len() {
        return Ok(all.swap_remove(place));
    }
    None.context("the vendor gave other documents than the first time")
}
