//! Today: is everything in step? Figures, next deadlines, what waits, what just happened, the last days.

use super::budget::Budget;
use super::layout::Base;
use super::orders::Row;
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::html::{Icon, Mark, Times, count, deadline_words, grouped, icon, set_by, tone_class};
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use waybill_engine::view::{CardView, DayView, FrameView, TodayView};
use waybill_model::ids::Millis;
use waybill_model::order_state::OrderStage;

/// Days of the chart.
const DAYS: i64 = 14;
const DAY: Millis = 86_400_000;

/// Most of the waiting causes that fit beside the deadlines.
const CAUSES: usize = 6;

struct Figure {
    label: &'static str,
    number: String,
    small: String,
}

struct Due {
    left: String,
    late: bool,
    when: String,
    what: &'static str,
    set_by: String,
    order: Row,
}

struct Cause {
    href: String,
    title: String,
    orders: String,
}

struct Event {
    time: String,
    iso: String,
    tone: &'static str,
    icon: Icon,
    href: String,
    number: String,
    text: String,
}

/// One day of the chart: place and height of its two bars, and its figures.
struct Bar {
    x: String,
    x2: String,
    middle: String,
    label: String,
    in_y: String,
    in_height: String,
    created_y: String,
    created_height: String,
    day: String,
    received: u64,
    created: u64,
}

struct Chart {
    top: u64,
    half: u64,
    bars: Vec<Bar>,
    words: String,
}

#[derive(Template)]
#[template(path = "today.html")]
struct TodayPage {
    base: Base,
    head: String,
    verdict: String,
    stamp: Mark,
    figures: Vec<Figure>,
    deadlines: Vec<Due>,
    causes: Vec<Cause>,
    more: String,
    recent: Vec<Event>,
    /// The set-up is not over.
    unfinished: bool,
    /// Limits of a minute, by the title of their connection.
    calls: Vec<(String, Vec<Budget>)>,
    chart: Option<Chart>,
    as_of: String,
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, times) = base(asked, "/today", "Today").await?;
    let now = asked.site.handle.now();
    let today = asked.site.handle.today().await?;
    let frame = asked.site.handle.frame().await?;
    let mut page = compose(base, &today, &times, now);
    page.calls = calls(&frame, &times);
    page.unfinished = !frame.begun;
    render(StatusCode::OK, &page)
}

/// The limits that a minute's calls can reach, by the title of their connection.
fn calls(frame: &FrameView, times: &Times) -> Vec<(String, Vec<Budget>)> {
    let mut out = Vec::new();
    for connection in &frame.connections {
        let limited = connection.budgets.iter();
        let limited: Vec<Budget> = limited
            .filter(|budget| budget.per_minute.is_some())
            .map(|budget| Budget::of(budget, times))
            .collect();
        if !limited.is_empty() {
            out.push((connection.title.clone(), limited));
        }
    }
    out
}

/// The last days up to today, also those on which nothing happened.
fn last_days(known: &[DayView], now: Millis) -> Vec<DayView> {
    let today = now - now.rem_euclid(DAY);
    (0..DAYS)
        .map(|at| today - (DAYS - 1 - at) * DAY)
        .map(|day| {
            let found = known.iter().find(|known| known.day == day).cloned();
            found.unwrap_or(DayView {
                day,
                ..DayView::default()
            })
        })
        .collect()
}

fn figures(today: &TodayView, days: &[DayView]) -> Vec<Figure> {
    let last = days.last().cloned().unwrap_or_default();
    let before = days.iter().rev().nth(1);
    let yesterday = |pick: fn(&DayView) -> u64| {
        before.map_or_else(String::new, |day| {
            format!("{} yesterday", grouped(&pick(day).to_string()))
        })
    };
    let stage = |wanted: OrderStage| {
        today
            .stages
            .0
            .iter()
            .find(|(s, _)| *s == wanted)
            .map_or(0, |(_, n)| *n)
    };
    let figure = |label, number: u64, small| Figure {
        label,
        number: grouped(&number.to_string()),
        small,
    };
    vec![
        figure("Orders in", last.received, yesterday(|day| day.received)),
        figure("Sales created", last.created, yesterday(|day| day.created)),
        figure("Cancelled", last.cancelled, yesterday(|day| day.cancelled)),
        figure("Wait for you", stage(OrderStage::Waiting), String::new()),
        figure(
            "On their way",
            stage(OrderStage::Received),
            "received, no sale yet".to_owned(),
        ),
    ]
}

/// The highest grid line: a round number at or above the largest figure.
fn round_up(most: u64) -> u64 {
    let step = match most {
        0..=10 => 2,
        11..=100 => 10,
        101..=1000 => 100,
        _ => 1000,
    };
    most.div_ceil(step).max(1) * step
}

#[expect(clippy::cast_precision_loss, reason = "figures of a drawing")]
fn chart(days: &[DayView], times: &Times) -> Option<Chart> {
    let most = days
        .iter()
        .map(|d| d.received.max(d.created))
        .max()
        .filter(|most| *most > 0)?;
    let top = round_up(most);
    let height = |figure: u64| 118.0 * figure as f64 / top as f64;
    let slot = 96.0 / days.len() as f64;
    let wide = (slot * 0.35).min(2.4);
    let bars: Vec<Bar> = days
        .iter()
        .enumerate()
        .map(|(at, day)| {
            let x = 4.0 + slot * at as f64;
            // The middle of a UTC day, so that its name is right in every zone near it.
            let noon = day.day + DAY / 2;
            Bar {
                x: format!("{x:.2}%"),
                x2: format!("{:.2}%", x + wide + 0.4),
                middle: format!("{:.2}%", x + wide + 0.2),
                label: times.day_number(noon),
                in_y: format!("{:.1}", 132.0 - height(day.received)),
                in_height: format!("{:.1}", height(day.received)),
                created_y: format!("{:.1}", 132.0 - height(day.created)),
                created_height: format!("{:.1}", height(day.created)),
                day: times.day(noon),
                received: day.received,
                created: day.created,
            }
        })
        .collect();
    let last = days.last()?;
    let words = format!(
        "Two bars a day for {} days, at most {most} orders a day. Last day: {} in, {} created.",
        days.len(),
        last.received,
        last.created
    );
    Some(Chart {
        top,
        half: top / 2,
        bars,
        words,
    })
}

fn cause(at: usize, card: &CardView) -> Cause {
    Cause {
        href: format!("/attention#c{}", at + 1),
        title: card.title.clone(),
        orders: count(card.waiting, "order", "orders"),
    }
}

fn compose(base: Base, today: &TodayView, times: &Times, now: Millis) -> TodayPage {
    let days = last_days(&today.days, now);
    let open: Vec<&CardView> = today
        .cards
        .iter()
        .filter(|card| card.ignored.is_none())
        .collect();
    let hidden = open.len().saturating_sub(CAUSES);
    TodayPage {
        unfinished: false,
        head: format!("Today, {}, {}", times.day_head(now), times.clock(now)),
        verdict: today.verdict.clone(),
        stamp: Mark::of(today.stamp.0, today.stamp.1.clone()),
        figures: figures(today, &days),
        deadlines: today
            .deadlines
            .iter()
            .map(|due| Due {
                left: times.left(due.at),
                late: times.past(due.at),
                when: times.when(due.at),
                what: deadline_words(due.kind),
                set_by: set_by(due.set_by, &due.order.source),
                order: Row::of(&due.order, times),
            })
            .collect(),
        causes: open
            .iter()
            .take(CAUSES)
            .enumerate()
            .map(|(at, card)| cause(at, card))
            .collect(),
        more: if hidden > 0 {
            format!("{} more", count(hidden as u64, "cause", "causes"))
        } else {
            String::new()
        },
        recent: today
            .recent
            .iter()
            .map(|(order, note)| Event {
                time: times.clock(note.at),
                iso: Times::iso(note.at),
                tone: tone_class(note.tone),
                icon: icon(&note.icon),
                href: format!("/orders/{}", order.id),
                number: order.number.clone(),
                text: note.text.clone(),
            })
            .collect(),
        calls: Vec::new(),
        chart: chart(&days, times),
        as_of: times.clock_seconds(now),
        base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::with_symbols;
    use crate::pages::sample::{self, NOW};

    #[test]
    fn the_grid_ends_at_a_round_number_above_the_bars() {
        for (most, top) in [
            (1, 2),
            (9, 10),
            (10, 10),
            (11, 20),
            (47, 50),
            (101, 200),
            (5001, 6000),
        ] {
            assert_eq!(round_up(most), top);
        }
    }

    #[test]
    fn the_day_is_answered_in_one_sentence_and_explained_below() {
        let mut page = compose(
            sample::base("/today", "Today"),
            &sample::today(),
            &sample::times(),
            NOW,
        );
        let mut frame = sample::frame();
        let budgets = &mut frame.connections[0].budgets;
        budgets.push(budgets[0].clone());
        budgets[0].group = "all other calls".to_owned();
        budgets[1].group = "order-search".to_owned();
        page.calls = calls(&frame, &sample::times());
        let html = with_symbols(&page.render().unwrap());
        sample::sound(&html);
        let title = &frame.connections[0].title;
        let head = format!("Calls to {title} this minute");
        assert_eq!(
            html.matches(&head).count(),
            1,
            "one panel for all its limits"
        );
        for words in [
            "61 of 200 calls in the last minute",
            "<h3>all other calls</h3>",
            "<h3>order-search</h3>",
            "Today, Friday 20 November, 14:06",
            "5 orders wait for you, from 2 causes.",
            "Needs you</p>",
            "<dt>Orders in</dt><dd>43</dd><dd class=\"small soft\">42 yesterday</dd>",
            "<span class=\"left\">2 h 54 min</span><small>today 17:00</small>",
            "worked out by Network",
            "<a href=\"/attention#c1\">Shipping method not matched: GSIG</a> <span class=\"left\">4 orders</span>",
            "last 14 days",
            "at most 43 orders a day",
            "Figures from 14:06:00",
            "src=\"/live.js\"",
        ] {
            assert!(html.contains(words), "{words}");
        }
        for live in [
            "verdict",
            "counts",
            "deadlines",
            "needs",
            "log",
            "asof",
            "frame",
        ] {
            assert!(html.contains(&format!("id=\"{live}\"")), "{live}");
        }
    }

    #[test]
    fn a_day_without_orders_is_shown_as_one() {
        let mut today = sample::today();
        today.days.truncate(12);
        let days = last_days(&today.days, NOW);
        assert_eq!(days.len(), 14);
        assert_eq!(days[11].received, 41);
        assert_eq!((days[13].received, days[13].day), (0, NOW - NOW % DAY));
        assert_eq!(
            figures(&today, &days)[0].number,
            "0",
            "yesterday's figure is not today's"
        );
    }

    #[test]
    fn a_set_up_that_was_left_can_be_gone_on_with() {
        let mut page = compose(
            sample::base("/today", "Today"),
            &sample::today(),
            &sample::times(),
            NOW,
        );
        assert!(!page.render().unwrap().contains("Go on with the set-up"));
        page.unfinished = true;
        assert!(page.render().unwrap().contains("Go on with the set-up"));
    }

    #[test]
    fn a_new_agent_has_no_chart_and_no_deadline() {
        let mut today = sample::today();
        today
            .days
            .iter_mut()
            .for_each(|day| (day.received, day.created) = (0, 0));
        today.deadlines.clear();
        today.cards.clear();
        today.recent.clear();
        let html = compose(
            sample::base("/today", "Today"),
            &today,
            &sample::times(),
            NOW,
        )
        .render()
        .unwrap();
        assert!(!html.contains("id=\"ch\""));
        for words in [
            "No open order has a deadline.",
            "Nothing waits for you.",
            "No order has come in yet.",
        ] {
            assert!(html.contains(words), "{words}");
        }
    }
}
