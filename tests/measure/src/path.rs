//! `cargo measure -- path`: orders on their whole way through the released agent: read, stored, acknowledged, matched,
//! created as sales, their numbers told; then their shipments, back to the verdict. The sandboxes throttle nothing, so
//! what is measured is the agent. Prints processor time per order and orders a second, each beside its target.

use crate::figures::{aimed, mib, plain};
use crate::programs::Programs;
use crate::{process, say, starts};
use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use waybill_sim::play::agent::{Agent, Place};
use waybill_sim::play::house::House;
use waybill_sim::play::provisioning::{Pace, Scene};

/// Orders on their whole way.
#[derive(Debug, Args)]
pub(crate) struct Whole {
    /// Orders of one round
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(10..))]
    orders: u32,
    /// Rounds; the first warms everything up
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..))]
    rounds: u32,
    /// Leave the data folder behind
    #[arg(long)]
    keep: bool,
}

/// Processor time of the agent per order, in microseconds.
const PROCESSOR_MICROS: u64 = 2_000;
/// Orders a second.
const PER_SECOND: u64 = 300;
/// What the sandboxes allow, and the agent is told so.
const CALLS: u32 = 1_000_000;
/// Longest wait for one round.
const PATIENCE: Duration = Duration::from_mins(10);
const LOOK: Duration = Duration::from_millis(100);
/// What belongs to a round ends soon after its last order.
const SETTLING: Duration = Duration::from_secs(3);
/// As often as sandboxes that throttle nothing are worth asking.
const PACE: Pace = Pace {
    poll: "0.5",
    notes: "1",
    states: "",
    gather: "1",
    retry_cap: "5",
    settle_secs: 3,
};

/// Processor time so far, in microseconds.
fn spent(agent: &Agent) -> anyhow::Result<u64> {
    let id = agent.id().context("the agent has ended")?;
    Ok(process::ticks(id)? * 10_000)
}

/// Processor time and time of one stage.
struct Took {
    orders: u64,
    micros: u64,
    millis: u64,
}

impl Took {
    fn each(&self) -> u64 {
        self.micros / self.orders.max(1)
    }

    fn per_second(&self) -> u64 {
        self.orders * 1_000 / self.millis.max(1)
    }

    fn say(&self, name: &str) {
        let each = self.each();
        say(&plain(
            name,
            &format!(
                "{}.{:02} ms of processor an order, {} a second",
                each / 1_000,
                each % 1_000 / 10,
                self.per_second()
            ),
        ));
    }
}

/// Measures everything.
pub(crate) async fn measure(wanted: &Whole) -> anyhow::Result<()> {
    let programs = Programs::find()?;
    let folder = programs.folder.join("path");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let connectors = folder.join("connectors");
    waybill_pack::build_all(&connectors)?;
    let house = House::start(&programs.sandbox, 1, None).await?;
    house.hurry().await?;
    let cap = json!({"requestsPerMinute": CALLS});
    house.erp.control("POST", "settings", &cap).await?;
    let place = Place {
        program: programs.agent.clone(),
        connectors,
        data: folder.join("data"),
        listen: "127.0.0.1:0".to_owned(),
        hooks: None,
        roots: None,
    };
    place.prepare()?;
    let mut agent = place.start(&[])?;
    place.wait_until_up(&mut agent).await?;
    let scene = Scene {
        every_method: true,
        erp_calls: Some(CALLS),
        network_calls: Some(CALLS),
        ..Scene::of(&PACE)
    };
    place.provision_as(&house, &scene).await?;
    let mut run = Run {
        house,
        agent,
        orders: 0,
        last_sale: 0,
    };
    let (mut import, mut ship) = (Vec::new(), Vec::new());
    for round in 0..wanted.rounds {
        let (orders, shipments) = run.round(wanted.orders).await?;
        orders.say(&format!("round {round}: orders"));
        shipments.say(&format!("round {round}: shipments"));
        if round > 0 {
            import.push(orders);
            ship.push(shipments);
        }
    }
    let (imported, shipped) = (median(&import)?, median(&ship)?);
    say("\nMedians, without the first round");
    let both = imported.each() + shipped.each();
    let shown = |micros: u64| format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10);
    say(&aimed(
        "processor an order, to its sale's number told",
        &shown(imported.each()),
        "2 ms",
        imported.each() <= PROCESSOR_MICROS,
    ));
    say(&aimed(
        "orders a second",
        &imported.per_second().to_string(),
        "300",
        imported.per_second() >= PER_SECOND,
    ));
    shipped.say("shipments");
    say(&plain("order and shipment together", &shown(both)));
    database(&place)?;
    starts::stop(&place, &mut run.agent).await?;
    if wanted.keep {
        say(&format!("The data is kept in {}", folder.display()));
    } else {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(())
}

fn median(all: &[Took]) -> anyhow::Result<&Took> {
    let mut sorted: Vec<&Took> = all.iter().collect();
    sorted.sort_by_key(|took| took.each());
    sorted.get(sorted.len() / 2).copied().context("no round")
}

/// Size of the database on disk.
fn database(place: &Place) -> anyhow::Result<()> {
    let file: &Path = &place.data.join("waybill.redb");
    let bytes = std::fs::metadata(file)?.len();
    say(&plain("database", &mib(bytes)));
    Ok(())
}

struct Run {
    house: House,
    agent: Agent,
    orders: u64,
    last_sale: i64,
}

impl Run {
    /// So many orders, then their shipments.
    async fn round(&mut self, orders: u32) -> anyhow::Result<(Took, Took)> {
        let wish = json!({"count": orders, "mix": {}});
        let network = &self.house.network;
        network.control("POST", "generate", &wish).await?;
        self.orders += u64::from(orders);
        let wanted = self.orders;
        let import = self
            .took(orders, |counts| counts["told"].as_u64() >= Some(wanted))
            .await?;
        self.pack().await?;
        let ship = self
            .took(orders, |counts| {
                counts["completed"].as_u64() >= Some(wanted)
            })
            .await?;
        Ok((import, ship))
    }

    /// Every sale that has not left leaves.
    async fn pack(&mut self) -> anyhow::Result<()> {
        let path = format!("sales?after={}", self.last_sale);
        let news = self.house.erp.control("GET", &path, &Value::Null).await?;
        for sale in news["orders"].as_array().into_iter().flatten() {
            let id = sale["id"].as_i64().context("a sale without id")?;
            self.last_sale = self.last_sale.max(id);
            let note = json!({"stage": "shipped", "reference": format!("1Z{id:016}")});
            let path = format!("order/{id}/note");
            self.house.erp.control("POST", &path, &note).await?;
        }
        Ok(())
    }

    /// From now until the network says so.
    async fn took(&self, orders: u32, done: impl Fn(&Value) -> bool) -> anyhow::Result<Took> {
        let (before, start) = (spent(&self.agent)?, starts::now());
        let network = &self.house.network;
        while !done(&network.control("GET", "counts", &Value::Null).await?) {
            ensure!(start.elapsed() < PATIENCE, "the orders do not go on");
            tokio::time::sleep(LOOK).await;
        }
        let millis = u64::try_from(start.elapsed().as_millis())?;
        tokio::time::sleep(SETTLING).await;
        Ok(Took {
            orders: u64::from(orders),
            micros: spent(&self.agent)? - before,
            millis,
        })
    }
}
