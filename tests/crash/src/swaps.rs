//! Connectors swapped while the agent is killed: new builds are dropped into its folder, good ones and ones that trap, and
//! after each kill the right one must be at work. Must not know how builds are made.

use crate::rounds::Rounds;
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use waybill_builds::{BOTH, Kind, Which, Workshop, put};
use waybill_http::LocalClient;
use waybill_sim::play::agent::Place;

/// Longest wait until the right build is at work: an unoptimised agent compiles for a minute beside other work.
const PATIENCE: u32 = 900;
const STEP: Duration = Duration::from_millis(400);
/// Steps between two builds: one is copied, proven, and taken back meanwhile.
const BETWEEN: u32 = 20;

/// What was put into the folder.
pub(crate) struct Swaps {
    workshop: Workshop,
    puts: usize,
    steps: u32,
    /// The build that must be at work, by connector.
    good: BTreeMap<&'static str, String>,
    /// Builds that trap, none of which may stay.
    bad: BTreeMap<&'static str, Vec<String>>,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The connector as the running agent shows it.
async fn look(place: &Place, id: &str) -> anyhow::Result<Value> {
    let client = LocalClient::connect(&place.socket()).await?;
    let view = client.get_json("/api/v1/connectors").await?;
    let mut all = view["connectors"].as_array().into_iter().flatten();
    let own = all.find(|connector| connector["id"] == id).cloned();
    own.with_context(|| format!("no connector `{id}`"))
}

impl Swaps {
    pub(crate) fn new(place: &Place) -> anyhow::Result<Self> {
        let workshop = Workshop::new(place, &place.data.with_extension("workshop"))?;
        Ok(Self {
            workshop,
            puts: 0,
            steps: 0,
            good: BTreeMap::new(),
            bad: BTreeMap::new(),
        })
    }

    /// Now and then the next build.
    async fn next(&mut self, place: &Place, kind: Kind) -> anyhow::Result<()> {
        self.steps += 1;
        if self.steps % BETWEEN != 1 {
            return Ok(());
        }
        self.puts += 1;
        // Both in turn; the network is asked more often, so that a trap is found sooner there.
        let which = match kind {
            Kind::Good => BOTH[self.puts % 2],
            _ => BOTH[1],
        };
        self.put(place, which, kind).await
    }

    async fn put(&mut self, place: &Place, which: Which, kind: Kind) -> anyhow::Result<()> {
        let build = self.workshop.make(which, kind)?;
        match kind {
            Kind::Good => {
                self.good.insert(which.id, build.hash);
            }
            _ => self.bad.entry(which.id).or_default().push(build.hash),
        }
        let name = which.package.trim_start_matches("waybill-");
        let file = place.installed().join(name).with_extension("wasm");
        put(&file, &build.bytes, self.puts).await
    }
}

impl Rounds {
    /// One step beside a life at a point of swapping.
    pub(crate) async fn swap(&mut self, kind: Kind) -> anyhow::Result<()> {
        match &mut self.swaps {
            Some(swaps) => swaps.next(&self.place, kind).await,
            None => Ok(()),
        }
    }

    /// After a kill: the right builds come to work by themselves, and none that traps stays.
    pub(crate) async fn right_builds(&mut self) -> anyhow::Result<()> {
        let Some(swaps) = &mut self.swaps else {
            return Ok(());
        };
        // A new life begins with a build.
        swaps.steps = 0;
        let mut agent = self.place.start(&[])?;
        self.place.wait_until_up(&mut agent).await?;
        for which in BOTH {
            let mut waited = 0;
            loop {
                let connector = look(&self.place, which.id).await?;
                let running = text(&connector["running"]["hash"]);
                let bad = swaps.bad.get(which.id);
                let traps = bad.is_some_and(|all| all.iter().any(|hash| hash == running));
                // The newest one that traps lies in the folder: it must have been tried, and be remembered.
                let remembered = bad.and_then(|all| all.last()).is_none_or(|last| {
                    let mut known = connector["bad"].as_array().into_iter().flatten();
                    known.any(|bad| text(&bad["hash"]) == last)
                });
                let good = swaps.good.get(which.id).is_none_or(|hash| hash == running);
                if !traps && good && remembered {
                    break;
                }
                waited += 1;
                ensure!(
                    waited < PATIENCE,
                    "the right build of `{}` does not come to work: {connector:#}",
                    which.id
                );
                let order = serde_json::json!({"count": 1, "mix": {}});
                self.house
                    .network
                    .control("POST", "generate", &order)
                    .await?;
                tokio::time::sleep(STEP).await;
            }
        }
        agent.kill().await
    }
}
