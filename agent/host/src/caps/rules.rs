//! The rules a request must keep before a secret is touched: where it may go, what it may carry, whether it may change
//! something. It waits for nothing and sends nothing.

use super::http::Request;
use crate::budget::{BudgetKey, Rate};
use crate::connector::Mode;
use crate::credentials::{self, Prepared};
use crate::effects::{self, Denial, IoError};
use crate::reach;
use crate::state::{Access, CallState, Visitor, kept};
use url::Url;

/// A request that may leave.
pub(crate) struct Plan {
    pub(crate) url: Url,
    pub(crate) key: BudgetKey,
    pub(crate) rate: Rate,
    pub(crate) allow_private: bool,
}

/// Set by the host alone: identity, framing, and what a proxy would act on.
const HOST_HEADERS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "host",
    "cookie",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-connection",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
];

/// Everything that is checked before a secret is touched.
pub(crate) fn plan(
    state: &CallState,
    visitor: &Visitor,
    request: &Request,
) -> Result<Plan, IoError> {
    let bound = &visitor.bound;
    let not_granted = |why: String| IoError::Denied(Denial::NotGranted(why));
    if state.access == Access::Local {
        return Err(not_granted("this call has no network".to_owned()));
    }
    within_limits(state, request)?;
    let url = reach::parse(&request.url).map_err(|e| not_granted(e.to_string()))?;
    let filled = bound.filled();
    let usable = filled.prefixes.iter().flatten();
    let Some(prefix) = reach::covering(usable, &url) else {
        let missing = filled
            .prefixes
            .iter()
            .find_map(|p| p.as_ref().err().map(|e| format!(" ({e})")));
        return Err(not_granted(format!(
            "`{}` is not in the connector's reach{}",
            shown(&url),
            missing.unwrap_or_default()
        )));
    };
    if !reach::transport_allowed(&url, &bound.setup) {
        return Err(not_granted(format!(
            "`{}` is plain http, and private addresses are not allowed for this connection",
            shown(&url)
        )));
    }
    if let Some(slot) = &request.credential {
        credentials::granted(bound, slot, &url).map_err(|e| e.told())?;
    }
    permitted(visitor, request)?;
    let host = url.host_str().unwrap_or_default();
    Ok(Plan {
        key: BudgetKey {
            connection: bound.setup.id,
            reach: prefix.url.to_string(),
        },
        rate: Rate {
            per_minute: prefix.per_minute,
            per_second: prefix.per_second,
        },
        allow_private: bound
            .setup
            .private_allowed(host, url.port_or_known_default()),
        url,
    })
}

fn within_limits(state: &CallState, request: &Request) -> Result<(), IoError> {
    let limits = &state.limits;
    let body = u64::try_from(request.body.len()).unwrap_or(u64::MAX);
    if body > limits.request_body {
        return Err(IoError::TooLarge(limits.request_body));
    }
    let headers = &request.headers;
    let head: usize = headers.iter().map(|(n, v)| n.len() + v.len()).sum();
    if headers.len() > limits.headers || head + request.url.len() > limits.head_bytes {
        return Err(IoError::Refused(format!(
            "the URL and headers are larger than {} bytes or {} headers",
            limits.head_bytes, limits.headers
        )));
    }
    let token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let plain = |text: &str| text.chars().all(|c| c == '\t' || !c.is_control());
    if !headers.iter().all(|(n, v)| token(n) && plain(v)) {
        return Err(IoError::Refused(
            "a header holds characters that no header may hold".to_owned(),
        ));
    }
    Ok(())
}

/// The rules of effects and modes.
fn permitted(visitor: &Visitor, request: &Request) -> Result<(), IoError> {
    let reads = match request.method.as_str() {
        "GET" | "HEAD" | "OPTIONS" => true,
        "POST" | "PUT" | "PATCH" | "DELETE" => false,
        other => {
            return Err(IoError::Refused(format!(
                "the method `{}` is not spoken",
                kept(other.as_bytes())
            )));
        }
    };
    if !reads && visitor.call.mode == Mode::ReadOnly {
        return Err(Denial::ReadOnlyCall.into());
    }
    let Some(effect) = &request.effect else {
        return if reads {
            Ok(())
        } else {
            Err(Denial::EffectRequired.into())
        };
    };
    effects::permitted(effect, &visitor.call)
}

/// A guest sets no header of the host's, and none that its credential sets.
pub(crate) fn own_headers(request: &Request, prepared: Option<&Prepared>) -> Result<(), IoError> {
    let theirs = |name: &str| {
        HOST_HEADERS.iter().any(|h| name.eq_ignore_ascii_case(h))
            || prepared.is_some_and(|p| p.headers.iter().any(|(h, _)| name.eq_ignore_ascii_case(h)))
    };
    match request.headers.iter().find(|(name, _)| theirs(name)) {
        None => Ok(()),
        Some((name, _)) => {
            Err(Denial::NotGranted(format!("the header `{name}` is set by the host")).into())
        }
    }
}

/// A URL for a sentence: without its query.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    kept(url.as_str().as_bytes())
}
