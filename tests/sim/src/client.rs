//! Owns a tiny plain HTTP client: one connection per call. For webhook deliveries, the checker and tests. Must not know
//! vendors or follow redirects.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

const TIMEOUT: Duration = Duration::from_mins(1);

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Headers with lower-case names.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as JSON; null when it is none.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// Calls an `http://` address.
pub async fn call(
    method: &str,
    address: &str,
    headers: &[(String, String)],
    body: Vec<u8>,
) -> anyhow::Result<Reply> {
    let url = url::Url::parse(address).with_context(|| format!("`{address}` is no address"))?;
    anyhow::ensure!(url.scheme() == "http", "`{address}` is not an http address");
    let host = url
        .host_str()
        .context("the address names no host")?
        .to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    // The target exactly as given: a URL library may normalise percent-encoding.
    let rest = address.get("http://".len()..).unwrap_or_default();
    let target = rest.find('/').map_or("/", |at| &rest[at..]);
    let work = async {
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", format!("{host}:{port}"))
            .header("connection", "close");
        for (name, value) in headers {
            request = request.header(name.as_str(), value.as_str());
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        let exchange = async {
            let answer = sender.send_request(request).await?;
            let (parts, body) = answer.into_parts();
            anyhow::Ok((parts, body.collect().await?.to_bytes().to_vec()))
        };
        tokio::pin!(exchange);
        tokio::pin!(connection);
        let (parts, body) = tokio::select! {
            done = &mut exchange => done?,
            // The connection may end first, with the answer already buffered or with the reason of the failure.
            ended = &mut connection => {
                let done = exchange.await;
                match (done, ended) {
                    (Ok(done), _) => done,
                    (Err(_), Err(error)) => return Err(error.into()),
                    (Err(error), Ok(())) => return Err(error),
                }
            }
        };
        let headers = parts
            .headers
            .iter()
            .map(|(n, v)| {
                (
                    n.to_string(),
                    String::from_utf8_lossy(v.as_bytes()).into_owned(),
                )
            })
            .collect();
        anyhow::Ok(Reply {
            status: parts.status.as_u16(),
            headers,
            body,
        })
    };
    tokio::time::timeout(TIMEOUT, work)
        .await
        .context("nobody answered in time")?
}

/// Calls with a JSON body (none when null) and expects a 2xx answer with JSON.
pub async fn json(method: &str, address: &str, body: &Value) -> anyhow::Result<Value> {
    let bytes = if body.is_null() {
        Vec::new()
    } else {
        body.to_string().into_bytes()
    };
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let reply = call(method, address, &headers, bytes).await?;
    let text = String::from_utf8_lossy(&reply.body);
    anyhow::ensure!(
        reply.status < 300,
        "`{address}` answered {}: {text}",
        reply.status
    );
    serde_json::from_slice(&reply.body).with_context(|| format!("`{address}` gave no JSON"))
}
