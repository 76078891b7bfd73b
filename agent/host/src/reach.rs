//! Where a connector may go: templates over settings, URL prefixes, and hosts of credentials. Pure text; the addresses
//! behind the names are checked by `wire.rs`.

use crate::setup::ConnectionSetup;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;
use url::Url;
use waybill_model::contract::{Descriptor, Pairs};
use waybill_model::settings::CALLS_PER_MINUTE;

/// A template that cannot be filled, or that gives no URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReachError {
    /// The value is not there (yet).
    #[error("`{template}` needs `{name}`, which is not set")]
    Unfilled {
        /// As in the descriptor.
        template: String,
        /// The missing setting or secret.
        name: String,
    },
    /// Not an address one can go to.
    #[error("`{url}` is no address to reach: {why}")]
    NotReachable {
        /// As asked for.
        url: String,
        /// What is wrong.
        why: &'static str,
    },
}

/// Fills `{name}` from `value`.
///
/// # Errors
/// When a name has no value, or a brace is not closed.
pub fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, ReachError> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        out.push_str(before);
        let unfilled = |name: &str| ReachError::Unfilled {
            template: template.to_owned(),
            name: name.to_owned(),
        };
        let (name, tail) = after[1..].split_once('}').ok_or_else(|| unfilled(after))?;
        let value = value(name).ok_or_else(|| unfilled(name))?;
        // A merchant's address may end in a slash that the template has as well.
        let value = match value.strip_suffix('/') {
            Some(shorter) if tail.starts_with('/') => shorter,
            _ => value.as_str(),
        };
        out.push_str(value);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

/// A prefix with its settings filled in, and its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// The prefix.
    pub url: Url,
    /// Calls in a minute; 0 is no limit.
    pub per_minute: u32,
    /// Calls in a second; 0 is no limit.
    pub per_second: u32,
}

/// The descriptor's `reach` with these settings filled in: what the page shows and what `http.send` enforces.
pub fn resolve(descriptor: &Descriptor, settings: &Pairs) -> Vec<Result<Prefix, ReachError>> {
    let mut values: BTreeMap<String, String> = descriptor
        .settings
        .iter()
        .filter_map(|s| Some((s.key.clone(), s.default.clone()?)))
        .collect();
    values.extend(settings.iter().cloned());
    resolve_with(descriptor, &values)
}

pub(crate) fn resolve_with(
    descriptor: &Descriptor,
    values: &BTreeMap<String, String>,
) -> Vec<Result<Prefix, ReachError>> {
    // The merchant knows what the vendor agreed to; a connector knows only what it publishes.
    let agreed: Option<u32> = values
        .get(CALLS_PER_MINUTE)
        .and_then(|calls| calls.trim().parse().ok());
    descriptor
        .reach
        .iter()
        .map(|reach| {
            let text = fill(&reach.url, |name| values.get(name).cloned())?;
            Ok(Prefix {
                url: parse(&text)?,
                per_minute: match agreed {
                    Some(calls) if calls > 0 && reach.per_minute > 0 => calls,
                    _ => reach.per_minute,
                },
                // Who may call more in a minute may call as much more in a second; less is spread as before.
                per_second: match agreed {
                    Some(calls) if reach.per_minute > 0 && reach.per_second > 0 => {
                        reach.per_second.max(calls.div_ceil(60))
                    }
                    _ => reach.per_second,
                },
            })
        })
        .collect()
}

/// Parses an absolute http(s) URL without user, password and hidden path segments. A fragment is dropped.
pub(crate) fn parse(text: &str) -> Result<Url, ReachError> {
    let wrong = |why| ReachError::NotReachable {
        url: shorten(text),
        why,
    };
    let mut url = Url::parse(text).map_err(|_| wrong("it is not an absolute URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("only http and https are spoken"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it carries a user name"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("it names no host"));
    }
    if hides_a_step_up(url.path()) {
        return Err(wrong("its path climbs through encoded dots"));
    }
    url.set_fragment(None);
    Ok(url)
}

/// The parser has resolved `..` and `%2e%2e` already; what is left is `..` behind an encoded slash, which some servers
/// decode before they route.
fn hides_a_step_up(path: &str) -> bool {
    path.split('/').any(|segment| {
        let once = percent_decode_str(segment).decode_utf8_lossy();
        let twice = percent_decode_str(&once).decode_utf8_lossy();
        twice
            .split(['/', '\\'])
            .any(|part| part == ".." || part.starts_with("..;"))
    })
}

fn shorten(text: &str) -> String {
    text.chars().take(200).collect()
}

/// The longest prefix that covers the URL.
pub(crate) fn covering<'a>(
    prefixes: impl IntoIterator<Item = &'a Prefix>,
    url: &Url,
) -> Option<&'a Prefix> {
    prefixes
        .into_iter()
        .filter(|p| covers(&p.url, url))
        .max_by_key(|p| (p.url.path().len(), p.url.query().map(str::len)))
}

fn covers(prefix: &Url, url: &Url) -> bool {
    prefix.scheme() == url.scheme()
        && prefix.host() == url.host()
        && prefix.port_or_known_default() == url.port_or_known_default()
        && match prefix.query() {
            None => on_segment_boundary(prefix.path(), url.path()),
            // A prefix that reaches into the query has the whole path.
            Some(query) => {
                prefix.path() == url.path()
                    && url.query().is_some_and(|asked| asked.starts_with(query))
            }
        }
}

fn on_segment_boundary(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
}

/// Whether the transport is good enough: https, or a host the merchant allowed in a private network.
pub(crate) fn transport_allowed(url: &Url, setup: &ConnectionSetup) -> bool {
    url.scheme() == "https"
        || setup.private_allowed(
            url.host_str().unwrap_or_default(),
            url.port_or_known_default(),
        )
}

/// Whether one of these hosts (filled templates: a host, `host:port` or a URL) is the URL's.
pub(crate) fn is_one_of(hosts: &[String], url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    hosts.iter().any(|entry| match Url::parse(entry) {
        Ok(named) if named.has_host() => {
            named.host_str() == Some(host)
                && named.port_or_known_default() == url.port_or_known_default()
        }
        _ => crate::setup::covers(
            entry.trim_end_matches('/'),
            host,
            url.port_or_known_default(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use waybill_model::contract::Reach;

    fn prefix(url: &str) -> Prefix {
        Prefix {
            url: parse(url).unwrap(),
            per_minute: 0,
            per_second: 0,
        }
    }

    fn reached(prefixes: &[&str], url: &str) -> Option<String> {
        let prefixes: Vec<_> = prefixes.iter().map(|p| prefix(p)).collect();
        covering(&prefixes, &parse(url).ok()?).map(|p| p.url.to_string())
    }

    #[test]
    fn a_prefix_ends_on_a_segment_boundary() {
        assert!(reached(&["https://a.test/api"], "https://a.test/api").is_some());
        assert!(reached(&["https://a.test/api"], "https://a.test/api/x?y=1").is_some());
        assert_eq!(
            reached(&["https://a.test/api"], "https://a.test/apis"),
            None
        );
        assert_eq!(
            reached(&["https://a.test/api/"], "https://a.test/api"),
            None
        );
    }

    #[test]
    fn scheme_host_and_port_must_be_equal() {
        for url in [
            "http://a.test/api",
            "https://a.test:8443/api",
            "https://a.test.evil.test/api",
            "https://b.test/api",
            "https://a.test./api",
        ] {
            assert_eq!(reached(&["https://a.test/api"], url), None, "{url}");
        }
        assert!(reached(&["https://a.test/api"], "https://A.TEST:443/api").is_some());
    }

    #[test]
    fn user_names_and_steps_up_do_not_pass() {
        for url in [
            "https://a.test@evil.test/api",
            "https://u:p@a.test/api",
            "https://a.test/api/../admin",
            "https://a.test/api/%2e%2e/admin",
            "https://a.test/api/..%2fadmin",
            "https://a.test/api/%252e%252e%252fadmin",
            "https://a.test/api/..%5cadmin",
            "ftp://a.test/api",
            "/api",
            "https:///api",
        ] {
            assert_eq!(reached(&["https://a.test/api"], url), None, "{url}");
        }
    }

    #[test]
    fn the_longest_prefix_counts() {
        let prefixes = [
            "https://a.test/",
            "https://a.test/api/orders",
            "https://a.test/api",
        ];
        assert_eq!(
            reached(&prefixes, "https://a.test/api/orders/1").unwrap(),
            "https://a.test/api/orders"
        );
    }

    #[test]
    fn a_prefix_with_a_query_has_the_whole_path() {
        let prefixes = [
            "https://a.test/",
            "https://a.test/order/?",
            "https://a.test/order/page?x=",
        ];
        let reached = |url| reached(&prefixes, url).unwrap();
        assert_eq!(
            reached("https://a.test/order/?key=1"),
            "https://a.test/order/?"
        );
        assert_eq!(reached("https://a.test/order/"), "https://a.test/");
        assert_eq!(reached("https://a.test/order/log?a=1"), "https://a.test/");
        assert_eq!(reached("https://a.test/order/page?y=1"), "https://a.test/");
        assert_eq!(
            reached("https://a.test/order/page?x=1"),
            "https://a.test/order/page?x="
        );
    }

    #[test]
    fn what_the_vendor_agreed_to_replaces_what_it_publishes() {
        let limited = |url: &str, per_minute| Reach {
            url: url.to_owned(),
            per_minute,
            per_second: 4,
        };
        let descriptor = Descriptor {
            reach: vec![
                limited("https://a.test/", 190),
                limited("https://b.test/", 0),
            ],
            id: "erp".to_owned(),
            version: "1.0.0".to_owned(),
            title: "ERP".to_owned(),
            credentials: Vec::new(),
            settings: Vec::new(),
            tables: Vec::new(),
            pulls: Vec::new(),
            pushes: Vec::new(),
        };
        let limits = |agreed: Option<&str>| {
            let settings: Pairs = agreed
                .map(|calls| (CALLS_PER_MINUTE.to_owned(), calls.to_owned()))
                .into_iter()
                .collect();
            let all = resolve(&descriptor, &settings).into_iter();
            let both = all.map(|p| p.map(|p| (p.per_minute, p.per_second)));
            both.collect::<Result<Vec<_>, _>>().unwrap()
        };
        assert_eq!(limits(None), [(190, 4), (0, 4)]);
        assert_eq!(limits(Some("")), [(190, 4), (0, 4)]);
        assert_eq!(limits(Some("600")), [(600, 10), (0, 4)]);
        assert_eq!(limits(Some("20")), [(20, 4), (0, 4)]);
    }

    #[test]
    fn templates_are_filled_or_refused() {
        let value = |name: &str| match name {
            "host" => Some("a.test".to_owned()),
            "base" => Some("https://a.test/v1/".to_owned()),
            _ => None,
        };
        assert_eq!(fill("{base}/x", value).unwrap(), "https://a.test/v1/x");
        assert_eq!(fill("{base}x", value).unwrap(), "https://a.test/v1/x");
        assert_eq!(fill("https://{host}/x", value).unwrap(), "https://a.test/x");
        assert!(matches!(
            fill("https://{other}/", value),
            Err(ReachError::Unfilled { name, .. }) if name == "other"
        ));
        assert!(fill("https://{host", value).is_err());
    }

    #[test]
    fn hosts_may_carry_a_port_or_a_scheme() {
        let url = parse("https://a.test:8443/x").unwrap();
        let one = |entry: &str| is_one_of(&[entry.to_owned()], &url);
        assert!(one("a.test") && one("A.test:8443") && one("https://a.test:8443"));
        assert!(!one("a.test:443") && !one("https://a.test") && !one("test") && !one("xa.test"));
    }
}
