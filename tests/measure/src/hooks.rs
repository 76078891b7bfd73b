//! Owns the measurement of webhooks: so many requests over real sockets, half of them doubles, into a real database, first
//! at an even pace, then as fast as 64 connections can. A scripted connector reads them and counts what it is asked for.
//! Fails when one is not answered 200, or a changed note is not read exactly once. Must not know how the agent does it.

use crate::figures::{plain, time};
use crate::{say, starts};
use anyhow::{Context as _, bail, ensure};
use async_trait::async_trait;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use waybill_engine::connectors::{Binding, CallsUsed, Connectors};
use waybill_engine::{Engine, EngineOptions, EngineParts};
use waybill_host::connector::{Answer, Call, CallError, Connector, Received};
use waybill_host::ports::{Clock, Rng};
use waybill_http::{serve_hooks, usual_limit};
use waybill_model::contract::{
    ChoicePage, Delivered, Delivery, Descriptor, Feed, Hint, Moment, Page, Pairs, Problem, Role,
    Scope, Settled, Verdict,
};
use waybill_model::document::{Body, Document, Entity, Parcel, Shipment, Stage};
use waybill_model::ids::{ConnectionId, Generation, Millis};
use waybill_store::{ConnectionRow, Options, Place, Read, SealKey, Store};

const VENDOR: ConnectionId = ConnectionId(1);
const URL: &str = "https://hooks.example.com";
/// A double comes at most so many requests after the first.
const NEAR: usize = 64;
/// Longest wait until all is read and followed.
const PATIENCE: Duration = Duration::from_mins(5);

/// Webhooks: requests, answers, latency, commits and reads.
#[derive(Debug, Args)]
pub(crate) struct Hooks {
    /// Requests of one round; every note is told twice
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(2..=12_000))]
    requests: u32,
    /// Seconds over which the first round is spread
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    secs: u32,
    /// Connections that send
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=200))]
    connections: u32,
    /// Measure this very build, optimised or not
    #[arg(long)]
    pub(crate) as_built: bool,
}

struct Vendor {
    descriptor: Descriptor,
    roles: BTreeSet<Role>,
    callback: watch::Sender<String>,
    reads: Mutex<BTreeMap<String, u32>>,
    fetches: AtomicU64,
}

fn answer<T>(value: Result<T, CallError>) -> Answer<T> {
    Answer {
        value,
        writes: Vec::new(),
        exchanges: Vec::new(),
        hold_until: None,
        excused: false,
    }
}

fn none<T>() -> Answer<T> {
    answer(Err(CallError::Contract("not asked here".to_owned())))
}

fn note(key: &str) -> Document {
    Document {
        key: key.to_owned(),
        revision: "1".to_owned(),
        occurred_at: 0,
        body: Body::Shipment(Shipment {
            order_key: format!("sale-{key}"),
            stage: Stage::Shipped,
            shipped_at: Some(0),
            warehouse: Some("2".to_owned()),
            shipping_method: None,
            parcels: vec![Parcel {
                tracking: Some(format!("1Z{key}")),
                lines: Vec::new(),
                span: false,
                extras: Vec::new(),
            }],
            extras: Vec::new(),
        }),
    }
}

#[async_trait]
impl Connector for Vendor {
    fn generation(&self) -> Generation {
        Generation(1)
    }
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
    fn roles(&self) -> &BTreeSet<Role> {
        &self.roles
    }
    async fn validate(&self, _: Call) -> Answer<Vec<Problem>> {
        none()
    }
    async fn probe(&self, _: Call) -> Answer<Pairs> {
        none()
    }
    async fn choices(&self, _: Call, _: String, _: Option<String>) -> Answer<ChoicePage> {
        none()
    }
    async fn pull(&self, _: Call, _: Entity, _: Option<Vec<u8>>) -> Answer<Page> {
        answer(Ok(Page {
            documents: Vec::new(),
            cursor: vec![1],
            more: false,
        }))
    }
    async fn fetch(&self, _: Call, _: Entity, keys: Vec<String>) -> Answer<Vec<Document>> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let documents = keys.iter().map(|key| note(key)).collect();
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            *reads.entry(key).or_default() += 1;
        }
        answer(Ok(documents))
    }
    async fn settle(&self, _: Call, _: Moment, _: Vec<Settled>) -> Answer<Vec<Verdict>> {
        none()
    }
    async fn read(&self, _: Call, _: Entity, _: Scope, _: Option<Vec<u8>>) -> Answer<Page> {
        none()
    }
    async fn push(&self, _: Call, _: Vec<Delivery>) -> Answer<Vec<Verdict>> {
        none()
    }
    async fn confirm(&self, _: Call, _: Vec<String>) -> Answer<Vec<Verdict>> {
        none()
    }
    async fn receive(&self, _: Call, batch: Vec<Delivered>) -> Answer<Received> {
        let hint = |delivered: &Delivered| {
            let said: serde_json::Value =
                serde_json::from_slice(&delivered.body).unwrap_or_default();
            let key = said["id"].as_str();
            let key = key.ok_or_else(|| Problem::new("no-id", "It names no note.", "Look."))?;
            Ok(vec![Hint {
                entity: Entity::Shipment,
                key: key.to_owned(),
            }])
        };
        answer(Ok(batch.iter().map(hint).collect()))
    }
    async fn ensure(&self, _: Call, callback: String) -> Answer<Vec<String>> {
        self.callback.send_replace(callback);
        answer(Ok(vec!["goods-out notes".to_owned()]))
    }
}

struct Shelf(Arc<Vendor>);

impl Connectors for Shelf {
    fn descriptors(&self) -> Vec<Descriptor> {
        vec![self.0.descriptor.clone()]
    }
    fn bind(&self, _: &str, _: Binding) -> Result<Arc<dyn Connector>, String> {
        Ok(self.0.clone())
    }
    fn calls_used(&self, _: ConnectionId) -> CallsUsed {
        CallsUsed::default()
    }
}

/// Real time, from an arbitrary start.
struct Watch(Instant);

#[async_trait]
impl Clock for Watch {
    fn now_ms(&self) -> Millis {
        let passed = Millis::try_from(self.0.elapsed().as_millis()).unwrap_or(Millis::MAX);
        1_795_219_200_000_i64.saturating_add(passed)
    }
    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

struct Even;

impl Rng for Even {
    fn next_u64(&self) -> u64 {
        7
    }
}

fn vendor() -> (Arc<Vendor>, watch::Receiver<String>) {
    let (callback, registered) = watch::channel(String::new());
    let descriptor = Descriptor {
        id: "vendor".to_owned(),
        version: "1".to_owned(),
        title: "Vendor".to_owned(),
        reach: Vec::new(),
        credentials: Vec::new(),
        settings: Vec::new(),
        tables: Vec::new(),
        pulls: vec![Feed {
            entity: Entity::Shipment,
            poll_secs: 3_600,
            settles: Vec::new(),
        }],
        pushes: Vec::new(),
    };
    let vendor = Vendor {
        descriptor,
        roles: BTreeSet::from([Role::Source, Role::Webhook]),
        callback,
        reads: Mutex::default(),
        fetches: AtomicU64::new(0),
    };
    (Arc::new(vendor), registered)
}

fn set_up(store: &Store) -> anyhow::Result<()> {
    let row = ConnectionRow {
        id: ConnectionId(0),
        name: "vendor".to_owned(),
        connector: "vendor".to_owned(),
        title: "Vendor".to_owned(),
        paused: false,
        allow_private: false,
        grants: Vec::new(),
        created_at: 0,
        hold_until: None,
        unauthorized: None,
        last_ok: None,
        last_error: None,
        clock_skew_ms: None,
    };
    store.write_blocking(move |tx| {
        tx.put_connection(&row)?;
        let scope = waybill_store::Scope {
            connection: Some(VENDOR),
            retailer: None,
        };
        tx.set_setting(&scope, "hooks.public-url", Some(URL), "measure", 0)
    })?;
    Ok(())
}

/// Measures both rounds.
pub(crate) async fn measure(wanted: &Hooks) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let place = Place::File(folder.path().join("waybill.redb"));
    let store = Store::open(Options::new(place, SealKey::generate()?))?;
    set_up(&store)?;
    let (vendor, mut registered) = vendor();
    let (engine, handle) = Engine::open(EngineParts {
        store: store.clone(),
        clock: Arc::new(Watch(starts::now())),
        rng: Arc::new(Even),
        connectors: Arc::new(Shelf(vendor.clone())),
        options: EngineOptions {
            hooks: true,
            ..EngineOptions::default()
        },
        observer: None,
    })?;
    let stop = CancellationToken::new();
    let socket = TcpListener::bind("127.0.0.1:0").await?;
    let address = socket.local_addr()?;
    let listener = tokio::spawn(serve_hooks(socket, handle, usual_limit(), stop.clone()));
    let stopped = stop.clone();
    let engine = tokio::spawn(async move { engine.run(stopped).await });
    let callback = registered.wait_for(|url| !url.is_empty()).await?.clone();
    let path = callback.strip_prefix(URL).context("another address")?;
    let build = if cfg!(debug_assertions) {
        " (NOT an optimised build)"
    } else {
        ""
    };
    for (name, secs) in [("at an even pace", wanted.secs), ("as fast as possible", 0)] {
        say(&format!(
            "{} webhooks, half of them doubles, {} connections, {name}{build}",
            wanted.requests, wanted.connections
        ));
        let round = Round {
            name: if secs == 0 { "fast" } else { "even" },
            address,
            path: path.to_owned(),
            secs,
        };
        round.run(wanted, &store, &vendor).await?;
    }
    stop.cancel();
    listener.await??;
    engine.await??;
    let wrong = store.verify()?;
    ensure!(
        wrong.is_empty(),
        "the database disagrees with itself: {wrong:?}"
    );
    Ok(())
}

struct Round {
    name: &'static str,
    address: SocketAddr,
    path: String,
    /// Over which the requests are spread; 0: not at all.
    secs: u32,
}

/// Every note twice, the second time a little later.
fn order_of_sending(requests: u32) -> Vec<u32> {
    let mut all: Vec<(usize, u32)> = (0..requests.div_ceil(2))
        .flat_map(|note| {
            let at = note as usize * 2;
            [(at, note), (at + 1 + (note as usize * 37) % NEAR, note)]
        })
        .collect();
    all.sort_unstable();
    all.truncate(requests as usize);
    all.into_iter().map(|(_, note)| note).collect()
}

impl Round {
    /// Sends every request; how long each answer took.
    async fn send(&self, wanted: &Hooks, notes: &Arc<Vec<u32>>) -> anyhow::Result<Vec<Duration>> {
        let began = starts::now();
        let next = Arc::new(AtomicUsize::new(0));
        let mut senders = JoinSet::new();
        for _ in 0..wanted.connections {
            let each = Duration::from_secs(self.secs.into()) / wanted.requests;
            let sender = Sender {
                name: self.name,
                address: self.address,
                path: self.path.clone(),
                notes: notes.clone(),
                next: next.clone(),
                began,
                each,
            };
            senders.spawn(sender.run());
        }
        let mut took = Vec::new();
        while let Some(sent) = senders.join_next().await {
            took.extend(sent??);
        }
        Ok(took)
    }

    async fn run(&self, wanted: &Hooks, store: &Store, vendor: &Vendor) -> anyhow::Result<()> {
        let notes = Arc::new(order_of_sending(wanted.requests));
        let changed: BTreeSet<u32> = notes.iter().copied().collect();
        let (before, fetches) = (store.stats(), vendor.fetches.load(Ordering::Relaxed));
        vendor
            .reads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        let began = starts::now();
        let mut took = self.send(wanted, &notes).await?;
        let sending = began.elapsed();
        let taken = store.stats();
        settled(store).await?;
        let after = store.stats();
        let reads = vendor.reads.lock().unwrap_or_else(PoisonError::into_inner);
        took.sort_unstable();
        let at = |part: usize| {
            let place = (took.len() * part / 1000).min(took.len().saturating_sub(1));
            took.get(place).copied().unwrap_or_default()
        };
        say(&plain(
            "answered 200 after the commit",
            &took.len().to_string(),
        ));
        say(&plain("sent in", &time(sending)));
        say(&plain(
            "answered after (p50, p99, longest)",
            &format!("{}, {}, {}", time(at(500)), time(at(990)), time(at(1000))),
        ));
        say(&plain(
            "commits and syncs while taking them",
            &format!(
                "{}, {}",
                taken.commits - before.commits,
                taken.syncs - before.syncs
            ),
        ));
        say(&plain(
            "commits and syncs with reading and following",
            &format!(
                "{}, {}",
                after.commits - before.commits,
                after.syncs - before.syncs
            ),
        ));
        let total: u32 = reads.values().sum();
        say(&plain(
            "notes changed, reads of notes, calls for them",
            &format!(
                "{}, {total}, {}\n",
                changed.len(),
                vendor.fetches.load(Ordering::Relaxed) - fetches
            ),
        ));
        ensure!(
            took.len() == wanted.requests as usize,
            "not every request was answered"
        );
        ensure!(
            reads.len() == changed.len() && reads.values().all(|times| *times == 1),
            "{} notes changed, {} were read {total} times: a changed note must be read once",
            changed.len(),
            reads.len()
        );
        Ok(())
    }
}

/// Waits until every request was read and every hint followed.
async fn settled(store: &Store) -> anyhow::Result<()> {
    let began = starts::now();
    loop {
        let left = store.read(|rx| {
            Ok(rx.delivery_backlog(VENDOR)? + rx.hints_waiting(VENDOR, 100_000)? as u64)
        })?;
        if left == 0 {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "{left} are still waiting");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

struct Sender {
    name: &'static str,
    address: SocketAddr,
    path: String,
    notes: Arc<Vec<u32>>,
    next: Arc<AtomicUsize>,
    began: Instant,
    /// Time from one request to the next, over all connections.
    each: Duration,
}

impl Sender {
    /// Sends what is next until nothing is left; how long each answer took.
    async fn run(self) -> anyhow::Result<Vec<Duration>> {
        let mut stream = BufReader::new(TcpStream::connect(self.address).await?);
        stream.get_ref().set_nodelay(true)?;
        let mut took = Vec::new();
        loop {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(note) = self.notes.get(place) else {
                return Ok(took);
            };
            if !self.each.is_zero() {
                let due = self.began + self.each * u32::try_from(place)?;
                tokio::time::sleep_until(due.into()).await;
            }
            let body = format!(
                "{{\"accountCode\":\"northfold\",\"resourceType\":\"goods-out-note\",\"id\":\"{}-{note}\"}}",
                self.name
            );
            let request = format!(
                "POST {} HTTP/1.1\r\nhost: hooks.example.com\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                self.path,
                body.len()
            );
            let sent = starts::now();
            stream.write_all(request.as_bytes()).await?;
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            if !line.starts_with("HTTP/1.1 200") {
                bail!("a webhook was answered `{}`", line.trim());
            }
            while line != "\r\n" {
                line.clear();
                ensure!(stream.read_line(&mut line).await? > 0, "the answer was cut");
            }
            let mut body = [0; 2];
            stream.read_exact(&mut body).await?;
            took.push(sent.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_note_is_told_twice_and_soon() {
        let notes = order_of_sending(5_000);
        assert_eq!(notes.len(), 5_000);
        let mut places: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (place, note) in notes.into_iter().enumerate() {
            places.entry(note).or_default().push(place);
        }
        assert_eq!(places.len(), 2_500);
        assert!(
            places
                .values()
                .all(|p| p.len() == 2 && p[1] - p[0] <= 2 * NEAR)
        );
    }
}
