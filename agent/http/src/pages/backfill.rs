//! Orders from before: by date or by a pasted list. First a look, then a button that takes what is missing.

use super::layout::{Base, not_done, sentence};
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::html::{Mark, Times, count};
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use jiff::ToSpan as _;
use jiff::civil::Date;
use waybill_engine::backfill::{Asked as Orders, BackfillView, Line};
use waybill_engine::view::Tone;
use waybill_model::ids::Millis;

struct Source {
    name: String,
    title: String,
}

struct Row {
    href: String,
    what: String,
    mark: Mark,
    found: String,
    asked: String,
}

struct Found {
    number: String,
    key: String,
    retailer: String,
    placed: String,
    mark: Mark,
}

struct Open {
    id: u64,
    what: String,
    mark: Mark,
    sentences: Vec<String>,
    problem: Option<String>,
    not_found: String,
    takes: Option<String>,
    stops: bool,
    goes_on: bool,
    found: Vec<Found>,
    more: bool,
}

#[derive(Template)]
#[template(path = "backfill.html")]
struct BackfillPage {
    base: Base,
    sources: Vec<Source>,
    open: Option<Open>,
    rows: Vec<Row>,
}

/// The page: what to look for, one look if it was chosen, and those before.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, times) = base(asked, "/backfill", "Orders from before").await?;
    let handle = &asked.site.handle;
    let sources = handle.order_sources().into_iter();
    let rows = handle.backfills().await?;
    let open = match asked.query.filled("id") {
        Some(id) => {
            let id = id
                .parse()
                .map_err(|_| Failure::not_found("This back-fill"))?;
            let found = handle.backfill(id).await?;
            Some(found.ok_or_else(|| Failure::not_found("This back-fill"))?)
        }
        None => None,
    };
    let page = BackfillPage {
        base,
        sources: sources
            .map(|(name, title)| Source { name, title })
            .collect(),
        open: open.map(|(view, lines)| opened(&view, lines, &times)),
        rows: rows.iter().map(|view| row(view, &times)).collect(),
    };
    render(StatusCode::OK, &page)
}

fn mark(view: &BackfillView) -> Mark {
    match view.phase {
        "looking" => Mark::of(Tone::Soon, "Looking"),
        "looked" if view.missing == 0 => Mark::of(Tone::Ok, "Nothing is missing"),
        "looked" => Mark::of(Tone::You, "Waits for your decision"),
        "taking" => Mark::of(Tone::Soon, "Taking what is missing"),
        "done" => Mark::of(Tone::Ok, "Done"),
        _ => Mark::of(Tone::Hold, "Stopped"),
    }
}

fn what(view: &BackfillView, times: &Times) -> String {
    match (view.from, view.to, view.pasted) {
        (Some(from), Some(to), _) => format!(
            "{}: placed from {} to {}",
            view.title,
            times.when(from),
            times.when(to)
        ),
        (_, _, Some(pasted)) => format!(
            "{}: {} from a list",
            view.title,
            count(pasted, "order number", "order numbers")
        ),
        _ => view.title.clone(),
    }
}

fn row(view: &BackfillView, times: &Times) -> Row {
    Row {
        href: format!("/backfill?id={}", view.id),
        what: what(view, times),
        mark: mark(view),
        found: format!("{} missing, {} taken", view.missing, view.taken),
        asked: format!("{}, {}", view.who, times.when(view.asked_at)),
    }
}

fn opened(view: &BackfillView, lines: Vec<Line>, times: &Times) -> Open {
    let goes_on = matches!(view.phase, "looking" | "taking");
    let orders = |n| count(n, "order", "orders");
    let mut sentences = Vec::new();
    let mut say = |n: u64, words: &str| {
        if n > 0 {
            sentences.push(format!("{} {words}", orders(n)));
        }
    };
    say(view.missing, "missing here and still open.");
    say(view.known, "here already: nothing is done with them.");
    say(
        view.over,
        "shipped or cancelled already: no sale is made of them.",
    );
    say(view.taken, "taken.");
    let found = view.missing + view.known + view.over;
    if found == 0 && view.phase != "looking" {
        sentences.push("No order was found.".to_owned());
    }
    let shown = lines.len() as u64;
    Open {
        id: view.id,
        what: what(view, times),
        mark: mark(view),
        sentences,
        problem: view.problem.as_deref().map(sentence),
        not_found: if view.phase == "looking" {
            String::new()
        } else {
            view.not_found.join(", ")
        },
        takes: (view.phase == "looked" && view.missing > 0).then(|| orders(view.missing)),
        stops: goes_on || view.phase == "looked",
        goes_on,
        found: lines
            .into_iter()
            .map(|line| found_line(line, times))
            .collect(),
        more: found > shown,
    }
}

fn found_line(line: Line, times: &Times) -> Found {
    Found {
        mark: match line.becomes {
            "missing" => Mark::of(Tone::You, "Missing"),
            "known" => Mark::of(Tone::Ok, "Here already"),
            _ => Mark::of(Tone::Quiet, "Over"),
        },
        number: line.number,
        key: line.key,
        retailer: line.retailer,
        placed: line.placed_at.map_or_else(String::new, |at| times.when(at)),
    }
}

/// Looks, takes or stops.
pub(crate) async fn command(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (handle, who) = (&asked.site.handle, asked.who.as_str());
    let id = asked
        .form
        .filled("id")
        .and_then(|id| id.parse::<u64>().ok());
    let mut place = id.map_or_else(|| "/backfill".to_owned(), |id| format!("/backfill?id={id}"));
    let (done, words) = match (asked.form.filled("do"), id) {
        (Some("take"), Some(id)) => (
            handle.take_backfill(id, who).await,
            "What is missing is taken now.",
        ),
        (Some("stop"), Some(id)) => (
            handle.stop_backfill(id, who).await,
            "It is stopped. What was taken stays.",
        ),
        (Some("look"), _) => {
            let connection = asked.form.filled("connection").unwrap_or_default();
            let looked = handle
                .look_for_orders(connection, &orders(asked)?, who)
                .await;
            let words = "It is looked what there is. Nothing is taken yet.";
            (looked.map(|id| place = format!("/backfill?id={id}")), words)
        }
        _ => return Err(Failure::bad("the form does not say what to do")),
    };
    let notice = match done {
        Ok(()) => Notice {
            text: words.to_owned(),
            ..Notice::default()
        },
        Err(error) => not_done(error),
    };
    Ok(asked.say(&place, notice))
}

/// Which orders the form means.
fn orders(asked: &Asked<'_>) -> Result<Orders, Failure> {
    if let Some(list) = asked.form.filled("list") {
        return Ok(Orders::List(list.to_owned()));
    }
    let from = day(asked, "from", 0)?;
    // The last day counts whole.
    let to = day(asked, "to", 1)?;
    Ok(Orders::Between(from, to))
}

fn day(asked: &Asked<'_>, field: &str, later: i32) -> Result<Millis, Failure> {
    let text = asked.form.filled(field).unwrap_or_default();
    let no_day = || Failure::bad(format!("`{text}` is no day")).hint("Write it as 2026-11-20.");
    let day: Date = text.parse().map_err(|_| no_day())?;
    let day = day.checked_add(later.days()).map_err(|_| no_day())?;
    let at = day
        .to_zoned(asked.site.zone.clone())
        .map_err(|_| no_day())?;
    Ok(at.timestamp().as_millisecond())
}
