//! Owns how instants are written and read: milliseconds with the account's numeric offset out, any ISO form in. It must
//! not know the wall clock; time comes in as milliseconds.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// One day in milliseconds.
pub(super) const DAY_MS: i64 = 86_400_000;

/// The zone in which the account shows its times: a fixed offset.
#[derive(Debug, Clone, Copy)]
pub(super) struct Zone {
    minutes: i32,
}

impl Zone {
    pub(super) fn new(minutes: i32) -> Self {
        Self { minutes }
    }

    /// `2025-11-04T10:41:38.000-06:00`.
    pub(super) fn text(self, ms: i64) -> String {
        let offset = Offset::from_seconds(self.minutes.saturating_mul(60)).unwrap_or(Offset::UTC);
        let instant = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let local = offset.to_datetime(instant);
        let stem = local.strftime("%Y-%m-%dT%H:%M:%S");
        let millis = ms.rem_euclid(1000);
        if self.minutes == 0 {
            return format!("{stem}.{millis:03}Z");
        }
        let sign = if self.minutes < 0 { '-' } else { '+' };
        let size = self.minutes.unsigned_abs();
        format!("{stem}.{millis:03}{sign}{:02}:{:02}", size / 60, size % 60)
    }
}

/// Reads an instant: with an offset as it says, without one as UTC, a bare date as midnight UTC.
pub(super) fn parse_instant(text: &str) -> Option<i64> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_millisecond());
    }
    if text.ends_with(['Z', 'z']) {
        return None;
    }
    let civil = text.parse::<DateTime>().ok()?;
    Offset::UTC
        .to_timestamp(civil)
        .ok()
        .map(Timestamp::as_millisecond)
}

/// Midnight UTC of the day of an instant.
pub(super) fn midnight_utc(ms: i64) -> i64 {
    ms - ms.rem_euclid(DAY_MS)
}

/// A span of time as searches take it: both ends are included, either may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    from: Option<i64>,
    to: Option<i64>,
}

impl Period {
    /// Reads `from/to`, `from/`, `/to`, an instant, or a bare date (that whole day).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let Some((from, to)) = text.split_once('/') else {
            let at = parse_instant(text)?;
            let to = if text.contains('T') {
                at
            } else {
                at + DAY_MS - 1
            };
            return Some(Self {
                from: Some(at),
                to: Some(to),
            });
        };
        let end = |side: &str| match side {
            "" => Some(None),
            side => parse_instant(side).map(Some),
        };
        let (from, to) = (end(from)?, end(to)?);
        (from.is_some() || to.is_some()).then_some(Self { from, to })
    }

    pub(super) fn contains(self, ms: i64) -> bool {
        self.from.is_none_or(|from| ms >= from) && self.to.is_none_or(|to| ms <= to)
    }
}

#[cfg(test)]
mod tests {
    use super::{Period, Zone, parse_instant};

    #[test]
    fn times_carry_the_accounts_offset() {
        let at = parse_instant("2025-11-04T16:41:38Z").unwrap();
        assert_eq!(Zone::new(-360).text(at), "2025-11-04T10:41:38.000-06:00");
        assert_eq!(Zone::new(330).text(at + 7), "2025-11-04T22:11:38.007+05:30");
        assert_eq!(Zone::new(0).text(at), "2025-11-04T16:41:38.000Z");
    }

    #[test]
    fn a_bare_date_is_midnight_utc_and_reads_back_a_day_early_in_the_west() {
        let at = parse_instant("2022-01-20").unwrap();
        assert_eq!(Zone::new(-360).text(at), "2022-01-19T18:00:00.000-06:00");
        assert_eq!(parse_instant("2022-01-20T00:00:00"), Some(at));
        assert_eq!(parse_instant("2022-01-20T01:00:00+01:00"), Some(at));
        assert_eq!(parse_instant("soon"), None);
        assert_eq!(parse_instant("2022-01-20 01:00:00 01:00"), None);
    }

    #[test]
    fn periods_have_open_ends() {
        let at = parse_instant("2022-01-20T12:00:00Z").unwrap();
        assert!(Period::parse("2022-01-20").unwrap().contains(at));
        assert!(!Period::parse("2022-01-21").unwrap().contains(at));
        assert!(Period::parse("2022-01-01T00:00:00Z/").unwrap().contains(at));
        assert!(!Period::parse("/2022-01-20T11:59:59Z").unwrap().contains(at));
        assert!(
            Period::parse("2022-01-20T12:00:00Z/2022-01-20T12:00:00Z")
                .unwrap()
                .contains(at)
        );
        assert_eq!(Period::parse("/"), None);
        assert_eq!(Period::parse("yesterday/"), None);
    }
}
