//! The hooks listener over real sockets, a running engine and a real database file: who is let in, what is answered,
//! limits, grouped commits, and the end.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use async_trait::async_trait;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Heard, START};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use waybill_engine::connectors::{Binding, CallsUsed, Connectors};
use waybill_engine::{Engine, EngineOptions, EngineParts, Handle, MOST_WAITING};
use waybill_host::connector::{Answer, Call, CallError, Connector, Received};
use waybill_host::ports::{Clock, Rng};
use waybill_http::{Limit, serve_hooks, usual_limit};
use waybill_model::contract::{
    ChoicePage, Delivered, Delivery, Descriptor, Moment, Page, Pairs, Problem, Role, Scope,
    Settled, Verdict,
};
use waybill_model::document::{Document, Entity};
use waybill_model::ids::{ConnectionId, Generation, Millis};
use waybill_store::{ConnectionRow, Options, Place, Read, SealKey, Store};

const VENDOR: ConnectionId = ConnectionId(1);

struct Caller {
    descriptor: Descriptor,
    roles: BTreeSet<Role>,
    callback: watch::Sender<String>,
    read: Mutex<Vec<Delivered>>,
    /// Requests are not read while this says so.
    later: Mutex<bool>,
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
    answer(Err(CallError::Contract("not in this test".to_owned())))
}

#[async_trait]
impl Connector for Caller {
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
    async fn push(&self, _: Call, _: Vec<Delivery>) -> Answer<Vec<Verdict>> {
        none()
    }
    async fn confirm(&self, _: Call, _: Vec<String>) -> Answer<Vec<Verdict>> {
        none()
    }
    async fn receive(&self, _: Call, batch: Vec<Delivered>) -> Answer<Received> {
        if *self.later.lock().unwrap() {
            return answer(Err(CallError::Host("later".to_owned())));
        }
        let results = batch.iter().map(|_| Ok(Vec::new())).collect();
        self.read.lock().unwrap().extend(batch);
        answer(Ok(results))
    }
    async fn ensure(&self, _: Call, callback: String) -> Answer<Vec<String>> {
        self.callback.send_replace(callback);
        answer(Ok(vec!["everything".to_owned()]))
    }
}

struct Shelf(Arc<Caller>);

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

/// Time that goes on, from the usual start.
struct Going(tokio::time::Instant);

#[async_trait]
impl Clock for Going {
    fn now_ms(&self) -> Millis {
        START + Millis::try_from(self.0.elapsed().as_millis()).unwrap()
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

struct Running {
    _folder: tempfile::TempDir,
    store: Store,
    caller: Arc<Caller>,
    handle: Handle,
    address: SocketAddr,
    /// `/hooks/vendor/SECRET`
    path: String,
    stop: CancellationToken,
    listener: JoinHandle<()>,
    engine: JoinHandle<()>,
}

fn connection() -> ConnectionRow {
    ConnectionRow {
        id: ConnectionId(0),
        name: "vendor".to_owned(),
        connector: "caller".to_owned(),
        title: "Vendor".to_owned(),
        paused: false,
        allow_private: false,
        grants: Vec::new(),
        created_at: START,
        hold_until: None,
        unauthorized: None,
        last_ok: None,
        last_error: None,
        clock_skew_ms: None,
    }
}

impl Running {
    async fn start(limit: Limit) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::File(folder.path().join("waybill.redb"));
        let store = Store::open(Options::new(place, SealKey::from_bytes([7; 32]))).unwrap();
        store
            .write_blocking(|tx| {
                tx.put_connection(&connection())?;
                let scope = waybill_store::Scope {
                    connection: Some(VENDOR),
                    retailer: None,
                };
                tx.set_setting(
                    &scope,
                    "hooks.public-url",
                    Some("https://a.example"),
                    "t",
                    START,
                )
            })
            .unwrap();
        let (callback, mut registered) = watch::channel(String::new());
        let caller = Arc::new(Caller {
            descriptor: Descriptor {
                id: "caller".to_owned(),
                version: "1".to_owned(),
                title: "Caller".to_owned(),
                reach: Vec::new(),
                credentials: Vec::new(),
                settings: Vec::new(),
                tables: Vec::new(),
                pulls: Vec::new(),
                pushes: Vec::new(),
            },
            roles: BTreeSet::from([Role::Webhook]),
            callback,
            read: Mutex::default(),
            later: Mutex::new(false),
        });
        let clock: Arc<dyn Clock> = Arc::new(Going(tokio::time::Instant::now()));
        let (engine, handle) = Engine::open(EngineParts {
            store: store.clone(),
            clock,
            rng: Arc::new(Even),
            connectors: Arc::new(Shelf(caller.clone())),
            options: EngineOptions {
                hooks: true,
                ..EngineOptions::default()
            },
            observer: None,
        })
        .unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let engine = tokio::spawn(async move { engine.run(stopped).await.unwrap() });
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let serve = serve_hooks(socket, handle.clone(), limit, stop.clone());
        let listener = tokio::spawn(async move { serve.await.unwrap() });
        let callback = registered
            .wait_for(|url| !url.is_empty())
            .await
            .unwrap()
            .clone();
        let path = callback
            .strip_prefix("https://a.example")
            .unwrap()
            .to_owned();
        Self {
            _folder: folder,
            store,
            caller,
            handle,
            address,
            path,
            stop,
            listener,
            engine,
        }
    }

    async fn raw(&self, bytes: &[u8]) -> Heard {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut heard = Vec::new();
        tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut heard))
            .await
            .unwrap()
            .unwrap();
        Heard::parse(&heard)
    }

    async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Heard {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        self.raw(format!("{head}{body}").as_bytes()).await
    }

    async fn post(&self, body: &str) -> Heard {
        self.ask("POST", &self.path, "", body).await
    }

    /// Waits until the connector has read that many requests.
    async fn read(&self, wanted: usize) -> Vec<Delivered> {
        let all = async {
            loop {
                let read = self.caller.read.lock().unwrap().clone();
                if read.len() >= wanted {
                    return read;
                }
                tokio::task::yield_now().await;
            }
        };
        let all = tokio::time::timeout(Duration::from_mins(1), all).await;
        all.expect("the requests are read")
    }

    async fn end(self) {
        self.stop.cancel();
        self.listener.await.unwrap();
        self.engine.await.unwrap();
        assert_eq!(self.store.verify().unwrap(), Vec::<String>::new());
    }
}

fn dateless(heard: &Heard) -> Vec<(String, String)> {
    let headers = heard.headers.iter().filter(|(name, _)| name != "date");
    headers.cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_kept_whole_and_read_without_its_secrets() {
    let running = Running::start(usual_limit()).await;
    let headers = "Content-Type: application/json\r\nAuthorization: Bearer x\r\nX-Thing: 1\r\n";
    let heard = running
        .ask("POST", &running.path, headers, "{\"id\":\"7\"}")
        .await;
    assert_eq!((heard.status, heard.body.as_str()), (200, "{}"));
    assert_eq!(heard.header("set-cookie"), None);
    let read = running.read(1).await;
    assert_eq!(read[0].body, b"{\"id\":\"7\"}");
    let names: Vec<&str> = read[0]
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert!(
        names.contains(&"content-type") && names.contains(&"x-thing"),
        "{names:?}"
    );
    assert!(!names.contains(&"authorization"), "{names:?}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stranger_gets_the_same_answer() {
    let running = Running::start(usual_limit()).await;
    let secret = running
        .path
        .strip_prefix("/hooks/vendor/")
        .unwrap()
        .to_owned();
    let other = "0".repeat(64);
    let wrong = running
        .ask("POST", &format!("/hooks/vendor/{other}"), "", "{}")
        .await;
    assert_eq!(wrong.status, 404);
    assert_eq!(wrong.header("set-cookie"), None);
    assert_eq!(wrong.header("location"), None);
    for (method, path) in [
        ("POST", format!("/hooks/nobody/{secret}")),
        ("POST", format!("/hooks/nobody/{other}")),
        ("POST", format!("/hooks/vendor/{}", &secret[..63])),
        ("POST", format!("/hooks/vendor/{secret}/")),
        ("POST", "/hooks/vendor/".to_owned()),
        ("POST", "/login".to_owned()),
        ("GET", running.path.clone()),
        ("PUT", running.path.clone()),
        ("GET", "/live".to_owned()),
        ("GET", "/".to_owned()),
    ] {
        let heard = running.ask(method, &path, "", "{}").await;
        assert_eq!(heard.status, 404, "{method} {path}");
        assert_eq!(heard.body, wrong.body, "{method} {path}");
        assert_eq!(dateless(&heard), dateless(&wrong), "{method} {path}");
    }
    // Nothing of a stranger's body is waited for.
    let endless =
        format!("POST /hooks/vendor/{other} HTTP/1.1\r\nhost: a\r\ncontent-length: 9999\r\n\r\n");
    assert_eq!(running.raw(endless.as_bytes()).await.status, 404);
    assert_eq!(
        running
            .store
            .read(|rx| rx.delivery_backlog(VENDOR))
            .unwrap(),
        0
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_bounded_in_size_and_in_time() {
    let running = Running::start(Limit {
        frame: Duration::from_millis(200),
        ..usual_limit()
    })
    .await;
    assert_eq!(running.post(&"x".repeat(256 * 1024)).await.status, 200);
    assert_eq!(running.post(&"x".repeat(256 * 1024 + 1)).await.status, 413);
    let path = &running.path;
    let endless = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999\r\n\r\n");
    assert_eq!(running.raw(endless.as_bytes()).await.status, 413);
    let half = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc");
    assert_eq!(running.raw(half.as_bytes()).await.status, 408);
    assert_eq!(running.read(1).await.len(), 1);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_nothing_does_not_hold_a_place() {
    let running = Running::start(Limit {
        connections: 1,
        head: Duration::from_millis(300),
        ..usual_limit()
    })
    .await;
    let mut slow = TcpStream::connect(running.address).await.unwrap();
    slow.write_all(b"POST /hooks/vendor/").await.unwrap();
    assert_eq!(running.post("{}").await.status, 200);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_too_many_wait_the_vendor_is_asked_to_come_again() {
    let running = Running::start(usual_limit()).await;
    *running.caller.later.lock().unwrap() = true;
    running
        .store
        .write_blocking(|tx| {
            let delivered = Delivered {
                headers: Vec::new(),
                body: Vec::new(),
            };
            (1..MOST_WAITING).try_for_each(|_| tx.put_delivery(VENDOR, &delivered, START).map(drop))
        })
        .unwrap();
    assert_eq!(running.post("last").await.status, 200);
    let heard = running.post("too many").await;
    assert_eq!(heard.status, 503);
    let after: u32 = heard.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3600).contains(&after));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_refuses_is_503_and_not_200() {
    let running = Running::start(usual_limit()).await;
    running.store.clone().close().unwrap();
    let heard = running.post("{}").await;
    assert_eq!(heard.status, 503);
    assert!(heard.header("retry-after").is_some());
    running.stop.cancel();
    running.listener.await.unwrap();
    running.engine.abort();
}

/// Sends requests one after the other on one connection; each must be answered 200.
async fn sender(address: SocketAddr, path: String, bodies: Vec<String>) {
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    for body in bodies {
        let mut request = String::new();
        write!(
            request,
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
        }
        let mut body = [0; 2];
        stream.read_exact(&mut body).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_commit_serves_many_requests_at_64_connections() {
    let running = Running::start(usual_limit()).await;
    let before = running.store.stats();
    let mut senders = JoinSet::new();
    for n in 0..64 {
        let bodies = (0..10).map(|m| format!("{{\"id\":\"{n}-{m}\"}}")).collect();
        senders.spawn(sender(running.address, running.path.clone(), bodies));
    }
    while let Some(done) = senders.join_next().await {
        done.unwrap();
    }
    let read = running.read(640).await;
    let different: BTreeSet<&[u8]> = read.iter().map(|d| d.body.as_slice()).collect();
    assert_eq!((read.len(), different.len()), (640, 640));
    let commits = running.store.stats().commits - before.commits;
    assert!(commits < 160, "{commits} commits for 640 requests");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_is_finished_when_told_to_stop() {
    let running = Running::start(usual_limit()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let start_of_request = format!(
        "POST {} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n",
        running.path
    );
    stream.write_all(start_of_request.as_bytes()).await.unwrap();
    // It is asked for its body: from here on it is under way.
    let mut start = [0; 25];
    stream.read_exact(&mut start).await.unwrap();
    assert!(start.starts_with(b"HTTP/1.1 100"));
    running.stop.cancel();
    stream.write_all(b"last").await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    assert_eq!(Heard::parse(&heard).status, 200);
    running.listener.await.unwrap();
    running.engine.await.unwrap();
    let kept = running
        .store
        .read(|rx| rx.delivery_backlog(VENDOR))
        .unwrap();
    let read = running.caller.read.lock().unwrap().len() as u64;
    assert_eq!(kept + read, 1);
    drop(running.handle);
}
