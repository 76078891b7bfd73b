//! Owns the order of measuring and what is printed. Must not know how a figure is taken.

use crate::figures::{Tries, mib, plain, size, time};
use crate::fill::{self, Commit, Until, Wanted};
use crate::programs::Programs;
use crate::{Arguments, process, say, starts};
use anyhow::{Context as _, ensure};
use rustix::fs::{Advice, fadvise};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use waybill_sim::play::agent::{Agent, Place};
use waybill_sim::play::house::House;
use waybill_sim::play::provisioning::Pace;

const BINARY_MIB: u64 = 30;
const IDLE_MIB: u64 = 32;
const START: Duration = Duration::from_millis(300);
const START_LARGE: Duration = Duration::from_secs(3);
/// A large database is quick to open again once nothing was committed for a quarter of a second.
const REST: Duration = Duration::from_secs(1);
/// An agent is idle that has had everything it asked for, this long ago: threads of the start have ended by then.
const SETTLING: Duration = Duration::from_secs(12);
/// As shipped.
const PACE: Pace = Pace {
    poll: "60",
    notes: "60",
    states: "",
    gather: "5",
    retry_cap: "300",
    settle_secs: 30,
};

/// Measures everything.
pub(crate) async fn all(arguments: &Arguments) -> anyhow::Result<()> {
    let programs = Programs::find()?;
    let folder = &programs.folder;
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    let connectors = folder.join("connectors");
    waybill_pack::build_all(&connectors)?;
    let place = Place {
        program: programs.agent.clone(),
        connectors,
        data: folder.join("data"),
        listen: "127.0.0.1:0".to_owned(),
        hooks: None,
        roots: None,
    };
    place.prepare()?;
    say("Sizes");
    let binary = std::fs::metadata(&programs.agent)?.len();
    say(&size("release binary, stripped", binary, BINARY_MIB));
    for entry in std::fs::read_dir(&place.connectors)? {
        let entry = entry?;
        let name = format!("connector {}", entry.file_name().display());
        say(&plain(&name, &mib(entry.metadata()?.len())));
    }
    let house = House::start(&programs.sandbox, 1, None).await?;
    idle(arguments, &place, &house).await?;
    small(arguments, &place).await?;
    if arguments.fill_mib > 0 || arguments.orders.is_some() {
        large(arguments, &place).await?;
    }
    if arguments.keep {
        say(&format!("The data is kept in {}", folder.display()));
    } else {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(())
}

/// A new agent, provisioned, after its first pull of everything.
async fn idle(arguments: &Arguments, place: &Place, house: &House) -> anyhow::Result<()> {
    say("\nIdle, both connectors, two connections, after the first pull of everything");
    let (mut agent, first) = starts::timed(place).await?;
    place.provision(house, &PACE).await?;
    pulled(place).await?;
    memory("first start (connectors compiled in it)", &agent, None).await?;
    starts::stop(place, &mut agent).await?;

    let (mut agent, _) = starts::timed(place).await?;
    memory(
        "later start (compiled connectors kept)",
        &agent,
        Some(IDLE_MIB),
    )
    .await?;
    idle_work(arguments, &agent).await?;
    starts::stop(place, &mut agent).await?;
    say("\nStart to ready");
    say(&plain("the very first, on an empty folder", &time(first)));
    Ok(())
}

/// What an agent without anything to do spends.
async fn idle_work(arguments: &Arguments, agent: &Agent) -> anyhow::Result<()> {
    let id = agent.id().context("the agent has ended")?;
    let before = process::ticks(id)?;
    tokio::time::sleep(Duration::from_secs(arguments.idle_secs)).await;
    let used = (process::ticks(id)? - before) * 10;
    let share = used * 10_000 / (arguments.idle_secs * 1_000);
    say(&plain(
        &format!(
            "processor over {} s (polls every {} s)",
            arguments.idle_secs, PACE.poll
        ),
        &format!(
            "{used} ms, {}.{:02} % (target 0.30 %)",
            share / 100,
            share % 100
        ),
    ));
    Ok(())
}

/// Waits until every feed of every connection was read to its end.
async fn pulled(place: &Place) -> anyhow::Result<()> {
    for _ in 0..600 {
        let status = place.ask(&["status"]).await?;
        let connections = status["frame"]["connections"].as_array();
        let done = |connection: &Value| {
            let feeds = connection["feeds"]
                .as_array()
                .map_or(&[][..], Vec::as_slice);
            !feeds.is_empty() && feeds.iter().all(|feed| feed["caught_up_at"].is_number())
        };
        if connections.is_some_and(|all| all.len() == 2 && all.iter().all(done)) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    anyhow::bail!("the first pull does not end; see `waybill status`")
}

async fn memory(name: &str, agent: &Agent, target: Option<u64>) -> anyhow::Result<()> {
    tokio::time::sleep(SETTLING).await;
    let memory = process::memory(agent.id().context("the agent has ended")?)?;
    say(&match target {
        Some(target) => size(name, memory.resident, target),
        None => plain(name, &mib(memory.resident)),
    });
    say(&plain(
        "",
        &format!(
            "private {}, of that no file {}; peak {}",
            mib(memory.private),
            mib(memory.anonymous),
            mib(memory.peak)
        ),
    ));
    Ok(())
}

/// Starts on a small database.
async fn small(arguments: &Arguments, place: &Place) -> anyhow::Result<()> {
    let compiled = place.data.join("compiled");
    let mut times = Vec::new();
    for _ in 0..arguments.runs {
        std::fs::remove_dir_all(&compiled)?;
        let (mut agent, took) = starts::timed(place).await?;
        times.push(took);
        starts::stop(place, &mut agent).await?;
    }
    say(&Tries::new(times).line("connectors must be compiled", None));
    let times = after_stop(arguments, place).await?;
    say(&times.line("compiled connectors kept", Some(START)));
    let times = after_kill(arguments.runs, place, Kill::Busy).await?;
    say(&times.line("the same, after kill -9", Some(START)));
    Ok(())
}

/// Starts on a database of a gigabyte.
async fn large(arguments: &Arguments, place: &Place) -> anyhow::Result<()> {
    let until = match arguments.orders {
        Some(orders) => Until::Orders(orders),
        None => Until::Mib(arguments.fill_mib),
    };
    say(&match until {
        Until::Mib(mib) => format!("\nDatabase of {mib} MiB on disk"),
        Until::Orders(orders) => format!(
            "\nDatabase of {orders} finished orders of three years: bodies of 400 days, transcripts of 90"
        ),
    });
    let wanted = Wanted {
        data: place.data.clone(),
        until,
    };
    let filled = tokio::task::spawn_blocking(move || fill::fill(&wanted)).await??;
    say(&plain("orders stored", &filled.orders.to_string()));
    say(&plain(
        "bytes of disk per order",
        &filled.bytes_per_order().to_string(),
    ));
    say(&plain(
        "bytes written per order, in large commits",
        &filled.written_per_order().to_string(),
    ));
    if arguments.orders.is_some() {
        let (documents, transcripts) = filled.pruned;
        say(&plain(
            "removed by retention",
            &format!("{documents} documents, {transcripts} transcripts"),
        ));
    }
    say(&plain(
        "file",
        &format!(
            "{} long, {} of it on disk",
            mib(filled.length),
            mib(filled.disk)
        ),
    ));
    say(&plain(
        "time to fill",
        &format!(
            "{} ({} orders/s)",
            time(filled.took),
            filled.orders_per_second()
        ),
    ));
    let commit = |commit: Commit| format!("{} kB in {}", commit.bytes / 1000, time(commit.took));
    say(&plain("one small commit", &commit(filled.commit)));
    let plain_commit = commit(filled.plain_commit);
    say(&plain("one that makes no opening quick", &plain_commit));
    let times = after_stop(arguments, place).await?;
    say(&times.line("start after a stop", Some(START)));
    let times = after_kill(arguments.runs, place, Kill::Resting).await?;
    say(&times.line("start after kill -9", Some(START_LARGE)));
    let times = after_kill(arguments.runs, place, Kill::Busy).await?;
    say(&times.line("the same, right behind a commit", Some(START_LARGE)));
    let times = after_kill(arguments.runs, place, Kill::RestingAndCold).await?;
    say(&times.line("at rest, file not in the kernel's memory", None));
    // A walk through the file: minutes, with a million orders.
    let times = after_kill(1, place, Kill::Burst).await?;
    say(&times.line("once, in a long burst", None));
    let (mut agent, _) = starts::timed(place).await?;
    memory("idle on it", &agent, Some(IDLE_MIB)).await?;
    idle_work(arguments, &agent).await?;
    starts::stop(place, &mut agent).await
}

async fn after_stop(arguments: &Arguments, place: &Place) -> anyhow::Result<Tries> {
    let mut times = Vec::new();
    for _ in 0..arguments.runs {
        let (mut agent, took) = starts::timed(place).await?;
        times.push(took);
        starts::stop(place, &mut agent).await?;
    }
    Ok(Tries::new(times))
}

/// When an agent is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kill {
    /// Right behind a commit.
    Busy,
    /// Right behind more commits than may say which pages are free: the file is walked through.
    Burst,
    /// Some time after it.
    Resting,
    /// The same, and nothing of the file is in the kernel's memory.
    RestingAndCold,
}

/// Every start follows a kill of an agent that had committed something. Ends with a stopped agent.
async fn after_kill(runs: u32, place: &Place, kill: Kill) -> anyhow::Result<Tries> {
    let mut times = Vec::new();
    let (mut agent, _) = starts::timed(place).await?;
    for _ in 0..runs {
        // Commits that nothing follows.
        let words = ["pause", "resume"];
        let count = if kill == Kill::Burst { 60 } else { 2 };
        for word in words.into_iter().cycle().take(count) {
            place.ask(&[word, "erp"]).await?;
        }
        if matches!(kill, Kill::Resting | Kill::RestingAndCold) {
            tokio::time::sleep(REST).await;
        }
        agent.kill().await?;
        if kill == Kill::RestingAndCold {
            forget(&place.data.join("waybill.redb"))?;
        }
        let (next, took) = starts::timed(place).await?;
        agent = next;
        times.push(took);
    }
    starts::stop(place, &mut agent).await?;
    Ok(Tries::new(times))
}

/// Asks the kernel to drop a file from its memory, as after a power cut.
fn forget(file: &Path) -> anyhow::Result<()> {
    let file = std::fs::File::open(file)?;
    file.sync_all()?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    ensure!(file.metadata()?.len() > 0, "the database is empty");
    Ok(())
}
