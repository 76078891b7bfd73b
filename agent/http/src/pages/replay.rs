//! Replay: what stopped goes on from the step that stopped. First a list of what would be tried, then a button.

use super::layout::{Base, not_done};
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::body::Fields;
use crate::html::{Times, count};
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use jiff::civil::DateTime;
use waybill_engine::replay::{ReplayScope, ReplayView};
use waybill_model::ids::OrderId;

struct Row {
    number: String,
    href: Option<String>,
    what: String,
    why: String,
    stopped: String,
}

/// What was asked for, for the form that carries it out.
struct Chosen {
    name: &'static str,
    value: String,
    words: String,
}

#[derive(Template)]
#[template(path = "replay.html")]
struct ReplayPage {
    base: Base,
    since: String,
    number: String,
    chosen: Option<Chosen>,
    sentence: String,
    left: Vec<String>,
    rows: Vec<Row>,
    more: u64,
    again: u64,
}

/// A scope in the fields of an address or a form.
async fn scope(
    asked: &Asked<'_>,
    fields: &Fields,
) -> Result<Option<(ReplayScope, Chosen)>, Failure> {
    let chosen = |name: &'static str, value: &str, words: String| Chosen {
        name,
        value: value.to_owned(),
        words,
    };
    if let Some(since) = fields.filled("since") {
        let at: DateTime = since.parse().map_err(|_| {
            Failure::bad(format!("`{since}` is no time")).hint("Write it as 2026-11-20T14:00.")
        })?;
        let at = at
            .to_zoned(asked.site.zone.clone())
            .map_err(|_| Failure::bad(format!("`{since}` is no time")))?
            .timestamp()
            .as_millisecond();
        let words = format!("Everything that stopped since {}", asked.times().when(at));
        return Ok(Some((
            ReplayScope::Since(at),
            chosen("since", since, words),
        )));
    }
    if let Some(id) = fields.filled("order") {
        let id: u64 = id.parse().map_err(|_| Failure::not_found("This order"))?;
        let found = asked.site.handle.order(OrderId(id)).await?;
        let number = found
            .ok_or_else(|| Failure::not_found("This order"))?
            .order
            .number;
        let words = format!("Order {number}");
        let place = chosen("order", &id.to_string(), words);
        return Ok(Some((ReplayScope::Order(OrderId(id)), place)));
    }
    if let Some(number) = fields.filled("number") {
        let list = asked
            .site
            .handle
            .orders(None, Some(number.to_owned()), None, 2)
            .await?;
        let exact: Vec<_> = list.rows.iter().filter(|o| o.number == number).collect();
        let [order] = exact.as_slice() else {
            return Err(
                Failure::not_found(&format!("One order with the PO number {number}"))
                    .hint("Open the order through the search and choose there."),
            );
        };
        let words = format!("Order {number}");
        let place = chosen("order", &order.id.to_string(), words);
        return Ok(Some((ReplayScope::Order(order.id), place)));
    }
    if fields.get("all").is_some() {
        let words = "Everything that waits for you".to_owned();
        return Ok(Some((ReplayScope::AllParked, chosen("all", "1", words))));
    }
    Ok(None)
}

/// The page: a choice, and what it comes to.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, times) = base(asked, "/replay", "Try again").await?;
    let view = match scope(asked, &asked.query).await? {
        Some((scope, chosen)) => {
            let view = asked.site.handle.replay(scope, true, &asked.who).await?;
            Some((chosen, view))
        }
        None => None,
    };
    let since = asked.query.filled("since").unwrap_or_default();
    let number = asked.query.filled("number").unwrap_or_default();
    render(
        StatusCode::OK,
        &compose(base, view, (since, number), &times),
    )
}

/// Tries it.
pub(crate) async fn run(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let Some((scope, _)) = scope(asked, &asked.form).await? else {
        return Err(Failure::bad("nothing was chosen").hint("Choose a time, a PO, or everything."));
    };
    let place = match &scope {
        ReplayScope::Order(id) => format!("/orders/{id}"),
        _ => "/attention".to_owned(),
    };
    let notice = match asked.site.handle.replay(scope, false, &asked.who).await {
        Ok(view) => Notice {
            text: format!(
                "{} again now, from where it stopped. What was confirmed already is not sent twice.",
                count(view.again, "step is tried", "steps are tried")
            ),
            ..Notice::default()
        },
        Err(error) => not_done(error),
    };
    Ok(asked.say(&place, notice))
}

/// What is not tried, and why.
fn left(view: &ReplayView) -> Vec<String> {
    let mut out = Vec::new();
    let mut say = |n: u64, one: &str, many: &str, why: &str| {
        if n > 0 {
            out.push(format!("{}: {why}", count(n, one, many)));
        }
    };
    let steps = ("step", "steps");
    say(
        view.finished,
        steps.0,
        steps.1,
        "finished. Nothing of it is sent again.",
    );
    say(
        view.under_way,
        steps.0,
        steps.1,
        "on its way already, or waiting for another step.",
    );
    say(
        view.yours,
        steps.0,
        steps.1,
        "needs your own decision; trying again does not help.",
    );
    say(
        view.left_alone,
        steps.0,
        steps.1,
        "left alone with a reason.",
    );
    out
}

fn compose(
    base: Base,
    found: Option<(Chosen, ReplayView)>,
    (since, number): (&str, &str),
    times: &Times,
) -> ReplayPage {
    let mut page = ReplayPage {
        base,
        since: since.to_owned(),
        number: number.to_owned(),
        chosen: None,
        sentence: String::new(),
        left: Vec::new(),
        rows: Vec::new(),
        more: 0,
        again: 0,
    };
    let Some((chosen, view)) = found else {
        return page;
    };
    page.sentence = match view.again {
        0 => format!("{}: nothing stopped, so nothing is tried.", chosen.words),
        n => format!(
            "{}: {} again, nearest deadline first.",
            chosen.words,
            count(n, "step would be tried", "steps would be tried")
        ),
    };
    page.left = left(&view);
    page.rows = view
        .rows
        .iter()
        .map(|row| Row {
            number: row.number.clone(),
            href: row.order.map(|id| format!("/orders/{id}")),
            what: row.what.clone(),
            why: row.why.clone(),
            stopped: times.when(row.stopped_at),
        })
        .collect();
    page.more = view
        .again
        .saturating_sub(u64::try_from(page.rows.len()).unwrap_or(u64::MAX));
    page.again = view.again;
    page.chosen = Some(chosen);
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::with_symbols;
    use crate::pages::sample::{self, NOW};
    use waybill_engine::replay::ReplayRow;
    use waybill_model::ids::JobId;

    #[test]
    fn a_preview_lists_what_is_tried_and_what_is_left() {
        let chosen = Chosen {
            name: "since",
            value: "2026-11-20T12:00".to_owned(),
            words: "Everything that stopped since today 12:00".to_owned(),
        };
        let view = ReplayView {
            again: 3,
            rows: vec![ReplayRow {
                job: JobId(4),
                order: Some(OrderId(7)),
                number: "<b>7</b>".to_owned(),
                what: "Shipment".to_owned(),
                why: "Refused there.".to_owned(),
                stopped_at: NOW,
            }],
            finished: 2,
            left_alone: 1,
            dry_run: true,
            ..ReplayView::default()
        };
        let page = compose(
            sample::base("/replay", "Try again"),
            Some((chosen, view)),
            ("2026-11-20T12:00", ""),
            &sample::times(),
        );
        let html = with_symbols(&page.render().unwrap());
        sample::sound(&html);
        for words in [
            "3 steps would be tried again, nearest deadline first.",
            "2 steps: finished. Nothing of it is sent again.",
            "1 step: left alone with a reason.",
            "name=\"since\" value=\"2026-11-20T12:00\"",
            "&#60;b&#62;7&#60;/b&#62;",
            "2 more",
            "Try 3 steps again",
        ] {
            assert!(html.contains(words), "{words}");
        }
    }

    #[test]
    fn nothing_chosen_asks_for_a_choice() {
        let base = sample::base("/replay", "Try again");
        let html = compose(base, None, ("", ""), &sample::times())
            .render()
            .unwrap();
        assert!(html.contains("type=\"datetime-local\""));
        assert!(!html.contains("class=\"go\""));
    }
}
