//! The heart of the contract: a batch is cut at every effect, in every way a crash or a network can cut it, and run again
//! with the journal; afterwards the vendor holds what it holds when nothing is cut.

use crate::check::{Check, Outcome as Found, Report};
use crate::fate::Cut;
use crate::kit::Kit;
use crate::pushes::{self, follow, fresh_jobs, operation, words};
use crate::stand::Stand;
use std::collections::BTreeMap;
use std::sync::Arc;
use waybill_host::generation::Generation;
use waybill_model::contract::{Failure, Outcome, Verdict};

/// Effects of one batch that are cut; later ones are of the same kinds.
const MOST: usize = 4;
const FIRST_JOB: u64 = 1;

/// What one run of a batch came to.
struct Played {
    made: BTreeMap<String, u64>,
    effects: usize,
    doubts: usize,
    wrong: Option<String>,
}

/// Runs one batch on a stand of its own, cut as planned.
async fn play(
    kit: &Kit,
    generation: &Arc<Generation>,
    place: usize,
    cut: Option<(Cut, usize)>,
) -> anyhow::Result<Played> {
    let stand = Stand::new(kit, generation).await?;
    let operation = operation(kit, &stand, place).await?;
    let before = kit.made(&stand).await?;
    let already = stand.fates.sent().len();
    if let Some((cut, at)) = cut {
        stand.fates.plan(cut, at);
    }
    let jobs = fresh_jobs(FIRST_JOB, operation.act.members());
    let (verdicts, wrong) = match follow(&stand, &operation.act, &jobs).await {
        Ok(verdicts) => (verdicts, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    // What was queued takes effect.
    stand.clock.pass(120_000).await?;
    let mut made = kit.made(&stand).await?;
    for (name, times) in before {
        if let Some(now) = made.get_mut(&name) {
            *now = now.saturating_sub(times);
        }
    }
    made.retain(|_, times| *times > 0);
    Ok(Played {
        made,
        effects: stand.fates.sent().len() - already,
        doubts: verdicts.iter().filter(|v| is_doubt(v.as_ref())).count(),
        wrong: wrong.or_else(|| unfinished(&verdicts, cut.is_some())),
    })
}

/// A person is asked.
fn is_doubt(verdict: Option<&Verdict>) -> bool {
    matches!(
        verdict,
        Some(Err(Failure::InDoubt(_) | Failure::Rejected(_)))
    )
}

/// The first member that did not get where it belongs. After a cut, asking a person is an end as well.
fn unfinished(verdicts: &[Option<Verdict>], cut: bool) -> Option<String> {
    verdicts.iter().find_map(|verdict| match verdict {
        None => Some("it is tried again and again and never done".to_owned()),
        Some(Ok(Outcome::Done(_))) => None,
        other if cut && is_doubt(other.as_ref()) => None,
        Some(other) => Some(words(other)),
    })
}

/// The batches that reach the vendor, by place and name.
struct Reached {
    place: usize,
    name: String,
    played: Played,
}

/// Runs every batch uncut, and then cut.
pub(crate) async fn look(
    report: &mut Report,
    kit: &Kit,
    generation: &Arc<Generation>,
) -> anyhow::Result<()> {
    let names: Vec<String> = {
        let stand = Stand::new(kit, generation).await?;
        let all = kit.operations(&stand).await?;
        all.into_iter().map(|operation| operation.name).collect()
    };
    let mut reached = Vec::new();
    let mut refused = Vec::new();
    for (place, name) in names.into_iter().enumerate() {
        let played = play(kit, generation, place, None).await?;
        match &played.wrong {
            Some(why) => refused.push(format!("{name}: {why}")),
            None if played.effects == 0 => refused.push(format!("{name}: nothing was sent")),
            None => reached.push(Reached {
                place,
                name,
                played,
            }),
        }
    }
    let both = [Check::StepsAreStable, Check::PushHappensOnce];
    if !refused.is_empty() {
        let why = refused.join("; ");
        let found = if kit.is_generic() {
            Found::Skipped(format!("no batch came through, give --settings ({why})"))
        } else {
            Found::Failed(format!(
                "a batch that is not cut does not come through: {why}"
            ))
        };
        report.put(Check::PushHappensOnce, found.clone());
        if reached.is_empty() {
            report.put(
                Check::StepsAreStable,
                Found::Skipped(format!("no batch came through ({why})")),
            );
            return Ok(());
        }
    }
    if reached.is_empty() {
        for check in both {
            report.put(check, Found::Passed("it takes no batches".to_owned()));
        }
        return Ok(());
    }
    let stable = stable(kit, generation, &reached).await?;
    let steps = matches!(stable, Found::Passed(_));
    report.put(Check::StepsAreStable, stable);
    if kit.is_generic() {
        let why = "nobody said how a look-up is answered, give --settings".to_owned();
        report.put(Check::PushHappensOnce, Found::Skipped(why));
    } else if steps {
        let found = cuts(kit, generation, &reached).await?;
        report.put(Check::PushHappensOnce, found);
    } else {
        let why = "its steps are not stable: every run would send again".to_owned();
        report.put(Check::PushHappensOnce, Found::Skipped(why));
    }
    Ok(())
}

/// The agent stops before the verdicts are committed; run again, every step must be one the journal knows.
async fn stable(
    kit: &Kit,
    generation: &Arc<Generation>,
    reached: &[Reached],
) -> anyhow::Result<Found> {
    let mut steps = 0;
    for one in reached {
        let stand = Stand::new(kit, generation).await?;
        let operation = operation(kit, &stand, one.place).await?;
        let jobs = fresh_jobs(FIRST_JOB, operation.act.members());
        let already = stand.fates.sent().len();
        let first = pushes::once(&stand, &operation.act, &jobs, 1, false).await?;
        let all_sent = first.is_ok_and(|verdicts| verdicts.iter().all(Result::is_ok));
        let sent = stand.fates.sent();
        stand.clock.pass(5_000).await?;
        pushes::once(&stand, &operation.act, &jobs, 1, false)
            .await?
            .ok();
        let again = stand.fates.sent();
        steps += sent.len() - already;
        if all_sent && let Some(new) = again.get(sent.len()) {
            let known: Vec<&str> = sent[already..].iter().map(|s| s.step.as_str()).collect();
            return Ok(Found::Failed(format!(
                "{}: run again after a stop it began `{}`, where it had finished `{}`",
                one.name,
                new.step,
                known.join("`, `")
            )));
        }
    }
    Ok(Found::Passed(format!(
        "{steps} steps, none new when run again"
    )))
}

/// Every effect of every batch, cut in every way.
async fn cuts(
    kit: &Kit,
    generation: &Arc<Generation>,
    reached: &[Reached],
) -> anyhow::Result<Found> {
    let (mut runs, mut doubts) = (0, 0);
    for one in reached {
        if let Some((name, times)) = one
            .played
            .made
            .iter()
            .find(|(name, times)| **times != 1 && !name.starts_with("units"))
        {
            return Ok(Found::Failed(format!(
                "{}, not cut: {name} was made {times} times",
                one.name
            )));
        }
        for at in 1..=one.played.effects.min(MOST) {
            for cut in Cut::ALL {
                let played = play(kit, generation, one.place, Some((cut, at))).await?;
                runs += 1;
                doubts += played.doubts;
                let told = format!("{}, call {at} {}", one.name, cut.words());
                if let Some(why) = played.wrong {
                    return Ok(Found::Failed(format!("{told}: {why}")));
                }
                if let Some(why) = difference(&one.played.made, &played.made, played.doubts) {
                    return Ok(Found::Failed(format!("{told}: {why}")));
                }
            }
        }
    }
    let asked = if doubts > 0 {
        format!("; {doubts} times a person was asked")
    } else {
        String::new()
    };
    Ok(Found::Passed(format!(
        "{runs} cuts, each document one record{asked}"
    )))
}

/// What the vendor holds that it should not, or the other way round. What a person was asked about may be missing.
fn difference(
    wanted: &BTreeMap<String, u64>,
    made: &BTreeMap<String, u64>,
    doubts: usize,
) -> Option<String> {
    for (name, times) in made {
        let usual = wanted.get(name).copied().unwrap_or(0);
        if *times > usual {
            return Some(format!("{name} was made {times} times, not {usual}"));
        }
    }
    let lacks = |name: &&String| made.get(*name) != wanted.get(*name);
    let missing: Vec<&String> = wanted.keys().filter(lacks).collect();
    (missing.len() > doubts).then(|| format!("{} was told done and is not there", missing[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(list: &[(&str, u64)]) -> BTreeMap<String, u64> {
        list.iter().map(|(n, t)| ((*n).to_owned(), *t)).collect()
    }

    #[test]
    fn doubles_and_losses_are_told_apart() {
        let wanted = made(&[("a", 1), ("b", 1)]);
        assert_eq!(difference(&wanted, &wanted, 0), None);
        let twice = difference(&wanted, &made(&[("a", 2), ("b", 1)]), 9).unwrap();
        assert!(twice.contains("made 2 times"), "{twice}");
        let lost = made(&[("a", 1)]);
        assert!(difference(&wanted, &lost, 0).unwrap().contains("not there"));
        assert_eq!(difference(&wanted, &lost, 1), None, "a person was asked");
    }
}
