//! Needs attention: one card per cause. What happened, the one empty cell, and what the button sets free.

use super::layout::Base;
use super::orders::Row;
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::html::{Icon, Times, count, icon};
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use waybill_engine::view::CardView;
use waybill_model::ids::Millis;

/// A cause with less time than that is marked as urgent.
const URGENT: Millis = 24 * 3_600_000;

/// The cell to fill in.
struct Cell {
    label: String,
    value: String,
    choices: Vec<(String, String)>,
    retailer: Option<String>,
}

struct Card {
    id: String,
    action: String,
    tone: &'static str,
    icon: Icon,
    title: String,
    text: String,
    hint: Option<String>,
    waits: String,
    since: String,
    orders: Vec<Row>,
    others: u64,
    cell: Option<Cell>,
    release: String,
    number: String,
    ignored: Option<String>,
}

#[derive(Template)]
#[template(path = "attention.html")]
struct AttentionPage {
    base: Base,
    stamp_tone: &'static str,
    stamp_icon: Icon,
    stamp: String,
    open: usize,
    left: usize,
    show_left: bool,
    cards: Vec<Card>,
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, times) = base(asked, "/attention", "Needs attention").await?;
    let now = asked.site.handle.now();
    let cards = asked.site.handle.cards().await?;
    let left = asked.query.get("show") == Some("left");
    let waiting = asked.site.handle.frame().await?.waiting;
    render(
        StatusCode::OK,
        &compose(base, &cards, waiting, left, &times, now),
    )
}

fn released(jobs: u64, what: &str) -> Notice {
    let text = match jobs {
        0 => format!("{what} Nothing waited for it any more."),
        1 => format!("{what} 1 order goes on."),
        many => format!("{what} {many} orders go on."),
    };
    Notice {
        text,
        ..Notice::default()
    }
}

fn refused(failure: Failure) -> Notice {
    Notice {
        bad: true,
        text: super::layout::sentence(&failure.message),
        hint: failure.hint,
        pairs: Vec::new(),
    }
}

/// Fills in a card's cell and releases what waited.
pub(crate) async fn fill(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let id = asked.param("id");
    let cards = asked.site.handle.cards().await?;
    let Some(card) = cards.iter().find(|card| card.id == id) else {
        let notice = Notice {
            text: "This cause is solved already.".to_owned(),
            ..Notice::default()
        };
        return Ok(asked.say("/attention", notice));
    };
    let Some(cell) = &card.cell else {
        return Err(Failure::bad("this cause has no field to fill in")
            .hint("Try again, or leave it with a reason."));
    };
    let Some(code) = asked.form.filled("code") else {
        let notice = Notice {
            bad: true,
            text: format!("\"{}\" is still empty.", cell.label),
            hint: Some("Fill it in, then save.".to_owned()),
            pairs: Vec::new(),
        };
        return Ok(asked.say("/attention", notice));
    };
    if !cell.choices.is_empty() && !cell.choices.iter().any(|(key, _)| key == code) {
        return Err(Failure::bad("that value is not one of the choices")
            .hint("Open the page again and choose from the list."));
    }
    let for_all = cell.gap.retailer.is_none() || asked.form.get("scope") == Some("all");
    let filled = asked
        .site
        .handle
        .fill_cell(
            cell.from,
            cell.to,
            cell.gap.clone(),
            for_all,
            code.to_owned(),
            &asked.who,
        )
        .await;
    let notice = match filled {
        Ok(jobs) => released(jobs, "Saved."),
        Err(error) => refused(error.into()),
    };
    Ok(asked.say("/attention", notice))
}

/// Tries everything behind a cause again.
pub(crate) async fn retry(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let notice = match asked
        .site
        .handle
        .retry_card(asked.param("id"), &asked.who)
        .await
    {
        Ok(jobs) => released(jobs, "Tried again."),
        Err(error) => refused(error.into()),
    };
    Ok(asked.say("/attention", notice))
}

/// Leaves a cause, with a reason.
pub(crate) async fn ignore(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let reason = asked.form.filled("reason").unwrap_or_default();
    let notice = match asked
        .site
        .handle
        .ignore_card(asked.param("id"), reason, &asked.who)
        .await
    {
        Ok(()) => Notice {
            text: "Left, with your reason, which is kept in History. Its orders can still be tried from their own pages."
                .to_owned(),
            ..Notice::default()
        },
        Err(error) => refused(error.into()),
    };
    Ok(asked.say("/attention", notice))
}

fn waits(card: &CardView, times: &Times) -> String {
    let verb = if card.waiting == 1 { "waits" } else { "wait" };
    let orders = format!("{} {verb}", count(card.waiting, "order", "orders"));
    match card.deadline {
        Some(at) if times.past(at) => format!("{orders}, the first is {}", times.left(at)),
        Some(at) => format!("{orders}, first deadline in {}", times.left(at)),
        None => format!("{orders}, no date given"),
    }
}

fn compose_card(at: usize, card: &CardView, times: &Times, now: Millis) -> Card {
    let urgent = card
        .deadline
        .is_some_and(|at| at.saturating_sub(now) < URGENT);
    let number = count(card.waiting, "order", "orders");
    let (tone, name) = match (&card.ignored, urgent) {
        (Some(_), _) => ("hold", "hold"),
        (None, true) => ("you", "you"),
        (None, false) => ("soon", "soon"),
    };
    let shown = u64::try_from(card.orders.len()).unwrap_or(u64::MAX);
    Card {
        id: format!("c{}", at + 1),
        action: format!(
            "/attention/{}",
            utf8_percent_encode(&card.id, NON_ALPHANUMERIC)
        ),
        tone,
        icon: icon(name),
        title: card.title.clone(),
        text: card.text.clone(),
        hint: card.hint.clone(),
        waits: waits(card, times),
        since: times.when(card.first_at),
        orders: card
            .orders
            .iter()
            .map(|order| Row::of(order, times))
            .collect(),
        others: card.waiting.saturating_sub(shown),
        cell: card.cell.as_ref().map(|cell| Cell {
            label: cell.label.clone(),
            value: cell.gap.value.clone(),
            choices: cell.choices.clone(),
            retailer: cell.gap.retailer.as_ref().map(|code| {
                let named = card.orders.iter().find(|order| &order.retailer == code);
                named.map_or_else(|| code.clone(), super::orders::retailer)
            }),
        }),
        release: if card.cell.is_some() {
            format!("Saves it, then goes on with {number}, nearest deadline first.")
        } else {
            format!(
                "Tries {number} again, nearest deadline first. What was confirmed already is not sent twice."
            )
        },
        number,
        ignored: card.ignored.clone(),
    }
}

fn compose(
    base: Base,
    cards: &[CardView],
    waiting: u64,
    show_left: bool,
    times: &Times,
    now: Millis,
) -> AttentionPage {
    let open = cards.iter().filter(|card| card.ignored.is_none()).count();
    let verb = if waiting == 1 { "waits" } else { "wait" };
    let (stamp_tone, name, stamp) = if open == 0 {
        ("ok", "ok", "Nothing waits".to_owned())
    } else {
        (
            "you",
            "you",
            format!("{} {verb}", count(waiting, "order", "orders")),
        )
    };
    AttentionPage {
        stamp_tone,
        stamp_icon: icon(name),
        stamp,
        open,
        left: cards.len() - open,
        show_left,
        cards: cards
            .iter()
            .filter(|card| card.ignored.is_some() == show_left)
            .enumerate()
            .map(|(at, card)| compose_card(at, card, times, now))
            .collect(),
        base,
    }
}

#[cfg(test)]
#[path = "attention_tests.rs"]
mod tests;
