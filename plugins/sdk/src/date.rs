//! Dates between the vendor's text and the contract's UTC milliseconds. There is no clock here: ask the host.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

/// Reads an ISO 8601 date and time. One without an offset counts as UTC, one without a time as its midnight.
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let offset_or_zulu = text.parse::<Timestamp>();
    offset_or_zulu
        .or_else(|_| {
            text.parse::<DateTime>()
                .or_else(|_| text.parse::<Date>().map(|day| day.at(0, 0, 0, 0)))
                .and_then(|local| Offset::UTC.to_timestamp(local))
        })
        .ok()
        .map(Timestamp::as_millisecond)
}

/// Reads the date of an HTTP header: `Fri, 21 Nov 2025 07:30:15 GMT`.
pub fn parse_http(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text.trim())
        .ok()
        .map(|at| at.timestamp().as_millisecond())
}

/// `2025-11-21T07:30:15Z`, with milliseconds where there are any.
pub fn format(ms: i64) -> String {
    Timestamp::from_millisecond(ms)
        .unwrap_or_default()
        .to_string()
}

/// `2025-11-21`, in UTC.
pub fn format_day(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or_default();
    Offset::UTC.to_datetime(at).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_offsets_and_writes_utc() {
        for (text, written) in [
            ("2025-11-21T07:30:15+00:00", "2025-11-21T07:30:15Z"),
            ("2025-11-21T07:30:15Z", "2025-11-21T07:30:15Z"),
            ("2025-11-21T07:30:15.250-08:00", "2025-11-21T15:30:15.25Z"),
            ("2025-11-21T07:30:15.000+0100", "2025-11-21T06:30:15Z"),
            ("2025-11-21T07:30:15", "2025-11-21T07:30:15Z"),
            ("2025-11-21 07:30:15", "2025-11-21T07:30:15Z"),
            ("2025-11-21", "2025-11-21T00:00:00Z"),
        ] {
            assert_eq!(parse(text).map(format).as_deref(), Some(written), "{text}");
        }
        for text in [
            "",
            "soon",
            "21/11/2025",
            "2025-13-01",
            "2025-11-21T25:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(
            format_day(parse("2025-11-21T23:59:59-01:00").unwrap()),
            "2025-11-22"
        );
    }
    #[test]
    fn reads_the_date_of_a_header() {
        let at = parse_http("Fri, 21 Nov 2025 07:30:15 GMT");
        assert_eq!(at.map(format).as_deref(), Some("2025-11-21T07:30:15Z"));
        assert_eq!(parse_http("yesterday"), None);
    }
}
