//! Shapes of answers: page, JSON, redirect, file. Every answer gets the guarding headers in one place. Knows no route.

use crate::guard;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc::Receiver;
use waybill_engine::CommandError;

/// What a route answers with.
pub(crate) type Answer = Response<Sent>;

/// A body.
pub(crate) enum Sent {
    /// All of it is here.
    Whole(Full<Bytes>),
    /// It comes piece by piece; what it is shows whether it is whole.
    Pieces(Receiver<Vec<u8>>),
}

impl Default for Sent {
    fn default() -> Self {
        Self::Whole(Full::default())
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx),
            Self::Pieces(pieces) => pieces
                .poll_recv(cx)
                .map(|piece| piece.map(|piece| Ok(Frame::data(Bytes::from(piece))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Pieces(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}

fn with_body(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Sent::Whole(Full::new(body.into())));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// A page.
pub(crate) fn page(status: StatusCode, html: String) -> Answer {
    with_body(status, "text/html; charset=utf-8", html)
}

/// Plain words, for probes and for clients without a page.
pub(crate) fn text(status: StatusCode, words: impl Into<String>) -> Answer {
    with_body(status, "text/plain; charset=utf-8", words.into())
}

/// Figures for a scraper.
pub(crate) fn metrics(text: String) -> Answer {
    with_body(
        StatusCode::OK,
        "text/plain; version=0.0.4; charset=utf-8",
        text,
    )
}

/// JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(body) => with_body(status, "application/json", body),
        Err(error) => {
            tracing::error!(%error, "An answer could not be written as JSON.");
            text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the answer could not be written",
            )
        }
    }
}

/// Bytes that come piece by piece.
pub(crate) fn pieces(pieces: Receiver<Vec<u8>>) -> Answer {
    let mut answer = with_body(StatusCode::OK, "application/octet-stream", Bytes::new());
    *answer.body_mut() = Sent::Pieces(pieces);
    answer
}

/// A table to be saved as a file of that name.
pub(crate) fn csv(name: &str, table: String) -> Answer {
    saved("text/csv; charset=utf-8", name, table)
}

/// A provisioning file that the browser saves under that name.
pub(crate) fn toml(name: &str, text: String) -> Answer {
    saved("text/plain; charset=utf-8", name, text)
}

fn saved(kind: &'static str, name: &str, text: String) -> Answer {
    let mut answer = with_body(StatusCode::OK, kind, text);
    let saved = format!("attachment; filename=\"{name}\"");
    if let Ok(saved) = HeaderValue::from_str(&saved) {
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_DISPOSITION, saved);
    }
    answer
}

/// A redirect after a form: the browser asks for the page with GET.
pub(crate) fn see_other(place: &str) -> Answer {
    let mut answer = text(StatusCode::SEE_OTHER, "");
    let place = HeaderValue::from_str(place).unwrap_or_else(|_| HeaderValue::from_static("/"));
    answer.headers_mut().insert(header::LOCATION, place);
    answer
}

/// A file that is part of the program; the browser may keep it and ask whether it changed.
pub(crate) fn file(kind: &'static str, body: &'static [u8], known: Option<&HeaderValue>) -> Answer {
    let mut tag = String::from("\"");
    for byte in Sha256::digest(body).iter().take(12) {
        // Writing to a string cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    let unchanged = known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut answer = if unchanged {
        with_body(StatusCode::NOT_MODIFIED, kind, Bytes::new())
    } else {
        with_body(StatusCode::OK, kind, Bytes::from_static(body))
    };
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    answer
}

/// Adds the guarding headers; every answer passes here.
pub(crate) fn guarded(mut answer: Answer) -> Answer {
    for (name, value) in guard::HEADERS {
        answer
            .headers_mut()
            .insert(*name, HeaderValue::from_static(value));
    }
    answer
}

/// Something that did not work, for a page or for the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// HTTP status.
    pub(crate) status: StatusCode,
    /// Stable, kebab-case.
    pub(crate) code: String,
    /// One sentence.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            hint: None,
        }
    }

    /// The same, with a hint.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Something the request lacks or has wrong.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", message)
    }

    /// Nothing is there.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            format!("{what} is not there"),
        )
    }

    /// As the API says it.
    pub(crate) fn to_json(&self) -> Answer {
        let error = json!({"code": self.code, "message": self.message, "hint": self.hint});
        json(self.status, &json!({ "error": error }))
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        let hint = error.hint().map(str::to_owned);
        let (status, code) = match &error {
            CommandError::NotFound(_) => (StatusCode::NOT_FOUND, "not-found".to_owned()),
            CommandError::Refused(problem) => (StatusCode::CONFLICT, problem.code.clone()),
            CommandError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store".to_owned()),
        };
        let message = match error {
            CommandError::Refused(problem) => problem.message,
            other => other.to_string(),
        };
        Self {
            status,
            code,
            message,
            hint,
        }
    }
}

impl From<guard::Refusal> for Failure {
    fn from(refusal: guard::Refusal) -> Self {
        let status = match refusal {
            guard::Refusal::Host => StatusCode::MISDIRECTED_REQUEST,
            guard::Refusal::Origin | guard::Refusal::Elsewhere | guard::Refusal::FormToken => {
                StatusCode::FORBIDDEN
            }
        };
        Self::new(status, refusal.code(), refusal.to_string()).hint(refusal.hint())
    }
}

impl From<crate::body::BodyError> for Failure {
    fn from(error: crate::body::BodyError) -> Self {
        use crate::body::BodyError;
        let (status, code) = match error {
            BodyError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            BodyError::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow"),
            BodyError::Broken => (StatusCode::BAD_REQUEST, "broken"),
        };
        Self::new(status, code, error.to_string())
    }
}
