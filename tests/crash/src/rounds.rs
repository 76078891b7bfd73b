//! Owns the rounds: orders come in, the warehouse ships, webhooks arrive, the agent starts, does some work and is killed.
//! The sandboxes live through all of them, so whatever a kill lost or doubled stays lost or doubled until the end.

use crate::build::Built;
use crate::points::{Beside, Point};
use crate::swaps::Swaps;
use anyhow::ensure;
use serde_json::json;
use std::time::Duration;
use waybill_sim::dice::Dice;
use waybill_sim::play::agent::{Agent, Place};
use waybill_sim::play::house::House;
use waybill_sim::play::provisioning::{HURRY, Pace, Scene};
use waybill_sim::play::story::{self, Cast};
use waybill_sim::play::verdict::Verdict;
use waybill_sim::ports::free_address;

/// A round without a hit after that long counts as missed.
const ROUND: Duration = Duration::from_secs(20);
/// The same, where a build must be compiled first.
const BUILD_ROUND: Duration = Duration::from_mins(2);
/// Failures of every kind on both sides, each that likely.
const FAULTS: f64 = 0.01;

/// A run.
pub(crate) struct Rounds {
    pub(crate) house: House,
    pub(crate) place: Place,
    cast: Cast,
    dice: Dice,
    round: u64,
    pub(crate) swaps: Option<Swaps>,
}

impl Rounds {
    /// Starts the sandboxes, provisions an agent and stops it.
    pub(crate) async fn start(built: &Built, seed: u64) -> anyhow::Result<Self> {
        let house = House::start(&built.sandbox, seed, None).await?;
        house.hurry().await?;
        let place = Place {
            program: built.agent.clone(),
            connectors: built.connectors.clone(),
            data: built.data.clone(),
            listen: "127.0.0.1:0".to_owned(),
            hooks: Some(free_address()),
            roots: None,
        };
        place.prepare()?;
        let mut agent = place.start(&[])?;
        place.wait_until_up(&mut agent).await?;
        house.strict_about(&INVOICES).await?;
        let hooks = place.hooks_url();
        place
            .provision_as(&house, &scene(&HURRY, hooks.as_deref()))
            .await?;
        agent.kill().await?;
        Ok(Self {
            house,
            place,
            cast: billing(),
            dice: Dice::new(seed),
            round: 0,
            swaps: None,
        })
    }

    /// Kills at one point, that many times; how often it was hit.
    pub(crate) async fn at_point(&mut self, point: &Point, hits: u32) -> anyhow::Result<u32> {
        let mut hit = 0;
        let mut missed = 0;
        let builds = matches!(point.beside, Beside::Builds(_));
        if builds && self.swaps.is_none() {
            self.swaps = Some(Swaps::new(&self.place)?);
        }
        while hit < hits && missed < hits.max(10) {
            self.orders().await?;
            // Later hits of one life meet the point in the middle of work, not only at its start.
            let nth = if point.rare {
                1
            } else {
                self.dice.between(1, 3)
            };
            let place = format!("{}:{nth}", point.name);
            let mut agent = self.place.start(&[("WAYBILL_CRASH", place)])?;
            if self.live(&mut agent, point.beside).await? {
                hit += 1;
            } else {
                missed += 1;
            }
            if builds {
                self.right_builds().await?;
            }
        }
        if matches!(point.beside, Beside::Flows | Beside::Practice) {
            // What a person paused or practised stays so, whatever dies.
            let mut agent = self.place.start(&[])?;
            self.place.wait_until_up(&mut agent).await?;
            match point.beside {
                Beside::Flows => self.flow("resume").await?,
                _ => self.go_live().await?,
            }
            agent.kill().await?;
        }
        Ok(hit)
    }

    /// Lets the agent work until it has killed itself; false when it did not.
    async fn live(&mut self, agent: &mut Agent, beside: Beside) -> anyhow::Result<bool> {
        let acts = matches!(
            beside,
            Beside::Cells | Beside::Plans | Beside::Flows | Beside::Practice
        );
        let step = Duration::from_millis(if acts { 150 } else { 400 });
        let round = match beside {
            Beside::Builds(_) => BUILD_ROUND,
            _ => ROUND,
        };
        let mut waited = Duration::ZERO;
        while waited < round {
            if let Some(status) = agent.ended_within(step).await? {
                ensure!(
                    std::os::unix::process::ExitStatusExt::signal(&status) == Some(9),
                    "the agent ended by itself with {status}"
                );
                return Ok(true);
            }
            waited += step;
            match beside {
                Beside::Cells => self.unknown().await?,
                Beside::Plans => {}
                _ => self.orders().await?,
            }
            self.act(beside).await?;
            self.cast.worker.work(&self.house).await?;
        }
        agent.kill().await?;
        Ok(false)
    }

    /// What is done beside an agent. It may die while it is asked: that is the point.
    async fn act(&mut self, beside: Beside) -> anyhow::Result<()> {
        match beside {
            Beside::Nothing => {}
            Beside::Cells => self.person().await,
            Beside::Plans => {
                self.round += 1;
                let retry_cap = ["0.5", "0.6"][usize::from(self.round.is_multiple_of(2))];
                let hooks = self.place.hooks_url();
                let pace = Pace { retry_cap, ..HURRY };
                let scene = scene(&pace, hooks.as_deref());
                drop(self.place.provision_as(&self.house, &scene).await);
            }
            Beside::Backfills => drop(self.backfill().await),
            // One may be under way: that is as good.
            Beside::Compares => drop(self.place.ask(&["compare", "--now"]).await),
            Beside::Flows => {
                let what = ["pause", "resume"][usize::from(self.round.is_multiple_of(2))];
                drop(self.flow(what).await);
            }
            Beside::Practice => drop(self.practise().await),
            Beside::Builds(kind) => self.swap(kind).await?,
        }
        Ok(())
    }

    /// A person pauses the shipments, or lets them go on.
    async fn flow(&self, what: &str) -> anyhow::Result<()> {
        let flow = ["flows", what, "shipment", "erp", "network"];
        self.place.ask(&flow).await.map(drop)
    }

    /// A person practises shipments, sends some of what was practised, or goes live with all of it.
    async fn practise(&self) -> anyhow::Result<()> {
        let on = ["practice", "on", "--flow", "shipment"];
        match self.round % 3 {
            0 => self.place.ask(&on).await.map(drop),
            1 => self
                .place
                .ask(&["practice", "apply", "--all"])
                .await
                .map(drop),
            _ => self.go_live().await,
        }
    }

    async fn go_live(&self) -> anyhow::Result<()> {
        let live = ["practice", "live", "--flow", "shipment", "--apply"];
        self.place.ask(&live).await.map(drop)
    }

    /// A person looks for orders from before, and takes what is found, while the same orders come by themselves.
    async fn backfill(&self) -> anyhow::Result<()> {
        let all = self.place.ask(&["backfill", "list"]).await?;
        let newest = &all["rows"][0];
        let id = newest["id"].to_string();
        match newest["phase"].as_str() {
            Some("looked") => self.place.ask(&["backfill", "take", &id]).await?,
            Some("looking" | "taking") => return Ok(()),
            _ => {
                let since = "2020-01-01T00:00Z";
                let until = "2100-01-01T00:00Z";
                let look = [
                    "backfill", "look", "network", "--from", since, "--to", until,
                ];
                self.place.ask(&look).await?
            }
        };
        Ok(())
    }

    /// A person looks at the cards; a dying agent does not answer.
    async fn person(&mut self) {
        let hooks = self.place.hooks_url();
        let scene = scene(&HURRY, hooks.as_deref());
        let look = self.cast.person.look(&self.house, &self.place, &scene);
        drop(look.await);
    }

    /// One turn of everybody beside the agent: `orders` new ones, the warehouse, a person.
    pub(crate) async fn turn(&mut self, orders: u32) -> anyhow::Result<()> {
        if orders > 0 {
            self.generate(orders, json!({})).await?;
        }
        self.cast.worker.work(&self.house).await?;
        self.person().await;
        Ok(())
    }

    /// Kills at random moments, with faults on; how often.
    pub(crate) async fn at_random(&mut self, kills: u32) -> anyhow::Result<u32> {
        self.house.spoil(FAULTS).await?;
        self.house.stray_webhooks().await?;
        for _ in 0..kills {
            self.orders().await?;
            let mut agent = self.place.start(&[])?;
            let life = u64::try_from(self.dice.between(40, 2500)).unwrap_or(1000);
            tokio::time::sleep(Duration::from_millis(life / 2)).await;
            self.orders().await?;
            self.cast.worker.work(&self.house).await?;
            tokio::time::sleep(Duration::from_millis(life / 2)).await;
            agent.kill().await?;
        }
        self.house.mend().await?;
        Ok(kills)
    }

    /// Everything that is left is done without a kill, and compared with the truth.
    pub(crate) async fn end(&mut self) -> anyhow::Result<Verdict> {
        let mut agent = self.place.start(&[])?;
        self.place.wait_until_up(&mut agent).await?;
        let hooks = self.place.hooks_url();
        let scene = scene(&HURRY, hooks.as_deref());
        let verdict = story::settle(&self.house, &self.place, &mut self.cast, &scene).await?;
        self.webhooks_once().await?;
        self.statuses_once().await?;
        self.contacts_once().await?;
        agent.kill().await?;
        Ok(verdict)
    }

    /// Two orders, now and then an awkward one.
    async fn orders(&mut self) -> anyhow::Result<()> {
        self.round += 1;
        let awkward = [
            "same-sku",
            "kit",
            "split-po",
            "test",
            "unknown-item",
            "cancelled-early",
            "multi-line",
        ];
        let mix = match awkward.get(usize::try_from(self.round % 12).unwrap_or(0)) {
            Some(case) => json!({ *case: 1 }),
            None if self.round % 60 == 11 => json!({ "bad-total": 1 }),
            None => json!({}),
        };
        self.generate(2, mix).await
    }

    /// One order with an item nobody knows.
    async fn unknown(&mut self) -> anyhow::Result<()> {
        self.generate(1, json!({ "unknown-item": 1 })).await
    }

    async fn generate(&mut self, count: u32, mix: serde_json::Value) -> anyhow::Result<()> {
        self.house
            .network
            .control("POST", "generate", &json!({"count": count, "mix": mix}))
            .await?;
        Ok(())
    }
}

/// How the retailers take invoices here; one of them takes none.
const INVOICES: [(&str, &str); 3] = [
    ("1000007001", "order"),
    ("1000007002", "shipment"),
    ("1000007003", "none"),
];

/// Whose orders have a contact of the consumer each.
pub(crate) const CONSUMERS: [&str; 1] = ["1000007002"];

/// Everybody beside the agent, an accountant among them.
fn billing() -> Cast {
    let mut cast = Cast::default();
    cast.worker.books.on = true;
    cast
}

/// Everything declared right, with webhooks.
fn scene<'a>(pace: &'a Pace, hooks: Option<&'a str>) -> Scene<'a> {
    Scene {
        hooks,
        stock: Some("3"),
        invoices: &INVOICES,
        consumers: &CONSUMERS,
        // As many as the sandboxes take in a hurry: polls of every second would leave stock none of the published ones.
        network_calls: Some(100_000),
        ..Scene::of(pace)
    }
}
