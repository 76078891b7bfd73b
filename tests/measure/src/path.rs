//! `cargo measure -- path`: orders on their whole way through the released agent: read, stored, acknowledged, matched,
//! created as sales, their numbers told; then their shipments, back to the verdict. The sandboxes throttle nothing, so
//! what is measured is the agent. Prints processor time per order and orders a second, each beside its target.

use crate::figures::{Tries, aimed, mib, plain, time};
use crate::fill::{self, Until, Wanted};
use crate::programs::Programs;
use crate::{process, say, starts};
use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use waybill_http::LocalClient;
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
    /// Twice: on a database of 1,000 finished orders, and of so many; what an order costs more there, and how long lists take
    #[arg(long, value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
    stored: Option<u64>,
    /// Leave the data folder behind
    #[arg(long)]
    keep: bool,
}

/// Finished orders that a cost with many of them is compared with.
const FEW: u64 = 1_000;
/// How much more an order may cost among many, in tenths.
const MORE_TENTHS: u64 = 13;

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
/// How often each list is asked for.
const LOOKS: u32 = 5;
/// Lists, and what is asked for. The number is of the oldest order that is stored.
const LISTS: [(&str, &str); 10] = [
    ("today", "/api/v1/today"),
    ("orders", "/api/v1/orders?limit=100"),
    ("orders, one by its PO number", "/api/v1/orders?q=PO-100000"),
    ("orders, a name", "/api/v1/orders?q=kowalski"),
    ("orders, none found", "/api/v1/orders?q=nobody-has-this"),
    (
        "orders of a stage",
        "/api/v1/orders?state=invoiced&limit=100",
    ),
    ("shipments", "/api/v1/shipments?limit=100"),
    ("invoices", "/api/v1/invoices?limit=100"),
    ("cards", "/api/v1/cards"),
    ("history", "/api/v1/history"),
];
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
    let Some(many) = wanted.stored else {
        let mut alone = Trial::start(&programs, "alone", None).await?;
        for number in 0..wanted.rounds {
            alone.round(number, wanted.orders).await?;
        }
        return alone.end(wanted.keep).await.map(drop);
    };
    // Both are filled before, and their rounds alternate: what else the machine does falls on both.
    let mut among = Trial::start(&programs, "many", Some(many)).await?;
    let mut few = Trial::start(&programs, "few", Some(FEW)).await?;
    for number in 0..wanted.rounds {
        for trial in [&mut few, &mut among] {
            trial.round(number, wanted.orders).await?;
        }
    }
    let (few, among) = (few.end(wanted.keep).await?, among.end(wanted.keep).await?);
    let hundredths = among.each() * 100 / few.each().max(1);
    say(&aimed(
        &format!("processor an order, {many} stored against {FEW}"),
        &format!("{}.{:02} times", hundredths / 100, hundredths % 100),
        "1.3 times",
        hundredths <= MORE_TENTHS * 10,
    ));
    Ok(())
}

/// A fresh agent between fresh sandboxes, and what its rounds took.
struct Trial {
    name: &'static str,
    stored: Option<u64>,
    folder: PathBuf,
    place: Place,
    run: Run,
    import: Vec<Took>,
    ship: Vec<Took>,
}

impl Trial {
    /// With so many finished orders in its database.
    async fn start(
        programs: &Programs,
        name: &'static str,
        stored: Option<u64>,
    ) -> anyhow::Result<Self> {
        let folder = programs.folder.join("path").join(name);
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
        if let Some(orders) = stored {
            say(&format!("\n{orders} finished orders"));
            starts::stop(&place, &mut agent).await?;
            fill(&place, orders).await?;
            agent = place.start(&[])?;
            place.wait_until_up(&mut agent).await?;
        }
        let run = Run {
            house,
            agent,
            orders: 0,
            last_sale: 0,
        };
        Ok(Self {
            name,
            stored,
            folder,
            place,
            run,
            import: Vec::new(),
            ship: Vec::new(),
        })
    }

    /// One round; the first counts for nothing.
    async fn round(&mut self, number: u32, orders: u32) -> anyhow::Result<()> {
        let (orders, shipments) = self.run.round(orders).await?;
        orders.say(&format!("{}, round {number}: orders", self.name));
        shipments.say(&format!("{}, round {number}: shipments", self.name));
        if number > 0 {
            self.import.push(orders);
            self.ship.push(shipments);
        }
        Ok(())
    }

    /// Prints medians; that of what the orders took.
    async fn end(mut self, keep: bool) -> anyhow::Result<Took> {
        let (imported, shipped) = (median(self.import)?, median(self.ship)?);
        say(&format!("\nMedians without the first round, {}", self.name));
        shown(&imported, &shipped);
        database(&self.place)?;
        if self.stored.is_some() {
            lists(&self.place).await?;
        }
        starts::stop(&self.place, &mut self.run.agent).await?;
        if keep {
            say(&format!("The data is kept in {}", self.folder.display()));
        } else {
            std::fs::remove_dir_all(self.folder)?;
        }
        Ok(imported)
    }
}

fn shown(imported: &Took, shipped: &Took) {
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
}

/// Finished orders of three years, put into the database of a stopped agent.
async fn fill(place: &Place, orders: u64) -> anyhow::Result<()> {
    let wanted = Wanted {
        data: place.data.clone(),
        until: Until::Orders(orders),
    };
    let filled = tokio::task::spawn_blocking(move || fill::fill(&wanted)).await??;
    say(&plain("time to fill", &time(filled.took)));
    say(&plain("file on disk", &mib(filled.disk)));
    Ok(())
}

/// How long the lists of the page take: what they read is read through the API here.
async fn lists(place: &Place) -> anyhow::Result<()> {
    let client = LocalClient::connect(&place.socket()).await?;
    say("\nLists");
    for (name, address) in LISTS {
        let mut times = Vec::new();
        for _ in 0..LOOKS {
            let start = starts::now();
            client.get_json(address).await?;
            times.push(start.elapsed());
        }
        say(&Tries::new(times).line(name, None));
    }
    Ok(())
}

fn median(mut all: Vec<Took>) -> anyhow::Result<Took> {
    all.sort_by_key(Took::each);
    let middle = all.len() / 2;
    all.into_iter().nth(middle).context("no round")
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
