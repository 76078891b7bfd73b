//! Those who act beside the agent: a network that sells at an even pace, and a warehouse that ships what was sold. Must
//! not know that connectors are swapped.

use crate::starts;
use anyhow::ensure;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};
use waybill_sim::play::agent::Place;
use waybill_sim::play::house::House;
use waybill_sim::play::story;
use waybill_sim::play::verdict::Verdict;
use waybill_sim::play::worker::Worker;

/// Between two sales batches, and between two turns in the warehouse.
const BEAT: Duration = Duration::from_millis(100);
const TURN: Duration = Duration::from_millis(250);
/// Between two lines of how far it is.
const NEWS: Duration = Duration::from_secs(20);
/// Every so many beats the sale is a kit.
const KITS: u32 = 20;
/// Longest time without any news before the end counts as not reached.
const PATIENCE: Duration = Duration::from_mins(6);

/// The network, the warehouse, and what was sold so far.
pub(super) struct Town {
    pub(super) house: House,
    worker: Mutex<Worker>,
    sold: AtomicU64,
    closed: AtomicBool,
}

impl Town {
    pub(super) fn new(house: House) -> Self {
        Self {
            house,
            worker: Mutex::default(),
            sold: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Orders so far.
    pub(super) fn sold(&self) -> u64 {
        self.sold.load(Ordering::Relaxed)
    }

    /// Whether nothing more is sold.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Nothing more is sold.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Sells so many orders a second until it is closed. What a busy machine delays is made up for.
    pub(super) async fn sell(&self, per_second: u32) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beat = 0_u32;
        while !self.is_closed() {
            beats.tick().await;
            beat += 1;
            let due = began.elapsed().as_millis() * u128::from(per_second) / 1_000;
            let count = u64::try_from(due)?.saturating_sub(self.sold());
            if count == 0 {
                continue;
            }
            let mix = if beat.is_multiple_of(KITS) {
                json!({"kit": 1})
            } else {
                json!({})
            };
            let wish = json!({"count": count, "mix": mix});
            self.house
                .network
                .control("POST", "generate", &wish)
                .await?;
            self.sold.fetch_add(count, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Ships what is sold until it is closed.
    pub(super) async fn ship(&self) -> anyhow::Result<()> {
        while !self.is_closed() {
            self.turn().await?;
            tokio::time::sleep(TURN).await;
        }
        Ok(())
    }

    /// How far it is, now and then, until it is closed.
    pub(super) async fn watch(&self) -> anyhow::Result<()> {
        let mut last = Instant::now();
        while !self.is_closed() {
            tokio::time::sleep(TURN).await;
            if last.elapsed() > NEWS {
                last = Instant::now();
                self.news().await?;
            }
        }
        Ok(())
    }

    async fn news(&self) -> anyhow::Result<()> {
        let (orders, told, completed) = self.counts().await?;
        crate::say(&format!(
            "  {orders} orders, {told} told, {completed} shipped or cancelled"
        ));
        Ok(())
    }

    /// Calls that the agent made, by endpoint.
    pub(super) async fn calls(&self) -> anyhow::Result<Vec<(String, u64)>> {
        let mut all = Vec::new();
        for side in [&self.house.network, &self.house.erp] {
            all.extend(crate::calls::counted(side).await?);
        }
        Ok(all)
    }

    async fn turn(&self) -> anyhow::Result<usize> {
        self.worker.lock().await.work(&self.house).await
    }

    /// Orders, those whose sale's number is told, and those that are shipped.
    pub(super) async fn counts(&self) -> anyhow::Result<(u64, u64, u64)> {
        let network = &self.house.network;
        let counts = network.control("GET", "counts", &Value::Null).await?;
        let count = |name: &str| counts[name].as_u64().unwrap_or(0);
        Ok((count("orders"), count("told"), count("completed")))
    }

    /// Waits until everything sold has left or is cancelled, or nothing moves any more.
    pub(super) async fn settle(&self) -> anyhow::Result<Duration> {
        let began = starts::now();
        let (mut last, mut moved) = ((0, 0, 0), starts::now());
        let mut told_at = starts::now();
        loop {
            let worked = self.turn().await?;
            let counts = self.counts().await?;
            let (orders, told, completed) = counts;
            // Who is cancelled before the sale's number was told is never told it.
            if orders == completed && self.worker.lock().await.idle() {
                return Ok(began.elapsed());
            }
            if told_at.elapsed() > NEWS {
                told_at = starts::now();
                self.news().await?;
            }
            if worked > 0 || counts != last {
                (last, moved) = (counts, starts::now());
            }
            if moved.elapsed() > PATIENCE {
                crate::say(&format!(
                    "Nothing moves any more: {orders} orders, {told} told, {completed} shipped."
                ));
                return Ok(began.elapsed());
            }
            tokio::time::sleep(TURN).await;
        }
    }

    /// Both truths compared. What was answered last may still be on its way, so it is looked at a few times.
    pub(super) async fn verdict(&self, place: &Place) -> anyhow::Result<Verdict> {
        let mut tries = 0;
        loop {
            let (network, erp) = (
                self.house.network.truth().await?,
                self.house.erp.truth().await?,
            );
            let waiting: BTreeSet<String> = story::waiting(place).await?;
            let verdict = Verdict::of(&network, &erp, &waiting, true);
            tries += 1;
            if verdict.differences() == 0 || tries == 5 {
                ensure!(
                    !verdict.cases.is_empty(),
                    "the network tells no orders at all"
                );
                return Ok(verdict);
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }
}
