//! A real HTTP server on a loopback port that answers as a function says and remembers what it was asked.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(n, _)| n == name)?;
        Some(value)
    }
}

/// What the site does with a request.
pub(crate) enum Reply {
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Closes the connection without an answer.
    HangUp,
    /// Never answers.
    Silence,
}

pub(crate) fn text(status: u16, body: &str) -> Reply {
    Reply::Answer(status, Vec::new(), body.as_bytes().to_vec())
}

type Answers = dyn Fn(&Asked) -> Reply + Send + Sync;

/// The server; it stops with the test's runtime.
pub(crate) struct Site {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    tasks: tokio::task::JoinSet<()>,
}

impl Site {
    pub(crate) async fn start(answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(answers, None).await
    }

    /// Over TLS.
    pub(crate) async fn start_tls(
        answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
        tls: Arc<tokio_rustls::rustls::ServerConfig>,
    ) -> Self {
        Self::serve(answers, Some(tokio_rustls::TlsAcceptor::from(tls))).await
    }

    async fn serve(
        answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
        tls: Option<tokio_rustls::TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers: Arc<Answers> = Arc::new(answers);
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let mut tasks = tokio::task::JoinSet::new();
        let seen = Arc::clone(&asked);
        tasks.spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (answers, seen, tls) = (Arc::clone(&answers), Arc::clone(&seen), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => connection(stream, answers, seen).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                connection(stream, answers, seen).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, asked, tasks }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Everything it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        assert!(!self.tasks.is_empty(), "the site runs");
        self.asked.lock().unwrap().clone()
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    answers: Arc<Answers>,
    seen: Arc<Mutex<Vec<Asked>>>,
) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (answers, seen) = (Arc::clone(&answers), Arc::clone(&seen));
        async move {
            let asked = read(request).await;
            seen.lock().unwrap().push(asked.clone());
            match answers(&asked) {
                Reply::Answer(status, headers, body) => {
                    let mut response = hyper::Response::builder().status(status);
                    for (name, value) in headers {
                        response = response.header(name, value);
                    }
                    Ok(response.body(Full::new(Bytes::from(body))).unwrap())
                }
                Reply::HangUp => Err(std::io::Error::other("hung up")),
                Reply::Silence => std::future::pending::<Result<_, _>>().await,
            }
        }
    });
    // A connection that was hung up on purpose ends in an error.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn read(request: hyper::Request<Incoming>) -> Asked {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let body = body.unwrap_or_default();
    Asked {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: head
            .headers
            .iter()
            .map(|(n, v)| {
                (
                    n.to_string(),
                    String::from_utf8_lossy(v.as_bytes()).into_owned(),
                )
            })
            .collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}
