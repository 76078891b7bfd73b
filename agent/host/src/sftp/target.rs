//! Which server, and which key it must show. Pure text.

use super::error::SftpError;
use url::Url;

/// Where SFTP is spoken unless the address says otherwise.
const PORT: u16 = 22;

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Target {
    /// `host`, `host:port` or `sftp://host:port`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let full = match text.strip_prefix("sftp://") {
            Some(_) => text.to_owned(),
            None if text.contains("://") => return None,
            None => format!("sftp://{text}"),
        };
        let url = Url::parse(&full).ok()?;
        let plain = url.username().is_empty()
            && url.password().is_none()
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none();
        let host = url.host_str().filter(|host| plain && !host.is_empty())?;
        Some(Self {
            host: host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_ascii_lowercase(),
            port: url.port().unwrap_or(PORT),
        })
    }

    /// For sentences and for the pin: `host:port`.
    pub(crate) fn place(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Which host key is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pinned {
    /// One of these SHA-256 fingerprints: the merchant's, or the one seen first.
    One(Vec<String>),
    /// Nobody knows one yet: the first key shown will be kept.
    FirstUse,
}

impl Pinned {
    /// The merchant's fingerprints, separated by blanks or commas; none where the text is empty.
    pub(crate) fn entered(text: &str) -> Option<Self> {
        let all: Vec<String> = text
            .split(|c: char| c.is_whitespace() || c == ',')
            .filter(|part| !part.is_empty())
            .map(normal)
            .collect();
        (!all.is_empty()).then_some(Self::One(all))
    }

    /// Whether a key with this fingerprint is right.
    pub(crate) fn admits(&self, fingerprint: &str) -> bool {
        match self {
            Self::One(known) => known.contains(&normal(fingerprint)),
            Self::FirstUse => true,
        }
    }

    pub(crate) fn changed(&self, target: &Target, shown: &str) -> SftpError {
        SftpError::KeyChanged {
            place: target.place(),
            expected: match self {
                Self::One(known) => known.join("` or `"),
                Self::FirstUse => String::new(),
            },
            shown: normal(shown),
        }
    }
}

/// `SHA256:` and base64 without its padding, as OpenSSH prints it.
pub(crate) fn normal(fingerprint: &str) -> String {
    let bare = fingerprint.strip_prefix("SHA256:").unwrap_or(fingerprint);
    format!("SHA256:{}", bare.trim_end_matches('='))
}

/// Why a path is none to send to a server.
pub(crate) fn wrong_path(path: &str) -> Option<&'static str> {
    if path.is_empty() || path.len() > 1_024 {
        Some("a path has 1 to 1,024 bytes")
    } else if path.chars().any(char::is_control) {
        Some("it holds control characters")
    } else if path.split(['/', '\\']).any(|part| part == "..") {
        Some("it climbs to the folder above")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_a_port() {
        let place = |text: &str| Target::parse(text).map(|t| t.place());
        assert_eq!(place("SFTP.a.test").unwrap(), "sftp.a.test:22");
        assert_eq!(place(" a.test:2222 ").unwrap(), "a.test:2222");
        assert_eq!(place("sftp://a.test:2222/").unwrap(), "a.test:2222");
        assert_eq!(place("[::1]:2222").unwrap(), "[::1]:2222");
        for wrong in [
            "",
            "https://a.test",
            "user@a.test",
            "a.test/out",
            "a.test:port",
            "sftp://a.test?x=1",
        ] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_fingerprint_may_be_pasted_in_several_ways() {
        assert_eq!(Pinned::entered(" \n"), None);
        let pinned = Pinned::entered("SHA256:abc=, def").unwrap();
        assert!(pinned.admits("SHA256:abc") && pinned.admits("SHA256:def="));
        assert!(!pinned.admits("SHA256:ABC") && !pinned.admits("SHA256:"));
        assert!(Pinned::FirstUse.admits("SHA256:abc"));
    }

    #[test]
    fn paths_stay_in_their_folder() {
        for right in ["out", "/in/a b.csv", "out/archive/..x"] {
            assert_eq!(wrong_path(right), None, "{right}");
        }
        for wrong in ["", "../x", "in/../../etc", "in\\..\\x", "a\nb", "a\0"] {
            assert!(wrong_path(wrong).is_some(), "{wrong}");
        }
    }
}
