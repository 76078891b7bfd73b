//! The hooks listener: where vendors call. Apart from the page's listener, since it may be reachable from outside. It
//! knows one kind of address, `POST /hooks/CONNECTION/SECRET`, and answers 200 only after the commit. Whoever does not
//! know an address learns nothing: everything else is the same 404, before a body is read. Never redirects, never sets
//! a cookie, never logs an address.

use crate::answer::{Answer, Sent};
use crate::body::{self, BodyError, Limits};
use crate::server::{Limit, ServeError, listen};
use crate::site::Peer;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use waybill_engine::{Handle, HookRefusal};

/// Most bytes of headers that are kept with a request.
const MOST_HEADERS: usize = 8 * 1024;

/// Limits of the hooks listener: 256 connections, 10 s for a head or between two requests, 5 s for the next part of a
/// body, bodies of 256 KiB.
pub fn usual_limit() -> Limit {
    Limit {
        connections: 256,
        head: Duration::from_secs(10),
        frame: Duration::from_secs(5),
        ..Limit::default()
    }
}

/// Serves webhook requests until told to stop; requests under way then end within the grace.
///
/// # Errors
/// Before the first request only: the socket has no address.
pub async fn serve_hooks(
    listener: TcpListener,
    handle: Handle,
    limit: Limit,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let bound = listener.local_addr().map_err(ServeError::Socket)?;
    tracing::info!(address = %bound, "Webhooks are taken.");
    let limits = Limits {
        bytes: limit.body,
        frame: limit.frame,
    };
    let serve = move |_: Peer, request: Request<Incoming>| {
        let handle = handle.clone();
        async move { take(&handle, limits, request).await }
    };
    let accept = || async {
        let (stream, peer) = listener.accept().await?;
        // Answers are small: waiting to fill a packet only delays them.
        stream.set_nodelay(true).ok();
        Ok((stream, Peer::Network(peer.ip())))
    };
    listen(accept, serve, &limit, stop).await;
    Ok(())
}

/// Connection and secret of an address.
fn address(path: &str) -> Option<(&str, &str)> {
    let (connection, secret) = path.strip_prefix("/hooks/")?.split_once('/')?;
    let whole = !connection.is_empty() && !secret.is_empty() && !secret.contains('/');
    whole.then_some((connection, secret))
}

async fn take(handle: &Handle, limits: Limits, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    if head.method == Method::GET
        && let Some((_, word)) = address(head.uri.path())
    {
        handle.hear(word);
    }
    let known = address(head.uri.path()).filter(|(connection, secret)| {
        head.method == Method::POST && handle.knows_hook(connection, secret.as_bytes())
    });
    let Some((connection, secret)) = known else {
        handle.answered_hook(None, StatusCode::NOT_FOUND.as_u16());
        return closing(StatusCode::NOT_FOUND);
    };
    let kept = kept(&head.headers);
    let answer = keep(handle, limits, (connection, secret), kept, body).await;
    handle.answered_hook(Some(connection), answer.status().as_u16());
    answer
}

/// A request to an address of ours.
async fn keep(
    handle: &Handle,
    limits: Limits,
    (connection, secret): (&str, &str),
    headers: Vec<(String, String)>,
    body: Incoming,
) -> Answer {
    let body = match body::read(body, limits).await {
        Ok(body) => body,
        Err(error) => {
            tracing::debug!(%connection, %error, "A webhook request did not arrive whole.");
            return closing(match error {
                BodyError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
                BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
                BodyError::Broken => StatusCode::BAD_REQUEST,
            });
        }
    };
    let taken = handle
        .take_delivery(connection, secret.as_bytes(), headers, body.into())
        .await;
    match taken {
        Ok(()) => plain(StatusCode::OK, "{}"),
        Err(HookRefusal::Unknown) => closing(StatusCode::NOT_FOUND),
        Err(HookRefusal::NotReady { retry_after_secs }) => {
            let mut answer = plain(StatusCode::SERVICE_UNAVAILABLE, "{}");
            let after = HeaderValue::from(retry_after_secs);
            answer.headers_mut().insert(header::RETRY_AFTER, after);
            answer
        }
    }
}

/// Headers as text, up to a bound; what is no text is left out.
fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut bytes = 0;
    headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .take_while(|(name, value)| {
            bytes += name.len() + value.len();
            bytes <= MOST_HEADERS
        })
        .collect()
}

fn plain(status: StatusCode, body: &'static str) -> Answer {
    let mut answer = Response::new(Sent::Whole(Full::new(Bytes::from_static(body.as_bytes()))));
    *answer.status_mut() = status;
    let headers: [(HeaderName, &'static str); 3] = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in headers {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// An answer to somebody whose body is not read: the connection ends with it.
fn closing(status: StatusCode) -> Answer {
    let mut answer = plain(status, "{}");
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(header::CONNECTION, close);
    answer
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn only_one_kind_of_address_is_known() {
        assert_eq!(address("/hooks/erp/abc"), Some(("erp", "abc")));
        for path in [
            "/",
            "/hooks",
            "/hooks/",
            "/hooks/erp",
            "/hooks/erp/",
            "/hooks//abc",
            "/hooks/erp/abc/",
            "/hooks/erp/abc/d",
            "/Hooks/erp/abc",
            "/live",
            "//hooks/erp/abc",
        ] {
            assert_eq!(address(path), None, "{path}");
        }
    }
}
