//! `cargo measure -- stock`: the network is told the stock of very many items, then of those that changed, then of all
//! again while orders come in. Counts the calls for stock at both sandboxes, the agent's processor time (no TLS is spoken),
//! the most memory it ever had and how long an order waits for its sale. Catalogues are read before anything is counted.
//! Fails when a bar is missed; time and memory only count where the agent is a released one.

use crate::figures::{aimed, mib, plain};
use crate::programs::Programs;
use crate::{process, say, starts};
use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use waybill_http::LocalClient;
use waybill_sim::catalogue::{SeedProduct, WAREHOUSES, products};
use waybill_sim::play::agent::{Agent, Place};
use waybill_sim::play::house::{House, SandboxProcess};
use waybill_sim::play::provisioning::{Pace, Scene};
use waybill_sim::ports::free_address;

/// Stock of very many items.
#[derive(Debug, Args)]
pub(crate) struct Stock {
    /// Items of the first round, at least all that the network's orders name; 0 leaves it out
    #[arg(long, default_value_t = 50_000, value_parser = items)]
    items: u32,
    /// Of these, items that change
    #[arg(long, default_value_t = 500)]
    changed: u32,
    /// Items of the second round, of which one per cent changes; 0 leaves it out
    #[arg(long, default_value_t = 1_000_000, value_parser = items)]
    many: u32,
    /// Both sandboxes speak TLS; its processor time is the agent's as well, so that time is shown and not judged
    #[arg(long)]
    tls: bool,
    /// Measure the agent that was built with this very program
    #[arg(long)]
    pub(crate) as_built: bool,
    /// Leave the data folder behind
    #[arg(long)]
    keep: bool,
}

/// Most calls to the ERP and to the network.
const FULL: (u64, u64) = (260, 8);
const CHANGED: (u64, u64) = (4, 4);
const MANY: (u64, u64) = (5_050, 40);
/// Most processor time, in milliseconds.
const MANY_MILLIS: u64 = 60_000;
const MANY_CHANGED_MILLIS: u64 = 3_000;
const MEMORY: u64 = 256 * 1024 * 1024;
/// Longest wait of an order for its sale.
const ORDER: Duration = Duration::from_secs(5);
/// What the sandboxes allow, and the agent is told so.
const CALLS: u32 = 1_000_000;
/// Nothing was asked for so long: it has ended.
const QUIET: Duration = Duration::from_secs(12);
const PATIENCE: Duration = Duration::from_mins(30);
const LOOK: Duration = Duration::from_millis(250);
/// Time between two orders.
const EVERY: Duration = Duration::from_secs(2);
/// Orders come in for so long.
const BESIDE: Duration = Duration::from_mins(1);
const PACE: Pace = Pace {
    poll: "1",
    notes: "5",
    states: "",
    gather: "5",
    retry_cap: "5",
    settle_secs: 3,
};

struct Run<'a> {
    house: House,
    place: Place,
    agent: Agent,
    catalogue: Vec<SeedProduct>,
    missed: &'a mut Vec<String>,
    judges_time: bool,
}

/// What one stage took.
struct Took {
    /// Calls for stock: reads of the ERP, writes to the network.
    calls: (u64, u64),
    /// Reads of the network's log of stock, which come after the writes.
    log_reads: u64,
    all: String,
    millis: u64,
    seconds: u64,
    /// The most memory the agent has had so far.
    peak: u64,
}

/// Fewer, and the ERP would not have what the network's orders name: they would wait for a person to match it.
const FEWEST: u32 = 200;

fn items(text: &str) -> Result<u32, String> {
    let items: u32 = text.parse().map_err(|_| "not a number".to_owned())?;
    if items == 0 || items >= FEWEST {
        return Ok(items);
    }
    Err(format!("0, or {FEWEST} and more"))
}

/// Measures everything.
pub(crate) async fn measure(wanted: &Stock) -> anyhow::Result<()> {
    let programs = Programs::find()?;
    let folder = programs.folder.join("stock");
    let mut missed = Vec::new();
    let rounds = [
        (wanted.items, wanted.changed),
        (wanted.many, wanted.many / 100),
    ];
    for (number, (items, changed)) in (0..).zip(rounds).filter(|(_, (items, _))| *items > 0) {
        let mut run = Run::start(&programs, &folder, items, wanted.tls, &mut missed).await?;
        run.judges_time = !wanted.as_built && !wanted.tls;
        say(&plain("memory, catalogues read", &mib(run.peak()?)));
        let full = run.full().await?;
        full.say("all of them");
        let (told, _) = run.told().await?;
        say(&plain("items told", &told.to_string()));
        let some = run.some(changed).await?;
        some.say(&format!("{changed} of them"));
        let order = run.beside_orders().await?;
        run.judge(number == 0, &full, &some, order)?;
        starts::stop(&run.place, &mut run.agent).await?;
    }
    if !wanted.keep && missed.is_empty() {
        std::fs::remove_dir_all(&folder)?;
    }
    ensure!(missed.is_empty(), "missed: {}", missed.join(", "));
    Ok(())
}

/// Products of the catalogue whose stock the network can be told: of a hundred, some have no id of their own.
fn tellable(catalogue: &[SeedProduct]) -> impl Iterator<Item = &SeedProduct> {
    catalogue.iter().filter(|p| p.orderable() && p.tracked)
}

/// The first products, up to the last of so many that can be told.
fn no_more_than(mut catalogue: Vec<SeedProduct>, items: u32) -> Vec<SeedProduct> {
    let mut left = items;
    let is_last = |product: &SeedProduct| {
        left -= u32::from(product.orderable() && product.tracked);
        left == 0
    };
    if let Some(last) = catalogue.iter().position(is_last) {
        catalogue.truncate(last + 1);
    }
    catalogue
}

async fn counted(side: &SandboxProcess) -> anyhow::Result<BTreeMap<String, u64>> {
    let counters = side.control("GET", "counters", &Value::Null).await?;
    let all = counters["endpoints"].as_object().into_iter().flatten();
    Ok(all
        .filter_map(|(name, c)| Some((name.clone(), c["calls"].as_u64()?)))
        .collect())
}

/// Calls to endpoints whose name has this in it.
fn of(calls: &BTreeMap<String, u64>, part: &str) -> u64 {
    let named = calls.iter().filter(|(name, _)| name.contains(part));
    named.map(|(_, n)| n).sum()
}

/// The ERP's stock, read.
const READ: &str = "availability";
/// The network's stock, written, and what became of it.
const WRITTEN: &str = "POST /inventory";
const LOG: &str = "GET /inventory/log";

fn listed(calls: &BTreeMap<String, u64>) -> String {
    let each: Vec<String> = calls
        .iter()
        .map(|(name, n)| format!("{name} {n}"))
        .collect();
    each.join(", ")
}

impl<'a> Run<'a> {
    /// Both sides with so many items that can be told; the agent has read the catalogue.
    async fn start(
        programs: &Programs,
        folder: &Path,
        items: u32,
        tls: bool,
        missed: &'a mut Vec<String>,
    ) -> anyhow::Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        let connectors = folder.join("connectors");
        waybill_pack::build_all(&connectors)?;
        let catalogue = no_more_than(products(usize::try_from(items)? * 2), items);
        let count = catalogue.len();
        say(&format!("\n{items} items: {count} products at the ERP"));
        let tls = tls.then_some(folder);
        let house = House::with_products(&programs.sandbox, count, tls).await?;
        house.hurry().await?;
        let cap = json!({"requestsPerMinute": CALLS});
        house.erp.control("POST", "settings", &cap).await?;
        let place = Place {
            program: programs.agent.clone(),
            connectors,
            data: folder.join("data"),
            listen: "127.0.0.1:0".to_owned(),
            hooks: Some(free_address()),
            roots: tls.map(House::roots).transpose()?,
        };
        place.prepare()?;
        let mut agent = place.start(&[])?;
        place.wait_until_up(&mut agent).await?;
        let run = Self {
            house,
            place,
            agent,
            catalogue,
            missed,
            judges_time: true,
        };
        run.provision(None).await?;
        for retailer in ["1000007001", "1000007002", "1000007003"] {
            run.order(retailer).await?;
        }
        // A catalogue is read in pages: quiet means that it was read.
        run.quiet("product-search").await?;
        let start = starts::now();
        while run.sales().await? < 3 {
            ensure!(start.elapsed() < PATIENCE, "the first orders do not go on");
            tokio::time::sleep(LOOK).await;
        }
        Ok(run)
    }

    async fn provision(&self, stock: Option<&str>) -> anyhow::Result<()> {
        self.provision_at(&PACE, stock).await
    }

    async fn provision_at(&self, pace: &Pace, stock: Option<&str>) -> anyhow::Result<()> {
        let url = self.place.hooks_url();
        let scene = Scene {
            every_method: true,
            erp_calls: Some(CALLS),
            network_calls: Some(CALLS),
            hooks: url.as_deref(),
            stock,
            ..Scene::of(pace)
        };
        self.place.provision_as(&self.house, &scene).await
    }

    async fn order(&self, retailer: &str) -> anyhow::Result<()> {
        let wish = json!({"retailer": retailer});
        self.house.network.control("POST", "orders", &wish).await?;
        Ok(())
    }

    async fn sales(&self) -> anyhow::Result<usize> {
        let news = self.house.erp.control("GET", "sales", &Value::Null).await?;
        Ok(news["orders"].as_array().map_or(0, Vec::len))
    }

    /// Items the network was told of, and how often it was told of one.
    async fn told(&self) -> anyhow::Result<(u64, u64)> {
        let network = &self.house.network;
        let counts = network
            .control("GET", "inventory/counts", &Value::Null)
            .await?;
        let count = |name: &str| counts[name].as_u64().context("no count of items");
        Ok((count("told")?, count("writes")?))
    }

    /// Until nothing was asked of the ERP's catalogue for a while.
    async fn quiet(&self, endpoint: &str) -> anyhow::Result<()> {
        let (start, mut last) = (starts::now(), (starts::now(), 0));
        while last.0.elapsed() < QUIET {
            ensure!(start.elapsed() < PATIENCE, "the catalogue is not read");
            tokio::time::sleep(LOOK).await;
            let calls = of(&counted(&self.house.erp).await?, endpoint);
            if calls != last.1 {
                last = (starts::now(), calls);
            }
        }
        Ok(())
    }

    async fn full(&self) -> anyhow::Result<Took> {
        let items = tellable(&self.catalogue).count() as u64;
        self.took(async { self.provision(Some("")).await }, |(told, _)| {
            told >= items
        })
        .await
    }

    /// So many items change at the ERP, which tells it by webhooks.
    async fn some(&self, changed: u32) -> anyhow::Result<Took> {
        let ids: Vec<i64> = tellable(&self.catalogue)
            .filter(|p| p.bundle.is_none())
            .map(|p| p.id)
            .take(usize::try_from(changed)?)
            .collect();
        let wanted = self.told().await?.1 + ids.len() as u64;
        let change = async {
            for id in &ids {
                let place = WAREHOUSES[0].erp_id;
                let wish =
                    json!({"productId": id, "warehouseId": place, "inStock": 5_000 + id % 100});
                self.house.erp.control("POST", "stock", &wish).await?;
            }
            Ok(())
        };
        self.took(change, |(_, writes)| writes >= wanted).await
    }

    /// What is asked from now until the network has been told and no stock is asked for or told any more. A machine that
    /// does other things as well may be quiet before.
    async fn took(
        &self,
        begin: impl Future<Output = anyhow::Result<()>>,
        done: impl Fn((u64, u64)) -> bool,
    ) -> anyhow::Result<Took> {
        for side in [&self.house.network, &self.house.erp] {
            side.control("POST", "counters/reset", &Value::Null).await?;
        }
        let id = self.agent.id().context("the agent has ended")?;
        let (before, start) = (process::ticks(id)?, starts::now());
        begin.await?;
        let (mut last, mut seen) = (starts::now(), (0, 0, 0));
        let mut spent = before;
        while last.elapsed() < QUIET || !done(self.told().await?) {
            ensure!(start.elapsed() < PATIENCE, "stock does not come to an end");
            tokio::time::sleep(LOOK).await;
            let now = self.asked().await?;
            if now != seen {
                (last, seen, spent) = (starts::now(), now, process::ticks(id)?);
            }
        }
        let (erp, network) = (
            counted(&self.house.erp).await?,
            counted(&self.house.network).await?,
        );
        Ok(Took {
            calls: (seen.0, seen.1),
            log_reads: seen.2,
            peak: self.peak()?,
            all: format!("{}; {}", listed(&erp), listed(&network)),
            millis: (spent - before) * 10,
            seconds: start.elapsed().saturating_sub(QUIET).as_secs(),
        })
    }

    /// Calls about stock: reads of the ERP, writes to the network, reads of its log.
    async fn asked(&self) -> anyhow::Result<(u64, u64, u64)> {
        let network = counted(&self.house.network).await?;
        Ok((
            of(&counted(&self.house.erp).await?, READ),
            of(&network, WRITTEN),
            of(&network, LOG),
        ))
    }

    /// The most memory the agent has had so far.
    fn peak(&self) -> anyhow::Result<u64> {
        let id = self.agent.id().context("the agent has ended")?;
        Ok(process::memory(id)?.peak)
    }

    /// All items are read and told once more while orders come in, each of which changes stock itself: so it is not these
    /// calls that are counted, but how long an order waits for its sale.
    async fn beside_orders(&self) -> anyhow::Result<Duration> {
        // What an order waits for others to be told with is no wait for stock.
        let pace = Pace {
            gather: "0",
            ..PACE
        };
        self.provision_at(&pace, Some("")).await?;
        let client = LocalClient::connect(&self.place.socket()).await?;
        let poll = json!({"entity": "inventory-level"});
        client
            .post_json("/api/v1/connections/erp/poll", &poll)
            .await?;
        client
            .post_json("/api/v1/stock-send", &Value::Object(Map::new()))
            .await?;
        let before = self.asked().await?;
        let start = starts::now();
        let mut orders = Orders::of(&self.house).await?;
        while start.elapsed() < BESIDE {
            orders.look(&self.house).await?;
            tokio::time::sleep(LOOK).await;
        }
        let after = self.asked().await?;
        say(&plain(
            "beside orders",
            &format!(
                "{} reads of the ERP, {} writes to the network, {} orders in {} s",
                after.0 - before.0,
                after.1 - before.1,
                orders.count,
                BESIDE.as_secs()
            ),
        ));
        ensure!(after.0 > before.0, "the ERP's stock was not read again");
        ensure!(after.1 > before.1, "the network was not told again");
        orders.longest.context("no order has found its sale")
    }
}

impl Took {
    fn say(&self, name: &str) {
        let took = self;
        say(&plain(
            name,
            &format!(
                "{} reads of the ERP, {} writes to the network and {} reads of its log, {}.{:02} s of processor, {} s, \
                 most memory so far {}",
                took.calls.0,
                took.calls.1,
                took.log_reads,
                took.millis / 1_000,
                took.millis % 1_000 / 10,
                took.seconds,
                mib(took.peak)
            ),
        ));
        say(&format!("    {}", took.all));
    }
}

impl Run<'_> {
    fn judge(
        &mut self,
        first: bool,
        full: &Took,
        some: &Took,
        waited: Duration,
    ) -> anyhow::Result<()> {
        let (all, part) = if first {
            (FULL, Some(CHANGED))
        } else {
            (MANY, None)
        };
        self.calls("all: calls", full, all);
        if let Some(part) = part {
            self.calls("changed: calls", some, part);
        }
        let peak = self.peak()?;
        let shown = format!("{} ms", waited.as_millis());
        self.bar("longest wait of an order", &shown, "5 s", waited <= ORDER);
        if first {
            say(&plain("most memory", &mib(peak)));
            return Ok(());
        }
        self.bar("most memory", &mib(peak), "256 MiB", peak <= MEMORY);
        for (name, took, most) in [
            ("all: processor", full, MANY_MILLIS),
            ("one per cent: processor", some, MANY_CHANGED_MILLIS),
        ] {
            let shown = format!("{}.{:02} s", took.millis / 1_000, took.millis % 1_000 / 10);
            let bar = format!("{} s", most / 1_000);
            self.bar(name, &shown, &bar, took.millis <= most);
        }
        Ok(())
    }

    fn calls(&mut self, name: &str, took: &Took, (erp, network): (u64, u64)) {
        let shown = format!("{} and {}", took.calls.0, took.calls.1);
        let good = took.calls.0 <= erp && took.calls.1 <= network;
        say(&aimed(name, &shown, &format!("{erp} and {network}"), good));
        if !good {
            self.missed.push(name.to_owned());
        }
    }

    fn bar(&mut self, name: &str, shown: &str, bar: &str, good: bool) {
        say(&aimed(name, shown, bar, good));
        if !good && self.judges_time {
            self.missed.push(name.to_owned());
        }
    }
}

/// Orders that come in beside the stock, one after the other.
struct Orders {
    /// When the last one came, while it has no sale.
    open: Option<Instant>,
    next: Instant,
    sales: i64,
    count: u32,
    longest: Option<Duration>,
}

impl Orders {
    async fn of(house: &House) -> anyhow::Result<Self> {
        Ok(Self {
            open: None,
            next: starts::now(),
            sales: newest(house, 0).await?.unwrap_or(0),
            count: 0,
            longest: None,
        })
    }

    async fn look(&mut self, house: &House) -> anyhow::Result<()> {
        if let Some(since) = self.open {
            let waited = since.elapsed();
            self.longest = Some(self.longest.map_or(waited, |longest| longest.max(waited)));
            if let Some(sale) = newest(house, self.sales).await? {
                self.count += 1;
                self.sales = sale;
                self.open = None;
                self.next = starts::now() + EVERY;
            }
        } else if self.next <= starts::now() {
            let wish = json!({"retailer": "1000007001"});
            house.network.control("POST", "orders", &wish).await?;
            self.open = Some(starts::now());
        }
        Ok(())
    }
}

/// The newest sale after that one.
async fn newest(house: &House, after: i64) -> anyhow::Result<Option<i64>> {
    let path = format!("sales?after={after}");
    let news = house.erp.control("GET", &path, &Value::Null).await?;
    let ids = news["orders"].as_array().into_iter().flatten();
    Ok(ids.filter_map(|sale| sale["id"].as_i64()).max())
}
