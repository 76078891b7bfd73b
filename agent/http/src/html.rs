//! How values look: times in the merchant's zone, money, marks of icon and word. Knows no page and no engine;
//! escaping is askama's, so nothing here builds markup but the one line of an icon.

use askama::filters::HtmlSafe;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::{self, Write};
use waybill_engine::view::{DeadlineKind, Tone};
use waybill_model::decimal::Decimal;
use waybill_model::document::DeadlineSource;
use waybill_model::ids::Millis;
use waybill_model::order_state::OrderStage;

/// Name and drawing of every icon, on a 16 grid.
const ICONS: &[(&str, &str)] = &[
    (
        "again",
        r#"<path d="M13.5 8a5.5 5.5 0 1 1-1.7-4M13.5 1.5V4.5h-3"/>"#,
    ),
    (
        "bill",
        r#"<path d="M3 1.5h10v13l-1.7-1.3-1.6 1.3L8 13.2l-1.7 1.3-1.6-1.3L3 14.5z"/><path d="M5.5 5h5M5.5 8h5"/>"#,
    ),
    (
        "doc",
        r#"<path d="M3.5 1.5h6l3 3v10h-9z"/><path d="M6 7.5h4M6 10.5h4"/>"#,
    ),
    (
        "find",
        r#"<circle cx="7" cy="7" r="4.5"/><path d="M10.5 10.5l4 4"/>"#,
    ),
    (
        "hold",
        r#"<circle cx="8" cy="8" r="6"/><path d="M6.3 5.8v4.4M9.7 5.8v4.4"/>"#,
    ),
    ("in", r#"<path d="M8 1.5v7M5 6l3 3 3-3M2 9.5v4h12v-4"/>"#),
    (
        "mark",
        r#"<path d="M2 3v10M4.5 3v10M8 3v10M10 3v10M13.5 3v10" stroke-width="1.4"/><path d="M6 3v10M12 3v10" stroke-width="2.6"/>"#,
    ),
    ("menu", r#"<path d="M2 4h12M2 8h12M2 12h12"/>"#),
    ("ok", r#"<path d="M2.5 8.5l3.5 3.5 7.5-8"/>"#),
    (
        "out",
        r#"<path d="M6 3H2.5v10.5H13V10M9 2h5v5M14 2L7.5 8.5"/>"#,
    ),
    (
        "part",
        r#"<path d="M2 4.5h12v9H2zM2 4.5L4 2h8l2 2.5"/><path d="M2 9h6v4.5H2z" fill="currentColor"/>"#,
    ),
    (
        "person",
        r#"<circle cx="8" cy="5" r="3"/><path d="M2 14.5c.6-3.5 3-5 6-5s5.4 1.5 6 5"/>"#,
    ),
    (
        "soon",
        r#"<circle cx="8" cy="8" r="6"/><path d="M8 4.5V8l2.5 2"/>"#,
    ),
    (
        "truck",
        r#"<path d="M1 3.5h8.5v8H1zM9.5 6h3l2.5 2.8v2.7H9.5"/><circle cx="4.3" cy="12" r="1.5"/><circle cx="11.8" cy="12" r="1.5"/>"#,
    ),
    (
        "x",
        r#"<circle cx="8" cy="8" r="6"/><path d="M5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4"/>"#,
    ),
    (
        "you",
        r#"<path d="M8 2L1.5 13.5h13z"/><path d="M8 6.5v3.2M8 11.7v.1"/>"#,
    ),
];

/// Where the drawings of the used icons go; text of people cannot hold it, since `<` is escaped.
const SYMBOLS_HERE: &str = "<!--symbols-->";

/// One icon by a name of the list; safe to print as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Icon(&'static str);

/// The icon of that name; a sheet of paper where there is none.
pub(crate) fn icon(name: &str) -> Icon {
    Icon(
        ICONS
            .iter()
            .find(|(known, _)| *known == name)
            .map_or("doc", |(known, _)| known),
    )
}

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r##"<svg class="i" aria-hidden="true"><use href="#i-{}"/></svg>"##,
            self.0
        )
    }
}

impl HtmlSafe for Icon {}

/// Puts the drawings of the icons a page uses, and no others, at the mark of its layout.
pub(crate) fn with_symbols(page: &str) -> String {
    let mut symbols = String::new();
    for (name, drawing) in ICONS {
        if page.contains(&format!("\"#i-{name}\"")) {
            // Writing to a string cannot fail.
            let _ = writeln!(
                symbols,
                "  <symbol id=\"i-{name}\" viewBox=\"0 0 16 16\">{drawing}</symbol>"
            );
        }
    }
    page.replacen(SYMBOLS_HERE, &symbols, 1)
}

/// A tone, its icon and a word or sentence: never colour alone.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    /// Class.
    pub(crate) tone: &'static str,
    /// Icon.
    pub(crate) icon: Icon,
    /// Words.
    pub(crate) text: String,
}

impl Mark {
    /// With the usual icon of the tone.
    pub(crate) fn of(tone: Tone, text: impl Into<String>) -> Self {
        Self {
            tone: tone_class(tone),
            icon: tone_icon(tone),
            text: text.into(),
        }
    }

    /// The state of an order.
    pub(crate) fn of_stage(stage: OrderStage, tone: Tone, label: &str) -> Self {
        Self {
            tone: tone_class(tone),
            icon: stage_icon(stage),
            text: label.to_owned(),
        }
    }
}

/// The class of a tone.
pub(crate) const fn tone_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Ok => "ok",
        Tone::Soon => "soon",
        Tone::You => "you",
        Tone::Hold => "hold",
        Tone::Quiet => "quiet",
    }
}

/// The usual icon of a tone.
pub(crate) fn tone_icon(tone: Tone) -> Icon {
    icon(match tone {
        Tone::Ok => "ok",
        Tone::Soon => "soon",
        Tone::You => "you",
        Tone::Hold => "hold",
        Tone::Quiet => "doc",
    })
}

/// The icon of an order's state.
pub(crate) fn stage_icon(stage: OrderStage) -> Icon {
    icon(match stage {
        OrderStage::Received => "in",
        OrderStage::Waiting => "you",
        OrderStage::Created => "doc",
        OrderStage::PartShipped => "part",
        OrderStage::Shipped => "truck",
        OrderStage::Invoiced => "bill",
        OrderStage::Cancelled => "x",
        OrderStage::Refused => "hold",
    })
}

/// What a deadline asks for.
pub(crate) const fn deadline_words(kind: DeadlineKind) -> &'static str {
    match kind {
        DeadlineKind::Acknowledge => "Acknowledge by",
        DeadlineKind::Ship => "Ship by",
        DeadlineKind::Invoice => "Invoice by",
    }
}

/// Who set a deadline; `source` is the title of the system the order came from.
pub(crate) fn set_by(by: DeadlineSource, source: &str) -> String {
    match by {
        DeadlineSource::Order => "On the PO".to_owned(),
        DeadlineSource::Line => "On a line of the PO".to_owned(),
        DeadlineSource::Network => format!("The retailer's rules, worked out by {source}"),
    }
}

/// A text as one part of an address.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A text as part of an id on a page.
pub(crate) fn id(text: &str) -> String {
    let part = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    text.chars().map(part).collect()
}

/// `1 order`, `4 orders`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{} {many}", grouped(&number.to_string()))
    }
}

/// A record of a list by its name and its code.
pub(crate) fn coded(code: &str, name: &str) -> String {
    if name.is_empty() || name == code {
        code.to_owned()
    } else {
        format!("{name}, code {code}")
    }
}

/// Digits before the point in groups of three.
pub(crate) fn grouped(number: &str) -> String {
    let (sign, rest) = number
        .strip_prefix('-')
        .map_or(("", number), |rest| ("-", rest));
    let (whole, part) = rest
        .split_once('.')
        .map_or((rest, None), |(w, p)| (w, Some(p)));
    let mut out = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(part) = part {
        out.push('.');
        out.push_str(part);
    }
    out
}

/// A quantity without trailing noughts.
pub(crate) fn quantity(number: Decimal) -> String {
    grouped(&number.normal().to_string())
}

/// An amount: `$1,148.00`, `12.50 CHF`; without a currency just the number.
pub(crate) fn money(amount: Decimal, currency: Option<&str>) -> String {
    let digits = if currency == Some("JPY") { 0 } else { 2 };
    let text = grouped(&amount.normal().fixed(digits));
    let sign = match currency {
        Some("USD") => "$",
        Some("GBP") => "\u{a3}",
        Some("EUR") => "\u{20ac}",
        Some(code) if !code.is_empty() => return format!("{text} {code}"),
        _ => "",
    };
    text.strip_prefix('-')
        .map_or_else(|| format!("{sign}{text}"), |rest| format!("-{sign}{rest}"))
}

/// A length of time: `12 s`, `54 min`, `2 h 54 min`, `3 days 9 h`.
pub(crate) fn span(ms: Millis) -> String {
    let seconds = ms.max(0) / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if seconds < 60 {
        format!("{seconds} s")
    } else if minutes < 60 {
        format!("{minutes} min")
    } else if hours < 48 {
        match minutes % 60 {
            0 => format!("{hours} h"),
            rest => format!("{hours} h {rest} min"),
        }
    } else {
        match hours % 24 {
            0 => format!("{days} days"),
            rest => format!("{days} days {rest} h"),
        }
    }
}

/// Times as the merchant reads them: in the machine's zone, seen from now.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    zone: TimeZone,
    now: Millis,
}

impl Times {
    /// Seen from `now`, in that zone.
    pub(crate) const fn new(zone: TimeZone, now: Millis) -> Self {
        Self { zone, now }
    }

    fn zoned(&self, at: Millis) -> Zoned {
        Timestamp::from_millisecond(at)
            .unwrap_or_default()
            .to_zoned(self.zone.clone())
    }

    /// When the day began that was so many days ago.
    pub(crate) fn midnight(&self, days_ago: i64) -> Millis {
        let today = self.zoned(self.now).date();
        let day = today.saturating_sub(days_ago.days());
        let start = day.to_zoned(self.zone.clone());
        start.map_or(self.now, |start| start.timestamp().as_millisecond())
    }

    /// `14:05`
    pub(crate) fn clock(&self, at: Millis) -> String {
        self.zoned(at).strftime("%H:%M").to_string()
    }

    /// `14:05:12`
    pub(crate) fn clock_seconds(&self, at: Millis) -> String {
        self.zoned(at).strftime("%H:%M:%S").to_string()
    }

    /// `today`, `tomorrow`, `Mon 23 Nov`; with the year when it is another one.
    pub(crate) fn day(&self, at: Millis) -> String {
        let (at, now) = (self.zoned(at), self.zoned(self.now));
        let (day, today) = (at.date(), now.date());
        if day == today {
            "today".to_owned()
        } else if today.tomorrow().is_ok_and(|next| next == day) {
            "tomorrow".to_owned()
        } else if today.yesterday().is_ok_and(|last| last == day) {
            "yesterday".to_owned()
        } else if day.year() == today.year() {
            at.strftime("%a %-d %b").to_string()
        } else {
            at.strftime("%a %-d %b %Y").to_string()
        }
    }

    /// `today 17:00`, `Mon 23 Nov, 17:00`
    pub(crate) fn when(&self, at: Millis) -> String {
        let day = self.day(at);
        let comma = if day.contains(' ') { "," } else { "" };
        format!("{day}{comma} {}", self.clock(at))
    }

    /// `Friday 20 November`, the head of a day in a log.
    pub(crate) fn day_head(&self, at: Millis) -> String {
        self.zoned(at).strftime("%A %-d %B").to_string()
    }

    /// `20`, the day of the month.
    pub(crate) fn day_number(&self, at: Millis) -> String {
        self.zoned(at).strftime("%-d").to_string()
    }

    /// `2 h 54 min`, or `late by 5 min`.
    pub(crate) fn left(&self, at: Millis) -> String {
        let left = at.saturating_sub(self.now);
        if left < 0 {
            format!("late by {}", span(-left))
        } else if left < 60_000 {
            "less than a minute".to_owned()
        } else {
            span(left)
        }
    }

    /// Whether that time is behind us.
    pub(crate) const fn past(&self, at: Millis) -> bool {
        at < self.now
    }

    /// `8 s ago`
    pub(crate) fn ago(&self, at: Millis) -> String {
        let gone = self.now.saturating_sub(at);
        if gone < 1000 {
            "just now".to_owned()
        } else {
            format!("{} ago", span(gone))
        }
    }

    /// For machines: `2026-11-20T14:05:12Z`.
    pub(crate) fn iso(at: Millis) -> String {
        Timestamp::from_millisecond(at)
            .unwrap_or_default()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string()
    }

    /// The zone's name, as said at the foot of a page.
    pub(crate) fn zone_name(&self) -> String {
        let name = self
            .zone
            .iana_name()
            .map(|name| name.trim_start_matches("Etc/").to_owned());
        let short = self.zoned(self.now).strftime("%Z").to_string();
        name.filter(|n| *n != short).map_or_else(
            || short.clone(),
            |n| format!("{} ({short})", n.replace('_', " ")),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> Times {
        // Fri 20 Nov 2026, 14:06:00 UTC
        Times::new(TimeZone::UTC, 1_795_183_560_000)
    }

    #[test]
    fn money_is_grouped_and_keeps_its_sign() {
        assert_eq!(money(Decimal::new(114_800, 2), Some("USD")), "$1,148.00");
        assert_eq!(money(Decimal::new(-5, 2), Some("GBP")), "-\u{a3}0.05");
        assert_eq!(money(Decimal::new(125, 1), Some("CHF")), "12.50 CHF");
        assert_eq!(money(Decimal::whole(1_234_567), None), "1,234,567.00");
        assert_eq!(
            money(Decimal::new(12_345, 3), Some("EUR")),
            "\u{20ac}12.345"
        );
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let times = times();
        let now = 1_795_183_560_000;
        assert_eq!(times.when(now), "today 14:06");
        assert_eq!(times.left(now + 10_440_000), "2 h 54 min");
        assert_eq!(times.left(now - 300_000), "late by 5 min");
        assert_eq!(
            times.left(now + 3 * 86_400_000 + 9 * 3_600_000),
            "3 days 9 h"
        );
        assert_eq!(times.when(now + 3 * 86_400_000), "Mon 23 Nov, 14:06");
        assert_eq!(times.when(now + 86_400_000), "tomorrow 14:06");
        assert_eq!(times.ago(now - 8_000), "8 s ago");
        assert_eq!(times.day_head(now), "Friday 20 November");
        assert_eq!(Times::iso(now), "2026-11-20T14:06:00Z");
        assert_eq!(times.when(now - 400 * 86_400_000), "Thu 16 Oct 2025, 14:06");
    }

    #[test]
    fn an_unknown_icon_cannot_carry_markup() {
        assert_eq!(icon("\"><script>"), icon("doc"));
    }

    #[test]
    fn only_used_symbols_are_on_the_page() {
        let page = with_symbols(&format!("<!--symbols-->{}", icon("ok")));
        assert!(page.contains("id=\"i-ok\""));
        assert!(!page.contains("id=\"i-you\""));
    }
}
