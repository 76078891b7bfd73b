//! Which address a URL setting names, as far as its text tells. The wire checks again what a name resolves to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What the text of a URL says about its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Not an absolute http or https URL; the sentence says why.
    Bad(&'static str),
    /// A host that is this machine or in a private network.
    Private(String),
    /// Any other host.
    Public(String),
}

/// Reads the host of a URL.
pub fn address_of(url: &str) -> Address {
    let Some(rest) = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
    else {
        return Address::Bad("it must start with https:// or http://");
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Address::Bad("it must not contain blanks");
    }
    if authority.contains('@') {
        return Address::Bad("it must not contain a user or password");
    }
    let (host, port) = if let Some(inner) = authority.strip_prefix('[') {
        match inner.split_once(']') {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => return Address::Bad("its `[` is not closed"),
        }
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    if host.is_empty() {
        return Address::Bad("it names no host");
    }
    if port.is_some_and(|p| p.parse::<u16>().map_or(true, |p| p == 0)) {
        return Address::Bad("its port is no number from 1 to 65535");
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    if is_private(&name) {
        Address::Private(host.to_owned())
    } else {
        Address::Public(host.to_owned())
    }
}

fn is_private(host: &str) -> bool {
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => private_v4(ip),
        Ok(IpAddr::V6(ip)) => private_v6(ip),
        // `127.1` and `0x7f000001` are addresses to resolvers, though not to the parser above.
        Err(_) => host
            .rsplit('.')
            .next()
            .is_some_and(|last| last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit())),
    }
}

fn private_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || a == 0
        || (a == 100 && (64..128).contains(&b))
}

fn private_v6(ip: Ipv6Addr) -> bool {
    ip.is_loopback()
        || ip.is_unspecified()
        || ip.is_unique_local()
        || ip.is_unicast_link_local()
        || ip.to_ipv4_mapped().is_some_and(private_v4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_hosts_are_told_from_public_ones() {
        for url in [
            "http://127.0.0.1:9001/api",
            "http://localhost",
            "https://api.localhost./x",
            "http://10.1.2.3",
            "http://192.168.0.9:80",
            "http://172.16.0.1",
            "http://169.254.169.254/latest",
            "http://100.64.0.1",
            "http://0.0.0.0",
            "http://[::1]:8080/",
            "http://[fd00::1]",
            "http://[::ffff:127.0.0.1]",
            "http://127.1",
            "http://2130706433",
        ] {
            assert!(matches!(address_of(url), Address::Private(_)), "{url}");
        }
        for url in [
            "https://api.example.com/v3",
            "https://8.8.8.8",
            "https://172.32.0.1",
            "https://localhost.example.com",
            "https://[2606:4700::1]:443/",
        ] {
            assert!(matches!(address_of(url), Address::Public(_)), "{url}");
        }
        for url in [
            "",
            "ftp://x",
            "api.example.com",
            "https://",
            "https://u:p@host/",
            "https://host:port/",
            "https://host:0/",
            "https://[::1",
            "https://a b/",
        ] {
            assert!(matches!(address_of(url), Address::Bad(_)), "{url}");
        }
    }
}
