//! One engine between two scripted sides whose every answer a test chooses. Time is simulated; nothing is left to chance.

use crate::erp::answer;
use crate::simulation::{START, SimClock, open};
use crate::swapped::Folder;
use crate::world::{Chance, SeededRng};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;
use waybill_engine::ports::StorePorts;
use waybill_engine::swap;
use waybill_engine::{EngineOptions, EngineParts, FreeSpace, Handle};
use waybill_host::connector::{Answer, Call, CallError, Connector, Mode};
use waybill_host::ports::{Clock, Journal};
use waybill_model::contract::{
    ChoicePage, Delivery, Descriptor, Failure, Moment, Outcome, Page, Pairs, Problem, Receipt,
    Role, Scope, Settled, Verdict,
};
use waybill_model::document::{Body, Document, Entity, Shipment};
use waybill_model::ids::{ConnectionId, Generation, Millis};
use waybill_model::job::Priority;
use waybill_store::sim_disk::SimDisk;
use waybill_store::{CardRow, JobRow, OrderRow, Read, Store};

use crate::documents::level;
pub use crate::documents::{billed, invoice, item, note, order, parcel, request, state};
use crate::listing;
use crate::practised::practised;
use crate::sides::Sides;
pub use crate::start::Start;
use crate::start::{erp, network, set_up};

/// The network's connection.
pub const NETWORK: ConnectionId = ConnectionId(1);
/// The ERP's connection.
pub const ERP: ConnectionId = ConnectionId(2);

/// What a call answers.
pub type Verdicts = Result<Vec<Verdict>, CallError>;
/// Chooses the answer to a settle.
pub type OnSettle = Box<dyn FnMut(Moment, &[Settled]) -> Verdicts + Send>;
/// Chooses the answer to a push.
pub type OnPush = Box<dyn FnMut(&[Delivery]) -> Verdicts + Send>;
/// Chooses the answer to a question about tickets.
pub type OnConfirm = Box<dyn FnMut(&[String]) -> Verdicts + Send>;

/// A receipt with this key.
pub fn receipt(key: &str) -> Verdict {
    Ok(Outcome::Done(Receipt {
        key: key.to_owned(),
        number: None,
        duplicate: false,
        links: Vec::new(),
    }))
}

/// Runs a case in simulated time.
///
/// # Panics
/// When no runtime starts.
pub fn in_simulated_time<T>(case: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(case)
}

/// One side: what it hands out, and what it answers.
pub struct Side {
    descriptor: Descriptor,
    roles: BTreeSet<Role>,
    clock: Arc<dyn Clock>,
    /// What its feeds hand out, each document once.
    pub documents: Mutex<Vec<Document>>,
    /// What only a listing hands out.
    pub older: Mutex<Vec<Document>>,
    /// Invoices that were sent, as a listing shows them by number.
    pub billed: Mutex<BTreeMap<String, Document>>,
    /// What a listing answers instead.
    pub unlisted: Mutex<Option<(Entity, Failure)>>,
    /// Answers.
    pub on_settle: Mutex<OnSettle>,
    /// Answers.
    pub on_push: Mutex<OnPush>,
    /// Answers.
    pub on_confirm: Mutex<OnConfirm>,
    /// Pushes begin an effect in this journal and leave it open.
    pub leaves_open: Mutex<Option<Arc<dyn Journal>>>,
    /// Calls with the number of their members.
    pub calls: Mutex<Vec<(&'static str, usize)>>,
    /// Keys that are not there any more when they are fetched.
    pub gone: Mutex<BTreeSet<String>>,
    /// Calls with their priority.
    pub priorities: Mutex<Vec<(&'static str, Priority)>>,
    /// Units on hand of each item, in its one warehouse.
    pub stock: Mutex<BTreeMap<String, i64>>,
    /// Documents that pulls show.
    hidden: Mutex<Option<usize>>,
    /// The stages that pulls were told.
    pub stages: Mutex<BTreeSet<String>>,
    /// Builds that pushed, in order.
    pub pushes: Mutex<Vec<Generation>>,
    /// Settings that probes were told.
    pub probes: Mutex<Vec<Pairs>>,
    /// What it offers for settings: value, and whether it is hidden. Without an entry the list does not come.
    pub lists: Mutex<BTreeMap<String, Vec<(&'static str, bool)>>>,
}

/// Locks what only one thread uses.
pub fn held<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("one thread")
}

impl Side {
    pub(crate) fn new(descriptor: Descriptor, roles: &[Role], clock: Arc<dyn Clock>) -> Arc<Self> {
        let mut sale = 0_u32;
        Arc::new(Self {
            descriptor,
            roles: roles.iter().copied().collect(),
            clock,
            documents: Mutex::default(),
            older: Mutex::default(),
            billed: Mutex::default(),
            unlisted: Mutex::default(),
            on_settle: Mutex::new(Box::new(|_, batch| {
                Ok(batch.iter().map(|s| receipt(&s.key)).collect())
            })),
            on_push: Mutex::new(Box::new(move |batch| {
                let mut one = |_: &Delivery| {
                    sale += 1;
                    receipt(&format!("{}", 500 + sale))
                };
                Ok(batch.iter().map(&mut one).collect())
            })),
            on_confirm: Mutex::new(Box::new(|handles| {
                Ok(handles.iter().map(|h| receipt(h)).collect())
            })),
            leaves_open: Mutex::default(),
            calls: Mutex::default(),
            gone: Mutex::default(),
            priorities: Mutex::default(),
            stock: Mutex::default(),
            hidden: Mutex::default(),
            stages: Mutex::default(),
            pushes: Mutex::default(),
            probes: Mutex::default(),
            lists: Mutex::default(),
        })
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(crate) fn pushed_by(&self, generation: Generation) {
        held(&self.pushes).push(generation);
    }

    pub(crate) fn probed(&self, settings: &Pairs) {
        held(&self.probes).push(settings.clone());
    }

    fn call(&self, what: &'static str, members: usize) {
        held(&self.calls).push((what, members));
    }

    pub(crate) fn own_descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// How many calls of that kind came.
    pub fn count(&self, what: &str) -> usize {
        held(&self.calls).iter().filter(|(w, _)| *w == what).count()
    }

    /// Pulls show nothing from that document on; fetches do.
    pub fn hide_after(&self, documents: usize) {
        *held(&self.hidden) = Some(documents);
    }

    fn listed(&self, entity: Entity, scope: &Scope, cursor: Option<&[u8]>) -> Page {
        let (known, billed) = (held(&self.older), held(&self.billed));
        listing::page(known.iter().chain(billed.values()), entity, scope, cursor)
    }

    fn pulled(&self, entity: Entity, cursor: Option<&[u8]>) -> Page {
        let documents = held(&self.documents);
        let shown = held(&self.hidden).unwrap_or(documents.len());
        let documents = documents.get(..shown).unwrap_or_default();
        let from: usize = cursor
            .and_then(|c| std::str::from_utf8(c).ok())
            .and_then(|c| c.parse().ok())
            .unwrap_or(0);
        let own = |d: &&Document| match entity {
            Entity::Order => matches!(d.body, Body::Order(_) | Body::Cancellation(_)),
            entity => d.body.entity() == entity,
        };
        Page {
            documents: documents.iter().skip(from).filter(own).cloned().collect(),
            cursor: documents.len().to_string().into_bytes(),
            more: false,
        }
    }
}

#[async_trait]
impl Connector for Side {
    fn generation(&self) -> Generation {
        Generation(1)
    }
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
    fn roles(&self) -> &BTreeSet<Role> {
        &self.roles
    }
    async fn validate(&self, call: Call) -> Answer<Vec<Problem>> {
        answer(Ok(listing::no_numbers(&call.context.settings)))
    }
    async fn probe(&self, _: Call) -> Answer<Pairs> {
        answer(Ok(Vec::new()))
    }
    async fn choices(&self, _: Call, key: String, _: Option<String>) -> Answer<ChoicePage> {
        self.call("choices", 1);
        answer(listing::offered(held(&self.lists).get(&key)))
    }
    async fn pull(&self, call: Call, entity: Entity, cursor: Option<Vec<u8>>) -> Answer<Page> {
        self.clock.sleep_ms(10).await;
        self.call("pull", 1);
        held(&self.stages).extend(
            call.context
                .settings
                .iter()
                .find(|(key, _)| key == "shipments.stage")
                .map(|(_, stage)| stage.clone()),
        );
        held(&self.priorities).push(("pull", call.priority));
        answer(Ok(self.pulled(entity, cursor.as_deref())))
    }
    async fn fetch(&self, _: Call, entity: Entity, keys: Vec<String>) -> Answer<Vec<Document>> {
        self.clock.sleep_ms(10).await;
        self.call("fetch", keys.len());
        if entity == Entity::InventoryLevel {
            let stock = held(&self.stock);
            let known = keys.iter().filter_map(|key| stock.get_key_value(key));
            return answer(Ok(known.map(|(key, units)| level(key, *units)).collect()));
        }
        let (documents, gone) = (held(&self.documents), held(&self.gone));
        let newest = keys.iter().filter(|key| !gone.contains(*key)).map(|key| {
            let mut revisions = documents.iter().rev();
            revisions.find(|d| d.key == *key && d.body.entity() == entity)
        });
        answer(Ok(newest.flatten().cloned().collect()))
    }
    async fn settle(
        &self,
        call: Call,
        moment: Moment,
        batch: Vec<Settled>,
    ) -> Answer<Vec<Verdict>> {
        self.clock.sleep_ms(10).await;
        if call.mode == Mode::Practice {
            self.call("practised", batch.len());
            return practised(batch.iter().map(|s| s.key.as_str()));
        }
        self.call("settle", batch.len());
        answer((held(&self.on_settle))(moment, &batch))
    }
    async fn read(
        &self,
        _: Call,
        entity: Entity,
        scope: Scope,
        cursor: Option<Vec<u8>>,
    ) -> Answer<Page> {
        // Pages of a listing take their time.
        self.clock.sleep_ms(300).await;
        self.call("read", 1);
        if let Some((_, failure)) = held(&self.unlisted).clone().filter(|(of, _)| *of == entity) {
            return answer(Err(CallError::Failure(failure)));
        }
        answer(Ok(self.listed(entity, &scope, cursor.as_deref())))
    }
    async fn push(&self, call: Call, batch: Vec<Delivery>) -> Answer<Vec<Verdict>> {
        self.clock.sleep_ms(10).await;
        if call.mode == Mode::Practice {
            self.call("practised", batch.len());
            return practised(batch.iter().map(|d| d.document.key.as_str()));
        }
        let journal = held(&self.leaves_open).clone();
        if let Some(journal) = journal {
            for member in 0..u32::try_from(batch.len()).expect("a small batch") {
                journal
                    .begin(call.connection, &call.scope, "create", &[member], None)
                    .await
                    .expect("the journal answers");
            }
        }
        let what = match batch.first().map(|d| d.document.body.entity()) {
            Some(Entity::Customer) => "customer",
            Some(Entity::Shipment) => "shipment",
            Some(Entity::Cancellation) => "cancel",
            Some(Entity::Invoice) => "invoice",
            Some(Entity::InventoryLevel) => "levels",
            _ => "push",
        };
        self.call(what, batch.len());
        held(&self.priorities).push((what, call.priority));
        held(&self.billed).extend(batch.iter().filter_map(|delivery| {
            let Body::Invoice(made) = &delivery.document.body else {
                return None;
            };
            Some((made.number.clone(), delivery.document.clone()))
        }));
        answer((held(&self.on_push))(&batch))
    }
    async fn confirm(&self, _: Call, handles: Vec<String>) -> Answer<Vec<Verdict>> {
        self.clock.sleep_ms(10).await;
        self.call("confirm", handles.len());
        answer((held(&self.on_confirm))(&handles))
    }
}

/// The engine, its store and both sides.
pub struct Bench {
    /// Its database.
    pub store: Store,
    /// Its door.
    pub handle: Handle,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where orders come from.
    pub network: Arc<Side>,
    /// Where sales go.
    pub erp: Arc<Side>,
    /// Whether the ERP's connector cannot be bound; counts from the next reload on.
    pub erp_is_missing: Arc<AtomicBool>,
    /// Free bytes of the disk.
    pub free: Arc<AtomicU64>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

impl Bench {
    /// Starts an engine on a fresh database. Every item `SKU-n` is known.
    ///
    /// # Panics
    /// When the store or the engine does not open.
    pub fn start(start: Start) -> Self {
        Self::on(&SimDisk::new(1), start)
    }

    /// The same on a disk that may lose its power.
    ///
    /// # Panics
    /// When the store or the engine does not open.
    pub fn on(disk: &SimDisk, start: Start) -> Self {
        let store = open(disk);
        set_up(&store, start);
        let (clock, sides) = Self::sides(start, None);
        Self::run(store, clock, &sides)
    }

    /// Starts an engine whose ERP connector comes from a folder of builds; on the database of an earlier bench, where
    /// there is one.
    ///
    /// # Panics
    /// When the store or the engine does not open.
    pub async fn with_folder(start: Start, folder: &Arc<Folder>, store: Option<Store>) -> Self {
        let store = store.unwrap_or_else(|| {
            let store = open(&SimDisk::new(1));
            set_up(&store, start);
            store
        });
        let (clock, sides) = Self::sides(start, Some(folder.clone()));
        folder.serve(sides.erp.clone());
        swap::start(&store, &*sides, clock.now_ms())
            .await
            .expect("the store answers");
        Self::run(store, clock, &sides)
    }

    fn sides(start: Start, folder: Option<Arc<Folder>>) -> (Arc<dyn Clock>, Arc<Sides>) {
        let clock: Arc<dyn Clock> = Arc::new(SimClock {
            start: tokio::time::Instant::now(),
        });
        let sides = Self::sides_at(start, folder, &clock);
        (clock, sides)
    }

    fn sides_at(start: Start, folder: Option<Arc<Folder>>, clock: &Arc<dyn Clock>) -> Arc<Sides> {
        let network = Side::new(
            network(start),
            &[Role::Source, Role::Listing, Role::Sink, Role::Tickets],
            clock.clone(),
        );
        let erp = Side::new(
            erp(start.max_batch, start.poll_secs),
            &[Role::Source, Role::Listing, Role::Sink],
            clock.clone(),
        );
        held(&erp.documents).extend((0..5).map(|n| item(&format!("SKU-{n}"), &n.to_string())));
        let sides = Sides {
            network,
            erp,
            erp_is_missing: Arc::default(),
            folder,
            builds: Mutex::default(),
        };
        Arc::new(sides)
    }

    /// Kills the engine and starts another on the same store, with sides that know nothing. Time goes on.
    #[must_use]
    pub fn again(self, start: Start) -> Self {
        let clock = self.clock.clone();
        let store = self.kill();
        Self::anew(store, clock, start)
    }

    /// The same on what is left of its disk.
    #[must_use]
    pub fn again_on(self, disk: &SimDisk, start: Start) -> Self {
        let clock = self.clock.clone();
        drop(self.kill());
        Self::anew(open(disk), clock, start)
    }

    fn anew(store: Store, clock: Arc<dyn Clock>, start: Start) -> Self {
        let sides = Self::sides_at(start, None, &clock);
        Self::run(store, clock, &sides)
    }

    fn run(store: Store, clock: Arc<dyn Clock>, sides: &Arc<Sides>) -> Self {
        let free = Arc::new(AtomicU64::new(1 << 40));
        let asked = free.clone();
        let parts = EngineParts {
            store: store.clone(),
            clock: clock.clone(),
            rng: Arc::new(SeededRng(Mutex::new(Chance::new(7)))),
            connectors: sides.clone(),
            options: EngineOptions {
                free_space: Some(FreeSpace(Arc::new(move || {
                    Ok(asked.load(Ordering::Relaxed))
                }))),
                ..EngineOptions::default()
            },
            observer: None,
        };
        let (handle, stop, running) = crate::start::engine(parts);
        Self {
            store,
            handle,
            clock,
            network: sides.network.clone(),
            erp: sides.erp.clone(),
            erp_is_missing: sides.erp_is_missing.clone(),
            free,
            stop,
            running,
        }
    }

    /// The journal, as the host would use it.
    pub fn journal(&self) -> Arc<dyn Journal> {
        Arc::new(StorePorts::new(self.store.clone(), self.clock.clone()))
    }

    /// Lets that much time pass.
    pub async fn pass(&self, secs: u64) {
        self.clock.sleep_ms(secs * 1000).await;
        assert!(!self.running.is_finished(), "the engine ended by itself");
    }

    /// The network hands this out at its next poll.
    pub fn send(&self, document: Document) {
        held(&self.network.documents).push(document);
    }

    /// The ERP hands this note out at its next poll.
    pub fn ship(&self, note: Document) {
        held(&self.erp.documents).push(note);
    }

    /// A goods-out note of an order's sale.
    ///
    /// # Panics
    /// When the order has no sale yet.
    pub fn note(&self, key: &str, order: &str, change: impl FnOnce(&mut Shipment)) -> Document {
        let sale = self.order(order).sale_key.expect("the sale is made");
        note(key, &sale, 1, change)
    }

    /// Sets one of the agent's settings for every retailer.
    ///
    /// # Panics
    /// When the store cannot be written.
    pub fn set(&self, key: &str, value: &str) {
        let everybody = waybill_store::Scope::default();
        let (key, value) = (key.to_owned(), value.to_owned());
        let stored = self
            .store
            .write_blocking(move |tx| tx.set_setting(&everybody, &key, Some(&value), "ann", 0));
        stored.expect("the store takes a setting");
    }

    /// Whether an order was not taken yet.
    ///
    /// # Panics
    /// When the store cannot be read.
    pub fn order_is_missing(&self, key: &str) -> bool {
        let found = self.store.read(|rx| rx.order_by_key(NETWORK, key));
        found.expect("the store reads").is_none()
    }

    /// An order by its key.
    ///
    /// # Panics
    /// When it is not there.
    pub fn order(&self, key: &str) -> OrderRow {
        self.store
            .read(|rx| rx.order_by_key(NETWORK, key))
            .expect("the store reads")
            .expect("the order is there")
    }

    /// Its jobs.
    ///
    /// # Panics
    /// When the store cannot be read.
    pub fn jobs(&self, key: &str) -> Vec<JobRow> {
        let id = self.order(key).id;
        self.store
            .read(|rx| rx.jobs_of_order(id))
            .expect("the store reads")
    }

    /// Open cards.
    ///
    /// # Panics
    /// When the store cannot be read.
    pub fn cards(&self) -> Vec<CardRow> {
        self.store
            .read(|rx| rx.cards(100))
            .expect("the store reads")
    }

    /// Stops the engine as a kill would: what was not committed is gone. The database, for the next start.
    pub fn kill(self) -> Store {
        self.running.abort();
        self.store.clone()
    }

    /// Stops the engine and compares the store with itself.
    ///
    /// # Panics
    /// When the engine ended in error, or the store disagrees with itself.
    pub async fn end(self) {
        self.stop.cancel();
        self.running.await.expect("the engine stops");
        let wrong = self.store.verify().expect("the store reads");
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

/// Now, at the start of every bench.
pub const fn start_of_time() -> Millis {
    START
}
