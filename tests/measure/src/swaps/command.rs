//! The run: the released agent between both sandboxes, faults on, orders coming in and leaving at an even pace; two people
//! who swap connectors meanwhile; the end, when all is quiet, and the comparison with both truths. Fails when a bar is
//! missed.

use super::director::{Director, Plan};
use super::memory::{self, Memory};
use super::report::Seen;
use super::town::Town;
use crate::figures::{aimed, plain, time};
use crate::programs::Programs;
use crate::{say, starts};
use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use waybill_builds::{BOTH, Workshop};
use waybill_sim::play::agent::Place;
use waybill_sim::play::house::House;
use waybill_sim::play::provisioning::{Pace, Scene};
use waybill_sim::play::verdict::Verdict;
use waybill_sim::ports::free_address;

/// Connectors swapped under load.
#[derive(Debug, Args)]
pub(crate) struct Swaps {
    /// Good swaps, of both connectors together
    #[arg(long = "swaps", default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    good: u32,
    /// Bad builds of each kind, of both connectors together
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    bad: u32,
    /// Orders a second
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// Seconds that orders come in for at least
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(10..=86_400))]
    secs: u64,
    /// Measure the programs beside this one, optimised or not
    #[arg(long)]
    pub(crate) as_built: bool,
    /// Leave the data folder behind
    #[arg(long)]
    keep: bool,
}

/// What the sandboxes allow, and the agent is told so.
const CALLS: u32 = 1_000_000;
/// Failures of every kind on both sides, each that likely: as in the demonstration with faults, but a throttle ends
/// after a second.
const FAULTS: f64 = 0.02;
/// Orders come in for so long before the first swap.
const WARM_UP: Duration = Duration::from_secs(10);
const PACE: Pace = Pace {
    poll: "0.5",
    notes: "1",
    states: "",
    gather: "5",
    retry_cap: "5",
    settle_secs: 3,
};

/// Swaps, and looks what came of it.
pub(crate) async fn measure(wanted: &Swaps) -> anyhow::Result<()> {
    let programs = Programs::find()?;
    let folder = programs.folder.join("swaps");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let place = Place {
        program: programs.agent.clone(),
        connectors: folder.join("connectors"),
        data: folder.join("data"),
        listen: "127.0.0.1:0".to_owned(),
        hooks: Some(free_address()),
        roots: None,
    };
    waybill_pack::build_all(&place.connectors)?;
    place.prepare()?;
    let workshop = Workshop::new(&place, &folder.join("workshop"))?;
    let town = Town::new(house(&programs.sandbox).await?);
    let mut agent = place.start(&[])?;
    place.wait_until_up(&mut agent).await?;
    let hooks = place.hooks_url();
    let scene = Scene {
        hooks: hooks.as_deref(),
        every_method: true,
        erp_calls: Some(CALLS),
        network_calls: Some(CALLS),
        ..Scene::of(&PACE)
    };
    place.provision_as(&town.house, &scene).await?;
    town.house.spoil_briefly(FAULTS).await?;
    let id = agent.id().context("the agent has ended")?;
    let run = run(wanted, &place, &workshop, (&town, id)).await?;
    starts::stop(&place, &mut agent).await?;
    let missed = run.tell(wanted);
    if wanted.keep || missed > 0 {
        say(&format!("The data is kept in {}", folder.display()));
    } else {
        std::fs::remove_dir_all(folder)?;
    }
    ensure!(missed == 0, "{missed} bars were missed");
    Ok(())
}

/// Both sandboxes, strict, quick and generous.
async fn house(sandbox: &Path) -> anyhow::Result<House> {
    let house = House::start(sandbox, 1, None).await?;
    house.hurry().await?;
    house.strict().await?;
    let cap = json!({"requestsPerMinute": CALLS});
    house.erp.control("POST", "settings", &cap).await?;
    Ok(house)
}

/// What came of a run.
struct Run {
    seen: Seen,
    memory: Memory,
    sold: u64,
    /// Told their sale's number while it ran.
    told: u64,
    took: Duration,
    settled: Duration,
    verdict: Verdict,
}

async fn run(
    wanted: &Swaps,
    place: &Place,
    workshop: &Workshop,
    (town, agent): (&Town, u32),
) -> anyhow::Result<Run> {
    say(&format!(
        "{} orders a second, faults on; {} good swaps and {} bad builds of each kind.",
        wanted.rate, wanted.good, wanted.bad
    ));
    let began = starts::now();
    let direct = async {
        tokio::time::sleep(WARM_UP).await;
        let seen = swap_all(wanted, place, workshop).await;
        tokio::time::sleep_until((began + Duration::from_secs(wanted.secs)).into()).await;
        let counts = town.counts().await;
        town.close();
        Ok((seen?, counts?, began.elapsed()))
    };
    let ((seen, (sold, told, _), took), (), (), (), memory) = tokio::try_join!(
        direct,
        town.sell(wanted.rate),
        town.ship(),
        town.watch(),
        memory::watch(agent, town)
    )?;
    for (name, calls) in town.calls().await? {
        say(&plain(&name, &calls.to_string()));
    }
    say(&format!(
        "{sold} orders in {}; waiting until all is quiet.",
        time(took)
    ));
    let settled = town.settle().await?;
    let verdict = town.verdict(place).await?;
    Ok(Run {
        seen,
        memory,
        sold,
        told,
        took,
        settled,
        verdict,
    })
}

/// One person for each connector, at the same time.
async fn swap_all(wanted: &Swaps, place: &Place, workshop: &Workshop) -> anyhow::Result<Seen> {
    let [erp, network] = BOTH;
    let mut first = Director::new(erp, workshop, place).await?;
    let mut second = Director::new(network, workshop, place).await?;
    let half = |all: u32, rest: u32| all / 2 + (all % 2) * rest;
    let plan = |rest| Plan {
        good: half(wanted.good, rest),
        bad: half(wanted.bad, rest),
    };
    tokio::try_join!(first.direct(plan(1)), second.direct(plan(0)))?;
    Ok(first.seen.join(second.seen))
}

impl Run {
    /// Prints the table; how many bars were missed.
    fn tell(&self, wanted: &Swaps) -> usize {
        let mut lines = self.seen.lines(wanted.good, wanted.bad);
        let millis = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        let tenths = self.sold * 10_000 / millis.max(1);
        let rate = u64::from(wanted.rate);
        let enough = tenths.div_ceil(10) >= rate;
        lines.push((
            aimed(
                "orders a second, while connectors were swapped",
                &format!("{}.{} ({} orders)", tenths / 10, tenths % 10, self.sold),
                &rate.to_string(),
                enough,
            ),
            enough,
        ));
        lines.push(self.memory.line());
        let report = &self.verdict.report;
        for (name, count) in [
            ("orders lost", report.lost.len()),
            ("orders doubled", report.doubled.len()),
            ("differences from both truths", self.verdict.differences()),
        ] {
            let met = count == 0;
            lines.push((aimed(name, &count.to_string(), "0", met), met));
        }
        if self.verdict.differences() > 0 {
            say(&self.verdict.table());
        }
        say("\nWhat the agent said of the last bad build of each kind:");
        for line in self.seen.words() {
            say(&line);
        }
        say("");
        say(&plain("swapping took", &time(self.took)));
        say(&plain(
            "orders not told yet when it ended",
            &self.sold.saturating_sub(self.told).to_string(),
        ));
        say(&plain("all quiet after", &time(self.settled)));
        for (line, _) in &lines {
            say(line);
        }
        lines.iter().filter(|(_, met)| !met).count()
    }
}
