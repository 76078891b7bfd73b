//! Which IP addresses a connector may reach. Pure: it resolves nothing and sends nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of place an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The internet.
    Public,
    /// This machine or a private network: reached only where the merchant allowed it.
    Private,
    /// Never reached: link-local (cloud metadata services live there), multicast, reserved, unspecified.
    Never,
}

/// The place of an address. IPv4 inside IPv6 (mapped, NAT64, 6to4) counts as the IPv4 address it leads to.
pub fn place(ip: IpAddr) -> Place {
    match ip {
        IpAddr::V4(ip) => place_v4(ip),
        IpAddr::V6(ip) => place_v6(ip),
    }
}

fn place_v4(ip: Ipv4Addr) -> Place {
    let [a, b, c, _] = ip.octets();
    match (a, b, c) {
        (10 | 127, ..) | (192, 168, _) | (172, 16..=31, _) | (100, 64..=127, _) => Place::Private,
        (0 | 224..=255, ..)
        | (169, 254, _)
        | (192, 0, 0 | 2)
        | (198, 18 | 19, _)
        | (198, 51, 100)
        | (203, 0, 113) => Place::Never,
        _ => Place::Public,
    }
}

fn place_v6(ip: Ipv6Addr) -> Place {
    let embedded = |high: u16, low: u16| {
        let bits = (u32::from(high) << 16) | u32::from(low);
        place_v4(Ipv4Addr::from_bits(bits))
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Place::Private,
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            embedded(high, low)
        }
        [0x2002, high, low, ..] => match embedded(high, low) {
            Place::Public => Place::Public,
            _ => Place::Never,
        },
        // Teredo, documentation, and everything outside 2000::/3 that is not fc00::/7.
        [0x2001, 0 | 0xdb8, ..] => Place::Never,
        [first, ..] if first & 0xfe00 == 0xfc00 => Place::Private,
        [first, ..] if first & 0xe000 == 0x2000 => Place::Public,
        _ => Place::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Place {
        place(text.parse().unwrap())
    }

    #[test]
    fn the_internet_is_public() {
        for ip in [
            "1.1.1.1",
            "93.184.216.34",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
        ] {
            assert_eq!(of(ip), Place::Public, "{ip}");
        }
    }

    #[test]
    fn this_machine_and_its_networks_are_private() {
        for ip in [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "64:ff9b::7f00:1",
        ] {
            assert_eq!(of(ip), Place::Private, "{ip}");
        }
    }

    #[test]
    fn metadata_multicast_and_reserved_are_never_reached() {
        for ip in [
            "0.0.0.0",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "203.0.113.9",
            "::",
            "::127.0.0.1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2001::1",
        ] {
            assert_eq!(of(ip), Place::Never, "{ip}");
        }
    }
}
