//! Whether somebody answers at an address, and what time it is there: one request without secrets and without effect,
//! made by the host itself. No guest runs, nothing is journalled.

use crate::ports::{WireError, WireRequest, WireResponse};
use crate::reach::ReachError;
use crate::setup::Bound;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::UNIX_EPOCH;
use url::Url;
use waybill_model::ids::Millis;

/// Whole time allowed for one.
const PATIENCE_MS: u64 = 8_000;
/// Nobody reads the answer's body.
const MAX_ANSWER: u64 = 64 * 1024;

/// An address, and what came of knocking there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knock {
    /// The address, without what is secret in it.
    pub address: String,
    /// Who answered, or why nobody did.
    pub outcome: Result<Heard, Silence>,
}

/// An answer; any answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// HTTP status.
    pub status: u16,
    /// Their clock minus ours, where they say the time.
    pub clock_ms: Option<Millis>,
}

/// Why nobody answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Silence {
    /// The address has a part that is not set.
    #[error("{0}")]
    NotSet(String),
    /// The name is not known.
    #[error("the name does not resolve: {0}")]
    NoName(String),
    /// The address is one that this connection may not reach.
    #[error("{0}")]
    NotGranted(String),
    /// Nobody listens there.
    #[error("the connection was refused: {0}")]
    Closed(String),
    /// Somebody answers whom this machine does not trust.
    #[error("its certificate is not trusted: {0}")]
    NotTrusted(String),
    /// Nothing came in time.
    #[error("no answer came within {} s", PATIENCE_MS / 1_000)]
    Slow,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Sorts what the wire says by what a person has to do about it. The words are those of the system's resolver, its
/// sockets and the TLS library, which give nothing better.
fn silence(error: &WireError) -> Silence {
    let text = match error {
        WireError::AddressRefused { .. } => return Silence::NotGranted(error.to_string()),
        WireError::TimedOut => return Silence::Slow,
        WireError::NotSent(text) | WireError::Lost(text) => text,
        WireError::TooLarge(_) => return Silence::Other(error.to_string()),
    };
    let lower = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&["dns error", "failed to lookup", "name or service"]) {
        Silence::NoName(text.clone())
    } else if says(&["certificate", "unknownissuer"]) {
        Silence::NotTrusted(text.clone())
    } else if says(&["refused"]) {
        Silence::Closed(text.clone())
    } else if says(&["timed out", "timeout", "deadline has elapsed"]) {
        Silence::Slow
    } else if says(&["is not allowed here"]) {
        Silence::NotGranted(format!(
            "{text}: plain http goes to private addresses alone, where they are allowed"
        ))
    } else {
        Silence::Other(text.clone())
    }
}

/// Their clock minus ours, from the `Date` of an answer that came between these times. The header knows whole seconds.
fn clock_ms(answer: &WireResponse, sent: Millis, came: Millis) -> Option<Millis> {
    let (_, text) = answer.headers.iter().find(|(name, _)| name == "date")?;
    let date = httpdate::parse_http_date(text).ok()?;
    let date = date.duration_since(UNIX_EPOCH).ok()?.as_millis();
    let date = Millis::try_from(date).ok()?;
    let (early, late) = (date - came, date + 999 - sent);
    // Right as far as anybody can tell.
    Some(if early <= 0 && late >= 0 {
        0
    } else {
        early.midpoint(late)
    })
}

async fn knock(
    bound: &Bound,
    method: &str,
    url: &str,
    allow_private: bool,
) -> Result<Heard, Silence> {
    let sent = bound.now();
    let request = WireRequest {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        allow_private,
        max_answer: MAX_ANSWER,
        timeout_ms: PATIENCE_MS,
    };
    let answer = bound.ports.wire.send(request).await;
    let answer = answer.map_err(|error| silence(&error))?;
    Ok(Heard {
        status: answer.status,
        clock_ms: clock_ms(&answer, sent, bound.now()),
    })
}

/// Knocks once at every host of the connection's reach. An address whose parts are not set is another way that this
/// merchant does not go, unless no way is left.
pub(crate) async fn at_reach(bound: &Bound) -> Vec<Knock> {
    let (mut known, mut unset) = (BTreeSet::new(), Vec::new());
    let mut knocks = Vec::new();
    for prefix in &bound.filled().prefixes {
        let prefix = match prefix {
            Ok(prefix) => prefix,
            Err(error) => {
                unset.push(not_set(error));
                continue;
            }
        };
        let origin = prefix.url.origin().ascii_serialization();
        if !known.insert(origin.clone()) {
            continue;
        }
        let (host, port) = (
            prefix.url.host_str().unwrap_or_default(),
            prefix.url.port_or_known_default(),
        );
        let private = bound.setup.private_allowed(host, port);
        let outcome = knock(bound, "HEAD", prefix.url.as_str(), private).await;
        knocks.push(Knock {
            address: origin,
            outcome,
        });
    }
    if knocks.is_empty() { unset } else { knocks }
}

fn not_set(error: &ReachError) -> Knock {
    let address = match error {
        ReachError::Unfilled { template, .. } => template.clone(),
        ReachError::NotReachable { url, .. } => url.clone(),
    };
    Knock {
        address,
        outcome: Err(Silence::NotSet(error.to_string())),
    }
}

/// Knocks at an address that the merchant gave for this agent itself, wherever it lies.
pub(crate) async fn at_own(bound: &Bound, url: &str, shown: String) -> Knock {
    let outcome = match Url::parse(url) {
        Ok(url) => knock(bound, "GET", url.as_str(), true).await,
        Err(error) => Err(Silence::NotSet(format!("it is no address: {error}"))),
    };
    Knock {
        address: shown,
        outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_wire_says_is_sorted() {
        let not_sent = |text: &str| silence(&WireError::NotSent(text.to_owned()));
        let text = "dns error: failed to lookup address information: Name or service not known";
        assert!(matches!(not_sent(text), Silence::NoName(_)));
        let text = "invalid peer certificate: UnknownIssuer";
        assert!(matches!(not_sent(text), Silence::NotTrusted(_)));
        let text = "tcp connect error: Connection refused (os error 111)";
        assert!(matches!(not_sent(text), Silence::Closed(_)));
        assert_eq!(not_sent("deadline has elapsed"), Silence::Slow);
        assert_eq!(silence(&WireError::TimedOut), Silence::Slow);
        assert!(matches!(
            not_sent("received corrupt message"),
            Silence::Other(_)
        ));
    }

    #[test]
    fn a_clock_is_compared_within_what_the_header_can_tell() {
        let answer = |date: &str| WireResponse {
            status: 200,
            headers: vec![("date".to_owned(), date.to_owned())],
            body: Vec::new(),
        };
        let noon = 1_795_176_000_000; // 2026-11-20T12:00:00Z
        let date = answer("Fri, 20 Nov 2026 12:00:00 GMT");
        assert_eq!(clock_ms(&date, noon + 100, noon + 900), Some(0));
        assert_eq!(clock_ms(&date, noon - 300, noon + 1_200), Some(0));
        let behind = clock_ms(&date, noon - 600_000, noon - 599_900).unwrap();
        assert!((599_000..=601_000).contains(&behind), "{behind}");
        let ahead = clock_ms(&date, noon + 60_000, noon + 60_100).unwrap();
        assert!((-60_100..=-59_000).contains(&ahead), "{ahead}");
        assert_eq!(clock_ms(&answer("noon"), noon, noon), None);
    }
}
