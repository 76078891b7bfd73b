//! The play itself: orders before the agent starts, orders while it runs, a person who matches what is unknown, and the
//! end when nothing moves any more. Prints for people.

use super::agent::{Agent, Place};
use super::house::House;
use super::provisioning::{DEMO, Pace};
use super::verdict::Verdict;
use anyhow::{bail, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// What a demonstration is asked for.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// The `waybill` program.
    pub agent: PathBuf,
    /// Folder of the connectors; `None`: beside the agent.
    pub connectors: Option<PathBuf>,
    /// How many orders.
    pub orders: usize,
    /// Stop at the end instead of leaving the page running.
    pub exit: bool,
    /// Failures of every kind on both sides.
    pub faults: bool,
    /// The sandboxes speak TLS.
    pub tls: bool,
    /// Seed of everything random.
    pub seed: u64,
    /// Data folder; `None`: a new one that goes with the demonstration.
    pub data: Option<PathBuf>,
    /// Address of the page.
    pub listen: String,
}

/// Looks that found nothing new before a run counts as stuck.
const PATIENCE: u32 = 240;

fn say(text: &str) {
    // A closed terminal must not stop the demonstration.
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// Plays it. Fails on any difference.
pub async fn play(wishes: &Wishes) -> anyhow::Result<()> {
    let own = std::env::current_exe()?;
    let (data, temporary) = match &wishes.data {
        Some(data) => (data.clone(), false),
        None => (
            std::env::temp_dir().join(format!("waybill-demo-{}", std::process::id())),
            true,
        ),
    };
    let connectors = wishes
        .connectors
        .clone()
        .unwrap_or_else(|| super::agent::beside(&wishes.agent, "connectors"));
    std::fs::create_dir_all(&data)?;
    let house = House::start(&own, wishes.seed, wishes.tls.then_some(data.as_path())).await?;
    let roots = if wishes.tls {
        Some(House::roots(&data)?)
    } else {
        None
    };
    let place = Place {
        program: wishes.agent.clone(),
        connectors: std::path::absolute(connectors)?,
        data: std::path::absolute(&data)?,
        listen: wishes.listen.clone(),
        roots: roots.map(std::path::absolute).transpose()?,
    };
    place.prepare()?;
    let outcome = scenes(wishes, &house, &place).await;
    if outcome.is_ok() && temporary {
        drop(std::fs::remove_dir_all(&data));
    } else if outcome.is_err() {
        say(&format!(
            "The agent's data and log are kept in {}",
            data.display()
        ));
    }
    outcome
}

async fn scenes(wishes: &Wishes, house: &House, place: &Place) -> anyhow::Result<()> {
    if wishes.faults {
        house.spoil(0.02).await?;
        say(
            "Faults are on: cut connections, lost answers, truncated and HTML bodies, 429, 500, 503, messy fields.",
        );
    }
    let early = wishes.orders / 3;
    generate(house, early, wishes.seed).await?;
    say(&format!(
        "{early} orders wait at the network before the agent starts."
    ));
    let mut agent = place.start(&[])?;
    place.wait_until_up(&mut agent).await?;
    place.provision(house, &pace(wishes)).await?;
    say("The agent runs and is connected. More orders come in.");
    let rest = wishes.orders - early;
    for (part, seed) in [
        (rest / 2, wishes.seed + 1),
        (rest - rest / 2, wishes.seed + 2),
    ] {
        generate(house, part, seed).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let verdict = settle(house, place).await?;
    say("");
    say(&verdict.table());
    say(&format!(
        "Calls: {} to the network, {} to the ERP.",
        house.network.calls().await?,
        house.erp.calls().await?
    ));
    let differences = verdict.differences();
    say(&format!("{differences} differences"));
    ensure!(
        differences == 0,
        "{differences} differences between ground truth and what was seen"
    );
    if !wishes.exit {
        stay(place, agent).await?;
    }
    Ok(())
}

const fn pace(_: &Wishes) -> Pace {
    DEMO
}

async fn generate(house: &House, count: usize, seed: u64) -> anyhow::Result<()> {
    if count > 0 {
        house
            .network
            .control("POST", "generate", &json!({"count": count, "seed": seed}))
            .await?;
    }
    Ok(())
}

/// Order ids that wait with an open card.
pub async fn waiting(place: &Place) -> anyhow::Result<BTreeSet<String>> {
    let list = place
        .ask(&["orders", "--stage", "waiting", "--limit", "500"])
        .await?;
    let rows = list["rows"].as_array().into_iter().flatten();
    Ok(rows
        .filter_map(|row| row["key"].as_str().map(str::to_owned))
        .collect())
}

/// Matches every unknown item to a product, as a person would on the page. How many.
pub async fn match_items(place: &Place) -> anyhow::Result<usize> {
    let cards = place.ask(&["cards"]).await?;
    let mut filled = 0;
    for card in cards
        .as_array()
        .or_else(|| cards["cards"].as_array())
        .into_iter()
        .flatten()
    {
        if card["cell"]["gap"]["table"] == "items" {
            let id = card["id"].as_str().unwrap_or_default();
            place.ask(&["fill", id, "1001", "--for-all"]).await?;
            filled += 1;
        }
    }
    Ok(filled)
}

/// Runs until every order is where it belongs, or nothing moves any more.
pub async fn settle(house: &House, place: &Place) -> anyhow::Result<Verdict> {
    let mut last = (usize::MAX, String::new());
    let mut stuck = 0;
    let mut mapped = 0;
    loop {
        let filled = match_items(place).await.unwrap_or(0);
        if filled > 0 {
            mapped += filled;
            say(&format!(
                "A person matches {filled} unknown items; their orders go on."
            ));
        }
        let waiting = waiting(place).await.unwrap_or_default();
        let (network, erp) = (house.network.truth().await?, house.erp.truth().await?);
        let verdict = Verdict::of(&network, &erp, &waiting, true);
        let differences = verdict.differences();
        let picture = fingerprint(&network, &erp);
        if differences == 0 {
            return Ok(verdict);
        }
        if last == (differences, picture.clone()) {
            stuck += 1;
        } else {
            stuck = 0;
        }
        if stuck > PATIENCE {
            say(&format!("Nothing moves any more ({mapped} items matched)."));
            return Ok(verdict);
        }
        last = (differences, picture);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn fingerprint(network: &Value, erp: &Value) -> String {
    let acknowledged = network["orders"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|o| o["acknowledgedAt"].is_string())
        .count();
    let told = network["orders"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|o| o["supplierOrderNumber"].is_string())
        .count();
    format!(
        "{acknowledged}/{told}/{}",
        erp["orders"].as_array().map_or(0, Vec::len)
    )
}

/// Leaves the page running until a signal.
async fn stay(place: &Place, mut agent: Agent) -> anyhow::Result<()> {
    say(&format!("The page is at http://{}/", place.listen));
    if let Some(file) = place.first_password() {
        let code = std::fs::read_to_string(&file).unwrap_or_default();
        say(&format!(
            "First login with the code {} (from {})",
            code.trim(),
            file.display()
        ));
    }
    say("Press Ctrl-C to stop.");
    tokio::select! {
        ended = agent.ended_within(Duration::MAX) => {
            if let Some(status) = ended? {
                bail!("the agent ended with {status}");
            }
        }
        signal = tokio::signal::ctrl_c() => signal?,
    }
    agent.kill().await
}
