//! Owns the real HTTP/1.1 server around a vendor: an API listener, a control listener, faults, counters, the clock.
//! Must not know which vendor it serves. The only place in this crate that reads the wall clock.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::client;
use crate::counters::Counters;
use crate::dice::Dice;
use crate::fault::{Faults, Kind, Plan, Rule};
use crate::vendor::{Req, Resp, Vendor};
use crate::wire::{self, Answer};

const TICK: Duration = Duration::from_millis(50);
const OUTBOUND_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_TIMEOUT: Duration = Duration::from_mins(1);

/// How to encrypt the API listener.
#[derive(Debug, Clone)]
pub struct TlsOptions {
    /// Where the test authority's PEM is written.
    pub ca_pem: PathBuf,
    /// Host names and addresses of the certificate.
    pub names: Vec<String>,
}

/// How to serve.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// API address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Control address; keep it on the loopback.
    pub control_listen: SocketAddr,
    /// With it the API speaks TLS; the control side never does.
    pub tls: Option<TlsOptions>,
    /// Seed of fault probabilities and latency.
    pub seed: u64,
    /// Each API call waits between these milliseconds first.
    pub latency: Option<(u64, u64)>,
    /// Where its files are served, for the readiness line.
    pub sftp: Option<SocketAddr>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            listen: free,
            control_listen: free,
            tls: None,
            seed: 1,
            latency: None,
            sftp: None,
        }
    }
}

struct Core<V> {
    vendor: V,
    faults: Faults,
    counters: Counters,
    dice: Dice,
    offset_ms: i64,
    latency: Option<(u64, u64)>,
}

impl<V: Vendor> Core<V> {
    fn now(&self) -> i64 {
        jiff::Timestamp::now()
            .as_millisecond()
            .saturating_add(self.offset_ms)
    }

    /// The time, after everything due by then has happened.
    fn tick(&mut self) -> i64 {
        let now = self.now();
        self.vendor.tick(now);
        now
    }
}

type Shared<V> = Arc<Mutex<Core<V>>>;

fn lock<V>(core: &Shared<V>) -> MutexGuard<'_, Core<V>> {
    core.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A bound, running sandbox. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    /// Base address of the API, without a path.
    pub api: String,
    /// Base address of the control side.
    pub control: String,
    sftp: Option<SocketAddr>,
    entered: Value,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Server {
    /// Binds both listeners and starts serving in the background.
    pub async fn start(vendor: impl Vendor, options: ServeOptions) -> anyhow::Result<Self> {
        let api = TcpListener::bind(options.listen)
            .await
            .with_context(|| format!("cannot listen on `{}`", options.listen))?;
        let control = TcpListener::bind(options.control_listen)
            .await
            .with_context(|| format!("cannot listen on `{}`", options.control_listen))?;
        let (scheme, tls) = match &options.tls {
            Some(tls) => (
                "https",
                Some(crate::tls::acceptor(&tls.ca_pem, &tls.names)?),
            ),
            None => ("http", None),
        };
        let addresses = (
            format!("{scheme}://{}", api.local_addr()?),
            format!("http://{}", control.local_addr()?),
        );
        let entered = vendor.entered(&addresses.0);
        let core = Arc::new(Mutex::new(Core {
            vendor,
            faults: Faults::default(),
            counters: Counters::default(),
            dice: Dice::new(options.seed),
            offset_ms: 0,
            latency: options.latency,
        }));
        let tasks = vec![
            tokio::spawn(accept(api, tls, core.clone(), Side::Api)),
            tokio::spawn(accept(control, None, core.clone(), Side::Control)),
            tokio::spawn(heartbeat(core)),
        ];
        Ok(Self {
            api: addresses.0,
            control: addresses.1,
            sftp: options.sftp,
            entered,
            tasks,
        })
    }

    /// The readiness line: where it is, and what is entered to reach it.
    pub fn ready_line(&self) -> String {
        json!({"api": self.api, "control": self.control, "sftp": self.sftp, "enter": self.entered})
            .to_string()
    }
}

/// Serves until the process is told to stop; prints the readiness line on standard output once bound.
pub async fn serve(vendor: impl Vendor, options: ServeOptions) -> anyhow::Result<()> {
    use std::io::Write as _;
    let server = Server::start(vendor, options).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", server.ready_line())?;
    out.flush()?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    tracing::info!("Sandbox stopped.");
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Api,
    Control,
}

async fn accept<V: Vendor>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    core: Shared<V>,
    side: Side,
) {
    // Connections die with this task: the set aborts them when dropped.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "Accept failed.");
                tokio::time::sleep(TICK).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        connections.spawn(connection(stream, tls.clone(), core.clone(), side));
    }
}

async fn connection<V: Vendor>(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    core: Shared<V>,
    side: Side,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "Nodelay not set.");
    }
    match tls {
        None => speak(stream, core, side).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => speak(stream, core, side).await,
            Err(error) => tracing::debug!(%error, "Handshake failed."),
        },
    }
}

async fn speak<V: Vendor>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    core: Shared<V>,
    side: Side,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let core = core.clone();
        async move {
            match side {
                Side::Api => api(core, request).await,
                Side::Control => control(core, request).await,
            }
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "Connection ended.");
    }
}

/// Hyper drops the connection without an answer when the service fails: that is how a cut is made.
async fn api<V: Vendor>(
    core: Shared<V>,
    request: Request<Incoming>,
) -> anyhow::Result<Response<Answer>> {
    let req = wire::read(request).await?;
    let (endpoint, plan, latency) = {
        let mut core = lock(&core);
        let core = &mut *core;
        let endpoint = core.vendor.endpoint(&req);
        let plan = core.faults.plan(&endpoint, &mut core.dice);
        let latency = core.latency.map_or(0, |(low, high)| {
            low + core.dice.below(high.saturating_sub(low).saturating_add(1))
        });
        (endpoint, plan, latency)
    };
    pause(latency + plan.delay_before_ms).await;
    let outcome = {
        let mut core = lock(&core);
        let outcome = carry_out(&mut core, &req, &plan);
        dated(outcome, core.now())
    };
    let status = match &outcome {
        Outcome::Whole(answer) => Some(answer.status),
        Outcome::Half(_) | Outcome::Cut => None,
    };
    {
        let mut core = lock(&core);
        let now = core.now();
        core.counters.count(now, &endpoint, &req, status, plan.hit);
    }
    pause(plan.delay_after_ms).await;
    match outcome {
        Outcome::Whole(answer) => Ok(wire::response(answer, false)),
        Outcome::Half(answer) => Ok(wire::response(answer, true)),
        Outcome::Cut => anyhow::bail!("cut on command"),
    }
}

/// The server would put the machine's own time into the answer, and the vendor's clock may have been moved.
fn dated(mut outcome: Outcome, now_ms: i64) -> Outcome {
    if let Outcome::Whole(answer) | Outcome::Half(answer) = &mut outcome
        && let Ok(now) = jiff::Timestamp::from_millisecond(now_ms)
    {
        let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        answer.headers.push(("date".to_owned(), date));
    }
    outcome
}

enum Outcome {
    Whole(Resp),
    Half(Resp),
    Cut,
}

fn carry_out<V: Vendor>(core: &mut Core<V>, req: &Req, plan: &Plan) -> Outcome {
    let mut handle = || {
        let now = core.tick();
        core.vendor.handle(now, req)
    };
    let Some(rule) = &plan.rule else {
        return Outcome::Whole(handle());
    };
    match rule.kind {
        Kind::CutBefore => Outcome::Cut,
        Kind::CutAfter => {
            handle();
            Outcome::Cut
        }
        Kind::Truncate => Outcome::Half(handle()),
        Kind::Status | Kind::Html => {
            if rule.effect {
                handle();
            }
            Outcome::Whole(faulty(rule))
        }
        Kind::Delay => Outcome::Whole(handle()),
    }
}

fn faulty(rule: &Rule) -> Resp {
    let mut answer = if rule.kind == Kind::Html {
        let page = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>\
            <body><h1>Bad Gateway</h1></body></html>";
        Resp::html(
            rule.status.unwrap_or(502),
            rule.body.as_deref().unwrap_or(page),
        )
    } else {
        let body = rule
            .body
            .as_deref()
            .unwrap_or(r#"{"message":"Internal server error"}"#);
        let mut answer = Resp::text(rule.status.unwrap_or(500), body);
        answer.headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        answer
    };
    answer.headers.extend(rule.headers.iter().cloned());
    answer
}

async fn pause(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

async fn control<V: Vendor>(
    core: Shared<V>,
    request: Request<Incoming>,
) -> anyhow::Result<Response<Answer>> {
    let req = wire::read(request).await?;
    let answer = steer(&mut lock(&core), &req);
    Ok(wire::response(answer, false))
}

/// The control calls the server owns; all others are the vendor's.
fn steer<V: Vendor>(core: &mut Core<V>, req: &Req) -> Resp {
    let now = core.tick();
    let segments = req.segments();
    match (req.method.as_str(), segments.as_slice()) {
        ("GET", ["_sim", "faults"]) => Resp::json(200, &json!({"faults": core.faults.list()})),
        ("POST", ["_sim", "faults"]) => match serde_json::from_slice::<Rule>(&req.body) {
            Ok(rule) => Resp::json(201, &json!({"id": core.faults.add(rule)})),
            Err(error) => Resp::json(400, &json!({"error": format!("bad fault rule: {error}")})),
        },
        ("DELETE", ["_sim", "faults"]) => {
            core.faults.clear(None);
            Resp::json(200, &json!({}))
        }
        ("DELETE", ["_sim", "faults", id]) => {
            core.faults.clear(Some(id.parse().unwrap_or(0)));
            Resp::json(200, &json!({}))
        }
        ("GET", ["_sim", "counters"]) => Resp::json(200, &core.counters.report()),
        ("POST", ["_sim", "counters", "reset"]) => {
            core.counters.reset();
            Resp::json(200, &json!({}))
        }
        ("GET", ["_sim", "requests"]) => Resp::json(200, &core.counters.seen()),
        ("GET", ["_sim", "state"]) => Resp::json(200, &core.vendor.state()),
        ("GET", ["_sim", "truth"]) => Resp::json(200, &core.vendor.truth()),
        ("GET", ["_sim", "clock"]) => Resp::json(200, &json!({"now_ms": now})),
        ("POST", ["_sim", "clock"]) => advance(core, req),
        ("POST", ["_sim", "latency"]) => {
            let body = req.json().unwrap_or(Value::Null);
            let low = body["min_ms"].as_u64().unwrap_or(0);
            core.latency = body["max_ms"].as_u64().map(|high| (low, high.max(low)));
            Resp::json(200, &json!({}))
        }
        (_, ["_sim", ..]) => core.vendor.control(now, req),
        _ => Resp::json(404, &json!({"error": "control paths start with `/_sim/`"})),
    }
}

fn advance<V: Vendor>(core: &mut Core<V>, req: &Req) -> Resp {
    let body = req.json().unwrap_or(Value::Null);
    match body["advance_ms"].as_i64() {
        Some(ms) if ms >= 0 => {
            core.offset_ms = core.offset_ms.saturating_add(ms);
            let now = core.tick();
            Resp::json(200, &json!({"now_ms": now}))
        }
        _ => Resp::json(
            400,
            &json!({"error": "`advance_ms` must be a number of at least 0"}),
        ),
    }
}

async fn heartbeat<V: Vendor>(core: Shared<V>) {
    let mut beat = tokio::time::interval(TICK);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut sending = tokio::task::JoinSet::new();
    loop {
        beat.tick().await;
        while sending.try_join_next().is_some() {}
        let calls = {
            let mut core = lock(&core);
            let now = core.tick();
            core.vendor.outbound(now)
        };
        for call in calls {
            let core = core.clone();
            sending.spawn(async move {
                let sent = client::call(&call.method, &call.url, &call.headers, call.body);
                let status = match tokio::time::timeout(OUTBOUND_TIMEOUT, sent).await {
                    Ok(Ok(reply)) => Some(reply.status),
                    Ok(Err(error)) => {
                        tracing::debug!(%error, url = call.url, "Outbound call failed.");
                        None
                    }
                    Err(_) => None,
                };
                let mut core = lock(&core);
                let now = core.tick();
                core.vendor.outbound_done(now, call.id, status);
            });
        }
    }
}
