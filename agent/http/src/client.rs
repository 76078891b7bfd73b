//! The command line's end of the local socket: one request per connection, JSON both ways, errors a person can act on.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;

/// Largest answer taken.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// Longest wait for an answer: a probe may ask its vendor several times.
const PATIENCE: Duration = Duration::from_mins(2);

/// Why the running agent gave no answer, or a bad one.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("no agent is running at `{path}`")]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The socket is another user's.
    #[error("the socket `{path}` may not be opened by this user")]
    Denied {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The connection broke, or nothing came back in time.
    #[error("the agent at `{path}` did not answer: {why}")]
    NoAnswer {
        /// The socket.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// What came could not be kept.
    #[error("what the agent sent could not be written")]
    Write(#[source] io::Error),
    /// The agent said no.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Stable, kebab-case.
        code: String,
        /// One sentence.
        message: String,
        /// What to do next.
        hint: Option<String>,
        /// The whole answer, such as the mistakes of a file.
        answer: Value,
    },
}

impl ClientError {
    /// What to do next.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::NotRunning { .. } => Some(
                "Start it with `systemctl start waybill` or `waybill run`, or name its socket with `--socket`.",
            ),
            Self::Denied { .. } => {
                Some("Run the command as root (sudo), or as the agent's own user.")
            }
            Self::Write(_) => Some("Check the path, its owner and the free space."),
            Self::NoAnswer { .. } => Some("Look into the agent's log."),
            Self::Refused { hint, .. } => hint.as_deref(),
        }
    }
}

/// The running agent, as the command line sees it.
#[derive(Debug, Clone)]
pub struct LocalClient {
    path: PathBuf,
}

impl LocalClient {
    /// Checks that an agent listens there.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`], [`ClientError::Denied`]
    pub async fn connect(path: &Path) -> Result<Self, ClientError> {
        let client = Self {
            path: path.to_owned(),
        };
        client.open().await?;
        Ok(client)
    }

    /// Reads.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn get_json(&self, place: &str) -> Result<Value, ClientError> {
        self.ask(Method::GET, place, Bytes::new()).await
    }

    /// Commands. `&()` sends no body.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn post_json(
        &self,
        place: &str,
        body: &(impl Serialize + ?Sized),
    ) -> Result<Value, ClientError> {
        let body = match serde_json::to_vec(body) {
            Ok(body) if body == b"null" => Bytes::new(),
            Ok(body) => body.into(),
            Err(error) => return Err(self.no_answer(&error)),
        };
        self.ask(Method::POST, place, body).await
    }

    /// Reads something large into `to`, piece by piece.
    ///
    /// # Errors
    /// [`ClientError`]; what was written until then is of no use.
    pub async fn download(&self, place: &str, to: &mut impl io::Write) -> Result<(), ClientError> {
        let stream = self.open().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| self.no_answer(&e))?;
        let request = self.request(Method::GET, place, Bytes::new())?;
        let late = |_| self.no_answer(&"nothing came within two minutes");
        let read = async move {
            let answer = tokio::time::timeout(PATIENCE, sender.send_request(request));
            let answer = answer
                .await
                .map_err(late)?
                .map_err(|e| self.no_answer(&e))?;
            let (head, mut body) = answer.into_parts();
            if !head.status.is_success() {
                let body = Limited::new(body, LARGEST_ANSWER).collect().await;
                let body = body.map_err(|e| self.no_answer(&e))?.to_bytes();
                return self.take(head.status, &body).map(drop);
            }
            while let Some(frame) = tokio::time::timeout(PATIENCE, body.frame())
                .await
                .map_err(late)?
            {
                let frame = frame.map_err(|e| self.no_answer(&e))?;
                if let Some(piece) = frame.data_ref() {
                    to.write_all(piece).map_err(ClientError::Write)?;
                }
            }
            Ok(())
        };
        let (answer, _) = tokio::join!(read, connection);
        answer
    }

    async fn open(&self) -> Result<UnixStream, ClientError> {
        UnixStream::connect(&self.path).await.map_err(|source| {
            let path = self.path.clone();
            if source.kind() == io::ErrorKind::PermissionDenied {
                ClientError::Denied { path, source }
            } else {
                ClientError::NotRunning { path, source }
            }
        })
    }

    fn no_answer(&self, why: &impl ToString) -> ClientError {
        ClientError::NoAnswer {
            path: self.path.clone(),
            why: why.to_string(),
        }
    }

    async fn ask(&self, method: Method, place: &str, body: Bytes) -> Result<Value, ClientError> {
        let stream = self.open().await?;
        tokio::time::timeout(PATIENCE, self.exchange(stream, method, place, body))
            .await
            .unwrap_or_else(|_| Err(self.no_answer(&"nothing came within two minutes")))
    }

    fn request(
        &self,
        method: Method,
        place: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = place.parse().map_err(|e| self.no_answer(&e))?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, HeaderValue::from_static("local"));
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        Ok(request)
    }

    async fn exchange(
        &self,
        stream: UnixStream,
        method: Method,
        place: &str,
        body: Bytes,
    ) -> Result<Value, ClientError> {
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| self.no_answer(&e))?;
        let request = self.request(method, place, body)?;
        let read = async move {
            // The sender ends with this block, and with it the connection.
            let mut sender = sender;
            let answer = sender
                .send_request(request)
                .await
                .map_err(|e| self.no_answer(&e))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), LARGEST_ANSWER)
                .collect()
                .await
                .map_err(|e| self.no_answer(&e))?;
            self.take(status, &body.to_bytes())
        };
        let (answer, _) = tokio::join!(read, connection);
        answer
    }

    fn take(&self, status: StatusCode, body: &[u8]) -> Result<Value, ClientError> {
        let answer: Value = match serde_json::from_slice(body) {
            Ok(answer) => answer,
            // Probes answer in plain words.
            Err(_) if status.is_success() => {
                Value::String(String::from_utf8_lossy(body).trim().to_owned())
            }
            Err(error) => return Err(self.no_answer(&format!("status {status}, {error}"))),
        };
        if status.is_success() {
            return Ok(answer);
        }
        let text = |name: &str| answer["error"][name].as_str().map(str::to_owned);
        Err(ClientError::Refused {
            status: status.as_u16(),
            code: text("code").unwrap_or_default(),
            message: text("message").unwrap_or_else(|| format!("the agent answered {status}")),
            hint: text("hint"),
            answer,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_agent_is_said_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let error = LocalClient::connect(&path).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("no agent is running at `{}`", path.display())
        );
        assert!(error.hint().unwrap().contains("waybill run"));
    }
}
