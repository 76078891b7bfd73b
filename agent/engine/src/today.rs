//! The Today page: one sentence that is true, the next deadlines, the last days.

use crate::core::{Core, Desk};
use crate::practice;
use crate::status::{
    cards, connection, deadline_kind, deadlines_of, note_view, order_view, orders_in, stages,
};
use crate::view::{CardView, ConnectionView, DayView, DeadlineView, TodayView, Tone};
use std::collections::BTreeSet;
use waybill_model::document::DeadlineSource;
use waybill_model::ids::Millis;
use waybill_model::order_state::OrderStage;
use waybill_store::{OrderQuery, Read, Rx, StoreError};

const DAY_MS: Millis = 86_400_000;
/// Days of the chart.
const DAYS: u32 = 14;

/// The Today page.
pub(crate) fn today(core: &Core, rx: &Rx) -> Result<TodayView, StoreError> {
    let desk = core.desk();
    let now = core.now();
    let counters = rx.counters()?;
    let cards: Vec<CardView> = cards(core, rx, 20, false)?
        .into_iter()
        .filter(|c| c.ignored.is_none())
        .collect();
    let left = left_alone(rx)?;
    let deadlines = next_deadlines(&desk, rx, now)?;
    let mut recent = Vec::new();
    for row in rx.orders(OrderQuery {
        stage: None,
        before: None,
        limit: 8,
    })? {
        if let Some(last) = rx.timeline(row.id, 1)?.into_iter().next() {
            recent.push((order_view(&desk, &row), note_view(last)));
        }
    }
    recent.sort_by_key(|(_, note)| std::cmp::Reverse(note.at));
    let feeds = rx.feeds()?;
    let connections: Vec<ConnectionView> = rx
        .connections()?
        .iter()
        .map(|row| connection(core, &desk, rx, row, &feeds, now))
        .collect::<Result<_, StoreError>>()?;
    let practised = practice::practised(rx, &desk)?.words();
    let (verdict, tone, stamp) = verdict(&Known {
        sending: match practised {
            _ if rx.routes()?.is_empty() => Sending::NotYet,
            None => Sending::Live,
            Some(some) if some.is_empty() => Sending::Practice,
            Some(_) => Sending::Partly,
        },
        connections: &connections,
        waiting: orders_in(&counters, OrderStage::Waiting).saturating_sub(left),
        left,
        causes: counters.cards,
        on_their_way: orders_in(&counters, OrderStage::Received),
        orders: counters.orders.values().sum(),
        flows: &crate::flow::show::paused(&desk, rx)?,
    });
    Ok(TodayView {
        verdict,
        stamp: (tone, stamp.to_owned()),
        stages: stages(rx)?,
        days: days(rx, now)?,
        deadlines,
        cards,
        recent,
    })
}

/// Orders that only wait because a person left their card alone.
fn left_alone(rx: &Rx) -> Result<u64, StoreError> {
    let (mut left, mut open) = (BTreeSet::new(), BTreeSet::new());
    for card in rx.left_cards(usize::MAX)? {
        let jobs = rx.card(&card.id)?.map(|(_, jobs)| jobs).unwrap_or_default();
        left.extend(jobs.iter().filter_map(|j| j.order));
    }
    if left.is_empty() {
        return Ok(0);
    }
    for card in rx.cards(usize::MAX)? {
        let jobs = rx.card(&card.id)?.map(|(_, jobs)| jobs).unwrap_or_default();
        open.extend(jobs.iter().filter_map(|j| j.order));
    }
    Ok(left.difference(&open).count() as u64)
}

/// The next deadlines, after those for an acknowledgement that passed within a day and is still owed.
fn next_deadlines(desk: &Desk, rx: &Rx, now: Millis) -> Result<Vec<DeadlineView>, StoreError> {
    const SHOWN: usize = 6;
    let missed = rx
        .deadlines(now - DAY_MS, 500)?
        .into_iter()
        .filter(|(at, kind, _)| *at < now && *kind == waybill_store::DeadlineKind::Acknowledge);
    let next = rx.deadlines(now, SHOWN)?;
    let mut deadlines = Vec::new();
    for (at, kind, id) in missed.take(SHOWN / 2).chain(next).take(SHOWN) {
        let Some(row) = rx.order(id)? else { continue };
        let kind = deadline_kind(kind);
        let set_by = deadlines_of(&row)
            .into_iter()
            .find(|(k, _, _)| *k == kind)
            .map_or(DeadlineSource::Order, |(_, _, by)| by);
        deadlines.push(DeadlineView {
            kind,
            at,
            set_by,
            order: order_view(desk, &row),
        });
    }
    Ok(deadlines)
}

/// Whether what is ready leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// No flow has begun.
    NotYet,
    Practice,
    Partly,
    Live,
}

/// What today's sentence is made of.
struct Known<'a> {
    sending: Sending,
    connections: &'a [ConnectionView],
    /// Orders that wait for a person, without those left alone.
    waiting: u64,
    left: u64,
    causes: u64,
    on_their_way: u64,
    orders: u64,
    /// Flows that a person has paused.
    flows: &'a [String],
}

/// One sentence that is true: what needs a person first, then what does not work, then what is on its way.
fn verdict(known: &Known<'_>) -> (String, Tone, &'static str) {
    if known.connections.is_empty() {
        return (
            "No connection is set up yet.".to_owned(),
            Tone::Hold,
            "Not set up",
        );
    }
    let count = |n: u64, one: &str, many: &str| match n {
        1 => format!("One {one}"),
        n => format!("{n} {many}"),
    };
    let of_tone = |tone: Tone| known.connections.iter().find(|c| c.tone == tone);
    let mut parts = Vec::new();
    if known.causes > 0 {
        let causes = count(known.causes, "cause", "causes").to_lowercase();
        parts.push(match known.waiting {
            0 => format!(
                "{} for you.",
                count(known.causes, "cause waits", "causes wait")
            ),
            n => format!(
                "{} for you, from {causes}.",
                count(n, "order waits", "orders wait")
            ),
        });
    }
    if let Some(c) = of_tone(Tone::You) {
        parts.push(format!("{}: {}", c.title, ended(&c.sentence)));
    }
    let needs = !parts.is_empty();
    if let Some(c) = of_tone(Tone::Hold) {
        parts.push(format!("{} is paused by you.", c.title));
    }
    if !known.flows.is_empty() {
        parts.push(format!("Paused by you: {}.", known.flows.join(", ")));
    }
    let hold = of_tone(Tone::Hold).is_some() || !known.flows.is_empty();
    if let Some(c) = of_tone(Tone::Soon) {
        parts.push(format!("{}: {}", c.title, ended(&c.sentence)));
    }
    let disturbed = !parts.is_empty();
    match known.sending {
        Sending::NotYet => parts.push("Nothing runs yet.".to_owned()),
        Sending::Practice => parts.push("Practice: nothing is sent.".to_owned()),
        Sending::Partly | Sending::Live => {}
    }
    if !disturbed && known.orders == 0 {
        parts.push("Connected. No order has come in yet.".to_owned());
    } else if !disturbed && known.on_their_way == 0 && known.sending == Sending::Live {
        parts.push("Everything is in step. Nothing waits for you.".to_owned());
    } else if !needs {
        parts.push("Nothing waits for you.".to_owned());
    } else if !hold && of_tone(Tone::Soon).is_none() {
        parts.push("Everything else goes on by itself.".to_owned());
    }
    if known.on_their_way > 0 {
        let words = count(known.on_their_way, "order is", "orders are");
        parts.push(format!("{words} on the way."));
    }
    if known.left > 0 {
        let words = count(known.left, "order was", "orders were");
        parts.push(format!("{words} left alone."));
    }
    let stamp = if needs {
        (Tone::You, "Needs you")
    } else if hold {
        (Tone::Hold, "Paused")
    } else if disturbed {
        (Tone::Soon, "Disturbed")
    } else {
        match known.sending {
            Sending::NotYet => (Tone::Hold, "Not live yet"),
            Sending::Practice => (Tone::Hold, "Practice"),
            Sending::Partly => (Tone::Hold, "Partly practice"),
            Sending::Live => (Tone::Ok, "In step"),
        }
    };
    (parts.join(" "), stamp.0, stamp.1)
}

/// A sentence with its full stop.
fn ended(sentence: &str) -> String {
    format!("{}.", sentence.trim_end_matches('.'))
}

/// The last days up to today, quiet ones too, from the first that had an order.
fn days(rx: &Rx, now: Millis) -> Result<Vec<DayView>, StoreError> {
    let known = rx.day_counts(DAYS as usize)?;
    let today = u32::try_from(now.div_euclid(DAY_MS)).unwrap_or(0);
    let earliest = today.saturating_sub(DAYS - 1);
    let Some(first) = known.iter().map(|d| d.day).filter(|d| *d >= earliest).min() else {
        return Ok(Vec::new());
    };
    let day = |day: u32| {
        let counted = known.iter().find(|d| d.day == day).copied();
        let counted = counted.unwrap_or_default();
        DayView {
            day: Millis::from(day) * DAY_MS,
            received: counted.received,
            created: counted.created,
            shipped: counted.shipped,
            cancelled: counted.cancelled,
        }
    };
    Ok((first..=today.max(first)).map(day).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use waybill_model::ids::ConnectionId;

    fn side(title: &str, sentence: &str, tone: Tone) -> ConnectionView {
        ConnectionView {
            id: ConnectionId(1),
            name: title.to_lowercase(),
            title: title.to_owned(),
            connector: None,
            generation: None,
            sentence: sentence.to_owned(),
            tone,
            last_ok: None,
            hold_until: None,
            calls: (0, None),
            budgets: Vec::new(),
            feeds: Vec::new(),
            hooks: None,
        }
    }

    fn said(
        connections: &[ConnectionView],
        counts: [u64; 5],
        flows: &[String],
    ) -> (String, &'static str) {
        told(Sending::Live, connections, counts, flows)
    }

    fn told(
        sending: Sending,
        connections: &[ConnectionView],
        counts: [u64; 5],
        flows: &[String],
    ) -> (String, &'static str) {
        let [waiting, left, causes, on_their_way, orders] = counts;
        let (text, _, stamp) = verdict(&Known {
            sending,
            connections,
            waiting,
            left,
            causes,
            on_their_way,
            orders,
            flows,
        });
        (text, stamp)
    }

    #[test]
    fn nothing_is_in_step_that_does_not_send() {
        let good = [side("ERP", "OK", Tone::Ok)];
        let of = |sending, orders| told(sending, &good, [0, 0, 0, 0, orders], &[]);
        for (sending, orders, text, stamp) in [
            (
                Sending::NotYet,
                0,
                "Nothing runs yet. Connected. No order has come in yet.",
                "Not live yet",
            ),
            (
                Sending::Practice,
                0,
                "Practice: nothing is sent. Connected. No order has come in yet.",
                "Practice",
            ),
            (
                Sending::Practice,
                9,
                "Practice: nothing is sent. Nothing waits for you.",
                "Practice",
            ),
            (
                Sending::Partly,
                9,
                "Nothing waits for you.",
                "Partly practice",
            ),
        ] {
            assert_eq!(of(sending, orders), (text.to_owned(), stamp));
        }
        let (_, stamp) = told(Sending::Practice, &good, [2, 0, 1, 0, 9], &[]);
        assert_eq!(stamp, "Needs you");
    }

    #[test]
    fn the_sentence_says_what_is_true() {
        let good = [side("ERP", "OK", Tone::Ok)];
        let down = [side("ERP", "Did not answer.", Tone::Soon)];
        let refused = [side("ERP", "Login refused: expired", Tone::You)];
        let paused = [side("ERP", "Paused by you", Tone::Hold)];
        for (connections, counts, text, stamp) in [
            (
                &good[..],
                [0, 0, 0, 0, 0],
                "Connected. No order has come in yet.",
                "In step",
            ),
            (
                &good[..],
                [0, 0, 0, 0, 9],
                "Everything is in step. Nothing waits for you.",
                "In step",
            ),
            (
                &good[..],
                [0, 0, 0, 2, 9],
                "Nothing waits for you. 2 orders are on the way.",
                "In step",
            ),
            (
                &good[..],
                [2, 0, 1, 0, 9],
                "2 orders wait for you, from one cause. Everything else goes on by itself.",
                "Needs you",
            ),
            (
                &good[..],
                [0, 1, 0, 0, 9],
                "Everything is in step. Nothing waits for you. One order was left alone.",
                "In step",
            ),
            (
                &down[..],
                [0, 0, 0, 1, 9],
                "ERP: Did not answer. Nothing waits for you. One order is on the way.",
                "Disturbed",
            ),
            (
                &refused[..],
                [0, 0, 0, 0, 9],
                "ERP: Login refused: expired. Everything else goes on by itself.",
                "Needs you",
            ),
            (
                &paused[..],
                [0, 0, 0, 0, 9],
                "ERP is paused by you. Nothing waits for you.",
                "Paused",
            ),
            (
                &[],
                [0, 0, 0, 0, 0],
                "No connection is set up yet.",
                "Not set up",
            ),
        ] {
            assert_eq!(said(connections, counts, &[]), (text.to_owned(), stamp));
        }
        let flows = ["Shipments from ERP to Network".to_owned()];
        let (text, stamp) = said(&good, [0, 0, 0, 0, 9], &flows);
        assert_eq!(
            text,
            "Paused by you: Shipments from ERP to Network. Nothing waits for you."
        );
        assert_eq!(stamp, "Paused");
    }
}
