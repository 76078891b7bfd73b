//! What is true now and must be heard of: causes that wait for a person, deadlines that are near, a side that does not
//! answer, what every page says, a connection that is read and waits to be used. Each has a key that stays as long as it is
//! the same. Must not know what was told.

use super::wishes::Wishes;
use crate::connecting;
use crate::core::Core;
use crate::status;
use crate::view::Tone;
use waybill_model::ids::Millis;
use waybill_store::{DeadlineKind, Read, Rx, StoreError};

/// Causes looked at.
const CARDS: usize = 200;
/// Deadlines looked at.
const DEADLINES: usize = 2_000;
const DAY_MS: Millis = 86_400_000;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    /// The same as long as it is the same.
    pub(crate) key: String,
    /// One or two sentences.
    pub(crate) text: String,
    /// What to do.
    pub(crate) hint: Option<String>,
    /// It is too late then.
    pub(crate) by: Option<Millis>,
    /// What is said once it is over; most end without a word.
    pub(crate) over: Option<String>,
}

/// All of them, most urgent first.
pub(crate) fn all(
    core: &Core,
    rx: &Rx,
    wishes: &Wishes,
    now: Millis,
) -> Result<Vec<Fact>, StoreError> {
    let mut all = alarms(core, rx)?;
    all.extend(sides(core, rx, wishes, now)?);
    all.extend(deadlines(core, rx, wishes, now)?);
    all.extend(cards(core, rx)?);
    all.extend(beginnings(core, rx)?);
    Ok(all)
}

/// Whoever sets a connection up need not watch it being read.
fn beginnings(core: &Core, rx: &Rx) -> Result<Vec<Fact>, StoreError> {
    let read = connecting::read_and_idle(&core.desk(), &rx.feeds()?).into_iter();
    Ok(read
        .map(|(id, title, what)| Fact {
            key: format!("read:{id}"),
            text: format!("{title} was read for the first time: {what}."),
            hint: Some("Go on with the set-up; no document moves before that.".to_owned()),
            by: None,
            over: None,
        })
        .collect())
}

fn alarms(core: &Core, rx: &Rx) -> Result<Vec<Fact>, StoreError> {
    let paused = rx.connections()?.iter().any(|row| row.paused);
    let alarms = status::alarms(core, rx, paused)?.into_iter();
    Ok(alarms
        .filter(|alarm| alarm.text != super::state::UNDELIVERED)
        .map(|alarm| Fact {
            // Figures in it change while it is the same alarm.
            key: format!(
                "alarm:{}",
                alarm.text.replace(|c: char| c.is_ascii_digit(), "")
            ),
            text: alarm.text,
            hint: Some(alarm.hint),
            by: None,
            over: None,
        })
        .collect())
}

fn sides(core: &Core, rx: &Rx, wishes: &Wishes, now: Millis) -> Result<Vec<Fact>, StoreError> {
    let desk = core.desk();
    let feeds = rx.feeds()?;
    let mut all = Vec::new();
    for row in rx.connections()? {
        let view = status::connection(core, &desk, rx, &row, &feeds, now)?;
        let silent = view.last_ok.is_some_and(|at| now - at >= wishes.down);
        let hint = if view.tone == Tone::You {
            "Nothing goes on there until somebody looks at the page Connections."
        } else {
            "Nothing is lost: what waits goes on once it answers again."
        };
        let down = match view.tone {
            Tone::You => true,
            Tone::Soon => silent,
            _ => false,
        };
        if down {
            let since = view
                .last_ok
                .map(|at| format!(" Its last answer was {}.", wishes.when(at)));
            all.push(Fact {
                key: format!("side:{}", row.id),
                text: format!(
                    "{}: {}.{}",
                    view.title,
                    view.sentence,
                    since.unwrap_or_default()
                ),
                hint: Some(hint.to_owned()),
                by: None,
                over: Some(format!("{} answers again.", view.title)),
            });
        }
    }
    Ok(all)
}

const fn asked(kind: DeadlineKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        DeadlineKind::Acknowledge => ("acknowledge", "be acknowledged", "is not acknowledged"),
        DeadlineKind::Ship => ("ship", "ship", "has not shipped"),
        DeadlineKind::Invoice => ("invoice", "be invoiced", "is not invoiced"),
    }
}

fn deadlines(core: &Core, rx: &Rx, wishes: &Wishes, now: Millis) -> Result<Vec<Fact>, StoreError> {
    let desk = core.desk();
    let mut all = Vec::new();
    for (at, kind, id) in rx.deadlines(now - DAY_MS, DEADLINES)? {
        if at > now + wishes.longest_lead() {
            break;
        }
        let lead = wishes.lead(kind);
        if lead == 0 || at > now + lead {
            continue;
        }
        let Some(row) = rx.order(id)? else { continue };
        let order = status::order_view(&desk, &row);
        let (word, must, is_not) = asked(kind);
        let (number, retailer, when) = (&order.number, &row.retailer_name, wishes.when(at));
        let late = at <= now;
        all.push(Fact {
            key: format!("{}:{word}:{id}", if late { "late" } else { "due" }),
            text: if late {
                format!("PO {number} of {retailer} {is_not}; it was due {when}.")
            } else {
                format!("PO {number} of {retailer} must {must} by {when}.")
            },
            hint: None,
            by: Some(at),
            over: None,
        });
    }
    Ok(all)
}

fn cards(core: &Core, rx: &Rx) -> Result<Vec<Fact>, StoreError> {
    let cards = status::cards(core, rx, CARDS, false)?.into_iter();
    Ok(cards
        .filter(|card| card.ignored.is_none())
        .map(|card| {
            let waiting = match card.waiting {
                0 => String::new(),
                1 => " One order waits.".to_owned(),
                n => format!(" {n} orders wait."),
            };
            Fact {
                key: format!("card:{}", card.id),
                text: format!("{}. {}{waiting}", card.title, card.text),
                hint: card.hint,
                by: card.deadline,
                over: None,
            }
        })
        .collect())
}
