//! A folder of scripted builds of the bench's ERP connector: what each asks for and how it behaves is chosen by a test.

use crate::bench::{Side, held};
use crate::erp::answer;
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use waybill_engine::connectors::Binding;
use waybill_engine::swap::{Build, BuildLimits, Refusal, Seen, Shelf};
use waybill_host::connector::{Answer, Call, CallError, Connector};
use waybill_model::contract::{
    ChoicePage, Delivery, Descriptor, Exchange, Failure, Moment, Page, Pairs, Problem, Role, Scope,
    Settled, Verdict,
};
use waybill_model::document::{Document, Entity};
use waybill_model::ids::Generation;

/// Key of an order that stops every build.
pub const POISON: &str = "POISON";

/// How a build behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// As it should.
    Good,
    /// Every push stops it.
    Traps,
    /// Every push ends at its time limit.
    Loops,
    /// Every push answers one verdict too few.
    Breaks,
    /// Every push spends so many requests; a good one spends two.
    Dear(usize),
    /// Its test fails for good.
    ProbeFails,
    /// Its test fails because the vendor does not answer.
    ProbeWaits,
    /// It does not accept its settings.
    Invalid,
    /// It cannot be loaded.
    HalfWritten,
}

/// One build.
#[derive(Debug, Clone)]
pub struct Script {
    /// Its version; its hash is made of it.
    pub version: &'static str,
    /// How it behaves.
    pub way: Way,
    /// What it says of itself beside the bench's own words.
    pub change: fn(&mut Descriptor),
}

impl Script {
    /// A build that says nothing new.
    pub fn new(version: &'static str, way: Way) -> Self {
        Self {
            version,
            way,
            change: |_| {},
        }
    }

    /// A good build that says something new.
    pub fn asks(version: &'static str, change: fn(&mut Descriptor)) -> Self {
        Self {
            change,
            ..Self::new(version, Way::Good)
        }
    }

    /// Its hash.
    pub fn hash(&self) -> String {
        let digits = self.version.replace('.', "0");
        format!("{digits:a<64}")
    }
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Script>,
    kept: BTreeMap<String, Script>,
    loads: Vec<String>,
}

/// The folder, and the copies.
pub struct Folder {
    state: Mutex<State>,
    side: Mutex<Option<Arc<Side>>>,
}

impl Folder {
    /// With one good build in `erp.wasm`.
    pub fn new() -> Arc<Self> {
        let folder = Self {
            state: Mutex::default(),
            side: Mutex::default(),
        };
        folder.put("erp.wasm", Script::new("1.0", Way::Good));
        Arc::new(folder)
    }

    pub(crate) fn serve(&self, side: Arc<Side>) {
        *held(&self.side) = Some(side);
    }

    /// A file is there from now on. Nobody is told.
    pub fn put(&self, file: &str, script: Script) {
        held(&self.state).files.insert(file.to_owned(), script);
    }

    /// A file is gone.
    pub fn remove(&self, file: &str) {
        held(&self.state).files.remove(file);
    }

    /// A copy is lost.
    pub fn lose_copy(&self, hash: &str) {
        held(&self.state).kept.remove(hash);
    }

    /// Hashes of the copies.
    pub fn kept(&self) -> Vec<String> {
        held(&self.state).kept.keys().cloned().collect()
    }

    /// Versions that were loaded, in order.
    pub fn loads(&self) -> Vec<String> {
        held(&self.state).loads.clone()
    }
}

#[async_trait]
impl Shelf for Folder {
    async fn files(&self) -> Result<Vec<Seen>, Refusal> {
        let state = held(&self.state);
        let seen = state.files.iter().map(|(file, script)| Seen {
            file: file.clone(),
            hash: Ok(script.hash()),
        });
        Ok(seen.collect())
    }
    async fn take(&self, file: &str) -> Result<String, Refusal> {
        let mut state = held(&self.state);
        let script = state.files.get(file).cloned();
        let script = script.ok_or_else(|| Refusal::hinted("it is gone", "Put it back."))?;
        let hash = script.hash();
        state.kept.insert(hash.clone(), script);
        Ok(hash)
    }
    async fn keeps(&self, hash: &str) -> bool {
        held(&self.state).kept.contains_key(hash)
    }
    async fn load(&self, hash: &str, generation: Generation) -> Result<Arc<dyn Build>, Refusal> {
        let mut state = held(&self.state);
        let script = state.kept.get(hash).cloned();
        let script = script.ok_or_else(|| Refusal::hinted("no copy is there", "Copy it."))?;
        if script.way == Way::HalfWritten {
            return Err(Refusal::hinted(
                "the file is no WebAssembly",
                "Copy it again.",
            ));
        }
        state.loads.push(script.version.to_owned());
        let side = held(&self.side).clone().expect("a side is served");
        let mut descriptor = side.descriptor().clone();
        script.version.clone_into(&mut descriptor.version);
        (script.change)(&mut descriptor);
        Ok(Arc::new(Scripted(Arc::new(Inner {
            hash: script.hash(),
            way: script.way,
            generation,
            descriptor,
            permissions: BTreeSet::from(["http".to_owned()]),
            side,
        }))))
    }
    async fn keep_only(&self, hashes: BTreeSet<String>) {
        held(&self.state)
            .kept
            .retain(|hash, _| hashes.contains(hash));
    }
}

struct Inner {
    hash: String,
    way: Way,
    generation: Generation,
    descriptor: Descriptor,
    permissions: BTreeSet<String>,
    side: Arc<Side>,
}

struct Scripted(Arc<Inner>);

impl Build for Scripted {
    fn hash(&self) -> &str {
        &self.0.hash
    }
    fn generation(&self) -> Generation {
        self.0.generation
    }
    fn descriptor(&self) -> &Descriptor {
        &self.0.descriptor
    }
    fn roles(&self) -> &BTreeSet<Role> {
        self.0.side.roles()
    }
    fn permissions(&self) -> &BTreeSet<String> {
        &self.0.permissions
    }
    fn signer(&self) -> Option<String> {
        None
    }
    fn limits(&self) -> BuildLimits {
        BuildLimits::default()
    }
    fn bind(&self, _: Binding) -> Result<Arc<dyn Connector>, String> {
        Ok(Arc::new(Bound(self.0.clone())))
    }
}

struct Bound(Arc<Inner>);

impl Bound {
    fn spent<T>(&self, mut answer: Answer<T>) -> Answer<T> {
        let requests = match self.0.way {
            Way::Dear(requests) => requests,
            _ => 2,
        };
        answer.exchanges = vec![exchange(); requests];
        answer
    }
}

fn exchange() -> Exchange {
    Exchange {
        at: 0,
        took_ms: 1,
        method: "POST".to_owned(),
        url: "https://erp.example".to_owned(),
        status: 200,
        step: None,
        replayed: false,
        request: String::new(),
        answer: String::new(),
    }
}

fn rejected(message: &str) -> CallError {
    CallError::Failure(Failure::Rejected(Problem::new("no", message, "Look.")))
}

#[async_trait]
impl Connector for Bound {
    fn generation(&self) -> Generation {
        self.0.generation
    }
    fn descriptor(&self) -> &Descriptor {
        &self.0.descriptor
    }
    fn roles(&self) -> &BTreeSet<Role> {
        self.0.side.roles()
    }
    async fn validate(&self, call: Call) -> Answer<Vec<Problem>> {
        if self.0.way == Way::Invalid {
            let problem = Problem::new("no", "The address is wrong.", "Correct it.");
            return answer(Ok(vec![problem]));
        }
        self.0.side.validate(call).await
    }
    async fn probe(&self, call: Call) -> Answer<Pairs> {
        match self.0.way {
            Way::ProbeFails => answer(Err(rejected("It may not read."))),
            Way::ProbeWaits => answer(Err(CallError::Failure(Failure::Retry(None)))),
            _ => {
                self.0.side.probed(&call.context.settings);
                self.0.side.probe(call).await
            }
        }
    }
    async fn choices(&self, call: Call, key: String, cursor: Option<String>) -> Answer<ChoicePage> {
        self.0.side.choices(call, key, cursor).await
    }
    async fn pull(&self, call: Call, entity: Entity, cursor: Option<Vec<u8>>) -> Answer<Page> {
        self.0.side.pull(call, entity, cursor).await
    }
    async fn fetch(&self, call: Call, entity: Entity, keys: Vec<String>) -> Answer<Vec<Document>> {
        self.0.side.fetch(call, entity, keys).await
    }
    async fn settle(
        &self,
        call: Call,
        moment: Moment,
        batch: Vec<Settled>,
    ) -> Answer<Vec<Verdict>> {
        self.0.side.settle(call, moment, batch).await
    }
    async fn read(
        &self,
        call: Call,
        entity: Entity,
        scope: Scope,
        cursor: Option<Vec<u8>>,
    ) -> Answer<Page> {
        self.0.side.read(call, entity, scope, cursor).await
    }
    async fn push(&self, call: Call, batch: Vec<Delivery>) -> Answer<Vec<Verdict>> {
        let limit = call.limit_ms;
        self.0.side.pushed_by(self.0.generation);
        tracing::info!(build = self.0.generation.0, "Pushed.");
        let poisoned = batch.iter().any(|d| d.document.key == POISON);
        match self.0.way {
            _ if poisoned => answer(Err(CallError::Trapped("poisoned".to_owned()))),
            Way::Traps => answer(Err(CallError::Trapped("unreachable".to_owned()))),
            Way::Loops => {
                self.0.side.clock().sleep_ms(limit).await;
                answer(Err(CallError::TimedOut))
            }
            Way::Breaks => answer(Ok(Vec::new())),
            _ => self.spent(self.0.side.push(call, batch).await),
        }
    }
    async fn confirm(&self, call: Call, handles: Vec<String>) -> Answer<Vec<Verdict>> {
        self.0.side.confirm(call, handles).await
    }
}
