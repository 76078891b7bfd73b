//! The play itself: orders before the agent starts, orders while it runs, a warehouse that ships them in every awkward
//! way, an accountant who invoices them, webhooks that go astray, a person who fills in and corrects what is missing, and the end when nothing moves any
//! more. Prints for people.

use super::agent::{Agent, Place};
use super::house::House;
use super::person::Person;
use super::provisioning::{DEMO, INVOICES, Scene};
use super::verdict::Verdict;
use super::worker::Worker;
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
    /// Every flow of the network goes by files.
    pub sftp: bool,
    /// Seed of everything random.
    pub seed: u64,
    /// Data folder; `None`: a new one that goes with the demonstration.
    pub data: Option<PathBuf>,
    /// Address of the page.
    pub listen: String,
    /// Address of the hooks listener; `None`: polling alone.
    pub hooks: Option<String>,
}

/// Looks that found nothing new before a run counts as stuck: without webhooks a note that lacks its tracking number is
/// looked at again only after minutes.
const PATIENCE: u32 = 900;
/// Between two looks.
const TICK: Duration = Duration::from_millis(250);

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
        .unwrap_or_else(|| installed_connectors(&wishes.agent));
    std::fs::create_dir_all(&data)?;
    let tls = wishes.tls.then_some(data.as_path());
    let folder = data.join("network-files");
    let files = wishes.sftp.then_some(folder.as_path());
    let house = House::with_files(&own, wishes.seed, tls, files).await?;
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
        hooks: wishes.hooks.clone(),
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

/// Those who act beside the agent.
#[derive(Debug, Default)]
pub struct Cast {
    /// In the warehouse.
    pub worker: Worker,
    /// At the page.
    pub person: Person,
}

/// The connectors of a build lie beside the program, those of a package in the folder of libraries.
fn installed_connectors(agent: &std::path::Path) -> PathBuf {
    let beside = super::agent::beside(agent, "connectors");
    let packaged = super::agent::beside(agent, "../lib/waybill/connectors");
    if !beside.is_dir() && packaged.is_dir() {
        packaged
    } else {
        beside
    }
}

async fn scenes(wishes: &Wishes, house: &House, place: &Place) -> anyhow::Result<()> {
    house.strict_about(&INVOICES).await?;
    if wishes.faults {
        house.spoil(0.02).await?;
        say(
            "Faults are on: cut connections, lost answers, truncated and HTML bodies, 429, 500, 503, messy fields.",
        );
    }
    let mut cast = Cast::default();
    cast.worker.books.on = true;
    let mut scene = Scene {
        mistaken: true,
        stock: Some("5"),
        invoices: &INVOICES,
        ..Scene::of(&DEMO)
    };
    let early = wishes.orders / 3;
    generate(house, early, wishes.seed).await?;
    say(&format!(
        "{early} orders wait at the network before the agent starts."
    ));
    let mut agent = place.start(&[])?;
    place.wait_until_up(&mut agent).await?;
    place.provision_as(house, &scene).await?;
    say("The agent runs and is connected. More orders come in; the warehouse packs.");
    by_hand(house).await?;
    let rest = wishes.orders - early;
    generate(house, rest / 2, wishes.seed + 1).await?;
    go_on(house, place, &mut cast, &scene, 12).await?;
    let url = place.hooks_url();
    if url.is_some() {
        scene.hooks = url.as_deref();
        scene.mistaken = !cast.person.corrected;
        place.provision_as(house, &scene).await?;
        house.stray_webhooks().await?;
        say("Webhooks are on: some are lost, doubled or out of order.");
    }
    generate(house, rest - rest / 2, wishes.seed + 2).await?;
    go_on(house, place, &mut cast, &scene, 12).await?;
    if wishes.faults {
        let renew = house.network.control("POST", "expire-tokens", &Value::Null);
        renew.await?;
    }
    let verdict = settle(house, place, &mut cast, &scene).await?;
    tell(house, &cast, &verdict).await?;
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

/// What came of it, for people.
async fn tell(house: &House, cast: &Cast, verdict: &Verdict) -> anyhow::Result<()> {
    say("");
    for line in cast.person.lines() {
        say(&line);
    }
    say(&verdict.table());
    say(&verdict.stories(&cast.worker.kinds));
    let hooks = house.erp.control("GET", "hooks", &Value::Null).await?;
    say(&format!(
        "Webhooks: {} sent, {} doubled, {} lost on the way; answers: {}.",
        hooks["sent"], hooks["doubled"], hooks["lost"], hooks["answered"]
    ));
    let refused = hooks["answered"].as_object().into_iter().flatten();
    let refused: Vec<&String> = refused
        .map(|(status, _)| status)
        .filter(|status| status.starts_with('4'))
        .collect();
    ensure!(
        refused.is_empty(),
        "webhooks were answered {refused:?}, which is never sent again"
    );
    say(&format!(
        "Calls: {} to the network, {} to the ERP.",
        house.network.calls().await?,
        house.erp.calls().await?
    ));
    Ok(())
}

/// What has nothing to do with the network: a sale somebody typed in, shipped, and goods moved between warehouses.
async fn by_hand(house: &House) -> anyhow::Result<()> {
    let row =
        json!({"productId": 1002, "quantity": "1", "taxCode": "Z", "net": "6.00", "tax": "0.00"});
    let sale = json!({"customer": {"id": 200}, "ref": "COUNTER-1", "statusId": 3, "channelId": 1, "warehouseId": 2,
        "currency": {"code": "USD"}, "rows": [row]});
    let made = house.erp.control("POST", "order", &sale).await?;
    let note = json!({"stage": "shipped", "reference": "COUNTER-1"});
    let path = format!("order/{}/note", made["orderId"]);
    house.erp.control("POST", &path, &note).await?;
    let transfer = json!({"from": 2, "to": 3, "products": {"1003": 2}, "stage": "shipped"});
    house.erp.control("POST", "transfer", &transfer).await?;
    Ok(())
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

/// A while in the warehouse and at the page, in ticks.
async fn go_on(
    house: &House,
    place: &Place,
    cast: &mut Cast,
    scene: &Scene<'_>,
    ticks: u32,
) -> anyhow::Result<()> {
    for tick in 0..ticks {
        cast.worker.work(house).await?;
        if tick % 4 == 0 {
            // A busy agent is asked again at the next look.
            drop(cast.person.look(house, place, scene).await);
        }
        tokio::time::sleep(TICK).await;
    }
    Ok(())
}

/// Runs until every order is where it belongs, or nothing moves any more.
pub async fn settle(
    house: &House,
    place: &Place,
    cast: &mut Cast,
    scene: &Scene<'_>,
) -> anyhow::Result<Verdict> {
    let mut last = (usize::MAX, String::new());
    let mut stuck = 0;
    loop {
        let worked = cast.worker.work(house).await?;
        // A busy agent is asked again at the next look.
        let acts = cast.person.look(house, place, scene).await.unwrap_or(0);
        let waiting = waiting(place).await.unwrap_or_default();
        let (network, erp) = (house.network.truth().await?, house.erp.truth().await?);
        let verdict = Verdict::of(&network, &erp, &waiting, true);
        let differences = verdict.differences();
        if differences == 0 && cast.worker.done_with(&erp) {
            return Ok(verdict);
        }
        let now = (differences, fingerprint(&network, &erp));
        let moved = worked > 0 || acts > 0 || last != now;
        stuck = if moved { 0 } else { stuck + 1 };
        if stuck > PATIENCE {
            say("Nothing moves any more.");
            return Ok(verdict);
        }
        last = now;
        tokio::time::sleep(TICK).await;
    }
}

fn fingerprint(network: &Value, erp: &Value) -> String {
    let orders = || network["orders"].as_array().into_iter().flatten();
    let acknowledged = orders().filter(|o| o["acknowledgedAt"].is_string()).count();
    let told = orders()
        .filter(|o| o["supplierOrderNumber"].is_string())
        .count();
    let parcels: usize = orders()
        .map(|o| o["packages"].as_array().map_or(0, Vec::len))
        .sum();
    let invoices: usize = orders()
        .map(|o| o["invoices"].as_array().map_or(0, Vec::len))
        .sum();
    let lines = orders().flat_map(|o| o["lines"].as_array().into_iter().flatten());
    let cancelled: i64 = lines.filter_map(|l| l["cancelled"].as_i64()).sum();
    let length = |name: &str| erp[name].as_array().map_or(0, Vec::len);
    format!(
        "{acknowledged}/{told}/{parcels}/{invoices}/{cancelled}/{}/{}",
        length("orders"),
        length("goodsOutNotes")
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
