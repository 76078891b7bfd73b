//! Who may ask at all: the `Host` a browser was told, the page a write comes from, and what a page may do in a browser.
//! Knows headers only; who is logged in is `session.rs`'s business.

use crate::site::Peer;
use hyper::header::{self, HeaderMap};
use hyper::{Method, Uri};
use std::net::SocketAddr;
use subtle::ConstantTimeEq;

/// What a page may load and where its forms may go: this agent, and nothing else.
pub(crate) const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
     img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Headers of every answer, in small letters.
pub(crate) const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Why a request was turned away before anybody looked at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The name in `Host` is not one of ours.
    #[error("this agent does not answer to that host name")]
    Host,
    /// A write from another site, or from a page we did not make.
    #[error("this request comes from another site")]
    Origin,
    /// Figures are for programs on this machine.
    #[error("the figures are given to programs on this machine only")]
    Elsewhere,
    /// The form token is missing or of another session.
    #[error("the form was made for another login")]
    FormToken,
}

impl Refusal {
    /// Stable, kebab-case.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Host => "host-not-allowed",
            Self::Origin => "other-site",
            Self::Elsewhere => "other-machine",
            Self::FormToken => "form-token",
        }
    }

    /// What to do next.
    pub(crate) const fn hint(self) -> &'static str {
        match self {
            Self::Host => {
                "Open the page by the address in the agent's log, or add the name to `allowed_hosts` in agent.toml."
            }
            Self::Origin => "Open the page itself and send the form from there.",
            Self::Elsewhere => {
                "Ask http://127.0.0.1 and the page's port from this machine, or log in; a proxy is not to pass this address on."
            }
            Self::FormToken => "Open the page again and send the form once more.",
        }
    }
}

/// The names this agent answers to, each with its port.
#[derive(Debug, Clone)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    /// The loopback names on our port, the bound address, and what the configuration adds. A configured name without
    /// a port is taken as it stands (a proxy on port 80 or 443) and with our port.
    pub(crate) fn new(bound: SocketAddr, extra: &[String]) -> Self {
        let port = bound.port();
        let mut names = vec![
            "127.0.0.1".to_owned(),
            "localhost".to_owned(),
            "[::1]".to_owned(),
        ];
        if !bound.ip().is_unspecified() {
            names.push(match bound {
                SocketAddr::V4(v4) => v4.ip().to_string(),
                SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
            });
        }
        let mut all: Vec<String> = names.iter().map(|name| format!("{name}:{port}")).collect();
        if port == 80 {
            all.extend(names);
        }
        for name in extra {
            let name = name.trim().to_ascii_lowercase();
            if name.is_empty() {
                continue;
            }
            let has_port = name
                .rsplit_once(':')
                .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            if !has_port {
                all.push(format!("{name}:{port}"));
            }
            all.push(name);
        }
        Self(all)
    }

    fn knows(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.0.contains(&host)
    }

    /// The `Host` of a request, if there is exactly one and it is ours. A page of another name that resolves to this
    /// machine (DNS rebinding) is stopped here: its browser still says the other name.
    ///
    /// # Errors
    /// [`Refusal::Host`]
    pub(crate) fn check<'a>(&self, uri: &Uri, headers: &'a HeaderMap) -> Result<&'a str, Refusal> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(Refusal::Host);
        };
        let host = host.to_str().map_err(|_| Refusal::Host)?;
        if let Some(authority) = uri.authority()
            && !authority.as_str().eq_ignore_ascii_case(host)
        {
            return Err(Refusal::Host);
        }
        if self.knows(host) {
            Ok(host)
        } else {
            Err(Refusal::Host)
        }
    }
}

/// A program on this machine, by a loopback name, that no proxy stands before: what is told without a login must not
/// get out by accident. Not proof against a proxy that hides itself; nothing secret is told.
///
/// # Errors
/// [`Refusal::Elsewhere`]
pub(crate) fn own_machine(peer: Peer, host: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    const PASSED_ON: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    let Peer::Network(ip) = peer else {
        return Ok(());
    };
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|b| b.is_ascii_digit()) {
            name
        } else {
            host
        }
    });
    let loopback = ["127.0.0.1", "localhost", "[::1]"];
    let own = ip.is_loopback() && loopback.iter().any(|l| name.eq_ignore_ascii_case(l));
    if own && !PASSED_ON.iter().any(|name| headers.contains_key(*name)) {
        Ok(())
    } else {
        Err(Refusal::Elsewhere)
    }
}

/// Whether a method changes nothing.
pub(crate) fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// A write must come from a page of this agent. `Sec-Fetch-Site` is believed first: browsers set it and pages cannot.
/// Under `no-referrer` a browser sends `Origin: null` even from our own form, so `null` counts only beside it.
/// A client that sends neither is no browser and has no cookie that another site could borrow.
///
/// # Errors
/// [`Refusal::Origin`]
pub(crate) fn same_site(host: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name: &str| -> Result<Option<&str>, Refusal> {
        let mut values = headers.get_all(name).iter();
        let first = values.next();
        if values.next().is_some() {
            return Err(Refusal::Origin);
        }
        first
            .map(|value| value.to_str().map_err(|_| Refusal::Origin))
            .transpose()
    };
    let site = text("sec-fetch-site")?;
    if !matches!(site, None | Some("same-origin" | "none")) {
        return Err(Refusal::Origin);
    }
    match text("origin")? {
        None => Ok(()),
        Some("null") if site.is_some() => Ok(()),
        Some(origin) => {
            let rest = origin
                .strip_prefix("http://")
                .or_else(|| origin.strip_prefix("https://"))
                .ok_or(Refusal::Origin)?;
            if rest.eq_ignore_ascii_case(host) {
                Ok(())
            } else {
                Err(Refusal::Origin)
            }
        }
    }
}

/// The token a form or a header carries, against the one of the session, in constant time.
///
/// # Errors
/// [`Refusal::FormToken`]
pub(crate) fn form_token(given: Option<&str>, expected: &str) -> Result<(), Refusal> {
    let same = given.is_some_and(|given| bool::from(given.as_bytes().ct_eq(expected.as_bytes())));
    if same && !expected.is_empty() {
        Ok(())
    } else {
        Err(Refusal::FormToken)
    }
}

/// The value of a cookie; the first one of that name, and none when there are two that differ.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut found = None;
    for header in headers.get_all(header::COOKIE) {
        for pair in header.to_str().ok()?.split(';') {
            let Some((key, value)) = pair.trim().split_once('=') else {
                continue;
            };
            if key == name {
                if found.is_some_and(|earlier| earlier != value) {
                    return None;
                }
                found = Some(value);
            }
        }
    }
    found.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn hosts() -> Hosts {
        Hosts::new(
            "127.0.0.1:7878".parse().unwrap(),
            &[
                "Waybill.Example".to_owned(),
                "proxy.example:8443".to_owned(),
            ],
        )
    }

    #[test]
    fn foreign_hosts_are_denied_and_ours_allowed() {
        let path = Uri::from_static("/today");
        for bad in [
            "evil.example",
            "evil.example:7878",
            "localhost",
            "localhost:80",
            "127.0.0.1",
            "localhost:7878.evil.example",
            "",
            "127.0.0.2:7878",
        ] {
            assert_eq!(
                hosts().check(&path, &headers(&[("host", bad)])),
                Err(Refusal::Host),
                "{bad}"
            );
        }
        for good in [
            "127.0.0.1:7878",
            "localhost:7878",
            "LOCALHOST:7878",
            "[::1]:7878",
            "waybill.example",
            "waybill.example:7878",
            "proxy.example:8443",
        ] {
            assert!(
                hosts().check(&path, &headers(&[("host", good)])).is_ok(),
                "{good}"
            );
        }
        assert_eq!(hosts().check(&path, &headers(&[])), Err(Refusal::Host));
        let two = headers(&[("host", "localhost:7878"), ("host", "evil.example")]);
        assert_eq!(hosts().check(&path, &two), Err(Refusal::Host));
        let absolute = Uri::from_static("http://evil.example/today");
        assert_eq!(
            hosts().check(&absolute, &headers(&[("host", "localhost:7878")])),
            Err(Refusal::Host)
        );
    }

    #[test]
    fn writes_from_other_sites_are_denied() {
        let host = "localhost:7878";
        for bad in [
            &[("origin", "http://evil.example")][..],
            &[("origin", "http://localhost:7879")],
            &[("origin", "null")],
            &[
                ("origin", "http://localhost:7878"),
                ("sec-fetch-site", "cross-site"),
            ],
            &[("origin", "null"), ("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site")],
            &[
                ("origin", "http://localhost:7878"),
                ("origin", "http://evil.example"),
            ],
            &[("origin", "file://")],
        ] {
            assert_eq!(
                same_site(host, &headers(bad)),
                Err(Refusal::Origin),
                "{bad:?}"
            );
        }
        for good in [
            &[
                ("origin", "http://localhost:7878"),
                ("sec-fetch-site", "same-origin"),
            ][..],
            &[("origin", "http://localhost:7878")],
            &[("origin", "null"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[],
        ] {
            assert_eq!(same_site(host, &headers(good)), Ok(()), "{good:?}");
        }
    }

    #[test]
    fn a_form_token_must_be_there_and_be_ours() {
        assert_eq!(form_token(None, "abc"), Err(Refusal::FormToken));
        assert_eq!(form_token(Some("abd"), "abc"), Err(Refusal::FormToken));
        assert_eq!(form_token(Some(""), ""), Err(Refusal::FormToken));
        assert_eq!(form_token(Some("abc"), "abc"), Ok(()));
    }

    #[test]
    fn a_planted_second_cookie_counts_for_nothing() {
        assert_eq!(cookie(&headers(&[("cookie", "a=1; s=x")]), "s"), Some("x"));
        assert_eq!(cookie(&headers(&[("cookie", "s=x; s=y")]), "s"), None);
        assert_eq!(
            cookie(&headers(&[("cookie", "s=x"), ("cookie", "s=x")]), "s"),
            Some("x")
        );
        assert_eq!(cookie(&headers(&[("cookie", "s=")]), "s"), None);
    }

    #[test]
    fn the_policy_forbids_inline_and_foreign_content() {
        for word in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(POLICY.contains(word), "{word}");
        }
        assert!(!POLICY.contains("unsafe"));
        assert!(!POLICY.contains("  "));
    }
}
