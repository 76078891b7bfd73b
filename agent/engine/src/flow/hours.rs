//! Hours of a flow in the merchant's time zone. Must not know what a flow does.

use crate::core::Desk;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use waybill_model::hours::Hours;
use waybill_model::ids::Millis;
use waybill_model::settings::{HOURS, TIME_ZONE, Values};
use waybill_store::RouteRow;

/// The merchant's zone; the machine's where none is set, or where this machine does not know it.
pub(crate) fn zone(agent: &Values, machine: &TimeZone) -> TimeZone {
    let name = agent.get(TIME_ZONE).map(|name| name.trim());
    match name.filter(|name| !name.is_empty()).map(TimeZone::get) {
        Some(Ok(zone)) => zone,
        Some(Err(error)) => {
            tracing::warn!(error = %error, "The time zone is not known on this machine.");
            machine.clone()
        }
        None => machine.clone(),
    }
}

/// What was set for a flow.
pub(crate) fn text<'d>(desk: &'d Desk, row: &RouteRow) -> Option<&'d str> {
    let slot = desk.slots.get(&row.from)?;
    let text = slot.settings.get(&format!("{HOURS}{}", row.entity))?;
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// When the flow's hours begin again; `None`: it is within them, or has none.
pub(super) fn closed(desk: &Desk, row: &RouteRow, now: Millis) -> Option<Millis> {
    // Hours that cannot be read were refused when they were set.
    let hours = Hours::parse(text(desk, row)?).ok()?;
    let at = Timestamp::from_millisecond(now)
        .ok()?
        .to_zoned(desk.zone.clone());
    let (day, minute) = day_and_minute(&at);
    if hours.contains(day, minute) {
        return None;
    }
    next(&hours, &at)
}

/// Where in its week a moment is: the day, 0 is Monday, and the minute of that day.
pub(crate) fn day_and_minute(at: &Zoned) -> (u8, u16) {
    let minute = i32::from(at.hour()) * 60 + i32::from(at.minute());
    (day(at), u16::try_from(minute).unwrap_or(0))
}

/// 0 is Monday.
fn day(at: &Zoned) -> u8 {
    u8::try_from(at.weekday().to_monday_zero_offset()).unwrap_or(0)
}

/// The next beginning, within eight days.
fn next(hours: &Hours, now: &Zoned) -> Option<Millis> {
    let midnight = now.start_of_day().ok()?;
    (0..=8)
        .filter_map(|days| {
            let date = midnight.checked_add(Span::new().days(days)).ok()?;
            let begins = hours.begins(day(&date)).into_iter().filter_map(|minute| {
                let (hour, minute) = (minute / 60, minute % 60);
                let at = date
                    .date()
                    .at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0);
                // An hour that the clocks leave out begins when they have.
                at.to_zoned(now.time_zone().clone()).ok()
            });
            begins.filter(|at| at > now).min()
        })
        .map(|at| at.timestamp().as_millisecond())
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_hours_begin_in_the_merchants_zone() {
        let hours = Hours::parse("mon-fri 06:00-20:00").unwrap();
        let at = |text: &str| text.parse::<Zoned>().unwrap();
        let begins = |text: &str| {
            let ms = next(&hours, &at(text)).unwrap();
            let zone = at(text).time_zone().clone();
            let at = Timestamp::from_millisecond(ms).unwrap().to_zoned(zone);
            at.strftime("%Y-%m-%d %H:%M %z").to_string()
        };
        // A Friday evening, over the end of summer time.
        assert_eq!(
            begins("2026-10-23T20:00[Europe/Berlin]"),
            "2026-10-26 06:00 +0100"
        );
        assert_eq!(
            begins("2026-10-26T05:59[Europe/Berlin]"),
            "2026-10-26 06:00 +0100"
        );
    }
}
