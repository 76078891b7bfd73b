//! Owns the network's date text: ISO 8601 with `+00:00`, and what it accepts. Must not know the clock.

use jiff::Timestamp;

/// `2025-11-21T07:30:15+00:00`.
pub(crate) fn iso(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// With milliseconds, as stream positions need it.
pub(crate) fn iso_ms(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// `2025/11/21/07/30`, the date part of an event id.
pub(crate) fn minute_path(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y/%m/%d/%H/%M").to_string()
}

/// Accepts any ISO 8601 instant with an offset or `Z`.
pub(crate) fn parse(text: &str) -> Option<i64> {
    text.parse::<Timestamp>()
        .ok()
        .map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::{iso, iso_ms, minute_path, parse};

    #[test]
    fn dates_go_both_ways() {
        let ms = parse("2025-11-21T07:30:15.897Z").unwrap();
        assert_eq!(iso(ms), "2025-11-21T07:30:15+00:00");
        assert_eq!(parse(&iso_ms(ms)), Some(ms));
        assert_eq!(minute_path(ms), "2025/11/21/07/30");
        assert_eq!(
            parse("2025-11-21T08:30:15+01:00"),
            parse("2025-11-21T07:30:15Z")
        );
        assert_eq!(parse("2025-11-21"), None);
    }
}
