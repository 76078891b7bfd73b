//! Comparison: what holding both sides against each other has found. The chosen report in full, and those before it.

use super::layout::{Base, not_done, sentence};
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::html::{Mark, Times, count};
use crate::session::Notice;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;
use waybill_engine::compare::{ComparisonView, ComparisonsView, DifferenceView, Finding};
use waybill_engine::view::Tone;
use waybill_model::document::Entity;

/// Where the kind's cards are.
const CARDS: &str = "/attention?show=comparison";

/// One line of a report.
struct Line {
    /// "Order PO-1".
    what: String,
    /// Where that leads.
    href: Option<String>,
    source: String,
    text: String,
    mark: Mark,
    /// Where its card is.
    card: Option<String>,
}

/// Lines of one kind.
struct Part {
    id: &'static str,
    head: &'static str,
    lead: &'static str,
    lines: Vec<Line>,
}

/// A report in the list of them.
struct Row {
    href: String,
    when: String,
    mark: Mark,
    compared: String,
    who: String,
    current: bool,
}

/// The report that is shown in full.
struct Open {
    head: String,
    mark: Mark,
    /// What was compared, and what was found of it.
    sentences: Vec<String>,
    problem: Option<String>,
    parts: Vec<Part>,
    more: bool,
}

#[derive(Template)]
#[template(path = "comparison.html")]
struct ComparisonPage {
    base: Base,
    running: bool,
    next: String,
    open: Option<Open>,
    rows: Vec<Row>,
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, times) = base(asked, "/comparison", "Comparison").await?;
    let all = asked.site.handle.comparisons().await?;
    let chosen = match asked.query.filled("id") {
        Some(id) => Some(
            id.parse()
                .map_err(|_| Failure::not_found("This comparison"))?,
        ),
        None => None,
    };
    if chosen.is_some_and(|id| !reports(&all).any(|of| of.id == id)) {
        return Err(Failure::not_found("This comparison"));
    }
    render(StatusCode::OK, &compose(base, &all, chosen, &times))
}

/// The one under way first, then the newest.
fn reports(all: &ComparisonsView) -> impl Iterator<Item = &ComparisonView> {
    all.running.iter().chain(&all.rows)
}

fn compose(
    base: Base,
    all: &ComparisonsView,
    chosen: Option<u64>,
    times: &Times,
) -> ComparisonPage {
    let open = reports(all).find(|of| chosen.is_none_or(|id| of.id == id));
    let next = match (&all.running, all.next) {
        (None, Some(at)) => format!("The next one begins {}.", times.when(at)),
        (None, None) => {
            "None is planned: Settings says at which hour and over how many days.".to_owned()
        }
        (Some(_), _) => String::new(),
    };
    ComparisonPage {
        base,
        running: all.running.is_some(),
        next,
        rows: reports(all)
            .map(|of| row(of, open.is_some_and(|open| open.id == of.id), times))
            .collect(),
        open: open.map(|of| opened(of, times)),
    }
}

/// Cards of a report that still wait.
fn waiting(of: &ComparisonView) -> usize {
    of.lines.iter().filter(|line| line.card.is_some()).count()
}

fn mark(of: &ComparisonView) -> Mark {
    let waiting = u64::try_from(waiting(of)).unwrap_or(u64::MAX);
    if of.ended.is_none() {
        let left = count(of.left as u64, "listing", "listings");
        Mark::of(Tone::Soon, format!("Under way, {left} to go"))
    } else if of.not_compared > 0 {
        let lists = count(of.not_compared, "listing", "listings");
        Mark::of(
            Tone::You,
            format!("Not done in full: {lists} could not be read"),
        )
    } else if waiting > 0 {
        let waits = if waiting == 1 { "waits" } else { "wait" };
        let cards = count(waiting, "difference", "differences");
        Mark::of(Tone::You, format!("{cards} {waits} for you"))
    } else if of.unknown > 0 {
        let sales = count(of.unknown, "sale", "sales");
        Mark::of(Tone::Hold, format!("{sales} of no order here"))
    } else if of.taken > 0 {
        Mark::of(Tone::Ok, "Put right by itself")
    } else {
        Mark::of(Tone::Ok, "Both sides agree")
    }
}

fn row(of: &ComparisonView, current: bool, times: &Times) -> Row {
    Row {
        href: format!("/comparison?id={}", of.id),
        when: times.when(of.began),
        mark: mark(of),
        compared: format!(
            "{} of {} alike",
            of.equal,
            count(of.seen, "document", "documents")
        ),
        who: who(of),
        current,
    }
}

fn who(of: &ComparisonView) -> String {
    if of.who == "waybill" {
        "Every night".to_owned()
    } else {
        of.who.clone()
    }
}

fn opened(of: &ComparisonView, times: &Times) -> Open {
    let mut sentences = vec![format!(
        "{} since {} were compared.",
        count(of.seen, "document", "documents"),
        times.when(of.from)
    )];
    let mut say = |number: u64, one: &str, many: &str, words: &str| {
        if number > 0 {
            sentences.push(format!("{} {words}", count(number, one, many)));
        }
    };
    say(of.equal, "is", "are", "alike on both sides.");
    say(of.taken, "was", "were", "missing here and put right.");
    say(
        of.differs,
        "differs",
        "differ",
        "and cannot be put right by itself.",
    );
    let over = "shipped or cancelled before this agent knew them: nothing is done with them.";
    say(of.over, "order was", "orders were", over);
    say(
        of.unknown,
        "sale belongs",
        "sales belong",
        "to no order here.",
    );
    let shown = of.taken + of.differs + of.unknown;
    Open {
        head: match of.ended {
            Some(ended) => format!("{} to {}", times.when(of.began), times.clock(ended)),
            None => format!("Began {}", times.when(of.began)),
        },
        mark: mark(of),
        sentences,
        problem: of.problem.as_deref().map(sentence),
        parts: parts(of),
        more: shown > of.lines.len() as u64,
    }
}

/// Id, head and lead of each kind of finding, the most urgent first.
const PARTS: [(Finding, &str, &str, &str); 5] = [
    (
        Finding::NotCompared,
        "not-compared",
        "Could not be compared",
        "These listings could not be read. Compare again once that is mended.",
    ),
    (
        Finding::Differs,
        "differs",
        "Differs",
        "One side shows it otherwise than it confirmed it. Each is a card until both sides agree, or until you leave it with a reason.",
    ),
    (
        Finding::Unknown,
        "unknown",
        "Sales of no order here",
        "Made by hand or by another program, perhaps. Nothing is done with them.",
    ),
    (
        Finding::Repaired,
        "repaired",
        "Put right",
        "It was missing here and was taken; it goes its usual way.",
    ),
    (
        Finding::NotListed,
        "not-listed",
        "Cannot be listed",
        "The connector of this system does not list these, so they are not compared.",
    ),
];

fn parts(of: &ComparisonView) -> Vec<Part> {
    let parts = PARTS.iter().map(|(finding, id, head, lead)| Part {
        id,
        head,
        lead,
        lines: of
            .lines
            .iter()
            .filter(|line| line.finding == *finding)
            .map(compose_line)
            .collect(),
    });
    parts.filter(|part| !part.lines.is_empty()).collect()
}

fn compose_line(line: &DifferenceView) -> Line {
    let kind = match (line.finding, line.entity) {
        (Finding::Unknown, _) => "Sale",
        (_, Entity::Order) => "Order",
        (_, Entity::Shipment) => "Goods-out note",
        (_, Entity::Invoice) => "Invoice",
        _ => "Document",
    };
    let number = match (line.finding, line.entity, &line.number) {
        (Finding::Unknown, ..) => &line.key,
        (_, Entity::Order, Some(number)) => number,
        _ => &line.key,
    };
    let what = match line.finding {
        Finding::NotCompared | Finding::NotListed if line.entity == Entity::Order => {
            "Orders".to_owned()
        }
        Finding::NotCompared | Finding::NotListed => format!("{kind}s"),
        _ => format!("{kind} {number}"),
    };
    let mark = match (line.finding, &line.card) {
        (Finding::Repaired, _) => Mark::of(Tone::Ok, "Put right"),
        (Finding::Differs, Some(_)) => Mark::of(Tone::You, "Waits for you"),
        (Finding::Differs, None) => Mark::of(Tone::Ok, "Settled since"),
        (Finding::Unknown, _) => Mark::of(Tone::Hold, "Left as it is"),
        (Finding::NotListed, _) => Mark::of(Tone::Quiet, "Not compared"),
        (Finding::NotCompared, _) => Mark::of(Tone::You, "Not compared"),
    };
    Line {
        what,
        href: line.order.map(|id| format!("/orders/{id}")),
        source: line.source.clone(),
        text: line.text.clone(),
        mark,
        card: line.card.as_ref().map(|id| format!("{CARDS}#{id}")),
    }
}

/// Begins a comparison now.
pub(crate) async fn begin(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let notice = match asked.site.handle.compare_now(&asked.who).await {
        Ok(_) => Notice {
            text:
                "Both sides are compared now. It goes on by itself; this page shows how far it is."
                    .to_owned(),
            ..Notice::default()
        },
        Err(error) => not_done(error),
    };
    Ok(asked.say("/comparison", notice))
}

#[cfg(test)]
#[path = "comparison_tests.rs"]
mod tests;
