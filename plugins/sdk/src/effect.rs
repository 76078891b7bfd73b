//! Building requests and the effects they name. Knows nothing of what they mean.

use crate::effects::Effect;
use crate::http::{Request, Response};
use crate::json;
use serde::Serialize;
use std::borrow::Cow;

/// An unsafe call under that step, carrying these members of the batch.
pub fn effect(step: &str, members: impl IntoIterator<Item = u32>) -> Effect {
    Effect {
        step: step.to_owned(),
        members: members.into_iter().collect(),
        verified_absent: false,
    }
}

/// The indices of a whole batch.
pub fn all_members(count: usize) -> std::ops::Range<u32> {
    0..u32::try_from(count).unwrap_or(u32::MAX)
}

impl Effect {
    /// The same, after a look-up that proved it did not happen.
    #[must_use]
    pub fn resend(mut self) -> Self {
        self.verified_absent = true;
        self
    }
    /// The same, resent where `absent` says so.
    #[must_use]
    pub fn resend_if(mut self, absent: bool) -> Self {
        self.verified_absent = absent;
        self
    }
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            url: url.into(),
            headers: vec![("accept".to_owned(), "application/json".to_owned())],
            body: Vec::new(),
            credential: None,
            effect: None,
        }
    }
    /// A GET.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }
    /// With a JSON body.
    #[must_use]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        // A type that does not serialise is a bug of the connector; the vendor's refusal of the empty body shows it.
        self.body = json::to_vec(body).unwrap_or_default();
        self.header("content-type", "application/json")
    }
    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
    /// With the secret of that slot, put in by the host.
    #[must_use]
    pub fn credential(mut self, slot: &str) -> Self {
        self.credential = Some(slot.to_owned());
        self
    }
    /// As that effect.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = Some(effect);
        self
    }
}

impl Response {
    /// A header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
    /// The body as text.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
    /// Seconds of `Retry-After`, where it is given in seconds.
    pub fn retry_after_secs(&self) -> Option<u32> {
        self.header("retry-after")?.trim().parse().ok()
    }
}
