//! Owns the seam between a sandbox and the server: a request, an answer and the [`Vendor`] trait. A vendor is a pure
//! state machine: time comes in as `now_ms`, chance from a seeded [`crate::dice::Dice`] of its own. It must not know
//! sockets, tokio or the wall clock. Every vendor is made by `Sandbox::new(seed: u64)` in its own folder.

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// One HTTP request as the server read it.
#[derive(Debug, Clone, Default)]
pub struct Req {
    /// Upper-case method.
    pub method: String,
    /// The raw path: still percent-encoded, without the query.
    pub path: String,
    /// Decoded query pairs, order kept.
    pub query: Vec<(String, String)>,
    /// The query as it came, without the question mark.
    pub raw_query: String,
    /// Headers with lower-case names.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Req {
    /// Makes a request from a method and a target such as `/a/b?c=d`, without headers or body.
    pub fn new(method: &str, target: &str) -> Self {
        let (path, raw_query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            query: url::form_urlencoded::parse(raw_query.as_bytes())
                .into_owned()
                .collect(),
            raw_query: raw_query.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Adds a header; the name is stored in lower case.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// Sets a JSON body and its content type.
    #[must_use]
    pub fn with_json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.with_header("content-type", "application/json")
    }

    /// First header of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// First query parameter of this name.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// All query parameters of this name, in order.
    pub fn params<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// Path segments, each still percent-encoded; empty ones (doubled or trailing slash) are left out.
    pub fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|s| !s.is_empty()).collect()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// Decodes one path segment once; bytes that are no UTF-8 become replacement characters.
pub fn decode_segment(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// One HTTP answer.
#[derive(Debug, Clone, Default)]
pub struct Resp {
    /// Status code.
    pub status: u16,
    /// Headers, written as given.
    pub headers: Vec<(String, String)>,
    /// Body bytes; the server adds the length.
    pub body: Vec<u8>,
}

impl Resp {
    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::typed(status, "application/json", body.to_string().into_bytes())
    }

    /// A plain text answer.
    pub fn text(status: u16, body: &str) -> Self {
        Self::typed(
            status,
            "text/plain; charset=utf-8",
            body.as_bytes().to_vec(),
        )
    }

    /// An HTML answer, as gateways give it.
    pub fn html(status: u16, body: &str) -> Self {
        Self::typed(status, "text/html; charset=utf-8", body.as_bytes().to_vec())
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The body as JSON; null when it is none. For tests and the control side.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    fn typed(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self {
            status,
            headers,
            body,
        }
    }
}

/// One sandbox: a vendor's service as a state machine.
pub trait Vendor: Send + 'static {
    /// Answers one API request. [`Vendor::tick`] has been called with the same time just before.
    fn handle(&mut self, now_ms: i64, req: &Req) -> Resp;

    /// Answers one control request: paths under `/_sim/` that the server does not own itself (faults, counters, state,
    /// truth and clock are the server's).
    fn control(&mut self, now_ms: i64, req: &Req) -> Resp;

    /// Makes due asynchronous effects happen. The server calls it before each request and a few times a second.
    fn tick(&mut self, now_ms: i64);

    /// A stable name of the called endpoint for counters and faults, for example `POST /order/acknowledge`: no ids.
    fn endpoint(&self, req: &Req) -> String;

    /// Everything an invariant check needs, as JSON; served at `GET /_sim/truth`.
    fn truth(&self) -> Value;

    /// What a connection to it is filled in with where its API is at that address, by the fields of the page.
    fn entered(&self, _api: &str) -> Value {
        Value::Null
    }

    /// A dump for people, served at `GET /_sim/state`.
    fn state(&self) -> Value {
        self.truth()
    }

    /// Outbound HTTP calls that became due (webhooks): the server drains and sends them, at most once each, and reports
    /// the outcome to [`Vendor::outbound_done`].
    fn outbound(&mut self, _now_ms: i64) -> Vec<Outbound> {
        Vec::new()
    }

    /// What became of an outbound call: the answer's status, or `None` when nobody answered.
    fn outbound_done(&mut self, _now_ms: i64, _id: u64, _status: Option<u16>) {}
}

/// One outbound HTTP call (a webhook delivery).
#[derive(Debug, Clone)]
pub struct Outbound {
    /// The vendor's own id of this delivery.
    pub id: u64,
    /// Method.
    pub method: String,
    /// Absolute `http://` address.
    pub url: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}
