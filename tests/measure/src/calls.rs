//! `cargo measure -- calls`: how many calls the agent, set as shipped, makes to both vendors: for orders imported and
//! acknowledged, for shipments reported by polling, while idle, beside another app that spends most of the shared pool, and
//! for invoices. Counts are the sandboxes' own. Fails when a bar is missed.

use crate::say;
use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use waybill_sim::play::agent::Place;
use waybill_sim::play::house::{House, SandboxProcess};
use waybill_sim::play::provisioning::{INVOICES, SHIPPED, Scene};

/// Counts calls.
#[derive(Debug, Args)]
pub(crate) struct Calls {
    /// Orders, and shipments; the bars are for 1,000
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..))]
    orders: u32,
    /// Minutes the agent is watched while idle
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    idle_minutes: u32,
    /// Orders imported and shipped beside another app
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..))]
    burnt: u32,
}

/// Most calls to the ERP and to the network for a thousand orders imported, acknowledged and told their sale's number.
const IMPORT: (u32, u32) = (115, 15);
/// For a thousand shipments.
const SHIP: (u32, u32) = (20, 10);
/// For a thousand invoices.
const BILL: (u32, u32) = (15, 8);
/// In an idle minute, in tenths.
const IDLE_TENTHS: u32 = 25;
/// Reference data of the ERP. It is read every quarter of an hour or every hour, whatever else goes on.
const BY_THE_CLOCK: [&str; 3] = [
    "/product-service/product-search",
    "/warehouse-service/shipping-method",
    "/warehouse-service/warehouse",
];
/// What the other app spends of the 200 calls a minute.
const OTHER_APP: u32 = 150;
/// Seconds until a stage counts as stuck.
const PATIENCE: u32 = 900;
const LOOK: Duration = Duration::from_secs(1);

struct Run {
    house: House,
    place: Place,
    missed: Vec<String>,
}

/// Counts everything.
pub(crate) async fn count(wanted: &Calls) -> anyhow::Result<()> {
    let (agent, sandbox, connectors, folder) = build()?;
    let house = House::start(&sandbox, 1, None).await?;
    let place = Place {
        program: agent,
        connectors,
        data: folder.clone(),
        listen: "127.0.0.1:0".to_owned(),
        hooks: None,
        roots: None,
    };
    place.prepare()?;
    let mut agent = place.start(&[])?;
    place.wait_until_up(&mut agent).await?;
    let scene = Scene {
        every_method: true,
        ..Scene::of(&SHIPPED)
    };
    place.provision_as(&house, &scene).await?;
    let mut run = Run {
        house,
        place,
        missed: Vec::new(),
    };
    say("One order of every retailer first, so that the others are of known retailers.");
    for retailer in ["1000007001", "1000007002", "1000007003"] {
        run.order(json!({"retailer": retailer})).await?;
    }
    run.settled(3).await?;
    let sales = run.sales().await?;
    run.pack(&sales).await?;
    run.shipped().await?;
    run.idle(wanted.idle_minutes).await?;
    run.import(wanted.orders).await?;
    run.ship(wanted.orders).await?;
    run.beside_another_app(wanted.burnt).await?;
    run.bill(wanted.orders).await?;
    agent.kill().await?;
    ensure!(
        run.missed.is_empty(),
        "missed: {}; the agent's data and log are kept in `{}`",
        run.missed.join(", "),
        folder.display()
    );
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Builds agent, sandboxes and connectors; their places and a folder for data.
fn build() -> anyhow::Result<(PathBuf, PathBuf, PathBuf, PathBuf)> {
    say("Building the agent, the sandboxes and the connectors ...");
    let own = std::env::current_exe()?;
    let binaries = own.parent().context("this program lies in no folder")?;
    let target = binaries
        .parent()
        .context("this program lies in no target folder")?;
    waybill_pack::build_programs(&["waybill", "waybill-sandbox"], &[])?;
    let connectors = target.join("connectors");
    waybill_pack::build_all(&connectors)?;
    let folder = target
        .join("measure-calls")
        .join(std::process::id().to_string());
    Ok((
        binaries.join("waybill"),
        binaries.join("waybill-sandbox"),
        connectors,
        folder,
    ))
}

/// Calls by endpoint; asking for a token is none of the API's.
pub(crate) async fn counted(side: &SandboxProcess) -> anyhow::Result<BTreeMap<String, u64>> {
    let counters = side.control("GET", "counters", &Value::Null).await?;
    let all = counters["endpoints"].as_object().into_iter().flatten();
    Ok(all
        .filter_map(|(name, c)| Some((name.clone(), c["calls"].as_u64()?)))
        .collect())
}

impl Run {
    async fn order(&self, wish: Value) -> anyhow::Result<()> {
        self.house.network.control("POST", "orders", &wish).await?;
        Ok(())
    }

    async fn reset(&self) -> anyhow::Result<()> {
        for side in [&self.house.network, &self.house.erp] {
            side.control("POST", "counters/reset", &Value::Null).await?;
        }
        Ok(())
    }

    /// Waits until so many orders have a sale and its number at the network, and are as they should be.
    async fn settled(&self, orders: usize) -> anyhow::Result<()> {
        self.wait("sales told to the network", |network| {
            let told = |o: &&Value| o["supplierOrderNumber"].is_string();
            network.iter().filter(told).count() >= orders
        })
        .await
    }

    /// Waits until every order has left.
    async fn shipped(&self) -> anyhow::Result<()> {
        self.wait("shipments at the network", |network| {
            network.iter().all(|o| o["lifecycle"] == "completed")
        })
        .await
    }

    async fn wait(&self, what: &str, done: impl Fn(&[Value]) -> bool) -> anyhow::Result<()> {
        for _ in 0..PATIENCE {
            let truth = self.house.network.truth().await?;
            if done(truth["orders"].as_array().map_or(&[], Vec::as_slice)) {
                // What is on its way now belongs to this stage: verdicts, checkpoints.
                tokio::time::sleep(Duration::from_secs(10)).await;
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        anyhow::bail!(
            "no {what} after {PATIENCE} s; the agent's log is in `{}`",
            self.place.data.display()
        )
    }

    /// Prints both sides' calls beside their bars.
    async fn print(
        &mut self,
        what: &str,
        (erp, network): (u32, u32),
        minutes: u32,
    ) -> anyhow::Result<()> {
        let sides = [
            ("ERP", &self.house.erp, erp),
            ("network", &self.house.network, network),
        ];
        let mut missed = Vec::new();
        for (name, side, bar) in sides {
            let calls = counted(side).await?;
            // Lists that are read by the clock come in whichever stage their time falls.
            let (by_the_clock, calls): (BTreeMap<_, _>, BTreeMap<_, _>) =
                calls.into_iter().partition(|(endpoint, _)| {
                    BY_THE_CLOCK.iter().any(|list| endpoint.ends_with(list))
                });
            let total: u64 = calls.values().sum();
            // In tenths, so that a mean per minute needs no fraction.
            let tenths = total * 10 / u64::from(minutes);
            let fits = tenths <= u64::from(bar);
            let shown = |n: u64| {
                if n.is_multiple_of(10) {
                    (n / 10).to_string()
                } else {
                    format!("{}.{}", n / 10, n % 10)
                }
            };
            say(&format!(
                "{what:<44} {name:<8} {:>7} calls   bar {:>5}   {}",
                shown(tenths),
                shown(u64::from(bar)),
                if fits { "ok" } else { "MISSED" }
            ));
            for (endpoint, count) in calls {
                say(&format!("    {count:>6}  {endpoint}"));
            }
            for (endpoint, count) in by_the_clock {
                say(&format!(
                    "    {count:>6}  {endpoint} (by the clock, not counted)"
                ));
            }
            if !fits {
                missed.push(format!("{what}, {name}"));
            }
        }
        self.missed.extend(missed);
        Ok(())
    }

    async fn import(&mut self, orders: u32) -> anyhow::Result<()> {
        self.reset().await?;
        let wish = json!({"count": orders, "mix": {}});
        self.house
            .network
            .control("POST", "generate", &wish)
            .await?;
        self.settled(usize::try_from(orders)? + 3).await?;
        let bars = (scaled(IMPORT.0, orders), scaled(IMPORT.1, orders));
        self.print(
            &format!("{orders} orders imported and acknowledged"),
            bars,
            1,
        )
        .await
    }

    /// Ships every sale that has not left, in this order of the sales.
    async fn pack(&self, sales: &[i64]) -> anyhow::Result<()> {
        for sale in sales {
            let note = json!({"stage": "shipped", "reference": format!("1Z{sale:016}")});
            let path = format!("order/{sale}/note");
            self.house.erp.control("POST", &path, &note).await?;
        }
        Ok(())
    }

    async fn sales(&self) -> anyhow::Result<Vec<i64>> {
        let truth = self.house.erp.truth().await?;
        let sales = truth["orders"].as_array().into_iter().flatten();
        let open = sales.filter(|sale| sale["shippingStatus"] == "SNS");
        Ok(open.filter_map(|sale| sale["id"].as_i64()).collect())
    }

    async fn ship(&mut self, orders: u32) -> anyhow::Result<()> {
        let sales = self.sales().await?;
        // They are made between two polls: part of them in one and the rest in the next would count a poll more.
        self.place.ask(&["pause", "erp"]).await?;
        self.reset().await?;
        self.pack(&sales).await?;
        self.place.ask(&["resume", "erp"]).await?;
        self.shipped().await?;
        let bars = (scaled(SHIP.0, orders), scaled(SHIP.1, orders));
        self.print(
            &format!("{} shipments reported by polling", sales.len()),
            bars,
            1,
        )
        .await
    }

    /// Sales that have left are invoiced, one behind the other. Invoices are sent from now on only.
    async fn bill(&mut self, orders: u32) -> anyhow::Result<()> {
        let burn = json!({"burnPerMinute": 0});
        self.house.erp.control("POST", "settings", &burn).await?;
        let scene = Scene {
            every_method: true,
            invoices: &INVOICES,
            ..Scene::of(&SHIPPED)
        };
        self.place.provision_as(&self.house, &scene).await?;
        // The first look at invoices finds none, and is none of theirs.
        tokio::time::sleep(Duration::from_mins(3)).await;
        let erp = &self.house.erp;
        let open = erp.control("GET", "uninvoiced", &Value::Null).await?;
        let open = open["orders"].as_array().into_iter().flatten();
        let sales = open.filter_map(|sale| sale["id"].as_i64());
        let sales: Vec<i64> = sales.take(usize::try_from(orders)?).collect();
        // Made between two polls, and read at once: minutes of waiting for the next poll would be counted with them.
        self.place.ask(&["pause", "erp"]).await?;
        self.reset().await?;
        for sale in &sales {
            let path = format!("order/{sale}/invoice");
            erp.control("POST", &path, &json!({})).await?;
        }
        self.place.ask(&["resume", "erp"]).await?;
        self.place.ask(&["poll", "erp"]).await?;
        self.wait("invoices at the network", |network| {
            let billed = |o: &&Value| o["invoices"].as_array().is_some_and(|all| !all.is_empty());
            network.iter().filter(billed).count() >= sales.len()
        })
        .await?;
        let bars = (scaled(BILL.0, orders), scaled(BILL.1, orders));
        self.print(&format!("{} invoices told", sales.len()), bars, 1)
            .await
    }

    async fn idle(&mut self, minutes: u32) -> anyhow::Result<()> {
        // What follows the start and the first shipments has ended by then.
        tokio::time::sleep(Duration::from_mins(3)).await;
        self.reset().await?;
        tokio::time::sleep(Duration::from_mins(u64::from(minutes))).await;
        self.print("an idle minute", (IDLE_TENTHS, IDLE_TENTHS), minutes)
            .await
    }

    /// Half of the orders must leave within the hour; their shipments are made last and must be reported first.
    async fn beside_another_app(&mut self, orders: u32) -> anyhow::Result<()> {
        let before = usize::try_from(orders)?;
        let settled = self.house.network.truth().await?["orders"]
            .as_array()
            .map_or(0, Vec::len);
        let burn = json!({"burnPerMinute": OTHER_APP});
        self.house.erp.control("POST", "settings", &burn).await?;
        for number in 0..orders {
            let minutes = if number % 2 == 0 { 4 * 24 * 60 } else { 60 };
            self.order(json!({"ship_by_minutes": minutes, "line_count": 1}))
                .await?;
        }
        self.settled(settled + before).await?;
        let near: Vec<i64> = self.near().await?;
        let mut sales = self.sales().await?;
        sales.sort_by_key(|sale| near.contains(sale));
        self.pack(&sales).await?;
        self.shipped().await?;
        let early = self.overtaken(&near).await?;
        let cards = self.place.ask(&["cards"]).await?;
        let cards = cards
            .as_array()
            .or_else(|| cards["cards"].as_array())
            .map_or(0, Vec::len);
        let used = counted(&self.house.erp).await?.values().sum::<u64>();
        say(&format!(
            "beside an app that spends {OTHER_APP} of 200 calls a minute: {orders} orders imported and shipped, {used} calls, \
             {cards} documents failed (bar 0), {early} shipments left before one with less time (bar 0)"
        ));
        if cards > 0 {
            self.missed
                .push("documents failed beside another app".to_owned());
        }
        if early > 0 {
            self.missed
                .push("shipments near ship-by did not leave first".to_owned());
        }
        Ok(())
    }

    /// Sales of the orders that must leave soon.
    async fn near(&self) -> anyhow::Result<Vec<i64>> {
        let network = self.house.network.truth().await?;
        let orders = network["orders"].as_array().into_iter().flatten();
        let open = orders.filter(|o| o["lifecycle"] != "completed" && o["shipBy"].is_string());
        let mut all: Vec<(String, i64)> = open
            .filter_map(|o| {
                let sale = o["supplierOrderNumber"].as_str()?.parse().ok()?;
                Some((o["shipBy"].as_str()?.to_owned(), sale))
            })
            .collect();
        all.sort();
        all.truncate(all.len() / 2);
        Ok(all.into_iter().map(|(_, sale)| sale).collect())
    }

    /// Parcels the network has, though one of these sales came after them.
    async fn overtaken(&self, near: &[i64]) -> anyhow::Result<usize> {
        let network = self.house.network.truth().await?;
        let orders = network["orders"].as_array().into_iter().flatten();
        let mut parcels: Vec<(u64, bool)> = orders
            .filter(|o| o["shipBy"].is_string())
            .filter_map(|o| {
                let sale = o["supplierOrderNumber"].as_str()?.parse().ok()?;
                Some((
                    o["packages"][0]["packageId"].as_u64()?,
                    near.contains(&sale),
                ))
            })
            .collect();
        parcels.sort_unstable();
        let last_near = parcels.iter().rposition(|(_, near)| *near).unwrap_or(0);
        Ok(parcels[..last_near]
            .iter()
            .filter(|(_, near)| !near)
            .count())
    }
}

/// A bar for a thousand, in tenths and for that many; what does not grow with them is allowed whole.
fn scaled(bar: u32, orders: u32) -> u32 {
    let tenths = bar * 10;
    if orders <= 1000 {
        tenths
    } else {
        tenths * orders.div_ceil(1000)
    }
}
