//! Hours of a week in which something may run: `06:00-20:00`, `mon-fri 06:00-20:00, sat 08:00-12:00`. Knows no clock and
//! no time zone: whoever asks says which day and minute it is there.

/// Words of the days, from Monday.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// One stretch: from a minute of these days on, until another, of the next day where it is not later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    /// One bit a day, Monday the lowest.
    days: u8,
    from: u16,
    until: u16,
}

/// Hours of a week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours(Vec<Span>);

impl Hours {
    /// Reads them; why they cannot be read.
    ///
    /// # Errors
    /// One sentence, for a merchant.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(|part| span(part.trim()))
            .collect::<Result<Vec<_>, _>>()
            .map(Self)
    }

    /// Whether that minute of that day (0 is Monday) is within them.
    pub fn contains(&self, day: u8, minute: u16) -> bool {
        let before = (day + 6) % 7;
        self.0.iter().any(|span| {
            let on = |day: u8| span.days >> day & 1 == 1;
            if span.from < span.until {
                on(day) && (span.from..span.until).contains(&minute)
            } else {
                // It goes on after midnight.
                on(day) && minute >= span.from || on(before) && minute < span.until
            }
        })
    }

    /// Minutes at which they begin on that day, earliest first.
    pub fn begins(&self, day: u8) -> Vec<u16> {
        let spans = self.0.iter().filter(|span| span.days >> day & 1 == 1);
        let mut begins: Vec<u16> = spans.map(|span| span.from).collect();
        begins.sort_unstable();
        begins
    }
}

fn span(part: &str) -> Result<Span, String> {
    let (days, times) = match part.split_once(char::is_whitespace) {
        Some((days, times)) => (days_of(days)?, times.trim()),
        None => (0b111_1111, part),
    };
    let (from, until) = times
        .split_once('-')
        .ok_or_else(|| format!("`{part}` names no hours, as in 06:00-20:00"))?;
    let (from, until) = (minute(from)?, minute(until)?);
    if from == until || from == DAY {
        return Err(format!("`{part}` begins when it ends"));
    }
    Ok(Span { days, from, until })
}

fn days_of(word: &str) -> Result<u8, String> {
    let day = |word: &str| {
        let known = DAYS.iter().position(|day| day.eq_ignore_ascii_case(word));
        known
            .ok_or_else(|| format!("`{word}` is no day: write mon, tue, wed, thu, fri, sat or sun"))
    };
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last) = (day(first)?, day(last)?);
    let mut days = 0;
    let mut at = first;
    loop {
        days |= 1 << at;
        if at == last {
            return Ok(days);
        }
        at = (at + 1) % DAYS.len();
    }
}

/// `06:00` as minutes; `24:00` is the end of a day.
fn minute(text: &str) -> Result<u16, String> {
    let wrong = || format!("`{text}` is no time of day, as in 06:00");
    let (hour, minute) = text.trim().split_once(':').ok_or_else(wrong)?;
    if hour.is_empty() || hour.len() > 2 || minute.len() != 2 {
        return Err(wrong());
    }
    let hour: u16 = hour.parse().map_err(|_| wrong())?;
    let minute: u16 = minute.parse().map_err(|_| wrong())?;
    let at = hour * 60 + minute;
    if minute > 59 || at > DAY {
        return Err(wrong());
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_hours_are_read() {
        let hours = Hours::parse("mon-fri 06:00-20:00, Sat 8:00-12:00").unwrap();
        assert!(hours.contains(0, 6 * 60) && hours.contains(4, 20 * 60 - 1));
        assert!(!hours.contains(4, 20 * 60) && !hours.contains(6, 9 * 60));
        assert!(hours.contains(5, 8 * 60) && !hours.contains(5, 12 * 60));
        assert_eq!((hours.begins(5), hours.begins(6)), (vec![480], vec![]));
        let all = Hours::parse("00:00-24:00").unwrap();
        assert!((0..7).all(|day| all.contains(day, 0) && all.contains(day, DAY - 1)));
    }

    #[test]
    fn hours_may_go_on_after_midnight_and_days_after_sunday() {
        let night = Hours::parse("sun 22:00-04:00").unwrap();
        assert!(night.contains(6, 23 * 60) && night.contains(0, 3 * 60));
        assert!(!night.contains(6, 3 * 60) && !night.contains(0, 23 * 60));
        let weekend = Hours::parse("sat-mon 10:00-11:00").unwrap();
        let open: Vec<u8> = (0..7).filter(|d| weekend.contains(*d, 600)).collect();
        assert_eq!(open, [0, 5, 6]);
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for (text, why) in [
            ("", "`` names no hours, as in 06:00-20:00"),
            ("6-20", "`6` is no time of day, as in 06:00"),
            ("06:00-06:00", "`06:00-06:00` begins when it ends"),
            ("24:00-06:00", "`24:00-06:00` begins when it ends"),
            ("25:00-26:00", "`25:00` is no time of day, as in 06:00"),
            ("06:60-07:00", "`06:60` is no time of day, as in 06:00"),
            (
                "mo 06:00-07:00",
                "`mo` is no day: write mon, tue, wed, thu, fri, sat or sun",
            ),
        ] {
            assert_eq!(Hours::parse(text).unwrap_err(), why, "{text}");
        }
    }
}
