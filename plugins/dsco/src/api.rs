//! Calls to the vendor: addresses, credentials, and what its refusals say. Must not know what the calls are for.

use crate::files::Depot;
use crate::settings::Config;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::cell::Cell;
use waybill_sdk::Files;
use waybill_sdk::call::{self, Dialect, Fault};
use waybill_sdk::date;
use waybill_sdk::effects::Effect;
use waybill_sdk::host::Host;
use waybill_sdk::http::{Request, Response};
use waybill_sdk::lenient;
use waybill_sdk::log::Level;
use waybill_sdk::types::{Failure, Problem};

const DIALECT: Dialect = Dialect {
    vendor: "DSCO",
    // A 503 may come from behind the gateway after the work was done; only 429 proves that nothing was.
    throttles: &[429],
};
/// Everything but unreserved characters.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// One call's access to the vendor.
pub(crate) struct Api<'a> {
    pub(crate) host: &'a dyn Host,
    pub(crate) config: &'a Config<'a>,
    files: Option<&'a dyn Files>,
    /// How far the vendor's clock is ahead of ours, once an answer told.
    ahead_ms: Cell<Option<i64>>,
}

impl<'a> Api<'a> {
    pub(crate) const fn new(host: &'a dyn Host, config: &'a Config<'a>) -> Self {
        Self {
            host,
            config,
            files: None,
            ahead_ms: Cell::new(None),
        }
    }

    /// With the file server beside it.
    pub(crate) const fn with_files(mut self, files: &'a dyn Files) -> Self {
        self.files = Some(files);
        self
    }

    /// The file server.
    pub(crate) fn depot(&self) -> Result<Depot<'a>, Failure> {
        let files = self.files.ok_or(Failure::Retry(None))?;
        Ok(Depot::new(files, self.config))
    }

    /// The vendor's time: searches are by its dates, and a merchant's clock may be minutes off.
    pub(crate) fn vendor_now_ms(&self) -> i64 {
        let ahead = self.ahead_ms.get().unwrap_or(0);
        self.host.now_ms().saturating_add(ahead)
    }

    /// Whether an answer of this call told the vendor's time.
    pub(crate) fn knows_clock(&self) -> bool {
        self.ahead_ms.get().is_some()
    }

    fn note_clock(&self, response: &Response) {
        if let Some(theirs) = response.header("date").and_then(date::parse_http) {
            self.ahead_ms.set(Some(theirs - self.host.now_ms()));
        }
    }

    /// A GET; `path` with its query.
    pub(crate) fn get(&self, path: &str) -> Result<Response, Fault> {
        let request = Request::get(format!("{}{path}", self.config.api_url))
            .credential(self.config.credential);
        let result = call::send(self.host, DIALECT, &request);
        if let Ok(response) | Err(Fault::Refused(response)) = &result {
            self.note_clock(response);
        }
        result
    }

    /// The JSON of a GET; `None` where there is no such thing.
    pub(crate) fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        match self.get(path) {
            Ok(response) => call::json(&response).map(Some),
            Err(Fault::Refused(response)) if response.status == 404 => Ok(None),
            Err(fault) => Err(fault.failure(refused)),
        }
    }

    /// A call that changes something.
    pub(crate) fn write(
        &self,
        method: &str,
        path: &str,
        body: Option<&impl Serialize>,
        effect: Effect,
    ) -> Result<Response, Fault> {
        let mut request = Request::new(method, format!("{}{path}", self.config.api_url))
            .credential(self.config.credential)
            .effect(effect);
        if let Some(body) = body {
            request = request.json(body);
        }
        call::send(self.host, DIALECT, &request)
    }

    pub(crate) fn warn(&self, message: &str, fields: &[(&str, &str)]) {
        self.host.log(Level::Warn, message, fields);
    }
}

/// A value for a path segment or a query, encoded exactly once, whether or not the vendor had encoded it already.
pub(crate) fn once(value: &str) -> String {
    let plain = percent_decode_str(value).decode_utf8_lossy();
    utf8_percent_encode(&plain, PLAIN).to_string()
}

/// A value of ours, encoded.
pub(crate) fn encode(value: &str) -> String {
    utf8_percent_encode(value, PLAIN).to_string()
}

/// What a refusal of a whole call means.
pub(crate) fn refused(response: &Response) -> Failure {
    let said = words(&response.text());
    let problem = match response.status {
        403 => Problem::new(
            "forbidden",
            format!("DSCO does not allow this call: {said}"),
            "Check the API address of this connection, and that the credentials belong to a supplier account.",
        ),
        413 => Problem::new(
            "too-large",
            "DSCO refused the call as too large.",
            "Lower the page size in this connection's settings, then retry.",
        ),
        300..=399 => Problem::new(
            "moved",
            format!(
                "The API address answers with a redirect ({}).",
                response.status
            ),
            "Correct the API address of this connection.",
        ),
        status => Problem::new(
            "refused",
            format!("DSCO refused the call ({status}): {said}"),
            "Correct what DSCO says, then retry.",
        ),
    };
    Failure::Rejected(problem)
}

/// The vendor's own words in an answer, whatever their shape.
pub(crate) fn words(body: &str) -> String {
    let Ok(json) = serde_json::from_str::<Value>(body) else {
        return body.chars().take(200).collect();
    };
    let mut said = Vec::new();
    if let Some(messages) = json.get("messages") {
        collect(messages, &mut said);
    }
    for name in ["error_description", "message", "error"] {
        if said.is_empty() {
            said.extend(json.get(name).and_then(lenient::text_of));
        }
    }
    if said.is_empty() {
        return body.chars().take(200).collect();
    }
    said.join("; ")
}

/// The texts of messages or results: a description may be a text, an object or an array of texts.
pub(crate) fn collect(value: &Value, said: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, said)),
        Value::Object(fields) => match fields.get("description") {
            Some(description) if !description.is_null() => collect(description, said),
            _ => match fields.get("message").or_else(|| fields.get("code")) {
                Some(inner) => collect(inner, said),
                None if !fields.is_empty() => said.push(value.to_string()),
                None => {}
            },
        },
        other => said.extend(lenient::text_of(other)),
    }
}
