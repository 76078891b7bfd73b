//! One person who keeps putting builds of one connector into the folder, good ones and bad ones in turn, and looks what
//! the agent says of each. Must not know how builds are made, nor what orders do meanwhile.

use super::report::Seen;
use crate::starts;
use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use waybill_builds::{Kind, NEW_HOST, Ready, Which, Workshop, put};
use waybill_http::LocalClient;
use waybill_sim::play::agent::Place;

const LOOK: Duration = Duration::from_millis(150);
/// Longest wait for what becomes of a build.
const PATIENCE: Duration = Duration::from_mins(3);

/// So many builds that came out otherwise end the run.
const SURPRISES: usize = 10;

/// How many of each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) good: u32,
    /// Of each bad kind.
    pub(super) bad: u32,
}

/// The person.
pub(super) struct Director<'t> {
    which: Which,
    workshop: &'t Workshop,
    client: LocalClient,
    file: PathBuf,
    puts: usize,
    /// Hashes of builds that must never be taken back.
    good: BTreeSet<String>,
    at_work: String,
    pub(super) seen: Seen,
}

/// Kinds in turn: the bad ones spread evenly among the good ones.
fn order(plan: Plan, kinds: &[Kind]) -> Vec<Kind> {
    let bad: Vec<Kind> = (0..plan.bad).flat_map(|_| kinds.iter().copied()).collect();
    let (mut all, mut placed) = (Vec::new(), 0);
    for good in 1..=plan.good as usize {
        all.push(Kind::Good);
        while placed * (plan.good as usize) < good * bad.len() && placed < bad.len() {
            all.push(bad[placed]);
            placed += 1;
        }
    }
    all
}

impl<'t> Director<'t> {
    pub(super) async fn new(
        which: Which,
        workshop: &'t Workshop,
        place: &Place,
    ) -> anyhow::Result<Self> {
        let client = LocalClient::connect(&place.socket()).await?;
        let name = which.package.trim_start_matches("waybill-");
        let mut director = Self {
            which,
            workshop,
            client,
            file: place.installed().join(name).with_extension("wasm"),
            puts: 0,
            good: BTreeSet::new(),
            at_work: String::new(),
            seen: Seen::default(),
        };
        director.at_work = text(&director.look().await?["running"]["hash"]);
        Ok(director)
    }

    /// Goes through the plan.
    pub(super) async fn direct(&mut self, plan: Plan) -> anyhow::Result<()> {
        let kinds = Kind::BAD.into_iter();
        let kinds: Vec<Kind> = kinds
            .filter(|kind| *kind != Kind::Host || self.which.names_host)
            .collect();
        for kind in order(plan, &kinds) {
            let id = self.which.id;
            let what = || format!("{id}: a build that is `{}`", kind.words());
            if kind == Kind::Host {
                // Only one connector has a text to change, so it does the other's part too.
                let done = self.one(kind).await.with_context(what);
                self.note(done)?;
            }
            let done = self.one(kind).await.with_context(what);
            self.note(done)?;
        }
        Ok(())
    }

    /// What came out otherwise is kept, and the run goes on.
    fn note(&mut self, done: anyhow::Result<()>) -> anyhow::Result<()> {
        if let Err(why) = done {
            crate::say(&format!("{why:#}"));
            self.seen.failed.push(format!("{why:#}"));
        }
        ensure!(
            self.seen.failed.len() < SURPRISES,
            "too much came out otherwise"
        );
        Ok(())
    }

    async fn one(&mut self, kind: Kind) -> anyhow::Result<()> {
        if matches!(kind, Kind::Trap | Kind::Loop | Kind::Twice) {
            // A build that is on trial itself is nothing to go back to.
            self.until("the trial before passes", |c| c["trial"].is_null())
                .await?;
        }
        let build = self.workshop.make(self.which, kind)?;
        put(&self.file, &build.bytes, self.puts).await?;
        self.puts += 1;
        match kind {
            Kind::Good => self.accepted(build).await,
            Kind::Trap | Kind::Loop | Kind::Twice => self.undone(kind, &build).await,
            Kind::Host => self.waits(&build).await,
            Kind::Version | Kind::Signature | Kind::Half | Kind::Probe => {
                self.refused(kind, &build).await
            }
        }
    }

    /// The connector as the agent shows it.
    async fn look(&mut self) -> anyhow::Result<Value> {
        let view = self.client.get_json("/api/v1/connectors").await?;
        let connectors = view["connectors"].as_array().into_iter().flatten();
        let mut own = connectors.filter(|c| c["id"] == self.which.id);
        let connector = own.next().cloned();
        let connector = connector.with_context(|| format!("no connector `{}`", self.which.id))?;
        let taken_back = connector["bad"].as_array().into_iter().flatten();
        for bad in taken_back {
            if self.good.remove(&text(&bad["hash"])) {
                let why = format!("a good build was taken back: {}", text(&bad["reason"]));
                crate::say(&why);
                self.seen.failed.push(why);
            }
        }
        Ok(connector)
    }

    async fn until(
        &mut self,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let began = starts::now();
        loop {
            let connector = self.look().await?;
            if wanted(&connector) {
                return Ok(connector);
            }
            hurry(began, what, &connector)?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A vendor's failure while a build is tested is no refusal of the build: it is asked to be tested again, as the
    /// page offers, instead of waiting a minute. True: it was.
    async fn tried_again(&mut self, connector: &Value, hash: &str) -> anyhow::Result<bool> {
        let refused = &connector["refused"];
        if refused["hash"] != hash || refused["again_at"].is_null() {
            return Ok(false);
        }
        // Who was asked to wait is tested again as soon as the wait is over.
        if must_wait(refused) {
            return Ok(true);
        }
        self.seen.tested_again += 1;
        let body = json!({"file": refused["file"]});
        let asked = self.client.post_json("/api/v1/connectors-retry", &body);
        if let Err(error) = asked.await {
            // It was tested again by itself meanwhile.
            let now = self.look().await?;
            ensure!(now["refused"]["hash"] != hash, "{error}");
        }
        Ok(true)
    }

    /// Waits until a build is at work.
    async fn at_work(&mut self, build: &Ready) -> anyhow::Result<Value> {
        let began = starts::now();
        loop {
            let connector = self.look().await?;
            if connector["running"]["hash"] == build.hash.as_str() {
                return Ok(connector);
            }
            let refused = &connector["refused"];
            if refused["hash"] == build.hash.as_str() {
                ensure!(
                    self.tried_again(&connector, &build.hash).await?,
                    "it was refused: {}",
                    text(&refused["reason"])
                );
            }
            hurry(began, "the build at work", &connector)?;
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn accepted(&mut self, build: Ready) -> anyhow::Result<()> {
        self.good.insert(build.hash.clone());
        let connector = self.at_work(&build).await?;
        // Shown once every connection is bound to it.
        let connector = if connector["swap_ms"].is_null() {
            let bound = |c: &Value| !c["swap_ms"].is_null();
            self.until("the end of the hand-over", bound).await?
        } else {
            connector
        };
        self.seen.swapped(millis(&connector["swap_ms"])?);
        self.at_work = build.hash;
        Ok(())
    }

    /// On trial, and taken back by itself.
    async fn undone(&mut self, kind: Kind, build: &Ready) -> anyhow::Result<()> {
        let began = starts::now();
        loop {
            let connector = self.look().await?;
            let mut bad = connector["bad"].as_array().into_iter().flatten();
            let found = bad.find(|bad| bad["hash"] == build.hash.as_str());
            if let Some(found) = found
                && !found["undone_ms"].is_null()
            {
                ensure!(found["by_itself"] == true, "not taken back by itself");
                ensure!(
                    connector["running"]["hash"] == self.at_work.as_str(),
                    "another build than the one before is at work"
                );
                let reason = text(&found["reason"]);
                self.seen
                    .undone(kind, millis(&found["undone_ms"])?, &reason);
                return Ok(());
            }
            let is_running = connector["running"]["hash"] == build.hash.as_str();
            if found.is_none() && is_running && connector["trial"].is_null() {
                bail!("its trial passed");
            }
            self.tried_again(&connector, &build.hash).await?;
            hurry(began, "the build taken back", &connector)?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Never at work, with a reason and a way on.
    async fn refused(&mut self, kind: Kind, build: &Ready) -> anyhow::Result<()> {
        let is_refused = |c: &Value| {
            let refused = &c["refused"];
            refused["hash"] == build.hash.as_str() && !must_wait(refused)
        };
        let connector = self.until("the refusal", is_refused).await?;
        self.same_at_work(&connector)?;
        let refused = &connector["refused"];
        let (reason, hint) = (text(&refused["reason"]), text(&refused["hint"]));
        let words: &[&str] = match kind {
            Kind::Version => &["0.9", "version"],
            Kind::Signature => &["sign"],
            Kind::Half => &["in the middle of a section"],
            _ => &["test of"],
        };
        ensure!(
            words.iter().any(|word| reason.contains(word)),
            "the reason names something else: {reason}"
        );
        ensure!(!hint.is_empty(), "no way on is told: {reason}");
        self.seen.refused(kind, &reason, &hint);
        Ok(())
    }

    async fn waits(&mut self, build: &Ready) -> anyhow::Result<()> {
        let waits = |c: &Value| c["waiting"]["hash"] == build.hash.as_str();
        let connector = self.until("the build waiting", waits).await?;
        self.same_at_work(&connector)?;
        let asks = connector["waiting"]["asks"].to_string();
        ensure!(
            asks.contains(NEW_HOST),
            "it does not say which host: {asks}"
        );
        self.seen
            .refused(Kind::Host, &asks, &text(&connector["sentence"]));
        Ok(())
    }

    fn same_at_work(&self, connector: &Value) -> anyhow::Result<()> {
        ensure!(
            connector["running"]["hash"] == self.at_work.as_str(),
            "the build at work was left"
        );
        Ok(())
    }
}

/// The vendor asked to wait before the build can be tested.
fn must_wait(refused: &Value) -> bool {
    text(&refused["reason"]).contains("asked us to wait")
}

fn hurry(began: Instant, what: &str, connector: &Value) -> anyhow::Result<()> {
    ensure!(
        began.elapsed() < PATIENCE,
        "never came: {what}; the agent says: {connector:#}"
    );
    Ok(())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn millis(value: &Value) -> anyhow::Result<Duration> {
    let ms = value.as_u64().context("no time was told")?;
    Ok(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_kind_comes_as_often_as_planned_and_after_a_good_one() {
        for (good, bad) in [(100, 5), (3, 2), (1, 1)] {
            let all = order(Plan { good, bad }, &Kind::BAD);
            assert_eq!(all[0], Kind::Good);
            let count = |kind| all.iter().filter(|k| **k == kind).count();
            assert_eq!(count(Kind::Good), good as usize);
            for kind in Kind::BAD {
                assert_eq!(count(kind), bad as usize, "{good} {bad} {kind:?}");
            }
        }
    }
}
