//! Reading a connection's settings. A blank value is no value. Knows no key of any connector.

use crate::commerce::Decimal;

/// The effective settings of a call.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a>(&'a [(String, String)]);

impl<'a> Settings<'a> {
    /// Over the pairs the agent hands in.
    pub const fn new(pairs: &'a [(String, String)]) -> Self {
        Self(pairs)
    }

    /// The value of a key, trimmed; blank counts as none. The last pair of a key wins.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.0
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }
    /// The value, or `default`.
    pub fn text(&self, key: &str, default: &'a str) -> &'a str {
        self.get(key).unwrap_or(default)
    }
    /// The whole number, or `default` where it is missing or none.
    pub fn integer(&self, key: &str, default: i64) -> i64 {
        self.get(key)
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    }
    /// The decimal, if it is one.
    pub fn decimal(&self, key: &str) -> Option<Decimal> {
        self.get(key).and_then(Decimal::parse)
    }
    /// Whether a toggle is on.
    pub fn toggle(&self, key: &str, default: bool) -> bool {
        match self.get(key) {
            Some(value) => matches!(value, "true" | "yes" | "on" | "1"),
            None => default,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_is_no_value() {
        let pairs = [
            ("a", " "),
            ("b", " x "),
            ("n", "7"),
            ("t", "true"),
            ("d", "1.50"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()));
        let settings = Settings::new(&pairs);
        assert_eq!(settings.get("a"), None);
        assert_eq!(settings.text("a", "default"), "default");
        assert_eq!(settings.get("b"), Some("x"));
        assert_eq!(settings.integer("n", 1), 7);
        assert_eq!(settings.integer("b", 1), 1);
        assert!(settings.toggle("t", false));
        assert!(settings.toggle("missing", true));
        assert_eq!(
            settings.decimal("d").map(|d| d.to_string()).as_deref(),
            Some("1.5")
        );
    }
}
