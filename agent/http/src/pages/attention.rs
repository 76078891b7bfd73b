//! Needs attention: one card per cause. What happened, the one empty cell, and what the button sets free.

use super::layout::Base;
use super::orders::Row;
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::html::{Icon, Times, coded, count, icon, set_by};
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use waybill_engine::view::{CardKind, CardView, CellView, DeadlineKind, SuggestionView};
use waybill_model::crosswalk::ITEMS;
use waybill_model::ids::Millis;

/// A cause with less time than that is marked as urgent.
const URGENT: Millis = 24 * 3_600_000;

/// The cell to fill in.
struct Cell {
    label: String,
    value: String,
    choices: Vec<Choice>,
    suggestions: Vec<SuggestionView>,
    retailer: Option<String>,
    /// Name of the form's part; the words beside the field depend on it.
    is_item: bool,
}

/// One line of a list to choose from.
struct Choice {
    key: String,
    label: String,
    suggested: bool,
}

/// One kind of cause.
struct Tab {
    href: String,
    text: String,
    current: bool,
}

struct Card {
    id: String,
    action: String,
    tone: &'static str,
    icon: Icon,
    raw: String,
    title: String,
    text: String,
    hint: Option<String>,
    waits: String,
    since: String,
    orders: Vec<Row>,
    others: u64,
    source: Option<String>,
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
    tabs: Vec<Tab>,
    show_left: bool,
    kind: Option<&'static str>,
    /// Cards that may be tried again together.
    many: bool,
    cards: Vec<Card>,
}

/// Kinds of causes, the word of their address, and what the tab says.
const KINDS: [(CardKind, &str, &str); 9] = [
    (CardKind::Unmatched, "unmatched", "Not matched"),
    (CardKind::Money, "money", "Money"),
    (CardKind::Shipment, "shipments", "Shipments"),
    (CardKind::Invoice, "invoices", "Invoices"),
    (CardKind::Cancellation, "cancellations", "Cancellations"),
    (CardKind::InDoubt, "in-doubt", "In doubt"),
    (CardKind::Comparison, "comparison", "Both sides differ"),
    (CardKind::Reading, "reading", "Not read"),
    (CardKind::Other, "other", "Other"),
];

/// Which cards are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Show {
    /// Everything that was not left alone.
    Open,
    /// One kind of it.
    Kind(CardKind),
    /// What was left with a reason.
    Left,
}

impl Show {
    fn of(word: Option<&str>) -> Self {
        match word {
            Some("left") => Self::Left,
            Some(word) => KINDS
                .iter()
                .find(|(_, known, _)| *known == word)
                .map_or(Self::Open, |(kind, _, _)| Self::Kind(*kind)),
            None => Self::Open,
        }
    }

    fn shows(self, card: &CardView) -> bool {
        match self {
            Self::Left => card.ignored.is_some(),
            Self::Open => card.ignored.is_none(),
            Self::Kind(kind) => card.ignored.is_none() && card.kind == kind,
        }
    }
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, times) = base(asked, "/attention", "Needs attention").await?;
    let now = asked.site.handle.now();
    let cards = asked.site.handle.cards().await?;
    let show = Show::of(asked.query.get("show"));
    let waiting = asked.site.handle.frame().await?.waiting;
    render(
        StatusCode::OK,
        &compose(base, &cards, waiting, show, &times, now),
    )
}

fn released(jobs: u64, what: &str) -> Notice {
    let text = match jobs {
        0 => format!(
            "{what} No order goes on by this alone: what waited waits for another cause, too, or went on already."
        ),
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
        ..Notice::default()
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
    // A suggestion's own button wins over the field beside it.
    let given = asked
        .form
        .filled("take")
        .or_else(|| asked.form.filled("code"));
    let Some(code) = given else {
        let notice = Notice {
            bad: true,
            text: format!("\"{}\" is still empty.", cell.label),
            hint: Some("Fill it in, then save.".to_owned()),
            ..Notice::default()
        };
        return Ok(asked.say("/attention", notice));
    };
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
    let id = asked.param("id");
    let cards = asked.site.handle.cards().await?;
    let mut of_readings = cards.iter().filter(|card| card.kind == CardKind::Reading);
    let is_reading = of_readings.any(|card| card.id == id);
    let notice = match asked.site.handle.retry_card(id, &asked.who).await {
        Ok(_) if is_reading => Notice {
            text: "It is read again. If it is as it was, its card comes back.".to_owned(),
            ..Notice::default()
        },
        Ok(jobs) => released(jobs, "Tried again."),
        Err(error) => refused(error.into()),
    };
    Ok(asked.say("/attention", notice))
}

/// Tries everything behind several causes again: those that were marked, or all of a kind.
pub(crate) async fn retry_many(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let word = asked.form.filled("kind");
    let marked: Vec<String> = asked.form.all("card").map(str::to_owned).collect();
    let ids = if asked.form.get("do") == Some("all") {
        let show = Show::of(word);
        let cards = asked.site.handle.cards().await?;
        let open = cards
            .into_iter()
            .filter(|card| show != Show::Left && show.shows(card));
        open.map(|card| card.id).collect()
    } else {
        marked
    };
    let back = word.map_or_else(
        || "/attention".to_owned(),
        |word| {
            format!(
                "/attention?show={}",
                utf8_percent_encode(word, NON_ALPHANUMERIC)
            )
        },
    );
    if ids.is_empty() {
        let notice = Notice {
            bad: true,
            text: "No cause is marked.".to_owned(),
            hint: Some("Mark the causes to try again, or try all of them.".to_owned()),
            ..Notice::default()
        };
        return Ok(asked.say(&back, notice));
    }
    let notice = match asked.site.handle.retry_cards(&ids, &asked.who).await {
        Ok(jobs) => released(jobs, "Tried again."),
        Err(error) => refused(error.into()),
    };
    Ok(asked.say(&back, notice))
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
    if card.kind == CardKind::Reading {
        return "Waits for you; everything else goes on".to_owned();
    }
    let verb = if card.waiting == 1 { "waits" } else { "wait" };
    let orders = format!("{} {verb}", count(card.waiting, "order", "orders"));
    let what = match card.nearest.map(|(kind, _, _)| kind) {
        Some(DeadlineKind::Acknowledge) => "acknowledge-by",
        Some(DeadlineKind::Ship) => "ship-by",
        Some(DeadlineKind::Invoice) => "invoice-by",
        None => "deadline",
    };
    match card.deadline {
        Some(at) if times.past(at) => format!("{orders}, the first is {}", times.left(at)),
        Some(at) => format!("{orders}, first {what} in {}", times.left(at)),
        None => format!("{orders}, no date given"),
    }
}

/// The list of a cell: what is suggested first.
fn choices(cell: &CellView) -> Vec<Choice> {
    let is_suggested = |key: &str| cell.suggestions.iter().any(|s| s.key == key);
    let mut choices: Vec<Choice> = cell
        .choices
        .iter()
        .map(|(key, label)| Choice {
            key: key.clone(),
            label: coded(key, label),
            suggested: is_suggested(key),
        })
        .collect();
    choices.sort_by_key(|choice| !choice.suggested);
    choices
}

/// What is suggested, as the list says it; a product is said by what people know it by, its key means nothing to them.
fn suggestions(cell: &CellView) -> Vec<SuggestionView> {
    let mut suggestions = cell.suggestions.clone();
    for suggestion in suggestions.iter_mut().filter(|_| cell.gap.table != ITEMS) {
        suggestion.label = coded(&suggestion.key, &suggestion.label);
    }
    suggestions
}

fn compose_card(at: usize, card: &CardView, times: &Times, now: Millis) -> Card {
    let urgent = card
        .deadline
        .is_some_and(|at| at.saturating_sub(now) < URGENT);
    let is_reading = card.kind == CardKind::Reading;
    let number = if is_reading {
        "it".to_owned()
    } else {
        count(card.waiting, "order", "orders")
    };
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
        raw: card.id.clone(),
        source: card.nearest.map(|(_, at, by)| {
            let source = card
                .orders
                .first()
                .map_or("the network", |o| o.source.as_str());
            format!("{}. {}.", times.when(at), set_by(by, source))
        }),
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
            choices: choices(cell),
            suggestions: suggestions(cell),
            is_item: cell.gap.table == ITEMS,
            retailer: cell.gap.retailer.as_ref().map(|code| {
                let named = card.orders.iter().find(|order| &order.retailer == code);
                named.map_or_else(|| code.clone(), super::orders::retailer)
            }),
        }),
        release: if card.cell.is_some() {
            format!("Saves it, then goes on with {number}, nearest deadline first.")
        } else if is_reading {
            "Reads it again, with the settings as they are now.".to_owned()
        } else {
            format!(
                "Tries {number} again, nearest deadline first. What was confirmed already is not sent twice."
            )
        },
        number,
        ignored: card.ignored.clone(),
    }
}

/// A tab for every kind there is; none where all are of one kind.
fn tabs(cards: &[CardView], show: Show) -> Vec<Tab> {
    let number = |of: Show| cards.iter().filter(|card| of.shows(card)).count();
    let tab = |of: Show, href: &str, text: &str| Tab {
        href: href.to_owned(),
        text: format!("{text} {}", number(of)),
        current: of == show,
    };
    let mut tabs = vec![tab(Show::Open, "/attention", "All")];
    for (kind, word, text) in KINDS {
        let of = Show::Kind(kind);
        if number(of) > 0 || of == show {
            tabs.push(tab(of, &format!("/attention?show={word}"), text));
        }
    }
    if number(Show::Left) > 0 || show == Show::Left {
        tabs.push(tab(
            Show::Left,
            "/attention?show=left",
            "Left with a reason",
        ));
    }
    let only_one_kind = tabs.len() == 2 && number(Show::Left) == 0 && show == Show::Open;
    if tabs.len() == 1 || only_one_kind {
        tabs.clear();
    }
    tabs
}

fn compose(
    base: Base,
    cards: &[CardView],
    waiting: u64,
    show: Show,
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
        tabs: tabs(cards, show),
        show_left: show == Show::Left,
        kind: KINDS
            .iter()
            .find(|(kind, _, _)| show == Show::Kind(*kind))
            .map(|(_, word, _)| *word),
        many: show != Show::Left && cards.iter().filter(|card| show.shows(card)).count() > 1,
        cards: cards
            .iter()
            .filter(|card| show.shows(card))
            .enumerate()
            .map(|(at, card)| compose_card(at, card, times, now))
            .collect(),
        base,
    }
}

#[cfg(test)]
#[path = "attention_tests.rs"]
mod tests;
