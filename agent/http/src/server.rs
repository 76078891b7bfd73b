//! Listening: accepts, limits, drives connections, stops. `serve_admin` is the browser's listener on loopback;
//! `local.rs` and `hooks.rs` share the loop. Knows no route.

use crate::answer::{Answer, Sent};
use crate::body::Limits;
use crate::guard::Hosts;
use crate::password::Random;
use crate::people::People;
use crate::router::Routes;
use crate::session::Tries;
use crate::site::{Browsers, Peer, Site};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use jiff::tz::TimeZone;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use waybill_engine::Handle;

/// Wait after an accept that failed: no descriptors left, mostly, and those come back.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Limits of a listener.
#[derive(Debug, Clone)]
pub struct Limit {
    /// Connections at once; more wait in the kernel's queue.
    pub connections: usize,
    /// Longest wait for the head of a request, also on a connection that is kept open.
    pub head: Duration,
    /// Longest wait for the next part of a body.
    pub frame: Duration,
    /// Largest body.
    pub body: usize,
    /// How long running requests may go on once told to stop.
    pub grace: Duration,
}

impl Default for Limit {
    fn default() -> Self {
        Self {
            connections: 128,
            head: Duration::from_secs(15),
            frame: Duration::from_secs(10),
            body: 256 * 1024,
            grace: Duration::from_secs(10),
        }
    }
}

/// What the browser's listener needs beside its socket.
#[derive(Clone)]
pub struct AdminOptions {
    /// Further names the page may be opened by, with or without a port; loopback names are always there.
    pub allowed_hosts: Vec<String>,
    /// Where the first password is written while there is no user.
    pub first_password_file: PathBuf,
    /// Folder of the database, whose disk is measured.
    pub data_dir: PathBuf,
    /// The zone times are shown in.
    pub zone: TimeZone,
    /// Where tokens and codes come from.
    pub random: Random,
    /// Limits.
    pub limit: Limit,
}

fn system_random(buffer: &mut [u8]) -> io::Result<()> {
    getrandom::fill(buffer).map_err(|error| io::Error::other(error.to_string()))
}

impl AdminOptions {
    /// The machine's zone and randomness, usual limits, loopback names only.
    pub fn new(first_password_file: PathBuf) -> Self {
        Self {
            allowed_hosts: Vec::new(),
            data_dir: first_password_file
                .parent()
                .map_or_else(PathBuf::new, Path::to_owned),
            first_password_file,
            zone: TimeZone::system(),
            random: system_random,
            limit: Limit::default(),
        }
    }
}

/// Why a listener could not work.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket has no address.
    #[error("the listening socket has no address")]
    Socket(#[source] io::Error),
    /// The table of routes contradicts itself.
    #[error("the table of routes contradicts itself")]
    Routes(#[source] matchit::InsertError),
}

/// Serves the page and the API to browsers until told to stop.
///
/// # Errors
/// Before the first request only: no address.
pub async fn serve_admin(
    listener: TcpListener,
    handle: Handle,
    people: Arc<People>,
    options: AdminOptions,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let bound = listener.local_addr().map_err(ServeError::Socket)?;
    let started_at = handle.now();
    let site = Arc::new(Site {
        handle,
        people,
        data_dir: options.data_dir,
        started_at,
        routes: Routes::new().map_err(ServeError::Routes)?,
        zone: options.zone,
        limits: Limits {
            bytes: options.limit.body,
            frame: options.limit.frame,
        },
        browsers: Some(Browsers {
            hosts: Hosts::new(bound, &options.allowed_hosts),
            tries: Mutex::new(Tries::default()),
            staged: Mutex::new(None),
            consents: Mutex::default(),
            cookie: format!("waybill-{}", bound.port()),
        }),
    });
    tracing::info!(address = %bound, "Page is served.");
    let accept = || async {
        let (stream, peer) = listener.accept().await?;
        // Answers are small: waiting to fill a packet only delays them.
        stream.set_nodelay(true).ok();
        Ok((stream, Peer::Network(peer.ip())))
    };
    listen(accept, answers(site), &options.limit, stop).await;
    Ok(())
}

/// A site as what answers requests.
pub(crate) fn answers(
    site: Arc<Site>,
) -> impl Fn(Peer, Request<Incoming>) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Clone + Send
{
    move |peer, request| {
        let site = Arc::clone(&site);
        Box::pin(async move { site.answer(peer, request).await })
    }
}

/// Accepts until told to stop, then lets running requests end within the grace.
pub(crate) async fn listen<I, A, F, S, R>(
    accept: A,
    serve: S,
    limit: &Limit,
    stop: CancellationToken,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn() -> F,
    F: Future<Output = io::Result<(I, Peer)>>,
    S: Fn(Peer, Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    let turns = Arc::new(Semaphore::new(limit.connections));
    let graceful = GracefulShutdown::new();
    let tasks = TaskTracker::new();
    let abort = CancellationToken::new();
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limit.head)
        .max_buf_size(64 * 1024);
    loop {
        let accepted = async {
            let turn = Arc::clone(&turns)
                .acquire_owned()
                .await
                .map_err(io::Error::other)?;
            Ok::<_, io::Error>((accept().await?, turn))
        };
        let ((stream, peer), turn) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accepted => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "A connection could not be accepted.");
                    tokio::time::sleep(BACK_OFF).await;
                    continue;
                }
            },
        };
        let (serve, requests) = (serve.clone(), tasks.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            one(serve(peer, request), requests.clone())
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        let abort = abort.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = abort.cancelled() => {}
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "A connection ended early.");
                },
            }
            drop(turn);
        });
    }
    tasks.close();
    if tokio::time::timeout(limit.grace, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("Requests were still running when the grace was over.");
    }
    abort.cancel();
    if tokio::time::timeout(limit.grace, tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!(requests = tasks.len(), "Requests are left behind.");
    }
}

/// One request, in a task of its own: a client that goes away must not cut a command in half.
async fn one(
    answering: impl Future<Output = Answer> + Send + 'static,
    tasks: TaskTracker,
) -> Result<Answer, Infallible> {
    let answer = tasks.spawn(answering).await;
    let answer = answer.unwrap_or_else(|error| {
        tracing::error!(%error, "A request ended abnormally.");
        let mut answer = Response::new(Sent::default());
        *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        answer
    });
    Ok(answer)
}
