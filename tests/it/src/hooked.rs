//! A scripted vendor with webhooks over plain state: records with versions, a change log for polls, registrations that a
//! careless caller could double, and calls to us that are lost, doubled and come in any order. `Hooked` is one life of
//! an engine beside it.

use crate::erp::{answer, not_exported};
use crate::simulation::{START, SimClock, connection, open};
use crate::world::{Chance, SeededRng};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;
use waybill_engine::connectors::{Binding, CallsUsed, Connectors};
use waybill_engine::ports::StorePorts;
use waybill_engine::{Engine, EngineOptions, EngineParts, Handle, HookRefusal};
use waybill_host::connector::{Answer, Call, CallError, Connector, Received};
use waybill_host::ports::{Begun, Clock, Finish, Journal};
use waybill_model::contract::{
    ChoicePage, Delivered, Delivery, Descriptor, Failure, Feed, Hint, Moment, Page, Pairs, Problem,
    Role, Scope, Settled, Verdict,
};
use waybill_model::document::{Body, Document, Entity, Item, Warehouse};
use waybill_model::ids::{ConnectionId, Generation, Millis};
use waybill_store::sim_disk::SimDisk;
use waybill_store::{Read, Store};

/// The vendor's connection.
pub const VENDOR: ConnectionId = ConnectionId(1);
/// Where it calls us, without path.
pub const URL: &str = "https://hooks.example.com";

/// A kind and a key.
pub type Place = (Entity, String);

/// The vendor, as it is.
#[derive(Debug)]
pub struct Vendor {
    /// Version of each record.
    pub records: BTreeMap<Place, u64>,
    /// Every change, in order.
    pub log: Vec<Place>,
    /// Addresses it calls; the same one twice is called twice.
    pub registered: Vec<String>,
    /// Keys of each fetch.
    pub fetches: Vec<Vec<Place>>,
    /// Pages read.
    pub pulls: usize,
    /// Keys whose reading stops the connector.
    pub poison: BTreeSet<String>,
    /// Calls that fail, in a thousand.
    pub faults: u64,
    /// Chance of the vendor.
    pub chance: Chance,
    /// Why webhooks cannot be registered now.
    pub no_hooks: Option<Failure>,
}

impl Vendor {
    /// Nothing is there yet.
    pub fn new(seed: u64, faults: u64) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            records: BTreeMap::new(),
            log: Vec::new(),
            registered: Vec::new(),
            fetches: Vec::new(),
            pulls: 0,
            poison: BTreeSet::new(),
            faults,
            chance: Chance::new(seed),
            no_hooks: None,
        }))
    }

    /// A record is made or changed.
    pub fn change(&mut self, entity: Entity, key: &str) {
        let place = (entity, key.to_owned());
        *self.records.entry(place.clone()).or_default() += 1;
        self.log.push(place);
    }

    fn cut(&mut self) -> Result<(), CallError> {
        if self.chance.per_mille(self.faults) {
            return Err(CallError::Failure(Failure::Retry(None)));
        }
        Ok(())
    }

    fn document(&self, place: &Place) -> Option<Document> {
        let version = self.records.get(place)?;
        let body = match place.0 {
            Entity::Item => Body::Item(Item {
                identifiers: Vec::new(),
                title: format!("version {version}"),
                tracked: true,
                active: true,
                components: Vec::new(),
                extras: Vec::new(),
            }),
            Entity::Order => {
                let mut document = crate::bench::order(&place.1, 1, |order| {
                    // An order that is to leave within the hour.
                    if place.1.starts_with("near")
                        && let Some(by) = &mut order.ship_by
                    {
                        by.at = START + 3_600_000;
                    }
                });
                document.revision = version.to_string();
                return Some(document);
            }
            _ => Body::Warehouse(Warehouse {
                code: place.1.clone(),
                name: format!("version {version}"),
                active: true,
                extras: Vec::new(),
            }),
        };
        Some(Document {
            key: place.1.clone(),
            revision: version.to_string(),
            occurred_at: 0,
            body,
        })
    }
}

/// Locks the vendor; there is one thread.
pub fn lock(vendor: &Mutex<Vendor>) -> MutexGuard<'_, Vendor> {
    vendor.lock().expect("one thread")
}

/// The request the vendor makes about a record.
pub fn request(entity: Entity, key: &str) -> Vec<u8> {
    format!("{entity} {key}").into_bytes()
}

struct Script {
    vendor: Arc<Mutex<Vendor>>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    descriptor: Descriptor,
    roles: BTreeSet<Role>,
}

fn descriptor(poll_secs: u32) -> Descriptor {
    let feed = |entity| Feed {
        entity,
        poll_secs,
        settles: Vec::new(),
    };
    Descriptor {
        id: "vendor".to_owned(),
        version: "1".to_owned(),
        title: "Vendor".to_owned(),
        reach: Vec::new(),
        credentials: Vec::new(),
        settings: Vec::new(),
        tables: Vec::new(),
        pulls: [Entity::Item, Entity::Warehouse, Entity::Order]
            .map(feed)
            .into(),
        pushes: Vec::new(),
    }
}

fn understood(delivered: &Delivered) -> Result<Vec<Hint>, Problem> {
    let not = || Problem::new("not-understood", "It makes no sense.", "Look.");
    let text = std::str::from_utf8(&delivered.body).map_err(|_| not())?;
    let (entity, key) = text.split_once(' ').ok_or_else(not)?;
    let entity = Entity::from_word(entity).ok_or_else(not)?;
    let hint = |key: &str| Hint {
        entity,
        key: key.to_owned(),
    };
    Ok(key.split(',').map(hint).collect())
}

impl Script {
    /// Waits as long as a call takes.
    async fn wire(&self) {
        let ms = lock(&self.vendor).chance.below(400) + 20;
        self.clock.sleep_ms(ms).await;
    }
}

#[async_trait]
impl Connector for Script {
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
        answer(Ok(Vec::new()))
    }
    async fn probe(&self, _: Call) -> Answer<Pairs> {
        answer(Ok(Vec::new()))
    }
    async fn choices(&self, _: Call, _: String, _: Option<String>) -> Answer<ChoicePage> {
        answer(Err(not_exported()))
    }
    async fn pull(&self, _: Call, entity: Entity, cursor: Option<Vec<u8>>) -> Answer<Page> {
        let read = {
            let mut vendor = lock(&self.vendor);
            vendor.pulls += 1;
            let from = cursor
                .and_then(|c| String::from_utf8(c).ok())
                .and_then(|c| c.parse().ok())
                .unwrap_or(0);
            let places: BTreeSet<Place> = vendor
                .log
                .iter()
                .skip(from)
                .filter(|(e, _)| *e == entity)
                .cloned()
                .collect();
            let page = Page {
                documents: places.iter().filter_map(|p| vendor.document(p)).collect(),
                cursor: vendor.log.len().to_string().into_bytes(),
                more: false,
            };
            vendor.cut().map(|()| page)
        };
        // What was read is on its way while the vendor goes on.
        self.wire().await;
        answer(read)
    }
    async fn fetch(&self, _: Call, entity: Entity, keys: Vec<String>) -> Answer<Vec<Document>> {
        let read = {
            let mut vendor = lock(&self.vendor);
            let places: Vec<Place> = keys.into_iter().map(|key| (entity, key)).collect();
            vendor.fetches.push(places.clone());
            if places.iter().any(|(_, key)| vendor.poison.contains(key)) {
                Err(CallError::Trapped("out of bounds".to_owned()))
            } else {
                let documents = places.iter().filter_map(|p| vendor.document(p)).collect();
                vendor.cut().map(|()| documents)
            }
        };
        self.wire().await;
        answer(read)
    }
    async fn settle(&self, _: Call, _: Moment, _: Vec<Settled>) -> Answer<Vec<Verdict>> {
        answer(Err(not_exported()))
    }
    async fn read(&self, _: Call, _: Entity, _: Scope, _: Option<Vec<u8>>) -> Answer<Page> {
        answer(Err(not_exported()))
    }
    async fn push(&self, _: Call, _: Vec<Delivery>) -> Answer<Vec<Verdict>> {
        answer(Err(not_exported()))
    }
    async fn confirm(&self, _: Call, _: Vec<String>) -> Answer<Vec<Verdict>> {
        answer(Err(not_exported()))
    }
    async fn receive(&self, _: Call, batch: Vec<Delivered>) -> Answer<Received> {
        if batch.iter().any(|d| d.body == b"stop") {
            return answer(Err(CallError::Trapped("out of bounds".to_owned())));
        }
        answer(Ok(batch.iter().map(understood).collect()))
    }
    async fn ensure(&self, call: Call, callback: String) -> Answer<Vec<String>> {
        let look = {
            let mut vendor = lock(&self.vendor);
            let refused = vendor.no_hooks.clone().map(CallError::Failure);
            let there = vendor.registered.contains(&callback);
            refused
                .map_or(Ok(()), Err)
                .and_then(|()| vendor.cut())
                .map(|()| there)
        };
        self.wire().await;
        match look {
            Err(error) => return answer(Err(error)),
            Ok(true) => {}
            Ok(false) => {
                let begun = self
                    .journal
                    .begin(
                        call.connection,
                        &call.scope,
                        "register",
                        &[],
                        Some(Millis::MAX),
                    )
                    .await;
                let Ok(Begun::Fresh(effect)) = begun else {
                    return answer(Err(CallError::Failure(Failure::Retry(None))));
                };
                lock(&self.vendor).registered.push(callback);
                self.wire().await;
                if let Err(error) = lock(&self.vendor).cut() {
                    return answer(Err(error));
                }
                drop(
                    self.journal
                        .finish(effect, Finish::Answered(Vec::new()))
                        .await,
                );
            }
        }
        answer(Ok(vec!["everything".to_owned()]))
    }
    async fn remove(&self, _: Call, callback: String) -> Answer<()> {
        self.wire().await;
        let mut vendor = lock(&self.vendor);
        answer(
            vendor
                .cut()
                .map(|()| vendor.registered.retain(|at| *at != callback)),
        )
    }
}

struct Scripts(Arc<Script>);

impl Connectors for Scripts {
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

/// One life of an engine beside the vendor.
pub struct Hooked {
    /// Its database.
    pub store: Store,
    /// Its door.
    pub handle: Handle,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The other side.
    pub vendor: Arc<Mutex<Vendor>>,
    stop: CancellationToken,
    running: Option<tokio::task::JoinHandle<()>>,
}

/// Simulated time from the usual start.
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SimClock {
        start: tokio::time::Instant::now(),
    })
}

impl Hooked {
    /// Starts an engine on that disk; its connection has an address for webhooks, and polls that often.
    ///
    /// # Panics
    /// When the store or the engine does not open.
    pub fn start(
        vendor: &Arc<Mutex<Vendor>>,
        disk: &SimDisk,
        clock: &Arc<dyn Clock>,
        poll_secs: u32,
    ) -> Self {
        let store = open(disk);
        store
            .write_blocking(|tx| {
                if tx.connections()?.is_empty() {
                    tx.put_connection(&connection("vendor", "Vendor"))?;
                    let scope = waybill_store::Scope {
                        connection: Some(VENDOR),
                        retailer: None,
                    };
                    tx.set_setting(&scope, "hooks.public-url", Some(URL), "test", START)?;
                    let agent = waybill_store::Scope::default();
                    tx.set_setting(&agent, "retry-cap-secs", Some("5"), "test", START)?;
                }
                Ok(())
            })
            .expect("the set-up is stored");
        let script = Arc::new(Script {
            vendor: vendor.clone(),
            journal: Arc::new(StorePorts::new(store.clone(), clock.clone())),
            clock: clock.clone(),
            descriptor: descriptor(poll_secs),
            roles: BTreeSet::from([Role::Source, Role::Webhook]),
        });
        let parts = EngineParts {
            store: store.clone(),
            clock: clock.clone(),
            rng: Arc::new(SeededRng(Mutex::new(Chance::new(7)))),
            connectors: Arc::new(Scripts(script)),
            options: EngineOptions {
                hooks: true,
                ..EngineOptions::default()
            },
            observer: None,
        };
        let (engine, handle) = Engine::open(parts).expect("the engine opens");
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let running = tokio::spawn(async move {
            // A disk that failed ends the engine; the test goes on with a new life.
            drop(engine.run(stopped).await);
        });
        Self {
            store,
            handle,
            clock: clock.clone(),
            vendor: vendor.clone(),
            stop,
            running: Some(running),
        }
    }

    /// Lets that much time pass.
    pub async fn pass(&self, ms: u64) {
        self.clock.sleep_ms(ms).await;
    }

    /// Whether the engine ended by itself.
    pub fn has_ended(&self) -> bool {
        self.running
            .as_ref()
            .is_none_or(tokio::task::JoinHandle::is_finished)
    }

    /// The vendor calls every address it knows.
    pub async fn call(&self, body: &[u8]) -> Result<(), HookRefusal> {
        let addresses = lock(&self.vendor).registered.clone();
        let mut last = Err(HookRefusal::Unknown);
        for address in addresses {
            let path = address.strip_prefix(URL).unwrap_or_default();
            let mut parts = path.trim_start_matches("/hooks/").split('/');
            let (name, secret) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
            last = self
                .handle
                .take_delivery(name, secret.as_bytes(), Vec::new(), body.to_vec())
                .await;
        }
        last
    }

    /// What the store has of the vendor: kind, key and revision.
    ///
    /// # Panics
    /// When the store cannot be read.
    pub fn known(&self) -> BTreeMap<Place, u64> {
        self.store
            .read(|rx| {
                let mut known = BTreeMap::new();
                for entity in [Entity::Item, Entity::Warehouse, Entity::Order] {
                    for row in rx.latest_documents(VENDOR, entity, None, 10_000)? {
                        let version = row.document.revision.parse().unwrap_or(0);
                        known.insert((entity, row.document.key), version);
                    }
                }
                Ok(known)
            })
            .expect("the store reads")
    }

    /// Requests and hints that wait.
    ///
    /// # Panics
    /// When the store cannot be read.
    pub fn waiting(&self) -> (u64, usize) {
        let waiting = self.store.read(|rx| {
            Ok((
                rx.delivery_backlog(VENDOR)?,
                rx.hints_waiting(VENDOR, 9_999)?,
            ))
        });
        waiting.expect("the store reads")
    }

    /// Stops the engine as a person would, or as a crash does: without asking it.
    ///
    /// # Panics
    /// When the store disagrees with itself.
    pub async fn end(mut self, politely: bool) {
        let running = self.running.take();
        if politely {
            self.stop.cancel();
            if let Some(running) = running {
                running.await.expect("the engine stops");
            }
            let wrong = self.store.verify().expect("the store reads");
            assert!(wrong.is_empty(), "{wrong:#?}");
        } else if let Some(running) = running {
            running.abort();
            drop(running.await);
        }
    }
}

/// What becomes of the vendor's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Post {
    /// None arrives.
    Lost,
    /// All arrive, at once and in order.
    Sound,
    /// Some are lost, some come several times, and in any order.
    Wild,
}

/// A day with crashes and faults; what is wrong at its end, in words, and how often it crashed.
///
/// # Panics
/// When the store cannot be opened after a crash: that is a finding.
pub async fn day(seed: u64, post: Post) -> (Vec<String>, u64) {
    let clock = clock();
    let vendor = Vendor::new(seed, 60);
    let mut chance = Chance::new(seed ^ 0xF00D);
    let mut disk = SimDisk::new(seed);
    let mut on_the_way: Vec<(Millis, Vec<u8>)> = Vec::new();
    let mut changes = 120;
    for life in 0..4_u64 {
        let last = life == 3;
        let hooked = Hooked::start(&vendor, &disk, &clock, 20);
        if !last && chance.below(2) == 0 {
            disk.fail_at(disk.syncs() + chance.below(80) + 2);
        }
        let until = clock.now_ms() + Millis::try_from(chance.below(60_000)).unwrap_or(0) + 5_000;
        while !hooked.has_ended() && (last || clock.now_ms() < until) {
            hooked.pass(250).await;
            for _ in 0..chance.below(3).min(changes) {
                changes -= 1;
                let entity = [Entity::Item, Entity::Warehouse][usize::from(chance.below(2) == 0)];
                let key = format!("{}", chance.below(12));
                lock(&vendor).change(entity, &key);
                let copies = match post {
                    Post::Lost => 0,
                    Post::Sound => 1,
                    Post::Wild => chance.below(4),
                };
                for _ in 0..copies {
                    let wait = if post == Post::Wild {
                        chance.below(30_000)
                    } else {
                        0
                    };
                    let at = clock.now_ms() + Millis::try_from(wait).unwrap_or(0);
                    on_the_way.push((at, request(entity, &key)));
                }
            }
            let now = clock.now_ms();
            let (due, later) = on_the_way.into_iter().partition(|(at, _)| *at <= now);
            on_the_way = later;
            let due: Vec<(Millis, Vec<u8>)> = due;
            for (_, body) in due {
                // Not taken: it comes again, as vendors do.
                if hooked.call(&body).await.is_err() && post != Post::Lost && !last {
                    on_the_way.push((now + 4_000, body));
                }
            }
            if last && changes == 0 && on_the_way.is_empty() && clock.now_ms() > until + 90_000 {
                break;
            }
        }
        if last {
            let wrong = judge(&hooked, post);
            hooked.end(true).await;
            return (wrong, life);
        }
        hooked.end(false).await;
        disk = SimDisk::with_image(chance.draw(), disk.crash());
    }
    unreachable!("the last life ends the day")
}

fn judge(hooked: &Hooked, post: Post) -> Vec<String> {
    let mut wrong = Vec::new();
    let vendor = lock(&hooked.vendor);
    if hooked.known() != vendor.records {
        wrong.push(format!(
            "known {:?}, true {:?}",
            hooked.known(),
            vendor.records
        ));
    }
    if hooked.waiting() != (0, 0) {
        wrong.push(format!("{:?} still wait", hooked.waiting()));
    }
    if vendor.registered.len() != 1 {
        wrong.push(format!("registered at {:?}", vendor.registered));
    }
    if (post == Post::Lost) != vendor.fetches.is_empty() {
        wrong.push(format!("{} fetches", vendor.fetches.len()));
    }
    wrong
}
