//! Owns one call to the API behind the gateway: method, decoded path inside the account, query and body. It must not know
//! headers of the transport; messages of a multi-message become calls too.

use serde_json::Value;

use super::envelope::Refusal;
use crate::vendor::decode_segment;

/// A call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) segments: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) if_match: Option<String>,
}

impl Call {
    /// Makes a call from the raw path after the account.
    pub(super) fn new(
        method: &str,
        path: &str,
        query: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Self {
        let segments = path
            .split('/')
            .filter(|s| !s.is_empty())
            .map(decode_segment)
            .collect();
        Self {
            method: method.to_owned(),
            segments,
            query,
            body,
            if_match: None,
        }
    }

    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// Whether `includeOptional` names a section.
    pub(super) fn includes(&self, section: &str) -> bool {
        self.query
            .iter()
            .filter(|(name, _)| name == "includeOptional")
            .any(|(_, value)| value.split(',').any(|part| part.trim() == section))
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.body).map_err(|_| {
            Refusal::bad(
                "CMNC-010",
                "The request body is missing or is not valid JSON",
            )
        })
    }

    /// The body as a JSON object.
    pub(super) fn object(&self) -> Result<Value, Refusal> {
        let body = self.json()?;
        if body.is_object() {
            return Ok(body);
        }
        Err(Refusal::bad(
            "CMNC-010",
            "The request body must be a JSON object",
        ))
    }
}

/// One operation of a patch.
#[derive(Debug, Clone)]
pub(super) struct Op {
    pub(super) verb: String,
    pub(super) path: String,
    pub(super) value: Value,
}

/// Reads the operations of a patch body.
pub(super) fn operations(call: &Call) -> Result<Vec<Op>, Refusal> {
    let body = call.json()?;
    let list = body
        .as_array()
        .ok_or_else(|| Refusal::bad("CMNC-010", "A patch is a JSON array of operations"))?;
    list.iter()
        .map(|item| {
            let text = |key: &str| item[key].as_str().map(str::to_owned);
            match (text("op"), text("path")) {
                (Some(verb), Some(path)) => Ok(Op {
                    verb,
                    path,
                    value: item["value"].clone(),
                }),
                _ => Err(Refusal::bad(
                    "CMNC-010",
                    "A patch operation has an op and a path",
                )),
            }
        })
        .collect()
}

/// Replaces ids in a path by `{id}`, so that counters have stable names.
pub(super) fn stable(segments: &[&str]) -> String {
    let mut out = String::new();
    for segment in segments {
        out.push('/');
        let id = *segment == "*" || segment.starts_with(|c: char| c.is_ascii_digit());
        out.push_str(if id { "{id}" } else { segment });
    }
    out
}
