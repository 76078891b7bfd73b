//! Owns bytes on the sandbox's sockets: reading a request whole, answer bodies that can break off. Must
//! not know vendors or faults.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::{Request, Response};

use crate::vendor::{Req, Resp};

/// The largest body the server reads; vendors refuse far smaller ones by their own rules.
const MAX_BODY: usize = 32 * 1024 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads a request to its end.
pub(crate) async fn read(request: Request<Incoming>) -> anyhow::Result<Req> {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |t| t.as_str());
    let mut req = Req::new(parts.method.as_str(), target);
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        req.headers.push((name.as_str().to_owned(), value));
    }
    let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect())
        .await
        .context("the body did not arrive in time")?
        .map_err(|e| anyhow::anyhow!("the body could not be read: {e}"))?;
    req.body = collected.to_bytes().to_vec();
    Ok(req)
}

/// An answer's body, whole or broken off in the middle.
pub(crate) struct Answer {
    data: Option<Bytes>,
    /// `None`: whole. `Some(n)`: after the data, wait `n` polls (so that it is flushed) and fail.
    cut: Option<u8>,
    length: u64,
}

impl Answer {
    fn new(body: Vec<u8>, cut: bool) -> Self {
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let data = Bytes::from(body);
        if cut {
            let half = data.slice(..data.len() / 2);
            return Self {
                data: Some(half),
                cut: Some(3),
                length,
            };
        }
        Self {
            data: (!data.is_empty()).then_some(data),
            cut: None,
            length,
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match self.cut {
            None => Poll::Ready(None),
            Some(0) => Poll::Ready(Some(Err(std::io::Error::other("cut on command")))),
            Some(left) => {
                self.cut = Some(left - 1);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.cut.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.data.is_none() && self.cut.is_none() {
            return SizeHint::with_exact(0);
        }
        SizeHint::with_exact(self.length)
    }
}

/// Turns a vendor's answer into hyper's; with `cut` its body breaks off in the middle.
pub(crate) fn response(answer: Resp, cut: bool) -> Response<Answer> {
    let mut builder = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        builder = builder.header(name.as_str(), value.as_str());
    }
    builder
        .body(Answer::new(answer.body, cut))
        .unwrap_or_else(|e| {
            let mut broken = Response::new(Answer::new(e.to_string().into_bytes(), false));
            *broken.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
            broken
        })
}
