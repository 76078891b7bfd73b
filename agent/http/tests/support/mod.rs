//! A real store, a real engine handle and real sockets for the tests; a connector of few words, and a clock they turn.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses its part of the support"
)]

mod heard;

pub(crate) use heard::Heard;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use waybill_engine::connectors::{Binding, CallsUsed, Connectors};
use waybill_engine::{Engine, EngineOptions, EngineParts, Handle};
use waybill_host::connector::{Answer, Call, CallError, Connector};
use waybill_host::ports::{Clock, Rng};
use waybill_http::{AdminOptions, Limit, People, ServeError, serve_admin};
use waybill_model::contract::{
    Choice, ChoicePage, Credential, Descriptor, Failure, Feed, Field, Gap, Intake, Moment, OAuth,
    Page, Pairs, Problem, Role, Scheme, Scope, Setting, Settled, Verdict,
};
use waybill_model::decimal::Decimal;
use waybill_model::document::{
    Address, Body, Deadline, DeadlineSource, Document, Entity, Order, OrderPhase,
};
use waybill_model::ids::{ConnectionId, Generation, Millis, OrderId};
use waybill_model::job::{JobState, Reason, Work};
use waybill_model::order_state::OrderStage;
use waybill_store::{
    ConnectionRow, NewJob, NoteKind, NoteRow, Options, OrderRow, Place, RouteRow, SealKey, Store,
};

/// Fri 20 Nov 2026, 14:06:00 UTC.
pub(crate) const START: Millis = 1_795_183_560_000;
pub(crate) const GAP: &str = "GSIG";

pub(crate) struct Turned(AtomicI64);

impl Turned {
    pub(crate) fn turn(&self, ms: Millis) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for Turned {
    fn now_ms(&self) -> Millis {
        self.0.load(Ordering::SeqCst)
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

struct Plain(Descriptor, BTreeSet<Role>);

fn none<T>() -> Answer<T> {
    Answer::refused(CallError::Contract("not in this test".to_owned()))
}

#[async_trait]
impl Connector for Plain {
    fn generation(&self) -> Generation {
        Generation(1)
    }
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }
    fn roles(&self) -> &BTreeSet<Role> {
        &self.1
    }
    async fn validate(&self, _: Call) -> Answer<Vec<Problem>> {
        none()
    }
    async fn probe(&self, call: Call) -> Answer<Pairs> {
        let refused = ("account".to_owned(), "refused".to_owned());
        if call.context.settings.contains(&refused) {
            let problem = Problem::new(
                "credential-refused",
                format!("{} refused Key (401).", self.0.title),
                "Enter Key again.",
            );
            return Answer::refused(CallError::Failure(Failure::Unauthorized(problem)));
        }
        Answer {
            value: Ok(vec![("Account".to_owned(), "northfold <1>".to_owned())]),
            ..none()
        }
    }
    fn consent(&self, _: &str, redirect: &str, state: &str) -> Result<String, Problem> {
        Ok(format!(
            "https://desk.test/authorize?redirect_uri={redirect}&state={state}"
        ))
    }
    async fn approved(&self, _: &str, code: SecretString, redirect: &str) -> Result<(), Problem> {
        if code.expose_secret() == "good+code" && redirect.ends_with("/connect/desk") {
            return Ok(());
        }
        let why = "The code was not taken: it has expired.";
        Err(Problem::new("code-refused", why, "Press Connect again."))
    }
    async fn choices(&self, _: Call, _: String, _: Option<String>) -> Answer<ChoicePage> {
        none()
    }
    async fn pull(&self, _: Call, _: Entity, _: Option<Vec<u8>>) -> Answer<Page> {
        none()
    }
    async fn fetch(&self, _: Call, _: Entity, _: Vec<String>) -> Answer<Vec<Document>> {
        none()
    }
    async fn settle(&self, _: Call, _: Moment, _: Vec<Settled>) -> Answer<Vec<Verdict>> {
        none()
    }
    async fn read(&self, _: Call, _: Entity, _: Scope, _: Option<Vec<u8>>) -> Answer<Page> {
        none()
    }
    async fn push(
        &self,
        _: Call,
        _: Vec<waybill_model::contract::Delivery>,
    ) -> Answer<Vec<Verdict>> {
        none()
    }
    async fn confirm(&self, _: Call, _: Vec<String>) -> Answer<Vec<Verdict>> {
        none()
    }
}

struct Shelf;

fn polled(entity: Entity) -> Feed {
    Feed {
        entity,
        poll_secs: 30,
        settles: match entity {
            Entity::Order => vec![Moment::Accepted],
            _ => Vec::new(),
        },
    }
}

fn descriptor(id: &str, title: &str) -> Descriptor {
    Descriptor {
        id: id.to_owned(),
        version: "1.0.0".to_owned(),
        title: title.to_owned(),
        reach: Vec::new(),
        credentials: Vec::new(),
        settings: Vec::new(),
        tables: Vec::new(),
        pulls: vec![polled(Entity::Order)],
        pushes: vec![Intake {
            entity: Entity::Order,
            max_batch: 10,
            self_decrementing: false,
        }],
    }
}

/// A connector that asks for everything there is.
fn asking() -> Descriptor {
    let setting = |key: &str, required: bool, field: Field| Setting {
        key: key.to_owned(),
        label: format!("The {key}"),
        help: format!("What the {key} is."),
        group: "connection".to_owned(),
        required,
        per_retailer: false,
        default: None,
        field,
        was: Vec::new(),
    };
    let choice = |value: &str| Choice {
        value: value.to_owned(),
        label: format!("By {value}"),
        disabled: false,
    };
    let credential = |slot: &str, scheme: Scheme, secrets: &[&str]| Credential {
        slot: slot.to_owned(),
        label: format!("By {slot}"),
        help: String::new(),
        scheme,
        secrets: secrets.iter().map(|s| (*s).to_owned()).collect(),
        hosts: Vec::new(),
        steps: vec![format!("Register {{redirect}} for {slot}.")],
    };
    let oauth = OAuth {
        authorize_url: "https://desk.test/authorize".to_owned(),
        token_url: "https://desk.test/token".to_owned(),
        client_id: "app".to_owned(),
        form: Vec::new(),
        headers: Vec::new(),
        expose: Vec::new(),
    };
    Descriptor {
        credentials: vec![
            credential("token", Scheme::Headers(Vec::new()), &["key"]),
            credential("approval", Scheme::OAuth2Code(oauth), &[]),
        ],
        settings: vec![
            setting("account", true, Field::Text),
            setting("api", false, Field::Url),
            Setting {
                default: Some("token".to_owned()),
                ..setting(
                    "auth",
                    false,
                    Field::OneOf(vec![choice("token"), choice("approval")]),
                )
            },
            Setting {
                group: "orders".to_owned(),
                ..setting("tax", true, Field::Lookup)
            },
        ],
        pulls: [Entity::Order, Entity::Item].map(polled).to_vec(),
        ..descriptor("desk", "Deskbook")
    }
}

impl Connectors for Shelf {
    fn descriptors(&self) -> Vec<Descriptor> {
        vec![
            descriptor("net-work", "Network"),
            descriptor("ledger", "Ledgerworks"),
            asking(),
        ]
    }
    fn bind(&self, connector: &str, _: Binding) -> Result<Arc<dyn Connector>, String> {
        match self.descriptors().into_iter().find(|d| d.id == connector) {
            Some(descriptor) => Ok(Arc::new(Plain(descriptor, BTreeSet::new()))),
            None => Err(format!("no connector `{connector}` is installed")),
        }
    }
    fn calls_used(&self, _: ConnectionId) -> CallsUsed {
        CallsUsed {
            used: 3,
            limit: Some(200),
        }
    }
}

fn connection(name: &str, connector: &str, title: &str) -> ConnectionRow {
    ConnectionRow {
        id: ConnectionId(0),
        name: name.to_owned(),
        connector: connector.to_owned(),
        title: title.to_owned(),
        paused: false,
        allow_private: false,
        grants: Vec::new(),
        created_at: START,
        hold_until: None,
        unauthorized: None,
        last_ok: Some(START - 8_000),
        last_error: None,
        clock_skew_ms: None,
    }
}

fn document() -> Document {
    let order = Order {
        number: "HP-4471820".to_owned(),
        retailer: "HP".to_owned(),
        retailer_name: "Harbor & Pine".to_owned(),
        kind: "dropship".to_owned(),
        test: false,
        phase: OrderPhase::Open,
        currency: Some("USD".to_owned()),
        placed_at: None,
        acknowledge_by: None,
        ship_by: None,
        invoice_by: None,
        cancel_after: None,
        customer: None,
        warehouse: None,
        shipping_method: None,
        bill_to: None,
        ship_to: Address {
            name: "R. <Alvarez>".to_owned(),
            company: None,
            attention: None,
            street: vec!["14 Mill Lane".to_owned()],
            city: "Portland".to_owned(),
            region: None,
            postcode: "04101".to_owned(),
            country: Some("US".to_owned()),
            phone: None,
            email: None,
        },
        lines: Vec::new(),
        charges: Vec::new(),
        total: None,
        supplier_number: None,
        extras: Vec::new(),
    };
    Document {
        key: "order-1".to_owned(),
        revision: "1".to_owned(),
        occurred_at: START,
        body: Body::Order(order),
    }
}

/// Two connections and one order that waits for a shipping method.
pub(crate) fn gap() -> Gap {
    Gap {
        table: "shipping-methods".to_owned(),
        retailer: Some("HP".to_owned()),
        value: GAP.to_owned(),
    }
}

fn fill(store: &Store) {
    store
        .write_blocking(|tx| {
            let from = tx.put_connection(&connection("network", "net-work", "Network"))?;
            let to = tx.put_connection(&connection("erp", "ledger", "Ledgerworks"))?;
            tx.put_route(&RouteRow::new(Entity::Order, from, to))?;
            let document = document();
            let accepted = tx.accept(from, &document, START)?.unwrap();
            let ship_by = Deadline {
                at: START + 10_440_000,
                set_by: DeadlineSource::Network,
            };
            let order = tx.put_order(&OrderRow {
                id: OrderId(0),
                connection: from,
                key: document.key.clone(),
                number: "HP-4471820".to_owned(),
                retailer: "HP".to_owned(),
                retailer_name: "Harbor & Pine".to_owned(),
                stage: OrderStage::Waiting,
                phase: OrderPhase::Open,
                test: false,
                currency: Some("USD".to_owned()),
                total: Some(Decimal::new(14_800, 2)),
                units: Decimal::whole(2),
                lines: 1,
                placed_at: None,
                received_at: START,
                acknowledge_by: None,
                ship_by: Some(ship_by),
                invoice_by: None,
                acknowledged_at: None,
                delivered_at: None,
                document: accepted.document,
                sale_key: None,
                sale_number: None,
                wanted: String::new(),
                wanted_sold: String::new(),
                shipped_at: None,
                problem: Some("Shipping method not matched: GSIG".to_owned()),
            })?;
            tx.note(
                order,
                NoteRow {
                    at: START,
                    kind: NoteKind::Ok,
                    icon: "in".to_owned(),
                    text: "Received from Harbor & Pine.".to_owned(),
                    words: None,
                },
            )?;
            tx.create_job(
                NewJob {
                    work: Work::Push(Entity::Order),
                    from,
                    to,
                    entity: Entity::Order,
                    key: document.key.clone(),
                    order: Some(order),
                    lane: document.key.clone(),
                    document: accepted.document,
                    state: JobState::Parked(Reason::Gaps(vec![gap()])),
                    urgent_by: Some(START + 10_440_000),
                },
                START,
            )?;
            Ok(())
        })
        .unwrap();
}

/// An engine over a store in a folder.
pub(crate) struct Agent {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<Turned>,
    pub(crate) handle: Handle,
    pub(crate) engine: Engine,
}

impl Agent {
    pub(crate) fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::open_in(folder, true)
    }

    pub(crate) fn open_in(folder: tempfile::TempDir, filled: bool) -> Self {
        let place = Place::File(folder.path().join("waybill.redb"));
        let store = Store::open(Options::new(place, SealKey::from_bytes([7; 32]))).unwrap();
        if filled {
            fill(&store);
        }
        let clock = Arc::new(Turned(AtomicI64::new(START)));
        let parts = EngineParts {
            store,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            rng: Arc::new(Even),
            connectors: Arc::new(Shelf),
            options: EngineOptions {
                store_name: "Northfold Goods".to_owned(),
                ..EngineOptions::default()
            },
            observer: None,
        };
        let (engine, handle) = Engine::open(parts).unwrap();
        Self {
            folder,
            clock,
            handle,
            engine,
        }
    }

    pub(crate) fn first_password_file(&self) -> PathBuf {
        self.folder.path().join("first-password")
    }
}

/// The page, served.
pub(crate) struct Served {
    pub(crate) agent: Agent,
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), ServeError>>,
}

impl Served {
    pub(crate) async fn start() -> Self {
        Self::with(Agent::open(), Limit::default()).await
    }

    pub(crate) async fn with(agent: Agent, limit: Limit) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let mut options = AdminOptions::new(agent.first_password_file());
        options.limit = limit;
        let people = People::open(agent.handle.clone(), &options).await.unwrap();
        let task = tokio::spawn(serve_admin(
            listener,
            agent.handle.clone(),
            people,
            options,
            stop.clone(),
        ));
        let served = Self {
            agent,
            address,
            stop,
            task,
        };
        // The first answer means that users were read and the first password is written.
        assert_eq!(served.get("/live", &[]).await.status, 200);
        served
    }

    pub(crate) async fn get(&self, place: &str, headers: &[(&str, &str)]) -> Heard {
        self.ask("GET", place, headers, "").await
    }

    pub(crate) async fn form(&self, place: &str, headers: &[(&str, &str)], body: &str) -> Heard {
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.ask("POST", place, &all, body).await
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        place: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Heard {
        let mut head = format!(
            "{method} {place} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        if !headers.iter().any(|(name, _)| *name == "host") {
            write!(head, "host: {}\r\n", self.address).unwrap();
        }
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        self.raw(format!("{head}\r\n{body}").as_bytes()).await
    }

    pub(crate) async fn raw(&self, bytes: &[u8]) -> Heard {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut heard = Vec::new();
        tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut heard))
            .await
            .unwrap()
            .unwrap();
        Heard::parse(&heard)
    }

    pub(crate) fn first_password(&self) -> String {
        std::fs::read_to_string(self.agent.first_password_file())
            .unwrap()
            .trim()
            .to_owned()
    }

    /// Goes through the first login and gives the session's cookie and form token.
    pub(crate) async fn log_in(&self) -> (String, String) {
        let code = self.first_password();
        let heard = self
            .form("/login", &[], &format!("user=admin&password={code}"))
            .await;
        assert_eq!(
            (heard.status, heard.header("location")),
            (303, Some("/password")),
            "{}",
            heard.body
        );
        let cookie = heard.cookie();
        let page = self.get("/password", &[("cookie", &cookie)]).await;
        let token = page.token();
        let body = format!("token={token}&password=four+words+of+mine&again=four+words+of+mine");
        let heard = self.form("/password", &[("cookie", &cookie)], &body).await;
        assert_eq!(
            (heard.status, heard.header("location")),
            (303, Some("/today")),
            "{}",
            heard.body
        );
        let cookie = heard.cookie();
        let token = self.get("/attention", &[("cookie", &cookie)]).await.token();
        (cookie, token)
    }
}
