//! Dates between the vendor's text and the contract's UTC milliseconds. There is no clock here: ask the host.
//! Written out rather than taken from a calendar library: time zones by name are none of a connector's business, and
//! their tables would be most of its file.

const DAY_MS: i64 = 86_400_000;
const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// Reads an ISO 8601 date and time. One without an offset counts as UTC, one without a time as its midnight.
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let mut read = Reader(text.as_bytes());
    let year = read.digits(4)?;
    read.one(b"-")?;
    let month = read.digits(2)?;
    read.one(b"-")?;
    let day = read.digits(2)?;
    let midnight = days(year, month, day)? * DAY_MS;
    if read.0.is_empty() {
        return Some(midnight);
    }
    read.one(b"Tt ")?;
    let (hour, minute) = (read.digits(2)?, read.minute()?);
    let mut ms = time(hour, minute, 0)?;
    if read.one(b":").is_some() {
        ms = time(hour, minute, read.digits(2)?)?;
        if read.one(b".,").is_some() {
            ms += read.fraction()?;
        }
    }
    let offset = read.offset()?;
    read.0.is_empty().then_some(midnight + ms - offset)
}

/// Reads the date of an HTTP header: `Fri, 21 Nov 2025 07:30:15 GMT`.
pub fn parse_http(text: &str) -> Option<i64> {
    let (_, rest) = text.split_once(',')?;
    let mut words = rest.split_whitespace();
    let day = words.next()?.parse().ok()?;
    let month = words.next()?.to_ascii_lowercase();
    let month = (1..).zip(MONTHS).find(|(_, name)| *name == month)?.0;
    let year = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    (words.next()? == "GMT").then_some(())?;
    Some(days(year, month, day)? * DAY_MS + time(hour, minute, second)?)
}

/// `2025-11-21T07:30:15Z`, with milliseconds where there are any.
pub fn format(ms: i64) -> String {
    let clock = ms.rem_euclid(DAY_MS);
    let (seconds, fraction) = (clock / 1000, clock % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let day = format_day(ms);
    if fraction == 0 {
        format!("{day}T{hour:02}:{minute:02}:{second:02}Z")
    } else {
        format!("{day}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z")
    }
}

/// How another clock differs from this machine's, for the facts of a probe. A difference below a second is none: that is
/// what an HTTP header tells.
pub fn clock(theirs: i64, ours: i64) -> String {
    match (theirs - ours) / 1000 {
        0 => "agrees with this machine's".to_owned(),
        ahead @ 1.. => format!("{ahead} s ahead of this machine's"),
        behind => format!("{} s behind this machine's", -behind),
    }
}

/// `2025-11-21`, in UTC.
pub fn format_day(ms: i64) -> String {
    let (year, month, day) = civil(ms.div_euclid(DAY_MS));
    format!("{year:04}-{month:02}-{day:02}")
}

/// Milliseconds since midnight. A leap second counts as the last one of its minute.
fn time(hour: i64, minute: i64, second: i64) -> Option<i64> {
    (hour < 24 && minute < 60 && second <= 60)
        .then(|| ((hour * 60 + minute) * 60 + second.min(59)) * 1000)
}

/// Days since 1970, counted in years that begin in March, so that a leap day is the last of its year.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) {
        return None;
    }
    let year_of_march = year - i64::from(month <= 2);
    let era = year_of_march.div_euclid(400);
    let year_of_era = year_of_march.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    // A day its month does not have comes back as another one.
    (civil(days) == (year, month, day)).then_some(days)
}

/// Year, month and day of that many days since 1970.
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let january_or_february = if month <= 2 { 1 } else { 0 };
    (year_of_era + era * 400 + january_or_february, month, day)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// One byte, if it is one of these.
    fn one(&mut self, of: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        of.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }
    fn digit(&mut self) -> Option<i64> {
        self.one(b"0123456789").map(|byte| i64::from(byte - b'0'))
    }
    fn digits(&mut self, count: u8) -> Option<i64> {
        (0..count).try_fold(0, |all, _| Some(all * 10 + self.digit()?))
    }
    /// Minutes behind hours, with or without a colon.
    fn minute(&mut self) -> Option<i64> {
        self.one(b":");
        self.digits(2)
    }
    /// Milliseconds of a fraction; what is finer is cut.
    fn fraction(&mut self) -> Option<i64> {
        let mut ms = self.digit()? * 100;
        for weight in [10, 1] {
            match self.digit() {
                Some(digit) => ms += digit * weight,
                None => return Some(ms),
            }
        }
        while self.digit().is_some() {}
        Some(ms)
    }
    /// `Z`, `+01:00`, `-0800`, `+01` or nothing, in milliseconds.
    fn offset(&mut self) -> Option<i64> {
        if self.0.is_empty() || self.one(b"Zz").is_some() {
            return Some(0);
        }
        let sign = if self.one(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.digits(2)?;
        let minutes = if self.0.is_empty() { 0 } else { self.minute()? };
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_compared_in_words() {
        for (difference, words) in [
            (0, "agrees with this machine's"),
            (999, "agrees with this machine's"),
            (-999, "agrees with this machine's"),
            (3_400, "3 s ahead of this machine's"),
            (-61_000, "61 s behind this machine's"),
        ] {
            let ours = 1_763_710_215_000;
            assert_eq!(clock(ours + difference, ours), words);
        }
    }

    #[test]
    fn reads_offsets_and_writes_utc() {
        for (text, written) in [
            ("2025-11-21T07:30:15+00:00", "2025-11-21T07:30:15Z"),
            ("2025-11-21T07:30:15Z", "2025-11-21T07:30:15Z"),
            ("2025-11-21T07:30:15.250-08:00", "2025-11-21T15:30:15.250Z"),
            ("2025-11-21T07:30:15.000+0100", "2025-11-21T06:30:15Z"),
            ("2025-11-21T07:30:15.123456Z", "2025-11-21T07:30:15.123Z"),
            ("2025-11-21T07:30+01", "2025-11-21T06:30:00Z"),
            ("2025-11-21T07:30:15", "2025-11-21T07:30:15Z"),
            ("2025-11-21 07:30:15", "2025-11-21T07:30:15Z"),
            ("2025-11-21", "2025-11-21T00:00:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(parse(text).map(format).as_deref(), Some(written), "{text}");
        }
        for text in [
            "",
            "soon",
            "21/11/2025",
            "2025-13-01",
            "2025-02-29",
            "2025-11-31",
            "2025-11-00",
            "2025-11-21T25:00:00Z",
            "2025-11-21T07:60:00Z",
            "2025-11-21T07:30:15Zebra",
            "2025-11-21T07:30:15.",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        let late = parse("2025-11-21T23:59:59-01:00").unwrap();
        assert_eq!(format_day(late), "2025-11-22");
    }

    #[test]
    fn every_day_of_five_centuries_reads_back() {
        assert_eq!(parse("1970-01-01"), Some(0));
        assert_eq!(parse("2000-03-01"), Some(951_868_800_000));
        for day in -70_000..110_000 {
            let ms = day * DAY_MS;
            assert_eq!(parse(&format_day(ms)), Some(ms));
        }
    }

    #[test]
    fn reads_the_date_of_a_header() {
        let at = parse_http("Fri, 21 Nov 2025 07:30:15 GMT");
        assert_eq!(at.map(format).as_deref(), Some("2025-11-21T07:30:15Z"));
        assert_eq!(parse_http("yesterday"), None);
        assert_eq!(parse_http("Fri, 21 Foo 2025 07:30:15 GMT"), None);
    }
}
